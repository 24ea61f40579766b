// The app as a user has it: `nestbox serve` in a process of its own with a library of its own, and Debian's Chromium on it.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { type Browser, type BrowserContext, type Locator, type Page, chromium } from 'playwright';
import { buildDemoImage } from '../../core/firmware/demo/demo-image.ts';
import { Manager } from '../../core/manager/manager.ts';
import { FakeVmHost } from '../support/fake-vm-host.ts';
import { projectRoot } from '../support/nestbox.ts';

const CHROMIUM = '/usr/bin/chromium';
export const WAIT_MS = 45_000;

/** Why these tests cannot run here; undefined when they can. */
export const missing = !existsSync(CHROMIUM) ? 'no /usr/bin/chromium' : !existsSync(join(projectRoot, 'dist/renderer/index.html')) ? 'the window is not built (npm run build)' : undefined;
export const xorrisoMissing = ['/usr/bin/xorriso'].some((path) => !existsSync(path));

export interface App {
  readonly root: string;
  readonly context: BrowserContext;
  readonly page: Page;
  readonly host: ChildProcess;
  /** The process that serves. */
  readonly pid: number;
  /** When the host was started, by performance.now(). */
  readonly startedMs: number;
  /** What pages complained about: script errors, refused resources, broken security policy. */
  readonly complaints: string[];
  /** Opens another page of the same session. */
  open(hash: string): Promise<Page>;
  close(): Promise<void>;
}

export interface AppOptions {
  readonly size?: { readonly width: number; readonly height: number };
  /** The host's and the browser's: "en-US", "zh-CN". */
  readonly locale?: string;
  readonly colorScheme?: 'light' | 'dark';
  /** A library that exists already; it is kept. */
  readonly root?: string;
  /** The user's home folder, where the file dialog starts. */
  readonly home?: string;
  /** Number of the user that the host runs as; only root can ask for another one. */
  readonly user?: number;
  /** The browser's empty window is there already when the host starts: what is measured is Nestbox, not Chromium. */
  readonly bare?: boolean;
  /** What the browser lets pages do without asking. */
  readonly permissions?: readonly string[];
}

async function launchBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: CHROMIUM,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
}

async function openWindow(options: AppOptions): Promise<{ readonly browser: Browser; readonly context: BrowserContext; readonly page: Page }> {
  const browser = await launchBrowser();
  const context = await browser.newContext({ viewport: options.size ?? { width: 1280, height: 800 }, locale: options.locale ?? 'en-US', colorScheme: options.colorScheme ?? 'light', reducedMotion: 'reduce', permissions: [...(options.permissions ?? [])] });
  return { browser, context, page: await context.newPage() };
}

/** Resolves with the address that the command prints, and with the process that serves. */
function printed(host: ChildProcess): Promise<{ readonly url: string; readonly pid: number }> {
  return new Promise((resolve, reject) => {
    let text = '';
    host.stdout?.setEncoding('utf8').on('data', (part: string) => {
      text += part;
      const end = text.indexOf('\n');
      if (end >= 0) resolve(JSON.parse(text.slice(0, end)) as { url: string; pid: number });
    });
    host.once('exit', (code) => reject(new Error(`nestbox serve ended with ${String(code)}`)));
  });
}

export async function startApp(options: AppOptions = {}): Promise<App> {
  const root = options.root ?? mkdtempSync(join(tmpdir(), 'nestbox-e2e-'));
  const lang = `${(options.locale ?? 'en-US').replace('-', '_')}.UTF-8`;
  const early = options.bare === true ? await openWindow(options) : undefined;
  const startedMs = performance.now();
  const host = spawn(process.execPath, [join(projectRoot, 'bin/nestbox.mjs'), 'serve', '--no-open', '--json'], {
    env: { ...process.env, NESTBOX_HOME: root, LANG: lang, LC_ALL: lang, LANGUAGE: '', ...(options.home === undefined ? {} : { HOME: options.home }) },
    stdio: ['ignore', 'pipe', 'inherit'],
    ...(options.user === undefined ? {} : { uid: options.user, gid: options.user }),
  });
  const [{ url, pid }, { browser, context, page }] = await Promise.all([printed(host), early ?? openWindow(options)]);
  context.setDefaultTimeout(WAIT_MS);
  const complaints: string[] = [];
  const heed = (heard: Page): void => {
    heard.on('pageerror', (error) => complaints.push(String(error.stack)));
    heard.on('console', (message) => {
      // The launch page is served before the app and has no icon.
      if (message.type() === 'error' && !message.location().url.endsWith('/favicon.ico')) complaints.push(`${message.text()} ${message.location().url}`);
    });
  };
  heed(page);
  context.on('page', heed);
  await page.goto(url);
  await page.locator('#app main').waitFor();
  const base = (): string => page.url().split('#')[0] ?? '';
  return {
    root,
    context,
    page,
    host,
    startedMs,
    pid,
    complaints,
    open: async (hash) => {
      const other = await context.newPage();
      await other.goto(base() + hash);
      await other.locator('#app main').waitFor();
      return other;
    },
    close: async () => {
      await browser.close();
      if (host.exitCode === null) {
        const ended = new Promise((resolve) => host.once('exit', resolve));
        host.kill('SIGINT');
        await ended;
      }
      if (options.root === undefined) rmSync(root, { recursive: true, force: true });
    },
  };
}

/** A library with machines in it, made before the app starts. */
export async function seedLibrary(root: string, count: number): Promise<void> {
  const manager = await Manager.open({ root, host: new FakeVmHost(), version: 'test', shell: 'browser', demo: false });
  const systems = ['debian', 'freedos', 'alpine', 'openbsd', 'windows-xp', 'unknown'];
  for (let index = 0; index < count; index++) {
    await manager.api.createVm({
      name: `Machine ${index + 1}`,
      osId: systems[index % systems.length] ?? 'unknown',
      hardware: { memoryMib: 64 },
      drives: index < 3 ? [{ kind: 'cdrom', source: 'empty' }, { kind: 'disk', source: 'new', sizeBytes: 2 ** 30 }] : [],
      groupPath: index % 2 === 0 ? 'Work/Build' : 'Retro',
      tags: index % 3 === 0 ? ['ci'] : [],
    });
  }
  await manager.close();
}

/** Lets go of files over the window, as dragging them in from the host's file manager does. */
export async function dropFiles(page: Page, ...paths: readonly string[]): Promise<void> {
  const files = paths.map((path) => ({ name: basename(path), bytes: readFileSync(path).toString('base64') }));
  const transfer = await page.evaluateHandle((list) => {
    const data = new DataTransfer();
    for (const { name, bytes } of list) data.items.add(new File([Uint8Array.from(atob(bytes), (character) => character.charCodeAt(0))], name));
    return data;
  }, files);
  await page.dispatchEvent('body', 'dragenter', { dataTransfer: transfer });
  await page.dispatchEvent('body', 'drop', { dataTransfer: transfer });
}

/** The text of the guest's screen in a VM's window, once it matches. */
export async function screenText(window: Page, wanted: RegExp): Promise<string> {
  const text = window.locator('[data-text-screen]');
  await text.filter({ hasText: wanted }).waitFor({ timeout: WAIT_MS });
  return text.innerText();
}

/** Clicks what opens a VM's window and answers that window, with its first frame. */
export async function windowFrom(app: App, click: () => Promise<void>): Promise<Page> {
  const [window] = await Promise.all([app.context.waitForEvent('page'), click()]);
  await window.locator('canvas[data-frames]').waitFor();
  return window;
}

/** A CD that boots the demo guest from its El Torito floppy image. */
export function demoCd(folder: string, volume = 'NESTBOX DEMO'): string {
  const tree = join(folder, 'cd');
  mkdirSync(tree, { recursive: true });
  writeFileSync(join(tree, 'demo.img'), buildDemoImage());
  const path = join(folder, 'demo-cd.iso');
  execFileSync('xorriso', ['-as', 'mkisofs', '-quiet', '-V', volume, '-o', path, '-b', 'demo.img', tree], { stdio: 'ignore' });
  return path;
}

/** Picks a file in the window's file dialog, which shows the home folder. */
export async function pick(page: Page, fileName: string): Promise<void> {
  await dialog(page).getByRole('button', { name: fileName }).click();
}

/** The menu entry of a machine's page. */
export async function more(page: Page, entry: string | RegExp): Promise<void> {
  await page.getByRole('button', { name: 'More actions' }).click();
  await page.getByRole('menuitem', { name: entry }).click();
}

export const dialog = (page: Page): Locator => page.getByRole('dialog').last();
