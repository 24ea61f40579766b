// Which blocks make a region: those that the interpreter has decoded, and so executed, reachable from a hot block by direct
// branches, calls and what follows calls within the same page and mode.

import { AREA, BLOCK, OP } from '../isa/layout.ts';
import type { BlockCopies } from './block-copies.ts';
import { type BlockCopy, readEnd, targetOf, terminatorOf } from './op-record.ts';

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

/** 64-bit code, or 32-bit code with a 32-bit stack. */
export function compilable(key: number): boolean {
  if ((key & KEY_PARTIAL) !== 0) return false;
  return (key & 3) === 2 || ((key & 3) === 1 && (key & 4) !== 0);
}

/**
 * @param coldBelow value of BLOCK.COUNTER under which a block is left out: compiling what hardly ever runs costs as much as what does
 * @param cutAfter the region is the first instructions of its head, that many at most
 */
export function discover(copies: BlockCopies, view: DataView, finder: BlockFinder, cpu: number, head: number, coldBelow: number, cutAfter?: number): FoundRegion {
  const key = view.getUint32(head + BLOCK.KEY, true);
  if (cutAfter !== undefined) return { key, blocks: [firstOps(copies, view, head, cutAfter)], targets: [[]] };
  const page = view.getUint32(head + BLOCK.PHYS, true) & ~0xfff;
  const blocks: BlockCopy[] = [];
  const queue = [head];
  const seen = new Set(queue);
  const jumps: (readonly number[])[] = [];
  let sources: Map<number, number[]> | undefined;
  let ops = 0;
  // What runs in a region is not counted any more.
  const isCold = (block: number): boolean => view.getInt32(block + BLOCK.COUNTER, true) < coldBelow && (view.getUint32(block + BLOCK.FLAGS, true) & MEMBER) === 0;
  const take = (address: number): void => {
    if (address === 0 || seen.has(address) || isCold(address)) return;
    seen.add(address);
    queue.push(address);
  };
  for (let i = 0; i < queue.length && blocks.length < MOST_BLOCKS && ops < MOST_OPS; i++) {
    const address = queue[i] as number;
    const count = view.getUint16(address + BLOCK.OPS, true);
    const copy = { address, bytes: copies.take(address, BLOCK.HEADER_BYTES + count * OP.BYTES) };
    blocks.push(copy);
    jumps.push([]);
    ops += count;
    const block = readEnd(copy);
    const last = block.ops.at(-1);
    if (last === undefined) continue;
    const kind = terminatorOf(block);
    const find = (offset: number): number => (offset < 0 || offset >= 0x1000 ? 0 : finder.jitFind((page | offset) >>> 0, key));
    if (kind === 'branch' || kind === 'jump' || kind === 'call') take(find(targetOf(last)));
    if (kind === 'branch' || kind === 'next' || kind === 'call' || kind === 'call-indirect') take(find(block.end));
    if (kind === 'jump-indirect' || kind === 'call-indirect') {
      sources ??= blocksBySource(view, cpu, page, key);
      const found = (sources.get(last.address) ?? []).slice(0, MOST_TARGETS);
      for (const target of found) take(target);
      jumps[i] = found;
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
  const number = ((page >>> 12) | ((key >>> 8) << 20)) & PAGE_HASH_MASK;
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
  return { address, bytes };
}
