import { describe, expect, it } from 'vitest';
import { HostTime, InstructionTime, NS_PER_INSTRUCTION } from './virtual-clock.ts';

describe('HostTime', () => {
  it('starts at 0 paused, runs with the host, stands still while paused', () => {
    let hostMs = 5000.5;
    const time = new HostTime(() => hostMs);
    hostMs += 10;
    expect(time.nowNs()).toBe(0);
    time.resume();
    hostMs += 2;
    expect(time.nowNs()).toBe(2_000_000);
    time.pause();
    hostMs += 1000;
    expect(time.nowNs()).toBe(2_000_000);
    time.resume();
    hostMs += 1;
    expect(time.nowNs()).toBe(3_000_000);
  });

  it('continues from a restored instant', () => {
    let hostMs = 0;
    const time = new HostTime(() => hostMs);
    time.restore(7_000);
    expect(time.nowNs()).toBe(7_000);
    time.resume();
    hostMs += 1;
    expect(time.nowNs()).toBe(1_007_000);
  });
});

describe('HostTime with timers', () => {
  function clock(): { time: HostTime; pass: (ms: number) => number; due: (ms: number) => void } {
    let hostMs = 1000;
    let deadlineNs = Infinity;
    const time = new HostTime(() => hostMs, () => deadlineNs);
    time.resume();
    return {
      time,
      pass: (ms) => {
        hostMs += ms;
        return time.nowNs() / 1e6;
      },
      due: (ms) => (deadlineNs = ms * 1e6),
    };
  }

  it('does not run past one, and gives back what it held back, a quarter faster', () => {
    const { pass, due } = clock();
    due(3);
    expect(pass(2)).toBe(2);
    // 48.5 of 50 ms are held back.
    expect(pass(50)).toBe(3.5);
    expect(pass(0.1)).toBeCloseTo(3.625, 4);
    // It has not run: time still goes on, looked at often.
    expect(pass(20)).toBeCloseTo(4.125, 4);
    due(Infinity);
    for (let i = 0; i < 200; i++) pass(4);
    expect(pass(0)).toBe(872.1);
    expect(pass(1)).toBe(873.1);
  });

  it('never goes back, and never more than half a millisecond past a timer', () => {
    const { time, pass, due } = clock();
    let last = 0;
    let next = 1;
    for (let i = 0; i < 5000; i++) {
      due(next);
      const now = pass(i % 7 === 0 ? i % 90 : (i % 5) / 2);
      expect(now).toBeGreaterThanOrEqual(last);
      expect(now).toBeLessThanOrEqual(Math.max(last, next) + 0.5);
      expect(Number.isInteger(time.nowNs())).toBe(true);
      if (now >= next) next += 1.000_000_3;
      last = now;
    }
  });

  it('lets waits pass at once as far as it is behind', () => {
    const { time, pass, due } = clock();
    due(0);
    expect(pass(50)).toBe(0.5);
    due(10.5);
    expect(time.skip(10e6)).toBe(0);
    expect(pass(0)).toBe(10.5);
    due(100.5);
    // 39.5 ms were left.
    expect(time.skip(90e6)).toBe(50.5e6);
    expect(pass(50.5)).toBe(100.5);
    expect(time.skip(7e6)).toBe(7e6);
  });

  it('forgets what is beyond ten seconds', () => {
    const { time, pass, due } = clock();
    due(0);
    expect(pass(3_600_000)).toBe(0.5);
    due(Infinity);
    expect(time.skip(20e9)).toBe(10e9);
    expect(pass(0)).toBe(10_000.5);
  });

  it('starts without a lag after a pause', () => {
    const { time, pass, due } = clock();
    due(0);
    pass(100);
    time.pause();
    expect(pass(70)).toBe(0.5);
    time.resume();
    due(Infinity);
    expect(pass(4)).toBe(4.5);
  });
});

describe('InstructionTime', () => {
  it('follows retired instructions and skips only forward', () => {
    let instructions = 10;
    const time = new InstructionTime(() => instructions);
    expect(time.nowNs()).toBe(10 * NS_PER_INSTRUCTION);
    time.skipTo(5000);
    expect(time.nowNs()).toBe(5000);
    time.skipTo(100);
    expect(time.nowNs()).toBe(5000);
    instructions++;
    expect(time.nowNs()).toBe(5000 + NS_PER_INSTRUCTION);
    time.restore(42);
    expect(time.nowNs()).toBe(42);
  });
});
