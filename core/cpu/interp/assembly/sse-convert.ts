// SSE conversions between singles, doubles, integers and MMX registers. Results that do not fit are the integer
// indefinite (sign bit alone) with IE. Conversions that touch MMX registers switch the x87 to MMX use and take its
// pending exceptions first.

import { beginFloat, endFloat } from './sse-float';
import { load32, load64 } from './memory';
import { linear, opIsMem, opReg, opRm, opSize } from './op';
import { f32ToI32, f32ToI64, i32ToF32, i64ToF32 } from './softfloat32';
import { f32ToF64, f64ToF32, f64ToI32, f64ToI64, i32ToF64, i64ToF64 } from './softfloat64';
import { rmD, rmLow64, rmQ, rmV, setRegV, xmmAt } from './sse-operands';
import { checkPendingX87, enterMmx, mmx, setMmx } from './sse-mmx';
import { reg32, reg64, setReg32, setReg64 } from './state';

// --- Scalar.

// @ts-ignore: decorator
@inline
function integerSource(op: usize): i64 {
  if (opSize(op) == 3) return <i64>(opIsMem(op) ? load64(linear(op, 8)) : reg64(opRm(op)));
  return <i64><i32>(opIsMem(op) ? load32(linear(op, 4)) : reg32(opRm(op)));
}

export function cvtsi2ss(op: usize): void {
  const value = integerSource(op);
  beginFloat();
  const result = i64ToF32(value);
  endFloat();
  store<u32>(xmmAt(opReg(op)), result);
}

export function cvtsi2sd(op: usize): void {
  const value = integerSource(op);
  if (opSize(op) != 3) {
    // 32-bit integers are exact.
    store<f64>(xmmAt(opReg(op)), <f64>value);
    return;
  }
  beginFloat();
  const result = i64ToF64(value);
  endFloat();
  store<u64>(xmmAt(opReg(op)), result);
}

// @ts-ignore: decorator
@inline
export function singleToInteger(op: usize, truncate: bool): void {
  const value = rmD(op);
  beginFloat();
  if (opSize(op) == 3) {
    const result = f32ToI64(value, truncate);
    endFloat();
    setReg64(opReg(op), result);
  } else {
    const result = f32ToI32(value, truncate);
    endFloat();
    setReg32(opReg(op), result);
  }
}

// @ts-ignore: decorator
@inline
export function doubleToInteger(op: usize, truncate: bool): void {
  const value = rmQ(op);
  beginFloat();
  if (opSize(op) == 3) {
    const result = f64ToI64(value, truncate);
    endFloat();
    setReg64(opReg(op), result);
  } else {
    const result = f64ToI32(value, truncate);
    endFloat();
    setReg32(opReg(op), result);
  }
}

export function cvtss2sd(op: usize): void {
  const value = rmD(op);
  beginFloat();
  const result = f32ToF64(value);
  endFloat();
  store<u64>(xmmAt(opReg(op)), result);
}

export function cvtsd2ss(op: usize): void {
  const value = rmQ(op);
  beginFloat();
  const result = f64ToF32(value);
  endFloat();
  store<u32>(xmmAt(opReg(op)), result);
}

// --- Packed.

export function cvtps2pd(op: usize): void {
  const value = rmLow64(op);
  beginFloat();
  const low = f32ToF64(i32x4.extract_lane(value, 0));
  const high = f32ToF64(i32x4.extract_lane(value, 1));
  endFloat();
  setRegV(op, i64x2(low, high));
}

export function cvtpd2ps(op: usize): void {
  const value = rmV(op);
  beginFloat();
  const low = f64ToF32(i64x2.extract_lane(value, 0));
  const high = f64ToF32(i64x2.extract_lane(value, 1));
  endFloat();
  setRegV(op, i32x4(low, high, 0, 0));
}

export function cvtdq2ps(op: usize): void {
  const value = rmV(op);
  beginFloat();
  const r0 = i32ToF32(i32x4.extract_lane(value, 0));
  const r1 = i32ToF32(i32x4.extract_lane(value, 1));
  const r2 = i32ToF32(i32x4.extract_lane(value, 2));
  const r3 = i32ToF32(i32x4.extract_lane(value, 3));
  endFloat();
  setRegV(op, i32x4(r0, r1, r2, r3));
}

export function cvtdq2pd(op: usize): void {
  setRegV(op, f64x2.convert_low_i32x4_s(rmLow64(op)));
}

// @ts-ignore: decorator
@inline
export function singlesToIntegers(op: usize, truncate: bool): void {
  const value = rmV(op);
  beginFloat();
  const r0 = f32ToI32(i32x4.extract_lane(value, 0), truncate);
  const r1 = f32ToI32(i32x4.extract_lane(value, 1), truncate);
  const r2 = f32ToI32(i32x4.extract_lane(value, 2), truncate);
  const r3 = f32ToI32(i32x4.extract_lane(value, 3), truncate);
  endFloat();
  setRegV(op, i32x4(r0, r1, r2, r3));
}

// @ts-ignore: decorator
@inline
export function doublesToIntegers(op: usize, truncate: bool): void {
  const value = rmV(op);
  beginFloat();
  const low = f64ToI32(i64x2.extract_lane(value, 0), truncate);
  const high = f64ToI32(i64x2.extract_lane(value, 1), truncate);
  endFloat();
  setRegV(op, i32x4(low, high, 0, 0));
}

// --- With MMX registers.

/** CVTPI2PS: two integers into the low half; the high half stays. */
export function cvtpi2ps(op: usize): void {
  checkPendingX87();
  const value = opIsMem(op) ? load64(linear(op, 8)) : mmx(opRm(op));
  beginFloat();
  const low = i32ToF32(<i32>value);
  const high = i32ToF32(<i32>(value >> 32));
  enterMmx();
  endFloat();
  store<u64>(xmmAt(opReg(op)), <u64>low | (<u64>high << 32));
}

/** CVTPI2PD touches the x87 only when its operand is a register. */
export function cvtpi2pd(op: usize): void {
  let value: u64;
  if (opIsMem(op)) {
    value = load64(linear(op, 8));
  } else {
    checkPendingX87();
    value = mmx(opRm(op));
    enterMmx();
  }
  setRegV(op, i64x2(i32ToF64(<i32>value), i32ToF64(<i32>(value >> 32))));
}

// @ts-ignore: decorator
@inline
export function singlesToMmx(op: usize, truncate: bool): void {
  checkPendingX87();
  const value = rmQ(op);
  beginFloat();
  const low = f32ToI32(<u32>value, truncate);
  const high = f32ToI32(<u32>(value >> 32), truncate);
  // The switch to MMX use happens even when an unmasked exception stops the instruction.
  enterMmx();
  endFloat();
  setMmx(opReg(op), <u64><u32>low | (<u64>high << 32));
}

// @ts-ignore: decorator
@inline
export function doublesToMmx(op: usize, truncate: bool): void {
  checkPendingX87();
  const value = rmV(op);
  beginFloat();
  const low = f64ToI32(i64x2.extract_lane(value, 0), truncate);
  const high = f64ToI32(i64x2.extract_lane(value, 1), truncate);
  // The switch to MMX use happens even when an unmasked exception stops the instruction.
  enterMmx();
  endFloat();
  setMmx(opReg(op), <u64><u32>low | (<u64>high << 32));
}

export function movq2dq(op: usize): void {
  checkPendingX87();
  const value = mmx(opRm(op));
  enterMmx();
  setRegV(op, i64x2(value, 0));
}

export function movdq2q(op: usize): void {
  checkPendingX87();
  const value = load<u64>(xmmAt(opRm(op)));
  enterMmx();
  setMmx(opReg(op), value);
}
