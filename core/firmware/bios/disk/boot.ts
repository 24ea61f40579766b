// INT 19h and 18h: finds something to boot in the configured order, loads it and jumps there; says what was tried when
// nothing boots, and tries again after a key.

import { messageOf } from '../../../base/errors.ts';
import type { BiosContext, BootStatus } from '../context.ts';
import { BDA, EBDA } from '../data-area.ts';
import { FLAG_INTERRUPT, type Frame } from '../frame.ts';
import type { Outcome } from '../operations.ts';
import { ACTION_DONE, ACTION_HALT } from '../rom/trap.ts';
import { CD_SECTOR_BYTES, FIRST_CDROM, FIRST_DISK, readSectors, SECTOR_BYTES, type Target } from './drive-map.ts';
import {
  BOOT_RECORD_SECTOR,
  bootCatalogSector,
  type BootedCd,
  type BootEntry,
  CATALOG_SECTORS,
  chooseBootEntry,
  emulationGeometry,
  MEDIA_HARD_DISK,
  MEDIA_NONE,
} from './el-torito.ts';
import { geometryFromPartitions } from './geometry.ts';

const BOOT_ADDRESS = 0x7c00;
const REQUEST_NS = 200_000;
const ATTRIBUTE_TITLE = 0x0f;
const ATTRIBUTE_TEXT = 0x07;
const ATTRIBUTE_PROBLEM = 0x0e;
/** No-emulation images of more than this would overwrite the EBDA. */
const MAX_LOAD_BYTES = 0x80000;

interface Candidate {
  readonly name: string;
  readonly driveNumber: number;
  readonly target: Target | undefined;
}

interface Loaded {
  readonly data: Uint8Array;
  readonly segment: number;
  readonly driveNumber: number;
  readonly cd: BootedCd | undefined;
  readonly geometry: { cylinders: number; heads: number; sectors: number } | undefined;
}

/** Why a candidate cannot be booted: shown to the user. */
class NotBootable extends Error {}

export class BootServices implements BootStatus {
  private readonly bios: BiosContext;
  /** Keeps the fixed disk tables in step when drive numbers move. */
  private readonly drivesChanged: () => void;
  bootedCd: BootedCd | undefined;
  /** Nothing booted; a key starts over. */
  waiting = false;
  private problems: string[] = [];

  constructor(bios: BiosContext, drivesChanged: () => void) {
    this.bios = bios;
    this.drivesChanged = drivesChanged;
  }

  reset(): void {
    this.bootedCd = undefined;
    this.bios.drives.emulation = undefined;
    this.waiting = false;
    this.problems = [];
  }

  endEmulation(): void {
    if (this.bios.drives.emulation === undefined) return;
    this.bios.drives.emulation = undefined;
    this.drivesChanged();
  }

  /** INT 19h. */
  bootstrap(frame: Frame): number {
    const { mem, operations, drives } = this.bios;
    if (this.waiting) {
      if (mem.read16(BDA.KEY_HEAD) === mem.read16(BDA.KEY_TAIL)) return ACTION_HALT;
      mem.write16(BDA.KEY_HEAD, mem.read16(BDA.KEY_TAIL));
      this.waiting = false;
      this.bios.screen.print('\n');
    }
    this.reset();
    const disks = drives.disks.map((drive, index) => ({ drive, target: drives.target(FIRST_DISK + index) }));
    // The partition tables say which geometry the disks were partitioned with.
    const survey = async (): Promise<void> => {
      for (const { drive, target } of disks) {
        if (target === undefined) continue;
        const mbr = await readSectors(target, 0, 1).catch(() => new Uint8Array(SECTOR_BYTES));
        drives.setPartitionGeometry(drive, geometryFromPartitions(mbr, target.totalSectors));
      }
    };
    return operations.start(
      frame,
      REQUEST_NS,
      survey,
      () => {
        this.drivesChanged();
        return this.tryCandidate(frame, 0);
      },
      () => ACTION_DONE,
    );
  }

  /** INT 18h: a boot sector gave up. */
  noBoot(frame: Frame): number {
    if (this.waiting) return this.bootstrap(frame);
    this.bios.screen.print('\n  The boot program gave up.\n', ATTRIBUTE_PROBLEM);
    return this.giveUp(frame);
  }

  private candidates(): Candidate[] {
    const { drives, options } = this.bios;
    const list: Candidate[] = [];
    for (const kind of new Set(options.bootOrder)) {
      if (kind === 'floppy' && drives.floppies[0] !== undefined) {
        list.push({ name: 'floppy A', driveNumber: 0, target: drives.target(0) });
      } else if (kind === 'disk' && drives.disks[0] !== undefined) {
        list.push({ name: `disk ${drives.disks[0].name}`, driveNumber: FIRST_DISK, target: drives.target(FIRST_DISK) });
      } else if (kind === 'cdrom') {
        drives.cdroms.forEach((drive, index) => {
          list.push({
            name: `CD ${drive.name}`,
            driveNumber: FIRST_CDROM + index,
            target: drives.target(FIRST_CDROM + index),
          });
        });
      } else if (kind === 'network') list.push({ name: 'network', driveNumber: -1, target: undefined });
    }
    return list;
  }

  private tryCandidate(frame: Frame, index: number): number {
    const candidate = this.candidates()[index];
    if (candidate === undefined) return this.giveUp(frame);
    const { target, name } = candidate;
    const skip = (reason: string): number => {
      this.problems.push(`${name}: ${reason}`);
      return this.tryCandidate(frame, index + 1);
    };
    if (candidate.driveNumber < 0) return skip('no network boot program');
    if (target?.medium === undefined) return skip('no medium');
    const work = (): Promise<Loaded> =>
      target.kind === 'cdrom'
        ? loadCd(target, candidate.driveNumber - FIRST_CDROM)
        : loadSector(target, candidate.driveNumber);
    return this.bios.operations.start(
      frame,
      REQUEST_NS,
      work,
      (_, outcome) => this.loaded(frame, outcome, name, skip),
      () => skip('busy'),
    );
  }

  private loaded(frame: Frame, outcome: Outcome<Loaded>, name: string, skip: (reason: string) => number): number {
    if (!outcome.ok)
      return skip(
        outcome.error instanceof NotBootable ? outcome.error.message : `cannot be read (${messageOf(outcome.error)})`,
      );
    const { data, segment, driveNumber, cd, geometry } = outcome.value;
    const { mem, screen, drives } = this.bios;
    screen.print('  Booting from ', ATTRIBUTE_TEXT);
    screen.print(`${name}\n`, ATTRIBUTE_TITLE);
    this.bootedCd = cd;
    if (cd !== undefined && geometry !== undefined) {
      const { mediaType, imageSector, loadSegment, sectorCount, cdrom } = cd;
      drives.emulation = { mediaType, cdrom, imageSector, loadSegment, sectorCount, geometry };
      this.drivesChanged();
    }
    mem.write(segment << 4, data);
    frame.eax = 0xaa55;
    frame.ebx = 0;
    frame.ecx = 0;
    // DH bit 5: the drive is supported by INT 13h (Plug and Play BIOS Specification).
    frame.edx = driveNumber;
    frame.esi = 0;
    frame.edi = 0;
    frame.ds = 0;
    frame.es = 0;
    // 07C0:0000 is entered as 0000:7C00, which more boot programs expect.
    frame.cs = segment & 0xf000;
    frame.ip = (segment & 0x0fff) << 4;
    frame.flags = FLAG_INTERRUPT | 2;
    this.bios.log.log('debug', `booting from ${name}`, { drive: driveNumber });
    return ACTION_DONE;
  }

  private giveUp(frame: Frame): number {
    const { screen, mem } = this.bios;
    screen.print('\n  No bootable medium found.\n', ATTRIBUTE_PROBLEM);
    for (const problem of this.problems) screen.print(`    ${problem}\n`, ATTRIBUTE_TEXT);
    if (this.candidates().length === 0) screen.print('    There is no drive to boot from.\n', ATTRIBUTE_TEXT);
    screen.print('  Put in a bootable disk, CD or floppy, then press any key to try again.\n', ATTRIBUTE_TITLE);
    this.problems = [];
    mem.write16(BDA.KEY_HEAD, mem.read16(BDA.KEY_TAIL));
    this.waiting = true;
    frame.handle = 0;
    return ACTION_HALT;
  }
}

function allSame(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === bytes[0]);
}

async function loadSector(target: Target, driveNumber: number): Promise<Loaded> {
  const data = await readSectors(target, 0, 1);
  if (target.kind === 'disk') {
    if (data[510] !== 0x55 || data[511] !== 0xaa) throw new NotBootable('no boot sector signature');
    if (allSame(data.subarray(0, 440))) throw new NotBootable('no boot program in its first sector');
  } else if (allSame(data.subarray(0, 510))) throw new NotBootable('the first sector is empty');
  return { data, segment: BOOT_ADDRESS >> 4, driveNumber, cd: undefined, geometry: undefined };
}

async function loadCd(target: Target, cdrom: number): Promise<Loaded> {
  if (target.totalSectors <= BOOT_RECORD_SECTOR) throw new NotBootable('not a CD image');
  const catalogSector = bootCatalogSector(await readSectors(target, BOOT_RECORD_SECTOR, 1));
  if (catalogSector === undefined || catalogSector >= target.totalSectors) throw new NotBootable('not a bootable CD');
  const entry = chooseBootEntry(await readSectors(target, catalogSector, CATALOG_SECTORS));
  if (entry === undefined) throw new NotBootable('its boot catalogue has no entry for this kind of PC');
  if (entry.imageSector >= target.totalSectors) throw new NotBootable('its boot image lies outside the CD');
  return loadImage(target, cdrom, catalogSector, entry);
}

async function loadImage(target: Target, cdrom: number, catalogSector: number, entry: BootEntry): Promise<Loaded> {
  const bytes = Math.max(1, entry.sectorCount) * SECTOR_BYTES;
  const { loadSegment } = entry;
  if (bytes > MAX_LOAD_BYTES || loadSegment * 16 + bytes > EBDA.BASE)
    throw new NotBootable('its boot image is too large');
  const data = (await readSectors(target, entry.imageSector, Math.ceil(bytes / CD_SECTOR_BYTES))).subarray(0, bytes);
  let driveNumber = FIRST_CDROM + cdrom;
  let geometry;
  if (entry.mediaType !== MEDIA_NONE) {
    geometry = emulationGeometry(entry.mediaType, data);
    if (geometry === undefined) throw new NotBootable('its disk image has no partition table');
    driveNumber = entry.mediaType === MEDIA_HARD_DISK ? FIRST_DISK : 0;
  }
  return { data, segment: loadSegment, driveNumber, cd: { ...entry, cdrom, driveNumber, catalogSector }, geometry };
}
