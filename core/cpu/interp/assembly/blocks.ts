// The code cache: finds, decodes, links and drops blocks of op records. Blocks are keyed by guest physical address and
// mode; the pool is a bump allocator that is dropped as a whole when it is full. Only direct links inside a page exist,
// so nothing but the end of a block's page can make a link stale; when a block dies, its page's links are cut.

import { decodeCrossing, forgetCrossings } from './crossing';
import { decodeOp, KEY_UNPROTECTED, writeEnd } from './decode';
import { raiseGp0 } from './fault';
import {
  AREA_BLOCK_HASH, AREA_JIT, AREA_PAGE_HASH, AREA_POOL, AREA_POOL_END, AREA_RECENT, AREA_STAGING, BLOCK_BYTES, BLOCK_COUNTER, BLOCK_FLAGS, BLOCK_HASH_NEXT,
  BLOCK_HEADER_BYTES, BLOCK_JIT, BLOCK_KEY, BLOCK_OPS, BLOCK_PAGE_NEXT, BLOCK_PHYS, BLOCK_RUNNING, BUDGET, CAME_FROM, CODE_MODE, CURRENT_OP,
  EVENTS, EVENT_CODE_CHANGED, EVENT_SINGLE_STEP, EXIT_BUDGET, GPR, JIT_CONTEXT, JIT_TARGET_CONTEXT, JIT_TARGET_COUNT, JIT_TARGET_ENTRY_BYTES,
  JIT_TARGET_FUNCTION, JIT_TARGET_NEED, JIT_TARGET_PHYS_PAGE, JIT_TARGET_RIP, OP_BYTES, OP_DISP, OP_END, OP_FLAGS, OP_IMM, OP_LENGTH,
  OP_SUB, OPF_LAST, OPF_LINKED, PAGE_HOST_MASK, PAGE_RAM, PAGE_READ, RIP, SEG_BASE, SEG_LIMIT,
  TLB_EXEC, TLB_PHYS_PAGE, TLB_TAG_EXEC,
} from './generated/layout';
import { hostNotify } from './env';
import { serviceEvents } from './events';
import { isProtected } from './modes';
import { currentRip } from './op';
import { pageMapEntry } from './physical';
import { cpu, get32, get64, granuleBase, ramBase, set32, set64 } from './state';
import { setOneIteration } from './string';
import { entryIn, tlbProtectPage, translateFetch } from './tlb';

/** Most ops of a block. */
const MAX_OPS: u32 = 64;
const DEAD: u32 = 0xffffffff;
/** Mode key bit of code in a page that is not wholly inside the CS limit: no links, limit checked at each entry. */
const KEY_PARTIAL: u32 = 8;
/** Mode key bit of dead blocks: no look-up finds them. */
const KEY_DEAD: u32 = 32;
const HASH_MASK: usize = 0x3ffff;
const RECENT_BITS: u32 = 14;
/**
 * A block that is found quickly goes the long way whenever its count of instructions passes a multiple of this: there the host hears of
 * hot blocks, and the block of where control came from.
 */
const LOOK_EVERY: i32 = 256;
const PAGE_HASH_MASK: u32 = 0x3fff;

/** Why run() returns, valid when nextBlock() gave 0. */
export let exitReason: i32 = 0;
let poolNext: usize = 0;
/** Instructions executed of a block after which the host hears of it (0: never). Direct links count too (follow() in branch.ts). */
let jitThreshold: u32 = 0;
/** Instructions that compiled regions have retired. */
export let jitRetired: f64 = 0;
/** hostNotify kinds. */
const NOTIFY_HOT: u32 = 2;
const NOTIFY_KILLED: u32 = 3;
const NOTIFY_FLUSHED: u32 = 4;
/** Counts flushes: a link must not be written into a block that was dropped meanwhile. */
let flushes: u32 = 0;
/** Block found by the last enter(), or 0 when it was a staged copy. */
let entered: usize = 0;

// Statistics for the host.
export let blocksDecoded: u32 = 0;
export let blocksKilled: u32 = 0;

export function initBlocks(): void {
  poolNext = 0;
  clearTables();
}

function clearTables(): void {
  memory.fill(cpu + AREA_BLOCK_HASH, 0, (HASH_MASK + 1) * 4);
  memory.fill(cpu + AREA_PAGE_HASH, 0, <usize>(PAGE_HASH_MASK + 1) * 4);
  memory.fill(cpu + AREA_RECENT, 0, <usize>4 << RECENT_BITS);
  forgetCrossings();
  poolNext = cpu + AREA_POOL;
  flushes++;
}

// @ts-ignore: decorator
@inline
function hashOf(phys: u32): usize {
  return (cpu + AREA_BLOCK_HASH) + (<usize>((phys ^ (phys >> 15)) & <u32>HASH_MASK) << 2);
}

// @ts-ignore: decorator
@inline
function pageChainOf(page: u32): usize {
  return (cpu + AREA_PAGE_HASH) + (<usize>(page & PAGE_HASH_MASK) << 2);
}

// @ts-ignore: decorator
@inline
function pageOfBlock(block: usize): u32 {
  return (load<u32>(block, BLOCK_PHYS) >> 12) | ((load<u32>(block, BLOCK_KEY) >> 8) << 20);
}

/** Where the block at `rip` stands that was looked up last. The table is small, so it stays in the host's caches. */
// @ts-ignore: decorator
@inline
function recentSlot(rip: u64): usize {
  return (cpu + AREA_RECENT) + (<usize>((<u32>rip * 0x9e3779b1) >> (32 - RECENT_BITS)) << 2);
}

/**
 * The way to most blocks: with `left` instructions to go, the block at `target` becomes the running one when it was looked up before,
 * nothing waits and nothing has to be told to the host. Returns its first op record, or 0: then nextBlock() looks. RIP is not used.
 */
// @ts-ignore: decorator
@inline
export function quickBlock(target: u64, left: i32): usize {
  if (load<i32>(cpu, EVENTS) != 0 || (get32(JIT_CONTEXT) & CONTEXT_UNFIT) != 0) return 0;
  const entry = entryIn(<usize>get32(TLB_EXEC), target);
  const page = target & ~(<u64>0xfff);
  if (load<u64>(entry, TLB_TAG_EXEC) != page) return 0;
  const block = <usize>load<u32>(recentSlot(target));
  if (block == 0) return 0;
  const physPage = load<u32>(entry, TLB_PHYS_PAGE);
  if (load<u32>(block, BLOCK_PHYS) != ((physPage << 12) | (<u32>target & 0xfff))) return 0;
  if (load<u32>(block, BLOCK_KEY) != (get32(CODE_MODE) | (physPage >> 20 << 8)) || load<u32>(block, BLOCK_JIT) != 0) return 0;
  const ops = <i32>load<u16>(block, BLOCK_OPS);
  const before = load<i32>(block, BLOCK_COUNTER);
  const count = before + ops;
  if (left < ops || ((before ^ count) & -LOOK_EVERY) != 0) return 0;
  store<i32>(block, count, BLOCK_COUNTER);
  set64(GPR + 17 * 8, page);
  set32(BUDGET, <u32>left);
  set32(BLOCK_RUNNING, <u32>block);
  return block + BLOCK_HEADER_BYTES;
}

/** Next op record to execute, from RIP; 0 when run() has to return with exitReason. */
export function nextBlock(): usize {
  set32(BLOCK_RUNNING, 0);
  if (load<i32>(cpu, EVENTS) != 0) return nextSlow();
  return enter(false);
}

function nextSlow(): usize {
  if (<i32>get32(BUDGET) <= 0) {
    exitReason = EXIT_BUDGET;
    return 0;
  }
  const reason = serviceEvents();
  if (reason >= 0) {
    exitReason = reason;
    return 0;
  }
  const single = (get32(EVENTS) & EVENT_SINGLE_STEP) != 0;
  setOneIteration(single);
  return enter(single);
}

/** After a direct branch from `op` (already settled, RIP stored): like nextBlock(), and links the branch if it may. */
export function continueAt(op: usize, slot: usize, target: u64): usize {
  const running = <usize>get32(BLOCK_RUNNING);
  set32(BLOCK_RUNNING, 0);
  if (load<i32>(cpu, EVENTS) != 0) return nextSlow();
  const inPage = target - load<u64>(cpu, GPR + 17 * 8) < 0x1000;
  const linkable = inPage && (load<u32>(running, BLOCK_KEY) & KEY_PARTIAL) == 0;
  const flushesBefore = flushes;
  const next = enter(false);
  if (linkable && entered != 0 && next != 0 && flushes == flushesBefore) {
    if (pageOfBlock(entered) == pageOfBlock(running)) store<u32>(op + slot, <u32>entered);
  }
  return next;
}

/** Looks up or decodes the block at RIP and makes it the running one; runs compiled regions on the way. */
function enter(single: bool): usize {
  let first = true;
  let interpret = false;
  while (true) {
    const left = <i32>get32(BUDGET);
    if (left <= 0) {
      exitReason = EXIT_BUDGET;
      return 0;
    }
    entered = 0;
    const rip = get64(RIP);
    const mode = get32(CODE_MODE);
    let linear = rip;
    if ((mode & 3) != 2) {
      if (rip > <u64>load<u32>(cpu + 4, SEG_LIMIT)) raiseGp0();
      linear = (rip + load<u64>(cpu + 8, SEG_BASE)) & 0xffffffff;
    }
    const phys = translateFetch(linear);
    const pageRip = rip - (linear & 0xfff);
    let key = mode | (<u32>(phys >> 32) << 8);
    let limit: u64 = ~(<u64>0);
    if ((mode & 3) != 2) {
      limit = <u64>load<u32>(cpu + 4, SEG_LIMIT);
      if (<i64>pageRip < 0 || pageRip + 0xfff > limit) key |= KEY_PARTIAL;
      if (!isProtected()) key |= KEY_UNPROTECTED;
    }
    const recent = recentSlot(rip);
    let block = <usize>load<u32>(recent);
    if (block == 0 || load<u32>(block, BLOCK_PHYS) != <u32>phys || load<u32>(block, BLOCK_KEY) != key) {
      block = jitFind(<u32>phys, key);
      if (block == 0) block = decodeBlock(phys, key, linear);
      if (block != cpu + AREA_STAGING) store<u32>(recent, <u32>block);
    }
    set64(GPR + 17 * 8, pageRip);
    const ops = <u32>load<u16>(block, BLOCK_OPS);
    const staged = block == cpu + AREA_STAGING;
    if (staged || (key & KEY_PARTIAL) != 0) {
      if (rip + <u64>load<u16>(block, BLOCK_BYTES) - 1 > limit) {
        const whole = opsWithin(block, limit - rip);
        if (whole == 0) raiseGp0();
        block = stage(block, single ? 1 : min(whole, <u32>left));
        set32(BLOCK_RUNNING, <u32>block);
        return block + BLOCK_HEADER_BYTES;
      }
    }
    if (single) {
      if (!staged) block = stage(block, 1);
    } else if (!staged) {
      if (get32(CAME_FROM) != 0) noteSource(block + BLOCK_HEADER_BYTES + <usize>ops * OP_BYTES);
      const before = load<i32>(block, BLOCK_COUNTER);
      const count = before + <i32>ops;
      store<i32>(block, count, BLOCK_COUNTER);
      if (count >= 0 && before < 0 && jitThreshold != 0 && (key & KEY_PARTIAL) == 0) hostNotify(NOTIFY_HOT, <u32>block, 0);
      const compiled = load<u32>(block, BLOCK_JIT);
      if (compiled != 0 && !interpret && left >= <i32>(load<u32>(block, BLOCK_FLAGS) & NEED_MASK)) {
        if (linear == rip && (get32(JIT_CONTEXT) & CONTEXT_UNFIT) == 0) noteTarget(rip, <u32>(phys >> 12), compiled, load<u32>(block, BLOCK_FLAGS) & NEED_MASK);
        const next = call_indirect<usize>(compiled);
        first = false;
        if (next != 0) {
          // In the middle of a block: the interpreter goes on from there, unless the budget ends within the block.
          jitRetired += <f64>(left - <i32>get32(BUDGET));
          const running = <usize>get32(BLOCK_RUNNING);
          if (<i32>get32(BUDGET) >= <i32>load<u16>(running, BLOCK_OPS)) return next;
          set32(CURRENT_OP, <u32>next);
          set64(RIP, currentRip());
          set32(BUDGET, get32(BUDGET) - (((<u32>next - <u32>running) >> 5) - 1));
          set32(BLOCK_RUNNING, 0);
          interpret = true;
          continue;
        }
        jitRetired += <f64>(left - <i32>get32(BUDGET));
        if (load<i32>(cpu, EVENTS) != 0) {
          const slow = nextSlow();
          // What was entered there, the handler of an interrupt perhaps, is not where the branch led.
          entered = 0;
          return slow;
        }
        continue;
      }
      if (left < <i32>ops) block = stage(block, <u32>left);
      // A link to a head would lead past its region for good, when only this once the budget does not suffice.
      else if (first && compiled == 0) entered = block;
    } else if (left < <i32>ops) {
      block = stage(block, <u32>left);
    }
    set32(BLOCK_RUNNING, <u32>block);
    return block + BLOCK_HEADER_BYTES;
  }
  return 0;
}

/** Keeps in a block's END record which RETs and indirect jumps lead to it, the last two. */
function noteSource(end: usize): void {
  const source = get32(CAME_FROM);
  const last = load<u32>(end, OP_SUB);
  if (source != last) {
    store<u32>(end, last, OP_IMM);
    store<u32>(end, source, OP_SUB);
  }
  set32(CAME_FROM, 0);
}

// --- Compiled regions. BLOCK_JIT of a region's head is the table index of its function, () => op record to go on with
// (the function has made its block the running one) or 0 (everything is settled). BLOCK_FLAGS of a head is the most that
// the function retires between two looks at the budget; every block of a region has MEMBER set there.

/** Bits of JIT_CONTEXT in which regions do not find each other. */
const CONTEXT_UNFIT: u32 = 8 | 16;

/** Regions that jump to this RIP find the function themselves from now on (dispatcher in core/cpu/jit/region-dispatch.ts). */
function noteTarget(rip: u64, page: u32, compiled: u32, need: u32): void {
  const entry = cpu + AREA_JIT + (<usize>((<u32>rip ^ (<u32>rip >> 12)) & (<u32>JIT_TARGET_COUNT - 1)) * JIT_TARGET_ENTRY_BYTES);
  store<u64>(entry, rip, JIT_TARGET_RIP);
  store<u32>(entry, get32(JIT_CONTEXT), JIT_TARGET_CONTEXT);
  store<u32>(entry, page, JIT_TARGET_PHYS_PAGE);
  store<u32>(entry, compiled, JIT_TARGET_FUNCTION);
  store<u32>(entry, need, JIT_TARGET_NEED);
}

/** Nothing that was noted is valid any more. */
function forgetTargets(): void {
  set32(JIT_CONTEXT, get32(JIT_CONTEXT) + 0x200);
}

const MEMBER: u32 = 0x80000000;
const NEED_MASK: u32 = 0x7fffffff;

/** 0 turns compiling off. */
export function setJitThreshold(value: u32): void {
  jitThreshold = value;
}

/** The block belongs to a region that is being compiled: the host hears when it dies. */
export function jitWatch(block: usize): void {
  store<u32>(block, load<u32>(block, BLOCK_FLAGS) | MEMBER, BLOCK_FLAGS);
}

/** Makes a region's function the way to execute its head; direct links would lead past it. */
export function jitInstall(head: usize, index: u32, need: u32): void {
  store<u32>(head, index, BLOCK_JIT);
  store<u32>(head, need | MEMBER, BLOCK_FLAGS);
  cutLinks(pageOfBlock(head));
}

export function jitRemove(head: usize): void {
  store<u32>(head, 0, BLOCK_JIT);
  store<u32>(head, 0, BLOCK_FLAGS);
  forgetTargets();
}

/** Block for a physical address and mode key, 0 when none is decoded. */
export function jitFind(physLow: u32, key: u32): usize {
  let block = <usize>load<u32>(hashOf(physLow));
  while (block != 0) {
    if (load<u32>(block, BLOCK_PHYS) == physLow && load<u32>(block, BLOCK_KEY) == key) return block;
    block = <usize>load<u32>(block, BLOCK_HASH_NEXT);
  }
  return 0;
}

/** Number of leading ops whose last byte is at most `reach` bytes behind the block's first. */
function opsWithin(block: usize, reach: u64): u32 {
  const first = block + BLOCK_HEADER_BYTES;
  const start = <u32>load<u16>(first, OP_END) - <u32>load<u8>(first, OP_LENGTH);
  const ops = <u32>load<u16>(block, BLOCK_OPS);
  let n: u32 = 0;
  while (n < ops && <u64>(<u32>load<u16>(first + <usize>n * OP_BYTES, OP_END) - start) - 1 <= reach) n++;
  return n;
}

/** A copy of the first `ops` ops of a block with an END record behind. */
function stage(block: usize, ops: u32): usize {
  const target = cpu + AREA_STAGING;
  const bytes = BLOCK_HEADER_BYTES + <usize>ops * OP_BYTES;
  if (block != target) memory.copy(target, block, bytes);
  store<u16>(target, ops, BLOCK_OPS);
  const last = target + bytes - OP_BYTES;
  writeEnd(target + bytes, <u32>load<u16>(last, OP_END));
  return target;
}

// --- Decoding.

function decodeBlock(phys: u64, key: u32, linear: u64): usize {
  const entry = pageMapEntry(phys >> 12);
  if ((entry & PAGE_READ) == 0) return decodeGathered(phys, key, linear);
  if (poolNext + BLOCK_HEADER_BYTES + <usize>(MAX_OPS + 1) * OP_BYTES > cpu + AREA_POOL_END) flushAllBlocks();
  const start = <u32>phys & 0xfff;
  const host = <usize>(entry & PAGE_HOST_MASK);
  const block = poolNext;
  let op = block + BLOCK_HEADER_BYTES;
  let at = start;
  let ops: u32 = 0;
  while (ops < MAX_OPS && at < 0x1000) {
    const length = decodeOp(host + <usize>at, 0x1000 - at, op, at, key);
    if (length == 0) break;
    at += length;
    ops++;
    op += OP_BYTES;
    if ((load<u8>(op - OP_BYTES, OP_FLAGS) & OPF_LAST) != 0) break;
  }
  if (ops == 0) return decodeGathered(phys, key, linear);
  writeEnd(op, at);
  fillHeader(block, phys, key, ops, at - start);
  const slot = hashOf(<u32>phys);
  store<u32>(block, load<u32>(slot), BLOCK_HASH_NEXT);
  store<u32>(slot, <u32>block);
  const page = <u32>(phys >> 12);
  const chain = pageChainOf(page);
  store<u32>(block, load<u32>(chain), BLOCK_PAGE_NEXT);
  store<u32>(chain, <u32>block);
  poolNext = op + OP_BYTES;
  blocksDecoded++;
  if ((entry & PAGE_RAM) != 0) {
    const granules = granuleBase + ((<usize>(entry & PAGE_HOST_MASK) - ramBase) >> 12 << 3);
    const old = load<u64>(granules);
    // The mask may be left over from blocks that were flushed: the direct write tags are dropped on every first use.
    store<u64>(granules, old | granuleMask(start, at - start));
    if (old == 0) tlbProtectPage(page);
  }
  return block;
}

function fillHeader(block: usize, phys: u64, key: u32, ops: u32, bytes: u32): void {
  store<u32>(block, <u32>phys, BLOCK_PHYS);
  store<u32>(block, key, BLOCK_KEY);
  store<u32>(block, 0, BLOCK_HASH_NEXT);
  store<u32>(block, 0, BLOCK_PAGE_NEXT);
  store<u16>(block, ops, BLOCK_OPS);
  store<u16>(block, bytes, BLOCK_BYTES);
  store<u32>(block, 0, BLOCK_FLAGS);
  store<i32>(block, -<i32>jitThreshold, BLOCK_COUNTER);
  store<u32>(block, 0, BLOCK_JIT);
}

/** Bits of the 64-byte granules that [at, at + bytes) touches. */
function granuleMask(at: u32, bytes: u32): u64 {
  const first = <u64>(at >> 6);
  const last = <u64>((at + bytes - 1) >> 6);
  const span = last - first + 1;
  return (span == 64 ? ~(<u64>0) : ((<u64>1 << span) - 1)) << first;
}

/** One instruction that crosses a page or lies in device memory, in the staging area. */
function decodeGathered(phys: u64, key: u32, linear: u64): usize {
  const block = cpu + AREA_STAGING;
  const op = block + BLOCK_HEADER_BYTES;
  const length = decodeCrossing(phys, key, linear);
  fillHeader(block, phys, key, 1, length);
  writeEnd(op + OP_BYTES, <u32>load<u16>(op, OP_END));
  return block;
}

// --- Invalidation.

/** Bytes of a physical page that were decoded have been written. */
export function codeWritten(page: u32, at: u32, size: u32): void {
  const entry = pageMapEntry(<u64>page);
  const isRam = (entry & PAGE_RAM) != 0;
  const granules = granuleBase + ((<usize>(entry & PAGE_HOST_MASK) - ramBase) >> 12 << 3);
  const chain = pageChainOf(page);
  let previous: usize = 0;
  // Without granules no block is there.
  let block: usize = isRam && load<u64>(granules) == 0 ? 0 : <usize>load<u32>(chain);
  let killed = false;
  let mask: u64 = 0;
  while (block != 0) {
    const next = <usize>load<u32>(block, BLOCK_PAGE_NEXT);
    let keep = true;
    if (pageOfBlock(block) == page) {
      const start = load<u32>(block, BLOCK_PHYS) & 0xfff;
      const bytes = <u32>load<u16>(block, BLOCK_BYTES);
      if (at < start + bytes && start < at + size) {
        keep = false;
        killed = true;
        kill(block);
        if (previous != 0) store<u32>(previous, <u32>next, BLOCK_PAGE_NEXT);
        else store<u32>(chain, <u32>next);
      } else {
        mask |= granuleMask(start, bytes);
      }
    }
    if (keep) previous = block;
    block = next;
  }
  if (killed) cutLinks(page);
  if (isRam) store<u64>(granules, mask);
  const running = <usize>get32(BLOCK_RUNNING);
  if (running != 0) {
    // Also a staged copy runs bytes of its page.
    const start = load<u32>(running, BLOCK_PHYS) & 0xfff;
    const dead = load<u32>(running, BLOCK_PHYS) == DEAD;
    if (dead || (pageOfBlock(running) == page && at < start + <u32>load<u16>(running, BLOCK_BYTES) && start < at + size)) stopRunning();
  }
}

/** Drops every block of a physical page. */
export function invalidatePage(page: u32): void {
  codeWritten(page, 0, 0x1000);
}

function kill(block: usize): void {
  const slot = hashOf(load<u32>(block, BLOCK_PHYS));
  let other = <usize>load<u32>(slot);
  if (other == block) {
    store<u32>(slot, load<u32>(block, BLOCK_HASH_NEXT));
  } else {
    while (other != 0) {
      const next = <usize>load<u32>(other, BLOCK_HASH_NEXT);
      if (next == block) {
        store<u32>(other, load<u32>(block, BLOCK_HASH_NEXT), BLOCK_HASH_NEXT);
        break;
      }
      other = next;
    }
  }
  store<u32>(block, DEAD, BLOCK_PHYS);
  store<u32>(block, load<u32>(block, BLOCK_KEY) | KEY_DEAD, BLOCK_KEY);
  blocksKilled++;
  if ((load<u32>(block, BLOCK_FLAGS) & MEMBER) != 0) {
    hostNotify(NOTIFY_KILLED, <u32>block, 0);
    // A region may be running: it looks at EVENTS after everything that can lead here.
    atomic.or<i32>(cpu + EVENTS, EVENT_CODE_CHANGED);
  }
}

/** Unlinks the branches of all blocks of a page. */
function cutLinks(page: u32): void {
  let block = <usize>load<u32>(pageChainOf(page));
  while (block != 0) {
    if (pageOfBlock(block) == page) {
      const end = block + BLOCK_HEADER_BYTES + <usize>load<u16>(block, BLOCK_OPS) * OP_BYTES;
      const last = end - OP_BYTES;
      if ((load<u8>(last, OP_FLAGS) & OPF_LINKED) != 0) {
        store<u32>(last, 0, OP_DISP);
        store<u32>(last, 0, OP_SUB);
      }
      store<u32>(end, 0, OP_DISP);
    }
    block = <usize>load<u32>(block, BLOCK_PAGE_NEXT);
  }
}

/**
 * Makes the running block end after the current op: changed code takes effect with the next instruction, debug traps come
 * right behind theirs.
 */
export function stopRunning(): void {
  if (get32(BLOCK_RUNNING) == 0) return;
  const op = <usize>get32(CURRENT_OP);
  writeEnd(op + OP_BYTES, <u32>load<u16>(op, OP_END));
  atomic.or<i32>(cpu + EVENTS, EVENT_CODE_CHANGED);
}

/** Drops all blocks: the pool is full, or the physical memory map changed. */
export function flushAllBlocks(): void {
  clearTables();
  forgetTargets();
  if (jitThreshold != 0) hostNotify(NOTIFY_FLUSHED, 0, 0);
  stopRunning();
}
