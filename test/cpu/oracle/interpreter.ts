// The interpreter as an engine of the oracle: the bare WebAssembly module, without a machine, in an environment like that
// of a Linux process: long mode, CPL 3, the pages of records.ts mapped, 64-bit or flat 32-bit compatibility code.

import { readFileSync } from 'node:fs';
import { offsetOf, PAGE } from '../../../core/cpu/isa/layout.ts';
import type { OpcodeRow } from '../../../core/cpu/isa/opcode-row.ts';
import { DirectCompiler } from '../../../core/cpu/jit/direct-compiler.ts';
import { JitEngine, type JitExports } from '../../../core/cpu/jit/jit-engine.ts';
import { jitThresholdNow } from '../../support/jit-modes.ts';
import { layOutMemory } from '../../../core/memory/layout.ts';
import type { TestCase } from './cases.ts';
import type { Engine } from './oracle.ts';
import {
  CODE_AT, CODE_ROOM, CODE_START, DATA_AT, DATA_BYTES, dataPattern, FLAT_DATA, FX_AT, GPR_AT, GS_BASE, LDT_OFFSET, LOCAL_SEGMENTS, localSelector, NO_FAULT,
  RECORD_BYTES, RFLAGS_AT, SEGMENTS_AT, type Result, type SegmentDescriptor, TSS_OFFSET, writeDescriptorTables,
} from './records.ts';

const MIB = 1 << 20;
const RAM_BYTES = 16 * MIB;
/** Guest physical places. */
const TABLES_PHYS = 0x10000;
const DATA_PHYS = 0x100000;
const CODE_PHYS = 0x200000;
const DESCRIPTORS_PHYS = 0x300000;
/** Supervisor page, where no operand strays to, with the global and the local descriptor table and the task state. */
const DESCRIPTORS_AT = 0x3b200000;
const HLT_WORD = 0xf4f4f4f4 | 0;
// As in host-runner.c.
const TRAMPOLINE = CODE_AT + 0x100;
const WAY_BACK = CODE_AT + 0x180;
const CODE64 = 0x33;
const ALL_ONES = (1n << 64n) - 1n;
const ES = 0;
const CS = 1;
const SS = 2;
const DS = 3;
const FS = 4;
const GS = 5;
const LDTR = 6;
const TR = 7;
const FLAT: SegmentDescriptor = { base: 0, limit: 0xffffffff, access: 0xc0f3 };
const NULL_SEGMENT: SegmentDescriptor = { base: 0, limit: 0, access: 0x10000 };

/** Calls of core/cpu/interp/assembly/env.ts that no case may make. */
const HOST_CALLS = ['abort', 'portIn', 'portOut', 'mmioRead', 'mmioWrite', 'readTsc', 'acknowledgeInterrupt', 'msrRead', 'msrWrite', 'cr8Write', 'random32'];

interface Exports {
  readonly [name: string]: (...args: number[]) => number;
}

const offsets = new Map<string, number>();

/** Offset of a field of the register file, remembered. */
function at(name: string, index = 0): number {
  const known = offsets.get(name);
  if (known !== undefined && index === 0) return known;
  const found = offsetOf(name, index);
  if (index === 0) offsets.set(name, found);
  return found;
}

/** The jump that host-runner.c puts behind the instructions: never run here, but a stray stack may read it. */
function wayBack(mode: 16 | 32 | 64, address: number): Uint8Array {
  const bytes = new Uint8Array(mode === 64 ? 6 : mode === 32 ? 7 : 8);
  const view = new DataView(bytes.buffer);
  if (mode === 64) {
    bytes.set([0xff, 0x25]);
    view.setInt32(2, WAY_BACK - (address + 6), true);
    return bytes;
  }
  bytes.set(mode === 16 ? [0x66, 0xea] : [0xea]);
  view.setUint32(bytes.length - 6, TRAMPOLINE, true);
  view.setUint16(bytes.length - 2, CODE64, true);
  return bytes;
}

/** Rows after which segments must be set up again. */
function touchesSegments(row: OpcodeRow): boolean {
  return row.handler === 'SYSTEM' || /SEG|MOV_SE|IRET|FAR/.test(row.handler);
}

export class InterpreterEngine implements Engine {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #exports: Exports;
  readonly #cpu: number;
  readonly #data: number;
  readonly #code: number;
  readonly #pattern = dataPattern();
  /** What the data pages hold before the instruction. */
  readonly #before = dataPattern();
  readonly #guestWords: Int32Array;
  readonly #codeWords: Int32Array;
  readonly #beforeWords = new Int32Array(this.#before.buffer, 0, DATA_BYTES / 4);
  readonly #fault = new Error('unwind');
  #segments = '';
  #segmentsTouched = false;
  #alignmentChecked = false;

  #jit: JitEngine | undefined;
  /** Instructions that the next run() is for. */
  #steps = 1;

  /** Every second case is compiled; of cases with several instructions, the first half of them. */
  readonly #mixed: boolean;
  #cases = 0;

  /**
   * @param jitThreshold 0 interprets; with 1 every case is compiled before it runs, with more the half of it. As the mode of the
   * test says when absent: a case is too short to become hot.
   */
  constructor(wasm: URL | string, jitThreshold = jitThresholdNow()) {
    this.#mixed = jitThreshold > 1;
    const layout = layOutMemory({ ramBytes: RAM_BYTES, romBytes: 0x1000, vramBytes: 0x1000, vcpus: 1 });
    const memory = new WebAssembly.Memory({ initial: layout.totalBytes / 65536, maximum: 65536, shared: true });
    this.#bytes = new Uint8Array(memory.buffer);
    this.#view = new DataView(memory.buffer);
    this.#cpu = layout.vcpuBase;
    this.#data = layout.ramBase + DATA_PHYS;
    this.#code = layout.ramBase + CODE_PHYS;
    this.#guestWords = new Int32Array(memory.buffer, this.#data, DATA_BYTES / 4);
    this.#codeWords = new Int32Array(memory.buffer, this.#code, 0x1000 / 4);
    for (let page = 0; page < RAM_BYTES / 4096; page++) {
      this.#view.setUint32(layout.pageMapBase + page * 4, (layout.ramBase + page * 4096) | PAGE.READ | PAGE.WRITE | PAGE.RAM, true);
    }
    const address = (value: number): WebAssembly.Global => new WebAssembly.Global({ value: 'i32', mutable: false }, value);
    const refuse = (name: string) => (): never => {
      throw new Error(`the oracle's interpreter called ${name}`);
    };
    const module = new WebAssembly.Module(readFileSync(wasm));
    const env: Record<string, WebAssembly.ImportValue> = {
      memory,
      cpu: address(layout.vcpuBase),
      pageMapBase: address(layout.pageMapBase),
      dirtyBase: address(layout.dirtyBase),
      granuleBase: address(layout.granuleBase),
      ramBase: address(layout.ramBase),
      unwind: () => {
        throw this.#fault;
      },
      notify: (kind: number, block: number) => this.#jit?.notify(kind, block),
      cr8Read: () => 0,
    };
    for (const name of HOST_CALLS) env[name] = refuse(name);
    this.#exports = new WebAssembly.Instance(module, { env }).exports as unknown as Exports;
    this.#call('init');
    if (jitThreshold > 0) {
      const exports = this.#exports as unknown as JitExports;
      this.#jit = new JitEngine({ memory, cpu: this.#cpu, exports, compiler: new DirectCompiler(memory), threshold: 1, mostInstructions: () => (this.#mixed ? Math.max(1, this.#steps >> 1) : this.#steps) });
    }
    this.#buildPageTables(layout.ramBase);
    this.#setControlState();
  }

  #call(name: string, ...args: number[]): number {
    const entry = this.#exports[name];
    if (entry === undefined) throw new Error(`the interpreter has no export ${name}`);
    return entry(...args);
  }

  #set32(name: string, value: number, index = 0): void {
    this.#view.setUint32(this.#cpu + at(name, index), value >>> 0, true);
  }

  #set64(name: string, value: bigint, index = 0): void {
    this.#view.setBigUint64(this.#cpu + at(name, index), value, true);
  }

  /** Changes a control register or CPL for the cases to come; CPL comes back with the next change of segments. */
  setControl(name: 'CR0' | 'CR4' | 'XCR0' | 'CPL', value: number): void {
    if (name === 'CPL') this.#set32(name, value);
    else this.#set64(name, BigInt(value));
    this.#call('refreshDerived');
    this.#call('pageMapChanged');
  }

  getControl(name: 'CR0' | 'CR4' | 'XCR0'): number {
    return this.#view.getUint32(this.#cpu + at(name), true);
  }

  #buildPageTables(ramBase: number): void {
    const entry = (table: number, index: number, value: number): void => {
      this.#view.setBigUint64(ramBase + TABLES_PHYS + table * 4096 + index * 8, BigInt(value), true);
    };
    const present = 0x67; // present, writable, user, accessed, dirty
    const readOnly = present & ~0x02;
    const tableAt = (table: number): number => TABLES_PHYS + table * 4096;
    entry(0, 0, tableAt(1) | present);
    entry(1, 0, tableAt(2) | present);
    entry(2, DATA_AT >>> 21, tableAt(3) | present);
    entry(2, CODE_AT >>> 21, tableAt(4) | present);
    entry(3, 0, DATA_PHYS | present);
    entry(3, 1, (DATA_PHYS + 0x1000) | present);
    entry(3, 2, (DATA_PHYS + 0x2000) | readOnly);
    entry(4, 0, CODE_PHYS | readOnly);
    entry(2, DESCRIPTORS_AT >>> 21, tableAt(5) | present);
    entry(5, 0, DESCRIPTORS_PHYS | 0x63);
    writeDescriptorTables(this.#view, ramBase + DESCRIPTORS_PHYS);
    this.#bytes.set(this.#pattern, this.#data);
    this.#bytes.fill(0xf4, this.#code, this.#code + 0x1000);
  }

  #setControlState(): void {
    this.#set64('CR0', 0x80050033n); // PG AM WP NE ET MP PE
    this.#set64('CR3', BigInt(TABLES_PHYS));
    this.#set64('CR4', 0x40620n); // OSXSAVE OSXMMEXCPT OSFXSR PAE
    this.#set64('EFER', 0xd01n); // NXE LMA LME SCE
    this.#set64('XCR0', 3n);
    this.#set64('A20_MASK', ALL_ONES);
    this.#set64('GDTR_BASE', BigInt(DESCRIPTORS_AT));
    this.#set32('GDTR_LIMIT', 0x7f);
    this.#set32('SEG_SELECTOR', 0x50, LDTR);
    this.#set64('SEG_BASE', BigInt(DESCRIPTORS_AT + LDT_OFFSET), LDTR);
    this.#set32('SEG_LIMIT', LOCAL_SEGMENTS.length * 8 - 1, LDTR);
    this.#set32('SEG_ACCESS', 0x82, LDTR);
    this.#set32('SEG_SELECTOR', 0x40, TR);
    this.#set64('SEG_BASE', BigInt(DESCRIPTORS_AT + TSS_OFFSET), TR);
    this.#set32('SEG_LIMIT', 0x67, TR);
    this.#set32('SEG_ACCESS', 0x8b, TR);
    for (let i = 0; i < 4; i++) this.#set32('FEATURE_BITS', 0xffffffff, i);
  }

  #setSegment(segment: number, selector: number, descriptor: SegmentDescriptor): void {
    this.#set32('SEG_SELECTOR', selector, segment);
    this.#set64('SEG_BASE', BigInt(descriptor.base), segment);
    this.#set32('SEG_LIMIT', descriptor.limit, segment);
    this.#set32('SEG_ACCESS', descriptor.access, segment);
  }

  /** `key` says all about mode and segments that may change between cases. */
  #setSegments(test: TestCase, state: DataView): void {
    const es = state.getUint16(SEGMENTS_AT, true);
    const ss = state.getUint16(SEGMENTS_AT + 2, true);
    const ds = state.getUint16(SEGMENTS_AT + 4, true);
    const key = `${test.mode} ${es} ${ss} ${ds}`;
    if (this.#segments === key && !this.#segmentsTouched) return;
    this.#segments = key;
    this.#segmentsTouched = false;
    this.#set32('CPL', 3);
    const data = (selector: number): SegmentDescriptor => (selector === FLAT_DATA ? FLAT : (LOCAL_SEGMENTS[selector >> 3] as SegmentDescriptor));
    this.#setSegment(ES, es, data(es));
    this.#setSegment(SS, ss, data(ss));
    this.#setSegment(DS, ds, data(ds));
    this.#setSegment(FS, 0, NULL_SEGMENT);
    this.#setSegment(GS, 0, { ...NULL_SEGMENT, base: GS_BASE });
    if (test.mode === 16) this.#setSegment(CS, localSelector(0), LOCAL_SEGMENTS[0] as SegmentDescriptor);
    else this.#setSegment(CS, test.mode === 64 ? 0x33 : 0x23, { base: 0, limit: 0xffffffff, access: test.mode === 64 ? 0xa0fb : 0xc0fb });
    this.#call('refreshDerived');
  }

  /** Instructions that compiled code has retired. */
  get compiledInstructions(): number {
    return this.#jit?.stats().retired ?? 0;
  }

  run(test: TestCase): Result {
    const bytes = this.#bytes;
    const view = this.#view;
    const cpu = this.#cpu;
    const start = test.mode === 16 ? CODE_START - CODE_AT : CODE_START;

    // --- Memory and code.
    // The data pages hold the pattern between cases.
    const before = this.#before;
    before.set(test.patch, test.patchOffset);
    bytes.set(test.patch, this.#data + test.patchOffset);
    const code = this.#code + (CODE_START - CODE_AT);
    bytes.set(test.code, code);
    bytes.fill(0xf4, code + test.code.length, code + CODE_ROOM);
    bytes.set(wayBack(test.mode, CODE_START + test.code.length), code + test.code.length);
    this.#call('codeWritten', CODE_PHYS >>> 12, CODE_START - CODE_AT, CODE_ROOM);

    // --- Registers.
    const state = new DataView(test.state.buffer, test.state.byteOffset, test.state.byteLength);
    this.#setSegments(test, state);
    bytes.set(test.state.subarray(GPR_AT, GPR_AT + 128), cpu + at('GPR'));
    const flags = state.getUint32(RFLAGS_AT, true);
    this.#writeFlags(flags);
    view.setUint32(cpu + at('EFLAGS_SYSTEM'), (flags & ~0x8d5) | 2, true);
    const checked = (flags & 0x40000) !== 0;
    if (checked !== this.#alignmentChecked) {
      this.#alignmentChecked = checked;
      this.#call('refreshDerived');
    }
    view.setBigUint64(cpu + at('RIP'), BigInt(start), true);
    this.#writeFx(test.state, state);
    view.setInt32(cpu + at('EVENTS'), 0, true);
    view.setUint32(cpu + at('SHADOW'), 0, true);
    view.setUint32(cpu + at('ACTIVITY'), 0, true);

    // --- The instructions.
    const steps = test.parts?.length ?? 1;
    if (this.#mixed) this.#call('setJitThreshold', steps > 1 ? 1 : this.#cases++ & 1);
    let vector = this.#step(steps);
    // Every iteration of a repeated string instruction counts as an instruction.
    while (vector === NO_FAULT && test.encoded.rep && steps === 1 && view.getUint32(cpu + at('RIP'), true) === start) vector = this.#step(1);
    let rip = view.getBigUint64(cpu + at('RIP'), true);
    // After a branch the host runs on into the HLT that fills the code page, or into nothing.
    if (vector === NO_FAULT && rip !== BigInt(start + test.code.length)) vector = this.#step(1);
    if (vector === NO_FAULT) rip = 0n;
    const error = vector === NO_FAULT ? 0 : view.getUint32(cpu + at('FAULT_ERROR'), true);
    const cr2 = vector === 14 ? view.getBigUint64(cpu + at('CR2'), true) : 0n;

    this.#cleanCode();

    // --- What came out.
    const out = new Uint8Array(RECORD_BYTES);
    const result = new DataView(out.buffer);
    out.set(bytes.subarray(cpu + at('GPR'), cpu + at('GPR') + 128), GPR_AT);
    result.setUint32(RFLAGS_AT, this.#readFlags() | (view.getUint32(cpu + at('EFLAGS_SYSTEM'), true) & ~0x8d5), true);
    this.#readFx(out, result);
    const selector = (segment: number): number => view.getUint32(cpu + at('SEG_SELECTOR', segment), true);
    result.setUint16(SEGMENTS_AT, selector(ES), true);
    result.setUint16(SEGMENTS_AT + 2, selector(SS), true);
    result.setUint16(SEGMENTS_AT + 4, selector(DS), true);
    result.setUint16(SEGMENTS_AT + 6, vector === NO_FAULT ? 0 : selector(CS), true);
    this.#segmentsTouched = touchesSegments(test.encoded.row);
    const after = this.#guestWords;
    const then = this.#beforeWords;
    let first = -1;
    let last = 0;
    for (let i = 0; i < after.length; i++) {
      if (after[i] === then[i]) continue;
      if (first < 0) first = (i >> 1) * 8;
      last = (i >> 1) * 8 + 8;
    }
    const changed = last === 0 ? new Uint8Array(0) : bytes.slice(this.#data + first, this.#data + last);
    const patchEnd = test.patchOffset + test.patch.length;
    before.set(this.#pattern.subarray(test.patchOffset, patchEnd), test.patchOffset);
    bytes.set(this.#pattern.subarray(test.patchOffset, patchEnd), this.#data + test.patchOffset);
    if (last !== 0) bytes.set(this.#pattern.subarray(first, last), this.#data + first);
    return { vector, error, cr2, rip, state: out, changedOffset: last === 0 ? 0 : first, changed };
  }

  /** HLT bytes everywhere: a stack that strayed here must not change the cases to come. */
  #cleanCode(): void {
    const first = (CODE_START - CODE_AT) / 4;
    const last = first + CODE_ROOM / 4;
    const words = this.#codeWords;
    for (let i = 0; i < words.length; i++) {
      if (words[i] === HLT_WORD || (i >= first && i < last)) continue;
      words.fill(HLT_WORD);
      this.#call('codeWritten', CODE_PHYS >>> 12, 0, 0x1000);
      return;
    }
  }

  /** Runs some instructions: exception vector, or NO_FAULT. */
  #step(count: number): number {
    this.#steps = count;
    try {
      this.#call('run', count);
      return NO_FAULT;
    } catch (thrown) {
      if (thrown !== this.#fault) throw thrown;
      this.#call('settleFault');
      return this.#view.getUint32(this.#cpu + at('FAULT_VECTOR'), true);
    }
  }

  /** CF PF AF ZF SF OF in the lazy form (core/cpu/interp/README.md). */
  #writeFlags(flags: number): void {
    const bit = (n: number): bigint => BigInt((flags >>> n) & 1);
    const zero = bit(6) === 1n;
    const parity = zero ? bit(2) ^ 1n : bit(2);
    this.#view.setBigUint64(this.#cpu + at('CC_RESULT'), zero ? 0n : 1n, true);
    this.#view.setBigUint64(this.#cpu + at('CC_AUX'), (bit(0) << 63n) | ((bit(0) ^ bit(11)) << 62n) | (bit(4) << 3n) | (bit(7) << 4n) | (parity << 8n), true);
  }

  #readFlags(): number {
    const resultLow = this.#view.getUint32(this.#cpu + at('CC_RESULT'), true);
    const resultHigh = this.#view.getUint32(this.#cpu + at('CC_RESULT') + 4, true);
    const auxLow = this.#view.getUint32(this.#cpu + at('CC_AUX'), true);
    const auxHigh = this.#view.getUint32(this.#cpu + at('CC_AUX') + 4, true);
    const carry = auxHigh >>> 31;
    const overflow = carry ^ ((auxHigh >>> 30) & 1);
    const sign = (resultHigh >>> 31) ^ ((auxLow >>> 4) & 1);
    let low = (resultLow ^ (auxLow >>> 8)) & 0xff;
    low ^= low >> 4;
    low ^= low >> 2;
    low ^= low >> 1;
    const zero = (resultLow | resultHigh) === 0 ? 1 : 0;
    return carry | ((~low & 1) << 2) | (((auxLow >>> 3) & 1) << 4) | (zero << 6) | (sign << 7) | (overflow << 11);
  }

  #writeFx(image: Uint8Array, view: DataView): void {
    const status = view.getUint16(FX_AT + 2, true);
    const top = (status >> 11) & 7;
    this.#set32('FPU_CW', view.getUint16(FX_AT, true));
    this.#set32('FPU_SW', status & ~0x3800);
    this.#set32('FPU_TOP', top);
    const abridged = view.getUint8(FX_AT + 4);
    let tags = 0;
    for (let i = 0; i < 8; i++) {
      if (((abridged >> i) & 1) === 0) tags |= 3 << (2 * i);
      const to = this.#cpu + at('FPU_REG', (top + i) & 7);
      this.#bytes.set(image.subarray(FX_AT + 32 + i * 16, FX_AT + 42 + i * 16), to);
    }
    this.#set32('FPU_TAG', tags);
    for (const name of ['FPU_OPCODE', 'FPU_CS', 'FPU_DS']) this.#set32(name, 0);
    for (const name of ['FPU_IP', 'FPU_DP']) this.#set64(name, 0n);
    this.#set32('MXCSR', view.getUint32(FX_AT + 24, true));
    this.#bytes.set(image.subarray(FX_AT + 160, FX_AT + 416), this.#cpu + at('XMM'));
  }

  #readFx(image: Uint8Array, view: DataView): void {
    const field = (name: string): number => this.#view.getUint32(this.#cpu + at(name), true);
    const top = field('FPU_TOP');
    view.setUint16(FX_AT, field('FPU_CW'), true);
    view.setUint16(FX_AT + 2, field('FPU_SW') | (top << 11), true);
    let abridged = 0;
    const tags = field('FPU_TAG');
    for (let i = 0; i < 8; i++) {
      if (((tags >> (2 * i)) & 3) !== 3) abridged |= 1 << i;
      const from = this.#cpu + at('FPU_REG', (top + i) & 7);
      image.set(this.#bytes.subarray(from, from + 10), FX_AT + 32 + i * 16);
    }
    view.setUint8(FX_AT + 4, abridged);
    view.setUint32(FX_AT + 24, field('MXCSR'), true);
    image.set(this.#bytes.subarray(this.#cpu + at('XMM'), this.#cpu + at('XMM') + 256), FX_AT + 160);
  }
}
