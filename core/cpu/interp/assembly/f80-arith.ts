// Double extended addition, multiplication, division, square root and comparison, in integer code.

import {
  f80Invalid, f80IsNan, f80IsSignaling, f80IsSpecial, f80IsUnsupported, f80IsZero, f80NanOperand, f80NanOperands, f80NoteDenormal,
  f80Normalize, f80Precision, f80Raise, f80Round, f80Set, f80SetInfinity, f80SetZero, f80Stopped, normalExponent,
} from './f80';
import { f80RoundPack } from './f80-round';
import {
  FLAG_INVALID, FLAG_ZERO_DIVIDE, ROUND_DOWN, divWide, mulWide, partExponent, partsSqrtFull, wideHigh,
} from './softfloat';

const INTEGER_BIT: u64 = 0x8000000000000000;

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
  // One place to the left for products below 2, without a branch.
  const shift = (high >> 63) ^ 1;
  high = (high << shift) | ((low >> 63) & shift);
  low <<= shift;
  exponent -= <i32>shift;
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
