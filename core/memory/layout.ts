// Where everything lies in the one WebAssembly memory of a machine: interpreter tables, vCPUs, page map, RAM, ROM, VRAM.
// The memory is 32-bit (4 GiB), so guest RAM plus the rest must fit below that.

import { NestboxError } from '../base/errors.ts';
import { PAGE } from '../cpu/isa/layout.ts';

const MIB = 1 << 20;
const PAGE_BYTES = 4096;

/** Static data of the interpreter (decode tables) lies in [STATIC_BASE, STATIC_END). */
export const STATIC_BASE = 0x1_0000;
export const STATIC_END = 16 * MIB;
/** Each vCPU owns this much: register file, TLBs, block table, op pool, JIT tables. */
export const VCPU_AREA_BYTES = 72 * MIB;
/** Below this guest physical address lies low RAM at most; the PCI hole follows. */
export const LOW_RAM_LIMIT = 0xc000_0000;
export const MAX_RAM_MIB = 3072 + 256;

export interface MemoryLayoutOptions {
  readonly ramBytes: number;
  readonly romBytes: number;
  readonly vramBytes: number;
  readonly vcpus: number;
}

/** Addresses in WebAssembly memory, all page aligned. */
export interface MemoryLayout {
  readonly vcpuBase: number;
  readonly vcpuAreaBytes: number;
  /** One u32 a guest physical page, see PAGE in core/cpu/isa/layout.ts. */
  readonly pageMapBase: number;
  /** One byte a RAM/ROM/VRAM page from ramBase on; its bits are DIRTY in core/memory/physical-memory.ts. */
  readonly dirtyBase: number;
  /** One u64 a RAM/ROM/VRAM page: 64-byte granules that hold decoded code. */
  readonly granuleBase: number;
  readonly ramBase: number;
  readonly ramBytes: number;
  readonly romBase: number;
  readonly romBytes: number;
  readonly vramBase: number;
  readonly vramBytes: number;
  /** Pages that have dirty bytes and granules: RAM, ROM and VRAM together. */
  readonly trackedPages: number;
  readonly totalBytes: number;
}

function pageUp(bytes: number): number {
  return Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES;
}

/** @throws NestboxError kind `usage` when the machine does not fit into 4 GiB of emulator memory */
export function layOutMemory(options: MemoryLayoutOptions): MemoryLayout {
  const vcpuBase = STATIC_END;
  const pageMapBase = vcpuBase + options.vcpus * VCPU_AREA_BYTES;
  const dirtyBase = pageMapBase + PAGE.PHYS_PAGES * 4;
  const ramBytes = pageUp(options.ramBytes);
  const romBytes = pageUp(options.romBytes);
  const vramBytes = pageUp(options.vramBytes);
  const trackedPages = (ramBytes + romBytes + vramBytes) / PAGE_BYTES;
  const granuleBase = pageUp(dirtyBase + trackedPages);
  const ramBase = Math.ceil((granuleBase + trackedPages * 8) / MIB) * MIB;
  const romBase = ramBase + ramBytes;
  const vramBase = romBase + romBytes;
  const totalBytes = Math.ceil((vramBase + vramBytes + PAGE_BYTES) / 65536) * 65536;
  if (totalBytes > 0xffff_0000) {
    throw new NestboxError('usage', `${options.ramBytes / MIB} MiB of guest memory with ${options.vcpus} CPUs do not fit the software CPU (about ${MAX_RAM_MIB} MiB at most)`, {
      op: 'lay out memory',
    });
  }
  return {
    vcpuBase, vcpuAreaBytes: VCPU_AREA_BYTES, pageMapBase, dirtyBase, granuleBase,
    ramBase, ramBytes, romBase, romBytes, vramBase, vramBytes, trackedPages, totalBytes,
  };
}
