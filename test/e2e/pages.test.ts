// Every page in every theme and language: nothing for axe to find, nothing wider than the window, all of it by keyboard.

import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AxeBuilder } from '@axe-core/playwright';
import type { Page } from 'playwright';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type App, dialog, dropFiles, missing, screenText, seedLibrary, startApp } from './app.ts';

const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

async function troubles(page: Page): Promise<string[]> {
  const { violations } = await new AxeBuilder({ page }).withTags(TAGS).analyze();
  return violations.flatMap((violation) => violation.nodes.map((node) => `${violation.id}: ${node.target.join(' ')} ${node.failureSummary ?? ''}`));
}

describe.skipIf(missing !== undefined)(`pages of the window${missing === undefined ? '' : ` (skipped: ${missing})`}`, () => {
  let app: App;
  let page: Page;
  const root = mkdtempSync(join(tmpdir(), 'nestbox-pages-'));

  beforeAll(async () => {
    await seedLibrary(root, 14);
    app = await startApp({ root });
    page = app.page;
  });
  afterAll(async () => {
    await app.close();
    rmSync(root, { recursive: true, force: true });
  });

  const show = async (hash: string): Promise<void> => {
    await page.evaluate((next) => (location.hash = next), hash);
    await page.locator('main h1, main h2').first().waitFor();
  };
  /** Settings as the user changes them. */
  const choose = async (label: string, value: string): Promise<void> => {
    await show('#/settings');
    await page.getByLabel(label, { exact: true }).selectOption(value);
  };

  it('follow the language of the host and switch at once', async () => {
    expect(await page.evaluate(() => document.documentElement.lang)).toBe('en');
    await choose('Language', 'zh-CN');
    await page.getByRole('heading', { name: '设置' }).waitFor();
    expect(await page.evaluate(() => document.documentElement.lang)).toBe('zh-CN');
    await choose('语言', 'auto');
    await page.getByRole('heading', { name: 'Settings' }).waitFor();
  });

  const all = ['summary', 'hardware', 'snapshots', 'media', 'activity', 'logs'];
  const looks = [
    ['light', 'en', 1280, 800, all],
    ['dark', 'zh-CN', 800, 600, all],
    ['contrast', 'en', 800, 600, ['summary', 'media']],
  ] as const;
  it.each(looks)('are clean in %s, %s, %i x %i', async (theme, language, width, height, tabs) => {
    await page.setViewportSize({ width, height });
    await show('#/settings');
    const settings = page.locator('main select');
    await settings.nth(1).selectOption(theme);
    await settings.nth(0).selectOption(language);
    await expect.poll(() => page.evaluate(() => [document.documentElement.dataset['theme'], document.documentElement.lang])).toEqual([theme, language]);
    const first = await page.evaluate(() => location.hash);
    expect(first).toBe('#/settings');
    const found: string[] = [];
    const look = async (name: string): Promise<void> => {
      found.push(...(await troubles(page)).map((line) => `${name} ${line}`));
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      if (wide > 0) found.push(`${name} is ${wide} px wider than the window`);
    };
    await look('settings');
    await show('#/machines');
    await page.locator('[data-index="0"]').waitFor();
    await look('machines');
    await page.locator('[data-index="0"]').click();
    for (const tab of tabs) {
      await page.locator(`[data-tab="${tab}"]`).click();
      await page.getByRole('tabpanel').locator(':scope > *').last().waitFor();
      await look(tab);
    }
    await page.keyboard.press('Alt+n');
    await dialog(page).waitFor();
    const folded = dialog(page).locator('button[aria-controls][aria-expanded=false]');
    while ((await folded.count()) > 0) await folded.first().click();
    await look('new machine');
    await page.keyboard.press('Escape');
    await expect.poll(() => page.getByRole('dialog').count()).toBe(0);
    for (const hash of tabs === all ? ['#/media', '#/host', '#/about'] : ['#/media']) {
      await show(hash);
      await look(hash);
    }
    expect(found).toEqual([]);
  });

  it('work by keyboard alone: find, open, make, edit and delete', async () => {
    await page.setViewportSize({ width: 1280, height: 800 });
    await show('#/settings');
    await page.locator('main select').nth(0).selectOption('en');
    await page.locator('main select').nth(1).selectOption('light');
    await show('#/machines');
    await page.locator('[data-index="0"]').focus();
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowDown');
    const focused = await page.evaluate(() => document.activeElement?.getAttribute('aria-label'));
    expect(focused).toMatch(/^Machine \d+, Off$/);
    await page.keyboard.press('End');
    expect(await page.evaluate(() => document.activeElement?.getAttribute('aria-label'))).toBe('Nestbox demo, Off');
    await page.keyboard.press('Control+f');
    await page.keyboard.type('machine 12');
    await page.getByRole('button', { name: 'Machine 12, Off' }).waitFor();
    await expect.poll(() => page.locator('[data-index]').count()).toBe(1);
    await page.locator('[data-index="0"]').focus();
    await page.keyboard.press('Shift+F10');
    await page.getByRole('menuitem', { name: 'Start' }).waitFor();
    await page.keyboard.press('Escape');
    await page.keyboard.press('F2');
    const sheet = dialog(page);
    await expect.poll(() => sheet.getByLabel('Name', { exact: true }).evaluate((field) => field === document.activeElement)).toBe(true);
    await page.keyboard.press('Control+a');
    await page.keyboard.type('By keyboard');
    await expect.poll(() => sheet.getByRole('button', { name: 'Save' }).isEnabled()).toBe(true);
    await sheet.getByRole('button', { name: 'Save' }).focus();
    await page.keyboard.press('Enter');
    await page.getByText('Settings of By keyboard saved').waitFor();
    await page.keyboard.press('Control+f');
    await page.keyboard.press('Control+a');
    await page.keyboard.type('by key');
    await page.getByRole('button', { name: 'By keyboard, Off' }).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'By keyboard' }).waitFor();
    await page.getByRole('tab', { name: 'Summary' }).focus();
    await page.keyboard.press('ArrowRight');
    await expect.poll(() => page.getByRole('tab', { name: 'Hardware' }).getAttribute('aria-selected')).toBe('true');
    await show('#/machines');
    await page.getByRole('button', { name: 'By keyboard, Off' }).focus();
    await page.keyboard.press('Delete');
    await dialog(page).getByRole('button', { name: 'Delete', exact: true }).focus();
    await page.keyboard.press('Enter');
    await page.getByText('By keyboard deleted').waitFor();
    await page.keyboard.press('Control+f');
    await page.keyboard.press('Escape');
    // Make one and start it: the window opens, its screen has the keyboard.
    await page.keyboard.press('Alt+n');
    await expect.poll(() => dialog(page).getByLabel('Name', { exact: true }).inputValue()).not.toBe('');
    await dialog(page).getByRole('button', { name: 'Create and start' }).focus();
    await expect.poll(() => dialog(page).getByRole('button', { name: 'Create and start' }).isEnabled()).toBe(true);
    const [window] = await Promise.all([app.context.waitForEvent('page'), page.keyboard.press('Enter')]);
    await screenText(window, /boot/i);
    await expect.poll(() => window.evaluate(() => document.activeElement?.hasAttribute('data-screen'))).toBe(true);
    expect(await troubles(window)).toEqual([]);
    await window.close();
  });

  it('say what is wrong with what is dropped, and lose nothing', async () => {
    await page.bringToFront();
    const drops: readonly (readonly [string, (path: string) => void, RegExp])[] = [
      ['notes.txt', (path) => writeFileSync(path, 'Buy milk.\n'.repeat(40)), /not a disk, CD or floppy image|looks like a disk/],
      ['nothing.iso', (path) => writeFileSync(path, ''), /empty \(0 bytes\)/],
      ['noise.iso', (path) => { writeFileSync(path, ''); truncateSync(path, 700_001); }, /looks like a disk|not bootable|No boot loader/],
    ];
    const machines = await page.getByText('All machines').first().locator('..').innerText();
    for (const [name, make, wanted] of drops) {
      const path = join(root, name);
      make(path);
      await dropFiles(page, path);
      await page.getByText(wanted).first().waitFor();
      await page.getByRole('button', { name: 'Close' }).last().click();
      await expect.poll(() => page.getByRole('dialog').count()).toBe(0);
    }
    expect(await page.getByText('All machines').first().locator('..').innerText()).toBe(machines);
  });

  it('left no complaint', () => {
    expect(app.complaints).toEqual([]);
  });
});
