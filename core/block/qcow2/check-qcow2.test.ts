import { describe, expect, it } from 'vitest';
import { MemoryHostFile } from '../../host/files/memory-host-file.ts';
import { type CheckOptions, checkQcow2 } from './check-qcow2.ts';
import { createQcow2 } from './create-qcow2.ts';
import * as Q from './layout.ts';
import { openQcow2 } from './open-qcow2.ts';

class KeptFile extends MemoryHostFile {
  override async close(): Promise<void> {
    // Looked at afterwards.
  }
}

const SIZE = 2 ** 21;
const CLUSTER = 512;

/** An image with many tables. @param wrong what is wrong with its refcounts */
async function image(wrong: 'nothing' | 'leaks' | 'damage'): Promise<Uint8Array> {
  const file = new KeptFile(new Uint8Array(0));
  await createQcow2(file, { sizeBytes: SIZE, clusterBytes: CLUSTER });
  const disk = await openQcow2(file, { durable: false });
  await disk.write(0, new Uint8Array(SIZE).fill(7));
  await disk.close();
  const bytes = file.content();
  const view = new DataView(bytes.buffer);
  const table = view.getUint32(Q.FIELD.refcountTableOffset + 4);
  const blocks: number[] = [];
  for (let at = table; view.getUint32(at + 4) !== 0 && blocks.length < 16; at += 8) blocks.push(view.getUint32(at + 4));
  expect(blocks).toHaveLength(16);
  if (wrong === 'leaks') for (const block of blocks) view.setUint16(block + 200, 3);
  if (wrong === 'damage') for (const block of blocks) view.setUint16(block + 200, 0);
  return bytes;
}

/** Checks, and cancels at that call of `onProgress`. */
async function checkUntil(bytes: Uint8Array, call: number, repair?: CheckOptions['repair']): Promise<{ calls: number[]; total: number; content: Uint8Array; error?: unknown }> {
  const file = new KeptFile(bytes);
  const abort = new AbortController();
  const calls: number[] = [];
  let total = 0;
  const onProgress = (done: number, all: number): void => {
    calls.push(done);
    total = all;
    if (calls.length === call) abort.abort();
  };
  try {
    await checkQcow2(file, { repair, onProgress, signal: abort.signal });
    return { calls, total, content: file.content() };
  } catch (error) {
    return { calls, total, content: file.content(), error };
  }
}

describe('checking an image', () => {
  it.each([
    ['nothing', undefined],
    ['nothing', 'all'],
    ['damage', undefined],
    ['leaks', 'leaks'],
    ['damage', 'all'],
  ] as const)('says how far it is: %s wrong, repair %s', async (wrong, repair) => {
    const { calls, total } = await checkUntil(await image(wrong), Infinity, repair);
    expect(calls.length).toBeGreaterThan(50);
    expect(calls).toEqual([...new Set(calls)].sort((a, b) => a - b));
    expect(calls[0]).toBe(0);
    expect(calls.at(-1)).toBe(total);
  });

  it('can be cancelled by somebody who waits for his turn, and the thread is given up for him', async () => {
    const abort = new AbortController();
    setTimeout(() => abort.abort(), 0);
    let calls = 0;
    // As with a file that the host has in memory: no read takes a turn of the event loop.
    const work = checkQcow2(new KeptFile(await image('nothing')), { signal: abort.signal, onProgress: () => calls++ });
    await expect(work).rejects.toMatchObject({ kind: 'cancelled' });
    expect(calls).toBeLessThan(100);
  });

  it.each([
    ['leaks', 'leaks'],
    ['damage', 'all'],
  ] as const)('cut off while it repairs makes nothing worse: %s', async (wrong, repair) => {
    const bytes = await image(wrong);
    const before = await checkQcow2(new KeptFile(bytes, { readOnly: true }));
    expect(before.corruptions + before.leaks).toBeGreaterThanOrEqual(16);
    const { calls: all } = await checkUntil(bytes, Infinity, repair);
    for (let call = 1; call <= all.length; call += 13) {
      const { calls, content, error } = await checkUntil(bytes, call, repair);
      if (call < all.length) expect(error).toMatchObject({ kind: 'cancelled' });
      // The end of a check is said without a table before it.
      expect(calls.length).toBeLessThanOrEqual(call + 1);
      const after = await checkQcow2(new KeptFile(content, { readOnly: true }));
      expect(after.corruptions).toBeLessThanOrEqual(before.corruptions);
      const disk = await openQcow2(new KeptFile(content, { readOnly: true }));
      const data = new Uint8Array(SIZE);
      await disk.read(0, data);
      expect(Buffer.compare(data, new Uint8Array(SIZE).fill(7))).toBe(0);
      // And it can be done again.
      const again = await checkQcow2(new KeptFile(content), { repair });
      expect(again.corruptions + again.leaks).toBe(0);
    }
  });
});
