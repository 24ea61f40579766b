// Local APIC, xAPIC and x2APIC (Intel SDM volume 3, chapter 11): priorities, local vectors, interprocessor interrupts,
// LINT0 as the 8259's way in, LINT1 as NMI.
// Not emulated: CMCI, thermal and performance events (their vectors only keep what is written), SMI delivery,
// suppression of EOI broadcasts.

import { z } from 'zod';
import type { Disposable } from '../../base/disposable.ts';
import * as D from '../../bus/interrupt-bus.ts';
import type { IrqLine } from '../../bus/irq.ts';
import type { MmioDevice } from '../../bus/mmio-bus.ts';
import type { AccessSize } from '../../bus/port-bus.ts';
import type { Device, DeviceState } from '../../devices/device.ts';
import { parseState } from '../../devices/state.ts';
import type { LocalApicOptions } from './local-apic-options.ts';
import * as A from './local-apic-registers.ts';
import { ApicRegisters, apicRegistersShape } from './local-apic-state.ts';
import { ApicTimer, apicTimerSchema } from './local-apic-timer.ts';

export type { LocalApicOptions } from './local-apic-options.ts';

const VERSION = 1;
const schema = z.strictObject({ ...apicRegistersShape, timer: apicTimerSchema });

export class LocalApic implements Device, MmioDevice, D.InterruptTarget {
  readonly id: string;
  /** LINT0: the 8259 pair's INT output. */
  readonly lint0: IrqLine = { set: (level) => this.setLint0(level) };
  /** LINT1: the board's NMI. */
  readonly lint1: IrqLine = { set: (level) => this.setLint1(level) };
  private readonly bus: D.InterruptBus;
  private readonly pic: { acknowledge(): number } | undefined;
  private readonly onInterruptRequest: (level: boolean) => void;
  private readonly onNmi: () => void;
  private readonly onInit: () => void;
  private readonly onStartup: (vector: number) => void;
  private readonly onBaseChanged: (() => void) | undefined;
  private readonly timer: ApicTimer;
  private readonly connection: Disposable;
  private readonly registers: ApicRegisters;
  private requestLevel = false;

  constructor(options: LocalApicOptions) {
    this.id = options.id;
    this.registers = new ApicRegisters(options.apicId, options.isBsp);
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
  }

  // --- the CPU's side --------------------------------------------------------------------------------------------

  /** True while the CPU should take an interrupt (if its IF lets it). */
  hasInterrupt(): boolean {
    return this.requestLevel;
  }

  /** INTA: the vector to run, or -1 when nothing asks any more. Own interrupts go before those of the 8259. */
  acknowledge(): number {
    const vector = this.registers.deliverableVector();
    if (vector >= 0) {
      this.registers.irr.remove(vector);
      this.registers.isr.add(vector);
      this.update();
      return vector;
    }
    if (!this.registers.extIntActive() || this.pic === undefined) return -1;
    this.registers.extIntRequested = false;
    const external = this.pic.acknowledge();
    this.update();
    return external;
  }

  readCr8(): number {
    return this.registers.taskPriority >> 4;
  }

  writeCr8(value: number): void {
    this.registers.taskPriority = (value & 15) << 4;
    this.update();
  }

  /** Address of the 4 KiB register window while the APIC is in xAPIC mode, else undefined. */
  get mmioBase(): number | undefined {
    if ((this.registers.baseLow & (A.BASE_ENABLE | A.BASE_X2APIC)) !== A.BASE_ENABLE) return undefined;
    return this.registers.baseHigh * 0x1_0000_0000 + ((this.registers.baseLow & 0xfffff000) >>> 0);
  }

  /** RDMSR of 1Bh, 6E0h, 800h-83Fh; false raises #GP. */
  readMsr(index: number, out: Uint32Array): boolean {
    out[1] = 0;
    if (index === A.MSR_APIC_BASE) {
      out[0] = this.registers.baseLow;
      out[1] = this.registers.baseHigh;
      return true;
    }
    if (index === A.MSR_TSC_DEADLINE) {
      out[0] = this.timer.tscDeadlineLow;
      out[1] = this.timer.tscDeadlineHigh;
      return true;
    }
    const offset = (index - A.MSR_X2APIC_FIRST) * 16;
    if (
      !this.registers.inX2ApicMode ||
      !A.isX2ApicRegister(offset) ||
      offset === A.APIC_EOI ||
      offset === A.APIC_SELF_IPI
    )
      return false;
    out[0] = offset === A.APIC_ID ? this.registers.initialId : this.readRegister(offset);
    if (offset === A.APIC_ICR_LOW) out[1] = this.registers.icrHigh;
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
    if (!this.registers.inX2ApicMode || !A.isX2ApicRegister(offset) || !A.isX2ApicWritable(offset)) return false;
    if (offset === A.APIC_ICR_LOW) this.registers.icrHigh = high >>> 0;
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
    if (offset === A.APIC_ID) this.registers.xapicId = value >>> 24;
    else if (offset === A.APIC_LDR) this.registers.ldr = (value & 0xff000000) >>> 0;
    else if (offset === A.APIC_DFR) this.registers.dfr = (value | 0x0fffffff) >>> 0;
    else if (offset === A.APIC_ICR_HIGH) this.registers.icrHigh = (value & 0xff000000) >>> 0;
    else this.writeRegister(offset & 0xff0, value >>> 0);
  }

  // --- the interrupt bus's side ----------------------------------------------------------------------------------

  get apicId(): number {
    return this.registers.apicId;
  }

  get arbitrationPriority(): number {
    return this.registers.processorPriority();
  }

  get acceptsFixed(): boolean {
    return this.registers.acceptsFixed;
  }

  matchesPhysical(destination: number): boolean {
    return this.registers.matchesPhysical(destination);
  }

  matchesLogical(destination: number): boolean {
    return this.registers.matchesLogical(destination);
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
        this.registers.extIntRequested = true;
        this.update();
        break;
      default:
        break;
    }
  }

  // --- device ----------------------------------------------------------------------------------------------------

  reset(): void {
    this.registers.resetBase();
    this.registers.xapicId = this.registers.initialId & 0xff;
    this.resetRegisters();
    this.onBaseChanged?.();
  }

  save(): DeviceState {
    return { version: VERSION, fields: { ...this.registers.save(), timer: this.timer.save() } };
  }

  load(state: DeviceState): void {
    const fields = parseState(this.id, state, VERSION, schema);
    this.registers.load(fields);
    this.timer.load(fields.timer);
    this.onBaseChanged?.();
    this.requestLevel = this.computeRequest();
    this.onInterruptRequest(this.requestLevel);
  }

  /** Until the next load: another runs what was saved. */
  stopTimer(): void {
    this.timer.dispose();
  }

  dispose(): void {
    this.timer.dispose();
    this.connection.dispose();
  }

  // --- internals -------------------------------------------------------------------------------------------------

  private resetRegisters(): void {
    this.timer.reset();
    this.registers.resetRegisters();
    this.update();
  }

  private writeBase(low: number, high: number): boolean {
    const wasEnabled = this.registers.enabled;
    if (!this.registers.writeBase(low, high)) return false;
    if (wasEnabled && !this.registers.enabled) this.resetRegisters();
    this.onBaseChanged?.();
    this.update();
    return true;
  }

  private readRegister(offset: number): number {
    if (offset >= A.APIC_ISR && offset < A.APIC_ESR) {
      const set =
        offset < A.APIC_TMR ? this.registers.isr : offset < A.APIC_IRR ? this.registers.tmr : this.registers.irr;
      return set.words[(offset >> 4) & 7] ?? 0;
    }
    if (offset >= A.APIC_LVT_TIMER && offset <= A.APIC_LVT_ERROR)
      return this.registers.lvtEntry((offset - A.APIC_LVT_TIMER) >> 4);
    switch (offset) {
      case A.APIC_ID:
        return (this.registers.xapicId << 24) >>> 0;
      case A.APIC_VERSION:
        return A.VERSION_VALUE;
      case A.APIC_TPR:
        return this.registers.taskPriority;
      case A.APIC_APR:
      case A.APIC_PPR:
        return this.registers.processorPriority();
      case A.APIC_LDR:
        return this.registers.inX2ApicMode ? this.registers.x2ApicLdr : this.registers.ldr;
      case A.APIC_DFR:
        return this.registers.dfr;
      case A.APIC_SVR:
        return this.registers.svr;
      case A.APIC_ESR:
        return this.registers.esr;
      case A.APIC_ICR_LOW:
        return this.registers.icrLow;
      case A.APIC_ICR_HIGH:
        return this.registers.icrHigh;
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
        this.registers.taskPriority = value & 0xff;
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
        this.registers.esr = this.registers.pendingErrors;
        this.registers.pendingErrors = 0;
        break;
      case A.APIC_ICR_LOW:
        this.registers.icrLow = value & A.ICR_WRITABLE;
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
        if (
          offset === A.APIC_VERSION ||
          offset === A.APIC_APR ||
          offset === A.APIC_PPR ||
          offset === A.APIC_CURRENT_COUNT
        )
          break;
        this.raiseError(A.ESR_ILLEGAL_REGISTER);
    }
  }

  private writeSvr(value: number): void {
    this.registers.svr = value & A.SVR_WRITABLE;
    // Switching the APIC off masks all local vectors.
    if ((this.registers.svr & A.SVR_ENABLE) === 0)
      for (let i = 0; i < A.LVT_COUNT; i++) this.registers.lvt[i] = this.registers.lvtEntry(i) | A.LVT_MASKED;
    this.update();
  }

  private writeLvt(entry: number, value: number): void {
    const forced = (this.registers.svr & A.SVR_ENABLE) === 0 ? A.LVT_MASKED : 0;
    this.registers.lvt[entry] = (value & (A.LVT_WRITABLE[entry] ?? 0)) | forced;
    if (entry === A.LVT_TIMER) this.timer.setMode((value >> A.TIMER_MODE_SHIFT) & 3);
    this.update();
  }

  private acceptFixed(vector: number, levelTriggered: boolean): void {
    if (!this.acceptsFixed) return;
    if (vector < 16) {
      this.raiseError(A.ESR_RECEIVED_ILLEGAL_VECTOR);
      return;
    }
    this.registers.irr.add(vector);
    if (levelTriggered) this.registers.tmr.add(vector);
    else this.registers.tmr.remove(vector);
    this.update();
  }

  /** A local source asks through its vector table entry. */
  private fireLocalVector(entry: number): void {
    const value = this.registers.lvtEntry(entry);
    if ((value & A.LVT_MASKED) !== 0) return;
    // The timer and error entries have no delivery mode: they are always fixed.
    const deliveryMode = entry === A.LVT_TIMER || entry === A.LVT_ERROR ? D.DELIVERY_FIXED : (value >> 8) & 7;
    if (deliveryMode === D.DELIVERY_EXTINT) this.update();
    else this.accept(deliveryMode, value & 0xff, deliveryMode === D.DELIVERY_FIXED && (value & A.LVT_LEVEL) !== 0);
  }

  private setLint0(level: boolean): void {
    if (level === this.registers.lint0) return;
    this.registers.lint0 = level;
    if (level && this.registers.enabled) this.fireLocalVector(A.LVT_LINT0);
    this.update();
  }

  private setLint1(level: boolean): void {
    if (level === this.registers.lint1) return;
    this.registers.lint1 = level;
    if (!level) return;
    // With the APIC switched off in its base MSR the pin is plain NMI.
    if (this.registers.enabled) this.fireLocalVector(A.LVT_LINT1);
    else this.onNmi();
  }

  private raiseError(bits: number): void {
    const isNew = (this.registers.pendingErrors & bits) !== bits;
    this.registers.pendingErrors |= bits;
    const entry = this.registers.lvtEntry(A.LVT_ERROR);
    // A vector that is illegal itself must not report its own illegality for ever.
    if (isNew && (entry & A.LVT_MASKED) === 0 && (entry & 0xff) >= 16) this.fireLocalVector(A.LVT_ERROR);
  }

  private endOfInterrupt(): void {
    const vector = this.registers.isr.highest();
    if (vector < 0) return;
    this.registers.isr.remove(vector);
    this.update();
    if (this.registers.tmr.has(vector)) this.bus.broadcastEoi(vector);
  }

  private sendIpi(): void {
    const low = this.registers.icrLow;
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
        const destination = this.registers.inX2ApicMode ? this.registers.icrHigh : this.registers.icrHigh >>> 24;
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

  private computeRequest(): boolean {
    return this.registers.deliverableVector() >= 0 || this.registers.extIntActive();
  }

  private update(): void {
    const level = this.computeRequest();
    if (level === this.requestLevel) return;
    this.requestLevel = level;
    this.onInterruptRequest(level);
  }
}
