// AES-NI. FIPS 197 and Intel SDM volume 2. Rounds work on columns with tables that combine the S-box with MixColumns;
// the tables are computed at first use.

import { opImm } from './op';
import { regV, rmV, setRegV } from './sse-operands';

// S-box and inverse S-box (256 bytes each), then words S * (2, 1, 1, 3) and inverse S * (14, 9, 13, 11).
const tables: usize = memory.data(512 + 2048, 16);
const INVERSE: usize = 256;
const ENCRYPT: usize = 512;
const DECRYPT: usize = 1536;
let ready: bool = false;

/** Times x in GF(2^8). */
// @ts-ignore: decorator
@inline
function double(a: u32): u32 {
  return ((a << 1) ^ (a & 0x80 ? 0x11b : 0)) & 0xff;
}

function fillTables(): void {
  // p runs through all powers of 3, q through their inverses.
  let p: u32 = 1;
  let q: u32 = 1;
  do {
    p = p ^ double(p);
    q ^= q << 1;
    q ^= q << 2;
    q ^= q << 4;
    q &= 0xff;
    if (q & 0x80) q ^= 9;
    const wide = q | (q << 8);
    setSbox(p, (q ^ (wide >> 7) ^ (wide >> 6) ^ (wide >> 5) ^ (wide >> 4) ^ 0x63) & 0xff);
  } while (p != 1);
  setSbox(0, 0x63);
  for (let i: usize = 0; i < 256; i++) {
    const s = <u32>load<u8>(tables + i);
    const s2 = double(s);
    store<u32>(tables + ENCRYPT + (i << 2), s2 | (s << 8) | (s << 16) | ((s2 ^ s) << 24));
    const v = <u32>load<u8>(tables + INVERSE + i);
    const v2 = double(v);
    const v4 = double(v2);
    const v8 = double(v4);
    store<u32>(tables + DECRYPT + (i << 2), (v8 ^ v4 ^ v2) | ((v8 ^ v) << 8) | ((v8 ^ v4 ^ v) << 16) | ((v8 ^ v2 ^ v) << 24));
  }
  ready = true;
}

function setSbox(index: u32, value: u32): void {
  store<u8>(tables + <usize>index, value);
  store<u8>(tables + INVERSE + <usize>value, index);
}

// @ts-ignore: decorator
@inline
function box(table: usize, word: u32, row: u32): u32 {
  return load<u8>(tables + table + <usize>((word >> (row << 3)) & 0xff));
}

// @ts-ignore: decorator
@inline
function mixed(table: usize, word: u32, row: u32): u32 {
  return rotl(load<u32>(tables + table + (<usize>((word >> (row << 3)) & 0xff) << 2)), row << 3);
}

/** One column of a full round from the four columns that its rows come from. */
// @ts-ignore: decorator
@inline
function mixedColumn(table: usize, a: u32, b: u32, c: u32, d: u32): u32 {
  return mixed(table, a, 0) ^ mixed(table, b, 1) ^ mixed(table, c, 2) ^ mixed(table, d, 3);
}

// @ts-ignore: decorator
@inline
function boxedColumn(table: usize, a: u32, b: u32, c: u32, d: u32): u32 {
  return box(table, a, 0) | (box(table, b, 1) << 8) | (box(table, c, 2) << 16) | (box(table, d, 3) << 24);
}

// @ts-ignore: decorator
@inline
function round(op: usize, table: usize, inverse: bool, last: bool): void {
  if (!ready) fillTables();
  const key = rmV(op);
  const state = regV(op);
  const c0 = <u32>i32x4.extract_lane(state, 0);
  const c2 = <u32>i32x4.extract_lane(state, 2);
  // ShiftRows takes row r of column j from column j + r, its inverse from j - r.
  const c1 = <u32>(inverse ? i32x4.extract_lane(state, 3) : i32x4.extract_lane(state, 1));
  const c3 = <u32>(inverse ? i32x4.extract_lane(state, 1) : i32x4.extract_lane(state, 3));
  let r0: u32;
  let r1: u32;
  let r2: u32;
  let r3: u32;
  if (last) {
    r0 = boxedColumn(table, c0, c1, c2, c3);
    r1 = boxedColumn(table, c1, c2, c3, c0);
    r2 = boxedColumn(table, c2, c3, c0, c1);
    r3 = boxedColumn(table, c3, c0, c1, c2);
  } else {
    r0 = mixedColumn(table, c0, c1, c2, c3);
    r1 = mixedColumn(table, c1, c2, c3, c0);
    r2 = mixedColumn(table, c2, c3, c0, c1);
    r3 = mixedColumn(table, c3, c0, c1, c2);
  }
  setRegV(op, v128.xor(key, inverse ? i32x4(r0, r3, r2, r1) : i32x4(r0, r1, r2, r3)));
}

export function aesenc(op: usize): void {
  round(op, ENCRYPT, false, false);
}

export function aesenclast(op: usize): void {
  round(op, 0, false, true);
}

export function aesdec(op: usize): void {
  round(op, DECRYPT, true, false);
}

export function aesdeclast(op: usize): void {
  round(op, INVERSE, true, true);
}

/** InvMixColumns of one column: the decryption table undone by the S-box. */
function unmix(column: u32): u32 {
  const boxed = boxedColumn(0, column, column, column, column);
  return mixedColumn(DECRYPT, boxed, boxed, boxed, boxed);
}

export function aesimc(op: usize): void {
  if (!ready) fillTables();
  const v = rmV(op);
  const r0 = unmix(i32x4.extract_lane(v, 0));
  const r1 = unmix(i32x4.extract_lane(v, 1));
  const r2 = unmix(i32x4.extract_lane(v, 2));
  const r3 = unmix(i32x4.extract_lane(v, 3));
  setRegV(op, i32x4(r0, r1, r2, r3));
}

export function aeskeygenassist(op: usize): void {
  if (!ready) fillTables();
  const v = rmV(op);
  const constant = <u32>opImm(op) & 0xff;
  const x1 = <u32>i32x4.extract_lane(v, 1);
  const x3 = <u32>i32x4.extract_lane(v, 3);
  const s1 = boxedColumn(0, x1, x1, x1, x1);
  const s3 = boxedColumn(0, x3, x3, x3, x3);
  setRegV(op, i32x4(s1, rotr(s1, 8) ^ constant, s3, rotr(s3, 8) ^ constant));
}
