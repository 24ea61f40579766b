// Double precision arithmetic as the SSE instructions do it, with exact MXCSR flags. Values travel as bit patterns. NaN
// results are formed explicitly (first operand if it is a NaN, else the second; quieted; default NaN negative), so they
// do not depend on the host. Native operations are used where IEEE 754 leaves no freedom and the flags are known.
// Specification: Intel SDM volume 1, chapters 4 and 11; tininess is detected after rounding.

import {
  FLAG_DENORMAL, FLAG_INEXACT, FLAG_INVALID, FLAG_OVERFLOW, FLAG_UNDERFLOW, FLAG_ZERO_DIVIDE, ROUND_NEAREST, ROUND_DOWN, ROUND_UP, ROUND_ZERO,
  partExponent, partSign, partSignificand, partsAdd, partsDiv, partsMul, partsSqrt, roundIncrement, shiftRightJam,
  sseDaz, sseFtz, sseInexactKnown, sseNative, sseRaise, sseRound, sseStops, sseUnmasked,
} from './softfloat';
import { f32RoundPack } from './softfloat32';

const SIGN: u64 = 0x8000000000000000;
const MAGNITUDE: u64 = 0x7fffffffffffffff;
const INFINITY: u64 = 0x7ff0000000000000;
const FRACTION: u64 = 0xfffffffffffff;
const QUIET: u64 = 0x8000000000000;
const MIN_NORMAL: u64 = 0x10000000000000;
/** Default NaN ("real indefinite"). */
export const F64_DEFAULT_NAN: u64 = 0xfff8000000000000;

// @ts-ignore: decorator
@inline
function biasedExponent(a: u64): i32 {
  return <i32>(a >> 52) & 0x7ff;
}

// @ts-ignore: decorator
@inline
export function f64IsNan(a: u64): bool {
  return (a & MAGNITUDE) > INFINITY;
}

// @ts-ignore: decorator
@inline
export function f64IsSignaling(a: u64): bool {
  return (a & MAGNITUDE) > INFINITY && (a & QUIET) == 0;
}

// @ts-ignore: decorator
@inline
export function f64IsDenormal(a: u64): bool {
  return (a & MAGNITUDE) - 1 < MIN_NORMAL - 1;
}

/** Zero, or a normal number: nothing that could raise DE or IE as an operand or that DAZ would change. */
// @ts-ignore: decorator
@inline
function isOrdinary(a: u64): bool {
  const m = a & MAGNITUDE;
  return m == 0 || m - MIN_NORMAL < INFINITY - MIN_NORMAL;
}

/** A result that can have raised nothing but PE: normal, and not the smallest exponent, which tiny results round up to. */
// @ts-ignore: decorator
@inline
function isPlainResult(r: u64): bool {
  return (r & MAGNITUDE) - (MIN_NORMAL << 1) < INFINITY - (MIN_NORMAL << 1);
}

/** The operand with DAZ applied. */
// @ts-ignore: decorator
@inline
function flushed(a: u64): u64 {
  return sseDaz && f64IsDenormal(a) ? a & SIGN : a;
}

// Operand in parts; unpackedExponent is the second result.
let unpackedExponent: i32 = 0;

function unpack(a: u64): u64 {
  const fraction = <u64>(a & FRACTION);
  const exponent = biasedExponent(a);
  if (exponent == 0) {
    const shift = <i32>clz(fraction);
    unpackedExponent = 12 - shift;
    return fraction << shift;
  }
  unpackedExponent = exponent;
  return (fraction << 11) | 0x8000000000000000;
}

/** The NaN that an operation with at least one NaN operand gives; raises IE for a signaling one. */
export function f64PropagateNan(a: u64, b: u64): u64 {
  if (f64IsSignaling(a) || f64IsSignaling(b)) sseRaise(FLAG_INVALID);
  return (f64IsNan(a) ? a : b) | QUIET;
}

// @ts-ignore: decorator
@inline
function invalid(): u64 {
  sseRaise(FLAG_INVALID);
  return F64_DEFAULT_NAN;
}

/** Rounds significand * 2^(exponent - 1023 - 63), top bit set, lowest bit sticky, by the current mode. */
export function f64RoundPack(sign: u32, exponent: i32, significand: u64): u64 {
  const s = <u64>sign << 63;
  const increment = roundIncrement(sseRound, sign, 0x400, 0x7ff);
  if (exponent <= 0) {
    // Tiny unless rounding with an unbounded exponent reaches the smallest normal number.
    const tiny = exponent < 0 || significand + increment >= significand;
    if (tiny) {
      if ((sseUnmasked & FLAG_UNDERFLOW) != 0) {
        sseRaise((significand & 0x7ff) != 0 ? FLAG_UNDERFLOW | FLAG_INEXACT : FLAG_UNDERFLOW);
        return s;
      }
      if (sseFtz) {
        sseRaise(FLAG_UNDERFLOW | FLAG_INEXACT);
        return s;
      }
    }
    significand = shiftRightJam(significand, 1 - exponent);
    const rest = significand & 0x7ff;
    if (rest != 0) sseRaise(tiny ? FLAG_UNDERFLOW | FLAG_INEXACT : FLAG_INEXACT);
    let rounded = (significand + increment) >> 11;
    if (sseRound == ROUND_NEAREST && rest == 0x400) rounded &= ~(<u64>1);
    return s | <u64>rounded;
  }
  const rest = significand & 0x7ff;
  if (rest != 0) {
    sseRaise(FLAG_INEXACT);
    const sum = significand + increment;
    if (sum < significand) {
      exponent++;
      significand = 0x8000000000000000;
    } else {
      significand = sum;
      if (sseRound == ROUND_NEAREST && rest == 0x400) significand &= ~(<u64>0x800);
    }
  }
  if (exponent >= 0x7ff) {
    sseRaise((sseUnmasked & FLAG_OVERFLOW) != 0 ? FLAG_OVERFLOW : FLAG_OVERFLOW | FLAG_INEXACT);
    const toInfinity = sseRound == ROUND_NEAREST || (sseRound != ROUND_ZERO && (sseRound == ROUND_UP) == (sign == 0));
    return s | (toInfinity ? INFINITY : INFINITY - 1);
  }
  return s | (<u64>exponent << 52) | (<u64>(significand >> 11) & FRACTION);
}

/** Raises DE for denormal operands; true when it is unmasked. */
// @ts-ignore: decorator
@inline
function denormalStops(a: u64, b: u64): bool {
  if (f64IsDenormal(a) || f64IsDenormal(b)) {
    sseRaise(FLAG_DENORMAL);
    return sseStops(FLAG_DENORMAL);
  }
  return false;
}

function addSlow(a: u64, b: u64, flip: u64): u64 {
  a = flushed(a);
  b = flushed(b);
  if (f64IsNan(a) || f64IsNan(b)) return f64PropagateNan(a, b);
  b ^= flip;
  const ma = a & MAGNITUDE;
  const mb = b & MAGNITUDE;
  if (ma == INFINITY && mb == INFINITY && a != b) return invalid();
  if (denormalStops(a, b)) return a;
  if (ma == INFINITY) return a;
  if (mb == INFINITY) return b;
  if (ma == 0 && mb == 0) return a == b ? a : sseRound == ROUND_DOWN ? SIGN : 0;
  const sa = <u32>(a >> 63);
  const sb = <u32>(b >> 63);
  if (mb == 0 || ma == 0) {
    const c = mb == 0 ? a : b;
    const significand = unpack(c);
    return f64RoundPack(<u32>(c >> 63), unpackedExponent, significand);
  }
  const pa = unpack(a);
  const ea = unpackedExponent;
  const pb = unpack(b);
  partsAdd(sa, ea, pa, sb, unpackedExponent, pb);
  if (partSignificand == 0) return sseRound == ROUND_DOWN ? SIGN : 0;
  return f64RoundPack(partSign, partExponent, partSignificand);
}

export function f64Add(a: u64, b: u64): u64 {
  if (sseNative && isOrdinary(a) && isOrdinary(b)) {
    const x = reinterpret<f64>(a);
    const y = reinterpret<f64>(b);
    const sum = x + y;
    const r = reinterpret<u64>(sum);
    if (isPlainResult(r)) {
      if (sseInexactKnown) return r;
      // The rounding error of a sum is itself exact.
      const virtual = sum - x;
      if ((x - (sum - virtual)) + (y - virtual) == 0) return r;
    }
  }
  return addSlow(a, b, 0);
}

export function f64Sub(a: u64, b: u64): u64 {
  if (sseNative && isOrdinary(a) && isOrdinary(b)) {
    const x = reinterpret<f64>(a);
    const y = -reinterpret<f64>(b);
    const sum = x + y;
    const r = reinterpret<u64>(sum);
    if (isPlainResult(r)) {
      if (sseInexactKnown) return r;
      const virtual = sum - x;
      if ((x - (sum - virtual)) + (y - virtual) == 0) return r;
    }
  }
  return addSlow(a, b, SIGN);
}

export function f64Mul(a: u64, b: u64): u64 {
  if (sseNative && sseInexactKnown && isOrdinary(a) && isOrdinary(b)) {
    const r = reinterpret<u64>(reinterpret<f64>(a) * reinterpret<f64>(b));
    if (isPlainResult(r)) return r;
  }
  a = flushed(a);
  b = flushed(b);
  if (f64IsNan(a) || f64IsNan(b)) return f64PropagateNan(a, b);
  const sign = (a ^ b) & SIGN;
  const ma = a & MAGNITUDE;
  const mb = b & MAGNITUDE;
  if ((ma == INFINITY && mb == 0) || (mb == INFINITY && ma == 0)) return invalid();
  if (denormalStops(a, b)) return a;
  if (ma == INFINITY || mb == INFINITY) return sign | INFINITY;
  if (ma == 0 || mb == 0) return sign;
  const pa = unpack(a);
  const ea = unpackedExponent;
  const pb = unpack(b);
  partsMul(ea - 1023, pa, unpackedExponent, pb);
  return f64RoundPack(<u32>(sign >> 63), partExponent, partSignificand);
}

export function f64Div(a: u64, b: u64): u64 {
  if (sseNative && sseInexactKnown && isOrdinary(a) && isOrdinary(b)) {
    const r = reinterpret<u64>(reinterpret<f64>(a) / reinterpret<f64>(b));
    if (isPlainResult(r)) return r;
  }
  a = flushed(a);
  b = flushed(b);
  if (f64IsNan(a) || f64IsNan(b)) return f64PropagateNan(a, b);
  const sign = (a ^ b) & SIGN;
  const ma = a & MAGNITUDE;
  const mb = b & MAGNITUDE;
  if ((ma == INFINITY && mb == INFINITY) || (ma == 0 && mb == 0)) return invalid();
  if (mb == 0 && ma != INFINITY) {
    sseRaise(FLAG_ZERO_DIVIDE);
    if (sseStops(FLAG_ZERO_DIVIDE)) return a;
    return sign | INFINITY;
  }
  if (denormalStops(a, b)) return a;
  if (ma == INFINITY) return sign | INFINITY;
  if (mb == INFINITY || ma == 0) return sign;
  const pa = unpack(a);
  const ea = unpackedExponent;
  const pb = unpack(b);
  partsDiv(ea + 1023, pa, unpackedExponent, pb);
  return f64RoundPack(<u32>(sign >> 63), partExponent, partSignificand);
}

export function f64Sqrt(a: u64): u64 {
  if (sseNative && sseInexactKnown && a - MIN_NORMAL < INFINITY - MIN_NORMAL) {
    return reinterpret<u64>(sqrt<f64>(reinterpret<f64>(a)));
  }
  a = flushed(a);
  if (f64IsNan(a)) return f64PropagateNan(a, a);
  if ((a & MAGNITUDE) == 0) return a;
  if ((a & SIGN) != 0) return invalid();
  if (f64IsDenormal(a)) sseRaise(FLAG_DENORMAL);
  if (a == INFINITY) return a;
  const significand = unpack(a);
  partsSqrt(unpackedExponent - 1023, significand);
  return f64RoundPack(0, partExponent + 1023, partSignificand);
}

/** -1 less, 0 equal, 1 greater, 2 unordered, without flags. */
function order(a: u64, b: u64): i32 {
  if (f64IsNan(a) || f64IsNan(b)) return 2;
  const x = reinterpret<f64>(a);
  const y = reinterpret<f64>(b);
  return x < y ? -1 : x > y ? 1 : 0;
}

// @ts-ignore: decorator
@inline
function compare(a: u64, b: u64, signaling: bool): i32 {
  a = flushed(a);
  b = flushed(b);
  if (f64IsNan(a) || f64IsNan(b)) {
    if (signaling || f64IsSignaling(a) || f64IsSignaling(b)) sseRaise(FLAG_INVALID);
    return 2;
  }
  if (f64IsDenormal(a) || f64IsDenormal(b)) sseRaise(FLAG_DENORMAL);
  return order(a, b);
}

/** -1 less, 0 equal, 1 greater, 2 unordered; IE only for signaling NaNs (UCOMIS, CMPEQ, CMPNEQ, CMPUNORD, CMPORD). */
export function f64CompareQuiet(a: u64, b: u64): i32 {
  return compare(a, b, false);
}

/** The same, IE for every NaN (COMIS, CMPLT, CMPLE and their negations). */
export function f64CompareSignaling(a: u64, b: u64): i32 {
  return compare(a, b, true);
}

/** MINS/MINP: the second operand for NaNs and equal zeros. */
export function f64Min(a: u64, b: u64): u64 {
  a = flushed(a);
  b = flushed(b);
  return compare(a, b, true) == -1 ? a : b;
}

/** MAXS/MAXP: the second operand for NaNs and equal zeros. */
export function f64Max(a: u64, b: u64): u64 {
  a = flushed(a);
  b = flushed(b);
  return compare(a, b, true) == 1 ? a : b;
}

/** Rounds to an integral value by `mode`; PE when that changes the value and `inexact` is set. SNaN raises IE. */
function roundIntegral(a: u64, mode: u32, inexact: bool): u64 {
  a = flushed(a);
  if (f64IsNan(a)) return f64PropagateNan(a, a);
  const exponent = biasedExponent(a);
  if (exponent >= 1075) return a;
  const sign = a & SIGN;
  if (exponent < 1023) {
    if ((a & MAGNITUDE) == 0) return a;
    if (inexact) sseRaise(FLAG_INEXACT);
    let one = false;
    if (mode == ROUND_NEAREST) one = exponent == 1022 && (a & FRACTION) != 0;
    else if (mode == ROUND_DOWN) one = sign != 0;
    else if (mode == ROUND_UP) one = sign == 0;
    return one ? sign | 0x3ff0000000000000 : sign;
  }
  const unit = <u64>1 << (1075 - exponent);
  const mask = unit - 1;
  const rest = a & mask;
  if (rest == 0) return a;
  if (inexact) sseRaise(FLAG_INEXACT);
  if (mode == ROUND_NEAREST) {
    // A carry out of the fraction moves into the exponent, as it must.
    a += unit >> 1;
    if (rest == unit >> 1) a &= ~unit;
  } else if (mode != ROUND_ZERO && (mode == ROUND_UP) == (sign == 0)) {
    a += mask;
  }
  return a & ~mask;
}

/** ROUNDS/ROUNDP: imm bits 0-1 mode, 2 use MXCSR's mode, 3 suppress PE. */
export function f64RoundToInt(a: u64, imm: u32): u64 {
  return roundIntegral(a, (imm & 4) != 0 ? sseRound : imm & 3, (imm & 8) == 0);
}

/** To a signed 32-bit integer, by the current mode or truncating; 80000000h and IE when it does not fit. */
export function f64ToI32(a: u64, truncate: bool): i32 {
  const wide = toI64(a, truncate, 31);
  return <i32>wide;
}

/** To a signed 64-bit integer; 8000000000000000h and IE when it does not fit. */
export function f64ToI64(a: u64, truncate: bool): i64 {
  return toI64(a, truncate, 63);
}

/** Magnitudes up to 2^bits (that only when negative) fit. Denormals raise PE, never DE. */
function toI64(a: u64, truncate: bool, bits: u32): i64 {
  a = flushed(a);
  const indefinite: i64 = bits == 31 ? -0x80000000 : i64.MIN_VALUE;
  const sign = (a & SIGN) != 0;
  const exponent = biasedExponent(a) - 1023;
  if (exponent >= 64) {
    sseRaise(FLAG_INVALID);
    return indefinite;
  }
  let magnitude: u64;
  let inexact = false;
  if (exponent >= 52) {
    magnitude = <u64>((a & FRACTION) | MIN_NORMAL) << (exponent - 52);
  } else {
    const mode = truncate ? ROUND_ZERO : sseRound;
    const up = mode != ROUND_NEAREST && mode != ROUND_ZERO && (mode == ROUND_UP) == !sign;
    if (exponent < -1) {
      inexact = (a & MAGNITUDE) != 0;
      magnitude = inexact && up ? 1 : 0;
    } else {
      const significand = <u64>((a & FRACTION) | MIN_NORMAL);
      const shift = 52 - exponent;
      magnitude = significand >> shift;
      const rest = significand & ((<u64>1 << shift) - 1);
      inexact = rest != 0;
      if (mode == ROUND_NEAREST) {
        const half = <u64>1 << (shift - 1);
        if (rest > half || (rest == half && (magnitude & 1) != 0)) magnitude++;
      } else if (inexact && up) {
        magnitude++;
      }
    }
  }
  if (magnitude > (<u64>1 << bits) - (sign ? 0 : 1)) {
    sseRaise(FLAG_INVALID);
    return indefinite;
  }
  if (inexact) sseRaise(FLAG_INEXACT);
  return sign ? -(<i64>magnitude) : <i64>magnitude;
}

/** From a signed 64-bit integer, rounded. */
export function i64ToF64(value: i64): u64 {
  if (value == 0) return 0;
  const sign: u32 = value < 0 ? 1 : 0;
  const magnitude: u64 = value < 0 ? -<u64>value : <u64>value;
  const shift = <i32>clz(magnitude);
  return f64RoundPack(sign, 1086 - shift, magnitude << shift);
}

/** From a signed 32-bit integer: always exact. */
export function i32ToF64(value: i32): u64 {
  return reinterpret<u64>(<f64>value);
}

/** CVTSS2SD. */
export function f32ToF64(a: u32): u64 {
  const magnitude = a & 0x7fffffff;
  const sign = <u64>(a & 0x80000000) << 32;
  if (magnitude > 0x7f800000) {
    if ((a & 0x400000) == 0) sseRaise(FLAG_INVALID);
    return sign | 0x7ff8000000000000 | (<u64>(a & 0x3fffff) << 29);
  }
  if (magnitude - 1 < 0x7fffff) {
    if (sseDaz) return sign;
    sseRaise(FLAG_DENORMAL);
  }
  return reinterpret<u64>(<f64>reinterpret<f32>(a));
}

/** CVTSD2SS. */
export function f64ToF32(a: u64): u32 {
  a = flushed(a);
  const sign = <u32>(a >> 63);
  const magnitude = a & MAGNITUDE;
  if (magnitude > INFINITY) {
    if ((a & QUIET) == 0) sseRaise(FLAG_INVALID);
    return (sign << 31) | 0x7fc00000 | (<u32>(a >> 29) & 0x3fffff);
  }
  if (magnitude == 0 || magnitude == INFINITY) return (sign << 31) | (magnitude == 0 ? 0 : 0x7f800000);
  if (f64IsDenormal(a)) {
    sseRaise(FLAG_DENORMAL);
    if (sseStops(FLAG_DENORMAL)) return 0;
  }
  const significand = unpack(a);
  return f32RoundPack(sign, unpackedExponent - 896, significand);
}
