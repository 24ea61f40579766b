// Rounding of singles and doubles to integers and integral values, and from integers, with MXCSR flags; generic over the bit
// pattern's type. Denormals raise PE here, never DE.

import { FLAG_INEXACT, FLAG_INVALID, ROUND_NEAREST, ROUND_UP, ROUND_ZERO, sseRaise, sseRound } from './softfloat';
import {
  biasedExponent, exponentBias, flushed, fractionBits, isNan, magnitude, minNormal, propagateNan, roundPack, signMask, signOf,
} from './softfloat-format';

/** Whether a directed mode goes away from zero. */
// @ts-ignore: decorator
@inline
function away(mode: u32, sign: u32): bool {
  return mode != ROUND_NEAREST && mode != ROUND_ZERO && (mode == ROUND_UP) == (sign == 0);
}

/** Rounds to an integral value by `mode`; PE when that changes the value and `inexact` is set. SNaN raises IE. */
export function roundIntegral<U>(a: U, mode: u32, inexact: bool): U {
  a = flushed<U>(a);
  if (isNan<U>(a)) return propagateNan<U>(a, a);
  const exponent = biasedExponent<U>(a);
  const integral = exponentBias<U>() + fractionBits<U>();
  if (exponent >= integral || magnitude<U>(a) == 0) return a;
  const sign = signOf<U>(a);
  if (exponent < exponentBias<U>()) {
    if (inexact) sseRaise(FLAG_INEXACT);
    let one: bool;
    if (mode == ROUND_NEAREST) one = exponent == exponentBias<U>() - 1 && (a & (minNormal<U>() - 1)) != 0;
    else one = away(mode, sign);
    const zero = a & signMask<U>();
    return one ? zero | (<U>exponentBias<U>() << <U>fractionBits<U>()) : zero;
  }
  const unit = <U>1 << <U>(integral - exponent);
  const mask = unit - 1;
  const rest = a & mask;
  if (rest == 0) return a;
  if (inexact) sseRaise(FLAG_INEXACT);
  if (mode == ROUND_NEAREST) {
    // A carry out of the fraction moves into the exponent, as it must.
    a += unit >> 1;
    if (rest == unit >> 1) a &= ~unit;
  } else if (away(mode, sign)) {
    a += mask;
  }
  return a & ~mask;
}

/** To a signed integer of `bits` (32 or 64); the most negative one and IE when it does not fit. */
export function toInteger<U>(a: U, truncate: bool, bits: u32): i64 {
  a = flushed<U>(a);
  const indefinite: i64 = bits == 32 ? -0x80000000 : i64.MIN_VALUE;
  const sign = signOf<U>(a);
  const exponent = biasedExponent<U>(a) - exponentBias<U>();
  if (exponent >= 64) {
    sseRaise(FLAG_INVALID);
    return indefinite;
  }
  const significand = <u64>((a & (minNormal<U>() - 1)) | minNormal<U>());
  let value: u64;
  let inexact = false;
  if (exponent >= fractionBits<U>()) {
    value = significand << (exponent - fractionBits<U>());
  } else {
    const mode = truncate ? ROUND_ZERO : sseRound;
    const up = away(mode, sign);
    if (exponent < -1) {
      inexact = magnitude<U>(a) != 0;
      value = inexact && up ? 1 : 0;
    } else {
      const shift = fractionBits<U>() - exponent;
      value = significand >> shift;
      const rest = significand & ((<u64>1 << shift) - 1);
      inexact = rest != 0;
      if (mode == ROUND_NEAREST) {
        const half = <u64>1 << (shift - 1);
        if (rest > half || (rest == half && (value & 1) != 0)) value++;
      } else if (inexact && up) {
        value++;
      }
    }
  }
  if (value > (<u64>1 << (bits - 1)) - (sign != 0 ? 0 : 1)) {
    sseRaise(FLAG_INVALID);
    return indefinite;
  }
  if (inexact) sseRaise(FLAG_INEXACT);
  return sign != 0 ? -(<i64>value) : <i64>value;
}

/** From a signed 64-bit integer, rounded. */
export function fromInteger<U>(value: i64): U {
  if (value == 0) return 0;
  const size: u64 = value < 0 ? -<u64>value : <u64>value;
  const shift = <i32>clz(size);
  return roundPack<U>(value < 0 ? 1 : 0, exponentBias<U>() + 63 - shift, size << shift);
}
