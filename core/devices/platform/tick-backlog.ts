// Rules for periodic timer interrupts under a clock that may jump: a guest that counts ticks to keep time must get the
// ticks that a stall of the host swallowed, but not endlessly many, and never so fast that the host starves.

/** No timer of the board interrupts more often than this on average: a guest must not starve the host. */
export const MIN_TICK_PERIOD_NS = 50_000;
/** Ticks that are owed beyond this number are forgotten: about a minute of the BIOS clock. */
export const MAX_OWED_TICKS = 1000;

/** Counts interrupts that came due but were not delivered yet. */
export class TickBacklog {
  owed = 0;

  /** Notes ticks that came due while only one could be delivered. */
  add(ticks: number): void {
    this.owed = Math.min(this.owed + ticks, MAX_OWED_TICKS);
  }

  clear(): void {
    this.owed = 0;
  }

  /**
   * When to deliver next: at the natural time, or earlier while ticks are owed (four times the normal rate, which lets
   * the guest finish one interrupt before the next).
   */
  nextDeadline(nowNs: number, naturalNs: number, periodNs: number): number {
    const earliest = nowNs + MIN_TICK_PERIOD_NS;
    const wanted = this.owed > 0 ? Math.min(naturalNs, nowNs + Math.floor(periodNs / 4)) : naturalNs;
    return Math.max(wanted, earliest);
  }
}
