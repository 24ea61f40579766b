// Writes one pack of pages: frames as they come, then the index and the trailer. A pack without its trailer is none, so a
// write that was cut off leaves nothing that could be read.

import { createHash, hash as digestOf } from 'node:crypto';
import { promisify } from 'node:util';
import { constants, zstdCompress } from 'node:zlib';
import type { HostFile } from '../host/files/host-file.ts';
import * as F from './format.ts';

const compress = promisify(zstdCompress);
/** Speed before size: half of the gain of higher levels at a tenth of the time. */
const ZSTD_OPTIONS = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };
const WRITE_BYTES = 1 << 20;
const FRAMES_IN_FLIGHT = 8;

export interface FinishedPack {
  readonly entries: number;
  /** SHA-256 over the index, hexadecimal. */
  readonly digest: string;
  readonly bytes: number;
}

export class PackWriter {
  readonly id: string;
  readonly storage: F.PackStorage;
  private readonly file: HostFile;
  private frame = new Uint8Array(F.FRAME_BYTES);
  private framePages = 0;
  private hashes = new Uint32Array(4096);
  private count = 0;
  private readonly lengths: number[] = [];
  private written = F.PACK_HEADER_BYTES;
  private batch: Uint8Array[] = [];
  private batchBytes = 0;
  private inFlight = 0;
  /** Frames are written in the order in which they were filled. */
  private tail: Promise<void>;
  private failure: unknown;

  /** @param file empty; stays the caller's to close */
  constructor(file: HostFile, id: string, storage: F.PackStorage) {
    this.file = file;
    this.id = id;
    this.storage = storage;
    const header = new Uint8Array(F.PACK_HEADER_BYTES);
    F.putText(header, 0, F.PACK_MAGIC);
    F.putText(header, 8, id);
    new DataView(header.buffer).setUint32(40, storage === 'packed' ? 0 : 1, true);
    this.tail = this.keep(file.write(0, header));
  }

  get entries(): number {
    return this.count;
  }

  /** Content ids of the entries so far, four words each. */
  get ids(): Uint32Array {
    return this.hashes;
  }

  /** @param page 4096 bytes, copied. @param id its content id; unused in plain packs. @returns the entry's number */
  add(page: Uint8Array, id: Uint32Array): number {
    this.frame.set(page, this.framePages * F.PAGE_BYTES);
    const entry = this.count++;
    if (this.storage === 'packed') {
      if (this.count * 4 > this.hashes.length) {
        const bigger = new Uint32Array(this.hashes.length * 2);
        bigger.set(this.hashes);
        this.hashes = bigger;
      }
      this.hashes.set(id, entry * 4);
    }
    if (++this.framePages === F.FRAME_PAGES) this.closeFrame();
    return entry;
  }

  /** Waits until little work is under way. @throws NestboxError of a write that failed */
  async pressure(): Promise<void> {
    if (this.inFlight >= FRAMES_IN_FLIGHT) await this.tail;
    if (this.failure !== undefined) throw this.failure as Error;
  }

  private closeFrame(): void {
    const bytes = this.frame.subarray(0, this.framePages * F.PAGE_BYTES);
    this.frame = new Uint8Array(F.FRAME_BYTES);
    this.framePages = 0;
    this.inFlight++;
    const packed = this.storage === 'packed' ? compress(bytes, ZSTD_OPTIONS) : Promise.resolve(bytes);
    const before = this.tail;
    this.tail = this.keep(
      (async () => {
        const [frame] = await Promise.all([packed, before]);
        this.inFlight--;
        this.lengths.push(frame.length);
        this.batch.push(frame);
        this.batchBytes += frame.length;
        if (this.batchBytes >= WRITE_BYTES) await this.flushBatch();
      })(),
    );
  }

  private async flushBatch(): Promise<void> {
    if (this.batchBytes === 0) return;
    const bytes = this.batch.length === 1 ? (this.batch[0] as Uint8Array) : Buffer.concat(this.batch);
    this.batch = [];
    this.batchBytes = 0;
    await this.file.write(this.written, bytes);
    this.written += bytes.length;
  }

  /** A failure is kept for whoever asks next, and nothing is written after it. */
  private keep(work: Promise<void>): Promise<void> {
    return work.catch((error: unknown) => {
      this.failure ??= error;
    });
  }

  /** Everything is on stable storage when this returns. @throws NestboxError */
  async finish(): Promise<FinishedPack> {
    if (this.framePages > 0) this.closeFrame();
    await this.tail;
    if (this.failure !== undefined) throw this.failure as Error;
    await this.flushBatch();
    const ids = this.storage === 'packed' ? this.count * F.HASH_BYTES : 0;
    const index = new Uint8Array(this.lengths.length * 4 + ids);
    new Uint32Array(index.buffer, 0, this.lengths.length).set(this.lengths);
    index.set(new Uint8Array(this.hashes.buffer, 0, ids), this.lengths.length * 4);
    const digest = createHash('sha256').update(index).digest();
    const trailer = new Uint8Array(F.PACK_TRAILER_BYTES);
    const view = new DataView(trailer.buffer);
    F.putText(trailer, 0, F.PACK_END_MAGIC);
    view.setFloat64(8, this.written, true);
    view.setUint32(16, this.lengths.length, true);
    view.setUint32(20, this.count, true);
    trailer.set(digest, 24);
    await this.file.write(this.written, Buffer.concat([index, trailer]));
    await this.file.flush();
    return { entries: this.count, digest: digest.toString('hex'), bytes: this.written + index.length + trailer.length };
  }
}

/** The content id of a page goes to `out`. @param page not in shared memory */
export function contentId(page: Uint8Array, out: Uint32Array): void {
  const digest = digestOf('sha256', page, 'buffer');
  for (let i = 0; i < 4; i++) out[i] = digest.readUInt32LE(i * 4);
}
