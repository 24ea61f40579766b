// The real desktop app in Electron, where its binary is there (it is downloaded on first use, which build machines without
// a network cannot do). What needs no binary is tested in electron/.

import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ElectronApplication, type Page, _electron } from 'playwright';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { projectRoot } from '../support/nestbox.ts';

function electronBinary(): string | undefined {
  const folder = join(projectRoot, 'node_modules/electron');
  const name = existsSync(join(folder, 'path.txt')) ? readFileSync(join(folder, 'path.txt'), 'utf8') : 'electron';
  const path = join(process.env.ELECTRON_OVERRIDE_DIST_PATH ?? join(folder, 'dist'), name);
  return existsSync(path) ? path : undefined;
}

const binary = electronBinary();
(binary === undefined ? describe.skip : describe)(binary === undefined ? "the desktop app (skipped: Electron's binary is not there)" : 'the desktop app', () => {
  const home = mkdtempSync(join(tmpdir(), 'nestbox-electron-'));
  let app: ElectronApplication;
  let page: Page;

  beforeAll(async () => {
    app = await _electron.launch({
      executablePath: binary ?? '',
      args: [projectRoot, `--user-data-dir=${join(home, 'profile')}`, ...(process.getuid?.() === 0 ? ['--no-sandbox'] : [])],
      env: { ...process.env, NESTBOX_HOME: join(home, 'library') },
    });
    page = await app.firstWindow();
  });
  afterAll(async () => {
    await app.close();
    rmSync(home, { recursive: true, force: true });
  });

  it('shows the library with the demo machine', async () => {
    await page.getByRole('button', { name: /Nestbox demo/ }).first().waitFor();
    expect(page.url()).toBe('nestbox://app/index.html#/machines');
  });

  it('gives pages no Node and no Electron', async () => {
    expect(await page.evaluate(() => [typeof (globalThis as Record<string, unknown>).process, typeof (globalThis as Record<string, unknown>).require])).toEqual(['undefined', 'undefined']);
  });

  it('keeps pages on their address', async () => {
    await page.evaluate('location.href = "https://example.org/"').catch(() => undefined);
    await page.waitForTimeout(500);
    expect(page.url()).toContain('nestbox://app/');
  });

  it('boots the demo machine in a utility process and shows its screen', async () => {
    await page.getByRole('button', { name: /Nestbox demo/ }).first().dblclick();
    await page.getByRole('button', { name: /^Start/ }).first().click();
    const opened = await app.waitForEvent('window', { timeout: 5000 }).catch(() => undefined);
    const screen = opened ?? page;
    await screen.locator('canvas').first().waitFor();
    await expect
      .poll(() => screen.locator('canvas').first().evaluate((canvas) => {
        const context = (canvas as unknown as { getContext(kind: '2d'): { getImageData(...box: number[]): { data: Uint8ClampedArray } } }).getContext('2d');
        return new Set(context.getImageData(0, 0, 200, 100).data).size;
      }), { timeout: 60_000 })
      .toBeGreaterThan(4);
  });
});
