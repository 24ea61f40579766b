import { describe, expect, it } from 'vitest';
import { InterruptBus } from '../../bus/interrupt-bus.ts';
import { TestClock } from '../../devices/platform/testing.ts';
import { LocalApic } from './local-apic.ts';

const EOI = 0xb0;
const TPR = 0x80;
const PPR = 0xa0;
const SVR = 0xf0;
const ICR = 0x300;
const ICR_HIGH = 0x310;
const LVT_TIMER = 0x320;
const LVT_LINT0 = 0x350;
const LVT_LINT1 = 0x360;
const LVT_ERROR = 0x370;

function makeCpu(bus: InterruptBus, clock: TestClock, apicId: number) {
  const events: string[] = [];
  const pic = { vector: 0x08, acknowledged: 0, acknowledge: () => (pic.acknowledged++, pic.vector) };
  const apic: LocalApic = new LocalApic({
    id: `lapic${apicId}`,
    apicId,
    isBsp: apicId === 0,
    clock,
    bus,
    // A TSC of 2 GHz.
    tscToNs: (tsc) => Math.ceil(tsc / 2),
    pic,
    onInterruptRequest: (level) => events.push(level ? 'intr' : 'quiet'),
    onNmi: () => events.push('nmi'),
    onInit: () => events.push('init'),
    onStartup: (vector) => events.push(`sipi ${vector.toString(16)}`),
  });
  const read = (offset: number) => apic.readMmio(offset, 4);
  const write = (offset: number, value: number) => apic.writeMmio(offset, 4, value);
  const out = new Uint32Array(2);
  const rdmsr = (index: number) => (apic.readMsr(index, out) ? [out[0], out[1]] : '#GP');
  events.length = 0;
  return { apic, events, pic, read, write, rdmsr };
}

function setUp({ enable = true, cpus = 1 } = {}) {
  const clock = new TestClock();
  const bus = new InterruptBus();
  const all = Array.from({ length: cpus }, (_, id) => makeCpu(bus, clock, id));
  if (enable) for (const cpu of all) cpu.write(SVR, 0x1ff);
  for (const cpu of all) cpu.events.length = 0;
  const first = all[0];
  if (first === undefined) throw new Error('no CPU');
  const fixed = (vector: number, level = false) => bus.deliver(0, false, 0, vector, level);
  return { clock, bus, all, fixed, ...first };
}

describe('local APIC after reset', () => {
  it('shows the values of the manual, LINT0 of the boot processor in virtual wire mode', () => {
    const { read, rdmsr, all } = setUp({ enable: false, cpus: 2 });
    expect(read(0x20)).toBe(0);
    expect(read(0x30)).toBe(0x00050014);
    expect(read(0xe0)).toBe(0xffffffff);
    expect(read(SVR)).toBe(0xff);
    expect(read(LVT_LINT0)).toBe(0x700);
    expect(read(LVT_LINT1)).toBe(0x10000);
    expect(rdmsr(0x1b)).toEqual([0xfee00900, 0]);
    expect(all[1]?.rdmsr(0x1b)).toEqual([0xfee00800, 0]);
    expect(all[1]?.read(0x20)).toBe(0x01000000);
    expect(all[1]?.read(LVT_LINT0)).toBe(0x10000);
    expect(all[0]?.apic.mmioBase).toBe(0xfee00000);
  });

  it('takes no fixed interrupts until software enables it', () => {
    const { apic, fixed, write } = setUp({ enable: false });
    fixed(0x40);
    expect(apic.hasInterrupt()).toBe(false);
    write(SVR, 0x1ff);
    fixed(0x40);
    expect(apic.hasInterrupt()).toBe(true);
  });
});

describe('local APIC priorities', () => {
  it('delivers the highest vector, holds lower classes back until EOI', () => {
    const { apic, fixed, read, write, events } = setUp();
    fixed(0x41);
    expect(events).toEqual(['intr']);
    fixed(0x52);
    expect(apic.acknowledge()).toBe(0x52);
    expect(events).toEqual(['intr', 'quiet']);
    expect(read(PPR)).toBe(0x50);
    expect(read(0x100 + 0x20)).toBe(1 << 18);
    expect(read(0x200 + 0x20)).toBe(1 << 1);
    fixed(0x55);
    expect(apic.hasInterrupt()).toBe(false);
    fixed(0x60);
    expect(apic.acknowledge()).toBe(0x60);
    write(EOI, 0);
    expect(apic.hasInterrupt()).toBe(false);
    write(EOI, 0);
    expect(apic.acknowledge()).toBe(0x55);
    write(EOI, 0);
    expect(apic.acknowledge()).toBe(0x41);
    write(EOI, 0);
    expect(apic.acknowledge()).toBe(-1);
  });

  it('the task priority masks classes, also as CR8', () => {
    const { apic, fixed, read, write } = setUp();
    fixed(0x45);
    write(TPR, 0x40);
    expect(apic.hasInterrupt()).toBe(false);
    expect(apic.acknowledge()).toBe(-1);
    expect(apic.readCr8()).toBe(4);
    apic.writeCr8(3);
    expect(read(TPR)).toBe(0x30);
    expect(apic.hasInterrupt()).toBe(true);
    write(TPR, 0x3f);
    expect(read(PPR)).toBe(0x3f);
    expect(apic.hasInterrupt()).toBe(true);
  });

  it('tells I/O APICs of the end of level-triggered interrupts only', () => {
    const { apic, bus, fixed, write, read } = setUp();
    const ended: number[] = [];
    bus.addEoiListener({ endOfInterrupt: (vector) => ended.push(vector) });
    fixed(0x71, true);
    expect(read(0x180 + 0x30)).toBe(1 << 17);
    apic.acknowledge();
    write(EOI, 0);
    fixed(0x71, false);
    apic.acknowledge();
    write(EOI, 0);
    expect(ended).toEqual([0x71]);
    expect(read(0x180 + 0x30)).toBe(0);
  });
});

describe('local APIC pins', () => {
  it('passes the 8259 through LINT0 as ExtINT', () => {
    const { apic, pic, write, events, fixed } = setUp();
    apic.lint0.set(true);
    expect(events).toEqual(['intr']);
    fixed(0x31);
    expect(apic.acknowledge()).toBe(0x31);
    expect(apic.acknowledge()).toBe(0x08);
    expect(pic.acknowledged).toBe(1);
    apic.lint0.set(false);
    expect(apic.hasInterrupt()).toBe(false);
    write(LVT_LINT0, 0x10700);
    apic.lint0.set(true);
    expect(apic.hasInterrupt()).toBe(false);
    write(LVT_LINT0, 0x700);
    expect(apic.hasInterrupt()).toBe(true);
  });

  it('is out of the way when it is switched off in the base MSR', () => {
    const { apic, events, rdmsr } = setUp();
    expect(apic.writeMsr(0x1b, 0xfee00100, 0)).toBe(true);
    expect(apic.mmioBase).toBeUndefined();
    apic.lint0.set(true);
    expect(apic.acknowledge()).toBe(0x08);
    apic.lint1.set(true);
    expect(events).toContain('nmi');
    expect(rdmsr(0x1b)).toEqual([0xfee00100, 0]);
  });

  it('LINT0 in fixed mode injects its own vector at the edge; LINT1 gives NMI', () => {
    const { apic, write, events } = setUp();
    write(LVT_LINT0, 0x55);
    apic.lint0.set(true);
    expect(apic.acknowledge()).toBe(0x55);
    expect(apic.hasInterrupt()).toBe(false);
    write(LVT_LINT1, 0x400);
    apic.lint1.set(true);
    apic.lint1.set(true);
    expect(events.filter((event) => event === 'nmi')).toHaveLength(1);
    write(LVT_LINT1, 0x10400);
    apic.lint1.set(false);
    apic.lint1.set(true);
    expect(events.filter((event) => event === 'nmi')).toHaveLength(1);
  });

  it('masks every local vector while it is off by software', () => {
    const { read, write } = setUp();
    write(LVT_TIMER, 0x40);
    write(SVR, 0x0ff);
    expect(read(LVT_TIMER)).toBe(0x10040);
    expect(read(LVT_LINT0)).toBe(0x10700);
    write(LVT_TIMER, 0x41);
    expect(read(LVT_TIMER)).toBe(0x10041);
  });
});

describe('local APIC timer', () => {
  it('one-shot at 1 GHz divided by 2 to 128 and 1', () => {
    const { apic, clock, read, write } = setUp();
    for (const [code, divisor] of [
      [0, 2],
      [1, 4],
      [2, 8],
      [3, 16],
      [8, 32],
      [9, 64],
      [10, 128],
      [11, 1],
    ] as const) {
      write(LVT_TIMER, 0x40);
      write(0x3e0, code);
      write(0x380, 1000);
      expect(read(0x3e0)).toBe(code);
      clock.advance(400 * divisor);
      expect(read(0x390)).toBe(600);
      clock.advance(600 * divisor - 1);
      expect(apic.hasInterrupt()).toBe(false);
      clock.advance(1);
      expect(apic.acknowledge()).toBe(0x40);
      expect(read(0x390)).toBe(0);
      write(EOI, 0);
      clock.advance(10_000_000);
      expect(apic.hasInterrupt()).toBe(false);
    }
  });

  it('periodic, masked while counting, stopped by a count of zero', () => {
    const { apic, clock, read, write } = setUp();
    write(0x3e0, 0x0b);
    write(LVT_TIMER, 0x20040);
    write(0x380, 1_000_000);
    let count = 0;
    for (let i = 0; i < 100; i++) {
      clock.advance(100_000);
      while (apic.hasInterrupt()) {
        expect(apic.acknowledge()).toBe(0x40);
        write(EOI, 0);
        count++;
      }
    }
    expect(count).toBe(10);
    clock.advance(250_000);
    expect(read(0x390)).toBe(750_000);
    write(LVT_TIMER, 0x30040);
    clock.advance(5_000_000);
    expect(apic.hasInterrupt()).toBe(false);
    expect(read(0x390)).toBe(750_000);
    write(LVT_TIMER, 0x20040);
    clock.advance(750_000);
    expect(apic.hasInterrupt()).toBe(true);
    write(0x380, 0);
    apic.acknowledge();
    write(EOI, 0);
    clock.advance(10_000_000);
    expect(apic.hasInterrupt()).toBe(false);
  });

  it('makes up for periods that a stall swallowed, and never fires more often than each 50 us', () => {
    const { apic, clock, write } = setUp();
    let count = 0;
    const take = (ns: number) => {
      count = 0;
      for (let t = 0; t < ns; t += 10_000) {
        clock.advance(10_000);
        while (apic.hasInterrupt()) {
          apic.acknowledge();
          write(EOI, 0);
          count++;
        }
      }
      return count;
    };
    write(0x3e0, 0x0b);
    write(LVT_TIMER, 0x20040);
    write(0x380, 1_000_000);
    clock.stall(20_500_000);
    expect(take(29_500_000)).toBe(50);
    write(0x380, 10);
    expect(take(10_000_000)).toBeLessThanOrEqual(201);
  });

  it('TSC-deadline fires once at the deadline and clears the MSR', () => {
    const { apic, clock, write, rdmsr } = setUp();
    expect(apic.writeMsr(0x6e0, 5000, 0)).toBe(true);
    expect(rdmsr(0x6e0)).toEqual([0, 0]);
    write(LVT_TIMER, 0x40040);
    apic.writeMsr(0x6e0, 20_000, 0);
    expect(rdmsr(0x6e0)).toEqual([20_000, 0]);
    clock.advance(9_999);
    expect(apic.hasInterrupt()).toBe(false);
    clock.advance(1);
    expect(apic.acknowledge()).toBe(0x40);
    expect(rdmsr(0x6e0)).toEqual([0, 0]);
    write(EOI, 0);
    apic.writeMsr(0x6e0, 10, 0);
    clock.advance(0);
    expect(apic.hasInterrupt()).toBe(true);
    apic.writeMsr(0x6e0, 0xffffffff, 0xffffffff);
    clock.advance(1e12);
    write(0x380, 5);
    expect(rdmsr(0x6e0)).toEqual([0xffffffff, 0xffffffff]);
    write(LVT_TIMER, 0x40);
    expect(rdmsr(0x6e0)).toEqual([0, 0]);
  });
});

describe('interprocessor interrupts', () => {
  it('reach physical, logical flat and logical cluster destinations', () => {
    const { all, write } = setUp({ cpus: 4 });
    const hit = () =>
      all.map(({ apic, write: w }) => {
        const vector = apic.hasInterrupt() ? apic.acknowledge() : 0;
        if (vector > 0) w(EOI, 0);
        return vector;
      });
    write(ICR_HIGH, 2 << 24);
    write(ICR, 0x50);
    expect(hit()).toEqual([0, 0, 0x50, 0]);
    write(ICR_HIGH, 0xff << 24);
    write(ICR, 0x50);
    expect(hit()).toEqual([0x50, 0x50, 0x50, 0x50]);
    all.forEach((cpu, id) => cpu.write(0xd0, (1 << id) << 24));
    write(ICR_HIGH, 0x0a << 24);
    write(ICR, 0x851);
    expect(hit()).toEqual([0, 0x51, 0, 0x51]);
    all.forEach((cpu, id) => {
      cpu.write(0xe0, 0x0fffffff);
      cpu.write(0xd0, ((id >> 1) * 16 + (1 << (id & 1))) << 24);
    });
    write(ICR_HIGH, 0x13 << 24);
    write(ICR, 0x852);
    expect(hit()).toEqual([0, 0, 0x52, 0x52]);
  });

  it('know the shorthands', () => {
    const { all, write } = setUp({ cpus: 3 });
    const waiting = () => all.map(({ apic }) => (apic.hasInterrupt() ? apic.acknowledge() : 0));
    write(ICR, 0x40050);
    expect(waiting()).toEqual([0x50, 0, 0]);
    write(ICR, 0x80061);
    expect(waiting()).toEqual([0x61, 0x61, 0x61]);
    write(ICR, 0xc0072);
    expect(waiting()).toEqual([0, 0x72, 0x72]);
  });

  it('lowest priority goes to the APIC with the lowest task priority', () => {
    const { all, write, bus } = setUp({ cpus: 3 });
    all[0]?.write(TPR, 0x50);
    all[1]?.write(TPR, 0x20);
    all[2]?.write(TPR, 0x30);
    write(ICR_HIGH, 0xff << 24);
    write(ICR, 0x190);
    expect(all.map(({ apic }) => apic.hasInterrupt())).toEqual([false, true, false]);
    all[1]?.write(SVR, 0xff);
    bus.deliver(0xff, false, 1, 0x91, false);
    expect(all[2]?.apic.acknowledge()).toBe(0x91);
  });

  it('carry NMI, INIT and start-up, INIT resetting the target', () => {
    const { all, write } = setUp({ cpus: 2 });
    const target = all[1];
    target?.write(TPR, 0x70);
    write(ICR_HIGH, 1 << 24);
    write(ICR, 0x0400);
    write(ICR, 0xc500);
    write(ICR, 0x8500);
    write(ICR, 0x0699);
    expect(target?.events.filter((event) => !['intr', 'quiet'].includes(event))).toEqual(['nmi', 'init', 'sipi 99']);
    expect(target?.read(TPR)).toBe(0);
    expect(target?.read(SVR)).toBe(0xff);
    expect(target?.read(0x20)).toBe(0x01000000);
  });

  it('report illegal vectors and registers in ESR, by interrupt if wanted', () => {
    const { apic, read, write, fixed } = setUp();
    write(LVT_ERROR, 0x33);
    write(ICR, 0x40005);
    expect(apic.acknowledge()).toBe(0x33);
    write(EOI, 0);
    expect(read(0x280)).toBe(0);
    write(0x280, 0);
    expect(read(0x280)).toBe(0x20);
    fixed(0x0f);
    read(0x040);
    write(0x280, 0);
    expect(read(0x280)).toBe(0xc0);
    write(0x280, 0);
    expect(read(0x280)).toBe(0);
  });

  it('message-signalled interrupts name their target and vector', () => {
    const { all, bus } = setUp({ cpus: 2 });
    bus.send(0xfee01000, 0x0045);
    expect(all[1]?.apic.acknowledge()).toBe(0x45);
    expect(all[0]?.apic.hasInterrupt()).toBe(false);
  });
});

describe('x2APIC', () => {
  it('follows the mode rules of the base MSR', () => {
    const { apic, rdmsr } = setUp();
    expect(rdmsr(0x802)).toBe('#GP');
    expect(apic.writeMsr(0x1b, 0xfee00400, 0)).toBe(false);
    expect(apic.writeMsr(0x1b, 0xfee00801, 0)).toBe(false);
    expect(apic.writeMsr(0x1b, 0xfee00d00, 0)).toBe(true);
    expect(apic.mmioBase).toBeUndefined();
    expect(apic.writeMsr(0x1b, 0xfee00900, 0)).toBe(false);
    expect(apic.writeMsr(0x1b, 0xfee00100, 0)).toBe(true);
    expect(apic.writeMsr(0x1b, 0xfee00d00, 0)).toBe(false);
    expect(apic.writeMsr(0x1b, 0xfee00900, 0)).toBe(true);
    expect(apic.mmioBase).toBe(0xfee00000);
  });

  it('reaches the registers by MSR', () => {
    const { all, rdmsr } = setUp({ cpus: 3 });
    for (const cpu of all) {
      cpu.apic.writeMsr(0x1b, 0xfee00c00, 0);
      cpu.apic.writeMsr(0x80f, 0x1ff, 0);
    }
    const cpu2 = all[2];
    expect(cpu2?.rdmsr(0x802)).toEqual([2, 0]);
    expect(cpu2?.rdmsr(0x80d)).toEqual([4, 0]);
    expect(rdmsr(0x80e)).toBe('#GP');
    expect(rdmsr(0x831)).toBe('#GP');
    expect(rdmsr(0x80b)).toBe('#GP');
    const { apic } = all[0] ?? {};
    expect(apic?.writeMsr(0x830, 0x61, 2)).toBe(true);
    expect(rdmsr(0x830)).toEqual([0x61, 2]);
    expect(cpu2?.apic.acknowledge()).toBe(0x61);
    expect(cpu2?.apic.writeMsr(0x80b, 0, 0)).toBe(true);
    expect(apic?.writeMsr(0x830, 0x0862, 0x6)).toBe(true);
    expect(all.map((cpu) => cpu.apic.hasInterrupt())).toEqual([false, true, true]);
    expect(apic?.writeMsr(0x83f, 0x77, 0)).toBe(true);
    expect(apic?.acknowledge()).toBe(0x77);
    expect(apic?.writeMsr(0x80b, 1, 0)).toBe(false);
    expect(apic?.writeMsr(0x808, 0x20, 1)).toBe(false);
    expect(apic?.writeMsr(0x802, 0, 0)).toBe(false);
    expect(apic?.writeMsr(0x810, 0, 0)).toBe(false);
    expect(apic?.writeMsr(0x828, 5, 0)).toBe(false);
  });
});

describe('local APIC state', () => {
  it('restores requests, the timer and INTR', () => {
    const a = setUp();
    a.write(0x3e0, 0x0b);
    a.write(LVT_TIMER, 0x20040);
    a.write(0x380, 1_000_000);
    a.fixed(0x50);
    a.clock.advance(300_000);
    const b = setUp({ enable: false });
    b.clock.advance(300_000);
    b.apic.load(a.apic.save());
    expect(b.events.at(-1)).toBe('intr');
    expect(b.apic.acknowledge()).toBe(0x50);
    b.write(EOI, 0);
    b.clock.advance(699_999);
    expect(b.apic.hasInterrupt()).toBe(false);
    b.clock.advance(1);
    expect(b.apic.acknowledge()).toBe(0x40);
    expect(() => b.apic.load({ version: 1, fields: { ...a.apic.save().fields, lvt: [1, 2] } })).toThrow(/lvt/);
    expect(() => b.apic.load({ version: 9, fields: {} })).toThrow(/version/);
  });
});
