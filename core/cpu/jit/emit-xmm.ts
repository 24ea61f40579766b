// Operands of SSE instructions: XMM registers in locals, memory of 4, 8 and 16 bytes, legacy alignment (a 16-byte operand
// that is not aligned faults: left to the interpreter). Instructions without a translation of their own are calls of the
// interpreter's routine, with the operands in the register file for its time.

import { addressable, hostOfOperand, loadHost, noteRunning } from './emit-memory.ts';
import { isMemory, type Op } from './op-record.ts';
import type { RegionCode } from './region-code.ts';
import { V } from './simd.ts';
import { STORED } from './flag-kinds.ts';
import type { Translation } from './translation.ts';
import { W } from './wasm-encoder.ts';

export const operandAccepted = (c: RegionCode, op: Op): boolean => !isMemory(op) || addressable(c, op);

/** Brings a memory operand to `host`; with `aligned` 16-byte operands must be. Nothing to do for registers. */
export function xmmHost(c: RegionCode, op: Op, bytes: number, access: 'read' | 'write', aligned = bytes === 16): void {
  c.usesSse = true;
  if (!isMemory(op)) return;
  hostOfOperand(c, op, bytes, access, aligned);
}

/** Pushes the 16-byte source. */
export function pushV(c: RegionCode, op: Op): void {
  if (isMemory(op)) {
    c.get(c.local.host);
    c.w.simdMemory(V.v128_load, 0, 0);
  } else {
    c.getXmm(op.rm);
  }
}

/** Pushes the low 4 or 8 bytes of the source as i32 or i64. */
export function pushLow(c: RegionCode, op: Op, bytes: 4 | 8): void {
  if (isMemory(op)) {
    loadHost(c, bytes === 8 ? 3 : 2);
  } else {
    c.getXmm(op.rm);
    c.w.simdLane(bytes === 8 ? V.i64x2_extract_lane : V.i32x4_extract_lane, 0);
  }
}

/** Both operands of a packed instruction into v0 (destination's) and v1. */
export function operandsV(c: RegionCode, op: Op): void {
  xmmHost(c, op, 16, 'read');
  pushV(c, op);
  c.set(c.local.v1);
  c.getXmm(op.reg);
  c.set(c.local.v0);
}

/**
 * A call of executeSse() for an instruction that reads at most `bytes` of memory. `writes`: what it changes besides MXCSR:
 * the XMM register operand, the general register operand, or the arithmetic flags. `generalSource`: the r/m operand is a
 * general register.
 */
export function callSse(bytes: number, writes: 'xmm' | 'register' | 'flags', generalSource = false): Translation {
  return {
    accepts: operandAccepted,
    exits: true,
    ...(writes === 'flags' ? { kind: () => STORED, overwrites: () => true } : {}),
    emit: (c, op) => {
      xmmHost(c, op, bytes, 'read');
      emitSseCall(c, op, generalSource);
      if (writes === 'xmm') reloadXmm(c, op.reg);
      else if (writes === 'register') {
        c.loadField(c.wide ? W.i64_load : W.i32_load, 'GPR', op.reg);
        c.setWord(op.reg);
      } else c.flags = STORED;
    },
  };
}

function reloadXmm(c: RegionCode, register: number): void {
  c.i32(0);
  c.w.simdMemory(V.v128_load, 0, c.setup.cpu + c.offset('XMM', register));
  c.setXmm(register);
}

/** The operands go to the register file, then the interpreter's routine runs; it may unwind (#XM). */
export function emitSseCall(c: RegionCode, op: Op, generalSource = false): void {
  for (const register of new Set([op.reg, isMemory(op) ? op.reg : op.rm, 0])) {
    c.usedXmm |= 1 << register;
    c.storeXmm(register);
  }
  for (const register of new Set(isMemory(op) ? [op.base, op.index] : generalSource ? [op.rm] : [])) {
    if (register < 16) c.storeField(c.wide ? W.i64_store : W.i32_store, 'GPR', () => c.getWord(register), register);
  }
  noteRunning(c, op);
  c.i32(op.address | 0);
  c.call('executeSse');
}

