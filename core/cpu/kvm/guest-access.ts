// Guest memory at linear addresses for the BIOS and debuggers while KVM holds the registers.

import type { PhysicalMemory } from '../../memory/physical-memory.ts';
import type { VcpuIo } from '../contract.ts';
import { SREGS } from './ioctl.ts';
import type { KvmCore } from './kvm-core.ts';
import { AT } from './vcpu-file.ts';

const PAGE_BYTES = 4096;
const CR0_PG = 0x8000_0000;

/** Reads into `bytes`, or writes them. @returns false when a page is not mapped; what came before it is done */
export function accessLinear(core: KvmCore, memory: PhysicalMemory, io: VcpuIo, address: number, bytes: Uint8Array, write: boolean): boolean {
  const paging = (core.sregs().getUint32(AT.SREGS + SREGS.CR0, true) & CR0_PG) !== 0;
  for (let at = 0; at < bytes.length; ) {
    const linear = address + at;
    const physical = paging ? core.translate(linear) : linear;
    if (physical < 0) return false;
    const piece = bytes.subarray(at, Math.min(bytes.length, at + PAGE_BYTES - (linear % PAGE_BYTES)));
    const direct = memory.directBytes(physical, piece.length, write);
    if (direct === undefined) {
      for (let i = 0; i < piece.length; i++) {
        if (write) io.mmioWrite(physical + i, 1, piece[i] ?? 0);
        else piece[i] = io.mmioRead(physical + i, 1);
      }
    } else if (write) {
      direct.set(piece);
      memory.noteWritten(physical, piece.length);
    } else piece.set(direct);
    at += piece.length;
  }
  return true;
}
