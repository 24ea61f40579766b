import { describe, expect, it } from 'vitest';
import { PortBus } from '../../bus/port-bus.ts';
import { Pic8259 } from './pic-8259.ts';
import { TestLine } from './testing.ts';

function setUp({ initialise = true, icw4 = 0x01 } = {}) {
  const intr = new TestLine();
  const pic = new Pic8259({ intr });
  const ports = new PortBus();
  pic.attach(ports);
  const out = (port: number, value: number) => ports.write(port, 1, value);
  const inb = (port: number) => ports.read(port, 1);
  const init = (slaveIcw4 = icw4) => {
    out(0x20, 0x11);
    out(0xa0, 0x11);
    out(0x21, 0x08);
    out(0xa1, 0x70);
    out(0x21, 0x04);
    out(0xa1, 0x02);
    out(0x21, icw4);
    out(0xa1, slaveIcw4);
  };
  if (initialise) init();
  const raise = (irq: number) => pic.irq(irq).set(true);
  const lower = (irq: number) => pic.irq(irq).set(false);
  const pulse = (irq: number) => {
    lower(irq);
    raise(irq);
  };
  return { pic, intr, ports, out, inb, init, raise, lower, pulse };
}

describe('8259A pair', () => {
  it('delivers the vector of an edge and blocks lower priorities until EOI', () => {
    const { pic, intr, raise, out } = setUp();
    raise(3);
    expect(intr.level).toBe(true);
    expect(pic.acknowledge()).toBe(0x0b);
    expect(intr.level).toBe(false);
    raise(4);
    expect(intr.level).toBe(false);
    raise(1);
    expect(pic.acknowledge()).toBe(0x09);
    out(0x20, 0x20);
    expect(intr.level).toBe(false);
    out(0x20, 0x20);
    expect(intr.level).toBe(true);
    expect(pic.acknowledge()).toBe(0x0c);
  });

  it('cascades: the slave needs an EOI at both chips', () => {
    const { pic, intr, raise, out, inb } = setUp();
    raise(12);
    expect(pic.acknowledge()).toBe(0x74);
    out(0x20, 0x0b);
    out(0xa0, 0x0b);
    expect(inb(0x20)).toBe(0x04);
    expect(inb(0xa0)).toBe(0x10);
    raise(8);
    // Nested inside the slave, but the master's IR2 is in service: blocked without special fully nested mode.
    expect(intr.level).toBe(false);
    out(0xa0, 0x20);
    out(0x20, 0x20);
    expect(intr.level).toBe(true);
    expect(pic.acknowledge()).toBe(0x70);
  });

  it('special fully nested mode lets a higher slave input interrupt a lower one', () => {
    const { pic, intr, raise } = setUp({ icw4: 0x11 });
    raise(12);
    expect(pic.acknowledge()).toBe(0x74);
    raise(8);
    expect(intr.level).toBe(true);
    expect(pic.acknowledge()).toBe(0x70);
    raise(14);
    expect(intr.level).toBe(false);
  });

  it('serves two slave requests one after the other', () => {
    const { pic, raise, out } = setUp();
    raise(9);
    raise(14);
    expect(pic.acknowledge()).toBe(0x71);
    out(0xa0, 0x20);
    out(0x20, 0x20);
    expect(pic.interrupt).toBe(true);
    expect(pic.acknowledge()).toBe(0x76);
    out(0xa0, 0x20);
    out(0x20, 0x20);
    expect(pic.interrupt).toBe(false);
  });

  it('masks, and shows IMR, IRR and ISR', () => {
    const { intr, pic, raise, out, inb } = setUp();
    out(0x21, 0xfd);
    raise(0);
    raise(1);
    expect(inb(0x20)).toBe(0x03);
    expect(inb(0x21)).toBe(0xfd);
    expect(pic.acknowledge()).toBe(0x09);
    out(0x20, 0x0b);
    expect(inb(0x20)).toBe(0x02);
    out(0x20, 0x0a);
    expect(inb(0x20)).toBe(0x01);
    out(0x20, 0x20);
    expect(intr.level).toBe(false);
    out(0x21, 0x00);
    expect(intr.level).toBe(true);
  });

  it('an edge input interrupts once; a level input as long as it is high', () => {
    const { pic, intr, raise, lower, out, inb } = setUp();
    out(0x4d1, 0xff);
    out(0x4d0, 0xff);
    expect(inb(0x4d0)).toBe(0xf8);
    expect(inb(0x4d1)).toBe(0xde);
    out(0x4d0, 0x20);
    raise(4);
    pic.acknowledge();
    out(0x20, 0x64);
    expect(intr.level).toBe(false);
    raise(5);
    expect(pic.acknowledge()).toBe(0x0d);
    out(0x20, 0x65);
    expect(intr.level).toBe(true);
    lower(5);
    expect(intr.level).toBe(false);
  });

  it('gives spurious vectors 7 and 15 without setting in-service bits', () => {
    const { pic, raise, lower, out, inb } = setUp();
    expect(pic.acknowledge()).toBe(0x0f);
    out(0x20, 0x0b);
    expect(inb(0x20)).toBe(0);
    out(0x4d1, 0x04);
    raise(10);
    // The slave's request is withdrawn between INTR and INTA, as the CPU would see it mid-cycle.
    const intrAtStart = pic.interrupt;
    lower(10);
    expect(intrAtStart).toBe(true);
    expect(pic.interrupt).toBe(false);
    expect(pic.acknowledge()).toBe(0x0f);
  });

  it('gives IRQ15 when the slave has nothing left for an acknowledged cascade', () => {
    const { pic, raise, out, inb } = setUp();
    raise(11);
    const saved = pic.save();
    const fields = saved.fields as { slave: object };
    // The slave's IMR is written between the master's two INTA pulses: only reachable through state here.
    pic.load({ ...saved, fields: { ...saved.fields, slave: { ...fields.slave, imr: 0xff } } });
    expect(pic.acknowledge()).toBe(0x77);
    out(0x20, 0x0b);
    out(0xa0, 0x0b);
    expect(inb(0x20)).toBe(0x04);
    expect(inb(0xa0)).toBe(0x00);
  });

  it('non-specific EOI clears the highest, specific EOI the named in-service bit', () => {
    const { pic, raise, out, inb } = setUp();
    raise(5);
    pic.acknowledge();
    raise(2 + 1);
    pic.acknowledge();
    out(0x20, 0x0b);
    expect(inb(0x20)).toBe(0x28);
    out(0x20, 0x65);
    expect(inb(0x20)).toBe(0x08);
    out(0x20, 0x20);
    expect(inb(0x20)).toBe(0x00);
  });

  it('rotates on EOI and sets the priority directly', () => {
    const { pic, raise, pulse, out } = setUp();
    raise(4);
    pic.acknowledge();
    out(0x20, 0xa0);
    pulse(4);
    raise(5);
    expect(pic.acknowledge()).toBe(0x0d);
    out(0x20, 0x20);
    out(0x20, 0xc0 | 3);
    expect(pic.acknowledge()).toBe(0x0c);
    out(0x20, 0xe0 | 4);
    raise(6);
    raise(3);
    expect(pic.acknowledge()).toBe(0x0e);
  });

  it('automatic EOI leaves nothing in service and may rotate', () => {
    const { pic, pulse, out, inb } = setUp({ icw4: 0x03 });
    pulse(1);
    expect(pic.acknowledge()).toBe(0x09);
    out(0x20, 0x0b);
    expect(inb(0x20)).toBe(0);
    out(0x20, 0x80);
    pulse(1);
    pic.acknowledge();
    pulse(1);
    pulse(3);
    expect(pic.acknowledge()).toBe(0x0b);
    out(0x20, 0x00);
  });

  it('special mask mode lets lower priorities through and protects masked bits from EOI', () => {
    const { pic, intr, raise, out, inb } = setUp();
    raise(1);
    pic.acknowledge();
    raise(6);
    expect(intr.level).toBe(false);
    out(0x21, 0x02);
    out(0x20, 0x68);
    expect(intr.level).toBe(true);
    expect(pic.acknowledge()).toBe(0x0e);
    out(0x20, 0x20);
    out(0x20, 0x0b);
    expect(inb(0x20)).toBe(0x02);
    out(0x20, 0x48);
    out(0x20, 0x20);
    expect(inb(0x20)).toBe(0x00);
  });

  it('polls', () => {
    const { intr, raise, out, inb } = setUp();
    out(0x20, 0x0c);
    expect(inb(0x20)).toBe(0x00);
    raise(6);
    out(0x20, 0x0c);
    expect(inb(0x20)).toBe(0x86);
    expect(intr.level).toBe(false);
    out(0x20, 0x0b);
    expect(inb(0x20)).toBe(0x40);
  });

  it('initialisation clears mask and edges; a line that stays high must rise again', () => {
    const { intr, raise, pulse, init, out, inb, pic } = setUp();
    out(0x21, 0xff);
    raise(3);
    init();
    expect(inb(0x21)).toBe(0);
    expect(intr.level).toBe(false);
    pulse(3);
    expect(pic.acknowledge()).toBe(0x0b);
  });

  it('accepts initialisation without ICW4 and single mode', () => {
    const { out, pulse, pic, inb } = setUp({ initialise: false });
    out(0x20, 0x12);
    out(0x21, 0x40);
    out(0x21, 0xf7);
    expect(inb(0x21)).toBe(0xf7);
    pulse(3);
    expect(pic.acknowledge()).toBe(0x43);
  });

  it('drives INTR on load', () => {
    const a = setUp();
    a.raise(1);
    const b = setUp();
    b.pic.load(a.pic.save());
    expect(b.intr.level).toBe(true);
    expect(b.pic.acknowledge()).toBe(0x09);
    expect(() => b.pic.load({ version: 1, fields: { master: null } })).toThrow(/pic/);
  });
});
