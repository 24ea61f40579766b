import { describe, expect, it } from 'vitest';
import { BDA, EBDA } from '../data-area.ts';
import { BiosBench } from '../testing.ts';

const fresh = (): BiosBench => {
  const bench = new BiosBench({ quiet: true });
  bench.post();
  return bench;
};
const shared = fresh();
/** The machine of the keyboard tests with its keyboard fields as POST leaves them. */
const made = (): BiosBench => {
  shared.set(BDA.KEY_SHIFT, [0, 0, 0, 0x1e, 0, 0x1e, 0]);
  shared.set(BDA.KEY_START, [0x1e, 0, 0x3e, 0]);
  shared.set(BDA.KEY_MODE, [0x10, 0]);
  shared.write8(BDA.BREAK_FLAG, 0);
  return shared;
};
/** Scan codes as the IRQ1 stub hands them over; gives the last action. */
const scan = (bench: BiosBench, ...codes: number[]): number =>
  codes.map((code) => bench.call(0x09, { spare: code }).action).at(-1) ?? 0;
/** The next key, extended functions; -1 when there is none. */
const key = (bench: BiosBench, fn = 0x1100): number => {
  if (bench.call(0x16, { eax: fn }).zero) return -1;
  return bench.call(0x16, { eax: fn & 0x1000 }).ax;
};

const SHIFT = 0x2a;
const CTRL = 0x1d;
const ALT = 0x38;

describe('INT 9 and 16h', () => {
  it.each([
    ['a', [0x1e], 0x1e61],
    ['A', [SHIFT, 0x1e], 0x1e41],
    ['Ctrl-C', [CTRL, 0x2e], 0x2e03],
    ['Alt-X', [ALT, 0x2d], 0x2d00],
    ['1', [0x02], 0x0231],
    ['!', [SHIFT, 0x02], 0x0221],
    ['Ctrl-2', [CTRL, 0x03], 0x0300],
    ['Enter', [0x1c], 0x1c0d],
    ['keypad Enter', [0xe0, 0x1c], 0xe00d],
    ['keypad slash', [0xe0, 0x35], 0xe02f],
    ['F1', [0x3b], 0x3b00],
    ['Shift-F10', [SHIFT, 0x44], 0x5d00],
    ['Ctrl-F10', [CTRL, 0x44], 0x6700],
    ['Alt-F10', [ALT, 0x44], 0x7100],
    ['F12', [0x58], 0x8600],
    ['keypad 8 without Num Lock', [0x48], 0x4800],
    ['keypad 8 with Shift', [SHIFT, 0x48], 0x4838],
    ['grey Up', [0xe0, 0x48], 0x48e0],
    ['Ctrl-grey Left', [CTRL, 0xe0, 0x4b], 0x73e0],
    ['Alt-grey Del', [ALT, 0xe0, 0x53], 0xa300],
    ['Shift-Tab', [SHIFT, 0x0f], 0x0f00],
    ['Alt-Space', [ALT, 0x39], 0x3920],
  ])('%s', (_, codes, expected) => {
    const bench = made();
    scan(bench, ...codes);
    expect(key(bench)).toBe(expected);
    expect(key(bench)).toBe(-1);
  });

  it('gives old callers the old codes and drops keys that they cannot know', () => {
    const bench = made();
    scan(bench, 0x57, 0xe0, 0x48, 0xe0, 0x1c, 0xe0, 0x35);
    expect([key(bench, 0x0100), key(bench, 0x0100), key(bench, 0x0100), key(bench, 0x0100)]).toEqual([
      0x4800, 0x1c0d, 0x352f, -1,
    ]);
  });

  it('tracks shift states of both sides, also for the extended shift service', () => {
    const bench = made();
    scan(bench, 0x36, CTRL, 0xe0, ALT);
    expect(bench.call(0x16, { eax: 0x0200 }).al).toBe(0x0d);
    expect(bench.call(0x16, { eax: 0x1200 }).ah).toBe(0x09);
    scan(bench, 0xb6, 0xe0, 0xb8);
    expect(bench.call(0x16, { eax: 0x0200 }).al).toBe(0x04);
    scan(bench, CTRL | 0x80, 0xe0, SHIFT);
    expect(bench.call(0x16, { eax: 0x0200 }).al).toBe(0);
  });

  it('toggles locks once however long they are held, and they change letters and digits', () => {
    const bench = made();
    scan(bench, 0x3a, 0x3a, 0x3a, 0xba, 0x1e, SHIFT, 0x1e, SHIFT | 0x80);
    expect([key(bench), key(bench)]).toEqual([0x1e41, 0x1e61]);
    scan(bench, 0x45, 0xc5, 0x48, SHIFT, 0x48, SHIFT | 0x80);
    expect([key(bench), key(bench)]).toEqual([0x4838, 0x4800]);
    expect(bench.read8(BDA.KEY_SHIFT)).toBe(0x60);
  });

  it("sets the keyboard's lights through its command and acknowledgements", () => {
    const bench = made();
    scan(bench, 0x3a, 0xba);
    expect(bench.read8(BDA.KEY_LEDS) & 0x40).toBe(0x40);
    scan(bench, 0xfa);
    expect(bench.read8(BDA.KEY_LEDS)).toBe(0x24);
    scan(bench, 0xfa);
    expect(bench.read8(BDA.KEY_LEDS)).toBe(0x04);
    expect(key(bench)).toBe(-1);
  });

  it('enters characters by Alt and keypad digits', () => {
    const bench = made();
    scan(bench, ALT, 0x4f, 0x4b, 0x52, ALT | 0x80);
    expect(key(bench)).toBe(140);
  });

  it('has special keys: break, print screen, pause, system request, reset', () => {
    const bench = made();
    scan(bench, 0x1e, CTRL);
    expect(scan(bench, 0xe0, 0x46)).toBe(4);
    expect([bench.read8(BDA.BREAK_FLAG), key(bench)]).toEqual([0x80, 0]);
    scan(bench, CTRL | 0x80);
    expect(scan(bench, 0xe0, 0x37)).toBe(3);
    expect(scan(bench, 0x54)).toBe(5);
    expect(scan(bench, 0xd4)).toBe(6);
    expect(scan(bench, 0xe1, 0x1d, 0x45)).toBe(7);
    expect(scan(bench, 0xe1, 0x9d, 0xc5)).toBe(0);
    expect(bench.read8(BDA.KEY_SHIFT2) & 8).toBe(8);
    scan(bench, 0x1e);
    expect([bench.read8(BDA.KEY_SHIFT2) & 8, key(bench)]).toEqual([0, -1]);
    scan(bench, CTRL, ALT);
    expect(scan(bench, 0x53)).toBe(8);
    expect(bench.read16(BDA.RESET_FLAG)).toBe(0x1234);
  });

  it('waits for keys, keeps 15 of them and reports a full buffer', () => {
    const bench = made();
    expect(bench.call(0x16, { eax: 0 }).action).toBe(2);
    for (let i = 0; i < 15; i++) expect(bench.call(0x16, { eax: 0x0500, ecx: 0x100 + i }).al).toBe(0);
    expect(bench.call(0x16, { eax: 0x0500, ecx: 1 }).al).toBe(1);
    for (let i = 0; i < 15; i++) expect(key(bench)).toBe(0x100 + i);
    expect(key(bench)).toBe(-1);
  });
});

describe('a program that waits by polling', () => {
  const polls = (bench: BiosBench, count: number, gapNs: number): number => {
    let halts = 0;
    for (let i = 0; i < count; i++) {
      bench.clock.advance(gapNs);
      const result = bench.call(0x16, { eax: 0x0100 });
      if (result.action === 2) halts++;
      else expect(result.zero).toBe(true);
    }
    return halts;
  };

  it('is halted until the next interrupt, again and again, but answered after each', () => {
    const bench = fresh();
    expect(polls(bench, 999, 1000)).toBe(0);
    expect(bench.call(0x16, { eax: 0x0100 }).action).toBe(2);
    bench.clock.advance(55_000_000);
    expect(bench.call(0x16, { eax: 0x0100 })).toMatchObject({ action: 0, zero: true });
    expect(polls(bench, 400, 1000)).toBeGreaterThan(5);
  });

  it('is left alone when it works between polls, masks interrupts or the timer', () => {
    const bench = fresh();
    expect(polls(bench, 3000, 50_000)).toBe(0);
    const mask = bench.ports.read(0x21, 1);
    bench.ports.write(0x21, 1, mask | 1);
    expect(polls(bench, 3000, 100)).toBe(0);
    bench.ports.write(0x21, 1, mask);
    expect(bench.call(0x16, { eax: 0x0100, flags: 0x0002 }).action).toBe(0);
    expect(bench.call(0x16, { eax: 0x0100 }).action).toBe(2);
  });
});

describe('a guest that breaks the buffer pointers', () => {
  it('gets no answer but no endless loop either', () => {
    const bench = made();
    bench.set(BDA.KEY_START, [0x1e, 0, 0, 0]);
    bench.set(BDA.KEY_HEAD, [0x1e, 0, 0x30, 0]);
    bench.set(0x41e, [0x00, 0x85]);
    expect(bench.call(0x16, { eax: 0x0000 }).action).toBe(2);
  });
});

describe('pointing device', () => {
  const HANDLER = { es: 0x1234, ebx: 0x0056 };

  it('is reset, enabled and reports through the handler packet by packet', async () => {
    const bench = fresh();
    bench.clock.advance(1_000_000_000);
    expect((await bench.callAsync(0x15, { eax: 0xc200, ebx: 0x0100 })).ah).toBe(5);
    const init = await bench.callAsync(0x15, { eax: 0xc205, ebx: 0x0300 });
    expect([init.carry, init.ah, init.bl, init.bh]).toEqual([false, 0, 0xaa, 0]);
    expect(bench.call(0x15, { eax: 0xc207, ...HANDLER }).ah).toBe(0);
    const enable = await bench.callAsync(0x15, { eax: 0xc200, ebx: 0x0100 });
    expect([enable.carry, enable.ah]).toEqual([false, 0]);
    bench.keyboard.mouseMove(5, 7, 0);
    bench.clock.advance(100_000_000);
    expect(bench.irq12.level).toBe(true);
    const actions: number[] = [];
    for (let i = 0; i < 3; i++) {
      actions.push(bench.call(0x74).action);
      bench.clock.advance(10_000_000);
    }
    expect(actions).toEqual([0, 0, 3]);
    expect(bench.read32(EBDA.MOUSE_HANDLER)).toBe(0x12340056);
    const [flags = 0, x = 0, y = 0] = bench.bytes(EBDA.MOUSE_PACKET, 3);
    expect([flags & 0x08, x]).toEqual([0x08, 5]);
    expect(Math.abs((y << 24) >> 24)).toBe(7);
  });

  it('tells type and status and checks its arguments', async () => {
    const bench = fresh();
    bench.clock.advance(1_000_000_000);
    const type = await bench.callAsync(0x15, { eax: 0xc204 });
    expect([type.ah, type.bh]).toEqual([0, 0]);
    expect((await bench.callAsync(0x15, { eax: 0xc202, ebx: 0x0500 })).ah).toBe(0);
    expect((await bench.callAsync(0x15, { eax: 0xc203, ebx: 0x0200 })).ah).toBe(0);
    const status = await bench.callAsync(0x15, { eax: 0xc206, ebx: 0 });
    expect([status.ah, status.ecx & 0xff, status.edx & 0xff]).toEqual([0, 2, 100]);
    expect((await bench.callAsync(0x15, { eax: 0xc202, ebx: 0x0900 })).ah).toBe(2);
    expect((await bench.callAsync(0x15, { eax: 0xc2ff })).ah).toBe(1);
  });
});
