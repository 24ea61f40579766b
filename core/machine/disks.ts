// Joins the machine's media to the board: floppies to the 82077, disks and CDs to the PIIX3's IDE channels.

import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { BlockDevice } from '../block/block-device.ts';
import type { IoScheduler } from '../bus/io-scheduler.ts';
import { AtaDisk } from '../devices/storage/ata-disk.ts';
import { AtapiCdrom } from '../devices/storage/atapi-cdrom.ts';
import { Piix3Ide } from '../devices/storage/piix3-ide.ts';
import type { PhysicalMemory } from '../memory/physical-memory.ts';
import type { Drive, MediaSet } from './media-set.ts';
import { type PcBoard, SLOT } from './pc-board.ts';

export const IDE_FUNCTION = 1;

export interface DiskOptions {
  readonly board: PcBoard;
  readonly memory: PhysicalMemory;
  readonly media: MediaSet;
  readonly clock: Clock;
  readonly io: IoScheduler;
  readonly log: Logger;
}

/** Changes media of a running machine. */
export interface DriveBays {
  insert(drive: Drive, medium: BlockDevice): void;
  /** Takes the medium out; it is the caller's to close. */
  eject(drive: Drive): Promise<void>;
}

export function attachDisks(options: DiskOptions): DriveBays {
  const { board, media, clock, io, log } = options;
  const cdroms = new Map<number, AtapiCdrom>();
  const unit = (index: number): AtaDisk | AtapiCdrom | undefined => {
    const drive = media.ide[index];
    if (drive === undefined) return undefined;
    const common = { id: `ide${index >> 1}.${index & 1}`, clock, io, log };
    if (drive.kind === 'cdrom') {
      const cdrom = new AtapiCdrom({ ...common, medium: drive.medium, identity: { model: 'NESTBOX DVD-ROM', serial: `NBCD${index}` } });
      cdroms.set(index, cdrom);
      return cdrom;
    }
    return drive.medium === undefined ? undefined : new AtaDisk({ ...common, medium: drive.medium, identity: { model: 'NESTBOX HARDDISK', serial: `NBHD${index}` } });
  };
  const ide = new Piix3Ide({
    irqs: [board.irqs.isa(14), board.irqs.isa(15)],
    memory: options.memory,
    drives: [unit(0), unit(1), unit(2), unit(3)],
    log,
  });
  board.register(ide);
  board.pci.add(ide, SLOT.southBridge, IDE_FUNCTION);
  for (const range of ide.ports()) board.ports.register(range.base, range.count, range.device, range.maxSize);
  for (const drive of media.floppies) if (drive.medium !== undefined) board.floppy.insert(drive.index, drive.medium);
  return {
    insert: (drive, medium) => {
      if (drive.kind === 'floppy') board.floppy.insert(drive.index, medium);
      else cdroms.get(drive.index)?.insert(medium);
    },
    eject: async (drive) => {
      if (drive.kind === 'floppy') await board.floppy.eject(drive.index);
      else await cdroms.get(drive.index)?.eject();
    },
  };
}
