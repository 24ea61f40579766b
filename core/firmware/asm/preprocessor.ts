// Macro layer of the assembler, a subset of NASM's: %define (with or without parameters), %undef, %assign,
// %macro NAME n[-m|+] with %1..%9, %0 and %%local, %rep, %if/%elif/%else/%ifdef/%ifndef/%endif, line continuation by \.

import { sourceError, TokenReader, tokenize } from './expression.ts';

export interface SourceLine {
  readonly text: string;
  /** Line of the source that it came from, from 1. */
  readonly line: number;
}

interface Define {
  readonly parameters: readonly string[] | undefined;
  readonly body: string;
}

interface Macro {
  readonly minimum: number;
  readonly maximum: number;
  readonly greedy: boolean;
  readonly body: readonly SourceLine[];
}

const WORD = /[A-Za-z_?@.][A-Za-z0-9_?@.$]*/y;
const MAX_LINES = 1_000_000;
const MAX_DEPTH = 100;

/** Calls `replace` for every identifier outside strings and comments. */
function mapWords(
  text: string,
  replace: (word: string, rest: string) => { text: string; consumed: number } | undefined,
): string {
  let out = '';
  for (let i = 0; i < text.length;) {
    const c = text[i] as string;
    if (c === ';') return out;
    if (c === '"' || c === "'" || c === '`') {
      const end = text.indexOf(c, i + 1);
      const stop = end < 0 ? text.length : end + 1;
      out += text.slice(i, stop);
      i = stop;
      continue;
    }
    if (/[0-9]/.test(c)) {
      const number = /^[0-9A-Za-z_.]+/.exec(text.slice(i)) as RegExpExecArray;
      out += number[0];
      i += number[0].length;
      continue;
    }
    WORD.lastIndex = i;
    const word = WORD.exec(text)?.[0];
    if (word === undefined) {
      out += c;
      i++;
      continue;
    }
    const result = replace(word, text.slice(i + word.length));
    out += result?.text ?? word;
    i += word.length + (result?.consumed ?? 0);
  }
  return out;
}

/** Splits `text` at commas outside parentheses, brackets, braces and strings. */
function splitArguments(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let quote = '';
  let current = '';
  for (const c of text) {
    if (quote !== '') {
      if (c === quote) quote = '';
    } else if (c === '"' || c === "'" || c === '`') quote = c;
    else if ('([{'.includes(c)) depth++;
    else if (')]}'.includes(c)) depth--;
    else if (c === ',' && depth === 0) {
      parts.push(current.trim());
      current = '';
      continue;
    }
    current += c;
  }
  if (current.trim() !== '' || parts.length > 0) parts.push(current.trim());
  return parts;
}

function stripComment(text: string): string {
  return mapWords(text, () => undefined);
}

class Preprocessor {
  private readonly defines = new Map<string, Define>();
  private readonly macros = new Map<string, Macro>();
  private readonly output: SourceLine[] = [];
  private expansions = 0;

  constructor(defines: Readonly<Record<string, string | number>>) {
    for (const [name, value] of Object.entries(defines))
      this.defines.set(name, { parameters: undefined, body: String(value) });
  }

  run(lines: readonly SourceLine[], depth = 0): readonly SourceLine[] {
    if (depth > MAX_DEPTH) throw sourceError(lines[0]?.line ?? 0, 'macros are nested too deeply');
    for (let i = 0; i < lines.length; i++) {
      const source = lines[i] as SourceLine;
      const text = source.text.trim();
      if (!text.startsWith('%') || text.startsWith('%%')) {
        this.emit(source, depth);
        continue;
      }
      i = this.directive(lines, i, depth);
    }
    return this.output;
  }

  private directive(lines: readonly SourceLine[], index: number, depth: number): number {
    const { text, line } = lines[index] as SourceLine;
    const match = /^%(\w+)\s*(.*)$/s.exec(text.trim());
    const name = match?.[1]?.toLowerCase() ?? '';
    const rest = match?.[2] ?? '';
    if (name === 'define') this.define(rest, line);
    else if (name === 'undef') this.defines.delete(rest.trim());
    else if (name === 'assign') {
      const [symbol = '', ...body] = rest.trim().split(/\s+/);
      this.defines.set(symbol, { parameters: undefined, body: String(this.evaluate(body.join(' '), line)) });
    } else if (name === 'macro') {
      const end = this.findEnd(lines, index, ['macro'], ['endmacro']);
      this.macro(rest, lines.slice(index + 1, end), line);
      return end;
    } else if (name === 'rep') {
      const end = this.findEnd(lines, index, ['rep'], ['endrep']);
      const count = this.evaluate(rest, line);
      for (let n = 0n; n < count; n++) this.run(lines.slice(index + 1, end), depth + 1);
      return end;
    } else if (name.startsWith('if')) {
      return this.conditional(lines, index, depth);
    } else throw sourceError(line, `unknown directive %${name}`);
    return index;
  }

  private define(rest: string, line: number): void {
    const match = /^([A-Za-z_?@.][\w?@.$]*)(\(([^)]*)\))?\s*(.*)$/s.exec(stripComment(rest).trim());
    if (match === null) throw sourceError(line, 'bad %define');
    const parameters = match[2] === undefined ? undefined : (match[3] ?? '').split(',').map((p) => p.trim());
    this.defines.set(match[1] as string, { parameters, body: match[4] ?? '' });
  }

  private macro(rest: string, body: readonly SourceLine[], line: number): void {
    const match = /^([A-Za-z_?@.][\w?@.$]*)\s+(\d+)(?:-(\d+|\*))?(\+?)/.exec(rest.trim());
    if (match === null) throw sourceError(line, 'bad %macro');
    const minimum = Number(match[2]);
    const maximum = match[3] === undefined ? minimum : match[3] === '*' ? Infinity : Number(match[3]);
    this.macros.set(match[1] as string, { minimum, maximum, greedy: match[4] === '+', body });
  }

  private findEnd(
    lines: readonly SourceLine[],
    index: number,
    opens: readonly string[],
    closes: readonly string[],
  ): number {
    let depth = 0;
    for (let i = index; i < lines.length; i++) {
      const word = /^%(\w+)/.exec(lines[i]?.text.trim() ?? '')?.[1]?.toLowerCase() ?? '';
      if (opens.includes(word)) depth++;
      if (closes.includes(word) && --depth === 0) return i;
    }
    throw sourceError(lines[index]?.line ?? 0, `%${closes[0] ?? ''} is missing`);
  }

  private conditional(lines: readonly SourceLine[], index: number, depth: number): number {
    const end = this.findEnd(lines, index, ['if', 'ifdef', 'ifndef'], ['endif']);
    let nested = 0;
    let taken = false;
    let active = false;
    let start = index;
    for (let i = index; i <= end; i++) {
      const { text, line } = lines[i] as SourceLine;
      const match = /^%(\w+)\s*(.*)$/s.exec(text.trim());
      const word = match?.[1]?.toLowerCase() ?? '';
      if (i > index && ['if', 'ifdef', 'ifndef'].includes(word)) nested++;
      else if (nested > 0 && word === 'endif') nested--;
      else if (nested === 0 && ['if', 'ifdef', 'ifndef', 'elif', 'else', 'endif'].includes(word)) {
        if (active) this.run(lines.slice(start + 1, i), depth + 1);
        active = !taken && word !== 'endif' && this.condition(word, match?.[2] ?? '', line);
        taken ||= active;
        start = i;
      }
    }
    return end;
  }

  private condition(word: string, rest: string, line: number): boolean {
    const name = rest.trim();
    if (word === 'else') return true;
    if (word === 'ifdef') return this.defines.has(name);
    if (word === 'ifndef') return !this.defines.has(name);
    return this.evaluate(rest, line) !== 0n;
  }

  private evaluate(text: string, line: number): bigint {
    const reader = new TokenReader(tokenize(this.replaceDefines(text), line), line, (name) => name);
    const value = reader.expression()({ lookup: () => undefined, here: 0n, start: 0n });
    if (value.unknown || !reader.atEnd) throw sourceError(line, `not a constant: ${text.trim()}`);
    return value.n;
  }

  private replaceDefines(text: string, active: readonly string[] = []): string {
    return mapWords(text, (word, rest) => {
      const define = this.defines.get(word);
      if (define === undefined || active.includes(word)) return undefined;
      if (define.parameters === undefined)
        return { text: this.replaceDefines(define.body, [...active, word]), consumed: 0 };
      const open = /^\s*\(/.exec(rest);
      if (open === null) return undefined;
      let depth = 0;
      let end = open[0].length - 1;
      for (; end < rest.length; end++) {
        if (rest[end] === '(') depth++;
        if (rest[end] === ')' && --depth === 0) break;
      }
      const given = splitArguments(rest.slice(open[0].length, end)).map((argument) =>
        this.replaceDefines(argument, active),
      );
      const body = mapWords(define.body, (name) => {
        const position = define.parameters?.indexOf(name) ?? -1;
        return position < 0 ? undefined : { text: given[position] ?? '', consumed: 0 };
      });
      return { text: this.replaceDefines(body, [...active, word]), consumed: end + 1 };
    });
  }

  private emit(source: SourceLine, depth: number): void {
    const text = this.replaceDefines(source.text);
    const match = /^\s*(?:([A-Za-z_.?@][\w.?@$~#]*:)\s*)?([A-Za-z_?@.][\w?@.$]*)(.*)$/s.exec(text);
    const macro = match === null ? undefined : this.macros.get(match[2] as string);
    if (match === null || macro === undefined) {
      if (text.trim() !== '') this.output.push({ text, line: source.line });
      if (this.output.length > MAX_LINES) throw sourceError(source.line, 'too many lines');
      return;
    }
    if (match[1] !== undefined) this.output.push({ text: match[1], line: source.line });
    this.expand(macro, match[3] ?? '', source.line, depth);
  }

  private expand(macro: Macro, rest: string, line: number, depth: number): void {
    let given = splitArguments(rest);
    if (macro.greedy && given.length > macro.maximum) {
      given = [...given.slice(0, macro.maximum - 1), given.slice(macro.maximum - 1).join(', ')];
    }
    if (given.length < macro.minimum || given.length > macro.maximum)
      throw sourceError(line, 'wrong number of macro arguments');
    const local = `..@${++this.expansions}.`;
    const fill = (text: string): string =>
      text
        .replaceAll(/%%(\w+)/g, `${local}$1`)
        .replaceAll(/%\{(\d+)\}|%(\d)/g, (_, braced: string | undefined, plain: string | undefined) => {
          const n = Number(braced ?? plain);
          return n === 0 ? String(given.length) : (given[n - 1] ?? '').replace(/^\{(.*)\}$/s, '$1');
        });
    this.run(
      macro.body.map((body) => ({ text: fill(body.text), line })),
      depth + 1,
    );
  }
}

/** Expands all macros; the result has no `%` lines. */
export function preprocess(source: string, defines: Readonly<Record<string, string | number>>): readonly SourceLine[] {
  const lines: SourceLine[] = [];
  let pending = '';
  source.split('\n').forEach((text, index) => {
    if (text.trimEnd().endsWith('\\')) {
      pending += text.trimEnd().slice(0, -1);
      return;
    }
    lines.push({ text: pending + text, line: index + 1 });
    pending = '';
  });
  return new Preprocessor(defines).run(lines);
}
