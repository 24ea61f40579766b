// QEMU's firmware configuration device (docs/specs/fw_cfg in its manual): numbered items and named files that firmware
// reads through a selector and a data port, or by DMA. Ports 510h (selector), 511h (data), 514h-51Bh (DMA address, big
// endian). Not emulated: writes through the data port, which newer machines ignore too.

import { z } from 'zod';
import { type Logger, nullLogger } from '../../base/logger.ts';
import { NestboxError } from '../../base/errors.ts';
import type { DmaMemory } from '../../bus/dma.ts';
import type { AccessSize, PortDevice } from '../../bus/port-bus.ts';
import type { Device, DeviceState, StateValue } from '../../devices/device.ts';
import { parseState } from '../../devices/state.ts';
import { ByteWriter, utf8 } from '../byte-writer.ts';

export const FW_CFG_PORT_BASE = 0x510;
export const FW_CFG_PORT_COUNT = 12;

export const FW_CFG_SIGNATURE = 0x00;
export const FW_CFG_ID = 0x01;
export const FW_CFG_FILE_DIR = 0x19;
export const FW_CFG_FILE_FIRST = 0x20;

const FW_CFG_FILE_LAST = 0x3fff;
/** Bits of a selector that choose an item: 14 is the old write channel, 15 marks items of one architecture. */
const WRITE_CHANNEL = 0x4000;
const ARCH_LOCAL = 0x8000;

const FEATURES_TRADITIONAL_AND_DMA = 0x3;
const MAX_FILE_NAME_BYTES = 55;

const OFFSET_SELECTOR = 0;
const OFFSET_DATA = 1;
const OFFSET_DMA_HIGH = 4;
const OFFSET_DMA_LOW = 8;
/** "QEMU CFG", what the DMA address register reads as. */
const DMA_SIGNATURE_HIGH = 0x51454d55;
const DMA_SIGNATURE_LOW = 0x20434647;

const DMA_ERROR = 0x01;
const DMA_READ = 0x02;
const DMA_SKIP = 0x04;
const DMA_SELECT = 0x08;
const DMA_WRITE = 0x10;
const DMA_DESCRIPTOR_BYTES = 16;
/** Reading past the end gives zeroes; one request may ask for this many of them. */
const MAX_DMA_PADDING_BYTES = 16 * 1024 * 1024;
const ZERO_CHUNK = new Uint8Array(64 * 1024);

interface Item {
  content: Uint8Array;
  readonly name: string | undefined;
  readonly onWrite: ((content: Uint8Array) => void) | undefined;
}

const stateSchema = z.strictObject({
  selector: z.number().int().min(0).max(0xffff),
  offset: z.number().int().min(0).max(0xffff_ffff),
  dmaAddressHigh: z.number().int().min(0).max(0xffff_ffff),
  writable: z
    .array(z.strictObject({ name: z.string().max(MAX_FILE_NAME_BYTES), content: z.instanceof(Uint8Array) }))
    .max(256),
});

export interface FwCfgOptions {
  readonly memory: DmaMemory;
  readonly log?: Logger;
}

const swap32 = (value: number): number =>
  (((value & 0xff) << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24)) >>> 0;

export class FwCfg implements Device, PortDevice {
  readonly id = 'fw-cfg';
  private readonly memory: DmaMemory;
  private readonly log: Logger;
  private readonly items = new Map<number, Item>();
  private nextFileKey = FW_CFG_FILE_FIRST;

  private selector = FW_CFG_SIGNATURE;
  private current: Item | undefined;
  private offset = 0;
  private dmaAddressHigh = 0;

  constructor(options: FwCfgOptions) {
    this.memory = options.memory;
    this.log = options.log ?? nullLogger;
    this.addItem(FW_CFG_SIGNATURE, utf8('QEMU'));
    this.addItem(FW_CFG_ID, new ByteWriter().u32(FEATURES_TRADITIONAL_AND_DMA).toBytes());
    this.rebuildDirectory();
    this.reset();
  }

  /** Adds or replaces a numbered item. The content belongs to the device from now on. */
  addItem(key: number, content: Uint8Array): void {
    if ((key & WRITE_CHANNEL) !== 0 || key < 0 || key > 0xffff)
      throw new NestboxError('internal', `Bad fw_cfg key ${key}`);
    this.items.set(key, { content, name: undefined, onWrite: undefined });
  }

  /**
   * Adds or replaces a named file.
   * @param onWrite makes the file writable by DMA; called with its content after every write
   */
  addFile(name: string, content: Uint8Array, onWrite?: (content: Uint8Array) => void): void {
    if (name.length === 0 || utf8(name).length > MAX_FILE_NAME_BYTES || name.includes('\0')) {
      throw new NestboxError('internal', `Bad fw_cfg file name "${name}"`);
    }
    let key = [...this.items].find(([, item]) => item.name === name)?.[0];
    if (key === undefined) {
      if (this.nextFileKey > FW_CFG_FILE_LAST) throw new NestboxError('internal', 'Too many fw_cfg files');
      key = this.nextFileKey++;
    }
    this.items.set(key, { content, name, onWrite });
    this.rebuildDirectory();
  }

  /** The names of all files, as firmware sees them. */
  fileNames(): string[] {
    return [...this.items.values()].flatMap((item) => (item.name === undefined ? [] : [item.name]));
  }

  private rebuildDirectory(): void {
    const files = [...this.items].filter(([, item]) => item.name !== undefined);
    const directory = new ByteWriter().u32(swap32(files.length));
    for (const [key, item] of files) {
      directory
        .u32(swap32(item.content.length))
        .u8(key >> 8)
        .u8(key & 0xff)
        .u16(0)
        .text(item.name ?? '', MAX_FILE_NAME_BYTES + 1);
    }
    this.addItem(FW_CFG_FILE_DIR, directory.toBytes());
  }

  private select(selector: number): void {
    this.selector = selector;
    this.offset = 0;
    this.current = this.items.get(selector & ~WRITE_CHANNEL);
    if (this.current === undefined && this.log.enabled('debug')) {
      this.log.log('debug', 'fw_cfg: unknown item selected', {
        key: selector & ~ARCH_LOCAL,
        archLocal: (selector & ARCH_LOCAL) !== 0,
      });
    }
  }

  readPort(offset: number, size: AccessSize): number {
    if (offset >= OFFSET_DMA_HIGH) {
      // The register is big endian: its first byte is the signature's first letter.
      let value = 0;
      for (let index = 0; index < size; index++) {
        const at = offset - OFFSET_DMA_HIGH + index;
        const word = at < 4 ? DMA_SIGNATURE_HIGH : DMA_SIGNATURE_LOW;
        value |= ((word >>> (24 - (at & 3) * 8)) & 0xff) << (index * 8);
      }
      return value >>> 0;
    }
    if (offset === OFFSET_DATA && size === 1) {
      const content = this.current?.content;
      if (content === undefined || this.offset >= content.length) return 0;
      return content[this.offset++] ?? 0;
    }
    return 0;
  }

  writePort(offset: number, size: AccessSize, value: number): void {
    if (offset === OFFSET_SELECTOR && size === 2) this.select(value);
    else if (offset === OFFSET_DMA_HIGH && size === 4) this.dmaAddressHigh = swap32(value);
    else if (offset === OFFSET_DMA_LOW && size === 4) {
      const high = this.dmaAddressHigh;
      this.dmaAddressHigh = 0;
      this.runDma(high * 0x1_0000_0000 + swap32(value));
    }
  }

  /** Runs the request whose descriptor lies at `address`: control, length, address, all big endian. */
  private runDma(address: number): void {
    if (!Number.isSafeInteger(address)) return;
    const bytes = new Uint8Array(DMA_DESCRIPTOR_BYTES);
    this.memory.read(address, bytes);
    const view = new DataView(bytes.buffer);
    const control = view.getUint32(0);
    const length = view.getUint32(4);
    const target = view.getUint32(8) * 0x1_0000_0000 + view.getUint32(12);
    if ((control & DMA_SELECT) !== 0) this.select(control >>> 16);
    let result = 0;
    if ((control & DMA_READ) !== 0) result = this.dmaRead(target, length);
    else if ((control & DMA_WRITE) !== 0) result = this.dmaWrite(target, length);
    else if ((control & DMA_SKIP) !== 0) this.advance(length);
    this.memory.write32(address, swap32(result));
  }

  private advance(length: number): void {
    this.offset = Math.min(this.offset + length, 0xffff_ffff);
  }

  private dmaRead(target: number, length: number): number {
    const content = this.current?.content;
    const available = Math.min(length, Math.max(0, (content?.length ?? 0) - this.offset));
    if (!Number.isSafeInteger(target) || length - available > MAX_DMA_PADDING_BYTES) return DMA_ERROR;
    if (content !== undefined && available > 0)
      this.memory.write(target, content.subarray(this.offset, this.offset + available));
    for (let done = available; done < length; done += ZERO_CHUNK.length) {
      this.memory.write(target + done, ZERO_CHUNK.subarray(0, Math.min(ZERO_CHUNK.length, length - done)));
    }
    this.advance(length);
    return 0;
  }

  private dmaWrite(source: number, length: number): number {
    const item = this.current;
    if (item?.onWrite === undefined || !Number.isSafeInteger(source) || this.offset + length > item.content.length)
      return DMA_ERROR;
    this.memory.read(source, item.content.subarray(this.offset, this.offset + length));
    this.advance(length);
    item.onWrite(item.content);
    return 0;
  }

  reset(): void {
    this.select(FW_CFG_SIGNATURE);
    this.dmaAddressHigh = 0;
  }

  save(): DeviceState {
    const writable: StateValue[] = [];
    for (const item of this.items.values()) {
      if (item.name !== undefined && item.onWrite !== undefined)
        writable.push({ name: item.name, content: item.content.slice() });
    }
    return {
      version: 1,
      fields: { selector: this.selector, offset: this.offset, dmaAddressHigh: this.dmaAddressHigh, writable },
    };
  }

  load(state: DeviceState): void {
    const fields = parseState(this.id, state, 1, stateSchema);
    const changes = fields.writable.map(({ name, content }) => {
      const item = [...this.items.values()].find((candidate) => candidate.name === name);
      if (item?.onWrite === undefined || item.content.length !== content.length) {
        throw new NestboxError(
          'bad-input',
          `Saved state of ${this.id}: writable: "${name}" does not fit this machine`,
          { op: 'load state' },
        );
      }
      return { item, content };
    });
    for (const { item, content } of changes) {
      item.content.set(content);
      item.onWrite?.(item.content);
    }
    this.select(fields.selector);
    this.offset = fields.offset;
    this.dmaAddressHigh = fields.dmaAddressHigh;
  }

  dispose(): void {
    this.items.clear();
    this.current = undefined;
  }
}
