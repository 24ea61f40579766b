// Fast system calls: SYSCALL, SYSRET, SYSENTER, SYSEXIT, SWAPGS. Intel behaviour: SYSCALL and SYSRET only from 64-bit code,
// SYSENTER and SYSEXIT in every protected mode.

import { FLAGS_ALL, STEP_TF, writeEflags } from './eflags';
import { raise, raiseGp0, VECTOR_UD } from './fault';
import { FLAG_IF, FLAG_RF, FLAG_TF, FLAG_VM, readEflags } from './flags';
import {
  CPL, EFER, EFLAGS_SYSTEM, MSR_FMASK, MSR_KERNEL_GS_BASE, MSR_LSTAR, MSR_STAR, MSR_SYSENTER_CS, MSR_SYSENTER_EIP, MSR_SYSENTER_ESP, RIP,
  SEG_BASE, STEP_STATE,
} from './generated/layout';
import { CS, is64, isLong, isReal, setCpl, SS } from './modes';
import { setSegment } from './segments';
import { get32, get64, reg32, reg64, set32, set64, setReg32, setReg64 } from './state';
import { isCanonical } from './tlb';
import { EFER_SCE } from './walk';

const RCX: u32 = 1;
const RDX: u32 = 2;
const RSP: u32 = 4;
const R11: u32 = 11;

/** Accessed, readable code at level 0 with 4 KiB granularity; level, L and D are added. */
const FLAT_CODE: u32 = 0x809b;
/** Accessed, writable data, 32-bit. */
const FLAT_DATA: u32 = 0xc093;
const CODE_64: u32 = 0x2000;
const CODE_32: u32 = 0x4000;

function flatCode(selector: u32, level: u32, size: u32): void {
  setCpl(level);
  setSegment(CS, selector, 0, 0xffffffff, FLAT_CODE | (level << 5) | size);
}

function flatStack(selector: u32, level: u32): void {
  setSegment(SS, selector, 0, 0xffffffff, FLAT_DATA | (level << 5));
}

/** The single-step trap of these instructions depends on TF after them. */
function followTrapFlag(): void {
  const state = get32(STEP_STATE) & ~STEP_TF;
  set32(STEP_STATE, (get32(EFLAGS_SYSTEM) & FLAG_TF) != 0 ? state | STEP_TF : state);
}

export function syscall(next: u64): void {
  if (!is64() || (get64(EFER) & EFER_SCE) == 0) raise(VECTOR_UD);
  const star = <u32>(get64(MSR_STAR) >> 32) & 0xffff;
  setReg64(RCX, next);
  setReg64(R11, <u64>(readEflags() & ~FLAG_RF));
  writeEflags(0, <u32>get64(MSR_FMASK) | FLAG_RF);
  flatCode(star & 0xfffc, 0, CODE_64);
  flatStack((star + 8) & 0xffff, 0);
  set64(RIP, get64(MSR_LSTAR));
  followTrapFlag();
}

/** @param wide operand size 64: back to 64-bit code, else to compatibility mode */
export function sysret(wide: bool): void {
  if (!is64() || (get64(EFER) & EFER_SCE) == 0) raise(VECTOR_UD);
  if (get32(CPL) != 0) raiseGp0();
  const star = <u32>(get64(MSR_STAR) >> 48) & 0xffff;
  const target = wide ? reg64(RCX) : <u64>reg32(RCX);
  if (wide && !isCanonical(target)) raiseGp0();
  writeEflags(reg32(R11), FLAGS_ALL & ~(FLAG_VM | FLAG_RF));
  writeEflags(0, FLAG_RF);
  if (wide) flatCode((star + 16) | 3, 3, CODE_64);
  else flatCode(star | 3, 3, CODE_32);
  flatStack((star + 8) | 3, 3);
  set64(RIP, target);
  followTrapFlag();
}

export function sysenter(): void {
  const selector = <u32>get64(MSR_SYSENTER_CS) & 0xfffc;
  if (isReal() || selector == 0) raiseGp0();
  const long = isLong();
  writeEflags(0, FLAG_VM | FLAG_IF | FLAG_RF);
  flatCode(selector, 0, long ? CODE_64 : CODE_32);
  flatStack(selector + 8, 0);
  if (long) setReg64(RSP, get64(MSR_SYSENTER_ESP));
  else setReg32(RSP, <u32>get64(MSR_SYSENTER_ESP));
  set64(RIP, long ? get64(MSR_SYSENTER_EIP) : get64(MSR_SYSENTER_EIP) & 0xffffffff);
}

export function sysexit(wide: bool): void {
  const selector = <u32>get64(MSR_SYSENTER_CS) & 0xfffc;
  if (isReal() || selector == 0 || get32(CPL) != 0) raiseGp0();
  const target = wide ? reg64(RDX) : <u64>reg32(RDX);
  const stack = wide ? reg64(RCX) : <u64>reg32(RCX);
  if (wide && (!isCanonical(target) || !isCanonical(stack))) raiseGp0();
  if (wide) {
    flatCode((selector + 32) | 3, 3, CODE_64);
    flatStack((selector + 40) | 3, 3);
  } else {
    flatCode((selector + 16) | 3, 3, CODE_32);
    flatStack((selector + 24) | 3, 3);
  }
  setReg64(RSP, stack);
  set64(RIP, target);
}

export function swapgs(): void {
  if (!is64()) raise(VECTOR_UD);
  if (get32(CPL) != 0) raiseGp0();
  const base = get64(SEG_BASE + 5 * 8);
  set64(SEG_BASE + 5 * 8, get64(MSR_KERNEL_GS_BASE));
  set64(MSR_KERNEL_GS_BASE, base);
}
