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
