import { describe, expect, it } from 'vitest';
import { SharedIrqLine } from './irq.ts';
import { MmioBus } from './mmio-bus.ts';
import { type AccessSize, PortBus } from './port-bus.ts';

function recorder(value = 0): { log: string[]; readPort: (o: number, s: AccessSize) => number; writePort: (o: number, s: AccessSize, v: number) => void; readMmio: (o: number, s: AccessSize) => number; writeMmio: (o: number, s: AccessSize, v: number) => void } {
  const log: string[] = [];
  const read = (offset: number, size: AccessSize): number => {
    log.push(`r${size}@${offset}`);
    return value;
  };
  const write = (offset: number, size: AccessSize, written: number): void => {
    log.push(`w${size}@${offset}=${written.toString(16)}`);
  };
  return { log, readPort: read, writePort: write, readMmio: read, writeMmio: write };
}

describe('PortBus', () => {
  it('passes accesses a device can take and splits wider ones', () => {
    const bus = new PortBus();
    const device = recorder(0x12);
    bus.register(0x60, 4, device, 1);
    expect(bus.read(0x60, 4)).toBe(0x12121212);
    bus.write(0x61, 2, 0xbeef);
    expect(device.log).toEqual(['r1@0', 'r1@1', 'r1@2', 'r1@3', 'w1@1=ef', 'w1@2=be']);
  });

  it('splits an access that leaves the range, and reads ones where nobody answers', () => {
    const bus = new PortBus();
    const device = recorder(0);
    bus.register(0x100, 2, device, 2);
    expect(bus.read(0x101, 2)).toBe(0xff00);
    expect(bus.read(0x200, 4)).toBe(0xffffffff);
    expect(bus.read(0xffff, 2)).toBe(0xffff);
    expect(device.log).toEqual(['r1@1']);
  });

  it('refuses a second claim and frees ports on dispose', () => {
    const bus = new PortBus();
    const claim = bus.register(0x3f8, 8, recorder(1));
    expect(() => bus.register(0x3ff, 1, recorder())).toThrow(/0x3ff is claimed twice/);
    claim.dispose();
    expect(bus.read(0x3f8, 1)).toBe(0xff);
  });
});

describe('MmioBus', () => {
  it('prefers the higher priority where ranges overlap, also after a hit on the other one', () => {
    const bus = new MmioBus();
    const low = recorder(1);
    const high = recorder(2);
    bus.register(0x1000, 0x1000, low, 0);
    expect(bus.read(0x1800, 4)).toBe(1);
    const window = bus.register(0x1800, 0x100, high, 1);
    expect(bus.read(0x1700, 4)).toBe(1);
    expect(bus.read(0x1800, 4)).toBe(2);
    expect(bus.read(0x1900, 4)).toBe(1);
    window.dispose();
    expect(bus.read(0x1800, 4)).toBe(1);
    expect(bus.read(0x9000, 2)).toBe(0xffff);
  });
});

describe('SharedIrqLine', () => {
  it('is high while any source is high', () => {
    const levels: boolean[] = [];
    const shared = new SharedIrqLine({ set: (level) => levels.push(level) });
    const a = shared.connect();
    const b = shared.connect();
    a.set(true);
    b.set(true);
    b.set(true);
    a.set(false);
    b.set(false);
    expect(levels).toEqual([true, true, true, false]);
  });
});
