// The facts about the i440FX/PIIX board that the firmware tables tell: addresses, interrupts, what is fitted.

export const PM_BASE = 0x600;
export const PM1A_EVT_BLK = PM_BASE;
export const PM1A_CNT_BLK = PM_BASE + 4;
export const PM_TMR_BLK = PM_BASE + 8;
export const PM_LENGTH = 0x40;
export const GPE0_BLK = 0xafe0;
export const GPE0_BLK_LEN = 4;
export const SMI_CMD = 0xb2;
export const ACPI_ENABLE = 0xf1;
export const ACPI_DISABLE = 0xf0;
export const SCI_IRQ = 9;
export const RESET_PORT = 0xcf9;
export const RESET_VALUE = 0x0f;
export const RTC_CENTURY = 0x32;
/** The sleep type that PM1a_CNT takes for "soft off". */
export const S5_SLEEP_TYPE = 0;
/** General-purpose event that says that the VM generation id is another one. */
export const GENERATION_GPE = 5;

export const LOCAL_APIC_BASE = 0xfee0_0000;
export const IO_APIC_BASE = 0xfec0_0000;
export const HPET_BASE = 0xfed0_0000;
export const HPET_LENGTH = 0x400;
/** Revision 1, three comparators, 64-bit counter, legacy routing, Intel. */
export const HPET_BLOCK_ID = 0x8086_a201;

/** Interrupts that PCI devices may use; level triggered, active high at the I/O APIC. */
export const PCI_IRQS: readonly number[] = [5, 9, 10, 11];
/** Choices of the four PIRQ links. */
export const LINK_IRQS: readonly number[] = [5, 10, 11];
/** PIRQRC registers of the PIIX, configuration space of function 0. */
export const PIRQ_ROUTE_BASE = 0x60;
export const ISA_BRIDGE_SLOT = 1;

/** PIRQ link (0 = A) of a slot's interrupt pin (0 = INTA#), as the board wires slots round. */
export function pirqLink(slot: number, pin: number): number {
  return (slot - 1 + pin) & 3;
}

export interface AcpiBoard {
  /** RAM from 0 up: the PCI window starts behind it. */
  readonly lowRamBytes: number;
  /** APIC identifiers, one a vCPU; the first is the boot processor's. */
  readonly apicIds: readonly number[];
  /** Identifier of the I/O APIC as it stands in its register. */
  readonly ioApicId: number;
  /** What is fitted; all are by default, but for the parallel port. */
  readonly floppy?: boolean | undefined;
  readonly serialPorts?: 0 | 1 | 2 | undefined;
  readonly parallelPort?: boolean | undefined;
  readonly hpet?: boolean | undefined;
  readonly pvpanic?: boolean | undefined;
  readonly fwCfg?: boolean | undefined;
  /** Guest physical address of the VM generation id; absent without one. */
  readonly generationIdAddress?: number | undefined;
  /** 64-bit window for PCI, when there is one. */
  readonly pciWindow64?: { readonly base: number; readonly length: number } | undefined;
}
