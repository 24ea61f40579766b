// INT 10h/00h: sets a video mode: registers, palette, font, memory and data area.

import type { FarAddress } from '../context.ts';
import { BDA, EBDA } from '../data-area.ts';
import type { GuestMemory } from '../guest-memory.ts';
import { defaultPalette } from './default-palette.ts';
import { textModeWithLines, type VideoMode, videoMode } from './mode-table.ts';
import type { VgaPorts } from './vga-ports.ts';
import type { VgaRom } from './vga-rom.ts';

/** 40:89 */
const LINES_200 = 0x80;
const LINES_400 = 0x10;
const NO_PALETTE_LOAD = 0x08;
const SUM_TO_GREY = 0x02;
const NO_CLEAR = 0x80;
const GLYPH_SLOT_BYTES = 32;
const FONT_WINDOW = 0xa0000;
const WINDOW_BYTES = 0x10000;

export interface DispiControl {
  /** Leaves any VBE mode. */
  disable(): void;
}

export class ModeSetter {
  private readonly mem: GuestMemory;
  private readonly vga: VgaPorts;
  private readonly rom: VgaRom;
  private readonly dispi: DispiControl;
  private readonly sumToGrey: (first: number, count: number) => void;

  constructor(
    mem: GuestMemory,
    vga: VgaPorts,
    rom: VgaRom,
    dispi: DispiControl,
    sumToGrey: (first: number, count: number) => void,
  ) {
    this.mem = mem;
    this.vga = vga;
    this.rom = rom;
    this.dispi = dispi;
    this.sumToGrey = sumToGrey;
  }

  /** @param request mode number, bit 7 keeps the memory. @returns false when there is no such mode */
  set(request: number): boolean {
    const found = videoMode(request & 0x7f);
    if (found === undefined) return false;
    const { mem, vga } = this;
    const control = mem.read8(BDA.MODE_SET_CONTROL);
    const lines = (control & LINES_200) !== 0 ? 200 : (control & LINES_400) !== 0 ? 400 : 350;
    const mode = found.number === 7 && lines === 200 ? found : textModeWithLines(found, lines);
    const keep = (request & NO_CLEAR) !== 0;
    this.dispi.disable();
    mem.write16(EBDA.VBE_MODE, 0);
    vga.setScreenOff(true);
    vga.program(mode, (control & NO_PALETTE_LOAD) !== 0);
    if ((control & NO_PALETTE_LOAD) === 0) {
      vga.dacMask = 0xff;
      vga.loadDac(0, defaultPalette(mode.palette));
      if ((control & SUM_TO_GREY) !== 0) this.sumToGrey(0, 256);
    }
    if (mode.kind === 'text')
      this.loadFont(fontOf(this.rom, mode.characterHeight).bytes, mode.characterHeight, 0, 0, 256);
    if (!keep) this.clear(mode);
    this.updateDataArea(mode, keep);
    this.setFontVectors(mode.characterHeight);
    vga.setScreenOff(false);
    return true;
  }

  private clear(mode: VideoMode): void {
    const { mem, vga } = this;
    if (mode.kind === 'text') {
      const cells = new Uint8Array(0x8000);
      for (let i = 0; i < cells.length; i += 2) {
        cells[i] = 0x20;
        cells[i + 1] = 0x07;
      }
      mem.write(mode.base, cells);
    } else if (mode.kind === 'planar' || mode.kind === 'linear') {
      vga.writeSequencer(2, 0x0f);
      mem.fill(mode.base, WINDOW_BYTES, 0);
    } else mem.fill(mode.base, 0x8000, 0);
  }

  private updateDataArea(mode: VideoMode, keep: boolean): void {
    const { mem } = this;
    mem.write8(BDA.VIDEO_MODE, mode.number);
    mem.write16(BDA.VIDEO_COLUMNS, mode.columns);
    mem.write16(BDA.VIDEO_PAGE_BYTES, mode.pageBytes);
    mem.write16(BDA.VIDEO_PAGE_START, 0);
    mem.fill(BDA.CURSOR_POSITIONS, 16, 0);
    mem.write8(BDA.VIDEO_PAGE, 0);
    const mono = (mode.miscellaneous & 1) === 0;
    mem.write16(BDA.CRTC_PORT, mono ? 0x3b4 : 0x3d4);
    mem.write8(BDA.VIDEO_MSR, [0x2c, 0x28, 0x2d, 0x29, 0x2a, 0x2e, 0x1e, 0x29][mode.number] ?? 0x29);
    mem.write8(BDA.VIDEO_PALETTE, mode.number === 6 ? 0x3f : 0x30);
    mem.write8(BDA.VIDEO_ROWS, mode.rows - 1);
    mem.write16(BDA.CHARACTER_HEIGHT, mode.characterHeight);
    mem.write8(BDA.VIDEO_CONTROL, 0x60 | (keep ? NO_CLEAR : 0) | (mem.read8(BDA.VIDEO_CONTROL) & 0x01));
    mem.write8(BDA.VIDEO_SWITCHES, 0xf9);
    mem.write16(BDA.CURSOR_SHAPE, 0x0607);
    const equipment = mem.read16(BDA.EQUIPMENT);
    mem.write16(BDA.EQUIPMENT, (equipment & ~0x30) | (mono ? 0x30 : 0x20));
    if (mode.kind === 'text') {
      this.vga.writeCrtc(0x0a, mode.characterHeight - (mode.characterHeight > 8 ? 3 : 2));
      this.vga.writeCrtc(0x0b, mode.characterHeight - (mode.characterHeight > 8 ? 2 : 1));
    }
  }

  setFontVectors(height: number): void {
    const { mem, rom } = this;
    const set = (vector: number, address: FarAddress): void => {
      mem.write16(vector * 4, address.offset);
      mem.write16(vector * 4 + 2, address.segment);
    };
    set(0x1f, { segment: rom.font8.segment, offset: rom.font8.offset + 128 * 8 });
    set(0x43, fontOf(rom, height).address);
  }

  /** Copies glyphs into plane 2. `block`: 0-7. */
  loadFont(glyphs: Uint8Array, height: number, block: number, first: number, count: number): void {
    const { mem, vga } = this;
    const base = FONT_WINDOW + ((block & 3) << 14) + ((block & 4) << 11);
    const saved = [
      vga.readSequencer(2),
      vga.readSequencer(4),
      vga.readGraphics(4),
      vga.readGraphics(5),
      vga.readGraphics(6),
    ] as const;
    vga.writeSequencer(0, 1);
    vga.writeSequencer(2, 4);
    vga.writeSequencer(4, 7);
    vga.writeSequencer(0, 3);
    vga.writeGraphics(4, 2);
    vga.writeGraphics(5, 0);
    vga.writeGraphics(6, 4);
    const used = Math.min(height, GLYPH_SLOT_BYTES);
    const slots = new Uint8Array(count * GLYPH_SLOT_BYTES);
    for (let i = 0; i < count; i++) slots.set(glyphs.subarray(i * height, i * height + used), i * GLYPH_SLOT_BYTES);
    mem.write(base + first * GLYPH_SLOT_BYTES, slots.subarray(0, Math.max(0, 256 - first) * GLYPH_SLOT_BYTES));
    vga.writeSequencer(0, 1);
    vga.writeSequencer(2, saved[0]);
    vga.writeSequencer(4, saved[1]);
    vga.writeSequencer(0, 3);
    vga.writeGraphics(4, saved[2]);
    vga.writeGraphics(5, saved[3]);
    vga.writeGraphics(6, saved[4]);
  }
}

/** The ROM font of a character height. */
export function fontOf(rom: VgaRom, height: number): { readonly bytes: Uint8Array; readonly address: FarAddress } {
  if (height >= 16) return { bytes: rom.fonts.font16, address: rom.font16 };
  if (height >= 14) return { bytes: rom.fonts.font14, address: rom.font14 };
  return { bytes: rom.fonts.font8, address: rom.font8 };
}
