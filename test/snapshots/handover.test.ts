// Memory that goes from one running machine to another: what arrives is the memory of one instant, whatever the first
// machine does meanwhile and in whatever order the second one asks.

import { mkdirSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { NestboxError } from '../../core/base/errors.ts';
import { createOverlay } from '../../core/block/image-chain.ts';
import { buildDemoImage } from '../../core/firmware/demo/demo-image.ts';
import { VmSession } from '../../core/cli/vm-session.ts';
import { NodeVmHost } from '../../core/host/node-vm-host.ts';
import { MemoryHostFiles } from '../../core/host/files/memory-host-files.ts';
import { MemoryHandover } from '../../core/machine/memory-handover.ts';
import { LazyMemory } from '../../core/machine/state-restore.ts';
import { layOutMemory } from '../../core/memory/layout.ts';
import { PhysicalMemory } from '../../core/memory/physical-memory.ts';
import type { VmConfigInput } from '../../core/protocol/vm-config.ts';
import { HandoverState, failHandover } from '../../core/state-store/handover.ts';
import { temporaryFolder } from '../support/nestbox.ts';

const PAGE = 4096;
const MIB = 1 << 20;
const ID = 'a'.repeat(32);

function machineMemory(ramBytes = 4 * MIB): PhysicalMemory {
  const layout = layOutMemory({ ramBytes, romBytes: 65536, vramBytes: 65536, vcpus: 1 });
  const memory = new PhysicalMemory(new SharedArrayBuffer(layout.totalBytes), layout);
  memory.mapRam();
  return memory;
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

interface Rig {
  readonly files: MemoryHostFiles;
  readonly memory: PhysicalMemory;
  readonly handover: MemoryHandover;
  readonly reader: () => Promise<HandoverState>;
}

async function rig(canHold: boolean, delay: () => Promise<void> = nextTurn, used = 600): Promise<Rig> {
  const files = new MemoryHostFiles();
  const memory = machineMemory(Math.max(4 * MIB, used * PAGE));
  for (let page = 0; page < used; page++) memory.write(page * PAGE, new Uint8Array(PAGE).fill(page % 255));
  memory.vram.fill(7, 100, 200);
  memory.rom.fill(9);
  const handover = await MemoryHandover.create({ memory, files, path: 's/x', id: ID, canHold, nextTurn, delay, checkCancelled: () => undefined });
  const reader = async (): Promise<HandoverState> => HandoverState.open(await files.open('s/x', { readOnly: false }), ID, { sleep: () => undefined, patience: 50 });
  return { files, memory, handover, reader };
}

/** Reads everything into another machine. */
async function arrive(state: HandoverState): Promise<PhysicalMemory> {
  const memory = machineMemory();
  const lazy = new LazyMemory(state, memory);
  lazy.attach();
  await lazy.readBehind(nextTurn, nextTurn);
  await lazy.loaded;
  return memory;
}

describe('memory that is handed over', () => {
  it.each([true, false])('is that of the instant, while both machines write to theirs (writes can be held up: %s)', async (canHold) => {
    const { memory, handover, reader, files } = await rig(canHold);
    await handover.prepare();
    memory.write(5 * PAGE + 1, Uint8Array.of(0xaa));
    memory.write(900 * PAGE, Uint8Array.of(0xbb));
    const ram = memory.ram.slice();
    const vram = memory.vram.slice();
    handover.hold();
    // The first machine goes on at once: pages that it had, and new ones.
    for (const page of [0, 5, 17, 599, 900, 1000]) memory.write(page * PAGE + 9, Uint8Array.of(0xee, 0xee));
    memory.vram.fill(1);
    await handover.describe({ what: 'fields', count: 3n });
    const state = await reader();
    expect(state.machine).toEqual({ what: 'fields', count: 3n });
    const work = handover.run(() => undefined);
    const arrived = arrive(state);
    for (let page = 20; page < 600; page += 7) {
      memory.write32(page * PAGE, 0xffff_ffff);
      if (page % 3 === 0) await nextTurn();
    }
    await work;
    const other = await arrived;
    expect(Buffer.compare(Buffer.from(other.ram), Buffer.from(ram))).toBe(0);
    expect(Buffer.compare(Buffer.from(other.vram), Buffer.from(vram))).toBe(0);
    expect(other.rom.every((byte) => byte === 9)).toBe(true);
    expect(memory.absentPages).toBe(0);
    expect(memory.read8(5 * PAGE + 9)).toBe(0xee);
    expect(files.openHandles).toBe(0);
  });

  it('serves the page that the second machine waits for before its turn', async () => {
    const { memory, handover, reader } = await rig(true, nextTurn, 8192);
    await handover.prepare();
    handover.hold();
    await handover.describe({});
    const state = await reader();
    expect(state.isReady(1 + 8000)).toBe(false);
    // The request is written at once, as by a machine that has stopped in the middle of an instruction.
    let thrown: unknown;
    try {
      state.page(1 + 8000);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({ kind: 'io' });
    let turns = 0;
    const work = handover.run(() => undefined);
    while (!state.isReady(1 + 8000)) {
      turns++;
      await nextTurn();
      state.lookAgain();
    }
    // Its own turn would be one of the last.
    expect(state.isReady(1 + 5000)).toBe(false);
    expect(turns).toBeGreaterThan(0);
    await work;
    expect(state.page(1 + 8000)?.[0]).toBe(8000 % 255);
    expect(memory.absentPages).toBe(0);
    await state.close();
  });

  it('waits for space on a full disk', async () => {
    const { files, handover, reader } = await rig(true, async () => {
      files.spaceBytes = Infinity;
    });
    await handover.prepare();
    handover.hold();
    await handover.describe({});
    files.spaceBytes = 0;
    files.put('other', new Uint8Array(0));
    // The description lies behind the pages, so the file does not grow: a full disk is one that refuses the hole.
    let refused = 0;
    files.onChange = (change) => {
      if (change.op === 'write' && change.bytes.length > 64 * 1024 && refused++ === 0) throw new NestboxError('no-space', 's/x: no space left', { op: 'write' });
    };
    const told: string[] = [];
    const state = await reader();
    await Promise.all([handover.run((error) => told.push(error.kind)), arrive(state)]);
    expect(told).toEqual(['no-space']);
    expect(refused).toBeGreaterThan(1);
  });

  it('that never comes is an error for the second machine, not an endless wait', async () => {
    const { files, handover, reader } = await rig(true);
    await handover.prepare();
    handover.hold();
    await handover.describe({});
    const last = await reader();
    const silent = await reader();
    expect(() => silent.page(1 + 300)).toThrow(/has ended before/);
    await silent.close();
    const told = await reader();
    await failHandover(await files.open('s/x', { readOnly: false }));
    await expect(arrive(told)).rejects.toMatchObject({ kind: 'io' });
    // A write that fails for good is told by the writer itself.
    files.onChange = (change) => {
      if (change.op === 'write' && change.bytes.length > 4096) throw new NestboxError('io', 'broken', { op: 'write' });
    };
    await expect(handover.run(() => undefined)).rejects.toMatchObject({ kind: 'io' });
    await expect(arrive(last)).rejects.toMatchObject({ kind: 'io' });
  });

  it('is refused when the file is not what it should be', async () => {
    const { files, handover } = await rig(true);
    await handover.prepare();
    handover.hold();
    await handover.describe({ a: 1 });
    const good = files.content('s/x');
    let seed = 7;
    const random = (below: number): number => (seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0) % below;
    const end = good.length;
    let refused = 0;
    const memory = machineMemory();
    for (let round = 0; round < 200; round++) {
      const bytes = good.slice();
      const at = random(2) === 0 ? random(64) : end - 1 - random(150);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << random(8));
      files.put('s/y', round % 9 === 0 ? bytes.subarray(0, random(end)) : bytes);
      try {
        const state = await HandoverState.open(await files.open('s/y', { readOnly: false }), ID, { sleep: () => undefined, patience: 3 });
        new LazyMemory(state, memory);
        await state.close();
      } catch (error) {
        refused++;
        expect(error).toMatchObject({ name: 'NestboxError' });
      }
    }
    expect(refused).toBeGreaterThan(75);
  });
});

describe('a machine that is forked', () => {
  it('goes on in both processes, each as the other would: equal to the last bit', { timeout: 120_000 }, async () => {
    const folder = temporaryFolder();
    const image = join(folder, 'demo.img');
    writeFileSync(image, buildDemoImage());
    const disk = join(folder, 'disk.img');
    writeFileSync(disk, new Uint8Array(MIB));
    const states = join(folder, 'states');
    mkdirSync(states);
    const overlay = async (name: string): Promise<string> => {
      const path = join(folder, `${name}.qcow2`);
      await createOverlay(path, { backing: { path: disk, format: 'raw' }, sizeBytes: MIB });
      return path;
    };
    const floppy = { kind: 'floppy' as const, path: image, snapshot: true };
    const config: VmConfigInput = { name: 'first', memoryMib: 32, clock: 'instructions', media: [floppy, { kind: 'disk', slot: 'ide0', path: disk, format: 'raw' }] };
    const onOverlay = (path: string): VmConfigInput => ({ ...config, name: 'second', media: [floppy, { kind: 'disk', slot: 'ide0', path, format: 'qcow2', backing: [{ path: disk, format: 'raw' }] }] });
    const launch = (): Promise<VmSession> => VmSession.launch(new NodeVmHost(), 'nestbox-test-vm', () => undefined);
    const first = await launch();
    try {
      await first.start(config);
      await first.vm.runUntil(3_000_000);
      const id = randomBytes(16).toString('hex');
      const { pauseMs } = await first.vm.handOver({ folder: states, id, overlays: [{ slot: 'ide0', path: await overlay('one') }] });
      expect(pauseMs).toBeGreaterThan(0);
      // The first one goes on at once and changes what the second one has not seen yet.
      const going = first.vm.runUntil(8_000_000);
      const second = await launch();
      try {
        await second.guard(second.vm.startFromState(onOverlay(await overlay('two')), { folder: states, id, newGeneration: true, live: true }));
        await Promise.all([going, second.guard(second.vm.runUntil(8_000_000)), first.vm.handedOver(), second.vm.memoryLoaded()]);
        expect(await second.vm.stateHash()).toBe(await first.vm.stateHash());
      } finally {
        await second.end();
      }
      // Its owner lets go of the first machine while it still hands over: the second one gets all of it.
      const again = randomBytes(16).toString('hex');
      const hash = await first.vm.stateHash();
      await first.vm.handOver({ folder: states, id: again, overlays: [] });
      const third = await launch();
      try {
        await Promise.all([first.end(), third.guard(third.vm.startFromState(onOverlay(await overlay('three')), { folder: states, id: again, newGeneration: true, live: true }))]);
        await third.guard(third.vm.memoryLoaded());
        expect(await third.vm.stateHash()).toBe(hash);
      } finally {
        await third.end();
      }
    } finally {
      await first.end();
    }
  });
});
