// The programs that QEMU tests its processors with (tests/tcg in its source, from Debian's source package): built here, run
// on this host's processor and in a Debian guest, in three ways. What they print and end with must be the same.

import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { nullLogger } from '../../core/base/logger.ts';
import { createPcMachine } from '../../core/machine/pc-machine.ts';
import { type VmConfigInput, vmConfigSchema } from '../../core/protocol/vm-config.ts';
import { qemuTestSource } from '../support/debian-source.ts';
import { debianKernel, hasCommand } from '../support/guests.ts';
import { busybox, busyboxInitrd } from '../support/initrd.ts';
import { temporaryFolder } from '../support/nestbox.ts';

const MINUTES = 60_000;
const MOST_TEXT_BYTES = 2_000_000;

interface Program {
  readonly name: string;
  readonly sources: readonly string[];
  readonly flags: readonly string[];
}

const I386 = 'tests/tcg/i386';
const MULTIARCH = 'tests/tcg/multiarch';
/** Programs of one source that need no more than their name; x87 and SSE ones check themselves, the others print. */
const SINGLE = ['bmi2', 'f2xm1', 'fbstp', 'fisttp', 'fldcst', 'fp-exceptions', 'fpatan', 'fprem', 'fscale', 'fxam', 'fxtract', 'fyl2x', 'fyl2xp1', 'pcmpistri', 'pseudo-denormal', 'snan-convert', 'sse-exceptions'];
const FLAGS: Readonly<Record<string, readonly string[]>> = { 'sse-exceptions': ['-msse4.1', '-mfpmath=sse'], pcmpistri: ['-msse4.2'], bmi2: ['-O2'] };

/** Left out: float_madds, where the C library takes FMA instructions of the host that the guest's processor lacks. */
function programs(bits: 32 | 64): Program[] {
  const single = SINGLE.map((name) => ({ name: `test-i386-${name}`, sources: [`${I386}/test-i386-${name}.c`], flags: FLAGS[name] ?? [] }));
  const multi = ['float_convs', 'float_convd', 'sha1', 'sha512', 'overflow'].map((name) => ({ name, sources: [`${MULTIARCH}/${name}.c`, ...(name.startsWith('float') ? [`${MULTIARCH}/libs/float_helpers.c`] : [])], flags: [`-I${MULTIARCH}`, '-O2'] }));
  const whole = { name: 'test-i386', sources: bits === 32 ? [`${I386}/test-i386.c`, `${I386}/test-i386-code16.S`, `${I386}/test-i386-vm86.S`] : [`${I386}/test-i386.c`], flags: [] };
  const wide = ['cmpxchg', 'noexec'].map((name) => ({ name, sources: [`tests/tcg/x86_64/${name}.c`], flags: ['-O2', `-I${MULTIARCH}`] }));
  return [whole, ...single, ...multi, ...(bits === 64 ? wide : [])];
}

/** Builds what can be built; the names of the others come with the compiler's first words. */
function build(source: string, target: string, bits: 32 | 64): { built: string[]; failed: string[] } {
  const built: string[] = [];
  const failed: string[] = [];
  for (const program of programs(bits)) {
    const name = `${program.name}.${bits}`;
    const args = [`-m${bits}`, '-static', '-no-pie', '-fno-pie', '-fno-strict-aliasing', '-w', '-O1', ...program.flags, '-o', join(target, name), ...program.sources, '-lm'];
    const result = spawnSync('gcc', args, { cwd: source, encoding: 'utf8' });
    if (result.status === 0) built.push(name);
    else failed.push(`${name}: ${result.stderr.split('\n').find((line) => line.includes('rror')) ?? result.stderr}`);
  }
  return { built, failed };
}

const source = qemuTestSource();
/** The stock kernel for 32-bit programs: the cloud kernel is built without 16-bit segments. */
const kernels = { 32: debianKernel('amd64'), 64: debianKernel('cloud-amd64') } as const;
const tools = busybox('amd64');
function canBuild(bits: number): boolean {
  return hasCommand('gcc') && spawnSync('gcc', [`-m${bits}`, '-static', '-x', 'c', '-', '-o', '/dev/null'], { input: 'int main(void) { return 0; }' }).status === 0;
}
const missing =
  source === undefined || kernels[32] === undefined || kernels[64] === undefined || tools === undefined ? "Debian's packages cannot be downloaded here" : canBuild(64) ? undefined : 'gcc cannot build static programs here';

/** Shell words that show what a program printed, or the sum of it where that is a lot, and what it ended with. */
function runAndTell(name: string): string {
  return `./${name} >/tmp/out.$$ 2>&1; echo "exit $?" >>/tmp/out.$$; if [ $(wc -c </tmp/out.$$) -gt ${MOST_TEXT_BYTES} ]; then md5sum </tmp/out.$$; else cat /tmp/out.$$; fi; rm /tmp/out.$$`;
}

/** Programs of the initrd, and a script that prints what each of them says and ends with. */
function guestWith(folder: string, names: readonly string[]): Uint8Array {
  const entries = names.map((name) => ({ name: `t/${name}`, mode: 0o100755, content: readFileSync(join(folder, name)) }));
  const lines = names.map((name) => `echo "START ${name}"; ${runAndTell(name)}; echo "END ${name}"`);
  const script = ['wc() { busybox wc "$@"; }', 'cd /t', ...lines, 'echo ALL-DONE', 'poweroff -f'];
  return busyboxInitrd(tools ?? new Uint8Array(), script.join('\n'), [{ name: 't', mode: 0o040755 }, ...entries]);
}

function native(folder: string, name: string): string {
  return spawnSync('sh', ['-c', runAndTell(name)], { cwd: folder, encoding: 'latin1', maxBuffer: 2 * MOST_TEXT_BYTES }).stdout;
}

/** SHLD and SHRD of 16 bits by more than 16 (of the count's low five bits): the result is undefined, and Intel's and AMD's processors differ. */
const UNDEFINED = /^sh[lr]dw .* C=[0-9a-f]*[13579bdf][1-9a-f] /;

/** The first lines that differ. */
function differences(ours: string, theirs: string): string[] {
  const a = ours.split('\n');
  const b = theirs.split('\n');
  const found: string[] = [];
  for (let line = 0; line < Math.max(a.length, b.length) && found.length < 5; line++) {
    if (a[line] !== b[line] && !(UNDEFINED.test(a[line] ?? '') && UNDEFINED.test(b[line] ?? ''))) found.push(`line ${line + 1}: guest "${a[line] ?? ''}", host "${b[line] ?? ''}"`);
  }
  return found;
}

/** Compiled when hot as for users, which mixes both tiers; nothing compiled; everything asked for at its first execution. */
const WAYS = [
  { way: 'interpreter', jit: { jit: false } },
  { way: 'JIT from the first execution', jit: { jit: true, jitThreshold: 1 } },
  { way: 'mixed', jit: { jit: true } },
] as const;

/** What a machine prints until it switches itself off. */
async function serialOutput(config: VmConfigInput): Promise<string> {
  const machine = await createPcMachine(vmConfigSchema.parse(config), nullLogger);
  try {
    const parts: Buffer[] = [];
    machine.onSerialOutput((bytes) => parts.push(Buffer.from(bytes)));
    const stopped = new Promise<void>((resolve) => {
      machine.onStateChanged((state) => {
        if (state === 'stopped') resolve();
      });
    });
    machine.start();
    await stopped;
    return Buffer.concat(parts).toString('latin1').replaceAll('\r\n', '\n');
  } finally {
    await machine.dispose();
  }
}

describe.skipIf(missing !== undefined)(`QEMU's test programs${missing === undefined ? '' : ` (skipped: ${missing})`}`, () => {
  for (const bits of [64, 32] as const) {
    it.skipIf(!canBuild(bits)).each(WAYS)(`${bits} bit, $way: as on the host's processor (skipped where gcc builds no ${bits}-bit programs)`, async ({ jit }) => {
      const folder = temporaryFolder();
      const { built, failed } = build(source ?? '', folder, bits);
      expect(failed).toEqual([]);
      const initrd = join(folder, 'initrd.gz');
      writeFileSync(initrd, guestWith(folder, built));
      const directBoot = { kernel: kernels[bits] ?? '', initrd, commandLine: 'console=ttyS0 quiet loglevel=0 vsyscall=emulate' };
      const text = await serialOutput({ name: `programs-${bits}`, engine: 'software', memoryMib: 512, directBoot, ...jit });
      expect(text).toContain('ALL-DONE');
      const wrong: string[] = [];
      for (const name of built) {
        const ours = text.slice(text.indexOf(`START ${name}\n`) + name.length + 7, text.indexOf(`END ${name}\n`));
        wrong.push(...differences(ours, native(folder, name)).map((line) => `${name}: ${line}`));
      }
      expect(wrong.join('\n')).toBe('');
    }, 60 * MINUTES);
  }
});
