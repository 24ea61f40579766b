// INT 10h/11h: loads fonts into plane 2, chooses font blocks, sets the graphics font, tells where fonts lie.

import { BDA } from '../data-area.ts';
import type { Frame } from '../frame.ts';
import { type GuestMemory, linear } from '../guest-memory.ts';
import { fontOf, type ModeSetter } from './mode-set.ts';
import type { VgaPorts } from './vga-ports.ts';
import type { VgaRom } from './vga-rom.ts';

const VERTICAL_DISPLAY_END = 0x12;
const MAXIMUM_SCAN_LINE = 0x09;
const OVERFLOW = 0x07;

export class FontServices {
  private readonly mem: GuestMemory;
  private readonly vga: VgaPorts;
  private readonly rom: VgaRom;
  private readonly modes: ModeSetter;

  constructor(mem: GuestMemory, vga: VgaPorts, rom: VgaRom, modes: ModeSetter) {
    this.mem = mem;
    this.vga = vga;
    this.rom = rom;
    this.modes = modes;
  }

  handle(frame: Frame): void {
    const resize = (frame.al & 0x10) !== 0;
    switch (frame.al) {
      case 0x00:
      case 0x10: {
        const height = Math.min(32, Math.max(1, frame.bh));
        const count = Math.min(frame.cx, 256);
        const glyphs = new Uint8Array(count * height);
        this.mem.read(linear(frame.es, frame.bp), glyphs);
        this.load(glyphs, height, frame.bl, frame.dx & 0xff, count, resize);
        break;
      }
      case 0x01:
      case 0x11:
        this.load(this.rom.fonts.font14, 14, frame.bl, 0, 256, resize);
        break;
      case 0x02:
      case 0x12:
        this.load(this.rom.fonts.font8, 8, frame.bl, 0, 256, resize);
        break;
      case 0x04:
      case 0x14:
        this.load(this.rom.fonts.font16, 16, frame.bl, 0, 256, resize);
        break;
      case 0x03:
        this.vga.writeSequencer(0, 1);
        this.vga.writeSequencer(3, frame.bl);
        this.vga.writeSequencer(0, 3);
        break;
      case 0x20:
        this.setVector(0x1f, frame.es, frame.bp);
        break;
      case 0x21:
        this.setVector(0x43, frame.es, frame.bp);
        this.graphicsRows(frame, frame.cx);
        break;
      case 0x22:
      case 0x23:
      case 0x24: {
        const height = frame.al === 0x22 ? 14 : frame.al === 0x23 ? 8 : 16;
        const { address } = fontOf(this.rom, height);
        this.setVector(0x43, address.segment, address.offset);
        this.graphicsRows(frame, height);
        break;
      }
      case 0x30:
        this.information(frame);
        break;
      default:
        break;
    }
  }

  private setVector(vector: number, segment: number, offset: number): void {
    this.mem.write16(vector * 4, offset);
    this.mem.write16(vector * 4 + 2, segment);
  }

  private graphicsRows(frame: Frame, height: number): void {
    const rows = [undefined, 14, 25, 43][frame.bl] ?? frame.dl;
    this.mem.write16(BDA.CHARACTER_HEIGHT, height);
    this.mem.write8(BDA.VIDEO_ROWS, Math.max(1, rows) - 1);
  }

  private load(glyphs: Uint8Array, height: number, block: number, first: number, count: number, resize: boolean): void {
    this.modes.loadFont(glyphs, height, block & 7, first, count);
    if (resize) this.setHeight(height);
  }

  /** Fits the number of rows to a new character height, as functions 1xh do. */
  private setHeight(height: number): void {
    const { mem, vga } = this;
    vga.writeCrtc(MAXIMUM_SCAN_LINE, (vga.readCrtc(MAXIMUM_SCAN_LINE) & 0xe0) | (height - 1));
    // Mode 7 keeps its underline in the last line.
    if (mem.read8(BDA.VIDEO_MODE) === 7) vga.writeCrtc(0x14, height - 1);
    const overflow = vga.readCrtc(OVERFLOW);
    let lines = (vga.readCrtc(VERTICAL_DISPLAY_END) | ((overflow & 0x02) << 7) | ((overflow & 0x40) << 3)) + 1;
    if ((vga.readCrtc(MAXIMUM_SCAN_LINE) & 0x80) !== 0) lines >>= 1;
    const rows = Math.max(1, Math.floor(lines / height));
    const shown = rows * height * ((vga.readCrtc(MAXIMUM_SCAN_LINE) & 0x80) !== 0 ? 2 : 1) - 1;
    vga.writeCrtc(VERTICAL_DISPLAY_END, shown & 0xff);
    vga.writeCrtc(OVERFLOW, (overflow & ~0x42) | ((shown >> 7) & 0x02) | ((shown >> 3) & 0x40));
    mem.write8(BDA.VIDEO_ROWS, rows - 1);
    mem.write16(BDA.CHARACTER_HEIGHT, height);
    mem.write16(BDA.VIDEO_PAGE_BYTES, rows * mem.read16(BDA.VIDEO_COLUMNS) * 2 + 0x100);
    const first = height > 8 ? height - 3 : height - 2;
    vga.writeCrtc(0x0a, first);
    vga.writeCrtc(0x0b, first + 1);
    mem.write16(BDA.CURSOR_SHAPE, 0x0607);
  }

  private information(frame: Frame): void {
    const { mem, rom } = this;
    const fixed = [
      undefined,
      undefined,
      rom.font14,
      rom.font8,
      { segment: rom.font8.segment, offset: rom.font8.offset + 1024 },
      rom.alternates,
      rom.font16,
      rom.alternates,
    ];
    const vector = frame.bh === 0 ? 0x1f : frame.bh === 1 ? 0x43 : -1;
    const address =
      vector < 0 ? fixed[frame.bh] : { segment: mem.read16(vector * 4 + 2), offset: mem.read16(vector * 4) };
    if (address === undefined) return;
    frame.es = address.segment;
    frame.bp = address.offset;
    frame.cx = mem.read16(BDA.CHARACTER_HEIGHT);
    frame.dl = mem.read8(BDA.VIDEO_ROWS);
  }
}
