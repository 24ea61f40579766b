import { describe, expect, it } from 'vitest';
import { hrefOf, parseRoute } from './routes.ts';

describe('addresses of pages', () => {
  it('come back as they went out', () => {
    const routes = [
      { page: 'machines', tab: 'summary' },
      { page: 'machines', vmId: 'a/b c', tab: 'logs' },
      { page: 'media' },
      { page: 'host' },
      { page: 'settings' },
      { page: 'about' },
      { page: 'screen', vmId: 'x#1' },
      { page: 'serial', vmId: 'x' },
    ] as const;
    for (const route of routes) expect(parseRoute(hrefOf(route))).toEqual(route);
  });

  it('show the list for anything else', () => {
    for (const hash of ['', '#', '#/nowhere', '#/vm', '#/machines/%E0%A4%A', '#/machines/x/unknown-tab']) expect(parseRoute(hash).page).toBe('machines');
  });
});
