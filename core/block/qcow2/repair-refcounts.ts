// Puts refcounts of a qcow2 image right: too high ones in place, anything worse by building new ones at the end of the file
// and switching to them in one write.

import { NestboxError, throwIfCancelled } from '../../base/errors.ts';
import { ClusterCounts } from './cluster-counts.ts';
import type { Qcow2Header } from './header.ts';
import type { ImageIo } from './image-io.ts';
import * as Q from './layout.ts';
import { maxRefcount, setRefcount } from './refcount-entries.ts';

/** Only counts that are too high change, so a crash half-way leaves leaks at worst. */
export async function lowerCounts(
  io: ImageIo,
  header: Qcow2Header,
  table: DataView,
  counts: ClusterCounts,
  tooHigh: readonly number[],
  signal?: AbortSignal,
): Promise<void> {
  const perBlock = (header.clusterBytes * 8) >>> header.refcountOrder;
  let current = -1;
  let view = Q.viewOf(new Uint8Array(0));
  const write = async (): Promise<void> => {
    if (current < 0) return;
    await io.write(Q.readU64(table, current * 8), new Uint8Array(view.buffer));
  };
  for (const cluster of tooHigh) {
    const block = Math.floor(cluster / perBlock);
    if (block !== current) {
      await write();
      throwIfCancelled(signal, 'check image');
      current = block;
      view = Q.viewOf(new Uint8Array(header.clusterBytes));
      await io.read(Q.readU64(table, block * 8), new Uint8Array(view.buffer));
    }
    setRefcount(view, cluster % perBlock, header.refcountOrder, counts.get(cluster));
  }
  await write();
}

/** New refcounts for what was counted, at the end of the file; the old ones become free. */
export async function rebuildRefcounts(
  io: ImageIo,
  header: Qcow2Header,
  table: DataView,
  counts: ClusterCounts,
  signal?: AbortSignal,
): Promise<void> {
  const { clusterBytes, refcountOrder } = header;
  const perBlock = (clusterBytes * 8) >>> refcountOrder;
  // Uses of the old structure do not count any more.
  const users = new ClusterCounts();
  const old = new Set<number>();
  const oldFirst = header.refcountTableOffset / clusterBytes;
  for (let index = 0; index < header.refcountTableClusters; index++) old.add(oldFirst + index);
  for (let block = 0; block < table.byteLength / 8; block++) {
    const offset = Q.readU64(table, block * 8);
    if (offset !== 0 && offset % clusterBytes === 0) old.add(offset / clusterBytes);
  }
  const blocks = new Set<number>();
  for (const [cluster, found] of counts.entries()) {
    const left = found - (old.has(cluster) ? 1 : 0);
    if (left <= 0) continue;
    if (left > maxRefcount(refcountOrder))
      throw new NestboxError(
        'unsupported',
        `${io.file.path}: cluster ${cluster} has more users than its refcount can say`,
        { op: 'repair image' },
      );
    users.add(cluster, left);
    blocks.add(Math.floor(cluster / perBlock));
  }
  const first = io.endCluster;
  let tableClusters = 1;
  for (;;) {
    const last = first + tableClusters + blocks.size - 1;
    const lastBlock = Math.floor(last / perBlock);
    const before = blocks.size;
    for (let block = Math.floor(first / perBlock); block <= lastBlock; block++) blocks.add(block);
    let highest = lastBlock;
    for (const block of blocks) highest = Math.max(highest, block);
    const needed = Math.ceil(((highest + 1) * 8) / clusterBytes);
    if (blocks.size === before && needed <= tableClusters) break;
    tableClusters = Math.max(tableClusters, needed);
  }
  if (tableClusters * clusterBytes > Q.MAX_REFCOUNT_TABLE_BYTES)
    throw new NestboxError('unsupported', `${io.file.path}: too large to rebuild its refcounts`, {
      op: 'repair image',
    });
  for (let index = 0; index < tableClusters + blocks.size; index++) users.add(first + index);
  const fresh = new Uint8Array(tableClusters * clusterBytes);
  let place = first + tableClusters;
  for (const block of blocks) {
    // Nothing refers to the new ones yet.
    throwIfCancelled(signal, 'check image');
    const view = Q.viewOf(new Uint8Array(clusterBytes));
    for (let index = 0; index < perBlock; index++) {
      const count = users.get(block * perBlock + index);
      if (count > 0) setRefcount(view, index, refcountOrder, count);
    }
    Q.writeU64(Q.viewOf(fresh), block * 8, place * clusterBytes);
    await io.write(place * clusterBytes, new Uint8Array(view.buffer));
    place++;
  }
  await io.write(first * clusterBytes, fresh);
  await io.flush();
  const fields = Q.viewOf(new Uint8Array(12));
  Q.writeU64(fields, 0, first * clusterBytes);
  fields.setUint32(8, tableClusters);
  await io.write(Q.FIELD.refcountTableOffset, new Uint8Array(fields.buffer));
  await io.flush();
}
