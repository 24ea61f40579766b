import { describe, expect, it } from 'vitest';
import type { VmSummary } from '../../../core/protocol/library.ts';
import { groupsOf, matchesSearch, tagsOf, visibleVms } from './library-view.ts';

const vm = (id: string, fields: Partial<VmSummary>): VmSummary => ({ id, name: id, state: 'off', groupPath: '', tags: [], osId: 'unknown', memoryMib: 1, cpus: 1, thumbnailVersion: 0, createdMs: 0, changedMs: 0, ...fields });

const vms = [
  vm('a', { name: 'node 10', state: 'off', createdMs: 3, groupPath: 'Work/Build', tags: ['ci'] }),
  vm('b', { name: 'node 9', state: 'running', createdMs: 1, startedMs: 50, groupPath: 'Work' }),
  vm('c', { name: 'Café', state: 'paused', createdMs: 2, changedMs: 90, osId: 'debian', tags: ['ci', 'web'] }),
];
const names = (options: Partial<Parameters<typeof visibleVms>[1]>): string[] => visibleVms(vms, { search: '', filter: { kind: 'all' }, sort: 'name', language: 'en', ...options }).map((entry) => entry.id);

describe('the list of machines', () => {
  it('sorts by name with numbers as numbers, by state, age and use', () => {
    expect(names({})).toEqual(['c', 'b', 'a']);
    expect(names({ sort: 'state' })).toEqual(['b', 'c', 'a']);
    expect(names({ sort: 'created' })).toEqual(['a', 'c', 'b']);
    expect(names({ sort: 'used' })).toEqual(['c', 'b', 'a']);
  });

  it('finds every word in name, group, tags or system, whatever the accents', () => {
    expect(names({ search: 'cafe' })).toEqual(['c']);
    expect(names({ search: ' NODE work ' })).toEqual(['b', 'a']);
    expect(names({ search: 'ci debian' })).toEqual(['c']);
    expect(matchesSearch(vms[0] as VmSummary, '   ')).toBe(true);
    expect(names({ search: 'nothing' })).toEqual([]);
  });

  it('filters by running, group with its children, and tag', () => {
    expect(names({ filter: { kind: 'running' } })).toEqual(['c', 'b']);
    expect(names({ filter: { kind: 'group', name: 'Work' } })).toEqual(['b', 'a']);
    expect(names({ filter: { kind: 'group', name: 'Wor' } })).toEqual([]);
    expect(names({ filter: { kind: 'tag', name: 'ci' } })).toEqual(['c', 'a']);
  });

  it('lists groups as a tree with counts, and tags', () => {
    expect(groupsOf(vms, 'en').map(({ path, depth, count }) => [path, depth, count])).toEqual([
      ['Work', 0, 2],
      ['Work/Build', 1, 1],
    ]);
    expect(tagsOf(vms, 'en')).toEqual([
      { name: 'ci', count: 2 },
      { name: 'web', count: 1 },
    ]);
  });
});
