// VMware VMDK images, read-only: monolithicSparse, streamOptimized, and descriptors of flat or sparse extents (VMware,
// Virtual Disk Format 5.0). Snapshots (parent images), raw devices and VMFS kinds are refused.

import { dirname, join } from 'node:path';
import { NestboxError } from '../../base/errors.ts';
import type { HostFile, HostFiles } from '../../host/files/host-file.ts';
import { checkRange } from '../block-range.ts';
import { badForeign, ForeignDisk, readAll } from './block-map-disk.ts';
import { MAX_DESCRIPTOR_BYTES, parseDescriptor, type VmdkExtent } from './vmdk-descriptor.ts';
import { openSparseExtent, readSparseHeader } from './vmdk-sparse.ts';

interface Piece {
  readonly startBytes: number;
  readonly lengthBytes: number;
  read(offset: number, target: Uint8Array): Promise<void>;
  extentAt(offset: number, limit: number): Promise<{ blank: boolean; length: number }>;
  close(): Promise<void>;
}

/** Extents one after the other. */
class VmdkDisk extends ForeignDisk {
  readonly sizeBytes: number;
  private readonly pieces: readonly Piece[];
  private readonly file: HostFile;

  constructor(file: HostFile, pieces: readonly Piece[]) {
    super();
    this.file = file;
    this.pieces = pieces;
    this.sizeBytes = pieces.reduce((sum, piece) => sum + piece.lengthBytes, 0);
  }

  private pieceAt(offset: number): Piece {
    const piece = this.pieces.find(({ startBytes, lengthBytes }) => offset < startBytes + lengthBytes);
    if (piece === undefined) throw new NestboxError('internal', `No extent at ${offset}`, { op: 'read disk' });
    return piece;
  }

  override async read(offset: number, target: Uint8Array): Promise<void> {
    checkRange(this.sizeBytes, offset, target.length, 'read disk');
    for (let done = 0; done < target.length;) {
      const piece = this.pieceAt(offset + done);
      const within = offset + done - piece.startBytes;
      const part = target.subarray(done, done + Math.min(target.length - done, piece.lengthBytes - within));
      await piece.read(within, part);
      done += part.length;
    }
  }

  override extentAt(offset: number, limit: number): Promise<{ blank: boolean; length: number }> {
    const piece = this.pieceAt(offset);
    const within = offset - piece.startBytes;
    return piece.extentAt(within, Math.min(limit, piece.lengthBytes - within));
  }

  override async close(): Promise<void> {
    for (const piece of this.pieces) await piece.close();
    await this.file.close();
  }
}

/** @param file owned by the disk on success. @param files opens extents, in the same folder only */
export async function openVmdk(file: HostFile, files: HostFiles): Promise<ForeignDisk> {
  const start = await readAll(file, 'VMDK', 0, Math.min(512, file.identity().sizeBytes));
  if (String.fromCharCode(...start.subarray(0, 4)) === 'KDMV') return openMonolithic(file);
  const length = Math.min(MAX_DESCRIPTOR_BYTES, file.identity().sizeBytes);
  const { extents } = parseDescriptor(file.path, await readAll(file, 'VMDK', 0, length));
  const pieces: Piece[] = [];
  try {
    let startBytes = 0;
    for (const extent of extents) {
      pieces.push(await openExtent(file, files, extent, startBytes));
      startBytes += extent.sectors * 512;
    }
    return new VmdkDisk(file, pieces);
  } catch (error) {
    for (const piece of pieces) await piece.close().catch(() => undefined);
    throw error;
  }
}

async function openMonolithic(file: HostFile): Promise<ForeignDisk> {
  const header = await readSparseHeader(file);
  if (header.descriptor !== undefined) {
    if (header.descriptor.length > MAX_DESCRIPTOR_BYTES)
      throw badForeign(file.path, 'VMDK', 'the descriptor is too long');
    const text = await readAll(file, 'VMDK', header.descriptor.offset, header.descriptor.length);
    const { createType, extents } = parseDescriptor(file.path, text);
    if (createType !== 'monolithicSparse' && createType !== 'streamOptimized')
      throw badForeign(file.path, 'VMDK', `the kind ${createType} cannot be in one file`);
    if (extents.length !== 1) throw badForeign(file.path, 'VMDK', `has ${extents.length} extents in one file`);
  }
  return openSparseExtent(file, header);
}

async function openExtent(file: HostFile, files: HostFiles, extent: VmdkExtent, startBytes: number): Promise<Piece> {
  const lengthBytes = extent.sectors * 512;
  if (extent.name === undefined) {
    return {
      startBytes,
      lengthBytes,
      read: async (_offset, target) => void target.fill(0),
      extentAt: async (_offset, limit) => ({ blank: true, length: limit }),
      close: async () => undefined,
    };
  }
  const part = await files.open(join(dirname(file.path), extent.name), { readOnly: true });
  try {
    await part.lock('shared');
    if (extent.kind === 'sparse') {
      const disk = openSparseExtent(part, await readSparseHeader(part));
      if (disk.sizeBytes < lengthBytes) throw badForeign(part.path, 'VMDK', 'is smaller than its descriptor says');
      return {
        startBytes,
        lengthBytes,
        read: (offset, target) => disk.read(offset, target),
        extentAt: (offset, limit) => disk.extentAt(offset, limit),
        close: () => disk.close(),
      };
    }
    const from = extent.startSector * 512;
    if (from + lengthBytes > part.identity().sizeBytes)
      throw badForeign(part.path, 'VMDK', 'is shorter than its descriptor says');
    return {
      startBytes,
      lengthBytes,
      read: async (offset, target) => void (await readExactly(part, from + offset, target)),
      extentAt: async (_offset, limit) => ({ blank: false, length: limit }),
      close: () => part.close(),
    };
  } catch (error) {
    await part.close().catch(() => undefined);
    throw error;
  }
}

async function readExactly(file: HostFile, offset: number, target: Uint8Array): Promise<void> {
  if ((await file.read(offset, target)) < target.length)
    throw new NestboxError('io', `${file.path}: VMDK image: changed size while open`, { op: 'read disk' });
}
