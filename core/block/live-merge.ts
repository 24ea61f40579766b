// Takes an image out of the chain of a disk that a guest is using, so that the space of a deleted snapshot comes back while
// the machine runs. Two ways, as in merge-disks.ts: the top image pulls in what it gets from the one below it, which then
// goes; or the top image's own content is committed to the one below, which then is the disk. Whatever is cut off, the disk
// by its old chain reads the same at every moment.

import { NestboxError } from '../base/errors.ts';
import type { HostFile, HostFiles } from '../host/files/host-file.ts';
import { nodeHostFiles } from '../host/files/node-host-files.ts';
import type { BlockDevice } from './block-device.ts';
import { roundUp } from './block-range.ts';
import type { CopyOptions } from './copy-disk.ts';
import type { ChainLink } from './image-chain.ts';
import type { LiveDisk } from './live-disk.ts';
import { commitOwn, dropBacking, pullFromBacking } from './merge-disks.ts';
import { MirrorDisk } from './mirror-disk.ts';
import { openQcow2 } from './qcow2/open-qcow2.ts';
import { Qcow2Disk } from './qcow2/qcow2-disk.ts';
import { RawDisk } from './raw-disk.ts';

function refuse(text: string): NestboxError {
  return new NestboxError('usage', text, { op: 'merge images' });
}

/** The image that the guest writes to and the one below it, when the chain is as the caller believes. */
function topOf(disk: LiveDisk, links: readonly ChainLink[]): { readonly top: Qcow2Disk; readonly below: Qcow2Disk | RawDisk } {
  const { current } = disk;
  let depth = 0;
  for (let at: BlockDevice | undefined = current; at !== undefined; at = at instanceof Qcow2Disk ? at.backing : undefined) depth++;
  const below = current instanceof Qcow2Disk ? current.backing : undefined;
  if (!(current instanceof Qcow2Disk) || !(below instanceof Qcow2Disk || below instanceof RawDisk) || depth !== links.length)
    throw refuse(`The disk consists of ${depth} images, not of ${links.length} that could be merged`);
  return { top: current, below };
}

/**
 * Copies into the top image what the one below holds, and puts it on the one below that. The file of the second is closed
 * and not needed any more. @param links the whole chain
 * @throws NestboxError; the disk is on its old chain then
 */
export async function pullLive(disk: LiveDisk, links: readonly ChainLink[], options: CopyOptions = {}): Promise<void> {
  const { top } = topOf(disk, links);
  await pullFromBacking(top, options);
  await disk.exchange(async (current) => {
    if (current !== top) throw refuse('The disk has moved to another image');
    await dropBacking(top, links);
    return top;
  });
}

/** A commit whose content is complete: both images hold everything, and get everything that the guest writes. */
export interface CommittedLive {
  /** The disk goes on in the lower image alone. To be called when the lower image is what the next start will open. */
  finish(): Promise<void>;
  /** The disk goes on in the top image. */
  abandon(): Promise<void>;
}

/**
 * Writes what the top image holds into the one below while the guest goes on; what the guest writes goes to both from now
 * on. No other image may be on the one below. @param links the whole chain
 * @throws NestboxError, `busy` when somebody else reads the lower image; the disk is on its old chain then
 */
export async function commitLive(
  disk: LiveDisk,
  links: readonly ChainLink[],
  options: CopyOptions & { readonly files?: HostFiles } = {},
): Promise<CommittedLive> {
  const files = options.files ?? nodeHostFiles;
  const { top } = topOf(disk, links);
  let mirror: MirrorDisk | undefined;
  await disk.exchange(async (current) => {
    if (current !== top) throw refuse('The disk has moved to another image');
    const target = await makeWritable(top, links[1] as ChainLink, files);
    try {
      if (target.sizeBytes < top.sizeBytes) await target.resize(top.sizeBytes);
    } catch (error) {
      await target.freeze();
      throw error;
    }
    mirror = new MirrorDisk(top, target);
    return mirror;
  });
  const both = mirror as unknown as MirrorDisk;
  const { target } = both;
  const abandon = (): Promise<void> =>
    disk.exchange(async () => {
      // It stays open below, for reading; what it could not write does not matter.
      await target.freeze().catch(() => undefined);
      return top;
    });
  try {
    await commitOwn(top, target, { ...options, step: (work) => both.copyStep(work) });
    await both.rely();
  } catch (error) {
    await abandon();
    throw error;
  }
  return {
    abandon,
    finish: () =>
      disk.exchange(async () => {
        top.detachBacking();
        // Nobody will read it again.
        await top.close().catch(() => undefined);
        return target;
      }),
  };
}

/** The image directly below `top`, to be written to. Requests must be held back. */
async function makeWritable(top: Qcow2Disk, link: ChainLink, files: HostFiles): Promise<Qcow2Disk | RawDisk> {
  const old = top.backing as Qcow2Disk | RawDisk;
  // It was this machine's disk before, or was opened for reading only; a lock for writing needs a file opened for that.
  if (old.canThaw) {
    await old.thaw();
    return old;
  }
  const file = await files.open(link.path, { readOnly: false });
  // Locks belong to opened files: the old one's must go before another can be had.
  const deeper = old instanceof Qcow2Disk ? old.detachBacking() : undefined;
  await old.close();
  const reopen = (readOnly: boolean): Promise<Qcow2Disk | RawDisk> => openBelow(old, file, deeper, readOnly);
  try {
    await file.lock('exclusive');
    const fresh = await reopen(false);
    top.attachBacking(fresh);
    return fresh;
  } catch (error) {
    // Somebody else reads it, or it cannot be written to: it stays what it was, with a new file.
    if (deeper !== undefined && old instanceof Qcow2Disk) old.attachBacking(deeper);
    await file.lock('shared');
    const same = await reopen(true);
    if (old instanceof Qcow2Disk) old.detachBacking();
    await same.freeze();
    top.attachBacking(same);
    throw error;
  }
}

async function openBelow(old: Qcow2Disk | RawDisk, file: HostFile, deeper: BlockDevice | undefined, readOnly: boolean): Promise<Qcow2Disk | RawDisk> {
  if (old instanceof RawDisk) return new RawDisk(file, roundUp(file.identity().sizeBytes, 512));
  return openQcow2(file, { readOnly, ...(deeper === undefined ? {} : { resolveBacking: async () => deeper }) });
}
