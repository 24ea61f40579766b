// Head movement of the floppy controller's four drive addresses: seeks run side by side, each ends with an interrupt whose
// status the guest collects with SENSE INTERRUPT; a reset leaves four such statuses behind.

import type { Clock, Timer } from '../../base/clock.ts';
import * as C from './fdc-commands.ts';
import type { FloppyDrive } from './floppy-drive.ts';

const SEEK_NS = 100_000;
const NONE = -1;

export interface FdcSeeksState {
  readonly presentCylinder: Uint8Array;
  readonly seekResults: Uint8Array;
  readonly interruptStatus: number[];
  readonly seekDeadlines: (number | null)[];
}

export class FdcSeeks {
  private readonly clock: Clock;
  private readonly drives: readonly FloppyDrive[];
  private readonly setInterrupt: (level: boolean) => void;
  private readonly timers: readonly Timer[];
  private readonly presentCylinder = new Uint8Array(4);
  /** Status 0 that each drive's seek will end with. */
  private readonly seekResults = new Uint8Array(4);
  /** Status 0 of drives whose interrupt was not sensed yet, or NONE. */
  private readonly interruptStatus = [NONE, NONE, NONE, NONE];

  constructor(id: string, clock: Clock, drives: readonly FloppyDrive[], setInterrupt: (level: boolean) => void) {
    this.clock = clock;
    this.drives = drives;
    this.setInterrupt = setInterrupt;
    this.timers = drives.map((_, drive) => clock.createTimer(`${id} seek ${drive}`, () => this.done(drive)));
  }

  reset(): void {
    for (const timer of this.timers) timer.disarm();
    this.presentCylinder.fill(0);
    this.seekResults.fill(0);
    this.interruptStatus.fill(NONE);
  }

  /** The cylinder where the controller believes a drive's heads to be. */
  present(drive: number): number {
    return this.presentCylinder[drive] ?? 0;
  }

  /** An implied seek: no interrupt of its own. */
  moveAtOnce(drive: number, cylinder: number): void {
    this.presentCylinder[drive] = cylinder;
    this.drives[drive]?.stepTo(cylinder);
  }

  start(drive: number, cylinder: number, headBit: number, recalibrate: boolean): void {
    // Recalibrating a drive that is not there finds no track 0.
    const missing = recalibrate && this.drives[drive]?.present !== true;
    this.interruptStatus[drive] = NONE;
    this.seekResults[drive] = C.ST0_SEEK_END | headBit | drive | (missing ? C.ST0_ABNORMAL | C.ST0_EQUIPMENT_CHECK : 0);
    this.moveAtOnce(drive, cylinder);
    this.timers[drive]?.arm(this.clock.nowNs() + SEEK_NS);
  }

  private done(drive: number): void {
    this.interruptStatus[drive] = this.seekResults[drive] ?? 0;
    this.setInterrupt(true);
  }

  /** Busy bits of the main status register. */
  get busyBits(): number {
    let bits = 0;
    this.timers.forEach((timer, drive) => (bits |= timer.deadlineNs === undefined ? 0 : 1 << drive));
    return bits;
  }

  /** After a reset the drives' polling makes each of them report a change of its ready line. */
  reportReadyChange(): void {
    for (let drive = 0; drive < 4; drive++) this.interruptStatus[drive] = C.ST0_READY_CHANGED | drive;
    this.setInterrupt(true);
  }

  /** SENSE INTERRUPT: status 0 and cylinder of the first drive that waits, or the invalid status alone. */
  sense(): number[] {
    const drive = this.interruptStatus.findIndex((status) => status !== NONE);
    if (drive < 0) return [C.ST0_INVALID];
    const status = this.interruptStatus[drive] ?? 0;
    this.interruptStatus[drive] = NONE;
    this.setInterrupt(false);
    // Seeks of several drives may end together; the others ask again. After a reset one interrupt stands for all four.
    const afterReset = (status & 0xc0) === C.ST0_READY_CHANGED;
    if (!afterReset && this.interruptStatus.some((other) => other !== NONE)) this.setInterrupt(true);
    return [status, this.present(drive)];
  }

  save(): FdcSeeksState {
    return {
      presentCylinder: this.presentCylinder.slice(),
      seekResults: this.seekResults.slice(),
      interruptStatus: [...this.interruptStatus],
      seekDeadlines: this.timers.map((timer) => timer.deadlineNs ?? null),
    };
  }

  load(saved: FdcSeeksState): void {
    this.reset();
    this.presentCylinder.set(saved.presentCylinder);
    this.seekResults.set(saved.seekResults);
    saved.interruptStatus.forEach((status, drive) => (this.interruptStatus[drive] = status));
    saved.seekDeadlines.forEach((deadline, drive) => {
      if (deadline !== null) this.timers[drive]?.arm(deadline);
    });
  }
}
