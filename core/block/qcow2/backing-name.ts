// Changes the name of the backing file in a qcow2 header. The new name goes to an unused place of the first cluster
// first; the switch is one write of the first sector, so a crash leaves the old name or the new one.

import { NestboxError } from '../../base/errors.ts';
import type { Qcow2Image } from './image.ts';
import * as Q from './layout.ts';

export interface BackingName {
  /** As it is stored: relative to the folder of the image. */
  readonly name: string;
  readonly format: string;
}

const SECTOR = 512;

function refuse(path: string): NestboxError {
  return new NestboxError('unsupported', `${path}: the name of the backing file does not fit into the header`, {
    op: 'change backing file',
    context: { path },
  });
}

/** Everything before must be on stable storage; so is the new name when this returns. */
export async function rewriteBackingName(image: Qcow2Image, backing: BackingName | undefined): Promise<void> {
  const { io, header, clusterBytes } = image;
  const path = io.file.path;
  const head = new Uint8Array(clusterBytes);
  await io.read(0, head);
  const view = Q.viewOf(head);
  const oldOffset = Q.readU64(view, Q.FIELD.backingOffset);
  const oldLength = view.getUint32(Q.FIELD.backingLength);
  const extensions = keptExtensions(head, header.headerLength, oldOffset === 0 ? clusterBytes : oldOffset);
  if (backing !== undefined) extensions.push({ type: Q.EXTENSION_BACKING_FORMAT, body: encode(backing.format) });

  const fresh = head.slice();
  const freshView = Q.viewOf(fresh);
  let at = header.headerLength;
  for (const { type, body } of extensions) {
    if (at + 16 + body.length > Math.min(clusterBytes, SECTOR)) throw refuse(path);
    fresh.fill(0, at, at + 8 + Math.ceil(body.length / 8) * 8);
    freshView.setUint32(at, type);
    freshView.setUint32(at + 4, body.length);
    fresh.set(body, at + 8);
    at += 8 + Math.ceil(body.length / 8) * 8;
  }
  // Eight zero bytes end the extensions.
  fresh.fill(0, at, Math.min(at + 8, clusterBytes));
  at += 8;
  const name = backing === undefined ? new Uint8Array(0) : encode(backing.name);
  if (name.length > Q.MAX_BACKING_NAME_BYTES) throw refuse(path);
  let place = 0;
  if (name.length > 0) {
    const oldEnd = oldOffset + oldLength;
    const candidates = [at, Math.max(SECTOR, oldEnd), SECTOR];
    const found = candidates.find((start) => {
      if (start + name.length > clusterBytes || start < at) return false;
      if (start + name.length <= SECTOR) return true;
      return start >= SECTOR && (oldLength === 0 || start >= oldEnd || start + name.length <= oldOffset);
    });
    if (found === undefined) throw refuse(path);
    place = found;
    fresh.set(name, place);
  }
  Q.writeU64(freshView, Q.FIELD.backingOffset, place);
  freshView.setUint32(Q.FIELD.backingLength, name.length);
  if (place + name.length > SECTOR) {
    await io.write(place, fresh.subarray(place, place + name.length));
    await io.barrier();
  }
  await io.write(0, fresh.subarray(0, Math.min(SECTOR, clusterBytes)));
  await io.barrier();
  header.backingName = backing?.name;
  header.backingFormat = backing?.format;
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** All but the backing format and the table of feature names, which only serves messages. */
function keptExtensions(head: Uint8Array, from: number, limit: number): { type: number; body: Uint8Array }[] {
  const view = Q.viewOf(head);
  const kept: { type: number; body: Uint8Array }[] = [];
  for (let at = from; at + 8 <= limit;) {
    const type = view.getUint32(at);
    const length = view.getUint32(at + 4);
    if (type === Q.EXTENSION_END || at + 8 + length > limit) break;
    if (type !== Q.EXTENSION_BACKING_FORMAT && type !== Q.EXTENSION_FEATURE_NAMES)
      kept.push({ type, body: head.slice(at + 8, at + 8 + length) });
    at += 8 + Math.ceil(length / 8) * 8;
  }
  return kept;
}
