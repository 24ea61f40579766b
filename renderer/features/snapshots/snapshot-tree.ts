// The snapshots of a VM as rows of a tree: parents before children, oldest first, with what ARIA wants to know of each.

import type { SnapshotNode } from '../../../core/protocol/snapshots.ts';

export interface TreeRow {
  readonly node: SnapshotNode;
  readonly level: number;
  readonly position: number;
  readonly siblings: number;
  readonly children: number;
  readonly open: boolean;
}

/** @param closed ids whose children are folded away */
export function treeRows(nodes: readonly SnapshotNode[], closed: ReadonlySet<string>): TreeRow[] {
  const ids = new Set(nodes.map((node) => node.id));
  const byParent = new Map<string, SnapshotNode[]>();
  for (const node of nodes) {
    // A parent that is not in the list (deleted behind our back) must not hide its children.
    const parent = node.parentId !== undefined && ids.has(node.parentId) ? node.parentId : '';
    byParent.set(parent, [...(byParent.get(parent) ?? []), node]);
  }
  const rows: TreeRow[] = [];
  const seen = new Set<string>();
  const visit = (parent: string, level: number): void => {
    const list = (byParent.get(parent) ?? []).toSorted((a, b) => a.createdMs - b.createdMs || a.id.localeCompare(b.id));
    list.forEach((node, index) => {
      if (seen.has(node.id)) return;
      seen.add(node.id);
      const children = byParent.get(node.id)?.length ?? 0;
      const open = !closed.has(node.id);
      rows.push({ node, level, position: index + 1, siblings: list.length, children, open });
      if (open) visit(node.id, level + 1);
    });
  };
  visit('', 1);
  return rows;
}

export type TreeMove = { readonly kind: 'focus'; readonly id: string } | { readonly kind: 'open' | 'close'; readonly id: string };

/** What a key does in a tree, by the ARIA pattern. */
export function treeKey(rows: readonly TreeRow[], id: string, key: string): TreeMove | undefined {
  const at = rows.findIndex((row) => row.node.id === id);
  const row = rows[at];
  if (row === undefined) return undefined;
  const focus = (target: TreeRow | undefined): TreeMove | undefined => (target === undefined ? undefined : { kind: 'focus', id: target.node.id });
  if (key === 'ArrowDown') return focus(rows[at + 1]);
  if (key === 'ArrowUp') return focus(rows[at - 1]);
  if (key === 'Home') return focus(rows[0]);
  if (key === 'End') return focus(rows.at(-1));
  if (key === 'ArrowRight') {
    if (row.children === 0) return undefined;
    return row.open ? focus(rows[at + 1]) : { kind: 'open', id };
  }
  if (key === 'ArrowLeft') {
    if (row.children > 0 && row.open) return { kind: 'close', id };
    return focus(rows.slice(0, at).findLast((other) => other.level < row.level));
  }
  return undefined;
}
