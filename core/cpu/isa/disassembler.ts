// A disassembler on the opcode table, in Intel syntax, for traces and fault reports. It shows what the interpreter's
// decoder sees; it does not know CPUID features or processor modes beyond the code size.

import type { OpcodeMap, OpcodeRow } from './opcode-row.ts';
import { OPCODE_ROWS } from './opcodes.ts';
import { type DecodedForm, formatOperand, type Prefixes } from './operand-text.ts';

export type CodeSize = 16 | 32 | 64;

export interface Disassembled {
  readonly length: number;
  readonly mnemonic: string;
  readonly operands: string;
  /** Prefixes, mnemonic and operands. */
  readonly text: string;
  /** False for undefined encodings: one byte is taken and shown. */
  readonly valid: boolean;
}

const MAX_LENGTH = 15;
const SEGMENT_PREFIX: Readonly<Record<number, string>> = {
  0x26: 'es',
  0x2e: 'cs',
  0x36: 'ss',
  0x3e: 'ds',
  0x64: 'fs',
  0x65: 'gs',
};
const STRINGS = new Set(['movs', 'stos', 'lods', 'scas', 'cmps', 'ins', 'outs']);
const VEX_MAPS: readonly (OpcodeMap | undefined)[] = [undefined, 'vex0f', 'vex0f38', 'vex0f3a'];

/** Rows by map and opcode, those with more conditions first. */
const rowsByOpcode = new Map<string, OpcodeRow[]>();
for (const row of OPCODE_ROWS) {
  for (let i = 0; i < (row.plusR === true ? 8 : 1); i++) {
    const key = `${row.map} ${row.opcode + i}`;
    const list = rowsByOpcode.get(key) ?? [];
    list.push(row);
    rowsByOpcode.set(key, list);
  }
}
const weight = (row: OpcodeRow): number =>
  (row.prefix === undefined ? 0 : 8) +
  (row.rm === undefined ? 0 : 4) +
  (row.reg === undefined ? 0 : 2) +
  (row.mod === undefined ? 0 : 1);
for (const list of rowsByOpcode.values()) list.sort((a, b) => weight(b) - weight(a));

function hasModrm(row: OpcodeRow): boolean {
  if (row.reg !== undefined || row.mod !== undefined || row.rm !== undefined) return true;
  return (row.operands ?? '')
    .split(',')
    .some((token) => /^[EMRWQUNGVPSCD][a-z]*(M[a-z]+)?$/.test(token) && !/^(CS|DS|ES|SS)$/.test(token));
}

/** Disassembles the instruction at the start of `code`; `address` is where it lies, for relative operands. */
export function disassemble(code: Uint8Array, size: CodeSize, address: bigint): Disassembled {
  const bad = (): Disassembled => {
    const text = `(bad) ${(code[0] ?? 0).toString(16).padStart(2, '0')}`;
    return { length: 1, mnemonic: '(bad)', operands: '', text, valid: false };
  };
  let at = 0;
  const next = (): number => code[at++] ?? 0;
  const prefixes: Prefixes = {
    operand: false,
    address: false,
    rep: 0,
    lock: false,
    segment: undefined,
    rex: 0,
    vvvv: 0,
  };
  let byte = next();
  for (; at <= MAX_LENGTH; byte = next()) {
    if (size === 64 && (byte & 0xf0) === 0x40) {
      prefixes.rex = byte;
      continue;
    }
    if (byte === 0x66) prefixes.operand = true;
    else if (byte === 0x67) prefixes.address = true;
    else if (byte === 0xf2) prefixes.rep = 2;
    else if (byte === 0xf3) prefixes.rep = 3;
    else if (byte === 0xf0) prefixes.lock = true;
    else if (SEGMENT_PREFIX[byte] !== undefined) {
      if (size !== 64 || byte >= 0x64) prefixes.segment = SEGMENT_PREFIX[byte];
    } else break;
    prefixes.rex = 0;
  }
  let map: OpcodeMap = '1';
  let opcode = byte;
  if (byte === 0x0f) {
    map = '0f';
    opcode = next();
    if (opcode === 0x38 || opcode === 0x3a) {
      map = opcode === 0x38 ? '0f38' : '0f3a';
      opcode = next();
    }
  } else if ((byte === 0xc4 || byte === 0xc5) && (size === 64 || ((code[at] ?? 0) & 0xc0) === 0xc0)) {
    if (prefixes.operand || prefixes.rep !== 0 || prefixes.lock || prefixes.rex !== 0) return bad();
    const first = next();
    const last = byte === 0xc4 ? next() : first;
    const select = VEX_MAPS[byte === 0xc4 ? first & 31 : 1];
    if (select === undefined || (last & 4) !== 0) return bad();
    prefixes.rex = 0x40 | (~(first >> 5) & 4);
    if (byte === 0xc4) prefixes.rex |= (~(first >> 5) & 3) | (last & 0x80 ? 8 : 0);
    if (size !== 64) prefixes.rex &= 8;
    prefixes.vvvv = (~last >> 3) & (size === 64 ? 15 : 7);
    prefixes.operand = (last & 3) === 1;
    prefixes.rep = (last & 3) === 2 ? 3 : (last & 3) === 3 ? 2 : 0;
    map = select;
    opcode = next();
  }
  const candidates = rowsByOpcode.get(`${map} ${opcode}`);
  if (candidates === undefined) return bad();
  const modrm = candidates.some(hasModrm) ? next() : undefined;
  const row = candidates.find((candidate) => fits(candidate, prefixes, modrm, size));
  if (row === undefined) return bad();
  const mandatory = row.prefix === 'f2' || row.prefix === 'f3';
  const form: DecodedForm = {
    code,
    at,
    row,
    opcode,
    modrm,
    size,
    prefixes,
    address,
    operandBits: operandBits(row, prefixes, size),
    addressBits: addressBits(prefixes, size),
    memory: undefined,
  };
  const operands = (row.operands ?? '')
    .split(',')
    .filter((token) => token !== '')
    .map((token) => formatOperand(form, token));
  if (form.at > MAX_LENGTH || form.at > code.length) return bad();
  const isMemory = modrm !== undefined && modrm >> 6 !== 3;
  if (prefixes.lock && (row.lock !== true || !isMemory)) return bad();
  const mnemonic = mnemonicOf(row, form);
  const shown =
    STRINGS.has(row.mnemonic) || (mnemonic === 'nop' && row.mnemonic === 'xchg')
      ? ''
      : operands.map((operand) => operand(form.at)).join(', ');
  const repeat =
    mandatory || prefixes.rep === 0 || !STRINGS.has(row.mnemonic)
      ? ''
      : prefixes.rep === 2
        ? 'repne '
        : row.mnemonic === 'scas' || row.mnemonic === 'cmps'
          ? 'repe '
          : 'rep ';
  const text = `${prefixes.lock ? 'lock ' : ''}${repeat}${mnemonic}${shown === '' ? '' : ` ${shown}`}`;
  return { length: form.at, mnemonic, operands: shown, text, valid: true };
}

function fits(row: OpcodeRow, prefixes: Prefixes, modrm: number | undefined, size: CodeSize): boolean {
  if (row.prefix === 'np' && (prefixes.operand || prefixes.rep !== 0)) return false;
  if (row.prefix === '66' && (!prefixes.operand || prefixes.rep !== 0)) return false;
  if (row.prefix === 'f3' && prefixes.rep !== 3) return false;
  if (row.prefix === 'f2' && prefixes.rep !== 2) return false;
  if (row.modes === 'no64' && size === 64) return false;
  if (row.modes === 'only64' && size !== 64) return false;
  if (modrm === undefined) return true;
  if (row.reg !== undefined && row.reg !== ((modrm >> 3) & 7)) return false;
  if (row.rm !== undefined && row.rm !== (modrm & 7)) return false;
  return row.mod === undefined || (row.mod === 'reg') === (modrm >> 6 === 3);
}

function operandBits(row: OpcodeRow, prefixes: Prefixes, size: CodeSize): 16 | 32 | 64 {
  const swapped = prefixes.operand && row.prefix !== '66';
  if (size !== 64) return (size === 16) === swapped ? 32 : 16;
  if (row.size64 === 'force' || (prefixes.rex & 8) !== 0) return 64;
  if (swapped) return 16;
  return row.size64 === 'default' ? 64 : 32;
}

function addressBits(prefixes: Prefixes, size: CodeSize): 16 | 32 | 64 {
  if (size === 64) return prefixes.address ? 32 : 64;
  return (size === 16) === prefixes.address ? 32 : 16;
}

/** Mnemonics that name the operand size. */
function mnemonicOf(row: OpcodeRow, form: DecodedForm): string {
  const { operandBits: bits } = form;
  const bySize = (word: string, doubleword: string, quadword: string): string =>
    bits === 16 ? word : bits === 32 ? doubleword : quadword;
  switch (row.mnemonic) {
    case 'cbw':
      return bySize('cbw', 'cwde', 'cdqe');
    case 'cwd':
      return bySize('cwd', 'cdq', 'cqo');
    case 'pushf':
      return bySize('pushf', 'pushfd', 'pushfq');
    case 'popf':
      return bySize('popf', 'popfd', 'popfq');
    case 'iret':
      return bySize('iret', 'iretd', 'iretq');
    case 'pusha':
      return bySize('pushaw', 'pushal', '');
    case 'popa':
      return bySize('popaw', 'popal', '');
    case 'xlat':
      return 'xlatb';
    case 'jcxz':
      return form.addressBits === 16 ? 'jcxz' : form.addressBits === 32 ? 'jecxz' : 'jrcxz';
    case 'cmpxchg8b':
      return bits === 64 ? 'cmpxchg16b' : 'cmpxchg8b';
    // 90 without REX.B exchanges the accumulator with itself.
    case 'xchg':
      return form.row.plusR === true && (form.opcode & 7) === 0 && (form.prefixes.rex & 1) === 0 ? 'nop' : 'xchg';
    default:
      break;
  }
  if (!STRINGS.has(row.mnemonic)) return row.mnemonic;
  const byteForm = (row.operands ?? '').includes('b') || (row.operands ?? '').includes('AL');
  const io = row.mnemonic === 'ins' || row.mnemonic === 'outs';
  return row.mnemonic + (byteForm ? 'b' : bySize('w', 'd', io ? 'd' : 'q'));
}
