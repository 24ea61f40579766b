// The timer list of one machine: a binary heap ordered by deadline, then by order of arming (so equal deadlines are
// deterministic). The machine loop asks for the next deadline and runs what is due.

import type { Clock, Timer } from './clock.ts';

class QueuedTimer implements Timer {
  deadline = -1;
  sequence = 0;
  /** Position in the heap, or -1 when not armed. */
  slot = -1;
  readonly name: string;
  readonly callback: (nowNs: number) => void;
  private readonly queue: TimerQueue;

  constructor(queue: TimerQueue, name: string, callback: (nowNs: number) => void) {
    this.queue = queue;
    this.name = name;
    this.callback = callback;
  }

  get deadlineNs(): number | undefined {
    return this.slot < 0 ? undefined : this.deadline;
  }

  arm(deadlineNs: number): void {
    this.queue.armTimer(this, deadlineNs);
  }

  disarm(): void {
    this.queue.disarmTimer(this);
  }
}

export class TimerQueue implements Clock {
  private readonly heap: QueuedTimer[] = [];
  private nextSequence = 0;
  /**
   * The instant at which timers are being run. A host that takes the thread away between two looks at the time must not let a
   * device miss the match that it has just computed.
   */
  private runningAtNs: number | undefined;
  private readonly readTime: () => number;
  /** Called when the earliest deadline moved closer, so that a running CPU slice can be shortened. */
  onEarlierDeadline: ((deadlineNs: number) => void) | undefined;
  /** Called when somebody who asked for the time saw a deadline passed: what it will look at next is not up to date. */
  onOverdue: (() => void) | undefined;

  /** @param readTime virtual nanoseconds, see Clock.nowNs */
  constructor(readTime: () => number) {
    this.readTime = readTime;
  }

  nowNs(): number {
    if (this.runningAtNs !== undefined) return this.runningAtNs;
    const nowNs = this.readTime();
    if (this.onOverdue !== undefined && nowNs >= this.nextDeadlineNs()) this.onOverdue();
    return nowNs;
  }

  createTimer(name: string, callback: (nowNs: number) => void): Timer {
    return new QueuedTimer(this, name, callback);
  }

  /** Deadline of the earliest armed timer, or Infinity. */
  nextDeadlineNs(): number {
    return this.heap[0]?.deadline ?? Infinity;
  }

  /**
   * Runs every timer whose deadline is at or before `nowNs`, in order; those armed meanwhile run too when due. Time stands still
   * for them.
   */
  runDue(nowNs: number, limit = 10_000): number {
    if (this.nextDeadlineNs() > nowNs) return 0;
    this.runningAtNs = nowNs;
    try {
      return this.runUntil(nowNs, limit);
    } finally {
      this.runningAtNs = undefined;
    }
  }

  private runUntil(nowNs: number, limit: number): number {
    let count = 0;
    for (let first = this.heap[0]; first !== undefined && first.deadline <= nowNs && count < limit; first = this.heap[0]) {
      this.remove(first);
      count++;
      first.callback(nowNs);
    }
    return count;
  }

  armTimer(timer: QueuedTimer, deadlineNs: number): void {
    if (timer.slot >= 0) this.remove(timer);
    timer.deadline = deadlineNs;
    timer.sequence = this.nextSequence++;
    timer.slot = this.heap.length;
    this.heap.push(timer);
    this.siftUp(timer.slot);
    if (this.heap[0] === timer) this.onEarlierDeadline?.(deadlineNs);
  }

  disarmTimer(timer: QueuedTimer): void {
    if (timer.slot >= 0) this.remove(timer);
  }

  private remove(timer: QueuedTimer): void {
    const slot = timer.slot;
    timer.slot = -1;
    const last = this.heap.pop();
    if (last === undefined || last === timer) return;
    this.heap[slot] = last;
    last.slot = slot;
    this.siftDown(slot);
    this.siftUp(last.slot);
  }

  private before(a: QueuedTimer, b: QueuedTimer): boolean {
    return a.deadline < b.deadline || (a.deadline === b.deadline && a.sequence < b.sequence);
  }

  private siftUp(start: number): void {
    let slot = start;
    while (slot > 0) {
      const parent = (slot - 1) >> 1;
      if (!this.swapIfBefore(slot, parent)) return;
      slot = parent;
    }
  }

  private siftDown(start: number): void {
    let slot = start;
    for (;;) {
      let child = slot * 2 + 1;
      const left = this.heap[child];
      const right = this.heap[child + 1];
      if (left === undefined) return;
      if (right !== undefined && this.before(right, left)) child++;
      if (!this.swapIfBefore(child, slot)) return;
      slot = child;
    }
  }

  /** Swaps two slots when the one at `low` belongs before the one at `high`. */
  private swapIfBefore(low: number, high: number): boolean {
    const a = this.heap[low];
    const b = this.heap[high];
    if (a === undefined || b === undefined || !this.before(a, b)) return false;
    this.heap[low] = b;
    this.heap[high] = a;
    b.slot = low;
    a.slot = high;
    return true;
  }
}
