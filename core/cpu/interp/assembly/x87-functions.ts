// x87 instructions that compute a function of one or two stack registers.

import { FLAG_C1, f80Exp, f80Flags, f80Sig, f80Stopped } from './f80';
import { f80Sqrt } from './f80-arith';
import { f80RoundToInt } from './f80-convert';
import { f80Exp2Minus1, f80YLog2X, f80YLog2XPlus1 } from './f80-log';
import { extractExp, extractSig, f80Extract, f80Remainder, f80Scale, remainderCodes } from './f80-remainder';
import { ANGLE_RANGE, ANGLE_SPECIAL, f80ArcTangent, f80Cosine, f80Sine, f80Tangent } from './f80-trig';
import { isEmpty, pop, push, setCodes, setSt, stackOverflow, stackUnderflow, stExp, stSig } from './x87-state';

const C2: u32 = 0x400;

export const SQRT: u32 = 0;
export const RNDINT: u32 = 1;

// @ts-ignore: decorator
@inline
export function oneOperand(kind: u32): void {
  if (isEmpty(0)) stackUnderflow();
  else if (kind == SQRT) f80Sqrt(stExp(0), stSig(0));
  else f80RoundToInt(stExp(0), stSig(0));
  if (!f80Stopped()) setSt(0, f80Exp, f80Sig);
}

export function partialRemainder(nearest: bool): void {
  // C2 falls even when there is no remainder.
  setCodes(0x400, 0);
  if (isEmpty(0) || isEmpty(1)) {
    stackUnderflow();
    if (!f80Stopped()) setSt(0, f80Exp, f80Sig);
    return;
  }
  f80Remainder(stExp(0), stSig(0), stExp(1), stSig(1), nearest);
  if (f80Stopped()) return;
  if (remainderCodes >= 0) {
    setCodes(0x4500, <u32>remainderCodes & 0x4500);
    f80Flags |= <u32>remainderCodes & 0x200;
  }
  setSt(0, f80Exp, f80Sig);
}

export function scale(): void {
  if (isEmpty(0) || isEmpty(1)) stackUnderflow();
  else f80Scale(stExp(0), stSig(0), stExp(1), stSig(1));
  if (!f80Stopped()) setSt(0, f80Exp, f80Sig);
}

export function extract(): void {
  if (isEmpty(0)) {
    stackUnderflow();
    if (f80Stopped()) return;
    setSt(0, f80Exp, f80Sig);
    push(f80Exp, f80Sig);
    return;
  }
  if (!isEmpty(7)) {
    stackOverflow();
    if (f80Stopped()) return;
    setSt(0, f80Exp, f80Sig);
    push(f80Exp, f80Sig);
    return;
  }
  f80Extract(stExp(0), stSig(0));
  if (f80Stopped()) return;
  setSt(0, extractExp, extractSig);
  push(f80Exp, f80Sig);
}

export function transcendentalF2XM1(): void {
  if (isEmpty(0)) stackUnderflow();
  else f80Exp2Minus1(stExp(0), stSig(0));
  if (!f80Stopped()) setSt(0, f80Exp, f80Sig);
}

/** Functions of ST1 and ST0 that leave their result in ST1 and pop. */
const YL2X: u32 = 0;
const YL2XP1: u32 = 1;
const PATAN: u32 = 2;

// @ts-ignore: decorator
@inline
function twoOperands(kind: u32): void {
  if (isEmpty(0) || isEmpty(1)) stackUnderflow();
  else if (kind == YL2X) f80YLog2X(stExp(1), stSig(1), stExp(0), stSig(0));
  else if (kind == YL2XP1) f80YLog2XPlus1(stExp(1), stSig(1), stExp(0), stSig(0));
  else f80ArcTangent(stExp(1), stSig(1), stExp(0), stSig(0));
  if (f80Stopped()) return;
  setSt(1, f80Exp, f80Sig);
  pop();
}

export function transcendentalFYL2X(): void {
  twoOperands(YL2X);
}

export function transcendentalFYL2XP1(): void {
  twoOperands(YL2XP1);
}

export function transcendentalFPATAN(): void {
  twoOperands(PATAN);
}

/** FSIN, FCOS. */
// @ts-ignore: decorator
@inline
function angle(cosine: bool): void {
  setCodes(C2, 0);
  if (isEmpty(0)) {
    stackUnderflow();
  } else {
    const outcome = cosine ? f80Cosine(stExp(0), stSig(0)) : f80Sine(stExp(0), stSig(0));
    if (outcome == ANGLE_RANGE) {
      setCodes(C2, C2);
      return;
    }
  }
  if (!f80Stopped()) setSt(0, f80Exp, f80Sig);
}

export function transcendentalFSIN(): void {
  angle(false);
}

export function transcendentalFCOS(): void {
  angle(true);
}

/** FSINCOS and FPTAN replace ST0 and push. True when an empty or full stack decided. */
function pairStackFault(): bool {
  setCodes(C2, 0);
  if (isEmpty(0)) stackUnderflow();
  else if (!isEmpty(7)) stackOverflow();
  else return false;
  if (!f80Stopped()) {
    setSt(0, f80Exp, f80Sig);
    push(f80Exp, f80Sig);
  }
  return true;
}

export function transcendentalFSINCOS(): void {
  if (pairStackFault()) return;
  const exp = stExp(0);
  const sig = stSig(0);
  const outcome = f80Cosine(exp, sig);
  if (outcome == ANGLE_RANGE) {
    setCodes(C2, C2);
    return;
  }
  if (f80Stopped()) return;
  const cosineExp = f80Exp;
  const cosineSig = f80Sig;
  // C1 tells of the sine's rounding.
  f80Flags &= ~FLAG_C1;
  f80Sine(exp, sig);
  setSt(0, f80Exp, f80Sig);
  push(cosineExp, cosineSig);
}

export function transcendentalFPTAN(): void {
  if (pairStackFault()) return;
  const outcome = f80Tangent(stExp(0), stSig(0));
  if (outcome == ANGLE_RANGE) {
    setCodes(C2, C2);
    return;
  }
  if (f80Stopped()) return;
  setSt(0, f80Exp, f80Sig);
  if (outcome == ANGLE_SPECIAL) push(f80Exp, f80Sig);
  else push(0x3fff, 0x8000000000000000);
}
