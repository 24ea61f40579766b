import { describe, expect, it } from 'vitest';
import { IdeGuest } from './ide-testing.ts';
import { numberedDisk, TestDisk } from './storage-testing.ts';

const word = (bytes: Uint8Array, index: number): number => (bytes[index * 2] ?? 0) | ((bytes[index * 2 + 1] ?? 0) << 8);
const text = (bytes: Uint8Array, first: number, words: number): string => {
  let result = '';
  for (let i = 0; i < words; i++) result += String.fromCharCode(word(bytes, first + i) >> 8, word(bytes, first + i) & 0xff);
  return result.trim();
};
const numbers = (bytes: Uint8Array): number[] => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: bytes.length / 512 }, (_, sector) => view.getUint32(sector * 512, true));
};
const range = (first: number, count: number): number[] => Array.from({ length: count }, (_, index) => first + index);

describe('identification', () => {
  it('describes itself', async () => {
    const guest = new IdeGuest([numberedDisk(204_800)]);
    guest.command28(0xec, 0, 0);
    const { bytes } = await guest.readBlocks();
    expect(guest.irq.rises).toBe(1);
    expect(bytes).toHaveLength(512);
    expect(text(bytes, 27, 20)).toBe('Nestbox Hard Disk');
    expect([word(bytes, 1), word(bytes, 3), word(bytes, 6)]).toEqual([203, 16, 63]);
    expect(word(bytes, 60) + word(bytes, 61) * 65536).toBe(204_800);
    expect(word(bytes, 100) + word(bytes, 101) * 65536).toBe(204_800);
    expect(word(bytes, 83) & 0x0400).toBe(0x0400);
    expect(word(bytes, 88)).toBe(0x203f); // UDMA 0-5, 5 selected
    expect(bytes.reduce((sum, byte) => sum + byte, 0) & 0xff).toBe(0);
    expect(guest.read(7)).toBe(0x50);
  });

  it('shows its signature after reset, and no slave', () => {
    const guest = new IdeGuest([numberedDisk(100)]);
    guest.control(4);
    expect(guest.status).toBe(0x80);
    guest.control(0);
    expect([1, 2, 3, 4, 5, 7].map((register) => guest.read(register))).toEqual([1, 1, 1, 0, 0, 0x50]);
    guest.write(6, 0xb0);
    expect(guest.read(7)).toBe(0);
    expect(guest.status).toBe(0);
    guest.write(7, 0xec);
    expect(guest.read(7)).toBe(0);
    guest.write(7, 0x90);
    expect(guest.read(6) & 0x10).toBe(0);
    expect(guest.read(1)).toBe(1);
    expect(guest.irq.rises).toBe(1);
  });

  it('an empty channel reads zero', () => {
    const guest = new IdeGuest([undefined, undefined]);
    for (let register = 1; register < 8; register++) {
      guest.write(register, 0xa5);
      expect(guest.read(register)).toBe(0);
    }
    expect(guest.ports.read(0x1f0, 2)).toBe(0);
  });
});

describe('PIO', () => {
  it('reads sectors one interrupt each, with LBA, CHS and 48-bit addresses', async () => {
    const guest = new IdeGuest([numberedDisk(70_000)]);
    guest.command28(0x20, 1000, 3);
    const first = await guest.readBlocks();
    expect(numbers(first.bytes)).toEqual(range(1000, 3));
    expect(first.interrupts).toBe(3);
    expect([guest.read(2), guest.read(3), guest.read(4)]).toEqual([0, 1002 & 0xff, 1002 >> 8]);
    guest.command48(0x24, 66_000, 2);
    expect(numbers((await guest.readBlocks(true)).bytes)).toEqual([66_000, 66_001]);
    // Cylinder 2, head 3, sector 4 of 16 x 63.
    guest.write(2, 1);
    guest.write(3, 4);
    guest.write(4, 2);
    guest.write(5, 0);
    guest.write(6, 0xa3);
    guest.write(7, 0x20);
    expect(numbers((await guest.readBlocks()).bytes)).toEqual([(2 * 16 + 3) * 63 + 3]);
    // Another translation.
    guest.write(2, 32);
    guest.write(6, 0xa7);
    guest.write(7, 0x91);
    guest.write(2, 1);
    guest.write(3, 4);
    guest.write(4, 2);
    guest.write(6, 0xa3);
    guest.write(7, 0x20);
    expect(numbers((await guest.readBlocks()).bytes)).toEqual([(2 * 8 + 3) * 32 + 3]);
  });

  it('reads 256 sectors for count 0 in one request to the medium, and multiple blocks with fewer interrupts', async () => {
    const disk = numberedDisk(70_000);
    const guest = new IdeGuest([disk]);
    guest.command28(0x20, 5, 0);
    const all = await guest.readBlocks(true);
    expect(numbers(all.bytes)).toEqual(range(5, 256));
    expect(disk.operations).toEqual([{ kind: 'read', offset: 5 * 512, length: 256 * 512 }]);
    guest.command28(0xc6, 0, 8);
    guest.command28(0xc4, 100, 20);
    const multiple = await guest.readBlocks();
    expect(numbers(multiple.bytes)).toEqual(range(100, 20));
    expect(multiple.interrupts).toBe(3);
    guest.command28(0xc6, 0, 3);
    expect(guest.read(7)).toBe(0x51);
    guest.command28(0xc6, 0, 0);
    guest.command28(0xc4, 100, 20);
    expect([guest.read(7), guest.read(1)]).toEqual([0x51, 0x04]);
  });

  it('reads 65,536 sectors for a 48-bit count of 0, in pieces of at most 256 KiB', async () => {
    const disk = new TestDisk(65_536 * 512);
    const guest = new IdeGuest([disk]);
    guest.table(Array.from({ length: 512 }, (_, entry) => [0x10000 + (entry & 7) * 0x10000, 0] as const));
    guest.command48(0x25, 0, 0);
    guest.startBusMaster(true);
    await guest.settle();
    expect(guest.read(7)).toBe(0x50);
    expect(disk.operations.map((operation) => operation.offset)).toEqual(range(0, 128).map((chunk) => chunk * 262_144));
    expect(new Set(disk.operations.map((operation) => operation.length))).toEqual(new Set([262_144]));
    expect(guest.busMasterStatus & 7).toBe(4);
  });

  it('writes sectors: first block without interrupt, data on the medium', async () => {
    const disk = new TestDisk(2000 * 512);
    const guest = new IdeGuest([disk]);
    const data = Uint8Array.from({ length: 3 * 512 }, (_, index) => (index * 7) & 0xff);
    guest.command28(0x30, 1500, 3);
    expect(guest.irq.rises).toBe(0);
    expect(guest.status).toBe(0x58);
    expect(await guest.writeBlocks(data)).toBe(3);
    expect(disk.data.subarray(1500 * 512, 1503 * 512)).toEqual(data);
    expect(disk.operations).toEqual([{ kind: 'write', offset: 1500 * 512, length: 1536 }]);
    const large = Uint8Array.from({ length: 600 * 512 }, (_, index) => (index >> 3) & 0xff);
    guest.command48(0x39, 10, 600);
    expect(await guest.writeBlocks(large, true)).toBe(38);
    expect(disk.data.subarray(10 * 512, 610 * 512)).toEqual(large);
    expect(guest.read(7)).toBe(0x50);
  });

  it('reports host errors: uncorrectable read with the sector, aborted write', async () => {
    const disk = numberedDisk(1000);
    const guest = new IdeGuest([disk]);
    disk.failReads = true;
    guest.command28(0x20, 77, 1);
    await guest.settle();
    expect([guest.read(7), guest.read(1), guest.read(3)]).toEqual([0x51, 0x40, 77]);
    disk.failReads = false;
    disk.failWrites = true;
    guest.command28(0x30, 77, 1);
    await guest.writeBlocks(new Uint8Array(512));
    expect([guest.read(7), guest.read(1)]).toEqual([0x51, 0x04]);
    guest.command28(0xe7, 0, 0);
    await guest.settle();
    expect(guest.read(7)).toBe(0x51);
  });

  it('refuses to write a read-only medium', () => {
    const disk = numberedDisk(1000, 512, true);
    const guest = new IdeGuest([disk]);
    guest.command28(0x30, 0, 1);
    expect([guest.read(7), guest.read(1)]).toEqual([0x51, 0x04]);
    expect(disk.operations).toEqual([]);
  });
});

describe('bus master DMA', () => {
  it('reads into scattered memory and interrupts once', async () => {
    const guest = new IdeGuest([numberedDisk(4000)]);
    guest.table([[0x4000, 512], [0x9000, 1024]]);
    guest.command28(0xc8, 200, 3);
    expect(guest.irq.rises).toBe(0);
    guest.startBusMaster(true);
    expect(guest.busMasterStatus & 1).toBe(1);
    await guest.settle();
    expect(guest.irq.rises).toBe(1);
    expect([0x4000, 0x9000, 0x9200].map((at) => guest.memory.read32(at))).toEqual([200, 201, 202]);
    expect(guest.busMasterStatus & 7).toBe(4);
    guest.ports.write(0xc002, 1, 4);
    expect(guest.busMasterStatus & 4).toBe(0);
    guest.stopBusMaster();
    expect(guest.read(7)).toBe(0x50);
  });

  it('writes, flushes for FUA, and keeps 64 KiB entries for a length of 0', async () => {
    const disk = new TestDisk(4000 * 512);
    const guest = new IdeGuest([disk]);
    for (let i = 0; i < 0x10000; i++) guest.memory.bytes[0x20000 + i] = (i * 13) & 0xff;
    guest.table([[0x20000, 0]]);
    guest.startBusMaster(false);
    guest.command48(0x3d, 1000, 128);
    await guest.settle();
    expect(disk.data.subarray(1000 * 512, 1128 * 512)).toEqual(guest.memory.bytes.subarray(0x20000, 0x30000));
    expect(disk.operations.map((operation) => operation.kind)).toEqual(['write', 'flush']);
    expect(guest.irq.level).toBe(true);
    expect(guest.busMasterStatus & 7).toBe(4);
  });

  it('stays active when the table has room left, and stops silently when it is too short', async () => {
    const guest = new IdeGuest([numberedDisk(4000)]);
    guest.table([[0x4000, 4096]]);
    guest.command28(0xc8, 0, 2);
    guest.startBusMaster(true);
    await guest.settle();
    expect(guest.busMasterStatus & 7).toBe(5);
    guest.stopBusMaster();
    guest.read(7);
    const rises = guest.irq.rises;
    guest.table([[0x4000, 512]]);
    guest.command28(0xc8, 0, 2);
    guest.startBusMaster(true);
    await guest.settle();
    expect(guest.busMasterStatus & 7).toBe(0);
    expect(guest.irq.rises).toBe(rises);
    guest.command28(0xc8, 9, 1);
    guest.stopBusMaster();
    guest.startBusMaster(true);
    await guest.settle();
    expect(guest.memory.read32(0x4000)).toBe(9);
  });

  it('does not move data while the function may not master the bus', async () => {
    const guest = new IdeGuest([numberedDisk(4000)]);
    guest.ide.writeConfig(4, 2, 1);
    guest.table([[0x4000, 512]]);
    guest.command28(0xc8, 7, 1);
    guest.startBusMaster(true);
    await guest.settle();
    expect(guest.memory.read32(0x4000)).toBe(0);
  });

  it('trims ranges inside the disk only', async () => {
    const disk = numberedDisk(4000);
    const guest = new IdeGuest([disk]);
    guest.memory.write32(0x4000, 100);
    guest.memory.write32(0x4004, 50 << 16);
    guest.memory.write32(0x4008, 3990);
    guest.memory.write32(0x400c, 10 << 16);
    guest.table([[0x4000, 512]]);
    guest.write(1, 1);
    guest.command48(0x06, 0, 1);
    guest.startBusMaster(true);
    await guest.settle();
    expect(disk.operations).toEqual([
      { kind: 'discard', offset: 51_200, length: 25_600 }, { kind: 'discard', offset: 3990 * 512, length: 5120 },
    ]);
    expect(guest.read(7)).toBe(0x50);
    guest.stopBusMaster();
    guest.memory.write32(0x4008, 3991);
    guest.write(1, 1);
    guest.command48(0x06, 0, 1);
    guest.startBusMaster(true);
    await guest.settle();
    expect([guest.read(7), guest.read(1)]).toEqual([0x51, 0x10]);
    expect(disk.operations).toHaveLength(2);
  });
});

describe('other commands', () => {
  it.each([
    ['recalibrate', 0x17, 0x50], ['seek', 0x70, 0x50], ['idle', 0xe3, 0x50], ['standby immediate (old)', 0x94, 0x50], ['sleep', 0xe6, 0x50],
    ['nop', 0x00, 0x51], ['device reset', 0x08, 0x51], ['packet', 0xa0, 0x51], ['identify packet', 0xa1, 0x51], ['security freeze', 0xf5, 0x51],
    ['undefined', 0xff, 0x51],
  ] as const)('%s', (_name, code, status) => {
    const guest = new IdeGuest([numberedDisk(1000)]);
    guest.command28(code, 0, 0);
    expect(guest.irq.rises).toBe(1);
    expect(guest.read(7)).toBe(status);
    expect(guest.irq.level).toBe(false);
  });

  it('native maximum, power mode, verify', async () => {
    const guest = new IdeGuest([numberedDisk(70_000)]);
    guest.command28(0xf8, 0, 0);
    expect([guest.read(3), guest.read(4), guest.read(5)]).toEqual([69_999 & 0xff, (69_999 >> 8) & 0xff, 1]);
    guest.command48(0x27, 0, 0);
    guest.control(0x80);
    expect([guest.read(3), guest.read(4)]).toEqual([0, 0]);
    guest.control(0);
    expect(guest.read(5)).toBe(1);
    guest.command28(0xe5, 0, 0);
    expect(guest.read(2)).toBe(0xff);
    guest.command28(0x40, 69_999, 1);
    expect(guest.read(7)).toBe(0x50);
    guest.command28(0x40, 69_999, 2);
    expect([guest.read(7), guest.read(1)]).toEqual([0x51, 0x10]);
  });

  it('features: modes, caches; a flush reaches the medium', async () => {
    const disk = numberedDisk(1000);
    const guest = new IdeGuest([disk]);
    guest.write(1, 3);
    guest.command28(0xef, 0, 0x42);
    expect(guest.read(7)).toBe(0x50);
    guest.write(1, 3);
    guest.command28(0xef, 0, 0x46);
    expect(guest.read(7)).toBe(0x51);
    guest.write(1, 0x82);
    guest.command28(0xef, 0, 0);
    await guest.settle();
    expect(disk.operations).toEqual([{ kind: 'flush', offset: 0, length: 0 }]);
    guest.command28(0xec, 0, 0);
    const { bytes } = await guest.readBlocks();
    expect(word(bytes, 88)).toBe(0x043f);
    expect(word(bytes, 85) & 0x20).toBe(0);
    guest.command28(0x30, 3, 1);
    await guest.writeBlocks(new Uint8Array(512));
    expect(disk.operations.slice(1).map((operation) => operation.kind)).toEqual(['write', 'flush']);
  });

  it('SMART says healthy', async () => {
    const guest = new IdeGuest([numberedDisk(1000)]);
    guest.write(1, 0xda);
    guest.command28(0xb0, 0xc24f00, 0);
    expect([guest.read(7), guest.read(4), guest.read(5)]).toEqual([0x50, 0x4f, 0xc2]);
    guest.write(1, 0xd0);
    guest.command28(0xb0, 0xc24f00, 0);
    const { bytes } = await guest.readBlocks();
    expect(bytes.reduce((sum, byte) => sum + byte, 0) & 0xff).toBe(0);
    guest.write(1, 0xd0);
    guest.command28(0xb0, 0, 0);
    expect(guest.read(7)).toBe(0x51);
  });

  it('masks the interrupt with nIEN and shows it when allowed again', () => {
    const guest = new IdeGuest([numberedDisk(1000)]);
    guest.control(2);
    guest.command28(0x10, 0, 0);
    expect(guest.irq.level).toBe(false);
    guest.control(0);
    expect(guest.irq.level).toBe(true);
    expect(guest.status).toBe(0x50);
    expect(guest.irq.level).toBe(true);
    guest.read(7);
    expect(guest.irq.level).toBe(false);
  });

  it('master and slave have registers and interrupts of their own', async () => {
    const guest = new IdeGuest([numberedDisk(1000), new TestDisk(500 * 512)]);
    guest.command28(0xf8, 0, 0, true);
    expect(guest.read(3)).toBe(499 & 0xff);
    expect(guest.read(7)).toBe(0x50);
    guest.command28(0x20, 10, 1, false);
    await guest.settle();
    expect(guest.irq.level).toBe(true);
    guest.write(6, 0xf0);
    expect(guest.irq.level).toBe(false);
    guest.write(6, 0xe0);
    expect(guest.irq.level).toBe(true);
    expect(numbers((await guest.readBlocks()).bytes)).toEqual([10]);
  });
});

describe('threats', () => {
  it('G8: addresses beyond the end never reach the host', () => {
    const disk = numberedDisk(1000);
    const guest = new IdeGuest([disk]);
    const expectNotFound = () => {
      expect([guest.read(7), guest.read(1)]).toEqual([0x51, 0x10]);
      expect(disk.operations).toEqual([]);
    };
    for (const code of [0x20, 0x30, 0xc4, 0xc5, 0xc8, 0xca, 0x40]) {
      guest.command28(code, 1000, 1);
      expectNotFound();
      guest.command28(code, 999, 2);
      expectNotFound();
      guest.command28(code, 745, 0);
      expectNotFound();
      guest.command28(code, 0x0fff_ffff, 1);
      expectNotFound();
    }
    for (const code of [0x24, 0x25, 0x34, 0x35, 0x3d, 0x42]) {
      guest.command48(code, 2 ** 48 - 1, 0);
      expectNotFound();
      guest.command48(code, 0, 0);
      expectNotFound();
      guest.command48(code, 2 ** 32, 1);
      expectNotFound();
    }
    guest.write(6, 0xa0); // CHS sector 0
    guest.write(2, 1);
    guest.write(3, 0);
    guest.write(4, 0);
    guest.write(5, 0);
    guest.write(7, 0x20);
    expectNotFound();
  });

  it('G6: reset with DMA pending: the abandoned write stays on its sector and its completion changes nothing', async () => {
    const disk = numberedDisk(1000);
    const before = disk.data.slice();
    const guest = new IdeGuest([disk]);
    guest.memory.bytes.fill(0xee, 0x4000, 0x4200);
    guest.table([[0x4000, 512]]);
    const release = disk.hold();
    guest.command28(0xca, 500, 1);
    guest.startBusMaster(false);
    await Promise.resolve();
    await Promise.resolve();
    expect(disk.operations).toHaveLength(1);
    guest.control(4);
    guest.control(0);
    guest.stopBusMaster();
    expect(guest.status).toBe(0x50);
    // The next command has another address and other data; the registers of the old one must not matter.
    guest.memory.bytes.fill(0x11, 0x4000, 0x4200);
    guest.command28(0xca, 0, 1);
    guest.startBusMaster(false);
    release();
    await guest.io.settle(true);
    await guest.settle();
    expect(guest.irq.rises).toBe(1);
    expect(guest.read(7)).toBe(0x50);
    disk.data.forEach((byte, index) => {
      const sector = index >> 9;
      if (sector === 500) expect([0xee, before[index]]).toContain(byte);
      else if (sector === 0) expect(byte).toBe(0x11);
      else if (byte !== before[index]) throw new Error(`sector ${sector} was changed`);
    });
  });

  it('G6: a write that was abandoned before it started is never done', async () => {
    const disk = numberedDisk(1000);
    const before = disk.data.slice();
    const guest = new IdeGuest([disk]);
    guest.table([[0x4000, 512]]);
    guest.command28(0xca, 500, 1);
    guest.startBusMaster(false);
    guest.control(4);
    guest.control(0);
    await guest.io.settle(true);
    await guest.settle();
    expect(disk.data).toEqual(before);
    expect(guest.irq.rises).toBe(0);
  });

  it('G6: a reset in the middle of a PIO write and register writes while busy', async () => {
    const disk = numberedDisk(1000);
    const before = disk.data.slice();
    const guest = new IdeGuest([disk]);
    guest.command28(0x30, 300, 4);
    for (let i = 0; i < 300; i++) guest.ports.write(0x1f0, 2, 0xdead);
    guest.control(4);
    guest.control(0);
    for (let i = 0; i < 3000; i++) guest.ports.write(0x1f0, 2, 0xdead);
    await guest.settle();
    expect(disk.data).toEqual(before);
    guest.command28(0x20, 5, 1);
    guest.write(3, 99);
    guest.write(7, 0x30);
    expect(numbers((await guest.readBlocks()).bytes)).toEqual([5]);
  });

  it('G7: endless and enormous descriptor tables are cut to the command', async () => {
    const guest = new IdeGuest([numberedDisk(1000)]);
    // All of memory is a table without an end mark, each entry 64 KiB long at address 0.
    guest.memory.bytes.fill(0);
    guest.ports.write(0xc004, 4, 0x1000);
    guest.command28(0xc8, 3, 2);
    guest.startBusMaster(true);
    await guest.settle();
    expect(guest.memory.read32(0)).toBe(3);
    expect(guest.memory.read32(512)).toBe(4);
    expect(guest.memory.bytes.subarray(1024, 4096).every((byte) => byte === 0)).toBe(true);
    expect(guest.read(7)).toBe(0x50);
    // Entries of two bytes: the table's 64 KiB end before 64 sectors are there.
    guest.stopBusMaster();
    for (let entry = 0; entry < 0x20000; entry += 8) {
      guest.memory.write32(0x40000 + entry, 0x4000);
      guest.memory.write32(0x40000 + entry + 4, 2);
    }
    guest.ports.write(0xc004, 4, 0x40000);
    guest.command28(0xc8, 0, 64);
    guest.startBusMaster(true);
    await guest.settle();
    expect(guest.busMasterStatus & 1).toBe(0);
    expect(guest.status & 0x88).toBe(0);
  });
});
