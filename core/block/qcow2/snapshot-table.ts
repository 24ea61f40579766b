// The table of internal snapshots, as stored in the image: read with every length checked, and built anew for writing.

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
  /** The entry as it is in the file, padding included: other programs keep more in it than we know. */
  readonly raw: Uint8Array;
}

export interface SnapshotTable {
  readonly snapshots: readonly InternalSnapshot[];
  readonly sizeBytes: number;
}

const ENTRY_BYTES = 40;
const EXTRA_BYTES = 16;

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
    const raw = new Uint8Array(Math.ceil((ENTRY_BYTES + rest.length) / 8) * 8);
    raw.set(fixed);
    raw.set(rest, ENTRY_BYTES);
    snapshots.push({
      id: decoder.decode(rest.subarray(extraLength, extraLength + idLength)),
      name: decoder.decode(rest.subarray(extraLength + idLength)),
      l1Offset,
      l1Entries,
      dateSeconds: view.getUint32(16),
      vmStateBytes: extraLength >= 8 ? Q.readU64(extra, 0) : view.getUint32(32),
      diskBytes: extraLength >= 16 ? Q.readU64(extra, 8) : header.sizeBytes,
      raw,
    });
    at += raw.length;
    if (at - header.snapshotsOffset > Q.MAX_SNAPSHOT_TABLE_BYTES)
      throw badImage(path, 'the snapshot table is too large');
  }
  return { snapshots, sizeBytes: at - header.snapshotsOffset };
}

/** The entry of a new snapshot without a machine's state. */
export function encodeSnapshot(snapshot: Omit<InternalSnapshot, 'raw' | 'vmStateBytes'>): Uint8Array {
  const id = new TextEncoder().encode(snapshot.id);
  const name = new TextEncoder().encode(snapshot.name);
  const bytes = new Uint8Array(Math.ceil((ENTRY_BYTES + EXTRA_BYTES + id.length + name.length) / 8) * 8);
  const view = Q.viewOf(bytes);
  Q.writeU64(view, 0, snapshot.l1Offset);
  view.setUint32(8, snapshot.l1Entries);
  view.setUint16(12, id.length);
  view.setUint16(14, name.length);
  view.setUint32(16, snapshot.dateSeconds);
  view.setUint32(36, EXTRA_BYTES);
  Q.writeU64(view, ENTRY_BYTES + 8, snapshot.diskBytes);
  bytes.set(id, ENTRY_BYTES + EXTRA_BYTES);
  bytes.set(name, ENTRY_BYTES + EXTRA_BYTES + id.length);
  return bytes;
}
