// The seam between the app and files of the host: disk images, saved states, exports. Offsets and sizes are bytes.
// Implementations: node-host-files.ts (real), memory-host-file.ts (tests, with fault injection).

/** What tells one file from another and shows that somebody else changed it. */
export interface FileIdentity {
  /** Device and inode as decimal text: both are 64-bit numbers on some file systems. */
  readonly device: string;
  readonly inode: string;
  readonly sizeBytes: number;
}

export type LockMode = 'shared' | 'exclusive';

export interface HostFile {
  /** As the user named it: for messages. */
  readonly path: string;
  readonly readOnly: boolean;
  /** Fills `target` from byte `offset`; returns the bytes read, fewer than asked only at the end of the file. @throws NestboxError */
  read(offset: number, target: Uint8Array): Promise<number>;
  /** The same without giving up the thread: for a guest that needs a page of memory now. */
  readSync(offset: number, target: Uint8Array): number;
  /** Writes all of `source`; the file grows when needed. @throws NestboxError `io`, `no-space`, `permission` */
  write(offset: number, source: Uint8Array): Promise<void>;
  /** Returns when all completed writes are on stable storage. @throws NestboxError */
  flush(): Promise<void>;
  truncate(sizeBytes: number): Promise<void>;
  /** A cheap look at the open file (not at the name): size as it is now. */
  identity(): FileIdentity;
  /** Gives the range back to the host; it reads as zeroes afterwards. False when the host cannot: nothing changed. */
  punchHole(offset: number, length: number): Promise<boolean>;
  /**
   * Takes an advisory lock until `close`. Several readers share, one writer excludes all others, QEMU's tools included.
   * Calling it again changes the mode; when that is refused the old lock stays.
   * @returns false where the host offers no locks (nothing is locked then)
   * @throws NestboxError kind `busy` when another program or VM holds it
   */
  lock(mode: LockMode): Promise<boolean>;
  /** Releases locks too. Calling it twice is allowed. */
  close(): Promise<void>;
}

export type HostFileKind = 'file' | 'directory' | 'block-device' | 'character-device' | 'fifo' | 'socket' | 'other';

export interface HostFileStatus {
  readonly kind: HostFileKind;
  readonly sizeBytes: number;
  /** What the host's disk gives up for it: less than its size when it has holes. */
  readonly allocatedBytes: number;
}

/** The operations that name files. */
export interface HostFiles {
  /** Follows symbolic links. @throws NestboxError `not-found`, `permission`, `io` */
  status(path: string): Promise<HostFileStatus>;
  /** Opens an existing regular file. @throws NestboxError `not-found`, `permission`, `bad-input` (not a regular file), `io` */
  open(path: string, options: { readOnly: boolean }): Promise<HostFile>;
  /** Makes a new file, readable by the user only. @throws NestboxError `usage` when it exists already */
  create(path: string): Promise<HostFile>;
  /** A nameless file for scratch data: its space is freed when it is closed or the process dies. */
  createTemporary(): Promise<HostFile>;
  rename(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  /** Names in a folder, in no order; empty when there is no such folder. */
  list(path: string): Promise<string[]>;
  /** Makes a folder and those above it, for the user only; nothing happens when it is there. */
  makeFolder(path: string): Promise<void>;
  /** Makes renames, new files and removals in a folder durable. */
  syncDirectory(path: string): Promise<void>;
}
