// Every row of the opcode table that a user program may run, on the host's CPU and on the interpreter, with random
// encodings and operands: registers, flags, memory, exceptions must agree (what manuals leave open: oracle/rules.ts).

import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OPCODE_ROWS } from '../../core/cpu/isa/opcodes.ts';
import type { Mode } from './oracle/encode.ts';
import { HostCpu, hostFeatures, hostOracleProblem } from './oracle/host.ts';
import { InterpreterEngine } from './oracle/interpreter.ts';
import { runOracle, runSequences, type RowReport } from './oracle/oracle.ts';
import { inEveryJitMode } from '../support/jit-modes.ts';

const WASM = new URL('../../dist/interp.wasm', import.meta.url);
const CASES_PER_ROW = 100;
const GROUPS = ['integer', 'X87', 'MMX', 'SSE'] as const;

const problem = hostOracleProblem() ?? (existsSync(WASM) ? undefined : 'dist/interp.wasm is not built');

/** Most cases of integer and SSE instructions are compiled; 16-bit code, x87 and MMX are left to the interpreter. */
const COMPILED = { interpreter: 0, 'JIT from the first execution': 30_000, mixed: 10_000 } as const;

inEveryJitMode(({ mode: jitMode }) => {
describe.skipIf(problem !== undefined)(`instructions agree with the host CPU${problem === undefined ? '' : ` (skipped: ${problem})`}`, () => {
  /** What half of the cases run compiled needs no more than the cases that differ from the others'. */
  const half = jitMode === 'mixed';
  const seed = half ? 2 : 1;
  let host: HostCpu;
  let engine: InterpreterEngine;
  let clean = 0;

  beforeAll(() => {
    host = new HostCpu();
    engine = new InterpreterEngine(WASM);
  });

  afterAll(() => host.dispose());

  function run(group: string, mode: Mode, casesPerRow: number): RowReport[] {
    const rows = OPCODE_ROWS.filter((row) => (GROUPS.some((name) => name === row.handler) ? row.handler : 'integer') === group);
    return runOracle(host, engine, { rows, table: OPCODE_ROWS, modes: [mode], casesPerRow, seed, features: hostFeatures() });
  }

  for (const mode of [64, 32, 16] as const) {
    // 16-bit code differs in addresses, segments and operand sizes, not in what instructions compute.
    const casesPerRow = (mode === 64 ? CASES_PER_ROW : mode === 32 ? 40 : 20) / (half ? 2 : 1);
    for (const group of GROUPS) {
      it(`${group} instructions in ${mode}-bit code, ${casesPerRow} cases a row`, () => {
        const reports = run(group, mode, casesPerRow);
        expect(reports.length).toBeGreaterThan(30);
        if (mode === 64) clean += reports.filter((report) => report.failed === 0 && report.passed >= casesPerRow).length;
        const failures = reports.filter((report) => report.failed > 0);
        const text = failures.map((report) => `${report.name}: ${report.failed} of ${report.passed + report.failed}\n${report.examples.join('\n')}`);
        expect(text.join('\n\n')).toBe('');
      });
    }
  }

  for (const mode of [64, 32, 16] as const) {
    it(`sequences of up to 8 instructions in ${mode}-bit code`, () => {
      const failures = runSequences(host, engine, { table: OPCODE_ROWS, modes: [mode], count: 3000, length: 8, seed, features: hostFeatures() });
      expect(failures.slice(0, 5).join('\n\n')).toBe('');
    });
  }

  it('runs what it says', () => {
    const least = COMPILED[jitMode];
    if (least === 0) expect(engine.compiledInstructions).toBe(0);
    else expect(engine.compiledInstructions).toBeGreaterThan(least);
  });

  it(`covers at least 200 instruction forms with ${half ? CASES_PER_ROW / 2 : CASES_PER_ROW} operand sets each`, () => {
    expect(clean).toBeGreaterThanOrEqual(200);
  });
});
});
