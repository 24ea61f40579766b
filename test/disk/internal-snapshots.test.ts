// Internal snapshots of qcow2 images, taken, gone back to and deleted by us and by qemu-img in turn: both always agree on
// what is there, and no cluster is lost or counted wrongly.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDisk, diskInfo } from '../../core/block/disk-tools.ts';
import {
  applyInternalSnapshot,
  createInternalSnapshot,
  deleteInternalSnapshot,
} from '../../core/block/qcow2/internal-snapshots.ts';
import { checkQcow2 } from '../../core/block/qcow2/check-qcow2.ts';
import { openQcow2 } from '../../core/block/qcow2/open-qcow2.ts';
import type { Qcow2Disk } from '../../core/block/qcow2/qcow2-disk.ts';
import { nodeHostFiles } from '../../core/host/files/node-host-files.ts';
import { randomStream } from './contents.ts';
import { hasQemuImg, qemuCheck, qemuImgOk, qemuInfo } from './qemu-img.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'nestbox-internal-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function withDisk(path: string, work: (disk: Qcow2Disk) => Promise<void>): Promise<void> {
  const disk = await openQcow2(await nodeHostFiles.open(path, { readOnly: false }), { durable: false });
  try {
    await work(disk);
  } finally {
    await disk.close();
  }
}

async function read(path: string): Promise<Buffer> {
  let bytes = Buffer.alloc(0);
  await withDisk(path, async (disk) => {
    bytes = Buffer.alloc(disk.sizeBytes);
    await disk.read(0, bytes);
  });
  return bytes;
}

async function expectWhole(path: string): Promise<void> {
  const file = await nodeHostFiles.open(path, { readOnly: true });
  const report = await checkQcow2(file);
  await file.close();
  expect(report.messages).toEqual([]);
  if (!hasQemuImg) return;
  const theirs = qemuCheck(path);
  expect([theirs.corruptions ?? 0, theirs.leaks ?? 0]).toEqual([0, 0]);
  expect(await diskInfo(path)).toEqual(qemuInfo(path));
}

const SHAPES = [
  { version: 2, clusterBytes: 4096 },
  { version: 3, clusterBytes: 512, refcountBits: 64 },
  { version: 3, clusterBytes: 4096, refcountBits: 2 },
  { version: 3, clusterBytes: 4096, refcountBits: 8 },
  { version: 3, clusterBytes: 65_536, lazyRefcounts: true },
] as const;

describe('internal snapshots', () => {
  it.each(SHAPES.map((shape, index) => ({ ...shape, index })))('come and go: %o', async ({ index, ...shape }) => {
    const path = join(folder, `s${index}.qcow2`);
    const random = randomStream(100 + index);
    let size = 2 ** 20;
    await createDisk(path, { ...shape, format: 'qcow2', sizeBytes: size });
    let model = Buffer.alloc(size);
    const kept = new Map<string, Buffer>();
    const most = shape.version === 3 && 'refcountBits' in shape && shape.refcountBits === 2 ? 1 : 4;
    for (let step = 0; step < 26; step++) {
      const ours = !hasQemuImg || random(3) > 0;
      const kind = random(4);
      const names = [...kept.keys()];
      const name = names[random(Math.max(1, names.length))];
      if (kind === 0 && kept.size < most) {
        const fresh = `snap ${step}`;
        if (ours) await withDisk(path, (disk) => createInternalSnapshot(disk, fresh, 1_700_000_000));
        else qemuImgOk('snapshot', '-c', fresh, path);
        kept.set(fresh, Buffer.from(model));
      } else if (kind === 1 && name !== undefined) {
        if (ours) await withDisk(path, (disk) => applyInternalSnapshot(disk, name));
        else qemuImgOk('snapshot', '-a', name, path);
        model = Buffer.from(kept.get(name) as Buffer);
        size = model.length;
      } else if (kind === 2 && name !== undefined) {
        if (ours) await withDisk(path, (disk) => deleteInternalSnapshot(disk, name));
        else qemuImgOk('snapshot', '-d', name, path);
        kept.delete(name);
      } else {
        await withDisk(path, async (disk) => {
          for (let write = 0; write < 4; write++) {
            const offset = random(size / 512) * 512;
            const length = Math.min(size - offset, (1 + random(200)) * 512);
            const value = random(255);
            if (value < 40) await disk.writeZeroes(offset, length);
            else await disk.write(offset, new Uint8Array(length).fill(value));
            model.fill(value < 40 ? 0 : value, offset, offset + length);
          }
          if (shape.version === 3 && random(4) === 0) {
            size += 65_536;
            await disk.resize(size);
            model = Buffer.concat([model, Buffer.alloc(65_536)]);
          }
        });
      }
      await expectWhole(path);
      expect(Buffer.compare(await read(path), model)).toBe(0);
      const info = await diskInfo(path);
      expect(info.qcow2?.snapshots.map((snapshot) => snapshot.name).sort()).toEqual([...kept.keys()].sort());
    }
    if (hasQemuImg) {
      for (const [name, content] of kept) {
        qemuImgOk('convert', '-f', 'qcow2', '-l', `snapshot.name=${name}`, '-O', 'raw', path, join(folder, 'one.raw'));
        expect(Buffer.compare(readFileSync(join(folder, 'one.raw')).subarray(0, content.length), content)).toBe(0);
      }
    }
    for (const name of kept.keys()) await withDisk(path, (disk) => deleteInternalSnapshot(disk, name));
    await expectWhole(path);
    expect(Buffer.compare(await read(path), model)).toBe(0);
  });

  it('are refused where refcounts cannot say it, and nothing changes', async () => {
    const path = join(folder, 'narrow.qcow2');
    await createDisk(path, { format: 'qcow2', sizeBytes: 2 ** 20, refcountBits: 1 });
    await withDisk(path, async (disk) => {
      await disk.write(0, new Uint8Array(512).fill(1));
      await expect(createInternalSnapshot(disk, 'a', 0)).rejects.toMatchObject({ kind: 'unsupported' });
      await expect(applyInternalSnapshot(disk, 'a')).rejects.toMatchObject({ kind: 'not-found' });
    });
    const two = join(folder, 'two.qcow2');
    await createDisk(two, { format: 'qcow2', sizeBytes: 2 ** 20, refcountBits: 2 });
    await withDisk(two, async (disk) => {
      await disk.write(0, new Uint8Array(512).fill(1));
      await createInternalSnapshot(disk, 'a', 0);
      await expect(createInternalSnapshot(disk, 'a', 0)).rejects.toMatchObject({ kind: 'usage' });
      await createInternalSnapshot(disk, 'b', 0);
      await expect(createInternalSnapshot(disk, 'c', 0)).rejects.toMatchObject({ kind: 'unsupported' });
      await disk.write(512, new Uint8Array(512).fill(2));
    });
    await expectWhole(path);
    await expectWhole(two);
  });
});
