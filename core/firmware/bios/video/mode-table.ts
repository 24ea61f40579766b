// The video modes of the IBM VGA with their register values (IBM Personal System/2 Video Subsystem Technical Reference;
// FreeVGA). One line a mode: sequencer 1-4, miscellaneous output, CRTC 0-18h, attribute controller 0-13h, graphics 0-8.

export type ModeKind = 'text' | 'cga2' | 'cga1' | 'planar' | 'linear';
export type PaletteKind = 'ega' | 'cga' | 'mono' | 'vga256';

export interface ModeRegisters {
  readonly sequencer: Uint8Array;
  readonly miscellaneous: number;
  readonly crtc: Uint8Array;
  readonly attribute: Uint8Array;
  readonly graphics: Uint8Array;
}

export interface VideoMode extends ModeRegisters {
  readonly number: number;
  readonly kind: ModeKind;
  readonly columns: number;
  readonly rows: number;
  readonly characterHeight: number;
  readonly pageBytes: number;
  readonly pages: number;
  /** Linear address of the window. */
  readonly base: number;
  readonly palette: PaletteKind;
}

const ATTR_EGA = '00 01 02 03 04 05 14 07 38 39 3a 3b 3c 3d 3e 3f';
const ATTR_CGA = '00 01 02 03 04 05 06 07 10 11 12 13 14 15 16 17';
const GFX_PLANAR = '00 00 00 00 00 00 05 0f ff';
const CRTC_40_400 = '2d 27 28 90 2b a0 bf 1f 00 4f 0d 0e 00 00 00 00 9c 8e 8f 14 1f 96 b9 a3 ff';
const CRTC_80_400 = '5f 4f 50 82 55 81 bf 1f 00 4f 0d 0e 00 00 00 00 9c 8e 8f 28 1f 96 b9 a3 ff';
const CRTC_80_350_GRAPHICS = '5f 4f 50 82 54 80 bf 1f 00 40 00 00 00 00 00 00 83 85 5d 28 0f 63 ba e3 ff';

const bytes = (text: string): Uint8Array => Uint8Array.from(text.split(' '), (byte) => parseInt(byte, 16));

function mode(
  number: number,
  kind: ModeKind,
  size: readonly [columns: number, rows: number, height: number],
  page: readonly [bytes: number, count: number],
  base: number,
  palette: PaletteKind,
  sequencer: string,
  miscellaneous: number,
  crtc: string,
  attribute: string,
  graphics: string,
): VideoMode {
  return {
    number,
    kind,
    columns: size[0],
    rows: size[1],
    characterHeight: size[2],
    pageBytes: page[0],
    pages: page[1],
    base,
    palette,
    sequencer: bytes(sequencer),
    miscellaneous,
    crtc: bytes(crtc),
    attribute: bytes(attribute),
    graphics: bytes(graphics),
  };
}

const GFX_TEXT = '00 00 00 00 00 10 0e 0f ff';
const TEXT_TAIL = '0c 00 0f 08';

const text40 = (number: number): VideoMode =>
  mode(
    number,
    'text',
    [40, 25, 16],
    [0x800, 8],
    0xb8000,
    'ega',
    '08 03 00 02',
    0x67,
    CRTC_40_400,
    `${ATTR_EGA} ${TEXT_TAIL}`,
    GFX_TEXT,
  );
const text80 = (number: number): VideoMode =>
  mode(
    number,
    'text',
    [80, 25, 16],
    [0x1000, 8],
    0xb8000,
    'ega',
    '00 03 00 02',
    0x67,
    CRTC_80_400,
    `${ATTR_EGA} ${TEXT_TAIL}`,
    GFX_TEXT,
  );
const cga320 = (number: number): VideoMode =>
  mode(
    number,
    'cga2',
    [40, 25, 8],
    [0x4000, 1],
    0xb8000,
    'cga',
    '09 03 00 02',
    0x63,
    '2d 27 28 90 2b 80 bf 1f 00 c1 00 00 00 00 00 00 9c 8e 8f 14 00 96 b9 a2 ff',
    '00 13 15 17 02 04 06 07 10 11 12 13 14 15 16 17 01 00 03 00',
    '00 00 00 00 00 30 0f 0f ff',
  );

export const VIDEO_MODES: readonly VideoMode[] = [
  text40(0),
  text40(1),
  text80(2),
  text80(3),
  cga320(4),
  cga320(5),
  mode(
    0x06,
    'cga1',
    [80, 25, 8],
    [0x4000, 1],
    0xb8000,
    'cga',
    '01 01 00 06',
    0x63,
    '5f 4f 50 82 54 80 bf 1f 00 c1 00 00 00 00 00 00 9c 8e 8f 28 00 96 b9 c2 ff',
    '00 17 17 17 17 17 17 17 17 17 17 17 17 17 17 17 01 00 01 00',
    '00 00 00 00 00 00 0d 0f ff',
  ),
  mode(
    0x07,
    'text',
    [80, 25, 16],
    [0x1000, 8],
    0xb0000,
    'mono',
    '00 03 00 02',
    0x66,
    CRTC_80_400.replace('28 1f 96', '28 0f 96'),
    '00 08 08 08 08 08 08 08 10 18 18 18 18 18 18 18 0e 00 0f 08',
    '00 00 00 00 00 10 0a 0f ff',
  ),
  mode(
    0x0d,
    'planar',
    [40, 25, 8],
    [0x2000, 8],
    0xa0000,
    'cga',
    '09 0f 00 06',
    0x63,
    '2d 27 28 90 2b 80 bf 1f 00 c0 00 00 00 00 00 00 9c 8e 8f 14 00 96 b9 e3 ff',
    `${ATTR_CGA} 01 00 0f 00`,
    GFX_PLANAR,
  ),
  mode(
    0x0e,
    'planar',
    [80, 25, 8],
    [0x4000, 4],
    0xa0000,
    'cga',
    '01 0f 00 06',
    0x63,
    '5f 4f 50 82 54 80 bf 1f 00 c0 00 00 00 00 00 00 9c 8e 8f 28 00 96 b9 e3 ff',
    `${ATTR_CGA} 01 00 0f 00`,
    GFX_PLANAR,
  ),
  mode(
    0x0f,
    'planar',
    [80, 25, 14],
    [0x8000, 2],
    0xa0000,
    'mono',
    '01 0f 00 06',
    0xa2,
    CRTC_80_350_GRAPHICS,
    '00 08 00 00 18 18 00 00 00 08 00 00 00 18 00 00 0b 00 05 00',
    '00 00 00 00 00 00 05 05 ff',
  ),
  mode(
    0x10,
    'planar',
    [80, 25, 14],
    [0x8000, 2],
    0xa0000,
    'ega',
    '01 0f 00 06',
    0xa3,
    CRTC_80_350_GRAPHICS,
    `${ATTR_EGA} 01 00 0f 00`,
    GFX_PLANAR,
  ),
  mode(
    0x11,
    'planar',
    [80, 30, 16],
    [0xa000, 1],
    0xa0000,
    'ega',
    '01 0f 00 06',
    0xe3,
    '5f 4f 50 82 54 80 0b 3e 00 40 00 00 00 00 00 00 ea 8c df 28 00 e7 04 e3 ff',
    '00 3f 3f 3f 3f 3f 3f 3f 3f 3f 3f 3f 3f 3f 3f 3f 01 00 0f 00',
    '00 00 00 00 00 00 05 01 ff',
  ),
  mode(
    0x12,
    'planar',
    [80, 30, 16],
    [0xa000, 1],
    0xa0000,
    'ega',
    '01 0f 00 06',
    0xe3,
    '5f 4f 50 82 54 80 0b 3e 00 40 00 00 00 00 00 00 ea 8c df 28 00 e7 04 e3 ff',
    `${ATTR_EGA} 01 00 0f 00`,
    GFX_PLANAR,
  ),
  mode(
    0x13,
    'linear',
    [40, 25, 8],
    [0x2000, 1],
    0xa0000,
    'vga256',
    '01 0f 00 0e',
    0x63,
    '5f 4f 50 82 54 80 bf 1f 00 41 00 00 00 00 00 00 9c 8e 8f 28 40 96 b9 a3 ff',
    '00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f 41 00 0f 00',
    '00 00 00 00 00 40 05 0f ff',
  ),
];

const byNumber = new Map(VIDEO_MODES.map((entry) => [entry.number, entry]));

export function videoMode(number: number): VideoMode | undefined {
  return byNumber.get(number);
}

/** Text modes with 200 or 350 scan lines instead of 400 (INT 10h/12h, BL = 30h). */
export function textModeWithLines(entry: VideoMode, scanLines: number): VideoMode {
  if (entry.kind !== 'text' || scanLines === 400) return entry;
  const crtc = Uint8Array.from(entry.crtc);
  const sequencer = Uint8Array.from(entry.sequencer);
  if (scanLines === 350) {
    crtc.set([0x4d, 0x0b, 0x0c], 9);
    crtc.set([0x83, 0x85, 0x5d], 16);
    crtc.set([0x63, 0xba], 21);
    return { ...entry, crtc, characterHeight: 14, miscellaneous: (entry.miscellaneous & 0x3f) | 0x80 };
  }
  // 200 lines, doubled to 400, with characters of 8 dots.
  crtc.set([0xc7, 0x06, 0x07], 9);
  sequencer[0] = (sequencer[0] as number) | 1;
  return {
    ...entry,
    crtc,
    sequencer,
    characterHeight: 8,
    miscellaneous: entry.miscellaneous & ~0x04,
    attribute: without8Dots(entry.attribute),
  };
}

/** Without the ninth dot the horizontal pel panning starts at 0. */
function without8Dots(attribute: Uint8Array): Uint8Array {
  const changed = Uint8Array.from(attribute);
  changed[0x13] = 0;
  return changed;
}

/** One 64-byte entry of the video parameter table. */
export function parameterEntry(entry: VideoMode): Uint8Array {
  const out = new Uint8Array(64);
  out.set([entry.columns, entry.rows - 1, entry.characterHeight, entry.pageBytes & 0xff, entry.pageBytes >> 8]);
  out.set(entry.sequencer, 5);
  out[9] = entry.miscellaneous;
  out.set(entry.crtc, 10);
  out.set(entry.attribute, 35);
  out.set(entry.graphics, 55);
  return out;
}
