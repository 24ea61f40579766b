// Memory contents in a saved state: pages that hold only zeroes are left out. Format: for each kept page its number (u32)
// and its 4096 bytes.

import { NestboxError } from '../base/errors.ts';

const PAGE_BYTES = 4096;
const RECORD_BYTES = 4 + PAGE_BYTES;

function isZero(words: Uint32Array): boolean {
  for (const word of words) if (word !== 0) return false;
  return true;
}

/** @param memory a whole number of pages, 4-byte aligned */
export function packPages(memory: Uint8Array): Uint8Array {
  const words = new Uint32Array(memory.buffer, memory.byteOffset, memory.length / 4);
  const kept: number[] = [];
  for (let page = 0; page < memory.length / PAGE_BYTES; page++) {
    if (!isZero(words.subarray(page * 1024, page * 1024 + 1024))) kept.push(page);
  }
  const out = new Uint8Array(kept.length * RECORD_BYTES);
  const view = new DataView(out.buffer);
  kept.forEach((page, index) => {
    view.setUint32(index * RECORD_BYTES, page, true);
    out.set(memory.subarray(page * PAGE_BYTES, (page + 1) * PAGE_BYTES), index * RECORD_BYTES + 4);
  });
  return out;
}

/** Page numbers and where their bytes start. @throws NestboxError `bad-input` */
export function checkPages(packed: Uint8Array, memoryBytes: number, what: string): void {
  const fail = (reason: string): NestboxError => new NestboxError('bad-input', `Saved state: ${what} ${reason}`, { op: 'load state' });
  if (packed.length % RECORD_BYTES !== 0) throw fail('is cut off');
  const view = new DataView(packed.buffer, packed.byteOffset, packed.length);
  let last = -1;
  for (let at = 0; at < packed.length; at += RECORD_BYTES) {
    const page = view.getUint32(at, true);
    if (page <= last || (page + 1) * PAGE_BYTES > memoryBytes) throw fail(`has a page ${page} that is out of order or outside memory`);
    last = page;
  }
}

/** Writes checked pages; the rest becomes zero. */
export function unpackPages(packed: Uint8Array, memory: Uint8Array): void {
  memory.fill(0);
  const view = new DataView(packed.buffer, packed.byteOffset, packed.length);
  for (let at = 0; at < packed.length; at += RECORD_BYTES) {
    memory.set(packed.subarray(at + 4, at + RECORD_BYTES), view.getUint32(at, true) * PAGE_BYTES);
  }
}
