import { describe, expect, it } from 'vitest';
import type { SnapshotNode } from '../../../core/protocol/snapshots.ts';
import { treeKey, treeRows } from './snapshot-tree.ts';

const node = (id: string, createdMs: number, parentId?: string): SnapshotNode => ({ id, vmId: 'v', name: id, notes: '', kind: 'live', createdMs, ownBytes: 0, hasThumbnail: false, current: false, ...(parentId === undefined ? {} : { parentId }) });
const nodes = [node('d', 4, 'b'), node('a', 1), node('c', 3, 'b'), node('b', 2, 'a'), node('e', 5, 'gone')];

describe('the tree of snapshots', () => {
  it('puts parents before children, oldest first, and keeps orphans', () => {
    expect(treeRows(nodes, new Set()).map((row) => [row.node.id, row.level, row.position, row.siblings])).toEqual([
      ['a', 1, 1, 2],
      ['b', 2, 1, 1],
      ['c', 3, 1, 2],
      ['d', 3, 2, 2],
      ['e', 1, 2, 2],
    ]);
  });

  it('folds children away', () => {
    expect(treeRows(nodes, new Set(['b'])).map((row) => row.node.id)).toEqual(['a', 'b', 'e']);
  });

  it('survives a cycle in hostile data', () => {
    expect(() => treeRows([node('x', 1, 'y'), node('y', 2, 'x')], new Set())).not.toThrow();
  });

  it('moves by the keys of a tree', () => {
    const rows = treeRows(nodes, new Set(['b']));
    expect(treeKey(rows, 'a', 'ArrowDown')).toEqual({ kind: 'focus', id: 'b' });
    expect(treeKey(rows, 'b', 'ArrowRight')).toEqual({ kind: 'open', id: 'b' });
    expect(treeKey(rows, 'a', 'ArrowRight')).toEqual({ kind: 'focus', id: 'b' });
    expect(treeKey(rows, 'b', 'ArrowLeft')).toEqual({ kind: 'focus', id: 'a' });
    expect(treeKey(rows, 'a', 'ArrowLeft')).toEqual({ kind: 'close', id: 'a' });
    expect(treeKey(rows, 'a', 'End')).toEqual({ kind: 'focus', id: 'e' });
    expect(treeKey(rows, 'e', 'ArrowDown')).toBeUndefined();
    expect(treeKey(rows, 'a', 'x')).toBeUndefined();
  });
});
