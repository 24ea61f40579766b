// Shifts and rotates by an immediate, by one and by CL, of 32 and 64 bits (and shorter ones by constants), SHLD, SHRD.

import { beforeOverride, getA, getB, mask, ops, setA, setB, signExtend, storeFlags } from './emit-flags.ts';
import { pushE, setE } from './emit-alu.ts';
import { addressable, hostOfOperand } from './emit-memory.ts';
import { DYNAMIC, FLAG_OP, type FlagOp, kindOf, overridden, OVERRIDE, type Override, STORED } from './flag-kinds.ts';
import { isMemory, type Op } from './op-record.ts';
import type { RegionCode } from './region-code.ts';
import type { Translations } from './translation.ts';
import { W } from './wasm-encoder.ts';

type Shift = 'SHL' | 'SHR' | 'SAR';
type Rotate = 'ROL' | 'ROR';
const KIND: Readonly<Record<Shift, FlagOp>> = { SHL: FLAG_OP.SHL, SHR: FLAG_OP.SHR, SAR: FLAG_OP.SAR };
const CL = 8;

const countMask = (size: number): number => (size === 3 ? 63 : 31);
const accepted = (c: RegionCode, op: Op): boolean => !isMemory(op) || addressable(c, op);
/** Constant count of the forms by immediate and by one. */
const constantCount = (op: Op, one: boolean): number => (one ? 1 : op.immLow & countMask(op.handler.size));

function count(c: RegionCode, value: number, size: number): void {
  if (size === 3) c.i64(value);
  else c.i32(value);
}

/** The value in A, the count in B: pushes the result. */
function pushShifted(c: RegionCode, shift: Shift, size: number): void {
  const o = ops(size);
  getA(c, size);
  if (shift === 'SAR') signExtend(c, size);
  getB(c, size);
  c.op(shift === 'SHL' ? o.shl : shift === 'SHR' ? o.shrU : o.shrS);
}

/** Bits beyond the width of short operands: counts up to 31 shift an i32 by 31 at most, which is what x86 does too. */
function emitConstantShift(c: RegionCode, op: Op, shift: Shift, one: boolean, live: boolean): void {
  const { size } = op.handler;
  const by = constantCount(op, one);
  if (isMemory(op)) hostOfOperand(c, op, 1 << size, 'write');
  if (by === 0) {
    if (!isMemory(op)) setE(c, op, size, () => pushE(c, op, size));
    return;
  }
  const o = ops(size);
  if (!live) {
    setE(c, op, size, () => {
      pushE(c, op, size);
      if (shift === 'SAR') signExtend(c, size);
      count(c, by, size);
      c.op(shift === 'SHL' ? o.shl : shift === 'SHR' ? o.shrU : o.shrS);
    });
    return;
  }
  pushE(c, op, size);
  setA(c, size);
  count(c, by, size);
  setB(c, size);
  setE(c, op, size, () => pushShifted(c, shift, size));
  c.flags = kindOf(KIND[shift], size);
}

/** By CL: a count of 0 leaves the flags, so what they are is decided when it runs. */
function emitVariableShift(c: RegionCode, op: Op, shift: Shift, live: boolean): void {
  const { size } = op.handler;
  const { local } = c;
  const o = ops(size);
  const value = size === 3 ? local.q0 : local.t1;
  pushE(c, op, size);
  c.set(value);
  c.getRegister(CL, 0);
  c.i32(countMask(size));
  c.op(W.i32_and);
  c.set(local.t0);
  const pushCount = (): void => {
    c.get(local.t0);
    if (size === 3) c.op(W.i64_extend_i32_u);
  };
  setE(c, op, size, () => {
    c.get(value);
    pushCount();
    c.op(shift === 'SHL' ? o.shl : shift === 'SHR' ? o.shrU : o.shrS);
  });
  if (!live) return;
  const unlessZero = (now: () => void, before: () => void): void => {
    now();
    before();
    c.get(local.t0);
    c.op(W.select);
  };
  unlessZero(() => c.get(value), () => getA(c, size));
  setA(c, size);
  unlessZero(pushCount, () => getB(c, size));
  setB(c, size);
  unlessZero(() => c.i32(kindOf(KIND[shift], size)), () => (c.flags === DYNAMIC ? c.get(local.flagKind) : c.i32(c.flags)));
  c.set(local.flagKind);
  c.flags = DYNAMIC;
}

const rotateOverride = (rotate: Rotate, size: number): Override =>
  size === 3 ? (rotate === 'ROL' ? OVERRIDE.ROL64 : OVERRIDE.ROR64) : size === 2 ? (rotate === 'ROL' ? OVERRIDE.ROL32 : OVERRIDE.ROR32) : OVERRIDE.CARRY_OVERFLOW;

/** CF and OF of a rotate of 8 or 16 bits, from the result in t0. */
function pushShortRotateFlags(c: RegionCode, rotate: Rotate, size: number): void {
  const bits = 8 << size;
  const bit = (position: number): void => {
    c.get(c.local.t0);
    c.i32(position);
    c.op(W.i32_shr_u);
    c.i32(1);
    c.op(W.i32_and);
  };
  const carry = rotate === 'ROL' ? 0 : bits - 1;
  bit(carry);
  bit(carry);
  bit(rotate === 'ROL' ? bits - 1 : bits - 2);
  c.op(W.i32_xor);
  c.i32(1);
  c.op(W.i32_shl, W.i32_or);
}

function emitConstantRotate(c: RegionCode, op: Op, rotate: Rotate, one: boolean, live: boolean): void {
  const { size } = op.handler;
  const by = constantCount(op, one);
  if (isMemory(op)) hostOfOperand(c, op, 1 << size, 'write');
  if (by === 0) {
    if (!isMemory(op)) setE(c, op, size, () => pushE(c, op, size));
    return;
  }
  const override = rotateOverride(rotate, size);
  if (live) beforeOverride(c, override);
  const temporary = size === 3 ? c.local.q0 : c.local.t0;
  if (size >= 2) {
    const o = ops(size);
    pushE(c, op, size);
    count(c, by, size);
    c.op(rotate === 'ROL' ? o.rotl : o.rotr);
  } else {
    const bits = 8 << size;
    const left = rotate === 'ROL' ? by & (bits - 1) : (bits - (by & (bits - 1))) & (bits - 1);
    pushE(c, op, size);
    c.i32(left);
    c.op(W.i32_shl);
    pushE(c, op, size);
    c.i32(bits - left);
    c.op(W.i32_shr_u, W.i32_or);
    mask(c, size);
  }
  c.set(temporary);
  setE(c, op, size, () => c.get(temporary));
  if (!live) return;
  if (size >= 2) c.get(temporary);
  else pushShortRotateFlags(c, rotate, size);
  c.set(size === 3 ? c.local.flagV64 : c.local.flagV);
  c.flags = overridden(c.flags, override);
}

/** By CL: as shifts by CL; what was overridden before is stored first when the flags matter. */
function emitVariableRotate(c: RegionCode, op: Op, rotate: Rotate, live: boolean): void {
  const { size } = op.handler;
  const { local } = c;
  const o = ops(size);
  const temporary = size === 3 ? local.q0 : local.t0;
  if (live && c.flags !== STORED) storeFlags(c);
  c.getRegister(CL, 0);
  c.i32(countMask(size));
  c.op(W.i32_and);
  c.set(local.t1);
  pushE(c, op, size);
  c.get(local.t1);
  if (size === 3) c.op(W.i64_extend_i32_u);
  c.op(rotate === 'ROL' ? o.rotl : o.rotr);
  c.set(temporary);
  setE(c, op, size, () => c.get(temporary));
  if (!live) return;
  c.get(temporary);
  c.set(size === 3 ? local.flagV64 : local.flagV);
  c.i32(STORED | (rotateOverride(rotate, size) << 8));
  c.i32(STORED);
  c.get(local.t1);
  c.op(W.select);
  c.set(local.flagKind);
  c.flags = DYNAMIC;
}

/** SHLD and SHRD of 32 and 64 bits by a constant. */
function emitDoubleShift(c: RegionCode, op: Op, left: boolean): void {
  const { size } = op.handler;
  const bits = 8 << size;
  const by = op.immLow & countMask(size);
  const o = ops(size);
  if (isMemory(op)) hostOfOperand(c, op, 1 << size, 'write');
  if (by === 0) {
    if (!isMemory(op)) setE(c, op, size, () => pushE(c, op, size));
    return;
  }
  setE(c, op, size, () => {
    pushE(c, op, size);
    count(c, by, size);
    c.op(left ? o.shl : o.shrU);
    c.getRegister(op.reg, size);
    count(c, bits - by, size);
    c.op(left ? o.shrU : o.shl, o.or);
  });
}

export function addShiftTranslations(table: Translations): void {
  for (const shift of ['SHL', 'SHR', 'SAR'] as const) {
    for (const [suffix, one] of [['I', false], ['1', true]] as const) {
      table.set(`${shift}_${suffix}`, {
        accepts: accepted,
        emit: (c, op, live) => emitConstantShift(c, op, shift, one, live),
        overwrites: (op) => constantCount(op, one) !== 0,
        kind: (op) => (constantCount(op, one) === 0 ? undefined : kindOf(KIND[shift], op.handler.size)),
      });
    }
    table.set(`${shift}_CL`, {
      // Short operands by more than their width: rare, and the memory form must not write when the count is 0.
      accepts: (c, op) => op.handler.size >= 2 && !isMemory(op) && accepted(c, op),
      emit: (c, op, live) => emitVariableShift(c, op, shift, live),
      partial: true,
      kind: () => DYNAMIC,
    });
  }
  for (const rotate of ['ROL', 'ROR'] as const) {
    for (const [suffix, one] of [['I', false], ['1', true]] as const) {
      table.set(`${rotate}_${suffix}`, {
        accepts: (c, op) => accepted(c, op) && (op.handler.size >= 2 || (constantCount(op, one) & ((8 << op.handler.size) - 1)) !== 0),
        emit: (c, op, live) => emitConstantRotate(c, op, rotate, one, live),
        partial: true,
        kind: (op, before) => (constantCount(op, one) === 0 ? undefined : overridden(before, rotateOverride(rotate, op.handler.size))),
      });
    }
    table.set(`${rotate}_CL`, {
      accepts: (_c, op) => op.handler.size >= 2 && !isMemory(op),
      emit: (c, op, live) => emitVariableRotate(c, op, rotate, live),
      partial: true,
      kind: () => DYNAMIC,
    });
  }
  for (const [name, left] of [['SHLD_I', true], ['SHRD_I', false]] as const) {
    table.set(name, {
      accepts: (c, op) => op.handler.size >= 2 && accepted(c, op) && (op.immLow & countMask(op.handler.size)) !== 0,
      emit: (c, op, live) => {
        if (!live) {
          emitDoubleShift(c, op, left);
          return;
        }
        emitDoubleShiftFlags(c, op, left);
      },
      overwrites: () => true,
      kind: () => STORED,
    });
  }
}

/** With flags: those of flagsCarryOverflow, made by shifting the first operand alone where the bits agree. */
function emitDoubleShiftFlags(c: RegionCode, op: Op, left: boolean): void {
  const { size } = op.handler;
  const bits = 8 << size;
  const by = op.immLow & countMask(size);
  const o = ops(size);
  const before = size === 3 ? c.local.q0 : c.local.t0;
  const after = size === 3 ? c.local.q1 : c.local.t1;
  if (isMemory(op)) hostOfOperand(c, op, 1 << size, 'write');
  pushE(c, op, size);
  c.set(before);
  c.get(before);
  count(c, by, size);
  c.op(left ? o.shl : o.shrU);
  c.getRegister(op.reg, size);
  count(c, bits - by, size);
  c.op(left ? o.shrU : o.shl, o.or);
  c.set(after);
  setE(c, op, size, () => c.get(after));
  // ZF, SF, PF of the result as a logic operation has them, then CF and OF.
  c.i32(kindOf(FLAG_OP.LOGIC, size));
  c.get(after);
  count(c, 0, size);
  c.i32(0);
  c.call(size === 3 ? 'jitFlags64' : 'jitFlags32');
  const bit = (local: number, position: number): void => {
    c.get(local);
    count(c, position, size);
    c.op(o.shrU);
    if (size === 3) c.op(W.i32_wrap_i64);
    c.i32(1);
    c.op(W.i32_and);
  };
  const carry = left ? bits - by : by - 1;
  bit(before, carry);
  bit(after, bits - 1);
  if (left) bit(before, carry);
  else bit(after, bits - 2);
  c.op(W.i32_xor);
  c.call('jitSetCarryOverflow');
  c.flags = STORED;
}
