// MMX registers: the significands of the physical x87 registers. Every MMX instruction makes TOP 0 and all tags valid
// (EMMS: empty); a register that is written gets ones in sign and exponent.

import { raise } from './fault';
import { CR0, FPU_REG, FPU_TAG, FPU_TOP } from './generated/layout';
import { linear, opIsMem, opReg, opRm } from './op';
import { load32, load64 } from './memory';
import { cpu } from './state';
import { checkPending } from './x87-state';

/** #UD with CR0.EM, #NM with CR0.TS, then a pending x87 exception. */
// @ts-ignore: decorator
@inline
export function enterMmx(): void {
  if ((load<u64>(cpu, CR0) & 0xc) != 0) raise((load<u64>(cpu, CR0) & 4) != 0 ? 6 : 7);
  checkPending();
}

/** Address of an MMX register. */
// @ts-ignore: decorator
@inline
export function mmAt(index: u32): usize {
  return cpu + FPU_REG + (<usize>(index & 7) << 4);
}

// @ts-ignore: decorator
@inline
export function mm(index: u32): u64 {
  return load<u64>(mmAt(index));
}

/** What every MMX instruction does to the x87 state, after its last access that can fault. */
// @ts-ignore: decorator
@inline
export function touch(): void {
  store<u32>(cpu, 0, FPU_TOP);
  store<u32>(cpu, 0, FPU_TAG);
}

// @ts-ignore: decorator
@inline
export function setMm(index: u32, value: u64): void {
  const at = mmAt(index);
  store<u64>(at, value);
  store<u16>(at, 0xffff, 8);
  touch();
}

/** Register or memory operand. */
// @ts-ignore: decorator
@inline
export function rmQ(op: usize): u64 {
  return opIsMem(op) ? load64(linear(op, 8)) : mm(opRm(op));
}

/** Register or 32-bit memory operand: the PUNPCKL group reads no more. */
// @ts-ignore: decorator
@inline
export function rmLow(op: usize): u64 {
  return opIsMem(op) ? <u64>load32(linear(op, 4)) : mm(opRm(op));
}

/** A vector with the 64 bits in its low half. */
// @ts-ignore: decorator
@inline
export function low(value: u64): v128 {
  return i64x2.replace_lane(i64x2.splat(0), 0, <i64>value);
}

// @ts-ignore: decorator
@inline
export function regV(op: usize): v128 {
  return v128.load64_zero(mmAt(opReg(op)));
}

// @ts-ignore: decorator
@inline
export function rmV(op: usize): v128 {
  return opIsMem(op) ? low(load64(linear(op, 8))) : v128.load64_zero(mmAt(opRm(op)));
}

/** Writes the low half of a vector to the register operand. */
// @ts-ignore: decorator
@inline
export function setRegV(op: usize, value: v128): void {
  setMm(opReg(op), <u64>i64x2.extract_lane(value, 0));
}
