// What the host sees of the interpreter (core/cpu/software/interpreter-module.ts binds these).

import { blocksDecoded, blocksKilled, codeWritten, flushAllBlocks, invalidatePage } from './blocks';
import { updateBreakpoints } from './debug';
import { FLAGS_ALL, writeEflags } from './eflags';
import { readEflags } from './flags';
import { deliverFault } from './interrupt';
import { refreshDerived } from './modes';
import { resetCpu } from './reset';
import { currentInstructionCount, initRun, resume, run, settleFault } from './run';
import { initTlb, pageMapChanged, translateDebug } from './tlb';

export {
  codeWritten, currentInstructionCount, deliverFault, flushAllBlocks, invalidatePage, pageMapChanged, readEflags, refreshDerived, resetCpu, resume, run,
  settleFault, translateDebug, updateBreakpoints,
};

/** Once, after the module is instantiated over a cleared vCPU area. */
export function init(): void {
  initTlb();
  initRun();
}

/** Sets the whole of EFLAGS from the host. */
export function setEflags(value: u32): void {
  writeEflags(value, FLAGS_ALL);
}

export function blocksDecodedCount(): u32 {
  return blocksDecoded;
}

export function blocksKilledCount(): u32 {
  return blocksKilled;
}
