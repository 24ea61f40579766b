// Single precision arithmetic as the SSE instructions do it, with exact MXCSR flags. Values travel as bit patterns. NaN
// results are formed explicitly (first operand if it is a NaN, else the second; quieted; default NaN negative), so they
// do not depend on the host. Specification: Intel SDM volume 1, chapters 4 and 11; tininess is detected after rounding.

import { sseRound } from './softfloat';
import { isDenormal, isNan, isSignaling, propagateNan, signMask } from './softfloat-format';
import { fromInteger, roundIntegral, toInteger } from './softfloat-int';
import { add, compare, div, mul, select, squareRoot } from './softfloat-ops';

// @ts-ignore: decorator
@inline
export function f32IsNan(a: u32): bool {
  return isNan<u32>(a);
}

// @ts-ignore: decorator
@inline
export function f32IsSignaling(a: u32): bool {
  return isSignaling<u32>(a);
}

// @ts-ignore: decorator
@inline
export function f32IsDenormal(a: u32): bool {
  return isDenormal<u32>(a);
}

/** The NaN that an operation with at least one NaN operand gives; raises IE for a signaling one. */
export function f32PropagateNan(a: u32, b: u32): u32 {
  return propagateNan<u32>(a, b);
}

export function f32Add(a: u32, b: u32): u32 {
  return add<u32>(a, b, 0);
}

export function f32Sub(a: u32, b: u32): u32 {
  return add<u32>(a, b, signMask<u32>());
}

export function f32Mul(a: u32, b: u32): u32 {
  return mul<u32>(a, b);
}

export function f32Div(a: u32, b: u32): u32 {
  return div<u32>(a, b);
}

export function f32Sqrt(a: u32): u32 {
  return squareRoot<u32>(a);
}

/** MINS/MINP: the second operand for NaNs and equal zeros. */
export function f32Min(a: u32, b: u32): u32 {
  return select<u32>(a, b, -1);
}

/** MAXS/MAXP: the second operand for NaNs and equal zeros. */
export function f32Max(a: u32, b: u32): u32 {
  return select<u32>(a, b, 1);
}

/** -1 less, 0 equal, 1 greater, 2 unordered; IE only for signaling NaNs (UCOMIS, CMPEQ, CMPNEQ, CMPUNORD, CMPORD). */
export function f32CompareQuiet(a: u32, b: u32): i32 {
  return compare<u32>(a, b, false);
}

/** The same, IE for every NaN (COMIS, CMPLT, CMPLE and their negations). */
export function f32CompareSignaling(a: u32, b: u32): i32 {
  return compare<u32>(a, b, true);
}

/** ROUNDS/ROUNDP: imm bits 0-1 mode, 2 use MXCSR's mode, 3 suppress PE. */
export function f32RoundToInt(a: u32, imm: u32): u32 {
  return roundIntegral<u32>(a, (imm & 4) != 0 ? sseRound : imm & 3, (imm & 8) == 0);
}

/** To a signed 32-bit integer, by the current mode or truncating; 80000000h and IE when it does not fit. */
export function f32ToI32(a: u32, truncate: bool): i32 {
  return <i32>toInteger<u32>(a, truncate, 32);
}

/** To a signed 64-bit integer; 8000000000000000h and IE when it does not fit. */
export function f32ToI64(a: u32, truncate: bool): i64 {
  return toInteger<u32>(a, truncate, 64);
}

/** From a signed 64-bit integer, rounded. */
export function i64ToF32(value: i64): u32 {
  return fromInteger<u32>(value);
}

/** From a signed 32-bit integer, rounded. */
export function i32ToF32(value: i32): u32 {
  return fromInteger<u32>(<i64>value);
}
