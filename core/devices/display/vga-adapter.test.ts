import { describe, expect, it } from 'vitest';
import { TimerQueue } from '../../base/timer-queue.ts';
import { textOf } from '../../display/text-screen.ts';
import { cp437Font8x16 } from './fonts/cp437-font.ts';
import { VgaAdapter } from './vga-adapter.ts';
import * as T from './vga-test-modes.ts';

function makeVga(vramBytes = 1 << 20, dirtyPages = new Set<number>()) {
  const time = { ns: 0 };
  const vram = new Uint8Array(vramBytes);
  const vga = new VgaAdapter({
    vram,
    clock: new TimerQueue(() => time.ns),
    vramDirty: { takeDirty: (from) => dirtyPages.delete(from >> 12) },
  });
  const pixel = (x: number, y: number): number => {
    const { frame } = vga.refresh();
    const at = (y * frame.width + x) * 4;
    return ((frame.pixels[at] ?? 0) << 16) | ((frame.pixels[at + 1] ?? 0) << 8) | (frame.pixels[at + 2] ?? 0);
  };
  return { vga, vram, time, pixel };
}

describe('text modes', () => {
  it('draws glyphs of plane 2 in VGA colours, 9 dots wide with line graphics joined', () => {
    const { vga, pixel } = makeVga();
    T.setMode(vga, T.MODE_03);
    T.loadFont(vga);
    T.putText(vga, 0, 0, 'A\xc4\xb3', 0x1e);
    T.setIndexed(vga, 0x3d4, 0x0a, 0x20);
    const { frame } = vga.refresh();
    expect([frame.width, frame.height]).toEqual([720, 400]);
    const font = cp437Font8x16();
    for (let row = 0; row < 16; row++) {
      for (let x = 0; x < 8; x++) expect(pixel(x, row)).toBe((font[0x41 * 16 + row] ?? 0) & (0x80 >> x) ? 0xffff55 : 0x0000aa);
    }
    expect(pixel(8, 8)).toBe(0x0000aa);
    expect(pixel(17, 7)).toBe(0xffff55); // ninth dot of C4 repeats the eighth
    expect(pixel(26, 7)).toBe(0x0000aa); // B3 is not in the line graphics range
  });

  it('reports only changed cells as damage and nothing when nothing changed', () => {
    const { vga } = makeVga();
    T.setMode(vga, T.MODE_03);
    T.loadFont(vga);
    expect(vga.refresh().damage).toEqual([{ x: 0, y: 0, width: 720, height: 400 }]);
    expect(vga.refresh().damage).toEqual([]);
    T.putText(vga, 10, 3, 'hi', 0x07);
    expect(vga.refresh().damage).toEqual([{ x: 90, y: 48, width: 18, height: 16 }]);
    T.putText(vga, 10, 3, 'hi', 0x07);
    expect(vga.refresh().damage).toEqual([]);
  });

  it('gives the text with cursor, from the start address', () => {
    const { vga } = makeVga();
    T.setMode(vga, T.MODE_03);
    T.putText(vga, 0, 0, 'first', 7);
    T.putText(vga, 4, 1, 'caf\x82 \xdb', 7);
    T.setIndexed(vga, 0x3d4, 0x0d, 80);
    T.setIndexed(vga, 0x3d4, 0x0f, 80 + 12);
    const screen = vga.textScreen();
    expect(screen).toMatchObject({ columns: 80, rows: 25, cursor: { column: 12, row: 0, visible: true } });
    expect(screen && textOf(screen)).toBe('    café █');
    expect(screen?.attributes[4]).toBe(7);
    T.setIndexed(vga, 0x3d4, 0x0a, 0x20);
    expect(vga.textScreen()?.cursor.visible).toBe(false);
    T.setMode(vga, T.MODE_13);
    expect(vga.textScreen()).toBeUndefined();
  });

  it('blinks the cursor and blinking characters by the clock, or shows bright backgrounds instead', () => {
    const { vga, time, pixel } = makeVga();
    T.setMode(vga, T.MODE_03);
    T.loadFont(vga);
    T.putText(vga, 1, 0, '\xdb', 0x87);
    T.setIndexed(vga, 0x3d4, 0x0f, 0);
    const frameNs = 14_270_000;
    const seen = new Set<string>();
    for (let frame = 0; frame < 64; frame += 4) {
      time.ns = frame * frameNs;
      seen.add(`${pixel(0, 14) !== 0} ${pixel(12, 5) !== 0}`);
    }
    // T.putText left cell 0 as character 0 on attribute 0: give the cursor a colour first.
    T.putText(vga, 0, 0, ' ', 0x07);
    for (let frame = 0; frame < 64; frame += 4) {
      time.ns = frame * frameNs;
      seen.add(`${pixel(0, 14) !== 0} ${pixel(12, 5) !== 0}`);
    }
    expect(seen).toContain('true true');
    expect(seen).toContain('false false');
    T.setMode(vga, { ...T.MODE_03, attribute: T.MODE_03.attribute.map((value, index) => (index === 0x10 ? value & ~8 : value)) });
    T.putText(vga, 1, 0, ' ', 0x87);
    expect(pixel(12, 5)).toBe(0x555555);
  });

  it('pans by dots, scrolls by preset row scan and splits at line compare', () => {
    const { vga, pixel } = makeVga();
    T.setMode(vga, T.MODE_03);
    T.loadFont(vga);
    T.putText(vga, 0, 1, '\xdb', 0x0f);
    expect(pixel(0, 16)).toBe(0xffffff);
    T.setIndexed(vga, 0x3d4, 8, 4);
    expect(pixel(0, 12)).toBe(0xffffff);
    expect(pixel(0, 11)).toBe(0);
    expect(pixel(0, 28)).toBe(0);
    T.setIndexed(vga, 0x3d4, 8, 0);
    // Nine-dot panning: value 0 moves one dot left.
    T.setAttribute(vga, 0x13, 0);
    expect(pixel(7, 16)).toBe(0xffffff);
    expect(pixel(8, 16)).toBe(0);
    T.setAttribute(vga, 0x13, 8);
    // Split after scan line 199: line 200 shows address 0 again.
    T.setIndexed(vga, 0x3d4, 0x18, 199);
    T.setIndexed(vga, 0x3d4, 7, 0x0f);
    T.setIndexed(vga, 0x3d4, 9, 0x0f);
    expect(pixel(0, 216)).toBe(0xffffff);
    expect(vga.textScreen()?.rows).toBe(26);
  });

  it('picks fonts by attribute bit 3 and the character map', () => {
    const { vga, pixel } = makeVga();
    T.setMode(vga, T.MODE_03);
    T.loadFont(vga);
    T.loadFont(vga, new Uint8Array(4096).fill(0xff), 16, 1);
    T.putText(vga, 0, 0, ' ', 0x0f);
    expect(pixel(0, 0)).toBe(0);
    T.setIndexed(vga, 0x3c4, 3, 0x04); // map A (bit 3 set) = block 1
    expect(pixel(0, 0)).toBe(0xffffff);
  });

  it('doubles dots with the halved clock and blanks the screen', () => {
    const { vga, pixel } = makeVga();
    T.setMode(vga, T.MODE_01);
    T.loadFont(vga);
    T.putText(vga, 0, 0, '\xdd', 0x0f, 40);
    expect(vga.refresh().frame.width).toBe(720);
    expect([pixel(7, 0), pixel(8, 0)]).toEqual([0xffffff, 0]);
    T.setIndexed(vga, 0x3c4, 1, 0x28);
    expect(pixel(7, 0)).toBe(0);
    T.setIndexed(vga, 0x3c4, 1, 0x08);
    expect(pixel(7, 0)).toBe(0xffffff);
  });
});

describe('display memory', () => {
  it('write mode 0: rotate, set/reset, logic and bit mask on all enabled planes', () => {
    const { vga, vram } = makeVga();
    T.setMode(vga, T.MODE_12);
    const w = vga.window;
    w.writeMmio(0, 1, 0xa5);
    expect([...vram.subarray(0, 4)]).toEqual([0xa5, 0xa5, 0xa5, 0xa5]);
    T.setIndexed(vga, 0x3ce, 3, 0x04); // rotate right by 4
    T.setIndexed(vga, 0x3c4, 2, 0x06);
    w.writeMmio(0, 1, 0x12);
    expect([...vram.subarray(0, 4)]).toEqual([0xa5, 0x21, 0x21, 0xa5]);
    T.setIndexed(vga, 0x3c4, 2, 0x0f);
    T.setIndexed(vga, 0x3ce, 3, 0x18); // XOR with the latches
    T.setIndexed(vga, 0x3ce, 8, 0x0f);
    w.readMmio(0, 1);
    w.writeMmio(1, 1, 0xff);
    expect([...vram.subarray(4, 8)]).toEqual([0xaa, 0x2e, 0x2e, 0xaa]);
    T.setIndexed(vga, 0x3ce, 3, 0);
    T.setIndexed(vga, 0x3ce, 8, 0xff);
    T.setIndexed(vga, 0x3ce, 0, 0x05);
    T.setIndexed(vga, 0x3ce, 1, 0x03); // planes 0 and 1 from set/reset
    w.writeMmio(2, 1, 0x3c);
    expect([...vram.subarray(8, 12)]).toEqual([0xff, 0x00, 0x3c, 0x3c]);
  });

  it('write modes 1, 2 and 3', () => {
    const { vga, vram } = makeVga();
    T.setMode(vga, T.MODE_12);
    const w = vga.window;
    vram.set([1, 2, 3, 4]);
    T.setIndexed(vga, 0x3ce, 5, 1);
    w.readMmio(0, 1);
    w.writeMmio(9, 1, 0xff);
    expect([...vram.subarray(36, 40)]).toEqual([1, 2, 3, 4]);
    T.setIndexed(vga, 0x3ce, 5, 2);
    T.setIndexed(vga, 0x3ce, 8, 0xf0);
    w.writeMmio(10, 1, 0x0a);
    expect([...vram.subarray(40, 44)]).toEqual([0x01, 0xf2, 0x03, 0xf4]);
    T.setIndexed(vga, 0x3ce, 5, 3);
    T.setIndexed(vga, 0x3ce, 0, 0x04);
    w.writeMmio(11, 1, 0x3c); // effective mask F0 & 3C = 30
    expect([...vram.subarray(44, 48)]).toEqual([0x01, 0x02, 0x33, 0x04]);
  });

  it('read map select and colour compare', () => {
    const { vga, vram } = makeVga();
    T.setMode(vga, T.MODE_12);
    vram.set([0xf0, 0xcc, 0x00, 0xff]);
    T.setIndexed(vga, 0x3ce, 4, 1);
    expect(vga.window.readMmio(0, 1)).toBe(0xcc);
    T.setIndexed(vga, 0x3ce, 5, 8);
    T.setIndexed(vga, 0x3ce, 2, 0x0b); // colour 1011
    expect(vga.window.readMmio(0, 1)).toBe(0xc0);
    T.setIndexed(vga, 0x3ce, 7, 0x0a); // only planes 1 and 3 matter
    expect(vga.window.readMmio(0, 1)).toBe(0xcc);
  });

  it('chain-4 reaches bytes in order, wide accesses too, and obeys the map mask', () => {
    const { vga, vram } = makeVga();
    T.setMode(vga, T.MODE_13);
    vga.window.writeMmio(0x1234, 4, 0x44332211);
    expect([...vram.subarray(0x1234, 0x1238)]).toEqual([0x11, 0x22, 0x33, 0x44]);
    expect(vga.window.readMmio(0x1234, 4)).toBe(0x44332211);
    expect(vga.window.readMmio(0x1235, 2)).toBe(0x3322);
    expect(vga.directWindow()).toEqual({ windowOffset: 0, vramOffset: 0, length: 0x10000 });
    T.setIndexed(vga, 0x3c4, 2, 0x05);
    expect(vga.directWindow()).toBeUndefined();
    vga.window.writeMmio(0, 4, 0xaabbccdd);
    expect([...vram.subarray(0, 4)]).toEqual([0xdd, 0, 0xbb, 0]);
  });

  it('memory map select: other ranges read all ones and ignore writes', () => {
    const { vga, vram } = makeVga();
    T.setMode(vga, T.MODE_03);
    vga.window.writeMmio(0, 1, 0x55);
    expect(vram.every((byte) => byte === 0)).toBe(true);
    expect(vga.window.readMmio(0, 2)).toBe(0xffff);
    vga.window.writeMmio(0x18000, 2, 0x0741);
    expect(vga.window.readMmio(0x18000, 2)).toBe(0x0741);
    T.setIndexed(vga, 0x3ce, 6, 0x0a); // B0000
    expect(vga.window.readMmio(0x10000, 2)).toBe(0x0741);
    expect(vga.window.readMmio(0x18000, 1)).toBe(0xff);
  });
});

describe('graphics modes', () => {
  it('planar 640x480 with palette and plane enable', () => {
    const { vga, pixel } = makeVga();
    T.setMode(vga, T.MODE_12);
    T.setIndexed(vga, 0x3c4, 2, 0x0c);
    vga.window.writeMmio(80, 1, 0x40);
    expect(vga.refresh().frame).toMatchObject({ width: 640, height: 480 });
    expect(pixel(1, 1)).toBe(0xff5555);
    expect(pixel(0, 1)).toBe(0);
    T.setAttribute(vga, 0x12, 0x07);
    expect(pixel(1, 1)).toBe(0xaa0000);
  });

  it('mode 13h, and the same memory unchained as mode X 320x240 with page flips', () => {
    const { vga, pixel } = makeVga();
    T.setMode(vga, T.MODE_13);
    vga.window.writeMmio(320 + 5, 1, 0x3f);
    expect(vga.refresh().frame).toMatchObject({ width: 640, height: 400 });
    expect([pixel(10, 2), pixel(11, 3), pixel(12, 2), pixel(10, 1)]).toEqual([0xffffff, 0xffffff, 0, 0]);
    // Unchained, 480 lines: the well-known mode X register changes.
    T.setIndexed(vga, 0x3c4, 4, 0x06);
    T.setIndexed(vga, 0x3d4, 0x14, 0);
    T.setIndexed(vga, 0x3d4, 0x17, 0xe3);
    T.out(vga, 0x3c2, 0xe3);
    for (const [index, value] of [[6, 0x0d], [7, 0x3e], [0x10, 0xea], [0x11, 0x2c], [0x12, 0xdf], [0x15, 0xe7], [0x16, 0x06]] as const) {
      T.setIndexed(vga, 0x3d4, index, value);
    }
    T.setIndexed(vga, 0x3c4, 2, 0x02);
    vga.window.writeMmio(19200 + 80 * 239, 1, 0x3f); // pixel 1 of the last line of page 1
    expect(vga.refresh().frame).toMatchObject({ width: 640, height: 480 });
    expect(pixel(2, 479)).toBe(0);
    T.setIndexed(vga, 0x3d4, 0x0c, 19200 >> 8);
    expect([pixel(1, 479), pixel(2, 478), pixel(3, 479), pixel(4, 479)]).toEqual([0, 0xffffff, 0xffffff, 0]);
  });

  it('CGA modes keep odd lines in the second bank', () => {
    const { vga, pixel } = makeVga();
    T.setMode(vga, T.MODE_04);
    vga.window.writeMmio(0x18000 + 0x2000 + 1, 1, 0x1b); // line 1, pixels 4-7: 0 1 2 3
    expect([8, 10, 12, 14].map((x) => pixel(x, 2))).toEqual([0x000000, pixel(10, 3), pixel(12, 3), pixel(14, 3)]);
    expect(new Set([8, 10, 12, 14].map((x) => pixel(x, 2))).size).toBe(4);
    expect(pixel(10, 0)).toBe(0);
    T.setMode(vga, T.MODE_06);
    vga.window.writeMmio(0x18000 + 0x2000 + 80 + 1, 1, 0x80);
    expect(pixel(8, 6)).not.toBe(0);
    expect(pixel(9, 6)).toBe(0);
  });

  it('EGA 320x200 doubles dots and lines', () => {
    const { vga, pixel } = makeVga();
    T.setMode(vga, T.MODE_0D);
    T.setIndexed(vga, 0x3c4, 2, 0x04);
    vga.window.writeMmio(40, 1, 0x80);
    expect(vga.refresh().frame).toMatchObject({ width: 640, height: 400 });
    expect([pixel(0, 2), pixel(1, 3), pixel(2, 2), pixel(0, 4)]).toEqual([0xaa0000, 0xaa0000, 0, 0]);
  });

  it('draws only what changed, also when others wrote the VRAM', () => {
    const pages = new Set<number>();
    const { vga, vram } = makeVga(1 << 22, pages);
    T.setDispi(vga, 1, 800);
    T.setDispi(vga, 2, 600);
    T.setDispi(vga, 3, 32);
    T.setDispi(vga, 4, 0x41);
    T.out(vga, 0x3c0, 0x20);
    vga.refresh();
    expect(vga.refresh().damage).toEqual([]);
    vram.set([1, 2, 3, 4], (100 * 800 + 50) * 4);
    expect(vga.refresh().damage).toEqual([]); // nobody said so
    pages.add(((100 * 800 + 50) * 4) >> 12);
    expect(vga.refresh().damage).toEqual([{ x: 50, y: 100, width: 1, height: 1 }]);
    expect(vga.refresh().damage).toEqual([]);
  });
});

describe('DAC and ports', () => {
  it('reads and writes entries with auto increment; the pel mask acts on pixels', () => {
    const { vga, pixel } = makeVga();
    T.setMode(vga, T.MODE_13);
    T.out(vga, 0x3c8, 7);
    for (const value of [0x3f, 0x20, 0x7f, 1, 2, 3]) T.out(vga, 0x3c9, value);
    T.out(vga, 0x3c7, 7);
    expect(T.input(vga, 0x3c7)).toBe(3);
    expect([1, 2, 3, 4].map(() => T.input(vga, 0x3c9))).toEqual([0x3f, 0x20, 0x3f, 1]);
    vga.window.writeMmio(0, 1, 0xf7);
    T.out(vga, 0x3c6, 0x0f);
    expect(pixel(0, 0)).toBe(0xff82ff);
  });

  it('attribute flip-flop, CRTC lock, mono and colour addresses', () => {
    const { vga } = makeVga();
    T.setMode(vga, T.MODE_03);
    T.input(vga, 0x3da);
    T.out(vga, 0x3c0, 0x11);
    T.out(vga, 0x3c0, 0x2a);
    expect(T.input(vga, 0x3c0)).toBe(0x11);
    expect(T.input(vga, 0x3c1)).toBe(0x2a);
    T.setIndexed(vga, 0x3d4, 0x11, 0x80);
    T.setIndexed(vga, 0x3d4, 0, 0x12);
    T.out(vga, 0x3d4, 0);
    expect(T.input(vga, 0x3d5)).toBe(0x5f);
    T.setIndexed(vga, 0x3d4, 7, 0);
    T.out(vga, 0x3d4, 7);
    expect(T.input(vga, 0x3d5)).toBe(0x0f); // only line compare bit 8 changed
    expect(T.input(vga, 0x3b5)).toBe(0xff);
    T.out(vga, 0x3c2, 0x66);
    expect(T.input(vga, 0x3d5)).toBe(0xff);
    T.out(vga, 0x3b4, 0x13);
    expect(T.input(vga, 0x3b5)).toBe(0x28);
  });

  it('input status 1 follows the beam: retrace about 70 times a second', () => {
    const { vga, time } = makeVga();
    T.setMode(vga, T.MODE_03);
    let rises = 0;
    let before = false;
    let displayed = 0;
    for (time.ns = 0; time.ns < 1e9; time.ns += 50_000) {
      const status = T.input(vga, 0x3da);
      const retrace = (status & 8) !== 0;
      if (retrace && !before) rises++;
      before = retrace;
      if ((status & 1) === 0) displayed++;
    }
    expect(rises).toBeGreaterThanOrEqual(69);
    expect(rises).toBeLessThanOrEqual(71);
    expect(displayed / 20_000).toBeGreaterThan(0.6);
    expect(displayed / 20_000).toBeLessThan(0.8);
  });
});

describe('Bochs dispi interface', () => {
  it('G11: identifies itself, offers capabilities and limits modes to the VRAM', () => {
    const { vga } = makeVga(16 << 20);
    const read = (index: number) => (T.out(vga, 0x1ce, index), T.input(vga, 0x1cf));
    expect(read(0)).toBe(0xb0c5);
    T.setDispi(vga, 0, 0xb0c2);
    expect(read(0)).toBe(0xb0c2);
    T.setDispi(vga, 0, 0xbeef);
    expect(read(0)).toBe(0xb0c2);
    expect(read(10)).toBe(256);
    T.setDispi(vga, 4, 2);
    expect([read(1), read(2), read(3)]).toEqual([2560, 1600, 32]);
    T.setDispi(vga, 4, 0);
    T.setDispi(vga, 1, 0xffff);
    T.setDispi(vga, 2, 0xffff);
    T.setDispi(vga, 3, 32);
    T.setDispi(vga, 4, 0x41);
    expect(vga.refresh().frame).toMatchObject({ width: 2560, height: 1600 });
    T.setDispi(vga, 9, 0xffff);
    expect(read(9)).toBe(1638 - 1600);
    vga.refresh();
  });

  const depths = [
    [8, 0x3f, 0xffffff], [15, 0x7c1f, 0xff00ff], [16, 0x07e0, 0x00ff00], [24, 0x123456, 0x123456], [32, 0x00abcdef, 0xabcdef],
  ] as const;
  it.each(depths)('shows %i bits a pixel, panned in a virtual screen', (bitsPerPixel, value, colour) => {
    const { vga, vram, pixel } = makeVga(4 << 20);
    T.setMode(vga, T.MODE_13);
    T.setDispi(vga, 1, 640);
    T.setDispi(vga, 2, 480);
    T.setDispi(vga, 3, bitsPerPixel);
    T.setDispi(vga, 4, 0x41);
    T.setDispi(vga, 6, 800);
    T.setDispi(vga, 8, 16);
    T.setDispi(vga, 9, 20);
    const bytes = (bitsPerPixel + 7) >> 3;
    const at = ((20 + 7) * 800 + 16 + 5) * bytes;
    for (let i = 0; i < bytes; i++) vram[at + i] = value >> (i * 8);
    expect(pixel(5, 7)).toBe(colour);
    expect(pixel(6, 7)).toBe(0);
    expect(vga.refresh().frame).toMatchObject({ width: 640, height: 480 });
  });

  it('shows planar 16 colours at 800x600 and banks the legacy window in linear modes', () => {
    const { vga, vram, pixel } = makeVga(1 << 20);
    T.setMode(vga, T.MODE_12);
    T.setDispi(vga, 1, 800);
    T.setDispi(vga, 2, 600);
    T.setDispi(vga, 3, 4);
    T.setDispi(vga, 4, 1);
    vga.window.writeMmio(100 * 599 + 99, 1, 0x01);
    expect(pixel(799, 599)).toBe(0xffffff);
    T.setDispi(vga, 4, 0);
    T.setDispi(vga, 3, 8);
    T.setDispi(vga, 4, 1);
    expect(vram.subarray(0, 480_000).every((byte) => byte === 0)).toBe(true);
    const windows: unknown[] = [];
    vga.onDirectWindowChange((window) => windows.push(window));
    T.setDispi(vga, 5, 3);
    vga.window.writeMmio(0x10, 1, 0x3f);
    expect(vram[0x30010]).toBe(0x3f);
    expect(windows).toEqual([{ windowOffset: 0, vramOffset: 0x30000, length: 0x10000 }]);
    T.setIndexed(vga, 0x3c4, 4, 2);
    T.setIndexed(vga, 0x3ce, 6, 0x0e); // VGA registers do not matter while the interface is on
    vga.window.writeMmio(0x11, 1, 0x3e);
    expect(vram[0x30011]).toBe(0x3e);
    T.setDispi(vga, 5, 0xffff);
    vga.window.writeMmio(0xffff, 4, 0x01020304);
    expect(vram.length).toBe(1 << 20);
  });

  it('brings the VGA mode back when it is switched off', () => {
    const { vga } = makeVga();
    T.setMode(vga, T.MODE_03);
    T.setDispi(vga, 1, 640);
    T.setDispi(vga, 2, 400);
    T.setDispi(vga, 4, 0xc1);
    expect(vga.textScreen()).toBeUndefined();
    T.setDispi(vga, 4, 0);
    expect(vga.refresh().frame).toMatchObject({ width: 720, height: 400 });
    vga.window.writeMmio(0x18000, 2, 0x0741);
    expect(vga.textScreen()?.lines[0]?.[0]).toBe('A');
  });

  it('keeps memory when asked to, and eight-bit colours when asked to', () => {
    const { vga, vram, pixel } = makeVga();
    T.setMode(vga, T.MODE_13);
    vram[0] = 9;
    T.setDispi(vga, 1, 640);
    T.setDispi(vga, 2, 400);
    T.setDispi(vga, 3, 8);
    T.setDispi(vga, 4, 0x80 | 0x20 | 1);
    T.out(vga, 0x3c8, 9);
    for (const value of [0x81, 0x42, 0xfe]) T.out(vga, 0x3c9, value);
    expect(pixel(0, 0)).toBe(0x8142fe);
    expect(vram[0]).toBe(9);
  });
});
