// Opcode rows of the x87: D8-DF and FWAIT, with the undocumented aliases that processors execute (FSTP1, FXCH4, FFREEP …).
// ST0 is the stack top, STi the register named by ModRM.rm (REX.B has no meaning here). The decoder leaves the ModRM byte
// in the immediate of these op records, for the last-opcode register. Intel SDM volume 2, appendix A.2.

import type { OpcodeRow } from './opcode-row.ts';

const rows: OpcodeRow[] = [];

function memory(opcode: number, reg: number, mnemonic: string, operands: string, sub: string, feature?: string): void {
  const row: OpcodeRow = { map: '1', opcode, reg, mod: 'mem', mnemonic, operands, handler: 'X87', sub };
  rows.push(feature === undefined ? row : { ...row, feature });
}

function register(opcode: number, reg: number, mnemonic: string, operands: string, sub: string, flags = false): void {
  const row: OpcodeRow = { map: '1', opcode, reg, mod: 'reg', mnemonic, operands, handler: 'X87', sub };
  rows.push(flags ? { ...row, flagsWritten: 'oszapc' } : row);
}

function exact(opcode: number, modrm: number, mnemonic: string, sub: string, operands?: string): void {
  const row: OpcodeRow = { map: '1', opcode, reg: (modrm >> 3) & 7, mod: 'reg', rm: modrm & 7, mnemonic, handler: 'X87', sub };
  rows.push(operands === undefined ? row : { ...row, operands });
}

// Two-operand arithmetic. In the forms that write ST(i), SUB/SUBR and DIV/DIVR trade places.
const ARITHMETIC = ['ADD', 'MUL', 'COM', 'COMP', 'SUB', 'SUBR', 'DIV', 'DIVR'] as const;
ARITHMETIC.forEach((name, reg) => {
  const lower = name.toLowerCase();
  memory(0xd8, reg, `f${lower}`, 'Md', `F${name}_M32`);
  memory(0xda, reg, `fi${lower}`, 'Md', `FI${name}_M32`);
  memory(0xdc, reg, `f${lower}`, 'Mq', `F${name}_M64`);
  memory(0xde, reg, `fi${lower}`, 'Mw', `FI${name}_M16`);
  register(0xd8, reg, `f${lower}`, name.startsWith('COM') ? 'STi' : 'ST0,STi', `F${name}_ST0`);
  if (name.startsWith('COM')) return;
  const target = reg >= 4 ? ARITHMETIC[reg ^ 1] as string : name;
  register(0xdc, reg, `f${target.toLowerCase()}`, 'STi,ST0', `F${target}_STI`);
  register(0xde, reg, `f${target.toLowerCase()}p`, 'STi,ST0', `F${target}P_STI`);
});
register(0xdc, 2, 'fcom2', 'STi', 'FCOM_ST0');
register(0xdc, 3, 'fcomp3', 'STi', 'FCOMP_ST0');
register(0xde, 2, 'fcomp5', 'STi', 'FCOMP_ST0');
exact(0xde, 0xd9, 'fcompp', 'FCOMPP');

// D9
memory(0xd9, 0, 'fld', 'Md', 'FLD_M32');
memory(0xd9, 2, 'fst', 'Md', 'FST_M32');
memory(0xd9, 3, 'fstp', 'Md', 'FSTP_M32');
memory(0xd9, 4, 'fldenv', 'M', 'FLDENV');
memory(0xd9, 5, 'fldcw', 'Mw', 'FLDCW');
memory(0xd9, 6, 'fnstenv', 'M', 'FNSTENV');
memory(0xd9, 7, 'fnstcw', 'Mw', 'FNSTCW');
register(0xd9, 0, 'fld', 'STi', 'FLD_STI');
register(0xd9, 1, 'fxch', 'STi', 'FXCH');
exact(0xd9, 0xd0, 'fnop', 'FNOP');
register(0xd9, 3, 'fstp1', 'STi', 'FSTP1_STI');
const D9: readonly (readonly [number, string])[] = [
  [0xe0, 'FCHS'], [0xe1, 'FABS'], [0xe4, 'FTST'], [0xe5, 'FXAM'],
  [0xe8, 'FLD1'], [0xe9, 'FLDL2T'], [0xea, 'FLDL2E'], [0xeb, 'FLDPI'], [0xec, 'FLDLG2'], [0xed, 'FLDLN2'], [0xee, 'FLDZ'],
  [0xf0, 'F2XM1'], [0xf1, 'FYL2X'], [0xf2, 'FPTAN'], [0xf3, 'FPATAN'], [0xf4, 'FXTRACT'], [0xf5, 'FPREM1'], [0xf6, 'FDECSTP'], [0xf7, 'FINCSTP'],
  [0xf8, 'FPREM'], [0xf9, 'FYL2XP1'], [0xfa, 'FSQRT'], [0xfb, 'FSINCOS'], [0xfc, 'FRNDINT'], [0xfd, 'FSCALE'], [0xfe, 'FSIN'], [0xff, 'FCOS'],
];
for (const [modrm, name] of D9) exact(0xd9, modrm, name.toLowerCase(), name);

// DA, DB
const CONDITIONS = ['B', 'E', 'BE', 'U'] as const;
CONDITIONS.forEach((condition, reg) => {
  register(0xda, reg, `fcmov${condition.toLowerCase()}`, 'ST0,STi', `FCMOV${condition}`);
  register(0xdb, reg, `fcmovn${condition.toLowerCase()}`, 'ST0,STi', `FCMOVN${condition}`);
});
exact(0xda, 0xe9, 'fucompp', 'FUCOMPP');
memory(0xdb, 0, 'fild', 'Md', 'FILD_M32');
memory(0xdb, 1, 'fisttp', 'Md', 'FISTTP_M32', 'sse3');
memory(0xdb, 2, 'fist', 'Md', 'FIST_M32');
memory(0xdb, 3, 'fistp', 'Md', 'FISTP_M32');
memory(0xdb, 5, 'fld', 'M', 'FLD_M80');
memory(0xdb, 7, 'fstp', 'M', 'FSTP_M80');
exact(0xdb, 0xe0, 'fneni', 'FNOP_CONTROL');
exact(0xdb, 0xe1, 'fndisi', 'FNOP_CONTROL');
exact(0xdb, 0xe2, 'fnclex', 'FNCLEX');
exact(0xdb, 0xe3, 'fninit', 'FNINIT');
exact(0xdb, 0xe4, 'fnsetpm', 'FNOP_CONTROL');
register(0xdb, 5, 'fucomi', 'ST0,STi', 'FUCOMI', true);
register(0xdb, 6, 'fcomi', 'ST0,STi', 'FCOMI', true);

// DD
memory(0xdd, 0, 'fld', 'Mq', 'FLD_M64');
memory(0xdd, 1, 'fisttp', 'Mq', 'FISTTP_M64', 'sse3');
memory(0xdd, 2, 'fst', 'Mq', 'FST_M64');
memory(0xdd, 3, 'fstp', 'Mq', 'FSTP_M64');
memory(0xdd, 4, 'frstor', 'M', 'FRSTOR');
memory(0xdd, 6, 'fnsave', 'M', 'FNSAVE');
memory(0xdd, 7, 'fnstsw', 'Mw', 'FNSTSW_M16');
register(0xdd, 0, 'ffree', 'STi', 'FFREE');
register(0xdd, 1, 'fxch4', 'STi', 'FXCH');
register(0xdd, 2, 'fst', 'STi', 'FST_STI');
register(0xdd, 3, 'fstp', 'STi', 'FSTP_STI');
register(0xdd, 4, 'fucom', 'STi', 'FUCOM');
register(0xdd, 5, 'fucomp', 'STi', 'FUCOMP');

// DF
memory(0xdf, 0, 'fild', 'Mw', 'FILD_M16');
memory(0xdf, 1, 'fisttp', 'Mw', 'FISTTP_M16', 'sse3');
memory(0xdf, 2, 'fist', 'Mw', 'FIST_M16');
memory(0xdf, 3, 'fistp', 'Mw', 'FISTP_M16');
memory(0xdf, 4, 'fbld', 'M', 'FBLD');
memory(0xdf, 5, 'fild', 'Mq', 'FILD_M64');
memory(0xdf, 6, 'fbstp', 'M', 'FBSTP');
memory(0xdf, 7, 'fistp', 'Mq', 'FISTP_M64');
register(0xdf, 0, 'ffreep', 'STi', 'FFREEP');
register(0xdf, 1, 'fxch7', 'STi', 'FXCH');
register(0xdf, 2, 'fstp8', 'STi', 'FSTP_STI');
register(0xdf, 3, 'fstp9', 'STi', 'FSTP_STI');
exact(0xdf, 0xe0, 'fnstsw', 'FNSTSW_AX', 'AX');
register(0xdf, 5, 'fucomip', 'ST0,STi', 'FUCOMIP', true);
register(0xdf, 6, 'fcomip', 'ST0,STi', 'FCOMIP', true);

rows.push({ map: '1', opcode: 0x9b, mnemonic: 'fwait', handler: 'X87', sub: 'FWAIT' });

export const X87_ROWS: readonly OpcodeRow[] = rows;
