// One machine's life in the window, with real processes: dropped, started, typed into, pictured, changed, killed, deleted.

import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Page } from 'playwright';
import { type App, WAIT_MS, demoCd, dialog, dropFiles, missing, screenText, startApp, windowFrom, xorrisoMissing } from './app.ts';

const reason = missing ?? (xorrisoMissing ? 'no xorriso' : undefined);

describe.skipIf(reason !== undefined)(`a machine from a dropped CD${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  let app: App;
  let window: Page;

  beforeAll(async () => {
    app = await startApp();
  });
  afterAll(() => app.close());

  it('runs after a drop and one click', async () => {
    await dropFiles(app.page, demoCd(app.root));
    const sheet = dialog(app.page);
    await sheet.getByText('demo-cd.iso').first().waitFor();
    // The main action has the focus: Enter would do.
    await expect.poll(() => sheet.getByRole('button', { name: 'Create and start' }).evaluate((button) => button === document.activeElement)).toBe(true);
    await sheet.getByLabel('Name').fill('From a CD');
    window = await windowFrom(app, () => sheet.getByRole('button', { name: 'Create and start' }).click());
    await screenText(window, /all passed/);
    expect(await window.locator('[data-status=engine]').innerText()).not.toBe('');
    await window.locator('[data-status=jit]', { hasText: /\d+\s?% compiled · [\d,]+ blocks · \d+\.\d s compiling · .+ of code/ }).waitFor();
  });

  it('takes keys by their place and shows what they do', async () => {
    await window.locator('[data-screen]').focus();
    await window.keyboard.type('hello');
    await screenText(window, /Type here: +hello/);
    // Ctrl+Alt alone leaves the screen for the toolbar.
    await window.keyboard.down('Control');
    await window.keyboard.down('Alt');
    await window.keyboard.up('Alt');
    await window.keyboard.up('Control');
    expect(await window.evaluate(() => document.activeElement?.closest('[data-screen]') === null && document.activeElement?.tagName)).toBe('BUTTON');
  });

  it('types a pasted text key by key', async () => {
    await window.getByRole('button', { name: 'Type text' }).click();
    await dialog(window).getByLabel('Text').fill('XY 12');
    await dialog(window).getByRole('button', { name: /Type 5/ }).click();
    await screenText(window, /XY 12/);
  });

  it('has a serial console that shows what came before and takes keys', async () => {
    const [serial] = await Promise.all([app.context.waitForEvent('page'), window.getByRole('button', { name: 'Serial console' }).click()]);
    const rows = serial.locator('.xterm-rows');
    await rows.filter({ hasText: 'NESTBOX DEMO READY' }).waitFor();
    await serial.locator('textarea').first().focus();
    await serial.keyboard.type('q');
    await rows.filter({ hasText: /key: q/ }).waitFor();
    // A terminal whose font was not there when it was opened has cells twice as wide.
    const wide = await rows.evaluate((element) => Math.max(0, ...[...element.querySelectorAll('span')].map((span) => span.getBoundingClientRect().width / Math.max(1, span.textContent.length))));
    expect(wide).toBeLessThan(10);
    await serial.close();
  });

  it('saves a picture that is what the window shows', async () => {
    // The clock ticks once a second: the two pictures must be of the same second.
    await expect
      .poll(
        async () => {
          const download = window.waitForEvent('download');
          await window.getByRole('button', { name: 'Save a screenshot' }).click();
          const path = await (await download).path();
          const png = readFileSync(path).toString('base64');
          return window.evaluate(async (bytes) => {
            const picture = await createImageBitmap(new Blob([Uint8Array.from(atob(bytes), (character) => character.charCodeAt(0))], { type: 'image/png' }));
            const canvas = document.querySelector('canvas');
            const copy = document.createElement('canvas');
            if (canvas === null || picture.width !== canvas.width || picture.height !== canvas.height) return -1;
            copy.width = picture.width;
            copy.height = picture.height;
            const context = copy.getContext('2d');
            context?.drawImage(picture, 0, 0);
            const saved = context?.getImageData(0, 0, copy.width, copy.height).data ?? [];
            context?.drawImage(canvas, 0, 0);
            const shown = context?.getImageData(0, 0, copy.width, copy.height).data ?? [];
            let different = 0;
            for (let at = 0; at < shown.length; at += 4) if (saved[at] !== shown[at] || saved[at + 1] !== shown[at + 1] || saved[at + 2] !== shown[at + 2]) different++;
            return different;
          }, png);
        },
        { timeout: WAIT_MS, interval: 300 },
      )
      .toBe(0);
  });

  it('pauses and goes on', async () => {
    await window.getByRole('button', { name: 'Pause' }).click();
    await window.getByRole('button', { name: 'Resume' }).waitFor();
    await app.page.getByText('Paused').first().waitFor();
    await window.getByRole('button', { name: 'Resume' }).click();
    await window.getByRole('button', { name: 'Pause' }).waitFor();
  });

  it('says so when its process is killed, offers the log, and starts again', async () => {
    const row = app.page.locator('dl > div', { hasText: 'Process' }).filter({ hasNotText: 'Processors' });
    const pid = Number(await row.locator('dd').innerText());
    expect(pid).toBeGreaterThan(1);
    process.kill(pid, 'SIGKILL');
    const overlay = window.locator('[data-ended]');
    await overlay.getByText(/ended unexpectedly|has died/).first().waitFor();
    await overlay.getByRole('button', { name: 'Open log' }).click();
    await overlay.getByRole('log').getByText(/Starting/).first().waitFor();
    // Nothing else is affected: the library answers.
    await app.page.getByText('Failed').first().waitFor();
    await overlay.getByRole('button', { name: 'Start again' }).click();
    await screenText(window, /all passed/);
  });

  it('is switched off from the menu, and closing asks what to do', async () => {
    await window.getByRole('button', { name: 'Close', exact: true }).click();
    await dialog(window).getByRole('radio', { name: /Power it off/ }).check();
    await dialog(window).getByRole('button', { name: 'Close', exact: true }).last().click();
    await app.page.getByRole('button', { name: 'Start', exact: true }).first().waitFor();
  });

  it('is edited, with reasons for what is refused', async () => {
    const { page } = app;
    await page.bringToFront();
    await page.getByRole('button', { name: 'Edit settings' }).first().click();
    const sheet = dialog(page);
    const name = sheet.getByLabel('Name', { exact: true });
    await name.fill('a/b"c');
    await sheet.getByText('The name may not contain').waitFor();
    await name.fill('Nestbox demo');
    await sheet.getByText('There is a machine named Nestbox demo already').waitFor();
    await name.fill('n'.repeat(300));
    await sheet.getByText('The name has 300 characters').waitFor();
    await name.fill('');
    await sheet.getByText('Give the machine a name').waitFor();
    expect(await sheet.getByRole('button', { name: 'Save' }).isDisabled()).toBe(true);
    await name.fill('Renamed 机器');
    await sheet.getByRole('spinbutton', { name: 'Memory' }).fill('999999999');
    await sheet.getByText(/MiB of memory in all/).waitFor();
    await sheet.getByRole('spinbutton', { name: 'Memory' }).fill('96');
    await expect.poll(() => sheet.getByRole('button', { name: 'Save' }).isEnabled()).toBe(true);
    await sheet.getByRole('button', { name: 'Save' }).click();
    await page.getByRole('heading', { name: 'Renamed 机器' }).waitFor();
    await page.locator('dl > div', { hasText: 'Memory' }).getByText('96 MiB').waitFor();
  });

  it('is deleted with its disks', async () => {
    const { page } = app;
    await page.getByRole('button', { name: 'More actions' }).click();
    await page.getByRole('menuitem', { name: 'Delete…' }).click();
    await dialog(page).getByRole('button', { name: 'Delete', exact: true }).click();
    await page.getByText('Renamed 机器 deleted').waitFor();
    await page.getByRole('button', { name: 'Nestbox demo, Off' }).waitFor();
    expect(await page.getByRole('button', { name: /Renamed/ }).count()).toBe(0);
  });

  it('left no complaint in any page', () => {
    expect(app.complaints).toEqual([]);
  });
});
