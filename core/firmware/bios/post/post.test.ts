import { describe, expect, it } from 'vitest';
import { BDA, EBDA } from '../data-area.ts';
import { PciConfig } from '../services/pci-config.ts';
import { BiosBench, drive, MemoryMedium, TEST_RAM_BYTES } from '../testing.ts';
import { PciSetup } from './pci-setup.ts';

const cmos = (bench: BiosBench, index: number): number => {
  bench.ports.write(0x70, 1, index);
  return bench.ports.read(0x71, 1);
};
const setCmos = (bench: BiosBench, index: number, value: number): void => {
  bench.ports.write(0x70, 1, index);
  bench.ports.write(0x71, 1, value);
};

describe('POST', () => {
  it('fills the data areas and vectors', () => {
    const bench = new BiosBench({
      drives: [drive('floppy', new MemoryMedium(1474560)), drive('disk', new MemoryMedium(20 << 20))],
    });
    expect(bench.post()).toBe(0);
    expect(bench.read16(BDA.MEMORY_KIB)).toBe(639);
    expect(bench.read16(BDA.EBDA_SEGMENT)).toBe(0x9fc0);
    expect(bench.read8(EBDA.BASE)).toBe(1);
    expect(bench.read16(BDA.COM_PORTS)).toBe(0x3f8);
    expect(bench.read16(BDA.COM_PORTS + 2)).toBe(0);
    // One floppy drive, x87, mouse, 80x25, one serial port.
    expect(bench.read16(BDA.EQUIPMENT)).toBe(0x0227);
    expect(bench.read8(BDA.DISK_COUNT)).toBe(1);
    expect(bench.read32(0x13 * 4)).toBe(0xf000e3fe);
    expect(bench.read32(0x08 * 4)).toBe(0xf000fea5);
    expect(bench.read32(0x60 * 4)).toBe(0);
    expect(bench.read32(0x1e * 4)).toBe(0xf000efc7);
    // Fixed disk table of the first disk: 40 cylinders, 16 heads, 63 sectors.
    const table = (bench.read16(0x41 * 4 + 2) << 4) + bench.read16(0x41 * 4);
    expect([bench.read16(table), bench.read8(table + 2), bench.read8(table + 14)]).toEqual([40, 16, 63]);
    // Noon by the clock chip.
    expect(bench.read32(BDA.TICKS)).toBe(Math.floor(0x1800b0 / 2));
    expect([
      cmos(bench, 0x15) | (cmos(bench, 0x16) << 8),
      cmos(bench, 0x10),
      cmos(bench, 0x17) | (cmos(bench, 0x18) << 8),
    ]).toEqual([640, 0x40, 3072]);
  });

  it('shows product, memory and drives', () => {
    const bench = new BiosBench({
      drives: [drive('floppy', undefined), drive('cdrom', new MemoryMedium(4096))],
      version: '1.2',
    });
    bench.post();
    const screen = bench.screen().join('\n');
    expect(screen).toMatch(/Nestbox BIOS 1\.2/);
    expect(screen).toMatch(/Memory\s+4096 KiB/);
    expect(screen).toMatch(/Floppy A\s+empty/);
    expect(screen).toMatch(/CD E0h\s+cdrom, 4 KiB/);
  });

  it('gives PCI functions ranges, interrupts and decoding', () => {
    const bench = new BiosBench();
    bench.post();
    const pci = new PciConfig(bench.ports);
    const vga = 2 << 3;
    expect(pci.read(vga, 0x10, 4) & ~0xf).toBe(0xe0000000 | 0);
    expect(pci.read(vga, 0x18, 4) & ~0xf).toBe(0xe1000000 | 0);
    expect(pci.read(vga, 0x04, 2) & 7).toBe(6);
    const power = (1 << 3) | 3;
    expect(pci.read(power, 0x40, 4)).toBe(0x601);
    expect(pci.read(power, 0x80, 1) & 1).toBe(1);
    expect(pci.read(power, 0x3c, 1)).toBe(9);
    expect([0, 1, 2, 3].map((i) => pci.read(1 << 3, 0x60 + i, 1))).toEqual([10, 10, 11, 11]);
    expect(bench.ports.read(0x4d1, 1)).toBe(0x0c);
    // The video ROM is readable at C0000.
    expect(pci.read(0, 0x5a, 1)).toBe(0x11);
    expect([...bench.memory.bytes.subarray(0xc0000, 0xc0002)]).toEqual([0x55, 0xaa]);
  });

  it('places tables and keeps them out of usable memory', () => {
    const places: number[] = [];
    const bench = new BiosBench({
      tables: (place) => {
        places.push(
          place(Uint8Array.of(9, 8, 7), 64, 'acpi-data'),
          place(Uint8Array.of(6), 4096, 'acpi-nvs'),
          place(Uint8Array.of(5), 16, 'f-segment'),
          place(Uint8Array.of(4), 1, 'ebda'),
        );
      },
    });
    bench.post();
    const [acpi = 0, nvs = 0, f = 0, ebda = 0] = places;
    expect([acpi % 64, nvs % 4096, f % 16]).toEqual([0, 0, 0]);
    expect([bench.read8(acpi), bench.read8(acpi + 1), bench.read8(nvs), bench.read8(f), bench.read8(ebda)]).toEqual([
      9, 8, 6, 5, 4,
    ]);
    const map = bench.bios.device.memoryMap;
    const typeAt = (address: number): number | undefined =>
      map.find((entry) => address >= entry.base && address < entry.base + entry.length)?.type;
    expect([
      typeAt(0x1000),
      typeAt(EBDA.BASE),
      typeAt(0xf0000),
      typeAt(0x100000),
      typeAt(acpi),
      typeAt(nvs),
      typeAt(TEST_RAM_BYTES),
    ]).toEqual([1, 2, 2, 1, 3, 4, undefined]);
    for (let i = 1; i < map.length; i++)
      expect((map[i - 1]?.base ?? 0) + (map[i - 1]?.length ?? 0)).toBeLessThanOrEqual(map[i]?.base ?? 0);
  });

  it('returns to programs that reset the processor with a shutdown code, once', () => {
    const bench = new BiosBench();
    setCmos(bench, 0x0f, 5);
    expect(bench.post()).toBe(1);
    setCmos(bench, 0x0f, 0x0a);
    expect(bench.post()).toBe(1);
    setCmos(bench, 0x0f, 9);
    expect(bench.post()).toBe(2);
    expect(bench.post()).toBe(0);
  });

  it('leaves out PCI ranges that do not fit', () => {
    const bench = new BiosBench();
    const warnings: string[] = [];
    new PciSetup(
      bench.ports,
      {
        enabled: () => true,
        log: (_, message) => warnings.push(message),
        child: () => {
          throw new Error('unused');
        },
      },
      [10, 10, 11, 11],
      0xfe800000,
    ).run();
    expect(warnings).toEqual(['no room for a PCI range']);
    expect(new PciConfig(bench.ports).read(2 << 3, 0x10, 4) & ~0xf).toBe(0);
  });
});
