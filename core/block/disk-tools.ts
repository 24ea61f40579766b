// What `nestbox disk` and the library do with image files as wholes: make, look at, check, convert, resize, compact,
// commit.

import { dirname, relative, resolve } from 'node:path';
import { NestboxError } from '../base/errors.ts';
import type { HostFile } from '../host/files/host-file.ts';
import { nodeHostFiles } from '../host/files/node-host-files.ts';
import { backingPath, folderBackingResolver } from './backing-chain.ts';
import type { BlockDevice } from './block-device.ts';
import { copyDisk, type CopyOptions } from './copy-disk.ts';
import { asDisk, type DiskFormat, type ImageFormat, makeFile, openImage } from './disk-files.ts';
import { type CheckOptions, type CheckReport, checkQcow2 } from './qcow2/check-qcow2.ts';
import { createQcow2, type Qcow2CreateOptions } from './qcow2/create-qcow2.ts';
import { readHeader } from './qcow2/header.ts';
import { ImageIo } from './qcow2/image-io.ts';
import { INCOMPATIBLE_CORRUPT, INCOMPATIBLE_DIRTY, MAX_VIRTUAL_BYTES } from './qcow2/layout.ts';
import { openQcow2 } from './qcow2/open-qcow2.ts';
import { readSnapshotTable } from './qcow2/snapshot-table.ts';
import { RawDisk } from './raw-disk.ts';

export interface DiskInfo {
  readonly path: string;
  readonly format: ImageFormat;
  readonly virtualBytes: number;
  readonly fileBytes: number;
  /** What the file takes on the host's disk. */
  readonly allocatedBytes: number;
  readonly qcow2?: {
    readonly version: 2 | 3;
    readonly clusterBytes: number;
    readonly refcountBits: number;
    readonly compressionType: string;
    readonly lazyRefcounts: boolean;
    readonly dirty: boolean;
    readonly corrupt: boolean;
    readonly backingName?: string;
    readonly backingFormat?: string;
    readonly snapshots: readonly { id: string; name: string; dateSeconds: number; vmStateBytes: number }[];
  };
}

export interface CreateDiskOptions extends Omit<Qcow2CreateOptions, 'sizeBytes' | 'backing'> {
  readonly format: DiskFormat;
  /** Taken from the backing file when left out. */
  readonly sizeBytes?: number | undefined;
  /** Makes a linked clone: an overlay on that image, which must be in the same folder and not change any more. */
  readonly backing?: { readonly path: string; readonly format: DiskFormat } | undefined;
}

export async function createDisk(path: string, options: CreateDiskOptions, files = nodeHostFiles): Promise<void> {
  const { format, backing, sizeBytes, ...rest } = options;
  let name: string | undefined;
  let size = sizeBytes;
  if (backing !== undefined) {
    if (format !== 'qcow2')
      throw new NestboxError('usage', 'Only qcow2 images can have a backing file', { op: 'create image' });
    name = relative(dirname(resolve(path)), resolve(backing.path));
    backingPath(resolve(path), name);
    const below = await openImage(files, backing.path, backing.format, true);
    const disk = await asDisk(files, below.file, below.format, true);
    size ??= disk.sizeBytes;
    await disk.close();
  }
  if (size === undefined) throw new NestboxError('usage', 'The size is missing', { op: 'create image' });
  const bytes = size;
  if (bytes > MAX_VIRTUAL_BYTES || bytes % 512 !== 0)
    throw new NestboxError('usage', `Size ${bytes}: must be a multiple of 512 bytes, at most 64 TiB`, {
      op: 'create image',
    });
  await makeFile(files, path, false, async (file) => {
    if (format === 'raw') {
      await file.truncate(bytes);
      await file.flush();
      return;
    }
    await createQcow2(file, {
      ...rest,
      sizeBytes: bytes,
      ...(backing !== undefined && name !== undefined ? { backing: { name, format: backing.format } } : {}),
    });
  });
}

export async function diskInfo(path: string, stated?: ImageFormat, files = nodeHostFiles): Promise<DiskInfo> {
  const { file, format } = await openImage(files, path, stated, true);
  try {
    const fileBytes = file.identity().sizeBytes;
    const { allocatedBytes } = await files.status(path);
    if (format !== 'qcow2') {
      // Extents of a VMDK are opened to look at their sizes; they are in the same folder.
      const disk = await asDisk(files, file, format, false);
      await disk.close();
      return { path, format, virtualBytes: disk.sizeBytes, fileBytes, allocatedBytes };
    }
    const header = await readHeader(file);
    const { snapshots } = await readSnapshotTable(new ImageIo(file, header.clusterBytes), header);
    return {
      path,
      format,
      virtualBytes: header.sizeBytes,
      fileBytes,
      allocatedBytes,
      qcow2: {
        version: header.version,
        clusterBytes: header.clusterBytes,
        refcountBits: 1 << header.refcountOrder,
        compressionType: header.compressionType,
        lazyRefcounts: header.lazyRefcounts,
        dirty: (header.incompatible & INCOMPATIBLE_DIRTY) !== 0,
        corrupt: (header.incompatible & INCOMPATIBLE_CORRUPT) !== 0,
        ...(header.backingName === undefined ? {} : { backingName: header.backingName }),
        ...(header.backingFormat === undefined ? {} : { backingFormat: header.backingFormat }),
        snapshots: snapshots.map(({ id, name, dateSeconds, vmStateBytes }) => ({
          id,
          name,
          dateSeconds,
          vmStateBytes,
        })),
      },
    };
  } finally {
    await file.close();
  }
}

/** @throws NestboxError `bad-input` for a raw image: there is nothing to check */
export async function checkDisk(path: string, options: CheckOptions = {}, files = nodeHostFiles): Promise<CheckReport> {
  const { file } = await openImage(files, path, 'qcow2', options.repair === undefined);
  try {
    return await checkQcow2(file, options);
  } finally {
    await file.close();
  }
}

export interface ConvertOptions extends CopyOptions {
  readonly from?: ImageFormat | undefined;
  readonly to: DiskFormat;
  /** Open backing files from the source's folder. */
  readonly followBacking?: boolean | undefined;
  readonly replace?: boolean | undefined;
  readonly image?: Omit<Qcow2CreateOptions, 'sizeBytes' | 'backing'> | undefined;
}

export async function convertDisk(
  source: string,
  target: string,
  options: ConvertOptions,
  files = nodeHostFiles,
): Promise<void> {
  if (resolve(source) === resolve(target))
    throw new NestboxError('usage', 'Source and target are the same file', { op: 'convert image' });
  if (options.compress === true && options.to !== 'qcow2')
    throw new NestboxError('usage', 'Only qcow2 images can be compressed', { op: 'convert image' });
  const { file, format } = await openImage(files, source, options.from, true);
  const disk = await asDisk(files, file, format, options.followBacking === true);
  try {
    await makeFile(files, target, options.replace === true, (fresh) => fillFrom(disk, fresh, options));
  } finally {
    await disk.close();
  }
}

async function fillFrom(source: BlockDevice, fresh: HostFile, options: Omit<ConvertOptions, 'from'>): Promise<void> {
  let target: BlockDevice;
  if (options.to === 'raw') {
    await fresh.truncate(source.sizeBytes);
    target = new RawDisk(fresh, source.sizeBytes);
  } else {
    await createQcow2(fresh, { ...options.image, sizeBytes: source.sizeBytes });
    target = await openQcow2(fresh, { durable: false });
  }
  await copyDisk(source, target, options);
  await target.close();
}

export async function resizeDisk(
  path: string,
  sizeBytes: number,
  options: { format: DiskFormat; shrink?: boolean | undefined },
  files = nodeHostFiles,
): Promise<void> {
  if (!Number.isSafeInteger(sizeBytes) || sizeBytes <= 0 || sizeBytes % 512 !== 0 || sizeBytes > MAX_VIRTUAL_BYTES)
    throw new NestboxError('usage', `Size ${sizeBytes}: must be a multiple of 512 bytes, at most 64 TiB`, {
      op: 'resize image',
    });
  const { file, format } = await openImage(files, path, options.format, false);
  const refuse = (bytes: number): void => {
    if (sizeBytes < bytes && options.shrink !== true)
      throw new NestboxError('usage', `${path}: has ${bytes} bytes; shrinking throws away data and needs --shrink`, {
        op: 'resize image',
      });
  };
  if (format === 'raw') {
    try {
      refuse(file.identity().sizeBytes);
      await file.truncate(sizeBytes);
      await file.flush();
    } finally {
      await file.close();
    }
    return;
  }
  let disk;
  try {
    disk = await openQcow2(file, { resolveBacking: folderBackingResolver(files, file) });
  } catch (error) {
    await file.close().catch(() => undefined);
    throw error;
  }
  try {
    refuse(disk.sizeBytes);
    await disk.resize(sizeBytes);
  } finally {
    await disk.close();
  }
}

/** Rewrites an image without its unused and zero parts. The old file stays until the new one is complete. */
export async function compactDisk(
  path: string,
  options: CopyOptions & { format: DiskFormat },
  files = nodeHostFiles,
): Promise<void> {
  const { file, format } = await openImage(files, path, options.format, false);
  let image: ConvertOptions['image'];
  try {
    if (format === 'qcow2') {
      const header = await readHeader(file);
      if (header.backingName !== undefined || header.snapshotCount > 0)
        throw new NestboxError(
          'unsupported',
          `${path}: has a backing file or internal snapshots and cannot be compacted`,
          { op: 'compact image' },
        );
      image = {
        version: header.version,
        clusterBytes: header.clusterBytes,
        refcountBits: 1 << header.refcountOrder,
        compressionType: header.compressionType,
        lazyRefcounts: header.lazyRefcounts,
      };
    }
  } catch (error) {
    await file.close().catch(() => undefined);
    throw error;
  }
  const disk = await asDisk(files, file, format, false);
  try {
    await makeFile(files, path, true, (fresh) => fillFrom(disk, fresh, { ...options, to: format, image }));
  } finally {
    await disk.close();
  }
}
