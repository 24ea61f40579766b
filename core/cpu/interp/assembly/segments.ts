// Segment registers: descriptor fetch, checks and loads in real, virtual-8086, protected and 64-bit mode, and the exact
// limit check behind the fast one. Intel SDM volume 3 chapters 3, 5 and 20. Real-mode loads keep limit and size bits, so
// "unreal" mode works.

import { raiseGp0, raiseSelector, raiseWithCode, VECTOR_GP, VECTOR_NP, VECTOR_SS } from './fault';
import {
  CPL, GDTR_BASE, GDTR_LIMIT, SEG_ACCESS, SEG_BASE, SEG_LIMIT, SEG_SAVED_BASE, SEG_SELECTOR,
} from './generated/layout';
import { loadSystem, loadSystem8, storeSystem8 } from './memory';
import {
  AR_CODE, AR_DB, AR_EC, AR_L, AR_P, AR_RW, AR_S, AR_UNUSABLE, CS, ES, FS, GS, is64, isLong, isProtected, isReal, LDTR, segAccess,
  segBase, segLimit, SS, updateCodeMode, updateSegmentEnds,
} from './modes';
import { cpu, get32, get64 } from './state';

/** descriptorAddress() of a selector that lies outside its table. */
export const NO_DESCRIPTOR: u64 = ~(<u64>0);

// @ts-ignore: decorator
@inline
export function segSelector(seg: u32): u32 {
  return load<u32>(cpu + (<usize>seg << 2), SEG_SELECTOR);
}

/** Linear address of a selector's descriptor of `bytes` bytes, or NO_DESCRIPTOR. */
export function descriptorAddress(selector: u32, bytes: u32 = 8): u64 {
  const index = selector & 0xfff8;
  if ((selector & 4) != 0) {
    if ((segAccess(LDTR) & AR_UNUSABLE) != 0 || <u64>index + <u64>bytes - 1 > <u64>segLimit(LDTR)) return NO_DESCRIPTOR;
    return segBase(LDTR) + <u64>index;
  }
  if (index + bytes - 1 > get32(GDTR_LIMIT)) return NO_DESCRIPTOR;
  return get64(GDTR_BASE) + <u64>index;
}

// @ts-ignore: decorator
@inline
export function rawAccess(raw: u64): u32 {
  return (<u32>(raw >> 40) & 0xff) | (<u32>(raw >> 40) & 0xf000);
}

// @ts-ignore: decorator
@inline
export function rawBase(raw: u64): u64 {
  return ((raw >> 16) & 0xffffff) | ((raw >> 32) & 0xff000000);
}

export function rawLimit(raw: u64): u32 {
  const limit = (<u32>raw & 0xffff) | (<u32>(raw >> 32) & 0xf0000);
  return (raw & 0x0080_0000_0000_0000) != 0 ? (limit << 12) | 0xfff : limit;
}

// @ts-ignore: decorator
@inline
export function rawDpl(raw: u64): u32 {
  return <u32>(raw >> 45) & 3;
}

// @ts-ignore: decorator
@inline
export function rawPresent(raw: u64): bool {
  return (raw & 0x8000_0000_0000) != 0;
}

/** System type 0-15, or code/data type with S in bit 4. */
// @ts-ignore: decorator
@inline
export function rawType(raw: u64): u32 {
  return <u32>(raw >> 40) & 0x1f;
}

/** Sets the accessed bit of a code or data descriptor in memory; returns the descriptor with it. */
export function markAccessed(address: u64, raw: u64): u64 {
  if ((raw & 0x100_0000_0000) != 0) return raw;
  storeSystem8(address + 5, loadSystem8(address + 5) | 1);
  return raw | 0x100_0000_0000;
}

/** Writes a segment register with all its hidden parts. */
export function setSegment(seg: u32, selector: u32, base: u64, limit: u32, access: u32): void {
  const at4 = cpu + (<usize>seg << 2);
  const at8 = cpu + (<usize>seg << 3);
  store<u32>(at4, selector & 0xffff, SEG_SELECTOR);
  store<u32>(at4, limit, SEG_LIMIT);
  store<u32>(at4, access, SEG_ACCESS);
  if (seg < 4 && is64()) {
    store<u64>(at8, base, SEG_SAVED_BASE);
    store<u64>(at8, 0, SEG_BASE);
  } else {
    store<u64>(at8, base, SEG_BASE);
  }
  if (seg < 6) {
    updateSegmentEnds(seg);
    if (seg == CS || seg == SS) updateCodeMode();
  }
}

export function setFromDescriptor(seg: u32, selector: u32, raw: u64): void {
  setSegment(seg, selector, rawBase(raw), rawLimit(raw), rawAccess(raw));
}

/** A null selector: unusable outside 64-bit code; the base is cleared as Intel processors do. */
export function setNull(seg: u32, selector: u32, dpl: u32 = 0): void {
  setSegment(seg, selector, 0, 0xffff, AR_UNUSABLE | AR_P | AR_S | 3 | (dpl << 5) | AR_DB);
}

/** SS after a switch to 64-bit code without a stack selector: null with the RPL. */
export function setNullStack(cpl: u32): void {
  setNull(SS, cpl, cpl);
}

/** Real mode: only selector and base change, and the type becomes writable data. */
export function setRealSegment(seg: u32, selector: u32): void {
  const access = (segAccess(seg) & 0xf000 & ~AR_L) | AR_P | AR_S | 3;
  setSegment(seg, selector, <u64>selector << 4, segLimit(seg), access);
}

export function setV86Segment(seg: u32, selector: u32): void {
  setSegment(seg, selector, <u64>selector << 4, 0xffff, 0xf3);
}

/** MOV, POP, LDS...: loads ES, SS, DS, FS or GS in any mode. */
export function loadSegment(seg: u32, selector: u32): void {
  selector &= 0xffff;
  if (isReal()) setRealSegment(seg, selector);
  else if (!isProtected()) setV86Segment(seg, selector);
  else loadProtected(seg, selector);
}

/** True for a descriptor that SS may hold, apart from privilege: writable data. */
// @ts-ignore: decorator
@inline
export function isStackType(raw: u64): bool {
  return (rawType(raw) & (AR_S | AR_CODE | AR_RW)) == (AR_S | AR_RW);
}

function loadProtected(seg: u32, selector: u32): void {
  const cpl = get32(CPL);
  const rpl = selector & 3;
  if ((selector & 0xfffc) == 0) {
    if (seg == SS) {
      if (!is64() || cpl == 3 || rpl != cpl) raiseGp0();
      setNullStack(cpl);
      return;
    }
    setNull(seg, selector);
    return;
  }
  const address = descriptorAddress(selector);
  if (address == NO_DESCRIPTOR) raiseSelector(VECTOR_GP, selector);
  let raw = loadSystem(address, 8);
  const type = rawType(raw);
  const dpl = rawDpl(raw);
  if (seg == SS) {
    if (rpl != cpl || !isStackType(raw) || dpl != cpl) raiseSelector(VECTOR_GP, selector);
    if (!rawPresent(raw)) raiseSelector(VECTOR_SS, selector);
  } else {
    if ((type & AR_S) == 0 || (type & (AR_CODE | AR_RW)) == AR_CODE) raiseSelector(VECTOR_GP, selector);
    // Conforming code may be read from any level.
    if ((type & (AR_CODE | AR_EC)) != (AR_CODE | AR_EC) && (rpl > dpl || cpl > dpl)) raiseSelector(VECTOR_GP, selector);
    if (!rawPresent(raw)) raiseSelector(VECTOR_NP, selector);
  }
  raw = markAccessed(address, raw);
  setFromDescriptor(seg, selector, raw);
}

/** After a return to an outer level: data segments that the level may not use become null. */
export function dropInnerSegments(cpl: u32): void {
  dropInner(ES, cpl);
  dropInner(3, cpl);
  dropInner(FS, cpl);
  dropInner(GS, cpl);
}

function dropInner(seg: u32, cpl: u32): void {
  const access = segAccess(seg);
  if ((access & AR_UNUSABLE) != 0) return;
  if ((access & (AR_CODE | AR_EC)) == (AR_CODE | AR_EC)) return;
  if (((access >> 5) & 3) < cpl) setNull(seg, 0);
}

/**
 * The exact check of an access of `size` bytes at `offset`; called when the comparison with SEG_*_END failed. Returns
 * when the access is allowed, else raises #SS(0) for the stack segment and #GP(0) for the others.
 */
export function segmentCheckSlow(seg: u32, offset: u64, size: u32, write: bool): void {
  if (is64()) return;
  const access = segAccess(seg);
  const limit = <u64>segLimit(seg);
  const last = offset + <u64>size - 1;
  let allowed: bool;
  if (!isProtected()) {
    allowed = last <= limit;
  } else if ((access & AR_UNUSABLE) != 0) {
    allowed = false;
  } else if ((access & AR_CODE) != 0) {
    allowed = !write && (access & AR_RW) != 0 && last <= limit;
  } else if (write && (access & AR_RW) == 0) {
    allowed = false;
  } else if ((access & AR_EC) != 0) {
    allowed = offset > limit && last <= ((access & AR_DB) != 0 ? <u64>0xffffffff : <u64>0xffff);
  } else {
    allowed = last <= limit;
  }
  if (!allowed) raiseWithCode(seg == SS ? VECTOR_SS : VECTOR_GP, 0);
}

/** Limit check of a code offset that control is about to go to; `raw` is the target's descriptor. */
export function checkCodeOffset(raw: u64, offset: u64): void {
  if (isLong() && (rawAccess(raw) & AR_L) != 0) {
    if (<u64>((<i64>offset << 16) >> 16) != offset) raiseGp0();
  } else if (offset > <u64>rawLimit(raw)) {
    raiseGp0();
  }
}

/** Loads CS from a checked descriptor with the given privilege level as RPL. */
export function setCode(selector: u32, raw: u64, cpl: u32): void {
  setFromDescriptor(CS, (selector & 0xfffc) | cpl, raw);
}
