// Intel 82093AA I/O APIC with 24 inputs at FEC00000h, version 20h (with the EOI register at offset 40h).
// Not emulated: input polarity (all wires of the board are active when true), the APIC bus's arbitration.

import { z } from 'zod';
import type { Disposable } from '../../base/disposable.ts';
import {
  DELIVERY_EXTINT,
  DELIVERY_FIXED,
  DELIVERY_LOWEST_PRIORITY,
  type EoiListener,
  type InterruptBus,
} from '../../bus/interrupt-bus.ts';
import type { IrqLine } from '../../bus/irq.ts';
import type { MmioBus, MmioDevice } from '../../bus/mmio-bus.ts';
import type { AccessSize } from '../../bus/port-bus.ts';
import type { Device, DeviceState } from '../device.ts';
import { parseState } from '../state.ts';
import { listOf, u32, u4, u8 } from './state-fields.ts';

export const IO_APIC_BASE = 0xfec0_0000;
export const IO_APIC_PINS = 24;
const VERSION = 1;
const WINDOW_BYTES = 0x1000;
/** Above PCI ranges, which a guest may place anywhere. */
const PRIORITY = 1;

const IOREGSEL = 0x00;
const IOWIN = 0x10;
const EOIR = 0x40;

const REGISTER_ID = 0x00;
const REGISTER_VERSION = 0x01;
const REGISTER_ARBITRATION = 0x02;
const REDIRECTION = 0x10;
const VERSION_VALUE = 0x20 | ((IO_APIC_PINS - 1) << 16);

const LOGICAL = 0x0800;
const REMOTE_IRR = 0x4000;
const LEVEL = 0x8000;
const MASKED = 0x10000;
const LOW_WRITABLE = 0x1afff;

const schema = z.strictObject({
  select: u8,
  apicId: u4,
  low: listOf(u32, IO_APIC_PINS),
  high: listOf(u32, IO_APIC_PINS),
  lines: z
    .int()
    .min(0)
    .max(2 ** IO_APIC_PINS - 1),
});

export interface IoApicOptions {
  readonly id?: string | undefined;
  readonly bus: InterruptBus;
}

export class IoApic implements Device, MmioDevice, EoiListener {
  readonly id: string;
  private readonly bus: InterruptBus;
  private select = 0;
  private apicId = 0;
  private readonly low = new Uint32Array(IO_APIC_PINS);
  private readonly high = new Uint32Array(IO_APIC_PINS);
  private lines = 0;
  private readonly listening: Disposable;

  constructor(options: IoApicOptions) {
    this.id = options.id ?? 'io-apic';
    this.bus = options.bus;
    this.listening = options.bus.addEoiListener(this);
    this.reset();
  }

  /** The wire of input 0..23. */
  pin(number: number): IrqLine {
    return { set: (level) => this.setPin(number, level) };
  }

  attach(mmio: MmioBus): Disposable {
    return mmio.register(IO_APIC_BASE, WINDOW_BYTES, this, PRIORITY);
  }

  readMmio(offset: number, size: AccessSize): number {
    const shift = (offset & 3) * 8;
    const mask = size === 4 ? 0xffffffff : size === 2 ? 0xffff : 0xff;
    // The registers repeat each 256 bytes of the window.
    const register = offset & 0xfc;
    const value = register === IOREGSEL ? this.select : register === IOWIN ? this.readRegister() : 0;
    return ((value >>> shift) & mask) >>> 0;
  }

  writeMmio(offset: number, _size: AccessSize, value: number): void {
    if ((offset & 3) !== 0) return;
    switch (offset & 0xfc) {
      case IOREGSEL:
        this.select = value & 0xff;
        break;
      case IOWIN:
        this.writeRegister(value);
        break;
      case EOIR:
        this.endOfInterrupt(value & 0xff);
        break;
      default:
        break;
    }
  }

  /** A local APIC (or the guest through EOIR) finished `vector`: level inputs that still ask are sent again. */
  endOfInterrupt(vector: number): void {
    for (let pin = 0; pin < IO_APIC_PINS; pin++) {
      const low = this.low[pin] ?? 0;
      if ((low & (LEVEL | REMOTE_IRR)) !== (LEVEL | REMOTE_IRR) || (low & 0xff) !== vector) continue;
      this.low[pin] = low & ~REMOTE_IRR;
      this.serviceLevel(pin);
    }
  }

  reset(): void {
    this.select = 0;
    this.apicId = 0;
    this.low.fill(MASKED);
    this.high.fill(0);
  }

  save(): DeviceState {
    return {
      version: VERSION,
      fields: { select: this.select, apicId: this.apicId, low: [...this.low], high: [...this.high], lines: this.lines },
    };
  }

  load(state: DeviceState): void {
    const fields = parseState(this.id, state, VERSION, schema);
    this.select = fields.select;
    this.apicId = fields.apicId;
    this.low.set(fields.low.map((value) => value & (LOW_WRITABLE | REMOTE_IRR)));
    this.high.set(fields.high.map((value) => value & 0xff000000));
    this.lines = fields.lines;
  }

  dispose(): void {
    this.listening.dispose();
  }

  private setPin(pin: number, level: boolean): void {
    const bit = 1 << pin;
    if (level === ((this.lines & bit) !== 0)) return;
    this.lines = level ? this.lines | bit : this.lines & ~bit;
    const low = this.low[pin] ?? MASKED;
    if ((low & LEVEL) !== 0) this.serviceLevel(pin);
    // Edges at a masked input are lost, as the data sheet says.
    else if (level && (low & MASKED) === 0) this.send(pin);
  }

  private serviceLevel(pin: number): void {
    const low = this.low[pin] ?? MASKED;
    if ((low & (LEVEL | MASKED | REMOTE_IRR)) !== LEVEL || (this.lines & (1 << pin)) === 0) return;
    const deliveryMode = (low >> 8) & 7;
    // Remote IRR belongs to the modes that end with an EOI. It is set first: the target may finish at once.
    if (deliveryMode === DELIVERY_FIXED || deliveryMode === DELIVERY_LOWEST_PRIORITY) this.low[pin] = low | REMOTE_IRR;
    if (!this.send(pin)) this.low[pin] = low;
  }

  private send(pin: number): boolean {
    const low = this.low[pin] ?? MASKED;
    const deliveryMode = (low >> 8) & 7;
    const level = (low & LEVEL) !== 0 && deliveryMode !== DELIVERY_EXTINT;
    return this.bus.deliver((this.high[pin] ?? 0) >>> 24, (low & LOGICAL) !== 0, deliveryMode, low & 0xff, level);
  }

  private readRegister(): number {
    switch (this.select) {
      case REGISTER_ID:
      case REGISTER_ARBITRATION:
        return this.apicId << 24;
      case REGISTER_VERSION:
        return VERSION_VALUE;
      default: {
        const pin = (this.select - REDIRECTION) >> 1;
        const half = (this.select & 1) === 0 ? this.low : this.high;
        return this.select < REDIRECTION ? 0 : (half[pin] ?? 0);
      }
    }
  }

  private writeRegister(value: number): void {
    if (this.select === REGISTER_ID) {
      this.apicId = (value >>> 24) & 0x0f;
      return;
    }
    const pin = (this.select - REDIRECTION) >> 1;
    if (this.select < REDIRECTION || pin >= IO_APIC_PINS) return;
    if ((this.select & 1) !== 0) {
      this.high[pin] = value & 0xff000000;
      return;
    }
    const before = this.low[pin] ?? MASKED;
    // Switching to edge drops remote IRR: kernels use that to end an interrupt that got stuck.
    const remote = (value & LEVEL) !== 0 ? before & REMOTE_IRR : 0;
    this.low[pin] = (value & LOW_WRITABLE) | remote;
    this.serviceLevel(pin);
  }
}
