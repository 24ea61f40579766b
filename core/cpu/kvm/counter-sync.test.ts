import { describe, expect, it } from 'vitest';
import { CounterSync } from './counter-sync.ts';
import type { KvmCore } from './kvm-core.ts';
import type { KvmVm } from './kvm-vm.ts';

function setUp(setsTsc = true) {
  const time = { hostMs: 0, ns: 0, kvmTsc: 0 };
  const done: string[] = [];
  const sync = new CounterSync({
    clock: { readTsc: () => time.ns * 2, counterIs: (ticks) => done.push(`counter is ${ticks}`) },
    readHostMs: () => time.hostMs,
    readNs: () => time.ns,
    setsTsc,
  });
  const core = { state: { writeTsc: (ticks: number) => done.push(`counter to ${ticks}`), readTsc: () => time.kvmTsc } } as unknown as KvmCore;
  const vm = { setClock: (ns: number) => done.push(`clock to ${ns}`) } as unknown as KvmVm;
  return { time, sync, follow: () => sync.follow(core, vm), take: () => done.splice(0) };
}

describe('KVM clocks on virtual time', () => {
  it('are set before the first run and after the machine stood still, and left alone while it runs', () => {
    const { time, sync, follow, take } = setUp();
    time.ns = 5000;
    follow();
    expect(take()).toEqual(['clock to 5000', 'counter to 10000']);
    sync.note();
    time.hostMs += 2;
    time.ns += 2e6;
    follow();
    expect(take()).toEqual([]);
    sync.note();
    // A pause: host time alone goes on.
    time.hostMs += 90_000;
    follow();
    expect(take()).toEqual(['clock to 2005000', 'counter to 4010000']);
    sync.note();
    sync.forget();
    follow();
    expect(take()).toEqual(['clock to 2005000', 'counter to 4010000']);
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
    expect(take()).toEqual(['counter is 7']);
    const fixed = setUp(false);
    fixed.time.kvmTsc = 99;
    fixed.follow();
    expect(fixed.take()).toEqual(['clock to 0', 'counter is 99']);
  });
});
