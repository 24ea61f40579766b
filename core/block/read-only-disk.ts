// A view of a block device that refuses every write, whatever lies below.

import type { BlockDevice } from './block-device.ts';
import { writeProtectedError } from './block-range.ts';

export class ReadOnlyDisk implements BlockDevice {
  readonly readOnly = true;
  private readonly inner: BlockDevice;

  /** @param inner owned by the view: closing the view closes it */
  constructor(inner: BlockDevice) {
    this.inner = inner;
  }

  get sizeBytes(): number {
    return this.inner.sizeBytes;
  }

  read(offset: number, target: Uint8Array): Promise<void> {
    return this.inner.read(offset, target);
  }

  async write(): Promise<void> {
    throw writeProtectedError('write disk');
  }

  async flush(): Promise<void> {
    // Nothing was written.
  }

  async writeZeroes(): Promise<void> {
    throw writeProtectedError('write zeroes');
  }

  async discard(): Promise<void> {
    // A hint that may be ignored.
  }

  close(): Promise<void> {
    return this.inner.close();
  }
}
