// Snapshots through the manager, with a real library, real VM processes and a real guest.

import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { buildDemoImage } from '../../core/firmware/demo/demo-image.ts';
import { NodeVmHost } from '../../core/host/node-vm-host.ts';
import { Manager } from '../../core/manager/manager.ts';
import { hasQemuImg } from '../disk/qemu-img.ts';
import { temporaryFolder } from '../support/nestbox.ts';

const DISK_BYTES = 4 << 20;

async function open(root: string): Promise<Manager> {
  return Manager.open({ root, host: new NodeVmHost(), version: '0', shell: 'browser', demo: false });
}

interface Bench {
  readonly root: string;
  manager: Manager;
  readonly id: string;
}

/** A machine that boots the demo from a floppy and has a disk of its own. */
async function bench(): Promise<Bench> {
  const root = join(temporaryFolder(), 'library');
  const manager = await open(root);
  const image = join(root, 'demo.img');
  writeFileSync(image, buildDemoImage());
  const vm = await manager.api.createVm({
    name: 'Tree',
    osId: 'unknown',
    hardware: { memoryMib: 32, engine: 'software' },
    drives: [{ kind: 'floppy', source: 'file', file: manager.files.grant(image), readOnly: true }, { kind: 'disk', source: 'new', sizeBytes: DISK_BYTES }],
  });
  const made: Bench = { root, manager, id: vm.id };
  onTestFinished(() => made.manager.close());
  return made;
}

async function screenOf(manager: Manager, id: string): Promise<readonly string[]> {
  return (await manager.power.find(id)?.call('textScreen'))?.lines.slice(1) ?? [];
}

async function waitFor(manager: Manager, id: string, text: string): Promise<readonly string[]> {
  for (let tries = 0; tries < 300; tries++) {
    const lines = await screenOf(manager, id);
    if (lines.some((line) => line.includes(text))) return lines;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${text} never came: ${(await screenOf(manager, id)).join("\n")}\n${(await manager.api.logs(id, { from: 0, limit: 100 })).lines.map((line) => line.message).join("\n")}`);
}

async function type(manager: Manager, id: string, text: string): Promise<void> {
  await manager.power.requireRunning(id).call('typeText', text);
}

/** Every image of the library is whole, also in QEMU's eyes. */
function checkDisks(root: string): void {
  if (!hasQemuImg) return;
  for (const name of readdirSync(join(root, 'disks'))) {
    const path = join(root, 'disks', name);
    expect(spawnSync('qemu-img', ['check', path]).status, name).toBe(0);
  }
}

describe('snapshots of a running machine', () => {
  it('are taken while it runs and gone back to; the tree, forks, saved states and differences work', { timeout: 300_000 }, async () => {
    const b = await bench();
    const { manager, id } = b;
    const { api } = manager;
    await api.startVm(id);
    await waitFor(manager, id, 'all passed');
    await type(manager, id, 'abc');
    const screen = await waitFor(manager, id, 'abc');

    const first = await api.takeSnapshot(id, { name: 'first', notes: 'typed abc' });
    expect(first).toMatchObject({ name: 'first', notes: 'typed abc', kind: 'live', hasThumbnail: true, current: true });
    expect(await api.snapshotThumbnail(first.id)).toBeDefined();
    await type(manager, id, 'def');
    await waitFor(manager, id, 'abcdef');
    const second = await api.takeSnapshot(id, { name: 'second' });
    expect(second.parentId).toBe(first.id);

    const difference = await api.diffSnapshots(id, first.id, second.id);
    expect(difference.disks).toEqual([{ slot: 'ide0', changedBytes: 0, extents: [], truncated: false }]);
    expect(difference.memory?.changedPages).toBeGreaterThan(0);
    expect(difference.memory?.changedPages).toBeLessThan(2000);
    expect(difference.registers.some(({ register }) => register === 'instructions')).toBe(true);
    expect(difference.devices.length).toBeGreaterThan(0);

    // Back to the first one: the machine goes on from there at once.
    await api.restoreSnapshot(id, first.id, {});
    expect(await screenOf(manager, id)).toEqual(screen);
    await type(manager, id, 'xyz');
    await waitFor(manager, id, 'abcxyz');
    expect((await api.snapshots(id)).map(({ name, current }) => [name, current])).toEqual([['first', true], ['second', false]]);

    // A second machine goes on from the live state; both run.
    const fork = await api.forkVm(id, { name: 'Fork' });
    expect(fork).toMatchObject({ name: 'Fork', state: 'running' });
    await waitFor(manager, fork.id, 'abcxyz');
    await type(manager, fork.id, 'FF');
    await waitFor(manager, fork.id, 'abcxyzFF');
    await type(manager, id, 'gg');
    await waitFor(manager, id, 'abcxyzgg');
    await api.powerOffVm(fork.id);

    // Deleting the root keeps its child whole.
    await api.deleteSnapshot(first.id);
    expect((await api.snapshots(id)).map(({ name, parentId }) => [name, parentId])).toEqual([['second', undefined]]);

    // Closing the lid, and a new manager.
    await api.saveVmState(id);
    expect((await api.vm(id)).state).toBe('saved');
    checkDisks(b.root);
    await manager.close();
    b.manager = await open(b.root);
    await b.manager.api.startVm(id);
    await waitFor(b.manager, id, 'abcxyzgg');
    expect((await b.manager.api.vm(id)).hasSavedState).toBe(false);
    await b.manager.api.restoreSnapshot(id, second.id, { keepPresent: 'kept' });
    await waitFor(b.manager, id, 'abcdef');
    await b.manager.api.powerOffVm(id);
    expect((await b.manager.api.snapshots(id)).map(({ name, kind }) => [name, kind])).toEqual([['second', 'live'], ['kept', 'live']]);
    await b.manager.api.deleteVm(fork.id, { deleteDisks: true });
    for (const { id: snapshot } of await b.manager.api.snapshots(id)) await b.manager.api.deleteSnapshot(snapshot);
    expect(readdirSync(join(b.root, 'states'))).toEqual([]);
    checkDisks(b.root);
    // Everything is in the disk that the machine was made with, and that is all that is left of its own.
    const [drive] = (await b.manager.api.vm(id)).drives.filter(({ kind }) => kind === 'disk');
    expect(drive?.medium?.fileName).toBe('Tree.qcow2');
  });
});

describe('snapshots of a machine that is off', () => {
  it('hold its disks; deleting the machine keeps or removes them as asked', { timeout: 60_000 }, async () => {
    const { manager, id, root } = await bench();
    const { api } = manager;
    const one = await api.takeSnapshot(id, { name: 'one' });
    expect(one.kind).toBe('offline');
    await api.takeSnapshot(id, { name: 'two' });
    await api.restoreSnapshot(id, one.id, {});
    const three = await api.takeSnapshot(id, { name: 'three' });
    expect((await api.changeSnapshot(three.id, { name: 'drei', notes: 'n' })).name).toBe('drei');
    expect((await api.snapshots(id)).map(({ name, parentId }) => [name, parentId])).toEqual([['one', undefined], ['two', one.id], ['drei', one.id]]);
    await api.deleteSnapshot(one.id);
    expect((await api.snapshots(id)).length).toBe(2);
    checkDisks(root);
    await expect(api.restoreSnapshot(id, 'f'.repeat(32), {})).rejects.toMatchObject({ kind: 'not-found' });
    const path = join(root, 'disks');
    await api.deleteVm(id, { deleteDisks: false });
    // The present disk stays, with all that it stands on.
    const left = await api.listMedia();
    expect(left.filter(({ kind }) => kind === 'disk').length).toBeGreaterThan(0);
    for (const { fileName, folder, missing } of left) expect(missing || !existsSync(join(folder, fileName))).toBe(false);
    expect(readdirSync(path).length).toBe(left.filter(({ kind }) => kind === 'disk').length);
    checkDisks(root);
  });
});
