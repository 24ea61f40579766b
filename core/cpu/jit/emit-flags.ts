// Flags of a region: setting the locals that stand for them, testing conditions on those operands, storing them.

import { baseOf, DYNAMIC, FLAG_OP, type FlagOp, kindOf, mustStoreBefore, operationOf, OVERRIDE, type Override, overrideOf, sizeOf, STORED } from './flag-kinds.ts';
import type { RegionCode } from './region-code.ts';
import { W } from './wasm-encoder.ts';

const CC = { O: 0, B: 1, E: 2, BE: 3, S: 4, P: 5, L: 6, LE: 7 } as const;
const CARRY = 2;
const { ADD, SUB, LOGIC, INC, DEC, SHL, SHR, SAR, ADC, SBB } = FLAG_OP;

const supported: Readonly<Record<number, readonly number[]>> = {
  [ADD]: [CC.B, CC.E, CC.BE, CC.S, CC.L, CC.LE],
  [SUB]: [CC.B, CC.E, CC.BE, CC.S, CC.L, CC.LE],
  [LOGIC]: [CC.O, CC.B, CC.E, CC.BE, CC.S, CC.L, CC.LE],
  [INC]: [CC.O, CC.B, CC.E, CC.S, CC.L, CC.LE],
  [DEC]: [CC.O, CC.B, CC.E, CC.S, CC.L, CC.LE],
  [SHL]: [CC.E, CC.S],
  [SHR]: [CC.E, CC.S],
  [SAR]: [CC.E, CC.S],
  [ADC]: [CC.B],
  [SBB]: [CC.B],
};

/** What the flags are after condition `cc` was looked at: kinds that cannot tell are stored first. */
export function kindAfterRead(kind: number, cc: number): number {
  return readable(kind, cc >> 1) ? kind : STORED;
}

function readable(kind: number, test: number): boolean {
  const override = overrideOf(kind);
  if (override === 0) return kind === STORED || supported[operationOf(kind)]?.includes(test) === true;
  if (test === CC.B) return true;
  if (test === CC.O) return override !== OVERRIDE.CARRY;
  if (test === CC.BE) return readable(baseOf(kind), CC.E);
  return (test === CC.E || test === CC.S || test === CC.P) && readable(baseOf(kind), test);
}

/** Before an instruction that changes CF (and OF) alone, when it matters. */
export function beforeOverride(c: RegionCode, override: Override): void {
  if (mustStoreBefore(c.flags, override)) storeFlags(c);
}

// --- Operands.

export function getA(c: RegionCode, size: number): void {
  c.get(size === 3 ? c.local.flagA64 : c.local.flagA);
}

export function getB(c: RegionCode, size: number): void {
  c.get(size === 3 ? c.local.flagB64 : c.local.flagB);
}

export function setA(c: RegionCode, size: number): void {
  c.set(size === 3 ? c.local.flagA64 : c.local.flagA);
}

export function setB(c: RegionCode, size: number): void {
  c.set(size === 3 ? c.local.flagB64 : c.local.flagB);
}

const NARROW = {
  add: W.i32_add, sub: W.i32_sub, mul: W.i32_mul, and: W.i32_and, or: W.i32_or, xor: W.i32_xor, shl: W.i32_shl, shrU: W.i32_shr_u, shrS: W.i32_shr_s,
  rotl: W.i32_rotl, rotr: W.i32_rotr, eqz: W.i32_eqz, eq: W.i32_eq, ltU: W.i32_lt_u, leU: W.i32_le_u, ltS: W.i32_lt_s, leS: W.i32_le_s,
  clz: W.i32_clz, ctz: W.i32_ctz,
} as const;
const WIDE = {
  add: W.i64_add, sub: W.i64_sub, mul: W.i64_mul, and: W.i64_and, or: W.i64_or, xor: W.i64_xor, shl: W.i64_shl, shrU: W.i64_shr_u, shrS: W.i64_shr_s,
  rotl: W.i64_rotl, rotr: W.i64_rotr, eqz: W.i64_eqz, eq: W.i64_eq, ltU: W.i64_lt_u, leU: W.i64_le_u, ltS: W.i64_lt_s, leS: W.i64_le_s,
  clz: W.i64_clz, ctz: W.i64_ctz,
} as const;

type Opcodes = { readonly [name in keyof typeof NARROW]: number };

/** Opcodes for operands of `size`. */
export function ops(size: number): Opcodes {
  return size === 3 ? WIDE : NARROW;
}

/** A constant for operands of `size`. */
export function constant(c: RegionCode, value: number, size: number): void {
  if (size === 3) c.i64(value);
  else c.i32(value);
}

/** Cuts the i32 on the stack to 8 or 16 bits. */
export function mask(c: RegionCode, size: number): void {
  if (size >= 2) return;
  c.i32(size === 0 ? 0xff : 0xffff);
  c.op(W.i32_and);
}

/** Sign-extends the value on the stack within its i32. */
export function signExtend(c: RegionCode, size: number): void {
  if (size === 0) c.op(W.i32_extend8_s);
  else if (size === 1) c.op(W.i32_extend16_s);
}

/** Pushes the result that the flags describe; bits above 8 or 16 are rubbish unless `clean`. */
function pushResult(c: RegionCode, kind: number): void {
  const size = sizeOf(kind);
  const o = ops(size);
  const operation = operationOf(kind) as FlagOp;
  getA(c, size);
  if (operation === LOGIC || operation === INC || operation === DEC) return;
  if (operation === SAR) signExtend(c, size);
  getB(c, size);
  c.op(operation === ADD ? o.add : operation === SUB ? o.sub : operation === SHL ? o.shl : operation === SHR ? o.shrU : o.shrS);
}

function pushSignedPair(c: RegionCode, size: number): void {
  getA(c, size);
  signExtend(c, size);
  getB(c, size);
  signExtend(c, size);
}

function isNegative(c: RegionCode, size: number): void {
  signExtend(c, size);
  constant(c, 0, size);
  c.op(ops(size).ltS);
}

/** Carry of a + b: the result is below an operand. */
function addCarry(c: RegionCode, size: number): void {
  pushResult(c, kindOf(ADD, size));
  mask(c, size);
  getA(c, size);
  c.op(ops(size).ltU);
}

/** L and LE after ADD: the exact sum is below (at most) 0. SF is that of the sum where OF is clear, else the other one. */
function sumCompared(c: RegionCode, size: number, test: number): void {
  if (size < 3) {
    getA(c, size);
    signExtend(c, size);
    c.op(W.i64_extend_i32_s);
    getB(c, size);
    signExtend(c, size);
    c.op(W.i64_extend_i32_s, W.i64_add);
    c.i64(0);
    c.op(test === CC.L ? W.i64_lt_s : W.i64_le_s);
    return;
  }
  // a + b < 0 without overflow of the sum: a < -b = ~b + 1, so a <= ~b; a + b <= 0 is the same or a sum of 0 without overflow.
  const { local } = c;
  c.get(local.flagA64);
  c.get(local.flagB64);
  c.i64(-1);
  c.op(W.i64_xor, W.i64_le_s);
  if (test === CC.L) return;
  c.get(local.flagA64);
  c.get(local.flagB64);
  c.op(W.i64_add, W.i64_eqz, W.i32_or);
}

/** O, L and LE after INC or DEC: compares what was there before with 0 and 1, or looks for the one result that overflows. */
function steppedCompared(c: RegionCode, operation: number, size: number, test: number): void {
  const o = ops(size);
  const step = operation === INC ? 1 : -1;
  getA(c, size);
  constant(c, -step, size);
  c.op(o.add);
  signExtend(c, size);
  if (test === CC.O) {
    // The largest number before INC, the smallest before DEC.
    if (size === 3) c.w.i64(step > 0 ? -1 : 0, step > 0 ? 0x7fff_ffff : -0x8000_0000);
    else c.i32(step > 0 ? 2 ** ((8 << size) - 1) - 1 : -(2 ** ((8 << size) - 1)));
    c.op(o.eq);
    return;
  }
  constant(c, -step, size);
  c.op(test === CC.L ? o.ltS : o.leS);
}

function carryIn(c: RegionCode): void {
  c.get(c.local.flagC);
}

/** Carry of ADC and borrow of SBB. */
function longCarry(c: RegionCode, operation: number, size: number): void {
  if (size < 3) {
    getA(c, size);
    c.op(W.i64_extend_i32_u);
    getB(c, size);
    c.op(W.i64_extend_i32_u);
    carryIn(c);
    c.op(W.i64_extend_i32_u, W.i64_add);
    if (operation === ADC) {
      c.op(W.i64_add);
      c.i64(8 << size);
      c.op(W.i64_shr_u, W.i32_wrap_i64);
    } else {
      c.op(W.i64_lt_u);
    }
    return;
  }
  // With a carry in, equality carries too: a + b + 1 <= a, a <= b.
  const { local } = c;
  if (operation === ADC) {
    c.get(local.flagA64);
    c.get(local.flagB64);
    carryIn(c);
    c.op(W.i64_extend_i32_u, W.i64_add, W.i64_add);
    c.set(local.q2);
  }
  const left = operation === ADC ? local.q2 : local.flagA64;
  const right = operation === ADC ? local.flagA64 : local.flagB64;
  c.get(left);
  c.get(right);
  c.op(W.i64_le_u);
  c.get(left);
  c.get(right);
  c.op(W.i64_lt_u);
  carryIn(c);
  c.op(W.select);
}

/** Pushes an i32 that is not 0 when condition `cc` (encoding order) holds; `exactly` makes it 0 or 1. */
export function pushCondition(c: RegionCode, cc: number): void {
  const negated = (cc & 1) !== 0;
  if (!readable(c.flags, cc >> 1)) storeFlags(c);
  pushTest(c, c.flags, cc >> 1);
  if (negated) c.op(W.i32_eqz);
}

export function pushCarry(c: RegionCode): void {
  pushCondition(c, CARRY);
}

/** CF before INC and DEC, which keep it: where the kind is not known it has been put aside. */
export function pushKeptCarry(c: RegionCode): void {
  if (c.flags === DYNAMIC) c.get(c.local.carry);
  else pushCarry(c);
}

/** Puts CF aside on the way to where the kind of the flags is not known any more. */
export function keepCarry(c: RegionCode): void {
  if (c.flags === DYNAMIC) return;
  pushCarry(c);
  c.set(c.local.carry);
}

function pushTest(c: RegionCode, kind: number, test: number): void {
  if (overrideOf(kind) !== 0) pushOverridden(c, kind, test);
  else if (kind === STORED) pushStored(c, test);
  else pushDirect(c, kind, test);
}

/** Bit of an override's value as i32; 64-bit ones from flagV64. */
function overrideBit(c: RegionCode, override: number, position: number): void {
  if (override >= OVERRIDE.ROL64) {
    c.get(c.local.flagV64);
    c.i64(position);
    c.op(W.i64_shr_u, W.i32_wrap_i64);
  } else {
    c.get(c.local.flagV);
    c.i32(position);
    c.op(W.i32_shr_u);
  }
  c.i32(1);
  c.op(W.i32_and);
}

function pushOverridden(c: RegionCode, kind: number, test: number): void {
  const override = overrideOf(kind);
  const top = override >= OVERRIDE.ROL64 ? 63 : 31;
  const right = override === OVERRIDE.ROR32 || override === OVERRIDE.ROR64;
  const carry = (): void => overrideBit(c, override, right ? top : 0);
  if (test === CC.B) {
    carry();
  } else if (test === CC.O) {
    if (override === OVERRIDE.CARRY_OVERFLOW) {
      overrideBit(c, override, 1);
    } else {
      carry();
      overrideBit(c, override, right ? top - 1 : top);
      c.op(W.i32_xor);
    }
  } else if (test === CC.BE) {
    carry();
    pushTest(c, baseOf(kind), CC.E);
    c.op(W.i32_or);
  } else {
    pushTest(c, baseOf(kind), test);
  }
}

function pushDirect(c: RegionCode, kind: number, test: number): void {
  const size = sizeOf(kind);
  const operation = operationOf(kind);
  const o = ops(size);
  if (operation === SUB) {
    switch (test) {
      case CC.B: getA(c, size); getB(c, size); c.op(o.ltU); return;
      case CC.E: getA(c, size); getB(c, size); c.op(o.eq); return;
      case CC.BE: getA(c, size); getB(c, size); c.op(o.leU); return;
      case CC.L: pushSignedPair(c, size); c.op(o.ltS); return;
      case CC.LE: pushSignedPair(c, size); c.op(o.leS); return;
      default: pushResult(c, kind); isNegative(c, size); return;
    }
  }
  if (operation === LOGIC) {
    switch (test) {
      case CC.O: case CC.B: c.i32(0); return;
      case CC.E: case CC.BE: getA(c, size); c.op(o.eqz); return;
      case CC.LE: getA(c, size); signExtend(c, size); constant(c, 0, size); c.op(o.leS); return;
      default: getA(c, size); isNegative(c, size); return;
    }
  }
  if (test === CC.B) {
    if (operation === ADD) addCarry(c, size);
    else if (operation === ADC || operation === SBB) longCarry(c, operation, size);
    else carryIn(c);
    return;
  }
  if (test === CC.O || test === CC.L || test === CC.LE) {
    if (operation === ADD) sumCompared(c, size, test);
    else steppedCompared(c, operation, size, test);
    return;
  }
  if (test === CC.S) {
    pushResult(c, kind);
    isNegative(c, size);
    return;
  }
  pushResult(c, kind);
  mask(c, size);
  c.op(o.eqz);
  if (test === CC.BE) {
    addCarry(c, size);
    c.op(W.i32_or);
  }
}

// --- Flags in the register file: core/cpu/interp/README.md "Flags".

function carryStored(c: RegionCode): void {
  c.loadField(W.i64_load, 'CC_AUX');
  c.i64(0);
  c.op(W.i64_lt_s);
}

function zeroStored(c: RegionCode): void {
  c.loadField(W.i64_load, 'CC_RESULT');
  c.op(W.i64_eqz);
}

/** Bit 63 of the i64 on the stack as i32. */
function topBit(c: RegionCode): void {
  c.i64(0);
  c.op(W.i64_lt_s);
}

function signWord(c: RegionCode): void {
  c.loadField(W.i64_load, 'CC_RESULT');
  c.loadField(W.i64_load, 'CC_AUX');
  c.i64(59);
  c.op(W.i64_shl, W.i64_xor);
}

function overflowWord(c: RegionCode): void {
  c.loadField(W.i64_load, 'CC_AUX');
  c.loadField(W.i64_load, 'CC_AUX');
  c.i64(1);
  c.op(W.i64_shl, W.i64_xor);
}

function pushStored(c: RegionCode, test: number): void {
  switch (test) {
    case CC.O: overflowWord(c); topBit(c); return;
    case CC.B: carryStored(c); return;
    case CC.E: zeroStored(c); return;
    case CC.BE: carryStored(c); zeroStored(c); c.op(W.i32_or); return;
    case CC.S: signWord(c); topBit(c); return;
    case CC.P:
      c.loadField(W.i64_load, 'CC_RESULT');
      c.loadField(W.i64_load, 'CC_AUX');
      c.i64(8);
      c.op(W.i64_shr_u, W.i64_xor, W.i32_wrap_i64);
      c.i32(0xff);
      c.op(W.i32_and, W.i32_popcnt);
      c.i32(1);
      c.op(W.i32_and, W.i32_eqz);
      return;
    case CC.L: signWord(c); overflowWord(c); c.op(W.i64_xor); topBit(c); return;
    default: signWord(c); overflowWord(c); c.op(W.i64_xor); topBit(c); zeroStored(c); c.op(W.i32_or); return;
  }
}

/** Brings the flags into the register file. */
export function storeFlags(c: RegionCode): void {
  if (c.flags === STORED) return;
  storeKind(c, c.flags);
  c.flags = STORED;
}

/** Calls the interpreter for flags of a kind; with DYNAMIC the local says which. */
export function storeKind(c: RegionCode, kind: number): void {
  const { local } = c;
  if (kind !== DYNAMIC) {
    if (baseOf(kind) !== STORED) callFlags(c, sizeOf(kind) === 3, () => c.i32(baseOf(kind)));
    const override = overrideOf(kind);
    if (override === 0) return;
    c.i32(override);
    if (override >= OVERRIDE.ROL64) {
      c.get(local.flagV64);
    } else {
      c.get(local.flagV);
      c.op(W.i64_extend_i32_u);
    }
    c.call('jitOverride');
    return;
  }
  const pushBase = (): void => {
    c.get(local.flagKind);
    c.i32(0xff);
    c.op(W.i32_and);
  };
  pushBase();
  c.open(W.if);
  if (c.wide) {
    c.get(local.flagKind);
    c.i32(3);
    c.op(W.i32_and);
    c.i32(3);
    c.op(W.i32_eq);
    c.open(W.if);
    callFlags(c, true, pushBase);
    c.else();
    callFlags(c, false, pushBase);
    c.end();
  } else {
    callFlags(c, false, pushBase);
  }
  c.end();
  c.get(local.flagKind);
  c.i32(8);
  c.op(W.i32_shr_u);
  c.tee(local.t0);
  c.open(W.if);
  c.get(local.t0);
  c.get(local.flagV64);
  c.get(local.flagV);
  c.op(W.i64_extend_i32_u);
  c.get(local.t0);
  c.i32(OVERRIDE.ROL64);
  c.op(W.i32_ge_u, W.select);
  c.call('jitOverride');
  c.end();
}

function callFlags(c: RegionCode, wide: boolean, kind: () => void): void {
  const { local } = c;
  kind();
  c.get(wide ? local.flagA64 : local.flagA);
  c.get(wide ? local.flagB64 : local.flagB);
  c.get(local.flagC);
  c.call(wide ? 'jitFlags64' : 'jitFlags32');
}
