import { describe, expect, it } from 'vitest';
import type { DmaMemory } from '../../bus/dma.ts';
import { KvmClock, MSR_KVM_SYSTEM_TIME_NEW, MSR_KVM_WALL_CLOCK_NEW } from './kvm-clock.ts';
import { scaleTicks, tickScale } from './kvm-clock-scale.ts';
import { TestClock } from './testing.ts';

const RAM = 0x10000;
const PAGE = 0x5f00;
const EPOCH_MS = 1_700_000_000_250;

class Memory implements DmaMemory {
  readonly bytes = new Uint8Array(RAM);
  readonly view = new DataView(this.bytes.buffer);
  /** Versions in the order in which they were written. */
  readonly versions: number[] = [];
  read(address: number, target: Uint8Array): void {
    target.set(this.bytes.subarray(address, address + target.length));
  }
  write(address: number, source: Uint8Array): void {
    // A reader that looks now must see an odd version.
    expect(this.view.getUint32(this.versionAt, true) & 1).toBe(1);
    this.bytes.set(source, address);
  }
  versionAt = PAGE;
  read8 = (address: number): number => this.view.getUint8(address);
  read16 = (address: number): number => this.view.getUint16(address, true);
  read32 = (address: number): number => this.view.getUint32(address, true);
  write8(address: number, value: number): void {
    this.view.setUint8(address, value);
  }
  write16(address: number, value: number): void {
    this.view.setUint16(address, value, true);
  }
  write32(address: number, value: number): void {
    this.versions.push(value);
    this.view.setUint32(address, value, true);
  }
}

function setUp(hz = 1e9) {
  const clock = new TestClock(5000);
  const memory = new Memory();
  const counter = { hz, offset: 0, ticksAt: (nowNs: number) => Math.floor(nowNs * (counter.hz / 1e9)) + counter.offset };
  const make = (): KvmClock => new KvmClock({ id: 'kvm-clock0', clock, counter, memory, isRam: (address, length) => address + length <= RAM, epochMsAtPowerOn: EPOCH_MS });
  const device = make();
  /** What a guest reads, with the arithmetic of the specification in 64 bits. */
  const read = (): number => {
    const { view } = memory;
    expect(view.getUint32(PAGE, true) & 1).toBe(0);
    const delta = BigInt.asUintN(64, BigInt(counter.ticksAt(clock.nowNs())) - view.getBigUint64(PAGE + 8, true));
    const shift = view.getInt8(PAGE + 28);
    const shifted = shift < 0 ? delta >> BigInt(-shift) : BigInt.asUintN(64, delta << BigInt(shift));
    return Number(((shifted * BigInt(view.getUint32(PAGE + 24, true))) >> 32n) + view.getBigUint64(PAGE + 16, true));
  };
  const enable = (): boolean => device.writeMsr(MSR_KVM_SYSTEM_TIME_NEW, PAGE | 1, 0);
  return { clock, memory, counter, device, make, read, enable };
}

describe('ticks to nanoseconds', () => {
  it.each([1e9, 2_445_536_000, 3.7e9, 1e8, 999_999_000, 1e6, 1e11])('at %s ticks a second', (hz) => {
    const scale = tickScale(1e9 / hz);
    expect(scale.multiplier).toBeGreaterThanOrEqual(2 ** 31);
    expect(scale.multiplier).toBeLessThan(2 ** 32);
    for (const seconds of [0, 1, 1000]) expect(Math.abs(scaleTicks(seconds * hz, scale) - seconds * 1e9)).toBeLessThanOrEqual(1 + seconds);
  });

  it('is exact at a tick a nanosecond', () => {
    expect(tickScale(1)).toEqual({ multiplier: 2 ** 31, shift: 1 });
    expect(scaleTicks(123_456_789_012_345, tickScale(1))).toBe(123_456_789_012_345);
  });
});

describe('the clock page', () => {
  it.each([1e9, 2_445_536_000])('tells virtual time from a counter of %s ticks a second', (hz) => {
    const { clock, memory, read, enable } = setUp(hz);
    expect(enable()).toBe(true);
    expect(memory.versions).toEqual([1, 2]);
    expect(memory.view.getUint8(PAGE + 29)).toBe(1);
    for (const step of [0, 1, 999, 1e6, 3e9, 3600e9]) {
      clock.advance(step);
      expect(Math.abs(read() - clock.nowNs())).toBeLessThanOrEqual(2 + clock.nowNs() * 1e-9);
    }
    expect(memory.versions).toEqual([1, 2]);
  });

  it('is not touched before the guest asks for it, after it has called it off, and after a reset', () => {
    const { memory, counter, device, enable } = setUp();
    const touch = (): void => {
      counter.offset += 1e9;
      device.counterChanged(false);
    };
    touch();
    expect(memory.versions).toEqual([]);
    enable();
    expect(memory.versions.length).toBe(2);
    touch();
    expect(memory.versions.length).toBe(4);
    device.writeMsr(MSR_KVM_SYSTEM_TIME_NEW, PAGE, 0);
    touch();
    expect(memory.versions.length).toBe(4);
    enable();
    device.reset();
    touch();
    expect(memory.versions.length).toBe(6);
  });

  it('never goes back when the counter is found ahead, and agrees with virtual time again later', () => {
    const { clock, counter, device, read, enable } = setUp(2_445_536_000);
    enable();
    clock.advance(1e9);
    let last = read();
    // The counter ran 20 us fast: at this value of the counter it is less virtual time than the page said.
    counter.offset += 48_910;
    expect(read()).toBeGreaterThan(clock.nowNs() + 19_000);
    last = Math.max(last, read());
    device.counterChanged(false);
    expect(read()).toBeGreaterThanOrEqual(last - 1);
    for (let i = 0; i < 30; i++) {
      clock.advance(50e6);
      expect(read()).toBeGreaterThan(last);
      last = read();
    }
    expect(Math.abs(read() - clock.nowNs())).toBeLessThan(20);
    clock.advance(3600e9);
    expect(Math.abs(read() - clock.nowNs())).toBeLessThan(3600);
  });

  it('jumps forward at once when the counter is found behind, and follows a counter that ran on in a pause', () => {
    const { clock, counter, device, read, enable } = setUp();
    enable();
    counter.offset -= 5e6;
    device.counterChanged(false);
    expect(read()).toBe(clock.nowNs());
    clock.advance(1000);
    counter.offset += 90e9;
    device.counterChanged(true);
    expect(read()).toBe(clock.nowNs());
    clock.advance(1000);
    counter.hz = 3e9;
    device.counterChanged(true);
    expect(Math.abs(read() - clock.nowNs())).toBeLessThanOrEqual(1);
  });

  it('is written nowhere but in RAM, at multiples of four', () => {
    const { memory, device } = setUp();
    const before = memory.bytes.slice();
    for (const [low, high] of [[0xffff_fff0, 0], [RAM - 8, 0], [0x5000, 1], [0x5000, 0xffff_ffff], [0x5002, 0], [0xfee0_0000, 0]] as const) {
      const out = new Uint32Array(2);
      expect(device.writeMsr(MSR_KVM_WALL_CLOCK_NEW, low, high)).toBe(true);
      expect(device.readMsr(MSR_KVM_WALL_CLOCK_NEW, out)).toBe(true);
      expect([...out]).toEqual([low, high]);
      expect(device.writeMsr(MSR_KVM_SYSTEM_TIME_NEW, low + 1, high)).toBe(true);
      expect(device.readMsr(MSR_KVM_SYSTEM_TIME_NEW, out)).toBe(true);
      expect([...out]).toEqual([low + 1, high]);
    }
    expect(memory.bytes).toEqual(before);
    device.counterChanged(false);
    expect(device.writeMsr(0x12, 0x5001, 0)).toBe(false);
    expect(device.readMsr(0x4b56_4d02, new Uint32Array(2))).toBe(false);
  });

  it('tells the date at virtual time 0, and a machine that was away says so', () => {
    const { memory, device } = setUp();
    memory.versionAt = PAGE;
    device.writeMsr(MSR_KVM_WALL_CLOCK_NEW, PAGE, 0);
    expect([memory.read32(PAGE), memory.read32(PAGE + 4), memory.read32(PAGE + 8)]).toEqual([2, 1_700_000_000, 250_000_000]);
    device.advance(1000);
    device.writeMsr(MSR_KVM_WALL_CLOCK_NEW, PAGE, 0);
    expect([memory.read32(PAGE), memory.read32(PAGE + 4), memory.read32(PAGE + 8)]).toEqual([4, 1_700_000_001, 250_000_000]);
  });
});

describe('saved states', () => {
  it('go on with the same page where the counter is the same, and with another where it is not', () => {
    const { clock, memory, counter, device, make, read, enable } = setUp();
    enable();
    clock.advance(1e6);
    const saved = device.save();
    const twin = make();
    twin.load(saved);
    expect(memory.versions.length).toBe(2);
    twin.refresh();
    expect(memory.versions.length).toBe(2);
    expect(twin.save()).toEqual(saved);
    const third = make();
    third.load(saved);
    counter.hz = 2_445_536_000;
    counter.offset = 7e14;
    third.refresh();
    expect(memory.versions).toEqual([1, 2, 3, 4]);
    expect(Math.abs(read() - clock.nowNs())).toBeLessThanOrEqual(1);
    third.refresh();
    expect(memory.versions.length).toBe(4);
  });

  it('that claim a page without saying what is on it get one', () => {
    const { clock, memory, device, make, read } = setUp();
    const twin = make();
    twin.load({ ...device.save(), fields: { ...device.save().fields, systemTime: [PAGE | 1, 0] } });
    twin.refresh();
    expect(memory.versions).toEqual([1, 2]);
    expect(read()).toBe(clock.nowNs());
  });
});
