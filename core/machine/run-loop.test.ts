// The run loop over a processor that only counts: how well slices meet deadlines when the guest's speed changes.

import { describe, expect, it } from 'vitest';
import { TimerQueue } from '../base/timer-queue.ts';
import type { RunExit, Vcpu } from '../cpu/contract.ts';
import { IoQueue } from './io-queue.ts';
import { RunLoop } from './run-loop.ts';
import { HostTime } from './virtual-clock.ts';

/** A processor's alarm rings this late. */
const ALARM_LATE_MS = 0.06;

/** @param perMs the guest's speed at a host time, looked at every tenth of a millisecond */
function loopOver(perMs: (hostMs: number) => number, untilMs: number, hasAlarm = false): { run: Promise<void>; lateMs: number[]; sliceMs: number[]; slices: () => number } {
  let hostMs = 0;
  let retired = 0;
  let slices = 0;
  let ringsMs = Infinity;
  const time = new HostTime(() => hostMs);
  const timers = new TimerQueue(() => time.nowNs());
  const io = new IoQueue({ nowNs: () => time.nowNs(), deterministic: false, wake: () => undefined });
  const vcpu = {
    instructionCount: () => retired,
    requestYield: () => undefined,
    run: (budget: number): RunExit => {
      slices++;
      // 5 microseconds of overhead a slice.
      hostMs += 0.005;
      if (!hasAlarm) {
        retired += budget;
        hostMs += budget / perMs(hostMs);
        return 'budget';
      }
      for (let left = budget; left > 0; ) {
        const ms = Math.min(left / perMs(hostMs), 0.1, Math.max(0, ringsMs - hostMs));
        const ran = Math.min(left, Math.ceil(ms * perMs(hostMs)));
        left -= ran;
        retired += ran;
        hostMs += ms;
        if (hostMs < ringsMs) continue;
        ringsMs = Infinity;
        return 'yield';
      }
      return 'budget';
    },
    ...(hasAlarm ? { setAlarm: (ms: number | undefined) => (ringsMs = ms === undefined ? Infinity : hostMs + ms + ALARM_LATE_MS) } : {}),
  } as unknown as Vcpu;
  const loop = new RunLoop({ vcpu, timers, time, io, readHostMs: () => hostMs, interruptPending: () => false, onExit: () => true, beforeSlice: () => sliceMs.push(hostMs) });
  const sliceMs: number[] = [];
  // A guest's tick: every 4 ms, armed anew each time.
  const lateMs: number[] = [];
  const tick = timers.createTimer('tick', (nowNs) => {
    lateMs.push(nowNs / 1e6 - dueMs);
    dueMs = nowNs / 1e6 + 4;
    tick.arm(dueMs * 1e6);
  });
  let dueMs = 4;
  tick.arm(dueMs * 1e6);
  const run = new Promise<void>((resolve, reject) => {
    const end = timers.createTimer('end', () => {
      void loop.stop().then(resolve);
    });
    end.arm(untilMs * 1e6);
    loop.start(reject);
  });
  return { run, lateMs, sliceMs, slices: () => slices };
}

const worst = (values: readonly number[]): number => Math.max(...values);

describe('slices', () => {
  it('meet deadlines within 100 microseconds while the speed is steady', async () => {
    const { run, lateMs, slices } = loopOver(() => 200_000, 2000);
    await run;
    expect(lateMs.length).toBeGreaterThan(480);
    expect(worst(lateMs.slice(20))).toBeLessThan(0.1);
    // And are not cut to pieces: two to four for each 2 ms.
    expect(slices()).toBeLessThan(5000);
  });

  it('are as long as before at once when the guest gets a hundred times slower', async () => {
    // 200 ms of REP or well compiled code, then 200 ms of code that is interpreted, ten times.
    const { run, sliceMs } = loopOver((hostMs) => (hostMs % 400 < 200 ? 4_000_000 : 40_000), 4000);
    await run;
    const lengths = sliceMs.slice(1).map((ms, i) => ms - (sliceMs[i] ?? 0));
    // The piece in which the speed changes is long, and the first one of the next slice.
    expect(worst(lengths)).toBeLessThan(15);
    expect(lengths.filter((ms) => ms > 3).length).toBeLessThanOrEqual(2 * 10);
  });

  it('are not cut short because the host takes the thread away now and then', async () => {
    // Every 97 ms the host does something else for 10 ms: 200,000 instructions a millisecond look like 20,000.
    const { run, slices } = loopOver((hostMs) => (hostMs % 97 < 1 ? 20_000 : 200_000), 4000);
    await run;
    // Two to four slices of up to eight pieces for each 2 ms.
    expect(slices()).toBeLessThan(4000 * 10);
  });

  it('are bounded after a phase that fills memory eighty times as fast', async () => {
    // 3 ms of REP, then 40 ms of ordinary code, again and again.
    const { run, lateMs } = loopOver((hostMs) => (hostMs % 43 < 3 ? 8_000_000 : 100_000), 3000);
    await run;
    expect(worst(lateMs.slice(20))).toBeLessThan(42);
  });
});

describe('deadlines of a processor with an alarm', () => {
  it.each([
    ['gets a hundred times slower for 200 ms', (hostMs: number) => (hostMs % 400 < 200 ? 4_000_000 : 40_000)],
    ['fills memory for 3 ms, eighty times as fast', (hostMs: number) => (hostMs % 43 < 3 ? 8_000_000 : 100_000)],
    ['changes its speed all the time', (hostMs: number) => [8_000_000, 20_000, 500_000][Math.floor(hostMs / 1.7) % 3] ?? 1],
  ])('are met within 100 microseconds when the guest %s', async (_name, perMs) => {
    const { run, lateMs } = loopOver(perMs, 3000, true);
    await run;
    expect(lateMs.length).toBeGreaterThan(500);
    expect(worst(lateMs)).toBeLessThan(0.1);
  });
});

describe('a guest that counts timer interrupts while it watches the time-stamp counter', () => {
  it('gets them when the host keeps the thread for tens of milliseconds', async () => {
    let hostMs = 0;
    let retired = 0;
    let yields = 0;
    let ticks = 0;
    const ticksSeen: number[] = [];
    const time: HostTime = new HostTime(() => hostMs, () => timers.nextDeadlineNs());
    const timers = new TimerQueue(() => time.nowNs());
    const io = new IoQueue({ nowNs: () => time.nowNs(), deterministic: false, wake: () => undefined });
    let start = 0;
    let seed = 1;
    let stop: () => void = () => undefined;
    const vcpu = {
      instructionCount: () => retired,
      requestYield: () => void yields++,
      run: (budget: number): RunExit => {
        const before = yields;
        for (let left = budget; left > 0; left -= 100) {
          retired += 100;
          seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
          // Once in a thousand looks the host runs something else for 60 ms.
          hostMs += seed % 500 === 0 ? 60 : 0.002;
          const nowNs = timers.nowNs();
          if (nowNs - start >= 10e6) {
            ticksSeen.push(ticks);
            ticks = 0;
            start = nowNs;
            if (ticksSeen.length === 300) stop();
          }
          if (yields !== before) return 'yield';
        }
        return 'budget';
      },
    } as unknown as Vcpu;
    const loop = new RunLoop({ vcpu, timers, time, io, readHostMs: () => hostMs, interruptPending: () => false, onExit: () => true, beforeSlice: () => undefined });
    const tick = timers.createTimer('tick', (nowNs) => {
      ticks++;
      tick.arm(Math.max(nowNs, tickNs += 1e6));
    });
    let tickNs = 1e6;
    tick.arm(tickNs);
    await new Promise<void>((resolve, reject) => {
      stop = () => void loop.stop().then(resolve);
      loop.start(reject);
    });
    // Linux wants more than four of ten; a tick that was missed may come with the next.
    expect(Math.min(...ticksSeen)).toBeGreaterThan(7);
  });
});
