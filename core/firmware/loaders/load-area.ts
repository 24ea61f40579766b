// Where a loader may write: usable RAM, less what it has placed already. Every byte of a hostile kernel file goes
// through here, so nothing can land outside RAM or on top of something else.

import { NestboxError } from '../../base/errors.ts';
import type { DmaMemory } from '../../bus/dma.ts';
import { E820_USABLE, type MemoryMapEntry } from './memory-map.ts';

interface Range {
  readonly base: number;
  readonly end: number;
  readonly what: string;
}

export function loadError(message: string, context: Record<string, string | number | boolean> = {}): NestboxError {
  return new NestboxError('bad-input', message, { op: 'load kernel', context });
}

export function sizeText(bytes: number): string {
  if (bytes >= 1 << 20) return `${(bytes / (1 << 20)).toFixed(1)} MiB`;
  if (bytes >= 1024) return `${(bytes / 1024).toFixed(1)} KiB`;
  return `${bytes} bytes`;
}

const hex = (value: number): string => `0x${value.toString(16)}`;
const CHUNK_BYTES = 64 * 1024;

export class LoadArea {
  private readonly memory: DmaMemory;
  private readonly usable: readonly Range[];
  private readonly taken: Range[] = [];

  constructor(memory: DmaMemory, map: readonly MemoryMapEntry[]) {
    this.memory = memory;
    this.usable = map
      .filter((entry) => entry.type === E820_USABLE && entry.length > 0)
      .map((entry) => ({ base: entry.base, end: entry.base + entry.length, what: 'RAM' }));
  }

  /** Takes [base, base + length) for `what`. @throws NestboxError when it is not all free RAM */
  reserve(base: number, length: number, what: string): void {
    if (!Number.isSafeInteger(base) || !Number.isSafeInteger(length) || base < 0 || length < 0) {
      throw loadError(`${what}: impossible address ${hex(base)} or size ${length}`);
    }
    const end = base + length;
    if (length > 0 && !this.usable.some((range) => base >= range.base && end <= range.end)) {
      throw loadError(
        `${what}: ${sizeText(length)} at ${hex(base)} do not lie in the machine's memory; give it more memory`,
      );
    }
    const other = this.taken.find((range) => base < range.end && end > range.base);
    if (other !== undefined && length > 0) throw loadError(`${what}: overlaps ${other.what} at ${hex(other.base)}`);
    this.taken.push({ base, end, what });
  }

  /** Reserves and writes. */
  place(base: number, bytes: Uint8Array, what: string): void {
    this.reserve(base, bytes.length, what);
    this.memory.write(base, bytes);
  }

  /** Writes into a range reserved before; the caller keeps inside it. */
  fill(base: number, bytes: Uint8Array): void {
    this.memory.write(base, bytes);
  }

  zero(base: number, length: number): void {
    const zeroes = new Uint8Array(Math.min(length, CHUNK_BYTES));
    for (let at = 0; at < length; at += zeroes.length) {
      this.memory.write(base + at, length - at < zeroes.length ? zeroes.subarray(0, length - at) : zeroes);
    }
  }

  /** The lowest free aligned place from `from` up, or undefined. */
  findAbove(from: number, length: number, alignment: number): number | undefined {
    for (const range of this.usable) {
      let base = Math.ceil(Math.max(range.base, from) / alignment) * alignment;
      for (;;) {
        const end = base + length;
        if (end > range.end) break;
        const other = this.taken.find((used) => base < used.end && end > used.base);
        if (other === undefined) return base;
        base = Math.ceil(other.end / alignment) * alignment;
      }
    }
    return undefined;
  }

  /** The highest free aligned place that ends at or below `limit`, or undefined. */
  findBelow(limit: number, length: number, alignment: number): number | undefined {
    for (const range of [...this.usable].reverse()) {
      let base = Math.floor((Math.min(range.end, limit) - length) / alignment) * alignment;
      while (base >= range.base) {
        const end = base + length;
        const start = base;
        const other = this.taken.find((used) => start < used.end && end > used.base);
        if (other === undefined) return base;
        base = Math.floor((other.base - length) / alignment) * alignment;
      }
    }
    return undefined;
  }
}
