// Local APIC, xAPIC and x2APIC (Intel SDM volume 3, chapter 11): priorities, local vectors, interprocessor interrupts,
// LINT0 as the 8259's way in, LINT1 as NMI.
// Not emulated: CMCI, thermal and performance events (their vectors only keep what is written), SMI delivery,
// suppression of EOI broadcasts.

import { z } from 'zod';
import type { Clock } from '../../base/clock.ts';
import type { Disposable } from '../../base/disposable.ts';
import * as D from '../../bus/interrupt-bus.ts';
import type { IrqLine } from '../../bus/irq.ts';
import type { MmioDevice } from '../../bus/mmio-bus.ts';
import type { AccessSize } from '../../bus/port-bus.ts';
import type { Device, DeviceState } from '../../devices/device.ts';
import { parseState } from '../../devices/state.ts';
import * as A from './local-apic-registers.ts';
import { ApicTimer, apicTimerSchema } from './local-apic-timer.ts';
import { VectorSet } from './vector-set.ts';

const VERSION = 1;
const u32 = z.int().min(0).max(0xffffffff);
const vectors = z.array(u32).length(8);
const schema = z.strictObject({
  baseLow: u32,
  baseHigh: u32,
  xapicId: z.int().min(0).max(255),
  taskPriority: z.int().min(0).max(255),
  ldr: u32,
  dfr: u32,
  svr: u32,
  esr: u32,
  pendingErrors: u32,
  icrLow: u32,
  icrHigh: u32,
  lvt: z.array(u32).length(A.LVT_COUNT),
  isr: vectors,
  irr: vectors,
  tmr: vectors,
  lint0: z.boolean(),
  lint1: z.boolean(),
  extIntRequested: z.boolean(),
  timer: apicTimerSchema,
});

export interface LocalApicOptions {
  /** "lapic0"... */
  readonly id: string;
  readonly apicId: number;
  /** The boot processor: its LINT0 lets the 8259 through from the start, as firmware sets it up. */
  readonly isBsp: boolean;
  readonly clock: Clock;
  readonly bus: D.InterruptBus;
  /** Virtual time at which the TSC reaches a value. */
  readonly tscToNs: (tsc: number) => number;
  /** The 8259 pair whose INT output drives LINT0. */
  readonly pic?: { acknowledge(): number } | undefined;
  /** INTR to the CPU changed; see hasInterrupt(). */
  readonly onInterruptRequest: (level: boolean) => void;
  readonly onNmi: () => void;
  readonly onInit: () => void;
  readonly onStartup: (vector: number) => void;
  /** The APIC base MSR changed: the memory window moved, appeared or went away. */
  readonly onBaseChanged?: (() => void) | undefined;
}

export class LocalApic implements Device, MmioDevice, D.InterruptTarget {
  readonly id: string;
  /** LINT0: the 8259 pair's INT output. */
  readonly lint0: IrqLine = { set: (level) => this.setLint0(level) };
  /** LINT1: the board's NMI. */
  readonly lint1: IrqLine = { set: (level) => this.setLint1(level) };
  private readonly initialId: number;
  private readonly isBsp: boolean;
  private readonly bus: D.InterruptBus;
  private readonly pic: { acknowledge(): number } | undefined;
  private readonly onInterruptRequest: (level: boolean) => void;
  private readonly onNmi: () => void;
  private readonly onInit: () => void;
  private readonly onStartup: (vector: number) => void;
  private readonly onBaseChanged: (() => void) | undefined;
  private readonly timer: ApicTimer;
  private readonly connection: Disposable;
  private readonly isr = new VectorSet();
  private readonly irr = new VectorSet();
  private readonly tmr = new VectorSet();
  private readonly lvt = new Uint32Array(A.LVT_COUNT);
  private baseLow = 0;
  private baseHigh = 0;
  private xapicId: number;
  private taskPriority = 0;
  private ldr = 0;
  private dfr = 0xffffffff;
  private svr = 0xff;
  private esr = 0;
  private pendingErrors = 0;
  private icrLow = 0;
  private icrHigh = 0;
  private lint0Level = false;
  private lint1Level = false;
  /** An ExtINT message (not the LINT0 pin) waits for its INTA. */
  private extIntRequested = false;
  private requestLevel = false;

  constructor(options: LocalApicOptions) {
    this.id = options.id;
    this.initialId = options.apicId;
    this.xapicId = options.apicId & 0xff;
    this.isBsp = options.isBsp;
    this.bus = options.bus;
    this.pic = options.pic;
    this.onInterruptRequest = options.onInterruptRequest;
    this.onNmi = options.onNmi;
    this.onInit = options.onInit;
    this.onStartup = options.onStartup;
    this.onBaseChanged = options.onBaseChanged;
    this.timer = new ApicTimer({
      name: `${options.id}.timer`,
      clock: options.clock,
      tscToNs: options.tscToNs,
      onExpire: () => this.fireLocalVector(A.LVT_TIMER),
    });
    this.connection = options.bus.addTarget(this);
    this.resetBase();
    this.resetRegisters();
  }

  // --- the CPU's side --------------------------------------------------------------------------------------------

  /** True while the CPU should take an interrupt (if its IF lets it). */
  hasInterrupt(): boolean {
    return this.requestLevel;
  }

  /** INTA: the vector to run, or -1 when nothing asks any more. Own interrupts go before those of the 8259. */
  acknowledge(): number {
    const vector = this.deliverableVector();
    if (vector >= 0) {
      this.irr.remove(vector);
      this.isr.add(vector);
      this.update();
      return vector;
    }
    if (!this.extIntActive() || this.pic === undefined) return -1;
    this.extIntRequested = false;
    const external = this.pic.acknowledge();
    this.update();
    return external;
  }

  readCr8(): number {
    return this.taskPriority >> 4;
  }

  writeCr8(value: number): void {
    this.taskPriority = (value & 15) << 4;
    this.update();
  }

  /** Address of the 4 KiB register window while the APIC is in xAPIC mode, else undefined. */
  get mmioBase(): number | undefined {
    if ((this.baseLow & (A.BASE_ENABLE | A.BASE_X2APIC)) !== A.BASE_ENABLE) return undefined;
    return this.baseHigh * 0x1_0000_0000 + ((this.baseLow & 0xfffff000) >>> 0);
  }

  /** RDMSR of 1Bh, 6E0h, 800h-83Fh; false raises #GP. */
  readMsr(index: number, out: Uint32Array): boolean {
    out[1] = 0;
    if (index === A.MSR_APIC_BASE) {
      out[0] = this.baseLow;
      out[1] = this.baseHigh;
      return true;
    }
    if (index === A.MSR_TSC_DEADLINE) {
      out[0] = this.timer.tscDeadlineLow;
      out[1] = this.timer.tscDeadlineHigh;
      return true;
    }
    const offset = (index - A.MSR_X2APIC_FIRST) * 16;
    if (!this.inX2ApicMode || !isX2ApicRegister(offset) || offset === A.APIC_EOI || offset === A.APIC_SELF_IPI) return false;
    out[0] = offset === A.APIC_ID ? this.initialId : this.readRegister(offset);
    if (offset === A.APIC_ICR_LOW) out[1] = this.icrHigh;
    return true;
  }

  /** WRMSR of 1Bh, 6E0h, 800h-83Fh; false raises #GP. */
  writeMsr(index: number, low: number, high: number): boolean {
    if (index === A.MSR_APIC_BASE) return this.writeBase(low >>> 0, high >>> 0);
    if (index === A.MSR_TSC_DEADLINE) {
      this.timer.setTscDeadline(low >>> 0, high >>> 0);
      return true;
    }
    const offset = (index - A.MSR_X2APIC_FIRST) * 16;
    if (!this.inX2ApicMode || !isX2ApicRegister(offset) || !isX2ApicWritable(offset)) return false;
    if (offset === A.APIC_ICR_LOW) this.icrHigh = high >>> 0;
    else if (high !== 0) return false;
    if ((offset === A.APIC_EOI || offset === A.APIC_ESR) && low !== 0) return false;
    if (offset === A.APIC_SELF_IPI) this.accept(D.DELIVERY_FIXED, low & 0xff, false);
    else this.writeRegister(offset, low >>> 0);
    return true;
  }

  /** `offset` counts from mmioBase. Registers are 32 bits wide at multiples of 16. */
  readMmio(offset: number, size: AccessSize): number {
    if ((offset & 0x0c) !== 0) return 0;
    const value = this.readRegister(offset & 0xff0);
    const shifted = value >>> ((offset & 3) * 8);
    return (size === 4 ? shifted : shifted & (size === 2 ? 0xffff : 0xff)) >>> 0;
  }

  writeMmio(offset: number, size: AccessSize, value: number): void {
    // Other sizes are undefined in the manual; they are ignored.
    if (size !== 4 || (offset & 0x0f) !== 0) return;
    if (offset === A.APIC_ID) this.xapicId = value >>> 24;
    else if (offset === A.APIC_LDR) this.ldr = (value & 0xff000000) >>> 0;
    else if (offset === A.APIC_DFR) this.dfr = (value | 0x0fffffff) >>> 0;
    else if (offset === A.APIC_ICR_HIGH) this.icrHigh = (value & 0xff000000) >>> 0;
    else this.writeRegister(offset & 0xff0, value >>> 0);
  }

  // --- the interrupt bus's side ----------------------------------------------------------------------------------

  get apicId(): number {
    return this.inX2ApicMode ? this.initialId : this.xapicId;
  }

  get arbitrationPriority(): number {
    return this.processorPriority();
  }

  get acceptsFixed(): boolean {
    return this.enabled && (this.svr & A.SVR_ENABLE) !== 0;
  }

  matchesPhysical(destination: number): boolean {
    return destination === this.apicId || destination === 0xff || destination === 0xffffffff;
  }

  matchesLogical(destination: number): boolean {
    if (destination === 0xffffffff) return true;
    if (this.inX2ApicMode) {
      const ldr = this.x2ApicLdr();
      return destination >>> 16 === ldr >>> 16 && (destination & ldr & 0xffff) !== 0;
    }
    const own = this.ldr >>> 24;
    if (destination === 0xff) return true;
    if (this.dfr >>> 28 === 0xf) return (destination & own) !== 0;
    return destination >> 4 === own >> 4 && (destination & own & 0x0f) !== 0;
  }

  accept(deliveryMode: number, vector: number, levelTriggered: boolean): void {
    switch (deliveryMode) {
      case D.DELIVERY_FIXED:
      case D.DELIVERY_LOWEST_PRIORITY:
        this.acceptFixed(vector, levelTriggered);
        break;
      case D.DELIVERY_NMI:
        this.onNmi();
        break;
      case D.DELIVERY_INIT:
        this.resetRegisters();
        this.onInit();
        break;
      case D.DELIVERY_STARTUP:
        this.onStartup(vector);
        break;
      case D.DELIVERY_EXTINT:
        this.extIntRequested = true;
        this.update();
        break;
      default:
        break;
    }
  }

  // --- device ----------------------------------------------------------------------------------------------------

  reset(): void {
    this.resetBase();
    this.xapicId = this.initialId & 0xff;
    this.resetRegisters();
  }

  save(): DeviceState {
    return {
      version: VERSION,
      fields: {
        baseLow: this.baseLow,
        baseHigh: this.baseHigh,
        xapicId: this.xapicId,
        taskPriority: this.taskPriority,
        ldr: this.ldr,
        dfr: this.dfr,
        svr: this.svr,
        esr: this.esr,
        pendingErrors: this.pendingErrors,
        icrLow: this.icrLow,
        icrHigh: this.icrHigh,
        lvt: [...this.lvt],
        isr: [...this.isr.words],
        irr: [...this.irr.words],
        tmr: [...this.tmr.words],
        lint0: this.lint0Level,
        lint1: this.lint1Level,
        extIntRequested: this.extIntRequested,
        timer: this.timer.save(),
      },
    };
  }

  load(state: DeviceState): void {
    const fields = parseState(this.id, state, VERSION, schema);
    const bsp = this.isBsp ? A.BASE_BSP : 0;
    this.baseLow = ((fields.baseLow & ~(A.BASE_BSP | 0x2ff)) | bsp) >>> 0;
    // x2APIC without enable is no state that a guest can reach.
    if ((this.baseLow & A.BASE_ENABLE) === 0) this.baseLow = (this.baseLow & ~A.BASE_X2APIC) >>> 0;
    this.baseHigh = fields.baseHigh & 0xff;
    this.xapicId = fields.xapicId;
    this.taskPriority = fields.taskPriority;
    this.ldr = fields.ldr;
    this.dfr = (fields.dfr | 0x0fffffff) >>> 0;
    this.svr = fields.svr & A.SVR_WRITABLE;
    this.esr = fields.esr;
    this.pendingErrors = fields.pendingErrors;
    this.icrLow = fields.icrLow & A.ICR_WRITABLE;
    this.icrHigh = fields.icrHigh;
    this.lvt.set(fields.lvt.map((value, entry) => value & (A.LVT_WRITABLE[entry] ?? 0)));
    this.isr.words.set(fields.isr);
    this.irr.words.set(fields.irr);
    this.tmr.words.set(fields.tmr);
    this.lint0Level = fields.lint0;
    this.lint1Level = fields.lint1;
    this.extIntRequested = fields.extIntRequested;
    this.timer.load(fields.timer);
    this.onBaseChanged?.();
    this.requestLevel = this.computeRequest();
    this.onInterruptRequest(this.requestLevel);
  }

  dispose(): void {
    this.timer.dispose();
    this.connection.dispose();
  }

  // --- internals -------------------------------------------------------------------------------------------------

  private get enabled(): boolean {
    return (this.baseLow & A.BASE_ENABLE) !== 0;
  }

  private get inX2ApicMode(): boolean {
    return (this.baseLow & A.BASE_X2APIC) !== 0;
  }

  private x2ApicLdr(): number {
    return ((((this.initialId >>> 4) & 0xffff) << 16) | (1 << (this.initialId & 15))) >>> 0;
  }

  private lvtEntry(entry: number): number {
    return this.lvt[entry] ?? A.LVT_MASKED;
  }

  private resetBase(): void {
    this.baseLow = (A.DEFAULT_BASE | A.BASE_ENABLE | (this.isBsp ? A.BASE_BSP : 0)) >>> 0;
    this.baseHigh = 0;
    this.onBaseChanged?.();
  }

  /** Power-on and INIT: everything but the base MSR, the id and the pins. */
  private resetRegisters(): void {
    this.timer.reset();
    this.isr.clear();
    this.irr.clear();
    this.tmr.clear();
    this.taskPriority = 0;
    this.ldr = 0;
    this.dfr = 0xffffffff;
    this.svr = 0xff;
    this.esr = 0;
    this.pendingErrors = 0;
    this.icrLow = 0;
    this.icrHigh = 0;
    this.extIntRequested = false;
    this.lvt.fill(A.LVT_MASKED);
    // Virtual wire mode: guests and firmware that never touch the APIC still get the 8259's interrupts.
    if (this.isBsp) this.lvt[A.LVT_LINT0] = D.DELIVERY_EXTINT << 8;
    this.update();
  }

  private writeBase(low: number, high: number): boolean {
    const reserved = 0x2ff;
    if ((low & reserved) !== 0 || high > 0xff) return false;
    const toX2 = (low & A.BASE_X2APIC) !== 0;
    const toEnabled = (low & A.BASE_ENABLE) !== 0;
    // The only ways into x2APIC mode are from xAPIC mode, and out of it to disabled.
    if (toX2 && !toEnabled) return false;
    if (this.inX2ApicMode && toEnabled && !toX2) return false;
    if (!this.enabled && toX2) return false;
    const wasEnabled = this.enabled;
    this.baseLow = ((low & ~A.BASE_BSP) | (this.baseLow & A.BASE_BSP)) >>> 0;
    this.baseHigh = high;
    if (wasEnabled && !toEnabled) this.resetRegisters();
    this.onBaseChanged?.();
    this.update();
    return true;
  }

  private readRegister(offset: number): number {
    if (offset >= A.APIC_ISR && offset < A.APIC_ESR) {
      const set = offset < A.APIC_TMR ? this.isr : offset < A.APIC_IRR ? this.tmr : this.irr;
      return set.words[(offset >> 4) & 7] ?? 0;
    }
    if (offset >= A.APIC_LVT_TIMER && offset <= A.APIC_LVT_ERROR) return this.lvtEntry((offset - A.APIC_LVT_TIMER) >> 4);
    switch (offset) {
      case A.APIC_ID:
        return (this.xapicId << 24) >>> 0;
      case A.APIC_VERSION:
        return A.VERSION_VALUE;
      case A.APIC_TPR:
        return this.taskPriority;
      case A.APIC_APR:
      case A.APIC_PPR:
        return this.processorPriority();
      case A.APIC_LDR:
        return this.inX2ApicMode ? this.x2ApicLdr() : this.ldr;
      case A.APIC_DFR:
        return this.dfr;
      case A.APIC_SVR:
        return this.svr;
      case A.APIC_ESR:
        return this.esr;
      case A.APIC_ICR_LOW:
        return this.icrLow;
      case A.APIC_ICR_HIGH:
        return this.icrHigh;
      case A.APIC_INITIAL_COUNT:
        return this.timer.initialCount;
      case A.APIC_CURRENT_COUNT:
        return this.timer.currentCount();
      case A.APIC_DIVIDE:
        return this.timer.divideRegister;
      case A.APIC_EOI:
        return 0;
      default:
        this.raiseError(A.ESR_ILLEGAL_REGISTER);
        return 0;
    }
  }

  private writeRegister(offset: number, value: number): void {
    if (offset >= A.APIC_LVT_TIMER && offset <= A.APIC_LVT_ERROR) {
      this.writeLvt((offset - A.APIC_LVT_TIMER) >> 4, value);
      return;
    }
    switch (offset) {
      case A.APIC_TPR:
        this.taskPriority = value & 0xff;
        this.update();
        break;
      case A.APIC_EOI:
        this.endOfInterrupt();
        break;
      case A.APIC_SVR:
        this.writeSvr(value);
        break;
      case A.APIC_ESR:
        // A write makes the errors since the last one readable.
        this.esr = this.pendingErrors;
        this.pendingErrors = 0;
        break;
      case A.APIC_ICR_LOW:
        this.icrLow = value & A.ICR_WRITABLE;
        this.sendIpi();
        break;
      case A.APIC_INITIAL_COUNT:
        this.timer.setInitialCount(value);
        break;
      case A.APIC_DIVIDE:
        this.timer.setDivide(value);
        break;
      default:
        // Read-only registers ignore writes; places where no register is are an error.
        if (offset >= A.APIC_ISR && offset < A.APIC_ESR) break;
        if (offset === A.APIC_VERSION || offset === A.APIC_APR || offset === A.APIC_PPR || offset === A.APIC_CURRENT_COUNT) break;
        this.raiseError(A.ESR_ILLEGAL_REGISTER);
    }
  }

  private writeSvr(value: number): void {
    this.svr = value & A.SVR_WRITABLE;
    // Switching the APIC off masks all local vectors.
    if ((this.svr & A.SVR_ENABLE) === 0) for (let i = 0; i < A.LVT_COUNT; i++) this.lvt[i] = this.lvtEntry(i) | A.LVT_MASKED;
    this.update();
  }

  private writeLvt(entry: number, value: number): void {
    const forced = (this.svr & A.SVR_ENABLE) === 0 ? A.LVT_MASKED : 0;
    this.lvt[entry] = (value & (A.LVT_WRITABLE[entry] ?? 0)) | forced;
    if (entry === A.LVT_TIMER) this.timer.setMode((value >> A.TIMER_MODE_SHIFT) & 3);
    this.update();
  }

  private acceptFixed(vector: number, levelTriggered: boolean): void {
    if (!this.acceptsFixed) return;
    if (vector < 16) {
      this.raiseError(A.ESR_RECEIVED_ILLEGAL_VECTOR);
      return;
    }
    this.irr.add(vector);
    if (levelTriggered) this.tmr.add(vector);
    else this.tmr.remove(vector);
    this.update();
  }

  /** A local source asks through its vector table entry. */
  private fireLocalVector(entry: number): void {
    const value = this.lvtEntry(entry);
    if ((value & A.LVT_MASKED) !== 0) return;
    // The timer and error entries have no delivery mode: they are always fixed.
    const deliveryMode = entry === A.LVT_TIMER || entry === A.LVT_ERROR ? D.DELIVERY_FIXED : (value >> 8) & 7;
    if (deliveryMode === D.DELIVERY_EXTINT) this.update();
    else this.accept(deliveryMode, value & 0xff, deliveryMode === D.DELIVERY_FIXED && (value & A.LVT_LEVEL) !== 0);
  }

  private setLint0(level: boolean): void {
    if (level === this.lint0Level) return;
    this.lint0Level = level;
    if (level && this.enabled) this.fireLocalVector(A.LVT_LINT0);
    this.update();
  }

  private setLint1(level: boolean): void {
    if (level === this.lint1Level) return;
    this.lint1Level = level;
    if (!level) return;
    // With the APIC switched off in its base MSR the pin is plain NMI.
    if (this.enabled) this.fireLocalVector(A.LVT_LINT1);
    else this.onNmi();
  }

  private raiseError(bits: number): void {
    const isNew = (this.pendingErrors & bits) !== bits;
    this.pendingErrors |= bits;
    const entry = this.lvtEntry(A.LVT_ERROR);
    // A vector that is illegal itself must not report its own illegality for ever.
    if (isNew && (entry & A.LVT_MASKED) === 0 && (entry & 0xff) >= 16) this.fireLocalVector(A.LVT_ERROR);
  }

  private endOfInterrupt(): void {
    const vector = this.isr.highest();
    if (vector < 0) return;
    this.isr.remove(vector);
    this.update();
    if (this.tmr.has(vector)) this.bus.broadcastEoi(vector);
  }

  private sendIpi(): void {
    const low = this.icrLow;
    const deliveryMode = (low >> 8) & 7;
    const vector = low & 0xff;
    const level = (low & A.ICR_LEVEL) !== 0;
    // INIT level de-assert means nothing since the Pentium 4.
    if (deliveryMode === D.DELIVERY_INIT && level && (low & A.ICR_ASSERT) === 0) return;
    if (deliveryMode <= D.DELIVERY_LOWEST_PRIORITY && vector < 16) {
      this.raiseError(A.ESR_SEND_ILLEGAL_VECTOR);
      return;
    }
    // Interprocessor interrupts are edge-triggered whatever the trigger bit says.
    switch ((low >> 18) & 3) {
      case 0: {
        const destination = this.inX2ApicMode ? this.icrHigh : this.icrHigh >>> 24;
        this.bus.deliver(destination, (low & A.ICR_LOGICAL) !== 0, deliveryMode, vector, false);
        break;
      }
      case 1:
        this.accept(deliveryMode, vector, false);
        break;
      case 2:
        this.bus.broadcast(undefined, deliveryMode, vector, false);
        break;
      default:
        this.bus.broadcast(this, deliveryMode, vector, false);
    }
  }

  private processorPriority(): number {
    const inService = this.isr.highest();
    const serviceClass = inService < 0 ? 0 : inService & 0xf0;
    return (this.taskPriority & 0xf0) >= serviceClass ? this.taskPriority : serviceClass;
  }

  /** The requested vector that outranks what runs, or -1. */
  private deliverableVector(): number {
    if (!this.acceptsFixed) return -1;
    const vector = this.irr.highest();
    return vector >= 0 && (vector & 0xf0) > (this.processorPriority() & 0xf0) ? vector : -1;
  }

  /** True while the 8259's request gets through to the CPU. */
  private extIntActive(): boolean {
    if (this.extIntRequested) return true;
    if (!this.lint0Level) return false;
    if (!this.enabled) return true;
    const lint0 = this.lvtEntry(A.LVT_LINT0);
    return (lint0 & A.LVT_MASKED) === 0 && ((lint0 >> 8) & 7) === D.DELIVERY_EXTINT;
  }

  private computeRequest(): boolean {
    return this.deliverableVector() >= 0 || this.extIntActive();
  }

  private update(): void {
    const level = this.computeRequest();
    if (level === this.requestLevel) return;
    this.requestLevel = level;
    this.onInterruptRequest(level);
  }
}

/** Registers that exist as x2APIC MSRs: DFR, APR and the high half of the ICR do not. */
function isX2ApicRegister(offset: number): boolean {
  if (offset >= A.APIC_ISR && offset <= A.APIC_ESR) return true;
  if (offset >= A.APIC_LVT_TIMER && offset <= A.APIC_CURRENT_COUNT) return true;
  switch (offset) {
    case A.APIC_ID:
    case A.APIC_VERSION:
    case A.APIC_TPR:
    case A.APIC_PPR:
    case A.APIC_EOI:
    case A.APIC_LDR:
    case A.APIC_SVR:
    case A.APIC_ICR_LOW:
    case A.APIC_DIVIDE:
    case A.APIC_SELF_IPI:
      return true;
    default:
      return false;
  }
}

function isX2ApicWritable(offset: number): boolean {
  if (offset >= A.APIC_ISR && offset < A.APIC_ESR) return false;
  switch (offset) {
    case A.APIC_ID:
    case A.APIC_VERSION:
    case A.APIC_PPR:
    case A.APIC_LDR:
    case A.APIC_CURRENT_COUNT:
      return false;
    default:
      return true;
  }
}
