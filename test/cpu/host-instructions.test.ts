// Every row of the opcode table that a user program may run, on the host's CPU and on the interpreter, with random
// encodings and operands: registers, flags, memory, exceptions must agree (what manuals leave open: oracle/rules.ts).

import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OPCODE_ROWS } from '../../core/cpu/isa/opcodes.ts';
import type { Mode } from './oracle/encode.ts';
import { HostCpu, hostFeatures, hostOracleProblem } from './oracle/host.ts';
import { InterpreterEngine } from './oracle/interpreter.ts';
import { runOracle, runSequences, type RowReport } from './oracle/oracle.ts';

const WASM = new URL('../../dist/interp.wasm', import.meta.url);
const CASES_PER_ROW = 100;
const GROUPS = ['integer', 'X87', 'MMX', 'SSE'] as const;

const problem = hostOracleProblem() ?? (existsSync(WASM) ? undefined : 'dist/interp.wasm is not built');

/** The JIT compiles each case before it runs. */
const ENGINES = [{ name: 'interpreter', jit: false, compiled: 0 }, { name: 'JIT', jit: true, compiled: 30_000 }] as const;

describe.skipIf(problem !== undefined).each(ENGINES)(`$name: instructions agree with the host CPU${problem === undefined ? '' : ` (skipped: ${problem})`}`, ({ jit, compiled }) => {
  let host: HostCpu;
  let engine: InterpreterEngine;
  let clean = 0;

  beforeAll(() => {
    host = new HostCpu();
    engine = new InterpreterEngine(WASM, jit);
  });

  afterAll(() => host.dispose());

  function run(group: string, mode: Mode, casesPerRow: number): RowReport[] {
    const rows = OPCODE_ROWS.filter((row) => (GROUPS.some((name) => name === row.handler) ? row.handler : 'integer') === group);
    return runOracle(host, engine, { rows, table: OPCODE_ROWS, modes: [mode], casesPerRow, seed: 1, features: hostFeatures() });
  }

  for (const mode of [64, 32, 16] as const) {
    // 16-bit code differs in addresses, segments and operand sizes, not in what instructions compute.
    const casesPerRow = mode === 64 ? CASES_PER_ROW : mode === 32 ? 40 : 20;
    // 16-bit code is never compiled.
    if (jit && mode === 16) continue;
    for (const group of GROUPS) {
      it(`${group} instructions in ${mode}-bit code, ${casesPerRow} cases a row`, () => {
        const reports = run(group, mode, casesPerRow);
        expect(reports.length).toBeGreaterThan(30);
        if (mode === 64) clean += reports.filter((report) => report.failed === 0 && report.passed >= CASES_PER_ROW).length;
        const failures = reports.filter((report) => report.failed > 0);
        const text = failures.map((report) => `${report.name}: ${report.failed} of ${report.passed + report.failed}\n${report.examples.join('\n')}`);
        expect(text.join('\n\n')).toBe('');
      });
    }
  }

  for (const mode of [64, 32, 16] as const) {
    it(`sequences of up to 8 instructions in ${mode}-bit code`, () => {
      const failures = runSequences(host, engine, { table: OPCODE_ROWS, modes: [mode], count: 3000, length: 8, seed: 1, features: hostFeatures() });
      expect(failures.slice(0, 5).join('\n\n')).toBe('');
    });
  }

  it('runs what it says', () => {
    if (compiled === 0) expect(engine.compiledInstructions).toBe(0);
    else expect(engine.compiledInstructions).toBeGreaterThan(compiled);
  });

  it('covers at least 200 instruction forms with 100 operand sets each', () => {
    expect(clean).toBeGreaterThanOrEqual(200);
  });
});
