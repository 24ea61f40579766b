// The interrupt controllers of our board to and from the forms in which KVM keeps them (struct kvm_pic_state,
// kvm_ioapic_state, kvm_lapic_state of asm/kvm.h). What KVM does not keep is taken from the state before, so that a
// machine's saved state is the same whoever ran its controllers. Pure functions over plain fields; the devices' own
// schemas stay the judges of what is valid.

/** One 8259A, with the names of our chip's saved state. */
export interface PicChipFields {
  readonly irr: number;
  readonly imr: number;
  readonly isr: number;
  readonly lines: number;
  readonly elcr: number;
  readonly vectorBase: number;
  readonly icw3: number;
  readonly nextIcw: number;
  readonly icw4Needed: boolean;
  readonly single: boolean;
  readonly autoEoi: boolean;
  readonly rotateOnAutoEoi: boolean;
  readonly fullyNested: boolean;
  readonly specialMask: boolean;
  readonly readIsr: boolean;
  readonly poll: boolean;
  readonly lowestPriority: number;
}

export interface IoApicFields {
  readonly select: number;
  readonly apicId: number;
  readonly low: readonly number[];
  readonly high: readonly number[];
  /** Levels of the inputs, one bit each. */
  readonly lines: number;
}

export interface LocalApicTimerFields {
  readonly mode: number;
  readonly divide: number;
  readonly initial: number;
  readonly remaining: number;
  readonly startNs: number;
  readonly running: boolean;
  readonly owed: number;
  readonly deadlineLow: number;
  readonly deadlineHigh: number;
  readonly timerDeadline: number | null;
}

export interface LocalApicFields {
  readonly baseLow: number;
  readonly baseHigh: number;
  readonly xapicId: number;
  readonly taskPriority: number;
  readonly ldr: number;
  readonly dfr: number;
  readonly svr: number;
  readonly esr: number;
  readonly pendingErrors: number;
  readonly icrLow: number;
  readonly icrHigh: number;
  readonly lvt: readonly number[];
  readonly isr: readonly number[];
  readonly irr: readonly number[];
  readonly tmr: readonly number[];
  readonly lint0: boolean;
  readonly lint1: boolean;
  readonly extIntRequested: boolean;
  readonly timer: LocalApicTimerFields;
}

/** Offsets in struct kvm_pic_state, one byte each. */
const PIC = { LAST_IRR: 0, IRR: 1, IMR: 2, ISR: 3, PRIORITY_ADD: 4, IRQ_BASE: 5, READ_ISR: 6, POLL: 7, SPECIAL_MASK: 8, INIT_STATE: 9, AUTO_EOI: 10, ROTATE_ON_AUTO_EOI: 11, FULLY_NESTED: 12, INIT4: 13, ELCR: 14, ELCR_MASK: 15 } as const;
export const PIC_STATE_BYTES = 16;
const CASCADE_BIT = 4;
/** IRQ 0, 1, 2 of the master and 0, 5 of the slave are edges by wiring. */
const ELCR_MASKS = [0xf8, 0xde] as const;

export function picToKvm(chips: readonly [PicChipFields, PicChipFields], which: 0 | 1): Uint8Array {
  const chip = chips[which];
  const bytes = new Uint8Array(PIC_STATE_BYTES);
  // KVM pulses the cascade input, it never stays high.
  bytes[PIC.LAST_IRR] = which === 0 ? chip.lines & ~CASCADE_BIT : chip.lines;
  bytes[PIC.IRR] = chip.irr;
  bytes[PIC.IMR] = chip.imr;
  bytes[PIC.ISR] = chip.isr;
  bytes[PIC.PRIORITY_ADD] = (chip.lowestPriority + 1) & 7;
  bytes[PIC.IRQ_BASE] = chip.vectorBase;
  bytes[PIC.READ_ISR] = chip.readIsr ? 1 : 0;
  bytes[PIC.POLL] = chip.poll ? 1 : 0;
  bytes[PIC.SPECIAL_MASK] = chip.specialMask ? 1 : 0;
  bytes[PIC.INIT_STATE] = Math.max(0, chip.nextIcw - 1);
  bytes[PIC.AUTO_EOI] = chip.autoEoi ? 1 : 0;
  bytes[PIC.ROTATE_ON_AUTO_EOI] = chip.rotateOnAutoEoi ? 1 : 0;
  bytes[PIC.FULLY_NESTED] = chip.fullyNested ? 1 : 0;
  bytes[PIC.INIT4] = chip.icw4Needed ? 1 : 0;
  bytes[PIC.ELCR] = chip.elcr;
  bytes[PIC.ELCR_MASK] = ELCR_MASKS[which];
  return bytes;
}

/**
 * Both chips at once: the master's cascade input follows the slave.
 * @param lines levels of the 16 inputs as they were driven; KVM forgets them when a chip is initialised
 * @param before for the words that KVM does not keep
 */
export function picFromKvm(master: Uint8Array, slave: Uint8Array, lines: number, before: readonly [PicChipFields, PicChipFields]): [PicChipFields, PicChipFields] {
  const chip = (bytes: Uint8Array, old: PicChipFields, levels: number): PicChipFields => {
    const at = (offset: number): number => bytes[offset] ?? 0;
    const level = at(PIC.ELCR);
    return {
      // What an edge latched before its input became level-triggered is gone in our chip, not in KVM's.
      irr: (at(PIC.IRR) & ~level) | (levels & level),
      imr: at(PIC.IMR),
      isr: at(PIC.ISR),
      lines: levels & 0xff,
      elcr: at(PIC.ELCR),
      vectorBase: at(PIC.IRQ_BASE) & 0xf8,
      icw3: old.icw3,
      nextIcw: at(PIC.INIT_STATE) === 0 ? 0 : Math.min(4, at(PIC.INIT_STATE) + 1),
      icw4Needed: at(PIC.INIT4) !== 0,
      single: old.single,
      autoEoi: at(PIC.AUTO_EOI) !== 0,
      rotateOnAutoEoi: at(PIC.ROTATE_ON_AUTO_EOI) !== 0,
      fullyNested: at(PIC.FULLY_NESTED) !== 0,
      specialMask: at(PIC.SPECIAL_MASK) !== 0,
      readIsr: at(PIC.READ_ISR) !== 0,
      poll: at(PIC.POLL) !== 0,
      lowestPriority: (at(PIC.PRIORITY_ADD) + 7) & 7,
    };
  };
  const second = chip(slave, before[1], lines >> 8);
  const first = chip(master, before[0], lines);
  const asks = picOutput(second);
  const follow = (bits: number): number => (asks ? bits | CASCADE_BIT : bits & ~CASCADE_BIT);
  return [{ ...first, irr: follow(first.irr), lines: follow(first.lines) }, second];
}

/** INT output of a slave: an unmasked request that outranks what is in service. */
export function picOutput(chip: PicChipFields): boolean {
  const rank = (bits: number): number => {
    for (let i = 0; i < 8; i++) if ((bits & (1 << ((chip.lowestPriority + 1 + i) & 7))) !== 0) return i;
    return 8;
  };
  return rank(chip.irr & ~chip.imr) < rank(chip.specialMask ? chip.isr & ~chip.imr : chip.isr);
}

/** The 8259s before their acknowledge cycle for this vector. */
export function picsUnacknowledged([master, slave]: readonly [PicChipFields, PicChipFields], vector: number): [PicChipFields, PicChipFields] {
  const back = (chip: PicChipFields, input: number): PicChipFields => ({ ...chip, irr: chip.irr | (1 << input), isr: chip.isr & ~(1 << input) });
  const input = vector & 7;
  if ((vector & 0xf8) === master.vectorBase) return [back(master, input), slave];
  if ((vector & 0xf8) !== slave.vectorBase) return [master, slave];
  const cascade = back(master, 2);
  return [{ ...cascade, lines: cascade.lines | 4 }, back(slave, input)];
}

/** Offsets in struct kvm_ioapic_state. */
const IO_APIC = { BASE: 0, SELECT: 8, ID: 12, IRR: 16, TABLE: 24 } as const;
export const IO_APIC_STATE_BYTES = 216;
const IO_APIC_BASE = 0xfec0_0000;
const PINS = 24;
const LEVEL = 0x8000;

export function ioApicToKvm(fields: IoApicFields): Uint8Array {
  const bytes = new Uint8Array(IO_APIC_STATE_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(IO_APIC.BASE, IO_APIC_BASE, true);
  view.setUint32(IO_APIC.SELECT, fields.select, true);
  view.setUint32(IO_APIC.ID, fields.apicId, true);
  let irr = 0;
  for (let pin = 0; pin < PINS; pin++) {
    const low = fields.low[pin] ?? 0;
    // KVM takes every bit as a request: an edge that was sent long ago would be sent again.
    if ((low & LEVEL) !== 0) irr |= fields.lines & (1 << pin);
    view.setUint32(IO_APIC.TABLE + pin * 8, low, true);
    view.setUint32(IO_APIC.TABLE + pin * 8 + 4, fields.high[pin] ?? 0, true);
  }
  view.setUint32(IO_APIC.IRR, irr >>> 0, true);
  return bytes;
}

/** @param lines levels of the inputs as they were driven; KVM forgets those of edges that it has sent */
export function ioApicFromKvm(bytes: Uint8Array, lines: number): IoApicFields {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const pins = Array.from({ length: PINS }, (_, pin) => IO_APIC.TABLE + pin * 8);
  return {
    select: view.getUint32(IO_APIC.SELECT, true) & 0xff,
    apicId: view.getUint32(IO_APIC.ID, true) & 15,
    // Delivery status is busy only while a message is on its way.
    low: pins.map((at) => view.getUint32(at, true) & 0x1_efff),
    high: pins.map((at) => (view.getUint32(at + 4, true) & 0xff00_0000) >>> 0),
    lines,
  };
}

const APIC_ID = 0x20;
const APIC_VERSION = 0x30;
const APIC_TPR = 0x80;
export const APIC_PPR = 0xa0;
const APIC_LDR = 0xd0;
const APIC_DFR = 0xe0;
const APIC_SVR = 0xf0;
export const APIC_ISR = 0x100;
const APIC_TMR = 0x180;
export const APIC_IRR = 0x200;
const APIC_ESR = 0x280;
const APIC_ICR = 0x300;
const APIC_ICR2 = 0x310;
export const APIC_LVT = 0x320;
export const APIC_INITIAL_COUNT = 0x380;
export const APIC_CURRENT_COUNT = 0x390;
export const APIC_DIVIDE = 0x3e0;
export const LAPIC_STATE_BYTES = 0x400;
const LVT_COUNT = 6;
const VERSION_VALUE = 0x0005_0014;
const BASE_X2APIC = 0x400;
export const TIMER_MODE_SHIFT = 17;
const PERIODIC = 1;
export const TSC_DEADLINE = 2;

/** Everything of a local APIC that lies outside its register page. */
export interface LocalApicExtras {
  readonly baseLow: number;
  readonly baseHigh: number;
  readonly deadlineLow: number;
  readonly deadlineHigh: number;
}

/** Nanoseconds of one count of the timer: bits 3, 1 and 0 of the register hold log2(divisor) - 1, and 7 means 1. */
export function divisorOf(divide: number): number {
  const code = (divide & 3) | ((divide & 8) >> 1);
  return code === 7 ? 1 : 2 << code;
}

/** @param nowNs virtual time, for the timer's present count */
export function localApicToKvm(fields: LocalApicFields, nowNs: number): Uint8Array {
  const bytes = new Uint8Array(LAPIC_STATE_BYTES);
  const view = new DataView(bytes.buffer);
  const set = (at: number, value: number): void => view.setUint32(at, value >>> 0, true);
  const { timer } = fields;
  set(APIC_ID, fields.xapicId << 24);
  set(APIC_VERSION, VERSION_VALUE);
  set(APIC_TPR, fields.taskPriority);
  set(APIC_LDR, (fields.baseLow & BASE_X2APIC) === 0 ? fields.ldr : (((fields.xapicId >> 4) << 16) | (1 << (fields.xapicId & 15))));
  set(APIC_DFR, fields.dfr);
  set(APIC_SVR, fields.svr);
  for (let word = 0; word < 8; word++) {
    set(APIC_ISR + word * 16, fields.isr[word] ?? 0);
    set(APIC_TMR + word * 16, fields.tmr[word] ?? 0);
    set(APIC_IRR + word * 16, fields.irr[word] ?? 0);
  }
  set(APIC_PPR, fields.taskPriority);
  set(APIC_ESR, fields.esr);
  set(APIC_ICR, fields.icrLow);
  set(APIC_ICR2, fields.icrHigh);
  fields.lvt.forEach((value, entry) => set(APIC_LVT + entry * 16, value));
  // KVM would let a one-shot that has run out expire once more: to it, that timer was never started.
  set(APIC_INITIAL_COUNT, timer.running ? timer.initial : 0);
  const ticks = Math.floor((nowNs - timer.startNs) / divisorOf(timer.divide));
  const left = timer.remaining - ticks;
  const periodic = timer.mode === PERIODIC && timer.initial > 0;
  // 1: it is due, and its interrupt has not been sent yet.
  set(APIC_CURRENT_COUNT, !timer.running ? 0 : left > 0 ? left : periodic ? timer.initial - ((ticks - timer.remaining) % timer.initial) : 1);
  set(APIC_DIVIDE, timer.divide);
  return bytes;
}

/** Virtual time at which a time-stamp counter that stood at `counter` at `nowNs` reaches a value. */
export function timeOfTsc(tsc: number, counter: number, nowNs: number, tscHz: number): number {
  return nowNs + Math.ceil((tsc - counter) * (1e9 / tscHz));
}

/** Virtual time of the timer's TSC deadline, now when it is over; undefined when none is set. */
export function tscDeadlineNs(extras: LocalApicExtras, nowNs: number, tscToNs: (tsc: number) => number): number | undefined {
  const deadline = extras.deadlineHigh * 2 ** 32 + extras.deadlineLow;
  // A counter never gets to 2^53 in the life of a machine.
  return deadline === 0 || deadline >= 2 ** 53 ? undefined : Math.max(nowNs, tscToNs(deadline));
}

/**
 * @param before for what KVM does not keep: errors that were not read yet, lines of the two pins
 * @param lint0 level of the 8259 pair's output now
 * @param tscToNs virtual time at which the time-stamp counter reaches a value
 */
export function localApicFromKvm(bytes: Uint8Array, extras: LocalApicExtras, nowNs: number, before: LocalApicFields, lint0: boolean, tscToNs: (tsc: number) => number): LocalApicFields {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const get = (at: number): number => view.getUint32(at, true);
  const words = (at: number): number[] => Array.from({ length: 8 }, (_, word) => get(at + word * 16));
  const lvt = Array.from({ length: LVT_COUNT }, (_, entry) => get(APIC_LVT + entry * 16));
  const mode = ((lvt[0] ?? 0) >>> TIMER_MODE_SHIFT) & 3;
  const divide = get(APIC_DIVIDE) & 0x0b;
  const deadlineMode = mode === TSC_DEADLINE;
  const initial = deadlineMode ? 0 : get(APIC_INITIAL_COUNT);
  const remaining = deadlineMode ? 0 : get(APIC_CURRENT_COUNT);
  const running = initial > 0 && remaining > 0;
  const deadlineNs = deadlineMode ? tscDeadlineNs(extras, nowNs, tscToNs) : undefined;
  const untouched = !running && initial === 0 && !before.timer.running && before.timer.mode === mode && before.timer.divide === divide && !deadlineMode;
  return {
    baseLow: extras.baseLow,
    baseHigh: extras.baseHigh,
    xapicId: get(APIC_ID) >>> 24,
    taskPriority: get(APIC_TPR) & 0xff,
    ldr: (extras.baseLow & BASE_X2APIC) === 0 ? get(APIC_LDR) : before.ldr,
    dfr: get(APIC_DFR),
    svr: get(APIC_SVR) & 0x3ff,
    esr: get(APIC_ESR) & 0xe0,
    pendingErrors: before.pendingErrors,
    icrLow: get(APIC_ICR) & 0x000c_cfff,
    icrHigh: get(APIC_ICR2),
    lvt,
    isr: words(APIC_ISR),
    irr: words(APIC_IRR),
    tmr: words(APIC_TMR),
    lint0,
    lint1: before.lint1,
    extIntRequested: false,
    timer: untouched ? before.timer : {
      mode,
      divide,
      initial,
      remaining: running ? remaining : initial,
      startNs: nowNs,
      running,
      owed: 0,
      deadlineLow: deadlineMode ? extras.deadlineLow : 0,
      deadlineHigh: deadlineMode ? extras.deadlineHigh : 0,
      timerDeadline: running ? nowNs + remaining * divisorOf(divide) : (deadlineNs ?? null),
    },
  };
}
