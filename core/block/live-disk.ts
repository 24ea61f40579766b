// A disk whose image can be exchanged while a guest uses it: for live snapshots and forks. Requests that were made go to
// the old image, later ones wait and go to the new one; the guest sees one disk.

import { NestboxError } from '../base/errors.ts';
import type { BlockDevice } from './block-device.ts';
import { openQcow2 } from './qcow2/open-qcow2.ts';
import { Qcow2Disk } from './qcow2/qcow2-disk.ts';
import { RawDisk } from './raw-disk.ts';
import type { HostFiles } from '../host/files/host-file.ts';
import { nodeHostFiles } from '../host/files/node-host-files.ts';

export class LiveDisk implements BlockDevice {
  private inner: BlockDevice;
  private active = 0;
  private drained: (() => void) | undefined;
  /** Set while the image is being exchanged: what new requests wait for. */
  private gate: Promise<void> | undefined;

  /** @param inner owned by this disk */
  constructor(inner: BlockDevice) {
    this.inner = inner;
  }

  /** The image behind the disk now. */
  get current(): BlockDevice {
    return this.inner;
  }

  get sizeBytes(): number {
    return this.inner.sizeBytes;
  }

  get readOnly(): boolean {
    return this.inner.readOnly;
  }

  read(offset: number, target: Uint8Array): Promise<void> {
    return this.request((disk) => disk.read(offset, target));
  }

  write(offset: number, source: Uint8Array): Promise<void> {
    return this.request((disk) => disk.write(offset, source));
  }

  flush(): Promise<void> {
    return this.request((disk) => disk.flush());
  }

  writeZeroes(offset: number, length: number): Promise<void> {
    return this.request((disk) => disk.writeZeroes(offset, length));
  }

  discard(offset: number, length: number): Promise<void> {
    return this.request((disk) => disk.discard(offset, length));
  }

  close(): Promise<void> {
    return this.request((disk) => disk.close());
  }

  /**
   * Waits for the requests under way, holds new ones back, and lets `work` make the image that takes its place. When
   * `work` fails the old one stays. `work` decides what becomes of the old image; it must have the same size.
   */
  async exchange(work: (current: BlockDevice) => Promise<BlockDevice>): Promise<void> {
    while (this.gate !== undefined) await this.gate;
    let open = (): void => undefined;
    this.gate = new Promise((resolve) => (open = resolve));
    try {
      if (this.active > 0) await new Promise<void>((resolve) => (this.drained = resolve));
      this.inner = await work(this.inner);
    } finally {
      this.gate = undefined;
      open();
    }
  }

  private async request<T>(work: (disk: BlockDevice) => Promise<T>): Promise<T> {
    while (this.gate !== undefined) await this.gate;
    this.active++;
    try {
      return await work(this.inner);
    } finally {
      this.active--;
      if (this.active === 0) {
        this.drained?.();
        this.drained = undefined;
      }
    }
  }
}

/**
 * Lets the disk go on in an overlay that `createOverlay` has made on its present image. That image is complete on stable
 * storage and read-only when this returns. Costs one flush and the opening of a small file.
 * @throws NestboxError; the disk then goes on in its present image
 */
export async function switchToOverlay(
  disk: LiveDisk,
  overlayPath: string,
  files: HostFiles = nodeHostFiles,
): Promise<void> {
  await disk.exchange(async (current) => {
    if (!(current instanceof Qcow2Disk) && !(current instanceof RawDisk))
      throw new NestboxError('unsupported', 'Only raw and qcow2 disks can go on in an overlay', {
        op: 'switch to overlay',
      });
    const file = await files.open(overlayPath, { readOnly: false });
    let frozen = false;
    try {
      await file.lock('exclusive');
      await current.freeze();
      frozen = true;
      const overlay = await openQcow2(file, { resolveBacking: async () => current });
      if (overlay.backing === undefined || overlay.sizeBytes !== current.sizeBytes)
        throw new NestboxError('bad-input', `${overlayPath}: is not an overlay on this disk`, {
          op: 'switch to overlay',
        });
      return overlay;
    } catch (error) {
      await file.close().catch(() => undefined);
      if (frozen) await current.thaw();
      throw error;
    }
  });
}
