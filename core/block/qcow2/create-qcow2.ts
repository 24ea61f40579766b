// Makes a new, empty qcow2 image: header, refcount table and blocks, L1 table, in this order.

import { NestboxError } from '../../base/errors.ts';
import type { HostFile } from '../../host/files/host-file.ts';
import { l1EntriesFor } from './header.ts';
import * as Q from './layout.ts';
import { setRefcount } from './refcount-entries.ts';

export interface Qcow2CreateOptions {
  readonly sizeBytes: number;
  readonly version?: 2 | 3;
  readonly clusterBytes?: number;
  readonly refcountBits?: number;
  readonly compressionType?: Q.CompressionType;
  readonly lazyRefcounts?: boolean;
  readonly backing?: { readonly name: string; readonly format: string };
}

function usage(text: string): NestboxError {
  return new NestboxError('usage', text, { op: 'create image' });
}

interface Geometry {
  readonly version: 2 | 3;
  readonly clusterBits: number;
  readonly clusterBytes: number;
  readonly refcountOrder: number;
  readonly zstd: boolean;
  readonly l1Entries: number;
}

function geometryOf(options: Qcow2CreateOptions): Geometry {
  const version = options.version ?? 3;
  const clusterBytes = options.clusterBytes ?? 65_536;
  const clusterBits = Math.log2(clusterBytes);
  if (!Number.isInteger(clusterBits) || clusterBits < Q.MIN_CLUSTER_BITS || clusterBits > Q.MAX_CLUSTER_BITS)
    throw usage(`Cluster size ${clusterBytes}: must be a power of two from 512 bytes to 2 MiB`);
  const refcountOrder = Math.log2(options.refcountBits ?? 16);
  if (!Number.isInteger(refcountOrder) || refcountOrder < 0 || refcountOrder > Q.MAX_REFCOUNT_ORDER)
    throw usage(`Refcount width ${options.refcountBits ?? 16}: must be 1, 2, 4, 8, 16, 32 or 64 bits`);
  const zstd = options.compressionType === 'zstd';
  if (version === 2) {
    if (refcountOrder !== 4) throw usage('Version 2 images have 16-bit refcounts; use version 3');
    if (zstd) throw usage('Zstandard needs a version 3 image');
    if (options.lazyRefcounts === true) throw usage('Lazy refcounts need a version 3 image');
  }
  const { sizeBytes } = options;
  if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0 || sizeBytes % 512 !== 0)
    throw usage(`Size ${sizeBytes}: must be a multiple of 512 bytes`);
  if (sizeBytes > Q.MAX_VIRTUAL_BYTES) throw usage('Size: at most 64 TiB');
  const l1Entries = l1EntriesFor(sizeBytes, clusterBits);
  if (l1Entries * 8 > Q.MAX_L1_BYTES)
    throw usage(`Clusters of ${clusterBytes} bytes are too small for ${sizeBytes} bytes; use larger ones`);
  return { version, clusterBits, clusterBytes, refcountOrder, zstd, l1Entries };
}

/** Fills an empty file. Everything is on stable storage when this returns. */
export async function createQcow2(file: HostFile, options: Qcow2CreateOptions): Promise<void> {
  const geometry = geometryOf(options);
  const { clusterBytes, refcountOrder, l1Entries } = geometry;
  const perBlock = (clusterBytes * 8) >>> refcountOrder;
  const l1Clusters = Math.ceil((l1Entries * 8) / clusterBytes);
  let blocks = 1;
  let tableClusters = 1;
  let total: number;
  for (;;) {
    total = 1 + tableClusters + blocks + l1Clusters;
    const neededBlocks = Math.ceil(total / perBlock);
    const neededTable = Math.ceil((neededBlocks * 8) / clusterBytes);
    if (neededBlocks <= blocks && neededTable <= tableClusters) break;
    blocks = Math.max(blocks, neededBlocks);
    tableClusters = Math.max(tableClusters, neededTable);
  }
  const firstBlock = 1 + tableClusters;
  const l1First = firstBlock + blocks;
  await file.truncate(total * clusterBytes);

  const table = new Uint8Array(tableClusters * clusterBytes);
  for (let index = 0; index < blocks; index++) {
    Q.writeU64(Q.viewOf(table), index * 8, (firstBlock + index) * clusterBytes);
    const block = new Uint8Array(clusterBytes);
    const used = Math.min(perBlock, total - index * perBlock);
    for (let at = 0; at < used; at++) setRefcount(Q.viewOf(block), at, refcountOrder, 1);
    await file.write((firstBlock + index) * clusterBytes, block);
  }
  await file.write(clusterBytes, table);
  await file.write(
    0,
    encodeHeader(geometry, options, {
      l1Offset: l1Entries === 0 ? 0 : l1First * clusterBytes,
      tableClusters,
    }),
  );
  await file.flush();
}

function encodeHeader(
  geometry: Geometry,
  options: Qcow2CreateOptions,
  places: { l1Offset: number; tableClusters: number },
): Uint8Array {
  const { version, clusterBytes, zstd } = geometry;
  const bytes = new Uint8Array(clusterBytes);
  const view = Q.viewOf(bytes);
  view.setUint32(0, Q.QCOW2_MAGIC);
  view.setUint32(4, version);
  view.setUint32(Q.FIELD.clusterBits, geometry.clusterBits);
  Q.writeU64(view, Q.FIELD.sizeBytes, options.sizeBytes);
  view.setUint32(Q.FIELD.l1Entries, geometry.l1Entries);
  Q.writeU64(view, Q.FIELD.l1Offset, places.l1Offset);
  Q.writeU64(view, Q.FIELD.refcountTableOffset, clusterBytes);
  view.setUint32(Q.FIELD.refcountTableClusters, places.tableClusters);
  let at: number = Q.V2_HEADER_BYTES;
  if (version === 3) {
    view.setUint32(Q.FIELD.incompatible + 4, zstd ? Q.INCOMPATIBLE_COMPRESSION : 0);
    view.setUint32(Q.FIELD.compatible + 4, options.lazyRefcounts === true ? Q.COMPATIBLE_LAZY_REFCOUNTS : 0);
    view.setUint32(Q.FIELD.refcountOrder, geometry.refcountOrder);
    at = Q.V3_HEADER_BYTES + 8;
    view.setUint32(Q.FIELD.headerLength, at);
    bytes[Q.FIELD.compressionType] = zstd ? 1 : 0;
  }
  const { backing } = options;
  if (backing === undefined) return bytes;
  const name = new TextEncoder().encode(backing.name);
  const format = new TextEncoder().encode(backing.format);
  const formatEnd = at + 8 + Math.ceil(format.length / 8) * 8;
  if (name.length === 0 || name.length > Q.MAX_BACKING_NAME_BYTES || formatEnd + 8 + name.length > clusterBytes)
    throw usage('The name of the backing file is too long for the header');
  view.setUint32(at, Q.EXTENSION_BACKING_FORMAT);
  view.setUint32(at + 4, format.length);
  bytes.set(format, at + 8);
  // Eight zero bytes end the extensions; the name follows.
  bytes.set(name, formatEnd + 8);
  Q.writeU64(view, Q.FIELD.backingOffset, formatEnd + 8);
  view.setUint32(Q.FIELD.backingLength, name.length);
  return bytes;
}
