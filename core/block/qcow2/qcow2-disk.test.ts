import { describe, expect, it } from 'vitest';
import { MemoryHostFile } from '../../host/files/memory-host-file.ts';
import { MemoryDisk } from '../memory-disk.ts';
import { checkQcow2 } from './check-qcow2.ts';
import { createQcow2, type Qcow2CreateOptions } from './create-qcow2.ts';
import { openQcow2 } from './open-qcow2.ts';
import type { Qcow2Disk } from './qcow2-disk.ts';

/** A small generator with a fixed seed: the same run every time. */
function randomStream(seed: number): (below: number) => number {
  let state = seed >>> 0 || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

class KeptFile extends MemoryHostFile {
  override async close(): Promise<void> {
    // Stays usable for looking at what was left behind.
  }
}

async function image(options: Qcow2CreateOptions): Promise<KeptFile> {
  const file = new KeptFile(new Uint8Array(0));
  await createQcow2(file, options);
  return file;
}

async function expectClean(file: MemoryHostFile): Promise<void> {
  const report = await checkQcow2(file);
  expect(report.messages).toEqual([]);
  expect(report.corruptions + report.leaks).toBe(0);
}

const below = (bytes: number): Uint8Array =>
  Uint8Array.from({ length: bytes }, (_, at) => (at * 31 + (at >> 8)) & 0xff);

async function exercise(disk: Qcow2Disk, model: Uint8Array, steps: number, seed: number): Promise<void> {
  const random = randomStream(seed);
  for (let step = 0; step < steps; step++) {
    const offset = random(model.length / 512) * 512;
    const length = Math.min(model.length - offset, 512 * (1 + random(random(4) === 0 ? 300 : 12)));
    switch (random(8)) {
      case 0:
        await disk.writeZeroes(offset, length);
        model.fill(0, offset, offset + length);
        break;
      case 1:
        await disk.flush();
        break;
      case 2: {
        const target = new Uint8Array(length);
        await disk.read(offset, target);
        expect(Buffer.compare(target, model.subarray(offset, offset + length))).toBe(0);
        break;
      }
      default: {
        const data = new Uint8Array(length).fill(1 + random(255));
        await disk.write(offset, data);
        model.set(data, offset);
      }
    }
  }
  const all = new Uint8Array(model.length);
  await disk.read(0, all);
  expect(Buffer.compare(all, model)).toBe(0);
}

const CASES: readonly (Omit<Qcow2CreateOptions, 'sizeBytes'> & { withBacking?: boolean })[] = [
  { clusterBytes: 512, refcountBits: 1 },
  { clusterBytes: 512, refcountBits: 64 },
  { clusterBytes: 512, version: 2 },
  { clusterBytes: 1024, refcountBits: 2, withBacking: true },
  { clusterBytes: 4096, refcountBits: 4 },
  { clusterBytes: 4096, version: 2, withBacking: true },
  { clusterBytes: 16384, refcountBits: 8, withBacking: true },
  { refcountBits: 32, lazyRefcounts: true },
  { withBacking: true },
  { clusterBytes: 2 ** 21, withBacking: true },
];

describe('Qcow2Disk', () => {
  it.each(CASES)('holds what was written: %o', async ({ withBacking, ...options }) => {
    const sizeBytes = 2 ** 20 + 512;
    const file = await image({
      ...options,
      sizeBytes,
      ...(withBacking ? { backing: { name: 'base.img', format: 'raw' } } : {}),
    });
    const base = below(700 * 512);
    const resolveBacking = async (): Promise<MemoryDisk> => new MemoryDisk(base.slice(), { readOnly: true });
    const model = new Uint8Array(sizeBytes);
    if (withBacking) model.set(base);
    for (let round = 0; round < 2; round++) {
      const disk = await openQcow2(file, { resolveBacking });
      await exercise(disk, model, 120, 77 + round);
      await disk.close();
      await expectClean(file);
    }
    const disk = await openQcow2(file, { resolveBacking });
    await disk.writeZeroes(0, sizeBytes);
    await disk.close();
    await expectClean(file);
    const again = await openQcow2(file, { resolveBacking, readOnly: true });
    const all = new Uint8Array(sizeBytes).fill(1);
    await again.read(0, all);
    expect(all.every((byte) => byte === 0)).toBe(true);
    await expect(again.write(0, new Uint8Array(512))).rejects.toMatchObject({ kind: 'permission' });
  });

  it('keeps order among requests that run at once', async () => {
    const file = await image({ sizeBytes: 2 ** 20, clusterBytes: 4096 });
    const disk = await openQcow2(file);
    const work: Promise<void>[] = [];
    for (let at = 0; at < 2 ** 20; at += 1024)
      work.push(disk.write(at, new Uint8Array(1024).fill(1 + ((at >> 10) % 250))));
    await Promise.all(work);
    const all = new Uint8Array(2 ** 20);
    await disk.read(0, all);
    expect(all.every((byte, at) => byte === 1 + ((at >> 10) % 250))).toBe(true);
    await disk.close();
    await expectClean(file);
  });

  it('grows and shrinks, and never shows what a longer backing file holds', async () => {
    const base = below(2 ** 20);
    const file = await image({ sizeBytes: 300 * 512, clusterBytes: 1024, backing: { name: 'b', format: 'raw' } });
    const resolveBacking = async (): Promise<MemoryDisk> => new MemoryDisk(base.slice(), { readOnly: true });
    const disk = await openQcow2(file, { resolveBacking });
    await disk.resize(2 ** 22);
    expect(disk.sizeBytes).toBe(2 ** 22);
    const all = new Uint8Array(2 ** 22);
    await disk.read(0, all);
    expect(Buffer.compare(all.subarray(0, 300 * 512), base.subarray(0, 300 * 512))).toBe(0);
    expect(all.subarray(300 * 512).every((byte) => byte === 0)).toBe(true);
    await disk.write(2 ** 22 - 512, new Uint8Array(512).fill(7));
    await disk.resize(101 * 512);
    await disk.resize(2 ** 20);
    await disk.read(0, all.subarray(0, 2 ** 20));
    expect(all.subarray(101 * 512, 2 ** 20).every((byte) => byte === 0)).toBe(true);
    expect(Buffer.compare(all.subarray(0, 101 * 512), base.subarray(0, 101 * 512))).toBe(0);
    await disk.close();
    await expectClean(file);
  });

  it('gives freed space back to the host and uses it again', async () => {
    const file = await image({ sizeBytes: 2 ** 22, clusterBytes: 4096 });
    const disk = await openQcow2(file);
    await disk.write(0, new Uint8Array(2 ** 20).fill(1));
    await disk.flush();
    await disk.discard(0, 2 ** 20);
    expect(file.calls.punchHole).toBe(0);
    await disk.flush();
    expect(file.calls.punchHole).toBeGreaterThan(0);
    const size = file.identity().sizeBytes;
    await disk.write(2 ** 20, new Uint8Array(2 ** 20).fill(2));
    await disk.close();
    expect(file.identity().sizeBytes).toBeLessThanOrEqual(size);
    await expectClean(file);
  });

  it('loses nothing when the host has no space, at every step', async () => {
    for (let failAt = 1; failAt < 40; failAt++) {
      const file = await image({ sizeBytes: 2 ** 20, clusterBytes: 512, refcountBits: 64 });
      const disk = await openQcow2(file);
      await disk.write(0, new Uint8Array(4096).fill(9));
      await disk.flush();
      let calls = 0;
      file.onCall = (point) => {
        if ((point === 'write' || point === 'truncate') && ++calls >= failAt)
          throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
      };
      let failed = false;
      await disk.write(2048, new Uint8Array(200 * 1024).fill(5)).catch(() => (failed = true));
      file.onCall = undefined;
      if (failed) {
        await disk.write(2048, new Uint8Array(200 * 1024).fill(5));
      }
      const all = new Uint8Array(256 * 1024);
      await disk.read(0, all);
      expect(all.every((byte, at) => byte === (at < 2048 ? 9 : at < 2048 + 200 * 1024 ? 5 : 0))).toBe(true);
      await disk.close();
      expect((await checkQcow2(file)).corruptions).toBe(0);
    }
  });

  it('fails every flush after one that failed', async () => {
    const file = await image({ sizeBytes: 2 ** 20 });
    const disk = await openQcow2(file);
    await disk.write(0, new Uint8Array(512).fill(1));
    file.onCall = (point) => {
      if (point === 'flush') throw new Error('fsync failed');
    };
    await expect(disk.flush()).rejects.toThrow('fsync failed');
    file.onCall = undefined;
    await expect(disk.flush()).rejects.toMatchObject({ kind: 'io' });
  });
});
