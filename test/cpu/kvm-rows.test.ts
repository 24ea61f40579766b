// Every row of the opcode table that a program may run, in 64-bit code on the processor under KVM and on the interpreter: the
// cases of host-instructions.test.ts, where paging, tables and faults are ours instead of the host system's.

import { describe, expect, it } from 'vitest';
import { hostProbe, whyNoKvm } from '../conformance/rig.ts';
import { compareRows, sumOf } from './oracle/kvm-run.ts';

const CASES_PER_ROW = 5;

const reason = (await whyNoKvm()) ?? (hostProbe().modes['long-user'].support === 'missing' ? 'its KVM does not run 64-bit programs' : undefined);

describe(reason === undefined ? 'instructions under KVM' : `instructions under KVM (skipped: ${reason})`, () => {
  it.skipIf(reason !== undefined)(`agree with the interpreter, ${CASES_PER_ROW} cases a row`, async () => {
    const { rows, passed, known, refusals, failures } = await compareRows(CASES_PER_ROW, 7);
    expect(failures.join('\n\n')).toBe('');
    expect(rows).toBeGreaterThan(850);
    // Known differences are few, and KVM runs nearly everything.
    expect(passed + sumOf(refusals)).toBe(rows * CASES_PER_ROW);
    expect(sumOf(known)).toBeLessThan(passed / 10);
    expect(sumOf(refusals)).toBeLessThan(passed / 100);
  });
});
