// Records what an operation does to files, and builds what may be left of it after a power cut at any point.
//
// The model: a file's content up to its last flush is there; of what came later any part may be, in any order, the last
// write also in part. Names (new files, renames, removals) reach the disk in order, at the latest when their folder is
// synced; flushing a file does not save its name. So a rename may be there without the content that was not flushed.
//
// Use: `const files = new RecordedFiles(start)`, run the operation with `files` as its HostFiles, then
// `for (const state of files.powerCuts(random)) …` and open `new MemoryFiles(state.files)` with the product's own code.

import { dirname } from 'node:path';
import { type FileChange, MemoryFiles, Platter } from './memory-files.ts';

export interface PowerCut {
  /** How many changes had been started. */
  readonly position: number;
  readonly what: string;
  /** Path and content of every file that is left. */
  readonly files: ReadonlyMap<string, Uint8Array>;
}

type NameChange = Extract<FileChange, { op: 'create' | 'rename' | 'unlink' }>;

export class RecordedFiles extends MemoryFiles {
  readonly log: FileChange[] = [];
  private readonly start: Map<string, Uint8Array>;
  private readonly startNames: Map<string, number>;

  constructor(content: ReadonlyMap<string, Uint8Array> = new Map()) {
    super(content);
    this.start = this.content();
    this.startNames = this.identities();
    this.onChange = (change) => this.log.push(change);
  }

  /** @param random numbers below a limit, the same ones in every run. @param limit of positions looked at, evenly spread */
  *powerCuts(random: (below: number) => number, limit = Infinity): Generator<PowerCut> {
    const disk = new DiskHistory(this.start, this.startNames);
    const stride = Math.max(1, Math.ceil((this.log.length + 1) / limit));
    for (let position = 0; position <= this.log.length; position++) {
      if (position % stride === 0 || position === this.log.length) yield* disk.states(position, random);
      const next = this.log[position];
      if (next !== undefined) disk.take(next);
    }
  }
}

class DiskHistory {
  private readonly flushed = new Map<number, Platter>();
  private readonly names: Map<string, number>;
  private open: FileChange[] = [];
  private openNames: NameChange[] = [];

  constructor(start: ReadonlyMap<string, Uint8Array>, names: ReadonlyMap<string, number>) {
    this.names = new Map(names);
    for (const [path, id] of names) this.flushed.set(id, new Platter(start.get(path) ?? new Uint8Array(0)));
  }

  take(change: FileChange): void {
    switch (change.op) {
      case 'flush':
        for (const done of this.open) if (isOf(done, change.file)) this.flushed.get(change.file)?.apply(done);
        this.open = this.open.filter((left) => !isOf(left, change.file));
        return;
      case 'sync': {
        // Names are kept in order, so earlier changes in other folders are there too.
        const last = this.openNames.findLastIndex((name) => foldersOf(name).includes(change.folder));
        for (const name of this.openNames.splice(0, last + 1)) applyName(this.names, name);
        return;
      }
      case 'create':
        this.flushed.set(change.file, new Platter(new Uint8Array(0)));
        this.openNames.push(change);
        return;
      case 'rename':
      case 'unlink':
        this.openNames.push(change);
        return;
      default:
        this.open.push(change);
    }
  }

  *states(position: number, random: (below: number) => number): Generator<PowerCut> {
    const { open, openNames } = this;
    const last = open.length - 1;
    const all = (): boolean => true;
    const state = (what: string, names: number, chosen: (index: number) => boolean, torn?: FileChange): PowerCut => ({
      position,
      what: openNames.length === 0 ? what : `${what}, ${names} of ${openNames.length} names`,
      files: this.build(names, chosen, torn),
    });
    yield state('all', openNames.length, all);
    if (openNames.length > 0) {
      yield state('all', random(openNames.length), all);
      if (open.length > 0) yield state('nothing unflushed', openNames.length, () => false);
    }
    if (last < 0) return;
    const names = random(openNames.length + 1);
    const cut = open[last];
    if (cut?.op === 'write' && cut.bytes.length > 512) {
      const length = 512 * (1 + random(Math.ceil(cut.bytes.length / 512) - 1));
      const torn = { ...cut, bytes: cut.bytes.subarray(0, length) };
      yield state(`last one torn at ${length}`, names, (index) => index !== last, torn);
    }
    if (last === 0) return;
    yield state('only the last', names, (index) => index === last);
    const lost = random(open.length);
    yield state(`all but ${lost}`, names, (index) => index !== lost);
    const mask = Array.from(open, () => random(2) === 1);
    yield state(`mixture ${mask.map(Number).join('')}`, names, (index) => mask[index] === true);
  }

  private build(nameCount: number, chosen: (index: number) => boolean, torn?: FileChange): Map<string, Uint8Array> {
    const names = new Map(this.names);
    for (const change of this.openNames.slice(0, nameCount)) applyName(names, change);
    const touched = new Map<number, Platter>();
    const touch = (change: FileChange): void => {
      if (!('file' in change)) return;
      let platter = touched.get(change.file);
      if (platter === undefined) {
        platter = new Platter(this.flushed.get(change.file)?.content() ?? new Uint8Array(0));
        touched.set(change.file, platter);
      }
      platter.apply(change);
    };
    for (const [index, change] of this.open.entries()) if (chosen(index)) touch(change);
    if (torn !== undefined) touch(torn);
    const files = new Map<string, Uint8Array>();
    for (const [path, id] of names)
      files.set(path, (touched.get(id) ?? this.flushed.get(id))?.content() ?? new Uint8Array(0));
    return files;
  }
}

function isOf(change: FileChange, file: number): boolean {
  return 'file' in change && change.file === file;
}

function foldersOf(change: NameChange): string[] {
  return change.op === 'rename' ? [dirname(change.from), dirname(change.to)] : [dirname(change.path)];
}

function applyName(names: Map<string, number>, change: NameChange): void {
  if (change.op === 'create') names.set(change.path, change.file);
  else if (change.op === 'unlink') names.delete(change.path);
  else {
    const id = names.get(change.from);
    if (id === undefined) return;
    names.delete(change.from);
    names.set(change.to, id);
  }
}
