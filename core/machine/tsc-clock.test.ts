import { describe, expect, it } from 'vitest';
import { TSC_HZ, TscClock } from './tsc-clock.ts';

function clockAt(hz: number): { clock: TscClock; go: (ns: number) => void } {
  let now = 0;
  const time = { nowNs: () => now, pause: () => undefined, resume: () => undefined, restore: () => undefined };
  return { clock: new TscClock(time, hz), go: (ns) => (now += ns) };
}

describe('TscClock', () => {
  it('is virtual time at one tick a nanosecond, and scaled at other rates', () => {
    const nominal = clockAt(TSC_HZ);
    nominal.go(1234);
    expect([nominal.clock.now(), nominal.clock.toNs(5000)]).toEqual([1234, 5000]);
    const fast = clockAt(2_500_000_000);
    fast.go(1000);
    expect([fast.clock.now(), fast.clock.toNs(5000)]).toEqual([2500, 2000]);
  });

  it('follows a counter that an engine has: deadlines in its ticks come when it gets there', () => {
    const { clock, go } = clockAt(2_500_000_000);
    go(1000);
    clock.set(30_000_000_000_000, 1000, false);
    expect(clock.now()).toBe(30_000_000_000_000);
    const deadline = clock.now() + 2500;
    expect(clock.toNs(deadline)).toBe(2000);
    go(1000);
    expect(clock.now()).toBe(deadline);
  });
});
