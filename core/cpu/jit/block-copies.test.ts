import { describe, expect, it } from 'vitest';
import { BlockCopies } from './block-copies.ts';

describe('copies of blocks', () => {
  it('keep what the memory held, share a buffer, and go on after it was transferred', () => {
    const memory = new Uint8Array(1024).map((_, i) => i);
    const copies = new BlockCopies(memory);
    const first = copies.take(10, 4);
    const second = copies.take(20, 3);
    memory.fill(0xff, 0, 30);
    expect([...first]).toEqual([10, 11, 12, 13]);
    expect([...second]).toEqual([20, 21, 22]);
    expect(second.buffer).toBe(first.buffer);
    const sent = structuredClone([first, second], { transfer: [first.buffer as ArrayBuffer] });
    expect([...(sent[0] as Uint8Array)]).toEqual([10, 11, 12, 13]);
    expect([...copies.take(40, 2)]).toEqual([40, 41]);
  });

  it('take another buffer when one is full', () => {
    const copies = new BlockCopies(new Uint8Array(1 << 18).fill(7));
    const large = copies.take(0, 200_000);
    const next = copies.take(0, 100_000);
    expect(next.buffer).not.toBe(large.buffer);
    expect([large.length, next.length, next[99_999]]).toEqual([200_000, 100_000, 7]);
  });
});
