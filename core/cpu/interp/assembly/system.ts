// Dispatch of the SYSTEM group: everything that touches modes, privilege, tables, control, debug and model-specific
// registers, and all far control transfers. Rows in core/cpu/isa/opcodes-system.ts.

import { clearInterruptFlag, setEvent, setInterruptFlag, writeEflags } from './eflags';
import { hostRandom32 } from './env';
import { raise, raiseGp0, VECTOR_UD } from './fault';
import { FLAG_AC, FLAG_ZF, FLAGS_ARITHMETIC, setArithmeticFlags, setZero } from './flags';
import { farCall, farJump } from './gates';
import { farReturn, iret } from './far-return';
import {
  ACTIVITY, CPL, CR0, CR4, EVENT_SINGLE_STEP, GDTR_BASE, GDTR_LIMIT, IDTR_BASE, IDTR_LIMIT, MONITOR_ADDRESS, MONITOR_ARMED, MSR_TSC_AUX,
  RIP, SEG_BASE,
} from './generated/layout';
import * as SUB from './generated/subs';
import {
  clearTaskSwitched, loadLocalTable, loadMachineStatus, loadTableRegister, loadTaskRegister, readControl, requireLevel0, writeControl,
} from './control';
import { cpuid, cpuidEax, cpuidEbx, cpuidEcx, cpuidEdx, cpuidShowsKvm } from './cpuid';
import { readDebug, writeDebug } from './debug';
import { ACTIVITY_HALTED, ACTIVITY_MWAIT } from './interrupt';
import { load8, load16, load32, load64, probeWrite, store16, store32, store64 } from './memory';
import { is64, isProtected, isReal, isV86, LDTR, segBase, TR } from './modes';
import { readMsr, timeStamp, writeMsr } from './msr';
import {
  linear, linearForWrite, nextRip, offset, opAddressSize, opImm, opIsMem, opOpcode, opReg, opRep, opRm, opSeg, opSize, opSub, segmentLinear,
} from './op';
import { loadSegment, segSelector } from './segments';
import { cpu, get32, get64, reg16, reg32, reg64, set32, set64, setReg16, setReg32, setReg64 } from './state';
import { swapgs, syscall, sysenter, sysexit, sysret } from './syscall';
import { isCanonical, tlbFlushPage } from './tlb';
import { loadAccessRights, loadSegmentLimit, verified, verifyAccess } from './verify';
import { CR4_FSGSBASE, CR4_PCE, CR4_TSD, CR4_UMIP } from './walk';

const RAX: u32 = 0;
const RCX: u32 = 1;
const RDX: u32 = 2;
const RBX: u32 = 3;
const FS: u32 = 4;

/** Writes a result in operand size (log2 1, 2, 3) to a register. */
function setSized(register: u32, size: u32, value: u64): void {
  if (size == 1) setReg16(register, <u32>value);
  else if (size == 3) setReg64(register, value);
  else setReg32(register, <u32>value);
}

/** 16-bit source operand. */
function source16(op: usize): u32 {
  return opIsMem(op) ? load16(linear(op, 2)) : reg16(opRm(op));
}

/** SLDT, STR, SMSW: 16 bits to memory, operand size to a register. */
function storeSystemRegister(op: usize, value: u64): void {
  if (opIsMem(op)) store16(linearForWrite(op, 2), <u32>value & 0xffff);
  else setSized(opRm(op), opSize(op), value);
}

/** With CR4.UMIP only level 0 may read the descriptor-table registers. */
function requireUmip(): void {
  if (get32(CPL) != 0 && (get64(CR4) & CR4_UMIP) != 0) raiseGp0();
}

/** m16:16, m16:32, m16:64: the selector lies behind the offset. */
function farOperand(op: usize, call: bool): void {
  const size: u32 = 1 << opSize(op);
  const at = linear(op, size + 2);
  const target = size == 2 ? <u64>load16(at) : size == 4 ? <u64>load32(at) : load64(at);
  const selector = load16(at + <u64>size);
  if (call) farCall(selector, target, size, nextRip(op));
  else farJump(selector, target, size, nextRip(op));
}

/** LDS, LES, LSS, LFS, LGS. */
function loadFarPointer(op: usize, seg: u32): void {
  const size: u32 = 1 << opSize(op);
  const at = linear(op, size + 2);
  const value = size == 2 ? <u64>load16(at) : size == 4 ? <u64>load32(at) : load64(at);
  loadSegment(seg, load16(at + <u64>size));
  setSized(opReg(op), opSize(op), value);
}

function storeTable(op: usize, base: u64, limit: u32): void {
  requireUmip();
  const wide = is64();
  const size: u32 = wide ? 10 : 6;
  const at = linearForWrite(op, size);
  // A fault must leave memory as it was.
  probeWrite(at, size);
  if (wide) store64(at + 2, base);
  else store32(at + 2, <u32>base);
  store16(at, limit);
}

function loadTable(op: usize, interrupt: bool): void {
  requireLevel0();
  const wide = is64();
  const at = linear(op, wide ? 10 : 6);
  const limit = load16(at);
  let base = wide ? load64(at + 2) : <u64>load32(at + 2);
  if (!wide && opSize(op) == 1) base &= 0xffffff;
  loadTableRegister(interrupt, base, limit);
}

function invalidatePage(op: usize): void {
  requireLevel0();
  let at = offset(op);
  const seg = opSeg(op);
  if (!is64()) at = (at + segBase(seg)) & 0xffffffff;
  else if (seg >= FS) at += segBase(seg);
  if (is64() && !isCanonical(at)) return;
  tlbFlushPage(at);
}

function monitor(op: usize): void {
  if (get32(CPL) != 0) raise(VECTOR_UD);
  if (reg32(RCX) != 0) raiseGp0();
  const size = opAddressSize(op);
  const at = size == 3 ? reg64(RAX) : size == 2 ? <u64>reg32(RAX) : <u64>reg16(RAX);
  const address = segmentLinear(opSeg(op), at, 1, false);
  load8(address);
  set64(MONITOR_ADDRESS, address);
  set32(MONITOR_ARMED, 1);
}

function mwait(): void {
  if (get32(CPL) != 0) raise(VECTOR_UD);
  if (reg32(RCX) > 1) raiseGp0();
  if (get32(MONITOR_ARMED) == 0) return;
  set32(MONITOR_ARMED, 2);
  set32(ACTIVITY, ACTIVITY_MWAIT);
  setEvent(EVENT_SINGLE_STEP);
}

function readTimeStamp(): void {
  if (get32(CPL) != 0 && (get64(CR4) & CR4_TSD) != 0) raiseGp0();
  const value = timeStamp();
  setReg32(RAX, <u32>value);
  setReg32(RDX, <u32>(value >> 32));
}

function random(op: usize): void {
  // F2 and F3 make other, undefined instructions of it.
  if (opRep(op) != 0) raise(VECTOR_UD);
  const size = opSize(op);
  let value = <u64>hostRandom32();
  if (size == 3) value |= <u64>hostRandom32() << 32;
  setSized(opRm(op), size, value);
  setArithmeticFlags(1);
}

/** RDFSBASE, RDGSBASE, WRFSBASE, WRGSBASE by ModRM.reg. */
function segmentBase(op: usize): void {
  if (!is64() || (get64(CR4) & CR4_FSGSBASE) == 0) raise(VECTOR_UD);
  const kind = opReg(op) & 3;
  const field = SEG_BASE + (kind & 1 ? 5 : 4) * 8;
  const wide = opSize(op) == 3;
  if (kind < 2) {
    if (wide) setReg64(opRm(op), get64(field));
    else setReg32(opRm(op), <u32>get64(field));
    return;
  }
  const value = wide ? reg64(opRm(op)) : <u64>reg32(opRm(op));
  if (!isCanonical(value)) raiseGp0();
  set64(field, value);
}

function adjustRpl(op: usize): void {
  if (!isProtected()) raise(VECTOR_UD);
  const rpl = reg16(opReg(op)) & 3;
  const memory = opIsMem(op);
  const at = memory ? linearForWrite(op, 2) : 0;
  const value = memory ? load16(at) : reg16(opRm(op));
  const lower = (value & 3) < rpl;
  const result = lower ? (value & 0xfffc) | rpl : value;
  if (memory) store16(at, result);
  else if (lower) setReg16(opRm(op), result);
  setZero(lower);
}

function alignmentOverride(op: usize, set: bool): void {
  if (get32(CPL) != 0 || isReal()) raise(VECTOR_UD);
  writeEflags(set ? FLAG_AC : 0, FLAG_AC);
}

function halt(): void {
  requireLevel0();
  set32(ACTIVITY, ACTIVITY_HALTED);
  setEvent(EVENT_SINGLE_STEP);
}

/** Far JMP and CALL with a pointer in the instruction: the selector takes the place of the sub number. */
function farImmediate(op: usize): void {
  const size: u32 = 1 << opSize(op);
  if ((opOpcode(op) & 0xff) == 0x9a) farCall(opSub(op), opImm(op), size, nextRip(op));
  else farJump(opSub(op), opImm(op), size, nextRip(op));
}

export function executeSystem(op: usize): void {
  // Transfers overwrite it; a fault recovers its RIP from the op record.
  set64(RIP, nextRip(op));
  const opcode = opOpcode(op);
  if (opcode == 0x9a || opcode == 0xea) {
    farImmediate(op);
    return;
  }
  switch (opSub(op)) {
    case SUB.SUB_CALL_FAR: farOperand(op, true); break;
    case SUB.SUB_JMP_FAR: farOperand(op, false); break;
    case SUB.SUB_RET_FAR: farReturn(0, 1 << opSize(op)); break;
    case SUB.SUB_RET_FAR_I: farReturn(<u32>opImm(op) & 0xffff, 1 << opSize(op)); break;
    case SUB.SUB_IRET: iret(1 << opSize(op), nextRip(op)); break;
    case SUB.SUB_LES: loadFarPointer(op, 0); break;
    case SUB.SUB_LSS: loadFarPointer(op, 2); break;
    case SUB.SUB_LDS: loadFarPointer(op, 3); break;
    case SUB.SUB_LFS: loadFarPointer(op, 4); break;
    case SUB.SUB_LGS: loadFarPointer(op, 5); break;
    case SUB.SUB_ARPL: adjustRpl(op); break;
    case SUB.SUB_LAR:
      if (loadAccessRights(source16(op))) setSized(opReg(op), opSize(op), <u64>verified);
      break;
    case SUB.SUB_LSL:
      if (loadSegmentLimit(source16(op))) setSized(opReg(op), opSize(op), <u64>verified);
      break;
    case SUB.SUB_VERR: verifyAccess(protectedSource(op), false); break;
    case SUB.SUB_VERW: verifyAccess(protectedSource(op), true); break;
    case SUB.SUB_HLT: halt(); break;
    case SUB.SUB_CLI: clearInterruptFlag(); break;
    case SUB.SUB_STI: setInterruptFlag(); break;
    case SUB.SUB_CLTS: clearTaskSwitched(); break;
    case SUB.SUB_SLDT:
      if (!isProtected()) raise(VECTOR_UD);
      requireUmip();
      storeSystemRegister(op, <u64>segSelector(LDTR));
      break;
    case SUB.SUB_STR:
      if (!isProtected()) raise(VECTOR_UD);
      requireUmip();
      storeSystemRegister(op, <u64>segSelector(TR));
      break;
    case SUB.SUB_LLDT: loadLocalTable(privilegedSource(op)); break;
    case SUB.SUB_LTR: loadTaskRegister(privilegedSource(op)); break;
    case SUB.SUB_SGDT: storeTable(op, get64(GDTR_BASE), get32(GDTR_LIMIT)); break;
    case SUB.SUB_SIDT: storeTable(op, get64(IDTR_BASE), get32(IDTR_LIMIT)); break;
    case SUB.SUB_LGDT: loadTable(op, false); break;
    case SUB.SUB_LIDT: loadTable(op, true); break;
    case SUB.SUB_SMSW:
      requireUmip();
      storeSystemRegister(op, get64(CR0));
      break;
    case SUB.SUB_LMSW:
      requireLevel0();
      loadMachineStatus(source16(op));
      break;
    case SUB.SUB_INVLPG: invalidatePage(op); break;
    case SUB.SUB_MOV_FROM_CR: {
      const value = readControl(opReg(op));
      if (is64()) setReg64(opRm(op), value);
      else setReg32(opRm(op), <u32>value);
      break;
    }
    case SUB.SUB_MOV_TO_CR: writeControl(opReg(op), is64() ? reg64(opRm(op)) : <u64>reg32(opRm(op))); break;
    case SUB.SUB_MOV_FROM_DR: {
      const value = readDebug(opReg(op));
      if (is64()) setReg64(opRm(op), value);
      else setReg32(opRm(op), <u32>value);
      break;
    }
    case SUB.SUB_MOV_TO_DR: writeDebug(opReg(op), is64() ? reg64(opRm(op)) : <u64>reg32(opRm(op))); break;
    case SUB.SUB_RDMSR: {
      requireLevel0();
      const value = readMsr(reg32(RCX));
      setReg32(RAX, <u32>value);
      setReg32(RDX, <u32>(value >> 32));
      break;
    }
    case SUB.SUB_WRMSR:
      requireLevel0();
      writeMsr(reg32(RCX), <u64>reg32(RAX) | (<u64>reg32(RDX) << 32));
      break;
    case SUB.SUB_RDTSC: readTimeStamp(); break;
    case SUB.SUB_RDTSCP:
      readTimeStamp();
      setReg32(RCX, <u32>get64(MSR_TSC_AUX));
      break;
    // No performance counters are offered: every index is out of range.
    case SUB.SUB_RDPMC: raiseGp0(); break;
    case SUB.SUB_RDPID:
      if (is64()) setReg64(opRm(op), get64(MSR_TSC_AUX));
      else setReg32(opRm(op), <u32>get64(MSR_TSC_AUX));
      break;
    case SUB.SUB_CPUID:
      cpuid(reg32(RAX), reg32(RCX));
      setReg32(RAX, cpuidEax);
      setReg32(RBX, cpuidEbx);
      setReg32(RCX, cpuidEcx);
      setReg32(RDX, cpuidEdx);
      break;
    case SUB.SUB_SYSCALL: syscall(nextRip(op)); break;
    case SUB.SUB_SYSRET: sysret(opSize(op) == 3); break;
    case SUB.SUB_SYSENTER: sysenter(); break;
    case SUB.SUB_SYSEXIT: sysexit(opSize(op) == 3); break;
    case SUB.SUB_SWAPGS: swapgs(); break;
    case SUB.SUB_VMCALL: hypercall(); break;
    case SUB.SUB_FSGSBASE: segmentBase(op); break;
    case SUB.SUB_RDRAND: random(op); break;
    case SUB.SUB_MONITOR: monitor(op); break;
    case SUB.SUB_MWAIT: mwait(); break;
    case SUB.SUB_CLAC: alignmentOverride(op, false); break;
    case SUB.SUB_STAC: alignmentOverride(op, true); break;
    // INVD and WBINVD: there is no cache.
    case SUB.SUB_WBINVD: requireLevel0(); break;
    default: raise(VECTOR_UD);
  }
}

/** Of KVM's calls none is offered: they say so, as Linux' Documentation/virt/kvm/x86/hypercalls.rst has it, instead of faulting. */
const KVM_ENOSYS: i64 = -1000;
const KVM_EPERM: i64 = -1;

function hypercall(): void {
  if (!cpuidShowsKvm()) raise(VECTOR_UD);
  const answer = get32(CPL) == 0 ? KVM_ENOSYS : KVM_EPERM;
  if (is64()) setReg64(RAX, <u64>answer);
  else setReg32(RAX, <u32>answer);
}

/** Operand of VERR and VERW: #UD outside protected mode comes before faults of the operand. */
function protectedSource(op: usize): u32 {
  if (!isProtected()) raise(VECTOR_UD);
  return source16(op);
}

function privilegedSource(op: usize): u32 {
  if (!isProtected()) raise(VECTOR_UD);
  requireLevel0();
  return source16(op);
}
