import { describe, expect, it } from 'vitest';
import { answerPage } from './page-server.ts';
import {
  CONTENT_SECURITY_POLICY,
  isOwnUrl,
  outsideLinkAllowed,
  permissionAllowed,
  webPreferences,
} from './security.ts';

const PAGES = new Map([
  ['/index.html', { body: Buffer.from('<!doctype html>'), type: 'text/html' }],
  ['/assets/app.js', { body: Buffer.from('1'), type: 'text/javascript' }],
]);

it('windows are sandboxed, isolated and without Node', () => {
  const options = webPreferences('/preload.cjs', true);
  expect(options).toMatchObject({
    sandbox: true,
    contextIsolation: true,
    webSecurity: true,
    nodeIntegration: false,
    nodeIntegrationInWorker: false,
    nodeIntegrationInSubFrames: false,
    webviewTag: false,
    experimentalFeatures: false,
    allowRunningInsecureContent: false,
    devTools: false,
  });
  expect(options.enableBlinkFeatures).toBeUndefined();
});

it('the content policy allows no inline or foreign script', () => {
  const script = CONTENT_SECURITY_POLICY.split('; ').find((part) => part.startsWith('script-src'));
  expect(script).toBe("script-src 'self'");
  expect(CONTENT_SECURITY_POLICY).toContain("default-src 'none'");
  expect(CONTENT_SECURITY_POLICY).not.toContain('unsafe-eval');
});

describe('addresses', () => {
  it.each(['nestbox://app/', 'nestbox://app/index.html#/vm/1'])('%s is ours', (url) =>
    expect(isOwnUrl(url)).toBe(true),
  );
  it.each([
    'nestbox://other/',
    'https://app/',
    'file:///etc/passwd',
    'nestbox://app.evil/',
    'nestbox://app:80/',
    'nestbox://u@app/',
    'javascript:alert(1)',
    'data:text/html,x',
    '',
    'about:blank',
  ])('%s is not', (url) => expect(isOwnUrl(url)).toBe(false));
  it.each([
    'http://www.debian.org/',
    'https://www.debian.org.evil/',
    'https://x@www.debian.org/',
    'https://www.debian.org:8443/',
    'file:///',
    'javascript:1',
    'nestbox://app/',
    'smb://www.debian.org/',
  ])('%s does not open outside', (url) => expect(outsideLinkAllowed(url)).toBe(false));
  it('a known site does', () => expect(outsideLinkAllowed('https://www.debian.org/distrib/')).toBe(true));
});

it.each([
  'media',
  'geolocation',
  'notifications',
  'midi',
  'usb',
  'hid',
  'serial',
  'openExternal',
  'clipboard-read',
  'display-capture',
  'idle-detection',
  'window-management',
])('permission %s is denied', (permission) => {
  expect(permissionAllowed(permission, 'nestbox://app/index.html')).toBe(false);
});
it('the screen of a guest may take pointer, keyboard and full screen, on our pages only', () => {
  for (const permission of ['fullscreen', 'pointerLock', 'keyboardLock']) {
    expect(permissionAllowed(permission, 'nestbox://app/index.html')).toBe(true);
    expect(permissionAllowed(permission, 'https://app/')).toBe(false);
  }
});

describe('pages', () => {
  it('come with their type and policy', () => {
    const answer = answerPage(PAGES, 'GET', 'nestbox://app/');
    expect(answer.status).toBe(200);
    expect(answer.headers['Content-Security-Policy']).toBe(CONTENT_SECURITY_POLICY);
    expect(answerPage(PAGES, 'GET', 'nestbox://app/assets/app.js').headers['Content-Type']).toBe('text/javascript');
  });
  const hostile = [
    '../',
    '..%2f',
    '%2e%2e/',
    '%2E%2E%2F',
    '..\\',
    '%5c..%5c',
    '//',
    '/./..//',
    'assets/../../x',
    'assets/%00',
    'assets/app.js%00.html',
    '....//',
  ];
  it.each([
    ...hostile.map((part) => `nestbox://app/${part}etc/passwd`),
    ...hostile.map((part) => `nestbox://app/assets/${part}index.html`),
    'nestbox://evil/index.html',
    'https://app/index.html',
    'file:///etc/passwd',
    'nestbox://app/nothing.html',
    'nestbox://app:1/index.html',
    'not an address',
  ])('%s is not found', (url) => {
    expect(answerPage(PAGES, 'GET', url).status).toBe(404);
  });
  it.each(['POST', 'PUT', 'DELETE', 'OPTIONS'])('%s is not answered', (method) =>
    expect(answerPage(PAGES, method, 'nestbox://app/').status).toBe(404),
  );
});
