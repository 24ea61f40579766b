// kvm-rows.test.ts with many cases; NESTBOX_SEED chooses them.

import { describe, expect, it } from 'vitest';
import { hostProbe, whyNoKvm } from '../conformance/rig.ts';
import { compareRows, sumOf } from './oracle/kvm-run.ts';

const CASES_PER_ROW = 60;
const SEED = Number(process.env.NESTBOX_SEED ?? 1);

const reason = (await whyNoKvm()) ?? (hostProbe().modes['long-user'].support === 'missing' ? 'its KVM does not run 64-bit programs' : undefined);

describe(reason === undefined ? 'many instructions under KVM' : `many instructions under KVM (skipped: ${reason})`, () => {
  it.skipIf(reason !== undefined)(`agree with the interpreter, ${CASES_PER_ROW} cases a row, seed ${SEED}`, async () => {
    const { rows, passed, known, refusals, failures } = await compareRows(CASES_PER_ROW, SEED);
    console.log(`${rows} rows, ${passed} cases agree; known differences ${JSON.stringify([...known])}; not run ${JSON.stringify([...refusals])}`);
    expect(failures.join('\n\n')).toBe('');
    expect(passed + sumOf(refusals)).toBe(rows * CASES_PER_ROW);
    expect(sumOf(known)).toBeLessThan(passed / 10);
    expect(sumOf(refusals)).toBeLessThan(passed / 100);
  });
});
