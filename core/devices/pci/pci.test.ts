import { describe, expect, it } from 'vitest';
import { MmioBus } from '../../bus/mmio-bus.ts';
import { type AccessSize, PortBus } from '../../bus/port-bus.ts';
import type { DeviceState } from '../device.ts';
import { parseState } from '../state.ts';
import { z } from 'zod';
import { PciBus } from './pci-bus.ts';
import { PciDevice, pciConfigSchema } from './pci-device.ts';
import { BusPciMapper } from './pci-mapper.ts';

class Probe extends PciDevice {
  readonly maps: (number | undefined)[] = [];
  readonly written: string[] = [];

  constructor(id = 'probe') {
    super({ id, vendorId: 0x1234, deviceId: 0x5678, revision: 9, classCode: 0x020000, interruptPin: 1 });
    this.addBar(0, {
      kind: 'io',
      sizeBytes: 32,
      device: { readPort: (offset) => offset + 0x40, writePort: (o, s, v) => this.written.push(`io ${o} ${s} ${v}`) },
    });
    this.addBar(1, {
      kind: 'memory',
      sizeBytes: 4096,
      device: { readMmio: (offset) => offset + 1, writeMmio: (o, s, v) => this.written.push(`mem ${o} ${s} ${v}`) },
    });
    this.addBar(2, { kind: 'memory64', sizeBytes: 1 << 20, prefetchable: true, onMap: (base) => this.maps.push(base) });
    this.addRom(Uint8Array.of(0x55, 0xaa, 3));
  }

  capability(id: number, size: number): number {
    return this.addCapability(id, size);
  }

  irq(level: boolean): void {
    this.setInterrupt(level);
  }

  where(index: number): number | undefined {
    return this.barBase(index);
  }

  reset(): void {
    this.resetConfig();
  }

  save(): DeviceState {
    return { version: 1, fields: { config: this.saveConfig() } };
  }

  load(state: DeviceState): void {
    const { config } = parseState(this.id, state, 1, z.strictObject({ config: pciConfigSchema }));
    this.checkConfig(config);
    this.loadConfig(config);
  }
}

function setUp() {
  const ports = new PortBus();
  const mmio = new MmioBus();
  const bus = new PciBus({ mapper: new BusPciMapper({ ports, mmio }) });
  bus.attach(ports);
  const probe = new Probe();
  bus.add(probe, 4);
  const select = (slot: number, offset: number, fn = 0) =>
    ports.write(0xcf8, 4, 0x80000000 + slot * 0x800 + fn * 0x100 + (offset & 0xfc));
  const read = (slot: number, offset: number, size: AccessSize = 4) => {
    select(slot, offset);
    return ports.read(0xcfc + (offset & 3), size);
  };
  const write = (slot: number, offset: number, value: number, size: AccessSize = 4) => {
    select(slot, offset);
    ports.write(0xcfc + (offset & 3), size, value);
  };
  return { ports, mmio, bus, probe, read, write, select };
}

describe('configuration mechanism #1', () => {
  it('reads bytes, words and dwords, and all ones where nobody is', () => {
    const { read, ports, select } = setUp();
    expect(read(4, 0)).toBe(0x56781234);
    expect(read(4, 2, 2)).toBe(0x5678);
    expect(read(4, 3, 1)).toBe(0x56);
    expect(read(4, 8)).toBe(0x02000009);
    expect(read(5, 0)).toBe(0xffffffff);
    expect(read(5, 0, 2)).toBe(0xffff);
    select(4, 0);
    expect(ports.read(0xcf8, 4)).toBe(0x80002000);
    ports.write(0xcf8, 4, 0x00002000);
    expect(ports.read(0xcfc, 4)).toBe(0xffffffff);
    ports.write(0xcf8, 4, 0x80012000);
    expect(ports.read(0xcfc, 4)).toBe(0xffffffff);
  });

  it('takes only dwords for the address; CF9h byte accesses go to the reset control', () => {
    const { ports, bus } = setUp();
    const seen: number[] = [];
    bus.resetControl = { readResetControl: () => 0x42, writeResetControl: (value) => seen.push(value) };
    ports.write(0xcf8, 4, 0x80002000);
    ports.write(0xcf8, 1, 0x55);
    ports.write(0xcf8, 2, 0x1234);
    ports.write(0xcf9, 1, 6);
    expect(seen).toEqual([6]);
    expect(ports.read(0xcf9, 1)).toBe(0x42);
    expect(ports.read(0xcf8, 4)).toBe(0x80002000);
  });

  it('keeps read-only bits', () => {
    const { read, write } = setUp();
    write(4, 0, 0);
    write(4, 8, 0);
    write(4, 0x3c, 0xffffffff);
    write(4, 4, 0xffffffff);
    expect(read(4, 0)).toBe(0x56781234);
    expect(read(4, 8)).toBe(0x02000009);
    expect(read(4, 0x3c)).toBe(0x000001ff);
    expect(read(4, 4, 2)).toBe(0x0507);
    expect(read(4, 0x2c)).toBe(0x11001af4);
  });
});

describe('base address registers', () => {
  it('size as the specification says', () => {
    const { read, write } = setUp();
    for (const [offset, mask] of [
      [0x10, 0xffffffe1],
      [0x14, 0xfffff000],
      [0x18, 0xfff0000c],
      [0x1c, 0xffffffff],
      [0x20, 0],
      [0x30, 0xfffff801],
    ] as const) {
      write(4, offset, 0xffffffff);
      expect(read(4, offset)).toBe(mask);
    }
  });

  it('answer only while decoding is on, also after they move', () => {
    const { ports, mmio, write, probe } = setUp();
    write(4, 0x10, 0xc000);
    expect(ports.read(0xc003, 1)).toBe(0xff);
    write(4, 4, 1, 2);
    expect(ports.read(0xc003, 1)).toBe(0x43);
    expect(mmio.read(0xe0000004, 4)).toBe(0xffffffff);
    write(4, 0x14, 0xe0000000);
    write(4, 4, 3, 2);
    expect(mmio.read(0xe0000004, 4)).toBe(5);
    write(4, 0x10, 0xd000);
    expect(ports.read(0xc003, 1)).toBe(0xff);
    expect(ports.read(0xd003, 1)).toBe(0x43);
    ports.write(0xd000, 4, 0x12345678);
    expect(probe.written).toEqual(['io 0 4 305419896']);
    write(4, 4, 0, 2);
    expect(ports.read(0xd003, 1)).toBe(0xff);
    expect(mmio.read(0xe0000004, 4)).toBe(0xffffffff);
  });

  it('are not mapped at 0 or while being sized', () => {
    const { write, probe } = setUp();
    write(4, 4, 3, 2);
    expect(probe.where(0)).toBeUndefined();
    write(4, 0x10, 0xffffffff);
    write(4, 0x14, 0xffffffff);
    expect(probe.where(0)).toBeUndefined();
    expect(probe.where(1)).toBeUndefined();
    write(4, 0x14, 0xfebf0000);
    expect(probe.where(1)).toBe(0xfebf0000);
  });

  it('of 64 bits tell their owner where they are', () => {
    const { write, probe } = setUp();
    write(4, 4, 2, 2);
    write(4, 0x18, 0x00100000);
    write(4, 0x1c, 0x12);
    write(4, 4, 0, 2);
    expect(probe.maps).toEqual([0x100000, 0x1200100000, undefined]);
  });

  it('of two devices on the same ports: the first wins, the other follows when they are free', () => {
    const { bus, ports, write } = setUp();
    const second = new Probe('second');
    bus.add(second, 5);
    write(4, 4, 1, 2);
    write(5, 4, 1, 2);
    write(4, 0x10, 0xc000);
    write(5, 0x10, 0xc000);
    ports.write(0xc000, 1, 7);
    write(4, 0x10, 0xc100);
    ports.write(0xc000, 1, 8);
    expect(second.written).toEqual(['io 0 1 8']);
    write(5, 0x10, 0xcf8 & ~31);
    expect(ports.read(0xcf8, 4)).not.toBe(0x40);
  });

  it('do not cover RAM when the board forbids it', () => {
    const ports = new PortBus();
    const mmio = new MmioBus();
    const bus = new PciBus({ mapper: new BusPciMapper({ ports, mmio, isPciMemory: (base) => base >= 0x8000000 }) });
    const probe = new Probe();
    bus.add(probe, 1);
    probe.writeConfig(4, 2, 2);
    probe.writeConfig(0x14, 4, 0x100000);
    expect(mmio.read(0x100000, 4)).toBe(0xffffffff);
    probe.writeConfig(0x14, 4, 0x8000000);
    expect(mmio.read(0x8000000, 4)).toBe(1);
  });

  it('expansion ROM needs its enable bit and memory decoding', () => {
    const { mmio, write } = setUp();
    write(4, 0x30, 0xfeb00000);
    write(4, 4, 2, 2);
    expect(mmio.read(0xfeb00000, 2)).toBe(0xffff);
    write(4, 0x30, 0xfeb00001);
    expect(mmio.read(0xfeb00000, 2)).toBe(0xaa55);
    mmio.write(0xfeb00000, 1, 0);
    expect(mmio.read(0xfeb00000, 1)).toBe(0x55);
    expect(mmio.read(0xfeb007ff, 1)).toBe(0xff);
  });
});

describe('interrupt pins', () => {
  it('reach the board per slot, and stop with INTx disable', () => {
    const { bus, probe, write, read } = setUp();
    const pins: string[] = [];
    bus.connectPins({ setSlotPin: (slot, pin, level) => pins.push(`${slot} ${pin} ${level}`) });
    probe.irq(true);
    probe.irq(true);
    expect(read(4, 6, 2) & 8).toBe(8);
    write(4, 4, 0x400, 2);
    write(4, 4, 0, 2);
    probe.irq(false);
    expect(pins).toEqual(['4 1 true', '4 1 false', '4 1 true', '4 1 false']);
    expect(read(4, 6, 2) & 8).toBe(0);
  });
});

describe('capabilities and state', () => {
  it('links capabilities', () => {
    const { probe, read } = setUp();
    expect(probe.capability(0x11, 12)).toBe(0x40);
    expect(probe.capability(0x09, 18)).toBe(0x4c);
    expect(read(4, 0x06, 2) & 0x10).toBe(0x10);
    expect(read(4, 0x34, 1)).toBe(0x40);
    expect(read(4, 0x40, 2)).toBe(0x4c11);
    expect(read(4, 0x4c, 2)).toBe(0x0009);
  });

  it('restores mappings from saved state and refuses the state of another device', () => {
    const a = setUp();
    a.write(4, 0x10, 0xc000);
    a.write(4, 4, 1, 2);
    const b = setUp();
    b.probe.load(a.probe.save());
    expect(b.ports.read(0xc001, 1)).toBe(0x41);
    b.probe.reset();
    expect(b.ports.read(0xc001, 1)).toBe(0xff);
    const config = a.probe.save().fields['config'] as Uint8Array;
    const foreign = config.slice();
    foreign[0] = 0x99;
    expect(() => b.probe.load({ version: 1, fields: { config: foreign } })).toThrow(/another PCI device/);
    const hostile = config.slice();
    hostile[0x0a] = 0x77;
    b.probe.load({ version: 1, fields: { config: hostile } });
    expect(b.read(4, 8)).toBe(0x02000009);
  });
});
