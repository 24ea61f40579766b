// A VGA with the Bochs SVGA extension ("standard VGA"): joins the register file, the memory window, the dispi interface and
// the renderers. References: IBM VGA technical reference, FreeVGA notes on undocumented behaviour, Bochs VBE interface.
// Not emulated: interlace, the overscan border, extended text attributes of clones.

import { z } from 'zod';
import type { Clock } from '../../base/clock.ts';
import { Emitter, type Event } from '../../base/emitter.ts';
import { NestboxError } from '../../base/errors.ts';
import { type Logger, nullLogger } from '../../base/logger.ts';
import type { MmioDevice } from '../../bus/mmio-bus.ts';
import type { AccessSize, PortDevice } from '../../bus/port-bus.ts';
import type { Frame, FrameSource, Rect, TextScreen } from '../../display/frame-source.ts';
import type { Device, DeviceState, ResetKind } from '../device.ts';
import { bytes } from '../platform/state-fields.ts';
import { parseState } from '../state.ts';
import { FrameBuffer } from './frame-buffer.ts';
import { VbeDispi, vbeDispiSchema } from './vbe-dispi.ts';
import { VgaGraphicsRenderer } from './vga-graphics-renderer.ts';
import { DIRTY_PIECE_SHIFT, type DirectWindow, VgaMemory } from './vga-memory.ts';
import { decodeMode, sameMode, type VgaMode } from './vga-mode.ts';
import * as R from './vga-registers.ts';
import { VgaTextRenderer } from './vga-text-renderer.ts';
import { VgaTiming } from './vga-timing.ts';

/** Tells which parts of the VRAM were written by others than the adapter (a CPU that maps the frame buffer, DMA). */
export interface VramDirtySource {
  /** True when any byte from `fromByte` up to `toByte` may have been written since this was last asked; forgets it. */
  takeDirty(fromByte: number, toByte: number): boolean;
}

export interface VgaAdapterOptions {
  readonly id?: string | undefined;
  /** Display memory; a power of two from 256 KiB, aligned to four bytes in its buffer. */
  readonly vram: Uint8Array;
  /** Left out when nobody writes the VRAM past the adapter. */
  readonly vramDirty?: VramDirtySource | undefined;
  readonly clock: Clock;
  readonly log?: Logger | undefined;
  /** Saved states carry the VRAM; false when the machine saves it as a memory region of its own. Default true. */
  readonly saveVram?: boolean | undefined;
}

/** A range of I/O ports that the adapter answers. */
export interface VgaPortRange {
  readonly base: number;
  readonly count: number;
  readonly maxSize: AccessSize;
  readonly device: PortDevice;
}

const VERSION = 1;
const DISPI_PORT = 0x1ce;
const PAGE_BYTES = 4096;
const VRAM_CHUNK_BYTES = 0x10000;
/** Blinking runs on the frame counter: 8 frames on, 8 off for cursors. */
const FRAMES_PER_BLINK = 8;

const vramChunkSchema = z.strictObject({ index: z.int().min(0).max(0xffff), data: bytes(VRAM_CHUNK_BYTES) });
export const vgaAdapterSchema = z.strictObject({
  registers: R.vgaRegistersSchema,
  dispi: vbeDispiSchema,
  latch: z.int().min(-0x80000000).max(0x7fffffff),
  bigEndian: z.boolean(),
  vram: z.array(vramChunkSchema).max(0x1000).nullable(),
});
export type VgaAdapterState = z.infer<typeof vgaAdapterSchema>;

export class VgaAdapter implements Device, FrameSource {
  readonly id: string;
  readonly registers: R.VgaRegisters;
  readonly dispi: VbeDispi;
  /** The window A0000-BFFFF; offsets count from A0000. */
  readonly window: VgaMemory;
  /** The VRAM as memory-mapped registers, for machines that do not map it directly. */
  readonly linearFrameBuffer: MmioDevice;
  /** Byte order of linear modes; set through the PCI function's extension registers. */
  bigEndian = false;

  private readonly vram: Uint8Array;
  private readonly vramDirty: VramDirtySource | undefined;
  private readonly clock: Clock;
  private readonly log: Logger;
  private readonly saveVram: boolean;
  private readonly timing = new VgaTiming();
  private readonly frame = new FrameBuffer();
  private readonly text: VgaTextRenderer;
  private readonly graphics: VgaGraphicsRenderer;
  private readonly directWindowEmitter = new Emitter<DirectWindow | undefined>();
  private directWindowNow: DirectWindow | undefined;
  private ready = false;

  private lastMode: VgaMode | undefined;
  private lastBlinkPhase = -1;
  private lastDacVersion = -1;
  private lastBigEndian = false;
  private lastTextSetup = '';
  private lastPlaneEnable = -1;
  private readonly attributeColours = new Uint32Array(16);

  constructor(options: VgaAdapterOptions) {
    const { vram } = options;
    if (vram.length < 0x40000 || (vram.length & (vram.length - 1)) !== 0 || (vram.byteOffset & 3) !== 0) {
      throw new NestboxError('internal', `VRAM of ${vram.length} bytes: must be an aligned power of two from 256 KiB`, { op: 'make VGA' });
    }
    this.id = options.id ?? 'vga';
    this.vram = vram;
    this.vramDirty = options.vramDirty;
    this.clock = options.clock;
    this.log = (options.log ?? nullLogger).child(this.id);
    this.saveVram = options.saveVram ?? true;
    this.window = new VgaMemory(vram);
    this.dispi = new VbeDispi(vram.length, (clear) => this.dispiModeSet(clear), () => this.memoryChanged());
    this.registers = new R.VgaRegisters({
      memoryRegistersChanged: () => this.memoryChanged(),
      inputStatus1: () => this.inputStatus1(),
    });
    this.text = new VgaTextRenderer(this.window.vram32, this.frame);
    this.graphics = new VgaGraphicsRenderer(this.window, this.frame);
    this.linearFrameBuffer = linearAccess(this.window);
    this.ready = true;
    this.registers.reset();
  }

  // --- guest side ------------------------------------------------------------------------------------------------

  /** The port ranges to register: mono and colour CRTC, the VGA ports, and the dispi index and data ports. */
  ports(): readonly VgaPortRange[] {
    const range = (base: number, count: number): VgaPortRange => ({
      base,
      count,
      maxSize: 1,
      device: {
        readPort: (offset) => this.registers.readPort(base + offset),
        writePort: (offset, _size, value) => this.registers.writePort(base + offset, value),
      },
    });
    return [
      range(0x3b4, 2), range(0x3ba, 1), range(0x3c0, 16), range(0x3d4, 2), range(0x3da, 1),
      { base: DISPI_PORT, count: 4, maxSize: 2, device: this.dispiPorts() },
    ];
  }

  /** Index at 1CE, data at 1CF and, for machines that need aligned words, at 1D0. */
  private dispiPorts(): PortDevice {
    return {
      readPort: (offset, size) => {
        const value = offset === 0 ? this.dispi.readIndex() : this.dispi.readData();
        return size === 1 ? value & 0xff : value;
      },
      writePort: (offset, _size, value) => {
        if (offset === 0) this.dispi.writeIndex(value);
        else if (offset < 3) this.dispi.writeData(value);
      },
    };
  }

  private inputStatus1(): number {
    this.timing.configure(this.registers);
    return this.timing.status(this.clock.nowNs());
  }

  private memoryChanged(): void {
    if (!this.ready) return;
    this.window.configure(this.registers, this.dispi.mode()?.bitsPerPixel, this.dispi.bank);
    this.registers.dac.setEightBits(this.dispi.enabled && this.dispi.eightBitDac);
    const direct = this.window.directWindow();
    const old = this.directWindowNow;
    if (direct?.vramOffset === old?.vramOffset && direct?.length === old?.length && direct?.windowOffset === old?.windowOffset) return;
    this.directWindowNow = direct;
    this.directWindowEmitter.fire(direct);
  }

  /** The Bochs interface was switched on or its mode changed. */
  private dispiModeSet(clearMemory: boolean): void {
    const mode = this.dispi.mode();
    if (mode === undefined || !clearMemory) return;
    const end = Math.min(mode.strideBytes * mode.height, this.vram.length);
    this.vram.fill(0, 0, end);
    this.window.dirty.fill(1);
    this.window.plane2Written = true;
  }

  /** See DirectWindow: how the window A0000-BFFFF may be mapped without exits now, or undefined. */
  directWindow(): DirectWindow | undefined {
    return this.directWindowNow;
  }

  /** Fires when `directWindow()` changes. */
  get onDirectWindowChange(): Event<DirectWindow | undefined> {
    return this.directWindowEmitter.event;
  }

  // --- display side ----------------------------------------------------------------------------------------------

  refresh(): { readonly frame: Frame; readonly damage: readonly Rect[] } {
    const mode = decodeMode(this.registers, this.dispi.mode());
    const modeChanged = this.lastMode === undefined || !sameMode(mode, this.lastMode);
    this.lastMode = mode;
    this.frame.resize(mode.width, mode.height);
    if (mode.kind === 'blank') {
      if (modeChanged) this.frame.clear();
    } else {
      const coloursChanged = this.updateColours();
      const memoryChanged = this.collectDirty(mode);
      const all = modeChanged || coloursChanged;
      if (mode.kind === 'text') this.drawText(mode, all, memoryChanged);
      else if (all || memoryChanged) {
        this.graphics.draw(mode, {
          attribute: this.attributeColours,
          pixel: this.registers.dac.pixelColours(),
          planeEnable: (this.registers.attribute[R.AR_PLANE_ENABLE] ?? 0) & 0x0f,
          bigEndian: this.bigEndian,
        }, all);
      }
      if (memoryChanged) this.clearDirty(mode);
    }
    return { frame: this.frame.frame(), damage: this.frame.takeDamage() };
  }

  private drawText(mode: VgaMode, all: boolean, memoryChanged: boolean): void {
    this.timing.configure(this.registers);
    const blinkPhase = Math.floor(this.timing.frameCount(this.clock.nowNs()) / FRAMES_PER_BLINK) & 3;
    const { crtc, sequencer, attribute } = this.registers;
    // Registers that change cells without being part of the mode: fonts, cursor, attribute mode, underline line.
    const cells = `${sequencer[R.SR_CHARACTER_MAP]},${attribute[R.AR_MODE_CONTROL]},${crtc[R.CR_UNDERLINE]}`;
    const cursorShape = `${crtc[R.CR_CURSOR_START]},${crtc[R.CR_CURSOR_END]}`;
    const setup = `${cells};${cursorShape};${crtc[R.CR_CURSOR_HIGH]},${crtc[R.CR_CURSOR_LOW]}`;
    const setupChanged = setup !== this.lastTextSetup;
    const fontsChanged = this.window.plane2Written;
    if (all || fontsChanged || (setupChanged && !this.lastTextSetup.startsWith(`${cells};${cursorShape};`))) this.text.invalidate();
    else if (!memoryChanged && !setupChanged && blinkPhase === this.lastBlinkPhase) return;
    this.window.plane2Written = false;
    this.lastTextSetup = setup;
    this.lastBlinkPhase = blinkPhase;
    this.text.draw(mode, this.registers, this.attributeColours, blinkPhase);
  }

  textScreen(): TextScreen | undefined {
    const mode = decodeMode(this.registers, this.dispi.mode());
    return mode.kind === 'text' ? this.text.textScreen(mode, this.registers) : undefined;
  }

  /** The sixteen attribute colours through palette and DAC. @returns true when any colour or pixel format changed */
  private updateColours(): boolean {
    const { attribute, dac } = this.registers;
    const pixel = dac.pixelColours();
    const mode = attribute[R.AR_MODE_CONTROL] ?? 0;
    const select = attribute[R.AR_COLOUR_SELECT] ?? 0;
    const planeEnable = attribute[R.AR_PLANE_ENABLE] ?? 0;
    let changed = dac.version !== this.lastDacVersion || this.bigEndian !== this.lastBigEndian || planeEnable !== this.lastPlaneEnable;
    this.lastDacVersion = dac.version;
    this.lastBigEndian = this.bigEndian;
    this.lastPlaneEnable = planeEnable;
    for (let index = 0; index < 16; index++) {
      let entry = attribute[index] ?? 0;
      if (mode & 0x80) entry = (entry & 0x0f) | ((select & 3) << 4);
      entry |= (select & 0x0c) << 4;
      const colour = pixel[entry] ?? 0;
      if (this.attributeColours[index] !== colour) changed = true;
      this.attributeColours[index] = colour;
    }
    return changed;
  }

  /** First and last byte of VRAM that the mode can show. */
  private shownRange(mode: VgaMode): { first: number; end: number } {
    if (mode.kind === 'linear') {
      return { first: mode.linearStart, end: Math.min(mode.linearStart + mode.linearStride * mode.height, this.vram.length) };
    }
    // Split screens, row scan addressing and fonts reach all over the 256 KiB.
    return { first: 0, end: mode.bitsPerPixel === 4 ? this.vram.length : 0x40000 };
  }

  /** Merges the outside dirty pages into ours. @returns true when anything shown may have changed */
  private collectDirty(mode: VgaMode): boolean {
    const { first, end } = this.shownRange(mode);
    const { dirty } = this.window;
    if (this.vramDirty !== undefined) {
      for (let page = first & -PAGE_BYTES; page < end; page += PAGE_BYTES) {
        if (!this.vramDirty.takeDirty(page, page + PAGE_BYTES)) continue;
        dirty.fill(1, page >> DIRTY_PIECE_SHIFT, (page + PAGE_BYTES) >> DIRTY_PIECE_SHIFT);
        if (mode.kind === 'text') this.window.plane2Written = true;
      }
    }
    const found = dirty.indexOf(1, first >> DIRTY_PIECE_SHIFT);
    return found >= 0 && found << DIRTY_PIECE_SHIFT < end;
  }

  private clearDirty(mode: VgaMode): void {
    const { first, end } = this.shownRange(mode);
    this.window.dirty.fill(0, first >> DIRTY_PIECE_SHIFT, (end + (1 << DIRTY_PIECE_SHIFT) - 1) >> DIRTY_PIECE_SHIFT);
  }

  // --- life cycle ------------------------------------------------------------------------------------------------

  reset(kind: ResetKind): void {
    this.registers.reset();
    this.dispi.reset();
    this.window.latch = 0;
    this.bigEndian = false;
    // VRAM survives a RESET# pulse, as RAM does.
    if (kind === 'power') this.vram.fill(0);
    this.redrawAll();
    this.log.log('debug', 'reset', { kind });
  }

  private redrawAll(): void {
    this.lastMode = undefined;
    this.window.dirty.fill(1);
    this.window.plane2Written = true;
    this.memoryChanged();
  }

  /** The saved fields, for a device that contains this adapter. */
  saveFields(): VgaAdapterState {
    const vram: VgaAdapterState['vram'] = [];
    for (let index = 0; this.saveVram && index < this.vram.length / VRAM_CHUNK_BYTES; index++) {
      const chunk = this.vram.subarray(index * VRAM_CHUNK_BYTES, (index + 1) * VRAM_CHUNK_BYTES);
      if (chunk.some((byte) => byte !== 0)) vram.push({ index, data: new Uint8Array(chunk) });
    }
    return {
      registers: this.registers.save(),
      dispi: this.dispi.save(),
      latch: this.window.latch,
      bigEndian: this.bigEndian,
      vram: this.saveVram ? vram : null,
    };
  }

  /** Checks what the schema cannot: that the VRAM chunks lie inside the VRAM. @throws NestboxError `bad-input` */
  checkFields(saved: VgaAdapterState): void {
    let last = -1;
    for (const { index } of saved.vram ?? []) {
      if (index <= last || (index + 1) * VRAM_CHUNK_BYTES > this.vram.length) {
        throw new NestboxError('bad-input', `Saved state of ${this.id}: VRAM chunk ${index} does not fit`, { op: 'load state' });
      }
      last = index;
    }
  }

  loadFields(saved: VgaAdapterState): void {
    if (saved.vram !== null) {
      this.vram.fill(0);
      for (const { index, data } of saved.vram) this.vram.set(data, index * VRAM_CHUNK_BYTES);
    }
    this.dispi.load(saved.dispi);
    this.registers.load(saved.registers);
    this.window.latch = saved.latch;
    this.bigEndian = saved.bigEndian;
    this.redrawAll();
  }

  save(): DeviceState {
    return { version: VERSION, fields: this.saveFields() };
  }

  load(state: DeviceState): void {
    const saved = parseState(this.id, state, VERSION, vgaAdapterSchema);
    this.checkFields(saved);
    this.loadFields(saved);
  }

  dispose(): void {
    this.directWindowEmitter.dispose();
  }
}

/** The VRAM as a memory range of a bus, for guests whose CPU does not map it. */
function linearAccess(memory: VgaMemory): MmioDevice {
  const { vram, dirty } = memory;
  return {
    readMmio(offset, size) {
      let value = 0;
      for (let i = 0; i < size; i++) value |= (vram[offset + i] ?? 0xff) << (i * 8);
      return value >>> 0;
    },
    writeMmio(offset, size, value) {
      for (let i = 0; i < size && offset + i < vram.length; i++) {
        vram[offset + i] = value >>> (i * 8);
        dirty[(offset + i) >> DIRTY_PIECE_SHIFT] = 1;
      }
      memory.plane2Written = true;
    },
  };
}
