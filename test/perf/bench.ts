// `npm run bench`: Nestbox, QEMU's software CPU and v86 on the same guests, in turn, several times, with ratios.
// Usage: node test/perf/bench.ts [--runs N] [--only 32|64|boot]

import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { debianKernel, shared } from '../support/guests.ts';
import { busybox, busyboxInitrd } from '../support/initrd.ts';
import { type KernelTimes, hasQemu, runQemu, runV86 } from './peers.ts';

const LIMIT_MS = 300_000;
const option = (name: string): string | undefined => {
  const at = process.argv.indexOf(name);
  return at < 0 ? undefined : process.argv[at + 1];
};
const RUNS = Number(option('--runs') ?? 3);
const only = option('--only');

interface NestboxKernel {
  readonly name: string;
  readonly ms: number;
  readonly instructions: number;
  readonly checksum: string;
}

function runNestbox(kernel: string): Promise<{ times: KernelTimes; instructions: Map<string, number> }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', fileURLToPath(new URL('nestbox-child.ts', import.meta.url)), kernel], { stdio: ['ignore', 'pipe', 'inherit'] });
    const limit = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS);
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (part: string) => (text += part));
    child.once('error', reject);
    child.once('close', (code) => {
      clearTimeout(limit);
      if (code !== 0) {
        reject(new Error('Nestbox did not finish the benchmark'));
        return;
      }
      const rows = text.trim().split('\n').map((line) => JSON.parse(line) as NestboxKernel);
      resolve({
        times: { ms: new Map(rows.map((row) => [row.name, row.ms])), checksum: new Map(rows.map((row) => [row.name, row.checksum])) },
        instructions: new Map(rows.map((row) => [row.name, row.instructions])),
      });
    });
  });
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
const geometricMean = (values: readonly number[]): number => Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
const cell = (text: string | number, width = 10): string => String(typeof text === 'number' ? text.toFixed(2) : text).padStart(width);

async function benchKernels(bits: 32 | 64): Promise<void> {
  const kernel = shared(`bench/bench${bits}.elf`);
  if (kernel === undefined) {
    console.log(`bench${bits}: skipped, the benchmark kernel is not beside the project`);
    return;
  }
  const qemu = hasQemu();
  const v86 = bits === 32;
  const samples = new Map<string, { nestbox: number[]; mips: number[]; qemu: number[]; v86: number[] }>();
  const sums = new Map<string, Set<string>>();
  const take = (times: KernelTimes, field: 'nestbox' | 'qemu' | 'v86'): void => {
    for (const [name, ms] of times.ms) {
      const entry = samples.get(name) ?? { nestbox: [], mips: [], qemu: [], v86: [] };
      entry[field].push(ms);
      samples.set(name, entry);
      sums.set(name, (sums.get(name) ?? new Set()).add(times.checksum.get(name) ?? ''));
    }
  };
  for (let run = 0; run < RUNS; run++) {
    const ours = await runNestbox(kernel);
    take(ours.times, 'nestbox');
    for (const [name, count] of ours.instructions) samples.get(name)?.mips.push(count / (ours.times.ms.get(name) ?? 1) / 1000);
    if (qemu) take(await runQemu(kernel, LIMIT_MS), 'qemu');
    if (v86) take(await runV86(kernel, LIMIT_MS), 'v86');
  }
  console.log(`\nbench${bits}.elf, median of ${RUNS} runs in turn; ratios above 1: Nestbox is faster`);
  console.log(`${'kernel'.padEnd(10)}${cell('seconds')}${cell('M instr/s', 12)}${cell('QEMU TCG')}${cell('ratio')}${v86 ? cell('v86') + cell('ratio') : ''}`);
  const against = { qemu: [] as number[], v86: [] as number[] };
  for (const [name, entry] of samples) {
    const ours = median(entry.nestbox);
    let line = `${name.padEnd(10)}${cell(ours / 1000)}${cell(median(entry.mips), 12)}`;
    for (const peer of ['qemu', 'v86'] as const) {
      if (entry[peer].length === 0) continue;
      const ratio = median(entry[peer]) / ours;
      against[peer].push(ratio);
      line += `${cell(median(entry[peer]) / 1000)}${cell(ratio)}`;
    }
    if ((sums.get(name)?.size ?? 0) > 1) line += '  CHECKSUMS DIFFER';
    console.log(line);
  }
  if (against.qemu.length > 0) console.log(`geometric mean against QEMU TCG: ${geometricMean(against.qemu).toFixed(2)}`);
  if (against.v86.length > 0) console.log(`geometric mean against v86: ${geometricMean(against.v86).toFixed(2)}`);
}

/** Milliseconds from start to a text on the serial port. */
function timeToText(command: string, args: readonly string[], text: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const started = performance.now();
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'ignore'] });
    const limit = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS);
    let seen = '';
    let ms: number | undefined;
    child.stdout.setEncoding('latin1').on('data', (part: string) => {
      seen = (seen + part).slice(-100_000);
      if (ms !== undefined || !seen.includes(text)) return;
      ms = performance.now() - started;
      child.kill('SIGTERM');
    });
    child.once('error', reject);
    child.once('close', () => {
      clearTimeout(limit);
      if (ms === undefined) reject(new Error(`${command} did not show ${text}`));
      else resolve(ms);
    });
  });
}

async function benchBoot(): Promise<void> {
  const kernel = debianKernel('cloud-amd64');
  const program = busybox('amd64');
  if (kernel === undefined || program === undefined || !hasQemu()) {
    console.log("boot: skipped, Debian's kernel and busybox packages or QEMU are missing");
    return;
  }
  const folder = mkdtempSync(join(tmpdir(), 'nestbox-bench-'));
  try {
    const initrd = join(folder, 'initrd.gz');
    writeFileSync(initrd, busyboxInitrd(program, 'sleep 1000'));
    const append = 'console=ttyS0';
    const command = fileURLToPath(new URL('../../core/cli/main.ts', import.meta.url));
    const ours: number[] = [];
    const theirs: number[] = [];
    for (let run = 0; run < RUNS; run++) {
      ours.push(await timeToText(process.execPath, ['--disable-warning=ExperimentalWarning', command, 'run', '--kernel', kernel, '--initrd', initrd, '--append', append, '--memory', '256', '--serial', 'stdio'], 'Run /init'));
      theirs.push(await timeToText('qemu-system-x86_64', ['-accel', 'tcg', '-m', '256', '-kernel', kernel, '-initrd', initrd, '-append', append, '-display', 'none', '-serial', 'stdio', '-net', 'none'], 'Run /init'));
    }
    console.log(`\nDebian cloud-amd64 kernel to "Run /init", median of ${RUNS} runs in turn: Nestbox ${(median(ours) / 1000).toFixed(2)} s, QEMU TCG ${(median(theirs) / 1000).toFixed(2)} s, wall time ${(median(ours) / median(theirs)).toFixed(2)} of QEMU's`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (!existsSync(new URL('../../dist/interp.wasm', import.meta.url))) throw new Error('run npm run build first');
if (only === undefined || only === '32') await benchKernels(32);
if (only === undefined || only === '64') await benchKernels(64);
if (only === undefined || only === 'boot') await benchBoot();
