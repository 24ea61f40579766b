// What compiled regions (core/cpu/jit) call: addresses of memory operands after a TLB miss, and the lazy flags of a
// region written back as CC_RESULT and CC_AUX. Nothing here has effects on devices or code: when an access is not plain
// RAM the answer is 0, and the region leaves the instruction to the interpreter.

import { settleLast } from './branch';
import { eflagsForPush } from './eflags';
import { flagsAdd, flagsCarryOverflow, flagsDec, flagsInc, flagsLogic, flagsSub, setAux, setCarryOverflow, getOverflow } from './flags';
import {
  BLOCK_RUNNING, BUDGET, CODE_MODE, CURRENT_OP, EFER, PAGE_HOST_MASK, PAGE_RAM, PAGE_READ, PAGE_WRITE, RIP, SCRATCH, TLB_PHYS_PAGE,
} from './generated/layout';
import { mulHighSigned, mulHighUnsigned } from './muldiv';
import { nextRip, opOpcode, opSize, segmentLinear } from './op';
import { codeGranules, markDirty, pageMapEntry } from './physical';
import { popf } from './stack';
import { SAR, SHL, SHR, shifted } from './shift';
import { beginFloat, double, endFloat, single } from './sse-float';
import { cpu, get32, get64, set32, set64 } from './state';
import { executeSystem } from './system';
import { alignmentChecked, currentTable, isCanonical, raiseNonCanonical, refreshWriteTag, translate } from './tlb';
import { ACCESS_READ, ACCESS_WRITE, EFER_LMA } from './walk';
import { dataWatched } from './watch';

/** OP_OPCODE of POPF. */
const POPF: u32 = 0x9d;
const PAGE_MASK: u64 = ~(<u64>0xfff);

// @ts-ignore: decorator
@inline
function running(op: usize, block: usize, budget: i32): void {
  set32(BUDGET, <u32>budget);
  set32(CURRENT_OP, <u32>op);
  set32(BLOCK_RUNNING, <u32>block);
}

/** WebAssembly address of `size` readable bytes, 0 when the interpreter has to execute the instruction. May unwind. */
export function jitRead(linear: u64, size: u32, op: usize, block: usize, budget: i32): usize {
  running(op, block, budget);
  return readAddress(linear, size);
}

/** The same for an offset in a segment, outside 64-bit code. */
export function jitReadSegment(at: u64, segment: u32, size: u32, op: usize, block: usize, budget: i32): usize {
  running(op, block, budget);
  return readAddress(segmentLinear(segment, at, size, false), size);
}

function readAddress(linear: u64, size: u32): usize {
  if (alignmentChecked() || dataWatched) return 0;
  const table = currentTable();
  const within = <u32>linear & 0xfff;
  if (within + size > 0x1000) return crossing(table, linear, size);
  const page = <u64>load<u32>(translate(table, linear, ACCESS_READ), TLB_PHYS_PAGE);
  const map = pageMapEntry(page);
  return (map & PAGE_READ) != 0 ? <usize>((map & PAGE_HOST_MASK) | within) : 0;
}

/** Bytes of two pages, gathered in the scratch area. */
function crossing(table: u32, linear: u64, size: u32): usize {
  let last = linear + <u64>size - 1;
  if ((get32(CODE_MODE) & 3) != 2) last &= 0xffffffff;
  if ((get64(EFER) & EFER_LMA) != 0 && !isCanonical(last)) raiseNonCanonical(last);
  const first = pageMapEntry(<u64>load<u32>(translate(table, linear, ACCESS_READ), TLB_PHYS_PAGE));
  const second = pageMapEntry(<u64>load<u32>(translate(table, last & PAGE_MASK, ACCESS_READ), TLB_PHYS_PAGE));
  if ((first & second & PAGE_READ) == 0) return 0;
  const target = cpu + SCRATCH;
  const here: u32 = 0x1000 - (<u32>linear & 0xfff);
  for (let i: u32 = 0; i < size; i++) {
    const from = i < here ? (first & PAGE_HOST_MASK) | ((<u32>linear & 0xfff) + i) : (second & PAGE_HOST_MASK) | (i - here);
    store<u8>(target + <usize>i, load<u8>(<usize>from));
  }
  return target;
}

/** WebAssembly address of `size` bytes that may be written (or read and written) now, or 0. May unwind. */
export function jitWrite(linear: u64, size: u32, op: usize, block: usize, budget: i32): usize {
  running(op, block, budget);
  return writeAddress(linear, size);
}

export function jitWriteSegment(at: u64, segment: u32, size: u32, op: usize, block: usize, budget: i32): usize {
  running(op, block, budget);
  return writeAddress(segmentLinear(segment, at, size, true), size);
}

function writeAddress(linear: u64, size: u32): usize {
  if (alignmentChecked() || dataWatched) return 0;
  const within = <u32>linear & 0xfff;
  if (within + size > 0x1000) return 0;
  const entry = translate(currentTable(), linear, ACCESS_WRITE);
  const map = pageMapEntry(<u64>load<u32>(entry, TLB_PHYS_PAGE));
  if ((map & PAGE_WRITE) == 0) return 0;
  if ((map & PAGE_RAM) != 0) {
    const first = within >> 6;
    const last = (within + size - 1) >> 6;
    if (((codeGranules(map) >> <u64>first) & ((<u64>2 << <u64>(last - first)) - 1)) != 0) return 0;
    markDirty(map);
    refreshWriteTag(entry, linear, map);
  }
  return <usize>((map & PAGE_HOST_MASK) | within);
}

// --- Instructions of the system.

/**
 * Executes an instruction that ends its block: registers and flags are in the register file, and the block is the running one.
 * Afterwards it is settled, and RIP says where to go on. May unwind.
 */
export function jitSystem(op: usize): void {
  if (opOpcode(op) == POPF) {
    set64(RIP, nextRip(op));
    popf(op);
  } else {
    executeSystem(op);
  }
  settleLast(op);
}

/** What PUSHF stores; the flags are in the register file. */
export function jitPushedFlags(op: usize): u64 {
  return <u64>eflagsForPush(1 << opSize(op));
}

// --- Flags. `kind` is operation * 4 + log2 of the operand size, as in core/cpu/jit/flag-kinds.ts; 0 = already stored.

function flagsOf<T>(operation: u32, a: T, b: T, c: u32): void {
  switch (operation) {
    case 1: flagsAdd<T>(a, b, <T>(a + b)); break;
    case 2: flagsSub<T>(a, b, <T>(a - b)); break;
    case 3: flagsLogic<T>(a); break;
    case 4: {
      setAux(<u64>c << 63);
      flagsInc<T>(<T>(a - 1), a);
      break;
    }
    case 5: {
      setAux(<u64>c << 63);
      flagsDec<T>(<T>(a + 1), a);
      break;
    }
    case 6: shifted<T>(SHL, a, <u64>b); break;
    case 7: shifted<T>(SHR, a, <u64>b); break;
    case 8: shifted<T>(SAR, a, <u64>b); break;
    case 9: flagsAdd<T>(a, b, <T>(a + b + <T>c)); break;
    case 10: flagsSub<T>(a, b, <T>(a - b - <T>c)); break;
    // Signed product of two operands; then low and high half of an unsigned one.
    case 11: {
      const low = <T>(a * b);
      let carry: u64;
      if (sizeof<T>() == 8) carry = <u64>(mulHighSigned(<u64>a, <u64>b) != <u64>(<i64>low >> 63));
      else if (sizeof<T>() == 4) carry = <u64>(<i64>(<i32>a) * <i64>(<i32>b) != <i64>(<i32>low));
      else carry = <u64>(<i32>(<i16>a) * <i32>(<i16>b) != <i32>(<i16>low));
      flagsCarryOverflow<T>(low, carry, carry);
      break;
    }
    default: {
      const carry = <u64>(b != 0);
      flagsCarryOverflow<T>(a, carry, carry);
    }
  }
}

export function jitFlags32(kind: u32, a: u32, b: u32, c: u32): void {
  const size = kind & 3;
  if (size == 2) flagsOf<u32>(kind >> 2, a, b, c);
  else if (size == 0) flagsOf<u8>(kind >> 2, <u8>a, <u8>b, c);
  else flagsOf<u16>(kind >> 2, <u16>a, <u16>b, c);
}

export function jitFlags64(kind: u32, a: u64, b: u64, c: u32): void {
  flagsOf<u64>(kind >> 2, a, b, c);
}

export function jitSetCarryOverflow(carry: u32, overflow: u32): void {
  setCarryOverflow(<u64>carry, <u64>overflow);
}

/**
 * What a later instruction did to some flags, as in core/cpu/jit/flag-kinds.ts: 1 CF is bit 0 of `value`; 2 OF is bit 1, too; then
 * results of rotates.
 */
export function jitOverride(change: u32, value: u64): void {
  switch (change) {
    case 1: setCarryOverflow(value & 1, getOverflow()); break;
    case 2: setCarryOverflow(value & 1, (value >> 1) & 1); break;
    case 3: setCarryOverflow(value & 1, (value ^ (value >> 31)) & 1); break;
    case 4: setCarryOverflow((value >> 31) & 1, ((value >> 31) ^ (value >> 30)) & 1); break;
    case 5: setCarryOverflow(value & 1, (value ^ (value >> 63)) & 1); break;
    default: setCarryOverflow(value >> 63, ((value >> 63) ^ (value >> 62)) & 1);
  }
}

export function jitMulHighUnsigned(a: u64, b: u64): u64 {
  return mulHighUnsigned(a, b);
}

export function jitMulHighSigned(a: u64, b: u64): u64 {
  return mulHighSigned(a, b);
}

// --- Scalar floating point, when the quick look says that more than the result may come out. May unwind (#XM).

export function jitDouble(kind: u32, a: u64, b: u64, op: usize, block: usize, budget: i32): u64 {
  running(op, block, budget);
  beginFloat();
  const result = doubleOf(kind, a, b);
  endFloat();
  return result;
}

function doubleOf(kind: u32, a: u64, b: u64): u64 {
  switch (kind) {
    case 0: return double(0, a, b);
    case 1: return double(1, a, b);
    case 2: return double(2, a, b);
    case 3: return double(3, a, b);
    case 4: return double(4, a, b);
    case 5: return double(5, a, b);
    default: return double(6, a, b);
  }
}

export function jitSingle(kind: u32, a: u32, b: u32, op: usize, block: usize, budget: i32): u32 {
  running(op, block, budget);
  beginFloat();
  const result = singleOf(kind, a, b);
  endFloat();
  return result;
}

function singleOf(kind: u32, a: u32, b: u32): u32 {
  switch (kind) {
    case 0: return single(0, a, b);
    case 1: return single(1, a, b);
    case 2: return single(2, a, b);
    case 3: return single(3, a, b);
    case 4: return single(4, a, b);
    case 5: return single(5, a, b);
    default: return single(6, a, b);
  }
}
