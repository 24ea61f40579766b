// Box drawing, blocks and shades of code page 437 for any cell height, drawn by rule so that neighbours always join.
// Single lines are two pixels wide (columns 3-4) and one row high; double lines keep one line's distance.

import type { Rows } from './accents.ts';

/** Weights of the arms: up, right, down, left; 0 none, 1 single, 2 double. */
const ARMS: Readonly<Record<string, string>> = {
  '│': '1010', '┤': '1011', '╡': '1012', '╢': '2021', '╖': '0021', '╕': '0012', '╣': '2022', '║': '2020', '╗': '0022',
  '╝': '2002', '╜': '2001', '╛': '1002', '┐': '0011', '└': '1100', '┴': '1101', '┬': '0111', '├': '1110', '─': '0101',
  '┼': '1111', '╞': '1210', '╟': '2120', '╚': '2200', '╔': '0220', '╩': '2202', '╦': '0222', '╠': '2220', '═': '0202',
  '╬': '2222', '╧': '1202', '╨': '2101', '╤': '0212', '╥': '0121', '╙': '2100', '╘': '1200', '╒': '0210', '╓': '0120',
  '╫': '2121', '╪': '1212', '┘': '1001', '┌': '0110',
};

export const BOX_CHARACTERS: readonly string[] = Object.keys(ARMS);

const LEFT_LINE = { first: 1, last: 2 };
const RIGHT_LINE = { first: 5, last: 6 };
const MIDDLE = { first: 3, last: 4 };

class Canvas {
  readonly rows: Rows;

  constructor(height: number) {
    this.rows = new Array<number>(height).fill(0);
  }

  fill(firstColumn: number, lastColumn: number, firstRow: number, lastRow: number): void {
    for (let row = firstRow; row <= lastRow; row++) {
      for (let column = firstColumn; column <= lastColumn; column++) {
        this.rows[row] = (this.rows[row] ?? 0) | (0x80 >> column);
      }
    }
  }
}

/** One box drawing character in a cell of `height` rows. */
export function drawBox(character: string, height: number): Rows {
  const weights = ARMS[character] ?? '0000';
  const [up = 0, right = 0, down = 0, left = 0] = [...weights].map(Number);
  const canvas = new Canvas(height);
  const middle = (height >> 1) - 1;
  const upper = middle - 1;
  const lower = middle + 1;
  const bottom = height - 1;

  // Where a double line of one arm ends: at the near line of a double arm that turns off on its own side, at the middle
  // of a single one, at the far line when only the other side turns off.
  const lineEnd = (ownSide: number, otherSide: number, near: number, centre: number, far: number): number =>
    ownSide === 2 ? near : ownSide === 1 || otherSide !== 2 ? centre : far;
  // Where a single arm ends that meets double arms across: before both, or on the far line of a corner.
  const armEnd = (sideA: number, sideB: number, opposite: number, near: number, centre: number, far: number): number => {
    if (sideA === 2 && sideB === 2 && opposite === 0) return near;
    if ((sideA === 2 || sideB === 2) && opposite === 0) return far;
    return centre;
  };

  if (up === 1) canvas.fill(MIDDLE.first, MIDDLE.last, 0, armEnd(left, right, down, upper, middle, lower));
  if (down === 1) canvas.fill(MIDDLE.first, MIDDLE.last, armEnd(left, right, up, lower, middle, upper), bottom);
  if (left === 1) canvas.fill(0, armEnd(up, down, right, LEFT_LINE.last, MIDDLE.last, RIGHT_LINE.last), middle, middle);
  if (right === 1) canvas.fill(armEnd(up, down, left, RIGHT_LINE.first, MIDDLE.first, LEFT_LINE.first), 7, middle, middle);
  if (up === 2) {
    canvas.fill(LEFT_LINE.first, LEFT_LINE.last, 0, lineEnd(left, right, upper, middle, lower));
    canvas.fill(RIGHT_LINE.first, RIGHT_LINE.last, 0, lineEnd(right, left, upper, middle, lower));
  }
  if (down === 2) {
    canvas.fill(LEFT_LINE.first, LEFT_LINE.last, lineEnd(left, right, lower, middle, upper), bottom);
    canvas.fill(RIGHT_LINE.first, RIGHT_LINE.last, lineEnd(right, left, lower, middle, upper), bottom);
  }
  if (left === 2) {
    canvas.fill(0, lineEnd(up, down, LEFT_LINE.last, MIDDLE.last, RIGHT_LINE.last), upper, upper);
    canvas.fill(0, lineEnd(down, up, LEFT_LINE.last, MIDDLE.last, RIGHT_LINE.last), lower, lower);
  }
  if (right === 2) {
    canvas.fill(lineEnd(up, down, RIGHT_LINE.first, MIDDLE.first, LEFT_LINE.first), 7, upper, upper);
    canvas.fill(lineEnd(down, up, RIGHT_LINE.first, MIDDLE.first, LEFT_LINE.first), 7, lower, lower);
  }
  return canvas.rows;
}

/** Shades and half blocks; undefined for other characters. */
export function drawBlock(character: string, height: number): Rows | undefined {
  const half = height >> 1;
  const rows = (pattern: (row: number) => number): Rows => Array.from({ length: height }, (_, row) => pattern(row));
  switch (character) {
    case '░': return rows((row) => (row & 1 ? 0x88 : 0x22));
    case '▒': return rows((row) => (row & 1 ? 0xaa : 0x55));
    case '▓': return rows((row) => (row & 1 ? 0x77 : 0xdd));
    case '█': return rows(() => 0xff);
    case '▄': return rows((row) => (row >= half ? 0xff : 0));
    case '▀': return rows((row) => (row < half ? 0xff : 0));
    case '▌': return rows(() => 0xf0);
    case '▐': return rows(() => 0x0f);
    default: return undefined;
  }
}
