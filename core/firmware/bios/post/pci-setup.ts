// PCI in POST: gives every function of bus 0 its I/O and memory ranges, enables it, routes interrupt pins, and sets up the
// chipset's functions (PIIX3 ISA bridge and IDE, PIIX4 power management). Bridges to further buses are left alone.

import type { Logger } from '../../../base/logger.ts';
import type { PortBus } from '../../../bus/port-bus.ts';
import { PciConfig } from '../services/pci-config.ts';

const COMMAND = 0x04;
const COMMAND_IO = 0x01;
const COMMAND_MEMORY = 0x02;
const COMMAND_MASTER = 0x04;
const BAR0 = 0x10;
const BAR_IO = 0x01;
const BAR_64BIT = 0x04;
const HEADER_TYPE = 0x0e;
const INTERRUPT_LINE = 0x3c;
const INTERRUPT_PIN = 0x3d;

const I440FX = 0x12378086;
const PAM1 = 0x5a;
/** C0000-C7FFF: reads from RAM, writes go nowhere. */
const SHADOW_READ_ONLY = 0x11;
const PIIX3_ISA = 0x70008086;
const PIIX3_IDE = 0x70108086;
const PIIX4_PM = 0x71138086;
const PIRQ_ROUTES = 0x60;
const IDE_TIMING = 0x40;
const IDE_DECODE = 0x8000;
const PM_BASE = 0x40;
const PM_MISC = 0x80;
const SMBUS_BASE = 0x90;
const SMBUS_CONFIG = 0xd2;
/** ACPI I/O and SMBus I/O bases, as the ACPI tables say. */
export const PM_IO_BASE = 0x600;
const SMBUS_IO_BASE = 0x700;
const SCI_IRQ = 9;
const ELCR1 = 0x4d0;

const IO_FIRST = 0xc000;
const IO_LAST = 0xffff;
const MEMORY_LAST = 0xfebfffff;

interface Bar {
  readonly place: number;
  readonly register: number;
  readonly size: number;
  readonly io: boolean;
  readonly wide: boolean;
}

export class PciSetup {
  private readonly ports: PortBus;
  private readonly config: PciConfig;
  private readonly log: Logger;
  private readonly routes: readonly number[];
  private readonly memoryBase: number;

  constructor(ports: PortBus, log: Logger, routes: readonly number[], memoryBase: number) {
    this.ports = ports;
    this.config = new PciConfig(ports);
    this.log = log;
    this.routes = routes;
    this.memoryBase = memoryBase;
  }

  run(): void {
    const functions = [...this.config.functions()];
    const bars: Bar[] = [];
    for (const { place } of functions)
      if ((this.config.read(place, HEADER_TYPE, 1) & 0x7f) === 0) bars.push(...this.measure(place));
    this.assign(bars);
    for (const { place, id } of functions) {
      this.enable(place, bars);
      this.setChipset(place, id);
      this.routeInterrupt(place, id);
    }
    let levels = 0;
    for (const irq of this.routes) levels |= 1 << irq;
    this.ports.write(ELCR1, 1, levels & 0xff);
    this.ports.write(ELCR1 + 1, 1, levels >> 8);
  }

  private measure(place: number): Bar[] {
    const { config } = this;
    const bars: Bar[] = [];
    const command = config.read(place, COMMAND, 2);
    // Decoding is off while all ones are in the registers.
    config.write(place, COMMAND, 2, command & ~(COMMAND_IO | COMMAND_MEMORY));
    for (let register = BAR0; register < BAR0 + 24; register += 4) {
      const old = config.read(place, register, 4);
      config.write(place, register, 4, 0xffffffff);
      const mask = config.read(place, register, 4);
      config.write(place, register, 4, old);
      if (mask === 0 || mask === 0xffffffff) continue;
      const io = (mask & BAR_IO) !== 0;
      const wide = !io && (mask & 0x06) === BAR_64BIT;
      // 16-bit I/O decoders answer with zeroes in the upper half.
      const bits = io ? (mask & 0xfffc) | 0xffff0000 : mask & 0xfffffff0;
      const size = (~bits + 1) >>> 0;
      if (size !== 0) bars.push({ place, register, size, io, wide });
      if (wide) register += 4;
    }
    config.write(place, COMMAND, 2, command);
    return bars;
  }

  /** Largest first, so that natural alignment leaves no holes. */
  private assign(bars: Bar[]): void {
    bars.sort((a, b) => b.size - a.size || a.place - b.place || a.register - b.register);
    let io = IO_FIRST;
    let memory = this.memoryBase;
    for (const bar of bars) {
      const next = Math.ceil((bar.io ? io : memory) / bar.size) * bar.size;
      if (next + bar.size - 1 > (bar.io ? IO_LAST : MEMORY_LAST)) {
        this.log.log('warn', 'no room for a PCI range', { place: bar.place, register: bar.register, size: bar.size });
        continue;
      }
      this.config.write(bar.place, bar.register, 4, next);
      if (bar.wide) this.config.write(bar.place, bar.register + 4, 4, 0);
      // Memory ranges below a page are kept apart so that each page belongs to one device.
      if (bar.io) io = next + bar.size;
      else memory = next + Math.max(bar.size, 0x1000);
    }
  }

  private enable(place: number, bars: readonly Bar[]): void {
    const own = bars.filter((bar) => bar.place === place);
    let command = this.config.read(place, COMMAND, 2);
    if (own.some((bar) => bar.io)) command |= COMMAND_IO;
    if (own.some((bar) => !bar.io)) command |= COMMAND_MEMORY;
    if (own.length > 0) command |= COMMAND_MASTER;
    this.config.write(place, COMMAND, 2, command);
  }

  private setChipset(place: number, id: number): void {
    const { config } = this;
    if (id === I440FX) config.write(place, PAM1, 1, SHADOW_READ_ONLY);
    if (id === PIIX3_ISA) this.routes.forEach((irq, index) => config.write(place, PIRQ_ROUTES + index, 1, irq));
    if (id === PIIX3_IDE) {
      config.write(place, IDE_TIMING, 2, IDE_DECODE);
      config.write(place, IDE_TIMING + 2, 2, IDE_DECODE);
      // The fixed IDE ports are decoded with the I/O bit.
      config.write(place, COMMAND, 2, config.read(place, COMMAND, 2) | COMMAND_IO | COMMAND_MASTER);
    }
    if (id === PIIX4_PM) {
      config.write(place, PM_BASE, 4, PM_IO_BASE | 1);
      config.write(place, PM_MISC, 1, config.read(place, PM_MISC, 1) | 1);
      config.write(place, SMBUS_BASE, 4, SMBUS_IO_BASE | 1);
      config.write(place, SMBUS_CONFIG, 1, 0x09);
    }
  }

  private routeInterrupt(place: number, id: number): void {
    const pin = this.config.read(place, INTERRUPT_PIN, 1);
    if (pin === 0 || pin > 4) return;
    // The i440FX board turns the pins by one for each slot: PIRQ = (slot - 1 + pin) mod 4.
    const slot = place >> 3;
    const irq = id === PIIX4_PM ? SCI_IRQ : this.routes[(slot + pin - 2) & 3];
    if (irq !== undefined) this.config.write(place, INTERRUPT_LINE, 1, irq);
  }
}
