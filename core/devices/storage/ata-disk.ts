// An ATA hard disk (ATA/ATAPI-7): PIO, multiple and DMA transfers with 28- and 48-bit addresses, CHS translation, flush, TRIM,
// power modes, minimal SMART. Data moves between the medium and the buffer in pieces of up to 256 KiB.
// Not emulated: security, host protected area, queued commands, READ/WRITE BUFFER.

import { z } from 'zod';
import { NestboxError } from '../../base/errors.ts';
import type { BlockDevice } from '../../block/block-device.ts';
import { type DriveIdentity, identifyDisk, MAX_MULTIPLE_SECTORS } from './ata-identify.ts';
import * as A from './ata-registers.ts';
import { ataCommand, type TransferKind } from './ata-commands.ts';
import { smartData } from './ata-smart.ts';
import { AtaAddressing, DEFAULT_HEADS, DEFAULT_SECTORS_PER_TRACK } from './ata-addressing.ts';
import { type AtaTransfer, ataTransferSchema, checkTransfer, CHUNK_SECTORS, SECTOR_BYTES, trimRanges } from './ata-transfer.ts';
import { driveBaseFits, driveBaseSchema, type DriveOptions, IdeDrive } from './ide-drive.ts';
import { MediumQueue } from './medium-queue.ts';

const MAX_CYLINDERS = 16383;
const READY = A.STATUS_DRDY | A.STATUS_DSC;
const POWER_ACTIVE = 0xff;
const MODE_DEFAULT = 0x45;
/** SMART signature in LBA mid and high. */
const SMART_MID = 0x4f;
const SMART_HIGH = 0xc2;

export interface AtaDiskOptions extends DriveOptions {
  /** Capacity a multiple of 512 bytes, at least one sector. */
  readonly medium: BlockDevice;
  readonly identity?: Partial<DriveIdentity> | undefined;
}

export const ataDiskSchema = z.strictObject({
  kind: z.literal('disk'),
  base: driveBaseSchema,
  transfer: ataTransferSchema.nullable(),
  heads: z.int().min(1).max(16),
  sectorsPerTrack: z.int().min(1).max(255),
  multipleSectors: z.int().min(0).max(MAX_MULTIPLE_SECTORS),
  writeCache: z.boolean(),
  lookAhead: z.boolean(),
  smart: z.boolean(),
  dmaMode: z.int().min(0).max(0x47),
});
export type AtaDiskState = z.infer<typeof ataDiskSchema>;

export class AtaDisk extends IdeDrive {
  readonly isPacketDevice = false;
  protected readonly queue: MediumQueue;
  private readonly sectors: number;
  private readonly cylinders: number;
  private readonly identity: DriveIdentity;
  private transfer: AtaTransfer | undefined;
  private readonly addressing: AtaAddressing;
  private multipleSectors = MAX_MULTIPLE_SECTORS;
  private writeCache = true;
  private lookAhead = true;
  private smart = true;
  private dmaMode = MODE_DEFAULT;

  constructor(options: AtaDiskOptions) {
    super(options);
    const { sizeBytes } = options.medium;
    if (sizeBytes < SECTOR_BYTES || sizeBytes % SECTOR_BYTES !== 0) {
      throw new NestboxError('bad-input', `A hard disk needs a multiple of 512 bytes, the image has ${sizeBytes}`, { op: 'attach disk' });
    }
    this.queue = new MediumQueue(options.medium);
    this.sectors = sizeBytes / SECTOR_BYTES;
    this.cylinders = Math.max(1, Math.min(Math.floor(this.sectors / (DEFAULT_HEADS * DEFAULT_SECTORS_PER_TRACK)), MAX_CYLINDERS));
    this.addressing = new AtaAddressing(this.sectors, this.taskFile);
    this.identity = {
      model: options.identity?.model ?? 'Nestbox Hard Disk',
      serial: options.identity?.serial ?? 'NB0000000001',
      firmware: options.identity?.firmware ?? '1.0',
    };
    this.endReset();
  }

  override hardReset(): void {
    this.addressing.reset();
    this.multipleSectors = MAX_MULTIPLE_SECTORS;
    this.writeCache = true;
    this.lookAhead = true;
    this.smart = true;
    this.dmaMode = MODE_DEFAULT;
    super.hardReset();
  }

  protected override abandon(): void {
    super.abandon();
    this.transfer = undefined;
  }

  // --- commands --------------------------------------------------------------------------------------------------

  protected execute(code: number): void {
    const command = ataCommand(code);
    if (command.kind === 'transfer') return this.startTransfer(command.transfer, command.dma, command.wide, command.multiple, command.flushAfter);
    switch (command.code) {
      case A.CMD_IDENTIFY: return this.sendBlock(this.identify());
      case A.CMD_RECALIBRATE:
      case A.CMD_STANDBY_IMMEDIATE:
      case A.CMD_IDLE_IMMEDIATE:
      case A.CMD_STANDBY:
      case A.CMD_IDLE:
      case A.CMD_SLEEP: return this.succeed();
      case A.CMD_SEEK: return this.addressing.resolve(false) === undefined ? this.fail(A.ERROR_IDNF) : this.succeed();
      case A.CMD_CHECK_POWER_MODE:
        this.taskFile.sectorCount = POWER_ACTIVE;
        return this.succeed();
      case A.CMD_INITIALIZE_PARAMETERS: return this.initializeParameters();
      case A.CMD_SET_MULTIPLE: return this.setMultiple();
      case A.CMD_SET_FEATURES: return this.setFeatures();
      case A.CMD_FLUSH_CACHE:
      case A.CMD_FLUSH_CACHE_EXT: return this.flush();
      case A.CMD_READ_NATIVE_MAX:
        this.taskFile.setLba28(Math.min(this.sectors, 0x1000_0000) - 1);
        return this.succeed();
      case A.CMD_READ_NATIVE_MAX_EXT:
        this.taskFile.setLba48(this.sectors - 1);
        return this.succeed();
      case A.CMD_SMART: return this.smartCommand();
      case A.CMD_DATA_SET_MANAGEMENT: return this.startTrim();
      default: return this.fail(A.ERROR_ABRT);
    }
  }

  private succeed(): void {
    this.endCommand();
    this.raiseInterrupt();
  }

  private endCommand(): void {
    this.phase = 'idle';
    this.transfer = undefined;
    this.buffer = new Uint8Array(0);
    this.position = 0;
    this.end = 0;
    this.taskFile.error = 0;
    this.status = READY;
  }

  private fail(error: number): void {
    this.endCommand();
    this.taskFile.error = error;
    this.status = READY | A.STATUS_ERR;
    this.raiseInterrupt();
  }

  private identify(): Uint8Array {
    return identifyDisk({
      identity: this.identity,
      sectors: this.sectors,
      cylinders: this.cylinders,
      heads: DEFAULT_HEADS,
      sectorsPerTrack: DEFAULT_SECTORS_PER_TRACK,
      currentHeads: this.addressing.heads,
      currentSectorsPerTrack: this.addressing.sectorsPerTrack,
      multipleSectors: this.multipleSectors,
      writeCache: this.writeCache,
      lookAhead: this.lookAhead,
      smart: this.smart,
      dmaMode: this.dmaMode,
    });
  }

  /** Sends 512 bytes that do not come from the medium. */
  private sendBlock(block: Uint8Array): void {
    this.transfer = { kind: 'data', dma: false, wide: false, flushAfter: false, lba: 0, remaining: 1, blockSectors: 1, moved: 0 };
    this.buffer = block;
    this.presentBlock(true);
  }

  private initializeParameters(): void {
    const sectors = this.taskFile.sectorCount;
    if (sectors === 0) return this.fail(A.ERROR_ABRT);
    this.addressing.translate((this.taskFile.device & 0x0f) + 1, sectors);
    this.succeed();
  }

  private setMultiple(): void {
    const count = this.taskFile.sectorCount;
    // Powers of two up to 16; 0 switches multiple commands off.
    if (count > MAX_MULTIPLE_SECTORS || (count & (count - 1)) !== 0) return this.fail(A.ERROR_ABRT);
    this.multipleSectors = count;
    this.succeed();
  }

  private setFeatures(): void {
    const { feature, sectorCount } = this.taskFile;
    switch (feature) {
      case 0x02: this.writeCache = true; return this.succeed();
      case 0x82: return this.disableWriteCache();
      case 0xaa: this.lookAhead = true; return this.succeed();
      case 0x55: this.lookAhead = false; return this.succeed();
      case 0x66: case 0xcc: return this.succeed(); // settings kept or not over a software reset: they always are
      case 0x03: {
        const type = sectorCount >> 3;
        const mode = sectorCount & 7;
        const valid = type === 0 || (type === 1 && mode <= 4) || (type === 4 && mode <= 2) || (type === 8 && mode <= 5);
        if (!valid) return this.fail(A.ERROR_ABRT);
        if (type >= 4) this.dmaMode = sectorCount;
        return this.succeed();
      }
      default: return this.fail(A.ERROR_ABRT);
    }
  }

  private disableWriteCache(): void {
    this.writeCache = false;
    this.flush();
  }

  private flush(): void {
    this.transfer = { kind: 'flush', dma: false, wide: false, flushAfter: false, lba: 0, remaining: 0, blockSectors: 1, moved: 0 };
    this.submitTransfer();
  }

  private smartCommand(): void {
    const { taskFile } = this;
    if (taskFile.lbaMid !== SMART_MID || taskFile.lbaHigh !== SMART_HIGH) return this.fail(A.ERROR_ABRT);
    if (taskFile.feature === 0xd8) {
      this.smart = true;
      return this.succeed();
    }
    if (!this.smart) return this.fail(A.ERROR_ABRT);
    switch (taskFile.feature) {
      case 0xd0: case 0xd1: case 0xd5: return this.sendBlock(smartData(taskFile.feature, taskFile.lbaLow));
      case 0xd2: case 0xd4: return this.succeed();
      case 0xd9: this.smart = false; return this.succeed();
      case 0xda: return this.succeed(); // the unchanged signature says "no threshold exceeded"
      default: return this.fail(A.ERROR_ABRT);
    }
  }

  // --- transfers -------------------------------------------------------------------------------------------------

  private startTransfer(kind: TransferKind, dma: boolean, wide: boolean, multiple: boolean, flushAfter: boolean): void {
    const { taskFile } = this;
    const lba = this.addressing.resolve(wide);
    const count = wide
      ? (taskFile.sectorCount | (taskFile.sectorCountHigh << 8)) || 65536
      : taskFile.sectorCount || 256;
    if (multiple && this.multipleSectors === 0) return this.fail(A.ERROR_ABRT);
    if (dma && this.host?.busMaster === undefined) return this.fail(A.ERROR_ABRT);
    if (kind === 'write' && this.queue.device.readOnly) return this.fail(A.ERROR_ABRT);
    if (lba === undefined || lba + count > this.sectors) return this.fail(A.ERROR_IDNF);
    this.transfer = { kind, dma, wide, flushAfter, lba, remaining: count, blockSectors: multiple ? this.multipleSectors : 1, moved: 0 };
    this.continueTransfer(true);
  }

  private startTrim(): void {
    const { taskFile } = this;
    const blocks = taskFile.sectorCount | (taskFile.sectorCountHigh << 8);
    if (taskFile.feature !== 1 || blocks !== 1 || this.queue.device.readOnly || this.host?.busMaster === undefined) return this.fail(A.ERROR_ABRT);
    this.transfer = { kind: 'trim', dma: true, wide: true, flushAfter: false, lba: 0, remaining: 1, blockSectors: 1, moved: 0 };
    this.continueTransfer(true);
  }

  /** Starts the next piece of the transfer, or ends the command. */
  private continueTransfer(first: boolean): void {
    const transfer = this.transfer;
    if (transfer === undefined) return;
    if (transfer.remaining === 0) return this.transferDone(transfer);
    transfer.moved = 0;
    if (transfer.dma) return this.waitForDma(READY | A.STATUS_BSY);
    if (transfer.kind === 'write') {
      // The first block is asked for without an interrupt.
      this.buffer = new Uint8Array(this.chunkSectors(transfer) * SECTOR_BYTES);
      return this.presentBlock(!first);
    }
    this.submitTransfer();
  }

  private chunkSectors(transfer: AtaTransfer): number {
    return Math.min(transfer.remaining + transfer.moved, CHUNK_SECTORS);
  }

  private transferDone(transfer: AtaTransfer): void {
    if (transfer.kind === 'read' || transfer.kind === 'write' || transfer.kind === 'verify') {
      this.addressing.show(transfer.lba - 1, transfer.wide);
      this.taskFile.sectorCount = 0;
    }
    if (transfer.dma) this.host?.busMaster?.transferDone();
    // A PIO read ends with its last word: the interrupt came with the block.
    if (transfer.kind === 'data' || (transfer.kind === 'read' && !transfer.dma)) this.endCommand();
    else this.succeed();
  }

  /** Opens the data port for the next block of the buffer. */
  private presentBlock(announce: boolean): void {
    const transfer = this.transfer;
    if (transfer === undefined) return;
    const block = Math.min(transfer.blockSectors, transfer.remaining, this.buffer.length / SECTOR_BYTES - transfer.moved);
    const start = transfer.moved * SECTOR_BYTES;
    const end = start + block * SECTOR_BYTES;
    this.status = READY | A.STATUS_DRQ;
    if (transfer.kind === 'write') this.startDataOut(start, end);
    else this.startDataIn(start, end);
    if (announce) this.raiseInterrupt();
  }

  protected dataMoved(): void {
    const transfer = this.transfer;
    if (transfer === undefined) return this.abandon();
    const block = Math.floor(this.end / SECTOR_BYTES) - transfer.moved;
    transfer.moved += block;
    transfer.remaining -= block;
    const chunkDone = transfer.moved * SECTOR_BYTES >= this.buffer.length;
    if (transfer.kind === 'write') return chunkDone ? this.submitTransfer() : this.pause();
    if (transfer.remaining === 0) {
      transfer.lba += transfer.moved;
      return this.transferDone(transfer);
    }
    if (!chunkDone) return this.pause();
    transfer.lba += transfer.moved;
    this.continueTransfer(false);
  }

  protected pauseOver(): void {
    this.presentBlock(true);
  }

  protected dmaStarted(): void {
    const transfer = this.transfer;
    const busMaster = this.host?.busMaster;
    if (transfer === undefined || busMaster === undefined) return;
    if (transfer.kind === 'read') return this.submitTransfer();
    const data = new Uint8Array(this.chunkSectors(transfer) * SECTOR_BYTES);
    if (busMaster.fromMemory(data) < data.length) return this.tableTooShort();
    this.buffer = data;
    transfer.moved = data.length / SECTOR_BYTES;
    transfer.remaining -= transfer.moved;
    this.submitTransfer();
  }

  /** The guest's descriptor table is shorter than its command: the drive gives up without an interrupt. */
  private tableTooShort(): void {
    this.host?.busMaster?.tableTooShort();
    this.abandon();
    this.status = READY;
  }

  /** Lets the host read, write, flush or discard what the transfer's present piece says; also used to start again after loading. */
  private submitTransfer(): void {
    const transfer = this.transfer;
    if (transfer === undefined) return;
    const offset = transfer.lba * SECTOR_BYTES;
    switch (transfer.kind) {
      case 'read': {
        const data = new Uint8Array(this.chunkSectors(transfer) * SECTOR_BYTES);
        this.buffer = data;
        return this.submit((device) => device.read(offset, data), data.length, () => this.chunkRead(transfer), () => this.mediumFailed(transfer));
      }
      case 'write': {
        const data = this.buffer;
        const flushAfter = transfer.flushAfter || !this.writeCache;
        const write = async (device: BlockDevice): Promise<void> => {
          await device.write(offset, data);
          if (flushAfter) await device.flush();
        };
        return this.submit(write, data.length, () => this.chunkWritten(transfer), () => this.mediumFailed(transfer));
      }
      case 'verify':
        // The host keeps its data whole; there is nothing to read for a verify.
        transfer.lba += transfer.remaining;
        transfer.remaining = 0;
        return this.transferDone(transfer);
      case 'flush':
        return this.submit((device) => device.flush(), 0, () => this.succeed(), () => this.fail(A.ERROR_ABRT));
      case 'trim': {
        const ranges = trimRanges(this.buffer, this.sectors);
        if (ranges === undefined) return this.fail(A.ERROR_IDNF);
        const discard = async (device: BlockDevice): Promise<void> => {
          for (const range of ranges) await device.discard(range.offset, range.length);
        };
        return this.submit(discard, 0, () => this.transferDone(transfer), () => this.fail(A.ERROR_ABRT));
      }
      case 'data':
        return;
    }
  }

  private chunkRead(transfer: AtaTransfer): void {
    if (!transfer.dma) return this.presentBlock(true);
    const busMaster = this.host?.busMaster;
    // The guest may have stopped the engine meanwhile; the drive then waits for the next start and reads again.
    if (busMaster?.active !== true) return this.waitForDma(READY | A.STATUS_BSY);
    if (busMaster.toMemory(this.buffer) < this.buffer.length) return this.tableTooShort();
    const sectors = this.buffer.length / SECTOR_BYTES;
    transfer.lba += sectors;
    transfer.remaining -= sectors;
    this.continueTransfer(false);
  }

  private chunkWritten(transfer: AtaTransfer): void {
    transfer.lba += transfer.moved;
    this.continueTransfer(false);
  }

  private mediumFailed(transfer: AtaTransfer): void {
    this.addressing.show(transfer.lba, transfer.wide);
    if (transfer.dma) this.host?.busMaster?.transferDone();
    this.fail(transfer.kind === 'read' ? A.ERROR_UNC : A.ERROR_ABRT);
  }

  // --- state -----------------------------------------------------------------------------------------------------

  save(): AtaDiskState {
    return {
      kind: 'disk',
      base: this.saveBase(),
      transfer: this.transfer === undefined ? null : { ...this.transfer },
      heads: this.addressing.heads,
      sectorsPerTrack: this.addressing.sectorsPerTrack,
      multipleSectors: this.multipleSectors,
      writeCache: this.writeCache,
      lookAhead: this.lookAhead,
      smart: this.smart,
      dmaMode: this.dmaMode,
    };
  }

  /** What the schema cannot check. @returns the reason why the state cannot be, or undefined */
  checkState(saved: AtaDiskState): string | undefined {
    const { base, transfer } = saved;
    if (!driveBaseFits(base)) return 'data port does not fit';
    if ((base.phase === 'idle') !== (transfer === null)) return 'phase and transfer do not fit';
    return transfer === null ? undefined : checkTransfer(base, transfer, this.sectors);
  }

  /** Takes over a checked state; `restart` goes on with work that was under way, once everything is loaded. */
  load(saved: AtaDiskState): void {
    this.loadBase(saved.base);
    this.transfer = saved.transfer === null ? undefined : { ...saved.transfer };
    this.addressing.translate(saved.heads, saved.sectorsPerTrack);
    this.multipleSectors = saved.multipleSectors;
    this.writeCache = saved.writeCache;
    this.lookAhead = saved.lookAhead;
    this.smart = saved.smart;
    this.dmaMode = saved.dmaMode;
  }

  restart(): void {
    if (this.phase === 'medium') this.submitTransfer();
  }
}
