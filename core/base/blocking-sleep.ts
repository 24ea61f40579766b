// A sleep that holds the thread up, for waits below the grain of Node's timers and where nothing else may happen meanwhile.

/** Never notified: Atomics.wait on it is a plain sleep. */
const SLEEP_CELL = new Int32Array(new SharedArrayBuffer(4));

export function blockThread(ms: number): void {
  Atomics.wait(SLEEP_CELL, 0, 0, ms);
}
