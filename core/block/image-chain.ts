// Opens a chain of images whose files and formats are known: from our database, or from a user who named each. The names
// in the images are never opened, only compared, so an image cannot make us read a file that it was not given.

import { dirname, relative, resolve } from 'node:path';
import { NestboxError } from '../base/errors.ts';
import type { HostFile, HostFiles } from '../host/files/host-file.ts';
import { nodeHostFiles } from '../host/files/node-host-files.ts';
import { roundUp } from './block-range.ts';
import { type DiskFormat, makeFile, openImage } from './disk-files.ts';
import { createQcow2, type Qcow2CreateOptions } from './qcow2/create-qcow2.ts';
import { MAX_CHAIN_DEPTH } from './qcow2/layout.ts';
import { type BackingResolver, openQcow2 } from './qcow2/open-qcow2.ts';
import type { Qcow2Disk } from './qcow2/qcow2-disk.ts';
import { RawDisk } from './raw-disk.ts';

/** One image file and what it is. */
export interface ChainLink {
  readonly path: string;
  readonly format: DiskFormat;
}

export interface OpenChainOptions {
  /** True opens all of it for reading; else the first file is written to and locked for this process alone. */
  readonly readOnly?: boolean | undefined;
  readonly files?: HostFiles | undefined;
  /** The first image, opened and locked already; owned by the disk on success. */
  readonly file?: HostFile | undefined;
}

/** The name that an image in the folder of `path` stores for its backing file. */
export function storedBackingName(path: string, backing: string): string {
  return relative(dirname(resolve(path)), resolve(backing));
}

/**
 * @param links from the disk that is wanted down to its base: exactly the images that it consists of
 * @throws NestboxError `bad-input` when an image names another backing file than the next link, or appears twice; `busy`
 */
export async function openChain(
  links: readonly ChainLink[],
  options: OpenChainOptions = {},
): Promise<RawDisk | Qcow2Disk> {
  const files = options.files ?? nodeHostFiles;
  if (links.length === 0 || links.length > MAX_CHAIN_DEPTH)
    throw new NestboxError('bad-input', `A chain of ${links.length} images cannot be opened`, { op: 'open chain' });
  return openLink(files, links, 0, options.readOnly === true, new Set(), options.file);
}

async function openLink(
  files: HostFiles,
  links: readonly ChainLink[],
  index: number,
  readOnly: boolean,
  seen: Set<string>,
  opened?: HostFile,
): Promise<RawDisk | Qcow2Disk> {
  const link = links[index] as ChainLink;
  const below = links[index + 1];
  const file = opened ?? (await openImage(files, link.path, link.format, readOnly)).file;
  try {
    const { device, inode } = file.identity();
    if (seen.has(`${device}:${inode}`)) throw mismatch(link.path, 'appears twice in its own chain');
    seen.add(`${device}:${inode}`);
    if (link.format === 'raw') {
      if (below !== undefined) throw mismatch(link.path, `is a raw image and cannot be on ${below.path}`);
      return new RawDisk(file, roundUp(file.identity().sizeBytes, 512));
    }
    const disk = await openQcow2(file, { readOnly, resolveBacking: resolverFor(files, links, index, seen) });
    if (below !== undefined && disk.backing === undefined) {
      await disk.close();
      throw mismatch(link.path, `has no backing file, expected ${below.path}`);
    }
    return disk;
  } catch (error) {
    await file.close().catch(() => undefined);
    throw error;
  }
}

/** Opens the next link when its image asks for just that one. */
function resolverFor(files: HostFiles, links: readonly ChainLink[], index: number, seen: Set<string>): BackingResolver {
  const path = (links[index] as ChainLink).path;
  const below = links[index + 1];
  return async ({ name, format }) => {
    if (below === undefined) throw mismatch(path, `needs the backing file ${JSON.stringify(name)}, which is not part of its chain and not opened on an image's word; name it, or convert the image to a stand-alone one first`);
    if (resolve(dirname(resolve(path)), name) !== resolve(below.path))
      throw mismatch(path, `names ${JSON.stringify(name)} as its backing file, expected ${below.path}`);
    if (format !== undefined && format !== below.format)
      throw mismatch(path, `says that its backing file is ${JSON.stringify(format)}, expected ${below.format}`);
    return openLink(files, links, index + 1, true, seen);
  };
}

function mismatch(path: string, text: string): NestboxError {
  return new NestboxError('bad-input', `${path}: ${text}`, { op: 'open chain', context: { path } });
}

export interface CreateOverlayOptions {
  readonly backing: ChainLink;
  /** Of the disk; the same as the backing disk's, or larger. */
  readonly sizeBytes: number;
  readonly image?: Omit<Qcow2CreateOptions, 'sizeBytes' | 'backing'> | undefined;
}

/**
 * Makes an empty overlay on an image that may be in use: the backing file is not opened. Complete and on stable storage,
 * name included, when this returns. @throws NestboxError `usage` when the file exists
 */
export async function createOverlay(
  path: string,
  options: CreateOverlayOptions,
  files: HostFiles = nodeHostFiles,
): Promise<void> {
  const { backing, sizeBytes, image } = options;
  const name = storedBackingName(path, backing.path);
  await makeFile(files, path, false, (file) =>
    createQcow2(file, { ...image, sizeBytes, backing: { name, format: backing.format } }),
  );
}
