// Sets a bit of a shared word at a time that was agreed on, from a thread of its own: the vCPU's thread cannot look at a clock while
// it runs the guest. The thread sleeps until the earliest time it was woken for; an alarm that is set later than that, or
// called off, costs no system call.

import { Worker } from 'node:worker_threads';

/** Cells that the two threads share. */
export const ALARM = { TIME: 0, CELLS: 1, NONE: 0 } as const;
/** Far less than half of what 32 bits of microseconds hold. */
const MOST_MS = 600_000;

/** The same deadline, computed twice, may differ by this much: not worth waking the thread. */
const NEAR_US = 20;

export interface AlarmThreadData {
  readonly cells: SharedArrayBuffer;
  readonly memory: SharedArrayBuffer;
  /** Byte offset of the word in `memory`. */
  readonly wordAt: number;
  readonly bit: number;
}

/** Microseconds of the clock that all threads share, as 32 signed bits that wrap; never ALARM.NONE. */
export function alarmClock(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return Math.floor(seconds * 1e6 + nanoseconds / 1e3) | 1;
}

export class DeadlineAlarm {
  private readonly cells = new Int32Array(new SharedArrayBuffer(ALARM.CELLS * 4));
  private readonly thread: Worker;
  /** When the thread wakes at the latest, or ALARM.NONE. */
  private wakesAt: number = ALARM.NONE;

  constructor(data: Omit<AlarmThreadData, 'cells'>) {
    this.thread = new Worker(new URL('./alarm-worker.ts', import.meta.url), { workerData: { ...data, cells: this.cells.buffer }, name: 'alarm', execArgv: [] });
    // Without it deadlines are met as well as instructions can be counted ahead.
    this.thread.on('error', (error: Error) => process.emitWarning(`The processor's alarm ended: ${error.message}`));
    this.thread.unref();
  }

  /** @param ms from now, at most MOST_MS; a time that is over rings at once */
  set(ms: number): void {
    const now = alarmClock();
    const time = ((now + Math.floor(Math.min(Math.max(0, ms), MOST_MS) * 1000)) | 0) | 1;
    Atomics.store(this.cells, ALARM.TIME, time);
    const asleep = this.wakesAt !== ALARM.NONE && ((this.wakesAt - now) | 0) > 0;
    if (asleep && ((time - this.wakesAt) | 0) >= -NEAR_US) return;
    this.wakesAt = time;
    Atomics.notify(this.cells, ALARM.TIME);
  }

  clear(): void {
    Atomics.store(this.cells, ALARM.TIME, ALARM.NONE);
  }

  dispose(): void {
    void this.thread.terminate();
  }
}
