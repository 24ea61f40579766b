// The video ROM at C0000: option ROM header, fonts, parameter and save tables, VBE strings and the 32-bit VBE entry points
// (4F0Ah). INT 10h itself is a trap of the system ROM.

import { checksumByte } from '../../byte-writer.ts';
import type { FarAddress } from '../context.ts';
import type { BiosFonts } from '../types.ts';
import { parameterEntry, textModeWithLines, type VideoMode, videoMode } from './mode-table.ts';
import { vgaRomCode } from './vga-rom-code.ts';
import { PARAMETERS, VGA_ROM_BYTES, VGA_ROM_SEGMENT } from './vga-rom-source.ts';

const FONT16 = 0x2000;
const FONT14 = 0x3000;
const FONT8 = 0x3e00;
const NO_ALTERNATES = 0x4600;
const PARAMETER_ENTRIES = 0x1d;

/** Mode numbers of the video parameter table in its fixed order; a lines value marks a text variant. */
const PARAMETER_ORDER: readonly (readonly [mode: number, lines: number])[] = [
  [0, 200],
  [1, 200],
  [2, 200],
  [3, 200],
  [4, 400],
  [5, 400],
  [6, 400],
  [7, 350],
  [0, 200],
  [0, 200],
  [0, 200],
  [7, 350],
  [7, 350],
  [0x0d, 400],
  [0x0e, 400],
  [0x0f, 400],
  [0x10, 400],
  [0x0f, 400],
  [0x10, 400],
  [0, 350],
  [1, 350],
  [2, 350],
  [3, 350],
  [0, 400],
  [2, 400],
  [7, 400],
  [0x11, 400],
  [0x12, 400],
  [0x13, 400],
];

export class VgaRom {
  readonly bytes = new Uint8Array(VGA_ROM_BYTES);
  readonly font8: FarAddress = { segment: VGA_ROM_SEGMENT, offset: FONT8 };
  readonly font14: FarAddress = { segment: VGA_ROM_SEGMENT, offset: FONT14 };
  readonly font16: FarAddress = { segment: VGA_ROM_SEGMENT, offset: FONT16 };
  /** Replacement glyphs of 9-dot modes: an empty list. */
  readonly alternates: FarAddress = { segment: VGA_ROM_SEGMENT, offset: NO_ALTERNATES };
  readonly fonts: BiosFonts;
  private readonly symbols: ReadonlyMap<string, number>;

  constructor(fonts: BiosFonts) {
    const code = vgaRomCode();
    this.fonts = fonts;
    this.symbols = code.symbols;
    const { bytes } = this;
    bytes.set(code.bytes);
    bytes.set(fonts.font16.subarray(0, 4096), FONT16);
    bytes.set(fonts.font14.subarray(0, 3584), FONT14);
    bytes.set(fonts.font8.subarray(0, 2048), FONT8);
    PARAMETER_ORDER.slice(0, PARAMETER_ENTRIES).forEach(([number, lines], index) => {
      bytes.set(parameterEntry(textModeWithLines(videoMode(number) as VideoMode, lines)), PARAMETERS + index * 64);
    });
    bytes[VGA_ROM_BYTES - 1] = checksumByte(bytes);
  }

  address(name: string): FarAddress {
    return { segment: VGA_ROM_SEGMENT, offset: this.offset(name) };
  }

  private offset(name: string): number {
    const offset = this.symbols.get(name);
    if (offset === undefined) throw new Error(`video ROM has no label ${name}`);
    return offset;
  }

  /** Offset and length of the protected-mode interface. */
  get protectedMode(): { readonly offset: number; readonly length: number } {
    const offset = this.offset('pm_interface');
    return { offset, length: this.offset('pm_end') - offset };
  }
}
