// The Bochs "dispi" interface: 16-bit registers behind an index and a data port that set linear and banked SVGA modes
// (Bochs VBE display interface, ID B0C5; the register meanings that vgabios and the Linux bochs driver rely on).

import { z } from 'zod';
import { u16 } from '../platform/state-fields.ts';

export const VBE_DISPI_INDEX_ID = 0x0;
export const VBE_DISPI_INDEX_XRES = 0x1;
export const VBE_DISPI_INDEX_YRES = 0x2;
export const VBE_DISPI_INDEX_BPP = 0x3;
export const VBE_DISPI_INDEX_ENABLE = 0x4;
export const VBE_DISPI_INDEX_BANK = 0x5;
export const VBE_DISPI_INDEX_VIRT_WIDTH = 0x6;
export const VBE_DISPI_INDEX_VIRT_HEIGHT = 0x7;
export const VBE_DISPI_INDEX_X_OFFSET = 0x8;
export const VBE_DISPI_INDEX_Y_OFFSET = 0x9;
export const VBE_DISPI_INDEX_VIDEO_MEMORY_64K = 0xa;
/** Registers that exist, 0 to 0xA. */
export const VBE_DISPI_COUNT = 11;

export const VBE_DISPI_ENABLED = 0x01;
export const VBE_DISPI_GETCAPS = 0x02;
export const VBE_DISPI_8BIT_DAC = 0x20;
export const VBE_DISPI_LFB_ENABLED = 0x40;
export const VBE_DISPI_NOCLEARMEM = 0x80;

const VBE_DISPI_ID0 = 0xb0c0;
const VBE_DISPI_ID5 = 0xb0c5;
/** Largest mode that is offered; what fits the VRAM is checked apart. */
export const MAX_X_RESOLUTION = 2560;
export const MAX_Y_RESOLUTION = 1600;
const MAX_BITS_PER_PIXEL = 32;
const DEPTHS = [4, 8, 15, 16, 24, 32];

export const vbeDispiSchema = z.strictObject({
  index: u16,
  id: z.int().min(VBE_DISPI_ID0).max(VBE_DISPI_ID5),
  xResolution: z.int().min(0).max(MAX_X_RESOLUTION),
  yResolution: z.int().min(0).max(MAX_Y_RESOLUTION),
  bitsPerPixel: z.union([z.literal(4), z.literal(8), z.literal(15), z.literal(16), z.literal(24), z.literal(32)]),
  enable: z.int().min(0).max(0xff),
  bank: u16,
  virtualWidth: u16,
  xOffset: u16,
  yOffset: u16,
});

/** A linear mode as the registers describe it; bits per pixel 4 is planar. */
export interface DispiMode {
  readonly width: number;
  readonly height: number;
  readonly bitsPerPixel: number;
  /** Bytes from one line to the next in VRAM. */
  readonly strideBytes: number;
  /** VRAM byte of the first visible pixel. */
  readonly startByte: number;
}

export class VbeDispi {
  private index = 0;
  private id = VBE_DISPI_ID5;
  private xResolution = 0;
  private yResolution = 0;
  private bitsPerPixel = 8;
  private enable = 0;
  private bankNumber = 0;
  private virtualWidth = 0;
  private xOffset = 0;
  private yOffset = 0;
  private readonly vramBytes: number;
  private readonly modeSet: (clearMemory: boolean) => void;
  private readonly changed: () => void;

  /**
   * @param modeSet called when the interface was switched on or a mode register changed while it is on
   * @param changed called when bank, DAC width or the on/off state changed
   */
  constructor(vramBytes: number, modeSet: (clearMemory: boolean) => void, changed: () => void) {
    this.vramBytes = vramBytes;
    this.modeSet = modeSet;
    this.changed = changed;
  }

  reset(): void {
    this.index = 0;
    this.id = VBE_DISPI_ID5;
    this.xResolution = 0;
    this.yResolution = 0;
    this.bitsPerPixel = 8;
    this.enable = 0;
    this.bankNumber = 0;
    this.virtualWidth = 0;
    this.xOffset = 0;
    this.yOffset = 0;
    this.changed();
  }

  get enabled(): boolean {
    return (this.enable & VBE_DISPI_ENABLED) !== 0;
  }

  get eightBitDac(): boolean {
    return (this.enable & VBE_DISPI_8BIT_DAC) !== 0;
  }

  /** 64 KiB bank that the legacy window shows. */
  get bank(): number {
    return this.bankNumber;
  }

  readIndex(): number {
    return this.index;
  }

  writeIndex(value: number): void {
    this.index = value;
  }

  readData(): number {
    return this.readRegister(this.index);
  }

  writeData(value: number): void {
    this.writeRegister(this.index, value);
  }

  readRegister(index: number): number {
    const capabilities = (this.enable & VBE_DISPI_GETCAPS) !== 0;
    switch (index) {
      case VBE_DISPI_INDEX_ID: return this.id;
      case VBE_DISPI_INDEX_XRES: return capabilities ? MAX_X_RESOLUTION : this.xResolution;
      case VBE_DISPI_INDEX_YRES: return capabilities ? MAX_Y_RESOLUTION : this.yResolution;
      case VBE_DISPI_INDEX_BPP: return capabilities ? MAX_BITS_PER_PIXEL : this.bitsPerPixel;
      case VBE_DISPI_INDEX_ENABLE: return this.enable;
      case VBE_DISPI_INDEX_BANK: return this.bankNumber;
      case VBE_DISPI_INDEX_VIRT_WIDTH: return this.virtualWidth;
      case VBE_DISPI_INDEX_VIRT_HEIGHT: return this.virtualHeight();
      case VBE_DISPI_INDEX_X_OFFSET: return this.xOffset;
      case VBE_DISPI_INDEX_Y_OFFSET: return this.yOffset;
      case VBE_DISPI_INDEX_VIDEO_MEMORY_64K: return this.vramBytes >>> 16;
      default: return 0;
    }
  }

  writeRegister(index: number, value: number): void {
    switch (index) {
      case VBE_DISPI_INDEX_ID:
        // A driver asks for an interface version by writing it; versions that do not exist leave the register alone.
        if (value >= VBE_DISPI_ID0 && value <= VBE_DISPI_ID5) this.id = value;
        return;
      case VBE_DISPI_INDEX_XRES: this.xResolution = value; return this.modeRegisterWritten();
      case VBE_DISPI_INDEX_YRES: this.yResolution = value; return this.modeRegisterWritten();
      case VBE_DISPI_INDEX_BPP: this.bitsPerPixel = value === 0 ? 8 : value; return this.modeRegisterWritten();
      case VBE_DISPI_INDEX_VIRT_WIDTH: this.virtualWidth = value; return this.modeRegisterWritten();
      case VBE_DISPI_INDEX_X_OFFSET: this.xOffset = value; return this.modeRegisterWritten();
      case VBE_DISPI_INDEX_Y_OFFSET: this.yOffset = value; return this.modeRegisterWritten();
      case VBE_DISPI_INDEX_ENABLE: return this.writeEnable(value);
      case VBE_DISPI_INDEX_BANK:
        this.bankNumber = value % this.bankCount();
        return this.changed();
      default: return;
    }
  }

  private writeEnable(value: number): void {
    const wasEnabled = this.enabled;
    this.enable = value & 0xff;
    if (this.enabled && !wasEnabled) {
      this.bankNumber = 0;
      this.virtualWidth = 0;
      this.xOffset = 0;
      this.yOffset = 0;
      this.limit();
      this.modeSet((value & VBE_DISPI_NOCLEARMEM) === 0);
    } else if (!this.enabled) this.bankNumber = 0;
    this.changed();
  }

  private modeRegisterWritten(): void {
    if (!this.enabled) return;
    this.limit();
    this.modeSet(false);
    this.changed();
  }

  private bankCount(): number {
    // A 4-bit bank of the window holds 64 KiB addresses of four bytes each.
    return Math.max(1, this.vramBytes >>> (this.bitsPerPixel === 4 ? 18 : 16));
  }

  private bytesPerLine(width: number): number {
    return this.bitsPerPixel === 4 ? width >> 1 : width * ((this.bitsPerPixel + 7) >> 3);
  }

  /** Makes the registers describe a mode that exists and fits the VRAM. */
  private limit(): void {
    if (!DEPTHS.includes(this.bitsPerPixel)) this.bitsPerPixel = 8;
    this.bankNumber %= this.bankCount();
    const align = this.bitsPerPixel === 4 ? ~7 : ~0;
    this.xResolution = Math.min(Math.max(this.xResolution & align, 8), MAX_X_RESOLUTION);
    this.yResolution = Math.min(Math.max(this.yResolution, 1), MAX_Y_RESOLUTION);
    this.virtualWidth = Math.max(this.virtualWidth & align, this.xResolution);
    if (this.bytesPerLine(this.virtualWidth) * this.yResolution > this.vramBytes) this.virtualWidth = this.xResolution;
    const lineBytes = this.bytesPerLine(this.virtualWidth);
    this.yResolution = Math.min(this.yResolution, Math.floor(this.vramBytes / lineBytes));
    this.xOffset = Math.min(this.xOffset & align, this.virtualWidth - this.xResolution);
    this.yOffset = Math.min(this.yOffset, this.virtualHeight() - this.yResolution);
  }

  private virtualHeight(): number {
    const lineBytes = this.bytesPerLine(this.virtualWidth);
    return lineBytes === 0 ? 0 : Math.min(Math.floor(this.vramBytes / lineBytes), 0xffff);
  }

  /** The present mode, or undefined while the interface is off. It always lies inside the VRAM. */
  mode(): DispiMode | undefined {
    if (!this.enabled) return undefined;
    const strideBytes = this.bytesPerLine(this.virtualWidth);
    return {
      width: this.xResolution,
      height: this.yResolution,
      bitsPerPixel: this.bitsPerPixel,
      strideBytes,
      startByte: this.yOffset * strideBytes + this.bytesPerLine(this.xOffset),
    };
  }

  save(): z.infer<typeof vbeDispiSchema> {
    return {
      index: this.index,
      id: this.id,
      xResolution: Math.min(this.xResolution, MAX_X_RESOLUTION),
      yResolution: Math.min(this.yResolution, MAX_Y_RESOLUTION),
      bitsPerPixel: (DEPTHS.includes(this.bitsPerPixel) ? this.bitsPerPixel : 8) as 8,
      enable: this.enable,
      bank: this.bankNumber,
      virtualWidth: this.virtualWidth,
      xOffset: this.xOffset,
      yOffset: this.yOffset,
    };
  }

  load(saved: z.infer<typeof vbeDispiSchema>): void {
    this.index = saved.index;
    this.id = saved.id;
    this.xResolution = saved.xResolution;
    this.yResolution = saved.yResolution;
    this.bitsPerPixel = saved.bitsPerPixel;
    this.enable = saved.enable;
    this.bankNumber = saved.bank % this.bankCount();
    this.virtualWidth = saved.virtualWidth;
    this.xOffset = saved.xOffset;
    this.yOffset = saved.yOffset;
    if (this.enabled) this.limit();
    this.changed();
  }
}
