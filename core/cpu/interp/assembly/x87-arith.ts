// x87 arithmetic and comparison instructions on the register stack.

import { FLAG_C1, f80Exp, f80Flags, f80IsNan, f80IsUnsupported, f80IsZero, f80Sig, f80Stopped } from './f80';
import { f80Add, f80Compare, f80Div, f80Mul } from './f80-arith';
import { FLAG_DENORMAL } from './softfloat';
import {
  isEmpty, pop, setCodes, setCompareFlags, setSt, stackUnderflow, stExp, stSig,
} from './x87-state';

export const ADD: u32 = 0;
export const MUL: u32 = 1;
export const SUB: u32 = 2;
export const SUBR: u32 = 3;
export const DIV: u32 = 4;
export const DIVR: u32 = 5;

/** Condition codes C3, C2, C0. */
const CODES: u32 = 0x4500;

/** a op b into the f80 result. */
// @ts-ignore: decorator
@inline
function compute(kind: u32, aExp: u32, aSig: u64, bExp: u32, bSig: u64): void {
  if (kind == ADD) f80Add(aExp, aSig, bExp, bSig, 0);
  else if (kind == MUL) f80Mul(aExp, aSig, bExp, bSig);
  else if (kind == SUB) f80Add(aExp, aSig, bExp, bSig, 0x8000);
  else if (kind == SUBR) f80Add(bExp, bSig, aExp, aSig, 0x8000);
  else if (kind == DIV) f80Div(aExp, aSig, bExp, bSig);
  else f80Div(bExp, bSig, aExp, aSig);
}

/** ST(target) = ST(target) op ST(source), then perhaps a pop. */
// @ts-ignore: decorator
@inline
export function arithmetic(kind: u32, target: u32, source: u32, popping: bool): void {
  if (isEmpty(target) || isEmpty(source)) stackUnderflow();
  else compute(kind, stExp(target), stSig(target), stExp(source), stSig(source));
  if (f80Stopped()) return;
  setSt(target, f80Exp, f80Sig);
  if (popping) pop();
}

/** What takes precedence over the DE that loading a denormal raised: a NaN or unsupported ST0. */
// @ts-ignore: decorator
@inline
function dropDenormal(): void {
  if ((f80Flags & FLAG_DENORMAL) != 0 && (f80IsNan(stExp(0), stSig(0)) || f80IsUnsupported(stExp(0), stSig(0)))) f80Flags &= ~FLAG_DENORMAL;
}

/** ST0 = ST0 op the value in the f80 result (loaded from memory, with its flags). */
// @ts-ignore: decorator
@inline
export function arithmeticLoaded(kind: u32): void {
  if (isEmpty(0)) {
    stackUnderflow();
  } else {
    dropDenormal();
    // A division by zero takes precedence as well.
    if (kind == DIVR && f80IsZero(stExp(0), stSig(0))) f80Flags &= ~FLAG_DENORMAL;
    if (!f80Stopped()) compute(kind, stExp(0), stSig(0), f80Exp, f80Sig);
  }
  if (!f80Stopped()) setSt(0, f80Exp, f80Sig);
}

function codesOf(order: i32): u32 {
  if (order == 1) return 0;
  if (order == -1) return 0x100;
  return order == 0 ? 0x4000 : 0x4500;
}

/** Compares ST0 with ST(i): condition codes, and `pops` pops. */
export function compareStack(i: u32, signaling: bool, pops: u32): void {
  let order: i32 = 2;
  if (isEmpty(0) || isEmpty(i)) stackUnderflow();
  else order = f80Compare(stExp(0), stSig(0), stExp(i), stSig(i), signaling);
  setCodes(CODES, codesOf(order));
  if (f80Stopped()) return;
  if (pops > 0) pop();
  if (pops > 1) pop();
}

/** Compares ST0 with the value in the f80 result. */
export function compareLoaded(popping: bool): void {
  let order: i32 = 2;
  if (isEmpty(0)) {
    stackUnderflow();
  } else {
    dropDenormal();
    order = f80Compare(stExp(0), stSig(0), f80Exp, f80Sig, true);
  }
  setCodes(CODES, codesOf(order));
  if (popping && !f80Stopped()) pop();
}

/** FCOMI, FUCOMI: the result goes to EFLAGS. */
export function compareFlags(i: u32, signaling: bool, popping: bool): void {
  let order: i32 = 2;
  if (isEmpty(0) || isEmpty(i)) stackUnderflow();
  else order = f80Compare(stExp(0), stSig(0), stExp(i), stSig(i), signaling);
  setCompareFlags(order);
  if (popping && !f80Stopped()) pop();
}

/** FXAM: class of ST0 in C3, C2, C0, its sign in C1. */
export function examine(): void {
  const exp = stExp(0);
  const sig = stSig(0);
  let codes: u32;
  if (isEmpty(0)) codes = 0x4100;
  else if ((exp & 0x7fff) == 0) codes = sig == 0 ? 0x4000 : 0x4400;
  else if (<i64>sig >= 0) codes = 0;
  else if ((exp & 0x7fff) == 0x7fff) codes = sig << 1 == 0 ? 0x500 : 0x100;
  else codes = 0x400;
  setCodes(CODES, codes);
  if (exp >> 15 != 0) f80Flags |= FLAG_C1;
}
