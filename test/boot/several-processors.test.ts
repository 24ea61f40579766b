// Several processors under KVM as a user gets them: a guest finds them in the firmware's tables, starts them and works on all;
// through the command, and through the machine with pauses, resets, saved states and live snapshots.

import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { nullLogger } from '../../core/base/logger.ts';
import type { Machine } from '../../core/machine/machine.ts';
import { createPcMachine } from '../../core/machine/pc-machine.ts';
import { type VmConfigInput, vmConfigSchema } from '../../core/protocol/vm-config.ts';
import type { VmExit } from '../../core/protocol/vm-messages.ts';
import { hostProbe, offersIrqchip, whyNoKvm } from '../conformance/rig.ts';
import { nestbox, temporaryFolder } from '../support/nestbox.ts';
import { until } from '../support/screens.ts';
import { type SmpGuestOptions, smpFloppy } from '../support/smp-guest.ts';

const LIMIT = 120;
const MINUTES = 60_000;

async function whySkip(): Promise<string | undefined> {
  const reason = await whyNoKvm();
  if (reason !== undefined) return reason;
  const { modes } = hostProbe();
  if (modes.real.support === 'missing' || modes.protected.support === 'missing') return 'this KVM has no real or no 32-bit protected mode';
  return offersIrqchip() ? undefined : 'this KVM has no interrupt controllers';
}

const reason = await whySkip();
const test = it.skipIf(reason !== undefined);

function floppy(options?: SmpGuestOptions): string {
  const path = join(temporaryFolder(), 'smp.img');
  writeFileSync(path, smpFloppy(options));
  return path;
}

function run(...args: string[]): ReturnType<typeof nestbox> {
  return nestbox(['run', '--memory', '16', '--serial', 'stdio', '--timeout', String(LIMIT), ...args]);
}

interface Guest {
  readonly machine: Machine;
  serial(): string;
  exit(): VmExit | undefined;
  /** Waits for so many more rounds, none of them wrong. */
  works(rounds?: number): Promise<void>;
}

describe(reason === undefined ? 'several processors' : `several processors (skipped: ${reason})`, () => {
  const machines: Machine[] = [];
  afterEach(async () => {
    for (const machine of machines.splice(0)) await machine.dispose();
  });

  async function make(path: string, config: Partial<VmConfigInput> = {}): Promise<Guest> {
    const machine = await createPcMachine(vmConfigSchema.parse({ name: 'smp', engine: 'kvm', cpus: 3, memoryMib: 16, media: [{ kind: 'floppy', path, snapshot: true }], ...config }), nullLogger);
    machines.push(machine);
    let serial = '';
    let ended: VmExit | undefined;
    machine.onSerialOutput((bytes) => (serial += Buffer.from(bytes).toString('latin1')));
    machine.onExit((exit) => (ended = exit));
    const letters = (): number => serial.replace(/MADT . MP .\n/g, '').length;
    return {
      machine,
      serial: () => serial,
      exit: () => ended,
      works: async (rounds = 8) => {
        const wanted = letters() + rounds;
        await until('rounds of work', LIMIT, () => Promise.resolve(letters() >= wanted || ended !== undefined ? true : undefined)).catch((cause: unknown) => {
          throw new Error(`${machine.state}; serial: ${serial.slice(-200)}; ${JSON.stringify(machine.stats())}`, { cause });
        });
        expect([serial.includes('X'), ended]).toEqual([false, undefined]);
      },
    };
  }

  test.each([2, 4])('%i of them by the command: found in both tables, started, interrupted, counted', async (count) => {
    const stats = join(temporaryFolder(), 'stats.json');
    const result = await run('--engine', 'kvm', '--cpus', String(count), '--floppy', floppy(), '--expect', 'T[a-p]{4}', '--stats', stats);
    expect(result, result.stderr).toMatchObject({ code: 0 });
    expect(result.stdout.replace('\r', '')).toMatch(new RegExp(`MADT ${count} MP ${count}\n[a-p]+T[a-p]{4}`));
    const { engine, processors } = JSON.parse(readFileSync(stats, 'utf8')) as { engine: string; processors: { kvmRuns: number }[] };
    expect(engine).toBe('kvm');
    expect(processors.map(({ kvmRuns }) => kvmRuns > 0)).toEqual(Array.from({ length: count }, () => true));
  }, 5 * MINUTES);

  test('that fall over end the run with a report of the one that did; a reset by an empty IDT starts all again', async () => {
    const fallen = await run('--engine', 'kvm', '--cpus', '2', '--floppy', floppy({ helper: 'ud2' }));
    expect(fallen.code).toBe(1);
    expect(fallen.stderr).toMatch(/processor 1: triple fault at CS:RIP 0008:/);
    const again = 'cmp dword [0x5000], 0x12345\n jne first\n jmp second\n first: mov dword [0x5000], 0x12345\n mov dword [0x5008], 0\n mov dword [0x500c], 0\n lidt [0x5008]\n ud2\n second:';
    const reset = await run('--engine', 'kvm', '--cpus', '2', '--floppy', floppy({ leader: again }), '--expect', 'MADT[\\s\\S]*MADT[^X]*T[a-p]{3}');
    expect(reset, reset.stderr).toMatchObject({ code: 0 });
  }, 5 * MINUTES);

  test('stand still in a pause, have one state however often it is taken, and start anew after a reset', async () => {
    const guest = await make(floppy());
    guest.machine.start();
    await guest.works();
    await guest.machine.pause();
    const before = guest.serial();
    const [first, second] = [await guest.machine.stateHash(), await guest.machine.stateHash()];
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect([guest.serial(), second]).toEqual([before, first]);
    guest.machine.start();
    await guest.works();
    guest.machine.reset();
    await until('a second start', LIMIT, () => Promise.resolve(guest.serial().split('MADT 3 MP 3').length === 3 ? true : undefined));
    await guest.works();
  }, 5 * MINUTES);

  test('go back to a saved state, here and in another machine; states with another number of them are refused', async () => {
    const path = floppy();
    const guest = await make(path);
    guest.machine.start();
    await guest.works(20);
    const state = await guest.machine.save();
    await guest.works();
    await guest.machine.load(state);
    await guest.works();
    const other = await make(path);
    await other.machine.load(state);
    expect(await other.machine.stateHash()).toBe(await other.machine.stateHash());
    other.machine.start();
    await other.works();
    expect(other.serial()).not.toContain('MADT');
    for (const cpus of [[], state.cpus.slice(0, 2), [...state.cpus, state.cpus[0]], Array.from({ length: 100 }, () => state.cpus[0])]) {
      await expect(other.machine.load({ ...state, cpus })).rejects.toMatchObject({ kind: 'bad-input' });
    }
    const { lapic2, ...rest } = state.devices;
    expect(lapic2).toBeDefined();
    await expect(other.machine.load({ ...state, devices: rest })).rejects.toMatchObject({ kind: 'bad-input' });
    await expect(other.machine.load({ ...state, cpus: [state.cpus[0], { ...(state.cpus[1] as object), activity: 'asleep' }, state.cpus[2]] })).rejects.toMatchObject({ kind: 'bad-input' });
    await other.works();
    const two = await make(path, { cpus: 2 });
    await expect(two.machine.load(state)).rejects.toMatchObject({ kind: 'bad-input' });
  }, 5 * MINUTES);

  test('go on from live snapshots', async () => {
    const path = floppy();
    const states = join(temporaryFolder(), 'states');
    mkdirSync(states);
    const guest = await make(path);
    guest.machine.start();
    await guest.works();
    const ids: string[] = [];
    for (let round = 0; round < 2; round++) {
      const id = randomBytes(16).toString('hex');
      await guest.machine.takeState({ folder: states, id, relatives: [...ids], storage: 'packed', overlays: [], afterwards: 'run' }, { progress: () => undefined, screen: () => guest.machine.refresh().frame });
      ids.push(id);
      await guest.works();
    }
    for (const id of ids) {
      const next = await make(path);
      await next.machine.restore({ folder: states, id, newGeneration: false });
      next.machine.start();
      await next.works();
      expect(next.serial()).not.toContain('MADT');
    }
    const single = await make(path, { cpus: 1, engine: 'software' });
    const before = readFileSync(join(states, readName(states, ids[0] ?? ''))).length;
    await expect(single.machine.restore({ folder: states, id: ids[0] ?? '', newGeneration: false })).rejects.toMatchObject({ kind: 'bad-input' });
    expect(readFileSync(join(states, readName(states, ids[0] ?? ''))).length).toBe(before);
  }, 5 * MINUTES);

  it('are refused with a reason where they cannot be had', async () => {
    const path = floppy();
    for (const [args, words] of [
      [['--engine', 'software'], /2 processors need KVM: the software CPU has one/],
      [['--engine', 'kvm', '--clock', 'instructions'], /2 processors need KVM: the instruction clock/],
      [['--engine', 'kvm', '--kvm-irqchip', 'user'], /2 processors need KVM: Nestbox's own interrupt controllers/],
    ] as const) {
      const result = await run(...args, '--cpus', '2', '--floppy', path);
      expect([result.code, result.stderr.trim().split('\n').length]).toEqual([2, 1]);
      expect(result.stderr).toMatch(words);
    }
    expect((await run('--engine', 'kvm', '--cpus', '99', '--floppy', path)).code).toBe(2);
  }, 2 * MINUTES);
});

function readName(folder: string, id: string): string {
  return `${id}${readdirSync(folder).find((name) => name.startsWith(id))?.slice(id.length) ?? ''}`;
}
