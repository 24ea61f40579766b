// Takes the uncompressed kernel (an ELF file) out of a bzImage, so that it can start without its own decompressor. The
// unpackers are injected: most belong to the host.

import { isElf } from './elf.ts';
import { isLinuxImage, parseLinuxHeader } from './linux-header.ts';

export type PackedFormat = 'gzip' | 'xz' | 'zstd' | 'bzip2' | 'lzma' | 'lz4' | 'lzo';

/** Unpacks at most `limitBytes`; throws when the data is damaged or longer. */
export type Unpacker = (packed: Uint8Array, limitBytes: number) => Uint8Array;

export type Unpackers = Partial<Readonly<Record<PackedFormat, Unpacker>>>;

const MAX_UNPACKED_BYTES = 512 * 1024 * 1024;

const MAGICS: readonly { readonly format: PackedFormat; readonly bytes: readonly number[] }[] = [
  { format: 'gzip', bytes: [0x1f, 0x8b] },
  { format: 'xz', bytes: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00] },
  { format: 'zstd', bytes: [0x28, 0xb5, 0x2f, 0xfd] },
  { format: 'bzip2', bytes: [0x42, 0x5a, 0x68] },
  { format: 'lzma', bytes: [0x5d, 0x00, 0x00] },
  { format: 'lz4', bytes: [0x02, 0x21, 0x4c, 0x18] },
  { format: 'lzo', bytes: [0x89, 0x4c, 0x5a, 0x4f] },
];

export interface PackedKernel {
  readonly format: PackedFormat;
  readonly packed: Uint8Array;
}

/** The compressed kernel inside a bzImage, or undefined when there is none or its format is not known. */
export function packedKernel(image: Uint8Array, name: string): PackedKernel | undefined {
  if (!isLinuxImage(image)) return undefined;
  const header = parseLinuxHeader(image, name);
  const start = header.setupBytes + header.packedOffset;
  if (header.packedBytes < 8 || start + header.packedBytes > image.length) return undefined;
  const packed = image.subarray(start, start + header.packedBytes);
  const magic = MAGICS.find((entry) => entry.bytes.every((byte, index) => packed[index] === byte));
  return magic === undefined ? undefined : { format: magic.format, packed };
}

/** The ELF kernel inside a bzImage; undefined when it cannot be had, and the bzImage starts as it is. */
export function extractVmlinux(image: Uint8Array, name: string, unpackers: Unpackers): Uint8Array | undefined {
  const found = packedKernel(image, name);
  if (found === undefined) return undefined;
  const unpack = unpackers[found.format];
  if (unpack === undefined) return undefined;
  // The kernel's build appends the unpacked size as a 32-bit number to every format.
  const { packed } = found;
  const size = new DataView(packed.buffer, packed.byteOffset, packed.byteLength).getUint32(packed.length - 4, true);
  try {
    const kernel = unpack(
      found.format === 'gzip' ? packed : packed.subarray(0, packed.length - 4),
      Math.min(size, MAX_UNPACKED_BYTES),
    );
    return isElf(kernel) ? kernel : undefined;
  } catch {
    return undefined;
  }
}
