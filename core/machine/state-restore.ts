// Starts a machine from a saved state in files. Video RAM and ROM are read at once; RAM comes page by page when the guest
// needs it, and the rest in the background while it runs.

import { NestboxError } from '../base/errors.ts';
import { PAGE_BYTES } from '../state-store/format.ts';
import type { PageSource, PhysicalMemory } from '../memory/physical-memory.ts';
import { regionsOf } from './page-collector.ts';

/** Background reading between two turns of the event loop, in pages. */
const TURN_PAGES = 256;

/** Where the memory of a saved machine is: in the store, or still with the machine that this one is forked from. */
export interface SavedMemory {
  /** Named fields, unchecked. */
  readonly machine: unknown;
  /** A reference for each page: 0 = zeroes. */
  region(name: string): Uint32Array | undefined;
  /** @returns undefined for zeroes; valid until the next call. @throws NestboxError */
  page(ref: number): Uint8Array | undefined;
  /** Whether page() would return at once; absent when it always does. */
  isReady?(ref: number): boolean;
  /** Learns what has become ready. @throws NestboxError when the rest will never be */
  lookAgain?(): void;
  close(): Promise<void>;
}

/** Tables of a state that fit this machine. @throws NestboxError `bad-input` */
function tablesFor(state: SavedMemory, memory: PhysicalMemory): Map<string, Uint32Array> {
  const tables = new Map<string, Uint32Array>();
  for (const { name, pages } of regionsOf(memory)) {
    const refs = state.region(name);
    if (refs?.length !== pages) {
      throw new NestboxError('bad-input', `Saved state has ${refs?.length ?? 0} pages of ${name}, this machine has ${pages}`, { op: 'load state' });
    }
    tables.set(name, refs);
  }
  return tables;
}

/** Memory of a state that is read as it is needed. */
export class LazyMemory implements PageSource {
  private readonly state: SavedMemory;
  private readonly memory: PhysicalMemory;
  private readonly ram: Uint32Array;
  private readonly rom: Uint8Array;
  private readonly vram: Uint8Array;
  private disposed = false;
  private settled: () => void = () => undefined;
  private failed: (error: unknown) => void = () => undefined;
  /** Resolves when nothing is left in the files. */
  readonly loaded: Promise<void>;

  /** @param state closed when all of it has been read. @throws NestboxError `bad-input` when it does not fit the memory */
  constructor(state: SavedMemory, memory: PhysicalMemory) {
    this.state = state;
    this.memory = memory;
    const tables = tablesFor(state, memory);
    this.ram = tables.get('ram') as Uint32Array;
    this.rom = this.readAll(tables.get('rom') as Uint32Array);
    this.vram = this.readAll(tables.get('vram') as Uint32Array);
    this.loaded = new Promise((resolve, reject) => {
      this.settled = resolve;
      this.failed = reject;
    });
    // Whoever asks for it hears of a failure; nobody has to.
    this.loaded.catch(() => undefined);
  }

  /** Replaces the machine's memory. */
  attach(): void {
    const { memory } = this;
    memory.rom.set(this.rom);
    memory.vram.set(this.vram);
    const absent = new Uint8Array(this.ram.length);
    for (let page = 0; page < absent.length; page++) absent[page] = this.ram[page] === 0 ? 0 : 1;
    memory.clearRam();
    memory.contentsReplaced();
    memory.setAbsent(absent, this);
  }

  private readAll(refs: Uint32Array): Uint8Array {
    const bytes = new Uint8Array(refs.length * PAGE_BYTES);
    for (let page = 0; page < refs.length; page++) {
      const ref = refs[page] as number;
      const content = ref === 0 ? undefined : this.state.page(ref);
      if (content !== undefined) bytes.set(content, page * PAGE_BYTES);
    }
    return bytes;
  }

  /** @throws NestboxError when the file is damaged or cannot be read */
  read(page: number, target: Uint8Array): void {
    // RAM was cleared: zeroes are there.
    const content = this.state.page(this.ram[page] as number);
    if (content !== undefined) target.set(content);
  }

  /** Reads everything before the guest runs: for engines that cannot be told of pages that are missing. */
  async readAllNow(): Promise<void> {
    this.memory.fillAll();
    await this.finish();
  }

  /** Reads the rest while the guest runs. */
  async readBehind(nextTurn: () => Promise<void>, delay: () => Promise<void>): Promise<void> {
    const { memory, state } = this;
    try {
      let page = 0;
      while (memory.absentPages > 0 && !this.disposed) {
        let work = 0;
        for (let seen = 0; work < TURN_PAGES && seen < this.ram.length; seen++) {
          if (memory.isPageAbsent(page) && state.isReady?.(this.ram[page] as number) !== false) {
            memory.fillRamPage(page);
            work++;
          }
          page = page + 1 === this.ram.length ? 0 : page + 1;
        }
        if (work === TURN_PAGES) await nextTurn();
        else {
          await delay();
          if (!this.disposed) state.lookAgain?.();
        }
      }
      await this.finish();
    } catch (error) {
      this.failed(error);
      throw error;
    }
  }

  private async finish(): Promise<void> {
    if (this.disposed) return;
    this.disposed = true;
    await this.state.close();
    this.settled();
  }

  /** The machine ends before everything was read. */
  async dispose(): Promise<void> {
    await this.finish();
  }
}
