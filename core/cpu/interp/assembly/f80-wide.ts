// Arithmetic with 128-bit significands for the transcendental functions, which need more than the 64 bits of their results.
// A wide number is (high:low) / 2^127 * 2^exponent with the top bit of high set; sign apart. Errors are a few units of the
// last of the 128 bits: no step here rounds correctly, the last one (f80RoundPack) does.

import { divWide, mulHigh, mulWide, wideHigh } from './softfloat';

/** Results of the functions below. */
export let wHigh: u64 = 0;
export let wLow: u64 = 0;
export let wExponent: i32 = 0;

// @ts-ignore: decorator
@inline
export function wSet(high: u64, low: u64, exponent: i32): void {
  wHigh = high;
  wLow = low;
  wExponent = exponent;
}

/** Upper 128 bits of the product of two 128-bit numbers, less at most 3, in wHigh:wLow. */
export function wMulHigh(ah: u64, al: u64, bh: u64, bl: u64): void {
  const cross = mulHigh(ah, bl);
  const cross2 = mulHigh(al, bh);
  let low = mulWide(ah, bh);
  let high = wideHigh;
  low += cross;
  if (low < cross) high++;
  low += cross2;
  if (low < cross2) high++;
  wHigh = high;
  wLow = low;
}

/** Moves the top bit of wHigh:wLow to bit 127; the number must not be 0. */
export function wNormalize(): void {
  if (wHigh == 0) {
    wHigh = wLow;
    wLow = 0;
    wExponent -= 64;
  }
  const shift = <i32>clz(wHigh);
  if (shift != 0) {
    wHigh = (wHigh << shift) | (wLow >> (64 - shift));
    wLow <<= shift;
    wExponent -= shift;
  }
}

/** Product of wide numbers. */
export function wMul(ah: u64, al: u64, ae: i32, bh: u64, bl: u64, be: i32): void {
  wMulHigh(ah, al, bh, bl);
  wExponent = ae + be + 1;
  wNormalize();
}

/** Quotient of wide numbers. */
export function wDiv(ah: u64, al: u64, ae: i32, bh: u64, bl: u64, be: i32): void {
  let exponent = ae - be - 1;
  if (ah > bh || (ah == bh && al >= bl)) {
    al = (al >> 1) | (ah << 63);
    ah >>= 1;
    exponent++;
  }
  restHigh = ah;
  restLow = al;
  const high = divDigit(bh, bl);
  const low = divDigit(bh, bl);
  wHigh = high;
  wLow = low;
  wExponent = exponent;
  wNormalize();
}

/** Whether the last wDiv left no rest. */
// @ts-ignore: decorator
@inline
export function wExact(): bool {
  return (restHigh | restLow) == 0;
}

let restHigh: u64 = 0;
let restLow: u64 = 0;

/** One 64-bit digit of restHigh:restLow / dh:dl (rest < divisor, top bit of dh set); leaves the next rest. */
function divDigit(dh: u64, dl: u64): u64 {
  let q: u64;
  let rest: u64;
  let overflowed = false;
  if (restHigh >= dh) {
    q = 0xffffffffffffffff;
    rest = restLow + dh;
    overflowed = rest < dh;
  } else {
    q = divWide(restHigh, restLow, dh);
    rest = wideHigh;
  }
  const low = mulWide(q, dl);
  const high = wideHigh;
  let xl = -low;
  let xh = rest - high - (low != 0 ? 1 : 0);
  let negative = !overflowed && (rest < high || (rest == high && low != 0));
  while (negative) {
    q--;
    xl += dl;
    const carry: u64 = xl < dl ? 1 : 0;
    const before = xh;
    xh += dh + carry;
    negative = !(xh < before || (xh == before && (dh | carry) != 0));
  }
  restHigh = xh;
  restLow = xl;
  return q;
}

/** wHigh:wLow as a fixed-point fraction (times 2^128); the exponent must be negative. */
export function wToFraction(): void {
  const shift = -1 - wExponent;
  if (shift >= 128) {
    wHigh = 0;
    wLow = 0;
  } else if (shift >= 64) {
    wLow = wHigh >> (shift - 64);
    wHigh = 0;
  } else if (shift > 0) {
    wLow = (wLow >> shift) | (wHigh << (64 - shift));
    wHigh >>= shift;
  }
}

/** sum of (-z)^k * table[k], k below `terms`, for a fraction z; same scale as the table, in wHigh:wLow. */
export function wPolyAlternating(table: usize, terms: i32, zh: u64, zl: u64): void {
  let at = table + (<usize>(terms - 1) << 4);
  let high = load<u64>(at);
  let low = load<u64>(at, 8);
  while (at > table) {
    at -= 16;
    wMulHigh(high, low, zh, zl);
    const c = load<u64>(at, 8);
    low = c - wLow;
    high = load<u64>(at) - wHigh - (c < wLow ? 1 : 0);
  }
  wHigh = high;
  wLow = low;
}

/** The same with z^k. */
export function wPoly(table: usize, terms: i32, zh: u64, zl: u64): void {
  let at = table + (<usize>(terms - 1) << 4);
  let high = load<u64>(at);
  let low = load<u64>(at, 8);
  while (at > table) {
    at -= 16;
    wMulHigh(high, low, zh, zl);
    low = load<u64>(at, 8) + wLow;
    high = load<u64>(at) + wHigh + (low < wLow ? 1 : 0);
  }
  wHigh = high;
  wLow = low;
}
