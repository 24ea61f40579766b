// Writes the guest's bytes into a qcow2 image: in place where a cluster is the disk's own, else into new clusters. Order on
// stable storage: refcounts before L2 entries (allocator), data before L2 entries wherever the old content is not zeroes.

import type { ClusterReader } from './cluster-reader.ts';
import type { Qcow2Image } from './image.ts';
import * as Q from './layout.ts';

export class ClusterWriter {
  private readonly image: Qcow2Image;
  private readonly reader: ClusterReader;

  constructor(image: Qcow2Image, reader: ClusterReader) {
    this.image = image;
    this.reader = reader;
  }

  /** False when any cluster needs more than writing its bytes. */
  async writeInPlace(offset: number, source: Uint8Array): Promise<boolean> {
    const { clusterBytes, map } = this.image;
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
    for (const run of runs) await this.image.io.write(run.host, source.subarray(run.from, run.to));
    return true;
  }

  async writeAllocating(offset: number, source: Uint8Array): Promise<void> {
    const { clusterBytes, map } = this.image;
    if (this.image.allocator.mustSettle) await this.image.flushAndSettle();
    for (let done = 0; done < source.length;) {
      const at = offset + done;
      const cluster = Math.floor(at / clusterBytes);
      const l1Index = Math.floor(cluster / map.entriesPerTable);
      const index = cluster - l1Index * map.entriesPerTable;
      const within = at - cluster * clusterBytes;
      const most = Math.min(source.length - done, (map.entriesPerTable - index) * clusterBytes - within);
      const table = await map.writableTable(l1Index, this.image.allocator);
      const inPlace = (entry: number): boolean => map.decode(table, entry) === Q.KIND_NORMAL && map.copied;
      const alone = inPlace(index);
      const host = map.hostOffset;
      let clusters = 1;
      const wanted = Math.ceil((within + most) / clusterBytes);
      if (alone) {
        map.assertFree(host);
        const length = Math.min(most, clusterBytes - within);
        await this.image.io.write(host + within, source.subarray(done, done + length));
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
    const { clusterBytes, map } = this.image;
    const table = await map.writableTable(l1Index, this.image.allocator);
    const extent = await this.image.allocator.take(clusters);
    const first = Math.floor(at / clusterBytes);
    const end = Math.min(at + source.length, (first + extent.count) * clusterBytes);
    const host = extent.first * clusterBytes;
    const entries = Q.viewOf(new Uint8Array(extent.count * 8));
    let blank = true;
    try {
      for (let step = 0; step < extent.count; step++) {
        map.assertFree(host + step * clusterBytes);
        const kind = map.decode(table, index + step);
        const hidden = this.image.nothingBelow(first + step);
        if (kind === Q.KIND_NORMAL || kind === Q.KIND_COMPRESSED || (kind === Q.KIND_UNALLOCATED && !hidden))
          blank = false;
        Q.writeU64(entries, step * 8, host + step * clusterBytes);
        entries.setUint32(step * 8, (entries.getUint32(step * 8) | Q.HIGH_COPIED) >>> 0);
      }
      await this.fillNew(at, end, host, extent.count, source, blank && extent.fresh);
      if (!blank || !extent.fresh) await this.image.io.barrier();
    } catch (error) {
      this.image.allocator.giveBack(extent);
      throw error;
    }
    const old = this.oldPlaces(table, index, extent.count);
    await map.writeEntries(l1Index, index, new Uint8Array(entries.buffer));
    for (const place of old) this.image.allocator.freeLater(place.first, place.count);
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
    const { clusterBytes } = this.image;
    const start = Math.floor(at / clusterBytes) * clusterBytes;
    const bytes = source.subarray(0, end - at);
    if (sparse) return this.image.io.write(host + at - start, bytes);
    const headIsPartial = at > start;
    const tailIsPartial = end < start + count * clusterBytes;
    const merged = async (cluster: number): Promise<void> => {
      const from = start + cluster * clusterBytes;
      const whole = new Uint8Array(clusterBytes);
      const readable = Math.min(clusterBytes, this.image.sizeBytes - from);
      await this.reader.read(from, whole.subarray(0, readable));
      const low = Math.max(from, at);
      const high = Math.min(from + clusterBytes, end);
      whole.set(bytes.subarray(low - at, high - at), low - from);
      await this.image.io.write(host + cluster * clusterBytes, whole);
    };
    const firstWhole = headIsPartial ? 1 : 0;
    const lastWhole = tailIsPartial ? count - 1 : count;
    if (headIsPartial) await merged(0);
    if (lastWhole > firstWhole) {
      const from = start + firstWhole * clusterBytes - at;
      await this.image.io.write(
        host + firstWhole * clusterBytes,
        bytes.subarray(from, from + (lastWhole - firstWhole) * clusterBytes),
      );
    }
    if (tailIsPartial && !(headIsPartial && count === 1)) await merged(count - 1);
  }

  /** The host clusters that entries stop using when they are replaced. */
  oldPlaces(table: DataView, index: number, count: number): { first: number; count: number }[] {
    const places: { first: number; count: number }[] = [];
    for (let entry = index; entry < index + count; entry++) {
      const kind = this.image.map.decode(table, entry);
      if (kind === Q.KIND_NORMAL || kind === Q.KIND_ZERO_ALLOCATED) {
        places.push({ first: this.image.map.hostOffset / this.image.clusterBytes, count: 1 });
      } else if (kind === Q.KIND_COMPRESSED) {
        const { offset, length } = this.image.map.compressedPlace(table, entry);
        this.reader.forget(offset);
        const first = Math.floor(offset / this.image.clusterBytes);
        const last = Math.floor((offset + length - 1) / this.image.clusterBytes);
        places.push({ first, count: last - first + 1 });
      }
    }
    for (const { first, count } of places) {
      for (let cluster = first; cluster < first + count; cluster++)
        this.image.map.assertFree(cluster * this.image.clusterBytes);
    }
    return places;
  }
}
