// The one way to open a disk: the paths and formats of its images are known. They come from our database or from a user who
// named each, never from a look at the content. What a machine is configured with comes here through open-medium.ts, which
// looks at the file first; it takes a format from the content only of a disk that nothing is written to.

import { NestboxError } from '../base/errors.ts';
import type { HostFile, HostFiles } from '../host/files/host-file.ts';
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
  /** The first image, opened and locked already as `readOnly` says; owned by the disk on success. */
  readonly file?: HostFile | undefined;
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
  const file = options.file ?? (await files.open(path, { readOnly: true }));
  try {
    if (options.file === undefined) await file.lock('shared');
    return await openForeign(file, format, files);
  } catch (error) {
    await file.close().catch(() => undefined);
    throw error;
  }
}
