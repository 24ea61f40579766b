// Key codes of the PC keyboard (scan code set 1) as INT 16h returns them: plain, with Shift, Ctrl and Alt; 0 where a
// combination has none. After IBM's table of enhanced keyboard codes.

export interface KeyCodes {
  readonly plain: number;
  readonly shift: number;
  readonly ctrl: number;
  readonly alt: number;
  readonly kind: 'letter' | 'keypad' | 'other';
}

/** scan: plain shift ctrl alt, in hex. */
const OTHER = `
01 011b 011b 011b 0100
02 0231 0221 0000 7800
03 0332 0340 0300 7900
04 0433 0423 0000 7a00
05 0534 0524 0000 7b00
06 0635 0625 0000 7c00
07 0736 075e 071e 7d00
08 0837 0826 0000 7e00
09 0938 092a 0000 7f00
0a 0a39 0a28 0000 8000
0b 0b30 0b29 0000 8100
0c 0c2d 0c5f 0c1f 8200
0d 0d3d 0d2b 0000 8300
0e 0e08 0e08 0e7f 0e00
0f 0f09 0f00 9400 a500
1a 1a5b 1a7b 1a1b 1a00
1b 1b5d 1b7d 1b1d 1b00
1c 1c0d 1c0d 1c0a 1c00
27 273b 273a 0000 2700
28 2827 2822 0000 2800
29 2960 297e 0000 2900
2b 2b5c 2b7c 2b1c 2b00
33 332c 333c 0000 3300
34 342e 343e 0000 3400
35 352f 353f 0000 3500
37 372a 372a 9600 3700
39 3920 3920 3920 3920
4a 4a2d 4a2d 8e00 4a00
4e 4e2b 4e2b 9000 4e00
56 565c 567c 0000 0000
57 8500 8700 8900 8b00
58 8600 8800 8a00 8c00`;

/** Keypad keys: without and with Num Lock, Ctrl. Alt enters a character code. */
const KEYPAD = `
47 4700 4737 7700 0000
48 4800 4838 8d00 0000
49 4900 4939 8400 0000
4b 4b00 4b34 7300 0000
4c 4c00 4c35 8f00 0000
4d 4d00 4d36 7400 0000
4f 4f00 4f31 7500 0000
50 5000 5032 9100 0000
51 5100 5133 7600 0000
52 5200 5230 9200 0000
53 5300 532e 9300 0000`;

/** Keys with prefix E0. */
const EXTENDED = `
1c e00d e00d e00a a600
35 e02f e02f 9500 a400
47 47e0 47e0 77e0 9700
48 48e0 48e0 8de0 9800
49 49e0 49e0 84e0 9900
4b 4be0 4be0 73e0 9b00
4d 4de0 4de0 74e0 9d00
4f 4fe0 4fe0 75e0 9f00
50 50e0 50e0 91e0 a000
51 51e0 51e0 76e0 a100
52 52e0 52e0 92e0 a200
53 53e0 53e0 93e0 a300`;

const LETTER_ROWS: readonly (readonly [number, string])[] = [
  [0x10, 'qwertyuiop'],
  [0x1e, 'asdfghjkl'],
  [0x2c, 'zxcvbnm'],
];

function read(text: string, kind: KeyCodes['kind'], into: Map<number, KeyCodes>): void {
  for (const line of text.trim().split('\n')) {
    const [scan = 0, plain = 0, shift = 0, ctrl = 0, alt = 0] = line.split(' ').map((word) => parseInt(word, 16));
    into.set(scan, { plain, shift, ctrl, alt, kind });
  }
}

function build(): Map<number, KeyCodes> {
  const table = new Map<number, KeyCodes>();
  read(OTHER, 'other', table);
  read(KEYPAD, 'keypad', table);
  for (const [first, letters] of LETTER_ROWS) {
    [...letters].forEach((letter, index) => {
      const high = (first + index) << 8;
      const code = letter.charCodeAt(0);
      table.set(first + index, {
        plain: high | code,
        shift: high | (code - 32),
        ctrl: high | (code - 96),
        alt: high,
        kind: 'letter',
      });
    });
  }
  // F1 to F10.
  for (let i = 0; i < 10; i++) {
    table.set(0x3b + i, {
      plain: (0x3b + i) << 8,
      shift: (0x54 + i) << 8,
      ctrl: (0x5e + i) << 8,
      alt: (0x68 + i) << 8,
      kind: 'other',
    });
  }
  return table;
}

export const KEYS: ReadonlyMap<number, KeyCodes> = build();

export const EXTENDED_KEYS: ReadonlyMap<number, KeyCodes> = (() => {
  const table = new Map<number, KeyCodes>();
  read(EXTENDED, 'other', table);
  return table;
})();

/** Digit of a keypad scan code, for characters entered with Alt; -1 when it is none. */
export function keypadDigit(scan: number): number {
  return [0x52, 0x4f, 0x50, 0x51, 0x4b, 0x4c, 0x4d, 0x47, 0x48, 0x49].indexOf(scan);
}
