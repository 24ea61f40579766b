// Two images that get everything that a guest writes, while the content of the first is being copied to the second. The
// first is the disk: the second may fail, which only ends the copying, until the caller relies on it.

import type { BlockDevice } from './block-device.ts';
import { RwLock } from './qcow2/rw-lock.ts';
import type { Qcow2Disk } from './qcow2/qcow2-disk.ts';
import type { RawDisk } from './raw-disk.ts';

export class MirrorDisk implements BlockDevice {
  readonly source: Qcow2Disk;
  readonly target: Qcow2Disk | RawDisk;
  /** Writes share; a step of the copy is alone, so that it never brings back what was overwritten meanwhile. */
  private readonly lock = new RwLock();
  private failure: Error | undefined;
  private relied = false;

  constructor(source: Qcow2Disk, target: Qcow2Disk | RawDisk) {
    this.source = source;
    this.target = target;
  }

  get sizeBytes(): number {
    return this.source.sizeBytes;
  }

  get readOnly(): boolean {
    return this.source.readOnly;
  }

  read(offset: number, target: Uint8Array): Promise<void> {
    return this.source.read(offset, target);
  }

  write(offset: number, source: Uint8Array): Promise<void> {
    return this.both((disk) => disk.write(offset, source));
  }

  writeZeroes(offset: number, length: number): Promise<void> {
    return this.both((disk) => disk.writeZeroes(offset, length));
  }

  async discard(): Promise<void> {
    // Each image would make other parts of it zero: advice that is not taken is the same in both.
  }

  flush(): Promise<void> {
    return this.both((disk) => disk.flush());
  }

  /** Looks at the source and writes to the target, with no write of the guest in between. */
  async copyStep(work: () => Promise<void>): Promise<void> {
    await this.lock.exclusive(async () => {
      this.check();
      await work();
    });
  }

  /** From here on a request is done only when the target has it as well. @throws what went wrong with the target so far */
  async rely(): Promise<void> {
    await this.lock.exclusive(async () => {
      this.check();
      this.relied = true;
    });
  }

  async close(): Promise<void> {
    // The target is the source's backing file.
    await this.target.flush().catch(() => undefined);
    await this.source.close();
  }

  private check(): void {
    if (this.failure !== undefined) throw this.failure;
  }

  private both(work: (disk: BlockDevice) => Promise<void>): Promise<void> {
    return this.lock.shared(async () => {
      await work(this.source);
      if (this.failure !== undefined) return;
      try {
        await work(this.target);
      } catch (error) {
        if (this.relied) throw error;
        this.failure = error instanceof Error ? error : new Error(String(error));
      }
    });
  }
}
