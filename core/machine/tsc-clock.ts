// The guest's time-stamp counter as a function of virtual time. One tick is one nanosecond, unless the engine can only
// give the host processor's own rate; a restored machine brings its rate along.

/** Ticks a second wherever the engine may choose. */
export const TSC_HZ = 1_000_000_000;

function nominal(nowNs: number, hz: number): number {
  return hz === TSC_HZ ? nowNs : Math.floor(nowNs * (hz / 1e9));
}

export class TscClock {
  private readonly time: { nowNs(): number };
  hz: number;
  /** Hears that the counter's relation to virtual time changed. @param jumped it was moved, rather than found to have drifted */
  onChanged: ((jumped: boolean) => void) | undefined;
  /** Ticks that the counter is ahead of virtual time: engines with a counter of their own move it. */
  offset = 0;

  constructor(time: { nowNs(): number }, hz: number) {
    this.time = time;
    this.hz = hz;
  }

  /** Ticks since power-on. */
  now(): number {
    return this.ticksAt(this.time.nowNs());
  }

  /** Ticks at a virtual time. */
  ticksAt(nowNs: number): number {
    return nominal(nowNs, this.hz) + this.offset;
  }

  /** The counter stood at `ticks` at virtual time `atNs`. */
  set(ticks: number, atNs: number, jumped: boolean): void {
    const offset = Math.floor(ticks) - nominal(atNs, this.hz);
    if (offset === this.offset) return;
    this.offset = offset;
    this.onChanged?.(jumped);
  }

  /** The counter goes on from where it is at another rate. */
  changeRate(hz: number): void {
    if (hz === this.hz) return;
    const nowNs = this.time.nowNs();
    this.offset = this.ticksAt(nowNs) - nominal(nowNs, hz);
    this.hz = hz;
    this.onChanged?.(false);
  }

  /** The offset with which a counter of `hz` would stand where this one does. */
  offsetFor(hz: number): number {
    if (hz === this.hz) return this.offset;
    const nowNs = this.time.nowNs();
    return this.ticksAt(nowNs) - nominal(nowNs, hz);
  }

  /** Virtual nanoseconds at which the counter reaches a value. */
  toNs(ticks: number): number {
    const counted = ticks - this.offset;
    return this.hz === TSC_HZ ? counted : Math.ceil(counted / (this.hz / 1e9));
  }
}
