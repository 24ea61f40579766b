// Writes what an overlay holds into its backing file and empties the overlay. The overlay keeps everything until the
// backing file has it on stable storage, so a crash at any point changes nothing that a reader of the overlay sees.

import { NestboxError } from '../base/errors.ts';
import type { HostFiles } from '../host/files/host-file.ts';
import { nodeHostFiles } from '../host/files/node-host-files.ts';
import { backingPath, folderBackingResolver } from './backing-chain.ts';
import { roundUp } from './block-range.ts';
import { BorrowedDisk } from './borrowed-disk.ts';
import type { CopyOptions } from './copy-disk.ts';
import { type DiskFormat, makeFile, openImage } from './disk-files.ts';
import { commitOwn } from './merge-disks.ts';
import { createQcow2, type Qcow2CreateOptions } from './qcow2/create-qcow2.ts';
import { readHeader } from './qcow2/header.ts';
import { openQcow2 } from './qcow2/open-qcow2.ts';
import type { Qcow2Disk } from './qcow2/qcow2-disk.ts';
import { RawDisk } from './raw-disk.ts';

/**
 * @param path a qcow2 overlay; its backing file must be in the same folder and not be below any other overlay
 * @throws NestboxError `busy` when either file is in use
 */
export async function commitDisk(
  path: string,
  options: CopyOptions = {},
  files: HostFiles = nodeHostFiles,
): Promise<void> {
  const { file } = await openImage(files, path, 'qcow2', false);
  try {
    const header = await readHeader(file);
    const { backingName, backingFormat } = header;
    const refuse = (text: string): NestboxError =>
      new NestboxError('unsupported', `${path}: ${text}`, { op: 'commit image', context: { path } });
    if (backingName === undefined) throw refuse('has no backing file to write to');
    if (header.snapshotCount > 0) throw refuse('has internal snapshots and cannot be emptied');
    if (backingFormat !== 'raw' && backingFormat !== 'qcow2')
      throw refuse('does not say which format its backing file has (raw or qcow2)');
    const target = await openTarget(files, backingPath(path, backingName), backingFormat);
    try {
      const overlay = await openQcow2(file, { readOnly: true, resolveBacking: async () => new BorrowedDisk(target) });
      await commitOwn(overlay, target, options);
    } finally {
      await target.close();
    }
    const image: Qcow2CreateOptions = {
      version: header.version,
      clusterBytes: header.clusterBytes,
      refcountBits: 1 << header.refcountOrder,
      compressionType: header.compressionType,
      lazyRefcounts: header.lazyRefcounts,
      sizeBytes: header.sizeBytes,
      backing: { name: backingName, format: backingFormat },
    };
    await makeFile(files, path, true, (fresh) => createQcow2(fresh, image));
  } finally {
    await file.close();
  }
}

async function openTarget(files: HostFiles, path: string, format: DiskFormat): Promise<RawDisk | Qcow2Disk> {
  const { file } = await openImage(files, path, format, false);
  try {
    if (format === 'qcow2') return await openQcow2(file, { resolveBacking: folderBackingResolver(files, file) });
    // A raw file that is not whole sectors long is made so.
    const fileBytes = file.identity().sizeBytes;
    const wanted = roundUp(fileBytes, 512);
    if (fileBytes < wanted) await file.truncate(wanted);
    return new RawDisk(file, wanted);
  } catch (error) {
    await file.close().catch(() => undefined);
    throw error;
  }
}
