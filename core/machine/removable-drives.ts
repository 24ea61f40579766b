// Changing floppies and CDs of a running machine.

import { NestboxError } from '../base/errors.ts';
import type { DriveBays } from './disks.ts';
import type { Drive, MediaSet } from './media-set.ts';

export type RemovableKind = 'floppy' | 'cdrom';

export class RemovableDrives {
  private readonly media: MediaSet;
  private readonly bays: DriveBays;

  constructor(media: MediaSet, bays: DriveBays) {
    this.media = media;
    this.bays = bays;
  }

  /** @throws NestboxError when there is no such drive or the image cannot be used; the old medium stays then */
  async insert(kind: RemovableKind, index: number, path: string): Promise<void> {
    const drive = this.find(kind, index);
    const medium = await this.media.openFor(drive, path);
    await this.eject(kind, index);
    drive.medium = medium;
    this.bays.insert(drive, medium);
  }

  async eject(kind: RemovableKind, index: number): Promise<void> {
    const drive = this.find(kind, index);
    const medium = drive.medium;
    if (medium === undefined) return;
    drive.medium = undefined;
    await this.bays.eject(drive);
    await medium.close();
  }

  private find(kind: RemovableKind, index: number): Drive {
    const drives = kind === 'floppy' ? this.media.floppies : this.media.ide.filter((drive) => drive?.kind === 'cdrom');
    const drive = drives[index];
    if (drive === undefined) throw new NestboxError('usage', `The machine has no ${kind} drive ${index}`, { op: 'change medium' });
    return drive;
  }
}
