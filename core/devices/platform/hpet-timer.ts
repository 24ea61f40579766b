// One comparator of the HPET. Values are 64 bits wide and kept as two halves, because a guest may set all of them;
// only distances between them become plain numbers.

import { z } from 'zod';
import type { Timer } from '../../base/clock.ts';
import type { IrqLine } from '../../bus/irq.ts';
import { deadlineNs, flag, u32 } from './state-fields.ts';
import { MAX_OWED_TICKS, TickBacklog } from './tick-backlog.ts';

export const TN_LEVEL = 0x0002;
export const TN_INT_ENABLE = 0x0004;
export const TN_PERIODIC = 0x0008;
export const TN_PERIODIC_CAPABLE = 0x0010;
export const TN_SIZE_64 = 0x0020;
export const TN_SET_VALUE = 0x0040;
export const TN_MODE_32 = 0x0100;
export const TN_ROUTE_SHIFT = 9;
export const TN_ROUTE = 0x3e00;
export const TN_WRITABLE = TN_LEVEL | TN_INT_ENABLE | TN_PERIODIC | TN_MODE_32 | TN_ROUTE;
const TWO_32 = 0x1_0000_0000;

export const hpetTimerSchema = z.strictObject({
  config: u32,
  low: u32,
  high: u32,
  periodLow: u32,
  periodHigh: u32,
  setValue: flag,
  highFollows: flag,
  owed: z.int().min(0).max(MAX_OWED_TICKS),
  deadline: deadlineNs,
});
export type HpetTimerState = z.infer<typeof hpetTimerSchema>;

export class HpetTimer {
  config = 0;
  low = 0xffffffff;
  high = 0xffffffff;
  periodLow = 0;
  periodHigh = 0;
  /** TN_SET_VALUE was written: the next comparator write sets the comparator itself and not only the period. */
  setValue = false;
  /** The low half was set that way, so a write of the high half that follows belongs to it. */
  highFollows = false;
  /** The wire that is held high, for level-triggered interrupts. */
  held: IrqLine | undefined;
  readonly backlog = new TickBacklog();
  /** When a silent timer's comparator is to move on: nobody waits for that, so no timer of the host is armed. */
  silentMatchNs = Infinity;
  readonly timer: Timer;

  constructor(timer: Timer) {
    this.timer = timer;
  }

  get is32(): boolean {
    return (this.config & TN_MODE_32) !== 0;
  }

  get isPeriodic(): boolean {
    return (this.config & TN_PERIODIC) !== 0 && this.period > 0;
  }

  /** Matches move the comparator and do nothing else: software reads it, but hears of no match. */
  get isSilent(): boolean {
    return this.isPeriodic && (this.config & TN_INT_ENABLE) === 0;
  }

  get period(): number {
    return this.is32 ? this.periodLow : this.periodHigh * TWO_32 + this.periodLow;
  }

  /** Ticks until a counter at `counterHigh:counterLow` reaches the comparator; exact below 2^53. */
  distance(counterLow: number, counterHigh: number): number {
    const low = this.low - counterLow;
    if (this.is32) return low >>> 0;
    const high = (this.high - counterHigh - (low < 0 ? 1 : 0)) >>> 0;
    return high * TWO_32 + (low >>> 0);
  }

  /** Moves the comparator on by `ticks`. */
  advance(ticks: number): void {
    const low = this.low + (ticks % TWO_32);
    if (!this.is32) this.high = (this.high + Math.floor(ticks / TWO_32) + (low >= TWO_32 ? 1 : 0)) >>> 0;
    this.low = low >>> 0;
  }

  writeLow(value: number): void {
    const periodic = (this.config & TN_PERIODIC) !== 0;
    if (!periodic || this.setValue) this.low = value;
    if (periodic) this.periodLow = value;
    this.highFollows = this.setValue;
    this.setValue = false;
  }

  writeHigh(value: number): void {
    if (this.is32) return;
    const periodic = (this.config & TN_PERIODIC) !== 0;
    if (!periodic || this.setValue || this.highFollows) this.high = value;
    if (periodic) this.periodHigh = value;
    this.highFollows = false;
  }

  reset(): void {
    this.timer.disarm();
    this.backlog.clear();
    this.silentMatchNs = Infinity;
    this.config = 0;
    this.low = 0xffffffff;
    this.high = 0xffffffff;
    this.periodLow = 0;
    this.periodHigh = 0;
    this.setValue = false;
    this.highFollows = false;
  }

  save(): HpetTimerState {
    return {
      config: this.config,
      low: this.low,
      high: this.high,
      periodLow: this.periodLow,
      periodHigh: this.periodHigh,
      setValue: this.setValue,
      highFollows: this.highFollows,
      owed: this.backlog.owed,
      deadline: this.timer.deadlineNs ?? null,
    };
  }

  load(state: HpetTimerState): void {
    this.config = state.config & TN_WRITABLE;
    this.low = state.low;
    this.high = state.high;
    this.periodLow = state.periodLow;
    this.periodHigh = state.periodHigh;
    this.setValue = state.setValue;
    this.highFollows = state.highFollows;
    this.backlog.owed = state.owed;
    this.silentMatchNs = Infinity;
    if (state.deadline === null) this.timer.disarm();
    else this.timer.arm(state.deadline);
  }
}
