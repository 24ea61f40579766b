// What the interpreter does for each handler name of the opcode table: the text of its case in the dispatch loop. Hot
// forms are inlined there (the AssemblyScript functions are @inline), the rest are calls. Handlers with variants by
// operand size (bit 0 of `expand`) and by memory operand (bit 1) get consecutive numbers.

import { CONDITIONS } from '../core/cpu/isa/opcodes-integer.ts';

export interface Handler {
  /** 0 one number; 1 by size (4 numbers); 2 by memory operand (2); 3 by both (8); 5 string: by size, then with REP. */
  readonly expand: 0 | 1 | 2 | 3 | 5;
  /**
   * - `plain`: falls through to the next op
   * - `branch`: the code yields the next op or 0
   * - `control`: plain code after which the block ends; RIP has been stored before and may be changed
   */
  readonly kind: 'plain' | 'branch' | 'control';
  /** The branch keeps links in DISP and SUB. */
  readonly linked?: boolean;
  /** The code is a call of a function that is not inlined. */
  readonly call?: true;
  /** Implicit stack access: faults are #SS. */
  readonly stack?: boolean;
  readonly code: (size: number, isMem: boolean, rep: boolean) => string;
}

const TYPES = ['u8', 'u16', 'u32', 'u64'] as const;

const handlers = new Map<string, Handler>();

function add(name: string, handler: Handler): void {
  if (handlers.has(name)) throw new Error(`Handler ${name} defined twice`);
  handlers.set(name, handler);
}

function plain(name: string, code: string, extra: Partial<Handler> = {}): void {
  add(name, { expand: 0, kind: 'plain', code: () => code, ...extra });
}

function bySize(name: string, call: (type: string, size: number) => string, extra: Partial<Handler> = {}): void {
  add(name, { expand: 1, kind: 'plain', code: (size) => call(TYPES[size] as string, size), ...extra });
}

function byForm(
  name: string,
  call: (type: string, mem: boolean, size: number) => string,
  extra: Partial<Handler> = {},
): void {
  add(name, { expand: 3, kind: 'plain', code: (size, isMem) => call(TYPES[size] as string, isMem, size), ...extra });
}

// --- Arithmetic and moves.
for (const name of ['ADD', 'OR', 'ADC', 'SBB', 'AND', 'SUB', 'XOR', 'CMP']) {
  for (const form of ['EG', 'GE', 'EI'])
    byForm(`${name}_${form}`, (type, mem) => `alu${form}<${type}>(${name}, op, ${mem})`);
}
byForm('TEST_EG', (type, mem) => `testEG<${type}>(op, ${mem})`);
byForm('TEST_EI', (type, mem) => `testEI<${type}>(op, ${mem})`);
byForm('MOV_EG', (type, mem) => `movEG<${type}>(op, ${mem})`);
byForm('MOV_GE', (type, mem) => `movGE<${type}>(op, ${mem})`);
byForm('MOV_EI', (type, mem) => `movEI<${type}>(op, ${mem})`);
byForm('INC', (type, mem) => `incE<${type}>(op, ${mem})`);
byForm('DEC', (type, mem) => `decE<${type}>(op, ${mem})`);
byForm('NEG', (type, mem) => `negE<${type}>(op, ${mem})`);
byForm('NOT', (type, mem) => `notE<${type}>(op, ${mem})`);
byForm('MOVZX_B', (type, mem) => `movzx<${type}, u8>(op, ${mem})`);
byForm('MOVZX_W', (type, mem) => `movzx<${type}, u16>(op, ${mem})`);
byForm('MOVSX_B', (type, mem) => `movsx<${type}, u8>(op, ${mem})`);
byForm('MOVSX_W', (type, mem) => `movsx<${type}, u16>(op, ${mem})`);
byForm('MOVSXD', (type, mem, size) => `movsx<${type}, ${size === 1 ? 'u16' : 'u32'}>(op, ${mem})`);
bySize('LEA', (type) => `lea<${type}>(op)`);
bySize('MOV_AO', (type) => `movAO<${type}>(op)`);
bySize('MOV_OA', (type) => `movOA<${type}>(op)`);
plain('MOV_ES', 'movES(op, opIsMem(op))');
plain('MOV_SE', 'movSE(op, opIsMem(op))');

// --- Shifts: common forms inline.
for (const name of ['ROL', 'ROR', 'RCL', 'RCR', 'SHL', 'SHR', 'SAR']) {
  const sources = { I: 'COUNT_IMMEDIATE', 1: 'COUNT_ONE', CL: 'COUNT_CL' } as const;
  for (const [suffix, source] of Object.entries(sources)) {
    byForm(`${name}_${suffix}`, (type, mem, size) => {
      const hot = size >= 2 && !mem && !name.startsWith('RC');
      return hot
        ? `shiftE<${type}>(${name}, op, false, ${source})`
        : `shiftCold<${type}>(${name}, op, ${mem}, ${source})`;
    });
  }
}
for (const [name, left] of [
  ['SHLD', true],
  ['SHRD', false],
] as const) {
  bySize(`${name}_I`, (type) => `doubleShift<${type}>(op, opIsMem(op), ${left}, COUNT_IMMEDIATE)`);
  bySize(`${name}_CL`, (type) => `doubleShift<${type}>(op, opIsMem(op), ${left}, COUNT_CL)`);
}

// --- Multiplication, division, BCD.
byForm('IMUL_GE', (type, mem) => `imulGE<${type}>(op, ${mem})`);
byForm('IMUL_GEI', (type, mem) => `imulGEI<${type}>(op, ${mem})`);
bySize('MUL', (type) => `mul<${type}>(op)`);
bySize('IMUL_E', (type) => `imulE<${type}>(op)`);
bySize('DIV', (type) => `div<${type}>(op)`);
bySize('IDIV', (type) => `idiv<${type}>(op)`);
for (const name of ['DAA', 'DAS', 'AAA', 'AAS']) plain(name, `${name.toLowerCase()}()`);
plain('AAM', 'aam(op)');
plain('AAD', 'aad(op)');

// --- Stack.
bySize('PUSH_R', (type) => `pushR<${type}>(op)`, { stack: true });
bySize('POP_R', (type) => `popR<${type}>(op)`, { stack: true });
bySize('PUSH_I', (type) => `pushI<${type}>(op)`, { stack: true });
byForm('PUSH_E', (type, mem) => `pushE<${type}>(op, ${mem})`);
byForm('POP_E', (type, mem) => `popE<${type}>(op, ${mem})`);
plain('PUSH_SEG', 'pushSegment(op)', { stack: true });
plain('POP_SEG', 'popSegment(op)', { stack: true });
plain('PUSHA', 'pusha(op)', { stack: true });
plain('POPA', 'popa(op)', { stack: true });
plain('PUSHF', 'pushf(op)', { stack: true });
plain('POPF', 'popf(op)', { stack: true });
plain('ENTER', 'enter(op)', { stack: true });
plain('LEAVE', 'leaveFrame(op)', { stack: true });
plain('BOUND', 'bound(op)');

// --- Bits, exchanges.
for (const name of ['BT', 'BTS', 'BTR', 'BTC']) {
  bySize(`${name}_EG`, (type) => `bitTest<${type}>(${name}, op, false)`);
  bySize(`${name}_EI`, (type) => `bitTest<${type}>(${name}, op, true)`);
}
for (const name of ['BSF', 'BSR', 'TZCNT', 'LZCNT', 'XADD', 'CMPXCHG'])
  bySize(name, (type) => `${name.toLowerCase()}<${type}>(op)`);
bySize('POPCNT', (type) => `popcount<${type}>(op)`);
bySize('XCHG_EG', (type) => `xchg<${type}>(op)`);
bySize('XCHG_A', (type) => `xchgAccumulator<${type}>(op)`);
plain('BSWAP', 'byteSwap(op)');
plain('MOVBE_GM', 'movbeLoad(op)');
plain('MOVBE_MG', 'movbeStore(op)');
plain('CMPXCHG8B', 'cmpxchg8b(op)');
for (const name of [
  'ADCX',
  'ADOX',
  'ANDN',
  'BLSR',
  'BLSMSK',
  'BLSI',
  'BZHI',
  'PEXT',
  'PDEP',
  'MULX',
  'BEXTR',
  'SHLX',
  'SARX',
  'SHRX',
  'RORX',
]) {
  bySize(name, (type) => `${name.toLowerCase()}<${type}>(op)`);
}

// --- Conditions.
CONDITIONS.forEach((name, cc) => {
  bySize(`J${name}`, (type) => `jcc<${type}>(${cc}, op)`, { kind: 'branch', linked: true });
  byForm(`CMOV${name}`, (type, mem, size) =>
    size >= 2 ? `cmov<${type}>(${cc}, op, ${mem})` : `cmovCold<${type}>(op, ${mem})`,
  );
  add(`SET${name}`, {
    expand: 3,
    kind: 'plain',
    code: (_size, isMem) => (isMem ? 'setccMemory(op)' : `setcc(${cc}, op)`),
  });
});

// --- Branches.
bySize('JMP_J', (type) => `jmp<${type}>(op)`, { kind: 'branch', linked: true });
bySize('CALL_J', (type) => `call<${type}>(op)`, { kind: 'branch', linked: true, stack: true });
['LOOPNE', 'LOOPE', 'LOOP', 'JCXZ'].forEach((name, kind) => {
  bySize(name, (_type, size) => `loopBranch(op, ${kind}, ${size})`, { kind: 'branch', linked: true });
});
bySize('RET', (type) => `ret<${type}>(op)`, { kind: 'branch', stack: true });
bySize('RET_I', (type) => `retI<${type}>(op)`, { kind: 'branch', stack: true });
byForm('JMP_E', (type, mem) => `jmpE<${type}>(op, ${mem})`, { kind: 'branch' });
byForm('CALL_E', (type, mem) => `callE<${type}>(op, ${mem})`, { kind: 'branch' });
plain('INT', 'softwareInterrupt(<u32>opImm(op) & 0xff, INT_N, nextRip(op))', { kind: 'control' });
plain('INT3', 'softwareInterrupt(3, INT_3, nextRip(op))', { kind: 'control' });
plain('INT1', 'softwareInterrupt(1, INT_1, nextRip(op))', { kind: 'control' });
plain('INTO', 'if (getOverflow() != 0) softwareInterrupt(4, INT_O, nextRip(op))', { kind: 'control' });

// --- Strings and ports.
for (const name of ['MOVS', 'STOS', 'LODS', 'SCAS', 'CMPS', 'INS', 'OUTS']) {
  add(name, {
    expand: 5,
    kind: 'plain',
    code: (size, _isMem, rep) => {
      // There are no port accesses of 64 bits.
      const type = TYPES[name === 'INS' || name === 'OUTS' ? Math.min(size, 2) : size] as string;
      return rep ? `stringRep<${type}>(${name}, op)` : `stringStep<${type}>(${name}, op)`;
    },
  });
}
plain('IN_I', 'portIn(op, <u32>opImm(op) & 0xff)', { kind: 'control' });
plain('IN_DX', 'portIn(op, reg16(2))', { kind: 'control' });
plain('OUT_I', 'portOut(op, <u32>opImm(op) & 0xff)', { kind: 'control' });
plain('OUT_DX', 'portOut(op, reg16(2))', { kind: 'control' });

// --- The rest.
plain('NOP', '');
plain('CBW', 'cbw(op)');
plain('CWD', 'cwd(op)');
plain('SAHF', 'sahf()');
plain('LAHF', 'lahf()');
plain('CLC', 'setCarry(0)');
plain('STC', 'setCarry(1)');
plain('CMC', 'setCarry(getCarry() ^ 1)');
plain('CLD', 'setDirection(false)');
plain('STD', 'setDirection(true)');
plain('SALC', 'setReg8(0, getCarry() != 0 ? 0xff : 0)');
plain('XLAT', 'xlat(op)');
plain('UD', 'raise(VECTOR_UD)', { kind: 'control' });
plain('GP', 'raiseGp0()', { kind: 'control' });
plain('END', 'endOfBlock(op)', { kind: 'branch' });

// --- Groups of the other parts of the interpreter.
plain('X87', 'executeX87(op)', { call: true });
plain('MMX', 'executeMmx(op)', { call: true });
plain('SSE', 'executeSse(op)', { call: true });
plain('SYSTEM', 'executeSystem(op)', { call: true });

const HOT_SIZES = new Map<string, readonly number[]>();
function hot(names: readonly string[], sizes: readonly number[], memory: 'reg' | 'both'): void {
  for (const name of names) HOT_SIZES.set(`${name} ${memory}`, sizes);
}
hot(
  [
    'ADD_EG',
    'SUB_EG',
    'CMP_EG',
    'AND_EG',
    'XOR_EG',
    'OR_EG',
    'ADD_EI',
    'SUB_EI',
    'AND_EI',
    'OR_EI',
    'XOR_EI',
    'ADD_GE',
    'INC',
    'DEC',
  ],
  [2, 3],
  'reg',
);
hot(['SHL_I', 'SHR_I', 'SAR_I', 'ROL_I', 'ROR_I', 'IMUL_GE', 'MOVSXD', 'LEA'], [2, 3], 'reg');
hot(['CMP_EI', 'CMP_GE', 'CMP_EG', 'TEST_EG', 'TEST_EI'], [0, 2, 3], 'both');
hot(['ADD_GE', 'XOR_GE'], [2, 3], 'both');
hot(['MOV_EG', 'MOV_GE', 'MOV_EI'], [0, 2, 3], 'both');
hot(['MOVZX_B', 'MOVZX_W'], [2], 'both');
hot(['PUSH_R', 'POP_R', 'JMP_J', 'CALL_J', 'RET'], [2, 3], 'reg');
hot(
  CONDITIONS.map((name) => `J${name}`),
  [2, 3],
  'reg',
);
hot(['END', 'NOP'], [0], 'reg');

/** True when a handler's case is worth being inlined into the main loop. */
export function isHot(name: string, size: number, isMem: boolean, control: boolean): boolean {
  if (control) return false;
  const both = HOT_SIZES.get(`${name} both`);
  if (both !== undefined) return both.includes(size);
  return !isMem && (HOT_SIZES.get(`${name} reg`)?.includes(size) ?? false);
}

/** Handlers that no opcode row names but the decoder uses. */
export const DECODER_HANDLERS = ['UD', 'GP', 'END', 'NOP', 'XCHG_A'] as const;

export const HANDLERS: ReadonlyMap<string, Handler> = handlers;

/** Imports of the generated dispatch loop, by module. */
export const DISPATCH_IMPORTS: Readonly<Record<string, readonly string[]>> = {
  alu: [
    'ADD',
    'OR',
    'ADC',
    'SBB',
    'AND',
    'SUB',
    'XOR',
    'CMP',
    'aluEG',
    'aluGE',
    'aluEI',
    'testEG',
    'testEI',
    'movEG',
    'movGE',
    'movEI',
    'incE',
    'decE',
    'negE',
    'notE',
    'movzx',
    'movsx',
    'lea',
  ],
  bits: [
    'BT',
    'BTS',
    'BTR',
    'BTC',
    'bitTest',
    'bsf',
    'bsr',
    'tzcnt',
    'lzcnt',
    'popcount',
    'byteSwap',
    'movbeLoad',
    'movbeStore',
    'xchg',
    'xchgAccumulator',
    'xadd',
    'cmpxchg',
    'cmpxchg8b',
    'adcx',
    'adox',
  ],
  bmi: ['andn', 'blsr', 'blsmsk', 'blsi', 'bzhi', 'pext', 'pdep', 'mulx', 'bextr', 'shlx', 'sarx', 'shrx', 'rorx'],
  branch: ['jcc', 'jmp', 'call', 'ret', 'retI', 'jmpE', 'callE', 'loopBranch', 'endOfBlock', 'leave'],
  fault: ['raise', 'raiseGp0', 'VECTOR_UD'],
  flags: ['getCarry', 'getOverflow', 'setCarry'],
  interrupt: ['softwareInterrupt', 'INT_N', 'INT_3', 'INT_O', 'INT_1'],
  misc: [
    'cbw',
    'cwd',
    'cmov',
    'cmovCold',
    'lahf',
    'movAO',
    'movOA',
    'sahf',
    'setDirection',
    'setcc',
    'setccMemory',
    'xlat',
  ],
  mmx: ['executeMmx'],
  muldiv: ['mul', 'imulE', 'imulGE', 'imulGEI', 'div', 'idiv', 'daa', 'das', 'aaa', 'aas', 'aam', 'aad'],
  op: ['nextRip', 'opImm', 'opIsMem'],
  port: ['portIn', 'portOut'],
  shift: [
    'ROL',
    'ROR',
    'RCL',
    'RCR',
    'SHL',
    'SHR',
    'SAR',
    'COUNT_IMMEDIATE',
    'COUNT_ONE',
    'COUNT_CL',
    'shiftE',
    'shiftCold',
    'doubleShift',
  ],
  sse: ['executeSse'],
  stack: [
    'pushR',
    'popR',
    'pushI',
    'pushE',
    'popE',
    'pushSegment',
    'popSegment',
    'pusha',
    'popa',
    'pushf',
    'popf',
    'enter',
    'leaveFrame',
    'bound',
    'movES',
    'movSE',
  ],
  state: ['cpu', 'reg16', 'set64', 'setReg8'],
  string: ['MOVS', 'STOS', 'LODS', 'SCAS', 'CMPS', 'INS', 'OUTS', 'stringStep', 'stringRep'],
  system: ['executeSystem'],
  x87: ['executeX87'],
};
