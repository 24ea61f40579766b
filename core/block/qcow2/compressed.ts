// Compressed clusters: raw deflate with a 4 KiB window, or one Zstandard frame. The stored length is only known in
// sectors, so what follows the compressed data is ignored; the output is bounded to one cluster.

import { deflateRawSync, inflateRawSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { NestboxError } from '../../base/errors.ts';
import { type CompressionType, viewOf } from './layout.ts';

const ZSTD_MAGIC = 0xfd2fb528;

/** The length of the first Zstandard frame (RFC 8878, 3.1.1), or undefined when there is none. */
export function zstdFrameLength(data: Uint8Array): number | undefined {
  const view = viewOf(data);
  if (data.length < 6 || view.getUint32(0, true) !== ZSTD_MAGIC) return undefined;
  const descriptor = data[4] ?? 0;
  const single = (descriptor >>> 5) & 1;
  const contentSize = [single, 2, 4, 8][descriptor >>> 6] ?? 0;
  const dictionary = [0, 1, 2, 4][descriptor & 3] ?? 0;
  let at = 5 + (single === 1 ? 0 : 1) + dictionary + contentSize;
  for (;;) {
    if (at + 3 > data.length) return undefined;
    const block = (data[at] ?? 0) | ((data[at + 1] ?? 0) << 8) | ((data[at + 2] ?? 0) << 16);
    const type = (block >>> 1) & 3;
    at += 3 + (type === 1 ? 1 : block >>> 3);
    if (block & 1) break;
  }
  if (descriptor & 4) at += 4;
  return at <= data.length ? at : undefined;
}

/** @throws NestboxError kind `io` when the data does not yield exactly one cluster */
export function decompressCluster(data: Uint8Array, clusterBytes: number, type: CompressionType): Uint8Array {
  let result: Uint8Array;
  try {
    if (type === 'zstd') {
      const length = zstdFrameLength(data);
      if (length === undefined) throw new Error('no complete Zstandard frame');
      result = zstdDecompressSync(data.subarray(0, length), { maxOutputLength: clusterBytes });
    } else {
      result = inflateRawSync(data, { maxOutputLength: clusterBytes });
    }
  } catch (error) {
    throw new NestboxError('io', 'A compressed cluster of the image is damaged', { op: 'read disk', cause: error });
  }
  if (result.length !== clusterBytes) {
    throw new NestboxError('io', `A compressed cluster of the image holds ${result.length} bytes`, { op: 'read disk' });
  }
  return result;
}

/** The compressed cluster, or undefined when that would not be smaller. */
export function compressCluster(cluster: Uint8Array, type: CompressionType): Uint8Array | undefined {
  const packed = type === 'zstd' ? zstdCompressSync(cluster) : deflateRawSync(cluster, { windowBits: 12, memLevel: 9 });
  return packed.length < cluster.length ? packed : undefined;
}
