// SSE4.2 string compares (PCMPxSTRx) and CRC32. Intel SDM volume 2, section 4.1 "Imm8 control byte operation".

import { load8, load16, load32, load64 } from './memory';
import { linear, opImm, opIsMem, opReg, opRm, opSize } from './op';
import { regV, rmVUnaligned, setXmm } from './sse-operands';
import { CC_AUX, CC_RESULT, SCRATCH } from './generated/layout';
import { cpu, reg16, reg32, reg64, reg8, set64, setReg32, setReg64 } from './state';

/** Length given in EAX or EDX (RAX, RDX with REX.W): its absolute value, at most the element count. */
function explicitLength(op: usize, register: u32, limit: u32): u32 {
  const value = opSize(op) == 3 ? <i64>reg64(register) : <i64><i32>reg32(register);
  const magnitude = value < 0 ? -(<u64>value) : <u64>value;
  return magnitude > <u64>limit ? limit : <u32>magnitude;
}

/** Elements before the first zero. */
function implicitLength(v: v128, words: bool): u32 {
  if (words) return ctz(i16x8.bitmask(i16x8.eq(v, i16x8.splat(0))) | 0x100);
  return ctz(i8x16.bitmask(i8x16.eq(v, i8x16.splat(0))) | 0x10000);
}

// @ts-ignore: decorator
@inline
function element(at: usize, index: u32, words: bool, signed: bool): i32 {
  if (words) {
    const word = load<u16>(at + (<usize>index << 1));
    return signed ? <i32><i16>word : <i32>word;
  }
  const byte = load<u8>(at + <usize>index);
  return signed ? <i32><i8>byte : <i32>byte;
}

/** Bit mask of the elements of b that occur in a. */
function equalAny(a: usize, b: v128, lengthA: u32, words: bool): u32 {
  let found: u32 = 0;
  for (let j: u32 = 0; j < lengthA; j++) {
    if (words) found |= i16x8.bitmask(i16x8.eq(b, i16x8.splat(<i16>element(a, j, true, false))));
    else found |= i8x16.bitmask(i8x16.eq(b, i8x16.splat(<i8>element(a, j, false, false))));
  }
  return found;
}

/** Bit mask of the elements of b inside one of the ranges that pairs of elements of a name. */
function inRanges(a: usize, b: usize, lengthA: u32, count: u32, words: bool, signed: bool): u32 {
  let found: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const value = element(b, i, words, signed);
    for (let j: u32 = 0; j + 1 < lengthA; j += 2) {
      if (value >= element(a, j, words, signed) && value <= element(a, j + 1, words, signed)) {
        found |= 1 << i;
        break;
      }
    }
  }
  return found;
}

/** Bit mask of positions of b where a begins, a prefix of a that reaches the vector's end included. */
function equalOrdered(a: usize, b: usize, lengthA: u32, lengthB: u32, count: u32, words: bool): u32 {
  let found: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    let matches = true;
    for (let j: u32 = 0; j < lengthA && i + j < count; j++) {
      if (i + j >= lengthB || element(a, j, words, false) != element(b, i + j, words, false)) {
        matches = false;
        break;
      }
    }
    if (matches) found |= 1 << i;
  }
  return found;
}

/** IntRes2: the aggregated compare of both strings, after polarity. Sets the flags. */
function aggregate(op: usize, explicit: bool): u32 {
  const second = rmVUnaligned(op);
  const first = regV(op);
  const imm = <u32>opImm(op);
  const words = (imm & 1) != 0;
  const signed = (imm & 2) != 0;
  const count: u32 = words ? 8 : 16;
  const all: u32 = words ? 0xff : 0xffff;
  const lengthA = explicit ? explicitLength(op, 0, count) : implicitLength(first, words);
  const lengthB = explicit ? explicitLength(op, 2, count) : implicitLength(second, words);
  const a = cpu + SCRATCH;
  const b = cpu + SCRATCH + 16;
  v128.store(a, first);
  v128.store(b, second);
  const validA: u32 = (1 << lengthA) - 1;
  const validB: u32 = (1 << lengthB) - 1;
  let result: u32;
  switch ((imm >> 2) & 3) {
    case 0:
      result = equalAny(a, second, lengthA, words) & validB;
      break;
    case 1:
      result = inRanges(a, b, lengthA, lengthB, words, signed);
      break;
    case 2: {
      // Equal each: invalid against invalid counts as equal, valid against invalid as different.
      const equal: u32 = words ? i16x8.bitmask(i16x8.eq(first, second)) : i8x16.bitmask(i8x16.eq(first, second));
      result = ((equal & validA & validB) | ~(validA | validB)) & all;
      break;
    }
    default:
      result = equalOrdered(a, b, lengthA, lengthB, count, words);
  }
  const polarity = (imm >> 4) & 3;
  if (polarity == 1) result ^= all;
  else if (polarity == 3) result ^= validB;
  setStringFlags(result, lengthB < count, lengthA < count);
  return result;
}

/** CF: any bit; ZF, SF: second, first string ended within the vector; OF: bit 0. AF and PF are cleared. */
function setStringFlags(result: u32, zf: bool, sf: bool): void {
  const cf: u64 = result != 0 ? 1 : 0;
  const first: u64 = result & 1;
  // Value 0 has ZF and PF, value 1 neither; the XOR byte makes PF 0, the invert bit makes SF.
  set64(CC_RESULT, zf ? 0 : 1);
  set64(CC_AUX, (cf << 63) | ((cf ^ first) << 62) | (zf ? 0x100 : 0) | (sf ? 0x10 : 0));
}

// @ts-ignore: decorator
@inline
export function stringIndex(op: usize, explicit: bool): void {
  const result = aggregate(op, explicit);
  const imm = <u32>opImm(op);
  const none: u32 = imm & 1 ? 8 : 16;
  const index: u32 = result == 0 ? none : imm & 0x40 ? 31 - clz(result) : ctz(result);
  setReg32(1, index);
}

// @ts-ignore: decorator
@inline
export function stringMask(op: usize, explicit: bool): void {
  const result = aggregate(op, explicit);
  const imm = <u32>opImm(op);
  if ((imm & 0x40) == 0) {
    setXmm(0, i32x4(result, 0, 0, 0));
  } else if (imm & 1) {
    const bit = i16x8(1, 2, 4, 8, 16, 32, 64, 128);
    setXmm(0, i16x8.eq(v128.and(i16x8.splat(<i16>result), bit), bit));
  } else {
    const bit = i8x16(1, 2, 4, 8, 16, 32, 64, -128, 1, 2, 4, 8, 16, 32, 64, -128);
    const bytes = i8x16.shuffle(i16x8.splat(<i16>result), i16x8.splat(<i16>result), 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1);
    setXmm(0, i8x16.eq(v128.and(bytes, bit), bit));
  }
}

// --- CRC32 with the polynomial 11EDC6F41h (Castagnoli), bits reflected.

/** Eight tables of 256 words: table k advances a byte over k further zero bytes. Filled at first use, always alike. */
const crcTables: usize = memory.data(8192, 16);
let crcReady: bool = false;

function fillCrcTables(): void {
  for (let i: u32 = 0; i < 256; i++) {
    let c = i;
    for (let k = 0; k < 8; k++) c = c & 1 ? (c >> 1) ^ 0x82f63b78 : c >> 1;
    store<u32>(crcTables + (<usize>i << 2), c);
  }
  for (let t: usize = 1; t < 8; t++) {
    for (let i: usize = 0; i < 256; i++) {
      const before = load<u32>(crcTables + ((t - 1) << 10) + (i << 2));
      store<u32>(crcTables + (t << 10) + (i << 2), (before >> 8) ^ load<u32>(crcTables + (<usize>(before & 0xff) << 2)));
    }
  }
  crcReady = true;
}

// @ts-ignore: decorator
@inline
function crcTable(table: usize, index: u32): u32 {
  return load<u32>(crcTables + (table << 10) + (<usize>(index & 0xff) << 2));
}

function crcStep32(crc: u32, value: u32): u32 {
  const x = crc ^ value;
  return crcTable(3, x) ^ crcTable(2, x >> 8) ^ crcTable(1, x >> 16) ^ crcTable(0, x >> 24);
}

function crcStep64(crc: u32, value: u64): u32 {
  const x = crc ^ <u32>value;
  const y = <u32>(value >> 32);
  return crcTable(7, x) ^ crcTable(6, x >> 8) ^ crcTable(5, x >> 16) ^ crcTable(4, x >> 24)
    ^ crcTable(3, y) ^ crcTable(2, y >> 8) ^ crcTable(1, y >> 16) ^ crcTable(0, y >> 24);
}

export function crc32Byte(op: usize): void {
  if (!crcReady) fillCrcTables();
  const value = opIsMem(op) ? load8(linear(op, 1)) : reg8(opRm(op));
  const crc = reg32(opReg(op));
  setReg32(opReg(op), (crc >> 8) ^ crcTable(0, crc ^ value));
}

export function crc32Wide(op: usize): void {
  if (!crcReady) fillCrcTables();
  const crc = reg32(opReg(op));
  const size = opSize(op);
  if (size == 3) {
    const value = opIsMem(op) ? load64(linear(op, 8)) : reg64(opRm(op));
    setReg64(opReg(op), crcStep64(crc, value));
  } else if (size == 2) {
    const value = opIsMem(op) ? load32(linear(op, 4)) : reg32(opRm(op));
    setReg32(opReg(op), crcStep32(crc, value));
  } else {
    const value: u32 = opIsMem(op) ? load16(linear(op, 2)) : reg16(opRm(op));
    const x = crc ^ value;
    setReg32(opReg(op), (crc >> 16) ^ crcTable(1, x) ^ crcTable(0, x >> 8));
  }
}
