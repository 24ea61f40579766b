// The host-CPU oracle for long: millions of cases, other ones in every run unless NESTBOX_SEED says which. Prints the
// result of every row that disagrees and the seed that shows it again.

import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { OPCODE_ROWS } from '../../core/cpu/isa/opcodes.ts';
import { HostCpu, hostFeatures, hostOracleProblem } from './oracle/host.ts';
import { InterpreterEngine } from './oracle/interpreter.ts';
import { runOracle, runSequences } from './oracle/oracle.ts';
import { inEveryJitMode } from '../support/jit-modes.ts';

const WASM = new URL('../../dist/interp.wasm', import.meta.url);
/** Compiling each case takes several times as long as running it. */
const ROUNDS = { interpreter: 12, 'JIT from the first execution': 3, mixed: 3 } as const;
/** Far less than a round has. */
const LEAST_CASES_A_ROUND = 160_000;
const CASES_PER_ROW = 100;
const SEQUENCES = 20_000;

const problem = hostOracleProblem() ?? (existsSync(WASM) ? undefined : 'dist/interp.wasm is not built');
const firstSeed = Number(process.env.NESTBOX_SEED ?? Date.now() % 1_000_000);

inEveryJitMode(({ mode }) => {
describe.skipIf(problem !== undefined)(`our CPU and the host's${problem === undefined ? '' : ` (skipped: ${problem})`}`, () => {
  it(`agree in millions of random cases from seed ${firstSeed}`, { timeout: 3_600_000 }, () => {
    const host = new HostCpu();
    const engine = new InterpreterEngine(WASM);
    let total = 0;
    const failures: string[] = [];
    try {
      for (let round = 0; round < ROUNDS[mode]; round++) {
        // Other ones in each mode.
        const seed = firstSeed + Object.keys(ROUNDS).indexOf(mode) * 1000 + round;
        const reports = runOracle(host, engine, {
          rows: OPCODE_ROWS, table: OPCODE_ROWS, modes: [64, 32, 16], casesPerRow: CASES_PER_ROW, seed, features: hostFeatures(), examplesPerRow: 1,
        });
        const sequences = { table: OPCODE_ROWS, modes: [64, 32, 16] as const, seed, features: hostFeatures(), count: SEQUENCES, length: 10 };
        failures.push(...runSequences(host, engine, sequences).map((text) => `seed ${seed}, ${text}`));
        total += 3 * SEQUENCES;
        for (const report of reports) {
          total += report.passed + report.failed;
          if (report.failed > 0) failures.push(`seed ${seed}, ${report.name}: ${report.failed} of ${report.passed + report.failed}\n${report.examples.join('\n')}`);
        }
        console.log(`${total} cases up to seed ${seed}, ${failures.length} rows that disagree`);
      }
    } finally {
      host.dispose();
    }
    expect(total).toBeGreaterThan(ROUNDS[mode] * LEAST_CASES_A_ROUND);
    expect(failures.join('\n\n')).toBe('');
  });
});
});
