// Types key strokes at a pace a guest can follow: the next event goes out when the keyboard's queue has been read and a
// little virtual time has passed, so that nothing is lost by guests that poll slowly.

import type { Clock, Timer } from '../base/clock.ts';
import type { Disposable } from '../base/disposable.ts';

/** Between two events, so that polling guests see each of them. */
const EVENT_GAP_NS = 8_000_000;
/** While the guest has not read the last one. */
const BUSY_GAP_NS = 5_000_000;
/** A guest that never reads its keyboard must not hold up the typing for ever. */
const MAX_WAIT_NS = 2_000_000_000;

export interface KeyEvent {
  /** DOM KeyboardEvent.code */
  readonly code: string;
  readonly down: boolean;
}

export interface KeyTarget {
  keyEvent(code: string, down: boolean): void;
  /** True while bytes wait for the guest. */
  readonly hasPendingBytes: boolean;
}

export class KeyTyper implements Disposable {
  private readonly target: KeyTarget;
  private readonly clock: Clock;
  private readonly timer: Timer;
  private queue: { event: KeyEvent; done: (() => void) | undefined }[] = [];
  private waitingSinceNs = 0;

  constructor(target: KeyTarget, clock: Clock) {
    this.target = target;
    this.clock = clock;
    this.timer = clock.createTimer('key-typer', (nowNs) => this.step(nowNs));
  }

  /** Queues events; resolves when the last one has been handed to the keyboard. */
  type(events: readonly KeyEvent[]): Promise<void> {
    if (events.length === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const idle = this.queue.length === 0;
      events.forEach((event, index) => this.queue.push({ event, done: index === events.length - 1 ? resolve : undefined }));
      if (idle) {
        this.waitingSinceNs = this.clock.nowNs();
        this.timer.arm(this.waitingSinceNs);
      }
    });
  }

  private step(nowNs: number): void {
    if (this.target.hasPendingBytes && nowNs - this.waitingSinceNs < MAX_WAIT_NS) {
      this.timer.arm(nowNs + BUSY_GAP_NS);
      return;
    }
    const next = this.queue.shift();
    if (next === undefined) return;
    this.target.keyEvent(next.event.code, next.event.down);
    next.done?.();
    this.waitingSinceNs = nowNs;
    if (this.queue.length > 0) this.timer.arm(nowNs + EVENT_GAP_NS);
  }

  dispose(): void {
    this.timer.disarm();
    for (const entry of this.queue) entry.done?.();
    this.queue = [];
  }
}
