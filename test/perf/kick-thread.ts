// The thread that kicks a processor for exit-latency.ts: sets EVENT.YIELD at a time that nobody expects and notes when.

import { workerData } from 'node:worker_threads';
import { EVENT } from '../../core/cpu/isa/layout.ts';
import { KICK, monotonicUs } from './kick-cells.ts';

const { memory, eventsAt, cells } = workerData as { readonly memory: SharedArrayBuffer; readonly eventsAt: number; readonly cells: SharedArrayBuffer };
const events = new Int32Array(memory, eventsAt, 1);
const state = new Int32Array(cells, 0, 2);
const time = new Float64Array(cells, 8, 1);
const SLEEP = new Int32Array(new SharedArrayBuffer(4));
const LEAST_WAIT_MS = 0.5;
const MORE_WAIT_MS = 2;

for (;;) {
  Atomics.wait(state, KICK.STATE, KICK.IDLE);
  if (Atomics.load(state, KICK.STATE) === KICK.END) break;
  Atomics.wait(SLEEP, 0, 0, LEAST_WAIT_MS + Math.random() * MORE_WAIT_MS);
  time[0] = monotonicUs();
  Atomics.or(events, 0, EVENT.YIELD);
  Atomics.compareExchange(state, KICK.STATE, KICK.WANTED, KICK.IDLE);
}
