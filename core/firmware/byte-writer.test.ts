import { describe, expect, it } from 'vitest';
import { ByteWriter, checksumByte, utf8 } from './byte-writer.ts';

describe('ByteWriter', () => {
  it('keeps values that straddle its growth', () => {
    for (const lead of [253, 254, 255, 256, 509]) {
      const out = new ByteWriter().zeroes(lead).u8(1).u16(0x0302).u32(0x07060504).u64(0x0f0e0d0c0b0a0908n).u64(5);
      expect([...out.toBytes().subarray(lead)]).toEqual([
        1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 5, 0, 0, 0, 0, 0, 0, 0,
      ]);
    }
  });

  it('fills text fields exactly', () => {
    expect([...new ByteWriter().text('ab', 4, 0x20).text('abcdef', 3).align(8).toBytes()]).toEqual([
      97, 98, 32, 32, 97, 98, 99, 0,
    ]);
    expect([...utf8('aé€😀')]).toEqual([0x61, 0xc3, 0xa9, 0xe2, 0x82, 0xac, 0xf0, 0x9f, 0x98, 0x80]);
    expect(checksumByte(Uint8Array.of(0xff, 2))).toBe(0xff);
  });
});
