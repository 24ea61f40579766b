// Copies the content of one disk to another, leaving out what is zero, with progress and cancelling.

import { throwIfCancelled } from '../base/errors.ts';
import type { BlockDevice } from './block-device.ts';
import { ForeignDisk } from './foreign/block-map-disk.ts';
import { Qcow2Disk } from './qcow2/qcow2-disk.ts';

export interface CopyOptions {
  /** Called with the bytes of the disk that are done, at most a few hundred times. */
  readonly onProgress?: ((doneBytes: number, totalBytes: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Store clusters compressed; the target must be a new qcow2 image. */
  readonly compress?: boolean | undefined;
}

const CHUNK_BYTES = 2 ** 21;
/** Zeroes are looked for in pieces of this size, or of a cluster where that is larger. */
const GRAIN_BYTES = 65_536;

function isZero(bytes: Uint8Array): boolean {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return (
    buffer.length === 0 || (buffer[0] === 0 && buffer.compare(buffer, 1, buffer.length, 0, buffer.length - 1) === 0)
  );
}

/** @param target reads as zeroes everywhere and is at least as large as the source */
export async function copyDisk(source: BlockDevice, target: BlockDevice, options: CopyOptions = {}): Promise<void> {
  const total = source.sizeBytes;
  const grain = target instanceof Qcow2Disk ? Math.max(target.clusterBytes, options.compress ? 0 : 4096) : GRAIN_BYTES;
  const buffer = new Uint8Array(Math.max(CHUNK_BYTES, grain));
  let told = -1;
  for (let at = 0; at < total;) {
    throwIfCancelled(options.signal, 'copy disk');
    const percent = Math.floor((at / total) * 100);
    if (percent !== told) options.onProgress?.(at, total);
    told = percent;
    if ((source instanceof Qcow2Disk || source instanceof ForeignDisk) && at % grain === 0) {
      const extent = await source.extentAt(at, total - at);
      const skip = at + extent.length === total ? extent.length : Math.floor(extent.length / grain) * grain;
      if (extent.blank && skip > 0) {
        at += skip;
        continue;
      }
    }
    const chunk = buffer.subarray(0, Math.min(buffer.length, total - at));
    await source.read(at, chunk);
    await writeChunk(target, at, chunk, grain, options.compress === true);
    at += chunk.length;
  }
  options.onProgress?.(total, total);
}

async function writeChunk(
  target: BlockDevice,
  offset: number,
  chunk: Uint8Array,
  grain: number,
  compress: boolean,
): Promise<void> {
  let runStart = -1;
  for (let at = 0; at <= chunk.length; at += grain) {
    const piece = chunk.subarray(at, Math.min(at + grain, chunk.length));
    let isData = piece.length > 0 && !isZero(piece);
    if (isData && compress && target instanceof Qcow2Disk) {
      const whole = piece.length === grain ? piece : new Uint8Array(grain);
      if (whole !== piece) whole.set(piece);
      if (await target.writeCompressed(offset + at, whole)) isData = false;
    }
    if (isData && runStart < 0) runStart = at;
    if (!isData && runStart >= 0) {
      await target.write(offset + runStart, chunk.subarray(runStart, at));
      runStart = -1;
    }
    if (piece.length < grain && runStart >= 0) {
      await target.write(offset + runStart, chunk.subarray(runStart));
      runStart = -1;
    }
  }
}
