import { describe, expect, it } from 'vitest';
import { BDA } from '../data-area.ts';
import { BiosBench, drive, MemoryMedium } from '../testing.ts';
import { FLOPPY_FORMATS, floppyFormatOf, geometryFromPartitions, translateGeometry } from './geometry.ts';

const SECTOR = 512;
const BUFFER = 0x10000;
const numbered = (size: number, unit = SECTOR): MemoryMedium => {
  const medium = new MemoryMedium(size);
  for (let i = 0; i * unit < size; i++) new DataView(medium.data.buffer).setUint32(i * unit, i, true);
  return medium;
};
const at = (es: number): { es: number } => ({ es: es >> 4 });
/** Disk address packet at 0x600. */
const packet = (bench: BiosBench, count: number, sector: number, buffer = BUFFER): void => {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  bytes[0] = 16;
  view.setUint16(2, count, true);
  view.setUint16(6, buffer >> 4, true);
  view.setUint32(8, sector % 2 ** 32, true);
  view.setUint32(12, Math.floor(sector / 2 ** 32), true);
  bench.set(0x600, bytes);
};

describe('geometry', () => {
  it('knows every floppy format by its size and takes odd images for the next larger one', () => {
    for (const format of FLOPPY_FORMATS) expect(floppyFormatOf(format.sizeBytes)).toBe(format);
    expect(FLOPPY_FORMATS.map((format) => format.sizeBytes / 1024)).toEqual([
      160, 180, 320, 360, 720, 1200, 1440, 1680, 1722, 2880,
    ]);
    expect(floppyFormatOf(512)).toMatchObject({ cylinders: 80, heads: 2, sectors: 18 });
    expect(floppyFormatOf(1_500_000)).toMatchObject({ sectors: 21 });
  });

  it.each([
    [20_160, undefined, [20, 16, 63]],
    [1024 * 16 * 63, undefined, [1024, 16, 63]],
    [1024 * 16 * 63 + 63 * 16, undefined, [512, 32, 63]],
    [4_194_304, undefined, [520, 128, 63]],
    [16_777_216, undefined, [1024, 255, 63]],
    [615 * 4 * 17, { cylinders: 615, heads: 4, sectors: 17 }, [615, 4, 17]],
  ])('translates %i sectors', (sectors, physical, [cylinders, heads, spt]) => {
    expect(translateGeometry(sectors, physical)).toEqual({ cylinders, heads, sectors: spt });
  });

  it('takes the geometry that a partition table was made with, if its values agree', () => {
    const mbr = new Uint8Array(SECTOR);
    mbr.set([0x80, 1, 1, 0, 6, 31, 63, 99], 446);
    new DataView(mbr.buffer).setUint32(454, 63, true);
    new DataView(mbr.buffer).setUint32(458, 100 * 32 * 63 - 63, true);
    mbr.set([0x55, 0xaa], 510);
    expect(geometryFromPartitions(mbr, 200 * 32 * 63)).toEqual({ cylinders: 200, heads: 32, sectors: 63 });
    new DataView(mbr.buffer).setUint32(454, 2048, true);
    expect(geometryFromPartitions(mbr, 200 * 32 * 63)).toBeUndefined();
  });
});

describe('CHS functions', () => {
  it('reads and writes sectors of a floppy by cylinder, head and sector', async () => {
    const medium = numbered(1474560);
    const bench = new BiosBench({ drives: [drive('floppy', medium)], quiet: true });
    const read = await bench.callAsync(0x13, { eax: 0x0202, ecx: 0x0502, edx: 0x0100, ...at(BUFFER) });
    expect([read.carry, read.ax]).toEqual([false, 2]);
    const lba = (5 * 2 + 1) * 18 + 1;
    expect([bench.read32(BUFFER), bench.read32(BUFFER + SECTOR)]).toEqual([lba, lba + 1]);
    bench.set(BUFFER, new Uint8Array(SECTOR).fill(0x5a));
    const write = await bench.callAsync(0x13, { eax: 0x0301, ecx: 0x0001, edx: 0x0000, ...at(BUFFER) });
    expect([write.carry, write.ah]).toEqual([false, 0]);
    expect(medium.data[511]).toBe(0x5a);
    expect(medium.data[512]).toBe(1);
  });

  it.each([
    ['sector 0', 0x0201, 0x0000, 0x0000, 0x04],
    ['a sector too high', 0x0201, 0x0013, 0x0000, 0x04],
    ['head 2', 0x0201, 0x0001, 0x0200, 0x04],
    ['cylinder 80', 0x0201, 0x5001, 0x0000, 0x04],
    ['no sectors', 0x0200, 0x0001, 0x0000, 0x01],
    ['a drive that is not there', 0x0201, 0x0001, 0x0001, 0x01],
    ['an unknown function', 0x7f01, 0x0001, 0x0000, 0x01],
  ])('%s fails with its status, which function 01h repeats', (_, eax, ecx, edx, status) => {
    const bench = new BiosBench({ drives: [drive('floppy', numbered(1474560))], quiet: true });
    const result = bench.call(0x13, { eax, ecx, edx, ...at(BUFFER) });
    expect([result.carry, result.ah]).toEqual([true, status]);
    expect(bench.call(0x13, { eax: 0x0100 }).ah).toBe(status);
  });

  it('reports empty drives, read-only media, failing media and one change of medium', async () => {
    let changed = true;
    const medium = new MemoryMedium(1474560, true);
    const take = (): boolean => {
      const now = changed;
      changed = false;
      return now;
    };
    const bench = new BiosBench({
      drives: [drive('floppy', medium, { takeChanged: take }), drive('floppy', undefined)],
      quiet: true,
    });
    expect(bench.call(0x13, { eax: 0x0201, ecx: 1, edx: 1 }).ah).toBe(0x80);
    expect(bench.call(0x13, { eax: 0x0201, ecx: 1 }).ah).toBe(0x06);
    expect((await bench.callAsync(0x13, { eax: 0x0201, ecx: 1, ...at(BUFFER) })).ah).toBe(0);
    expect(bench.call(0x13, { eax: 0x0301, ecx: 1 }).ah).toBe(0x03);
    medium.failing = true;
    const failed = await bench.callAsync(0x13, { eax: 0x0201, ecx: 1, ...at(BUFFER) });
    expect([failed.carry, failed.ah]).toEqual([true, 0x20]);
  });

  it('pads images that are shorter than their format with zeroes', async () => {
    const bench = new BiosBench({
      drives: [drive('floppy', new MemoryMedium(new Uint8Array(512).fill(7)))],
      quiet: true,
    });
    bench.set(BUFFER, new Uint8Array(1024).fill(0xee));
    const read = await bench.callAsync(0x13, { eax: 0x0202, ecx: 1, ...at(BUFFER) });
    expect(read.carry).toBe(false);
    expect([bench.read8(BUFFER + 511), bench.read8(BUFFER + 512), bench.read8(BUFFER + 1023)]).toEqual([7, 0, 0]);
  });

  it('formats a track', async () => {
    const medium = numbered(737280);
    const bench = new BiosBench({ drives: [drive('floppy', medium)], quiet: true });
    expect((await bench.callAsync(0x13, { eax: 0x0509, ecx: 0x0001, edx: 0x0100 })).carry).toBe(false);
    expect([
      medium.data[9 * SECTOR - 1],
      medium.data[9 * SECTOR],
      medium.data[18 * SECTOR - 1],
      medium.data[18 * SECTOR],
    ]).toEqual([0, 0xf6, 0xf6, 18]);
    expect(bench.call(0x13, { eax: 0x1800, ecx: 0x4f09 }).ah).toBe(0);
    expect(bench.call(0x13, { eax: 0x1800, ecx: 0x4f12 }).ah).toBe(0x0c);
  });

  it('tells drive parameters and types', () => {
    const bench = new BiosBench({
      drives: [drive('floppy', numbered(1228800)), drive('disk', new MemoryMedium(10 << 20))],
      quiet: true,
    });
    const floppy = bench.call(0x13, { eax: 0x0800 });
    expect([floppy.bl, floppy.cx, floppy.dx, floppy.es, floppy.edi & 0xffff]).toEqual([
      2, 0x4f0f, 0x0101, 0xf000, 0xefc7,
    ]);
    const disk = bench.call(0x13, { eax: 0x0800, edx: 0x80 });
    expect([disk.carry, disk.cx, disk.dx]).toEqual([false, ((20 - 1) << 8) | 63, 0x0f01]);
    const type = bench.call(0x13, { eax: 0x1500, edx: 0x80 });
    expect([type.ah, (type.cx << 16) | type.dx]).toEqual([3, 20 * 16 * 63]);
    expect(bench.call(0x13, { eax: 0x1500 }).ah).toBe(2);
    expect(bench.call(0x13, { eax: 0x1500, edx: 5 }).ah).toBe(0);
    const missing = bench.call(0x13, { eax: 0x0800, edx: 0x81 });
    expect([missing.carry, missing.dx & 0xff]).toEqual([true, 1]);
    expect(bench.call(0x13, { eax: 0x0000, edx: 0x80 }).carry).toBe(false);
    expect(bench.read8(BDA.DISK_STATUS)).toBe(0);
  });
});

describe('extended functions', () => {
  it('moves sectors beyond 8 GiB by disk address packets', async () => {
    const huge = new MemoryMedium(SECTOR);
    const offsets: number[] = [];
    Object.defineProperty(huge, 'sizeBytes', { value: 40 * 2 ** 30 });
    huge.read = (offset, target) => {
      offsets.push(offset, target.length);
      target.fill(0x11);
      return Promise.resolve();
    };
    const bench = new BiosBench({ drives: [drive('disk', huge)], quiet: true });
    const check = bench.call(0x13, { eax: 0x4100, ebx: 0x55aa, edx: 0x80 });
    expect([check.carry, check.bx, check.ecx & 1]).toEqual([false, 0xaa55, 1]);
    packet(bench, 3, 60_000_000);
    expect((await bench.callAsync(0x13, { eax: 0x4200, edx: 0x80, esi: 0x600 })).carry).toBe(false);
    expect(offsets).toEqual([60_000_000 * SECTOR, 3 * SECTOR]);
    expect(bench.read8(BUFFER + 3 * SECTOR - 1)).toBe(0x11);
    packet(bench, 1, 40 * 2 ** 21);
    const past = bench.call(0x13, { eax: 0x4200, edx: 0x80, esi: 0x600 });
    expect([past.carry, past.ah, bench.read16(0x602)]).toEqual([true, 0x04, 0]);
    packet(bench, 1, 2 ** 40);
    expect(bench.call(0x13, { eax: 0x4200, edx: 0x80, esi: 0x600 }).carry).toBe(true);
  });

  it('describes disks and CDs, and writes only as much as the caller has room for', () => {
    const bench = new BiosBench({
      drives: [drive('disk', new MemoryMedium(10 << 20)), drive('cdrom', new MemoryMedium(100 * 2048))],
      quiet: true,
    });
    bench.set(0x600, new Uint8Array(80).fill(0xee));
    bench.set(0x600, [26, 0]);
    bench.call(0x13, { eax: 0x4800, edx: 0x80, esi: 0x600 });
    expect([bench.read32(0x610), bench.read16(0x618), bench.read8(0x61a)]).toEqual([20480, 512, 0xee]);
    bench.set(0x600, [66, 0]);
    bench.call(0x13, { eax: 0x4800, edx: 0xe0, esi: 0x600 });
    expect([bench.read32(0x610), bench.read16(0x618)]).toEqual([100, 2048]);
    expect(bench.bytes(0x600 + 30, 36).reduce((sum, byte) => sum + byte, 0) & 0xff).toBe(0);
    bench.set(0x600, [20, 0]);
    expect(bench.call(0x13, { eax: 0x4800, edx: 0x80, esi: 0x600 }).carry).toBe(true);
  });

  it('reads CD sectors of 2048 bytes and refuses CHS access to them', async () => {
    const bench = new BiosBench({ drives: [drive('cdrom', numbered(100 * 2048, 2048))], quiet: true });
    packet(bench, 2, 17);
    expect((await bench.callAsync(0x13, { eax: 0x4200, edx: 0xe0, esi: 0x600 })).carry).toBe(false);
    expect([bench.read32(BUFFER), bench.read32(BUFFER + 2048)]).toEqual([17, 18]);
    expect(bench.call(0x13, { eax: 0x0201, ecx: 1, edx: 0xe0 }).ah).toBe(1);
    packet(bench, 1, 5);
    expect(bench.call(0x13, { eax: 0x4300, edx: 0xe0, esi: 0x600 }).ah).toBe(3);
  });

  it('survives hostile packets', () => {
    const bench = new BiosBench({ drives: [drive('disk', new MemoryMedium(64 << 20))], quiet: true });
    packet(bench, 0xffff, 0);
    expect(bench.call(0x13, { eax: 0x4200, edx: 0x80, esi: 0x600 }).carry).toBe(true);
    bench.set(0x600, [4]);
    expect(bench.call(0x13, { eax: 0x4200, edx: 0x80, esi: 0x600 }).ah).toBe(1);
  });

  it('answers with a time-out when too many requests are open', () => {
    const bench = new BiosBench({ drives: [drive('disk', new MemoryMedium(1 << 20))], quiet: true });
    for (let i = 0; i < 32; i++)
      expect(bench.call(0x13, { eax: 0x0201, ecx: 1, edx: 0x80, ...at(BUFFER) }).action).toBe(1);
    expect(bench.call(0x13, { eax: 0x0201, ecx: 1, edx: 0x80, ...at(BUFFER) }).ah).toBe(0x80);
  });
});
