// VESA BIOS Extension 3.0 (INT 10h/4Fxx) on the Bochs dispi interface: linear and banked modes, panning, DAC width, DPMS,
// DDC. Not offered: custom CRTC timings, stereo, scheduled flips (4F07h/02h), refresh rates.

import type { BiosContext } from '../context.ts';
import { BDA, EBDA } from '../data-area.ts';
import type { Frame } from '../frame.ts';
import { linear } from '../guest-memory.ts';
import { ACTION_DONE } from '../rom/trap.ts';
import { PciConfig } from '../services/pci-config.ts';
import type { DispiControl, ModeSetter } from './mode-set.ts';
import { StateServices } from './state-services.ts';
import { imageBytes, lineBytes, VBE_MODES, type VbeMode } from './vbe-modes.ts';
import type { VgaPorts } from './vga-ports.ts';
import type { VgaRom } from './vga-rom.ts';

const INDEX_PORT = 0x1ce;
const DATA_PORT = 0x1cf;
const XRES = 1;
const YRES = 2;
const BPP = 3;
const ENABLE = 4;
const BANK = 5;
const VIRT_WIDTH = 6;
const X_OFFSET = 8;
const Y_OFFSET = 9;
const MEMORY_64K = 0xa;
const ENABLED = 0x01;
const DAC_8BIT = 0x20;
const LFB = 0x40;
const NO_CLEAR = 0x80;
const ID_MASK = 0xfff0;
const ID = 0xb0c0;

const OK = 0x004f;
const FAILED = 0x014f;
const NOT_IN_MODE = 0x034f;
const REQUEST_LFB = 0x4000;
const REQUEST_KEEP = 0x8000;
const REQUEST_CRTC = 0x0800;
const MODE_BITS = 0x01ff;
/** States of 4F04h that are the VGA's; bit 3 is the adapter's own. */
const VGA_STATES = 7;
const ADAPTER_STATE = 8;
const SAVED_REGISTERS = [XRES, YRES, BPP, ENABLE, BANK, VIRT_WIDTH, X_OFFSET, Y_OFFSET];
const ADAPTER_BYTES = SAVED_REGISTERS.length * 2 + 2;
const STATE_BLOCK = 64;
const CLASS_VGA = 0x030000;
const DEFAULT_LFB = 0xe0000000;
const MAX_DAC_ENTRIES = 256;

/** Mask sizes and positions of red, green, blue and reserved bits. */
const MASKS: Record<number, readonly number[]> = {
  15: [5, 10, 5, 5, 5, 0, 1, 15],
  16: [5, 11, 6, 5, 5, 0, 0, 0],
  24: [8, 16, 8, 8, 8, 0, 0, 0],
  32: [8, 16, 8, 8, 8, 0, 8, 24],
};

export class Vbe implements DispiControl {
  /** Set by the video BIOS: VGA modes by 4F02h. */
  modes: ModeSetter | undefined;
  private readonly bios: BiosContext;
  private readonly vga: VgaPorts;
  private readonly rom: VgaRom;
  private readonly state: StateServices;
  private readonly pci: PciConfig;

  constructor(bios: BiosContext, vga: VgaPorts, rom: VgaRom) {
    this.bios = bios;
    this.vga = vga;
    this.rom = rom;
    this.state = new StateServices(bios.mem, vga, rom);
    this.pci = new PciConfig(bios.ports);
  }

  private readRegister(index: number): number {
    this.bios.ports.write(INDEX_PORT, 2, index);
    return this.bios.ports.read(DATA_PORT, 2);
  }

  private writeRegister(index: number, value: number): void {
    this.bios.ports.write(INDEX_PORT, 2, index);
    this.bios.ports.write(DATA_PORT, 2, value);
  }

  /** True when the adapter has the dispi interface. */
  get present(): boolean {
    return (this.readRegister(0) & ID_MASK) === ID;
  }

  get memoryBytes(): number {
    return this.readRegister(MEMORY_64K) * 0x10000;
  }

  disable(): void {
    if (this.present) this.writeRegister(ENABLE, 0);
  }

  private get current(): VbeMode | undefined {
    const number = this.bios.mem.read16(EBDA.VBE_MODE) & MODE_BITS;
    return number === 0 ? undefined : VBE_MODES.find((mode) => mode.number === number);
  }

  private fits(mode: VbeMode): boolean {
    return imageBytes(mode) <= this.memoryBytes;
  }

  private lfbAddress(): number {
    for (const { place } of this.pci.functions()) {
      if (this.pci.read(place, 0x08, 4) >>> 8 !== CLASS_VGA) continue;
      const bar = this.pci.read(place, 0x10, 4);
      return bar === 0 ? DEFAULT_LFB : (bar & 0xfffffff0) >>> 0;
    }
    return DEFAULT_LFB;
  }

  handle(frame: Frame): number {
    if (!this.present) return ACTION_DONE;
    frame.ax = this.dispatch(frame);
    return ACTION_DONE;
  }

  private dispatch(frame: Frame): number {
    switch (frame.al) {
      case 0x00:
        return this.information(frame);
      case 0x01:
        return this.modeInformation(frame);
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

  private information(frame: Frame): number {
    const { mem } = this.bios;
    const address = linear(frame.es, frame.di);
    const request = mem.read32(address);
    // "VBE2"
    const version2 = request === 0x32454256;
    const block = new Uint8Array(version2 ? 512 : 256);
    const view = new DataView(block.buffer);
    const pointer = (at: number, name: string): void => {
      const { segment, offset } = this.rom.address(name);
      view.setUint16(at, offset, true);
      view.setUint16(at + 2, segment, true);
    };
    block.set([0x56, 0x45, 0x53, 0x41]);
    view.setUint16(4, 0x0300, true);
    pointer(6, 'oem_string');
    // The DAC can be switched to 8 bits.
    view.setUint32(10, 1, true);
    const list = 0x22;
    view.setUint16(14, (frame.di + list) & 0xffff, true);
    view.setUint16(16, frame.es, true);
    view.setUint16(18, this.readRegister(MEMORY_64K), true);
    if (version2) {
      view.setUint16(20, 0x0100, true);
      pointer(22, 'vendor_string');
      pointer(26, 'product_string');
      pointer(30, 'revision_string');
    }
    let at = list;
    for (const mode of VBE_MODES) {
      if (!this.fits(mode) || at > 250) continue;
      view.setUint16(at, mode.number, true);
      at += 2;
    }
    view.setUint16(at, 0xffff, true);
    mem.write(address, block);
    return OK;
  }

  private modeInformation(frame: Frame): number {
    const mode = VBE_MODES.find((entry) => entry.number === (frame.cx & MODE_BITS));
    if (mode === undefined || !this.fits(mode)) return FAILED;
    const block = new Uint8Array(256);
    const view = new DataView(block.buffer);
    const planar = mode.bitsPerPixel === 4;
    const stride = lineBytes(mode);
    const images = Math.min(255, Math.max(1, Math.floor(this.memoryBytes / imageBytes(mode)))) - 1;
    // Supported, extended information, colour, graphics; BIOS text output in planes; linear frame buffer otherwise.
    view.setUint16(0, planar ? 0x1f : 0x9b, true);
    block[2] = 7;
    view.setUint16(4, 64, true);
    view.setUint16(6, 64, true);
    view.setUint16(8, 0xa000, true);
    const windowFunction = this.rom.address('window_function');
    view.setUint16(12, windowFunction.offset, true);
    view.setUint16(14, windowFunction.segment, true);
    view.setUint16(16, stride, true);
    view.setUint16(18, mode.width & ~7, true);
    view.setUint16(20, mode.height, true);
    block[22] = 8;
    block[23] = 16;
    block[24] = planar ? 4 : 1;
    block[25] = mode.bitsPerPixel;
    block[26] = 1;
    block[27] = planar ? 3 : mode.bitsPerPixel === 8 ? 4 : 6;
    block[29] = images;
    block[30] = 1;
    const masks = MASKS[mode.bitsPerPixel];
    if (masks !== undefined) {
      block.set(masks, 31);
      // The DAC is programmable only in 8 bits; reserved bits of 15 and 32 bits may be used.
      block[39] = 2;
    }
    if (!planar) view.setUint32(40, this.lfbAddress(), true);
    view.setUint16(50, planar ? 0 : stride, true);
    block[52] = images;
    block[53] = images;
    if (masks !== undefined) block.set(masks, 54);
    view.setUint32(62, 230_000_000, true);
    this.bios.mem.write(linear(frame.es, frame.di), block);
    return OK;
  }

  private setMode(frame: Frame): number {
    const request = frame.bx;
    const number = request & MODE_BITS;
    if ((request & REQUEST_CRTC) !== 0) this.bios.log.log('debug', 'VBE custom timings ignored');
    if (number < 0x100)
      return this.modes?.set((request & 0x7f) | ((request & REQUEST_KEEP) !== 0 ? 0x80 : 0)) === true ? OK : FAILED;
    const mode = VBE_MODES.find((entry) => entry.number === number);
    if (mode === undefined || !this.fits(mode)) return FAILED;
    const planar = mode.bitsPerPixel === 4;
    if (planar && (request & REQUEST_LFB) !== 0) return FAILED;
    const keep = (request & REQUEST_KEEP) !== 0;
    // The VGA's own registers for the window at A0000 and the palette; the picture comes from the dispi registers.
    this.modes?.set((planar ? 0x12 : 0x13) | 0x80);
    this.writeRegister(ENABLE, 0);
    this.writeRegister(BPP, mode.bitsPerPixel);
    this.writeRegister(XRES, mode.width & ~7);
    this.writeRegister(YRES, mode.height);
    this.writeRegister(BANK, 0);
    this.writeRegister(ENABLE, ENABLED | ((request & REQUEST_LFB) !== 0 ? LFB : 0) | (keep ? NO_CLEAR : 0));
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
        if ((mask & ADAPTER_STATE) !== 0) this.writeRegister(ENABLE, 0);
        this.state.restore(mask & VGA_STATES, saved);
        if ((mask & ADAPTER_STATE) !== 0) this.restoreAdapter(new DataView(saved.buffer, vgaBytes.length));
        return OK;
      }
      default:
        return FAILED;
    }
  }

  private saveAdapter(view: DataView): void {
    SAVED_REGISTERS.forEach((index, i) => view.setUint16(i * 2, this.readRegister(index), true));
    view.setUint16(SAVED_REGISTERS.length * 2, this.bios.mem.read16(EBDA.VBE_MODE), true);
  }

  private restoreAdapter(view: DataView): void {
    const enable = view.getUint16(SAVED_REGISTERS.indexOf(ENABLE) * 2, true);
    this.bios.mem.write16(EBDA.VBE_MODE, view.getUint16(SAVED_REGISTERS.length * 2, true));
    if ((enable & ENABLED) === 0) return;
    const value = (index: number): number => view.getUint16(SAVED_REGISTERS.indexOf(index) * 2, true);
    for (const index of [BPP, XRES, YRES]) this.writeRegister(index, value(index));
    this.writeRegister(ENABLE, enable | NO_CLEAR);
    for (const index of [BANK, VIRT_WIDTH, X_OFFSET, Y_OFFSET]) this.writeRegister(index, value(index));
  }

  private window(frame: Frame): number {
    if (this.current === undefined) return NOT_IN_MODE;
    if (frame.bl !== 0) return FAILED;
    if (frame.bh === 0) {
      if (frame.dx * 0x10000 >= this.memoryBytes) return FAILED;
      this.writeRegister(BANK, frame.dx);
      return OK;
    }
    if (frame.bh !== 1) return FAILED;
    frame.dx = this.readRegister(BANK);
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
      if (width < (mode.width & ~7) || toBytes(width) * (planar ? 4 : 1) * mode.height > this.memoryBytes)
        return 0x024f;
      this.writeRegister(VIRT_WIDTH, width);
    } else if (frame.bl === 3) {
      const most = Math.floor(this.memoryBytes / (planar ? 4 : 1) / mode.height);
      frame.bx = Math.min(most, 0xffff);
      frame.cx = Math.min(planar ? most * 8 : Math.floor(most / bytesPerPixel), 0xfff8);
      return OK;
    } else if (frame.bl !== 1) return FAILED;
    const width = this.readRegister(VIRT_WIDTH);
    frame.bx = toBytes(width);
    frame.cx = width;
    frame.dx = Math.min(0xffff, Math.floor(this.memoryBytes / Math.max(1, toBytes(width) * (planar ? 4 : 1))));
    return OK;
  }

  private displayStart(frame: Frame): number {
    if (this.current === undefined) return NOT_IN_MODE;
    switch (frame.bl) {
      case 0x00:
      case 0x80:
        this.writeRegister(X_OFFSET, frame.cx);
        this.writeRegister(Y_OFFSET, frame.dx);
        return this.readRegister(X_OFFSET) === (frame.cx & ~7) || this.readRegister(X_OFFSET) === frame.cx
          ? OK
          : FAILED;
      case 0x01:
        frame.bh = 0;
        frame.cx = this.readRegister(X_OFFSET);
        frame.dx = this.readRegister(Y_OFFSET);
        return OK;
      default:
        return FAILED;
    }
  }

  private dacWidth(frame: Frame): number {
    const mode = this.current;
    if (mode === undefined || mode.bitsPerPixel > 8) return NOT_IN_MODE;
    const enable = this.readRegister(ENABLE);
    if (frame.bl === 0) this.writeRegister(ENABLE, (frame.bh >= 8 ? enable | DAC_8BIT : enable & ~DAC_8BIT) | NO_CLEAR);
    else if (frame.bl !== 1) return FAILED;
    frame.bh = (this.readRegister(ENABLE) & DAC_8BIT) !== 0 ? 8 : 6;
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
