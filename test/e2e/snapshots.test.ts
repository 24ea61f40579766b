// A running machine goes back to a snapshot, and what it was doing is kept as another one.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type App, WAIT_MS, dialog, missing, screenText, startApp, windowFrom } from './app.ts';

describe.skipIf(missing !== undefined)(`snapshots in the window${missing === undefined ? '' : ` (skipped: ${missing})`}`, () => {
  let app: App;

  beforeAll(async () => {
    app = await startApp();
  });
  afterAll(() => app.close());

  it('are taken of a running machine and restored into it', async () => {
    const { page } = app;
    await page.getByRole('button', { name: 'Nestbox demo, Off' }).click();
    const window = await windowFrom(app, () => page.getByRole('button', { name: 'Start', exact: true }).first().click());
    await screenText(window, /all passed/);
    await page.bringToFront();
    await page.getByRole('tab', { name: 'Snapshots' }).click();
    await page.getByRole('button', { name: 'Take snapshot' }).click();
    await dialog(page).getByLabel('Name', { exact: true }).fill('One');
    await dialog(page).getByRole('button', { name: 'Take snapshot' }).click();
    await page.getByRole('treeitem', { name: /One/ }).waitFor();
    await window.bringToFront();
    await window.locator('[data-screen]').focus();
    await window.keyboard.type('hello');
    await screenText(window, /hello/);
    await page.bringToFront();
    await page.getByRole('button', { name: 'Restore', exact: true }).click();
    await dialog(page).getByRole('button', { name: 'Restore', exact: true }).click();
    await page.getByText('Back at One').waitFor();
    await window.bringToFront();
    await window.waitForFunction(() => document.querySelector('[data-text-screen]')?.textContent.includes('hello') === false, undefined, { timeout: WAIT_MS });
    // The present state was kept as a snapshot of its own.
    expect(await page.getByRole('treeitem').count()).toBe(2);
    expect(app.complaints).toEqual([]);
  });
});
