// INT 10h/0Bh and 10h: palette registers, DAC and overscan.

import { BDA } from '../data-area.ts';
import type { Frame } from '../frame.ts';
import { type GuestMemory, linear } from '../guest-memory.ts';
import { luminance } from './default-palette.ts';
import type { VgaPorts } from './vga-ports.ts';

const OVERSCAN = 0x11;
const MODE_CONTROL = 0x10;
const COLOUR_SELECT = 0x14;
const BLINK = 0x08;
const PALETTE_16_PAGES = 0x80;

export class PaletteServices {
  private readonly mem: GuestMemory;
  private readonly vga: VgaPorts;

  constructor(mem: GuestMemory, vga: VgaPorts) {
    this.mem = mem;
    this.vga = vga;
  }

  /** 0Bh: border and background, or the palette of mode 4. */
  cgaPalette(kind: number, value: number): void {
    const { mem, vga } = this;
    let saved = mem.read8(BDA.VIDEO_PALETTE);
    if (kind === 0) {
      saved = (saved & 0xe0) | (value & 0x1f);
      const colour = (value & 7) | ((value & 8) << 1);
      vga.writeAttribute(OVERSCAN, colour);
      if (mem.read8(BDA.VIDEO_MODE) > 3) vga.writeAttribute(0, colour);
      for (let i = 1; i < 4; i++) vga.writeAttribute(i, (vga.readAttribute(i) & 0xef) | (value & 0x10));
    } else {
      saved = (saved & 0xdf) | ((value & 1) << 5);
      for (let i = 1; i < 4; i++) vga.writeAttribute(i, (vga.readAttribute(i) & 0xfe) | (value & 1));
    }
    mem.write8(BDA.VIDEO_PALETTE, saved);
  }

  handle(frame: Frame): void {
    const { mem, vga } = this;
    const buffer = linear(frame.es, frame.dx);
    switch (frame.al) {
      case 0x00:
        if (frame.bl <= COLOUR_SELECT) vga.writeAttribute(frame.bl, frame.bh);
        break;
      case 0x01:
        vga.writeAttribute(OVERSCAN, frame.bh);
        break;
      case 0x02:
        for (let i = 0; i < 16; i++) vga.writeAttribute(i, mem.read8(buffer + i));
        vga.writeAttribute(OVERSCAN, mem.read8(buffer + 16));
        break;
      case 0x03: {
        const control = vga.readAttribute(MODE_CONTROL);
        vga.writeAttribute(MODE_CONTROL, (frame.bl & 1) !== 0 ? control | BLINK : control & ~BLINK);
        const msr = mem.read8(BDA.VIDEO_MSR);
        mem.write8(BDA.VIDEO_MSR, (frame.bl & 1) !== 0 ? msr | 0x20 : msr & ~0x20);
        break;
      }
      case 0x07:
        frame.bh = frame.bl <= COLOUR_SELECT ? vga.readAttribute(frame.bl) : 0;
        break;
      case 0x08:
        frame.bh = vga.readAttribute(OVERSCAN);
        break;
      case 0x09:
        for (let i = 0; i < 16; i++) mem.write8(buffer + i, vga.readAttribute(i));
        mem.write8(buffer + 16, vga.readAttribute(OVERSCAN));
        break;
      case 0x10:
        vga.writeDac(frame.bx & 0xff, frame.dh, frame.ch, frame.cl);
        break;
      case 0x12:
        this.loadBlock(frame, buffer);
        break;
      case 0x13:
        this.selectPage(frame);
        break;
      case 0x15: {
        const [r, g, b] = vga.readDac(frame.bx & 0xff);
        frame.dh = r;
        frame.ch = g;
        frame.cl = b;
        break;
      }
      case 0x17:
        for (let i = 0; i < Math.min(frame.cx, 256); i++)
          mem.write(buffer + i * 3, Uint8Array.from(vga.readDac((frame.bx + i) & 0xff)));
        break;
      case 0x18:
        vga.dacMask = frame.bl;
        break;
      case 0x19:
        frame.bl = vga.dacMask;
        break;
      case 0x1a: {
        const pages16 = (vga.readAttribute(MODE_CONTROL) & PALETTE_16_PAGES) !== 0;
        const select = vga.readAttribute(COLOUR_SELECT);
        frame.bl = pages16 ? 1 : 0;
        frame.bh = pages16 ? select & 0x0f : (select >> 2) & 3;
        break;
      }
      case 0x1b:
        this.sumToGrey(frame.bx & 0xff, Math.min(frame.cx, 256));
        break;
      default:
        break;
    }
  }

  private loadBlock(frame: Frame, buffer: number): void {
    const colours = new Uint8Array(Math.min(frame.cx, 256) * 3);
    this.mem.read(buffer, colours);
    this.vga.loadDac(frame.bx & 0xff, colours);
  }

  private selectPage(frame: Frame): void {
    const { vga } = this;
    const control = vga.readAttribute(MODE_CONTROL);
    if (frame.bl === 0) vga.writeAttribute(MODE_CONTROL, (control & 0x7f) | ((frame.bh & 1) << 7));
    else if (frame.bl === 1)
      vga.writeAttribute(COLOUR_SELECT, (control & PALETTE_16_PAGES) !== 0 ? frame.bh & 0x0f : (frame.bh & 3) << 2);
  }

  sumToGrey(first: number, count: number): void {
    for (let i = 0; i < count; i++) {
      const index = (first + i) & 0xff;
      const [r, g, b] = this.vga.readDac(index);
      const grey = luminance(r, g, b);
      this.vga.writeDac(index, grey, grey, grey);
    }
  }
}
