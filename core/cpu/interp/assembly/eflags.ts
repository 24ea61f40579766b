// EFLAGS as a whole: who may change which bit, and what follows from changes of IF, TF, RF and AC.

import {
  FLAG_AC, FLAG_ID, FLAG_IF, FLAG_IOPL, FLAG_NT, FLAG_RF, FLAG_TF, FLAG_DF, FLAG_VIF, FLAG_VIP, FLAG_VM, FLAGS_ARITHMETIC, readEflags,
  setArithmeticFlags,
} from './flags';
import { raiseGp0 } from './fault';
import {
  CPL, CR4, EFLAGS_SYSTEM, EVENT_INTR, EVENT_NMI, EVENT_SINGLE_STEP, EVENTS, EVENTS_HELD, SHADOW, STEP_STATE,
} from './generated/layout';
import { isV86 } from './modes';
import { cpu, get32, get64, set32 } from './state';
import { updateTlbActive } from './tlb';
import { CR4_PVI, CR4_VME } from './walk';

/** Every bit that exists in EFLAGS. */
export const FLAGS_ALL: u32 = FLAGS_ARITHMETIC | FLAG_TF | FLAG_IF | FLAG_DF | FLAG_IOPL | FLAG_NT | FLAG_RF | FLAG_VM | FLAG_AC
  | FLAG_VIF | FLAG_VIP | FLAG_ID;

/** Bits of STEP_STATE. */
export const STEP_TF: u32 = 1;
export const STEP_RF: u32 = 2;
export const STEP_SHADOW: u32 = 4;

export const SHADOW_STI: u32 = 1;
export const SHADOW_MOV_SS: u32 = 2;

// @ts-ignore: decorator
@inline
export function setEvent(bit: i32): void {
  atomic.or<i32>(cpu + EVENTS, bit);
}

// @ts-ignore: decorator
@inline
export function clearEvent(bit: i32): void {
  atomic.and<i32>(cpu + EVENTS, ~bit);
}

// @ts-ignore: decorator
@inline
export function iopl(): u32 {
  return (get32(EFLAGS_SYSTEM) >> 12) & 3;
}

/** Events that waited for IF or for the end of NMI blocking go back to where the main loop looks. */
export function releaseEvents(bit: i32): void {
  const held = <i32>get32(EVENTS_HELD);
  if ((held & bit) == 0) return;
  set32(EVENTS_HELD, held & ~bit);
  setEvent(held & bit);
}

/** Changes the EFLAGS bits in `mask`. */
export function writeEflags(value: u32, mask: u32): void {
  if ((mask & FLAGS_ARITHMETIC) != 0) {
    setArithmeticFlags((mask & FLAGS_ARITHMETIC) == FLAGS_ARITHMETIC ? value : (value & mask) | (readEflags() & ~mask));
  }
  const old = get32(EFLAGS_SYSTEM);
  const next = (((old & ~mask) | (value & mask)) & FLAGS_ALL & ~FLAGS_ARITHMETIC) | 2;
  set32(EFLAGS_SYSTEM, next);
  if (((old ^ next) & FLAG_AC) != 0) updateTlbActive();
  if ((next & (FLAG_TF | FLAG_RF)) != 0) setEvent(EVENT_SINGLE_STEP);
  // A freshly written RF belongs to the next instruction.
  if ((mask & FLAG_RF) != 0) set32(STEP_STATE, get32(STEP_STATE) & ~STEP_RF);
  if ((next & FLAG_IF) != 0) releaseEvents(EVENT_INTR);
}

/** No interrupt (and after MOV SS no debug trap) before the next instruction is done. */
export function setShadow(kind: u32): void {
  if (get32(SHADOW) != 0) return;
  set32(SHADOW, kind);
  set32(STEP_STATE, get32(STEP_STATE) & ~STEP_SHADOW);
  setEvent(EVENT_SINGLE_STEP);
}

export function clearShadow(): void {
  set32(SHADOW, 0);
  set32(STEP_STATE, get32(STEP_STATE) & ~STEP_SHADOW);
}

export function unblockNmi(): void {
  releaseEvents(EVENT_NMI);
}

/** What PUSHF stores for an operand of 2, 4 or 8 bytes; raises #GP(0) in virtual-8086 mode without the right. */
export function eflagsForPush(size: u32): u32 {
  let flags = readEflags();
  if (isV86() && iopl() != 3) {
    if ((get64(CR4) & CR4_VME) == 0 || size != 2) raiseGp0();
    flags = (flags & ~FLAG_IF) | ((flags & FLAG_VIF) != 0 ? FLAG_IF : 0) | FLAG_IOPL;
  }
  return flags & ~(FLAG_RF | FLAG_VM);
}

/** POPF. */
export function popEflags(value: u32, size: u32): void {
  let mask = FLAGS_ARITHMETIC | FLAG_TF | FLAG_DF | FLAG_NT;
  if (size != 2) {
    mask |= FLAG_AC | FLAG_ID | FLAG_RF;
    value &= ~FLAG_RF;
  }
  const cpl = get32(CPL);
  if (isV86()) {
    if (iopl() == 3) {
      mask |= FLAG_IF;
    } else {
      if ((get64(CR4) & CR4_VME) == 0 || size != 2) raiseGp0();
      if ((value & FLAG_TF) != 0 || ((value & FLAG_IF) != 0 && (get32(EFLAGS_SYSTEM) & FLAG_VIP) != 0)) raiseGp0();
      mask |= FLAG_VIF;
      value = (value & ~FLAG_VIF) | ((value & FLAG_IF) != 0 ? FLAG_VIF : 0);
    }
  } else {
    if (cpl == 0) mask |= FLAG_IOPL;
    if (cpl <= iopl()) mask |= FLAG_IF;
  }
  writeEflags(value, mask);
}

/** True when CLI and STI act on VIF: virtual-8086 mode with VME, or level 3 with PVI. */
function virtualInterrupts(): bool {
  const cr4 = get64(CR4);
  if (isV86()) return (cr4 & CR4_VME) != 0;
  return get32(CPL) == 3 && (cr4 & CR4_PVI) != 0;
}

export function clearInterruptFlag(): void {
  if (get32(CPL) <= iopl()) {
    set32(EFLAGS_SYSTEM, get32(EFLAGS_SYSTEM) & ~FLAG_IF);
    return;
  }
  if (!virtualInterrupts()) raiseGp0();
  set32(EFLAGS_SYSTEM, get32(EFLAGS_SYSTEM) & ~FLAG_VIF);
}

export function setInterruptFlag(): void {
  const flags = get32(EFLAGS_SYSTEM);
  if (get32(CPL) <= iopl()) {
    if ((flags & FLAG_IF) == 0) {
      set32(EFLAGS_SYSTEM, flags | FLAG_IF);
      setShadow(SHADOW_STI);
      releaseEvents(EVENT_INTR);
    }
    return;
  }
  if (!virtualInterrupts() || (flags & FLAG_VIP) != 0) raiseGp0();
  set32(EFLAGS_SYSTEM, flags | FLAG_VIF);
}
