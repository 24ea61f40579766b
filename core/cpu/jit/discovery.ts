// Which blocks make a region: those that the interpreter has decoded, and so executed, reachable from a hot block by direct
// branches, calls and what follows calls within the same page and mode.

import { BLOCK, OP } from '../isa/layout.ts';
import { type BlockCopy, readBlock, targetOf, terminatorOf } from './op-record.ts';

export interface BlockFinder {
  /** Address of the block for a physical address and mode key, or 0. */
  jitFind(physLow: number, key: number): number;
}

const MOST_BLOCKS = 48;
const MOST_OPS = 500;
export const KEY_PARTIAL = 8;

export interface FoundRegion {
  readonly key: number;
  readonly blocks: BlockCopy[];
}

/** 64-bit code, or 32-bit code with a 32-bit stack. */
export function compilable(key: number): boolean {
  if ((key & KEY_PARTIAL) !== 0) return false;
  return (key & 3) === 2 || ((key & 3) === 1 && (key & 4) !== 0);
}

export function discover(memory: Uint8Array, view: DataView, finder: BlockFinder, head: number, cutAfter?: number): FoundRegion {
  const key = view.getUint32(head + BLOCK.KEY, true);
  const page = view.getUint32(head + BLOCK.PHYS, true) & ~0xfff;
  if (cutAfter !== undefined) return { key, blocks: [firstOps(memory, view, head, cutAfter)] };
  const blocks: BlockCopy[] = [];
  const queue = [head];
  const seen = new Set(queue);
  let ops = 0;
  for (let i = 0; i < queue.length && blocks.length < MOST_BLOCKS && ops < MOST_OPS; i++) {
    const address = queue[i] as number;
    const count = view.getUint16(address + BLOCK.OPS, true);
    const copy = { address, bytes: memory.slice(address, address + BLOCK.HEADER_BYTES + count * OP.BYTES) };
    blocks.push(copy);
    ops += count;
    const block = readBlock(copy);
    const last = block.ops.at(-1);
    if (last === undefined) continue;
    const kind = terminatorOf(block);
    const targets: number[] = [];
    if (kind === 'branch' || kind === 'jump' || kind === 'call') targets.push(targetOf(last));
    if (kind === 'branch' || kind === 'next' || kind === 'call') targets.push(block.end);
    for (const target of targets) {
      if (target < 0 || target >= 0x1000) continue;
      const found = finder.jitFind((page | target) >>> 0, key);
      if (found === 0 || seen.has(found)) continue;
      seen.add(found);
      queue.push(found);
    }
  }
  return { key, blocks };
}

/** The beginning of a block as a block. */
function firstOps(memory: Uint8Array, view: DataView, address: number, most: number): BlockCopy {
  const count = Math.min(most, view.getUint16(address + BLOCK.OPS, true));
  const bytes = memory.slice(address, address + BLOCK.HEADER_BYTES + count * OP.BYTES);
  new DataView(bytes.buffer).setUint16(BLOCK.OPS, count, true);
  return { address, bytes };
}
