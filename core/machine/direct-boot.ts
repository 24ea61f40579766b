// Direct boot: reads kernel and initrd from the host, loads them by their boot protocol when the firmware would boot, and
// enters the kernel.

import { readFile, stat } from 'node:fs/promises';
import { NestboxError, messageOf } from '../base/errors.ts';
import type { CpuState, Vcpu } from '../cpu/contract.ts';
import type { EntryState } from '../firmware/loaders/entry-state.ts';
import { type KernelFile, loadKernel } from '../firmware/loaders/load-kernel.ts';
import type { MemoryMapEntry } from '../firmware/loaders/memory-map.ts';
import type { PhysicalMemory } from '../memory/physical-memory.ts';
import type { VmConfig } from '../protocol/vm-config.ts';

const MAX_FILE_BYTES = 0x8000_0000;

export interface DirectBootFiles {
  readonly kernel: KernelFile;
  readonly initrd: KernelFile | undefined;
  readonly commandLine: string;
}

async function readInput(what: string, path: string): Promise<KernelFile> {
  const fail = (reason: string, cause?: unknown): NestboxError => new NestboxError('bad-input', `${what} ${path}: ${reason}`, { op: 'read kernel', context: { path }, cause });
  let bytes: Uint8Array;
  try {
    const info = await stat(path);
    if (info.isDirectory()) throw fail('is a directory; a file is needed');
    if (!info.isFile()) throw fail('is not a regular file');
    if (info.size > MAX_FILE_BYTES) throw fail('is larger than 2 GiB');
    bytes = await readFile(path);
  } catch (cause) {
    if (cause instanceof NestboxError) throw cause;
    const code = (cause as { code?: string }).code;
    throw fail(code === 'ENOENT' ? 'does not exist' : code === 'EACCES' ? 'cannot be read: permission denied' : `cannot be read: ${messageOf(cause)}`, cause);
  }
  if (bytes.length === 0) throw fail('is empty');
  return { content: bytes, name: path };
}

/** @throws NestboxError `bad-input` naming the file */
export async function readDirectBootFiles(config: NonNullable<VmConfig['directBoot']>): Promise<DirectBootFiles> {
  return {
    kernel: await readInput('kernel', config.kernel),
    initrd: config.initrd === undefined ? undefined : await readInput('initrd', config.initrd),
    commandLine: config.commandLine,
  };
}

export interface DirectBootOptions {
  readonly memory: PhysicalMemory;
  readonly files: DirectBootFiles;
  readonly vcpu: () => Vcpu;
  /** The kernel is about to run: it expects what firmware does last. */
  readonly beforeEntry: () => void;
}

/** What the firmware knows when it boots. */
export interface FirmwareTables {
  readonly memoryMap: readonly MemoryMapEntry[];
  /** Undefined leaves the search to the kernel. */
  readonly rsdpAddress?: number | undefined;
}

/** Starts the kernel between two slices of the processor. */
export class DirectBoot {
  readonly files: DirectBootFiles;
  private readonly options: DirectBootOptions;
  private pending: FirmwareTables | undefined;

  constructor(options: DirectBootOptions) {
    this.options = options;
    this.files = options.files;
  }

  /** Loads the kernel into guest memory. @throws NestboxError `bad-input` when it is no kernel, or does not fit */
  place(tables: FirmwareTables): EntryState {
    return loadKernel({ memory: this.options.memory, ...tables, ...this.files }).entry;
  }

  /** The firmware is done and would boot now: enter the kernel as soon as the processor stands still. */
  request(tables: FirmwareTables): void {
    this.pending = tables;
    this.options.vcpu().requestYield();
  }

  get isWanted(): boolean {
    return this.pending !== undefined;
  }

  /** Called between slices. @returns whether the kernel was entered. @throws NestboxError as `place` */
  performIfWanted(): boolean {
    const tables = this.pending;
    if (tables === undefined) return false;
    this.pending = undefined;
    const entry = this.place(tables);
    this.options.beforeEntry();
    const vcpu = this.options.vcpu();
    vcpu.setState(enterKernel(vcpu.getState(), entry));
    return true;
  }
}

/** The state of a reset CPU with what the boot protocol fixes put over it. */
function enterKernel(reset: CpuState, entry: EntryState): CpuState {
  return {
    ...reset,
    gpr: entry.gpr,
    rip: entry.rip,
    rflags: entry.rflags,
    segments: entry.segments,
    gdtr: entry.gdtr,
    idtr: entry.idtr,
    cr0: entry.cr0,
    cr3: entry.cr3,
    cr4: entry.cr4,
    efer: entry.efer,
    activity: 'running',
    cpl: 0,
  };
}
