// What the services of the BIOS share: the guest's memory, ports, drives, and each other by narrow interfaces.

import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { DmaMemory } from '../../bus/dma.ts';
import type { PortBus } from '../../bus/port-bus.ts';
import type { MemoryMapEntry } from '../loaders/memory-map.ts';
import type { DriveMap } from './disk/drive-map.ts';
import type { BootedCd } from './disk/el-torito.ts';
import type { GuestMemory } from './guest-memory.ts';
import type { OperationTable } from './operations.ts';
import type { BiosOptions } from './types.ts';

export interface FarAddress {
  readonly segment: number;
  readonly offset: number;
}

/** Console output of the BIOS itself. */
export interface Screen {
  /** Sets a video mode and clears the screen. */
  setMode(mode: number): void;
  /** Writes text at the cursor in an attribute; `\n` starts a new line. */
  print(text: string, attribute?: number): void;
}

export interface BootStatus {
  readonly bootedCd: BootedCd | undefined;
  endEmulation(): void;
}

export interface BiosContext {
  readonly options: BiosOptions;
  readonly mem: GuestMemory;
  readonly physical: DmaMemory;
  readonly ports: PortBus;
  readonly clock: Clock;
  readonly log: Logger;
  readonly operations: OperationTable;
  readonly drives: DriveMap;
  readonly memoryMap: readonly MemoryMapEntry[];
  readonly screen: Screen;
  readonly boot: BootStatus;
  /** Diskette parameter table (INT 1Eh). */
  readonly floppyTable: FarAddress;
  /** Address of a label in the system ROM. */
  romSymbol(name: string): number;
  readonly yieldCpu: () => void;
}
