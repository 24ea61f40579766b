// Tests of the CPU run in three ways: interpreted, with every block compiled before it runs for the first time, and mixed, where
// blocks become compiled while the program runs. Compiling is synchronous, so that a test is the same each time. Code that the JIT
// leaves alone (16 bits, x87, MMX) runs in all three as well: a JIT that is there must not change what it does.

import { afterAll, beforeAll, describe } from 'vitest';

export interface JitMode {
  readonly mode: 'interpreter' | 'JIT from the first execution' | 'mixed';
  /** Look-ups that make a block hot; 0 without a JIT. */
  readonly threshold: number;
}

export const JIT_MODES: readonly JitMode[] = [
  { mode: 'interpreter', threshold: 0 },
  { mode: 'JIT from the first execution', threshold: 1 },
  { mode: 'mixed', threshold: 3 },
];

let current = 0;

/** Look-ups that make a block hot for processors that tests make now; 0 without a JIT. */
export function jitThresholdNow(): number {
  return current;
}

/** The same as options of a software vCPU or of a VM. */
export function jitOptionsNow(): { readonly jit: boolean; readonly jitThreshold?: number } {
  return current === 0 ? { jit: false } : { jit: true, jitThreshold: current };
}

/** Defines the tests of `body` once a mode. Processors must be made inside tests or their hooks. */
export function inEveryJitMode(body: (mode: JitMode) => void): void {
  describe.each(JIT_MODES)('$mode', (mode) => {
    beforeAll(() => {
      current = mode.threshold;
    });
    afterAll(() => {
      current = 0;
    });
    body(mode);
  });
}
