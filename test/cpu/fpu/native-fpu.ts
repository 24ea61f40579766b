// Builds native-fpu.c with the host's gcc, when there is one, and runs case records on the host processor.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { OUT } from './fpu-cases.ts';

/** Why the host cannot serve as an oracle, or undefined when it can. */
export function nativeFpuMissing(): string | undefined {
  if (process.arch !== 'x64' || process.platform !== 'linux') return `the host is ${process.platform} ${process.arch}, not x86-64 Linux`;
  return spawnSync('gcc', ['--version']).status === 0 ? undefined : 'gcc is not installed';
}

export class NativeFpu {
  readonly #folder = mkdtempSync(join(tmpdir(), 'nestbox-fpu-'));
  readonly #program = join(this.#folder, 'native-fpu');

  constructor() {
    const source = fileURLToPath(new URL('native-fpu.c', import.meta.url));
    const built = spawnSync('gcc', ['-O1', '-Wall', '-mno-red-zone', '-fcf-protection=none', '-o', this.#program, source], { encoding: 'utf8' });
    if (built.status !== 0) throw new Error(`gcc failed: ${built.stderr}`);
  }

  run(cases: Uint8Array, count: number): Uint8Array {
    const result = spawnSync(this.#program, { input: cases, maxBuffer: count * OUT.BYTES + 4096 });
    if (result.status !== 0 || result.stdout.length !== count * OUT.BYTES) throw new Error(`The native program failed: status ${result.status}, signal ${result.signal}, ${result.stdout?.length} bytes`);
    return result.stdout;
  }

  dispose(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
