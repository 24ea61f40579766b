// Packed integer SSE instructions. Those that are one operation of WebAssembly SIMD are in lists; shifts by constants and
// PMULUDQ follow; the rest are calls of the interpreter's routines.

import { callSse, operandAccepted, operandsV, pushV, xmmHost } from './emit-xmm.ts';
import type { RegionCode } from './region-code.ts';
import type { Op } from './op-record.ts';
import { V } from './simd.ts';
import type { Translation, Translations } from './translation.ts';

/** destination = operation(destination, source) */
const BINARY: Readonly<Record<string, number>> = {
  PACKSSWB: V.i8x16_narrow_i16x8_s, PACKUSWB: V.i8x16_narrow_i16x8_u, PACKSSDW: V.i16x8_narrow_i32x4_s, PACKUSDW: V.i16x8_narrow_i32x4_u,
  PCMPEQB: V.i8x16_eq, PCMPEQW: V.i16x8_eq, PCMPEQD: V.i32x4_eq, PCMPEQQ: V.i64x2_eq, PCMPGTB: V.i8x16_gt_s, PCMPGTW: V.i16x8_gt_s, PCMPGTD: V.i32x4_gt_s,
  PCMPGTQ: V.i64x2_gt_s, PAND: V.v128_and, POR: V.v128_or, PXOR: V.v128_xor,
  PADDB: V.i8x16_add, PADDW: V.i16x8_add, PADDD: V.i32x4_add, PADDQ: V.i64x2_add, PSUBB: V.i8x16_sub, PSUBW: V.i16x8_sub, PSUBD: V.i32x4_sub, PSUBQ: V.i64x2_sub,
  PADDSB: V.i8x16_add_sat_s, PADDSW: V.i16x8_add_sat_s, PADDUSB: V.i8x16_add_sat_u, PADDUSW: V.i16x8_add_sat_u,
  PSUBSB: V.i8x16_sub_sat_s, PSUBSW: V.i16x8_sub_sat_s, PSUBUSB: V.i8x16_sub_sat_u, PSUBUSW: V.i16x8_sub_sat_u,
  PMINUB: V.i8x16_min_u, PMAXUB: V.i8x16_max_u, PMINSW: V.i16x8_min_s, PMAXSW: V.i16x8_max_s, PMINSB: V.i8x16_min_s, PMAXSB: V.i8x16_max_s,
  PMINUW: V.i16x8_min_u, PMAXUW: V.i16x8_max_u, PMINSD: V.i32x4_min_s, PMAXSD: V.i32x4_max_s, PMINUD: V.i32x4_min_u, PMAXUD: V.i32x4_max_u,
  PAVGB: V.i8x16_avgr_u, PAVGW: V.i16x8_avgr_u, PMULLW: V.i16x8_mul, PMULLD: V.i32x4_mul, PMADDWD: V.i32x4_dot_i16x8_s,
};

const SHIFTS: Readonly<Record<string, { readonly opcode: number; readonly bits: number; readonly arithmetic?: true }>> = {
  PSLLW_IMM: { opcode: V.i16x8_shl, bits: 16 }, PSLLD_IMM: { opcode: V.i32x4_shl, bits: 32 }, PSLLQ_IMM: { opcode: V.i64x2_shl, bits: 64 },
  PSRLW_IMM: { opcode: V.i16x8_shr_u, bits: 16 }, PSRLD_IMM: { opcode: V.i32x4_shr_u, bits: 32 }, PSRLQ_IMM: { opcode: V.i64x2_shr_u, bits: 64 },
  PSRAW_IMM: { opcode: V.i16x8_shr_s, bits: 16, arithmetic: true }, PSRAD_IMM: { opcode: V.i32x4_shr_s, bits: 32, arithmetic: true },
};

/** Others with a 16-byte source and an XMM destination. */
const CALLS = [
  'PMULHW', 'PMULHUW', 'PMADDUBSW', 'PMULHRSW', 'PSADBW', 'PHADDW', 'PHADDD', 'PHADDSW', 'PHSUBW', 'PHSUBD', 'PHSUBSW', 'PSIGNB', 'PSIGNW', 'PSIGND',
  'PSLLW', 'PSLLD', 'PSLLQ', 'PSRLW', 'PSRLD', 'PSRLQ', 'PSRAW', 'PSRAD', 'PMULDQ', 'PHMINPOSUW', 'MPSADBW', 'PCLMULQDQ', 'AESENC', 'AESENCLAST', 'AESDEC',
  'AESDECLAST', 'AESIMC', 'AESKEYGENASSIST', 'SHA1RNDS4', 'SHA1NEXTE', 'SHA1MSG1', 'SHA1MSG2', 'SHA256RNDS2', 'SHA256MSG1', 'SHA256MSG2',
];

/** Low halves of both quadwords, to where an extending multiplication takes them. */
const EVEN_DOUBLEWORDS = [0, 1, 2, 3, 8, 9, 10, 11, 0, 1, 2, 3, 8, 9, 10, 11];

function shift(c: RegionCode, op: Op, name: string): void {
  const { opcode, bits, arithmetic } = SHIFTS[name] as (typeof SHIFTS)[string];
  c.usesSse = true;
  const by = op.immLow & 0xff;
  if (by >= bits && arithmetic !== true) {
    c.w.simdBytes(V.v128_const, []);
  } else {
    c.getXmm(op.rm);
    c.i32(Math.min(by, bits - 1));
    c.w.simd(opcode);
  }
  c.setXmm(op.rm);
}

export function addSseIntegerTranslations(table: Translations): void {
  const set = (name: string, emit: Translation['emit']): void => {
    table.set(`SSE ${name}`, { accepts: operandAccepted, emit });
  };
  for (const [name, opcode] of Object.entries(BINARY)) {
    set(name, (c, op) => {
      operandsV(c, op);
      c.get(c.local.v0);
      c.get(c.local.v1);
      c.w.simd(opcode);
      c.setXmm(op.reg);
    });
  }
  set('PANDN', (c, op) => {
    operandsV(c, op);
    c.get(c.local.v1);
    c.get(c.local.v0);
    c.w.simd(V.v128_andnot);
    c.setXmm(op.reg);
  });
  for (const [name, opcode] of [['PABSB', V.i8x16_abs], ['PABSW', V.i16x8_abs], ['PABSD', V.i32x4_abs]] as const) {
    set(name, (c, op) => {
      xmmHost(c, op, 16, 'read');
      pushV(c, op);
      c.w.simd(opcode);
      c.setXmm(op.reg);
    });
  }
  set('PMULUDQ', (c, op) => {
    operandsV(c, op);
    for (const local of [c.local.v0, c.local.v1]) {
      c.get(local);
      c.get(local);
      c.w.simdBytes(V.i8x16_shuffle, EVEN_DOUBLEWORDS);
    }
    c.w.simd(V.i64x2_extmul_low_i32x4_u);
    c.setXmm(op.reg);
  });
  for (const name of Object.keys(SHIFTS)) set(name, (c, op) => shift(c, op, name));
  for (const name of CALLS) table.set(`SSE ${name}`, callSse(16, 'xmm'));
  table.set('SSE PTEST', callSse(16, 'flags'));
}
