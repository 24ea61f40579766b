// Changes the size of a qcow2 disk: growing exposes zeroes only, shrinking throws the end away. The header's size is
// written last when growing and after the end was emptied when shrinking, so a crash leaves one of the two sizes.

import { NestboxError } from '../../base/errors.ts';
import type { ClusterWriter } from './cluster-writer.ts';
import { l1EntriesFor } from './header.ts';
import type { Qcow2Image } from './image.ts';
import * as Q from './layout.ts';
import { zeroRange } from './zero-clusters.ts';

/** @throws NestboxError `usage`, `unsupported`. Nothing else may use the image meanwhile */
export async function resizeImage(image: Qcow2Image, writer: ClusterWriter, sizeBytes: number): Promise<void> {
  const { header } = image;
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
    const first = Math.ceil(sizeBytes / image.clusterBytes) * image.clusterBytes;
    if (first < image.sizeBytes) await zeroRange(image, writer, first, image.sizeBytes - first);
    const rest = Math.min(first, image.sizeBytes) - sizeBytes;
    if (rest > 0) await zeroRange(image, writer, sizeBytes, rest);
    await image.io.barrier();
  }
  const entries = l1EntriesFor(sizeBytes, header.clusterBits);
  if (entries * 8 > Q.MAX_L1_BYTES)
    throw new NestboxError('unsupported', `Clusters of ${image.clusterBytes} bytes are too small for that size`, {
      op: 'resize disk',
    });
  if (entries > header.l1Entries) {
    const moved = await image.map.moveL1(entries, image.allocator);
    // Both fields of the L1 table lie in one sector of the header: they change together.
    const fields = Q.viewOf(new Uint8Array(12));
    fields.setUint32(0, entries);
    Q.writeU64(fields, 4, moved.offset);
    await image.io.write(Q.FIELD.l1Entries, new Uint8Array(fields.buffer));
    await image.io.barrier();
    moved.release();
    header.l1Offset = moved.offset;
    header.l1Entries = entries;
  }
  if (sizeBytes > old) {
    // What a longer backing file holds there must not show up.
    const exposed = Math.min(sizeBytes, image.backing?.sizeBytes ?? 0);
    const dirtyEnd = Math.max(exposed, Math.min(sizeBytes, Math.ceil(old / image.clusterBytes) * image.clusterBytes));
    header.sizeBytes = sizeBytes;
    try {
      if (dirtyEnd > old) await zeroRange(image, writer, old - (old % 512), dirtyEnd - (old - (old % 512)));
    } catch (error) {
      header.sizeBytes = old;
      throw error;
    }
    await image.io.barrier();
  }
  header.sizeBytes = sizeBytes;
  const size = Q.viewOf(new Uint8Array(8));
  Q.writeU64(size, 0, sizeBytes);
  await image.io.write(Q.FIELD.sizeBytes, new Uint8Array(size.buffer));
  await image.flushAndSettle();
}
