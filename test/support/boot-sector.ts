// Floppies with a boot sector from our assembler.

import { assemble } from '../../core/firmware/asm/assembler.ts';

const FLOPPY_BYTES = 1_474_560;

/** @param source 16-bit code at 7C00h, at most 510 bytes */
export function floppyWith(source: string): Uint8Array {
  const { bytes } = assemble(`bits 16\norg 0x7c00\n${source}`);
  if (bytes.length > 510) throw new RangeError(`The boot sector has ${bytes.length} bytes`);
  const image = new Uint8Array(FLOPPY_BYTES);
  image.set(bytes);
  image.set([0x55, 0xaa], 510);
  return image;
}
