// Lock-step of interpreter and JIT over guests that take seconds; whole boots of Debian are in lockstep.long.test.ts. That a
// difference is found, and found exactly, is shown with planted ones.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { nullLogger } from '../../core/base/logger.ts';
import type { CpuState } from '../../core/cpu/contract.ts';
import { buildDemoImage } from '../../core/firmware/demo/demo-image.ts';
import type { Machine, MachineState } from '../../core/machine/machine.ts';
import { createPcMachine } from '../../core/machine/pc-machine.ts';
import { type VmConfigInput, vmConfigSchema } from '../../core/protocol/vm-config.ts';
import { NO_SHARED, shared } from '../support/guests.ts';
import { Lockstep, type LockstepResult, describeDivergence } from '../support/lockstep.ts';
import { temporaryFolder } from '../support/nestbox.ts';

/** Low, so that most of what runs in these short runs is compiled; at once, so that a difference repeats. */
const THRESHOLD = 4;

const machineOf = (config: Omit<VmConfigInput, 'name'>, jit: boolean): Promise<Machine> => createPcMachine(vmConfigSchema.parse({ name: 'lockstep', engine: 'software', clock: 'instructions', ...config, jit, jitThreshold: THRESHOLD }), nullLogger);

const floppy = (path: string): Omit<VmConfigInput, 'name'> => ({ memoryMib: 16, media: [{ kind: 'floppy', path, snapshot: true }] });

function demo(): Omit<VmConfigInput, 'name'> {
  const image = join(temporaryFolder(), 'demo.img');
  writeFileSync(image, buildDemoImage());
  return floppy(image);
}

/** Both tiers over one guest. */
async function compareTiers(config: Omit<VmConfigInput, 'name'>, until: number): Promise<LockstepResult> {
  const reference = await machineOf(config, false);
  const subject = await machineOf(config, true);
  try {
    return await new Lockstep({ reference, subject, until }).run();
  } finally {
    await reference.dispose();
    await subject.dispose();
  }
}

/** A machine whose state is spoilt right after `at` instructions, in every run that passes there. */
function spoilt(machine: Machine, at: number, change: (state: MachineState) => MachineState): Machine {
  const runUntil = async (to: number): Promise<void> => {
    if (machine.stats().instructions < at && to >= at) {
      await machine.runUntil(at);
      await machine.load(change(await machine.save()));
    }
    await machine.runUntil(to);
  };
  return new Proxy(machine, {
    get: (target, name) => {
      if (name === 'runUntil') return runUntil;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? (value as (...args: unknown[]) => unknown).bind(target) : value;
    },
  });
}

async function findSpoilt(at: number, change: (state: MachineState) => MachineState): Promise<LockstepResult> {
  const config = demo();
  const reference = await machineOf(config, false);
  const subject = await machineOf(config, false);
  try {
    return await new Lockstep({ reference, subject: spoilt(subject, at, change), until: 3_000_000, registersEvery: 100_000, checkpointEvery: 5 }).run();
  } finally {
    await reference.dispose();
    await subject.dispose();
  }
}

describe('lock-step', () => {
  it('finds a spoilt register at its exact instruction', async () => {
    const { divergence } = await findSpoilt(1_234_567, (state) => {
      const cpu = state.cpus[0] as CpuState;
      return { ...state, cpus: [{ ...cpu, gpr: cpu.gpr.map((value, index) => (index === 15 ? value ^ 0x10n : value)) }] };
    });
    expect(divergence).toMatchObject({ at: 1_234_567, lastCheckpoint: 1_000_000, repeated: true });
    expect(divergence?.differences).toHaveLength(1);
    expect(divergence?.differences[0]).toMatch(/^r15: /);
    expect(divergence?.trace).toHaveLength(40);
    expect(divergence?.trace.at(-1)).toMatch(/^1234566 /);
  });

  it('finds spoilt memory that no register shows', async () => {
    const { divergence } = await findSpoilt(765_432, (state) => {
      const ram = state.ram.slice();
      const last = ram.length - 1;
      ram[last] = (ram[last] ?? 0) ^ 0xff;
      return { ...state, ram };
    });
    expect(divergence).toMatchObject({ at: 765_432, lastCheckpoint: 500_000, repeated: true });
    expect(divergence?.differences).toHaveLength(1);
    expect(divergence?.differences[0]).toMatch(/^RAM offset /);
  });

  it('sees interpreter and JIT agree over the demo guest', async () => {
    const { divergence, instructions } = await compareTiers(demo(), 30_000_000);
    expect(divergence === undefined ? '' : describeDivergence(divergence)).toBe('');
    expect(instructions).toBe(30_000_000);
  });

  const freedos = shared('guests/freedos-1.4MB.img');
  (freedos === undefined ? it.skip : it)(freedos === undefined ? `sees both agree over FreeDOS (${NO_SHARED})` : 'sees both agree over FreeDOS', async () => {
    const { divergence, instructions } = await compareTiers(floppy(freedos ?? ''), 60_000_000);
    expect(divergence === undefined ? '' : describeDivergence(divergence)).toBe('');
    expect(instructions).toBe(60_000_000);
  });
});
