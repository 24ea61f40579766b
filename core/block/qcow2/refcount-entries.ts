// Entries of a refcount block: 1, 2, 4, 8, 16, 32 or 64 bits wide; below one byte the first entry is in the low bits.

import { TWO_32 } from './layout.ts';

/** The largest count of a width; 64-bit counts are kept below 2^53. */
export function maxRefcount(order: number): number {
  return order === 6 ? Number.MAX_SAFE_INTEGER : 2 ** (1 << order) - 1;
}

export function getRefcount(block: DataView, index: number, order: number): number {
  switch (order) {
    case 0:
      return (block.getUint8(index >>> 3) >>> (index & 7)) & 1;
    case 1:
      return (block.getUint8(index >>> 2) >>> ((index & 3) * 2)) & 3;
    case 2:
      return (block.getUint8(index >>> 1) >>> ((index & 1) * 4)) & 15;
    case 3:
      return block.getUint8(index);
    case 4:
      return block.getUint16(index * 2);
    case 5:
      return block.getUint32(index * 4);
    default:
      return block.getUint32(index * 8) * TWO_32 + block.getUint32(index * 8 + 4);
  }
}

export function setRefcount(block: DataView, index: number, order: number, value: number): void {
  const pack = (at: number, shift: number, mask: number): void => {
    block.setUint8(at, (block.getUint8(at) & ~(mask << shift)) | (value << shift));
  };
  switch (order) {
    case 0:
      return pack(index >>> 3, index & 7, 1);
    case 1:
      return pack(index >>> 2, (index & 3) * 2, 3);
    case 2:
      return pack(index >>> 1, (index & 1) * 4, 15);
    case 3:
      return block.setUint8(index, value);
    case 4:
      return block.setUint16(index * 2, value);
    case 5:
      return block.setUint32(index * 4, value);
    default:
      block.setUint32(index * 8, Math.floor(value / TWO_32));
      block.setUint32(index * 8 + 4, value % TWO_32);
  }
}

/** The bytes that hold entries `first` to `last`. */
export function refcountByteRange(first: number, last: number, order: number): { from: number; to: number } {
  if (order < 3) {
    const shift = 3 - order;
    return { from: first >>> shift, to: (last >>> shift) + 1 };
  }
  const width = 1 << (order - 3);
  return { from: first * width, to: (last + 1) * width };
}
