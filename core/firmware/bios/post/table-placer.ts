// Where the platform's tables (ACPI, SMBIOS, MP) go: ROM at F0000, the top of low RAM, or the EBDA. Addresses are fixed when
// the BIOS is made; what lies in RAM is written at every POST.

import { NestboxError } from '../../../base/errors.ts';
import type { DmaMemory } from '../../../bus/dma.ts';
import { EBDA } from '../data-area.ts';
import { E820_ACPI_NVS, E820_ACPI_RECLAIM, type ReservedRange } from '../../loaders/memory-map.ts';
import type { RomImage } from '../rom/rom-image.ts';
import type { TableRegion } from '../types.ts';

const KIB = 1024;
const NVS_BYTES = 16 * KIB;
const ACPI_BYTES = 112 * KIB;
/** Machines with less RAM keep their tables in ROM. */
const MIN_RAM_BYTES = 2 * 1024 * KIB;

interface Placed {
  readonly address: number;
  readonly bytes: Uint8Array;
}

interface Range {
  readonly base: number;
  readonly end: number;
  next: number;
}

export class TablePlacer {
  private readonly rom: RomImage;
  private readonly inRam: Placed[] = [];
  private readonly acpi: Range | undefined;
  private readonly nvs: Range | undefined;
  private readonly ebda: Range = { base: EBDA.TABLES, end: EBDA.END, next: EBDA.TABLES };

  constructor(rom: RomImage, lowRamBytes: number) {
    this.rom = rom;
    const top = Math.floor(lowRamBytes / 4096) * 4096;
    if (top < MIN_RAM_BYTES) return;
    this.nvs = { base: top - NVS_BYTES, end: top, next: top - NVS_BYTES };
    this.acpi = { base: this.nvs.base - ACPI_BYTES, end: this.nvs.base, next: this.nvs.base - ACPI_BYTES };
  }

  /** @throws NestboxError `internal` when the region is full */
  place(bytes: Uint8Array, alignment: number, region: TableRegion): number {
    let range: Range | undefined =
      region === 'ebda' ? this.ebda : region === 'acpi-data' ? this.acpi : region === 'acpi-nvs' ? this.nvs : undefined;
    if (region === 'acpi-nvs' && range === undefined) range = this.ebda;
    const address = range === undefined ? this.rom.place(bytes, alignment) : takeFrom(range, bytes.length, alignment);
    if (address === undefined)
      throw new NestboxError('internal', `No room for a firmware table of ${bytes.length} bytes (${region})`, {
        op: 'place table',
      });
    if (range !== undefined) this.inRam.push({ address, bytes: bytes.slice() });
    return address;
  }

  /** Ranges of RAM that the E820 map must not call usable. */
  reserved(): ReservedRange[] {
    const ranges: ReservedRange[] = [];
    const add = (range: Range | undefined, type: number): void => {
      if (range !== undefined && range.next > range.base)
        ranges.push({ base: range.base, length: range.end - range.base, type });
    };
    add(this.acpi, E820_ACPI_RECLAIM);
    add(this.nvs, E820_ACPI_NVS);
    return ranges;
  }

  /** Copies the tables into RAM. */
  write(memory: DmaMemory): void {
    for (const { address, bytes } of this.inRam) memory.write(address, bytes);
  }
}

function takeFrom(range: Range, length: number, alignment: number): number | undefined {
  const address = Math.ceil(range.next / alignment) * alignment;
  if (address + length > range.end) return undefined;
  range.next = address + length;
  return address;
}
