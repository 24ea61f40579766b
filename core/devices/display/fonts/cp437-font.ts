// Our own code page 437 fonts in the three ROM sizes. The 8x16 and 8x8 shapes are drawn in the glyph tables, 8x14 is the
// 8x16 cell without its first and last row; boxes, blocks and accents are drawn by rule for each size.

import { ACCENTED, composeAccent, composeCedilla, type Rows } from './accents.ts';
import { BOX_CHARACTERS, drawBlock, drawBox } from './box-glyphs.ts';
import { CP437_TO_UNICODE, cp437CodeOf } from './cp437-unicode.ts';
import { LETTER_GLYPHS } from './letter-glyphs.ts';
import { SYMBOL_GLYPHS } from './symbol-glyphs.ts';

type FontHeight = 8 | 14 | 16;

/** Reads "first-row byte byte ..." into the rows of a cell. */
function placeRows(text: string, height: number): Rows {
  const [first = '0', ...bytes] = text.trim().split(/\s+/);
  const rows = new Array<number>(height).fill(0);
  bytes.forEach((byte, index) => (rows[Number(first) + index] = parseInt(byte, 16)));
  return rows;
}

/** The drawn glyphs of one size by character. */
function drawnGlyphs(height: FontHeight): Map<string, Rows> {
  const glyphs = new Map<string, Rows>();
  for (const line of (LETTER_GLYPHS + SYMBOL_GLYPHS).split('\n')) {
    if (line === '') continue;
    const character = line.charAt(0);
    const separator = line.indexOf('|', 1);
    if (height === 8) glyphs.set(character, placeRows(line.slice(separator + 1), 8));
    else {
      const rows = placeRows(line.slice(1, separator), 16);
      glyphs.set(character, height === 16 ? rows : rows.slice(1, 15));
    }
  }
  return glyphs;
}

function buildFont(height: FontHeight): Uint8Array {
  const glyphs = drawnGlyphs(height);
  const blank = new Array<number>(height).fill(0);
  const glyph = (character: string): Rows => glyphs.get(character) ?? blank;
  glyphs.set('◘', glyph('•').map((row) => ~row & 0xff));
  glyphs.set('◙', glyph('○').map((row) => ~row & 0xff));
  for (const character of BOX_CHARACTERS) glyphs.set(character, drawBox(character, height));
  for (const character of '░▒▓█▄▌▐▀') glyphs.set(character, drawBlock(character, height) ?? blank);
  for (const [character, base, accent] of ACCENTED) glyphs.set(character, composeAccent(glyph(base), base, accent, height));
  glyphs.set('ç', composeCedilla(glyph('c'), height));
  glyphs.set('Ç', composeCedilla(glyph('C'), height));

  const font = new Uint8Array(256 * height);
  for (const [character, rows] of glyphs) {
    const code = cp437CodeOf(character);
    if (code !== undefined) font.set(rows.slice(0, height), code * height);
  }
  return font;
}

const cache = new Map<FontHeight, Uint8Array>();

function font(height: FontHeight): Uint8Array {
  let built = cache.get(height);
  if (built === undefined) {
    built = buildFont(height);
    cache.set(height, built);
  }
  return built.slice();
}

/** 256 glyphs of 16 rows, 4096 bytes, as the VGA BIOS offers them in ROM. The caller owns the copy. */
export function cp437Font8x16(): Uint8Array {
  return font(16);
}

/** 256 glyphs of 14 rows, 3584 bytes. */
export function cp437Font8x14(): Uint8Array {
  return font(14);
}

/** 256 glyphs of 8 rows, 2048 bytes. */
export function cp437Font8x8(): Uint8Array {
  return font(8);
}

export { CP437_TO_UNICODE };
