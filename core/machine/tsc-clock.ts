// The guest's time-stamp counter as a function of virtual time. One tick is one nanosecond, unless the engine can only
// give the host processor's own rate; a restored machine brings its rate along.


/** Ticks a second wherever the engine may choose. */
export const TSC_HZ = 1_000_000_000;

export class TscClock {
  private readonly time: { nowNs(): number };
  hz: number;
  /** Ticks that the counter is ahead of virtual time: engines with a counter of their own move it. */
  offset = 0;

  constructor(time: { nowNs(): number }, hz: number) {
    this.time = time;
    this.hz = hz;
  }

  /** Ticks since power-on. */
  now(): number {
    return this.nominal() + this.offset;
  }

  private nominal(): number {
    return this.hz === TSC_HZ ? this.time.nowNs() : Math.floor(this.time.nowNs() * (this.hz / 1e9));
  }

  /** The counter stands at `ticks` now. */
  set(ticks: number): void {
    this.offset = Math.floor(ticks) - this.nominal();
  }

  /** Virtual nanoseconds at which the counter reaches a value. */
  toNs(ticks: number): number {
    const counted = ticks - this.offset;
    return this.hz === TSC_HZ ? counted : Math.ceil(counted / (this.hz / 1e9));
  }
}
