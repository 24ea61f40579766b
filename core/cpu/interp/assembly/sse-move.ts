// SSE data movement: moves between XMM, memory, general and MMX registers, shuffles, inserts, extracts, masks.
// Intel SDM volume 2. Non-temporal hints have no effect.

import { load32, load64, probeWrite, store8 } from './memory';
import { linear, opAddressSize, opImm, opIsMem, opReg, opRm, opSeg, opSize, segmentLinear } from './op';
import {
  loadMemory16, loadMemory8, regV, rmQ, rmV, setRegV, setXmm, storeMemory16, storeMemory32, storeMemory64,
  storeMemory8, xmm, xmmAt,
} from './sse-operands';
import { reg32, reg64, setReg32, setReg64 } from './state';

export function movssLoad(op: usize): void {
  if (opIsMem(op)) setRegV(op, i32x4.replace_lane(i32x4.splat(0), 0, load32(linear(op, 4))));
  else store<u32>(xmmAt(opReg(op)), load<u32>(xmmAt(opRm(op))));
}

export function movsdLoad(op: usize): void {
  if (opIsMem(op)) setRegV(op, i64x2.replace_lane(i64x2.splat(0), 0, load64(linear(op, 8))));
  else store<u64>(xmmAt(opReg(op)), load<u64>(xmmAt(opRm(op))));
}

export function movssStore(op: usize): void {
  const value = load<u32>(xmmAt(opReg(op)));
  if (opIsMem(op)) storeMemory32(op, value);
  else store<u32>(xmmAt(opRm(op)), value);
}

export function movsdStore(op: usize): void {
  const value = load<u64>(xmmAt(opReg(op)));
  if (opIsMem(op)) storeMemory64(op, value);
  else store<u64>(xmmAt(opRm(op)), value);
}

/** MOVQ xmm/m64, xmm: a register destination has its upper half cleared. */
export function movqStore(op: usize): void {
  const value = load<u64>(xmmAt(opReg(op)));
  if (opIsMem(op)) storeMemory64(op, value);
  else setXmm(opRm(op), i64x2.replace_lane(i64x2.splat(0), 0, value));
}

export function movdLoad(op: usize): void {
  let value: u64;
  if (opSize(op) == 3) value = opIsMem(op) ? load64(linear(op, 8)) : reg64(opRm(op));
  else value = opIsMem(op) ? <u64>load32(linear(op, 4)) : <u64>reg32(opRm(op));
  setRegV(op, i64x2.replace_lane(i64x2.splat(0), 0, value));
}

export function movdStore(op: usize): void {
  const value = load<u64>(xmmAt(opReg(op)));
  if (opSize(op) == 3) {
    if (opIsMem(op)) storeMemory64(op, value);
    else setReg64(opRm(op), value);
  } else {
    if (opIsMem(op)) storeMemory32(op, <u32>value);
    else setReg32(opRm(op), <u32>value);
  }
}

export function movnti(op: usize): void {
  if (opSize(op) == 3) storeMemory64(op, reg64(opReg(op)));
  else storeMemory32(op, reg32(opReg(op)));
}

/** Byte stores where the mask's sign bits are set, to DS:rDI (segment and address size overridable). */
export function maskmovdqu(op: usize): void {
  const mask = i8x16.bitmask(xmm(opRm(op)));
  const source = xmmAt(opReg(op));
  // Every byte is checked before the first is written: the instruction must be restartable.
  for (let i: u32 = 0; i < 16; i++) {
    if ((mask >> i) & 1) probeWrite(maskedStoreAddress(op, i), 1);
  }
  for (let i: u32 = 0; i < 16; i++) {
    if ((mask >> i) & 1) store8(maskedStoreAddress(op, i), load<u8>(source + i));
  }
}

function maskedStoreAddress(op: usize, index: u32): u64 {
  const at = reg64(7) + <u64>index;
  const size = opAddressSize(op);
  return segmentLinear(opSeg(op), size == 3 ? at : size == 2 ? at & 0xffffffff : at & 0xffff, 1, true);
}

/** One of the four doublewords of `v`, chosen by two bits of the immediate. */
// @ts-ignore: decorator
@inline
function selected(v: usize, imm: u32, element: u32): u32 {
  return load<u32>(v + (<usize>((imm >> (element << 1)) & 3) << 2));
}

/** Byte indices of a doubleword shuffle for i8x16.swizzle. */
function doublewordIndices(imm: u32): v128 {
  const bytes = i32x4(<i32>(imm & 3), <i32>((imm >> 2) & 3), <i32>((imm >> 4) & 3), <i32>((imm >> 6) & 3));
  // element n -> bytes 4n..4n+3
  return i32x4.add(i32x4.mul(bytes, i32x4.splat(0x04040404)), i32x4.splat(0x03020100));
}

export function pshufd(op: usize): void {
  setRegV(op, i8x16.swizzle(rmV(op), doublewordIndices(<u32>opImm(op))));
}

/** Byte indices of four word selectors, for the low half of a vector. */
// @ts-ignore: decorator
@inline
function wordIndices(imm: u64): u64 {
  const elements = (imm & 3) | ((imm & 12) << 14) | ((imm & 48) << 28) | ((imm & 192) << 42);
  return elements * 0x0202 + 0x0100010001000100;
}

export function pshuflw(op: usize): void {
  const indices = i64x2.replace_lane(i64x2.splat(0x0f0e0d0c0b0a0908), 0, wordIndices(opImm(op)));
  setRegV(op, i8x16.swizzle(rmV(op), indices));
}

export function pshufhw(op: usize): void {
  const high = wordIndices(opImm(op)) + 0x0808080808080808;
  const indices = i64x2.replace_lane(i64x2.splat(0x0706050403020100), 1, high);
  setRegV(op, i8x16.swizzle(rmV(op), indices));
}

export function shufps(op: usize): void {
  const source = rmV(op);
  const indices = doublewordIndices(<u32>opImm(op));
  const low = i8x16.swizzle(regV(op), indices);
  const high = i8x16.swizzle(source, indices);
  setRegV(op, i64x2.shuffle(low, high, 0, 3));
}

export function shufpd(op: usize): void {
  const source = rmV(op);
  const target = regV(op);
  const imm = <u32>opImm(op);
  const low = imm & 1 ? i64x2.extract_lane(target, 1) : i64x2.extract_lane(target, 0);
  const high = imm & 2 ? i64x2.extract_lane(source, 1) : i64x2.extract_lane(source, 0);
  setRegV(op, i64x2(low, high));
}

export function palignr(op: usize): void {
  const low = rmV(op);
  const imm = <u32>opImm(op) & 0xff;
  const count = imm > 32 ? 32 : imm;
  const iota = i8x16(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  // Swizzle gives 0 for indices above 15 (also "negative" ones).
  const indices = i8x16.add(iota, i8x16.splat(<i8>count));
  const high = i8x16.swizzle(regV(op), i8x16.sub(indices, i8x16.splat(16)));
  setRegV(op, v128.or(i8x16.swizzle(low, indices), high));
}

export function pslldq(op: usize): void {
  const count = <u32>opImm(op) & 0xff;
  const iota = i8x16(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  const indices = i8x16.sub(iota, i8x16.splat(<i8>(count > 16 ? 16 : count)));
  setXmm(opRm(op), i8x16.swizzle(xmm(opRm(op)), indices));
}

export function psrldq(op: usize): void {
  const count = <u32>opImm(op) & 0xff;
  const iota = i8x16(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  const indices = i8x16.add(iota, i8x16.splat(<i8>(count > 16 ? 16 : count)));
  setXmm(opRm(op), i8x16.swizzle(xmm(opRm(op)), indices));
}

export function pinsrw(op: usize): void {
  const value = opIsMem(op) ? loadMemory16(op) : reg32(opRm(op));
  store<u16>(xmmAt(opReg(op)) + ((<usize>opImm(op) & 7) << 1), value);
}

export function pinsrb(op: usize): void {
  const value = opIsMem(op) ? loadMemory8(op) : reg32(opRm(op));
  store<u8>(xmmAt(opReg(op)) + (<usize>opImm(op) & 15), value);
}

export function pinsrd(op: usize): void {
  const imm = <usize>opImm(op);
  if (opSize(op) == 3) {
    const value = opIsMem(op) ? load64(linear(op, 8)) : reg64(opRm(op));
    store<u64>(xmmAt(opReg(op)) + ((imm & 1) << 3), value);
  } else {
    const value = opIsMem(op) ? load32(linear(op, 4)) : reg32(opRm(op));
    store<u32>(xmmAt(opReg(op)) + ((imm & 3) << 2), value);
  }
}

/** PEXTRW r32, xmm, imm8 (0F C5): the XMM register is in ModRM.rm. */
export function pextrw(op: usize): void {
  setReg32(opReg(op), load<u16>(xmmAt(opRm(op)) + ((<usize>opImm(op) & 7) << 1)));
}

export function pextrb(op: usize): void {
  const value = load<u8>(xmmAt(opReg(op)) + (<usize>opImm(op) & 15));
  if (opIsMem(op)) storeMemory8(op, value);
  else setReg32(opRm(op), value);
}

/** PEXTRW r32/m16, xmm, imm8 (0F 3A 15). */
export function pextrwStore(op: usize): void {
  const value = load<u16>(xmmAt(opReg(op)) + ((<usize>opImm(op) & 7) << 1));
  if (opIsMem(op)) storeMemory16(op, value);
  else setReg32(opRm(op), value);
}

export function pextrd(op: usize): void {
  const imm = <usize>opImm(op);
  if (opSize(op) == 3) {
    const value = load<u64>(xmmAt(opReg(op)) + ((imm & 1) << 3));
    if (opIsMem(op)) storeMemory64(op, value);
    else setReg64(opRm(op), value);
  } else extractps(op);
}

export function extractps(op: usize): void {
  const value = load<u32>(xmmAt(opReg(op)) + ((<usize>opImm(op) & 3) << 2));
  if (opIsMem(op)) storeMemory32(op, value);
  else setReg32(opRm(op), value);
}

export function insertps(op: usize): void {
  const imm = <u32>opImm(op);
  const value = opIsMem(op) ? load32(linear(op, 4)) : selected(xmmAt(opRm(op)), imm >> 6, 0);
  const target = xmmAt(opReg(op));
  store<u32>(target + (<usize>((imm >> 4) & 3) << 2), value);
  for (let i: usize = 0; i < 4; i++) {
    if ((imm >> <u32>i) & 1) store<u32>(target + (i << 2), 0);
  }
}

export function movmskps(op: usize): void {
  setReg32(opReg(op), i32x4.bitmask(xmm(opRm(op))));
}

export function movmskpd(op: usize): void {
  setReg32(opReg(op), i64x2.bitmask(xmm(opRm(op))));
}

export function pmovmskb(op: usize): void {
  setReg32(opReg(op), i8x16.bitmask(xmm(opRm(op))));
}

export function movddup(op: usize): void {
  setRegV(op, i64x2.splat(rmQ(op)));
}
