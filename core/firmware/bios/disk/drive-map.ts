// Which drive number means what: floppies 00h.., hard disks 80h.., CD drives E0h.., and the drive that an El Torito boot
// image stands in for, which moves the real drives of its kind one up.

import type { BlockDevice } from '../../../block/block-device.ts';
import type { BiosDrive } from '../types.ts';
import { type FloppyFormat, floppyFormatOf, type Geometry, translateGeometry } from './geometry.ts';

export const FIRST_DISK = 0x80;
export const FIRST_CDROM = 0xe0;
export const SECTOR_BYTES = 512;
export const CD_SECTOR_BYTES = 2048;

/** An El Torito boot image that acts as a drive. */
export interface Emulation {
  /** El Torito media type: 1 = 1.2M, 2 = 1.44M, 3 = 2.88M floppy, 4 = hard disk. */
  readonly mediaType: number;
  /** Index of the CD drive. */
  readonly cdrom: number;
  /** First CD sector (2048 bytes) of the image. */
  readonly imageSector: number;
  readonly loadSegment: number;
  readonly sectorCount: number;
  readonly geometry: Geometry;
}

export interface TargetBase {
  /** Undefined: no medium. */
  readonly medium: BlockDevice | undefined;
  readonly drive: BiosDrive;
  readonly sectorBytes: number;
  /** Byte of the medium where the drive's sector 0 lies. */
  readonly baseByte: number;
  readonly totalSectors: number;
  readonly readOnly: boolean;
}

export interface FloppyTarget extends TargetBase {
  readonly kind: 'floppy';
  readonly geometry: Geometry;
  readonly format: FloppyFormat;
}

export interface DiskTarget extends TargetBase {
  readonly kind: 'disk';
  readonly geometry: Geometry;
}

export interface CdTarget extends TargetBase {
  readonly kind: 'cdrom';
}

export type Target = FloppyTarget | DiskTarget | CdTarget;

export class DriveMap {
  readonly floppies: readonly BiosDrive[];
  readonly disks: readonly BiosDrive[];
  readonly cdroms: readonly BiosDrive[];
  emulation: Emulation | undefined;
  /** Geometry found in the partition table, by disk. */
  private readonly partitioned = new Map<BiosDrive, Geometry>();

  constructor(drives: readonly BiosDrive[]) {
    this.floppies = drives.filter((drive) => drive.kind === 'floppy').slice(0, 2);
    this.disks = drives.filter((drive) => drive.kind === 'disk').slice(0, 32);
    this.cdroms = drives.filter((drive) => drive.kind === 'cdrom').slice(0, 8);
  }

  setPartitionGeometry(drive: BiosDrive, geometry: Geometry | undefined): void {
    if (geometry === undefined) this.partitioned.delete(drive);
    else this.partitioned.set(drive, geometry);
  }

  /** Geometries set from partition tables, by disk, for saved states. */
  partitionGeometries(): (Geometry | undefined)[] {
    return this.disks.map((drive) => this.partitioned.get(drive));
  }

  get emulatesFloppy(): boolean {
    return this.emulation !== undefined && this.emulation.mediaType < 4;
  }

  get emulatesDisk(): boolean {
    return this.emulation?.mediaType === 4;
  }

  get floppyCount(): number {
    return this.floppies.length + (this.emulatesFloppy ? 1 : 0);
  }

  get diskCount(): number {
    return this.disks.length + (this.emulatesDisk ? 1 : 0);
  }

  /** The drive behind a number, or undefined when there is none. */
  target(number: number): Target | undefined {
    if (number >= FIRST_CDROM && number < FIRST_CDROM + this.cdroms.length) return this.cdTarget(number - FIRST_CDROM);
    if (number >= FIRST_DISK) return this.diskTarget(number - FIRST_DISK);
    return this.floppyTarget(number);
  }

  private emulated(emulation: Emulation): TargetBase & { geometry: Geometry } {
    const drive = this.cdroms[emulation.cdrom] as BiosDrive;
    const { geometry } = emulation;
    return {
      drive,
      medium: drive.medium(),
      sectorBytes: SECTOR_BYTES,
      baseByte: emulation.imageSector * CD_SECTOR_BYTES,
      totalSectors: geometry.cylinders * geometry.heads * geometry.sectors,
      readOnly: true,
      geometry,
    };
  }

  private floppyTarget(index: number): FloppyTarget | undefined {
    if (this.emulation !== undefined && this.emulatesFloppy) {
      if (index === 0) {
        const base = this.emulated(this.emulation);
        return { kind: 'floppy', ...base, format: floppyFormatOf(base.totalSectors * SECTOR_BYTES) };
      }
      index--;
    }
    const drive = this.floppies[index];
    if (drive === undefined) return undefined;
    const medium = drive.medium();
    const format = floppyFormatOf(medium?.sizeBytes ?? 0);
    return {
      kind: 'floppy',
      drive,
      medium,
      sectorBytes: SECTOR_BYTES,
      baseByte: 0,
      totalSectors: format.sizeBytes / SECTOR_BYTES,
      readOnly: medium?.readOnly ?? false,
      geometry: format,
      format,
    };
  }

  private diskTarget(index: number): DiskTarget | undefined {
    if (this.emulation !== undefined && this.emulatesDisk) {
      if (index === 0) return { kind: 'disk', ...this.emulated(this.emulation) };
      index--;
    }
    const drive = this.disks[index];
    const medium = drive?.medium();
    if (drive === undefined || medium === undefined) return undefined;
    const totalSectors = Math.floor(medium.sizeBytes / SECTOR_BYTES);
    const geometry = this.partitioned.get(drive) ?? translateGeometry(totalSectors, drive.geometry);
    return {
      kind: 'disk',
      drive,
      medium,
      sectorBytes: SECTOR_BYTES,
      baseByte: 0,
      totalSectors,
      readOnly: medium.readOnly,
      geometry,
    };
  }

  private cdTarget(index: number): CdTarget {
    const drive = this.cdroms[index] as BiosDrive;
    const medium = drive.medium();
    return {
      kind: 'cdrom',
      drive,
      medium,
      sectorBytes: CD_SECTOR_BYTES,
      baseByte: 0,
      readOnly: true,
      totalSectors: Math.floor((medium?.sizeBytes ?? 0) / CD_SECTOR_BYTES),
    };
  }
}

/**
 * Reads sectors of a target; what lies past the medium's end reads as zeroes (images shorter than their format).
 * @throws NestboxError `io`
 */
export async function readSectors(target: Target, sector: number, count: number): Promise<Uint8Array> {
  const data = new Uint8Array(count * target.sectorBytes);
  const medium = target.medium;
  if (medium === undefined) return data;
  const from = target.baseByte + sector * target.sectorBytes;
  const length = Math.min(data.length, medium.sizeBytes - from);
  if (length > 0) await medium.read(from, data.subarray(0, length));
  return data;
}

/** Writes sectors; what lies past the medium's end is lost. @throws NestboxError `io`, `no-space`, `permission` */
export async function writeSectors(target: Target, sector: number, data: Uint8Array): Promise<void> {
  const medium = target.medium;
  if (medium === undefined) return;
  const from = target.baseByte + sector * target.sectorBytes;
  const length = Math.min(data.length, medium.sizeBytes - from);
  if (length > 0) await medium.write(from, data.subarray(0, length));
}
