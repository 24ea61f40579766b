// BMI1 and BMI2 in VEX encoding. The decoder puts VEX.vvvv into SUB.

import { readE } from './alu';
import { flagsCarryOverflow } from './flags';
import { OP_IMM, OP_REG, OP_SUB } from './generated/layout';
import { mulHighUnsigned } from './muldiv';
import { opIsMem } from './op';
import { reg, setReg } from './state';

// @ts-ignore: decorator
@inline
function source<T>(op: usize): T {
  return opIsMem(op) ? readE<T>(op, true) : readE<T>(op, false);
}

// @ts-ignore: decorator
@inline
function vvvv<T>(op: usize): T {
  return reg<T>(load<u32>(op, OP_SUB));
}

// @ts-ignore: decorator
@inline
function toReg<T>(op: usize, value: T): void {
  setReg<T>(load<u8>(op, OP_REG), value);
}

// @ts-ignore: decorator
@inline
function toVvvv<T>(op: usize, value: T): void {
  setReg<T>(load<u32>(op, OP_SUB), value);
}

export function andn<T>(op: usize): void {
  const result = <T>(~vvvv<T>(op) & source<T>(op));
  toReg<T>(op, result);
  flagsCarryOverflow<T>(result, 0, 0);
}

export function blsr<T>(op: usize): void {
  const a = source<T>(op);
  const result = <T>((a - 1) & a);
  toVvvv<T>(op, result);
  flagsCarryOverflow<T>(result, <u64>(a == 0), 0);
}

/** ZF of BLSMSK is always 0: the result is never 0. */
export function blsmsk<T>(op: usize): void {
  const a = source<T>(op);
  const result = <T>((a - 1) ^ a);
  toVvvv<T>(op, result);
  flagsCarryOverflow<T>(result, <u64>(a == 0), 0);
}

export function blsi<T>(op: usize): void {
  const a = source<T>(op);
  const result = <T>((0 - a) & a);
  toVvvv<T>(op, result);
  flagsCarryOverflow<T>(result, <u64>(a != 0), 0);
}

export function bzhi<T>(op: usize): void {
  const bits = <u64>sizeof<T>() * 8;
  const index = <u64>vvvv<T>(op) & 0xff;
  const a = source<T>(op);
  const result = index < bits ? <T>(<u64>a & (((<u64>1) << index) - 1)) : a;
  toReg<T>(op, result);
  flagsCarryOverflow<T>(result, <u64>(index >= bits), 0);
}

export function bextr<T>(op: usize): void {
  const control = <u64>vvvv<T>(op);
  const start = control & 0xff;
  const length = (control >> 8) & 0xff;
  const a = <u64>source<T>(op);
  let value = start < 64 ? a >> start : 0;
  if (length < 64) value &= ((<u64>1) << length) - 1;
  toReg<T>(op, <T>value);
  flagsCarryOverflow<T>(<T>value, 0, 0);
}

export function pext<T>(op: usize): void {
  const a = <u64>vvvv<T>(op);
  let mask = <u64>source<T>(op);
  let result: u64 = 0;
  for (let bit: u64 = 0; mask != 0; bit++) {
    const low = mask & (0 - mask);
    if ((a & low) != 0) result |= (<u64>1) << bit;
    mask ^= low;
  }
  toReg<T>(op, <T>result);
}

export function pdep<T>(op: usize): void {
  let a = <u64>vvvv<T>(op);
  let mask = <u64>source<T>(op);
  let result: u64 = 0;
  while (mask != 0) {
    const low = mask & (0 - mask);
    if ((a & 1) != 0) result |= low;
    a >>= 1;
    mask ^= low;
  }
  toReg<T>(op, <T>result);
}

/** High half to REG, low half to vvvv; the same register gets the high half. */
export function mulx<T>(op: usize): void {
  const a = reg<T>(2);
  const b = source<T>(op);
  if (sizeof<T>() == 8) {
    const high = mulHighUnsigned(<u64>a, <u64>b);
    toVvvv<T>(op, <T>(<u64>a * <u64>b));
    toReg<T>(op, <T>high);
  } else {
    const product = <u64>a * <u64>b;
    toVvvv<T>(op, <T>product);
    toReg<T>(op, <T>(product >> 32));
  }
}

export function shlx<T>(op: usize): void {
  const count = <u64>vvvv<T>(op) & (<u64>sizeof<T>() * 8 - 1);
  toReg<T>(op, <T>(<u64>source<T>(op) << count));
}

export function shrx<T>(op: usize): void {
  const count = <u64>vvvv<T>(op) & (<u64>sizeof<T>() * 8 - 1);
  toReg<T>(op, <T>(<u64>source<T>(op) >> count));
}

export function sarx<T>(op: usize): void {
  const count = <u64>vvvv<T>(op) & (<u64>sizeof<T>() * 8 - 1);
  if (sizeof<T>() == 8) toReg<T>(op, <T>(<i64>source<T>(op) >> <i64>count));
  else toReg<T>(op, <T>(<i32>source<T>(op) >> <i32>count));
}

export function rorx<T>(op: usize): void {
  const count = load<u64>(op, OP_IMM) & (<u64>sizeof<T>() * 8 - 1);
  toReg<T>(op, rotr<T>(source<T>(op), <T>count));
}
