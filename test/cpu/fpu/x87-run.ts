// Generates cases for x87 forms and compares our module with the host, field by field.

import { OP, OPF } from '../../../core/cpu/isa/layout.ts';
import { X87_ROWS } from '../../../core/cpu/isa/opcodes-x87.ts';
import type { CaseBuffer} from './fpu-cases.ts';
import { IN, OUT, pattern, randomF32, randomF64, randomF80, type Random } from './fpu-cases.ts';
import { rowOf, subNumbers, type FpuModule } from './fpu-module.ts';
import type { X87Form } from './x87-forms.ts';

/** Writes the op record that the decoder would make for [opcode, modrm]. */
export function writeX87Op(buffer: CaseBuffer, at: number, code: readonly number[]): void {
  const [opcode = 0, modrm = 0] = code;
  const row = rowOf(X87_ROWS, '1', opcode, modrm);
  if (row?.sub === undefined) throw new Error(`No row for ${opcode.toString(16)} ${modrm.toString(16)}`);
  const op = at + IN.OP;
  const isMemory = code.length > 1 && modrm < 0xc0;
  buffer.bytes[op + OP.LENGTH] = code.length;
  buffer.bytes[op + OP.FLAGS] = isMemory ? OPF.MEM | OPF.FLAT : 0;
  buffer.bytes[op + OP.REG] = (modrm >> 3) & 7;
  buffer.bytes[op + OP.RM] = modrm & 7;
  buffer.bytes[op + OP.BASE] = isMemory ? 7 : 16;
  buffer.bytes[op + OP.INDEX] = 16;
  buffer.bytes[op + OP.SEG] = 3;
  buffer.bytes[op + OP.SIZE] = 2 | (3 << 4);
  buffer.view.setUint32(op + OP.IMM, modrm, true);
  buffer.view.setUint32(op + OP.SUB, subNumbers.get(row.sub) as number, true);
  buffer.view.setUint16(op + OP.OPCODE, opcode, true);
}

export function addX87Case(buffer: CaseBuffer, form: X87Form, random: Random): void {
  const at = buffer.next(form.code);
  writeX87Op(buffer, at, form.code);
  const masks = random.below(4) === 0 ? random.below(64) : 0x3f;
  const precision = random.below(3) === 0 ? random.pick([0, 1, 2]) : 3;
  const rounding = random.below(2) === 0 ? 0 : random.below(4);
  const cw = 0x40 | masks | (precision << 8) | (rounding << 10);
  const top = random.below(8);
  const stack = random.below(4) === 0 ? 0x40 : 0;
  const flagged = random.below(64) & masks;
  const sw = (random.u32() & 0x4700) | (top << 11) | flagged | stack;
  let tags = 0;
  const empty = (i: number): void => {
    tags |= 3 << (((top + i) & 7) * 2);
  };
  if (form.push ? random.below(12) !== 0 : random.below(4) === 0) empty(7);
  if (random.below(16) === 0) empty(0);
  if (random.below(16) === 0) empty(1);
  if (random.below(8) === 0) empty(2 + random.below(5));
  buffer.setState(at, cw, sw, tags);
  for (let i = 0; i < 8; i++) buffer.setSt(at, i, randomF80(random, i === 0 ? form.near0 : i === 1 ? form.near1 : undefined));
  // Equal, opposite and close operands meet often enough only on purpose.
  const relation = random.below(16);
  if (relation < 3) {
    const from = at + IN.FSAVE + 28;
    buffer.bytes.copyWithin(from + 10, from, from + 10);
    if (relation === 1) buffer.bytes[from + 19] = (buffer.bytes[from + 19] as number) ^ 0x80;
    if (relation === 2) buffer.bytes[from + 10] = random.below(256);
  }
  const memory = at + IN.MEMORY;
  buffer.view.setBigUint64(memory, pattern(random), true);
  buffer.view.setBigUint64(memory + 8, pattern(random), true);
  if (form.memory === 'f32') buffer.view.setUint32(memory, randomF32(random), true);
  else if (form.memory === 'f64') buffer.view.setBigUint64(memory, randomF64(random), true);
  else if (form.memory === 'f80') {
    const value = randomF80(random);
    buffer.view.setBigUint64(memory, value.sig, true);
    buffer.view.setUint16(memory + 8, value.exp, true);
  } else if (form.memory === 'bcd') {
    const base = random.below(8) === 0 ? 16 : 10;
    for (let i = 0; i < 9; i++) buffer.bytes[memory + i] = random.below(base) * 16 + random.below(base);
    if (random.below(4) === 0) buffer.bytes.fill(0, memory + random.below(9), memory + 9);
    buffer.bytes[memory + 9] = random.below(256);
  }
  buffer.view.setUint32(at + IN.EFLAGS, random.u32() & 0x8d5, true);
  buffer.view.setUint32(at + IN.EAX, random.u32(), true);
}

export interface Difference {
  readonly index: number;
  readonly text: string;
}

function hex(view: DataView, at: number, bytes: number): string {
  let text = '';
  for (let i = bytes - 1; i >= 0; i--) text += view.getUint8(at + i).toString(16).padStart(2, '0');
  return text;
}

/** One line about the inputs of a case. */
export function describeCase(buffer: CaseBuffer, index: number): string {
  const at = index * IN.BYTES;
  const view = buffer.view;
  return `cw=${hex(view, at + IN.FSAVE, 2)} sw=${hex(view, at + IN.FSAVE + 4, 2)} tw=${hex(view, at + IN.FSAVE + 8, 2)} st0=${hex(view, at + IN.FSAVE + 28, 10)} st1=${hex(view, at + IN.FSAVE + 38, 10)} mem=${hex(view, at + IN.MEMORY, 10)} fl=${hex(view, at + IN.EFLAGS, 2)}`;
}

/** Differences of one result record; `ignoreStatus` are status word bits that do not count. */
export function compareX87(ours: DataView, host: DataView, at: number, ignoreStatus = 0): string[] {
  const wrong: string[] = [];
  const field = (name: string, offset: number, bytes: number, mask = -1): void => {
    const a = hex(ours, at + offset, bytes);
    const b = hex(host, at + offset, bytes);
    if (a !== b && (mask === -1 || ((parseInt(a, 16) ^ parseInt(b, 16)) & mask) !== 0)) wrong.push(`${name} ${a} host ${b}`);
  };
  field('cw', 0, 2);
  field('sw', 4, 2, 0xffff & ~ignoreStatus);
  field('tw', 8, 2);
  for (let i = 0; i < 8; i++) field(`st${i}`, 28 + i * 10, 10);
  field('memory', OUT.MEMORY, 16);
  field('eflags', OUT.EFLAGS, 2);
  field('eax', OUT.EAX, 4);
  field('status', OUT.STATUS, 4);
  return wrong;
}

/** Runs the cases in our module; returns result records. */
export function runOurs(module: FpuModule, cases: Uint8Array, count: number): Uint8Array {
  const input = (module.free + 63) & ~63;
  const output = (input + cases.length + 63) & ~63;
  const bytes = new Uint8Array(module.memory.buffer);
  if (output + count * OUT.BYTES > bytes.length) throw new Error('Too many cases for one batch');
  bytes.set(cases, input);
  module.runBatch(count, input, output);
  return bytes.slice(output, output + count * OUT.BYTES);
}

/** Order of an 80-bit number on the line of representable numbers, for distances in units of the last place. */
function rank(view: DataView, at: number): bigint {
  const exp = view.getUint16(at + 8, true);
  const magnitude = (BigInt(exp & 0x7fff) << 63n) + (view.getBigUint64(at, true) & 0x7fffffffffffffffn);
  return exp >= 0x8000 ? -magnitude : magnitude;
}

/** Like compareX87, with one unit of the last place and C1 left to the implementation. */
export function compareTranscendental(ours: DataView, host: DataView, at: number): { wrong: string[]; lastPlace: boolean } {
  let lastPlace = false;
  const wrong = compareX87(ours, host, at, 0x200).filter((text) => {
    const match = /^st([01]) /.exec(text);
    if (match === null) return true;
    const slot = at + 28 + Number(match[1]) * 10;
    const distance = rank(ours, slot) - rank(host, slot);
    if (distance !== 1n && distance !== -1n) return true;
    lastPlace = true;
    return false;
  });
  return { wrong, lastPlace };
}
