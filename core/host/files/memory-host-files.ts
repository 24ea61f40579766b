// A file system in memory, for tests: names, files that several handles share, a limit of space, and a listener that
// hears of every change in order, so that power cuts can be replayed.

import { NestboxError } from '../../base/errors.ts';
import type { FileIdentity, HostFile, HostFiles, HostFileStatus, LockMode } from './host-file.ts';

const BLOCK_BYTES = 4096;

/** A file without its name. */
export class MemoryInode {
  readonly number: number;
  bytes: Uint8Array;
  size: number;
  locks: { owner: object; mode: LockMode }[] = [];

  constructor(number: number, content: Uint8Array = new Uint8Array(0)) {
    this.number = number;
    this.bytes = content.slice();
    this.size = content.length;
  }

  content(): Uint8Array {
    return this.bytes.slice(0, this.size);
  }

  write(offset: number, source: Uint8Array): void {
    this.resize(Math.max(this.size, offset + source.length));
    this.bytes.set(source, offset);
  }

  resize(size: number): void {
    if (size < this.size) this.bytes.fill(0, size, this.size);
    if (size > this.bytes.length) {
      const bigger = new Uint8Array(Math.max(size, this.bytes.length * 2));
      bigger.set(this.bytes.subarray(0, this.size));
      this.bytes = bigger;
    }
    this.size = size;
  }

  punch(offset: number, length: number): void {
    this.bytes.fill(0, Math.min(offset, this.size), Math.min(offset + length, this.size));
  }

  /** Blocks of zeroes are taken for holes. */
  get allocatedBytes(): number {
    let blocks = 0;
    for (let at = 0; at < this.size; at += BLOCK_BYTES) if (this.bytes.subarray(at, Math.min(at + BLOCK_BYTES, this.size)).some((byte) => byte !== 0)) blocks++;
    return blocks * BLOCK_BYTES;
  }
}

export type FilesChange =
  | { readonly op: 'write'; readonly inode: number; readonly offset: number; readonly bytes: Uint8Array }
  | { readonly op: 'truncate'; readonly inode: number; readonly sizeBytes: number }
  | { readonly op: 'punch'; readonly inode: number; readonly offset: number; readonly length: number }
  | { readonly op: 'flush'; readonly inode: number }
  | { readonly op: 'create'; readonly path: string; readonly inode: number }
  | { readonly op: 'rename'; readonly from: string; readonly to: string }
  | { readonly op: 'unlink'; readonly path: string }
  | { readonly op: 'sync-folder'; readonly path: string };

function folderOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

function fail(kind: 'not-found' | 'usage' | 'no-space' | 'permission' | 'busy', path: string, text: string): NestboxError {
  return new NestboxError(kind, `${path}: ${text}`, { op: 'use file', context: { path } });
}

export class MemoryHostFiles implements HostFiles {
  readonly names = new Map<string, MemoryInode>();
  private nextInode = 1;
  /** Awaited before the change is made: a promise that never resolves is a process that was killed there. */
  onChange: ((change: FilesChange) => void | Promise<void>) | undefined;
  /** Bytes that all files together may have. */
  spaceBytes = Infinity;
  /** Handles that are open. */
  openHandles = 0;

  put(path: string, content: Uint8Array): void {
    this.names.set(path, new MemoryInode(this.nextInode++, content));
  }

  content(path: string): Uint8Array {
    return this.inode(path).content();
  }

  get usedBytes(): number {
    let sum = 0;
    for (const inode of new Set(this.names.values())) sum += inode.size;
    return sum;
  }

  private inode(path: string): MemoryInode {
    const inode = this.names.get(path);
    if (inode === undefined) throw fail('not-found', path, 'no such file');
    return inode;
  }

  /** Before a file grows. */
  reserve(path: string, moreBytes: number): void {
    if (moreBytes > 0 && this.usedBytes + moreBytes > this.spaceBytes) throw fail('no-space', path, 'no space left on the disk');
  }

  async status(path: string): Promise<HostFileStatus> {
    const inode = this.inode(path);
    return { kind: 'file', sizeBytes: inode.size, allocatedBytes: inode.allocatedBytes };
  }

  async open(path: string, options: { readOnly: boolean }): Promise<HostFile> {
    return new MemoryHandle(this, path, this.inode(path), options.readOnly);
  }

  async create(path: string): Promise<HostFile> {
    if (this.names.has(path)) throw fail('usage', path, 'the file exists already');
    const inode = new MemoryInode(this.nextInode++);
    await this.onChange?.({ op: 'create', path, inode: inode.number });
    this.names.set(path, inode);
    return new MemoryHandle(this, path, inode, false);
  }

  async createTemporary(): Promise<HostFile> {
    return new MemoryHandle(this, 'temporary', new MemoryInode(0), false);
  }

  async rename(from: string, to: string): Promise<void> {
    const inode = this.inode(from);
    await this.onChange?.({ op: 'rename', from, to });
    this.names.delete(from);
    this.names.set(to, inode);
  }

  async unlink(path: string): Promise<void> {
    this.inode(path);
    await this.onChange?.({ op: 'unlink', path });
    this.names.delete(path);
  }

  async list(path: string): Promise<string[]> {
    return [...this.names.keys()].filter((name) => folderOf(name) === path).map((name) => name.slice(path.length + 1));
  }

  async makeFolder(): Promise<void> {
    // Folders are where files are.
  }

  async syncDirectory(path: string): Promise<void> {
    await this.onChange?.({ op: 'sync-folder', path });
  }
}

class MemoryHandle implements HostFile {
  readonly path: string;
  readonly readOnly: boolean;
  private readonly files: MemoryHostFiles;
  private readonly inode: MemoryInode;
  private closed = false;

  constructor(files: MemoryHostFiles, path: string, inode: MemoryInode, readOnly: boolean) {
    this.files = files;
    this.path = path;
    this.inode = inode;
    this.readOnly = readOnly;
    files.openHandles++;
  }

  private changeable(): MemoryInode {
    if (this.closed) throw new NestboxError('internal', `${this.path}: used after it was closed`);
    if (this.readOnly) throw fail('permission', this.path, 'opened read-only');
    return this.inode;
  }

  async read(offset: number, target: Uint8Array): Promise<number> {
    return this.readSync(offset, target);
  }

  readSync(offset: number, target: Uint8Array): number {
    if (this.closed) throw new NestboxError('internal', `${this.path}: used after it was closed`);
    const { bytes, size } = this.inode;
    const count = Math.max(0, Math.min(target.length, size - offset));
    target.set(bytes.subarray(offset, offset + count));
    return count;
  }

  async write(offset: number, source: Uint8Array): Promise<void> {
    const inode = this.changeable();
    this.files.reserve(this.path, offset + source.length - inode.size);
    await this.files.onChange?.({ op: 'write', inode: inode.number, offset, bytes: source.slice() });
    inode.write(offset, source);
  }

  async flush(): Promise<void> {
    if (!this.readOnly) await this.files.onChange?.({ op: 'flush', inode: this.changeable().number });
  }

  async truncate(sizeBytes: number): Promise<void> {
    const inode = this.changeable();
    this.files.reserve(this.path, sizeBytes - inode.size);
    await this.files.onChange?.({ op: 'truncate', inode: inode.number, sizeBytes });
    inode.resize(sizeBytes);
  }

  identity(): FileIdentity {
    return { device: '0', inode: String(this.inode.number), sizeBytes: this.inode.size };
  }

  async punchHole(offset: number, length: number): Promise<boolean> {
    const inode = this.changeable();
    await this.files.onChange?.({ op: 'punch', inode: inode.number, offset, length });
    inode.punch(offset, length);
    return true;
  }

  async lock(mode: LockMode): Promise<boolean> {
    const others = this.inode.locks.filter((lock) => lock.owner !== this);
    if (others.some((lock) => lock.mode === 'exclusive' || mode === 'exclusive')) throw fail('busy', this.path, 'in use by another virtual machine or program');
    this.inode.locks = [...others, { owner: this, mode }];
    return true;
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    this.files.openHandles--;
    this.inode.locks = this.inode.locks.filter((lock) => lock.owner !== this);
  }
}
