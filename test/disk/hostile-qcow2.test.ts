// qcow2 images with wrong fields: opened, read, checked, repaired and written to with declared errors only, in bounded
// time, and never a write into the image's own tables.

import { describe, expect, it } from 'vitest';
import { createQcow2 } from '../../core/block/qcow2/create-qcow2.ts';
import { openQcow2 } from '../../core/block/qcow2/open-qcow2.ts';
import { fuzzQcow2, KeptFile } from './hostile-qcow2-fuzz.ts';

describe('hostile qcow2 images', () => {
  it('do no harm', () => fuzzQcow2(2000, 20_250_101));

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
