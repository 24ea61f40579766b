// The two kinds of files of the state store, see README.md. All numbers are little-endian; everything read from a file is
// checked against the limits here before memory is taken for it.

import { NestboxError } from '../base/errors.ts';

export const PAGE_BYTES = 4096;
/** Pages are compressed in frames of this many neighbours: smaller than alone, and still quick to read one of. */
export const FRAME_PAGES = 16;
export const FRAME_BYTES = PAGE_BYTES * FRAME_PAGES;
/** A content id: the first half of the page's SHA-256. */
export const HASH_BYTES = 16;

export const PACK_MAGIC = 'NBPAGES1';
export const PACK_END_MAGIC = 'NBPGEND1';
/** Frames start here, so that holes can be punched in whole blocks of the host. */
export const PACK_HEADER_BYTES = 4096;
export const PACK_TRAILER_BYTES = 64;
export const PACK_ENTRIES_MAX = 1 << 24;

export const STATE_MAGIC = 'NBSTATE1';
export const STATE_VERSION = 1;
export const STATE_HEADER_BYTES = 64;
export const STATE_FILE_BYTES_MAX = 1 << 28;
export const DESCRIPTION_BYTES_MAX = 1 << 26;
export const PACKS_MAX = 1024;
/** 64 GiB of guest memory. */
export const REGION_PAGES_MAX = 1 << 24;

/** `packed`: compressed frames with content ids. `plain`: pages as they are, for states that are read once. */
export type PackStorage = 'packed' | 'plain';

const ID = /^[0-9a-f]{32}$/;

/** Ids name files: nothing else than 32 hexadecimal digits is one. */
export function isStateId(id: string): boolean {
  return ID.test(id);
}

export function damaged(path: string, what: string, cause?: unknown): NestboxError {
  return new NestboxError('bad-input', `${path}: ${what}; the saved state cannot be used`, { op: 'read state', context: { path }, cause });
}

export function textAt(bytes: Uint8Array, offset: number, length: number): string {
  return String.fromCharCode(...bytes.subarray(offset, offset + length));
}

export function putText(bytes: Uint8Array, offset: number, text: string): void {
  for (let i = 0; i < text.length; i++) bytes[offset + i] = text.charCodeAt(i);
}

export function isZeroPage(words: Uint32Array): boolean {
  for (const word of words) if (word !== 0) return false;
  return true;
}
