// The header of a qcow2 file and its extensions: read with every field checked before anything is allocated from it.
// Refused with the field or feature bit named: encryption, external data files, extended L2 entries, unknown features.

import { NestboxError } from '../../base/errors.ts';
import type { HostFile } from '../../host/files/host-file.ts';
import * as Q from './layout.ts';

export interface BitmapDirectory {
  readonly count: number;
  readonly offset: number;
  readonly sizeBytes: number;
}

export interface Qcow2Header {
  readonly version: 2 | 3;
  readonly clusterBits: number;
  readonly clusterBytes: number;
  readonly refcountOrder: number;
  readonly headerLength: number;
  readonly compressionType: Q.CompressionType;
  readonly lazyRefcounts: boolean;
  readonly bitmaps: BitmapDirectory | undefined;
  /** What changes while the image is open. */
  backingName: string | undefined;
  backingFormat: string | undefined;
  sizeBytes: number;
  l1Entries: number;
  l1Offset: number;
  refcountTableOffset: number;
  refcountTableClusters: number;
  snapshotCount: number;
  snapshotsOffset: number;
  incompatible: number;
  hasAutoclear: boolean;
}

export function l1EntriesFor(sizeBytes: number, clusterBits: number): number {
  const covered = 2 ** (clusterBits + clusterBits - 3);
  return Math.ceil(sizeBytes / covered);
}

export function badImage(path: string, text: string, context: Record<string, string | number> = {}): NestboxError {
  return new NestboxError('bad-input', `${path}: qcow2 image: ${text}`, {
    op: 'open image',
    context: { path, ...context },
  });
}

function unsupported(path: string, text: string): NestboxError {
  return new NestboxError('unsupported', `${path}: qcow2 image: ${text}`, { op: 'open image', context: { path } });
}

const NAMES_OF_BITS: Readonly<Record<number, string>> = {
  2: 'an external data file (incompatible feature bit 2)',
  4: 'extended L2 entries (incompatible feature bit 4)',
};

function checkFeatures(path: string, high: number, low: number): void {
  const known = Q.INCOMPATIBLE_DIRTY | Q.INCOMPATIBLE_CORRUPT | Q.INCOMPATIBLE_COMPRESSION;
  for (let bit = 0; bit < 64; bit++) {
    const set = bit < 32 ? (low >>> bit) & 1 : (high >>> (bit - 32)) & 1;
    if (set === 0 || (bit < 32 && (known >>> bit) & 1)) continue;
    const name = NAMES_OF_BITS[bit] ?? `the unknown incompatible feature bit ${bit}`;
    throw unsupported(path, `needs ${name}, which is not supported`);
  }
}

/** Reads and checks the header. @throws NestboxError `bad-input` or `unsupported` naming the field */
export async function readHeader(file: HostFile): Promise<Qcow2Header> {
  const path = file.path;
  const fileBytes = file.identity().sizeBytes;
  const bad = (text: string): NestboxError => badImage(path, text);
  const start = new Uint8Array(Math.min(fileBytes, 4096));
  if ((await file.read(0, start)) < Q.V2_HEADER_BYTES) throw bad('is too short for a header');
  const view = Q.viewOf(start);
  if (view.getUint32(0) !== Q.QCOW2_MAGIC) throw bad('the magic number is missing');
  const version = view.getUint32(4);
  if (version !== 2 && version !== 3) throw unsupported(path, `version ${version} is not supported (2 and 3 are)`);
  if (version === 3 && start.length < Q.V3_HEADER_BYTES) throw bad('is too short for a version 3 header');

  const clusterBits = view.getUint32(Q.FIELD.clusterBits);
  if (clusterBits < Q.MIN_CLUSTER_BITS || clusterBits > Q.MAX_CLUSTER_BITS)
    throw bad(`cluster_bits is ${clusterBits}, allowed are 9 to 21`);
  const clusterBytes = 2 ** clusterBits;

  let refcountOrder = 4;
  let headerLength: number = Q.V2_HEADER_BYTES;
  let compressionType: Q.CompressionType = 'zlib';
  let incompatible = 0;
  let lazyRefcounts = false;
  let hasAutoclear = false;
  let bitmapsValid = false;
  if (version === 3) {
    checkFeatures(path, view.getUint32(Q.FIELD.incompatible), view.getUint32(Q.FIELD.incompatible + 4));
    incompatible = view.getUint32(Q.FIELD.incompatible + 4);
    lazyRefcounts = (view.getUint32(Q.FIELD.compatible + 4) & Q.COMPATIBLE_LAZY_REFCOUNTS) !== 0;
    const autoclearLow = view.getUint32(Q.FIELD.autoclear + 4);
    hasAutoclear = view.getUint32(Q.FIELD.autoclear) !== 0 || autoclearLow !== 0;
    bitmapsValid = (autoclearLow & Q.AUTOCLEAR_BITMAPS) !== 0;
    refcountOrder = view.getUint32(Q.FIELD.refcountOrder);
    if (refcountOrder > Q.MAX_REFCOUNT_ORDER) throw bad(`refcount_order is ${refcountOrder}, allowed are 0 to 6`);
    headerLength = view.getUint32(Q.FIELD.headerLength);
    if (headerLength < Q.V3_HEADER_BYTES || headerLength > clusterBytes || headerLength % 8 !== 0)
      throw bad(`header_length is ${headerLength}, which cannot be`);
    const type = headerLength > Q.V3_HEADER_BYTES ? (start[Q.FIELD.compressionType] ?? 0) : 0;
    if (type > 1) throw unsupported(path, `compression type ${type} is not supported (0 zlib and 1 zstd are)`);
    if ((type !== 0) !== ((incompatible & Q.INCOMPATIBLE_COMPRESSION) !== 0))
      throw bad('compression_type and incompatible feature bit 3 contradict each other');
    if (type === 1) compressionType = 'zstd';
  }

  const crypt = view.getUint32(Q.FIELD.cryptMethod);
  if (crypt !== 0) {
    const how = crypt === 1 ? 'AES' : crypt === 2 ? 'LUKS' : `method ${crypt}`;
    throw unsupported(path, `is encrypted (${how}), which is not supported; decrypt it first`);
  }

  const sizeBytes = Q.readU64(view, Q.FIELD.sizeBytes);
  if (sizeBytes > Q.MAX_VIRTUAL_BYTES) throw bad('size is larger than 64 TiB');

  const place = (name: string, offset: number, length: number): number => {
    if (offset % clusterBytes !== 0) throw bad(`${name} (${offset}) is not aligned to a cluster`);
    if (length > 0 && (offset === 0 || offset + length > fileBytes))
      throw bad(`${name} (${offset}) lies outside the file of ${fileBytes} bytes`);
    return offset;
  };
  const l1Entries = view.getUint32(Q.FIELD.l1Entries);
  if (l1Entries * 8 > Q.MAX_L1_BYTES) throw bad(`l1_size is ${l1Entries}, more than 32 MiB of table`);
  if (l1Entries < l1EntriesFor(sizeBytes, clusterBits))
    throw bad(`l1_size is ${l1Entries}, too small for ${sizeBytes} bytes`);
  const l1Offset = place('l1_table_offset', Q.readU64(view, Q.FIELD.l1Offset), l1Entries * 8);

  const refcountTableClusters = view.getUint32(Q.FIELD.refcountTableClusters);
  if (refcountTableClusters === 0) throw bad('refcount_table_clusters is 0');
  if (refcountTableClusters * clusterBytes > Q.MAX_REFCOUNT_TABLE_BYTES)
    throw bad(`refcount_table_clusters is ${refcountTableClusters}, more than 8 MiB of table`);
  const refcountTableOffset = place(
    'refcount_table_offset',
    Q.readU64(view, Q.FIELD.refcountTableOffset),
    refcountTableClusters * clusterBytes,
  );

  const snapshotCount = view.getUint32(Q.FIELD.snapshotCount);
  if (snapshotCount > Q.MAX_SNAPSHOTS) throw bad(`nb_snapshots is ${snapshotCount}, more than 65,536`);
  const snapshotsOffset = Q.readU64(view, Q.FIELD.snapshotsOffset);
  if (snapshotCount > 0) place('snapshots_offset', snapshotsOffset, snapshotCount * 40);

  const head = new Uint8Array(Math.min(clusterBytes, fileBytes));
  await file.read(0, head);
  const backing = readBackingName(bad, head, view);
  const extensions = readExtensions(path, head, headerLength, backing.offset);
  return {
    version,
    clusterBits,
    clusterBytes,
    refcountOrder,
    headerLength,
    compressionType,
    backingName: backing.name,
    backingFormat: extensions.backingFormat,
    lazyRefcounts,
    bitmaps: bitmapsValid ? extensions.bitmaps : undefined,
    sizeBytes,
    l1Entries,
    l1Offset,
    refcountTableOffset,
    refcountTableClusters,
    snapshotCount,
    snapshotsOffset,
    incompatible,
    hasAutoclear,
  };
}

function readBackingName(
  bad: (text: string) => NestboxError,
  head: Uint8Array,
  view: DataView,
): { name: string | undefined; offset: number } {
  const offset = Q.readU64(view, Q.FIELD.backingOffset);
  const length = view.getUint32(Q.FIELD.backingLength);
  if (offset === 0) return { name: undefined, offset: head.length };
  if (length > Q.MAX_BACKING_NAME_BYTES) throw bad(`backing_file_size is ${length}, more than 1,023`);
  if (offset + length > head.length) throw bad(`backing_file_offset (${offset}) leaves the first cluster`);
  if (length === 0) return { name: undefined, offset };
  return { name: new TextDecoder().decode(head.subarray(offset, offset + length)), offset };
}

interface Extensions {
  backingFormat?: string;
  bitmaps?: BitmapDirectory;
}

function readExtensions(path: string, head: Uint8Array, from: number, limit: number): Extensions {
  const result: Extensions = {};
  const view = Q.viewOf(head);
  const end = Math.min(limit, head.length);
  for (let at = from; at + 8 <= end;) {
    const type = view.getUint32(at);
    const length = view.getUint32(at + 4);
    if (type === Q.EXTENSION_END) break;
    if (at + 8 + length > end) throw badImage(path, `header extension 0x${type.toString(16)} leaves the header`);
    const body = head.subarray(at + 8, at + 8 + length);
    if (type === Q.EXTENSION_BACKING_FORMAT) {
      if (length > 15) throw badImage(path, 'the name of the backing format is too long');
      result.backingFormat = new TextDecoder().decode(body);
    } else if (type === Q.EXTENSION_CRYPTO) {
      throw unsupported(path, 'is encrypted (LUKS header extension), which is not supported; decrypt it first');
    } else if (type === Q.EXTENSION_DATA_FILE) {
      throw unsupported(path, 'names an external data file, which is not supported');
    } else if (type === Q.EXTENSION_BITMAPS && length >= 24) {
      result.bitmaps = {
        count: view.getUint32(at + 8),
        sizeBytes: Q.readU64(view, at + 16),
        offset: Q.readU64(view, at + 24),
      };
    }
    at += 8 + Math.ceil(length / 8) * 8;
  }
  return result;
}
