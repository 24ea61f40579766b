// INT 10h/12h (alternate select), 1Ah (display combination), 1Bh (functionality and state) and 1Ch (save and restore).

import { BDA } from '../data-area.ts';
import type { Frame } from '../frame.ts';
import { type GuestMemory, linear } from '../guest-memory.ts';
import { videoMode } from './mode-table.ts';
import type { VgaPorts } from './vga-ports.ts';
import type { VgaRom } from './vga-rom.ts';

const SUPPORTED_12 = 0x12;
const DCC_VGA_COLOUR = 0x08;
const MODE_CONTROL_VGA = 0x01;
const BLOCK_BYTES = 64;
/** 1Ch states: bit 0 hardware, bit 1 data areas, bit 2 DAC. */
const HARDWARE_BYTES = 0x46;
const DAC_BYTES = 3 + 256 * 3;

/** Video fields of the data area and the vectors of print screen, parameters and fonts. */
const DATA_RANGES: readonly (readonly [number, number])[] = [
  [BDA.EQUIPMENT, 2],
  [BDA.VIDEO_MODE, 0x1e],
  [BDA.VIDEO_ROWS, 7],
  [BDA.VIDEO_SAVE_POINTER, 4],
  [5 * 4, 4],
  [0x1d * 4, 4],
  [0x1f * 4, 4],
  [0x43 * 4, 4],
  [BDA.PRINT_SCREEN_STATUS, 1],
];
const DATA_BYTES = DATA_RANGES.reduce((sum, [, count]) => sum + count, 0);

export class StateServices {
  private readonly mem: GuestMemory;
  private readonly vga: VgaPorts;
  private readonly rom: VgaRom;

  constructor(mem: GuestMemory, vga: VgaPorts, rom: VgaRom) {
    this.mem = mem;
    this.vga = vga;
    this.rom = rom;
  }

  alternateSelect(frame: Frame): void {
    const { mem } = this;
    const control = mem.read8(BDA.MODE_SET_CONTROL);
    const setBit = (bit: number, on: boolean): void => {
      mem.write8(BDA.MODE_SET_CONTROL, on ? control | bit : control & ~bit);
      frame.al = SUPPORTED_12;
    };
    switch (frame.bl) {
      case 0x10:
        // Colour, 256 KiB, feature bits and switches.
        frame.bx = (mem.read16(BDA.CRTC_PORT) === 0x3b4 ? 0x100 : 0) | 3;
        frame.ch = mem.read8(BDA.VIDEO_SWITCHES) >> 4;
        frame.cl = mem.read8(BDA.VIDEO_SWITCHES) & 0x0f;
        return;
      case 0x30:
        if (frame.al > 2) return;
        mem.write8(BDA.MODE_SET_CONTROL, (control & ~0x90) | ([0x80, 0x00, 0x10][frame.al] ?? 0));
        mem.write8(BDA.VIDEO_SWITCHES, (mem.read8(BDA.VIDEO_SWITCHES) & 0xf0) | (frame.al === 0 ? 0x08 : 0x09));
        frame.al = SUPPORTED_12;
        return;
      case 0x31:
        if (frame.al < 2) setBit(0x08, frame.al === 1);
        return;
      case 0x32: {
        if (frame.al > 1) return;
        const misc = this.vga.readMiscellaneous();
        this.vga.writeMiscellaneous(frame.al === 0 ? misc | 2 : misc & ~2);
        frame.al = SUPPORTED_12;
        return;
      }
      case 0x33:
        if (frame.al < 2) setBit(0x02, frame.al === 0);
        return;
      case 0x34: {
        if (frame.al > 1) return;
        const video = mem.read8(BDA.VIDEO_CONTROL);
        mem.write8(BDA.VIDEO_CONTROL, frame.al === 0 ? video & ~1 : video | 1);
        frame.al = SUPPORTED_12;
        return;
      }
      case 0x35:
        frame.al = SUPPORTED_12;
        return;
      case 0x36:
        if (frame.al > 1) return;
        this.vga.setScreenOff(frame.al === 1);
        frame.al = SUPPORTED_12;
        return;
      default:
    }
  }

  displayCombination(frame: Frame): void {
    if (frame.al === 0) {
      frame.bl = DCC_VGA_COLOUR;
      frame.bh = 0;
      frame.al = 0x1a;
    } else if (frame.al === 1) {
      this.mem.write8(BDA.DISPLAY_COMBINATION, 0x0b);
      frame.al = 0x1a;
    }
  }

  /** 1Bh: 64 bytes about what is set and what can be set. */
  functionality(frame: Frame): void {
    if (frame.bx !== 0) return;
    const { mem, rom } = this;
    const out = new Uint8Array(BLOCK_BYTES);
    const view = new DataView(out.buffer);
    const table = rom.address('static_functionality');
    view.setUint16(0, table.offset, true);
    view.setUint16(2, table.segment, true);
    // 40:49 to 40:66 and 40:84 to 40:86 as they are.
    mem.read(BDA.VIDEO_MODE, out.subarray(4, 4 + 0x1e));
    mem.read(BDA.VIDEO_ROWS, out.subarray(0x22, 0x25));
    const mode = videoMode(mem.read8(BDA.VIDEO_MODE) & 0x7f);
    out[0x25] = DCC_VGA_COLOUR;
    const colours: Record<string, number> = { text: 16, planar: 16, cga2: 4, cga1: 2, linear: 256 };
    view.setUint16(0x27, mode === undefined ? 0 : (colours[mode.kind] as number), true);
    out[0x29] = mode?.pages ?? 1;
    const lines = (mode?.rows ?? 25) * mem.read16(BDA.CHARACTER_HEIGHT);
    out[0x2a] = lines > 400 ? 3 : lines > 350 ? 2 : lines > 200 ? 1 : 0;
    const control = mem.read8(BDA.MODE_SET_CONTROL);
    out[0x2d] =
      MODE_CONTROL_VGA |
      ((control & 0x02) !== 0 ? 0x02 : 0) |
      ((control & 0x08) !== 0 ? 0x08 : 0) |
      ((mem.read8(BDA.VIDEO_MSR) & 0x20) !== 0 ? 0x20 : 0);
    // 256 KiB of video memory.
    out[0x31] = 3;
    mem.write(linear(frame.es, frame.di), out);
    frame.al = 0x1b;
  }

  /** Bytes of the states in `mask`. */
  private sizeOf(mask: number): number {
    return (
      ((mask & 1) !== 0 ? HARDWARE_BYTES : 0) + ((mask & 2) !== 0 ? DATA_BYTES : 0) + ((mask & 4) !== 0 ? DAC_BYTES : 0)
    );
  }

  saveRestore(frame: Frame): void {
    const mask = frame.cx & 7;
    if (frame.al > 2 || mask === 0) return;
    if (frame.al === 0) frame.bx = Math.ceil(this.sizeOf(mask) / BLOCK_BYTES);
    else if (frame.al === 1) this.mem.write(linear(frame.es, frame.bx), this.save(mask));
    else {
      const saved = new Uint8Array(this.sizeOf(mask));
      this.mem.read(linear(frame.es, frame.bx), saved);
      this.restore(mask, saved);
    }
    frame.al = 0x1c;
  }

  /** The states in `mask` as bytes; VBE function 04h uses them too. */
  save(mask: number): Uint8Array {
    const { mem, vga } = this;
    const out: number[] = [];
    if ((mask & 1) !== 0) {
      const from = out.length;
      for (let i = 0; i < 5; i++) out.push(vga.readSequencer(i));
      for (let i = 0; i < 25; i++) out.push(vga.readCrtc(i));
      for (let i = 0; i < 20; i++) out.push(vga.readAttribute(i));
      for (let i = 0; i < 9; i++) out.push(vga.readGraphics(i));
      out.push(vga.readMiscellaneous());
      while (out.length < from + HARDWARE_BYTES) out.push(0);
    }
    if ((mask & 2) !== 0) {
      for (const [first, count] of DATA_RANGES) for (let i = 0; i < count; i++) out.push(mem.read8(first + i));
    }
    if ((mask & 4) !== 0) {
      out.push(vga.dacMask, vga.readAttribute(0x14), 0);
      for (let i = 0; i < 256; i++) out.push(...vga.readDac(i));
    }
    return Uint8Array.from(out);
  }

  restore(mask: number, saved: Uint8Array): void {
    const { mem, vga } = this;
    let at = 0;
    if ((mask & 1) !== 0) {
      const part = saved.subarray(at, at + HARDWARE_BYTES);
      vga.program(
        {
          sequencer: part.subarray(1, 5),
          crtc: part.subarray(5, 30),
          attribute: part.subarray(30, 50),
          graphics: part.subarray(50, 59),
          miscellaneous: part[59] ?? 0,
        },
        false,
      );
      at += HARDWARE_BYTES;
    }
    if ((mask & 2) !== 0) {
      for (const [first, count] of DATA_RANGES) {
        mem.write(first, saved.slice(at, at + count));
        at += count;
      }
    }
    if ((mask & 4) !== 0) {
      vga.dacMask = saved[at] ?? 0xff;
      vga.writeAttribute(0x14, saved[at + 1] ?? 0);
      vga.loadDac(0, saved.subarray(at + 3, at + DAC_BYTES));
    }
  }
}
