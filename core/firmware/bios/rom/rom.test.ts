import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { assemble } from '../../asm/assembler.ts';
import { cp437Font8x8 } from '../../../devices/display/fonts/cp437-font.ts';
import { BiosBench } from '../testing.ts';
import { vgaRomSource } from '../video/vga-rom-source.ts';
import { RomImage } from './rom-image.ts';
import { ROM_FIXED } from './rom-entries.ts';
import { romSource } from './rom-source.ts';

const F = 0x10000;
const rom = new RomImage(cp437Font8x8());
const jumpTarget = (offset: number): number => {
  expect(rom.bytes[F + offset]).toBe(0xe9);
  return (offset + 3 + ((rom.bytes[F + offset + 1] ?? 0) | ((rom.bytes[F + offset + 2] ?? 0) << 8))) & 0xffff;
};

describe('system ROM', () => {
  it('starts at the reset vector with a far jump to POST and carries date and model', () => {
    expect(rom.bytes.length).toBe(0x20000);
    expect([...rom.bytes.subarray(F + 0xfff0, F + 0xfff5)]).toEqual([0xea, 0x5b, 0xe0, 0x00, 0xf0]);
    expect(String.fromCharCode(...rom.bytes.subarray(F + 0xfff5, F + 0xfffd))).toMatch(/^\d\d\/\d\d\/\d\d$/);
    expect(rom.bytes[F + 0xfffe]).toBe(0xfc);
  });

  it('has the entry points of the AT where programs expect them', () => {
    expect(jumpTarget(ROM_FIXED.post)).toBe(rom.symbol('start'));
    expect(jumpTarget(ROM_FIXED.int10)).toBe(rom.symbol('service_10'));
    expect(jumpTarget(ROM_FIXED.int13Disk)).toBe(rom.symbol('service_13'));
    expect(jumpTarget(ROM_FIXED.int13Floppy)).toBe(rom.symbol('service_13'));
    expect(jumpTarget(ROM_FIXED.int16)).toBe(rom.symbol('service_16'));
    expect(jumpTarget(ROM_FIXED.int19)).toBe(rom.symbol('bootstrap'));
    expect(jumpTarget(ROM_FIXED.int08)).toBe(rom.symbol('irq0'));
    expect(rom.bytes[F + ROM_FIXED.dummyIret]).toBe(0xcf);
    expect(rom.symbol('config_table')).toBe(ROM_FIXED.configTable);
    expect(rom.symbol('code_end')).toBeLessThan(ROM_FIXED.post);
  });

  it('has the BIOS32 directory on a paragraph with a correct sum, and the first half of the 8x8 font', () => {
    const at = F + rom.symbol('bios32_header');
    expect(at % 16).toBe(0);
    const header = rom.bytes.subarray(at, at + 16);
    expect(String.fromCharCode(...header.subarray(0, 4))).toBe('_32_');
    expect(header.reduce((sum, byte) => sum + byte, 0) & 0xff).toBe(0);
    expect(new DataView(header.buffer, header.byteOffset).getUint32(4, true)).toBe(
      0xf0000 + rom.symbol('bios32_directory'),
    );
    expect([...rom.bytes.subarray(F + 0xfa6e + 65 * 8, F + 0xfa6e + 66 * 8)]).toEqual([
      ...cp437Font8x8().subarray(65 * 8, 66 * 8),
    ]);
  });

  it('places tables on their alignment and refuses what does not fit', () => {
    const image = new RomImage(cp437Font8x8());
    expect(image.place(Uint8Array.of(1, 2, 3), 16)).toBe(0xf0000);
    expect(image.place(Uint8Array.of(4), 16)).toBe(0xf0010);
    expect([...image.bytes.subarray(F, F + 3)]).toEqual([1, 2, 3]);
    expect(image.place(new Uint8Array(0x10000), 1)).toBeUndefined();
  });
});

describe('video ROM', () => {
  it('is an option ROM whose bytes sum to zero, with a PCI structure for the adapter', () => {
    const { vgaRom } = new BiosBench().bios;
    expect([...vgaRom.subarray(0, 3)]).toEqual([0x55, 0xaa, vgaRom.length / 512]);
    expect(vgaRom.reduce((sum, byte) => (sum + byte) & 0xff, 0)).toBe(0);
    const pcir = (vgaRom[0x18] ?? 0) | ((vgaRom[0x19] ?? 0) << 8);
    expect(String.fromCharCode(...vgaRom.subarray(pcir, pcir + 4))).toBe('PCIR');
    expect([...vgaRom.subarray(pcir + 4, pcir + 8)]).toEqual([0x34, 0x12, 0x11, 0x11]);
  });
});

function nasmMissing(): string | undefined {
  try {
    execFileSync('nasm', ['-v'], { stdio: 'ignore' });
    return undefined;
  } catch {
    return 'nasm is not installed';
  }
}

const skipReason = nasmMissing();
describe.skipIf(skipReason !== undefined)(`the same bytes as nasm ${skipReason ?? ''}`, () => {
  it.each([
    ['system ROM', romSource()],
    ['video ROM', vgaRomSource()],
  ])('%s', (_, source) => {
    const folder = mkdtempSync(join(tmpdir(), 'nestbox-rom-'));
    try {
      writeFileSync(join(folder, 'rom.asm'), source);
      execFileSync('nasm', ['-w-all', '-f', 'bin', '-o', join(folder, 'rom.bin'), join(folder, 'rom.asm')]);
      expect(Buffer.compare(readFileSync(join(folder, 'rom.bin')), assemble(source).bytes)).toBe(0);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
