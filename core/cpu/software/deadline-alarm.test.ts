import { afterEach, describe, expect, it } from 'vitest';
import { DeadlineAlarm } from './deadline-alarm.ts';

const BIT = 4;
const OTHER_BIT = 1;
/** Longer than any stall of the host. */
const LONG_MS = 60_000;

const alarms: DeadlineAlarm[] = [];
afterEach(() => {
  for (const alarm of alarms.splice(0)) alarm.dispose();
});

function alarmOver(word: Int32Array): DeadlineAlarm {
  const alarm = new DeadlineAlarm({ memory: word.buffer as SharedArrayBuffer, wordAt: word.byteOffset, bit: BIT });
  alarms.push(alarm);
  return alarm;
}

const newWord = (): Int32Array => new Int32Array(new SharedArrayBuffer(64), 16, 1);

/** Nobody notifies the word, as nobody notifies a running processor. */
async function untilRung(word: Int32Array): Promise<void> {
  while ((Atomics.load(word, 0) & BIT) === 0) await new Promise((resolve) => void setImmediate(resolve));
}

describe('the alarm', () => {
  it('sets its bit and leaves the others', async () => {
    const word = newWord();
    word[0] = OTHER_BIT;
    alarmOver(word).set(1);
    await untilRung(word);
    expect(word[0]).toBe(OTHER_BIT | BIT);
  });

  it('rings again and again, also for times that are over and for earlier ones than it sleeps for', async () => {
    const word = newWord();
    const alarm = alarmOver(word);
    for (const ms of [2, 0, -5, 1, 3]) {
      alarm.set(LONG_MS);
      alarm.set(ms);
      await untilRung(word);
      Atomics.and(word, 0, ~BIT);
    }
  });

  it('does not ring when it was called off or set later', async () => {
    const [off, later, ringing] = [newWord(), newWord(), newWord()];
    const [first, second, third] = [alarmOver(off), alarmOver(later), alarmOver(ringing)];
    // All threads are there.
    for (const [alarm, word] of [[first, off], [second, later], [third, ringing]] as const) {
      alarm.set(0);
      await untilRung(word);
      word[0] = 0;
    }
    first.set(20);
    first.clear();
    second.set(20);
    second.set(LONG_MS);
    third.set(60);
    await untilRung(ringing);
    expect([off[0], later[0]]).toEqual([0, 0]);
  });
});
