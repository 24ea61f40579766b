// Berkeley TestFloat 3e against the x87 and the single and double arithmetic: the functions alone, and as instructions of the whole
// processor in every mode of the JIT. It knows no DE flag and its NaN payloads follow other rules: both are left to
// x87-host.test.ts.

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { OP } from '../../core/cpu/isa/layout.ts';
import { CaseBuffer, IN, OUT } from './fpu/fpu-cases.ts';
import { inEveryJitMode } from '../support/jit-modes.ts';
import { testFloatGenerator } from '../support/testfloat.ts';
import { compileFpu } from './fpu/fpu-module.ts';
import { runOnProcessor } from './fpu/processor-run.ts';
import { SCALAR_FORMS } from './fpu/scalar-run.ts';
import { runOurs, writeX87Op } from './fpu/x87-run.ts';
import { InterpreterEngine } from './oracle/interpreter.ts';

const program = testFloatGenerator();
const missing = program === undefined ? 'testfloat_gen cannot be built here: gcc, make and the source packages of Debian are needed' : undefined;
const WASM = new URL('../../dist/interp.wasm', import.meta.url);
const unable = missing ?? (existsSync(WASM) ? undefined : 'dist/interp.wasm is not built');
const ROUNDINGS = [['-rnear_even', 0], ['-rmin', 1], ['-rmax', 2], ['-rminMag', 3]] as const;
const CHUNK = 40000;

type Where = 'st0' | 'st1' | 'memory' | 'eax' | 'xmm' | 'codes' | 'flags';

interface Subject {
  /** TestFloat's name. */
  readonly name: string;
  /** x87 code bytes, or a scalar form of fpu-harness.as. */
  readonly code?: readonly number[];
  readonly scalar?: number;
  /** Where the operands go and the result comes from, and the bytes of each. */
  readonly operands: readonly (readonly [where: 'st0' | 'st1' | 'memory' | 'xmm0' | 'xmm1', bytes: number])[];
  readonly result: readonly [where: Where, bytes: number];
  readonly options?: readonly string[];
  /** Precision control, else 64 bits. */
  readonly precision?: 0 | 2;
  /** For predicates: result from -1, 0, 1, 2. */
  readonly predicate?: (less: boolean, equal: boolean) => boolean;
}

const eq = (_less: boolean, equal: boolean): boolean => equal;
const le = (less: boolean, equal: boolean): boolean => less || equal;
const lt = (less: boolean): boolean => less;

/** ST1 op ST0 with a pop would need care; D8 forms compute ST0 op ST1. */
const X87: readonly Subject[] = [
  ...([['add', 0xc1], ['mul', 0xc9], ['sub', 0xe1], ['div', 0xf1]] as const).flatMap(([name, modrm]): Subject[] => [undefined, 0, 2].map((precision) => ({
    name: `extF80_${name}`, code: [0xd8, modrm], operands: [['st0', 10], ['st1', 10]], result: ['st0', 10],
    ...(precision === undefined ? {} : { precision: precision as 0 | 2, options: [precision === 0 ? '-precision32' : '-precision64'] }),
  }))),
  ...[undefined, 0, 2].map((precision): Subject => ({
    name: 'extF80_sqrt', code: [0xd9, 0xfa], operands: [['st0', 10]], result: ['st0', 10],
    ...(precision === undefined ? {} : { precision: precision as 0 | 2, options: [precision === 0 ? '-precision32' : '-precision64'] }),
  })),
  { name: 'extF80_roundToInt', code: [0xd9, 0xfc], operands: [['st0', 10]], result: ['st0', 10], options: ['-exact'] },
  { name: 'extF80_to_i32', code: [0xdb, 0x17], operands: [['st0', 10]], result: ['memory', 4], options: ['-exact'] },
  { name: 'extF80_to_i64', code: [0xdf, 0x3f], operands: [['st0', 10]], result: ['memory', 8], options: ['-exact'] },
  { name: 'extF80_to_f32', code: [0xd9, 0x17], operands: [['st0', 10]], result: ['memory', 4] },
  { name: 'extF80_to_f64', code: [0xdd, 0x17], operands: [['st0', 10]], result: ['memory', 8] },
  { name: 'f32_to_extF80', code: [0xd9, 0x07], operands: [['memory', 4]], result: ['st0', 10] },
  { name: 'f64_to_extF80', code: [0xdd, 0x07], operands: [['memory', 8]], result: ['st0', 10] },
  { name: 'i32_to_extF80', code: [0xdb, 0x07], operands: [['memory', 4]], result: ['st0', 10] },
  { name: 'i64_to_extF80', code: [0xdf, 0x2f], operands: [['memory', 8]], result: ['st0', 10] },
  { name: 'extF80_eq', code: [0xdd, 0xe1], operands: [['st0', 10], ['st1', 10]], result: ['codes', 0], predicate: eq },
  { name: 'extF80_le', code: [0xd8, 0xd1], operands: [['st0', 10], ['st1', 10]], result: ['codes', 0], predicate: le },
  { name: 'extF80_lt', code: [0xdb, 0xf1], operands: [['st0', 10], ['st1', 10]], result: ['flags', 0], predicate: lt },
  { name: 'extF80_le_quiet', code: [0xdb, 0xe9], operands: [['st0', 10], ['st1', 10]], result: ['flags', 0], predicate: le },
  { name: 'extF80_lt_quiet', code: [0xdd, 0xe1], operands: [['st0', 10], ['st1', 10]], result: ['codes', 0], predicate: lt },
  { name: 'extF80_eq_signaling', code: [0xd8, 0xd1], operands: [['st0', 10], ['st1', 10]], result: ['codes', 0], predicate: eq },
];

const SCALAR: readonly Subject[] = ([['f32', 32, 4], ['f64', 0, 8]] as const).flatMap(([type, base, size]): Subject[] => [
  ...(['add', 'sub', 'mul', 'div'] as const).map((name, index): Subject => ({ name: `${type}_${name}`, scalar: base + index, operands: [['xmm0', size], ['xmm1', size]], result: ['xmm', size] })),
  { name: `${type}_sqrt`, scalar: base + 4, operands: [['xmm1', size]], result: ['xmm', size] },
  { name: `${type}_roundToInt`, scalar: base + 7, operands: [['xmm1', size]], result: ['xmm', size], options: ['-exact'] },
  { name: `${type}_to_i32`, scalar: base + 8, operands: [['xmm1', size]], result: ['eax', 4], options: ['-exact'] },
  { name: `i64_to_${type}`, scalar: base + 14, operands: [['memory', 8]], result: ['xmm', size] },
  { name: `${type}_lt`, scalar: base + 10, operands: [['xmm0', size], ['xmm1', size]], result: ['flags', 0], predicate: lt },
  { name: `${type}_le_quiet`, scalar: base + 11, operands: [['xmm0', size], ['xmm1', size]], result: ['flags', 0], predicate: le },
]).concat([
  { name: 'f64_to_f32', scalar: 12, operands: [['xmm1', 8]], result: ['xmm', 4] },
  { name: 'f32_to_f64', scalar: 13, operands: [['xmm1', 4]], result: ['xmm', 8] },
]);

/** TestFloat's flags (inexact, underflow, overflow, infinite, invalid from bit 0) as ours. */
function flagsOf(text: string): number {
  const flags = parseInt(text, 16);
  return ((flags & 1) << 5) | ((flags & 2) << 3) | ((flags & 4) << 1) | ((flags & 8) >> 1) | ((flags & 16) >> 4);
}

function put(buffer: CaseBuffer, at: number, where: string, bytes: number, text: string): void {
  const value = BigInt(`0x${text}`);
  const base = { st0: IN.FSAVE + 28, st1: IN.FSAVE + 38, memory: IN.MEMORY, xmm0: IN.XMM0, xmm1: IN.XMM1 }[where] as number;
  if (bytes === 10) {
    buffer.view.setBigUint64(at + base, value & 0xffffffffffffffffn, true);
    buffer.view.setUint16(at + base + 8, Number(value >> 64n), true);
  } else if (bytes === 8) buffer.view.setBigUint64(at + base, value, true);
  else buffer.view.setUint32(at + base, Number(value), true);
}

const NAN_OF: Readonly<Record<number, (value: bigint) => boolean>> = {
  4: (value) => (value & 0x7fffffffn) > 0x7f800000n,
  8: (value) => (value & 0x7fffffffffffffffn) > 0x7ff0000000000000n,
  10: (value) => ((value >> 64n) & 0x7fffn) === 0x7fffn && (value & 0x7fffffffffffffffn) !== 0n,
};

function get(view: DataView, at: number, where: Where, bytes: number): bigint {
  const base = { st0: OUT.FSAVE + 28, st1: OUT.FSAVE + 38, memory: OUT.MEMORY, eax: OUT.EAX, xmm: OUT.XMM0, codes: 0, flags: 0 }[where];
  if (bytes === 4) return BigInt(view.getUint32(at + base, true));
  const low = view.getBigUint64(at + base, true);
  return bytes === 8 ? low : low | (BigInt(view.getUint16(at + base + 8, true)) << 64n);
}

/** Rounding of ROUNDSS and ROUNDSD as MXCSR says. */
const BY_MXCSR = 4;

/** The instruction of a subject; its memory operand is where RDI points to. */
function codeOf(subject: Subject): readonly number[] {
  if (subject.code !== undefined) return subject.code;
  const form = SCALAR_FORMS.find((each) => each.kind === subject.scalar);
  if (form === undefined) throw new Error(`No instruction for ${subject.name}`);
  return form.immediate ? [...form.code, BY_MXCSR] : form.code;
}

/** Defines the tests of every `stride`-th case; `makeRun` gives what runs case records and returns result records. */
function testFloat(stride: number, makeRun: () => Promise<(records: Uint8Array, count: number) => Uint8Array>): void {
  let runCases: (records: Uint8Array, count: number) => Uint8Array;

  beforeAll(async () => {
    runCases = await makeRun();
  });

  /** Returns the first disagreements and the number of cases. */
  function run(subject: Subject, option: string, rounding: number): { wrong: string[]; count: number } {
    const generated = spawnSync(program as string, ['-tininessafter', option, ...(subject.options ?? []), subject.name], { encoding: 'latin1', maxBuffer: 1 << 28 });
    expect(generated.status, generated.stderr).toBe(0);
    const lines = generated.stdout.split('\n').filter((line, index) => line !== '' && index % stride === 0).map((line) => line.split(' '));
    const wrong: string[] = [];
    for (let start = 0; start < lines.length; start += CHUNK) {
      const part = lines.slice(start, start + CHUNK);
      const buffer = new CaseBuffer(part.length);
      for (const fields of part) {
        const at = buffer.next(codeOf(subject));
        if (subject.code !== undefined) writeX87Op(buffer, at, subject.code);
        else {
          buffer.bytes[at + IN.OP + OP.HANDLER] = 2;
          buffer.view.setUint32(at + IN.OP + OP.IMM, BY_MXCSR, true);
          buffer.view.setUint32(at + IN.OP + OP.SUB, subject.scalar as number, true);
        }
        const pushes = subject.operands[0]?.[0] === 'memory';
        buffer.setState(at, 0x7f | ((subject.precision ?? 3) << 8) | (rounding << 10), 0, pushes ? 0xffff : 0);
        buffer.view.setUint32(at + IN.MXCSR, 0x1f80 | (rounding << 13), true);
        subject.operands.forEach(([where, bytes], index) => put(buffer, at, where, bytes, fields[index] as string));
      }
      const output = runCases(buffer.data(), buffer.count);
      const view = new DataView(output.buffer, output.byteOffset, output.length);
      part.forEach((fields, index) => {
        const at = index * OUT.BYTES;
        const flags = (subject.code === undefined ? view.getUint32(at + OUT.MXCSR, true) : view.getUint16(at + 4, true)) & 0x3d;
        const wanted = BigInt(`0x${fields[subject.operands.length] as string}`);
        const [where, bytes] = subject.result;
        let agrees: boolean;
        if (subject.predicate !== undefined) {
          const codes = view.getUint16(at + 4, true);
          const eflags = view.getUint32(at + OUT.EFLAGS, true);
          const unordered = where === 'codes' ? (codes & 0x400) !== 0 : (eflags & 4) !== 0;
          const less = where === 'codes' ? (codes & 0x100) !== 0 : (eflags & 1) !== 0;
          const equal = where === 'codes' ? (codes & 0x4000) !== 0 : (eflags & 0x40) !== 0;
          agrees = (!unordered && subject.predicate(less, equal)) === (wanted !== 0n);
        } else {
          const result = get(view, at, where, bytes);
          const isNan = /f32$|f64$|extF80$|_(add|sub|mul|div|sqrt|roundToInt)$/.test(subject.name) ? NAN_OF[bytes] : undefined;
          agrees = result === wanted || (isNan !== undefined && isNan(result) && isNan(wanted));
        }
        if ((!agrees || flags !== flagsOf(fields.at(-1))) && wrong.length < 3) wrong.push(`${fields.join(' ')}: ${subject.predicate === undefined ? get(view, at, where, bytes).toString(16) : 'predicate'} flags ${flags.toString(16)}`);
      });
    }
    return { wrong, count: lines.length };
  }

  it.each([...X87, ...SCALAR].map((subject) => [`${subject.name} ${subject.options?.join(' ') ?? ''}`, subject] as const))('%s', (_title, subject) => {
    for (const [option, rounding] of ROUNDINGS) {
      const { wrong, count } = run(subject, option, rounding);
      expect(wrong, option).toEqual([]);
      expect(count).toBeGreaterThan(300 / stride);
    }
  });
}

describe.skipIf(missing !== undefined)(missing === undefined ? 'TestFloat, functions' : `TestFloat, functions (skipped: ${missing})`, () => {
  testFloat(1, async () => {
    const module = await compileFpu();
    return (records, count) => runOurs(module, records, count);
  });
});

/** Each case of the processor is written as code, decoded and perhaps compiled anew. No power of two: TestFloat's cases repeat in such. */
const SOME = 23;

inEveryJitMode(() => {
  describe.skipIf(unable !== undefined)(unable === undefined ? 'TestFloat, instructions' : `TestFloat, instructions (skipped: ${unable})`, () => {
    testFloat(SOME, () => {
      const engine = new InterpreterEngine(WASM);
      return Promise.resolve((records, count) => runOnProcessor(engine, records, count));
    });
  });
});
