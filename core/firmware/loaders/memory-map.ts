// The guest's physical memory map as firmware tells it (ACPI "E820" address range types).

export const E820_USABLE = 1;
export const E820_RESERVED = 2;
export const E820_ACPI_RECLAIM = 3;
export const E820_ACPI_NVS = 4;

export interface MemoryMapEntry {
  readonly base: number;
  readonly length: number;
  readonly type: number;
}

export interface RamSizes {
  /** RAM from 0 up to the PCI hole. */
  readonly lowRamBytes: number;
  /** RAM from 4 GiB up. */
  readonly highRamBytes: number;
}

export interface ReservedRange {
  readonly base: number;
  readonly length: number;
  readonly type: number;
}

const KIB = 1024;
const MIB = 1024 * KIB;
const FOUR_GIB = 0x1_0000_0000;

/** The extended BIOS data area of a PC: one KiB below 640 KiB. */
export const EBDA_BASE = 0x9fc00;
/** Video memory and ROMs. */
const UPPER_MEMORY_BASE = 0xa0000;
const SYSTEM_ROM_BASE = 0xf0000;
/** The BIOS image below 4 GiB, as far as it is decoded at least. */
const HIGH_ROM_BYTES = 256 * KIB;

/**
 * The map of a PC: low RAM without EBDA and video window, RAM above 1 MiB without `reserved`, ROM, RAM above 4 GiB.
 * Entries are in order and do not overlap.
 * @param reserved ranges in RAM above 1 MiB that firmware keeps (ACPI tables)
 */
export function pcMemoryMap(ram: RamSizes, reserved: readonly ReservedRange[] = []): MemoryMapEntry[] {
  const map: MemoryMapEntry[] = [];
  const lowEnd = Math.min(ram.lowRamBytes, EBDA_BASE);
  map.push({ base: 0, length: lowEnd, type: E820_USABLE });
  if (ram.lowRamBytes > EBDA_BASE)
    map.push({ base: EBDA_BASE, length: UPPER_MEMORY_BASE - EBDA_BASE, type: E820_RESERVED });
  map.push({ base: SYSTEM_ROM_BASE, length: MIB - SYSTEM_ROM_BASE, type: E820_RESERVED });
  let at = MIB;
  for (const range of [...reserved].sort((a, b) => a.base - b.base)) {
    if (range.base < at || range.base + range.length > ram.lowRamBytes || range.length <= 0) continue;
    if (range.base > at) map.push({ base: at, length: range.base - at, type: E820_USABLE });
    map.push(range);
    at = range.base + range.length;
  }
  if (ram.lowRamBytes > at) map.push({ base: at, length: ram.lowRamBytes - at, type: E820_USABLE });
  map.push({ base: FOUR_GIB - HIGH_ROM_BYTES, length: HIGH_ROM_BYTES, type: E820_RESERVED });
  if (ram.highRamBytes > 0) map.push({ base: FOUR_GIB, length: ram.highRamBytes, type: E820_USABLE });
  return map;
}
