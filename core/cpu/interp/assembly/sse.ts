// The dispatcher of SSE instructions: op records of handler group SSE. Instructions of one vector operation stand here,
// the others in sse-*.ts, aes.ts, clmul.ts, sha.ts and xsave.ts. `a` is the register operand, `b` the register or memory
// operand; memory is read (and may fault) before anything is written.

import { aesdec, aesdeclast, aesenc, aesenclast, aesimc, aeskeygenassist } from './aes';
import { pclmulqdq } from './clmul';
import {
  SUB_ADDPD, SUB_ADDPS, SUB_ADDSD, SUB_ADDSS, SUB_ADDSUBPD, SUB_ADDSUBPS, SUB_AESDEC, SUB_AESDECLAST, SUB_AESENC,
  SUB_AESENCLAST, SUB_AESIMC, SUB_AESKEYGENASSIST, SUB_BLENDPD, SUB_BLENDPS, SUB_BLENDVPD, SUB_BLENDVPS, SUB_CLFLUSH,
  SUB_CMPPD, SUB_CMPPS, SUB_CMPSD_XMM, SUB_CMPSS, SUB_COMISD, SUB_COMISS, SUB_CRC32_B, SUB_CRC32_V, SUB_CVTDQ2PD,
  SUB_CVTDQ2PS, SUB_CVTPD2DQ, SUB_CVTPD2PI, SUB_CVTPD2PS, SUB_CVTPI2PD, SUB_CVTPI2PS, SUB_CVTPS2DQ, SUB_CVTPS2PD,
  SUB_CVTPS2PI, SUB_CVTSD2SI, SUB_CVTSD2SS, SUB_CVTSI2SD, SUB_CVTSI2SS, SUB_CVTSS2SD, SUB_CVTSS2SI, SUB_CVTTPD2DQ,
  SUB_CVTTPD2PI, SUB_CVTTPS2DQ, SUB_CVTTPS2PI, SUB_CVTTSD2SI, SUB_CVTTSS2SI, SUB_DIVPD, SUB_DIVPS, SUB_DIVSD,
  SUB_DIVSS, SUB_DPPD, SUB_DPPS, SUB_EXTRACTPS, SUB_FENCE, SUB_FXRSTOR, SUB_FXSAVE, SUB_HADDPD, SUB_HADDPS,
  SUB_HSUBPD, SUB_HSUBPS, SUB_INSERTPS, SUB_LDMXCSR, SUB_MASKMOVDQU, SUB_MAXPD, SUB_MAXPS, SUB_MAXSD, SUB_MAXSS,
  SUB_MINPD, SUB_MINPS, SUB_MINSD, SUB_MINSS, SUB_MOVA_LOAD, SUB_MOVA_STORE, SUB_MOVDDUP, SUB_MOVDQ2Q, SUB_MOVD_LOAD,
  SUB_MOVD_STORE, SUB_MOVHLPS, SUB_MOVHP_LOAD, SUB_MOVHP_STORE, SUB_MOVLHPS, SUB_MOVLP_LOAD, SUB_MOVLP_STORE,
  SUB_MOVMSKPD, SUB_MOVMSKPS, SUB_MOVNTI, SUB_MOVQ2DQ, SUB_MOVQ_LOAD, SUB_MOVQ_STORE, SUB_MOVSD_LOAD, SUB_MOVSD_STORE,
  SUB_MOVSHDUP, SUB_MOVSLDUP, SUB_MOVSS_LOAD, SUB_MOVSS_STORE, SUB_MOVU_LOAD, SUB_MOVU_STORE, SUB_MPSADBW, SUB_MULPD,
  SUB_MULPS, SUB_MULSD, SUB_MULSS, SUB_PABSB, SUB_PABSD, SUB_PABSW, SUB_PACKSSDW, SUB_PACKSSWB, SUB_PACKUSDW,
  SUB_PACKUSWB, SUB_PADDB, SUB_PADDD, SUB_PADDQ, SUB_PADDSB, SUB_PADDSW, SUB_PADDUSB, SUB_PADDUSW, SUB_PADDW,
  SUB_PALIGNR, SUB_PAND, SUB_PANDN, SUB_PAVGB, SUB_PAVGW, SUB_PBLENDVB, SUB_PBLENDW, SUB_PCLMULQDQ, SUB_PCMPEQB,
  SUB_PCMPEQD, SUB_PCMPEQQ, SUB_PCMPEQW, SUB_PCMPESTRI, SUB_PCMPESTRM, SUB_PCMPGTB, SUB_PCMPGTD, SUB_PCMPGTQ,
  SUB_PCMPGTW, SUB_PCMPISTRI, SUB_PCMPISTRM, SUB_PEXTRB, SUB_PEXTRD, SUB_PEXTRW, SUB_PEXTRW_STORE, SUB_PHADDD,
  SUB_PHADDSW, SUB_PHADDW, SUB_PHMINPOSUW, SUB_PHSUBD, SUB_PHSUBSW, SUB_PHSUBW, SUB_PINSRB, SUB_PINSRD, SUB_PINSRW,
  SUB_PMADDUBSW, SUB_PMADDWD, SUB_PMAXSB, SUB_PMAXSD, SUB_PMAXSW, SUB_PMAXUB, SUB_PMAXUD, SUB_PMAXUW, SUB_PMINSB,
  SUB_PMINSD, SUB_PMINSW, SUB_PMINUB, SUB_PMINUD, SUB_PMINUW, SUB_PMOVMSKB, SUB_PMOVSXBD, SUB_PMOVSXBQ, SUB_PMOVSXBW,
  SUB_PMOVSXDQ, SUB_PMOVSXWD, SUB_PMOVSXWQ, SUB_PMOVZXBD, SUB_PMOVZXBQ, SUB_PMOVZXBW, SUB_PMOVZXDQ, SUB_PMOVZXWD,
  SUB_PMOVZXWQ, SUB_PMULDQ, SUB_PMULHRSW, SUB_PMULHUW, SUB_PMULHW, SUB_PMULLD, SUB_PMULLW, SUB_PMULUDQ, SUB_POR,
  SUB_PSADBW, SUB_PSHUFB, SUB_PSHUFD, SUB_PSHUFHW, SUB_PSHUFLW, SUB_PSIGNB, SUB_PSIGND, SUB_PSIGNW, SUB_PSLLD,
  SUB_PSLLDQ, SUB_PSLLD_IMM, SUB_PSLLQ, SUB_PSLLQ_IMM, SUB_PSLLW, SUB_PSLLW_IMM, SUB_PSRAD, SUB_PSRAD_IMM, SUB_PSRAW,
  SUB_PSRAW_IMM, SUB_PSRLD, SUB_PSRLDQ, SUB_PSRLD_IMM, SUB_PSRLQ, SUB_PSRLQ_IMM, SUB_PSRLW, SUB_PSRLW_IMM, SUB_PSUBB,
  SUB_PSUBD, SUB_PSUBQ, SUB_PSUBSB, SUB_PSUBSW, SUB_PSUBUSB, SUB_PSUBUSW, SUB_PSUBW, SUB_PTEST, SUB_PUNPCKHBW,
  SUB_PUNPCKHDQ, SUB_PUNPCKHQDQ, SUB_PUNPCKHWD, SUB_PUNPCKLBW, SUB_PUNPCKLDQ, SUB_PUNPCKLQDQ, SUB_PUNPCKLWD, SUB_PXOR,
  SUB_RCPPS, SUB_RCPSS, SUB_ROUNDPD, SUB_ROUNDPS, SUB_ROUNDSD, SUB_ROUNDSS, SUB_RSQRTPS, SUB_RSQRTSS, SUB_SHA1MSG1,
  SUB_SHA1MSG2, SUB_SHA1NEXTE, SUB_SHA1RNDS4, SUB_SHA256MSG1, SUB_SHA256MSG2, SUB_SHA256RNDS2, SUB_SHUFPD, SUB_SHUFPS,
  SUB_SQRTPD, SUB_SQRTPS, SUB_SQRTSD, SUB_SQRTSS, SUB_STMXCSR, SUB_SUBPD, SUB_SUBPS, SUB_SUBSD, SUB_SUBSS,
  SUB_UCOMISD, SUB_UCOMISS, SUB_XGETBV, SUB_XRSTOR, SUB_XSAVE, SUB_XSAVEOPT, SUB_XSETBV,
} from './generated/subs';
import { opReg, opRm, opSub } from './op';
import { sha1msg1, sha1msg2, sha1nexte, sha1rnds4, sha256msg1, sha256msg2, sha256rnds2 } from './sha';
import {
  cvtdq2pd, cvtdq2ps, cvtpd2ps, cvtpi2pd, cvtpi2ps, cvtps2pd, cvtsd2ss, cvtsi2sd, cvtsi2ss, cvtss2sd, doubleToInteger,
  doublesToIntegers, doublesToMmx, movdq2q, movq2dq, singleToInteger, singlesToIntegers, singlesToMmx,
} from './sse-convert';
import {
  approximatePacked, approximateScalar, cmppd, cmpps, cmpsd, cmpss, comis32, comis64, roundpd, roundps, roundsd,
  roundss,
} from './sse-compare';
import {
  ADD, DIV, MAX, MIN, MUL, SQRT, SUB, addsubpd, addsubps, dppd, dpps, horizontalDouble, horizontalSingle,
  packedDouble, packedSingle, scalarDouble, scalarSingle,
} from './sse-float';
import {
  blendBySigns, blendpd, blendps, evenDoublewords, evenLanes, evenWords, extendBytesToDoublewords,
  extendBytesToQuadwords, extendHalf, extendWordsToQuadwords, maddBytes, mpsadbw, mulHighRound, mulHighWords,
  oddLanes, oddWords, pblendw, phminposuw, psll, psllImm, psra, psraImm, psrl, psrlImm, ptest, sadBytes, signBytes,
  signDoublewords, signWords,
} from './sse-integer';
import {
  extractps, insertps, maskmovdqu, movdLoad, movdStore, movddup, movmskpd, movmskps, movnti, movqStore, movsdLoad,
  movsdStore, movssLoad, movssStore, palignr, pextrb, pextrd, pextrw, pextrwStore, pinsrb, pinsrd, pinsrw, pmovmskb,
  pshufd, pshufhw, pshuflw, pslldq, psrldq, shufpd, shufps,
} from './sse-move';
import {
  raiseSseUnavailable, regV, rmLow64, rmQ, rmV, rmVUnaligned, setRegV, sseAvailable, storeAligned, storeMemory64,
  storeUnaligned, xmm, xmmAt,
} from './sse-operands';
import { crc32Byte, crc32Wide, stringIndex, stringMask } from './sse-string';
import { clflush, fxrstor, fxsave, ldmxcsr, stmxcsr, xgetbv, xrstor, xsave, xsetbv } from './xsave';

export function executeSse(op: usize): void {
  const sub = opSub(op);
  if (!sseAvailable() && checked(sub)) raiseSseUnavailable();
  switch (sub) {
    // --- Moves, shuffles, shifts, blends.
    case SUB_MOVU_LOAD: setRegV(op, rmVUnaligned(op)); break;
    case SUB_MOVU_STORE: storeUnaligned(op, regV(op)); break;
    case SUB_MOVA_LOAD: setRegV(op, rmV(op)); break;
    case SUB_MOVA_STORE: storeAligned(op, regV(op)); break;
    case SUB_MOVSS_LOAD: movssLoad(op); break;
    case SUB_MOVSD_LOAD: movsdLoad(op); break;
    case SUB_MOVSS_STORE: movssStore(op); break;
    case SUB_MOVSD_STORE: movsdStore(op); break;
    case SUB_MOVQ_LOAD: setRegV(op, rmLow64(op)); break;
    case SUB_MOVQ_STORE: movqStore(op); break;
    case SUB_MOVD_LOAD: movdLoad(op); break;
    case SUB_MOVD_STORE: movdStore(op); break;
    case SUB_MOVLP_LOAD: store<u64>(xmmAt(opReg(op)), rmQ(op)); break;
    case SUB_MOVHP_LOAD: store<u64>(xmmAt(opReg(op)), rmQ(op), 8); break;
    case SUB_MOVLP_STORE: storeMemory64(op, load<u64>(xmmAt(opReg(op)))); break;
    case SUB_MOVHP_STORE: storeMemory64(op, load<u64>(xmmAt(opReg(op)), 8)); break;
    case SUB_MOVHLPS: store<u64>(xmmAt(opReg(op)), load<u64>(xmmAt(opRm(op)), 8)); break;
    case SUB_MOVLHPS: store<u64>(xmmAt(opReg(op)), load<u64>(xmmAt(opRm(op))), 8); break;
    case SUB_MOVDDUP: movddup(op); break;
    case SUB_MOVMSKPS: movmskps(op); break;
    case SUB_MOVMSKPD: movmskpd(op); break;
    case SUB_PMOVMSKB: pmovmskb(op); break;
    case SUB_MOVNTI: movnti(op); break;
    case SUB_MASKMOVDQU: maskmovdqu(op); break;
    case SUB_MOVQ2DQ: movq2dq(op); break;
    case SUB_MOVDQ2Q: movdq2q(op); break;
    case SUB_PINSRB: pinsrb(op); break;
    case SUB_PINSRW: pinsrw(op); break;
    case SUB_PINSRD: pinsrd(op); break;
    case SUB_PEXTRB: pextrb(op); break;
    case SUB_PEXTRW: pextrw(op); break;
    case SUB_PEXTRW_STORE: pextrwStore(op); break;
    case SUB_PEXTRD: pextrd(op); break;
    case SUB_EXTRACTPS: extractps(op); break;
    case SUB_INSERTPS: insertps(op); break;
    case SUB_SHUFPS: shufps(op); break;
    case SUB_SHUFPD: shufpd(op); break;
    case SUB_PSHUFD: pshufd(op); break;
    case SUB_PSHUFLW: pshuflw(op); break;
    case SUB_PSHUFHW: pshufhw(op); break;
    case SUB_PALIGNR: palignr(op); break;
    case SUB_PSLLDQ: pslldq(op); break;
    case SUB_PSRLDQ: psrldq(op); break;
    case SUB_PSLLW: psll(16, op); break;
    case SUB_PSRLW: psrl(16, op); break;
    case SUB_PSLLW_IMM: psllImm(16, op); break;
    case SUB_PSRLW_IMM: psrlImm(16, op); break;
    case SUB_PSRAW: psra(16, op); break;
    case SUB_PSRAW_IMM: psraImm(16, op); break;
    case SUB_PSLLD: psll(32, op); break;
    case SUB_PSRLD: psrl(32, op); break;
    case SUB_PSLLD_IMM: psllImm(32, op); break;
    case SUB_PSRLD_IMM: psrlImm(32, op); break;
    case SUB_PSRAD: psra(32, op); break;
    case SUB_PSRAD_IMM: psraImm(32, op); break;
    case SUB_PSLLQ: psll(64, op); break;
    case SUB_PSRLQ: psrl(64, op); break;
    case SUB_PSLLQ_IMM: psllImm(64, op); break;
    case SUB_PSRLQ_IMM: psrlImm(64, op); break;
    case SUB_PMOVSXBW: extendHalf(op, 8, true); break;
    case SUB_PMOVSXBD: extendBytesToDoublewords(op, true); break;
    case SUB_PMOVSXBQ: extendBytesToQuadwords(op, true); break;
    case SUB_PMOVSXWD: extendHalf(op, 16, true); break;
    case SUB_PMOVSXWQ: extendWordsToQuadwords(op, true); break;
    case SUB_PMOVSXDQ: extendHalf(op, 32, true); break;
    case SUB_PMOVZXBW: extendHalf(op, 8, false); break;
    case SUB_PMOVZXBD: extendBytesToDoublewords(op, false); break;
    case SUB_PMOVZXBQ: extendBytesToQuadwords(op, false); break;
    case SUB_PMOVZXWD: extendHalf(op, 16, false); break;
    case SUB_PMOVZXWQ: extendWordsToQuadwords(op, false); break;
    case SUB_PMOVZXDQ: extendHalf(op, 32, false); break;
    case SUB_PBLENDVB: blendBySigns(op, i8x16.shr_s(xmm(0), 7)); break;
    case SUB_BLENDVPS: blendBySigns(op, i32x4.shr_s(xmm(0), 31)); break;
    case SUB_BLENDVPD: blendBySigns(op, i64x2.shr_s(xmm(0), 63)); break;
    case SUB_PBLENDW: pblendw(op); break;
    case SUB_BLENDPS: blendps(op); break;
    case SUB_BLENDPD: blendpd(op); break;
    case SUB_PTEST: ptest(op); break;
    case SUB_PHMINPOSUW: phminposuw(op); break;
    case SUB_MPSADBW: mpsadbw(op); break;
    // --- Packed integers.
    case SUB_PUNPCKLBW: { const b = rmV(op); const a = regV(op); setRegV(op, i8x16.shuffle(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)); break; }
    case SUB_PUNPCKHBW: { const b = rmV(op); const a = regV(op); setRegV(op, i8x16.shuffle(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)); break; }
    case SUB_PUNPCKLWD: { const b = rmV(op); const a = regV(op); setRegV(op, i16x8.shuffle(a, b, 0, 8, 1, 9, 2, 10, 3, 11)); break; }
    case SUB_PUNPCKHWD: { const b = rmV(op); const a = regV(op); setRegV(op, i16x8.shuffle(a, b, 4, 12, 5, 13, 6, 14, 7, 15)); break; }
    case SUB_PUNPCKLDQ: { const b = rmV(op); const a = regV(op); setRegV(op, i32x4.shuffle(a, b, 0, 4, 1, 5)); break; }
    case SUB_PUNPCKHDQ: { const b = rmV(op); const a = regV(op); setRegV(op, i32x4.shuffle(a, b, 2, 6, 3, 7)); break; }
    case SUB_PUNPCKLQDQ: { const b = rmV(op); const a = regV(op); setRegV(op, i64x2.shuffle(a, b, 0, 2)); break; }
    case SUB_PUNPCKHQDQ: { const b = rmV(op); const a = regV(op); setRegV(op, i64x2.shuffle(a, b, 1, 3)); break; }
    case SUB_PACKSSWB: { const b = rmV(op); const a = regV(op); setRegV(op, i8x16.narrow_i16x8_s(a, b)); break; }
    case SUB_PACKUSWB: { const b = rmV(op); const a = regV(op); setRegV(op, i8x16.narrow_i16x8_u(a, b)); break; }
    case SUB_PACKSSDW: { const b = rmV(op); const a = regV(op); setRegV(op, i16x8.narrow_i32x4_s(a, b)); break; }
    case SUB_PACKUSDW: { const b = rmV(op); const a = regV(op); setRegV(op, i16x8.narrow_i32x4_u(a, b)); break; }
    case SUB_PCMPEQB: { const b = rmV(op); const a = regV(op); setRegV(op, i8x16.eq(a, b)); break; }
    case SUB_PCMPEQW: { const b = rmV(op); const a = regV(op); setRegV(op, i16x8.eq(a, b)); break; }
    case SUB_PCMPEQD: { const b = rmV(op); const a = regV(op); setRegV(op, i32x4.eq(a, b)); break; }
    case SUB_PCMPEQQ: { const b = rmV(op); const a = regV(op); setRegV(op, i64x2.eq(a, b)); break; }
    case SUB_PCMPGTB: { const b = rmV(op); const a = regV(op); setRegV(op, i8x16.gt_s(a, b)); break; }
    case SUB_PCMPGTW: { const b = rmV(op); const a = regV(op); setRegV(op, i16x8.gt_s(a, b)); break; }
    case SUB_PCMPGTD: { const b = rmV(op); const a = regV(op); setRegV(op, i32x4.gt_s(a, b)); break; }
    case SUB_PCMPGTQ: { const b = rmV(op); const a = regV(op); setRegV(op, i64x2.gt_s(a, b)); break; }
    case SUB_PAND: { const b = rmV(op); const a = regV(op); setRegV(op, v128.and(a, b)); break; }
    case SUB_PANDN: { const b = rmV(op); const a = regV(op); setRegV(op, v128.andnot(b, a)); break; }
    case SUB_POR: { const b = rmV(op); const a = regV(op); setRegV(op, v128.or(a, b)); break; }
    case SUB_PXOR: { const b = rmV(op); const a = regV(op); setRegV(op, v128.xor(a, b)); break; }
    case SUB_PADDB: { const b = rmV(op); const a = regV(op); setRegV(op, i8x16.add(a, b)); break; }
    case SUB_PADDW: { const b = rmV(op); const a = regV(op); setRegV(op, i16x8.add(a, b)); break; }
    case SUB_PADDD: { const b = rmV(op); const a = regV(op); setRegV(op, i32x4.add(a, b)); break; }
    case SUB_PADDQ: { const b = rmV(op); const a = regV(op); setRegV(op, i64x2.add(a, b)); break; }
    case SUB_PSUBB: { const b = rmV(op); const a = regV(op); setRegV(op, i8x16.sub(a, b)); break; }
    case SUB_PSUBW: { const b = rmV(op); const a = regV(op); setRegV(op, i16x8.sub(a, b)); break; }
    case SUB_PSUBD: { const b = rmV(op); const a = regV(op); setRegV(op, i32x4.sub(a, b)); break; }
    case SUB_PSUBQ: { const b = rmV(op); const a = regV(op); setRegV(op, i64x2.sub(a, b)); break; }
    case SUB_PADDSB: { const b = rmV(op); const a = regV(op); setRegV(op, i8x16.add_sat_s(a, b)); break; }
    case SUB_PADDSW: { const b = rmV(op); const a = regV(op); setRegV(op, i16x8.add_sat_s(a, b)); break; }
    case SUB_PADDUSB: { const b = rmV(op); const a = regV(op); setRegV(op, i8x16.add_sat_u(a, b)); break; }
    case SUB_PADDUSW: { const b = rmV(op); const a = regV(op); setRegV(op, i16x8.add_sat_u(a, b)); break; }
    case SUB_PSUBSB: { const b = rmV(op); const a = regV(op); setRegV(op, i8x16.sub_sat_s(a, b)); break; }
    case SUB_PSUBSW: { const b = rmV(op); const a = regV(op); setRegV(op, i16x8.sub_sat_s(a, b)); break; }
    case SUB_PSUBUSB: { const b = rmV(op); const a = regV(op); setRegV(op, i8x16.sub_sat_u(a, b)); break; }
    case SUB_PSUBUSW: { const b = rmV(op); const a = regV(op); setRegV(op, i16x8.sub_sat_u(a, b)); break; }
    case SUB_PMINUB: { const b = rmV(op); const a = regV(op); setRegV(op, i8x16.min_u(a, b)); break; }
    case SUB_PMAXUB: { const b = rmV(op); const a = regV(op); setRegV(op, i8x16.max_u(a, b)); break; }
    case SUB_PMINSW: { const b = rmV(op); const a = regV(op); setRegV(op, i16x8.min_s(a, b)); break; }
    case SUB_PMAXSW: { const b = rmV(op); const a = regV(op); setRegV(op, i16x8.max_s(a, b)); break; }
    case SUB_PMINSB: { const b = rmV(op); const a = regV(op); setRegV(op, i8x16.min_s(a, b)); break; }
    case SUB_PMAXSB: { const b = rmV(op); const a = regV(op); setRegV(op, i8x16.max_s(a, b)); break; }
    case SUB_PMINUW: { const b = rmV(op); const a = regV(op); setRegV(op, i16x8.min_u(a, b)); break; }
    case SUB_PMAXUW: { const b = rmV(op); const a = regV(op); setRegV(op, i16x8.max_u(a, b)); break; }
    case SUB_PMINSD: { const b = rmV(op); const a = regV(op); setRegV(op, i32x4.min_s(a, b)); break; }
    case SUB_PMAXSD: { const b = rmV(op); const a = regV(op); setRegV(op, i32x4.max_s(a, b)); break; }
    case SUB_PMINUD: { const b = rmV(op); const a = regV(op); setRegV(op, i32x4.min_u(a, b)); break; }
    case SUB_PMAXUD: { const b = rmV(op); const a = regV(op); setRegV(op, i32x4.max_u(a, b)); break; }
    case SUB_PAVGB: { const b = rmV(op); const a = regV(op); setRegV(op, i8x16.avgr_u(a, b)); break; }
    case SUB_PAVGW: { const b = rmV(op); const a = regV(op); setRegV(op, i16x8.avgr_u(a, b)); break; }
    case SUB_PMULLW: { const b = rmV(op); const a = regV(op); setRegV(op, i16x8.mul(a, b)); break; }
    case SUB_PMULLD: { const b = rmV(op); const a = regV(op); setRegV(op, i32x4.mul(a, b)); break; }
    case SUB_PMULHW: { const b = rmV(op); const a = regV(op); setRegV(op, mulHighWords(a, b, true)); break; }
    case SUB_PMULHUW: { const b = rmV(op); const a = regV(op); setRegV(op, mulHighWords(a, b, false)); break; }
    case SUB_PMADDWD: { const b = rmV(op); const a = regV(op); setRegV(op, i32x4.dot_i16x8_s(a, b)); break; }
    case SUB_PMADDUBSW: { const b = rmV(op); const a = regV(op); setRegV(op, maddBytes(a, b)); break; }
    case SUB_PMULHRSW: { const b = rmV(op); const a = regV(op); setRegV(op, mulHighRound(a, b)); break; }
    case SUB_PMULUDQ: { const b = rmV(op); const a = regV(op); setRegV(op, i64x2.extmul_low_i32x4_u(evenDoublewords(a), evenDoublewords(b))); break; }
    case SUB_PMULDQ: { const b = rmV(op); const a = regV(op); setRegV(op, i64x2.extmul_low_i32x4_s(evenDoublewords(a), evenDoublewords(b))); break; }
    case SUB_PSADBW: { const b = rmV(op); const a = regV(op); setRegV(op, sadBytes(a, b)); break; }
    case SUB_PHADDW: { const b = rmV(op); const a = regV(op); setRegV(op, i16x8.add(evenWords(a, b), oddWords(a, b))); break; }
    case SUB_PHADDD: { const b = rmV(op); const a = regV(op); setRegV(op, i32x4.add(evenLanes(a, b), oddLanes(a, b))); break; }
    case SUB_PHADDSW: { const b = rmV(op); const a = regV(op); setRegV(op, i16x8.add_sat_s(evenWords(a, b), oddWords(a, b))); break; }
    case SUB_PHSUBW: { const b = rmV(op); const a = regV(op); setRegV(op, i16x8.sub(evenWords(a, b), oddWords(a, b))); break; }
    case SUB_PHSUBD: { const b = rmV(op); const a = regV(op); setRegV(op, i32x4.sub(evenLanes(a, b), oddLanes(a, b))); break; }
    case SUB_PHSUBSW: { const b = rmV(op); const a = regV(op); setRegV(op, i16x8.sub_sat_s(evenWords(a, b), oddWords(a, b))); break; }
    case SUB_PSIGNB: { const b = rmV(op); const a = regV(op); setRegV(op, signBytes(a, b)); break; }
    case SUB_PSIGNW: { const b = rmV(op); const a = regV(op); setRegV(op, signWords(a, b)); break; }
    case SUB_PSIGND: { const b = rmV(op); const a = regV(op); setRegV(op, signDoublewords(a, b)); break; }
    case SUB_PSHUFB: { const b = rmV(op); const a = regV(op); setRegV(op, i8x16.swizzle(a, v128.and(b, i8x16.splat(-113)))); break; }
    case SUB_PABSB: setRegV(op, i8x16.abs(rmV(op))); break;
    case SUB_PABSW: setRegV(op, i16x8.abs(rmV(op))); break;
    case SUB_PABSD: setRegV(op, i32x4.abs(rmV(op))); break;
    case SUB_MOVSLDUP: { const b = rmV(op); setRegV(op, i32x4.shuffle(b, b, 0, 0, 2, 2)); break; }
    case SUB_MOVSHDUP: { const b = rmV(op); setRegV(op, i32x4.shuffle(b, b, 1, 1, 3, 3)); break; }
    // --- Floating point.
    case SUB_ADDPS: packedSingle(ADD, op); break;
    case SUB_ADDPD: packedDouble(ADD, op); break;
    case SUB_ADDSS: scalarSingle(ADD, op); break;
    case SUB_ADDSD: scalarDouble(ADD, op); break;
    case SUB_SUBPS: packedSingle(SUB, op); break;
    case SUB_SUBPD: packedDouble(SUB, op); break;
    case SUB_SUBSS: scalarSingle(SUB, op); break;
    case SUB_SUBSD: scalarDouble(SUB, op); break;
    case SUB_MULPS: packedSingle(MUL, op); break;
    case SUB_MULPD: packedDouble(MUL, op); break;
    case SUB_MULSS: scalarSingle(MUL, op); break;
    case SUB_MULSD: scalarDouble(MUL, op); break;
    case SUB_DIVPS: packedSingle(DIV, op); break;
    case SUB_DIVPD: packedDouble(DIV, op); break;
    case SUB_DIVSS: scalarSingle(DIV, op); break;
    case SUB_DIVSD: scalarDouble(DIV, op); break;
    case SUB_MINPS: packedSingle(MIN, op); break;
    case SUB_MINPD: packedDouble(MIN, op); break;
    case SUB_MINSS: scalarSingle(MIN, op); break;
    case SUB_MINSD: scalarDouble(MIN, op); break;
    case SUB_MAXPS: packedSingle(MAX, op); break;
    case SUB_MAXPD: packedDouble(MAX, op); break;
    case SUB_MAXSS: scalarSingle(MAX, op); break;
    case SUB_MAXSD: scalarDouble(MAX, op); break;
    case SUB_SQRTPS: packedSingle(SQRT, op); break;
    case SUB_SQRTPD: packedDouble(SQRT, op); break;
    case SUB_SQRTSS: scalarSingle(SQRT, op); break;
    case SUB_SQRTSD: scalarDouble(SQRT, op); break;
    case SUB_HADDPS: horizontalSingle(ADD, op); break;
    case SUB_HADDPD: horizontalDouble(ADD, op); break;
    case SUB_HSUBPS: horizontalSingle(SUB, op); break;
    case SUB_HSUBPD: horizontalDouble(SUB, op); break;
    case SUB_ADDSUBPS: addsubps(op); break;
    case SUB_ADDSUBPD: addsubpd(op); break;
    case SUB_DPPS: dpps(op); break;
    case SUB_DPPD: dppd(op); break;
    case SUB_CMPPS: cmpps(op); break;
    case SUB_CMPPD: cmppd(op); break;
    case SUB_CMPSS: cmpss(op); break;
    case SUB_ROUNDPS: roundps(op); break;
    case SUB_ROUNDPD: roundpd(op); break;
    case SUB_ROUNDSS: roundss(op); break;
    case SUB_ROUNDSD: roundsd(op); break;
    case SUB_CMPSD_XMM: cmpsd(op); break;
    case SUB_COMISS: comis32(op, false); break;
    case SUB_UCOMISS: comis32(op, true); break;
    case SUB_COMISD: comis64(op, false); break;
    case SUB_UCOMISD: comis64(op, true); break;
    case SUB_RCPPS: approximatePacked(false, op); break;
    case SUB_RCPSS: approximateScalar(false, op); break;
    case SUB_RSQRTPS: approximatePacked(true, op); break;
    case SUB_RSQRTSS: approximateScalar(true, op); break;
    case SUB_CVTSI2SS: cvtsi2ss(op); break;
    case SUB_CVTSI2SD: cvtsi2sd(op); break;
    case SUB_CVTSS2SD: cvtss2sd(op); break;
    case SUB_CVTSD2SS: cvtsd2ss(op); break;
    case SUB_CVTPS2PD: cvtps2pd(op); break;
    case SUB_CVTPD2PS: cvtpd2ps(op); break;
    case SUB_CVTDQ2PS: cvtdq2ps(op); break;
    case SUB_CVTDQ2PD: cvtdq2pd(op); break;
    case SUB_CVTPI2PS: cvtpi2ps(op); break;
    case SUB_CVTPI2PD: cvtpi2pd(op); break;
    case SUB_CVTSS2SI: singleToInteger(op, false); break;
    case SUB_CVTSD2SI: doubleToInteger(op, false); break;
    case SUB_CVTPS2DQ: singlesToIntegers(op, false); break;
    case SUB_CVTPD2DQ: doublesToIntegers(op, false); break;
    case SUB_CVTPS2PI: singlesToMmx(op, false); break;
    case SUB_CVTPD2PI: doublesToMmx(op, false); break;
    case SUB_CVTTSS2SI: singleToInteger(op, true); break;
    case SUB_CVTTSD2SI: doubleToInteger(op, true); break;
    case SUB_CVTTPS2DQ: singlesToIntegers(op, true); break;
    case SUB_CVTTPD2DQ: doublesToIntegers(op, true); break;
    case SUB_CVTTPS2PI: singlesToMmx(op, true); break;
    case SUB_CVTTPD2PI: doublesToMmx(op, true); break;
    // --- Strings, checksums, cryptography.
    case SUB_PCMPESTRI: stringIndex(op, true); break;
    case SUB_PCMPISTRI: stringIndex(op, false); break;
    case SUB_PCMPESTRM: stringMask(op, true); break;
    case SUB_PCMPISTRM: stringMask(op, false); break;
    case SUB_CRC32_B: crc32Byte(op); break;
    case SUB_CRC32_V: crc32Wide(op); break;
    case SUB_PCLMULQDQ: pclmulqdq(op); break;
    case SUB_AESENC: aesenc(op); break;
    case SUB_AESENCLAST: aesenclast(op); break;
    case SUB_AESDEC: aesdec(op); break;
    case SUB_AESDECLAST: aesdeclast(op); break;
    case SUB_AESIMC: aesimc(op); break;
    case SUB_AESKEYGENASSIST: aeskeygenassist(op); break;
    case SUB_SHA1RNDS4: sha1rnds4(op); break;
    case SUB_SHA1NEXTE: sha1nexte(op); break;
    case SUB_SHA1MSG1: sha1msg1(op); break;
    case SUB_SHA1MSG2: sha1msg2(op); break;
    case SUB_SHA256RNDS2: sha256rnds2(op); break;
    case SUB_SHA256MSG1: sha256msg1(op); break;
    case SUB_SHA256MSG2: sha256msg2(op); break;
    // --- State.
    case SUB_LDMXCSR: ldmxcsr(op); break;
    case SUB_STMXCSR: stmxcsr(op); break;
    case SUB_FXSAVE: fxsave(op); break;
    case SUB_FXRSTOR: fxrstor(op); break;
    case SUB_XSAVE: xsave(op, false); break;
    case SUB_XSAVEOPT: xsave(op, true); break;
    case SUB_XRSTOR: xrstor(op); break;
    case SUB_XGETBV: xgetbv(); break;
    case SUB_XSETBV: xsetbv(); break;
    case SUB_CLFLUSH: clflush(op); break;
    case SUB_FENCE: break;
    default: unreachable();
  }
}

/** Instructions of this group that use no XMM register, or have checks of their own, run whatever CR0 and CR4 say. */
function checked(sub: u32): bool {
  switch (sub) {
    case SUB_FENCE:
    case SUB_CLFLUSH:
    case SUB_MOVNTI:
    case SUB_CRC32_B:
    case SUB_CRC32_V:
    case SUB_FXSAVE:
    case SUB_FXRSTOR:
    case SUB_XSAVE:
    case SUB_XSAVEOPT:
    case SUB_XRSTOR:
    case SUB_XGETBV:
    case SUB_XSETBV:
      return false;
    default:
      return true;
  }
}
