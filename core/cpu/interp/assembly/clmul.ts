// PCLMULQDQ: carry-less multiplication of two quadwords by integer multiplications of operands whose set bits lie four
// apart, so that sums (at most 16) do not reach the next kept bit.

import { opImm } from './op';
import { regV, rmV, setRegV } from './sse-operands';

const BITS_0: u64 = 0x1111111111111111;
const BITS_1: u64 = 0x2222222222222222;
const BITS_2: u64 = 0x4444444444444444;
const BITS_3: u64 = 0x8888888888888888;

/** Low 64 bits of the carry-less product. */
function lowProduct(a: u64, b: u64): u64 {
  const a0 = a & BITS_0;
  const a1 = a & BITS_1;
  const a2 = a & BITS_2;
  const a3 = a & BITS_3;
  const b0 = b & BITS_0;
  const b1 = b & BITS_1;
  const b2 = b & BITS_2;
  const b3 = b & BITS_3;
  const r0 = (a0 * b0) ^ (a1 * b3) ^ (a2 * b2) ^ (a3 * b1);
  const r1 = (a0 * b1) ^ (a1 * b0) ^ (a2 * b3) ^ (a3 * b2);
  const r2 = (a0 * b2) ^ (a1 * b1) ^ (a2 * b0) ^ (a3 * b3);
  const r3 = (a0 * b3) ^ (a1 * b2) ^ (a2 * b1) ^ (a3 * b0);
  return (r0 & BITS_0) | (r1 & BITS_1) | (r2 & BITS_2) | (r3 & BITS_3);
}

function reversed(x: u64): u64 {
  x = ((x >> 1) & 0x5555555555555555) | ((x & 0x5555555555555555) << 1);
  x = ((x >> 2) & 0x3333333333333333) | ((x & 0x3333333333333333) << 2);
  x = ((x >> 4) & 0x0f0f0f0f0f0f0f0f) | ((x & 0x0f0f0f0f0f0f0f0f) << 4);
  x = ((x >> 8) & 0x00ff00ff00ff00ff) | ((x & 0x00ff00ff00ff00ff) << 8);
  x = ((x >> 16) & 0x0000ffff0000ffff) | ((x & 0x0000ffff0000ffff) << 16);
  return (x >> 32) | (x << 32);
}

export function pclmulqdq(op: usize): void {
  const source = rmV(op);
  const target = regV(op);
  const imm = <u32>opImm(op);
  const a: u64 = imm & 1 ? i64x2.extract_lane(target, 1) : i64x2.extract_lane(target, 0);
  const b: u64 = imm & 0x10 ? i64x2.extract_lane(source, 1) : i64x2.extract_lane(source, 0);
  // The product mirrored is the product of the mirrored factors: its low part is the high part mirrored.
  const high = reversed(lowProduct(reversed(a), reversed(b))) >> 1;
  setRegV(op, i64x2(lowProduct(a, b), high));
}
