// Opens a qcow2 file as a disk. Backing files are the caller's to find: the name in the image is only handed over to be
// compared or resolved, and without a resolver an image that needs one is refused.

import { NestboxError } from '../../base/errors.ts';
import type { HostFile } from '../../host/files/host-file.ts';
import type { BlockDevice } from '../block-device.ts';
import { checkQcow2 } from './check-qcow2.ts';
import { ClusterMap } from './cluster-map.ts';
import { badImage, type Qcow2Header, readHeader } from './header.ts';
import { snapshotPlaces } from './internal-snapshots.ts';
import { ImageIo } from './image-io.ts';
import { INCOMPATIBLE_CORRUPT, INCOMPATIBLE_DIRTY } from './layout.ts';
import { Qcow2Disk } from './qcow2-disk.ts';
import { Refcounts } from './refcounts.ts';
import { readSnapshotTable } from './snapshot-table.ts';

export interface BackingRequest {
  /** As the image says; never to be opened just like that. */
  readonly name: string;
  readonly format: string | undefined;
  readonly imagePath: string;
}

/** Finds the disk below an image; read-only, owned by the image from then on. */
export type BackingResolver = (request: BackingRequest) => Promise<BlockDevice>;

export interface OpenQcow2Options {
  readonly readOnly?: boolean;
  readonly resolveBacking?: BackingResolver | undefined;
  /** False for an image that is being made and has no name yet: nothing is flushed before the end. */
  readonly durable?: boolean;
}

const refuseBacking: BackingResolver = async ({ name, imagePath }) => {
  throw badImage(
    imagePath,
    `needs the backing file ${JSON.stringify(name)}, which is not opened on an image's word; convert it to a stand-alone image first`,
  );
};

/**
 * @param file owned by the disk on success; locked by the caller
 * @throws NestboxError `bad-input`, `unsupported`
 */
export async function openQcow2(file: HostFile, options: OpenQcow2Options = {}): Promise<Qcow2Disk> {
  const readOnly = options.readOnly === true || file.readOnly;
  let header = await readHeader(file);
  if (!readOnly) header = await makeWritable(file, header);
  const io = new ImageIo(file, header.clusterBytes, options.durable ?? true);
  const refcounts = await Refcounts.open(io, header);
  const map = await ClusterMap.open(io, header);
  if (!readOnly) {
    const table = await readSnapshotTable(io, header);
    map.protectMetadata(refcounts, snapshotPlaces(header, table));
  }
  let backing: BlockDevice | undefined;
  if (header.backingName !== undefined) {
    backing = await (options.resolveBacking ?? refuseBacking)({
      name: header.backingName,
      format: header.backingFormat,
      imagePath: file.path,
    });
  }
  return new Qcow2Disk({ io, header, refcounts, map, backing, readOnly });
}

async function makeWritable(file: HostFile, header: Qcow2Header): Promise<Qcow2Header> {
  if ((header.incompatible & INCOMPATIBLE_CORRUPT) !== 0)
    throw badImage(file.path, 'is marked as damaged; check and repair it, or open it read-only');
  if ((header.incompatible & INCOMPATIBLE_DIRTY) === 0) return header;
  // The refcounts are stale after a crash: nothing may be allocated before they are right.
  const report = await checkQcow2(file, { repair: 'all' });
  if (report.corruptions > 0)
    throw new NestboxError(
      'bad-input',
      `${file.path}: qcow2 image: is damaged (${report.corruptions} findings); check it`,
      {
        op: 'open image',
      },
    );
  return readHeader(file);
}
