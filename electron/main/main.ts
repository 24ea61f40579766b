// Entry of the desktop app. Everything that can be decided before Electron is ready is decided here: one instance, the
// scheme's privileges, the sandbox. The rest is desktop.ts.

import * as electron from 'electron';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { messageOf } from '../../core/base/errors.ts';
import { Desktop, fileArguments } from './desktop.ts';
import { openDesktopManager } from './open-manager.ts';
import { readPages } from './page-server.ts';
import { SCHEME_PRIVILEGES } from './security.ts';
import { textsFor } from './texts.ts';
import { UtilityVmHost } from './utility-vm-host.ts';

const { app, dialog, protocol, utilityProcess } = electron;
/** Folder of the bundle: dist/app. */
const bundle = fileURLToPath(new URL('../..', import.meta.url));
const skip = app.isPackaged ? 1 : 2;

app.enableSandbox();
protocol.registerSchemesAsPrivileged([SCHEME_PRIVILEGES]);

async function start(): Promise<void> {
  await app.whenReady();
  try {
    const host = new UtilityVmHost((path, args, options) => utilityProcess.fork(path, args, options), join(bundle, 'electron/vm/main.js'), (pid) => process.kill(pid, 'SIGKILL'));
    const appFolder = join(bundle, '../renderer');
    const manager = await openDesktopManager({ host, language: app.getLocale(), appFolder, onShutDown: () => app.quit() });
    const desktop = new Desktop({
      electron,
      manager,
      pages: readPages(appFolder),
      preloadPath: join(bundle, 'electron/preload/preload.cjs'),
      iconPath: join(bundle, 'electron/icons/tray.png'),
      windowStatePath: join(app.getPath('userData'), 'windows.json'),
      platform: process.platform,
    });
    desktop.start(fileArguments(process.argv, process.cwd(), skip));
  } catch (error) {
    dialog.showErrorBox(textsFor(app.getLocale()).startFailed, messageOf(error));
    app.exit(1);
  }
}

if (app.requestSingleInstanceLock()) void start();
else app.quit();
