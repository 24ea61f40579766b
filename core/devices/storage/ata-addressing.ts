// Sector addresses of an ATA disk: 28- and 48-bit block addresses, and cylinder, head, sector under the translation that
// INITIALIZE DEVICE PARAMETERS sets.

import * as A from './ata-registers.ts';
import type { TaskFile } from './task-file.ts';

export const DEFAULT_HEADS = 16;
export const DEFAULT_SECTORS_PER_TRACK = 63;

export class AtaAddressing {
  heads = DEFAULT_HEADS;
  sectorsPerTrack = DEFAULT_SECTORS_PER_TRACK;
  private readonly sectors: number;
  private readonly taskFile: TaskFile;

  constructor(sectors: number, taskFile: TaskFile) {
    this.sectors = sectors;
    this.taskFile = taskFile;
  }

  reset(): void {
    this.translate(DEFAULT_HEADS, DEFAULT_SECTORS_PER_TRACK);
  }

  translate(heads: number, sectorsPerTrack: number): void {
    this.heads = heads;
    this.sectorsPerTrack = sectorsPerTrack;
  }

  /** The sector that the registers name, or undefined when a CHS address cannot be. `wide` = a 48-bit command. */
  resolve(wide: boolean): number | undefined {
    const { taskFile } = this;
    if (wide) return taskFile.lba48();
    if (taskFile.device & A.DEVICE_LBA) return taskFile.lba28();
    const cylinder = taskFile.lbaMid | (taskFile.lbaHigh << 8);
    const head = taskFile.device & 0x0f;
    const sector = taskFile.lbaLow;
    if (sector === 0 || sector > this.sectorsPerTrack || head >= this.heads) return undefined;
    const lba = (cylinder * this.heads + head) * this.sectorsPerTrack + sector - 1;
    return lba < this.sectors ? lba : undefined;
  }

  /** Writes a sector number to the registers in the form of the command. */
  show(lba: number, wide: boolean): void {
    const { taskFile } = this;
    if (wide) return taskFile.setLba48(lba);
    if (taskFile.device & A.DEVICE_LBA) return taskFile.setLba28(lba);
    const track = Math.floor(lba / this.sectorsPerTrack);
    const cylinder = Math.floor(track / this.heads);
    taskFile.lbaLow = (lba % this.sectorsPerTrack) + 1;
    taskFile.lbaMid = cylinder & 0xff;
    taskFile.lbaHigh = (cylinder >> 8) & 0xff;
    taskFile.device = (taskFile.device & 0xf0) | (track % this.heads);
  }
}
