// String instructions. With a REP prefix each iteration counts as one retired instruction (a zero count counts one), state
// is committed after every iteration, and the instruction stops in between when the budget ends or an event is pending:
// it then restarts at its own address. Inside a page MOVS, STOS, SCAS and CMPS work on host memory.

import { loadAt, storeAt } from './alu';
import { checkIoPermission } from './io-permission';
import { hostPortIn, hostPortOut } from './env';
import { FLAG_DF, flagsSub, getZero } from './flags';
import {
  BLOCK_RUNNING, BUDGET, EFLAGS_SYSTEM, EVENTS, RIP, SEG_BASE, SEG_READ_END, SEG_WRITE_END,
} from './generated/layout';
import { probeWrite, readPointer, writePointer } from './memory';
import { is64 } from './modes';
import { currentRip, opAddressSize, opRep, opSeg, segmentLinear } from './op';
import { cpu, get32, reg, reg16, reg32, reg64, set32, set64, setReg, setReg16, setReg32, setReg64 } from './state';

export const MOVS: i32 = 0;
export const STOS: i32 = 1;
export const LODS: i32 = 2;
export const SCAS: i32 = 3;
export const CMPS: i32 = 4;
export const INS: i32 = 5;
export const OUTS: i32 = 6;

const RCX: u32 = 1;
const RDX: u32 = 2;
const RSI: u32 = 6;
const RDI: u32 = 7;
const ES: u32 = 0;
const REPNE: u32 = 2;
/** Iterations between looks at pending events outside the page-wise paths. */
const EVENT_INTERVAL: u32 = 64;

/** Set by the main loop while instructions run one at a time: a REP then does one iteration. */
export let oneIteration: bool = false;

export function setOneIteration(value: bool): void {
  oneIteration = value;
}

// @ts-ignore: decorator
@inline
function index(i: u32, size: u32): u64 {
  return size == 3 ? reg64(i) : size == 2 ? <u64>reg32(i) : <u64>reg16(i);
}

// @ts-ignore: decorator
@inline
function setIndex(i: u32, size: u32, value: u64): void {
  if (size == 3) setReg64(i, value);
  else if (size == 2) setReg32(i, <u32>value);
  else setReg16(i, <u32>value);
}

// @ts-ignore: decorator
@inline
function addIndex(i: u32, size: u32, delta: u64): void {
  setIndex(i, size, index(i, size) + delta);
}

// @ts-ignore: decorator
@inline
function stepOf<T>(): u64 {
  return (get32(EFLAGS_SYSTEM) & FLAG_DF) != 0 ? 0 - <u64>sizeof<T>() : <u64>sizeof<T>();
}

/** One iteration. */
export function stringStep<T>(kind: i32, op: usize): void {
  const a = opAddressSize(op);
  const step = stepOf<T>();
  if (kind == MOVS) {
    const value = loadAt<T>(segmentLinear(opSeg(op), index(RSI, a), sizeof<T>(), false));
    storeAt<T>(segmentLinear(ES, index(RDI, a), sizeof<T>(), true), value);
    addIndex(RSI, a, step);
    addIndex(RDI, a, step);
  } else if (kind == STOS) {
    storeAt<T>(segmentLinear(ES, index(RDI, a), sizeof<T>(), true), reg<T>(0));
    addIndex(RDI, a, step);
  } else if (kind == LODS) {
    setReg<T>(0, loadAt<T>(segmentLinear(opSeg(op), index(RSI, a), sizeof<T>(), false)));
    addIndex(RSI, a, step);
  } else if (kind == SCAS) {
    const value = loadAt<T>(segmentLinear(ES, index(RDI, a), sizeof<T>(), false));
    const accumulator = reg<T>(0);
    addIndex(RDI, a, step);
    flagsSub<T>(accumulator, value, <T>(accumulator - value));
  } else if (kind == CMPS) {
    const first = loadAt<T>(segmentLinear(opSeg(op), index(RSI, a), sizeof<T>(), false));
    const second = loadAt<T>(segmentLinear(ES, index(RDI, a), sizeof<T>(), false));
    addIndex(RSI, a, step);
    addIndex(RDI, a, step);
    flagsSub<T>(first, second, <T>(first - second));
  } else if (kind == INS) {
    const port = reg16(RDX);
    checkIoPermission(port, sizeof<T>());
    const address = segmentLinear(ES, index(RDI, a), sizeof<T>(), true);
    // The store must not fault after the port was read.
    probeWrite(address, sizeof<T>());
    storeAt<T>(address, <T>hostPortIn(port, sizeof<T>()));
    addIndex(RDI, a, step);
  } else {
    const port = reg16(RDX);
    checkIoPermission(port, sizeof<T>());
    const value = loadAt<T>(segmentLinear(opSeg(op), index(RSI, a), sizeof<T>(), false));
    addIndex(RSI, a, step);
    hostPortOut(port, sizeof<T>(), <u32>value);
  }
}

/** Linear address of an offset without checks. */
// @ts-ignore: decorator
@inline
function plainLinear(seg: u32, at: u64): u64 {
  const address = load<u64>(cpu + (<usize>seg << 3), SEG_BASE) + at;
  return is64() ? address : address & 0xffffffff;
}

/** Elements from `at` on that lie in the segment's fast range, the page and before the index wraps. */
function reach<T>(seg: u32, at: u64, a: u32, write: bool): u64 {
  const end = write ? load<u64>(cpu + (<usize>seg << 3), SEG_WRITE_END) : load<u64>(cpu + (<usize>seg << 3), SEG_READ_END);
  if (at >= end) return 0;
  let bytes = <u64>0x1000 - (plainLinear(seg, at) & 0xfff);
  if (end - at < bytes) bytes = end - at;
  if (a == 1 && <u64>0x10000 - at < bytes) bytes = <u64>0x10000 - at;
  if (a == 2 && <u64>0x100000000 - at < bytes) bytes = <u64>0x100000000 - at;
  return bytes / sizeof<T>();
}

/** Up to `limit` iterations at once, forwards; 0 when the page-wise path is not possible now. */
function fastChunk<T>(kind: i32, op: usize, limit: u64): u64 {
  const a = opAddressSize(op);
  let n = limit;
  let source: usize = 0;
  let target: usize = 0;
  if (kind == MOVS || kind == CMPS) {
    const seg = opSeg(op);
    const si = index(RSI, a);
    n = min(n, reach<T>(seg, si, a, false));
    if (n == 0) return 0;
    source = readPointer(plainLinear(seg, si));
    if (source == 0) return 0;
  }
  const di = index(RDI, a);
  const write = kind == MOVS || kind == STOS;
  n = min(n, reach<T>(ES, di, a, write));
  if (n == 0) return 0;
  target = write ? writePointer(plainLinear(ES, di)) : readPointer(plainLinear(ES, di));
  if (target == 0) return 0;
  const bytes = <usize>n * sizeof<T>();
  if (kind == MOVS) {
    if (target <= source || target >= source + bytes) {
      memory.copy(target, source, bytes);
    } else {
      // A target that overlaps from above repeats the pattern.
      for (let i: usize = 0; i < bytes; i += sizeof<T>()) store<T>(target + i, load<T>(source + i));
    }
    addIndex(RSI, a, <u64>bytes);
    addIndex(RDI, a, <u64>bytes);
  } else if (kind == STOS) {
    const value = reg<T>(0);
    if (sizeof<T>() == 1 || value == 0) memory.fill(target, <u8>value, bytes);
    else for (let i: usize = 0; i < bytes; i += sizeof<T>()) store<T>(target + i, value);
    addIndex(RDI, a, <u64>bytes);
  } else {
    const whileEqual = opRep(op) != REPNE;
    let first = reg<T>(0);
    let second: T = 0;
    let i: usize = 0;
    while (i < bytes) {
      if (kind == CMPS) first = load<T>(source + i);
      second = load<T>(target + i);
      i += sizeof<T>();
      if ((first == second) != whileEqual) break;
    }
    if (kind == CMPS) addIndex(RSI, a, <u64>i);
    addIndex(RDI, a, <u64>i);
    flagsSub<T>(first, second, <T>(first - second));
    n = <u64>i / sizeof<T>();
  }
  return n;
}

/** The REP forms: always the last op of a block; sets RIP and takes all but one iteration off the budget. */
export function stringRep<T>(kind: i32, op: usize): void {
  const a = opAddressSize(op);
  let count = index(RCX, a);
  if (count == 0) return;
  const start = <i32>get32(BUDGET);
  let allowed = <u64>max<i32>(1, start - <i32>((<u32>op - get32(BLOCK_RUNNING)) >> 5) + 1);
  if (oneIteration) allowed = 1;
  const forwards = (get32(EFLAGS_SYSTEM) & FLAG_DF) == 0;
  const compares = kind == SCAS || kind == CMPS;
  const whileEqual = opRep(op) != REPNE;
  let done: u64 = 0;
  let nextLook = <u64>EVENT_INTERVAL;
  while (true) {
    let n: u64 = 0;
    if (kind <= STOS || compares) {
      if (forwards) n = fastChunk<T>(kind, op, min(count, allowed - done));
    }
    if (n == 0) {
      stringStep<T>(kind, op);
      n = 1;
    }
    count -= n;
    done += n;
    setIndex(RCX, a, count);
    // A fault in the next iteration finds the finished ones counted.
    set32(BUDGET, <u32>(start - <i32>done));
    if (count == 0 || (compares && getZero() != whileEqual)) break;
    const look = kind >= INS || n > 1 || done >= nextLook;
    if (done >= allowed || (look && load<i32>(cpu, EVENTS) != 0)) {
      set64(RIP, currentRip());
      break;
    }
    if (done >= nextLook) nextLook = done + EVENT_INTERVAL;
  }
  // The main loop counts the op itself.
  set32(BUDGET, <u32>(start - <i32>done + 1));
}
