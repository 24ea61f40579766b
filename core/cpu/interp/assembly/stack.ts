// Implicit stack accesses: PUSH, POP, PUSHA, POPA, PUSHF, POPF, ENTER, LEAVE, BOUND, segment registers. The stack pointer
// is RSP in 64-bit code, ESP or SP by SS.B otherwise. Nothing changes before the last access that can fault.

import { loadAt, storeAt } from './alu';
import { raise, VECTOR_BR } from './fault';
import { eflagsForPush, popEflags, setShadow, SHADOW_MOV_SS } from './eflags';
import { CODE_MODE, OP_IMM, OP_REG, OP_RM, OP_SUB } from './generated/layout';
import { linear, linearForWrite, opSeg, offset, opSize, segmentLinear } from './op';
import { loadSegment, segSelector } from './segments';
import { get32, reg, reg16, reg32, reg64, setReg, setReg16, setReg32, setReg64 } from './state';
import { probeWrite } from './memory';

const RSP: u32 = 4;
const RBP: u32 = 5;
const SS: u32 = 2;

/** Log2 of the stack pointer's size: 1, 2 or 3. */
// @ts-ignore: decorator
@inline
export function stackSize(): u32 {
  const mode = get32(CODE_MODE);
  return (mode & 3) == 2 ? 3 : (mode & 4) != 0 ? 2 : 1;
}

/** A stack pointer value wrapped to the stack's size. */
// @ts-ignore: decorator
@inline
export function wrapStack(value: u64): u64 {
  const mode = get32(CODE_MODE);
  return (mode & 3) == 2 ? value : (mode & 4) != 0 ? value & 0xffffffff : value & 0xffff;
}

export function setStackPointer(value: u64): void {
  const size = stackSize();
  if (size == 3) setReg64(RSP, value);
  else if (size == 2) setReg32(RSP, <u32>value);
  else setReg16(RSP, <u32>value);
}

function pushOther<T>(value: T): void {
  const at = wrapStack(reg64(RSP) - sizeof<T>());
  storeAt<T>(segmentLinear(SS, at, sizeof<T>(), true), value);
  setStackPointer(at);
}

// @ts-ignore: decorator
@inline
export function push<T>(value: T): void {
  if (sizeof<T>() == 8) {
    const at = reg64(RSP) - 8;
    storeAt<T>(at, value);
    setReg64(RSP, at);
  } else {
    pushOther<T>(value);
  }
}

/** Value `bytes` above the top of the stack; the pointer stays. */
export function peek<T>(bytes: u64): T {
  return loadAt<T>(segmentLinear(SS, wrapStack(reg64(RSP) + bytes), sizeof<T>(), false));
}

// @ts-ignore: decorator
@inline
export function top<T>(): T {
  if (sizeof<T>() == 8) return loadAt<T>(reg64(RSP));
  return peek<T>(0);
}

// @ts-ignore: decorator
@inline
export function drop(bytes: u64): void {
  setStackPointer(wrapStack(reg64(RSP) + bytes));
}

/** After top(): removes the value. */
// @ts-ignore: decorator
@inline
export function dropValue<T>(): void {
  if (sizeof<T>() == 8) setReg64(RSP, reg64(RSP) + 8);
  else drop(sizeof<T>());
}

// @ts-ignore: decorator
@inline
export function pushR<T>(op: usize): void {
  push<T>(reg<T>(load<u8>(op, OP_RM)));
}

// @ts-ignore: decorator
@inline
export function popR<T>(op: usize): void {
  const value = top<T>();
  dropValue<T>();
  setReg<T>(load<u8>(op, OP_RM), value);
}

// @ts-ignore: decorator
@inline
export function pushI<T>(op: usize): void {
  push<T>(load<T>(op, OP_IMM));
}

export function pushE<T>(op: usize, isMem: bool): void {
  push<T>(isMem ? loadAt<T>(linear(op, sizeof<T>())) : reg<T>(load<u8>(op, OP_RM)));
}

/** POP to memory: an address based on RSP uses the value after the pop; RSP moves only when the store has succeeded. */
export function popE<T>(op: usize, isMem: bool): void {
  const value = top<T>();
  const old = reg64(RSP);
  dropValue<T>();
  if (!isMem) {
    setReg<T>(load<u8>(op, OP_RM), value);
    return;
  }
  const at = offset(op);
  const changed = reg64(RSP);
  setReg64(RSP, old);
  storeAt<T>(segmentLinear(opSeg(op), at, sizeof<T>(), true), value);
  setReg64(RSP, changed);
}

/** Pushing a segment register in 32-bit size writes only 16 bits of the slot, in 64-bit size zero-extends. */
export function pushSegment(op: usize): void {
  const selector = segSelector(load<u8>(op, OP_REG));
  const size = opSize(op);
  if (size == 1) {
    push<u16>(<u16>selector);
  } else if (size == 2) {
    const at = wrapStack(reg64(RSP) - 4);
    storeAt<u16>(segmentLinear(SS, at, 4, true), <u16>selector);
    setStackPointer(at);
  } else {
    push<u64>(<u64>selector);
  }
}

export function popSegment(op: usize): void {
  const size = opSize(op);
  const seg = <u32>load<u8>(op, OP_REG);
  // The whole slot must lie within the limit.
  const slot = size == 1 ? <u64>peek<u16>(0) : size == 2 ? <u64>peek<u32>(0) : peek<u64>(0);
  const selector = <u32>slot & 0xffff;
  const at = wrapStack(reg64(RSP) + (<u64>1 << <u64>size));
  // The new SS may change the stack's size: the pointer moves in the old one.
  const before = reg64(RSP);
  const width = stackSize();
  loadSegment(seg, selector);
  if (width == 3) setReg64(RSP, at);
  else if (width == 2) setReg32(RSP, <u32>at);
  else setReg64(RSP, (before & ~(<u64>0xffff)) | at);
  if (seg == SS) setShadow(SHADOW_MOV_SS);
}

export function movSE(op: usize, isMem: bool): void {
  const selector = isMem ? <u32>loadAt<u16>(linear(op, 2)) : reg16(load<u8>(op, OP_RM));
  const seg = <u32>load<u8>(op, OP_REG);
  loadSegment(seg, selector);
  if (seg == SS) setShadow(SHADOW_MOV_SS);
}

export function movES(op: usize, isMem: bool): void {
  const selector = segSelector(load<u8>(op, OP_REG));
  if (isMem) {
    storeAt<u16>(linearForWrite(op, 2), <u16>selector);
    return;
  }
  const rm = <u32>load<u8>(op, OP_RM);
  if (opSize(op) == 1) setReg16(rm, selector);
  else setReg64(rm, <u64>selector);
}

export function pusha(op: usize): void {
  const wide = opSize(op) != 1;
  const step: u64 = wide ? 4 : 2;
  const start = reg64(RSP);
  // All slots are checked before any is written: the instruction restarts as a whole.
  for (let i: u32 = 0; i < 8; i++) {
    probeWrite(segmentLinear(SS, wrapStack(start - step * <u64>(i + 1)), <u32>step, true), <u32>step);
  }
  for (let i: u32 = 0; i < 8; i++) {
    const at = segmentLinear(SS, wrapStack(start - step * <u64>(i + 1)), <u32>step, true);
    if (wide) storeAt<u32>(at, i == RSP ? <u32>start : reg32(i));
    else storeAt<u16>(at, i == RSP ? <u16>start : <u16>reg16(i));
  }
  setStackPointer(wrapStack(start - step * 8));
}

export function popa(op: usize): void {
  const wide = opSize(op) != 1;
  const step: u64 = wide ? 4 : 2;
  for (let i: u32 = 0; i < 8; i++) {
    if (wide) peek<u32>(step * <u64>i);
    else peek<u16>(step * <u64>i);
  }
  for (let i: u32 = 0; i < 8; i++) {
    const r = 7 - i;
    if (r == RSP) continue;
    if (wide) setReg32(r, peek<u32>(step * <u64>i));
    else setReg16(r, <u32>peek<u16>(step * <u64>i));
  }
  drop(step * 8);
}

export function pushf(op: usize): void {
  const size = opSize(op);
  const image = eflagsForPush(1 << size);
  if (size == 1) push<u16>(<u16>image);
  else if (size == 2) push<u32>(image);
  else push<u64>(<u64>image);
}

export function popf(op: usize): void {
  const size = opSize(op);
  const image = size == 1 ? <u32>peek<u16>(0) : size == 2 ? peek<u32>(0) : <u32>peek<u64>(0);
  popEflags(image, 1 << size);
  drop(<u64>1 << <u64>size);
}

function stackValue(size: u32, at: u64): u64 {
  const address = segmentLinear(SS, wrapStack(at), 1 << size, false);
  return size == 1 ? <u64>loadAt<u16>(address) : size == 2 ? <u64>loadAt<u32>(address) : loadAt<u64>(address);
}

function storeStackValue(size: u32, at: u64, value: u64): void {
  const address = segmentLinear(SS, wrapStack(at), 1 << size, true);
  if (size == 1) storeAt<u16>(address, <u16>value);
  else if (size == 2) storeAt<u32>(address, <u32>value);
  else storeAt<u64>(address, value);
}

export function enter(op: usize): void {
  const size = opSize(op);
  const step = <u64>1 << <u64>size;
  const bytes = <u64>load<u16>(op, OP_IMM);
  const level = load<u32>(op, OP_SUB) & 31;
  const start = reg64(RSP);
  const frame = start - step;
  const pushes: u32 = level == 0 ? 1 : level + 1;
  for (let i: u32 = 0; i < pushes; i++) {
    probeWrite(segmentLinear(SS, wrapStack(start - step * <u64>(i + 1)), <u32>step, true), <u32>step);
  }
  for (let i: u32 = 1; i < level; i++) stackValue(size, reg64(RBP) - step * <u64>i);
  const finish = wrapStack(start - step * <u64>pushes - bytes);
  // The new top of the stack must be writable too.
  probeWrite(segmentLinear(SS, finish, <u32>step, true), <u32>step);
  storeStackValue(size, frame, size == 1 ? <u64>reg16(RBP) : size == 2 ? <u64>reg32(RBP) : reg64(RBP));
  for (let i: u32 = 1; i < level; i++) {
    storeStackValue(size, start - step * <u64>(i + 1), stackValue(size, reg64(RBP) - step * <u64>i));
  }
  // On a 16-bit stack the upper half of ESP goes into EBP as it is.
  const base = wrapStack(frame) | (start - wrapStack(start));
  if (level > 0) storeStackValue(size, start - step * <u64>(level + 1), base);
  setStackPointer(finish);
  if (size == 1) setReg16(RBP, <u32>base);
  else if (size == 2) setReg32(RBP, <u32>base);
  else setReg64(RBP, base);
}

export function leaveFrame(op: usize): void {
  const size = opSize(op);
  const value = stackValue(size, reg64(RBP));
  setStackPointer(wrapStack(reg64(RBP) + (<u64>1 << <u64>size)));
  if (size == 1) setReg16(RBP, <u32>value);
  else if (size == 2) setReg32(RBP, <u32>value);
  else setReg64(RBP, value);
}

export function bound(op: usize): void {
  const at = offset(op);
  const seg = opSeg(op);
  let low: i32;
  let high: i32;
  let index: i32;
  if (opSize(op) == 1) {
    const address = segmentLinear(seg, at, 4, false);
    low = <i32>(<i16>loadAt<u16>(address));
    high = <i32>(<i16>loadAt<u16>(segmentLinear(seg, at + 2, 2, false)));
    index = <i32>(<i16>reg16(load<u8>(op, OP_REG)));
  } else {
    const address = segmentLinear(seg, at, 8, false);
    low = <i32>loadAt<u32>(address);
    high = <i32>loadAt<u32>(segmentLinear(seg, at + 4, 4, false));
    index = <i32>reg32(load<u8>(op, OP_REG));
  }
  if (index < low || index > high) raise(VECTOR_BR);
}
