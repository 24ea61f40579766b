// Growable room for fixed-size clusters: the first ones in memory, the rest in a nameless temporary file that is made
// when it is first needed.

import { NestboxError } from '../base/errors.ts';
import type { HostFile } from '../host/files/host-file.ts';

export interface ScratchOptions {
  readonly clusterBytes: number;
  /** How much stays in memory. */
  readonly memoryLimitBytes: number;
  /** Makes the file that takes what does not fit; without it everything stays in memory. */
  readonly createFile?: (() => Promise<HostFile>) | undefined;
}

export class ScratchStore {
  readonly clusterBytes: number;
  private readonly memorySlots: number;
  private readonly createFile: (() => Promise<HostFile>) | undefined;
  private readonly memory: Uint8Array[] = [];
  private file: Promise<HostFile> | undefined;
  private nextSlot = 0;
  private readonly freeSlots: number[] = [];

  constructor(options: ScratchOptions) {
    this.clusterBytes = options.clusterBytes;
    this.createFile = options.createFile;
    this.memorySlots =
      options.createFile === undefined ? Infinity : Math.floor(options.memoryLimitBytes / options.clusterBytes);
  }

  allocate(): number {
    return this.freeSlots.pop() ?? this.nextSlot++;
  }

  release(slot: number): void {
    this.freeSlots.push(slot);
  }

  /** Fills `target` from byte `offset` of a cluster that was written before. */
  async read(slot: number, offset: number, target: Uint8Array): Promise<void> {
    const cluster = this.memory[slot];
    if (cluster !== undefined) {
      target.set(cluster.subarray(offset, offset + target.length));
      return;
    }
    const file = await this.opened();
    const count = await file.read((slot - this.memorySlots) * this.clusterBytes + offset, target);
    if (count !== target.length)
      throw new NestboxError('io', 'The temporary file of discarded writes was cut short', { op: 'read disk' });
  }

  async write(slot: number, offset: number, source: Uint8Array): Promise<void> {
    if (slot < this.memorySlots) {
      const cluster = (this.memory[slot] ??= new Uint8Array(this.clusterBytes));
      cluster.set(source, offset);
      return;
    }
    const file = await this.opened();
    await file.write((slot - this.memorySlots) * this.clusterBytes + offset, source);
  }

  async close(): Promise<void> {
    this.memory.length = 0;
    const file = this.file;
    this.file = undefined;
    if (file !== undefined) await (await file).close();
  }

  private opened(): Promise<HostFile> {
    if (this.createFile === undefined)
      throw new NestboxError('internal', 'A scratch cluster was read before it was written');
    if (this.file === undefined) {
      const opening = this.createFile();
      this.file = opening;
      // A failure (disk full) is not remembered: the next write tries again.
      opening.catch(() => {
        if (this.file === opening) this.file = undefined;
      });
    }
    return this.file;
  }
}
