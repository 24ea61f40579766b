// VESA BIOS Extension 3.0 (INT 10h/4Fxx) on the Bochs dispi interface: linear and banked modes, panning, DAC width, DPMS,
// DDC. Not offered: custom CRTC timings, stereo, scheduled flips (4F07h/02h), refresh rates.

import type { BiosContext } from '../context.ts';
import { BDA, EBDA } from '../data-area.ts';
import type { Frame } from '../frame.ts';
import { linear } from '../guest-memory.ts';
import { ACTION_DONE } from '../rom/trap.ts';
import { PciConfig } from '../services/pci-config.ts';
import {
  BANK,
  BPP,
  DAC_8BIT,
  Dispi,
  ENABLE,
  ENABLED,
  LFB,
  NO_CLEAR,
  VIRT_WIDTH,
  X_OFFSET,
  XRES,
  Y_OFFSET,
  YRES,
} from './dispi.ts';
import type { ModeSetter } from './mode-set.ts';
import { StateServices } from './state-services.ts';
import { FAILED, fits, MODE_BITS, OK, VbeInformation } from './vbe-information.ts';
import { lineBytes, VBE_MODES, type VbeMode } from './vbe-modes.ts';
import type { VgaPorts } from './vga-ports.ts';
import type { VgaRom } from './vga-rom.ts';

const NOT_IN_MODE = 0x034f;
const REQUEST_LFB = 0x4000;
const REQUEST_KEEP = 0x8000;
const REQUEST_CRTC = 0x0800;
/** States of 4F04h that are the VGA's; bit 3 is the adapter's own. */
const VGA_STATES = 7;
const ADAPTER_STATE = 8;
const SAVED_REGISTERS = [XRES, YRES, BPP, ENABLE, BANK, VIRT_WIDTH, X_OFFSET, Y_OFFSET];
const ADAPTER_BYTES = SAVED_REGISTERS.length * 2 + 2;
const STATE_BLOCK = 64;
const MAX_DAC_ENTRIES = 256;

export class Vbe {
  readonly dispi: Dispi;
  /** Set by the video BIOS: VGA modes by 4F02h. */
  modes: ModeSetter | undefined;
  private readonly bios: BiosContext;
  private readonly vga: VgaPorts;
  private readonly rom: VgaRom;
  private readonly state: StateServices;
  private readonly about: VbeInformation;

  constructor(bios: BiosContext, vga: VgaPorts, rom: VgaRom) {
    this.bios = bios;
    this.vga = vga;
    this.rom = rom;
    this.state = new StateServices(bios.mem, vga, rom);
    this.dispi = new Dispi(bios.ports);
    this.about = new VbeInformation(bios.mem, this.dispi, new PciConfig(bios.ports), rom);
  }

  private get current(): VbeMode | undefined {
    const number = this.bios.mem.read16(EBDA.VBE_MODE) & MODE_BITS;
    return number === 0 ? undefined : VBE_MODES.find((mode) => mode.number === number);
  }

  handle(frame: Frame): number {
    if (!this.dispi.present) return ACTION_DONE;
    frame.ax = this.dispatch(frame);
    return ACTION_DONE;
  }

  private dispatch(frame: Frame): number {
    switch (frame.al) {
      case 0x00:
        return this.about.information(frame);
      case 0x01:
        return this.about.modeInformation(frame);
      case 0x02:
        return this.setMode(frame);
      case 0x03:
        return this.getMode(frame);
      case 0x04:
        return this.saveRestore(frame);
      case 0x05:
        return this.window(frame);
      case 0x06:
        return this.scanLine(frame);
      case 0x07:
        return this.displayStart(frame);
      case 0x08:
        return this.dacWidth(frame);
      case 0x09:
        return this.paletteData(frame);
      case 0x0a:
        return this.protectedMode(frame);
      case 0x10:
        return this.power(frame);
      case 0x15:
        return this.ddc(frame);
      default:
        return 0x0100;
    }
  }

  private setMode(frame: Frame): number {
    const request = frame.bx;
    const number = request & MODE_BITS;
    if ((request & REQUEST_CRTC) !== 0) this.bios.log.log('debug', 'VBE custom timings ignored');
    if (number < 0x100)
      return this.modes?.set((request & 0x7f) | ((request & REQUEST_KEEP) !== 0 ? 0x80 : 0)) === true ? OK : FAILED;
    const mode = VBE_MODES.find((entry) => entry.number === number);
    if (mode === undefined || !fits(mode, this.dispi)) return FAILED;
    const planar = mode.bitsPerPixel === 4;
    if (planar && (request & REQUEST_LFB) !== 0) return FAILED;
    const keep = (request & REQUEST_KEEP) !== 0;
    // The VGA's own registers for the window at A0000 and the palette; the picture comes from the dispi registers.
    this.modes?.set((planar ? 0x12 : 0x13) | 0x80);
    this.dispi.write(ENABLE, 0);
    this.dispi.write(BPP, mode.bitsPerPixel);
    this.dispi.write(XRES, mode.width & ~7);
    this.dispi.write(YRES, mode.height);
    this.dispi.write(BANK, 0);
    this.dispi.write(ENABLE, ENABLED | ((request & REQUEST_LFB) !== 0 ? LFB : 0) | (keep ? NO_CLEAR : 0));
    this.updateDataArea(mode, keep);
    this.bios.mem.write16(EBDA.VBE_MODE, number | (request & REQUEST_LFB) | (keep ? REQUEST_KEEP : 0));
    return OK;
  }

  private updateDataArea(mode: VbeMode, keep: boolean): void {
    const { mem } = this.bios;
    mem.write16(BDA.VIDEO_COLUMNS, mode.width >> 3);
    mem.write8(BDA.VIDEO_ROWS, (mode.height >> 4) - 1);
    mem.write16(BDA.CHARACTER_HEIGHT, 16);
    mem.write16(BDA.VIDEO_PAGE_BYTES, (lineBytes(mode) * mode.height) & 0xffff);
    mem.write8(BDA.VIDEO_CONTROL, 0x60 | (keep ? 0x80 : 0));
    this.modes?.setFontVectors(16);
  }

  private getMode(frame: Frame): number {
    const vbe = this.bios.mem.read16(EBDA.VBE_MODE);
    frame.bx = vbe !== 0 ? vbe : this.bios.mem.read8(BDA.VIDEO_MODE) & 0x7f;
    return OK;
  }

  private saveRestore(frame: Frame): number {
    const { mem } = this.bios;
    const mask = frame.cx & 0x0f;
    const vgaBytes = this.state.save(mask & VGA_STATES);
    const bytes = vgaBytes.length + ((mask & ADAPTER_STATE) !== 0 ? ADAPTER_BYTES : 0);
    const address = linear(frame.es, frame.bx);
    switch (frame.dl) {
      case 0x00:
        frame.bx = Math.ceil(bytes / STATE_BLOCK);
        return OK;
      case 0x01: {
        const out = new Uint8Array(bytes);
        out.set(vgaBytes);
        if ((mask & ADAPTER_STATE) !== 0) this.saveAdapter(new DataView(out.buffer, vgaBytes.length));
        mem.write(address, out);
        return OK;
      }
      case 0x02: {
        const saved = new Uint8Array(bytes);
        mem.read(address, saved);
        if ((mask & ADAPTER_STATE) !== 0) this.dispi.write(ENABLE, 0);
        this.state.restore(mask & VGA_STATES, saved);
        if ((mask & ADAPTER_STATE) !== 0) this.restoreAdapter(new DataView(saved.buffer, vgaBytes.length));
        return OK;
      }
      default:
        return FAILED;
    }
  }

  private saveAdapter(view: DataView): void {
    SAVED_REGISTERS.forEach((index, i) => view.setUint16(i * 2, this.dispi.read(index), true));
    view.setUint16(SAVED_REGISTERS.length * 2, this.bios.mem.read16(EBDA.VBE_MODE), true);
  }

  private restoreAdapter(view: DataView): void {
    const enable = view.getUint16(SAVED_REGISTERS.indexOf(ENABLE) * 2, true);
    this.bios.mem.write16(EBDA.VBE_MODE, view.getUint16(SAVED_REGISTERS.length * 2, true));
    if ((enable & ENABLED) === 0) return;
    const value = (index: number): number => view.getUint16(SAVED_REGISTERS.indexOf(index) * 2, true);
    for (const index of [BPP, XRES, YRES]) this.dispi.write(index, value(index));
    this.dispi.write(ENABLE, enable | NO_CLEAR);
    for (const index of [BANK, VIRT_WIDTH, X_OFFSET, Y_OFFSET]) this.dispi.write(index, value(index));
  }

  private window(frame: Frame): number {
    if (this.current === undefined) return NOT_IN_MODE;
    if (frame.bl !== 0) return FAILED;
    if (frame.bh === 0) {
      if (frame.dx * 0x10000 >= this.dispi.memoryBytes) return FAILED;
      this.dispi.write(BANK, frame.dx);
      return OK;
    }
    if (frame.bh !== 1) return FAILED;
    frame.dx = this.dispi.read(BANK);
    return OK;
  }

  private scanLine(frame: Frame): number {
    const mode = this.current;
    if (mode === undefined) return NOT_IN_MODE;
    const bytesPerPixel = (mode.bitsPerPixel + 7) >> 3;
    const planar = mode.bitsPerPixel === 4;
    const toBytes = (pixels: number): number => (planar ? pixels >> 3 : pixels * bytesPerPixel);
    if (frame.bl === 0 || frame.bl === 2) {
      const pixels = frame.bl === 0 ? frame.cx : planar ? frame.cx * 8 : Math.ceil(frame.cx / bytesPerPixel);
      const width = (pixels + 7) & ~7;
      if (width < (mode.width & ~7) || toBytes(width) * (planar ? 4 : 1) * mode.height > this.dispi.memoryBytes)
        return 0x024f;
      this.dispi.write(VIRT_WIDTH, width);
    } else if (frame.bl === 3) {
      const most = Math.floor(this.dispi.memoryBytes / (planar ? 4 : 1) / mode.height);
      frame.bx = Math.min(most, 0xffff);
      frame.cx = Math.min(planar ? most * 8 : Math.floor(most / bytesPerPixel), 0xfff8);
      return OK;
    } else if (frame.bl !== 1) return FAILED;
    const width = this.dispi.read(VIRT_WIDTH);
    frame.bx = toBytes(width);
    frame.cx = width;
    frame.dx = Math.min(0xffff, Math.floor(this.dispi.memoryBytes / Math.max(1, toBytes(width) * (planar ? 4 : 1))));
    return OK;
  }

  private displayStart(frame: Frame): number {
    if (this.current === undefined) return NOT_IN_MODE;
    switch (frame.bl) {
      case 0x00:
      case 0x80:
        this.dispi.write(X_OFFSET, frame.cx);
        this.dispi.write(Y_OFFSET, frame.dx);
        return this.dispi.read(X_OFFSET) === (frame.cx & ~7) || this.dispi.read(X_OFFSET) === frame.cx ? OK : FAILED;
      case 0x01:
        frame.bh = 0;
        frame.cx = this.dispi.read(X_OFFSET);
        frame.dx = this.dispi.read(Y_OFFSET);
        return OK;
      default:
        return FAILED;
    }
  }

  private dacWidth(frame: Frame): number {
    const mode = this.current;
    if (mode === undefined || mode.bitsPerPixel > 8) return NOT_IN_MODE;
    const enable = this.dispi.read(ENABLE);
    if (frame.bl === 0) this.dispi.write(ENABLE, (frame.bh >= 8 ? enable | DAC_8BIT : enable & ~DAC_8BIT) | NO_CLEAR);
    else if (frame.bl !== 1) return FAILED;
    frame.bh = (this.dispi.read(ENABLE) & DAC_8BIT) !== 0 ? 8 : 6;
    return OK;
  }

  private paletteData(frame: Frame): number {
    const { mem } = this.bios;
    const address = linear(frame.es, frame.di);
    const count = Math.min(frame.cx, MAX_DAC_ENTRIES);
    if (frame.dx + count > MAX_DAC_ENTRIES) return FAILED;
    if (frame.bl === 0x00 || frame.bl === 0x80) {
      const entries = new Uint8Array(count * 4);
      mem.read(address, entries);
      for (let i = 0; i < count; i++) {
        this.vga.writeDac(
          frame.dx + i,
          entries[i * 4 + 2] as number,
          entries[i * 4 + 1] as number,
          entries[i * 4] as number,
        );
      }
      return OK;
    }
    if (frame.bl !== 0x01) return FAILED;
    const out = new Uint8Array(count * 4);
    for (let i = 0; i < count; i++) {
      const [r, g, b] = this.vga.readDac(frame.dx + i);
      out.set([b, g, r, 0], i * 4);
    }
    mem.write(address, out);
    return OK;
  }

  private protectedMode(frame: Frame): number {
    if (frame.bl !== 0) return FAILED;
    const { offset, length } = this.rom.protectedMode;
    frame.es = this.rom.font16.segment;
    frame.di = offset;
    frame.cx = length;
    return OK;
  }

  /** 4F10h: display power management; every state but "on" blanks the screen. */
  private power(frame: Frame): number {
    switch (frame.bl) {
      case 0x00:
        frame.bl = 0x10;
        frame.bh = 0x07;
        return OK;
      case 0x01:
        this.vga.setScreenOff(frame.bh !== 0);
        return OK;
      case 0x02:
        frame.bh = (this.vga.readSequencer(1) & 0x20) !== 0 ? 4 : 0;
        return OK;
      default:
        return FAILED;
    }
  }

  private ddc(frame: Frame): number {
    const { edid } = this.bios.options;
    if (edid === undefined) return 0x0100;
    if (frame.bl === 0x00) {
      // DDC2, at most one second to read.
      frame.bx = 0x0102;
      return OK;
    }
    if (frame.bl !== 0x01 || frame.dx !== 0) return FAILED;
    this.bios.mem.write(linear(frame.es, frame.di), edid.subarray(0, 128));
    return OK;
  }
}
