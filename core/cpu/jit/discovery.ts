// Which blocks make a region: those that the interpreter has decoded, and so executed, reachable from a hot block by direct
// branches, calls and what follows calls in the same mode: within its page, and in other pages what is hot itself.

import { AREA, BLOCK, OP } from '../isa/layout.ts';
import type { BlockCopies } from './block-copies.ts';
import { type BlockCopy, physicalPageOf, readEnd, targetOf, terminatorOf } from './op-record.ts';

export interface BlockFinder {
  /** Address of the block for a physical address and mode key, or 0. */
  jitFind(physLow: number, key: number): number;
}

const MOST_BLOCKS = 48;
const MOST_OPS = 500;
export const KEY_PARTIAL = 8;

/** Bit of BLOCK.FLAGS: the block belongs to a region. */
const MEMBER = 0x8000_0000;
/** Targets of one indirect jump that are kept in a region, at most. */
const MOST_TARGETS = 24;
const PAGE_HASH_MASK = 0x3fff;

export interface FoundRegion {
  readonly key: number;
  readonly blocks: BlockCopy[];
  /** By block: positions of the blocks that its indirect jump or call has led to, the most frequent first. */
  readonly targets: readonly (readonly number[])[];
}

/** Share of the threshold that must have been executed of a block for it to be part of another's region: compiling what hardly ever runs costs as much. */
const COLD_SHARE = 1 / 64;
/** How far from the head's page a block may lie. */
const MOST_DISTANCE = 1 << 30;
/** Share of the threshold that must have been executed of a block in another page: it may be part of many regions. */
const NEIGHBOUR_SHARE = 1 / 4;

/**
 * Number of the physical page that is so many bytes (a multiple of 4096) from the head's page in linear memory, undefined when that is
 * not known. It need not be right: a region looks whenever it goes to another page.
 */
export type Neighbours = (distance: number) => number | undefined;

interface Found {
  readonly address: number;
  readonly page: number;
}

/** 64-bit code, or 32-bit code with a 32-bit stack. */
export function compilable(key: number): boolean {
  if ((key & KEY_PARTIAL) !== 0) return false;
  return (key & 3) === 2 || ((key & 3) === 1 && (key & 4) !== 0);
}

export interface DiscoveryOptions {
  /** Executions of a block, in instructions, that make it hot. */
  readonly threshold: number;
  readonly neighbours: Neighbours | undefined;
  /** The region is the first instructions of its head, that many at most; undefined = all that belongs to it. */
  readonly cutAfter: number | undefined;
}

export function discover(copies: BlockCopies, view: DataView, finder: BlockFinder, cpu: number, head: number, { threshold, neighbours, cutAfter }: DiscoveryOptions): FoundRegion {
  const key = view.getUint32(head + BLOCK.KEY, true);
  if (cutAfter !== undefined) return { key, blocks: [firstOps(copies, view, head, cutAfter)], targets: [[]] };
  const blocks: BlockCopy[] = [];
  const queue: Found[] = [{ address: head, page: 0 }];
  const seen = new Set([head]);
  const jumps: (readonly number[])[] = [];
  let ops = 0;
  // What runs in a region is not counted any more.
  const isCold = (block: number, share: number): boolean => view.getInt32(block + BLOCK.COUNTER, true) < share * threshold - threshold && (view.getUint32(block + BLOCK.FLAGS, true) & MEMBER) === 0;
  const take = (found: Found): void => {
    const { address, page } = found;
    if (address === 0 || seen.has(address) || isCold(address, page === 0 ? COLD_SHARE : NEIGHBOUR_SHARE)) return;
    seen.add(address);
    queue.push(found);
  };
  // By distance: low 32 bits of the physical page's address, undefined when it is not known.
  const pages = new Map<number, number | undefined>([[0, view.getUint32(head + BLOCK.PHYS, true) & ~0xfff]]);
  const physicalOf = (page: number): number | undefined => {
    if (pages.has(page)) return pages.get(page);
    const number = Math.abs(page) < MOST_DISTANCE ? neighbours?.(page) : undefined;
    const physical = number === undefined || number >>> 20 !== key >>> 8 ? undefined : number << 12;
    pages.set(page, physical);
    return physical;
  };
  const find = (offset: number): Found => {
    const within = ((offset % 0x1000) + 0x1000) % 0x1000;
    const page = offset - within;
    const physical = physicalOf(page);
    return { address: physical === undefined ? 0 : finder.jitFind((physical | within) >>> 0, key), page };
  };
  const sources = new Map<number, Map<number, number[]>>();
  const ledTo = (source: number, page: number): Found[] => {
    const physical = physicalOf(page);
    if (physical === undefined) return [];
    let known = sources.get(page);
    if (known === undefined) sources.set(page, (known = blocksBySource(view, cpu, physical, key)));
    return (known.get(source) ?? []).map((address) => ({ address, page }));
  };
  for (let i = 0; i < queue.length && blocks.length < MOST_BLOCKS && ops < MOST_OPS; i++) {
    const { address, page } = queue[i] as Found;
    const count = view.getUint16(address + BLOCK.OPS, true);
    const copy = { address, bytes: copies.take(address, BLOCK.HEADER_BYTES + count * OP.BYTES), page };
    blocks.push(copy);
    jumps.push([]);
    ops += count;
    const block = readEnd(copy);
    const last = block.ops.at(-1);
    if (last === undefined) continue;
    const kind = terminatorOf(block);
    if (kind === 'branch' || kind === 'jump' || kind === 'call') take(find(targetOf(last)));
    if (kind === 'branch' || kind === 'next' || kind === 'call' || kind === 'call-indirect') take(find(block.end));
    if (kind === 'jump-indirect' || kind === 'call-indirect') {
      const found = [...ledTo(last.address, page), ...(page === 0 ? [] : ledTo(last.address, 0))].slice(0, MOST_TARGETS);
      for (const target of found) take(target);
      jumps[i] = found.map((target) => target.address);
    }
  }
  const positions = new Map(blocks.map(({ address }, i) => [address, i]));
  const targets = jumps.map((found) => found.map((address) => positions.get(address) ?? -1).filter((position) => position >= 0));
  return { key, blocks, targets };
}

/** Blocks of a physical page by the RETs and indirect jumps (op records) that led to them, the most frequent first. */
function blocksBySource(view: DataView, cpu: number, page: number, key: number): Map<number, number[]> {
  const found = new Map<number, number[]>();
  const counter = (block: number): number => view.getInt32(block + BLOCK.COUNTER, true);
  const number = physicalPageOf(page, key) & PAGE_HASH_MASK;
  for (let block = view.getUint32(cpu + AREA.PAGE_HASH + number * 4, true); block !== 0; block = view.getUint32(block + BLOCK.PAGE_NEXT, true)) {
    if (view.getUint32(block + BLOCK.KEY, true) !== key || (view.getUint32(block + BLOCK.PHYS, true) & ~0xfff) !== page) continue;
    const end = block + BLOCK.HEADER_BYTES + view.getUint16(block + BLOCK.OPS, true) * OP.BYTES;
    for (const source of new Set([view.getUint32(end + OP.SUB, true), view.getUint32(end + OP.IMM, true)])) {
      const list = found.get(source);
      if (list === undefined) found.set(source, [block]);
      else list.push(block);
    }
  }
  for (const list of found.values()) list.sort((a, b) => counter(b) - counter(a));
  return found;
}

/** The beginning of a block as a block. */
function firstOps(copies: BlockCopies, view: DataView, address: number, most: number): BlockCopy {
  const count = Math.min(most, view.getUint16(address + BLOCK.OPS, true));
  const bytes = copies.take(address, BLOCK.HEADER_BYTES + count * OP.BYTES);
  new DataView(bytes.buffer, bytes.byteOffset).setUint16(BLOCK.OPS, count, true);
  return { address, bytes, page: 0 };
}
