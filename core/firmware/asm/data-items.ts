// Items of db, dw, dd and dq that are no integers: strings and floats.

import { sourceError, type Token, type TokenReader, tokenize } from './expression.ts';
import type { Emit } from './pass.ts';

const FLOAT = /(^|[\s,-])(\d+\.\d*(?:[eE][+-]?\d+)?)(?=\s*(,|;|$))/g;

/** Floats are passed through the lexer as identifiers `.float:text`. */
export function tokenizeLine(text: string, line: number): Token[] {
  if (!/^\s*(?:[\w.?@$]+:?\s+)?d[dq]\s/i.test(text) || !/\d\.\d*/.test(text) || /["'`]/.test(text))
    return tokenize(text, line);
  const floats: string[] = [];
  const masked = text.replaceAll(FLOAT, (_, before: string, float: string) => {
    floats.push(float);
    return `${before}@float${floats.length - 1}`;
  });
  return tokenize(masked, line).map((token) => {
    const match = /^@float(\d+)$/.exec(token.text);
    return match === null ? token : { kind: 'id', text: `@float:${floats[Number(match[1])] ?? ''}` };
  });
}

export function readFloat(reader: TokenReader): number | undefined {
  const negative = reader.peek()?.text === '-';
  const token = reader.tokens[reader.position + (negative ? 1 : 0)];
  if (token === undefined || !token.text.startsWith('@float:')) return undefined;
  reader.position += negative ? 2 : 1;
  const value = Number(token.text.slice(7));
  return negative ? -value : value;
}

export function floatBytes(value: number, size: number, line: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(size));
  if (size === 4) view.setFloat32(0, value, true);
  else if (size === 8) view.setFloat64(0, value, true);
  else throw sourceError(line, 'a float needs dd or dq');
  return new Uint8Array(view.buffer);
}

export function stringItem(text: string, size: number): Emit {
  return (pass) => {
    for (let i = 0; i < text.length; i++) pass.bytes.push(text.charCodeAt(i) & 0xff);
    pass.fill(BigInt(padding(text.length, size)), 0, 0);
  };
}

const padding = (length: number, size: number): number => (size - (length % size)) % size;
