// A folder of saved states that share pages: opens states, removes them, and gives back the space of pages that no state
// needs any more. Nothing here decides which states there are: the registry does.

import { join } from 'node:path';
import { NestboxError, isNestboxError } from '../base/errors.ts';
import type { HostFiles } from '../host/files/host-file.ts';
import { FRAME_PAGES, damaged, isStateId } from './format.ts';
import { PackReader } from './pack-reader.ts';
import { type PackReference, type Region, type StateContent, readStateFile } from './state-file.ts';

/** What a hole must free at least to be worth a call to the host. */
const HOLE_BYTES_MIN = 4096;

/** Answers kept about how much sets of states need. */
const USAGES_MAX = 16;

export interface StateUsage {
  /** By state, what would be free without it if the others stay: its own file, and the frames of pages that no other one needs. */
  readonly own: ReadonlyMap<string, number>;
  /** Of all of them together, shared pages once. */
  readonly totalBytes: number;
}

/** A state whose page files are open. */
export class OpenState {
  readonly id: string;
  readonly machine: unknown;
  readonly regions: readonly Region[];
  readonly packs: readonly PackReader[];
  /** References before each pack's first entry. */
  private readonly bases: readonly number[];

  constructor(id: string, content: StateContent, packs: readonly PackReader[]) {
    this.id = id;
    this.machine = content.machine;
    this.regions = content.regions;
    this.packs = packs;
    let base = 0;
    this.bases = packs.map((pack) => {
      const own = base;
      base += pack.entries;
      return own;
    });
  }

  /** @returns undefined when the state has no memory of that name */
  region(name: string): Uint32Array | undefined {
    return this.regions.find((region) => region.name === name)?.refs;
  }

  /** Where a page lies. @param ref above 0 */
  locate(ref: number): { readonly pack: PackReader; readonly entry: number } {
    let index = 0;
    while (index + 1 < this.bases.length && ref > (this.bases[index + 1] as number)) index++;
    return { pack: this.packs[index] as PackReader, entry: ref - 1 - (this.bases[index] as number) };
  }

  /** The page's bytes; valid until the next call. @throws NestboxError `bad-input`, `io` */
  page(ref: number): Uint8Array {
    const { pack, entry } = this.locate(ref);
    return pack.page(entry);
  }

  async close(): Promise<void> {
    for (const pack of this.packs) await pack.close();
  }
}

export class StateStore {
  readonly folder: string;
  readonly files: HostFiles;

  constructor(files: HostFiles, folder: string) {
    this.files = files;
    this.folder = folder;
  }

  statePath(id: string): string {
    if (!isStateId(id)) throw new NestboxError('internal', `${JSON.stringify(id)} is no id of a state`);
    return join(this.folder, `${id}.state`);
  }

  /** Memory on its way from one running machine to another. */
  handoverPath(id: string): string {
    return this.statePath(id).replace(/state$/, 'handover');
  }

  packPath(id: string): string {
    return this.statePath(id).replace(/state$/, 'pages');
  }

  /** Reads and checks the state's own file. @throws NestboxError `not-found`, `bad-input`, `unsupported` */
  async read(id: string): Promise<StateContent> {
    const file = await this.files.open(this.statePath(id), { readOnly: true });
    try {
      return await readStateFile(file);
    } finally {
      await file.close();
    }
  }

  /** Opens and checks a state with all its page files. @throws NestboxError `not-found`, `bad-input`, `unsupported` */
  async open(id: string): Promise<OpenState> {
    const content = await this.read(id);
    const packs: PackReader[] = [];
    try {
      for (const reference of content.packs) packs.push(await this.openPack(reference));
      return new OpenState(id, content, packs);
    } catch (error) {
      for (const pack of packs) await pack.close();
      throw error;
    }
  }

  /** @throws NestboxError also when it is not the one that the state was saved with */
  async openPack(reference: PackReference): Promise<PackReader> {
    const path = this.packPath(reference.id);
    const reader = await PackReader.open(await this.files.open(path, { readOnly: true }), reference.id);
    if (reader.entries === reference.entries && reader.digest === reference.digest) return reader;
    await reader.close();
    throw damaged(path, 'is not the file that the state was saved with');
  }

  /** Ids of all files in the folder, whether they belong to something or not. */
  async ids(): Promise<{ readonly states: string[]; readonly packs: string[]; readonly handovers: string[] }> {
    const names = await this.files.list(this.folder);
    const of = (extension: string): string[] => names.filter((name) => name.endsWith(extension)).map((name) => name.slice(0, -extension.length)).filter(isStateId);
    return { states: of('.state'), packs: of('.pages'), handovers: of('.handover') };
  }

  /**
   * Removes every state that is not in `keep`, page files that no kept state needs, and the space of unneeded pages in the
   * others. May be cut off anywhere and done again. @returns bytes freed, as far as the host frees holes
   */
  async sweep(keep: ReadonlySet<string>): Promise<{ readonly removed: number; readonly freedBytes: number }> {
    const { states, packs, handovers } = await this.ids();
    let removed = 0;
    let freedBytes = 0;
    for (const id of states) {
      if (keep.has(id)) continue;
      await this.files.unlink(this.statePath(id));
      removed++;
    }
    for (const id of handovers) {
      if (keep.has(id)) continue;
      await this.files.unlink(this.handoverPath(id));
      removed++;
    }
    const needed = await this.neededPages(states.filter((id) => keep.has(id)));
    for (const id of packs) {
      const live = needed.get(id);
      // A state that is being saved has its page file first: it stays when its id is kept.
      if (live === undefined) {
        if (keep.has(id) && !states.includes(id)) continue;
        freedBytes += (await this.files.status(this.packPath(id))).sizeBytes;
        await this.files.unlink(this.packPath(id));
        removed++;
      } else if (live !== 'damaged') freedBytes += await this.punch(id, live);
    }
    if (removed > 0) await this.files.syncDirectory(this.folder);
    return { removed, freedBytes };
  }

  /** By page file: which of its entries some state refers to. Of a state that cannot be read everything it has is kept. */
  private async neededPages(states: readonly string[]): Promise<Map<string, Uint8Array | 'damaged'>> {
    const needed = new Map<string, Uint8Array | 'damaged'>();
    for (const id of states) {
      let content: StateContent;
      try {
        content = await this.read(id);
      } catch (error) {
        if (!isNestboxError(error)) throw error;
        // Nobody can say what it needs: nothing is thrown away.
        for (const pack of (await this.ids()).packs) needed.set(pack, 'damaged');
        return needed;
      }
      let base = 0;
      for (const pack of content.packs) {
        const marks = needed.get(pack.id) ?? new Uint8Array(pack.entries);
        needed.set(pack.id, marks);
        if (marks !== 'damaged') {
          for (const { refs } of content.regions) {
            for (const ref of refs) if (ref > base && ref <= base + pack.entries) marks[ref - 1 - base] = 1;
          }
        }
        base += pack.entries;
      }
    }
    return needed;
  }

  /** By the sorted ids; the last ones asked for. */
  private readonly usages = new Map<string, Promise<StateUsage>>();

  /** What these states need of the host's disk. States that cannot be read are left out. Worked out once for the same states. */
  usage(ids: readonly string[]): Promise<StateUsage> {
    const key = [...ids].sort().join(' ');
    const known = this.usages.get(key);
    this.usages.delete(key);
    const usage = known ?? this.findUsage(ids);
    usage.catch(() => this.usages.delete(key));
    this.usages.set(key, usage);
    for (const oldest of this.usages.keys()) if (this.usages.size > USAGES_MAX) this.usages.delete(oldest);
    return usage;
  }

  private async findUsage(ids: readonly string[]): Promise<StateUsage> {
    const own = new Map<string, number>();
    let totalBytes = 0;
    const owners = new Map<string, Int32Array>();
    for (const [index, id] of ids.entries()) {
      let content: StateContent;
      try {
        content = await this.read(id);
      } catch (error) {
        if (!isNestboxError(error)) throw error;
        continue;
      }
      const { sizeBytes } = await this.files.status(this.statePath(id));
      own.set(id, sizeBytes);
      totalBytes += sizeBytes;
      markOwners(content, index, owners);
    }
    for (const [packId, frames] of owners) {
      const reader = await PackReader.open(await this.files.open(this.packPath(packId), { readOnly: true }), packId);
      try {
        let rest = reader.fileBytes;
        for (let frame = 0; frame < reader.frames; frame++) {
          const { length } = reader.frameRange(frame);
          rest -= length;
          if (frames[frame] !== NOBODY) totalBytes += length;
          const id = ids[(frames[frame] ?? NOBODY) - 1];
          if (id !== undefined) own.set(id, (own.get(id) ?? 0) + length);
        }
        // The index belongs to whoever is the last that needs the file.
        const needing = new Set(frames.filter((owner) => owner !== NOBODY));
        const last = ids[([...needing][0] ?? NOBODY) - 1];
        totalBytes += rest;
        if (needing.size === 1 && last !== undefined) own.set(last, (own.get(last) ?? 0) + rest);
      } finally {
        await reader.close();
      }
    }
    return { own, totalBytes };
  }

  private async punch(id: string, live: Uint8Array): Promise<number> {
    const path = this.packPath(id);
    if (!live.includes(0)) return 0;
    let reader: PackReader;
    const file = await this.files.open(path, { readOnly: false });
    try {
      reader = await PackReader.open(file, id);
    } catch (error) {
      if (isNestboxError(error)) return 0;
      throw error;
    }
    try {
      let freed = 0;
      let start = -1;
      let end = -1;
      const give = async (): Promise<void> => {
        if (end - start >= HOLE_BYTES_MIN && (await file.punchHole(start, end - start))) freed += end - start;
        start = end = -1;
      };
      for (let frame = 0; frame < reader.frames; frame++) {
        const dead = !live.subarray(frame * FRAME_PAGES, (frame + 1) * FRAME_PAGES).includes(1);
        if (!dead) await give();
        else {
          const range = reader.frameRange(frame);
          if (start < 0) start = range.offset;
          end = range.offset + range.length;
        }
      }
      await give();
      return freed;
    } finally {
      await reader.close();
    }
  }
}

const NOBODY = 0;
const SEVERAL = -1;

/** Notes for each frame of each page file which state alone needs it: 1 + its index. */
function markOwners(content: StateContent, index: number, owners: Map<string, Int32Array>): void {
  let base = 0;
  for (const pack of content.packs) {
    const frames = owners.get(pack.id) ?? new Int32Array(Math.ceil(pack.entries / FRAME_PAGES));
    owners.set(pack.id, frames);
    for (const { refs } of content.regions) {
      for (const ref of refs) {
        if (ref <= base || ref > base + pack.entries) continue;
        const frame = Math.floor((ref - 1 - base) / FRAME_PAGES);
        const owner = frames[frame];
        frames[frame] = owner === NOBODY || owner === index + 1 ? index + 1 : SEVERAL;
      }
    }
    base += pack.entries;
  }
}
