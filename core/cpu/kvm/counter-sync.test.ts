import { describe, expect, it } from 'vitest';
import { CounterSync } from './counter-sync.ts';
import type { KvmCore } from './kvm-core.ts';

function setUp(setsTsc = true) {
  const time = { hostMs: 0, ns: 0, kvmTsc: 0 };
  const done: string[] = [];
  const sync = new CounterSync({
    clock: { readTsc: () => time.ns * 2, counterIs: (ticks, atNs, jumped) => done.push(`counter ${jumped ? 'jumped to' : 'is'} ${ticks} at ${atNs}`) },
    readHostMs: () => time.hostMs,
    readNs: () => time.ns,
    setsTsc,
  });
  const core = { state: { writeTsc: (ticks: number) => done.push(`counter to ${ticks}`), readTsc: () => time.kvmTsc } } as unknown as KvmCore;
  return { time, sync, core, follow: () => sync.follow(core), take: () => done.splice(0) };
}

describe("KVM's counter on virtual time", () => {
  it('are set before the first run and after the machine stood still, and left alone while it runs', () => {
    const { time, sync, follow, take } = setUp();
    time.ns = 5000;
    follow();
    expect(take()).toEqual(['counter to 10000']);
    sync.note();
    time.hostMs += 2;
    time.ns += 2e6;
    follow();
    expect(take()).toEqual([]);
    sync.note();
    // A pause: host time alone goes on.
    time.hostMs += 90_000;
    follow();
    expect(take()).toEqual(['counter to 4010000']);
    sync.note();
    sync.forget();
    follow();
    expect(take()).toEqual(['counter to 4010000']);
  });

  it("go by the counter once a second, and always where guests see the host's", () => {
    const { time, sync, follow, take } = setUp();
    follow();
    take();
    sync.note();
    time.hostMs += 1001;
    time.ns += 1001e6;
    time.kvmTsc = 7;
    follow();
    expect(take()).toEqual(['counter is 7 at 1001000000']);
    const fixed = setUp(false);
    fixed.time.kvmTsc = 99;
    fixed.follow();
    expect(fixed.take()).toEqual(['counter jumped to 99 at 0']);
  });

  it('takes the reading of the counter that the host disturbed least', () => {
    const { time, sync, core, take } = setUp();
    sync.note();
    const delays = [9e6, 3e6, 4000, 7e6];
    core.state.readTsc = () => {
      const ticks = time.ns + 1000;
      time.ns += delays.shift() ?? 0;
      return ticks;
    };
    sync.compare(core);
    expect(take()).toEqual([`counter is ${12e6 + 1000} at ${12e6 + 2000}`]);
  });
});
