// Reads the guest's bytes of a qcow2 image: from its own clusters, from compressed ones, or from the disk below.

import { decompressCluster } from './compressed.ts';
import type { Qcow2Image } from './image.ts';
import * as Q from './layout.ts';

export class ClusterReader {
  private readonly image: Qcow2Image;
  /** The compressed cluster that was read last: neighbours are usually wanted next. */
  private unpacked: { readonly offset: number; readonly data: Uint8Array } | undefined;

  constructor(image: Qcow2Image) {
    this.image = image;
  }

  async read(offset: number, target: Uint8Array): Promise<void> {
    const { clusterBytes, map, io } = this.image;
    for (let done = 0; done < target.length;) {
      const at = offset + done;
      const cluster = Math.floor(at / clusterBytes);
      const within = at - cluster * clusterBytes;
      const l1Index = Math.floor(cluster / map.entriesPerTable);
      const first = cluster - l1Index * map.entriesPerTable;
      const table = map.cachedTable(l1Index) ?? (await map.table(l1Index));
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
      const part = length === target.length ? target : target.subarray(done, done + length);
      if (kind === Q.KIND_NORMAL) await io.read(host + within, part);
      else if (kind === Q.KIND_UNALLOCATED) await this.readBelow(at, part);
      else part.fill(0);
      done += length;
    }
  }

  /** The compressed cluster at that place of the file is no longer what it was. */
  forget(offset: number): void {
    if (this.unpacked?.offset === offset) this.unpacked = undefined;
  }

  private async readBelow(offset: number, target: Uint8Array): Promise<void> {
    const { backing } = this.image;
    const available = Math.max(0, Math.min(target.length, (backing?.sizeBytes ?? 0) - offset));
    if (available > 0) await backing?.read(offset, target.subarray(0, available));
    if (available < target.length) target.fill(0, available);
  }

  private async unpack(table: DataView, index: number): Promise<Uint8Array> {
    const { map, io, clusterBytes, header } = this.image;
    const { offset, length } = map.compressedPlace(table, index);
    if (this.unpacked?.offset === offset) return this.unpacked.data;
    const packed = new Uint8Array(length);
    await io.read(offset, packed);
    const data = decompressCluster(packed, clusterBytes, header.compressionType);
    this.unpacked = { offset, data };
    return data;
  }
}
