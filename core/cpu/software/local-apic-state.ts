// The registers of a local APIC as data: reset values, base MSR and its modes, destination matching, saved form.

import { z } from 'zod';
import { DELIVERY_EXTINT } from '../../bus/interrupt-bus.ts';
import * as A from './local-apic-registers.ts';
import { VectorSet } from './vector-set.ts';

const u32 = z.int().min(0).max(0xffffffff);
const u8 = z.int().min(0).max(255);
const vectors = z.array(u32).length(8);

export const apicRegistersShape = {
  baseLow: u32,
  baseHigh: u32,
  xapicId: u8,
  taskPriority: u8,
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
};
export type ApicRegistersState = z.infer<z.ZodObject<typeof apicRegistersShape>>;

const ERRORS = A.ESR_SEND_ILLEGAL_VECTOR | A.ESR_RECEIVED_ILLEGAL_VECTOR | A.ESR_ILLEGAL_REGISTER;
const BASE_RESERVED = 0x2ff;
/** 40 physical address bits. */
const BASE_HIGH_MAX = 0xff;

export class ApicRegisters {
  readonly isr = new VectorSet();
  readonly irr = new VectorSet();
  readonly tmr = new VectorSet();
  readonly lvt = new Uint32Array(A.LVT_COUNT);
  readonly initialId: number;
  baseLow = 0;
  baseHigh = 0;
  xapicId: number;
  taskPriority = 0;
  ldr = 0;
  dfr = 0xffffffff;
  svr = 0xff;
  esr = 0;
  pendingErrors = 0;
  icrLow = 0;
  icrHigh = 0;
  lint0 = false;
  lint1 = false;
  /** An ExtINT message (not the LINT0 pin) waits for its INTA. */
  extIntRequested = false;
  private readonly isBsp: boolean;

  constructor(apicId: number, isBsp: boolean) {
    this.initialId = apicId;
    this.xapicId = apicId & 0xff;
    this.isBsp = isBsp;
    this.resetBase();
    this.resetRegisters();
  }

  /** Switched on in the base MSR. */
  get enabled(): boolean {
    return (this.baseLow & A.BASE_ENABLE) !== 0;
  }

  get inX2ApicMode(): boolean {
    return (this.baseLow & A.BASE_X2APIC) !== 0;
  }

  get acceptsFixed(): boolean {
    return this.enabled && (this.svr & A.SVR_ENABLE) !== 0;
  }

  get apicId(): number {
    return this.inX2ApicMode ? this.initialId : this.xapicId;
  }

  get x2ApicLdr(): number {
    return ((((this.initialId >>> 4) & 0xffff) << 16) | (1 << (this.initialId & 15))) >>> 0;
  }

  lvtEntry(entry: number): number {
    return this.lvt[entry] ?? A.LVT_MASKED;
  }

  matchesPhysical(destination: number): boolean {
    return destination === this.apicId || destination === 0xff || destination === 0xffffffff;
  }

  matchesLogical(destination: number): boolean {
    if (destination === 0xffffffff) return true;
    if (this.inX2ApicMode) {
      const ldr = this.x2ApicLdr;
      return destination >>> 16 === ldr >>> 16 && (destination & ldr & 0xffff) !== 0;
    }
    if (destination === 0xff) return true;
    const own = this.ldr >>> 24;
    if (this.dfr >>> 28 === 0xf) return (destination & own) !== 0;
    return destination >> 4 === own >> 4 && (destination & own & 0x0f) !== 0;
  }

  processorPriority(): number {
    const inService = this.isr.highest();
    const serviceClass = inService < 0 ? 0 : inService & 0xf0;
    return (this.taskPriority & 0xf0) >= serviceClass ? this.taskPriority : serviceClass;
  }

  /** The requested vector that outranks what runs, or -1. */
  deliverableVector(): number {
    if (!this.acceptsFixed) return -1;
    const vector = this.irr.highest();
    return vector >= 0 && (vector & 0xf0) > (this.processorPriority() & 0xf0) ? vector : -1;
  }

  /** True while the 8259's request gets through to the CPU. */
  extIntActive(): boolean {
    if (this.extIntRequested) return true;
    if (!this.lint0) return false;
    if (!this.enabled) return true;
    const entry = this.lvtEntry(A.LVT_LINT0);
    return (entry & A.LVT_MASKED) === 0 && ((entry >> 8) & 7) === DELIVERY_EXTINT;
  }

  /** Writes the base MSR if the mode change is one of those that exist; false = #GP. */
  writeBase(low: number, high: number): boolean {
    if ((low & BASE_RESERVED) !== 0 || high > BASE_HIGH_MAX) return false;
    const toX2 = (low & A.BASE_X2APIC) !== 0;
    const toEnabled = (low & A.BASE_ENABLE) !== 0;
    // The only way into x2APIC mode is from xAPIC mode, the only way out is to switch off.
    if (toX2 && (!toEnabled || !this.enabled)) return false;
    if (this.inX2ApicMode && toEnabled && !toX2) return false;
    this.baseLow = ((low & ~A.BASE_BSP) | (this.baseLow & A.BASE_BSP)) >>> 0;
    this.baseHigh = high;
    return true;
  }

  resetBase(): void {
    this.baseLow = (A.DEFAULT_BASE | A.BASE_ENABLE | (this.isBsp ? A.BASE_BSP : 0)) >>> 0;
    this.baseHigh = 0;
  }

  /** Power-on and INIT: everything but the base MSR, the id and the pins. */
  resetRegisters(): void {
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
    if (this.isBsp) this.lvt[A.LVT_LINT0] = DELIVERY_EXTINT << 8;
  }

  save(): ApicRegistersState {
    return {
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
      lint0: this.lint0,
      lint1: this.lint1,
      extIntRequested: this.extIntRequested,
    };
  }

  /** Takes over validated fields; bits that a guest cannot set are dropped. */
  load(state: ApicRegistersState): void {
    const low = ((state.baseLow & ~(A.BASE_BSP | BASE_RESERVED)) | (this.isBsp ? A.BASE_BSP : 0)) >>> 0;
    this.baseLow = (low & A.BASE_ENABLE) === 0 ? (low & ~A.BASE_X2APIC) >>> 0 : low;
    this.baseHigh = state.baseHigh & BASE_HIGH_MAX;
    this.xapicId = state.xapicId;
    this.taskPriority = state.taskPriority;
    this.ldr = (state.ldr & 0xff000000) >>> 0;
    this.dfr = (state.dfr | 0x0fffffff) >>> 0;
    this.svr = state.svr & A.SVR_WRITABLE;
    this.esr = state.esr & ERRORS;
    this.pendingErrors = state.pendingErrors & ERRORS;
    this.icrLow = state.icrLow & A.ICR_WRITABLE;
    this.icrHigh = state.icrHigh;
    this.lvt.set(state.lvt.map((value, entry) => value & (A.LVT_WRITABLE[entry] ?? 0)));
    this.isr.words.set(state.isr);
    this.irr.words.set(state.irr);
    this.tmr.words.set(state.tmr);
    this.lint0 = state.lint0;
    this.lint1 = state.lint1;
    this.extIntRequested = state.extIntRequested;
  }
}
