import { describe, expect, it } from 'vitest';
import { PortBus } from '../../bus/port-bus.ts';
import { TestClock, TestLine } from '../platform/testing.ts';
import { I8042 } from './i8042.ts';

const MS = 1_000_000;

function setUp({ mode = 0x47 } = {}) {
  const clock = new TestClock();
  const irq1 = new TestLine();
  const irq12 = new TestLine();
  const events: string[] = [];
  const i8042 = new I8042({
    clock,
    irq1,
    irq12,
    onA20: (enabled) => events.push(`a20 ${enabled}`),
    onReset: () => events.push('reset'),
    onLeds: (leds) => events.push(`leds ${leds}`),
  });
  const ports = new PortBus();
  i8042.attach(ports);
  const command = (value: number, ...data: number[]) => {
    ports.write(0x64, 1, value);
    for (const byte of data) ports.write(0x60, 1, byte);
  };
  const status = () => ports.read(0x64, 1);
  const data = () => ports.read(0x60, 1);
  /** Reads what comes within 20 ms after each byte. */
  const drain = () => {
    const bytes: number[] = [];
    for (let waits = 0; waits < 20;) {
      if ((status() & 1) !== 0) {
        bytes.push(data());
        waits = 0;
      } else {
        clock.advance(MS);
        waits++;
      }
    }
    return bytes;
  };
  const keyboard = (...bytes: number[]) =>
    bytes.flatMap((byte) => {
      ports.write(0x60, 1, byte);
      return drain();
    });
  const mouse = (...bytes: number[]) =>
    bytes.flatMap((byte) => {
      command(0xd4, byte);
      return drain();
    });
  command(0x60, mode);
  events.length = 0;
  return { clock, irq1, irq12, i8042, ports, command, status, data, drain, keyboard, mouse, events };
}

describe('8042 controller', () => {
  it('self test, interface tests and command byte', () => {
    const { command, drain, status } = setUp({ mode: 0x30 });
    expect(status()).toBe(0x10);
    command(0xaa);
    expect(status()).toBe(0x1d);
    expect(drain()).toEqual([0x55]);
    command(0xab);
    expect(drain()).toEqual([0]);
    command(0xa9);
    expect(drain()).toEqual([0]);
    command(0x60, 0x65);
    command(0x20);
    expect(drain()).toEqual([0x65]);
    command(0x65, 0x99);
    command(0x25);
    expect(drain()).toEqual([0x99]);
    command(0xa4);
    expect(drain()).toEqual([0xf1]);
    command(0xc0);
    expect(drain()).toEqual([0x80]);
  });

  it('enables and disables the devices in the command byte', () => {
    const { command, drain } = setUp({ mode: 0x00 });
    const mode = () => {
      command(0x20);
      return drain()[0];
    };
    command(0xad);
    expect(mode()).toBe(0x10);
    command(0xa7);
    expect(mode()).toBe(0x30);
    command(0xae);
    expect(mode()).toBe(0x20);
    command(0xa8);
    expect(mode()).toBe(0x00);
  });

  it('keeps a byte readable after it was taken, and delivers the next one a moment later with a new edge', () => {
    const { i8042, irq1, data, status, clock } = setUp();
    i8042.keyEvent('KeyA', true);
    i8042.keyEvent('KeyA', false);
    expect(irq1.level).toBe(true);
    expect(data()).toBe(0x1e);
    expect(irq1.level).toBe(false);
    expect(status() & 1).toBe(0);
    expect(data()).toBe(0x1e);
    clock.advance(MS);
    expect(irq1.level).toBe(true);
    expect(irq1.rises).toBe(2);
    expect(data()).toBe(0x9e);
  });

  it('interrupts only as the command byte says and marks mouse bytes', () => {
    const { command, i8042, irq1, irq12, status, data } = setUp({ mode: 0x40 });
    i8042.keyEvent('KeyB', true);
    expect(irq1.level).toBe(false);
    command(0x60, 0x43);
    expect(irq1.level).toBe(true);
    data();
    command(0xd3, 0x5a);
    expect(irq12.level).toBe(true);
    expect(irq1.level).toBe(false);
    expect(status() & 0x21).toBe(0x21);
    expect(data()).toBe(0x5a);
    command(0xd2, 0xa5);
    expect(irq1.level).toBe(true);
    expect(status() & 0x21).toBe(0x01);
    expect(data()).toBe(0xa5);
  });

  it('holds keyboard data while its clock is off, and a byte for the keyboard turns it on', () => {
    const { command, i8042, status, drain, ports } = setUp();
    command(0xad);
    i8042.keyEvent('KeyC', true);
    expect(status() & 1).toBe(0);
    command(0xae);
    expect(drain()).toEqual([0x2e]);
    command(0xad);
    ports.write(0x60, 1, 0xee);
    expect(drain()).toEqual([0xee]);
  });

  it('gates A20 and resets', () => {
    const { command, events, drain } = setUp();
    command(0xd0);
    expect(drain()[0]).toBe(0xcf);
    command(0xd1, 0xdd);
    command(0xd0);
    expect((drain()[0] ?? 0) & 2).toBe(0);
    command(0xd1, 0xdf);
    command(0xdd);
    command(0xdf);
    command(0xff);
    expect(events).toEqual(['a20 false', 'a20 true', 'a20 false', 'a20 true']);
    command(0xfe);
    command(0xd1, 0xde);
    expect(events.slice(4)).toEqual(['reset', 'a20 true', 'reset']);
  });
});

describe('PS/2 keyboard', () => {
  it('sends translated codes, E0 prefixes included', () => {
    const { i8042, drain } = setUp();
    for (const code of ['Escape', 'ArrowUp', 'NumpadEnter', 'F7', 'F12', 'IntlBackslash', 'ControlRight']) {
      i8042.keyEvent(code, true);
      i8042.keyEvent(code, false);
    }
    expect(drain()).toEqual([
      0x01, 0x81, 0xe0, 0x48, 0xe0, 0xc8, 0xe0, 0x1c, 0xe0, 0x9c, 0x41, 0xc1, 0x58, 0xd8, 0x56, 0xd6, 0xe0, 0x1d, 0xe0,
      0x9d,
    ]);
  });

  it('sends raw set 2 without translation', () => {
    const { i8042, drain } = setUp({ mode: 0x07 });
    i8042.keyEvent('KeyA', true);
    i8042.keyEvent('KeyA', false);
    i8042.keyEvent('Delete', true);
    i8042.keyEvent('Delete', false);
    expect(drain()).toEqual([0x1c, 0xf0, 0x1c, 0xe0, 0x71, 0xe0, 0xf0, 0x71]);
  });

  it('has the special sequences of Pause and Print Screen', () => {
    const { i8042, drain } = setUp();
    const stroke = (...codes: string[]) => {
      for (const code of codes) i8042.keyEvent(code, true);
      for (const code of codes.toReversed()) i8042.keyEvent(code, false);
      return drain();
    };
    expect(stroke('Pause')).toEqual([0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5]);
    expect(stroke('PrintScreen')).toEqual([0xe0, 0x2a, 0xe0, 0x37, 0xe0, 0xb7, 0xe0, 0xaa]);
    expect(stroke('ControlLeft', 'Pause')).toEqual([0x1d, 0xe0, 0x46, 0xe0, 0xc6, 0x9d]);
    expect(stroke('AltLeft', 'PrintScreen')).toEqual([0x38, 0x54, 0xd4, 0xb8]);
    expect(stroke('ShiftLeft', 'PrintScreen')).toEqual([0x2a, 0xe0, 0x37, 0xe0, 0xb7, 0xaa]);
    expect(stroke('Lang1')).toEqual([0xf2]);
  });

  it('knows scan sets 1 and 3', () => {
    const { i8042, drain, keyboard } = setUp({ mode: 0x07 });
    expect(keyboard(0xf0, 0)).toEqual([0xfa, 0xfa, 2]);
    expect(keyboard(0xf0, 1)).toEqual([0xfa, 0xfa]);
    i8042.keyEvent('ArrowLeft', true);
    i8042.keyEvent('ArrowLeft', false);
    expect(drain()).toEqual([0xe0, 0x4b, 0xe0, 0xcb]);
    expect(keyboard(0xf0, 3)).toEqual([0xfa, 0xfa]);
    i8042.keyEvent('ArrowLeft', true);
    i8042.keyEvent('ArrowLeft', false);
    i8042.keyEvent('ShiftLeft', true);
    i8042.keyEvent('ShiftLeft', false);
    expect(drain()).toEqual([0x61, 0x12, 0xf0, 0x12]);
    expect(keyboard(0xf8)).toEqual([0xfa]);
    i8042.keyEvent('ArrowLeft', true);
    i8042.keyEvent('ArrowLeft', false);
    expect(drain()).toEqual([0x61, 0xf0, 0x61]);
    expect(keyboard(0xfd, 0x61, 0xf4)).toEqual([0xfa, 0xfa, 0xfa]);
    i8042.keyEvent('ArrowLeft', true);
    i8042.keyEvent('ArrowLeft', false);
    expect(drain()).toEqual([0x61]);
  });

  it('answers commands', () => {
    const { keyboard, events, drain, ports, status, data, clock } = setUp({ mode: 0x07 });
    expect(keyboard(0xee)).toEqual([0xee]);
    expect(keyboard(0xf2)).toEqual([0xfa, 0xab, 0x83]);
    expect(keyboard(0xed, 0x05)).toEqual([0xfa, 0xfa]);
    expect(events).toEqual(['leds 5']);
    expect(keyboard(0x01)).toEqual([0xfe]);
    expect(keyboard(0xed, 0xee)).toEqual([0xfa, 0xee]);
    ports.write(0x60, 1, 0xff);
    expect(data()).toBe(0xfa);
    clock.advance(MS);
    expect(status() & 1).toBe(0);
    expect(drain()).toEqual([0xaa]);
    expect(keyboard(0xfe)).toEqual([0xaa]);
    expect(events).toEqual(['leds 5', 'leds 0']);
  });

  it('identifies itself as AB 41 behind the translation', () => {
    expect(setUp().keyboard(0xf2)).toEqual([0xfa, 0xab, 0x41]);
  });

  it('scans nothing while disabled', () => {
    const { keyboard, i8042, drain } = setUp();
    expect(keyboard(0xf5)).toEqual([0xfa]);
    i8042.keyEvent('KeyA', true);
    expect(drain()).toEqual([]);
    i8042.keyEvent('KeyA', false);
    expect(keyboard(0xf4)).toEqual([0xfa]);
    i8042.keyEvent('KeyA', true);
    expect(drain()).toEqual([0x1e]);
  });

  it('repeats the last key with the programmed delay and rate', () => {
    const { keyboard, i8042, clock, status, data } = setUp();
    keyboard(0xf3, 0x00);
    const times: number[] = [];
    const start = clock.nowNs();
    i8042.keyEvent('ShiftLeft', true);
    i8042.keyEvent('KeyX', true);
    i8042.keyEvent('KeyX', true);
    for (let i = 0; i < 400; i++) {
      clock.advance(MS);
      if ((status() & 1) !== 0 && data() === 0x2d) times.push(Math.round((clock.nowNs() - start) / MS));
    }
    // 250 ms, then each 33.3 ms.
    expect(times.length).toBe(6);
    expect(times[1]).toBeGreaterThanOrEqual(250);
    expect((times[5] ?? 0) - (times[1] ?? 0)).toBeCloseTo(133, -1);
    i8042.keyEvent('KeyX', false);
    clock.advance(MS);
    expect(data()).toBe(0xad);
    clock.advance(2000 * MS);
    expect(status() & 1).toBe(0);
  });

  it('never leaves a key down when the guest does not listen', () => {
    const { command, i8042, drain } = setUp();
    command(0xad);
    for (let round = 0; round < 300; round++) {
      i8042.keyEvent('KeyA', true);
      i8042.keyEvent('KeyB', true);
      i8042.keyEvent('KeyB', false);
      i8042.keyEvent('KeyA', false);
    }
    expect(i8042.keyboard.pendingBytes).toBeLessThanOrEqual(128);
    command(0xae);
    const bytes = drain();
    const down = new Set<number>();
    for (const byte of bytes) {
      if (byte < 0x80) down.add(byte);
      else down.delete(byte & 0x7f);
    }
    expect(bytes.length).toBeGreaterThan(20);
    expect([...down]).toEqual([]);
  });

  it('releases all keys on request', () => {
    const { i8042, drain } = setUp();
    i8042.keyEvent('AltLeft', true);
    i8042.keyEvent('Tab', true);
    i8042.keyboard.releaseAll();
    expect(drain()).toEqual([0x38, 0x0f, 0xb8, 0x8f]);
  });
});

describe('PS/2 mouse', () => {
  it('resets, identifies and reports its status', () => {
    const { mouse } = setUp();
    expect(mouse(0xff)).toEqual([0xfa, 0xaa, 0x00]);
    expect(mouse(0xf2)).toEqual([0xfa, 0x00]);
    expect(mouse(0xe9)).toEqual([0xfa, 0x00, 2, 100]);
    expect(mouse(0xe8, 3, 0xf3, 40, 0xe7, 0xf4)).toEqual([0xfa, 0xfa, 0xfa, 0xfa, 0xfa, 0xfa]);
    expect(mouse(0xe9)).toEqual([0xfa, 0x30, 3, 40]);
    expect(mouse(0xe8, 9)).toEqual([0xfa, 0xfe]);
    expect(mouse(0x11)).toEqual([0xfe]);
    expect(mouse(0xf6, 0xe9)).toEqual([0xfa, 0xfa, 0x00, 2, 100]);
  });

  it('sends three-byte packets with signs and buttons', () => {
    const { mouse, i8042, drain, irq12 } = setUp();
    i8042.mouseMove(5, 5, 0);
    expect(drain()).toEqual([]);
    mouse(0xf4);
    const before = irq12.rises;
    i8042.mouseMove(5, 3, 0);
    expect(drain()).toEqual([0x28, 5, 0xfd]);
    expect(irq12.rises - before).toBe(3);
    i8042.mouseMove(-2, -300, 0);
    expect(drain()).toEqual([0x18, 0xfe, 0xff, 0x08, 0x00, 0x2d]);
    i8042.mouseButtons(1);
    i8042.mouseButtons(0);
    expect(drain()).toEqual([0x09, 0, 0, 0x08, 0, 0]);
    i8042.mouseButtons(6);
    expect(drain()).toEqual([0x0e, 0, 0]);
    expect(mouse(0xe9)[1]).toBe(0x23);
  });

  it('merges motion between samples', () => {
    const { mouse, i8042, drain } = setUp();
    mouse(0xf4);
    for (let i = 0; i < 100; i++) i8042.mouseMove(1, 0, 0);
    expect(drain()).toEqual([0x08, 1, 0, 0x08, 99, 0]);
  });

  it('loses no byte and no motion when the guest reads slower than the mouse samples', () => {
    const { mouse, i8042, clock, status, data } = setUp();
    mouse(0xf4);
    let moved = 0;
    const bytes: number[] = [];
    for (let i = 0; i < 300; i++) {
      if (i < 200) {
        i8042.mouseMove(3, -1, 0);
        moved += 3;
      }
      clock.advance(7 * MS);
      if ((status() & 1) !== 0) bytes.push(data());
    }
    expect(bytes.length % 3).toBe(0);
    let dx = 0;
    for (let i = 0; i < bytes.length; i += 3) {
      expect((bytes[i] ?? 0) & 0xc8).toBe(0x08);
      dx += bytes[i + 1] ?? 0;
    }
    expect(dx).toBe(moved);
  });

  it('becomes an IntelliMouse, then an Explorer, after their knocks', () => {
    const { mouse, i8042, drain } = setUp();
    mouse(0xf3, 200, 0xf3, 100, 0xf3, 80);
    expect(mouse(0xf2)).toEqual([0xfa, 3]);
    mouse(0xf4);
    i8042.mouseMove(0, 0, 1);
    expect(drain()).toEqual([0x08, 0, 0, 1]);
    i8042.mouseMove(0, 0, -2);
    expect(drain()).toEqual([0x08, 0, 0, 0xfe]);
    mouse(0xf5, 0xf3, 200, 0xf3, 200, 0xf3, 80);
    expect(mouse(0xf2)).toEqual([0xfa, 4]);
    mouse(0xf4);
    i8042.mouseButtons(0x18);
    i8042.mouseMove(1, 0, -1);
    expect(drain()).toEqual([0x08, 0, 0, 0x30, 0x08, 1, 0, 0x3f]);
    mouse(0xf3, 200, 0xf3, 100, 0xf3, 80);
    expect(mouse(0xf2)).toEqual([0xfa, 3]);
    expect(mouse(0xff, 0xf2)).toEqual([0xfa, 0xaa, 0, 0xfa, 0]);
    mouse(0xf3, 200, 0xf3, 200, 0xf3, 80);
    expect(mouse(0xf2)).toEqual([0xfa, 4]);
  });

  it('works in remote and wrap mode', () => {
    const { mouse, i8042, drain } = setUp();
    mouse(0xf4, 0xf0);
    i8042.mouseMove(4, 0, 0);
    i8042.mouseMove(4, 0, 0);
    expect(drain()).toEqual([]);
    expect(mouse(0xeb)).toEqual([0xfa, 0x08, 8, 0]);
    expect(mouse(0xeb)).toEqual([0xfa, 0x08, 0, 0]);
    expect(mouse(0xee, 0xf4, 0x12)).toEqual([0xfa, 0xf4, 0x12]);
    expect(mouse(0xec, 0xf2)).toEqual([0xfa, 0xfa, 0]);
  });

  it('scales 2:1 in stream mode', () => {
    const { mouse, i8042, drain } = setUp();
    mouse(0xe7, 0xf4);
    i8042.mouseMove(4, -10, 0);
    expect(drain()).toEqual([0x08, 6, 20]);
  });

  it('keeps its backlog bounded while the guest does not listen', () => {
    const { mouse, i8042, command } = setUp();
    mouse(0xf4);
    command(0xa7);
    for (let i = 0; i < 10_000; i++) {
      i8042.mouseButtons(i & 1);
      i8042.mouseMove(1000, 1000, 1);
    }
    const saved = i8042.save();
    expect((saved.fields['mouse'] as unknown as { reports: unknown[] }).reports.length).toBeLessThanOrEqual(32);
    expect(() => i8042.load(saved)).not.toThrow();
  });
});

describe('8042 state', () => {
  it('goes on in a fresh device where it was saved', () => {
    const a = setUp();
    a.mouse(0xf4);
    a.i8042.keyEvent('ControlLeft', true);
    a.i8042.keyEvent('KeyQ', true);
    a.data();
    a.i8042.mouseMove(3, 0, 0);
    const b = setUp();
    b.clock.advance(a.clock.nowNs() - b.clock.nowNs());
    b.i8042.load(a.i8042.save());
    const expected = a.drain();
    expect(expected.slice(0, 4)).toEqual([0x10, 0x08, 3, 0]);
    expect(b.drain()).toEqual(expected);
    b.i8042.keyEvent('ControlLeft', false);
    expect(b.drain()).toContain(0x9d);
    expect(b.events).toContain('a20 true');
    const broken = { ...a.i8042.save().fields, ram: new Uint8Array(3) };
    expect(() => b.i8042.load({ version: 1, fields: broken })).toThrow(/ram/);
  });
});
