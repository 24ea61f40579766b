// Standard VGA modes as register tables (IBM VGA technical reference, BIOS modes), for tests: what a BIOS would program.

import { cp437Font8x16 } from './fonts/cp437-font.ts';
import type { VgaAdapter } from './vga-adapter.ts';

interface ModeTable {
  readonly miscellaneous: number;
  readonly sequencer: readonly number[];
  readonly crtc: readonly number[];
  readonly graphics: readonly number[];
  readonly attribute: readonly number[];
}

const EGA_PALETTE = [0, 1, 2, 3, 4, 5, 0x14, 7, 0x38, 0x39, 0x3a, 0x3b, 0x3c, 0x3d, 0x3e, 0x3f];
const LINEAR_PALETTE = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

/** 80x25, 9x16 cells. */
export const MODE_03: ModeTable = {
  miscellaneous: 0x67,
  sequencer: [3, 0x00, 0x03, 0x00, 0x02],
  crtc: [0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0, 0x4f, 0x0d, 0x0e, 0, 0, 0, 0, 0x9c, 0x8e, 0x8f, 0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff],
  graphics: [0, 0, 0, 0, 0, 0x10, 0x0e, 0, 0xff],
  attribute: [...EGA_PALETTE, 0x0c, 0, 0x0f, 0x08, 0],
};

/** 40x25, 9x16 cells, halved dot clock. */
export const MODE_01: ModeTable = {
  ...MODE_03,
  sequencer: [3, 0x08, 0x03, 0x00, 0x02],
  crtc: [0x2d, 0x27, 0x28, 0x90, 0x2b, 0xa0, 0xbf, 0x1f, 0, 0x4f, 0x0d, 0x0e, 0, 0, 0, 0, 0x9c, 0x8e, 0x8f, 0x14, 0x1f, 0x96, 0xb9, 0xa3, 0xff],
};

/** CGA 320x200, 4 colours. */
export const MODE_04: ModeTable = {
  miscellaneous: 0x63,
  sequencer: [3, 0x09, 0x03, 0x00, 0x02],
  crtc: [0x2d, 0x27, 0x28, 0x90, 0x2b, 0x80, 0xbf, 0x1f, 0, 0xc1, 0, 0, 0, 0, 0, 0, 0x9c, 0x8e, 0x8f, 0x14, 0, 0x96, 0xb9, 0xa2, 0xff],
  graphics: [0, 0, 0, 0, 0, 0x30, 0x0f, 0, 0xff],
  attribute: [0, 0x13, 0x15, 0x17, 2, 4, 6, 7, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x01, 0, 0x03, 0, 0],
};

/** CGA 640x200, 2 colours. */
export const MODE_06: ModeTable = {
  miscellaneous: 0x63,
  sequencer: [3, 0x01, 0x01, 0x00, 0x06],
  crtc: [0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0xbf, 0x1f, 0, 0xc1, 0, 0, 0, 0, 0, 0, 0x9c, 0x8e, 0x8f, 0x28, 0, 0x96, 0xb9, 0xc2, 0xff],
  graphics: [0, 0, 0, 0, 0, 0x00, 0x0d, 0, 0xff],
  attribute: [0, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x01, 0, 0x01, 0, 0],
};

/** EGA 320x200, 16 colours. */
export const MODE_0D: ModeTable = {
  miscellaneous: 0x63,
  sequencer: [3, 0x09, 0x0f, 0x00, 0x06],
  crtc: [0x2d, 0x27, 0x28, 0x90, 0x2b, 0x80, 0xbf, 0x1f, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0x9c, 0x8e, 0x8f, 0x14, 0, 0x96, 0xb9, 0xe3, 0xff],
  graphics: [0, 0, 0, 0, 0, 0x00, 0x05, 0x0f, 0xff],
  attribute: [0, 1, 2, 3, 4, 5, 6, 7, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x01, 0, 0x0f, 0, 0],
};

/** 640x480, 16 colours. */
export const MODE_12: ModeTable = {
  miscellaneous: 0xe3,
  sequencer: [3, 0x01, 0x0f, 0x00, 0x06],
  crtc: [0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0x0b, 0x3e, 0, 0x40, 0, 0, 0, 0, 0, 0, 0xea, 0x8c, 0xdf, 0x28, 0, 0xe7, 0x04, 0xe3, 0xff],
  graphics: [0, 0, 0, 0, 0, 0x00, 0x05, 0x0f, 0xff],
  attribute: [...EGA_PALETTE, 0x01, 0, 0x0f, 0, 0],
};

/** 320x200, 256 colours. */
export const MODE_13: ModeTable = {
  miscellaneous: 0x63,
  sequencer: [3, 0x01, 0x0f, 0x00, 0x0e],
  crtc: [0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0xbf, 0x1f, 0, 0x41, 0, 0, 0, 0, 0, 0, 0x9c, 0x8e, 0x8f, 0x28, 0x40, 0x96, 0xb9, 0xa3, 0xff],
  graphics: [0, 0, 0, 0, 0, 0x40, 0x05, 0x0f, 0xff],
  attribute: [...LINEAR_PALETTE, 0x41, 0, 0x0f, 0, 0],
};

/** The guest's `out` instruction. */
export function out(vga: VgaAdapter, port: number, value: number): void {
  for (const range of vga.ports()) {
    if (port >= range.base && port < range.base + range.count) range.device.writePort(port - range.base, range.maxSize, value);
  }
}

/** The guest's `in` instruction. */
export function input(vga: VgaAdapter, port: number): number {
  for (const range of vga.ports()) {
    if (port >= range.base && port < range.base + range.count) return range.device.readPort(port - range.base, range.maxSize);
  }
  return 0xff;
}

export function setMode(vga: VgaAdapter, mode: ModeTable): void {
  setDispi(vga, 4, 0);
  out(vga, 0x3c2, mode.miscellaneous);
  mode.sequencer.forEach((value, index) => setIndexed(vga, 0x3c4, index, value));
  setIndexed(vga, 0x3d4, 0x11, 0);
  mode.crtc.forEach((value, index) => setIndexed(vga, 0x3d4, index, value));
  mode.graphics.forEach((value, index) => setIndexed(vga, 0x3ce, index, value));
  input(vga, 0x3da);
  mode.attribute.forEach((value, index) => {
    out(vga, 0x3c0, index);
    out(vga, 0x3c0, value);
  });
  out(vga, 0x3c0, 0x20);
  loadDefaultDac(vga);
}

export function setIndexed(vga: VgaAdapter, port: number, index: number, value: number): void {
  out(vga, port, index);
  out(vga, port + 1, value);
}

export function setDispi(vga: VgaAdapter, index: number, value: number): void {
  out(vga, 0x1ce, index);
  out(vga, 0x1cf, value);
}

/** Sets an attribute register while the display stays on. */
export function setAttribute(vga: VgaAdapter, index: number, value: number): void {
  input(vga, 0x3da);
  out(vga, 0x3c0, index | 0x20);
  out(vga, 0x3c0, value);
}

/** Colours 0-63 of the EGA (rgbRGB bits), then a colour cube. */
function loadDefaultDac(vga: VgaAdapter): void {
  out(vga, 0x3c8, 0);
  for (let index = 0; index < 256; index++) {
    const gun = (bright: number, normal: number): number => (index & (1 << normal) ? 0x2a : 0) + (index & (1 << bright) ? 0x15 : 0);
    const cube = [(index >> 5) * 9, ((index >> 2) & 7) * 9, (index & 3) * 21];
    for (const value of index < 64 ? [gun(5, 2), gun(4, 1), gun(3, 0)] : cube) out(vga, 0x3c9, value);
  }
}

/** Loads the 8x16 font into plane 2 as the BIOS does, then returns to text addressing. */
export function loadFont(vga: VgaAdapter, font = cp437Font8x16(), height = 16, block = 0): void {
  setIndexed(vga, 0x3c4, 2, 4);
  setIndexed(vga, 0x3c4, 4, 6);
  setIndexed(vga, 0x3ce, 5, 0);
  setIndexed(vga, 0x3ce, 6, 4);
  for (let code = 0; code < 256; code++) {
    for (let row = 0; row < height; row++) vga.window.writeMmio(block * 0x4000 + code * 32 + row, 1, font[code * height + row] ?? 0);
  }
  setIndexed(vga, 0x3c4, 2, 3);
  setIndexed(vga, 0x3c4, 4, 2);
  setIndexed(vga, 0x3ce, 5, 0x10);
  setIndexed(vga, 0x3ce, 6, 0x0e);
}

/** Writes text at a cell of the B8000 page. */
export function putText(vga: VgaAdapter, column: number, row: number, text: string, attribute: number, columns = 80): void {
  [...text].forEach((character, index) => {
    const cell = (row * columns + column + index) * 2;
    vga.window.writeMmio(0x18000 + cell, 2, (character.charCodeAt(0) & 0xff) | (attribute << 8));
  });
}
