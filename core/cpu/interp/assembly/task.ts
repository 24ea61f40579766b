// Hardware task switches: 16-bit and 32-bit TSS, by JMP, CALL, IRET, task gates and interrupts. Intel SDM volume 3,
// chapter 7. Faults before the point of no return happen in the old task, those while the new task's segments are
// loaded in the new one.

import { writeEflags, FLAGS_ALL, setEvent } from './eflags';
import { raiseGp0, raiseSelector, VECTOR_NP, VECTOR_SS, VECTOR_TS } from './fault';
import { FLAG_NT } from './flags';
import { descriptorAt } from './gates';
import {
  CR0, DEBUG_PENDING, DR, EVENT_SINGLE_STEP, GDTR_BASE, RIP, SEG_SELECTOR,
} from './generated/layout';
import { writePageTableBase } from './control';
import { updateBreakpoints } from './debug';
import { loadSystem, loadSystem8, loadSystem16, loadSystem32, probeSystem, storeSystem8, storeSystem16, storeSystem32 } from './memory';
import {
  AR_CODE, AR_EC, AR_RW, AR_S, CS, DS, ES, FS, GS, isV86, LDTR, segAccess, segBase, segLimit, setCpl, SS, TR,
} from './modes';
import {
  descriptorAddress, isStackType, markAccessed, NO_DESCRIPTOR, rawAccess, rawBase, rawDpl, rawLimit, rawPresent, rawType, segSelector,
  setFromDescriptor, setNull, setSegment, setV86Segment,
} from './segments';
import { detachFromBlock } from './run';
import { commitCurrentFrame, framePush, openCurrentFrame } from './stack-frame';
import { cpu, get32, get64, reg32, set32, set64, setReg16, setReg32 } from './state';
import { CR0_PG, CR0_TS } from './walk';

export const TASK_JUMP: u32 = 0;
export const TASK_CALL: u32 = 1;
export const TASK_RETURN: u32 = 2;

const BUSY: u32 = 2;

/** Descriptor address of a TSS selector (always in the GDT). */
function gdtAddress(selector: u32): u64 {
  return get64(GDTR_BASE) + <u64>(selector & 0xfff8);
}

/**
 * @param raw the checked descriptor of the new TSS (type and presence are right for `reason`)
 * @param next RIP that the old task will continue at; `flags` its EFLAGS
 */
export function switchTask(selector: u32, raw: u64, reason: u32, next: u64, flags: u32, hasCode: bool, code: u32): void {
  const descriptor = descriptorAt;
  const wide = (rawType(raw) & 8) != 0;
  const base = rawBase(raw);
  const limit = rawLimit(raw);
  const needed: u32 = wide ? 0x67 : 0x2b;
  if (limit < needed) raiseSelector(VECTOR_TS, selector);
  const oldWide = (segAccess(TR) & 8) != 0;
  const oldBase = segBase(TR);
  const oldSelector = segSelector(TR);
  const oldDescriptor = gdtAddress(oldSelector);

  // Everything that may fault is touched now, so that the switch is all or nothing.
  probeSystem(oldBase, oldWide ? 0x68 : 0x2c, true);
  probeSystem(base, wide ? 0x68 : 0x2c, reason == TASK_CALL);
  probeSystem(descriptor, 8, true);
  probeSystem(oldDescriptor, 8, true);

  let newCr3: u64 = 0;
  let newFlags: u32, newRip: u32, newLdt: u32, trap: u32 = 0;
  if (wide) {
    newCr3 = <u64>loadSystem32(base + 0x1c);
    newRip = loadSystem32(base + 0x20);
    newFlags = loadSystem32(base + 0x24);
    newLdt = loadSystem16(base + 0x60);
    trap = loadSystem16(base + 0x64) & 1;
  } else {
    newRip = loadSystem16(base + 0x0e);
    newFlags = loadSystem16(base + 0x10);
    newLdt = loadSystem16(base + 0x2a);
  }

  if (reason != TASK_CALL) storeSystem8(oldDescriptor + 5, loadSystem8(oldDescriptor + 5) & ~BUSY);
  saveTask(oldBase, oldWide, <u32>next, reason == TASK_RETURN ? flags & ~FLAG_NT : flags);

  if (reason == TASK_CALL) {
    storeSystem16(base, oldSelector);
    newFlags |= FLAG_NT;
  }
  if (reason != TASK_RETURN) storeSystem8(descriptor + 5, loadSystem8(descriptor + 5) | BUSY);

  // The new task's general registers, read before CR3 changes (both tasks must map the TSS).
  for (let i: u32 = 0; i < 8; i++) {
    if (wide) setReg32(i, loadSystem32(base + 0x28 + <u64>(i * 4)));
    else setReg16(i, loadSystem16(base + 0x12 + <u64>(i * 2)));
  }
  const es = segmentImage(base, wide, 0);
  const cs = segmentImage(base, wide, 1);
  const ss = segmentImage(base, wide, 2);
  const ds = segmentImage(base, wide, 3);
  const fs = wide ? segmentImage(base, wide, 4) : 0;
  const gs = wide ? segmentImage(base, wide, 5) : 0;

  setSegment(TR, selector, base, limit, rawAccess(raw) | BUSY);
  set64(CR0, get64(CR0) | CR0_TS);
  const dr7 = get64(DR + 7 * 8);
  if ((dr7 & 0x155) != 0) {
    // The local breakpoints belong to the old task.
    set64(DR + 7 * 8, dr7 & ~(<u64>0x155));
    updateBreakpoints();
  }
  if (wide && (get64(CR0) & CR0_PG) != 0) writePageTableBase(newCr3);

  // From here on faults belong to the new task.
  detachFromBlock();
  set64(RIP, <u64>newRip);
  writeEflags(newFlags, FLAGS_ALL);
  loadTaskSegments(es, cs, ss, ds, fs, gs, newLdt);
  if (trap != 0) {
    set32(DEBUG_PENDING, get32(DEBUG_PENDING) | 0x8000);
    setEvent(EVENT_SINGLE_STEP);
  }
  if (hasCode) {
    openCurrentFrame();
    framePush(<u64>code, wide ? 4 : 2);
    commitCurrentFrame();
  }
  if (<u64>newRip > <u64>segLimit(CS)) raiseGp0();
}

function segmentImage(base: u64, wide: bool, index: u32): u32 {
  return wide ? loadSystem16(base + 0x48 + <u64>(index * 4)) : loadSystem16(base + 0x22 + <u64>(index * 2));
}

function saveTask(base: u64, wide: bool, rip: u32, flags: u32): void {
  if (wide) {
    storeSystem32(base + 0x20, rip);
    storeSystem32(base + 0x24, flags);
    for (let i: u32 = 0; i < 8; i++) storeSystem32(base + 0x28 + <u64>(i * 4), reg32(i));
    for (let i: u32 = 0; i < 6; i++) storeSystem16(base + 0x48 + <u64>(i * 4), segSelector(i));
  } else {
    storeSystem16(base + 0x0e, rip);
    storeSystem16(base + 0x10, flags);
    for (let i: u32 = 0; i < 8; i++) storeSystem16(base + 0x12 + <u64>(i * 2), reg32(i));
    for (let i: u32 = 0; i < 4; i++) storeSystem16(base + 0x22 + <u64>(i * 2), segSelector(i));
  }
}

function loadTaskSegments(es: u32, cs: u32, ss: u32, ds: u32, fs: u32, gs: u32, ldt: u32): void {
  // Until its descriptor is checked each register holds its new selector but nothing usable.
  const v86 = isV86();
  const cpl: u32 = v86 ? 3 : cs & 3;
  if (!v86) {
    setNull(ES, es);
    setNull(DS, ds);
    setNull(FS, fs);
    setNull(GS, gs);
    setNull(SS, ss, cpl);
  }
  setNull(LDTR, ldt);
  if ((ldt & 0xfffc) != 0) {
    if ((ldt & 4) != 0) raiseSelector(VECTOR_TS, ldt);
    const address = descriptorAddress(ldt);
    if (address == NO_DESCRIPTOR) raiseSelector(VECTOR_TS, ldt);
    const raw = loadSystem(address, 8);
    if (rawType(raw) != 2 || !rawPresent(raw)) raiseSelector(VECTOR_TS, ldt);
    setFromDescriptor(LDTR, ldt, raw);
  }
  setCpl(cpl);
  if (v86) {
    setV86Segment(CS, cs);
    setV86Segment(SS, ss);
    setV86Segment(ES, es);
    setV86Segment(DS, ds);
    setV86Segment(FS, fs);
    setV86Segment(GS, gs);
    return;
  }
  store<u32>(cpu + CS * 4, cs, SEG_SELECTOR);
  const code = taskDescriptor(cs);
  const codeAt = descriptorAt2;
  if ((rawType(code) & (AR_S | AR_CODE)) != (AR_S | AR_CODE)) raiseSelector(VECTOR_TS, cs);
  if ((rawType(code) & AR_EC) != 0 ? rawDpl(code) > cpl : rawDpl(code) != cpl) raiseSelector(VECTOR_TS, cs);
  if (!rawPresent(code)) raiseSelector(VECTOR_NP, cs);
  setFromDescriptor(CS, cs, markAccessed(codeAt, code));
  const stack = taskDescriptor(ss);
  const stackAt = descriptorAt2;
  if (!isStackType(stack) || rawDpl(stack) != cpl || (ss & 3) != cpl) raiseSelector(VECTOR_TS, ss);
  if (!rawPresent(stack)) raiseSelector(VECTOR_SS, ss);
  setFromDescriptor(SS, ss, markAccessed(stackAt, stack));
  loadTaskData(ES, es, cpl);
  loadTaskData(DS, ds, cpl);
  loadTaskData(FS, fs, cpl);
  loadTaskData(GS, gs, cpl);
}

let descriptorAt2: u64 = 0;

function taskDescriptor(selector: u32): u64 {
  if ((selector & 0xfffc) == 0) raiseSelector(VECTOR_TS, selector);
  const address = descriptorAddress(selector);
  if (address == NO_DESCRIPTOR) raiseSelector(VECTOR_TS, selector);
  descriptorAt2 = address;
  return loadSystem(address, 8);
}

function loadTaskData(seg: u32, selector: u32, cpl: u32): void {
  if ((selector & 0xfffc) == 0) return;
  const raw = taskDescriptor(selector);
  const at = descriptorAt2;
  const type = rawType(raw);
  if ((type & AR_S) == 0 || (type & (AR_CODE | AR_RW)) == AR_CODE) raiseSelector(VECTOR_TS, selector);
  if ((type & (AR_CODE | AR_EC)) != (AR_CODE | AR_EC)) {
    const dpl = rawDpl(raw);
    if ((selector & 3) > dpl || cpl > dpl) raiseSelector(VECTOR_TS, selector);
  }
  if (!rawPresent(raw)) raiseSelector(VECTOR_NP, selector);
  setFromDescriptor(seg, selector, markAccessed(at, raw));
}
