// SSE compares (CMPcc, COMIS), rounding to integral values, and the approximations RCP and RSQRT.

import { CC_AUX, CC_RESULT } from './generated/layout';
import { opImm, opReg } from './op';
import { f32CompareQuiet, f32CompareSignaling, f32RoundToInt } from './softfloat32';
import { f64CompareQuiet, f64CompareSignaling, f64RoundToInt } from './softfloat64';
import { beginFloat, endFloat } from './sse-float';
import { regV, rmD, rmQ, rmV, setRegV, xmmAt } from './sse-operands';
import { set64 } from './state';

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
