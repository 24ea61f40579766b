// The KVM personality's clock in whole machines: what the guest reads is virtual time, never goes back, and stays right through
// pauses, saved states, several machines from one state and changes of engine.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { Logger } from '../../core/base/logger.ts';
import type { DeviceState } from '../../core/devices/device.ts';
import type { Machine } from '../../core/machine/machine.ts';
import { createPcMachine } from '../../core/machine/pc-machine.ts';
import { vmConfigSchema } from '../../core/protocol/vm-config.ts';
import { type ClockNotes, clockGuest, clockNotes } from '../support/clock-guest.ts';
import { jitOptionsNow } from '../support/jit-modes.ts';
import { temporaryFolder } from '../support/nestbox.ts';
import { type EngineName, offersIrqchip, whyNoKvm } from './rig.ts';

const reason = await whyNoKvm();
const machines: Machine[] = [];
const log: Logger = { enabled: () => false, log: () => undefined, child: () => log };
const EPOCH_MS = Date.UTC(2031, 4, 6, 7, 8, 9, 250);
/** From the guest's last instruction to the instant at which virtual time stops, on a busy host. */
const LATE_NS = 400e6;
/** A clock may be ahead of virtual time while it makes good for a counter that ran fast. */
const AHEAD_NS = 2e6;

type Way = EngineName | 'kernel';

function floppy(hypercall = false): string {
  const path = join(temporaryFolder(), 'clock.img');
  writeFileSync(path, clockGuest({ hypercall }));
  return path;
}

async function machineOf(way: Way, path: string, more: object = {}): Promise<Machine> {
  const engine = way === 'kernel' ? 'kvm' : way;
  const config = vmConfigSchema.parse({
    name: 'clock', engine, personality: 'kvm', kvmHandOff: 'when-needed', ...(engine === 'kvm' ? { kvmIrqchip: way === 'kernel' ? 'kernel' : 'user' } : {}),
    ...jitOptionsNow(), memoryMib: 8, rtcEpochMs: EPOCH_MS, media: [{ kind: 'floppy', path, snapshot: true }], ...more,
  });
  const machine = await createPcMachine(config, log);
  machines.push(machine);
  return machine;
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Lets the machine run until the guest has read its clock some more, and checks it where it stands still then. */
async function readOn(machine: Machine, before: ClockNotes | undefined): Promise<ClockNotes> {
  const wanted = (before?.readings ?? 0) + 200;
  for (let i = 0; i < 400; i++) {
    machine.start();
    await sleep(25);
    await machine.pause();
    const notes = clockNotes(machine.inspect().ram);
    expect(notes.backwards).toBe(0);
    if (notes.readings < wanted) continue;
    const { timeNs } = await machine.save();
    expect(notes.lastNs).toBeLessThan(timeNs + AHEAD_NS);
    expect(notes.lastNs).toBeGreaterThan(timeNs - LATE_NS);
    expect(notes.lastNs).toBeGreaterThan(before?.lastNs ?? 0);
    return notes;
  }
  throw new Error(`only ${clockNotes(machine.inspect().ram).readings} readings`);
}

afterEach(async () => {
  for (const machine of machines.splice(0)) await machine.dispose();
});

describe("the KVM personality's clock", () => {
  it('shows in CPUID with what it does, answers hypercalls with an error, and tells the date', async () => {
    const machine = await machineOf('software', floppy(true));
    const notes = await readOn(machine, undefined);
    expect(notes.signature).toBe(0x4b4d_564b);
    expect(notes.features).toBe((1 << 1) | (1 << 3) | (1 << 24));
    expect(notes.hypercall).toBe(-1000 >>> 0);
    expect(notes.wallMs).toBe(EPOCH_MS);
    // A pause does not count.
    const { timeNs } = await machine.save();
    await sleep(300);
    const later = await readOn(machine, notes);
    expect(later.lastNs).toBeGreaterThan(timeNs - AHEAD_NS);
  });

  it('is not there without the personality: its MSRs fault', async () => {
    const machine = await machineOf('software', floppy(), { personality: 'none' });
    machine.start();
    for (let i = 0; i < 200 && clockNotes(machine.inspect().ram).signature === 0; i++) await sleep(20);
    await sleep(100);
    await machine.pause();
    const notes = clockNotes(machine.inspect().ram);
    expect(notes.signature).not.toBe(0x4b4d_564b);
    expect(notes.signature).not.toBe(0);
    expect(notes.readings).toBe(0);
  });

  it('repeats with the instruction clock, whether the machine stood still meanwhile or not', async () => {
    const path = floppy();
    const hashes: string[] = [];
    for (const stops of [[3_000_000], [1_000_000, 1_700_001, 3_000_000]]) {
      const machine = await machineOf('software', path, { clock: 'instructions' });
      for (const stop of stops) await machine.runUntil(stop);
      hashes.push(await machine.stateHash());
      expect(clockNotes(machine.inspect().ram).readings).toBeGreaterThan(1000);
    }
    const saved = await machineOf('software', path, { clock: 'instructions' });
    await saved.runUntil(2_000_000);
    const restored = await machineOf('software', path, { clock: 'instructions' });
    await restored.load(await saved.save());
    await restored.runUntil(3_000_000);
    hashes.push(await restored.stateHash());
    expect(new Set(hashes).size).toBe(1);
  });

  const ways: readonly Way[] = ['kvm', 'software', 'kernel', 'kvm', 'software'];
  it.skipIf(reason !== undefined)(`goes on through changes of engine, twice from each state${reason === undefined ? '' : ` (skipped: ${reason})`}`, async () => {
    const path = floppy();
    let machine = await machineOf('software', path);
    let notes = await readOn(machine, undefined);
    for (const way of ways.filter((name) => name !== 'kernel' || offersIrqchip())) {
      const state = await machine.save();
      await sleep(50);
      for (let copy = 0; copy < (way === 'kernel' ? 1 : 2); copy++) {
        machine = await machineOf(way, path);
        await machine.load(state);
        expect(await machine.stateHash()).toBe(await machines.at(copy === 0 ? -2 : -1)?.stateHash());
        const read = await readOn(machine, notes);
        if (way !== 'software') expect(machine.stats().exits.kvmRuns).toBeGreaterThan(0);
        if (way === 'kernel' || copy === 1) notes = read;
      }
    }
  });

  it('belongs to the state: machines without it refuse it, and the other way round', async () => {
    const path = floppy();
    const first = await machineOf('software', path);
    await readOn(first, undefined);
    const state = await first.save();
    const plain = await machineOf('software', path, { personality: 'none' });
    await expect(plain.load(state)).rejects.toThrow(/kvm-clock0/);
    await expect(first.load(await plain.save())).rejects.toThrow(/personality/);
    const device = (state.devices as Record<string, DeviceState>)['kvm-clock0'];
    for (const fields of [{ ...device?.fields, systemTime: [1, 2 ** 32] }, { ...device?.fields, mapping: { ticks: 0 } }, { ...device?.fields, leadNs: -1 }]) {
      await expect(first.load({ ...state, devices: { ...state.devices, 'kvm-clock0': { version: 1, fields } } })).rejects.toThrow(/kvm-clock0/);
    }
    // Any address may be claimed; only RAM is written.
    for (const systemTime of [[0xffff_ffe1, 0], [1, 0xffff_ffff], [(8 << 20) - 31, 0]]) {
      const hostile = await machineOf('software', path);
      await hostile.load({ ...state, devices: { ...state.devices, 'kvm-clock0': { version: 1, fields: { ...device?.fields, systemTime, mapping: null } } } });
      hostile.start();
      await sleep(30);
      await hostile.pause();
    }
  });
});
