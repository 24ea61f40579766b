// The commands of the 82077AA floppy controller: modes that they set, seeks, and what ends without data or starts a transfer.

import type { Clock, Timer } from '../../base/clock.ts';
import * as C from './fdc-commands.ts';
import { FdcDataPhase, type FdcDataPhaseOptions } from './fdc-data-phase.ts';
import { FdcSeeks } from './fdc-seeks.ts';
import type { FdcState } from './fdc-state.ts';
import { findFault, planSectors, resultId, type SectorAddress, type TransferState } from './fdc-transfer.ts';
import { type FloppyDrive, SECTOR_BYTES } from './floppy-drive.ts';

const VERSION_82077 = 0x90;
/** Stepping of the part, as the register-compatible 82078 tells it. */
const PART_ID = 0x41;
const CONFIGURE_IMPLIED_SEEK = 0x40;
const CONFIGURE_DISABLE_FIFO = 0x20;
const COMMAND_NS = 50_000;

/** What commands need of the controller's registers and phases. */
export interface FdcCommandPort {
  /** The command is done and has no result. */
  idle(): void;
  executing(): void;
  /** The result phase begins with these bytes. */
  result(bytes: readonly number[]): void;
  setInterrupt(level: boolean): void;
  /**
   * The data rate; undefined before the guest has chosen one: then every medium is readable, as after a firmware that has
   * chosen it.
   */
  rate(): number | undefined;
}

export interface FdcExecutorOptions extends Pick<FdcDataPhaseOptions, 'dma' | 'io' | 'log'> {
  readonly id: string;
  readonly clock: Clock;
  readonly drives: readonly FloppyDrive[];
  readonly port: FdcCommandPort;
}

type ExecutorState = Pick<
  FdcState,
  'pendingFault' | 'specifyStep' | 'specifyHeadLoad' | 'configure' | 'precompensationTrack' | 'locked' | 'perpendicular' | 'executeDeadline' | 'transfer' | keyof ReturnType<FdcSeeks['save']>
>;

export class FdcExecutor {
  /** The command byte and its parameters. */
  readonly command = new Uint8Array(9);
  readonly seeks: FdcSeeks;
  readonly data: FdcDataPhase;
  private readonly clock: Clock;
  private readonly drives: readonly FloppyDrive[];
  private readonly port: FdcCommandPort;
  /** Ends the execution of commands that fail at once. */
  private readonly executeTimer: Timer;
  private pendingFault: { status0: number; status1: number; status2: number } | undefined;

  private specifyStep = 0;
  private specifyHeadLoad = 0;
  private configure = CONFIGURE_DISABLE_FIFO;
  private precompensationTrack = 0;
  private locked = false;
  private perpendicular = 0;

  constructor(options: FdcExecutorOptions) {
    const { id, clock, drives, port } = options;
    this.clock = clock;
    this.drives = drives;
    this.port = port;
    this.seeks = new FdcSeeks(id, clock, drives, (level) => port.setInterrupt(level));
    this.executeTimer = clock.createTimer(`${id} execute`, () => this.executionFailed());
    this.data = new FdcDataPhase({
      dma: options.dma,
      io: options.io,
      log: options.log,
      drives,
      setInterrupt: (level) => port.setInterrupt(level),
      finished: (transfer, status0, status1, status2) => this.transferFinished(transfer, status0, status1, status2),
    });
  }

  /** Executes a complete command, whose bytes are in `command`. */
  execute(): void {
    const [code = 0, first = 0, second = 0, third = 0] = this.command;
    const drive = first & 3;
    switch (code & 0x1f) {
      case C.CMD_SPECIFY:
        this.specifyStep = first;
        this.specifyHeadLoad = second;
        this.data.nonDma = (second & 1) !== 0;
        return this.port.idle();
      case C.CMD_CONFIGURE:
        this.configure = second & 0x7f;
        this.updateThreshold();
        this.precompensationTrack = third;
        return this.port.idle();
      case C.CMD_PERPENDICULAR:
        // Without the overwrite bit only the GAP and WGATE bits change.
        this.perpendicular = first & 0x80 ? first & 0x3f : (this.perpendicular & 0x3c) | (first & 3);
        return this.port.idle();
      case C.CMD_LOCK:
        this.locked = (code & C.MODIFIER_LOCK) !== 0;
        return this.port.result([this.locked ? 0x10 : 0]);
      case C.CMD_VERSION: return this.port.result([VERSION_82077]);
      case C.CMD_PART_ID: return this.port.result([PART_ID]);
      case C.CMD_DUMPREG: return this.dumpRegisters();
      case C.CMD_SENSE_INTERRUPT: return this.port.result(this.seeks.sense());
      case C.CMD_SENSE_DRIVE_STATUS: return this.senseDriveStatus(first);
      case C.CMD_RECALIBRATE:
        this.port.idle();
        return this.seeks.start(drive, 0, 0, true);
      case C.CMD_SEEK:
        this.port.idle();
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
    this.port.result([
      ...[0, 1, 2, 3].map((drive) => this.seeks.present(drive)), this.specifyStep, this.specifyHeadLoad, lastSector,
      (this.locked ? 0x80 : 0) | this.perpendicular, this.configure, this.precompensationTrack,
    ]);
  }

  private senseDriveStatus(parameter: number): void {
    const drive = this.drives[parameter & 3];
    let status = C.ST3_FIXED | (parameter & 7);
    if (drive?.present === true && drive.cylinder === 0) status |= C.ST3_TRACK_0;
    if (drive?.writeProtected === true) status |= C.ST3_WRITE_PROTECTED;
    this.port.result([status]);
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
    this.port.executing();
    if (drive === undefined || geometry === undefined || !this.rateMatches(drive) || head >= geometry.heads || drive.cylinder >= geometry.cylinders) {
      return this.failLater(C.ST1_MISSING_ADDRESS, 0);
    }
    // The ID that was found goes out through the ordinary result phase.
    this.command.set([drive.cylinder, head, drive.passingSector(), 2], 2);
    this.pendingFault = { status0: 0, status1: 0, status2: 0 };
    this.executeTimer.arm(this.clock.nowNs() + COMMAND_NS);
  }

  private rateMatches(drive: FloppyDrive): boolean {
    const rate = this.port.rate();
    return rate === undefined || drive.geometry?.rates.includes(rate) === true;
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
    this.port.result([fault.status0 | (select & 7), fault.status1, fault.status2, c, h, r, n]);
    this.port.setInterrupt(true);
  }

  private startFormat(parameter: number): void {
    const [, , sizeCode = 0, sectors = 0, , fill = 0] = this.command;
    const drive = this.drives[parameter & 3];
    const head = (parameter >> 2) & 1;
    const geometry = drive?.geometry;
    this.port.executing();
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
    this.port.executing();
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
    this.port.result([status0 | (headBit << 2) | transfer.drive, status1, status2, c, h, r, transfer.sizeCode]);
    this.port.setInterrupt(true);
  }

  private updateThreshold(): void {
    this.data.threshold = this.configure & CONFIGURE_DISABLE_FIFO ? 1 : (this.configure & 0x0f) + 1;
  }

  /** What both reset bits and the RESET pin do; head positions stay. */
  controllerReset(): void {
    this.data.abandon();
    this.pendingFault = undefined;
    this.executeTimer.disarm();
    this.seeks.reset();
    this.command.fill(0);
    this.perpendicular &= 0x3c;
    if (!this.locked) {
      this.configure = CONFIGURE_DISABLE_FIFO;
      this.precompensationTrack = 0;
    }
    this.updateThreshold();
  }

  /** What the machine's reset does besides. */
  reset(): void {
    this.locked = false;
    this.perpendicular = 0;
    this.controllerReset();
    this.specifyStep = 0;
    this.specifyHeadLoad = 0;
    this.data.nonDma = false;
  }

  save(): ExecutorState {
    const transfer = this.data.current;
    return {
      transfer: transfer === undefined ? null : { ...transfer, buffer: transfer.buffer.slice() },
      pendingFault: this.pendingFault === undefined ? null : { ...this.pendingFault },
      specifyStep: this.specifyStep,
      specifyHeadLoad: this.specifyHeadLoad,
      configure: this.configure,
      precompensationTrack: this.precompensationTrack,
      locked: this.locked,
      perpendicular: this.perpendicular,
      ...this.seeks.save(),
      executeDeadline: this.executeTimer.deadlineNs ?? null,
    };
  }

  /** All but the transfer under way, which `resume` takes up when everything else is in place. */
  load(saved: ExecutorState): void {
    this.pendingFault = saved.pendingFault ?? undefined;
    this.specifyStep = saved.specifyStep;
    this.specifyHeadLoad = saved.specifyHeadLoad;
    this.data.nonDma = (saved.specifyHeadLoad & 1) !== 0;
    this.configure = saved.configure;
    this.precompensationTrack = saved.precompensationTrack;
    this.locked = saved.locked;
    this.perpendicular = saved.perpendicular;
    this.seeks.load(saved);
    if (saved.executeDeadline !== null) this.executeTimer.arm(saved.executeDeadline);
    this.updateThreshold();
  }

  resume(transfer: ExecutorState['transfer']): void {
    if (transfer !== null) this.data.restore({ ...transfer, buffer: transfer.buffer.slice() });
  }
}
