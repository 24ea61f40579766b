// What the built-in BIOS needs from the machine, and how it is configured.

import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { BlockDevice } from '../../block/block-device.ts';
import type { DmaMemory } from '../../bus/dma.ts';
import type { IoScheduler } from '../../bus/io-scheduler.ts';
import type { PortBus } from '../../bus/port-bus.ts';
import type { MemoryMapEntry } from '../loaders/memory-map.ts';

/**
 * The vCPU that is executing the trap's IN instruction. `Vcpu` of core/cpu/contract.ts is one.
 * Linear accesses go where the guest's own would go as supervisor: through paging, to RAM, ROM and device memory (VGA).
 */
export interface BiosCpu {
  /** 32-bit general register in encoding order: EAX ECX EDX EBX ESP EBP ESI EDI. */
  getRegister32(index: number): number;
  getSegment(name: 'es' | 'cs' | 'ss' | 'ds'): { selector: number; base: number };
  /** False when an address is not mapped. */
  readLinear(address: number, target: Uint8Array): boolean;
  writeLinear(address: number, source: Uint8Array): boolean;
}

export type BootKind = 'floppy' | 'disk' | 'cdrom' | 'network';

export interface BiosDrive {
  readonly kind: 'floppy' | 'disk' | 'cdrom';
  /** What POST and boot messages call it. */
  readonly name: string;
  /** The medium that is in the drive now. */
  medium(): BlockDevice | undefined;
  /** True once after the medium was changed (the drive's change line). */
  takeChanged?(): boolean;
  /** Geometry that the ATA drive reports; the BIOS translates it. */
  readonly geometry?: { readonly cylinders: number; readonly heads: number; readonly sectors: number } | undefined;
}

export interface BiosFonts {
  /** 256 glyphs each, 8 pixels wide. */
  readonly font8: Uint8Array;
  readonly font14: Uint8Array;
  readonly font16: Uint8Array;
}

/** `acpi-data` and `acpi-nvs`: top of low RAM (E820 types 3 and 4); `f-segment`: ROM at F0000; `ebda`: extended BIOS data area. */
export type TableRegion = 'f-segment' | 'acpi-data' | 'acpi-nvs' | 'ebda';

/** Puts a table somewhere and says at which physical address. Contents may refer to addresses returned before. */
export type PlaceTable = (bytes: Uint8Array, alignment: number, region: TableRegion) => number;

export interface BiosOptions {
  /** RAM from 0 to the PCI hole. */
  readonly lowRamBytes: number;
  /** RAM from 4 GiB up. */
  readonly highRamBytes: number;
  /** Fixed drives in order: floppies become A and B, disks 80h.., CD drives E0h... */
  readonly drives: readonly BiosDrive[];
  readonly bootOrder: readonly BootKind[];
  readonly fonts: BiosFonts;
  /** The monitor's EDID block, 128 bytes (INT 10h/4F15h); without it there is no DDC. */
  readonly edid?: Uint8Array | undefined;
  /** Places ACPI, SMBIOS and MP tables; called once when the BIOS is made. */
  readonly tables?: ((place: PlaceTable) => void) | undefined;
  /** Replaces the computed E820 map. */
  readonly memoryMap?: readonly MemoryMapEntry[] | undefined;
  /** Lowest address for memory BARs; up to FEBFFFFFh is used. */
  readonly pciMemoryBase?: number | undefined;
  /** IRQs of PIRQA-D. */
  readonly pirqRoutes?: readonly number[] | undefined;
  /** Shown in the banner. */
  readonly version?: string | undefined;
  /** CPU name for the banner. */
  readonly cpuName?: string | undefined;
  readonly cpuCount?: number | undefined;
  /** Leaves out the banner. */
  readonly quiet?: boolean | undefined;
}

export interface BiosPlatform {
  /** The vCPU whose port access is being served. */
  readonly cpu: () => BiosCpu;
  readonly memory: DmaMemory;
  /** The machine's real port bus; the BIOS programs devices through it. */
  readonly ports: PortBus;
  readonly io: IoScheduler;
  readonly clock: Clock;
  /** Ends the CPU's slice soon, so that host work may complete. */
  readonly yieldCpu: () => void;
  readonly log: Logger;
  /** Direct boot: called instead of booting from a medium; the machine takes the CPU over at its next chance. */
  readonly startKernel?: (() => void) | undefined;
}

/** Machine code of a ROM and where its labels lie. */
export interface RomCode {
  readonly bytes: Uint8Array;
  readonly symbols: ReadonlyMap<string, number>;
}
