// The single and double formats, as functions of their bit patterns' type (u32, u64): constants, classes, operands in parts,
// rounding, NaN rules. All is resolved at compile time. Behind softfloat32.ts and softfloat64.ts.

import {
  FLAG_DENORMAL, FLAG_INEXACT, FLAG_INVALID, FLAG_OVERFLOW, FLAG_UNDERFLOW, ROUND_NEAREST, ROUND_UP, ROUND_ZERO,
  roundIncrement, shiftRightJam, sseDaz, sseFtz, sseRaise, sseRound, sseStops, sseUnmasked,
} from './softfloat';

/** Bits of the fraction field. */
// @ts-ignore: decorator
@inline
export function fractionBits<U>(): i32 {
  return sizeof<U>() == 8 ? 52 : 23;
}

// @ts-ignore: decorator
@inline
export function exponentBias<U>(): i32 {
  return sizeof<U>() == 8 ? 1023 : 127;
}

/** Exponent field of infinities and NaNs. */
// @ts-ignore: decorator
@inline
export function exponentLimit<U>(): i32 {
  return sizeof<U>() == 8 ? 0x7ff : 0xff;
}

// @ts-ignore: decorator
@inline
export function signMask<U>(): U {
  return <U>1 << <U>(sizeof<U>() * 8 - 1);
}

/** Smallest normal number: the lowest exponent bit. */
// @ts-ignore: decorator
@inline
export function minNormal<U>(): U {
  return <U>1 << <U>fractionBits<U>();
}

// @ts-ignore: decorator
@inline
export function infinity<U>(): U {
  return <U>exponentLimit<U>() << <U>fractionBits<U>();
}

// @ts-ignore: decorator
@inline
export function quietBit<U>(): U {
  return minNormal<U>() >> 1;
}

/** "Real indefinite": the negative quiet NaN without payload. */
// @ts-ignore: decorator
@inline
export function defaultNan<U>(): U {
  return signMask<U>() | infinity<U>() | quietBit<U>();
}

// @ts-ignore: decorator
@inline
export function magnitude<U>(a: U): U {
  return a & (signMask<U>() - 1);
}

// @ts-ignore: decorator
@inline
export function signOf<U>(a: U): u32 {
  return <u32>(a >> <U>(sizeof<U>() * 8 - 1));
}

// @ts-ignore: decorator
@inline
export function biasedExponent<U>(a: U): i32 {
  return <i32>(a >> <U>fractionBits<U>()) & exponentLimit<U>();
}

// @ts-ignore: decorator
@inline
export function isNan<U>(a: U): bool {
  return magnitude<U>(a) > infinity<U>();
}

// @ts-ignore: decorator
@inline
export function isSignaling<U>(a: U): bool {
  return isNan<U>(a) && (a & quietBit<U>()) == 0;
}

// @ts-ignore: decorator
@inline
export function isDenormal<U>(a: U): bool {
  return magnitude<U>(a) - 1 < minNormal<U>() - 1;
}

/** Zero, or a normal number: nothing that could raise DE or IE as an operand or that DAZ would change. */
// @ts-ignore: decorator
@inline
export function isOrdinary<U>(a: U): bool {
  const m = magnitude<U>(a);
  return m == 0 || m - minNormal<U>() < infinity<U>() - minNormal<U>();
}

/** A result that can have raised nothing but PE: normal, and not the smallest exponent, which tiny results round up to. */
// @ts-ignore: decorator
@inline
export function isPlainResult<U>(r: U): bool {
  return magnitude<U>(r) - (minNormal<U>() << 1) < infinity<U>() - (minNormal<U>() << 1);
}

/** The operand with DAZ applied. */
// @ts-ignore: decorator
@inline
export function flushed<U>(a: U): U {
  return sseDaz && isDenormal<U>(a) ? a & signMask<U>() : a;
}

/** Exponent of the last unpack: biased, below 1 for denormals. */
export let unpackedExponent: i32 = 0;

/** Significand of a finite non-zero number, top bit of 64 set. */
export function unpack<U>(a: U): u64 {
  const fraction = <u64>(a & (minNormal<U>() - 1));
  const exponent = biasedExponent<U>(a);
  const low = 63 - fractionBits<U>();
  if (exponent == 0) {
    const shift = <i32>clz(fraction);
    unpackedExponent = low + 1 - shift;
    return fraction << shift;
  }
  unpackedExponent = exponent;
  return (fraction << low) | 0x8000000000000000;
}

/** The NaN that an operation with at least one NaN operand gives; raises IE for a signaling one. */
export function propagateNan<U>(a: U, b: U): U {
  if (isSignaling<U>(a) || isSignaling<U>(b)) sseRaise(FLAG_INVALID);
  return (isNan<U>(a) ? a : b) | quietBit<U>();
}

// @ts-ignore: decorator
@inline
export function invalid<U>(): U {
  sseRaise(FLAG_INVALID);
  return defaultNan<U>();
}

/** Raises DE for denormal operands; true when it is unmasked. */
// @ts-ignore: decorator
@inline
export function denormalStops<U>(a: U, b: U): bool {
  if (isDenormal<U>(a) || isDenormal<U>(b)) {
    sseRaise(FLAG_DENORMAL);
    return sseStops(FLAG_DENORMAL);
  }
  return false;
}

/** Rounds significand * 2^(exponent - bias - 63), top bit set, lowest bit sticky, by the current mode. */
export function roundPack<U>(sign: u32, exponent: i32, significand: u64): U {
  const s = <U>sign << <U>(sizeof<U>() * 8 - 1);
  const low = 63 - fractionBits<U>();
  const unit: u64 = <u64>1 << low;
  const mask = unit - 1;
  const half = unit >> 1;
  const increment = roundIncrement(sseRound, sign, half, mask);
  if (exponent <= 0) {
    // Tiny unless rounding with an unbounded exponent reaches the smallest normal number.
    const tiny = exponent < 0 || significand + increment >= significand;
    if (tiny) {
      if ((sseUnmasked & FLAG_UNDERFLOW) != 0) {
        sseRaise((significand & mask) != 0 ? FLAG_UNDERFLOW | FLAG_INEXACT : FLAG_UNDERFLOW);
        return s;
      }
      if (sseFtz) {
        sseRaise(FLAG_UNDERFLOW | FLAG_INEXACT);
        return s;
      }
    }
    significand = shiftRightJam(significand, 1 - exponent);
    const rest = significand & mask;
    if (rest != 0) sseRaise(tiny ? FLAG_UNDERFLOW | FLAG_INEXACT : FLAG_INEXACT);
    let rounded = (significand + increment) >> low;
    if (sseRound == ROUND_NEAREST && rest == half) rounded &= ~(<u64>1);
    return s | <U>rounded;
  }
  const rest = significand & mask;
  if (rest != 0) {
    sseRaise(FLAG_INEXACT);
    const sum = significand + increment;
    if (sum < significand) {
      exponent++;
      significand = 0x8000000000000000;
    } else {
      significand = sum;
      if (sseRound == ROUND_NEAREST && rest == half) significand &= ~unit;
    }
  }
  if (exponent >= exponentLimit<U>()) {
    sseRaise((sseUnmasked & FLAG_OVERFLOW) != 0 ? FLAG_OVERFLOW : FLAG_OVERFLOW | FLAG_INEXACT);
    const toInfinity = sseRound == ROUND_NEAREST || (sseRound != ROUND_ZERO && (sseRound == ROUND_UP) == (sign == 0));
    return s | (toInfinity ? infinity<U>() : infinity<U>() - 1);
  }
  return s | (<U>exponent << <U>fractionBits<U>()) | (<U>(significand >> low) & (minNormal<U>() - 1));
}
