// SSE floating-point arithmetic and compares. The arithmetic itself, NaN rules and MXCSR flags are in softfloat32.ts and
// softfloat64.ts; here are lanes, a vector path for packed data without special cases, and the delivery of exceptions.

import { raise, VECTOR_UD, VECTOR_XM } from './fault';
import { CC_AUX, CC_RESULT, CR4, MXCSR } from './generated/layout';
import { opImm, opReg } from './op';
import { sseBegin, sseEnd, sseInexactKnown, sseNative, sseUnmasked } from './softfloat';
import {
  f32Add, f32CompareQuiet, f32CompareSignaling, f32Div, f32Max, f32Min, f32Mul, f32RoundToInt, f32Sqrt, f32Sub,
} from './softfloat32';
import {
  f64Add, f64CompareQuiet, f64CompareSignaling, f64Div, f64Max, f64Min, f64Mul, f64RoundToInt, f64Sqrt, f64Sub,
} from './softfloat64';
import { regV, rmD, rmQ, rmV, setRegV, xmmAt } from './sse-operands';
import { get32, set32, set64 } from './state';

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
function single(kind: u32, a: u32, b: u32): u32 {
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
function double(kind: u32, a: u64, b: u64): u64 {
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

// --- Compares.

/** EQ LT LE UNORD, and with bit 2 their negations. The quiet predicates raise IE for signaling NaNs only. */
// @ts-ignore: decorator
@inline
function holds(order: i32, predicate: u32): bool {
  const kind = predicate & 3;
  const plain = kind == 0 ? order == 0 : kind == 1 ? order == -1 : kind == 2 ? order <= 0 : order == 2;
  return plain != ((predicate & 4) != 0);
}

function compareSingle(a: u32, b: u32, predicate: u32): u32 {
  const kind = predicate & 3;
  const order = kind == 0 || kind == 3 ? f32CompareQuiet(a, b) : f32CompareSignaling(a, b);
  return holds(order, predicate) ? 0xffffffff : 0;
}

function compareDouble(a: u64, b: u64, predicate: u32): u64 {
  const kind = predicate & 3;
  const order = kind == 0 || kind == 3 ? f64CompareQuiet(a, b) : f64CompareSignaling(a, b);
  return holds(order, predicate) ? 0xffffffffffffffff : 0;
}

export function cmpps(op: usize): void {
  const b = rmV(op);
  const a = regV(op);
  const predicate = <u32>opImm(op) & 7;
  beginFloat();
  let r = i32x4.splat(0);
  r = i32x4.replace_lane(r, 0, compareSingle(i32x4.extract_lane(a, 0), i32x4.extract_lane(b, 0), predicate));
  r = i32x4.replace_lane(r, 1, compareSingle(i32x4.extract_lane(a, 1), i32x4.extract_lane(b, 1), predicate));
  r = i32x4.replace_lane(r, 2, compareSingle(i32x4.extract_lane(a, 2), i32x4.extract_lane(b, 2), predicate));
  r = i32x4.replace_lane(r, 3, compareSingle(i32x4.extract_lane(a, 3), i32x4.extract_lane(b, 3), predicate));
  endFloat();
  setRegV(op, r);
}

export function cmppd(op: usize): void {
  const b = rmV(op);
  const a = regV(op);
  const predicate = <u32>opImm(op) & 7;
  beginFloat();
  const low = compareDouble(i64x2.extract_lane(a, 0), i64x2.extract_lane(b, 0), predicate);
  const high = compareDouble(i64x2.extract_lane(a, 1), i64x2.extract_lane(b, 1), predicate);
  endFloat();
  setRegV(op, i64x2(low, high));
}

export function cmpss(op: usize): void {
  const b = rmD(op);
  const target = xmmAt(opReg(op));
  beginFloat();
  const result = compareSingle(load<u32>(target), b, <u32>opImm(op) & 7);
  endFloat();
  store<u32>(target, result);
}

export function cmpsd(op: usize): void {
  const b = rmQ(op);
  const target = xmmAt(opReg(op));
  beginFloat();
  const result = compareDouble(load<u64>(target), b, <u32>opImm(op) & 7);
  endFloat();
  store<u64>(target, result);
}

/** Sets ZF, PF and CF and clears OF, SF and AF in the lazy form (core/cpu/interp/README.md "Flags"). */
// @ts-ignore: decorator
@inline
export function setZeroParityCarry(zf: bool, pf: bool, cf: bool): void {
  // The result is 0 or 1; its low byte has even parity when 0, and the XOR byte turns that around.
  set64(CC_RESULT, zf ? 0 : 1);
  const parity: u64 = zf == pf ? 0 : 0x100;
  set64(CC_AUX, cf ? parity | 0xc000000000000000 : parity);
}

// @ts-ignore: decorator
@inline
function setOrder(order: i32): void {
  setZeroParityCarry(order == 0 || order == 2, order == 2, order == -1 || order == 2);
}

// @ts-ignore: decorator
@inline
export function comis32(op: usize, quiet: bool): void {
  const b = rmD(op);
  const a = load<u32>(xmmAt(opReg(op)));
  beginFloat();
  const order = quiet ? f32CompareQuiet(a, b) : f32CompareSignaling(a, b);
  endFloat();
  setOrder(order);
}

// @ts-ignore: decorator
@inline
export function comis64(op: usize, quiet: bool): void {
  const b = rmQ(op);
  const a = load<u64>(xmmAt(opReg(op)));
  beginFloat();
  const order = quiet ? f64CompareQuiet(a, b) : f64CompareSignaling(a, b);
  endFloat();
  setOrder(order);
}

// --- Rounding to integral values.

export function roundps(op: usize): void {
  const b = rmV(op);
  const imm = <u32>opImm(op);
  beginFloat();
  let r = i32x4.splat(0);
  r = i32x4.replace_lane(r, 0, f32RoundToInt(i32x4.extract_lane(b, 0), imm));
  r = i32x4.replace_lane(r, 1, f32RoundToInt(i32x4.extract_lane(b, 1), imm));
  r = i32x4.replace_lane(r, 2, f32RoundToInt(i32x4.extract_lane(b, 2), imm));
  r = i32x4.replace_lane(r, 3, f32RoundToInt(i32x4.extract_lane(b, 3), imm));
  endFloat();
  setRegV(op, r);
}

export function roundpd(op: usize): void {
  const b = rmV(op);
  const imm = <u32>opImm(op);
  beginFloat();
  const low = f64RoundToInt(i64x2.extract_lane(b, 0), imm);
  const high = f64RoundToInt(i64x2.extract_lane(b, 1), imm);
  endFloat();
  setRegV(op, i64x2(low, high));
}

export function roundss(op: usize): void {
  const b = rmD(op);
  beginFloat();
  const result = f32RoundToInt(b, <u32>opImm(op));
  endFloat();
  store<u32>(xmmAt(opReg(op)), result);
}

export function roundsd(op: usize): void {
  const b = rmQ(op);
  beginFloat();
  const result = f64RoundToInt(b, <u32>opImm(op));
  endFloat();
  store<u64>(xmmAt(opReg(op)), result);
}

// --- Approximations. Hardware gives about 12 bits of its own choice; here the exact quotient, rounded to single. No
// exceptions; denormal operands count as zeros and tiny results become zeros, whatever MXCSR says.

function reciprocal(a: u32): u32 {
  const magnitude = a & 0x7fffffff;
  const sign = a & 0x80000000;
  if (magnitude > 0x7f800000) return a | 0x00400000;
  if (magnitude < 0x00800000) return sign | 0x7f800000;
  const result = reinterpret<u32>(<f32>1.0 / reinterpret<f32>(a));
  return (result & 0x7fffffff) < 0x00800000 ? sign : result;
}

function reciprocalRoot(a: u32): u32 {
  const magnitude = a & 0x7fffffff;
  const sign = a & 0x80000000;
  if (magnitude > 0x7f800000) return a | 0x00400000;
  if (magnitude < 0x00800000) return sign | 0x7f800000;
  if (sign != 0) return 0xffc00000;
  return reinterpret<u32>(<f32>(1.0 / sqrt<f64>(<f64>reinterpret<f32>(a))));
}

// @ts-ignore: decorator
@inline
function approximate(root: bool, a: u32): u32 {
  return root ? reciprocalRoot(a) : reciprocal(a);
}

// @ts-ignore: decorator
@inline
export function approximatePacked(root: bool, op: usize): void {
  const b = rmV(op);
  const r0 = approximate(root, i32x4.extract_lane(b, 0));
  const r1 = approximate(root, i32x4.extract_lane(b, 1));
  const r2 = approximate(root, i32x4.extract_lane(b, 2));
  const r3 = approximate(root, i32x4.extract_lane(b, 3));
  setRegV(op, i32x4(r0, r1, r2, r3));
}

// @ts-ignore: decorator
@inline
export function approximateScalar(root: bool, op: usize): void {
  const result = approximate(root, rmD(op));
  store<u32>(xmmAt(opReg(op)), result);
}
