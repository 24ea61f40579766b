import { describe, expect, it } from 'vitest';
import type { DmaChannel, DmaResult } from '../platform/dma-channel.ts';
import { TestClock, TestLine } from '../platform/testing.ts';
import { Fdc82077 } from './fdc-82077.ts';
import { floppyGeometry } from './floppy-drive.ts';
import { damageState, numberedDisk, randomStream, type TestDisk, TestIo } from './storage-testing.ts';

/** Channel 2 of an 8237 with a plain buffer as guest memory. */
class TestDma implements DmaChannel {
  memory: Uint8Array = new Uint8Array(0);
  position = 0;
  masked = false;
  private readonly listeners = new Set<() => void>();

  program(memory: Uint8Array): void {
    this.memory = memory;
    this.position = 0;
  }

  get ready(): boolean {
    return !this.masked && this.position < this.memory.length;
  }

  get remainingBytes(): number {
    return this.memory.length - this.position;
  }

  read(target: Uint8Array): DmaResult {
    return this.move(target.length, (count) => target.set(this.memory.subarray(this.position, this.position + count)));
  }

  write(source: Uint8Array): DmaResult {
    return this.move(source.length, (count) => this.memory.set(source.subarray(0, count), this.position));
  }

  private move(wanted: number, copy: (count: number) => void): DmaResult {
    const bytes = this.masked ? 0 : Math.min(wanted, this.remainingBytes);
    if (bytes === 0) return { bytes: 0, terminalCount: false };
    copy(bytes);
    this.position += bytes;
    return { bytes, terminalCount: this.position === this.memory.length };
  }

  unmask(): void {
    this.masked = false;
    for (const listener of this.listeners) listener();
  }

  onReady(listener: () => void) {
    this.listeners.add(listener);
    return { dispose: () => void this.listeners.delete(listener) };
  }
}

function setUp(image?: TestDisk) {
  const clock = new TestClock();
  const irq = new TestLine();
  const dma = new TestDma();
  const io = new TestIo();
  const fdc = new Fdc82077({ clock, irq, dma, io });
  if (image !== undefined) fdc.insert(0, image);
  const ranges = fdc.ports();
  const find = (port: number) => {
    const range = ranges.find((candidate) => port >= candidate.base && port < candidate.base + candidate.count);
    if (range === undefined) throw new Error(`port ${port.toString(16)} is not claimed`);
    return range;
  };
  const read = (port: number) => find(port).device.readPort(port - find(port).base, 1);
  const write = (port: number, value: number) => find(port).device.writePort(port - find(port).base, 1, value);
  const send = (...bytes: number[]) => bytes.forEach((byte) => {
    expect(read(0x3f4) & 0xc0).toBe(0x80);
    write(0x3f5, byte);
  });
  const results = () => {
    const bytes: number[] = [];
    while ((read(0x3f4) & 0xc0) === 0xc0) bytes.push(read(0x3f5));
    return bytes;
  };
  const start = () => {
    write(0x3f2, 0);
    write(0x3f2, 0x1c);
    clock.advance(1e6);
    for (let drive = 0; drive < 4; drive++) {
      send(8);
      results();
    }
    write(0x3f7, 0);
    send(3, 0xaf, 0x02);
  };
  /** Runs timers and the medium until nothing moves. */
  const settle = async () => {
    clock.advance(1e6);
    await io.settle();
    clock.advance(1e6);
  };
  const seek = async (cylinder: number) => {
    send(0x0f, 0, cylinder);
    await settle();
    send(8);
    return results();
  };
  return { clock, irq, dma, io, fdc, read, write, send, results, start, settle, seek };
}

const IMAGE_1440 = 2880;

describe('reset and interrupts', () => {
  it('interrupts after a reset and reports the ready change of four drives', () => {
    const { clock, irq, read, write, send, results } = setUp();
    expect(read(0x3f4)).toBe(0);
    write(0x3f2, 0x0c);
    expect(irq.level).toBe(false);
    clock.advance(1e6);
    expect(irq.level).toBe(true);
    for (let drive = 0; drive < 4; drive++) {
      send(8);
      expect(results()).toEqual([0xc0 | drive, 0]);
    }
    expect(irq.level).toBe(false);
    send(8);
    expect(results()).toEqual([0x80]);
  });

  it('keeps the interrupt off the bus while the DMA gate is closed', () => {
    const { clock, irq, write } = setUp();
    write(0x3f2, 0x04);
    clock.advance(1e6);
    expect(irq.level).toBe(false);
    write(0x3f2, 0x0c);
    expect(irq.level).toBe(true);
  });

  it('answers version, part id, lock, dump registers and invalid commands', () => {
    const { start, send, results } = setUp();
    start();
    send(0x10);
    expect(results()).toEqual([0x90]);
    send(0x18);
    expect(results()).toEqual([0x41]);
    send(0x94);
    expect(results()).toEqual([0x10]);
    send(0x13, 0, 0x57, 0x10);
    send(0x0e);
    expect(results()).toEqual([0, 0, 0, 0, 0xaf, 0x02, 0, 0x80, 0x57, 0x10]);
    send(0x1f);
    expect(results()).toEqual([0x80]);
    send(0x51); // scan equal
    expect(results()).toEqual([0x80]);
  });

  it('a locked configuration survives the software reset, an unlocked one does not', () => {
    const { clock, start, send, results, write } = setUp();
    start();
    send(0x13, 0, 0x57, 0x10);
    send(0x94);
    results();
    write(0x3f4, 0x80);
    clock.advance(1e6);
    send(0x0e);
    expect(results().slice(7)).toEqual([0x80, 0x57, 0x10]);
    send(0x14);
    expect(results()).toEqual([0]);
    write(0x3f4, 0x80);
    clock.advance(1e6);
    send(0x0e);
    expect(results().slice(7)).toEqual([0, 0x20, 0]);
  });
});

describe('seeking and drive status', () => {
  it('seeks, recalibrates and senses; a missing drive finds no track 0', async () => {
    const { start, seek, send, results, settle, read, irq } = setUp(numberedDisk(IMAGE_1440));
    start();
    send(0x0f, 4, 35);
    expect(read(0x3f4) & 0x0f).toBe(1);
    await settle();
    expect(read(0x3f4) & 0x0f).toBe(0);
    expect(irq.level).toBe(true);
    send(8);
    expect(results()).toEqual([0x24, 35]);
    send(4, 0);
    expect(results()).toEqual([0x28]);
    expect(await seek(0)).toEqual([0x20, 0]);
    send(4, 0);
    expect(results()).toEqual([0x38]);
    send(7, 2);
    await settle();
    send(8);
    expect(results()).toEqual([0x72, 0]);
  });

  it('the disk change line falls with the first step and rises when the disk leaves', async () => {
    const { start, seek, read, fdc } = setUp(numberedDisk(IMAGE_1440));
    start();
    expect(read(0x3f7)).toBe(0x80);
    await seek(0); // the heads are there: no step
    expect(read(0x3f7)).toBe(0x80);
    await seek(1);
    expect(read(0x3f7)).toBe(0);
    await fdc.eject(0);
    expect(read(0x3f7)).toBe(0x80);
    await seek(0);
    expect(read(0x3f7)).toBe(0x80); // no disk: stepping does not help
    fdc.insert(0, numberedDisk(IMAGE_1440));
    expect(read(0x3f7)).toBe(0x80);
    await seek(2);
    expect(read(0x3f7)).toBe(0);
  });

  it('relative seeks move from the present cylinder', async () => {
    const { start, seek, send, results, settle } = setUp(numberedDisk(IMAGE_1440));
    start();
    await seek(10);
    send(0xcf, 0, 5);
    await settle();
    send(8);
    expect(results()).toEqual([0x20, 15]);
    send(0x8f, 0, 20);
    await settle();
    send(8);
    expect(results()).toEqual([0x20, 0]);
  });
});

describe('data by DMA', () => {
  it('reads sectors up to terminal count and reports the next sector', async () => {
    const { start, seek, send, settle, results, dma, irq } = setUp(numberedDisk(IMAGE_1440));
    start();
    await seek(3);
    dma.program(new Uint8Array(3 * 512));
    send(0xe6, 4, 3, 1, 2, 2, 18, 0x1b, 0xff);
    await settle();
    expect(irq.level).toBe(true);
    const first = 3 * 36 + 18 + 1;
    expect([0, 512, 1024].map((at) => new DataView(dma.memory.buffer, dma.memory.byteOffset).getUint32(at, true))).toEqual([first, first + 1, first + 2]);
    expect(results()).toEqual([0x04, 0, 0, 3, 1, 5, 2]);
    expect(irq.level).toBe(false);
  });

  it('goes on to the second side with multi-track, and to the next cylinder in the result', async () => {
    const { start, seek, send, settle, results, dma } = setUp(numberedDisk(IMAGE_1440));
    start();
    await seek(2);
    dma.program(new Uint8Array(36 * 512));
    send(0xe6, 0, 2, 0, 1, 2, 18, 0x1b, 0xff);
    await settle();
    const view = new DataView(dma.memory.buffer, dma.memory.byteOffset);
    for (let sector = 0; sector < 36; sector++) expect(view.getUint32(sector * 512, true)).toBe(72 + sector);
    expect(results()).toEqual([0x04, 0, 0, 3, 0, 1, 2]);
  });

  it('reports end of cylinder when no terminal count comes', async () => {
    const { start, seek, send, settle, results, dma } = setUp(numberedDisk(IMAGE_1440));
    start();
    await seek(0);
    dma.program(new Uint8Array(100_000));
    send(0x46, 0, 0, 0, 17, 2, 18, 0x1b, 0xff);
    await settle();
    expect(dma.position).toBe(1024);
    expect(results().slice(0, 3)).toEqual([0x40, 0x80, 0]);
  });

  it('waits for a masked channel', async () => {
    const { start, seek, send, settle, results, read, dma } = setUp(numberedDisk(IMAGE_1440));
    start();
    await seek(0);
    dma.program(new Uint8Array(512));
    dma.masked = true;
    send(0x46, 0, 0, 0, 5, 2, 18, 0x1b, 0xff);
    await settle();
    expect(read(0x3f4)).toBe(0x10);
    dma.unmask();
    expect(results().slice(0, 3)).toEqual([0, 0, 0]);
    expect(dma.memory[0]).toBe(4);
  });

  it('writes sectors, fills the last one up, and honours write protection', async () => {
    const disk = numberedDisk(IMAGE_1440);
    const { start, seek, send, settle, results, dma, fdc } = setUp(disk);
    start();
    await seek(1);
    dma.program(new Uint8Array(700).fill(0xab));
    send(0x45, 0, 1, 0, 9, 2, 18, 0x1b, 0xff);
    await settle();
    expect(results()).toEqual([0, 0, 0, 1, 0, 11, 2]);
    const at = (36 + 8) * 512;
    expect(disk.data.subarray(at, at + 700).every((byte) => byte === 0xab)).toBe(true);
    expect(disk.data.subarray(at + 700, at + 1024).every((byte) => byte === 0)).toBe(true);
    expect(new DataView(disk.data.buffer).getUint32(at + 1024, true)).toBe(46);
    await fdc.eject(0);
    const locked = numberedDisk(IMAGE_1440, 512, true);
    fdc.insert(0, locked);
    await seek(1);
    dma.program(new Uint8Array(512));
    send(0x45, 0, 1, 0, 9, 2, 18, 0x1b, 0xff);
    await settle();
    expect(results().slice(0, 3)).toEqual([0x40, 0x02, 0]);
    expect(locked.operations).toEqual([]);
    send(4, 0);
    expect(results()).toEqual([0x68]);
  });

  it('formats a track and reads IDs as they pass', async () => {
    const disk = numberedDisk(IMAGE_1440);
    const { start, seek, send, settle, results, dma } = setUp(disk);
    start();
    await seek(5);
    dma.program(new Uint8Array(18 * 4));
    send(0x4d, 4, 2, 18, 0x6c, 0xf6);
    await settle();
    expect(results().slice(0, 3)).toEqual([0x04, 0, 0]);
    const track = disk.data.subarray((5 * 36 + 18) * 512, (5 * 36 + 36) * 512);
    expect(track.every((byte) => byte === 0xf6)).toBe(true);
    expect(disk.data[(5 * 36 + 17) * 512]).toBe(5 * 36 + 17);
    const seen: number[] = [];
    for (let i = 0; i < 20; i++) {
      send(0x4a, 4);
      await settle();
      const [st0, st1, , c, h, r, n] = results();
      expect([st0, st1, c, h, n]).toEqual([4, 0, 5, 1, 2]);
      seen.push(r ?? 0);
    }
    expect(seen.slice(0, 3)).toEqual([1, 2, 3]);
    expect(seen[18]).toBe(1);
  });

  it.each([
    ['a wrong cylinder', [0x46, 0, 9, 0, 1, 2, 18], [0x40, 0x04, 0x10]],
    ['a sector beyond the track', [0x46, 0, 0, 0, 19, 2, 19], [0x40, 0x04, 0]],
    ['sector 0', [0x46, 0, 0, 0, 0, 2, 18], [0x40, 0x04, 0]],
    ['another sector size', [0x46, 0, 0, 0, 1, 3, 18], [0x40, 0x04, 0]],
    ['a wrong head ID', [0x46, 0, 0, 1, 1, 2, 18], [0x40, 0x04, 0]],
    ['no disk', [0x46, 1, 0, 0, 1, 2, 18], [0x41, 0x01, 0]],
    ['no drive', [0x46, 3, 0, 0, 1, 2, 18], [0x43, 0x01, 0]],
  ] as const)('finds no %s', async (_name, command, status) => {
    const disk = numberedDisk(IMAGE_1440);
    const { start, send, settle, results, dma } = setUp(disk);
    start();
    dma.program(new Uint8Array(512));
    send(...command, 0x1b, 0xff);
    await settle();
    expect(results().slice(0, 3)).toEqual(status);
    expect(disk.operations).toEqual([]);
  });

  it('reads only at the data rate of the medium', async () => {
    const { start, send, settle, results, dma, write } = setUp(numberedDisk(IMAGE_1440));
    start();
    write(0x3f7, 2);
    send(0x4a, 0);
    await settle();
    expect(results().slice(0, 2)).toEqual([0x40, 0x01]);
    write(0x3f7, 0);
    dma.program(new Uint8Array(512));
    send(0x4a, 0);
    await settle();
    expect(results().slice(0, 2)).toEqual([0x00, 0x00]);
  });

  it('reports host errors as data errors', async () => {
    const disk = numberedDisk(IMAGE_1440);
    disk.failReads = true;
    const { start, send, settle, results, dma } = setUp(disk);
    start();
    dma.program(new Uint8Array(512));
    send(0x46, 0, 0, 0, 1, 2, 18, 0x1b, 0xff);
    await settle();
    expect(results().slice(0, 3)).toEqual([0x40, 0x20, 0x20]);
  });
});

describe('programmed transfers', () => {
  it('moves bytes through the FIFO with an interrupt for each and ends with end of cylinder', async () => {
    const disk = numberedDisk(IMAGE_1440);
    const { start, send, settle, results, read, write, irq } = setUp(disk);
    start();
    send(3, 0xaf, 0x03);
    send(0x46, 0, 0, 0, 7, 2, 7, 0x1b, 0xff);
    await settle();
    expect(read(0x3f4)).toBe(0xf0);
    expect(irq.level).toBe(true);
    const bytes: number[] = [];
    const rises = irq.rises;
    while (read(0x3f4) & 0x20) bytes.push(read(0x3f5));
    expect(bytes).toHaveLength(512);
    expect(bytes.slice(0, 4)).toEqual([6, 0, 0, 0]);
    expect(irq.rises - rises).toBe(512); // one for each further byte and one for the result
    expect(results().slice(0, 2)).toEqual([0x40, 0x80]);
    send(0x45, 0, 0, 0, 8, 2, 8, 0x1b, 0xff);
    for (let i = 0; i < 512; i++) {
      expect(read(0x3f4)).toBe(0xb0);
      write(0x3f5, i & 0xff);
    }
    await settle();
    expect(results().slice(0, 2)).toEqual([0x40, 0x80]);
    expect([...disk.data.subarray(7 * 512 + 254, 7 * 512 + 258)]).toEqual([254, 255, 0, 1]);
  });
});

describe('threats', () => {
  it('G6: a reset during a write lets nothing reach other sectors, and the late completion is dropped', async () => {
    const disk = numberedDisk(IMAGE_1440);
    const before = disk.data.slice();
    const { start, seek, send, settle, results, dma, write, clock, io, read } = setUp(disk);
    start();
    await seek(1);
    const release = disk.hold();
    dma.program(new Uint8Array(512).fill(0xee));
    send(0x45, 0, 1, 0, 3, 2, 18, 0x1b, 0xff);
    await Promise.resolve();
    await Promise.resolve();
    write(0x3f2, 0x18);
    write(0x3f2, 0x1c);
    clock.advance(1e6);
    for (let drive = 0; drive < 4; drive++) {
      send(8);
      results();
    }
    // Head position is kept by the drive; the next command writes another sector while the old write still waits.
    dma.program(new Uint8Array(512).fill(0x11));
    send(0x45, 0, 1, 0, 10, 2, 18, 0x1b, 0xff);
    release();
    await io.settle(true);
    clock.advance(1e6);
    expect(results().slice(0, 6)).toEqual([0, 0, 0, 1, 0, 11]);
    expect(read(0x3f4)).toBe(0x80);
    const changed = new Set<number>();
    disk.data.forEach((byte, index) => {
      if (byte !== before[index]) changed.add(index >> 9);
    });
    // The abandoned sector may have been written, with its own data; nothing else.
    for (const sector of changed) expect([36 + 2, 36 + 9]).toContain(sector);
    expect(disk.data[(36 + 9) * 512]).toBe(0x11);
    if (changed.has(36 + 2)) expect(disk.data[(36 + 2) * 512]).toBe(0xee);
    await settle();
  });

  it('CVE-2015-3456: endless FIFO writes change nothing but the controller', async () => {
    const disk = numberedDisk(IMAGE_1440);
    const before = disk.data.slice();
    const { start, write, settle, fdc } = setUp(disk);
    start();
    for (const command of [0x8e, 0x0a, 0x0e, 0x08, 0x8e, 0x1f]) {
      for (let i = 0; i < 2000; i++) write(0x3f5, command);
      await settle();
    }
    expect(disk.data).toEqual(before);
    fdc.reset('power');
    start();
  });

  it('an ejected disk ends the transfer under way', async () => {
    const disk = numberedDisk(IMAGE_1440);
    const { start, send, settle, results, dma, fdc } = setUp(disk);
    start();
    dma.program(new Uint8Array(512));
    const release = disk.hold();
    send(0x46, 0, 0, 0, 1, 2, 18, 0x1b, 0xff);
    const ejected = fdc.eject(0);
    release();
    expect(await ejected).toBe(disk);
    await settle();
    expect(results().slice(0, 3)).toEqual([0x40, 0x01, 0]);
  });

  it.each([1, 2, 3, 4, 5])('survives random register accesses (seed %i); save, load, save are equal; reset restores', async (seed) => {
    const disk = numberedDisk(IMAGE_1440);
    const { fdc, clock, io, dma, read, write } = setUp(disk);
    fdc.reset('power');
    const pristine = fdc.save();
    const random = randomStream(seed);
    const commands = [3, 4, 5, 6, 7, 8, 9, 0x0a, 0x0c, 0x0d, 0x0e, 0x0f, 0x10, 0x12, 0x13, 0x14, 0x16, 0x46, 0xc5, 0xe6];
    dma.program(new Uint8Array(1 << 20));
    for (let step = 0; step < 2000; step++) {
      const choice = random(20);
      if (choice < 5) write(0x3f5, random(3) ? random(4) : (commands[random(commands.length)] ?? 0));
      else if (choice < 12) write(0x3f5, random(8));
      else if (choice < 16) read([0x3f2, 0x3f4, 0x3f5, 0x3f5, 0x3f7][random(5)] ?? 0x3f4);
      else if (choice < 17) write([0x3f2, 0x3f2, 0x3f4, 0x3f7][random(4)] ?? 0x3f2, random(4) ? 0x0c | random(256) : random(256));
      else if (choice < 18) clock.advance(random(200_000));
      else if (choice < 19) await io.settle();
      else if (step % 7 === 0) dma.program(new Uint8Array(random(2) ? 1 << 16 : random(2048)));
      if (step % 100 === 0) {
        const saved = fdc.save();
        const other = setUp(disk);
        other.fdc.load(saved);
        expect(other.fdc.save()).toEqual(saved);
        other.fdc.dispose();
      }
    }
    await io.settle();
    fdc.reset('power');
    expect(fdc.save()).toEqual(pristine);
  });
});

describe('saved state', () => {
  it('continues a transfer that was waiting for the medium', async () => {
    const disk = numberedDisk(IMAGE_1440);
    const first = setUp(disk);
    first.start();
    first.send(0x46, 0, 0, 0, 4, 2, 18, 0x1b, 0xff);
    const saved = first.fdc.save();
    const second = setUp(disk);
    second.fdc.load(saved);
    second.dma.program(new Uint8Array(512));
    await second.settle();
    expect(second.dma.memory[0]).toBe(3);
    expect(second.results().slice(0, 3)).toEqual([0, 0, 0]);
  });

  it('I19: damaged states are refused, or the controller works on without throwing', async () => {
    const random = randomStream(3);
    const disk = numberedDisk(IMAGE_1440);
    let accepted = 0;
    for (let round = 0; round < 400; round++) {
      const source = setUp(disk);
      source.start();
      source.dma.program(new Uint8Array(random(3000)));
      const commands = [[0x46, 0, 0, 0, 4, 2, 18, 0x1b, 0xff], [0x45, 0, 0, 0, 9, 2, 12, 0x1b, 0xff], [0x4d, 0, 2, 18, 0x6c, 0xf6], [0x0f, 0, 9], [0x4a]];
      for (const byte of commands[random(commands.length)] ?? []) source.write(0x3f5, byte);
      if (random(2)) await source.io.settle();
      const state = structuredClone(source.fdc.save());
      for (let count = 1 + random(2); count > 0; count--) damageState(state.fields, random);
      const target = setUp(disk);
      try {
        target.fdc.load(state);
        accepted++;
      } catch (error) {
        expect(String(error)).toMatch(/Saved state of fdc/);
        continue;
      }
      target.dma.program(new Uint8Array(random(3000)));
      target.dma.unmask();
      for (let step = 0; step < 60; step++) {
        if (random(2)) target.read([0x3f4, 0x3f5, 0x3f7][random(3)] ?? 0x3f4);
        else target.write(0x3f5, random(256));
        if (random(20) === 0) await target.settle();
      }
      target.fdc.dispose();
      source.fdc.dispose();
    }
    expect(accepted).toBeGreaterThan(50);
  });

  it('refuses states that no controller can be in, and stays as it was', () => {
    const { fdc, start } = setUp(numberedDisk(IMAGE_1440));
    start();
    const good = fdc.save();
    for (const change of [
      { phase: 'execute' }, { phase: 'command', commandLength: 9 }, { phase: 'result', resultPosition: 16 }, { result: new Uint8Array(17) },
      { presentCylinder: new Uint8Array(3) }, { interruptStatus: [0, 0, 0, 300] }, { resetDeadline: -1 }, { unknown: 1 },
    ]) {
      expect(() => fdc.load({ version: 1, fields: { ...good.fields, ...change } }), JSON.stringify(change)).toThrow(/Saved state of fdc/);
      expect(fdc.save()).toEqual(good);
    }
  });
});

it('chooses geometries by size', () => {
  const shape = (bytes: number) => {
    const found = floppyGeometry(bytes);
    return found === undefined ? undefined : [found.cylinders, found.heads, found.sectorsPerTrack];
  };
  expect([163840, 184320, 327680, 368640, 737280, 1228800, 1474560, 2949120].map(shape)).toEqual([
    [40, 1, 8], [40, 1, 9], [40, 2, 8], [40, 2, 9], [80, 2, 9], [80, 2, 15], [80, 2, 18], [80, 2, 36],
  ]);
  expect(shape(512)).toEqual([80, 2, 18]);
  expect(shape(2_000_000)).toEqual([80, 2, 36]);
  expect(shape(3_000_000)).toBeUndefined();
});
