// Lazy arithmetic flags: CC_RESULT and CC_AUX as described in ../README.md, conditions, and the EFLAGS image.

import { CC_AUX, CC_RESULT, EFLAGS_SYSTEM } from './generated/layout';
import { cpu } from './state';

export const FLAG_CF: u32 = 0x1;
export const FLAG_PF: u32 = 0x4;
export const FLAG_AF: u32 = 0x10;
export const FLAG_ZF: u32 = 0x40;
export const FLAG_SF: u32 = 0x80;
export const FLAG_TF: u32 = 0x100;
export const FLAG_IF: u32 = 0x200;
export const FLAG_DF: u32 = 0x400;
export const FLAG_OF: u32 = 0x800;
export const FLAG_IOPL: u32 = 0x3000;
export const FLAG_NT: u32 = 0x4000;
export const FLAG_RF: u32 = 0x10000;
export const FLAG_VM: u32 = 0x20000;
export const FLAG_AC: u32 = 0x40000;
export const FLAG_VIF: u32 = 0x80000;
export const FLAG_VIP: u32 = 0x100000;
export const FLAG_ID: u32 = 0x200000;
/** CF PF AF ZF SF OF. */
export const FLAGS_ARITHMETIC: u32 = 0x8d5;

const AUX_CF: u64 = 0x8000000000000000;
const AUX_CF_OF: u64 = 0x4000000000000000;
const AUX_CARRIES: u64 = 0xc000000000000000;
const AUX_AF: u64 = 8;
const AUX_INVERT_SF: u64 = 16;

// @ts-ignore: decorator
@inline
export function signExtend<T>(value: T): u64 {
  if (sizeof<T>() == 1) return <u64>(<i64>(<i8>value));
  if (sizeof<T>() == 2) return <u64>(<i64>(<i16>value));
  if (sizeof<T>() == 4) return <u64>(<i64>(<i32>value));
  return <u64>value;
}

// @ts-ignore: decorator
@inline
export function setResult<T>(value: T): void {
  store<u64>(cpu, signExtend<T>(value), CC_RESULT);
}

// @ts-ignore: decorator
@inline
export function setAux(aux: u64): void {
  store<u64>(cpu, aux, CC_AUX);
}

/** Flags of AND, OR, XOR, TEST: CF, OF and AF are 0. */
// @ts-ignore: decorator
@inline
export function flagsLogic<T>(result: T): void {
  setResult<T>(result);
  setAux(0);
}

/** CC_AUX from a carry vector: bit i is the carry (borrow) out of bit i. */
// @ts-ignore: decorator
@inline
function auxOf<T>(carries: T): u64 {
  const wide = <u64>carries;
  return ((wide << (64 - sizeof<T>() * 8)) & AUX_CARRIES) | (wide & AUX_AF);
}

// @ts-ignore: decorator
@inline
export function flagsAdd<T>(a: T, b: T, result: T): void {
  setResult<T>(result);
  setAux(auxOf<T>((a & b) | ((a | b) & ~result)));
}

// @ts-ignore: decorator
@inline
export function flagsSub<T>(a: T, b: T, result: T): void {
  setResult<T>(result);
  setAux(auxOf<T>((~a & b) | ((~a | b) & result)));
}

/** INC and DEC leave CF. */
// @ts-ignore: decorator
@inline
export function flagsInc<T>(a: T, result: T): void {
  flagsKeepCarry<T>((a & ~result), result);
}

// @ts-ignore: decorator
@inline
export function flagsDec<T>(a: T, result: T): void {
  flagsKeepCarry<T>((~a & result), result);
}

// @ts-ignore: decorator
@inline
function flagsKeepCarry<T>(carries: T, result: T): void {
  const carry = load<u64>(cpu, CC_AUX) & AUX_CF;
  const aux = auxOf<T>(carries);
  // OF of the operation in bit 62, then XOR with the old carry.
  const overflow = (aux ^ (aux >> 1)) & AUX_CF_OF;
  setResult<T>(result);
  setAux(carry | (overflow ^ (carry >> 1)) | (aux & AUX_AF));
}

/** Result flags of `result`, given CF and OF; AF is 0. */
// @ts-ignore: decorator
@inline
export function flagsCarryOverflow<T>(result: T, carry: u64, overflow: u64): void {
  setResult<T>(result);
  setAux((carry << 63) | ((carry ^ overflow) << 62));
}

/** Changes CF and OF only. */
export function setCarryOverflow(carry: u64, overflow: u64): void {
  setAux((load<u64>(cpu, CC_AUX) & ~AUX_CARRIES) | (carry << 63) | ((carry ^ overflow) << 62));
}

/** Changes CF only. */
export function setCarry(carry: u64): void {
  setCarryOverflow(carry, getOverflow());
}

// @ts-ignore: decorator
@inline
export function getCarry(): u64 {
  return load<u64>(cpu, CC_AUX) >> 63;
}

// @ts-ignore: decorator
@inline
export function getOverflow(): u64 {
  const aux = load<u64>(cpu, CC_AUX);
  return (aux ^ (aux << 1)) >> 63;
}

// @ts-ignore: decorator
@inline
export function getZero(): bool {
  return load<u64>(cpu, CC_RESULT) == 0;
}

// @ts-ignore: decorator
@inline
export function getSign(): u64 {
  return (load<u64>(cpu, CC_RESULT) ^ (load<u64>(cpu, CC_AUX) << 59)) >> 63;
}

// @ts-ignore: decorator
@inline
export function getParity(): bool {
  const value = <u32>(load<u64>(cpu, CC_RESULT) ^ (load<u64>(cpu, CC_AUX) >> 8)) & 0xff;
  return (popcnt<u32>(value) & 1) == 0;
}

// @ts-ignore: decorator
@inline
export function getAdjust(): bool {
  return (load<u64>(cpu, CC_AUX) & AUX_AF) != 0;
}

/** Condition `cc` (0-15, encoding order); fold with a constant on hot paths. */
// @ts-ignore: decorator
@inline
export function condition(cc: u32): bool {
  if (cc == 0) return getOverflow() != 0;
  if (cc == 1) return getOverflow() == 0;
  if (cc == 2) return <i64>load<u64>(cpu, CC_AUX) < 0;
  if (cc == 3) return <i64>load<u64>(cpu, CC_AUX) >= 0;
  if (cc == 4) return load<u64>(cpu, CC_RESULT) == 0;
  if (cc == 5) return load<u64>(cpu, CC_RESULT) != 0;
  if (cc == 6) return (<i64>load<u64>(cpu, CC_AUX) < 0) | (load<u64>(cpu, CC_RESULT) == 0);
  if (cc == 7) return (<i64>load<u64>(cpu, CC_AUX) >= 0) & (load<u64>(cpu, CC_RESULT) != 0);
  if (cc == 8) return getSign() != 0;
  if (cc == 9) return getSign() == 0;
  if (cc == 10) return getParity();
  if (cc == 11) return !getParity();
  if (cc == 12) return getSign() != getOverflow();
  if (cc == 13) return getSign() == getOverflow();
  if (cc == 14) return (getSign() != getOverflow()) | (load<u64>(cpu, CC_RESULT) == 0);
  return (getSign() == getOverflow()) & (load<u64>(cpu, CC_RESULT) != 0);
}

/** CF PF AF ZF SF OF as in EFLAGS. */
export function arithmeticFlags(): u32 {
  return <u32>getCarry() | (getParity() ? FLAG_PF : 0) | (getAdjust() ? FLAG_AF : 0) | (getZero() ? FLAG_ZF : 0)
    | (<u32>getSign() << 7) | (<u32>getOverflow() << 11);
}

/** Takes CF PF AF ZF SF OF from an EFLAGS image. */
export function setArithmeticFlags(flags: u32): void {
  const zero = (flags & FLAG_ZF) != 0;
  const result: u64 = zero ? 0 : 1;
  const parity = (flags & FLAG_PF) != 0;
  // Low byte 0 has even parity, 1 odd: flip one bit when that is not what is wanted.
  const flip: u64 = parity == zero ? 0 : 0x100;
  const carry = <u64>(flags & FLAG_CF);
  const overflow = <u64>((flags & FLAG_OF) >> 11);
  store<u64>(cpu, result, CC_RESULT);
  setAux((carry << 63) | ((carry ^ overflow) << 62) | flip
    | ((flags & FLAG_AF) != 0 ? AUX_AF : 0) | ((flags & FLAG_SF) != 0 ? AUX_INVERT_SF : 0));
}

/** Changes ZF only. */
export function setZero(zero: bool): void {
  const flags = arithmeticFlags();
  setArithmeticFlags(zero ? flags | FLAG_ZF : flags & ~FLAG_ZF);
}

/** The whole of EFLAGS. */
export function readEflags(): u32 {
  return (load<u32>(cpu, EFLAGS_SYSTEM) & ~FLAGS_ARITHMETIC) | arithmeticFlags() | 2;
}
