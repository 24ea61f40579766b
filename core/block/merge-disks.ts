// Takes one image out of a backing chain, for deleting snapshots: either the image above takes over what it gets from
// below (also while a guest uses it), or the image below takes over what the one above holds. Whatever is interrupted can
// be done again from the start: the disk that stays reads the same at every moment.

import { NestboxError, throwIfCancelled } from '../base/errors.ts';
import type { HostFiles } from '../host/files/host-file.ts';
import { nodeHostFiles } from '../host/files/node-host-files.ts';
import { BorrowedDisk } from './borrowed-disk.ts';
import type { BlockDevice } from './block-device.ts';
import type { CopyOptions } from './copy-disk.ts';
import { openImage } from './disk-files.ts';
import { type ChainLink, openChain, storedBackingName } from './image-chain.ts';
import { ownExtentAt } from './qcow2/extents.ts';
import { readHeader } from './qcow2/header.ts';
import { openQcow2 } from './qcow2/open-qcow2.ts';
import { Qcow2Disk } from './qcow2/qcow2-disk.ts';
import { zeroRange } from './qcow2/zero-clusters.ts';
import type { RawDisk } from './raw-disk.ts';

const CHUNK_BYTES = 2 ** 20;

/** What the disk itself holds there, as far as one answer goes; a raw disk holds everything. */
export async function ownExtent(
  disk: BlockDevice,
  offset: number,
  limit: number,
): Promise<{ own: boolean; length: number }> {
  return disk instanceof Qcow2Disk ? disk.ownExtentAt(offset, limit) : { own: true, length: limit };
}

/**
 * Copies into `disk` everything that the disk directly below it holds itself and `disk` gets from there. Afterwards that
 * one is not needed any more: `changeBacking` can put `disk` on the one below it. The guest may go on using `disk`.
 */
export async function pullFromBacking(disk: Qcow2Disk, options: CopyOptions = {}): Promise<void> {
  const below = disk.backing;
  if (below === undefined) return;
  const deeper = below instanceof Qcow2Disk ? below.backing : undefined;
  const total = disk.sizeBytes;
  const buffer = new Uint8Array(CHUNK_BYTES);
  for (let at = 0; at < total;) {
    throwIfCancelled(options.signal, 'merge images');
    options.onProgress?.(at, total);
    const limit = Math.min(total - at, CHUNK_BYTES);
    // Looking and copying are one step: a guest's write in between must not be undone.
    await disk.exclusively('merge images', async (image, writer) => {
      const mine = await ownExtentAt(image, at, limit);
      if (mine.own) {
        at += mine.length;
        return;
      }
      if (at >= below.sizeBytes) {
        // Reads as zeroes because the disk below is shorter; a longer one below that must not show through.
        if (at < (deeper?.sizeBytes ?? 0)) await zeroRange(image, writer, at, mine.length, true);
        at += mine.length;
        return;
      }
      const theirs = await ownExtent(below, at, Math.min(mine.length, below.sizeBytes - at));
      if (theirs.own) {
        const blank = below instanceof Qcow2Disk ? await below.extentAt(at, theirs.length) : undefined;
        const length = blank?.length ?? theirs.length;
        if (blank?.blank === true) {
          if (deeper !== undefined) await zeroRange(image, writer, at, length, true);
        } else {
          const chunk = buffer.subarray(0, length);
          await below.read(at, chunk);
          await writer.writeAllocating(at, chunk);
        }
        at += length;
      } else at += theirs.length;
    });
  }
  await disk.flush();
  options.onProgress?.(total, total);
}

/**
 * Takes the second image out of the chain by copying what it holds into the first. Its file is not removed.
 * @param links the whole chain, from the image that takes over down to the base
 * @throws NestboxError `busy` when the first image is in use
 */
export async function mergeIntoChild(
  links: readonly ChainLink[],
  options: CopyOptions & { readonly files?: HostFiles } = {},
): Promise<void> {
  const files = options.files ?? nodeHostFiles;
  if (await isMerged(files, links)) return;
  const disk = await openChain(links, { files });
  try {
    if (!(disk instanceof Qcow2Disk) || links.length < 2)
      throw new NestboxError('usage', 'There is no image below to merge', { op: 'merge images' });
    await pullFromBacking(disk, options);
    await dropBacking(disk, links);
  } finally {
    await disk.close();
  }
}

/** Whether an earlier merge came as far as the header: the first image is on the third already, or on none. */
async function isMerged(files: HostFiles, links: readonly ChainLink[]): Promise<boolean> {
  const [child, gone, next] = links;
  if (child?.format !== 'qcow2' || gone === undefined) return false;
  const { file } = await openImage(files, child.path, 'qcow2', true);
  try {
    const { backingName } = await readHeader(file);
    return backingName === (next === undefined ? undefined : storedBackingName(child.path, next.path));
  } finally {
    await file.close();
  }
}

/**
 * Puts `disk` on the image below its backing file, after `pullFromBacking`; the backing file is closed.
 * @param links the chain as it was
 */
export async function dropBacking(disk: Qcow2Disk, links: readonly ChainLink[]): Promise<void> {
  const child = links[0] as ChainLink;
  const next = links[2];
  const dropped = disk.backing;
  const deeper = dropped instanceof Qcow2Disk ? dropped.backing : undefined;
  await disk.changeBacking(
    next === undefined ? undefined : { name: storedBackingName(child.path, next.path), format: next.format },
    deeper,
  );
  // From here on it is done, whatever becomes of the image that goes.
  if (dropped instanceof Qcow2Disk) dropped.detachBacking();
  await dropped?.close().catch(() => undefined);
}

/**
 * Copies what the first image holds into the second, which then reads like the first did and can take its place. The
 * first keeps everything, so a crash changes nothing that its reader sees. No other image may be on the second.
 * @param links the whole chain, from the image that is to go down to the base
 * @throws NestboxError `busy` when either is in use
 */
export async function mergeIntoParent(
  links: readonly ChainLink[],
  options: CopyOptions & { readonly files?: HostFiles } = {},
): Promise<void> {
  const files = options.files ?? nodeHostFiles;
  const [top, ...rest] = links;
  if (top?.format !== 'qcow2' || rest.length === 0)
    throw new NestboxError('usage', 'There is no image below to merge into', { op: 'merge images' });
  // The file that goes is locked like one that is written to: nobody may change it meanwhile.
  const { file } = await openImage(files, top.path, 'qcow2', false);
  try {
    const parent = await openChain(rest, { files });
    try {
      const overlay = await openQcow2(file, { readOnly: true, resolveBacking: async () => new BorrowedDisk(parent) });
      await commitOwn(overlay, parent, options);
    } finally {
      await parent.close();
    }
  } finally {
    await file.close();
  }
}

export interface CommitOptions extends CopyOptions {
  /** Runs each step, which looks at the overlay and writes to the target, so that a guest's write does not come between. */
  readonly step?: ((work: () => Promise<void>) => Promise<void>) | undefined;
}

/** Makes `target`, which is the disk below `overlay`, read like `overlay`. On stable storage when this returns. */
export async function commitOwn(
  overlay: Qcow2Disk,
  target: Qcow2Disk | RawDisk,
  options: CommitOptions = {},
): Promise<void> {
  const total = overlay.sizeBytes;
  if (target.sizeBytes < total) await target.resize(total);
  const buffer = new Uint8Array(CHUNK_BYTES);
  const step = options.step ?? ((work) => work());
  for (let at = 0; at < total;) {
    throwIfCancelled(options.signal, 'merge images');
    options.onProgress?.(at, total);
    await step(async () => {
      const { own, length } = await overlay.ownExtentAt(at, total - at);
      if (!own) {
        at += length;
        return;
      }
      const { blank, length: alike } = await overlay.extentAt(at, length);
      if (blank) {
        await target.writeZeroes(at, alike);
        at += alike;
        return;
      }
      const chunk = buffer.subarray(0, Math.min(alike, CHUNK_BYTES));
      await overlay.read(at, chunk);
      await target.write(at, chunk);
      at += chunk.length;
    });
  }
  await target.flush();
  options.onProgress?.(total, total);
}
