// Two-operand arithmetic and logic, INC DEC NEG NOT, TEST, MOV, in every operand form. Type parameter T is the operand
// size; `kind` and `MEM` are constants at every call, so each call folds to one straight handler.

import {
  flagsAdd, flagsDec, flagsInc, flagsLogic, flagsSub, getCarry, signExtend,
} from './flags';
import {
  load16, load32, load64, load8, loadForWrite16, loadForWrite32, loadForWrite64, loadForWrite8, store16, store32, store64, store8,
} from './memory';
import { OP_IMM, OP_REG, OP_RM } from './generated/layout';
import { linear, linearForWrite, offset } from './op';
import { reg, setReg } from './state';

export const ADD: i32 = 0;
export const OR: i32 = 1;
export const ADC: i32 = 2;
export const SBB: i32 = 3;
export const AND: i32 = 4;
export const SUB: i32 = 5;
export const XOR: i32 = 6;
export const CMP: i32 = 7;

// @ts-ignore: decorator
@inline
export function loadAt<T>(address: u64): T {
  if (sizeof<T>() == 1) return <T>load8(address);
  if (sizeof<T>() == 2) return <T>load16(address);
  if (sizeof<T>() == 4) return <T>load32(address);
  return <T>load64(address);
}

// @ts-ignore: decorator
@inline
export function loadAtForWrite<T>(address: u64): T {
  if (sizeof<T>() == 1) return <T>loadForWrite8(address);
  if (sizeof<T>() == 2) return <T>loadForWrite16(address);
  if (sizeof<T>() == 4) return <T>loadForWrite32(address);
  return <T>loadForWrite64(address);
}

// @ts-ignore: decorator
@inline
export function storeAt<T>(address: u64, value: T): void {
  if (sizeof<T>() == 1) store8(address, <u32>value);
  else if (sizeof<T>() == 2) store16(address, <u32>value);
  else if (sizeof<T>() == 4) store32(address, <u32>value);
  else store64(address, <u64>value);
}

/** The r/m operand as a source. */
// @ts-ignore: decorator
@inline
export function readE<T>(op: usize, MEM: bool): T {
  if (MEM) return loadAt<T>(linear(op, sizeof<T>()));
  return reg<T>(load<u8>(op, OP_RM));
}

/** The register operand as a source. */
// @ts-ignore: decorator
@inline
export function readG<T>(op: usize): T {
  return reg<T>(load<u8>(op, OP_REG));
}

// @ts-ignore: decorator
@inline
export function immediate<T>(op: usize): T {
  return load<T>(op, OP_IMM);
}

/** Computes and sets flags. */
// @ts-ignore: decorator
@inline
function compute<T>(kind: i32, a: T, b: T): T {
  if (kind == ADD) {
    const sum = <T>(a + b);
    flagsAdd<T>(a, b, sum);
    return sum;
  }
  if (kind == ADC) {
    const sum = <T>(a + b + <T>getCarry());
    flagsAdd<T>(a, b, sum);
    return sum;
  }
  if (kind == SUB || kind == CMP) {
    const difference = <T>(a - b);
    flagsSub<T>(a, b, difference);
    return difference;
  }
  if (kind == SBB) {
    const difference = <T>(a - b - <T>getCarry());
    flagsSub<T>(a, b, difference);
    return difference;
  }
  const result = kind == AND ? <T>(a & b) : kind == OR ? <T>(a | b) : <T>(a ^ b);
  flagsLogic<T>(result);
  return result;
}

/**
 * E op= b. The store comes before the flags could change only if it cannot fault any more: loadForWrite has checked the
 * page, so computing flags first is safe.
 */
// @ts-ignore: decorator
@inline
function modify<T>(kind: i32, op: usize, b: T, MEM: bool): void {
  if (MEM) {
    if (kind == CMP) {
      compute<T>(CMP, loadAt<T>(linear(op, sizeof<T>())), b);
    } else {
      const address = linearForWrite(op, sizeof<T>());
      storeAt<T>(address, compute<T>(kind, loadAtForWrite<T>(address), b));
    }
  } else {
    const rm = <u32>load<u8>(op, OP_RM);
    const result = compute<T>(kind, reg<T>(rm), b);
    if (kind != CMP) setReg<T>(rm, result);
  }
}

// @ts-ignore: decorator
@inline
export function aluEG<T>(kind: i32, op: usize, MEM: bool): void {
  modify<T>(kind, op, readG<T>(op), MEM);
}

// @ts-ignore: decorator
@inline
export function aluEI<T>(kind: i32, op: usize, MEM: bool): void {
  modify<T>(kind, op, immediate<T>(op), MEM);
}

// @ts-ignore: decorator
@inline
export function aluGE<T>(kind: i32, op: usize, MEM: bool): void {
  const g = <u32>load<u8>(op, OP_REG);
  const b = readE<T>(op, MEM);
  const result = compute<T>(kind, reg<T>(g), b);
  if (kind != CMP) setReg<T>(g, result);
}

// @ts-ignore: decorator
@inline
export function testEG<T>(op: usize, MEM: bool): void {
  flagsLogic<T>(readE<T>(op, MEM) & readG<T>(op));
}

// @ts-ignore: decorator
@inline
export function testEI<T>(op: usize, MEM: bool): void {
  flagsLogic<T>(readE<T>(op, MEM) & immediate<T>(op));
}

// @ts-ignore: decorator
@inline
export function incE<T>(op: usize, MEM: bool): void {
  if (MEM) {
    const address = linearForWrite(op, sizeof<T>());
    const a = loadAtForWrite<T>(address);
    const result = <T>(a + 1);
    storeAt<T>(address, result);
    flagsInc<T>(a, result);
  } else {
    const rm = <u32>load<u8>(op, OP_RM);
    const a = reg<T>(rm);
    const result = <T>(a + 1);
    setReg<T>(rm, result);
    flagsInc<T>(a, result);
  }
}

// @ts-ignore: decorator
@inline
export function decE<T>(op: usize, MEM: bool): void {
  if (MEM) {
    const address = linearForWrite(op, sizeof<T>());
    const a = loadAtForWrite<T>(address);
    const result = <T>(a - 1);
    storeAt<T>(address, result);
    flagsDec<T>(a, result);
  } else {
    const rm = <u32>load<u8>(op, OP_RM);
    const a = reg<T>(rm);
    const result = <T>(a - 1);
    setReg<T>(rm, result);
    flagsDec<T>(a, result);
  }
}

// @ts-ignore: decorator
@inline
export function negE<T>(op: usize, MEM: bool): void {
  if (MEM) {
    const address = linearForWrite(op, sizeof<T>());
    const a = loadAtForWrite<T>(address);
    const result = <T>(0 - a);
    storeAt<T>(address, result);
    flagsSub<T>(<T>0, a, result);
  } else {
    const rm = <u32>load<u8>(op, OP_RM);
    const a = reg<T>(rm);
    const result = <T>(0 - a);
    setReg<T>(rm, result);
    flagsSub<T>(<T>0, a, result);
  }
}

// @ts-ignore: decorator
@inline
export function notE<T>(op: usize, MEM: bool): void {
  if (MEM) {
    const address = linearForWrite(op, sizeof<T>());
    storeAt<T>(address, <T>~loadAtForWrite<T>(address));
  } else {
    const rm = <u32>load<u8>(op, OP_RM);
    setReg<T>(rm, <T>~reg<T>(rm));
  }
}

// @ts-ignore: decorator
@inline
export function movEG<T>(op: usize, MEM: bool): void {
  if (MEM) storeAt<T>(linearForWrite(op, sizeof<T>()), readG<T>(op));
  else setReg<T>(load<u8>(op, OP_RM), readG<T>(op));
}

// @ts-ignore: decorator
@inline
export function movGE<T>(op: usize, MEM: bool): void {
  setReg<T>(load<u8>(op, OP_REG), readE<T>(op, MEM));
}

// @ts-ignore: decorator
@inline
export function movEI<T>(op: usize, MEM: bool): void {
  if (MEM) storeAt<T>(linearForWrite(op, sizeof<T>()), immediate<T>(op));
  else setReg<T>(load<u8>(op, OP_RM), immediate<T>(op));
}

/** MOVZX from S to T. */
// @ts-ignore: decorator
@inline
export function movzx<T, S>(op: usize, MEM: bool): void {
  setReg<T>(load<u8>(op, OP_REG), <T>readE<S>(op, MEM));
}

// @ts-ignore: decorator
@inline
export function movsx<T, S>(op: usize, MEM: bool): void {
  setReg<T>(load<u8>(op, OP_REG), <T>signExtend<S>(readE<S>(op, MEM)));
}

// @ts-ignore: decorator
@inline
export function lea<T>(op: usize): void {
  setReg<T>(load<u8>(op, OP_REG), <T>offset(op));
}
