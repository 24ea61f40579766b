// RETF and IRET in all modes: same level, outer level, virtual-8086 mode, nested task, 64-bit. Intel SDM volume 2
// (RET, IRET) and volume 3 chapters 6.12, 20.2.

import { writeEflags, FLAGS_ALL, iopl, unblockNmi } from './eflags';
import { raiseGp0, raiseSelector, VECTOR_GP, VECTOR_NP, VECTOR_SS, VECTOR_TS } from './fault';
import {
  FLAG_AC, FLAG_DF, FLAG_ID, FLAG_IF, FLAG_IOPL, FLAG_NT, FLAG_RF, FLAG_TF, FLAG_VIF, FLAG_VIP, FLAG_VM, FLAGS_ARITHMETIC, readEflags,
} from './flags';
import { badLongCode, CODE_MASK, descriptorAt, fetchDescriptor } from './gates';
import { CPL, CR4, EFLAGS_SYSTEM, NMI_BLOCKED, RIP } from './generated/layout';
import { loadSystem16 } from './memory';
import {
  AR_EC, CS, DS, ES, FS, GS, is64, isLong, isProtected, isReal, isV86, segBase, segLimit, setCpl, SS, TR,
} from './modes';
import {
  checkCodeOffset, dropInnerSegments, isStackType, markAccessed, rawDpl, rawPresent, rawType, setCode, setFromDescriptor, setNullStack,
  setRealSegment, setV86Segment,
} from './segments';
import { readStack, setStackPointer, stackMask, stackPointer } from './stack-frame';
import { get32, get64, set32, set64 } from './state';
import { switchTask, TASK_RETURN } from './task';
import { CR4_VME } from './walk';

const LONG_CODE: u64 = 0x0020_0000_0000_0000;

/** Checks the code descriptor of a return. */
function checkReturnCode(raw: u64, selector: u32): void {
  const rpl = selector & 3;
  if ((rawType(raw) & CODE_MASK) != CODE_MASK) raiseSelector(VECTOR_GP, selector);
  if (badLongCode(raw)) raiseSelector(VECTOR_GP, selector);
  if ((rawType(raw) & AR_EC) != 0) {
    if (rawDpl(raw) > rpl) raiseSelector(VECTOR_GP, selector);
  } else if (rawDpl(raw) != rpl) {
    raiseSelector(VECTOR_GP, selector);
  }
  if (!rawPresent(raw)) raiseSelector(VECTOR_NP, selector);
}

/** Fetches and checks the stack descriptor of a return to level `rpl`; 0 for an allowed null selector. */
function fetchReturnStack(selector: u32, rpl: u32, to64: bool): u64 {
  if ((selector & 0xfffc) == 0) {
    if (!to64 || rpl == 3 || (selector & 3) != rpl) raiseGp0();
    return 0;
  }
  const raw = fetchDescriptor(selector, VECTOR_GP);
  if ((selector & 3) != rpl || rawDpl(raw) != rpl || !isStackType(raw)) raiseSelector(VECTOR_GP, selector);
  if (!rawPresent(raw)) raiseSelector(VECTOR_SS, selector);
  return raw;
}

function loadReturnStack(selector: u32, raw: u64): void {
  if (raw == 0) setNullStack(selector & 3);
  else setFromDescriptor(SS, selector, raw);
}

/** RETF with `release` bytes of parameters. */
export function farReturn(release: u32, size: u32): void {
  const offset = readStack(0, size);
  const selector = <u32>readStack(size, size) & 0xffff;
  const mask = stackMask();
  if (!isProtected()) {
    if (offset > <u64>segLimit(CS)) raiseGp0();
    if (isReal()) setRealSegment(CS, selector);
    else setV86Segment(CS, selector);
    setStackPointer(stackPointer() + <u64>(size * 2 + release), mask);
    set64(RIP, offset);
    return;
  }
  const cpl = get32(CPL);
  const rpl = selector & 3;
  let raw = fetchDescriptor(selector, VECTOR_GP);
  const at = descriptorAt;
  if (rpl < cpl) raiseSelector(VECTOR_GP, selector);
  checkReturnCode(raw, selector);
  if (rpl == cpl) {
    checkCodeOffset(raw, offset);
    raw = markAccessed(at, raw);
    setCode(selector, raw, cpl);
    setStackPointer(stackPointer() + <u64>(size * 2 + release), mask);
    set64(RIP, offset);
    return;
  }
  const pointer = readStack(size * 2 + release, size);
  const stackSelector = <u32>readStack(size * 3 + release, size) & 0xffff;
  let stackRaw = fetchReturnStack(stackSelector, rpl, isLong() && (raw & LONG_CODE) != 0);
  const stackAt = descriptorAt;
  checkCodeOffset(raw, offset);
  raw = markAccessed(at, raw);
  if (stackRaw != 0) stackRaw = markAccessed(stackAt, stackRaw);
  setCpl(rpl);
  setCode(selector, raw, rpl);
  loadReturnStack(stackSelector, stackRaw);
  setStackPointer(pointer + <u64>release, stackMask());
  dropInnerSegments(rpl);
  set64(RIP, offset);
}

function iretReal(size: u32): void {
  const offset = readStack(0, size);
  const selector = <u32>readStack(size, size) & 0xffff;
  const flags = <u32>readStack(size * 2, size);
  const mask = stackMask();
  if (offset > <u64>segLimit(CS)) raiseGp0();
  setRealSegment(CS, selector);
  setStackPointer(stackPointer() + <u64>(size * 3), mask);
  set64(RIP, offset);
  const all = FLAGS_ALL & ~(FLAG_VM | FLAG_VIF | FLAG_VIP);
  writeEflags(flags, size == 2 ? all & 0xffff : all);
}

function iretV86(size: u32): void {
  const virtual = iopl() != 3;
  if (virtual && ((get64(CR4) & CR4_VME) == 0 || size != 2)) raiseGp0();
  const offset = readStack(0, size);
  const selector = <u32>readStack(size, size) & 0xffff;
  let flags = <u32>readStack(size * 2, size);
  const mask = stackMask();
  if (offset > <u64>segLimit(CS)) raiseGp0();
  let flagMask = FLAGS_ARITHMETIC | FLAG_TF | FLAG_DF | FLAG_NT;
  if (virtual) {
    if ((flags & FLAG_TF) != 0 || ((flags & FLAG_IF) != 0 && (get32(EFLAGS_SYSTEM) & FLAG_VIP) != 0)) raiseGp0();
    flags = (flags & ~FLAG_VIF) | ((flags & FLAG_IF) != 0 ? FLAG_VIF : 0);
    flagMask |= FLAG_VIF;
  } else {
    flagMask |= FLAG_IF;
    if (size == 4) flagMask |= FLAG_RF | FLAG_AC | FLAG_ID;
  }
  setV86Segment(CS, selector);
  setStackPointer(stackPointer() + <u64>(size * 3), mask);
  set64(RIP, offset);
  writeEflags(flags, flagMask);
}

/** From level 0 back into virtual-8086 mode: nine doublewords on the stack. */
function iretToV86(offset: u64, selector: u32, flags: u32): void {
  const pointer = readStack(12, 4);
  const ss = <u32>readStack(16, 4);
  const es = <u32>readStack(20, 4);
  const ds = <u32>readStack(24, 4);
  const fs = <u32>readStack(28, 4);
  const gs = <u32>readStack(32, 4);
  writeEflags(flags, FLAGS_ALL);
  setCpl(3);
  setV86Segment(CS, selector);
  setV86Segment(SS, ss & 0xffff);
  setV86Segment(ES, es & 0xffff);
  setV86Segment(DS, ds & 0xffff);
  setV86Segment(FS, fs & 0xffff);
  setV86Segment(GS, gs & 0xffff);
  setStackPointer(pointer, 0xffffffff);
  set64(RIP, offset & 0xffff);
}

/** EFLAGS bits that IRET to or within a level may change; `cpl` is the level that executes it. */
function iretFlagMask(cpl: u32, size: u32): u32 {
  let mask = FLAGS_ARITHMETIC | FLAG_TF | FLAG_DF | FLAG_NT;
  if (size != 2) mask |= FLAG_RF | FLAG_AC | FLAG_ID;
  if (cpl == 0) {
    mask |= FLAG_IOPL;
    if (size != 2) mask |= FLAG_VIF | FLAG_VIP;
  }
  if (cpl <= iopl()) mask |= FLAG_IF;
  return mask;
}

/** IRET with an operand size of 2, 4 or 8 bytes; `next` is RIP after the instruction (for a nested task). */
export function iret(size: u32, next: u64): void {
  if (isReal()) {
    iretReal(size);
  } else if (isV86()) {
    iretV86(size);
  } else {
    iretProtected(size, next);
  }
  set32(NMI_BLOCKED, 0);
  unblockNmi();
}

function iretProtected(size: u32, next: u64): void {
  const cpl = get32(CPL);
  if ((get32(EFLAGS_SYSTEM) & FLAG_NT) != 0) {
    if (isLong()) raiseGp0();
    const back = loadSystem16(segBase(TR));
    if ((back & 4) != 0) raiseSelector(VECTOR_TS, back);
    const tss = fetchDescriptor(back, VECTOR_TS);
    const type = rawType(tss);
    if (type != 3 && type != 11) raiseSelector(VECTOR_TS, back);
    if (!rawPresent(tss)) raiseSelector(VECTOR_NP, back);
    switchTask(back, tss, TASK_RETURN, next, readEflags(), false, 0);
    return;
  }
  const offset = readStack(0, size);
  const selector = <u32>readStack(size, size) & 0xffff;
  const flags = <u32>readStack(size * 2, size);
  if (!isLong() && size == 4 && (flags & FLAG_VM) != 0 && cpl == 0) {
    iretToV86(offset, selector, flags);
    return;
  }
  const rpl = selector & 3;
  let raw = fetchDescriptor(selector, VECTOR_GP);
  const at = descriptorAt;
  if (rpl < cpl) raiseSelector(VECTOR_GP, selector);
  checkReturnCode(raw, selector);
  const flagMask = iretFlagMask(cpl, size);
  const mask = stackMask();
  if (rpl == cpl && !is64()) {
    checkCodeOffset(raw, offset);
    raw = markAccessed(at, raw);
    setCode(selector, raw, cpl);
    setStackPointer(stackPointer() + <u64>(size * 3), mask);
    set64(RIP, offset);
    writeEflags(flags, flagMask);
    return;
  }
  const pointer = readStack(size * 3, size);
  const stackSelector = <u32>readStack(size * 4, size) & 0xffff;
  let stackRaw = fetchReturnStack(stackSelector, rpl, isLong() && (raw & LONG_CODE) != 0);
  const stackAt = descriptorAt;
  checkCodeOffset(raw, offset);
  raw = markAccessed(at, raw);
  if (stackRaw != 0) stackRaw = markAccessed(stackAt, stackRaw);
  setCpl(rpl);
  setCode(selector, raw, rpl);
  loadReturnStack(stackSelector, stackRaw);
  setStackPointer(pointer, stackMask());
  writeEflags(flags, flagMask);
  if (rpl > cpl) dropInnerSegments(rpl);
  set64(RIP, offset);
}
