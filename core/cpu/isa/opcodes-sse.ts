// Opcode rows of SSE to SSE4.2, AES-NI, PCLMULQDQ, SHA-NI, and of the state instructions FXSAVE to XSETBV. Legacy
// encodings only: AVX is not offered. Encodings that do the same work share one `sub` (MOVAPS and MOVAPD, PAND and ANDPS).

import type { OpcodeMap, OpcodeRow } from './opcode-row.ts';

type Extra = Partial<Omit<OpcodeRow, 'map' | 'opcode' | 'handler'>>;

function rowsOf(map: OpcodeMap, feature: string) {
  return (
    opcode: number,
    prefix: OpcodeRow['prefix'],
    mnemonic: string,
    operands: string,
    sub: string = mnemonic.toUpperCase(),
    extra: Extra = {},
  ): OpcodeRow => ({
    map,
    opcode,
    ...(prefix === undefined ? {} : { prefix }),
    mnemonic,
    ...(operands === '' ? {} : { operands }),
    handler: 'SSE',
    sub,
    feature,
    ...extra,
  });
}

const MEM: Extra = { mod: 'mem' };
const REG: Extra = { mod: 'reg' };
/** COMISS, PTEST and the string compares write all six arithmetic flags. */
const ALL_FLAGS: Extra = { flagsWritten: 'oszapc' };

const sse = rowsOf('0f', 'sse');
const sse2 = rowsOf('0f', 'sse2');
const sse3 = rowsOf('0f', 'sse3');
const ssse3 = rowsOf('0f38', 'ssse3');
const sse41 = rowsOf('0f38', 'sse4_1');
const sse41i = rowsOf('0f3a', 'sse4_1');
const sse42 = rowsOf('0f38', 'sse4_2');
const sse42i = rowsOf('0f3a', 'sse4_2');
const aes = rowsOf('0f38', 'aes');
const sha = rowsOf('0f38', 'sha');

/** The four forms of a packed and scalar arithmetic instruction. */
function arithmetic(opcode: number, name: string): OpcodeRow[] {
  return [
    sse(opcode, 'np', `${name}ps`, 'Vps,Wps'),
    sse2(opcode, '66', `${name}pd`, 'Vpd,Wpd'),
    sse(opcode, 'f3', `${name}ss`, 'Vss,Wss'),
    sse2(opcode, 'f2', `${name}sd`, 'Vsd,Wsd'),
  ];
}

/** A bitwise instruction in its PS and PD encodings. */
function bitwise(opcode: number, name: string, sub: string): OpcodeRow[] {
  return [sse(opcode, 'np', `${name}ps`, 'Vps,Wps', sub), sse2(opcode, '66', `${name}pd`, 'Vpd,Wpd', sub)];
}

/** 66-prefixed SSE2 integer instructions Vdq,Wdq. */
function integer(...list: readonly [opcode: number, name: string, sub?: string][]): OpcodeRow[] {
  return list.map(([opcode, name, sub]) => sse2(opcode, '66', name, 'Vdq,Wdq', sub));
}

const MOVES: readonly OpcodeRow[] = [
  sse(0x10, 'np', 'movups', 'Vps,Wps', 'MOVU_LOAD'),
  sse2(0x10, '66', 'movupd', 'Vpd,Wpd', 'MOVU_LOAD'),
  sse(0x10, 'f3', 'movss', 'Vss,Wss', 'MOVSS_LOAD'),
  sse2(0x10, 'f2', 'movsd', 'Vsd,Wsd', 'MOVSD_LOAD'),
  sse(0x11, 'np', 'movups', 'Wps,Vps', 'MOVU_STORE'),
  sse2(0x11, '66', 'movupd', 'Wpd,Vpd', 'MOVU_STORE'),
  sse(0x11, 'f3', 'movss', 'Wss,Vss', 'MOVSS_STORE'),
  sse2(0x11, 'f2', 'movsd', 'Wsd,Vsd', 'MOVSD_STORE'),
  sse(0x12, 'np', 'movlps', 'Vq,Mq', 'MOVLP_LOAD', MEM),
  sse(0x12, 'np', 'movhlps', 'Vq,Uq', 'MOVHLPS', REG),
  sse2(0x12, '66', 'movlpd', 'Vq,Mq', 'MOVLP_LOAD', MEM),
  sse3(0x12, 'f2', 'movddup', 'Vdq,Wq'),
  sse3(0x12, 'f3', 'movsldup', 'Vdq,Wdq'),
  sse(0x13, 'np', 'movlps', 'Mq,Vq', 'MOVLP_STORE', MEM),
  sse2(0x13, '66', 'movlpd', 'Mq,Vq', 'MOVLP_STORE', MEM),
  sse(0x14, 'np', 'unpcklps', 'Vps,Wps', 'PUNPCKLDQ'),
  sse2(0x14, '66', 'unpcklpd', 'Vpd,Wpd', 'PUNPCKLQDQ'),
  sse(0x15, 'np', 'unpckhps', 'Vps,Wps', 'PUNPCKHDQ'),
  sse2(0x15, '66', 'unpckhpd', 'Vpd,Wpd', 'PUNPCKHQDQ'),
  sse(0x16, 'np', 'movhps', 'Vq,Mq', 'MOVHP_LOAD', MEM),
  sse(0x16, 'np', 'movlhps', 'Vq,Uq', 'MOVLHPS', REG),
  sse2(0x16, '66', 'movhpd', 'Vq,Mq', 'MOVHP_LOAD', MEM),
  sse3(0x16, 'f3', 'movshdup', 'Vdq,Wdq'),
  sse(0x17, 'np', 'movhps', 'Mq,Vq', 'MOVHP_STORE', MEM),
  sse2(0x17, '66', 'movhpd', 'Mq,Vq', 'MOVHP_STORE', MEM),
  sse(0x28, 'np', 'movaps', 'Vps,Wps', 'MOVA_LOAD'),
  sse2(0x28, '66', 'movapd', 'Vpd,Wpd', 'MOVA_LOAD'),
  sse(0x29, 'np', 'movaps', 'Wps,Vps', 'MOVA_STORE'),
  sse2(0x29, '66', 'movapd', 'Wpd,Vpd', 'MOVA_STORE'),
  sse(0x2b, 'np', 'movntps', 'Mps,Vps', 'MOVA_STORE', MEM),
  sse2(0x2b, '66', 'movntpd', 'Mpd,Vpd', 'MOVA_STORE', MEM),
  sse(0x50, 'np', 'movmskps', 'Gd,Ups', 'MOVMSKPS', REG),
  sse2(0x50, '66', 'movmskpd', 'Gd,Upd', 'MOVMSKPD', REG),
  sse2(0x6e, '66', 'movd', 'Vy,Ey', 'MOVD_LOAD'),
  sse2(0x6f, '66', 'movdqa', 'Vdq,Wdq', 'MOVA_LOAD'),
  sse2(0x6f, 'f3', 'movdqu', 'Vdq,Wdq', 'MOVU_LOAD'),
  sse2(0x7e, '66', 'movd', 'Ey,Vy', 'MOVD_STORE'),
  sse2(0x7e, 'f3', 'movq', 'Vq,Wq', 'MOVQ_LOAD'),
  sse2(0x7f, '66', 'movdqa', 'Wdq,Vdq', 'MOVA_STORE'),
  sse2(0x7f, 'f3', 'movdqu', 'Wdq,Vdq', 'MOVU_STORE'),
  sse2(0xc3, 'np', 'movnti', 'My,Gy', 'MOVNTI', MEM),
  sse2(0xc4, '66', 'pinsrw', 'Vdq,RdMw,Ib'),
  sse2(0xc5, '66', 'pextrw', 'Gd,Udq,Ib', 'PEXTRW', REG),
  sse(0xc6, 'np', 'shufps', 'Vps,Wps,Ib'),
  sse2(0xc6, '66', 'shufpd', 'Vpd,Wpd,Ib'),
  sse2(0xd6, '66', 'movq', 'Wq,Vq', 'MOVQ_STORE'),
  sse2(0xd6, 'f3', 'movq2dq', 'Vdq,Nq', 'MOVQ2DQ', REG),
  sse2(0xd6, 'f2', 'movdq2q', 'Pq,Uq', 'MOVDQ2Q', REG),
  sse2(0xd7, '66', 'pmovmskb', 'Gd,Udq', 'PMOVMSKB', REG),
  sse2(0xe7, '66', 'movntdq', 'Mdq,Vdq', 'MOVA_STORE', MEM),
  sse3(0xf0, 'f2', 'lddqu', 'Vdq,Mdq', 'MOVU_LOAD', MEM),
  sse2(0xf7, '66', 'maskmovdqu', 'Vdq,Udq', 'MASKMOVDQU', REG),
];

const FLOATS: readonly OpcodeRow[] = [
  sse(0x2a, 'np', 'cvtpi2ps', 'Vps,Qpi'),
  sse2(0x2a, '66', 'cvtpi2pd', 'Vpd,Qpi'),
  sse(0x2a, 'f3', 'cvtsi2ss', 'Vss,Ey'),
  sse2(0x2a, 'f2', 'cvtsi2sd', 'Vsd,Ey'),
  sse(0x2c, 'np', 'cvttps2pi', 'Ppi,Wq'),
  sse2(0x2c, '66', 'cvttpd2pi', 'Ppi,Wpd'),
  sse(0x2c, 'f3', 'cvttss2si', 'Gy,Wss'),
  sse2(0x2c, 'f2', 'cvttsd2si', 'Gy,Wsd'),
  sse(0x2d, 'np', 'cvtps2pi', 'Ppi,Wq'),
  sse2(0x2d, '66', 'cvtpd2pi', 'Ppi,Wpd'),
  sse(0x2d, 'f3', 'cvtss2si', 'Gy,Wss'),
  sse2(0x2d, 'f2', 'cvtsd2si', 'Gy,Wsd'),
  sse(0x2e, 'np', 'ucomiss', 'Vss,Wss', 'UCOMISS', ALL_FLAGS),
  sse2(0x2e, '66', 'ucomisd', 'Vsd,Wsd', 'UCOMISD', ALL_FLAGS),
  sse(0x2f, 'np', 'comiss', 'Vss,Wss', 'COMISS', ALL_FLAGS),
  sse2(0x2f, '66', 'comisd', 'Vsd,Wsd', 'COMISD', ALL_FLAGS),
  ...arithmetic(0x51, 'sqrt'),
  sse(0x52, 'np', 'rsqrtps', 'Vps,Wps'),
  sse(0x52, 'f3', 'rsqrtss', 'Vss,Wss'),
  sse(0x53, 'np', 'rcpps', 'Vps,Wps'),
  sse(0x53, 'f3', 'rcpss', 'Vss,Wss'),
  ...bitwise(0x54, 'and', 'PAND'),
  ...bitwise(0x55, 'andn', 'PANDN'),
  ...bitwise(0x56, 'or', 'POR'),
  ...bitwise(0x57, 'xor', 'PXOR'),
  ...arithmetic(0x58, 'add'),
  ...arithmetic(0x59, 'mul'),
  sse2(0x5a, 'np', 'cvtps2pd', 'Vpd,Wq'),
  sse2(0x5a, '66', 'cvtpd2ps', 'Vps,Wpd'),
  sse2(0x5a, 'f3', 'cvtss2sd', 'Vsd,Wss'),
  sse2(0x5a, 'f2', 'cvtsd2ss', 'Vss,Wsd'),
  sse2(0x5b, 'np', 'cvtdq2ps', 'Vps,Wdq'),
  sse2(0x5b, '66', 'cvtps2dq', 'Vdq,Wps'),
  sse2(0x5b, 'f3', 'cvttps2dq', 'Vdq,Wps'),
  ...arithmetic(0x5c, 'sub'),
  ...arithmetic(0x5d, 'min'),
  ...arithmetic(0x5e, 'div'),
  ...arithmetic(0x5f, 'max'),
  sse3(0x7c, '66', 'haddpd', 'Vpd,Wpd'),
  sse3(0x7c, 'f2', 'haddps', 'Vps,Wps'),
  sse3(0x7d, '66', 'hsubpd', 'Vpd,Wpd'),
  sse3(0x7d, 'f2', 'hsubps', 'Vps,Wps'),
  sse(0xc2, 'np', 'cmpps', 'Vps,Wps,Ib'),
  sse2(0xc2, '66', 'cmppd', 'Vpd,Wpd,Ib'),
  sse(0xc2, 'f3', 'cmpss', 'Vss,Wss,Ib'),
  sse2(0xc2, 'f2', 'cmpsd', 'Vsd,Wsd,Ib', 'CMPSD_XMM'),
  sse3(0xd0, '66', 'addsubpd', 'Vpd,Wpd'),
  sse3(0xd0, 'f2', 'addsubps', 'Vps,Wps'),
  sse2(0xe6, '66', 'cvttpd2dq', 'Vdq,Wpd'),
  sse2(0xe6, 'f3', 'cvtdq2pd', 'Vpd,Wq'),
  sse2(0xe6, 'f2', 'cvtpd2dq', 'Vdq,Wpd'),
];

const INTEGERS: readonly OpcodeRow[] = [
  ...integer([0x60, 'punpcklbw'], [0x61, 'punpcklwd'], [0x62, 'punpckldq'], [0x63, 'packsswb'], [0x64, 'pcmpgtb']),
  ...integer([0x65, 'pcmpgtw'], [0x66, 'pcmpgtd'], [0x67, 'packuswb'], [0x68, 'punpckhbw'], [0x69, 'punpckhwd']),
  ...integer([0x6a, 'punpckhdq'], [0x6b, 'packssdw'], [0x6c, 'punpcklqdq'], [0x6d, 'punpckhqdq']),
  sse2(0x70, '66', 'pshufd', 'Vdq,Wdq,Ib'),
  sse2(0x70, 'f3', 'pshufhw', 'Vdq,Wdq,Ib'),
  sse2(0x70, 'f2', 'pshuflw', 'Vdq,Wdq,Ib'),
  sse2(0x71, '66', 'psrlw', 'Udq,Ib', 'PSRLW_IMM', { reg: 2, ...REG }),
  sse2(0x71, '66', 'psraw', 'Udq,Ib', 'PSRAW_IMM', { reg: 4, ...REG }),
  sse2(0x71, '66', 'psllw', 'Udq,Ib', 'PSLLW_IMM', { reg: 6, ...REG }),
  sse2(0x72, '66', 'psrld', 'Udq,Ib', 'PSRLD_IMM', { reg: 2, ...REG }),
  sse2(0x72, '66', 'psrad', 'Udq,Ib', 'PSRAD_IMM', { reg: 4, ...REG }),
  sse2(0x72, '66', 'pslld', 'Udq,Ib', 'PSLLD_IMM', { reg: 6, ...REG }),
  sse2(0x73, '66', 'psrlq', 'Udq,Ib', 'PSRLQ_IMM', { reg: 2, ...REG }),
  sse2(0x73, '66', 'psrldq', 'Udq,Ib', 'PSRLDQ', { reg: 3, ...REG }),
  sse2(0x73, '66', 'psllq', 'Udq,Ib', 'PSLLQ_IMM', { reg: 6, ...REG }),
  sse2(0x73, '66', 'pslldq', 'Udq,Ib', 'PSLLDQ', { reg: 7, ...REG }),
  ...integer([0x74, 'pcmpeqb'], [0x75, 'pcmpeqw'], [0x76, 'pcmpeqd']),
  ...integer([0xd1, 'psrlw'], [0xd2, 'psrld'], [0xd3, 'psrlq'], [0xd4, 'paddq'], [0xd5, 'pmullw'], [0xd8, 'psubusb']),
  ...integer([0xd9, 'psubusw'], [0xda, 'pminub'], [0xdb, 'pand'], [0xdc, 'paddusb'], [0xdd, 'paddusw'], [0xde, 'pmaxub']),
  ...integer([0xdf, 'pandn'], [0xe0, 'pavgb'], [0xe1, 'psraw'], [0xe2, 'psrad'], [0xe3, 'pavgw'], [0xe4, 'pmulhuw']),
  ...integer([0xe5, 'pmulhw'], [0xe8, 'psubsb'], [0xe9, 'psubsw'], [0xea, 'pminsw'], [0xeb, 'por'], [0xec, 'paddsb']),
  ...integer([0xed, 'paddsw'], [0xee, 'pmaxsw'], [0xef, 'pxor'], [0xf1, 'psllw'], [0xf2, 'pslld'], [0xf3, 'psllq']),
  ...integer([0xf4, 'pmuludq'], [0xf5, 'pmaddwd'], [0xf6, 'psadbw'], [0xf8, 'psubb'], [0xf9, 'psubw'], [0xfa, 'psubd']),
  ...integer([0xfb, 'psubq'], [0xfc, 'paddb'], [0xfd, 'paddw'], [0xfe, 'paddd']),
];

const MAP_38: readonly OpcodeRow[] = [
  ssse3(0x00, '66', 'pshufb', 'Vdq,Wdq'),
  ssse3(0x01, '66', 'phaddw', 'Vdq,Wdq'),
  ssse3(0x02, '66', 'phaddd', 'Vdq,Wdq'),
  ssse3(0x03, '66', 'phaddsw', 'Vdq,Wdq'),
  ssse3(0x04, '66', 'pmaddubsw', 'Vdq,Wdq'),
  ssse3(0x05, '66', 'phsubw', 'Vdq,Wdq'),
  ssse3(0x06, '66', 'phsubd', 'Vdq,Wdq'),
  ssse3(0x07, '66', 'phsubsw', 'Vdq,Wdq'),
  ssse3(0x08, '66', 'psignb', 'Vdq,Wdq'),
  ssse3(0x09, '66', 'psignw', 'Vdq,Wdq'),
  ssse3(0x0a, '66', 'psignd', 'Vdq,Wdq'),
  ssse3(0x0b, '66', 'pmulhrsw', 'Vdq,Wdq'),
  sse41(0x10, '66', 'pblendvb', 'Vdq,Wdq'),
  sse41(0x14, '66', 'blendvps', 'Vps,Wps'),
  sse41(0x15, '66', 'blendvpd', 'Vpd,Wpd'),
  sse41(0x17, '66', 'ptest', 'Vdq,Wdq', 'PTEST', ALL_FLAGS),
  ssse3(0x1c, '66', 'pabsb', 'Vdq,Wdq'),
  ssse3(0x1d, '66', 'pabsw', 'Vdq,Wdq'),
  ssse3(0x1e, '66', 'pabsd', 'Vdq,Wdq'),
  sse41(0x20, '66', 'pmovsxbw', 'Vdq,Wq'),
  sse41(0x21, '66', 'pmovsxbd', 'Vdq,Wd'),
  sse41(0x22, '66', 'pmovsxbq', 'Vdq,Ww'),
  sse41(0x23, '66', 'pmovsxwd', 'Vdq,Wq'),
  sse41(0x24, '66', 'pmovsxwq', 'Vdq,Wd'),
  sse41(0x25, '66', 'pmovsxdq', 'Vdq,Wq'),
  sse41(0x28, '66', 'pmuldq', 'Vdq,Wdq'),
  sse41(0x29, '66', 'pcmpeqq', 'Vdq,Wdq'),
  sse41(0x2a, '66', 'movntdqa', 'Vdq,Mdq', 'MOVA_LOAD', MEM),
  sse41(0x2b, '66', 'packusdw', 'Vdq,Wdq'),
  sse41(0x30, '66', 'pmovzxbw', 'Vdq,Wq'),
  sse41(0x31, '66', 'pmovzxbd', 'Vdq,Wd'),
  sse41(0x32, '66', 'pmovzxbq', 'Vdq,Ww'),
  sse41(0x33, '66', 'pmovzxwd', 'Vdq,Wq'),
  sse41(0x34, '66', 'pmovzxwq', 'Vdq,Wd'),
  sse41(0x35, '66', 'pmovzxdq', 'Vdq,Wq'),
  sse42(0x37, '66', 'pcmpgtq', 'Vdq,Wdq'),
  sse41(0x38, '66', 'pminsb', 'Vdq,Wdq'),
  sse41(0x39, '66', 'pminsd', 'Vdq,Wdq'),
  sse41(0x3a, '66', 'pminuw', 'Vdq,Wdq'),
  sse41(0x3b, '66', 'pminud', 'Vdq,Wdq'),
  sse41(0x3c, '66', 'pmaxsb', 'Vdq,Wdq'),
  sse41(0x3d, '66', 'pmaxsd', 'Vdq,Wdq'),
  sse41(0x3e, '66', 'pmaxuw', 'Vdq,Wdq'),
  sse41(0x3f, '66', 'pmaxud', 'Vdq,Wdq'),
  sse41(0x40, '66', 'pmulld', 'Vdq,Wdq'),
  sse41(0x41, '66', 'phminposuw', 'Vdq,Wdq'),
  sha(0xc8, 'np', 'sha1nexte', 'Vdq,Wdq'),
  sha(0xc9, 'np', 'sha1msg1', 'Vdq,Wdq'),
  sha(0xca, 'np', 'sha1msg2', 'Vdq,Wdq'),
  sha(0xcb, 'np', 'sha256rnds2', 'Vdq,Wdq'),
  sha(0xcc, 'np', 'sha256msg1', 'Vdq,Wdq'),
  sha(0xcd, 'np', 'sha256msg2', 'Vdq,Wdq'),
  aes(0xdb, '66', 'aesimc', 'Vdq,Wdq'),
  aes(0xdc, '66', 'aesenc', 'Vdq,Wdq'),
  aes(0xdd, '66', 'aesenclast', 'Vdq,Wdq'),
  aes(0xde, '66', 'aesdec', 'Vdq,Wdq'),
  aes(0xdf, '66', 'aesdeclast', 'Vdq,Wdq'),
  sse42(0xf0, 'f2', 'crc32', 'Gy,Eb', 'CRC32_B'),
  // The destination is 32 bits wide for 16-bit operands too.
  sse42(0xf1, 'f2', 'crc32', 'Gv,Ev', 'CRC32_V'),
];

const MAP_3A: readonly OpcodeRow[] = [
  sse41i(0x08, '66', 'roundps', 'Vps,Wps,Ib'),
  sse41i(0x09, '66', 'roundpd', 'Vpd,Wpd,Ib'),
  sse41i(0x0a, '66', 'roundss', 'Vss,Wss,Ib'),
  sse41i(0x0b, '66', 'roundsd', 'Vsd,Wsd,Ib'),
  sse41i(0x0c, '66', 'blendps', 'Vps,Wps,Ib'),
  sse41i(0x0d, '66', 'blendpd', 'Vpd,Wpd,Ib'),
  sse41i(0x0e, '66', 'pblendw', 'Vdq,Wdq,Ib'),
  rowsOf('0f3a', 'ssse3')(0x0f, '66', 'palignr', 'Vdq,Wdq,Ib'),
  sse41i(0x14, '66', 'pextrb', 'RdMb,Vdq,Ib'),
  sse41i(0x15, '66', 'pextrw', 'RdMw,Vdq,Ib', 'PEXTRW_STORE'),
  sse41i(0x16, '66', 'pextrd', 'Ey,Vdq,Ib'),
  sse41i(0x17, '66', 'extractps', 'Ed,Vdq,Ib'),
  sse41i(0x20, '66', 'pinsrb', 'Vdq,RdMb,Ib'),
  sse41i(0x21, '66', 'insertps', 'Vps,Wd,Ib'),
  sse41i(0x22, '66', 'pinsrd', 'Vdq,Ey,Ib'),
  sse41i(0x40, '66', 'dpps', 'Vps,Wps,Ib'),
  sse41i(0x41, '66', 'dppd', 'Vpd,Wpd,Ib'),
  sse41i(0x42, '66', 'mpsadbw', 'Vdq,Wdq,Ib'),
  rowsOf('0f3a', 'pclmulqdq')(0x44, '66', 'pclmulqdq', 'Vdq,Wdq,Ib'),
  sse42i(0x60, '66', 'pcmpestrm', 'Vdq,Wdq,Ib', 'PCMPESTRM', ALL_FLAGS),
  sse42i(0x61, '66', 'pcmpestri', 'Vdq,Wdq,Ib', 'PCMPESTRI', ALL_FLAGS),
  sse42i(0x62, '66', 'pcmpistrm', 'Vdq,Wdq,Ib', 'PCMPISTRM', ALL_FLAGS),
  sse42i(0x63, '66', 'pcmpistri', 'Vdq,Wdq,Ib', 'PCMPISTRI', ALL_FLAGS),
  rowsOf('0f3a', 'sha')(0xcc, 'np', 'sha1rnds4', 'Vdq,Wdq,Ib'),
  rowsOf('0f3a', 'aes')(0xdf, '66', 'aeskeygenassist', 'Vdq,Wdq,Ib'),
];

const fxsr = rowsOf('0f', 'fxsr');
const xsave = rowsOf('0f', 'xsave');

const STATE: readonly OpcodeRow[] = [
  fxsr(0xae, 'np', 'fxsave', 'M', 'FXSAVE', { reg: 0, ...MEM }),
  fxsr(0xae, 'np', 'fxrstor', 'M', 'FXRSTOR', { reg: 1, ...MEM }),
  sse(0xae, 'np', 'ldmxcsr', 'Md', 'LDMXCSR', { reg: 2, ...MEM }),
  sse(0xae, 'np', 'stmxcsr', 'Md', 'STMXCSR', { reg: 3, ...MEM }),
  xsave(0xae, 'np', 'xsave', 'M', 'XSAVE', { reg: 4, ...MEM }),
  xsave(0xae, 'np', 'xrstor', 'M', 'XRSTOR', { reg: 5, ...MEM }),
  rowsOf('0f', 'xsaveopt')(0xae, 'np', 'xsaveopt', 'M', 'XSAVEOPT', { reg: 6, ...MEM }),
  rowsOf('0f', 'clfsh')(0xae, 'np', 'clflush', 'Mb', 'CLFLUSH', { reg: 7, ...MEM }),
  rowsOf('0f', 'clflushopt')(0xae, '66', 'clflushopt', 'Mb', 'CLFLUSH', { reg: 7, ...MEM }),
  sse2(0xae, 'np', 'lfence', '', 'FENCE', { reg: 5, ...REG }),
  sse2(0xae, 'np', 'mfence', '', 'FENCE', { reg: 6, ...REG }),
  sse(0xae, 'np', 'sfence', '', 'FENCE', { reg: 7, ...REG }),
  xsave(0x01, 'np', 'xgetbv', '', 'XGETBV', { reg: 2, rm: 0, ...REG }),
  xsave(0x01, 'np', 'xsetbv', '', 'XSETBV', { reg: 2, rm: 1, ...REG, endsBlock: true }),
];

export const SSE_ROWS: readonly OpcodeRow[] = [...MOVES, ...FLOATS, ...INTEGERS, ...MAP_38, ...MAP_3A, ...STATE];
