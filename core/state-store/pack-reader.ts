// Reads pages out of a pack. Reading is synchronous: a guest that touches a page which is still in the file waits for it in
// the middle of an instruction.

import { createHash } from 'node:crypto';
import { zstdDecompressSync } from 'node:zlib';
import type { HostFile } from '../host/files/host-file.ts';
import * as F from './format.ts';
import { contentId } from './pack-writer.ts';

const CACHED_FRAMES = 4;

interface PackParts {
  readonly id: string;
  readonly storage: F.PackStorage;
  readonly entries: number;
  readonly digest: string;
  readonly fileBytes: number;
  readonly ids: Uint32Array;
  readonly offsets: Float64Array;
}

export class PackReader {
  readonly id: string;
  readonly storage: F.PackStorage;
  readonly entries: number;
  readonly digest: string;
  readonly fileBytes: number;
  /** Content ids, four words each; empty in plain packs. */
  readonly ids: Uint32Array;
  private readonly file: HostFile;
  /** Where each frame starts, and where the last one ends. */
  private readonly offsets: Float64Array;
  /** Frames that were unpacked last: the guest and the reading in the background are at different places. */
  private readonly cachedFrames = new Int32Array(CACHED_FRAMES).fill(-1);
  private readonly cached: Uint8Array[] = [];
  private nextSlot = 0;
  private readonly seen = new Uint32Array(4);

  private constructor(file: HostFile, parts: PackParts) {
    this.file = file;
    this.id = parts.id;
    this.storage = parts.storage;
    this.entries = parts.entries;
    this.digest = parts.digest;
    this.offsets = parts.offsets;
    this.ids = parts.ids;
    this.fileBytes = parts.fileBytes;
  }

  /** @param file the reader's from then on, also when it is refused. @throws NestboxError `bad-input` */
  static async open(file: HostFile, id: string): Promise<PackReader> {
    try {
      return new PackReader(file, await readIndex(file, id));
    } catch (error) {
      await file.close().catch(() => undefined);
      throw error;
    }
  }

  get frames(): number {
    return this.offsets.length - 1;
  }

  /** Byte range of a frame in the file. */
  frameRange(frame: number): { readonly offset: number; readonly length: number } {
    const offset = this.offsets[frame] as number;
    return { offset, length: (this.offsets[frame + 1] as number) - offset };
  }

  private load(frame: number): Uint8Array {
    const slot = this.cachedFrames.indexOf(frame);
    if (slot >= 0) return this.cached[slot] as Uint8Array;
    const { offset, length } = this.frameRange(frame);
    const pages = Math.min(F.FRAME_PAGES, this.entries - frame * F.FRAME_PAGES);
    const stored = new Uint8Array(length);
    if (this.file.readSync(offset, stored) !== length) throw F.damaged(this.file.path, 'is cut off');
    let bytes: Uint8Array = stored;
    if (this.storage === 'packed') {
      try {
        bytes = zstdDecompressSync(stored, { maxOutputLength: F.FRAME_BYTES });
      } catch (cause) {
        throw F.damaged(this.file.path, `the pages at byte ${offset} are damaged`, cause);
      }
    }
    if (bytes.length !== pages * F.PAGE_BYTES) throw F.damaged(this.file.path, `the pages at byte ${offset} have the wrong size`);
    this.cachedFrames[this.nextSlot] = frame;
    this.cached[this.nextSlot] = bytes;
    this.nextSlot = (this.nextSlot + 1) % CACHED_FRAMES;
    return bytes;
  }

  /** The content of an entry; valid until the next call. @throws NestboxError `bad-input`, `io` */
  page(entry: number): Uint8Array {
    const bytes = this.load(Math.floor(entry / F.FRAME_PAGES));
    const at = (entry % F.FRAME_PAGES) * F.PAGE_BYTES;
    const page = bytes.subarray(at, at + F.PAGE_BYTES);
    if (this.storage === 'packed') {
      contentId(page, this.seen);
      for (let i = 0; i < 4; i++) {
        if (this.seen[i] !== this.ids[entry * 4 + i]) throw F.damaged(this.file.path, `page ${entry} has another content than its index says`);
      }
    }
    return page;
  }

  close(): Promise<void> {
    return this.file.close();
  }
}

async function readIndex(file: HostFile, id: string): Promise<PackParts> {
  const fail = (what: string): never => {
    throw F.damaged(file.path, what);
  };
  const fileBytes = file.identity().sizeBytes;
  if (fileBytes < F.PACK_HEADER_BYTES + F.PACK_TRAILER_BYTES) fail('is too short for a file of memory pages');
  const header = new Uint8Array(48);
  await file.read(0, header);
  if (F.textAt(header, 0, 8) !== F.PACK_MAGIC) fail('is no file of memory pages');
  if (F.textAt(header, 8, 32) !== id) fail('belongs to another state');
  const kind = new DataView(header.buffer).getUint32(40, true);
  if (kind > 1) fail(`has the unknown kind ${kind}`);
  const storage: F.PackStorage = kind === 0 ? 'packed' : 'plain';
  const trailer = new Uint8Array(F.PACK_TRAILER_BYTES);
  await file.read(fileBytes - F.PACK_TRAILER_BYTES, trailer);
  const view = new DataView(trailer.buffer);
  if (F.textAt(trailer, 0, 8) !== F.PACK_END_MAGIC) fail('is not complete');
  const indexOffset = view.getFloat64(8, true);
  const frames = view.getUint32(16, true);
  const entries = view.getUint32(20, true);
  if (entries > F.PACK_ENTRIES_MAX || frames !== Math.ceil(entries / F.FRAME_PAGES)) fail(`counts ${frames} frames for ${entries} pages`);
  const indexBytes = frames * 4 + (storage === 'packed' ? entries * F.HASH_BYTES : 0);
  if (!Number.isSafeInteger(indexOffset) || indexOffset < F.PACK_HEADER_BYTES || indexOffset + indexBytes + F.PACK_TRAILER_BYTES !== fileBytes) fail('has its index in an impossible place');
  const index = new Uint8Array(indexBytes);
  await file.read(indexOffset, index);
  const digest = createHash('sha256').update(index).digest();
  if (!digest.equals(trailer.subarray(24, 56))) fail('has a damaged index');
  const lengths = new Uint32Array(index.buffer, 0, frames);
  const offsets = new Float64Array(frames + 1);
  let at = F.PACK_HEADER_BYTES;
  for (let frame = 0; frame < frames; frame++) {
    offsets[frame] = at;
    const length = lengths[frame] as number;
    const pages = Math.min(F.FRAME_PAGES, entries - frame * F.FRAME_PAGES);
    if (storage === 'plain' ? length !== pages * F.PAGE_BYTES : length === 0 || length > F.FRAME_BYTES + 1024) fail(`frame ${frame} has ${length} bytes`);
    at += length;
  }
  offsets[frames] = at;
  if (at !== indexOffset) fail('has frames that do not reach its index');
  const ids = storage === 'packed' ? new Uint32Array(index.slice(frames * 4).buffer) : new Uint32Array(0);
  return { id, storage, entries, digest: digest.toString('hex'), offsets, ids, fileBytes };
}
