// One counter of the 8254 (Intel 8254 datasheet 231164). Nothing ticks: the counting element and OUT are computed from
// the number of the current clock tick. All `tick` arguments never decrease.
// Not emulated: counts of 1 in modes 2 and 3 (illegal per datasheet: OUT then stays where it is).

import { z } from 'zod';
import { flag, u16, u8 } from './state-fields.ts';

const tickNumber = z
  .int()
  .min(-(2 ** 52))
  .max(2 ** 52);

export const pit8254ChannelSchema = z.strictObject({
  mode: z.int().min(0).max(5),
  bcd: flag,
  access: z.int().min(1).max(3),
  gate: flag,
  count: z.int().min(1).max(0x10000),
  loadTick: tickNumber.nullable(),
  frozenElapsed: tickNumber.nullable(),
  heldValue: u16,
  outBeforeLoad: flag,
  nextCount: z.int().min(1).max(0x10000).nullable(),
  switchTick: tickNumber.nullable(),
  countMissing: flag,
  writeLow: u8.nullable(),
  readHigh: flag,
  latchedCount: u16.nullable(),
  latchedStatus: u8.nullable(),
});
export type Pit8254ChannelState = z.infer<typeof pit8254ChannelSchema>;

export class Pit8254Channel {
  private mode = 3;
  private bcd = false;
  /** 1 = low byte only, 2 = high byte only, 3 = low then high. */
  private access = 3;
  private gate: boolean;
  /** The count in use, 1..65536. */
  private count = 0x10000;
  /** The tick at which the counting element took `count`; null while it waits for a count or a trigger. */
  private loadTick: number | null = 0;
  /** Ticks counted when GATE stopped the counter; null while it runs. */
  private frozenElapsed: number | null = null;
  /** What the counting element shows while it waits. */
  private heldValue = 0;
  private outBeforeLoad = true;
  /** A count that is written but not in use yet (modes 1, 2, 3, 5). */
  private nextCount: number | null = null;
  /** When `nextCount` comes into use; null = at the next trigger. */
  private switchTick: number | null = null;
  /** A control word was written and no count yet. */
  private countMissing = false;
  private writeLow: number | null = null;
  private readHigh = false;
  private latchedCount: number | null = null;
  private latchedStatus: number | null = null;
  private readonly initialGate: boolean;

  constructor(gate: boolean) {
    this.initialGate = gate;
    this.gate = gate;
    this.reset(0);
  }

  /** Power-on leaves the 8254 undefined; here it runs as the BIOS leaves it: mode 3, count 65536. */
  reset(tick: number): void {
    this.mode = 3;
    this.bcd = false;
    this.access = 3;
    this.gate = this.initialGate;
    this.count = 0x10000;
    this.loadTick = tick;
    this.frozenElapsed = this.gate ? null : 0;
    this.heldValue = 0;
    this.outBeforeLoad = true;
    this.nextCount = null;
    this.switchTick = null;
    this.countMissing = false;
    this.writeLow = null;
    this.readHigh = false;
    this.latchedCount = null;
    this.latchedStatus = null;
  }

  /** Writes a control word other than a latch command. */
  setControl(value: number, tick: number): void {
    this.settle(tick);
    this.heldValue = this.elementAt(tick);
    this.access = (value >> 4) & 3;
    const mode = (value >> 1) & 7;
    this.mode = mode > 5 ? mode - 4 : mode;
    this.bcd = (value & 1) !== 0;
    this.loadTick = null;
    this.frozenElapsed = null;
    this.outBeforeLoad = this.mode !== 0;
    this.nextCount = null;
    this.switchTick = null;
    this.countMissing = true;
    this.writeLow = null;
    this.readHigh = false;
    this.latchedCount = null;
    this.latchedStatus = null;
  }

  /** Counter latch command; a second one before the first is read is ignored. */
  latchCount(tick: number): void {
    this.latchedCount ??= this.encode(this.elementAt(tick));
  }

  /** Read-back command, status part. */
  latchStatus(tick: number): void {
    if (this.latchedStatus !== null) return;
    this.settle(tick);
    const nullCount = this.countMissing || this.nextCount !== null || (this.loadTick !== null && tick < this.loadTick);
    this.latchedStatus =
      (this.out(tick) ? 0x80 : 0) | (nullCount ? 0x40 : 0) | (this.access << 4) | (this.mode << 1) | (this.bcd ? 1 : 0);
  }

  readByte(tick: number): number {
    if (this.latchedStatus !== null) {
      const status = this.latchedStatus;
      this.latchedStatus = null;
      return status;
    }
    const value = this.latchedCount ?? this.encode(this.elementAt(tick));
    if (this.access === 1) this.latchedCount = null;
    else if (this.access === 2) {
      this.latchedCount = null;
      return value >> 8;
    } else {
      const high = this.readHigh;
      this.readHigh = !high;
      if (high) {
        this.latchedCount = null;
        return value >> 8;
      }
    }
    return value & 0xff;
  }

  writeByte(value: number, tick: number): void {
    if (this.access === 1) this.writeCount(value, tick);
    else if (this.access === 2) this.writeCount(value << 8, tick);
    else if (this.writeLow === null) {
      this.writeLow = value;
      // Mode 0: the first byte stops the counter and lowers OUT.
      if (this.mode === 0) this.stop(tick);
    } else {
      const count = this.writeLow | (value << 8);
      this.writeLow = null;
      this.writeCount(count, tick);
    }
  }

  setGate(level: boolean, tick: number): void {
    if (level === this.gate) return;
    this.settle(tick);
    if (this.mode === 0 || this.mode === 4) {
      if (this.loadTick !== null) {
        if (level) {
          this.loadTick = tick - (this.frozenElapsed ?? 0);
          this.frozenElapsed = null;
        } else this.frozenElapsed = Math.max(0, tick - this.loadTick);
      }
    } else if (this.mode === 2 || this.mode === 3) {
      if (level) this.trigger(tick);
      else if (this.loadTick !== null) this.frozenElapsed = Math.max(0, tick - this.loadTick);
    } else if (level) this.trigger(tick);
    this.gate = level;
  }

  get gateLevel(): boolean {
    return this.gate;
  }

  /** Ticks of one period while the counter runs periodically, else undefined. */
  periodTicks(tick: number): number | undefined {
    this.settle(tick);
    const periodic = (this.mode === 2 || this.mode === 3) && this.loadTick !== null && this.frozenElapsed === null;
    return periodic && this.count > 1 ? this.count : undefined;
  }

  get currentMode(): number {
    return this.mode;
  }

  /** Level of the OUT pin. */
  out(tick: number): boolean {
    this.settle(tick);
    const load = this.loadTick;
    if (load === null) return this.outBeforeLoad;
    const periodic = this.mode === 2 || this.mode === 3;
    if (this.frozenElapsed !== null && periodic) return true;
    const elapsed = this.frozenElapsed ?? tick - load;
    if (elapsed < 0) return this.outBeforeLoad;
    switch (this.mode) {
      case 0:
      case 1:
        return elapsed >= this.count;
      case 2:
        return this.count === 1 || elapsed % this.count !== this.count - 1;
      case 3:
        return elapsed % this.count < highTicks(this.count);
      default:
        return elapsed !== this.count;
    }
  }

  /** How often OUT rises in the ticks after `from` up to and including `to`. */
  countRises(from: number, to: number): number {
    let rises = 0;
    let start = from;
    if (this.switchTick !== null && this.switchTick <= to && this.switchTick > from) {
      rises = this.risesInRegime(from, this.switchTick);
      start = this.switchTick;
    }
    this.settle(to);
    return rises + this.risesInRegime(start, to);
  }

  /** The first tick after `tick` at which OUT may rise or a new count comes into use, or undefined. */
  nextEvent(tick: number): number | undefined {
    this.settle(tick);
    const load = this.loadTick;
    if (load === null || this.frozenElapsed !== null) return undefined;
    let rise: number | undefined;
    if (this.mode === 2 || this.mode === 3) {
      if (this.count > 1) rise = load + (Math.max(0, Math.floor((tick - load) / this.count)) + 1) * this.count;
    } else {
      const once = load + this.count + (this.mode >= 4 ? 1 : 0);
      if (once > tick) rise = once;
    }
    if (this.switchTick === null) return rise;
    return rise === undefined ? this.switchTick : Math.min(rise, this.switchTick);
  }

  save(): Pit8254ChannelState {
    return {
      mode: this.mode,
      bcd: this.bcd,
      access: this.access,
      gate: this.gate,
      count: this.count,
      loadTick: this.loadTick,
      frozenElapsed: this.frozenElapsed,
      heldValue: this.heldValue,
      outBeforeLoad: this.outBeforeLoad,
      nextCount: this.nextCount,
      switchTick: this.switchTick,
      countMissing: this.countMissing,
      writeLow: this.writeLow,
      readHigh: this.readHigh,
      latchedCount: this.latchedCount,
      latchedStatus: this.latchedStatus,
    };
  }

  load(state: Pit8254ChannelState): void {
    this.mode = state.mode;
    this.bcd = state.bcd;
    this.access = state.access;
    this.gate = state.gate;
    this.count = state.count;
    this.loadTick = state.loadTick;
    this.frozenElapsed = state.frozenElapsed;
    this.heldValue = state.heldValue;
    this.outBeforeLoad = state.outBeforeLoad;
    this.nextCount = state.nextCount;
    // Only a periodic counter that runs can wait for the end of its period.
    const periodic = (state.mode === 2 || state.mode === 3) && state.loadTick !== null;
    this.switchTick = state.nextCount !== null && periodic ? state.switchTick : null;
    this.countMissing = state.countMissing;
    this.writeLow = state.writeLow;
    this.readHigh = state.readHigh;
    this.latchedCount = state.latchedCount;
    this.latchedStatus = state.latchedStatus;
  }

  private writeCount(raw: number, tick: number): void {
    this.settle(tick);
    const count = this.decode(raw);
    this.countMissing = false;
    switch (this.mode) {
      case 1:
      case 5:
        // The count waits for the trigger; a running shot goes on with the old one.
        this.nextCount = count;
        return;
      case 2:
      case 3:
        if (this.loadTick !== null && tick >= this.loadTick && this.frozenElapsed === null) {
          this.scheduleSwitch(count, tick);
          return;
        }
        break;
      case 0:
        this.outBeforeLoad = false;
        break;
      default:
        break;
    }
    this.heldValue = this.elementAt(tick);
    this.nextCount = null;
    this.switchTick = null;
    this.count = count;
    this.loadTick = tick + 1;
    this.frozenElapsed = this.gate ? null : 0;
  }

  /** Modes 2 and 3: the new count is taken at the end of the period, in mode 3 of the half period. */
  private scheduleSwitch(count: number, tick: number): void {
    const load = this.loadTick ?? tick;
    const period = this.count;
    const start = load + Math.floor((tick - load) / period) * period;
    const high = highTicks(period);
    this.nextCount = count;
    this.switchTick = this.mode === 3 && tick - start < high ? start + high : start + period;
    if (this.switchTick <= tick) this.switchTick = tick + 1;
  }

  private settle(tick: number): void {
    if (this.nextCount === null || this.switchTick === null || tick < this.switchTick || this.frozenElapsed !== null)
      return;
    const load = this.loadTick ?? this.switchTick;
    const phase = (this.switchTick - load) % this.count;
    this.count = this.nextCount;
    // After the high half of mode 3 the new count starts with its low half.
    this.loadTick = this.mode === 3 && phase !== 0 ? this.switchTick - highTicks(this.count) : this.switchTick;
    this.nextCount = null;
    this.switchTick = null;
  }

  /** Rising edge of GATE in the modes that it (re)starts. */
  private trigger(tick: number): void {
    if (this.countMissing) return;
    if (this.nextCount === null && this.loadTick === null) return;
    this.heldValue = this.elementAt(tick);
    this.outBeforeLoad = this.mode === 1 ? this.out(tick) : true;
    this.count = this.nextCount ?? this.count;
    this.nextCount = null;
    this.switchTick = null;
    this.loadTick = tick + 1;
    this.frozenElapsed = null;
  }

  private stop(tick: number): void {
    this.heldValue = this.elementAt(tick);
    this.loadTick = null;
    this.frozenElapsed = null;
    this.outBeforeLoad = false;
  }

  private risesInRegime(from: number, to: number): number {
    const load = this.loadTick;
    if (load === null || this.frozenElapsed !== null || to <= load) return 0;
    if (this.mode === 2 || this.mode === 3) {
      if (this.count === 1) return 0;
      return Math.floor((to - load) / this.count) - Math.max(0, Math.floor((from - load) / this.count));
    }
    const rise = load + this.count + (this.mode >= 4 ? 1 : 0);
    return rise > from && rise <= to ? 1 : 0;
  }

  /** The counting element as a plain number 0..65535 (0..9999 in BCD). */
  private elementAt(tick: number): number {
    this.settle(tick);
    const load = this.loadTick;
    if (load === null) return this.heldValue;
    const elapsed = this.frozenElapsed ?? tick - load;
    if (elapsed < 0) return this.heldValue;
    const modulus = this.bcd ? 10_000 : 0x10000;
    const count = this.count;
    if (this.mode === 2) return (count - (elapsed % count)) % modulus;
    if (this.mode === 3) {
      // Counts down by two in each half; an odd count starts each half one lower.
      const phase = elapsed % count;
      const high = highTicks(count);
      return ((count & ~1) - 2 * (phase < high ? phase : phase - high)) % modulus;
    }
    const left = (count - elapsed) % modulus;
    return left < 0 ? left + modulus : left;
  }

  private decode(raw: number): number {
    if (!this.bcd) return raw === 0 ? 0x10000 : raw;
    const value = (raw >> 12) * 1000 + ((raw >> 8) & 15) * 100 + ((raw >> 4) & 15) * 10 + (raw & 15);
    return value === 0 ? 10_000 : value;
  }

  private encode(value: number): number {
    if (!this.bcd) return value & 0xffff;
    // Digits above 9 that a guest wrote overflow into the next one; the top digit wraps.
    const digits = value % 10_000;
    return (
      (Math.floor(digits / 1000) << 12) |
      (Math.floor((digits / 100) % 10) << 8) |
      (Math.floor((digits / 10) % 10) << 4) |
      (digits % 10)
    );
  }
}

/** Ticks for which OUT is high in mode 3. */
function highTicks(count: number): number {
  return (count + 1) >> 1;
}
