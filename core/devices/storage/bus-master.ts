// One channel's bus master engine ("Programming Interface for Bus Master IDE Controller", rev. 1.0): command, status and
// descriptor table registers, and the walk through the table. How much moves is decided by the device's command; the table
// is read entry by entry and at most as far as its 64 KiB reach, so no table makes the engine work or allocate without end.

import { z } from 'zod';
import type { DmaMemory } from '../../bus/dma.ts';
import { u32, u8 } from '../platform/state-fields.ts';

export const BM_COMMAND = 0;
export const BM_STATUS = 2;
export const BM_TABLE = 4;

const COMMAND_START = 0x01;
const COMMAND_TO_MEMORY = 0x08;
const STATUS_ACTIVE = 0x01;
const STATUS_ERROR = 0x02;
const STATUS_INTERRUPT = 0x04;
const STATUS_DRIVES_CAPABLE = 0x60;
const END_OF_TABLE = 0x8000_0000;
/** A descriptor table may not cross a 64 KiB boundary: 8,192 entries at most. */
const MAX_ENTRIES = 8192;

export const busMasterSchema = z.strictObject({
  command: u8,
  status: u8,
  table: u32,
  nextEntry: z.int().min(0).max(MAX_ENTRIES),
  address: u32,
  remaining: z.int().min(0).max(0x10000),
  lastEntry: z.boolean(),
});

export class BusMaster {
  private readonly memory: DmaMemory;
  /** True while the PCI function may master the bus. */
  private readonly mayMaster: () => boolean;
  private command = 0;
  private status = 0;
  private table = 0;
  private nextEntry = 0;
  private address = 0;
  private remaining = 0;
  private lastEntry = false;
  /** Called when the guest starts (true) or stops the engine. */
  onStartStop: ((started: boolean) => void) | undefined;

  constructor(memory: DmaMemory, mayMaster: () => boolean) {
    this.memory = memory;
    this.mayMaster = mayMaster;
  }

  reset(): void {
    this.command = 0;
    this.status = 0;
    this.table = 0;
    this.rewind();
  }

  private rewind(): void {
    this.nextEntry = 0;
    this.address = 0;
    this.remaining = 0;
    this.lastEntry = false;
  }

  /** True while the guest has started the engine. */
  get active(): boolean {
    return (this.status & STATUS_ACTIVE) !== 0;
  }

  readByte(register: number): number {
    switch (register) {
      case BM_COMMAND: return this.command;
      case BM_STATUS: return this.status;
      case 4: case 5: case 6: case 7: return (this.table >>> ((register - BM_TABLE) * 8)) & 0xff;
      default: return 0;
    }
  }

  writeByte(register: number, value: number): void {
    switch (register) {
      case BM_COMMAND: return this.writeCommand(value);
      case BM_STATUS: {
        const cleared = value & (STATUS_ERROR | STATUS_INTERRUPT);
        this.status = (this.status & ~cleared & ~STATUS_DRIVES_CAPABLE) | (value & STATUS_DRIVES_CAPABLE);
        return;
      }
      case 4: case 5: case 6: case 7: {
        const shift = (register - BM_TABLE) * 8;
        this.table = ((this.table & ~(0xff << shift)) | (value << shift)) & ~3;
        this.table >>>= 0;
        return;
      }
      default: return;
    }
  }

  private writeCommand(value: number): void {
    const started = (value & COMMAND_START) !== 0;
    const wasStarted = (this.command & COMMAND_START) !== 0;
    this.command = value & (COMMAND_START | COMMAND_TO_MEMORY);
    if (started === wasStarted) return;
    if (started) {
      this.rewind();
      this.status |= STATUS_ACTIVE;
    } else this.status &= ~STATUS_ACTIVE;
    this.onStartStop?.(started);
  }

  /** The drive has raised its interrupt line. */
  interruptRaised(): void {
    this.status |= STATUS_INTERRUPT;
  }

  /** The drive's command is over: the engine stays active only when the table had room for more. */
  transferDone(): void {
    if (this.remaining === 0 && this.lastEntry) this.status &= ~STATUS_ACTIVE;
  }

  /** The table ended before the drive's data: the engine stops without an interrupt. */
  tableTooShort(): void {
    this.status &= ~STATUS_ACTIVE;
  }

  /** Moves bytes of a drive to guest memory. @returns how many; fewer when the table ends */
  toMemory(data: Uint8Array): number {
    let done = 0;
    while (done < data.length && this.prepare()) {
      const count = Math.min(this.remaining, data.length - done);
      this.memory.write(this.address, data.subarray(done, done + count));
      this.advance(count);
      done += count;
    }
    return done;
  }

  /** Fills `data` from guest memory. @returns how many bytes; fewer when the table ends */
  fromMemory(data: Uint8Array): number {
    let done = 0;
    while (done < data.length && this.prepare()) {
      const count = Math.min(this.remaining, data.length - done);
      this.memory.read(this.address, data.subarray(done, done + count));
      this.advance(count);
      done += count;
    }
    return done;
  }

  private advance(count: number): void {
    this.address += count;
    this.remaining -= count;
  }

  /** Makes sure that a region is open. @returns false when the table is exhausted or the function may not master */
  private prepare(): boolean {
    if (this.remaining > 0) return true;
    if (this.lastEntry || this.nextEntry >= MAX_ENTRIES || !this.mayMaster()) return false;
    const entry = this.table + this.nextEntry * 8;
    this.nextEntry++;
    const address = this.memory.read32(entry);
    const control = this.memory.read32(entry + 4);
    this.address = (address & ~1) >>> 0;
    this.remaining = (control & 0xfffe) || 0x10000;
    this.lastEntry = (control & END_OF_TABLE) !== 0;
    return true;
  }

  save(): z.infer<typeof busMasterSchema> {
    const { command, status, table, nextEntry, address, remaining, lastEntry } = this;
    return { command, status, table, nextEntry, address: address >>> 0, remaining, lastEntry };
  }

  load(saved: z.infer<typeof busMasterSchema>): void {
    this.command = saved.command & (COMMAND_START | COMMAND_TO_MEMORY);
    this.status = saved.status & (STATUS_ACTIVE | STATUS_ERROR | STATUS_INTERRUPT | STATUS_DRIVES_CAPABLE);
    this.table = (saved.table & ~3) >>> 0;
    this.nextEntry = saved.nextEntry;
    this.address = saved.address;
    this.remaining = saved.remaining;
    this.lastEntry = saved.lastEntry;
  }
}
