// Stores compressed clusters one after another, for filling a new image: several share one host cluster.

import { NestboxError } from '../../base/errors.ts';
import type { Qcow2Image } from './image.ts';
import * as Q from './layout.ts';

export class PackedWriter {
  private readonly image: Qcow2Image;
  /** Where the next compressed cluster goes. */
  private packing: { offset: number; left: number } | undefined;

  constructor(image: Qcow2Image) {
    this.image = image;
  }

  /** Nothing else may change the mapping meanwhile. */
  async store(offset: number, packed: Uint8Array): Promise<void> {
    const { image } = this;
    const { clusterBytes, map } = image;
    const cluster = offset / clusterBytes;
    const l1Index = Math.floor(cluster / map.entriesPerTable);
    const index = cluster % map.entriesPerTable;
    const table = await map.writableTable(l1Index, image.allocator);
    if (map.decode(table, index) !== Q.KIND_UNALLOCATED)
      throw new NestboxError('internal', 'A compressed cluster replaces nothing', { op: 'write disk' });
    let place: number;
    const open = this.packing;
    const openCluster = open === undefined ? 0 : Math.floor(open.offset / clusterBytes);
    const users = open === undefined ? 0 : await image.refcounts.get(openCluster);
    if (open !== undefined && users > 0 && users < image.refcounts.max && open.left >= packed.length) {
      place = open.offset;
      await image.refcounts.change(openCluster, 1, 1);
    } else {
      const extent = await image.allocator.take(1);
      place = extent.first * clusterBytes;
      this.packing = { offset: place, left: clusterBytes };
    }
    await image.io.write(place, packed);
    await image.io.barrier();
    const shift = 62 - (image.header.clusterBits - 8) - 32;
    const sectors = Math.floor(((place % 512) + packed.length - 1) / 512);
    const entry = Q.viewOf(new Uint8Array(8));
    Q.writeU64(entry, 0, place);
    entry.setUint32(0, (entry.getUint32(0) | (sectors << shift) | Q.HIGH_COMPRESSED) >>> 0);
    await map.writeEntries(l1Index, index, new Uint8Array(entry.buffer));
    const packing = this.packing as { offset: number; left: number };
    packing.offset = place + packed.length;
    packing.left = clusterBytes - (packing.offset % clusterBytes || clusterBytes);
  }
}
