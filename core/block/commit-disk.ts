// Writes what an overlay holds into its backing file and empties the overlay. The overlay keeps everything until the
// backing file has it on stable storage, so a crash at any point changes nothing that a reader of the overlay sees.

import { NestboxError } from '../base/errors.ts';
import type { HostFiles } from '../host/files/host-file.ts';
import { nodeHostFiles } from '../host/files/node-host-files.ts';
import { backingPath, folderBackingResolver } from './backing-chain.ts';
import type { BlockDevice } from './block-device.ts';
import type { CopyOptions } from './copy-disk.ts';
import { asDisk, type DiskFormat, makeFile, openImage } from './disk-tools.ts';
import { createQcow2, type Qcow2CreateOptions } from './qcow2/create-qcow2.ts';
import { readHeader } from './qcow2/header.ts';
import { openQcow2 } from './qcow2/open-qcow2.ts';
import type { Qcow2Disk } from './qcow2/qcow2-disk.ts';

const CHUNK_BYTES = 2 ** 21;

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
    const target = await openTarget(files, backingPath(path, backingName), backingFormat, header.sizeBytes);
    try {
      // Closing the overlay must not close what lies below: it is still being written.
      const below = notClosing(target);
      const overlay = await openQcow2(notClosing(file), { readOnly: true, resolveBacking: async () => below });
      await copyOwn(overlay, target, options);
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

async function openTarget(files: HostFiles, path: string, format: DiskFormat, sizeBytes: number): Promise<BlockDevice> {
  const { file } = await openImage(files, path, format, false);
  if (format === 'raw') {
    try {
      // A raw file that is not whole sectors long is made so, then as long as the overlay.
      const wanted = Math.max(sizeBytes, Math.ceil(file.identity().sizeBytes / 512) * 512);
      if (file.identity().sizeBytes < wanted) await file.truncate(wanted);
    } catch (error) {
      await file.close().catch(() => undefined);
      throw error;
    }
    return asDisk(files, file, 'raw', false);
  }
  let disk: Qcow2Disk | undefined;
  try {
    disk = await openQcow2(file, { resolveBacking: folderBackingResolver(files, file) });
    if (disk.sizeBytes < sizeBytes) await disk.resize(sizeBytes);
    return disk;
  } catch (error) {
    await (disk ?? file).close().catch(() => undefined);
    throw error;
  }
}

/** The same, for a user who may not close it. */
function notClosing<T extends object>(object: T): T {
  return new Proxy(object, {
    get: (inner, name) => {
      if (name === 'close') return async () => undefined;
      const value: unknown = Reflect.get(inner, name, inner);
      return typeof value === 'function' ? (value as (...args: unknown[]) => unknown).bind(inner) : value;
    },
  });
}

async function copyOwn(overlay: Qcow2Disk, target: BlockDevice, options: CopyOptions): Promise<void> {
  const total = overlay.sizeBytes;
  const buffer = new Uint8Array(CHUNK_BYTES);
  for (let at = 0; at < total;) {
    if (options.signal?.aborted === true) throw new NestboxError('cancelled', 'Cancelled', { op: 'commit image' });
    options.onProgress?.(at, total);
    const { own, length } = await overlay.ownExtentAt(at, total - at);
    if (!own) {
      at += length;
      continue;
    }
    const { blank, length: alike } = await overlay.extentAt(at, length);
    if (blank) {
      await target.writeZeroes(at, alike);
      at += alike;
      continue;
    }
    const chunk = buffer.subarray(0, Math.min(alike, CHUNK_BYTES));
    await overlay.read(at, chunk);
    await target.write(at, chunk);
    at += chunk.length;
  }
  await target.flush();
  options.onProgress?.(total, total);
}
