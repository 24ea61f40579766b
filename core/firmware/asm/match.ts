// Chooses the form of an instruction: which table line fits the operands that were written.

import { sourceError } from './expression.ts';
import { type Form, formsOf } from './forms.ts';
import type { ShortState } from './memory-operand.ts';
import type { Operand } from './operand.ts';

export interface MatchContext {
  readonly bits: number;
  /** Address of the instruction. */
  readonly here: bigint;
  readonly state: ShortState;
  readonly line: number;
}

const sized = (operand: Operand, bits: number): boolean =>
  operand.syntax.sizeBits === 0 || operand.syntax.sizeBits === bits;

function isRegister(operand: Operand, kind: string): boolean {
  return operand.syntax.kind === 'register' && operand.syntax.register?.kind === kind;
}

const isMemory = (operand: Operand, bits: number): boolean =>
  operand.syntax.kind === 'memory' && operand.syntax.distance !== 'far' && (bits === 0 || sized(operand, bits));

/** Marks the short form as unusable for ever when `fits` is false. */
function shortFits(fits: boolean, state: ShortState): boolean {
  if (!fits) state.immediate = true;
  return fits && !state.immediate;
}

/** Bits of the operation that a sign-extended byte is extended to. */
function operationBits(form: Form, operand: Operand, context: MatchContext): number {
  if (form.operandBits > 0) return form.operandBits;
  const { sizeBits } = operand.syntax;
  return sizeBits > 8 ? sizeBits : context.bits;
}

function immediateFits(operand: Operand, spec: string, form: Form, context: MatchContext): boolean {
  const { syntax, value } = operand;
  if (syntax.kind !== 'immediate' || syntax.distance !== undefined) return false;
  if (spec === '1') return value.n === 1n && value.relative === 0 && !value.unknown && syntax.sizeBits === 0;
  if (spec === 'imm') return syntax.sizeBits !== 8;
  if (spec === 'simm8') {
    if (syntax.sizeBits === 8) return true;
    const bits = operationBits(form, operand, context);
    if (syntax.strict || (syntax.sizeBits !== 0 && syntax.sizeBits !== bits)) return false;
    const n = BigInt.asIntN(bits, value.n);
    return shortFits(value.unknown || (value.relative === 0 && n >= -128n && n <= 127n), context.state);
  }
  if (spec === 'uimm32' || spec === 'simm32') {
    if (syntax.strict || syntax.sizeBits === 64) return false;
    const fits =
      spec === 'uimm32' ? value.n >= 0n && value.n <= 0xffffffffn : value.n >= -0x80000000n && value.n <= 0x7fffffffn;
    // Only the last of the two marks the value as too wide.
    if (spec === 'uimm32') return !context.state.immediate && (value.unknown || (value.relative === 0 && fits));
    return shortFits(value.unknown || (value.relative === 0 && fits), context.state);
  }
  const bits = Number(spec.slice(3));
  return sized(operand, bits) || (form.operandBits === 64 && bits === 32 && syntax.sizeBits === 64);
}

function jumpFits(operand: Operand, form: Form, only: boolean, context: MatchContext): boolean {
  const { syntax, value } = operand;
  if (syntax.kind !== 'immediate' || syntax.distance === 'near' || syntax.distance === 'far') return false;
  if (only || syntax.distance === 'short') return true;
  if (syntax.sizeBits !== 0 || syntax.strict) return false;
  const length = BigInt(form.encoding.length);
  const distance = value.n - (context.here + length);
  return shortFits(value.unknown || (distance >= -128n && distance <= 127n), context.state);
}

function operandFits(spec: string, operand: Operand, form: Form, only: boolean, context: MatchContext): boolean {
  const { syntax } = operand;
  switch (spec) {
    case 'r8':
    case 'r16':
    case 'r32':
    case 'r64':
    case 'sreg':
    case 'cr':
    case 'dr':
    case 'mm':
    case 'xmm':
      return isRegister(operand, spec) && (syntax.sizeBits === 0 || syntax.sizeBits === syntax.register?.bits);
    case 'rm8':
    case 'rm16':
    case 'rm32':
    case 'rm64': {
      const bits = Number(spec.slice(2));
      return isRegister(operand, `r${bits}`) || isMemory(operand, bits);
    }
    case 'g16':
    case 'g32':
    case 'g64':
      return isRegister(operand, `r${spec.slice(1)}`);
    case 'xmmg':
      return isRegister(operand, 'xmm');
    case 'mm64':
      return isRegister(operand, 'mm') || isMemory(operand, 64);
    case 'xm128':
    case 'xm64':
    case 'xm32':
      return isRegister(operand, 'xmm') || isMemory(operand, Number(spec.slice(2)));
    case 'm':
      return isMemory(operand, 0);
    case 'm8':
    case 'm16':
    case 'm32':
    case 'm64':
    case 'm80':
    case 'm128':
      return isMemory(operand, Number(spec.slice(1)));
    case 'mfar':
      return syntax.kind === 'memory' && syntax.distance === 'far';
    case 'moffs8':
    case 'moffs16':
    case 'moffs32':
    case 'moffs64':
      return (
        isMemory(operand, Number(spec.slice(5))) &&
        operand.value.registers.length === 0 &&
        syntax.addressing === undefined &&
        (context.bits !== 64 || syntax.displacementBits === 64)
      );
    case 'ptr':
      return syntax.kind === 'pointer';
    case 'st':
      return isRegister(operand, 'st') && syntax.register?.number === 0;
    case 'sti':
      return isRegister(operand, 'st');
    case 'rel8':
      return jumpFits(operand, form, only, context);
    case 'rel':
      return syntax.kind === 'immediate' && syntax.distance !== 'short' && syntax.distance !== 'far';
    case 'imm':
    case 'imm8':
    case 'imm16':
    case 'imm32':
    case 'imm64':
    case 'simm8':
    case 'uimm32':
    case 'simm32':
    case '1':
      return immediateFits(operand, spec, form, context);
    default:
      return syntax.kind === 'register' && syntax.register?.name === spec;
  }
}

const existsIn = (form: Form, bits: number): boolean =>
  bits === 64 ? !form.encoding.includes('n64') : !form.encoding.includes('x64') && form.operandBits !== 64;

/** Bits of an operand spec that may be an unsized memory reference, 0 when it is none. */
function memoryBits(spec: string): number {
  const match = /^(?:rm|m|moffs)(8|16|32|64|80|128)$/.exec(spec);
  return match === null ? 0 : Number(match[1]);
}

/** True when a register operand says how wide an unsized memory operand is. */
function sizeIsImplied(form: Form, operands: readonly Operand[], memory: number): boolean {
  return form.operands.some((spec, i) => {
    const register = operands[i]?.syntax.register;
    return operands[i]?.syntax.kind === 'register' && spec !== 'cl' && spec !== 'dx' && register?.bits === memory;
  });
}

interface Candidates {
  readonly forms: readonly Form[];
  /** A short jump is the only way to write it. */
  readonly only: boolean;
}

const candidateCache = new Map<string, Candidates>();

/** Forms of a mnemonic with this many operands that exist in this mode. */
function candidatesFor(mnemonic: string, operandCount: number, bits: number): Candidates {
  const key = `${mnemonic} ${operandCount} ${bits}`;
  let found = candidateCache.get(key);
  if (found === undefined) {
    const forms = (formsOf(mnemonic) ?? []).filter(
      (form) => form.operands.length === operandCount && existsIn(form, bits),
    );
    found = { forms, only: !forms.some((form) => form.operands[0] === 'rel') };
    candidateCache.set(key, found);
  }
  return found;
}

/** @throws NestboxError when nothing fits or the operand size is not known */
export function chooseForm(mnemonic: string, operands: readonly Operand[], context: MatchContext): Form {
  const { forms, only } = candidatesFor(mnemonic, operands.length, context.bits);
  let chosen: Form | undefined;
  let chosenMemory = 0;
  for (const form of forms) {
    if (!form.operands.every((spec, i) => operandFits(spec, operands[i] as Operand, form, only, context))) continue;
    const unsized = operands.findIndex((operand) => operand.syntax.kind === 'memory' && operand.syntax.sizeBits === 0);
    const memory = unsized < 0 ? 0 : memoryBits(form.operands[unsized] ?? '');
    if (memory === 0 || sizeIsImplied(form, operands, memory)) {
      // A jump through unsized memory uses the mode's size; `m` operands have no size to give.
      if (chosen === undefined) return form;
      if (chosenMemory === 0) return chosen;
    }
    if (form.encoding.includes('defsize') && unsized >= 0) {
      if (memory === context.bits) return form;
      continue;
    }
    if (chosen === undefined) {
      chosen = form;
      chosenMemory = memory;
    } else if (chosenMemory !== memory) throw sourceError(context.line, `operation size not specified: ${mnemonic}`);
  }
  if (chosen === undefined) throw sourceError(context.line, `no such form of ${mnemonic}`);
  return chosen;
}
