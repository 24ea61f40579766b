// What is looked at between instructions: reset, INIT, SIPI, debug traps, NMI, interrupts, the interrupt shadow, halt
// states and instruction breakpoints, in the order of Intel SDM volume 3, 6.9.

import { codeBreakpoint, codeWatched, DR6_BS, reportDebug } from './debug';
import { clearEvent, clearShadow, setEvent, SHADOW_MOV_SS, STEP_RF, STEP_SHADOW, STEP_TF } from './eflags';
import { hostAcknowledgeInterrupt, hostMsrRead } from './env';
import { raise, VECTOR_DB, VECTOR_NMI } from './fault';
import { FLAG_IF, FLAG_RF, FLAG_TF } from './flags';
import {
  ACTIVITY, CURRENT_OP, DEBUG_PENDING, DELIVERING, EFLAGS_SYSTEM, EVENT_CODE_CHANGED, EVENT_INIT, EVENT_INTR, EVENT_NMI, EVENT_RESET,
  EVENT_SINGLE_STEP, EVENT_SIPI, EVENT_YIELD, EVENTS, EVENTS_HELD, EXCHANGE, EXIT_HALTED, EXIT_RESET, EXIT_SHUTDOWN, EXIT_YIELD,
  MONITOR_ARMED, NMI_BLOCKED, RIP, SHADOW, SIPI_VECTOR, STEP_STATE,
} from './generated/layout';
import {
  ACTIVITY_HALTED, ACTIVITY_MWAIT, ACTIVITY_RUNNING, ACTIVITY_SHUTDOWN, ACTIVITY_WAIT_SIPI, deliverBoundary,
} from './interrupt';
import { CS } from './modes';
import { resetCpu } from './reset';
import { setSegment } from './segments';
import { get32, get64, set32, set64 } from './state';
import { dataWatched } from './watch';

const IA32_APIC_BASE: u32 = 0x1b;
const APIC_BASE_BSP: u64 = 0x100;
const MWAIT_FRESH: u32 = 2;

/** Keeps an event away from the main loop until its mask falls. */
function hold(bit: i32): void {
  clearEvent(bit);
  set32(EVENTS_HELD, <i32>get32(EVENTS_HELD) | bit);
}

function init(): void {
  resetCpu(true);
  // The bootstrap processor starts over at the reset vector, the others wait for a start-up IPI.
  const bootstrap = hostMsrRead(IA32_APIC_BASE) == 0 || (get64(EXCHANGE) & APIC_BASE_BSP) != 0;
  set32(ACTIVITY, bootstrap ? ACTIVITY_RUNNING : ACTIVITY_WAIT_SIPI);
}

function startUp(): void {
  const vector = get32(SIPI_VECTOR) & 0xff;
  setSegment(CS, vector << 8, <u64>vector << 12, 0xffff, 0x93);
  set64(RIP, 0);
  set32(ACTIVITY, ACTIVITY_RUNNING);
}

/**
 * Called by the main loop at an instruction boundary when EVENTS, SHADOW or ACTIVITY is not 0. Returns EXIT_* to leave
 * run(), or -1 to go on: one instruction when EVENTS still has SINGLE_STEP, else a block. May unwind.
 */
export function serviceEvents(): i32 {
  set32(CURRENT_OP, 0);
  while (true) {
    const events = <i32>get32(EVENTS);
    if ((events & EVENT_CODE_CHANGED) != 0) clearEvent(EVENT_CODE_CHANGED);
    if ((events & EVENT_RESET) != 0) {
      clearEvent(EVENT_RESET);
      return EXIT_RESET;
    }
    if ((events & EVENT_INIT) != 0) {
      clearEvent(EVENT_INIT);
      init();
      continue;
    }
    if (get32(ACTIVITY) == ACTIVITY_SHUTDOWN) return EXIT_SHUTDOWN;
    if ((events & EVENT_SIPI) != 0) {
      clearEvent(EVENT_SIPI);
      if (get32(ACTIVITY) == ACTIVITY_WAIT_SIPI) startUp();
      continue;
    }
    if ((events & EVENT_YIELD) != 0) {
      clearEvent(EVENT_YIELD);
      return EXIT_YIELD;
    }
    if (get32(ACTIVITY) == ACTIVITY_WAIT_SIPI) return EXIT_HALTED;

    let step = get32(STEP_STATE);
    // A shadow lasts from the instruction that casts it to the end of the next one.
    let shadow: u32 = 0;
    if (get32(SHADOW) != 0) {
      if ((step & STEP_SHADOW) == 0) shadow = get32(SHADOW);
      else clearShadow();
    }

    // Traps of the instruction that has just finished.
    let pending = <u64>get32(DEBUG_PENDING);
    if ((step & STEP_TF) != 0) pending |= DR6_BS;
    if (shadow == SHADOW_MOV_SS) {
      step &= ~STEP_TF;
    } else if (pending != 0) {
      set32(DEBUG_PENDING, 0);
      set32(STEP_STATE, 0);
      reportDebug(pending);
      deliverBoundary(VECTOR_DB);
      continue;
    }

    if ((events & EVENT_NMI) != 0) {
      if (get32(NMI_BLOCKED) != 0) {
        hold(EVENT_NMI);
        continue;
      }
      if (shadow == 0) {
        clearEvent(EVENT_NMI);
        set32(NMI_BLOCKED, 1);
        wake();
        deliverBoundary(VECTOR_NMI);
        continue;
      }
    }
    if ((events & EVENT_INTR) != 0) {
      if ((get32(EFLAGS_SYSTEM) & FLAG_IF) == 0) {
        hold(EVENT_INTR);
        continue;
      }
      if (shadow == 0) {
        const vector = hostAcknowledgeInterrupt();
        if (vector < 0) {
          clearEvent(EVENT_INTR);
        } else {
          wake();
          deliverBoundary(<u32>vector & 0xff);
        }
        continue;
      }
    }

    const activity = get32(ACTIVITY);
    if (activity == ACTIVITY_HALTED) {
      // STI; HLT: the shadow is over once the processor sleeps.
      if (shadow != 0) {
        clearShadow();
        continue;
      }
      return EXIT_HALTED;
    }
    if (activity == ACTIVITY_MWAIT) {
      // A wait may end at any time: it does with the next call of run().
      if (get32(MONITOR_ARMED) == MWAIT_FRESH) {
        set32(MONITOR_ARMED, 0);
        return EXIT_HALTED;
      }
      set32(ACTIVITY, ACTIVITY_RUNNING);
    }

    // RF covers exactly one instruction.
    let flags = get32(EFLAGS_SYSTEM);
    if ((flags & FLAG_RF) != 0) {
      if ((step & STEP_RF) != 0) {
        flags &= ~FLAG_RF;
        set32(EFLAGS_SYSTEM, flags);
      }
    }
    if (codeWatched && (flags & FLAG_RF) == 0 && shadow != SHADOW_MOV_SS) {
      const hits = codeBreakpoint();
      if (hits != 0) {
        set32(DELIVERING, -1);
        reportDebug(hits);
        raise(VECTOR_DB);
      }
    }
    step = ((flags & FLAG_TF) != 0 ? STEP_TF : 0) | ((flags & FLAG_RF) != 0 ? STEP_RF : 0) | (shadow != 0 ? STEP_SHADOW : 0);
    set32(STEP_STATE, step);
    if (step != 0 || codeWatched || dataWatched || get32(DEBUG_PENDING) != 0) setEvent(EVENT_SINGLE_STEP);
    else clearEvent(EVENT_SINGLE_STEP);
    return -1;
  }
  return -1;
}

function wake(): void {
  set32(ACTIVITY, ACTIVITY_RUNNING);
  set32(MONITOR_ARMED, 0);
}
