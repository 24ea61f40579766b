// The unpackers of kernel images that the host has, and our own for LZ4 and xz.

import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { unpackLz4Legacy } from '../../firmware/loaders/lz4.ts';
import type { Unpackers } from '../../firmware/loaders/vmlinux.ts';
import { unpackXz } from '../../firmware/loaders/xz.ts';

export const nodeUnpackers: Unpackers = {
  gzip: (packed, limitBytes) => gunzipSync(packed, { maxOutputLength: limitBytes }),
  zstd: (packed, limitBytes) => zstdDecompressSync(packed, { maxOutputLength: limitBytes }),
  lz4: unpackLz4Legacy,
  xz: unpackXz,
};
