// The two ways in which ACPI tables reach a guest: written to fixed places by our own BIOS or loader, or as files with a
// linker script for firmware that places them itself (QEMU's bios-linker-loader, used by SeaBIOS and OVMF).

import { ByteWriter, checksumByte } from '../byte-writer.ts';
import type { AcpiTable, AcpiTableName } from './tables.ts';

/**
 * - `acpi-data`: RAM that an operating system may reclaim after reading the tables
 * - `acpi-nvs`: RAM that it must leave alone
 * - `f-segment`: the BIOS area below 1 MiB that is searched for the root pointer
 */
export type TableRegion = 'acpi-data' | 'acpi-nvs' | 'f-segment';

/** Writes `bytes` to a place of its own choice in the region and returns its physical address (below 4 GiB). */
export type PlaceTable = (bytes: Uint8Array, alignment: number, region: TableRegion) => number;

function regionOf(name: AcpiTableName): TableRegion {
  if (name === 'RSDP') return 'f-segment';
  return name === 'FACS' ? 'acpi-nvs' : 'acpi-data';
}

function setPointer(bytes: Uint8Array, offset: number, size: 4 | 8, value: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (size === 4) view.setUint32(offset, value, true);
  else view.setBigUint64(offset, BigInt(value), true);
}

function applyChecksums(table: AcpiTable, bytes: Uint8Array): void {
  for (const { offset, length } of table.checksums) {
    bytes[offset] = 0;
    bytes[offset] = checksumByte(bytes.subarray(0, length));
  }
}

/** Places all tables and returns the address of the root pointer (RSDP). */
export function placeAcpiTables(tables: readonly AcpiTable[], place: PlaceTable): number {
  const addresses = new Map<AcpiTableName, number>();
  for (const table of tables) {
    const bytes = table.bytes.slice();
    for (const pointer of table.pointers) {
      const target = addresses.get(pointer.target);
      if (target === undefined)
        throw new Error(`ACPI table ${table.name} points to ${pointer.target}, which is not placed yet`);
      setPointer(bytes, pointer.offset, pointer.size, target);
    }
    applyChecksums(table, bytes);
    addresses.set(table.name, place(bytes, table.alignment, regionOf(table.name)));
  }
  return addresses.get('RSDP') ?? 0;
}

export const TABLES_FILE = 'etc/acpi/tables';
export const RSDP_FILE = 'etc/acpi/rsdp';
export const LOADER_FILE = 'etc/table-loader';

const COMMAND_BYTES = 128;
const FILE_NAME_BYTES = 56;
const COMMAND_ALLOCATE = 1;
const COMMAND_ADD_POINTER = 2;
const COMMAND_ADD_CHECKSUM = 3;
const ZONE_HIGH = 1;
const ZONE_F_SEGMENT = 2;
const BLOB_ALIGNMENT = 64;

export interface AcpiFiles {
  readonly tables: Uint8Array;
  readonly rsdp: Uint8Array;
  readonly loader: Uint8Array;
}

/** The three fw_cfg files: all tables but the root pointer in one, the root pointer, the linker script. */
export function acpiFiles(tables: readonly AcpiTable[]): AcpiFiles {
  const blob = new ByteWriter();
  const placed = new Map<AcpiTableName, number>();
  for (const table of tables) {
    if (table.name === 'RSDP') continue;
    blob.align(table.alignment);
    placed.set(table.name, blob.length);
    blob.bytes(table.bytes);
  }
  const root = tables.find((table) => table.name === 'RSDP');
  if (root === undefined) throw new Error('no ACPI root pointer');
  const rsdp = root.bytes.slice();
  const tableBytes = blob.toBytes();
  const script = new ByteWriter();

  const command = (code: number, ...fill: ((out: ByteWriter) => void)[]): void => {
    const start = script.length;
    script.u32(code);
    for (const write of fill) write(script);
    script.zeroes(COMMAND_BYTES - (script.length - start));
  };
  const file = (name: string) => (out: ByteWriter) => void out.text(name, FILE_NAME_BYTES);
  const words =
    (...values: number[]) =>
    (out: ByteWriter) =>
      values.forEach((value) => out.u32(value));
  const byte = (value: number) => (out: ByteWriter) => void out.u8(value);

  command(COMMAND_ALLOCATE, file(TABLES_FILE), words(BLOB_ALIGNMENT), byte(ZONE_HIGH));
  command(COMMAND_ALLOCATE, file(RSDP_FILE), words(root.alignment), byte(ZONE_F_SEGMENT));
  for (const table of tables) {
    const name = table.name === 'RSDP' ? RSDP_FILE : TABLES_FILE;
    const content = table.name === 'RSDP' ? rsdp : tableBytes;
    const base = placed.get(table.name) ?? 0;
    for (const pointer of table.pointers) {
      // The field holds the offset inside the target's file; the firmware adds where it put that file.
      setPointer(content, base + pointer.offset, pointer.size, placed.get(pointer.target) ?? 0);
      command(COMMAND_ADD_POINTER, file(name), file(TABLES_FILE), words(base + pointer.offset), byte(pointer.size));
    }
    for (const { offset, length } of table.checksums) {
      command(COMMAND_ADD_CHECKSUM, file(name), words(base + offset, base, length));
    }
  }
  return { tables: tableBytes, rsdp, loader: script.toBytes() };
}
