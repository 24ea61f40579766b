// Makes the 128 KiB image at E0000 from the assembled system ROM: checks sums, fills in tables, places platform tables.

import { checksumByte } from '../../byte-writer.ts';
import { ROM_FIXED } from './rom-entries.ts';
import { systemRomCode } from './system-rom-code.ts';

export const ROM_BASE = 0xe0000;
export const ROM_BYTES = 0x20000;
const F_SEGMENT = 0x10000;
const TABLES_BASE = 0xf0000;
const TABLES_END = 0xfc000;

export class RomImage {
  readonly bytes = new Uint8Array(ROM_BYTES).fill(0xff);
  private readonly symbols: ReadonlyMap<string, number>;
  private tablesUsed = TABLES_BASE;

  /** @param font8 256 glyphs 8x8; the first 128 lie at the fixed address F000:FA6E */
  constructor(font8: Uint8Array) {
    const { bytes, symbols } = systemRomCode();
    this.symbols = symbols;
    this.bytes.set(bytes, F_SEGMENT);
    this.bytes.fill(0, F_SEGMENT, F_SEGMENT + (TABLES_END - TABLES_BASE));
    this.bytes.set(font8.subarray(0, 1024), F_SEGMENT + ROM_FIXED.font8);
    const header = F_SEGMENT + this.symbol('bios32_header');
    this.bytes[F_SEGMENT + this.symbol('bios32_checksum')] = checksumByte(this.bytes.subarray(header, header + 16));
  }

  /** Offset of a label in segment F000. */
  symbol(name: string): number {
    const offset = this.symbols.get(name);
    if (offset === undefined) throw new Error(`BIOS ROM has no label ${name}`);
    return offset;
  }

  /** Copies a table into the ROM. @returns its physical address, or undefined when the space is used up */
  place(bytes: Uint8Array, alignment: number): number | undefined {
    const address = Math.ceil(this.tablesUsed / alignment) * alignment;
    if (address + bytes.length > TABLES_END) return undefined;
    this.bytes.set(bytes, address - (TABLES_BASE - F_SEGMENT));
    this.tablesUsed = address + bytes.length;
    return address;
  }
}
