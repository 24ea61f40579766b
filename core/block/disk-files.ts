// Opens, locks and makes image files for tools that work on whole images. A new file is always made under another name in
// the same folder, flushed, and renamed when it is complete.

import { randomUUID } from 'node:crypto';
import { dirname, resolve } from 'node:path';
import { NestboxError } from '../base/errors.ts';
import type { HostFile, HostFiles } from '../host/files/host-file.ts';
import { folderBackingResolver } from './backing-chain.ts';
import type { BlockDevice } from './block-device.ts';
import { roundUp } from './block-range.ts';
import { type ForeignFormat, isForeignFormat, openForeign } from './foreign/open-foreign.ts';
import { isVhdFooter } from './foreign/vhd.ts';
import { HEAD_BYTES, recognise } from './medium-kinds.ts';
import { openQcow2 } from './qcow2/open-qcow2.ts';
import { RawDisk } from './raw-disk.ts';

/** What a VM can write to. */
export type DiskFormat = 'raw' | 'qcow2';
/** What can be read. */
export type ImageFormat = DiskFormat | ForeignFormat;

export function isImageFormat(name: string): name is ImageFormat {
  return name === 'raw' || name === 'qcow2' || isForeignFormat(name);
}

function badInput(path: string, text: string): NestboxError {
  return new NestboxError('bad-input', `${path}: ${text}`, { op: 'open image', context: { path } });
}

/** Opens and locks; the format is the stated one, or for reading only, what the file says. */
export async function openImage<Stated extends ImageFormat | undefined>(
  files: HostFiles,
  path: string,
  stated: Stated,
  readOnly: boolean,
): Promise<{ file: HostFile; format: Stated extends ImageFormat ? Stated : ImageFormat }> {
  const file = await files.open(path, { readOnly });
  try {
    await file.lock(readOnly ? 'shared' : 'exclusive');
    const format = await formatOf(file, stated, readOnly);
    return { file, format: format as Stated extends ImageFormat ? Stated : ImageFormat };
  } catch (error) {
    await file.close().catch(() => undefined);
    throw error;
  }
}

async function formatOf(file: HostFile, stated: ImageFormat | undefined, readOnly: boolean): Promise<ImageFormat> {
  const { path } = file;
  const { sizeBytes } = file.identity();
  const head = new Uint8Array(Math.min(HEAD_BYTES, sizeBytes));
  await file.read(0, head);
  const known = recognise(head);
  if (stated === 'qcow2' && known?.format !== 'qcow2') throw badInput(path, 'is not a qcow2 disk image');
  if (stated !== undefined) {
    if (!readOnly && isForeignFormat(stated))
      throw badInput(path, `${stated.toUpperCase()} images can only be read; convert it to qcow2 first`);
    return stated;
  }
  if (known?.format === 'qcow2') {
    if (!readOnly) throw badInput(path, 'is a qcow2 disk image; say --format qcow2 to change it');
    return 'qcow2';
  }
  if (known?.family === 'disk-format') {
    if (known.format === undefined || !isForeignFormat(known.format))
      throw badInput(path, `is ${known.what}, which is not supported`);
    if (!readOnly) throw badInput(path, `is ${known.what}, which can only be read; convert it to qcow2 first`);
    return known.format;
  }
  if (!readOnly) throw badInput(path, 'say --format raw to change it');
  // A fixed VHD is a raw disk with something after its end.
  const tail = new Uint8Array(512);
  if (sizeBytes > 512 && (await file.read(sizeBytes - 512, tail)) === 512 && isVhdFooter(tail)) return 'vhd';
  return 'raw';
}

/** What an image that is only read is by its content; `raw` when it is nothing else. @throws NestboxError `bad-input` */
export function readFormat(file: HostFile): Promise<ImageFormat> {
  return formatOf(file, undefined, true);
}

export async function asDisk(
  files: HostFiles,
  file: HostFile,
  format: ImageFormat,
  follow: boolean,
): Promise<BlockDevice> {
  try {
    if (format === 'raw') return new RawDisk(file, roundUp(file.identity().sizeBytes, 512));
    if (format !== 'qcow2') return await openForeign(file, format, files);
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
