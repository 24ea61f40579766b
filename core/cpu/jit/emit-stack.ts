// PUSH, POP, LEAVE in the stack size of the code: RSP in 64-bit code, ESP when SS.B is set. Operands of 16 bits are left to
// the interpreter.

import { pushE, setE } from './emit-alu.ts';
import { addressable, hostOfOperand, hostOfStack, loadHost, storeHost } from './emit-memory.ts';
import { isMemory, type Op } from './op-record.ts';
import { RBP, RSP, type RegionCode } from './region-code.ts';
import type { Translations } from './translation.ts';
import { W } from './wasm-encoder.ts';

const full = (c: RegionCode, size: number): boolean => size === (c.wide ? 3 : 2);

/** Pushes RSP + delta. */
export function pushStackPointer(c: RegionCode, delta: number): void {
  c.getWord(RSP);
  if (delta === 0) return;
  c.word(delta);
  c.op(c.wide ? W.i64_add : W.i32_add);
}

/** PUSH of what `value` pushes onto the WebAssembly stack. */
export function emitPush(c: RegionCode, op: Op, value: () => void): void {
  const bytes = c.wide ? 8 : 4;
  pushStackPointer(c, -bytes);
  hostOfStack(c, op, bytes, 'write');
  storeHost(c, c.wide ? 3 : 2, value);
  pushStackPointer(c, -bytes);
  c.setWord(RSP);
}

/** Brings the top of the stack to `host`. */
export function emitTop(c: RegionCode, op: Op): void {
  pushStackPointer(c, 0);
  hostOfStack(c, op, c.wide ? 8 : 4, 'read');
}

export function emitDrop(c: RegionCode, bytes: number): void {
  pushStackPointer(c, bytes);
  c.setWord(RSP);
}

export function addStackTranslations(table: Translations): void {
  const sized = (c: RegionCode, op: Op): boolean => full(c, op.handler.size);
  table.set('PUSH_R', { accepts: sized, exits: true, emit: (c, op) => emitPush(c, op, () => c.getRegister(op.rm, op.handler.size)) });
  table.set('PUSH_I', { accepts: sized, exits: true, emit: (c, op) => emitPush(c, op, () => c.immediate(op, op.handler.size)) });
  table.set('PUSH_E', {
    accepts: (c, op) => sized(c, op) && (!isMemory(op) || addressable(c, op)),
    exits: true,
    emit: (c, op) => {
      const { size } = op.handler;
      const temporary = size === 3 ? c.local.q0 : c.local.t0;
      if (isMemory(op)) hostOfOperand(c, op, 1 << size, 'read');
      pushE(c, op, size);
      c.set(temporary);
      emitPush(c, op, () => c.get(temporary));
    },
  });
  table.set('POP_R', {
    accepts: sized,
    exits: true,
    emit: (c, op) => {
      const { size } = op.handler;
      const temporary = size === 3 ? c.local.q0 : c.local.t0;
      emitTop(c, op);
      loadHost(c, size);
      c.set(temporary);
      emitDrop(c, 1 << size);
      c.get(temporary);
      c.setRegister(op.rm, size);
    },
  });
  table.set('POP_E', {
    // With a memory operand the address counts from the new stack pointer: left to the interpreter.
    accepts: (c, op) => sized(c, op) && !isMemory(op),
    exits: true,
    emit: (c, op) => {
      const { size } = op.handler;
      const temporary = size === 3 ? c.local.q0 : c.local.t0;
      emitTop(c, op);
      loadHost(c, size);
      c.set(temporary);
      emitDrop(c, 1 << size);
      setE(c, op, size, () => c.get(temporary));
    },
  });
  table.set('LEAVE', {
    accepts: (c, op) => full(c, op.size),
    exits: true,
    emit: (c, op) => {
      const size = c.wide ? 3 : 2;
      const temporary = size === 3 ? c.local.q0 : c.local.t0;
      c.getWord(RBP);
      hostOfStack(c, op, 1 << size, 'read');
      loadHost(c, size);
      c.set(temporary);
      c.getWord(RBP);
      c.word(1 << size);
      c.op(c.wide ? W.i64_add : W.i32_add);
      c.setWord(RSP);
      c.get(temporary);
      c.setWord(RBP);
    },
  });
}
