// A small x86 assembler in the style of NASM's flat binary output, for the BIOS, the demo guest and tests.
//
//   const { bytes, symbols } = assemble('bits 16\norg 0x7c00\nstart: mov ax, cx\n jmp start', { defines: { N: 3 } });
//
// Instructions: the general-purpose set of 16, 32 and 64 bit code, system instructions, x87, a few MMX/SSE ones.
// Directives: bits, org (once), db dw dd dq (numbers, strings, floats in dd/dq), resb/resw/resd/resq, times, align,
//   equ, default rel|abs; section, global, cpu are accepted and ignored. Labels, .local labels, $ and $$.
// Macros: see preprocessor.ts. Sizes of jumps, displacements and immediates are chosen shortest in several passes.
// Not supported: several sections, relocatable output, AVX, struc, incbin.

import { NestboxError } from '../../base/errors.ts';
import { floatBytes, readFloat, stringItem, tokenizeLine } from './data-items.ts';
import { encodeInstruction, type Instruction, PREFIX_BYTES } from './encoder.ts';
import { type Expression, type Scope, sourceError, type Token, TokenReader } from './expression.ts';
import { formsOf } from './forms.ts';
import type { ShortState } from './memory-operand.ts';
import { parseOperands } from './operand.ts';
import { define, type Emit, MAX_BYTES, Pass } from './pass.ts';
import { preprocess } from './preprocessor.ts';

export interface AssembleOptions {
  /** Code size at the start, 16 unless said. */
  readonly bits?: 16 | 32 | 64;
  /** Names defined before the source, as by %define. */
  readonly defines?: Readonly<Record<string, string | number>>;
  readonly listing?: boolean;
}

export interface ListingLine {
  readonly line: number;
  readonly address: number;
  readonly bytes: Uint8Array;
}

export interface Assembly {
  readonly bytes: Uint8Array;
  /** Every label and constant; locals as `outer.local`. */
  readonly symbols: Map<string, number>;
  readonly listing: readonly ListingLine[] | undefined;
}

const DATA_BYTES: Record<string, number> = { db: 1, dw: 2, dd: 4, dq: 8 };
const RESERVE_BYTES: Record<string, number> = { resb: 1, resw: 2, resd: 4, resq: 8 };
const IGNORED = new Set(['section', 'segment', 'global', 'cpu', 'extern']);
const DIRECTIVES = new Set([
  'bits',
  'org',
  'times',
  'align',
  'equ',
  'default',
  ...IGNORED,
  ...Object.keys(DATA_BYTES),
  ...Object.keys(RESERVE_BYTES),
]);
const MAX_PASSES = 100;

interface Statement {
  readonly line: number;
  readonly label: string | undefined;
  readonly emit: Emit | undefined;
}

class Parser {
  private readonly statements: Statement[] = [];
  private bits: number;
  private relDefault = false;
  private outer = '';
  origin = 0n;

  constructor(bits: number) {
    this.bits = bits;
  }

  parse(text: string, line: number): void {
    const tokens = tokenizeLine(text, line);
    if (tokens.length === 0) return;
    if (tokens[0]?.text === '[' && tokens.at(-1)?.text === ']') {
      this.parse(text.trim().slice(1, -1), line);
      return;
    }
    const reader = new TokenReader(tokens, line, (name) => this.qualify(name));
    const label = this.label(reader);
    const word = reader.peek()?.text.toLowerCase();
    if (word === 'equ') {
      if (label === undefined) throw sourceError(line, 'equ needs a name');
      reader.position++;
      this.equ(label, reader);
      return;
    }
    this.statements.push({ line, label, emit: reader.atEnd ? undefined : this.statement(reader) });
  }

  finish(): readonly Statement[] {
    return this.statements;
  }

  private qualify(name: string): string {
    return name.startsWith('.') && !name.startsWith('..@') ? this.outer + name : name;
  }

  private label(reader: TokenReader): string | undefined {
    const token = reader.peek();
    const next = reader.tokens[reader.position + 1];
    if (token?.kind !== 'id') throw sourceError(reader.line, `unexpected ${token?.text ?? ''}`);
    const lower = token.text.toLowerCase();
    const known = DIRECTIVES.has(lower) || formsOf(lower) !== undefined || PREFIX_BYTES[lower] !== undefined;
    if (known && next?.text !== ':') return undefined;
    // `es: mov ...` is a prefix, not a label.
    if (PREFIX_BYTES[lower] !== undefined) return undefined;
    if (!known && next !== undefined && next.text !== ':' && !isStatementWord(next))
      throw sourceError(reader.line, `unknown instruction ${token.text}`);
    reader.position++;
    reader.accept(':');
    const name = this.qualify(token.text);
    if (!token.text.startsWith('.') && reader.peek()?.text.toLowerCase() !== 'equ') this.outer = token.text;
    return name;
  }

  private equ(label: string, reader: TokenReader): void {
    const expression = reader.expression();
    const { line } = reader;
    this.statements.push({
      line,
      label: undefined,
      emit: (pass) => {
        const value = expression(pass);
        if (!value.unknown) define(pass, label, value, line);
      },
    });
  }

  private statement(reader: TokenReader): Emit | undefined {
    const { line } = reader;
    const word = reader.peek()?.text.toLowerCase() ?? '';
    if (word in DATA_BYTES) return this.data(reader, DATA_BYTES[word] as number);
    if (IGNORED.has(word)) return undefined;
    if (!DIRECTIVES.has(word)) return this.instruction(reader);
    reader.position++;
    if (word === 'default') {
      this.relDefault = reader.accept('rel');
      return undefined;
    }
    if (word === 'times') return this.times(reader);
    const value = reader.expression();
    if (word === 'bits') {
      this.bits = Number(value(CONSTANT_SCOPE).n);
      if (![16, 32, 64].includes(this.bits)) throw sourceError(line, 'bits must be 16, 32 or 64');
      return undefined;
    }
    if (word === 'org') {
      this.origin = value(CONSTANT_SCOPE).n;
      return undefined;
    }
    if (word === 'align') return this.align(reader, value);
    const size = BigInt(RESERVE_BYTES[word] ?? 1);
    return (pass) => pass.fill(value(pass).n * size, 0, line);
  }

  private align(reader: TokenReader, value: Expression): Emit {
    const { line } = reader;
    let fill = 0x90;
    if (reader.accept(',')) {
      reader.accept('db');
      fill = Number(reader.expression()(CONSTANT_SCOPE).n) & 0xff;
    }
    return (pass) => {
      const boundary = value(pass).n;
      if (boundary <= 0n) throw sourceError(line, 'bad alignment');
      const over = BigInt(pass.bytes.length) % boundary;
      if (over !== 0n) pass.fill(boundary - over, fill, line);
    };
  }

  private times(reader: TokenReader): Emit {
    const { line } = reader;
    const count = reader.expression();
    const inner = this.statement(reader);
    return (pass) => {
      const n = count(pass).n;
      if (n < 0n || n > BigInt(MAX_BYTES)) {
        if (pass.strict) throw sourceError(line, `bad repeat count ${n}`);
        return;
      }
      if (n === 0n || inner === undefined) return;
      const first = pass.bytes.length;
      pass.hereRead = false;
      inner(pass);
      if (pass.hereRead) {
        for (let left = Number(n) - 1; left > 0; left--) inner(pass);
        return;
      }
      if (BigInt(pass.bytes.length - first) * n > BigInt(MAX_BYTES)) throw sourceError(line, 'the output is too large');
      pass.bytes.repeat(first, Number(n) - 1);
    };
  }

  private data(reader: TokenReader, size: number): Emit {
    reader.position++;
    const items: Emit[] = [];
    const { line } = reader;
    do {
      const token = reader.peek();
      const next = reader.tokens[reader.position + 1];
      if (token?.kind === 'string' && (next === undefined || next.text === ',')) {
        reader.position++;
        items.push(stringItem(token.text, size));
        continue;
      }
      const float = readFloat(reader);
      if (float !== undefined) {
        const bytes = floatBytes(float, size, line);
        items.push((pass) => bytes.forEach((byte) => pass.bytes.push(byte)));
        continue;
      }
      const expression = reader.expression();
      items.push((pass) => {
        const { n } = expression(pass);
        const limit = 1n << BigInt(size * 8);
        if (pass.strict && size < 8 && (n < -limit / 2n || n >= limit))
          throw sourceError(line, `value ${n} does not fit`);
        pass.push(n, size);
      });
    } while (reader.accept(','));
    if (!reader.atEnd) throw sourceError(line, `unexpected ${reader.peek()?.text ?? ''}`);
    return (pass) => {
      for (const item of items) item(pass);
    };
  }

  private instruction(reader: TokenReader): Emit {
    const { line } = reader;
    const prefixes: string[] = [];
    let mnemonic = '';
    for (;;) {
      const token = reader.peek();
      const word = token?.kind === 'id' ? token.text.toLowerCase() : '';
      reader.position++;
      if (PREFIX_BYTES[word] !== undefined) {
        prefixes.push(word);
        reader.accept(':');
        if (reader.atEnd) break;
      } else if (formsOf(word) !== undefined) {
        mnemonic = word;
        break;
      } else throw sourceError(line, `unknown instruction ${token?.text ?? ''}`);
    }
    const operands = parseOperands(reader);
    if (mnemonic === '') throw sourceError(line, 'a prefix needs an instruction');
    const instruction: Instruction = {
      mnemonic,
      prefixes,
      operands,
      bits: this.bits,
      relDefault: this.relDefault,
      line,
    };
    const state: ShortState = { immediate: false, displacement: false };
    return (pass) => {
      for (const byte of encodeInstruction(instruction, pass, state, pass.strict)) pass.bytes.push(byte);
    };
  }
}

const CONSTANT_SCOPE: Scope = {
  lookup: (name) => {
    throw new NestboxError('bad-input', `${name}: a constant is needed`, { op: 'assemble' });
  },
  here: 0n,
  start: 0n,
};

function isStatementWord(token: Token): boolean {
  const word = token.text.toLowerCase();
  return (
    token.kind === 'id' && (DIRECTIVES.has(word) || formsOf(word) !== undefined || PREFIX_BYTES[word] !== undefined)
  );
}

function runPass(
  statements: readonly Statement[],
  previous: Pass | undefined,
  origin: bigint,
  strict: boolean,
  listing: ListingLine[] | undefined,
): Pass {
  const pass = new Pass(previous?.symbols ?? new Map(), origin, strict);
  for (const { line, label, emit } of statements) {
    const first = pass.bytes.length;
    const address = pass.here;
    if (label !== undefined) define(pass, label, { n: address, relative: 1 }, line);
    try {
      emit?.(pass);
    } catch (error) {
      if (error instanceof NestboxError && error.context['line'] === undefined) throw sourceError(line, error.message);
      throw error;
    }
    if (pass.bytes.length > MAX_BYTES) throw sourceError(line, 'the output is too large');
    if (pass.bytes.length > first) listing?.push({ line, address: Number(address), bytes: pass.bytes.slice(first) });
  }
  return pass;
}

function sameSymbols(a: Pass, b: Pass): boolean {
  if (a.symbols.size !== b.symbols.size || a.bytes.length !== b.bytes.length) return false;
  for (const [name, value] of a.symbols) if (b.symbols.get(name)?.n !== value.n) return false;
  return true;
}

/**
 * Assembles `source` to a flat binary.
 * @throws NestboxError kind `bad-input` with the line number in its message
 */
export function assemble(source: string, options: AssembleOptions = {}): Assembly {
  const parser = new Parser(options.bits ?? 16);
  for (const { text, line } of preprocess(source, options.defines ?? {})) parser.parse(text, line);
  const statements = parser.finish();
  let pass = runPass(statements, undefined, parser.origin, false, undefined);
  for (let count = 1; ; count++) {
    const next = runPass(statements, pass, parser.origin, false, undefined);
    // Symbols that stay unknown are reported by the strict pass.
    const stable = sameSymbols(pass, next);
    pass = next;
    if (stable) break;
    if (count >= MAX_PASSES) throw new NestboxError('bad-input', 'the sizes do not settle', { op: 'assemble' });
  }
  const listing: ListingLine[] | undefined = options.listing === true ? [] : undefined;
  const final = runPass(statements, pass, parser.origin, true, listing);
  const symbols = new Map<string, number>();
  for (const [name, { n }] of final.symbols) symbols.set(name, Number(n));
  return { bytes: final.bytes.slice(), symbols, listing };
}
