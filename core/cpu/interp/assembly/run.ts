// Entry points of the host: run a budget of instructions, resume after a fault, exact instruction counts.

import { exitReason, initBlocks, nextBlock } from './blocks';
import { execute } from './generated/dispatch';
import { BLOCK_RUNNING, BUDGET, BUDGET_START, CURRENT_OP, FAULT_KIND, ICOUNT, RIP } from './generated/layout';
import { currentRip, nextRip } from './op';
import { cpu, get32, set32, set64 } from './state';

/** Moves what the budget says was retired into ICOUNT. */
function flushCount(): void {
  const budget = get32(BUDGET);
  store<f64>(cpu, load<f64>(cpu, ICOUNT) + <f64>(<i32>(get32(BUDGET_START) - budget)), ICOUNT);
  set32(BUDGET_START, budget);
}

/** Runs exactly `budget` instructions unless something else ends it; returns EXIT_*. Unwinds on faults. */
export function run(budget: i32): i32 {
  set32(BUDGET, <u32>budget);
  set32(BUDGET_START, <u32>budget);
  return resume();
}

/** Goes on with the rest of the budget. */
export function resume(): i32 {
  const op = nextBlock();
  if (op != 0) execute(op);
  flushCount();
  return exitReason;
}

/** Instructions retired since power-on; exact inside host calls too. */
export function currentInstructionCount(): f64 {
  let count = load<f64>(cpu, ICOUNT) + <f64>(<i32>(get32(BUDGET_START) - get32(BUDGET)));
  const running = get32(BLOCK_RUNNING);
  if (running != 0) count += <f64>(((get32(CURRENT_OP) - running) >> 5) - 1);
  return count;
}

/**
 * After an unwind: RIP and the count as of the instruction in CURRENT_OP. A faulting instruction does not count, a trap
 * counts and leaves RIP behind it.
 */
export function settleFault(): void {
  const running = get32(BLOCK_RUNNING);
  if (running != 0) {
    const op = get32(CURRENT_OP);
    const trap = (get32(FAULT_KIND) & 4) != 0;
    set64(RIP, trap ? nextRip(<usize>op) : currentRip());
    set32(BUDGET, get32(BUDGET) - (((op - running) >> 5) - (trap ? 0 : 1)));
    set32(BLOCK_RUNNING, 0);
  }
  flushCount();
}

/** The running block is given up: RIP and mode in the register file now belong to something else (task switch). */
export function detachFromBlock(): void {
  const running = get32(BLOCK_RUNNING);
  if (running == 0) return;
  set32(BUDGET, get32(BUDGET) - (((get32(CURRENT_OP) - running) >> 5) - 1));
  set32(BLOCK_RUNNING, 0);
}

export function initRun(): void {
  initBlocks();
  set32(BLOCK_RUNNING, 0);
  set32(BUDGET, 0);
  set32(BUDGET_START, 0);
}
