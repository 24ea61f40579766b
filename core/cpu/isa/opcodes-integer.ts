// Opcode rows of the integer instructions (Intel SDM volume 2, appendix A): arithmetic, moves, stack, branches, strings.
// System instructions are in opcodes-system.ts. Order matters only between rows that match the same bytes: first wins.

import type { OpcodeMap, OpcodeRow } from './opcode-row.ts';

type Extra = Partial<Omit<OpcodeRow, 'map' | 'opcode' | 'mnemonic' | 'operands' | 'handler'>>;

function rowOf(map: OpcodeMap) {
  return (opcode: number, mnemonic: string, operands: string, handler: string, extra: Extra = {}): OpcodeRow => ({
    map,
    opcode,
    mnemonic,
    ...(operands === '' ? {} : { operands }),
    handler,
    ...extra,
  });
}

const one = rowOf('1');
const two = rowOf('0f');

const NO64: Extra = { modes: 'no64' };
const ONLY64: Extra = { modes: 'only64' };
const DEFAULT64: Extra = { size64: 'default' };
const LOCK: Extra = { lock: true };
const MEM: Extra = { mod: 'mem' };
const REG: Extra = { mod: 'reg' };
const ENDS: Extra = { endsBlock: true };
const BRANCH64: Extra = { size64: 'force', endsBlock: true };

const ALL: Extra = { flagsWritten: 'oszapc' };
const LOGIC: Extra = { flagsWritten: 'oszpc', flagsUndefined: 'a' };
const INCDEC: Extra = { flagsWritten: 'oszap' };
const MULTIPLY: Extra = { flagsWritten: 'oc', flagsUndefined: 'szap' };
const DIVIDE: Extra = { flagsUndefined: 'oszapc' };
const SHIFT: Extra = { flagsWritten: 'oszpc', flagsUndefined: 'a' };
const ROTATE: Extra = { flagsWritten: 'oc' };
const BITTEST: Extra = { flagsWritten: 'c', flagsUndefined: 'oszap' };
const BITSCAN: Extra = { flagsWritten: 'z', flagsUndefined: 'oszapc' };

const ARITHMETIC = ['ADD', 'OR', 'ADC', 'SBB', 'AND', 'SUB', 'XOR', 'CMP'] as const;
const SHIFTS = ['ROL', 'ROR', 'RCL', 'RCR', 'SHL', 'SHR', 'SAL', 'SAR'] as const;
/** Conditions in encoding order. */
export const CONDITIONS = ['O', 'NO', 'B', 'AE', 'E', 'NE', 'BE', 'A', 'S', 'NS', 'P', 'NP', 'L', 'GE', 'LE', 'G'] as const;

function arithmeticRows(): OpcodeRow[] {
  return ARITHMETIC.flatMap((name, index) => {
    const flags = name === 'AND' || name === 'OR' || name === 'XOR' ? LOGIC : ALL;
    const lock = name === 'CMP' ? {} : LOCK;
    const mnemonic = name.toLowerCase();
    const base = index * 8;
    return [
      one(base, mnemonic, 'Eb,Gb', `${name}_EG`, { ...flags, ...lock }),
      one(base + 1, mnemonic, 'Ev,Gv', `${name}_EG`, { ...flags, ...lock }),
      one(base + 2, mnemonic, 'Gb,Eb', `${name}_GE`, flags),
      one(base + 3, mnemonic, 'Gv,Ev', `${name}_GE`, flags),
      one(base + 4, mnemonic, 'AL,Ib', `${name}_EI`, flags),
      one(base + 5, mnemonic, 'rAX,Iz', `${name}_EI`, flags),
      one(0x80, mnemonic, 'Eb,Ib', `${name}_EI`, { reg: index, ...flags, ...lock }),
      one(0x81, mnemonic, 'Ev,Iz', `${name}_EI`, { reg: index, ...flags, ...lock }),
      one(0x82, mnemonic, 'Eb,Ib', `${name}_EI`, { reg: index, ...NO64, ...flags, ...lock }),
      one(0x83, mnemonic, 'Ev,Ib', `${name}_EI`, { reg: index, ...flags, ...lock }),
    ];
  });
}

function shiftRows(): OpcodeRow[] {
  return SHIFTS.flatMap((name, index) => {
    const handler = name === 'SAL' ? 'SHL' : name;
    const mnemonic = handler.toLowerCase();
    const flags = { reg: index, ...(index < 4 ? ROTATE : SHIFT) };
    return [
      one(0xc0, mnemonic, 'Eb,Ib', `${handler}_I`, flags),
      one(0xc1, mnemonic, 'Ev,Ib', `${handler}_I`, flags),
      one(0xd0, mnemonic, 'Eb,1', `${handler}_1`, flags),
      one(0xd1, mnemonic, 'Ev,1', `${handler}_1`, flags),
      one(0xd2, mnemonic, 'Eb,CL', `${handler}_CL`, flags),
      one(0xd3, mnemonic, 'Ev,CL', `${handler}_CL`, flags),
    ];
  });
}

function conditionRows(): OpcodeRow[] {
  return CONDITIONS.flatMap((name, index) => {
    const suffix = name.toLowerCase();
    return [
      one(0x70 + index, `j${suffix}`, 'Jb', `J${name}`, BRANCH64),
      two(0x80 + index, `j${suffix}`, 'Jz', `J${name}`, BRANCH64),
      two(0x40 + index, `cmov${suffix}`, 'Gv,Ev', `CMOV${name}`),
      two(0x90 + index, `set${suffix}`, 'Eb', `SET${name}`),
    ];
  });
}

function bitTestRows(): OpcodeRow[] {
  return ['BT', 'BTS', 'BTR', 'BTC'].flatMap((name, index) => {
    const extra = { ...BITTEST, ...(index === 0 ? {} : LOCK) };
    return [
      two(0xa3 + index * 8, name.toLowerCase(), 'Ev,Gv', `${name}_EG`, extra),
      two(0xba, name.toLowerCase(), 'Ev,Ib', `${name}_EI`, { reg: 4 + index, ...extra }),
    ];
  });
}

const OPCODE_MAP_1: readonly OpcodeRow[] = [
  one(0x06, 'push', 'ES', 'PUSH_SEG', NO64),
  one(0x07, 'pop', 'ES', 'POP_SEG', NO64),
  one(0x0e, 'push', 'CS', 'PUSH_SEG', NO64),
  one(0x16, 'push', 'SS', 'PUSH_SEG', NO64),
  one(0x17, 'pop', 'SS', 'POP_SEG', { ...NO64, ...ENDS }),
  one(0x1e, 'push', 'DS', 'PUSH_SEG', NO64),
  one(0x1f, 'pop', 'DS', 'POP_SEG', NO64),
  one(0x27, 'daa', '', 'DAA', { ...NO64, flagsWritten: 'szapc', flagsUndefined: 'o' }),
  one(0x2f, 'das', '', 'DAS', { ...NO64, flagsWritten: 'szapc', flagsUndefined: 'o' }),
  one(0x37, 'aaa', '', 'AAA', { ...NO64, flagsWritten: 'ac', flagsUndefined: 'oszp' }),
  one(0x3f, 'aas', '', 'AAS', { ...NO64, flagsWritten: 'ac', flagsUndefined: 'oszp' }),
  one(0x40, 'inc', 'Zv', 'INC', { plusR: true, ...NO64, ...INCDEC }),
  one(0x48, 'dec', 'Zv', 'DEC', { plusR: true, ...NO64, ...INCDEC }),
  one(0x50, 'push', 'Zv', 'PUSH_R', { plusR: true, ...DEFAULT64 }),
  one(0x58, 'pop', 'Zv', 'POP_R', { plusR: true, ...DEFAULT64 }),
  one(0x60, 'pusha', '', 'PUSHA', NO64),
  one(0x61, 'popa', '', 'POPA', NO64),
  one(0x62, 'bound', 'Gv,Ma', 'BOUND', { ...NO64, ...MEM }),
  one(0x63, 'movsxd', 'Gv,Ed', 'MOVSXD', ONLY64),
  one(0x68, 'push', 'Iz', 'PUSH_I', DEFAULT64),
  one(0x69, 'imul', 'Gv,Ev,Iz', 'IMUL_GEI', MULTIPLY),
  one(0x6a, 'push', 'Ib', 'PUSH_I', DEFAULT64),
  one(0x6b, 'imul', 'Gv,Ev,Ib', 'IMUL_GEI', MULTIPLY),
  one(0x6c, 'ins', 'Yb,DX', 'INS', ENDS),
  one(0x6d, 'ins', 'Yz,DX', 'INS', ENDS),
  one(0x6e, 'outs', 'DX,Xb', 'OUTS', ENDS),
  one(0x6f, 'outs', 'DX,Xz', 'OUTS', ENDS),
  one(0x84, 'test', 'Eb,Gb', 'TEST_EG', LOGIC),
  one(0x85, 'test', 'Ev,Gv', 'TEST_EG', LOGIC),
  one(0x86, 'xchg', 'Eb,Gb', 'XCHG_EG', LOCK),
  one(0x87, 'xchg', 'Ev,Gv', 'XCHG_EG', LOCK),
  one(0x88, 'mov', 'Eb,Gb', 'MOV_EG'),
  one(0x89, 'mov', 'Ev,Gv', 'MOV_EG'),
  one(0x8a, 'mov', 'Gb,Eb', 'MOV_GE'),
  one(0x8b, 'mov', 'Gv,Ev', 'MOV_GE'),
  ...[0, 1, 2, 3, 4, 5].map((reg) => one(0x8c, 'mov', 'RvMw,Sw', 'MOV_ES', { reg })),
  one(0x8d, 'lea', 'Gv,M', 'LEA', MEM),
  // MOV SS and the shadow after it end the block; MOV CS is undefined.
  one(0x8e, 'mov', 'Sw,Ew', 'MOV_SE', { reg: 0 }),
  one(0x8e, 'mov', 'Sw,Ew', 'MOV_SE', { reg: 2, ...ENDS }),
  one(0x8e, 'mov', 'Sw,Ew', 'MOV_SE', { reg: 3 }),
  one(0x8e, 'mov', 'Sw,Ew', 'MOV_SE', { reg: 4 }),
  one(0x8e, 'mov', 'Sw,Ew', 'MOV_SE', { reg: 5 }),
  one(0x8f, 'pop', 'Ev', 'POP_E', { reg: 0, ...DEFAULT64 }),
  one(0x90, 'pause', '', 'NOP', { prefix: 'f3' }),
  one(0x90, 'xchg', 'Zv,rAX', 'XCHG_A', { plusR: true }),
  one(0x98, 'cbw', '', 'CBW'),
  one(0x99, 'cwd', '', 'CWD'),
  one(0x9c, 'pushf', 'Fv', 'PUSHF', DEFAULT64),
  one(0x9d, 'popf', 'Fv', 'POPF', { ...DEFAULT64, ...ENDS, ...ALL }),
  one(0x9e, 'sahf', '', 'SAHF', { flagsWritten: 'szapc' }),
  one(0x9f, 'lahf', '', 'LAHF'),
  one(0xa0, 'mov', 'AL,Ob', 'MOV_AO'),
  one(0xa1, 'mov', 'rAX,Ov', 'MOV_AO'),
  one(0xa2, 'mov', 'Ob,AL', 'MOV_OA'),
  one(0xa3, 'mov', 'Ov,rAX', 'MOV_OA'),
  one(0xa4, 'movs', 'Yb,Xb', 'MOVS'),
  one(0xa5, 'movs', 'Yv,Xv', 'MOVS'),
  one(0xa6, 'cmps', 'Xb,Yb', 'CMPS', ALL),
  one(0xa7, 'cmps', 'Xv,Yv', 'CMPS', ALL),
  one(0xa8, 'test', 'AL,Ib', 'TEST_EI', LOGIC),
  one(0xa9, 'test', 'rAX,Iz', 'TEST_EI', LOGIC),
  one(0xaa, 'stos', 'Yb,AL', 'STOS'),
  one(0xab, 'stos', 'Yv,rAX', 'STOS'),
  one(0xac, 'lods', 'AL,Xb', 'LODS'),
  one(0xad, 'lods', 'rAX,Xv', 'LODS'),
  one(0xae, 'scas', 'AL,Yb', 'SCAS', ALL),
  one(0xaf, 'scas', 'rAX,Yv', 'SCAS', ALL),
  one(0xb0, 'mov', 'Zb,Ib', 'MOV_EI', { plusR: true }),
  one(0xb8, 'mov', 'Zv,Iv', 'MOV_EI', { plusR: true }),
  one(0xc2, 'ret', 'Iw', 'RET_I', BRANCH64),
  one(0xc3, 'ret', '', 'RET', BRANCH64),
  one(0xc6, 'mov', 'Eb,Ib', 'MOV_EI', { reg: 0 }),
  one(0xc7, 'mov', 'Ev,Iz', 'MOV_EI', { reg: 0 }),
  one(0xc8, 'enter', 'Iw,Ib', 'ENTER', DEFAULT64),
  one(0xc9, 'leave', '', 'LEAVE', DEFAULT64),
  one(0xcc, 'int3', '', 'INT3', ENDS),
  one(0xcd, 'int', 'Ib', 'INT', ENDS),
  one(0xce, 'into', '', 'INTO', { ...NO64, ...ENDS }),
  one(0xd4, 'aam', 'Ib', 'AAM', { ...NO64, flagsWritten: 'szp', flagsUndefined: 'oac' }),
  one(0xd5, 'aad', 'Ib', 'AAD', { ...NO64, flagsWritten: 'szp', flagsUndefined: 'oac' }),
  one(0xd6, 'salc', '', 'SALC', NO64),
  one(0xd7, 'xlat', '', 'XLAT'),
  one(0xe0, 'loopne', 'Jb', 'LOOPNE', BRANCH64),
  one(0xe1, 'loope', 'Jb', 'LOOPE', BRANCH64),
  one(0xe2, 'loop', 'Jb', 'LOOP', BRANCH64),
  one(0xe3, 'jcxz', 'Jb', 'JCXZ', BRANCH64),
  one(0xe4, 'in', 'AL,Ib', 'IN_I', ENDS),
  one(0xe5, 'in', 'eAX,Ib', 'IN_I', ENDS),
  one(0xe6, 'out', 'Ib,AL', 'OUT_I', ENDS),
  one(0xe7, 'out', 'Ib,eAX', 'OUT_I', ENDS),
  one(0xe8, 'call', 'Jz', 'CALL_J', BRANCH64),
  one(0xe9, 'jmp', 'Jz', 'JMP_J', BRANCH64),
  one(0xeb, 'jmp', 'Jb', 'JMP_J', BRANCH64),
  one(0xec, 'in', 'AL,DX', 'IN_DX', ENDS),
  one(0xed, 'in', 'eAX,DX', 'IN_DX', ENDS),
  one(0xee, 'out', 'DX,AL', 'OUT_DX', ENDS),
  one(0xef, 'out', 'DX,eAX', 'OUT_DX', ENDS),
  one(0xf1, 'int1', '', 'INT1', ENDS),
  one(0xf5, 'cmc', '', 'CMC', { flagsWritten: 'c' }),
  one(0xf6, 'test', 'Eb,Ib', 'TEST_EI', { reg: 0, ...LOGIC }),
  one(0xf6, 'test', 'Eb,Ib', 'TEST_EI', { reg: 1, ...LOGIC }),
  one(0xf6, 'not', 'Eb', 'NOT', { reg: 2, ...LOCK }),
  one(0xf6, 'neg', 'Eb', 'NEG', { reg: 3, ...ALL, ...LOCK }),
  one(0xf6, 'mul', 'Eb', 'MUL', { reg: 4, ...MULTIPLY }),
  one(0xf6, 'imul', 'Eb', 'IMUL_E', { reg: 5, ...MULTIPLY }),
  one(0xf6, 'div', 'Eb', 'DIV', { reg: 6, ...DIVIDE }),
  one(0xf6, 'idiv', 'Eb', 'IDIV', { reg: 7, ...DIVIDE }),
  one(0xf7, 'test', 'Ev,Iz', 'TEST_EI', { reg: 0, ...LOGIC }),
  one(0xf7, 'test', 'Ev,Iz', 'TEST_EI', { reg: 1, ...LOGIC }),
  one(0xf7, 'not', 'Ev', 'NOT', { reg: 2, ...LOCK }),
  one(0xf7, 'neg', 'Ev', 'NEG', { reg: 3, ...ALL, ...LOCK }),
  one(0xf7, 'mul', 'Ev', 'MUL', { reg: 4, ...MULTIPLY }),
  one(0xf7, 'imul', 'Ev', 'IMUL_E', { reg: 5, ...MULTIPLY }),
  one(0xf7, 'div', 'Ev', 'DIV', { reg: 6, ...DIVIDE }),
  one(0xf7, 'idiv', 'Ev', 'IDIV', { reg: 7, ...DIVIDE }),
  one(0xf8, 'clc', '', 'CLC', { flagsWritten: 'c' }),
  one(0xf9, 'stc', '', 'STC', { flagsWritten: 'c' }),
  one(0xfc, 'cld', '', 'CLD'),
  one(0xfd, 'std', '', 'STD'),
  one(0xfe, 'inc', 'Eb', 'INC', { reg: 0, ...INCDEC, ...LOCK }),
  one(0xfe, 'dec', 'Eb', 'DEC', { reg: 1, ...INCDEC, ...LOCK }),
  one(0xff, 'inc', 'Ev', 'INC', { reg: 0, ...INCDEC, ...LOCK }),
  one(0xff, 'dec', 'Ev', 'DEC', { reg: 1, ...INCDEC, ...LOCK }),
  one(0xff, 'call', 'Ev', 'CALL_E', { reg: 2, ...BRANCH64 }),
  one(0xff, 'jmp', 'Ev', 'JMP_E', { reg: 4, ...BRANCH64 }),
  one(0xff, 'push', 'Ev', 'PUSH_E', { reg: 6, ...DEFAULT64 }),
];

const OPCODE_MAP_0F: readonly OpcodeRow[] = [
  two(0x0b, 'ud2', '', 'UD', ENDS),
  two(0x0d, 'prefetchw', 'Mb', 'NOP', MEM),
  two(0x0d, 'nop', 'Ev', 'NOP', REG),
  ...[0, 1, 2, 3].map((reg) => two(0x18, `prefetch${['nta', 't0', 't1', 't2'][reg] ?? ''}`, 'Mb', 'NOP', { reg, ...MEM })),
  two(0x18, 'nop', 'Ev', 'NOP'),
  two(0x19, 'nop', 'Ev', 'NOP'),
  two(0x1a, 'nop', 'Ev', 'NOP'),
  two(0x1b, 'nop', 'Ev', 'NOP'),
  two(0x1c, 'nop', 'Ev', 'NOP'),
  two(0x1d, 'nop', 'Ev', 'NOP'),
  two(0x1e, 'endbr64', '', 'NOP', { prefix: 'f3', mod: 'reg', reg: 7, rm: 2 }),
  two(0x1e, 'endbr32', '', 'NOP', { prefix: 'f3', mod: 'reg', reg: 7, rm: 3 }),
  two(0x1e, 'nop', 'Ev', 'NOP'),
  two(0x1f, 'nop', 'Ev', 'NOP'),
  two(0xa0, 'push', 'FS', 'PUSH_SEG', DEFAULT64),
  two(0xa1, 'pop', 'FS', 'POP_SEG', DEFAULT64),
  two(0xa4, 'shld', 'Ev,Gv,Ib', 'SHLD_I', SHIFT),
  two(0xa5, 'shld', 'Ev,Gv,CL', 'SHLD_CL', SHIFT),
  two(0xa8, 'push', 'GS', 'PUSH_SEG', DEFAULT64),
  two(0xa9, 'pop', 'GS', 'POP_SEG', DEFAULT64),
  two(0xac, 'shrd', 'Ev,Gv,Ib', 'SHRD_I', SHIFT),
  two(0xad, 'shrd', 'Ev,Gv,CL', 'SHRD_CL', SHIFT),
  two(0xaf, 'imul', 'Gv,Ev', 'IMUL_GE', MULTIPLY),
  two(0xb0, 'cmpxchg', 'Eb,Gb', 'CMPXCHG', { ...ALL, ...LOCK }),
  two(0xb1, 'cmpxchg', 'Ev,Gv', 'CMPXCHG', { ...ALL, ...LOCK }),
  two(0xb6, 'movzx', 'Gv,Eb', 'MOVZX_B'),
  two(0xb7, 'movzx', 'Gv,Ew', 'MOVZX_W'),
  two(0xb8, 'popcnt', 'Gv,Ev', 'POPCNT', { prefix: 'f3', feature: 'popcnt', ...ALL }),
  two(0xb9, 'ud1', 'Gv,Ev', 'UD', ENDS),
  two(0xbc, 'tzcnt', 'Gv,Ev', 'TZCNT', { prefix: 'f3', feature: 'bmi1', flagsWritten: 'zc', flagsUndefined: 'osap' }),
  two(0xbc, 'bsf', 'Gv,Ev', 'BSF', BITSCAN),
  two(0xbd, 'lzcnt', 'Gv,Ev', 'LZCNT', { prefix: 'f3', feature: 'lzcnt', flagsWritten: 'zc', flagsUndefined: 'osap' }),
  two(0xbd, 'bsr', 'Gv,Ev', 'BSR', BITSCAN),
  two(0xbe, 'movsx', 'Gv,Eb', 'MOVSX_B'),
  two(0xbf, 'movsx', 'Gv,Ew', 'MOVSX_W'),
  two(0xc0, 'xadd', 'Eb,Gb', 'XADD', { ...ALL, ...LOCK }),
  two(0xc1, 'xadd', 'Ev,Gv', 'XADD', { ...ALL, ...LOCK }),
  two(0xc7, 'cmpxchg8b', 'My', 'CMPXCHG8B', { reg: 1, flagsWritten: 'z', ...MEM, ...LOCK }),
  two(0xc8, 'bswap', 'Zv', 'BSWAP', { plusR: true }),
  two(0xff, 'ud0', 'Gv,Ev', 'UD', ENDS),
];

const t38 = rowOf('0f38');
const v38 = rowOf('vex0f38');
const v3a = rowOf('vex0f3a');
const bmi1 = (prefix: OpcodeRow['prefix'], extra: Extra = {}): Extra => ({ ...(prefix ? { prefix } : {}), feature: 'bmi1', ...extra });
const bmi2 = (prefix: OpcodeRow['prefix'], extra: Extra = {}): Extra => ({ ...(prefix ? { prefix } : {}), feature: 'bmi2', ...extra });
const BLS: Extra = { flagsWritten: 'oszc', flagsUndefined: 'ap' };

const EXTENSIONS: readonly OpcodeRow[] = [
  // Prefix rows come first: CRC32 (F2) is in opcodes-sse.ts.
  t38(0xf0, 'movbe', 'Gv,Mv', 'MOVBE_GM', { feature: 'movbe', ...MEM }),
  t38(0xf1, 'movbe', 'Mv,Gv', 'MOVBE_MG', { feature: 'movbe', ...MEM }),
  t38(0xf6, 'adcx', 'Gy,Ey', 'ADCX', { prefix: '66', feature: 'adx', flagsWritten: 'c' }),
  t38(0xf6, 'adox', 'Gy,Ey', 'ADOX', { prefix: 'f3', feature: 'adx', flagsWritten: 'o' }),
  v38(0xf2, 'andn', 'Gy,By,Ey', 'ANDN', bmi1('np', BLS)),
  v38(0xf3, 'blsr', 'By,Ey', 'BLSR', bmi1('np', { reg: 1, ...BLS })),
  v38(0xf3, 'blsmsk', 'By,Ey', 'BLSMSK', bmi1('np', { reg: 2, ...BLS })),
  v38(0xf3, 'blsi', 'By,Ey', 'BLSI', bmi1('np', { reg: 3, ...BLS })),
  v38(0xf5, 'bzhi', 'Gy,Ey,By', 'BZHI', bmi2('np', BLS)),
  v38(0xf5, 'pext', 'Gy,By,Ey', 'PEXT', bmi2('f3')),
  v38(0xf5, 'pdep', 'Gy,By,Ey', 'PDEP', bmi2('f2')),
  v38(0xf6, 'mulx', 'Gy,By,Ey', 'MULX', bmi2('f2')),
  v38(0xf7, 'bextr', 'Gy,Ey,By', 'BEXTR', bmi1('np', { flagsWritten: 'ozc', flagsUndefined: 'sap' })),
  v38(0xf7, 'shlx', 'Gy,Ey,By', 'SHLX', bmi2('66')),
  v38(0xf7, 'sarx', 'Gy,Ey,By', 'SARX', bmi2('f3')),
  v38(0xf7, 'shrx', 'Gy,Ey,By', 'SHRX', bmi2('f2')),
  v3a(0xf0, 'rorx', 'Gy,Ey,Ib', 'RORX', bmi2('f2')),
];

export const INTEGER_ROWS: readonly OpcodeRow[] = [
  ...arithmeticRows(),
  ...shiftRows(),
  ...conditionRows(),
  ...bitTestRows(),
  ...OPCODE_MAP_1,
  ...OPCODE_MAP_0F,
  ...EXTENSIONS,
];
