// Shifts, rotates and double shifts. Flags that the manual leaves undefined (OF for counts above 1, AF) get the value
// that follows from the last single step. `kind`, `source` and `MEM` are constants at every call.

import { flagsCarryOverflow, getCarry, setCarryOverflow, signExtend } from './flags';
import { OP_IMM, OP_REG, OP_RM } from './generated/layout';
import { linearForWrite } from './op';
import { loadAtForWrite, storeAt } from './alu';
import { reg, reg8, setReg } from './state';

export const ROL: i32 = 0;
export const ROR: i32 = 1;
export const RCL: i32 = 2;
export const RCR: i32 = 3;
export const SHL: i32 = 4;
export const SHR: i32 = 5;
export const SAR: i32 = 7;

/** Where the count comes from. */
export const COUNT_IMMEDIATE: i32 = 0;
export const COUNT_ONE: i32 = 1;
export const COUNT_CL: i32 = 2;

// @ts-ignore: decorator
@inline
function bitsOf<T>(): u64 {
  return sizeof<T>() * 8;
}

// @ts-ignore: decorator
@inline
function topBit<T>(value: u64): u64 {
  return (value >> (bitsOf<T>() - 1)) & 1;
}

/** Top bit xor the bit below: OF of right rotates and shifts. */
// @ts-ignore: decorator
@inline
function topTwo<T>(value: u64): u64 {
  return ((value >> (bitsOf<T>() - 1)) ^ (value >> (bitsOf<T>() - 2))) & 1;
}

/** `count` is masked and not 0. */
// @ts-ignore: decorator
@inline
export function shifted<T>(kind: i32, value: T, count: u64): T {
  const a = <u64>value;
  const bits = bitsOf<T>();
  if (kind == SHL) {
    const wide = a << count;
    const carry = sizeof<T>() == 8 ? (a >> (64 - count)) & 1 : (wide >> bits) & 1;
    const result = <T>wide;
    flagsCarryOverflow<T>(result, carry, topBit<T>(wide) ^ carry);
    return result;
  }
  if (kind == SHR) {
    const wide = a >> count;
    const result = <T>wide;
    flagsCarryOverflow<T>(result, (a >> (count - 1)) & 1, topTwo<T>(wide));
    return result;
  }
  if (kind == SAR) {
    const wide = <i64>signExtend<T>(value);
    const result = <T>(wide >> <i64>count);
    flagsCarryOverflow<T>(result, <u64>(wide >> <i64>(count - 1)) & 1, 0);
    return result;
  }
  if (kind == ROL) {
    const turn = count & (bits - 1);
    let wide: u64;
    if (sizeof<T>() == 8) wide = rotl<u64>(a, turn);
    else wide = (a << turn) | (a >> (bits - turn));
    const result = <T>wide;
    const carry = wide & 1;
    setCarryOverflow(carry, topBit<T>(wide) ^ carry);
    return result;
  }
  if (kind == ROR) {
    const turn = count & (bits - 1);
    let wide: u64;
    if (sizeof<T>() == 8) wide = rotr<u64>(a, turn);
    else wide = (a >> turn) | (a << (bits - turn));
    const result = <T>wide;
    setCarryOverflow(topBit<T>(wide), topTwo<T>(wide));
    return result;
  }
  // Through carry.
  const carryIn = getCarry();
  let turn = count;
  if (sizeof<T>() <= 2) {
    turn = count % (bits + 1);
    if (turn == 0) return value;
  }
  if (kind == RCL) {
    let wide = (a << turn) | (carryIn << (turn - 1));
    if (turn > 1) wide |= a >> (bits + 1 - turn);
    const carry = (a >> (bits - turn)) & 1;
    setCarryOverflow(carry, topBit<T>(wide) ^ carry);
    return <T>wide;
  }
  let wide = (a >> turn) | (carryIn << (bits - turn));
  if (turn > 1) wide |= a << (bits + 1 - turn);
  setCarryOverflow((a >> (turn - 1)) & 1, topTwo<T>(wide));
  return <T>wide;
}

// @ts-ignore: decorator
@inline
function countOf<T>(op: usize, source: i32): u64 {
  if (source == COUNT_ONE) return 1;
  const count = source == COUNT_CL ? <u64>reg8(8) : load<u64>(op, OP_IMM);
  return count & (sizeof<T>() == 8 ? 63 : 31);
}

// @ts-ignore: decorator
@inline
export function shiftE<T>(kind: i32, op: usize, MEM: bool, source: i32): void {
  const count = countOf<T>(op, source);
  if (MEM) {
    const address = linearForWrite(op, sizeof<T>());
    const value = loadAtForWrite<T>(address);
    if (source == COUNT_ONE || count != 0) storeAt<T>(address, shifted<T>(kind, value, count));
  } else {
    const rm = <u32>load<u8>(op, OP_RM);
    const value = reg<T>(rm);
    // A zero count leaves the flags; a 32-bit register is still written (upper half cleared).
    if (source == COUNT_ONE || count != 0) setReg<T>(rm, shifted<T>(kind, value, count));
    else setReg<T>(rm, value);
  }
}

/** Cold forms: one copy a size and kind, with the operand form decided at run time. */
export function shiftCold<T>(kind: i32, op: usize, isMem: bool, source: i32): void {
  const count = countOf<T>(op, source);
  let address: u64 = 0;
  let value: T;
  const rm = <u32>load<u8>(op, OP_RM);
  if (isMem) {
    address = linearForWrite(op, sizeof<T>());
    value = loadAtForWrite<T>(address);
  } else {
    value = reg<T>(rm);
  }
  if (count != 0) {
    if (kind == ROL) value = shifted<T>(ROL, value, count);
    else if (kind == ROR) value = shifted<T>(ROR, value, count);
    else if (kind == RCL) value = shifted<T>(RCL, value, count);
    else if (kind == RCR) value = shifted<T>(RCR, value, count);
    else if (kind == SHL) value = shifted<T>(SHL, value, count);
    else if (kind == SHR) value = shifted<T>(SHR, value, count);
    else value = shifted<T>(SAR, value, count);
  }
  if (isMem) {
    if (count != 0) storeAt<T>(address, value);
  } else {
    setReg<T>(rm, value);
  }
}

/** SHLD and SHRD. 16-bit operands with counts above 16 (undefined) shift through dest:src:dest. */
export function doubleShift<T>(op: usize, isMem: bool, left: bool, source: i32): void {
  const count = countOf<T>(op, source);
  const bits = bitsOf<T>();
  const rm = <u32>load<u8>(op, OP_RM);
  const b = <u64>reg<T>(load<u8>(op, OP_REG));
  let address: u64 = 0;
  let a: u64;
  if (isMem) {
    address = linearForWrite(op, sizeof<T>());
    a = <u64>loadAtForWrite<T>(address);
  } else {
    a = <u64>reg<T>(rm);
  }
  if (count == 0) {
    if (!isMem) setReg<T>(rm, <T>a);
    return;
  }
  let wide: u64;
  let carry: u64;
  if (sizeof<T>() == 2) {
    const all = a | (b << 16) | (a << 32);
    wide = left ? (all << count) >> 32 : all >> count;
    carry = left ? (all >> (48 - count)) & 1 : (all >> (count - 1)) & 1;
  } else if (left) {
    wide = (a << count) | (b >> (bits - count));
    carry = (a >> (bits - count)) & 1;
  } else {
    wide = (a >> count) | (b << (bits - count));
    carry = (a >> (count - 1)) & 1;
  }
  const result = <T>wide;
  flagsCarryOverflow<T>(result, carry, left ? topBit<T>(wide) ^ carry : topTwo<T>(wide));
  if (isMem) storeAt<T>(address, result);
  else setReg<T>(rm, result);
}
