// A library on a file system that is full, for real: a small tmpfs.

import { spawnSync } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { mkdirSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { NodeVmHost } from '../../core/host/node-vm-host.ts';
import { writerFloppy } from '../disk/writer-guest.ts';
import { MIB, newVm, openLibrary } from '../support/library.ts';
import { temporaryFolder } from '../support/nestbox.ts';

/** @returns the mounted folder, or undefined where that is not allowed */
function smallTmpfs(mib: number): string | undefined {
  if (process.platform !== 'linux') return undefined;
  const folder = join(temporaryFolder(), 'small');
  mkdirSync(folder);
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${mib}m`, 'tmpfs', folder]).status !== 0) return undefined;
  onTestFinished(() => {
    spawnSync('umount', ['-l', folder]);
  });
  return folder;
}

describe('a full disk', () => {
  it('refuses new machines and copies with a clear reason, loses nothing, and goes on when there is space', async ({ skip }) => {
    const folder = smallTmpfs(8);
    if (folder === undefined) {
      skip('mounting a tmpfs is not allowed here');
      return;
    }
    const { manager, root } = await openLibrary(join(folder, 'library'));
    const { api } = manager;
    const kept = await api.createVm(newVm('kept', { drives: [{ kind: 'disk', source: 'new', sizeBytes: 4 * MIB }] }));
    const source = join(temporaryFolder(), 'source.img');
    writeFileSync(source, randomFillSync(new Uint8Array(16 * MIB)));
    const before = readdirSync(join(root, 'disks'));
    await expect(api.importDisk(manager.files.grant(source), { name: 'too large' })).rejects.toMatchObject({ kind: 'no-space' });
    expect(readdirSync(join(root, 'disks'))).toEqual(before);
    // Now to the last byte.
    const ballast = join(folder, 'ballast');
    expect(() => writeFileSync(ballast, new Uint8Array(16 * MIB))).toThrow();
    await expect(api.createVm(newVm('no room', { drives: [{ kind: 'disk', source: 'new', sizeBytes: 4 * MIB }] }))).rejects.toThrow(/full|space/i);
    expect((await api.listVms()).map((vm) => vm.name)).toEqual(['kept']);
    expect(readdirSync(join(root, 'disks'))).toEqual(before);
    rmSync(ballast);
    await api.createVm(newVm('with room', { drives: [{ kind: 'disk', source: 'new', sizeBytes: 4 * MIB }] }));
    expect((await api.vm(kept.id)).drives[0]?.medium?.missing).toBe(false);
  });

  it('under a running machine is told as long as it is full, and no longer', { timeout: 120_000 }, async ({ skip }) => {
    const folder = smallTmpfs(12);
    if (folder === undefined) {
      skip('mounting a tmpfs is not allowed here');
      return;
    }
    const { manager } = await openLibrary(join(folder, 'library'), { host: new NodeVmHost() });
    const { api } = manager;
    const floppy = join(temporaryFolder(), 'writer.img');
    writeFileSync(floppy, writerFloppy(0, 8192));
    const vm = await api.createVm(
      newVm('writer', {
        hardware: { memoryMib: 16, engine: 'software' },
        drives: [{ kind: 'floppy', source: 'file', file: manager.files.grant(floppy), readOnly: true }, { kind: 'disk', source: 'new', sizeBytes: 4 * MIB }],
      }),
    );
    const ballast = join(folder, 'ballast');
    expect(() => writeFileSync(ballast, new Uint8Array(16 * MIB))).toThrow();
    const until = async (what: string, condition: () => Promise<boolean>): Promise<void> => {
      for (let tries = 0; !(await condition()); tries++) {
        if (tries > 500) throw new Error(`${what}: ${JSON.stringify(await api.vm(vm.id))}`);
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    };
    // Room to start, not to write on.
    truncateSync(ballast, statSync(ballast).size - MIB);
    await api.startVm(vm.id);
    await until('never full', async () => (await api.vm(vm.id)).notice?.code === 'disk-full');
    await until('not paused', async () => (await api.vm(vm.id)).state === 'paused');
    rmSync(ballast);
    await until('still told', async () => (await api.vm(vm.id)).notice === undefined);
    await until('not running', async () => (await api.vm(vm.id)).state === 'running');
    await api.powerOffVm(vm.id);
  });
});
