// CPU access to VGA display memory through the window A0000-BFFFF: four planes with latches, write modes 0-3, read modes
// 0-1, set/reset, rotate, logic unit, bit mask, chain-4 and odd/even addressing, and the Bochs bank offset.
// Plane p of plane address a is byte a*4+p of the VRAM, so chain-4 and linear modes share it with the linear frame buffer.

import type { MmioDevice } from '../../bus/mmio-bus.ts';
import type { AccessSize } from '../../bus/port-bus.ts';
import * as R from './vga-registers.ts';

/** Bytes for each bit of a 4-bit plane set: 0b0101 -> 0x00ff00ff. */
const PLANE_BYTES = new Int32Array(16);
for (let planes = 0; planes < 16; planes++) {
  for (let plane = 0; plane < 4; plane++) if (planes & (1 << plane)) PLANE_BYTES[planes] = (PLANE_BYTES[planes] as number) | (0xff << (plane * 8));
}

const ADDRESSING_PLANAR = 0;
const ADDRESSING_ODD_EVEN = 1;
const ADDRESSING_CHAIN_4 = 2;

/** Start and length of the window inside A0000-BFFFF for each memory map select value. */
const WINDOWS = [
  { start: 0x00000, length: 0x20000 },
  { start: 0x00000, length: 0x10000 },
  { start: 0x10000, length: 0x08000 },
  { start: 0x18000, length: 0x08000 },
] as const;

const LEGACY_PLANE_ADDRESSES = 0x10000;
/** Display memory is watched for changes in pieces of this size. */
export const DIRTY_PIECE_SHIFT = 10;

/** A part of the VRAM that the window shows byte for byte, so that a CPU may map it without asking the device. */
export interface DirectWindow {
  /** Offset of the window in A0000-BFFFF. */
  readonly windowOffset: number;
  readonly vramOffset: number;
  readonly length: number;
}

export class VgaMemory implements MmioDevice {
  readonly vram: Uint8Array;
  readonly vram32: Int32Array;
  /** One byte for each 1 KiB of VRAM, not 0 when it was written through the window since the last refresh. */
  readonly dirty: Uint8Array;
  /** Set when plane 2 was written: text fonts live there. */
  plane2Written = true;
  latch = 0;

  private addressing = ADDRESSING_PLANAR;
  private windowStart = 0;
  private windowLength = 0x20000;
  private addressMask = LEGACY_PLANE_ADDRESSES - 1;
  private bankOffset = 0;
  private mapMask = 0;
  private writeMode = 0;
  private readMode = 0;
  private readMap = 0;
  private rotate = 0;
  private logic = 0;
  private bitMask32 = 0;
  private setReset32 = 0;
  private enableSetReset32 = 0;
  private colourCompare32 = 0;
  private colourCare32 = 0;

  constructor(vram: Uint8Array) {
    this.vram = vram;
    this.vram32 = new Int32Array(vram.buffer, vram.byteOffset, vram.length >> 2);
    this.dirty = new Uint8Array(vram.length >> DIRTY_PIECE_SHIFT).fill(1);
  }

  /**
   * Takes over the registers that decide about accesses; called after each change, so that accesses need no decoding.
   * While the Bochs interface is on it overrides the VGA's addressing without touching its registers, so that switching it
   * off brings the old mode back: a bank of 64 KiB at A0000, plain bytes, or planes with 4 bits a pixel.
   */
  configure(registers: R.VgaRegisters, dispiBitsPerPixel: number | undefined, bank: number): void {
    const { sequencer, graphics } = registers;
    const mode = graphics[R.GR_MODE] ?? 0;
    const extended = dispiBitsPerPixel !== undefined;
    const window = WINDOWS[extended ? 1 : ((graphics[R.GR_MISCELLANEOUS] ?? 0) >> 2) & 3] ?? WINDOWS[0];
    this.windowStart = window.start;
    this.windowLength = window.length;
    this.mapMask = sequencer[R.SR_MAP_MASK] ?? 0;
    if (extended) {
      this.addressing = dispiBitsPerPixel === 4 ? ADDRESSING_PLANAR : ADDRESSING_CHAIN_4;
      if (dispiBitsPerPixel !== 4) this.mapMask = 0x0f;
    } else if ((sequencer[R.SR_MEMORY_MODE] ?? 0) & 0x08) this.addressing = ADDRESSING_CHAIN_4;
    else this.addressing = mode & 0x10 ? ADDRESSING_ODD_EVEN : ADDRESSING_PLANAR;
    // Without the Bochs interface the adapter has 64 KiB a plane; chain-4 addresses count bytes, the others plane bytes.
    const planeAddresses = extended ? this.vram32.length : LEGACY_PLANE_ADDRESSES;
    this.addressMask = (this.addressing === ADDRESSING_CHAIN_4 ? planeAddresses * 4 : planeAddresses) - 1;
    this.bankOffset = extended ? bank * 0x10000 : 0;
    this.writeMode = mode & 3;
    this.readMode = (mode >> 3) & 1;
    this.readMap = graphics[R.GR_READ_MAP] ?? 0;
    this.rotate = (graphics[R.GR_DATA_ROTATE] ?? 0) & 7;
    this.logic = ((graphics[R.GR_DATA_ROTATE] ?? 0) >> 3) & 3;
    this.bitMask32 = Math.imul(graphics[R.GR_BIT_MASK] ?? 0, 0x01010101);
    this.setReset32 = PLANE_BYTES[graphics[R.GR_SET_RESET] ?? 0] ?? 0;
    this.enableSetReset32 = PLANE_BYTES[graphics[R.GR_ENABLE_SET_RESET] ?? 0] ?? 0;
    this.colourCompare32 = PLANE_BYTES[graphics[R.GR_COLOUR_COMPARE] ?? 0] ?? 0;
    this.colourCare32 = PLANE_BYTES[graphics[R.GR_COLOUR_DONT_CARE] ?? 0] ?? 0;
  }

  /** The window as plain memory, when all planes are chained and written; else undefined. */
  directWindow(): DirectWindow | undefined {
    if (this.addressing !== ADDRESSING_CHAIN_4 || this.mapMask !== 0x0f) return undefined;
    const vramOffset = this.bankOffset & this.addressMask;
    const length = Math.min(this.windowLength, this.addressMask + 1 - vramOffset);
    return { windowOffset: this.windowStart, vramOffset, length };
  }

  readMmio(offset: number, size: AccessSize): number {
    const address = offset - this.windowStart;
    if (size === 1) return this.read8(address);
    if (this.addressing === ADDRESSING_CHAIN_4 && address >= 0 && address + size <= this.windowLength) {
      const at = (address + this.bankOffset) & this.addressMask;
      if (at + size <= this.vram.length) {
        const low = (this.vram[at] as number) | ((this.vram[at + 1] as number) << 8);
        if (size === 2) return low;
        return (low | ((this.vram[at + 2] as number) << 16) | ((this.vram[at + 3] as number) << 24)) >>> 0;
      }
    }
    let value = this.read8(address) | (this.read8(address + 1) << 8);
    if (size === 4) value |= (this.read8(address + 2) << 16) | (this.read8(address + 3) << 24);
    return value >>> 0;
  }

  writeMmio(offset: number, size: AccessSize, value: number): void {
    const address = offset - this.windowStart;
    this.write8(address, value & 0xff);
    if (size === 1) return;
    this.write8(address + 1, (value >>> 8) & 0xff);
    if (size === 2) return;
    this.write8(address + 2, (value >>> 16) & 0xff);
    this.write8(address + 3, value >>> 24);
  }

  private read8(address: number): number {
    if (address < 0 || address >= this.windowLength) return 0xff;
    const mask = this.addressMask;
    if (this.addressing === ADDRESSING_CHAIN_4) return this.vram[(address + this.bankOffset) & mask] as number;
    if (this.addressing === ADDRESSING_ODD_EVEN) {
      const at = ((address + this.bankOffset) >> 1) & mask;
      this.latch = this.vram32[at] as number;
      if (this.readMode === 0) return (this.latch >>> (((this.readMap & 2) | (address & 1)) * 8)) & 0xff;
      return this.compareColours();
    }
    this.latch = this.vram32[(address + this.bankOffset) & mask] as number;
    return this.readMode === 0 ? (this.latch >>> (this.readMap * 8)) & 0xff : this.compareColours();
  }

  /** Read mode 1: a bit is set where the pixel has the compare colour in all planes that matter. */
  private compareColours(): number {
    const differ = (this.latch ^ this.colourCompare32) & this.colourCare32;
    return ~(differ | (differ >> 8) | (differ >> 16) | (differ >> 24)) & 0xff;
  }

  private write8(address: number, value: number): void {
    if (address < 0 || address >= this.windowLength) return;
    let at = address + this.bankOffset;
    let planes = this.mapMask;
    if (this.addressing === ADDRESSING_CHAIN_4) {
      at &= this.addressMask;
      if ((planes & (1 << (at & 3))) === 0) return;
      this.vram[at] = value;
      this.dirty[at >> DIRTY_PIECE_SHIFT] = 1;
      if ((at & 3) === 2) this.plane2Written = true;
      return;
    }
    if (this.addressing === ADDRESSING_ODD_EVEN) {
      planes &= address & 1 ? 0x0a : 0x05;
      at >>= 1;
    }
    at &= this.addressMask;
    const planeMask = PLANE_BYTES[planes] as number;
    const old = this.vram32[at] as number;
    this.vram32[at] = (old & ~planeMask) | (this.combine(value) & planeMask);
    this.dirty[at >> (DIRTY_PIECE_SHIFT - 2)] = 1;
    if (planes & 4) this.plane2Written = true;
  }

  /** What the graphics controller makes of a written byte, for all four planes. */
  private combine(value: number): number {
    let bitMask = this.bitMask32;
    let data: number;
    switch (this.writeMode) {
      case 0:
        data = Math.imul(this.rotated(value), 0x01010101);
        data = (data & ~this.enableSetReset32) | (this.setReset32 & this.enableSetReset32);
        break;
      case 1:
        return this.latch;
      case 2:
        data = PLANE_BYTES[value & 0x0f] as number;
        break;
      default:
        bitMask &= Math.imul(this.rotated(value), 0x01010101);
        data = this.setReset32;
    }
    if (this.logic === 1) data &= this.latch;
    else if (this.logic === 2) data |= this.latch;
    else if (this.logic === 3) data ^= this.latch;
    return (data & bitMask) | (this.latch & ~bitMask);
  }

  private rotated(value: number): number {
    return ((value >> this.rotate) | (value << (8 - this.rotate))) & 0xff;
  }
}
