// The real HostFiles, on Node's asynchronous file calls (libuv's thread pool), always with explicit positions.

import { constants, fstatSync, readSync } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename, stat, unlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomUUID } from 'node:crypto';
import { NestboxError } from '../../base/errors.ts';
import { type CachedReader, cachedReader } from './cached-read.ts';
import { nativeFileCalls } from './file-locks.ts';
import { hostFileError } from './host-errors.ts';
import type { FileIdentity, HostFile, HostFileKind, HostFiles, HostFileStatus, LockMode } from './host-file.ts';

/** Reads up to this size are tried without the thread pool first. */
const MAX_CACHED_BYTES = 64 * 1024;
/** One call to the host moves at most this much, so that a huge request does not hold a pool thread for long. */
const MAX_TRANSFER_BYTES = 16 * 1024 * 1024;
/** Unit of the block count in a file's status, whatever the file system's own blocks are (POSIX leaves it open; libuv does not). */
const STATUS_BLOCK_BYTES = 512;

class NodeHostFile implements HostFile {
  readonly path: string;
  readonly readOnly: boolean;
  private handle: FileHandle | undefined;
  private held: LockMode | undefined;
  /** Undefined where the file system cannot say what it has in memory. */
  private cached: CachedReader | undefined;

  constructor(path: string, readOnly: boolean, handle: FileHandle, cached?: CachedReader) {
    this.path = path;
    this.readOnly = readOnly;
    this.handle = handle;
    this.cached = cached;
  }

  async read(offset: number, target: Uint8Array): Promise<number> {
    const handle = this.opened('read file');
    let done = 0;
    if (this.cached !== undefined && target.length > 0 && target.length <= MAX_CACHED_BYTES) {
      const count = this.cached.read(handle.fd, offset, target);
      if (count === undefined) this.cached = undefined;
      else done = count;
    }
    try {
      while (done < target.length) {
        const length = Math.min(target.length - done, MAX_TRANSFER_BYTES);
        const { bytesRead } = await handle.read(target, done, length, offset + done);
        if (bytesRead === 0) break;
        done += bytesRead;
      }
    } catch (error) {
      throw hostFileError(error, 'read file', this.path);
    }
    return done;
  }

  readSync(offset: number, target: Uint8Array): number {
    const { fd } = this.opened('read file');
    let done = 0;
    try {
      while (done < target.length) {
        const bytesRead = readSync(fd, target, done, target.length - done, offset + done);
        if (bytesRead === 0) break;
        done += bytesRead;
      }
    } catch (error) {
      throw hostFileError(error, 'read file', this.path);
    }
    return done;
  }

  async write(offset: number, source: Uint8Array): Promise<void> {
    const handle = this.opened('write file');
    if (this.readOnly) throw new NestboxError('permission', `${this.path}: opened read-only`, { op: 'write file' });
    let done = 0;
    try {
      while (done < source.length) {
        const length = Math.min(source.length - done, MAX_TRANSFER_BYTES);
        const { bytesWritten } = await handle.write(source, done, length, offset + done);
        if (bytesWritten === 0) throw new Error('the host wrote nothing');
        done += bytesWritten;
      }
    } catch (error) {
      throw hostFileError(error, 'write file', this.path);
    }
  }

  async flush(): Promise<void> {
    const handle = this.opened('flush file');
    if (this.readOnly) return;
    try {
      await handle.datasync();
    } catch (error) {
      throw hostFileError(error, 'flush file', this.path);
    }
  }

  async truncate(sizeBytes: number): Promise<void> {
    const handle = this.opened('resize file');
    try {
      await handle.truncate(sizeBytes);
    } catch (error) {
      throw hostFileError(error, 'resize file', this.path);
    }
  }

  identity(): FileIdentity {
    try {
      const status = fstatSync(this.opened('look at file').fd, { bigint: true });
      return { device: status.dev.toString(), inode: status.ino.toString(), sizeBytes: Number(status.size) };
    } catch (error) {
      throw hostFileError(error, 'look at file', this.path);
    }
  }

  async punchHole(offset: number, length: number): Promise<boolean> {
    const handle = this.opened('free file space');
    if (this.readOnly || length <= 0) return false;
    return (await nativeFileCalls()).punchHole(handle.fd, offset, length);
  }

  async lock(mode: LockMode): Promise<boolean> {
    const native = await nativeFileCalls();
    const result = native.lockDescriptor(this.opened('lock file').fd, mode, this.held);
    if (result === 'busy') {
      throw new NestboxError('busy', `${this.path}: in use by another virtual machine or program`, {
        op: 'lock file',
        context: { path: this.path },
      });
    }
    if (result === 'locked') this.held = mode;
    return result === 'locked';
  }

  async close(): Promise<void> {
    const handle = this.handle;
    this.handle = undefined;
    if (handle === undefined) return;
    try {
      await handle.close();
    } catch (error) {
      throw hostFileError(error, 'close file', this.path);
    }
  }

  private opened(op: string): FileHandle {
    if (this.handle === undefined) throw new NestboxError('internal', `${this.path}: used after it was closed`, { op });
    return this.handle;
  }
}

interface StatusLike {
  isFile(): boolean;
  isDirectory(): boolean;
  isBlockDevice(): boolean;
  isCharacterDevice(): boolean;
  isFIFO(): boolean;
  isSocket(): boolean;
}

function kindOf(status: StatusLike): HostFileKind {
  if (status.isFile()) return 'file';
  if (status.isDirectory()) return 'directory';
  if (status.isBlockDevice()) return 'block-device';
  if (status.isCharacterDevice()) return 'character-device';
  if (status.isFIFO()) return 'fifo';
  if (status.isSocket()) return 'socket';
  return 'other';
}

async function wrap<T>(op: string, path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw hostFileError(error, op, path);
  }
}

class NodeHostFiles implements HostFiles {
  status(path: string): Promise<HostFileStatus> {
    return wrap('look at file', path, async () => {
      const status = await stat(path);
      return { kind: kindOf(status), sizeBytes: status.size, allocatedBytes: status.blocks * STATUS_BLOCK_BYTES };
    });
  }

  open(path: string, options: { readOnly: boolean }): Promise<HostFile> {
    return wrap('open file', path, async () => {
      // Without O_NONBLOCK the open of a pipe that nobody writes to would hang for ever.
      const flags = (options.readOnly ? constants.O_RDONLY : constants.O_RDWR) | (constants.O_NONBLOCK ?? 0);
      const handle = await open(path, flags);
      const kind = kindOf(await handle.stat());
      if (kind === 'file') return new NodeHostFile(path, options.readOnly, handle, await cachedReader());
      await handle.close();
      throw new NestboxError('bad-input', `${path}: is not a regular file (${kind})`, {
        op: 'open file',
        context: { path },
      });
    });
  }

  create(path: string): Promise<HostFile> {
    return wrap('create file', path, async () => {
      const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL;
      return new NodeHostFile(path, false, await open(path, flags, 0o600), await cachedReader());
    });
  }

  createTemporary(): Promise<HostFile> {
    // The random name and O_EXCL keep others from planting a file or link there; the name is gone before first use.
    const path = join(tmpdir(), `nestbox-${randomUUID()}.tmp`);
    return wrap('create temporary file', path, async () => {
      const file = await this.create(path);
      try {
        await unlink(path);
      } catch (error) {
        await file.close();
        throw error;
      }
      return file;
    });
  }

  rename(from: string, to: string): Promise<void> {
    return wrap('rename file', from, () => rename(from, to));
  }

  unlink(path: string): Promise<void> {
    return wrap('remove file', path, () => unlink(path));
  }

  async list(path: string): Promise<string[]> {
    try {
      return await readdir(path);
    } catch (error) {
      const problem = hostFileError(error, 'list folder', path);
      if (problem.kind === 'not-found') return [];
      throw problem;
    }
  }

  makeFolder(path: string): Promise<void> {
    return wrap('make folder', path, async () => {
      await mkdir(path, { recursive: true, mode: 0o700 });
    });
  }

  syncDirectory(path: string): Promise<void> {
    return wrap('flush folder', path, async () => {
      if (process.platform === 'win32') return; // Windows cannot open a folder; NTFS journals names by itself.
      const handle = await open(path, constants.O_RDONLY);
      try {
        await handle.sync();
      } finally {
        await handle.close();
      }
    });
  }
}

/** The host's file system. */
export const nodeHostFiles: HostFiles = new NodeHostFiles();
