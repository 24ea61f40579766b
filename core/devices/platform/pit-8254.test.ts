import { describe, expect, it } from 'vitest';
import { PortBus } from '../../bus/port-bus.ts';
import { acpiTicksAt, pitTicksAt, pitTimeOf } from './crystal-ticks.ts';
import { Pit8254, type SpeakerState } from './pit-8254.ts';
import { TestClock, TestLine } from './testing.ts';

function setUp() {
  const clock = new TestClock();
  const irq0 = new TestLine();
  const sounds: SpeakerState[] = [];
  const pit = new Pit8254({ clock, irq0, onSpeaker: (state) => sounds.push(state) });
  const ports = new PortBus();
  pit.attach(ports);
  /** Moves to the start of tick `n` counted from now. */
  const ticks = (n: number) => {
    const target = pitTimeOf(pitTicksAt(clock.nowNs()) + n);
    clock.advance(target - clock.nowNs());
  };
  ticks(1);
  const control = (value: number) => ports.write(0x43, 1, value);
  const count = (channel: number, value: number) => {
    ports.write(0x40 + channel, 1, value & 0xff);
    ports.write(0x40 + channel, 1, value >> 8);
  };
  const read = (channel: number) => ports.read(0x40 + channel, 1) | (ports.read(0x40 + channel, 1) << 8);
  const status = (channel: number) => {
    control(0xe0 | (2 << channel));
    return ports.read(0x40 + channel, 1);
  };
  return { clock, irq0, pit, ports, ticks, control, count, read, status, sounds };
}

describe('crystal ticks', () => {
  it('are exact: 105 ticks each 88 us, inverse gives the first nanosecond of a tick', () => {
    expect(pitTicksAt(88_000 * 1_000_000_000)).toBe(105_000_000_000);
    for (const tick of [0, 1, 104, 105, 106, 1_193_181, 987_654_321_123]) {
      const ns = pitTimeOf(tick);
      expect(pitTicksAt(ns)).toBe(tick);
      if (tick > 0) expect(pitTicksAt(ns - 1)).toBe(tick - 1);
    }
    expect(acpiTicksAt(1_000_000_000)).toBe(3_579_545);
  });
});

describe('8254 modes', () => {
  it('mode 0: OUT low until N + 1 ticks after the count, then high; the counter wraps on', () => {
    const { control, count, ticks, read, irq0, status } = setUp();
    control(0x30);
    expect(irq0.level).toBe(false);
    expect(status(0)).toBe(0x70);
    count(0, 5);
    expect(status(0) & 0x40).toBe(0x40);
    ticks(1);
    expect(status(0) & 0x40).toBe(0);
    expect(read(0)).toBe(5);
    ticks(4);
    expect(read(0)).toBe(1);
    expect(irq0.level).toBe(false);
    ticks(1);
    expect(read(0)).toBe(0);
    expect(irq0.level).toBe(true);
    expect(status(0) & 0x80).toBe(0x80);
    ticks(1);
    expect(read(0)).toBe(0xffff);
    expect(irq0.rises).toBe(2);
  });

  it('mode 0: the first of two count bytes stops the counter and lowers OUT', () => {
    const { control, count, ticks, ports, irq0, read } = setUp();
    control(0x30);
    count(0, 3);
    ticks(10);
    expect(irq0.level).toBe(true);
    ports.write(0x40, 1, 9);
    expect(irq0.level).toBe(false);
    const held = read(0);
    ticks(50);
    expect(read(0)).toBe(held);
    ports.write(0x40, 1, 0);
    ticks(9);
    expect(irq0.level).toBe(false);
    ticks(1);
    expect(irq0.level).toBe(true);
  });

  it('mode 0 on counter 2: GATE low suspends counting', () => {
    const { control, count, ticks, ports, read } = setUp();
    control(0xb0);
    ports.write(0x61, 1, 1);
    count(2, 100);
    ticks(11);
    expect(read(2)).toBe(90);
    ports.write(0x61, 1, 0);
    ticks(1000);
    expect(read(2)).toBe(90);
    expect(ports.read(0x61, 1) & 0x20).toBe(0);
    ports.write(0x61, 1, 1);
    ticks(90);
    expect(ports.read(0x61, 1) & 0x20).toBe(0x20);
  });

  it('mode 1: a rising GATE starts a low pulse of N ticks and restarts it', () => {
    const { control, count, ticks, ports } = setUp();
    const out = () => (ports.read(0x61, 1) & 0x20) !== 0;
    control(0xb2);
    count(2, 4);
    ticks(20);
    expect(out()).toBe(true);
    ports.write(0x61, 1, 1);
    ticks(1);
    expect(out()).toBe(false);
    ticks(3);
    expect(out()).toBe(false);
    ports.write(0x61, 1, 0);
    ports.write(0x61, 1, 1);
    ticks(4);
    expect(out()).toBe(false);
    ticks(1);
    expect(out()).toBe(true);
  });

  it('mode 2: periodic, OUT low for the last tick; a new count waits for the end of the period', () => {
    const { control, count, ticks, read, status, irq0 } = setUp();
    control(0x34);
    count(0, 4);
    ticks(1);
    const seen: number[] = [];
    const outs: number[] = [];
    for (let i = 0; i < 8; i++) {
      seen.push(read(0));
      outs.push(status(0) >> 7);
      ticks(1);
    }
    expect(seen).toEqual([4, 3, 2, 1, 4, 3, 2, 1]);
    expect(outs).toEqual([1, 1, 1, 0, 1, 1, 1, 0]);
    count(0, 1000);
    ticks(1);
    expect(read(0)).toBe(3);
    expect(status(0) & 0x40).toBe(0x40);
    ticks(3);
    expect(read(0)).toBe(1000);
    expect(status(0) & 0x40).toBe(0);
    const before = irq0.rises;
    ticks(1000 * 5);
    expect(irq0.rises - before).toBe(5);
  });

  it('mode 2: GATE low raises OUT, a rising GATE reloads', () => {
    const { control, count, ticks, ports, read } = setUp();
    control(0xb4);
    ports.write(0x61, 1, 1);
    count(2, 10);
    ticks(10);
    expect(ports.read(0x61, 1) & 0x20).toBe(0);
    ports.write(0x61, 1, 0);
    expect(ports.read(0x61, 1) & 0x20).toBe(0x20);
    ticks(5);
    expect(read(2)).toBe(1);
    ports.write(0x61, 1, 1);
    ticks(1);
    expect(read(2)).toBe(10);
  });

  it('mode 3: counts by two; even counts are half high, odd ones one tick longer high', () => {
    const { control, count, ticks, read, status } = setUp();
    control(0x36);
    count(0, 6);
    ticks(1);
    const even: number[] = [];
    const evenOut: number[] = [];
    for (let i = 0; i < 7; i++, ticks(1)) {
      even.push(read(0));
      evenOut.push(status(0) >> 7);
    }
    expect(even).toEqual([6, 4, 2, 6, 4, 2, 6]);
    expect(evenOut).toEqual([1, 1, 1, 0, 0, 0, 1]);
    control(0x36);
    count(0, 5);
    ticks(1);
    const odd: number[] = [];
    const oddOut: number[] = [];
    for (let i = 0; i < 6; i++, ticks(1)) {
      odd.push(read(0));
      oddOut.push(status(0) >> 7);
    }
    expect(odd).toEqual([4, 2, 0, 4, 2, 4]);
    expect(oddOut).toEqual([1, 1, 1, 0, 0, 1]);
  });

  it('mode 3: a new count is taken at the end of the half period', () => {
    const { control, count, ticks, read, status, irq0 } = setUp();
    control(0x36);
    count(0, 100);
    ticks(11);
    count(0, 2000);
    ticks(39);
    expect(read(0)).toBe(2);
    expect(status(0) & 0x80).toBe(0x80);
    const rises = irq0.rises;
    ticks(1);
    expect(read(0)).toBe(2000);
    expect(status(0) & 0xc0).toBe(0);
    ticks(999);
    expect(irq0.rises).toBe(rises);
    ticks(1);
    expect(irq0.rises).toBe(rises + 1);
  });

  it('mode 4: one low strobe of one tick after N ticks', () => {
    const { control, count, ticks, ports } = setUp();
    const out = () => (ports.read(0x61, 1) & 0x20) !== 0;
    ports.write(0x61, 1, 1);
    control(0xb8);
    count(2, 3);
    ticks(3);
    expect(out()).toBe(true);
    ticks(1);
    expect(out()).toBe(false);
    ticks(1);
    expect(out()).toBe(true);
    ticks(0x20000);
    expect(out()).toBe(true);
  });

  it('mode 5: the strobe follows a rising GATE', () => {
    const { control, count, ticks, ports } = setUp();
    const out = () => (ports.read(0x61, 1) & 0x20) !== 0;
    control(0xba);
    count(2, 3);
    ticks(50);
    expect(out()).toBe(true);
    ports.write(0x61, 1, 1);
    ticks(4);
    expect(out()).toBe(false);
    ticks(1);
    expect(out()).toBe(true);
  });

  it('counts in BCD', () => {
    const { control, count, ticks, read } = setUp();
    control(0x35);
    count(0, 0x1000);
    ticks(2);
    expect(read(0)).toBe(0x0999);
    control(0x31);
    count(0, 0);
    ticks(2);
    expect(read(0)).toBe(0x9999);
  });
});

describe('8254 reading', () => {
  it('latches the count until both bytes are read, and a second latch changes nothing', () => {
    const { control, count, ticks, read } = setUp();
    control(0x34);
    count(0, 0x1234);
    ticks(1);
    control(0x00);
    ticks(10);
    control(0x00);
    expect(read(0)).toBe(0x1234);
    expect(read(0)).toBe(0x122a);
  });

  it('reads and writes one byte only when told so', () => {
    const { control, ticks, ports } = setUp();
    control(0x24);
    ports.write(0x40, 1, 2);
    ticks(2);
    expect(ports.read(0x40, 1)).toBe(1);
    expect(ports.read(0x40, 1)).toBe(1);
    control(0x14);
    ports.write(0x40, 1, 50);
    ticks(2);
    expect(ports.read(0x40, 1)).toBe(49);
  });

  it('read-back gives status first, then the count, of several counters', () => {
    const { control, count, ticks, ports, read } = setUp();
    control(0x34);
    count(0, 100);
    control(0x76);
    count(1, 200);
    ticks(1);
    control(0xc6);
    ticks(5);
    expect(ports.read(0x40, 1)).toBe(0xb4);
    expect(read(0)).toBe(100);
    expect(ports.read(0x41, 1)).toBe(0xb6);
    expect(read(1)).toBe(200);
    expect(ports.read(0x43, 1)).toBe(0xff);
  });
});

describe('8254 interrupts and port 61h', () => {
  it('gives exactly 18.2065 ticks a second at power-on', () => {
    const { clock, irq0 } = setUp();
    const before = irq0.rises;
    clock.advance(100_000_000_000);
    expect(irq0.rises - before).toBe(Math.floor((100 * 105_000_000) / 88 / 65536));
  });

  it('redelivers the ticks of a stall, at most 1000, faster than normal', () => {
    const { clock, control, count, irq0 } = setUp();
    control(0x34);
    count(0, 1193);
    clock.advance(10_000_000);
    const before = irq0.rises;
    clock.stall(50_000_000);
    expect(irq0.rises - before).toBe(1);
    clock.advance(100_000_000);
    expect(irq0.rises - before).toBeGreaterThanOrEqual(149);
    expect(irq0.rises - before).toBeLessThanOrEqual(151);
    const second = irq0.rises;
    clock.stall(60_000_000_000);
    clock.advance(2_000_000_000);
    expect(irq0.rises - second).toBeGreaterThanOrEqual(2990);
    expect(irq0.rises - second).toBeLessThanOrEqual(3010);
  });

  it('never interrupts more often than every 50 us', () => {
    const { clock, control, count, irq0 } = setUp();
    control(0x34);
    count(0, 2);
    const before = irq0.rises;
    clock.advance(100_000_000);
    expect(irq0.rises - before).toBeLessThanOrEqual(2001);
    expect(irq0.rises - before).toBeGreaterThan(1900);
    count(0, 11932);
    clock.advance(10_000_000);
    const slow = irq0.rises;
    clock.advance(1_000_000_000);
    expect(irq0.rises - slow).toBeGreaterThanOrEqual(99);
    expect(irq0.rises - slow).toBeLessThanOrEqual(101);
  });

  it('toggles the refresh bit about every 15 us', () => {
    const { clock, ports } = setUp();
    let toggles = 0;
    let last = ports.read(0x61, 1) & 0x10;
    for (let i = 0; i < 3000; i++) {
      clock.advance(1000);
      const now = ports.read(0x61, 1) & 0x10;
      if (now !== last) toggles++;
      last = now;
    }
    expect(toggles).toBeGreaterThanOrEqual(197);
    expect(toggles).toBeLessThanOrEqual(200);
  });

  it('tells the speaker its tone', () => {
    const { control, count, ports, sounds } = setUp();
    control(0xb6);
    count(2, 1193);
    expect(sounds.at(-1)?.sounding).toBe(false);
    ports.write(0x61, 1, 3);
    expect(ports.read(0x61, 1) & 0x0f).toBe(3);
    expect(sounds.at(-1)?.sounding).toBe(true);
    expect(sounds.at(-1)?.frequencyHz).toBeCloseTo(1000.15, 1);
    ports.write(0x61, 1, 0);
    expect(sounds.at(-1)?.sounding).toBe(false);
  });

  it('goes on after a restore exactly as without', () => {
    const a = setUp();
    a.control(0x34);
    a.count(0, 5000);
    a.clock.advance(12_345_678);
    const clock = new TestClock(a.clock.nowNs());
    const irq0 = new TestLine();
    const pit = new Pit8254({ clock, irq0 });
    pit.load(a.pit.save());
    const times: number[] = [];
    const expected: number[] = [];
    irq0.onChange = (level) => level && times.push(clock.nowNs());
    a.irq0.onChange = (level) => level && expected.push(a.clock.nowNs());
    clock.advance(50_000_000);
    a.clock.advance(50_000_000);
    expect(times).toEqual(expected);
    expect(times.length).toBe(12);
  });
});
