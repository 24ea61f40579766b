// Answers requests of the custom scheme from a manifest of the renderer's files that is read once at start. No file system
// path is ever made from an address.

import { readFileSync, readdirSync } from 'node:fs';
import { extname, join, relative, sep } from 'node:path';
import { APP_ORIGIN, RESPONSE_HEADERS, isOwnUrl } from './security.ts';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.woff2': 'font/woff2',
  '.json': 'application/json',
};

export interface PageFile {
  readonly bytes: Uint8Array;
  readonly type: string;
}

/** Address path ("/assets/x.js") to content, of every file under `folder` that has a known type. */
export function readPages(folder: string): ReadonlyMap<string, PageFile> {
  const pages = new Map<string, PageFile>();
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const type = TYPES[extname(entry.name)];
    if (!entry.isFile() || type === undefined) continue;
    const path = join(entry.parentPath, entry.name);
    pages.set(`/${relative(folder, path).split(sep).join('/')}`, { bytes: readFileSync(path), type });
  }
  return pages;
}

export interface PageAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | undefined;
}

const NOT_FOUND: PageAnswer = { status: 404, headers: RESPONSE_HEADERS, body: undefined };

export function answerPage(pages: ReadonlyMap<string, PageFile>, method: string, url: string): PageAnswer {
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
    body: method === 'HEAD' ? undefined : page.bytes,
  };
}
