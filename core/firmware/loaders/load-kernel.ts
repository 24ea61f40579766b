// Finds out which boot protocol a kernel file speaks and starts it by that: Linux bzImage, Multiboot 1, PVH, in this order,
// as other direct-boot loaders choose too.

import type { DmaMemory } from '../../bus/dma.ts';
import { isElf, parseElf } from './elf.ts';
import type { EntryState } from './entry-state.ts';
import { loadError } from './load-area.ts';
import { isLinuxImage } from './linux-header.ts';
import { loadLinux } from './linux.ts';
import type { MemoryMapEntry } from './memory-map.ts';
import { findMultibootHeader, loadMultiboot } from './multiboot.ts';
import { loadPvh, pvhEntry } from './pvh.ts';
import type { Unpackers } from './vmlinux.ts';

export type BootProtocol = 'linux' | 'multiboot' | 'pvh';

export interface KernelFile {
  readonly content: Uint8Array;
  /** As the user named it, for messages. */
  readonly name: string;
}

export interface KernelBootOptions {
  readonly memory: DmaMemory;
  readonly memoryMap: readonly MemoryMapEntry[];
  readonly kernel: KernelFile;
  readonly initrd?: KernelFile | undefined;
  readonly commandLine?: string | undefined;
  readonly rsdpAddress?: number | undefined;
  readonly longMode?: boolean | undefined;
  readonly linuxEntry?: 'auto' | '16-bit' | '32-bit' | '64-bit' | undefined;
  /** Linux kernels packed in one of these formats start unpacked, see linux.ts. */
  readonly unpackers?: Unpackers | undefined;
}

export interface LoadedKernel {
  readonly protocol: BootProtocol;
  readonly entry: EntryState;
}

/** @throws NestboxError kind `bad-input` when the file is no kernel that can be started */
export function kernelProtocol(kernel: KernelFile): BootProtocol {
  const { content, name } = kernel;
  if (content.length === 0) throw loadError(`${name}: is empty; a kernel is needed`);
  if (isLinuxImage(content)) return 'linux';
  if (findMultibootHeader(content) !== undefined) return 'multiboot';
  if (isElf(content)) {
    if (pvhEntry(content, parseElf(content, name)) !== undefined) return 'pvh';
    throw loadError(`${name}: is an ELF file that cannot be started: it has neither a PVH note nor a Multiboot header`);
  }
  throw loadError(`${name}: is not a kernel: no Linux boot header, no Multiboot header, no ELF file with a PVH note`);
}

/**
 * Loads the kernel into guest memory and says how the CPU enters it.
 * @throws NestboxError kind `bad-input` naming the file and what is wrong
 */
export function loadKernel(options: KernelBootOptions): LoadedKernel {
  const { memory, memoryMap, kernel, initrd, commandLine, rsdpAddress } = options;
  const protocol = kernelProtocol(kernel);
  const common = { memory, memoryMap, commandLine, kernelName: kernel.name };
  switch (protocol) {
    case 'linux': {
      const entry = loadLinux(kernel.content, {
        ...common,
        initrd: initrd?.content,
        initrdName: initrd?.name,
        rsdpAddress,
        longMode: options.longMode,
        entry: options.linuxEntry,
        unpackers: options.unpackers,
      });
      return { protocol, entry };
    }
    case 'pvh':
      return {
        protocol,
        entry: loadPvh(kernel.content, { ...common, initrd: initrd?.content, initrdName: initrd?.name, rsdpAddress }),
      };
    case 'multiboot': {
      const modules = initrd === undefined ? [] : [{ content: initrd.content, text: initrd.name }];
      return { protocol, entry: loadMultiboot(kernel.content, { ...common, modules }) };
    }
  }
}
