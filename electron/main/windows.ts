// The only place that makes windows: every one gets the same locked-down preferences, denied navigation and crash handling.

import type { BrowserWindow, BrowserWindowConstructorOptions, Dialog, Screen, Shell, WebContents } from 'electron';
import type { Texts } from './texts.ts';
import { APP_ORIGIN, isOwnUrl, outsideLinkAllowed, webPreferences } from './security.ts';
import { type Bounds, DEFAULT_ROUTE, MINIMUM_SIZE, type WindowState, fitBounds } from './window-state.ts';

export interface WindowHost {
  readonly BrowserWindow: new (options: BrowserWindowConstructorOptions) => BrowserWindow;
  readonly screen: Pick<Screen, 'getAllDisplays' | 'getPrimaryDisplay'>;
  readonly dialog: Pick<Dialog, 'showMessageBox'>;
  readonly shell: Pick<Shell, 'openExternal'>;
}

export interface WindowSettings {
  readonly preloadPath: string;
  readonly packaged: boolean;
  readonly texts: () => Texts;
  readonly backgroundColor: () => string;
  /** Asks the page whether a window may close; it calls `close` when it agrees. */
  readonly closeRequested: (contents: WebContents) => void;
  /** Windows were opened, moved or closed. */
  readonly changed: () => void;
}

interface OpenWindow {
  readonly window: BrowserWindow;
  readonly route: string;
  agreedToClose: boolean;
}

/** After so many crashes in a row a window is not offered to reload again. */
const CRASHES_MAX = 3;

export class Windows {
  private readonly host: WindowHost;
  private readonly settings: WindowSettings;
  private readonly open = new Map<string, OpenWindow>();

  constructor(host: WindowHost, settings: WindowSettings) {
    this.host = host;
    this.settings = settings;
  }

  /** Brings the window of a route to the front, or makes it. */
  show(route: string, state?: WindowState): BrowserWindow {
    const existing = this.open.get(route);
    if (existing !== undefined) {
      if (existing.window.isMinimized()) existing.window.restore();
      existing.window.show();
      existing.window.focus();
      return existing.window;
    }
    const bounds = fitBounds(state?.bounds, this.workAreas());
    const window = new this.host.BrowserWindow({
      ...bounds,
      minWidth: Math.min(MINIMUM_SIZE.width, bounds.width),
      minHeight: Math.min(MINIMUM_SIZE.height, bounds.height),
      show: false,
      backgroundColor: this.settings.backgroundColor(),
      title: 'Nestbox',
      webPreferences: webPreferences(this.settings.preloadPath, this.settings.packaged),
    });
    const entry: OpenWindow = { window, route, agreedToClose: false };
    this.open.set(route, entry);
    this.watch(entry, state);
    void window.loadURL(`${APP_ORIGIN}/index.html#${route}`);
    this.settings.changed();
    return window;
  }

  private workAreas(): readonly Bounds[] {
    const primary = this.host.screen.getPrimaryDisplay();
    return [primary, ...this.host.screen.getAllDisplays().filter((display) => display.id !== primary.id)].map(
      (display) => display.workArea,
    );
  }

  private watch(entry: OpenWindow, state: WindowState | undefined): void {
    const { window, route } = entry;
    const { changed } = this.settings;
    window.once('ready-to-show', () => {
      if (state?.maximized === true) window.maximize();
      if (state?.fullScreen === true) window.setFullScreen(true);
      window.show();
    });
    window.on('resized', changed);
    window.on('moved', changed);
    window.on('maximize', changed);
    window.on('unmaximize', changed);
    window.on('close', (event) => {
      if (entry.agreedToClose || !route.startsWith('/vm/') || window.webContents.isCrashed()) return;
      event.preventDefault();
      this.settings.closeRequested(window.webContents);
    });
    window.on('closed', () => {
      this.open.delete(route);
      changed();
    });
    this.guard(window);
    this.offerReload(window);
  }

  /** Pages stay on their own address, open no windows and embed nothing; links to known sites go to the user's browser. */
  private guard(window: BrowserWindow): void {
    const contents = window.webContents;
    const stay = (event: { preventDefault(): void; readonly url?: string }): void => {
      if (event.url === undefined || !isOwnUrl(event.url)) event.preventDefault();
    };
    contents.on('will-navigate', stay);
    contents.on('will-redirect', stay);
    contents.on('will-frame-navigate', stay);
    contents.on('will-attach-webview', (event) => event.preventDefault());
    contents.setWindowOpenHandler(({ url }) => {
      if (outsideLinkAllowed(url)) void this.host.shell.openExternal(url);
      return { action: 'deny' };
    });
    window.on('page-title-updated', (event) => event.preventDefault());
  }

  private offerReload(window: BrowserWindow): void {
    let crashes = 0;
    window.webContents.on('render-process-gone', (_event, details) => {
      if (details.reason === 'clean-exit' || ++crashes > CRASHES_MAX) return;
      const texts = this.settings.texts();
      void this.host.dialog
        .showMessageBox(window, {
          type: 'warning',
          message: texts.windowGone,
          detail: texts.windowGoneDetail,
          buttons: [texts.reload, texts.close],
          defaultId: 0,
          cancelId: 1,
        })
        .then(({ response }) => {
          if (window.isDestroyed()) return;
          if (response === 0) window.webContents.reload();
          else window.destroy();
        });
    });
  }

  /** The page agreed: its window closes without being asked again. */
  close(contents: WebContents): void {
    for (const entry of this.open.values()) {
      if (entry.window.webContents !== contents) continue;
      entry.agreedToClose = true;
      entry.window.close();
      return;
    }
  }

  /** Quitting was confirmed: every window may close. */
  agreeAll(): void {
    for (const entry of this.open.values()) entry.agreedToClose = true;
  }

  windowOf(contents: WebContents): BrowserWindow | undefined {
    for (const entry of this.open.values()) if (entry.window.webContents === contents) return entry.window;
    return undefined;
  }

  all(): readonly BrowserWindow[] {
    return [...this.open.values()].map((entry) => entry.window);
  }

  main(): BrowserWindow {
    return this.show(DEFAULT_ROUTE);
  }

  states(): readonly WindowState[] {
    return [...this.open.values()].map(({ window, route }) => ({
      route,
      bounds: window.getNormalBounds(),
      maximized: window.isMaximized(),
      fullScreen: window.isFullScreen(),
    }));
  }
}
