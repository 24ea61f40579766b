import { describe, expect, it } from 'vitest';
import { TimerQueue } from '../../base/timer-queue.ts';
import { GatedLine } from './gated-line.ts';
import { Hpet } from './hpet.ts';
import { TestClock, TestLine } from './testing.ts';

function build(): { hpet: Hpet; clock: TestClock; lines: Map<number, TestLine>; legacy: boolean[] } {
  const clock = new TestClock(1000);
  const lines = new Map<number, TestLine>();
  const legacy: boolean[] = [];
  const irq = (input: number): TestLine => {
    let line = lines.get(input);
    if (line === undefined) lines.set(input, (line = new TestLine()));
    return line;
  };
  return { hpet: new Hpet({ clock, irq, onLegacyReplacement: (on) => legacy.push(on) }), clock, lines, legacy };
}

const write = (hpet: Hpet, offset: number, value: number): void => hpet.writeMmio(offset, 4, value);

describe('Hpet', () => {
  it('describes itself: 100 MHz, three 64-bit periodic timers, legacy routing', () => {
    const { hpet } = build();
    expect(hpet.readMmio(0, 4) >>> 0).toBe(0x8086a201);
    expect(hpet.readMmio(4, 4)).toBe(10_000_000);
    expect(hpet.readMmio(0x100, 4)).toBe(0x30);
    expect(hpet.readMmio(0x1e0, 4)).toBe(0);
  });

  it('counts only while enabled, and the counter can be set', () => {
    const { hpet, clock } = build();
    clock.advance(5000);
    expect(hpet.readMmio(0xf0, 4)).toBe(0);
    write(hpet, 0xf0, 0xfffffff0);
    write(hpet, 0x10, 1);
    clock.advance(200);
    expect([hpet.readMmio(0xf0, 4), hpet.readMmio(0xf4, 4)]).toEqual([4, 1]);
    write(hpet, 0x10, 0);
    clock.advance(1000);
    expect(hpet.readMmio(0xf0, 4)).toBe(4);
  });

  it('fires an edge interrupt once in one-shot mode on its routed input', () => {
    const { hpet, clock, lines } = build();
    write(hpet, 0x140, (16 << 9) | 0x4);
    write(hpet, 0x148, 1000);
    write(hpet, 0x14c, 0);
    write(hpet, 0x10, 1);
    clock.advance(9_990);
    expect(lines.get(16)?.rises ?? 0).toBe(0);
    clock.advance(20);
    expect(lines.get(16)).toMatchObject({ rises: 1, level: false });
    clock.advance(1_000_000);
    expect(lines.get(16)?.rises).toBe(1);
  });

  it('fires periodically, through the legacy routing, at the programmed rate', () => {
    const { hpet, clock, lines, legacy } = build();
    write(hpet, 0x100, 0x4 | 0x8 | 0x40);
    write(hpet, 0x108, 100_000);
    write(hpet, 0x10c, 0);
    write(hpet, 0x10, 3);
    expect(legacy).toEqual([true]);
    clock.advance(10_000_000);
    expect(lines.get(2)?.rises).toBe(10);
  });

  it('holds a level interrupt until its status bit is written', () => {
    const { hpet, clock, lines } = build();
    write(hpet, 0x120, (8 << 9) | 0x4 | 0x2 | 0x100);
    write(hpet, 0x128, 50);
    write(hpet, 0x10, 1);
    clock.advance(600);
    expect(lines.get(8)?.level).toBe(true);
    expect(hpet.readMmio(0x20, 4)).toBe(2);
    write(hpet, 0x20, 2);
    expect(lines.get(8)?.level).toBe(false);
  });

  it('does not let a guest interrupt faster than the host can bear', () => {
    const { hpet, clock, lines } = build();
    write(hpet, 0x100, (16 << 9) | 0x4 | 0x8 | 0x40);
    write(hpet, 0x108, 1);
    write(hpet, 0x10c, 0);
    write(hpet, 0x10, 1);
    clock.advance(1_000_000);
    expect(lines.get(16)?.rises).toBeLessThan(25);
  });

  it('saves and restores counter, comparators and pending level interrupts', () => {
    const { hpet, clock } = build();
    write(hpet, 0x120, (8 << 9) | 0x4 | 0x2);
    write(hpet, 0x128, 50);
    write(hpet, 0x12c, 0);
    write(hpet, 0x10, 1);
    clock.advance(700);
    const state = hpet.save();
    const other = build();
    other.hpet.load(state);
    expect(other.hpet.save()).toEqual(state);
    expect(other.lines.get(8)?.level).toBe(true);
    expect(() => other.hpet.load({ version: 1, fields: { ...state.fields, timers: [] } })).toThrow(/timers/);
    other.hpet.reset();
    expect(other.hpet.save()).toEqual(build().hpet.save());
  });

  it('keeps all 64 bits of counter and comparators', () => {
    const { hpet, clock, lines } = build();
    write(hpet, 0xf4, 0xffffffff);
    write(hpet, 0xf0, 0xfffffff0);
    write(hpet, 0x140, (20 << 9) | 0x4);
    write(hpet, 0x148, 0x00000010);
    write(hpet, 0x14c, 0x00000000);
    write(hpet, 0x10, 1);
    expect([hpet.readMmio(0xf0, 4), hpet.readMmio(0xf4, 4)]).toEqual([0xfffffff0, 0xffffffff]);
    clock.advance(319);
    expect(lines.get(20)?.rises ?? 0).toBe(0);
    clock.advance(1);
    expect(lines.get(20)?.rises).toBe(1);
    expect([hpet.readMmio(0xf0, 4), hpet.readMmio(0xf4, 4)]).toEqual([0x10, 0]);
  });

  it('takes comparator, then period, with the value-set bit, as kernels program it', () => {
    const { hpet, clock, lines } = build();
    write(hpet, 0x10, 1);
    clock.advance(1_000);
    write(hpet, 0x100, (16 << 9) | 0x4 | 0x8 | 0x40 | 0x100);
    write(hpet, 0x108, 100 + 50_000);
    write(hpet, 0x108, 10_000);
    const times: number[] = [];
    const line = lines.get(16) ?? new TestLine();
    lines.set(16, line);
    line.onChange = (level) => level && times.push(clock.nowNs() - 1000);
    clock.advance(800_000);
    expect(times).toEqual([501_000, 601_000, 701_000, 801_000]);
  });

  it('arms nothing for a periodic timer without interrupt, whose comparator moves all the same', () => {
    const { hpet, clock, lines } = build();
    write(hpet, 0x100, (16 << 9) | 0x4 | 0x8 | 0x40 | 0x100);
    write(hpet, 0x108, 30_000);
    write(hpet, 0x108, 10_000);
    write(hpet, 0x10, 1);
    const timerOf = (of: Hpet): unknown => (of.save().fields as { timers: unknown[] }).timers[0];
    clock.advance(450_000);
    const rises = lines.get(16)?.rises;
    expect(rises).toBe(2);
    // The interrupt is disabled: no deadline, no interrupt, but each read finds the next match.
    write(hpet, 0x100, (16 << 9) | 0x8 | 0x100);
    expect(timerOf(hpet)).toMatchObject({ deadline: null });
    expect(hpet.readMmio(0x108, 4)).toBe(50_000);
    clock.advance(50_000 - 10);
    expect(hpet.readMmio(0x108, 4)).toBe(50_000);
    clock.advance(10);
    expect(hpet.readMmio(0x108, 4)).toBe(60_000);
    // Longer than half of the counter's 32 bits.
    clock.advance(30_000_000_000);
    const comparator = (60_000 + 3_000_000_000) % 2 ** 32;
    expect(hpet.readMmio(0x108, 4)).toBe(comparator);
    expect(lines.get(16)?.rises).toBe(rises);
    const other = build();
    other.clock.advance(clock.nowNs() - other.clock.nowNs());
    other.hpet.load(hpet.save());
    expect(other.hpet.save()).toEqual(hpet.save());
    // Enabled again, both go on in step with the periods.
    for (const each of [{ hpet, clock, lines }, other]) {
      each.clock.advance(130_000);
      const before = each.lines.get(16)?.rises ?? 0;
      write(each.hpet, 0x100, (16 << 9) | 0x4 | 0x8 | 0x100);
      expect(timerOf(each.hpet)).toMatchObject({ low: (comparator + 10_000) % 2 ** 32 });
      each.clock.advance(70_000 - 10);
      expect(each.lines.get(16)?.rises ?? 0).toBe(before);
      each.clock.advance(10);
      expect(each.lines.get(16)?.rises).toBe(before + 1);
    }
  });

  it('matches again after 2^32 ticks in 32-bit mode', () => {
    const { hpet, clock, lines } = build();
    write(hpet, 0x120, (17 << 9) | 0x4 | 0x100);
    write(hpet, 0x128, 5);
    write(hpet, 0x10, 1);
    clock.advance(100);
    expect(lines.get(17)?.rises).toBe(1);
    clock.advance(2 ** 32 * 10 - 100);
    expect(lines.get(17)?.rises).toBe(1);
    clock.advance(100);
    expect(lines.get(17)?.rises).toBe(2);
  });

  it('refuses inputs that it does not offer, and drops its wire when it is disabled', () => {
    const { hpet, clock, lines } = build();
    write(hpet, 0x120, (8 << 9) | 0x4 | 0x2);
    write(hpet, 0x120, (5 << 9) | 0x4 | 0x2);
    expect(hpet.readMmio(0x120, 4)).toBe((8 << 9) | 0x36);
    write(hpet, 0x128, 5);
    write(hpet, 0x12c, 0);
    write(hpet, 0x10, 1);
    clock.advance(100);
    expect(lines.get(8)?.level).toBe(true);
    write(hpet, 0x10, 0);
    expect(lines.get(8)?.level).toBe(false);
    write(hpet, 0x10, 1);
    expect(lines.get(8)?.level).toBe(true);
    write(hpet, 0x120, (8 << 9) | 0x4);
    expect(lines.get(8)?.level).toBe(false);
    expect(hpet.readMmio(0x20, 4)).toBe(0);
  });

  it('makes up for periods that a stall swallowed', () => {
    const { hpet, clock, lines } = build();
    write(hpet, 0x100, 0x4 | 0x8 | 0x40);
    write(hpet, 0x108, 100_000);
    write(hpet, 0x10c, 0);
    write(hpet, 0x10, 3);
    clock.stall(20_500_000);
    expect(lines.get(2)?.rises).toBe(1);
    clock.advance(29_500_000);
    expect(lines.get(2)?.rises).toBe(50);
  });
});

describe('GatedLine', () => {
  it('falls while it is closed and follows its source again afterwards', () => {
    const line = new TestLine();
    const gated = new GatedLine(line);
    gated.set(true);
    gated.setOpen(false);
    expect(line.level).toBe(false);
    gated.set(false);
    gated.set(true);
    expect(line.rises).toBe(1);
    gated.setOpen(true);
    expect(line.level).toBe(true);
  });

  it.each([1, 2, 3, 4])('keeps ticking when the host takes the thread away before look %i at the time', (stalledLook) => {
    let hostNs = 0;
    let looks = 10;
    const clock = new TimerQueue(() => (hostNs += ++looks === stalledLook ? 1_300_000 : 1000));
    const line = new TestLine();
    const hpet = new Hpet({ clock, irq: () => line, onLegacyReplacement: () => undefined });
    write(hpet, 0x100, 0x4 | 0x8 | 0x40 | 0x100);
    write(hpet, 0x108, 100_000);
    write(hpet, 0x108, 100_000);
    write(hpet, 0x10, 3);
    const ticks = 20;
    for (let round = 0; round < ticks; round++) {
      const nowNs = (hostNs = Math.max(hostNs, clock.nextDeadlineNs()));
      if (round === ticks / 2) looks = 0;
      clock.runDue(nowNs);
      looks = 10;
      // A match that is missed comes after 2^32 ticks, 43 seconds.
      expect(clock.nextDeadlineNs() - hostNs).toBeLessThan(1_100_000);
    }
    expect(line.rises).toBe(ticks);
  });
});
