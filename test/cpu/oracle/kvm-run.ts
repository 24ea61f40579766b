// All rows that a program may run, under KVM and on the interpreter.

import { OPCODE_ROWS } from '../../../core/cpu/isa/opcodes.ts';
import { hostFeatures } from './host.ts';
import { InterpreterEngine } from './interpreter.ts';
import { KvmProcessor } from './kvm.ts';
import { asProcessorRuns, kvmDifference, kvmSkipReason } from './kvm-rules.ts';
import { runOracle } from './oracle.ts';

const WASM = new URL('../../../dist/interp.wasm', import.meta.url);

export interface KvmRowsReport {
  readonly rows: number;
  readonly passed: number;
  /** Cases that count as passed by a known difference, by its reason. */
  readonly known: ReadonlyMap<string, number>;
  /** Cases that KVM did not run, by the reason. */
  readonly refusals: ReadonlyMap<string, number>;
  /** Ready to print. */
  readonly failures: readonly string[];
}

/** @throws NestboxError when this host has no KVM */
export async function compareRows(casesPerRow: number, seed: number): Promise<KvmRowsReport> {
  const silicon = await KvmProcessor.create();
  try {
    const known = new Map<string, number>();
    const reports = runOracle(silicon, new InterpreterEngine(WASM, 0), {
      rows: OPCODE_ROWS.filter((row) => kvmSkipReason(row) === undefined),
      table: OPCODE_ROWS,
      modes: [64],
      casesPerRow,
      seed,
      features: hostFeatures(),
      prepare: asProcessorRuns,
      known: (test, kvm, ours) => {
        const why = kvmDifference(test, kvm, ours);
        if (why !== undefined) known.set(why, (known.get(why) ?? 0) + 1);
        return why;
      },
    });
    return {
      rows: reports.length,
      passed: reports.reduce((sum, report) => sum + report.passed, 0),
      known,
      refusals: silicon.refusals,
      failures: reports.filter((report) => report.failed > 0).map((report) => `${report.name}: ${report.failed} of ${report.passed + report.failed}\n${report.examples.join('\n')}`),
    };
  } finally {
    silicon.dispose();
  }
}

export function sumOf(counts: ReadonlyMap<string, number>): number {
  return [...counts.values()].reduce((sum, count) => sum + count, 0);
}
