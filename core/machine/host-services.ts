// What a machine takes from its host besides media: monotonic time, the date, random seeds, the trace file. Kept in one
// place, so that nothing else in the machine reads the host.

import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { randomBytes } from 'node:crypto';
import { NestboxError, messageOf } from '../base/errors.ts';
import type { MachineRandom } from './random.ts';

const TRACE_BUFFER_CHARACTERS = 1 << 16;

/** Milliseconds with fractions; only differences mean anything. */
// eslint-disable-next-line no-restricted-syntax -- the one place where host time enters a machine
export const monotonicMs = (): number => performance.now();

/** Milliseconds since 1970 UTC. */
// eslint-disable-next-line no-restricted-syntax -- the one place where the date enters a machine
export const wallClockMs = (): number => Date.now();

/** Instruction sets of the host's processor by Linux's names; empty elsewhere. */
export function hostProcessorFlags(): readonly string[] {
  try {
    return /^flags\s*:\s*(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1]?.split(' ') ?? [];
  } catch {
    return [];
  }
}

export function randomSeed(): number {
  return randomBytes(4).readUInt32LE(0);
}

/** A version 4 UUID, from the machine's own stream when runs must repeat. */
export function newUuid(random: MachineRandom | undefined): Uint8Array {
  const bytes = random === undefined ? Uint8Array.from(randomBytes(16)) : Uint8Array.from({ length: 16 }, () => random.next32() & 0xff);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return bytes;
}

export function peakRssMib(): number {
  return Math.round(process.resourceUsage().maxRSS / 1024);
}

/** What this VM's process has used of the host. */
export function processUsage(): { readonly cpuMs: number; readonly rssMib: number } {
  const { user, system } = process.cpuUsage();
  return { cpuMs: (user + system) / 1000, rssMib: Math.round(process.memoryUsage.rss() / 1048576) };
}

/** A file for `--trace`. @throws NestboxError `bad-input` when it cannot be written */
export function traceFile(path: string): { write(line: string): void; close(): void } {
  let fd: number;
  try {
    fd = openSync(path, 'w', 0o600);
  } catch (cause) {
    throw new NestboxError('bad-input', `--trace ${path} cannot be written: ${messageOf(cause)}`, { op: 'open trace', cause });
  }
  let buffer = '';
  const flush = (): void => {
    writeSync(fd, buffer);
    buffer = '';
  };
  return {
    write: (line) => {
      buffer += `${line}\n`;
      if (buffer.length > TRACE_BUFFER_CHARACTERS) flush();
    },
    close: () => {
      flush();
      closeSync(fd);
    },
  };
}
