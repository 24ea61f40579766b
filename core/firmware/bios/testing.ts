// Support for the unit tests of this folder: the BIOS on real board devices with a CPU that only has a stack, and calls of
// its services as a ROM stub makes them.

import type { Disposable } from '../../base/disposable.ts';
import { nullLogger } from '../../base/logger.ts';
import type { BlockDevice } from '../../block/block-device.ts';
import type { DmaMemory } from '../../bus/dma.ts';
import type { IoScheduler } from '../../bus/io-scheduler.ts';
import { MmioBus } from '../../bus/mmio-bus.ts';
import { PortBus } from '../../bus/port-bus.ts';
import type { Device } from '../../devices/device.ts';
import { monitorEdid } from '../../devices/display/edid.ts';
import { cp437Font8x14, cp437Font8x16, cp437Font8x8 } from '../../devices/display/fonts/cp437-font.ts';
import { VgaPci } from '../../devices/display/vga-pci.ts';
import { I8042 } from '../../devices/input/i8042.ts';
import { I440fx } from '../../devices/pci/i440fx.ts';
import { PciBus } from '../../devices/pci/pci-bus.ts';
import { BusPciMapper } from '../../devices/pci/pci-mapper.ts';
import { Piix3 } from '../../devices/pci/piix3.ts';
import { Piix4Pm } from '../../devices/pci/piix4-pm.ts';
import { Pic8259 } from '../../devices/platform/pic-8259.ts';
import { RtcMc146818 } from '../../devices/platform/rtc-mc146818.ts';
import { TestClock, TestLine } from '../../devices/platform/testing.ts';
import { Uart16550 } from '../../devices/platform/uart-16550.ts';
import { type Bios, createBios } from './bios.ts';
import { ACTION_PENDING, FRAME_BYTES, TRAP_PORT_BASE, TRAP_POST, TRAP_SERVICE } from './rom/trap.ts';
import type { BiosCpu, BiosDrive, BiosOptions } from './types.ts';

export const TEST_RAM_BYTES = 4 << 20;
const VRAM_BYTES = 16 << 20;
const STACK = 0x7000;
const STEP_NS = 100_000;

/** Registers of a service call; those not given are 0. */
export interface Registers {
  eax?: number;
  ebx?: number;
  ecx?: number;
  edx?: number;
  esi?: number;
  edi?: number;
  ebp?: number;
  es?: number;
  ds?: number;
  flags?: number;
  /** Value of the ESP slot (keyboard stub). */
  spare?: number;
}

export interface Result extends Required<Registers> {
  action: number;
  ax: number;
  bx: number;
  cx: number;
  dx: number;
  ah: number;
  al: number;
  bh: number;
  bl: number;
  cs: number;
  ip: number;
  carry: boolean;
  zero: boolean;
}

const OFFSETS = { edi: 0, esi: 4, ebp: 8, spare: 12, ebx: 16, edx: 20, ecx: 24, eax: 28 } as const;

class FlatMemory implements DmaMemory {
  readonly bytes = new Uint8Array(TEST_RAM_BYTES);
  private readonly view = new DataView(this.bytes.buffer);

  read(address: number, target: Uint8Array): void {
    target.fill(0xff);
    if (address < this.bytes.length) target.set(this.bytes.subarray(address, address + target.length));
  }

  write(address: number, source: Uint8Array): void {
    if (address + source.length <= this.bytes.length) this.bytes.set(source, address);
  }

  read8(address: number): number {
    return this.bytes[address] ?? 0xff;
  }

  read16(address: number): number {
    return this.view.getUint16(address, true);
  }

  read32(address: number): number {
    return this.view.getUint32(address, true);
  }

  write8(address: number, value: number): void {
    this.view.setUint8(address, value);
  }

  write16(address: number, value: number): void {
    this.view.setUint16(address, value, true);
  }

  write32(address: number, value: number): void {
    this.view.setUint32(address, value, true);
  }
}

/** Completes host work by promises, as a machine with the host clock does. */
const promisedIo: IoScheduler = {
  submit(work, done, failed) {
    let cancelled = false;
    void Promise.resolve()
      .then(work)
      .then(
        (value) => (cancelled ? undefined : done(value)),
        (error: unknown) => (cancelled ? undefined : failed(error)),
      );
    return {
      cancel: () => {
        cancelled = true;
      },
    };
  },
};

export class BiosBench {
  readonly ports = new PortBus();
  readonly mmio = new MmioBus();
  readonly memory = new FlatMemory();
  readonly clock = new TestClock();
  readonly vga: VgaPci;
  readonly keyboard: I8042;
  readonly irq1 = new TestLine();
  readonly irq12 = new TestLine();
  readonly serialOutput: number[] = [];
  readonly serial: Uart16550;
  readonly bios: Bios;

  constructor(options: Partial<BiosOptions> = {}) {
    const { clock } = this;
    const unwired = new TestLine();
    const pci = new PciBus({ mapper: new BusPciMapper({ ports: this.ports, mmio: this.mmio }) });
    const south = new Piix3({
      isaIrqs: Array.from({ length: 16 }, () => new TestLine()),
      onReset: () => undefined,
      log: nullLogger,
    });
    this.vga = new VgaPci({
      vram: new Uint8Array(VRAM_BYTES),
      vramDirty: { takeDirty: () => true },
      clock,
      log: nullLogger,
      saveVram: true,
    });
    pci.add(new I440fx({ ramBytes: TEST_RAM_BYTES, onPam: () => undefined, log: nullLogger }), 0);
    pci.add(south, 1, 0);
    pci.add(
      new Piix4Pm({ clock, sci: unwired, onPowerOff: () => undefined, serial1: true, serial2: false, log: nullLogger }),
      1,
      3,
    );
    pci.add(this.vga, 2);
    south.connect(pci);
    this.keyboard = new I8042({
      clock,
      irq1: this.irq1,
      irq12: this.irq12,
      onA20: () => undefined,
      onReset: () => undefined,
      log: nullLogger,
    });
    this.serial = new Uart16550({
      id: 'com1',
      base: 0x3f8,
      clock,
      irq: unwired,
      onTransmit: (byte) => this.serialOutput.push(byte),
    });
    const rtc = new RtcMc146818({
      clock,
      wallClock: { epochMsAtPowerOn: Date.UTC(2026, 10, 22, 12, 0, 0) },
      irq8: unwired,
    });
    const devices: (Device & { attach(ports: PortBus): Disposable })[] = [
      pci,
      this.keyboard,
      this.serial,
      rtc,
      new Pic8259({ intr: unwired }),
    ];
    for (const device of devices) {
      device.reset('power');
      device.attach(this.ports);
    }
    this.vga.reset('power');
    for (const range of this.vga.adapter.ports())
      this.ports.register(range.base, range.count, range.device, range.maxSize);
    this.mmio.register(0xa0000, 0x20000, this.vga.adapter.window);
    this.bios = createBios(
      {
        lowRamBytes: TEST_RAM_BYTES,
        highRamBytes: 0,
        drives: [],
        bootOrder: ['floppy', 'cdrom', 'disk'],
        fonts: { font8: cp437Font8x8(), font14: cp437Font8x14(), font16: cp437Font8x16() },
        edid: monitorEdid(),
        ...options,
      },
      {
        cpu: () => this.cpu,
        memory: this.memory,
        ports: this.ports,
        io: promisedIo,
        clock,
        yieldCpu: () => undefined,
        log: nullLogger,
      },
    );
    this.bios.device.attach(this.ports);
  }

  /** Runs POST. @returns the action for the reset stub */
  post(): number {
    return this.ports.read(TRAP_PORT_BASE + TRAP_POST, 1);
  }

  private readonly cpu: BiosCpu = {
    getRegister32: () => 0xdead0000 + STACK - FRAME_BYTES,
    getSegment: () => ({ selector: 0, base: 0 }),
    readLinear: (address, target) => {
      for (let i = 0; i < target.length; i++) target[i] = this.read8(address + i);
      return true;
    },
    writeLinear: (address, source) => {
      source.forEach((value, i) => this.write8(address + i, value));
      return true;
    },
  };

  private isWindow(address: number): boolean {
    return address >= 0xa0000 && address < 0xc0000;
  }

  read8(address: number): number {
    if (this.isWindow(address)) return this.mmio.read(address, 1);
    if (address >= 0xe0000 && address < 0x100000) return this.bios.rom[address - 0xe0000] ?? 0xff;
    return this.memory.read8(address);
  }

  write8(address: number, value: number): void {
    if (this.isWindow(address)) this.mmio.write(address, 1, value);
    else if (address < 0xc0000 || address >= 0x100000) this.memory.write8(address, value);
  }

  read16(address: number): number {
    return this.read8(address) | (this.read8(address + 1) << 8);
  }

  read32(address: number): number {
    return (this.read16(address) | (this.read16(address + 2) << 16)) >>> 0;
  }

  bytes(address: number, count: number): number[] {
    return Array.from({ length: count }, (_, i) => this.read8(address + i));
  }

  text(address: number, count: number): string {
    return String.fromCharCode(...this.bytes(address, count));
  }

  set(address: number, values: readonly number[] | Uint8Array): void {
    values.forEach((value, i) => this.write8(address + i, value));
  }

  private writeFrame(service: number, registers: Registers): void {
    const frame = new Uint8Array(FRAME_BYTES);
    const view = new DataView(frame.buffer);
    for (const [name, offset] of Object.entries(OFFSETS))
      view.setUint32(offset, registers[name as keyof typeof OFFSETS] ?? 0, true);
    view.setUint16(32, registers.es ?? 0, true);
    view.setUint16(34, registers.ds ?? 0, true);
    view.setUint16(36, service, true);
    view.setUint16(42, registers.flags ?? 0x0202, true);
    this.memory.write(STACK - FRAME_BYTES, frame);
  }

  private readFrame(action: number): Result {
    const at = STACK - FRAME_BYTES;
    const m = this.memory;
    const flags = m.read16(at + 42);
    const [eax, ebx] = [m.read32(at + 28), m.read32(at + 16)];
    return {
      action,
      eax,
      ebx,
      ecx: m.read32(at + 24),
      edx: m.read32(at + 20),
      esi: m.read32(at + 4),
      edi: m.read32(at),
      ebp: m.read32(at + 8),
      spare: m.read32(at + 12),
      es: m.read16(at + 32),
      ds: m.read16(at + 34),
      ip: m.read16(at + 38),
      cs: m.read16(at + 40),
      flags,
      ax: eax & 0xffff,
      bx: ebx & 0xffff,
      cx: m.read16(at + 24),
      dx: m.read16(at + 20),
      ah: (eax >> 8) & 0xff,
      al: eax & 0xff,
      bh: (ebx >> 8) & 0xff,
      bl: ebx & 0xff,
      carry: (flags & 1) !== 0,
      zero: (flags & 0x40) !== 0,
    };
  }

  /** A call whose service must answer at once. */
  call(service: number, registers: Registers = {}): Result {
    this.writeFrame(service, registers);
    return this.readFrame(this.ports.read(TRAP_PORT_BASE + TRAP_SERVICE, 1));
  }

  /** The stub's loop: asks again, letting time and host work pass, until the service is done or waits for an interrupt. */
  async callAsync(service: number, registers: Registers = {}): Promise<Result> {
    let result = this.call(service, registers);
    for (let turns = 0; result.action === ACTION_PENDING; turns++) {
      if (turns > 20_000) throw new Error('the service does not end');
      result = await this.again();
    }
    return result;
  }

  /** The stub asks once more with the frame as it is. */
  async again(): Promise<Result> {
    // Host work takes a few turns of the promise queue.
    for (let i = 0; i < 20; i++) await Promise.resolve();
    this.clock.advance(STEP_NS);
    return this.readFrame(this.ports.read(TRAP_PORT_BASE + TRAP_SERVICE, 1));
  }

  /** The screen's lines without trailing blanks. */
  screen(): string[] {
    return (this.vga.adapter.textScreen()?.lines ?? []).map((line) => line.trimEnd());
  }
}

/** A medium in memory. */
export class MemoryMedium implements BlockDevice {
  readonly data: Uint8Array;
  readonly readOnly: boolean;
  failing = false;

  constructor(data: Uint8Array | number, readOnly = false) {
    this.data = typeof data === 'number' ? new Uint8Array(data) : data;
    this.readOnly = readOnly;
  }

  get sizeBytes(): number {
    return this.data.length;
  }

  read(offset: number, target: Uint8Array): Promise<void> {
    if (this.failing || offset + target.length > this.data.length) return Promise.reject(new Error('medium error'));
    target.set(this.data.subarray(offset, offset + target.length));
    return Promise.resolve();
  }

  write(offset: number, source: Uint8Array): Promise<void> {
    if (this.failing || offset + source.length > this.data.length) return Promise.reject(new Error('medium error'));
    this.data.set(source, offset);
    return Promise.resolve();
  }

  flush(): Promise<void> {
    return Promise.resolve();
  }

  writeZeroes(): Promise<void> {
    return Promise.resolve();
  }

  discard(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

export function drive(
  kind: BiosDrive['kind'],
  medium: MemoryMedium | undefined,
  extra: Partial<BiosDrive> = {},
): BiosDrive {
  return { kind, name: kind, medium: () => medium, ...extra };
}
