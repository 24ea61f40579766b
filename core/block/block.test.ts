import { describe, expect, it } from 'vitest';
import { MemoryHostFile } from '../host/files/memory-host-file.ts';
import { RawDisk } from './raw-disk.ts';
import { ReadOnlyDisk } from './read-only-disk.ts';
import { SnapshotOverlay } from './snapshot-overlay.ts';

const pattern = (length: number, seed = 1): Uint8Array =>
  Uint8Array.from({ length }, (_, index) => (index * 7 + seed) & 0xff);

describe('RawDisk', () => {
  it('reads, writes and pads the last sector', async () => {
    const file = new MemoryHostFile(pattern(1000));
    const disk = new RawDisk(file, 1024);
    const target = new Uint8Array(1024).fill(0x55);
    await disk.read(0, target);
    expect(target.subarray(0, 1000)).toEqual(pattern(1000));
    expect([...target.subarray(1000)].every((byte) => byte === 0)).toBe(true);
    await disk.write(512, pattern(512, 9));
    expect(file.content().length).toBe(1024);
    await disk.read(512, target.subarray(0, 512));
    expect(target.subarray(0, 512)).toEqual(pattern(512, 9));
  });

  it('refuses ranges outside the medium', async () => {
    const disk = new RawDisk(new MemoryHostFile(pattern(1024)), 1024);
    await expect(disk.read(1000, new Uint8Array(25))).rejects.toMatchObject({ kind: 'internal' });
    await expect(disk.write(-1, new Uint8Array(1))).rejects.toMatchObject({ kind: 'internal' });
    await expect(disk.writeZeroes(0, 1025)).rejects.toMatchObject({ kind: 'internal' });
  });

  it.each(['shrink', 'grow'])('reports a file that somebody else makes %s', async (how) => {
    const file = new MemoryHostFile(pattern(4096));
    const disk = new RawDisk(file, 4096);
    await file.truncate(how === 'shrink' ? 2048 : 8192);
    const message = { kind: 'bad-input', message: expect.stringContaining('changed size while open') as string };
    await expect(disk.read(0, new Uint8Array(512))).rejects.toMatchObject(message);
    await expect(disk.write(0, new Uint8Array(512))).rejects.toMatchObject(message);
    await expect(disk.flush()).rejects.toMatchObject(message);
    expect(file.content().length).toBe(how === 'shrink' ? 2048 : 8192);
  });

  it('writes zeroes with and without holes', async () => {
    for (const holes of [true, false]) {
      const file = new MemoryHostFile(new Uint8Array(1 << 20).fill(0xee));
      file.holesSupported = holes;
      const disk = new RawDisk(file, 1 << 20);
      await disk.writeZeroes(512, (1 << 20) - 1024);
      const content = file.content();
      expect(content[511]).toBe(0xee);
      expect(content.subarray(512, (1 << 20) - 512).every((byte) => byte === 0)).toBe(true);
      expect(content[(1 << 20) - 512]).toBe(0xee);
      await disk.discard(0, 1 << 20);
      expect(file.calls.write === 0).toBe(holes);
    }
  });

  it('keeps working after a failed write that lengthened the file', async () => {
    const file = new MemoryHostFile(pattern(512));
    const disk = new RawDisk(file, 4096);
    file.onCall = (point) => {
      if (point !== 'write') return;
      file.onCall = undefined;
      void file.truncate(1024);
      throw new Error('disk full');
    };
    await expect(disk.write(512, new Uint8Array(1024))).rejects.toThrow('disk full');
    await disk.write(512, pattern(1024, 3));
    const target = new Uint8Array(1024);
    await disk.read(512, target);
    expect(target).toEqual(pattern(1024, 3));
  });

  it('flushes before it closes and closes even when flushing fails', async () => {
    const file = new MemoryHostFile(pattern(512));
    const disk = new RawDisk(file, 512);
    file.onCall = (point) => {
      if (point === 'flush') throw new Error('flush failed');
    };
    await expect(disk.close()).rejects.toThrow('flush failed');
    expect(file.isClosed).toBe(true);
  });
});

describe('ReadOnlyDisk', () => {
  it('passes reads and refuses writes', async () => {
    const file = new MemoryHostFile(pattern(512));
    const disk = new ReadOnlyDisk(new RawDisk(file, 512));
    const target = new Uint8Array(4);
    await disk.read(0, target);
    expect(target).toEqual(pattern(4));
    await expect(disk.write()).rejects.toMatchObject({ kind: 'permission' });
    await expect(disk.writeZeroes()).rejects.toMatchObject({ kind: 'permission' });
    expect(file.content()).toEqual(pattern(512));
  });
});

describe('SnapshotOverlay', () => {
  const SIZE = 5 * 16384 + 512;

  it.each([64 * 1024 * 1024, 16384, 0])(
    'behaves as a plain array under random work, %i bytes in memory',
    async (memoryLimitBytes) => {
      const original = pattern(SIZE);
      const file = new MemoryHostFile(original, { readOnly: true });
      const scratch: MemoryHostFile[] = [];
      const overlay = new SnapshotOverlay(new RawDisk(file, SIZE), {
        memoryLimitBytes,
        createFile: async () => {
          const made = new MemoryHostFile(new Uint8Array(0));
          scratch.push(made);
          return made;
        },
      });
      const model = original.slice();
      let random = 12345;
      const next = (limit: number): number => {
        random = (Math.imul(random, 1103515245) + 12345) >>> 0;
        return Math.floor((random / 2 ** 32) * limit);
      };
      for (let step = 0; step < 400; step++) {
        const offset = next(SIZE);
        const length = Math.min(SIZE - offset, next(3) === 0 ? next(40000) : next(600));
        const action = next(4);
        if (action === 0) {
          const data = pattern(length, step);
          await overlay.write(offset, data);
          model.set(data, offset);
        } else if (action === 1) {
          await overlay.writeZeroes(offset, length);
          model.fill(0, offset, offset + length);
        } else {
          const target = new Uint8Array(length);
          await overlay.read(offset, target);
          expect(target).toEqual(model.subarray(offset, offset + length));
        }
      }
      expect(file.calls.write).toBe(0);
      expect(scratch.length).toBe(memoryLimitBytes > SIZE ? 0 : 1);
      await overlay.close();
      expect(file.content()).toEqual(original);
      expect(file.isClosed && scratch.every((made) => made.isClosed)).toBe(true);
    },
  );

  it('keeps writes in the order given when they overlap in time', async () => {
    const overlay = new SnapshotOverlay(new RawDisk(new MemoryHostFile(new Uint8Array(32768)), 32768));
    await Promise.all([
      overlay.write(0, pattern(20000, 1)),
      overlay.write(100, pattern(20000, 2)),
      overlay.writeZeroes(50, 100),
    ]);
    const target = new Uint8Array(20100);
    await overlay.read(0, target);
    const model = new Uint8Array(20100);
    model.set(pattern(20000, 1));
    model.set(pattern(20000, 2), 100);
    model.fill(0, 50, 150);
    expect(target).toEqual(model);
  });

  it('a failed write leaves the old content and the next one works', async () => {
    let fail = true;
    const overlay = new SnapshotOverlay(new RawDisk(new MemoryHostFile(pattern(16384)), 16384), {
      memoryLimitBytes: 0,
      createFile: async () => {
        if (fail) throw new Error('no space');
        return new MemoryHostFile(new Uint8Array(0));
      },
    });
    await expect(overlay.write(0, new Uint8Array(512))).rejects.toThrow('no space');
    const target = new Uint8Array(16384);
    await overlay.read(0, target);
    expect(target).toEqual(pattern(16384));
    fail = false;
    await overlay.write(0, new Uint8Array(512));
    await overlay.read(0, target);
    expect(target.subarray(0, 512)).toEqual(new Uint8Array(512));
    expect(target.subarray(512)).toEqual(pattern(16384).subarray(512));
  });
});
