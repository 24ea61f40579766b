// What the window says when something is wrong with the library or the host, in words and without losing anything.

import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, openSync, readFileSync, readdirSync, rmSync, writeFileSync, writeSync, closeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type App, type AppOptions, dialog, missing, seedLibrary, startApp } from './app.ts';

/** Where SQLite keeps user_version in a database file (the file format's header). */
const USER_VERSION_AT = 60;
const NOBODY = 65_534;

describe.skipIf(missing !== undefined)(`troubles${missing === undefined ? '' : ` (skipped: ${missing})`}`, () => {
  let folder: string;
  let root: string;
  let app: App | undefined;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'nestbox-troubles-'));
    root = join(folder, 'library');
  });
  afterEach(async () => {
    await app?.close();
    app = undefined;
    spawnSync('umount', ['-l', folder]);
    rmSync(folder, { recursive: true, force: true });
  });

  async function start(options: AppOptions = {}): Promise<Page> {
    app = await startApp({ root, ...options });
    return app.page;
  }
  const machines = (page: Page): Promise<string[]> => page.locator('[data-index]').evaluateAll((cards) => cards.map((card) => card.getAttribute('aria-label') ?? ''));

  it('a registry of a newer version: said in the window, not touched, opened when it can be', async () => {
    await seedLibrary(root, 2);
    const registry = join(root, 'registry.db');
    const before = readFileSync(registry);
    const newer = Buffer.from(before);
    newer.writeUInt32BE(999, USER_VERSION_AT);
    writeFileSync(registry, newer);
    const page = await start();
    await page.getByRole('main').getByText(/written by a newer Nestbox/).waitFor();
    await page.getByText(registry).waitFor();
    expect(readFileSync(registry).equals(newer)).toBe(true);
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.getByRole('main').getByText(/written by a newer Nestbox/).waitFor();
    writeFileSync(registry, before);
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.locator('[data-index]').first().waitFor();
    expect(await machines(page)).toEqual(['Machine 1, Off', 'Machine 2, Off', 'Nestbox demo, Off']);
  });

  it('a corrupt registry: said in the window and in its language, not touched, the disks stay', async () => {
    await seedLibrary(root, 2);
    const registry = join(root, 'registry.db');
    const file = openSync(registry, 'r+');
    for (let at = 4096; at < readFileSync(registry).length; at += 4096) writeSync(file, Buffer.alloc(900, 0xa5), 0, 900, at);
    closeSync(file);
    const before = readFileSync(registry);
    const disks = readdirSync(join(root, 'disks'));
    expect(disks.length).toBeGreaterThan(0);
    const page = await start({ locale: 'zh-CN' });
    await page.getByRole('main').getByText(/注册表已损坏/).waitFor();
    expect(readFileSync(registry).equals(before)).toBe(true);
    expect(readdirSync(join(root, 'disks'))).toEqual(disks);
    // Of the copy that was made when the library was closed.
    await page.getByRole('main').getByText(/最新副本：.*其中虚拟机：2 台/).waitFor();
    await page.getByRole('button', { name: '恢复副本' }).click();
    await page.locator('[data-index]').first().waitFor();
    expect((await machines(page)).filter((label) => label.startsWith('Machine'))).toHaveLength(2);
    const [kept] = readdirSync(root).filter((name) => /^registry\.db\.damaged-\d{8}T\d{6}Z$/.test(name));
    expect(readFileSync(join(root, kept ?? '')).equals(before)).toBe(true);
    await page.getByText(new RegExp(`损坏的文件保留为.*${kept}`)).waitFor();
    expect(readdirSync(join(root, 'disks'))).toEqual(disks);
    await page.locator('[data-index]').first().click();
    await page.getByRole('article', { name: 'Machine 1' }).waitFor();
  });

  it('a corrupt registry without a copy: a new library, with the old one and every file of it kept', async () => {
    await seedLibrary(root, 2);
    const registry = join(root, 'registry.db');
    writeFileSync(registry, 'no database at all');
    rmSync(join(root, 'registry.db.backup-latest'));
    // A layer and a state of a snapshot that only the old registry knows.
    writeFileSync(join(root, 'disks', `layer-${'a'.repeat(32)}.qcow2`), 'layer');
    mkdirSync(join(root, 'states'), { recursive: true });
    writeFileSync(join(root, 'states', `${'b'.repeat(32)}.state`), 'state');
    const files = (): string[] => ['disks', 'states'].flatMap((name) => readdirSync(join(root, name))).sort();
    const before = files();
    const page = await start();
    await page.getByText('There is no copy that could be restored.').waitFor();
    expect(await page.getByRole('button', { name: 'Restore the copy' }).count()).toBe(0);
    await page.getByRole('button', { name: 'Start with an empty library' }).click();
    await page.locator('[data-index]').first().waitFor();
    expect(await machines(page)).toEqual(['Nestbox demo, Off']);
    await page.getByText(/This is a new library\. The damaged list is kept/).waitFor();
    const [kept] = readdirSync(root).filter((name) => name.startsWith('registry.db.damaged-'));
    expect(readFileSync(join(root, kept ?? ''), 'utf8')).toBe('no database at all');
    await app?.close();
    expect(files()).toEqual(before);
    // The next start clears nothing away either.
    await (await start()).locator('[data-index]').first().waitFor();
    expect(files()).toEqual(before);
  });

  it('a folder for disks that may not be written: named in the sheet, nothing is half made', async ({ skip }) => {
    const isRoot = process.getuid?.() === 0;
    if (process.platform === 'win32') skip('Windows has other permissions');
    await seedLibrary(root, 1);
    const disks = join(root, 'disks');
    // Root may write everywhere: another user does the work then.
    if (isRoot) execFileSync('chown', ['-R', `${NOBODY}:${NOBODY}`, folder]);
    chmodSync(disks, 0o500);
    const page = await start(isRoot ? { user: NOBODY, home: folder } : {});
    await page.locator('[data-index]').first().waitFor();
    await page.getByRole('button', { name: 'New machine' }).click();
    await dialog(page).getByLabel('Name', { exact: true }).fill('Not to be');
    await dialog(page).getByRole('button', { name: 'Create', exact: true }).click();
    await dialog(page).getByRole('alert').getByText(disks).waitFor();
    await dialog(page).getByRole('alert').getByText(/permission denied/i).waitFor();
    await page.keyboard.press('Escape');
    chmodSync(disks, 0o700);
    await page.reload();
    await page.locator('[data-index]').first().waitFor();
    expect(await machines(page)).toEqual(['Machine 1, Off', 'Nestbox demo, Off']);
    await page.getByRole('button', { name: 'New machine' }).click();
    await dialog(page).getByLabel('Name', { exact: true }).fill('Now it is');
    await dialog(page).getByRole('button', { name: 'Create', exact: true }).click();
    await page.getByRole('heading', { name: 'Now it is' }).waitFor();
  });

  it('a full disk: said in the sheet, the machines stay, and it goes on when there is room', async ({ skip }) => {
    if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', folder]).status !== 0) {
      skip('mounting a tmpfs is not allowed here');
      return;
    }
    await seedLibrary(root, 1);
    const page = await start();
    await page.locator('[data-index]').first().waitFor();
    const before = readdirSync(join(root, 'disks'));
    const ballast = join(folder, 'ballast');
    expect(() => writeFileSync(ballast, new Uint8Array(64 * 2 ** 20))).toThrow();
    await page.getByRole('button', { name: 'New machine' }).click();
    await dialog(page).getByLabel('Name', { exact: true }).fill('No room');
    await dialog(page).getByText(/may grow to/).waitFor();
    await dialog(page).getByRole('button', { name: 'Create', exact: true }).click();
    await dialog(page).getByRole('alert').getByText(/disk of this computer is full/).waitFor();
    expect(readdirSync(join(root, 'disks'))).toEqual(before);
    rmSync(ballast);
    await dialog(page).getByRole('button', { name: 'Create', exact: true }).click();
    await page.getByRole('heading', { name: 'No room' }).waitFor();
    await page.getByRole('link', { name: /All machines/ }).click();
    await expect.poll(() => machines(page)).toEqual(['Machine 1, Off', 'Nestbox demo, Off', 'No room, Off']);
  });

  it('names with slashes, quotes, 300 characters and of others, and memory beyond this computer’s, in a new machine', async () => {
    mkdirSync(root);
    const page = await start();
    await page.locator('[data-index]').first().waitFor();
    await page.getByRole('button', { name: 'New machine' }).click();
    const sheet = dialog(page);
    const name = sheet.getByLabel('Name', { exact: true });
    const create = sheet.getByRole('button', { name: 'Create', exact: true });
    await expect.poll(() => name.inputValue()).not.toBe('');
    const wrong: readonly (readonly [string, RegExp])[] = [
      ['a/b\\c', /may not contain \/ \\/],
      ['"quoted"', /may not contain "/],
      ['n'.repeat(300), /has 300 characters; \d+ are allowed/],
      ['Nestbox demo', /There is a machine named Nestbox demo already/],
      ['NESTBOX DEMO', /There is a machine named NESTBOX DEMO already/],
      [' spaced ', /may not start or end with a space/],
    ];
    for (const [text, reason] of wrong) {
      await name.fill(text);
      await sheet.getByRole('alert').getByText(reason).waitFor();
      expect(await create.isDisabled(), text).toBe(true);
    }
    await name.fill('It’s a 机器 (1)');
    const memory = sheet.getByRole('spinbutton', { name: 'Memory' });
    await memory.fill('99999999');
    await sheet.getByText(/This computer has \d+ MiB of memory in all/).waitFor();
    expect(await create.isDisabled()).toBe(true);
    await memory.fill('64');
    await expect.poll(() => create.isEnabled()).toBe(true);
    await create.click();
    await page.getByRole('heading', { name: 'It’s a 机器 (1)' }).waitFor();
    expect(app?.complaints).toEqual([]);
  });
});
