// Support for the unit tests of this folder and its neighbours: a clock that the test moves, a wire that records.

import { TimerQueue } from '../../base/timer-queue.ts';
import type { IrqLine } from '../../bus/irq.ts';

/** Virtual time under the test's control; timers run at exactly their deadlines unless `lateBy` is used. */
export class TestClock extends TimerQueue {
  private readonly time: { ns: number };

  constructor(startNs = 0) {
    const time = { ns: startNs };
    super(() => time.ns);
    this.time = time;
  }

  /** Moves time forward, running timers on the way. */
  advance(ns: number): void {
    const end = this.time.ns + ns;
    for (let next = this.nextDeadlineNs(); next <= end; next = this.nextDeadlineNs()) {
      if (next > this.time.ns) this.time.ns = next;
      this.runDue(this.time.ns, 1);
    }
    this.time.ns = end;
  }

  /** Moves time forward at once, as a host stall does; timers that came due run late, then `runLate` continues. */
  stall(ns: number): void {
    this.time.ns += ns;
    this.runDue(this.time.ns, 1);
  }
}

/** A wire that remembers its level and counts what happened to it. */
export class TestLine implements IrqLine {
  level = false;
  rises = 0;
  falls = 0;
  onChange: ((level: boolean) => void) | undefined;

  set(level: boolean): void {
    if (level === this.level) return;
    this.level = level;
    if (level) this.rises++;
    else this.falls++;
    this.onChange?.(level);
  }
}
