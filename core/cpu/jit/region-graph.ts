// A region as a graph: the blocks that were decoded, how control goes between them, which flags matter where.

import { analyseFlow, type FlowGraph, longestPath } from './control-flow.ts';
import { kindAfterRead } from './emit-flags.ts';
import { addressable } from './emit-memory.ts';
import { DYNAMIC, STORED } from './flag-kinds.ts';
import { type Block, conditionOfJump, isMemory, type Op, readBlock, type BlockCopy, targetOf, type Terminator, terminatorOf } from './op-record.ts';
import type { RegionCode } from './region-code.ts';
import type { Translation } from './translation.ts';
import { translationOf } from './translations.ts';

export interface Node {
  readonly index: number;
  readonly block: Block;
  readonly terminator: Terminator;
  /** Instructions that are translated in line, before the terminator or the first that is left to the interpreter. */
  readonly body: readonly { readonly op: Op; readonly translation: Translation }[];
  /** The first instruction for the interpreter, when the block does not end as the JIT wants. */
  readonly leavesAt: Op | undefined;
  /** Nodes by role, -1 outside the region. */
  readonly taken: number;
  readonly next: number;
  /** Nodes that a RET or an indirect jump is expected to lead to, the most likely first. */
  readonly expected: readonly number[];
}

/** Where the indirect jumps of a region have led to. */
export interface IndirectTargets {
  /** Address of 4096 bytes: by page offset, 1 + position of the block, or 0; 0 when there is no such table. */
  readonly table: number;
  /** By block: positions of its targets, the most frequent first. */
  readonly nodes: readonly (readonly number[])[];
}

/** Up to so many targets are compared one after the other; more are looked up in the table. */
export const MOST_COMPARED = 4;

export interface RegionGraph {
  readonly nodes: readonly Node[];
  /** See IndirectTargets. */
  readonly table: number;
  readonly flow: FlowGraph;
  /** Most instructions retired between two looks at the budget. */
  readonly need: number;
  /** Flags before each node may be looked at; what they are. */
  readonly liveIn: readonly boolean[];
  readonly kindIn: readonly number[];
  /** Nodes that begin with flags of a kind that is not known and need CF beside them. */
  readonly carryIn: readonly boolean[];
}

export function buildGraph(c: RegionCode, copies: readonly BlockCopy[], targets?: IndirectTargets): RegionGraph {
  const blocks = copies.map(readBlock);
  const byStart = new Map(blocks.map((block, i) => [block.start, i]));
  const find = (offset: number): number => byStart.get(offset) ?? -1;
  const drafts = blocks.map((block, index): Node => {
    const shape = shapeOf(c, block);
    const last = block.ops.at(-1) as Op;
    const { terminator } = shape;
    const direct = terminator === 'jump' || terminator === 'branch' || terminator === 'call';
    const indirect = terminator === 'jump-indirect' || terminator === 'call-indirect';
    return {
      index,
      block,
      ...shape,
      taken: direct ? find(targetOf(last)) : -1,
      next: terminator === 'branch' || terminator === 'next' ? find(block.end) : -1,
      expected: indirect ? (targets?.nodes[index] ?? []) : [],
    };
  });
  const returns = returnTargets(drafts, find);
  const table = targets?.table ?? 0;
  // The table has the head's page only.
  const chosen = (node: Node, expected: readonly number[]): readonly number[] => {
    const near = expected.filter((target) => drafts[target]?.block.page === 0);
    if (near.length === expected.length && node.block.page === 0) return expected;
    return table !== 0 && node.block.page === 0 && near.length > MOST_COMPARED ? near : expected.slice(0, MOST_COMPARED);
  };
  const nodes = drafts.map((node) => ({ ...node, expected: chosen(node, node.terminator === 'return' ? (returns[node.index] as readonly number[]) : node.expected) }));
  const edges = nodes.map((node) => [node.taken, node.next, ...node.expected].filter((target) => target >= 0));
  const flow = analyseFlow(edges, nodes.map((node) => usesTable(node, table)));
  const need = longestPath(flow, nodes.map((node) => node.block.ops.length));
  const liveIn = liveness(nodes, flow);
  const kindIn = kinds(nodes, flow);
  return { nodes, flow, need, liveIn, kindIn, carryIn: carries(nodes, flow, kindIn), table };
}

/** The node chooses its successor by the table. */
export const usesTable = (node: Node, table: number): boolean => table !== 0 && node.expected.length > MOST_COMPARED;

/** By RET: what follows the calls inside the region that lead to it. */
function returnTargets(nodes: readonly Node[], find: (offset: number) => number): number[][] {
  const targets: number[][] = nodes.map(() => []);
  const found = new Map<number, readonly number[]>();
  const returnsOf = (callee: number): readonly number[] => {
    const known = found.get(callee);
    if (known !== undefined) return known;
    const seen = new Set([callee]);
    const returns: number[] = [];
    // The set grows while it is walked.
    for (const index of seen) {
      const node = nodes[index] as Node;
      if (node.terminator === 'return') returns.push(index);
      const called = node.terminator === 'call' || node.terminator === 'call-indirect';
      for (const next of called ? [find(node.block.end)] : [node.taken, node.next, ...node.expected]) if (next >= 0) seen.add(next);
    }
    found.set(callee, returns);
    return returns;
  };
  for (const node of nodes) {
    if (node.terminator !== 'call' && node.terminator !== 'call-indirect') continue;
    const after = find(node.block.end);
    if (after < 0) continue;
    for (const callee of node.terminator === 'call' ? [node.taken] : node.expected) {
      if (callee < 0) continue;
      for (const index of returnsOf(callee)) {
        const list = targets[index] as number[];
        if (!list.includes(after)) list.push(after);
      }
    }
  }
  return targets;
}

interface Shape {
  readonly terminator: Terminator;
  readonly body: Node['body'];
  readonly leavesAt: Op | undefined;
}

function shapeOf(c: RegionCode, block: Block): Shape {
  const terminator = terminatorOf(block);
  const count = terminator === 'next' ? block.ops.length : block.ops.length - 1;
  const body: { op: Op; translation: Translation }[] = [];
  for (let i = 0; i < count; i++) {
    const op = block.ops[i] as Op;
    const translation = translationOf(c, op);
    if (translation === undefined) return { terminator: 'leave', body, leavesAt: op };
    body.push({ op, translation });
  }
  const last = block.ops.at(-1);
  const leaves = terminator === 'leave' || (last !== undefined && terminator !== 'next' && terminator !== 'system' && isMemory(last) && !addressable(c, last));
  return leaves ? { terminator: 'leave', body, leavesAt: last } : { terminator, body, leavesAt: undefined };
}

/** Flags before an instruction matter, given that those after it do or do not. */
export function liveBefore(op: Op, translation: Translation, liveAfter: boolean): boolean {
  let live = liveAfter;
  if (translation.overwrites?.(op) === true) live = false;
  if (translation.reads !== undefined || translation.exits === true || isMemory(op)) live = true;
  return live;
}

/** Kind of the flags after an instruction. */
export function kindAfter(op: Op, translation: Translation, before: number): number {
  let kind = before;
  if (translation.reads !== undefined) kind = kindAfterRead(kind, translation.reads(op));
  return translation.kind?.(op, kind) ?? kind;
}

/** Flags at a node's end matter: it may leave the region there, or a successor looks. */
export function liveAtEnd(node: Node, nodes: readonly Node[], flow: FlowGraph, liveIn: readonly boolean[]): boolean {
  if (node.terminator !== 'jump' && node.terminator !== 'next' && node.terminator !== 'branch') return true;
  if (node.terminator === 'branch') return true;
  const target = node.terminator === 'jump' ? node.taken : node.next;
  if (!followed(flow, node.index, target) || nodes[target]?.block.page !== node.block.page) return true;
  const backwards = (flow.position[target] as number) <= (flow.position[node.index] as number);
  return backwards || (liveIn[target] ?? true);
}

/** The edge stays inside the region. */
export function followed(flow: FlowGraph, from: number, to: number): boolean {
  return to >= 0 && flow.successors[from]?.includes(to) === true;
}

function liveness(nodes: readonly Node[], flow: FlowGraph): boolean[] {
  const liveIn = new Array<boolean>(nodes.length).fill(true);
  for (let i = flow.order.length - 1; i >= 0; i--) {
    const node = nodes[flow.order[i] as number] as Node;
    let live = liveAtEnd(node, nodes, flow, liveIn);
    for (let j = node.body.length - 1; j >= 0; j--) {
      const { op, translation } = node.body[j] as Node['body'][number];
      live = liveBefore(op, translation, live);
    }
    liveIn[node.index] = live;
  }
  return liveIn;
}

/** Kind of the flags when a node's terminator begins to leave it. */
export function kindAtEnd(node: Node, before: number): number {
  let kind = before;
  for (const { op, translation } of node.body) kind = kindAfter(op, translation, kind);
  if (node.terminator === 'branch') kind = kindAfterRead(kind, conditionOfJump(node.block.ops.at(-1) as Op));
  return kind;
}

function kinds(nodes: readonly Node[], flow: FlowGraph): number[] {
  const UNKNOWN = -2;
  const kindIn = new Array<number>(nodes.length).fill(UNKNOWN);
  kindIn[0] = STORED;
  for (let changed = true; changed; ) {
    changed = false;
    for (const index of flow.order) {
      const out = kindAtEnd(nodes[index] as Node, kindIn[index] as number);
      for (const target of flow.successors[index] ?? []) {
        const known = kindIn[target] as number;
        const met = known === UNKNOWN || known === out ? out : DYNAMIC;
        if (met === known) continue;
        kindIn[target] = met;
        changed = true;
      }
    }
  }
  return kindIn;
}

/** INC and DEC are what looks at CF without looking at the kind. */
function carries(nodes: readonly Node[], flow: FlowGraph, kindIn: readonly number[]): boolean[] {
  const wanted = nodes.map(() => false);
  const passed = nodes.map((node) => {
    if (kindIn[node.index] !== DYNAMIC) return false;
    let kind = DYNAMIC;
    for (const { op, translation } of node.body) {
      if (op.handler.name === 'INC' || op.handler.name === 'DEC') wanted[node.index] = true;
      kind = kindAfter(op, translation, kind);
      if (kind !== DYNAMIC || wanted[node.index] === true) return false;
    }
    return kindAtEnd(node, DYNAMIC) === DYNAMIC;
  });
  for (let changed = true; changed; ) {
    changed = false;
    for (const index of flow.order) {
      if (passed[index] !== true || wanted[index] === true) continue;
      if (flow.successors[index]?.some((target) => kindIn[target] === DYNAMIC && wanted[target] === true) !== true) continue;
      wanted[index] = true;
      changed = true;
    }
  }
  return wanted;
}
