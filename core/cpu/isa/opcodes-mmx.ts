// Opcode rows of MMX with the extensions that SSE, SSE2 and SSSE3 gave it. P is the MMX register in ModRM.reg, Q the MMX
// register or memory in ModRM.rm. Conversions between MMX and XMM registers are in opcodes-sse.ts. Intel SDM volume 2.

import type { OpcodeMap, OpcodeRow } from './opcode-row.ts';

const rows: OpcodeRow[] = [];

type Extra = Partial<Omit<OpcodeRow, 'map' | 'opcode' | 'handler'>>;

function mmx(opcode: number, mnemonic: string, operands = 'Pq,Qq', feature = 'mmx', extra: Extra = {}, map: OpcodeMap = '0f'): void {
  rows.push({ map, opcode, prefix: 'np', mnemonic, operands, handler: 'MMX', sub: `${mnemonic.toUpperCase()}_MM`, feature, ...extra });
}

const LIST: readonly (readonly [number, string, string?])[] = [
  [0x60, 'punpcklbw'], [0x61, 'punpcklwd'], [0x62, 'punpckldq'], [0x63, 'packsswb'], [0x64, 'pcmpgtb'], [0x65, 'pcmpgtw'], [0x66, 'pcmpgtd'], [0x67, 'packuswb'],
  [0x68, 'punpckhbw'], [0x69, 'punpckhwd'], [0x6a, 'punpckhdq'], [0x6b, 'packssdw'],
  [0x74, 'pcmpeqb'], [0x75, 'pcmpeqw'], [0x76, 'pcmpeqd'],
  [0xd1, 'psrlw'], [0xd2, 'psrld'], [0xd3, 'psrlq'], [0xd4, 'paddq', 'sse2'], [0xd5, 'pmullw'], [0xd8, 'psubusb'], [0xd9, 'psubusw'], [0xda, 'pminub', 'sse'], [0xdb, 'pand'],
  [0xdc, 'paddusb'], [0xdd, 'paddusw'], [0xde, 'pmaxub', 'sse'], [0xdf, 'pandn'],
  [0xe0, 'pavgb', 'sse'], [0xe1, 'psraw'], [0xe2, 'psrad'], [0xe3, 'pavgw', 'sse'], [0xe4, 'pmulhuw', 'sse'], [0xe5, 'pmulhw'], [0xe8, 'psubsb'], [0xe9, 'psubsw'],
  [0xea, 'pminsw', 'sse'], [0xeb, 'por'], [0xec, 'paddsb'], [0xed, 'paddsw'], [0xee, 'pmaxsw', 'sse'], [0xef, 'pxor'],
  [0xf1, 'psllw'], [0xf2, 'pslld'], [0xf3, 'psllq'], [0xf4, 'pmuludq', 'sse2'], [0xf5, 'pmaddwd'], [0xf6, 'psadbw', 'sse'],
  [0xf8, 'psubb'], [0xf9, 'psubw'], [0xfa, 'psubd'], [0xfb, 'psubq', 'sse2'], [0xfc, 'paddb'], [0xfd, 'paddw'], [0xfe, 'paddd'],
];
for (const [opcode, mnemonic, feature] of LIST) mmx(opcode, mnemonic, mnemonic.startsWith('punpckl') ? 'Pq,Qd' : 'Pq,Qq', feature);

mmx(0x6e, 'movd', 'Pd,Ey', 'mmx', { sub: 'MOVD_TO_MM' });
mmx(0x7e, 'movd', 'Ey,Pd', 'mmx', { sub: 'MOVD_FROM_MM' });
mmx(0x6f, 'movq', 'Pq,Qq', 'mmx', { sub: 'MOVQ_TO_MM' });
mmx(0x7f, 'movq', 'Qq,Pq', 'mmx', { sub: 'MOVQ_FROM_MM' });
mmx(0x70, 'pshufw', 'Pq,Qq,Ib', 'sse');
mmx(0xc4, 'pinsrw', 'Pq,RdMw,Ib', 'sse');
mmx(0xc5, 'pextrw', 'Gd,Nq,Ib', 'sse', { mod: 'reg' });
mmx(0xd7, 'pmovmskb', 'Gd,Nq', 'sse', { mod: 'reg' });
mmx(0xe7, 'movntq', 'Mq,Pq', 'sse', { mod: 'mem' });
mmx(0xf7, 'maskmovq', 'Pq,Nq', 'sse', { mod: 'reg' });
rows.push({ map: '0f', opcode: 0x77, prefix: 'np', mnemonic: 'emms', handler: 'MMX', sub: 'EMMS', feature: 'mmx' });

const SHIFTS: readonly (readonly [number, number, string])[] = [
  [0x71, 2, 'psrlw'], [0x71, 4, 'psraw'], [0x71, 6, 'psllw'], [0x72, 2, 'psrld'], [0x72, 4, 'psrad'], [0x72, 6, 'pslld'], [0x73, 2, 'psrlq'], [0x73, 6, 'psllq'],
];
for (const [opcode, reg, mnemonic] of SHIFTS) mmx(opcode, mnemonic, 'Nq,Ib', 'mmx', { reg, mod: 'reg', sub: `${mnemonic.toUpperCase()}_IMM_MM` });

const SSSE3 = ['pshufb', 'phaddw', 'phaddd', 'phaddsw', 'pmaddubsw', 'phsubw', 'phsubd', 'phsubsw', 'psignb', 'psignw', 'psignd', 'pmulhrsw'];
SSSE3.forEach((mnemonic, opcode) => mmx(opcode, mnemonic, 'Pq,Qq', 'ssse3', {}, '0f38'));
mmx(0x1c, 'pabsb', 'Pq,Qq', 'ssse3', {}, '0f38');
mmx(0x1d, 'pabsw', 'Pq,Qq', 'ssse3', {}, '0f38');
mmx(0x1e, 'pabsd', 'Pq,Qq', 'ssse3', {}, '0f38');
mmx(0x0f, 'palignr', 'Pq,Qq,Ib', 'ssse3', {}, '0f3a');

export const MMX_ROWS: readonly OpcodeRow[] = rows;
