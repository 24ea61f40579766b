// Multiplication, division and the BCD adjustments. 64-bit products and quotients are made of 32-bit halves.

import { flagsCarryOverflow, flagsLogic, arithmeticFlags, getAdjust, getCarry, setArithmeticFlags, signExtend, FLAG_AF, FLAG_CF } from './flags';
import { raise, VECTOR_DE } from './fault';
import { OP_IMM, OP_REG } from './generated/layout';
import { readE } from './alu';
import { opIsMem } from './op';
import { reg, reg16, reg32, reg64, reg8, setReg, setReg16, setReg32, setReg64, setReg8 } from './state';

const AL: u32 = 0;
const AH: u32 = 1;
const RAX: u32 = 0;
const RDX: u32 = 2;

/** Upper half of an unsigned 64 by 64 bit product. */
export function mulHighUnsigned(a: u64, b: u64): u64 {
  const aLow = a & 0xffffffff;
  const aHigh = a >> 32;
  const bLow = b & 0xffffffff;
  const bHigh = b >> 32;
  const low = aLow * bLow;
  const middle = aHigh * bLow + (low >> 32);
  const cross = aLow * bHigh + (middle & 0xffffffff);
  return aHigh * bHigh + (middle >> 32) + (cross >> 32);
}

export function mulHighSigned(a: u64, b: u64): u64 {
  let high = mulHighUnsigned(a, b);
  if (<i64>a < 0) high -= b;
  if (<i64>b < 0) high -= a;
  return high;
}

// @ts-ignore: decorator
@inline
function operand<T>(op: usize): T {
  return opIsMem(op) ? readE<T>(op, true) : readE<T>(op, false);
}

export function mul<T>(op: usize): void {
  const b = operand<T>(op);
  if (sizeof<T>() == 1) {
    const product = reg8(AL) * <u32>b;
    setReg16(RAX, product);
    const carry = <u64>(product >> 8 != 0);
    flagsCarryOverflow<u8>(<u8>product, carry, carry);
  } else if (sizeof<T>() == 8) {
    const a = reg64(RAX);
    const high = mulHighUnsigned(a, <u64>b);
    const low = a * <u64>b;
    setReg64(RAX, low);
    setReg64(RDX, high);
    const carry = <u64>(high != 0);
    flagsCarryOverflow<u64>(low, carry, carry);
  } else {
    const product = <u64>reg<T>(RAX) * <u64>b;
    const high = <T>(product >> (sizeof<T>() * 8));
    setReg<T>(RAX, <T>product);
    setReg<T>(RDX, high);
    const carry = <u64>(high != 0);
    flagsCarryOverflow<T>(<T>product, carry, carry);
  }
}

export function imulE<T>(op: usize): void {
  const b = operand<T>(op);
  if (sizeof<T>() == 1) {
    const product = <i32>(<i8>reg8(AL)) * <i32>(<i8>b);
    setReg16(RAX, <u32>product);
    const carry = <u64>(product != <i32>(<i8>product));
    flagsCarryOverflow<u8>(<u8>product, carry, carry);
  } else if (sizeof<T>() == 8) {
    const a = reg64(RAX);
    const high = mulHighSigned(a, <u64>b);
    const low = a * <u64>b;
    setReg64(RAX, low);
    setReg64(RDX, high);
    const carry = <u64>(high != <u64>(<i64>low >> 63));
    flagsCarryOverflow<u64>(low, carry, carry);
  } else {
    const product = signExtend<T>(reg<T>(RAX)) * signExtend<T>(b);
    setReg<T>(RAX, <T>product);
    setReg<T>(RDX, <T>(product >> (sizeof<T>() * 8)));
    const carry = <u64>(product != signExtend<T>(<T>product));
    flagsCarryOverflow<T>(<T>product, carry, carry);
  }
}

// @ts-ignore: decorator
@inline
function imulTo<T>(op: usize, a: T, b: T): void {
  let carry: u64;
  const product = signExtend<T>(a) * signExtend<T>(b);
  if (sizeof<T>() == 8) carry = <u64>(mulHighSigned(<u64>a, <u64>b) != <u64>(<i64>product >> 63));
  else carry = <u64>(product != signExtend<T>(<T>product));
  setReg<T>(load<u8>(op, OP_REG), <T>product);
  flagsCarryOverflow<T>(<T>product, carry, carry);
}

/** IMUL reg, r/m */
// @ts-ignore: decorator
@inline
export function imulGE<T>(op: usize, MEM: bool): void {
  const b = readE<T>(op, MEM);
  imulTo<T>(op, reg<T>(load<u8>(op, OP_REG)), b);
}

/** IMUL reg, r/m, imm */
// @ts-ignore: decorator
@inline
export function imulGEI<T>(op: usize, MEM: bool): void {
  imulTo<T>(op, readE<T>(op, MEM), <T>load<u64>(op, OP_IMM));
}

let remainder128: u64 = 0;

/** (high:low) / divisor with high < divisor; the remainder goes to remainder128. Schoolbook with 32-bit digits. */
function divide128(high: u64, low: u64, divisor: u64): u64 {
  const shift = clz<u64>(divisor);
  const d = divisor << shift;
  const dHigh = d >> 32;
  const dLow = d & 0xffffffff;
  const n32 = shift == 0 ? high : (high << shift) | (low >> (64 - shift));
  const n10 = low << shift;
  const n1 = n10 >> 32;
  const n0 = n10 & 0xffffffff;
  let q1 = n32 / dHigh;
  let r = n32 - q1 * dHigh;
  while (q1 > 0xffffffff || q1 * dLow > ((r << 32) | n1)) {
    q1--;
    r += dHigh;
    if (r > 0xffffffff) break;
  }
  const n21 = (n32 << 32) + n1 - q1 * d;
  let q0 = n21 / dHigh;
  r = n21 - q0 * dHigh;
  while (q0 > 0xffffffff || q0 * dLow > ((r << 32) | n0)) {
    q0--;
    r += dHigh;
    if (r > 0xffffffff) break;
  }
  remainder128 = ((n21 << 32) + n0 - q0 * d) >> shift;
  return (q1 << 32) + q0;
}

export function div<T>(op: usize): void {
  const b = <u64>operand<T>(op);
  if (b == 0) raise(VECTOR_DE);
  if (sizeof<T>() == 1) {
    const a = reg16(RAX);
    const quotient = a / <u32>b;
    if (quotient > 0xff) raise(VECTOR_DE);
    setReg8(AL, quotient);
    setReg8(AH, a % <u32>b);
  } else if (sizeof<T>() == 2) {
    const a = (reg16(RDX) << 16) | reg16(RAX);
    const quotient = a / <u32>b;
    if (quotient > 0xffff) raise(VECTOR_DE);
    setReg16(RAX, quotient);
    setReg16(RDX, a % <u32>b);
  } else if (sizeof<T>() == 4) {
    const a = (<u64>reg32(RDX) << 32) | <u64>reg32(RAX);
    const quotient = a / b;
    if (quotient > 0xffffffff) raise(VECTOR_DE);
    setReg32(RAX, <u32>quotient);
    setReg32(RDX, <u32>(a % b));
  } else {
    const high = reg64(RDX);
    const low = reg64(RAX);
    if (high >= b) raise(VECTOR_DE);
    if (high == 0) {
      setReg64(RAX, low / b);
      setReg64(RDX, low % b);
    } else {
      setReg64(RAX, divide128(high, low, b));
      setReg64(RDX, remainder128);
    }
  }
}

export function idiv<T>(op: usize): void {
  const b = <i64>signExtend<T>(operand<T>(op));
  if (b == 0) raise(VECTOR_DE);
  if (sizeof<T>() == 8) {
    idiv64(b);
    return;
  }
  let a: i64;
  if (sizeof<T>() == 1) a = <i64>(<i16>reg16(RAX));
  else if (sizeof<T>() == 2) a = <i64>(<i32>((reg16(RDX) << 16) | reg16(RAX)));
  else a = <i64>((<u64>reg32(RDX) << 32) | <u64>reg32(RAX));
  // The only quotient that WebAssembly itself traps on.
  if (b == -1 && a == i64.MIN_VALUE) raise(VECTOR_DE);
  const quotient = a / b;
  if (<u64>quotient != signExtend<T>(<T>quotient)) raise(VECTOR_DE);
  const rest = a % b;
  if (sizeof<T>() == 1) {
    setReg8(AL, <u32>quotient);
    setReg8(AH, <u32>rest);
  } else {
    setReg<T>(RAX, <T>quotient);
    setReg<T>(RDX, <T>rest);
  }
}

function idiv64(b: i64): void {
  let high = reg64(RDX);
  let low = reg64(RAX);
  const negative = <i64>high < 0;
  if (negative) {
    low = 0 - low;
    high = ~high + <u64>(low == 0);
  }
  const divisor = b < 0 ? 0 - <u64>b : <u64>b;
  if (high >= divisor) raise(VECTOR_DE);
  let quotient = divide128(high, low, divisor);
  let rest = remainder128;
  if (negative != b < 0) {
    if (quotient > 0x8000000000000000) raise(VECTOR_DE);
    quotient = 0 - quotient;
  } else if (<i64>quotient < 0) {
    raise(VECTOR_DE);
  }
  if (negative) rest = 0 - rest;
  setReg64(RAX, quotient);
  setReg64(RDX, rest);
}

// --- BCD.

/** Result flags of AL with the given CF and AF. */
function adjusted(al: u32, carry: bool, adjust: bool): void {
  flagsLogic<u8>(<u8>al);
  const flags = arithmeticFlags();
  setArithmeticFlags(flags | (carry ? FLAG_CF : 0) | (adjust ? FLAG_AF : 0));
}

export function daa(): void {
  const old = reg8(AL);
  let al = old;
  let carry = getCarry() != 0;
  const adjust = (old & 15) > 9 || getAdjust();
  if (adjust) al += 6;
  if (old > 0x99 || carry) {
    al += 0x60;
    carry = true;
  }
  setReg8(AL, al);
  adjusted(al, carry, adjust);
}

export function das(): void {
  const old = reg8(AL);
  let al = old;
  const oldCarry = getCarry() != 0;
  let carry = false;
  const adjust = (old & 15) > 9 || getAdjust();
  if (adjust) {
    carry = oldCarry || old < 6;
    al -= 6;
  }
  if (old > 0x99 || oldCarry) {
    al -= 0x60;
    carry = true;
  }
  setReg8(AL, al);
  adjusted(al, carry, adjust);
}

export function aaa(): void {
  const adjust = (reg8(AL) & 15) > 9 || getAdjust();
  if (adjust) setReg16(RAX, reg16(RAX) + 0x106);
  setReg8(AL, reg8(AL) & 15);
  adjusted(reg8(AL), adjust, adjust);
}

export function aas(): void {
  const adjust = (reg8(AL) & 15) > 9 || getAdjust();
  if (adjust) setReg16(RAX, reg16(RAX) - 0x106);
  setReg8(AL, reg8(AL) & 15);
  adjusted(reg8(AL), adjust, adjust);
}

export function aam(op: usize): void {
  const base = <u32>load<u8>(op, OP_IMM);
  if (base == 0) raise(VECTOR_DE);
  const al = reg8(AL);
  setReg8(AH, al / base);
  setReg8(AL, al % base);
  flagsLogic<u8>(<u8>(al % base));
}

export function aad(op: usize): void {
  const al = (reg8(AL) + reg8(AH) * <u32>load<u8>(op, OP_IMM)) & 0xff;
  setReg16(RAX, al);
  flagsLogic<u8>(<u8>al);
}
