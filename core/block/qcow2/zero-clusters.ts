// Makes ranges of a qcow2 image read as zeroes: whole clusters by their entries, parts by writing zeroes. What the entries
// used is freed, so the file gives the space back to the host. Nothing else may change the mapping meanwhile.

import type { ClusterWriter } from './cluster-writer.ts';
import type { Qcow2Image } from './image.ts';
import * as Q from './layout.ts';

/** @param explicit says "zero" also where nothing shows through today, because the disk below is about to change */
export async function zeroRange(
  image: Qcow2Image,
  writer: ClusterWriter,
  offset: number,
  length: number,
  explicit = false,
): Promise<void> {
  const { clusterBytes, map } = image;
  const end = offset + length;
  for (let at = offset; at < end;) {
    const cluster = Math.floor(at / clusterBytes);
    const within = at - cluster * clusterBytes;
    const clusterEnd = Math.min((cluster + 1) * clusterBytes, image.sizeBytes);
    const l1Index = Math.floor(cluster / map.entriesPerTable);
    const tableEnd = (l1Index + 1) * map.entriesPerTable * clusterBytes;
    const hidden = !explicit && image.nothingBelow(cluster);
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
    if (within !== 0 || end < clusterEnd || (image.header.version === 2 && !hidden)) {
      const stop = Math.min(end, clusterEnd);
      await writer.writeAllocating(at, new Uint8Array(stop - at));
      at = stop;
      continue;
    }
    const wholeEnd = end === image.sizeBytes ? end : Math.floor(end / clusterBytes) * clusterBytes;
    const count = Math.ceil((Math.min(wholeEnd, tableEnd) - at) / clusterBytes);
    await zeroClusters(image, writer, l1Index, cluster % map.entriesPerTable, cluster, count, explicit);
    at = Math.min((cluster + count) * clusterBytes, end);
  }
}

async function zeroClusters(
  image: Qcow2Image,
  writer: ClusterWriter,
  l1Index: number,
  index: number,
  cluster: number,
  count: number,
  explicit: boolean,
): Promise<void> {
  if (image.allocator.mustSettle) await image.flushAndSettle();
  const table = await image.map.writableTable(l1Index, image.allocator);
  const entries = Q.viewOf(new Uint8Array(count * 8));
  for (let step = 0; step < count; step++) {
    const hidden = !explicit && image.nothingBelow(cluster + step);
    // Version 3 says "zero" outright: growing the backing file later changes nothing.
    const isUnallocated = image.map.decode(table, index + step) === Q.KIND_UNALLOCATED;
    if (image.header.version === 3 && !(hidden && isUnallocated)) entries.setUint32(step * 8 + 4, Q.LOW_ZERO);
  }
  const old = writer.oldPlaces(table, index, count);
  await image.map.writeEntries(l1Index, index, new Uint8Array(entries.buffer));
  for (const place of old) image.allocator.freeLater(place.first, place.count);
}
