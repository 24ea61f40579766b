// Saved states of whole machines in files: the same machine comes out, to the last bit; memory is read on demand; hostile
// files change nothing.

import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { nullLogger } from '../../core/base/logger.ts';
import { createOverlay } from '../../core/block/image-chain.ts';
import { buildDemoImage } from '../../core/firmware/demo/demo-image.ts';
import type { Machine, StateWatcher } from '../../core/machine/machine.ts';
import { createPcMachine } from '../../core/machine/pc-machine.ts';
import { type VmConfigInput, vmConfigSchema } from '../../core/protocol/vm-config.ts';
import type { TakeStateSpec } from '../../core/protocol/vm-messages.ts';
import { temporaryFolder } from '../support/nestbox.ts';

function watcherOf(machine: Machine): StateWatcher {
  return { progress: () => undefined, screen: () => machine.refresh().frame };
}

function newId(): string {
  return randomBytes(16).toString('hex');
}

interface Bench {
  readonly folder: string;
  readonly states: string;
  readonly config: VmConfigInput;
}

function bench(change: Partial<VmConfigInput> = {}): Bench {
  const folder = temporaryFolder();
  const states = join(folder, 'states');
  mkdirSync(states);
  const image = join(folder, 'demo.img');
  writeFileSync(image, buildDemoImage());
  return { folder, states, config: { name: 'state', memoryMib: 32, clock: 'instructions', media: [{ kind: 'floppy', path: image, snapshot: true }], ...change } };
}

async function withMachine<T>(config: VmConfigInput, work: (machine: Machine) => Promise<T>): Promise<T> {
  const machine = await createPcMachine(vmConfigSchema.parse(config), nullLogger);
  try {
    return await work(machine);
  } finally {
    await machine.dispose();
  }
}

function spec(states: string, change: Partial<TakeStateSpec> = {}): TakeStateSpec {
  return { folder: states, id: newId(), relatives: [], storage: 'packed', overlays: [], afterwards: 'run', ...change };
}

async function waitForText(machine: Machine, text: string): Promise<void> {
  for (let tries = 0; tries < 600; tries++) {
    if (machine.textScreen()?.lines.some((line) => line.includes(text)) === true) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${text} never came: ${machine.textScreen()?.lines.join('\n') ?? ''}`);
}

describe('a state in files', () => {
  it.each(['packed', 'plain'] as const)('restores to the same machine, which goes on in the same way: %s', { timeout: 60_000 }, async (storage) => {
    const { states, config } = bench();
    const taken = spec(states, { storage });
    const [before, after] = await withMachine(config, async (machine) => {
      await machine.runUntil(3_000_000);
      const result = await machine.takeState(taken, watcherOf(machine));
      expect(result.stateBytes).toBeGreaterThan(1000);
      expect(result.thumbnail.length).toBeGreaterThan(100);
      const hash = await machine.stateHash();
      await machine.runUntil(6_000_000);
      return [hash, await machine.stateHash()];
    });
    await withMachine(config, async (machine) => {
      await machine.restore({ folder: states, id: taken.id, newGeneration: false });
      // Runs on with memory that is still in the file.
      await machine.runUntil(6_000_000);
      expect(await machine.stateHash()).toBe(after);
    });
    await withMachine(config, async (machine) => {
      await machine.restore({ folder: states, id: taken.id, newGeneration: false });
      expect(await machine.stateHash()).toBe(before);
      await machine.memoryLoaded();
    });
  });

  it('shares pages with its relatives: a second one holds only what has changed', { timeout: 60_000 }, async () => {
    const { states, config } = bench();
    const first = spec(states);
    const second = spec(states, { relatives: [first.id] });
    const third = spec(states, { relatives: [second.id] });
    const sizes: number[] = [];
    const hashes: string[] = [];
    await withMachine(config, async (machine) => {
      for (const [step, taken] of [first, second].entries()) {
        await machine.runUntil(3_000_000 + step * 100_000);
        sizes.push((await machine.takeState(taken, watcherOf(machine))).pageBytes);
        hashes.push(await machine.stateHash());
      }
    });
    expect(sizes[1]).toBeLessThan((sizes[0] ?? 0) / 2);
    // A machine that was restored knows which pages it has not touched, without reading them.
    await withMachine(config, async (machine) => {
      await machine.restore({ folder: states, id: second.id, newGeneration: false });
      await machine.runUntil(3_200_000);
      sizes.push((await machine.takeState(third, watcherOf(machine))).pageBytes);
      hashes.push(await machine.stateHash());
    });
    expect(sizes[2]).toBeLessThan((sizes[0] ?? 0) / 2);
    for (const [index, taken] of [first, second, third].entries()) {
      await withMachine(config, async (machine) => {
        await machine.restore({ folder: states, id: taken.id, newGeneration: false });
        expect(await machine.stateHash()).toBe(hashes[index]);
      });
    }
  });

  it('of a running guest is one instant: the guest goes on, and again from there', { timeout: 120_000 }, async () => {
    const { states, config, folder } = bench({ clock: 'host' });
    const disk = join(folder, 'disk.img');
    writeFileSync(disk, new Uint8Array(1 << 20));
    const overlay = join(folder, 'over.qcow2');
    await createOverlay(overlay, { backing: { path: disk, format: 'raw' }, sizeBytes: 1 << 20 });
    const live: VmConfigInput = { ...config, media: [...(config.media ?? []), { kind: 'disk', path: disk, format: 'raw' }] };
    const taken = spec(states, { overlays: [{ slot: 'ide0', path: overlay }] });
    const later = spec(states, { relatives: [taken.id] });
    let screen: readonly string[] = [];
    await withMachine(live, async (machine) => {
      machine.start();
      await waitForText(machine, 'all passed');
      await machine.typeText('abc');
      await waitForText(machine, 'abc');
      screen = machine.textScreen()?.lines.slice(1) ?? [];
      const { pauseMs } = await machine.takeState(taken, watcherOf(machine));
      expect(pauseMs).toBeGreaterThan(0);
      expect(machine.state).toBe('running');
      await machine.typeText('def');
      await waitForText(machine, 'abcdef');
      // The card's memory is written without marks: a state that takes over unchanged pages must have it all the same.
      await machine.takeState(later, watcherOf(machine));
    });
    await withMachine({ ...live, media: [...(config.media ?? []), { kind: 'disk', path: disk, format: 'raw', readOnly: true }] }, async (machine) => {
      await machine.restore({ folder: states, id: later.id, newGeneration: false });
      expect(machine.textScreen()?.lines.some((line) => line.includes('abcdef'))).toBe(true);
    });
    await withMachine({ ...live, media: [...(config.media ?? []), { kind: 'disk', path: disk, format: 'raw', readOnly: true }] }, async (machine) => {
      await machine.restore({ folder: states, id: taken.id, newGeneration: true });
      // The first line has the time: the clock of a PC goes on while it is away.
      expect(machine.textScreen()?.lines.slice(1)).toEqual(screen);
      machine.start();
      await machine.typeText('xyz');
      await waitForText(machine, 'abcxyz');
      await machine.memoryLoaded();
    });
  });

  it('that cannot be written leaves nothing behind, and the guest goes on', { timeout: 60_000 }, async () => {
    const { states, config } = bench();
    await withMachine(config, async (machine) => {
      await machine.runUntil(2_000_000);
      const hash = await machine.stateHash();
      await expect(machine.takeState(spec(join(states, 'missing')), watcherOf(machine))).rejects.toMatchObject({ kind: 'not-found', context: { switched: false } });
      await expect(machine.takeState(spec(states, { overlays: [{ slot: 'ide3', path: '/nowhere' }] }), watcherOf(machine))).rejects.toMatchObject({ kind: 'usage', context: { switched: false } });
      expect(readdirSync(states)).toEqual([]);
      const work = machine.takeState(spec(states), { ...watcherOf(machine), progress: () => machine.cancelTakeState() });
      await expect(work).rejects.toMatchObject({ kind: 'cancelled' });
      expect(readdirSync(states)).toEqual([]);
      expect(await machine.stateHash()).toBe(hash);
    });
  });

  it('of another machine, or damaged in any field, is refused (I19)', { timeout: 120_000 }, async () => {
    const { states, config } = bench();
    const taken = spec(states);
    await withMachine(config, async (machine) => {
      await machine.runUntil(1_000_000);
      await machine.takeState(taken, watcherOf(machine));
    });
    await withMachine({ ...config, memoryMib: 64 }, async (machine) => {
      await expect(machine.restore({ folder: states, id: taken.id, newGeneration: false })).rejects.toMatchObject({ kind: 'bad-input' });
    });
    const path = join(states, `${taken.id}.state`);
    const good = readFileSync(path);
    await withMachine(config, async (machine) => {
      const hash = await machine.stateHash();
      for (let at = 0; at < good.length; at += Math.ceil(good.length / 150)) {
        const bytes = Buffer.from(good);
        bytes[at] = (bytes[at] ?? 0) ^ 0x10;
        writeFileSync(path, bytes);
        await expect(machine.restore({ folder: states, id: taken.id, newGeneration: false })).rejects.toMatchObject({ name: 'NestboxError' });
      }
      expect(await machine.stateHash()).toBe(hash);
    });
  });
});
