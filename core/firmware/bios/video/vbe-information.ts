// VBE functions 00h and 01h: what the adapter is and what its modes are like.

import type { Frame } from '../frame.ts';
import { type GuestMemory, linear } from '../guest-memory.ts';
import type { PciConfig } from '../services/pci-config.ts';
import type { Dispi } from './dispi.ts';
import { imageBytes, lineBytes, VBE_MODES, type VbeMode } from './vbe-modes.ts';
import type { VgaRom } from './vga-rom.ts';

/** Results in AX. */
export const OK = 0x004f;
export const FAILED = 0x014f;
/** Mode number in a request, without its flags. */
export const MODE_BITS = 0x01ff;
const CLASS_VGA = 0x030000;
const DEFAULT_LFB = 0xe0000000;

/** Mask sizes and positions of red, green, blue and reserved bits. */
const MASKS: Record<number, readonly number[]> = {
  15: [5, 10, 5, 5, 5, 0, 1, 15],
  16: [5, 11, 6, 5, 5, 0, 0, 0],
  24: [8, 16, 8, 8, 8, 0, 0, 0],
  32: [8, 16, 8, 8, 8, 0, 8, 24],
};

/** True when the adapter's memory is large enough. */
export function fits(mode: VbeMode, dispi: Dispi): boolean {
  return imageBytes(mode) <= dispi.memoryBytes;
}

export class VbeInformation {
  private readonly mem: GuestMemory;
  private readonly dispi: Dispi;
  private readonly pci: PciConfig;
  private readonly rom: VgaRom;

  constructor(mem: GuestMemory, dispi: Dispi, pci: PciConfig, rom: VgaRom) {
    this.mem = mem;
    this.dispi = dispi;
    this.pci = pci;
    this.rom = rom;
  }

  private lfbAddress(): number {
    for (const { place } of this.pci.functions()) {
      if (this.pci.read(place, 0x08, 4) >>> 8 !== CLASS_VGA) continue;
      const bar = this.pci.read(place, 0x10, 4);
      return bar === 0 ? DEFAULT_LFB : (bar & 0xfffffff0) >>> 0;
    }
    return DEFAULT_LFB;
  }

  /** 4F00h. */
  information(frame: Frame): number {
    const { mem } = this;
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
    view.setUint16(18, this.dispi.memory64k, true);
    if (version2) {
      view.setUint16(20, 0x0100, true);
      pointer(22, 'vendor_string');
      pointer(26, 'product_string');
      pointer(30, 'revision_string');
    }
    let at = list;
    for (const mode of VBE_MODES) {
      if (!fits(mode, this.dispi) || at > 250) continue;
      view.setUint16(at, mode.number, true);
      at += 2;
    }
    view.setUint16(at, 0xffff, true);
    mem.write(address, block);
    return OK;
  }

  /** 4F01h. */
  modeInformation(frame: Frame): number {
    const mode = VBE_MODES.find((entry) => entry.number === (frame.cx & MODE_BITS));
    if (mode === undefined || !fits(mode, this.dispi)) return FAILED;
    const block = new Uint8Array(256);
    const view = new DataView(block.buffer);
    const planar = mode.bitsPerPixel === 4;
    const stride = lineBytes(mode);
    const images = Math.min(255, Math.max(1, Math.floor(this.dispi.memoryBytes / imageBytes(mode)))) - 1;
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
    this.mem.write(linear(frame.es, frame.di), block);
    return OK;
  }
}
