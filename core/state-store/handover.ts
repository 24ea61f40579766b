// A file through which one machine hands its memory to a second one that runs already: the first writes pages in any order,
// the second reads them as soon as they are there and says which one it waits for. It lives for seconds and never survives
// the two processes, so nothing of it is flushed. All numbers are little-endian. Layout: one page of header, one byte a
// page of memory that says whether it is there, the pages at their places, the description as compressed JSON.

import { z } from 'zod';
import { NestboxError } from '../base/errors.ts';
import type { HostFile } from '../host/files/host-file.ts';
import * as F from './format.ts';
import { packJson, unpackJson } from './packed-json.ts';
import { decodeValue, encodeValue } from './state-values.ts';

const MAGIC = 'NBHANDO1';
const STATUS_AT = 40;
const REQUEST_AT = 48;
const PAGES_AT = 52;
const DESCRIPTION_AT = 56;
const HEADER_BYTES = 64;
const MAP_OFFSET = F.PAGE_BYTES;
const CHUNK_PAGES = 256;
/** Neighbours that are read together. */
const WINDOW_PAGES = 16;

/** `filling`: pages are on their way; `failed`: those that are missing never come. */
const STATUS = { filling: 1, complete: 2, failed: 3 } as const;
/** Of a page: still to come, zeroes, in the file. */
const PLACE = { missing: 0, zeroes: 1, stored: 2 } as const;

const descriptionSchema = z.strictObject({
  regions: z.array(z.strictObject({ name: z.string().regex(/^[a-z0-9-]{1,32}$/), pages: z.int().min(0).max(F.REGION_PAGES_MAX) })).max(64),
  machine: z.unknown(),
});

export type HandoverRegion = z.infer<typeof descriptionSchema>['regions'][number];

const ZERO_PAGE = new Uint8Array(F.PAGE_BYTES);

function dataOffset(pages: number): number {
  return MAP_OFFSET + Math.ceil(pages / F.PAGE_BYTES) * F.PAGE_BYTES;
}

/** Pages wait here for their place in the file. */
interface Chunk {
  readonly bytes: Uint8Array;
  readonly pages: number[];
  /** Goes to the file before what was noted earlier. */
  first: boolean;
}

export class HandoverWriter {
  private readonly file: HostFile;
  private readonly id: string;
  private readonly pages: number;
  private readonly map: Uint8Array;
  private chunks: Chunk[] = [];
  /** Range of `map` that the file has otherwise. */
  private changedFrom = Infinity;
  private changedTo = 0;
  private beats = 0;

  /** @param file empty; stays the caller's to close. @param pages of all regions together */
  constructor(file: HostFile, id: string, pages: number) {
    this.file = file;
    this.id = id;
    this.pages = pages;
    this.map = new Uint8Array(pages);
  }

  /** Notes the content of a page, which is copied. @param bytes may lie in shared memory */
  put(page: number, bytes: Uint8Array): void {
    if (Buffer.compare(bytes, ZERO_PAGE) === 0) {
      this.putZeroes(page);
      return;
    }
    let chunk = this.chunks.at(-1);
    if (chunk === undefined || chunk.pages.length === CHUNK_PAGES || chunk.first) {
      chunk = { bytes: new Uint8Array(CHUNK_PAGES * F.PAGE_BYTES), pages: [], first: false };
      this.chunks.push(chunk);
    }
    chunk.bytes.set(bytes, chunk.pages.length * F.PAGE_BYTES);
    chunk.pages.push(page);
  }

  putZeroes(page: number): void {
    this.mark(page, PLACE.zeroes);
  }

  private mark(page: number, place: number): void {
    this.map[page] = place;
    if (page < this.changedFrom) this.changedFrom = page;
    if (page >= this.changedTo) this.changedTo = page + 1;
  }

  /** What `work` notes goes to the file next. Only between two flushes. */
  putFirst(work: () => void): void {
    const later = this.chunks;
    this.chunks = [];
    work();
    for (const chunk of this.chunks) chunk.first = true;
    this.chunks.push(...later);
  }

  /** Pages that wait for flush(). */
  get waiting(): number {
    return this.chunks.reduce((sum, chunk) => sum + chunk.pages.length, 0);
  }

  /** The machine at the instant; from now on another process may read. @throws NestboxError */
  async describe(regions: readonly HandoverRegion[], machine: unknown): Promise<void> {
    const bytes = packJson({ regions, machine: encodeValue(machine) }, 1);
    await this.file.write(dataOffset(this.pages) + this.pages * F.PAGE_BYTES, bytes);
    // No more than there is: a guest that runs notes pages without end.
    await this.flush(this.chunks.length);
    const header = new Uint8Array(HEADER_BYTES);
    F.putText(header, 0, MAGIC);
    F.putText(header, 8, this.id);
    const view = new DataView(header.buffer);
    view.setUint32(STATUS_AT, STATUS.filling, true);
    view.setUint32(PAGES_AT, this.pages, true);
    view.setUint32(DESCRIPTION_AT, bytes.length, true);
    await this.file.write(0, header);
  }

  /** Writes what was noted, at most so many pieces of up to 1 MiB. What could not be written stays noted. @throws NestboxError */
  async flush(pieces = Infinity): Promise<void> {
    for (let piece = 0; piece < pieces && this.chunks.length > 0; piece++) {
      const chunk = this.chunks[0] as Chunk;
      // More may be noted in it while it is written.
      for (let written = 0; written < chunk.pages.length; ) written = await this.writePages(chunk, written);
      this.chunks.shift();
      await this.tellPlaces();
    }
    await this.tellPlaces();
  }

  /**
   * Writes the pages of `chunk` from `start` on, all runs of neighbours at once: the guest has the thread between two turns of the
   * event loop, so waiting for one after the other would take a slice of it each. @returns where the next ones begin
   */
  private async writePages(chunk: Chunk, start: number): Promise<number> {
    const base = dataOffset(this.pages);
    const end = chunk.pages.length;
    const writes: Promise<void>[] = [];
    for (let from = start; from < end; ) {
      const first = chunk.pages[from] as number;
      let to = from + 1;
      while (to < end && chunk.pages[to] === first + to - from) to++;
      writes.push(this.file.write(base + first * F.PAGE_BYTES, chunk.bytes.subarray(from * F.PAGE_BYTES, to * F.PAGE_BYTES)));
      from = to;
    }
    // None may go on behind a failure: the file could be closed by then.
    for (const outcome of await Promise.allSettled(writes)) if (outcome.status === 'rejected') throw outcome.reason;
    for (let at = start; at < end; at++) this.mark(chunk.pages[at] as number, PLACE.stored);
    return end;
  }

  private async tellPlaces(): Promise<void> {
    const { changedFrom, changedTo } = this;
    if (changedFrom >= changedTo) return;
    this.changedFrom = Infinity;
    this.changedTo = 0;
    try {
      await this.file.write(MAP_OFFSET + changedFrom, this.map.slice(changedFrom, changedTo));
    } catch (error) {
      this.changedFrom = Math.min(this.changedFrom, changedFrom);
      this.changedTo = Math.max(this.changedTo, changedTo);
      throw error;
    }
  }

  /** The page that the reader waits for, or -1. */
  wanted(): number {
    const word = new Uint8Array(4);
    this.file.readSync(REQUEST_AT, word);
    return new DataView(word.buffer).getUint32(0, true) - 1;
  }

  /** Shows the reader that somebody is at work. */
  async beat(): Promise<void> {
    await this.say(STATUS.filling);
  }

  /** @param whole false: what is missing never comes */
  async end(whole: boolean): Promise<void> {
    await this.say(whole ? STATUS.complete : STATUS.failed);
  }

  private async say(status: number): Promise<void> {
    await this.file.write(STATUS_AT, statusWords(status, ++this.beats));
  }
}

function statusWords(status: number, beats: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(status, beats).buffer);
}

/** Tells the reader that the writer is gone. @param file open for writing */
export async function failHandover(file: HostFile): Promise<void> {
  await file.write(STATUS_AT, statusWords(STATUS.failed, 0));
}

export interface HandoverReaderOptions {
  /** Sleeps for about a millisecond without giving up the thread: the guest is in the middle of an instruction. */
  readonly sleep: () => void;
  /** Looks without a sign of life from the writer after which it counts as gone. */
  readonly patience: number;
}

/** The same shape as a state of the store: reference = 1 + number of the page, counted through all regions. */
export class HandoverState {
  readonly machine: unknown;
  private readonly file: HostFile;
  private readonly options: HandoverReaderOptions;
  private readonly regions: readonly HandoverRegion[];
  private readonly map: Uint8Array;
  private readonly base: number;
  private readonly window = new Uint8Array(WINDOW_PAGES * F.PAGE_BYTES);
  private windowStart = -1;
  private readonly status = new Uint8Array(8);
  private beats = -1;
  /** Looks since the writer last showed itself. */
  private silent = 0;

  private constructor(file: HostFile, options: HandoverReaderOptions, pages: number, description: z.infer<typeof descriptionSchema>) {
    this.file = file;
    this.options = options;
    this.regions = description.regions;
    this.machine = decodeValue(description.machine);
    this.map = new Uint8Array(pages);
    this.base = dataOffset(pages);
  }

  /** @param file open for writing, for the requests; the state's from then on. @throws NestboxError `bad-input` */
  static async open(file: HostFile, id: string, options: HandoverReaderOptions): Promise<HandoverState> {
    try {
      const header = new Uint8Array(HEADER_BYTES);
      await file.read(0, header);
      if (F.textAt(header, 0, 8) !== MAGIC || F.textAt(header, 8, 32) !== id) throw F.damaged(file.path, 'is not the memory of that machine');
      const view = new DataView(header.buffer);
      const pages = view.getUint32(PAGES_AT, true);
      const length = view.getUint32(DESCRIPTION_AT, true);
      if (pages > F.REGION_PAGES_MAX || length > F.DESCRIPTION_BYTES_MAX) throw F.damaged(file.path, 'has impossible sizes');
      const packed = new Uint8Array(length);
      if ((await file.read(dataOffset(pages) + pages * F.PAGE_BYTES, packed)) !== length) throw F.damaged(file.path, 'is cut off');
      const state = new HandoverState(file, options, pages, describedBy(packed, file.path, pages));
      state.lookAgain();
      return state;
    } catch (error) {
      await file.close().catch(() => undefined);
      throw error;
    }
  }

  /** References of all pages of a region but those that are known to be zeroes, whether they are there yet or not. */
  region(name: string): Uint32Array | undefined {
    let first = 0;
    for (const region of this.regions) {
      if (region.name === name) {
        const refs = new Uint32Array(region.pages);
        for (let page = 0; page < refs.length; page++) refs[page] = this.map[first + page] === PLACE.zeroes ? 0 : 1 + first + page;
        return refs;
      }
      first += region.pages;
    }
    return undefined;
  }

  /** Learns which pages have come meanwhile. @throws NestboxError `io` when some are missing and the writer is gone */
  lookAgain(): void {
    // First the status: after its last word the map is final.
    this.file.readSync(STATUS_AT, this.status);
    const [status, beats] = new Uint32Array(this.status.buffer);
    this.file.readSync(MAP_OFFSET, this.map);
    this.silent = beats === this.beats ? this.silent + 1 : 0;
    this.beats = beats as number;
    if ((status === STATUS.filling && this.silent <= this.options.patience) || !this.map.includes(PLACE.missing)) return;
    throw new NestboxError('io', 'The machine that this one was forked from has ended before it handed over all of its memory', { op: 'read memory' });
  }

  isReady(ref: number): boolean {
    return this.map[ref - 1] !== PLACE.missing;
  }

  /** Waits for the page when it is not there. @returns undefined for zeroes; valid until the next call. @throws NestboxError `io` */
  page(ref: number): Uint8Array | undefined {
    const page = ref - 1;
    if (this.map[page] === PLACE.missing) this.waitFor(page);
    if (this.map[page] === PLACE.zeroes) return undefined;
    const start = page - (page % WINDOW_PAGES);
    if (this.windowStart !== start) this.fillWindow(start, page);
    const at = (this.windowStart === start ? page - start : 0) * F.PAGE_BYTES;
    return this.window.subarray(at, at + F.PAGE_BYTES);
  }

  /** Reads all neighbours when they are there, which is how memory is read in the background; else the one page. */
  private fillWindow(start: number, page: number): void {
    const end = Math.min(start + WINDOW_PAGES, this.map.length);
    let whole = true;
    for (let at = start; at < end; at++) whole &&= this.map[at] !== PLACE.missing;
    this.windowStart = whole ? start : -1;
    const from = whole ? start : page;
    const target = this.window.subarray(0, (whole ? end - start : 1) * F.PAGE_BYTES);
    // Zeroes at the end are not in the file.
    target.fill(0);
    this.file.readSync(this.base + from * F.PAGE_BYTES, target);
  }

  private waitFor(page: number): void {
    // Goes to the pool of threads at once: it is written while this thread sleeps.
    const request = new Uint8Array(Uint32Array.of(page + 1).buffer);
    void this.file.write(REQUEST_AT, request).catch(() => undefined);
    for (;;) {
      this.lookAgain();
      if (this.map[page] !== PLACE.missing) return;
      this.options.sleep();
    }
  }

  close(): Promise<void> {
    return this.file.close();
  }
}

function describedBy(packed: Uint8Array, path: string, pages: number): z.infer<typeof descriptionSchema> {
  const parsed = descriptionSchema.safeParse(unpackJson(path, packed));
  if (!parsed.success) throw F.damaged(path, 'has a damaged description');
  if (parsed.data.regions.reduce((sum, region) => sum + region.pages, 0) !== pages) throw F.damaged(path, 'has pages that belong to nothing');
  return parsed.data;
}
