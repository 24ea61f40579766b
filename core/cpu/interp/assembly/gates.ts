// Far JMP and CALL: direct, through call gates (also 64-bit ones), task gates and TSS descriptors. Intel SDM volume 2
// (CALL, JMP) and volume 3 chapters 5.8, 7. Returns are in far-return.ts.

import { raiseGp0, raiseSelector, VECTOR_GP, VECTOR_NP, VECTOR_SS, VECTOR_TS } from './fault';
import { readEflags } from './flags';
import { CPL, RIP } from './generated/layout';
import { load16, load32, loadSystem } from './memory';
import { AR_CODE, AR_EC, AR_S, CS, isLong, isProtected, isReal, is64, segAccess, segBase, segLimit, setCpl, SS, TR } from './modes';
import { segmentLinear } from './op';
import {
  checkCodeOffset, descriptorAddress, isStackType, markAccessed, NO_DESCRIPTOR, rawDpl, rawPresent, rawType, segSelector, setCode,
  setFromDescriptor, setNullStack, setRealSegment, setV86Segment,
} from './segments';
import {
  commitCurrentFrame, framePointer, framePush, openCurrentFrame, openFlatFrame, openFrame, setStackPointer, stackMask, stackPointer,
} from './stack-frame';
import { get32, set64 } from './state';
import { switchTask, TASK_CALL, TASK_JUMP } from './task';

/** Where the last fetched descriptor lies. */
export let descriptorAt: u64 = 0;

/** Fetches a descriptor that must not be null or outside its table; faults with `vector`. */
export function fetchDescriptor(selector: u32, vector: i32): u64 {
  if ((selector & 0xfffc) == 0) raiseSelector(vector, 0);
  const address = descriptorAddress(selector);
  if (address == NO_DESCRIPTOR) raiseSelector(vector, selector);
  descriptorAt = address;
  return loadSystem(address, 8);
}

export const CODE_MASK: u32 = AR_S | AR_CODE;

/** L and D both set is no valid code segment in IA-32e mode. */
// @ts-ignore: decorator
@inline
export function badLongCode(raw: u64): bool {
  return isLong() && (raw & 0x0060_0000_0000_0000) == 0x0060_0000_0000_0000;
}

/** Checks a code descriptor that JMP or CALL names directly. */
function checkDirectCode(raw: u64, selector: u32): void {
  const cpl = get32(CPL);
  if (badLongCode(raw)) raiseSelector(VECTOR_GP, selector);
  if ((rawType(raw) & AR_EC) != 0) {
    if (rawDpl(raw) > cpl) raiseSelector(VECTOR_GP, selector);
  } else if ((selector & 3) > cpl || rawDpl(raw) != cpl) {
    raiseSelector(VECTOR_GP, selector);
  }
  if (!rawPresent(raw)) raiseSelector(VECTOR_NP, selector);
}

function farReal(selector: u32, offset: u64): void {
  if (offset > <u64>segLimit(CS)) raiseGp0();
  if (isReal()) setRealSegment(CS, selector);
  else setV86Segment(CS, selector);
  set64(RIP, offset);
}

/** @param size operand size in bytes; `next` is RIP after the instruction */
export function farJump(selector: u32, offset: u64, size: u32, next: u64): void {
  if (size == 2) offset &= 0xffff;
  if (!isProtected()) {
    farReal(selector, offset);
    return;
  }
  let raw = fetchDescriptor(selector, VECTOR_GP);
  const at = descriptorAt;
  if ((rawType(raw) & AR_S) != 0) {
    if ((rawType(raw) & AR_CODE) == 0) raiseSelector(VECTOR_GP, selector);
    checkDirectCode(raw, selector);
    checkCodeOffset(raw, offset);
    raw = markAccessed(at, raw);
    setCode(selector, raw, get32(CPL));
    set64(RIP, offset);
    return;
  }
  systemTarget(raw, selector, false, next);
}

export function farCall(selector: u32, offset: u64, size: u32, next: u64): void {
  if (size == 2) offset &= 0xffff;
  if (!isProtected()) {
    if (offset > <u64>segLimit(CS)) raiseGp0();
    openCurrentFrame();
    framePush(<u64>segSelector(CS), size);
    framePush(next, size);
    farReal(selector, offset);
    commitCurrentFrame();
    return;
  }
  let raw = fetchDescriptor(selector, VECTOR_GP);
  const at = descriptorAt;
  if ((rawType(raw) & AR_S) != 0) {
    if ((rawType(raw) & AR_CODE) == 0) raiseSelector(VECTOR_GP, selector);
    checkDirectCode(raw, selector);
    openCurrentFrame();
    framePush(<u64>segSelector(CS), size);
    framePush(next, size);
    checkCodeOffset(raw, offset);
    raw = markAccessed(at, raw);
    commitCurrentFrame();
    setCode(selector, raw, get32(CPL));
    set64(RIP, offset);
    return;
  }
  systemTarget(raw, selector, true, next);
}

/** Gates and TSS descriptors named by JMP or CALL. */
function systemTarget(raw: u64, selector: u32, call: bool, next: u64): void {
  const type = rawType(raw);
  const dpl = rawDpl(raw);
  const tooPrivileged = dpl < get32(CPL) || dpl < (selector & 3);
  if (isLong()) {
    if (type != 12) raiseSelector(VECTOR_GP, selector);
  } else if (type == 1 || type == 9) {
    if (tooPrivileged) raiseSelector(VECTOR_GP, selector);
    if (!rawPresent(raw)) raiseSelector(VECTOR_NP, selector);
    if ((selector & 4) != 0) raiseSelector(VECTOR_GP, selector);
    switchTask(selector, raw, call ? TASK_CALL : TASK_JUMP, next, readEflags(), false, 0);
    return;
  } else if (type != 4 && type != 5 && type != 12) {
    raiseSelector(VECTOR_GP, selector);
  }
  if (tooPrivileged) raiseSelector(VECTOR_GP, selector);
  if (!rawPresent(raw)) raiseSelector(VECTOR_NP, selector);
  if (type == 5) taskGate(raw, call ? TASK_CALL : TASK_JUMP, next);
  else callGate(raw, selector, call, next);
}

/** A task gate used by JMP or CALL. */
function taskGate(raw: u64, reason: u32, next: u64): void {
  const tss = <u32>(raw >> 16) & 0xffff;
  if ((tss & 4) != 0) raiseSelector(VECTOR_GP, tss);
  const target = fetchDescriptor(tss, VECTOR_GP);
  const type = rawType(target);
  if (type != 1 && type != 9) raiseSelector(VECTOR_GP, tss);
  if (!rawPresent(target)) raiseSelector(VECTOR_NP, tss);
  switchTask(tss, target, reason, next, readEflags(), false, 0);
}

function callGate(gate: u64, gateSelector: u32, call: bool, next: u64): void {
  const cpl = get32(CPL);
  const long = isLong();
  const selector = <u32>(gate >> 16) & 0xffff;
  const wide = rawType(gate) == 12;
  const size: u32 = long ? 8 : wide ? 4 : 2;
  let offset = gate & 0xffff;
  if (wide) offset |= (gate >> 32) & 0xffff0000;
  if (long) {
    // The second half: upper offset, and a type field that must be zero.
    const high = descriptorAddress(gateSelector, 16);
    if (high == NO_DESCRIPTOR) raiseSelector(VECTOR_GP, gateSelector);
    const upper = loadSystem(high + 8, 8);
    if ((upper & 0x1f00_0000_0000) >> 32 != 0) raiseSelector(VECTOR_GP, gateSelector);
    offset |= upper << 32;
  }
  let raw = fetchDescriptor(selector, VECTOR_GP);
  const at = descriptorAt;
  const dpl = rawDpl(raw);
  if ((rawType(raw) & CODE_MASK) != CODE_MASK || dpl > cpl) raiseSelector(VECTOR_GP, selector);
  if (long && (raw & 0x0060_0000_0000_0000) != 0x0020_0000_0000_0000) raiseSelector(VECTOR_GP, selector);
  const conforming = (rawType(raw) & AR_EC) != 0;
  if (!call && !conforming && dpl != cpl) raiseSelector(VECTOR_GP, selector);
  if (!rawPresent(raw)) raiseSelector(VECTOR_NP, selector);

  if (!call || conforming || dpl == cpl) {
    if (call) {
      if (long && !is64()) openFlatFrame(stackPointer() & stackMask(), cpl);
      else openCurrentFrame();
      framePush(<u64>segSelector(CS), size);
      framePush(next, size);
    }
    checkCodeOffset(raw, offset);
    raw = markAccessed(at, raw);
    const pointer = framePointer;
    setCode(selector, raw, cpl);
    if (call) setStackPointer(pointer, stackMask());
    set64(RIP, offset);
    return;
  }

  // To more privilege: the stack comes from the TSS.
  const oldStack = stackPointer();
  const oldStackSelector = segSelector(SS);
  if (long) {
    openFlatFrame(innerStackPointer64(dpl), dpl);
    framePush(<u64>oldStackSelector, 8);
    framePush(is64() ? oldStack : oldStack & 0xffffffff, 8);
    framePush(<u64>segSelector(CS), 8);
    framePush(next, 8);
    checkCodeOffset(raw, offset);
    raw = markAccessed(at, raw);
    const pointer = framePointer;
    setCpl(dpl);
    setCode(selector, raw, dpl);
    setNullStack(dpl);
    setStackPointer(pointer, ~(<u64>0));
    set64(RIP, offset);
    return;
  }
  let stackRaw = innerStack(dpl);
  const stackSelector = innerStackSelector;
  const stackAt = descriptorAt;
  const parameters = <u32>(gate >> 32) & 0x1f;
  openFrame(stackRaw, stackSelector, innerStackPointer, dpl);
  framePush(<u64>oldStackSelector, size);
  framePush(oldStack, size);
  const mask = stackMask();
  for (let i = parameters; i > 0; i--) {
    const from = segmentLinear(SS, (oldStack + <u64>((i - 1) * size)) & mask, size, false);
    framePush(size == 2 ? <u64>load16(from) : <u64>load32(from), size);
  }
  framePush(<u64>segSelector(CS), size);
  framePush(next, size);
  checkCodeOffset(raw, offset);
  raw = markAccessed(at, raw);
  stackRaw = markAccessed(stackAt, stackRaw);
  const pointer = framePointer;
  setCpl(dpl);
  setFromDescriptor(SS, (stackSelector & 0xfffc) | dpl, stackRaw);
  setCode(selector, raw, dpl);
  setStackPointer(pointer, stackMask());
  set64(RIP, offset);
}

/** Stack of a more privileged level, from innerStack(). */
export let innerStackSelector: u32 = 0;
export let innerStackPointer: u64 = 0;

/** Reads and checks SS:ESP of level `dpl` in the TSS; returns the stack's descriptor (descriptorAt is its place). */
export function innerStack(dpl: u32): u64 {
  const wide = (segAccess(TR) & 8) != 0;
  const tss = segBase(TR);
  if (wide) {
    const at: u32 = 4 + dpl * 8;
    if (at + 5 > segLimit(TR)) raiseSelector(VECTOR_TS, segSelector(TR));
    innerStackPointer = loadSystem(tss + <u64>at, 4);
    innerStackSelector = <u32>loadSystem(tss + <u64>at + 4, 2);
  } else {
    const at: u32 = 2 + dpl * 4;
    if (at + 3 > segLimit(TR)) raiseSelector(VECTOR_TS, segSelector(TR));
    innerStackPointer = loadSystem(tss + <u64>at, 2);
    innerStackSelector = <u32>loadSystem(tss + <u64>at + 2, 2);
  }
  const selector = innerStackSelector;
  const raw = fetchDescriptor(selector, VECTOR_TS);
  if ((selector & 3) != dpl || rawDpl(raw) != dpl || !isStackType(raw)) raiseSelector(VECTOR_TS, selector);
  if (!rawPresent(raw)) raiseSelector(VECTOR_SS, selector);
  return raw;
}

/** RSP0-2 of the 64-bit TSS. */
export function innerStackPointer64(dpl: u32): u64 {
  return tssPointer64(4 + dpl * 8);
}

/** A stack pointer at a byte offset of the 64-bit TSS (RSPn or ISTn). */
export function tssPointer64(at: u32): u64 {
  if (at + 7 > segLimit(TR)) raiseSelector(VECTOR_TS, segSelector(TR));
  return loadSystem(segBase(TR) + <u64>at, 8);
}
