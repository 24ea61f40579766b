// Shifts and rotates by an immediate, by one and by CL, of 32 and 64 bits (and shorter ones by constants), SHLD, SHRD.

import { getA, getB, mask, ops, setA, setB, signExtend, storeFlags, storeKind } from './emit-flags.ts';
import { pushE, setE } from './emit-alu.ts';
import { addressable, hostOfOperand } from './emit-memory.ts';
import { FLAG_OP, type FlagOp, kindOf, STORED } from './flag-kinds.ts';
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

/** By CL: a count of 0 leaves the flags, so they go through the register file when anyone looks. */
function emitVariableShift(c: RegionCode, op: Op, shift: Shift, live: boolean): void {
  const { size } = op.handler;
  const memory = isMemory(op);
  if (memory) hostOfOperand(c, op, 1 << size, 'write');
  if (live) storeFlags(c);
  pushE(c, op, size);
  setA(c, size);
  c.getRegister(CL, 0);
  c.i32(countMask(size));
  c.op(W.i32_and);
  c.tee(c.local.t0);
  if (size === 3) c.op(W.i64_extend_i32_u);
  setB(c, size);
  setE(c, op, size, () => pushShifted(c, shift, size));
  if (!live) return;
  c.get(c.local.t0);
  c.open(W.if);
  storeKind(c, kindOf(KIND[shift], size));
  c.end();
  c.flags = STORED;
}

/** CF and OF from the result of a rotate in t0 (narrow) or q0 (wide); the other flags stay. */
function storeRotateFlags(c: RegionCode, rotate: Rotate, size: number): void {
  const bits = 8 << size;
  const bit = (position: number): void => {
    if (size === 3) {
      c.get(c.local.q0);
      c.i64(position);
      c.op(W.i64_shr_u, W.i32_wrap_i64);
    } else {
      c.get(c.local.t0);
      c.i32(position);
      c.op(W.i32_shr_u);
    }
    c.i32(1);
    c.op(W.i32_and);
  };
  if (rotate === 'ROL') {
    bit(0);
    bit(bits - 1);
    bit(0);
    c.op(W.i32_xor);
  } else {
    bit(bits - 1);
    bit(bits - 1);
    bit(bits - 2);
    c.op(W.i32_xor);
  }
  c.call('jitSetCarryOverflow');
}

function emitConstantRotate(c: RegionCode, op: Op, rotate: Rotate, one: boolean, live: boolean): void {
  const { size } = op.handler;
  const by = constantCount(op, one);
  if (isMemory(op)) hostOfOperand(c, op, 1 << size, 'write');
  if (live) storeFlags(c);
  if (by === 0) {
    if (!isMemory(op)) setE(c, op, size, () => pushE(c, op, size));
    c.flags = live ? STORED : c.flags;
    return;
  }
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
  if (live) storeRotateFlags(c, rotate, size);
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
      kind: () => STORED,
    });
  }
  for (const rotate of ['ROL', 'ROR'] as const) {
    for (const [suffix, one] of [['I', false], ['1', true]] as const) {
      table.set(`${rotate}_${suffix}`, {
        accepts: (c, op) => accepted(c, op) && (op.handler.size >= 2 || (constantCount(op, one) & ((8 << op.handler.size) - 1)) !== 0),
        emit: (c, op, live) => emitConstantRotate(c, op, rotate, one, live),
        partial: true,
        kind: () => STORED,
      });
    }
    table.set(`${rotate}_CL`, {
      accepts: (_c, op) => op.handler.size >= 2 && !isMemory(op),
      emit: (c, op, live) => {
        const { size } = op.handler;
        const o = ops(size);
        const temporary = size === 3 ? c.local.q0 : c.local.t0;
        if (live) storeFlags(c);
        c.getRegister(CL, 0);
        c.i32(countMask(size));
        c.op(W.i32_and);
        c.set(c.local.t1);
        pushE(c, op, size);
        c.get(c.local.t1);
        if (size === 3) c.op(W.i64_extend_i32_u);
        c.op(rotate === 'ROL' ? o.rotl : o.rotr);
        c.set(temporary);
        setE(c, op, size, () => c.get(temporary));
        if (!live) return;
        c.get(c.local.t1);
        c.open(W.if);
        storeRotateFlags(c, rotate, size);
        c.end();
      },
      partial: true,
      kind: () => STORED,
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
