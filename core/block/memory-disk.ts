// A disk in memory, for tests and for built-in media.

import type { BlockDevice } from './block-device.ts';

export class MemoryDisk implements BlockDevice {
  readonly data: Uint8Array;
  readonly readOnly: boolean;

  /** @param content the bytes themselves (kept, not copied), or the size of an empty disk */
  constructor(content: Uint8Array | number, options: { readOnly?: boolean } = {}) {
    this.data = typeof content === 'number' ? new Uint8Array(content) : content;
    this.readOnly = options.readOnly ?? false;
  }

  get sizeBytes(): number {
    return this.data.length;
  }

  async read(offset: number, target: Uint8Array): Promise<void> {
    target.set(this.data.subarray(offset, offset + target.length));
  }

  async write(offset: number, source: Uint8Array): Promise<void> {
    this.data.set(source, offset);
  }

  async flush(): Promise<void> {}

  async writeZeroes(offset: number, length: number): Promise<void> {
    this.data.fill(0, offset, offset + length);
  }

  async discard(offset: number, length: number): Promise<void> {
    this.data.fill(0, offset, offset + length);
  }

  async close(): Promise<void> {}
}
