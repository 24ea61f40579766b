// The MMX instruction group: one case per row name of core/cpu/isa/opcodes-mmx.ts, with WebAssembly's vector instructions on
// the low half. Memory is read, and may fault, before anything is written. Specification: Intel SDM volume 2.

import { FPU_TAG } from './generated/layout';
import {
  SUB_EMMS, SUB_MASKMOVQ_MM, SUB_MOVD_FROM_MM, SUB_MOVD_TO_MM, SUB_MOVNTQ_MM, SUB_MOVQ_FROM_MM, SUB_MOVQ_TO_MM,
  SUB_PABSB_MM, SUB_PABSD_MM, SUB_PABSW_MM, SUB_PACKSSDW_MM, SUB_PACKSSWB_MM, SUB_PACKUSWB_MM, SUB_PADDB_MM,
  SUB_PADDD_MM, SUB_PADDQ_MM, SUB_PADDSB_MM, SUB_PADDSW_MM, SUB_PADDUSB_MM, SUB_PADDUSW_MM, SUB_PADDW_MM,
  SUB_PALIGNR_MM, SUB_PANDN_MM, SUB_PAND_MM, SUB_PAVGB_MM, SUB_PAVGW_MM, SUB_PCMPEQB_MM, SUB_PCMPEQD_MM,
  SUB_PCMPEQW_MM, SUB_PCMPGTB_MM, SUB_PCMPGTD_MM, SUB_PCMPGTW_MM, SUB_PEXTRW_MM, SUB_PHADDD_MM, SUB_PHADDSW_MM,
  SUB_PHADDW_MM, SUB_PHSUBD_MM, SUB_PHSUBSW_MM, SUB_PHSUBW_MM, SUB_PINSRW_MM, SUB_PMADDUBSW_MM, SUB_PMADDWD_MM,
  SUB_PMAXSW_MM, SUB_PMAXUB_MM, SUB_PMINSW_MM, SUB_PMINUB_MM, SUB_PMOVMSKB_MM, SUB_PMULHRSW_MM, SUB_PMULHUW_MM,
  SUB_PMULHW_MM, SUB_PMULLW_MM, SUB_PMULUDQ_MM, SUB_POR_MM, SUB_PSADBW_MM, SUB_PSHUFB_MM, SUB_PSHUFW_MM,
  SUB_PSIGNB_MM, SUB_PSIGND_MM, SUB_PSIGNW_MM, SUB_PSLLD_IMM_MM, SUB_PSLLD_MM, SUB_PSLLQ_IMM_MM, SUB_PSLLQ_MM,
  SUB_PSLLW_IMM_MM, SUB_PSLLW_MM, SUB_PSRAD_IMM_MM, SUB_PSRAD_MM, SUB_PSRAW_IMM_MM, SUB_PSRAW_MM, SUB_PSRLD_IMM_MM,
  SUB_PSRLD_MM, SUB_PSRLQ_IMM_MM, SUB_PSRLQ_MM, SUB_PSRLW_IMM_MM, SUB_PSRLW_MM, SUB_PSUBB_MM, SUB_PSUBD_MM,
  SUB_PSUBQ_MM, SUB_PSUBSB_MM, SUB_PSUBSW_MM, SUB_PSUBUSB_MM, SUB_PSUBUSW_MM, SUB_PSUBW_MM, SUB_PUNPCKHBW_MM,
  SUB_PUNPCKHDQ_MM, SUB_PUNPCKHWD_MM, SUB_PUNPCKLBW_MM, SUB_PUNPCKLDQ_MM, SUB_PUNPCKLWD_MM, SUB_PXOR_MM,
} from './generated/subs';
import {
  evenDoublewords, evenWords, highWords, joined, maskmovq, movdFromMm, movdToMm, movqFromMm, multiplyAddBytes, multiplyHighRounded,
  oddDoublewords, oddWords, palignr, pextrw, pinsrw, pmovmskb, pshufw, shiftArithmeticDoublewords, shiftArithmeticWords,
  shiftLeftDoublewords, shiftLeftQuadword, shiftLeftWords, shiftRightDoublewords, shiftRightQuadword, shiftRightWords,
  signBytes, signDoublewords, signWords, sumOfDifferences,
} from './mmx-ops';
import { enterMmx, low, regV, rmLow, rmQ, rmV, setMm, setRegV, touch } from './mmx-state';
import { opImm, opReg, opRm, opSub } from './op';
import { cpu } from './state';

/** Writes the low half to the register in ModRM.rm (shifts by an immediate). */
// @ts-ignore: decorator
@inline
function setRmV(op: usize, value: v128): void {
  setMm(opRm(op), <u64>i64x2.extract_lane(value, 0));
}

export function executeMmx(op: usize): void {
  enterMmx();
  let b: v128;
  let count: u64;
  switch (opSub(op)) {
    case SUB_PUNPCKLBW_MM: b = low(rmLow(op)); setRegV(op, i8x16.shuffle(regV(op), b, 0, 16, 1, 17, 2, 18, 3, 19, 0, 16, 1, 17, 2, 18, 3, 19)); return;
    case SUB_PUNPCKLWD_MM: b = low(rmLow(op)); setRegV(op, i8x16.shuffle(regV(op), b, 0, 1, 16, 17, 2, 3, 18, 19, 0, 1, 16, 17, 2, 3, 18, 19)); return;
    case SUB_PUNPCKLDQ_MM: b = low(rmLow(op)); setRegV(op, i8x16.shuffle(regV(op), b, 0, 1, 2, 3, 16, 17, 18, 19, 0, 1, 2, 3, 16, 17, 18, 19)); return;
    case SUB_PUNPCKHBW_MM: b = rmV(op); setRegV(op, i8x16.shuffle(regV(op), b, 4, 20, 5, 21, 6, 22, 7, 23, 4, 20, 5, 21, 6, 22, 7, 23)); return;
    case SUB_PUNPCKHWD_MM: b = rmV(op); setRegV(op, i8x16.shuffle(regV(op), b, 4, 5, 20, 21, 6, 7, 22, 23, 4, 5, 20, 21, 6, 7, 22, 23)); return;
    case SUB_PUNPCKHDQ_MM: b = rmV(op); setRegV(op, i8x16.shuffle(regV(op), b, 4, 5, 6, 7, 20, 21, 22, 23, 4, 5, 6, 7, 20, 21, 22, 23)); return;
    case SUB_PACKSSWB_MM: b = rmV(op); setRegV(op, i8x16.narrow_i16x8_s(joined(regV(op), b), b)); return;
    case SUB_PACKUSWB_MM: b = rmV(op); setRegV(op, i8x16.narrow_i16x8_u(joined(regV(op), b), b)); return;
    case SUB_PACKSSDW_MM: b = rmV(op); setRegV(op, i16x8.narrow_i32x4_s(joined(regV(op), b), b)); return;
    case SUB_PCMPGTB_MM: b = rmV(op); setRegV(op, i8x16.gt_s(regV(op), b)); return;
    case SUB_PCMPEQB_MM: b = rmV(op); setRegV(op, i8x16.eq(regV(op), b)); return;
    case SUB_PCMPGTW_MM: b = rmV(op); setRegV(op, i16x8.gt_s(regV(op), b)); return;
    case SUB_PCMPEQW_MM: b = rmV(op); setRegV(op, i16x8.eq(regV(op), b)); return;
    case SUB_PCMPGTD_MM: b = rmV(op); setRegV(op, i32x4.gt_s(regV(op), b)); return;
    case SUB_PCMPEQD_MM: b = rmV(op); setRegV(op, i32x4.eq(regV(op), b)); return;
    case SUB_PADDB_MM: b = rmV(op); setRegV(op, i8x16.add(regV(op), b)); return;
    case SUB_PSUBB_MM: b = rmV(op); setRegV(op, i8x16.sub(regV(op), b)); return;
    case SUB_PADDW_MM: b = rmV(op); setRegV(op, i16x8.add(regV(op), b)); return;
    case SUB_PSUBW_MM: b = rmV(op); setRegV(op, i16x8.sub(regV(op), b)); return;
    case SUB_PADDD_MM: b = rmV(op); setRegV(op, i32x4.add(regV(op), b)); return;
    case SUB_PSUBD_MM: b = rmV(op); setRegV(op, i32x4.sub(regV(op), b)); return;
    case SUB_PADDQ_MM: b = rmV(op); setRegV(op, i64x2.add(regV(op), b)); return;
    case SUB_PSUBQ_MM: b = rmV(op); setRegV(op, i64x2.sub(regV(op), b)); return;
    case SUB_PADDSB_MM: b = rmV(op); setRegV(op, i8x16.add_sat_s(regV(op), b)); return;
    case SUB_PADDUSB_MM: b = rmV(op); setRegV(op, i8x16.add_sat_u(regV(op), b)); return;
    case SUB_PSUBSB_MM: b = rmV(op); setRegV(op, i8x16.sub_sat_s(regV(op), b)); return;
    case SUB_PSUBUSB_MM: b = rmV(op); setRegV(op, i8x16.sub_sat_u(regV(op), b)); return;
    case SUB_PAVGB_MM: b = rmV(op); setRegV(op, i8x16.avgr_u(regV(op), b)); return;
    case SUB_PADDSW_MM: b = rmV(op); setRegV(op, i16x8.add_sat_s(regV(op), b)); return;
    case SUB_PADDUSW_MM: b = rmV(op); setRegV(op, i16x8.add_sat_u(regV(op), b)); return;
    case SUB_PSUBSW_MM: b = rmV(op); setRegV(op, i16x8.sub_sat_s(regV(op), b)); return;
    case SUB_PSUBUSW_MM: b = rmV(op); setRegV(op, i16x8.sub_sat_u(regV(op), b)); return;
    case SUB_PAVGW_MM: b = rmV(op); setRegV(op, i16x8.avgr_u(regV(op), b)); return;
    case SUB_PMINUB_MM: b = rmV(op); setRegV(op, i8x16.min_u(regV(op), b)); return;
    case SUB_PMAXUB_MM: b = rmV(op); setRegV(op, i8x16.max_u(regV(op), b)); return;
    case SUB_PMINSW_MM: b = rmV(op); setRegV(op, i16x8.min_s(regV(op), b)); return;
    case SUB_PMAXSW_MM: b = rmV(op); setRegV(op, i16x8.max_s(regV(op), b)); return;
    case SUB_PAND_MM: b = rmV(op); setRegV(op, v128.and(regV(op), b)); return;
    case SUB_PANDN_MM: b = rmV(op); setRegV(op, v128.andnot(b, regV(op))); return;
    case SUB_POR_MM: b = rmV(op); setRegV(op, v128.or(regV(op), b)); return;
    case SUB_PXOR_MM: b = rmV(op); setRegV(op, v128.xor(regV(op), b)); return;
    case SUB_PMULLW_MM: b = rmV(op); setRegV(op, i16x8.mul(regV(op), b)); return;
    case SUB_PMULHW_MM: b = rmV(op); setRegV(op, highWords(i32x4.extmul_low_i16x8_s(regV(op), b))); return;
    case SUB_PMULHUW_MM: b = rmV(op); setRegV(op, highWords(i32x4.extmul_low_i16x8_u(regV(op), b))); return;
    case SUB_PMADDWD_MM: b = rmV(op); setRegV(op, i32x4.dot_i16x8_s(regV(op), b)); return;
    case SUB_PMULUDQ_MM: b = rmV(op); setRegV(op, i64x2.extmul_low_i32x4_u(regV(op), b)); return;
    case SUB_PSADBW_MM: b = rmV(op); setRegV(op, sumOfDifferences(regV(op), b)); return;
    case SUB_PSLLW_MM: count = rmQ(op); setRegV(op, shiftLeftWords(regV(op), count)); return;
    case SUB_PSLLW_IMM_MM: setRmV(op, shiftLeftWords(rmV(op), opImm(op) & 0xff)); return;
    case SUB_PSLLD_MM: count = rmQ(op); setRegV(op, shiftLeftDoublewords(regV(op), count)); return;
    case SUB_PSLLD_IMM_MM: setRmV(op, shiftLeftDoublewords(rmV(op), opImm(op) & 0xff)); return;
    case SUB_PSLLQ_MM: count = rmQ(op); setRegV(op, shiftLeftQuadword(regV(op), count)); return;
    case SUB_PSLLQ_IMM_MM: setRmV(op, shiftLeftQuadword(rmV(op), opImm(op) & 0xff)); return;
    case SUB_PSRLW_MM: count = rmQ(op); setRegV(op, shiftRightWords(regV(op), count)); return;
    case SUB_PSRLW_IMM_MM: setRmV(op, shiftRightWords(rmV(op), opImm(op) & 0xff)); return;
    case SUB_PSRLD_MM: count = rmQ(op); setRegV(op, shiftRightDoublewords(regV(op), count)); return;
    case SUB_PSRLD_IMM_MM: setRmV(op, shiftRightDoublewords(rmV(op), opImm(op) & 0xff)); return;
    case SUB_PSRLQ_MM: count = rmQ(op); setRegV(op, shiftRightQuadword(regV(op), count)); return;
    case SUB_PSRLQ_IMM_MM: setRmV(op, shiftRightQuadword(rmV(op), opImm(op) & 0xff)); return;
    case SUB_PSRAW_MM: count = rmQ(op); setRegV(op, shiftArithmeticWords(regV(op), count)); return;
    case SUB_PSRAW_IMM_MM: setRmV(op, shiftArithmeticWords(rmV(op), opImm(op) & 0xff)); return;
    case SUB_PSRAD_MM: count = rmQ(op); setRegV(op, shiftArithmeticDoublewords(regV(op), count)); return;
    case SUB_PSRAD_IMM_MM: setRmV(op, shiftArithmeticDoublewords(rmV(op), opImm(op) & 0xff)); return;
    case SUB_PSHUFB_MM: b = rmV(op); setRegV(op, i8x16.swizzle(regV(op), v128.and(b, i8x16.splat(-121)))); return;
    case SUB_PHADDW_MM: b = rmV(op); setRegV(op, i16x8.add(evenWords(regV(op), b), oddWords(regV(op), b))); return;
    case SUB_PHSUBW_MM: b = rmV(op); setRegV(op, i16x8.sub(evenWords(regV(op), b), oddWords(regV(op), b))); return;
    case SUB_PHADDSW_MM: b = rmV(op); setRegV(op, i16x8.add_sat_s(evenWords(regV(op), b), oddWords(regV(op), b))); return;
    case SUB_PHSUBSW_MM: b = rmV(op); setRegV(op, i16x8.sub_sat_s(evenWords(regV(op), b), oddWords(regV(op), b))); return;
    case SUB_PHADDD_MM: b = rmV(op); setRegV(op, i32x4.add(evenDoublewords(regV(op), b), oddDoublewords(regV(op), b))); return;
    case SUB_PHSUBD_MM: b = rmV(op); setRegV(op, i32x4.sub(evenDoublewords(regV(op), b), oddDoublewords(regV(op), b))); return;
    case SUB_PMADDUBSW_MM: b = rmV(op); setRegV(op, multiplyAddBytes(regV(op), b)); return;
    case SUB_PMULHRSW_MM: b = rmV(op); setRegV(op, multiplyHighRounded(regV(op), b)); return;
    case SUB_PSIGNB_MM: b = rmV(op); setRegV(op, signBytes(regV(op), b)); return;
    case SUB_PSIGNW_MM: b = rmV(op); setRegV(op, signWords(regV(op), b)); return;
    case SUB_PSIGND_MM: b = rmV(op); setRegV(op, signDoublewords(regV(op), b)); return;
    case SUB_PABSB_MM: b = rmV(op); setRegV(op, i8x16.abs(b)); return;
    case SUB_PABSW_MM: b = rmV(op); setRegV(op, i16x8.abs(b)); return;
    case SUB_PABSD_MM: b = rmV(op); setRegV(op, i32x4.abs(b)); return;
    case SUB_MOVD_TO_MM: movdToMm(op); return;
    case SUB_MOVD_FROM_MM: movdFromMm(op); return;
    case SUB_MOVQ_TO_MM: setMm(opReg(op), rmQ(op)); return;
    case SUB_MOVQ_FROM_MM: movqFromMm(op); return;
    case SUB_MOVNTQ_MM: movqFromMm(op); return;
    case SUB_PSHUFW_MM: pshufw(op); return;
    case SUB_PINSRW_MM: pinsrw(op); return;
    case SUB_PEXTRW_MM: pextrw(op); return;
    case SUB_PMOVMSKB_MM: pmovmskb(op); return;
    case SUB_MASKMOVQ_MM: maskmovq(op); return;
    case SUB_PALIGNR_MM: palignr(op); return;
    case SUB_EMMS: touch(); store<u32>(cpu, 0xffff, FPU_TAG); return;
    default: unreachable();
  }
}
