import { describe, expect, it } from 'vitest';
import { AtapiCdrom } from './atapi-cdrom.ts';
import { IdeGuest } from './ide-testing.ts';
import { numberedDisk, TestDisk } from './storage-testing.ts';

const TEST_UNIT_READY = [0];
const REQUEST_SENSE = [3, 0, 0, 0, 18];
const EJECT = [0x1b, 0, 0, 0, 2];
const LOAD = [0x1b, 0, 0, 0, 3];

function drive(guest: IdeGuest): AtapiCdrom {
  const found = guest.drives[0];
  if (!(found instanceof AtapiCdrom)) throw new Error('no CD drive');
  return found;
}

async function sense(guest: IdeGuest): Promise<string> {
  const { data } = await guest.packetData(REQUEST_SENSE);
  return [data[2], data[12], data[13]].map((byte) => (byte ?? 0).toString(16).padStart(2, '0')).join(' ');
}

const sectorNumber = (data: readonly number[], at: number): number => ((data[at] ?? 0) | ((data[at + 1] ?? 0) << 8) | ((data[at + 2] ?? 0) << 16));

describe('ATA side', () => {
  it('shows the packet signature and identifies itself as a CD-ROM', async () => {
    const guest = new IdeGuest([{ cd: undefined }]);
    guest.control(4);
    guest.control(0);
    expect([guest.read(1), guest.read(2), guest.read(3), guest.read(4), guest.read(5), guest.read(7)]).toEqual([1, 1, 1, 0x14, 0xeb, 0]);
    guest.command28(0xec, 0, 0);
    expect([guest.read(7), guest.read(1), guest.read(4), guest.read(5)]).toEqual([0x51, 4, 0x14, 0xeb]);
    guest.write(7, 0xa1);
    expect(guest.irq.level).toBe(true);
    const { bytes } = await guest.readBlocks();
    expect([bytes[1], bytes[0]]).toEqual([0x85, 0xc0]);
    const model = Array.from({ length: 20 }, (_, i) => String.fromCharCode(bytes[55 + i * 2] ?? 0, bytes[54 + i * 2] ?? 0)).join('');
    expect(model.trim()).toBe('Nestbox CD-ROM');
    guest.write(7, 8); // device reset
    expect([guest.read(4), guest.read(5)]).toEqual([0x14, 0xeb]);
  });

  it('walks through the phases of a packet command', async () => {
    const guest = new IdeGuest([{ cd: numberedDisk(100, 2048) }]);
    guest.write(4, 0);
    guest.write(5, 8);
    guest.write(7, 0xa0);
    expect([guest.status & 0x88, guest.read(2)]).toEqual([8, 1]);
    expect(guest.irq.level).toBe(false);
    for (const word of [0x0025, 0, 0, 0, 0, 0]) guest.ports.write(0x1f0, 2, word);
    expect([guest.status & 0x88, guest.read(2), guest.read(4), guest.read(5)]).toEqual([8, 2, 8, 0]);
    expect(guest.irq.level).toBe(true);
    guest.read(7);
    const words = [0, 1, 2, 3].map(() => guest.ports.read(0x1f0, 2));
    expect(words).toEqual([0, 99 << 8, 0, 0x0008]);
    await guest.settle();
    expect([guest.status, guest.read(2)]).toEqual([0x50, 3]);
    expect(guest.irq.level).toBe(true);
  });
});

describe('reading', () => {
  it('reads sectors in pieces of the byte count limit', async () => {
    const disc = numberedDisk(1000, 2048);
    const guest = new IdeGuest([{ cd: disc }]);
    const { data, pieces, status } = await guest.packetData([0x28, 0, 0, 0, 0, 100, 0, 0, 3], { limit: 2048 });
    expect(pieces).toEqual([2048, 2048, 2048]);
    expect([0, 2048, 4096].map((at) => sectorNumber(data, at))).toEqual([100, 101, 102]);
    expect(status).toBe(0x50);
    const odd = await guest.packetData([0xa8, 0, 0, 0, 0, 5, 0, 0, 0, 2], { limit: 3001 });
    expect(odd.pieces).toEqual([3000, 1096]);
    expect(sectorNumber(odd.data, 2048)).toBe(6);
    expect(disc.operations.map((operation) => operation.length)).toEqual([6144, 4096]);
  });

  it('reads by DMA, in requests of at most 256 KiB', async () => {
    const disc = numberedDisk(1000, 2048);
    const guest = new IdeGuest([{ cd: disc }]);
    guest.table([[0x10000, 0], [0x20000, 0], [0x30000, 0], [0x40000, 0], [0x50000, 0x5000]]);
    guest.packet([0x28, 0, 0, 0, 0, 7, 0, 0, 138], { dma: true });
    guest.startBusMaster(true);
    await guest.settle();
    expect([0, 1, 137].map((index) => guest.memory.read32(0x10000 + index * 2048))).toEqual([7, 8, 144]);
    expect(disc.operations.map((operation) => operation.length)).toEqual([262_144, 20_480]);
    expect(guest.busMasterStatus & 7).toBe(4);
    expect([guest.read(2), guest.read(7)]).toEqual([3, 0x50]);
  });

  it('READ CD gives user data only', async () => {
    const guest = new IdeGuest([{ cd: numberedDisk(100, 2048) }]);
    const { data } = await guest.packetData([0xbe, 0, 0, 0, 0, 9, 0, 0, 1, 0x10]);
    expect([data.length, sectorNumber(data, 0)]).toEqual([2048, 9]);
    const bare = await guest.packetData([0xb9, 0, 0, 0, 2, 10, 0, 2, 12, 0x10]);
    expect([bare.data.length, sectorNumber(bare.data, 0)]).toEqual([4096, 10]);
    expect((await guest.packetData([0xbe, 0, 0, 0, 0, 9, 0, 0, 1, 0xf8])).status & 1).toBe(1);
    expect(await sense(guest)).toBe('05 24 00');
    expect((await guest.packetData([0xbe, 4, 0, 0, 0, 9, 0, 0, 1, 0x10])).status & 1).toBe(1);
    expect(await sense(guest)).toBe('05 64 00');
  });

  it('reports host errors as medium errors', async () => {
    const disc = numberedDisk(100, 2048);
    disc.failReads = true;
    const guest = new IdeGuest([{ cd: disc }]);
    const { status, error } = await guest.packetData([0x28, 0, 0, 0, 0, 0, 0, 0, 1]);
    expect([status & 1, error]).toEqual([1, 0x30]);
    expect(await sense(guest)).toBe('03 11 00');
    expect(await sense(guest)).toBe('00 00 00');
  });
});

describe('information commands', () => {
  it('inquiry, capacity, table of contents in all formats', async () => {
    const guest = new IdeGuest([{ cd: numberedDisk(500, 2048) }]);
    const inquiry = await guest.packetData([0x12, 0, 0, 0, 36]);
    expect([inquiry.data[0], inquiry.data[1], inquiry.data.length]).toEqual([5, 0x80, 36]);
    expect(String.fromCharCode(...inquiry.data.slice(8, 32))).toBe('NESTBOX Nestbox CD-ROM  ');
    expect((await guest.packetData([0x12, 0, 0, 0, 5])).data).toHaveLength(5);
    expect((await guest.packetData([0x25])).data).toEqual([0, 0, 1, 0xf3, 0, 0, 8, 0]);
    expect((await guest.packetData([0x43, 0, 0, 0, 0, 0, 0, 0, 100])).data).toEqual([
      0, 18, 1, 1, 0, 0x14, 1, 0, 0, 0, 0, 0, 0, 0x14, 0xaa, 0, 0, 0, 1, 0xf4,
    ]);
    const inMsf = (await guest.packetData([0x43, 2, 0, 0, 0, 0, 0xaa, 0, 100])).data;
    expect(inMsf).toEqual([0, 10, 1, 1, 0, 0x14, 0xaa, 0, 0, 0, 8, 50]);
    expect((await guest.packetData([0x43, 0, 1, 0, 0, 0, 0, 0, 100])).data).toEqual([0, 10, 1, 1, 0, 0x14, 1, 0, 0, 0, 0, 0]);
    expect((await guest.packetData([0x43, 0, 0, 0, 0, 0, 0, 0, 100, 0x40])).data).toHaveLength(12);
    const raw = (await guest.packetData([0x43, 2, 2, 0, 0, 0, 0, 0, 100])).data;
    expect(raw.slice(0, 4)).toEqual([0, 46, 1, 1]);
    expect([raw[7], raw[18], raw[29], raw[40]]).toEqual([0xa0, 0xa1, 0xa2, 1]);
    expect((await guest.packetData([0x43, 0, 0, 0, 0, 0, 2, 0, 100])).status & 1).toBe(1);
    expect(await sense(guest)).toBe('05 24 00');
  });

  it('mode pages, configuration, disc and track information, mechanism, subchannel', async () => {
    const guest = new IdeGuest([{ cd: numberedDisk(500, 2048) }]);
    const page = (await guest.packetData([0x5a, 0, 0x2a, 0, 0, 0, 0, 0, 128])).data;
    expect([page[1], page[2], page[8], page[9]]).toEqual([page.length - 2, 1, 0x2a, 18]);
    const all = (await guest.packetData([0x5a, 0, 0x3f, 0, 0, 0, 0, 0, 255])).data;
    expect([all[8], all[16], all[32]]).toEqual([1, 0x0e, 0x2a]);
    expect((await guest.packetData([0x5a, 0, 0x08, 0, 0, 0, 0, 0, 255])).status & 1).toBe(1);
    const configuration = (await guest.packetData([0x46, 0, 0, 0, 0, 0, 0, 2, 0])).data;
    expect([configuration[3], configuration[7]]).toEqual([configuration.length - 4, 8]);
    expect((await guest.packetData([0x46, 2, 0, 0x1e, 0, 0, 0, 2, 0])).data.slice(8, 11)).toEqual([0, 0x1e, 1]);
    const disc = (await guest.packetData([0x51, 0, 0, 0, 0, 0, 0, 0, 34])).data;
    expect([disc.length, disc[1], disc[2]]).toEqual([34, 32, 0x0e]);
    const track = (await guest.packetData([0x52, 1, 0, 0, 0, 1, 0, 0, 36])).data;
    expect(track.slice(24, 28)).toEqual([0, 0, 1, 0xf4]);
    expect((await guest.packetData([0xbd, 0, 0, 0, 0, 0, 0, 0, 0, 8])).data).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
    expect((await guest.packetData([0x42, 2, 0x40, 1, 0, 0, 0, 0, 16])).data).toHaveLength(16);
    expect((await guest.packetData([0xbb, 0, 0xff, 0xff])).status).toBe(0x50);
    expect((await guest.packetData([0x04])).status & 1).toBe(1);
    expect(await sense(guest)).toBe('05 20 00');
  });

  it('shows a disc larger than a CD as a DVD-ROM', async () => {
    const disc = new TestDisk(new Uint8Array(2048));
    Object.defineProperty(disc, 'sizeBytes', { value: 4_700_000_000 - (4_700_000_000 % 2048) });
    const guest = new IdeGuest([{ cd: disc }]);
    const configuration = (await guest.packetData([0x46, 0, 0, 0, 0, 0, 0, 2, 0])).data;
    expect(configuration[7]).toBe(0x10);
  });
});

describe('media', () => {
  it('reports no medium, then a change, then the disc', async () => {
    const guest = new IdeGuest([{ cd: undefined }]);
    expect((await guest.packetData(TEST_UNIT_READY)).error >> 4).toBe(2);
    expect(await sense(guest)).toBe('02 3a 01');
    drive(guest).insert(numberedDisk(50, 2048));
    expect((await guest.packetData([0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8])).data).toEqual([0, 6, 4, 0x10, 2, 2, 0, 0]);
    expect((await guest.packetData(TEST_UNIT_READY)).error >> 4).toBe(6);
    expect(await sense(guest)).toBe('06 28 00');
    expect((await guest.packetData(TEST_UNIT_READY)).status).toBe(0x50);
    expect((await guest.packetData([0x25])).data[3]).toBe(49);
    expect((await guest.packetData([0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8])).data[4]).toBe(0);
    const removed = await drive(guest).eject();
    expect(removed?.sizeBytes).toBe(50 * 2048);
    expect((await guest.packetData([0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8])).data.slice(4, 6)).toEqual([3, 0]);
    expect((await guest.packetData([0x28, 0, 0, 0, 0, 0, 0, 0, 1])).error >> 4).toBe(2);
  });

  it('the guest locks, ejects and loads the tray', async () => {
    const guest = new IdeGuest([{ cd: numberedDisk(50, 2048) }]);
    const trays: boolean[] = [];
    drive(guest).onTrayChange((open) => trays.push(open));
    await guest.packetData([0x1e, 0, 0, 0, 1]);
    expect(drive(guest).isLocked).toBe(true);
    expect((await guest.packetData(EJECT)).status & 1).toBe(1);
    expect(await sense(guest)).toBe('05 53 02');
    await guest.packetData([0x1e, 0, 0, 0, 0]);
    expect((await guest.packetData(EJECT)).status).toBe(0x50);
    expect((await guest.packetData(TEST_UNIT_READY)).status & 1).toBe(1);
    expect(await sense(guest)).toBe('02 3a 02');
    await guest.packetData(LOAD);
    expect((await guest.packetData(TEST_UNIT_READY)).error >> 4).toBe(6);
    expect((await guest.packetData(TEST_UNIT_READY)).status).toBe(0x50);
    expect(trays).toEqual([true, false]);
  });

  it('an ejected disc ends the read under way', async () => {
    const disc = numberedDisk(50, 2048);
    const guest = new IdeGuest([{ cd: disc }]);
    const release = disc.hold();
    guest.packet([0x28, 0, 0, 0, 0, 0, 0, 0, 10]);
    const ejected = drive(guest).eject();
    expect(guest.read(7)).toBe(0x51);
    release();
    expect(await ejected).toBe(disc);
    await guest.io.settle(true);
    expect(guest.status).toBe(0x51);
  });
});

describe('threats', () => {
  it('G8: addresses beyond the end give sense 05/21/00 and never reach the host', async () => {
    const disc = numberedDisk(100, 2048);
    const guest = new IdeGuest([{ cd: disc }]);
    for (const command of [
      [0x28, 0, 0, 0, 0, 100, 0, 0, 1], [0x28, 0, 0, 0, 0, 99, 0, 0, 2], [0x28, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 1],
      [0xa8, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff], [0xa8, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
      [0xbe, 0, 0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0x10], [0x2b, 0, 0, 0, 0, 100],
    ]) {
      const { status, data } = await guest.packetData(command);
      expect(status & 1).toBe(1);
      expect(data).toEqual([]);
      expect(await sense(guest)).toBe('05 21 00');
    }
    expect(disc.operations).toEqual([]);
    expect((await guest.packetData([0x28, 0, 0, 0, 0, 0, 0, 0, 0])).status).toBe(0x50);
  });

  it('CVE-2020-29443: reads of the data port beyond the answer give ones, not memory', async () => {
    const guest = new IdeGuest([{ cd: numberedDisk(100, 2048) }]);
    guest.packet([0x12, 0, 0, 0, 5], { limit: 1 });
    for (let piece = 0; piece < 3; piece++) {
      expect(guest.read(4)).toBe(piece < 2 ? 2 : 1);
      for (let i = 0; i < 20_000; i++) guest.ports.read(0x1f0, 4);
      await guest.settle();
    }
    expect(guest.ports.read(0x1f0, 4)).toBe(0xffffffff);
    guest.write(7, 8);
    expect((await guest.packetData(TEST_UNIT_READY)).status).toBe(0x50);
  });

  it('G6: a device reset drops the read that is under way', async () => {
    const disc = numberedDisk(100, 2048);
    const guest = new IdeGuest([{ cd: disc }]);
    guest.packet([0x28, 0, 0, 0, 0, 0, 0, 0, 10]);
    guest.write(7, 8);
    const rises = guest.irq.rises;
    await guest.io.settle(true);
    await guest.settle();
    expect(guest.irq.rises).toBe(rises);
    expect(guest.status).toBe(0);
  });
});
