// The machine's page map as the few large regions that KVM takes.

import { PAGE } from '../isa/layout.ts';

const PAGE_BYTES = 4096;

export interface MemoryRegion {
  /** Guest physical. */
  readonly address: number;
  readonly length: number;
  /** Offset in the machine's memory. */
  readonly host: number;
  /** False = ROM: writes leave the guest as device accesses. */
  readonly writable: boolean;
}

/** Regions in order of guest address. @param map one word a guest page, see PAGE in core/cpu/isa/layout.ts */
export function regionsOf(map: Uint32Array): MemoryRegion[] {
  const regions: MemoryRegion[] = [];
  const pages = map.length;
  for (let page = 0; page < pages; ) {
    const word = (map[page] as number) & ~PAGE.ABSENT;
    if ((word & PAGE.READ) === 0) {
      page++;
      continue;
    }
    const start = page;
    const flags = word & (PAGE.READ | PAGE.WRITE);
    let expected = word >>> 0;
    do {
      page++;
      expected = (expected + PAGE_BYTES) >>> 0;
    } while (page < pages && ((map[page] as number) & ~PAGE.ABSENT) >>> 0 === expected);
    regions.push({ address: start * PAGE_BYTES, length: (page - start) * PAGE_BYTES, host: (word & PAGE.HOST_MASK) >>> 0, writable: (flags & PAGE.WRITE) !== 0 });
  }
  return regions;
}
