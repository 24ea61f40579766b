// Conversions between double extended precision and integers, single, double and packed BCD, and rounding to an integral
// value, as x87 loads and stores do them. Specification: Intel SDM volume 1, sections 4.7 and 8.3.

import {
  FLAG_C1, f80Exp, f80Flags, f80IsInfinity, f80IsSpecial, f80IsUnsupported, f80NanOperand, f80NoteDenormal,
  f80Normalize, f80Raise, f80Round, f80Set, f80SetZero, f80Sig, f80Stopped, f80Unmasked,
  normalExponent,
} from './f80';
import {
  FLAG_DENORMAL, FLAG_INEXACT, FLAG_INVALID, FLAG_OVERFLOW, FLAG_UNDERFLOW, ROUND_NEAREST, ROUND_UP, ROUND_ZERO,
  shiftRightJam,
} from './softfloat';

const INTEGER_BIT: u64 = 0x8000000000000000;

/** Exact. */
export function f80FromI64(value: i64): void {
  if (value == 0) {
    f80SetZero(0);
    return;
  }
  const magnitude: u64 = value < 0 ? -<u64>value : <u64>value;
  const shift = <u32>clz(magnitude);
  f80Set((value < 0 ? 0x8000 : 0) | (16446 - shift), magnitude << shift);
}

/** A single operand: DE for denormals; NaNs stay what they are, the operation judges them. */
export function f80FromF32(a: u32): void {
  const sign = (a >> 16) & 0x8000;
  const exponent = (a >> 23) & 0xff;
  const fraction = <u64>(a & 0x7fffff) << 40;
  if (exponent - 1 < 0xfe) {
    f80Set(sign | (exponent + 16256), fraction | INTEGER_BIT);
    return;
  }
  if (exponent == 0) {
    if (fraction == 0) {
      f80Set(sign, 0);
      return;
    }
    f80Raise(FLAG_DENORMAL);
    const shift = <u32>clz(fraction);
    f80Set(sign | (16257 - shift), fraction << shift);
    return;
  }
  f80Set(sign | 0x7fff, fraction | INTEGER_BIT);
}

/** A double operand. */
export function f80FromF64(a: u64): void {
  const sign = <u32>(a >> 48) & 0x8000;
  const exponent = <u32>(a >> 52) & 0x7ff;
  const fraction = a << 12 >> 1;
  if (exponent - 1 < 0x7fe) {
    f80Set(sign | (exponent + 15360), fraction | INTEGER_BIT);
    return;
  }
  if (exponent == 0) {
    if (fraction == 0) {
      f80Set(sign, 0);
      return;
    }
    f80Raise(FLAG_DENORMAL);
    const shift = <u32>clz(fraction);
    f80Set(sign | (15361 - shift), fraction << shift);
    return;
  }
  f80Set(sign | 0x7fff, fraction | INTEGER_BIT);
}

/**
 * Rounds to a format with `bits` significand bits (with the leading one) and the given exponent bias and maximum; returns the
 * exponent and fraction fields without sign. An unmasked overflow or underflow leaves the result without meaning.
 */
// @ts-ignore: decorator
@inline
function narrow(sign: u32, exponent: i32, sig: u64, bits: u32, emax: i32): u64 {
  const low: u32 = 64 - bits;
  const mask = (<u64>1 << low) - 1;
  const half = <u64>1 << (low - 1);
  const directedUp = f80Round != ROUND_NEAREST && f80Round != ROUND_ZERO && (f80Round == ROUND_UP) == (sign == 0);
  const increment: u64 = f80Round == ROUND_NEAREST ? half : directedUp ? mask : 0;
  let tiny = false;
  if (exponent <= 0) {
    tiny = exponent < 0 || sig + increment >= sig;
    if (tiny && (f80Unmasked & FLAG_UNDERFLOW) != 0) {
      f80Raise(FLAG_UNDERFLOW);
      // The precision flag tells whether the scaled result would be exact.
      const rest = sig & mask;
      if (rest != 0) {
        f80Raise(FLAG_INEXACT);
        if (f80Round == ROUND_NEAREST ? rest > half || (rest == half && (sig & (half << 1)) != 0) : directedUp) f80Raise(FLAG_C1);
      }
      return 0;
    }
    sig = shiftRightJam(sig, 1 - exponent);
    exponent = 0;
  } else {
    // The leading one adds 1 to the exponent field below.
    exponent--;
  }
  const rest = sig & mask;
  let kept = sig >> low;
  if (rest != 0) {
    f80Raise(tiny ? FLAG_INEXACT | FLAG_UNDERFLOW : FLAG_INEXACT);
    if (f80Round == ROUND_NEAREST ? rest > half || (rest == half && (kept & 1) != 0) : directedUp) {
      kept++;
      f80Raise(FLAG_C1);
    }
  }
  const result = (<u64>exponent << (bits - 1)) + kept;
  const infinity = <u64>emax << (bits - 1);
  if (exponent >= emax || result >= infinity) {
    if ((f80Unmasked & FLAG_OVERFLOW) != 0) {
      f80Raise(FLAG_OVERFLOW);
      return 0;
    }
    f80Raise(FLAG_OVERFLOW | FLAG_INEXACT);
    if (f80Round == ROUND_NEAREST || directedUp) {
      f80Raise(FLAG_C1);
      return infinity;
    }
    f80ClearC1();
    return infinity - 1;
  }
  return result;
}

function f80ClearC1(): void {
  f80Flags &= ~FLAG_C1;
}

/** FST m32. */
export function f80ToF32(exp: u32, sig: u64): u32 {
  const sign = exp >> 15;
  if (f80IsSpecial(exp, sig)) {
    if (f80NanOperand(exp, sig)) {
      return nanField32();
    }
    if (f80IsInfinity(exp, sig)) return (sign << 31) | 0x7f800000;
  } else if (sig == 0) {
    return sign << 31;
  }
  const normal = f80Normalize(exp, sig);
  return (sign << 31) | <u32>narrow(sign, normalExponent - 16256, normal, 24, 0xff);
}

/** FST m64. */
export function f80ToF64(exp: u32, sig: u64): u64 {
  const sign = exp >> 15;
  if (f80IsSpecial(exp, sig)) {
    if (f80NanOperand(exp, sig)) {
      return nanField64();
    }
    if (f80IsInfinity(exp, sig)) return (<u64>sign << 63) | 0x7ff0000000000000;
  } else if (sig == 0) {
    return <u64>sign << 63;
  }
  const normal = f80Normalize(exp, sig);
  return (<u64>sign << 63) | narrow(sign, normalExponent - 15360, normal, 53, 0x7ff);
}

// @ts-ignore: decorator
@inline
function nanField32(): u32 {
  return ((f80Exp & 0x8000) << 16) | 0x7f800000 | (<u32>(f80Sig >> 40) & 0x7fffff);
}

// @ts-ignore: decorator
@inline
function nanField64(): u64 {
  return (<u64>(f80Exp & 0x8000) << 48) | 0x7ff0000000000000 | (f80Sig << 1 >> 12);
}

/**
 * To a signed integer of `bits` (16, 32, 64) by the mode; the most negative number and IE when it does not fit.
 */
export function f80ToInt(exp: u32, sig: u64, bits: u32, mode: u32): i64 {
  const indefinite: i64 = -1 << <i64>(bits - 1);
  const e = <i32>(exp & 0x7fff) - 16383;
  if (f80IsUnsupported(exp, sig) || e >= 64) {
    f80Raise(FLAG_INVALID);
    return indefinite;
  }
  const sign = exp >> 15;
  const overflowed = !roundMagnitude(sign, e, sig, mode);
  if (overflowed || magnitude > (<u64>1 << (bits - 1)) - (sign == 0 ? 1 : 0)) {
    f80Raise(FLAG_INVALID);
    f80ClearC1();
    f80Flags &= ~FLAG_INEXACT;
    return indefinite;
  }
  return sign != 0 ? -(<i64>magnitude) : <i64>magnitude;
}

// Result of roundMagnitude.
let magnitude: u64 = 0;

/** Rounds sig * 2^(e - 63) to an integer in `magnitude`, raising PE and C1; false when it needs more than 64 bits. */
function roundMagnitude(sign: u32, e: i32, sig: u64, mode: u32): bool {
  if (e >= 63) {
    magnitude = sig;
    return e == 63;
  }
  let rest: u64;
  if (e < -1) {
    magnitude = 0;
    rest = sig != 0 ? 1 : 0;
  } else {
    const shift = 63 - e;
    magnitude = shift == 64 ? 0 : sig >> shift;
    rest = shift == 64 ? sig : sig << (64 - shift);
  }
  if (rest == 0) return true;
  f80Raise(FLAG_INEXACT);
  let up: bool;
  if (mode == ROUND_NEAREST) up = rest > INTEGER_BIT || (rest == INTEGER_BIT && (magnitude & 1) != 0);
  else up = mode != ROUND_ZERO && (mode == ROUND_UP) == (sign == 0);
  if (up) {
    magnitude++;
    f80Raise(FLAG_C1);
  }
  return true;
}

/** FRNDINT. */
export function f80RoundToInt(exp: u32, sig: u64): void {
  if (f80NanOperand(exp, sig)) return;
  const e = <i32>(exp & 0x7fff) - 16383;
  if (sig == 0 || e >= 63) {
    f80Set(exp, sig);
    return;
  }
  f80NoteDenormal(exp, sig);
  if (f80Stopped()) return;
  const sign = exp & 0x8000;
  roundMagnitude(sign >> 15, e, sig, f80Round);
  if (magnitude == 0) {
    f80Set(sign, 0);
    return;
  }
  const shift = <u32>clz(magnitude);
  f80Set(sign | (16446 - shift), magnitude << shift);
}

/** FBLD: 18 packed digits and the sign byte (its low seven bits do not count). Digits above 9 give what carries give. */
export function f80FromBcd(low: u64, high: u32): void {
  let value: u64 = 0;
  for (let i = 4; i >= 0; i -= 4) value = value * 10 + <u64>((high >> i) & 15);
  for (let i: i64 = 60; i >= 0; i -= 4) value = value * 10 + ((low >> i) & 15);
  const sign = high & 0x8000;
  if (value == 0) {
    f80Set(sign, 0);
    return;
  }
  const shift = <u32>clz(value);
  f80Set(sign | (16446 - shift), value << shift);
}

/** Bits 64-79 of the last f80ToBcd. */
export let bcdHigh: u32 = 0;

/** FBSTP: low 64 bits of the packed number, the rest in bcdHigh. IE and the packed indefinite when it does not fit. */
export function f80ToBcd(exp: u32, sig: u64): u64 {
  const e = <i32>(exp & 0x7fff) - 16383;
  const sign = exp >> 15;
  if (f80IsUnsupported(exp, sig) || e >= 63 || !roundMagnitude(sign, e, sig, f80Round) || magnitude > 999999999999999999) {
    f80Flags &= ~(FLAG_C1 | FLAG_INEXACT);
    f80Raise(FLAG_INVALID);
    bcdHigh = 0xffff;
    return 0xc000000000000000;
  }
  let value = magnitude;
  let low: u64 = 0;
  for (let i: u64 = 0; i < 64; i += 4) {
    const next = value / 10;
    low |= (value - next * 10) << i;
    value = next;
  }
  bcdHigh = (exp & 0x8000) | <u32>(value / 10 * 16 + value % 10);
  return low;
}
