// The table of internal snapshots, as stored in the image.

import { badImage, type Qcow2Header } from './header.ts';
import type { ImageIo } from './image-io.ts';
import * as Q from './layout.ts';

export interface InternalSnapshot {
  readonly id: string;
  readonly name: string;
  readonly l1Offset: number;
  readonly l1Entries: number;
  readonly dateSeconds: number;
  readonly vmStateBytes: number;
  /** Size of the disk when the snapshot was taken. */
  readonly diskBytes: number;
}

export interface SnapshotTable {
  readonly snapshots: readonly InternalSnapshot[];
  readonly sizeBytes: number;
}

const ENTRY_BYTES = 40;

/** @throws NestboxError `bad-input` when a length or offset cannot be */
export async function readSnapshotTable(io: ImageIo, header: Qcow2Header): Promise<SnapshotTable> {
  const path = io.file.path;
  const snapshots: InternalSnapshot[] = [];
  const decoder = new TextDecoder();
  let at = header.snapshotsOffset;
  let l1Total = 0;
  for (let index = 0; index < header.snapshotCount; index++) {
    const fixed = new Uint8Array(ENTRY_BYTES);
    await io.read(at, fixed);
    const view = Q.viewOf(fixed);
    const l1Offset = Q.readU64(view, 0);
    const l1Entries = view.getUint32(8);
    const idLength = view.getUint16(12);
    const nameLength = view.getUint16(14);
    const extraLength = view.getUint32(36);
    const what = `snapshot ${index}`;
    if (extraLength > 1024) throw badImage(path, `${what} has ${extraLength} bytes of extra data`);
    if (l1Entries * 8 > Q.MAX_L1_BYTES) throw badImage(path, `${what} has an L1 table of more than 32 MiB`);
    if (l1Offset % header.clusterBytes !== 0 || l1Offset + l1Entries * 8 > io.fileBytes)
      throw badImage(path, `${what} has an L1 table outside the file`);
    l1Total += l1Entries * 8;
    if (l1Total > io.fileBytes) throw badImage(path, 'the snapshots have more L1 tables than the file holds');
    const rest = new Uint8Array(extraLength + idLength + nameLength);
    if (at + ENTRY_BYTES + rest.length > io.fileBytes) throw badImage(path, `${what} leaves the file`);
    await io.read(at + ENTRY_BYTES, rest);
    const extra = Q.viewOf(rest);
    snapshots.push({
      id: decoder.decode(rest.subarray(extraLength, extraLength + idLength)),
      name: decoder.decode(rest.subarray(extraLength + idLength)),
      l1Offset,
      l1Entries,
      dateSeconds: view.getUint32(16),
      vmStateBytes: extraLength >= 8 ? Q.readU64(extra, 0) : view.getUint32(32),
      diskBytes: extraLength >= 16 ? Q.readU64(extra, 8) : header.sizeBytes,
    });
    at += Math.ceil((ENTRY_BYTES + rest.length) / 8) * 8;
    if (at - header.snapshotsOffset > Q.MAX_SNAPSHOT_TABLE_BYTES)
      throw badImage(path, 'the snapshot table is too large');
  }
  return { snapshots, sizeBytes: at - header.snapshotsOffset };
}
