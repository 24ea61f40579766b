// One pass over the source: the bytes so far, the symbols of this pass and of the one before.

import { NestboxError } from '../../base/errors.ts';
import { type Scope, sourceError, type Value } from './expression.ts';

export const MAX_BYTES = 64 * 1024 * 1024;

/** Emits the bytes of one statement. */
export type Emit = (pass: Pass) => void;

/** A growing byte array. */
class ByteSink {
  private buffer = new Uint8Array(4096);
  length = 0;

  private room(count: number): void {
    if (this.length + count <= this.buffer.length) return;
    const bigger = new Uint8Array(Math.max(this.buffer.length * 2, this.length + count));
    bigger.set(this.buffer);
    this.buffer = bigger;
  }

  push(byte: number): void {
    this.room(1);
    this.buffer[this.length++] = byte;
  }

  fill(byte: number, count: number): void {
    this.room(count);
    this.buffer.fill(byte, this.length, this.length + count);
    this.length += count;
  }

  /** Appends the bytes from `first` to the end `count` times more. */
  repeat(first: number, count: number): void {
    const unit = this.length - first;
    this.room(unit * count);
    for (let i = 0; i < count; i++, this.length += unit) this.buffer.copyWithin(this.length, first, first + unit);
  }

  slice(from = 0): Uint8Array {
    return this.buffer.slice(from, this.length);
  }
}

export class Pass implements Scope {
  readonly bytes = new ByteSink();
  readonly symbols = new Map<string, { n: bigint; relative: number }>();
  readonly previous: ReadonlyMap<string, { n: bigint; relative: number }>;
  readonly origin: bigint;
  readonly strict: boolean;
  /** Set when the address counter was read: the bytes depend on where they are. */
  hereRead = false;

  constructor(previous: ReadonlyMap<string, { n: bigint; relative: number }>, origin: bigint, strict: boolean) {
    this.previous = previous;
    this.origin = origin;
    this.strict = strict;
  }

  get here(): bigint {
    this.hereRead = true;
    return this.origin + BigInt(this.bytes.length);
  }

  get start(): bigint {
    return this.origin;
  }

  lookup(name: string): { n: bigint; relative: number } | undefined {
    const found = this.symbols.get(name) ?? this.previous.get(name);
    if (found === undefined) {
      if (this.strict) throw new NestboxError('bad-input', `symbol ${name} is not defined`, { op: 'assemble' });
    }
    return found;
  }

  push(n: bigint, size: number): void {
    let rest = BigInt.asUintN(size * 8, n);
    for (let i = 0; i < size; i++) {
      this.bytes.push(Number(rest & 0xffn));
      rest >>= 8n;
    }
  }

  fill(count: bigint, byte: number, line: number): void {
    if (count < 0n || count > BigInt(MAX_BYTES)) {
      if (!this.strict) return;
      throw sourceError(line, `bad repeat count ${count}`);
    }
    this.bytes.fill(byte, Number(count));
  }
}

/** Gives a label or constant its value. */
export function define(pass: Pass, name: string, value: Pick<Value, 'n' | 'relative'>, line: number): void {
  if (pass.symbols.has(name)) throw sourceError(line, `${name} is defined twice`);
  pass.symbols.set(name, { n: value.n, relative: value.relative });
}
