// MMX operations that are more than one vector instruction. Vectors carry their value in the low half.

import { linear, linearForWrite, opAddressSize, opImm, opIsMem, opReg, opRm, opSeg, opSize, segmentLinear } from './op';
import { load16, load32, load64, probeWrite, store32, store64, store8 } from './memory';
import { low, mm, mmAt, rmQ, setMm, touch } from './mmx-state';
import { reg32, reg64, setReg32, setReg64 } from './state';

/** a in the low half, b in the high half. */
// @ts-ignore: decorator
@inline
export function joined(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23);
}

/** Words 0, 2 of a, then of b. */
// @ts-ignore: decorator
@inline
export function evenWords(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 0, 1, 4, 5, 16, 17, 20, 21, 0, 1, 4, 5, 16, 17, 20, 21);
}

// @ts-ignore: decorator
@inline
export function oddWords(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 2, 3, 6, 7, 18, 19, 22, 23, 2, 3, 6, 7, 18, 19, 22, 23);
}

// @ts-ignore: decorator
@inline
export function evenDoublewords(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 0, 1, 2, 3, 16, 17, 18, 19, 0, 1, 2, 3, 16, 17, 18, 19);
}

// @ts-ignore: decorator
@inline
export function oddDoublewords(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 4, 5, 6, 7, 20, 21, 22, 23, 4, 5, 6, 7, 20, 21, 22, 23);
}

/** Upper halves of four 32-bit products. */
// @ts-ignore: decorator
@inline
export function highWords(products: v128): v128 {
  return i8x16.shuffle(products, products, 2, 3, 6, 7, 10, 11, 14, 15, 2, 3, 6, 7, 10, 11, 14, 15);
}

/** Sum of absolute differences of the eight bytes, in the lowest word. */
export function sumOfDifferences(a: v128, b: v128): v128 {
  const difference = v128.or(i8x16.sub_sat_u(a, b), i8x16.sub_sat_u(b, a));
  const sums = i32x4.extadd_pairwise_i16x8_u(i16x8.extadd_pairwise_i8x16_u(difference));
  return low(<u64>(<u32>i32x4.extract_lane(sums, 0) + <u32>i32x4.extract_lane(sums, 1)));
}

/** PMADDUBSW: unsigned bytes of a by signed bytes of b, neighbours added with saturation. */
export function multiplyAddBytes(a: v128, b: v128): v128 {
  const products = i16x8.mul(i16x8.extend_low_i8x16_u(a), i16x8.extend_low_i8x16_s(b));
  const even = i8x16.shuffle(products, products, 0, 1, 4, 5, 8, 9, 12, 13, 0, 1, 4, 5, 8, 9, 12, 13);
  const odd = i8x16.shuffle(products, products, 2, 3, 6, 7, 10, 11, 14, 15, 2, 3, 6, 7, 10, 11, 14, 15);
  return i16x8.add_sat_s(even, odd);
}

/** PMULHRSW: like the Q15 multiplication, but -1 * -1 stays 8000h. */
export function multiplyHighRounded(a: v128, b: v128): v128 {
  const lowest = i16x8.splat(-32768);
  return v128.xor(i16x8.q15mulr_sat_s(a, b), v128.and(i16x8.eq(a, lowest), i16x8.eq(b, lowest)));
}

/** a where b > 0, -a where b < 0, 0 where b = 0. */
export function signBytes(a: v128, b: v128): v128 {
  const negative = i8x16.shr_s(b, 7);
  return v128.andnot(i8x16.sub(v128.xor(a, negative), negative), i8x16.eq(b, i8x16.splat(0)));
}

export function signWords(a: v128, b: v128): v128 {
  const negative = i16x8.shr_s(b, 15);
  return v128.andnot(i16x8.sub(v128.xor(a, negative), negative), i16x8.eq(b, i16x8.splat(0)));
}

export function signDoublewords(a: v128, b: v128): v128 {
  const negative = i32x4.shr_s(b, 31);
  return v128.andnot(i32x4.sub(v128.xor(a, negative), negative), i32x4.eq(b, i32x4.splat(0)));
}

// Shifts by a 64-bit count: beyond the element everything goes, or the sign fills.

export function shiftLeftWords(a: v128, count: u64): v128 {
  return count > 15 ? i64x2.splat(0) : i16x8.shl(a, <i32>count);
}

export function shiftLeftDoublewords(a: v128, count: u64): v128 {
  return count > 31 ? i64x2.splat(0) : i32x4.shl(a, <i32>count);
}

export function shiftLeftQuadword(a: v128, count: u64): v128 {
  return count > 63 ? i64x2.splat(0) : i64x2.shl(a, <i32>count);
}

export function shiftRightWords(a: v128, count: u64): v128 {
  return count > 15 ? i64x2.splat(0) : i16x8.shr_u(a, <i32>count);
}

export function shiftRightDoublewords(a: v128, count: u64): v128 {
  return count > 31 ? i64x2.splat(0) : i32x4.shr_u(a, <i32>count);
}

export function shiftRightQuadword(a: v128, count: u64): v128 {
  return count > 63 ? i64x2.splat(0) : i64x2.shr_u(a, <i32>count);
}

export function shiftArithmeticWords(a: v128, count: u64): v128 {
  return i16x8.shr_s(a, count > 15 ? 15 : <i32>count);
}

export function shiftArithmeticDoublewords(a: v128, count: u64): v128 {
  return i32x4.shr_s(a, count > 31 ? 31 : <i32>count);
}

// --- Instructions with operands of their own kind.

export function movdToMm(op: usize): void {
  let value: u64;
  if (opSize(op) == 3) value = opIsMem(op) ? load64(linear(op, 8)) : reg64(opRm(op));
  else value = opIsMem(op) ? <u64>load32(linear(op, 4)) : <u64>reg32(opRm(op));
  setMm(opReg(op), value);
}

export function movdFromMm(op: usize): void {
  const value = mm(opReg(op));
  if (opSize(op) == 3) {
    if (opIsMem(op)) store64(linearForWrite(op, 8), value);
    else setReg64(opRm(op), value);
  } else {
    if (opIsMem(op)) store32(linearForWrite(op, 4), <u32>value);
    else setReg32(opRm(op), <u32>value);
  }
  touch();
}

export function movqFromMm(op: usize): void {
  const value = mm(opReg(op));
  if (opIsMem(op)) {
    store64(linearForWrite(op, 8), value);
    touch();
  } else {
    setMm(opRm(op), value);
  }
}

export function pshufw(op: usize): void {
  const b = rmQ(op);
  const order = <u32>opImm(op);
  let value: u64 = 0;
  for (let i: u32 = 0; i < 4; i++) value |= ((b >> <u64>(((order >> (i << 1)) & 3) << 4)) & 0xffff) << <u64>(i << 4);
  setMm(opReg(op), value);
}

export function pinsrw(op: usize): void {
  const word = <u64>(opIsMem(op) ? load16(linear(op, 2)) : reg32(opRm(op)) & 0xffff);
  const at = (<u64>opImm(op) & 3) << 4;
  setMm(opReg(op), (mm(opReg(op)) & ~(<u64>0xffff << at)) | (word << at));
}

export function pextrw(op: usize): void {
  setReg32(opReg(op), <u32>(mm(opRm(op)) >> ((<u64>opImm(op) & 3) << 4)) & 0xffff);
  touch();
}

export function pmovmskb(op: usize): void {
  setReg32(opReg(op), i8x16.bitmask(v128.load64_zero(mmAt(opRm(op)))));
  touch();
}

/** Bytes of the first operand whose mask byte is negative go to DS:rDI. */
export function maskmovq(op: usize): void {
  const mask = <u32>i8x16.bitmask(v128.load64_zero(mmAt(opRm(op))));
  const value = mm(opReg(op));
  // Every byte is checked before the first is written: the instruction must be restartable.
  for (let i: u32 = 0; i < 8; i++) {
    if (((mask >> i) & 1) != 0) probeWrite(byteAddress(op, i), 1);
  }
  for (let i: u32 = 0; i < 8; i++) {
    if (((mask >> i) & 1) != 0) store8(byteAddress(op, i), <u32>(value >> <u64>(i << 3)) & 0xff);
  }
  touch();
}

function byteAddress(op: usize, index: u32): u64 {
  const at = reg64(7) + <u64>index;
  const size = opAddressSize(op);
  return segmentLinear(opSeg(op), size == 3 ? at : size == 2 ? at & 0xffffffff : at & 0xffff, 1, true);
}

export function palignr(op: usize): void {
  const b = rmQ(op);
  const a = mm(opReg(op));
  const shift = (opImm(op) & 0xff) << 3;
  let value: u64;
  if (shift == 0) value = b;
  else if (shift < 64) value = (b >> shift) | (a << (64 - shift));
  else value = shift >= 128 ? 0 : a >> (shift - 64);
  setMm(opReg(op), value);
}
