import { describe, expect, it } from 'vitest';
import { PortBus } from '../../bus/port-bus.ts';
import { civilOf, secondsOf } from './calendar.ts';
import { RtcMc146818 } from './rtc-mc146818.ts';
import { TestClock, TestLine } from './testing.ts';

const S = 1_000_000_000;
const MS = 1_000_000;

function setUp(date = '2024-02-28T23:59:50Z') {
  const clock = new TestClock();
  const irq8 = new TestLine();
  const masks: boolean[] = [];
  const rtc = new RtcMc146818({
    clock,
    wallClock: { epochMsAtPowerOn: Date.parse(date) },
    irq8,
    onNmiMask: (masked) => masks.push(masked),
  });
  const ports = new PortBus();
  rtc.attach(ports);
  const read = (index: number) => {
    ports.write(0x70, 1, index);
    return ports.read(0x71, 1);
  };
  const write = (index: number, value: number) => {
    ports.write(0x70, 1, index);
    ports.write(0x71, 1, value);
  };
  /** "YYYY-MM-DD hh:mm:ss dow" from the BCD registers. */
  const show = () => {
    const hex = (index: number) => read(index).toString(16).padStart(2, '0');
    return `${hex(0x32)}${hex(9)}-${hex(8)}-${hex(7)} ${hex(4)}:${hex(2)}:${hex(0)} ${hex(6)}`;
  };
  return { clock, irq8, rtc, ports, read, write, show, masks };
}

describe('calendar', () => {
  it('agrees with the Gregorian calendar over four centuries', () => {
    for (let day = -200_000; day < 200_000; day += 97) {
      const seconds = day * 86_400 + 12_345;
      const date = new Date(seconds * 1000);
      const civil = civilOf(seconds);
      expect([civil.year, civil.month, civil.day, civil.hour, civil.minute, civil.second, civil.dayOfWeek]).toEqual([
        date.getUTCFullYear(),
        date.getUTCMonth() + 1,
        date.getUTCDate(),
        date.getUTCHours(),
        date.getUTCMinutes(),
        date.getUTCSeconds(),
        date.getUTCDay() + 1,
      ]);
      expect(secondsOf(civil.year, civil.month, civil.day, civil.hour, civil.minute, civil.second)).toBe(seconds);
    }
    expect(secondsOf(2023, 14, 31, 0, 0, 0)).toBe(Date.UTC(2023, 13, 31) / 1000);
    expect(secondsOf(2023, 0, 0, 25, 61, 61)).toBe(Date.UTC(2023, -1, 0, 25, 61, 61) / 1000);
  });
});

describe('MC146818 time', () => {
  it('runs with the virtual clock through a leap day', () => {
    const { clock, show } = setUp();
    expect(show()).toBe('2024-02-28 23:59:50 04');
    clock.advance(10 * S);
    expect(show()).toBe('2024-02-29 00:00:00 05');
    clock.advance(86_400 * S);
    expect(show()).toBe('2024-03-01 00:00:00 06');
  });

  it('shows binary and 12-hour formats', () => {
    const { clock, read, write } = setUp('2024-05-17T23:45:59Z');
    write(0x0b, 0x06);
    expect([read(4), read(2), read(0), read(9), read(0x32)]).toEqual([23, 45, 59, 24, 20]);
    write(0x0b, 0x04);
    expect(read(4)).toBe(0x80 | 11);
    write(0x0b, 0x00);
    expect(read(4)).toBe(0x91);
    clock.advance(3600 * S);
    expect(read(4)).toBe(0x12);
    clock.advance(12 * 3600 * S);
    expect(read(4)).toBe(0x92);
  });

  it('is set with SET, keeping the phase of the second', () => {
    const { clock, write, show } = setUp();
    clock.advance(300 * MS);
    write(0x0b, 0x82);
    for (const [index, value] of [
      [0x32, 0x19],
      [9, 0x99],
      [8, 0x12],
      [7, 0x31],
      [4, 0x23],
      [2, 0x59],
      [0, 0x59],
    ] as const) {
      write(index, value);
    }
    clock.advance(5 * S);
    expect(show()).toBe('1999-12-31 23:59:59 04');
    write(0x0b, 0x02);
    clock.advance(699 * MS);
    expect(show()).toBe('1999-12-31 23:59:59 06');
    clock.advance(1 * MS);
    expect(show()).toBe('2000-01-01 00:00:00 07');
  });

  it('takes single writes while running, and survives nonsense', () => {
    const { write, show, read } = setUp();
    write(2, 0x30);
    expect(show()).toBe('2024-02-28 23:30:50 04');
    for (let index = 0; index <= 9; index++) write(index, 0xff);
    write(0x32, 0xff);
    expect(read(0)).toBeLessThan(0x60);
  });

  it('warns of an update 244 us before it', () => {
    const { clock, read, write } = setUp();
    clock.advance(S - 245_000);
    expect(read(0x0a)).toBe(0x26);
    clock.advance(1000);
    expect(read(0x0a)).toBe(0xa6);
    clock.advance(244_000);
    expect(read(0x0a)).toBe(0x26);
    write(0x0b, 0x82);
    clock.advance(S - 1000);
    expect(read(0x0a)).toBe(0x26);
  });

  it('starts half a second after the divider is released', () => {
    const { clock, write, read } = setUp();
    write(0x0a, 0x70);
    clock.advance(10 * S);
    expect(read(0)).toBe(0x50);
    write(0x0a, 0x26);
    clock.advance(499 * MS);
    expect(read(0)).toBe(0x50);
    clock.advance(1 * MS);
    expect(read(0)).toBe(0x51);
  });
});

describe('MC146818 interrupts', () => {
  it('update-ended: once a second, cleared by reading register C', () => {
    const { clock, irq8, read, write } = setUp();
    write(0x0b, 0x12);
    clock.advance(999 * MS);
    expect(irq8.level).toBe(false);
    clock.advance(1 * MS);
    expect(irq8.level).toBe(true);
    expect(read(0x0c) & 0x90).toBe(0x90);
    expect(irq8.level).toBe(false);
    expect(read(0x0c)).toBe(0);
    clock.advance(1 * S);
    expect(irq8.level).toBe(true);
  });

  it('periodic: 1024 Hz by default, other rates by register A', () => {
    const { clock, irq8, read, write } = setUp();
    let count = 0;
    irq8.onChange = (level) => {
      if (!level) return;
      count++;
    };
    write(0x0b, 0x42);
    ports1s(clock, read);
    expect(count).toBe(1024);
    count = 0;
    write(0x0a, 0x2f);
    read(0x0c);
    ports1s(clock, read);
    expect(count).toBe(2);
    write(0x0a, 0x20);
    count = 0;
    ports1s(clock, read);
    expect(count).toBe(0);
  });

  function ports1s(clock: TestClock, read: (index: number) => number): void {
    for (let i = 0; i < 4000; i++) {
      clock.advance(250_000);
      read(0x0c);
    }
  }

  it('sets flags of events that are not enabled, without interrupting', () => {
    const { clock, irq8, read } = setUp();
    clock.advance(2 * S);
    expect(read(0x0c)).toBe(0x50);
    expect(irq8.rises).toBe(0);
  });

  it('alarm: at the exact time, and with wildcards', () => {
    const { clock, irq8, read, write, show } = setUp();
    write(5, 0x00);
    write(3, 0x00);
    write(1, 0x05);
    write(0x0b, 0x22);
    clock.advance(14 * S);
    expect(irq8.level).toBe(false);
    clock.advance(1 * S);
    expect(irq8.level).toBe(true);
    expect(show()).toBe('2024-02-29 00:00:05 05');
    expect(read(0x0c) & 0xa0).toBe(0xa0);
    write(5, 0xff);
    write(3, 0xc0);
    clock.advance(59 * S);
    expect(irq8.level).toBe(false);
    clock.advance(1 * S);
    expect(irq8.level).toBe(true);
    read(0x0c);
    write(1, 0x99);
    clock.advance(86_400 * S);
    expect(irq8.level).toBe(false);
  });

  it('alarm of tomorrow wakes up once', () => {
    const { clock, irq8, write } = setUp('2024-05-17T12:00:00Z');
    write(5, 0x11);
    write(3, 0x59);
    write(1, 0x59);
    write(0x0b, 0x22);
    clock.advance(86_398 * S);
    expect(irq8.rises).toBe(0);
    clock.advance(1 * S);
    expect(irq8.rises).toBe(1);
  });
});

describe('MC146818 memory and ports', () => {
  it('keeps CMOS bytes through reset, but no interrupt enables', () => {
    const { rtc, read, write } = setUp();
    rtc.setCmos(0x17, 0x3c);
    expect(read(0x17)).toBe(0x3c);
    write(0x7f, 0x99);
    write(0x0b, 0x72);
    rtc.reset();
    expect(read(0x7f)).toBe(0x99);
    expect(read(0x0b)).toBe(0x02);
    expect(read(0x0d)).toBe(0x80);
    write(0x0d, 0);
    expect(read(0x0d)).toBe(0x80);
  });

  it('masks NMI by bit 7 of port 70h', () => {
    const { ports, masks, rtc } = setUp();
    ports.write(0x70, 1, 0x8f);
    ports.write(0x70, 1, 0x80);
    ports.write(0x70, 1, 0x00);
    expect(masks).toEqual([true, false]);
    expect(rtc.nmiMasked).toBe(false);
    expect(ports.read(0x70, 1)).toBe(0xff);
  });

  it('restores time, pending interrupts and the next event', () => {
    const a = setUp();
    a.write(0x0b, 0x12);
    a.clock.advance(1500 * MS);
    const b = setUp('1980-01-01T00:00:00Z');
    b.clock.advance(1500 * MS);
    b.rtc.load(a.rtc.save());
    expect(b.irq8.level).toBe(true);
    expect(b.show()).toBe(a.show());
    b.read(0x0c);
    b.clock.advance(499 * MS);
    expect(b.irq8.level).toBe(false);
    b.clock.advance(1 * MS);
    expect(b.irq8.level).toBe(true);
  });

  it('follows the host after a restore when asked', () => {
    const { clock, rtc, show } = setUp();
    clock.advance(5 * S);
    rtc.setTime(Date.parse('2030-06-01T01:02:03.500Z'));
    expect(show()).toBe('2030-06-01 01:02:03 07');
    clock.advance(500 * MS);
    expect(show()).toBe('2030-06-01 01:02:04 07');
  });
});
