// A machine's window: keys from the menu, the captured mouse and its way out, full screen, and what closing does. The guest
// prints every byte that its keyboard controller gets, so what arrives is compared with what a real keyboard sends.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inputTokens, inputViewerFloppy, pointerViewerFloppy } from '../support/input-viewer.ts';
import { type App, dialog, dropFiles, missing, screenText, startApp, windowFrom } from './app.ts';

describe.skipIf(missing !== undefined)(`the window of a machine${missing === undefined ? '' : ` (skipped: ${missing})`}`, () => {
  let app: App;
  let page: Page;
  let window: Page;
  const folder = mkdtempSync(join(tmpdir(), 'nestbox-window-'));
  const floppy = join(folder, 'viewer.img');

  beforeAll(async () => {
    writeFileSync(floppy, inputViewerFloppy());
    app = await startApp();
    page = app.page;
    // Counts what the page asks of the browser's keyboard lock.
    await app.context.addInitScript(() => {
      const { keyboard } = navigator as unknown as { keyboard?: { lock(keys?: readonly string[]): Promise<void> } };
      if (keyboard === undefined) return;
      const lock = keyboard.lock.bind(keyboard);
      keyboard.lock = async (keys) => {
        await lock(keys);
        document.documentElement.dataset['keyboardLocked'] = 'yes';
      };
    });
  });
  afterAll(async () => {
    await app.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const tokens = async (): Promise<string[]> => inputTokens(await window.locator('[data-text-screen]').innerText());
  /** What arrives from now on, once it ends like that. */
  async function arriving(act: () => Promise<unknown>, wanted: readonly string[]): Promise<void> {
    const before = (await tokens()).length;
    await act();
    await expect.poll(async () => (await tokens()).slice(before), { timeout: 20_000 }).toEqual(wanted);
  }
  /** A fresh screen, before it scrolls. */
  async function restart(): Promise<void> {
    await window.getByRole('button', { name: 'Power' }).click();
    await window.getByRole('menuitem', { name: 'Reset' }).click();
    await window.getByRole('alertdialog').getByRole('button', { name: 'Reset' }).click();
    await expect.poll(tokens).toEqual(['mFA']);
  }
  const state = (name: string): Promise<void> => page.locator('header, section, main').getByText(name, { exact: true }).first().waitFor();
  const closeWith = async (choice: RegExp, remember = false): Promise<void> => {
    await window.getByRole('button', { name: 'Close', exact: true }).click();
    await dialog(window).getByRole('radio', { name: choice }).check();
    if (remember) await dialog(window).getByRole('checkbox', { name: 'Do this every time' }).check();
    await dialog(window).getByRole('button', { name: 'Close', exact: true }).last().click();
  };
  const reopen = async (button: RegExp): Promise<void> => {
    await page.bringToFront();
    window = await windowFrom(app, () => page.getByRole('main').getByRole('button', { name: button }).first().click());
  };

  it('opens with the machine', async () => {
    await dropFiles(page, floppy);
    await dialog(page).getByLabel('Name', { exact: true }).fill('Viewer');
    window = await windowFrom(app, () => dialog(page).getByRole('button', { name: 'Create and start' }).click());
    await screenText(window, /INPUT VIEWER/);
    await expect.poll(tokens).toEqual(['mFA']);
  });

  it('sends combinations from its menu as a keyboard does', async () => {
    const send = (group: string | undefined, label: string) => async (): Promise<void> => {
      await window.getByRole('button', { name: 'Send keys' }).click();
      if (group !== undefined) await window.getByRole('menuitem', { name: group }).press('ArrowRight');
      await window.getByRole('menuitem', { name: label, exact: true }).click();
    };
    await arriving(send(undefined, 'Ctrl+Alt+Del'), ['k1D', 'k38', 'kE0', 'k53', 'kE0', 'kD3', 'kB8', 'k9D']);
    await arriving(send(undefined, 'Alt+Tab'), ['k38', 'k0F', 'k8F', 'kB8']);
    await arriving(send('Function keys', 'F12'), ['k58', 'kD8']);
    await arriving(send('Linux consoles', 'Ctrl+Alt+F2'), ['k1D', 'k38', 'k3C', 'kBC', 'kB8', 'k9D']);
    await arriving(send('Single keys', 'Super / Win'), ['kE0', 'k5B', 'kE0', 'kDB']);
    await arriving(send('Magic SysRq', 'Alt+SysRq+B'), ['k38', 'k54', 'k30', 'kB0', 'kD4', 'kB8']);
  });

  it('passes keys by their place, whatever character they make, and lets go of all when it loses the focus', async () => {
    await restart();
    await window.locator('[data-screen]').focus();
    // The key beside the left Shift on a German keyboard, whose "<" is elsewhere on others; a dead key; an AltGr.
    const key = (type: 'keydown' | 'keyup', code: string, text: string): Promise<void> => window.locator('[data-screen]').dispatchEvent(type, { code, key: text, bubbles: true });
    await arriving(async () => {
      await key('keydown', 'IntlBackslash', '<');
      await key('keyup', 'IntlBackslash', '<');
      await key('keydown', 'BracketLeft', 'Dead');
      await key('keyup', 'BracketLeft', 'Dead');
      await key('keydown', 'AltRight', 'AltGraph');
    }, ['k56', 'kD6', 'k1A', 'k9A', 'kE0', 'k38']);
    await arriving(() => window.evaluate(() => dispatchEvent(new Event('blur'))), ['kE0', 'kB8']);
  });

  it('captures the mouse with a visible way out', async () => {
    await restart();
    await window.getByRole('button', { name: 'Capture the mouse' }).click();
    await window.getByText('Ctrl+Alt gives the mouse back').first().waitFor();
    expect(await window.evaluate(() => document.pointerLockElement?.hasAttribute('data-screen'))).toBe(true);
    await window.mouse.move(400, 300);
    await window.mouse.move(410, 305, { steps: 5 });
    await expect.poll(async () => (await tokens()).filter((token) => token.startsWith('m')).length).toBeGreaterThan(3);
    await window.mouse.down();
    // The first byte of a packet with the left button down.
    await expect.poll(async () => (await tokens()).filter((token) => /m[0-3]9/.test(token)).length).toBeGreaterThan(0);
    await window.mouse.up();
    await window.keyboard.down('Control');
    await window.keyboard.down('Alt');
    await window.keyboard.up('Alt');
    await window.keyboard.up('Control');
    await expect.poll(() => window.evaluate(() => document.pointerLockElement)).toBeNull();
    await expect.poll(() => window.getByText('Ctrl+Alt gives the mouse back').count()).toBe(0);
  });

  it('fills the screen, with the keyboard to itself and the toolbar at the top edge', async () => {
    await window.getByRole('button', { name: 'Full screen' }).click();
    await expect.poll(() => window.evaluate(() => document.fullscreenElement?.tagName)).toBe('MAIN');
    await window.getByText('Hold Esc to leave full screen').waitFor();
    await expect.poll(() => window.evaluate(() => document.documentElement.dataset['keyboardLocked'])).toBe('yes');
    const toolbar = window.getByRole('group', { name: 'Machine' });
    await window.mouse.move(400, 400);
    await expect.poll(async () => (await toolbar.boundingBox())?.y ?? 0).toBeLessThan(-30);
    await window.mouse.move(400, 1);
    await expect.poll(async () => (await toolbar.boundingBox())?.y).toBe(0);
    await window.getByRole('button', { name: 'Leave full screen' }).click();
    await expect.poll(() => window.evaluate(() => document.fullscreenElement)).toBeNull();
    await window.locator('footer').waitFor();
  });

  it('closes and keeps the machine running', async () => {
    await restart();
    await window.locator('[data-screen]').focus();
    await arriving(async () => window.keyboard.press('a'), ['k1E', 'k9E']);
    const gone = window.waitForEvent('close');
    await closeWith(/Keep it running/);
    await gone;
    await page.bringToFront();
    await page.getByRole('heading', { name: 'Viewer' }).waitFor();
    await state('Running');
    await reopen(/^Open window$/);
    await screenText(window, /k1E k9E/);
  });

  it('closes and saves the state, which goes on where it was', async () => {
    const gone = window.waitForEvent('close');
    await closeWith(/Save its state/);
    await gone;
    await state('Saved');
    await reopen(/^Continue$/);
    await screenText(window, /mFA k1E k9E/);
    await window.locator('[data-screen]').focus();
    await arriving(async () => window.keyboard.press('b'), ['k30', 'kB0']);
  });

  it('closes by the power button, which the guest obeys', async () => {
    await closeWith(/Shut it down/);
    await window.locator('[data-ended=power-off]').getByText('The machine has switched itself off').waitFor();
    await window.locator('[data-ended]').getByRole('button', { name: 'Start again' }).click();
    await screenText(window, /INPUT VIEWER/);
  });

  it('remembers the choice, and forgets it again in the settings', async () => {
    let gone = window.waitForEvent('close');
    await closeWith(/Power it off/, true);
    await gone;
    await state('Off');
    await reopen(/^Start$/);
    await screenText(window, /INPUT VIEWER/);
    gone = window.waitForEvent('close');
    await window.getByRole('button', { name: 'Close', exact: true }).click();
    await gone;
    await page.bringToFront();
    await state('Off');
    await page.getByRole('link', { name: 'Settings' }).click();
    const setting = page.getByLabel('When a window is closed');
    expect(await setting.inputValue()).toBe('power-off');
    await setting.selectOption('ask');
    expect(app.complaints).toEqual([]);
  });

  it('says so when the guest does not hear its power button', async () => {
    await page.getByRole('link', { name: /All machines/ }).click();
    await page.getByRole('button', { name: 'Nestbox demo, Off' }).click();
    await reopen(/^Start$/);
    await screenText(window, /all passed/);
    await closeWith(/Shut it down/);
    await window.getByText(/does not react to its power button/).waitFor();
    await screenText(window, /all passed/);
  });

  it('follows the pointer without capturing it when the guest has a driver for that', async () => {
    const pointer = join(folder, 'pointer.img');
    writeFileSync(pointer, pointerViewerFloppy());
    await page.bringToFront();
    await dropFiles(page, pointer);
    await dialog(page).getByLabel('Name', { exact: true }).fill('Pointer');
    window = await windowFrom(app, () => dialog(page).getByRole('button', { name: 'Create and start' }).click());
    await screenText(window, /!/);
    await expect.poll(() => window.getByRole('button', { name: 'Capture the mouse' }).count()).toBe(0);
    const box = await window.locator('canvas').first().boundingBox();
    if (box === null) throw new Error('no screen');
    /** Positions in 1/65535 of the screen; what is drawn is rounded to pixels. */
    const last = async (): Promise<{ buttons: string; x: number; y: number }> => {
      const packet = /p(..)(....)(....) *$/.exec((await window.locator('[data-text-screen]').innerText()).replaceAll(/\s+/g, ' ').trim());
      return { buttons: packet?.[1] ?? '', x: Number.parseInt(packet?.[2] ?? '0', 16) / 65_535, y: Number.parseInt(packet?.[3] ?? '0', 16) / 65_535 };
    };
    for (const [x, y] of [[0.25, 0.75], [0.9, 0.1]] as const) {
      await window.mouse.move(box.x + box.width * x, box.y + box.height * y);
      await expect.poll(async () => Math.abs((await last()).x - x) < 0.01 && Math.abs((await last()).y - y) < 0.01).toBe(true);
    }
    await window.mouse.down();
    await expect.poll(async () => (await last()).buttons).toBe('20');
    await window.mouse.up();
    await expect.poll(async () => (await last()).buttons).toBe('00');
    expect(await window.evaluate(() => document.pointerLockElement)).toBeNull();
  });
});
