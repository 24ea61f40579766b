// Enhanced Disk Drive functions of INT 13h (EDD-3, INCITS 347; Phoenix EDD 1.1) and the El Torito ones (4Ah-4Dh).

import type { BiosContext } from '../context.ts';
import type { Frame } from '../frame.ts';
import { linear } from '../guest-memory.ts';
import { ACTION_DONE } from '../rom/trap.ts';
import { CD_SECTOR_BYTES, readSectors, type Target } from './drive-map.ts';

const STATUS_OK = 0x00;
const STATUS_BAD_COMMAND = 0x01;
const STATUS_NOT_FOUND = 0x04;
const STATUS_CONTROLLER = 0x20;
const STATUS_NOT_REMOVABLE = 0xb2;
const VERSION_EDD3 = 0x30;
/** Subsets: extended access, removable drive control, EDD support. */
const SUBSETS_DISK = 0x0005;
const SUBSETS_REMOVABLE = 0x0007;
const MAX_TRANSFER_BYTES = 1 << 20;

/** What the extended functions share with the CHS ones. */
export interface DiskCalls {
  finish(frame: Frame, status: number): number;
  mediumStatus(target: Target | undefined): number;
  start(
    frame: Frame,
    target: Target,
    mode: 'read' | 'write' | 'verify',
    first: number,
    count: number,
    address: number,
    done: () => void,
  ): number;
}

export class Edd {
  private readonly bios: BiosContext;
  private readonly disks: DiskCalls;

  constructor(bios: BiosContext, disks: DiskCalls) {
    this.bios = bios;
    this.disks = disks;
  }

  handle(frame: Frame, target: Target | undefined): number {
    if (frame.ah === 0x4a || frame.ah === 0x4c) return this.disks.finish(frame, STATUS_BAD_COMMAND);
    if (frame.ah === 0x4b) return this.emulationStatus(frame);
    if (frame.ah === 0x4d) return this.readBootCatalog(frame, target);
    if (target === undefined || target.kind === 'floppy') return this.disks.finish(frame, STATUS_BAD_COMMAND);
    switch (frame.ah) {
      case 0x41:
        return this.check(frame, target);
      case 0x42:
        return this.transfer(frame, target, 'read');
      case 0x43:
        return this.transfer(frame, target, 'write');
      case 0x44:
        return this.transfer(frame, target, 'verify');
      case 0x45:
        return this.lock(frame, target);
      case 0x46:
        return this.disks.finish(frame, target.kind === 'cdrom' ? STATUS_OK : STATUS_NOT_REMOVABLE);
      case 0x47:
        return this.transfer(frame, target, 'seek');
      case 0x48:
        return this.parameters(frame, target);
      case 0x49:
        return this.changeLine(frame, target);
      case 0x4e:
        return this.configure(frame);
      default:
        return this.disks.finish(frame, STATUS_BAD_COMMAND);
    }
  }

  private check(frame: Frame, target: Target): number {
    if (frame.bx !== 0x55aa) return this.disks.finish(frame, STATUS_BAD_COMMAND);
    frame.bx = 0xaa55;
    frame.cx = target.kind === 'cdrom' ? SUBSETS_REMOVABLE : SUBSETS_DISK;
    this.disks.finish(frame, STATUS_OK);
    frame.ah = VERSION_EDD3;
    return ACTION_DONE;
  }

  private transfer(frame: Frame, target: Target, mode: 'read' | 'write' | 'verify' | 'seek'): number {
    const { mem } = this.bios;
    const packet = linear(frame.ds, frame.si);
    const packetBytes = mem.read8(packet);
    if (packetBytes < 0x10) return this.disks.finish(frame, STATUS_BAD_COMMAND);
    const status = this.disks.mediumStatus(target);
    if (status !== STATUS_OK) {
      mem.write16(packet + 2, 0);
      return this.disks.finish(frame, status);
    }
    const count = mem.read16(packet + 2);
    const first = mem.read32(packet + 8) + mem.read32(packet + 12) * 0x1_0000_0000;
    const seek = mode === 'seek';
    if (first + (seek ? 1 : count) > target.totalSectors) {
      if (!seek) mem.write16(packet + 2, 0);
      return this.disks.finish(frame, STATUS_NOT_FOUND);
    }
    if (count === 0 || seek) return this.disks.finish(frame, STATUS_OK);
    const bytes = count * target.sectorBytes;
    const segmented = mem.read32(packet + 4);
    const flat = segmented === 0xffffffff && packetBytes >= 0x18;
    const address = flat ? mem.read32(packet + 16) : linear(segmented >>> 16, segmented & 0xffff);
    if (bytes > MAX_TRANSFER_BYTES) {
      mem.write16(packet + 2, 0);
      return this.disks.finish(frame, STATUS_BAD_COMMAND);
    }
    return this.disks.start(frame, target, mode, first, count, address, () => undefined);
  }

  private lock(frame: Frame, target: Target): number {
    if (target.kind !== 'cdrom') return this.disks.finish(frame, STATUS_NOT_REMOVABLE);
    // The lock is not kept: ejecting is the user's decision here.
    if (frame.al > 2) return this.disks.finish(frame, STATUS_BAD_COMMAND);
    frame.al = 0;
    return this.disks.finish(frame, STATUS_OK);
  }

  private changeLine(frame: Frame, target: Target): number {
    if (target.kind !== 'cdrom') return this.disks.finish(frame, STATUS_OK);
    return this.disks.finish(frame, target.drive.takeChanged?.() === true ? 0x06 : STATUS_OK);
  }

  private configure(frame: Frame): number {
    if (frame.al !== 0x01 && frame.al !== 0x03 && frame.al !== 0x04 && frame.al !== 0x06)
      return this.disks.finish(frame, STATUS_BAD_COMMAND);
    frame.al = 0;
    return this.disks.finish(frame, STATUS_OK);
  }

  /** Function 48h: the result is as long as the caller has room for, 26, 30 or 66 bytes. */
  private parameters(frame: Frame, target: Target): number {
    const { mem } = this.bios;
    const buffer = linear(frame.ds, frame.si);
    const room = mem.read16(buffer);
    if (room < 26) return this.disks.finish(frame, STATUS_BAD_COMMAND);
    const bytes = new Uint8Array(room >= 66 ? 66 : room >= 30 ? 30 : 26);
    const view = new DataView(bytes.buffer);
    view.setUint16(0, bytes.length, true);
    if (target.kind === 'disk') {
      // DMA boundary handled, CHS values valid.
      const physical = target.drive.geometry ?? target.geometry;
      view.setUint16(2, 0x0003, true);
      view.setUint32(4, physical.cylinders, true);
      view.setUint32(8, physical.heads, true);
      view.setUint32(12, physical.sectors, true);
    } else {
      // Removable, lockable, change notification; the CHS fields mean nothing.
      view.setUint16(2, 0x0075, true);
      view.setInt32(4, -1, true);
      view.setInt32(8, -1, true);
      view.setInt32(12, -1, true);
    }
    view.setUint32(16, target.totalSectors % 0x1_0000_0000, true);
    view.setUint32(20, Math.floor(target.totalSectors / 0x1_0000_0000), true);
    view.setUint16(24, target.sectorBytes, true);
    if (bytes.length >= 30) view.setUint32(26, 0xffffffff, true);
    if (bytes.length >= 66) this.devicePath(bytes, view);
    mem.write(buffer, bytes);
    return this.disks.finish(frame, STATUS_OK);
  }

  private devicePath(bytes: Uint8Array, view: DataView): void {
    view.setUint16(30, 0xbedd, true);
    bytes[32] = 36;
    bytes.set(
      [...'PCI ATA     '].map((letter) => letter.charCodeAt(0)),
      36,
    );
    let sum = 0;
    for (let i = 30; i < 65; i++) sum += bytes[i] as number;
    bytes[65] = -sum & 0xff;
  }

  /** Function 4Bh: terminates disk emulation (AL = 0) or only tells about it. */
  private emulationStatus(frame: Frame): number {
    const { mem, drives } = this.bios;
    const boot = this.bios.boot.bootedCd;
    if (boot === undefined) return this.disks.finish(frame, STATUS_BAD_COMMAND);
    const packet = new Uint8Array(0x13);
    const view = new DataView(packet.buffer);
    packet[0] = 0x13;
    packet[1] = boot.mediaType;
    packet[2] = boot.driveNumber;
    packet[3] = boot.cdrom >> 1;
    view.setUint32(4, boot.imageSector, true);
    view.setUint16(8, boot.cdrom & 1, true);
    view.setUint16(12, boot.loadSegment, true);
    view.setUint16(14, boot.sectorCount, true);
    const geometry = drives.emulation?.geometry;
    if (geometry !== undefined) {
      packet[16] = (geometry.cylinders - 1) & 0xff;
      packet[17] = (geometry.sectors & 0x3f) | (((geometry.cylinders - 1) >> 2) & 0xc0);
      packet[18] = geometry.heads - 1;
    }
    mem.write(linear(frame.ds, frame.si), packet);
    if (frame.al === 0) this.bios.boot.endEmulation();
    return this.disks.finish(frame, STATUS_OK);
  }

  /** Function 4Dh: reads sectors of the boot catalogue. */
  private readBootCatalog(frame: Frame, target: Target | undefined): number {
    const { mem, boot } = this.bios;
    const packet = linear(frame.ds, frame.si);
    const catalog = boot.bootedCd?.catalogSector;
    const cd = target?.kind === 'cdrom' ? target : undefined;
    if (catalog === undefined || cd === undefined) return this.disks.finish(frame, STATUS_BAD_COMMAND);
    const count = mem.read8(packet + 1);
    const address = mem.read32(packet + 2);
    const first = mem.read16(packet + 6);
    const sector = catalog + first;
    if (count === 0 || count * CD_SECTOR_BYTES > MAX_TRANSFER_BYTES)
      return this.disks.finish(frame, STATUS_BAD_COMMAND);
    return this.bios.operations.start(
      frame,
      100_000,
      () => readSectors(cd, sector, count),
      (_, outcome) => {
        if (!outcome.ok) return this.disks.finish(frame, STATUS_CONTROLLER);
        mem.write(address, outcome.value);
        return this.disks.finish(frame, STATUS_OK);
      },
      () => this.disks.finish(frame, 0x80),
    );
  }
}
