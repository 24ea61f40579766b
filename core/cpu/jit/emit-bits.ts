// SETcc, CMOVcc, sign extensions of the accumulator, bit tests and scans, BSWAP, CLD and STD.

import { beforeOverride, constant, getA, ops, pushCondition, setA, signExtend } from './emit-flags.ts';
import { pushE, setE } from './emit-alu.ts';
import { addressable, hostOfOperand, storeHost } from './emit-memory.ts';
import { FLAG_OP, kindOf, overridden, OVERRIDE } from './flag-kinds.ts';
import { isMemory, type Op } from './op-record.ts';
import type { RegionCode } from './region-code.ts';
import type { Translations } from './translation.ts';
import { W } from './wasm-encoder.ts';

const CONDITIONS = ['O', 'NO', 'B', 'AE', 'E', 'NE', 'BE', 'A', 'S', 'NS', 'P', 'NP', 'L', 'GE', 'LE', 'G'];
const DIRECTION = 0x400;

const accepted = (c: RegionCode, op: Op): boolean => !isMemory(op) || addressable(c, op);

function emitSet(c: RegionCode, op: Op, cc: number): void {
  if (isMemory(op)) hostOfOperand(c, op, 1, 'write');
  const value = (): void => {
    pushCondition(c, cc);
  };
  // The condition may call out: before the store's address is pushed.
  value();
  c.set(c.local.t0);
  if (isMemory(op)) storeHost(c, 0, () => c.get(c.local.t0));
  else {
    c.get(c.local.t0);
    c.setRegister(op.rm, 0);
  }
}

/** The memory operand is read whatever the condition says, and a 32-bit destination always loses its upper half. */
function emitCmov(c: RegionCode, op: Op, cc: number): void {
  const { size } = op.handler;
  if (isMemory(op)) hostOfOperand(c, op, 1 << size, 'read');
  pushCondition(c, cc);
  c.set(c.local.t0);
  pushE(c, op, size);
  c.getRegister(op.reg, size);
  c.get(c.local.t0);
  c.op(W.select);
  c.setRegister(op.reg, size);
}

const bitTestKind = (_op: Op, before: number): number => overridden(before, OVERRIDE.CARRY);

/** BT, BTS, BTR, BTC of a register, or by an immediate also of memory. Only CF changes. */
function emitBitTest(c: RegionCode, op: Op, kind: string, immediate: boolean, live: boolean): void {
  const { size } = op.handler;
  const o = ops(size);
  const bits = 8 << size;
  const changes = kind !== 'BT';
  if (isMemory(op)) hostOfOperand(c, op, 1 << size, changes ? 'write' : 'read');
  if (live) beforeOverride(c, OVERRIDE.CARRY);
  const value = size === 3 ? c.local.q0 : c.local.t0;
  const position = size === 3 ? c.local.q1 : c.local.t1;
  pushE(c, op, size);
  c.set(value);
  if (immediate) constant(c, op.immLow & (bits - 1), size);
  else {
    c.getRegister(op.reg, size);
    constant(c, bits - 1, size);
    c.op(o.and);
  }
  c.set(position);
  if (changes) {
    setE(c, op, size, () => {
      c.get(value);
      constant(c, 1, size);
      c.get(position);
      c.op(o.shl);
      if (kind === 'BTS') c.op(o.or);
      else if (kind === 'BTC') c.op(o.xor);
      else {
        constant(c, -1, size);
        c.op(o.xor, o.and);
      }
    });
  }
  if (!live) return;
  c.get(value);
  c.get(position);
  c.op(o.shrU);
  if (size === 3) c.op(W.i32_wrap_i64);
  c.i32(1);
  c.op(W.i32_and);
  c.set(c.local.flagV);
  c.flags = overridden(c.flags, OVERRIDE.CARRY);
}

/** BSF and BSR leave the destination alone when the source is 0. */
function emitScan(c: RegionCode, op: Op, forward: boolean): void {
  const { size } = op.handler;
  const o = ops(size);
  if (isMemory(op)) hostOfOperand(c, op, 1 << size, 'read');
  pushE(c, op, size);
  setA(c, size);
  getA(c, size);
  c.op(o.eqz, W.i32_eqz);
  c.open(W.if);
  if (forward) {
    getA(c, size);
    c.op(o.ctz);
  } else {
    constant(c, size === 3 ? 63 : 31, size);
    getA(c, size);
    c.op(o.clz, o.sub);
  }
  c.setRegister(op.reg, size);
  c.end();
  c.flags = kindOf(FLAG_OP.LOGIC, size);
}

function emitByteSwap(c: RegionCode, op: Op): void {
  if (op.size === 3) {
    // Swap bytes, then 16-bit halves, then 32-bit halves.
    const step = (shift: number, low: number): void => {
      c.get(c.local.q0);
      c.i64(shift);
      c.op(W.i64_shr_u);
      c.w.i64(low, low);
      c.op(W.i64_and);
      c.get(c.local.q0);
      c.w.i64(low, low);
      c.op(W.i64_and);
      c.i64(shift);
      c.op(W.i64_shl, W.i64_or);
      c.set(c.local.q0);
    };
    c.getRegister(op.rm, 3);
    c.set(c.local.q0);
    step(8, 0x00ff00ff);
    step(16, 0x0000ffff);
    c.get(c.local.q0);
    c.i64(32);
    c.op(W.i64_rotl);
    c.setRegister(op.rm, 3);
    return;
  }
  c.getRegister(op.rm, 2);
  c.set(c.local.t0);
  c.get(c.local.t0);
  c.i32(8);
  c.op(W.i32_rotl);
  c.i32(0x00ff00ff);
  c.op(W.i32_and);
  c.get(c.local.t0);
  c.i32(8);
  c.op(W.i32_rotr);
  c.i32(0xff00ff00 | 0);
  c.op(W.i32_and, W.i32_or);
  c.setRegister(op.rm, 2);
}

export function addBitTranslations(table: Translations): void {
  const always = (): boolean => true;
  CONDITIONS.forEach((name, cc) => {
    table.set(`SET${name}`, { accepts: accepted, emit: (c, op) => emitSet(c, op, cc), reads: () => cc });
    table.set(`CMOV${name}`, { accepts: (c, op) => op.handler.size >= 2 && accepted(c, op), emit: (c, op) => emitCmov(c, op, cc), reads: () => cc });
  });
  table.set('CBW', {
    emit: (c, op) => {
      if (op.size === 3) {
        c.getRegister(0, 2);
        c.op(W.i64_extend_i32_s);
      } else {
        c.getRegister(0, op.size - 1);
        signExtend(c, op.size - 1);
      }
      c.setRegister(0, op.size);
    },
  });
  table.set('CWD', {
    emit: (c, op) => {
      c.getRegister(0, op.size);
      signExtend(c, op.size);
      constant(c, op.size === 3 ? 63 : 31, op.size);
      c.op(ops(op.size).shrS);
      c.setRegister(2, op.size);
    },
  });
  for (const kind of ['BT', 'BTS', 'BTR', 'BTC']) {
    // A register bit number reaches beyond a memory operand.
    table.set(`${kind}_EG`, { accepts: (_c, op) => !isMemory(op), emit: (c, op, live) => emitBitTest(c, op, kind, false, live), partial: true, kind: bitTestKind });
    table.set(`${kind}_EI`, { accepts: accepted, emit: (c, op, live) => emitBitTest(c, op, kind, true, live), partial: true, kind: bitTestKind });
  }
  for (const [name, forward] of [['BSF', true], ['BSR', false]] as const) {
    table.set(name, {
      accepts: accepted,
      emit: (c, op) => emitScan(c, op, forward),
      overwrites: always,
      kind: (op) => kindOf(FLAG_OP.LOGIC, op.handler.size),
    });
  }
  table.set('BSWAP', { accepts: (_c, op) => op.size >= 2, emit: emitByteSwap });
  for (const [name, down] of [['CLD', false], ['STD', true]] as const) {
    table.set(name, {
      emit: (c) => {
        c.storeField(W.i32_store, 'EFLAGS_SYSTEM', () => {
          c.loadField(W.i32_load, 'EFLAGS_SYSTEM');
          c.i32(down ? DIRECTION : ~DIRECTION);
          c.op(down ? W.i32_or : W.i32_and);
        });
      },
    });
  }
}
