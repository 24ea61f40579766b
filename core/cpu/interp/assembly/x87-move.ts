// x87 loads, stores, constants, exchanges and sign changes.

import { FLAG_C1, f80Exp, f80Flags, f80Round, f80Set, f80Sig, f80Stopped, f80Unmasked } from './f80';
import { bcdHigh, f80ToBcd, f80ToF32, f80ToF64, f80ToInt } from './f80-convert';
import { store16, store32, store64 } from './memory';
import { linearForWrite } from './op';
import {
  FLAG_INEXACT, FLAG_INVALID, FLAG_OVERFLOW, FLAG_UNDERFLOW, ROUND_NEAREST, ROUND_UP, ROUND_ZERO,
} from './softfloat';
import { isEmpty, pop, probeRange, push, pushResult, setSt, setTop, stackOverflow, stackUnderflow, stExp, stSig, top } from './x87-state';

/** Unmasked exceptions that keep a store from writing memory. */
const STORE_STOPPERS: u32 = FLAG_INVALID | FLAG_OVERFLOW | FLAG_UNDERFLOW;

// @ts-ignore: decorator
@inline
function storeStopped(op: usize, bytes: u32): bool {
  if ((f80Flags & f80Unmasked & STORE_STOPPERS) == 0) return false;
  // The operand must be accessible all the same.
  probeRange(linearForWrite(op, bytes), bytes);
  // Without a result there is nothing inexact or rounded up.
  f80Flags &= ~(FLAG_INEXACT | FLAG_C1);
  return true;
}

export function storeF32(op: usize, popping: bool): void {
  let value: u32 = 0xffc00000;
  if (isEmpty(0)) stackUnderflow();
  else value = f80ToF32(stExp(0), stSig(0));
  if (storeStopped(op, 4)) return;
  store32(linearForWrite(op, 4), value);
  if (popping) pop();
}

export function storeF64(op: usize, popping: bool): void {
  let value: u64 = 0xfff8000000000000;
  if (isEmpty(0)) stackUnderflow();
  else value = f80ToF64(stExp(0), stSig(0));
  if (storeStopped(op, 8)) return;
  store64(linearForWrite(op, 8), value);
  if (popping) pop();
}

export function storeF80(op: usize): void {
  let exp: u32 = 0xffff;
  let sig: u64 = 0xc000000000000000;
  if (isEmpty(0)) {
    stackUnderflow();
    if (storeStopped(op, 10)) return;
  } else {
    exp = stExp(0);
    sig = stSig(0);
  }
  storeTen(op, sig, exp);
  pop();
}

/** Ten bytes, probed as one access: a fault comes before the first write and names the right address. */
function storeTen(op: usize, low: u64, high: u32): void {
  const address = linearForWrite(op, 10);
  probeRange(address, 10);
  store64(address, low);
  store16(address + 8, high);
}

export function storeInt(op: usize, bits: u32, truncate: bool, popping: bool): void {
  let value: i64 = -1 << <i64>(bits - 1);
  if (isEmpty(0)) stackUnderflow();
  else value = f80ToInt(stExp(0), stSig(0), bits, truncate ? ROUND_ZERO : f80Round);
  if (storeStopped(op, bits >> 3)) return;
  if (bits == 16) store16(linearForWrite(op, 2), <u32>value);
  else if (bits == 32) store32(linearForWrite(op, 4), <u32>value);
  else store64(linearForWrite(op, 8), value);
  if (popping) pop();
}

export function storeBcd(op: usize): void {
  let low: u64 = 0xc000000000000000;
  let high: u32 = 0xffff;
  if (isEmpty(0)) {
    stackUnderflow();
  } else {
    low = f80ToBcd(stExp(0), stSig(0));
    high = bcdHigh;
  }
  if (storeStopped(op, 10)) return;
  storeTen(op, low, high);
  pop();
}

export function loadSt(i: u32): void {
  if (isEmpty(i)) {
    stackUnderflow();
  } else if (!isEmpty(7)) {
    stackOverflow();
  } else {
    f80Set(stExp(i), stSig(i));
  }
  if (!f80Stopped()) push(f80Exp, f80Sig);
}

export function storeSt(i: u32, popping: bool): void {
  if (isEmpty(0)) stackUnderflow();
  else f80Set(stExp(0), stSig(0));
  if (f80Stopped()) return;
  setSt(i, f80Exp, f80Sig);
  if (popping) pop();
}

/** FSTP1 (D9 D8+i): like FSTP, but an empty ST0 is popped without a store and without an exception. */
export function storeStQuietly(i: u32): void {
  if (!isEmpty(0)) setSt(i, stExp(0), stSig(0));
  pop();
}

export function exchange(i: u32): void {
  let aExp = stExp(0);
  let aSig = stSig(0);
  let bExp = stExp(i);
  let bSig = stSig(i);
  const aEmpty = isEmpty(0);
  const bEmpty = isEmpty(i);
  if (aEmpty || bEmpty) {
    stackUnderflow();
    if (f80Stopped()) return;
    if (aEmpty) {
      aExp = f80Exp;
      aSig = f80Sig;
    }
    if (bEmpty) {
      bExp = f80Exp;
      bSig = f80Sig;
    }
  }
  setSt(i, aExp, aSig);
  setSt(0, bExp, bSig);
}

export function moveIf(i: u32, condition: bool): void {
  if (isEmpty(0) || isEmpty(i)) {
    stackUnderflow();
    if (!f80Stopped()) setSt(0, f80Exp, f80Sig);
    return;
  }
  if (condition) setSt(0, stExp(i), stSig(i));
}

/** FCHS (mask 8000h xor) and FABS (and 7FFFh). */
export function changeSign(keep: u32, flip: u32): void {
  if (isEmpty(0)) stackUnderflow();
  else f80Set((stExp(0) & keep) ^ flip, stSig(0));
  if (!f80Stopped()) setSt(0, f80Exp, f80Sig);
}

/**
 * A constant: its significand truncated to 64 bits, and whether rounding to nearest goes up. The x87 holds more bits, so
 * rounding modes matter; C1 and PE are not raised.
 */
export function loadConstant(exp: u32, sig: u64, nearestUp: bool): void {
  const up = f80Round == ROUND_UP || (f80Round == ROUND_NEAREST && nearestUp);
  f80Set(exp, up ? sig + 1 : sig);
  pushResult();
}

export function rotate(step: u32): void {
  setTop(top() + step);
}
