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
import { FdcDataPhase } from './fdc-data-phase.ts';
import { FdcSeeks } from './fdc-seeks.ts';
import { FDC_STATE_VERSION, type FdcState, fdcStateSchema } from './fdc-state.ts';
import { findFault, planSectors, resultId, type SectorAddress, type TransferState } from './fdc-transfer.ts';
import { FloppyDrive, SECTOR_BYTES } from './floppy-drive.ts';

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
const VERSION_82077 = 0x90;
/** Stepping of the part, as the register-compatible 82078 tells it. */
const PART_ID = 0x41;
const CONFIGURE_IMPLIED_SEEK = 0x40;
const CONFIGURE_DISABLE_FIFO = 0x20;

const RESET_NS = 100_000;
const COMMAND_NS = 50_000;

type Phase = 'idle' | 'command' | 'execute' | 'result';

export class Fdc82077 implements Device {
  readonly id: string;
  private readonly clock: Clock;
  private readonly irq: IrqLine;
  private readonly log: Logger;
  private readonly drives: readonly FloppyDrive[];
  private readonly seeks: FdcSeeks;
  private readonly resetTimer: Timer;
  /** Ends the execution of commands that fail at once. */
  private readonly executeTimer: Timer;
  private readonly data: FdcDataPhase;

  private dor = 0;
  private tdr = 0;
  private rate = 2;
  /** Before the guest has chosen a data rate every medium is readable, as after a firmware that has chosen it. */
  private rateChosen = false;
  private phase: Phase = 'idle';
  private readonly command = new Uint8Array(9);
  private commandLength = 0;
  private commandExpected = 0;
  private result: Uint8Array = new Uint8Array(0);
  private resultPosition = 0;
  private pendingFault: { status0: number; status1: number; status2: number } | undefined;

  private specifyStep = 0;
  private specifyHeadLoad = 0;
  private configure = CONFIGURE_DISABLE_FIFO;
  private precompensationTrack = 0;
  private locked = false;
  private perpendicular = 0;
  private interrupt = false;

  constructor(options: Fdc82077Options) {
    this.id = options.id ?? 'fdc';
    this.clock = options.clock;
    this.irq = options.irq;
    this.log = (options.log ?? nullLogger).child(this.id);
    const driveCount = options.driveCount ?? 2;
    this.drives = [new FloppyDrive(driveCount > 0), new FloppyDrive(driveCount > 1), new FloppyDrive(false), new FloppyDrive(false)];
    this.seeks = new FdcSeeks(this.id, options.clock, this.drives, (level) => this.setInterrupt(level));
    this.resetTimer = options.clock.createTimer(`${this.id} reset`, () => this.seeks.reportReadyChange());
    this.executeTimer = options.clock.createTimer(`${this.id} execute`, () => this.executionFailed());
    this.data = new FdcDataPhase({
      dma: options.dma,
      io: options.io,
      log: this.log,
      drives: this.drives,
      setInterrupt: (level) => this.setInterrupt(level),
      finished: (transfer, status0, status1, status2) => this.transferFinished(transfer, status0, status1, status2),
    });
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
    if (this.data.current?.drive === drive) this.data.mediumGone();
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
    let status = this.seeks.busyBits;
    switch (this.phase) {
      case 'idle': return status | MSR_RQM;
      case 'command': return status | MSR_RQM | MSR_COMMAND_BUSY;
      case 'result': return status | MSR_RQM | MSR_DIO | MSR_COMMAND_BUSY;
      case 'execute': {
        status |= MSR_COMMAND_BUSY;
        const { current, fifo, nonDma } = this.data;
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
    return this.phase === 'execute' ? this.data.readByte() : 0;
  }

  private writeFifo(value: number): void {
    if ((this.dor & DOR_NOT_RESET) === 0 || this.resetTimer.deadlineNs !== undefined) return;
    // Anything the guest writes in other phases is lost; the command buffer never takes more than a command is long.
    if (this.phase === 'idle') this.startCommand(value);
    else if (this.phase === 'execute') this.data.writeByte(value);
    else if (this.phase === 'command') {
      this.command[this.commandLength++] = value;
      if (this.commandLength >= this.commandExpected) this.execute();
    }
  }

  private startCommand(value: number): void {
    this.command.fill(0);
    this.command[0] = value;
    this.commandLength = 1;
    const parameters = parameterCountOrLog(value, this.log);
    if (parameters === undefined) return this.showResult([C.ST0_INVALID]);
    this.commandExpected = 1 + parameters;
    this.phase = 'command';
    if (this.commandLength >= this.commandExpected) this.execute();
  }

  // --- commands --------------------------------------------------------------------------------------------------

  private execute(): void {
    const [code = 0, first = 0, second = 0, third = 0] = this.command;
    const drive = first & 3;
    switch (code & 0x1f) {
      case C.CMD_SPECIFY:
        this.specifyStep = first;
        this.specifyHeadLoad = second;
        this.data.nonDma = (second & 1) !== 0;
        this.phase = 'idle';
        return;
      case C.CMD_CONFIGURE:
        this.configure = second & 0x7f;
        this.updateThreshold();
        this.precompensationTrack = third;
        this.phase = 'idle';
        return;
      case C.CMD_PERPENDICULAR:
        // Without the overwrite bit only the GAP and WGATE bits change.
        this.perpendicular = first & 0x80 ? first & 0x3f : (this.perpendicular & 0x3c) | (first & 3);
        this.phase = 'idle';
        return;
      case C.CMD_LOCK:
        this.locked = (code & C.MODIFIER_LOCK) !== 0;
        return this.showResult([this.locked ? 0x10 : 0]);
      case C.CMD_VERSION: return this.showResult([VERSION_82077]);
      case C.CMD_PART_ID: return this.showResult([PART_ID]);
      case C.CMD_DUMPREG: return this.dumpRegisters();
      case C.CMD_SENSE_INTERRUPT: return this.showResult(this.seeks.sense());
      case C.CMD_SENSE_DRIVE_STATUS: return this.senseDriveStatus(first);
      case C.CMD_RECALIBRATE:
        this.phase = 'idle';
        return this.seeks.start(drive, 0, 0, true);
      case C.CMD_SEEK:
        this.phase = 'idle';
        return this.seeks.start(drive, this.seekTarget(code, drive, second), first & 4, false);
      case C.CMD_READ_ID: return this.readId(first);
      case C.CMD_FORMAT_TRACK: return this.startFormat(first);
      case C.CMD_WRITE_DATA:
      case C.CMD_WRITE_DELETED: return this.startData('write', false);
      case C.CMD_VERIFY: return this.startData('verify', false);
      // Sectors on the medium never have deleted marks: reading deleted data stops at the first sector.
      case C.CMD_READ_DELETED: return this.startData('read', true);
      default: return this.startData('read', false);
    }
  }

  private dumpRegisters(): void {
    const lastSector = this.data.current?.lastSector ?? this.command[6] ?? 0;
    this.showResult([
      ...[0, 1, 2, 3].map((drive) => this.seeks.present(drive)), this.specifyStep, this.specifyHeadLoad, lastSector,
      (this.locked ? 0x80 : 0) | this.perpendicular, this.configure, this.precompensationTrack,
    ]);
  }

  private senseDriveStatus(parameter: number): void {
    const drive = this.drives[parameter & 3];
    let status = C.ST3_FIXED | (parameter & 7);
    if (drive?.present === true && drive.cylinder === 0) status |= C.ST3_TRACK_0;
    if (drive?.writeProtected === true) status |= C.ST3_WRITE_PROTECTED;
    this.showResult([status]);
  }

  private seekTarget(code: number, drive: number, parameter: number): number {
    if ((code & C.MODIFIER_RELATIVE) === 0) return parameter;
    const present = this.seeks.present(drive);
    return code & C.MODIFIER_DIRECTION_UP ? Math.min(present + parameter, 255) : Math.max(present - parameter, 0);
  }

  private readId(parameter: number): void {
    const drive = this.drives[parameter & 3];
    const head = (parameter >> 2) & 1;
    const geometry = drive?.geometry;
    this.phase = 'execute';
    if (drive === undefined || geometry === undefined || !this.rateMatches(drive) || head >= geometry.heads || drive.cylinder >= geometry.cylinders) {
      return this.failLater(C.ST1_MISSING_ADDRESS, 0);
    }
    // The ID that was found goes out through the ordinary result phase.
    this.command.set([drive.cylinder, head, drive.passingSector(), 2], 2);
    this.pendingFault = { status0: 0, status1: 0, status2: 0 };
    this.executeTimer.arm(this.clock.nowNs() + COMMAND_NS);
  }

  private rateMatches(drive: FloppyDrive): boolean {
    return !this.rateChosen || drive.geometry?.rates.includes(this.rate) === true;
  }

  private failLater(status1: number, status2: number): void {
    this.pendingFault = { status0: C.ST0_ABNORMAL, status1, status2 };
    this.executeTimer.arm(this.clock.nowNs() + COMMAND_NS);
  }

  /** Ends a command that moved no data: the sector ID in the result is the one of the command (or found by read ID). */
  private executionFailed(): void {
    const fault = this.pendingFault;
    if (fault === undefined) return;
    this.pendingFault = undefined;
    const [, select = 0, c = 0, h = 0, r = 0, n = 0] = this.command;
    this.showResult([fault.status0 | (select & 7), fault.status1, fault.status2, c, h, r, n]);
    this.setInterrupt(true);
  }

  private startFormat(parameter: number): void {
    const [, , sizeCode = 0, sectors = 0, , fill = 0] = this.command;
    const drive = this.drives[parameter & 3];
    const head = (parameter >> 2) & 1;
    const geometry = drive?.geometry;
    this.phase = 'execute';
    if (drive?.writeProtected === true) return this.failLater(C.ST1_NOT_WRITABLE, 0);
    if (drive === undefined || geometry === undefined || !this.rateMatches(drive) || head >= geometry.heads || drive.cylinder >= geometry.cylinders) {
      return this.failLater(C.ST1_MISSING_ADDRESS, 0);
    }
    if (sizeCode !== 2 || sectors === 0 || sectors > geometry.sectorsPerTrack) return this.failLater(C.ST1_NO_DATA, 0);
    this.data.begin({
      kind: 'format', drive: parameter & 3, head, cylinderId: drive.cylinder, headId: head, sectorId: 1, sizeCode, lastSector: sectors,
      multiTrack: false, controlMark: false, fill, firstCount: sectors, secondCount: 0, endStatus1: 0, stage: 'wait', position: 0,
      terminalCount: false, buffer: new Uint8Array(sectors * 4),
    });
  }

  private startData(kind: 'read' | 'write' | 'verify', controlMark: boolean): void {
    const [code = 0, select = 0, cylinderId = 0, headId = 0, firstSector = 0, sizeCode = 0, lastSector = 0] = this.command;
    const readTrack = (code & 0x1f) === C.CMD_READ_TRACK;
    const drive = this.drives[select & 3];
    const head = (select >> 2) & 1;
    const address: SectorAddress = { cylinderId, headId, sectorId: readTrack ? 1 : firstSector, sizeCode, lastSector };
    this.phase = 'execute';
    if (this.configure & CONFIGURE_IMPLIED_SEEK) this.seeks.moveAtOnce(select & 3, cylinderId);
    const fault = findFault(drive, head, address, drive !== undefined && this.rateMatches(drive));
    if (fault !== undefined) return this.failLater(fault.status1, fault.status2);
    if (kind === 'write' && drive?.writeProtected === true) return this.failLater(C.ST1_NOT_WRITABLE, 0);
    const geometry = drive?.geometry;
    if (geometry === undefined) return;
    const multiTrack = (code & C.MODIFIER_MULTI_TRACK) !== 0 && !readTrack;
    const plan = controlMark ? { firstCount: 1, secondCount: 0, endStatus1: 0 } : planSectors(geometry, head, address, multiTrack);
    this.data.begin({
      kind, drive: select & 3, head, ...address, multiTrack, controlMark, fill: 0, ...plan, stage: kind === 'write' ? 'wait' : 'medium',
      position: 0, terminalCount: false, buffer: new Uint8Array((plan.firstCount + plan.secondCount) * SECTOR_BYTES),
    });
  }

  private transferFinished(transfer: TransferState, status0: number, status1: number, status2: number): void {
    if (transfer.kind === 'format') transfer.position = transfer.firstCount * SECTOR_BYTES;
    const { c, h, r, headBit } = resultId(transfer);
    this.showResult([status0 | (headBit << 2) | transfer.drive, status1, status2, c, h, r, transfer.sizeCode]);
    this.setInterrupt(true);
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

  private updateThreshold(): void {
    this.data.threshold = this.configure & CONFIGURE_DISABLE_FIFO ? 1 : (this.configure & 0x0f) + 1;
  }

  /** What both reset bits and the RESET pin do to the controller; head positions and media stay. */
  private controllerReset(): void {
    this.data.abandon();
    this.pendingFault = undefined;
    this.executeTimer.disarm();
    this.resetTimer.disarm();
    this.seeks.reset();
    this.phase = 'idle';
    this.commandLength = 0;
    this.commandExpected = 0;
    this.command.fill(0);
    this.result = new Uint8Array(0);
    this.resultPosition = 0;
    this.perpendicular &= 0x3c;
    if (!this.locked) {
      this.configure = CONFIGURE_DISABLE_FIFO;
      this.precompensationTrack = 0;
    }
    this.updateThreshold();
    this.setInterrupt(false);
  }

  reset(_kind: ResetKind): void {
    this.locked = false;
    this.perpendicular = 0;
    this.dor = 0;
    this.controllerReset();
    this.tdr = 0;
    this.rate = 2;
    this.rateChosen = false;
    this.specifyStep = 0;
    this.specifyHeadLoad = 0;
    this.data.nonDma = false;
    for (const drive of this.drives) {
      drive.cylinder = 0;
      drive.rotation = 1;
      drive.diskChanged = true;
    }
  }

  // --- state -----------------------------------------------------------------------------------------------------

  save(): DeviceState {
    const transfer = this.data.current;
    const fields: FdcState = {
      dor: this.dor,
      tdr: this.tdr,
      rate: this.rate,
      rateChosen: this.rateChosen,
      phase: this.phase,
      command: this.command.slice(),
      commandLength: this.commandLength,
      commandExpected: this.commandExpected,
      result: this.result.slice(),
      resultPosition: this.resultPosition,
      transfer: transfer === undefined ? null : { ...transfer, buffer: transfer.buffer.slice() },
      pendingFault: this.pendingFault === undefined ? null : { ...this.pendingFault },
      specifyStep: this.specifyStep,
      specifyHeadLoad: this.specifyHeadLoad,
      configure: this.configure,
      precompensationTrack: this.precompensationTrack,
      locked: this.locked,
      perpendicular: this.perpendicular,
      ...this.seeks.save(),
      interrupt: this.interrupt,
      resetDeadline: this.resetTimer.deadlineNs ?? null,
      executeDeadline: this.executeTimer.deadlineNs ?? null,
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
    this.command.set(saved.command);
    this.commandLength = saved.commandLength;
    this.commandExpected = saved.commandExpected;
    this.result = saved.result.slice();
    this.resultPosition = saved.resultPosition;
    this.pendingFault = saved.pendingFault ?? undefined;
    this.specifyStep = saved.specifyStep;
    this.specifyHeadLoad = saved.specifyHeadLoad;
    this.data.nonDma = (saved.specifyHeadLoad & 1) !== 0;
    this.configure = saved.configure;
    this.precompensationTrack = saved.precompensationTrack;
    this.locked = saved.locked;
    this.perpendicular = saved.perpendicular;
    this.seeks.load(saved);
    saved.drives.forEach((drive, index) => Object.assign(this.drives[index] ?? {}, drive));
    if (saved.resetDeadline !== null) this.resetTimer.arm(saved.resetDeadline);
    if (saved.executeDeadline !== null) this.executeTimer.arm(saved.executeDeadline);
    this.updateThreshold();
    this.setInterrupt(saved.interrupt);
    if (saved.transfer !== null) this.data.restore({ ...saved.transfer, buffer: saved.transfer.buffer.slice() });
  }

  dispose(): void {
    this.controllerReset();
    this.data.dispose();
  }
}

function parameterCountOrLog(command: number, log: Logger): number | undefined {
  const count = C.parameterCount(command);
  if (count === undefined && log.enabled('debug')) log.log('debug', 'invalid command', { command });
  return count;
}
