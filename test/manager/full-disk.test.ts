// A library on a file system that is full, for real: a small tmpfs.

import { spawnSync } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
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
});
