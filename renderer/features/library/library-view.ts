// Which VMs the list shows and in what order: search, groups, tags, states, sort. Pure, so that it is tested without a window.

import type { VmPowerState, VmSummary } from '../../../core/protocol/library.ts';
import type { AppSettings } from '../../../core/protocol/manager-api.ts';

export type LibraryFilter = { readonly kind: 'all' | 'running' } | { readonly kind: 'group' | 'tag'; readonly name: string };

const STATE_ORDER: readonly VmPowerState[] = ['running', 'paused', 'starting', 'saving', 'stopping', 'failed', 'saved', 'off'];

const fold = (text: string): string => text.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase();

/** Every word of the search must stand in the name, group, tags or system. */
export function matchesSearch(vm: VmSummary, search: string): boolean {
  const words = fold(search).split(/\s+/).filter(Boolean);
  if (words.length === 0) return true;
  const text = fold([vm.name, vm.groupPath, vm.osId, ...vm.tags].join(' '));
  return words.every((word) => text.includes(word));
}

export function matchesFilter(vm: VmSummary, filter: LibraryFilter): boolean {
  if (filter.kind === 'running') return vm.state !== 'off' && vm.state !== 'saved' && vm.state !== 'failed';
  if (filter.kind === 'group') return vm.groupPath === filter.name || vm.groupPath.startsWith(`${filter.name}/`);
  if (filter.kind === 'tag') return vm.tags.includes(filter.name);
  return true;
}

const lastUsed = (vm: VmSummary): number => vm.startedMs ?? vm.changedMs;

interface ViewOptions {
  readonly search: string;
  readonly filter: LibraryFilter;
  readonly sort: AppSettings['librarySort'];
  readonly language: string;
}

export function visibleVms(vms: Iterable<VmSummary>, options: ViewOptions): VmSummary[] {
  const collator = new Intl.Collator(options.language, { numeric: true, sensitivity: 'base' });
  const byName = (a: VmSummary, b: VmSummary): number => collator.compare(a.name, b.name) || a.id.localeCompare(b.id);
  const orders: Record<AppSettings['librarySort'], (a: VmSummary, b: VmSummary) => number> = {
    name: byName,
    state: (a, b) => STATE_ORDER.indexOf(a.state) - STATE_ORDER.indexOf(b.state) || byName(a, b),
    created: (a, b) => b.createdMs - a.createdMs || byName(a, b),
    used: (a, b) => lastUsed(b) - lastUsed(a) || byName(a, b),
  };
  return [...vms].filter((vm) => matchesFilter(vm, options.filter) && matchesSearch(vm, options.search)).sort(orders[options.sort]);
}

export interface GroupNode {
  readonly path: string;
  readonly name: string;
  readonly depth: number;
  readonly count: number;
}

/** All groups, parents before children; a parent counts its children's VMs. */
export function groupsOf(vms: Iterable<VmSummary>, language: string): GroupNode[] {
  const counts = new Map<string, number>();
  for (const vm of vms) {
    const parts = vm.groupPath.split('/').filter(Boolean);
    for (let depth = 1; depth <= parts.length; depth++) {
      const path = parts.slice(0, depth).join('/');
      counts.set(path, (counts.get(path) ?? 0) + 1);
    }
  }
  const collator = new Intl.Collator(language, { numeric: true, sensitivity: 'base' });
  return [...counts]
    .map(([path, count]) => ({ path, count, name: path.split('/').at(-1) ?? path, depth: path.split('/').length - 1 }))
    .sort((a, b) => {
      const left = a.path.split('/');
      const right = b.path.split('/');
      for (let at = 0; at < Math.min(left.length, right.length); at++) {
        const order = collator.compare(left[at] ?? '', right[at] ?? '');
        if (order !== 0) return order;
      }
      return left.length - right.length;
    });
}

export function tagsOf(vms: Iterable<VmSummary>, language: string): { readonly name: string; readonly count: number }[] {
  const counts = new Map<string, number>();
  for (const vm of vms) for (const tag of vm.tags) counts.set(tag, (counts.get(tag) ?? 0) + 1);
  const collator = new Intl.Collator(language, { numeric: true });
  return [...counts].map(([name, count]) => ({ name, count })).sort((a, b) => collator.compare(a.name, b.name));
}
