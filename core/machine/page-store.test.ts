import { describe, expect, it } from 'vitest';
import { checkPages, packPages, unpackPages } from './page-store.ts';

describe('page store', () => {
  it('keeps only pages with content and restores all of memory', () => {
    const memory = new Uint8Array(16 * 4096);
    memory[5 * 4096 + 17] = 9;
    memory[15 * 4096 + 4095] = 1;
    const packed = packPages(memory);
    expect(packed.length).toBe(2 * 4100);
    const other = new Uint8Array(16 * 4096).fill(0xee);
    checkPages(packed, other.length, 'RAM');
    unpackPages(packed, other);
    expect(other).toEqual(memory);
  });

  it('refuses what is cut off, out of order or outside', () => {
    const memory = new Uint8Array(4 * 4096).fill(1);
    const packed = packPages(memory);
    expect(() => checkPages(packed.subarray(0, 100), memory.length, 'RAM')).toThrow(/cut off/);
    expect(() => checkPages(packed, 3 * 4096, 'RAM')).toThrow(/page 3/);
    const swapped = new Uint8Array(packed);
    swapped[0] = 2;
    expect(() => checkPages(swapped, memory.length, 'RAM')).toThrow(/out of order/);
  });
});
