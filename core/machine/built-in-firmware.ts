// The built-in BIOS on this board: drives, tables and ROM contents.

import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { Vcpu } from '../cpu/contract.ts';
import { monitorEdid } from '../devices/display/edid.ts';
import { cp437Font8x14, cp437Font8x16, cp437Font8x8 } from '../devices/display/fonts/cp437-font.ts';
import { createBios } from '../firmware/bios/bios.ts';
import type { BiosDrive } from '../firmware/bios/types.ts';
import type { MemoryMapEntry } from '../firmware/loaders/memory-map.ts';
import { floppyPath, idePath } from '../firmware/fw-cfg/boot-order.ts';
import type { PhysicalMemory } from '../memory/physical-memory.ts';
import type { VmConfig } from '../protocol/vm-config.ts';
import { IDE_FUNCTION } from './disks.ts';
import { type TableOptions, placeTables } from './firmware-setup.ts';
import type { IoQueue } from './io-queue.ts';
import type { Drive, MediaSet } from './media-set.ts';
import { type PcBoard, SLOT } from './pc-board.ts';

export interface BuiltInFirmwareOptions {
  readonly board: PcBoard;
  readonly memory: PhysicalMemory;
  readonly media: MediaSet;
  readonly io: IoQueue;
  readonly clock: Clock;
  readonly log: Logger;
  readonly bootOrder: VmConfig['bootOrder'];
  readonly tables: TableOptions;
  readonly vcpu: () => Vcpu;
  /** Direct boot instead of booting from a medium. */
  readonly startKernel: (() => void) | undefined;
}

export interface BuiltInFirmware {
  /** Address of the ACPI root pointer. */
  readonly rsdpAddress: number;
  /** What the BIOS tells by INT 15h E820h. */
  readonly memoryMap: readonly MemoryMapEntry[];
  /** Puts ROM contents in place: at power-on and after every reset. */
  restoreRom(): void;
}

function nameOf(drive: Drive): string {
  const place = drive.kind === 'floppy' ? ['A:', 'B:'][drive.index] : ['primary master', 'primary slave', 'secondary master', 'secondary slave'][drive.index];
  return place ?? String(drive.index);
}

function biosDrive(drive: Drive): BiosDrive {
  let seen = drive.medium;
  return {
    kind: drive.kind,
    name: nameOf(drive),
    medium: () => drive.medium,
    takeChanged: () => {
      const changed = drive.medium !== seen;
      seen = drive.medium;
      return changed;
    },
  };
}

export function createBuiltInFirmware(options: BuiltInFirmwareOptions): BuiltInFirmware {
  const { board, memory, media } = options;
  let rsdpAddress = 0;
  const present = media.ide.filter((drive) => drive !== undefined && (drive.kind === 'cdrom' || drive.medium !== undefined));
  const bios = createBios(
    {
      lowRamBytes: memory.lowRamBytes,
      highRamBytes: memory.highRamBytes,
      drives: [...media.floppies, ...present].filter((drive) => drive !== undefined).map(biosDrive),
      bootOrder: options.bootOrder,
      edid: monitorEdid(),
      fonts: { font8: cp437Font8x8(), font14: cp437Font8x14(), font16: cp437Font8x16() },
      tables: (place) => {
        rsdpAddress = placeTables(options.tables, place);
      },
      version: options.tables.version,
      cpuName: options.tables.cpuName,
      cpuCount: options.tables.cpus,
    },
    {
      cpu: options.vcpu,
      memory,
      ports: board.ports,
      io: options.io,
      clock: options.clock,
      yieldCpu: () => options.vcpu().requestYield(),
      log: options.log.child('bios'),
      startKernel: options.startKernel,
    },
  );
  board.register(bios.device);
  bios.device.attach(board.ports);
  return {
    rsdpAddress,
    memoryMap: bios.device.memoryMap,
    restoreRom: () => {
      memory.rom.set(bios.rom);
    },
  };
}

/** The boot order as Open Firmware paths, for external firmware. */
export function bootPaths(media: MediaSet, order: VmConfig['bootOrder']): string[] {
  const paths: string[] = [];
  for (const kind of order) {
    if (kind === 'floppy') for (const drive of media.floppies) paths.push(floppyPath({ slot: SLOT.southBridge, function: 0 }, drive.index === 0 ? 0 : 1));
    else {
      for (const drive of media.ide) {
        if (drive?.kind !== kind) continue;
        paths.push(idePath({ slot: SLOT.southBridge, function: IDE_FUNCTION }, drive.index < 2 ? 0 : 1, (drive.index & 1) === 0 ? 0 : 1));
      }
    }
  }
  return paths;
}
