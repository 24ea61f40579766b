// ModRM, SIB and displacement of a memory operand, for 16, 32 and 64-bit addressing, chosen as NASM chooses them.

import { sourceError } from './expression.ts';
import type { Operand } from './operand.ts';
import type { Register } from './registers.ts';

/** Short forms that did not fit in some pass; once set they stay set, so that the passes converge. */
export interface ShortState {
  immediate: boolean;
  displacement: boolean;
}

export interface EncodedMemory {
  readonly addressBits: number;
  /** ModRM without the reg field, SIB, displacement. */
  readonly modRm: number;
  readonly sib: number | undefined;
  readonly displacement: bigint;
  readonly displacementBytes: number;
  readonly ripRelative: boolean;
  readonly rexB: boolean;
  readonly rexX: boolean;
}

interface Term {
  register: Register;
  factor: number;
  scaled: boolean;
}

const RM16: Record<string, number> = { 'bx+si': 0, 'bx+di': 1, 'bp+si': 2, 'bp+di': 3, si: 4, di: 5, bp: 6, bx: 7 };

function mergeTerms(operand: Operand, line: number): Term[] {
  const terms: Term[] = [];
  for (const item of operand.value.registers) {
    const present = terms.find((term) => term.register === item.register);
    if (present === undefined) terms.push({ ...item });
    else present.factor += item.factor;
  }
  if (terms.length > 2) throw sourceError(line, 'too many registers in an address');
  return terms;
}

/** Address size that the operand needs in `bits`-bit code. */
function addressBitsOf(operand: Operand, terms: readonly Term[], bits: number, line: number): number {
  const first = terms[0];
  if (first !== undefined) {
    if (terms.some((term) => term.register.bits !== first.register.bits) || first.register.bits < 16)
      throw sourceError(line, 'bad address registers');
    return first.register.bits;
  }
  const explicit = operand.syntax.displacementBits;
  if (explicit === 16 || explicit === 32 || explicit === 64) return explicit;
  return bits;
}

function isShort(operand: Operand, state: ShortState): boolean {
  if (state.displacement) return false;
  const { n, relative, unknown } = operand.value;
  const explicit = operand.syntax.displacementBits;
  if (explicit > 8) return false;
  const fits = unknown || (relative === 0 && n >= -128n && n <= 127n);
  if (!fits) state.displacement = true;
  return fits;
}

function encode16(operand: Operand, terms: readonly Term[], state: ShortState, line: number): EncodedMemory {
  const plain = {
    addressBits: 16,
    sib: undefined,
    ripRelative: false,
    rexB: false,
    rexX: false,
    displacement: operand.value.n,
  };
  if (terms.length === 0) return { ...plain, modRm: 6, displacementBytes: 2 };
  const names = terms
    .map((term) => term.register.name)
    .sort((a, b) => (a.startsWith('b') ? 0 : 1) - (b.startsWith('b') ? 0 : 1));
  const rm = RM16[names.join('+')];
  if (rm === undefined || terms.some((term) => term.factor !== 1)) throw sourceError(line, 'bad 16-bit address');
  const { n, relative, unknown } = operand.value;
  if (
    n === 0n &&
    relative === 0 &&
    !unknown &&
    rm !== 6 &&
    operand.syntax.displacementBits === 0 &&
    !state.displacement
  ) {
    return { ...plain, modRm: rm, displacementBytes: 0 };
  }
  return isShort(operand, state)
    ? { ...plain, modRm: 0x40 | rm, displacementBytes: 1 }
    : { ...plain, modRm: 0x80 | rm, displacementBytes: 2 };
}

/** Splits the terms into base and scaled index. */
function chooseBase(
  terms: readonly Term[],
  line: number,
): { base: Register | undefined; index: Register | undefined; scale: number } {
  const [first, second] = terms;
  if (first === undefined) return { base: undefined, index: undefined, scale: 1 };
  if (second === undefined) {
    const { register, factor } = first;
    if (factor === 1) return { base: register, index: undefined, scale: 1 };
    if (factor === 2 || factor === 3 || factor === 5 || factor === 9)
      return { base: register, index: register, scale: factor - 1 };
    return { base: undefined, index: register, scale: factor };
  }
  let [base, index] =
    first.factor !== 1 || (first.scaled && !second.scaled && second.factor === 1) ? [second, first] : [first, second];
  if (base.factor !== 1) throw sourceError(line, 'bad scale in an address');
  if (index.register.number === 4 && index.factor === 1) [base, index] = [index, base];
  return { base: base.register, index: index.register, scale: index.factor };
}

function encode32(
  operand: Operand,
  terms: readonly Term[],
  bits: number,
  addressBits: number,
  state: ShortState,
  relDefault: boolean,
  line: number,
): EncodedMemory {
  const { base, index, scale } = chooseBase(terms, line);
  if (index?.number === 4) throw sourceError(line, 'the stack pointer cannot be an index');
  const scaleBits = [1, 2, 4, 8].indexOf(scale);
  if (scaleBits < 0) throw sourceError(line, 'bad scale in an address');
  const { n, relative, unknown } = operand.value;
  const plain = {
    addressBits,
    displacement: n,
    ripRelative: false,
    rexB: (base?.number ?? 0) >= 8,
    rexX: (index?.number ?? 0) >= 8,
  };
  const sibFor = (baseCode: number): number => (scaleBits << 6) | (((index?.number ?? 4) & 7) << 3) | baseCode;
  if (base === undefined) {
    if (index !== undefined) return { ...plain, modRm: 4, sib: sibFor(5), displacementBytes: 4 };
    const rel =
      operand.syntax.addressing === 'rel' ||
      (relDefault && operand.syntax.addressing !== 'abs' && operand.syntax.override === undefined);
    if (bits !== 64) return { ...plain, modRm: 5, sib: undefined, displacementBytes: 4 };
    if (rel) return { ...plain, modRm: 5, sib: undefined, displacementBytes: 4, ripRelative: true };
    return { ...plain, addressBits: addressBits === 64 ? 64 : addressBits, modRm: 4, sib: 0x25, displacementBytes: 4 };
  }
  const code = base.number & 7;
  const needsSib = index !== undefined || code === 4;
  const rm = needsSib ? 4 : code;
  const sib = needsSib ? sibFor(code) : undefined;
  if (
    n === 0n &&
    relative === 0 &&
    !unknown &&
    code !== 5 &&
    operand.syntax.displacementBits === 0 &&
    !state.displacement
  ) {
    return { ...plain, modRm: rm, sib, displacementBytes: 0 };
  }
  return isShort(operand, state)
    ? { ...plain, modRm: 0x40 | rm, sib, displacementBytes: 1 }
    : { ...plain, modRm: 0x80 | rm, sib, displacementBytes: 4 };
}

/** Chooses the encoding of a memory operand in `bits`-bit code. */
export function encodeMemory(
  operand: Operand,
  bits: number,
  state: ShortState,
  relDefault: boolean,
  line: number,
): EncodedMemory {
  const terms = mergeTerms(operand, line);
  const addressBits = addressBitsOf(operand, terms, bits, line);
  if ((bits === 64 && addressBits === 16) || (bits !== 64 && addressBits === 64))
    throw sourceError(line, `a ${addressBits}-bit address is not possible here`);
  return addressBits === 16
    ? encode16(operand, terms, state, line)
    : encode32(operand, terms, bits, addressBits, state, relDefault, line);
}
