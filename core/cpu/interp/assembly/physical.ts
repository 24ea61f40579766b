// Guest physical memory as the CPU sees it: the page map, RAM and ROM directly, the rest through the host's MMIO calls.
// No access here may cross a page. Writes mark the page dirty and tell the code cache when they hit decoded bytes.

import { codeWritten } from './blocks';
import { hostMmioRead, hostMmioWrite, hostNotify } from './env';
import { PAGE_ABSENT, PAGE_HOST_MASK, PAGE_PHYS_PAGES, PAGE_RAM, PAGE_READ, PAGE_WRITE } from './generated/layout';
import { dirtyBase, granuleBase, pageMapBase, ramBase } from './state';

/** hostNotify kind: guest physical page `a` is needed and has still to be filled. */
const NOTIFY_ABSENT: u32 = 64;
/** A dirty byte when everyone who watches the page knows of a write: one bit for each of them. */
const DIRTY_ALL: u8 = 0xff;

/** Page map entry of a guest physical page, which is filled then; 0 (MMIO) for pages above the map. */
// @ts-ignore: decorator
@inline
export function pageMapEntry(page: u64): u32 {
  if (page >= <u64>PAGE_PHYS_PAGES) return 0;
  const entry = load<u32>(pageMapBase + (<usize>page << 2));
  return (entry & PAGE_ABSENT) == 0 ? entry : filledEntry(<u32>page);
}

function filledEntry(page: u32): u32 {
  hostNotify(NOTIFY_ABSENT, page, 0);
  return load<u32>(pageMapBase + (<usize>page << 2));
}

/** Granules (bits of 64 bytes) of a RAM page that hold decoded code. */
// @ts-ignore: decorator
@inline
export function codeGranules(entry: u32): u64 {
  return load<u64>(granuleBase + ((<usize>(entry & PAGE_HOST_MASK) - ramBase) >> 12 << 3));
}

// @ts-ignore: decorator
@inline
export function markDirty(entry: u32): void {
  store<u8>(dirtyBase + ((<usize>(entry & PAGE_HOST_MASK) - ramBase) >> 12), DIRTY_ALL);
}

/** Whether a further write needs no new mark: nobody has cleared theirs. */
// @ts-ignore: decorator
@inline
export function isDirty(entry: u32): bool {
  return load<u8>(dirtyBase + ((<usize>(entry & PAGE_HOST_MASK) - ramBase) >> 12)) == DIRTY_ALL;
}

/** Before a write of `size` bytes to a page that may be written directly. */
export function noteWrite(entry: u32, address: u64, size: u32): void {
  if (!(entry & PAGE_RAM)) return;
  markDirty(entry);
  const granules = codeGranules(entry);
  if (granules == 0) return;
  const at = <u32>address & 0xfff;
  const first = at >> 6;
  const last = (at + size - 1) >> 6;
  const hit = (granules >> <u64>first) & ((<u64>2 << <u64>(last - first)) - 1);
  if (hit != 0) codeWritten(<u32>(address >> 12), at, size);
}

export function physicalRead(address: u64, size: u32): u64 {
  const entry = pageMapEntry(address >> 12);
  if (entry & PAGE_READ) {
    const host = <usize>((entry & PAGE_HOST_MASK) | (<u32>address & 0xfff));
    switch (size) {
      case 1: return <u64>load<u8>(host);
      case 2: return <u64>load<u16>(host);
      case 4: return <u64>load<u32>(host);
      default: return load<u64>(host);
    }
  }
  if (size <= 4) return <u64>hostMmioRead(<f64>address, size);
  const low = <u64>hostMmioRead(<f64>address, 4);
  return low | (<u64>hostMmioRead(<f64>(address + 4), 4) << 32);
}

export function physicalWrite(address: u64, size: u32, value: u64): void {
  const entry = pageMapEntry(address >> 12);
  if (entry & PAGE_WRITE) {
    noteWrite(entry, address, size);
    const host = <usize>((entry & PAGE_HOST_MASK) | (<u32>address & 0xfff));
    switch (size) {
      case 1: store<u8>(host, <u8>value); break;
      case 2: store<u16>(host, <u16>value); break;
      case 4: store<u32>(host, <u32>value); break;
      default: store<u64>(host, value); break;
    }
    return;
  }
  if (size <= 4) {
    hostMmioWrite(<f64>address, size, <u32>value);
    return;
  }
  hostMmioWrite(<f64>address, 4, <u32>value);
  hostMmioWrite(<f64>(address + 4), 4, <u32>(value >> 32));
}

/**
 * Replaces a paging-structure entry when it still has the value that the walk saw (the manual demands a locked update).
 * False means: changed meanwhile, walk again.
 */
export function physicalReplace(address: u64, size: u32, expected: u64, value: u64): bool {
  const entry = pageMapEntry(address >> 12);
  // Tables in ROM or device memory keep their A and D bits.
  if (!(entry & PAGE_WRITE)) return true;
  noteWrite(entry, address, size);
  const host = <usize>((entry & PAGE_HOST_MASK) | (<u32>address & 0xfff));
  if (size == 8) return atomic.cmpxchg<u64>(host, expected, value) == expected;
  return atomic.cmpxchg<u32>(host, <u32>expected, <u32>value) == <u32>expected;
}
