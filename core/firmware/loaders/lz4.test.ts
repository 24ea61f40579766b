import { describe, expect, it } from 'vitest';
import { ByteWriter } from '../byte-writer.ts';
import { unpackLz4Legacy } from './lz4.ts';

const stream = (...blocks: number[][]): Uint8Array => {
  const out = new ByteWriter().u32(0x184c2102);
  for (const block of blocks) out.u32(block.length).bytes(block);
  return out.toBytes();
};
const text = (bytes: Uint8Array): string => String.fromCharCode(...bytes);
const A = 0x61;

describe('LZ4 legacy', () => {
  it('unpacks literals, matches that overlap, long lengths and several blocks', () => {
    // "abc" + match of 9 at distance 3, then the last literals "xyzzy".
    const block = [0x35, A, A + 1, A + 2, 3, 0, 0x50, 0x78, 0x79, 0x7a, 0x7a, 0x79];
    expect(text(unpackLz4Legacy(stream(block), 100))).toBe('abcabcabcabcxyzzy');
    expect(text(unpackLz4Legacy(stream(block, [0x10, A]), 100))).toBe('abcabcabcabcxyzzya');
    const long = unpackLz4Legacy(stream([0x1f, A, 1, 0, 255, 6, 0x00]), 1000);
    expect(long.length).toBe(1 + 4 + 15 + 255 + 6);
    expect(long.every((byte) => byte === A)).toBe(true);
  });

  it('refuses damage instead of reading or writing elsewhere', () => {
    const bad = [
      stream([0x35, A, A + 1, A + 2, 4, 0, 0x00]), // distance before the start
      stream([0x35, A, A + 1, A + 2, 0, 0, 0x00]), // distance 0
      stream([0xf0]), // length runs out
      stream([0x50, A]), // literals run out
      stream([0x11, A, 1]), // half a distance
      Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8),
      stream([0x10, A]).subarray(0, 9),
    ];
    for (const packed of bad) expect(() => unpackLz4Legacy(packed, 100)).toThrow('damaged');
    expect(() => unpackLz4Legacy(stream([0x1f, A, 1, 0, 255, 6, 0x00]), 100)).toThrow('damaged');
  });
});
