import { describe, expect, it } from 'vitest';
import { SharedIrqLine } from '../../bus/irq.ts';
import { MmioBus } from '../../bus/mmio-bus.ts';
import { type AccessSize, PortBus } from '../../bus/port-bus.ts';
import { TestClock, TestLine } from '../platform/testing.ts';
import { I440fx, type PamRegion } from './i440fx.ts';
import { PciBus } from './pci-bus.ts';
import { BusPciMapper } from './pci-mapper.ts';
import { Piix3 } from './piix3.ts';
import { Piix4Pm } from './piix4-pm.ts';

const NS_PER_S = 1_000_000_000;

function setUp() {
  const clock = new TestClock();
  const ports = new PortBus();
  const bus = new PciBus({ mapper: new BusPciMapper({ ports, mmio: new MmioBus() }) });
  bus.attach(ports);
  const events: string[] = [];
  let pam: readonly PamRegion[] = [];
  const host = new I440fx({
    ramBytes: 128 << 20,
    onPam: (regions) => (pam = regions),
    onSmram: (open) => events.push(`smram ${open}`),
  });
  const irqs = Array.from({ length: 16 }, () => new TestLine());
  const isa = new Piix3({
    isaIrqs: irqs.map((line) => new SharedIrqLine(line).connect()),
    onReset: (hard) => events.push(`reset ${hard}`),
  });
  const sci = new TestLine();
  const pm = new Piix4Pm({ clock, sci, serial1: true, parallel1: true, onPowerOff: () => events.push('off') });
  bus.add(host, 0);
  bus.add(isa, 1, 0);
  bus.add(pm, 1, 3);
  isa.connect(bus);
  pm.attach(ports);
  const read = (devfn: number, offset: number, size: AccessSize = 4) => {
    ports.write(0xcf8, 4, 0x80000000 + devfn * 256 + (offset & 0xfc));
    return ports.read(0xcfc + (offset & 3), size);
  };
  const write = (devfn: number, offset: number, value: number, size: AccessSize = 4) => {
    ports.write(0xcf8, 4, 0x80000000 + devfn * 256 + (offset & 0xfc));
    ports.write(0xcfc + (offset & 3), size, value);
  };
  return { clock, ports, bus, host, isa, pm, irqs, sci, events, read, write, pam: () => pam };
}

const PM = 0x0b;

describe('i440FX', () => {
  it('identifies itself and shows its defaults', () => {
    const { read } = setUp();
    expect(read(0, 0)).toBe(0x12378086);
    expect(read(0, 8)).toBe(0x06000002);
    expect(read(0, 0x72, 1)).toBe(0x02);
    expect(read(0, 0x57, 1)).toBe(16);
    expect(read(0, 0x2c)).toBe(0x11001af4);
  });

  it('decodes PAM registers into regions', () => {
    const { write, read, pam } = setUp();
    write(0, 0x59, 0xff, 1);
    expect(read(0, 0x59, 1)).toBe(0x30);
    write(0, 0x5a, 0x21, 1);
    expect(pam()[0]).toEqual({ start: 0xf0000, length: 0x10000, readRam: true, writeRam: true });
    expect(pam()[1]).toEqual({ start: 0xc0000, length: 0x4000, readRam: true, writeRam: false });
    expect(pam()[2]).toEqual({ start: 0xc4000, length: 0x4000, readRam: false, writeRam: true });
    expect(pam()).toHaveLength(13);
    expect(pam()[12]?.start).toBe(0xec000);
    write(0, 0x5c, 0x33333333);
    expect(pam()[12]).toEqual({ start: 0xec000, length: 0x4000, readRam: true, writeRam: true });
  });

  it('opens and locks SMRAM', () => {
    const { write, read, events, host } = setUp();
    write(0, 0x72, 0x4a, 1);
    write(0, 0x72, 0x5a, 1);
    expect(read(0, 0x72, 1)).toBe(0x1a);
    write(0, 0x72, 0x4a, 1);
    expect(read(0, 0x72, 1)).toBe(0x1a);
    expect(events).toEqual(['smram true', 'smram false']);
    host.reset();
    expect(read(0, 0x72, 1)).toBe(0x02);
  });

  it('publishes shadowing on load and reset', () => {
    const a = setUp();
    a.write(0, 0x59, 0x10, 1);
    const b = setUp();
    b.host.load(a.host.save());
    expect(b.pam()[0]?.readRam).toBe(true);
    b.host.reset();
    expect(b.pam()[0]?.readRam).toBe(false);
  });
});

describe('PIIX3', () => {
  it('shows the reset values of the datasheet', () => {
    const { read } = setUp();
    expect(read(8, 0)).toBe(0x70008086);
    expect(read(8, 4)).toBe(0x02000007);
    expect(read(8, 8)).toBe(0x06010000);
    expect(read(8, 0x0c)).toBe(0x00800000);
    expect(read(8, 0x4c)).toBe(0x0003004d);
    expect(read(8, 0x60)).toBe(0x80808080);
    expect(read(8, 0x68)).toBe(0x00000200);
    expect(read(8, 0x70)).toBe(0x00000080);
    expect(read(8, 0x74)).toBe(0x0c0c0000);
    expect(read(8, 0x78)).toBe(0x00000002);
    expect(read(8, 0xa0)).toBe(0x00000008);
    expect(read(8, 0xa8)).toBe(0x0000000f);
  });

  it('routes slot pins to PIRQ lines and these to IRQs', () => {
    const { isa, irqs, write } = setUp();
    write(8, 0x60, 0x0b0a0b0a);
    // Slot 3 INTA -> (3 + 0 - 1) & 3 = line C -> IRQ 10.
    isa.setSlotPin(3, 1, true);
    expect(irqs[10]?.level).toBe(true);
    isa.setSlotPin(5, 1, true);
    expect(isa.routedIrq(0)).toBe(10);
    isa.setSlotPin(3, 1, false);
    expect(irqs[10]?.level).toBe(true);
    isa.setSlotPin(5, 1, false);
    expect(irqs[10]?.level).toBe(false);
    isa.setSlotPin(2, 1, true);
    expect(irqs[11]?.level).toBe(true);
    write(8, 0x61, 0x05, 1);
    expect(irqs[11]?.level).toBe(false);
    expect(irqs[5]?.level).toBe(true);
    write(8, 0x61, 0x80, 1);
    expect(irqs[5]?.level).toBe(false);
    write(8, 0x61, 0x08, 1);
    expect(irqs[8]?.level).toBe(false);
  });

  it('resets through CF9h on the rising edge of bit 2', () => {
    const { ports, events } = setUp();
    ports.write(0xcf9, 1, 0x02);
    expect(events).toEqual([]);
    ports.write(0xcf9, 1, 0x06);
    expect(events).toEqual(['reset true']);
    ports.write(0xcf9, 1, 0x04);
    expect(events).toEqual(['reset true', 'reset false']);
  });
});

describe('PIIX4 power management', () => {
  const base = 0x600;
  const enabled = () => {
    const all = setUp();
    all.write(PM, 0x40, base | 1);
    all.write(PM, 0x80, 1, 1);
    return all;
  };

  it('shows the defaults that firmware expects', () => {
    const { read } = setUp();
    expect(read(PM, 0)).toBe(0x71138086);
    expect(read(PM, 4)).toBe(0x02800000);
    expect(read(PM, 8)).toBe(0x06800003);
    expect(read(PM, 0x3c)).toBe(0x00000100);
    expect(read(PM, 0x40)).toBe(0x00000001);
    expect(read(PM, 0x58)).toBe(0x02000000);
    expect(read(PM, 0x5c)).toBe(0x90000000);
    expect(read(PM, 0x60)).toBe(0x60000000);
    expect(read(PM, 0x64)).toBe(0x08000000);
  });

  it('maps its registers where PMBA says, while PMREGMISC enables them', () => {
    const { ports, write } = setUp();
    write(PM, 0x40, base | 1);
    expect(ports.read(base + 4, 2)).toBe(0xffff);
    write(PM, 0x80, 1, 1);
    expect(ports.read(base + 4, 2)).toBe(0);
    write(PM, 0x40, 0xb001);
    expect(ports.read(base + 4, 2)).toBe(0xffff);
    expect(ports.read(0xb004, 2)).toBe(0);
  });

  it('counts 3.579545 MHz in 24 bits', () => {
    const { ports, clock } = enabled();
    clock.advance(NS_PER_S);
    expect(ports.read(base + 8, 4)).toBe(3_579_545);
    clock.advance(4 * NS_PER_S);
    expect(ports.read(base + 8, 4)).toBe(Math.floor((5e6 * 315) / 88) % 2 ** 24);
  });

  it('raises the SCI at each change of the timer bit 23', () => {
    const { ports, clock, sci } = enabled();
    ports.write(0xb2, 1, 0xf1);
    ports.write(base + 2, 2, 0x0001);
    clock.advance(2_343_000_000);
    expect(sci.level).toBe(false);
    clock.advance(1_000_000);
    expect(sci.level).toBe(true);
    expect(ports.read(base, 2)).toBe(1);
    ports.write(base, 2, 1);
    expect(sci.level).toBe(false);
    clock.advance(2_344_000_000);
    expect(sci.level).toBe(true);
  });

  it('shows the power button as an event only in ACPI mode', () => {
    const { ports, pm, sci } = enabled();
    expect(pm.handlesPowerButton).toBe(false);
    pm.pressPowerButton();
    expect(sci.level).toBe(false);
    ports.write(base, 2, 0x100);
    ports.write(0xb2, 1, 0xf1);
    expect(ports.read(base + 4, 2)).toBe(1);
    expect(ports.read(0xb2, 1)).toBe(0xf1);
    ports.write(base + 2, 2, 0x100);
    expect(pm.handlesPowerButton).toBe(true);
    pm.pressPowerButton();
    expect(sci.level).toBe(true);
    expect(ports.read(base, 2)).toBe(0x100);
    ports.write(base, 2, 0x100);
    expect(sci.level).toBe(false);
    ports.write(0xb2, 1, 0xf0);
    expect(ports.read(base + 4, 2)).toBe(0);
    expect(pm.handlesPowerButton).toBe(false);
  });

  it('powers off on SLP_EN with type 0 only', () => {
    const { ports, events } = enabled();
    ports.write(base + 4, 2, 0x2401);
    expect(events).toEqual([]);
    ports.write(base + 4, 2, 0x0001);
    expect(events).toEqual([]);
    ports.write(base + 4, 2, 0x2001);
    expect(events).toEqual(['off']);
    expect(ports.read(base + 4, 2)).toBe(0x0001);
  });

  it('has general-purpose events at AFE0h', () => {
    const { ports, pm, sci } = enabled();
    ports.write(0xb2, 1, 0xf1);
    pm.raiseGpe(1);
    expect(ports.read(0xafe0, 2)).toBe(2);
    ports.write(0xafe2, 2, 2);
    expect(sci.level).toBe(true);
    ports.write(0xafe0, 2, 2);
    expect(sci.level).toBe(false);
  });

  it('answers an SMBus scan with no device', () => {
    const { ports, write } = enabled();
    write(PM, 0x90, 0x701);
    write(PM, 0xd2, 1, 1);
    expect(ports.read(0x700, 1)).toBe(0);
    ports.write(0x704, 1, 0xa0);
    ports.write(0x702, 1, 0x48);
    expect(ports.read(0x700, 1)).toBe(0x04);
    ports.write(0x700, 1, 0x04);
    expect(ports.read(0x700, 1)).toBe(0);
    expect(ports.read(0x704, 1)).toBe(0xa0);
  });

  it('restores mapping, mode and SCI', () => {
    const a = enabled();
    a.ports.write(0xb2, 1, 0xf1);
    a.ports.write(base + 2, 2, 0x100);
    a.pm.pressPowerButton();
    const b = setUp();
    b.pm.load(a.pm.save());
    expect(b.sci.level).toBe(true);
    expect(b.ports.read(base, 2)).toBe(0x100);
    b.pm.reset();
    expect(b.sci.level).toBe(false);
    expect(b.ports.read(base, 2)).toBe(0xffff);
  });
});
