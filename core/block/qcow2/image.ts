// What the operations on one open qcow2 image share: its parts, its size, and what lies below it.

import type { BlockDevice } from '../block-device.ts';
import { ClusterAllocator } from './allocator.ts';
import type { ClusterMap } from './cluster-map.ts';
import type { Qcow2Header } from './header.ts';
import type { ImageIo } from './image-io.ts';
import type { Refcounts } from './refcounts.ts';

export interface Qcow2Parts {
  readonly io: ImageIo;
  readonly header: Qcow2Header;
  readonly refcounts: Refcounts;
  readonly map: ClusterMap;
  readonly backing: BlockDevice | undefined;
  readonly readOnly: boolean;
}

export class Qcow2Image {
  readonly io: ImageIo;
  readonly header: Qcow2Header;
  readonly refcounts: Refcounts;
  readonly map: ClusterMap;
  readonly allocator: ClusterAllocator;
  readonly clusterBytes: number;
  backing: BlockDevice | undefined;

  constructor(parts: Qcow2Parts) {
    this.io = parts.io;
    this.header = parts.header;
    this.map = parts.map;
    this.refcounts = parts.refcounts;
    this.backing = parts.backing;
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

  /** No backing file shows through at that cluster. */
  nothingBelow(cluster: number): boolean {
    return this.backing === undefined || cluster * this.clusterBytes >= this.backing.sizeBytes;
  }

  /** Everything written is on stable storage, and what was freed before that is counted down. */
  async flushAndSettle(): Promise<void> {
    await this.io.flush();
    if (this.allocator.hasPending) await this.allocator.settle();
  }
}
