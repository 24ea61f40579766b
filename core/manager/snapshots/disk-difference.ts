// Which bytes of a VM's disks differ between two nodes.

import type { ChainLink } from '../../block/image-chain.ts';
import { diffExtents } from '../../block/diff-disks.ts';
import type { HostFiles } from '../../host/files/host-file.ts';
import { EXTENTS_MAX, type SnapshotDifference } from '../../protocol/snapshots.ts';

export interface CompareDisksOptions {
  /** The images of a medium, from the top down. */
  readonly links: (mediumId: string) => ChainLink[];
  readonly isDisk: (mediumId: string) => boolean;
  readonly files: HostFiles;
  readonly signal?: AbortSignal | undefined;
}

/** Only slots that have a disk in both. */
export async function compareDisks(from: Readonly<Record<string, string>>, to: Readonly<Record<string, string>>, options: CompareDisksOptions): Promise<SnapshotDifference['disks']> {
  const disks: SnapshotDifference['disks'][number][] = [];
  for (const [slot, before] of Object.entries(from)) {
    const after = to[slot];
    if (after === undefined || !options.isDisk(before) || !options.isDisk(after)) continue;
    const extents = before === after ? [] : await diffExtents(options.links(before), options.links(after), { exact: true, files: options.files, signal: options.signal });
    disks.push({
      slot,
      changedBytes: extents.reduce((sum, { length }) => sum + length, 0),
      extents: extents.slice(0, EXTENTS_MAX),
      truncated: extents.length > EXTENTS_MAX,
    });
  }
  return disks;
}
