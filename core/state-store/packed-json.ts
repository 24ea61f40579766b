// Descriptions in files of states: JSON, compressed with zstd.

import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import * as F from './format.ts';

/** @param level of compression */
export function packJson(value: unknown, level: number): Uint8Array {
  return zstdCompressSync(Buffer.from(JSON.stringify(value)), { params: { [constants.ZSTD_c_compressionLevel]: level } });
}

/** The value, unchecked. @param path of the file, for the message. @throws NestboxError `bad-input` */
export function unpackJson(path: string, packed: Uint8Array): unknown {
  try {
    return JSON.parse(zstdDecompressSync(packed, { maxOutputLength: F.DESCRIPTION_BYTES_MAX }).toString('utf8')) as unknown;
  } catch (cause) {
    throw F.damaged(path, 'has a damaged description', cause);
  }
}
