// The paravirtual clock of the KVM personality ("kvmclock"; Linux Documentation/virt/kvm/x86/msr.rst, MSR_KVM_WALL_CLOCK_NEW and
// MSR_KVM_SYSTEM_TIME_NEW): the guest names a place in its memory, finds there how to tell virtual time from its time-stamp
// counter, and needs neither a calibration nor an exit to read a clock. One for each processor. The page is ours under every
// engine, so a machine may change engines; it is written anew when the counter's relation to virtual time changes.
// Virtual time stands still while the machine does, so a pause needs no excuse (PVCLOCK_GUEST_STOPPED is not set).
// Not emulated: the old MSRs 11h and 12h, steal time, asynchronous page faults.

import { z } from 'zod';
import type { Clock, Timer } from '../../base/clock.ts';
import type { DmaMemory } from '../../bus/dma.ts';
import type { Device, DeviceState } from '../device.ts';
import { parseState } from '../state.ts';
import { type TickScale, scaleTicks, tickScale } from './kvm-clock-scale.ts';
import { deadlineNs, signedTimeNs, timeNs, u32 } from './state-fields.ts';

const VERSION = 1;
export const MSR_KVM_WALL_CLOCK_NEW = 0x4b56_4d00;
export const MSR_KVM_SYSTEM_TIME_NEW = 0x4b56_4d01;
const ENABLED = 1;
/** The structures lie at multiples of four bytes; bit 0 of the system time's MSR is its switch. */
const MISALIGNED = 2;
const TWO_32 = 2 ** 32;
/** struct pvclock_vcpu_time_info */
const TIME = { VERSION: 0, TSC_TIMESTAMP: 8, SYSTEM_TIME: 16, MULTIPLIER: 24, SHIFT: 28, FLAGS: 29, BYTES: 32 } as const;
const TSC_STABLE = 1;
/** struct pvclock_wall_clock */
const WALL = { VERSION: 0, SECONDS: 4, NANOSECONDS: 8, BYTES: 12 } as const;
/** A clock that is ahead of virtual time is slowed down so that it agrees after a second, but by no more than this. */
const CATCH_UP_NS = 1e9;
const MOST_SLOWING = 1e-4;
/** Beyond this the guest's clock was not ahead but is nonsense: it gets virtual time. */
const MOST_LEAD_NS = 1e9;

/** The guest's time-stamp counter as a function of virtual time. */
export interface GuestCounter {
  /** Ticks a second. */
  readonly hz: number;
  /** Ticks that it is ahead of virtual time. */
  readonly offset: number;
  ticksAt(nowNs: number): number;
}

export interface KvmClockOptions {
  readonly id: string;
  readonly clock: Clock;
  readonly counter: GuestCounter;
  readonly memory: DmaMemory;
  /** Whether these guest physical addresses are all RAM. */
  readonly isRam: (address: number, length: number) => boolean;
  /** Milliseconds since 1970 at virtual time 0. */
  readonly epochMsAtPowerOn: number;
}

const mappingSchema = z.strictObject({
  ticks: z.int(),
  ns: timeNs,
  multiplier: z.int().min(2 ** 31).max(TWO_32 - 1),
  shift: z.int().min(-31).max(31),
  hz: z.number().min(1e6).max(1e11),
  offset: z.int(),
});
const schema = z.strictObject({
  systemTime: z.tuple([u32, u32]),
  wallClock: z.tuple([u32, u32]),
  epochMs: signedTimeNs,
  mapping: mappingSchema.nullable(),
  leadNs: z.int().min(0).max(MOST_LEAD_NS),
  settledNs: deadlineNs,
});

/** What the page says, and the counter for which it is right. */
type Mapping = z.infer<typeof mappingSchema>;
/** Low and high half of an MSR. */
type Halves = [number, number];

const addressOf = ([low, high]: Halves): number => high * TWO_32 + ((low & ~ENABLED) >>> 0);

export class KvmClock implements Device {
  readonly id: string;
  private readonly options: KvmClockOptions;
  private systemTime: Halves = [0, 0];
  private wallClock: Halves = [0, 0];
  private epochMs: number;
  private mapping: Mapping | undefined;
  /** How far the page's clock was ahead of virtual time when the page was written. */
  private leadNs = 0;
  /** Time at which a slowed clock agrees with virtual time. */
  private readonly settled: Timer;
  /** A state was loaded, its memory may come later. */
  private stale = false;
  private readonly page = new DataView(new ArrayBuffer(TIME.BYTES));

  constructor(options: KvmClockOptions) {
    this.options = options;
    this.id = options.id;
    this.epochMs = options.epochMsAtPowerOn;
    this.settled = options.clock.createTimer(`${options.id} settled`, () => this.update(false));
  }

  // --- MSRs --------------------------------------------------------------------------------------------------------

  /** @returns false when the MSR is none of these */
  readMsr(index: number, out: Uint32Array): boolean {
    if (index !== MSR_KVM_SYSTEM_TIME_NEW && index !== MSR_KVM_WALL_CLOCK_NEW) return false;
    const value = index === MSR_KVM_SYSTEM_TIME_NEW ? this.systemTime : this.wallClock;
    out.set(value);
    return true;
  }

  /** @returns false when the MSR is none of these */
  writeMsr(index: number, low: number, high: number): boolean {
    if (index === MSR_KVM_WALL_CLOCK_NEW) {
      this.wallClock = [low, high];
      this.writeWallClock();
    } else if (index === MSR_KVM_SYSTEM_TIME_NEW) {
      this.systemTime = [low, high];
      if (this.isCurrent()) this.writePage();
      else this.update(false);
    } else return false;
    return true;
  }

  // --- the pages -----------------------------------------------------------------------------------------------------

  /**
   * The counter stands elsewhere now, or runs at another rate. The guest must stand still.
   * @param jumped it was moved, rather than found to have drifted
   */
  counterChanged(jumped: boolean): void {
    if (!this.isCurrent()) this.update(jumped);
  }

  /** Before the guest runs: a state that was loaded may be of another counter. */
  refresh(): void {
    if (!this.stale) return;
    this.stale = false;
    this.counterChanged(true);
  }

  /** The date moves on by the time that a saved machine was away. */
  advance(ms: number): void {
    this.epochMs += Math.max(0, Math.floor(ms));
  }

  private get isOn(): boolean {
    return (this.systemTime[0] & ENABLED) !== 0;
  }

  /** Whether the page is right, or would be if the guest wanted one. */
  private isCurrent(): boolean {
    const { counter } = this.options;
    return this.mapping?.hz === counter.hz && this.mapping.offset === counter.offset;
  }

  /** Begins another straight line of time. The guest's clock never goes back: what it is ahead is made good by and by. */
  private update(jumped: boolean): void {
    if (!this.isOn) return;
    const { clock, counter } = this.options;
    const now = clock.nowNs();
    const ticks = counter.ticksAt(now);
    const { mapping } = this;
    if (mapping !== undefined && !jumped) this.leadNs = Math.max(0, mapping.ns + scaleTicks(ticks - mapping.ticks, mapping) - now);
    if (this.leadNs > MOST_LEAD_NS) this.leadNs = 0;
    const slowing = Math.min(this.leadNs / CATCH_UP_NS, MOST_SLOWING);
    const scale: TickScale = tickScale((1e9 / counter.hz) * (1 - slowing));
    this.mapping = { ticks, ns: now + this.leadNs, ...scale, hz: counter.hz, offset: counter.offset };
    if (slowing > 0) this.settled.arm(now + Math.ceil(this.leadNs / slowing));
    else this.settled.disarm();
    this.writePage();
  }

  private writePage(): void {
    const { mapping, page } = this;
    if (mapping === undefined || !this.isOn) return;
    page.setBigUint64(TIME.TSC_TIMESTAMP, BigInt.asUintN(64, BigInt(mapping.ticks)), true);
    page.setBigUint64(TIME.SYSTEM_TIME, BigInt(mapping.ns), true);
    page.setUint32(TIME.MULTIPLIER, mapping.multiplier, true);
    page.setInt8(TIME.SHIFT, mapping.shift);
    page.setUint8(TIME.FLAGS, TSC_STABLE);
    this.publish(this.systemTime, TIME.BYTES, TIME.TSC_TIMESTAMP);
  }

  private writeWallClock(): void {
    const { page, epochMs } = this;
    page.setUint32(WALL.SECONDS, Math.floor(epochMs / 1000) >>> 0, true);
    page.setUint32(WALL.NANOSECONDS, (epochMs - Math.floor(epochMs / 1000) * 1000) * 1e6, true);
    this.publish(this.wallClock, WALL.BYTES, WALL.SECONDS);
  }

  /** Writes the page's bytes from `first` on; its version is odd meanwhile. Addresses that are no RAM get nothing. */
  private publish(msr: Halves, bytes: number, first: number): void {
    const { memory, isRam } = this.options;
    const address = addressOf(msr);
    if ((msr[0] & MISALIGNED) !== 0 || !isRam(address, bytes)) return;
    const version = ((memory.read32(address) + 1) | 1) >>> 0;
    memory.write32(address, version);
    memory.write(address + first, new Uint8Array(this.page.buffer, first, bytes - first));
    memory.write32(address, (version + 1) >>> 0);
  }

  // --- device --------------------------------------------------------------------------------------------------------

  reset(): void {
    this.systemTime = [0, 0];
    this.wallClock = [0, 0];
    this.mapping = undefined;
    this.leadNs = 0;
    this.stale = false;
    this.settled.disarm();
  }

  save(): DeviceState {
    const { systemTime, wallClock, epochMs, mapping, leadNs, settled } = this;
    return { version: VERSION, fields: { systemTime: [...systemTime], wallClock: [...wallClock], epochMs, mapping: mapping === undefined ? null : { ...mapping }, leadNs, settledNs: settled.deadlineNs ?? null } };
  }

  load(state: DeviceState): void {
    const fields = parseState(this.id, state, VERSION, schema);
    this.systemTime = fields.systemTime;
    this.wallClock = fields.wallClock;
    this.epochMs = fields.epochMs;
    this.mapping = fields.mapping ?? undefined;
    this.leadNs = fields.leadNs;
    if (fields.settledNs === null) this.settled.disarm();
    else this.settled.arm(fields.settledNs);
    this.stale = true;
  }

  dispose(): void {
    this.settled.disarm();
  }
}
