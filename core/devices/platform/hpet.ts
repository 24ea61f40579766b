// High Precision Event Timer (IA-PC HPET specification 1.0a): one 64-bit counter at 100 MHz and three comparators at
// FED00000h, periodic mode on all of them, legacy replacement routing of timers 0 and 1.
// Not emulated: FSB (MSI) delivery, which the capability bits do not offer.

import { z } from 'zod';
import type { Clock, Timer } from '../../base/clock.ts';
import type { Disposable } from '../../base/disposable.ts';
import type { IrqLine } from '../../bus/irq.ts';
import type { MmioBus, MmioDevice } from '../../bus/mmio-bus.ts';
import type { AccessSize } from '../../bus/port-bus.ts';
import type { Device, DeviceState } from '../device.ts';
import { parseState } from '../state.ts';
import { listOf, u32 } from './state-fields.ts';
import { MIN_TICK_PERIOD_NS } from './tick-backlog.ts';

export const HPET_BASE = 0xfed0_0000;
const HPET_BYTES = 0x400;
const VERSION = 1;
const TIMERS = 3;
/** Femtoseconds a tick, as the capability register tells. */
const PERIOD_FS = 10_000_000;
const NS_PER_TICK = 10;
const TWO_32 = 0x1_0000_0000;
const TWO_64 = 2 ** 64;

const CAPABILITIES_LOW = 0x8086_a201; // Intel, legacy routing, 64-bit counter, three timers, revision 1
const GENERAL_CONFIG = 0x010;
const GENERAL_STATUS = 0x020;
const MAIN_COUNTER = 0x0f0;
const TIMER_BASE = 0x100;
const TIMER_STRIDE = 0x20;

const ENABLE = 0x1;
const LEGACY = 0x2;

const TN_LEVEL = 0x0002;
const TN_INT_ENABLE = 0x0004;
const TN_PERIODIC = 0x0008;
const TN_PERIODIC_CAPABLE = 0x0010;
const TN_SIZE_64 = 0x0020;
const TN_SET_VALUE = 0x0040;
const TN_MODE_32 = 0x0100;
const TN_ROUTE_SHIFT = 9;
const TN_ROUTE = 0x3e00;
const TN_WRITABLE = TN_LEVEL | TN_INT_ENABLE | TN_PERIODIC | TN_SET_VALUE | TN_MODE_32 | TN_ROUTE;
/** I/O APIC inputs a timer may use: 2, 4, 8, 16-23. */
const ROUTE_CAPABILITY = 0x00ff_0114;

const timerSchema = z.strictObject({ config: u32, comparatorLow: u32, comparatorHigh: u32, periodLow: u32, periodHigh: u32, accumulator: z.boolean() });
const schema = z.strictObject({ config: u32, status: u32, counterLow: u32, counterHigh: u32, timers: listOf(timerSchema, TIMERS) });

export interface HpetOptions {
  readonly id?: string | undefined;
  readonly clock: Clock;
  /** Input 0..23 of the I/O APIC (and of the PIC below 16). */
  readonly irq: (input: number) => IrqLine;
  /** Legacy replacement routing was switched: the 8254 and the RTC must leave IRQ 0 and IRQ 8 alone while it is on. */
  readonly onLegacyReplacement?: ((enabled: boolean) => void) | undefined;
}

/** Comparator of one timer. Counter values are 64-bit as two halves; only differences are used as doubles. */
class Comparator {
  config = 0;
  low = 0xffffffff;
  high = 0xffffffff;
  periodLow = 0;
  periodHigh = 0;
  /** TN_SET_VALUE was written: the next comparator write sets the accumulator and not the period. */
  accumulator = false;
  line: IrqLine | undefined;
  readonly timer: Timer;

  constructor(timer: Timer) {
    this.timer = timer;
  }

  get is32(): boolean {
    return (this.config & TN_MODE_32) !== 0;
  }

  get value(): number {
    return this.is32 ? this.low : this.high * TWO_32 + this.low;
  }

  get period(): number {
    return this.is32 ? this.periodLow : this.periodHigh * TWO_32 + this.periodLow;
  }

  /** Moves the comparator on by whole periods until it lies after `counter`. */
  advancePast(counter: number): void {
    const { period } = this;
    if (period === 0) return;
    const behind = this.is32 ? (counter - this.low) >>> 0 : counter - this.value;
    const steps = behind < 0 ? 0 : Math.floor(behind / period) + 1;
    const sum = this.low + (steps * period) % TWO_32;
    const carry = Math.floor((steps * period) / TWO_32) + (sum >= TWO_32 ? 1 : 0);
    this.low = sum >>> 0;
    if (!this.is32) this.high = (this.high + carry) >>> 0;
  }
}

export class Hpet implements Device, MmioDevice {
  readonly id: string;
  private readonly clock: Clock;
  private readonly irq: (input: number) => IrqLine;
  private readonly onLegacyReplacement: ((enabled: boolean) => void) | undefined;
  private readonly comparators: Comparator[];
  private config = 0;
  private status = 0;
  /** Counter while stopped; while running, the counter minus ticks of the clock at the start. */
  private counter = 0;
  private startedNs = 0;

  constructor(options: HpetOptions) {
    this.id = options.id ?? 'hpet';
    this.clock = options.clock;
    this.irq = options.irq;
    this.onLegacyReplacement = options.onLegacyReplacement;
    this.comparators = Array.from({ length: TIMERS }, (_, index) => new Comparator(this.clock.createTimer(`${this.id}-${index}`, () => this.expire(index))));
    this.reset();
  }

  attach(mmio: MmioBus): Disposable {
    return mmio.register(HPET_BASE, HPET_BYTES, this, 1);
  }

  private get running(): boolean {
    return (this.config & ENABLE) !== 0;
  }

  /** Present counter value; exact below 2^53, which lasts for years. */
  private now(): number {
    const ticks = this.running ? Math.floor((this.clock.nowNs() - this.startedNs) / NS_PER_TICK) : 0;
    return (this.counter + ticks) % TWO_64;
  }

  readMmio(offset: number, size: AccessSize): number {
    const register = this.readRegister(offset & ~3);
    const shifted = register >>> ((offset & 3) * 8);
    return size === 4 ? register : shifted & (size === 2 ? 0xffff : 0xff);
  }

  writeMmio(offset: number, size: AccessSize, value: number): void {
    const base = offset & ~3;
    if (size === 4) {
      this.writeRegister(base, value >>> 0);
      return;
    }
    // Narrow writes are allowed by few chipsets; they merge with the register here.
    const shift = (offset & 3) * 8;
    const mask = (size === 2 ? 0xffff : 0xff) << shift;
    this.writeRegister(base, ((this.readRegister(base) & ~mask) | ((value << shift) & mask)) >>> 0);
  }

  private readRegister(offset: number): number {
    switch (offset) {
      case 0x000:
        return CAPABILITIES_LOW;
      case 0x004:
        return PERIOD_FS;
      case GENERAL_CONFIG:
        return this.config;
      case GENERAL_STATUS:
        return this.status;
      case MAIN_COUNTER:
        return this.now() % TWO_32;
      case MAIN_COUNTER + 4:
        return Math.floor(this.now() / TWO_32);
      default:
        return this.readTimer(offset);
    }
  }

  private readTimer(offset: number): number {
    const comparator = offset >= TIMER_BASE ? this.comparators[(offset - TIMER_BASE) >> 5] : undefined;
    if (comparator === undefined) return 0;
    switch (offset & (TIMER_STRIDE - 1)) {
      case 0x00:
        return (comparator.config | TN_PERIODIC_CAPABLE | TN_SIZE_64) >>> 0;
      case 0x04:
        return ROUTE_CAPABILITY;
      case 0x08:
        return comparator.low;
      case 0x0c:
        return comparator.is32 ? 0 : comparator.high;
      default:
        return 0;
    }
  }

  private writeRegister(offset: number, value: number): void {
    if (offset === GENERAL_CONFIG) this.writeConfig(value);
    else if (offset === GENERAL_STATUS) this.clearStatus(value);
    else if (offset === MAIN_COUNTER || offset === MAIN_COUNTER + 4) this.writeCounter(offset, value);
    else if (offset >= TIMER_BASE) this.writeTimer(offset, value);
  }

  private writeConfig(value: number): void {
    const before = this.config;
    if (this.running && (value & ENABLE) === 0) this.counter = this.now();
    if (!this.running && (value & ENABLE) !== 0) this.startedNs = this.clock.nowNs();
    this.config = value & (ENABLE | LEGACY);
    if (((before ^ this.config) & LEGACY) !== 0) {
      for (let index = 0; index < TIMERS; index++) this.drive(index, false);
      this.onLegacyReplacement?.((this.config & LEGACY) !== 0);
    }
    for (let index = 0; index < TIMERS; index++) {
      this.drive(index, (this.status & (1 << index)) !== 0);
      this.schedule(index);
    }
  }

  private clearStatus(value: number): void {
    for (let index = 0; index < TIMERS; index++) {
      if ((value & this.status & (1 << index)) === 0) continue;
      this.status &= ~(1 << index);
      this.drive(index, false);
    }
  }

  private writeCounter(offset: number, value: number): void {
    // Software writes the counter while it is stopped; a write while it runs restarts it from the written value.
    const current = this.now();
    this.counter = offset === MAIN_COUNTER ? Math.floor(current / TWO_32) * TWO_32 + value : value * TWO_32 + (current % TWO_32);
    this.startedNs = this.clock.nowNs();
    for (let index = 0; index < TIMERS; index++) this.schedule(index);
  }

  private writeTimer(offset: number, value: number): void {
    const index = (offset - TIMER_BASE) >> 5;
    const comparator = this.comparators[index];
    if (comparator === undefined) return;
    switch (offset & (TIMER_STRIDE - 1)) {
      case 0x00: {
        this.drive(index, false);
        comparator.config = value & TN_WRITABLE & ~TN_SET_VALUE;
        if ((value & TN_SET_VALUE) !== 0) comparator.accumulator = true;
        if ((comparator.config & TN_LEVEL) === 0) this.status &= ~(1 << index);
        this.drive(index, (this.status & (1 << index)) !== 0);
        break;
      }
      case 0x08:
        if ((comparator.config & TN_PERIODIC) === 0 || comparator.accumulator) comparator.low = value;
        if ((comparator.config & TN_PERIODIC) !== 0) comparator.periodLow = value;
        if (comparator.is32) comparator.accumulator = false;
        break;
      case 0x0c:
        if (comparator.is32) return;
        if ((comparator.config & TN_PERIODIC) === 0 || comparator.accumulator) comparator.high = value;
        if ((comparator.config & TN_PERIODIC) !== 0) comparator.periodHigh = value;
        comparator.accumulator = false;
        break;
      default:
        return;
    }
    this.schedule(index);
  }

  /** Ticks from now until the counter reaches the comparator; a value already passed comes round again. */
  private ticksUntil(comparator: Comparator): number {
    const now = this.now();
    if (comparator.is32) return (comparator.low - (now % TWO_32) + TWO_32) % TWO_32;
    const distance = comparator.value - now;
    return distance >= 0 ? distance : distance + TWO_64;
  }

  private schedule(index: number): void {
    const comparator = this.comparators[index];
    if (comparator === undefined) return;
    if (!this.running) {
      comparator.timer.disarm();
      return;
    }
    const ticks = this.ticksUntil(comparator);
    // Beyond 2^52 ns the deadline would lose precision and nobody waits that long.
    if (ticks > 2 ** 48) comparator.timer.disarm();
    else comparator.timer.arm(this.clock.nowNs() + ticks * NS_PER_TICK);
  }

  private expire(index: number): void {
    const comparator = this.comparators[index];
    if (comparator === undefined || !this.running) return;
    const periodic = (comparator.config & TN_PERIODIC) !== 0 && comparator.period > 0;
    if (periodic) comparator.advancePast(this.now());
    if ((comparator.config & TN_LEVEL) !== 0) {
      this.status |= 1 << index;
      this.drive(index, true);
    } else if ((comparator.config & TN_INT_ENABLE) !== 0) {
      this.drive(index, true);
      this.drive(index, false);
    }
    if (periodic) {
      const wait = Math.max(this.ticksUntil(comparator) * NS_PER_TICK, MIN_TICK_PERIOD_NS);
      comparator.timer.arm(this.clock.nowNs() + wait);
    } else if (comparator.is32) {
      comparator.timer.arm(this.clock.nowNs() + TWO_32 * NS_PER_TICK);
    }
  }

  private lineOf(index: number): IrqLine {
    if ((this.config & LEGACY) !== 0 && index < 2) return this.irq(index === 0 ? 2 : 8);
    return this.irq(((this.comparators[index]?.config ?? 0) & TN_ROUTE) >> TN_ROUTE_SHIFT);
  }

  /** Drives the interrupt of a timer; a line that the timer has left is released. */
  private drive(index: number, level: boolean): void {
    const comparator = this.comparators[index];
    if (comparator === undefined) return;
    if (!level) {
      comparator.line?.set(false);
      comparator.line = undefined;
    } else if ((comparator.config & TN_INT_ENABLE) !== 0 && this.running) {
      const line = this.lineOf(index);
      if (comparator.line !== line) comparator.line?.set(false);
      comparator.line = line;
      line.set(true);
    }
  }

  reset(): void {
    const wasLegacy = (this.config & LEGACY) !== 0;
    this.config = 0;
    this.status = 0;
    this.counter = 0;
    this.startedNs = 0;
    this.comparators.forEach((comparator, index) => {
      this.drive(index, false);
      comparator.timer.disarm();
      comparator.config = 0;
      comparator.low = 0xffffffff;
      comparator.high = 0xffffffff;
      comparator.periodLow = 0;
      comparator.periodHigh = 0;
      comparator.accumulator = false;
    });
    if (wasLegacy) this.onLegacyReplacement?.(false);
  }

  save(): DeviceState {
    const counter = this.now();
    return {
      version: VERSION,
      fields: {
        config: this.config,
        status: this.status,
        counterLow: counter % TWO_32,
        counterHigh: Math.floor(counter / TWO_32),
        timers: this.comparators.map((comparator) => ({
          config: comparator.config,
          comparatorLow: comparator.low,
          comparatorHigh: comparator.high,
          periodLow: comparator.periodLow,
          periodHigh: comparator.periodHigh,
          accumulator: comparator.accumulator,
        })),
      },
    };
  }

  load(state: DeviceState): void {
    const fields = parseState(this.id, state, VERSION, schema);
    this.reset();
    this.config = fields.config & (ENABLE | LEGACY);
    this.status = fields.status & ((1 << TIMERS) - 1);
    this.counter = fields.counterHigh * TWO_32 + fields.counterLow;
    this.startedNs = this.clock.nowNs();
    fields.timers.forEach((saved, index) => {
      const comparator = this.comparators[index];
      if (comparator === undefined) return;
      comparator.config = saved.config & TN_WRITABLE & ~TN_SET_VALUE;
      comparator.low = saved.comparatorLow;
      comparator.high = saved.comparatorHigh;
      comparator.periodLow = saved.periodLow;
      comparator.periodHigh = saved.periodHigh;
      comparator.accumulator = saved.accumulator;
    });
    if ((this.config & LEGACY) !== 0) this.onLegacyReplacement?.(true);
    for (let index = 0; index < TIMERS; index++) {
      this.drive(index, (this.status & (1 << index)) !== 0);
      this.schedule(index);
    }
  }

  dispose(): void {
    for (const comparator of this.comparators) comparator.timer.disarm();
  }
}
