// The execution phase of the floppy controller's data commands: bytes between the DMA channel or the FIFO and a buffer, and
// between the buffer and the medium. A request belongs to a generation; completions of an older one are dropped.

import type { Disposable } from '../../base/disposable.ts';
import { NestboxError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { BlockDevice } from '../../block/block-device.ts';
import type { IoHandle, IoScheduler } from '../../bus/io-scheduler.ts';
import type { DmaChannel } from '../platform/dma-channel.ts';
import * as C from './fdc-commands.ts';
import { mediumRuns, type TransferState } from './fdc-transfer.ts';
import { type FloppyDrive, SECTOR_BYTES } from './floppy-drive.ts';

/** Virtual time of a request to the medium, and of each of its sectors. */
const REQUEST_NS = 50_000;
const SECTOR_NS = 20_000;

export interface FdcDataPhaseOptions {
  readonly dma: DmaChannel;
  readonly io: IoScheduler;
  readonly log: Logger;
  readonly drives: readonly FloppyDrive[];
  /** Drives the controller's interrupt. */
  readonly setInterrupt: (level: boolean) => void;
  /** The command is over; the transfer tells how far it came. */
  readonly finished: (transfer: TransferState, status0: number, status1: number, status2: number) => void;
}

export class FdcDataPhase {
  /** Bytes go through the FIFO instead of the DMA channel. */
  nonDma = false;
  /** Bytes from one interrupt to the next without DMA. */
  threshold = 1;
  private readonly options: FdcDataPhaseOptions;
  private readonly dmaReady: Disposable;
  private transfer: TransferState | undefined;
  private pending: IoHandle | undefined;
  private generation = 0;

  constructor(options: FdcDataPhaseOptions) {
    this.options = options;
    this.dmaReady = options.dma.onReady(() => this.moveByDma());
  }

  get current(): TransferState | undefined {
    return this.transfer;
  }

  /** The direction in which the FIFO takes part now, if it does. */
  get fifo(): 'read' | 'write' | undefined {
    const { transfer } = this;
    if (!this.nonDma || transfer === undefined || transfer.stage !== 'wait' || transfer.kind === 'verify') return undefined;
    return transfer.kind === 'read' ? 'read' : 'write';
  }

  begin(transfer: TransferState): void {
    this.transfer = transfer;
    if (transfer.stage === 'medium') this.submit(transfer);
    else this.dataPhase();
  }

  /** Drops what is under way. */
  abandon(): void {
    this.generation++;
    this.pending?.cancel();
    this.pending = undefined;
    this.transfer = undefined;
  }

  /** Ends the transfer under way because its disk is gone. */
  mediumGone(): void {
    const { transfer } = this;
    if (transfer === undefined) return;
    this.abandon();
    this.transfer = transfer;
    this.finish(C.ST0_ABNORMAL, C.ST1_MISSING_ADDRESS, 0);
  }

  /** Takes a loaded transfer; work on the medium starts again with the same sectors and bytes. */
  restore(transfer: TransferState): void {
    this.transfer = transfer;
    if (transfer.stage === 'medium') this.submit(transfer);
  }

  readByte(): number {
    const { transfer } = this;
    if (transfer === undefined || this.fifo !== 'read') return 0;
    const value = transfer.buffer[transfer.position++] ?? 0;
    this.byteMoved(transfer);
    return value;
  }

  writeByte(value: number): void {
    const { transfer } = this;
    if (transfer === undefined || this.fifo !== 'write') return;
    transfer.buffer[transfer.position++] = value;
    this.byteMoved(transfer);
  }

  private byteMoved(transfer: TransferState): void {
    this.options.setInterrupt(false);
    if (transfer.position >= transfer.buffer.length) return this.dataMoved(transfer);
    if (transfer.position % this.threshold === 0) this.options.setInterrupt(true);
  }

  /** Data may move: by DMA now, or byte by byte when the guest reads or writes the FIFO. */
  private dataPhase(): void {
    if (this.nonDma) this.options.setInterrupt(true);
    else this.moveByDma();
  }

  /** Called at the start of the data phase and whenever the DMA channel becomes ready. */
  private moveByDma(): void {
    const { transfer } = this;
    if (this.nonDma || transfer === undefined || transfer.stage !== 'wait') return;
    const { dma } = this.options;
    while (transfer.position < transfer.buffer.length) {
      const rest = transfer.buffer.subarray(transfer.position);
      const moved = transfer.kind === 'read' ? dma.write(rest) : dma.read(rest);
      transfer.position += Math.min(Math.max(moved.bytes, 0), rest.length);
      if (moved.terminalCount) {
        transfer.terminalCount = true;
        break;
      }
      // The channel is masked: it calls back when the guest lets it go on.
      if (moved.bytes <= 0) return;
    }
    this.dataMoved(transfer);
  }

  /** All bytes are on their side: a read is over, a write goes to the medium. */
  private dataMoved(transfer: TransferState): void {
    if (transfer.kind === 'read') {
      const ended = transfer.terminalCount || transfer.controlMark;
      return this.finish(
        ended ? 0 : C.ST0_ABNORMAL, ended ? 0 : transfer.endStatus1, transfer.controlMark ? C.ST2_CONTROL_MARK : 0,
      );
    }
    transfer.stage = 'medium';
    this.submit(transfer);
  }

  private submit(transfer: TransferState): void {
    const drive = this.options.drives[transfer.drive];
    const geometry = drive?.geometry;
    const queue = drive?.queue;
    if (drive === undefined || geometry === undefined || queue === undefined) {
      return this.finish(C.ST0_ABNORMAL, C.ST1_MISSING_ADDRESS, 0);
    }
    const generation = this.generation;
    // The host works on copies: after a reset the guest's next command must not change what an old write stores.
    const data = mediumData(transfer);
    const runs = mediumRuns(transfer, geometry, drive.cylinder, data.length);
    const writes = transfer.kind === 'write' || transfer.kind === 'format';
    const work = async (device: BlockDevice): Promise<void> => {
      for (const run of runs) {
        const part = data.subarray(run.bufferOffset, run.bufferOffset + run.lengthBytes);
        if (writes) await writeInside(device, run.mediumOffset, part);
        else await readPadded(device, run.mediumOffset, part);
      }
    };
    this.pending = this.options.io.submit(
      () => queue.run(work, () => this.generation !== generation),
      () => {
        if (this.generation === generation) this.mediumDone(transfer, data);
      },
      (error) => {
        if (this.generation !== generation) return;
        this.options.log.log('warn', 'medium error', { error: String(error) });
        this.finish(C.ST0_ABNORMAL, C.ST1_DATA_ERROR, C.ST2_DATA_ERROR);
      },
      REQUEST_NS + Math.ceil(data.length / SECTOR_BYTES) * SECTOR_NS,
    );
  }

  private mediumDone(transfer: TransferState, data: Uint8Array): void {
    this.pending = undefined;
    switch (transfer.kind) {
      case 'read':
        transfer.buffer = data;
        transfer.stage = 'wait';
        return this.dataPhase();
      case 'verify': {
        // A verify ends well when all its sectors were found.
        transfer.position = transfer.buffer.length;
        const missing = transfer.endStatus1 === C.ST1_NO_DATA;
        return this.finish(missing ? C.ST0_ABNORMAL : 0, missing ? C.ST1_NO_DATA : 0, 0);
      }
      case 'format':
        return this.finish(0, 0, 0);
      case 'write': {
        const ended = transfer.terminalCount;
        return this.finish(ended ? 0 : C.ST0_ABNORMAL, ended ? 0 : transfer.endStatus1, 0);
      }
    }
  }

  private finish(status0: number, status1: number, status2: number): void {
    const { transfer } = this;
    if (transfer === undefined) return;
    this.transfer = undefined;
    this.pending = undefined;
    this.options.finished(transfer, status0, status1, status2);
  }

  dispose(): void {
    this.abandon();
    this.dmaReady.dispose();
  }
}

/** A private copy of the bytes that go to or come from the medium; a written last sector is filled up with zeroes. */
function mediumData(transfer: TransferState): Uint8Array {
  switch (transfer.kind) {
    case 'format':
      return new Uint8Array(transfer.firstCount * SECTOR_BYTES).fill(transfer.fill);
    case 'write': {
      const data = new Uint8Array(Math.ceil(transfer.position / SECTOR_BYTES) * SECTOR_BYTES);
      data.set(transfer.buffer.subarray(0, transfer.position));
      return data;
    }
    default:
      return new Uint8Array(transfer.buffer.length);
  }
}

/** Reads sectors of which the last may lie beyond the image: a short image is padded with zeroes. */
async function readPadded(device: BlockDevice, offset: number, target: Uint8Array): Promise<void> {
  const available = Math.min(Math.max(device.sizeBytes - offset, 0), target.length);
  if (available > 0) await device.read(offset, target.subarray(0, available));
  target.fill(0, available);
}

/** Sectors that the geometry has but a short image has not can be read as zeroes, but not written. */
async function writeInside(device: BlockDevice, offset: number, source: Uint8Array): Promise<void> {
  if (offset + source.length > device.sizeBytes) throw new NestboxError('io', 'The image ends before this sector', { op: 'write floppy' });
  await device.write(offset, source);
}
