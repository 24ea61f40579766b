// INT 13h: disk services for floppies, hard disks and CD drives, straight on the block devices. CHS functions here, the
// Enhanced Disk Drive ones in int13-edd.ts. Not offered: raw floppy tracks, long reads, drive diagnostics beyond "good".

import { isNestboxError, messageOf } from '../../../base/errors.ts';
import type { BiosContext } from '../context.ts';
import { BDA } from '../data-area.ts';
import type { Frame } from '../frame.ts';
import { linear } from '../guest-memory.ts';
import { ACTION_DONE } from '../rom/trap.ts';
import { FIRST_DISK, readSectors, type Target, writeSectors } from './drive-map.ts';
import { FLOPPY_FORMATS } from './geometry.ts';
import { type DiskCalls, Edd } from './int13-edd.ts';

export const STATUS_OK = 0x00;
export const STATUS_BAD_COMMAND = 0x01;
export const STATUS_WRITE_PROTECTED = 0x03;
export const STATUS_NOT_FOUND = 0x04;
export const STATUS_CHANGED = 0x06;
export const STATUS_DMA_BOUNDARY = 0x09;
export const STATUS_CONTROLLER = 0x20;
export const STATUS_NO_MEDIA = 0x31;
export const STATUS_TIMEOUT = 0x80;
export const STATUS_WRITE_FAULT = 0xcc;

const FILL_BYTE = 0xf6;
/** Virtual time of a request in deterministic mode: a fast disk. */
const REQUEST_NS = 100_000;
const SECTOR_NS = 2_000;
/** A buffer must not wrap in its segment: 127 sectors of 512 bytes. */
const MAX_SECTORS = 128;

export class DiskServices implements DiskCalls {
  private readonly bios: BiosContext;
  private readonly edd: Edd;

  constructor(bios: BiosContext) {
    this.bios = bios;
    this.edd = new Edd(bios, this);
  }

  handle(frame: Frame): number {
    const target = this.bios.drives.target(frame.dl);
    if (frame.ah >= 0x41 && frame.ah <= 0x4e) return this.edd.handle(frame, target);
    if (target?.kind === 'cdrom' && ![0x00, 0x01, 0x15].includes(frame.ah))
      return this.finish(frame, STATUS_BAD_COMMAND);
    switch (frame.ah) {
      case 0x00:
      case 0x0d:
        return this.finish(frame, this.present(frame, target));
      case 0x01:
        return this.lastStatus(frame);
      case 0x02:
        return this.transfer(frame, target, 'read');
      case 0x03:
        return this.transfer(frame, target, 'write');
      case 0x04:
        return this.transfer(frame, target, 'verify');
      case 0x05:
        return this.formatTrack(frame, target);
      case 0x08:
        return this.parameters(frame, target);
      case 0x09:
      case 0x0c:
      case 0x10:
      case 0x11:
      case 0x14:
        return this.finish(frame, target?.kind === 'disk' ? STATUS_OK : STATUS_BAD_COMMAND);
      case 0x15:
        return this.driveType(frame, target);
      case 0x16:
        return this.changeLine(frame, target);
      case 0x17:
        return this.finish(frame, target?.kind === 'floppy' ? STATUS_OK : STATUS_BAD_COMMAND);
      case 0x18:
        return this.setMedia(frame, target);
      default:
        this.bios.log.log('debug', 'unknown disk function', { ah: frame.ah, dl: frame.dl });
        return this.finish(frame, STATUS_BAD_COMMAND);
    }
  }

  /** Ends a call: status in AH, CF and the data area. */
  finish(frame: Frame, status: number): number {
    frame.ah = status;
    frame.carry = status !== STATUS_OK;
    this.remember(frame.dl, status);
    return ACTION_DONE;
  }

  private remember(drive: number, status: number): void {
    this.bios.mem.write8(drive >= FIRST_DISK ? BDA.DISK_STATUS : BDA.FLOPPY_STATUS, status);
  }

  private present(frame: Frame, target: Target | undefined): number {
    // Resetting 80h also resets the floppies, and a machine without disks must not fail DOS there.
    if (target !== undefined || frame.dl === FIRST_DISK || frame.dl < 2) return STATUS_OK;
    return STATUS_BAD_COMMAND;
  }

  private lastStatus(frame: Frame): number {
    const status = this.bios.mem.read8(frame.dl >= FIRST_DISK ? BDA.DISK_STATUS : BDA.FLOPPY_STATUS);
    frame.ah = status;
    frame.carry = status !== STATUS_OK;
    this.remember(frame.dl, STATUS_OK);
    return ACTION_DONE;
  }

  /** Why the medium cannot be used now, or STATUS_OK. */
  mediumStatus(target: Target | undefined): number {
    if (target === undefined) return STATUS_BAD_COMMAND;
    if (target.medium === undefined) return target.kind === 'floppy' ? STATUS_TIMEOUT : STATUS_NO_MEDIA;
    if (target.kind === 'floppy' && target.drive.kind === 'floppy' && target.drive.takeChanged?.() === true)
      return STATUS_CHANGED;
    return STATUS_OK;
  }

  private transfer(frame: Frame, target: Target | undefined, mode: 'read' | 'write' | 'verify'): number {
    const status = this.mediumStatus(target);
    const count = frame.al;
    if (status !== STATUS_OK || target === undefined || target.kind === 'cdrom') {
      frame.al = 0;
      return this.finish(frame, status === STATUS_OK ? STATUS_BAD_COMMAND : status);
    }
    const { cylinders, heads, sectors } = target.geometry;
    // The two top bits of CL extend the cylinder; old floppy programs leave rubbish there only for small drives.
    const cylinder = frame.ch | ((frame.cl & 0xc0) << 2);
    const sector = frame.cl & 0x3f;
    if (count === 0 || count > MAX_SECTORS) return this.finish(frame, STATUS_BAD_COMMAND);
    if (cylinder >= cylinders || frame.dh >= heads || sector === 0 || sector > sectors) {
      frame.al = 0;
      return this.finish(frame, STATUS_NOT_FOUND);
    }
    const first = (cylinder * heads + frame.dh) * sectors + sector - 1;
    if (first + count > target.totalSectors) {
      frame.al = 0;
      return this.finish(frame, STATUS_NOT_FOUND);
    }
    const address = linear(frame.es, frame.bx);
    const done = (): void => {
      frame.al = count;
    };
    return this.start(frame, target, mode, first, count, address, done);
  }

  /** Starts a transfer between sectors and guest memory; shared with the EDD functions. */
  start(
    frame: Frame,
    target: Target,
    mode: 'read' | 'write' | 'verify',
    first: number,
    count: number,
    address: number,
    done: () => void,
  ): number {
    const { mem, operations } = this.bios;
    if (mode === 'write' && target.readOnly) return this.finish(frame, STATUS_WRITE_PROTECTED);
    if (mode === 'verify') {
      done();
      return this.finish(frame, STATUS_OK);
    }
    const latency = REQUEST_NS + count * SECTOR_NS;
    if (mode === 'read') {
      return operations.start(
        frame,
        latency,
        () => readSectors(target, first, count),
        (_, outcome) => {
          if (!outcome.ok) return this.failed(frame, outcome.error, STATUS_CONTROLLER);
          mem.write(address, outcome.value);
          done();
          return this.finish(frame, STATUS_OK);
        },
        () => this.finish(frame, STATUS_TIMEOUT),
      );
    }
    const data = new Uint8Array(count * target.sectorBytes);
    mem.read(address, data);
    return operations.start(
      frame,
      latency,
      () => writeSectors(target, first, data),
      (_, outcome) => {
        if (!outcome.ok) return this.failed(frame, outcome.error, STATUS_WRITE_FAULT);
        done();
        return this.finish(frame, STATUS_OK);
      },
      () => this.finish(frame, STATUS_TIMEOUT),
    );
  }

  private failed(frame: Frame, error: unknown, status: number): number {
    this.bios.log.log('warn', `disk request of the guest failed: ${messageOf(error)}`, { drive: frame.dl });
    if (isNestboxError(error) && error.kind === 'permission') status = STATUS_WRITE_PROTECTED;
    return this.finish(frame, status);
  }

  private formatTrack(frame: Frame, target: Target | undefined): number {
    const status = this.mediumStatus(target);
    if (status !== STATUS_OK || target === undefined) return this.finish(frame, status);
    if (target.kind !== 'floppy') return this.finish(frame, target.kind === 'disk' ? STATUS_OK : STATUS_BAD_COMMAND);
    if (target.readOnly) return this.finish(frame, STATUS_WRITE_PROTECTED);
    const { cylinders, heads, sectors } = target.geometry;
    if (frame.ch >= cylinders || frame.dh >= heads) return this.finish(frame, STATUS_NOT_FOUND);
    const first = (frame.ch * heads + frame.dh) * sectors;
    const data = new Uint8Array(sectors * target.sectorBytes).fill(FILL_BYTE);
    return this.bios.operations.start(
      frame,
      REQUEST_NS,
      () => writeSectors(target, first, data),
      (_, outcome) =>
        outcome.ok ? this.finish(frame, STATUS_OK) : this.failed(frame, outcome.error, STATUS_WRITE_FAULT),
      () => this.finish(frame, STATUS_TIMEOUT),
    );
  }

  private parameters(frame: Frame, target: Target | undefined): number {
    const { drives } = this.bios;
    if (target === undefined || target.kind === 'cdrom') {
      // DOS asks for drives that do not exist to count them.
      if (frame.dl < FIRST_DISK) {
        frame.ax = 0;
        frame.bx = 0;
        frame.cx = 0;
        frame.dx = drives.floppyCount;
        frame.es = 0;
        frame.di = 0;
        frame.carry = false;
        this.remember(0, STATUS_OK);
        return ACTION_DONE;
      }
      this.remember(frame.dl, STATUS_BAD_COMMAND);
      frame.ax = STATUS_BAD_COMMAND << 8;
      frame.cx = 0;
      frame.dx = drives.diskCount;
      frame.carry = true;
      return ACTION_DONE;
    }
    const { cylinders, heads, sectors } = target.geometry;
    const last = Math.min(cylinders, 1024) - 1;
    frame.ch = last & 0xff;
    frame.cl = (sectors & 0x3f) | ((last >> 2) & 0xc0);
    const number = frame.dl;
    frame.dh = heads - 1;
    if (target.kind === 'floppy') {
      frame.dl = drives.floppyCount;
      frame.bx = target.format.driveType;
      const table = this.bios.floppyTable;
      frame.es = table.segment;
      frame.di = table.offset;
    } else frame.dl = drives.diskCount;
    frame.ax = 0;
    frame.carry = false;
    this.remember(number, STATUS_OK);
    return ACTION_DONE;
  }

  private driveType(frame: Frame, target: Target | undefined): number {
    frame.carry = false;
    if (target?.kind === 'disk') {
      const { cylinders, heads, sectors } = target.geometry;
      const count = Math.min(cylinders * heads * sectors, target.totalSectors);
      frame.ah = 3;
      frame.cx = Math.floor(count / 0x10000) & 0xffff;
      frame.dx = count & 0xffff;
      return ACTION_DONE;
    }
    // 2 = floppy with change line. Drives that do not exist answer 0 without an error.
    frame.ah = target?.kind === 'floppy' ? 2 : 0;
    this.bios.mem.write8(frame.dl >= FIRST_DISK ? BDA.DISK_STATUS : BDA.FLOPPY_STATUS, STATUS_OK);
    return ACTION_DONE;
  }

  private changeLine(frame: Frame, target: Target | undefined): number {
    if (target?.kind !== 'floppy') return this.finish(frame, STATUS_BAD_COMMAND);
    const changed = target.drive.kind === 'floppy' && target.drive.takeChanged?.() === true;
    return this.finish(frame, changed ? STATUS_CHANGED : STATUS_OK);
  }

  /** Chooses the format for FORMAT: only those that the image has room for. */
  private setMedia(frame: Frame, target: Target | undefined): number {
    if (target?.kind !== 'floppy') return this.finish(frame, STATUS_BAD_COMMAND);
    if (target.medium === undefined) return this.finish(frame, STATUS_TIMEOUT);
    const tracks = (frame.ch | ((frame.cl & 0xc0) << 2)) + 1;
    const sectors = frame.cl & 0x3f;
    const possible = FLOPPY_FORMATS.some(
      (format) =>
        format.cylinders === tracks && format.sectors === sectors && format.sizeBytes <= target.format.sizeBytes,
    );
    if (!possible) return this.finish(frame, 0x0c);
    const table = this.bios.floppyTable;
    frame.es = table.segment;
    frame.di = table.offset;
    return this.finish(frame, STATUS_OK);
  }
}
