// What hard disks and packet devices on an IDE channel share: status, the data port, waiting for the bus master, work on
// the medium behind a generation fence, and the pause between two blocks of data.

import { z } from 'zod';
import type { Clock, Timer } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { BlockDevice } from '../../block/block-device.ts';
import type { IoHandle, IoScheduler } from '../../bus/io-scheduler.ts';
import { bytesUpTo, deadlineNs, u8 } from '../platform/state-fields.ts';
import * as A from './ata-registers.ts';
import type { BusMaster } from './bus-master.ts';
import type { MediumQueue } from './medium-queue.ts';
import { TaskFile, taskFileSchema } from './task-file.ts';

/** Most bytes of one request to the medium. */
export const MAX_CHUNK_BYTES = 256 * 1024;
/** Virtual time of a request to the medium, and of each KiB of it. */
const REQUEST_LATENCY_NS = 60_000;
const KIB_LATENCY_NS = 2_000;
/** Drives are busy for a moment between two blocks: drivers expect the next interrupt after they have left the handler. */
const BLOCK_PAUSE_NS = 4_000;

/**
 * idle: no command. pio-in, pio-out: the guest moves the buffer through the data port. dma: waits for the bus master.
 * medium: the host works. pause: busy between two blocks.
 */
export const drivePhaseSchema = z.enum(['idle', 'pio-in', 'pio-out', 'dma', 'medium', 'pause']);
export type DrivePhase = z.infer<typeof drivePhaseSchema>;

export const driveBaseSchema = z.strictObject({
  taskFile: taskFileSchema,
  status: u8,
  phase: drivePhaseSchema,
  interruptPending: z.boolean(),
  buffer: bytesUpTo(MAX_CHUNK_BYTES),
  position: z.int().min(0).max(MAX_CHUNK_BYTES),
  end: z.int().min(0).max(MAX_CHUNK_BYTES),
  pauseDeadline: deadlineNs,
});
export type DriveBaseState = z.infer<typeof driveBaseSchema>;

/** Checks the invariants that the data port relies on. */
export function driveBaseFits(base: DriveBaseState): boolean {
  if (base.position > base.end || base.end > base.buffer.length) return false;
  const moving = base.phase === 'pio-in' || base.phase === 'pio-out';
  if (moving && (base.position >= base.end || base.end % 2 !== 0 || base.position % 2 !== 0)) return false;
  return (base.phase === 'pause') === (base.pauseDeadline !== null);
}

/** What a drive gets when it is built. */
export interface DriveOptions {
  readonly id: string;
  readonly clock: Clock;
  readonly io: IoScheduler;
  readonly log: Logger;
}

/** What a drive sees of the channel that it is attached to. */
export interface DriveHost {
  /** The drive's interrupt changed. */
  interruptChanged(): void;
  readonly interruptsDisabled: boolean;
  readonly busMaster: BusMaster | undefined;
}

const EMPTY = new Uint8Array(0);

export abstract class IdeDrive {
  readonly taskFile = new TaskFile();
  protected status = 0;
  protected phase: DrivePhase = 'idle';
  /** Data on its way between the guest and the drive. A request to the medium owns the array until it is done. */
  protected buffer: Uint8Array = EMPTY;
  protected position = 0;
  protected end = 0;
  protected host: DriveHost | undefined;
  protected readonly log: Logger;
  private readonly clock: Clock;
  private readonly io: IoScheduler;
  private readonly pauseTimer: Timer;
  private interrupt = false;
  private request: IoHandle | undefined;
  private generation = 0;

  constructor(options: DriveOptions) {
    this.clock = options.clock;
    this.io = options.io;
    this.log = options.log;
    this.pauseTimer = options.clock.createTimer(`${options.id} block`, () => {
      if (this.phase === 'pause') this.pauseOver();
    });
  }

  /** Whether this is a packet device: decides the signature. */
  abstract readonly isPacketDevice: boolean;
  protected abstract readonly queue: MediumQueue | undefined;
  protected abstract execute(command: number): void;
  /** The guest has read or written the buffer up to `end`. */
  protected abstract dataMoved(): void;
  /** The pause before the next block is over. */
  protected abstract pauseOver(): void;
  /** The bus master is active while the drive waits for it. */
  protected abstract dmaStarted(): void;

  attach(host: DriveHost): void {
    this.host = host;
  }

  // --- the channel's side ----------------------------------------------------------------------------------------

  get interruptPending(): boolean {
    return this.interrupt;
  }

  readStatus(): number {
    return this.status;
  }

  get busy(): boolean {
    return (this.status & (A.STATUS_BSY | A.STATUS_DRQ)) !== 0;
  }

  clearInterrupt(): void {
    if (!this.interrupt) return;
    this.interrupt = false;
    this.host?.interruptChanged();
  }

  writeCommand(command: number): void {
    if (this.busy && !(command === A.CMD_DEVICE_RESET && this.isPacketDevice)) return;
    this.clearInterrupt();
    this.execute(command);
  }

  /** The data port, 16 or 32 bits; out of turn it reads all ones. */
  readData(wide: boolean): number {
    const { buffer, position } = this;
    if (this.phase !== 'pio-in') return wide ? 0xffffffff : 0xffff;
    let value = (buffer[position] as number) | ((buffer[position + 1] as number) << 8);
    let next = position + 2;
    if (wide && next < this.end) {
      value = (value | ((buffer[position + 2] as number) << 16) | ((buffer[position + 3] as number) << 24)) >>> 0;
      next = position + 4;
    }
    this.position = next;
    if (next >= this.end) this.dataMoved();
    return value;
  }

  writeData(value: number, wide: boolean): void {
    const { buffer, position } = this;
    if (this.phase !== 'pio-out') return;
    buffer[position] = value;
    buffer[position + 1] = value >>> 8;
    let next = position + 2;
    if (wide && next < this.end) {
      buffer[position + 2] = value >>> 16;
      buffer[position + 3] = value >>> 24;
      next = position + 4;
    }
    this.position = next;
    if (next >= this.end) this.dataMoved();
  }

  busMasterStarted(): void {
    if (this.phase === 'dma') this.dmaStarted();
  }

  /** Software reset asserted: everything under way is abandoned. */
  beginReset(): void {
    this.abandon();
    this.clearInterrupt();
    this.status = A.STATUS_BSY;
  }

  /** Software reset released, or diagnostics: the signature shows. */
  endReset(): void {
    this.abandon();
    this.taskFile.setSignature(this.isPacketDevice);
    this.taskFile.error = A.DIAGNOSTIC_PASSED;
    this.status = this.isPacketDevice ? 0 : A.STATUS_DRDY | A.STATUS_DSC;
  }

  /** Device 0 tells the end of diagnostics for both drives. */
  diagnosticDone(): void {
    this.raiseInterrupt();
  }

  /** Power-on and RESET#: also settings go back. */
  hardReset(): void {
    this.clearInterrupt();
    this.taskFile.load(new TaskFile().save());
    this.endReset();
  }

  dispose(): void {
    this.abandon();
  }

  // --- for the drives --------------------------------------------------------------------------------------------

  protected raiseInterrupt(): void {
    this.interrupt = true;
    this.host?.interruptChanged();
  }

  /** Drops the command under way. Work of the host may still end; its completion finds another generation. */
  protected abandon(): void {
    this.generation++;
    this.request?.cancel();
    this.request = undefined;
    this.pauseTimer.disarm();
    this.phase = 'idle';
    this.buffer = EMPTY;
    this.position = 0;
    this.end = 0;
  }

  /** Offers buffer bytes `start`..`end` at the data port. */
  protected startDataIn(start: number, end: number): void {
    this.position = start;
    this.end = end;
    this.phase = 'pio-in';
  }

  /** Takes buffer bytes `start`..`end` from the data port. */
  protected startDataOut(start: number, end: number): void {
    this.position = start;
    this.end = end;
    this.phase = 'pio-out';
  }

  /** Busy for a moment, then `pauseOver`. Guests that poll are not kept waiting. */
  protected pause(): void {
    this.phase = 'pause';
    this.status = A.STATUS_BSY;
    if (this.host?.interruptsDisabled === true) this.pauseOver();
    else this.pauseTimer.arm(this.clock.nowNs() + BLOCK_PAUSE_NS);
  }

  /** Waits for the bus master, or goes on at once when the guest has started it already. */
  protected waitForDma(status: number): void {
    this.phase = 'dma';
    this.status = status;
    if (this.host?.busMaster?.active === true) this.dmaStarted();
  }

  /** Lets the host work on the medium; `done` or `failed` is called unless the command was abandoned meanwhile. */
  protected submit(operation: (device: BlockDevice) => Promise<void>, lengthBytes: number, done: () => void, failed: (error: unknown) => void): void {
    const queue = this.queue;
    this.phase = 'medium';
    this.status = A.STATUS_BSY;
    const generation = ++this.generation;
    const isAbandoned = (): boolean => this.generation !== generation;
    this.request = this.io.submit(
      () => (queue === undefined ? Promise.reject(new Error('no medium')) : queue.run(operation, isAbandoned)),
      () => {
        if (isAbandoned()) return;
        this.request = undefined;
        done();
      },
      (error) => {
        if (isAbandoned()) return;
        this.request = undefined;
        this.log.log('warn', 'medium error', { error: String(error) });
        failed(error);
      },
      REQUEST_LATENCY_NS + Math.ceil(lengthBytes / 1024) * KIB_LATENCY_NS,
    );
  }

  protected saveBase(): DriveBaseState {
    return {
      taskFile: this.taskFile.save(),
      status: this.status,
      phase: this.phase,
      interruptPending: this.interrupt,
      buffer: this.buffer.slice(),
      position: this.position,
      end: this.end,
      pauseDeadline: this.pauseTimer.deadlineNs ?? null,
    };
  }

  protected loadBase(saved: DriveBaseState): void {
    this.abandon();
    this.taskFile.load(saved.taskFile);
    this.status = saved.status;
    this.phase = saved.phase;
    this.interrupt = saved.interruptPending;
    this.buffer = saved.buffer.slice();
    this.position = saved.position;
    this.end = saved.end;
    if (saved.pauseDeadline !== null) this.pauseTimer.arm(saved.pauseDeadline);
  }
}
