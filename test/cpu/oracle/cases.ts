// Register and memory contents around an encoded instruction: operands that are interesting for it, addresses that mostly
// hit the data pages.

import type { OpcodeRow } from '../../../core/cpu/isa/opcode-row.ts';
import { anySelector, branchTarget, encode, farTarget, tokensOf, type Encoded, type Mode } from './encode.ts';
import {
  DATA_AT, DATA_BYTES, FLAT_DATA, FX_AT, GPR_AT, LOCAL_SEGMENTS, localSelector, RECORD_BYTES, RFLAGS_AT, SEGMENTS_AT, type Case,
  type SegmentDescriptor,
} from './records.ts';
import type { Random } from './random.ts';
import { isStateImage } from './images.ts';
import { decimal, double, extended, integer64, single, vector, type VectorKind } from './values.ts';

const RCX = 1;
const RDX = 2;
const RBX = 3;
const RSP = 4;
const RBP = 5;
const RSI = 6;
const RDI = 7;

export interface TestCase extends Case {
  readonly encoded: Encoded;
  /** Instructions of a sequence; `encoded` is then the first of them. */
  readonly parts?: readonly Encoded[];
  /** Arithmetic flags of a sequence that are undefined at its end, and those that may be at a fault. */
  readonly openFlags?: { readonly end: number; readonly fault: number };
}

/** Alignment that keeps the instruction from #GP, as a power of two. */
function alignmentOf(row: OpcodeRow): number {
  if (row.mnemonic.startsWith('xsave') || row.mnemonic === 'xrstor') return 64;
  if (row.handler === 'SSE' || row.mnemonic.startsWith('cmpxchg')) return 16;
  return 8;
}

export function chooseAddress(row: OpcodeRow, random: Random): number {
  const kind = row.mnemonic.startsWith('sha') ? 99 : random.below(100);
  if (kind < 2) return DATA_AT + DATA_BYTES - random.below(24); // into the read-only page
  if (kind < 4) return DATA_AT + 0x1000 - random.below(24); // over a page end
  if (kind < 5) return DATA_AT + 0x3000 - random.below(24); // off the end
  if (kind < 6) return DATA_AT + DATA_BYTES + random.below(0x1000);
  // AMD does not check the alignment of SHA operands, Intel does.
  const align = random.chance(80) || row.mnemonic.startsWith('sha') ? alignmentOf(row) : 1;
  const room = DATA_BYTES - 0x800;
  return DATA_AT + 0x400 + Math.floor(random.below(room) / align) * align;
}

function vectorKind(row: OpcodeRow, random: Random): VectorKind {
  if (random.chance(8)) return random.pick(['single', 'double', 'integer', 'text'] as const);
  if (row.mnemonic.startsWith('pcmp') && row.mnemonic.includes('str')) return random.chance(75) ? 'text' : 'integer';
  const operands = tokensOf(row).join(',');
  if (/p?s[s]\b|ps\b/.test(operands) || /(ps|ss)(2\w+)?$/.test(row.mnemonic) || /2p?s[si]/.test(row.mnemonic)) return 'single';
  if (/[ps]d\b/.test(operands) || /(pd|sd)(2\w+)?$/.test(row.mnemonic)) return 'double';
  return 'integer';
}

/** MXCSR or x87 control: mostly everything masked. */
function mxcsr(random: Random): number {
  let value = random.chance(70) ? 0x1f80 : (random.below(64) << 7) & 0x1f80;
  if (random.chance(50)) value |= random.below(4) << 13;
  if (random.chance(15)) value |= 0x40;
  if (random.chance(15)) value |= 0x8000;
  if (random.chance(50)) value |= random.below(64);
  return value;
}

function fillFx(image: DataView, at: number, kind: VectorKind, pool: Uint8Array, random: Random, x87: boolean): void {
  let control = random.chance(75) ? 0x7f : 0x40 | random.below(64);
  control |= random.pick([0x300, 0x300, 0x200, 0x000]) | (random.chance(50) ? random.below(4) << 10 : 0);
  let status = random.below(8) << 11;
  if (x87 && random.chance(40)) status |= random.below(0x80) | (random.below(16) << 8 & 0x4700);
  status &= 0x7f7f;
  if ((status & ~control & 0x3f) !== 0) {
    // A pending exception in one case of ten, else none.
    if (random.chance(90)) status &= ~0x3f;
    else status |= 0x8080;
  }
  image.setUint16(at, control, true);
  image.setUint16(at + 2, status, true);
  image.setUint8(at + 4, random.chance(70) ? 0xff : random.below(256));
  image.setUint32(at + 24, mxcsr(random), true);
  image.setUint32(at + 28, 0xffff, true);
  const bytes = new Uint8Array(image.buffer, image.byteOffset + at, 512);
  // A few values for all registers: equal operands matter too.
  const numbers = [extended(random), extended(random), extended(random)];
  for (let i = 0; i < 8; i++) {
    bytes.set(random.pick(numbers), 32 + i * 16);
    if (!x87 && random.chance(80)) {
      image.setBigUint64(at + 32 + i * 16, integer64(random), true);
      image.setUint16(at + 40 + i * 16, 0xffff, true);
    }
  }
  const vectors = [vector(random, kind, pool), vector(random, kind, pool), vector(random, kind, pool), vector(random, kind, pool)];
  for (let i = 0; i < 16; i++) bytes.set(random.pick(vectors), 160 + i * 16);
}

/** Instructions with a selector in ModRM.rm. */
function selectsSegment(row: OpcodeRow): boolean {
  return /^(lar|lsl|verr|verw|arpl)$/.test(row.mnemonic) || /MOV_SE$/.test(row.sub ?? row.handler);
}

function farPointer(mode: Mode, operandBits: number, random: Random): Uint8Array {
  const far = farTarget(operandBits === 16 ? 16 : mode, random);
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, far.offset, true);
  view.setUint16(operandBits / 8, far.selector, true);
  return bytes;
}

/** EFLAGS that leave the native runner in control: no TF, no AC. */
function poppedFlags(random: Random): number {
  return random.bits32() & 0x206ed5;
}

/** What far returns, IRET, POPF and POP of segment registers find on the stack. */
function stackImage(row: OpcodeRow, mode: Mode, operandBits: number, rsp: number, random: Random): Uint8Array {
  const bytes = new Uint8Array(48);
  const view = new DataView(bytes.buffer);
  const step = operandBits / 8;
  const put = (slot: number, value: number): void => {
    if (step === 2) view.setUint16(slot * 2, value, true);
    else view.setUint32(slot * step, value, true);
  };
  if (row.mnemonic === 'popf') {
    put(0, poppedFlags(random));
    return bytes;
  }
  if (row.mnemonic === 'pop') {
    put(0, anySelector(random));
    return bytes;
  }
  const far = farTarget(operandBits === 16 ? 16 : mode, random);
  const stack = random.chance(80) ? 0x2b : anySelector(random);
  // Which of a bad SS and an offset beyond the limit is found first is open.
  put(0, row.mnemonic === 'iret' && stack !== 0x2b && far.offset < 0x10000 ? far.offset & 0xfff : far.offset);
  put(1, far.selector);
  if (row.mnemonic === 'iret') {
    put(2, poppedFlags(random));
    put(3, rsp & 0xffff);
    if (step !== 2) put(3, DATA_AT + 0x800);
    put(4, stack);
  }
  return bytes;
}

/** Selectors of a case: flat, or segments of the local table with all kinds of limits. */
function chooseSegments(mode: Mode, random: Random): { es: number; ss: number; ds: number } {
  if (mode !== 16) return { es: FLAT_DATA, ss: FLAT_DATA, ds: FLAT_DATA };
  const data = (): number => localSelector(random.chance(70) ? 1 : random.pick([2, 3, 4, 5, 6, 8]));
  return { es: data(), ss: localSelector(random.chance(60) ? 1 : random.pick([3, 4, 5, 8])), ds: data() };
}

/** Bytes at the memory operand. */
function memoryBytes(row: OpcodeRow, kind: VectorKind, pool: Uint8Array, integers: readonly bigint[], random: Random): Uint8Array {
  const sub = row.sub ?? '';
  if (/^(FXRSTOR|XRSTOR|FXSAVE|XSAVE)/.test(sub)) {
    const bytes = new Uint8Array(576);
    const view = new DataView(bytes.buffer);
    fillFx(view, 0, kind, pool, random, true);
    if (random.chance(5)) view.setUint32(24, random.bits32(), true);
    if (sub === 'XRSTOR' || sub.startsWith('XSAVE')) {
      // Bit 8 is no component of XCR0 anywhere; the host may have AVX where we have none.
      view.setUint32(512, random.chance(95) ? random.below(4) : 0x100, true);
    }
    if (random.chance(3)) bytes[520 + random.below(16)] = 1;
    return bytes;
  }
  if (row.handler === 'X87') {
    const bytes = new Uint8Array(108);
    const view = new DataView(bytes.buffer);
    if (sub === 'FRSTOR' || sub === 'FLDENV') {
      view.setUint16(0, 0x37f & ~random.below(random.chance(30) ? 64 : 1), true);
      for (let i = 4; i < 28; i++) bytes[i] = random.below(256);
      for (let i = 28; i < 108; i += 10) bytes.set(extended(random), i);
      if (random.chance(50)) view.setUint16(4, random.below(8) << 11, true);
      return bytes;
    }
    if (sub === 'FBLD') return decimal(random);
    if (sub.includes('M32') && !sub.startsWith('FI')) view.setUint32(0, single(random), true);
    else if (sub.includes('M64') && !sub.startsWith('FI')) view.setBigUint64(0, double(random), true);
    else if (sub.includes('M80')) bytes.set(extended(random));
    else view.setBigUint64(0, integer64(random), true);
    return bytes.subarray(0, 16);
  }
  if (row.handler === 'SSE') {
    const bytes = new Uint8Array(16);
    bytes.set(vector(random, kind, pool));
    if (sub === 'LDMXCSR') new DataView(bytes.buffer).setUint32(0, random.chance(90) ? random.below(0x10000) : random.bits32(), true);
    return bytes;
  }
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  if (selectsSegment(row)) view.setUint16(0, anySelector(random), true);
  else for (let i = 0; i < 16; i += 8) view.setBigUint64(i, random.chance(30) ? random.pick(integers) : integer64(random), true);
  return bytes;
}

/** One encoding of a row with one set of operands. */
export function makeCase(row: OpcodeRow, mode: Mode, random: Random, prefixed: ReadonlySet<string>): TestCase {
  const address = chooseAddress(row, random);
  return withOperands(encode(row, mode, random, prefixed, address), address, random);
}

/** Fills in registers and memory; `address` is where the memory operand lies. */
export function withOperands(encoded: Encoded, address: number, random: Random): TestCase {
  const { row, mode } = encoded;
  const mask = mode === 64 ? (1n << 64n) - 1n : 0xffffffffn;
  const state = new Uint8Array(RECORD_BYTES);
  const view = new DataView(state.buffer);
  const integers = [integer64(random), integer64(random)];
  const gpr: bigint[] = [];
  for (let i = 0; i < 16; i++) gpr.push((random.chance(25) ? random.pick(integers) : integer64(random)) & mask);

  // --- Implicit operands.
  // Pointers; in 16-bit cases offsets, with anything in the upper half.
  const upper = (): bigint => (mode === 16 ? BigInt(random.bits32() & 0xffff0000) & mask : 0n);
  const inData = (align: number): bigint =>
    BigInt((mode === 16 ? 0 : DATA_AT) + 0x400 + Math.floor(random.below(DATA_BYTES - 0x800) / align) * align);
  const segments = chooseSegments(mode, random);
  const wideStack = ((LOCAL_SEGMENTS[segments.ss >> 3] as SegmentDescriptor).access & 0x4000) !== 0;
  // Far transfers read or write several slots: which one faults first is open.
  if (/^(callf|jmpf|retf|iret)$/.test(row.mnemonic) || random.chance(97)) gpr[RSP] = inData(random.chance(90) ? 8 : 1) | (wideStack ? 0n : upper());
  if (/^(leave|enter)/.test(row.mnemonic) && random.chance(95)) gpr[RBP] = inData(8) | (wideStack ? 0n : upper());
  const tokens = tokensOf(row);
  const string = tokens.some((token) => /^[XY]/.test(token));
  if (string || row.mnemonic === 'maskmovdqu' || row.mnemonic === 'maskmovq') {
    const high = encoded.addressBits === 16 ? upper() : 0n;
    if (random.chance(95)) gpr[RSI] = inData(random.pick([1, 8])) | high;
    if (random.chance(95)) gpr[RDI] = random.chance(20) ? (gpr[RSI] as bigint) + BigInt(random.below(8)) : inData(random.pick([1, 8])) | high;
  }
  if (encoded.rep) {
    // Counts stay small; with 32-bit addresses the upper half of RCX must not matter.
    const unused = encoded.addressBits === 64 || random.chance(70) ? 0n : random.bits64() & ~((1n << BigInt(encoded.addressBits)) - 1n) & mask;
    gpr[RCX] = BigInt(random.below(40)) | unused;
  }
  if (row.mnemonic === 'xlat') gpr[RBX] = inData(1) | (encoded.addressBits === 16 ? upper() : 0n);
  if (/_CL$/.test(row.handler) && random.chance(70)) gpr[RCX] = BigInt(random.below(70));
  if (/^i?div$/.test(row.mnemonic) && random.chance(70)) {
    const bits = BigInt(encoded.operandBits);
    gpr[RDX] = random.chance(50) ? BigInt(random.below(3)) : BigInt.asUintN(64, BigInt.asIntN(Number(bits), gpr[0] as bigint) >> (bits - 1n)) & mask;
  }
  if (/^pcmpestr/.test(row.mnemonic) && random.chance(80)) {
    for (const register of [0, RDX]) gpr[register] = BigInt.asUintN(64, BigInt(random.below(42) - 21)) & mask;
  }
  if (/^(xsave|xrstor)/.test(row.mnemonic)) gpr[0] = BigInt(random.below(4));
  if (/^bt/.test(row.mnemonic) && encoded.reg !== undefined && random.chance(80)) gpr[encoded.reg] = BigInt.asUintN(64, BigInt(random.below(512) - 256)) & mask;
  if (/^(jmp|call)$/.test(row.mnemonic) && encoded.rm !== undefined && encoded.memory === undefined) gpr[encoded.rm] = BigInt(branchTarget(mode, random));
  if (/^(loop|jcxz)/.test(row.mnemonic) && random.chance(50)) gpr[RCX] = BigInt(random.below(3));

  // --- The memory operand: the base register makes up for index and displacement.
  const memory = encoded.memory;
  if (memory?.base !== undefined) {
    const wrap = (value: bigint): bigint => BigInt.asUintN(memory.addressBits, value);
    if (memory.index !== undefined && random.chance(50)) gpr[memory.index] = BigInt(random.below(256));
    const index = memory.index === undefined ? 0n : (gpr[memory.index] as bigint) << BigInt(memory.scale);
    const base = wrap(BigInt(address) - memory.segmentBase - memory.displacement - index);
    // The upper half of a register does not count for 32-bit addresses.
    const unused = memory.addressBits === 64 || random.chance(50) ? 0n : random.bits64() & ~((1n << BigInt(memory.addressBits)) - 1n) & mask;
    gpr[memory.base] = base | unused;
    // Images are compared relative to where they were meant to lie.
    if (random.chance(1) && !isStateImage(row.mnemonic)) gpr[memory.base] = integer64(random) & mask;
  }
  if (selectsSegment(row) && encoded.rm !== undefined && memory === undefined) {
    gpr[encoded.rm] = ((gpr[encoded.rm] as bigint) & ~0xffffn) | BigInt(anySelector(random));
  }
  for (let i = 0; i < 16; i++) view.setBigUint64(GPR_AT + i * 8, gpr[i] as bigint, true);

  view.setUint16(SEGMENTS_AT, segments.es, true);
  view.setUint16(SEGMENTS_AT + 2, segments.ss, true);
  view.setUint16(SEGMENTS_AT + 4, segments.ds, true);

  // CF PF AF ZF SF OF at random; DF for strings.
  let flags = 0x202 | (random.bits32() & 0x8d5);
  if (string && random.chance(40)) flags |= 0x400;
  // Alignment checks; far transfers touch the stack in an order of their own.
  if (row.handler !== 'SYSTEM' && random.chance(3)) flags |= 0x40000;
  view.setBigUint64(RFLAGS_AT, BigInt(flags), true);
  const kind = vectorKind(row, random);
  const pool = vector(random, kind, new Uint8Array(16));
  fillFx(view, FX_AT, kind, pool, random, row.handler === 'X87');

  // --- Memory contents at the operand, as far as it lies in the pages.
  let patch: Uint8Array = memoryBytes(row, kind, pool, [...integers, ...gpr], random);
  if (/^(jmp|call)$/.test(row.mnemonic)) {
    patch = new Uint8Array(8);
    new DataView(patch.buffer).setBigUint64(0, BigInt(branchTarget(mode, random)), true);
  }
  let patchAt = address;
  if (/^ret/.test(row.mnemonic)) {
    patch = new Uint8Array(8);
    new DataView(patch.buffer).setBigUint64(0, BigInt(branchTarget(mode, random)), true);
    patchAt = mode === 16 ? DATA_AT + Number((gpr[RSP] as bigint) & (wideStack ? 0xffffffffn : 0xffffn)) : Number(gpr[RSP]);
  }
  if (/^(callf|jmpf)$/.test(row.mnemonic)) patch = farPointer(mode, encoded.operandBits, random);
  if (/^l[ds]s$|^les$/.test(row.mnemonic)) new DataView(patch.buffer).setUint16(encoded.operandBits / 8, anySelector(random), true);
  if (/^(retf|iret|popf)$/.test(row.mnemonic) || (row.mnemonic === 'pop' && /S$/.test(row.operands ?? ''))) {
    patch = stackImage(row, mode, encoded.operandBits, Number(gpr[RSP]), random);
    patchAt = mode === 16 ? DATA_AT + Number((gpr[RSP] as bigint) & (wideStack ? 0xffffffffn : 0xffffn)) : Number(gpr[RSP]);
  }
  let patchOffset = patchAt - DATA_AT;
  if (patchOffset < 0 || patchOffset >= DATA_BYTES) {
    patch = new Uint8Array(0);
    patchOffset = 0;
  } else if (patchOffset + patch.length > DATA_BYTES) {
    patch = patch.subarray(0, DATA_BYTES - patchOffset);
  }
  return { mode, code: encoded.code, state, patchOffset, patch, encoded };
}
