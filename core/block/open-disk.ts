// The one way to open a disk whose images are known: their paths and formats come from our database or from a user who named
// each, never from a look at the content. Media that a user hands to a machine without saying more come through
// open-medium.ts, which never takes a format from the content of a disk that is written to either.

import { NestboxError } from '../base/errors.ts';
import type { HostFiles } from '../host/files/host-file.ts';
import { nodeHostFiles } from '../host/files/node-host-files.ts';
import type { BlockDevice } from './block-device.ts';
import { type ForeignFormat, isForeignFormat, openForeign } from './foreign/open-foreign.ts';
import { type ChainLink, openChain } from './image-chain.ts';

export interface DiskImage {
  readonly path: string;
  readonly format: ChainLink['format'] | ForeignFormat;
  /** The images below, nearest first. */
  readonly backing?: readonly ChainLink[] | undefined;
}

export interface OpenDiskOptions {
  /** False: the first image is written to and locked for this process alone; those below are only read. */
  readonly readOnly?: boolean | undefined;
  readonly files?: HostFiles | undefined;
}

/**
 * @throws NestboxError `bad-input` when an image is not what it is said to be, `unsupported` for writing to formats that are
 * only read, `busy` when another machine uses it
 */
export async function openDisk(image: DiskImage, options: OpenDiskOptions = {}): Promise<BlockDevice> {
  const { path, format, backing = [] } = image;
  if (!isForeignFormat(format)) return openChain([{ path, format }, ...backing], options);
  if (options.readOnly !== true || backing.length > 0) {
    throw new NestboxError('unsupported', `${path}: ${format.toUpperCase()} images can only be read, and alone; convert it with "nestbox disk convert --to qcow2"`, {
      op: 'open disk',
      context: { path },
    });
  }
  const files = options.files ?? nodeHostFiles;
  const file = await files.open(path, { readOnly: true });
  try {
    await file.lock('shared');
    return await openForeign(file, format, files);
  } catch (error) {
    await file.close().catch(() => undefined);
    throw error;
  }
}
