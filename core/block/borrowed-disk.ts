// A view of a disk that somebody else owns: closing the view leaves the disk open.

import type { BlockDevice } from './block-device.ts';

export class BorrowedDisk implements BlockDevice {
  private readonly owner: BlockDevice;

  constructor(owner: BlockDevice) {
    this.owner = owner;
  }

  get sizeBytes(): number {
    return this.owner.sizeBytes;
  }

  get readOnly(): boolean {
    return this.owner.readOnly;
  }

  read(offset: number, target: Uint8Array): Promise<void> {
    return this.owner.read(offset, target);
  }

  write(offset: number, source: Uint8Array): Promise<void> {
    return this.owner.write(offset, source);
  }

  flush(): Promise<void> {
    return this.owner.flush();
  }

  writeZeroes(offset: number, length: number): Promise<void> {
    return this.owner.writeZeroes(offset, length);
  }

  discard(offset: number, length: number): Promise<void> {
    return this.owner.discard(offset, length);
  }

  async close(): Promise<void> {
    // Its owner does.
  }
}
