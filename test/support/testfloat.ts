// Berkeley TestFloat's generator of test cases, built from Debian's source package of QEMU, which holds it.

import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { qemuTestSource } from './debian-source.ts';
import { hasCommand } from './guests.ts';
import { projectRoot } from './nestbox.ts';

const CACHE = join(projectRoot, '.cache', 'testfloat');
const PLATFORM = join('build', 'Linux-x86_64-GCC');
const MINUTES = 60_000;

function make(folder: string, ...args: string[]): boolean {
  return spawnSync('make', ['-C', folder, ...args], { stdio: 'ignore', timeout: 10 * MINUTES }).status === 0;
}

/** @returns the path of testfloat_gen, which takes x86's rules for NaNs and tininess, or undefined where it cannot be built */
export function testFloatGenerator(): string | undefined {
  const program = join(CACHE, 'testfloat_gen');
  if (existsSync(program)) return program;
  if (process.arch !== 'x64' || !hasCommand('gcc') || !hasCommand('make')) return undefined;
  const source = qemuTestSource();
  if (source === undefined) return undefined;
  const work = join(CACHE, `build-${process.pid}`);
  mkdirSync(work, { recursive: true });
  try {
    cpSync(join(source, 'tests', 'fp'), work, { recursive: true });
    const testFloat = join(work, 'berkeley-testfloat-3', PLATFORM);
    const built = make(join(work, 'berkeley-softfloat-3', PLATFORM), 'SPECIALIZE_TYPE=8086-SSE') && make(testFloat, 'testfloat_gen');
    if (!built) return undefined;
    renameSync(join(testFloat, 'testfloat_gen'), program);
    return program;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
