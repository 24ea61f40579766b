import { describe, expect, it } from 'vitest';
import { BDA } from '../data-area.ts';
import { BiosBench, drive, MemoryMedium, type Result } from '../testing.ts';
import { chooseBootEntry } from './el-torito.ts';

const CD_SECTOR = 2048;
const bootSector = (size: number, first: number): MemoryMedium => {
  const medium = new MemoryMedium(size);
  medium.data.set([first, 0x90, 0x90]);
  medium.data.set([0x55, 0xaa], 510);
  return medium;
};

interface CdEntry {
  readonly bootable?: number;
  readonly media?: number;
  readonly segment?: number;
  readonly count?: number;
  readonly sector?: number;
}

const entryBytes = ({ bootable = 0x88, media = 0, segment = 0, count = 4, sector = 20 }: CdEntry): Uint8Array => {
  const bytes = new Uint8Array(32);
  const view = new DataView(bytes.buffer);
  bytes[0] = bootable;
  bytes[1] = media;
  view.setUint16(2, segment, true);
  view.setUint16(6, count, true);
  view.setUint32(8, sector, true);
  return bytes;
};

const validation = (platform: number): Uint8Array => {
  const bytes = new Uint8Array(32);
  bytes.set([1, platform]);
  bytes.set([0x55, 0xaa], 30);
  let sum = 0;
  for (let i = 0; i < 32; i += 2) sum += (bytes[i] ?? 0) | ((bytes[i + 1] ?? 0) << 8);
  new DataView(bytes.buffer).setUint16(28, -sum & 0xffff, true);
  return bytes;
};

const bootCd = (entry: CdEntry, image: Uint8Array): MemoryMedium => {
  const medium = new MemoryMedium(40 * CD_SECTOR + image.length);
  medium.data.set(
    [0, ...[...'CD001'].map((c) => c.charCodeAt(0)), 1, ...[...'EL TORITO SPECIFICATION'].map((c) => c.charCodeAt(0))],
    17 * CD_SECTOR,
  );
  new DataView(medium.data.buffer).setUint32(17 * CD_SECTOR + 0x47, 19, true);
  medium.data.set(validation(0), 19 * CD_SECTOR);
  medium.data.set(entryBytes(entry), 19 * CD_SECTOR + 32);
  medium.data.set(image, 20 * CD_SECTOR);
  return medium;
};

const boot = async (bench: BiosBench): Promise<Result> => {
  bench.post();
  return bench.callAsync(0x19);
};

describe('INT 19h', () => {
  it('loads the boot sector of the first medium in order and enters it at 0000:7C00', async () => {
    const bench = new BiosBench({
      drives: [drive('floppy', undefined), drive('disk', bootSector(1 << 20, 0xeb))],
      bootOrder: ['floppy', 'network', 'disk'],
    });
    const result = await boot(bench);
    expect([result.action, result.cs, result.ip, result.edx & 0xff, result.flags & 0x200]).toEqual([
      0, 0, 0x7c00, 0x80, 0x200,
    ]);
    expect([bench.read8(0x7c00), bench.read16(0x7dfe)]).toEqual([0xeb, 0xaa55]);
    expect(bench.screen().join('\n')).toMatch(/Booting from disk/);
  });

  it('boots floppies without a signature but not empty ones', async () => {
    const medium = new MemoryMedium(1474560);
    medium.data.set([0xfa, 0x31, 0xc0]);
    const result = await boot(new BiosBench({ drives: [drive('floppy', medium)], quiet: true }));
    expect([result.ip, result.edx]).toEqual([0x7c00, 0]);
    const empty = await boot(new BiosBench({ drives: [drive('floppy', new MemoryMedium(1474560))], quiet: true }));
    expect(empty.action).toBe(2);
  });

  it('says what it tried when nothing boots, waits for a key and starts over', async () => {
    const inserted: { medium: MemoryMedium | undefined } = { medium: undefined };
    const bench = new BiosBench({
      drives: [
        { kind: 'floppy', name: 'A:', medium: () => inserted.medium },
        drive('disk', new MemoryMedium(1 << 20)),
        drive('cdrom', new MemoryMedium(30 * 2048)),
      ],
      bootOrder: ['cdrom', 'floppy', 'disk'],
    });
    expect((await boot(bench)).action).toBe(2);
    const screen = bench.screen().join('\n');
    expect(screen).toMatch(/No bootable medium found/);
    expect(screen).toMatch(/CD cdrom: not a bootable CD/);
    expect(screen).toMatch(/floppy A: no medium/);
    expect(screen).toMatch(/disk disk: no boot sector signature/);
    expect(screen).toMatch(/press any key/);
    expect((await bench.again()).action).toBe(2);
    inserted.medium = bootSector(1474560, 0xeb);
    bench.call(0x16, { eax: 0x0500, ecx: 0x1c0d });
    const result = await bench.callAsync(0x19);
    expect([result.action, result.ip, result.edx]).toEqual([0, 0x7c00, 0]);
    expect(bench.read16(BDA.KEY_HEAD)).toBe(bench.read16(BDA.KEY_TAIL));
  });

  it('tells a disk that cannot be read', async () => {
    const medium = bootSector(1 << 20, 0xeb);
    medium.failing = true;
    const bench = new BiosBench({ drives: [drive('disk', medium)] });
    expect((await boot(bench)).action).toBe(2);
    expect(bench.screen().join('\n')).toMatch(/disk disk: cannot be read/);
  });

  it('answers INT 18h with the same message', () => {
    const bench = new BiosBench();
    bench.post();
    expect(bench.call(0x18).action).toBe(2);
    expect(bench.screen().join('\n')).toMatch(/boot program gave up[^]*No bootable medium/);
  });
});

describe('El Torito', () => {
  it('boots without emulation: the image at its segment, the CD as drive', async () => {
    const image = new Uint8Array(CD_SECTOR).fill(0x90);
    const bench = new BiosBench({ drives: [drive('cdrom', bootCd({ count: 4 }, image))], quiet: true });
    const result = await boot(bench);
    expect([result.cs, result.ip, result.edx]).toEqual([0, 0x7c00, 0xe0]);
    expect([bench.read8(0x7c00), bench.read8(0x7c00 + 2047), bench.read8(0x7c00 + 2048)]).toEqual([0x90, 0x90, 0]);
    const status = bench.call(0x13, { eax: 0x4b01, edx: 0xe0, esi: 0x600 });
    expect([status.carry, bench.read8(0x600), bench.read8(0x602), bench.read32(0x604)]).toEqual([
      false,
      0x13,
      0xe0,
      20,
    ]);
    bench.set(0x620, [8, 1, 0x00, 0x00, 0x00, 0x00, 0, 0]);
    bench.set(0x622, [0x00, 0x80, 0, 0]);
    const catalog = await bench.callAsync(0x13, { eax: 0x4d00, edx: 0xe0, esi: 0x620 });
    expect([catalog.carry, bench.read8(0x8000), bench.read8(0x8020)]).toEqual([false, 1, 0x88]);
  });

  it('loads to another segment and enters it there', async () => {
    const bench = new BiosBench({
      drives: [drive('cdrom', bootCd({ segment: 0x2000, count: 1 }, new Uint8Array(512).fill(5)))],
      quiet: true,
    });
    const result = await boot(bench);
    expect([result.cs, result.ip, bench.read8(0x20000)]).toEqual([0x2000, 0, 5]);
  });

  it('emulates a floppy, which moves the real one to B, until it is told to stop', async () => {
    const image = bootSector(1474560, 0xeb).data;
    image[18 * 512] = 0x77;
    const real = bootSector(737280, 0x11);
    const bench = new BiosBench({
      drives: [drive('floppy', real), drive('cdrom', bootCd({ media: 2, count: 1 }, image))],
      bootOrder: ['cdrom'],
      quiet: true,
    });
    const result = await boot(bench);
    expect([result.ip, result.edx]).toEqual([0x7c00, 0]);
    const parameters = bench.call(0x13, { eax: 0x0800 });
    expect([parameters.cx, parameters.dx]).toEqual([0x4f12, 0x0102]);
    await bench.callAsync(0x13, { eax: 0x0201, ecx: 0x0001, edx: 0x0100, es: 0x1000 });
    expect(bench.read8(0x10000)).toBe(0x77);
    await bench.callAsync(0x13, { eax: 0x0201, ecx: 0x0001, edx: 0x0001, es: 0x1000 });
    expect(bench.read8(0x10000)).toBe(0x11);
    expect(bench.call(0x13, { eax: 0x0301, ecx: 1 }).ah).toBe(3);
    bench.call(0x13, { eax: 0x4b00, esi: 0x600 });
    await bench.callAsync(0x13, { eax: 0x0201, ecx: 0x0001, edx: 0x0000, es: 0x1000 });
    expect(bench.read8(0x10000)).toBe(0x11);
  });

  it('emulates a hard disk with the geometry of its partition table', async () => {
    const image = bootSector(4 * 16 * 63 * 512, 0xeb).data;
    image.set([0x80, 1, 1, 0, 6, 15, 63, 3], 446);
    const bench = new BiosBench({
      drives: [drive('disk', bootSector(1 << 20, 0x22)), drive('cdrom', bootCd({ media: 4, count: 1 }, image))],
      bootOrder: ['cdrom'],
      quiet: true,
    });
    expect((await boot(bench)).edx).toBe(0x80);
    expect(bench.read8(BDA.DISK_COUNT)).toBe(2);
    expect(bench.call(0x13, { eax: 0x0800, edx: 0x80 }).cx).toBe(0x033f);
    await bench.callAsync(0x13, { eax: 0x0201, ecx: 1, edx: 0x81, es: 0x1000 });
    expect(bench.read8(0x10000)).toBe(0x22);
  });

  it('refuses images that would overwrite the BIOS or lie outside the CD', async () => {
    for (const entry of [{ segment: 0x9000, count: 0x200 }, { count: 0xffff }, { sector: 1_000_000 }]) {
      const bench = new BiosBench({ drives: [drive('cdrom', bootCd(entry, new Uint8Array(CD_SECTOR)))], quiet: true });
      expect((await boot(bench)).action).toBe(2);
    }
  });

  it('chooses the x86 entry of a catalogue with sections', () => {
    const catalog = new Uint8Array(8192);
    catalog.set(validation(0xef), 0);
    catalog.set(entryBytes({ sector: 100 }), 32);
    catalog.set([0x90, 0xef, 1, 0], 64);
    catalog.set(entryBytes({ sector: 200 }), 96);
    catalog.set([0x91, 0x00, 2, 0], 128);
    catalog.set(entryBytes({ bootable: 0, sector: 300 }), 160);
    catalog.set([0x44], 192);
    catalog.set(entryBytes({ sector: 400 }), 224);
    expect(chooseBootEntry(catalog)?.imageSector).toBe(400);
    catalog[129] = 0xef;
    expect(chooseBootEntry(catalog)).toBeUndefined();
    catalog.set(validation(0), 0);
    expect(chooseBootEntry(catalog)?.imageSector).toBe(100);
    catalog[5] = 1;
    expect(chooseBootEntry(catalog)).toBeUndefined();
    expect(chooseBootEntry(new Uint8Array(10))).toBeUndefined();
  });
});

describe('saved state', () => {
  it('keeps the emulated drive and the geometry of disks over save and load', async () => {
    const image = bootSector(1474560, 0xeb).data;
    const drives = [drive('disk', bootSector(1 << 20, 0x22)), drive('cdrom', bootCd({ media: 2, count: 1 }, image))];
    const bench = new BiosBench({ drives, bootOrder: ['cdrom'], quiet: true });
    await boot(bench);
    const state = bench.bios.device.save();
    const other = new BiosBench({ drives, quiet: true });
    other.bios.device.load(JSON.parse(JSON.stringify(state)) as typeof state);
    expect(other.call(0x13, { eax: 0x0800 }).cx).toBe(0x4f12);
    expect(other.bios.device.save()).toEqual(state);
  });

  it('restarts a request that was under way, and forgets it at reset', async () => {
    const bench = new BiosBench({ drives: [drive('disk', bootSector(1 << 20, 0x33))], quiet: true });
    const pending = bench.call(0x13, { eax: 0x0201, ecx: 1, edx: 0x80, es: 0x1000 });
    expect(pending.action).toBe(1);
    bench.bios.device.load(bench.bios.device.save());
    let result = await bench.again();
    while (result.action === 1) result = await bench.again();
    expect([result.carry, result.ax, bench.read8(0x10000)]).toEqual([false, 1, 0x33]);
  });

  it.each([
    [{ nextOptionRom: -1 }],
    [{ waitingForKey: 1 }],
    [{ diskGeometries: [{ cylinders: 0, heads: 1, sectors: 1 }] }],
    [{ emulation: { cylinders: 80, heads: 999, sectors: 18 } }],
    [{ bootedCd: { mediaType: 9 } }],
    [{ extra: 1 }],
  ])('refuses %j and changes nothing', (change) => {
    const bench = new BiosBench({ quiet: true });
    const state = bench.bios.device.save();
    expect(() => bench.bios.device.load({ version: 1, fields: { ...state.fields, ...change } })).toThrow(
      /Saved state of bios/,
    );
    expect(() => bench.bios.device.load({ ...state, version: 2 })).toThrow(/version/);
    expect(bench.bios.device.save()).toEqual(state);
  });
});
