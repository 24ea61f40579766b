import { describe, expect, it } from 'vitest';
import { NestboxError } from '../base/errors.ts';
import { MemoryDisk } from './memory-disk.ts';
import { SpaceWait, waitingForSpace } from './space-wait.ts';

class FullDisk extends MemoryDisk {
  isFull = true;
  tries = 0;
  override async write(offset: number, source: Uint8Array): Promise<void> {
    this.tries++;
    if (this.isFull) throw new NestboxError('no-space', 'a.img: no space left on the disk');
    await super.write(offset, source);
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('writes to a full disk', () => {
  it('wait, are told once, and end when there is space', async () => {
    const wait = new SpaceWait(1);
    const told: string[] = [];
    wait.onFull = (error) => told.push(error.message);
    wait.onSpace = () => told.push('space');
    const inner = new FullDisk(4096);
    const disk = waitingForSpace(inner, wait);
    const writes = [disk.write(0, Uint8Array.of(1)), disk.write(1, Uint8Array.of(2))];
    while (inner.tries < 8) await turn();
    await disk.read(0, new Uint8Array(1));
    expect(told).toEqual(['a.img: no space left on the disk']);
    inner.isFull = false;
    await Promise.all(writes);
    expect(told).toEqual(['a.img: no space left on the disk', 'space']);
    expect([...inner.data.subarray(0, 2)]).toEqual([1, 2]);
    expect(wait.full).toBeUndefined();
  });

  it('are told again when the user goes on too early', async () => {
    const wait = new SpaceWait(1_000_000);
    let told = 0;
    wait.onFull = () => told++;
    const inner = new FullDisk(4096);
    const write = waitingForSpace(inner, wait).write(0, Uint8Array.of(1));
    await turn();
    wait.retryLoudly();
    while (inner.tries < 2) await turn();
    await turn();
    expect(told).toBe(2);
    inner.isFull = false;
    wait.retryLoudly();
    await write;
  });

  it('fail when the machine ends, and other failures fail at once', async () => {
    const wait = new SpaceWait(1_000_000);
    const inner = new FullDisk(4096);
    const disk = waitingForSpace(inner, wait);
    const write = disk.write(0, Uint8Array.of(1));
    await turn();
    wait.close();
    await expect(write).rejects.toMatchObject({ kind: 'no-space' });
    await expect(disk.write(0, Uint8Array.of(1))).rejects.toMatchObject({ kind: 'no-space' });
    const broken = waitingForSpace(
      Object.assign(new MemoryDisk(10), { flush: () => Promise.reject(new NestboxError('io', 'broken')) }),
      new SpaceWait(),
    );
    await expect(broken.flush()).rejects.toMatchObject({ kind: 'io' });
  });
});
