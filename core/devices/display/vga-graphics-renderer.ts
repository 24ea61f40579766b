// Draws VGA graphics modes line by line: planar 16 colours, CGA interleaved 4 colours, 256 colours (mode 13h and unchained)
// and the linear modes of the Bochs interface. Only lines whose memory changed are drawn.

import type { FrameBuffer } from './frame-buffer.ts';
import { DIRTY_PIECE_SHIFT, type VgaMemory } from './vga-memory.ts';
import type { VgaMode } from './vga-mode.ts';

const OPAQUE = 0xff000000;

export interface GraphicsColours {
  /** Sixteen attribute colours, for planar and interleaved modes. */
  readonly attribute: Uint32Array;
  /** 256 colours by pixel value. */
  readonly pixel: Uint32Array;
  /** Planes that reach the attribute controller. */
  readonly planeEnable: number;
  /** Linear modes: the guest's byte order is big-endian. */
  readonly bigEndian: boolean;
}

export class VgaGraphicsRenderer {
  private readonly memory: VgaMemory;
  private readonly frame: FrameBuffer;
  private line = new Uint32Array(0);
  private readonly linear16: Uint16Array;

  constructor(memory: VgaMemory, frame: FrameBuffer) {
    this.memory = memory;
    this.frame = frame;
    this.linear16 = new Uint16Array(memory.vram.buffer, memory.vram.byteOffset, memory.vram.length >> 1);
  }

  /** @param all draws every line, not only those whose memory is marked dirty */
  draw(mode: VgaMode, colours: GraphicsColours, all: boolean): void {
    if (this.line.length !== mode.width) this.line = new Uint32Array(mode.width);
    if (mode.kind === 'linear') this.drawLinear(mode, colours, all);
    else this.drawPlanes(mode, colours, all);
  }

  private isDirty(startByte: number, lengthBytes: number): boolean {
    const { dirty } = this.memory;
    const last = (startByte + lengthBytes - 1) >> DIRTY_PIECE_SHIFT;
    for (let piece = startByte >> DIRTY_PIECE_SHIFT; piece <= last; piece++) if (dirty[piece] !== 0) return true;
    return false;
  }

  private drawPlanes(mode: VgaMode, colours: GraphicsColours, all: boolean): void {
    const addressMask = (mode.bitsPerPixel === 4 ? this.memory.vram32.length : 0x10000) - 1;
    let previous = -1;
    let previousDrawn = false;
    let previousPan = -1;
    for (let y = 0; y < mode.height; y++) {
      const belowSplit = y >= mode.splitLine;
      const pan = belowSplit && mode.splitResetsPan ? 0 : mode.pelPan;
      const scan = belowSplit
        ? Math.floor((y - mode.splitLine) / mode.lineScale)
        : Math.floor(y / mode.lineScale) + mode.presetRowScan;
      const rowScan = scan % mode.rowHeight;
      const row = (scan - rowScan) / mode.rowHeight;
      let address = (belowSplit ? 0 : mode.startAddress) + row * mode.rowAddresses;
      address = replaceRowScanBits(address, rowScan, mode.rowScanAddressing) & addressMask;
      if (address !== previous || pan !== previousPan) {
        // Pieces are larger than most lines, so a line is also drawn when its neighbour changed; putLine finds out.
        const wraps = address + mode.columns + 1 > addressMask;
        previousDrawn = all || wraps || this.isDirty(address * 4, (mode.columns + 1) * 4);
        if (previousDrawn) {
          if (mode.kind === 'planar') this.fillPlanar(mode, colours, address, addressMask, pan);
          else if (mode.kind === 'interleaved') this.fillInterleaved(mode, colours, address, pan);
          else this.fillPacked(mode, colours, address, pan);
        }
        previous = address;
        previousPan = pan;
      }
      if (previousDrawn) this.frame.putLine(y, this.line);
    }
  }

  private fillPlanar(mode: VgaMode, colours: GraphicsColours, address: number, addressMask: number, pan: number): void {
    const { line } = this;
    const { vram32 } = this.memory;
    const { attribute, planeEnable } = colours;
    const { dotScale, width } = mode;
    let x = -pan * dotScale;
    for (let column = 0; x < width; column++) {
      const planes = vram32[(address + column) & addressMask] as number;
      for (let bit = 7; bit >= 0; bit--, x += dotScale) {
        if (x < 0 || x >= width) continue;
        const pixel = ((planes >>> bit) & 1) | ((planes >>> (bit + 7)) & 2) | ((planes >>> (bit + 14)) & 4) | ((planes >>> (bit + 21)) & 8);
        const colour = attribute[pixel & planeEnable] as number;
        line[x] = colour;
        if (dotScale === 2) line[x + 1] = colour;
      }
    }
  }

  private fillInterleaved(mode: VgaMode, colours: GraphicsColours, address: number, pan: number): void {
    const { line } = this;
    const { vram32 } = this.memory;
    const { attribute, planeEnable } = colours;
    const { dotScale, width } = mode;
    let x = -pan * dotScale;
    for (let column = 0; x < width; column++) {
      const planes = vram32[(address + column) & 0xffff] as number;
      for (let dot = 0; dot < 8; dot++, x += dotScale) {
        if (x < 0 || x >= width) continue;
        // Planes 0 and 2 give the first four dots of a group, planes 1 and 3 the others.
        const shift = (dot & 4) * 2 + 6 - (dot & 3) * 2;
        const pixel = ((planes >>> shift) & 3) | (((planes >>> (16 + shift)) & 3) << 2);
        const colour = attribute[pixel & planeEnable] as number;
        line[x] = colour;
        if (dotScale === 2) line[x + 1] = colour;
      }
    }
  }

  private fillPacked(mode: VgaMode, colours: GraphicsColours, address: number, pan: number): void {
    const { line } = this;
    const { vram } = this.memory;
    const { pixel } = colours;
    const { width } = mode;
    const dots = 2 * mode.dotScale;
    let at = address * 4 + pan;
    for (let x = 0; x < width; x += dots, at++) {
      const colour = pixel[vram[at & 0x3ffff] as number] as number;
      line[x] = colour;
      line[x + 1] = colour;
      if (dots === 4) {
        line[x + 2] = colour;
        line[x + 3] = colour;
      }
    }
  }

  private drawLinear(mode: VgaMode, colours: GraphicsColours, all: boolean): void {
    const bytesPerPixel = (mode.bitsPerPixel + 7) >> 3;
    for (let y = 0; y < mode.height; y++) {
      const start = mode.linearStart + y * mode.linearStride;
      if (!all && !this.isDirty(start, mode.width * bytesPerPixel)) continue;
      switch (mode.bitsPerPixel) {
        case 8: this.fill8(start, mode.width, colours.pixel); break;
        case 15: this.fill15(start, mode.width, colours.bigEndian); break;
        case 16: this.fill16(start, mode.width, colours.bigEndian); break;
        case 24: this.fill24(start, mode.width, colours.bigEndian); break;
        default: this.fill32(start, mode.width, colours.bigEndian);
      }
      this.frame.putLine(y, this.line);
    }
  }

  private fill8(start: number, width: number, pixel: Uint32Array): void {
    const { line } = this;
    const { vram } = this.memory;
    for (let x = 0; x < width; x++) line[x] = pixel[vram[start + x] as number] as number;
  }

  private fill15(start: number, width: number, bigEndian: boolean): void {
    const { line, linear16 } = this;
    const first = start >> 1;
    for (let x = 0; x < width; x++) {
      let value = linear16[first + x] as number;
      if (bigEndian) value = (value >> 8) | ((value & 0xff) << 8);
      const red = (value >> 10) & 31;
      const green = (value >> 5) & 31;
      const blue = value & 31;
      line[x] = (OPAQUE | (scale5(blue) << 16) | (scale5(green) << 8) | scale5(red)) >>> 0;
    }
  }

  private fill16(start: number, width: number, bigEndian: boolean): void {
    const { line, linear16 } = this;
    const first = start >> 1;
    for (let x = 0; x < width; x++) {
      let value = linear16[first + x] as number;
      if (bigEndian) value = (value >> 8) | ((value & 0xff) << 8);
      const green = (value >> 5) & 63;
      line[x] = (OPAQUE | (scale5(value & 31) << 16) | (((green << 2) | (green >> 4)) << 8) | scale5(value >> 11)) >>> 0;
    }
  }

  private fill24(start: number, width: number, bigEndian: boolean): void {
    const { line } = this;
    const { vram } = this.memory;
    const red = bigEndian ? 0 : 2;
    for (let x = 0, at = start; x < width; x++, at += 3) {
      const blue = vram[at + 2 - red] as number;
      line[x] = (OPAQUE | (blue << 16) | ((vram[at + 1] as number) << 8) | (vram[at + red] as number)) >>> 0;
    }
  }

  private fill32(start: number, width: number, bigEndian: boolean): void {
    const { line } = this;
    const { vram32 } = this.memory;
    const first = start >> 2;
    if (bigEndian) {
      for (let x = 0; x < width; x++) line[x] = (OPAQUE | ((vram32[first + x] as number) >>> 8)) >>> 0;
      return;
    }
    for (let x = 0; x < width; x++) {
      const value = vram32[first + x] as number;
      line[x] = (OPAQUE | ((value & 0xff) << 16) | (value & 0xff00) | ((value >>> 16) & 0xff)) >>> 0;
    }
  }
}

function scale5(value: number): number {
  return (value << 3) | (value >> 2);
}

/**
 * CRTC mode control bits 0 and 1, when 0, put row scan bits in place of address bits: CGA and Hercules keep their odd
 * lines in another bank. Plane addresses here are half the CRTC's in word mode (bit 6 = 0).
 */
function replaceRowScanBits(address: number, rowScan: number, modeControl: number): number {
  if ((modeControl & 3) === 3) return address;
  const bit = modeControl & 0x40 ? 13 : 12;
  let result = address;
  if ((modeControl & 1) === 0) result = (result & ~(1 << bit)) | ((rowScan & 1) << bit);
  if ((modeControl & 2) === 0) result = (result & ~(2 << bit)) | ((rowScan & 2) << bit);
  return result;
}
