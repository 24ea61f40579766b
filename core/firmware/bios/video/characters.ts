// Characters, scrolling and pixels in every kind of VGA mode: the memory side of INT 10h. Graphics modes draw glyphs from
// the fonts that INT 43h and INT 1Fh point to.

import { BDA, EBDA } from '../data-area.ts';
import { type GuestMemory, linear } from '../guest-memory.ts';
import { type VideoMode, videoMode } from './mode-table.ts';
import type { VgaPorts } from './vga-ports.ts';

const VECTOR_FONT_UPPER = 0x1f * 4;
const VECTOR_FONT = 0x43 * 4;
const CGA_BANK = 0x2000;
const CGA_LINE_BYTES = 80;
const XOR_ATTRIBUTE = 0x80;
/** Graphics controller. */
const SET_RESET_ENABLE = 1;
const ROTATE = 3;
const READ_MAP = 4;
const MODE = 5;
const BIT_MASK = 8;
const FUNCTION_XOR = 0x18;

export class Characters {
  private readonly mem: GuestMemory;
  private readonly vga: VgaPorts;

  constructor(mem: GuestMemory, vga: VgaPorts) {
    this.mem = mem;
    this.vga = vga;
  }

  /** The mode that is set; undefined in VBE modes without planes, where nothing is drawn. */
  get mode(): VideoMode | undefined {
    const vbe = this.mem.read16(EBDA.VBE_MODE) & 0x1ff;
    // The 16-colour VBE modes are drawn like mode 12h.
    if (vbe !== 0) return vbe === 0x102 || vbe === 0x104 || vbe === 0x106 ? videoMode(0x12) : undefined;
    return videoMode(this.mem.read8(BDA.VIDEO_MODE) & 0x7f);
  }

  get columns(): number {
    return Math.max(1, this.mem.read16(BDA.VIDEO_COLUMNS));
  }

  get rows(): number {
    return this.mem.read8(BDA.VIDEO_ROWS) + 1;
  }

  get height(): number {
    return Math.min(32, Math.max(1, this.mem.read16(BDA.CHARACTER_HEIGHT)));
  }

  private pageBase(mode: VideoMode, page: number): number {
    return mode.kind === 'text' || mode.kind === 'planar'
      ? mode.base + page * this.mem.read16(BDA.VIDEO_PAGE_BYTES)
      : mode.base;
  }

  private cellAddress(mode: VideoMode, page: number, row: number, column: number): number {
    return this.pageBase(mode, page) + (row * this.columns + column) * 2;
  }

  private glyph(code: number): Uint8Array {
    const height = this.height;
    const out = new Uint8Array(height);
    const upper = height === 8 && code >= 128 && this.mode?.kind !== 'planar' && this.mode?.kind !== 'linear';
    const vector = upper ? VECTOR_FONT_UPPER : VECTOR_FONT;
    const font = linear(this.mem.read16(vector + 2), this.mem.read16(vector));
    this.mem.read(font + (upper ? code - 128 : code) * height, out);
    return out;
  }

  /** Writes `count` times; an undefined attribute leaves it (text) or is taken from `colour`. */
  write(
    page: number,
    row: number,
    column: number,
    code: number,
    attribute: number | undefined,
    count: number,
    colour: number,
  ): void {
    const mode = this.mode;
    if (mode === undefined || count <= 0) return;
    if (mode.kind !== 'text') {
      const limit = Math.min(count, this.columns - column);
      for (let i = 0; i < limit; i++) this.draw(mode, page, row, column + i, code, attribute ?? colour);
      return;
    }
    const address = this.cellAddress(mode, page, row, column);
    count = Math.min(count, 0x4000);
    if (attribute === undefined) {
      for (let i = 0; i < count; i++) this.mem.write8(address + i * 2, code);
      return;
    }
    const cells = new Uint8Array(count * 2);
    for (let i = 0; i < count; i++) {
      cells[i * 2] = code;
      cells[i * 2 + 1] = attribute;
    }
    this.mem.write(address, cells);
  }

  private draw(mode: VideoMode, page: number, row: number, column: number, code: number, colour: number): void {
    const glyph = this.glyph(code);
    const [xor, top] = [(colour & XOR_ATTRIBUTE) !== 0, row * glyph.length];
    if (mode.kind === 'planar') this.drawPlanar(this.pageBase(mode, page), column, top, glyph, colour, xor);
    else if (mode.kind === 'linear') this.drawLinear(mode.base, column, top, glyph, colour);
    else this.drawCga(mode, column, top, glyph, colour, xor);
  }

  private drawPlanar(base: number, column: number, top: number, glyph: Uint8Array, colour: number, xor: boolean): void {
    const { vga, mem, columns } = this;
    vga.writeSequencer(2, 0x0f);
    vga.writeGraphics(SET_RESET_ENABLE, 0);
    vga.writeGraphics(MODE, 2);
    vga.writeGraphics(ROTATE, xor ? FUNCTION_XOR : 0);
    glyph.forEach((bits, line) => {
      const address = base + (top + line) * columns + column;
      if (!xor) {
        vga.writeGraphics(BIT_MASK, 0xff);
        mem.write8(address, 0);
      }
      vga.writeGraphics(BIT_MASK, bits);
      // The read fills the latches that the masked bits keep.
      mem.read8(address);
      mem.write8(address, colour & 0x0f);
    });
    this.planarDefaults();
  }

  private planarDefaults(): void {
    this.vga.writeGraphics(BIT_MASK, 0xff);
    this.vga.writeGraphics(ROTATE, 0);
    this.vga.writeGraphics(MODE, 0);
  }

  private drawLinear(base: number, column: number, top: number, glyph: Uint8Array, colour: number): void {
    const line = new Uint8Array(8);
    const stride = this.columns * 8;
    glyph.forEach((bits, y) => {
      for (let x = 0; x < 8; x++) line[x] = (bits & (0x80 >> x)) !== 0 ? colour : 0;
      this.mem.write(base + (top + y) * stride + column * 8, line);
    });
  }

  private cgaAddress(base: number, y: number): number {
    return base + (y & 1) * CGA_BANK + (y >> 1) * CGA_LINE_BYTES;
  }

  private drawCga(mode: VideoMode, column: number, top: number, glyph: Uint8Array, colour: number, xor: boolean): void {
    const two = mode.kind === 'cga2';
    glyph.forEach((bits, y) => {
      let value = two ? 0 : bits;
      if (two) for (let x = 0; x < 8; x++) if ((bits & (0x80 >> x)) !== 0) value |= (colour & 3) << (14 - x * 2);
      if (!two && (colour & 1) === 0) value = 0;
      const address = this.cgaAddress(mode.base, top + y) + (two ? column * 2 : column);
      const bytes = two ? [value >> 8, value & 0xff] : [value];
      bytes.forEach((byte, i) => this.mem.write8(address + i, xor ? this.mem.read8(address + i) ^ byte : byte));
    });
  }

  /** Character and attribute at a place; graphics modes compare with the font. */
  read(page: number, row: number, column: number): { code: number; attribute: number } {
    const mode = this.mode;
    if (mode === undefined) return { code: 0, attribute: 0 };
    if (mode.kind === 'text') {
      const cell = this.mem.read16(this.cellAddress(mode, page, row, column));
      return { code: cell & 0xff, attribute: cell >> 8 };
    }
    const seen = this.cellBits(mode, page, row, column);
    for (let code = 0; code < 256; code++) {
      if (this.glyph(code).every((bits, y) => bits === seen[y])) return { code, attribute: 0 };
    }
    return { code: 0, attribute: 0 };
  }

  /** The cell's picture, one bit a dot that is not background. */
  private cellBits(mode: VideoMode, page: number, row: number, column: number): Uint8Array {
    const out = new Uint8Array(this.height);
    out.forEach((_, y) => {
      let bits = 0;
      for (let x = 0; x < 8; x++) {
        if (this.readPixel(page, column * 8 + x, row * out.length + y, mode) !== 0) bits |= 0x80 >> x;
      }
      out[y] = bits;
    });
    return out;
  }

  readPixel(page: number, x: number, y: number, mode = this.mode): number {
    if (mode === undefined || mode.kind === 'text') return 0;
    if (mode.kind === 'linear') return this.mem.read8(mode.base + y * this.columns * 8 + x);
    if (mode.kind === 'planar') {
      const address = this.pageBase(mode, page) + y * this.columns + (x >> 3);
      let value = 0;
      for (let plane = 0; plane < 4; plane++) {
        this.vga.writeGraphics(READ_MAP, plane);
        value |= ((this.mem.read8(address) >> (7 - (x & 7))) & 1) << plane;
      }
      this.vga.writeGraphics(READ_MAP, 0);
      return value;
    }
    const two = mode.kind === 'cga2';
    const byte = this.mem.read8(this.cgaAddress(mode.base, y) + (two ? x >> 2 : x >> 3));
    return two ? (byte >> (6 - (x & 3) * 2)) & 3 : (byte >> (7 - (x & 7))) & 1;
  }

  writePixel(page: number, x: number, y: number, colour: number): void {
    const mode = this.mode;
    if (mode === undefined || mode.kind === 'text') return;
    const xor = (colour & XOR_ATTRIBUTE) !== 0;
    if (mode.kind === 'linear') {
      this.mem.write8(mode.base + y * this.columns * 8 + x, colour);
    } else if (mode.kind === 'planar') {
      const address = this.pageBase(mode, page) + y * this.columns + (x >> 3);
      this.vga.writeSequencer(2, 0x0f);
      this.vga.writeGraphics(SET_RESET_ENABLE, 0);
      this.vga.writeGraphics(MODE, 2);
      this.vga.writeGraphics(ROTATE, xor ? FUNCTION_XOR : 0);
      this.vga.writeGraphics(BIT_MASK, 0x80 >> (x & 7));
      this.mem.read8(address);
      this.mem.write8(address, colour & 0x0f);
      this.planarDefaults();
    } else {
      const two = mode.kind === 'cga2';
      const address = this.cgaAddress(mode.base, y) + (two ? x >> 2 : x >> 3);
      const shift = two ? 6 - (x & 3) * 2 : 7 - (x & 7);
      const mask = (two ? 3 : 1) << shift;
      const value = (colour << shift) & mask;
      const old = this.mem.read8(address);
      this.mem.write8(address, xor ? old ^ value : (old & ~mask) | value);
    }
  }

  /** Scrolls a window up (positive) or down (negative); zero lines clear it. */
  scroll(
    page: number,
    top: number,
    left: number,
    bottom: number,
    right: number,
    lines: number,
    attribute: number,
  ): void {
    const mode = this.mode;
    bottom = Math.min(bottom, this.rows - 1);
    right = Math.min(right, this.columns - 1);
    if (mode === undefined || top > bottom || left > right) return;
    const window = bottom - top + 1;
    const distance = lines === 0 || Math.abs(lines) > window ? window : Math.abs(lines);
    for (let i = 0; i < window - distance; i++) {
      const to = lines > 0 ? top + i : bottom - i;
      this.copyRow(mode, page, lines > 0 ? to + distance : to - distance, to, left, right);
    }
    for (let i = 0; i < distance; i++)
      this.clearRow(mode, page, lines > 0 ? bottom - i : top + i, left, right, attribute);
  }

  private copyRow(mode: VideoMode, page: number, from: number, to: number, left: number, right: number): void {
    const count = right - left + 1;
    if (mode.kind === 'text') {
      const cells = new Uint8Array(count * 2);
      this.mem.read(this.cellAddress(mode, page, from, left), cells);
      this.mem.write(this.cellAddress(mode, page, to, left), cells);
      return;
    }
    const { height } = this;
    for (let y = 0; y < height; y++) {
      const [source, target] = [
        this.lineAddress(mode, page, from * height + y),
        this.lineAddress(mode, page, to * height + y),
      ];
      const unit = this.cellBytes(mode);
      if (mode.kind === 'planar') this.copyLatched(source + left, target + left, count);
      else {
        const line = new Uint8Array(count * unit);
        this.mem.read(source + left * unit, line);
        this.mem.write(target + left * unit, line);
      }
    }
  }

  /** Write mode 1: each byte written takes what the latches got from the last read, all planes at once. */
  private copyLatched(source: number, target: number, count: number): void {
    this.vga.writeSequencer(2, 0x0f);
    this.vga.writeGraphics(MODE, 1);
    for (let i = 0; i < count; i++) {
      this.mem.read8(source + i);
      this.mem.write8(target + i, 0);
    }
    this.vga.writeGraphics(MODE, 0);
  }

  private cellBytes(mode: VideoMode): number {
    return mode.kind === 'linear' ? 8 : mode.kind === 'cga2' ? 2 : 1;
  }

  private lineAddress(mode: VideoMode, page: number, y: number): number {
    if (mode.kind === 'linear') return mode.base + y * this.columns * 8;
    if (mode.kind === 'planar') return this.pageBase(mode, page) + y * this.columns;
    return this.cgaAddress(mode.base, y);
  }

  private clearRow(mode: VideoMode, page: number, row: number, left: number, right: number, attribute: number): void {
    const count = right - left + 1;
    if (mode.kind === 'text') {
      this.write(page, row, left, 0x20, attribute, count, 0);
      return;
    }
    const unit = this.cellBytes(mode);
    let fill = attribute;
    if (mode.kind === 'cga2') fill = (attribute & 3) * 0x55;
    if (mode.kind === 'cga1') fill = (attribute & 1) * 0xff;
    if (mode.kind === 'planar') {
      this.vga.writeSequencer(2, 0x0f);
      this.vga.writeGraphics(SET_RESET_ENABLE, 0);
      this.vga.writeGraphics(MODE, 2);
      this.vga.writeGraphics(BIT_MASK, 0xff);
      fill = attribute & 0x0f;
    }
    for (let y = 0; y < this.height; y++) {
      this.mem.fill(this.lineAddress(mode, page, row * this.height + y) + left * unit, count * unit, fill);
    }
    if (mode.kind === 'planar') this.planarDefaults();
  }
}
