// Delivery of exceptions and interrupts through the IVT or IDT in every mode, software interrupts, double and triple
// faults. Intel SDM volume 3 chapter 6 (and 20 for virtual-8086 mode with VME). Task gates go on to task.ts.

import { writeEflags, clearShadow, FLAGS_ALL, iopl, setEvent } from './eflags';
import {
  externalBit, FAULT_HAS_CODE, FAULT_TRAP, raise, raiseGp0, raiseSelector, raiseWithCode, setExternalBit, VECTOR_AC, VECTOR_DB, VECTOR_DE,
  VECTOR_DF, VECTOR_GP, VECTOR_NP, VECTOR_PF, VECTOR_SS, VECTOR_TS,
} from './fault';
import {
  FLAG_AC, FLAG_IF, FLAG_IOPL, FLAG_NT, FLAG_RF, FLAG_TF, FLAG_VIF, FLAG_VM, readEflags,
} from './flags';
import {
  CODE_MASK, descriptorAt, fetchDescriptor, innerStack, innerStackPointer, innerStackPointer64, innerStackSelector, tssPointer64,
} from './gates';
import {
  ACTIVITY, CPL, CR4, CURRENT_OP, DEBUG_PENDING, DELIVERING, EVENT_SINGLE_STEP, EXIT_SHUTDOWN, EXIT_YIELD, FAULT_COUNTS, FAULT_ERROR, FAULT_KIND,
  FAULT_LOG, FAULT_LOG_NEXT, FAULT_VECTOR, ICOUNT, IDTR_BASE, IDTR_LIMIT, RIP, STEP_STATE,
} from './generated/layout';
import { loadSystem, loadSystem8, loadSystem16 } from './memory';
import {
  AR_EC, CS, DS, ES, FS, GS, isLong, isReal, isV86, segBase, segLimit, setCpl, SS, TR,
} from './modes';
import { settleFault } from './run';
import {
  checkCodeOffset, markAccessed, rawDpl, rawPresent, rawType, segSelector, setCode, setFromDescriptor, setNull, setNullStack, setRealSegment,
  setV86Segment,
} from './segments';
import {
  commitCurrentFrame, framePointer, framePush, openCurrentFrame, openFlatFrame, openFrame, setStackPointer, stackMask, stackPointer,
} from './stack-frame';
import { cpu, get32, get64, set32, set64 } from './state';
import { switchTask, TASK_CALL } from './task';
import { CR4_VME } from './walk';

export { serviceEvents } from './events';

/** Kinds of softwareInterrupt(). */
export const INT_N: u32 = 0;
export const INT_3: u32 = 1;
export const INT_O: u32 = 2;
export const INT_1: u32 = 3;

export const ACTIVITY_RUNNING: u32 = 0;
export const ACTIVITY_HALTED: u32 = 1;
export const ACTIVITY_MWAIT: u32 = 2;
export const ACTIVITY_WAIT_SIPI: u32 = 3;
export const ACTIVITY_SHUTDOWN: u32 = 4;

/** DELIVERING outside of exception delivery, and while something benign (interrupt, INT n) is delivered. */
const NOTHING: u32 = ~(<u32>0);

// --- The event being delivered. Globals: nested delivery restarts from the beginning.
let eventVector: u32 = 0;
let eventCode: u32 = 0;
let eventHasCode: bool = false;
/** INT n, INT3, INTO: gate privilege is checked. */
let eventSoftware: bool = false;
/** RIP to return to. */
let eventRip: u64 = 0;
/** EFLAGS image to save. */
let eventFlags: u32 = 0;

/** Faults delivered since an instruction retired last: a handler whose first instruction faults would never come back. */
const STUCK_LIMIT: u32 = 4096;
let stuckAt: f64 = -1;
let stuck: u32 = 0;

function isContributory(vector: u32): bool {
  return vector == <u32>VECTOR_DE || (vector >= <u32>VECTOR_TS && vector <= <u32>VECTOR_GP);
}

function shutDown(): void {
  set32(ACTIVITY, ACTIVITY_SHUTDOWN);
  set32(DELIVERING, NOTHING);
  setExternalBit(0);
  setEvent(EVENT_SINGLE_STEP);
}

function logDelivery(vector: u32, code: u32): void {
  const counter = cpu + FAULT_COUNTS + (<usize>(vector & 255) << 2);
  store<u32>(counter, load<u32>(counter) + 1);
  const next = get32(FAULT_LOG_NEXT) & 15;
  const entry = cpu + FAULT_LOG + (<usize>next << 4);
  store<u32>(entry, vector);
  store<u32>(entry, code, 4);
  store<u32>(entry, segSelector(CS), 8);
  store<u32>(entry, <u32>get64(RIP), 12);
  set32(FAULT_LOG_NEXT, (next + 1) & 15);
}

/**
 * Delivers the fault that raise*() stored; the host calls it after an unwind. May unwind again (then it is called
 * again). Returns -1, EXIT.SHUTDOWN after a triple fault, or EXIT.YIELD when the guest faults without end.
 */
export function deliverFault(): i32 {
  settleFault();
  set32(CURRENT_OP, 0);
  let vector = get32(FAULT_VECTOR);
  let code = get32(FAULT_ERROR);
  let hasCode = (get32(FAULT_KIND) & FAULT_HAS_CODE) != 0;
  const first = get32(DELIVERING);
  // What was pending for the interrupted instruction is void; the shadow ends with it.
  set32(DEBUG_PENDING, 0);
  clearShadow();
  logDelivery(vector, code);
  if (first != NOTHING) {
    if (first == <u32>VECTOR_DF) {
      if (isContributory(vector) || vector == <u32>VECTOR_PF) {
        shutDown();
        return EXIT_SHUTDOWN;
      }
    } else if ((isContributory(first) && isContributory(vector))
      || (first == <u32>VECTOR_PF && (isContributory(vector) || vector == <u32>VECTOR_PF))) {
      vector = <u32>VECTOR_DF;
      code = 0;
      hasCode = true;
      logDelivery(vector, 0);
    }
  }
  let flags = readEflags();
  // Faults are restarted without hitting the same code breakpoint again.
  if ((get32(FAULT_KIND) & FAULT_TRAP) == 0 && vector != <u32>VECTOR_DB) flags |= FLAG_RF;
  set32(DELIVERING, vector);
  deliver(vector, false, hasCode, code, get64(RIP), flags, 1);
  const retired = load<f64>(cpu, ICOUNT);
  if (retired != stuckAt) {
    stuckAt = retired;
    stuck = 0;
  } else if (++stuck == STUCK_LIMIT) {
    stuck = 0;
    return EXIT_YIELD;
  }
  return -1;
}

/** An interrupt from outside, NMI, or a debug trap at an instruction boundary; RIP is the next instruction's. */
export function deliverBoundary(vector: u32): void {
  set32(DELIVERING, NOTHING);
  clearShadow();
  if (vector == <u32>VECTOR_DB) logDelivery(vector, 0);
  deliver(vector, false, false, 0, get64(RIP), readEflags(), 1);
}

/** INT n, INT3, INTO, INT1 by kind INT_*; `next` is RIP after the instruction. */
export function softwareInterrupt(vector: u32, kind: u32, next: u64): void {
  set32(DELIVERING, NOTHING);
  if (isV86() && kind == INT_N) {
    if ((get64(CR4) & CR4_VME) != 0) {
      if (redirectedInterrupt(vector, next)) return;
    }
    if (iopl() != 3) raiseGp0();
  }
  if (kind != INT_N) logDelivery(vector, 0);
  deliver(vector, kind != INT_1, false, 0, next, readEflags() & ~FLAG_RF, kind == INT_1 ? 1 : 0);
}

function deliver(vector: u32, software: bool, hasCode: bool, code: u32, rip: u64, flags: u32, external: u32): void {
  eventVector = vector;
  eventSoftware = software;
  eventHasCode = hasCode;
  eventCode = code;
  eventRip = rip;
  eventFlags = flags;
  setExternalBit(external);
  if (isReal()) deliverReal();
  else if (isLong()) deliverLong();
  else deliverProtected();
  setExternalBit(0);
  set32(DELIVERING, NOTHING);
  set32(ACTIVITY, ACTIVITY_RUNNING);
  // The event took the place of a single-step trap; RF of the new EFLAGS is 0.
  set32(STEP_STATE, 0);
}

function deliverReal(): void {
  const at = eventVector * 4;
  if (at + 3 > get32(IDTR_LIMIT)) raiseWithCode(VECTOR_GP, 0);
  const target = <u32>loadSystem(get64(IDTR_BASE) + <u64>at, 4);
  openCurrentFrame();
  framePush(<u64>(eventFlags & 0xffff), 2);
  framePush(<u64>segSelector(CS), 2);
  framePush(eventRip & 0xffff, 2);
  const offset = target & 0xffff;
  if (offset > segLimit(CS)) raiseWithCode(VECTOR_GP, 0);
  commitCurrentFrame();
  setRealSegment(CS, target >> 16);
  set64(RIP, <u64>offset);
  writeEflags(0, FLAG_IF | FLAG_TF | FLAG_AC | FLAG_RF);
}

/** Virtual-8086 INT n with VME: by the redirection bitmap straight to the program's own vector table. */
function redirectedInterrupt(vector: u32, next: u64): bool {
  const map = loadSystem16(segBase(TR) + 0x66);
  const at = map - 32 + (vector >> 3);
  if (map < 32 || at > segLimit(TR)) raiseGp0();
  if ((loadSystem8(segBase(TR) + <u64>at) & (1 << (vector & 7))) != 0) return false;
  const virtual = iopl() != 3;
  let flags = readEflags();
  if (virtual) flags = (flags & ~FLAG_IF) | ((flags & FLAG_VIF) != 0 ? FLAG_IF : 0) | FLAG_IOPL;
  const target = <u32>loadSystem(<u64>vector * 4, 4);
  openCurrentFrame();
  framePush(<u64>(flags & 0xffff), 2);
  framePush(<u64>segSelector(CS), 2);
  framePush(next & 0xffff, 2);
  commitCurrentFrame();
  setV86Segment(CS, target >> 16);
  set64(RIP, <u64>(target & 0xffff));
  writeEflags(0, FLAG_TF | FLAG_NT | (virtual ? FLAG_VIF : FLAG_IF));
  return true;
}

/** #GP or #NP about the IDT entry. */
function raiseGate(vector: i32): void {
  // The IDT flag; the index field holds the vector whatever the size of entries.
  raiseWithCode(vector, eventVector * 8 + 2 + externalBit);
}

function deliverProtected(): void {
  const at = eventVector * 8;
  if (at + 7 > get32(IDTR_LIMIT)) raiseGate(VECTOR_GP);
  const gate = loadSystem(get64(IDTR_BASE) + <u64>at, 8);
  const type = rawType(gate);
  if (type != 5 && type != 6 && type != 7 && type != 14 && type != 15) raiseGate(VECTOR_GP);
  if (eventSoftware && rawDpl(gate) < get32(CPL)) raiseGate(VECTOR_GP);
  if (!rawPresent(gate)) raiseGate(VECTOR_NP);
  const selector = <u32>(gate >> 16) & 0xffff;
  if (type == 5) {
    throughTaskGate(selector);
    return;
  }
  const size: u32 = type >= 14 ? 4 : 2;
  let offset = gate & 0xffff;
  if (size == 4) offset |= (gate >> 32) & 0xffff0000;
  let raw = fetchDescriptor(selector, VECTOR_GP);
  const codeAt = descriptorAt;
  const cpl = get32(CPL);
  const dpl = rawDpl(raw);
  if ((rawType(raw) & CODE_MASK) != CODE_MASK || dpl > cpl) raiseSelector(VECTOR_GP, selector);
  if (!rawPresent(raw)) raiseSelector(VECTOR_NP, selector);
  const v86 = isV86();
  const inner = (rawType(raw) & AR_EC) == 0 && dpl < cpl;
  if (v86 && !(inner && dpl == 0)) raiseSelector(VECTOR_GP, selector);
  const flags = <u64>eventFlags;
  const codeSelector = <u64>segSelector(CS);
  // Gates of 80286 type are even without bit 3; interrupt gates have bit 0 clear.
  const cleared = FLAG_TF | FLAG_NT | FLAG_RF | FLAG_VM | ((type & 1) == 0 ? FLAG_IF : 0);
  if (!inner) {
    openCurrentFrame();
    framePush(flags, size);
    framePush(codeSelector, size);
    framePush(eventRip, size);
    if (eventHasCode) framePush(<u64>eventCode, size);
    checkCodeOffset(raw, offset);
    raw = markAccessed(codeAt, raw);
    commitCurrentFrame();
    setCode(selector, raw, cpl);
    set64(RIP, offset);
    writeEflags(0, cleared);
    return;
  }
  let stackRaw = innerStack(dpl);
  const stackAt = descriptorAt;
  const stackSelector = innerStackSelector;
  openFrame(stackRaw, stackSelector, innerStackPointer, dpl);
  if (v86) {
    framePush(<u64>segSelector(GS), size);
    framePush(<u64>segSelector(FS), size);
    framePush(<u64>segSelector(DS), size);
    framePush(<u64>segSelector(ES), size);
  }
  framePush(<u64>segSelector(SS), size);
  framePush(stackPointer(), size);
  framePush(flags, size);
  framePush(codeSelector, size);
  framePush(eventRip, size);
  if (eventHasCode) framePush(<u64>eventCode, size);
  checkCodeOffset(raw, offset);
  raw = markAccessed(codeAt, raw);
  stackRaw = markAccessed(stackAt, stackRaw);
  const pointer = framePointer;
  writeEflags(0, cleared);
  setCpl(dpl);
  setFromDescriptor(SS, (stackSelector & 0xfffc) | dpl, stackRaw);
  setCode(selector, raw, dpl);
  setStackPointer(pointer, stackMask());
  if (v86) {
    setNull(GS, 0);
    setNull(FS, 0);
    setNull(DS, 0);
    setNull(ES, 0);
  }
  set64(RIP, offset);
}

function throughTaskGate(selector: u32): void {
  if ((selector & 4) != 0) raiseSelector(VECTOR_GP, selector);
  const tss = fetchDescriptor(selector, VECTOR_GP);
  const type = rawType(tss);
  if (type != 1 && type != 9) raiseSelector(VECTOR_GP, selector);
  if (!rawPresent(tss)) raiseSelector(VECTOR_NP, selector);
  switchTask(selector, tss, TASK_CALL, eventRip, eventFlags, eventHasCode, eventCode);
}

function deliverLong(): void {
  const at = eventVector * 16;
  if (at + 15 > get32(IDTR_LIMIT)) raiseGate(VECTOR_GP);
  const base = get64(IDTR_BASE) + <u64>at;
  const gate = loadSystem(base, 8);
  const upper = loadSystem(base + 8, 8);
  const type = rawType(gate);
  if (type != 14 && type != 15) raiseGate(VECTOR_GP);
  if (eventSoftware && rawDpl(gate) < get32(CPL)) raiseGate(VECTOR_GP);
  if (!rawPresent(gate)) raiseGate(VECTOR_NP);
  const selector = <u32>(gate >> 16) & 0xffff;
  const offset = (gate & 0xffff) | ((gate >> 32) & 0xffff0000) | (upper << 32);
  const ist = <u32>(gate >> 32) & 7;
  let raw = fetchDescriptor(selector, VECTOR_GP);
  const codeAt = descriptorAt;
  const cpl = get32(CPL);
  const dpl = rawDpl(raw);
  if ((rawType(raw) & CODE_MASK) != CODE_MASK || dpl > cpl) raiseSelector(VECTOR_GP, selector);
  if ((raw & 0x0060_0000_0000_0000) != 0x0020_0000_0000_0000) raiseSelector(VECTOR_GP, selector);
  if (!rawPresent(raw)) raiseSelector(VECTOR_NP, selector);
  const inner = (rawType(raw) & AR_EC) == 0 && dpl < cpl;
  const newCpl = inner ? dpl : cpl;
  const oldPointer = stackPointer();
  let pointer: u64;
  if (ist != 0) pointer = tssPointer64(28 + ist * 8);
  else if (inner) pointer = innerStackPointer64(dpl);
  else pointer = oldPointer;
  openFlatFrame(pointer & ~(<u64>15), newCpl);
  framePush(<u64>segSelector(SS), 8);
  framePush(oldPointer, 8);
  framePush(<u64>eventFlags, 8);
  framePush(<u64>segSelector(CS), 8);
  framePush(eventRip, 8);
  if (eventHasCode) framePush(<u64>eventCode, 8);
  checkCodeOffset(raw, offset);
  raw = markAccessed(codeAt, raw);
  pointer = framePointer;
  writeEflags(0, FLAG_TF | FLAG_NT | FLAG_RF | FLAG_VM | (type == 14 ? FLAG_IF : 0));
  setCpl(newCpl);
  setCode(selector, raw, newCpl);
  if (inner) setNullStack(newCpl);
  setStackPointer(pointer, ~(<u64>0));
  set64(RIP, offset);
}
