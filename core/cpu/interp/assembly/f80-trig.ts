// FSIN, FCOS, FSINCOS, FPTAN and FPATAN. Angles of 2^63 and more are refused (C2). Like the processors, the reduction uses
// a pi of 66 bits, so the remainder is exact and large arguments give the silicon's results, not the mathematical ones.

import {
  PRECISION_EXTENDED, f80Invalid, f80IsInfinity, f80IsSpecial, f80IsZero, f80NanOperand, f80NanOperands, f80NoteDenormal,
  f80Normalize, f80Set, f80SetZero, f80Stopped, normalExponent,
} from './f80';
import { f80RoundPack } from './f80-round';
import { ARC_TANGENTS, COSINE, ODD_RECIPROCALS, PI_HIGH, PI_LOW, SINE } from './f80-tables';
import {
  wDiv, wExact, wExponent, wHigh, wLow, wMul, wNormalize, wPolyAlternating, wSet, wToFraction,
} from './f80-wide';

/** pi / 2 in units of 2^-65: 66 bits. */
const HALF_PI_HIGH: u64 = 3;
const HALF_PI_LOW: u64 = 0x243f6a8885a308d3;
/** Largest significand of an angle in [0.5, 1) that is below pi / 4. */
const QUARTER_PI: u64 = 0xc90fdaa22168c234;
const TOP: u64 = 0x8000000000000000;

// The reduced angle, at most pi / 4 in size, and its sign.
let angleHigh: u64 = 0;
let angleLow: u64 = 0;
let angleExponent: i32 = 0;
let angleNegative: u32 = 0;

/** Takes sig * 2^(e - 63) to the nearest multiple of pi / 2; returns that multiple modulo 4. */
function reduce(e: i32, sig: u64): u32 {
  angleNegative = 0;
  if (e < -1 || (e == -1 && sig <= QUARTER_PI)) {
    angleHigh = sig;
    angleLow = 0;
    angleExponent = e;
    return 0;
  }
  let high: u64 = 0;
  let low = sig;
  let multiple: u32 = 0;
  for (let i = e + 2; i > 0; i--) {
    high = (high << 1) | (low >> 63);
    low <<= 1;
    multiple <<= 1;
    if (high > HALF_PI_HIGH || (high == HALF_PI_HIGH && low >= HALF_PI_LOW)) {
      high -= HALF_PI_HIGH + (low < HALF_PI_LOW ? 1 : 0);
      low -= HALF_PI_LOW;
      multiple |= 1;
    }
  }
  // Above pi / 4 the next multiple is nearer.
  const otherLow = HALF_PI_LOW - low;
  const otherHigh = HALF_PI_HIGH - high - (HALF_PI_LOW < low ? 1 : 0);
  if (high > otherHigh || (high == otherHigh && low > otherLow)) {
    high = otherHigh;
    low = otherLow;
    angleNegative = 1;
    multiple++;
  }
  wSet(high, low, 62);
  wNormalize();
  angleHigh = wHigh;
  angleLow = wLow;
  angleExponent = wExponent;
  return multiple & 3;
}

/** Square of the reduced angle as a fraction. */
function squareAngle(): void {
  if (angleExponent < -64) {
    wSet(0, 0, 0);
    return;
  }
  wMul(angleHigh, angleLow, angleExponent, angleHigh, angleLow, angleExponent);
  wToFraction();
}

/** Sine of the reduced angle's size. */
function sineKernel(): void {
  squareAngle();
  wPolyAlternating(SINE(), 16, wHigh, wLow);
  wMul(angleHigh, angleLow, angleExponent, wHigh, wLow, 0);
  // Always a little less than the angle, also when 128 bits do not show it.
  if (angleExponent < -60) stepDown(angleHigh, angleLow, angleExponent);
}

/** The number just below. */
function stepDown(high: u64, low: u64, exponent: i32): void {
  wSet(low == 0 ? high - 1 : high, low - 1, exponent);
  wNormalize();
}

/** Cosine of the reduced angle. */
function cosineKernel(): void {
  squareAngle();
  wPolyAlternating(COSINE(), 17, wHigh, wLow);
  wExponent = 0;
  if (wHigh == TOP) wSet(TOP - 1, 0xffffffffffffffff, 0);
  wNormalize();
}

// @ts-ignore: decorator
@inline
function pack(sign: u32): void {
  f80RoundPack(sign, wExponent + 16383, wHigh, wLow | 1, PRECISION_EXTENDED);
}

/** Outcomes of the angle functions. */
export const ANGLE_DONE: i32 = 0;
/** A special operand decided the result. */
export const ANGLE_SPECIAL: i32 = 1;
/** Out of range: C2, operand unchanged. */
export const ANGLE_RANGE: i32 = 2;
/** Usual case: the caller goes on with the functions below. */
const ANGLE_NUMBER: i32 = 3;

let quadrant: u32 = 0;
let angleSign: u32 = 0;

/** Sorts out special operands and reduces the others. */
function prepare(exp: u32, sig: u64): i32 {
  if (f80NanOperand(exp, sig)) return ANGLE_SPECIAL;
  if (f80IsInfinity(exp, sig)) {
    f80Invalid();
    return ANGLE_SPECIAL;
  }
  if (f80IsZero(exp, sig)) return ANGLE_DONE;
  f80NoteDenormal(exp, sig);
  if (f80Stopped()) return ANGLE_SPECIAL;
  const normal = f80Normalize(exp, sig);
  const e = normalExponent - 16383;
  if (e >= 63) return ANGLE_RANGE;
  angleSign = exp >> 15;
  quadrant = reduce(e, normal);
  return ANGLE_NUMBER;
}

function packSine(): void {
  if ((quadrant & 1) != 0) {
    cosineKernel();
    pack(angleSign ^ (quadrant >> 1));
  } else {
    sineKernel();
    pack(angleSign ^ (quadrant >> 1) ^ angleNegative);
  }
}

function packCosine(): void {
  if ((quadrant & 1) != 0) {
    sineKernel();
    pack((quadrant >> 1) ^ 1 ^ angleNegative);
  } else {
    cosineKernel();
    pack(quadrant >> 1);
  }
}

export function f80Sine(exp: u32, sig: u64): i32 {
  const kind = prepare(exp, sig);
  if (kind == ANGLE_NUMBER) packSine();
  else if (kind == ANGLE_DONE) f80Set(exp, sig);
  return kind == ANGLE_NUMBER ? ANGLE_DONE : kind;
}

export function f80Cosine(exp: u32, sig: u64): i32 {
  const kind = prepare(exp, sig);
  if (kind == ANGLE_NUMBER) packCosine();
  else if (kind == ANGLE_DONE) f80Set(0x3fff, TOP);
  return kind == ANGLE_NUMBER ? ANGLE_DONE : kind;
}

export function f80Tangent(exp: u32, sig: u64): i32 {
  const kind = prepare(exp, sig);
  if (kind == ANGLE_DONE) f80Set(exp, sig);
  if (kind != ANGLE_NUMBER) return kind;
  sineKernel();
  const sh = wHigh;
  const sl = wLow;
  const se = wExponent;
  cosineKernel();
  const sign = angleSign ^ angleNegative;
  if ((quadrant & 1) != 0) {
    wDiv(wHigh, wLow, wExponent, sh, sl, se);
    pack(sign ^ 1);
  } else {
    // Always a little more than the angle.
    if (angleExponent < -60) wSet(angleHigh, angleLow, angleExponent);
    else wDiv(sh, sl, se, wHigh, wLow, wExponent);
    pack(sign);
  }
  return ANGLE_DONE;
}

/** Left-aligns num (128 bits, not 0) as a wide number of the given exponent of bit 127. */
// @ts-ignore: decorator
@inline
function widen(high: u64, low: u64, exponent: i32): void {
  wSet(high, low, exponent);
  wNormalize();
}

/** Angle of the point (x, y), in (-pi, pi]. */
export function f80ArcTangent(yExp: u32, ySig: u64, xExp: u32, xSig: u64): void {
  if (f80IsSpecial(yExp, ySig) || f80IsSpecial(xExp, xSig)) {
    if (f80NanOperands(yExp, ySig, xExp, xSig)) return;
    f80NoteDenormal(yExp, ySig);
    f80NoteDenormal(xExp, xSig);
    if (f80Stopped()) return;
  }
  const sign = yExp >> 15;
  const left = xExp >> 15 != 0;
  const yInfinite = f80IsInfinity(yExp, ySig);
  const xInfinite = f80IsInfinity(xExp, xSig);
  if (yInfinite) {
    if (xInfinite) packPi(sign, left ? 3 : 1, -2);
    else packPi(sign, 1, -1);
    return;
  }
  if (xInfinite || ySig == 0) {
    if (left) packPi(sign, 1, 0);
    else f80SetZero(sign);
    return;
  }
  if (xSig == 0) {
    packPi(sign, 1, -1);
    return;
  }
  const y = f80Normalize(yExp, ySig);
  const ye = normalExponent;
  const x = f80Normalize(xExp, xSig);
  const xe = normalExponent;
  const steep = ye > xe || (ye == xe && y > x);
  // tangent = b / a <= 1
  const a = steep ? y : x;
  const b = steep ? x : y;
  const distance = steep ? ye - xe : xe - ye;
  let step: u32 = 0;
  let negative = false;
  if (distance < 6) {
    const ratio = <f64>b / <f64>a * (1.0 / <f64>(1 << distance));
    step = <u32>(ratio * 16.0 + 0.5);
  }
  // u = tan(angle - atan(step / 16)) = (16 b - step a) / (16 a + step b)
  if (step == 0) {
    wDiv(b, 0, -distance, a, 0, 0);
  } else {
    // a shifted left by `distance` units so that both have b's scale: at most 64 + 6 + 5 bits.
    const ah = distance == 0 ? <u64>0 : a >> (64 - distance);
    const al = a << distance;
    // 16 b and step * a, step * b and 16 a
    const b16h = b >> 60;
    const b16l = b << 4;
    const k = <u64>step;
    const kal = (al & 0xffffffff) * k;
    const kam = (al >> 32) * k + (kal >> 32);
    const saLow = (kam << 32) | (kal & 0xffffffff);
    const saHigh = ah * k + (kam >> 32);
    const kbl = (b & 0xffffffff) * k;
    const kbm = (b >> 32) * k + (kbl >> 32);
    const sbLow = (kbm << 32) | (kbl & 0xffffffff);
    const sbHigh = kbm >> 32;
    let nl = b16l - saLow;
    let nh = b16h - saHigh - (b16l < saLow ? 1 : 0);
    if (<i64>nh < 0) {
      negative = true;
      nl = -nl;
      nh = ~nh + (nl == 0 ? 1 : 0);
    }
    const a16l = al << 4;
    const a16h = (ah << 4) | (al >> 60);
    const dl = a16l + sbLow;
    const dh = a16h + sbHigh + (dl < a16l ? 1 : 0);
    if ((nh | nl) == 0) {
      wSet(0, 0, 0);
    } else {
      widen(dh, dl, 0);
      const dnh = wHigh;
      const dnl = wLow;
      const dne = wExponent;
      widen(nh, nl, 0);
      wDiv(wHigh, wLow, wExponent, dnh, dnl, dne);
    }
  }
  // atan(u) = u * (1 - u^2 / 3 + ...), |u| <= 1 / 31
  const exact = wExact();
  const uh = wHigh;
  const ul = wLow;
  const ue = wExponent;
  if ((uh | ul) != 0) {
    if (ue < -64) {
      // A little less than u, which is what cutting off the quotient gives unless that was exact.
      if (exact) stepDown(uh, ul, ue);
    } else {
      wMul(uh, ul, ue, uh, ul, ue);
      wToFraction();
      wPolyAlternating(ODD_RECIPROCALS(), 14, wHigh, wLow);
      wMul(uh, ul, ue, wHigh, wLow, 0);
    }
  }
  if (step == 0 && !steep && !left) {
    pack(sign);
    return;
  }
  // Sum in units of 2^-125.
  if ((wHigh | wLow) != 0) {
    wExponent -= 3;
    wToFraction();
  }
  let low = wLow;
  let high = wHigh;
  const table = ARC_TANGENTS() + (<usize>step << 4);
  const tl = load<u64>(table, 8);
  const th = load<u64>(table);
  if (negative) {
    high = th - high - (tl < low ? 1 : 0);
    low = tl - low;
  } else {
    low += tl;
    high += th + (low < tl ? 1 : 0);
  }
  if (steep) {
    // pi / 2 - angle to the right, pi / 2 + angle to the left
    const hl = (PI_LOW >> 1) | (PI_HIGH << 63);
    const hh = PI_HIGH >> 1;
    if (left) {
      low += hl;
      high += hh + (low < hl ? 1 : 0);
    } else {
      high = hh - high - (hl < low ? 1 : 0);
      low = hl - low;
    }
  } else if (left) {
    high = PI_HIGH - high - (PI_LOW < low ? 1 : 0);
    low = PI_LOW - low;
  }
  wSet(high, low, 2);
  wNormalize();
  pack(sign);
}

/** multiple * pi * 2^scale, rounded. */
function packPi(sign: u32, multiple: u32, scale: i32): void {
  let high = PI_HIGH;
  let low = PI_LOW;
  let exponent = 2 + scale;
  if (multiple == 3) {
    // pi + pi / 2, counted in twice the scale: 3 pi would need 129 bits.
    const halfLow = (low >> 1) | (high << 63);
    low += halfLow;
    high += (high >> 1) + (low < halfLow ? 1 : 0);
    exponent++;
  }
  wSet(high, low, exponent);
  wNormalize();
  pack(sign);
}
