// Opcode rows of the system instructions: far transfers, segment loads, descriptor tables, control and debug registers,
// MSRs, system calls, cache and TLB control (Intel SDM volume 2). All go to the handler group SYSTEM (assembly/system.ts).
// INT n, PUSHF, POPF, IN and OUT are in opcodes-integer.ts.

import type { OpcodeMap, OpcodeRow } from './opcode-row.ts';

type Extra = Partial<Omit<OpcodeRow, 'map' | 'opcode' | 'mnemonic' | 'operands' | 'handler' | 'sub'>>;

function rowOf(map: OpcodeMap) {
  return (opcode: number, mnemonic: string, operands: string, sub: string, extra: Extra = {}): OpcodeRow => ({
    map,
    opcode,
    mnemonic,
    ...(operands === '' ? {} : { operands }),
    handler: 'SYSTEM',
    sub,
    ...extra,
  });
}

const one = rowOf('1');
const two = rowOf('0f');

const NO64: Extra = { modes: 'no64' };
const ONLY64: Extra = { modes: 'only64' };
const ENDS: Extra = { endsBlock: true };
const MEM: Extra = { mod: 'mem' };
const REG: Extra = { mod: 'reg' };
const ZERO: Extra = { flagsWritten: 'z' };
/** Instructions of 0F 01 that are named by the whole ModRM byte. */
const exact = (reg: number, rm: number): Extra => ({ ...REG, reg, rm });

export const SYSTEM_ROWS: readonly OpcodeRow[] = [
  one(0x9a, 'callf', 'Ap', 'CALL_FAR', { ...NO64, ...ENDS }),
  one(0xea, 'jmpf', 'Ap', 'JMP_FAR', { ...NO64, ...ENDS }),
  one(0xff, 'callf', 'Mp', 'CALL_FAR', { reg: 3, ...MEM, ...ENDS }),
  one(0xff, 'jmpf', 'Mp', 'JMP_FAR', { reg: 5, ...MEM, ...ENDS }),
  one(0xca, 'retf', 'Iw', 'RET_FAR_I', ENDS),
  one(0xcb, 'retf', '', 'RET_FAR', ENDS),
  one(0xcf, 'iret', '', 'IRET', { flagsWritten: 'oszapc', ...ENDS }),
  one(0xc4, 'les', 'Gv,Mp', 'LES', { ...NO64, ...MEM }),
  one(0xc5, 'lds', 'Gv,Mp', 'LDS', { ...NO64, ...MEM }),
  one(0x63, 'arpl', 'Ew,Gw', 'ARPL', { ...NO64, ...ZERO }),
  one(0xf4, 'hlt', '', 'HLT', ENDS),
  one(0xfa, 'cli', '', 'CLI'),
  one(0xfb, 'sti', '', 'STI', ENDS),

  two(0x00, 'sldt', 'Ev', 'SLDT', { reg: 0 }),
  two(0x00, 'str', 'Ev', 'STR', { reg: 1 }),
  two(0x00, 'lldt', 'Ew', 'LLDT', { reg: 2 }),
  two(0x00, 'ltr', 'Ew', 'LTR', { reg: 3 }),
  two(0x00, 'verr', 'Ew', 'VERR', { reg: 4, ...ZERO }),
  two(0x00, 'verw', 'Ew', 'VERW', { reg: 5, ...ZERO }),
  two(0x01, 'vmcall', '', 'VMCALL', exact(0, 1)),
  two(0x01, 'vmmcall', '', 'VMCALL', exact(3, 1)),
  two(0x01, 'monitor', '', 'MONITOR', { ...exact(1, 0), feature: 'monitor' }),
  two(0x01, 'mwait', '', 'MWAIT', { ...exact(1, 1), feature: 'monitor', ...ENDS }),
  two(0x01, 'clac', '', 'CLAC', { ...exact(1, 2), prefix: 'np', feature: 'smap' }),
  two(0x01, 'stac', '', 'STAC', { ...exact(1, 3), prefix: 'np', feature: 'smap' }),
  two(0x01, 'swapgs', '', 'SWAPGS', { ...exact(7, 0), ...ONLY64 }),
  two(0x01, 'rdtscp', '', 'RDTSCP', { ...exact(7, 1), feature: 'rdtscp' }),
  two(0x01, 'sgdt', 'Ms', 'SGDT', { reg: 0, ...MEM }),
  two(0x01, 'sidt', 'Ms', 'SIDT', { reg: 1, ...MEM }),
  two(0x01, 'lgdt', 'Ms', 'LGDT', { reg: 2, ...MEM }),
  two(0x01, 'lidt', 'Ms', 'LIDT', { reg: 3, ...MEM }),
  two(0x01, 'smsw', 'Ev', 'SMSW', { reg: 4 }),
  two(0x01, 'lmsw', 'Ew', 'LMSW', { reg: 6, ...ENDS }),
  two(0x01, 'invlpg', 'Mb', 'INVLPG', { reg: 7, ...MEM, ...ENDS }),
  two(0x02, 'lar', 'Gv,Ew', 'LAR', ZERO),
  two(0x03, 'lsl', 'Gv,Ew', 'LSL', ZERO),
  two(0x05, 'syscall', '', 'SYSCALL', { ...ONLY64, feature: 'syscall', ...ENDS }),
  two(0x06, 'clts', '', 'CLTS'),
  two(0x07, 'sysret', '', 'SYSRET', { ...ONLY64, feature: 'syscall', ...ENDS }),
  two(0x08, 'invd', '', 'WBINVD'),
  two(0x09, 'wbinvd', '', 'WBINVD'),
  two(0x20, 'mov', 'Rd,Cd', 'MOV_FROM_CR'),
  two(0x21, 'mov', 'Rd,Dd', 'MOV_FROM_DR'),
  two(0x22, 'mov', 'Cd,Rd', 'MOV_TO_CR', ENDS),
  two(0x23, 'mov', 'Dd,Rd', 'MOV_TO_DR', ENDS),
  two(0x30, 'wrmsr', '', 'WRMSR', ENDS),
  two(0x31, 'rdtsc', '', 'RDTSC'),
  two(0x32, 'rdmsr', '', 'RDMSR'),
  two(0x33, 'rdpmc', '', 'RDPMC'),
  two(0x34, 'sysenter', '', 'SYSENTER', { feature: 'sep', ...ENDS }),
  two(0x35, 'sysexit', '', 'SYSEXIT', { feature: 'sep', ...ENDS }),
  two(0xa2, 'cpuid', '', 'CPUID'),
  two(0xae, 'rdfsbase', 'Ry', 'FSGSBASE', { prefix: 'f3', reg: 0, ...REG, ...ONLY64, feature: 'fsgsbase' }),
  two(0xae, 'rdgsbase', 'Ry', 'FSGSBASE', { prefix: 'f3', reg: 1, ...REG, ...ONLY64, feature: 'fsgsbase' }),
  two(0xae, 'wrfsbase', 'Ry', 'FSGSBASE', { prefix: 'f3', reg: 2, ...REG, ...ONLY64, feature: 'fsgsbase' }),
  two(0xae, 'wrgsbase', 'Ry', 'FSGSBASE', { prefix: 'f3', reg: 3, ...REG, ...ONLY64, feature: 'fsgsbase' }),
  two(0xb2, 'lss', 'Gv,Mp', 'LSS', { ...MEM, ...ENDS }),
  two(0xb4, 'lfs', 'Gv,Mp', 'LFS', MEM),
  two(0xb5, 'lgs', 'Gv,Mp', 'LGS', MEM),
  two(0xc7, 'rdpid', 'Rd', 'RDPID', { prefix: 'f3', reg: 7, ...REG, feature: 'rdpid' }),
  two(0xc7, 'rdrand', 'Rv', 'RDRAND', { reg: 6, ...REG, feature: 'rdrand', flagsWritten: 'oszapc' }),
  two(0xc7, 'rdseed', 'Rv', 'RDRAND', { reg: 7, ...REG, feature: 'rdseed', flagsWritten: 'oszapc' }),
];
