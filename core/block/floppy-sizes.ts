// The sizes that PC floppy disks have, and the one that an image of another size is taken for.

import { fatVolumeBytes } from './medium-kinds.ts';

/** 160K 180K 320K 360K (5¼" double density), 720K, 1.2M, 1.44M, 1.68M (distribution format), 2.88M. */
export const FLOPPY_SIZES_BYTES: readonly number[] = [
  163840, 184320, 327680, 368640, 737280, 1228800, 1474560, 1720320, 2949120,
];

export const LARGEST_FLOPPY_BYTES = 2949120;
const USUAL_FLOPPY_BYTES = 1474560;

/**
 * The capacity of the disk that a floppy image stands for: its own size when disks have it, else what its FAT file
 * system says, else 1.44M (a bare boot sector), else the next larger one. Undefined when it fits on no floppy.
 */
export function floppyCapacity(fileBytes: number, head: Uint8Array): number | undefined {
  if (FLOPPY_SIZES_BYTES.includes(fileBytes)) return fileBytes;
  const fat = fatVolumeBytes(head);
  if (fat !== undefined && fat >= fileBytes && FLOPPY_SIZES_BYTES.includes(fat)) return fat;
  if (fileBytes <= USUAL_FLOPPY_BYTES) return USUAL_FLOPPY_BYTES;
  return FLOPPY_SIZES_BYTES.find((size) => size >= fileBytes);
}
