// The JIT of one vCPU: hears of hot blocks, requests regions, installs what was compiled, removes regions whose code was
// written. Runs on the vCPU's thread and never waits; compiling happens behind RegionCompiler.

import { AREA, BLOCK, JIT_TARGET, offsetOf, TLB } from '../isa/layout.ts';
import { BlockCopies } from './block-copies.ts';
import { compilable, discover, type Neighbours } from './discovery.ts';
import { type BlockCopy, physicalPageOf } from './op-record.ts';
import { IMPORTS, TLB_ENTRY_MASK, TLB_ENTRY_SHIFT } from './region-code.ts';
import { type IndirectTargets, MOST_COMPARED } from './region-graph.ts';
import type { RegionRequest, RegionResult } from './region-module.ts';

/** Exports of the interpreter that the JIT uses (core/cpu/interp/assembly/index.ts). */
export interface JitExports {
  readonly table: WebAssembly.Table;
  setJitThreshold(value: number): void;
  jitFind(physLow: number, key: number): number;
  jitWatch(block: number): void;
  jitInstall(head: number, index: number, need: number): void;
  jitRemove(head: number): void;
  jitRetiredCount(): number;
}

export interface CompiledBatch {
  readonly module: WebAssembly.Module | undefined;
  readonly results: readonly RegionResult[];
  /** Milliseconds that emitting and compiling took. */
  readonly ms: number;
  readonly bytes: number;
  /** Why a region could not be made, when that is a mistake of the JIT. */
  readonly problem?: string;
}

/** Compiles regions, at once or on another thread. */
export interface RegionCompiler {
  submit(request: RegionRequest): void;
  /** False when what was submitted takes time: then only poll() looks for it. */
  readonly immediate: boolean;
  /** A finished batch, undefined when there is none. */
  take(): CompiledBatch | undefined;
  dispose(): void;
}

export interface JitOptions {
  readonly memory: WebAssembly.Memory;
  /** Address of the vCPU's register file. */
  readonly cpu: number;
  readonly exports: JitExports;
  readonly compiler: RegionCompiler;
  /** Look-ups that make a block hot. */
  readonly threshold: number;
  /** Bytes of WebAssembly after which everything is thrown away. */
  readonly mostCacheBytes?: number;
  /** Most instructions of a region, for tests that count exactly: then a region is the beginning of one block. */
  readonly mostInstructions?: () => number;
}

export interface JitStats {
  /** How often everything was thrown away because the cache was full. */
  readonly evictions: number;
  readonly regions: number;
  readonly compiles: number;
  readonly compileMs: number;
  readonly cacheBytes: number;
  readonly retired: number;
}

/** hostNotify kinds, see core/cpu/interp/assembly/blocks.ts. */
const NOTIFY = { HOT: 2, KILLED: 3, FLUSHED: 4 } as const;
const DEAD = 0xffff_ffff;
const PAGE_BYTES = 4096;
/** ES, SS, DS: JIT_CONTEXT tells when they are not flat. */
const FLAT_CANDIDATES = [0, 2, 3];
/** Tests with lower thresholds want everything compiled at once. */
const LEAST_TO_POSTPONE = 16;
/**
 * Regions that the compiler has at a time: enough to be busy until the next look, few enough that what gets very hot need not wait for
 * what hardly did.
 */
const MOST_PENDING = 8;
/** The TLBs that fetches go through: of the user, of the supervisor. */
const FETCH_TABLES = [0, 1];
/** Tables of indirect targets. */
const TABLES = 1024;
const FLAT_END = 0x1_0000_0000n;
/** The bound of the cache when the options say nothing: V8 holds several times as much machine code. */
const MOST_CACHE_BYTES = 48 << 20;

interface Region {
  readonly head: number;
  readonly blocks: readonly number[];
  readonly generation: number;
  /** Table index, 0 while it is being compiled. */
  index: number;
  /** Table of indirect targets, 0 for none. */
  table: number;
  dead: boolean;
}

export class JitEngine {
  private readonly options: JitOptions;
  private readonly bytes: Uint8Array;
  private readonly view: DataView;
  private readonly copies: BlockCopies;
  private readonly imports: WebAssembly.Imports;
  private readonly freeIndices: number[] = [];
  private readonly pending = new Map<number, Region>();
  private readonly regionsOf = new Map<number, Set<Region>>();
  private readonly freeTables: number[] = [];
  private readonly postponed = new Set<number>();
  /** Hot heads that the compiler has not been asked for. */
  private readonly waiting: number[] = [];
  /** Linear page (low and high half) at which hot heads ran. */
  private readonly ranAt = new Map<number, readonly [number, number]>();
  private nextId = 1;
  private generation = 0;
  private regions = 0;
  private compiles = 0;
  private compileMs = 0;
  private cacheBytes = 0;
  private evictions = 0;

  constructor(options: JitOptions) {
    this.options = options;
    const { buffer } = options.memory;
    this.bytes = new Uint8Array(buffer);
    this.view = new DataView(buffer);
    this.copies = new BlockCopies(this.bytes);
    const tables = options.cpu + AREA.JIT + JIT_TARGET.COUNT * JIT_TARGET.ENTRY_BYTES;
    for (let i = TABLES - 1; i >= 0; i--) this.freeTables.push(tables + i * PAGE_BYTES);
    const env: Record<string, WebAssembly.ImportValue> = { memory: options.memory, table: options.exports.table };
    for (const name of IMPORTS) env[name] = (options.exports as unknown as Record<string, WebAssembly.ImportValue>)[name] as WebAssembly.ImportValue;
    this.imports = { env };
    options.exports.setJitThreshold(options.threshold);
  }

  /** The interpreter's hostNotify. */
  notify(kind: number, block: number): void {
    if (kind === NOTIFY.HOT) this.hot(block >>> 0);
    else if (kind === NOTIFY.KILLED) this.killed(block >>> 0);
    else if (kind === NOTIFY.FLUSHED) this.flushed();
  }

  private hot(head: number): void {
    if (!compilable(this.view.getUint32(head + BLOCK.KEY, true))) return;
    const pageRip = this.options.cpu + offsetOf('GPR', 17);
    this.ranAt.set(head, [this.view.getUint32(pageRip, true), this.view.getUint32(pageRip + 4, true)]);
    if (this.options.compiler.immediate) this.request(head);
    else this.waiting.push(head);
  }

  /** Keeps the compiler busy with what has become hottest meanwhile. */
  private requestHottest(): void {
    const { view, waiting, pending } = this;
    const heat = (head: number): number => view.getInt32(head + BLOCK.COUNTER, true);
    while (waiting.length > 0 && pending.size < MOST_PENDING) {
      let hottest = 0;
      for (let i = 1; i < waiting.length; i++) if (heat(waiting[i] as number) > heat(waiting[hottest] as number)) hottest = i;
      const [head = 0] = waiting.splice(hottest, 1);
      if (view.getUint32(head + BLOCK.PHYS, true) !== DEAD) this.request(head);
    }
  }

  private request(head: number): void {
    const { view } = this;
    if (this.postpone(head)) return;
    const wide = (view.getUint32(head + BLOCK.KEY, true) & 3) === 2;
    const { threshold, exports, cpu } = this.options;
    const { blocks, targets } = discover(this.copies, view, exports, cpu, head, { threshold, neighbours: wide ? this.neighboursOf(head) : undefined, cutAfter: this.options.mostInstructions?.() });
    const region: Region = { head, blocks: blocks.map((block) => block.address), generation: this.generation, index: 0, table: 0, dead: false };
    const id = this.nextId++;
    this.pending.set(id, region);
    for (const block of region.blocks) {
      const list = this.regionsOf.get(block);
      if (list === undefined) this.regionsOf.set(block, new Set([region]));
      else list.add(region);
      this.options.exports.jitWatch(block);
    }
    this.options.compiler.submit({ id, setup: { cpu: this.options.cpu, wide, flatSegments: wide ? 0 : this.flatSegments() }, blocks, ...this.targetTable(region, blocks, targets) });
    if (this.options.compiler.immediate) this.poll();
  }

  /** Physical pages around a head as the TLB has them, when it still has the head's page where the head ran. */
  private neighboursOf(head: number): Neighbours | undefined {
    const [low, high] = this.ranAt.get(head) ?? [0, 0];
    this.ranAt.delete(head);
    const { view } = this;
    const pageAt = (table: number, distance: number): number | undefined => {
      const sum = low + distance;
      const entry = this.options.cpu + AREA.TLB + table * TLB.TABLE_BYTES + ((sum >>> TLB_ENTRY_SHIFT) & TLB_ENTRY_MASK);
      const same = view.getUint32(entry + TLB.TAG_EXEC, true) === sum >>> 0 && view.getUint32(entry + TLB.TAG_EXEC + 4, true) === (high + Math.floor(sum / 0x1_0000_0000)) >>> 0;
      return same ? view.getUint32(entry + TLB.PHYS_PAGE, true) : undefined;
    };
    const physical = physicalPageOf(view.getUint32(head + BLOCK.PHYS, true), view.getUint32(head + BLOCK.KEY, true));
    const table = FETCH_TABLES.find((number) => pageAt(number, 0) === physical >>> 0);
    return table === undefined ? undefined : (distance) => pageAt(table, distance);
  }

  /**
   * A block inside a region that is there or on its way gets hot as its head does, and is not entered on its own any more once
   * that region runs: it has to get hot a second time.
   */
  private postpone(head: number): boolean {
    if (this.options.threshold < LEAST_TO_POSTPONE || !this.regionsOf.has(head) || this.postponed.has(head)) return false;
    this.postponed.add(head);
    this.cool(head);
    return true;
  }

  /** Takes and fills one of the tables by page offset when some jump has many targets; without one, they are compared. */
  private targetTable(region: Region, blocks: readonly BlockCopy[], nodes: IndirectTargets['nodes']): { targets: IndirectTargets } {
    const table = nodes.some((list) => list.length > MOST_COMPARED) ? this.freeTables.pop() : undefined;
    if (table === undefined) return { targets: { table: 0, nodes } };
    region.table = table;
    this.bytes.fill(0, table, table + PAGE_BYTES);
    blocks.forEach(({ address, page }, i) => {
      if (page === 0) this.bytes[table + (this.view.getUint32(address + BLOCK.PHYS, true) & 0xfff)] = i + 1;
    });
    return { targets: { table, nodes } };
  }

  /** Segments with base 0 that may be read and written up to 4 GiB. */
  private flatSegments(): number {
    const { view } = this;
    const { cpu } = this.options;
    let flat = 0;
    for (const segment of FLAT_CANDIDATES) {
      const value = (name: string): bigint => view.getBigUint64(cpu + offsetOf(name, segment), true);
      if (value('SEG_BASE') === 0n && value('SEG_READ_END') === FLAT_END && value('SEG_WRITE_END') === FLAT_END) flat |= 1 << segment;
    }
    return flat;
  }

  /** Installs what has been compiled; to be called between runs. */
  poll(): void {
    this.takeBatches();
    if (this.waiting.length === 0) return;
    this.requestHottest();
    // Hands over what was requested.
    this.takeBatches();
  }

  private takeBatches(): void {
    for (let batch = this.options.compiler.take(); batch !== undefined; batch = this.options.compiler.take()) this.install(batch);
  }

  private install(batch: CompiledBatch): void {
    this.compileMs += batch.ms;
    if (this.cacheBytes > (this.options.mostCacheBytes ?? MOST_CACHE_BYTES)) this.evict();
    const wanted = batch.results.filter(({ id, need }) => {
      const region = this.pending.get(id);
      this.pending.delete(id);
      if (region === undefined) return false;
      const alive = need > 0 && !region.dead && region.generation === this.generation && region.blocks.every((block) => this.view.getUint32(block + BLOCK.PHYS, true) !== DEAD);
      if (alive) this.installed.push(region);
      else this.forget(region);
      return alive;
    });
    const regions = this.installed.splice(0);
    if (batch.module === undefined || wanted.length === 0) return;
    const instance = new WebAssembly.Instance(batch.module, this.imports);
    this.compiles++;
    this.cacheBytes += batch.bytes;
    wanted.forEach((result, i) => {
      const region = regions[i] as Region;
      region.index = this.newIndex();
      this.options.exports.table.set(region.index, instance.exports[result.name] as () => number);
      this.options.exports.jitInstall(region.head, region.index, result.need);
      this.regions++;
    });
  }

  private readonly installed: Region[] = [];

  private newIndex(): number {
    const free = this.freeIndices.pop();
    if (free !== undefined) return free;
    const first = this.options.exports.table.grow(256);
    for (let i = 255; i > 0; i--) this.freeIndices.push(first + i);
    return first;
  }

  private forget(region: Region): void {
    region.dead = true;
    for (const block of region.blocks) {
      const list = this.regionsOf.get(block);
      list?.delete(region);
      if (list?.size === 0) this.regionsOf.delete(block);
    }
    this.release(region);
  }

  /** The head is interpreted again, and counted from the start. It may still belong to other regions: they must hear when it dies. */
  private remove(region: Region): void {
    this.options.exports.jitRemove(region.head);
    this.options.exports.jitWatch(region.head);
    this.cool(region.head);
  }

  /** Counting starts anew. */
  private cool(block: number): void {
    this.view.setInt32(block + BLOCK.COUNTER, -this.options.threshold, true);
  }

  private release(region: Region): void {
    if (region.table !== 0) this.freeTables.push(region.table);
    region.table = 0;
    if (region.index === 0) return;
    this.options.exports.table.set(region.index, null);
    this.freeIndices.push(region.index);
    region.index = 0;
    this.regions--;
  }

  private killed(block: number): void {
    for (const region of [...(this.regionsOf.get(block) ?? [])]) {
      if (region.index !== 0) this.remove(region);
      this.forget(region);
    }
  }

  /** The pool of blocks was dropped: nothing refers to the regions any more. */
  private flushed(): void {
    this.generation++;
    this.postponed.clear();
    this.waiting.length = 0;
    this.ranAt.clear();
    for (const list of this.regionsOf.values()) for (const region of list) this.release(region);
    this.regionsOf.clear();
    this.cacheBytes = 0;
  }

  /** Throws the compiled code away; blocks become hot again when they are. */
  private evict(): void {
    this.evictions++;
    for (const list of this.regionsOf.values()) {
      for (const region of list) {
        region.dead = true;
        if (region.index === 0) continue;
        this.remove(region);
        this.release(region);
      }
    }
    this.regionsOf.clear();
    this.cacheBytes = 0;
  }

  stats(): JitStats {
    return {
      evictions: this.evictions, regions: this.regions, compiles: this.compiles, compileMs: this.compileMs, cacheBytes: this.cacheBytes, retired: this.options.exports.jitRetiredCount(),
    };
  }

  dispose(): void {
    this.options.exports.setJitThreshold(0);
    this.options.compiler.dispose();
  }
}
