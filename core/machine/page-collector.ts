// Copies a machine's pages into a saved state while the guest runs, then the rest at one instant. Pages are looked up by
// content in the states that this one may share pages with; only new ones are written.

import type { PhysicalMemory } from '../memory/physical-memory.ts';
import { PAGE_BYTES, type PackStorage, isZeroPage } from '../state-store/format.ts';
import { type PackWriter, contentId } from '../state-store/pack-writer.ts';
import type { FinishedPack } from '../state-store/pack-writer.ts';
import type { PackReader } from '../state-store/pack-reader.ts';
import { PageIndex } from '../state-store/page-index.ts';
import type { PackReference, Region } from '../state-store/state-file.ts';
import type { OpenState } from '../state-store/state-store.ts';

const PAGE_WORDS = PAGE_BYTES / 4;
/** Work between two turns of the event loop: the guest runs in between. */
const TURN_PAGES = 256;

/** Names of the memories in the order of their pages, and how many pages each has. */
export function regionsOf(memory: PhysicalMemory): { readonly name: string; readonly firstPage: number; readonly pages: number }[] {
  const { ramBytes, romBytes, vramBytes } = memory.layout;
  const ram = ramBytes / PAGE_BYTES;
  const rom = romBytes / PAGE_BYTES;
  return [
    { name: 'ram', firstPage: 0, pages: ram },
    { name: 'rom', firstPage: ram, pages: rom },
    { name: 'vram', firstPage: ram + rom, pages: vramBytes / PAGE_BYTES },
  ];
}

export class PageCollector {
  private readonly memory: PhysicalMemory;
  private readonly bytes: Uint8Array;
  private readonly writer: PackWriter;
  private readonly shared: PackReader[] = [];
  private readonly sharedBase = new Map<string, number>();
  private readonly index: PageIndex | undefined;
  private ownBase = 0;
  /** By tracked page: 0 = zeroes, else 1 + entry counted through the shared packs and then the own one. */
  readonly refs: Uint32Array;
  /** Pages whose reference is right as long as they are not written to. */
  private readonly known: Uint8Array;
  /**
   * Pages from here on are ROM and video RAM. Devices write to them without leaving a mark, so they are always looked at
   * in the pause; nearly all of them are zeroes.
   */
  private readonly unmarked: number;
  private readonly frame = new Uint8Array(PAGE_BYTES);
  private readonly words = new Uint32Array(this.frame.buffer);
  private readonly id = new Uint32Array(4);
  private readonly now: () => Promise<void>;

  /** @param relatives states whose page files may be referred to. @param nextTurn lets the guest run */
  constructor(options: { memory: PhysicalMemory; writer: PackWriter; relatives: readonly OpenState[]; storage: PackStorage; nextTurn: () => Promise<void> }) {
    const { memory, relatives } = options;
    const { layout } = memory;
    this.memory = memory;
    this.writer = options.writer;
    this.now = options.nextTurn;
    this.bytes = new Uint8Array(memory.buffer, layout.ramBase, layout.trackedPages * PAGE_BYTES);
    this.refs = new Uint32Array(layout.trackedPages);
    this.known = new Uint8Array(layout.trackedPages);
    this.unmarked = layout.ramBytes / PAGE_BYTES;
    for (const pack of relatives.flatMap((state) => state.packs)) {
      if (pack.storage !== 'packed' || this.sharedBase.has(pack.id)) continue;
      this.sharedBase.set(pack.id, this.ownBase);
      this.shared.push(pack);
      this.ownBase += pack.entries;
    }
    if (options.storage === 'packed') {
      this.index = new PageIndex(this.ownBase + 65_536);
      for (const pack of this.shared) {
        const base = this.sharedBase.get(pack.id) ?? 0;
        for (let entry = 0; entry < pack.entries; entry++) this.index.add(pack.ids, entry * 4, 1 + base + entry);
      }
    }
  }

  /** Takes over the references of a state for all pages that are as they were in it. @param changed one byte a page: 1 = not */
  takeOver(state: OpenState, changed: Uint8Array): void {
    for (const { name, firstPage, pages } of regionsOf(this.memory)) {
      const refs = state.region(name);
      if (refs?.length !== pages) continue;
      for (let page = 0; page < pages && firstPage + page < this.unmarked; page++) {
        if (changed[firstPage + page] !== 0) continue;
        const ref = refs[page] as number;
        const own = ref === 0 ? 0 : this.translate(state, ref);
        if (own < 0) continue;
        this.refs[firstPage + page] = own;
        this.known[firstPage + page] = 1;
      }
    }
  }

  /** @returns -1 when the page lies in a file that this state does not share */
  private translate(state: OpenState, ref: number): number {
    const { pack, entry } = state.locate(ref);
    const base = this.sharedBase.get(pack.id);
    return base === undefined ? -1 : 1 + base + entry;
  }

  /** Marks pages as unknown: they were written. @returns how many are unknown now */
  forget(changed: Uint8Array): number {
    let unknown = 0;
    for (let page = 0; page < this.unmarked; page++) {
      if (changed[page] !== 0) this.known[page] = 0;
      if (this.known[page] === 0) unknown++;
    }
    return unknown;
  }

  /** Collects every unknown page while the guest runs. @param onPage is told how far it is; may throw to end it */
  async collect(onProgress: (fraction: number) => void): Promise<void> {
    const total = this.unmarked;
    let work = 0;
    for (let page = 0; page < total; page++) {
      if (this.known[page] !== 0) continue;
      this.known[page] = 1;
      this.collectPage(page);
      if (++work % TURN_PAGES !== 0) continue;
      onProgress(page / total);
      await this.writer.pressure();
      await this.now();
    }
  }

  private collectPage(page: number): void {
    // A page that is still in the file of the state that the machine was started from is read for this.
    if (this.memory.isPageAbsent(page)) this.memory.fillRamPage(page);
    this.frame.set(this.bytes.subarray(page * PAGE_BYTES, (page + 1) * PAGE_BYTES));
    this.refs[page] = this.store();
  }

  /** Reference of the page in `frame`. */
  private store(): number {
    if (isZeroPage(this.words)) return 0;
    const { index, id } = this;
    if (index === undefined) return 1 + this.ownBase + this.writer.add(this.frame, id);
    contentId(this.frame, id);
    const found = index.find(id, 0);
    if (found !== 0) return found;
    const ref = 1 + this.ownBase + this.writer.add(this.frame, id);
    index.add(id, 0, ref);
    return ref;
  }

  /** The guest stands still: copies all unknown pages at once, to be collected when it runs again. */
  copyUnknown(): { readonly pages: Uint32Array; readonly bytes: Uint8Array } {
    const all = new Uint32Array(this.bytes.buffer, this.bytes.byteOffset, this.bytes.byteLength / 4);
    for (let page = this.unmarked; page < this.known.length; page++) {
      const isZero = isZeroPage(all.subarray(page * PAGE_WORDS, (page + 1) * PAGE_WORDS));
      if (isZero) this.refs[page] = 0;
      this.known[page] = isZero ? 1 : 0;
    }
    let count = 0;
    for (const known of this.known) if (known === 0) count++;
    const pages = new Uint32Array(count);
    const bytes = new Uint8Array(count * PAGE_BYTES);
    let at = 0;
    for (let page = 0; page < this.known.length; page++) {
      if (this.known[page] !== 0) continue;
      if (this.memory.isPageAbsent(page)) this.memory.fillRamPage(page);
      bytes.set(this.bytes.subarray(page * PAGE_BYTES, (page + 1) * PAGE_BYTES), at * PAGE_BYTES);
      pages[at++] = page;
    }
    return { pages, bytes };
  }

  async collectCopies(copies: { readonly pages: Uint32Array; readonly bytes: Uint8Array }, onProgress: (fraction: number) => void): Promise<void> {
    const from = new Uint32Array(copies.bytes.buffer);
    for (const [at, page] of copies.pages.entries()) {
      this.words.set(from.subarray(at * PAGE_WORDS, (at + 1) * PAGE_WORDS));
      this.refs[page] = this.store();
      if (at % TURN_PAGES !== TURN_PAGES - 1) continue;
      onProgress(at / copies.pages.length);
      await this.writer.pressure();
      await this.now();
    }
  }

  /** The tables of the finished state, with only those page files that it refers to. */
  finish(own: FinishedPack & { readonly id: string }): { readonly packs: PackReference[]; readonly regions: Region[] } {
    const all: PackReference[] = [...this.shared.map(({ id, entries, digest }) => ({ id, entries, digest })), { id: own.id, entries: own.entries, digest: own.digest }];
    const bases = all.map((pack) => this.sharedBase.get(pack.id) ?? this.ownBase);
    const used = new Uint8Array(all.length);
    const packOf = (ref: number): number => {
      let index = all.length - 1;
      while (index > 0 && ref <= (bases[index] as number)) index--;
      return index;
    };
    for (const ref of this.refs) if (ref !== 0) used[packOf(ref)] = 1;
    const moved = new Float64Array(all.length);
    let base = 0;
    all.forEach((pack, index) => {
      moved[index] = base - (bases[index] as number);
      if (used[index] === 1) base += pack.entries;
    });
    const refs = this.refs.map((ref) => (ref === 0 ? 0 : ref + (moved[packOf(ref)] as number)));
    return {
      packs: all.filter((_, index) => used[index] === 1),
      regions: regionsOf(this.memory).map(({ name, firstPage, pages }) => ({ name, refs: refs.slice(firstPage, firstPage + pages) })),
    };
  }
}
