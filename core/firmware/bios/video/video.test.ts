import { describe, expect, it } from 'vitest';
import { BDA } from '../data-area.ts';
import { BiosBench } from '../testing.ts';
import { defaultPalette } from './default-palette.ts';
import { VIDEO_MODES } from './mode-table.ts';

const shared = new BiosBench({ quiet: true });
shared.post();
/** The one machine of this file (POST takes long in tests), back in text mode. */
const made = (): BiosBench => {
  shared.call(0x10, { eax: 0x0003 });
  return shared;
};
const mode = (bench: BiosBench, number: number): void => {
  bench.call(0x10, { eax: number });
};
const cursor = (bench: BiosBench): [number, number] => {
  const { dx } = bench.call(0x10, { eax: 0x0300 });
  return [dx >> 8, dx & 0xff];
};
const type = (bench: BiosBench, text: string, colour = 7): void => {
  for (const letter of text) bench.call(0x10, { eax: 0x0e00 | letter.charCodeAt(0), ebx: colour });
};

describe('text', () => {
  it('types at the cursor, wraps at the last column and scrolls at the last row', () => {
    const bench = made();
    type(bench, 'Hello\r\n');
    expect(bench.screen()[0]).toBe('Hello');
    expect(cursor(bench)).toEqual([1, 0]);
    type(bench, 'x'.repeat(80));
    expect(cursor(bench)).toEqual([2, 0]);
    type(bench, '\n'.repeat(22) + 'end');
    expect(cursor(bench)).toEqual([24, 3]);
    expect(bench.screen()[0]).toBe('Hello');
    type(bench, '\r\n');
    expect(bench.screen()[0]).toBe('x'.repeat(80));
    expect(bench.screen()[23]).toBe('end');
    type(bench, 'ab\b\b\bc');
    expect(bench.screen()[24]).toBe('cb');
  });

  it('keeps attributes when typing and takes the given one for new text', () => {
    const bench = made();
    bench.call(0x10, { eax: 0x0941, ebx: 0x1e, ecx: 3 });
    expect(bench.bytes(0xb8000, 8)).toEqual([0x41, 0x1e, 0x41, 0x1e, 0x41, 0x1e, 0x20, 0x07]);
    type(bench, 'B');
    expect(bench.bytes(0xb8000, 2)).toEqual([0x42, 0x1e]);
    bench.call(0x10, { eax: 0x0a43, ecx: 1 });
    expect(bench.bytes(0xb8002, 2)).toEqual([0x43, 0x1e]);
    expect(bench.call(0x10, { eax: 0x0800 }).ax).toBe(0x1e43);
  });

  it('scrolls windows up and down and clears them', () => {
    const bench = made();
    'abc'.split('').forEach((letter, row) => {
      bench.call(0x10, { eax: 0x0200, edx: row << 8 });
      bench.call(0x10, { eax: 0x0900 | letter.charCodeAt(0), ebx: 7, ecx: 4 });
    });
    bench.call(0x10, { eax: 0x0601, ebx: 0x2000, ecx: 0x0001, edx: 0x0202 });
    expect(bench.screen().slice(0, 3)).toEqual(['abba', 'bccb', 'c  c']);
    expect(bench.read8(0xb8000 + 2 * 160 + 3)).toBe(0x20);
    bench.call(0x10, { eax: 0x0701, ebx: 0x0700, ecx: 0x0000, edx: 0x0203 });
    expect(bench.screen().slice(0, 3)).toEqual(['', 'abba', 'bccb']);
    bench.call(0x10, { eax: 0x0600, ebx: 0x0700, ecx: 0, edx: 0xffff });
    expect(bench.screen().join('')).toBe('');
  });

  it('has eight pages that are shown one at a time', () => {
    const bench = made();
    bench.call(0x10, { eax: 0x0200, ebx: 0x0200, edx: 0x0305 });
    bench.call(0x10, { eax: 0x0958, ebx: 0x0207, ecx: 1 });
    expect(bench.screen().join('')).toBe('');
    bench.call(0x10, { eax: 0x0502 });
    expect(bench.screen()[3]).toBe('     X');
    expect(bench.call(0x10, { eax: 0x0f00 }).bh).toBe(2);
    expect(bench.vga.adapter.textScreen()?.cursor).toMatchObject({ row: 3, column: 5 });
  });

  it('writes strings with and without attributes', () => {
    const bench = made();
    bench.set(0x600, [0x61, 0x62]);
    bench.call(0x10, { eax: 0x1301, ebx: 0x004f, ecx: 2, edx: 0x0102, ebp: 0x600 });
    expect(bench.bytes(0xb8000 + 160 + 4, 4)).toEqual([0x61, 0x4f, 0x62, 0x4f]);
    expect(cursor(bench)).toEqual([1, 4]);
    bench.set(0x600, [0x63, 0x1f, 0x64, 0x2f]);
    bench.call(0x10, { eax: 0x1302, ebx: 0, ecx: 2, edx: 0x0200, ebp: 0x600 });
    expect(bench.bytes(0xb8000 + 320, 4)).toEqual([0x63, 0x1f, 0x64, 0x2f]);
    expect(cursor(bench)).toEqual([1, 4]);
  });

  it('stretches the cursor of 8-line programs to the real cell and can hide it', () => {
    const bench = made();
    const crtc = (index: number): number => {
      bench.ports.write(0x3d4, 1, index);
      return bench.ports.read(0x3d5, 1);
    };
    bench.call(0x10, { eax: 0x0100, ecx: 0x0607 });
    expect([crtc(10), crtc(11)]).toEqual([14, 15]);
    bench.call(0x10, { eax: 0x0100, ecx: 0x0007 });
    expect([crtc(10), crtc(11)]).toEqual([1, 15]);
    bench.call(0x10, { eax: 0x0100, ecx: 0x2000 });
    expect(bench.vga.adapter.textScreen()?.cursor.visible).toBe(false);
    expect(bench.call(0x10, { eax: 0x0300 }).cx).toBe(0x2000);
  });

  it('shows 50 lines with the 8x8 font and 28 with the 8x14 one', () => {
    const bench = made();
    bench.call(0x10, { eax: 0x1112, ebx: 0 });
    expect(bench.read8(BDA.VIDEO_ROWS)).toBe(49);
    expect(bench.vga.adapter.textScreen()?.rows).toBe(50);
    mode(bench, 3);
    bench.call(0x10, { eax: 0x1111, ebx: 0 });
    expect(bench.vga.adapter.textScreen()?.rows).toBe(28);
  });
});

describe('modes', () => {
  it.each(VIDEO_MODES.map((entry) => [entry.number, entry] as const))(
    '%i sets registers and data area and clears',
    (number, entry) => {
      const bench = made();
      mode(bench, number);
      expect(bench.call(0x10, { eax: 0x0f00 }).ax).toBe((entry.columns << 8) | number);
      expect(bench.read8(BDA.VIDEO_ROWS)).toBe(entry.rows - 1);
      expect(bench.read16(BDA.CHARACTER_HEIGHT)).toBe(entry.characterHeight);
      const text = bench.vga.adapter.textScreen();
      if (entry.kind === 'text') expect([text?.columns, text?.rows]).toEqual([entry.columns, entry.rows]);
      else expect(text).toBeUndefined();
      const { frame } = bench.vga.adapter.refresh();
      const width =
        entry.kind === 'text'
          ? frame.width
          : entry.columns * (number === 0x13 || entry.kind === 'cga2' || number === 0x0d ? 8 : 8);
      expect(frame.width % width).toBe(0);
    },
  );

  it.each([0x04, 0x06, 0x0d, 0x0e, 0x10, 0x11, 0x12, 0x13])('%i: pixels come back as they were written', (number) => {
    const bench = made();
    mode(bench, number);
    const colours = number === 0x06 || number === 0x11 ? 1 : number === 0x04 ? 3 : 15;
    for (let i = 0; i < 20; i++) bench.call(0x10, { eax: 0x0c00 | ((i % colours) + 1), ecx: i * 7, edx: i * 5 });
    for (let i = 0; i < 20; i++) {
      const seen = bench.call(0x10, { eax: 0x0d00, ecx: i * 7, edx: i * 5 }).al;
      expect(number === 0x11 ? seen & 1 : seen).toBe((i % colours) + 1);
    }
    expect(bench.call(0x10, { eax: 0x0d00, ecx: 1, edx: 0 }).al).toBe(0);
    if (number === 0x13) return;
    // Bit 7 combines by exclusive or.
    bench.call(0x10, { eax: 0x0c81, ecx: 0, edx: 0 });
    expect(bench.call(0x10, { eax: 0x0d00, ecx: 0, edx: 0 }).al & 1).toBe(0);
  });

  it.each([0x04, 0x06, 0x0d, 0x0e, 0x10, 0x12, 0x13])('%i: text is drawn, read back, scrolled', (number) => {
    const bench = made();
    mode(bench, number);
    type(bench, 'Az9', 1);
    bench.call(0x10, { eax: 0x0200, edx: 1 });
    expect(bench.call(0x10, { eax: 0x0800 }).al).toBe('z'.charCodeAt(0));
    bench.call(0x10, { eax: 0x0200, edx: bench.read8(BDA.VIDEO_ROWS) << 8 });
    type(bench, 'Q', 1);
    bench.call(0x10, { eax: 0x0601, ebx: 0, ecx: 0, edx: (bench.read8(BDA.VIDEO_ROWS) << 8) | 39 });
    bench.call(0x10, { eax: 0x0200, edx: (bench.read8(BDA.VIDEO_ROWS) - 1) << 8 });
    expect(bench.call(0x10, { eax: 0x0800 }).al).toBe('Q'.charCodeAt(0));
    bench.call(0x10, { eax: 0x0200, edx: 0 });
    expect(bench.call(0x10, { eax: 0x0800 }).al).not.toBe('A'.charCodeAt(0));
  });

  it('keeps the memory when bit 7 asks for it', () => {
    const bench = made();
    mode(bench, 0x13);
    bench.call(0x10, { eax: 0x0c2a, ecx: 5, edx: 5 });
    mode(bench, 0x93);
    expect(bench.call(0x10, { eax: 0x0d00, ecx: 5, edx: 5 }).al).toBe(0x2a);
    expect(bench.call(0x10, { eax: 0x0f00 }).al).toBe(0x93);
  });

  it('ignores modes that do not exist', () => {
    const bench = made();
    mode(bench, 0x55);
    expect(bench.call(0x10, { eax: 0x0f00 }).ax).toBe(0x5003);
  });
});

describe('palette and fonts', () => {
  it("loads the palettes of IBM's tables", () => {
    const at = (kind: Parameters<typeof defaultPalette>[0], index: number): number[] => [
      ...defaultPalette(kind).subarray(index * 3, index * 3 + 3),
    ];
    expect(at('ega', 0x14)).toEqual([0x2a, 0x15, 0x00]);
    expect(at('ega', 0x3f)).toEqual([0x3f, 0x3f, 0x3f]);
    expect(at('cga', 0x06)).toEqual([0x2a, 0x15, 0x00]);
    expect(at('cga', 0x11)).toEqual([0x15, 0x15, 0x3f]);
    expect(at('vga256', 15)).toEqual([0x3f, 0x3f, 0x3f]);
    expect(at('vga256', 32)).toEqual([0x00, 0x00, 0x3f]);
    expect(at('vga256', 40)).toEqual([0x3f, 0x00, 0x00]);
    expect(at('vga256', 48)).toEqual([0x00, 0x3f, 0x00]);
    expect(at('vga256', 56)).toEqual([0x1f, 0x1f, 0x3f]);
    expect(at('vga256', 255)).toEqual([0, 0, 0]);
  });

  it('sets and reads palette registers and DAC entries', () => {
    const bench = made();
    bench.call(0x10, { eax: 0x1000, ebx: 0x2a05 });
    expect(bench.call(0x10, { eax: 0x1007, ebx: 5 }).bh).toBe(0x2a);
    bench.call(0x10, { eax: 0x1010, ebx: 0x42, edx: 0x0100, ecx: 0x0203 });
    const read = bench.call(0x10, { eax: 0x1015, ebx: 0x42 });
    expect([read.dx >> 8, read.cx]).toEqual([1, 0x0203]);
    bench.set(0x600, [1, 2, 3, 4, 5, 6]);
    bench.call(0x10, { eax: 0x1012, ebx: 0x10, ecx: 2, edx: 0x600 });
    bench.call(0x10, { eax: 0x1017, ebx: 0x10, ecx: 2, edx: 0x700 });
    expect(bench.bytes(0x700, 6)).toEqual([1, 2, 3, 4, 5, 6]);
    bench.call(0x10, { eax: 0x101b, ebx: 0x10, ecx: 1 });
    const grey = bench.call(0x10, { eax: 0x1015, ebx: 0x10 });
    expect(new Set([grey.dx >> 8, grey.cx >> 8, grey.cx & 0xff]).size).toBe(1);
  });

  it('tells where the fonts are', () => {
    const bench = made();
    const where = bench.call(0x10, { eax: 0x1130, ebx: 0x0600 });
    expect([where.cx, where.edx & 0xff]).toEqual([16, 24]);
    const address = where.es * 16 + (where.ebp & 0xffff) - 0xc0000;
    expect([...bench.bios.vgaRom.subarray(address + 65 * 16, address + 65 * 16 + 16)].some((row) => row !== 0)).toBe(
      true,
    );
  });

  it('loads a user font that the screen shows', () => {
    const bench = made();
    bench.set(0x600, new Uint8Array(16).fill(0xff));
    bench.call(0x10, { eax: 0x1100, ebx: 0x1000, ecx: 1, edx: 0x41, ebp: 0x600 });
    bench.call(0x10, { eax: 0x0941, ebx: 0x0f, ecx: 1 });
    bench.call(0x10, { eax: 0x0100, ecx: 0x2000 });
    const { frame } = bench.vga.adapter.refresh();
    for (let y = 0; y < 16; y++) for (let x = 0; x < 8; x++) expect(frame.pixels[(y * frame.width + x) * 4]).toBe(255);
  });
});

describe('state', () => {
  it('reports functionality and display combination', () => {
    const bench = made();
    const dcc = bench.call(0x10, { eax: 0x1a00 });
    expect([dcc.al, dcc.bl]).toEqual([0x1a, 8]);
    expect(bench.call(0x10, { eax: 0x1b00, edi: 0x600 }).al).toBe(0x1b);
    expect(bench.read8(0x604)).toBe(3);
    expect(bench.read16(0x605)).toBe(80);
    expect(bench.read16(0x600 + 0x27)).toBe(16);
    expect(bench.read8(0x600 + 0x2a)).toBe(2);
    expect(bench.call(0x10, { eax: 0x1200, ebx: 0x10 }).bl).toBe(3);
  });

  it('saves and restores registers, data area and DAC', () => {
    const bench = made();
    const blocks = bench.call(0x10, { eax: 0x1c00, ecx: 7 });
    expect([blocks.al, blocks.bx]).toEqual([0x1c, Math.ceil((0x46 + 60 + 771) / 64)]);
    bench.call(0x10, { eax: 0x1010, ebx: 7, edx: 0x3f00, ecx: 0x0102 });
    bench.call(0x10, { eax: 0x1c01, ecx: 7, ebx: 0x800 });
    mode(bench, 0x13);
    bench.call(0x10, { eax: 0x1c02, ecx: 7, ebx: 0x800 });
    expect(bench.vga.adapter.textScreen()?.columns).toBe(80);
    expect(bench.read8(BDA.VIDEO_MODE)).toBe(3);
    expect(bench.call(0x10, { eax: 0x1015, ebx: 7 }).cx).toBe(0x0102);
  });
});
