// POST of the chips on the board, by their ports: interrupt controllers, timer, DMA, keyboard controller, clock chip with
// its CMOS fields, serial ports.

import type { PortBus } from '../../../bus/port-bus.ts';
import type { Geometry } from '../disk/geometry.ts';

const CMOS_INDEX = 0x70;
const CMOS_DATA = 0x71;
const RTC_A = 0x0a;
const RTC_B = 0x0b;
const SHUTDOWN = 0x0f;
const COM_BASES = [0x3f8, 0x2f8, 0x3e8, 0x2e8];
const LPT_BASES = [0x378, 0x278];
const UART_SCRATCH = 7;
const KIB = 1024;
const MIB = 1024 * KIB;

export interface CmosContents {
  readonly lowRamBytes: number;
  readonly highRamBytes: number;
  readonly equipment: number;
  /** Types of floppy drives A and B, 0 for none. */
  readonly floppyTypes: readonly number[];
  readonly disks: readonly Geometry[];
}

export class ChipsetSetup {
  private readonly ports: PortBus;

  constructor(ports: PortBus) {
    this.ports = ports;
  }

  private out(port: number, value: number): void {
    this.ports.write(port, 1, value);
  }

  private readCmos(index: number): number {
    this.out(CMOS_INDEX, index);
    return this.ports.read(CMOS_DATA, 1);
  }

  private writeCmos(index: number, value: number): void {
    this.out(CMOS_INDEX, index);
    this.out(CMOS_DATA, value & 0xff);
  }

  /** The shutdown code that tells how to go on after a reset; it is used up. */
  takeShutdownCode(): number {
    const code = this.readCmos(SHUTDOWN);
    if (code !== 0) this.writeCmos(SHUTDOWN, 0);
    return code;
  }

  /** Shutdown code 5 asks for it. */
  endInterrupt(): void {
    this.out(0xa0, 0x20);
    this.out(0x20, 0x20);
  }

  run(): void {
    // A20 on by the fast gate; SeaBIOS and most boards hand over like this.
    this.out(0x92, (this.ports.read(0x92, 1) | 2) & 0xfe);
    this.interruptControllers();
    this.timers();
    this.dma();
    this.keyboardController();
    this.writeCmos(RTC_A, 0x26);
    this.writeCmos(RTC_B, (this.readCmos(RTC_B) & 0x05) | 0x02);
    this.readCmos(0x0c);
  }

  private interruptControllers(): void {
    this.out(0x20, 0x11);
    this.out(0xa0, 0x11);
    this.out(0x21, 0x08);
    this.out(0xa1, 0x70);
    this.out(0x21, 0x04);
    this.out(0xa1, 0x02);
    this.out(0x21, 0x01);
    this.out(0xa1, 0x01);
    // Timer, keyboard, cascade and floppy; clock chip, pointing device, x87 and disks.
    this.out(0x21, 0xb8);
    this.out(0xa1, 0x8e);
  }

  private timers(): void {
    this.out(0x43, 0x36);
    this.out(0x40, 0);
    this.out(0x40, 0);
    // Memory refresh, 15 microseconds.
    this.out(0x43, 0x54);
    this.out(0x41, 18);
    this.out(0x61, this.ports.read(0x61, 1) & 0xfc);
  }

  private dma(): void {
    this.out(0x0d, 0);
    this.out(0xda, 0);
    this.out(0xd6, 0xc0);
    this.out(0xd4, 0);
  }

  private keyboardController(): void {
    for (let i = 0; i < 32 && (this.ports.read(0x64, 1) & 1) !== 0; i++) this.ports.read(0x60, 1);
    // Enable the keyboard; interrupt and translation on, pointing device interrupt off until C2 functions enable it.
    this.out(0x64, 0xae);
    this.out(0x64, 0xa8);
    this.out(0x64, 0x60);
    this.out(0x60, 0x45);
    // Set defaults and scan; the answers come by IRQ1 later.
    this.out(0x60, 0xf4);
  }

  /** Ports of the UARTs that are there. */
  serialPorts(): number[] {
    return COM_BASES.filter((base) => {
      this.out(base + UART_SCRATCH, 0x5a);
      if (this.ports.read(base + UART_SCRATCH, 1) !== 0x5a) return false;
      this.out(base + UART_SCRATCH, 0xa5);
      return this.ports.read(base + UART_SCRATCH, 1) === 0xa5;
    });
  }

  parallelPorts(): number[] {
    return LPT_BASES.filter((base) => {
      this.out(base, 0xaa);
      return this.ports.read(base, 1) === 0xaa;
    });
  }

  /** The fields that operating systems and old programs read. */
  fillCmos(contents: CmosContents): void {
    const { floppyTypes, disks, lowRamBytes, highRamBytes } = contents;
    this.writeCmos(0x10, ((floppyTypes[0] ?? 0) << 4) | (floppyTypes[1] ?? 0));
    this.writeCmos(0x12, (disks.length > 0 ? 0xf0 : 0) | (disks.length > 1 ? 0x0f : 0));
    this.writeCmos(0x14, contents.equipment);
    this.writeWord(0x15, 640);
    const extended = Math.min(0xffff, Math.max(0, Math.floor((lowRamBytes - MIB) / KIB)));
    this.writeWord(0x17, extended);
    this.writeCmos(0x19, disks.length > 0 ? 47 : 0);
    this.writeCmos(0x1a, disks.length > 1 ? 47 : 0);
    disks.slice(0, 2).forEach(({ cylinders, heads, sectors }, index) => {
      const at = 0x1b + index * 9;
      this.writeWord(at, cylinders);
      this.writeCmos(at + 2, heads);
      this.writeWord(at + 3, 0xffff);
      this.writeCmos(at + 5, heads > 8 ? 0xc8 : 0xc0);
      this.writeWord(at + 6, cylinders);
      this.writeCmos(at + 8, sectors);
    });
    let sum = 0;
    for (let i = 0x10; i < 0x2e; i++) sum += this.readCmos(i);
    this.writeCmos(0x2e, sum >> 8);
    this.writeCmos(0x2f, sum);
    this.writeWord(0x30, extended);
    this.writeWord(0x34, Math.min(0xffff, Math.max(0, Math.floor((lowRamBytes - 16 * MIB) / (64 * KIB)))));
    const high = Math.floor(highRamBytes / (64 * KIB));
    this.writeWord(0x5b, high);
    this.writeCmos(0x5d, high >> 16);
  }

  private writeWord(index: number, value: number): void {
    this.writeCmos(index, value);
    this.writeCmos(index + 1, value >> 8);
  }
}
