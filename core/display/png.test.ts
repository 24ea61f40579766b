import { inflateSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { encodePng } from './png.ts';

it('writes signature, header and rows that decode to the same colours', () => {
  const pixels = new Uint8Array([10, 20, 30, 255, 9, 250, 31, 255, 0, 0, 0, 255, 255, 255, 255, 255]);
  const png = encodePng({ width: 2, height: 2, pixels });
  expect(png.subarray(0, 8).toString('latin1')).toBe('\x89PNG\r\n\x1a\n');
  expect(png.subarray(12, 16).toString('latin1')).toBe('IHDR');
  expect([png.readUInt32BE(16), png.readUInt32BE(20), png[24], png[25]]).toEqual([2, 2, 8, 2]);
  expect(png.readUInt32BE(29)).toBe(0xfdd49a73); // CRC of this very header, computed with an independent tool
  const length = png.readUInt32BE(33);
  const raw = inflateSync(png.subarray(41, 41 + length));
  const decoded: number[] = [];
  for (let y = 0; y < 2; y++) {
    expect(raw[y * 7]).toBe(1);
    for (let i = 0; i < 6; i++) decoded.push(((raw[y * 7 + 1 + i] ?? 0) + (i >= 3 ? (decoded[y * 6 + i - 3] ?? 0) : 0)) & 0xff);
  }
  expect(decoded).toEqual([10, 20, 30, 9, 250, 31, 0, 0, 0, 255, 255, 255]);
  expect(png.subarray(-8, -4).toString('latin1')).toBe('IEND');
});
