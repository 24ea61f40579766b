// `npm run bench`: Nestbox, QEMU's software CPU (TCG) and v86 on the same guests, in turn, several times, with ratios.
//   --only NAME[,NAME]  kernels32 kernels64 linux64 linux32 init login interpreter latency idle disk kvm snapshots window (default: all)
//   --runs N            runs of each engine (default 3)
//   --time wall|cpu     elapsed time, or processor time of all threads of an engine for machines that are not alone
//   --jit on|off        of Nestbox (default on)
//   --json PATH         also writes the figures of every run
// Guests are made from Debian's packages and kept in .cache; what cannot be had is skipped with its reason. docs/performance.md
// explains the method.

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { NestboxError } from '../../core/base/errors.ts';
import { debianKernel, shared } from '../support/guests.ts';
import { busybox, busyboxInitrd } from '../support/initrd.ts';
import { benchDisk, canBenchDisk } from './disk.ts';
import { type EngineName, type Guest, type TimeKind, idleShare, timeMarks, timeToText, unavailable } from './engines.ts';
import { type ExitCost, exitCost } from './exit-cost.ts';
import { exitLatency } from './exit-latency.ts';
import { LOGIN_PROMPT, guestSet, keep, loginGuest } from './guest-files.ts';
import { linuxSetInit } from './linux-set.ts';
import { Results } from './results.ts';
import { benchSnapshots } from './snapshots.ts';

const { values } = parseArgs({
  options: { only: { type: 'string' }, runs: { type: 'string', default: '3' }, time: { type: 'string', default: 'wall' }, jit: { type: 'string', default: 'on' }, json: { type: 'string' } },
});
const runs = Number(values.runs);
if (!Number.isInteger(runs) || runs < 1) throw new NestboxError('usage', '--runs: expected a whole number above 0', { op: 'bench' });
const kind: TimeKind = values.time === 'cpu' ? 'cpu' : 'wall';
const ours = ['--jit', values.jit];

const INIT_TEXT = 'Run /init';
const IDLE_SETTLE_MS = 5000;
const IDLE_OVER_MS = 10_000;

/** Every engine once, then again: slow changes of the machine's speed meet all alike. */
async function inTurn(engines: readonly EngineName[], measure: (engine: EngineName) => Promise<void>): Promise<void> {
  for (let run = 0; run < runs; run++) for (const engine of engines) await measure(engine);
}

function present(engines: readonly EngineName[]): EngineName[] {
  return engines.filter((engine) => {
    const reason = unavailable(engine);
    if (reason !== undefined) console.log(`${engine} left out: ${reason}`);
    return reason === undefined;
  });
}

async function marks(title: string, guest: Guest, engines: readonly EngineName[]): Promise<Results> {
  const results = new Results(title, kind, runs);
  await inTurn(present(engines), async (engine) => results.take(engine, await timeMarks(engine, guest, kind, engine === 'nestbox' ? ours : [])));
  return results;
}

async function untilText(title: string, name: string, guest: Guest, engines: readonly EngineName[], text: string, options = ours): Promise<Results> {
  const results = new Results(title, kind, runs);
  await inTurn(present(engines), async (engine) => results.add(engine, name, await timeToText(engine, guest, kind, text, engine === 'nestbox' ? options : [])));
  return results;
}

/** The reason why a section cannot run here. */
class Skipped extends Error {}

function kernels(bits: 32 | 64): Promise<Results> {
  const kernel = shared(`bench/bench${bits}.elf`);
  if (kernel === undefined) throw new Skipped('the benchmark kernels are not beside the project');
  return marks(`kernels, ${bits}-bit code`, { kernel, memoryMib: 256 }, bits === 32 ? ['nestbox', 'qemu', 'v86'] : ['nestbox', 'qemu']);
}

function linuxSet(bits: 32 | 64): Promise<Results> {
  const prepared = guestSet(bits === 64 ? 'amd64' : 'i386', linuxSetInit());
  if ('missing' in prepared) throw new Skipped(prepared.missing);
  const guest: Guest = { ...prepared.files, commandLine: 'console=ttyS0 quiet panic=-1', memoryMib: 512 };
  return marks(`Linux guest set, Debian ${bits === 64 ? 'cloud-amd64' : '686'} kernel`, guest, bits === 64 ? ['nestbox', 'qemu'] : ['nestbox', 'qemu', 'v86']);
}

/** The cloud kernel with a RAM disk that does nothing. */
function bareBoot(): Guest {
  const kernel = debianKernel('cloud-amd64');
  const tools = busybox('amd64');
  if (kernel === undefined || tools === undefined) throw new Skipped("Debian's kernel and busybox packages cannot be downloaded");
  return { kernel, initrd: keep('sleeping.cpio.gz', busyboxInitrd(tools, 'echo IDLE >/dev/ttyS0; exec sleep 1000000')), commandLine: 'console=ttyS0', memoryMib: 256 };
}

function loginBoot(): Guest {
  const prepared = loginGuest();
  if ('missing' in prepared) throw new Skipped(prepared.missing);
  return { ...prepared.files, commandLine: 'console=ttyS0', memoryMib: 512 };
}

async function idle(): Promise<Results> {
  const results = new Results('idle guests: share of one host core, in percent', 'share', runs);
  const guests: (readonly [string, () => Guest, string])[] = [['kernel', bareBoot, 'IDLE'], ['login', loginBoot, LOGIN_PROMPT]];
  for (const [name, guest, text] of guests) {
    await inTurn(present(['nestbox', 'qemu']), async (engine) => results.add(engine, name, 100 * (await idleShare(engine, guest(), text, IDLE_SETTLE_MS, IDLE_OVER_MS))));
  }
  return results;
}

/** What one exit costs, as a ratio to a C program. */
async function kvm(): Promise<ExitCost> {
  try {
    return await exitCost(runs);
  } catch (error) {
    throw new Skipped(error instanceof Error ? error.message : String(error));
  }
}

/** Instructions a second of the bare interpreter, and the boot without the JIT. */
async function interpreter(): Promise<{ print(): void; record(): unknown }> {
  if (shared('bench/bench32.elf') === undefined) throw new Skipped('the benchmark kernels are not beside the project');
  const script = fileURLToPath(new URL('interpreter-kernels.ts', import.meta.url));
  const speeds = [32, 64].map((bits) => {
    const { status, stdout } = spawnSync(process.execPath, [script, String(bits)], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
    if (status !== 0) throw new Skipped(`interpreter-kernels.ts ended with ${status}`);
    return { bits, text: stdout.trimEnd() };
  });
  const boot = await untilText(`Debian cloud-amd64 kernel to "${INIT_TEXT}", interpreted`, 'boot', bareBoot(), ['nestbox', 'qemu'], INIT_TEXT, ['--jit', 'off']);
  return {
    print: () => {
      for (const { bits, text } of speeds) console.log(`\ninterpreter, ${bits}-bit code (processor time)\n${text}`);
      boot.print();
    },
    record: () => ({ speeds, boot: boot.record() }),
  };
}

/** In a process of its own: it drives a browser. Prints its figures itself. */
function windowFigures(): { print(): void; record(): unknown } {
  const json = keep('window.json', new Uint8Array());
  const { status, stdout } = spawnSync(process.execPath, [fileURLToPath(new URL('window.ts', import.meta.url)), '--json', json], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  if (status !== 0) throw new Skipped('the window could not be driven (Chromium, npm run build)');
  return { print: () => console.log(`\nwindow\n${stdout.trimEnd()}`), record: () => JSON.parse(readFileSync(json, 'utf8')) as unknown };
}

const SECTIONS: Readonly<Record<string, () => Promise<{ print(): void; record(): unknown }>>> = {
  kernels32: () => kernels(32),
  kernels64: () => kernels(64),
  linux64: () => linuxSet(64),
  linux32: () => linuxSet(32),
  init: () => untilText(`Debian cloud-amd64 kernel to "${INIT_TEXT}"`, 'boot', bareBoot(), ['nestbox', 'qemu'], INIT_TEXT),
  login: () => untilText('Debian 12 with systemd to its login prompt', 'boot', loginBoot(), ['nestbox', 'qemu'], LOGIN_PROMPT),
  interpreter,
  latency: exitLatency,
  idle,
  disk: () => {
    if (!canBenchDisk()) throw new Skipped('fio or qemu-io is missing');
    return benchDisk(runs);
  },
  kvm,
  snapshots: () => {
    const kernel = debianKernel('cloud-amd64');
    const tools = busybox('amd64');
    if (kernel === undefined || tools === undefined) throw new Skipped("Debian's kernel and busybox packages cannot be downloaded");
    return benchSnapshots(kernel, tools);
  },
  window: async () => windowFigures(),
};

if (!existsSync(new URL('../../dist/interp.wasm', import.meta.url))) throw new NestboxError('usage', 'run npm run build first', { op: 'bench' });
const wanted = values.only?.split(',') ?? Object.keys(SECTIONS);
for (const name of wanted) if (SECTIONS[name] === undefined) throw new NestboxError('usage', `--only ${name}: expected ${Object.keys(SECTIONS).join(', ')}`, { op: 'bench' });
console.log(`${cpus()[0]?.model.trim() ?? 'unknown processor'}, ${cpus().length} cores, Node ${process.versions.node}; ${runs} runs of each in turn, medians, ${kind === 'wall' ? 'elapsed time' : 'processor time of all threads'}`);
const record: Record<string, unknown> = {};
for (const name of wanted) {
  try {
    const results = await SECTIONS[name]?.();
    if (results === undefined) continue;
    results.print();
    record[name] = results.record();
  } catch (error) {
    if (!(error instanceof Skipped)) throw error;
    console.log(`\n${name}: skipped, ${error.message}`);
    record[name] = { skipped: error.message };
  }
}
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify({ processor: cpus()[0]?.model, cores: cpus().length, node: process.versions.node, time: kind, runs, sections: record }, undefined, 2)}\n`);
