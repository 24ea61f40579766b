// The native side of the oracle: compiles host-runner.c once per run and feeds it with cases.

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeResults, encodeCases, type Case, type Result } from './records.ts';

const SOURCE = new URL('host-runner.c', import.meta.url).pathname;

/** Why this machine cannot serve as the oracle, or undefined when it can. */
export function hostOracleProblem(): string | undefined {
  if (process.platform !== 'linux') return 'the host-CPU oracle needs Linux';
  if (process.arch !== 'x64') return 'the host is not x86-64';
  const version = spawnSync('gcc', ['--version'], { stdio: 'ignore' });
  return version.status === 0 ? undefined : 'gcc is not installed';
}

/** CPU features as Linux names them (/proc/cpuinfo). */
export function hostFeatures(): ReadonlySet<string> {
  const line = /^flags\s*:(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'));
  return new Set((line?.[1] ?? '').trim().split(/\s+/));
}

export class HostCpu {
  readonly #folder = mkdtempSync(join(tmpdir(), 'nestbox-oracle-'));
  readonly #binary = join(this.#folder, 'host-runner');

  constructor() {
    execFileSync('gcc', ['-O1', '-mno-red-zone', '-o', this.#binary, SOURCE], { stdio: ['ignore', 'ignore', 'pipe'] });
  }

  run(cases: readonly Case[]): Result[] {
    const done = spawnSync(this.#binary, [], { input: encodeCases(cases), maxBuffer: 1 << 30 });
    const results = decodeResults(new Uint8Array(done.stdout));
    if (done.status !== 0 || results.length !== cases.length) {
      const lost = cases[results.length];
      const bytes = lost === undefined ? '' : Buffer.from(lost.code).toString('hex');
      throw new Error(
        `host-runner ended with ${String(done.status ?? done.signal)} in case ${results.length} (mode ${String(lost?.mode)}, ${bytes}): ${done.stderr.toString()}`,
      );
    }
    return results;
  }

  dispose(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
