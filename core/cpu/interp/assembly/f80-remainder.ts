// FPREM, FPREM1, FSCALE and FXTRACT on double extended numbers. Specification: Intel SDM volume 2; the partial remainder
// lowers the exponent difference by 32 to 63 a step, as real processors do.

import {
  PRECISION_EXTENDED, f80Exp, f80Invalid, f80IsInfinity, f80IsSpecial, f80IsZero, f80NanOperand, f80NanOperands,
  f80NoteDenormal, f80Normalize, f80Raise, f80Set, f80SetInfinity, f80SetZero, f80Sig, f80Stopped, normalExponent,
} from './f80';
import { f80RoundPack } from './f80-round';
import { FLAG_ZERO_DIVIDE, divWide, wideHigh } from './softfloat';

/** Condition code bits C0, C1, C2, C3 of the last remainder, in place; -1 when there is none to set. */
export let remainderCodes: i32 = -1;

const C0: i32 = 0x100;
const C1: i32 = 0x200;
const C2: i32 = 0x400;
const C3: i32 = 0x4000;

/** Remainder of a by b: truncating (FPREM) or to nearest (FPREM1). */
export function f80Remainder(aExp: u32, aSig: u64, bExp: u32, bSig: u64, nearest: bool): void {
  remainderCodes = -1;
  if (f80IsSpecial(aExp, aSig) || f80IsSpecial(bExp, bSig)) {
    if (f80NanOperands(aExp, aSig, bExp, bSig)) return;
  }
  if (f80IsInfinity(aExp, aSig) || f80IsZero(bExp, bSig)) {
    f80Invalid();
    return;
  }
  f80NoteDenormal(aExp, aSig);
  f80NoteDenormal(bExp, bSig);
  if (f80Stopped()) return;
  if (f80IsZero(aExp, aSig)) {
    remainderCodes = 0;
    f80Set(aExp, aSig);
    return;
  }
  let sign = aExp >> 15;
  const ma = f80Normalize(aExp, aSig);
  const ea = normalExponent;
  if (f80IsInfinity(bExp, bSig)) {
    remainderCodes = 0;
    f80RoundPack(sign, ea, ma, 0, PRECISION_EXTENDED);
    return;
  }
  const mb = f80Normalize(bExp, bSig);
  const eb = normalExponent;
  const distance = ea - eb;
  const least = nearest ? -1 : 0;
  if (distance < least) {
    remainderCodes = 0;
    f80RoundPack(sign, ea, ma, 0, PRECISION_EXTENDED);
    return;
  }
  if (distance >= 64) {
    // Partial: the quotient's top bits are taken off.
    const step = 32 + (distance & 31);
    divWide(ma >> (64 - step), ma << step, mb);
    packRemainder(sign, eb + distance - step, wideHigh);
    remainderCodes = C2;
    return;
  }
  let quotient: u64;
  let rest: u64;
  if (distance < 0) {
    // Half of the divisor at most half a unit away: only FPREM1 comes here. Compare a with b / 2, that is ma with mb.
    quotient = 0;
    rest = ma;
    if (ma > mb) {
      // a > b / 2: the result is a - b, in units of 2^(ea)
      quotient = 1;
      sign ^= 1;
      // 2 * mb - ma may need 65 bits: it is below mb since ma > mb
      rest = mb - (ma - mb);
    }
    packRemainder(sign, ea, rest);
  } else {
    quotient = distance == 0 ? (ma >= mb ? 1 : 0) : divWide(ma >> (64 - distance), ma << distance, mb);
    rest = distance == 0 ? (ma >= mb ? ma - mb : ma) : wideHigh;
    if (nearest && (rest > mb - rest || (rest == mb - rest && (quotient & 1) != 0))) {
      quotient++;
      rest = mb - rest;
      sign ^= 1;
    }
    packRemainder(sign, eb, rest);
  }
  const q = <i32>quotient;
  remainderCodes = ((q & 4) != 0 ? C0 : 0) | ((q & 2) != 0 ? C3 : 0) | ((q & 1) != 0 ? C1 : 0);
}

/** Remainders are exact; a zero keeps the sign of the dividend. */
function packRemainder(sign: u32, exponent: i32, rest: u64): void {
  if (rest == 0) {
    f80SetZero(sign);
    return;
  }
  const shift = <i32>clz(rest);
  f80RoundPack(sign, exponent - shift, rest << shift, 0, PRECISION_EXTENDED);
}

/** a * 2^trunc(b). */
export function f80Scale(aExp: u32, aSig: u64, bExp: u32, bSig: u64): void {
  if (f80IsSpecial(aExp, aSig) || f80IsSpecial(bExp, bSig)) {
    if (f80NanOperands(aExp, aSig, bExp, bSig)) return;
  }
  const sign = aExp >> 15;
  const aInfinite = f80IsInfinity(aExp, aSig);
  if (f80IsInfinity(bExp, bSig)) {
    const down = bExp >> 15 != 0;
    if (down ? aInfinite : f80IsZero(aExp, aSig)) {
      f80Invalid();
      return;
    }
    f80NoteDenormal(aExp, aSig);
    if (f80Stopped()) return;
    if (down) f80SetZero(sign);
    else f80SetInfinity(sign);
    return;
  }
  f80NoteDenormal(aExp, aSig);
  f80NoteDenormal(bExp, bSig);
  if (f80Stopped()) return;
  if (aInfinite || f80IsZero(aExp, aSig)) {
    f80Set(aExp, aSig);
    return;
  }
  const e = <i32>(bExp & 0x7fff) - 16383;
  let scale: i32 = 0;
  if (e >= 16) scale = 0x10000;
  else if (e >= 0) scale = <i32>(bSig >> (63 - e));
  if (bExp >> 15 != 0) scale = -scale;
  const normal = f80Normalize(aExp, aSig);
  f80RoundPack(sign, normalExponent + scale, normal, 0, PRECISION_EXTENDED);
}

/** Exponent part of the last f80Extract. */
export let extractExp: u32 = 0;
export let extractSig: u64 = 0;

/** FXTRACT: the significand is left as the result, the exponent in extractExp/extractSig. */
export function f80Extract(exp: u32, sig: u64): void {
  if (f80NanOperand(exp, sig)) {
    extractExp = f80Exp;
    extractSig = f80Sig;
    return;
  }
  if (f80IsInfinity(exp, sig)) {
    f80Set(exp, sig);
    extractExp = 0x7fff;
    extractSig = 0x8000000000000000;
    return;
  }
  if (f80IsZero(exp, sig)) {
    f80Raise(FLAG_ZERO_DIVIDE);
    f80Set(exp, sig);
    extractExp = 0xffff;
    extractSig = 0x8000000000000000;
    return;
  }
  f80NoteDenormal(exp, sig);
  if (f80Stopped()) return;
  const normal = f80Normalize(exp, sig);
  const e = normalExponent - 16383;
  if (e == 0) {
    extractExp = 0;
    extractSig = 0;
  } else {
    const magnitude: u64 = e < 0 ? <u64>(-e) : <u64>e;
    const shift = <u32>clz(magnitude);
    extractExp = (e < 0 ? 0x8000 : 0) | (16446 - shift);
    extractSig = magnitude << shift;
  }
  f80Set((exp & 0x8000) | 0x3fff, normal);
}
