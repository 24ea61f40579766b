// The function of one region while it is being written: locals, labels, guest registers, constants, the register file.
// Guest registers live in locals, 64 bits wide in 64-bit code, else 32. Memory operands are in emit-memory.ts, flags in
// emit-flags.ts, instructions in emit-*.ts, the frame around everything in region-emitter.ts.

import { offsetOf, TLB } from '../isa/layout.ts';
import { STORED } from './flag-kinds.ts';
import type { Op } from './op-record.ts';
import { V } from './simd.ts';
import { F32, F64, I32, I64, V128, VOID, W, WasmWriter } from './wasm-encoder.ts';

/** Function indices of the imports of every module, in the order of IMPORTS. */
export const IMPORTS = [
  'jitRead', 'jitReadSegment', 'jitWrite', 'jitWriteSegment', 'jitFlags32', 'jitFlags64', 'jitOverride', 'jitSetCarryOverflow', 'jitMulHighUnsigned',
  'jitMulHighSigned', 'jitDouble', 'jitSingle', 'executeSse', 'executeX87', 'executeMmx', 'executeSystem', 'jitSystem', 'jitPushedFlags',
] as const;
export type ImportName = (typeof IMPORTS)[number];
const importIndex = new Map<ImportName, number>(IMPORTS.map((name, i) => [name, i]));

/** Numbers of registers in instructions. */
export const RSP = 4;
export const RBP = 5;
/** Functions of every module that regions call: the way to the next region and the probe for the stack's page. */
export const DISPATCH_FUNCTION = IMPORTS.length;
export const PROBE_FUNCTION = IMPORTS.length + 1;
/** What makes the offset of its entry in a TLB of a linear address: a shift to the right, then a mask. */
export const TLB_ENTRY_SHIFT = 12 - Math.log2(TLB.ENTRY_BYTES);
export const TLB_ENTRY_MASK = ((1 << TLB.BITS) - 1) * TLB.ENTRY_BYTES;
/** No page, and nothing that is left of an address when its low bits and those of a page's offset are cut off. */
export const NO_STACK_PAGE = 0x800;

/** What is fixed when a region is requested. */
export interface RegionSetup {
  /** Address of the vCPU's register file. */
  readonly cpu: number;
  /** 64-bit code; else 32-bit. */
  readonly wide: boolean;
  /** Bit per segment register whose base is 0 and whose limit covers everything; checked at entry. */
  readonly flatSegments: number;
}

const GPRS = 16;
/** Locals after the 16 guest registers. */
const L = {
  pageRip: 16,
  rip: 17, delta: 18,
  /** Page (linear address) that the stack is in when stackAddend leads there, for reads and writes, else NO_STACK_PAGE. */
  stackTag: 19,
  tlb: 20, budget: 21, flagKind: 22, flagC: 23, flagA: 24, flagB: 25, host: 26, entry: 27, how: 28, linear32: 29, t0: 30, t1: 31, t2: 32,
  fpOk: 33, flagV: 34, stackAddend: 35,
  /** CF beside flags whose kind only flagKind knows, where that is wanted (RegionGraph.carryIn). */
  carry: 36,
  linear64: 37, flagA64: 38, flagB64: 39, q0: 40, q1: 41, q2: 42, flagV64: 43,
  d0: 44, d1: 45, d2: 46, d3: 47, s0: 48, s1: 49, s2: 50, s3: 51,
  v0: 52, v1: 53, xmm: 54,
} as const;

export class RegionCode {
  readonly setup: RegionSetup;
  readonly wide: boolean;
  readonly w = new WasmWriter(1 << 14);
  readonly local = L;
  /** Guest registers that are read or written anywhere, by bit: complete after the first of two passes. */
  used = 0;
  written = 0;
  /** XMM registers, by bit. */
  usedXmm = 0;
  writtenXmm = 0;
  /** Instructions that need CR0 and CR4 to allow SSE; that look whether floating point may go the short way. */
  usesSse = false;
  usesFloat = false;
  /** Something looks at stackTag; RBP is a frame pointer. */
  usesStack = false;
  hasFramePointer = false;
  /** Blocks end in instructions that the interpreter executes for the region. */
  hasSystem = false;
  /** Segments whose flatness the code relies on. */
  assumed = 0;
  /** What the flags are at this point of the emission. */
  flags: number = STORED;
  /** Block whose code is being written, and the instruction. */
  blockAddress = 0;
  depth = 0;
  exitLabel = 0;
  bailLabel = 0;

  constructor(setup: RegionSetup) {
    this.setup = setup;
    this.wide = setup.wide;
  }

  /** Forgets the code, keeps what was learnt about registers. */
  restart(): void {
    this.w.reset();
    this.depth = 0;
  }

  locals(): { count: number; type: number }[] {
    const word = this.wide ? I64 : I32;
    return [{ count: 20, type: word }, { count: 17, type: I32 }, { count: 7, type: I64 }, { count: 4, type: F64 }, { count: 4, type: F32 }, { count: 18, type: V128 }];
  }

  // --- Labels.

  /** Opens block, loop, if or try; returns its label for br(). */
  open(opcode: number, type: number = VOID): number {
    this.w.open(opcode, type);
    return this.depth++;
  }

  /** Opens an `if` whose condition usually holds, or usually does not: the other arm is moved out of the way. */
  openExpected(likely: boolean, type: number = VOID): number {
    this.w.hint(likely);
    return this.open(W.if, type);
  }

  else(): void {
    this.w.op(W.else);
  }

  end(): void {
    this.w.op(W.end);
    this.depth--;
  }

  br(label: number): void {
    this.w.br(this.depth - 1 - label);
  }

  brIf(label: number): void {
    this.w.brIf(this.depth - 1 - label);
  }

  /** br_if that is hardly ever taken. */
  brIfRarely(label: number): void {
    this.w.hint(false);
    this.brIf(label);
  }

  // --- Shorthands.

  op(...opcodes: number[]): void {
    for (const opcode of opcodes) this.w.op(opcode);
  }

  get(local: number): void {
    this.w.get(local);
  }

  set(local: number): void {
    this.w.set(local);
  }

  tee(local: number): void {
    this.w.tee(local);
  }

  i32(value: number): void {
    this.w.i32(value);
  }

  i64(low: number, high = low < 0 ? -1 : 0): void {
    this.w.i64(low, high);
  }

  /** A constant of the width of guest registers. */
  word(value: number): void {
    if (this.wide) this.i64(value);
    else this.i32(value);
  }

  call(name: ImportName): void {
    this.w.call(importIndex.get(name) as number);
  }

  /** Offset of a field in the register file. */
  offset(field: string, index = 0): number {
    return offsetOf(field, index);
  }

  /** Loads from the register file; `opcode` is the load. */
  loadField(opcode: number, field: string, index = 0): void {
    this.i32(0);
    this.w.memory(opcode, 0, this.setup.cpu + offsetOf(field, index));
  }

  /** Stores what `value` pushes into the register file. */
  storeField(opcode: number, field: string, value: () => void, index = 0): void {
    this.i32(0);
    value();
    this.w.memory(opcode, 0, this.setup.cpu + offsetOf(field, index));
  }

  // --- Guest registers. Sizes are log2 of bytes; values of 8, 16 and 32 bits are i32 (zero-extended), of 64 bits i64.

  /** A whole register in the width of the code. */
  getWord(register: number): void {
    this.used |= 1 << register;
    this.get(register);
  }

  setWord(register: number): void {
    this.used |= 1 << register;
    this.written |= 1 << register;
    this.set(register);
  }

  getRegister(register: number, size: number): void {
    if (size === 0) {
      // A byte offset into the registers: AH is 1.
      this.getWord(register >> 3);
      if (this.wide) this.op(W.i32_wrap_i64);
      if ((register & 1) !== 0) {
        this.i32(8);
        this.op(W.i32_shr_u);
      }
      this.i32(0xff);
      this.op(W.i32_and);
      return;
    }
    this.getWord(register);
    if (size === 3) return;
    if (this.wide) this.op(W.i32_wrap_i64);
    if (size === 1) {
      this.i32(0xffff);
      this.op(W.i32_and);
    }
  }

  /** Takes the value from the stack; 8- and 16-bit values may have rubbish above. */
  setRegister(register: number, size: number): void {
    if (size === 3) {
      this.setWord(register);
      return;
    }
    if (size === 2) {
      if (this.wide) this.op(W.i64_extend_i32_u);
      this.setWord(register);
      return;
    }
    const number = size === 0 ? register >> 3 : register;
    const shift = size === 0 && (register & 1) !== 0 ? 8 : 0;
    const mask = (size === 0 ? 0xff : 0xffff) << shift;
    if (shift !== 0) {
      this.i32(8);
      this.op(W.i32_shl);
    }
    this.i32(mask);
    this.op(W.i32_and);
    if (this.wide) this.op(W.i64_extend_i32_u);
    this.getWord(number);
    this.word(~mask);
    this.op(this.wide ? W.i64_and : W.i32_and, this.wide ? W.i64_or : W.i32_or);
    this.written |= 1 << number;
    this.set(number);
  }

  loadRegisters(): void {
    for (let r = 0; r < GPRS; r++) {
      if (((this.used >> r) & 1) === 0) continue;
      this.loadField(this.wide ? W.i64_load : W.i32_load, 'GPR', r);
      this.set(r);
    }
    for (let r = 0; r < GPRS; r++) if (((this.usedXmm >> r) & 1) !== 0) this.loadXmm(r);
  }

  // --- XMM registers.

  getXmm(register: number): void {
    this.usedXmm |= 1 << register;
    this.get(L.xmm + register);
  }

  setXmm(register: number): void {
    this.usedXmm |= 1 << register;
    this.writtenXmm |= 1 << register;
    this.set(L.xmm + register);
  }

  loadXmm(register: number): void {
    this.i32(0);
    this.w.simdMemory(V.v128_load, 0, this.setup.cpu + offsetOf('XMM', register));
    this.set(L.xmm + register);
  }

  storeXmm(register: number): void {
    this.i32(0);
    this.get(L.xmm + register);
    this.w.simdMemory(V.v128_store, 0, this.setup.cpu + offsetOf('XMM', register));
  }

  /** In 32-bit code the upper halves are 0 before and after, see pushUpperHalves(). */
  storeRegisters(): void {
    for (let r = 0; r < GPRS; r++) {
      if (((this.written >> r) & 1) === 0) continue;
      this.storeField(this.wide ? W.i64_store : W.i32_store, 'GPR', () => this.get(r), r);
    }
    for (let r = 0; r < GPRS; r++) if (((this.writtenXmm >> r) & 1) !== 0) this.storeXmm(r);
  }

  /** Not 0 when a register that 32-bit code writes has something left over from 64-bit code in its upper half. */
  pushUpperHalves(): void {
    this.i32(0);
    for (let r = 0; r < GPRS; r++) {
      if (((this.written >> r) & 1) === 0) continue;
      this.i32(0);
      this.w.memory(W.i32_load, 0, this.setup.cpu + offsetOf('GPR', r) + 4);
      this.op(W.i32_or);
    }
  }

  // --- Immediates.

  immediate(op: Op, size: number): void {
    if (size === 3) this.w.i64(op.immLow, op.immHigh);
    else this.i32(size === 0 ? op.immLow & 0xff : size === 1 ? op.immLow & 0xffff : op.immLow);
  }

  /** RIP of a page offset, in the width of registers. */
  ripAt(offset: number): void {
    this.get(L.pageRip);
    this.word(offset);
    this.op(this.wide ? W.i64_add : W.i32_add);
  }
}
