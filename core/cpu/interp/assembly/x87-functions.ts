// x87 instructions that compute a function of one or two stack registers.

import { f80Exp, f80Flags, f80Sig, f80Sqrt, f80Stopped } from './f80';
import { f80RoundToInt } from './f80-convert';
import { extractExp, extractSig, f80Extract, f80Remainder, f80Scale, remainderCodes } from './f80-remainder';
import { isEmpty, push, setCodes, setSt, stackOverflow, stackUnderflow, stExp, stSig } from './x87-state';

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

export function transcendentalF2XM1(): void {}
export function transcendentalFSIN(): void {}
export function transcendentalFCOS(): void {}
export function transcendentalFPATAN(): void {}
export function transcendentalFPTAN(): void {}
export function transcendentalFSINCOS(): void {}
export function transcendentalFYL2X(): void {}
export function transcendentalFYL2XP1(): void {}
