// A qcow2 image as a block device. Reads and writes in place run side by side; whatever changes the mapping runs alone.
// Order on stable storage: refcounts before L2 entries (allocator), data before L2 entries wherever the old content is
// not zeroes, L2 entries before refcounts go down. A completed write is always in the host's hands, tables included.

import { isNestboxError, type NestboxError } from '../../base/errors.ts';
import type { BlockDevice } from '../block-device.ts';
import { checkRange, writeProtectedError } from '../block-range.ts';
import { type BackingName, rewriteBackingName } from './backing-name.ts';
import { ClusterReader } from './cluster-reader.ts';
import { ClusterWriter } from './cluster-writer.ts';
import { compressCluster } from './compressed.ts';
import { extentAt, ownExtentAt } from './extents.ts';
import { Qcow2Image, type Qcow2Parts } from './image.ts';
import * as Q from './layout.ts';
import { PackedWriter } from './packed-writer.ts';
import { resizeImage } from './resize-qcow2.ts';
import { RwLock } from './rw-lock.ts';
import { zeroRange } from './zero-clusters.ts';

export class Qcow2Disk implements BlockDevice {
  readonly clusterBytes: number;
  private readonly image: Qcow2Image;
  private readonly reader: ClusterReader;
  private readonly writer: ClusterWriter;
  private readonly packer: PackedWriter;
  private readonly lock = new RwLock();
  private writable: boolean;
  private prepared = false;
  /** Set when damage was found: nothing is written any more. */
  private stopped: NestboxError | undefined;
  private closed = false;

  constructor(parts: Qcow2Parts) {
    this.image = new Qcow2Image(parts);
    this.reader = new ClusterReader(this.image);
    this.writer = new ClusterWriter(this.image, this.reader);
    this.packer = new PackedWriter(this.image);
    this.clusterBytes = parts.header.clusterBytes;
    this.writable = !parts.readOnly;
  }

  get sizeBytes(): number {
    return this.image.sizeBytes;
  }

  get readOnly(): boolean {
    return !this.writable;
  }

  /** As the user named the file. */
  get path(): string {
    return this.image.io.file.path;
  }

  /** The disk below, owned by this one. */
  get backing(): BlockDevice | undefined {
    return this.image.backing;
  }

  async read(offset: number, target: Uint8Array): Promise<void> {
    checkRange(this.sizeBytes, offset, target.length, 'read disk');
    if (target.length > 0) await this.lock.shared(() => this.reader.read(offset, target));
  }

  async write(offset: number, source: Uint8Array): Promise<void> {
    checkRange(this.sizeBytes, offset, source.length, 'write disk');
    if (source.length === 0) return;
    await this.prepareWrite('write disk');
    await this.guarded(async () => {
      if (await this.lock.shared(() => this.writer.writeInPlace(offset, source))) return;
      await this.lock.exclusive(() => this.writer.writeAllocating(offset, source));
    });
  }

  async flush(): Promise<void> {
    if (this.readOnly) return;
    if (!this.image.allocator.hasPending) return this.image.io.flush();
    await this.alone(() => this.image.flushAndSettle());
  }

  async writeZeroes(offset: number, length: number): Promise<void> {
    checkRange(this.sizeBytes, offset, length, 'write zeroes');
    if (length === 0) return;
    await this.prepareWrite('write zeroes');
    await this.alone(() => zeroRange(this.image, this.writer, offset, length));
  }

  async discard(offset: number, length: number): Promise<void> {
    checkRange(this.sizeBytes, offset, length, 'discard');
    if (this.readOnly) return;
    const first = Math.ceil(offset / this.clusterBytes) * this.clusterBytes;
    const end =
      offset + length === this.sizeBytes
        ? this.sizeBytes
        : Math.floor((offset + length) / this.clusterBytes) * this.clusterBytes;
    // Version 2 has no zero clusters: with a backing file the old content could come back.
    if (end <= first || (this.image.header.version === 2 && this.backing !== undefined)) return;
    await this.prepareWrite('discard');
    await this.alone(() => zeroRange(this.image, this.writer, first, end - first));
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    try {
      await this.lock.exclusive(() => this.settleAll());
    } finally {
      try {
        await this.backing?.close();
      } finally {
        await this.image.io.file.close();
      }
    }
  }

  /**
   * Makes the image whole on stable storage and read-only from here on, so that it can be the backing file of others:
   * the lock is shared with other readers then. `thaw` takes it back.
   */
  async freeze(): Promise<void> {
    await this.lock.exclusive(async () => {
      if (this.stopped !== undefined) throw this.stopped;
      await this.settleAll();
      this.writable = false;
      await this.image.io.file.lock('shared');
    });
  }

  /** False for an image that was opened for reading only. */
  get canThaw(): boolean {
    return !this.image.io.file.readOnly;
  }

  /** Undoes `freeze`. @throws NestboxError `busy` when somebody else reads the file by now */
  async thaw(): Promise<void> {
    if (this.image.io.file.readOnly) throw writeProtectedError('write disk');
    await this.lock.exclusive(async () => {
      await this.image.io.file.lock('exclusive');
      this.writable = true;
    });
  }

  /** See `extents.ts`: `blank` ranges read as zeroes without looking at data, here and below. */
  extentAt(offset: number, limit: number): Promise<{ blank: boolean; length: number }> {
    return this.lock.shared(() => extentAt(this.image, offset, limit));
  }

  /** Whether this image itself says what is at `offset`, or leaves it to the backing file. `length` is at most `limit`. */
  ownExtentAt(offset: number, limit: number): Promise<{ own: boolean; length: number }> {
    return this.lock.shared(() => ownExtentAt(this.image, offset, limit));
  }

  /** Changes the size of the disk. Growing exposes zeroes only; shrinking throws the end away. */
  async resize(sizeBytes: number): Promise<void> {
    await this.prepareWrite('resize disk');
    await this.alone(() => resizeImage(this.image, this.writer, sizeBytes));
  }

  /**
   * Stores one whole cluster compressed, for filling a new image. False when it does not get smaller: write it as it is.
   */
  async writeCompressed(offset: number, cluster: Uint8Array): Promise<boolean> {
    const packed = compressCluster(cluster, this.image.header.compressionType);
    if (packed === undefined) return false;
    await this.prepareWrite('write disk');
    await this.alone(() => this.packer.store(offset, packed));
    return true;
  }

  /**
   * Runs `work` on the image with nothing else under way: for operations on the image as a whole, which live in files
   * of their own (merging, internal snapshots).
   */
  async exclusively(op: string, work: (image: Qcow2Image, writer: ClusterWriter) => Promise<void>): Promise<void> {
    await this.prepareWrite(op);
    await this.alone(() => work(this.image, this.writer));
  }

  /**
   * Puts the image on another disk, or on none. The caller has made sure that it reads the same on both.
   * @param backing owned by this disk from now on; the old one is given back, not closed
   */
  async changeBacking(
    name: BackingName | undefined,
    backing: BlockDevice | undefined,
  ): Promise<BlockDevice | undefined> {
    let old: BlockDevice | undefined;
    await this.exclusively('change backing file', async (image) => {
      await image.flushAndSettle();
      await rewriteBackingName(image, name);
      old = image.backing;
      image.backing = backing;
    });
    return old;
  }

  /** Puts the disk on another one that reads the same as the one it was on; the image's header stays. */
  attachBacking(backing: BlockDevice): void {
    this.image.backing = backing;
  }

  /** Gives the disk below away: this one must be closed or put on another disk before it is read again. */
  detachBacking(): BlockDevice | undefined {
    const { backing } = this.image;
    this.image.backing = undefined;
    return backing;
  }

  private async settleAll(): Promise<void> {
    if (this.readOnly || this.stopped !== undefined || this.image.io.hasFailed) return;
    await this.image.flushAndSettle();
    await this.image.allocator.release();
    await this.image.io.flush();
  }

  private alone(work: () => Promise<void>): Promise<void> {
    return this.guarded(() => this.lock.exclusive(work));
  }

  private async prepareWrite(op: string): Promise<void> {
    if (this.readOnly) throw writeProtectedError(op);
    if (this.stopped !== undefined) throw this.stopped;
    if (this.prepared) return;
    await this.lock.exclusive(async () => {
      if (this.prepared) return;
      const { io, header } = this.image;
      if (header.hasAutoclear) {
        // Whoever set these bits relies on hearing of changes; we keep none of their structures up to date.
        await io.write(Q.FIELD.autoclear, new Uint8Array(8));
        await io.barrier();
        header.hasAutoclear = false;
      }
      this.prepared = true;
    });
  }

  /** Damage stops all writing and is marked in the image, so that others find out too. */
  private async guarded(work: () => Promise<void>): Promise<void> {
    if (this.stopped !== undefined) throw this.stopped;
    try {
      await work();
    } catch (error) {
      if (isNestboxError(error) && error.context.damaged === true) {
        this.stopped = error;
        const { io, header } = this.image;
        if (header.version === 3) {
          const low = Q.viewOf(new Uint8Array(4));
          low.setUint32(0, header.incompatible | Q.INCOMPATIBLE_CORRUPT);
          await io.write(Q.FIELD.incompatible + 4, new Uint8Array(low.buffer)).catch(() => undefined);
        }
      }
      throw error;
    }
  }
}
