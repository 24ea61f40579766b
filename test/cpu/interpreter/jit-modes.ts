// Tests of the CPU run in three ways: interpreted, with every block compiled before it runs for the first time, and mixed, where
// blocks become compiled while the program runs. Compiling is synchronous, so that a test is the same each time.

import { afterAll, beforeAll, describe } from 'vitest';

const MODES = [
  { mode: 'interpreter', threshold: 0 },
  { mode: 'JIT from the first execution', threshold: 1 },
  { mode: 'mixed', threshold: 3 },
] as const;

let current = 0;

/** Look-ups that make a block hot for processors that tests make now; 0 without a JIT. */
export function jitThresholdNow(): number {
  return current;
}

/** Defines the tests of `body` once a mode. Processors must be made inside tests. */
export function inEveryJitMode(body: () => void): void {
  describe.each(MODES)('$mode', ({ threshold }) => {
    beforeAll(() => {
      current = threshold;
    });
    afterAll(() => {
      current = 0;
    });
    body();
  });
}
