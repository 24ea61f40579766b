// The control-flow graph of a region: reverse postorder, dominators, merge points and loop heads. Edges that would make
// the graph irreducible are cut: they leave the region. Dominators after Cooper, Harvey, Kennedy, "A Simple, Fast
// Dominance Algorithm".

export interface FlowGraph {
  /** Nodes in reverse postorder, the entry first; unreachable ones are missing. */
  readonly order: readonly number[];
  /** Position in `order`, -1 when unreachable. */
  readonly position: readonly number[];
  readonly immediateDominator: readonly number[];
  /** Children in the dominator tree, in reverse postorder. */
  readonly children: readonly (readonly number[])[];
  readonly isLoopHead: readonly boolean[];
  /** More than one forward edge leads here. */
  readonly isMerge: readonly boolean[];
  /** Successors that are left, by node. */
  readonly successors: readonly (readonly number[])[];
}

function reversePostorder(successors: readonly (readonly number[])[]): number[] {
  const seen = new Array<boolean>(successors.length).fill(false);
  const out: number[] = [];
  // Iterative depth-first search: [node, next successor].
  const stack: [number, number][] = [[0, 0]];
  seen[0] = true;
  for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
    const [node, next] = top;
    const target = successors[node]?.[next];
    if (target === undefined) {
      out.push(node);
      stack.pop();
      continue;
    }
    top[1]++;
    if (seen[target] !== true) {
      seen[target] = true;
      stack.push([target, 0]);
    }
  }
  return out.reverse();
}

function dominators(order: readonly number[], position: readonly number[], predecessors: readonly (readonly number[])[]): number[] {
  const idom = new Array<number>(position.length).fill(-1);
  idom[0] = 0;
  const meet = (a: number, b: number): number => {
    let x = a;
    let y = b;
    while (x !== y) {
      while ((position[x] as number) > (position[y] as number)) x = idom[x] as number;
      while ((position[y] as number) > (position[x] as number)) y = idom[y] as number;
    }
    return x;
  };
  for (let changed = true; changed; ) {
    changed = false;
    for (const node of order) {
      if (node === 0) continue;
      let best = -1;
      for (const from of predecessors[node] ?? []) {
        if (idom[from] === -1) continue;
        best = best === -1 ? from : meet(best, from);
      }
      if (idom[node] !== best) {
        idom[node] = best;
        changed = true;
      }
    }
  }
  return idom;
}

function predecessorsOf(order: readonly number[], successors: readonly (readonly number[])[]): number[][] {
  const out: number[][] = successors.map(() => []);
  for (const node of order) for (const target of successors[node] ?? []) (out[target] as number[]).push(node);
  return out;
}

/**
 * `edges[n]` lists the successors of node n inside the region; node 0 is the entry. Successors of nodes with `byLabel` count as
 * merge points: they are reached by labels.
 */
export function analyseFlow(edges: readonly (readonly number[])[], byLabel: readonly boolean[] = []): FlowGraph {
  let successors = edges.map((list) => [...new Set(list)]);
  for (;;) {
    const order = reversePostorder(successors);
    const position = new Array<number>(edges.length).fill(-1);
    order.forEach((node, i) => (position[node] = i));
    const predecessors = predecessorsOf(order, successors);
    const idom = dominators(order, position, predecessors);
    const dominates = (a: number, b: number): boolean => {
      let node = b;
      while ((position[node] as number) > (position[a] as number)) node = idom[node] as number;
      return node === a;
    };
    // A retreating edge into a node that does not dominate its source makes a loop with two entries.
    const bad = order.flatMap((node) =>
      (successors[node] ?? []).filter((target) => (position[target] as number) <= (position[node] as number) && !dominates(target, node)).map((target) => [node, target] as const),
    );
    if (bad.length > 0) {
      successors = successors.map((list, node) => list.filter((target) => !bad.some(([from, to]) => from === node && to === target)));
      continue;
    }
    const children: number[][] = edges.map(() => []);
    for (const node of order) if (node !== 0) (children[idom[node] as number] as number[]).push(node);
    const isLoopHead = edges.map((_list, node) => (predecessors[node] as number[]).some((from) => (position[from] as number) >= (position[node] as number)));
    const isMerge = edges.map((_list, node) => (predecessors[node] as number[]).filter((from) => (position[from] as number) < (position[node] as number)).length > 1);
    for (const node of order) {
      if (byLabel[node] !== true) continue;
      for (const target of successors[node] ?? []) if ((position[target] as number) > (position[node] as number)) isMerge[target] = true;
    }
    return { order, position, immediateDominator: idom, children, isLoopHead, isMerge, successors };
  }
}

/** Most instructions on a path that passes no retreating edge: what a region retires between two looks at the budget. */
export function longestPath(flow: FlowGraph, weight: readonly number[]): number {
  const best = new Array<number>(weight.length).fill(0);
  let most = 0;
  // Any edge may be the first of a path: a loop's head starts anew.
  for (const node of flow.order) {
    const here = (best[node] as number) + (weight[node] as number);
    most = Math.max(most, here);
    for (const target of flow.successors[node] ?? []) {
      if ((flow.position[target] as number) > (flow.position[node] as number)) best[target] = Math.max(best[target] as number, here);
    }
  }
  return most;
}
