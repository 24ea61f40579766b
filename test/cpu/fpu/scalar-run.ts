// Cases for the single and double arithmetic behind SSE: scalar instructions on the host against f32*/f64* functions.

import { OP } from '../../../core/cpu/isa/layout.ts';
import type { CaseBuffer} from './fpu-cases.ts';
import { IN, OUT, pattern, randomF32, randomF64, type Random } from './fpu-cases.ts';

export interface ScalarForm {
  readonly name: string;
  /** Case number in fpu-harness.as. */
  readonly kind: number;
  readonly code: readonly number[];
  /** Format of the operands. */
  readonly wide: boolean;
  readonly immediate?: true;
}

const BOTH: readonly (readonly [string, number, readonly number[]])[] = [
  ['add', 0, [0x58]], ['sub', 1, [0x5c]], ['mul', 2, [0x59]], ['div', 3, [0x5e]], ['sqrt', 4, [0x51]], ['min', 5, [0x5d]], ['max', 6, [0x5f]],
];

export const SCALAR_FORMS: readonly ScalarForm[] = [false, true].flatMap((wide) => {
  const base = wide ? 0 : 32;
  const prefix = wide ? 0xf2 : 0xf3;
  const suffix = wide ? 'sd' : 'ss';
  const compare = wide ? [0x66] : [];
  return [
    ...BOTH.map(([name, kind, [opcode]]) => ({ name: name + suffix, kind: base + kind, code: [prefix, 0x0f, opcode as number, 0xc1], wide })),
    { name: `round${suffix}`, kind: base + 7, code: [0x66, 0x0f, 0x3a, wide ? 0x0b : 0x0a, 0xc1], wide, immediate: true as const },
    { name: `cvt${suffix}2si`, kind: base + 8, code: [prefix, 0x0f, 0x2d, 0xc1], wide },
    { name: `cvtt${suffix}2si`, kind: base + 9, code: [prefix, 0x0f, 0x2c, 0xc1], wide },
    { name: `comi${suffix}`, kind: base + 10, code: [...compare, 0x0f, 0x2f, 0xc1], wide },
    { name: `ucomi${suffix}`, kind: base + 11, code: [...compare, 0x0f, 0x2e, 0xc1], wide },
    { name: `cvtsi2${suffix} m64`, kind: base + 14, code: [prefix, 0x48, 0x0f, 0x2a, 0x07], wide },
    { name: `cvt${suffix}2si r64`, kind: base + 15, code: [prefix, 0x48, 0x0f, 0x2d, 0xc1], wide },
    { name: `cvtt${suffix}2si r64`, kind: base + 16, code: [prefix, 0x48, 0x0f, 0x2c, 0xc1], wide },
  ];
}).concat([
  { name: 'cvtsd2ss', kind: 12, code: [0xf2, 0x0f, 0x5a, 0xc1], wide: true },
  { name: 'cvtss2sd', kind: 13, code: [0xf3, 0x0f, 0x5a, 0xc1], wide: false },
]);

export function addScalarCase(buffer: CaseBuffer, form: ScalarForm, random: Random): void {
  const immediate = random.below(16);
  const at = buffer.next(form.immediate ? [...form.code, immediate] : form.code);
  const op = at + IN.OP;
  buffer.bytes[op + OP.HANDLER] = 2;
  buffer.view.setUint32(op + OP.IMM, immediate, true);
  buffer.view.setUint32(op + OP.SUB, form.kind, true);
  buffer.setState(at, 0x37f, 0, 0xffff);
  const masks = random.below(4) === 0 ? random.below(64) : 0x3f;
  const rounding = random.below(2) === 0 ? 0 : random.below(4);
  const modes = random.below(4) === 0 ? random.pick([0x40, 0x8000, 0x8040]) : 0;
  const flags = random.below(2) === 0 ? 0x20 : random.below(64);
  buffer.view.setUint32(at + IN.MXCSR, (masks << 7) | (rounding << 13) | modes | flags, true);
  for (const register of [IN.XMM0, IN.XMM1]) {
    buffer.view.setBigUint64(at + register, random.u64(), true);
    buffer.view.setBigUint64(at + register + 8, random.u64(), true);
    if (form.wide) buffer.view.setBigUint64(at + register, form.name.startsWith('cvtsd2ss') && random.below(2) === 0 ? nearSingle(random) : randomF64(random), true);
    else buffer.view.setUint32(at + register, randomF32(random), true);
  }
  if (random.below(8) === 0) buffer.bytes.copyWithin(at + IN.XMM1, at + IN.XMM0, at + IN.XMM0 + 8);
  buffer.view.setBigUint64(at + IN.MEMORY, random.below(2) === 0 ? pattern(random) >> BigInt(random.below(64)) : random.u64(), true);
  buffer.view.setUint32(at + IN.EFLAGS, random.u32() & 0x8d5, true);
  buffer.view.setUint32(at + IN.EAX, random.u32(), true);
}

/** Doubles around the range of singles. */
function nearSingle(random: Random): bigint {
  const exponent = random.pick([1023 - 150 + random.below(30), 1023 + 120 + random.below(12), 1023 + random.below(3)]);
  return (BigInt(random.below(2)) << 63n) | (BigInt(exponent) << 52n) | (pattern(random) >> 12n);
}

/** SIGFPE on the host is #XM. */
const SIGFPE = 8;

export function compareScalar(ours: DataView, host: DataView, at: number): string[] {
  const wrong: string[] = [];
  const trapped = host.getUint32(at + OUT.STATUS, true) === SIGFPE;
  if ((ours.getUint32(at + OUT.STATUS, true) === 19) !== trapped) wrong.push(`trap ${ours.getUint32(at + OUT.STATUS, true)} host ${host.getUint32(at + OUT.STATUS, true)}`);
  const check = (name: string, a: bigint | number, b: bigint | number): void => {
    if (a !== b) wrong.push(`${name} ${a.toString(16)} host ${b.toString(16)}`);
  };
  check('mxcsr', ours.getUint32(at + OUT.MXCSR, true), host.getUint32(at + OUT.MXCSR, true));
  check('xmm0', ours.getBigUint64(at + OUT.XMM0, true), host.getBigUint64(at + OUT.XMM0, true));
  check('xmm0 high', ours.getBigUint64(at + OUT.XMM0 + 8, true), host.getBigUint64(at + OUT.XMM0 + 8, true));
  check('eflags', ours.getUint32(at + OUT.EFLAGS, true), host.getUint32(at + OUT.EFLAGS, true));
  check('eax', ours.getUint32(at + OUT.EAX, true), host.getUint32(at + OUT.EAX, true));
  return wrong;
}

export function describeScalar(buffer: CaseBuffer, index: number): string {
  const at = index * IN.BYTES;
  return `mxcsr=${buffer.view.getUint32(at + IN.MXCSR, true).toString(16)} xmm0=${buffer.view.getBigUint64(at + IN.XMM0, true).toString(16)} xmm1=${buffer.view.getBigUint64(at + IN.XMM1, true).toString(16)} mem=${buffer.view.getBigUint64(at + IN.MEMORY, true).toString(16)}`;
}
