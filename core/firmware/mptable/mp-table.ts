// The MultiProcessor Specification 1.4 tables, for operating systems older than ACPI: processors, buses, I/O APIC and how
// interrupts reach it.

import { ByteWriter, checksumByte } from '../byte-writer.ts';
import { IO_APIC_BASE, ISA_BRIDGE_SLOT, LOCAL_APIC_BASE, pirqLink, SCI_IRQ } from '../acpi/board.ts';

export interface MpTableOptions {
  /** APIC identifiers, one a vCPU; the first is the boot processor's. */
  readonly apicIds: readonly number[];
  readonly ioApicId: number;
  /** Leaf 1 of CPUID: EAX and EDX. */
  readonly cpuSignature?: { readonly eax: number; readonly edx: number } | undefined;
  /** Interrupts that the firmware gave to PIRQ A-D. */
  readonly pirqIrqs?: readonly number[] | undefined;
  /** PCI slots that may hold devices; all by default. */
  readonly pciSlots?: readonly number[] | undefined;
}

const ENTRY_PROCESSOR = 0;
const ENTRY_BUS = 1;
const ENTRY_IO_APIC = 2;
const ENTRY_IO_INTERRUPT = 3;
const ENTRY_LOCAL_INTERRUPT = 4;

const CPU_ENABLED = 1;
const CPU_BOOT = 2;
const APIC_VERSION = 0x14;
const IO_APIC_VERSION = 0x11;
const IO_APIC_ENABLED = 1;

const INTERRUPT_VECTORED = 0;
const INTERRUPT_NMI = 1;
const INTERRUPT_EXTINT = 3;
const FLAGS_CONFORM = 0x0000;
const FLAGS_LEVEL_HIGH = 0x000d;
const ALL_LOCAL_APICS = 0xff;

const PCI_BUS = 0;
const ISA_BUS = 1;
/** Usual choice of PC firmware for PIRQ A-D. */
export const DEFAULT_PIRQ_IRQS: readonly number[] = [10, 10, 11, 11];

/** The configuration table, checksum included. It may lie anywhere below 1 MiB or at the top of low RAM. */
export function buildMpConfiguration(options: MpTableOptions): Uint8Array {
  const out = new ByteWriter();
  let entries = 0;
  const entry = (type: number): ByteWriter => {
    entries++;
    return out.u8(type);
  };
  out
    .text('PCMP')
    .u16(0)
    .u8(4)
    .u8(0)
    .text('NESTBOX ')
    .text('NESTBOX PC  ')
    .u32(0)
    .u16(0)
    .u16(0)
    .u32(LOCAL_APIC_BASE)
    .u32(0);

  options.apicIds.forEach((apicId, index) =>
    entry(ENTRY_PROCESSOR)
      .u8(apicId)
      .u8(APIC_VERSION)
      .u8(CPU_ENABLED | (index === 0 ? CPU_BOOT : 0))
      .u32(options.cpuSignature?.eax ?? 0)
      .u32(options.cpuSignature?.edx ?? 0)
      .zeroes(8),
  );
  entry(ENTRY_BUS).u8(PCI_BUS).text('PCI   ');
  entry(ENTRY_BUS).u8(ISA_BUS).text('ISA   ');
  entry(ENTRY_IO_APIC).u8(options.ioApicId).u8(IO_APIC_VERSION).u8(IO_APIC_ENABLED).u32(IO_APIC_BASE);

  const interrupt = (type: number, flags: number, bus: number, source: number, pin: number): void => {
    entry(ENTRY_IO_INTERRUPT).u8(type).u16(flags).u8(bus).u8(source).u8(options.ioApicId).u8(pin);
  };
  const pirqIrqs = options.pirqIrqs ?? DEFAULT_PIRQ_IRQS;
  const slots = options.pciSlots ?? Array.from({ length: 31 }, (_, index) => index + 1);
  const usedByPci = new Set<number>();
  for (const slot of slots) {
    for (let pin = 0; pin < 4; pin++) {
      const wiredToSci = slot === ISA_BRIDGE_SLOT && pin === 0;
      const line = wiredToSci ? SCI_IRQ : (pirqIrqs[pirqLink(slot, pin)] ?? 0);
      if (line === 0 || line >= 16) continue;
      usedByPci.add(line);
      interrupt(INTERRUPT_VECTORED, FLAGS_LEVEL_HIGH, PCI_BUS, (slot << 2) | pin, line);
    }
  }
  for (let line = 0; line < 16; line++) {
    // Line 2 is the cascade between the 8259s; its pin carries the PIT.
    if (line === 2 || usedByPci.has(line)) continue;
    interrupt(INTERRUPT_VECTORED, FLAGS_CONFORM, ISA_BUS, line, line === 0 ? 2 : line);
  }
  const local = (type: number, pin: number): void => {
    entry(ENTRY_LOCAL_INTERRUPT).u8(type).u16(FLAGS_CONFORM).u8(ISA_BUS).u8(0).u8(ALL_LOCAL_APICS).u8(pin);
  };
  local(INTERRUPT_EXTINT, 0);
  local(INTERRUPT_NMI, 1);

  out.setU16(4, out.length).setU16(34, entries);
  const bytes = out.toBytes();
  bytes[7] = checksumByte(bytes);
  return bytes;
}

/** The floating pointer structure to a configuration table at `address`. */
export function buildMpFloatingPointer(address: number): Uint8Array {
  const bytes = new ByteWriter().text('_MP_').u32(address).u8(1).u8(4).u8(0).zeroes(5).toBytes();
  bytes[10] = checksumByte(bytes);
  return bytes;
}

/** Places both tables. @returns the address of the floating pointer */
export function placeMpTable(
  options: MpTableOptions,
  place: (bytes: Uint8Array, alignment: number, region: 'f-segment') => number,
): number {
  const address = place(buildMpConfiguration(options), 16, 'f-segment');
  return place(buildMpFloatingPointer(address), 16, 'f-segment');
}
