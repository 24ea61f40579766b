// The directory of a tar archive (POSIX.1-2001 ustar and pax, GNU long names): where each file's bytes lie. Contents are not
// read. Sparse files, links and devices are left out.

import { NestboxError } from '../base/errors.ts';
import { type ByteSource, utf8 } from './byte-source.ts';

export interface TarEntry {
  readonly name: string;
  /** Of the first byte of its content. */
  readonly offset: number;
  readonly sizeBytes: number;
}

export const TAR_BLOCK = 512;
const ENTRIES_MAX = 2000;
const NAME_BYTES_MAX = 4096;
const CHECKSUM_AT = 148;

function bad(text: string): NestboxError {
  return new NestboxError('bad-input', text, { op: 'read archive' });
}

function text(block: Uint8Array, at: number, length: number): string {
  const field = block.subarray(at, at + length);
  const end = field.indexOf(0);
  return utf8(end < 0 ? field : field.subarray(0, end));
}

/** Octal digits, or from GNU tar a big-endian number whose first byte is 80h. */
function number(block: Uint8Array, at: number, length: number): number {
  if (((block[at] ?? 0) & 0x80) !== 0) {
    let value = (block[at] ?? 0) & 0x7f;
    for (let index = 1; index < length; index++) value = value * 256 + (block[at + index] ?? 0);
    if (!Number.isSafeInteger(value)) throw bad('The archive has a file of an impossible size');
    return value;
  }
  const digits = text(block, at, length).trim();
  if (!/^[0-7]*$/.test(digits)) throw bad('The archive is damaged: a number in it cannot be read');
  return digits === '' ? 0 : Number.parseInt(digits, 8);
}

function isSound(block: Uint8Array): boolean {
  let sum = 0;
  for (let at = 0; at < TAR_BLOCK; at++) sum += at >= CHECKSUM_AT && at < CHECKSUM_AT + 8 ? 0x20 : (block[at] ?? 0);
  return sum === number(block, CHECKSUM_AT, 8);
}

/** "path" and "size" of a pax header's records. */
function paxRecords(bytes: Uint8Array): Map<string, string> {
  const found = new Map<string, string>();
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(0x20, at);
    const length = space < 0 ? NaN : Number(utf8(bytes.subarray(at, space)));
    if (!Number.isInteger(length) || length <= 0 || at + length > bytes.length) break;
    const record = utf8(bytes.subarray(space + 1, at + length - 1));
    const equals = record.indexOf('=');
    if (equals > 0) found.set(record.slice(0, equals), record.slice(equals + 1));
    at += length;
  }
  return found;
}

/** @throws NestboxError `bad-input` when it is damaged or cut off */
export async function readTarEntries(source: ByteSource): Promise<TarEntry[]> {
  const entries: TarEntry[] = [];
  let longName: string | undefined;
  let longSize: number | undefined;
  for (let at = 0; ; ) {
    const block = await source.read(at, TAR_BLOCK);
    // Archives end with two empty blocks; some writers leave them out.
    if (block.length < TAR_BLOCK || block.every((byte) => byte === 0)) return entries;
    if (!isSound(block)) throw bad(`The archive is damaged at byte ${at}`);
    const type = String.fromCharCode(block[156] ?? 0);
    const offset = at + TAR_BLOCK;
    const sizeBytes = longSize ?? number(block, 124, 12);
    if (offset + sizeBytes > source.sizeBytes) throw bad(`The archive is cut off: it needs ${offset + sizeBytes} bytes and has ${source.sizeBytes}`);
    if (type === 'L' || type === 'x') {
      const content = await source.read(offset, Math.min(sizeBytes, NAME_BYTES_MAX));
      if (type === 'L') longName = text(content, 0, content.length);
      else {
        const records = paxRecords(content);
        longName = records.get('path') ?? longName;
        const size = Number(records.get('size') ?? NaN);
        longSize = Number.isSafeInteger(size) && size >= 0 ? size : longSize;
      }
    } else {
      const prefix = text(block, 257, 5) === 'ustar' ? text(block, 345, 155) : '';
      const name = longName ?? (prefix === '' ? text(block, 0, 100) : `${prefix}/${text(block, 0, 100)}`);
      if (type === '0' || type === '\0' || type === '7') entries.push({ name, offset, sizeBytes });
      longName = undefined;
      longSize = undefined;
      if (entries.length > ENTRIES_MAX) throw bad('The archive has too many files');
    }
    at = offset + Math.ceil(sizeBytes / TAR_BLOCK) * TAR_BLOCK;
  }
}
