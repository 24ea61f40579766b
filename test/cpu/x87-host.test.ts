// The x87, MMX and the arithmetic behind SSE against the host processor: random states and operands, every instruction form,
// all registers, tags, status, flags and memory compared bit by bit. Transcendental results may differ in the last place. Most
// cases run the functions alone; fewer run as instructions of the whole processor, in every mode of the JIT.

import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CaseBuffer, OUT, Random } from './fpu/fpu-cases.ts';
import { compileFpu } from './fpu/fpu-module.ts';
import { addMmxCase, mmxForms } from './fpu/mmx-run.ts';
import { NativeFpu, nativeFpuMissing } from './fpu/native-fpu.ts';
import { runOnProcessor } from './fpu/processor-run.ts';
import { addScalarCase, compareScalar, describeScalar, SCALAR_FORMS } from './fpu/scalar-run.ts';
import { TRANSCENDENTAL_FORMS, X87_FORMS } from './fpu/x87-forms.ts';
import { addX87Case, compareTranscendental, compareX87, describeCase, runOurs } from './fpu/x87-run.ts';
import { InterpreterEngine } from './oracle/interpreter.ts';
import { inEveryJitMode } from '../support/jit-modes.ts';

const missing = nativeFpuMissing();
const title = missing === undefined ? 'against the host processor' : `against the host processor (skipped: ${missing})`;
/** Cases per form; FPU_CASES raises it for long runs. */
const CASES = Number(process.env['FPU_CASES'] ?? 300);
/** What chance adds to small counts. */
const FEW = 5;
const SEED = Number(process.env['FPU_SEED'] ?? 20261122);
const WASM = new URL('../../dist/interp.wasm', import.meta.url);
const unable = missing ?? (existsSync(WASM) ? undefined : 'dist/interp.wasm is not built');

/** Defines the tests of `cases` cases a form; `makeRun` gives what runs case records and returns result records. */
function compareWithHost(cases: number, seed: number, makeRun: () => Promise<(records: Uint8Array, count: number) => Uint8Array>): void {
  let runCases: (records: Uint8Array, count: number) => Uint8Array;
  let native: NativeFpu;

  beforeAll(async () => {
    runCases = await makeRun();
    native = new NativeFpu();
  });
  afterAll(() => native?.dispose());

  /** Runs `count` cases of each form on both sides, in one batch; returns the first differing cases of each form. */
  function differences<Form extends { readonly name: string }>(
    forms: readonly Form[],
    count: number,
    add: (buffer: CaseBuffer, form: Form, random: Random) => void,
    compare: (ours: DataView, host: DataView, at: number, form: Form) => string[],
    describeOne: (buffer: CaseBuffer, index: number) => string,
  ): string[] {
    const buffer = new CaseBuffer(count * forms.length);
    for (const form of forms) {
      const random = new Random(seed);
      for (let i = 0; i < count; i++) add(buffer, form, random);
    }
    const ours = runCases(buffer.data(), buffer.count);
    const host = native.run(buffer.data(), buffer.count);
    const oursView = new DataView(ours.buffer, ours.byteOffset, ours.length);
    const hostView = new DataView(host.buffer, host.byteOffset, host.length);
    const lines: string[] = [];
    forms.forEach((form, index) => {
      let shown = 0;
      for (let i = index * count; i < (index + 1) * count && shown < 2; i++) {
        const wrong = compare(oursView, hostView, i * OUT.BYTES, form);
        if (wrong.length === 0) continue;
        shown++;
        lines.push(`${form.name}: ${describeOne(buffer, i)}: ${wrong.join('; ')}`);
      }
    });
    return lines;
  }

  it('agrees on every x87 form', () => {
    expect(differences(X87_FORMS, cases, addX87Case, (ours, host, at) => compareX87(ours, host, at), describeCase)).toEqual([]);
  });

  it('agrees on transcendental functions but for the last place', () => {
    const off = new Map<string, number>();
    const count = cases * 3;
    expect(differences(TRANSCENDENTAL_FORMS, count, addX87Case, (ours, host, at, form) => {
      const outcome = compareTranscendental(ours, host, at);
      if (outcome.lastPlace) off.set(form.name, (off.get(form.name) ?? 0) + 1);
      return outcome.wrong;
    }, describeCase)).toEqual([]);
    console.info(`Last place differs from the host's, of ${count}: ${[...off].map((entry) => entry.join(' ')).join(', ')}`);
    for (const [name, value] of off) expect(value, name).toBeLessThan(count / 10 + FEW);
  });

  it('agrees on every MMX form', () => {
    const forms = mmxForms();
    expect(forms.length).toBeGreaterThan(150);
    expect(differences(forms, Math.ceil(cases / 3), addMmxCase, (ours, host, at) => compareX87(ours, host, at), describeCase)).toEqual([]);
  });

  it('agrees on single and double arithmetic with MXCSR', () => {
    let traps = 0;
    expect(differences(SCALAR_FORMS, cases * 2, addScalarCase, (ours, host, at) => {
      if (host.getUint32(at + OUT.STATUS, true) !== 0) traps++;
      return compareScalar(ours, host, at);
    }, describeScalar)).toEqual([]);
    expect(traps).toBeGreaterThan(cases);
  });
}

describe.skipIf(missing !== undefined)(`functions ${title}`, () => {
  compareWithHost(CASES, SEED, async () => {
    const module = await compileFpu();
    return (records, count) => runOurs(module, records, count);
  });
});

inEveryJitMode(({ threshold }) => {
  describe.skipIf(unable !== undefined)(unable === undefined ? `instructions ${title}` : `instructions against the host processor (skipped: ${unable})`, () => {
    compareWithHost(Math.ceil(CASES / 10), SEED + 1 + threshold, () => {
      const engine = new InterpreterEngine(WASM);
      return Promise.resolve((records, count) => runOnProcessor(engine, records, count));
    });
  });
});
