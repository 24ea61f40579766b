// qcow2 images with wrong fields: opened, read, checked, repaired and written to with declared errors only, in bounded
// time, and never a write into the image's own tables.

import { describe, expect, it } from 'vitest';
import { NestboxError } from '../../core/base/errors.ts';
import { MemoryDisk } from '../../core/block/memory-disk.ts';
import { checkQcow2 } from '../../core/block/qcow2/check-qcow2.ts';
import { createQcow2 } from '../../core/block/qcow2/create-qcow2.ts';
import { openQcow2 } from '../../core/block/qcow2/open-qcow2.ts';
import { MemoryHostFile } from '../../core/host/files/memory-host-file.ts';

const IMAGES = Number(process.env.NESTBOX_HOSTILE_IMAGES ?? 2000);
const LIMIT_MS = 5000;
const SIZE = 2 ** 18;

class KeptFile extends MemoryHostFile {
  override async close(): Promise<void> {
    // Looked at afterwards.
  }
}

const resolveBacking = async (): Promise<MemoryDisk> =>
  new MemoryDisk(new Uint8Array(SIZE).fill(3), { readOnly: true });

async function sample(clusterBytes: number, refcountBits: number, version: 2 | 3, zstd: boolean): Promise<Uint8Array> {
  const file = new KeptFile(new Uint8Array(0));
  await createQcow2(file, {
    sizeBytes: SIZE,
    clusterBytes,
    refcountBits,
    version,
    ...(zstd ? { compressionType: 'zstd' } : {}),
    backing: { name: 'b', format: 'raw' },
  });
  const disk = await openQcow2(file, { resolveBacking });
  for (let at = 0; at < 8; at++) await disk.writeCompressed(at * clusterBytes, new Uint8Array(clusterBytes).fill(at));
  await disk.write(SIZE / 2, new Uint8Array(20_000).fill(7));
  await disk.writeZeroes(SIZE / 4, 9000);
  await disk.close();
  return file.content();
}

/** Runs it; anything but a declared error fails the test. */
async function declared(work: () => Promise<void>, what: string): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof NestboxError) || error.kind === 'internal')
      throw new Error(`${what}: ${String(error)}`, { cause: error });
  }
}

describe('hostile qcow2 images', () => {
  it('do no harm', async () => {
    const samples = [
      await sample(512, 16, 2, false),
      await sample(1024, 64, 3, false),
      await sample(4096, 1, 3, true),
      await sample(16_384, 16, 3, false),
    ];
    let state = 20_250_101;
    const random = (below: number): number => {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      return (state >>> 0) % below;
    };
    const interesting = [
      0, 1, 2, 7, 8, 9, 0x1ff, 0x200, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0x00ff_ffff, 0xc000_0000,
    ];
    for (let index = 0; index < IMAGES; index++) {
      let bytes = (samples[index % samples.length] as Uint8Array).slice();
      const view = new DataView(bytes.buffer);
      for (let change = 1 + random(4); change > 0; change--) {
        // Header fields half of the time, else any word of the file, which is mostly tables.
        const at = random(2) === 0 ? 4 * (1 + random(29)) : 4 * random(bytes.length / 4);
        if (random(3) === 0) view.setUint32(at, interesting[random(interesting.length)] ?? 0);
        else if (random(2) === 0) view.setUint32(at, view.getUint32(at) ^ (1 << random(32)));
        else view.setUint32(at, 512 * random(bytes.length / 256));
      }
      if (random(10) === 0) bytes = bytes.slice(0, random(bytes.length));
      const began = performance.now();
      const target = new Uint8Array(SIZE);
      await declared(async () => {
        const disk = await openQcow2(new KeptFile(bytes, { readOnly: true }), { resolveBacking });
        await disk.read(0, target.subarray(0, Math.min(SIZE, disk.sizeBytes)));
      }, `reading image ${index}`);
      await declared(async () => {
        await checkQcow2(new KeptFile(bytes, { readOnly: true }));
      }, `checking image ${index}`);
      const file = new KeptFile(bytes);
      await declared(async () => {
        const disk = await openQcow2(file, { resolveBacking });
        try {
          if (disk.sizeBytes >= 32_768) await disk.write(512, new Uint8Array(30_000).fill(9));
          if (disk.sizeBytes >= SIZE) await disk.writeZeroes(SIZE / 2, 4096);
        } finally {
          await disk.close();
        }
      }, `writing image ${index}`);
      // The magic number is the first thing that a write into the header would hit.
      if (bytes.length >= 72) expect(file.content().subarray(0, 4)).toEqual(bytes.subarray(0, 4));
      await declared(async () => {
        await checkQcow2(new KeptFile(bytes), { repair: 'all' });
      }, `repairing image ${index}`);
      const tookMs = performance.now() - began;
      if (tookMs > LIMIT_MS) throw new Error(`image ${index} took ${tookMs} ms`);
    }
  });

  it.each([
    ['a size of 8 EiB', 24, [0x7fff_ffff, 0xffff_ffff], 'size'],
    ['clusters of 2 GiB', 20, [31], 'cluster_bits'],
    ['refcounts of 128 bits', 96, [7], 'refcount_order'],
    ['a header that ends in the middle', 100, [44], 'header_length'],
    ['an L1 table of 8 GiB', 36, [0x4000_0000], 'l1_size'],
    ['an L1 table beyond the end', 40, [1, 0], 'l1_table_offset'],
    ['a crooked L1 table', 40, [0, 0x3_0010], 'l1_table_offset'],
    ['a refcount table of 4 GiB', 56, [0xffff], 'refcount_table_clusters'],
    ['no refcount table', 56, [0], 'refcount_table_clusters'],
    ['a billion snapshots', 60, [1_000_000_000], 'nb_snapshots'],
    ['a long backing name', 8, [0, 200, 70_000], 'backing_file_size'],
    ['an unknown feature', 72, [0, 1 << 9], 'feature bit 9'],
    ['an unknown high feature', 72, [1 << 4, 0], 'feature bit 36'],
    ['an external data file', 72, [0, 4], 'external data file'],
    ['extended L2 entries', 72, [0, 16], 'extended L2'],
    ['encryption', 32, [2], 'LUKS'],
    ['version 4', 4, [4], 'version 4'],
  ])('are refused with the field named: %s', async (_what, at, words, field) => {
    const blank = new KeptFile(new Uint8Array(0));
    await createQcow2(blank, { sizeBytes: 2 ** 20 });
    const bytes = blank.content();
    const view = new DataView(bytes.buffer);
    for (const [index, word] of words.entries()) view.setUint32(at + index * 4, word);
    await expect(openQcow2(new KeptFile(bytes))).rejects.toThrow(field);
  });

  it('marked as damaged are only read, and those with overlapping tables too', async () => {
    const blank = new KeptFile(new Uint8Array(0));
    await createQcow2(blank, { sizeBytes: 2 ** 20 });
    const marked = blank.content();
    new DataView(marked.buffer).setUint32(76, 2);
    await expect(openQcow2(new KeptFile(marked))).rejects.toThrow('marked as damaged');
    await (await openQcow2(new KeptFile(marked, { readOnly: true }))).read(0, new Uint8Array(512));
    const overlapping = blank.content();
    const view = new DataView(overlapping.buffer);
    view.setUint32(3 * 65_536, 0x8000_0000);
    view.setUint32(3 * 65_536 + 4, 65_536);
    await expect(openQcow2(new KeptFile(overlapping))).rejects.toThrow('overlaps');
  });

  it('with data in a table stop all writing and are marked', async () => {
    const file = new KeptFile(new Uint8Array(0));
    await createQcow2(file, { sizeBytes: 2 ** 20 });
    const first = await openQcow2(file);
    await first.write(0, new Uint8Array(512).fill(1));
    await first.close();
    const bytes = file.content();
    const view = new DataView(bytes.buffer);
    const l2 = view.getUint32(3 * 65_536 + 4);
    view.setUint32(l2, 0x8000_0000);
    view.setUint32(l2 + 4, 65_536);
    const broken = new KeptFile(bytes);
    const disk = await openQcow2(broken);
    await expect(disk.write(0, new Uint8Array(512).fill(2))).rejects.toThrow('damaged');
    await expect(disk.write(2 ** 19, new Uint8Array(512).fill(2))).rejects.toThrow('damaged');
    await disk.close();
    const after = broken.content();
    expect(after[79]).toBe(2);
    after[79] = 0;
    expect(Buffer.compare(after, bytes)).toBe(0);
  });

  it.each([
    ['the header as a compressed cluster', 0x4000_0000, 0],
    ['the refcount table as a zero cluster', 0x8000_0000, 65_537],
    ['a refcount block as a shared cluster', 0, 131_072],
  ])('cannot have a table freed and punched out: %s', async (_what, high, low) => {
    const file = new KeptFile(new Uint8Array(0));
    await createQcow2(file, { sizeBytes: 2 ** 20 });
    const first = await openQcow2(file);
    await first.write(0, new Uint8Array(512).fill(1));
    await first.close();
    const bytes = file.content();
    const view = new DataView(bytes.buffer);
    const l2 = view.getUint32(3 * 65_536 + 4);
    view.setUint32(l2, high);
    view.setUint32(l2 + 4, low);
    for (const change of ['write', 'writeZeroes'] as const) {
      const broken = new KeptFile(bytes);
      const disk = await openQcow2(broken);
      const work = change === 'write' ? disk.write(0, new Uint8Array(65_536)) : disk.writeZeroes(0, 65_536);
      await expect(work).rejects.toThrow('damaged');
      await disk.close();
      const after = broken.content();
      expect(after[79]).toBe(2);
      after[79] = 0;
      // Clusters may have been reserved; the tables themselves are as they were.
      expect(Buffer.compare(after.subarray(0, 131_072), bytes.subarray(0, 131_072))).toBe(0);
      expect(broken.calls.punchHole).toBe(0);
    }
  });
});
