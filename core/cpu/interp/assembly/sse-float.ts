// SSE floating-point arithmetic. The arithmetic itself, NaN rules and MXCSR flags are in softfloat32.ts and
// softfloat64.ts; here are lanes, a vector path for packed data without special cases, and the delivery of exceptions.

import { raise, VECTOR_UD, VECTOR_XM } from './fault';
import { CR4, MXCSR } from './generated/layout';
import { opImm, opReg } from './op';
import { sseBegin, sseEnd, sseInexactKnown, sseNative, sseUnmasked } from './softfloat';
import { f32Add, f32Div, f32Max, f32Min, f32Mul, f32Sqrt, f32Sub } from './softfloat32';
import { f64Add, f64Div, f64Max, f64Min, f64Mul, f64Sqrt, f64Sub } from './softfloat64';
import { regV, rmD, rmQ, rmV, setRegV, xmmAt } from './sse-operands';
import { get32, set32 } from './state';

const CR4_OSXMMEXCPT: u32 = 0x400;

export const ADD: u32 = 0;
export const SUB: u32 = 1;
export const MUL: u32 = 2;
export const DIV: u32 = 3;
export const MIN: u32 = 4;
export const MAX: u32 = 5;
export const SQRT: u32 = 6;

// @ts-ignore: decorator
@inline
export function beginFloat(): void {
  sseBegin(get32(MXCSR));
}

/** Puts the instruction's exceptions into MXCSR; unmasked ones become #XM (or #UD): call before writing the destination. */
export function endFloat(): void {
  const flags = sseEnd();
  if (flags == 0) return;
  set32(MXCSR, get32(MXCSR) | flags);
  if ((flags & sseUnmasked) != 0) raise((get32(CR4) & CR4_OSXMMEXCPT) != 0 ? VECTOR_XM : VECTOR_UD);
}

// @ts-ignore: decorator
@inline
export function single(kind: u32, a: u32, b: u32): u32 {
  if (kind == ADD) return f32Add(a, b);
  if (kind == SUB) return f32Sub(a, b);
  if (kind == MUL) return f32Mul(a, b);
  if (kind == DIV) return f32Div(a, b);
  if (kind == MIN) return f32Min(a, b);
  if (kind == MAX) return f32Max(a, b);
  return f32Sqrt(b);
}

// @ts-ignore: decorator
@inline
export function double(kind: u32, a: u64, b: u64): u64 {
  if (kind == ADD) return f64Add(a, b);
  if (kind == SUB) return f64Sub(a, b);
  if (kind == MUL) return f64Mul(a, b);
  if (kind == DIV) return f64Div(a, b);
  if (kind == MIN) return f64Min(a, b);
  if (kind == MAX) return f64Max(a, b);
  return f64Sqrt(b);
}

// @ts-ignore: decorator
@inline
export function scalarSingle(kind: u32, op: usize): void {
  const b = rmD(op);
  const target = xmmAt(opReg(op));
  beginFloat();
  const result = single(kind, load<u32>(target), b);
  endFloat();
  store<u32>(target, result);
}

// @ts-ignore: decorator
@inline
export function scalarDouble(kind: u32, op: usize): void {
  const b = rmQ(op);
  const target = xmmAt(opReg(op));
  beginFloat();
  const result = double(kind, load<u64>(target), b);
  endFloat();
  store<u64>(target, result);
}

/** All lanes are zero or normal: such operands raise neither DE nor IE by themselves. */
// @ts-ignore: decorator
@inline
function ordinarySingles(v: v128): bool {
  const m = v128.and(v, i32x4.splat(0x7fffffff));
  const normal = i32x4.lt_u(i32x4.sub(m, i32x4.splat(0x00800000)), i32x4.splat(0x7f000000));
  return i32x4.all_true(v128.or(normal, i32x4.eq(m, i32x4.splat(0))));
}

/** All lanes are normal and above the smallest exponent: such results raised nothing but PE. */
// @ts-ignore: decorator
@inline
function plainSingles(v: v128): bool {
  const m = v128.and(v, i32x4.splat(0x7fffffff));
  return i32x4.all_true(i32x4.lt_u(i32x4.sub(m, i32x4.splat(0x01000000)), i32x4.splat(0x7e800000)));
}

// @ts-ignore: decorator
@inline
function ordinaryDoubles(v: v128): bool {
  const m = v128.and(v, i64x2.splat(0x7fffffffffffffff));
  const normal = v128.and(i64x2.gt_s(m, i64x2.splat(0x000fffffffffffff)), i64x2.lt_s(m, i64x2.splat(0x7ff0000000000000)));
  return i64x2.all_true(v128.or(normal, i64x2.eq(m, i64x2.splat(0))));
}

// @ts-ignore: decorator
@inline
function plainDoubles(v: v128): bool {
  const m = v128.and(v, i64x2.splat(0x7fffffffffffffff));
  return i64x2.all_true(v128.and(i64x2.gt_s(m, i64x2.splat(0x001fffffffffffff)), i64x2.lt_s(m, i64x2.splat(0x7ff0000000000000))));
}

// @ts-ignore: decorator
@inline
export function packedSingle(kind: u32, op: usize): void {
  const b = rmV(op);
  const a = regV(op);
  beginFloat();
  if (kind <= DIV && sseNative && sseInexactKnown && ordinarySingles(a) && ordinarySingles(b)) {
    const fast = kind == ADD ? f32x4.add(a, b) : kind == SUB ? f32x4.sub(a, b) : kind == MUL ? f32x4.mul(a, b) : f32x4.div(a, b);
    if (plainSingles(fast)) {
      setRegV(op, fast);
      return;
    }
  }
  let r = i32x4.splat(0);
  r = i32x4.replace_lane(r, 0, single(kind, i32x4.extract_lane(a, 0), i32x4.extract_lane(b, 0)));
  r = i32x4.replace_lane(r, 1, single(kind, i32x4.extract_lane(a, 1), i32x4.extract_lane(b, 1)));
  r = i32x4.replace_lane(r, 2, single(kind, i32x4.extract_lane(a, 2), i32x4.extract_lane(b, 2)));
  r = i32x4.replace_lane(r, 3, single(kind, i32x4.extract_lane(a, 3), i32x4.extract_lane(b, 3)));
  endFloat();
  setRegV(op, r);
}

// @ts-ignore: decorator
@inline
export function packedDouble(kind: u32, op: usize): void {
  const b = rmV(op);
  const a = regV(op);
  beginFloat();
  if (kind <= DIV && sseNative && sseInexactKnown && ordinaryDoubles(a) && ordinaryDoubles(b)) {
    const fast = kind == ADD ? f64x2.add(a, b) : kind == SUB ? f64x2.sub(a, b) : kind == MUL ? f64x2.mul(a, b) : f64x2.div(a, b);
    if (plainDoubles(fast)) {
      setRegV(op, fast);
      return;
    }
  }
  const low = double(kind, i64x2.extract_lane(a, 0), i64x2.extract_lane(b, 0));
  const high = double(kind, i64x2.extract_lane(a, 1), i64x2.extract_lane(b, 1));
  endFloat();
  setRegV(op, i64x2(low, high));
}

/** HADDPS, HSUBPS: pairs of the destination, then pairs of the source. */
// @ts-ignore: decorator
@inline
export function horizontalSingle(kind: u32, op: usize): void {
  const b = rmV(op);
  const a = regV(op);
  beginFloat();
  let r = i32x4.splat(0);
  r = i32x4.replace_lane(r, 0, single(kind, i32x4.extract_lane(a, 0), i32x4.extract_lane(a, 1)));
  r = i32x4.replace_lane(r, 1, single(kind, i32x4.extract_lane(a, 2), i32x4.extract_lane(a, 3)));
  r = i32x4.replace_lane(r, 2, single(kind, i32x4.extract_lane(b, 0), i32x4.extract_lane(b, 1)));
  r = i32x4.replace_lane(r, 3, single(kind, i32x4.extract_lane(b, 2), i32x4.extract_lane(b, 3)));
  endFloat();
  setRegV(op, r);
}

// @ts-ignore: decorator
@inline
export function horizontalDouble(kind: u32, op: usize): void {
  const b = rmV(op);
  const a = regV(op);
  beginFloat();
  const low = double(kind, i64x2.extract_lane(a, 0), i64x2.extract_lane(a, 1));
  const high = double(kind, i64x2.extract_lane(b, 0), i64x2.extract_lane(b, 1));
  endFloat();
  setRegV(op, i64x2(low, high));
}

export function addsubps(op: usize): void {
  const b = rmV(op);
  const a = regV(op);
  beginFloat();
  let r = i32x4.splat(0);
  r = i32x4.replace_lane(r, 0, f32Sub(i32x4.extract_lane(a, 0), i32x4.extract_lane(b, 0)));
  r = i32x4.replace_lane(r, 1, f32Add(i32x4.extract_lane(a, 1), i32x4.extract_lane(b, 1)));
  r = i32x4.replace_lane(r, 2, f32Sub(i32x4.extract_lane(a, 2), i32x4.extract_lane(b, 2)));
  r = i32x4.replace_lane(r, 3, f32Add(i32x4.extract_lane(a, 3), i32x4.extract_lane(b, 3)));
  endFloat();
  setRegV(op, r);
}

export function addsubpd(op: usize): void {
  const b = rmV(op);
  const a = regV(op);
  beginFloat();
  const low = f64Sub(i64x2.extract_lane(a, 0), i64x2.extract_lane(b, 0));
  const high = f64Add(i64x2.extract_lane(a, 1), i64x2.extract_lane(b, 1));
  endFloat();
  setRegV(op, i64x2(low, high));
}

/** Products where imm bits 4-7 select them (else +0), summed as (0 + 1) + (2 + 3), stored where bits 0-3 select it. */
export function dpps(op: usize): void {
  const b = rmV(op);
  const a = regV(op);
  const imm = <u32>opImm(op);
  beginFloat();
  const p0: u32 = imm & 0x10 ? f32Mul(i32x4.extract_lane(a, 0), i32x4.extract_lane(b, 0)) : 0;
  const p1: u32 = imm & 0x20 ? f32Mul(i32x4.extract_lane(a, 1), i32x4.extract_lane(b, 1)) : 0;
  const p2: u32 = imm & 0x40 ? f32Mul(i32x4.extract_lane(a, 2), i32x4.extract_lane(b, 2)) : 0;
  const p3: u32 = imm & 0x80 ? f32Mul(i32x4.extract_lane(a, 3), i32x4.extract_lane(b, 3)) : 0;
  // Each step delivers its own unmasked exceptions before the next begins.
  endFloat();
  beginFloat();
  const low = f32Add(p0, p1);
  const high = f32Add(p2, p3);
  endFloat();
  beginFloat();
  const sum = f32Add(low, high);
  endFloat();
  setRegV(op, i32x4(imm & 1 ? sum : 0, imm & 2 ? sum : 0, imm & 4 ? sum : 0, imm & 8 ? sum : 0));
}

export function dppd(op: usize): void {
  const b = rmV(op);
  const a = regV(op);
  const imm = <u32>opImm(op);
  beginFloat();
  const p0: u64 = imm & 0x10 ? f64Mul(i64x2.extract_lane(a, 0), i64x2.extract_lane(b, 0)) : 0;
  const p1: u64 = imm & 0x20 ? f64Mul(i64x2.extract_lane(a, 1), i64x2.extract_lane(b, 1)) : 0;
  endFloat();
  beginFloat();
  const sum = f64Add(p0, p1);
  endFloat();
  setRegV(op, i64x2(imm & 1 ? sum : 0, imm & 2 ? sum : 0));
}
