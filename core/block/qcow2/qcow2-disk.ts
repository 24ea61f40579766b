// A qcow2 image as a block device. Reads and writes in place run side by side; whatever changes the mapping runs alone.
// Order on stable storage: refcounts before L2 entries (allocator), data before L2 entries wherever the old content is
// not zeroes, L2 entries before refcounts go down. A completed write is always in the host's hands, tables included.

import { isNestboxError, NestboxError } from '../../base/errors.ts';
import type { BlockDevice } from '../block-device.ts';
import { checkRange, writeProtectedError } from '../block-range.ts';
import { ClusterAllocator } from './allocator.ts';
import type { ClusterMap } from './cluster-map.ts';
import { compressCluster, decompressCluster } from './compressed.ts';
import { l1EntriesFor, type Qcow2Header } from './header.ts';
import type { ImageIo } from './image-io.ts';
import * as Q from './layout.ts';
import type { Refcounts } from './refcounts.ts';
import { RwLock } from './rw-lock.ts';

export interface Qcow2Parts {
  readonly io: ImageIo;
  readonly header: Qcow2Header;
  readonly refcounts: Refcounts;
  readonly map: ClusterMap;
  readonly backing: BlockDevice | undefined;
  readonly readOnly: boolean;
}

export class Qcow2Disk implements BlockDevice {
  readonly readOnly: boolean;
  readonly clusterBytes: number;
  private readonly io: ImageIo;
  private readonly header: Qcow2Header;
  private readonly map: ClusterMap;
  private readonly refcounts: Refcounts;
  private readonly allocator: ClusterAllocator;
  private readonly backing: BlockDevice | undefined;
  private readonly lock = new RwLock();
  private prepared = false;
  /** Set when damage was found: nothing is written any more. */
  private stopped: NestboxError | undefined;
  private closed = false;
  private unpacked: { readonly offset: number; readonly data: Uint8Array } | undefined;
  /** Where the next compressed cluster goes, while a new image is filled. */
  private packing: { offset: number; left: number } | undefined;

  constructor(parts: Qcow2Parts) {
    this.io = parts.io;
    this.header = parts.header;
    this.map = parts.map;
    this.refcounts = parts.refcounts;
    this.backing = parts.backing;
    this.readOnly = parts.readOnly;
    this.clusterBytes = parts.header.clusterBytes;
    this.allocator = new ClusterAllocator(parts.io, parts.refcounts, (cluster) =>
      this.map.assertFree(cluster * this.clusterBytes),
    );
    this.refcounts.onMetadata = (cluster, present) => this.map.noteMetadata(cluster, present);
    this.refcounts.onReplaced = (first, count) => this.allocator.freeLater(first, count);
  }

  /** Whole sectors: a size that is no multiple of 512 loses its rest, as elsewhere. */
  get sizeBytes(): number {
    return this.header.sizeBytes - (this.header.sizeBytes % 512);
  }

  async read(offset: number, target: Uint8Array): Promise<void> {
    checkRange(this.sizeBytes, offset, target.length, 'read disk');
    if (target.length > 0) await this.lock.shared(() => this.readMapped(offset, target));
  }

  async write(offset: number, source: Uint8Array): Promise<void> {
    checkRange(this.sizeBytes, offset, source.length, 'write disk');
    if (source.length === 0) return;
    await this.prepareWrite('write disk');
    await this.guarded(async () => {
      if (await this.lock.shared(() => this.writeInPlace(offset, source))) return;
      await this.lock.exclusive(() => this.writeAllocating(offset, source));
    });
  }

  async flush(): Promise<void> {
    if (this.readOnly) return;
    if (!this.allocator.hasPending) return this.io.flush();
    await this.guarded(() => this.lock.exclusive(() => this.flushAndSettle()));
  }

  async writeZeroes(offset: number, length: number): Promise<void> {
    checkRange(this.sizeBytes, offset, length, 'write zeroes');
    if (length === 0) return;
    await this.prepareWrite('write zeroes');
    await this.guarded(() => this.lock.exclusive(() => this.zeroRange(offset, length)));
  }

  async discard(offset: number, length: number): Promise<void> {
    checkRange(this.sizeBytes, offset, length, 'discard');
    if (this.readOnly) return;
    const first = Math.ceil(offset / this.clusterBytes) * this.clusterBytes;
    const end =
      offset + length === this.sizeBytes
        ? this.sizeBytes
        : Math.floor((offset + length) / this.clusterBytes) * this.clusterBytes;
    // Version 2 has no zero clusters: with a backing file the old content could come back.
    if (end <= first || (this.header.version === 2 && this.backing !== undefined)) return;
    await this.prepareWrite('discard');
    await this.guarded(() => this.lock.exclusive(() => this.zeroRange(first, end - first)));
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    try {
      if (!this.readOnly && this.stopped === undefined && !this.io.hasFailed) {
        await this.lock.exclusive(async () => {
          await this.flushAndSettle();
          await this.allocator.release();
          await this.io.flush();
        });
      }
    } finally {
      try {
        await this.backing?.close();
      } finally {
        await this.io.file.close();
      }
    }
  }

  /**
   * How the range starting at `offset` is stored: `blank` reads as zeroes without looking at data, here and below.
   * For copying without reading what is not there. `length` is at most `limit`.
   */
  async extentAt(offset: number, limit: number): Promise<{ blank: boolean; length: number }> {
    return this.lock.shared(async () => {
      const cluster = Math.floor(offset / this.clusterBytes);
      const l1Index = Math.floor(cluster / this.map.entriesPerTable);
      const table = await this.map.table(l1Index);
      const tableEnd = (l1Index + 1) * this.map.entriesPerTable * this.clusterBytes;
      const end = Math.min(offset + limit, this.sizeBytes);
      if (table === undefined) {
        const length = Math.min(end, tableEnd) - offset;
        return this.blankBelow(offset, length);
      }
      let stop = offset;
      let blank: boolean | undefined;
      for (let at = cluster; stop < Math.min(end, tableEnd); at++) {
        const kind = this.map.decode(table, at % this.map.entriesPerTable);
        const isBlank =
          kind === Q.KIND_ZERO ||
          kind === Q.KIND_ZERO_ALLOCATED ||
          (kind === Q.KIND_UNALLOCATED &&
            (this.backing === undefined || at * this.clusterBytes >= this.backing.sizeBytes));
        blank ??= isBlank;
        if (isBlank !== blank) break;
        stop = (at + 1) * this.clusterBytes;
      }
      return { blank: blank ?? true, length: Math.min(stop, end) - offset };
    });
  }

  /** Whether this image itself says what is at `offset`, or leaves it to the backing file. `length` is at most `limit`. */
  async ownExtentAt(offset: number, limit: number): Promise<{ own: boolean; length: number }> {
    return this.lock.shared(async () => {
      const first = Math.floor(offset / this.clusterBytes);
      const l1Index = Math.floor(first / this.map.entriesPerTable);
      const table = await this.map.table(l1Index);
      const tableEnd = (l1Index + 1) * this.map.entriesPerTable * this.clusterBytes;
      const end = Math.min(offset + limit, this.sizeBytes, tableEnd);
      if (table === undefined) return { own: false, length: end - offset };
      const isOwn = (cluster: number): boolean =>
        this.map.decode(table, cluster % this.map.entriesPerTable) !== Q.KIND_UNALLOCATED;
      const own = isOwn(first);
      let stop = (first + 1) * this.clusterBytes;
      for (; stop < end && isOwn(stop / this.clusterBytes) === own; stop += this.clusterBytes);
      return { own, length: Math.min(stop, end) - offset };
    });
  }

  private blankBelow(offset: number, length: number): { blank: boolean; length: number } {
    if (this.backing === undefined || offset >= this.backing.sizeBytes) return { blank: true, length };
    return { blank: false, length: Math.min(length, this.backing.sizeBytes - offset) };
  }

  /** Changes the size of the disk. Growing exposes zeroes only; shrinking throws the end away. */
  async resize(sizeBytes: number): Promise<void> {
    await this.prepareWrite('resize disk');
    await this.guarded(() => this.lock.exclusive(() => this.resizeAlone(sizeBytes)));
  }

  private async resizeAlone(sizeBytes: number): Promise<void> {
    const { header } = this;
    if (sizeBytes > Q.MAX_VIRTUAL_BYTES || sizeBytes % 512 !== 0 || sizeBytes < 0)
      throw new NestboxError('usage', 'The size must be a multiple of 512 bytes and at most 64 TiB', {
        op: 'resize disk',
      });
    if (header.snapshotCount > 0 && header.version === 2)
      throw new NestboxError('unsupported', 'A version 2 image with internal snapshots cannot be resized', {
        op: 'resize disk',
      });
    const old = header.sizeBytes;
    if (sizeBytes < old) {
      const first = Math.ceil(sizeBytes / this.clusterBytes) * this.clusterBytes;
      if (first < this.sizeBytes) await this.zeroRange(first, this.sizeBytes - first);
      const rest = Math.min(first, this.sizeBytes) - sizeBytes;
      if (rest > 0) await this.zeroRange(sizeBytes, rest);
      await this.io.barrier();
    }
    const entries = l1EntriesFor(sizeBytes, header.clusterBits);
    if (entries * 8 > Q.MAX_L1_BYTES)
      throw new NestboxError('unsupported', `Clusters of ${this.clusterBytes} bytes are too small for that size`, {
        op: 'resize disk',
      });
    if (entries > header.l1Entries) {
      const moved = await this.map.moveL1(entries, this.allocator);
      // Both fields of the L1 table lie in one sector of the header: they change together.
      const fields = Q.viewOf(new Uint8Array(12));
      fields.setUint32(0, entries);
      Q.writeU64(fields, 4, moved.offset);
      await this.io.write(Q.FIELD.l1Entries, new Uint8Array(fields.buffer));
      await this.io.barrier();
      moved.release();
      header.l1Offset = moved.offset;
      header.l1Entries = entries;
    }
    if (sizeBytes > old) {
      // What a longer backing file holds there must not show up.
      const exposed = Math.min(sizeBytes, this.backing?.sizeBytes ?? 0);
      const dirtyEnd = Math.max(exposed, Math.min(sizeBytes, Math.ceil(old / this.clusterBytes) * this.clusterBytes));
      header.sizeBytes = sizeBytes;
      try {
        if (dirtyEnd > old) await this.zeroRange(old - (old % 512), dirtyEnd - (old - (old % 512)));
      } catch (error) {
        header.sizeBytes = old;
        throw error;
      }
      await this.io.barrier();
    }
    header.sizeBytes = sizeBytes;
    const size = Q.viewOf(new Uint8Array(8));
    Q.writeU64(size, 0, sizeBytes);
    await this.io.write(Q.FIELD.sizeBytes, new Uint8Array(size.buffer));
    await this.flushAndSettle();
  }

  /**
   * Stores one whole cluster compressed, for filling a new image. False when it does not get smaller: write it as it is.
   */
  async writeCompressed(offset: number, cluster: Uint8Array): Promise<boolean> {
    const packed = compressCluster(cluster, this.header.compressionType);
    if (packed === undefined) return false;
    await this.prepareWrite('write disk');
    await this.guarded(() => this.lock.exclusive(() => this.storePacked(offset, packed)));
    return true;
  }

  private async storePacked(offset: number, packed: Uint8Array): Promise<void> {
    const { clusterBytes, map } = this;
    const cluster = offset / clusterBytes;
    const l1Index = Math.floor(cluster / map.entriesPerTable);
    const index = cluster % map.entriesPerTable;
    const table = await map.writableTable(l1Index, this.allocator);
    if (map.decode(table, index) !== Q.KIND_UNALLOCATED)
      throw new NestboxError('internal', 'A compressed cluster replaces nothing', { op: 'write disk' });
    let place: number;
    const open = this.packing;
    const openCluster = open === undefined ? 0 : Math.floor(open.offset / clusterBytes);
    const users = open === undefined ? 0 : await this.refcounts.get(openCluster);
    if (open !== undefined && users > 0 && users < this.refcounts.max && open.left >= packed.length) {
      place = open.offset;
      await this.refcounts.change(openCluster, 1, 1);
    } else {
      const extent = await this.allocator.take(1);
      place = extent.first * clusterBytes;
      this.packing = { offset: place, left: clusterBytes };
    }
    await this.io.write(place, packed);
    await this.io.barrier();
    const shift = 62 - (this.header.clusterBits - 8) - 32;
    const sectors = Math.floor(((place % 512) + packed.length - 1) / 512);
    const entry = Q.viewOf(new Uint8Array(8));
    Q.writeU64(entry, 0, place);
    entry.setUint32(0, (entry.getUint32(0) | (sectors << shift) | Q.HIGH_COMPRESSED) >>> 0);
    await map.writeEntries(l1Index, index, new Uint8Array(entry.buffer));
    const packing = this.packing as { offset: number; left: number };
    packing.offset = place + packed.length;
    packing.left = clusterBytes - (packing.offset % clusterBytes || clusterBytes);
  }

  private async readMapped(offset: number, target: Uint8Array): Promise<void> {
    const { clusterBytes, map } = this;
    for (let done = 0; done < target.length;) {
      const at = offset + done;
      const cluster = Math.floor(at / clusterBytes);
      const within = at - cluster * clusterBytes;
      const l1Index = Math.floor(cluster / map.entriesPerTable);
      const first = cluster - l1Index * map.entriesPerTable;
      const table = await map.table(l1Index);
      const most = Math.min(target.length - done, (map.entriesPerTable - first) * clusterBytes - within);
      if (table === undefined) {
        await this.readBelow(at, target.subarray(done, done + most));
        done += most;
        continue;
      }
      const kind = map.decode(table, first);
      const host = map.hostOffset;
      if (kind === Q.KIND_COMPRESSED) {
        const length = Math.min(most, clusterBytes - within);
        const data = await this.unpack(table, first);
        target.set(data.subarray(within, within + length), done);
        done += length;
        continue;
      }
      // One access for neighbours that are stored alike.
      let length = clusterBytes - within;
      for (let next = first + 1; length < most; next++, length += clusterBytes) {
        const same = map.decode(table, next) === kind;
        if (!same || (kind === Q.KIND_NORMAL && map.hostOffset !== host + within + length)) break;
      }
      length = Math.min(length, most);
      const part = target.subarray(done, done + length);
      if (kind === Q.KIND_NORMAL) await this.io.read(host + within, part);
      else if (kind === Q.KIND_UNALLOCATED) await this.readBelow(at, part);
      else part.fill(0);
      done += length;
    }
  }

  private async readBelow(offset: number, target: Uint8Array): Promise<void> {
    const available = Math.max(0, Math.min(target.length, (this.backing?.sizeBytes ?? 0) - offset));
    if (available > 0) await this.backing?.read(offset, target.subarray(0, available));
    if (available < target.length) target.fill(0, available);
  }

  private async unpack(table: DataView, index: number): Promise<Uint8Array> {
    const { offset, length } = this.map.compressedPlace(table, index);
    if (this.unpacked?.offset === offset) return this.unpacked.data;
    const packed = new Uint8Array(length);
    await this.io.read(offset, packed);
    const data = decompressCluster(packed, this.clusterBytes, this.header.compressionType);
    this.unpacked = { offset, data };
    return data;
  }

  private async prepareWrite(op: string): Promise<void> {
    if (this.readOnly) throw writeProtectedError(op);
    if (this.stopped !== undefined) throw this.stopped;
    if (this.prepared) return;
    await this.lock.exclusive(async () => {
      if (this.prepared) return;
      if (this.header.hasAutoclear) {
        // Whoever set these bits relies on hearing of changes; we keep none of their structures up to date.
        await this.io.write(Q.FIELD.autoclear, new Uint8Array(8));
        await this.io.barrier();
        this.header.hasAutoclear = false;
      }
      this.prepared = true;
    });
  }

  /** Damage stops all writing and is marked in the image, so that others find out too. */
  private async guarded(work: () => Promise<void>): Promise<void> {
    if (this.stopped !== undefined) throw this.stopped;
    try {
      await work();
    } catch (error) {
      if (isNestboxError(error) && error.context.damaged === true) {
        this.stopped = error;
        if (this.header.version === 3) {
          const low = Q.viewOf(new Uint8Array(4));
          low.setUint32(0, this.header.incompatible | Q.INCOMPATIBLE_CORRUPT);
          await this.io.write(Q.FIELD.incompatible + 4, new Uint8Array(low.buffer)).catch(() => undefined);
        }
      }
      throw error;
    }
  }

  /** False when any cluster needs more than writing its bytes. */
  private async writeInPlace(offset: number, source: Uint8Array): Promise<boolean> {
    const { clusterBytes, map } = this;
    const runs: { host: number; from: number; to: number }[] = [];
    for (let done = 0; done < source.length;) {
      const at = offset + done;
      const cluster = Math.floor(at / clusterBytes);
      const within = at - cluster * clusterBytes;
      const table = await map.table(Math.floor(cluster / map.entriesPerTable));
      if (table === undefined) return false;
      if (map.decode(table, cluster % map.entriesPerTable) !== Q.KIND_NORMAL || !map.copied) return false;
      map.assertFree(map.hostOffset);
      const length = Math.min(source.length - done, clusterBytes - within);
      const last = runs[runs.length - 1];
      const host = map.hostOffset + within;
      if (last !== undefined && last.host + last.to - last.from === host) last.to += length;
      else runs.push({ host, from: done, to: done + length });
      done += length;
    }
    for (const run of runs) await this.io.write(run.host, source.subarray(run.from, run.to));
    return true;
  }

  private async writeAllocating(offset: number, source: Uint8Array): Promise<void> {
    const { clusterBytes, map } = this;
    if (this.allocator.mustSettle) await this.flushAndSettle();
    for (let done = 0; done < source.length;) {
      const at = offset + done;
      const cluster = Math.floor(at / clusterBytes);
      const l1Index = Math.floor(cluster / map.entriesPerTable);
      const index = cluster - l1Index * map.entriesPerTable;
      const within = at - cluster * clusterBytes;
      const most = Math.min(source.length - done, (map.entriesPerTable - index) * clusterBytes - within);
      const table = await map.writableTable(l1Index, this.allocator);
      const inPlace = (entry: number): boolean => map.decode(table, entry) === Q.KIND_NORMAL && map.copied;
      const alone = inPlace(index);
      const host = map.hostOffset;
      let clusters = 1;
      const wanted = Math.ceil((within + most) / clusterBytes);
      if (alone) {
        map.assertFree(host);
        const length = Math.min(most, clusterBytes - within);
        await this.io.write(host + within, source.subarray(done, done + length));
        done += length;
        continue;
      }
      while (clusters < wanted && !inPlace(index + clusters)) clusters++;
      const length = await this.writeNew(l1Index, index, clusters, at, source.subarray(done, done + most));
      done += length;
    }
  }

  /** Gives up to `clusters` clusters from `index` new places and writes the start of `source` there. */
  private async writeNew(
    l1Index: number,
    index: number,
    clusters: number,
    at: number,
    source: Uint8Array,
  ): Promise<number> {
    const { clusterBytes, map } = this;
    const table = await map.writableTable(l1Index, this.allocator);
    const extent = await this.allocator.take(clusters);
    const first = Math.floor(at / clusterBytes);
    const end = Math.min(at + source.length, (first + extent.count) * clusterBytes);
    const host = extent.first * clusterBytes;
    const entries = Q.viewOf(new Uint8Array(extent.count * 8));
    let blank = true;
    try {
      for (let step = 0; step < extent.count; step++) {
        map.assertFree(host + step * clusterBytes);
        const kind = map.decode(table, index + step);
        const hidden = this.backing === undefined || (first + step) * clusterBytes >= this.backing.sizeBytes;
        if (kind === Q.KIND_NORMAL || kind === Q.KIND_COMPRESSED || (kind === Q.KIND_UNALLOCATED && !hidden))
          blank = false;
        Q.writeU64(entries, step * 8, host + step * clusterBytes);
        entries.setUint32(step * 8, (entries.getUint32(step * 8) | Q.HIGH_COPIED) >>> 0);
      }
      await this.fillNew(at, end, host, extent.count, source, blank && extent.fresh);
      if (!blank || !extent.fresh) await this.io.barrier();
    } catch (error) {
      this.allocator.giveBack(extent);
      throw error;
    }
    const old = this.oldPlaces(table, index, extent.count);
    await map.writeEntries(l1Index, index, new Uint8Array(entries.buffer));
    for (const place of old) this.allocator.freeLater(place.first, place.count);
    return end - at;
  }

  /** Writes the new clusters; `sparse`: they read as zeroes already, so only the guest's bytes are written. */
  private async fillNew(
    at: number,
    end: number,
    host: number,
    count: number,
    source: Uint8Array,
    sparse: boolean,
  ): Promise<void> {
    const { clusterBytes } = this;
    const start = Math.floor(at / clusterBytes) * clusterBytes;
    const bytes = source.subarray(0, end - at);
    if (sparse) return this.io.write(host + at - start, bytes);
    const headIsPartial = at > start;
    const tailIsPartial = end < start + count * clusterBytes;
    const merged = async (cluster: number): Promise<void> => {
      const from = start + cluster * clusterBytes;
      const whole = new Uint8Array(clusterBytes);
      const readable = Math.min(clusterBytes, this.sizeBytes - from);
      await this.readMapped(from, whole.subarray(0, readable));
      const low = Math.max(from, at);
      const high = Math.min(from + clusterBytes, end);
      whole.set(bytes.subarray(low - at, high - at), low - from);
      await this.io.write(host + cluster * clusterBytes, whole);
    };
    const firstWhole = headIsPartial ? 1 : 0;
    const lastWhole = tailIsPartial ? count - 1 : count;
    if (headIsPartial) await merged(0);
    if (lastWhole > firstWhole) {
      const from = start + firstWhole * clusterBytes - at;
      await this.io.write(
        host + firstWhole * clusterBytes,
        bytes.subarray(from, from + (lastWhole - firstWhole) * clusterBytes),
      );
    }
    if (tailIsPartial && !(headIsPartial && count === 1)) await merged(count - 1);
  }

  /** The host clusters that entries stop using when they are replaced. */
  private oldPlaces(table: DataView, index: number, count: number): { first: number; count: number }[] {
    const places: { first: number; count: number }[] = [];
    for (let entry = index; entry < index + count; entry++) {
      const kind = this.map.decode(table, entry);
      if (kind === Q.KIND_NORMAL || kind === Q.KIND_ZERO_ALLOCATED) {
        places.push({ first: this.map.hostOffset / this.clusterBytes, count: 1 });
      } else if (kind === Q.KIND_COMPRESSED) {
        const { offset, length } = this.map.compressedPlace(table, entry);
        if (this.unpacked?.offset === offset) this.unpacked = undefined;
        const first = Math.floor(offset / this.clusterBytes);
        const last = Math.floor((offset + length - 1) / this.clusterBytes);
        places.push({ first, count: last - first + 1 });
      }
    }
    for (const { first, count } of places) {
      for (let cluster = first; cluster < first + count; cluster++) this.map.assertFree(cluster * this.clusterBytes);
    }
    return places;
  }

  private async zeroRange(offset: number, length: number): Promise<void> {
    const { clusterBytes, map } = this;
    const end = offset + length;
    for (let at = offset; at < end;) {
      const cluster = Math.floor(at / clusterBytes);
      const within = at - cluster * clusterBytes;
      const clusterEnd = Math.min((cluster + 1) * clusterBytes, this.sizeBytes);
      const l1Index = Math.floor(cluster / map.entriesPerTable);
      const tableEnd = (l1Index + 1) * map.entriesPerTable * clusterBytes;
      const hidden = this.backing === undefined || cluster * clusterBytes >= this.backing.sizeBytes;
      if (map.l2Offset(l1Index) === 0 && hidden) {
        at = Math.min(end, tableEnd);
        continue;
      }
      const table = await map.table(l1Index);
      const kind = table === undefined ? Q.KIND_UNALLOCATED : map.decode(table, cluster % map.entriesPerTable);
      const isBlank = kind === Q.KIND_ZERO || (kind === Q.KIND_UNALLOCATED && hidden);
      if (isBlank && (within !== 0 || end < clusterEnd)) {
        at = Math.min(end, clusterEnd);
        continue;
      }
      if (within !== 0 || end < clusterEnd || (this.header.version === 2 && !hidden)) {
        const stop = Math.min(end, clusterEnd);
        await this.writeAllocating(at, new Uint8Array(stop - at));
        at = stop;
        continue;
      }
      const wholeEnd = end === this.sizeBytes ? end : Math.floor(end / clusterBytes) * clusterBytes;
      const count = Math.ceil((Math.min(wholeEnd, tableEnd) - at) / clusterBytes);
      await this.zeroClusters(l1Index, cluster % map.entriesPerTable, cluster, count);
      at = Math.min((cluster + count) * clusterBytes, end);
    }
  }

  private async zeroClusters(l1Index: number, index: number, cluster: number, count: number): Promise<void> {
    if (this.allocator.mustSettle) await this.flushAndSettle();
    const table = await this.map.writableTable(l1Index, this.allocator);
    const entries = Q.viewOf(new Uint8Array(count * 8));
    for (let step = 0; step < count; step++) {
      const hidden = this.backing === undefined || (cluster + step) * this.clusterBytes >= this.backing.sizeBytes;
      // Version 3 says "zero" outright: growing the backing file later changes nothing.
      const isUnallocated = this.map.decode(table, index + step) === Q.KIND_UNALLOCATED;
      if (this.header.version === 3 && !(hidden && isUnallocated)) entries.setUint32(step * 8 + 4, Q.LOW_ZERO);
    }
    const old = this.oldPlaces(table, index, count);
    await this.map.writeEntries(l1Index, index, new Uint8Array(entries.buffer));
    for (const place of old) this.allocator.freeLater(place.first, place.count);
  }

  private async flushAndSettle(): Promise<void> {
    await this.io.flush();
    if (this.allocator.hasPending) await this.allocator.settle();
  }
}
