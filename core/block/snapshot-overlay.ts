// A writable disk over one that is never written: what the guest writes lives in scratch clusters and is thrown away on
// close. Serves the `snapshot` option. Changes run one after another, reads run beside them: a cluster is entered in the
// map only when all of it is valid.

import type { BlockDevice } from './block-device.ts';
import { checkRange } from './block-range.ts';
import { ScratchStore, type ScratchOptions } from './scratch-store.ts';

const CLUSTER_BYTES = 16 * 1024;
const DEFAULT_MEMORY_LIMIT_BYTES = 64 * 1024 * 1024;
/** In the map: the cluster reads as zeroes and has no slot. */
const ZERO_CLUSTER = -1;

export interface SnapshotOverlayOptions {
  /** How much written data stays in memory before the temporary file is used. */
  readonly memoryLimitBytes?: number;
  readonly createFile?: ScratchOptions['createFile'];
}

export class SnapshotOverlay implements BlockDevice {
  readonly readOnly = false;
  private readonly base: BlockDevice;
  private readonly store: ScratchStore;
  private readonly slots = new Map<number, number>();
  private lastChange: Promise<unknown> = Promise.resolve();
  private activeReads = 0;
  /** Slots that are free once the reads that may still look at them are done. */
  private readonly retiredSlots: number[] = [];

  /** @param base owned by the overlay; closed with it, never written */
  constructor(base: BlockDevice, options: SnapshotOverlayOptions = {}) {
    this.base = base;
    this.store = new ScratchStore({
      clusterBytes: CLUSTER_BYTES,
      memoryLimitBytes: options.memoryLimitBytes ?? DEFAULT_MEMORY_LIMIT_BYTES,
      createFile: options.createFile,
    });
  }

  get sizeBytes(): number {
    return this.base.sizeBytes;
  }

  /** How much the guest has written so far, in whole clusters. */
  get scratchBytes(): number {
    let count = 0;
    for (const slot of this.slots.values()) if (slot !== ZERO_CLUSTER) count++;
    return count * CLUSTER_BYTES;
  }

  async read(offset: number, target: Uint8Array): Promise<void> {
    checkRange(this.sizeBytes, offset, target.length, 'read disk');
    this.activeReads++;
    try {
      await this.readClusters(offset, target);
    } finally {
      this.activeReads--;
      if (this.activeReads === 0) for (const slot of this.retiredSlots.splice(0)) this.store.release(slot);
    }
  }

  private async readClusters(offset: number, target: Uint8Array): Promise<void> {
    let done = 0;
    while (done < target.length) {
      const at = offset + done;
      const cluster = Math.floor(at / CLUSTER_BYTES);
      const slot = this.slots.get(cluster);
      if (slot === undefined) {
        // Runs of untouched clusters go to the base in one request.
        let end = (cluster + 1) * CLUSTER_BYTES;
        while (end < offset + target.length && !this.slots.has(end / CLUSTER_BYTES)) end += CLUSTER_BYTES;
        const length = Math.min(end, offset + target.length) - at;
        await this.base.read(at, target.subarray(done, done + length));
        done += length;
        continue;
      }
      const inCluster = at - cluster * CLUSTER_BYTES;
      const part = target.subarray(done, done + Math.min(CLUSTER_BYTES - inCluster, target.length - done));
      if (slot === ZERO_CLUSTER) part.fill(0);
      else await this.store.read(slot, inCluster, part);
      done += part.length;
    }
  }

  write(offset: number, source: Uint8Array): Promise<void> {
    return this.change(async () => {
      checkRange(this.sizeBytes, offset, source.length, 'write disk');
      for (let done = 0; done < source.length;) {
        const at = offset + done;
        const cluster = Math.floor(at / CLUSTER_BYTES);
        const inCluster = at - cluster * CLUSTER_BYTES;
        const part = source.subarray(done, done + Math.min(CLUSTER_BYTES - inCluster, source.length - done));
        await this.writeCluster(cluster, inCluster, part);
        done += part.length;
      }
    });
  }

  async flush(): Promise<void> {
    await this.lastChange.catch(() => undefined);
  }

  writeZeroes(offset: number, length: number): Promise<void> {
    return this.change(async () => {
      checkRange(this.sizeBytes, offset, length, 'write zeroes');
      for (let done = 0; done < length;) {
        const at = offset + done;
        const cluster = Math.floor(at / CLUSTER_BYTES);
        const inCluster = at - cluster * CLUSTER_BYTES;
        const count = Math.min(CLUSTER_BYTES - inCluster, length - done);
        if (count === CLUSTER_BYTES) this.mapZero(cluster);
        else await this.writeCluster(cluster, inCluster, new Uint8Array(count));
        done += count;
      }
    });
  }

  async discard(offset: number, length: number): Promise<void> {
    checkRange(this.sizeBytes, offset, length, 'discard');
    const first = Math.ceil(offset / CLUSTER_BYTES);
    const end = Math.floor((offset + length) / CLUSTER_BYTES);
    await this.change(async () => {
      // Only clusters that use scratch space gain anything.
      for (let cluster = first; cluster < end; cluster++) if (this.slots.has(cluster)) this.mapZero(cluster);
    });
  }

  async close(): Promise<void> {
    await this.flush();
    this.slots.clear();
    try {
      await this.store.close();
    } finally {
      await this.base.close();
    }
  }

  private change(work: () => Promise<void>): Promise<void> {
    const result = this.lastChange.then(work, work);
    this.lastChange = result.catch(() => undefined);
    return result;
  }

  private mapZero(cluster: number): void {
    const slot = this.slots.get(cluster);
    this.slots.set(cluster, ZERO_CLUSTER);
    if (slot === undefined || slot === ZERO_CLUSTER) return;
    if (this.activeReads > 0) this.retiredSlots.push(slot);
    else this.store.release(slot);
  }

  private async writeCluster(cluster: number, inCluster: number, source: Uint8Array): Promise<void> {
    const slot = this.slots.get(cluster);
    if (slot !== undefined && slot !== ZERO_CLUSTER) return this.store.write(slot, inCluster, source);
    const whole = new Uint8Array(CLUSTER_BYTES);
    if (source.length < CLUSTER_BYTES && slot === undefined) {
      const start = cluster * CLUSTER_BYTES;
      await this.base.read(start, whole.subarray(0, Math.min(CLUSTER_BYTES, this.sizeBytes - start)));
    }
    whole.set(source, inCluster);
    const fresh = this.store.allocate();
    try {
      await this.store.write(fresh, 0, whole);
    } catch (error) {
      this.store.release(fresh);
      throw error;
    }
    this.slots.set(cluster, fresh);
  }
}
