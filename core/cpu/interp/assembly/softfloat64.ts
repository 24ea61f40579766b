// Double precision arithmetic as the SSE instructions do it, with exact MXCSR flags. Values travel as bit patterns. NaN
// results are formed explicitly (first operand if it is a NaN, else the second; quieted; default NaN negative), so they
// do not depend on the host. Specification: Intel SDM volume 1, chapters 4 and 11; tininess is detected after rounding.

import { FLAG_DENORMAL, FLAG_INVALID, sseDaz, sseRaise, sseRound } from './softfloat';
import {
  denormalStops, flushed, infinity, isDenormal, isNan, isSignaling, magnitude, propagateNan, roundPack, signMask, signOf, unpack, unpackedExponent,
} from './softfloat-format';
import { fromInteger, roundIntegral, toInteger } from './softfloat-int';
import { add, compare, div, mul, select, squareRoot } from './softfloat-ops';

// @ts-ignore: decorator
@inline
export function f64IsNan(a: u64): bool {
  return isNan<u64>(a);
}

// @ts-ignore: decorator
@inline
export function f64IsSignaling(a: u64): bool {
  return isSignaling<u64>(a);
}

// @ts-ignore: decorator
@inline
export function f64IsDenormal(a: u64): bool {
  return isDenormal<u64>(a);
}

/** The NaN that an operation with at least one NaN operand gives; raises IE for a signaling one. */
export function f64PropagateNan(a: u64, b: u64): u64 {
  return propagateNan<u64>(a, b);
}

export function f64Add(a: u64, b: u64): u64 {
  return add<u64>(a, b, 0);
}

export function f64Sub(a: u64, b: u64): u64 {
  return add<u64>(a, b, signMask<u64>());
}

export function f64Mul(a: u64, b: u64): u64 {
  return mul<u64>(a, b);
}

export function f64Div(a: u64, b: u64): u64 {
  return div<u64>(a, b);
}

export function f64Sqrt(a: u64): u64 {
  return squareRoot<u64>(a);
}

/** MINS/MINP: the second operand for NaNs and equal zeros. */
export function f64Min(a: u64, b: u64): u64 {
  return select<u64>(a, b, -1);
}

/** MAXS/MAXP: the second operand for NaNs and equal zeros. */
export function f64Max(a: u64, b: u64): u64 {
  return select<u64>(a, b, 1);
}

/** -1 less, 0 equal, 1 greater, 2 unordered; IE only for signaling NaNs (UCOMIS, CMPEQ, CMPNEQ, CMPUNORD, CMPORD). */
export function f64CompareQuiet(a: u64, b: u64): i32 {
  return compare<u64>(a, b, false);
}

/** The same, IE for every NaN (COMIS, CMPLT, CMPLE and their negations). */
export function f64CompareSignaling(a: u64, b: u64): i32 {
  return compare<u64>(a, b, true);
}

/** ROUNDS/ROUNDP: imm bits 0-1 mode, 2 use MXCSR's mode, 3 suppress PE. */
export function f64RoundToInt(a: u64, imm: u32): u64 {
  return roundIntegral<u64>(a, (imm & 4) != 0 ? sseRound : imm & 3, (imm & 8) == 0);
}

/** To a signed 32-bit integer, by the current mode or truncating; 80000000h and IE when it does not fit. */
export function f64ToI32(a: u64, truncate: bool): i32 {
  return <i32>toInteger<u64>(a, truncate, 32);
}

/** To a signed 64-bit integer; 8000000000000000h and IE when it does not fit. */
export function f64ToI64(a: u64, truncate: bool): i64 {
  return toInteger<u64>(a, truncate, 64);
}

/** From a signed 64-bit integer, rounded. */
export function i64ToF64(value: i64): u64 {
  return fromInteger<u64>(value);
}

/** From a signed 32-bit integer: always exact. */
export function i32ToF64(value: i32): u64 {
  return reinterpret<u64>(<f64>value);
}

/** CVTSS2SD. */
export function f32ToF64(a: u32): u64 {
  const size = magnitude<u32>(a);
  const sign = <u64>signOf<u32>(a) << 63;
  if (isNan<u32>(a)) {
    if (isSignaling<u32>(a)) sseRaise(FLAG_INVALID);
    return sign | 0x7ff8000000000000 | (<u64>(size & 0x3fffff) << 29);
  }
  if (isDenormal<u32>(a)) {
    if (sseDaz) return sign;
    sseRaise(FLAG_DENORMAL);
  }
  return reinterpret<u64>(<f64>reinterpret<f32>(a));
}

/** CVTSD2SS. */
export function f64ToF32(a: u64): u32 {
  a = flushed<u64>(a);
  const sign = signOf<u64>(a);
  if (isNan<u64>(a)) {
    if (isSignaling<u64>(a)) sseRaise(FLAG_INVALID);
    return (sign << 31) | 0x7fc00000 | (<u32>(a >> 29) & 0x3fffff);
  }
  const size = magnitude<u64>(a);
  if (size == 0) return sign << 31;
  if (size == infinity<u64>()) return (sign << 31) | infinity<u32>();
  if (denormalStops<u64>(a, a)) return 0;
  const significand = unpack<u64>(a);
  return roundPack<u32>(sign, unpackedExponent - 896, significand);
}
