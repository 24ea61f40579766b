// The DAC contents that a mode set loads: 6 bits a colour, 256 entries of R, G, B.

import type { PaletteKind } from './mode-table.ts';

/** rgbRGB of the EGA: bits 2-0 two thirds, bits 5-3 one third of full intensity. */
function egaColour(index: number): [number, number, number] {
  const part = (high: number, low: number): number => ((index >> high) & 1) * 0x2a + ((index >> low) & 1) * 0x15;
  return [part(2, 5), part(1, 4), part(0, 3)];
}

/** The 16 colours of the CGA; bit 4 of a DAC index is the intensity. */
function cgaColour(index: number): [number, number, number] {
  const bright = (index & 0x10) !== 0 ? 0x15 : 0;
  const part = (bit: number): number => ((index >> bit) & 1) * 0x2a + bright;
  // Dark yellow is brown on a CGA monitor.
  return (index & 0x17) === 6 ? [0x2a, 0x15, 0] : [part(2), part(1), part(0)];
}

const MONO = [0x00, 0x2a, 0x00, 0x3f];
const GREYS = [0x00, 0x05, 0x08, 0x0b, 0x0e, 0x11, 0x14, 0x18, 0x1c, 0x20, 0x24, 0x28, 0x2d, 0x32, 0x38, 0x3f];
/** Levels from low to high for three intensities, each with three saturations. */
const HUE_LEVELS = [
  [0x00, 0x10, 0x1f, 0x2f, 0x3f],
  [0x1f, 0x27, 0x2f, 0x37, 0x3f],
  [0x2d, 0x31, 0x36, 0x3a, 0x3f],
  [0x00, 0x07, 0x0e, 0x15, 0x1c],
  [0x0e, 0x11, 0x15, 0x18, 0x1c],
  [0x14, 0x16, 0x18, 0x1a, 0x1c],
  [0x00, 0x04, 0x08, 0x0c, 0x10],
  [0x08, 0x0a, 0x0c, 0x0e, 0x10],
  [0x0b, 0x0c, 0x0d, 0x0f, 0x10],
];

/** 24 hues from blue over red and green back to blue, as level numbers. */
function hue(step: number): [number, number, number] {
  const along = step % 4;
  switch (step >> 2) {
    case 0:
      return [along, 0, 4];
    case 1:
      return [4, 0, 4 - along];
    case 2:
      return [4, along, 0];
    case 3:
      return [4 - along, 4, 0];
    case 4:
      return [0, 4, along];
    default:
      return [0, 4 - along, 4];
  }
}

function vgaColour(index: number): [number, number, number] {
  if (index < 16) return cgaColour((index & 7) | ((index & 8) << 1));
  if (index < 32) {
    const grey = GREYS[index - 16] as number;
    return [grey, grey, grey];
  }
  const levels = HUE_LEVELS[Math.floor((index - 32) / 24)];
  if (levels === undefined) return [0, 0, 0];
  const [r, g, b] = hue((index - 32) % 24);
  return [levels[r] as number, levels[g] as number, levels[b] as number];
}

/** 768 bytes. Only the first 64 entries are defined outside the 256-colour mode; the rest is black. */
export function defaultPalette(kind: PaletteKind): Uint8Array {
  const out = new Uint8Array(768);
  for (let index = 0; index < 256; index++) {
    let colour: readonly number[] = [0, 0, 0];
    if (kind === 'vga256') colour = vgaColour(index);
    else if (index < 64) {
      if (kind === 'ega') colour = egaColour(index);
      else if (kind === 'cga') colour = cgaColour(index);
      else colour = new Array<number>(3).fill(MONO[(index >> 3) & 3] as number);
    }
    out.set(colour, index * 3);
  }
  return out;
}

/** Grey of a colour by the weights of NTSC luminance: 30 % red, 59 % green, 11 % blue. */
export function luminance(r: number, g: number, b: number): number {
  return Math.min(0x3f, (r * 77 + g * 151 + b * 28 + 0x80) >> 8);
}
