// Single and double arithmetic and comparison with MXCSR flags, generic over the bit pattern's type. Native operations are used
// where IEEE 754 leaves no freedom and the flags are known; everything else is integer code.

import {
  denormalStops, exponentBias, flushed, infinity, invalid, isDenormal, isNan, isOrdinary, isPlainResult, isSignaling, magnitude,
  minNormal, propagateNan, roundPack, signMask, signOf, unpack, unpackedExponent,
} from './softfloat-format';
import {
  FLAG_DENORMAL, FLAG_INVALID, FLAG_ZERO_DIVIDE, ROUND_DOWN, partExponent, partSign, partSignificand, partsAdd, partsDiv, partsMul,
  partsSqrt, sseInexactKnown, sseNative, sseRaise, sseRound, sseStops,
} from './softfloat';

const ADD: i32 = 0;
const MUL: i32 = 1;
const DIV: i32 = 2;

/** The host's operation: round to nearest. */
// @ts-ignore: decorator
@inline
function native<U>(kind: i32, a: U, b: U): U {
  if (sizeof<U>() == 8) {
    const x = reinterpret<f64>(<u64>a);
    const y = reinterpret<f64>(<u64>b);
    return <U>reinterpret<u64>(kind == ADD ? x + y : kind == MUL ? x * y : x / y);
  }
  const x = reinterpret<f32>(<u32>a);
  const y = reinterpret<f32>(<u32>b);
  return <U>reinterpret<u32>(kind == ADD ? x + y : kind == MUL ? x * y : x / y);
}

/** Whether a rounded sum is the exact one: the error of a sum is itself a number of the format. */
// @ts-ignore: decorator
@inline
function sumIsExact<U>(a: U, b: U, sum: U): bool {
  if (sizeof<U>() == 8) {
    const x = reinterpret<f64>(<u64>a);
    const s = reinterpret<f64>(<u64>sum);
    const part = s - x;
    return (x - (s - part)) + (reinterpret<f64>(<u64>b) - part) == 0;
  }
  const x = reinterpret<f32>(<u32>a);
  const s = reinterpret<f32>(<u32>sum);
  const part = s - x;
  return (x - (s - part)) + (reinterpret<f32>(<u32>b) - part) == 0;
}

/** a + b, or a - b when flip is the sign bit. */
// @ts-ignore: decorator
@inline
export function add<U>(a: U, b: U, flip: U): U {
  if (sseNative && isOrdinary<U>(a) && isOrdinary<U>(b)) {
    const sum = native<U>(ADD, a, b ^ flip);
    if (isPlainResult<U>(sum) && (sseInexactKnown || sumIsExact<U>(a, b ^ flip, sum))) return sum;
  }
  return addSlow<U>(a, b, flip);
}

function addSlow<U>(a: U, b: U, flip: U): U {
  a = flushed<U>(a);
  b = flushed<U>(b);
  if (isNan<U>(a) || isNan<U>(b)) return propagateNan<U>(a, b);
  b ^= flip;
  const ma = magnitude<U>(a);
  const mb = magnitude<U>(b);
  if (ma == infinity<U>() && mb == infinity<U>() && a != b) return invalid<U>();
  if (denormalStops<U>(a, b)) return a;
  if (ma == infinity<U>()) return a;
  if (mb == infinity<U>()) return b;
  const zero: U = sseRound == ROUND_DOWN ? signMask<U>() : 0;
  if (ma == 0 && mb == 0) return a == b ? a : zero;
  if (mb == 0 || ma == 0) {
    // Exact, but a denormal can still be flushed or trapped.
    const c = mb == 0 ? a : b;
    const significand = unpack<U>(c);
    return roundPack<U>(signOf<U>(c), unpackedExponent, significand);
  }
  const pa = unpack<U>(a);
  const ea = unpackedExponent;
  const pb = unpack<U>(b);
  partsAdd(signOf<U>(a), ea, pa, signOf<U>(b), unpackedExponent, pb);
  if (partSignificand == 0) return zero;
  return roundPack<U>(partSign, partExponent, partSignificand);
}

/** Both factors have at most half of the precision: integers of moderate size mostly. */
// @ts-ignore: decorator
@inline
function productIsExact<U>(a: U, b: U): bool {
  return sizeof<U>() == 8 ? (<u64>(a | b) & 0x7ffffff) == 0 : (<u32>(a | b) & 0xfff) == 0;
}

export function mul<U>(a: U, b: U): U {
  if (sseNative && isOrdinary<U>(a) && isOrdinary<U>(b)) {
    const r = native<U>(MUL, a, b);
    if (isPlainResult<U>(r) && (sseInexactKnown || productIsExact<U>(a, b))) return r;
  }
  a = flushed<U>(a);
  b = flushed<U>(b);
  if (isNan<U>(a) || isNan<U>(b)) return propagateNan<U>(a, b);
  const sign = (a ^ b) & signMask<U>();
  const ma = magnitude<U>(a);
  const mb = magnitude<U>(b);
  if ((ma == infinity<U>() && mb == 0) || (mb == infinity<U>() && ma == 0)) return invalid<U>();
  if (denormalStops<U>(a, b)) return a;
  if (ma == infinity<U>() || mb == infinity<U>()) return sign | infinity<U>();
  if (ma == 0 || mb == 0) return sign;
  const pa = unpack<U>(a);
  const ea = unpackedExponent;
  const pb = unpack<U>(b);
  partsMul(ea - exponentBias<U>(), pa, unpackedExponent, pb);
  return roundPack<U>(signOf<U>(sign), partExponent, partSignificand);
}

export function div<U>(a: U, b: U): U {
  if (sseNative && sseInexactKnown && isOrdinary<U>(a) && isOrdinary<U>(b)) {
    const r = native<U>(DIV, a, b);
    if (isPlainResult<U>(r)) return r;
  }
  a = flushed<U>(a);
  b = flushed<U>(b);
  if (isNan<U>(a) || isNan<U>(b)) return propagateNan<U>(a, b);
  const sign = (a ^ b) & signMask<U>();
  const ma = magnitude<U>(a);
  const mb = magnitude<U>(b);
  if ((ma == infinity<U>() && mb == infinity<U>()) || (ma == 0 && mb == 0)) return invalid<U>();
  if (mb == 0 && ma != infinity<U>()) {
    sseRaise(FLAG_ZERO_DIVIDE);
    if (sseStops(FLAG_ZERO_DIVIDE)) return a;
    return sign | infinity<U>();
  }
  if (denormalStops<U>(a, b)) return a;
  if (ma == infinity<U>()) return sign | infinity<U>();
  if (mb == infinity<U>() || ma == 0) return sign;
  const pa = unpack<U>(a);
  const ea = unpackedExponent;
  const pb = unpack<U>(b);
  partsDiv(ea + exponentBias<U>(), pa, unpackedExponent, pb);
  return roundPack<U>(signOf<U>(sign), partExponent, partSignificand);
}

export function squareRoot<U>(a: U): U {
  if (sseNative && sseInexactKnown && a - minNormal<U>() < infinity<U>() - minNormal<U>()) {
    if (sizeof<U>() == 8) return <U>reinterpret<u64>(sqrt<f64>(reinterpret<f64>(<u64>a)));
    return <U>reinterpret<u32>(sqrt<f32>(reinterpret<f32>(<u32>a)));
  }
  a = flushed<U>(a);
  if (isNan<U>(a)) return propagateNan<U>(a, a);
  if (magnitude<U>(a) == 0) return a;
  if (signOf<U>(a) != 0) return invalid<U>();
  if (denormalStops<U>(a, a) || a == infinity<U>()) return a;
  const significand = unpack<U>(a);
  partsSqrt(unpackedExponent - exponentBias<U>(), significand);
  return roundPack<U>(0, partExponent + exponentBias<U>(), partSignificand);
}

/** -1 less, 0 equal, 1 greater, 2 unordered; IE for signaling NaNs, or for all when `signaling`. */
export function compare<U>(a: U, b: U, signaling: bool): i32 {
  a = flushed<U>(a);
  b = flushed<U>(b);
  if (isNan<U>(a) || isNan<U>(b)) {
    if (signaling || isSignaling<U>(a) || isSignaling<U>(b)) sseRaise(FLAG_INVALID);
    return 2;
  }
  if (isDenormal<U>(a) || isDenormal<U>(b)) sseRaise(FLAG_DENORMAL);
  if (sizeof<U>() == 8) {
    const x = reinterpret<f64>(<u64>a);
    const y = reinterpret<f64>(<u64>b);
    return <i32>(x > y) - <i32>(x < y);
  }
  const x = reinterpret<f32>(<u32>a);
  const y = reinterpret<f32>(<u32>b);
  return <i32>(x > y) - <i32>(x < y);
}

/** a when compare(a, b) says `wanted`, else b: also for NaNs and equal zeros. */
// @ts-ignore: decorator
@inline
export function select<U>(a: U, b: U, wanted: i32): U {
  a = flushed<U>(a);
  b = flushed<U>(b);
  return compare<U>(a, b, true) == wanted ? a : b;
}
