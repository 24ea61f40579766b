// A guest's view of an IDE channel for tests: registers, PIO and bus master helpers.

import { nullLogger } from '../../base/logger.ts';
import { PortBus } from '../../bus/port-bus.ts';
import { BusPciMapper } from '../pci/pci-mapper.ts';
import { MmioBus } from '../../bus/mmio-bus.ts';
import { TestClock, TestLine } from '../platform/testing.ts';
import { AtaDisk } from './ata-disk.ts';
import { AtapiCdrom } from './atapi-cdrom.ts';
import type { AttachedDrive } from './ide-channel.ts';
import { Piix3Ide } from './piix3-ide.ts';
import { TestDisk, TestIo, TestMemory } from './storage-testing.ts';

const BUS_MASTER_BASE = 0xc000;

export interface PacketAnswer {
  readonly data: number[];
  readonly pieces: number[];
  readonly status: number;
  readonly error: number;
  readonly reason: number;
}

export class IdeGuest {
  readonly clock = new TestClock();
  readonly io = new TestIo();
  readonly irq = new TestLine();
  readonly memory = new TestMemory(1 << 20);
  readonly ports = new PortBus();
  readonly ide: Piix3Ide;
  readonly drives: readonly (AttachedDrive | undefined)[];

  /** @param media a TestDisk of 512-byte sectors or 'cd' with or without a disc, for master and slave of the primary channel */
  constructor(media: readonly (TestDisk | { cd: TestDisk | undefined } | undefined)[]) {
    const options = { clock: this.clock, io: this.io, log: nullLogger };
    this.drives = media.map((medium, index) => {
      if (medium === undefined) return undefined;
      if (medium instanceof TestDisk) return new AtaDisk({ ...options, id: `disk${index}`, medium });
      return new AtapiCdrom({ ...options, id: `cd${index}`, medium: medium.cd });
    });
    this.ide = new Piix3Ide({
      irqs: [this.irq, new TestLine()], memory: this.memory, drives: [this.drives[0], this.drives[1], undefined, undefined],
    });
    for (const range of this.ide.ports()) this.ports.register(range.base, range.count, range.device, range.maxSize);
    this.ide.plug({ mapper: new BusPciMapper({ mmio: new MmioBus(), ports: this.ports }), setPin: () => undefined });
    this.ide.writeConfig(0x20, 4, BUS_MASTER_BASE);
    this.ide.writeConfig(4, 2, 5);
  }

  read(register: number): number {
    return this.ports.read(0x1f0 + register, 1);
  }

  write(register: number, value: number): void {
    this.ports.write(0x1f0 + register, 1, value);
  }

  get status(): number {
    return this.ports.read(0x3f6, 1);
  }

  control(value: number): void {
    this.ports.write(0x3f6, 1, value);
  }

  /** Sets count and a 28-bit address and gives a command. */
  command28(code: number, lba: number, count: number, slave = false): void {
    this.write(6, 0xe0 | (slave ? 0x10 : 0) | ((lba >>> 24) & 15));
    this.write(2, count & 0xff);
    this.write(3, lba & 0xff);
    this.write(4, (lba >>> 8) & 0xff);
    this.write(5, (lba >>> 16) & 0xff);
    this.write(7, code);
  }

  command48(code: number, lba: number, count: number): void {
    this.write(6, 0x40);
    this.write(2, count >> 8);
    this.write(3, (lba >>> 24) & 0xff);
    this.write(4, Math.floor(lba / 2 ** 32) & 0xff);
    this.write(5, Math.floor(lba / 2 ** 40) & 0xff);
    this.write(2, count & 0xff);
    this.write(3, lba & 0xff);
    this.write(4, (lba >>> 8) & 0xff);
    this.write(5, (lba >>> 16) & 0xff);
    this.write(7, code);
  }

  async settle(): Promise<void> {
    for (let round = 0; round < 3; round++) {
      await this.io.settle();
      this.clock.advance(1e6);
    }
  }

  /** Reads all data blocks of a command, 16 or 32 bits at a time. @returns the bytes and how many interrupts came */
  async readBlocks(wide = false): Promise<{ bytes: Uint8Array; interrupts: number }> {
    const bytes: number[] = [];
    const before = this.irq.rises;
    for (;;) {
      await this.settle();
      if ((this.read(7) & 0x88) !== 0x08) break;
      // One word at a time until the drive is no longer ready for data.
      while ((this.status & 0x88) === 0x08) {
        const value = this.ports.read(0x1f0, wide ? 4 : 2);
        for (let i = 0; i < (wide ? 4 : 2); i++) bytes.push((value >>> (i * 8)) & 0xff);
      }
    }
    return { bytes: Uint8Array.from(bytes), interrupts: this.irq.rises - before };
  }

  async writeBlocks(data: Uint8Array, wide = false): Promise<number> {
    const before = this.irq.rises;
    let at = 0;
    for (;;) {
      await this.settle();
      if ((this.read(7) & 0x88) !== 0x08) break;
      while ((this.status & 0x88) === 0x08) {
        const word = (data[at] ?? 0) | ((data[at + 1] ?? 0) << 8);
        if (!wide) this.ports.write(0x1f0, 2, word);
        else this.ports.write(0x1f0, 4, (word | ((data[at + 2] ?? 0) << 16) | ((data[at + 3] ?? 0) << 24)) >>> 0);
        at += wide ? 4 : 2;
      }
    }
    return this.irq.rises - before;
  }

  /** Writes a descriptor table at 0x1000. */
  table(entries: readonly (readonly [address: number, length: number])[], endMarked = true): void {
    entries.forEach(([address, length], index) => {
      this.memory.write32(0x1000 + index * 8, address);
      this.memory.write32(0x1000 + index * 8 + 4, ((length & 0xffff) | (endMarked && index === entries.length - 1 ? 0x80000000 : 0)) >>> 0);
    });
    this.ports.write(BUS_MASTER_BASE + 4, 4, 0x1000);
  }

  startBusMaster(toMemory: boolean): void {
    this.ports.write(BUS_MASTER_BASE + 2, 1, 0x06);
    this.ports.write(BUS_MASTER_BASE, 1, toMemory ? 9 : 1);
  }

  stopBusMaster(): void {
    this.ports.write(BUS_MASTER_BASE, 1, 0);
  }

  get busMasterStatus(): number {
    return this.ports.read(BUS_MASTER_BASE + 2, 1);
  }

  /** Gives a packet command. */
  packet(bytes: readonly number[], options: { limit?: number; dma?: boolean; slave?: boolean } = {}): void {
    const limit = options.limit ?? 0xfffe;
    this.write(6, options.slave === true ? 0xb0 : 0xa0);
    this.write(1, options.dma === true ? 1 : 0);
    this.write(4, limit & 0xff);
    this.write(5, limit >> 8);
    this.write(7, 0xa0);
    for (let i = 0; i < 12; i += 2) this.ports.write(0x1f0, 2, (bytes[i] ?? 0) | ((bytes[i + 1] ?? 0) << 8));
  }

  /** Gives a packet command and collects the answer in the pieces that the drive announces. */
  async packetData(bytes: readonly number[], options: { limit?: number; slave?: boolean } = {}): Promise<PacketAnswer> {
    this.packet(bytes, options);
    const data: number[] = [];
    const pieces: number[] = [];
    for (;;) {
      await this.settle();
      if ((this.read(7) & 0x88) !== 0x08) break;
      const length = this.read(4) | (this.read(5) << 8);
      pieces.push(length);
      for (let i = 0; i < length; i += 2) {
        const word = this.ports.read(0x1f0, 2);
        data.push(word & 0xff);
        if (i + 1 < length) data.push(word >> 8);
      }
    }
    return { data, pieces, status: this.read(7), error: this.read(1), reason: this.read(2) };
  }
}
