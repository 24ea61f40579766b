// What windows may do, in one place: web preferences, content security policy, own addresses, permissions, outside links.
// Checklist: design page on threats, E1 to E16. Everything is denied unless it is named here.

import type { WebPreferences } from 'electron';

export const APP_SCHEME = 'nestbox';
export const APP_ORIGIN = `${APP_SCHEME}://app`;

/** Standard and secure so that the page has an origin; no fetch, CORS, service workers or CSP bypass. */
export const SCHEME_PRIVILEGES = { scheme: APP_SCHEME, privileges: { standard: true, secure: true } } as const;

export const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  // Svelte sets element styles for positions; no style sheet comes from elsewhere.
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' blob: data:",
  "font-src 'self'",
  "connect-src 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
  "form-action 'none'",
].join('; ');

export const RESPONSE_HEADERS: Readonly<Record<string, string>> = {
  'Content-Security-Policy': CONTENT_SECURITY_POLICY,
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
};

export function webPreferences(preload: string, packaged: boolean): WebPreferences {
  return {
    preload,
    sandbox: true,
    contextIsolation: true,
    webSecurity: true,
    nodeIntegration: false,
    nodeIntegrationInWorker: false,
    nodeIntegrationInSubFrames: false,
    webviewTag: false,
    experimentalFeatures: false,
    allowRunningInsecureContent: false,
    navigateOnDragDrop: false,
    spellcheck: false,
    devTools: !packaged,
  };
}

/** Whether an address is a page of the app itself. */
export function isOwnUrl(url: string): boolean {
  try {
    const parsed = new URL(url);
    return (
      parsed.protocol === `${APP_SCHEME}:` &&
      parsed.host === 'app' &&
      parsed.username === '' &&
      parsed.password === '' &&
      parsed.port === ''
    );
  } catch {
    return false;
  }
}

/** What a page of ours may ask for: the guest's screen wants these. Reading the clipboard goes through the bridge. */
const PERMISSIONS: ReadonlySet<string> = new Set([
  'fullscreen',
  'pointerLock',
  'keyboardLock',
  'clipboard-sanitized-write',
]);

export function permissionAllowed(permission: string, url: string): boolean {
  return PERMISSIONS.has(permission) && isOwnUrl(url);
}

/** Sites that a link may open in the user's browser. */
const OUTSIDE_HOSTS: ReadonlySet<string> = new Set([
  'www.debian.org',
  'www.freedos.org',
  'www.linux-kvm.org',
  'docs.kernel.org',
]);

export function outsideLinkAllowed(url: string): boolean {
  try {
    const parsed = new URL(url);
    return (
      parsed.protocol === 'https:' && OUTSIDE_HOSTS.has(parsed.host) && parsed.username === '' && parsed.password === ''
    );
  } catch {
    return false;
  }
}
