import { describe, expect, it } from 'vitest';
import { InterruptBus, type InterruptTarget } from '../../bus/interrupt-bus.ts';
import { MmioBus } from '../../bus/mmio-bus.ts';
import { IoApic } from './io-apic.ts';

const BASE = 0xfec00000;

function setUp() {
  const bus = new InterruptBus();
  const seen: string[] = [];
  const addTarget = (apicId: number, arbitrationPriority = 0) => {
    const target: InterruptTarget = {
      apicId,
      arbitrationPriority,
      acceptsFixed: true,
      matchesPhysical: (destination) => destination === apicId || destination === 0xff,
      matchesLogical: (destination) => (destination & (1 << apicId)) !== 0,
      accept: (mode, vector, level) =>
        seen.push(`${apicId}: mode ${mode} vector ${vector.toString(16)} ${level ? 'level' : 'edge'}`),
    };
    return bus.addTarget(target);
  };
  addTarget(0, 5);
  addTarget(1, 2);
  const ioApic = new IoApic({ bus });
  const mmio = new MmioBus();
  ioApic.attach(mmio);
  const read = (register: number) => {
    mmio.write(BASE, 4, register);
    return mmio.read(BASE + 0x10, 4);
  };
  const write = (register: number, value: number) => {
    mmio.write(BASE, 4, register);
    mmio.write(BASE + 0x10, 4, value);
  };
  const entry = (pin: number, low: number, destination = 0) => {
    write(0x11 + pin * 2, destination * 0x1000000);
    write(0x10 + pin * 2, low);
  };
  const take = () => seen.splice(0);
  return { bus, ioApic, mmio, read, write, entry, take };
}

describe('I/O APIC registers', () => {
  it('id, version, arbitration and redirection table', () => {
    const { read, write, mmio } = setUp();
    expect(read(1)).toBe(0x00170020);
    write(0, 0xff000000);
    expect(read(0)).toBe(0x0f000000);
    expect(read(2)).toBe(0x0f000000);
    expect(read(0x10)).toBe(0x10000);
    write(0x10, 0xffffffff);
    expect(read(0x10)).toBe(0x1afff);
    write(0x3f, 0xffffffff);
    expect(read(0x3f)).toBe(0xff000000);
    write(0x40, 0xffffffff);
    expect(read(0x40)).toBe(0);
    expect(mmio.read(BASE, 1)).toBe(0x40);
    mmio.write(BASE + 0x100, 4, 1);
    expect(mmio.read(BASE + 0x110, 4)).toBe(0x00170020);
  });
});

describe('I/O APIC delivery', () => {
  it('edges: one message each; lost while masked', () => {
    const { ioApic, entry, take } = setUp();
    const line = ioApic.pin(4);
    entry(4, 0x34);
    line.set(true);
    line.set(true);
    line.set(false);
    line.set(true);
    expect(take()).toEqual(['0: mode 0 vector 34 edge', '0: mode 0 vector 34 edge']);
    entry(4, 0x10034);
    line.set(false);
    line.set(true);
    entry(4, 0x34);
    expect(take()).toEqual([]);
  });

  it('levels: once until EOI, then again while the line is high', () => {
    const { ioApic, bus, entry, take, read } = setUp();
    const line = ioApic.pin(11);
    entry(11, 0x80b0);
    line.set(true);
    expect(take()).toEqual(['0: mode 0 vector b0 level']);
    expect(read(0x26)).toBe(0xc0b0);
    line.set(false);
    line.set(true);
    expect(take()).toEqual([]);
    bus.broadcastEoi(0xb1);
    expect(take()).toEqual([]);
    bus.broadcastEoi(0xb0);
    expect(take()).toEqual(['0: mode 0 vector b0 level']);
    line.set(false);
    bus.broadcastEoi(0xb0);
    expect(take()).toEqual([]);
    expect(read(0x26)).toBe(0x80b0);
  });

  it('levels: an asserted line is delivered when it is unmasked', () => {
    const { ioApic, entry, take } = setUp();
    entry(17, 0x180c0);
    ioApic.pin(17).set(true);
    expect(take()).toEqual([]);
    entry(17, 0x80c0);
    expect(take()).toEqual(['0: mode 0 vector c0 level']);
  });

  it('switching to edge and back clears remote IRR; EOIR does it by vector', () => {
    const { ioApic, entry, take, read, mmio } = setUp();
    entry(9, 0x8071);
    ioApic.pin(9).set(true);
    take();
    entry(9, 0x10071);
    expect(read(0x22)).toBe(0x10071);
    entry(9, 0x8071);
    expect(take()).toEqual(['0: mode 0 vector 71 level']);
    mmio.write(BASE + 0x40, 4, 0x71);
    expect(take()).toEqual(['0: mode 0 vector 71 level']);
  });

  it('delivers to logical, physical, broadcast and lowest-priority destinations, and as NMI', () => {
    const { ioApic, entry, take } = setUp();
    const pulse = () => {
      ioApic.pin(5).set(true);
      ioApic.pin(5).set(false);
      return take();
    };
    entry(5, 0x55, 1);
    expect(pulse()).toEqual(['1: mode 0 vector 55 edge']);
    entry(5, 0x855, 3);
    expect(pulse()).toEqual(['0: mode 0 vector 55 edge', '1: mode 0 vector 55 edge']);
    entry(5, 0x955, 3);
    expect(pulse()).toEqual(['1: mode 0 vector 55 edge']);
    entry(5, 0x155, 0xff);
    expect(pulse()).toEqual(['1: mode 0 vector 55 edge']);
    entry(5, 0x400, 0);
    expect(pulse()).toEqual(['0: mode 4 vector 0 edge']);
    entry(5, 0x55, 7);
    expect(pulse()).toEqual([]);
  });

  it('restores lines and remote IRR', () => {
    const a = setUp();
    a.entry(10, 0x80a0);
    a.ioApic.pin(10).set(true);
    const b = setUp();
    b.ioApic.load(a.ioApic.save());
    expect(b.take()).toEqual([]);
    b.bus.broadcastEoi(0xa0);
    expect(b.take()).toEqual(['0: mode 0 vector a0 level']);
    b.ioApic.pin(10).set(false);
    b.bus.broadcastEoi(0xa0);
    expect(b.take()).toEqual([]);
  });
});
