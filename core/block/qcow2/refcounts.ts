// The refcounts of an image: the two-level table in the file, changed by writing through, grown when the file outgrows
// it. New refcount blocks and tables are always placed at the end of the file, and become part of the structure by one
// small write after they are on stable storage: a crash in between leaks clusters and never damages anything.

import { NestboxError } from '../../base/errors.ts';
import { badImage, type Qcow2Header } from './header.ts';
import type { ImageIo } from './image-io.ts';
import { FIELD, MAX_REFCOUNT_TABLE_BYTES, readU64, TWO_32, viewOf, writeU64 } from './layout.ts';
import { getRefcount, maxRefcount, refcountByteRange, setRefcount } from './refcount-entries.ts';
import { TableCache } from './table-cache.ts';

const CACHE_BYTES = 4 * 2 ** 20;

export class Refcounts {
  /** Entries per refcount block. */
  readonly perBlock: number;
  readonly max: number;
  private readonly io: ImageIo;
  private readonly header: Qcow2Header;
  private readonly order: number;
  private readonly cache: TableCache;
  private table: DataView;
  /** Told about every new cluster of metadata, and about ones that are no longer. */
  onMetadata: ((cluster: number, present: boolean) => void) | undefined;
  /** Told about the clusters of a table that was replaced: to be freed when the replacement is on stable storage. */
  onReplaced: ((firstCluster: number, count: number) => void) | undefined;

  private constructor(io: ImageIo, header: Qcow2Header, table: DataView) {
    this.io = io;
    this.header = header;
    this.table = table;
    this.order = header.refcountOrder;
    this.perBlock = (header.clusterBytes * 8) >>> header.refcountOrder;
    this.max = maxRefcount(header.refcountOrder);
    this.cache = new TableCache(CACHE_BYTES, header.clusterBytes, async (offset) => {
      const bytes = new Uint8Array(header.clusterBytes);
      await io.read(offset, bytes);
      return bytes;
    });
  }

  static async open(io: ImageIo, header: Qcow2Header): Promise<Refcounts> {
    const bytes = new Uint8Array(header.refcountTableClusters * header.clusterBytes);
    await io.read(header.refcountTableOffset, bytes);
    return new Refcounts(io, header, viewOf(bytes));
  }

  get tableEntries(): number {
    return this.table.byteLength / 8;
  }

  /** Offset of a refcount block, 0 = there is none. @throws NestboxError `bad-input` when it cannot be one */
  blockOffset(block: number): number {
    if (block >= this.tableEntries) return 0;
    const low = this.table.getUint32(block * 8 + 4);
    const offset = this.table.getUint32(block * 8) * TWO_32 + low;
    if (low % 512 !== 0 || offset % this.header.clusterBytes !== 0 || offset >= this.io.fileBytes) {
      throw badImage(this.io.file.path, `refcount block ${block} has the impossible offset ${offset}`);
    }
    return offset;
  }

  async get(cluster: number): Promise<number> {
    const offset = this.blockOffset(Math.floor(cluster / this.perBlock));
    if (offset === 0) return 0;
    return getRefcount(await this.cache.get(offset), cluster % this.perBlock, this.order);
  }

  /** Adds `delta` to the counts of clusters that all have a refcount block. */
  async change(first: number, count: number, delta: number): Promise<void> {
    for (let done = 0; done < count;) {
      const cluster = first + done;
      const index = cluster % this.perBlock;
      const length = Math.min(count - done, this.perBlock - index);
      const offset = this.blockOffset(Math.floor(cluster / this.perBlock));
      if (offset === 0) throw this.impossible(cluster, 'has no refcount');
      const block = await this.cache.get(offset);
      for (let at = index; at < index + length; at++) {
        const next = getRefcount(block, at, this.order) + delta;
        if (next < 0) throw this.impossible(cluster + at - index, 'is freed but has refcount 0');
        if (next > this.max)
          throw new NestboxError(
            'unsupported',
            `${this.io.file.path}: ${1 << this.order}-bit refcounts count no further than ${this.max}`,
            { op: 'change refcount' },
          );
      }
      await this.apply(block, offset, index, length, delta);
      done += length;
    }
  }

  private async apply(block: DataView, offset: number, index: number, length: number, delta: number): Promise<void> {
    const { from, to } = refcountByteRange(index, index + length - 1, this.order);
    const bytes = new Uint8Array(block.buffer, block.byteOffset, block.byteLength);
    const before = bytes.slice(from, to);
    for (let at = index; at < index + length; at++) {
      setRefcount(block, at, this.order, getRefcount(block, at, this.order) + delta);
    }
    try {
      await this.io.write(offset + from, bytes.subarray(from, to));
      this.cache.put(offset, block);
    } catch (error) {
      bytes.set(before, from);
      throw error;
    }
  }

  /** The first run of at most `want` free clusters at or after `from`, below the end of the file. */
  async findFree(from: number, want: number): Promise<{ first: number; count: number } | undefined> {
    const end = this.io.endCluster;
    let count = 0;
    let first = 0;
    for (let cluster = from; cluster < end;) {
      const block = Math.floor(cluster / this.perBlock);
      const blockEnd = Math.min(end, (block + 1) * this.perBlock);
      const offset = this.blockOffset(block);
      if (offset === 0) {
        if (count > 0) break;
        cluster = blockEnd;
        continue;
      }
      const view = await this.cache.get(offset);
      for (; cluster < blockEnd; cluster++) {
        if (getRefcount(view, cluster % this.perBlock, this.order) === 0) {
          if (count === 0) first = cluster;
          if (++count === want) return { first, count };
        } else if (count > 0) return { first, count };
      }
    }
    return count > 0 ? { first, count } : undefined;
  }

  /** Where `count` clusters can be put at the end of the file, with refcount blocks for all of them. */
  async roomAtEnd(count: number): Promise<number> {
    for (;;) {
      let first = this.io.endCluster;
      // A file that was cut may have counted clusters beyond its end.
      for (let at = first; at < first + count; at++) if ((await this.get(at)) !== 0) first = at + 1;
      const lastBlock = Math.floor((first + count - 1) / this.perBlock);
      let missing = Math.floor(first / this.perBlock);
      while (missing <= lastBlock && this.blockOffset(missing) !== 0) missing++;
      if (missing > lastBlock) return first;
      await this.addBlock(missing);
    }
  }

  private async addBlock(block: number): Promise<void> {
    if (block >= this.tableEntries) await this.growTable(block + 1);
    if (this.blockOffset(block) !== 0) return;
    let place = this.io.endCluster;
    while ((await this.get(place)) !== 0) place++;
    const placeBlock = Math.floor(place / this.perBlock);
    if (placeBlock !== block && this.blockOffset(placeBlock) === 0) {
      await this.addBlock(placeBlock);
      return this.addBlock(block);
    }
    const view = viewOf(new Uint8Array(this.header.clusterBytes));
    if (placeBlock === block) setRefcount(view, place % this.perBlock, this.order, 1);
    else await this.change(place, 1, 1);
    const offset = place * this.header.clusterBytes;
    await this.io.write(offset, new Uint8Array(view.buffer));
    await this.io.barrier();
    const entry = viewOf(new Uint8Array(8));
    writeU64(entry, 0, offset);
    await this.io.write(this.header.refcountTableOffset + block * 8, new Uint8Array(entry.buffer));
    writeU64(this.table, block * 8, offset);
    this.cache.put(offset, view);
    this.onMetadata?.(place, true);
  }

  private async growTable(minEntries: number): Promise<void> {
    const { clusterBytes } = this.header;
    const perCluster = clusterBytes / 8;
    let first = this.io.endCluster;
    for (let at = first; at < first + 4; at++) if ((await this.get(at)) !== 0) first = at + 1;
    let tableClusters = Math.ceil(Math.max(minEntries, this.tableEntries * 1.5) / perCluster);
    let missing: number[] = [];
    for (;;) {
      const last = first + tableClusters + missing.length - 1;
      const lastBlock = Math.floor(last / this.perBlock);
      const needed: number[] = [];
      for (let block = Math.floor(first / this.perBlock); block <= lastBlock; block++) {
        if (this.blockOffset(block) === 0) needed.push(block);
      }
      const enough = Math.max(tableClusters, Math.ceil((lastBlock + 1) / perCluster));
      if (needed.length === missing.length && enough === tableClusters) break;
      missing = needed;
      tableClusters = enough;
    }
    if (tableClusters * clusterBytes > MAX_REFCOUNT_TABLE_BYTES) {
      throw new NestboxError('unsupported', `${this.io.file.path}: the image would be larger than its clusters allow`, {
        op: 'grow image',
      });
    }
    const total = tableClusters + missing.length;
    const table = new Uint8Array(tableClusters * clusterBytes);
    const tableView = viewOf(table);
    table.set(new Uint8Array(this.table.buffer, this.table.byteOffset, this.table.byteLength));
    const fresh = missing.map((block, index) => {
      const place = first + tableClusters + index;
      writeU64(tableView, block * 8, place * clusterBytes);
      return { block, place, view: viewOf(new Uint8Array(clusterBytes)) };
    });
    const byBlock = new Map(fresh.map((entry) => [entry.block, entry.view]));
    for (let cluster = first; cluster < first + total; cluster++) {
      const own = byBlock.get(Math.floor(cluster / this.perBlock));
      if (own !== undefined) setRefcount(own, cluster % this.perBlock, this.order, 1);
      else await this.change(cluster, 1, 1);
    }
    await this.io.write(first * clusterBytes, table);
    for (const { place, view } of fresh) await this.io.write(place * clusterBytes, new Uint8Array(view.buffer));
    await this.io.barrier();
    const fields = viewOf(new Uint8Array(12));
    writeU64(fields, 0, first * clusterBytes);
    fields.setUint32(8, tableClusters);
    await this.io.write(FIELD.refcountTableOffset, new Uint8Array(fields.buffer));
    await this.io.barrier();
    const oldFirst = this.header.refcountTableOffset / clusterBytes;
    const oldCount = this.header.refcountTableClusters;
    this.table = tableView;
    this.header.refcountTableOffset = first * clusterBytes;
    this.header.refcountTableClusters = tableClusters;
    for (const { place, view } of fresh) this.cache.put(place * clusterBytes, view);
    for (let cluster = first; cluster < first + total; cluster++) this.onMetadata?.(cluster, true);
    for (let cluster = oldFirst; cluster < oldFirst + oldCount; cluster++) this.onMetadata?.(cluster, false);
    this.onReplaced?.(oldFirst, oldCount);
  }

  /** Every refcount block that there is, for the map of metadata. */
  *blockOffsets(): Generator<number> {
    for (let block = 0; block < this.tableEntries; block++) {
      if (readU64(this.table, block * 8) === 0) continue;
      yield this.blockOffset(block);
    }
  }

  private impossible(cluster: number, what: string): NestboxError {
    return new NestboxError('io', `${this.io.file.path}: the image is damaged: cluster ${cluster} ${what}; check it`, {
      op: 'change refcount',
      context: { path: this.io.file.path, cluster },
    });
  }
}
