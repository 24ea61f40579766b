// Finds option ROMs behind the video ROM (network boot ROMs, disk controllers), in steps of 2 KiB (Plug and Play BIOS
// Specification 1.0A, appendix B).

import type { GuestMemory } from '../guest-memory.ts';

const LAST_SEGMENT = 0xe000;
const STEP = 0x80;
const SIGNATURE = 0xaa55;

/** The next valid ROM from segment `from` on: where it lies and where to look afterwards. */
export function nextOptionRom(mem: GuestMemory, from: number): { found: number; after: number } | undefined {
  for (let segment = from; segment < LAST_SEGMENT; segment += STEP) {
    if (mem.read16(segment << 4) !== SIGNATURE) continue;
    const length = mem.read8((segment << 4) + 2) * 512;
    if (length === 0 || (segment << 4) + length > LAST_SEGMENT << 4) continue;
    const bytes = new Uint8Array(length);
    mem.read(segment << 4, bytes);
    let sum = 0;
    for (const byte of bytes) sum += byte;
    if ((sum & 0xff) !== 0) continue;
    return { found: segment, after: Math.ceil((segment + (length >> 4)) / STEP) * STEP };
  }
  return undefined;
}
