// The ACPI tables of the board (ACPI 1.0b to 6.4 forms that all operating systems of the PC accept): RSDP, RSDT, XSDT,
// FADT revision 3, FACS, DSDT, MADT, HPET. Tables refer to each other by name until somebody places them in memory.

import { ByteWriter } from '../byte-writer.ts';
import {
  ACPI_DISABLE,
  ACPI_ENABLE,
  type AcpiBoard,
  GPE0_BLK,
  GPE0_BLK_LEN,
  HPET_BASE,
  HPET_BLOCK_ID,
  IO_APIC_BASE,
  LOCAL_APIC_BASE,
  PCI_IRQS,
  PM1A_CNT_BLK,
  PM1A_EVT_BLK,
  PM_TMR_BLK,
  RESET_PORT,
  RESET_VALUE,
  RTC_CENTURY,
  SCI_IRQ,
  SMI_CMD,
} from './board.ts';
import { dsdtTerms } from './dsdt.ts';

export type AcpiTableName = 'FACS' | 'DSDT' | 'FACP' | 'APIC' | 'HPET' | 'RSDT' | 'XSDT' | 'RSDP';

/** An address field of `size` bytes at `offset` that must point to another table. */
export interface TablePointer {
  readonly offset: number;
  readonly size: 4 | 8;
  readonly target: AcpiTableName;
}

/** The byte at `offset` makes the sum of [0, length) zero. */
export interface TableChecksum {
  readonly offset: number;
  readonly length: number;
}

export interface AcpiTable {
  readonly name: AcpiTableName;
  readonly bytes: Uint8Array;
  readonly alignment: number;
  readonly pointers: readonly TablePointer[];
  /** In the order in which they are to be computed. */
  readonly checksums: readonly TableChecksum[];
}

const OEM_ID = 'NESTBX';
const OEM_TABLE_ID = 'NESTBOX ';
const CREATOR_ID = 'NBOX';
const HEADER_BYTES = 36;
const CHECKSUM_OFFSET = 9;

const SPACE_IO = 1;
const ACCESS_BYTE = 1;
const ACCESS_WORD = 2;
const ACCESS_DWORD = 3;

const FADT_WBINVD = 1 << 0;
const FADT_PROC_C1 = 1 << 2;
/** No fixed sleep button. The fixed power button is there: its bit 4 stays clear. */
const FADT_SLP_BUTTON = 1 << 5;
/** The RTC alarm is no fixed wake event. */
const FADT_FIX_RTC = 1 << 6;
const FADT_RESET_REG_SUP = 1 << 10;
const FADT_USE_PLATFORM_CLOCK = 1 << 15;

const BOOT_ARCH_LEGACY_DEVICES = 1 << 0;
const BOOT_ARCH_8042 = 1 << 1;
const NO_C2 = 0xfff;
const NO_C3 = 0xfff;
const PROFILE_DESKTOP = 1;

const MADT_PCAT_COMPAT = 1;
const MADT_LOCAL_APIC = 0;
const MADT_IO_APIC = 1;
const MADT_OVERRIDE = 2;
const MADT_LOCAL_NMI = 4;
const MPS_LEVEL_HIGH = 0x000d;
const MPS_CONFORMS = 0x0000;
const ALL_PROCESSORS = 0xff;

function table(
  name: AcpiTableName,
  revision: number,
  body: Uint8Array,
  pointers: readonly TablePointer[] = [],
): AcpiTable {
  const length = HEADER_BYTES + body.length;
  const bytes = new ByteWriter()
    .text(name)
    .u32(length)
    .u8(revision)
    .u8(0)
    .text(OEM_ID)
    .text(OEM_TABLE_ID)
    .u32(1)
    .text(CREATOR_ID)
    .u32(1)
    .bytes(body)
    .toBytes();
  return { name, bytes, alignment: 16, pointers, checksums: [{ offset: CHECKSUM_OFFSET, length }] };
}

function facs(): AcpiTable {
  const bytes = new ByteWriter().text('FACS').u32(64).zeroes(24).u8(1).zeroes(31).toBytes();
  return { name: 'FACS', bytes, alignment: 64, pointers: [], checksums: [] };
}

function ioRegister(out: ByteWriter, bits: number, access: number, port: number): void {
  out
    .u8(port === 0 ? 0 : SPACE_IO)
    .u8(bits)
    .u8(0)
    .u8(access)
    .u64(port);
}

function fadt(): AcpiTable {
  const out = new ByteWriter()
    .u32(0) // FIRMWARE_CTRL
    .u32(0) // DSDT
    .u8(1) // INT_MODEL of ACPI 1.0: dual 8259 and APIC
    .u8(PROFILE_DESKTOP)
    .u16(SCI_IRQ)
    .u32(SMI_CMD)
    .u8(ACPI_ENABLE)
    .u8(ACPI_DISABLE)
    .u8(0) // S4BIOS_REQ
    .u8(0) // PSTATE_CNT
    .u32(PM1A_EVT_BLK)
    .u32(0)
    .u32(PM1A_CNT_BLK)
    .u32(0)
    .u32(0) // PM2_CNT
    .u32(PM_TMR_BLK)
    .u32(GPE0_BLK)
    .u32(0)
    .u8(4) // PM1_EVT_LEN
    .u8(2) // PM1_CNT_LEN
    .u8(0)
    .u8(4) // PM_TMR_LEN
    .u8(GPE0_BLK_LEN)
    .u8(0)
    .u8(0)
    .u8(0) // CST_CNT
    .u16(NO_C2)
    .u16(NO_C3)
    .u16(0) // FLUSH_SIZE
    .u16(0)
    .u8(0) // DUTY_OFFSET
    .u8(0)
    .u8(0) // DAY_ALRM
    .u8(0)
    .u8(RTC_CENTURY)
    .u16(BOOT_ARCH_LEGACY_DEVICES | BOOT_ARCH_8042)
    .u8(0)
    .u32(FADT_WBINVD | FADT_PROC_C1 | FADT_SLP_BUTTON | FADT_FIX_RTC | FADT_RESET_REG_SUP | FADT_USE_PLATFORM_CLOCK);
  ioRegister(out, 8, ACCESS_BYTE, RESET_PORT);
  out.u8(RESET_VALUE).zeroes(3);
  out.u64(0); // X_FIRMWARE_CTRL: the 32-bit one is used
  const xDsdt = HEADER_BYTES + out.length;
  out.u64(0);
  ioRegister(out, 32, ACCESS_WORD, PM1A_EVT_BLK);
  ioRegister(out, 0, 0, 0);
  ioRegister(out, 16, ACCESS_WORD, PM1A_CNT_BLK);
  ioRegister(out, 0, 0, 0);
  ioRegister(out, 0, 0, 0);
  ioRegister(out, 32, ACCESS_DWORD, PM_TMR_BLK);
  ioRegister(out, GPE0_BLK_LEN * 8, ACCESS_BYTE, GPE0_BLK);
  ioRegister(out, 0, 0, 0);
  return table('FACP', 3, out.toBytes(), [
    { offset: HEADER_BYTES, size: 4, target: 'FACS' },
    { offset: HEADER_BYTES + 4, size: 4, target: 'DSDT' },
    { offset: xDsdt, size: 8, target: 'DSDT' },
  ]);
}

function madt(board: AcpiBoard): AcpiTable {
  const out = new ByteWriter().u32(LOCAL_APIC_BASE).u32(MADT_PCAT_COMPAT);
  board.apicIds.forEach((apicId, index) => out.u8(MADT_LOCAL_APIC).u8(8).u8(index).u8(apicId).u32(1));
  out.u8(MADT_IO_APIC).u8(12).u8(board.ioApicId).u8(0).u32(IO_APIC_BASE).u32(0);
  const override = (source: number, target: number, flags: number): ByteWriter =>
    out.u8(MADT_OVERRIDE).u8(10).u8(0).u8(source).u32(target).u16(flags);
  // The PIT's output goes to pin 2; pin 0 belongs to the 8259.
  override(0, 2, MPS_CONFORMS);
  for (const line of PCI_IRQS) override(line, line, MPS_LEVEL_HIGH);
  out.u8(MADT_LOCAL_NMI).u8(6).u8(ALL_PROCESSORS).u16(MPS_CONFORMS).u8(1);
  return table('APIC', 1, out.toBytes());
}

function hpet(): AcpiTable {
  const out = new ByteWriter().u32(HPET_BLOCK_ID).u8(0).u8(64).u8(0).u8(0).u64(HPET_BASE).u8(0).u16(0).u8(0);
  return table('HPET', 1, out.toBytes());
}

function rootTable(name: 'RSDT' | 'XSDT', targets: readonly AcpiTableName[]): AcpiTable {
  const size = name === 'RSDT' ? 4 : 8;
  const pointers = targets.map((target, index): TablePointer => ({
    offset: HEADER_BYTES + index * size,
    size,
    target,
  }));
  return table(name, 1, new Uint8Array(targets.length * size), pointers);
}

function rsdp(): AcpiTable {
  const bytes = new ByteWriter()
    .text('RSD PTR ')
    .u8(0)
    .text(OEM_ID)
    .u8(2)
    .u32(0)
    .u32(36)
    .u64(0)
    .u8(0)
    .zeroes(3)
    .toBytes();
  return {
    name: 'RSDP',
    bytes,
    alignment: 16,
    pointers: [
      { offset: 16, size: 4, target: 'RSDT' },
      { offset: 24, size: 8, target: 'XSDT' },
    ],
    checksums: [
      { offset: 8, length: 20 },
      { offset: 32, length: 36 },
    ],
  };
}

/** All tables, each behind those that it points to. Pointers and checksums are still zero. */
export function buildAcpiTables(board: AcpiBoard): AcpiTable[] {
  const listed: AcpiTable[] = [fadt(), madt(board)];
  if (board.hpet !== false) listed.push(hpet());
  const names = listed.map((entry) => entry.name);
  return [
    facs(),
    table('DSDT', 1, dsdtTerms(board)),
    ...listed,
    rootTable('RSDT', names),
    rootTable('XSDT', names),
    rsdp(),
  ];
}
