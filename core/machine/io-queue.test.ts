import { describe, expect, it } from 'vitest';
import { NestboxError } from '../base/errors.ts';
import { IoQueue } from './io-queue.ts';

function later<T>(value: T, ms: number): Promise<T> {
  return new Promise((resolve) => {
    setTimeout(() => resolve(value), ms);
  });
}

describe('IoQueue with the host clock', () => {
  it('delivers only when asked, after the host work is done, and not what was cancelled', async () => {
    let woken = 0;
    const io = new IoQueue({ nowNs: () => 0, deterministic: false, wake: () => woken++ });
    const done: number[] = [];
    io.submit(() => later(1, 1), (value) => done.push(value), () => done.push(-1), 1000);
    io.submit(() => later(2, 1), (value) => done.push(value), () => done.push(-1), 1000).cancel();
    io.submit(() => Promise.reject(new Error('disk')), () => done.push(0), () => done.push(-3), 1000);
    expect(io.deliverReady()).toBe(0);
    await later(0, 30);
    expect(done).toEqual([]);
    expect(woken).toBe(3);
    io.deliverReady();
    expect(done).toEqual([-3, 1]);
    expect(io.hasOutstanding).toBe(false);
  });

  it('drains everything that is under way', async () => {
    const io = new IoQueue({ nowNs: () => 0, deterministic: false, wake: () => undefined });
    const done: number[] = [];
    for (const value of [1, 2, 3]) io.submit(() => later(value, 4 - value), () => done.push(value), () => undefined, 0);
    await io.drain();
    expect(done).toEqual([1, 2, 3]);
    expect(io.deliverReady()).toBe(0);
  });
});

describe('IoQueue with the instruction clock', () => {
  it('completes in order of virtual time whatever order the host finishes in', async () => {
    let now = 100;
    const io = new IoQueue({ nowNs: () => now, deterministic: true, wake: () => undefined });
    const done: string[] = [];
    io.submit(() => later('slow', 20), (value) => done.push(value), () => undefined, 10);
    io.submit(() => 'fast', (value) => done.push(value), () => undefined, 20);
    expect(io.nextDueNs()).toBe(110);
    now = 109;
    await io.deliverDue(now);
    expect(done).toEqual([]);
    now = 120;
    await io.deliverDue(now);
    expect(done).toEqual(['slow', 'fast']);
  });
});

describe('host work that cannot end for now', () => {
  it('does not keep the machine from stopping, and fails whoever waits for all of it', async () => {
    const queue = new IoQueue({ nowNs: () => 0, deterministic: true, wake: () => undefined });
    let end = (): void => undefined;
    let done = 0;
    queue.submit(() => new Promise<void>((resolve) => (end = resolve)), () => done++, () => undefined, 0);
    const delivered = queue.deliverDue(10);
    queue.interrupt();
    expect(await delivered).toBe(false);
    const drained = queue.drain();
    queue.block(new NestboxError('no-space', 'full'));
    await expect(drained).rejects.toThrow('full');
    await expect(queue.drain()).rejects.toThrow('full');
    queue.unblock();
    end();
    await queue.drain();
    expect(done).toBe(1);
  });
});
