// Operands of SSE instructions: XMM registers, memory operands with the alignment rule of legacy SSE (16-byte operands
// are 16-byte aligned, else #GP(0), but for the instructions made for unaligned data), and the availability checks.

import { raise, raiseWithCode, VECTOR_GP, VECTOR_NM, VECTOR_UD } from './fault';
import { CR0, CR4, OPF_FLAT, SEG_BASE, XMM } from './generated/layout';
import { load128, load16, load32, load64, load8, store128, store16, store32, store64, store8 } from './memory';
import { linear, linearForWrite, offset, opFlags, opIsMem, opReg, opRm, opSeg } from './op';
import { cpu, get32 } from './state';

const CR0_EM: u32 = 4;
const CR0_TS: u32 = 8;
const CR4_OSFXSR: u32 = 0x200;

/** True when CR0 and CR4 let XMM instructions run without a look at what kind of instruction it is. */
// @ts-ignore: decorator
@inline
export function sseAvailable(): bool {
  return ((get32(CR0) & (CR0_EM | CR0_TS)) | ((get32(CR4) & CR4_OSFXSR) ^ CR4_OSFXSR)) == 0;
}

/** #UD or #NM of an XMM instruction. */
export function raiseSseUnavailable(): void {
  if ((get32(CR0) & CR0_EM) != 0 || (get32(CR4) & CR4_OSFXSR) == 0) raise(VECTOR_UD);
  if ((get32(CR0) & CR0_TS) != 0) raise(VECTOR_NM);
}

// @ts-ignore: decorator
@inline
export function xmmAt(index: u32): usize {
  return cpu + XMM + (<usize>index << 4);
}

// @ts-ignore: decorator
@inline
export function xmm(index: u32): v128 {
  return v128.load(xmmAt(index));
}

// @ts-ignore: decorator
@inline
export function setXmm(index: u32, value: v128): void {
  v128.store(xmmAt(index), value);
}

/** The register operand, mostly the destination. */
// @ts-ignore: decorator
@inline
export function regV(op: usize): v128 {
  return v128.load(xmmAt(opReg(op)));
}

// @ts-ignore: decorator
@inline
export function setRegV(op: usize, value: v128): void {
  v128.store(xmmAt(opReg(op)), value);
}

/** #GP(0) for a memory operand that is not aligned; comes before the segment limit's #SS or #GP. */
// @ts-ignore: decorator
@inline
export function requireAligned(op: usize, mask: u64): void {
  let at = offset(op);
  if ((opFlags(op) & OPF_FLAT) == 0) at += load<u64>(cpu + (<usize>opSeg(op) << 3), SEG_BASE);
  if ((at & mask) != 0) raiseWithCode(VECTOR_GP, 0);
}

function memoryAligned(op: usize): v128 {
  requireAligned(op, 15);
  return load128(linear(op, 16));
}

/** The register or aligned memory operand. */
// @ts-ignore: decorator
@inline
export function rmV(op: usize): v128 {
  if (opIsMem(op)) return memoryAligned(op);
  return v128.load(xmmAt(opRm(op)));
}

/** The register or memory operand of an instruction that takes unaligned data. */
// @ts-ignore: decorator
@inline
export function rmVUnaligned(op: usize): v128 {
  if (opIsMem(op)) return load128(linear(op, 16));
  return v128.load(xmmAt(opRm(op)));
}

/** Low quadword of the register, or 8 bytes of memory. */
// @ts-ignore: decorator
@inline
export function rmQ(op: usize): u64 {
  if (opIsMem(op)) return load64(linear(op, 8));
  return load<u64>(xmmAt(opRm(op)));
}

/** Low doubleword of the register, or 4 bytes of memory. */
// @ts-ignore: decorator
@inline
export function rmD(op: usize): u32 {
  if (opIsMem(op)) return load32(linear(op, 4));
  return load<u32>(xmmAt(opRm(op)));
}

// @ts-ignore: decorator
@inline
export function rmW(op: usize): u32 {
  if (opIsMem(op)) return load16(linear(op, 2));
  return load<u16>(xmmAt(opRm(op)));
}

/** The first 8 (4, 2) bytes of a vector that is extended element by element. */
// @ts-ignore: decorator
@inline
export function rmLow64(op: usize): v128 {
  return i64x2.replace_lane(i64x2.splat(0), 0, rmQ(op));
}

// @ts-ignore: decorator
@inline
export function rmLow32(op: usize): v128 {
  return i32x4.replace_lane(i32x4.splat(0), 0, rmD(op));
}

export function storeAligned(op: usize, value: v128): void {
  if (!opIsMem(op)) {
    setXmm(opRm(op), value);
    return;
  }
  requireAligned(op, 15);
  store128(linearForWrite(op, 16), value);
}

export function storeUnaligned(op: usize, value: v128): void {
  if (opIsMem(op)) store128(linearForWrite(op, 16), value);
  else setXmm(opRm(op), value);
}

export function storeMemory64(op: usize, value: u64): void {
  store64(linearForWrite(op, 8), value);
}

export function storeMemory32(op: usize, value: u32): void {
  store32(linearForWrite(op, 4), value);
}

export function storeMemory16(op: usize, value: u32): void {
  store16(linearForWrite(op, 2), value);
}

export function storeMemory8(op: usize, value: u32): void {
  store8(linearForWrite(op, 1), value);
}

export function loadMemory8(op: usize): u32 {
  return load8(linear(op, 1));
}

export function loadMemory16(op: usize): u32 {
  return load16(linear(op, 2));
}
