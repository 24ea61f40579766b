import { describe, expect, it } from 'vitest';
import { nullLogger } from '../../base/logger.ts';
import { PortBus } from '../../bus/port-bus.ts';
import { TestClock, TestLine } from '../platform/testing.ts';
import { AtaDisk } from './ata-disk.ts';
import { AtapiCdrom } from './atapi-cdrom.ts';
import { IdeChannel } from './ide-channel.ts';
import { IdeGuest } from './ide-testing.ts';
import { damageState, numberedDisk, randomStream, TestIo } from './storage-testing.ts';

const ATA_COMMANDS = [
  0x20, 0x24, 0x25, 0x29, 0x30, 0x34, 0x35, 0x39, 0x3d, 0x40, 0x70, 0x90, 0x91, 0xa0, 0xa1, 0xb0, 0xc4, 0xc5, 0xc6, 0xc8, 0xca, 0xe5, 0xe7,
  0xec, 0xef, 0xf8, 0x06, 0x08, 0xa0, 0xa0, 0xa0, 0xa0,
];
const PACKETS = [0, 3, 0x12, 0x1b, 0x1e, 0x25, 0x28, 0x28, 0x28, 0x42, 0x43, 0x46, 0x4a, 0x51, 0x52, 0x5a, 0xa8, 0xbd, 0xbe];

function randomStep(guest: IdeGuest, random: (limit: number) => number): void {
  switch (random(12)) {
    case 0: return guest.write(7, random(8) ? (ATA_COMMANDS[random(ATA_COMMANDS.length)] ?? 0) : random(256));
    case 1: return guest.write(6, (random(2) ? 0xe0 : 0xf0) | (random(4) ? 0 : random(16)));
    case 2: return guest.write(2 + random(4), random(3) ? random(6) : random(256));
    case 3: return guest.write(1, random(256));
    case 4: return guest.control(random(5) ? 0 : random(256));
    case 5:
    case 6: {
      for (let count = random(300); count > 0; count--) guest.ports.write(0x1f0, random(2) ? 2 : 4, random(3) ? random(0x1_0000_0000) : (PACKETS[random(PACKETS.length)] ?? 0));
      return;
    }
    case 7: {
      for (let count = random(300); count > 0; count--) guest.ports.read(0x1f0, random(2) ? 2 : 4);
      return;
    }
    case 8: {
      guest.packet([PACKETS[random(PACKETS.length)] ?? 0, random(4), random(64), 0, random(2) * 0x10, random(200), 0, random(2), random(256), random(4) * 16], {
        slave: true, dma: random(3) === 0, limit: random(0x10000),
      });
      return;
    }
    case 9: return void guest.ports.write(0xc000 + random(16), 1, random(2) ? random(16) : random(256));
    case 10: return guest.clock.advance(random(20_000));
    default: {
      guest.read(random(8));
      guest.ports.read(0x1f0 + random(8), 4);
      guest.ports.write(0x1f0 + random(8), 4, random(0x1_0000_0000));
    }
  }
}

const makeGuest = () => new IdeGuest([numberedDisk(1200), { cd: numberedDisk(200, 2048) }]);

describe('saved state', () => {
  it.each([1, 2, 3, 4])('survives random accesses (seed %i): no throw, saves load and save again the same, reset restores', async (seed) => {
    const guest = makeGuest();
    const pristine = (() => {
      const fresh = makeGuest();
      fresh.ide.reset('power');
      return fresh.ide.save();
    })();
    const random = randomStream(seed);
    for (let step = 0; step < 2000; step++) {
      randomStep(guest, random);
      if (random(6) === 0) await guest.io.settle();
      if (step % 100 !== 0) continue;
      const saved = guest.ide.save();
      const other = makeGuest();
      other.ide.load(saved);
      expect(other.ide.save()).toEqual(saved);
      expect(other.irq.level).toBe(guest.irq.level);
      other.ide.dispose();
    }
    await guest.io.settle();
    guest.ide.reset('power');
    expect(guest.ide.save()).toEqual(pristine);
  });

  it('goes on with a PIO read, a DMA write and a CD read where they were', async () => {
    const first = makeGuest();
    first.command28(0x20, 40, 3);
    await first.settle();
    for (let i = 0; i < 200; i++) first.ports.read(0x1f0, 2);
    const second = makeGuest();
    second.ide.load(first.ide.save());
    expect(second.irq.level).toBe(first.irq.level);
    const rest = await second.readBlocks();
    expect(rest.bytes).toHaveLength(3 * 512 - 400);
    expect(new DataView(rest.bytes.buffer).getUint32(rest.bytes.length - 4, true)).toBe(42);

    const disk = numberedDisk(4000);
    const writer = new IdeGuest([disk]);
    writer.memory.bytes.fill(0x5a, 0x4000, 0x4400);
    writer.table([[0x4000, 1024]]);
    writer.command28(0xca, 100, 2);
    writer.startBusMaster(false);
    const saved = writer.ide.save(); // the data has left guest memory, the host has not begun
    const target = numberedDisk(4000);
    const restored = new IdeGuest([target]);
    restored.ide.load(saved);
    await restored.settle();
    expect(target.data.subarray(100 * 512, 102 * 512).every((byte) => byte === 0x5a)).toBe(true);
    expect(restored.irq.level).toBe(true);

    const reader = makeGuest();
    reader.packet([0x28, 0, 0, 0, 0, 9, 0, 0, 2], { slave: true });
    const again = makeGuest();
    again.ide.load(reader.ide.save());
    await again.settle();
    expect(again.ports.read(0x1f0, 4)).toBe(9);
  });

  it('refuses states that no controller can be in, and stays as it was', async () => {
    const guest = makeGuest();
    guest.command28(0x20, 40, 3);
    await guest.settle();
    const good = guest.ide.save();
    type Tree = Record<string, unknown>;
    const disk = (fields: Tree): Tree => ((fields['channels'] as Tree[])[0]?.['drives'] as Tree[])[0] as Tree;
    const cd = (fields: Tree): Tree => ((fields['channels'] as Tree[])[0]?.['drives'] as Tree[])[1] as Tree;
    const changes: ((fields: Tree) => void)[] = [
      (fields) => { (disk(fields)['base'] as Tree)['position'] = 4096; },
      (fields) => { (disk(fields)['base'] as Tree)['end'] = 300_000; },
      (fields) => { (disk(fields)['base'] as Tree)['position'] = 1; },
      (fields) => { (disk(fields)['base'] as Tree)['phase'] = 'idle'; },
      (fields) => { (disk(fields)['base'] as Tree)['phase'] = 'pio-out'; },
      (fields) => { (disk(fields)['base'] as Tree)['buffer'] = new Uint8Array(0); },
      (fields) => { (disk(fields)['transfer'] as Tree)['lba'] = 1199; },
      (fields) => { (disk(fields)['transfer'] as Tree)['remaining'] = 0; },
      (fields) => { (disk(fields)['transfer'] as Tree)['moved'] = 3; },
      (fields) => { (disk(fields)['transfer'] as Tree)['kind'] = 'verify'; },
      (fields) => { disk(fields)['heads'] = 0; },
      (fields) => { disk(fields)['kind'] = 'cdrom'; },
      (fields) => { (cd(fields)['transport'] as Tree)['activity'] = 'reply'; },
      (fields) => { (cd(fields)['transport'] as Tree)['packet'] = new Uint8Array(11); },
      (fields) => { ((fields['channels'] as Tree[])[0] as Tree)['drives'] = [null, null]; },
      (fields) => { ((fields['channels'] as Tree[])[1] as Tree)['drives'] = [disk(fields), null]; },
      (fields) => { (fields['busMasters'] as Tree[])[0] = {}; },
      (fields) => { (fields['config'] as Uint8Array)[0] = 0; },
    ];
    changes.forEach((change, index) => {
      const bad = structuredClone(good);
      change(bad.fields);
      expect(() => guest.ide.load(bad), `change ${index}`).toThrow(/Saved state of ide/);
      expect(guest.ide.save()).toEqual(good);
    });
  });
});

it('I19: damaged states are refused, or the controller works on without throwing', async () => {
  const random = randomStream(19);
  const source = makeGuest();
  const target = makeGuest();
  let accepted = 0;
  for (let round = 0; round < 600; round++) {
    for (let step = 0; step < 6; step++) randomStep(source, random);
    if (random(3) === 0) await source.io.settle();
    const state = structuredClone(source.ide.save());
    for (let count = 1 + random(3); count > 0; count--) damageState(state.fields, random);
    const before = target.ide.save();
    try {
      target.ide.load(state);
      accepted++;
    } catch (error) {
      expect(String(error)).toMatch(/Saved state of ide/);
      expect(target.ide.save()).toEqual(before);
      continue;
    }
    for (let step = 0; step < 10; step++) randomStep(target, random);
    await target.io.settle();
    target.clock.advance(1e6);
  }
  expect(accepted).toBeGreaterThan(50);
  expect(accepted).toBeLessThan(550);
});

it('a channel works without PCI', async () => {
  const clock = new TestClock();
  const io = new TestIo();
  const irq = new TestLine();
  const options = { clock, io, log: nullLogger };
  const channel = new IdeChannel({
    id: 'isa-ide', irq, drives: [new AtaDisk({ ...options, id: 'd', medium: numberedDisk(100) }), new AtapiCdrom({ ...options, id: 'c' })],
  });
  const ports = new PortBus();
  for (const range of channel.ports(0x1f0, 0x3f6)) ports.register(range.base, range.count, range.device, range.maxSize);
  ports.write(0x1f2, 1, 1);
  ports.write(0x1f3, 1, 42);
  ports.write(0x1f6, 1, 0xe0);
  ports.write(0x1f7, 1, 0x20);
  await io.settle();
  expect(irq.level).toBe(true);
  expect(ports.read(0x1f0, 4)).toBe(42);
  const saved = channel.save();
  channel.reset('system');
  expect(ports.read(0x1f7, 1)).toBe(0x50);
  channel.load(saved);
  expect(channel.save()).toEqual(saved);
  ports.write(0x3f6, 1, 4);
  ports.write(0x3f6, 1, 0);
  ports.write(0x1f7, 1, 0xc8); // DMA without a bus master
  expect(ports.read(0x1f7, 1)).toBe(0x51);
});

it('the PCI function has the PIIX3 identity and bus master range', () => {
  const guest = makeGuest();
  expect(guest.ide.readConfig(0, 4)).toBe(0x70108086);
  expect(guest.ide.readConfig(8, 4) >>> 8).toBe(0x010180);
  expect(guest.ide.readConfig(0x40, 4)).toBe(0x80008000);
  guest.ide.writeConfig(0x20, 4, 0xffffffff);
  expect(guest.ide.readConfig(0x20, 4)).toBe(0xfffffff1);
});
