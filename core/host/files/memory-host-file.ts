// A HostFile in memory, for tests: it counts what is done and fails on command.

import { NestboxError } from '../../base/errors.ts';
import type { FileIdentity, HostFile, LockMode } from './host-file.ts';

export type FaultPoint = 'read' | 'write' | 'flush' | 'truncate' | 'punchHole' | 'lock' | 'close';

export class MemoryHostFile implements HostFile {
  readonly path: string;
  readonly readOnly: boolean;
  /** The content; longer than `size` when there is room to grow. */
  private bytes: Uint8Array;
  private size: number;
  private closed = false;
  /** How often each operation was called. */
  readonly calls: Record<FaultPoint, number> = {
    read: 0,
    write: 0,
    flush: 0,
    truncate: 0,
    punchHole: 0,
    lock: 0,
    close: 0,
  };
  /** Called before every operation; what it throws is the operation's failure. */
  onCall: ((point: FaultPoint) => void) | undefined;
  holesSupported = true;

  constructor(content: Uint8Array, options: { path?: string; readOnly?: boolean } = {}) {
    this.bytes = content.slice();
    this.size = content.length;
    this.path = options.path ?? 'memory';
    this.readOnly = options.readOnly ?? false;
  }

  /** A copy of the present content. */
  content(): Uint8Array {
    return this.bytes.slice(0, this.size);
  }

  get isClosed(): boolean {
    return this.closed;
  }

  private enter(point: FaultPoint): void {
    if (this.closed && point !== 'close') throw new NestboxError('internal', `${this.path}: used after it was closed`);
    this.calls[point]++;
    this.onCall?.(point);
  }

  async read(offset: number, target: Uint8Array): Promise<number> {
    return this.readSync(offset, target);
  }

  readSync(offset: number, target: Uint8Array): number {
    this.enter('read');
    const count = Math.max(0, Math.min(target.length, this.size - offset));
    target.set(this.bytes.subarray(offset, offset + count));
    return count;
  }

  async write(offset: number, source: Uint8Array): Promise<void> {
    this.enter('write');
    if (this.readOnly) throw new NestboxError('permission', `${this.path}: opened read-only`);
    this.grow(offset + source.length);
    this.bytes.set(source, offset);
  }

  async flush(): Promise<void> {
    this.enter('flush');
  }

  async truncate(sizeBytes: number): Promise<void> {
    this.enter('truncate');
    if (sizeBytes < this.size) this.bytes.fill(0, sizeBytes, this.size);
    else this.grow(sizeBytes);
    this.size = sizeBytes;
  }

  identity(): FileIdentity {
    return { device: '0', inode: this.path, sizeBytes: this.size };
  }

  async punchHole(offset: number, length: number): Promise<boolean> {
    this.enter('punchHole');
    if (!this.holesSupported) return false;
    this.bytes.fill(0, Math.min(offset, this.size), Math.min(offset + length, this.size));
    return true;
  }

  async lock(_mode: LockMode): Promise<boolean> {
    this.enter('lock');
    return true;
  }

  async close(): Promise<void> {
    this.enter('close');
    this.closed = true;
  }

  private grow(sizeBytes: number): void {
    if (sizeBytes > this.bytes.length) {
      const bigger = new Uint8Array(Math.max(sizeBytes, this.bytes.length * 2));
      bigger.set(this.bytes.subarray(0, this.size));
      this.bytes = bigger;
    }
    if (sizeBytes > this.size) this.size = sizeBytes;
  }
}
