// The engines that the benchmark compares, each started in processes of its own on one guest: Nestbox through its command,
// QEMU's software CPU, and v86 (which runs 32-bit guests only).

import { type ChildProcess, spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { debianPackage, hasCommand } from '../support/guests.ts';
import { type KernelTimes, LineTimer, treeCpuMs } from './timing.ts';

export interface Guest {
  readonly kernel: string;
  readonly initrd?: string;
  readonly commandLine?: string;
  /** Raw image of the first IDE disk; writes are thrown away. */
  readonly disk?: string;
  readonly memoryMib: number;
}

export type EngineName = 'nestbox' | 'qemu' | 'v86';
/** `wall`: elapsed time. `cpu`: processor time of all threads of the engine, for machines that do other things too. */
export type TimeKind = 'wall' | 'cpu';

/** As users start it: the bundle, which `npm run bench` has built. */
const COMMAND = fileURLToPath(new URL('../../bin/nestbox.mjs', import.meta.url));
const V86_CHILD = fileURLToPath(new URL('v86-child.ts', import.meta.url));
const TITLES: Readonly<Record<EngineName, string>> = { nestbox: 'Nestbox', qemu: 'QEMU TCG', v86: 'v86' };

export function titleOf(engine: EngineName): string {
  return TITLES[engine];
}

/** Whether an engine can be run here, else why not. */
export function unavailable(engine: EngineName): string | undefined {
  if (engine === 'qemu' && !hasCommand('qemu-system-x86_64')) return 'qemu-system-x86_64 is not installed';
  if (engine === 'v86') {
    try {
      createRequire(import.meta.url).resolve('v86/build/v86.wasm');
    } catch {
      return 'the development dependency v86 is not installed';
    }
  }
  return undefined;
}

function argumentsOf(engine: EngineName, guest: Guest, extra: readonly string[]): [string, string[]] {
  const { kernel, initrd, commandLine, disk, memoryMib } = guest;
  const direct = [...(initrd === undefined ? [] : ['initrd', initrd]), ...(commandLine === undefined ? [] : ['append', commandLine])];
  if (engine === 'nestbox') {
    const options = direct.map((word, index) => (index % 2 === 0 ? `--${word}` : word));
    return [process.execPath, [COMMAND, 'run', '--engine', 'software', '--memory', `${memoryMib}`, '--kernel', kernel, ...options,
      ...(disk === undefined ? [] : ['--disk', `${disk.replaceAll(',', ',,')},format=raw,snapshot`]), '--serial', 'stdio', ...extra]];
  }
  if (engine === 'qemu') {
    const options = direct.map((word, index) => (index % 2 === 0 ? `-${word}` : word));
    return ['qemu-system-x86_64', ['-accel', 'tcg', '-m', `${memoryMib}`, '-kernel', kernel, ...options,
      ...(disk === undefined ? [] : ['-drive', `file=${disk.replaceAll(',', ',,')},format=raw,if=ide,snapshot=on`]),
      '-display', 'none', '-serial', 'stdio', '-net', 'none', '-no-reboot']];
  }
  return [process.execPath, [V86_CHILD, JSON.stringify({ ...guest, bios: v86Bios() })]];
}

/** v86 starts Linux through a BIOS of its own choice; SeaBIOS from Debian serves. */
function v86Bios(): { bios: string; vga: string } | undefined {
  const folder = debianPackage('seabios');
  if (folder === undefined) return undefined;
  const bios = `${folder}/usr/share/seabios/bios.bin`;
  const vga = `${folder}/usr/share/seabios/vgabios-stdvga.bin`;
  return existsSync(bios) && existsSync(vga) ? { bios, vga } : undefined;
}

function start(engine: EngineName, guest: Guest, extra: readonly string[] = []): ChildProcess {
  const [command, args] = argumentsOf(engine, guest, extra);
  return spawn(command, args, { stdio: ['ignore', 'pipe', 'ignore'] });
}

const LIMIT_MS = 900_000;

/** Runs a guest to its end and times what it marks on the serial port. Rejects when it does not say DONE. */
export function timeMarks(engine: EngineName, guest: Guest, kind: TimeKind, extra: readonly string[] = []): Promise<KernelTimes> {
  return new Promise((resolve, reject) => {
    const child = start(engine, guest, extra);
    const timer = new LineTimer(kind === 'wall' ? undefined : () => treeCpuMs(child.pid));
    const limit = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS);
    let tail = '';
    child.stdout?.setEncoding('latin1').on('data', (text: string) => {
      timer.take(text);
      tail = (tail + text).slice(-500);
      // The guest has nothing by which it could end the engine before the last mark was timed.
      if (timer.done) child.kill('SIGTERM');
    });
    child.once('error', reject);
    child.once('close', () => {
      clearTimeout(limit);
      if (timer.done) resolve(timer.times);
      else reject(new Error(`${titleOf(engine)} did not finish; its guest said last:\n${tail}`));
    });
  });
}

/** Milliseconds from the start of the engine until a text is on the serial port. */
export function timeToText(engine: EngineName, guest: Guest, kind: TimeKind, text: string, extra: readonly string[] = []): Promise<number> {
  return withText(engine, guest, text, extra, async (child, startedMs) => (kind === 'wall' ? performance.now() - startedMs : treeCpuMs(child.pid)));
}

/** Share of one host core that the engine takes from `settleMs` after `text` on, over `overMs`. */
export function idleShare(engine: EngineName, guest: Guest, text: string, settleMs: number, overMs: number): Promise<number> {
  const pause = (ms: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, ms));
  return withText(engine, guest, text, [], async (child) => {
    await pause(settleMs);
    const cpuBefore = treeCpuMs(child.pid);
    const wallBefore = performance.now();
    await pause(overMs);
    return (treeCpuMs(child.pid) - cpuBefore) / (performance.now() - wallBefore);
  });
}

function withText<T>(engine: EngineName, guest: Guest, text: string, extra: readonly string[], then: (child: ChildProcess, startedMs: number) => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const startedMs = performance.now();
    const child = start(engine, guest, extra);
    const limit = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS);
    let seen = '';
    let found = false;
    child.stdout?.setEncoding('latin1').on('data', (part: string) => {
      if (found) return;
      seen = (seen + part).slice(-20_000);
      if (!seen.includes(text)) return;
      found = true;
      then(child, startedMs).then(resolve, reject).finally(() => child.kill('SIGTERM'));
    });
    child.once('error', reject);
    child.once('close', () => {
      clearTimeout(limit);
      if (!found) reject(new Error(`${titleOf(engine)} did not show ${JSON.stringify(text)}; its guest said last:\n${seen.slice(-500)}`));
    });
  });
}
