// A machine runs and writes while its snapshot is taken, it is forked, its lid is closed or a snapshot is deleted under it.
// The process is killed before every single change to files: the tree opens, every state is of one instant with its disks,
// everything that the guest had flushed is there, nothing is left over. Then the same with a full disk at every write.

import { describe, expect, it } from 'vitest';
import { checkQcow2 } from '../../core/block/qcow2/check-qcow2.ts';
import { NestboxError } from '../../core/base/errors.ts';
import { LiveWorld, VM } from './live-world.ts';

interface Step {
  readonly what: string;
  readonly prepare?: (world: LiveWorld) => Promise<unknown>;
  readonly work: (world: LiveWorld) => Promise<unknown>;
  /** The snapshot that is deleted, and how many images the disk consists of afterwards. */
  readonly gone?: string;
  readonly images?: number;
}

const idOf = (world: LiveWorld, name: string): string => world.registry.snapshots(VM).find((row) => row.name === name)?.id ?? '';

async function tree(world: LiveWorld, names: readonly string[] = ['a', 'b']): Promise<void> {
  for (const [index, name] of names.entries()) {
    await world.running.takeSnapshot(VM, { name });
    await world.vm?.count(index + 2);
  }
}

const STEPS: readonly Step[] = [
  { what: 'take', work: (world) => world.running.takeSnapshot(VM, { name: 'new' }) },
  { what: 'take on others', prepare: (world) => tree(world), work: (world) => world.running.takeSnapshot(VM, { name: 'new' }) },
  { what: 'fork', work: (world) => world.running.forkVm(VM, { name: 'Fork' }) },
  { what: 'fork on others', prepare: (world) => tree(world), work: (world) => world.running.forkVm(VM, { name: 'Fork' }) },
  { what: 'saved state', work: (world) => world.running.saveVmState(VM) },
  { what: 'saved state on others', prepare: (world) => tree(world), work: (world) => world.running.saveVmState(VM) },
  ...[
    // The disk itself and a layer that another snapshot needs: nothing can go.
    { gone: 'a', names: ['a', 'b'], images: 3 },
    // Its layer and the one that the guest writes to: they are merged under the guest.
    { gone: 'b', names: ['a', 'b'], images: 2 },
    // The disk itself takes over from the layer that the guest writes to.
    { gone: 'a', names: ['a'], images: 1 },
  ].map(({ gone, names, images }) => ({
    what: `delete ${gone} of ${names.join(' and ')}`,
    prepare: (world: LiveWorld) => tree(world, names),
    work: (world: LiveWorld) => world.running.deleteSnapshot(idOf(world, gone)),
    gone,
    images,
  })),
];

async function makeWorld(step: Step): Promise<LiveWorld> {
  const world = new LiveWorld();
  await world.begin();
  await step.prepare?.(world);
  return world;
}

/** The guest counts until the work is done, or for ever when it was killed. */
async function withGuest(world: LiveWorld, work: Promise<unknown>): Promise<unknown> {
  const { vm } = world;
  let done = false;
  const guest = (async (): Promise<void> => {
    for (let value = 10; !done && vm?.running === true; value++) {
      await vm.count(value);
      await new Promise((resolve) => setImmediate(resolve));
    }
  })();
  try {
    return await work;
  } finally {
    done = true;
    await guest.catch(() => undefined);
  }
}

async function checkWorld(world: LiveWorld, about: string): Promise<void> {
  const { registry, files } = world;
  expect(registry.operations(), about).toEqual([]);
  const rows = registry.snapshots(VM);
  const saved = registry.vm(VM)?.savedStateId ?? null;
  for (const row of rows) {
    if (row.stateFile === null) continue;
    const inState = await world.inState(row.stateFile);
    const medium = row.id === saved && row.media.ide0 === undefined ? world.present(VM) : (row.media.ide0 ?? '');
    expect(await world.onDisk(medium), `${about}: disk of ${row.name}`).toBe(inState);
  }
  for (const { id } of registry.vms()) expect(await world.onDisk(world.present(id)), about).toBeGreaterThan(0);
  const media = new Set(registry.media().map((row) => row.path));
  const states = new Set(registry.stateFiles());
  for (const name of files.names.keys()) {
    if (name.startsWith('/s/')) continue;
    expect(media.has(name), `${about}: ${name} is an orphan`).toBe(true);
    const file = await files.open(name, { readOnly: true });
    expect((await checkQcow2(file)).corruptions, `${about}: ${name}`).toBe(0);
    await file.close();
  }
  const stateNames = [...files.names.keys()].filter((name) => name.endsWith('.state'));
  expect(new Set(stateNames.map((name) => name.slice(3, -6))), about).toEqual(states);
  expect([...files.names.keys()].filter((name) => name.endsWith('.handover')), about).toEqual([]);
}

let states = 0;

describe('a kill before every change while the machine runs', () => {
  it.each(STEPS)('$what', { timeout: 300_000 }, async (step) => {
    const ways = [
      ['killed', 1, () => false],
      ['power cut', 1, () => true],
      ['half of the files written', 2, (inode: number) => inode % 2 === 0],
    ] as const;
    // With a tree below, the same files change in the same order: one way is enough there.
    for (const [how, stride, loses] of step.what.endsWith('on others') ? ways.slice(1, 2) : ways) {
      for (let point = 0; ; point += stride) {
        const world = await makeWorld(step);
        const before = world.registry.snapshots(VM).map((row) => row.name);
        const { vm } = world;
        const killed = await world.killedAt(point, () => withGuest(world, step.work(world)));
        const safe = vm?.safe ?? 0;
        if (!killed) {
          // The guest alone makes changes for ever: the operation is over.
          world.files.onChange = undefined;
          if (step.images !== undefined) {
            expect(world.links(world.present(VM))).toHaveLength(step.images);
            await world.vm?.count(1000);
            await world.control.powerOff(VM);
            await checkWorld(world, step.what);
            expect(await world.onDisk(world.present(VM))).toBe(1000);
          }
          world.registry.dispose();
          break;
        }
        states++;
        world.restart(loses);
        await world.service().recover();
        const about = `${step.what}, ${how} at ${point}`;
        await checkWorld(world, about);
        const names = world.registry.snapshots(VM).filter((row) => row.kind !== 'saved').map((row) => row.name);
        expect(names.filter((name) => name !== 'new' && name !== step.gone), about).toEqual(before.filter((name) => name !== step.gone));
        // What the guest had flushed is in its disk, or in the saved state that it goes on from.
        expect(await world.onDisk(world.present(VM)), about).toBeGreaterThanOrEqual(safe);
        world.registry.dispose();
      }
    }
  });

  it('were many', () => {
    expect(states).toBeGreaterThan(300);
  });
});

describe('a full disk at every write while the machine runs', () => {
  it.each(STEPS.filter(({ what }) => !what.startsWith('delete')))('$what fails cleanly, the machine goes on, and it works when there is space', { timeout: 300_000 }, async (step) => {
    let failures = 0;
    for (let point = 0; ; point++) {
      const world = await makeWorld(step);
      let count = 0;
      let hit = false;
      world.files.onChange = (change) => {
        if ((change.op === 'write' || change.op === 'create' || change.op === 'truncate') && count++ === point) {
          hit = true;
          throw new NestboxError('no-space', 'no space left on the disk', { op: 'write file' });
        }
      };
      let failure: unknown;
      await step.work(world).catch((error: unknown) => (failure = error));
      world.files.onChange = undefined;
      if (!hit) {
        expect(failure).toBeUndefined();
        world.registry.dispose();
        break;
      }
      const about = `${step.what}, full at write ${point}`;
      await world.running.idle();
      if (failure !== undefined) {
        failures++;
        expect(failure, about).toMatchObject({ kind: 'no-space' });
        // The machine goes on, and everything is as it was but for where its disk is written to.
        expect(world.vm?.running, about).toBe(true);
        await world.vm?.count(100);
        expect(world.registry.vms().length, about).toBe(1);
        expect(world.registry.snapshots(VM).some((row) => row.name === 'new' || row.kind === 'saved'), about).toBe(false);
        await step.work(world);
        await world.running.idle();
      }
      // Its last word to the second machine may still wait for space.
      await world.vm?.commands.handedOver().catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, 5));
      await world.running.idle();
      await world.control.powerOff(VM);
      await checkWorld(world, about);
      world.registry.dispose();
    }
    expect(failures).toBeGreaterThan(5);
  });
});
