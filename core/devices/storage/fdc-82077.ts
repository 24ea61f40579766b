// Intel 82077AA floppy controller in PC/AT mode with up to two drives: all commands but the scans, DMA and programmed
// transfers, disk change, write protection. Seeks take 100 us and data as long as the host needs: no rotation is waited for.
// Not emulated: deleted data marks on the medium (a "deleted" write is a plain one), CRC errors, FIFO overruns, tape, PS/2 mode.

import type { Clock, Timer } from '../../base/clock.ts';
import { NestboxError } from '../../base/errors.ts';
import { type Logger, nullLogger } from '../../base/logger.ts';
import type { BlockDevice } from '../../block/block-device.ts';
import type { IoScheduler } from '../../bus/io-scheduler.ts';
import type { IrqLine } from '../../bus/irq.ts';
import type { AccessSize, PortDevice } from '../../bus/port-bus.ts';
import type { Device, DeviceState, ResetKind } from '../device.ts';
import type { DmaChannel } from '../platform/dma-channel.ts';
import { parseState } from '../state.ts';
import * as C from './fdc-commands.ts';
import { FdcExecutor } from './fdc-executor.ts';
import { FDC_STATE_VERSION, type FdcState, fdcStateSchema } from './fdc-state.ts';
import { FloppyDrive } from './floppy-drive.ts';

export interface Fdc82077Options {
  readonly id?: string | undefined;
  readonly clock: Clock;
  readonly irq: IrqLine;
  /** Channel 2 of the 8237. */
  readonly dma: DmaChannel;
  readonly io: IoScheduler;
  readonly log?: Logger | undefined;
  /** Drives that are connected, 0 to 2; default 2. */
  readonly driveCount?: number | undefined;
}

/** Ports at 3F0-3F5 and 3F7; 3F6 belongs to the IDE controller. */
export interface FdcPortRange {
  readonly base: number;
  readonly count: number;
  readonly maxSize: AccessSize;
  readonly device: PortDevice;
}

/** Register offsets from 3F0. */
const DOR = 2;
const TDR = 3;
const MSR_DSR = 4;
const FIFO = 5;
const DIR_CCR = 7;

const DOR_NOT_RESET = 0x04;
const DOR_DMA_GATE = 0x08;
const MSR_RQM = 0x80;
const MSR_DIO = 0x40;
const MSR_NON_DMA = 0x20;
const MSR_COMMAND_BUSY = 0x10;
const DSR_SOFTWARE_RESET = 0x80;
const DIR_DISK_CHANGE = 0x80;

const RESET_NS = 100_000;

type Phase = 'idle' | 'command' | 'execute' | 'result';

export class Fdc82077 implements Device {
  readonly id: string;
  private readonly clock: Clock;
  private readonly irq: IrqLine;
  private readonly log: Logger;
  private readonly drives: readonly FloppyDrive[];
  private readonly resetTimer: Timer;
  private readonly executor: FdcExecutor;

  private dor = 0;
  private tdr = 0;
  private rate = 2;
  private rateChosen = false;
  private phase: Phase = 'idle';
  private commandLength = 0;
  private commandExpected = 0;
  private result: Uint8Array = new Uint8Array(0);
  private resultPosition = 0;
  private interrupt = false;

  constructor(options: Fdc82077Options) {
    this.id = options.id ?? 'fdc';
    this.clock = options.clock;
    this.irq = options.irq;
    this.log = (options.log ?? nullLogger).child(this.id);
    const driveCount = options.driveCount ?? 2;
    this.drives = [new FloppyDrive(driveCount > 0), new FloppyDrive(driveCount > 1), new FloppyDrive(false), new FloppyDrive(false)];
    this.executor = new FdcExecutor({
      id: this.id,
      clock: options.clock,
      drives: this.drives,
      dma: options.dma,
      io: options.io,
      log: this.log,
      port: {
        idle: () => (this.phase = 'idle'),
        executing: () => (this.phase = 'execute'),
        result: (bytes) => this.showResult(bytes),
        setInterrupt: (level) => this.setInterrupt(level),
        rate: () => (this.rateChosen ? this.rate : undefined),
      },
    });
    this.resetTimer = options.clock.createTimer(`${this.id} reset`, () => this.executor.seeks.reportReadyChange());
  }

  // --- media -----------------------------------------------------------------------------------------------------

  /**
   * Puts a disk into drive 0 or 1, ejecting the one that is there.
   * @throws NestboxError kind `bad-input` when the image is larger than a floppy, `usage` for a drive that does not exist
   */
  insert(drive: number, device: BlockDevice): void {
    const target = this.drives[drive];
    if (target === undefined || !target.present) throw new NestboxError('usage', `There is no floppy drive ${drive}`, { op: 'insert floppy' });
    if (target.queue !== undefined) void this.eject(drive);
    if (target.insert(device)) return;
    throw new NestboxError('bad-input', `A floppy disk holds 2880 KiB at most, the image has ${device.sizeBytes} bytes`, { op: 'insert floppy' });
  }

  /** Takes the disk out; resolves with it when the host no longer works on it, so that the caller may close it. */
  async eject(drive: number): Promise<BlockDevice | undefined> {
    const target = this.drives[drive];
    const queue = target?.eject();
    if (this.executor.data.current?.drive === drive) this.executor.data.mediumGone();
    await queue?.idle();
    return queue?.device;
  }

  medium(drive: number): BlockDevice | undefined {
    return this.drives[drive]?.queue?.device;
  }

  // --- ports -----------------------------------------------------------------------------------------------------

  ports(): readonly FdcPortRange[] {
    const range = (base: number, count: number): FdcPortRange => ({
      base,
      count,
      maxSize: 1,
      device: {
        readPort: (offset) => this.readRegister(base - 0x3f0 + offset),
        writePort: (offset, _size, value) => this.writeRegister(base - 0x3f0 + offset, value),
      },
    });
    return [range(0x3f0, 6), range(0x3f7, 1)];
  }

  private readRegister(register: number): number {
    switch (register) {
      case DOR: return this.dor;
      case TDR: return this.tdr;
      case MSR_DSR: return this.mainStatus();
      case FIFO: return this.readFifo();
      case DIR_CCR: return this.drives[this.dor & 3]?.diskChanged === true && this.drives[this.dor & 3]?.present === true ? DIR_DISK_CHANGE : 0;
      default: return 0xff;
    }
  }

  private writeRegister(register: number, value: number): void {
    switch (register) {
      case DOR: return this.writeDor(value);
      case TDR: this.tdr = value & 3; return;
      case MSR_DSR:
        this.setRate(value & 3);
        if (value & DSR_SOFTWARE_RESET && this.dor & DOR_NOT_RESET) {
          this.controllerReset();
          this.resetTimer.arm(this.clock.nowNs() + RESET_NS);
        }
        return;
      case FIFO: return this.writeFifo(value);
      case DIR_CCR: return this.setRate(value & 3);
      default: return;
    }
  }

  private setRate(rate: number): void {
    this.rate = rate;
    this.rateChosen = true;
  }

  private writeDor(value: number): void {
    const wasRunning = (this.dor & DOR_NOT_RESET) !== 0;
    this.dor = value;
    const runs = (value & DOR_NOT_RESET) !== 0;
    if (!runs) this.controllerReset();
    else if (!wasRunning) this.resetTimer.arm(this.clock.nowNs() + RESET_NS);
    this.driveIrq();
  }

  private mainStatus(): number {
    if ((this.dor & DOR_NOT_RESET) === 0 || this.resetTimer.deadlineNs !== undefined) return 0;
    let status = this.executor.seeks.busyBits;
    switch (this.phase) {
      case 'idle': return status | MSR_RQM;
      case 'command': return status | MSR_RQM | MSR_COMMAND_BUSY;
      case 'result': return status | MSR_RQM | MSR_DIO | MSR_COMMAND_BUSY;
      case 'execute': {
        status |= MSR_COMMAND_BUSY;
        const { current, fifo, nonDma } = this.executor.data;
        if (nonDma && current !== undefined && current.kind !== 'verify') status |= MSR_NON_DMA;
        if (fifo === undefined) return status;
        return status | MSR_RQM | (fifo === 'read' ? MSR_DIO : 0);
      }
    }
  }

  private readFifo(): number {
    if (this.phase === 'result') {
      this.setInterrupt(false);
      const value = this.result[this.resultPosition++] ?? 0;
      if (this.resultPosition >= this.result.length) this.phase = 'idle';
      return value;
    }
    return this.phase === 'execute' ? this.executor.data.readByte() : 0;
  }

  private writeFifo(value: number): void {
    if ((this.dor & DOR_NOT_RESET) === 0 || this.resetTimer.deadlineNs !== undefined) return;
    // Anything the guest writes in other phases is lost; the command buffer never takes more than a command is long.
    if (this.phase === 'idle') this.startCommand(value);
    else if (this.phase === 'execute') this.executor.data.writeByte(value);
    else if (this.phase === 'command') {
      this.executor.command[this.commandLength++] = value;
      if (this.commandLength >= this.commandExpected) this.executor.execute();
    }
  }

  private startCommand(value: number): void {
    this.executor.command.fill(0);
    this.executor.command[0] = value;
    this.commandLength = 1;
    const parameters = parameterCountOrLog(value, this.log);
    if (parameters === undefined) return this.showResult([C.ST0_INVALID]);
    this.commandExpected = 1 + parameters;
    this.phase = 'command';
    if (this.commandLength >= this.commandExpected) this.executor.execute();
  }

  private showResult(bytes: readonly number[]): void {
    this.result = Uint8Array.from(bytes);
    this.resultPosition = 0;
    this.phase = 'result';
  }

  // --- interrupt and reset ---------------------------------------------------------------------------------------

  private setInterrupt(level: boolean): void {
    this.interrupt = level;
    this.driveIrq();
  }

  private driveIrq(): void {
    this.irq.set(this.interrupt && (this.dor & DOR_DMA_GATE) !== 0);
  }

  /** What both reset bits and the RESET pin do to the controller; head positions and media stay. */
  private controllerReset(): void {
    this.executor.controllerReset();
    this.resetTimer.disarm();
    this.phase = 'idle';
    this.commandLength = 0;
    this.commandExpected = 0;
    this.result = new Uint8Array(0);
    this.resultPosition = 0;
    this.setInterrupt(false);
  }

  reset(_kind: ResetKind): void {
    this.executor.reset();
    this.dor = 0;
    this.controllerReset();
    this.tdr = 0;
    this.rate = 2;
    this.rateChosen = false;
    for (const drive of this.drives) {
      drive.cylinder = 0;
      drive.rotation = 1;
      drive.diskChanged = true;
    }
  }

  // --- state -----------------------------------------------------------------------------------------------------

  save(): DeviceState {
    const fields: FdcState = {
      dor: this.dor,
      tdr: this.tdr,
      rate: this.rate,
      rateChosen: this.rateChosen,
      phase: this.phase,
      command: this.executor.command.slice(),
      commandLength: this.commandLength,
      commandExpected: this.commandExpected,
      result: this.result.slice(),
      resultPosition: this.resultPosition,
      ...this.executor.save(),
      interrupt: this.interrupt,
      resetDeadline: this.resetTimer.deadlineNs ?? null,
      drives: this.drives.map((drive) => ({ cylinder: drive.cylinder, diskChanged: drive.diskChanged, rotation: drive.rotation })),
    };
    return { version: FDC_STATE_VERSION, fields };
  }

  load(state: DeviceState): void {
    const saved = parseState(this.id, state, FDC_STATE_VERSION, fdcStateSchema);
    this.controllerReset();
    this.dor = saved.dor;
    this.tdr = saved.tdr;
    this.rate = saved.rate;
    this.rateChosen = saved.rateChosen;
    this.phase = saved.phase;
    this.executor.command.set(saved.command);
    this.commandLength = saved.commandLength;
    this.commandExpected = saved.commandExpected;
    this.result = saved.result.slice();
    this.resultPosition = saved.resultPosition;
    this.executor.load(saved);
    saved.drives.forEach((drive, index) => Object.assign(this.drives[index] ?? {}, drive));
    if (saved.resetDeadline !== null) this.resetTimer.arm(saved.resetDeadline);
    this.setInterrupt(saved.interrupt);
    this.executor.resume(saved.transfer);
  }

  dispose(): void {
    this.controllerReset();
    this.executor.data.dispose();
  }
}

function parameterCountOrLog(command: number, log: Logger): number | undefined {
  const count = C.parameterCount(command);
  if (count === undefined && log.enabled('debug')) log.log('debug', 'invalid command', { command });
  return count;
}
