// Internal snapshots of a qcow2 image: taken, gone back to, deleted. Clusters are shared and counted. While counts and
// flags are under way a version 3 image is marked dirty: after a crash the next opening counts anew, and the table of
// snapshots says whether the operation took place. Version 2 has no such mark; a crash there may need `check --repair`.

import { NestboxError } from '../../base/errors.ts';
import { l1EntriesFor } from './header.ts';
import type { Qcow2Image } from './image.ts';
import * as Q from './layout.ts';
import type { Qcow2Disk } from './qcow2-disk.ts';
import { encodeSnapshot, type InternalSnapshot, readSnapshotTable } from './snapshot-table.ts';

const MAX_NAME_BYTES = 255;

function refuse(image: Qcow2Image, text: string): NestboxError {
  const { path } = image.io.file;
  return new NestboxError('unsupported', `${path}: ${text}`, { op: 'snapshot image', context: { path } });
}

/** @param name at most 255 bytes, not in use. @param dateSeconds since 1970 */
export async function createInternalSnapshot(disk: Qcow2Disk, name: string, dateSeconds: number): Promise<void> {
  const bytes = new TextEncoder().encode(name);
  if (bytes.length === 0 || bytes.length > MAX_NAME_BYTES)
    throw new NestboxError('usage', 'The name of a snapshot has 1 to 255 bytes', { op: 'snapshot image' });
  await disk.exclusively('snapshot image', async (image) => {
    const { snapshots } = await readSnapshotTable(image.io, image.header);
    if (snapshots.some((snapshot) => snapshot.name === name || snapshot.id === name))
      throw new NestboxError('usage', `There is a snapshot ${JSON.stringify(name)} already`, { op: 'snapshot image' });
    if (snapshots.length >= Q.MAX_SNAPSHOTS) throw refuse(image, 'has as many snapshots as can be');
    if (image.refcounts.max < 2) throw refuse(image, '1-bit refcounts allow no snapshots');
    const id = String(snapshots.reduce((most, { id: text }) => Math.max(most, Number.parseInt(text, 10) || 0), 0) + 1);
    await marked(image, async () => {
      const l1 = image.map.l1Bytes();
      const active = { l1, entries: image.header.l1Entries };
      await checkRoomInCounts(image, l1);
      const l1Offset = await putTable(image, clearCopied(l1));
      await changeCounts(image, active.l1, 1);
      await setFlags(image);
      const entry = encodeSnapshot({
        id,
        name,
        l1Offset,
        l1Entries: active.entries,
        dateSeconds,
        diskBytes: image.header.sizeBytes,
      });
      await replaceTable(image, [...snapshots.map(({ raw }) => raw), entry]);
    });
  });
}

/** Makes the disk what it was. @param which id or name */
export async function applyInternalSnapshot(disk: Qcow2Disk, which: string): Promise<void> {
  await disk.exclusively('go back to snapshot', async (image) => {
    const { header, io, map } = image;
    const snapshot = find(image, (await readSnapshotTable(io, header)).snapshots, which);
    if (header.version === 2 && snapshot.diskBytes !== header.sizeBytes)
      throw refuse(image, 'version 2 images cannot go back to another size');
    if (snapshot.diskBytes > Q.MAX_VIRTUAL_BYTES) throw refuse(image, 'the snapshot is larger than 64 TiB');
    const entries = Math.max(snapshot.l1Entries, l1EntriesFor(snapshot.diskBytes, header.clusterBits));
    if (entries * 8 > Q.MAX_L1_BYTES) throw refuse(image, 'the snapshot has an L1 table of more than 32 MiB');
    const theirs = new Uint8Array(snapshot.l1Entries * 8);
    await io.read(snapshot.l1Offset, theirs);
    const fresh = new Uint8Array(entries * 8);
    fresh.set(clearCopied(theirs));
    await marked(image, async () => {
      await checkRoomInCounts(image, theirs);
      await changeCounts(image, theirs, 1);
      const l1Offset = await putTable(image, fresh);
      const old = { l1: map.l1Bytes(), offset: header.l1Offset, entries: header.l1Entries };
      await io.barrier();
      // Size and L1 table are in one sector: they change together.
      const sector = new Uint8Array(Q.V2_HEADER_BYTES);
      await io.read(0, sector);
      const view = Q.viewOf(sector);
      Q.writeU64(view, Q.FIELD.sizeBytes, snapshot.diskBytes);
      view.setUint32(Q.FIELD.l1Entries, entries);
      Q.writeU64(view, Q.FIELD.l1Offset, l1Offset);
      await io.write(0, sector);
      await io.barrier();
      header.sizeBytes = snapshot.diskBytes;
      header.l1Entries = entries;
      header.l1Offset = l1Offset;
      await map.reload();
      await protect(image);
      await changeCounts(image, old.l1, -1);
      await dropRun(image, old.offset, old.entries * 8);
      await setFlags(image);
    });
  });
}

/** @param which id or name */
export async function deleteInternalSnapshot(disk: Qcow2Disk, which: string): Promise<void> {
  await disk.exclusively('delete snapshot', async (image) => {
    const { header, io } = image;
    const { snapshots } = await readSnapshotTable(io, header);
    const gone = find(image, snapshots, which);
    const l1 = new Uint8Array(gone.l1Entries * 8);
    await io.read(gone.l1Offset, l1);
    await marked(image, async () => {
      await replaceTable(
        image,
        snapshots.filter((snapshot) => snapshot !== gone).map(({ raw }) => raw),
      );
      await changeCounts(image, l1, -1);
      await dropRun(image, gone.l1Offset, l1.length);
      await setFlags(image);
    });
    await protect(image);
  });
}

function find(image: Qcow2Image, snapshots: readonly InternalSnapshot[], which: string): InternalSnapshot {
  const found = snapshots.find(({ id }) => id === which) ?? snapshots.find(({ name }) => name === which);
  if (found !== undefined) return found;
  throw new NestboxError('not-found', `${image.io.file.path}: has no snapshot ${JSON.stringify(which)}`, {
    op: 'find snapshot',
  });
}

/** Runs it with the dirty mark set; a failure leaves the mark, and the next opening repairs. */
async function marked(image: Qcow2Image, work: () => Promise<void>): Promise<void> {
  const { header, io } = image;
  await image.flushAndSettle();
  const write = async (value: number): Promise<void> => {
    if (header.version < 3) return;
    const low = Q.viewOf(new Uint8Array(4));
    low.setUint32(0, value);
    await io.write(Q.FIELD.incompatible + 4, new Uint8Array(low.buffer));
    await io.barrier();
    header.incompatible = value;
  };
  await write(header.incompatible | Q.INCOMPATIBLE_DIRTY);
  await work();
  await image.flushAndSettle();
  await write(header.incompatible & ~Q.INCOMPATIBLE_DIRTY);
}

function clearCopied(l1: Uint8Array): Uint8Array {
  const copy = l1.slice();
  const view = Q.viewOf(copy);
  for (let at = 0; at < copy.length; at += 8) view.setUint32(at, (view.getUint32(at) & ~Q.HIGH_COPIED) >>> 0);
  return copy;
}

/** Writes a table to new clusters of its own. @returns its offset; 0 for an empty one */
async function putTable(image: Qcow2Image, bytes: Uint8Array): Promise<number> {
  const { clusterBytes } = image;
  const clusters = Math.ceil(bytes.length / clusterBytes);
  if (clusters === 0) return 0;
  const { first } = await image.allocator.takeRun(clusters);
  const padded = new Uint8Array(clusters * clusterBytes);
  padded.set(bytes);
  await image.io.write(first * clusterBytes, padded);
  for (let index = 0; index < clusters; index++) image.map.noteMetadata(first + index, true);
  return first * clusterBytes;
}

async function dropRun(image: Qcow2Image, offset: number, bytes: number): Promise<void> {
  const clusters = Math.ceil(bytes / image.clusterBytes);
  if (clusters === 0) return;
  const first = offset / image.clusterBytes;
  for (let index = 0; index < clusters; index++) image.map.noteMetadata(first + index, false);
  image.allocator.freeLater(first, clusters);
  await image.flushAndSettle();
}

/** Puts the new table in the place of the old one with one write of the header. */
async function replaceTable(image: Qcow2Image, entries: readonly Uint8Array[]): Promise<void> {
  const { header, io } = image;
  const old = await readSnapshotTable(io, header);
  const oldOffset = header.snapshotsOffset;
  const bytes = new Uint8Array(Buffer.concat(entries));
  if (bytes.length > Q.MAX_SNAPSHOT_TABLE_BYTES) throw refuse(image, 'the table of snapshots would be too large');
  const offset = await putTable(image, bytes);
  await io.barrier();
  const fields = Q.viewOf(new Uint8Array(12));
  fields.setUint32(0, entries.length);
  Q.writeU64(fields, 4, offset);
  await io.write(Q.FIELD.snapshotCount, new Uint8Array(fields.buffer));
  await io.barrier();
  header.snapshotCount = entries.length;
  header.snapshotsOffset = offset;
  await dropRun(image, oldOffset, old.sizeBytes);
}

/** Every cluster that an L1 table leads to, tables included, as often as it is used. */
async function forEachUse(
  image: Qcow2Image,
  l1: Uint8Array,
  visit: (first: number, count: number) => Promise<void>,
): Promise<void> {
  const { clusterBytes, map, header } = image;
  const view = Q.viewOf(l1);
  for (let index = 0; index < l1.length; index += 8) {
    const place = Q.entryOffset(view.getUint32(index), view.getUint32(index + 4));
    if (place === 0) continue;
    map.checkPlace(place, 'an L2 table');
    const table = await map.tableAt(place);
    for (let at = 0; at < clusterBytes; at += 8) {
      const high = table.getUint32(at);
      const low = table.getUint32(at + 4);
      if (high === 0 && low === 0) continue;
      if ((high & Q.HIGH_COMPRESSED) !== 0) {
        const { offset, length } = Q.compressedPlace(high, low, header.clusterBits);
        const first = Math.floor(offset / clusterBytes);
        await visit(first, Math.floor((offset + length - 1) / clusterBytes) - first + 1);
        continue;
      }
      const data = Q.entryOffset(high, low);
      if (data === 0) continue;
      map.checkPlace(data, 'a cluster');
      await visit(data / clusterBytes, 1);
    }
    await visit(place / clusterBytes, 1);
  }
}

/** Narrow refcounts may be full: found out before anything changes. */
async function checkRoomInCounts(image: Qcow2Image, l1: Uint8Array): Promise<void> {
  if (image.refcounts.max > 0xffff) return;
  await forEachUse(image, l1, async (first, count) => {
    for (let cluster = first; cluster < first + count; cluster++)
      if ((await image.refcounts.get(cluster)) >= image.refcounts.max)
        throw refuse(image, `refcounts count no further than ${image.refcounts.max}`);
  });
}

async function changeCounts(image: Qcow2Image, l1: Uint8Array, delta: 1 | -1): Promise<void> {
  const { allocator } = image;
  if (delta === 1) return forEachUse(image, l1, (first, count) => image.refcounts.change(first, count, 1));
  await forEachUse(image, l1, async (first, count) => {
    allocator.freeLater(first, count);
    if (allocator.mustSettle) await image.flushAndSettle();
  });
  await image.flushAndSettle();
}

/** The "only user" flags of the active tables, as the counts are now. */
async function setFlags(image: Qcow2Image): Promise<void> {
  const { clusterBytes, map, refcounts } = image;
  const l1 = map.l1Bytes();
  const l1View = Q.viewOf(l1);
  const flagged = async (high: number, place: number): Promise<number> => {
    const isOnly = (await refcounts.get(place / clusterBytes)) === 1;
    return (isOnly ? high | Q.HIGH_COPIED : high & ~Q.HIGH_COPIED) >>> 0;
  };
  for (let index = 0; index < l1.length; index += 8) {
    const high = l1View.getUint32(index);
    const place = Q.entryOffset(high, l1View.getUint32(index + 4));
    if (place === 0) continue;
    map.checkPlace(place, 'an L2 table');
    l1View.setUint32(index, await flagged(high, place));
    const table = Q.viewOf(new Uint8Array((await map.tableAt(place)).buffer.slice(0)));
    let changed = false;
    for (let at = 0; at < clusterBytes; at += 8) {
      const entry = table.getUint32(at);
      if ((entry & Q.HIGH_COMPRESSED) !== 0) continue;
      const data = Q.entryOffset(entry, table.getUint32(at + 4));
      if (data === 0) continue;
      map.checkPlace(data, 'a cluster');
      const wanted = await flagged(entry, data);
      if (wanted === entry) continue;
      table.setUint32(at, wanted);
      changed = true;
    }
    if (changed) await map.replaceTable(place, table);
  }
  await map.writeL1(l1);
}

/** The set of clusters that hold tables, after tables came and went. */
async function protect(image: Qcow2Image): Promise<void> {
  const { header, io, map, refcounts } = image;
  map.protectMetadata(refcounts, snapshotPlaces(header, await readSnapshotTable(io, header)));
}

/** Where the snapshots' own tables lie. */
export function snapshotPlaces(
  header: Qcow2Image['header'],
  table: { readonly snapshots: readonly InternalSnapshot[]; readonly sizeBytes: number },
): { offset: number; length: number; what: string }[] {
  return [
    { offset: header.snapshotsOffset, length: table.sizeBytes, what: 'the snapshot table' },
    ...table.snapshots.map((snapshot) => ({
      offset: snapshot.l1Offset,
      length: snapshot.l1Entries * 8,
      what: `the L1 table of snapshot ${snapshot.id}`,
    })),
  ];
}
