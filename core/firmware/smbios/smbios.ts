// SMBIOS 2.8 (DSP0134) with the 32-bit entry point: what dmidecode shows of the machine. Types 0, 1, 3, 4, 16, 17, 19,
// 32 and 127, and 11 when strings are given (systemd reads credentials from there).

import { ByteWriter, checksumByte, utf8 } from '../byte-writer.ts';

const MIB = 1 << 20;
const KIB = 1024;
const MAX_DEVICE_MIB = 16 * 1024;

export interface SmbiosOptions {
  readonly ramBytes: number;
  /** RAM below the PCI hole: the rest is mapped from 4 GiB up. */
  readonly lowRamBytes: number;
  readonly cpus: number;
  /** Leaf 1 of CPUID: EAX and EDX. */
  readonly cpuSignature?: { readonly eax: number; readonly edx: number } | undefined;
  readonly cpuName?: string | undefined;
  /** 16 bytes in the order of the text form. */
  readonly uuid?: Uint8Array | undefined;
  readonly manufacturer?: string | undefined;
  readonly product?: string | undefined;
  readonly version?: string | undefined;
  readonly serial?: string | undefined;
  readonly assetTag?: string | undefined;
  readonly sku?: string | undefined;
  readonly family?: string | undefined;
  readonly biosVersion?: string | undefined;
  /** mm/dd/yyyy */
  readonly biosDate?: string | undefined;
  /** Segment of the BIOS image below 1 MiB and its size. */
  readonly biosSegment?: number | undefined;
  readonly biosRomBytes?: number | undefined;
  /** Strings of a type 11 structure. */
  readonly oemStrings?: readonly string[] | undefined;
}

export interface SmbiosTables {
  /** The structures, one behind the other. */
  readonly structures: Uint8Array;
  /** The entry point with a structure address of zero. */
  readonly anchor: Uint8Array;
}

const MAX_STRING_BYTES = 255;

class StructureList {
  readonly out = new ByteWriter();
  count = 0;
  largest = 0;

  /** Appends a structure: header, `body`, then the strings that `body` refers to by number. */
  add(
    type: number,
    handle: number,
    build: (body: ByteWriter, string: (text: string | undefined) => number) => void,
  ): void {
    const strings: Uint8Array[] = [];
    const body = new ByteWriter();
    build(body, (text) => {
      const bytes = utf8((text ?? '').replaceAll('\0', '')).slice(0, MAX_STRING_BYTES);
      if (bytes.length === 0) return 0;
      strings.push(bytes);
      return strings.length;
    });
    const start = this.out.length;
    this.out
      .u8(type)
      .u8(4 + body.length)
      .u16(handle)
      .bytes(body.toBytes());
    for (const text of strings) this.out.bytes(text).u8(0);
    if (strings.length === 0) this.out.u8(0);
    this.out.u8(0);
    this.count++;
    this.largest = Math.max(this.largest, this.out.length - start);
  }
}

/** The text order of a UUID to the one of SMBIOS 2.6 and later: the first three fields are little endian. */
function encodeUuid(uuid: Uint8Array): number[] {
  return [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15].map((index) => uuid[index] ?? 0);
}

const DEFAULT_MANUFACTURER = 'Nestbox';

function addFirmwareAndSystem(list: StructureList, options: SmbiosOptions): void {
  const romBytes = options.biosRomBytes ?? 64 * KIB;
  list.add(0, 0x0000, (body, string) => {
    body
      .u8(string(DEFAULT_MANUFACTURER))
      .u8(string(options.biosVersion ?? '1.0'))
      .u16(options.biosSegment ?? 0xf000)
      .u8(string(options.biosDate ?? '01/01/2026'))
      .u8(Math.min(255, Math.max(0, Math.ceil(romBytes / (64 * KIB)) - 1)))
      // ISA, PCI, boot from CD, selectable boot, EDD
      .u64((1 << 4) | (1 << 7) | (1 << 15) | (1 << 16) | (1 << 19))
      .u8(0x01) // ACPI
      .u8(0x10) // this is a virtual machine
      .u8(1)
      .u8(0)
      .u8(0xff)
      .u8(0xff);
  });
  const manufacturer = options.manufacturer ?? DEFAULT_MANUFACTURER;
  list.add(1, 0x0100, (body, string) => {
    body
      .u8(string(manufacturer))
      .u8(string(options.product ?? 'Nestbox PC'))
      .u8(string(options.version ?? '1.0'))
      .u8(string(options.serial))
      .bytes(encodeUuid(options.uuid ?? new Uint8Array(16)))
      .u8(0x06) // woken by the power switch
      .u8(string(options.sku))
      .u8(string(options.family));
  });
  list.add(3, 0x0300, (body, string) => {
    body
      .u8(string(manufacturer))
      .u8(0x01) // chassis type: other
      .u8(string(options.version ?? '1.0'))
      .u8(string(options.serial))
      .u8(string(options.assetTag))
      .u8(3)
      .u8(3)
      .u8(3)
      .u8(2) // security status: unknown
      .u32(0)
      .u8(0)
      .u8(0)
      .u8(0)
      .u8(0)
      .u8(string(options.sku));
  });
}

function addProcessor(list: StructureList, options: SmbiosOptions): void {
  const cpus = Math.min(options.cpus, 255);
  list.add(4, 0x0400, (body, string) => {
    body
      .u8(string('CPU 0'))
      .u8(3) // central processor
      .u8(0x01) // family: other
      .u8(string(options.manufacturer ?? DEFAULT_MANUFACTURER))
      .u32(options.cpuSignature?.eax ?? 0)
      .u32(options.cpuSignature?.edx ?? 0)
      .u8(string(options.cpuName ?? 'Virtual CPU'))
      .u8(0) // voltage unknown
      .u16(0)
      .u16(2000)
      .u16(2000)
      .u8(0x41) // populated, enabled
      .u8(0x01) // upgrade: other
      .u16(0xffff)
      .u16(0xffff)
      .u16(0xffff)
      .u8(0)
      .u8(0)
      .u8(0)
      .u8(cpus)
      .u8(cpus)
      .u8(cpus)
      .u16(0x04 | (cpus > 1 ? 0x08 : 0)) // 64 bits, several cores
      .u16(0x01)
      .u16(cpus)
      .u16(cpus)
      .u16(cpus);
  });
}

function addMemory(list: StructureList, options: SmbiosOptions): void {
  const totalMib = Math.ceil(options.ramBytes / MIB);
  const devices = Math.max(1, Math.ceil(totalMib / MAX_DEVICE_MIB));
  const arrayHandle = 0x1000;
  list.add(16, arrayHandle, (body) => {
    const kib = totalMib * 1024;
    const extended = kib >= 0x8000_0000;
    body
      .u8(0x01) // location: other
      .u8(0x03) // system memory
      .u8(0x06) // multi-bit ECC
      .u32(extended ? 0x8000_0000 : kib)
      .u16(0xfffe)
      .u16(devices)
      .u64(extended ? kib * 1024 : 0);
  });
  let leftMib = totalMib;
  for (let index = 0; index < devices; index++) {
    const sizeMib = Math.min(leftMib, MAX_DEVICE_MIB);
    leftMib -= sizeMib;
    list.add(17, 0x1100 + index, (body, string) => {
      body
        .u16(arrayHandle)
        .u16(0xfffe)
        .u16(0xffff)
        .u16(0xffff)
        .u16(sizeMib)
        .u8(0x09) // DIMM
        .u8(0)
        .u8(string(`DIMM ${index}`))
        .u8(0)
        .u8(0x07) // RAM
        .u16(0x02) // other
        .u16(0)
        .u8(string(options.manufacturer ?? DEFAULT_MANUFACTURER))
        .u8(0)
        .u8(0)
        .u8(0)
        .u8(0)
        .u32(0)
        .u16(0)
        .u16(0)
        .u16(0)
        .u16(0);
    });
  }
  const mapped = (handle: number, base: number, length: number): void => {
    list.add(19, handle, (body) => {
      const wide = base + length > 0xffff_ffff * KIB;
      body
        .u32(wide ? 0xffff_ffff : base / KIB)
        .u32(wide ? 0xffff_ffff : (base + length) / KIB - 1)
        .u16(arrayHandle)
        .u8(1)
        .u64(wide ? base : 0)
        .u64(wide ? base + length - 1 : 0);
    });
  };
  mapped(0x1300, 0, options.lowRamBytes);
  if (options.ramBytes > options.lowRamBytes) mapped(0x1301, 0x1_0000_0000, options.ramBytes - options.lowRamBytes);
}

export function buildSmbios(options: SmbiosOptions): SmbiosTables {
  const list = new StructureList();
  addFirmwareAndSystem(list, options);
  addProcessor(list, options);
  const strings = options.oemStrings ?? [];
  if (strings.length > 0) {
    list.add(11, 0x0b00, (body, string) => {
      const count = strings.slice(0, 255).filter((text) => string(text) !== 0).length;
      body.u8(count);
    });
  }
  addMemory(list, options);
  list.add(32, 0x2000, (body) => body.zeroes(6).u8(0));
  list.add(127, 0x7f00, () => undefined);
  const structures = list.out.toBytes();
  const anchor = new ByteWriter()
    .text('_SM_')
    .u8(0)
    .u8(0x1f)
    .u8(2)
    .u8(8)
    .u16(list.largest)
    .u8(0)
    .zeroes(5)
    .text('_DMI_')
    .u8(0)
    .u16(structures.length)
    .u32(0)
    .u16(list.count)
    .u8(0x28)
    .toBytes();
  return { structures, anchor: finishAnchor(anchor, 0) };
}

/** The entry point for structures at `address`, checksums included. */
export function finishAnchor(anchor: Uint8Array, address: number): Uint8Array {
  const out = anchor.slice();
  new DataView(out.buffer).setUint32(0x18, address, true);
  out[0x15] = 0;
  out[0x15] = checksumByte(out.subarray(0x10, 0x1f));
  out[4] = 0;
  out[4] = checksumByte(out);
  return out;
}

/**
 * Places structures and entry point.
 * @param place as for the ACPI tables; the entry point must come into the F segment on a 16-byte boundary
 * @returns the address of the entry point
 */
export function placeSmbios(
  tables: SmbiosTables,
  place: (bytes: Uint8Array, alignment: number, region: 'f-segment') => number,
): number {
  const address = place(tables.structures, 16, 'f-segment');
  return place(finishAnchor(tables.anchor, address), 16, 'f-segment');
}

export const SMBIOS_TABLES_FILE = 'etc/smbios/smbios-tables';
export const SMBIOS_ANCHOR_FILE = 'etc/smbios/smbios-anchor';
