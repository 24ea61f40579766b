// The binary records that host-runner.c reads and writes. A case is the whole register state before one instruction; a
// result the state after it, in the same layout, so that states are compared as bytes.

/** Writable data pages of every case; DATA_AT + DATA_BYTES is one read-only page more, then nothing. */
export const DATA_AT = 0x10000000;
export const DATA_BYTES = 0x2000;
export const READ_ONLY_BYTES = 0x1000;
export const CODE_AT = 0x20000000;
/** Address of the instruction. */
export const CODE_START = CODE_AT + 0x800;
/** GS base of 64-bit cases. */
export const GS_BASE = DATA_AT + 0x100;

export const RECORD_BYTES = 736;
export const GPR_AT = 72;
export const RFLAGS_AT = 200;
export const FX_AT = 224;
/** Most bytes of code in a case. */
export const MAX_CODE_BYTES = 64;
/** Bytes at CODE_START that a case and the jump behind it may use. */
export const CODE_ROOM = 96;
export const NO_FAULT = 0xffffffff;

/** Selectors of ES, SS and DS; in results also CS, of a fault only. */
export const SEGMENTS_AT = 216;
export const FLAT_DATA = 0x2b;

/** Segments of 16-bit cases: the local descriptor table that host-runner.c makes; selector = index * 8 + 7. */
export interface SegmentDescriptor {
  readonly base: number;
  /** Last valid offset, pages counted. */
  readonly limit: number;
  /** Access byte, and bits 12-15 of the flags: as in SEG_ACCESS of core/cpu/isa/layout.ts. */
  readonly access: number;
}

const DATA_BASE = DATA_AT;
export const LOCAL_SEGMENTS: readonly SegmentDescriptor[] = [
  { base: CODE_AT, limit: 0xffff, access: 0x00fb },
  { base: DATA_BASE, limit: 0x2fff, access: 0x00f3 },
  { base: DATA_BASE, limit: 0x2fff, access: 0x00f1 },
  { base: DATA_BASE, limit: 0x03ff, access: 0x00f7 },
  { base: DATA_BASE, limit: 0x03ff, access: 0x40f7 },
  { base: DATA_BASE, limit: 0x2fff, access: 0x40f3 },
  { base: DATA_BASE, limit: 0x1fff, access: 0x00fb },
  { base: DATA_BASE, limit: 0x1fff, access: 0x00f9 },
  { base: DATA_BASE, limit: 0x1fff, access: 0xc0f3 },
  { base: DATA_BASE, limit: 0x2fff, access: 0x0073 },
  { base: CODE_AT, limit: 0x0fff, access: 0x007f },
  { base: CODE_AT, limit: 0x0fff, access: 0x40f9 },
  { base: CODE_AT, limit: 0x0fff, access: 0x007b },
  { base: CODE_AT, limit: 0x0fff, access: 0x40fb },
];

/** Linux' global descriptor table from entry 0 on, as far as cases name it: kernel and user segments. */
export const GLOBAL_SEGMENTS: readonly (SegmentDescriptor | undefined)[] = [
  undefined,
  { base: 0, limit: 0xffffffff, access: 0xc09b },
  { base: 0, limit: 0xffffffff, access: 0xa09b },
  { base: 0, limit: 0xffffffff, access: 0xc093 },
  { base: 0, limit: 0xffffffff, access: 0xc0fb },
  { base: 0, limit: 0xffffffff, access: 0xc0f3 },
  { base: 0, limit: 0xffffffff, access: 0xa0fb },
];

/** Where the local table and the task state lie behind the global table. */
export const LDT_OFFSET = 0x800;
export const TSS_OFFSET = 0xc00;

/** Writes the descriptor tables, and a task state without an I/O permission map, whose base is the limit. @param at of the global table in `view` */
export function writeDescriptorTables(view: DataView, at: number): void {
  GLOBAL_SEGMENTS.forEach((segment, i) => {
    if (segment !== undefined) view.setBigUint64(at + i * 8, encodeDescriptor(segment), true);
  });
  LOCAL_SEGMENTS.forEach((segment, i) => view.setBigUint64(at + LDT_OFFSET + i * 8, encodeDescriptor(segment), true));
  view.setUint16(at + TSS_OFFSET + 0x66, 0x68, true);
}

/** The eight bytes of a descriptor. */
function encodeDescriptor(segment: SegmentDescriptor): bigint {
  const pages = (segment.access & 0x8000) !== 0;
  const limit = BigInt(pages ? Math.floor(segment.limit / 4096) : segment.limit);
  const base = BigInt(segment.base);
  return (limit & 0xffffn) | ((base & 0xffffffn) << 16n) | (BigInt(segment.access & 0xff) << 40n) | ((limit >> 16n) << 48n)
    | (BigInt((segment.access >> 12) & 0xf) << 52n) | ((base >> 24n) << 56n);
}

export function localSelector(index: number): number {
  return index * 8 + 7;
}

const MODE_AT = 0;
const CODE_BYTES_AT = 4;
const CODE_BYTES = 8;
const PATCH_OFFSET_AT = 208;
const PATCH_BYTES_AT = 212;

const VECTOR_AT = 0;
const ERROR_AT = 4;
const CR2_AT = 8;
const RIP_AT = 16;

export interface Case {
  readonly mode: 16 | 32 | 64;
  readonly code: Uint8Array;
  /** GPRs, flags, segments and FXSAVE image in place, RECORD_BYTES long. */
  readonly state: Uint8Array;
  /** Bytes of the data pages that differ from the pattern. */
  readonly patchOffset: number;
  readonly patch: Uint8Array;
}

export interface Result {
  /** Exception vector, or NO_FAULT. */
  readonly vector: number;
  readonly error: number;
  readonly cr2: bigint;
  /** RIP of the fault. */
  readonly rip: bigint;
  /** GPRs, flags and FXSAVE image at the same offsets as in a case. */
  readonly state: Uint8Array;
  /** Data that changed, in whole quadwords. */
  readonly changedOffset: number;
  readonly changed: Uint8Array;
}

/** What the data pages hold where a case does not patch them; the same generator is in host-runner.c. */
export function dataPattern(): Uint8Array {
  const bytes = new Uint8Array(DATA_BYTES + READ_ONLY_BYTES);
  let x = 0x2545f491;
  for (let i = 0; i < bytes.length; i++) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    bytes[i] = (x >>> 11) & 0xff;
  }
  return bytes;
}

function padded(bytes: number): number {
  return (bytes + 15) & ~15;
}

export function encodeCases(cases: readonly Case[]): Uint8Array {
  let total = 0;
  for (const one of cases) total += RECORD_BYTES + padded(one.patch.length);
  const out = new Uint8Array(total);
  const view = new DataView(out.buffer);
  let at = 0;
  for (const one of cases) {
    out.set(one.state.subarray(GPR_AT, RECORD_BYTES), at + GPR_AT);
    view.setUint32(at + MODE_AT, one.mode, true);
    view.setUint32(at + CODE_BYTES_AT, one.code.length, true);
    out.set(one.code, at + CODE_BYTES);
    view.setUint32(at + PATCH_OFFSET_AT, one.patchOffset, true);
    view.setUint32(at + PATCH_BYTES_AT, one.patch.length, true);
    out.set(one.patch, at + RECORD_BYTES);
    at += RECORD_BYTES + padded(one.patch.length);
  }
  return out;
}

export function decodeResults(bytes: Uint8Array): Result[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const results: Result[] = [];
  let at = 0;
  while (at < bytes.length) {
    const changedBytes = view.getUint32(at + PATCH_BYTES_AT, true);
    results.push({
      vector: view.getUint32(at + VECTOR_AT, true),
      error: view.getUint32(at + ERROR_AT, true),
      cr2: view.getBigUint64(at + CR2_AT, true),
      rip: view.getBigUint64(at + RIP_AT, true),
      state: bytes.subarray(at, at + RECORD_BYTES),
      changedOffset: view.getUint32(at + PATCH_OFFSET_AT, true),
      changed: bytes.subarray(at + RECORD_BYTES, at + RECORD_BYTES + changedBytes),
    });
    at += RECORD_BYTES + padded(changedBytes);
  }
  return results;
}
