// Answers requests of the custom scheme from a manifest of the renderer's files that is read once at start. No file system
// path is ever made from an address.

import { type StaticFile, readAppFiles } from '../../core/host/browser-host/static-files.ts';
import { APP_ORIGIN, RESPONSE_HEADERS, isOwnUrl } from './security.ts';

/** Address path ("/assets/x.js") to content. */
export type Pages = ReadonlyMap<string, StaticFile>;

export function readPages(folder: string): Pages {
  return new Map([...readAppFiles(folder)].map(([address, file]) => [`/${address}`, file]));
}

export interface PageAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | undefined;
}

const NOT_FOUND: PageAnswer = { status: 404, headers: RESPONSE_HEADERS, body: undefined };

export function answerPage(pages: Pages, method: string, url: string): PageAnswer {
  if (
    (method !== 'GET' && method !== 'HEAD') ||
    !isOwnUrl(url) ||
    /[\\\0]|%2e|%2f|%5c|%00|\.\./i.test(url.slice(APP_ORIGIN.length))
  )
    return NOT_FOUND;
  const { pathname } = new URL(url);
  const page = pages.get(pathname === '/' || pathname === '' ? '/index.html' : pathname);
  if (page === undefined) return NOT_FOUND;
  return {
    status: 200,
    headers: { ...RESPONSE_HEADERS, 'Content-Type': page.type },
    body: method === 'HEAD' ? undefined : page.body,
  };
}
