// Access to the image's file for the qcow2 parts: knows the file's size, zero-fills what lies beyond its end, and keeps
// the rule for failed flushes (nothing that was written since may be trusted, so every later flush fails too).

import { NestboxError } from '../../base/errors.ts';
import type { HostFile } from '../../host/files/host-file.ts';

export class ImageIo {
  readonly file: HostFile;
  readonly clusterBytes: number;
  private readonly durable: boolean;
  private sizeBytes: number;
  private unflushed = false;
  private flushFailure: unknown;

  /** @param durable false for a new image that nobody can open before its last flush: barriers cost nothing then */
  constructor(file: HostFile, clusterBytes: number, durable = true) {
    this.file = file;
    this.clusterBytes = clusterBytes;
    this.durable = durable;
    this.sizeBytes = file.identity().sizeBytes;
  }

  get fileBytes(): number {
    return this.sizeBytes;
  }

  /** The first cluster that lies wholly beyond the end of the file. */
  get endCluster(): number {
    return Math.ceil(this.sizeBytes / this.clusterBytes);
  }

  async read(offset: number, target: Uint8Array): Promise<void> {
    const count = await this.file.read(offset, target);
    if (count < target.length) {
      if (offset + count < this.sizeBytes) {
        throw new NestboxError('io', `${this.file.path}: changed size while open`, { op: 'read disk' });
      }
      target.fill(0, count);
    }
  }

  async write(offset: number, source: Uint8Array): Promise<void> {
    this.unflushed = true;
    await this.file.write(offset, source);
    if (offset + source.length > this.sizeBytes) this.sizeBytes = offset + source.length;
  }

  /** Makes the file at least that long; what is new reads as zeroes. */
  async extendTo(sizeBytes: number): Promise<void> {
    if (sizeBytes <= this.sizeBytes) return;
    this.unflushed = true;
    await this.file.truncate(sizeBytes);
    this.sizeBytes = sizeBytes;
  }

  async shrinkTo(sizeBytes: number): Promise<void> {
    if (sizeBytes >= this.sizeBytes) return;
    this.unflushed = true;
    await this.file.truncate(sizeBytes);
    this.sizeBytes = sizeBytes;
  }

  async punchHole(offset: number, length: number): Promise<void> {
    const end = Math.min(offset + length, this.sizeBytes);
    if (end <= offset) return;
    this.unflushed = true;
    await this.file.punchHole(offset, end - offset);
  }

  /** Everything written before is on stable storage before anything written after. */
  async barrier(): Promise<void> {
    if (this.durable) await this.flush();
  }

  async flush(): Promise<void> {
    if (this.flushFailure !== undefined) {
      throw new NestboxError('io', `${this.file.path}: an earlier flush failed; the image must be checked`, {
        op: 'flush disk',
        cause: this.flushFailure,
      });
    }
    if (!this.unflushed) return;
    this.unflushed = false;
    try {
      await this.file.flush();
    } catch (error) {
      this.flushFailure = error;
      throw error;
    }
  }

  get hasFailed(): boolean {
    return this.flushFailure !== undefined;
  }
}
