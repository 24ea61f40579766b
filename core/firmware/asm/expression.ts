// Lexer and expressions of the assembler: NASM's operators, precedence and number formats, evaluated in 64-bit integers.
// An expression is parsed once and evaluated once per pass. Registers may appear in it linearly (memory operands).

import { NestboxError } from '../../base/errors.ts';
import { type Register, registerByName } from './registers.ts';

export interface Token {
  readonly kind: 'id' | 'number' | 'string' | 'op';
  readonly text: string;
  readonly value?: bigint;
}

/** A mistake in assembler source. */
export function sourceError(line: number, message: string): NestboxError {
  return new NestboxError('bad-input', `line ${line}: ${message}`, { op: 'assemble', context: { line } });
}

const OPERATORS = ['<<', '>>', '//', '%%', '==', '!=', '<>', '<=', '>=', '&&', '||', '^^'];
const ID_START = /[A-Za-z_.?@]/;
const ID_PART = /[A-Za-z0-9_.?@$#~]/;

function parseNumber(text: string): bigint | undefined {
  const s = text.replaceAll('_', '').toLowerCase();
  if (/^0x[0-9a-f]+$/.test(s) || /^0b[01]+$/.test(s) || /^0o[0-7]+$/.test(s)) return BigInt(s);
  if (/^[0-9][0-9a-f]*h$/.test(s)) return BigInt(`0x${s.slice(0, -1)}`);
  if (/^[01]+b$/.test(s)) return BigInt(`0b${s.slice(0, -1)}`);
  if (/^[0-7]+[oq]$/.test(s)) return BigInt(`0o${s.slice(0, -1)}`);
  if (/^[0-9]+d?$/.test(s)) return BigInt(s.replace('d', ''));
  return undefined;
}

const ESCAPES: Record<string, string> = {
  n: '\n',
  r: '\r',
  t: '\t',
  '0': '\0',
  a: '\x07',
  b: '\b',
  e: '\x1b',
  f: '\f',
  v: '\v',
};

function readBackquoted(source: string, start: number, line: number): { text: string; next: number } {
  let text = '';
  for (let i = start; i < source.length; i++) {
    const c = source[i] as string;
    if (c === '`') return { text, next: i + 1 };
    if (c !== '\\') {
      text += c;
      continue;
    }
    const e = source[++i] ?? '';
    const hex = /^[0-9a-fA-F]{1,2}/.exec(source.slice(i + 1));
    if (e === 'x' && hex !== null) {
      text += String.fromCharCode(parseInt(hex[0], 16));
      i += hex[0].length;
    } else text += ESCAPES[e] ?? e;
  }
  throw sourceError(line, 'unterminated string');
}

/** Splits one line into tokens; a `;` outside strings begins a comment. */
export function tokenize(source: string, line: number): Token[] {
  const tokens: Token[] = [];
  for (let i = 0; i < source.length;) {
    const c = source[i] as string;
    if (c === ';') break;
    if (c === ' ' || c === '\t' || c === '\r') {
      i++;
    } else if (c === '"' || c === "'") {
      const end = source.indexOf(c, i + 1);
      if (end < 0) throw sourceError(line, 'unterminated string');
      tokens.push({ kind: 'string', text: source.slice(i + 1, end) });
      i = end + 1;
    } else if (c === '`') {
      const { text, next } = readBackquoted(source, i + 1, line);
      tokens.push({ kind: 'string', text });
      i = next;
    } else if (/[0-9]/.test(c)) {
      let end = i + 1;
      while (end < source.length && /[0-9A-Za-z_]/.test(source[end] as string)) end++;
      const text = source.slice(i, end);
      const value = parseNumber(text);
      if (value === undefined) throw sourceError(line, `bad number ${text}`);
      tokens.push({ kind: 'number', text, value });
      i = end;
    } else if (ID_START.test(c)) {
      let end = i + 1;
      while (end < source.length && ID_PART.test(source[end] as string)) end++;
      tokens.push({ kind: 'id', text: source.slice(i, end) });
      i = end;
    } else if (c === '$') {
      const text = source[i + 1] === '$' ? '$$' : '$';
      tokens.push({ kind: 'id', text });
      i += text.length;
    } else {
      const two = source.slice(i, i + 2);
      const text = OPERATORS.includes(two) ? two : c;
      if (!/^[-+*/%&|^~!<>=(),:[\]?]/.test(text)) throw sourceError(line, `unexpected character ${c}`);
      tokens.push({ kind: 'op', text });
      i += text.length;
    }
  }
  return tokens;
}

/** A value: a constant, optionally relative to the section (a label), plus registers with factors. */
export interface Value {
  readonly n: bigint;
  /** How many section bases are in it: 1 for a label, 0 for a constant or a difference of labels. */
  readonly relative: number;
  readonly registers: readonly { readonly register: Register; readonly factor: number; readonly scaled: boolean }[];
  /** True when a symbol was not known yet (first pass). */
  readonly unknown: boolean;
}

export interface Scope {
  /** Value of a symbol (full name), or undefined while it is not known. */
  lookup(name: string): { n: bigint; relative: number } | undefined;
  readonly here: bigint;
  readonly start: bigint;
}

export type Expression = (scope: Scope) => Value;

const constant = (n: bigint): Value => ({ n, relative: 0, registers: [], unknown: false });

/** The little-endian number that a character constant stands for. */
export function stringValue(text: string): bigint {
  let n = 0n;
  for (let i = Math.min(text.length, 8) - 1; i >= 0; i--) n = (n << 8n) | BigInt(text.charCodeAt(i) & 0xff);
  return n;
}

const signed = (n: bigint): bigint => BigInt.asIntN(64, n);
const unsigned = (n: bigint): bigint => BigInt.asUintN(64, n);
const truth = (b: boolean): bigint => (b ? 1n : 0n);

function divide(a: bigint, b: bigint, line: number, unknown: boolean): bigint {
  if (b !== 0n) return a / b;
  if (unknown) return 0n;
  throw sourceError(line, 'division by zero');
}

const BINARY: readonly Record<string, (a: bigint, b: bigint, line: number, unknown: boolean) => bigint>[] = [
  { '||': (a, b) => truth(a !== 0n || b !== 0n) },
  { '^^': (a, b) => truth((a !== 0n) !== (b !== 0n)) },
  { '&&': (a, b) => truth(a !== 0n && b !== 0n) },
  {
    '=': (a, b) => truth(a === b),
    '==': (a, b) => truth(a === b),
    '!=': (a, b) => truth(a !== b),
    '<>': (a, b) => truth(a !== b),
    '<': (a, b) => truth(a < b),
    '<=': (a, b) => truth(a <= b),
    '>': (a, b) => truth(a > b),
    '>=': (a, b) => truth(a >= b),
  },
  { '|': (a, b) => a | b },
  { '^': (a, b) => a ^ b },
  { '&': (a, b) => a & b },
  { '<<': (a, b) => a << (b & 63n), '>>': (a, b) => unsigned(a) >> (b & 63n) },
  { '+': (a, b) => a + b, '-': (a, b) => a - b },
  {
    '*': (a, b) => a * b,
    '/': (a, b, line, unknown) => divide(unsigned(a), unsigned(b), line, unknown),
    '//': (a, b, line, unknown) => divide(a, b, line, unknown),
    '%': (a, b, line, unknown) => (b === 0n ? divide(a, b, line, unknown) : unsigned(a) % unsigned(b)),
    '%%': (a, b, line, unknown) => (b === 0n ? divide(a, b, line, unknown) : a % b),
  },
];

/** Reads tokens one after the other; shared by the expression parser and the operand parser. */
export class TokenReader {
  readonly tokens: readonly Token[];
  readonly line: number;
  position = 0;
  /** Makes a local label's full name. */
  readonly qualify: (name: string) => string;

  constructor(tokens: readonly Token[], line: number, qualify: (name: string) => string) {
    this.tokens = tokens;
    this.line = line;
    this.qualify = qualify;
  }

  peek(): Token | undefined {
    return this.tokens[this.position];
  }

  /** Takes the next token when it is the operator or word `text`. */
  accept(text: string): boolean {
    const token = this.peek();
    if (token === undefined || token.kind === 'string' || token.text.toLowerCase() !== text) return false;
    this.position++;
    return true;
  }

  expect(text: string): void {
    if (!this.accept(text))
      throw sourceError(this.line, `expected ${text} before ${this.peek()?.text ?? 'end of line'}`);
  }

  get atEnd(): boolean {
    return this.position >= this.tokens.length;
  }

  expression(): Expression {
    const condition = this.binary(0);
    if (!this.accept('?')) return condition;
    const yes = this.expression();
    this.expect(':');
    const no = this.expression();
    return (scope) => (condition(scope).n !== 0n ? yes(scope) : no(scope));
  }

  private binary(level: number): Expression {
    const operators = BINARY[level];
    if (operators === undefined) return this.unary();
    let left = this.binary(level + 1);
    for (;;) {
      const token = this.peek();
      const operator = token?.kind === 'op' ? operators[token.text] : undefined;
      if (token === undefined || operator === undefined) return left;
      this.position++;
      left = this.combine(token.text, operator, left, this.binary(level + 1));
    }
  }

  private combine(
    text: string,
    operator: (a: bigint, b: bigint, line: number, unknown: boolean) => bigint,
    left: Expression,
    right: Expression,
  ): Expression {
    const line = this.line;
    return (scope) => {
      const a = left(scope);
      const b = right(scope);
      const unknown = a.unknown || b.unknown;
      const registers = joinRegisters(text, a, b, line);
      const relative =
        text === '+' ? a.relative + b.relative : text === '-' ? a.relative - b.relative : a.relative || b.relative;
      return {
        n: signed(operator(a.n, b.n, line, unknown)),
        relative: /^[<>=!]/.test(text) ? 0 : relative,
        registers,
        unknown,
      };
    };
  }

  private unary(): Expression {
    if (this.accept('-')) return negate(this.unary(), this.line);
    if (this.accept('+')) return this.unary();
    if (this.accept('~')) return map(this.unary(), (n) => ~n);
    if (this.accept('!')) return map(this.unary(), (n) => truth(n === 0n));
    return this.primary();
  }

  private primary(): Expression {
    const token = this.peek();
    if (token === undefined) throw sourceError(this.line, 'expression expected');
    this.position++;
    if (token.kind === 'number') {
      const value = constant(signed(token.value ?? 0n));
      return () => value;
    }
    if (token.kind === 'string') {
      const value = constant(signed(stringValue(token.text)));
      return () => value;
    }
    if (token.kind === 'id') return this.symbol(token.text);
    if (token.text !== '(') throw sourceError(this.line, `expression expected before ${token.text}`);
    const inner = this.expression();
    this.expect(')');
    return inner;
  }

  private symbol(text: string): Expression {
    if (text === '$') return (scope) => ({ n: scope.here, relative: 1, registers: [], unknown: false });
    if (text === '$$') return (scope) => ({ n: scope.start, relative: 1, registers: [], unknown: false });
    const register = registerByName(text.toLowerCase());
    if (register !== undefined) {
      const value: Value = { n: 0n, relative: 0, registers: [{ register, factor: 1, scaled: false }], unknown: false };
      return () => value;
    }
    const name = this.qualify(text);
    return (scope) => {
      const found = scope.lookup(name);
      if (found === undefined) return { n: 0n, relative: 0, registers: [], unknown: true };
      return { n: found.n, relative: found.relative, registers: [], unknown: false };
    };
  }
}

function map(inner: Expression, change: (n: bigint) => bigint): Expression {
  return (scope) => {
    const value = inner(scope);
    return { ...value, n: signed(change(value.n)) };
  };
}

function negate(inner: Expression, line: number): Expression {
  return (scope) => {
    const value = inner(scope);
    if (value.registers.length > 0) throw sourceError(line, 'a register cannot be negated');
    return { ...value, n: signed(-value.n), relative: -value.relative };
  };
}

function joinRegisters(text: string, a: Value, b: Value, line: number): Value['registers'] {
  if (a.registers.length === 0 && b.registers.length === 0) return a.registers;
  if (text === '+') return [...a.registers, ...b.registers];
  if (text === '-' && b.registers.length === 0) return a.registers;
  const [regs, factor] = a.registers.length > 0 ? [a.registers, b] : [b.registers, a];
  if (text === '*' && regs.length === 1 && factor.registers.length === 0 && regs[0] !== undefined) {
    return [{ register: regs[0].register, factor: regs[0].factor * Number(factor.n), scaled: true }];
  }
  throw sourceError(line, `operator ${text} cannot be used with a register`);
}
