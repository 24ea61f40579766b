// FreeDOS from a dropped floppy: the prompt, commands, text that can be selected, another floppy.

import { copyFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { projectRoot } from '../support/nestbox.ts';
import { type App, dialog, dropFiles, missing, screenText, startApp, windowFrom } from './app.ts';

const floppy = join(projectRoot, '../shared/guests/freedos-1.4MB.img');
const reason = missing ?? (existsSync(floppy) ? undefined : 'no collected guests');

describe.skipIf(reason !== undefined)(`FreeDOS in the window${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  let app: App;
  let window: Page;

  beforeAll(async () => {
    app = await startApp({ locale: 'zh-CN', colorScheme: 'dark' });
  });
  afterAll(() => app.close());

  it('is recognised and runs, in Chinese', async () => {
    await dropFiles(app.page, floppy);
    await dialog(app.page).getByRole('heading', { name: 'FreeDOS' }).waitFor();
    window = await windowFrom(app, () => dialog(app.page).getByRole('button', { name: '创建并启动' }).click());
    await screenText(window, /A:\\>/);
  });

  it('lists a folder', async () => {
    await window.locator('[data-screen]').focus();
    await window.keyboard.type('dir\n');
    const text = await screenText(window, /bytes free/);
    expect(text).toMatch(/KERNEL +SYS/);
    expect(text).toMatch(/5 file\(s\)/);
  });

  it('lets its text be selected and copied', async () => {
    await window.locator('[data-text-screen] > div', { hasText: 'KERNEL' }).click({ clickCount: 3 });
    expect(await window.evaluate(() => getSelection()?.toString().trim())).toMatch(/^KERNEL +SYS +45,450/);
  });

  it('resets', async () => {
    await window.getByRole('button', { name: '电源' }).click();
    await window.getByRole('menuitem', { name: '重置' }).click();
    await window.getByRole('alertdialog').getByRole('button', { name: '重置' }).click();
    await expect.poll(async () => (await screenText(window, /A:\\>/)).includes('bytes free')).toBe(false);
  });

  it('takes another floppy that is dropped on its window', async () => {
    const other = join(app.root, 'other.img');
    copyFileSync(join(projectRoot, '../shared/guests/freedos-720K.img'), other);
    await dropFiles(window, other);
    await window.getByText('已插入 other.img').waitFor();
    await window.locator('[data-screen]').focus();
    await window.keyboard.type('cls\ndir\n');
    const text = await screenText(window, /bytes free/);
    expect(text).not.toContain('1,337,344 bytes free');
  });

  it('left no complaint', () => {
    expect(app.complaints).toEqual([]);
  });
});
