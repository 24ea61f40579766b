// Every x87 instruction form as the host comparison runs it: code bytes, kind of memory operand, operand shaping.

export interface X87Form {
  readonly name: string;
  readonly code: readonly number[];
  /** What lies at RDI. */
  readonly memory?: 'f32' | 'f64' | 'f80' | 'int' | 'bcd' | 'cw' | 'out';
  /** Pushes: ST7 should mostly be empty. */
  readonly push?: true;
  /** Exponents of ST0 and ST1 lie around here. */
  readonly near0?: number;
  readonly near1?: number;
  /** Result may differ in the last place from the host's. */
  readonly ulp?: true;
}

const forms: X87Form[] = [];
const ARITHMETIC = ['add', 'mul', 'com', 'comp', 'sub', 'subr', 'div', 'divr'];

function mem(name: string, opcode: number, reg: number, memory: X87Form['memory'], extra: Partial<X87Form> = {}): void {
  forms.push({ name, code: [opcode, (reg << 3) | 7], ...(memory ? { memory } : {}), ...extra });
}

function reg(name: string, opcode: number, modrm: number, extra: Partial<X87Form> = {}): void {
  forms.push({ name, code: [opcode, modrm], ...extra });
}

ARITHMETIC.forEach((name, index) => {
  mem(`f${name} m32`, 0xd8, index, 'f32');
  mem(`f${name} m64`, 0xdc, index, 'f64');
  mem(`fi${name} m32`, 0xda, index, 'int');
  mem(`fi${name} m16`, 0xde, index, 'int');
  reg(`D8 ${name} st1`, 0xd8, 0xc1 + index * 8);
  reg(`DC ${name} st1`, 0xdc, 0xc1 + index * 8);
  if (index !== 3) reg(`DE ${name} st1`, 0xde, 0xc1 + index * 8);
});
reg('fadd st0', 0xd8, 0xc0);
reg('faddp st3', 0xde, 0xc3);
reg('fcompp', 0xde, 0xd9);
mem('fld m32', 0xd9, 0, 'f32', { push: true });
mem('fst m32', 0xd9, 2, 'out');
mem('fstp m32', 0xd9, 3, 'out');
mem('fldcw', 0xd9, 5, 'cw');
mem('fnstcw', 0xd9, 7, 'out');
reg('fld st1', 0xd9, 0xc1, { push: true });
reg('fxch st1', 0xd9, 0xc9);
reg('fxch st0', 0xd9, 0xc8);
reg('fnop', 0xd9, 0xd0);
reg('fstp1 st1', 0xd9, 0xd9);
for (const [modrm, name] of [[0xe0, 'fchs'], [0xe1, 'fabs'], [0xe4, 'ftst'], [0xe5, 'fxam'], [0xf6, 'fdecstp'], [0xf7, 'fincstp'], [0xfa, 'fsqrt']] as const) reg(name, 0xd9, modrm);
for (const [modrm, name] of [[0xe8, 'fld1'], [0xe9, 'fldl2t'], [0xea, 'fldl2e'], [0xeb, 'fldpi'], [0xec, 'fldlg2'], [0xed, 'fldln2'], [0xee, 'fldz']] as const) reg(name, 0xd9, modrm, { push: true });
reg('fxtract', 0xd9, 0xf4, { push: true });
reg('fprem', 0xd9, 0xf8);
reg('fprem1', 0xd9, 0xf5);
reg('frndint', 0xd9, 0xfc, { near0: 0x401f });
reg('fscale', 0xd9, 0xfd, { near1: 0x4005 });
for (let i = 0; i < 4; i++) {
  reg(`fcmov${['b', 'e', 'be', 'u'][i]}`, 0xda, 0xc1 + i * 8);
  reg(`fcmovn${['b', 'e', 'be', 'u'][i]}`, 0xdb, 0xc1 + i * 8);
}
reg('fucompp', 0xda, 0xe9);
mem('fild m32', 0xdb, 0, 'int', { push: true });
mem('fild m16', 0xdf, 0, 'int', { push: true });
mem('fild m64', 0xdf, 5, 'int', { push: true });
for (const [name, opcode, index, near] of [['fisttp m32', 0xdb, 1, 0x401e], ['fist m32', 0xdb, 2, 0x401e], ['fistp m32', 0xdb, 3, 0x401e], ['fisttp m64', 0xdd, 1, 0x403e], ['fisttp m16', 0xdf, 1, 0x400e], ['fist m16', 0xdf, 2, 0x400e], ['fistp m16', 0xdf, 3, 0x400e], ['fistp m64', 0xdf, 7, 0x403e]] as const) mem(name, opcode, index, 'out', { near0: near });
mem('fld m80', 0xdb, 5, 'f80', { push: true });
mem('fstp m80', 0xdb, 7, 'out');
reg('fneni', 0xdb, 0xe0);
reg('fndisi', 0xdb, 0xe1);
reg('fnclex', 0xdb, 0xe2);
reg('fninit', 0xdb, 0xe3);
reg('fnsetpm', 0xdb, 0xe4);
reg('fucomi st1', 0xdb, 0xe9);
reg('fcomi st1', 0xdb, 0xf1);
mem('fld m64', 0xdd, 0, 'f64', { push: true });
mem('fst m64', 0xdd, 2, 'out', { near0: 0x3fff });
mem('fstp m64', 0xdd, 3, 'out');
mem('fst m32 edge', 0xd9, 2, 'out', { near0: 0x3fff - 127 });
mem('fst m32 edge high', 0xd9, 2, 'out', { near0: 0x3fff + 127 });
mem('fst m64 edge', 0xdd, 2, 'out', { near0: 0x3fff - 1023 });
mem('fst m64 edge high', 0xdd, 2, 'out', { near0: 0x3fff + 1023 });
mem('fnstsw m16', 0xdd, 7, 'out');
reg('ffree st1', 0xdd, 0xc1);
reg('fxch4 st2', 0xdd, 0xca);
reg('fst st1', 0xdd, 0xd1);
reg('fstp st1', 0xdd, 0xd9);
reg('fstp st0', 0xdd, 0xd8);
reg('fucom st1', 0xdd, 0xe1);
reg('fucomp st1', 0xdd, 0xe9);
mem('fbld', 0xdf, 4, 'bcd', { push: true });
mem('fbstp', 0xdf, 6, 'out', { near0: 0x403a });
reg('ffreep st1', 0xdf, 0xc1);
reg('fxch7 st1', 0xdf, 0xc9);
reg('fstp8 st1', 0xdf, 0xd1);
reg('fstp9 st1', 0xdf, 0xd9);
reg('fnstsw ax', 0xdf, 0xe0);
reg('fucomip st1', 0xdf, 0xe9);
reg('fcomip st1', 0xdf, 0xf1);
reg('fwait', 0x9b, 0);

export const X87_FORMS: readonly X87Form[] = forms.map((form) => form.name === 'fwait' ? { ...form, code: [0x9b] } : form);

export const TRANSCENDENTAL_FORMS: readonly X87Form[] = [
  { name: 'f2xm1', code: [0xd9, 0xf0], near0: 0x3ffc, ulp: true },
  { name: 'fyl2x', code: [0xd9, 0xf1], ulp: true },
  { name: 'fptan', code: [0xd9, 0xf2], push: true, near0: 0x3fff, ulp: true },
  { name: 'fpatan', code: [0xd9, 0xf3], ulp: true },
  { name: 'fyl2xp1', code: [0xd9, 0xf9], near0: 0x3ffb, ulp: true },
  { name: 'fsincos', code: [0xd9, 0xfb], push: true, near0: 0x3fff, ulp: true },
  { name: 'fsin', code: [0xd9, 0xfe], near0: 0x3fff, ulp: true },
  { name: 'fcos', code: [0xd9, 0xff], near0: 0x3fff, ulp: true },
];
