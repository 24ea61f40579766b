// Rounding of double extended results to the precision in force, with masked and unmasked overflow and underflow.
// Tininess is detected after rounding. Specification: Intel SDM volume 1, sections 4.8.4, 8.5.4 to 8.5.6.

import {
  FLAG_C1, PRECISION_DOUBLE, PRECISION_SINGLE, f80Flags, f80Round, f80Set, f80SetInfinity, f80SetZero, f80Exp, f80Sig, f80Unmasked,
} from './f80';
import { FLAG_INEXACT, FLAG_OVERFLOW, FLAG_UNDERFLOW, ROUND_NEAREST, ROUND_UP, ROUND_ZERO, roundIncrement } from './softfloat';

const INTEGER_BIT: u64 = 0x8000000000000000;
/** Exponent adjustment of unmasked overflow and underflow. */
const WRAP: i32 = 24576;

/**
 * Rounds hi:lo (top bit of hi set) * 2^(exponent - 16383 - 127) to the precision in force and leaves the result. Masked
 * and unmasked overflow and underflow give what the x87 puts into a register.
 */
export function f80RoundPack(sign: u32, exponent: i32, hi: u64, lo: u64, precision: u32): void {
  let mask: u64 = 0;
  if (precision == PRECISION_DOUBLE) mask = 0x7ff;
  else if (precision == PRECISION_SINGLE) mask = 0xffffffffff;
  if (exponent <= 0) {
    roundTiny(sign, exponent, hi, lo, mask);
    return;
  }
  if (mask == 0) {
    if (lo != 0) {
      f80Flags |= FLAG_INEXACT;
      let up: bool;
      if (f80Round == ROUND_NEAREST) up = lo > INTEGER_BIT || (lo == INTEGER_BIT && (hi & 1) != 0);
      else up = f80Round != ROUND_ZERO && (f80Round == ROUND_UP) == (sign == 0);
      // Random data go up half of the time: no branch for that.
      f80Flags |= <u32>up * FLAG_C1;
      hi += <u64>up;
      if (hi == 0) {
        hi = INTEGER_BIT;
        exponent++;
      }
    }
  } else {
    if (lo != 0) hi |= 1;
    const rest = hi & mask;
    if (rest != 0) {
      f80Flags |= FLAG_INEXACT;
      const half = (mask >> 1) + 1;
      const sum = hi + roundIncrement(f80Round, sign, half, mask);
      let rounded = sum & ~mask;
      if (f80Round == ROUND_NEAREST && rest == half) rounded &= ~((mask + 1) | mask);
      if (sum < hi) {
        rounded = INTEGER_BIT;
        exponent++;
        f80Flags |= FLAG_C1;
      } else if (rounded > hi) {
        f80Flags |= FLAG_C1;
      }
      hi = rounded;
    }
  }
  if (exponent >= 0x7fff) {
    overflow(sign, exponent, hi, mask);
    return;
  }
  f80Exp = (sign << 15) | <u32>exponent;
  f80Sig = hi;
}

/** Overflow of an already rounded result. */
function overflow(sign: u32, exponent: i32, hi: u64, mask: u64): void {
  f80Flags |= FLAG_OVERFLOW;
  if ((f80Unmasked & FLAG_OVERFLOW) != 0) {
    exponent -= WRAP;
    if (exponent >= 0x7fff) {
      // Out of reach even of the adjustment: FSCALE by a huge number.
      f80Flags |= FLAG_INEXACT | FLAG_C1;
      f80SetInfinity(sign);
    } else f80Set((sign << 15) | <u32>exponent, hi);
    return;
  }
  f80Flags = (f80Flags & ~FLAG_C1) | FLAG_INEXACT;
  if (f80Round == ROUND_NEAREST || (f80Round != ROUND_ZERO && (f80Round == ROUND_UP) == (sign == 0))) {
    f80Flags |= FLAG_C1;
    f80SetInfinity(sign);
  } else {
    f80Set((sign << 15) | 0x7ffe, ~mask);
  }
}

/** Rounding below the normal range. */
function roundTiny(sign: u32, exponent: i32, hi: u64, lo: u64, mask: u64): void {
  // Jam everything below the kept bits into (kept, rest): rest in units of 2^-64 of the last kept bit.
  let kept = hi;
  let rest = lo;
  if ((f80Unmasked & FLAG_UNDERFLOW) != 0 || exponent == 0) {
    // Rounded as if the exponent had no bounds: decides tininess, and is the unmasked result.
    let up: bool;
    let tail: u64 = rest;
    let lastBit: u64 = 1;
    if (mask != 0) {
      const bits = <i32>popcnt(mask);
      tail = ((hi & mask) << (64 - bits)) | (lo != 0 ? 1 : 0);
      lastBit = mask + 1;
    }
    if (f80Round == ROUND_NEAREST) up = tail > INTEGER_BIT || (tail == INTEGER_BIT && (hi & lastBit) != 0);
    else up = tail != 0 && f80Round != ROUND_ZERO && (f80Round == ROUND_UP) == (sign == 0);
    let unbounded = (hi & ~mask) + (up ? lastBit : 0);
    let unboundedExponent = exponent;
    if (unbounded == 0) {
      unbounded = INTEGER_BIT;
      unboundedExponent++;
    }
    if (unboundedExponent > 0) {
      // Not tiny after all.
      f80Flags |= FLAG_INEXACT | FLAG_C1;
      f80Set((sign << 15) | 1, INTEGER_BIT);
      return;
    }
    if ((f80Unmasked & FLAG_UNDERFLOW) != 0) {
      f80Flags |= FLAG_UNDERFLOW;
      if (tail != 0) f80Flags |= up ? FLAG_INEXACT | FLAG_C1 : FLAG_INEXACT;
      unboundedExponent += WRAP;
      if (unboundedExponent <= 0) {
        f80Flags |= FLAG_INEXACT;
        f80SetZero(sign);
      } else f80Set((sign << 15) | <u32>unboundedExponent, unbounded);
      return;
    }
  }
  const shift = 1 - exponent;
  if (shift >= 64) {
    rest = shift == 64 ? kept | (rest != 0 ? 1 : 0) : 1;
    kept = 0;
  } else {
    rest = (kept << (64 - shift)) | (rest != 0 ? 1 : 0);
    kept >>= shift;
  }
  let lastBit: u64 = 1;
  if (mask != 0) {
    const bits = <i32>popcnt(mask);
    rest = ((kept & mask) << (64 - bits)) | (rest != 0 ? 1 : 0);
    kept &= ~mask;
    lastBit = mask + 1;
  }
  if (rest != 0) {
    f80Flags |= FLAG_INEXACT | FLAG_UNDERFLOW;
    let up: bool;
    if (f80Round == ROUND_NEAREST) up = rest > INTEGER_BIT || (rest == INTEGER_BIT && (kept & lastBit) != 0);
    else up = f80Round != ROUND_ZERO && (f80Round == ROUND_UP) == (sign == 0);
    if (up) {
      kept += lastBit;
      f80Flags |= FLAG_C1;
    }
  }
  f80Set((sign << 15) | (kept >> 63 != 0 ? 1 : 0), kept);
}
