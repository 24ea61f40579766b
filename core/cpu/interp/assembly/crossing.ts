// Instructions that cross a page end. They belong to no page's list of blocks: the bytes are gathered from both pages at
// every execution and compared with those of the last decoding, so that no write can be missed.

import { decodeOp } from './decode';
import { AREA_STAGING, BLOCK_HEADER_BYTES, CODE_MODE, OP_BYTES, PAGE_HOST_MASK, PAGE_READ } from './generated/layout';
import { pageMapEntry, physicalRead } from './physical';
import { cpu, get32 } from './state';
import { translateFetch } from './tlb';

/** In the staging area: gathered bytes, then 64 remembered decodings of 64 bytes each. */
const CODE: usize = 0x8000;
const SLOTS: usize = 0x9000;
// A slot: physical address u64, mode key u32, length u32, code 16 bytes, op record.
const SLOT_KEY: usize = 8;
const SLOT_LENGTH: usize = 12;
const SLOT_CODE: usize = 16;
const SLOT_OP: usize = 32;
const MAX_LENGTH: u32 = 15;

export function forgetCrossings(): void {
  memory.fill(cpu + AREA_STAGING + SLOTS, 0xff, 64 * 64);
}

/** Copies `bytes` of code from one page; device memory is read byte by byte. */
function gather(target: usize, phys: u64, bytes: u32): void {
  const entry = pageMapEntry(phys >> 12);
  if ((entry & PAGE_READ) != 0) {
    memory.copy(target, <usize>((entry & PAGE_HOST_MASK) | (<u32>phys & 0xfff)), bytes);
    return;
  }
  for (let i: u32 = 0; i < bytes; i++) store<u8>(target + <usize>i, <u8>physicalRead(phys + <u64>i, 1));
}

/**
 * Decodes the instruction at `phys` (linear address `linear`) into the first op record of the staging block. May raise
 * #PF for the second page. Returns the length.
 */
export function decodeCrossing(phys: u64, key: u32, linear: u64): u32 {
  const op = cpu + AREA_STAGING + BLOCK_HEADER_BYTES;
  const code = cpu + AREA_STAGING + CODE;
  const at = <u32>phys & 0xfff;
  const here = min<u32>(MAX_LENGTH, 0x1000 - at);
  gather(code, phys, here);
  if (here == MAX_LENGTH) return decodeOp(code, MAX_LENGTH, op, at, key);
  const slot = cpu + AREA_STAGING + SLOTS + ((<usize>(phys >> 12) & 63) << 6);
  const known = load<u64>(slot) == phys && load<u32>(slot, SLOT_KEY) == key;
  if (!known) {
    // It may end in this page after all (device memory): the second page is touched only when it is needed.
    const length = decodeOp(code, here, op, at, key);
    if (length != 0) return length;
  }
  let second = linear + <u64>here;
  if ((get32(CODE_MODE) & 3) != 2) second &= 0xffffffff;
  gather(code + here, translateFetch(second), MAX_LENGTH - here);
  store<u8>(code + MAX_LENGTH, 0);
  if (known && load<u64>(slot, SLOT_CODE) == load<u64>(code) && load<u64>(slot, SLOT_CODE + 8) == load<u64>(code, 8)) {
    memory.copy(op, slot + SLOT_OP, OP_BYTES);
    return load<u32>(slot, SLOT_LENGTH);
  }
  // Bytes in this page may have changed so that it is no crossing instruction any more: decoding tells.
  const length = decodeOp(code, MAX_LENGTH, op, at, key);
  store<u64>(slot, length > here ? phys : ~(<u64>0));
  store<u32>(slot, key, SLOT_KEY);
  store<u32>(slot, length, SLOT_LENGTH);
  memory.copy(slot + SLOT_CODE, code, 16);
  memory.copy(slot + SLOT_OP, op, OP_BYTES);
  return length;
}
