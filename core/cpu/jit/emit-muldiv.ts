// IMUL, MUL, DIV, IDIV of 32 and 64 bits. A division that would fault, or needs 128 bits, is left to the interpreter.

import { getA, getB, ops, setA, setB } from './emit-flags.ts';
import { pushE } from './emit-alu.ts';
import { addressable, bailIf, hostOfOperand } from './emit-memory.ts';
import { FLAG_OP, kindOf } from './flag-kinds.ts';
import { isMemory, type Op } from './op-record.ts';
import type { RegionCode } from './region-code.ts';
import type { Translations } from './translation.ts';
import { W } from './wasm-encoder.ts';

const RAX = 0;
const RDX = 2;

const accepted = (c: RegionCode, op: Op): boolean => op.handler.size >= 2 && (!isMemory(op) || addressable(c, op));

function emitImul(c: RegionCode, op: Op, immediate: boolean, live: boolean): void {
  const { size } = op.handler;
  if (isMemory(op)) hostOfOperand(c, op, 1 << size, 'read');
  if (immediate) pushE(c, op, size);
  else c.getRegister(op.reg, size);
  if (live) {
    setA(c, size);
    if (immediate) c.immediate(op, size);
    else pushE(c, op, size);
    setB(c, size);
    getA(c, size);
    getB(c, size);
  } else if (immediate) {
    c.immediate(op, size);
  } else {
    pushE(c, op, size);
  }
  c.op(ops(size).mul);
  c.setRegister(op.reg, size);
  if (live) c.flags = kindOf(FLAG_OP.IMUL, size);
}

/** MUL and IMUL into RDX:RAX. */
function emitWideProduct(c: RegionCode, op: Op, signed: boolean, live: boolean): void {
  const { size } = op.handler;
  const { local } = c;
  if (isMemory(op)) hostOfOperand(c, op, 1 << size, 'read');
  if (size === 2) {
    const extend = signed ? W.i64_extend_i32_s : W.i64_extend_i32_u;
    if (signed && live) {
      c.getRegister(RAX, 2);
      setA(c, 2);
      pushE(c, op, 2);
      setB(c, 2);
      getA(c, 2);
      c.op(extend);
      getB(c, 2);
    } else {
      c.getRegister(RAX, 2);
      c.op(extend);
      pushE(c, op, 2);
    }
    c.op(extend, W.i64_mul);
    c.tee(local.q0);
    c.op(W.i32_wrap_i64);
    c.setRegister(RAX, 2);
    c.get(local.q0);
    c.i64(32);
    c.op(W.i64_shr_u, W.i32_wrap_i64);
    c.setRegister(RDX, 2);
    if (live && !signed) {
      c.getRegister(RAX, 2);
      setA(c, 2);
      c.getRegister(RDX, 2);
      setB(c, 2);
    }
  } else {
    c.getRegister(RAX, 3);
    c.set(local.q0);
    pushE(c, op, 3);
    c.set(local.q1);
    c.get(local.q0);
    c.get(local.q1);
    c.call(signed ? 'jitMulHighSigned' : 'jitMulHighUnsigned');
    c.setRegister(RDX, 3);
    c.get(local.q0);
    c.get(local.q1);
    c.op(W.i64_mul);
    c.setRegister(RAX, 3);
    if (live) {
      if (signed) {
        c.get(local.q0);
        setA(c, 3);
        c.get(local.q1);
        setB(c, 3);
      } else {
        c.getRegister(RAX, 3);
        setA(c, 3);
        c.getRegister(RDX, 3);
        setB(c, 3);
      }
    }
  }
  if (live) c.flags = kindOf(signed ? FLAG_OP.IMUL : FLAG_OP.MUL, size);
}

/** 64 by 32 bits, or 128 by 64 when the upper half is nothing but zeros (sign bits). */
function emitDivide(c: RegionCode, op: Op, signed: boolean): void {
  const { size } = op.handler;
  const { local } = c;
  if (isMemory(op)) hostOfOperand(c, op, 1 << size, 'read');
  pushE(c, op, size);
  if (size === 2) c.op(signed ? W.i64_extend_i32_s : W.i64_extend_i32_u);
  c.tee(local.q1);
  c.op(W.i64_eqz);
  bailIf(c, op);
  if (size === 2) {
    c.getRegister(RDX, 2);
    c.op(W.i64_extend_i32_u);
    c.i64(32);
    c.op(W.i64_shl);
    c.getRegister(RAX, 2);
    c.op(W.i64_extend_i32_u, W.i64_or);
    c.set(local.q0);
  } else {
    c.getRegister(RDX, 3);
    if (signed) {
      c.getRegister(RAX, 3);
      c.i64(63);
      c.op(W.i64_shr_s, W.i64_ne);
    } else {
      c.i64(0);
      c.op(W.i64_ne);
    }
    bailIf(c, op);
    c.getRegister(RAX, 3);
    c.set(local.q0);
  }
  if (signed) {
    // The one quotient that traps: -2^63 / -1.
    c.get(local.q1);
    c.i64(-1);
    c.op(W.i64_eq);
    c.get(local.q0);
    c.i64(0, 0x8000_0000 | 0);
    c.op(W.i64_eq, W.i32_and);
    bailIf(c, op);
  }
  c.get(local.q0);
  c.get(local.q1);
  c.op(signed ? W.i64_div_s : W.i64_div_u);
  c.set(local.q2);
  if (size === 2) {
    c.get(local.q2);
    c.get(local.q2);
    if (signed) {
      c.op(W.i64_extend32_s);
    } else {
      c.i64(-1, 0);
      c.op(W.i64_and);
    }
    c.op(W.i64_ne);
    bailIf(c, op);
  }
  const put = (register: number): void => {
    if (size === 2) c.op(W.i32_wrap_i64);
    c.setRegister(register, size);
  };
  c.get(local.q0);
  c.get(local.q2);
  c.get(local.q1);
  c.op(W.i64_mul, W.i64_sub);
  put(RDX);
  c.get(local.q2);
  put(RAX);
}

export function addMulDivTranslations(table: Translations): void {
  const always = (): boolean => true;
  table.set('IMUL_GE', { accepts: accepted, emit: (c, op, live) => emitImul(c, op, false, live), overwrites: always, kind: (op) => kindOf(FLAG_OP.IMUL, op.handler.size) });
  table.set('IMUL_GEI', { accepts: accepted, emit: (c, op, live) => emitImul(c, op, true, live), overwrites: always, kind: (op) => kindOf(FLAG_OP.IMUL, op.handler.size) });
  table.set('MUL', { accepts: accepted, emit: (c, op, live) => emitWideProduct(c, op, false, live), overwrites: always, kind: (op) => kindOf(FLAG_OP.MUL, op.handler.size) });
  table.set('IMUL_E', { accepts: accepted, emit: (c, op, live) => emitWideProduct(c, op, true, live), overwrites: always, kind: (op) => kindOf(FLAG_OP.IMUL, op.handler.size) });
  table.set('DIV', { accepts: accepted, emit: (c, op) => emitDivide(c, op, false), exits: true });
  table.set('IDIV', { accepts: accepted, emit: (c, op) => emitDivide(c, op, true), exits: true });
}
