// Turns one instruction into bytes: prefixes, REX, opcode, ModRM, displacement and immediates.

import { type Scope, sourceError } from './expression.ts';
import type { Form } from './forms.ts';
import { chooseForm } from './match.ts';
import { type EncodedMemory, encodeMemory, type ShortState } from './memory-operand.ts';
import { evaluateOperand, type Operand, type OperandSyntax } from './operand.ts';
import type { Register } from './registers.ts';

export interface Instruction {
  readonly mnemonic: string;
  readonly prefixes: readonly string[];
  readonly operands: readonly OperandSyntax[];
  readonly bits: number;
  readonly relDefault: boolean;
  readonly line: number;
}

/** Opcode prefixes of the words that may stand before a mnemonic. */
export const PREFIX_BYTES: Record<string, number> = {
  lock: 0xf0,
  rep: 0xf3,
  repe: 0xf3,
  repz: 0xf3,
  repne: 0xf2,
  repnz: 0xf2,
  es: 0x26,
  cs: 0x2e,
  ss: 0x36,
  ds: 0x3e,
  fs: 0x64,
  gs: 0x65,
  o16: 16,
  o32: 32,
  o64: 64,
  a16: 16,
  a32: 32,
  a64: 64,
};
const MANDATORY: Record<string, number> = { p66: 0x66, pF2: 0xf2, pF3: 0xf3 };
const IMMEDIATE_BYTES: Record<string, number> = { ib: 1, ibs: 1, jb: 1, iw: 2, id: 4, iq: 8 };

interface Work {
  readonly instruction: Instruction;
  readonly form: Form;
  readonly operands: readonly Operand[];
  readonly strict: boolean;
  operandPrefix: boolean;
  addressPrefix: boolean;
  segment: number;
  rex: number;
  needsRex: boolean;
  forbidsRex: boolean;
  mandatory: number;
}

/** Bits that `odf` and jump distances use: the size keyword or the mode's default. */
function defaultBits(work: Work): number {
  const size = work.operands.find((operand) => [16, 32, 64].includes(operand.syntax.sizeBits))?.syntax.sizeBits;
  return size ?? work.instruction.bits;
}

function applySize(work: Work, item: string): void {
  const { bits, line } = work.instruction;
  if (item === 'o16') work.operandPrefix = bits !== 16;
  else if (item === 'o32') work.operandPrefix = bits === 16;
  else if (item === 'o64') {
    if (bits !== 64) throw sourceError(line, '64-bit operands need 64-bit code');
    work.rex |= 8;
    work.needsRex = true;
  } else if (item === 'a16' || item === 'a32' || item === 'a64') work.addressPrefix = Number(item.slice(1)) !== bits;
  else if (item === 'odf' || item === 'jv') {
    const size = defaultBits(work);
    if (size === 64 && item === 'odf' && work.form.operands[0] === 'mfar') {
      work.rex |= 8;
      work.needsRex = true;
    } else if (size === 16) work.operandPrefix = bits !== 16;
    else if (size === 32) work.operandPrefix = bits === 16;
  }
}

function noteRegister(work: Work, register: Register, rexBit: number): number {
  if (register.number >= 8) {
    work.rex |= rexBit;
    work.needsRex = true;
  }
  if (register.rex === 'needs') work.needsRex = true;
  if (register.rex === 'forbids') work.forbidsRex = true;
  return register.number & 7;
}

const RM_SPEC = /^(rm\d|g\d|m$|m\d|mm64|xm\d|xmmg|mfar|moffs)/;

function pushNumber(out: number[], n: bigint, bytes: number): void {
  let rest = BigInt.asUintN(bytes * 8, n);
  for (let i = 0; i < bytes; i++) {
    out.push(Number(rest & 0xffn));
    rest >>= 8n;
  }
}

function checkRange(work: Work, n: bigint, bytes: number, signedOnly: boolean): void {
  if (!work.strict || bytes >= 8) return;
  const limit = 1n << BigInt(bytes * 8);
  if (n < -(limit / 2n) || n >= (signedOnly ? limit / 2n : limit))
    throw sourceError(work.instruction.line, `value ${n} does not fit in ${bytes} byte(s)`);
}

function immediateWidth(work: Work): number {
  const bits = work.form.operandBits || defaultBits(work);
  return Math.min(bits, 32) / 8;
}

function emitModRm(work: Work, reg: number, memory: EncodedMemory | undefined, rm: number, out: number[]): void {
  if (memory === undefined) {
    out.push(0xc0 | (reg << 3) | rm);
    return;
  }
  out.push(memory.modRm | (reg << 3));
  if (memory.sib !== undefined) out.push(memory.sib);
  const { displacementBytes, displacement } = memory;
  if (displacementBytes > 0 && !memory.ripRelative) checkRange(work, displacement, displacementBytes, false);
  pushNumber(out, displacement, displacementBytes);
}

function emitFarPointer(work: Work, opcode: number, out: number[]): void {
  const operand = work.operands[0] as Operand;
  const size = defaultBits(work);
  work.operandPrefix = size !== work.instruction.bits;
  out.push(opcode);
  checkRange(work, operand.value.n, size / 8, false);
  pushNumber(out, operand.value.n, size / 8);
  pushNumber(out, operand.segment?.n ?? 0n, 2);
}

/** Emits opcode, ModRM and immediates; prefixes are decided on the way and put in front later. */
function emitBody(work: Work, memory: EncodedMemory | undefined, scope: Scope, prefixLength: () => number): number[] {
  const { form, operands, instruction } = work;
  const out: number[] = [];
  const rmIndex = form.operands.findIndex((spec, i) => RM_SPEC.test(spec) && operands[i]?.syntax.kind !== 'immediate');
  const regIndex = form.operands.findIndex((spec, i) => i !== rmIndex && /^(r\d|sreg|cr|dr|mm$|xmm$)/.test(spec));
  const immediates = operands.filter((operand, i) => operand.syntax.kind === 'immediate' && form.operands[i] !== '1');
  let nextImmediate = 0;
  const takeImmediate = (): bigint => immediates[nextImmediate++]?.value.n ?? 0n;
  const register = (index: number): Register => operands[index]?.syntax.register as Register;
  const jump = (bytes: number): void => {
    const target = takeImmediate();
    const distance = target - (scope.here + BigInt(prefixLength() + out.length + bytes));
    if (bytes === 1) checkRange(work, distance, 1, true);
    pushNumber(out, distance, bytes);
  };
  for (let i = 0; i < form.encoding.length; i++) {
    const item = form.encoding[i] as string;
    if (/^[0-9a-f]{2}$/.test(item)) out.push(parseInt(item, 16));
    else if (MANDATORY[item] !== undefined) work.mandatory = MANDATORY[item];
    else if (item === '+r') {
      const index = regIndex >= 0 ? regIndex : rmIndex;
      out[out.length - 1] = (out[out.length - 1] as number) + noteRegister(work, register(index), 1);
    } else if (item === '+i') {
      const index = form.operands.indexOf('sti');
      out[out.length - 1] = (out[out.length - 1] as number) + register(index).number;
    } else if (item === '/r' || item === '/rr' || /^\/\d/.test(item)) {
      const own = item === '/rr' ? 0 : regIndex;
      let reg = item.startsWith('/r') ? noteRegister(work, register(own), 4) : Number(item[1]);
      let rm = 0;
      if (item === '/rr' || item.endsWith('g')) rm = noteRegister(work, register(0), 1);
      else if (memory === undefined) rm = noteRegister(work, register(rmIndex), 1);
      reg &= 7;
      emitModRm(work, reg, memory, rm, out);
    } else if (item === 'fp') {
      emitFarPointer(work, parseInt(form.encoding[++i] as string, 16), out);
    } else if (item === 'mo') {
      const bits =
        operands.find((operand) => operand.syntax.kind === 'memory')?.syntax.displacementBits || instruction.bits;
      work.addressPrefix = bits !== instruction.bits;
      const offset = operands.find((operand) => operand.syntax.kind === 'memory')?.value.n ?? 0n;
      checkRange(work, offset, bits / 8, false);
      pushNumber(out, offset, bits / 8);
    } else if (item === 'jb') jump(1);
    else if (item === 'jv') jump(defaultBits(work) === 16 ? 2 : 4);
    else if (item === 'iv' || IMMEDIATE_BYTES[item] !== undefined) {
      const bytes = item === 'iv' ? immediateWidth(work) : (IMMEDIATE_BYTES[item] as number);
      const value = takeImmediate();
      // A sign-extended byte may be written as the unsigned number of the operand size (0xFFFF for -1).
      const wrap = item === 'ibs' ? work.form.operandBits || defaultBits(work) : 64;
      checkRange(
        work,
        BigInt.asIntN(wrap, value),
        bytes,
        item === 'ibs' || (item !== 'iw' && item !== 'ib' && form.operandBits === 64 && bytes === 4),
      );
      pushNumber(out, value, bytes);
    }
  }
  return out;
}

function prefixBytes(work: Work): number[] {
  const out: number[] = [];
  for (const word of work.instruction.prefixes) {
    const byte = PREFIX_BYTES[word] as number;
    if (byte > 64 && byte !== 0x65 && [0xf0, 0xf2, 0xf3].includes(byte)) out.push(byte);
  }
  for (const word of work.instruction.prefixes) {
    if (['es', 'cs', 'ss', 'ds', 'fs', 'gs'].includes(word)) out.push(PREFIX_BYTES[word] as number);
  }
  if (work.segment !== 0) out.push(work.segment);
  if (work.operandPrefix) out.push(0x66);
  if (work.addressPrefix) out.push(0x67);
  if (work.mandatory !== 0) out.push(work.mandatory);
  if (work.needsRex || work.rex !== 0) {
    if (work.forbidsRex) throw sourceError(work.instruction.line, 'AH, BH, CH and DH cannot be used with a REX prefix');
    out.push(0x40 | work.rex);
  }
  return out;
}

/** Encodes one instruction at `scope.here`. `strict`: the last pass, values must fit. */
export function encodeInstruction(
  instruction: Instruction,
  scope: Scope,
  state: ShortState,
  strict: boolean,
): number[] {
  const operands = instruction.operands.map((syntax) => evaluateOperand(syntax, scope));
  const { bits, line } = instruction;
  const form = chooseForm(instruction.mnemonic, operands, { bits, here: scope.here, state, line });
  const work: Work = {
    instruction,
    form,
    operands,
    strict,
    operandPrefix: false,
    addressPrefix: false,
    segment: 0,
    rex: 0,
    needsRex: false,
    forbidsRex: false,
    mandatory: 0,
  };
  for (const item of form.encoding) applySize(work, item);
  for (const word of instruction.prefixes) if (/^[oa](16|32|64)$/.test(word)) applySize(work, word);
  const memoryOperand = operands.find((operand) => operand.syntax.kind === 'memory');
  let memory: EncodedMemory | undefined;
  if (memoryOperand !== undefined) {
    if (memoryOperand.syntax.override !== undefined)
      work.segment = PREFIX_BYTES[memoryOperand.syntax.override.name] ?? 0;
    if (!form.encoding.includes('mo')) {
      memory = encodeMemory(memoryOperand, bits, state, instruction.relDefault, line);
      if (memory.addressBits !== bits) work.addressPrefix = true;
      if (memory.rexB) work.rex |= 1;
      if (memory.rexX) work.rex |= 2;
    }
  }
  if (memory?.ripRelative === true) {
    const probe = emitBody(work, memory, scope, () => 0);
    const length = prefixBytes(work).length + probe.length;
    memory = { ...memory, displacement: memory.displacement - (scope.here + BigInt(length)) };
    checkRange(work, memory.displacement, 4, true);
  }
  const body = emitBody(work, memory, scope, () => prefixBytes(work).length);
  return [...prefixBytes(work), ...body];
}
