// Takes images that nothing needs any more out of the chains of disks while the guest uses them.

import { NestboxError } from '../base/errors.ts';
import type { LiveDisk } from '../block/live-disk.ts';
import { type CommittedLive, commitLive, pullLive } from '../block/live-merge.ts';
import type { HostFiles } from '../host/files/host-file.ts';
import type { MergeDiskSpec } from '../protocol/vm-messages.ts';

export class DiskMerger {
  private readonly disk: (slot: string) => LiveDisk | undefined;
  private readonly files: HostFiles;
  private abort: AbortController | undefined;
  /** By slot: commits whose images both get what the guest writes. */
  private readonly committed = new Map<string, CommittedLive>();

  /** @param disk the disk at a slot */
  constructor(disk: (slot: string) => LiveDisk | undefined, files: HostFiles) {
    this.disk = disk;
    this.files = files;
  }

  /** See VmStateCommands.mergeDisk. @param progress told the share that is done, 0 to 1 */
  async merge(spec: MergeDiskSpec, progress: (fraction: number) => void): Promise<void> {
    const { slot, links, way } = spec;
    const disk = this.disk(slot);
    if (disk === undefined) throw new NestboxError('usage', `There is no disk at ${slot}`, { op: 'merge images' });
    if (this.abort !== undefined || this.committed.has(slot)) throw new NestboxError('busy', 'Images are being merged already', { op: 'merge images' });
    const abort = new AbortController();
    this.abort = abort;
    let told = -1;
    // Each one goes through a channel: a step of the copy is too small for that.
    const onProgress = (done: number, total: number): void => {
      const percent = total === 0 ? 100 : Math.floor((done / total) * 100);
      if (percent > told) progress(percent / 100);
      told = percent;
    };
    const options = { files: this.files, signal: abort.signal, onProgress };
    try {
      if (way === 'pull') await pullLive(disk, links, options);
      else this.committed.set(slot, await commitLive(disk, links, options));
    } finally {
      this.abort = undefined;
    }
  }

  async finish(slot: string): Promise<void> {
    const committed = this.committed.get(slot);
    this.committed.delete(slot);
    await committed?.finish();
  }

  cancel(): void {
    this.abort?.abort();
  }
}
