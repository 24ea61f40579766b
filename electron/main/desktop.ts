// The desktop shell: joins windows, bridge calls, menus, tray, opened files and the way out, over one manager. Electron is
// handed in, so that all of it runs in tests without a window system.

import type * as ElectronModule from 'electron';
import type { WebContents } from 'electron';
import { isAbsolute } from 'node:path';
import { messageOf } from '../../core/base/errors.ts';
import { CLOSE_REQUESTED, COMMAND, type DesktopCommand, FILE_OPENED } from '../../core/protocol/desktop-bridge.ts';
import { registerCalls } from './calls.ts';
import type { DesktopManager } from './desktop-manager.ts';
import { type MenuActions, appMenu, trayMenu } from './menus.ts';
import { type Pages, answerPage } from './page-server.ts';
import { APP_SCHEME, permissionAllowed } from './security.ts';
import { type Texts, textsFor } from './texts.ts';
import { DEFAULT_ROUTE, loadWindowStates, saveWindowStates } from './window-state.ts';
import { Windows } from './windows.ts';

export type Electron = Pick<
  typeof ElectronModule,
  | 'BrowserWindow'
  | 'Menu'
  | 'MessageChannelMain'
  | 'Tray'
  | 'app'
  | 'clipboard'
  | 'dialog'
  | 'ipcMain'
  | 'nativeImage'
  | 'nativeTheme'
  | 'protocol'
  | 'screen'
  | 'session'
  | 'shell'
>;

export interface DesktopOptions {
  readonly electron: Electron;
  readonly manager: DesktopManager;
  readonly pages: Pages;
  readonly preloadPath: string;
  readonly iconPath: string;
  readonly windowStatePath: string;
  readonly platform: string;
}

const SAVE_DELAY_MS = 500;
const BACKGROUND = { light: '#f7f8fa', dark: '#16181d' } as const;

export class Desktop {
  private readonly options: DesktopOptions;
  private readonly windows: Windows;
  private texts: Texts;
  private tray: ElectronModule.Tray | undefined;
  private saveTimer: NodeJS.Timeout | undefined;
  private quitting = false;

  constructor(options: DesktopOptions) {
    this.options = options;
    const { electron } = options;
    this.texts = textsFor(electron.app.getLocale());
    this.windows = new Windows(electron, {
      preloadPath: options.preloadPath,
      packaged: electron.app.isPackaged,
      texts: () => this.texts,
      backgroundColor: () => (electron.nativeTheme.shouldUseDarkColors ? BACKGROUND.dark : BACKGROUND.light),
      closeRequested: (contents) => contents.send(CLOSE_REQUESTED),
      changed: () => this.saveWindowsSoon(),
    });
  }

  /** Call when Electron is ready. @param files from the command line */
  start(files: readonly string[]): void {
    const { electron, manager, pages } = this.options;
    this.restrictSession();
    electron.protocol.handle(APP_SCHEME, (request) => {
      const answer = answerPage(pages, request.method, request.url);
      return new Response(answer.body === undefined ? null : new Uint8Array(answer.body), {
        status: answer.status,
        headers: { ...answer.headers },
      });
    });
    registerCalls(
      {
        ipcMain: electron.ipcMain,
        dialog: electron.dialog,
        clipboard: electron.clipboard,
        makeChannel: () => new electron.MessageChannelMain(),
      },
      {
        manager,
        texts: () => this.texts,
        windowOf: (contents) => this.windows.windowOf(contents),
        openVmWindow: (id, view) => void this.windows.show(`/vm/${id}${view === 'serial' ? '/serial' : ''}`),
        closeWindow: (contents) => this.windows.close(contents),
        setAppearance: (language, theme) => this.setAppearance(language, theme),
      },
    );
    this.buildMenus();
    manager.onRunningChanged(() => this.buildTray());
    this.watchApp();
    this.restoreWindows();
    for (const file of files) void this.openFile(file);
  }

  private restrictSession(): void {
    const { session } = this.options.electron;
    const own = session.defaultSession;
    own.setPermissionRequestHandler((contents, permission, answer) =>
      answer(permissionAllowed(permission, contents.getURL())),
    );
    own.setPermissionCheckHandler(
      (contents, permission) => contents !== null && permissionAllowed(permission, contents.getURL()),
    );
    own.setDevicePermissionHandler(() => false);
    own.on('will-download', (event) => event.preventDefault());
    // No page of ours needs anything but the custom scheme; developer tools bring their own.
    own.webRequest.onBeforeRequest((details, answer) =>
      answer({ cancel: !/^(nestbox|devtools|blob|data):/.test(details.url) }),
    );
  }

  private watchApp(): void {
    const { app } = this.options.electron;
    app.on('second-instance', (_event, argv, workingDirectory) => {
      this.windows.main();
      for (const file of fileArguments(argv, workingDirectory)) void this.openFile(file);
    });
    app.on('open-file', (event, path) => {
      event.preventDefault();
      void this.openFile(path);
    });
    app.on('activate', () => void this.windows.main());
    // With machines running, the tray keeps the app; without, closing the last window ends it, as users of each system expect.
    app.on('window-all-closed', () => {
      if (this.options.platform !== 'darwin' && this.options.manager.running().length === 0) app.quit();
    });
    app.on('before-quit', (event) => {
      if (this.quitting) return;
      event.preventDefault();
      void this.quit();
    });
    app.on('web-contents-created', (_event, contents) => {
      contents.on('will-attach-webview', (attach) => attach.preventDefault());
    });
  }

  private restoreWindows(): void {
    const running = new Set(this.options.manager.running().map((vm) => vm.id));
    const states = loadWindowStates(this.options.windowStatePath);
    const library = states.find((state) => state.route === DEFAULT_ROUTE);
    this.windows.show(DEFAULT_ROUTE, library);
    for (const state of states) {
      const id = /^\/vm\/([\w-]+)/.exec(state.route)?.[1];
      if (id !== undefined && running.has(id)) this.windows.show(state.route, state);
    }
  }

  private saveWindowsSoon(): void {
    if (this.quitting) return;
    clearTimeout(this.saveTimer);
    this.saveTimer = setTimeout(() => this.saveWindows(), SAVE_DELAY_MS);
  }

  private saveWindows(): void {
    clearTimeout(this.saveTimer);
    try {
      saveWindowStates(this.options.windowStatePath, this.windows.states());
    } catch {
      // Losing window positions is no reason to bother anybody.
    }
  }

  private async openFile(path: string): Promise<void> {
    const window = this.windows.main();
    try {
      const file = await this.options.manager.adoptPath(path);
      sendWhenLoaded(window.webContents, FILE_OPENED, file);
    } catch (error) {
      await this.options.electron.dialog.showMessageBox(window, { type: 'error', message: messageOf(error) });
    }
  }

  private setAppearance(language: string, theme: 'auto' | 'light' | 'dark' | 'contrast'): void {
    const { electron } = this.options;
    this.texts = textsFor(language === 'auto' || language === '' ? electron.app.getLocale() : language);
    electron.nativeTheme.themeSource = theme === 'light' || theme === 'dark' ? theme : 'system';
    this.buildMenus();
  }

  private get actions(): MenuActions {
    return {
      command: (command) => this.sendCommand(command),
      closeWindow: () => this.options.electron.BrowserWindow.getFocusedWindow()?.close(),
      showWindow: () => void this.windows.main(),
      openVm: (id) => void this.windows.show(`/vm/${id}`),
      quit: () => void this.quit(),
    };
  }

  private sendCommand(command: DesktopCommand): void {
    sendWhenLoaded(this.windows.main().webContents, COMMAND, command);
  }

  private buildMenus(): void {
    const { electron, platform } = this.options;
    electron.Menu.setApplicationMenu(
      electron.Menu.buildFromTemplate(appMenu(this.texts, platform, electron.app.isPackaged, this.actions)),
    );
    this.buildTray();
  }

  private buildTray(): void {
    const { electron, iconPath, manager } = this.options;
    this.tray ??= new electron.Tray(electron.nativeImage.createFromPath(iconPath).resize({ width: 18, height: 18 }));
    this.tray.setToolTip('Nestbox');
    this.tray.setContextMenu(electron.Menu.buildFromTemplate(trayMenu(this.texts, manager.running(), this.actions)));
  }

  /** Asks what becomes of running machines; a failure to save them keeps the app open. */
  async quit(): Promise<void> {
    if (this.quitting) return;
    const { electron, manager } = this.options;
    if (manager.running().length > 0) {
      const texts = this.texts;
      const { response } = await electron.dialog.showMessageBox({
        type: 'question',
        title: texts.quitTitle,
        message: texts.quitMessage,
        detail: manager
          .running()
          .map((vm) => vm.name)
          .join('\n'),
        buttons: [texts.quitSave, texts.quitShutDown, texts.quitCancel],
        defaultId: 0,
        cancelId: 2,
      });
      if (response === 2) return;
      try {
        if (response === 0) await manager.saveAll();
        else await manager.powerOffAll();
      } catch (error) {
        await electron.dialog.showMessageBox({ type: 'error', message: messageOf(error) });
        return;
      }
    }
    this.saveWindows();
    this.quitting = true;
    this.windows.agreeAll();
    await manager.dispose();
    electron.app.quit();
  }
}

/** A page that is still loading gets it when it has loaded. */
function sendWhenLoaded(contents: WebContents, channel: string, value: unknown): void {
  if (contents.isLoading()) contents.once('did-finish-load', () => contents.send(channel, value));
  else contents.send(channel, value);
}

/**
 * The files among an instance's arguments. Options are left out: another instance's command line is not trusted.
 * @param argv with the program, and in development the script, in front
 */
export function fileArguments(argv: readonly string[], workingDirectory: string, skip = 1): string[] {
  const files: string[] = [];
  for (const argument of argv.slice(skip)) {
    if (argument.startsWith('-') || argument.includes('\0') || argument === '.') continue;
    files.push(isAbsolute(argument) ? argument : `${workingDirectory}/${argument}`);
  }
  return files;
}
