// Pages by the part of the address behind "#", so that reload, back and links work in both shells.

export const DETAIL_TABS = ['summary', 'hardware', 'snapshots', 'media', 'activity', 'logs'] as const;
export type DetailTab = (typeof DETAIL_TABS)[number];

export type Route =
  | { readonly page: 'machines'; readonly vmId?: string; readonly tab: DetailTab }
  | { readonly page: 'media' | 'host' | 'settings' | 'about' }
  | { readonly page: 'screen' | 'serial'; readonly vmId: string };

export function parseRoute(hash: string): Route {
  const parts = hash.replace(/^#\/?/, '').split('/').map(decode);
  const [page = '', vmId = '', tab = ''] = parts;
  if (page === 'media' || page === 'host' || page === 'settings' || page === 'about') return { page };
  if (page === 'vm' && vmId !== '') return { page: tab === 'serial' ? 'serial' : 'screen', vmId };
  const known = DETAIL_TABS.find((name) => name === tab) ?? 'summary';
  return page === 'machines' && vmId !== '' ? { page: 'machines', vmId, tab: known } : { page: 'machines', tab: 'summary' };
}

export function hrefOf(route: Route): string {
  if (route.page === 'machines') return route.vmId === undefined ? '#/machines' : `#/machines/${encodeURIComponent(route.vmId)}/${route.tab}`;
  if (route.page === 'screen') return `#/vm/${encodeURIComponent(route.vmId)}`;
  if (route.page === 'serial') return `#/vm/${encodeURIComponent(route.vmId)}/serial`;
  return `#/${route.page}`;
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return '';
  }
}
