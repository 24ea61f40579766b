// A part of a file as a file of its own, for reading: an image inside an archive. Closing it closes the whole file.

import { NestboxError } from '../../base/errors.ts';
import type { FileIdentity, HostFile, LockMode } from './host-file.ts';

export class RangeFile implements HostFile {
  readonly path: string;
  readonly readOnly = true;
  private readonly whole: HostFile;
  private readonly offset: number;
  private readonly sizeBytes: number;

  /** @param name for messages */
  constructor(whole: HostFile, name: string, offset: number, sizeBytes: number) {
    this.whole = whole;
    this.path = `${whole.path}: ${name}`;
    this.offset = offset;
    this.sizeBytes = sizeBytes;
  }

  private clip(offset: number, target: Uint8Array): Uint8Array {
    return target.subarray(0, Math.max(0, Math.min(target.length, this.sizeBytes - offset)));
  }

  async read(offset: number, target: Uint8Array): Promise<number> {
    const wanted = this.clip(offset, target);
    return wanted.length === 0 ? 0 : this.whole.read(this.offset + offset, wanted);
  }

  readSync(offset: number, target: Uint8Array): number {
    const wanted = this.clip(offset, target);
    return wanted.length === 0 ? 0 : this.whole.readSync(this.offset + offset, wanted);
  }

  private refuse(): NestboxError {
    return new NestboxError('usage', `${this.path}: a part of an archive cannot be written to`, { op: 'write file' });
  }
  async write(): Promise<void> {
    throw this.refuse();
  }
  async truncate(): Promise<void> {
    throw this.refuse();
  }
  async punchHole(): Promise<boolean> {
    throw this.refuse();
  }
  async flush(): Promise<void> {
    // Nothing was written.
  }

  identity(): FileIdentity {
    return { ...this.whole.identity(), sizeBytes: this.sizeBytes };
  }
  lock(mode: LockMode): Promise<boolean> {
    return this.whole.lock(mode);
  }
  close(): Promise<void> {
    return this.whole.close();
  }
}
