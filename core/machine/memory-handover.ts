// Hands the memory of a running machine to another process as of one instant, while both run: pages are copied to a file
// before anything changes them, and all others one after the other behind the guest's back.

import { type NestboxError, isNestboxError } from '../base/errors.ts';
import type { HostFile, HostFiles } from '../host/files/host-file.ts';
import type { PageSource, PhysicalMemory } from '../memory/physical-memory.ts';
import { PAGE_BYTES } from '../state-store/format.ts';
import { HandoverWriter } from '../state-store/handover.ts';
import { regionsOf } from './page-collector.ts';

/** Work between two turns of the event loop: the guest runs in between. */
const TURN_PAGES = 1024;
/** What may wait for the file before collecting waits too. */
const WAITING_PAGES_MAX = 8192;
/** Pages around one that is waited for: the next are likely to be wanted too. */
const NEAR_PAGES = 32;
/** Pieces of a mebibyte between two looks at what is waited for. */
const TURN_PIECES = 4;
/** Of an engine whose writes cannot be held up: passes over what has changed before the instant. */
const ROUNDS_MAX = 4;
const PAUSE_PAGES = 4096;

export interface MemoryHandoverOptions {
  readonly memory: PhysicalMemory;
  readonly files: HostFiles;
  readonly path: string;
  readonly id: string;
  /** The processor asks before it changes a page (Vcpu.fillsAbsentPages). */
  readonly canHold: boolean;
  readonly nextTurn: () => Promise<void>;
  /** Before another attempt when the disk is full. */
  readonly delay: () => Promise<void>;
  readonly checkCancelled: () => void;
}

export class MemoryHandover implements PageSource {
  private readonly options: MemoryHandoverOptions;
  private readonly file: HostFile;
  private readonly writer: HandoverWriter;
  private readonly pages: number;
  private readonly bytes: Uint8Array;

  private constructor(options: MemoryHandoverOptions, file: HostFile) {
    const { layout, buffer } = options.memory;
    this.options = options;
    this.file = file;
    this.pages = layout.trackedPages;
    this.writer = new HandoverWriter(file, options.id, this.pages);
    this.bytes = new Uint8Array(buffer, layout.ramBase, this.pages * PAGE_BYTES);
  }

  static async create(options: MemoryHandoverOptions): Promise<MemoryHandover> {
    return new MemoryHandover(options, await options.files.create(options.path));
  }

  private get ramPages(): number {
    return this.options.memory.layout.ramBytes / PAGE_BYTES;
  }

  private put(page: number): void {
    this.writer.put(page, this.bytes.subarray(page * PAGE_BYTES, (page + 1) * PAGE_BYTES));
  }

  /** Before the instant, the guest runs: what can be copied already. @throws NestboxError */
  async prepare(): Promise<void> {
    const { memory, canHold } = this.options;
    if (canHold) return;
    memory.watchState();
    let left = new Uint8Array(this.pages).fill(1, 0, this.ramPages);
    for (let round = 0; round < ROUNDS_MAX; round++) {
      await this.putAll(left);
      left = new Uint8Array(this.pages);
      memory.takeStateDirty(left);
      this.changed = left;
      if (left.reduce((sum, mark) => sum + mark, 0) <= PAUSE_PAGES) return;
    }
  }

  /** RAM pages of which the file has an older content. */
  private changed = new Uint8Array(0);

  private async putAll(marks: Uint8Array): Promise<void> {
    for (let page = 0, work = 0; page < this.ramPages; page++) {
      if (marks[page] === 0) continue;
      this.put(page);
      if (++work % TURN_PAGES !== 0) continue;
      this.options.checkCancelled();
      await this.writer.flush();
      await this.options.nextTurn();
    }
    await this.writer.flush();
  }

  /** The instant; the guest stands still. Video RAM and ROM are written without marks and nearly empty: they go at once. */
  hold(): void {
    const { memory, canHold } = this.options;
    for (let page = this.ramPages; page < this.pages; page++) this.put(page);
    if (canHold) {
      memory.holdPages(this, (page) => this.writer.putZeroes(page));
      return;
    }
    memory.takeStateDirty(this.changed);
    for (let page = 0; page < this.ramPages; page++) if (this.changed[page] !== 0) this.put(page);
  }

  private released = false;

  /** PageSource: the page is there, and about to be used. */
  read(page: number): void {
    if (!this.released) this.put(page);
  }

  /** Nothing is held up any more, whatever became of the file. */
  private release(): void {
    this.released = true;
    if (this.options.memory.isHeldBy(this)) this.options.memory.fillAll();
  }

  /** After the instant, the guest may run: the other process can begin. @throws NestboxError */
  async describe(machine: unknown): Promise<void> {
    await this.writer.describe(regionsOf(this.options.memory).map(({ name, pages }) => ({ name, pages })), machine);
  }

  /** Copies everything while both guests run. A full disk holds it up. @throws NestboxError; the other machine hears of it */
  async run(onFull: (error: NestboxError) => void): Promise<void> {
    try {
      await Promise.all([this.collect(), this.write(onFull)]);
      await this.patiently(() => this.writer.end(true), onFull);
    } catch (error) {
      await this.writer.end(false).catch(() => undefined);
      throw error;
    } finally {
      this.release();
      await this.file.close();
    }
  }

  /** Notes all pages that nobody has touched yet, a few between two turns of the guest. */
  private async collect(): Promise<void> {
    const { memory, nextTurn } = this.options;
    for (let page = 0; memory.isHeldBy(this) && !this.released; ) {
      const room = this.writer.waiting < WAITING_PAGES_MAX;
      for (let work = 0; room && work < TURN_PAGES && page < this.ramPages; page++) {
        if (!memory.isPageAbsent(page)) continue;
        memory.fillRamPage(page);
        work++;
      }
      await nextTurn();
    }
  }

  /** Writes what was noted; what the other machine waits for goes first. */
  private async write(onFull: (error: NestboxError) => void): Promise<void> {
    const { memory, nextTurn } = this.options;
    try {
      while (memory.isHeldBy(this) || this.writer.waiting > 0) {
        this.serveWanted();
        await this.patiently(() => this.writer.flush(TURN_PIECES), onFull);
        await this.patiently(() => this.writer.beat(), onFull);
        await nextTurn();
      }
      await this.patiently(() => this.writer.flush(), onFull);
    } catch (error) {
      this.release();
      throw error;
    }
  }

  private serveWanted(): void {
    const { memory } = this.options;
    const wanted = this.writer.wanted();
    if (wanted < 0 || wanted >= this.ramPages) return;
    const last = Math.min(wanted + NEAR_PAGES, this.ramPages);
    this.writer.putFirst(() => {
      for (let page = wanted; page < last; page++) if (memory.isPageAbsent(page)) memory.fillRamPage(page);
    });
  }

  /** Tries again while the disk is full, and shows that somebody does. */
  private async patiently(work: () => Promise<void>, onFull: (error: NestboxError) => void): Promise<void> {
    for (let told = false; ; told = true) {
      try {
        await work();
        return;
      } catch (error) {
        if (!isNestboxError(error) || error.kind !== 'no-space') throw error;
        if (!told) onFull(error);
        await this.options.delay();
        await this.writer.beat().catch(() => undefined);
      }
    }
  }

  /** Before run(): nothing of it stays. */
  async undo(): Promise<void> {
    this.release();
    await this.file.close().catch(() => undefined);
    await this.options.files.unlink(this.options.path).catch(() => undefined);
  }
}
