// The software TLB: one direct-mapped table a privilege (user, supervisor, supervisor with the SMAP override), a fourth
// that stays empty so that every access takes the slow path (alignment checks). Beside each entry stands a "slow tag":
// page, rights and flags of the translation, valid also when the direct tags are not (MMIO, code pages, watched pages).
// Filled entries are listed, so that a flush costs what was filled.

import { flushAllBlocks } from './blocks';
import { raisePageFault, raiseWithCode, VECTOR_GP, VECTOR_SS } from './fault';
import {
  AREA_TLB, CPL, CR0, CR4, CURRENT_OP, EFER, EFLAGS_SYSTEM, GPR, OPF_STACK, OP_FLAGS, OP_OPCODE, OP_SEG, PAGE_HOST_MASK, PAGE_RAM, PAGE_READ,
  PAGE_WRITE, TLB_ACTIVE, TLB_ADDEND, TLB_ENTRY_BYTES, TLB_EXEC, TLB_PHYS_PAGE, TLB_TABLE_BYTES, TLB_TAG_EXEC,
  TLB_TAG_READ, TLB_TAG_WRITE,
} from './generated/layout';
import { codeGranules, isDirty, markDirty, pageMapEntry } from './physical';
import { cpu, get32, get64, pageMapBase, set32 } from './state';
import {
  ACCESS_EXEC, ACCESS_READ, ACCESS_WRITE, CR0_AM, CR4_SMAP, EFER_LMA, PAGE_GLOBAL, PAGE_LARGE, TABLE_SMAP_OVERRIDE,
  TABLE_SUPERVISOR, TABLE_USER, walk, walkPage, walkRights,
} from './walk';
import { pageIsWatched } from './watch';

const PAGE_MASK: u64 = ~(<u64>0xfff);
const INVALID: u64 = ~(<u64>0);
const ENTRIES: usize = 2048;
const TABLE_EMPTY: u32 = 3;
const SLOW_TAGS: usize = 4 * 0x10000;
const LIST_NORMAL: usize = SLOW_TAGS + 4 * ENTRIES * 8;
const LIST_GLOBAL: usize = LIST_NORMAL + 3 * ENTRIES * 2;
/** Copy of the page map of the first megabyte. */
const LOW_MAP: usize = LIST_GLOBAL + 3 * ENTRIES * 2;
const LOW_MAP_BYTES: usize = 256 * 4;
/** Flags of slow tags besides the rights: the entry stands in the list of normal (global) entries. */
const LISTED_NORMAL: u64 = 16;
const LISTED_GLOBAL: u64 = 32;
const LISTED: u64 = LISTED_NORMAL | LISTED_GLOBAL;

let normalCount: u32 = 0;
let globalCount: u32 = 0;
/** Linear range in which large pages were filled: INVLPG inside must drop all fragments of the page. */
let largeLow: u64 = INVALID;
let largeHigh: u64 = 0;

// @ts-ignore: decorator
@inline
function tlbBase(): usize {
  return cpu + AREA_TLB;
}

export function initTlb(): void {
  const base = tlbBase();
  for (let i: usize = 0; i < 4 * ENTRIES; i++) clearTags(base + i * TLB_ENTRY_BYTES);
  memory.fill(base + SLOW_TAGS, 0, 4 * ENTRIES * 8);
  memory.copy(base + LOW_MAP, pageMapBase, LOW_MAP_BYTES);
  normalCount = 0;
  globalCount = 0;
  largeLow = INVALID;
  largeHigh = 0;
  updateTlbActive();
}

// @ts-ignore: decorator
@inline
function clearTags(entry: usize): void {
  store<u64>(entry, INVALID, TLB_TAG_READ);
  store<u64>(entry, INVALID, TLB_TAG_WRITE);
  store<u64>(entry, INVALID, TLB_TAG_EXEC);
}

// @ts-ignore: decorator
@inline
export function tableAddress(table: u32): usize {
  return tlbBase() + <usize>table * TLB_TABLE_BYTES;
}

// @ts-ignore: decorator
@inline
export function entryIn(table: usize, linear: u64): usize {
  return table + ((<usize>(linear >> 12) & (ENTRIES - 1)) << 5);
}

/** Chooses the table for the current CPL, AC flag and control bits. Call after any of them changed. */
export function updateTlbActive(): void {
  const ac = (get32(EFLAGS_SYSTEM) & 0x40000) != 0;
  let table: u32;
  if (get32(CPL) == 3) table = ac && (get64(CR0) & CR0_AM) != 0 ? TABLE_EMPTY : TABLE_USER;
  else table = ac && (get64(CR4) & CR4_SMAP) != 0 ? TABLE_SMAP_OVERRIDE : TABLE_SUPERVISOR;
  set32(TLB_ACTIVE, <u32>tableAddress(table));
  set32(TLB_EXEC, <u32>tableAddress(get32(CPL) == 3 ? TABLE_USER : TABLE_SUPERVISOR));
}

/** Number of the table that ordinary accesses use now. */
export function currentTable(): u32 {
  const table = (get32(TLB_ACTIVE) - <u32>tlbBase()) / <u32>TLB_TABLE_BYTES;
  return table == TABLE_EMPTY ? TABLE_USER : table;
}

// @ts-ignore: decorator
@inline
export function alignmentChecked(): bool {
  return get32(TLB_ACTIVE) - <u32>tlbBase() == TABLE_EMPTY * <u32>TLB_TABLE_BYTES;
}

// @ts-ignore: decorator
@inline
export function isCanonical(linear: u64): bool {
  return <u64>((<i64>linear << 16) >> 16) == linear;
}

/** #SS(0) for stack references, else #GP(0). */
export function raiseNonCanonical(linear: u64): void {
  const op = <usize>get32(CURRENT_OP);
  if (op != 0) {
    if ((load<u8>(op, OP_FLAGS) & OPF_STACK) != 0 || load<u8>(op, OP_SEG) == 2) raiseWithCode(VECTOR_SS, 0);
    // PUSH, POP and CALL with a memory operand have both kinds: tell them apart by the address.
    const opcode = <u32>load<u16>(op, OP_OPCODE);
    if ((opcode == 0xff || opcode == 0x8f) && linear - (get64(GPR + 32) - 8) < 16) raiseWithCode(VECTOR_SS, 0);
  }
  raiseWithCode(VECTOR_GP, 0);
}

/**
 * The entry that translates `linear` for this access in table 0..2; walks on a miss and raises #PF, or #GP/#SS for an
 * address that is not canonical. The direct tags of the entry are set as far as they may be.
 */
export function translate(table: u32, linear: u64, access: u32): usize {
  const index = (<usize>(linear >> 12)) & (ENTRIES - 1);
  const base = tlbBase();
  const slow = load<u64>(base + ((<usize>table * ENTRIES + index) << 3), SLOW_TAGS);
  if ((slow & PAGE_MASK) == (linear & PAGE_MASK) && (slow & <u64>access) != 0) {
    return base + ((<usize>table * ENTRIES + index) << 5);
  }
  return fill(table, linear, access);
}

function fill(table: u32, linear: u64, access: u32): usize {
  if ((get64(EFER) & EFER_LMA) != 0 && !isCanonical(linear)) raiseNonCanonical(linear);
  const code = walk(linear, table, access, true);
  if (code != -1) raisePageFault(linear, <u32>code);
  const number = <usize>table * ENTRIES + ((<usize>(linear >> 12)) & (ENTRIES - 1));
  const base = tlbBase();
  const entry = base + (number << 5);
  const slowAt = base + SLOW_TAGS + (number << 3);
  const page = linear & PAGE_MASK;
  let listed = load<u64>(slowAt) & LISTED;
  if ((walkRights & PAGE_GLOBAL) != 0) {
    if ((listed & LISTED_GLOBAL) == 0) {
      store<u16>(base + LIST_GLOBAL + (<usize>globalCount << 1), <u16>number);
      globalCount++;
      listed |= LISTED_GLOBAL;
    }
  } else if ((listed & LISTED_NORMAL) == 0) {
    store<u16>(base + LIST_NORMAL + (<usize>normalCount << 1), <u16>number);
    normalCount++;
    listed |= LISTED_NORMAL;
  }
  if ((walkRights & PAGE_LARGE) != 0) {
    if (page < largeLow) largeLow = page;
    if (page > largeHigh) largeHigh = page;
  }
  store<u64>(slowAt, page | <u64>walkRights | listed);
  store<u32>(entry, <u32>walkPage, TLB_PHYS_PAGE);
  const map = pageMapEntry(walkPage);
  store<u32>(entry, (map & PAGE_HOST_MASK) - <u32>page, TLB_ADDEND);
  const direct = !pageIsWatched(page);
  store<u64>(entry, direct && (walkRights & ACCESS_READ) != 0 && (map & PAGE_READ) != 0 ? page : INVALID, TLB_TAG_READ);
  store<u64>(entry, (walkRights & ACCESS_EXEC) != 0 ? page : INVALID, TLB_TAG_EXEC);
  let writeTag = INVALID;
  if (direct && (walkRights & ACCESS_WRITE) != 0 && (map & PAGE_WRITE) != 0) {
    if ((map & PAGE_RAM) == 0) {
      writeTag = page;
    } else if (codeGranules(map) == 0) {
      // A read must not mark the page dirty: the first write comes back through the slow path.
      if (access == ACCESS_WRITE) markDirty(map);
      if (isDirty(map)) writeTag = page;
    }
  }
  store<u64>(entry, writeTag, TLB_TAG_WRITE);
  return entry;
}

/** After a slow write to a RAM page through its entry: lets the next writes go direct when nothing forbids it any more. */
export function refreshWriteTag(entry: usize, linear: u64, map: u32): void {
  const page = linear & PAGE_MASK;
  if (codeGranules(map) == 0 && isDirty(map) && !pageIsWatched(page)) store<u64>(entry, page, TLB_TAG_WRITE);
}

/** Drops direct write access to a physical page: its bytes are about to be decoded (blocks.ts). */
export function tlbProtectPage(physicalPage: u32): void {
  const base = tlbBase();
  protectList(base, base + LIST_NORMAL, normalCount, physicalPage);
  protectList(base, base + LIST_GLOBAL, globalCount, physicalPage);
}

function protectList(base: usize, list: usize, count: u32, physicalPage: u32): void {
  for (let i: u32 = 0; i < count; i++) {
    const entry = base + (<usize>load<u16>(list + (<usize>i << 1)) << 5);
    if (load<u32>(entry, TLB_PHYS_PAGE) == physicalPage) store<u64>(entry, INVALID, TLB_TAG_WRITE);
  }
}

/** Drops everything except global pages: load of CR3. */
export function tlbFlushNonGlobal(): void {
  const base = tlbBase();
  for (let i: u32 = 0; i < normalCount; i++) {
    const number = <usize>load<u16>(base + LIST_NORMAL + (<usize>i << 1));
    const slowAt = base + SLOW_TAGS + (number << 3);
    const slow = load<u64>(slowAt);
    if ((slow & <u64>PAGE_GLOBAL) != 0) {
      store<u64>(slowAt, slow & ~LISTED_NORMAL);
    } else {
      store<u64>(slowAt, slow & LISTED_GLOBAL);
      clearTags(base + (number << 5));
    }
  }
  normalCount = 0;
}

/** Drops every translation, global ones too. Also to be called when the physical map or dirty marks changed. */
export function tlbFlushAll(): void {
  const base = tlbBase();
  for (let i: u32 = 0; i < normalCount; i++) dropNumber(base, <usize>load<u16>(base + LIST_NORMAL + (<usize>i << 1)));
  for (let i: u32 = 0; i < globalCount; i++) dropNumber(base, <usize>load<u16>(base + LIST_GLOBAL + (<usize>i << 1)));
  normalCount = 0;
  globalCount = 0;
  largeLow = INVALID;
  largeHigh = 0;
}

function dropNumber(base: usize, number: usize): void {
  clearTags(base + (number << 5));
  store<u64>(base + SLOW_TAGS + (number << 3), 0);
}

/** INVLPG: drops the translations of the page around a linear address in all tables, global or not. */
export function tlbFlushPage(linear: u64): void {
  const base = tlbBase();
  const page = linear & PAGE_MASK;
  const index = (<usize>(linear >> 12)) & (ENTRIES - 1);
  for (let table: usize = 0; table < 3; table++) {
    const number = table * ENTRIES + index;
    const slowAt = base + SLOW_TAGS + (number << 3);
    const slow = load<u64>(slowAt);
    if ((slow & PAGE_MASK) == page) {
      clearTags(base + (number << 5));
      store<u64>(slowAt, slow & LISTED);
    }
  }
  // A large page is cached in 4 KiB pieces under other indices: drop all pieces within the same gigabyte.
  if ((page | 0x3fffffff) >= (largeLow & ~(<u64>0x3fffffff)) && (page & ~(<u64>0x3fffffff)) <= largeHigh) {
    flushLarge(base, base + LIST_NORMAL, normalCount, page >> 30);
    flushLarge(base, base + LIST_GLOBAL, globalCount, page >> 30);
  }
}

function flushLarge(base: usize, list: usize, count: u32, gigabyte: u64): void {
  for (let i: u32 = 0; i < count; i++) {
    const number = <usize>load<u16>(list + (<usize>i << 1));
    const slowAt = base + SLOW_TAGS + (number << 3);
    const slow = load<u64>(slowAt);
    if ((slow & <u64>PAGE_LARGE) != 0 && slow >> 30 == gigabyte) {
      clearTags(base + (number << 5));
      store<u64>(slowAt, slow & LISTED);
    }
  }
}

/**
 * The guest physical memory map changed under the translations, or dirty marks were cleared. Code blocks are known by
 * physical address: when the first megabyte shows other memory (PAM registers), they go too.
 */
export function pageMapChanged(): void {
  tlbFlushAll();
  const snapshot = tlbBase() + LOW_MAP;
  if (memory.compare(snapshot, pageMapBase, LOW_MAP_BYTES) == 0) return;
  memory.copy(snapshot, pageMapBase, LOW_MAP_BYTES);
  flushAllBlocks();
}

/** Physical address of an instruction fetch at a linear address; raises #PF (or #GP when not canonical). */
export function translateFetch(linear: u64): u64 {
  const table = get32(CPL) == 3 ? TABLE_USER : TABLE_SUPERVISOR;
  if ((get64(EFER) & EFER_LMA) == 0) linear &= 0xffffffff;
  const entry = entryIn(tableAddress(table), linear);
  if (load<u64>(entry, TLB_TAG_EXEC) == (linear & PAGE_MASK)) {
    return (<u64>load<u32>(entry, TLB_PHYS_PAGE) << 12) | (linear & 0xfff);
  }
  if ((get64(EFER) & EFER_LMA) != 0 && !isCanonical(linear)) raiseWithCode(VECTOR_GP, 0);
  return (<u64>load<u32>(translate(table, linear, ACCESS_EXEC), TLB_PHYS_PAGE) << 12) | (linear & 0xfff);
}

/** Physical address behind a linear one for the host's eyes (no access rights, no side effects), or -1. */
export function translateDebug(address: u64): f64 {
  if ((get64(EFER) & EFER_LMA) == 0 && address > 0xffffffff) return -1;
  if (walk(address, TABLE_SUPERVISOR, ACCESS_READ, false) != -1) return -1;
  return <f64>((walkPage << 12) | (address & 0xfff));
}
