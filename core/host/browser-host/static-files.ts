// The files of the app, read into memory once: an address is looked up in a table and never becomes a path.

import { readFileSync, readdirSync, statSync } from 'node:fs';
import { extname, join, relative, sep } from 'node:path';
import { NestboxError } from '../../base/errors.ts';
import { STATIC_BYTES_MAX } from './limits.ts';
import { LAUNCH_PAGE, LAUNCH_SCRIPT, LAUNCH_STYLE, MISSING_APP_PAGE } from './launch-page.ts';

export interface StaticFile {
  readonly type: string;
  readonly body: Buffer;
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.webp': 'image/webp',
  '.woff2': 'font/woff2',
  '.woff': 'font/woff',
  '.ttf': 'font/ttf',
  '.wasm': 'application/wasm',
  '.txt': 'text/plain; charset=utf-8',
  '.webmanifest': 'application/manifest+json',
};

/** Address to file: of the app relative to its folder ("" is the app itself), of the launch page from the root. */
export interface StaticManifest {
  readonly app: ReadonlyMap<string, StaticFile>;
  readonly launch: ReadonlyMap<string, StaticFile>;
}

/**
 * Every file of a known type under the folder by its address relative to it; none when the folder is missing. Both shells
 * answer from this table, so that no address ever becomes a path.
 */
export function readAppFiles(folder: string): Map<string, StaticFile> {
  const manifest = new Map<string, StaticFile>();
  let total = 0;
  const visit = (path: string): void => {
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      const child = join(path, entry.name);
      if (entry.isDirectory()) visit(child);
      if (!entry.isFile()) continue;
      const type = TYPES[extname(entry.name).toLowerCase()];
      if (type === undefined) continue;
      total += statSync(child).size;
      if (total > STATIC_BYTES_MAX) throw new NestboxError('io', `${folder}: the app's files are larger than ${STATIC_BYTES_MAX} bytes`, { op: 'read app' });
      manifest.set(`${relative(folder, child).split(sep).map(encodeURIComponent).join('/')}`, { type, body: readFileSync(child) });
    }
  };
  try {
    visit(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  return manifest;
}

export function readManifest(folder: string): StaticManifest {
  const manifest = readAppFiles(folder);
  const html = (text: string): StaticFile => ({ type: 'text/html; charset=utf-8', body: Buffer.from(text) });
  manifest.set('', manifest.get('index.html') ?? html(MISSING_APP_PAGE));
  manifest.delete('index.html');
  const launch = new Map([
    ['/launch', html(LAUNCH_PAGE)],
    ['/launch.js', { type: 'text/javascript; charset=utf-8', body: Buffer.from(LAUNCH_SCRIPT) }],
    ['/launch.css', { type: 'text/css; charset=utf-8', body: Buffer.from(LAUNCH_STYLE) }],
  ]);
  return { app: manifest, launch };
}
