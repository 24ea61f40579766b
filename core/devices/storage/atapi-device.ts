// The packet protocol of an ATAPI device (ATA/ATAPI-7, PACKET command): the command packet, data to the host in pieces of its
// byte count limit or by DMA, status and sense. What packets mean is the subclass's part.

import { z } from 'zod';
import type { BlockDevice } from '../../block/block-device.ts';
import { bytes } from '../platform/state-fields.ts';
import * as A from './ata-registers.ts';
import { driveBaseFits, driveBaseSchema, IdeDrive, MAX_CHUNK_BYTES } from './ide-drive.ts';
import * as S from './scsi-codes.ts';

export const PACKET_BYTES = 12;
const CHUNK_SECTORS = MAX_CHUNK_BYTES / S.CD_SECTOR_BYTES;
/** Interrupt reason, in the sector count register. */
const REASON_COMMAND = 0x01;
const REASON_TO_HOST = 0x02;
const FEATURE_DMA = 0x01;
const ERROR_SENSE_SHIFT = 4;
const NO_LIMIT = 0xfffe;
/** Old drivers look for the seek-complete bit of SFF-8020i in packet devices too. */
const READY = A.STATUS_DRDY | A.STATUS_DSC;

export const atapiTransportSchema = z.strictObject({
  base: driveBaseSchema,
  /** What the drive works on: nothing, a packet or identify data that arrives or leaves, or sectors of the medium. */
  activity: z.enum(['none', 'packet', 'identify', 'reply', 'sectors']),
  packet: bytes(PACKET_BYTES),
  dma: z.boolean(),
  byteLimit: z.int().min(0).max(NO_LIMIT),
  /** Bytes of the buffer that are data. */
  dataEnd: z.int().min(0).max(MAX_CHUNK_BYTES),
  lba: z.int().min(0).max(2 ** 32),
  remainingSectors: z.int().min(0).max(2 ** 32),
  sense: z.int().min(0).max(0x0fffff),
});
export type AtapiTransportState = z.infer<typeof atapiTransportSchema>;

/** What the schema cannot check. @returns the reason why the state cannot be, or undefined */
export function checkTransport(saved: AtapiTransportState): string | undefined {
  const { base, activity, dataEnd } = saved;
  if (!driveBaseFits(base)) return 'data port does not fit';
  if ((base.phase === 'idle') !== (activity === 'none')) return 'phase and activity do not fit';
  switch (activity) {
    case 'none':
      return undefined;
    case 'packet':
      return base.phase === 'pio-out' && base.buffer.length === PACKET_BYTES ? undefined : 'packet does not fit';
    case 'identify':
      return base.phase === 'pio-in' && base.end === 512 ? undefined : 'identify data does not fit';
    default:
      if (base.phase === 'pio-out' || dataEnd > base.buffer.length) return 'data does not fit';
      if (base.phase === 'medium' && activity !== 'sectors') return 'no work for the medium';
      return base.end <= dataEnd + 1 ? undefined : 'data end does not fit';
  }
}

export abstract class AtapiDevice extends IdeDrive {
  readonly isPacketDevice = true;
  protected readonly packet = new Uint8Array(PACKET_BYTES);
  protected sense = S.SENSE_NONE;
  private activity: AtapiTransportState['activity'] = 'none';
  private dma = false;
  private byteLimit = NO_LIMIT;
  private dataEnd = 0;
  private lba = 0;
  private remainingSectors = 0;

  /** Carries out the command in `packet`: it must end in `reply`, `sendSectors`, `finishCommand` or `failCommand`. */
  protected abstract executePacket(): void;
  /** Sectors of the medium that can be read now, or undefined. */
  protected abstract readonly sectors: number | undefined;

  protected override abandon(): void {
    super.abandon();
    this.activity = 'none';
    this.dataEnd = 0;
    this.lba = 0;
    this.remainingSectors = 0;
  }

  protected resetTransport(): void {
    this.sense = S.SENSE_NONE;
    this.packet.fill(0);
    this.dma = false;
    this.byteLimit = NO_LIMIT;
  }

  /** True while sectors of the medium are on their way. */
  protected get readsMedium(): boolean {
    return this.activity === 'sectors';
  }

  /** Sends the 512 bytes of IDENTIFY PACKET DEVICE. */
  protected sendIdentify(data: Uint8Array): void {
    this.activity = 'identify';
    this.buffer = data;
    this.status = READY | A.STATUS_DRQ;
    this.startDataIn(0, data.length);
    this.raiseInterrupt();
  }

  protected ataDone(): void {
    this.taskFile.error = 0;
    this.status = READY;
    this.raiseInterrupt();
  }

  protected ataAbort(): void {
    this.taskFile.error = A.ERROR_ABRT;
    this.status = READY | A.STATUS_ERR;
    this.raiseInterrupt();
  }

  /** The PACKET command: asks for the command packet, without an interrupt. */
  protected awaitPacket(): void {
    const { taskFile } = this;
    this.dma = (taskFile.feature & FEATURE_DMA) !== 0;
    if (this.dma && this.host?.busMaster === undefined) return this.ataAbort();
    const limit = taskFile.lbaMid | (taskFile.lbaHigh << 8);
    // 0 and 65,535 mean as much as goes in even pieces.
    this.byteLimit = limit === 0 || limit === 0xffff ? NO_LIMIT : limit;
    taskFile.sectorCount = REASON_COMMAND;
    taskFile.error = 0;
    this.activity = 'packet';
    this.buffer = new Uint8Array(PACKET_BYTES);
    this.status = READY | A.STATUS_DRQ;
    this.startDataOut(0, PACKET_BYTES);
  }

  protected dataMoved(): void {
    switch (this.activity) {
      case 'packet':
        this.packet.set(this.buffer);
        this.buffer = new Uint8Array(0);
        this.position = 0;
        this.end = 0;
        return this.executePacket();
      case 'identify':
        this.abandon();
        this.status = READY;
        return;
      case 'reply':
      case 'sectors':
        return this.end < this.dataEnd || this.remainingSectors > 0 ? this.pause() : this.finishCommand();
      default:
        return this.abandon();
    }
  }

  protected pauseOver(): void {
    this.continueData();
  }

  protected dmaStarted(): void {
    this.continueData();
  }

  /** Offers the next piece of the buffer, or fetches the next sectors. */
  private continueData(): void {
    if (this.end < this.dataEnd) return this.offerData();
    if (this.remainingSectors > 0) return this.readSectors();
    this.finishCommand();
  }

  private offerData(): void {
    const left = this.dataEnd - this.end;
    if (this.dma) return this.moveByDma(left);
    // All pieces but the last are even; a last odd byte travels with a padding byte.
    const piece = left > this.byteLimit ? this.byteLimit & ~1 || 2 : left;
    this.taskFile.lbaMid = piece & 0xff;
    this.taskFile.lbaHigh = piece >> 8;
    this.taskFile.sectorCount = REASON_TO_HOST;
    this.status = READY | A.STATUS_DRQ;
    this.startDataIn(this.end, this.end + piece + (piece & 1));
    this.raiseInterrupt();
  }

  private moveByDma(left: number): void {
    const busMaster = this.host?.busMaster;
    if (busMaster?.active !== true) return this.waitForDma(READY | A.STATUS_BSY);
    const data = this.buffer.subarray(this.end, this.end + left);
    if (busMaster.toMemory(data) < left) {
      busMaster.tableTooShort();
      this.abandon();
      this.status = READY;
      return;
    }
    this.end = this.dataEnd;
    this.position = this.end;
    this.continueData();
  }

  protected finishCommand(): void {
    const usedDma = this.dma && (this.activity === 'reply' || this.activity === 'sectors');
    this.abandon();
    if (usedDma) this.host?.busMaster?.transferDone();
    this.sense = S.SENSE_NONE;
    this.taskFile.error = 0;
    this.taskFile.sectorCount = REASON_TO_HOST | REASON_COMMAND;
    this.status = READY;
    this.raiseInterrupt();
  }

  protected failCommand(sense: number): void {
    this.abandon();
    this.sense = sense;
    this.taskFile.error = (sense >> 16) << ERROR_SENSE_SHIFT;
    this.taskFile.sectorCount = REASON_TO_HOST | REASON_COMMAND;
    this.status = READY | A.STATUS_ERR;
    this.raiseInterrupt();
  }

  /** Sends an answer, cut to what the command allows. */
  protected reply(data: readonly number[], allocationLength: number): void {
    const length = Math.min(data.length, allocationLength);
    if (length === 0) return this.finishCommand();
    this.activity = 'reply';
    // One more byte: an odd piece is read as words.
    this.buffer = Uint8Array.from([...data.slice(0, length), 0]);
    this.dataEnd = length;
    this.end = 0;
    this.offerData();
  }

  /** Sends sectors of the medium; those beyond its end give an error without asking the host. */
  protected sendSectors(lba: number, count: number): void {
    const { sectors } = this;
    if (sectors === undefined || lba + count > sectors) return this.failCommand(S.SENSE_LBA_OUT_OF_RANGE);
    if (count === 0) return this.finishCommand();
    this.activity = 'sectors';
    this.lba = lba;
    this.remainingSectors = count;
    this.readSectors();
  }

  private readSectors(): void {
    const count = Math.min(this.remainingSectors, CHUNK_SECTORS);
    const { sectors } = this;
    if (sectors === undefined || this.lba + count > sectors) return this.failCommand(S.SENSE_LBA_OUT_OF_RANGE);
    const data = new Uint8Array(count * S.CD_SECTOR_BYTES);
    const offset = this.lba * S.CD_SECTOR_BYTES;
    const read = (device: BlockDevice): Promise<void> => device.read(offset, data);
    this.submit(read, data.length, () => this.sectorsRead(data, count), () => this.failCommand(S.SENSE_READ_ERROR));
  }

  private sectorsRead(data: Uint8Array, count: number): void {
    this.buffer = data;
    this.lba += count;
    this.remainingSectors -= count;
    this.position = 0;
    this.end = 0;
    this.dataEnd = data.length;
    this.offerData();
  }

  protected saveTransport(): AtapiTransportState {
    return {
      base: this.saveBase(),
      activity: this.activity,
      packet: this.packet.slice(),
      dma: this.dma,
      byteLimit: this.byteLimit,
      dataEnd: this.dataEnd,
      lba: this.lba,
      remainingSectors: this.remainingSectors,
      sense: this.sense,
    };
  }

  protected loadTransport(saved: AtapiTransportState): void {
    this.loadBase(saved.base);
    this.activity = saved.activity;
    this.packet.set(saved.packet);
    this.dma = saved.dma;
    this.byteLimit = saved.byteLimit;
    this.dataEnd = saved.dataEnd;
    this.lba = saved.lba;
    this.remainingSectors = saved.remainingSectors;
    this.sense = saved.sense;
  }

  /** Starts work on the medium again that was under way when the loaded state was saved. */
  restart(): void {
    if (this.phase === 'medium') this.readSectors();
  }
}
