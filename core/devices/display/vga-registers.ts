// The register file of an IBM VGA: CRT controller, sequencer, graphics controller, attribute controller, miscellaneous
// output and feature control, by index and port number. What the registers mean lies in vga-mode, vga-memory and vga-timing.
// Not emulated: the CRT interrupt, light pen, sequencer reset, extended registers of clones.

import { z } from 'zod';
import { bytes, u8 } from '../platform/state-fields.ts';
import { dacSchema, VgaDac } from './vga-dac.ts';

export const CRTC_COUNT = 25;
export const SEQUENCER_COUNT = 5;
export const GRAPHICS_COUNT = 9;
export const ATTRIBUTE_COUNT = 21;

/** CRTC indices. */
export const CR_HORIZONTAL_TOTAL = 0x00;
export const CR_HORIZONTAL_DISPLAY_END = 0x01;
export const CR_VERTICAL_TOTAL = 0x06;
export const CR_OVERFLOW = 0x07;
export const CR_PRESET_ROW_SCAN = 0x08;
export const CR_MAXIMUM_SCAN_LINE = 0x09;
export const CR_CURSOR_START = 0x0a;
export const CR_CURSOR_END = 0x0b;
export const CR_START_ADDRESS_HIGH = 0x0c;
export const CR_START_ADDRESS_LOW = 0x0d;
export const CR_CURSOR_HIGH = 0x0e;
export const CR_CURSOR_LOW = 0x0f;
export const CR_VERTICAL_RETRACE_START = 0x10;
export const CR_VERTICAL_RETRACE_END = 0x11;
export const CR_VERTICAL_DISPLAY_END = 0x12;
export const CR_OFFSET = 0x13;
export const CR_UNDERLINE = 0x14;
export const CR_MODE_CONTROL = 0x17;
export const CR_LINE_COMPARE = 0x18;

export const SR_CLOCKING_MODE = 1;
export const SR_MAP_MASK = 2;
export const SR_CHARACTER_MAP = 3;
export const SR_MEMORY_MODE = 4;

export const GR_SET_RESET = 0;
export const GR_ENABLE_SET_RESET = 1;
export const GR_COLOUR_COMPARE = 2;
export const GR_DATA_ROTATE = 3;
export const GR_READ_MAP = 4;
export const GR_MODE = 5;
export const GR_MISCELLANEOUS = 6;
export const GR_COLOUR_DONT_CARE = 7;
export const GR_BIT_MASK = 8;

export const AR_MODE_CONTROL = 0x10;
export const AR_OVERSCAN = 0x11;
export const AR_PLANE_ENABLE = 0x12;
export const AR_PEL_PANNING = 0x13;
export const AR_COLOUR_SELECT = 0x14;

const SEQUENCER_MASKS = [0x03, 0x3d, 0x0f, 0x3f, 0x0e];
const GRAPHICS_MASKS = [0x0f, 0x0f, 0x0f, 0x1f, 0x03, 0x7b, 0x0f, 0x0f, 0xff];
/** CRTC registers 0-7 are locked while this bit of Vertical Retrace End is set, except for line compare bit 8. */
const CRTC_PROTECT = 0x80;
const OVERFLOW_LINE_COMPARE = 0x10;
/** Attribute index bit: 1 = the palette feeds the display, 0 = screen blank. */
export const PALETTE_ADDRESS_SOURCE = 0x20;
const MISC_COLOUR_ADDRESSES = 0x01;
/** Input status 0: the monitor sense comparator, as a colour monitor answers. */
const INPUT_STATUS_0 = 0x10;

export const vgaRegistersSchema = z.strictObject({
  miscellaneous: u8,
  featureControl: u8,
  enable: u8,
  crtcIndex: u8,
  crtc: bytes(CRTC_COUNT),
  sequencerIndex: u8,
  sequencer: bytes(SEQUENCER_COUNT),
  graphicsIndex: u8,
  graphics: bytes(GRAPHICS_COUNT),
  attributeIndex: z.int().min(0).max(0x3f),
  attribute: bytes(ATTRIBUTE_COUNT),
  attributeDataNext: z.boolean(),
  dac: dacSchema,
});

export interface VgaRegisterListener {
  /** A register that decides how the CPU reaches display memory was written. */
  memoryRegistersChanged(): void;
  /** Input status 1, bits 0 and 3, at this moment. */
  inputStatus1(): number;
}

export class VgaRegisters {
  readonly crtc = new Uint8Array(CRTC_COUNT);
  readonly sequencer = new Uint8Array(SEQUENCER_COUNT);
  readonly graphics = new Uint8Array(GRAPHICS_COUNT);
  readonly attribute = new Uint8Array(ATTRIBUTE_COUNT);
  readonly dac = new VgaDac();
  miscellaneous = 0;
  attributeIndex = 0;
  private featureControl = 0;
  private enable = 1;
  private crtcIndex = 0;
  private sequencerIndex = 0;
  private graphicsIndex = 0;
  private attributeDataNext = false;
  private readonly listener: VgaRegisterListener;

  constructor(listener: VgaRegisterListener) {
    this.listener = listener;
  }

  reset(): void {
    for (const file of [this.crtc, this.sequencer, this.graphics, this.attribute]) file.fill(0);
    this.dac.reset();
    // Colour addresses, so that a firmware that looks for a VGA at 3D4 finds one.
    this.miscellaneous = MISC_COLOUR_ADDRESSES;
    this.attributeIndex = 0;
    this.featureControl = 0;
    this.enable = 1;
    this.crtcIndex = 0;
    this.sequencerIndex = 0;
    this.graphicsIndex = 0;
    this.attributeDataNext = false;
    this.listener.memoryRegistersChanged();
  }

  /** Byte read of ports 3B4-3DA; ports of the other adapter type (mono or colour) float. */
  readPort(port: number): number {
    switch (port) {
      case 0x3c0: return this.attributeDataNext ? this.readAttribute() : this.attributeIndex;
      case 0x3c1: return this.readAttribute();
      case 0x3c2: return INPUT_STATUS_0;
      case 0x3c3: return this.enable;
      case 0x3c4: return this.sequencerIndex;
      case 0x3c5: return this.sequencer[this.sequencerIndex] ?? 0;
      case 0x3c6: return this.dac.mask;
      case 0x3c7: return this.dac.readState();
      case 0x3c8: return this.dac.readWriteIndex();
      case 0x3c9: return this.dac.readData();
      case 0x3ca: return this.featureControl;
      case 0x3cc: return this.miscellaneous;
      case 0x3ce: return this.graphicsIndex;
      case 0x3cf: return this.graphics[this.graphicsIndex] ?? 0;
      default: return this.readCrtcPort(port);
    }
  }

  private readCrtcPort(port: number): number {
    if (!this.isActive(port)) return 0xff;
    switch (port & 0x0f) {
      case 0x4: return this.crtcIndex;
      case 0x5: return this.crtc[this.crtcIndex] ?? 0;
      case 0xa:
        this.attributeDataNext = false;
        return this.listener.inputStatus1();
      default: return 0xff;
    }
  }

  writePort(port: number, value: number): void {
    switch (port) {
      case 0x3c0: return this.writeAttributePort(value);
      case 0x3c2:
        this.miscellaneous = value;
        return this.listener.memoryRegistersChanged();
      case 0x3c3: this.enable = value & 1; return;
      case 0x3c4: this.sequencerIndex = value & 0x07; return;
      case 0x3c5: return this.writeSequencer(value);
      case 0x3c6: return this.dac.writeMask(value);
      case 0x3c7: return this.dac.writeReadIndex(value);
      case 0x3c8: return this.dac.writeWriteIndex(value);
      case 0x3c9: return this.dac.writeData(value);
      case 0x3ce: this.graphicsIndex = value & 0x0f; return;
      case 0x3cf: return this.writeGraphics(value);
      default: if (this.isActive(port)) this.writeCrtcPort(port, value);
    }
  }

  private isActive(port: number): boolean {
    const colour = (this.miscellaneous & MISC_COLOUR_ADDRESSES) !== 0;
    return colour === (port >= 0x3d0);
  }

  private readAttribute(): number {
    return this.attribute[this.attributeIndex & 0x1f] ?? 0;
  }

  private writeAttributePort(value: number): void {
    if (!this.attributeDataNext) this.attributeIndex = value & 0x3f;
    else {
      const index = this.attributeIndex & 0x1f;
      if (index < ATTRIBUTE_COUNT) this.attribute[index] = index < 16 ? value & 0x3f : value;
    }
    this.attributeDataNext = !this.attributeDataNext;
  }

  private writeSequencer(value: number): void {
    const mask = SEQUENCER_MASKS[this.sequencerIndex];
    if (mask === undefined) return;
    this.sequencer[this.sequencerIndex] = value & mask;
    this.listener.memoryRegistersChanged();
  }

  private writeGraphics(value: number): void {
    const mask = GRAPHICS_MASKS[this.graphicsIndex];
    if (mask === undefined) return;
    this.graphics[this.graphicsIndex] = value & mask;
    this.listener.memoryRegistersChanged();
  }

  private writeCrtcPort(port: number, value: number): void {
    switch (port & 0x0f) {
      case 0x4: this.crtcIndex = value & 0x3f; return;
      case 0x5: return this.writeCrtc(value);
      case 0xa: this.featureControl = value & 0x0b; return;
      default: return;
    }
  }

  private writeCrtc(value: number): void {
    const index = this.crtcIndex;
    if (index >= CRTC_COUNT) return;
    const locked = index <= CR_OVERFLOW && ((this.crtc[CR_VERTICAL_RETRACE_END] ?? 0) & CRTC_PROTECT) !== 0;
    if (!locked) this.crtc[index] = value;
    else if (index === CR_OVERFLOW) {
      this.crtc[index] = ((this.crtc[index] ?? 0) & ~OVERFLOW_LINE_COMPARE) | (value & OVERFLOW_LINE_COMPARE);
    }
  }

  save(): z.infer<typeof vgaRegistersSchema> {
    return {
      miscellaneous: this.miscellaneous,
      featureControl: this.featureControl,
      enable: this.enable,
      crtcIndex: this.crtcIndex,
      crtc: this.crtc.slice(),
      sequencerIndex: this.sequencerIndex,
      sequencer: this.sequencer.slice(),
      graphicsIndex: this.graphicsIndex,
      graphics: this.graphics.slice(),
      attributeIndex: this.attributeIndex,
      attribute: this.attribute.slice(),
      attributeDataNext: this.attributeDataNext,
      dac: this.dac.save(),
    };
  }

  /** Takes over validated values; reserved bits are masked as a guest's write would be. */
  load(saved: z.infer<typeof vgaRegistersSchema>): void {
    this.miscellaneous = saved.miscellaneous;
    this.featureControl = saved.featureControl & 0x0b;
    this.enable = saved.enable & 1;
    this.crtcIndex = saved.crtcIndex & 0x3f;
    this.crtc.set(saved.crtc);
    this.sequencerIndex = saved.sequencerIndex & 0x07;
    this.sequencer.set(saved.sequencer.map((value, index) => value & (SEQUENCER_MASKS[index] ?? 0)));
    this.graphicsIndex = saved.graphicsIndex & 0x0f;
    this.graphics.set(saved.graphics.map((value, index) => value & (GRAPHICS_MASKS[index] ?? 0)));
    this.attributeIndex = saved.attributeIndex;
    this.attribute.set(saved.attribute);
    this.attributeDataNext = saved.attributeDataNext;
    this.dac.load(saved.dac);
    this.listener.memoryRegistersChanged();
  }
}

/** Visible scan lines as programmed: vertical display end and its overflow bits. */
export function verticalDisplayEnd(crtc: Uint8Array): number {
  const overflow = crtc[CR_OVERFLOW] ?? 0;
  return ((crtc[CR_VERTICAL_DISPLAY_END] ?? 0) | ((overflow & 0x02) << 7) | ((overflow & 0x40) << 3)) + 1;
}

/** The scan line after which the display starts again at address 0 (split screen). */
export function lineCompare(crtc: Uint8Array): number {
  const overflow = crtc[CR_OVERFLOW] ?? 0;
  const maximum = crtc[CR_MAXIMUM_SCAN_LINE] ?? 0;
  return (crtc[CR_LINE_COMPARE] ?? 0) | ((overflow & 0x10) << 4) | ((maximum & 0x40) << 3);
}
