// A small file system in memory behind the seam HostFiles: for crash and fault tests. It reports every change in order,
// fails on command, counts space, and keeps locks as the real one does.

import { dirname, resolve } from 'node:path';
import { NestboxError } from '../../core/base/errors.ts';
import type { FileIdentity, HostFile, HostFiles, HostFileStatus, LockMode } from '../../core/host/files/host-file.ts';

export type FileChange =
  | { readonly op: 'write'; readonly file: number; readonly offset: number; readonly bytes: Uint8Array }
  | { readonly op: 'truncate'; readonly file: number; readonly sizeBytes: number }
  | { readonly op: 'punch'; readonly file: number; readonly offset: number; readonly length: number }
  | { readonly op: 'flush'; readonly file: number }
  | { readonly op: 'create'; readonly file: number; readonly path: string }
  | { readonly op: 'rename'; readonly from: string; readonly to: string }
  | { readonly op: 'unlink'; readonly path: string }
  | { readonly op: 'sync'; readonly folder: string };

/** A file's content, apart from its names. */
export class Platter {
  private bytes: Uint8Array;
  size: number;

  constructor(content: Uint8Array) {
    this.bytes = content.slice();
    this.size = content.length;
  }

  content(): Uint8Array {
    return this.bytes.slice(0, this.size);
  }

  read(offset: number, target: Uint8Array): number {
    const count = Math.max(0, Math.min(target.length, this.size - offset));
    target.set(this.bytes.subarray(offset, offset + count));
    return count;
  }

  apply(change: FileChange): void {
    if (change.op === 'write') {
      this.resize(Math.max(this.size, change.offset + change.bytes.length));
      this.bytes.set(change.bytes, change.offset);
    } else if (change.op === 'truncate') this.resize(change.sizeBytes);
    else if (change.op === 'punch')
      this.bytes.fill(0, Math.min(this.size, change.offset), Math.min(this.size, change.offset + change.length));
  }

  private resize(size: number): void {
    if (size < this.size) this.bytes.fill(0, size, this.size);
    if (size > this.bytes.length) {
      const bigger = new Uint8Array(size * 2);
      bigger.set(this.bytes.subarray(0, this.size));
      this.bytes = bigger;
    }
    this.size = size;
  }
}

interface Inode {
  readonly id: number;
  readonly platter: Platter;
  readonly locks: Map<object, LockMode>;
}

export class MemoryFiles implements HostFiles {
  private readonly names = new Map<string, Inode>();
  private nextId = 1;
  /** Told of every change before it is made. What it throws is the operation's failure. */
  onChange: ((change: FileChange) => void) | undefined;
  /** Bytes that all files together may have; more is `no-space`. */
  spaceBytes = Infinity;

  /** @param content paths and what is there */
  constructor(content: ReadonlyMap<string, Uint8Array> = new Map()) {
    for (const [path, bytes] of content) this.names.set(resolve(path), this.inode(bytes));
  }

  private inode(bytes: Uint8Array): Inode {
    return { id: this.nextId++, platter: new Platter(bytes), locks: new Map() };
  }

  /** Copies of all files by path. */
  content(): Map<string, Uint8Array> {
    return new Map([...this.names].map(([path, inode]) => [path, inode.platter.content()]));
  }

  /** The identities of files, as changes name them. */
  identities(): Map<string, number> {
    return new Map([...this.names].map(([path, inode]) => [path, inode.id]));
  }

  private find(path: string): Inode {
    const inode = this.names.get(resolve(path));
    if (inode === undefined) throw new NestboxError('not-found', `${path}: no such file`, { context: { path } });
    return inode;
  }

  async status(path: string): Promise<HostFileStatus> {
    const { size } = this.find(path).platter;
    return { kind: 'file', sizeBytes: size, allocatedBytes: size };
  }

  async open(path: string, options: { readOnly: boolean }): Promise<HostFile> {
    return this.handle(path, this.find(path), options.readOnly);
  }

  async create(path: string): Promise<HostFile> {
    if (this.names.has(resolve(path)))
      throw new NestboxError('usage', `${path}: the file exists already`, { context: { path } });
    const inode = this.inode(new Uint8Array(0));
    this.onChange?.({ op: 'create', file: inode.id, path: resolve(path) });
    this.names.set(resolve(path), inode);
    return this.handle(path, inode, false);
  }

  async createTemporary(): Promise<HostFile> {
    return this.handle('temporary', this.inode(new Uint8Array(0)), false);
  }

  async rename(from: string, to: string): Promise<void> {
    const inode = this.find(from);
    this.onChange?.({ op: 'rename', from: resolve(from), to: resolve(to) });
    this.names.delete(resolve(from));
    this.names.set(resolve(to), inode);
  }

  async unlink(path: string): Promise<void> {
    this.find(path);
    this.onChange?.({ op: 'unlink', path: resolve(path) });
    this.names.delete(resolve(path));
  }

  async list(path: string): Promise<string[]> {
    const folder = resolve(path);
    return [...this.names.keys()]
      .filter((name) => dirname(name) === folder)
      .map((name) => name.slice(folder.length + 1));
  }

  async makeFolder(): Promise<void> {
    // Folders are there when something is in them.
  }

  async syncDirectory(path: string): Promise<void> {
    this.onChange?.({ op: 'sync', folder: resolve(path) });
  }

  private checkSpace(inode: Inode, sizeBytes: number): void {
    if (sizeBytes <= inode.platter.size || this.spaceBytes === Infinity) return;
    let used = sizeBytes - inode.platter.size;
    for (const { platter } of new Set(this.names.values())) used += platter.size;
    if (used > this.spaceBytes) throw new NestboxError('no-space', 'no space left on the disk');
  }

  private handle(path: string, inode: Inode, readOnly: boolean): HostFile {
    const key = {};
    let closed = false;
    const change = (what: FileChange, sizeBytes: number): void => {
      if (closed) throw new NestboxError('internal', `${path}: used after it was closed`);
      if (readOnly) throw new NestboxError('permission', `${path}: opened read-only`);
      this.checkSpace(inode, sizeBytes);
      this.onChange?.(what);
      inode.platter.apply(what);
    };
    const read = (offset: number, target: Uint8Array): number => {
      if (closed) throw new NestboxError('internal', `${path}: used after it was closed`);
      return inode.platter.read(offset, target);
    };
    return {
      path,
      readOnly,
      read: async (offset, target) => read(offset, target),
      readSync: read,
      write: async (offset, source) =>
        change({ op: 'write', file: inode.id, offset, bytes: source.slice() }, offset + source.length),
      truncate: async (sizeBytes) => change({ op: 'truncate', file: inode.id, sizeBytes }, sizeBytes),
      punchHole: async (offset, length) => {
        change({ op: 'punch', file: inode.id, offset, length }, 0);
        return true;
      },
      flush: async () => {
        if (closed) throw new NestboxError('internal', `${path}: used after it was closed`);
        this.onChange?.({ op: 'flush', file: inode.id });
      },
      identity: (): FileIdentity => ({ device: '1', inode: String(inode.id), sizeBytes: inode.platter.size }),
      lock: async (mode) => {
        const others = [...inode.locks].filter(([holder]) => holder !== key).map(([, held]) => held);
        if (others.includes('exclusive') || (mode === 'exclusive' && others.length > 0))
          throw new NestboxError('busy', `${path}: in use by another virtual machine or program`);
        inode.locks.set(key, mode);
        return true;
      },
      close: async () => {
        closed = true;
        inode.locks.delete(key);
      },
    };
  }
}
