import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { nodeHostFiles } from './node-host-files.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'nestbox-files-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const qemuImg = spawnSync('qemu-img', ['--version']).status === 0;

describe('node host files', () => {
  it('reads and writes at positions and tells the end of the file', async () => {
    const file = await nodeHostFiles.create(join(folder, 'a'));
    await file.write(10, Uint8Array.of(1, 2, 3));
    const target = new Uint8Array(8);
    expect(await file.read(8, target)).toBe(5);
    expect([...target]).toEqual([0, 0, 1, 2, 3, 0, 0, 0]);
    expect(file.identity().sizeBytes).toBe(13);
    await file.truncate(11);
    expect(file.identity().sizeBytes).toBe(11);
    await file.flush();
    await file.close();
    await file.close();
    await expect(file.read(0, target)).rejects.toMatchObject({ kind: 'internal' });
  });

  it('gives stable error kinds', async () => {
    await expect(nodeHostFiles.open(join(folder, 'missing'), { readOnly: true })).rejects.toMatchObject({
      kind: 'not-found',
    });
    await expect(nodeHostFiles.open(folder, { readOnly: true })).rejects.toMatchObject({ kind: 'bad-input' });
    writeFileSync(join(folder, 'b'), 'x');
    await expect(nodeHostFiles.create(join(folder, 'b'))).rejects.toMatchObject({ kind: 'usage' });
    const file = await nodeHostFiles.open(join(folder, 'b'), { readOnly: true });
    await expect(file.write(0, Uint8Array.of(1))).rejects.toMatchObject({ kind: 'permission' });
    await file.close();
  });

  it('does not hang on a pipe', async () => {
    const path = join(folder, 'pipe');
    if (spawnSync('mkfifo', [path]).status !== 0) return;
    await expect(nodeHostFiles.open(path, { readOnly: true })).rejects.toMatchObject({ kind: 'bad-input' });
    expect((await nodeHostFiles.status(path)).kind).toBe('fifo');
  });

  it('makes temporary files that have no name', async () => {
    const before = readdirSync(tmpdir()).filter((name) => name.startsWith('nestbox-') && name.endsWith('.tmp'));
    const file = await nodeHostFiles.createTemporary();
    await file.write(0, Uint8Array.of(7));
    const during = readdirSync(tmpdir()).filter((name) => name.startsWith('nestbox-') && name.endsWith('.tmp'));
    expect(during.length).toBeLessThanOrEqual(before.length);
    await file.close();
  });

  it.skipIf(process.platform !== 'linux')('locks: readers share, a writer excludes', async () => {
    const path = join(folder, 'locked');
    writeFileSync(path, new Uint8Array(4096));
    const open = (readOnly: boolean): ReturnType<typeof nodeHostFiles.open> => nodeHostFiles.open(path, { readOnly });
    const reader1 = await open(true);
    const reader2 = await open(true);
    expect(await reader1.lock('shared')).toBe(true);
    expect(await reader2.lock('shared')).toBe(true);
    const writer = await open(false);
    await expect(writer.lock('exclusive')).rejects.toMatchObject({ kind: 'busy' });
    await reader1.close();
    await expect(writer.lock('exclusive')).rejects.toMatchObject({ kind: 'busy' });
    await reader2.close();
    expect(await writer.lock('exclusive')).toBe(true);
    const late = await open(true);
    await expect(late.lock('shared')).rejects.toMatchObject({ kind: 'busy' });
    await writer.close();
    expect(await late.lock('shared')).toBe(true);
    await late.close();
  });

  it.skipIf(process.platform !== 'linux' || !qemuImg)(
    'locks keep qemu-img out (skipped without qemu-img)',
    async () => {
      const path = join(folder, 'with-qemu');
      writeFileSync(path, new Uint8Array(65536));
      const resize = (): number | null => spawnSync('qemu-img', ['resize', '-f', 'raw', path, '128K']).status;
      const writer = await nodeHostFiles.open(path, { readOnly: false });
      await writer.lock('exclusive');
      expect(resize()).not.toBe(0);
      await writer.close();
      expect(resize()).toBe(0);
      expect(statSync(path).size).toBe(131072);
    },
  );

  it.skipIf(process.platform !== 'linux')('punches holes that read as zeroes', async () => {
    const path = join(folder, 'holes');
    writeFileSync(path, new Uint8Array(1 << 20).fill(0xaa));
    const file = await nodeHostFiles.open(path, { readOnly: false });
    if (await file.punchHole(65536, 131072)) {
      const target = new Uint8Array(131074);
      await file.read(65535, target);
      expect(target[0]).toBe(0xaa);
      expect(target.subarray(1, 131073).every((byte) => byte === 0)).toBe(true);
      expect(target[131073]).toBe(0xaa);
      expect(file.identity().sizeBytes).toBe(1 << 20);
    }
    await file.close();
  });
});
