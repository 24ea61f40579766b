// F2XM1, FYL2X and FYL2XP1: exponential and logarithms to base 2.

import {
  PRECISION_EXTENDED, f80Exp, f80Invalid, f80IsInfinity, f80IsSpecial, f80NanOperand, f80NanOperands, f80NoteDenormal,
  f80Normalize, f80Raise, f80Set, f80SetInfinity, f80SetZero, f80Stopped, normalExponent,
} from './f80';
import { f80RoundPack } from './f80-round';
import { EXPONENTIAL, LN2_HIGH, LN2_LOW, ODD_RECIPROCALS, TWO_LOG2E_HIGH, TWO_LOG2E_LOW } from './f80-tables';
import {
  wDiv, wExponent, wHigh, wLow, wMul, wNormalize, wPoly, wPolyAlternating, wSet, wToFraction,
} from './f80-wide';
import { FLAG_INEXACT, FLAG_UNDERFLOW, FLAG_ZERO_DIVIDE } from './softfloat';

const TOP: u64 = 0x8000000000000000;
/** Significand of the square root of 2. */
const ROOT2: u64 = 0xb504f333f9de6484;

/** 2^x - 1 for x from -1 to 1. Outside of that, where the result is undefined, x itself as AMD's processors give. */
export function f80Exp2Minus1(exp: u32, sig: u64): void {
  if (f80NanOperand(exp, sig)) return;
  const sign = exp >> 15;
  if (f80IsInfinity(exp, sig)) {
    if (sign != 0) f80Set(0xbfff, TOP);
    else f80Set(exp, sig);
    return;
  }
  if (sig == 0) {
    f80Set(exp, sig);
    return;
  }
  f80NoteDenormal(exp, sig);
  if (f80Stopped()) return;
  const normal = f80Normalize(exp, sig);
  const e = normalExponent - 16383;
  if (e >= 0) {
    f80Raise(FLAG_INEXACT);
    if (e == 0 && normal == TOP) f80Set(sign != 0 ? 0xbffe : 0x3fff, TOP);
    else f80Set(exp, sig);
    return;
  }
  wMul(normal, 0, e, LN2_HIGH, LN2_LOW, -1);
  const yh = wHigh;
  const yl = wLow;
  const ye = wExponent;
  wToFraction();
  if (sign != 0) wPolyAlternating(EXPONENTIAL(), 28, wHigh, wLow);
  else wPoly(EXPONENTIAL(), 28, wHigh, wLow);
  wMul(yh, yl, ye, wHigh, wLow, 0);
  f80RoundPack(sign, wExponent + 16383, wHigh, wLow | 1, PRECISION_EXTENDED);
}

// Sign of the last logarithm, and whether it is exact.
let logNegative: u32 = 0;
let logExact: bool = false;

/** Logarithm to base 2 from s = (m - 1) / (m + 1), |s| <= 0.172, in wHigh…: leaves a wide number. */
function logFromRatio(): void {
  const sh = wHigh;
  const sl = wLow;
  const se = wExponent;
  if (se < -64) {
    wSet(0, 0, 0);
  } else {
    wMul(sh, sl, se, sh, sl, se);
    wToFraction();
  }
  wPoly(ODD_RECIPROCALS(), 24, wHigh, wLow);
  wMul(sh, sl, se, wHigh, wLow, 0);
  wMul(wHigh, wLow, wExponent, TWO_LOG2E_HIGH, TWO_LOG2E_LOW, 1);
}

/** Logarithm to base 2 of the wide number high:low * 2^(e - 127); its size as a wide number (0 for 1), sign in logNegative. */
function log2(high: u64, low: u64, e: i32): void {
  // Fraction part from sqrt(1/2) to sqrt(2): above sqrt(2) take half of it.
  const halved = high >= ROOT2;
  let nh: u64;
  let nl: u64;
  if (halved) {
    // 1 - m and 1 + m in units of 2^-128
    e++;
    nl = -low;
    nh = -high - (low != 0 ? 1 : 0);
  } else {
    nh = high - TOP;
    nl = low;
  }
  const size: u64 = e < 0 ? <u64>(-e) : <u64>e;
  if ((nh | nl) == 0) {
    logExact = true;
    logNegative = e < 0 ? 1 : 0;
    if (e == 0) {
      wSet(0, 0, 0);
      return;
    }
    wSet(size, 0, 63);
    wNormalize();
    return;
  }
  logExact = false;
  wSet(nh, nl, halved ? -1 : 0);
  wNormalize();
  const numeratorHigh = wHigh;
  const numeratorLow = wLow;
  const numeratorExponent = wExponent;
  // The denominator is between 1.7 and 2.42: halve it to fit.
  let dh: u64;
  let dl: u64;
  if (halved) {
    // (1 + m) * 2^127 with m = high:low / 2^128
    dl = (low >> 1) | (high << 63);
    dh = (high >> 1) | TOP;
    wDiv(numeratorHigh, numeratorLow, numeratorExponent, dh, dl, 0);
  } else {
    // (1 + m) * 2^126 with m = high:low / 2^127
    dl = (low >> 1) | (high << 63);
    dh = (high >> 1) + 0x4000000000000000;
    wDiv(numeratorHigh, numeratorLow, numeratorExponent, dh, dl, 1);
  }
  logFromRatio();
  if (e == 0) {
    logNegative = halved ? 1 : 0;
    return;
  }
  // Add the exponent in units of 2^-112.
  wExponent -= 16;
  wToFraction();
  logNegative = e < 0 ? 1 : 0;
  const whole = size << 48;
  if ((e < 0) == halved) {
    wSet(whole + wHigh, wLow, 15);
  } else {
    wSet(whole - wHigh - (wLow != 0 ? 1 : 0), -wLow, 15);
  }
  wNormalize();
}

/** y times the logarithm just computed. */
function packProduct(yExp: u32, ySig: u64): void {
  const sign = (yExp >> 15) ^ logNegative;
  if ((wHigh | wLow) == 0 || ySig == 0) {
    f80SetZero(sign);
    return;
  }
  const y = f80Normalize(yExp, ySig);
  wMul(wHigh, wLow, wExponent, y, 0, normalExponent - 16383);
  f80RoundPack(sign, wExponent + 16383, wHigh, logExact ? wLow : wLow | 1, PRECISION_EXTENDED);
  // Processors raise PE (and UE for tiny results) also when a power of two makes the result exact.
  f80Raise((f80Exp & 0x7fff) == 0 ? FLAG_INEXACT | FLAG_UNDERFLOW : FLAG_INEXACT);
}

/** y * log2(x). */
export function f80YLog2X(yExp: u32, ySig: u64, xExp: u32, xSig: u64): void {
  if (f80IsSpecial(yExp, ySig) || f80IsSpecial(xExp, xSig)) {
    if (f80NanOperands(yExp, ySig, xExp, xSig)) return;
  }
  const ySign = yExp >> 15;
  const yInfinite = f80IsInfinity(yExp, ySig);
  if (xSig == 0) {
    if (ySig == 0) {
      f80Invalid();
      return;
    }
    if (!yInfinite) f80Raise(FLAG_ZERO_DIVIDE);
    f80SetInfinity(ySign ^ 1);
    return;
  }
  if (xExp >> 15 != 0) {
    f80Invalid();
    return;
  }
  const one = xExp == 0x3fff && xSig == TOP;
  if (yInfinite && one) {
    f80Invalid();
    return;
  }
  if (f80IsInfinity(xExp, xSig) && ySig == 0) {
    f80Invalid();
    return;
  }
  f80NoteDenormal(yExp, ySig);
  f80NoteDenormal(xExp, xSig);
  if (f80Stopped()) return;
  if (yInfinite || f80IsInfinity(xExp, xSig)) {
    f80SetInfinity(ySign ^ (xExp < 0x3fff ? 1 : 0));
    return;
  }
  const x = f80Normalize(xExp, xSig);
  log2(x, 0, normalExponent - 16383);
  packProduct(yExp, ySig);
}

/**
 * y * log2(x + 1). Defined for |x| < 1 - sqrt(1/2); beyond, what the formula gives, and x itself from
 * -1 down, as AMD's processors do.
 */
export function f80YLog2XPlus1(yExp: u32, ySig: u64, xExp: u32, xSig: u64): void {
  if (f80IsSpecial(yExp, ySig) || f80IsSpecial(xExp, xSig)) {
    if (f80NanOperands(yExp, ySig, xExp, xSig)) return;
  }
  const xSign = xExp >> 15;
  const ySign = yExp >> 15;
  const xInfinite = f80IsInfinity(xExp, xSig);
  const yInfinite = f80IsInfinity(yExp, ySig);
  if ((xInfinite && (xSign != 0 || ySig == 0)) || (yInfinite && xSig == 0)) {
    f80Invalid();
    return;
  }
  f80NoteDenormal(yExp, ySig);
  f80NoteDenormal(xExp, xSig);
  if (f80Stopped()) return;
  if (xInfinite || yInfinite) {
    f80SetInfinity(xSign ^ ySign);
    return;
  }
  if (xSig == 0 || ySig == 0) {
    f80SetZero(xSign ^ ySign);
    return;
  }
  const x = f80Normalize(xExp, xSig);
  const e = normalExponent - 16383;
  if (e < -2 || (e == -2 && (xSign == 0 || x < 0x95f619980c4336f7))) {
    // s = x / (2 + x)
    wSet(x, 0, e - 2);
    wToFraction();
    // (2 + x) * 2^126
    let dh: u64;
    let dl: u64 = 0;
    if (xSign == 0) {
      dh = TOP + wHigh;
      dl = wLow;
    } else {
      dh = TOP - wHigh - (wLow != 0 ? 1 : 0);
      dl = -wLow;
    }
    wSet(dh, dl, 1);
    wNormalize();
    wDiv(x, 0, e, wHigh, wLow, wExponent);
    logNegative = xSign;
    logExact = false;
    logFromRatio();
    packProduct(yExp, ySig);
    return;
  }
  if (xSign != 0) {
    if (e >= 0) {
      f80Raise(FLAG_INEXACT);
      f80Set(xExp, xSig);
      return;
    }
    // 1 - |x|
    wSet(x, 0, e);
    wToFraction();
    wSet(-wHigh - (wLow != 0 ? 1 : 0), -wLow, -1);
    wNormalize();
  } else if (e < 0) {
    // 1 + x = (TOP + x / 2) / 2^63
    wSet(TOP | (x >> (-e)), x << (64 + e), 0);
  } else if (e < 64) {
    // x + 1 in units of 2^(e - 127); a carry out of the top moves the exponent
    wSet(x, 0, e);
    const oneHigh: u64 = TOP >> e;
    const high = x + oneHigh;
    if (high < x) wSet((high >> 1) | TOP, high << 63, e + 1);
    else wSet(high, 0, e);
  } else {
    wSet(x, 1, e);
  }
  log2(wHigh, wLow, wExponent);
  packProduct(yExp, ySig);
}
