// Boot records and boot catalogues of CDs: "El Torito" Bootable CD-ROM Format Specification 1.0. The catalogue comes from
// a medium and is checked before use.

import type { Geometry } from './geometry.ts';

export const BOOT_RECORD_SECTOR = 17;
const SECTOR_BYTES = 2048;
const ENTRY_BYTES = 32;
export const CATALOG_SECTORS = 4;
const PLATFORM_X86 = 0;
const BOOTABLE = 0x88;
const HEADER_MORE = 0x90;
const HEADER_LAST = 0x91;
const EXTENSION = 0x44;
const DEFAULT_SEGMENT = 0x7c0;

export const MEDIA_NONE = 0;
export const MEDIA_HARD_DISK = 4;

export interface BootEntry {
  readonly mediaType: number;
  readonly loadSegment: number;
  /** 512-byte sectors to load. */
  readonly sectorCount: number;
  /** CD sector where the image starts. */
  readonly imageSector: number;
}

/** The CD that the machine was booted from, as INT 13h/4Bh tells it. */
export interface BootedCd extends BootEntry {
  readonly cdrom: number;
  readonly driveNumber: number;
  readonly catalogSector: number;
}

function text(bytes: Uint8Array, offset: number, length: number): string {
  let out = '';
  for (let i = 0; i < length; i++) out += String.fromCharCode(bytes[offset + i] ?? 0);
  return out;
}

const u32 = (bytes: Uint8Array, offset: number): number =>
  ((bytes[offset] ?? 0) |
    ((bytes[offset + 1] ?? 0) << 8) |
    ((bytes[offset + 2] ?? 0) << 16) |
    ((bytes[offset + 3] ?? 0) << 24)) >>>
  0;
const u16 = (bytes: Uint8Array, offset: number): number => (bytes[offset] ?? 0) | ((bytes[offset + 1] ?? 0) << 8);

/** Sector of the boot catalogue, or undefined when sector 17 is no El Torito boot record. */
export function bootCatalogSector(bootRecord: Uint8Array): number | undefined {
  if (
    bootRecord.length < SECTOR_BYTES ||
    bootRecord[0] !== 0 ||
    text(bootRecord, 1, 5) !== 'CD001' ||
    bootRecord[6] !== 1
  )
    return undefined;
  if (!text(bootRecord, 7, 23).startsWith('EL TORITO SPECIFICATION')) return undefined;
  return u32(bootRecord, 0x47);
}

function readEntry(catalog: Uint8Array, offset: number): BootEntry {
  return {
    mediaType: (catalog[offset + 1] ?? 0) & 0x0f,
    loadSegment: u16(catalog, offset + 2) || DEFAULT_SEGMENT,
    sectorCount: u16(catalog, offset + 6),
    imageSector: u32(catalog, offset + 8),
  };
}

/** The entry that a PC boots: the initial one when it is for x86, else the first bootable x86 one of a section. */
export function chooseBootEntry(catalog: Uint8Array): BootEntry | undefined {
  if (catalog.length < 2 * ENTRY_BYTES || catalog[0] !== 1 || catalog[30] !== 0x55 || catalog[31] !== 0xaa)
    return undefined;
  let sum = 0;
  for (let i = 0; i < ENTRY_BYTES; i += 2) sum += u16(catalog, i);
  if ((sum & 0xffff) !== 0) return undefined;
  const usable = (offset: number): boolean =>
    catalog[offset] === BOOTABLE && ((catalog[offset + 1] ?? 0) & 0x0f) <= MEDIA_HARD_DISK;
  if (catalog[1] === PLATFORM_X86 && usable(ENTRY_BYTES)) return readEntry(catalog, ENTRY_BYTES);
  for (let offset = 2 * ENTRY_BYTES; offset + ENTRY_BYTES <= catalog.length;) {
    const header = catalog[offset];
    if (header !== HEADER_MORE && header !== HEADER_LAST) return undefined;
    const platform = catalog[offset + 1];
    let left = u16(catalog, offset + 2);
    offset += ENTRY_BYTES;
    while (left > 0 && offset + ENTRY_BYTES <= catalog.length) {
      if (catalog[offset] === EXTENSION) {
        offset += ENTRY_BYTES;
        continue;
      }
      if (platform === PLATFORM_X86 && usable(offset)) return readEntry(catalog, offset);
      left--;
      offset += ENTRY_BYTES;
    }
    while (catalog[offset] === EXTENSION) offset += ENTRY_BYTES;
    if (header === HEADER_LAST) return undefined;
  }
  return undefined;
}

/** Geometry of an emulated drive; a hard disk image tells it by the end of its first partition. */
export function emulationGeometry(mediaType: number, firstSector: Uint8Array): Geometry | undefined {
  if (mediaType === 1) return { cylinders: 80, heads: 2, sectors: 15 };
  if (mediaType === 2) return { cylinders: 80, heads: 2, sectors: 18 };
  if (mediaType === 3) return { cylinders: 80, heads: 2, sectors: 36 };
  if (mediaType !== MEDIA_HARD_DISK || firstSector[510] !== 0x55 || firstSector[511] !== 0xaa) return undefined;
  const head = firstSector[446 + 5] ?? 0;
  const middle = firstSector[446 + 6] ?? 0;
  const sectors = middle & 0x3f;
  const cylinders = ((firstSector[446 + 7] ?? 0) | ((middle & 0xc0) << 2)) + 1;
  return sectors === 0 || head > 254 ? undefined : { cylinders, heads: head + 1, sectors };
}
