// The two-level table from clusters of the guest's disk to places in the file. The L1 table is in memory (at most
// 32 MiB), L2 tables come through a bounded cache and are changed by writing through. Knows every cluster of metadata,
// so that a damaged image cannot make a guest's write land in a table.

import { NestboxError } from '../../base/errors.ts';
import type { ClusterAllocator } from './allocator.ts';
import { badImage, type Qcow2Header } from './header.ts';
import type { ImageIo } from './image-io.ts';
import * as Q from './layout.ts';
import type { Refcounts } from './refcounts.ts';
import { TableCache } from './table-cache.ts';

const CACHE_BYTES = 16 * 2 ** 20;

export class ClusterMap {
  readonly entriesPerTable: number;
  /** Results of the last `decode`. */
  hostOffset = 0;
  copied = false;
  private readonly io: ImageIo;
  private readonly header: Qcow2Header;
  private readonly cache: TableCache;
  private l1: DataView;
  private readonly metadata = new Set<number>();

  private constructor(io: ImageIo, header: Qcow2Header, l1: DataView) {
    this.io = io;
    this.header = header;
    this.l1 = l1;
    this.entriesPerTable = header.clusterBytes / 8;
    this.cache = new TableCache(CACHE_BYTES, header.clusterBytes, async (offset) => {
      const bytes = new Uint8Array(header.clusterBytes);
      await io.read(offset, bytes);
      return bytes;
    });
  }

  static async open(io: ImageIo, header: Qcow2Header): Promise<ClusterMap> {
    const bytes = new Uint8Array(header.l1Entries * 8);
    await io.read(header.l1Offset, bytes);
    return new ClusterMap(io, header, Q.viewOf(bytes));
  }

  /**
   * Collects where all metadata lies and makes sure that no two tables share a cluster.
   * @throws NestboxError `bad-input` when the image may not be written
   */
  protectMetadata(refcounts: Refcounts, others: readonly { offset: number; length: number; what: string }[]): void {
    this.metadata.clear();
    const add = (offset: number, length: number, what: string): void => {
      const last = Math.floor((offset + length - 1) / this.header.clusterBytes);
      for (let cluster = Math.floor(offset / this.header.clusterBytes); cluster <= last; cluster++) {
        if (this.metadata.has(cluster))
          throw badImage(
            this.io.file.path,
            `${what} overlaps another table in cluster ${cluster}; check and repair it`,
          );
        this.metadata.add(cluster);
      }
    };
    add(0, this.header.clusterBytes, 'the header');
    const { l1Entries, l1Offset, refcountTableOffset, refcountTableClusters, clusterBytes } = this.header;
    if (l1Entries > 0) add(l1Offset, l1Entries * 8, 'the L1 table');
    add(refcountTableOffset, refcountTableClusters * clusterBytes, 'the refcount table');
    for (const offset of refcounts.blockOffsets()) add(offset, clusterBytes, 'a refcount block');
    for (const { offset, length, what } of others) if (length > 0) add(offset, length, what);
    for (let index = 0; index < l1Entries; index++) {
      const offset = this.l2Offset(index);
      if (offset !== 0) add(offset, clusterBytes, `L2 table ${index}`);
    }
  }

  /** A copy of the L1 table. */
  l1Bytes(): Uint8Array {
    return new Uint8Array(this.l1.buffer, this.l1.byteOffset, this.header.l1Entries * 8).slice();
  }

  /** Takes the L1 table from the file again: the header names another one. */
  async reload(): Promise<void> {
    const bytes = new Uint8Array(this.header.l1Entries * 8);
    await this.io.read(this.header.l1Offset, bytes);
    this.l1 = Q.viewOf(bytes);
  }

  /** Writes an L1 table of the same length in place. */
  async writeL1(bytes: Uint8Array): Promise<void> {
    if (bytes.length === 0) return;
    await this.io.write(this.header.l1Offset, bytes);
    this.l1 = Q.viewOf(bytes);
  }

  /** @throws NestboxError when no cluster can be there */
  checkPlace(offset: number, what: string): void {
    if (offset % this.header.clusterBytes !== 0 || offset >= this.io.fileBytes)
      throw this.damaged(`${what} has the impossible offset ${offset}`);
  }

  /** Any L2 table of the image, of snapshots too. */
  tableAt(offset: number): Promise<DataView> {
    return this.cache.get(offset);
  }

  /** Writes a whole L2 table in place. */
  async replaceTable(offset: number, table: DataView): Promise<void> {
    await this.io.write(offset, new Uint8Array(table.buffer, table.byteOffset, table.byteLength));
    this.cache.put(offset, table);
  }

  noteMetadata(cluster: number, present: boolean): void {
    if (present) this.metadata.add(cluster);
    else this.metadata.delete(cluster);
  }

  isMetadata(offset: number): boolean {
    return this.metadata.has(Math.floor(offset / this.header.clusterBytes));
  }

  /** Offset of an L2 table in the file, 0 = there is none. */
  l2Offset(l1Index: number): number {
    if (l1Index >= this.header.l1Entries) return 0;
    const high = this.l1.getUint32(l1Index * 8);
    const low = this.l1.getUint32(l1Index * 8 + 4);
    const offset = Q.entryOffset(high, low);
    if (offset % this.header.clusterBytes !== 0 || (offset !== 0 && offset >= this.io.fileBytes))
      throw this.damaged(`L2 table ${l1Index} has the impossible offset ${offset}`);
    return offset;
  }

  /** The L2 table for reading, undefined when there is none. */
  async table(l1Index: number): Promise<DataView | undefined> {
    const offset = this.l2Offset(l1Index);
    return offset === 0 ? undefined : (this.cache.peek(offset) ?? this.cache.get(offset));
  }

  /** The same when it is here already: hot paths need not wait for a turn of the event loop. */
  cachedTable(l1Index: number): DataView | undefined {
    const offset = this.l2Offset(l1Index);
    return offset === 0 ? undefined : this.cache.peek(offset);
  }

  /** Kind of a cluster; `hostOffset` and `copied` say more until the next call. */
  decode(table: DataView, index: number): Q.ClusterKind {
    const high = table.getUint32(index * 8);
    const low = table.getUint32(index * 8 + 4);
    this.copied = false;
    this.hostOffset = 0;
    if (high === 0 && low === 0) return Q.KIND_UNALLOCATED;
    if ((high & Q.HIGH_COMPRESSED) !== 0) return Q.KIND_COMPRESSED;
    const offset = Q.entryOffset(high, low);
    const zero = (low & Q.LOW_ZERO) !== 0;
    if (zero && this.header.version < 3) throw this.damaged('a version 2 image has a zero cluster');
    if (offset % this.header.clusterBytes !== 0 || (offset !== 0 && offset >= this.io.fileBytes))
      throw this.damaged(`a cluster has the impossible offset ${offset}`);
    this.hostOffset = offset;
    this.copied = (high & Q.HIGH_COPIED) !== 0;
    if (zero) return offset === 0 ? Q.KIND_ZERO : Q.KIND_ZERO_ALLOCATED;
    return offset === 0 ? Q.KIND_UNALLOCATED : Q.KIND_NORMAL;
  }

  compressedPlace(table: DataView, index: number): { offset: number; length: number } {
    const place = Q.compressedPlace(
      table.getUint32(index * 8),
      table.getUint32(index * 8 + 4),
      this.header.clusterBits,
    );
    if (place.offset >= this.io.fileBytes) throw this.damaged('a compressed cluster lies beyond the end of the file');
    return place;
  }

  /** The L2 table that belongs to the active disk alone, made or copied when needed. */
  async writableTable(l1Index: number, allocator: ClusterAllocator): Promise<DataView> {
    const old = this.l2Offset(l1Index);
    const isOwn = (this.l1.getUint32(l1Index * 8) & Q.HIGH_COPIED) !== 0;
    if (old !== 0 && isOwn) return this.cache.get(old);
    const bytes = new Uint8Array(this.header.clusterBytes);
    if (old !== 0) await this.io.read(old, bytes);
    const extent = await allocator.take(1);
    const offset = extent.first * this.header.clusterBytes;
    try {
      this.assertFree(offset);
      if (old !== 0 || !extent.fresh) {
        await this.io.write(offset, bytes);
        await this.io.barrier();
      }
    } catch (error) {
      allocator.giveBack(extent);
      throw error;
    }
    const entry = Q.viewOf(new Uint8Array(8));
    Q.writeU64(entry, 0, offset);
    entry.setUint32(0, (entry.getUint32(0) | Q.HIGH_COPIED) >>> 0);
    await this.io.write(this.header.l1Offset + l1Index * 8, new Uint8Array(entry.buffer));
    this.l1.setUint32(l1Index * 8, entry.getUint32(0));
    this.l1.setUint32(l1Index * 8 + 4, entry.getUint32(4));
    this.metadata.add(extent.first);
    const view = Q.viewOf(bytes);
    this.cache.put(offset, view);
    if (old !== 0) {
      this.metadata.delete(old / this.header.clusterBytes);
      allocator.freeLater(old / this.header.clusterBytes);
    }
    return view;
  }

  /** Replaces `entries.length / 8` entries of a table that `writableTable` returned. */
  async writeEntries(l1Index: number, index: number, entries: Uint8Array): Promise<void> {
    const offset = this.l2Offset(l1Index);
    const view = await this.cache.get(offset);
    await this.io.write(offset + index * 8, entries);
    new Uint8Array(view.buffer, view.byteOffset, view.byteLength).set(entries, index * 8);
    this.cache.put(offset, view);
  }

  /** Puts the L1 table elsewhere: for resizing. Nothing else may be under way. */
  async moveL1(entries: number, allocator: ClusterAllocator): Promise<{ offset: number; release: () => void }> {
    const { clusterBytes, l1Offset, l1Entries } = this.header;
    const bytes = new Uint8Array(entries * 8);
    bytes.set(new Uint8Array(this.l1.buffer, this.l1.byteOffset, Math.min(this.l1.byteLength, bytes.length)));
    const clusters = Math.ceil(bytes.length / clusterBytes);
    const extent = await allocator.takeRun(clusters);
    const offset = extent.first * clusterBytes;
    const padded = new Uint8Array(clusters * clusterBytes);
    padded.set(bytes);
    await this.io.write(offset, padded);
    await this.io.barrier();
    const oldClusters = Math.ceil((l1Entries * 8) / clusterBytes);
    return {
      offset,
      release: () => {
        this.l1 = Q.viewOf(bytes);
        for (let cluster = 0; cluster < clusters; cluster++) this.metadata.add(extent.first + cluster);
        if (oldClusters === 0) return;
        for (let cluster = 0; cluster < oldClusters; cluster++) this.metadata.delete(l1Offset / clusterBytes + cluster);
        allocator.freeLater(l1Offset / clusterBytes, oldClusters);
      },
    };
  }

  /** @throws NestboxError when a cluster that should hold the guest's data is a table. */
  assertFree(offset: number): void {
    if (this.isMetadata(offset)) throw this.damaged(`data at ${offset} would overwrite a table`);
  }

  damaged(what: string): NestboxError {
    return new NestboxError('io', `${this.io.file.path}: the image is damaged: ${what}; check and repair it`, {
      op: 'access disk',
      context: { path: this.io.file.path, damaged: true },
    });
  }
}
