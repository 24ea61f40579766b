// The thread of deadline-alarm.ts.

import { workerData } from 'node:worker_threads';
import { ALARM, type AlarmThreadData, alarmClock } from './deadline-alarm.ts';

const { cells, memory, wordAt, bit } = workerData as AlarmThreadData;
const times = new Int32Array(cells);
const word = new Int32Array(memory, wordAt, 1);

for (;;) {
  const time = Atomics.load(times, ALARM.TIME);
  if (time === ALARM.NONE) {
    Atomics.wait(times, ALARM.TIME, ALARM.NONE);
    continue;
  }
  const leftUs = (time - alarmClock()) | 0;
  if (leftUs > 0) Atomics.wait(times, ALARM.TIME, time, leftUs / 1000);
  // Called off or set anew meanwhile: nothing rings.
  else if (Atomics.compareExchange(times, ALARM.TIME, time, ALARM.NONE) === time) Atomics.or(word, 0, bit);
}
