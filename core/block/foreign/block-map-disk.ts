// A read-only disk whose content lies in equal blocks found through a table: what VDI, VHD, VHDX and sparse VMDK share.
// The table is read in pages through a bounded cache, so a large declared disk costs no memory.

import type { HostFile } from '../../host/files/host-file.ts';
import { NestboxError } from '../../base/errors.ts';
import type { BlockDevice } from '../block-device.ts';
import { checkRange, writeProtectedError } from '../block-range.ts';
import { TableCache } from '../qcow2/table-cache.ts';

/** The block reads as zeroes and lies nowhere. */
export const NOWHERE = -1;

const PAGE_BYTES = 65_536;
const CACHE_BYTES = 4 * 2 ** 20;

export function badForeign(path: string, format: string, text: string): NestboxError {
  return new NestboxError('bad-input', `${path}: ${format} image: ${text}`, { op: 'open image', context: { path } });
}

export function unsupportedForeign(path: string, format: string, text: string): NestboxError {
  return new NestboxError('unsupported', `${path}: ${format} image: ${text}`, { op: 'open image', context: { path } });
}

/** Reads exactly that much. @throws NestboxError `bad-input` when the file ends before */
export async function readAll(file: HostFile, format: string, offset: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  const fits = Number.isSafeInteger(offset) && offset >= 0;
  if (!fits || (await file.read(offset, bytes)) < length)
    throw badForeign(file.path, format, `is cut short: ${length} bytes at ${offset} are missing`);
  return bytes;
}

/** A table in the file, looked at in pages. */
export class FileTable {
  private readonly cache: TableCache;
  private readonly offset: number;

  /** @param bytes the table's length; the caller has made sure that it lies inside the file */
  constructor(file: HostFile, format: string, offset: number, bytes: number) {
    this.offset = offset;
    this.cache = new TableCache(CACHE_BYTES, PAGE_BYTES, (at) =>
      readAll(file, format, at, Math.min(PAGE_BYTES, offset + bytes - at)),
    );
  }

  /** The page with the byte `at` of the table, and where in the page that is. */
  async page(at: number): Promise<{ view: DataView; at: number }> {
    const start = at - (at % PAGE_BYTES);
    const view = this.cache.peek(this.offset + start) ?? (await this.cache.get(this.offset + start));
    return { view, at: at - start };
  }
}

export abstract class ForeignDisk implements BlockDevice {
  readonly readOnly = true;
  abstract readonly sizeBytes: number;

  /** Reads inside the disk. */
  abstract read(offset: number, target: Uint8Array): Promise<void>;
  /** Whether the range at `offset` is known to be zero without reading, and how far the answer goes. */
  abstract extentAt(offset: number, limit: number): Promise<{ blank: boolean; length: number }>;
  abstract close(): Promise<void>;

  async write(): Promise<void> {
    throw writeProtectedError('write disk');
  }

  async flush(): Promise<void> {
    // Nothing was written.
  }

  async writeZeroes(): Promise<void> {
    throw writeProtectedError('write zeroes');
  }

  async discard(): Promise<void> {
    // A hint that may be ignored.
  }
}

export interface BlockMap {
  readonly format: string;
  readonly sizeBytes: number;
  readonly blockBytes: number;
  /** Where a block's bytes start in the file, or NOWHERE. */
  place(block: number): Promise<number>;
  /** For blocks that are not stored as they are: all bytes of the block at that place. */
  readonly unpack?: (file: HostFile, place: number, block: number) => Promise<Uint8Array>;
}

export class BlockMapDisk extends ForeignDisk {
  private readonly file: HostFile;
  private readonly map: BlockMap;
  private readonly fileBytes: number;
  private unpacked: { readonly place: number; readonly data: Uint8Array } | undefined;

  /** @param file owned by the disk from now on */
  constructor(file: HostFile, map: BlockMap) {
    super();
    this.file = file;
    this.map = map;
    this.fileBytes = file.identity().sizeBytes;
  }

  override get sizeBytes(): number {
    return this.map.sizeBytes;
  }

  override async read(offset: number, target: Uint8Array): Promise<void> {
    checkRange(this.sizeBytes, offset, target.length, 'read disk');
    const { blockBytes, format } = this.map;
    for (let done = 0; done < target.length;) {
      const at = offset + done;
      const block = Math.floor(at / blockBytes);
      const within = at - block * blockBytes;
      const part = target.subarray(done, done + Math.min(blockBytes - within, target.length - done));
      const place = await this.map.place(block);
      if (place === NOWHERE) part.fill(0);
      else if (this.map.unpack !== undefined) {
        if (this.unpacked?.place !== place)
          this.unpacked = { place, data: await this.map.unpack(this.file, place, block) };
        part.set(this.unpacked.data.subarray(within, within + part.length));
      } else {
        const inside = Number.isSafeInteger(place) && place + within + part.length <= this.fileBytes;
        if (!inside || (await this.file.read(place + within, part)) < part.length)
          throw new NestboxError('io', `${this.file.path}: ${format} image: a block lies beyond the end of the file`, {
            op: 'read disk',
          });
      }
      done += part.length;
    }
  }

  override async extentAt(offset: number, limit: number): Promise<{ blank: boolean; length: number }> {
    const { blockBytes } = this.map;
    const end = Math.min(offset + limit, this.sizeBytes);
    const first = Math.floor(offset / blockBytes);
    const blank = (await this.map.place(first)) === NOWHERE;
    let stop = (first + 1) * blockBytes;
    for (let block = first + 1; stop < end; block++, stop += blockBytes) {
      if (((await this.map.place(block)) === NOWHERE) !== blank) break;
    }
    return { blank, length: Math.min(stop, end) - offset };
  }

  override close(): Promise<void> {
    return this.file.close();
  }
}
