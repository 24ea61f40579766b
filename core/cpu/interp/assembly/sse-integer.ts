// Packed integer instructions of SSE2 to SSE4.2 that take more than one v128 operation; the others stand in sse.ts.

import { opImm, opRm } from './op';
import { rmD, rmLow32, rmLow64, rmV, rmW, regV, setRegV, setXmm, xmm } from './sse-operands';
import { setZeroParityCarry } from './sse-compare';

// --- Shifts. Counts are the low quadword of the operand; counts beyond the element give 0 or copies of the sign.

// @ts-ignore: decorator
@inline
function clamped(op: usize, limit: u64): i32 {
  const count = <u64>i64x2.extract_lane(rmV(op), 0);
  return <i32>(count > limit ? limit : count);
}

// @ts-ignore: decorator
@inline
function immediateCount(op: usize, limit: u64): i32 {
  const count = opImm(op) & 0xff;
  return <i32>(count > limit ? limit : count);
}

// @ts-ignore: decorator
@inline
function shiftLeft(bits: i32, v: v128, count: i32): v128 {
  if (count >= bits) return i64x2.splat(0);
  return bits == 16 ? i16x8.shl(v, count) : bits == 32 ? i32x4.shl(v, count) : i64x2.shl(v, count);
}

// @ts-ignore: decorator
@inline
function shiftRight(bits: i32, v: v128, count: i32): v128 {
  if (count >= bits) return i64x2.splat(0);
  return bits == 16 ? i16x8.shr_u(v, count) : bits == 32 ? i32x4.shr_u(v, count) : i64x2.shr_u(v, count);
}

// @ts-ignore: decorator
@inline
function shiftArithmetic(bits: i32, v: v128, count: i32): v128 {
  const limited = count >= bits ? bits - 1 : count;
  return bits == 16 ? i16x8.shr_s(v, limited) : i32x4.shr_s(v, limited);
}

// @ts-ignore: decorator
@inline
export function psll(bits: i32, op: usize): void {
  const count = clamped(op, 64);
  setRegV(op, shiftLeft(bits, regV(op), count));
}

// @ts-ignore: decorator
@inline
export function psrl(bits: i32, op: usize): void {
  const count = clamped(op, 64);
  setRegV(op, shiftRight(bits, regV(op), count));
}

// @ts-ignore: decorator
@inline
export function psra(bits: i32, op: usize): void {
  const count = clamped(op, 64);
  setRegV(op, shiftArithmetic(bits, regV(op), count));
}

// @ts-ignore: decorator
@inline
export function psllImm(bits: i32, op: usize): void {
  setXmm(opRm(op), shiftLeft(bits, xmm(opRm(op)), immediateCount(op, 64)));
}

// @ts-ignore: decorator
@inline
export function psrlImm(bits: i32, op: usize): void {
  setXmm(opRm(op), shiftRight(bits, xmm(opRm(op)), immediateCount(op, 64)));
}

// @ts-ignore: decorator
@inline
export function psraImm(bits: i32, op: usize): void {
  setXmm(opRm(op), shiftArithmetic(bits, xmm(opRm(op)), immediateCount(op, 64)));
}

// --- Multiplications.

/** Upper halves of the 32-bit products of words. */
// @ts-ignore: decorator
@inline
export function mulHighWords(a: v128, b: v128, signed: bool): v128 {
  const low = signed ? i32x4.extmul_low_i16x8_s(a, b) : i32x4.extmul_low_i16x8_u(a, b);
  const high = signed ? i32x4.extmul_high_i16x8_s(a, b) : i32x4.extmul_high_i16x8_u(a, b);
  return i16x8.shuffle(low, high, 1, 3, 5, 7, 9, 11, 13, 15);
}

/** PMULHRSW: as the saturating Q15 product, but -1 times -1 stays 8000h. */
export function mulHighRound(a: v128, b: v128): v128 {
  const lowest = i16x8.splat(-0x8000);
  const both = v128.and(i16x8.eq(a, lowest), i16x8.eq(b, lowest));
  return v128.xor(i16x8.q15mulr_sat_s(a, b), both);
}

/** Unsigned bytes of the destination times signed bytes of the source, pairs added with saturation. */
export function maddBytes(a: v128, b: v128): v128 {
  const even = i16x8.mul(v128.and(a, i16x8.splat(0xff)), i16x8.shr_s(i16x8.shl(b, 8), 8));
  const odd = i16x8.mul(i16x8.shr_u(a, 8), i16x8.shr_s(b, 8));
  return i16x8.add_sat_s(even, odd);
}

/** Even doublewords as operands of a 32 x 32 to 64 bit product. */
// @ts-ignore: decorator
@inline
export function evenDoublewords(v: v128): v128 {
  return i32x4.shuffle(v, v, 0, 2, 0, 2);
}

/** Sum of absolute differences of the eight unsigned bytes of each half. */
export function sadBytes(a: v128, b: v128): v128 {
  const difference = i8x16.sub(i8x16.max_u(a, b), i8x16.min_u(a, b));
  const fours = i32x4.extadd_pairwise_i16x8_u(i16x8.extadd_pairwise_i8x16_u(difference));
  return i64x2.add(v128.and(fours, i64x2.splat(0xffffffff)), i64x2.shr_u(fours, 32));
}

/** Eight sums of |differences| between four source bytes and a window that slides over the destination. */
export function mpsadbw(op: usize): void {
  const source = rmV(op);
  const imm = <u32>opImm(op);
  const iota = i8x16(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  const block = i8x16.swizzle(source, i8x16.add(i8x16(0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3), i8x16.splat(<i8>((imm & 3) << 2))));
  const window = i8x16.swizzle(regV(op), i8x16.add(iota, i8x16.splat(<i8>(imm & 4))));
  // Bytes n..n+3 of the window for n = 0..3 and 4..7.
  const first = i8x16.shuffle(window, window, 0, 1, 2, 3, 1, 2, 3, 4, 2, 3, 4, 5, 3, 4, 5, 6);
  const second = i8x16.shuffle(window, window, 4, 5, 6, 7, 5, 6, 7, 8, 6, 7, 8, 9, 7, 8, 9, 10);
  const low = sumOfFours(first, block);
  const high = sumOfFours(second, block);
  setRegV(op, i16x8.narrow_i32x4_u(low, high));
}

// @ts-ignore: decorator
@inline
function sumOfFours(a: v128, b: v128): v128 {
  const difference = i8x16.sub(i8x16.max_u(a, b), i8x16.min_u(a, b));
  return i32x4.extadd_pairwise_i16x8_u(i16x8.extadd_pairwise_i8x16_u(difference));
}

// --- Horizontal.

// @ts-ignore: decorator
@inline
export function evenWords(a: v128, b: v128): v128 {
  return i16x8.shuffle(a, b, 0, 2, 4, 6, 8, 10, 12, 14);
}

// @ts-ignore: decorator
@inline
export function oddWords(a: v128, b: v128): v128 {
  return i16x8.shuffle(a, b, 1, 3, 5, 7, 9, 11, 13, 15);
}

// @ts-ignore: decorator
@inline
export function evenLanes(a: v128, b: v128): v128 {
  return i32x4.shuffle(a, b, 0, 2, 4, 6);
}

// @ts-ignore: decorator
@inline
export function oddLanes(a: v128, b: v128): v128 {
  return i32x4.shuffle(a, b, 1, 3, 5, 7);
}

/** Smallest unsigned word and its index. */
export function phminposuw(op: usize): void {
  const v = rmV(op);
  let m = i16x8.min_u(v, i16x8.shuffle(v, v, 4, 5, 6, 7, 0, 1, 2, 3));
  m = i16x8.min_u(m, i16x8.shuffle(m, m, 2, 3, 0, 1, 6, 7, 4, 5));
  m = i16x8.min_u(m, i16x8.shuffle(m, m, 1, 0, 3, 2, 5, 4, 7, 6));
  const index = ctz(i16x8.bitmask(i16x8.eq(v, m)));
  setRegV(op, i32x4(<i32>i16x8.extract_lane_u(m, 0) | (index << 16), 0, 0, 0));
}

// --- Signs.

export function signBytes(a: v128, b: v128): v128 {
  const negative = i8x16.shr_s(b, 7);
  const flipped = i8x16.sub(v128.xor(a, negative), negative);
  return v128.andnot(flipped, i8x16.eq(b, i8x16.splat(0)));
}

export function signWords(a: v128, b: v128): v128 {
  const negative = i16x8.shr_s(b, 15);
  const flipped = i16x8.sub(v128.xor(a, negative), negative);
  return v128.andnot(flipped, i16x8.eq(b, i16x8.splat(0)));
}

export function signDoublewords(a: v128, b: v128): v128 {
  const negative = i32x4.shr_s(b, 31);
  const flipped = i32x4.sub(v128.xor(a, negative), negative);
  return v128.andnot(flipped, i32x4.eq(b, i32x4.splat(0)));
}

// --- Blends and tests.

/** Lanes of the source where the sign bits of XMM0 are set. */
export function blendBySigns(op: usize, mask: v128): void {
  setRegV(op, v128.bitselect(rmV(op), regV(op), mask));
}

export function pblendw(op: usize): void {
  const bit = i16x8(1, 2, 4, 8, 16, 32, 64, 128);
  const mask = i16x8.eq(v128.and(i16x8.splat(<i16>opImm(op)), bit), bit);
  setRegV(op, v128.bitselect(rmV(op), regV(op), mask));
}

export function blendps(op: usize): void {
  const bit = i32x4(1, 2, 4, 8);
  const mask = i32x4.eq(v128.and(i32x4.splat(<i32>opImm(op)), bit), bit);
  setRegV(op, v128.bitselect(rmV(op), regV(op), mask));
}

export function blendpd(op: usize): void {
  const bit = i64x2(1, 2);
  const mask = i64x2.eq(v128.and(i64x2.splat(<i64>opImm(op)), bit), bit);
  setRegV(op, v128.bitselect(rmV(op), regV(op), mask));
}

/** ZF: no common ones; CF: no ones of the source outside the destination's. */
export function ptest(op: usize): void {
  const source = rmV(op);
  const target = regV(op);
  setZeroParityCarry(!v128.any_true(v128.and(source, target)), false, !v128.any_true(v128.andnot(source, target)));
}

// --- Extensions.

// @ts-ignore: decorator
@inline
export function extendBytesToDoublewords(op: usize, signed: bool): void {
  const v = rmLow32(op);
  if (signed) setRegV(op, i32x4.extend_low_i16x8_s(i16x8.extend_low_i8x16_s(v)));
  else setRegV(op, i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(v)));
}

// @ts-ignore: decorator
@inline
export function extendBytesToQuadwords(op: usize, signed: bool): void {
  const two = rmW(op);
  if (signed) setRegV(op, i64x2(<i64><i8>two, <i64><i8>(two >> 8)));
  else setRegV(op, i64x2(two & 0xff, two >> 8));
}

// @ts-ignore: decorator
@inline
export function extendWordsToQuadwords(op: usize, signed: bool): void {
  const two = rmD(op);
  if (signed) setRegV(op, i64x2(<i64><i16>two, <i64><i16>(two >> 16)));
  else setRegV(op, i64x2(two & 0xffff, two >> 16));
}

// @ts-ignore: decorator
@inline
export function extendHalf(op: usize, bits: u32, signed: bool): void {
  const v = rmLow64(op);
  if (bits == 8) setRegV(op, signed ? i16x8.extend_low_i8x16_s(v) : i16x8.extend_low_i8x16_u(v));
  else if (bits == 16) setRegV(op, signed ? i32x4.extend_low_i16x8_s(v) : i32x4.extend_low_i16x8_u(v));
  else setRegV(op, signed ? i64x2.extend_low_i32x4_s(v) : i64x2.extend_low_i32x4_u(v));
}
