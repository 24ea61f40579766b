import { describe, expect, it } from 'vitest';
import { BiosBench } from '../testing.ts';
import { VBE_MODES } from './vbe-modes.ts';

const BUFFER = 0x600;
const shared = new BiosBench({ quiet: true });
shared.post();
/** The one machine of this file (POST takes long in tests), back in text mode. */
const made = (): BiosBench => {
  shared.call(0x10, { eax: 0x0003 });
  return shared;
};

describe('VBE information', () => {
  it('answers with signature, version, memory and a list of modes that all exist', () => {
    const bench = made();
    bench.set(
      BUFFER,
      [...'VBE2'].map((letter) => letter.charCodeAt(0)),
    );
    expect(bench.call(0x10, { eax: 0x4f00, edi: BUFFER }).ax).toBe(0x004f);
    expect(bench.text(BUFFER, 4)).toBe('VESA');
    expect([bench.read16(BUFFER + 4), bench.read16(BUFFER + 18)]).toEqual([0x300, 256]);
    let list = bench.read16(BUFFER + 16) * 16 + bench.read16(BUFFER + 14);
    const numbers: number[] = [];
    for (; bench.read16(list) !== 0xffff; list += 2) numbers.push(bench.read16(list));
    expect(numbers).toEqual(VBE_MODES.map((mode) => mode.number));
    const oem = bench.read16(BUFFER + 8) * 16 + bench.read16(BUFFER + 6) - 0xc0000;
    expect(String.fromCharCode(...bench.bios.vgaRom.subarray(oem, oem + 7))).toBe('Nestbox');
  });

  it('does not write past 256 bytes for a VBE 1 caller', () => {
    const bench = made();
    bench.set(BUFFER, new Uint8Array(512).fill(0xee));
    bench.call(0x10, { eax: 0x4f00, edi: BUFFER });
    expect(bench.read8(BUFFER + 255)).not.toBe(0xee);
    expect(bench.bytes(BUFFER + 256, 256).every((byte) => byte === 0xee)).toBe(true);
  });

  it('describes 1024x768x32 with the frame buffer of the PCI function', () => {
    const bench = made();
    expect(bench.call(0x10, { eax: 0x4f01, ecx: 0x144, edi: BUFFER }).ax).toBe(0x004f);
    expect([
      bench.read16(BUFFER) & 0x99,
      bench.read16(BUFFER + 16),
      bench.read16(BUFFER + 18),
      bench.read16(BUFFER + 20),
      bench.read8(BUFFER + 25),
    ]).toEqual([0x99, 4096, 1024, 768, 32]);
    expect(bench.read32(BUFFER + 40)).toBe(0xe0000000);
    expect(bench.bytes(BUFFER + 31, 6)).toEqual([8, 16, 8, 8, 8, 0]);
    expect(bench.call(0x10, { eax: 0x4f01, ecx: 0x1fe, edi: BUFFER }).ax).toBe(0x014f);
  });
});

describe('VBE modes', () => {
  it('programs the adapter for every mode and goes back to text', () => {
    const bench = made();
    const register = (index: number): number => {
      bench.ports.write(0x1ce, 2, index);
      return bench.ports.read(0x1cf, 2);
    };
    for (const mode of VBE_MODES) {
      const linear = mode.bitsPerPixel === 4 ? 0 : 0x4000;
      expect(bench.call(0x10, { eax: 0x4f02, ebx: mode.number | linear }).ax).toBe(0x004f);
      expect([register(1), register(2), register(3), register(4) & 1]).toEqual([
        mode.width & ~7,
        mode.height,
        mode.bitsPerPixel,
        1,
      ]);
      expect(bench.call(0x10, { eax: 0x4f03 }).bx).toBe(mode.number | linear);
    }
    bench.call(0x10, { eax: 0x0003 });
    expect(bench.vga.adapter.textScreen()?.columns).toBe(80);
    expect(bench.call(0x10, { eax: 0x4f03 }).bx).toBe(3);
  });

  it.each([0x101, 0x110, 0x115, 0x144])('%i is shown in its size', (number) => {
    const bench = made();
    bench.call(0x10, { eax: 0x4f02, ebx: number | 0x4000 });
    const { frame } = bench.vga.adapter.refresh();
    const mode = VBE_MODES.find((entry) => entry.number === number);
    expect([frame.width, frame.height]).toEqual([mode?.width, mode?.height]);
  });

  it('refuses modes that are not there and the linear window of planar ones', () => {
    const bench = made();
    expect(bench.call(0x10, { eax: 0x4f02, ebx: 0x1ff }).ax).toBe(0x014f);
    expect(bench.call(0x10, { eax: 0x4f02, ebx: 0x4102 }).ax).toBe(0x014f);
    expect(bench.call(0x10, { eax: 0x4f02, ebx: 0x0102 }).ax).toBe(0x004f);
  });

  it('moves the window, the line length and the display start', () => {
    const bench = made();
    expect(bench.call(0x10, { eax: 0x4f05, ebx: 0 }).ax).toBe(0x034f);
    bench.call(0x10, { eax: 0x4f02, ebx: 0x101 });
    expect(bench.call(0x10, { eax: 0x4f05, ebx: 0, edx: 3 }).ax).toBe(0x004f);
    bench.write8(0xa0001, 0x77);
    expect(bench.vga.adapter.linearFrameBuffer.readMmio(0x30001, 1)).toBe(0x77);
    expect(bench.call(0x10, { eax: 0x4f05, ebx: 0x0100 }).dx).toBe(3);
    expect(bench.call(0x10, { eax: 0x4f05, ebx: 0, edx: 0x100 }).ax).toBe(0x014f);
    const line = bench.call(0x10, { eax: 0x4f06, ebx: 0, ecx: 1024 });
    expect([line.ax, line.bx, line.cx]).toEqual([0x004f, 1024, 1024]);
    expect(bench.call(0x10, { eax: 0x4f06, ebx: 0, ecx: 320 }).ax).toBe(0x024f);
    expect(bench.call(0x10, { eax: 0x4f07, ebx: 0, ecx: 8, edx: 100 }).ax).toBe(0x004f);
    const start = bench.call(0x10, { eax: 0x4f07, ebx: 1 });
    expect([start.cx, start.dx]).toEqual([8, 100]);
  });

  it('switches the DAC to 8 bits and sets its entries', () => {
    const bench = made();
    bench.call(0x10, { eax: 0x4f02, ebx: 0x101 });
    expect(bench.call(0x10, { eax: 0x4f08, ebx: 0x0800 }).bh).toBe(8);
    bench.set(BUFFER, [0x10, 0x20, 0xf0, 0]);
    expect(bench.call(0x10, { eax: 0x4f09, ebx: 0, ecx: 1, edx: 9, edi: BUFFER }).ax).toBe(0x004f);
    bench.call(0x10, { eax: 0x4f09, ebx: 1, ecx: 1, edx: 9, edi: BUFFER + 16 });
    expect(bench.bytes(BUFFER + 16, 4)).toEqual([0x10, 0x20, 0xf0, 0]);
  });

  it('saves and restores a mode', () => {
    const bench = made();
    bench.call(0x10, { eax: 0x4f02, ebx: 0x4143 });
    expect(bench.call(0x10, { eax: 0x4f04, edx: 0, ecx: 0x0f }).bx).toBeGreaterThan(12);
    bench.call(0x10, { eax: 0x4f04, edx: 1, ecx: 0x0f, ebx: 0x1000 });
    bench.call(0x10, { eax: 0x0003 });
    bench.call(0x10, { eax: 0x4f04, edx: 2, ecx: 0x0f, ebx: 0x1000 });
    const { frame } = bench.vga.adapter.refresh();
    expect([frame.width, frame.height]).toEqual([800, 600]);
    expect(bench.call(0x10, { eax: 0x4f03 }).bx).toBe(0x4143);
  });

  it("gives the monitor's EDID and the protected-mode entry points", () => {
    const bench = made();
    expect(bench.call(0x10, { eax: 0x4f15, ebx: 1, edi: BUFFER }).ax).toBe(0x004f);
    expect(bench.bytes(BUFFER, 8)).toEqual([0, 255, 255, 255, 255, 255, 255, 0]);
    expect(bench.bytes(BUFFER, 128).reduce((sum, byte) => sum + byte, 0) & 0xff).toBe(0);
    const pm = bench.call(0x10, { eax: 0x4f0a, ebx: 0 });
    expect([pm.ax, pm.es]).toEqual([0x004f, 0xc000]);
    const table = pm.edi & 0xffff;
    const rom = new DataView(bench.bios.vgaRom.buffer);
    for (let i = 0; i < 3; i++) expect(rom.getUint16(table + i * 2, true)).toBeLessThan(pm.cx);
  });
});
