// The local APIC's timer (Intel SDM volume 3, 11.5.4): one-shot, periodic and TSC-deadline, at a nominal bus clock of
// 1 GHz. Nothing ticks: the current count is computed from the clock.

import { z } from 'zod';
import type { Clock, Timer } from '../../base/clock.ts';
import { TIMER_ONE_SHOT, TIMER_PERIODIC, TIMER_TSC_DEADLINE } from './local-apic-registers.ts';

/** A guest must not starve the host: periodic interrupts come no more often than this. */
const MIN_PERIOD_NS = 50_000;
/** Periods that a stall of the host swallowed are made up for, up to this many. */
const MAX_OWED = 1000;
const TWO_32 = 0x1_0000_0000;

const u32 = z.int().min(0).max(0xffffffff);
export const apicTimerSchema = z.strictObject({
  mode: z.int().min(0).max(3),
  divide: z.int().min(0).max(15),
  initial: u32,
  remaining: u32,
  startNs: z
    .int()
    .min(0)
    .max(2 ** 52),
  running: z.boolean(),
  owed: z.int().min(0).max(MAX_OWED),
  deadlineLow: u32,
  deadlineHigh: u32,
  timerDeadline: z
    .int()
    .min(0)
    .max(2 ** 53 - 1)
    .nullable(),
});
export type ApicTimerState = z.infer<typeof apicTimerSchema>;

export interface ApicTimerOptions {
  readonly name: string;
  readonly clock: Clock;
  /** Virtual time at which the TSC reaches a value below 2^53 (the past is allowed). */
  readonly tscToNs: (tsc: number) => number;
  /** The timer expired; the LVT entry decides what comes of it. */
  readonly onExpire: () => void;
}

export class ApicTimer {
  private readonly clock: Clock;
  private readonly tscToNs: (tsc: number) => number;
  private readonly onExpire: () => void;
  private readonly timer: Timer;
  private mode = TIMER_ONE_SHOT;
  private divide = 0;
  private initial = 0;
  /** The count at `startNs`. */
  private remaining = 0;
  private startNs = 0;
  private running = false;
  private owed = 0;
  private deadlineLow = 0;
  private deadlineHigh = 0;

  constructor(options: ApicTimerOptions) {
    this.clock = options.clock;
    this.tscToNs = options.tscToNs;
    this.onExpire = options.onExpire;
    this.timer = options.clock.createTimer(options.name, () => this.expire());
  }

  get initialCount(): number {
    return this.initial;
  }

  get divideRegister(): number {
    return this.divide;
  }

  get tscDeadlineLow(): number {
    return this.deadlineLow;
  }

  get tscDeadlineHigh(): number {
    return this.deadlineHigh;
  }

  currentCount(): number {
    if (!this.running || this.mode >= TIMER_TSC_DEADLINE) return 0;
    const ticks = Math.floor((this.clock.nowNs() - this.startNs) / this.divisor());
    if (ticks < this.remaining) return this.remaining - ticks;
    if (this.mode !== TIMER_PERIODIC || this.initial === 0) return 0;
    return this.initial - ((ticks - this.remaining) % this.initial);
  }

  setInitialCount(value: number): void {
    if (this.mode >= TIMER_TSC_DEADLINE) return;
    this.initial = value;
    this.remaining = value;
    this.startNs = this.clock.nowNs();
    this.running = value !== 0;
    this.owed = 0;
    this.schedule();
  }

  setDivide(value: number): void {
    this.rebase();
    this.divide = value & 0x0b;
    this.schedule();
  }

  setMode(mode: number): void {
    if (mode === this.mode) return;
    if (mode >= TIMER_TSC_DEADLINE || this.mode >= TIMER_TSC_DEADLINE) {
      // Going to or from TSC-deadline mode disarms the timer.
      this.running = false;
      this.initial = 0;
      this.deadlineLow = 0;
      this.deadlineHigh = 0;
    } else this.rebase();
    this.mode = mode;
    this.owed = 0;
    this.schedule();
  }

  /** Write of the TSC deadline MSR; outside TSC-deadline mode it has no effect. */
  setTscDeadline(low: number, high: number): void {
    if (this.mode !== TIMER_TSC_DEADLINE) return;
    this.deadlineLow = low;
    this.deadlineHigh = high;
    this.schedule();
  }

  reset(): void {
    this.timer.disarm();
    this.mode = TIMER_ONE_SHOT;
    this.divide = 0;
    this.initial = 0;
    this.remaining = 0;
    this.startNs = 0;
    this.running = false;
    this.owed = 0;
    this.deadlineLow = 0;
    this.deadlineHigh = 0;
  }

  save(): ApicTimerState {
    return {
      mode: this.mode,
      divide: this.divide,
      initial: this.initial,
      remaining: this.remaining,
      startNs: this.startNs,
      running: this.running,
      owed: this.owed,
      deadlineLow: this.deadlineLow,
      deadlineHigh: this.deadlineHigh,
      timerDeadline: this.timer.deadlineNs ?? null,
    };
  }

  load(state: ApicTimerState): void {
    this.mode = state.mode;
    this.divide = state.divide & 0x0b;
    this.initial = state.initial;
    this.remaining = state.remaining;
    this.startNs = Math.min(state.startNs, this.clock.nowNs());
    this.running = state.running;
    this.owed = state.owed;
    this.deadlineLow = state.deadlineLow;
    this.deadlineHigh = state.deadlineHigh;
    if (state.timerDeadline === null) this.timer.disarm();
    else this.timer.arm(state.timerDeadline);
  }

  dispose(): void {
    this.timer.disarm();
  }

  /** Bits 3, 1 and 0 hold log2(divisor) - 1, and 7 means 1. */
  private divisor(): number {
    const code = (this.divide & 3) | ((this.divide & 8) >> 1);
    return code === 7 ? 1 : 2 << code;
  }

  /** Lets the present count go on from now, before mode or divisor change. */
  private rebase(): void {
    if (!this.running) return;
    this.remaining = this.currentCount();
    this.startNs = this.clock.nowNs();
    if (this.remaining === 0) this.running = false;
  }

  private schedule(): void {
    if (this.mode === TIMER_TSC_DEADLINE) this.scheduleTscDeadline();
    else if (!this.running || this.mode > TIMER_TSC_DEADLINE) this.timer.disarm();
    else this.timer.arm(this.startNs + this.remaining * this.divisor());
  }

  private scheduleTscDeadline(): void {
    const tsc = this.deadlineHigh * TWO_32 + this.deadlineLow;
    // The TSC never gets to 2^53 in the life of a machine.
    if (tsc === 0 || tsc >= 2 ** 53) this.timer.disarm();
    else this.timer.arm(Math.min(Math.max(this.tscToNs(tsc), this.clock.nowNs()), Number.MAX_SAFE_INTEGER));
  }

  private expire(): void {
    if (this.mode === TIMER_TSC_DEADLINE) {
      this.deadlineLow = 0;
      this.deadlineHigh = 0;
    } else if (this.mode === TIMER_ONE_SHOT) this.running = false;
    else this.startNextPeriod();
    this.onExpire();
  }

  private startNextPeriod(): void {
    const now = this.clock.nowNs();
    const periodNs = this.initial * this.divisor();
    const firstExpiry = this.startNs + this.remaining * this.divisor();
    if (now >= firstExpiry) {
      const missed = periodNs === 0 ? 0 : Math.floor((now - firstExpiry) / periodNs);
      this.startNs = firstExpiry + missed * periodNs;
      this.remaining = this.initial;
      // What exceeds the highest rate that is allowed is not owed.
      if (periodNs >= MIN_PERIOD_NS) this.owed = Math.min(this.owed + missed, MAX_OWED);
    } else if (this.owed > 0) this.owed--;
    const natural = this.startNs + this.remaining * this.divisor();
    const wanted = this.owed > 0 ? Math.min(natural, now + Math.floor(periodNs / 4)) : natural;
    this.timer.arm(Math.max(wanted, now + MIN_PERIOD_NS));
  }
}
