// Where two disks that share the lower part of their chains differ: the ranges that either has stored since they parted,
// and when asked, only those whose bytes are really different.

import { resolve } from 'node:path';
import { throwIfCancelled } from '../base/errors.ts';
import type { HostFiles } from '../host/files/host-file.ts';
import type { BlockDevice } from './block-device.ts';
import { type ChainLink, openChain } from './image-chain.ts';
import { ownExtent } from './merge-disks.ts';
import { Qcow2Disk } from './qcow2/qcow2-disk.ts';

export interface DiskExtent {
  readonly offset: number;
  readonly length: number;
}

export interface DiffOptions {
  /** Reads both disks and leaves out what is equal. */
  readonly exact?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly files?: HostFiles | undefined;
}

const CHUNK_BYTES = 2 ** 20;
/** Exact differences are told in pieces of this size. */
const GRAIN_BYTES = 4096;

/**
 * @param a chain from its top image down; images that a VM is writing to cannot be read
 * @returns ascending, not touching each other; a disk that ends earlier differs in the rest
 */
export async function diffExtents(
  a: readonly ChainLink[],
  b: readonly ChainLink[],
  options: DiffOptions = {},
): Promise<DiskExtent[]> {
  const first = await openChain(a, { readOnly: true, files: options.files });
  try {
    const second = await openChain(b, { readOnly: true, files: options.files });
    try {
      const common = commonLinks(a, b);
      const stored: DiskExtent[] = [];
      await collect(first, a.length - common, stored, options);
      await collect(second, b.length - common, stored, options);
      const longer = Math.max(first.sizeBytes, second.sizeBytes);
      const shorter = Math.min(first.sizeBytes, second.sizeBytes);
      if (longer > shorter) stored.push({ offset: shorter, length: longer - shorter });
      // An image in between may have been longer than either.
      const visible = stored.filter(({ offset }) => offset < longer);
      const merged = mergeExtents(
        visible.map(({ offset, length }) => ({ offset, length: Math.min(length, longer - offset) })),
      );
      return options.exact === true ? await onlyDifferent(first, second, merged, options) : merged;
    } finally {
      await second.close();
    }
  } finally {
    await first.close();
  }
}

/** How many images at the lower ends are the same. */
function commonLinks(a: readonly ChainLink[], b: readonly ChainLink[]): number {
  let count = 0;
  while (count < a.length && count < b.length) {
    const left = a[a.length - 1 - count] as ChainLink;
    const right = b[b.length - 1 - count] as ChainLink;
    if (resolve(left.path) !== resolve(right.path)) break;
    count++;
  }
  return count;
}

/** What the upper `layers` images of a chain hold themselves. */
async function collect(top: BlockDevice, layers: number, into: DiskExtent[], options: DiffOptions): Promise<void> {
  let disk: BlockDevice | undefined = top;
  for (let layer = 0; layer < layers && disk !== undefined; layer++) {
    const below: BlockDevice | undefined = disk instanceof Qcow2Disk ? disk.backing : undefined;
    for (let at = 0; at < disk.sizeBytes;) {
      throwIfCancelled(options.signal, 'compare disks');
      const { own, length } = await ownExtent(disk, at, disk.sizeBytes - at);
      if (own) into.push({ offset: at, length });
      at += length;
    }
    // Where the disk below is longer, this one hides its end.
    const hidden = (below?.sizeBytes ?? 0) - disk.sizeBytes;
    if (hidden > 0 && disk !== top) into.push({ offset: disk.sizeBytes, length: hidden });
    disk = below;
  }
}

/** Sorted, with overlapping and touching ranges joined. */
export function mergeExtents(extents: readonly DiskExtent[]): DiskExtent[] {
  const merged: { offset: number; length: number }[] = [];
  for (const { offset, length } of [...extents].sort((left, right) => left.offset - right.offset)) {
    const last = merged[merged.length - 1];
    if (last !== undefined && offset <= last.offset + last.length)
      last.length = Math.max(last.length, offset + length - last.offset);
    else if (length > 0) merged.push({ offset, length });
  }
  return merged;
}

async function onlyDifferent(
  first: BlockDevice,
  second: BlockDevice,
  extents: readonly DiskExtent[],
  options: DiffOptions,
): Promise<DiskExtent[]> {
  const left = Buffer.alloc(CHUNK_BYTES);
  const right = Buffer.alloc(CHUNK_BYTES);
  const shared = Math.min(first.sizeBytes, second.sizeBytes);
  const different: DiskExtent[] = [];
  for (const { offset, length } of extents) {
    const end = offset + length;
    for (let at = offset; at < Math.min(end, shared);) {
      throwIfCancelled(options.signal, 'compare disks');
      const count = Math.min(CHUNK_BYTES, end - at, shared - at);
      await first.read(at, left.subarray(0, count));
      await second.read(at, right.subarray(0, count));
      for (let grain = 0; grain < count; grain += GRAIN_BYTES) {
        const stop = Math.min(grain + GRAIN_BYTES, count);
        if (left.compare(right, grain, stop, grain, stop) !== 0)
          different.push({ offset: at + grain, length: stop - grain });
      }
      at += count;
    }
    if (end > shared) different.push({ offset: Math.max(offset, shared), length: end - Math.max(offset, shared) });
  }
  return mergeExtents(different);
}
