// The PC/AT's pair of 8237A DMA controllers (Intel 8237A data sheet) with the page registers of the 74LS612: channels 0-3
// move bytes (ports 00h-0Fh), channels 5-7 words (C0h-DFh), channel 4 is the cascade. Requests are served at once.
// Not emulated: memory-to-memory transfers, rotating priority's effect (one request at a time), compressed timing.

import { z } from 'zod';
import { type Disposable, DisposableStore, toDisposable } from '../../base/disposable.ts';
import type { DmaMemory } from '../../bus/dma.ts';
import type { PortBus } from '../../bus/port-bus.ts';
import type { Device, DeviceState } from '../device.ts';
import { parseState } from '../state.ts';
import type { DmaChannel, DmaResult } from './dma-channel.ts';
import { listOf, u16, u8 } from './state-fields.ts';

const VERSION = 1;
const CHANNELS = 8;
const CASCADE_CHANNEL = 4;

const MODE_TRANSFER = 0x0c;
const MODE_VERIFY = 0x00;
const MODE_WRITE = 0x04; // device -> memory
const MODE_READ = 0x08; // memory -> device
const MODE_AUTOINIT = 0x10;
const MODE_DOWN = 0x20;
const COMMAND_DISABLE = 0x04;

/** Ports 80h-8Fh: which channel's page each one is. The others are plain storage that the guest can read back. */
const PAGE_CHANNEL: readonly (number | undefined)[] = [
  undefined,
  2,
  3,
  1,
  undefined,
  undefined,
  undefined,
  0,
  undefined,
  6,
  7,
  5,
  undefined,
  undefined,
  undefined,
  4,
];
const PAGE_PORT_FIRST = 0x81;
const PAGE_PORT_COUNT = 15;

const channelSchema = z.strictObject({ baseAddress: u16, baseCount: u16, address: u16, count: u16, mode: u8 });
const controllerSchema = z.strictObject({
  command: u8,
  status: u8,
  mask: z.int().min(0).max(15),
  request: z.int().min(0).max(15),
  flipFlop: z.boolean(),
});
const schema = z.strictObject({
  channels: listOf(channelSchema, CHANNELS),
  controllers: listOf(controllerSchema, 2),
  pages: listOf(u8, 16),
});

interface Channel {
  baseAddress: number;
  baseCount: number;
  address: number;
  count: number;
  mode: number;
}

interface Controller {
  command: number;
  status: number;
  mask: number;
  request: number;
  flipFlop: boolean;
}

export interface Dma8237Options {
  readonly id?: string | undefined;
  readonly memory: DmaMemory;
}

export class Dma8237 implements Device {
  readonly id: string;
  private readonly memory: DmaMemory;
  private readonly channels: Channel[] = Array.from({ length: CHANNELS }, () => ({
    baseAddress: 0,
    baseCount: 0,
    address: 0,
    count: 0,
    mode: 0,
  }));
  private readonly controllers: readonly [Controller, Controller] = [newController(), newController()];
  private readonly pages = new Uint8Array(16);
  private readonly readyListeners: Set<() => void>[] = Array.from({ length: CHANNELS }, () => new Set());

  constructor(options: Dma8237Options) {
    this.id = options.id ?? 'dma';
    this.memory = options.memory;
  }

  attach(ports: PortBus): Disposable {
    const store = new DisposableStore();
    store.add(
      ports.register(0x00, 16, {
        readPort: (offset) => this.readRegister(0, offset),
        writePort: (offset, _size, value) => this.writeRegister(0, offset, value),
      }),
    );
    // The second controller's registers are two ports apart; the odd ones alias.
    store.add(
      ports.register(0xc0, 32, {
        readPort: (offset) => this.readRegister(1, offset >> 1),
        writePort: (offset, _size, value) => this.writeRegister(1, offset >> 1, value),
      }),
    );
    store.add(
      ports.register(PAGE_PORT_FIRST, PAGE_PORT_COUNT, {
        readPort: (offset) => this.pages[offset + 1] ?? 0,
        writePort: (offset, _size, value) => {
          this.pages[offset + 1] = value;
        },
      }),
    );
    return store;
  }

  /** The device's side of channel 0-3 or 5-7. */
  channel(number: number): DmaChannel {
    const isReady = (): boolean => this.isReady(number);
    const remaining = (): number => ((this.channels[number]?.count ?? 0) + 1) * (number < CASCADE_CHANNEL ? 1 : 2);
    return {
      read: (target) => this.transfer(number, target, false),
      write: (source) => this.transfer(number, source, true),
      get ready() {
        return isReady();
      },
      get remainingBytes() {
        return remaining();
      },
      onReady: (listener) => {
        const listeners = this.readyListeners[number];
        listeners?.add(listener);
        return toDisposable(() => listeners?.delete(listener));
      },
    };
  }

  private isReady(number: number): boolean {
    const controller = this.controllers[number >> 2];
    if (
      controller === undefined ||
      (controller.command & COMMAND_DISABLE) !== 0 ||
      (controller.mask & (1 << (number & 3))) !== 0
    )
      return false;
    // Channels 0-3 pass through the cascade channel of the second controller.
    return (
      number >= CASCADE_CHANNEL ||
      ((this.controllers[1].command & COMMAND_DISABLE) === 0 && (this.controllers[1].mask & 1) === 0)
    );
  }

  private pageOf(number: number): number {
    return this.pages[PAGE_CHANNEL.indexOf(number)] ?? 0;
  }

  /** Physical address of the channel's next byte (word for channels 5-7). */
  private physicalAddress(number: number, channel: Channel): number {
    const page = this.pageOf(number);
    if (number < CASCADE_CHANNEL) return (page << 16) | channel.address;
    return ((page & 0xfe) << 16) | (channel.address << 1);
  }

  /** @param toMemory the device writes: data goes to memory if the channel is programmed that way */
  private transfer(number: number, data: Uint8Array, toMemory: boolean): DmaResult {
    const channel = this.channels[number];
    if (channel === undefined || !this.isReady(number)) return { bytes: 0, terminalCount: false };
    const unit = number < CASCADE_CHANNEL ? 1 : 2;
    const kind = channel.mode & MODE_TRANSFER;
    const units = Math.min(Math.floor(data.length / unit), channel.count + 1);
    if (units === 0) return { bytes: 0, terminalCount: false };
    const bytes = units * unit;
    const moves = kind === (toMemory ? MODE_WRITE : MODE_READ);
    if (!moves && !toMemory && kind === MODE_VERIFY) data.fill(0xff, 0, bytes);
    if (moves) this.move(number, channel, data.subarray(0, bytes), toMemory, unit);
    else this.step(channel, units);
    const terminalCount = channel.count === 0xffff;
    if (terminalCount) this.reachTerminalCount(number, channel);
    return { bytes, terminalCount };
  }

  /** Moves data in pieces that do not wrap: the address counter is 16 bits wide and never carries into the page. */
  private move(number: number, channel: Channel, data: Uint8Array, toMemory: boolean, unit: number): void {
    const down = (channel.mode & MODE_DOWN) !== 0;
    for (let at = 0; at < data.length;) {
      const units = down ? 1 : Math.min((data.length - at) / unit, 0x10000 - channel.address);
      const piece = data.subarray(at, at + units * unit);
      const address = this.physicalAddress(number, channel);
      if (toMemory) this.memory.write(address, piece);
      else this.memory.read(address, piece);
      this.step(channel, units);
      at += piece.length;
    }
  }

  private step(channel: Channel, units: number): void {
    const change = (channel.mode & MODE_DOWN) !== 0 ? -units : units;
    channel.address = (channel.address + change) & 0xffff;
    channel.count = (channel.count - units) & 0xffff;
  }

  private reachTerminalCount(number: number, channel: Channel): void {
    const controller = this.controllers[number >> 2];
    if (controller === undefined) return;
    const bit = 1 << (number & 3);
    controller.status |= bit;
    controller.request &= ~bit;
    if ((channel.mode & MODE_AUTOINIT) !== 0) {
      channel.address = channel.baseAddress;
      channel.count = channel.baseCount;
    } else {
      controller.mask |= bit;
    }
  }

  private readRegister(unit: 0 | 1, register: number): number {
    const controller = this.controllers[unit];
    if (register < 8) {
      const channel = this.channels[unit * 4 + (register >> 1)];
      const value = (register & 1) === 0 ? (channel?.address ?? 0) : (channel?.count ?? 0);
      return this.takeHalf(controller, value);
    }
    if (register === 8) {
      const { status } = controller;
      controller.status &= ~0x0f; // reading clears the terminal count bits
      return (status & 0x0f) | (controller.request << 4);
    }
    return register === 15 ? controller.mask | 0xf0 : 0;
  }

  private takeHalf(controller: Controller, value: number): number {
    const high = controller.flipFlop;
    controller.flipFlop = !high;
    return high ? value >> 8 : value & 0xff;
  }

  private writeRegister(unit: 0 | 1, register: number, value: number): void {
    const controller = this.controllers[unit];
    const bit = 1 << (value & 3);
    switch (register) {
      case 8:
        controller.command = value;
        break;
      case 9:
        controller.request = (value & 4) !== 0 ? controller.request | bit : controller.request & ~bit;
        break;
      case 10:
        controller.mask = (value & 4) !== 0 ? controller.mask | bit : controller.mask & ~bit;
        break;
      case 11: {
        const channel = this.channels[unit * 4 + (value & 3)];
        if (channel !== undefined) channel.mode = value & 0xfc;
        break;
      }
      case 12:
        controller.flipFlop = false;
        break;
      case 13:
        clearController(controller);
        break;
      case 14:
        controller.mask = 0;
        break;
      case 15:
        controller.mask = value & 0x0f;
        break;
      default:
        this.writeChannel(unit, register, value);
        return;
    }
    this.announceReady();
  }

  private writeChannel(unit: 0 | 1, register: number, value: number): void {
    const controller = this.controllers[unit];
    const channel = this.channels[unit * 4 + (register >> 1)];
    if (channel === undefined) return;
    const high = controller.flipFlop;
    controller.flipFlop = !high;
    const put = (old: number): number => (high ? (old & 0xff) | (value << 8) : (old & 0xff00) | value);
    // A write goes to base and current register together.
    if ((register & 1) === 0) {
      channel.baseAddress = put(channel.baseAddress);
      channel.address = put(channel.address);
    } else {
      channel.baseCount = put(channel.baseCount);
      channel.count = put(channel.count);
    }
  }

  private announceReady(): void {
    for (let number = 0; number < CHANNELS; number++) {
      const listeners = this.readyListeners[number];
      if (listeners === undefined || listeners.size === 0 || !this.isReady(number)) continue;
      for (const listener of [...listeners]) listener();
    }
  }

  reset(): void {
    for (const controller of this.controllers) clearController(controller);
    for (const channel of this.channels)
      Object.assign(channel, { baseAddress: 0, baseCount: 0, address: 0, count: 0, mode: 0 });
    this.pages.fill(0);
  }

  save(): DeviceState {
    return {
      version: VERSION,
      fields: {
        channels: this.channels.map((channel) => ({ ...channel })),
        controllers: this.controllers.map((controller) => ({ ...controller })),
        pages: [...this.pages],
      },
    };
  }

  load(state: DeviceState): void {
    const fields = parseState(this.id, state, VERSION, schema);
    fields.channels.forEach((saved, number) => Object.assign(this.channels[number] ?? {}, saved));
    fields.controllers.forEach((saved, unit) => Object.assign(this.controllers[unit] ?? {}, saved));
    this.pages.set(fields.pages);
  }

  dispose(): void {
    for (const listeners of this.readyListeners) listeners.clear();
  }
}

function newController(): Controller {
  return { command: 0, status: 0, mask: 0x0f, request: 0, flipFlop: false };
}

/** Master clear: as the RESET pin. */
function clearController(controller: Controller): void {
  Object.assign(controller, newController());
}
