// Firmware of a PC: the built-in BIOS with its tables, or an external image that finds them through fw_cfg.

import { readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { NestboxError, messageOf } from '../base/errors.ts';
import { VM_GENERATION_ID_BASE } from '../devices/platform/vm-generation-id.ts';
import type { AcpiBoard } from '../firmware/acpi/board.ts';
import { type PlaceTable, LOADER_FILE, RSDP_FILE, TABLES_FILE, acpiFiles, placeAcpiTables } from '../firmware/acpi/place-tables.ts';
import { buildAcpiTables } from '../firmware/acpi/tables.ts';
import type { FwCfg } from '../firmware/fw-cfg/fw-cfg.ts';
import { addPcItems } from '../firmware/fw-cfg/pc-items.ts';
import { placeMpTable } from '../firmware/mptable/mp-table.ts';
import { SMBIOS_ANCHOR_FILE, SMBIOS_TABLES_FILE, buildSmbios, placeSmbios } from '../firmware/smbios/smbios.ts';
import { FIRMWARE_BYTES_MAX, FIRMWARE_BYTES_MIN } from '../protocol/limits.ts';

/** Where the VGA BIOS of an external firmware is looked for: beside it, or in its package's other folder. */
const VGA_ROM_NAMES = ['vgabios-stdvga.bin', '../seabios/vgabios-stdvga.bin', '../qemu/vgabios-stdvga.bin'];

export interface ExternalFirmware {
  readonly rom: Uint8Array;
  readonly vgaRom: Uint8Array | undefined;
}

/** @throws NestboxError `bad-input` naming the file and what is wrong */
export async function readFirmware(path: string): Promise<ExternalFirmware> {
  const fail = (reason: string, cause?: unknown): NestboxError => new NestboxError('bad-input', `firmware ${path}: ${reason}`, { op: 'read firmware', context: { path }, cause });
  let rom: Uint8Array;
  try {
    const info = await stat(path);
    if (info.isDirectory()) throw fail('is a directory; a firmware image is needed');
    if (!info.isFile()) throw fail('is not a regular file');
    if (info.size < FIRMWARE_BYTES_MIN || info.size > FIRMWARE_BYTES_MAX || info.size % FIRMWARE_BYTES_MIN !== 0) {
      throw fail(`is ${info.size} bytes long; firmware images are a multiple of 64 KiB, up to 16 MiB`);
    }
    rom = await readFile(path);
  } catch (cause) {
    if (cause instanceof NestboxError) throw cause;
    const code = (cause as { code?: string }).code;
    throw fail(code === 'ENOENT' ? 'does not exist' : code === 'EACCES' ? 'cannot be read: permission denied' : messageOf(cause), cause);
  }
  let vgaRom: Uint8Array | undefined;
  for (const name of VGA_ROM_NAMES) {
    vgaRom ??= await readFile(join(dirname(path), name)).catch(() => undefined);
  }
  return { rom, vgaRom };
}

export interface TableOptions {
  readonly lowRamBytes: number;
  readonly highRamBytes: number;
  readonly cpus: number;
  readonly ioApicId: number;
  readonly cpuSignature: { readonly eax: number; readonly edx: number };
  readonly cpuName: string;
  readonly uuid: Uint8Array;
  readonly version: string;
}

function boardOf(options: TableOptions): AcpiBoard {
  return {
    lowRamBytes: options.lowRamBytes,
    apicIds: Array.from({ length: options.cpus }, (_, id) => id),
    ioApicId: options.ioApicId,
    serialPorts: 2,
    parallelPort: false,
    hpet: true,
    pvpanic: true,
    fwCfg: true,
    generationIdAddress: VM_GENERATION_ID_BASE,
  };
}

function smbiosOf(options: TableOptions): ReturnType<typeof buildSmbios> {
  return buildSmbios({
    ramBytes: options.lowRamBytes + options.highRamBytes,
    lowRamBytes: options.lowRamBytes,
    cpus: options.cpus,
    cpuSignature: options.cpuSignature,
    cpuName: options.cpuName,
    uuid: options.uuid,
    manufacturer: 'Nestbox',
    product: 'Nestbox PC (i440FX + PIIX3)',
    version: options.version,
    biosVersion: options.version,
  });
}

/** Places ACPI, SMBIOS and MP tables for the built-in BIOS. @returns address of the ACPI root pointer */
export function placeTables(options: TableOptions, place: PlaceTable): number {
  const rsdp = placeAcpiTables(buildAcpiTables(boardOf(options)), place);
  placeSmbios(smbiosOf(options), place);
  placeMpTable({ apicIds: boardOf(options).apicIds, ioApicId: options.ioApicId, cpuSignature: options.cpuSignature }, place);
  return rsdp;
}

/** Offers the same tables, sizes and boot order to external firmware. */
export function fillFwCfg(device: FwCfg, options: TableOptions, bootOrder: readonly string[]): void {
  addPcItems(device, {
    ram: { lowRamBytes: options.lowRamBytes, highRamBytes: options.highRamBytes },
    cpus: options.cpus,
    uuid: options.uuid,
    bootOrder,
  });
  const files = acpiFiles(buildAcpiTables(boardOf(options)));
  device.addFile(TABLES_FILE, files.tables);
  device.addFile(RSDP_FILE, files.rsdp);
  device.addFile(LOADER_FILE, files.loader);
  const smbios = smbiosOf(options);
  device.addFile(SMBIOS_TABLES_FILE, smbios.structures);
  device.addFile(SMBIOS_ANCHOR_FILE, smbios.anchor);
}
