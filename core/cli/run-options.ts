// Options of `nestbox run`: from words on the command line to a VM configuration and a plan, with one clear line for
// everything that is wrong.

import { totalmem } from 'node:os';
import { NestboxError, messageOf } from '../base/errors.ts';
import { CPUS_MAX, MEMORY_MIB_MAX, type VmConfigInput } from '../protocol/vm-config.ts';
import type { RunPlan } from './run-session.ts';
import { readScript } from './script.ts';

/** As commander hands them over. */
export interface RunFlags {
  engine: string;
  kvmHandOff?: string;
  kvmIrqchip?: string;
  jit: string;
  memory: string;
  cpus: string;
  machine: string;
  mode?: string;
  personality?: string;
  firmware: string;
  cdrom: string[];
  floppy: string[];
  disk: string[];
  kernel?: string;
  initrd?: string;
  append?: string;
  boot?: string;
  net: string;
  serial: string;
  debugExit?: boolean;
  expect?: string;
  timeout?: string;
  script?: string;
  screenshot?: string;
  stats?: string;
  clock: string;
  trace?: string;
}

type Medium = NonNullable<VmConfigInput['media']>[number];

function bad(message: string): never {
  throw new NestboxError('usage', message, { op: 'read options' });
}

function choice<const T extends string>(option: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((entry) => entry === value);
  return found ?? bad(`--${option} ${value}: expected one of ${allowed.join(', ')}`);
}

function integer(option: string, value: string, min: number, max: number, unit: string): number {
  if (!/^[+-]?\d+$/.test(value)) bad(`--${option} ${value}: expected a whole number${unit}`);
  const number = Number(value);
  if (number < min) bad(`--${option} ${value}: must be at least ${min}${unit}`);
  if (number > max) bad(`--${option} ${value}: must be at most ${max}${unit}`);
  return number;
}

function memoryMib(value: string): number {
  const mib = integer('memory', value, 1, Number.MAX_SAFE_INTEGER, ' MiB');
  const hostMib = Math.floor(totalmem() / (1 << 20));
  if (mib > hostMib) bad(`--memory ${value}: this host has ${hostMib} MiB in all`);
  if (mib > MEMORY_MIB_MAX) bad(`--memory ${value}: the software CPU offers ${MEMORY_MIB_MAX} MiB at most`);
  return mib;
}

/** PATH[,format=raw|qcow2][,readonly][,snapshot][,if=ide|virtio]; a comma in the path is written twice. */
export function parseDisk(text: string): Medium {
  const parts = text.replaceAll(',,', '\0').split(',').map((part) => part.replaceAll('\0', ','));
  const path = parts[0] ?? '';
  if (path === '') bad(`--disk ${text}: the path is missing`);
  const medium: Medium = { kind: 'disk', path };
  for (const part of parts.slice(1)) {
    const [name, value] = part.split('=', 2);
    if (name === 'format' && value !== undefined) medium.format = choice('disk format', value, ['raw', 'qcow2']);
    else if (name === 'if' && value !== undefined) medium.interface = choice('disk if', value, ['ide', 'virtio']);
    else if (part === 'readonly') medium.readOnly = true;
    else if (part === 'snapshot') medium.snapshot = true;
    else bad(`--disk ${text}: unknown part ${JSON.stringify(part)} (known: format=raw|qcow2, readonly, snapshot, if=ide|virtio)`);
  }
  return medium;
}

function mediaOf(flags: RunFlags): Medium[] {
  const media: Medium[] = [];
  for (const path of flags.floppy) media.push({ kind: 'floppy', path });
  for (const path of flags.cdrom) media.push({ kind: 'cdrom', path, readOnly: true });
  for (const text of flags.disk) media.push(parseDisk(text));
  if (flags.floppy.length > 2) bad('--floppy: a PC has two floppy drives at most');
  if (flags.cdrom.length + flags.disk.length > 4) bad('--cdrom and --disk: four IDE devices at most');
  return media;
}

function bootOrderOf(first: string | undefined): NonNullable<VmConfigInput['bootOrder']> {
  const all = ['floppy', 'cdrom', 'disk'] as const;
  if (first === undefined) return [...all];
  const chosen = choice('boot', first, ['cdrom', 'disk', 'floppy', 'network'] as const);
  if (chosen === 'network') throw new NestboxError('unsupported', '--boot network: booting from the network has not landed yet', { op: 'read options' });
  return [chosen, ...all.filter((entry) => entry !== chosen)];
}

function modeOf(text: string): 'full' {
  const mode = choice('mode', text, ['full', 'paravirt']);
  if (mode === 'full') return mode;
  throw new NestboxError('unsupported', '--mode paravirt: virtio devices and hypervisor interfaces have not landed yet; use --mode full', { op: 'read options' });
}

function personalityOf(flags: RunFlags): 'none' | 'kvm' {
  const personality = choice('personality', flags.personality ?? 'none', ['none', 'kvm']);
  if (personality !== 'none' && flags.mode === 'full') bad(`--personality ${personality}: --mode full shows the guest a real PC only`);
  return personality;
}

export function configOf(flags: RunFlags): VmConfigInput {
  if (flags.initrd !== undefined && flags.kernel === undefined) bad('--initrd needs --kernel');
  if (flags.append !== undefined && flags.kernel === undefined) bad('--append needs --kernel');
  if (flags.net !== 'none') throw new NestboxError('unsupported', `--net ${flags.net}: networking has not landed yet; use --net none`, { op: 'read options' });
  const engine = choice('engine', flags.engine, ['auto', 'software', 'kvm'] as const);
  const irqchip = choice('kvm-irqchip', flags.kvmIrqchip ?? 'auto', ['auto', 'kernel', 'user'] as const);
  return {
    name: 'run',
    engine,
    kvmHandOff: choice('kvm-hand-off', flags.kvmHandOff ?? 'when-faster', ['when-faster', 'when-needed']),
    ...(irqchip === 'auto' ? {} : { kvmIrqchip: irqchip }),
    jit: choice('jit', flags.jit, ['on', 'off']) === 'on',
    memoryMib: memoryMib(flags.memory),
    cpus: integer('cpus', flags.cpus, 1, CPUS_MAX, ''),
    machine: choice('machine', flags.machine, ['pc']),
    ...(flags.mode === undefined ? {} : { mode: modeOf(flags.mode) }),
    personality: personalityOf(flags),
    firmware: flags.firmware,
    media: mediaOf(flags),
    ...(flags.kernel === undefined
      ? {}
      : { directBoot: { kernel: flags.kernel, commandLine: flags.append ?? '', ...(flags.initrd === undefined ? {} : { initrd: flags.initrd }) } }),
    bootOrder: bootOrderOf(flags.boot),
    clock: choice('clock', flags.clock, ['host', 'instructions']),
    debugExit: flags.debugExit === true,
    ...(flags.trace === undefined ? {} : { tracePath: flags.trace }),
  };
}

export function planOf(flags: RunFlags): RunPlan {
  let expect: RegExp | undefined;
  if (flags.expect !== undefined) {
    try {
      expect = new RegExp(flags.expect, 'm');
    } catch (error) {
      bad(`--expect: ${messageOf(error)}`);
    }
  }
  let timeoutMs: number | undefined;
  if (flags.timeout !== undefined) {
    const seconds = Number(flags.timeout);
    if (flags.timeout.trim() === '' || !(seconds > 0 && seconds <= 1e6)) bad(`--timeout ${flags.timeout}: expected a number of seconds above 0`);
    timeoutMs = seconds * 1000;
  }
  return {
    expect,
    timeoutMs,
    script: flags.script === undefined ? [] : readScript(flags.script),
    screenshotPath: flags.screenshot,
    statsPath: flags.stats,
  };
}

export type SerialTarget = { kind: 'none' } | { kind: 'stdio' } | { kind: 'file'; path: string };

export function serialTargetOf(text: string): SerialTarget {
  if (text === 'none' || text === 'stdio') return { kind: text };
  if (text.startsWith('file:') && text.length > 5) return { kind: 'file', path: text.slice(5) };
  return bad(`--serial ${text}: expected stdio, none or file:PATH`);
}
