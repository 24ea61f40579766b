// qcow2 against qemu-img: every image that we write passes its check and has the content that we wrote; every image that
// it writes reads the same with ours, and both programs agree on what an image is and on what its check counts.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BlockDevice } from '../../core/block/block-device.ts';
import { diskInfo } from '../../core/block/disk-tools.ts';
import { MemoryDisk } from '../../core/block/memory-disk.ts';
import { checkQcow2 } from '../../core/block/qcow2/check-qcow2.ts';
import { createQcow2, type Qcow2CreateOptions } from '../../core/block/qcow2/create-qcow2.ts';
import { openQcow2 } from '../../core/block/qcow2/open-qcow2.ts';
import { nodeHostFiles } from '../../core/host/files/node-host-files.ts';
import { islands } from './contents.ts';
import { hasQemuImg, qemuCheck, qemuImgOk, qemuInfo } from './qemu-img.ts';

const SIZE = 3 * 2 ** 20 + 1536;
let folder = '';
let content = new Uint8Array(0);
let base = new Uint8Array(0);

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'nestbox-qcow2-'));
  content = islands(SIZE, 1);
  base = islands(2 ** 21, 99);
  writeFileSync(join(folder, 'content.raw'), content);
  writeFileSync(join(folder, 'base.raw'), base);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const resolveBacking = async (): Promise<BlockDevice> => new MemoryDisk(base.slice(), { readOnly: true });

async function readAll(path: string): Promise<Uint8Array> {
  const disk = await openQcow2(await nodeHostFiles.open(path, { readOnly: true }), { resolveBacking });
  try {
    const all = new Uint8Array(disk.sizeBytes);
    await disk.read(0, all);
    return all;
  } finally {
    await disk.close();
  }
}

async function checkBoth(path: string): Promise<void> {
  const theirs = qemuCheck(path);
  const file = await nodeHostFiles.open(path, { readOnly: true });
  try {
    const ours = await checkQcow2(file);
    expect(ours.messages).toEqual([]);
    expect({
      corruptions: ours.corruptions,
      leaks: ours.leaks,
      allocated: ours.allocatedClusters,
      compressed: ours.compressedClusters,
      total: ours.totalClusters,
      end: ours.imageEndBytes,
    }).toEqual({
      corruptions: theirs.corruptions ?? 0,
      leaks: theirs.leaks ?? 0,
      allocated: theirs['allocated-clusters'] ?? 0,
      compressed: theirs['compressed-clusters'] ?? 0,
      total: theirs['total-clusters'],
      end: theirs['image-end-offset'],
    });
    expect(ours.corruptions + ours.leaks).toBe(0);
  } finally {
    await file.close();
  }
  expect(await diskInfo(path)).toEqual(qemuInfo(path));
}

const CLUSTERS = [512, 4096, 65_536, 2 ** 21];
const WIDTHS = [1, 2, 4, 8, 16, 32, 64];

type Shape = Omit<Qcow2CreateOptions, 'sizeBytes' | 'backing'> & { withBacking?: boolean; compressed?: boolean };

function shapes(): Shape[] {
  const list: Shape[] = [];
  for (const clusterBytes of CLUSTERS) {
    for (const withBacking of [false, true]) {
      list.push({ version: 2, clusterBytes, withBacking });
      for (const refcountBits of WIDTHS) list.push({ version: 3, clusterBytes, refcountBits, withBacking });
      list.push({ version: 3, clusterBytes, lazyRefcounts: true, withBacking });
    }
    for (const compressionType of ['zlib', 'zstd'] as const)
      list.push({ version: 3, clusterBytes, compressionType, compressed: true });
    list.push({ version: 2, clusterBytes, compressed: true });
    list.push({ version: 3, clusterBytes, refcountBits: 1, compressed: true });
  }
  return list;
}

describe.skipIf(!hasQemuImg)('images that we write', () => {
  it.concurrent.each(shapes().map((shape, index) => ({ index, shape })))(
    'are right to qemu-img: $shape',
    async ({ index, shape }) => {
      const { withBacking, compressed, ...options } = shape;
      const path = join(folder, `ours-${index}.qcow2`);
      const file = await nodeHostFiles.create(path);
      await createQcow2(file, {
        ...options,
        sizeBytes: SIZE,
        ...(withBacking ? { backing: { name: join(folder, 'base.raw'), format: 'raw' } } : {}),
      });
      const disk = await openQcow2(file, { resolveBacking, durable: index % 9 === 0 });
      if (compressed) {
        for (let at = 0; at < SIZE; at += disk.clusterBytes) {
          const cluster = new Uint8Array(disk.clusterBytes);
          cluster.set(content.subarray(at, at + disk.clusterBytes));
          if (cluster.every((byte) => byte === 0)) continue;
          if (!(await disk.writeCompressed(at, cluster)))
            await disk.write(at, content.subarray(at, Math.min(at + disk.clusterBytes, SIZE)));
        }
      } else {
        // Pieces that cross clusters, out of order, then a part overwritten and another given back and written again.
        const piece = 12_800;
        const count = Math.ceil(SIZE / piece);
        for (let step = 0; step < count; step++) {
          const at = ((step * 7) % count) * piece;
          await disk.write(at, content.subarray(at, Math.min(at + piece, SIZE)));
        }
        await disk.discard(2 ** 20, 2 ** 20);
        await disk.flush();
        await disk.write(2 ** 20 - 512, content.subarray(2 ** 20 - 512, 2 ** 21 + 1024));
        await disk.writeZeroes(5 * 32_768, 32_768);
      }
      await disk.close();
      expect(Buffer.compare(await readAll(path), content)).toBe(0);
      await checkBoth(path);
      qemuImgOk('compare', '-f', 'qcow2', '-F', 'raw', path, join(folder, 'content.raw'));
      rmSync(path);
    },
  );
});

it.skipIf(!hasQemuImg)('an image that is marked as not closed or as damaged is so to both', async () => {
  const path = join(folder, 'marked.qcow2');
  const file = await nodeHostFiles.create(path);
  await createQcow2(file, { sizeBytes: SIZE, lazyRefcounts: true });
  await file.close();
  const bytes = readFileSync(path);
  for (const [marks, dirty, corrupt] of [
    [1, true, false],
    [2, false, true],
    [3, true, true],
  ] as const) {
    // The low byte of the incompatible features.
    bytes.writeUInt8(marks, 79);
    writeFileSync(path, bytes);
    const info = await diskInfo(path);
    expect(info).toEqual(qemuInfo(path));
    expect(info.qcow2).toMatchObject({ dirty, corrupt, lazyRefcounts: true });
  }
});

function theirOptions(): { args: string[]; backing: boolean; convert: boolean }[] {
  const list: { args: string[]; backing: boolean; convert: boolean }[] = [];
  for (const cluster of CLUSTERS) {
    for (const compat of ['0.10', '1.1']) {
      const option = `cluster_size=${cluster},compat=${compat}`;
      for (const preallocation of ['off', 'metadata', 'falloc', 'full'])
        list.push({ args: ['-o', `${option},preallocation=${preallocation}`], backing: false, convert: true });
      list.push({ args: ['-c', '-o', option], backing: false, convert: true });
      list.push({ args: ['-o', option], backing: true, convert: false });
    }
    for (const bits of WIDTHS)
      list.push({ args: ['-o', `cluster_size=${cluster},refcount_bits=${bits}`], backing: false, convert: true });
    list.push({ args: ['-c', '-o', `cluster_size=${cluster},compression_type=zstd`], backing: false, convert: true });
    list.push({ args: ['-o', `cluster_size=${cluster},lazy_refcounts=on`], backing: true, convert: false });
  }
  return list;
}

describe.skipIf(!hasQemuImg)('images that qemu-img writes', () => {
  it.each(theirOptions().map((entry, index) => ({ index, ...entry })))(
    'read and write well: $args backing $backing',
    async (entry) => {
      const path = join(folder, `theirs-${entry.index}.qcow2`);
      let expected: Uint8Array;
      if (entry.convert) {
        qemuImgOk('convert', '-f', 'raw', '-O', 'qcow2', ...entry.args, join(folder, 'content.raw'), path);
        expected = content.slice();
      } else {
        qemuImgOk(
          'create',
          '-f',
          'qcow2',
          '-F',
          'raw',
          '-b',
          join(folder, 'base.raw'),
          ...entry.args,
          path,
          String(SIZE),
        );
        expected = new Uint8Array(SIZE);
        expected.set(base);
      }
      expect(Buffer.compare(await readAll(path), expected)).toBe(0);
      await checkBoth(path);
      // Then changed by us.
      const disk = await openQcow2(await nodeHostFiles.open(path, { readOnly: false }), {
        resolveBacking,
        durable: false,
      });
      const data = content.subarray(1000, 1000 + 123 * 512);
      await disk.write(77 * 512, data);
      expected.set(data, 77 * 512);
      await disk.resize(SIZE + 2 ** 20);
      await disk.close();
      const all = await readAll(path);
      expect(all.length).toBe(SIZE + 2 ** 20);
      expect(Buffer.compare(all.subarray(0, SIZE), expected)).toBe(0);
      expect(all.subarray(SIZE).every((byte) => byte === 0)).toBe(true);
      await checkBoth(path);
      rmSync(path);
    },
  );

  it('with internal snapshots stay whole when the disk changes', async () => {
    const path = join(folder, 'snapshots.qcow2');
    qemuImgOk('convert', '-f', 'raw', '-O', 'qcow2', join(folder, 'content.raw'), path);
    qemuImgOk('snapshot', '-c', 'one', path);
    await checkBoth(path);
    const disk = await openQcow2(await nodeHostFiles.open(path, { readOnly: false }));
    await disk.write(0, new Uint8Array(2 ** 20).fill(0xee));
    await disk.writeZeroes(2 ** 20, 2 ** 20);
    await disk.close();
    await checkBoth(path);
    qemuImgOk('convert', '-f', 'qcow2', '-l', 'snapshot.name=one', '-O', 'raw', path, join(folder, 'one.raw'));
    expect(Buffer.compare(readFileSync(join(folder, 'one.raw')), content)).toBe(0);
  });

  it('that need what we do not have are refused by name', async () => {
    const refusal = async (...args: string[]): Promise<string> => {
      const path = join(folder, 'refused.qcow2');
      rmSync(path, { force: true });
      qemuImgOk('create', '-q', '-f', 'qcow2', ...args, path, '1M');
      const file = await nodeHostFiles.open(path, { readOnly: true });
      try {
        await openQcow2(file);
      } catch (error) {
        return (error as Error).message;
      } finally {
        await file.close();
      }
      throw new Error('was not refused');
    };
    expect(await refusal('-o', 'extended_l2=on')).toContain('extended L2 entries (incompatible feature bit 4)');
    expect(await refusal('-o', `data_file=${join(folder, 'data.raw')}`)).toContain(
      'external data file (incompatible feature bit 2)',
    );
    expect(
      await refusal(
        '--object',
        'secret,id=s,data=x',
        '-o',
        'encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10',
      ),
    ).toContain('LUKS');
    expect(await refusal('-F', 'raw', '-b', join(folder, 'base.raw'))).toContain('backing file');
  });
});
