// Guest physical memory: RAM, ROM and video RAM in one shared WebAssembly memory, the page map that the CPU reads, and
// the DMA port that devices get. Everything else in the physical address space is MMIO (core/bus/mmio-bus.ts).

import type { DmaMemory } from '../bus/dma.ts';
import { PAGE } from '../cpu/isa/layout.ts';
import { LOW_RAM_LIMIT, type MemoryLayout } from './layout.ts';

const PAGE_BYTES = 4096;
const FOUR_GIB = 0x1_0000_0000;

/** Who watches for writes: each has a bit in a page's dirty byte and clears only that one. A write sets all of them. */
export const DIRTY = {
  DISPLAY: 1,
  /** Saved states: pages that differ from the state that was saved or loaded last. */
  STATE: 2,
  ALL: 0xff,
} as const;

/** Where the content of RAM pages comes from that have not been needed yet since a state was loaded. */
export interface PageSource {
  /** Writes the content of RAM page `page` to `target`. What it throws ends the machine. */
  read(page: number, target: Uint8Array): void;
}

export interface PhysicalMemoryListener {
  /** The page map changed: translations are stale. */
  mapChanged(): void;
  /** Guest physical [address, address + length) was written by something other than the CPU. */
  written(address: number, length: number): void;
  /** Dirty marks were cleared: the next write to those pages must be noticed again. */
  dirtyCleared(): void;
  /** Dirty marks are about to be read: an engine that logs writes elsewhere brings them up to date. */
  collectDirty?(): void;
  /** From now on writes to RAM must be noticed too: somebody watches it. */
  watchRam?(): void;
}

export class PhysicalMemory implements DmaMemory {
  readonly layout: MemoryLayout;
  /** The whole emulator memory. */
  readonly buffer: SharedArrayBuffer;
  private readonly bytes: Uint8Array;
  private readonly view: DataView;
  private readonly pageMap: Uint32Array;
  private readonly dirty: Uint8Array;
  private readonly granules: Uint32Array;
  private readonly listeners: PhysicalMemoryListener[] = [];
  private mapChanges = 0;
  /** 1 for each RAM page that is still to be filled; undefined when there is none. */
  private absent: Uint8Array | undefined;
  private absentLeft = 0;
  private source: PageSource | undefined;

  constructor(buffer: SharedArrayBuffer, layout: MemoryLayout) {
    this.buffer = buffer;
    this.layout = layout;
    this.bytes = new Uint8Array(buffer);
    this.view = new DataView(buffer);
    this.pageMap = new Uint32Array(buffer, layout.pageMapBase, PAGE.PHYS_PAGES);
    this.dirty = new Uint8Array(buffer, layout.dirtyBase, layout.trackedPages);
    this.granules = new Uint32Array(buffer, layout.granuleBase, layout.trackedPages * 2);
  }

  get ramBytes(): number {
    return this.layout.ramBytes;
  }

  /** RAM below the PCI hole. */
  get lowRamBytes(): number {
    return Math.min(this.layout.ramBytes, LOW_RAM_LIMIT);
  }

  /** RAM from 4 GiB up. */
  get highRamBytes(): number {
    return this.layout.ramBytes - this.lowRamBytes;
  }

  get ram(): Uint8Array {
    return this.bytes.subarray(this.layout.ramBase, this.layout.ramBase + this.layout.ramBytes);
  }

  get rom(): Uint8Array {
    return this.bytes.subarray(this.layout.romBase, this.layout.romBase + this.layout.romBytes);
  }

  get vram(): Uint8Array {
    return this.bytes.subarray(this.layout.vramBase, this.layout.vramBase + this.layout.vramBytes);
  }

  /** The page map, one word a guest page (PAGE in core/cpu/isa/layout.ts), to be read only. */
  get pageMapWords(): Uint32Array {
    return this.pageMap;
  }

  /** Counts calls of map() and unmap(). */
  get mapRevision(): number {
    return this.mapChanges;
  }

  addListener(listener: PhysicalMemoryListener): void {
    this.listeners.push(listener);
  }

  /**
   * Maps guest physical pages to backing memory.
   * @param address guest physical, page aligned
   * @param host address in emulator memory, page aligned
   * @param flags PAGE.READ | PAGE.WRITE | PAGE.RAM
   */
  map(address: number, length: number, host: number, flags: number): void {
    const first = address / PAGE_BYTES;
    const pages = length / PAGE_BYTES;
    this.mapChanges++;
    for (let page = 0; page < pages && first + page < PAGE.PHYS_PAGES; page++) {
      const backing = host + page * PAGE_BYTES;
      this.pageMap[first + page] = backing | flags | (this.isAbsent(backing) ? PAGE.ABSENT : 0);
    }
  }

  /** Gives the range to MMIO. */
  unmap(address: number, length: number): void {
    const first = address / PAGE_BYTES;
    this.mapChanges++;
    this.pageMap.fill(0, first, Math.min(first + Math.ceil(length / PAGE_BYTES), PAGE.PHYS_PAGES));
  }

  /** Maps RAM at 0 and, above the PCI hole, at 4 GiB. */
  mapRam(): void {
    const flags = PAGE.READ | PAGE.WRITE | PAGE.RAM;
    this.map(0, this.lowRamBytes, this.layout.ramBase, flags);
    if (this.highRamBytes > 0) this.map(FOUR_GIB, this.highRamBytes, this.layout.ramBase + this.lowRamBytes, flags);
  }

  /** Call after a set of map/unmap calls at run time. */
  notifyMapChanged(): void {
    for (const listener of this.listeners) listener.mapChanged();
  }

  /** The same as ramHost(); the `size` bytes there are filled. */
  private presentHost(address: number, size: number): number {
    const host = this.ramHost(address);
    if (this.absent !== undefined && host >= 0) this.fillBacking(host, size);
    return host;
  }

  /** Address in emulator memory of a RAM byte, or -1 outside RAM. RAM is addressed as DMA sees it: PAM does not matter. */
  private ramHost(address: number): number {
    if (address < this.lowRamBytes) return this.layout.ramBase + address;
    if (address >= FOUR_GIB && address < FOUR_GIB + this.highRamBytes) {
      return this.layout.ramBase + this.lowRamBytes + (address - FOUR_GIB);
    }
    return -1;
  }

  /** Whether all of guest physical [address, address + length) is RAM. */
  isRam(address: number, length: number): boolean {
    return this.ramLeft(address) >= length;
  }

  /** Bytes from `address` to the end of its RAM range; 0 outside RAM. */
  private ramLeft(address: number): number {
    if (address < this.lowRamBytes) return this.lowRamBytes - address;
    if (address >= FOUR_GIB) return Math.max(0, FOUR_GIB + this.highRamBytes - address);
    return 0;
  }

  read(address: number, target: Uint8Array): void {
    const length = Math.min(target.length, this.ramLeft(address));
    if (length > 0) {
      const host = this.ramHost(address);
      if (this.absent !== undefined) this.fillBacking(host, length);
      target.set(this.bytes.subarray(host, host + length));
    }
    if (length < target.length) target.fill(0xff, length);
  }

  write(address: number, source: Uint8Array): void {
    const length = Math.min(source.length, this.ramLeft(address));
    if (length <= 0) return;
    const host = this.ramHost(address);
    if (this.absent !== undefined) this.fillBacking(host, length);
    this.bytes.set(length === source.length ? source : source.subarray(0, length), host);
    this.touched(address, host, length);
  }

  read8(address: number): number {
    const host = this.presentHost(address, 1);
    return host < 0 ? 0xff : (this.bytes[host] ?? 0xff);
  }

  read16(address: number): number {
    if (this.ramLeft(address) < 2) return 0xffff;
    return this.view.getUint16(this.presentHost(address, 2), true);
  }

  read32(address: number): number {
    if (this.ramLeft(address) < 4) return 0xffffffff;
    return this.view.getUint32(this.presentHost(address, 4), true);
  }

  write8(address: number, value: number): void {
    const host = this.presentHost(address, 1);
    if (host < 0) return;
    this.bytes[host] = value;
    this.touched(address, host, 1);
  }

  write16(address: number, value: number): void {
    if (this.ramLeft(address) < 2) return;
    const host = this.presentHost(address, 2);
    this.view.setUint16(host, value, true);
    this.touched(address, host, 2);
  }

  write32(address: number, value: number): void {
    if (this.ramLeft(address) < 4) return;
    const host = this.presentHost(address, 4);
    this.view.setUint32(host, value, true);
    this.touched(address, host, 4);
  }

  /** Marks pages dirty and tells the CPUs when decoded code may have been overwritten. */
  private touched(address: number, host: number, length: number): void {
    const first = (host - this.layout.ramBase) >>> 12;
    const last = (host + length - 1 - this.layout.ramBase) >>> 12;
    let code = false;
    for (let page = first; page <= last; page++) {
      this.dirty[page] = DIRTY.ALL;
      code ||= (this.granules[page * 2] ?? 0) !== 0 || (this.granules[page * 2 + 1] ?? 0) !== 0;
    }
    if (code) for (const listener of this.listeners) listener.written(address, length);
  }

  /**
   * The backing bytes of guest physical [address, address + length) inside one page as the page map has them, or undefined
   * when accesses of that kind do not go direct.
   */
  directBytes(address: number, length: number, forWriting: boolean): Uint8Array | undefined {
    const entry = this.pageMap[Math.floor(address / PAGE_BYTES)] ?? 0;
    if ((entry & (forWriting ? PAGE.WRITE : PAGE.READ)) === 0) return undefined;
    const host = ((entry & PAGE.HOST_MASK) >>> 0) + (address % PAGE_BYTES);
    if ((entry & PAGE.ABSENT) !== 0) this.fillBacking(host, length);
    return this.bytes.subarray(host, host + length);
  }

  /** Bytes given by directBytes() were written. */
  noteWritten(address: number, length: number): void {
    const entry = this.pageMap[Math.floor(address / PAGE_BYTES)] ?? 0;
    if ((entry & PAGE.RAM) !== 0) this.touched(address, ((entry & PAGE.HOST_MASK) >>> 0) + (address % PAGE_BYTES), length);
  }

  /**
   * The processor of an engine with a write log of its own wrote to guest physical [address, address + length), which lies
   * at `host` in emulator memory.
   */
  noteHostWrite(address: number, host: number, length: number): void {
    this.touched(address, host, length);
  }

  /** Nobody knows what was written: every RAM page counts, and no code decoded from RAM is valid. */
  markAllRamDirty(): void {
    this.dirty.fill(DIRTY.ALL, 0, this.layout.ramBytes / PAGE_BYTES);
    for (const listener of this.listeners) {
      listener.written(0, this.lowRamBytes);
      if (this.highRamBytes > 0) listener.written(FOUR_GIB, this.highRamBytes);
    }
  }

  /** All of memory was replaced (a state was loaded): everything is dirty and no decoded code is valid. */
  contentsReplaced(): void {
    this.dirty.fill(DIRTY.ALL);
    for (const listener of this.listeners) {
      listener.written(0, this.lowRamBytes);
      if (this.highRamBytes > 0) listener.written(FOUR_GIB, this.highRamBytes);
      listener.mapChanged();
    }
  }

  /** Makes all of RAM zero before a state is loaded; pages that nobody has written to since power-on are so already. */
  clearRam(): void {
    this.collectDirty();
    for (let page = 0; page < this.layout.ramBytes / PAGE_BYTES; page++) {
      if (this.dirty[page] === 0) continue;
      const at = this.layout.ramBase + page * PAGE_BYTES;
      this.bytes.fill(0, at, at + PAGE_BYTES);
    }
  }

  /** Brings the dirty bytes up to date; call before reading them. */
  collectDirty(): void {
    for (const listener of this.listeners) listener.collectDirty?.();
  }

  /** True when a page of VRAM bytes [from, to) was written since it was last asked; clears the mark. */
  takeVramDirty(from: number, to: number): boolean {
    this.collectDirty();
    const base = (this.layout.vramBase - this.layout.ramBase) >>> 12;
    const end = base + ((to - 1) >>> 12) + 1;
    let found = false;
    for (let page = base + (from >>> 12); page < end; page++) found = this.clearMark(page, DIRTY.DISPLAY) || found;
    if (found) for (const listener of this.listeners) listener.dirtyCleared();
    return found;
  }

  /** @returns whether the mark was set */
  private clearMark(page: number, mark: number): boolean {
    if (((this.dirty[page] ?? 0) & mark) === 0) return false;
    // Processors in other threads set marks at the same time.
    Atomics.and(this.dirty, page, ~mark & 0xff);
    return true;
  }

  /** Begins to watch for the pages that change from now on, see takeStateDirty(): there is none yet. */
  watchState(): void {
    for (const listener of this.listeners) listener.watchRam?.();
    this.takeStateDirty(new Uint8Array(this.layout.trackedPages));
  }

  /**
   * Adds to `pages` (one byte a page of RAM, ROM and VRAM, in this order) a 1 for each page that was written since it was
   * last asked, and clears the marks.
   */
  takeStateDirty(pages: Uint8Array): void {
    this.collectDirty();
    let found = false;
    for (let page = 0; page < pages.length; page++) {
      if (!this.clearMark(page, DIRTY.STATE)) continue;
      pages[page] = 1;
      found = true;
    }
    if (found) for (const listener of this.listeners) listener.dirtyCleared();
  }

  // --- pages that are filled when they are needed --------------------------------------------------------------------

  /**
   * After contentsReplaced(): the content of some RAM pages comes from `source` when it is needed.
   * @param pages one byte a RAM page: 1 = not there yet
   */
  setAbsent(pages: Uint8Array, source: PageSource): void {
    this.absent = pages;
    this.absentLeft = 0;
    this.source = source;
    for (let page = 0; page < pages.length; page++) {
      if (pages[page] === 0) continue;
      this.absentLeft++;
      this.markMap(page, true);
    }
    if (this.absentLeft === 0) this.absent = this.source = undefined;
    for (const listener of this.listeners) listener.mapChanged();
  }

  /**
   * RAM is as it is, but somebody must see it before it changes: `source` is asked to read each page before its first use,
   * when it finds the content there. Pages that nobody has written to since power-on are told at once.
   * All pages must be there.
   */
  holdPages(source: PageSource, onZeroes: (page: number) => void): void {
    this.collectDirty();
    const pages = new Uint8Array(this.layout.ramBytes / PAGE_BYTES);
    for (let page = 0; page < pages.length; page++) {
      if (this.dirty[page] === 0) onZeroes(page);
      else pages[page] = 1;
    }
    this.setAbsent(pages, source);
  }

  /** Whether pages of that source are still unused. */
  isHeldBy(source: PageSource): boolean {
    return this.source === source;
  }

  get absentPages(): number {
    return this.absentLeft;
  }

  isPageAbsent(page: number): boolean {
    return this.absent?.[page] === 1;
  }

  private isAbsent(host: number): boolean {
    return this.absent?.[(host - this.layout.ramBase) >>> 12] === 1;
  }

  /** Where the page map may show a RAM page: where the board puts it, and nowhere else. */
  private markMap(page: number, absent: boolean): void {
    const low = this.lowRamBytes / PAGE_BYTES;
    const guestPage = page < low ? page : page - low + FOUR_GIB / PAGE_BYTES;
    const entry = this.pageMap[guestPage] ?? 0;
    if ((entry & PAGE.HOST_MASK) >>> 0 !== this.layout.ramBase + page * PAGE_BYTES) return;
    this.pageMap[guestPage] = absent ? entry | PAGE.ABSENT : entry & ~PAGE.ABSENT;
  }

  private fillBacking(host: number, length: number): void {
    const first = (host - this.layout.ramBase) >>> 12;
    const last = (host + length - 1 - this.layout.ramBase) >>> 12;
    for (let page = first; page <= last; page++) this.fillRamPage(page);
  }

  /** Fills the page behind a guest physical page, for a processor that is about to use it. */
  fillPage(guestPage: number): void {
    const host = ((this.pageMap[guestPage] ?? 0) & PAGE.HOST_MASK) >>> 0;
    this.fillRamPage((host - this.layout.ramBase) >>> 12);
  }

  /** Fills RAM page `page` unless it is there. */
  fillRamPage(page: number): void {
    const { absent, source } = this;
    if (absent?.[page] !== 1) return;
    const at = this.layout.ramBase + page * PAGE_BYTES;
    source?.read(page, this.bytes.subarray(at, at + PAGE_BYTES));
    absent[page] = 0;
    this.markMap(page, false);
    if (--this.absentLeft === 0) this.absent = this.source = undefined;
  }

  /** Fills everything that is still absent. */
  fillAll(): void {
    for (let page = 0; this.absentLeft > 0; page++) this.fillRamPage(page);
  }
}
