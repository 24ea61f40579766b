// Pages under a data breakpoint (DR0-DR3 with DR7): accesses to them take the slow path, which calls dataBreakpoint().
// Intel SDM volume 3, 17.2. I/O and instruction breakpoints are in debug.ts.

import { CR4, DEBUG_PENDING, DR, EVENTS, EVENT_SINGLE_STEP } from './generated/layout';
import { cpu, get32, get64, set32 } from './state';

const PAGE_MASK: u64 = ~(<u64>0xfff);

/** True when an enabled data breakpoint exists at all: the slow path asks only then. */
export let dataWatched: bool = false;

// @ts-ignore: decorator
@inline
export function breakpointAddress(index: u32): u64 {
  return load<u64>(cpu + (<usize>index << 3), DR);
}

/** Bytes that breakpoint `index` covers: LEN 00 = 1, 01 = 2, 10 = 8, 11 = 4. */
export function breakpointLength(dr7: u64, index: u32): u64 {
  const length = <u32>(dr7 >> (18 + <u64>index * 4)) & 3;
  return length == 2 ? 8 : <u64>length + 1;
}

// @ts-ignore: decorator
@inline
export function breakpointKind(dr7: u64, index: u32): u32 {
  return <u32>(dr7 >> (16 + <u64>index * 4)) & 3;
}

// @ts-ignore: decorator
@inline
export function breakpointEnabled(dr7: u64, index: u32): bool {
  return ((dr7 >> (<u64>index * 2)) & 3) != 0;
}

/** Recomputes dataWatched; the caller flushes the TLB so that watched pages lose their direct tags. */
export function updateWatch(): void {
  const dr7 = get64(DR + 7 * 8);
  dataWatched = false;
  for (let i: u32 = 0; i < 4; i++) {
    if (breakpointEnabled(dr7, i) && (breakpointKind(dr7, i) & 1) != 0) dataWatched = true;
  }
}

export function pageIsWatched(page: u64): bool {
  if (!dataWatched) return false;
  const dr7 = get64(DR + 7 * 8);
  for (let i: u32 = 0; i < 4; i++) {
    if (!breakpointEnabled(dr7, i) || (breakpointKind(dr7, i) & 1) == 0) continue;
    const length = breakpointLength(dr7, i);
    if ((breakpointAddress(i) & ~(length - 1) & PAGE_MASK) == page) return true;
  }
  return false;
}

/** Notes hits of an access for the #DB trap after the instruction. DR6 shows a hit also of disabled breakpoints. */
export function dataBreakpoint(linear: u64, size: u64, write: bool): void {
  const dr7 = get64(DR + 7 * 8);
  let hits: u32 = 0;
  let enabled = false;
  for (let i: u32 = 0; i < 4; i++) {
    const kind = breakpointKind(dr7, i);
    if (kind != 3 && !(kind == 1 && write)) continue;
    const length = breakpointLength(dr7, i);
    const start = breakpointAddress(i) & ~(length - 1);
    if (linear < start + length && start < linear + size) {
      hits |= 1 << i;
      if (breakpointEnabled(dr7, i)) enabled = true;
    }
  }
  if (!enabled) return;
  set32(DEBUG_PENDING, get32(DEBUG_PENDING) | hits);
  atomic.or<i32>(cpu + EVENTS, EVENT_SINGLE_STEP);
}
