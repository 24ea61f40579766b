import { describe, expect, it } from 'vitest';
import { BOX_CHARACTERS } from './box-glyphs.ts';
import { cp437Font8x14, cp437Font8x16, cp437Font8x8 } from './cp437-font.ts';
import { CP437_TO_UNICODE, cp437CodeOf } from './cp437-unicode.ts';

const FONTS = [
  { height: 16, font: cp437Font8x16() },
  { height: 14, font: cp437Font8x14() },
  { height: 8, font: cp437Font8x8() },
];

function glyph(font: Uint8Array, height: number, character: string): Uint8Array {
  const code = cp437CodeOf(character) ?? -1;
  return font.subarray(code * height, (code + 1) * height);
}

describe('code page 437', () => {
  it('has 256 single characters and finds codes', () => {
    expect(CP437_TO_UNICODE).toHaveLength(256);
    expect(cp437CodeOf('A')).toBe(0x41);
    expect(cp437CodeOf('é')).toBe(0x82);
    expect(cp437CodeOf('╔')).toBe(0xc9);
    expect(cp437CodeOf(' ')).toBe(0x20);
    expect(cp437CodeOf('€')).toBeUndefined();
    expect(new Set(CP437_TO_UNICODE).size).toBe(254); // three blanks
  });
});

describe.each(FONTS)('font 8x$height', ({ height, font }) => {
  it('has the ROM size and draws every character except the three blanks', () => {
    expect(font).toHaveLength(256 * height);
    const blanks: number[] = [];
    for (let code = 0; code < 256; code++) {
      if (font.subarray(code * height, (code + 1) * height).every((row) => row === 0)) blanks.push(code);
    }
    expect(blanks).toEqual([0x00, 0x20, 0xff]);
  });

  it('gives every character its own shape', () => {
    const shapes = new Map<string, string>();
    const doubles: string[] = [];
    for (let code = 1; code < 255; code++) {
      if (code === 0x20) continue;
      const key = font.subarray(code * height, (code + 1) * height).join();
      const other = shapes.get(key);
      if (other !== undefined) doubles.push(other + CP437_TO_UNICODE.charAt(code));
      shapes.set(key, CP437_TO_UNICODE.charAt(code));
    }
    expect(doubles).toEqual([]);
  });

  it('joins box lines at the edges of cells', () => {
    const edge = (character: string) => {
      const rows = glyph(font, height, character);
      return {
        top: rows[0] ?? 0,
        bottom: rows[height - 1] ?? 0,
        left: [...rows].map((row, y) => (row & 0x80 ? y : -1)).filter((y) => y >= 0).join(),
        right: [...rows].map((row, y) => (row & 0x01 ? y : -1)).filter((y) => y >= 0).join(),
      };
    };
    const single = edge('┼');
    const double = edge('╬');
    expect(single.top).toBe(0x18);
    expect(double.top).toBe(0x66);
    for (const character of BOX_CHARACTERS) {
      const { top, bottom, left, right } = edge(character);
      expect([0, single.top, double.top]).toContain(top);
      expect([0, single.top, double.top]).toContain(bottom);
      expect(['', single.left, double.left]).toContain(left);
      expect(['', single.right, double.right]).toContain(right);
    }
  });

  it('fills blocks exactly', () => {
    expect(glyph(font, height, '█').every((row) => row === 0xff)).toBe(true);
    const upper = glyph(font, height, '▀');
    const lower = glyph(font, height, '▄');
    upper.forEach((row, y) => expect(row ^ (lower[y] ?? 0)).toBe(0xff));
  });

  it('keeps letters off the right edge so that nine-dot cells and eight-dot cells both separate them', () => {
    for (const character of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789éäÅÇ') {
      for (const row of glyph(font, height, character)) expect(row & 0x01, character).toBe(0);
    }
  });
});

it('accented letters keep their base letter below the accent', () => {
  const font = cp437Font8x16();
  expect([...glyph(font, 16, 'é').subarray(5)]).toEqual([...glyph(font, 16, 'e').subarray(5)]);
  expect(glyph(font, 16, 'é').subarray(0, 5).some((row) => row !== 0)).toBe(true);
  expect(glyph(font, 16, 'ç')[13]).not.toBe(0);
});

it('hands out copies', () => {
  cp437Font8x8().fill(0xff);
  expect(cp437Font8x8()[0x20 * 8]).toBe(0);
});
