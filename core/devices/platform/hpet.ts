// High Precision Event Timer (IA-PC HPET specification 1.0a): one 64-bit counter at 100 MHz and three comparators at
// FED00000h, periodic mode on all of them, legacy replacement routing of timers 0 and 1.
// Not emulated: FSB (MSI) delivery, which the capability bits do not offer.

import { z } from 'zod';
import type { Clock } from '../../base/clock.ts';
import type { Disposable } from '../../base/disposable.ts';
import type { IrqLine } from '../../bus/irq.ts';
import type { MmioBus, MmioDevice } from '../../bus/mmio-bus.ts';
import type { AccessSize } from '../../bus/port-bus.ts';
import type { Device, DeviceState } from '../device.ts';
import { parseState } from '../state.ts';
import * as T from './hpet-timer.ts';
import { listOf, timeNs, u32 } from './state-fields.ts';
import { MIN_TICK_PERIOD_NS } from './tick-backlog.ts';

export const HPET_BASE = 0xfed0_0000;
const HPET_BYTES = 0x400;
/** Above PCI ranges, which a guest may place anywhere. */
const PRIORITY = 1;
const VERSION = 1;
const TIMERS = 3;
/** Femtoseconds a tick, as the capability register tells. */
const PERIOD_FS = 10_000_000;
const NS_PER_TICK = 10;
const TWO_32 = 0x1_0000_0000;
/** Waits beyond this (about a month) are not armed: the deadline would leave the exact range of times. */
const MAX_WAIT_TICKS = 2 ** 48;

/** Intel, legacy routing, 64-bit counter, three timers, revision 1. */
const CAPABILITIES_LOW = 0x8086_a201;
const CAPABILITIES = 0x000;
const COUNTER_PERIOD = 0x004;
const GENERAL_CONFIG = 0x010;
const GENERAL_STATUS = 0x020;
const MAIN_COUNTER = 0x0f0;
const TIMER_BASE = 0x100;
const TIMER_STRIDE = 0x20;

const ENABLE = 0x1;
const LEGACY = 0x2;
/** I/O APIC inputs a timer may use: 2, 4, 8, 16-23. */
const ROUTE_CAPABILITY = 0x00ff_0114;
const LEGACY_INPUTS = [2, 8] as const;

const schema = z.strictObject({
  config: u32,
  status: u32,
  counterLow: u32,
  counterHigh: u32,
  startNs: timeNs,
  timers: listOf(T.hpetTimerSchema, TIMERS),
});

export interface HpetOptions {
  readonly id?: string | undefined;
  readonly clock: Clock;
  /** Input 0..23 of the I/O APIC (and of the PIC below 16). The same object for the same input. */
  readonly irq: (input: number) => IrqLine;
  /** Legacy replacement routing was switched: the 8254 and the RTC must leave IRQ 0 and IRQ 8 alone while it is on. */
  readonly onLegacyReplacement?: ((enabled: boolean) => void) | undefined;
}

export class Hpet implements Device, MmioDevice {
  readonly id: string;
  private readonly clock: Clock;
  private readonly irq: (input: number) => IrqLine;
  private readonly onLegacyReplacement: ((enabled: boolean) => void) | undefined;
  private readonly timers: readonly T.HpetTimer[];
  private config = 0;
  private status = 0;
  /** Counter at `startNs`, from where it runs while enabled. */
  private baseLow = 0;
  private baseHigh = 0;
  private startNs = 0;
  /** The counter as readCounter() found it. */
  private nowLow = 0;
  private nowHigh = 0;

  constructor(options: HpetOptions) {
    this.id = options.id ?? 'hpet';
    this.clock = options.clock;
    this.irq = options.irq;
    this.onLegacyReplacement = options.onLegacyReplacement;
    this.timers = Array.from(
      { length: TIMERS },
      (_, index) => new T.HpetTimer(options.clock.createTimer(`${this.id}.${index}`, () => this.expire(index))),
    );
  }

  attach(mmio: MmioBus): Disposable {
    return mmio.register(HPET_BASE, HPET_BYTES, this, PRIORITY);
  }

  readMmio(offset: number, size: AccessSize): number {
    const register = this.readRegister(offset & ~3);
    const shifted = register >>> ((offset & 3) * 8);
    return (size === 4 ? shifted : shifted & (size === 2 ? 0xffff : 0xff)) >>> 0;
  }

  writeMmio(offset: number, size: AccessSize, value: number): void {
    // Software must use aligned 32- or 64-bit accesses; others are ignored.
    if (size === 4 && (offset & 3) === 0) this.writeRegister(offset, value >>> 0);
  }

  reset(): void {
    const wasLegacy = (this.config & LEGACY) !== 0;
    this.config = 0;
    this.status = 0;
    this.baseLow = 0;
    this.baseHigh = 0;
    this.startNs = 0;
    for (const timer of this.timers) timer.reset();
    this.driveLevels();
    if (wasLegacy) this.onLegacyReplacement?.(false);
  }

  save(): DeviceState {
    this.catchUpAll();
    return {
      version: VERSION,
      fields: {
        config: this.config,
        status: this.status,
        counterLow: this.baseLow,
        counterHigh: this.baseHigh,
        startNs: this.startNs,
        timers: this.timers.map((timer) => timer.save()),
      },
    };
  }

  load(state: DeviceState): void {
    const fields = parseState(this.id, state, VERSION, schema);
    this.config = fields.config & (ENABLE | LEGACY);
    this.status = fields.status & ((1 << TIMERS) - 1);
    this.baseLow = fields.counterLow;
    this.baseHigh = fields.counterHigh;
    this.startNs = Math.min(fields.startNs, this.clock.nowNs());
    this.timers.forEach((timer, index) => {
      const saved = fields.timers[index];
      if (saved !== undefined) timer.load(saved);
      if (this.running && timer.isSilent && timer.timer.deadlineNs === undefined) this.arm(timer, 0);
    });
    this.onLegacyReplacement?.((this.config & LEGACY) !== 0);
    this.driveLevels();
  }

  dispose(): void {
    for (const timer of this.timers) timer.timer.disarm();
  }

  private get running(): boolean {
    return (this.config & ENABLE) !== 0;
  }

  /** Computes the counter into nowLow and nowHigh. */
  private readCounter(): void {
    const ticks = this.running ? Math.floor((this.clock.nowNs() - this.startNs) / NS_PER_TICK) : 0;
    const low = this.baseLow + (ticks % TWO_32);
    this.nowLow = low >>> 0;
    this.nowHigh = (this.baseHigh + Math.floor(ticks / TWO_32) + (low >= TWO_32 ? 1 : 0)) >>> 0;
  }

  private readRegister(offset: number): number {
    switch (offset) {
      case CAPABILITIES:
        return CAPABILITIES_LOW;
      case COUNTER_PERIOD:
        return PERIOD_FS;
      case GENERAL_CONFIG:
        return this.config;
      case GENERAL_STATUS:
        return this.status;
      case MAIN_COUNTER:
        this.readCounter();
        return this.nowLow;
      case MAIN_COUNTER + 4:
        this.readCounter();
        return this.nowHigh;
      default:
        return this.readTimer(offset);
    }
  }

  private readTimer(offset: number): number {
    const timer = offset >= TIMER_BASE ? this.timers[(offset - TIMER_BASE) >> 5] : undefined;
    if (timer === undefined) return 0;
    this.catchUp(timer);
    switch (offset & (TIMER_STRIDE - 1)) {
      case 0x00:
        return timer.config | T.TN_PERIODIC_CAPABLE | T.TN_SIZE_64;
      case 0x04:
        return ROUTE_CAPABILITY;
      case 0x08:
        return timer.low;
      case 0x0c:
        return timer.is32 ? 0 : timer.high;
      default:
        return 0;
    }
  }

  private writeRegister(offset: number, value: number): void {
    switch (offset) {
      case GENERAL_CONFIG:
        this.writeConfig(value);
        break;
      case GENERAL_STATUS:
        this.status &= ~value;
        this.driveLevels();
        break;
      case MAIN_COUNTER:
      case MAIN_COUNTER + 4:
        this.writeCounter(offset === MAIN_COUNTER, value);
        break;
      default:
        this.writeTimer(offset, value);
    }
  }

  private writeConfig(value: number): void {
    const before = this.config;
    this.catchUpAll();
    this.readCounter();
    this.baseLow = this.nowLow;
    this.baseHigh = this.nowHigh;
    if (this.running === ((value & ENABLE) !== 0)) {
      // The fraction of a tick that has passed is not lost.
      if (this.running) this.startNs += Math.floor((this.clock.nowNs() - this.startNs) / NS_PER_TICK) * NS_PER_TICK;
    } else this.startNs = this.clock.nowNs();
    this.config = value & (ENABLE | LEGACY);
    if (((before ^ this.config) & LEGACY) !== 0) this.onLegacyReplacement?.((this.config & LEGACY) !== 0);
    this.driveLevels();
    if (before !== this.config) for (const timer of this.timers) this.schedule(timer);
  }

  private writeCounter(isLow: boolean, value: number): void {
    // Software sets the counter while it is halted; a write while it runs sets it all the same.
    this.catchUpAll();
    this.readCounter();
    this.baseLow = isLow ? value : this.nowLow;
    this.baseHigh = isLow ? this.nowHigh : value;
    this.startNs = this.clock.nowNs();
    for (const timer of this.timers) this.schedule(timer);
  }

  private writeTimer(offset: number, value: number): void {
    const index = (offset - TIMER_BASE) >> 5;
    const timer = offset >= TIMER_BASE ? this.timers[index] : undefined;
    if (timer === undefined) return;
    this.catchUp(timer);
    switch (offset & (TIMER_STRIDE - 1)) {
      case 0x00:
        this.writeTimerConfig(timer, index, value);
        break;
      case 0x08:
        timer.writeLow(value);
        break;
      case 0x0c:
        timer.writeHigh(value);
        break;
      default:
        return;
    }
    this.schedule(timer);
  }

  private writeTimerConfig(timer: T.HpetTimer, index: number, value: number): void {
    const route = (value & T.TN_ROUTE) >> T.TN_ROUTE_SHIFT;
    // An input that is not offered leaves the field as it was: software reads it back to find out.
    const routed =
      ((ROUTE_CAPABILITY >>> route) & 1) !== 0 || route === 0
        ? value
        : (value & ~T.TN_ROUTE) | (timer.config & T.TN_ROUTE);
    timer.config = routed & T.TN_WRITABLE;
    if ((value & T.TN_SET_VALUE) !== 0) timer.setValue = true;
    if ((timer.config & T.TN_LEVEL) === 0) this.status &= ~(1 << index);
    this.driveLevels();
  }

  private schedule(timer: T.HpetTimer): void {
    timer.backlog.clear();
    timer.silentMatchNs = Infinity;
    if (!this.running) {
      timer.timer.disarm();
      return;
    }
    this.arm(timer, 0);
  }

  /** Arms for the next match, no sooner than `minWaitNs` from now. */
  private arm(timer: T.HpetTimer, minWaitNs: number): void {
    this.readCounter();
    const ticks = timer.distance(this.nowLow, this.nowHigh);
    if (ticks > MAX_WAIT_TICKS) {
      timer.timer.disarm();
      return;
    }
    const now = this.clock.nowNs();
    const phase = (now - this.startNs) % NS_PER_TICK;
    const natural = now - phase + ticks * NS_PER_TICK;
    if (timer.isSilent) {
      // Linux leaves its first clock ticking like this: 250 times a second for nothing.
      timer.silentMatchNs = natural;
      timer.timer.disarm();
      return;
    }
    const wanted = minWaitNs === 0 ? natural : timer.backlog.nextDeadline(now, natural, timer.period * NS_PER_TICK);
    timer.timer.arm(Math.max(wanted, now + minWaitNs));
  }

  private expire(index: number): void {
    const timer = this.timers[index];
    if (timer === undefined || !this.running) return;
    if (timer.isPeriodic) this.startNextPeriod(timer);
    else if (timer.is32) {
      // A 32-bit comparator matches each time that the low half of the counter comes round.
      timer.timer.arm(this.clock.nowNs() + TWO_32 * NS_PER_TICK);
    }
    if ((timer.config & T.TN_INT_ENABLE) === 0) return;
    if ((timer.config & T.TN_LEVEL) !== 0) {
      this.status |= 1 << index;
      this.driveLevels();
    } else {
      const line = this.lineOf(timer, index);
      line.set(true);
      line.set(false);
    }
  }

  /** Moves a silent timer's comparator to where its matches would have moved it. */
  private catchUp(timer: T.HpetTimer): void {
    const late = this.clock.nowNs() - timer.silentMatchNs;
    if (late < 0) return;
    const periods = Math.floor(late / (timer.period * NS_PER_TICK)) + 1;
    timer.advance(periods * timer.period);
    timer.silentMatchNs += periods * timer.period * NS_PER_TICK;
  }

  private catchUpAll(): void {
    for (const timer of this.timers) this.catchUp(timer);
  }

  private startNextPeriod(timer: T.HpetTimer): void {
    this.readCounter();
    const { period } = timer;
    // How far the counter is past the comparator; a wake-up for an owed tick comes before it.
    const modulus = timer.is32 ? TWO_32 : 2 ** 64;
    const ahead = timer.distance(this.nowLow, this.nowHigh);
    if (ahead === 0 || ahead > modulus / 2) {
      const missed = Math.floor((ahead === 0 ? 0 : modulus - ahead) / period);
      timer.advance((missed + 1) * period);
      // Ticks beyond the highest rate that is allowed are not owed: the guest asked for more than it may have.
      if (!timer.isSilent && period * NS_PER_TICK >= MIN_TICK_PERIOD_NS) timer.backlog.add(missed);
    } else if (timer.backlog.owed > 0) timer.backlog.owed--;
    this.arm(timer, MIN_TICK_PERIOD_NS);
  }

  private lineOf(timer: T.HpetTimer, index: number): IrqLine {
    const legacyInput = (this.config & LEGACY) !== 0 ? LEGACY_INPUTS[index] : undefined;
    return this.irq(legacyInput ?? (timer.config & T.TN_ROUTE) >> T.TN_ROUTE_SHIFT);
  }

  /** Drives the wires of level-triggered timers to match status and routing. */
  private driveLevels(): void {
    this.timers.forEach((timer, index) => {
      const wanted = T.TN_INT_ENABLE | T.TN_LEVEL;
      const active = this.running && (timer.config & wanted) === wanted && (this.status & (1 << index)) !== 0;
      const line = active ? this.lineOf(timer, index) : undefined;
      if (timer.held === line) return;
      timer.held?.set(false);
      timer.held = line;
      line?.set(true);
    });
  }
}
