// What the host sees of the interpreter (core/cpu/software/interpreter-module.ts binds these).

import {
  blocksDecoded, blocksKilled, codeWritten, flushAllBlocks, invalidatePage, jitFind, jitInstall, jitRemove, jitRetired, jitWatch, setJitThreshold,
} from './blocks';
import { updateBreakpoints } from './debug';
import { FLAGS_ALL, writeEflags } from './eflags';
import { readEflags } from './flags';
import { deliverFault } from './interrupt';
import { refreshDerived } from './modes';
import { executeMmx } from './mmx';
import { executeSse } from './sse';
import { executeSystem } from './system';
import { executeX87 } from './x87';
import {
  jitDouble, jitFlags32, jitFlags64, jitMulHighSigned, jitMulHighUnsigned, jitPushedFlags, jitRead, jitReadSegment, jitOverride, jitSetCarryOverflow, jitSingle, jitSystem, jitWrite,
  jitWriteSegment,
} from './jit';
import { resetCpu } from './reset';
import { currentInstructionCount, initRun, resume, run, settleFault } from './run';
import { initTlb, pageMapChanged, translateDebug } from './tlb';

export {
  codeWritten, currentInstructionCount, deliverFault, flushAllBlocks, invalidatePage, pageMapChanged, readEflags, refreshDerived, resetCpu, resume, run,
  settleFault, translateDebug, updateBreakpoints,
};
// For the JIT and the code that it makes.
export {
  executeMmx, executeSse, executeSystem, executeX87, jitDouble, jitFind, jitFlags32, jitFlags64, jitInstall, jitMulHighSigned, jitMulHighUnsigned, jitRead, jitReadSegment, jitRemove,
  jitOverride, jitPushedFlags, jitSetCarryOverflow, jitSingle, jitSystem, jitWatch, jitWrite, jitWriteSegment, setJitThreshold,
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

/** Instructions that compiled regions retired. */
export function jitRetiredCount(): f64 {
  return jitRetired;
}
