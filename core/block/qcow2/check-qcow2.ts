// Checks a qcow2 image: counts every use of every cluster and compares with the stored refcounts and flags. Repairs are in
// repair-refcounts.ts.

import { setImmediate } from 'node:timers/promises';
import { NestboxError, throwIfCancelled } from '../../base/errors.ts';
import type { HostFile } from '../../host/files/host-file.ts';
import { ClusterCounts } from './cluster-counts.ts';
import { type Qcow2Header, readHeader } from './header.ts';
import { ImageIo } from './image-io.ts';
import * as Q from './layout.ts';
import { getRefcount } from './refcount-entries.ts';
import { lowerCounts, rebuildRefcounts } from './repair-refcounts.ts';
import { readSnapshotTable } from './snapshot-table.ts';

export type RepairMode = 'leaks' | 'all';

export interface CheckOptions {
  readonly repair?: RepairMode | undefined;
  /** Called with how much of the work is done, at most a few hundred times; ends at `total`. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  /** Ends it between two tables. A repair that was cut off leaves an image that is no worse than before. */
  readonly signal?: AbortSignal | undefined;
}

export interface CheckReport {
  /** What is wrong now, after any repair. */
  corruptions: number;
  leaks: number;
  repairedCorruptions: number;
  repairedLeaks: number;
  /** The first findings in words. */
  messages: string[];
  totalClusters: number;
  allocatedClusters: number;
  compressedClusters: number;
  /** One past the last byte in use. */
  imageEndBytes: number;
}

const MAX_MESSAGES = 100;
/** Differences kept for repair: bounds the memory that a hostile image costs. */
const MAX_REMEMBERED = 2 ** 20;

/** Steps that progress is counted in: one check of an image. */
const CHECK_STEPS = 100;

/** @throws NestboxError when the header itself cannot be used, `cancelled` */
export async function checkQcow2(file: HostFile, options: CheckOptions = {}): Promise<CheckReport> {
  // A repair checks again when it is done.
  const total = options.repair === undefined ? CHECK_STEPS : 2 * CHECK_STEPS;
  let told = -1;
  const progressAfter = (before: number) => async (share: number): Promise<void> => {
    const done = before + Math.floor(share * CHECK_STEPS);
    if (done <= told) return;
    told = done;
    options.onProgress?.(done, total);
    // Reads from the host's cache never give up the thread, and whoever wants to cancel must be heard.
    await setImmediate();
  };
  const first = await new Checker(file, await readHeader(file), options, progressAfter(0)).run();
  if (options.repair === undefined || first.report.corruptions + first.report.leaks + first.marks === 0) {
    await progressAfter(total - CHECK_STEPS)(1);
    return first.report;
  }
  await first.repair(options.repair);
  const second = await new Checker(file, await readHeader(file), options, progressAfter(CHECK_STEPS)).run();
  second.report.repairedCorruptions = Math.max(0, first.report.corruptions - second.report.corruptions);
  second.report.repairedLeaks = Math.max(0, first.report.leaks - second.report.leaks);
  if (options.repair === 'all' && second.report.corruptions === 0) await second.clearMarks();
  return second.report;
}

/** Parts of a check, and how much of it is done when each ends: tables are read twice, refcounts take a fraction of that. */
const PARTS = { tables: [0, 0.5], refcounts: [0.5, 0.6], flags: [0.6, 1] } as const;

class Checker {
  readonly report: CheckReport;
  private readonly file: HostFile;
  private readonly io: ImageIo;
  private readonly header: Qcow2Header;
  private readonly options: CheckOptions;
  /** Told the share of the check that is done, 0 to 1. */
  private readonly progress: (share: number) => Promise<void>;
  private readonly counts = new ClusterCounts();
  private readonly perBlock: number;
  private table = Q.viewOf(new Uint8Array(0));
  private activeL1 = Q.viewOf(new Uint8Array(0));
  /** Clusters whose stored count is too high, as many as are remembered. */
  private readonly tooHigh: number[] = [];
  /** Stored counts that differ from what was found, as many as are remembered. */
  private readonly stored = new Map<number, number>();
  private needsRebuild = false;
  private flagErrors = 0;

  constructor(file: HostFile, header: Qcow2Header, options: CheckOptions, progress: (share: number) => Promise<void>) {
    this.progress = progress;
    this.file = file;
    this.header = header;
    this.options = options;
    this.io = new ImageIo(file, header.clusterBytes);
    this.perBlock = (header.clusterBytes * 8) >>> header.refcountOrder;
    this.report = {
      corruptions: 0,
      leaks: 0,
      repairedCorruptions: 0,
      repairedLeaks: 0,
      messages: [],
      totalClusters: Math.ceil(header.sizeBytes / header.clusterBytes),
      allocatedClusters: 0,
      compressedClusters: 0,
      imageEndBytes: 0,
    };
  }

  /** The dirty and corrupt marks of the header. */
  get marks(): number {
    return this.header.incompatible & (Q.INCOMPATIBLE_DIRTY | Q.INCOMPATIBLE_CORRUPT);
  }

  async run(): Promise<this> {
    const { header } = this;
    this.use(0, header.clusterBytes, 'the header');
    this.use(header.refcountTableOffset, header.refcountTableClusters * header.clusterBytes, 'the refcount table');
    await this.countTables();
    await this.countBitmaps();
    await this.compareRefcounts();
    await this.checkFlags();
    await this.progress(1);
    this.report.imageEndBytes = this.counts.endCluster * header.clusterBytes;
    return this;
  }

  private corrupt(text: string): void {
    this.report.corruptions++;
    this.say(`damage: ${text}`);
  }

  private say(text: string): void {
    if (this.report.messages.length < MAX_MESSAGES) this.report.messages.push(text);
  }

  /** Before each table: the place to be cancelled. */
  private async step(part: keyof typeof PARTS, done: number, total: number): Promise<void> {
    throwIfCancelled(this.options.signal, 'check image');
    const [start, end] = PARTS[part];
    await this.progress(start + ((end - start) * done) / total);
  }

  /** Counts a use; false when the range leaves the file. */
  private use(offset: number, length: number, what: string, times = 1): boolean {
    if (length === 0) return true;
    const first = Math.floor(offset / this.header.clusterBytes);
    const last = Math.floor((offset + length - 1) / this.header.clusterBytes);
    if (last >= this.io.endCluster) {
      this.corrupt(`${what} at ${offset} lies beyond the end of the file`);
      return false;
    }
    for (let cluster = first; cluster <= last; cluster++) this.counts.add(cluster, times);
    return true;
  }

  private async readTable(offset: number, bytes: number): Promise<DataView> {
    const content = new Uint8Array(bytes);
    await this.io.read(offset, content);
    return Q.viewOf(content);
  }

  private async countTables(): Promise<void> {
    const { header } = this;
    const uses = new Map<number, { times: number; active: boolean }>();
    const collect = async (offset: number, entries: number, active: boolean): Promise<void> => {
      const name = active ? 'the L1 table' : 'the L1 table of a snapshot';
      if (!this.use(offset, entries * 8, name)) return;
      const l1 = await this.readTable(offset, entries * 8);
      if (active) this.activeL1 = l1;
      for (let index = 0; index < entries; index++) {
        const place = Q.entryOffset(l1.getUint32(index * 8), l1.getUint32(index * 8 + 4));
        if (place === 0) continue;
        if (place % header.clusterBytes !== 0) {
          this.corrupt(`L2 table ${index} is not aligned to a cluster (${place})`);
          continue;
        }
        if (!this.use(place, header.clusterBytes, `L2 table ${index}`)) continue;
        const known = uses.get(place);
        if (known === undefined) uses.set(place, { times: 1, active });
        else {
          known.times++;
          known.active ||= active;
        }
      }
    };
    await collect(header.l1Offset, header.l1Entries, true);
    if (header.snapshotCount > 0) {
      try {
        const { snapshots, sizeBytes } = await readSnapshotTable(this.io, header);
        this.use(header.snapshotsOffset, sizeBytes, 'the snapshot table');
        for (const snapshot of snapshots) await collect(snapshot.l1Offset, snapshot.l1Entries, false);
      } catch (error) {
        if (!(error instanceof NestboxError) || error.kind !== 'bad-input') throw error;
        this.corrupt(error.message);
      }
    }
    let done = 0;
    for (const [offset, { times, active }] of uses) {
      await this.step('tables', done++, uses.size);
      await this.countL2(offset, times, active);
    }
  }

  private async countL2(offset: number, times: number, active: boolean): Promise<void> {
    const { clusterBytes, clusterBits, version } = this.header;
    const table = await this.readTable(offset, clusterBytes);
    for (let at = 0; at < clusterBytes; at += 8) {
      const high = table.getUint32(at);
      const low = table.getUint32(at + 4);
      if (high === 0 && low === 0) continue;
      if ((high & Q.HIGH_COMPRESSED) !== 0) {
        if ((high & Q.HIGH_COPIED) !== 0) this.corrupt('a compressed cluster is marked as the only user');
        const place = Q.compressedPlace(high, low, clusterBits);
        if (this.use(place.offset, place.length, 'a compressed cluster', times) && active) {
          this.report.compressedClusters++;
          this.report.allocatedClusters++;
        }
        continue;
      }
      if ((low & Q.LOW_ZERO) !== 0 && version < 3) this.corrupt('a version 2 image has a zero cluster');
      const place = Q.entryOffset(high, low);
      if (place === 0) continue;
      if (place % clusterBytes !== 0) this.corrupt(`a cluster is not aligned (${place})`);
      else if (this.use(place, clusterBytes, 'a cluster', times) && active) this.report.allocatedClusters++;
    }
  }

  private async countBitmaps(): Promise<void> {
    const directory = this.header.bitmaps;
    if (directory === undefined) return;
    if (directory.sizeBytes > Q.MAX_SNAPSHOT_TABLE_BYTES || directory.count > 65_535)
      return this.corrupt('the bitmap directory is too large');
    if (!this.use(directory.offset, directory.sizeBytes, 'the bitmap directory')) return;
    const view = await this.readTable(directory.offset, directory.sizeBytes);
    for (let at = 0, index = 0; index < directory.count && at + 24 <= view.byteLength; index++) {
      const tableOffset = Q.readU64(view, at);
      const entries = view.getUint32(at + 8);
      if (entries * 8 <= Q.MAX_L1_BYTES && this.use(tableOffset, entries * 8, `the table of bitmap ${index}`)) {
        const table = await this.readTable(tableOffset, entries * 8);
        for (let entry = 0; entry < entries; entry++) {
          const place = Q.entryOffset(table.getUint32(entry * 8), table.getUint32(entry * 8 + 4));
          if (place !== 0) this.use(place, this.header.clusterBytes, `bitmap ${index}`);
        }
      }
      at += Math.ceil((24 + view.getUint32(at + 20) + view.getUint16(at + 18)) / 8) * 8;
    }
  }

  private async compareRefcounts(): Promise<void> {
    const { header } = this;
    this.table = await this.readTable(header.refcountTableOffset, header.refcountTableClusters * header.clusterBytes);
    const entries = this.table.byteLength / 8;
    const blocks: number[] = [];
    const seen = new Set<number>();
    for (let block = 0; block < entries; block++) {
      const offset = Q.readU64(this.table, block * 8);
      if (offset === 0) continue;
      let isGood = false;
      if (offset % header.clusterBytes !== 0) this.corrupt(`refcount block ${block} is not aligned to a cluster`);
      else if (seen.has(offset)) this.corrupt(`refcount block ${block} is another block too`);
      else isGood = this.use(offset, header.clusterBytes, `refcount block ${block}`);
      seen.add(offset);
      if (isGood) blocks.push(block);
      else this.needsRebuild = true;
    }
    const covered = new Set(blocks);
    for (const [done, block] of blocks.entries()) {
      await this.step('refcounts', done, blocks.length);
      const view = await this.readTable(Q.readU64(this.table, block * 8), header.clusterBytes);
      for (let index = 0; index < this.perBlock; index++) {
        const stored = getRefcount(view, index, header.refcountOrder);
        const cluster = block * this.perBlock + index;
        const found = stored === 0 && cluster >= this.counts.endCluster ? 0 : this.counts.get(cluster);
        if (stored === found) continue;
        if (this.stored.size < MAX_REMEMBERED) this.stored.set(cluster, stored);
        if (stored > found) {
          this.report.leaks++;
          this.say(`leak: cluster ${cluster} counts ${stored} users but has ${found}`);
          if (this.tooHigh.length < MAX_REMEMBERED) this.tooHigh.push(cluster);
          else this.needsRebuild = true;
        } else {
          this.needsRebuild = true;
          this.corrupt(`cluster ${cluster} counts ${stored} users but has ${found}`);
        }
      }
    }
    for (const [cluster, found] of this.counts.entries()) {
      if (covered.has(Math.floor(cluster / this.perBlock))) continue;
      if (this.stored.size < MAX_REMEMBERED) this.stored.set(cluster, 0);
      this.needsRebuild = true;
      this.corrupt(`cluster ${cluster} has ${found} users but no refcount`);
    }
  }

  /** The flag of an entry that promises a refcount of 1, in the active tables. */
  private async checkFlags(fix = false): Promise<void> {
    const { header } = this;
    // Judged by the stored count, put right by the true one.
    const users = (cluster: number): number => (fix ? undefined : this.stored.get(cluster)) ?? this.counts.get(cluster);
    const wrong = (high: number, place: number): boolean =>
      ((high & Q.HIGH_COPIED) !== 0) !== (users(place / header.clusterBytes) === 1);
    const usable = (place: number): boolean =>
      place !== 0 && place % header.clusterBytes === 0 && place / header.clusterBytes < this.io.endCluster;
    const seen = new Set<number>();
    const tables = this.activeL1.byteLength / 8;
    for (let index = 0; index < tables; index++) {
      if (fix) throwIfCancelled(this.options.signal, 'check image');
      else await this.step('flags', index, tables);
      const high = this.activeL1.getUint32(index * 8);
      const place = Q.entryOffset(high, this.activeL1.getUint32(index * 8 + 4));
      if (!usable(place)) continue;
      if (wrong(high, place)) {
        if (!fix) this.flagError(`L2 table ${index}`);
        else await this.writeHigh(header.l1Offset + index * 8, (high ^ Q.HIGH_COPIED) >>> 0);
      }
      if (seen.has(place)) continue;
      seen.add(place);
      const table = await this.readTable(place, header.clusterBytes);
      for (let at = 0; at < header.clusterBytes; at += 8) {
        const entryHigh = table.getUint32(at);
        if ((entryHigh & Q.HIGH_COMPRESSED) !== 0) continue;
        const data = Q.entryOffset(entryHigh, table.getUint32(at + 4));
        if (!usable(data) || !wrong(entryHigh, data)) continue;
        if (!fix) this.flagError(`a cluster at ${data}`);
        else await this.writeHigh(place + at, (entryHigh ^ Q.HIGH_COPIED) >>> 0);
      }
    }
  }

  private flagError(what: string): void {
    this.flagErrors++;
    this.corrupt(`${what} has the wrong "only user" flag`);
  }

  private async writeHigh(offset: number, value: number): Promise<void> {
    const view = Q.viewOf(new Uint8Array(4));
    view.setUint32(0, value);
    await this.io.write(offset, new Uint8Array(view.buffer));
  }

  async repair(mode: RepairMode): Promise<void> {
    const { signal } = this.options;
    if (mode === 'all' && this.needsRebuild) await rebuildRefcounts(this.io, this.header, this.table, this.counts, signal);
    else if (this.tooHigh.length > 0) await lowerCounts(this.io, this.header, this.table, this.counts, this.tooHigh, signal);
    // A count that was lowered to one makes its user the only one.
    const lowered = this.tooHigh.length > 0 && this.report.corruptions === 0;
    if (lowered || (mode === 'all' && (this.flagErrors > 0 || this.needsRebuild || this.tooHigh.length > 0)))
      await this.checkFlags(true);
    await this.io.flush();
  }

  async clearMarks(): Promise<void> {
    if (this.marks === 0) return;
    const value = Q.viewOf(new Uint8Array(4));
    value.setUint32(0, this.header.incompatible & ~this.marks);
    await this.io.write(Q.FIELD.incompatible + 4, new Uint8Array(value.buffer));
    await this.io.flush();
  }
}
