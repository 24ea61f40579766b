// Constants of the qcow2 format, versions 2 and 3, after the format's public specification. All numbers in the file are
// big-endian. 64-bit fields are handled as two 32-bit halves, or as Numbers once they are known to be below 2^53.

export const QCOW2_MAGIC = 0x514649fb;
export const V2_HEADER_BYTES = 72;
export const V3_HEADER_BYTES = 104;

/** Byte positions of header fields. */
export const FIELD = {
  backingOffset: 8,
  backingLength: 16,
  clusterBits: 20,
  sizeBytes: 24,
  cryptMethod: 32,
  l1Entries: 36,
  l1Offset: 40,
  refcountTableOffset: 48,
  refcountTableClusters: 56,
  snapshotCount: 60,
  snapshotsOffset: 64,
  incompatible: 72,
  compatible: 80,
  autoclear: 88,
  refcountOrder: 96,
  headerLength: 100,
  compressionType: 104,
} as const;

export const INCOMPATIBLE_DIRTY = 1;
export const INCOMPATIBLE_CORRUPT = 2;
export const INCOMPATIBLE_DATA_FILE = 4;
export const INCOMPATIBLE_COMPRESSION = 8;
export const INCOMPATIBLE_EXTENDED_L2 = 16;
export const COMPATIBLE_LAZY_REFCOUNTS = 1;
export const AUTOCLEAR_BITMAPS = 1;

export const EXTENSION_END = 0;
export const EXTENSION_BACKING_FORMAT = 0xe2792aca;
export const EXTENSION_FEATURE_NAMES = 0x6803f857;
export const EXTENSION_BITMAPS = 0x23852875;
export const EXTENSION_CRYPTO = 0x0537be77;
export const EXTENSION_DATA_FILE = 0x44415441;

export const MIN_CLUSTER_BITS = 9;
export const MAX_CLUSTER_BITS = 21;
export const MAX_REFCOUNT_ORDER = 6;

// Limits against images that make the reader allocate or loop without bound.
export const MAX_VIRTUAL_BYTES = 64 * 2 ** 40;
export const MAX_L1_BYTES = 32 * 2 ** 20;
export const MAX_REFCOUNT_TABLE_BYTES = 8 * 2 ** 20;
export const MAX_SNAPSHOTS = 65_536;
export const MAX_SNAPSHOT_TABLE_BYTES = 64 * 2 ** 20;
export const MAX_BACKING_NAME_BYTES = 1023;
export const MAX_CHAIN_DEPTH = 64;

// Halves of L1 and L2 entries.
export const HIGH_COPIED = 0x8000_0000;
export const HIGH_COMPRESSED = 0x4000_0000;
export const HIGH_OFFSET_MASK = 0x00ff_ffff;
export const LOW_OFFSET_MASK = 0xffff_fe00;
export const LOW_ZERO = 1;

export type CompressionType = 'zlib' | 'zstd';

/** What a cluster of the guest's disk is stored as. */
export const KIND_UNALLOCATED = 0;
export const KIND_ZERO = 1;
export const KIND_ZERO_ALLOCATED = 2;
export const KIND_NORMAL = 3;
export const KIND_COMPRESSED = 4;
export type ClusterKind = 0 | 1 | 2 | 3 | 4;

export const TWO_32 = 2 ** 32;

/** A 64-bit big-endian number; exact below 2^53, which callers make sure of by comparing with a limit. */
export function readU64(view: DataView, at: number): number {
  return view.getUint32(at) * TWO_32 + view.getUint32(at + 4);
}

/** The same in little-endian, as other formats have it. */
export function readU64le(view: DataView, at: number): number {
  return view.getUint32(at + 4, true) * TWO_32 + view.getUint32(at, true);
}

export function writeU64(view: DataView, at: number, value: number): void {
  view.setUint32(at, Math.floor(value / TWO_32));
  view.setUint32(at + 4, value % TWO_32);
}

/** The offset in an L1 entry or in an L2 entry of a cluster that is not compressed. */
export function entryOffset(high: number, low: number): number {
  return (high & HIGH_OFFSET_MASK) * TWO_32 + (low & LOW_OFFSET_MASK) + ((low & LOW_OFFSET_MASK) < 0 ? TWO_32 : 0);
}

/** The place of a compressed cluster: byte offset, and the bytes up to the end of its last 512-byte sector. */
export function compressedPlace(high: number, low: number, clusterBits: number): { offset: number; length: number } {
  const highBits = 62 - (clusterBits - 8) - 32;
  const masked = high & 0x3fff_ffff;
  const offset = (masked & ((1 << highBits) - 1)) * TWO_32 + low;
  const sectors = (masked >>> highBits) + 1;
  return { offset, length: sectors * 512 - (offset % 512) };
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
