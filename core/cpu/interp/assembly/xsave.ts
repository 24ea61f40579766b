// x87 and SSE state in memory: FXSAVE, FXRSTOR, XSAVE, XSAVEOPT, XRSTOR, LDMXCSR, STMXCSR, and XCR0. Intel SDM volume 1
// chapter 13. Components: x87 (bit 0) and SSE (bit 1); standard format only, no FFXSR.

import { raise, raiseWithCode, VECTOR_GP, VECTOR_NM, VECTOR_UD } from './fault';
import {
  CPL, CR0, CR4, FPU_CS, FPU_CW, FPU_DP, FPU_DS, FPU_IP, FPU_OPCODE, FPU_REG, FPU_SW, FPU_TAG, FPU_TOP, MXCSR, OPF_LONG,
  SCRATCH, XCR0, XMM,
} from './generated/layout';
import { load128, load32, load64, load8, probeWrite, store128, store16, store32, store64 } from './memory';
import { linear, linearForWrite, opFlags, opSize } from './op';
import { requireAligned } from './sse-operands';
import { cpu, get32, get64, reg32, set32, set64, setReg32 } from './state';

const CR0_EM: u32 = 4;
const CR0_TS: u32 = 8;
const CR4_OSXSAVE: u32 = 0x40000;
export const MXCSR_MASK: u32 = 0xffff;
const FCW_INITIAL: u32 = 0x37f;
const X87: u32 = 1;
const SSE: u32 = 2;
/** Components that XCR0 may enable. */
const SUPPORTED: u32 = X87 | SSE;

const LEGACY_BYTES: u32 = 512;
const HEADER_BYTES: u32 = 64;

// --- MXCSR.

export function ldmxcsr(op: usize): void {
  const value = load32(linear(op, 4));
  if ((value & ~MXCSR_MASK) != 0) raiseWithCode(VECTOR_GP, 0);
  set32(MXCSR, value);
}

export function stmxcsr(op: usize): void {
  store32(linearForWrite(op, 4), get32(MXCSR));
}

// --- The parts of the legacy area.

/** XMM8-15 are part of the state in 64-bit mode only. */
// @ts-ignore: decorator
@inline
function xmmBytes(op: usize): u32 {
  return opFlags(op) & OPF_LONG ? 256 : 128;
}

function abridgedTag(): u32 {
  const tag = get32(FPU_TAG);
  let abridged: u32 = 0;
  for (let i: u32 = 0; i < 8; i++) {
    if (((tag >> (i << 1)) & 3) != 3) abridged |= 1 << i;
  }
  return abridged;
}

/** Bytes 0-23 and the registers; `wide` is the form with 64-bit pointers. */
function saveX87(at: u64, wide: bool): void {
  const top = get32(FPU_TOP);
  store16(at, get32(FPU_CW));
  store16(at + 2, (get32(FPU_SW) & ~0x3800) | (top << 11));
  store16(at + 4, abridgedTag());
  store16(at + 6, get32(FPU_OPCODE) & 0x7ff);
  if (wide) {
    store64(at + 8, get64(FPU_IP));
    store64(at + 16, get64(FPU_DP));
  } else {
    store64(at + 8, (get64(FPU_IP) & 0xffffffff) | (<u64>(get32(FPU_CS) & 0xffff) << 32));
    store64(at + 16, (get64(FPU_DP) & 0xffffffff) | (<u64>(get32(FPU_DS) & 0xffff) << 32));
  }
  for (let i: u32 = 0; i < 8; i++) {
    const register = cpu + FPU_REG + (<usize>((top + i) & 7) << 4);
    store64(at + 32 + <u64>(i << 4), load<u64>(register));
    store64(at + 40 + <u64>(i << 4), <u64>load<u16>(register, 8));
  }
}

function saveXmm(at: u64, bytes: u32): void {
  for (let i: u32 = 0; i < bytes; i += 16) store128(at + 160 + <u64>i, v128.load(cpu + XMM + <usize>i));
}

function saveMxcsr(at: u64): void {
  store64(at + 24, <u64>get32(MXCSR) | (<u64>MXCSR_MASK << 32));
}

/** Copies `bytes` of the area into SCRATCH: everything is read before anything changes. */
function fetch(at: u64, bytes: u32): usize {
  const image = cpu + SCRATCH;
  for (let i: u32 = 0; i < bytes; i += 16) v128.store(image + <usize>i, load128(at + <u64>i));
  return image;
}

function restoreX87(image: usize, wide: bool): void {
  const control = load<u16>(image);
  const status = <u32>load<u16>(image, 2);
  const abridged = <u32>load<u8>(image, 4);
  const top = (status >> 11) & 7;
  set32(FPU_CW, (control & 0x1f3f) | 0x40);
  // ES and B follow from the exceptions that the new control word leaves unmasked.
  const pending = (status & ~control & 0x3f) != 0;
  set32(FPU_SW, (status & 0x477f) | (pending ? 0x8080 : 0));
  set32(FPU_TOP, top);
  let tag: u32 = 0;
  for (let i: u32 = 0; i < 8; i++) {
    if (((abridged >> i) & 1) == 0) tag |= 3 << (i << 1);
  }
  set32(FPU_TAG, tag);
  set32(FPU_OPCODE, load<u16>(image, 6) & 0x7ff);
  if (wide) {
    set64(FPU_IP, load<u64>(image, 8));
    set64(FPU_DP, load<u64>(image, 16));
    set32(FPU_CS, 0);
    set32(FPU_DS, 0);
  } else {
    set64(FPU_IP, <u64>load<u32>(image, 8));
    set64(FPU_DP, <u64>load<u32>(image, 16));
    set32(FPU_CS, load<u16>(image, 12));
    set32(FPU_DS, load<u16>(image, 20));
  }
  for (let i: u32 = 0; i < 8; i++) {
    const register = cpu + FPU_REG + (<usize>((top + i) & 7) << 4);
    const from = image + 32 + (<usize>i << 4);
    store<u64>(register, load<u64>(from));
    store<u16>(register, load<u16>(from, 8), 8);
  }
}

function restoreXmm(image: usize, bytes: u32): void {
  memory.copy(cpu + XMM, image + 160, <usize>bytes);
}

// --- FXSAVE, FXRSTOR.

function checkFxsr(): void {
  if ((get32(CR0) & (CR0_EM | CR0_TS)) != 0) raise(VECTOR_NM);
}

export function fxsave(op: usize): void {
  checkFxsr();
  requireAligned(op, 15);
  const at = linearForWrite(op, LEGACY_BYTES);
  probeWrite(at, 16);
  probeWrite(at + 496, 16);
  saveX87(at, opSize(op) == 3);
  saveMxcsr(at);
  saveXmm(at, xmmBytes(op));
}

export function fxrstor(op: usize): void {
  checkFxsr();
  requireAligned(op, 15);
  const at = linear(op, LEGACY_BYTES);
  const image = fetch(at, LEGACY_BYTES);
  const mxcsr = load<u32>(image, 24);
  if ((mxcsr & ~MXCSR_MASK) != 0) raiseWithCode(VECTOR_GP, 0);
  set32(MXCSR, mxcsr);
  restoreX87(image, opSize(op) == 3);
  restoreXmm(image, xmmBytes(op));
}

// --- XSAVE, XSAVEOPT, XRSTOR.

function checkXsave(): void {
  if ((get32(CR4) & CR4_OSXSAVE) == 0) raise(VECTOR_UD);
  if ((get32(CR0) & CR0_TS) != 0) raise(VECTOR_NM);
}

function x87InUse(): bool {
  if (get32(FPU_CW) != FCW_INITIAL || (get32(FPU_SW) | get32(FPU_TOP) | get32(FPU_OPCODE)) != 0) return true;
  if ((get32(FPU_TAG) & 0xffff) != 0xffff || (get64(FPU_IP) | get64(FPU_DP)) != 0) return true;
  if ((get32(FPU_CS) | get32(FPU_DS)) != 0) return true;
  let any: u64 = 0;
  for (let i: usize = 0; i < 128; i += 16) any |= load<u64>(cpu + FPU_REG + i) | <u64>load<u16>(cpu + FPU_REG + i, 8);
  return any != 0;
}

function xmmInUse(): bool {
  let any = i64x2.splat(0);
  for (let i: usize = 0; i < 256; i += 16) any = v128.or(any, v128.load(cpu + XMM + i));
  return v128.any_true(any);
}

/** XSAVE writes what is asked for; XSAVEOPT leaves out components in their initial state. */
export function xsave(op: usize, optimized: bool): void {
  checkXsave();
  requireAligned(op, 63);
  const at = linearForWrite(op, LEGACY_BYTES + HEADER_BYTES);
  probeWrite(at, 16);
  probeWrite(at + <u64>(LEGACY_BYTES + HEADER_BYTES - 16), 16);
  // EDX:EAX selects; nothing above bit 31 exists.
  const asked = reg32(0) & get32(XCR0);
  const inUse: u32 = (x87InUse() ? X87 : 0) | (xmmInUse() ? SSE : 0);
  const written = optimized ? asked & inUse : asked;
  const before = load64(at + LEGACY_BYTES);
  if (written & X87) saveX87(at, opSize(op) == 3);
  if (asked & SSE) saveMxcsr(at);
  if (written & SSE) saveXmm(at, xmmBytes(op));
  store64(at + LEGACY_BYTES, (before & ~(<u64>asked)) | <u64>(inUse & asked));
}

export function xrstor(op: usize): void {
  checkXsave();
  requireAligned(op, 63);
  const at = linear(op, LEGACY_BYTES + HEADER_BYTES);
  const present = load64(at + LEGACY_BYTES);
  const layout = load64(at + LEGACY_BYTES + 8) | load64(at + LEGACY_BYTES + 16);
  const enabled = get32(XCR0);
  // Compacted areas (bit 63 of the second quadword) exist with XSAVEC only.
  if ((present & ~(<u64>enabled)) != 0 || layout != 0) raiseWithCode(VECTOR_GP, 0);
  const asked = reg32(0) & enabled;
  const image = fetch(at, LEGACY_BYTES);
  if (asked & SSE) {
    const mxcsr = load<u32>(image, 24);
    if ((mxcsr & ~MXCSR_MASK) != 0) raiseWithCode(VECTOR_GP, 0);
    set32(MXCSR, mxcsr);
    if (<u32>present & SSE) restoreXmm(image, xmmBytes(op));
    else memory.fill(cpu + XMM, 0, <usize>xmmBytes(op));
  }
  if (asked & X87) {
    if (<u32>present & X87) restoreX87(image, opSize(op) == 3);
    else initialX87();
  }
}

function initialX87(): void {
  set32(FPU_CW, FCW_INITIAL);
  set32(FPU_SW, 0);
  set32(FPU_TOP, 0);
  set32(FPU_TAG, 0xffff);
  set32(FPU_OPCODE, 0);
  set64(FPU_IP, 0);
  set64(FPU_DP, 0);
  set32(FPU_CS, 0);
  set32(FPU_DS, 0);
  memory.fill(cpu + FPU_REG, 0, 128);
}

// --- XCR0.

export function xgetbv(): void {
  if ((get32(CR4) & CR4_OSXSAVE) == 0) raise(VECTOR_UD);
  if (reg32(1) != 0) raiseWithCode(VECTOR_GP, 0);
  const value = get64(XCR0);
  setReg32(0, <u32>value);
  setReg32(2, <u32>(value >> 32));
}

export function xsetbv(): void {
  if ((get32(CR4) & CR4_OSXSAVE) == 0) raise(VECTOR_UD);
  const value = reg32(0);
  const allowed = get32(CPL) == 0 && reg32(1) == 0 && reg32(2) == 0 && (value & X87) != 0 && (value & ~SUPPORTED) == 0;
  if (!allowed) raiseWithCode(VECTOR_GP, 0);
  set64(XCR0, <u64>value);
}

/** CLFLUSH and CLFLUSHOPT are loads without a result. */
export function clflush(op: usize): void {
  load8(linear(op, 1));
}
