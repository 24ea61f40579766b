// Operands of the disassembler as text, Intel syntax.

import type { OpcodeRow } from './opcode-row.ts';
import { OPERAND_TOKEN } from './operands.ts';

export interface Prefixes {
  operand: boolean;
  address: boolean;
  /** 0, 2 for F2, 3 for F3. */
  rep: 0 | 2 | 3;
  lock: boolean;
  segment: string | undefined;
  rex: number;
  vvvv: number;
}

export interface DecodedForm {
  readonly code: Uint8Array;
  /** Offset of the next byte; moves while operands are read. */
  at: number;
  readonly row: OpcodeRow;
  readonly opcode: number;
  readonly modrm: number | undefined;
  readonly size: 16 | 32 | 64;
  readonly prefixes: Prefixes;
  readonly address: bigint;
  readonly operandBits: 16 | 32 | 64;
  readonly addressBits: 16 | 32 | 64;
  /** Text of the memory operand inside the brackets, once read. */
  memory: ((length: number) => string) | undefined;
}

const BYTE = ['al', 'cl', 'dl', 'bl', 'ah', 'ch', 'dh', 'bh'];
const WORD = ['ax', 'cx', 'dx', 'bx', 'sp', 'bp', 'si', 'di'];
const SEGMENTS = ['es', 'cs', 'ss', 'ds', 'fs', 'gs', '?', '?'];
const POINTER: Readonly<Record<number, string>> = {
  8: 'byte ptr ',
  16: 'word ptr ',
  32: 'dword ptr ',
  48: 'fword ptr ',
  64: 'qword ptr ',
  80: 'xword ptr ',
  128: 'xmmword ptr ',
};
/** Bits by size letters that do not depend on prefixes. */
const FIXED: Readonly<Record<string, number>> = {
  b: 8,
  w: 16,
  d: 32,
  q: 64,
  t: 80,
  dq: 128,
  ps: 128,
  pd: 128,
  x: 128,
  ss: 32,
  sd: 64,
  pi: 64,
  s: 0,
  '': 0,
};

export function registerName(number: number, bits: number, rex: boolean): string {
  if (number >= 8) return `r${number}${bits === 8 ? 'b' : bits === 16 ? 'w' : bits === 32 ? 'd' : ''}`;
  if (bits === 8) return rex && number >= 4 ? `${WORD[number]}l` : (BYTE[number] as string);
  return (bits === 32 ? 'e' : bits === 64 ? 'r' : '') + (WORD[number] as string);
}

function hex(value: bigint): string {
  return `0x${value.toString(16)}`;
}

function bitsOf(form: DecodedForm, letters: string): number {
  const fixed = FIXED[letters];
  if (fixed !== undefined) return fixed;
  if (letters === 'v') return form.operandBits;
  if (letters === 'z') return Math.min(form.operandBits, 32);
  if (letters === 'y') return form.operandBits === 64 ? 64 : 32;
  if (letters === 'p') return form.operandBits + 16;
  if (letters === 'a') return form.operandBits * 2;
  return 0;
}

function readNumber(form: DecodedForm, bytes: number): bigint {
  let value = 0n;
  for (let i = 0; i < bytes; i++) value |= BigInt(form.code[form.at + i] ?? 0) << BigInt(i * 8);
  form.at += bytes;
  return BigInt.asIntN(bytes * 8, value);
}

function signed(value: bigint): string {
  return value < 0n ? ` - ${hex(-value)}` : ` + ${hex(value)}`;
}

const PAIRS_16 = ['bx + si', 'bx + di', 'bp + si', 'bp + di', 'si', 'di', 'bp', 'bx'];

/** Reads SIB and displacement; the result needs the instruction's length for RIP-relative operands. */
function readMemory(form: DecodedForm): (length: number) => string {
  if (form.memory !== undefined) return form.memory;
  const modrm = form.modrm ?? 0;
  const mod = modrm >> 6;
  const rm = modrm & 7;
  const { addressBits, prefixes } = form;
  const inner: string[] = [];
  let displacement = 0n;
  let ripRelative = false;
  const at = form.at;
  if (addressBits === 16) {
    if (mod === 0 && rm === 6) displacement = BigInt.asUintN(16, readNumber(form, 2));
    else {
      inner.push(PAIRS_16[rm] as string);
      if (mod === 1) displacement = readNumber(form, 1);
      if (mod === 2) displacement = readNumber(form, 2);
    }
  } else {
    const name = (number: number): string => registerName(number, addressBits, true);
    let base = rm;
    if (rm === 4) {
      const sib = form.code[at] ?? 0;
      form.at++;
      base = sib & 7;
      const index = ((sib >> 3) & 7) | ((prefixes.rex & 2) << 2);
      if (!(base === 5 && mod === 0)) inner.push(name(base | ((prefixes.rex & 1) << 3)));
      if (index !== 4) inner.push(sib >> 6 === 0 ? name(index) : `${name(index)}*${1 << (sib >> 6)}`);
    } else if (!(base === 5 && mod === 0)) inner.push(name(base | ((prefixes.rex & 1) << 3)));
    if (base === 5 && mod === 0) {
      displacement = readNumber(form, 4);
      ripRelative = form.size === 64 && rm !== 4;
    } else if (mod === 1) displacement = readNumber(form, 1);
    else if (mod === 2) displacement = readNumber(form, 4);
  }
  const segment = prefixes.segment === undefined ? '' : `${prefixes.segment}:`;
  form.memory = () => {
    if (ripRelative) return `${segment}[${addressBits === 64 ? 'rip' : 'eip'}${signed(displacement)}]`;
    if (inner.length === 0) return `${segment}[${hex(BigInt.asUintN(addressBits, displacement))}]`;
    return `${segment}[${inner.join(' + ')}${displacement === 0n ? '' : signed(displacement)}]`;
  };
  return form.memory;
}

/** Reads what the operand takes from the code; the text is made when the instruction's length is known. */
export function formatOperand(form: DecodedForm, token: string): (length: number) => string {
  const match = OPERAND_TOKEN.exec(token);
  const { prefixes } = form;
  const modrm = form.modrm ?? 0;
  const rex = prefixes.rex !== 0;
  const reg = (modrm >> 3) & 7;
  const extendedReg = reg | ((prefixes.rex & 4) << 1);
  const extendedRm = (modrm & 7) | ((prefixes.rex & 1) << 3);
  if (match === null) return () => namedRegister(form, token);
  const kind = match[1] as string;
  const letters = match[2] ?? '';
  const bits = bitsOf(form, letters);
  const constant =
    (text: string): (() => string) =>
    () =>
      text;
  const isMemory = form.modrm !== undefined && modrm >> 6 !== 3;
  // MOV of control and debug registers: a register of the full size whatever mod says.
  if (kind === 'R' && /\b[CD]d\b/.test(form.row.operands ?? ''))
    return constant(registerName(extendedRm, form.size === 64 ? 64 : 32, rex));
  if ('EMWQR'.includes(kind) && isMemory) {
    const memory = readMemory(form);
    const memoryBits = match[3] === undefined ? bits : (FIXED[match[3]] ?? bits);
    // Scalar and packed sizes of SSE say how much is read; LEA and state images have no size.
    return (length) => (kind === 'M' && letters === '' ? '' : (POINTER[memoryBits] ?? '')) + memory(length);
  }
  switch (kind) {
    case 'E':
    case 'R':
    case 'M':
      return constant(registerName(extendedRm, bits, rex));
    case 'G':
      return constant(registerName(extendedReg, bits, rex));
    case 'B':
      return constant(registerName(prefixes.vvvv, bits, rex));
    case 'Z':
      return constant(registerName((form.opcode & 7) | ((prefixes.rex & 1) << 3), bits, rex));
    case 'V':
      return constant(`xmm${extendedReg}`);
    case 'W':
    case 'U':
      return constant(`xmm${extendedRm}`);
    case 'P':
      return constant(`mm${reg}`);
    case 'Q':
    case 'N':
      return constant(`mm${modrm & 7}`);
    case 'S':
      return constant(SEGMENTS[reg] as string);
    case 'C':
      return constant(`cr${extendedReg}`);
    case 'D':
      return constant(`dr${extendedReg}`);
    case 'I':
      return constant(immediate(form, letters));
    case 'J':
      return relative(form, letters);
    case 'O':
      return directAddress(form, bits);
    case 'A':
      return farPointer(form);
    default:
      return constant('');
  }
}

function immediate(form: DecodedForm, letters: string): string {
  const bytes =
    letters === 'b'
      ? 1
      : letters === 'w'
        ? 2
        : letters === 'v'
          ? form.operandBits / 8
          : Math.min(form.operandBits, 32) / 8;
  const value = readNumber(form, bytes);
  const wide = letters === 'b' || letters === 'z';
  // Arithmetic, IMUL and PUSH sign-extend to the operand size; counts, ports and vectors are bytes.
  const extended =
    wide &&
    /^(add|or|adc|sbb|and|sub|xor|cmp|test|imul|push|mov)$/.test(form.row.mnemonic) &&
    !/^[EZ]b|^AL/.test(form.row.operands ?? '');
  return hex(BigInt.asUintN(extended ? form.operandBits : bytes * 8, value));
}

function relative(form: DecodedForm, letters: string): (length: number) => string {
  const displacement = readNumber(form, letters === 'b' ? 1 : Math.min(form.operandBits, 32) / 8);
  return (length) => hex(BigInt.asUintN(form.operandBits, form.address + BigInt(length) + displacement));
}

function directAddress(form: DecodedForm, bits: number): () => string {
  const offset = BigInt.asUintN(form.addressBits, readNumber(form, form.addressBits / 8));
  const segment = form.prefixes.segment === undefined ? '' : `${form.prefixes.segment}:`;
  return () => `${POINTER[bits] ?? ''}${segment}[${hex(offset)}]`;
}

function farPointer(form: DecodedForm): () => string {
  const offset = BigInt.asUintN(form.operandBits, readNumber(form, form.operandBits === 16 ? 2 : 4));
  const selector = BigInt.asUintN(16, readNumber(form, 2));
  return () => `${hex(selector)}:${hex(offset)}`;
}

function namedRegister(form: DecodedForm, token: string): string {
  if (token === 'rAX') return registerName(0, form.operandBits, false);
  if (token === 'eAX') return registerName(0, Math.min(form.operandBits, 32), false);
  if (token === 'ST0') return 'st(0)';
  if (token === 'STi') return `st(${(form.modrm ?? 0) & 7})`;
  return token.toLowerCase();
}
