// Runs rows of the opcode table on the host and on an engine of ours, and counts agreement per row.

import type { OpcodeRow } from '../../../core/cpu/isa/opcode-row.ts';
import { makeCase, type TestCase } from './cases.ts';
import { describe, differences } from './compare.ts';
import { prefixedOpcodes, type Mode } from './encode.ts';
import { Random } from './random.ts';
import type { Case, Result } from './records.ts';
import { skipReason } from './rules.ts';
import { SequenceMaker } from './sequences.ts';

export interface Engine {
  run(test: TestCase): Result;
}

/** The other side: a real processor. */
export interface Processor {
  /** A result for each case; undefined where it cannot run the case, which is then not counted. */
  run(cases: readonly Case[]): (Result | undefined)[];
}

export interface RowReport {
  readonly name: string;
  readonly row: OpcodeRow;
  readonly mode: Mode;
  passed: number;
  failed: number;
  /** The first failures, ready to print. */
  readonly examples: string[];
}

export interface OracleOptions {
  readonly rows: readonly OpcodeRow[];
  /** All rows of the table, for the meaning of prefixes. */
  readonly table: readonly OpcodeRow[];
  readonly modes: readonly Mode[];
  readonly casesPerRow: number;
  readonly seed: number;
  readonly features: ReadonlySet<string>;
  readonly examplesPerRow?: number;
  /** Changes each case first. */
  readonly prepare?: (test: TestCase) => TestCase;
  /** The reason for a known difference, which counts as agreement. */
  readonly known?: (test: TestCase, host: Result, ours: Result) => string | undefined;
}

export function rowName(row: OpcodeRow, mode: Mode): string {
  const prefix = row.prefix === undefined || row.prefix === 'np' ? '' : `${row.prefix} `;
  const reg = row.reg === undefined ? '' : `/${row.reg}`;
  return `${prefix}${row.map === '1' ? '' : `${row.map} `}${row.opcode.toString(16).padStart(2, '0')}${reg} ${row.mnemonic} ${row.operands ?? ''} (${mode})`;
}

/** Sequences of instructions; the result is the failures, ready to print. */
export function runSequences(host: Processor, engine: Engine, options: Omit<OracleOptions, 'rows' | 'casesPerRow'> & { readonly count: number; readonly length: number }): string[] {
  const maker = new SequenceMaker(options.table, options.features);
  const failures: string[] = [];
  for (const mode of options.modes) {
    const random = new Random(seedOf(`sequences ${mode}`, options.seed));
    for (let done = 0; done < options.count; done += BATCH) {
      const cases = Array.from({ length: Math.min(BATCH, options.count - done) }, () => maker.make(mode, options.length, random));
      for (const [index, hostResult] of host.run(cases).entries()) {
        const test = cases[index] as TestCase;
        if (hostResult === undefined) continue;
        const problems = differences(test, hostResult, engine.run(test));
        if (problems.length > 0) failures.push(describe(test, problems));
      }
    }
  }
  return failures;
}

/** A seed of its own for every row, so that adding rows does not change the cases of others. */
function seedOf(name: string, seed: number): number {
  let hash = seed | 0;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  return hash;
}

const BATCH = 4000;

export function runOracle(host: Processor, engine: Engine, options: OracleOptions): RowReport[] {
  const prefixed = prefixedOpcodes(options.table);
  const reports: RowReport[] = [];
  let cases: TestCase[] = [];
  let owners: RowReport[] = [];
  const flush = (): void => {
    const results = host.run(cases);
    for (const [index, test] of cases.entries()) {
      const report = owners[index] as RowReport;
      const result = results[index];
      if (result === undefined) continue;
      const ours = engine.run(test);
      const problems = options.known?.(test, result, ours) === undefined ? differences(test, result, ours) : [];
      if (problems.length === 0) {
        report.passed++;
        continue;
      }
      report.failed++;
      if (report.examples.length < (options.examplesPerRow ?? 2)) report.examples.push(describe(test, problems));
    }
    cases = [];
    owners = [];
  };
  for (const row of options.rows) {
    for (const mode of options.modes) {
      if (skipReason(row, mode, options.features) !== undefined) continue;
      const name = rowName(row, mode);
      const report: RowReport = { name, row, mode, passed: 0, failed: 0, examples: [] };
      reports.push(report);
      const random = new Random(seedOf(name, options.seed));
      for (let i = 0; i < options.casesPerRow; i++) {
        const test = makeCase(row, mode, random, prefixed);
        cases.push(options.prepare?.(test) ?? test);
        owners.push(report);
        if (cases.length >= BATCH) flush();
      }
    }
  }
  if (cases.length > 0) flush();
  return reports;
}
