// SingleStepTests recorded from an 80286 (real mode) and an 8086, in every mode of the JIT, which
// leaves real mode alone.

import { describe, expect, it } from 'vitest';
import { inEveryJitMode } from '../support/jit-modes.ts';
import { loadVectors, runVectors, type Suite } from './vectors/single-step.ts';

const SUITES: readonly { suite: Suite; passed: number; forms: number }[] = [
  { suite: 'sst-80286-real', passed: 31_500, forms: 320 },
  { suite: 'sst-8086', passed: 26_000, forms: 270 },
];

inEveryJitMode(() => {
describe.each(SUITES)('$suite', ({ suite, passed, forms }) => {
  const vectors = loadVectors(suite);
  it.skipIf(vectors === null)(
    'agrees but for the listed differences of the processors (needs ../shared/vectors)',
    () => {
      const report = runVectors(suite, vectors ?? []);
      const excluded = [...report.excluded]
        .sort((a, b) => b[1] - a[1])
        .map(([reason, count]) => `  ${count} excluded: ${reason}`);
      console.log(
        [
          `${suite}: ${report.passed} passed, ${report.failures.length} failed, ${report.forms.size} forms`,
          ...excluded,
        ].join('\n'),
      );
      expect(report.failures.slice(0, 20)).toEqual([]);
      expect(report.passed).toBeGreaterThan(passed);
      expect(report.forms.size).toBeGreaterThan(forms);
    },
  );
});
});
