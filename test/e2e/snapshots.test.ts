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
  });

  it('are renamed', async () => {
    const { page } = app;
    await page.bringToFront();
    await page.getByRole('treeitem', { name: /One/ }).click();
    await page.getByRole('button', { name: 'Rename', exact: true }).click();
    await dialog(page).getByLabel('Name', { exact: true }).fill('Greeting “1/2”');
    await dialog(page).getByLabel('Notes').fill('before anything was typed');
    await dialog(page).getByRole('button', { name: 'Save' }).click();
    await page.getByRole('treeitem', { name: /Greeting “1\/2”/ }).waitFor();
    await page.getByText('before anything was typed').waitFor();
  });

  it('are compared with each other: memory, devices, registers', async () => {
    const { page } = app;
    await page.getByRole('button', { name: 'Compare', exact: true }).click();
    const sheet = dialog(page);
    await sheet.getByLabel('Compare with').selectOption({ index: 1 });
    await sheet.getByText(/[1-9][\d,]* of 32,768 pages/).waitFor();
    const devices = await sheet.locator('dl > div', { hasText: 'Device fields' }).locator('dd').innerText();
    expect(Number(devices)).toBeGreaterThan(0);
    await sheet.getByRole('button', { name: /Registers|Device fields/ }).first().click();
    await sheet.getByRole('columnheader', { name: 'Before' }).first().waitFor();
    // News of the machine (a new state, every picture of its screen) are no reason to compare again and to fold what was opened.
    await page.evaluate(() => {
      const seen = { folded: 0 };
      Object.assign(globalThis, { seen });
      new MutationObserver((changes) => (seen.folded += changes.filter(({ removedNodes }) => [...removedNodes].some((node) => node instanceof Element && node.querySelector('th') !== null)).length)).observe(document.body, { childList: true, subtree: true });
    });
    const other = await app.open('#/machines');
    await other.getByRole('button', { name: /^Nestbox demo, / }).click();
    await other.getByRole('button', { name: 'Power', exact: true }).click();
    await other.getByRole('menuitem', { name: 'Pause' }).click();
    await page.locator('article').getByText('Paused').first().waitFor();
    await other.getByRole('button', { name: 'Power', exact: true }).click();
    await other.getByRole('menuitem', { name: /Resume|Continue/ }).click();
    await page.locator('article').getByText('Running').first().waitFor();
    await other.close();
    expect(await page.evaluate(() => (globalThis as unknown as { seen: { folded: number } }).seen.folded)).toBe(0);
    await page.keyboard.press('Escape');
    await expect.poll(() => page.getByRole('dialog').count()).toBe(0);
  });

  it('fork into a second machine that goes on from there beside the first', async () => {
    const { page } = app;
    const before = page.getByRole('treeitem', { name: /Before going back/ });
    await before.click();
    await page.getByRole('button', { name: 'Fork', exact: true }).click();
    await dialog(page).getByLabel('Name', { exact: true }).fill('Fork');
    await dialog(page).getByRole('button', { name: 'Fork', exact: true }).click();
    await page.getByRole('heading', { name: 'Fork' }).waitFor();
    const fork = await windowFrom(app, () => page.getByRole('button', { name: /^(Continue|Open window)$/ }).first().click());
    // What was typed before going back is in the fork, and not in the first machine.
    await screenText(fork, /Type here: +hello/);
    const [first] = app.context.pages().filter((other) => other !== page && other !== fork);
    expect(await first?.locator('[data-text-screen]').innerText()).not.toContain('hello');
    await fork.locator('[data-screen]').focus();
    // R and S are commands of the demo guest.
    await fork.keyboard.type('one');
    await screenText(fork, /helloone/);
    await fork.close();
  });

  it('are deleted, and the others stay whole', async () => {
    const { page } = app;
    await page.bringToFront();
    await page.getByRole('link', { name: /All machines/ }).click();
    await page.getByRole('button', { name: /^Nestbox demo, / }).click();
    await page.getByRole('tab', { name: 'Snapshots' }).click();
    await page.getByRole('treeitem', { name: /Before going back/ }).click();
    await page.getByRole('button', { name: 'Delete', exact: true }).click();
    await page.getByRole('alertdialog').getByRole('button', { name: 'Delete', exact: true }).click();
    await expect.poll(() => page.getByRole('treeitem').count()).toBe(1);
    await page.getByRole('button', { name: 'Restore', exact: true }).click();
    await dialog(page).getByLabel(/Keep the present state/).uncheck();
    await dialog(page).getByRole('button', { name: 'Restore', exact: true }).click();
    await page.getByText('Back at Greeting').waitFor();
    expect(app.complaints).toEqual([]);
  });
});
