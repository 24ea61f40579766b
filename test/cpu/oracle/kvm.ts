// The processor under KVM as the oracle's other side: cases run at privilege level 3 in 64-bit code under our own page tables,
// laid out as interpreter.ts does. An interrupt table with a stub for each vector reports how a case ended.

import type { CpuState, SegmentState } from '../../../core/cpu/contract.ts';
import { DEFAULT_FEATURES, buildCpuid } from '../../../core/cpu/isa/cpuid.ts';
import { setCpuid } from '../../../core/cpu/kvm/kvm-cpuid.ts';
import { KvmCore } from '../../../core/cpu/kvm/kvm-core.ts';
import { type KvmDevice, openKvm } from '../../../core/cpu/kvm/kvm-device.ts';
import { KvmVm } from '../../../core/cpu/kvm/kvm-vm.ts';
import { SliceTimer } from '../../../core/cpu/kvm/slice-timer.ts';
import { layOutMemory } from '../../../core/memory/layout.ts';
import { PhysicalMemory } from '../../../core/memory/physical-memory.ts';
import {
  CODE_AT, CODE_ROOM, CODE_START, type Case, DATA_AT, DATA_BYTES, FLAT_DATA, FX_AT, GPR_AT, GS_BASE, LDT_OFFSET, LOCAL_SEGMENTS, NO_FAULT, READ_ONLY_BYTES, RECORD_BYTES,
  RFLAGS_AT, type Result, SEGMENTS_AT, TSS_OFFSET, dataPattern, writeDescriptorTables,
} from './records.ts';

const RAM_BYTES = 4 << 20;
// Guest physical places.
const TABLES_PHYS = 0x1_0000;
const DATA_PHYS = 0x10_0000;
const CODE_PHYS = 0x20_0000;
const KERNEL_PHYS = 0x30_0000;
/** Supervisor pages, where no operand strays to: descriptor tables, task state, interrupt table, stubs, stack. */
const KERNEL_AT = 0x3b20_0000;
const KERNEL_PAGES = 8;
const IDT = 0x1000;
const STUBS = 0x2000;
const STUB_BYTES = 16;
const STACK_END = 0x8000;
/** The address of LANDING, for the jump behind each case; there is HLT, which faults. */
const WAY_BACK = 0x180;
/** On a page of its own: branches of cases go anywhere in the first one. */
const LANDING = 0x1f_f000;
const LANDING_PHYS = CODE_PHYS + 0x1000;
const DONE_PORT = 0x5a;
const SLICE_NS = 50e6;
const MOST_SLICES = 20;
const GP = 13;
const PF = 14;
const PUSH_ERROR_CODE: readonly number[] = [8, 10, 11, 12, GP, PF, 17];
const TF = 0x100n;

export class KvmProcessor {
  private readonly device: KvmDevice;
  private readonly memory: PhysicalMemory;
  private readonly vm: KvmVm;
  private readonly timer: SliceTimer;
  private readonly core: KvmCore;
  private readonly view: DataView;
  private readonly base: CpuState;
  private readonly pattern = dataPattern();
  /** Cases that KVM gave back to be run elsewhere, by the reason. */
  readonly refusals = new Map<string, number>();

  /** @throws NestboxError when this host has no KVM */
  static async create(): Promise<KvmProcessor> {
    return new KvmProcessor(await openKvm());
  }

  private constructor(device: KvmDevice) {
    this.device = device;
    const layout = layOutMemory({ ramBytes: RAM_BYTES, romBytes: 4096, vramBytes: 4096, vcpus: 1 });
    const wasm = new WebAssembly.Memory({ initial: layout.totalBytes / 65536, maximum: layout.totalBytes / 65536, shared: true });
    this.memory = new PhysicalMemory(wasm.buffer as SharedArrayBuffer, layout);
    this.memory.mapRam();
    const { ram } = this.memory;
    this.view = new DataView(ram.buffer, ram.byteOffset, ram.length);
    this.vm = new KvmVm(device, this.memory, false);
    this.timer = new SliceTimer(device.libc);
    this.core = new KvmCore(this.vm, this.timer, {
      index: 0,
      io: {
        portRead: () => 0,
        portWrite: (port) => {
          if (port === DONE_PORT) this.core.yieldWanted = true;
        },
        mmioRead: () => 0,
        mmioWrite: () => undefined,
      },
      interrupts: { acknowledge: () => -1, readCr8: () => 0, writeCr8: () => undefined },
      msrs: { read: () => false, write: () => false },
      readHostMs: () => performance.now(),
    });
    setCpuid(this.core.file, buildCpuid({ apicId: 0, processorCount: 1, tscHz: 1e9, features: DEFAULT_FEATURES }));
    this.prepare();
    this.base = this.baseState(this.core.getState(0));
  }

  private prepare(): void {
    const { view } = this;
    const entry = (table: number, index: number, value: number): void => view.setBigUint64(TABLES_PHYS + table * 4096 + index * 8, BigInt(value), true);
    const tableAt = (table: number): number => TABLES_PHYS + table * 4096;
    // Present, user, accessed, dirty; writable where it is so.
    const user = 0x65;
    const all = 0x67;
    entry(0, 0, tableAt(1) | all);
    entry(1, 0, tableAt(2) | all);
    entry(2, DATA_AT >>> 21, tableAt(3) | all);
    entry(2, CODE_AT >>> 21, tableAt(4) | all);
    entry(2, KERNEL_AT >>> 21, tableAt(5) | all);
    entry(3, 0, DATA_PHYS | all);
    entry(3, 1, (DATA_PHYS + 0x1000) | all);
    entry(3, 2, (DATA_PHYS + 0x2000) | user);
    entry(4, 0, CODE_PHYS | user);
    entry(4, LANDING >>> 12, LANDING_PHYS | user);
    for (let page = 0; page < KERNEL_PAGES; page++) entry(5, page, (KERNEL_PHYS + page * 4096) | 0x63);
    writeDescriptorTables(view, KERNEL_PHYS);
    view.setBigUint64(KERNEL_PHYS + TSS_OFFSET + 4, BigInt(KERNEL_AT + STACK_END), true);
    for (let vector = 0; vector < 256; vector++) {
      const stub = KERNEL_AT + STUBS + vector * STUB_BYTES;
      // push vector; out DONE_PORT, al; jmp $
      this.memory.ram.set([0x68, vector, 0, 0, 0, 0xe6, DONE_PORT, 0xeb, 0xfe], KERNEL_PHYS + STUBS + vector * STUB_BYTES);
      const gate = KERNEL_PHYS + IDT + vector * 16;
      view.setUint32(gate, (0x10 << 16) | (stub & 0xffff), true);
      view.setUint32(gate + 4, ((stub & 0xffff_0000) | 0x8e00) >>> 0, true);
    }
    const { ram } = this.memory;
    ram.set(this.pattern, DATA_PHYS);
    ram.fill(0xf4, CODE_PHYS, LANDING_PHYS + 0x1000);
    view.setBigUint64(CODE_PHYS + WAY_BACK, BigInt(CODE_AT + LANDING), true);
  }

  private baseState(reset: CpuState): CpuState {
    const flat = (selector: number, access: number): SegmentState => ({ selector, base: 0n, limit: 0xffff_ffff, access });
    const none: SegmentState = { selector: 0, base: 0n, limit: 0, access: 0x1_0000 };
    const data = flat(FLAT_DATA, 0xc0f3);
    return {
      ...reset,
      segments: {
        cs: flat(0x33, 0xa0fb), ss: data, ds: data, es: data, fs: none, gs: { ...none, base: BigInt(GS_BASE) },
        ldtr: { selector: 0x50, base: BigInt(KERNEL_AT + LDT_OFFSET), limit: LOCAL_SEGMENTS.length * 8 - 1, access: 0x82 },
        tr: { selector: 0x40, base: BigInt(KERNEL_AT + TSS_OFFSET), limit: 0x67, access: 0x8b },
      },
      gdtr: { base: BigInt(KERNEL_AT), limit: 0x7f },
      idtr: { base: BigInt(KERNEL_AT + IDT), limit: 0xfff },
      cr0: 0x8005_0033n,
      cr2: 0n,
      cr3: BigInt(TABLES_PHYS),
      cr4: 0x4_0620n,
      efer: 0xd01n,
      xcr0: 3n,
      cpl: 3,
      activity: 'running',
      interruptShadow: 0,
    };
  }

  /** A result for each case, or undefined where KVM cannot run it (see `refusals`). */
  run(cases: readonly Case[]): (Result | undefined)[] {
    return cases.map((test) => this.runCase(test));
  }

  private runCase(test: Case): Result | undefined {
    const { memory, core, pattern } = this;
    const { ram } = memory;
    const input = new DataView(test.state.buffer, test.state.byteOffset, test.state.byteLength);
    const before = pattern.slice();
    before.set(test.patch, test.patchOffset);
    ram.set(before, DATA_PHYS);
    const code = CODE_PHYS + (CODE_START - CODE_AT);
    ram.fill(0xf4, code, code + CODE_ROOM);
    ram.set(test.code, code);
    // jmp [rip + distance of WAY_BACK]
    const behind = code + test.code.length;
    ram.set([0xff, 0x25], behind);
    this.view.setInt32(behind + 2, CODE_PHYS + WAY_BACK - (behind + 6), true);
    const refused = core.setState({
      ...this.base,
      rip: BigInt(CODE_START),
      rflags: BigInt(input.getUint32(RFLAGS_AT, true) | 2),
      gpr: this.base.gpr.map((_, i) => input.getBigUint64(GPR_AT + i * 8, true)),
      fxsave: test.state.slice(FX_AT, FX_AT + 512),
    });
    if (refused !== undefined) return this.refuse(refused);
    let exit = core.run(SLICE_NS);
    // A busy host gives the guest no time at all now and then.
    for (let slices = 1; exit === 'slice' && slices < MOST_SLICES; slices++) exit = core.run(SLICE_NS);
    if (exit !== 'yield') return this.refuse(exit === 'unsupported' ? core.detail : exit);
    return this.readResult(core.getState(0), before);
  }

  private refuse(reason: string): undefined {
    this.refusals.set(reason, (this.refusals.get(reason) ?? 0) + 1);
  }

  private readResult(state: CpuState, before: Uint8Array): Result {
    const { ram } = this.memory;
    const stack = (slot: number): bigint => this.view.getBigUint64(Number((state.gpr[4] ?? 0n) - BigInt(KERNEL_AT)) + KERNEL_PHYS + slot * 8, true);
    let vector = Number(stack(0));
    const hasError = PUSH_ERROR_CODE.includes(vector);
    const frame = hasError ? 2 : 1;
    let rip = stack(frame);
    let error = hasError ? Number(stack(1) & 0xffff_ffffn) : 0;
    if (vector === GP && rip === BigInt(CODE_AT + LANDING)) {
      vector = NO_FAULT;
      error = 0;
      rip = 0n;
    }
    const out = new Uint8Array(RECORD_BYTES);
    const view = new DataView(out.buffer);
    state.gpr.forEach((value, i) => view.setBigUint64(GPR_AT + i * 8, i === 4 ? stack(frame + 3) : value, true));
    view.setBigUint64(RFLAGS_AT, stack(frame + 2) & ~TF, true);
    out.set(state.fxsave, FX_AT);
    const { es, ds } = state.segments;
    [es.selector, Number(stack(frame + 4) & 0xffffn), ds.selector, vector === NO_FAULT ? 0 : Number(stack(frame + 1) & 0xffffn)].forEach((selector, i) => view.setUint16(SEGMENTS_AT + i * 2, selector, true));
    const after = ram.subarray(DATA_PHYS, DATA_PHYS + DATA_BYTES);
    let first = -1;
    let last = 0;
    for (let at = 0; at < DATA_BYTES; at++) {
      if (after[at] === before[at]) continue;
      if (first < 0) first = at & ~7;
      last = (at | 7) + 1;
    }
    const kept = ram.subarray(DATA_PHYS + DATA_BYTES, DATA_PHYS + DATA_BYTES + READ_ONLY_BYTES);
    if (Buffer.compare(kept, before.subarray(DATA_BYTES)) !== 0) throw new Error('a case has written to the read-only page');
    return { vector, error, cr2: vector === PF ? state.cr2 : 0n, rip, state: out, changedOffset: Math.max(0, first), changed: last === 0 ? new Uint8Array(0) : after.slice(first, last) };
  }

  dispose(): void {
    this.core.dispose();
    this.vm.dispose();
    this.timer.dispose();
    this.device.dispose();
  }
}
