// The browser host's hardening, line by line: who may ask, what is answered, what is limited.

import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { type IncomingHttpHeaders, request as httpRequest } from 'node:http';
import { type Socket, connect, createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { BrowserHost } from '../../core/host/browser-host/browser-host.ts';
import { LAUNCH_CODE_MS, SOCKETS_MAX } from '../../core/host/browser-host/limits.ts';
import { Sessions } from '../../core/host/browser-host/sessions.ts';
import { uploadName } from '../../core/host/browser-host/uploads.ts';
import { MANAGER_CHECKS } from '../../core/manager/rpc-checks.ts';
import { checkedApi } from '../../core/manager/serve-manager.ts';
import type { ManagerApi } from '../../core/protocol/manager-api.ts';
import { type BrowserSession, letIn, managerClient, openSocket } from '../support/browser-client.ts';
import { type TestLibrary, newVm, openLibrary } from '../support/library.ts';
import { temporaryFolder } from '../support/nestbox.ts';

interface Served extends TestLibrary {
  readonly browser: BrowserHost;
  readonly audit: string[];
  readonly url: string;
}

async function serve(): Promise<Served> {
  const library = await openLibrary();
  const appFolder = join(temporaryFolder(), 'app');
  mkdirSync(join(appFolder, 'assets'), { recursive: true });
  writeFileSync(join(appFolder, 'index.html'), '<!doctype html><title>app</title>');
  writeFileSync(join(appFolder, 'assets', 'index-1a.js'), 'export {};');
  writeFileSync(join(appFolder, 'secret.env'), 'not for the web');
  const audit: string[] = [];
  const browser = await BrowserHost.start({ manager: library.manager, appFolder, audit: (line) => audit.push(line) });
  onTestFinished(() => browser.close());
  return { ...library, browser, audit, url: `http://127.0.0.1:${browser.port}` };
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** fetch() would correct forged heads; this sends them as they are. */
function ask(port: number, path: string, options: { method?: string; headers?: Record<string, string | string[]>; body?: string | Uint8Array } = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host: '127.0.0.1', port, path, method: options.method ?? 'GET', headers: { host: `127.0.0.1:${port}`, ...options.headers }, setHost: false }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => (body += text));
      response.once('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
    });
    request.once('error', reject);
    request.end(options.body);
  });
}

/** Sends bytes as they are and reads until the other side closes. */
function raw(port: number, text: string): Promise<string> {
  return new Promise((resolve) => {
    const socket: Socket = connect(port, '127.0.0.1', () => socket.write(text));
    let all = '';
    socket.setEncoding('utf8').on('data', (part: string) => {
      all += part;
      socket.end();
    });
    socket.on('error', () => resolve(all));
    socket.once('close', () => resolve(all));
  });
}

const post = (session: { origin: string; cookie?: string }, extra: Record<string, string> = {}): Record<string, string> => ({
  origin: session.origin,
  ...(session.cookie === undefined ? {} : { cookie: session.cookie }),
  ...extra,
});

describe('browser host, hardening', () => {
  it('H1: listens on the loopback address only, on a port of its own', async () => {
    const { browser } = await serve();
    const inodes = readFileSync('/proc/net/tcp', 'utf8').split('\n').filter((line) => line.includes(`:${browser.port.toString(16).toUpperCase().padStart(4, '0')} 00000000:0000 0A`));
    expect(inodes.map((line) => line.trim().split(/\s+/)[1]?.split(':')[0])).toEqual(['0100007F']);
    for (const address of Object.values(networkInterfaces()).flat().filter((entry) => entry?.family === 'IPv4' && !entry.internal)) {
      const refused = await new Promise((resolve) => {
        const socket = connect(browser.port, address?.address ?? '');
        socket.once('connect', () => resolve(false)).once('error', () => resolve(true));
      });
      expect(refused, address?.address).toBe(true);
    }
  });

  it('H2: refuses forged hosts, on requests and upgrades, with an empty body', async () => {
    const { browser, url } = await serve();
    const session = await letIn(browser.launchUrl());
    const { port } = browser;
    const forged = ['evil.test', `evil.test:${port}`, '127.0.0.1', `127.0.0.1:${port + 1}`, `127.0.0.1.evil.test:${port}`, `127.0.0.2:${port}`, `0.0.0.0:${port}`, `localhost.:${port}`, `LOCALHOST:${port}`, `[::1]:${port}`, `2130706433:${port}`, `127.1:${port}`, `user@127.0.0.1:${port}`, `127.0.0.1:${port}/`, `127.0.0.1:0${port}`, `127.0.0.1:${port} `, '', 'null', `localhost:${port}.`, `127.0.0.1:${port},evil.test`, `127.0.0.1%00:${port}`, `169.254.169.254:${port}`, `nestbox:${port}`, `localtest.me:${port}`, `0x7f.1:${port}`];
    for (const host of forged) {
      const answer = await ask(port, session.path, { headers: { host, cookie: session.cookie } });
      // Node trims the blank at the end itself.
      if (host.trim() === `127.0.0.1:${port}`) continue;
      expect([answer.status >= 400, answer.body], host).toEqual([true, '']);
      expect(await openSocket(session, 'api/manager', { host, origin: `http://${host}` }).catch(() => 0), host).not.toBeTypeOf('object');
    }
    expect(await raw(port, `GET ${session.path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nHost: evil.test\r\n\r\n`)).toMatch(/^HTTP\/1.1 4/);
    expect(await raw(port, `GET ${session.path} HTTP/1.0\r\n\r\n`)).toMatch(/^HTTP\/1.1 4/);
    expect((await ask(port, session.path, { headers: { host: `localhost:${port}`, cookie: session.cookie } })).status).toBe(200);
    expect(url).toContain(String(port));
  });

  it('H3: takes WebSockets and posts from its own page only', async () => {
    const { browser } = await serve();
    const session = await letIn(browser.launchUrl());
    for (const origin of ['http://evil.test', `http://127.0.0.1:${browser.port + 1}`, `https://127.0.0.1:${browser.port}`, `http://localhost:${browser.port}`, 'null', 'file://', `http://127.0.0.1:${browser.port}.evil.test`, '']) {
      expect(await openSocket(session, 'api/manager', { origin }), origin).toBe(403);
      expect((await ask(browser.port, `${session.path}api/upload`, { method: 'POST', headers: { ...post(session), origin, 'x-nestbox-file-name': 'a' }, body: 'x' })).status, origin).toBe(403);
      expect((await ask(browser.port, '/launch', { method: 'POST', headers: { origin, 'content-type': 'application/json' }, body: JSON.stringify({ code: new URL(browser.launchUrl()).hash.slice(1) }) })).status, origin).toBe(403);
    }
    expect((await ask(browser.port, '/launch', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' })).status).toBe(403);
    for (const site of ['cross-site', 'same-site', 'none']) {
      expect((await ask(browser.port, `${session.path}api/upload`, { method: 'POST', headers: { ...post(session), 'sec-fetch-site': site }, body: 'x' })).status, site).toBe(403);
    }
    for (const site of ['cross-site', 'same-site']) {
      expect((await ask(browser.port, `${session.path}assets/index-1a.js`, { headers: { cookie: session.cookie, 'sec-fetch-site': site, 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'script' } })).status, site).toBe(403);
    }
    const port = await openSocket(session, 'api/manager');
    expect(port).toBeTypeOf('object');
    if (typeof port === 'object') port.dispose();
  });

  it('H4: launch codes work once, for a minute, and no secret is in an address or the audit', async () => {
    const { browser, audit } = await serve();
    const launch = browser.launchUrl();
    const code = new URL(launch).hash.slice(1);
    expect(Buffer.from(code, 'base64url').length).toBeGreaterThanOrEqual(16);
    expect(new URL(launch).search).toBe('');
    const session = await letIn(launch);
    await expect(letIn(launch)).rejects.toThrow('401');
    expect(session.cookie.length).toBeGreaterThan(40);
    await ask(browser.port, `${session.path}nothing`, { headers: { cookie: 'nestbox=wrong' } });
    for (const secret of [code, session.cookie.split('=')[1] ?? '', session.path.split('/')[2] ?? '']) expect(audit.join('\n')).not.toContain(secret);
    let now = 0;
    const sessions = new Sessions(() => now);
    const late = sessions.issueCode();
    now = LAUNCH_CODE_MS + 1;
    expect(sessions.redeem(late)).toBeUndefined();
    const other = await serve();
    expect((await ask(other.browser.port, session.path, { headers: { cookie: session.cookie } })).status).toBe(303);
  });

  it('H5: the cookie is for scripts out of reach, for this site and for a folder that nobody can guess', async () => {
    const { browser, url } = await serve();
    const code = new URL(browser.launchUrl()).hash.slice(1);
    const answer = await ask(browser.port, '/launch', { method: 'POST', headers: { origin: url, 'content-type': 'application/json' }, body: JSON.stringify({ code }) });
    const [cookie = ''] = answer.headers['set-cookie'] ?? [];
    expect(cookie).toMatch(/^nestbox=[\w-]{43}; Path=\/s\/[\w-]{43}\/; HttpOnly; SameSite=Strict$/);
    const session = { cookie: cookie.split(';')[0] ?? '', path: /Path=([^;]+)/.exec(cookie)?.[1] ?? '', origin: url };
    const second = await letIn(browser.launchUrl());
    // One session's cookie does not open another one's folder; the folder alone opens nothing; nor do two cookies.
    expect((await ask(browser.port, second.path, { headers: { cookie: session.cookie } })).status).toBe(303);
    expect((await ask(browser.port, `${session.path}assets/index-1a.js`)).status).toBe(401);
    expect((await ask(browser.port, `${session.path}assets/index-1a.js`, { headers: { cookie: `${session.cookie}; ${session.cookie}x` } })).status).toBe(401);
    expect(await openSocket({ ...session, cookie: 'nestbox=x' }, 'api/manager')).toBe(401);
  });

  it('H6, H7: sends no CORS headers, refuses preflights, other methods and other bodies', async () => {
    const { browser, url } = await serve();
    const session = await letIn(browser.launchUrl());
    const preflights = ['/', '/launch', session.path, `${session.path}api/upload`, `${session.path}api/manager`].flatMap((path) => ['http://evil.test', url].map((origin) => ({ path, origin })));
    for (const { path, origin } of preflights) {
      const answer = await ask(browser.port, path, { method: 'OPTIONS', headers: { origin, cookie: session.cookie, 'access-control-request-method': 'POST' } });
      expect(answer.status).toBeGreaterThanOrEqual(400);
      expect(Object.keys(answer.headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
    }
    for (const method of ['PUT', 'DELETE', 'PATCH', 'TRACE', 'PROPFIND']) {
      expect((await ask(browser.port, `${session.path}api/upload`, { method, headers: post(session) })).status, method).toBe(405);
    }
    const code = (): string => JSON.stringify({ code: new URL(browser.launchUrl()).hash.slice(1) });
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data', 'application/json; charset=utf-8, text/plain']) {
      expect((await ask(browser.port, '/launch', { method: 'POST', headers: { origin: url, 'content-type': type }, body: code() })).status, type).toBe(415);
    }
    expect((await ask(browser.port, '/launch', { method: 'POST', headers: { origin: url, 'content-type': 'application/json' }, body: `{"code":"${'x'.repeat(100_000)}"}` }).catch(() => ({ status: 401 }))).status).toBe(401);
    expect((await ask(browser.port, session.path, { method: 'HEAD', headers: { cookie: session.cookie } })).body).toBe('');
  });

  it('H8: every answer carries the security headers', async () => {
    const { browser } = await serve();
    const session = await letIn(browser.launchUrl());
    const cookie = { cookie: session.cookie };
    const answers = [await ask(browser.port, '/'), await ask(browser.port, '/launch'), await ask(browser.port, '/launch.js'), await ask(browser.port, session.path, { headers: cookie }), await ask(browser.port, `${session.path}assets/index-1a.js`, { headers: cookie }), await ask(browser.port, '/nothing'), await ask(browser.port, '/', { headers: { host: 'evil.test' } }), await ask(browser.port, `${session.path}api/upload`, { method: 'POST', headers: post(session), body: 'x' })];
    for (const { headers, status } of answers) {
      expect(headers, String(status)).toMatchObject({
        'x-content-type-options': 'nosniff',
        'referrer-policy': 'no-referrer',
        'cache-control': 'no-store',
        'cross-origin-opener-policy': 'same-origin',
        'cross-origin-embedder-policy': 'require-corp',
        'cross-origin-resource-policy': 'same-origin',
        'x-frame-options': 'DENY',
      });
      const policy = String(headers['content-security-policy'] ?? '');
      expect(policy).toContain("default-src 'none'");
      expect(policy).toContain("frame-ancestors 'none'");
      expect(policy).toContain("base-uri 'none'");
      expect(policy).toContain("form-action 'none'");
      expect(/script-src ([^;]*)/.exec(policy)?.[1]).toBe("'self'");
    }
  });

  it('H9: bounds addresses, heads, messages and connections', async () => {
    const { browser } = await serve();
    const session = await letIn(browser.launchUrl());
    expect((await ask(browser.port, `${session.path}?${'x'.repeat(9000)}`, { headers: { cookie: session.cookie } })).status).toBe(414);
    expect(await raw(browser.port, `GET / HTTP/1.1\r\nHost: 127.0.0.1:${browser.port}\r\nX: ${'y'.repeat(20_000)}\r\n\r\n`)).not.toMatch(/^HTTP\/1.1 [23]/);
    const open = await Promise.all(Array.from({ length: SOCKETS_MAX }, () => openSocket(session, 'api/manager')));
    expect(open.every((port) => typeof port === 'object')).toBe(true);
    expect(await openSocket(session, 'api/manager')).toBe(429);
    const [first] = open;
    if (typeof first !== 'object') throw new Error('refused');
    const closed = new Promise<void>((resolve) => first.onClose(resolve));
    first.post({ m: 'freeName', a: ['x'.repeat(2 << 20)], t: 'q', i: '1' });
    await closed;
    // There is room again.
    await vi.waitFor(async () => {
      const next = await openSocket(session, 'api/manager');
      expect(next).toBeTypeOf('object');
      open.push(next);
    });
    for (const port of open) if (typeof port === 'object') port.dispose();
  });

  it('H10: serves only what is in its table', async () => {
    const { browser } = await serve();
    const session = await letIn(browser.launchUrl());
    const hostile = ['../index.html', '..%2findex.html', '%2e%2e/index.html', '%2e%2e%2f%2e%2e%2fetc/passwd', '..\\index.html', '..%5cindex.html', 'assets/../index.html', 'assets//index-1a.js', '/assets/index-1a.js', './index.html', 'assets/', 'assets', 'index.html', 'index.html/', 'index.html%00.js', '%00', 'assets/index-1a.js%00', 'assets/index-1a.js/', 'assets/INDEX-1A.JS', 'secret.env', '.env', '.git/config', 'assets/index-1a.js;x', 'assets%2findex-1a.js', 'assets/%69ndex-1a.js', '....//index.html', '%c0%ae%c0%ae/index.html', '%252e%252e/index.html', 'C:/index.html', 'file:///etc/passwd', 'http://evil.test/', '//evil.test/', 'assets/*', 'assets/index-1a', '~root', 'etc/passwd', 'proc/self/environ', 'constructor', '__proto__', 'toString'];
    expect(hostile.length).toBeGreaterThanOrEqual(40);
    for (const path of hostile) {
      const answer = await ask(browser.port, `${session.path}${path}`, { headers: { cookie: session.cookie } });
      expect([answer.status, answer.body], path).toEqual([404, '']);
    }
    expect((await ask(browser.port, `${session.path}assets/index-1a.js`, { headers: { cookie: session.cookie } })).body).toBe('export {};');
    expect((await ask(browser.port, 'http://127.0.0.1/')).status).toBeGreaterThanOrEqual(400);
  });

  it('H11: stops trying codes after ten failures, while those who are in stay in', async () => {
    const { browser, url, audit } = await serve();
    const session = await letIn(browser.launchUrl());
    const statuses: number[] = [];
    for (let i = 0; i < 14; i++) {
      statuses.push((await ask(browser.port, '/launch', { method: 'POST', headers: { origin: url, 'content-type': 'application/json' }, body: JSON.stringify({ code: `guess-${i}` }) })).status);
    }
    expect(statuses.filter((status) => status === 401)).toHaveLength(10);
    expect(statuses.slice(10)).toEqual([429, 429, 429, 429]);
    expect((await ask(browser.port, session.path, { headers: { cookie: session.cookie } })).status).toBe(200);
    expect(audit.filter((line) => line.includes('wrong launch code'))).toHaveLength(10);
    expect(audit.join('\n')).not.toContain('guess-');
  });

  it('H12: only the methods of the API can be called, and none takes a path', async () => {
    const { browser, manager } = await serve();
    const session = await letIn(browser.launchUrl());
    const { manager: remote, port } = await managerClient(session);
    const { id } = await remote.createVm(newVm('vm'));
    const call = (name: string, ...args: unknown[]): Promise<unknown> => (remote.$call as (method: string, ...list: unknown[]) => Promise<unknown>)(name, ...args);
    for (const name of ['constructor', 'toString', '__proto__', 'hasOwnProperty', 'adoptPath', 'launchUrl', 'shutDown', 'openConsole', '$close']) await expect(call(name), name).rejects.toThrow();
    expect(Object.keys(MANAGER_CHECKS).sort()).toEqual(Object.keys(manager.api).sort());
    const before = JSON.stringify(await remote.listVms());
    // Whatever is thrown at them, methods refuse and the library stays as it is.
    const junk: unknown[][] = [[{}], [[]], [null], ['/etc/passwd', { file: '/etc/passwd' }], [id, { hardware: { firmware: '/etc/shadow' } }], [id, { hardware: { tracePath: '/tmp/x' } }], [id, { name: 5 }], [id, { nope: 1 }], [newVm('x', { directBoot: { kernel: '/boot/vmlinuz', commandLine: '' } })], ['x'.repeat(5000)], [id, -1], [1], [id, id, id, id, id]];
    const harmless = new Set<string>(['cancelTask', 'checkNewVm', 'checkVmChange', 'freeName', 'findMissingMedia']);
    for (const name of Object.keys(MANAGER_CHECKS)) {
      if (harmless.has(name)) continue;
      for (const args of junk) await call(name, ...args).catch((error: unknown) => expect(error, name).toMatchObject({ name: 'NestboxError' }));
    }
    expect(JSON.stringify(await remote.listVms())).toBe(before);
    await expect(remote.checkNewVm(newVm('x', { hardware: { firmware: '/etc/shadow' } }))).rejects.toMatchObject({ kind: 'usage' });
    await expect(remote.createVm(newVm('x', { drives: [{ kind: 'disk', source: 'file', file: '/etc/passwd' }] }))).rejects.toMatchObject({ context: { code: 'file-gone' } });
    port.dispose();
    const api = checkedApi(manager.api) as unknown as Record<string, unknown>;
    expect(Object.keys(api)).toHaveLength(Object.keys(MANAGER_CHECKS).length satisfies number);
    const names: (keyof ManagerApi)[] = Object.keys(MANAGER_CHECKS) as (keyof ManagerApi)[];
    expect(names).toContain('listVms');
  });
});

describe('uploads', () => {
  const upload = (session: BrowserSession, port: number, name: string, body: string, headers: Record<string, string> = {}): Promise<Answer> =>
    ask(port, `${session.path}api/upload`, { method: 'POST', headers: post(session, { 'x-nestbox-file-name': encodeURIComponent(name), 'content-length': String(Buffer.byteLength(body)), ...headers }), body });

  it('takes a dropped file into the inbox, and into the library when a machine uses it', async () => {
    const { browser, manager, root } = await serve();
    const session = await letIn(browser.launchUrl());
    const progress: string[] = [];
    manager.events.on('taskProgress', (entry) => progress.push(`${entry.taskId} ${entry.state}`));
    const image = '\0'.repeat(1474560);
    const answer = await upload(session, browser.port, 'my disk.img', image, { 'x-nestbox-task': 'task-1' });
    expect(answer.status).toBe(200);
    const { file } = JSON.parse(answer.body) as { file: string };
    expect(progress).toContain('task-1 done');
    const vm = await manager.api.createVm(newVm('vm', { drives: [{ kind: 'floppy', source: 'file', file }] }));
    expect(vm.drives[0]?.medium).toMatchObject({ fileName: 'my disk.img', folder: join(root, 'media'), managed: true });
    expect(readFileSync(join(root, 'media', 'my disk.img')).length).toBe(1474560);
  });

  it('takes only plain names, needs a session and a length, and leaves nothing of what is broken off', async () => {
    const { browser, root } = await serve();
    const session = await letIn(browser.launchUrl());
    for (const [name, kept] of [['../../etc/passwd', 'passwd'], ['..\\..\\a.iso', 'a.iso'], ['a/b/c.img', 'c.img'], ['.', 'machine'], ['con.iso', 'machine.iso'], ['a\u0000b', 'a_b'], ['x'.repeat(150) + '.iso', `${'x'.repeat(100)}.iso`]] as const) {
      expect(uploadName(encodeURIComponent(name)), name).toBe(kept);
    }
    for (const name of [undefined, '', '%', '%ff', 'x'.repeat(201)]) expect(uploadName(name)).toBeUndefined();
    expect((await upload({ ...session, cookie: 'nestbox=no' }, browser.port, 'a', 'x')).status).toBe(401);
    expect((await upload(session, browser.port, 'a', 'x', { 'content-length': `${70 * 2 ** 40}` }).catch(() => ({ status: 413 }))).status).toBe(413);
    expect((await ask(browser.port, `${session.path}api/upload`, { method: 'POST', headers: post(session, { 'x-nestbox-file-name': 'a', 'transfer-encoding': 'chunked' }), body: 'x' })).status).toBe(411);
    const head = `POST ${session.path}api/upload HTTP/1.1\r\nHost: 127.0.0.1:${browser.port}\r\nOrigin: ${session.origin}\r\nCookie: ${session.cookie}\r\nX-Nestbox-File-Name: cut.img\r\nContent-Length: 1000000\r\n\r\n`;
    await new Promise<void>((resolve) => {
      const socket = connect(browser.port, '127.0.0.1', () => socket.write(head + 'x'.repeat(5000), () => setTimeout(() => socket.destroy(), 50)));
      socket.once('close', () => resolve());
    });
    await vi.waitFor(() => expect(readdirSync(join(root, 'inbox'))).toEqual([]));
  });
});

it('says in one line when its port is taken', async () => {
  const { manager } = await openLibrary();
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    taken.close();
  });
  const { port } = taken.address() as { port: number };
  await expect(BrowserHost.start({ manager, appFolder: '/nowhere', port })).rejects.toMatchObject({ kind: 'busy', message: new RegExp(`Port ${port}`) });
});
