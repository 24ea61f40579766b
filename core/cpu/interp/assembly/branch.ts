// Near branches. A handler that leaves the block returns the op record to go on with, or 0 when run() has to return.
// Direct branches inside a page remember their target: the link lies in the record itself, DISP for the taken side and
// SUB for the fall-through side, as the address of the target block's header.

import { readE } from './alu';
import { continueAt, nextBlock, quickBlock } from './blocks';
import { condition } from './flags';
import { raiseGp0 } from './fault';
import {
  BLOCK_COUNTER, BLOCK_HEADER_BYTES, BLOCK_OPS, BLOCK_RUNNING, BUDGET, CAME_FROM, CODE_MODE, EVENTS, GPR, OP_DISP, OP_END, OP_IMM, OP_SUB, RIP, SEG_LIMIT,
} from './generated/layout';
import { nextRip, opAddressSize } from './op';
import { drop, dropValue, push, top } from './stack';
import { cpu, get32, reg16, reg32, reg64, set32, set64, setReg16, setReg32, setReg64 } from './state';

const RCX: u32 = 1;

/** RIP wrapped to the operand size of the branch. */
// @ts-ignore: decorator
@inline
function wrapTo<T>(rip: u64): u64 {
  if (sizeof<T>() == 2) return rip & 0xffff;
  if (sizeof<T>() == 4) return rip & 0xffffffff;
  return rip;
}

/** #GP(0) of the branch itself for a target outside CS or not canonical. */
// @ts-ignore: decorator
@inline
function checkTarget(target: u64): void {
  if ((get32(CODE_MODE) & 3) == 2) {
    if (<u64>((<i64>target << 16) >> 16) != target) raiseGp0();
  } else if (target > <u64>load<u32>(cpu + 4, SEG_LIMIT)) {
    raiseGp0();
  }
}

/** Instructions to go after `op` of the running block: `op` itself counts unless it is an END record. */
// @ts-ignore: decorator
@inline
function leftAfter(op: usize, uncounted: u32): i32 {
  return <i32>(get32(BUDGET) - ((<u32>op - get32(BLOCK_RUNNING)) >> 5) + uncounted);
}

/** Leaves the running block after `op`. */
// @ts-ignore: decorator
@inline
function settle(op: usize, uncounted: u32): void {
  set32(BUDGET, <u32>leftAfter(op, uncounted));
}

// @ts-ignore: decorator
@inline
function follow(op: usize, slot: usize, target: u64, uncounted: u32): usize {
  const link = <usize>load<u32>(op + slot);
  if (link != 0 && load<i32>(cpu, EVENTS) == 0) {
    const left = leftAfter(op, uncounted);
    const ops = <i32>load<u16>(link, BLOCK_OPS);
    const before = load<i32>(link, BLOCK_COUNTER);
    const count = before + ops;
    // What gets hot (the sign changes) is looked up, so that the JIT hears of it.
    if (left >= ops && (before ^ count) >= 0) {
      store<i32>(link, count, BLOCK_COUNTER);
      set32(BUDGET, <u32>left);
      set32(BLOCK_RUNNING, <u32>link);
      return link + BLOCK_HEADER_BYTES;
    }
  }
  return followSlow(op, slot, target, uncounted);
}

function followSlow(op: usize, slot: usize, target: u64, uncounted: u32): usize {
  // Only branches inside the page are linked.
  if (target - load<u64>(cpu, GPR + 17 * 8) >= 0x1000) {
    const next = quickBlock(target, leftAfter(op, uncounted));
    if (next != 0) return next;
  }
  if (uncounted == 0) checkTarget(target);
  settle(op, uncounted);
  set64(RIP, target);
  return continueAt(op, slot, target);
}

/** Jcc with a constant condition. */
// @ts-ignore: decorator
@inline
export function jcc<T>(cc: u32, op: usize): usize {
  const end = load<u64>(cpu, GPR + 17 * 8) + <u64>load<u16>(op, OP_END);
  if (condition(cc)) return follow(op, OP_DISP, wrapTo<T>(end + load<u64>(op, OP_IMM)), 0);
  return follow(op, OP_SUB, sizeof<T>() == 8 ? end : end & 0xffffffff, 0);
}

// @ts-ignore: decorator
@inline
export function jmp<T>(op: usize): usize {
  return follow(op, OP_DISP, wrapTo<T>(load<u64>(cpu, GPR + 17 * 8) + <u64>load<u16>(op, OP_END) + load<u64>(op, OP_IMM)), 0);
}

/** The record behind a block's last instruction when that is no branch. */
// @ts-ignore: decorator
@inline
export function endOfBlock(op: usize): usize {
  return follow(op, OP_DISP, nextRip(op), 1);
}

/** `op`, the last of the running block, is done. */
export function settleLast(op: usize): void {
  // BLOCK_RUNNING is 0 when the instruction has settled the block itself (task switch).
  if (get32(BLOCK_RUNNING) != 0) settle(op, 0);
  else set32(BUDGET, get32(BUDGET) - 1);
  set32(BLOCK_RUNNING, 0);
}

/** Leaves the block for a RIP that is already stored and checked. */
export function leave(op: usize): usize {
  settleLast(op);
  return nextBlock();
}

function jumpTo(op: usize, target: u64): usize {
  const next = quickBlock(target, leftAfter(op, 0));
  if (next != 0) return next;
  settle(op, 0);
  set32(CAME_FROM, <u32>op);
  set64(RIP, target);
  return nextBlock();
}

// @ts-ignore: decorator
@inline
export function call<T>(op: usize): usize {
  const next = nextRip(op);
  const target = wrapTo<T>(next + load<u64>(op, OP_IMM));
  if (sizeof<T>() != 8) checkTarget(target);
  push<T>(<T>next);
  return follow(op, OP_DISP, target, 0);
}

// @ts-ignore: decorator
@inline
export function ret<T>(op: usize): usize {
  const target = <u64>top<T>();
  checkTarget(target);
  dropValue<T>();
  return jumpTo(op, target);
}

export function retI<T>(op: usize): usize {
  const target = <u64>top<T>();
  checkTarget(target);
  drop(sizeof<T>() + <u64>load<u16>(op, OP_IMM));
  return jumpTo(op, target);
}

// @ts-ignore: decorator
@inline
export function jmpE<T>(op: usize, MEM: bool): usize {
  const target = <u64>readE<T>(op, MEM);
  checkTarget(target);
  return jumpTo(op, target);
}

// @ts-ignore: decorator
@inline
export function callE<T>(op: usize, MEM: bool): usize {
  const target = <u64>readE<T>(op, MEM);
  checkTarget(target);
  push<T>(<T>nextRip(op));
  return jumpTo(op, target);
}

/** LOOPNE, LOOPE, LOOP, JCXZ by `kind` 0 to 3; the counter is as wide as the address size. */
export function loopBranch(op: usize, kind: u32, size: u32): usize {
  const a = opAddressSize(op);
  const count = a == 3 ? reg64(RCX) : a == 2 ? <u64>reg32(RCX) : <u64>reg16(RCX);
  const left = kind == 3 ? count : count - 1;
  let taken: bool;
  if (kind == 3) {
    taken = count == 0;
  } else {
    taken = a == 3 ? left != 0 : a == 2 ? <u32>left != 0 : <u16>left != 0;
    if (kind == 0) taken = taken && !condition(4);
    else if (kind == 1) taken = taken && condition(4);
  }
  const next = nextRip(op);
  let target = next;
  if (taken) {
    target = next + load<u64>(op, OP_IMM);
    if (size == 1) target &= 0xffff;
    else if (size == 2) target &= 0xffffffff;
    checkTarget(target);
  }
  if (kind != 3) {
    if (a == 3) setReg64(RCX, left);
    else if (a == 2) setReg32(RCX, <u32>left);
    else setReg16(RCX, <u32>left);
  }
  return taken ? follow(op, OP_DISP, target, 0) : follow(op, OP_SUB, target, 0);
}
