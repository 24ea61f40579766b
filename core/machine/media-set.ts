// The media of one machine: opens the configured images, assigns them to drives, counts bytes, and closes everything.

import { NestboxError, messageOf } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { BlockDevice } from '../block/block-device.ts';
import { LiveDisk, switchToOverlay } from '../block/live-disk.ts';
import { openMedium } from '../block/open-medium.ts';
import { SpaceWait, waitingForSpace } from '../block/space-wait.ts';
import { Qcow2Disk } from '../block/qcow2/qcow2-disk.ts';
import { RawDisk } from '../block/raw-disk.ts';
import type { MediumConfig } from '../protocol/vm-config.ts';
import type { OverlayTarget } from '../protocol/vm-messages.ts';

/** One drive of the board and what is in it. */
export interface Drive {
  readonly kind: 'floppy' | 'cdrom' | 'disk';
  /** Position among the drives of its controller: floppy 0-1, IDE 0-3 (primary master first). */
  readonly index: number;
  readonly config: MediumConfig;
  medium: BlockDevice | undefined;
}

const FLOPPY_DRIVES = 2;
const IDE_UNITS = 4;
const IDE_SLOTS: readonly string[] = ['ide0', 'ide1', 'ide2', 'ide3'];
/** Where a CD drive stands when a place is free: secondary master, as PCs are built. */
const CD_FIRST_UNIT = 2;

export class MediaSet {
  readonly floppies: Drive[] = [];
  /** Primary master, primary slave, secondary master, secondary slave. */
  readonly ide: (Drive | undefined)[] = [undefined, undefined, undefined, undefined];
  private readonly log: Logger;
  private readonly failures = new Set<string>();
  /** A host-side failure of an image, the first time it happens. */
  onFailure: ((error: unknown) => void) | undefined;
  /** Writes that found the host's disk full. */
  readonly space = new SpaceWait();
  private readonly live = new WeakMap<BlockDevice, LiveDisk>();
  readBytes = 0;
  writtenBytes = 0;
  reads = 0;
  writes = 0;

  private constructor(log: Logger) {
    this.log = log;
  }

  /** @throws NestboxError naming the file or option that is wrong; everything opened so far is closed again */
  static async open(media: readonly MediumConfig[], log: Logger): Promise<MediaSet> {
    const set = new MediaSet(log);
    try {
      for (const config of media) await set.add(config);
      return set;
    } catch (error) {
      await set.close();
      throw error;
    }
  }

  private async add(config: MediumConfig): Promise<void> {
    if (config.interface === 'virtio') throw new NestboxError('unsupported', 'virtio disks have not landed yet; use if=ide', { op: 'open medium' });
    const place = this.placeFor(config);
    const drive: Drive = { kind: config.kind, index: place, config, medium: undefined };
    if (config.kind === 'floppy') this.floppies.push(drive);
    else this.ide[place] = drive;
    if (config.path !== undefined) drive.medium = await this.openImage(config, config.path);
  }

  private placeFor(config: MediumConfig): number {
    const wanted = config.slot === undefined ? undefined : this.placeNamed(config.kind, config.slot);
    if (wanted !== undefined) return wanted;
    if (config.kind === 'floppy') {
      if (this.floppies.length >= FLOPPY_DRIVES) throw new NestboxError('usage', 'A PC has two floppy drives at most', { op: 'open medium' });
      return this.floppies.length;
    }
    const wish = config.slot === undefined ? -1 : IDE_SLOTS.indexOf(config.slot);
    const order = wish >= 0 ? [wish] : config.kind === 'cdrom' ? [CD_FIRST_UNIT, 3, 1, 0] : [0, 1, 3, CD_FIRST_UNIT];
    const place = order.find((unit) => this.ide[unit] === undefined);
    if (place === undefined) throw new NestboxError('usage', `A PC has ${IDE_UNITS} IDE devices at most`, { op: 'open medium' });
    return place;
  }

  private placeNamed(kind: MediumConfig['kind'], slot: string): number {
    const place = Number(slot.at(-1));
    const taken = kind === 'floppy' ? this.floppies.length > place : this.ide[place] !== undefined;
    if (slot.startsWith('floppy') !== (kind === 'floppy') || taken || (kind === 'floppy' && this.floppies.length < place)) {
      throw new NestboxError('usage', `A ${kind} drive cannot stand at ${slot}`, { op: 'open medium' });
    }
    return place;
  }

  private async openImage(config: MediumConfig, path: string): Promise<BlockDevice> {
    const medium = await openMedium(path, {
      kind: config.kind,
      format: config.format,
      readOnly: config.readOnly || config.kind === 'cdrom',
      snapshot: config.snapshot,
      backing: config.backing,
    });
    for (const note of medium.notes) this.log.log('info', note);
    const live = new LiveDisk(medium.device);
    const device = this.counted(waitingForSpace(live, this.space));
    this.live.set(device, live);
    return device;
  }

  /** The disk in a drive whose image can be exchanged while the guest uses it. */
  liveDisk(drive: Drive): LiveDisk | undefined {
    return drive.medium === undefined ? undefined : this.live.get(drive.medium);
  }

  /** The disk of the drive at a slot. */
  diskAt(slot: string): LiveDisk | undefined {
    const drive = this.drives().find((candidate) => slotOf(candidate) === slot);
    return drive === undefined ? undefined : this.liveDisk(drive);
  }

  /** Brings to stable storage what the guest has written so far. */
  async flush(): Promise<void> {
    for (const drive of this.drives()) if (drive.medium?.readOnly === false) await drive.medium.flush();
  }

  /** Lets disks go on in overlays, all of them or none. The guest must stand still. @throws NestboxError */
  async moveToOverlays(overlays: readonly OverlayTarget[]): Promise<void> {
    const moves = overlays.map(({ slot, path }) => {
      const disk = this.diskAt(slot);
      if (disk === undefined) throw new NestboxError('usage', `There is no disk at ${slot}`, { op: 'move disk' });
      return { disk, path, before: disk.current };
    });
    const moved: typeof moves = [];
    try {
      for (const move of moves) {
        await switchToOverlay(move.disk, move.path);
        moved.push(move);
      }
    } catch (error) {
      for (const move of moved) await goBack(move.disk, move.before);
      throw error;
    }
  }

  /** Opens an image for a drive that the guest sees already. */
  async openFor(drive: Drive, path: string): Promise<BlockDevice> {
    return this.openImage({ ...drive.config, path }, path);
  }

  private counted(device: BlockDevice): BlockDevice {
    return {
      sizeBytes: device.sizeBytes,
      readOnly: device.readOnly,
      read: async (offset, target) => {
        this.readBytes += target.length;
        this.reads++;
        await this.told(device.read(offset, target));
      },
      write: async (offset, source) => {
        this.writtenBytes += source.length;
        this.writes++;
        await this.told(device.write(offset, source));
      },
      flush: () => this.told(device.flush()),
      writeZeroes: (offset, length) => this.told(device.writeZeroes(offset, length)),
      discard: (offset, length) => this.told(device.discard(offset, length)),
      close: () => device.close(),
    };
  }

  /** The guest sees a failed request as a drive error; the user is told why, once for each reason. */
  private async told(request: Promise<void>): Promise<void> {
    try {
      await request;
    } catch (error) {
      const message = messageOf(error);
      if (!this.failures.has(message)) {
        this.failures.add(message);
        this.onFailure?.(error);
      }
      throw error;
    }
  }

  private drives(): Drive[] {
    return [...this.floppies, ...this.ide.filter((drive) => drive !== undefined)];
  }

  async close(): Promise<void> {
    this.space.close();
    for (const drive of this.drives()) {
      const medium = drive.medium;
      drive.medium = undefined;
      await medium?.close().catch((error: unknown) => this.log.log('error', `A medium could not be closed: ${String(error)}`));
    }
  }
}

/** Name of a drive's place, as the registry has it. */
export function slotOf(drive: Drive): string {
  return `${drive.kind === 'floppy' ? 'floppy' : 'ide'}${drive.index}`;
}

/** Takes a disk out of an overlay that nothing was written to yet. */
async function goBack(disk: LiveDisk, before: BlockDevice): Promise<void> {
  await disk.exchange(async (overlay) => {
    if (overlay instanceof Qcow2Disk) overlay.detachBacking();
    if (before instanceof Qcow2Disk || before instanceof RawDisk) await before.thaw();
    await overlay.close();
    return before;
  });
}
