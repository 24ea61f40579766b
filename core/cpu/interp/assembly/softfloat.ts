// Shared parts of the IEEE 754 arithmetic in integer code: SSE exception state (MXCSR), 128-bit helpers, and the operations
// on normalised significands that softfloat32.ts and softfloat64.ts (SSE) and f80*.ts (x87) are made of.
//
// Use by SSE handlers: sseBegin(mxcsr); results = f64Add(…) …; flags = sseEnd(); if (flags & sseUnmasked) raise #XM without
// writing the destination; MXCSR |= flags. Flags are those of this instruction only.

/** Exception bits, as in MXCSR bits 0-5 and in the x87 status word. */
export const FLAG_INVALID: u32 = 1;
export const FLAG_DENORMAL: u32 = 2;
export const FLAG_ZERO_DIVIDE: u32 = 4;
export const FLAG_OVERFLOW: u32 = 8;
export const FLAG_UNDERFLOW: u32 = 16;
export const FLAG_INEXACT: u32 = 32;
/** Exceptions found before the computation. */
export const FLAGS_BEFORE: u32 = 7;

export const ROUND_NEAREST: u32 = 0;
export const ROUND_DOWN: u32 = 1;
export const ROUND_UP: u32 = 2;
export const ROUND_ZERO: u32 = 3;

/** Exceptions that the current SSE instruction has met so far. */
export let sseFlags: u32 = 0;
/** Exceptions whose mask bit is clear. */
export let sseUnmasked: u32 = 0;
/** Rounding mode, ROUND_*. */
export let sseRound: u32 = 0;
/** Denormals are zeros. */
export let sseDaz: bool = false;
/** Flush to zero; only while underflow is masked. */
export let sseFtz: bool = false;
/** Native arithmetic may be used: round to nearest. Results that could raise more than PE are sorted out afterwards. */
export let sseNative: bool = true;
/** Native results need no look at exactness: PE is set already and masked. */
export let sseInexactKnown: bool = false;

/** Takes rounding mode, masks, DAZ and FTZ from MXCSR and clears the flag accumulator. */
export function sseBegin(mxcsr: u32): void {
  sseFlags = 0;
  sseUnmasked = ~(mxcsr >> 7) & 0x3f;
  sseRound = (mxcsr >> 13) & 3;
  sseDaz = (mxcsr & 0x40) != 0;
  sseFtz = (mxcsr & 0x8000) != 0 && (mxcsr & 0x800) != 0;
  sseNative = (mxcsr & 0x6000) == 0;
  sseInexactKnown = (mxcsr & 0x1020) == 0x1020;
}

/** Exceptions of the instruction: those found afterwards do not count when one found before is unmasked. */
export function sseEnd(): u32 {
  if ((sseFlags & sseUnmasked & FLAGS_BEFORE) != 0) sseFlags &= FLAGS_BEFORE;
  return sseFlags;
}

// @ts-ignore: decorator
@inline
export function sseRaise(flags: u32): void {
  sseFlags |= flags;
}

/** True when an unmasked exception makes the result of this operation irrelevant. */
// @ts-ignore: decorator
@inline
export function sseStops(flags: u32): bool {
  return (flags & sseUnmasked) != 0;
}

// --- 128-bit helpers. Second results go through globals: WebAssembly code from AssemblyScript returns one value.

/** High half of the last mulWide, remainder of the last divWide. */
export let wideHigh: u64 = 0;

/** 64 x 64 to 128 bits: returns the low half, the high half in wideHigh. */
export function mulWide(a: u64, b: u64): u64 {
  const al = a & 0xffffffff;
  const ah = a >> 32;
  const bl = b & 0xffffffff;
  const bh = b >> 32;
  const ll = al * bl;
  const lh = al * bh;
  const mid = ah * bl + (ll >> 32);
  const mid2 = lh + (mid & 0xffffffff);
  wideHigh = ah * bh + (mid >> 32) + (mid2 >> 32);
  return (mid2 << 32) | (ll & 0xffffffff);
}

/** High half of the product alone. */
export function mulHigh(a: u64, b: u64): u64 {
  const al = a & 0xffffffff;
  const ah = a >> 32;
  const bl = b & 0xffffffff;
  const bh = b >> 32;
  const mid = ah * bl + ((al * bl) >> 32);
  const mid2 = al * bh + (mid & 0xffffffff);
  return ah * bh + (mid >> 32) + (mid2 >> 32);
}

/** Quotient of hi:lo by d with hi < d and the top bit of d set; the remainder is left in wideHigh. */
export function divWide(hi: u64, lo: u64, d: u64): u64 {
  const dh = d >> 32;
  const dl = d & 0xffffffff;
  let q1 = hi / dh;
  let r = hi - q1 * dh;
  const l1 = lo >> 32;
  while (q1 > 0xffffffff || q1 * dl > ((r << 32) | l1)) {
    q1--;
    r += dh;
    if (r > 0xffffffff) break;
  }
  const mid = ((hi << 32) | l1) - q1 * d;
  let q0 = mid / dh;
  r = mid - q0 * dh;
  const l0 = lo & 0xffffffff;
  while (q0 > 0xffffffff || q0 * dl > ((r << 32) | l0)) {
    q0--;
    r += dh;
    if (r > 0xffffffff) break;
  }
  wideHigh = ((mid << 32) | l0) - q0 * d;
  return (q1 << 32) + q0;
}

/** Shift right; bits that fall out are kept as a sticky lowest bit. */
// @ts-ignore: decorator
@inline
export function shiftRightJam(x: u64, count: i32): u64 {
  if (count <= 0) return x;
  if (count >= 64) return x != 0 ? 1 : 0;
  return (x >> count) | ((x << (64 - count)) != 0 ? 1 : 0);
}

/** Integer square root of hi:lo with hi >= 2^62; wideHigh says what is cut off: 0 nothing, 1 less than half, 2 more. */
export function sqrtWide(hi: u64, lo: u64): u64 {
  // A float estimate (53 bits good), one Newton step with a wide division, then exact correction.
  let estimate = sqrt<f64>(<f64>hi) * 4294967296.0;
  let root: u64 = estimate >= 18446744073709549568.0 ? 0 : <u64>estimate;
  if (hi < root) {
    const quotient = divWide(hi, lo, root);
    // (root + quotient) / 2 without losing the carry
    root = (root >> 1) + (quotient >> 1) + (root & quotient & 1);
  } else {
    // hi = 2^64 - k, so the root is about 2^64 - k / 2
    root = (hi >> 1) | 0x8000000000000000;
  }
  // root is within a few units now.
  for (;;) {
    const low = mulWide(root, root);
    const high = wideHigh;
    if (high > hi || (high == hi && low > lo)) {
      root--;
      continue;
    }
    // remainder = n - root^2; root (>= 2^63) is right when the remainder <= 2 * root
    const remLow = lo - low;
    const remHigh = hi - high - (lo < low ? 1 : 0);
    if (remHigh > 1 || (remHigh == 1 && remLow > root << 1)) {
      root++;
      continue;
    }
    wideHigh = remHigh != 0 || remLow > root ? 2 : remLow != 0 ? 1 : 0;
    return root;
  }
}

// --- Arithmetic on finite non-zero numbers (-1)^sign * significand * 2^(exponent - 63), top bit of the significand set.
// Results in partSign, partExponent, partSignificand, where the lowest bit is sticky. Only for operands whose lowest two
// significand bits are zero (single and double): extended precision has its own code with 128-bit results.

export let partSign: u32 = 0;
export let partExponent: i32 = 0;
export let partSignificand: u64 = 0;

/** Sum; a zero result has partSignificand 0 and no meaningful sign. */
export function partsAdd(sa: u32, ea: i32, ma: u64, sb: u32, eb: i32, mb: u64): void {
  if (ea < eb || (ea == eb && ma < mb)) {
    const s = sa;
    const e = ea;
    const m = ma;
    sa = sb;
    ea = eb;
    ma = mb;
    sb = s;
    eb = e;
    mb = m;
  }
  const big = ma >> 1;
  const small = shiftRightJam(mb >> 1, ea - eb);
  const sum = sa == sb ? big + small : big - small;
  partSign = sa;
  if (sum == 0) {
    partSignificand = 0;
    return;
  }
  const shift = <i32>clz(sum);
  partSignificand = sum << shift;
  partExponent = ea + 1 - shift;
}

/** Product. */
export function partsMul(ea: i32, ma: u64, eb: i32, mb: u64): void {
  const low = mulWide(ma, mb);
  let high = wideHigh | (low != 0 ? 1 : 0);
  let exponent = ea + eb + 1;
  if (high >> 63 == 0) {
    high = (wideHigh << 1) | (low >> 63) | ((low << 1) != 0 ? 1 : 0);
    exponent--;
  }
  partSignificand = high;
  partExponent = exponent;
}

/** Quotient. */
export function partsDiv(ea: i32, ma: u64, eb: i32, mb: u64): void {
  let exponent = ea - eb;
  let quotient: u64;
  if (ma < mb) {
    quotient = divWide(ma, 0, mb);
    exponent--;
  } else {
    quotient = divWide(ma >> 1, ma << 63, mb);
  }
  partSignificand = quotient | (wideHigh != 0 ? 1 : 0);
  partExponent = exponent;
}

/** Square root. */
export function partsSqrt(exponent: i32, significand: u64): void {
  const odd = exponent & 1;
  const root = odd ? sqrtWide(significand, 0) : sqrtWide(significand >> 1, significand << 63);
  partSignificand = root | (wideHigh != 0 ? 1 : 0);
  partExponent = (exponent - odd) >> 1;
}

/** Square root of a 64-bit significand, all bits; the cut-off part in wideHigh as sqrtWide leaves it. */
export function partsSqrtFull(exponent: i32, significand: u64): u64 {
  const odd = exponent & 1;
  partExponent = (exponent - odd) >> 1;
  return odd ? sqrtWide(significand, 0) : sqrtWide(significand >> 1, significand << 63);
}

/** What is added below the last kept bit before truncation. */
// @ts-ignore: decorator
@inline
export function roundIncrement(mode: u32, sign: u32, half: u64, mask: u64): u64 {
  if (mode == ROUND_NEAREST) return half;
  if (mode == ROUND_ZERO) return 0;
  return (mode == ROUND_UP) == (sign == 0) ? mask : 0;
}
