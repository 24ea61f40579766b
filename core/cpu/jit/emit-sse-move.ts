// SSE moves between registers and memory, extracts, inserts, masks, shuffles.

import { addressable, hostOfOperand, loadHost, storeHost } from './emit-memory.ts';
import { callSse, operandAccepted, operandsV, pushLow, pushV, xmmHost } from './emit-xmm.ts';
import { isMemory, type Op } from './op-record.ts';
import type { RegionCode } from './region-code.ts';
import { V } from './simd.ts';
import type { Translation, Translations } from './translation.ts';
import { W } from './wasm-encoder.ts';

function storeV(c: RegionCode, op: Op, aligned: boolean): void {
  xmmHost(c, op, 16, 'write', aligned);
  if (isMemory(op)) {
    c.get(c.local.host);
    c.getXmm(op.reg);
    c.w.simdMemory(V.v128_store, 0, 0);
  } else {
    c.getXmm(op.reg);
    c.setXmm(op.rm);
  }
}

/** MOVSS and MOVSD from memory clear the rest, from a register they keep it. */
function loadScalar(c: RegionCode, op: Op, bytes: 4 | 8): void {
  xmmHost(c, op, bytes, 'read');
  if (isMemory(op)) {
    c.get(c.local.host);
    c.w.simdMemory(bytes === 8 ? V.v128_load64_zero : V.v128_load32_zero, 0, 0);
  } else {
    c.getXmm(op.reg);
    pushLow(c, op, bytes);
    c.w.simdLane(bytes === 8 ? V.i64x2_replace_lane : V.i32x4_replace_lane, 0);
  }
  c.setXmm(op.reg);
}

function pushLaneOfReg(c: RegionCode, op: Op, bytes: 4 | 8, lane: number): void {
  c.getXmm(op.reg);
  c.w.simdLane(bytes === 8 ? V.i64x2_extract_lane : V.i32x4_extract_lane, lane);
}

function storeScalar(c: RegionCode, op: Op, bytes: 4 | 8): void {
  xmmHost(c, op, bytes, 'write');
  if (isMemory(op)) {
    storeHost(c, bytes === 8 ? 3 : 2, () => pushLaneOfReg(c, op, bytes, 0));
  } else {
    c.getXmm(op.rm);
    pushLaneOfReg(c, op, bytes, 0);
    c.w.simdLane(bytes === 8 ? V.i64x2_replace_lane : V.i32x4_replace_lane, 0);
    c.setXmm(op.rm);
  }
}

/** An i64 on the stack becomes a register with 0 above. */
function zeroExtend(c: RegionCode, register: number): void {
  c.set(c.local.q0);
  c.w.simdBytes(V.v128_const, []);
  c.get(c.local.q0);
  c.w.simdLane(V.i64x2_replace_lane, 0);
  c.setXmm(register);
}

/** Replaces or reads half of a register. */
function loadHalf(c: RegionCode, op: Op, lane: number): void {
  xmmHost(c, op, 8, 'read');
  c.getXmm(op.reg);
  loadHost(c, 3);
  c.w.simdLane(V.i64x2_replace_lane, lane);
  c.setXmm(op.reg);
}

function storeHalf(c: RegionCode, op: Op, lane: number): void {
  xmmHost(c, op, 8, 'write');
  storeHost(c, 3, () => pushLaneOfReg(c, op, 8, lane));
}

const plain = (emit: Translation['emit'], extra: Partial<Translation> = {}): Translation => ({ accepts: operandAccepted, emit, ...extra });

/** A shuffle of destination (bytes 0-15) and source (16-31). */
function shuffle(bytes: (op: Op) => number[]): Translation {
  return plain((c, op) => {
    operandsV(c, op);
    c.get(c.local.v0);
    c.get(c.local.v1);
    c.w.simdBytes(V.i8x16_shuffle, bytes(op));
    c.setXmm(op.reg);
  });
}

/** Elements of `width` bytes by number: those of the source count on from those of the destination. */
const elements = (width: number, list: readonly number[]): number[] => list.flatMap((element) => Array.from({ length: width }, (_, i) => element * width + i));

function interleave(width: number, high: boolean): number[] {
  const count = 16 / width;
  const start = high ? count / 2 : 0;
  return elements(width, Array.from({ length: count }, (_, i) => start + (i >> 1) + ((i & 1) !== 0 ? count : 0)));
}

const pick = (imm: number, i: number): number => (imm >> (i * 2)) & 3;

export function addSseMoveTranslations(table: Translations): void {
  const set = (name: string, translation: Translation): void => {
    table.set(`SSE ${name}`, translation);
  };
  set('MOVU_LOAD', plain((c, op) => {
    xmmHost(c, op, 16, 'read', false);
    pushV(c, op);
    c.setXmm(op.reg);
  }));
  set('MOVA_LOAD', plain((c, op) => {
    xmmHost(c, op, 16, 'read');
    pushV(c, op);
    c.setXmm(op.reg);
  }));
  set('MOVU_STORE', plain((c, op) => storeV(c, op, false)));
  set('MOVA_STORE', plain((c, op) => storeV(c, op, true)));
  set('MOVSS_LOAD', plain((c, op) => loadScalar(c, op, 4)));
  set('MOVSD_LOAD', plain((c, op) => loadScalar(c, op, 8)));
  set('MOVSS_STORE', plain((c, op) => storeScalar(c, op, 4)));
  set('MOVSD_STORE', plain((c, op) => storeScalar(c, op, 8)));
  set('MOVQ_LOAD', plain((c, op) => {
    xmmHost(c, op, 8, 'read');
    pushLow(c, op, 8);
    zeroExtend(c, op.reg);
  }));
  set('MOVQ_STORE', plain((c, op) => {
    xmmHost(c, op, 8, 'write');
    if (isMemory(op)) storeHost(c, 3, () => pushLaneOfReg(c, op, 8, 0));
    else {
      pushLaneOfReg(c, op, 8, 0);
      zeroExtend(c, op.rm);
    }
  }));
  set('MOVD_LOAD', plain((c, op) => {
    xmmHost(c, op, op.size === 3 ? 8 : 4, 'read');
    if (isMemory(op)) loadHost(c, op.size === 3 ? 3 : 2);
    else c.getRegister(op.rm, op.size === 3 ? 3 : 2);
    if (op.size !== 3) c.op(W.i64_extend_i32_u);
    zeroExtend(c, op.reg);
  }));
  set('MOVD_STORE', plain((c, op) => {
    const bytes = op.size === 3 ? 8 : 4;
    xmmHost(c, op, bytes, 'write');
    if (isMemory(op)) storeHost(c, op.size === 3 ? 3 : 2, () => pushLaneOfReg(c, op, bytes, 0));
    else {
      pushLaneOfReg(c, op, bytes, 0);
      c.setRegister(op.rm, op.size === 3 ? 3 : 2);
    }
  }));
  set('MOVLP_LOAD', plain((c, op) => loadHalf(c, op, 0), { accepts: (c, op) => isMemory(op) && addressable(c, op) }));
  set('MOVHP_LOAD', plain((c, op) => loadHalf(c, op, 1), { accepts: (c, op) => isMemory(op) && addressable(c, op) }));
  set('MOVLP_STORE', plain((c, op) => storeHalf(c, op, 0), { accepts: (c, op) => isMemory(op) && addressable(c, op) }));
  set('MOVHP_STORE', plain((c, op) => storeHalf(c, op, 1), { accepts: (c, op) => isMemory(op) && addressable(c, op) }));
  for (const [name, from, to] of [['MOVHLPS', 1, 0], ['MOVLHPS', 0, 1]] as const) {
    set(name, plain((c, op) => {
      c.usesSse = true;
      c.getXmm(op.reg);
      c.getXmm(op.rm);
      c.w.simdLane(V.i64x2_extract_lane, from);
      c.w.simdLane(V.i64x2_replace_lane, to);
      c.setXmm(op.reg);
    }));
  }
  set('MOVDDUP', plain((c, op) => {
    xmmHost(c, op, 8, 'read');
    pushLow(c, op, 8);
    c.w.simd(V.i64x2_splat);
    c.setXmm(op.reg);
  }));
  for (const [name, opcode] of [['MOVMSKPS', V.i32x4_bitmask], ['MOVMSKPD', V.i64x2_bitmask], ['PMOVMSKB', V.i8x16_bitmask]] as const) {
    set(name, plain((c, op) => {
      c.usesSse = true;
      c.getXmm(op.rm);
      c.w.simd(opcode);
      c.setRegister(op.reg, 2);
    }));
  }
  set('MOVNTI', plain((c, op) => {
    const size = op.size === 3 ? 3 : 2;
    hostOfOperand(c, op, 1 << size, 'write');
    storeHost(c, size, () => c.getRegister(op.reg, size));
  }));
  set('FENCE', { emit: () => undefined });
  set('PINSRW', plain((c, op) => {
    xmmHost(c, op, 2, 'read');
    c.getXmm(op.reg);
    if (isMemory(op)) loadHost(c, 1);
    else c.getRegister(op.rm, 2);
    c.w.simdLane(V.i16x8_replace_lane, op.immLow & 7);
    c.setXmm(op.reg);
  }));
  set('PEXTRW', plain((c, op) => {
    c.usesSse = true;
    c.getXmm(op.rm);
    c.w.simdLane(V.i16x8_extract_lane_u, op.immLow & 7);
    c.setRegister(op.reg, 2);
  }));
  for (const [suffix, width] of [['BW', 1], ['WD', 2], ['DQ', 4], ['QDQ', 8]] as const) {
    set(`PUNPCKL${suffix}`, shuffle(() => interleave(width, false)));
    set(`PUNPCKH${suffix}`, shuffle(() => interleave(width, true)));
  }
  set('PSHUFD', shuffle((op) => elements(4, [0, 1, 2, 3].map((i) => 4 + pick(op.immLow, i)))));
  set('PSHUFLW', shuffle((op) => elements(2, [...[0, 1, 2, 3].map((i) => 8 + pick(op.immLow, i)), 12, 13, 14, 15])));
  set('PSHUFHW', shuffle((op) => elements(2, [8, 9, 10, 11, ...[0, 1, 2, 3].map((i) => 12 + pick(op.immLow, i))])));
  set('SHUFPS', shuffle((op) => elements(4, [pick(op.immLow, 0), pick(op.immLow, 1), 4 + pick(op.immLow, 2), 4 + pick(op.immLow, 3)])));
  set('SHUFPD', shuffle((op) => elements(8, [op.immLow & 1, 2 + ((op.immLow >> 1) & 1)])));
  set('MOVSLDUP', shuffle(() => elements(4, [4, 4, 6, 6])));
  set('MOVSHDUP', shuffle(() => elements(4, [5, 5, 7, 7])));
  // The whole-register shifts: v1 is 0.
  for (const [name, left] of [['PSLLDQ', true], ['PSRLDQ', false]] as const) {
    set(name, plain((c, op) => {
      c.usesSse = true;
      const by = Math.min(16, op.immLow & 0xff);
      c.getXmm(op.rm);
      c.w.simdBytes(V.v128_const, []);
      c.w.simdBytes(V.i8x16_shuffle, Array.from({ length: 16 }, (_, i) => {
        const from = left ? i - by : i + by;
        return from >= 0 && from < 16 ? from : 16;
      }));
      c.setXmm(op.rm);
    }));
  }
  for (const [name, bytes] of [['PALIGNR', 16], ['PSHUFB', 16], ['PBLENDVB', 16], ['BLENDVPS', 16], ['BLENDVPD', 16], ['PBLENDW', 16], ['BLENDPS', 16], ['BLENDPD', 16]] as const) {
    set(name, callSse(bytes, 'xmm'));
  }
}
