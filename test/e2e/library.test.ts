// The library at work over real files and processes: copies, disks taken in, media found again, order and search.

import { execFileSync, spawnSync } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { projectRoot } from '../support/nestbox.ts';
import { makeOva } from '../support/ova.ts';
import { type App, dialog, dropFiles, missing, more, pick, screenText, startApp, windowFrom } from './app.ts';

const reason = missing ?? (existsSync('/usr/bin/qemu-img') ? undefined : 'no qemu-img');
const MIB = 2 ** 20;

describe.skipIf(reason !== undefined)(`the library in the window${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  let app: App;
  let page: Page;
  const home = mkdtempSync(join(tmpdir(), 'nestbox-home-'));
  const raw = join(home, 'original.raw');
  const disks = (): string => join(app.root, 'disks');
  const same = (path: string): boolean => spawnSync('qemu-img', ['compare', '-f', 'raw', '-F', 'qcow2', raw, path]).status === 0;

  beforeAll(async () => {
    const bytes = new Uint8Array(4 * MIB);
    randomFillSync(bytes, MIB, 100_000);
    writeFileSync(raw, bytes);
    execFileSync('qemu-img', ['convert', '-f', 'raw', '-O', 'vdi', raw, join(home, 'from-elsewhere.vdi')]);
    app = await startApp({ home });
    page = app.page;
  });
  afterAll(async () => {
    await app.close();
    rmSync(home, { recursive: true, force: true });
  });

  it('imports a disk image of another product', async () => {
    await page.getByRole('link', { name: 'Disks and media' }).click();
    await page.getByRole('button', { name: 'Import a disk…' }).click();
    await dialog(page).getByRole('button', { name: 'Choose' }).click();
    await pick(page, 'from-elsewhere.vdi');
    await dialog(page).getByLabel('Name', { exact: true }).fill('Taken in');
    await dialog(page).getByRole('button', { name: 'Import', exact: true }).click();
    await page.getByText('Taken in.qcow2 imported').waitFor();
    await page.getByRole('main').getByText('Taken in.qcow2', { exact: true }).waitFor();
    expect(same(join(disks(), 'Taken in.qcow2'))).toBe(true);
  });

  it('says what is wrong with a file that is no disk', async () => {
    writeFileSync(join(home, 'letter.img'), 'Dear Sir or Madam,\n'.repeat(100));
    await page.getByRole('button', { name: 'Import a disk…' }).click();
    await dialog(page).getByRole('button', { name: 'Choose' }).click();
    await pick(page, 'letter.img');
    await dialog(page).getByRole('button', { name: 'Import', exact: true }).click();
    await dialog(page).getByText(/is a text file, not a disk image/).waitFor();
    await page.keyboard.press('Escape');
  });

  it('makes a machine of a disk in the library, with group and tags', async () => {
    await page.getByRole('link', { name: /All machines/ }).click();
    await page.getByRole('button', { name: 'New machine' }).click();
    const sheet = dialog(page);
    await sheet.getByLabel('Name', { exact: true }).fill('First');
    await sheet.getByRole('button', { name: /^Drives/ }).click();
    await sheet.getByRole('button', { name: 'Remove New disk' }).click();
    await sheet.getByRole('button', { name: 'Add drive' }).click();
    await page.getByRole('menuitem', { name: 'From the library' }).hover();
    await page.getByRole('menuitem', { name: 'Taken in.qcow2' }).click();
    await sheet.getByRole('button', { name: /^Group, tags and notes/ }).click();
    await sheet.getByLabel('Group', { exact: true }).fill('Work/Build');
    await sheet.getByLabel('Tags').fill('ci, nightly');
    await sheet.getByRole('button', { name: 'Create', exact: true }).click();
    await page.getByRole('heading', { name: 'First' }).waitFor();
  });

  it('clones it whole, into a disk of its own', async () => {
    await more(page, 'Clone…');
    await dialog(page).getByLabel('Name', { exact: true }).fill('Second');
    await dialog(page).getByRole('button', { name: 'Clone', exact: true }).click();
    await page.getByRole('heading', { name: 'Second' }).waitFor();
    const copy = join(disks(), 'Second.qcow2');
    expect(same(copy)).toBe(true);
    expect(execFileSync('qemu-img', ['info', copy], { encoding: 'utf8' })).not.toContain('backing file');
  });

  it('clones it linked, both on the common content', async () => {
    await more(page, 'Clone…');
    await dialog(page).getByLabel('Name', { exact: true }).fill('Third');
    await dialog(page).getByRole('radio', { name: /Linked copy/ }).check();
    await dialog(page).getByRole('button', { name: 'Clone', exact: true }).click();
    await page.getByRole('heading', { name: 'Third' }).waitFor();
    expect(execFileSync('qemu-img', ['info', join(disks(), 'Third.qcow2')], { encoding: 'utf8' })).toContain('backing file: Second.qcow2');
    expect(same(join(disks(), 'Third.qcow2'))).toBe(true);
  });

  it('refuses a clone under a name that is taken', async () => {
    await more(page, 'Clone…');
    await dialog(page).getByLabel('Name', { exact: true }).fill('First');
    await dialog(page).getByRole('button', { name: 'Clone', exact: true }).click();
    await dialog(page).getByText('There is a machine named First already').waitFor();
    await page.keyboard.press('Escape');
  });

  it('finds media that were moved, and takes their new place from the user', async () => {
    const moved = join(home, 'moved');
    mkdirSync(moved);
    renameSync(join(disks(), 'Second.qcow2'), join(moved, 'Second.qcow2'));
    await page.getByRole('link', { name: 'Disks and media' }).click();
    await page.getByText(/A file is missing|files are missing/).first().waitFor();
    await page.getByRole('button', { name: 'Actions for Second.qcow2' }).click();
    await page.getByRole('menuitem', { name: 'Choose its new place…' }).click();
    await pick(page, 'moved');
    await pick(page, 'Second.qcow2');
    await expect.poll(() => page.getByText('The file is missing').count()).toBe(0);
    await page.getByText(moved, { exact: true }).waitFor();
    // And back: it is found beside the other disks without asking.
    renameSync(join(moved, 'Second.qcow2'), join(disks(), 'Second.qcow2'));
    await page.getByRole('link', { name: /All machines/ }).click();
    await page.getByRole('link', { name: 'Disks and media' }).click();
    await page.getByRole('button', { name: 'Look for missing files' }).click();
    await page.getByText('1 file found again').waitFor();
  });

  it('keeps the disks of a deleted machine when told so', async () => {
    await page.getByRole('link', { name: /All machines/ }).click();
    await page.getByRole('button', { name: 'First, Off' }).click();
    await more(page, 'Delete…');
    await dialog(page).getByRole('radio', { name: 'Keep the disks' }).check();
    await dialog(page).getByRole('button', { name: 'Delete', exact: true }).click();
    await page.getByText('First deleted').waitFor();
    expect(same(join(disks(), 'Taken in.qcow2'))).toBe(true);
  });

  it('makes a machine of a dropped appliance', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'nestbox-ova-'));
    const ova = makeOva(folder, raw, { name: 'From elsewhere' });
    await dropFiles(page, ova);
    const sheet = dialog(page);
    await sheet.getByRole('heading', { name: 'Debian' }).waitFor();
    expect(await sheet.getByLabel('Name', { exact: true }).inputValue()).toBe('From elsewhere');
    await sheet.getByRole('button', { name: 'Create', exact: true }).click();
    await page.getByRole('heading', { name: 'From elsewhere' }).waitFor();
    expect(same(join(disks(), 'From elsewhere.qcow2'))).toBe(true);
    rmSync(folder, { recursive: true, force: true });
  });

  it('takes what `nestbox export` wrote, also while the window holds the library', async () => {
    // From the window first: into the user's folder for downloads.
    mkdirSync(join(home, 'Downloads'));
    await more(page, 'Export…');
    await dialog(page).getByRole('button', { name: 'Export', exact: true }).click();
    await page.getByText(`From elsewhere.nestbox is in ${join(home, 'Downloads')}`).waitFor();
    expect(execFileSync('tar', ['tf', join(home, 'Downloads', 'From elsewhere.nestbox')], { encoding: 'utf8' })).toBe('machine.json\ndisk1.qcow2\n');
    const file = join(home, 'gift.nestbox');
    execFileSync(process.execPath, [join(projectRoot, 'bin/nestbox.mjs'), 'export', 'From elsewhere', file], { env: { ...process.env, NESTBOX_HOME: app.root } });
    await dropFiles(page, file);
    await dialog(page).getByLabel('Name', { exact: true }).fill('Come back');
    await dialog(page).getByRole('button', { name: 'Create', exact: true }).click();
    await page.getByRole('heading', { name: 'Come back' }).waitFor();
    expect(same(join(disks(), 'Come back.qcow2'))).toBe(true);
  });

  it('lets a firmware be chosen', async () => {
    await page.getByRole('button', { name: 'Edit settings' }).first().click();
    const sheet = dialog(page);
    await sheet.getByRole('button', { name: /^System/ }).click();
    writeFileSync(join(home, 'short.bin'), new Uint8Array(1000));
    await sheet.getByRole('button', { name: 'Choose a firmware image' }).click();
    await pick(page, 'short.bin');
    await sheet.getByText(/short.bin is no firmware image/).waitFor();
    expect(await sheet.getByRole('button', { name: 'Save' }).isDisabled()).toBe(true);
    writeFileSync(join(home, 'own.bin'), new Uint8Array(65_536));
    await sheet.getByRole('button', { name: 'Choose a firmware image' }).click();
    await pick(page, 'own.bin');
    await expect.poll(() => sheet.getByRole('button', { name: 'Save' }).isEnabled()).toBe(true);
    await sheet.getByRole('button', { name: 'Save' }).click();
    await page.getByText('Settings of Come back saved').waitFor();
    await page.getByRole('tab', { name: 'Hardware' }).click();
    await page.locator('dl > div', { hasText: 'Firmware' }).getByText('own.bin').waitFor();
  });

  it('shows groups, tags and a search, in the order that is chosen', async () => {
    await page.getByRole('link', { name: /All machines/ }).click();
    const names = async (): Promise<string[]> => page.locator('[data-index]').evaluateAll((cards) => cards.map((card) => (card.getAttribute('aria-label') ?? '').replace(/, .*/, '')));
    await page.getByRole('button', { name: 'Sort by' }).click();
    await page.getByRole('menuitemcheckbox', { name: 'Name' }).or(page.getByRole('menuitemradio', { name: 'Name' })).or(page.getByRole('menuitem', { name: 'Name' })).first().click();
    await expect.poll(names).toEqual(['Come back', 'From elsewhere', 'Nestbox demo', 'Second', 'Third']);
    await page.getByRole('button', { name: 'Sort by' }).click();
    await page.getByRole('menu').getByText('Newest first').click();
    await expect.poll(names).toEqual(['Come back', 'From elsewhere', 'Third', 'Second', 'Nestbox demo']);
    await page.getByRole('link', { name: /Build/ }).click();
    await expect.poll(names).toEqual(['Third', 'Second']);
    await page.getByRole('link', { name: /nightly/ }).click();
    await expect.poll(names).toEqual(['Third', 'Second']);
    await page.getByRole('link', { name: /All machines/ }).click();
    await page.getByRole('searchbox').fill('thi');
    await expect.poll(names).toEqual(['Third']);
    await page.getByRole('searchbox').fill('');
  });

  it('graphs what a running machine does', async () => {
    await page.getByRole('button', { name: 'Nestbox demo, Off' }).click();
    const window = await windowFrom(app, () => page.getByRole('button', { name: 'Start', exact: true }).first().click());
    await screenText(window, /all passed/);
    await page.bringToFront();
    await page.getByRole('tab', { name: 'Activity' }).click();
    await page.locator('.uplot canvas').nth(2).waitFor();
    const value = async (name: string): Promise<string> => page.getByRole('tabpanel').locator('section', { hasText: name }).first().innerText();
    for (const name of ['Processor', 'Memory', 'Disk']) expect(await value(name)).toMatch(/\d/);
    expect(await value('Network')).toContain('no network card');
    await expect.poll(async () => Number(/([\d.,]+) MiB/.exec(await value('Memory'))?.[1] ?? 0)).toBeGreaterThan(20);
    await page.getByRole('tab', { name: 'Log' }).click();
    await page.getByRole('log').getByText(/Starting \(process \d+\)/).waitFor();
    await page.getByRole('searchbox', { name: 'Search the log' }).fill('no line has this');
    await expect.poll(() => page.getByRole('log').getByText(/Starting/).count()).toBe(0);
    expect(app.complaints).toEqual([]);
  });
});
