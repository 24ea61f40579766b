// MC146818 real-time clock with 128 bytes of CMOS memory at ports 70h/71h, NMI mask in bit 7 of port 70h (Motorola
// MC146818 datasheet; century at 32h as PC firmware uses it). Time follows the virtual clock.
// Not emulated: daylight saving, the square wave pin, crystals other than 32.768 kHz.

import { z } from 'zod';
import type { Clock, Timer, WallClock } from '../../base/clock.ts';
import type { Disposable } from '../../base/disposable.ts';
import type { IrqLine } from '../../bus/irq.ts';
import type { AccessSize, PortBus, PortDevice } from '../../bus/port-bus.ts';
import type { Device, DeviceState } from '../device.ts';
import { parseState } from '../state.ts';
import { civilOf } from './calendar.ts';
import { decodeTime, encodeTime, nextAlarm } from './rtc-format.ts';
import * as M from './rtc-registers.ts';
import { bytes, flag, signedTimeNs, timeNs, u8 } from './state-fields.ts';

const VERSION = 1;
const CMOS_BYTES = 128;
const SECOND_NS = 1_000_000_000;
const CRYSTAL_HZ = 32_768;
/** UIP is set this long before the registers change. */
const UPDATE_WARNING_NS = 244_000;
const MAX_SECONDS = 10 ** 12;

const schema = z.strictObject({
  cmos: bytes(CMOS_BYTES),
  index: z
    .int()
    .min(0)
    .max(CMOS_BYTES - 1),
  nmiMasked: flag,
  registerC: u8,
  baseSeconds: z.int().min(-MAX_SECONDS).max(MAX_SECONDS),
  baseNs: signedTimeNs,
  settledNs: timeNs,
});

export interface RtcMc146818Options {
  readonly id?: string | undefined;
  readonly clock: Clock;
  readonly wallClock: WallClock;
  readonly irq8: IrqLine;
  /** Bit 7 of port 70h: true = NMIs must not reach the CPU. */
  readonly onNmiMask?: ((masked: boolean) => void) | undefined;
  /** Added to UTC: guests that keep local time in the clock. */
  readonly utcOffsetSeconds?: number | undefined;
}

export class RtcMc146818 implements Device, PortDevice {
  readonly id: string;
  private readonly clock: Clock;
  private readonly irq8: IrqLine;
  private readonly onNmiMask: ((masked: boolean) => void) | undefined;
  private readonly timer: Timer;
  private readonly cmos = new Uint8Array(CMOS_BYTES);
  private index = 0;
  private masked = false;
  private registerC = 0;
  /** The clock showed `baseSeconds` (since 1970) at virtual time `baseNs`, where a second began. */
  private baseSeconds: number;
  private baseNs: number;
  /** Up to here the flags of register C are settled. */
  private settledNs: number;

  constructor(options: RtcMc146818Options) {
    this.id = options.id ?? 'rtc';
    this.clock = options.clock;
    this.irq8 = options.irq8;
    this.onNmiMask = options.onNmiMask;
    this.timer = options.clock.createTimer(`${this.id}.event`, () => this.update());
    const epochMs = options.wallClock.epochMsAtPowerOn + (options.utcOffsetSeconds ?? 0) * 1000;
    this.baseSeconds = Math.floor(epochMs / 1000);
    this.baseNs = -Math.round((epochMs - this.baseSeconds * 1000) * 1e6);
    this.settledNs = options.clock.nowNs();
    this.cmos[M.REGISTER_A] = 0x26;
    this.cmos[M.REGISTER_B] = M.B_24_HOURS;
    this.cmos[M.REGISTER_D] = M.D_VALID;
  }

  attach(ports: PortBus): Disposable {
    return ports.register(0x70, 2, this);
  }

  /** Sets a CMOS byte (0Eh-7Fh) as the board's set-up program would: memory sizes, boot order, drive types. */
  setCmos(index: number, value: number): void {
    if (index > M.REGISTER_D && index < CMOS_BYTES && index !== M.CENTURY) this.cmos[index] = value;
  }

  /** Reads a CMOS byte without side effects. */
  getCmos(index: number): number {
    const at = index & (CMOS_BYTES - 1);
    return isTime(at) && !this.frozen ? (this.currentTime()[at] ?? 0) : (this.cmos[at] ?? 0);
  }

  /** Sets the clock from the host, as after a restore when the guest should see the present time. */
  setTime(epochMs: number): void {
    this.settle();
    const now = this.clock.nowNs();
    this.baseSeconds = Math.floor(epochMs / 1000);
    this.baseNs = now - Math.round((epochMs - this.baseSeconds * 1000) * 1e6);
    this.update();
  }

  /** The battery kept the clock going while the machine was away. */
  advance(ms: number): void {
    if (this.frozen || !(ms > 0)) return;
    this.settle();
    const seconds = Math.floor(ms / 1000);
    this.baseSeconds += seconds;
    this.update();
  }

  get nmiMasked(): boolean {
    return this.masked;
  }

  readPort(offset: number, _size: AccessSize): number {
    // The index register cannot be read.
    return offset === 0 ? 0xff : this.readRegister();
  }

  writePort(offset: number, _size: AccessSize, value: number): void {
    if (offset === 1) {
      this.writeRegister(value);
      return;
    }
    this.index = value & 0x7f;
    const masked = (value & 0x80) !== 0;
    if (masked === this.masked) return;
    this.masked = masked;
    this.onNmiMask?.(masked);
  }

  /** RESET# clears the interrupt enables and flags. Time and memory live on: they have a battery. */
  reset(): void {
    this.settle();
    this.cmos[M.REGISTER_B] = this.registerB & ~(M.B_PERIODIC | M.B_ALARM | M.B_UPDATE | M.B_SQUARE_WAVE);
    this.registerC = 0;
    this.index = 0;
    if (this.masked) {
      this.masked = false;
      this.onNmiMask?.(false);
    }
    this.update();
  }

  save(): DeviceState {
    return {
      version: VERSION,
      fields: {
        cmos: this.cmos.slice(),
        index: this.index,
        nmiMasked: this.masked,
        registerC: this.registerC,
        baseSeconds: this.baseSeconds,
        baseNs: this.baseNs,
        settledNs: this.settledNs,
      },
    };
  }

  load(state: DeviceState): void {
    const fields = parseState(this.id, state, VERSION, schema);
    this.cmos.set(fields.cmos);
    this.cmos[M.REGISTER_A] = this.registerA & ~M.A_UPDATE_IN_PROGRESS;
    this.cmos[M.REGISTER_D] = M.D_VALID;
    this.index = fields.index;
    this.masked = fields.nmiMasked;
    this.registerC = fields.registerC & M.C_FLAGS;
    this.baseSeconds = fields.baseSeconds;
    const now = this.clock.nowNs();
    this.baseNs = Math.min(fields.baseNs, now);
    this.settledNs = Math.min(Math.max(fields.settledNs, this.baseNs), now);
    this.onNmiMask?.(this.masked);
    this.drive();
  }

  dispose(): void {
    this.timer.disarm();
  }

  private get registerA(): number {
    return this.cmos[M.REGISTER_A] ?? 0;
  }

  private get registerB(): number {
    return this.cmos[M.REGISTER_B] ?? 0;
  }

  /** The divider chain is held in reset: nothing counts. */
  private get stopped(): boolean {
    return (this.registerA & 0x60) === 0x60;
  }

  /** The time registers do not change: they hold what is written to them. */
  private get frozen(): boolean {
    return this.stopped || (this.registerB & M.B_SET) !== 0;
  }

  private secondsAt(ns: number): number {
    return this.baseSeconds + Math.floor((ns - this.baseNs) / SECOND_NS);
  }

  private crystalTicks(ns: number): number {
    const elapsed = ns - this.baseNs;
    const seconds = Math.floor(elapsed / SECOND_NS);
    return seconds * CRYSTAL_HZ + Math.floor(((elapsed - seconds * SECOND_NS) * CRYSTAL_HZ) / SECOND_NS);
  }

  private timeOfCrystalTick(tick: number): number {
    const seconds = Math.floor(tick / CRYSTAL_HZ);
    return this.baseNs + seconds * SECOND_NS + Math.ceil(((tick - seconds * CRYSTAL_HZ) * SECOND_NS) / CRYSTAL_HZ);
  }

  /** Crystal ticks of one periodic interrupt, 0 = off. */
  private periodTicks(): number {
    const rate = this.registerA & M.A_RATE;
    if (rate === 0) return 0;
    // Rates 1 and 2 repeat 8 and 9.
    return 1 << (rate <= 2 ? rate + 6 : rate - 1);
  }

  private currentTime(): Uint8Array {
    const image = new Uint8Array(M.CENTURY + 1);
    encodeTime(image, civilOf(this.secondsAt(this.clock.nowNs())), this.registerB);
    return image;
  }

  private readRegister(): number {
    switch (this.index) {
      case M.REGISTER_A:
        return this.registerA | (this.updateInProgress() ? M.A_UPDATE_IN_PROGRESS : 0);
      case M.REGISTER_C: {
        this.settle();
        const flags = this.registerC;
        const value = flags | ((flags & this.registerB & M.C_FLAGS) !== 0 ? M.C_IRQ : 0);
        this.registerC = 0;
        this.drive();
        return value;
      }
      default:
        return this.getCmos(this.index);
    }
  }

  private updateInProgress(): boolean {
    if (this.frozen) return false;
    const phase = (this.clock.nowNs() - this.baseNs) % SECOND_NS;
    return phase >= SECOND_NS - UPDATE_WARNING_NS;
  }

  private writeRegister(value: number): void {
    const index = this.index;
    if (index === M.REGISTER_C || index === M.REGISTER_D) return;
    this.settle();
    if (index === M.REGISTER_A || index === M.REGISTER_B) this.writeControl(index, value);
    else if (isTime(index) && !this.frozen) {
      this.materialise();
      this.cmos[index] = value;
      this.takeTime();
    } else this.cmos[index] = value;
    this.drive();
  }

  private writeControl(index: number, value: number): void {
    const wasFrozen = this.frozen;
    const wasStopped = this.stopped;
    if (index === M.REGISTER_A) this.cmos[index] = value & ~M.A_UPDATE_IN_PROGRESS;
    else {
      // Bytes that stand still are those of the mode that they were read in.
      if (!wasFrozen && (value & M.B_SET) !== 0) this.materialise();
      // SET also ends update-ended interrupts.
      this.cmos[index] = (value & M.B_SET) !== 0 ? value & ~M.B_UPDATE : value;
    }
    if (!wasFrozen && this.stopped) this.materialise();
    // The first update comes half a second after the divider starts.
    if (wasStopped && !this.stopped) this.baseNs = this.clock.nowNs() - SECOND_NS / 2;
    if (wasFrozen && !this.frozen) this.takeTime();
  }

  /** Copies the running time into the registers. */
  private materialise(): void {
    encodeTime(this.cmos, civilOf(this.secondsAt(this.clock.nowNs())), this.registerB);
  }

  /** Lets the time run on from what the registers hold; the phase of the second stays. */
  private takeTime(): void {
    const now = this.clock.nowNs();
    this.baseNs += Math.floor((now - this.baseNs) / SECOND_NS) * SECOND_NS;
    this.baseSeconds = decodeTime(this.cmos, this.registerB);
    this.settledNs = now;
  }

  /** Sets the flags of everything that happened since the last call. */
  private settle(): void {
    const now = this.clock.nowNs();
    const from = this.settledNs;
    this.settledNs = now;
    if (this.stopped || now <= from) return;
    const period = this.periodTicks();
    if (period !== 0 && Math.floor(this.crystalTicks(now) / period) !== Math.floor(this.crystalTicks(from) / period)) {
      this.registerC |= M.C_PERIODIC;
    }
    if (this.frozen) return;
    const before = this.secondsAt(from);
    const after = this.secondsAt(now);
    if (after === before) return;
    this.registerC |= M.C_UPDATE;
    const alarm = nextAlarm(before, this.cmos, this.registerB);
    if (alarm !== undefined && alarm <= after) this.registerC |= M.C_ALARM;
  }

  private update(): void {
    this.settle();
    this.drive();
  }

  /** Drives IRQ8 and wakes up for the next enabled event; one that is flagged already needs no waking. */
  private drive(): void {
    this.irq8.set((this.registerC & this.registerB & M.C_FLAGS) !== 0);
    const awaited = this.registerB & ~this.registerC & M.C_FLAGS;
    let deadline = Infinity;
    if (!this.stopped && awaited !== 0) {
      const period = this.periodTicks();
      if ((awaited & M.C_PERIODIC) !== 0 && period !== 0) {
        const next = (Math.floor(this.crystalTicks(this.settledNs) / period) + 1) * period;
        deadline = this.timeOfCrystalTick(next);
      }
      if (!this.frozen) deadline = Math.min(deadline, this.nextSecondEvent(awaited));
    }
    if (deadline === Infinity) this.timer.disarm();
    else this.timer.arm(deadline);
  }

  private nextSecondEvent(awaited: number): number {
    const seconds = this.secondsAt(this.settledNs);
    let event: number | undefined;
    if ((awaited & M.C_UPDATE) !== 0) event = seconds + 1;
    else if ((awaited & M.C_ALARM) !== 0) event = nextAlarm(seconds, this.cmos, this.registerB);
    return event === undefined ? Infinity : this.baseNs + (event - this.baseSeconds) * SECOND_NS;
  }
}

/** Registers that count time (the alarm registers between them do not). */
function isTime(index: number): boolean {
  return (
    index === M.CENTURY ||
    (index <= M.YEAR && index !== M.SECONDS_ALARM && index !== M.MINUTES_ALARM && index !== M.HOURS_ALARM)
  );
}
