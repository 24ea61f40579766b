// Single step and breakpoints of a debugger on the software CPU: one instruction at a time. Slow, and the guest sees none
// of it: its own debug registers and TF stay its own.

import type { DebugSettings, RunExit } from '../contract.ts';

/**
 * @param step runs one instruction
 * @param nextAddress linear address of the next one
 */
export function runDebugged(settings: DebugSettings, maxInstructions: number, step: () => RunExit, nextAddress: () => bigint): RunExit {
  for (let i = 0; i < maxInstructions; i++) {
    // Where run() starts, the debugger has just stopped.
    if (i > 0 && settings.breakpoints.includes(nextAddress())) return 'debug';
    const exit = step();
    if (exit !== 'budget') return exit;
    if (settings.singleStep) return 'debug';
  }
  return settings.breakpoints.includes(nextAddress()) ? 'debug' : 'budget';
}
