// One data command of the floppy controller: which sectors it touches, where on the medium they lie, and the sector ID and
// status that its result phase reports.

import { z } from 'zod';
import { bytesUpTo, u8 } from '../platform/state-fields.ts';
import * as C from './fdc-commands.ts';
import { type FloppyDrive, type FloppyGeometry, SECTOR_BYTES } from './floppy-drive.ts';

/** Two sides of the densest track, and the 4-byte IDs of a format command. */
export const MAX_TRANSFER_BYTES = 2 * 36 * SECTOR_BYTES;

export const transferSchema = z.strictObject({
  kind: z.enum(['read', 'write', 'verify', 'format']),
  drive: z.int().min(0).max(3),
  head: z.int().min(0).max(1),
  cylinderId: u8,
  headId: u8,
  sectorId: u8,
  sizeCode: u8,
  lastSector: u8,
  multiTrack: z.boolean(),
  controlMark: z.boolean(),
  fill: u8,
  /** Sectors on the first and, with multi-track, on the second side. */
  firstCount: z.int().min(0).max(36),
  secondCount: z.int().min(0).max(36),
  /** Status 1 when the data runs out before terminal count. */
  endStatus1: u8,
  /** Where the data phase stands. `wait` = until the DMA channel or the guest moves bytes. */
  stage: z.enum(['medium', 'wait']),
  position: z.int().min(0).max(MAX_TRANSFER_BYTES),
  terminalCount: z.boolean(),
  buffer: bytesUpTo(MAX_TRANSFER_BYTES),
});
export type TransferState = z.infer<typeof transferSchema>;

/** Parameter bytes C, H, R, N, EOT of a data command. */
export interface SectorAddress {
  readonly cylinderId: number;
  readonly headId: number;
  readonly sectorId: number;
  readonly sizeCode: number;
  readonly lastSector: number;
}

/** Why a data command cannot start: status registers 1 and 2. */
export interface TransferFault {
  readonly status1: number;
  readonly status2: number;
}

/** Looks for the first sector; returns the reason when it would not be found under the head. */
export function findFault(
  drive: FloppyDrive | undefined, head: number, address: SectorAddress, rateMatches: boolean,
): TransferFault | undefined {
  const geometry = drive?.geometry;
  if (drive === undefined || geometry === undefined || !rateMatches || head >= geometry.heads || drive.cylinder >= geometry.cylinders) {
    return { status1: C.ST1_MISSING_ADDRESS, status2: 0 };
  }
  if (address.cylinderId !== drive.cylinder) return { status1: C.ST1_NO_DATA, status2: C.ST2_WRONG_CYLINDER };
  const { sectorId } = address;
  if (address.headId !== head || address.sizeCode !== 2 || sectorId < 1 || sectorId > geometry.sectorsPerTrack) {
    return { status1: C.ST1_NO_DATA, status2: 0 };
  }
  return undefined;
}

/** How many sectors on each side a command covers, and how it ends when nobody stops it. */
export interface SectorPlan {
  readonly firstCount: number;
  readonly secondCount: number;
  readonly endStatus1: number;
}

export function planSectors(geometry: FloppyGeometry, head: number, address: SectorAddress, multiTrack: boolean): SectorPlan {
  const { sectorId, lastSector } = address;
  const lastOnTrack = Math.min(lastSector, geometry.sectorsPerTrack);
  // An end of track before the first sector never matches while sectors pass: the search ends with the track.
  const missing = lastSector > geometry.sectorsPerTrack || lastSector < sectorId;
  const last = lastSector < sectorId ? geometry.sectorsPerTrack : lastOnTrack;
  const both = multiTrack && head === 0 && geometry.heads === 2 && !missing;
  return {
    firstCount: last - sectorId + 1,
    secondCount: both ? last : 0,
    endStatus1: missing ? C.ST1_NO_DATA : C.ST1_END_OF_CYLINDER,
  };
}

/** A piece of the medium and where its bytes lie in the transfer's buffer. */
export interface MediumRun {
  readonly mediumOffset: number;
  readonly bufferOffset: number;
  readonly lengthBytes: number;
}

/** The pieces of the medium behind the first `lengthBytes` of a transfer. */
export function mediumRuns(transfer: TransferState, geometry: FloppyGeometry, cylinder: number, lengthBytes: number): MediumRun[] {
  const trackBytes = geometry.sectorsPerTrack * SECTOR_BYTES;
  const trackStart = (cylinder * geometry.heads + transfer.head) * trackBytes;
  const firstBytes = Math.min(transfer.firstCount * SECTOR_BYTES, lengthBytes);
  const runs: MediumRun[] = [];
  if (firstBytes > 0) {
    runs.push({ mediumOffset: trackStart + (transfer.sectorId - 1) * SECTOR_BYTES, bufferOffset: 0, lengthBytes: firstBytes });
  }
  const secondBytes = Math.min(transfer.secondCount * SECTOR_BYTES, lengthBytes - firstBytes);
  if (secondBytes > 0) runs.push({ mediumOffset: trackStart + trackBytes, bufferOffset: firstBytes, lengthBytes: secondBytes });
  return runs;
}

/** The sector ID that the result phase shows: the one after the last sector that was moved (datasheet table 5-6). */
export function resultId(transfer: TransferState): { c: number; h: number; r: number; headBit: number } {
  const moved = Math.ceil(transfer.position / SECTOR_BYTES);
  const { firstCount, sectorId, cylinderId, headId, lastSector, multiTrack } = transfer;
  let sector = sectorId + moved;
  let head = transfer.head;
  let id = headId;
  if (moved > firstCount || (moved === firstCount && multiTrack && transfer.secondCount > 0)) {
    sector = moved - firstCount + 1;
    head ^= 1;
    id ^= 1;
  }
  if (sector <= lastSector || moved === 0) return { c: cylinderId, h: id, r: sector & 0xff, headBit: head };
  return { c: (cylinderId + 1) & 0xff, h: multiTrack ? id ^ 1 : id, r: 1, headBit: head };
}
