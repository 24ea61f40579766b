// Opens, locks and makes image files for tools that work on whole images. A new file is always made under another name in
// the same folder, flushed, and renamed when it is complete.

import { randomUUID } from 'node:crypto';
import { dirname, resolve } from 'node:path';
import { NestboxError } from '../base/errors.ts';
import type { HostFile, HostFiles } from '../host/files/host-file.ts';
import { folderBackingResolver } from './backing-chain.ts';
import type { BlockDevice } from './block-device.ts';
import { roundUp } from './block-range.ts';
import { HEAD_BYTES, recognise } from './medium-kinds.ts';
import { openQcow2 } from './qcow2/open-qcow2.ts';
import { RawDisk } from './raw-disk.ts';

export type DiskFormat = 'raw' | 'qcow2';

function badInput(path: string, text: string): NestboxError {
  return new NestboxError('bad-input', `${path}: ${text}`, { op: 'open image', context: { path } });
}

/** Opens and locks; the format is the stated one, or for reading only, what the file's start says. */
export async function openImage(
  files: HostFiles,
  path: string,
  stated: DiskFormat | undefined,
  readOnly: boolean,
): Promise<{ file: HostFile; format: DiskFormat }> {
  const file = await files.open(path, { readOnly });
  try {
    await file.lock(readOnly ? 'shared' : 'exclusive');
    const head = new Uint8Array(Math.min(HEAD_BYTES, file.identity().sizeBytes));
    await file.read(0, head);
    const known = recognise(head);
    if (stated === 'qcow2' && known?.format !== 'qcow2') throw badInput(path, 'is not a qcow2 disk image');
    if (stated !== undefined) return { file, format: stated };
    if (known?.format === 'qcow2') {
      if (!readOnly) throw badInput(path, 'is a qcow2 disk image; say --format qcow2 to change it');
      return { file, format: 'qcow2' };
    }
    if (known?.family === 'disk-format') throw badInput(path, `is ${known.what}, which is not supported`);
    if (!readOnly) throw badInput(path, 'say --format raw to change it');
    return { file, format: 'raw' };
  } catch (error) {
    await file.close().catch(() => undefined);
    throw error;
  }
}

export async function asDisk(
  files: HostFiles,
  file: HostFile,
  format: DiskFormat,
  follow: boolean,
): Promise<BlockDevice> {
  try {
    if (format === 'raw') return new RawDisk(file, roundUp(file.identity().sizeBytes, 512));
    return await openQcow2(file, follow ? { resolveBacking: folderBackingResolver(files, file) } : {});
  } catch (error) {
    await file.close().catch(() => undefined);
    throw error;
  }
}

/** Makes a file under a temporary name and gives it its real one when `fill` is done; nothing is left when it fails. */
export async function makeFile(
  files: HostFiles,
  path: string,
  replace: boolean,
  fill: (file: HostFile) => Promise<void>,
): Promise<void> {
  if (!replace && (await exists(files, path)))
    throw new NestboxError('usage', `${path}: the file exists already`, { op: 'create image', context: { path } });
  const temporary = `${path}.${randomUUID().slice(0, 8)}.partial`;
  const file = await files.create(temporary);
  try {
    await fill(file);
    await file.close();
    if (!replace && (await exists(files, path)))
      throw new NestboxError('usage', `${path}: the file exists already`, { op: 'create image', context: { path } });
    await files.rename(temporary, path);
  } catch (error) {
    await file.close().catch(() => undefined);
    await files.unlink(temporary).catch(() => undefined);
    throw error;
  }
  await files.syncDirectory(dirname(resolve(path)));
}

async function exists(files: HostFiles, path: string): Promise<boolean> {
  try {
    await files.status(path);
    return true;
  } catch (error) {
    if (error instanceof NestboxError && error.kind === 'not-found') return false;
    throw error;
  }
}
