// One floppy drive with or without a disk: geometry by image size, head position, disk change line.

import type { BlockDevice } from '../../block/block-device.ts';
import { MediumQueue } from './medium-queue.ts';

export const SECTOR_BYTES = 512;
/** The heads stop here; a few cylinders more than any disk has. */
const LAST_CYLINDER = 83;

/** Data rate codes of DSR and CCR. */
const RATE_500K = 0;
const RATE_300K = 1;
const RATE_250K = 2;
const RATE_1M = 3;

export interface FloppyGeometry {
  readonly sizeBytes: number;
  readonly cylinders: number;
  readonly heads: number;
  readonly sectorsPerTrack: number;
  /** Data rates at which the medium can be read. */
  readonly rates: readonly number[];
}

const DOUBLE_DENSITY = [RATE_250K, RATE_300K];
const HIGH_DENSITY = [RATE_500K];

function geometry(cylinders: number, heads: number, sectorsPerTrack: number, rates: readonly number[]): FloppyGeometry {
  return { sizeBytes: cylinders * heads * sectorsPerTrack * SECTOR_BYTES, cylinders, heads, sectorsPerTrack, rates };
}

/** 160K 180K 320K 360K 720K 1.2M 1.44M 1.68M 2.88M, by size. */
export const FLOPPY_GEOMETRIES: readonly FloppyGeometry[] = [
  geometry(40, 1, 8, DOUBLE_DENSITY),
  geometry(40, 1, 9, DOUBLE_DENSITY),
  geometry(40, 2, 8, DOUBLE_DENSITY),
  geometry(40, 2, 9, DOUBLE_DENSITY),
  geometry(80, 2, 9, DOUBLE_DENSITY),
  geometry(80, 2, 15, HIGH_DENSITY),
  geometry(80, 2, 18, HIGH_DENSITY),
  geometry(80, 2, 21, HIGH_DENSITY),
  geometry(80, 2, 36, [RATE_1M]),
];
const USUAL_BYTES = 1_474_560;

/** The geometry of an image: of its size, else 1.44M when it fits, else the next larger one; undefined beyond 2.88M. */
export function floppyGeometry(sizeBytes: number): FloppyGeometry | undefined {
  const exact = FLOPPY_GEOMETRIES.find((candidate) => candidate.sizeBytes === sizeBytes);
  return exact ?? FLOPPY_GEOMETRIES.find((candidate) => candidate.sizeBytes >= Math.max(sizeBytes, USUAL_BYTES));
}

export class FloppyDrive {
  /** False for a drive bay without a drive. */
  readonly present: boolean;
  /** Where the heads stand. */
  cylinder = 0;
  /** The disk change line: up from the removal of a disk until the heads step with a disk in. */
  diskChanged = true;
  /** Sector that read ID finds next. */
  private nextSectorId = 1;
  private mediumQueue: MediumQueue | undefined;
  private mediumGeometry: FloppyGeometry | undefined;

  constructor(present: boolean) {
    this.present = present;
  }

  /** @returns false when the image is larger than any floppy */
  insert(device: BlockDevice): boolean {
    const found = floppyGeometry(device.sizeBytes);
    if (found === undefined) return false;
    this.mediumQueue = new MediumQueue(device);
    this.mediumGeometry = found;
    this.diskChanged = true;
    return true;
  }

  eject(): MediumQueue | undefined {
    const queue = this.mediumQueue;
    this.mediumQueue = undefined;
    this.mediumGeometry = undefined;
    this.diskChanged = true;
    return queue;
  }

  get queue(): MediumQueue | undefined {
    return this.mediumQueue;
  }

  get geometry(): FloppyGeometry | undefined {
    return this.mediumGeometry;
  }

  get writeProtected(): boolean {
    return this.mediumQueue?.device.readOnly ?? false;
  }

  /** Steps the heads towards a cylinder; they stop at the mechanical end. Only a real step resets the disk change line. */
  stepTo(cylinder: number): void {
    const target = Math.min(Math.max(cylinder, 0), LAST_CYLINDER);
    if (target !== this.cylinder && this.mediumQueue !== undefined) this.diskChanged = false;
    this.cylinder = target;
  }

  /** The next sector number that passes under the head. */
  passingSector(): number {
    const sectors = this.mediumGeometry?.sectorsPerTrack ?? 1;
    const sector = this.nextSectorId > sectors ? 1 : this.nextSectorId;
    this.nextSectorId = sector + 1;
    return sector;
  }

  get rotation(): number {
    return this.nextSectorId;
  }

  set rotation(sector: number) {
    this.nextSectorId = sector;
  }
}
