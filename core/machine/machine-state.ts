// Saves and restores a whole machine as named parts. A state is hostile input: all of it is checked, and a part that
// fails leaves the machine as it was.

import { createHash } from 'node:crypto';
import { z } from 'zod';
import { NestboxError } from '../base/errors.ts';
import type { CpuState, Vcpu } from '../cpu/contract.ts';
import type { Device, DeviceState } from '../devices/device.ts';
import type { PhysicalMemory } from '../memory/physical-memory.ts';
import { CPUS_MAX } from '../protocol/limits.ts';
import type { VmConfig } from '../protocol/vm-config.ts';
import type { IoQueue } from './io-queue.ts';
import type { MachineFields, MachineState } from './machine.ts';
import { processorsOf } from './processors.ts';
import { checkPages, packPages, unpackPages } from './page-store.ts';
import type { MachineRandom } from './random.ts';
import { TSC_HZ, type TscClock } from './tsc-clock.ts';
import type { TimeSource } from './virtual-clock.ts';

export interface StateParts {
  readonly config: VmConfig;
  readonly memory: PhysicalMemory;
  readonly time: TimeSource;
  readonly tsc: TscClock;
  readonly random: MachineRandom;
  readonly vcpu: Vcpu;
  readonly devices: readonly Device[];
  readonly io: IoQueue;
}

const word = z.int().min(0).max(0xffffffff);
const fieldsShape = {
  format: z.literal('nestbox-machine'),
  version: z.literal(1),
  configuration: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
  timeNs: z.int().min(0),
  tscOffset: z.int().exactOptional(),
  random: z.tuple([word, word, word, word]),
  cpus: z.array(z.unknown()).min(1).max(CPUS_MAX),
  devices: z.record(z.string(), z.strictObject({ version: z.int().min(0), fields: z.record(z.string(), z.unknown()) })),
  savedAtMs: z.int().min(0).exactOptional(),
};
const fieldsSchema = z.strictObject(fieldsShape);
const stateSchema = z.strictObject({ ...fieldsShape, ram: z.instanceof(Uint8Array), vram: z.instanceof(Uint8Array) });

/** What must be equal between the machine that was saved and the one that restores. */
function configurationOf(parts: StateParts): MachineState['configuration'] {
  return {
    machine: parts.config.machine,
    ramBytes: parts.memory.layout.ramBytes,
    vramBytes: parts.memory.layout.vramBytes,
    romBytes: parts.memory.layout.romBytes,
    cpus: parts.config.cpus,
    firmware: parts.config.firmware,
    clock: parts.config.clock,
    ...(parts.config.personality === 'none' ? {} : { personality: parts.config.personality }),
  };
}

/** The machine must stand still. Host work that is under way is finished first. */
export async function saveMachineState(parts: StateParts): Promise<MachineState> {
  const fields = await saveMachineFields(parts);
  parts.memory.fillAll();
  return { ...fields, ram: packPages(parts.memory.ram), vram: packPages(parts.memory.vram) };
}

/** The same without memory. */
export async function saveMachineFields(parts: StateParts): Promise<MachineFields> {
  await parts.io.drain();
  const cpus = processorsOf(parts.vcpu).map((vcpu) => vcpu.getState());
  const tscOffset = parts.tsc.offsetFor(cpus[0]?.identity?.tscHz ?? TSC_HZ);
  return {
    format: 'nestbox-machine',
    version: 1,
    configuration: configurationOf(parts),
    timeNs: parts.time.nowNs(),
    ...(tscOffset === 0 ? {} : { tscOffset }),
    random: parts.random.state,
    cpus,
    devices: Object.fromEntries(parts.devices.map((device) => [device.id, device.save()])),
  };
}

function refuse(message: string): NestboxError {
  return new NestboxError('bad-input', message, { op: 'load state' });
}

function parse<T>(schema: z.ZodType<T>, input: unknown): T {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw refuse(`Saved state: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'invalid'}`);
}

/** @throws NestboxError `bad-input`; the machine is then as it was */
export async function loadMachineState(parts: StateParts, input: unknown): Promise<void> {
  const { ram, vram, ...fields } = parse(stateSchema, input);
  checkPages(ram, parts.memory.layout.ramBytes, 'RAM');
  checkPages(vram, parts.memory.layout.vramBytes, 'video RAM');
  await loadMachineFields(parts, fields);
  parts.memory.fillAll();
  unpackPages(ram, parts.memory.ram);
  unpackPages(vram, parts.memory.vram);
  parts.memory.contentsReplaced();
}

/** Everything but memory. @throws NestboxError `bad-input`; the machine is then as it was */
export async function loadMachineFields(parts: StateParts, input: unknown): Promise<void> {
  const state = parse(fieldsSchema, input);
  for (const [name, value] of Object.entries(configurationOf(parts))) {
    if (state.configuration[name] !== value) throw refuse(`Saved state is of a machine with ${name} = ${String(state.configuration[name])}; this one has ${String(value)}`);
  }
  const processors = processorsOf(parts.vcpu).length;
  if (state.cpus.length !== processors) throw refuse(`Saved state has ${state.cpus.length} processors; this machine has ${processors}`);
  for (const device of parts.devices) {
    if (state.devices[device.id] === undefined) throw refuse(`Saved state has no part for ${device.id}`);
  }
  for (const id of Object.keys(state.devices)) {
    if (!parts.devices.some((device) => device.id === id)) throw refuse(`Saved state has a part for ${id}, which this machine lacks`);
  }
  const before = await saveMachineFields(parts);
  try {
    apply(parts, state, state.cpus as CpuState[], state.devices as Record<string, DeviceState>);
  } catch (error) {
    apply(parts, before, before.cpus as CpuState[], before.devices as Record<string, DeviceState>);
    throw error;
  }
  parts.random.state = state.random;
}

function apply(parts: StateParts, { timeNs, tscOffset }: { readonly timeNs: number; readonly tscOffset?: number }, cpus: readonly CpuState[], devices: Readonly<Record<string, DeviceState>>): void {
  processorsOf(parts.vcpu).forEach((vcpu, index) => vcpu.setState(cpus[index] as CpuState));
  parts.time.restore(timeNs);
  parts.tsc.hz = cpus[0]?.identity?.tscHz ?? TSC_HZ;
  parts.tsc.offset = tscOffset ?? 0;
  if (parts.vcpu.counterHz !== undefined) parts.tsc.changeRate(parts.vcpu.counterHz);
  for (const device of parts.devices) {
    const state = devices[device.id];
    if (state !== undefined) device.load(state);
  }
}

/** SHA-256 over everything in a state. Fields go by name, whatever order an engine or device lists them in. */
export function hashState(state: MachineState): string {
  const hash = createHash('sha256');
  hash.update(
    JSON.stringify({ ...state, ram: undefined, vram: undefined }, (_name, value: unknown) => {
      if (typeof value === 'bigint') return `0x${value.toString(16)}`;
      if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
      if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
      return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
    }),
  );
  hash.update(state.ram);
  hash.update(state.vram);
  return hash.digest('hex');
}
