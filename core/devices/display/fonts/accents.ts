// Accented letters of code page 437, composed from a base letter and an accent.

/** Rows of one glyph, from the top of the cell. */
export type Rows = number[];

interface Accent {
  /** Over a wide letter, 8x16 and 8x14. */
  readonly wide: readonly number[];
  /** Over the dotless i, whose stem stands one half pixel further right. */
  readonly narrow: readonly number[];
  /** In the 8x8 cell: the one row over capitals, then the two over small letters. */
  readonly small: readonly [number, number, number];
}

const ACCENTS: Readonly<Record<string, Accent>> = {
  acute: { wide: [0x0c, 0x18], narrow: [0x0c, 0x18], small: [0x0e, 0x0e, 0x00] },
  grave: { wide: [0x60, 0x30], narrow: [0x30, 0x18], small: [0x70, 0x70, 0x00] },
  circumflex: { wide: [0x38, 0x6c], narrow: [0x3c, 0x66], small: [0x38, 0x38, 0x44] },
  diaeresis: { wide: [0x6c, 0x6c], narrow: [0x66, 0x66], small: [0xc6, 0x6c, 0x00] },
  ring: { wide: [0x38, 0x6c, 0x38], narrow: [], small: [0x38, 0x38, 0x00] },
  tilde: { wide: [0x76, 0xdc], narrow: [], small: [0x7c, 0x7c, 0x00] },
};

/** Accented character: base letter and accent, in the order of the code page. */
export const ACCENTED: readonly (readonly [character: string, base: string, accent: keyof typeof ACCENTS])[] = [
  ['ü', 'u', 'diaeresis'], ['é', 'e', 'acute'], ['â', 'a', 'circumflex'], ['ä', 'a', 'diaeresis'], ['à', 'a', 'grave'],
  ['å', 'a', 'ring'], ['ê', 'e', 'circumflex'], ['ë', 'e', 'diaeresis'], ['è', 'e', 'grave'], ['ï', 'i', 'diaeresis'],
  ['î', 'i', 'circumflex'], ['ì', 'i', 'grave'], ['Ä', 'A', 'diaeresis'], ['Å', 'A', 'ring'], ['É', 'E', 'acute'],
  ['ô', 'o', 'circumflex'], ['ö', 'o', 'diaeresis'], ['ò', 'o', 'grave'], ['û', 'u', 'circumflex'], ['ù', 'u', 'grave'],
  ['ÿ', 'y', 'diaeresis'], ['Ö', 'O', 'diaeresis'], ['Ü', 'U', 'diaeresis'], ['á', 'a', 'acute'], ['í', 'i', 'acute'],
  ['ó', 'o', 'acute'], ['ú', 'u', 'acute'], ['ñ', 'n', 'tilde'], ['Ñ', 'N', 'tilde'],
];

/** Where letters stand in a cell: first row of capitals and of small letters, and the base line. */
interface CellMetrics {
  readonly capitalTop: number;
  readonly smallTop: number;
  readonly baseLine: number;
}

export function metricsOf(height: number): CellMetrics {
  if (height === 8) return { capitalTop: 0, smallTop: 2, baseLine: 6 };
  const capitalTop = height === 16 ? 2 : 1;
  return { capitalTop, smallTop: capitalTop + 3, baseLine: capitalTop + 9 };
}

/** Puts an accent over a base letter; capitals lose stem rows to make room. */
export function composeAccent(base: Rows, baseLetter: string, accentName: keyof typeof ACCENTS, height: number): Rows {
  const accent = ACCENTS[accentName];
  if (accent === undefined) return base;
  const metrics = metricsOf(height);
  const rows = base.slice();
  const isCapital = baseLetter < 'a';
  if (height === 8) {
    if (isCapital) lowerCapital(rows, metrics, 2);
    else rows.fill(0, 0, metrics.smallTop);
    rows[0] = accent.small[isCapital ? 0 : 1];
    if (!isCapital) rows[1] = accent.small[2];
    return rows;
  }
  const shape = baseLetter === 'i' ? accent.narrow : accent.wide;
  if (isCapital) {
    // The ring touches the letter, other accents leave one row free.
    lowerCapital(rows, metrics, 3);
    shape.forEach((row, index) => (rows[index] = row));
    return rows;
  }
  rows.fill(0, 0, metrics.smallTop);
  const top = metrics.smallTop - 1 - shape.length;
  shape.forEach((row, index) => (rows[top + index] = row));
  return rows;
}

/** Shortens a capital from below its top rows so that it starts at `newTop` and keeps its foot on the base line. */
function lowerCapital(rows: Rows, metrics: CellMetrics, newTop: number): void {
  const letter = rows.slice(metrics.capitalTop, metrics.baseLine + 1);
  let excess = newTop - metrics.capitalTop;
  // Rows that repeat their neighbour are stems: dropping them keeps the shape.
  for (let index = letter.length - 2; index > 0 && excess > 0; index--) {
    if (letter[index] === letter[index - 1] || letter[index] === letter[index + 1]) {
      letter.splice(index, 1);
      excess--;
    }
  }
  rows.fill(0, 0, metrics.baseLine + 1);
  const top = metrics.baseLine + 1 - letter.length;
  letter.forEach((row, index) => (rows[top + index] = row));
}

/** Hangs a cedilla under the letter c or C. */
export function composeCedilla(base: Rows, height: number): Rows {
  const rows = base.slice();
  if (height === 8) {
    rows[7] = 0x30;
    return rows;
  }
  const below = metricsOf(height).baseLine + 1;
  [0x18, 0x0c, 0x38].forEach((row, index) => (rows[below + index] = row));
  return rows;
}
