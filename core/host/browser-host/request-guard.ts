// Looks at the head of every request before anything else does: is it meant for us, and does it come from our own page?
// Against DNS rebinding (Host), cross-site and cross-port pages (Origin, Sec-Fetch-Site).

import type { IncomingMessage } from 'node:http';
import { URL_BYTES_MAX } from './limits.ts';

export interface Refusal {
  readonly status: 400 | 401 | 403 | 404 | 405 | 411 | 413 | 414 | 415 | 421 | 429 | 507;
  readonly reason: string;
}

export const HOST_NAMES = ['127.0.0.1', 'localhost'] as const;

/** Exact values of the Host header. Port 80 may be left out of it. */
export function allowedHosts(port: number): readonly string[] {
  return HOST_NAMES.flatMap((name) => (port === 80 ? [name, `${name}:80`] : [`${name}:${port}`]));
}

/** The header's value when it was sent exactly once. */
export function single(request: IncomingMessage, name: string): string | undefined {
  const values = request.headersDistinct[name];
  return values?.length === 1 ? values[0] : undefined;
}

function hasSeveral(request: IncomingMessage, name: string): boolean {
  return (request.headersDistinct[name]?.length ?? 0) > 1;
}

/** @param sameOriginOnly for everything that does something: an Origin header must be there and be ours */
export function refuseRequest(request: IncomingMessage, port: number, sameOriginOnly: boolean): Refusal | undefined {
  const host = single(request, 'host');
  if (host === undefined || !allowedHosts(port).includes(host)) return { status: 421, reason: 'wrong host' };
  if ((request.url ?? '').length > URL_BYTES_MAX) return { status: 414, reason: 'address too long' };
  const origin = single(request, 'origin');
  if (hasSeveral(request, 'origin')) return { status: 403, reason: 'several origins' };
  if (origin !== undefined && origin !== `http://${host}`) return { status: 403, reason: 'wrong origin' };
  if (sameOriginOnly && origin === undefined) return { status: 403, reason: 'no origin' };
  const site = single(request, 'sec-fetch-site');
  if (site !== undefined && site !== 'same-origin' && (sameOriginOnly || site !== 'none')) {
    // A page of another site or port may link to us (a click), but not load anything of ours into itself.
    const isNavigation = !sameOriginOnly && single(request, 'sec-fetch-mode') === 'navigate' && single(request, 'sec-fetch-dest') === 'document';
    if (!isNavigation) return { status: 403, reason: 'other site' };
  }
  return undefined;
}

/** One cookie by name; undefined when it is missing or there are two of it. */
export function cookieOf(request: IncomingMessage, name: string): string | undefined {
  const found = (request.headers.cookie ?? '')
    .split(';')
    .map((part) => part.trim())
    .filter((part) => part.startsWith(`${name}=`));
  return found.length === 1 ? found[0]?.slice(name.length + 1) : undefined;
}
