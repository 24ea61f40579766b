// Makes the pictures in docs/screenshots from the app itself: `npm run screenshots`. Chinese needs a font that has it
// (Debian: fonts-wqy-microhei).

import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Locator, Page } from 'playwright';
import { Manager } from '../../core/manager/manager.ts';
import { FakeVmHost } from '../support/fake-vm-host.ts';
import { projectRoot } from '../support/nestbox.ts';
import { demoCd, dialog, dropFiles, missing, screenText, startApp, windowFrom } from './app.ts';

if (missing !== undefined) throw new Error(missing);
const folder = join(projectRoot, 'docs/screenshots');
mkdirSync(folder, { recursive: true });
const root = mkdtempSync(join(tmpdir(), 'nestbox-screenshots-'));

const MACHINES = [
  { name: 'Debian build server', osId: 'debian', groupPath: 'Work', tags: ['linux', 'ci'], memoryMib: 2048 },
  { name: 'Alpine gateway', osId: 'alpine', groupPath: 'Work', tags: ['linux'], memoryMib: 256 },
  { name: 'OpenBSD firewall', osId: 'openbsd', groupPath: 'Work', tags: ['bsd'], memoryMib: 512 },
  { name: 'FreeDOS games', osId: 'freedos', groupPath: 'Retro', tags: ['dos'], memoryMib: 32 },
  { name: 'KolibriOS', osId: 'kolibrios', groupPath: 'Retro', tags: [], memoryMib: 128 },
  { name: 'Haiku', osId: 'haiku', groupPath: 'Retro', tags: [], memoryMib: 1024 },
  { name: 'Ubuntu 测试', osId: 'ubuntu', groupPath: 'Work', tags: ['linux'], memoryMib: 2048 },
];

async function seed(): Promise<void> {
  const manager = await Manager.open({ root, host: new FakeVmHost(), version: 'screenshots', shell: 'browser', demo: true });
  for (const { memoryMib, ...machine } of MACHINES) {
    await manager.api.createVm({ ...machine, hardware: { memoryMib }, drives: [{ kind: 'cdrom', source: 'empty' }, { kind: 'disk', source: 'new', sizeBytes: 16 * 2 ** 30 }] });
  }
  await manager.close();
}

/** The command, on the library that the app has open. */
function nestbox(...args: string[]): void {
  execFileSync(process.execPath, [join(projectRoot, 'bin/nestbox.mjs'), ...args], { env: { ...process.env, NESTBOX_HOME: root }, stdio: ['ignore', 'ignore', 'inherit'] });
}

await seed();
const app = await startApp({ root });
try {
  const { page } = app;
  const picture = async (of: Page, name: string): Promise<void> => {
    // Fonts and what moves in come to rest first.
    await of.evaluate(() => document.fonts.ready);
    await of.screenshot({ path: join(folder, `${name}.png`), animations: 'disabled' });
  };
  const go = async (hash: string, shown: Locator): Promise<void> => {
    await page.evaluate((to) => (location.hash = to), hash);
    await shown.first().waitFor();
  };
  const small = (of: Page): Promise<void> => of.setViewportSize({ width: 800, height: 600 });
  const large = (of: Page): Promise<void> => of.setViewportSize({ width: 1280, height: 800 });

  await page.getByRole('button', { name: 'Nestbox demo, Off' }).focus();
  const window = await windowFrom(app, () => page.keyboard.press('Control+Enter'));
  await screenText(window, /all passed/);
  await window.locator('[data-screen]').focus();
  await window.keyboard.type('hello');
  await screenText(window, /hello/);
  await picture(window, 'screen');
  await small(window);
  await picture(window, 'screen-800x600');
  const [, , vmId = ''] = new URL(window.url()).hash.split('/');
  const serial = await app.open(`#/vm/${vmId}/serial`);
  await serial.locator('.xterm-rows').filter({ hasText: /passed/ }).waitFor();
  await picture(serial, 'serial');
  await serial.close();

  await page.bringToFront();
  // The list shows the running machine's picture once its thumbnail has been taken.
  await page.getByRole('button', { name: 'Nestbox demo, Running' }).locator('..').locator('canvas.opacity-100').waitFor();
  await picture(page, 'library');
  await small(page);
  await picture(page, 'library-800x600');
  await large(page);

  const installer = join(root, 'debian-12.9.0-amd64-netinst.iso');
  renameSync(demoCd(root, 'Debian 12.9.0 amd64 n'), installer);
  await dropFiles(page, installer);
  await dialog(page).getByRole('button', { name: 'Create and start' }).waitFor();
  await picture(page, 'drop');
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });

  await page.getByRole('button', { name: 'List', exact: true }).click();
  await page.getByRole('button', { name: 'Nestbox demo, Running' }).click();
  await page.getByRole('tab', { name: 'Summary' }).click();
  await page.getByRole('tabpanel').getByText('Processor').first().waitFor();
  await picture(page, 'machine');
  nestbox('snapshot', 'take', 'Nestbox demo', 'Fresh start');
  nestbox('snapshot', 'take', 'Nestbox demo', 'Before the update');
  nestbox('snapshot', 'restore', 'Nestbox demo', 'Fresh start');
  nestbox('snapshot', 'take', 'Nestbox demo', 'Another way');
  await page.getByRole('tab', { name: 'Snapshots' }).click();
  await page.getByRole('treeitem', { name: /Another way/ }).click();
  await picture(page, 'snapshots');
  await page.getByRole('tab', { name: 'Activity' }).click();
  // Graphs that show something: half a minute of the machine's life.
  await page.locator('.uplot canvas').nth(2).waitFor();
  await window.bringToFront();
  await window.locator('[data-screen]').focus();
  await window.keyboard.type('r');
  await page.bringToFront();
  await page.waitForTimeout(30_000);
  await picture(page, 'activity');
  await page.getByRole('button', { name: 'Grid', exact: true }).click();

  await go('#/media', page.getByText('.qcow2'));
  await picture(page, 'media');
  await go('#/host', page.getByText('/dev/kvm'));
  // Without the version of the kernel that the pictures were made on.
  await page.locator('dd', { hasText: /^linux / }).evaluate((value) => (value.textContent = 'linux (x64)'));
  await picture(page, 'host');
  await go('#/settings', page.getByLabel('Theme'));
  await picture(page, 'settings');
  await page.getByLabel('Theme').selectOption('dark');
  await go(`#/machines/${vmId}/snapshots`, page.getByRole('treeitem'));
  await picture(page, 'snapshots-dark');
  await go('#/settings', page.getByLabel('Language'));
  await page.getByLabel('Language').selectOption('zh-CN');
  await picture(page, 'settings-dark-zh');
  await go('#/machines', page.locator('[data-index="0"]'));
  await page.locator('[data-vm] canvas.opacity-100').waitFor();
  await picture(page, 'library-dark-zh');
  await dropFiles(page, installer);
  await dialog(page).getByRole('button', { name: '创建并启动' }).waitFor();
  await picture(page, 'drop-dark-zh');
  await page.keyboard.press('Escape');
  await small(page);
  await go(`#/machines/${vmId}/summary`, page.getByRole('tabpanel'));
  await picture(page, 'machine-800x600-dark-zh');
} finally {
  await app.close();
  rmSync(root, { recursive: true, force: true });
}
