// Runs the SingleStepTests vectors (../shared/vectors) on the interpreter and judges the differences. What the recorded
// processor did otherwise than a 386 and later is excluded by rule, each with its reason; everything else must be equal.

import { existsSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { type BareInterpreter, bareInterpreter, setRealSegment, wake } from '../interpreter/bare-interpreter.ts';

export interface Vector {
  readonly name: string;
  readonly bytes: readonly number[];
  readonly op: string;
  readonly initial: {
    readonly regs: Readonly<Record<string, number>>;
    readonly ram: readonly (readonly [number, number])[];
  };
  readonly final: {
    readonly regs: Readonly<Record<string, number>>;
    readonly ram: readonly (readonly [number, number])[];
  };
  /** Vector, then the four bytes of the linear address where FLAGS were pushed. */
  readonly exception?: readonly number[];
}

export type Suite = 'sst-80286-real' | 'sst-8086';

export interface Report {
  passed: number;
  readonly failures: string[];
  /** Excluded vectors by reason. */
  readonly excluded: Map<string, number>;
  readonly forms: Set<string>;
}

const REGISTERS = ['ax', 'cx', 'dx', 'bx', 'sp', 'bp', 'si', 'di'] as const;
const SEGMENTS = ['es', 'cs', 'ss', 'ds'] as const;
const NOP = 0x90;
const PREFIXES = [0x26, 0x2e, 0x36, 0x3e, 0xf0, 0xf2, 0xf3];
const ARITHMETIC = 0x8d5;
const A20_CLOSED = 0xffff_ffff_ffef_ffffn;

/** Null when the vectors are not on this machine. */
export function loadVectors(suite: Suite): Vector[] | null {
  const path = new URL(`../../../../shared/vectors/${suite}.jsonl.gz`, import.meta.url);
  if (!existsSync(path)) return null;
  return gunzipSync(readFileSync(path))
    .toString('utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Vector);
}

function prefixesOf(vector: Vector): readonly number[] {
  const end = vector.bytes.findIndex((byte) => !PREFIXES.includes(byte));
  return vector.bytes.slice(0, Math.max(end, 0));
}

/** Arithmetic flags that the manual leaves undefined for this instruction. */
function undefinedFlags(op: string, count: number): number {
  const [code, reg] = op.split('.') as [string, string | undefined];
  if (code === '27' || code === '2F') return 0x800;
  if (code === '37' || code === '3F') return 0x8c4;
  if (code === 'D4') return 0x811;
  if (code === 'D5') return 0x811;
  if (code === '69' || code === '6B') return 0xd4;
  if (/^(C0|C1|D0|D1|D2|D3)$/.test(code)) {
    const rotates = Number(reg) < 4;
    return (rotates ? 0 : 0x10) | (count === 1 ? 0 : 0x800);
  }
  if (code === 'F6' || code === 'F7')
    return reg === '4' || reg === '5' ? 0xd4 : reg === '6' || reg === '7' ? ARITHMETIC : 0x10;
  // AND, OR, XOR, TEST
  if (/^(0[89A-D]|2[0-5]|3[0-5]|8[45]|A[89])$/.test(code) || (/^8[0-3]$/.test(code) && /^[146]$/.test(reg ?? '')))
    return 0x10;
  return 0;
}

function reason80286(vector: Vector): string | undefined {
  if (prefixesOf(vector).includes(0xf0)) return 'LOCK before instructions that take none: #UD since the 386';
  const vectorNumber = vector.exception?.[0];
  if (vectorNumber === 13 && vector.bytes.length - 1 > 10)
    return 'more than 10 bytes: #GP on the 286, allowed since the 386';
  if (vectorNumber === 6 && (vector.op === '8C' || vector.op === '8E')) return 'FS and GS exist since the 386';
  if (vectorNumber === 13 && /^(6[C-F]|A[4-7A-F])$/.test(vector.op))
    return 'a faulting string instruction leaves the index registers stepped on the 286';
  if (vector.final.regs['ip'] === 0) return 'IP wraps from FFFF to 0 on the 286, EIP goes on since the 386';
  return undefined;
}

function reason8086(vector: Vector): string | undefined {
  const { op } = vector;
  if (op === '54') return 'PUSH SP pushes the new value on the 8086';
  if (/^(6[0-9A-F]|C0|C1|C8|C9)$/.test(op)) return '60-6F, C0, C1, C8, C9 are aliases of other opcodes on the 8086';
  if (op === 'FF.6' && vector.bytes[prefixesOf(vector).length + 1] === 0xf4)
    return 'PUSH SP pushes the new value on the 8086';
  if (op === 'FF.7') return 'FF /7 is an alias of PUSH on the 8086, undefined since the 286';
  const al = (vector.initial.regs['ax'] ?? 0) % 256;
  if (op === '2F' && (al > 0x99 || al < 6) && ((vector.initial.regs['flags'] ?? 0) & 0x10) !== 0)
    return 'DAS with AF set compares with 9Fh and ignores the borrow of 6 on the 8086';
  if (op === '0F') return 'POP CS exists on the 8086 only';
  if (/^D[0-3]\.6$/.test(op)) return 'SETMO is an alias of SHL since the 186';
  if (/^D[89A-F]$/.test(op)) return 'the vectors have no x87, the interpreter has';
  const modrm = vector.bytes[prefixesOf(vector).length + 1] ?? 0;
  const reg = (modrm >> 3) & 7;
  if ((op === '8C' || op === '8E') && (reg > 3 || (op === '8E' && reg === 1)))
    return 'segment numbers 4-7 wrap and CS can be loaded on the 8086';
  if (/^(8F|C6|C7)/.test(op) && reg !== 0) return 'the 8086 ignores the ModRM extension of 8F, C6, C7';
  if (/^D[23]/.test(op) && (vector.initial.regs['cx'] ?? 0) % 256 > 31)
    return 'shift counts are not masked on the 8086';
  if (/^F[67]\.[67]$/.test(op)) {
    if (vector.final.regs['ip'] !== undefined && vector.final.regs['cs'] !== undefined)
      return '#DE saves the IP of the next instruction on the 8086';
    if (prefixesOf(vector).some((byte) => byte >= 0xf2)) return 'REP negates the quotient of IDIV on the 8086';
  }
  if (op === '3F' && al < 6) return 'AAS borrows from AH twice since the 286';
  if (prefixesOf(vector).includes(0xf0)) return 'LOCK before instructions that take none: #UD since the 386';
  return undefined;
}

/** What runs vectors, whichever way: real mode, registers by the names of the vectors. */
export interface VectorCpu {
  /** Guest RAM. */
  readonly ram: Uint8Array;
  /**
   * Sets everything, runs until HLT, or one instruction with its repetitions. `flags` are those that a 386 can hold.
   * @param next linear address of the instruction that must come then, or undefined when the vector has other memory there
   */
  run(regs: Readonly<Record<string, number>>, flags: number, how: 'to-halt' | 'one', repeated: boolean, next: number | undefined): void;
  /** General registers, segments, `ip` and `flags` afterwards. */
  register(name: string): number;
  /** Vector of the first fault that was delivered, if that is known. */
  firstFault(): number | undefined;
  /** Why the vector could not be run, or undefined. */
  unable?(): string | undefined;
}

export const REGISTER_NAMES = REGISTERS;
export const SEGMENT_NAMES = SEGMENTS;

function interpreterCpu(suite: Suite): VectorCpu {
  const cpu: BareInterpreter = bareInterpreter();
  const { file, ram, exports } = cpu;
  if (suite === 'sst-8086') {
    file.set64('A20_MASK', A20_CLOSED);
    exports.pageMapChanged();
  }
  return {
    ram,
    run: (regs, flags, how, repeated) => {
      wake(cpu);
      exports.flushAllBlocks();
      wake(cpu);
      cpu.faults.length = 0;
      REGISTERS.forEach((name, i) => file.set64('GPR', BigInt(regs[name] ?? 0), i));
      SEGMENTS.forEach((name, i) => setRealSegment(file, i, regs[name] ?? 0));
      const start = BigInt(regs['ip'] ?? 0);
      file.set64('RIP', start);
      exports.setEflags(flags);
      if (how === 'to-halt') {
        cpu.run(200_000);
        return;
      }
      cpu.run(1);
      for (let i = 0; repeated && i < 0x10000 && file.get64('RIP') === start; i++) cpu.run(1);
    },
    register: (name) => {
      if (name === 'ip') return Number(file.get64('RIP'));
      if (name === 'flags') return exports.readEflags();
      const segment = SEGMENTS.indexOf(name as (typeof SEGMENTS)[number]);
      return segment >= 0 ? file.get32('SEG_SELECTOR', segment) : Number(file.get64('GPR', REGISTERS.indexOf(name as (typeof REGISTERS)[number])) & 0xffffn);
    },
    firstFault: () => cpu.faults[0]?.vector,
  };
}

/** Differences of one vector as text, empty when it passes. */
function runOne(cpu: VectorCpu, suite: Suite, vector: Vector): string {
  const { ram } = cpu;
  const { initial, final } = vector;
  for (const [address, value] of initial.ram) ram[address] = value;
  const want: Record<string, number> = { ...initial.regs, ...final.regs };
  const wrap = suite === 'sst-8086' ? 0xfffff : 0x1fffff;
  const next = ((want['cs'] ?? 0) * 16 + (want['ip'] ?? 0)) & wrap;
  // What the recorded processor had fetched ahead is among the memory: NOPs, unlike operands.
  const taken = initial.ram.some(([address, value]) => address === next && value !== NOP) || final.ram.some(([address, value]) => address === next && value !== NOP);
  cpu.run(initial.regs, (initial.regs['flags'] ?? 0) & 0xfd7, suite === 'sst-80286-real' ? 'to-halt' : 'one', prefixesOf(vector).some((byte) => byte >= 0xf2), taken ? undefined : next);
  const differences: string[] = [];
  const check = (name: string, got: number, expected: number | undefined): void => {
    if (got !== expected) differences.push(`${name}=${got.toString(16)} instead of ${expected?.toString(16)}`);
  };
  for (const name of [...REGISTERS, ...SEGMENTS, 'ip']) check(name, cpu.register(name), want[name]);
  const shift = /^[DC][01]/.test(vector.op);
  const count = shift
    ? vector.op.startsWith('D')
      ? 1
      : (vector.bytes[vector.bytes.length - 2] ?? 0) & 31
    : /^D[23]/.test(vector.op)
      ? (initial.regs['cx'] ?? 0) & 31
      : 0;
  const mask = ARITHMETIC & ~undefinedFlags(vector.op, count);
  // TF, IF, DF are compared too.
  check('flags', cpu.register('flags') & (mask | 0x700), (want['flags'] ?? 0) & (mask | 0x700));
  // FLAGS pushed by an exception or interrupt: undefined bits, and bits 12-15, which the processors fill differently.
  const pushes = vector.exception !== undefined || (suite === 'sst-8086' && /^(9C|CC|CD|CE)$/.test(vector.op));
  const above = vector.op === '9C' ? 0 : 4;
  const flagsAt = pushes ? ((want['ss'] ?? 0) * 16 + (((want['sp'] ?? 0) + above) & 0xffff)) & wrap : -2;
  for (const [address, value] of final.ram) {
    let bits = 0xff;
    if (address === flagsAt) bits = ~undefinedFlags(vector.op, count) & 0xff;
    if (address === flagsAt + 1) bits = ~(undefinedFlags(vector.op, count) >> 8) & 0x0f;
    if (((ram[address] ?? 0) & bits) !== (value & bits))
      differences.push(`[${address.toString(16)}]=${ram[address]?.toString(16)} instead of ${value.toString(16)}`);
  }
  for (const [address] of initial.ram) ram[address] = 0;
  for (const [address] of final.ram) ram[address] = 0;
  return differences.join(', ');
}

/** @param cpu the interpreter when absent */
export function runVectors(suite: Suite, vectors: readonly Vector[], cpu = interpreterCpu(suite)): Report {
  const report: Report = { passed: 0, failures: [], excluded: new Map(), forms: new Set() };
  for (const vector of vectors) {
    let reason = suite === 'sst-8086' ? reason8086(vector) : reason80286(vector);
    if (reason === undefined) {
      const difference = runOne(cpu, suite, vector);
      reason = cpu.unable?.();
      if (reason !== undefined) {
        report.excluded.set(reason, (report.excluded.get(reason) ?? 0) + 1);
        continue;
      }
      // Whether an operand lies in the stack segment shows best in the fault that came.
      if (difference !== '' && vector.exception?.[0] === 13 && cpu.firstFault() === 12)
        reason = 'beyond the stack segment: #GP on the 286, #SS since the 386';
      else if (difference !== '')
        report.failures.push(
          `${vector.op} ${vector.name} [${vector.bytes.map((byte) => byte.toString(16)).join(' ')}] ${difference}`,
        );
      else report.passed++;
      if (reason === undefined) report.forms.add(vector.op);
    }
    if (reason !== undefined) report.excluded.set(reason, (report.excluded.get(reason) ?? 0) + 1);
  }
  return report;
}
