// Reads the boot catalogue of a CD ("El Torito" Bootable CD-ROM Format Specification 1.0; platform EFh by UEFI 2.x, 13.3.2.1).

import { type ByteSource, FieldReader } from './byte-source.ts';
import { CD_SECTOR } from './iso9660.ts';

export interface BootEntry {
  readonly platform: 'bios' | 'uefi' | 'other';
  readonly bootable: boolean;
  readonly emulation: 'none' | 'floppy' | 'disk';
  readonly sector: number;
  /** In 512-byte sectors. */
  readonly sectors: number;
}

const PLATFORM: Readonly<Record<number, BootEntry['platform']>> = { 0x00: 'bios', 0xef: 'uefi' };
const ENTRY_BYTES = 32;
const ENTRIES_MAX = 63;

/** Entries of the catalogue in order; empty when its validation entry is wrong. */
export async function readBootCatalog(source: ByteSource, sector: number): Promise<readonly BootEntry[]> {
  const catalog = new FieldReader(await source.read(sector * CD_SECTOR, CD_SECTOR));
  if (catalog.u8(0) !== 1 || catalog.u16(30) !== 0xaa55) return [];
  let sum = 0;
  for (let at = 0; at < ENTRY_BYTES; at += 2) sum = (sum + catalog.u16(at)) & 0xffff;
  if (sum !== 0) return [];
  const entries: BootEntry[] = [bootEntry(catalog, ENTRY_BYTES, catalog.u8(1))];
  for (let index = 2; index < ENTRIES_MAX;) {
    const header = catalog.u8(index * ENTRY_BYTES);
    if (header !== 0x90 && header !== 0x91) break;
    const platform = catalog.u8(index * ENTRY_BYTES + 1);
    const count = catalog.u16(index * ENTRY_BYTES + 2);
    index++;
    for (let section = 0; section < count && index < ENTRIES_MAX; section++, index++)
      entries.push(bootEntry(catalog, index * ENTRY_BYTES, platform));
    if (header === 0x91) break;
  }
  return entries;
}

function bootEntry(catalog: FieldReader, at: number, platform: number): BootEntry {
  const media = catalog.u8(at + 1) & 0x0f;
  return {
    platform: PLATFORM[platform] ?? 'other',
    bootable: catalog.u8(at) === 0x88,
    emulation: media === 0 ? 'none' : media === 4 ? 'disk' : 'floppy',
    sector: catalog.u32(at + 8),
    sectors: catalog.u16(at + 6),
  };
}
