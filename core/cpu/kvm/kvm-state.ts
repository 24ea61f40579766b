// The canonical CpuState to and from KVM's structures. What a KVM cannot represent (granularity bits, access rights of
// unusable segments, MSRs that it does not keep) is remembered from the last state that was set, so that a state that
// nobody ran comes back bit for bit. Cold code: BigInt is fine here.

import type { CpuState, SegmentState } from '../contract.ts';
import { CORE_MSRS } from '../isa/msr.ts';
import { EVENTS, EVENTS_VALID_NMI_PENDING, EVENTS_VALID_SHADOW, KVM, SHADOW_MOV_SS, SHADOW_STI, SIZE, SREGS } from './ioctl.ts';
import { AT, type VcpuFile } from './vcpu-file.ts';

/** Place of each canonical register (RAX RCX RDX RBX RSP RBP RSI RDI R8..R15) in struct kvm_regs, in quadwords. */
export const REGS_ORDER = [0, 2, 3, 1, 6, 7, 4, 5, 8, 9, 10, 11, 12, 13, 14, 15] as const;
const RIP_AT = AT.REGS + 128;
const RFLAGS_AT = AT.REGS + 136;

export const SEGMENT_AT = { es: SREGS.ES, cs: SREGS.CS, ss: SREGS.SS, ds: SREGS.DS, fs: SREGS.FS, gs: SREGS.GS, ldtr: SREGS.LDT, tr: SREGS.TR } as const;
const SEGMENTS = Object.keys(SEGMENT_AT) as (keyof typeof SEGMENT_AT)[];
const ACCESS_UNUSABLE = 0x1_0000;
const ACCESS_G = 0x8000;
const ACCESS_ACCESSED = 1;
const MSR_TSC = 0x10;
const MSR_TSC_ADJUST = 0x3b;
/** Ticks of half a second or so: a counter that was set is nearer. */
const TSC_NEAR = 1_000_000_000n;
const FXSAVE_BYTES = 512;
/** Behind the XMM registers nothing is defined. */
const FXSAVE_USED = 416;
const MXCSR_MASK = 0xffff;
const XSAVE_BASIC = 3n;

/** What KVM did not take, by name, or undefined when all is set. */
export type Refusal = string | undefined;

export class KvmState {
  private readonly file: VcpuFile;
  /** Core MSRs that this KVM keeps, in the order of the batch. */
  private readonly kept: number[] = [];
  /** Core MSRs that it does not. */
  readonly shadow = new Map<number, bigint>();
  private lastSet: CpuState | undefined;
  private xcr0 = 1n;
  private readonly hasXcrs: boolean;
  private readonly apicBase: bigint;

  constructor(file: VcpuFile, hasXcrs: boolean) {
    this.file = file;
    this.hasXcrs = hasXcrs;
    for (const { index } of CORE_MSRS) {
      const value = this.readMsr(index);
      // A register that can be read but not written back is of no use for saved states.
      if (value !== undefined && this.writeMsr(index, value)) this.kept.push(index);
      else this.shadow.set(index, 0n);
    }
    file.call(KVM.GET_SREGS, AT.SREGS, 'read registers');
    this.apicBase = file.view.getBigUint64(AT.SREGS + SREGS.APIC_BASE, true);
  }

  readMsr(index: number): bigint | undefined {
    const { view } = this.file;
    view.setUint32(AT.MSRS, 1, true);
    view.setUint32(AT.MSRS + SIZE.MSR_HEADER, index, true);
    if (this.file.tryCall(KVM.GET_MSRS, AT.MSRS) !== 1) return undefined;
    return view.getBigUint64(AT.MSRS + SIZE.MSR_HEADER + 8, true);
  }

  writeMsr(index: number, value: bigint): boolean {
    const { view } = this.file;
    view.setUint32(AT.MSRS, 1, true);
    view.setUint32(AT.MSRS + SIZE.MSR_HEADER, index, true);
    view.setBigUint64(AT.MSRS + SIZE.MSR_HEADER + 8, value, true);
    return this.file.tryCall(KVM.SET_MSRS, AT.MSRS) === 1;
  }

  /** The guest's time-stamp counter without its own adjustment. */
  readTsc(): number {
    return Number((this.readMsr(MSR_TSC) ?? 0n) - this.tscAdjust());
  }

  /** @returns false when this KVM does not let the counter be moved: its guests see the host's own */
  writeTsc(ticks: number): boolean {
    const wanted = BigInt.asUintN(64, BigInt(Math.max(0, Math.floor(ticks))) + this.tscAdjust());
    // KVM takes a value near its own for an attempt at synchronising processors and leaves the counter as it is, up to a
    // second off; the offset it takes to the tick.
    const { view } = this.file;
    if (this.tscAttribute(KVM.GET_DEVICE_ATTR)) {
      const now = this.readMsr(MSR_TSC) ?? 0n;
      view.setBigInt64(AT.ATTR_VALUE, BigInt.asIntN(64, view.getBigInt64(AT.ATTR_VALUE, true) + wanted - now), true);
      this.tscAttribute(KVM.SET_DEVICE_ATTR);
    } else this.writeMsr(MSR_TSC, wanted);
    const now = this.readMsr(MSR_TSC) ?? 0n;
    const off = now - wanted;
    return off > -TSC_NEAR && off < TSC_NEAR;
  }

  /** What KVM adds to the host's counter; undefined where it does not tell. */
  readTscOffset(): bigint | undefined {
    return this.tscAttribute(KVM.GET_DEVICE_ATTR) ? this.file.view.getBigInt64(AT.ATTR_VALUE, true) : undefined;
  }

  /** Makes this processor's counter equal to that of another with the same offset. */
  writeTscOffset(offset: bigint): void {
    this.file.view.setBigInt64(AT.ATTR_VALUE, offset, true);
    this.tscAttribute(KVM.SET_DEVICE_ATTR);
  }

  /** Reads or writes KVM_VCPU_TSC_OFFSET, Linux 5.16 and newer. */
  private tscAttribute(request: number): boolean {
    const { exchange } = this.file;
    // Group KVM_VCPU_TSC_CTRL and attribute KVM_VCPU_TSC_OFFSET are both 0.
    exchange.clear(AT.DEVICE_ATTR, SIZE.DEVICE_ATTR);
    exchange.set64(AT.DEVICE_ATTR + 16, exchange.address + AT.ATTR_VALUE);
    return this.file.tryCall(request, AT.DEVICE_ATTR) >= 0;
  }

  private tscAdjust(): bigint {
    return BigInt.asIntN(64, this.shadow.get(MSR_TSC_ADJUST) ?? this.readMsr(MSR_TSC_ADJUST) ?? 0n);
  }

  // --- to canonical ----------------------------------------------------------------------------------------------

  read(activity: CpuState['activity'], instructions: number): CpuState {
    const { file } = this;
    const { view } = file;
    file.call(KVM.GET_REGS, AT.REGS, 'read registers');
    file.call(KVM.GET_SREGS, AT.SREGS, 'read registers');
    file.call(KVM.GET_VCPU_EVENTS, AT.EVENTS, 'read pending events');
    file.call(KVM.GET_DEBUGREGS, AT.DEBUGREGS, 'read debug registers');
    const q = (at: number): bigint => view.getBigUint64(at, true);
    const segments = Object.fromEntries(SEGMENTS.map((name) => [name, this.readSegment(name)])) as CpuState['segments'];
    const table = (at: number): { base: bigint; limit: number } => ({ base: q(AT.SREGS + at), limit: view.getUint16(AT.SREGS + at + 8, true) });
    const shadow = view.getUint8(AT.EVENTS + EVENTS.INTERRUPT_SHADOW);
    const msrs = this.readMsrs();
    return {
      version: 1,
      gpr: REGS_ORDER.map((place) => q(AT.REGS + place * 8)),
      rip: q(RIP_AT),
      rflags: q(RFLAGS_AT),
      segments,
      gdtr: table(SREGS.GDT),
      idtr: table(SREGS.IDT),
      cr0: q(AT.SREGS + SREGS.CR0),
      cr2: q(AT.SREGS + SREGS.CR2),
      cr3: q(AT.SREGS + SREGS.CR3),
      cr4: q(AT.SREGS + SREGS.CR4),
      efer: q(AT.SREGS + SREGS.EFER),
      xcr0: this.readXcr0(),
      dr: [0, 1, 2, 3].map((i) => q(AT.DEBUGREGS + i * 8)).concat([this.lastSet?.dr[4] ?? 0n, this.lastSet?.dr[5] ?? 0n, q(AT.DEBUGREGS + 32), q(AT.DEBUGREGS + 40)]),
      msrs: CORE_MSRS.map(({ index }) => [index, msrs.get(index) ?? this.shadow.get(index) ?? 0n] as const),
      fxsave: this.readFpu(),
      activity,
      interruptShadow: (shadow & SHADOW_MOV_SS) !== 0 ? 2 : (shadow & SHADOW_STI) !== 0 ? 1 : 0,
      nmiBlocked: view.getUint8(AT.EVENTS + EVENTS.NMI_MASKED) !== 0,
      nmiPending: view.getUint8(AT.EVENTS + EVENTS.NMI_PENDING) !== 0 || view.getUint8(AT.EVENTS + EVENTS.NMI_INJECTED) !== 0,
      instructions,
      cpl: this.cplOf(),
    };
  }

  /** Privilege level from the structures that were read last. */
  private cplOf(): number {
    const { view } = this.file;
    if ((view.getUint32(AT.SREGS + SREGS.CR0, true) & 1) === 0) return 0;
    if ((view.getUint32(RFLAGS_AT, true) & 0x2_0000) !== 0) return 3;
    return view.getUint8(AT.SREGS + SREGS.SS + 16) & 3;
  }

  private readSegment(name: keyof CpuState['segments']): SegmentState {
    const { view } = this.file;
    const at = AT.SREGS + SEGMENT_AT[name];
    const byte = (offset: number): number => view.getUint8(at + offset);
    const unusable = byte(22) !== 0 || byte(15) === 0;
    // In the order of the canonical form: hashes of states go by it.
    const read: SegmentState = {
      selector: view.getUint16(at + 12, true),
      base: view.getBigUint64(at, true),
      limit: view.getUint32(at + 8, true),
      access:
        (byte(14) & 15) | ((byte(18) & 1) << 4) | ((byte(16) & 3) << 5) | ((byte(15) & 1) << 7) |
        ((byte(21) & 1) << 12) | ((byte(19) & 1) << 13) | ((byte(17) & 1) << 14) | ((byte(20) & 1) << 15) | (unusable ? ACCESS_UNUSABLE : 0),
    };
    const last = this.lastSet?.segments[name];
    return last !== undefined && sameSegment(last, read) ? last : read;
  }

  private readMsrs(): Map<number, bigint> {
    const { view } = this.file;
    view.setUint32(AT.MSRS, this.kept.length, true);
    this.kept.forEach((index, i) => view.setUint32(AT.MSRS + SIZE.MSR_HEADER + i * SIZE.MSR_ENTRY, index, true));
    this.file.tryCall(KVM.GET_MSRS, AT.MSRS);
    return new Map(this.kept.map((index, i) => [index, view.getBigUint64(AT.MSRS + SIZE.MSR_HEADER + i * SIZE.MSR_ENTRY + 8, true)]));
  }

  private readXcr0(): bigint {
    const { file } = this;
    if (!this.hasXcrs || file.tryCall(KVM.GET_XCRS, AT.XCRS) < 0) return this.xcr0;
    const count = Math.min(file.view.getUint32(AT.XCRS, true), 16);
    for (let i = 0; i < count; i++) {
      if (file.view.getUint32(AT.XCRS + 8 + i * 16, true) === 0 && this.xcr0 === this.xcr0Set) this.xcr0 = this.xcr0Set = file.view.getBigUint64(AT.XCRS + 16 + i * 16, true);
    }
    return this.xcr0;
  }

  /** What KVM's XCR0 was set to; differs from `xcr0` while KVM cannot hold the guest's value. */
  private xcr0Set = 1n;

  /** Not KVM_GET_FPU: that one leaves out MXCSR. */
  private readFpu(): Uint8Array {
    const { file } = this;
    file.call(KVM.GET_XSAVE, AT.XSAVE, 'read floating-point registers');
    const image = file.exchange.bytes.slice(AT.XSAVE, AT.XSAVE + FXSAVE_BYTES);
    image.fill(0, FXSAVE_USED);
    image[5] = 0;
    for (let i = 0; i < 8; i++) image.fill(0, 42 + i * 16, 48 + i * 16);
    new DataView(image.buffer).setUint32(28, MXCSR_MASK, true);
    return image;
  }

  // --- from canonical --------------------------------------------------------------------------------------------

  /** Sets everything. @returns what KVM refused; its state is then undefined and must be set again */
  write(state: CpuState, cr8: number): Refusal {
    const { file } = this;
    const { view } = file;
    const q = (at: number, value: bigint): void => view.setBigUint64(at, value, true);
    file.exchange.clear(AT.SREGS, SIZE.SREGS);
    for (const name of SEGMENTS) this.writeSegment(name, state);
    const table = (at: number, value: { base: bigint; limit: number }): void => {
      q(AT.SREGS + at, value.base);
      view.setUint16(AT.SREGS + at + 8, value.limit, true);
    };
    table(SREGS.GDT, state.gdtr);
    table(SREGS.IDT, state.idtr);
    for (const [at, value] of [[SREGS.CR0, state.cr0], [SREGS.CR2, state.cr2], [SREGS.CR3, state.cr3], [SREGS.CR4, state.cr4], [SREGS.EFER, state.efer], [SREGS.APIC_BASE, this.apicBase], [SREGS.CR8, BigInt(cr8)]] as const) {
      q(AT.SREGS + at, value);
    }
    if (file.tryCall(KVM.SET_SREGS, AT.SREGS) < 0) return 'control registers or segments';
    REGS_ORDER.forEach((place, i) => q(AT.REGS + place * 8, state.gpr[i] ?? 0n));
    q(RIP_AT, state.rip);
    q(RFLAGS_AT, state.rflags | 2n);
    if (file.tryCall(KVM.SET_REGS, AT.REGS) < 0) return 'registers';
    if (!this.writeFpu(state.fxsave)) return 'floating-point registers';
    const refusedMsr = this.writeMsrs(state.msrs);
    if (refusedMsr !== undefined) return refusedMsr;
    for (let i = 0; i < 4; i++) q(AT.DEBUGREGS + i * 8, state.dr[i] ?? 0n);
    file.exchange.clear(AT.DEBUGREGS + 48, SIZE.DEBUGREGS - 48);
    q(AT.DEBUGREGS + 32, (state.dr[6] ?? 0n) & 0xffff_ffffn);
    q(AT.DEBUGREGS + 40, (state.dr[7] ?? 0n) & 0xffff_ffffn);
    if (file.tryCall(KVM.SET_DEBUGREGS, AT.DEBUGREGS) < 0) return 'debug registers';
    file.exchange.clear(AT.EVENTS, SIZE.VCPU_EVENTS);
    view.setUint8(AT.EVENTS + EVENTS.INTERRUPT_SHADOW, state.interruptShadow === 2 ? SHADOW_MOV_SS : state.interruptShadow === 1 ? SHADOW_STI : 0);
    view.setUint8(AT.EVENTS + EVENTS.NMI_PENDING, state.nmiPending ? 1 : 0);
    view.setUint8(AT.EVENTS + EVENTS.NMI_MASKED, state.nmiBlocked ? 1 : 0);
    view.setUint32(AT.EVENTS + EVENTS.FLAGS, EVENTS_VALID_NMI_PENDING | EVENTS_VALID_SHADOW, true);
    if (file.tryCall(KVM.SET_VCPU_EVENTS, AT.EVENTS) < 0) return 'pending events';
    this.writeXcr0(state.xcr0);
    this.lastSet = state;
    return undefined;
  }

  private writeSegment(name: keyof CpuState['segments'], state: CpuState): void {
    const { view } = this.file;
    const segment = state.segments[name];
    const at = AT.SREGS + SEGMENT_AT[name];
    const { access } = segment;
    const unusable = (access & ACCESS_UNUSABLE) !== 0;
    view.setBigUint64(at, segment.base, true);
    view.setUint32(at + 8, segment.limit, true);
    view.setUint16(at + 12, segment.selector, true);
    view.setUint8(at + 14, access & 15);
    view.setUint8(at + 15, unusable ? 0 : (access >> 7) & 1);
    view.setUint8(at + 16, name === 'ss' ? state.cpl : (access >> 5) & 3);
    view.setUint8(at + 17, (access >> 14) & 1);
    view.setUint8(at + 18, (access >> 4) & 1);
    view.setUint8(at + 19, (access >> 13) & 1);
    view.setUint8(at + 20, (access >> 15) & 1);
    view.setUint8(at + 21, (access >> 12) & 1);
    view.setUint8(at + 22, unusable ? 1 : 0);
  }

  private writeFpu(image: Uint8Array): boolean {
    const { file } = this;
    const { view, exchange } = file;
    exchange.clear(AT.XSAVE, SIZE.XSAVE);
    exchange.bytes.set(image.subarray(0, FXSAVE_USED), AT.XSAVE);
    view.setUint32(AT.XSAVE + 24, view.getUint32(AT.XSAVE + 24, true) & MXCSR_MASK, true);
    view.setUint32(AT.XSAVE + 28, 0, true);
    view.setUint32(AT.XSAVE + FXSAVE_BYTES, Number(XSAVE_BASIC), true);
    return file.tryCall(KVM.SET_XSAVE, AT.XSAVE) >= 0;
  }

  private writeMsrs(msrs: CpuState['msrs']): Refusal {
    const { view } = this.file;
    const values = new Map(msrs);
    const batch = this.kept.filter((index) => values.has(index));
    for (const [index, value] of msrs) if (this.shadow.has(index)) this.shadow.set(index, value);
    view.setUint32(AT.MSRS, batch.length, true);
    batch.forEach((index, i) => {
      view.setUint32(AT.MSRS + SIZE.MSR_HEADER + i * SIZE.MSR_ENTRY, index, true);
      view.setBigUint64(AT.MSRS + SIZE.MSR_HEADER + i * SIZE.MSR_ENTRY + 8, values.get(index) ?? 0n, true);
    });
    const done = batch.length === 0 ? 0 : this.file.tryCall(KVM.SET_MSRS, AT.MSRS);
    return done === batch.length ? undefined : `MSR ${(batch[Math.max(0, done)] ?? 0).toString(16)}h`;
  }

  private writeXcr0(value: bigint): void {
    this.xcr0 = value;
    if (!this.hasXcrs || value === this.xcr0Set) return;
    const { file } = this;
    file.exchange.clear(AT.XCRS, SIZE.XCRS);
    file.view.setUint32(AT.XCRS, 1, true);
    file.view.setBigUint64(AT.XCRS + 16, value & XSAVE_BASIC, true);
    if (file.tryCall(KVM.SET_XCRS, AT.XCRS) >= 0) this.xcr0Set = value;
  }
}

/** Equal but for what a KVM does not keep. */
function sameSegment(a: SegmentState, b: SegmentState): boolean {
  if (a.selector !== b.selector || a.base !== b.base) return false;
  const unusable = (a.access & b.access & ACCESS_UNUSABLE) !== 0;
  if (unusable) return true;
  const significant = ~(ACCESS_G | ACCESS_ACCESSED);
  // Bit 7 of a segment that was set as present and unusable, and the other way round, come back as unusable.
  const left = (a.access & 0x80) === 0 ? a.access | ACCESS_UNUSABLE : a.access;
  return ((left ^ b.access) & significant) === 0 && a.limit === b.limit;
}
