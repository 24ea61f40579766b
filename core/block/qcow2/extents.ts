// How ranges of a qcow2 image are stored, for copying, comparing and merging without reading what is not there.

import type { Qcow2Image } from './image.ts';
import * as Q from './layout.ts';

/**
 * `blank` reads as zeroes without looking at data, here and below. `length` is at most `limit`.
 */
export async function extentAt(
  image: Qcow2Image,
  offset: number,
  limit: number,
): Promise<{ blank: boolean; length: number }> {
  const cluster = Math.floor(offset / image.clusterBytes);
  const l1Index = Math.floor(cluster / image.map.entriesPerTable);
  const table = await image.map.table(l1Index);
  const tableEnd = (l1Index + 1) * image.map.entriesPerTable * image.clusterBytes;
  const end = Math.min(offset + limit, image.sizeBytes);
  if (table === undefined) {
    const length = Math.min(end, tableEnd) - offset;
    return blankBelow(image, offset, length);
  }
  let stop = offset;
  let blank: boolean | undefined;
  for (let at = cluster; stop < Math.min(end, tableEnd); at++) {
    const kind = image.map.decode(table, at % image.map.entriesPerTable);
    const isBlank =
      kind === Q.KIND_ZERO ||
      kind === Q.KIND_ZERO_ALLOCATED ||
      (kind === Q.KIND_UNALLOCATED &&
        (image.backing === undefined || at * image.clusterBytes >= image.backing.sizeBytes));
    blank ??= isBlank;
    if (isBlank !== blank) break;
    stop = (at + 1) * image.clusterBytes;
  }
  return { blank: blank ?? true, length: Math.min(stop, end) - offset };
}

/** Whether this image itself says what is at `offset`, or leaves it to the backing file. `length` is at most `limit`. */
export async function ownExtentAt(
  image: Qcow2Image,
  offset: number,
  limit: number,
): Promise<{ own: boolean; length: number }> {
  const first = Math.floor(offset / image.clusterBytes);
  const l1Index = Math.floor(first / image.map.entriesPerTable);
  const table = await image.map.table(l1Index);
  const tableEnd = (l1Index + 1) * image.map.entriesPerTable * image.clusterBytes;
  const end = Math.min(offset + limit, image.sizeBytes, tableEnd);
  if (table === undefined) return { own: false, length: end - offset };
  const isOwn = (cluster: number): boolean =>
    image.map.decode(table, cluster % image.map.entriesPerTable) !== Q.KIND_UNALLOCATED;
  const own = isOwn(first);
  let stop = (first + 1) * image.clusterBytes;
  for (; stop < end && isOwn(stop / image.clusterBytes) === own; stop += image.clusterBytes);
  return { own, length: Math.min(stop, end) - offset };
}

function blankBelow(image: Qcow2Image, offset: number, length: number): { blank: boolean; length: number } {
  if (image.backing === undefined || offset >= image.backing.sizeBytes) return { blank: true, length };
  return { blank: false, length: Math.min(length, image.backing.sizeBytes - offset) };
}
