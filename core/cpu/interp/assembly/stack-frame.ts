// Stack access of control transfers. Reads and pushes leave SP alone until the transfer can no longer fail; a frame on a
// new stack is pushed with that stack's limit, size and privilege.

import { externalBit, raiseSelector, raiseWithCode, VECTOR_SS } from './fault';
import { CPL, GPR } from './generated/layout';
import { load16, load32, load64, storeAs } from './memory';
import { AR_CODE, AR_DB, AR_EC, AR_UNUSABLE, is64, isLong, isProtected, segAccess, segBase, segLimit, SS } from './modes';
import { segmentLinear } from './op';
import { rawAccess, rawBase, rawLimit } from './segments';
import { get32, get64, reg16, reg64, setReg16, setReg32, setReg64 } from './state';

const RSP: u32 = 4;

export function maskOfAccess(access: u32): u64 {
  return (access & AR_DB) != 0 ? <u64>0xffffffff : <u64>0xffff;
}

/** Bits of SP that the current stack uses. */
export function stackMask(): u64 {
  return is64() ? ~(<u64>0) : maskOfAccess(segAccess(SS));
}

// @ts-ignore: decorator
@inline
export function stackPointer(): u64 {
  return reg64(RSP);
}

/** Writes SP, ESP or RSP as the current stack size (given as mask) says. */
export function setStackPointer(value: u64, mask: u64): void {
  if (mask == 0xffff) setReg16(RSP, <u32>value & 0xffff);
  else if (mask == 0xffffffff) setReg32(RSP, <u32>value);
  else setReg64(RSP, value);
}

/** Reads a stack slot `displacement` bytes above SP. */
export function readStack(displacement: u32, size: u32): u64 {
  const mask = stackMask();
  const at = (stackPointer() + <u64>displacement) & mask;
  const linear = segmentLinear(SS, at, size, false);
  if (is64() && <u64>((<i64>linear << 16) >> 16) != linear) raiseWithCode(VECTOR_SS, 0);
  if (size == 2) return <u64>load16(linear);
  return size == 4 ? <u64>load32(linear) : load64(linear);
}

let frameBase: u64 = 0;
let frameLimit: u64 = 0;
let frameAccess: u32 = 0;
let frameMask: u64 = 0;
let frameCpl: u32 = 0;
let frameErrorSelector: u32 = 0;
let frameFlat: bool = false;
/** SP after the pushes so far, only the bits of the stack's size. */
export let framePointer: u64 = 0;

/** A frame on the current stack. */
export function openCurrentFrame(): void {
  frameBase = segBase(SS);
  frameLimit = <u64>segLimit(SS);
  frameAccess = segAccess(SS);
  frameFlat = is64();
  frameMask = stackMask();
  frameCpl = get32(CPL);
  frameErrorSelector = 0;
  framePointer = stackPointer() & frameMask;
}

/** A frame on the stack of a descriptor that is about to be loaded into SS. */
export function openFrame(raw: u64, selector: u32, pointer: u64, cpl: u32): void {
  frameBase = rawBase(raw);
  frameLimit = <u64>rawLimit(raw);
  frameAccess = rawAccess(raw);
  frameFlat = false;
  frameMask = maskOfAccess(frameAccess);
  frameCpl = cpl;
  frameErrorSelector = selector;
  framePointer = pointer & frameMask;
}

/** A frame of 64-bit mode. */
export function openFlatFrame(pointer: u64, cpl: u32): void {
  frameBase = 0;
  frameFlat = true;
  frameMask = ~(<u64>0);
  frameCpl = cpl;
  frameErrorSelector = 0;
  framePointer = pointer;
}

export function framePush(value: u64, size: u32): void {
  const at = (framePointer - <u64>size) & frameMask;
  if (frameFlat) {
    if (<u64>((<i64>at << 16) >> 16) != at) raiseWithCode(VECTOR_SS, externalBit);
    storeAs(frameCpl, at, size, value);
  } else {
    const last = at + <u64>size - 1;
    let allowed: bool;
    if (isProtected() && (frameAccess & (AR_EC | AR_CODE)) == AR_EC) allowed = at > frameLimit && last <= frameMask;
    else allowed = last <= frameLimit;
    if ((frameAccess & AR_UNUSABLE) != 0) allowed = false;
    if (!allowed) raiseSelector(VECTOR_SS, frameErrorSelector);
    storeAs(frameCpl, (frameBase + at) & 0xffffffff, size, value);
  }
  framePointer = at;
}

/** Makes SP that of the frame on the current stack. */
export function commitCurrentFrame(): void {
  setStackPointer(framePointer, frameMask);
}
