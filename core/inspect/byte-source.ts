// The file that is looked into, as a flat range of bytes with a budget: whatever its structures claim, looking never reads
// more than the budget, so a hostile image costs bounded time.

import { NestboxError } from '../base/errors.ts';
import type { HostFile } from '../host/files/host-file.ts';

export interface ByteSource {
  readonly sizeBytes: number;
  /** Up to `length` bytes from `offset`; fewer at the end. @throws NestboxError `bad-input` when the budget is used up */
  read(offset: number, length: number): Promise<Uint8Array>;
}

/** Enough for the directories and small files of any installation medium. */
const READ_BUDGET_BYTES = 48 * 1024 * 1024;

export function fileSource(file: HostFile, budgetBytes = READ_BUDGET_BYTES): ByteSource {
  const sizeBytes = file.identity().sizeBytes;
  return limitedSource(sizeBytes, (offset, target) => file.read(offset, target), budgetBytes);
}

export function memorySource(bytes: Uint8Array, budgetBytes = READ_BUDGET_BYTES): ByteSource {
  return limitedSource(
    bytes.length,
    async (offset, target) => {
      const piece = bytes.subarray(offset, offset + target.length);
      target.set(piece);
      return piece.length;
    },
    budgetBytes,
  );
}

function limitedSource(
  sizeBytes: number,
  readInto: (offset: number, target: Uint8Array) => Promise<number>,
  budgetBytes: number,
): ByteSource {
  let left = budgetBytes;
  return {
    sizeBytes,
    read: async (offset, length) => {
      if (!Number.isSafeInteger(offset) || offset < 0 || offset >= sizeBytes || length <= 0) return new Uint8Array(0);
      const wanted = Math.min(length, sizeBytes - offset);
      left -= wanted;
      if (left < 0)
        throw new NestboxError('bad-input', 'Its directories are larger than those of any real medium', {
          op: 'inspect file',
          context: { code: 'inspect-budget' },
        });
      const target = new Uint8Array(wanted);
      const got = await readInto(offset, target);
      return got === wanted ? target : target.subarray(0, got);
    },
  };
}

/** Reads little-endian fields; reads outside give 0, as a short file would after zero filling. */
export class FieldReader {
  private readonly view: DataView;
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  u8(at: number): number {
    return this.bytes[at] ?? 0;
  }

  u16(at: number): number {
    return at >= 0 && at + 2 <= this.bytes.length ? this.view.getUint16(at, true) : 0;
  }

  u32(at: number): number {
    return at >= 0 && at + 4 <= this.bytes.length ? this.view.getUint32(at, true) : 0;
  }

  /** 0 when the value is beyond 2^53. */
  u64(at: number): number {
    const value = this.u32(at) + this.u32(at + 4) * 0x1_0000_0000;
    return Number.isSafeInteger(value) ? value : 0;
  }

  /** Latin-1 without padding at the end. */
  text(at: number, length: number): string {
    return latin1(this.bytes.subarray(at, at + length)).replace(/[\0 ]+$/, '');
  }
}

export function latin1(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

// Part of every host, but of no type library that this layer has.
const { TextDecoder: Utf8Decoder } = globalThis as unknown as { readonly TextDecoder: new () => { decode(bytes: Uint8Array): string } };

/** Wrong sequences become U+FFFD. */
export function utf8(bytes: Uint8Array): string {
  return new Utf8Decoder().decode(bytes);
}

/** Big-endian UTF-16, as Joliet and UDF have it. */
export function utf16be(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at + 1 < bytes.length; at += 2)
    text += String.fromCharCode(((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0));
  return text;
}
