// Hands out host clusters. Clusters are reserved in batches: their refcounts and the file's length reach stable storage
// before the first of a batch is used, so an L2 entry never points to a cluster that counts as free, and a sequential
// writer pays one barrier per batch. A crash leaks what was reserved; closing gives it back. Freed clusters count down
// only after the entries that used them are gone from stable storage.

import type { ImageIo } from './image-io.ts';
import type { Refcounts } from './refcounts.ts';

export interface Extent {
  readonly first: number;
  readonly count: number;
  /** Never used before: reads as zeroes also after a crash. */
  readonly fresh: boolean;
}

const MAX_BATCH_BYTES = 16 * 2 ** 20;
const MAX_BATCH_CLUSTERS = 256;
const MAX_PENDING = 4096;

export class ClusterAllocator {
  private readonly io: ImageIo;
  private readonly refcounts: Refcounts;
  private pool: Extent[] = [];
  private pending: { first: number; count: number }[] = [];
  private batch = 1;
  /** No cluster below is free. */
  private hint = 0;

  private readonly assertNoTable: (cluster: number) => void;

  /** @param assertNoTable throws when the cluster holds metadata: its refcount lies, and nothing may be put there */
  constructor(io: ImageIo, refcounts: Refcounts, assertNoTable: (cluster: number) => void) {
    this.io = io;
    this.refcounts = refcounts;
    this.assertNoTable = assertNoTable;
  }

  /** One extent of 1 to `want` clusters with refcount 1. @throws NestboxError `no-space`; nothing is lost then */
  async take(want: number): Promise<Extent> {
    if (this.pool.length === 0) await this.reserve(want);
    const extent = this.pool[0] as Extent;
    if (extent.count <= want) {
      this.pool.shift();
      return extent;
    }
    this.pool[0] = { first: extent.first + want, count: extent.count - want, fresh: extent.fresh };
    return { first: extent.first, count: want, fresh: extent.fresh };
  }

  /** Exactly `count` neighbouring clusters, for tables. */
  async takeRun(count: number): Promise<Extent> {
    const index = this.pool.findIndex((extent) => extent.count >= count);
    const extent = this.pool[index];
    if (extent !== undefined) {
      if (extent.count === count) this.pool.splice(index, 1);
      else this.pool[index] = { first: extent.first + count, count: extent.count - count, fresh: extent.fresh };
      return { first: extent.first, count, fresh: extent.fresh };
    }
    return this.appendRun(count);
  }

  /** Takes back what was not used after all; it may hold anything by now. */
  giveBack(extent: Extent): void {
    this.pool.push({ first: extent.first, count: extent.count, fresh: false });
  }

  /** The clusters lose one user, once everything written so far is on stable storage. */
  freeLater(first: number, count = 1): void {
    const last = this.pending[this.pending.length - 1];
    if (last !== undefined && last.first + last.count === first) last.count += count;
    else this.pending.push({ first, count });
  }

  get hasPending(): boolean {
    return this.pending.length > 0;
  }

  get mustSettle(): boolean {
    return this.pending.length > MAX_PENDING;
  }

  /** Counts down what was freed. To be called directly after a flush that succeeded, with nothing written since. */
  async settle(): Promise<void> {
    const pending = this.pending;
    this.pending = [];
    for (let index = 0; index < pending.length; index++) {
      const { first, count } = pending[index] as { first: number; count: number };
      try {
        for (let cluster = first; cluster < first + count; cluster++) {
          // Tables that snapshots share lose a user too; only the last one gives the cluster away.
          if ((await this.refcounts.get(cluster)) <= 1) this.assertNoTable(cluster);
        }
        await this.refcounts.change(first, count, -1);
      } catch (error) {
        // What could not be counted down is leaked at worst; try again next time.
        this.pending.push(...pending.slice(index));
        throw error;
      }
      let runStart = -1;
      for (let cluster = first; cluster <= first + count; cluster++) {
        const free = cluster < first + count && (await this.refcounts.get(cluster)) === 0;
        if (free && runStart < 0) runStart = cluster;
        if (!free && runStart >= 0) {
          this.hint = Math.min(this.hint, runStart);
          await this.io.punchHole(runStart * this.io.clusterBytes, (cluster - runStart) * this.io.clusterBytes);
          runStart = -1;
        }
      }
    }
  }

  /** Gives the reserved clusters back to the file. */
  async release(): Promise<void> {
    const pool = this.pool.sort((a, b) => b.first - a.first);
    this.pool = [];
    const freed: Extent[] = [];
    for (const extent of pool) {
      await this.refcounts.change(extent.first, extent.count, -1);
      freed.push(extent);
    }
    let end = this.io.endCluster;
    for (const extent of freed) {
      if (extent.first + extent.count !== end) continue;
      end = extent.first;
      await this.io.shrinkTo(end * this.io.clusterBytes);
    }
  }

  private async reserve(want: number): Promise<void> {
    const limit = Math.max(1, Math.floor(MAX_BATCH_BYTES / this.io.clusterBytes));
    this.batch = Math.min(limit, MAX_BATCH_CLUSTERS, Math.max(this.batch * 2, 8));
    const count = Math.max(1, Math.min(limit, Math.max(want, this.batch)));
    const found = await this.refcounts.findFree(this.hint, count);
    if (found !== undefined) {
      for (let index = 0; index < found.count; index++) this.assertNoTable(found.first + index);
      this.hint = found.first + found.count;
      await this.refcounts.change(found.first, found.count, 1);
      await this.io.extendTo((found.first + found.count) * this.io.clusterBytes);
      await this.io.barrier();
      this.pool.push({ ...found, fresh: false });
      return;
    }
    this.hint = this.io.endCluster;
    this.pool.push(await this.appendRun(count));
  }

  private async appendRun(count: number): Promise<Extent> {
    const first = await this.refcounts.roomAtEnd(count);
    // The length first: it fails cleanly on a full disk or at a file size limit.
    await this.io.extendTo((first + count) * this.io.clusterBytes);
    await this.refcounts.change(first, count, 1);
    await this.io.barrier();
    return { first, count, fresh: true };
  }
}
