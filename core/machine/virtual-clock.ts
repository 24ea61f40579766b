// The two sources of virtual time. Host: monotonic host time less the time the machine stood still. Instructions:
// retired instructions times a fixed duration, plus the time skipped while halted; nothing else moves it.

export interface TimeSource {
  /** Virtual nanoseconds, an integer. */
  nowNs(): number;
  /** The machine stands still from now on. */
  pause(): void;
  resume(): void;
  /** Continues from a saved instant. */
  restore(nowNs: number): void;
}

/** How far time may go beyond the next timer's deadline before that timer has run. */
const MOST_OVERDUE_NS = 500_000;
/** What was held back comes back at a quarter of the speed of time, while the guest waits at once. */
const CATCH_UP = 0.25;
/** More than this is not caught up: the host stood still, or gives the guest far too little. */
const MOST_LAG_NS = 10_000_000_000;

/**
 * Host time. With `nextDeadlineNs` it does not run past timers when the host runs something else for a while: what is too much is
 * held back, and caught up later. Else a guest that measures a delay with its time-stamp counter and counts timer
 * interrupts meanwhile finds the delay over after one interrupt. For processors whose time-stamp counter is this clock.
 */
export class HostTime implements TimeSource {
  private offsetNs: number;
  private pausedAtNs: number | undefined;
  private readonly readHostMs: () => number;
  private readonly nextDeadlineNs: (() => number) | undefined;
  /** Host time of the last look, and how far the guest's time is behind. */
  private seenNs = 0;
  private lagNs = 0;

  /**
   * @param readHostMs monotonic milliseconds with fractions, such as performance.now
   * @param nextDeadlineNs virtual time of the next timer, or Infinity
   */
  constructor(readHostMs: () => number, nextDeadlineNs?: () => number) {
    this.readHostMs = readHostMs;
    this.nextDeadlineNs = nextDeadlineNs;
    this.offsetNs = this.hostNs();
    this.pausedAtNs = 0;
  }

  private hostNs(): number {
    return Math.floor(this.readHostMs() * 1e6);
  }

  nowNs(): number {
    if (this.pausedAtNs !== undefined) return this.pausedAtNs;
    const hostNs = this.hostNs();
    if (this.nextDeadlineNs !== undefined) this.follow(hostNs, this.nextDeadlineNs());
    return hostNs - this.offsetNs - this.lagNs;
  }

  private follow(hostNs: number, deadlineNs: number): void {
    const elapsedNs = hostNs - this.seenNs;
    // Deadlines may have fractions, this clock has none.
    const roomNs = Math.floor(Math.max(0, deadlineNs - (this.seenNs - this.offsetNs - this.lagNs))) + MOST_OVERDUE_NS;
    this.seenNs = hostNs;
    if (elapsedNs > roomNs) {
      this.lagNs += elapsedNs - roomNs;
      if (this.lagNs <= MOST_LAG_NS) return;
      this.offsetNs += this.lagNs - MOST_LAG_NS;
      this.lagNs = MOST_LAG_NS;
    } else if (this.lagNs > 0) {
      this.lagNs = Math.max(0, this.lagNs - Math.floor(Math.min(elapsedNs * CATCH_UP, roomNs - elapsedNs)));
    }
  }

  /** The machine has nothing to do for `ns`: what was held back passes now. @returns how much is left to wait for */
  skip(ns: number): number {
    const skippedNs = Math.min(Math.floor(ns), this.lagNs);
    this.lagNs -= skippedNs;
    return ns - skippedNs;
  }

  pause(): void {
    this.pausedAtNs ??= this.nowNs();
  }

  resume(): void {
    if (this.pausedAtNs === undefined) return;
    this.startFrom(this.pausedAtNs);
    this.pausedAtNs = undefined;
  }

  restore(nowNs: number): void {
    if (this.pausedAtNs !== undefined) this.pausedAtNs = nowNs;
    else this.startFrom(nowNs);
  }

  private startFrom(nowNs: number): void {
    this.seenNs = this.hostNs();
    this.offsetNs = this.seenNs - nowNs;
    this.lagNs = 0;
  }
}

/** Virtual duration of one instruction: a machine of 100 million instructions a second. */
export const NS_PER_INSTRUCTION = 10;

export class InstructionTime implements TimeSource {
  private skippedNs = 0;
  private readonly readInstructions: () => number;

  constructor(readInstructions: () => number) {
    this.readInstructions = readInstructions;
  }

  nowNs(): number {
    return this.readInstructions() * NS_PER_INSTRUCTION + this.skippedNs;
  }

  /** The processor is halted: time jumps to `deadlineNs`. */
  skipTo(deadlineNs: number): void {
    const now = this.nowNs();
    if (deadlineNs > now) this.skippedNs += deadlineNs - now;
  }

  pause(): void {
    // Instructions stop, so time stops.
  }

  resume(): void {
    // See pause().
  }

  restore(nowNs: number): void {
    this.skippedNs = nowNs - this.readInstructions() * NS_PER_INSTRUCTION;
  }
}
