// Double extended precision (x87) arithmetic in integer code: state, rounding, addition, multiplication, division, square
// root, comparison. A value is two numbers: sign << 15 | biased exponent, and the 64-bit significand with its explicit
// integer bit. Results are left in f80Exp and f80Sig. Specification: Intel SDM volume 1, chapter 8.

import {
  FLAG_DENORMAL, FLAG_INEXACT, FLAG_INVALID, FLAG_OVERFLOW, FLAG_UNDERFLOW, FLAG_ZERO_DIVIDE, ROUND_DOWN, ROUND_NEAREST, ROUND_UP, ROUND_ZERO,
  divWide, mulWide, partExponent, partsSqrtFull, roundIncrement, wideHigh,
} from './softfloat';

/** Status word bits beside the exceptions: stack fault, and C1 "rounded up" / "stack overflow". */
export const FLAG_STACK: u32 = 0x40;
export const FLAG_C1: u32 = 0x200;
const FLAGS_BEFORE: u32 = 7;

const INTEGER_BIT: u64 = 0x8000000000000000;
const QUIET: u64 = 0x4000000000000000;
/** Exponent adjustment of unmasked overflow and underflow. */
const WRAP: i32 = 24576;

export const PRECISION_SINGLE: u32 = 0;
export const PRECISION_DOUBLE: u32 = 2;
export const PRECISION_EXTENDED: u32 = 3;

/** The result of the last operation. */
export let f80Exp: u32 = 0;
export let f80Sig: u64 = 0;
/** Status word bits that the instruction has raised so far. */
export let f80Flags: u32 = 0;
export let f80Unmasked: u32 = 0;
export let f80Round: u32 = 0;
export let f80Precision: u32 = 3;

/** Takes masks, rounding and precision from the control word and clears the flag accumulator. */
// @ts-ignore: decorator
@inline
export function f80Begin(controlWord: u32): void {
  f80Flags = 0;
  f80Unmasked = ~controlWord & 0x3f;
  f80Round = (controlWord >> 10) & 3;
  f80Precision = (controlWord >> 8) & 3;
}

// @ts-ignore: decorator
@inline
export function f80Raise(flags: u32): void {
  f80Flags |= flags;
}

/** An unmasked exception found before the computation: operands stay, no result. */
// @ts-ignore: decorator
@inline
export function f80Stopped(): bool {
  return (f80Flags & f80Unmasked & FLAGS_BEFORE) != 0;
}

// @ts-ignore: decorator
@inline
export function f80Set(exp: u32, sig: u64): void {
  f80Exp = exp;
  f80Sig = sig;
}

export function f80SetDefaultNan(): void {
  f80Exp = 0xffff;
  f80Sig = 0xc000000000000000;
}

/** Raises IE and leaves the default NaN. */
export function f80Invalid(): void {
  f80Flags |= FLAG_INVALID;
  f80SetDefaultNan();
}

// @ts-ignore: decorator
@inline
export function f80SetZero(sign: u32): void {
  f80Exp = sign << 15;
  f80Sig = 0;
}

// @ts-ignore: decorator
@inline
export function f80SetInfinity(sign: u32): void {
  f80Exp = (sign << 15) | 0x7fff;
  f80Sig = INTEGER_BIT;
}

/** Encodings that the x87 does not know since the 387: integer bit 0 with a non-zero exponent. */
// @ts-ignore: decorator
@inline
export function f80IsUnsupported(exp: u32, sig: u64): bool {
  return (exp & 0x7fff) != 0 && <i64>sig >= 0;
}

// @ts-ignore: decorator
@inline
export function f80IsNan(exp: u32, sig: u64): bool {
  return (exp & 0x7fff) == 0x7fff && sig << 1 != 0;
}

// @ts-ignore: decorator
@inline
export function f80IsSignaling(exp: u32, sig: u64): bool {
  return (exp & 0x7fff) == 0x7fff && sig << 2 != 0 && (sig & QUIET) == 0;
}

// @ts-ignore: decorator
@inline
export function f80IsInfinity(exp: u32, sig: u64): bool {
  return (exp & 0x7fff) == 0x7fff && sig << 1 == 0;
}

/** Denormal or pseudo-denormal. */
// @ts-ignore: decorator
@inline
export function f80IsDenormal(exp: u32, sig: u64): bool {
  return (exp & 0x7fff) == 0 && sig != 0;
}

// @ts-ignore: decorator
@inline
export function f80IsZero(exp: u32, sig: u64): bool {
  return (exp & 0x7fff) == 0 && sig == 0;
}

/** Neither zero nor denormal, infinity, NaN or unsupported. */
// @ts-ignore: decorator
@inline
export function f80IsNormal(exp: u32, sig: u64): bool {
  return (exp & 0x7fff) - 1 < 0x7ffe && <i64>sig < 0;
}

/** Operands that need the special cases of an operation: anything but zeros and normal numbers. */
// @ts-ignore: decorator
@inline
export function f80IsSpecial(exp: u32, sig: u64): bool {
  const e = exp & 0x7fff;
  return e == 0 ? sig != 0 : e == 0x7fff || <i64>sig >= 0;
}

/** A NaN or unsupported operand decides the result: handled here, true. One-operand form. */
export function f80NanOperand(exp: u32, sig: u64): bool {
  if (f80IsUnsupported(exp, sig)) {
    f80Invalid();
    return true;
  }
  if (!f80IsNan(exp, sig)) return false;
  if ((sig & QUIET) == 0) f80Raise(FLAG_INVALID);
  f80Set(exp, sig | QUIET);
  return true;
}

/** The same for two operands: of two NaNs the one with the larger significand, a quiet one before a signaling one. */
export function f80NanOperands(aExp: u32, aSig: u64, bExp: u32, bSig: u64): bool {
  if (f80IsUnsupported(aExp, aSig) || f80IsUnsupported(bExp, bSig)) {
    f80Invalid();
    return true;
  }
  const aNan = f80IsNan(aExp, aSig);
  const bNan = f80IsNan(bExp, bSig);
  if (!aNan && !bNan) return false;
  const aSignaling = aNan && (aSig & QUIET) == 0;
  const bSignaling = bNan && (bSig & QUIET) == 0;
  if (aSignaling || bSignaling) f80Raise(FLAG_INVALID);
  let takeA: bool;
  if (!bNan) takeA = true;
  else if (!aNan) takeA = false;
  else if (aSignaling != bSignaling) takeA = bSignaling;
  else if (aSig != bSig) takeA = aSig > bSig;
  else takeA = aExp < bExp;
  if (takeA) f80Set(aExp, aSig | QUIET);
  else f80Set(bExp, bSig | QUIET);
  return true;
}

/** Raises DE when the operand is a denormal. */
// @ts-ignore: decorator
@inline
export function f80NoteDenormal(exp: u32, sig: u64): void {
  if (f80IsDenormal(exp, sig)) f80Raise(FLAG_DENORMAL);
}

/** Exponent of the last f80Normalize. */
export let normalExponent: i32 = 0;

/** Significand of a finite non-zero number with its top bit set; exponent (biased, may be <= 0) in normalExponent. */
// @ts-ignore: decorator
@inline
export function f80Normalize(exp: u32, sig: u64): u64 {
  const e = <i32>(exp & 0x7fff);
  if (e != 0) {
    normalExponent = e;
    return sig;
  }
  const shift = <i32>clz(sig);
  normalExponent = 1 - shift;
  return sig << shift;
}

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
      if (up) {
        f80Flags |= FLAG_C1;
        hi++;
        if (hi == 0) {
          hi = INTEGER_BIT;
          exponent++;
        }
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

/** a + b, or a - b when flip is 8000h. */
export function f80Add(aExp: u32, aSig: u64, bExp: u32, bSig: u64, flip: u32): void {
  if (f80IsSpecial(aExp, aSig) || f80IsSpecial(bExp, bSig)) {
    if (f80NanOperands(aExp, aSig, bExp, bSig)) return;
    const aInfinite = (aExp & 0x7fff) == 0x7fff;
    const bInfinite = (bExp & 0x7fff) == 0x7fff;
    if (aInfinite && bInfinite && aExp != (bExp ^ flip)) {
      f80Invalid();
      return;
    }
    f80NoteDenormal(aExp, aSig);
    f80NoteDenormal(bExp, bSig);
    if (f80Stopped()) return;
    if (aInfinite) {
      f80Set(aExp, aSig);
      return;
    }
    if (bInfinite) {
      f80Set(bExp ^ flip, bSig);
      return;
    }
  }
  bExp ^= flip;
  const aSign = aExp >> 15;
  const bSign = bExp >> 15;
  if (aSig == 0 || bSig == 0) {
    if (aSig == 0 && bSig == 0) {
      f80SetZero(aSign == bSign ? aSign : f80Round == ROUND_DOWN ? 1 : 0);
      return;
    }
    const sign = bSig == 0 ? aSign : bSign;
    const normal = bSig == 0 ? f80Normalize(aExp, aSig) : f80Normalize(bExp, bSig);
    f80RoundPack(sign, normalExponent, normal, 0, f80Precision);
    return;
  }
  let ma = f80Normalize(aExp, aSig);
  let ea = normalExponent;
  let mb = f80Normalize(bExp, bSig);
  let eb = normalExponent;
  let sign = aSign;
  if (ea < eb || (ea == eb && ma < mb)) {
    const e = ea;
    ea = eb;
    eb = e;
    const m = ma;
    ma = mb;
    mb = m;
    sign = bSign;
  }
  // The smaller one moves into mb:low; what leaves low sticks in its lowest bit.
  const shift = ea - eb;
  let low: u64 = 0;
  if (shift != 0) {
    if (shift < 64) {
      low = mb << (64 - shift);
      mb >>= shift;
    } else {
      low = shift == 64 ? mb : shift < 128 ? (mb >> (shift - 64)) | ((mb << (128 - shift)) != 0 ? 1 : 0) : 1;
      mb = 0;
    }
  }
  if (aSign == bSign) {
    let sum = ma + mb;
    if (sum < ma) {
      low = (sum << 63) | (low >> 1) | (low & 1);
      sum = (sum >> 1) | INTEGER_BIT;
      ea++;
    }
    f80RoundPack(sign, ea, sum, low, f80Precision);
    return;
  }
  let difference = ma - mb - (low != 0 ? 1 : 0);
  low = -low;
  if ((difference | low) == 0) {
    f80SetZero(f80Round == ROUND_DOWN ? 1 : 0);
    return;
  }
  if (difference == 0) {
    difference = low;
    low = 0;
    ea -= 64;
  }
  const normalize = <i32>clz(difference);
  if (normalize != 0) {
    difference = (difference << normalize) | (low >> (64 - normalize));
    low <<= normalize;
    ea -= normalize;
  }
  f80RoundPack(sign, ea, difference, low, f80Precision);
}

/** a * b. */
export function f80Mul(aExp: u32, aSig: u64, bExp: u32, bSig: u64): void {
  const sign = (aExp ^ bExp) >> 15;
  if (f80IsSpecial(aExp, aSig) || f80IsSpecial(bExp, bSig)) {
    if (f80NanOperands(aExp, aSig, bExp, bSig)) return;
    const aInfinite = (aExp & 0x7fff) == 0x7fff;
    const bInfinite = (bExp & 0x7fff) == 0x7fff;
    if ((aInfinite && f80IsZero(bExp, bSig)) || (bInfinite && f80IsZero(aExp, aSig))) {
      f80Invalid();
      return;
    }
    f80NoteDenormal(aExp, aSig);
    f80NoteDenormal(bExp, bSig);
    if (f80Stopped()) return;
    if (aInfinite || bInfinite) {
      f80SetInfinity(sign);
      return;
    }
  }
  if (aSig == 0 || bSig == 0) {
    f80SetZero(sign);
    return;
  }
  const ma = f80Normalize(aExp, aSig);
  const ea = normalExponent;
  const mb = f80Normalize(bExp, bSig);
  let exponent = ea + normalExponent - 16382;
  let low = mulWide(ma, mb);
  let high = wideHigh;
  if (<i64>high >= 0) {
    high = (high << 1) | (low >> 63);
    low <<= 1;
    exponent--;
  }
  f80RoundPack(sign, exponent, high, low, f80Precision);
}

/** a / b. */
export function f80Div(aExp: u32, aSig: u64, bExp: u32, bSig: u64): void {
  const sign = (aExp ^ bExp) >> 15;
  if (f80IsSpecial(aExp, aSig) || f80IsSpecial(bExp, bSig)) {
    if (f80NanOperands(aExp, aSig, bExp, bSig)) return;
  }
  const aInfinite = (aExp & 0x7fff) == 0x7fff;
  const bInfinite = (bExp & 0x7fff) == 0x7fff;
  if ((aInfinite && bInfinite) || (aSig == 0 && bSig == 0)) {
    f80Invalid();
    return;
  }
  if (bSig == 0 && !aInfinite) {
    f80Raise(FLAG_ZERO_DIVIDE);
    f80SetInfinity(sign);
    return;
  }
  f80NoteDenormal(aExp, aSig);
  f80NoteDenormal(bExp, bSig);
  if (f80Stopped()) return;
  if (aInfinite) {
    f80SetInfinity(sign);
    return;
  }
  if (bInfinite || aSig == 0) {
    f80SetZero(sign);
    return;
  }
  const ma = f80Normalize(aExp, aSig);
  const ea = normalExponent;
  const mb = f80Normalize(bExp, bSig);
  let exponent = ea - normalExponent + 16383;
  let quotient: u64;
  if (ma < mb) {
    quotient = divWide(ma, 0, mb);
    exponent--;
  } else {
    quotient = divWide(ma >> 1, ma << 63, mb);
  }
  const remainder = wideHigh;
  // Only the comparison of the rest with one half matters for rounding.
  const rest: u64 = remainder == 0 ? 0 : remainder > mb - remainder ? 0xc000000000000000 : remainder == mb - remainder ? INTEGER_BIT : 1;
  f80RoundPack(sign, exponent, quotient, rest, f80Precision);
}

/** Square root of a. */
export function f80Sqrt(exp: u32, sig: u64): void {
  if (f80NanOperand(exp, sig)) return;
  if (f80IsZero(exp, sig)) {
    f80Set(exp, sig);
    return;
  }
  if (exp >> 15 != 0) {
    f80Invalid();
    return;
  }
  if (exp == 0x7fff) {
    f80Set(exp, sig);
    return;
  }
  f80NoteDenormal(exp, sig);
  if (f80Stopped()) return;
  const normal = f80Normalize(exp, sig);
  const root = partsSqrtFull(normalExponent - 16383, normal);
  const rest: u64 = wideHigh == 0 ? 0 : wideHigh == 1 ? 1 : 0xc000000000000000;
  f80RoundPack(0, partExponent + 16383, root, rest, f80Precision);
}

/** -1 less, 0 equal, 1 greater, 2 unordered. IE for signaling NaNs and unsupported operands; for all NaNs if signaling. */
export function f80Compare(aExp: u32, aSig: u64, bExp: u32, bSig: u64, signaling: bool): i32 {
  if (f80IsSpecial(aExp, aSig) || f80IsSpecial(bExp, bSig)) {
    if (f80IsUnsupported(aExp, aSig) || f80IsUnsupported(bExp, bSig)) {
      f80Raise(FLAG_INVALID);
      return 2;
    }
    if (f80IsNan(aExp, aSig) || f80IsNan(bExp, bSig)) {
      if (signaling || f80IsSignaling(aExp, aSig) || f80IsSignaling(bExp, bSig)) f80Raise(FLAG_INVALID);
      return 2;
    }
    f80NoteDenormal(aExp, aSig);
    f80NoteDenormal(bExp, bSig);
  }
  return f80Order(aExp, aSig, bExp, bSig);
}

/** Order of two numbers that are no NaNs. */
export function f80Order(aExp: u32, aSig: u64, bExp: u32, bSig: u64): i32 {
  if ((aSig | bSig) == 0) return 0;
  const aSign = aExp >> 15;
  const bSign = bExp >> 15;
  if (aSig == 0) return bSign != 0 ? 1 : -1;
  if (bSig == 0 || aSign != bSign) return aSign != 0 ? -1 : 1;
  // A pseudo-denormal has the value of the same significand with exponent 1.
  const ea = max<u32>(aExp & 0x7fff, 1);
  const eb = max<u32>(bExp & 0x7fff, 1);
  const greater = ea != eb ? ea > eb : aSig > bSig;
  if (ea == eb && aSig == bSig) return 0;
  return greater == (aSign == 0) ? 1 : -1;
}
