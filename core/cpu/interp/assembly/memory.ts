// Linear memory access of instructions. The inline part is a TLB probe and a plain WebAssembly load or store; the tag
// comparison uses the address of the last byte, so that an access over a page end fails it. Everything else (miss, MMIO,
// page crossing, code pages, watched pages, alignment check) is in the slow functions. All may unwind (fault.ts).

import { raiseWithCode, VECTOR_AC } from './fault';
import { CODE_MODE, EFER, PAGE_RAM, PAGE_WRITE, TLB_ACTIVE, TLB_ADDEND, TLB_PHYS_PAGE, TLB_TAG_READ, TLB_TAG_WRITE } from './generated/layout';
import { pageMapEntry, physicalRead, physicalWrite } from './physical';
import { cpu, get32, get64 } from './state';
import { alignmentChecked, currentTable, entryIn, isCanonical, raiseNonCanonical, refreshWriteTag, tableAddress, translate } from './tlb';
import { ACCESS_READ, ACCESS_WRITE, EFER_LMA, TABLE_SUPERVISOR } from './walk';
import { dataBreakpoint, dataWatched } from './watch';

const PAGE_MASK: u64 = ~(<u64>0xfff);

// @ts-ignore: decorator
@inline
function activeEntry(linear: u64): usize {
  return entryIn(<usize>load<u32>(cpu, TLB_ACTIVE), linear);
}

// @ts-ignore: decorator
@inline
function hostOf(entry: usize, linear: u64): usize {
  return <usize>(<u32>linear + load<u32>(entry, TLB_ADDEND));
}

// --- Loads.

// @ts-ignore: decorator
@inline
export function load8(linear: u64): u32 {
  const entry = activeEntry(linear);
  if (load<u64>(entry, TLB_TAG_READ) == (linear & PAGE_MASK)) return load<u8>(hostOf(entry, linear));
  return <u32>loadSlow(linear, 1);
}

// @ts-ignore: decorator
@inline
export function load16(linear: u64): u32 {
  const entry = activeEntry(linear);
  if (load<u64>(entry, TLB_TAG_READ) == ((linear + 1) & PAGE_MASK)) return load<u16>(hostOf(entry, linear));
  return <u32>loadSlow(linear, 2);
}

// @ts-ignore: decorator
@inline
export function load32(linear: u64): u32 {
  const entry = activeEntry(linear);
  if (load<u64>(entry, TLB_TAG_READ) == ((linear + 3) & PAGE_MASK)) return load<u32>(hostOf(entry, linear));
  return <u32>loadSlow(linear, 4);
}

// @ts-ignore: decorator
@inline
export function load64(linear: u64): u64 {
  const entry = activeEntry(linear);
  if (load<u64>(entry, TLB_TAG_READ) == ((linear + 7) & PAGE_MASK)) return load<u64>(hostOf(entry, linear));
  return loadSlow(linear, 8);
}

// @ts-ignore: decorator
@inline
export function load128(linear: u64): v128 {
  const entry = activeEntry(linear);
  if (load<u64>(entry, TLB_TAG_READ) == ((linear + 15) & PAGE_MASK)) return v128.load(hostOf(entry, linear));
  return load128Slow(linear);
}

// --- Stores.

// @ts-ignore: decorator
@inline
export function store8(linear: u64, value: u32): void {
  const entry = activeEntry(linear);
  if (load<u64>(entry, TLB_TAG_WRITE) == (linear & PAGE_MASK)) store<u8>(hostOf(entry, linear), <u8>value);
  else storeSlow(linear, 1, <u64>value);
}

// @ts-ignore: decorator
@inline
export function store16(linear: u64, value: u32): void {
  const entry = activeEntry(linear);
  if (load<u64>(entry, TLB_TAG_WRITE) == ((linear + 1) & PAGE_MASK)) store<u16>(hostOf(entry, linear), <u16>value);
  else storeSlow(linear, 2, <u64>value);
}

// @ts-ignore: decorator
@inline
export function store32(linear: u64, value: u32): void {
  const entry = activeEntry(linear);
  if (load<u64>(entry, TLB_TAG_WRITE) == ((linear + 3) & PAGE_MASK)) store<u32>(hostOf(entry, linear), value);
  else storeSlow(linear, 4, <u64>value);
}

// @ts-ignore: decorator
@inline
export function store64(linear: u64, value: u64): void {
  const entry = activeEntry(linear);
  if (load<u64>(entry, TLB_TAG_WRITE) == ((linear + 7) & PAGE_MASK)) store<u64>(hostOf(entry, linear), value);
  else storeSlow(linear, 8, value);
}

// @ts-ignore: decorator
@inline
export function store128(linear: u64, value: v128): void {
  const entry = activeEntry(linear);
  if (load<u64>(entry, TLB_TAG_WRITE) == ((linear + 15) & PAGE_MASK)) v128.store(hostOf(entry, linear), value);
  else store128Slow(linear, value);
}

// --- Loads that announce a write of the same bytes: faults are those of the write.

// @ts-ignore: decorator
@inline
export function loadForWrite8(linear: u64): u32 {
  const entry = activeEntry(linear);
  if (load<u64>(entry, TLB_TAG_WRITE) == (linear & PAGE_MASK)) return load<u8>(hostOf(entry, linear));
  return <u32>loadForWriteSlow(linear, 1);
}

// @ts-ignore: decorator
@inline
export function loadForWrite16(linear: u64): u32 {
  const entry = activeEntry(linear);
  if (load<u64>(entry, TLB_TAG_WRITE) == ((linear + 1) & PAGE_MASK)) return load<u16>(hostOf(entry, linear));
  return <u32>loadForWriteSlow(linear, 2);
}

// @ts-ignore: decorator
@inline
export function loadForWrite32(linear: u64): u32 {
  const entry = activeEntry(linear);
  if (load<u64>(entry, TLB_TAG_WRITE) == ((linear + 3) & PAGE_MASK)) return load<u32>(hostOf(entry, linear));
  return <u32>loadForWriteSlow(linear, 4);
}

// @ts-ignore: decorator
@inline
export function loadForWrite64(linear: u64): u64 {
  const entry = activeEntry(linear);
  if (load<u64>(entry, TLB_TAG_WRITE) == ((linear + 7) & PAGE_MASK)) return load<u64>(hostOf(entry, linear));
  return loadForWriteSlow(linear, 8);
}

// --- Bulk access.

/** WebAssembly address of a linear one when reads may go direct up to the page end, else 0. Never faults. */
// @ts-ignore: decorator
@inline
export function readPointer(linear: u64): usize {
  const entry = activeEntry(linear);
  return load<u64>(entry, TLB_TAG_READ) == (linear & PAGE_MASK) ? hostOf(entry, linear) : 0;
}

/** The same for writes (the page is marked dirty and holds no code). */
// @ts-ignore: decorator
@inline
export function writePointer(linear: u64): usize {
  const entry = activeEntry(linear);
  return load<u64>(entry, TLB_TAG_WRITE) == (linear & PAGE_MASK) ? hostOf(entry, linear) : 0;
}

// --- Probes: fault when the access would, change nothing but the TLB and A/D bits.

export function probeRead(linear: u64, size: u32): void {
  probe(linear, size, ACCESS_READ);
}

export function probeWrite(linear: u64, size: u32): void {
  const entry = activeEntry(linear);
  if (load<u64>(entry, TLB_TAG_WRITE) == ((linear + <u64>size - 1) & PAGE_MASK)) return;
  probe(linear, size, ACCESS_WRITE);
}

function probe(linear: u64, size: u32, access: u32): void {
  const table = currentTable();
  if (alignmentChecked()) checkAlignment(linear, size);
  const last = linear + <u64>size - 1;
  checkEnd(wrap(last));
  translate(table, linear, access);
  if ((last & PAGE_MASK) != (linear & PAGE_MASK)) translate(table, wrap(last & PAGE_MASK), access);
}

// --- Slow paths.

/** Outside 64-bit code linear addresses wrap at 4 GiB. */
// @ts-ignore: decorator
@inline
function wrap(linear: u64): u64 {
  return (get32(CODE_MODE) & 3) == 2 ? linear : linear & 0xffffffff;
}

function checkAlignment(linear: u64, size: u32): void {
  if ((<u32>linear & (size - 1)) == 0) return;
  checkEnd(linear);
  raiseWithCode(VECTOR_AC, 0);
}

// @ts-ignore: decorator
@inline
function physicalOf(entry: usize, linear: u64): u64 {
  return (<u64>load<u32>(entry, TLB_PHYS_PAGE) << 12) | (linear & 0xfff);
}

// @ts-ignore: decorator
@inline
function crosses(linear: u64, size: u32): bool {
  return (<u32>linear & 0xfff) + size > 0x1000;
}

function loadSlow(linear: u64, size: u32): u64 {
  if (alignmentChecked()) checkAlignment(linear, size);
  const value = loadFrom(currentTable(), linear, size, wrap(~(<u64>0)), ACCESS_READ);
  if (dataWatched) dataBreakpoint(linear, <u64>size, false);
  return value;
}

function loadForWriteSlow(linear: u64, size: u32): u64 {
  if (alignmentChecked()) checkAlignment(linear, size);
  const value = loadFrom(currentTable(), linear, size, wrap(~(<u64>0)), ACCESS_WRITE);
  if (dataWatched) dataBreakpoint(linear, <u64>size, true);
  return value;
}

function storeSlow(linear: u64, size: u32, value: u64): void {
  if (alignmentChecked()) checkAlignment(linear, size);
  storeTo(currentTable(), linear, size, value, wrap(~(<u64>0)));
  if (dataWatched) dataBreakpoint(linear, <u64>size, true);
}

function load128Slow(linear: u64): v128 {
  if (alignmentChecked()) checkAlignment(linear, 16);
  if (crosses(linear, 16)) probe(linear, 16, ACCESS_READ);
  const low = loadSlow(linear, 8);
  const high = loadSlow(wrap(linear + 8), 8);
  return i64x2.replace_lane(i64x2.splat(<i64>low), 1, <i64>high);
}

function store128Slow(linear: u64, value: v128): void {
  if (alignmentChecked()) checkAlignment(linear, 16);
  if (crosses(linear, 16)) probe(linear, 16, ACCESS_WRITE);
  storeSlow(linear, 8, <u64>i64x2.extract_lane(value, 0));
  storeSlow(wrap(linear + 8), 8, <u64>i64x2.extract_lane(value, 1));
}

/** An access that runs out of the lower canonical half faults before any page is looked at. */
function checkEnd(last: u64): void {
  if ((get64(EFER) & EFER_LMA) != 0 && !isCanonical(last)) raiseNonCanonical(last);
}

function loadFrom(table: u32, linear: u64, size: u32, mask: u64, access: u32): u64 {
  if (crosses(linear, size)) checkEnd((linear + <u64>size - 1) & mask);
  const first = physicalOf(translate(table, linear, access), linear);
  if (!crosses(linear, size)) return physicalRead(first, size);
  // Both pages are translated before any byte is read: device reads must not be repeated by a restart.
  const nextPage = (linear + <u64>size - 1) & PAGE_MASK & mask;
  const second = physicalOf(translate(table, nextPage, access), nextPage);
  const split: u32 = 0x1000 - (<u32>linear & 0xfff);
  let value: u64 = 0;
  for (let i: u32 = 0; i < size; i++) {
    const address = i < split ? first + <u64>i : second + <u64>(i - split);
    value |= physicalRead(address, 1) << <u64>(i * 8);
  }
  return value;
}

function storeTo(table: u32, linear: u64, size: u32, value: u64, mask: u64): void {
  if (crosses(linear, size)) checkEnd((linear + <u64>size - 1) & mask);
  const entry = translate(table, linear, ACCESS_WRITE);
  const first = physicalOf(entry, linear);
  if (!crosses(linear, size)) {
    const map = pageMapEntry(first >> 12);
    physicalWrite(first, size, value);
    // Only after a plain RAM write: a device may have changed the map and flushed the entry.
    if ((map & (PAGE_WRITE | PAGE_RAM)) == (PAGE_WRITE | PAGE_RAM)) refreshWriteTag(entry, linear, map);
    return;
  }
  const nextPage = (linear + <u64>size - 1) & PAGE_MASK & mask;
  const second = physicalOf(translate(table, nextPage, ACCESS_WRITE), nextPage);
  const split: u32 = 0x1000 - (<u32>linear & 0xfff);
  for (let i: u32 = 0; i < size; i++) {
    const address = i < split ? first + <u64>i : second + <u64>(i - split);
    physicalWrite(address, 1, (value >> <u64>(i * 8)) & 0xff);
  }
}

// --- Accesses of the processor itself (descriptor tables, TSS, interrupt stacks): supervisor whatever CPL is, and an
// AC flag of user code gives no SMAP override. No alignment checks, no breakpoints.

// @ts-ignore: decorator
@inline
function systemMask(): u64 {
  return (get64(EFER) & EFER_LMA) != 0 ? ~(<u64>0) : 0xffffffff;
}

export function loadSystem(linear: u64, size: u32): u64 {
  const mask = systemMask();
  return loadFrom(TABLE_SUPERVISOR, linear & mask, size, mask, ACCESS_READ);
}

export function storeSystem(linear: u64, size: u32, value: u64): void {
  const mask = systemMask();
  storeTo(TABLE_SUPERVISOR, linear & mask, size, value, mask);
}

export function loadSystem8(linear: u64): u32 { return <u32>loadSystem(linear, 1); }
export function loadSystem16(linear: u64): u32 { return <u32>loadSystem(linear, 2); }
export function loadSystem32(linear: u64): u32 { return <u32>loadSystem(linear, 4); }
export function loadSystem64(linear: u64): u64 { return loadSystem(linear, 8); }
export function storeSystem8(linear: u64, value: u32): void { storeSystem(linear, 1, <u64>value); }
export function storeSystem16(linear: u64, value: u32): void { storeSystem(linear, 2, <u64>value); }
export function storeSystem32(linear: u64, value: u32): void { storeSystem(linear, 4, <u64>value); }
export function storeSystem64(linear: u64, value: u64): void { storeSystem(linear, 8, value); }

/** Accesses with the privilege of a given level (stacks of gates and interrupts): table 0 for level 3. */
export function loadAs(cpl: u32, linear: u64, size: u32): u64 {
  const mask = systemMask();
  return loadFrom(cpl == 3 ? 0 : TABLE_SUPERVISOR, linear & mask, size, mask, ACCESS_READ);
}

export function storeAs(cpl: u32, linear: u64, size: u32, value: u64): void {
  const mask = systemMask();
  storeTo(cpl == 3 ? 0 : TABLE_SUPERVISOR, linear & mask, size, value, mask);
}

/** Faults when a write of [linear, linear + size) at a privilege level would. `size` is at most a page. */
export function probeWriteAs(cpl: u32, linear: u64, size: u32): void {
  const mask = systemMask();
  const table = cpl == 3 ? 0 : TABLE_SUPERVISOR;
  const first = linear & mask;
  const last = (linear + <u64>size - 1) & mask;
  translate(table, first, ACCESS_WRITE);
  if ((last & PAGE_MASK) != (first & PAGE_MASK)) translate(table, last & PAGE_MASK, ACCESS_WRITE);
}

export function probeSystem(linear: u64, size: u32, write: bool): void {
  const mask = systemMask();
  const access = write ? ACCESS_WRITE : ACCESS_READ;
  const first = linear & mask;
  const last = (linear + <u64>size - 1) & mask;
  translate(TABLE_SUPERVISOR, first, access);
  if ((last & PAGE_MASK) != (first & PAGE_MASK)) translate(TABLE_SUPERVISOR, last & PAGE_MASK, access);
}
