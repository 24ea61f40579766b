// What a PC's firmware finds in CMOS: equipment, drive types, memory sizes (IBM PC/AT conventions, and the cells from
// 34h and 5Bh that QEMU's firmware reads).

import type { BlockDevice } from '../block/block-device.ts';

export interface CmosContents {
  readonly lowRamBytes: number;
  readonly highRamBytes: number;
  readonly floppies: readonly (BlockDevice | undefined)[];
  readonly floppyCount: number;
  readonly cpus: number;
  /** First boot choice for SeaBIOS without a bootorder file: 1 floppy, 2 disk, 3 CD. */
  readonly bootChoices: readonly number[];
}

const KIB = 1024;
const MIB = 1024 * KIB;
const BASE_MEMORY_KIB = 640;

/** CMOS drive type of a floppy medium: 1 360K, 2 1.2M, 3 720K, 4 1.44M, 5 2.88M. */
function floppyType(medium: BlockDevice | undefined): number {
  if (medium === undefined) return 4;
  const kib = medium.sizeBytes / KIB;
  if (kib <= 360) return 1;
  if (kib <= 720) return 3;
  if (kib <= 1200) return 2;
  return kib <= 1722 ? 4 : 5;
}

export function fillCmos(set: (index: number, value: number) => void, contents: CmosContents): void {
  const word = (index: number, value: number): void => {
    set(index, value & 0xff);
    set(index + 1, (value >> 8) & 0xff);
  };
  const { lowRamBytes, highRamBytes, floppyCount } = contents;
  word(0x15, Math.min(BASE_MEMORY_KIB, lowRamBytes / KIB));
  const extendedKib = Math.min(0xffff, Math.max(0, (lowRamBytes - MIB) / KIB));
  word(0x17, extendedKib);
  word(0x30, extendedKib);
  word(0x34, Math.min(0xffff, Math.max(0, (lowRamBytes - 16 * MIB) / (64 * KIB))));
  const high = highRamBytes / (64 * KIB);
  set(0x5b, high & 0xff);
  set(0x5c, (high >> 8) & 0xff);
  set(0x5d, (high >> 16) & 0xff);
  set(0x5f, contents.cpus - 1);
  const first = floppyCount > 0 ? floppyType(contents.floppies[0]) : 0;
  const second = floppyCount > 1 ? floppyType(contents.floppies[1]) : 0;
  set(0x10, (first << 4) | second);
  // Equipment: FPU, PS/2 mouse, floppy count.
  set(0x14, 0x06 | (floppyCount > 0 ? 0x01 | ((floppyCount - 1) << 6) : 0));
  const [one = 0, two = 0, three = 0] = contents.bootChoices;
  set(0x3d, (two << 4) | one);
  set(0x38, (three << 4) | 0x01); // 1: no check of the boot sector's signature on floppies
}
