// Makes the pictures in docs/screenshots from the app itself: `npm run screenshots`. Chinese needs a font that has it
// (Debian: fonts-wqy-microhei).

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright';
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

await seed();
const app = await startApp({ root });
try {
  const { page } = app;
  const picture = (of: Page, name: string): Promise<unknown> => of.screenshot({ path: join(folder, `${name}.png`) });
  await page.getByRole('button', { name: 'Nestbox demo, Off' }).focus();
  const window = await windowFrom(app, () => page.keyboard.press('Control+Enter'));
  await screenText(window, /all passed/);
  await picture(window, 'screen');
  await page.bringToFront();
  const dismiss = page.getByRole('button', { name: 'Dismiss' });
  if ((await dismiss.count()) > 0) await dismiss.first().click();
  // The list shows the running machine's picture once its thumbnail has been taken.
  await page.getByRole('button', { name: 'Nestbox demo, Running' }).locator('..').locator('canvas.opacity-100').waitFor();
  await picture(page, 'library');
  await dropFiles(page, demoCd(root));
  await dialog(page).getByRole('button', { name: 'Create and start' }).waitFor();
  await picture(page, 'drop');
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'Nestbox demo, Running' }).click();
  await page.getByRole('tab', { name: 'Activity' }).click();
  await page.locator('.uplot').first().waitFor();
  await page.evaluate(() => (location.hash = '#/settings'));
  await page.getByLabel('Theme').selectOption('dark');
  await page.getByLabel('Language').selectOption('zh-CN');
  await page.evaluate(() => (location.hash = '#/machines'));
  await page.locator('[data-index="0"]').waitFor();
  await picture(page, 'library-dark-zh');
} finally {
  await app.close();
  rmSync(root, { recursive: true, force: true });
}
