// Operands of one instruction: registers, immediates, memory references and far pointers, as written in the source.

import { type Expression, type Scope, sourceError, type TokenReader, type Value } from './expression.ts';
import { type Register, registerByName } from './registers.ts';

const SIZE_WORDS: Record<string, number> = { byte: 8, word: 16, dword: 32, qword: 64, tword: 80, oword: 128 };

export interface OperandSyntax {
  readonly kind: 'register' | 'immediate' | 'memory' | 'pointer';
  readonly register: Register | undefined;
  /** Explicit size keyword in bits, 0 when there is none. */
  readonly sizeBits: number;
  readonly distance: 'short' | 'near' | 'far' | undefined;
  readonly strict: boolean;
  readonly expression: Expression;
  /** Segment part of a far pointer. */
  readonly segment: Expression | undefined;
  readonly override: Register | undefined;
  /** `[rel x]` or `[abs x]`. */
  readonly addressing: 'rel' | 'abs' | undefined;
  /** Size keyword inside the brackets: bits of the displacement. */
  readonly displacementBits: number;
}

const ZERO: Expression = () => ({ n: 0n, relative: 0, registers: [], unknown: false });

/** Parses operands up to the end of the line. */
export function parseOperands(reader: TokenReader): OperandSyntax[] {
  const operands: OperandSyntax[] = [];
  if (reader.atEnd) return operands;
  do operands.push(parseOperand(reader));
  while (reader.accept(','));
  if (!reader.atEnd) throw sourceError(reader.line, `unexpected ${reader.peek()?.text ?? ''}`);
  return operands;
}

function parseOperand(reader: TokenReader): OperandSyntax {
  let sizeBits = 0;
  let distance: OperandSyntax['distance'];
  let strict = false;
  for (;;) {
    const word = reader.peek()?.kind === 'id' ? (reader.peek()?.text.toLowerCase() ?? '') : '';
    if (SIZE_WORDS[word] !== undefined) sizeBits = SIZE_WORDS[word];
    else if (word === 'short' || word === 'near' || word === 'far') distance = word;
    else if (word === 'strict') strict = true;
    else if (word !== 'ptr') break;
    reader.position++;
  }
  const base = {
    register: undefined,
    sizeBits,
    distance,
    strict,
    expression: ZERO,
    segment: undefined,
    override: undefined,
    addressing: undefined,
    displacementBits: 0,
  } as const;
  const token = reader.peek();
  const register = token?.kind === 'id' ? registerByName(token.text.toLowerCase()) : undefined;
  const next = reader.tokens[reader.position + 1];
  if (register !== undefined && (next === undefined || next.text === ',')) {
    reader.position++;
    return { ...base, kind: 'register', register };
  }
  if (token?.kind === 'id' && token.text.toLowerCase() === 'st')
    return { ...base, kind: 'register', register: parseStack(reader) };
  if (reader.accept('[')) return { ...base, ...parseMemory(reader), kind: 'memory' };
  const first = reader.expression();
  if (reader.accept(':')) return { ...base, kind: 'pointer', segment: first, expression: reader.expression() };
  return { ...base, kind: 'immediate', expression: first };
}

/** `st` or `st(i)`. */
function parseStack(reader: TokenReader): Register {
  reader.position++;
  let index = '0';
  if (reader.accept('(')) {
    index = reader.peek()?.text ?? '';
    reader.position++;
    reader.expect(')');
  }
  const register = registerByName(`st${index}`);
  if (register === undefined) throw sourceError(reader.line, 'bad x87 register');
  return register;
}

function parseMemory(
  reader: TokenReader,
): Pick<OperandSyntax, 'expression' | 'override' | 'addressing' | 'displacementBits'> {
  let override: Register | undefined;
  let addressing: OperandSyntax['addressing'];
  let displacementBits = 0;
  for (;;) {
    const token = reader.peek();
    const word = token?.kind === 'id' ? token.text.toLowerCase() : '';
    const register = registerByName(word);
    if (word === 'rel' || word === 'abs') addressing = word;
    else if (SIZE_WORDS[word] !== undefined) displacementBits = SIZE_WORDS[word];
    else if (register?.kind === 'sreg' && reader.tokens[reader.position + 1]?.text === ':') {
      override = register;
      reader.position++;
    } else break;
    reader.position++;
  }
  const expression = reader.expression();
  reader.expect(']');
  return { expression, override, addressing, displacementBits };
}

/** An operand with its values of this pass. */
export interface Operand {
  readonly syntax: OperandSyntax;
  readonly value: Value;
  readonly segment: Value | undefined;
}

export function evaluateOperand(syntax: OperandSyntax, scope: Scope): Operand {
  return { syntax, value: syntax.expression(scope), segment: syntax.segment?.(scope) };
}
