// Virtual time. Devices and the TSC read time only from here: host time or retired instructions scaled.
// All times are nanoseconds of virtual time since the machine was made, as integers below 2^53.

export interface Clock {
  /** Virtual nanoseconds since power-on. Stands still while the machine is paused. Never goes back. */
  nowNs(): number;
  /** A timer that calls `callback(nowNs)` once when its deadline has come. One per purpose, made once, armed often. */
  createTimer(name: string, callback: (nowNs: number) => void): Timer;
}

export interface Timer {
  /** Sets the deadline; an armed timer is moved. A deadline in the past fires at the next chance. */
  arm(deadlineNs: number): void;
  disarm(): void;
  /** The deadline, or undefined when not armed. Saved states keep it. */
  readonly deadlineNs: number | undefined;
}

/** Wall-clock date source, injected so that recorded runs repeat: milliseconds since 1970 UTC at virtual time 0. */
export interface WallClock {
  readonly epochMsAtPowerOn: number;
}
