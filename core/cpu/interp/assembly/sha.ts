// SHA-NI. FIPS 180-4 and Intel SDM volume 2. Lane 3 is the most significant doubleword, as in the manual's diagrams.

import { opImm } from './op';
import { regV, rmV, setRegV, xmm } from './sse-operands';

// @ts-ignore: decorator
@inline
function lane(v: v128, index: u8): u32 {
  if (index == 0) return i32x4.extract_lane(v, 0);
  if (index == 1) return i32x4.extract_lane(v, 1);
  if (index == 2) return i32x4.extract_lane(v, 2);
  return i32x4.extract_lane(v, 3);
}

// @ts-ignore: decorator
@inline
function choose(x: u32, y: u32, z: u32): u32 {
  return (x & y) ^ (~x & z);
}

// @ts-ignore: decorator
@inline
function majority(x: u32, y: u32, z: u32): u32 {
  return (x & y) ^ (x & z) ^ (y & z);
}

export function sha1rnds4(op: usize): void {
  const words = rmV(op);
  const state = regV(op);
  const group = <u32>opImm(op) & 3;
  const k: u32 = group == 0 ? 0x5a827999 : group == 1 ? 0x6ed9eba1 : group == 2 ? 0x8f1bbcdc : 0xca62c1d6;
  let a = lane(state, 3);
  let b = lane(state, 2);
  let c = lane(state, 1);
  let d = lane(state, 0);
  let e: u32 = 0;
  for (let i = 0; i < 4; i++) {
    const f = group == 0 ? choose(b, c, d) : group == 2 ? majority(b, c, d) : b ^ c ^ d;
    // The first word comes with E added already.
    const w = i == 0 ? lane(words, 3) : i == 1 ? lane(words, 2) : i == 2 ? lane(words, 1) : lane(words, 0);
    const next = f + rotl<u32>(a, 5) + w + e + k;
    e = d;
    d = c;
    c = rotl<u32>(b, 30);
    b = a;
    a = next;
  }
  setRegV(op, i32x4(d, c, b, a));
}

export function sha1nexte(op: usize): void {
  const words = rmV(op);
  const sum = lane(words, 3) + rotl<u32>(lane(regV(op), 3), 30);
  setRegV(op, i32x4.replace_lane(words, 3, sum));
}

export function sha1msg1(op: usize): void {
  const next = rmV(op);
  const words = regV(op);
  // Words two places on: the low half of the operand, then the high half of the next.
  setRegV(op, v128.xor(words, i64x2.shuffle(next, words, 1, 2)));
}

export function sha1msg2(op: usize): void {
  const before = rmV(op);
  const words = regV(op);
  const w16 = rotl<u32>(lane(words, 3) ^ lane(before, 2), 1);
  const w17 = rotl<u32>(lane(words, 2) ^ lane(before, 1), 1);
  const w18 = rotl<u32>(lane(words, 1) ^ lane(before, 0), 1);
  const w19 = rotl<u32>(lane(words, 0) ^ w16, 1);
  setRegV(op, i32x4(w19, w18, w17, w16));
}

// @ts-ignore: decorator
@inline
function scheduleSigma0(x: u32): u32 {
  return rotr<u32>(x, 7) ^ rotr<u32>(x, 18) ^ (x >> 3);
}

// @ts-ignore: decorator
@inline
function scheduleSigma1(x: u32): u32 {
  return rotr<u32>(x, 17) ^ rotr<u32>(x, 19) ^ (x >> 10);
}

export function sha256rnds2(op: usize): void {
  const abef = rmV(op);
  const cdgh = regV(op);
  const keyed = xmm(0);
  let a = lane(abef, 3);
  let b = lane(abef, 2);
  let c = lane(cdgh, 3);
  let d = lane(cdgh, 2);
  let e = lane(abef, 1);
  let f = lane(abef, 0);
  let g = lane(cdgh, 1);
  let h = lane(cdgh, 0);
  for (let i = 0; i < 2; i++) {
    const t1 = choose(e, f, g) + (rotr<u32>(e, 6) ^ rotr<u32>(e, 11) ^ rotr<u32>(e, 25)) + (i == 0 ? lane(keyed, 0) : lane(keyed, 1)) + h;
    const t2 = majority(a, b, c) + (rotr<u32>(a, 2) ^ rotr<u32>(a, 13) ^ rotr<u32>(a, 22));
    h = g;
    g = f;
    f = e;
    e = d + t1;
    d = c;
    c = b;
    b = a;
    a = t1 + t2;
  }
  setRegV(op, i32x4(f, e, b, a));
}

export function sha256msg1(op: usize): void {
  const w4 = lane(rmV(op), 0);
  const v = regV(op);
  setRegV(op, i32x4(
    lane(v, 0) + scheduleSigma0(lane(v, 1)),
    lane(v, 1) + scheduleSigma0(lane(v, 2)),
    lane(v, 2) + scheduleSigma0(lane(v, 3)),
    lane(v, 3) + scheduleSigma0(w4),
  ));
}

export function sha256msg2(op: usize): void {
  const before = rmV(op);
  const v = regV(op);
  const w16 = lane(v, 0) + scheduleSigma1(lane(before, 2));
  const w17 = lane(v, 1) + scheduleSigma1(lane(before, 3));
  const w18 = lane(v, 2) + scheduleSigma1(w16);
  const w19 = lane(v, 3) + scheduleSigma1(w17);
  setRegV(op, i32x4(w16, w17, w18, w19));
}
