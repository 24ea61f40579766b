// Enough of Electron's main-process modules to run the desktop shell in tests, and to see what it asked for.

import { EventEmitter } from 'node:events';
import type { BrowserWindowConstructorOptions, MenuItemConstructorOptions } from 'electron';
import type { Electron } from '../main/desktop.ts';

export class FakeContents extends EventEmitter {
  url = '';
  loading = false;
  crashed = false;
  readonly sent: [channel: string, ...values: unknown[]][] = [];
  windowOpenHandler: ((details: { url: string }) => { action: string }) | undefined;
  reloads = 0;
  readonly mainFrame = new FakeFrame(this);

  getURL(): string {
    return this.url;
  }
  isLoading(): boolean {
    return this.loading;
  }
  isCrashed(): boolean {
    return this.crashed;
  }
  send(channel: string, ...values: unknown[]): void {
    this.sent.push([channel, ...values]);
  }
  setWindowOpenHandler(handler: (details: { url: string }) => { action: string }): void {
    this.windowOpenHandler = handler;
  }
  reload(): void {
    this.reloads++;
  }
}

export class FakeFrame {
  private readonly contents: FakeContents;
  parent: FakeFrame | null = null;
  urlOverride: string | undefined;
  readonly posted: [channel: string, message: unknown, ports: readonly unknown[]][] = [];
  readonly sent: unknown[][] = [];

  constructor(contents: FakeContents) {
    this.contents = contents;
  }
  get url(): string {
    return this.urlOverride ?? this.contents.url;
  }
  postMessage(channel: string, message: unknown, ports: readonly unknown[]): void {
    this.posted.push([channel, message, ports]);
  }
  send(...values: unknown[]): void {
    this.sent.push(values);
  }
}

export class FakeWindow extends EventEmitter {
  static readonly all: FakeWindow[] = [];
  static getFocusedWindow(): FakeWindow | null {
    return FakeWindow.all.find((window) => window.focused && !window.destroyed) ?? null;
  }
  readonly options: BrowserWindowConstructorOptions;
  readonly webContents = new FakeContents();
  shown = false;
  focused = false;
  destroyed = false;
  title = '';
  maximized = false;
  fullScreen = false;

  constructor(options: BrowserWindowConstructorOptions) {
    super();
    this.options = options;
    FakeWindow.all.push(this);
  }
  loadURL(url: string): Promise<void> {
    this.webContents.url = url;
    return Promise.resolve();
  }
  show(): void {
    this.shown = true;
  }
  focus(): void {
    for (const window of FakeWindow.all) window.focused = window === this;
  }
  maximize(): void {
    this.maximized = true;
  }
  setFullScreen(value: boolean): void {
    this.fullScreen = value;
  }
  isMaximized(): boolean {
    return this.maximized;
  }
  isFullScreen(): boolean {
    return this.fullScreen;
  }
  isMinimized(): boolean {
    return false;
  }
  isDestroyed(): boolean {
    return this.destroyed;
  }
  setTitle(title: string): void {
    this.title = title;
  }
  getNormalBounds(): { x: number; y: number; width: number; height: number } {
    const { x = 0, y = 0, width = 1, height = 1 } = this.options;
    return { x, y, width, height };
  }
  /** As Electron does: the window stays when a listener prevents it. */
  close(): void {
    let prevented = false;
    this.emit('close', { preventDefault: () => (prevented = true) });
    if (!prevented) this.destroy();
  }
  destroy(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.emit('closed');
  }
}

export interface FakeElectron {
  readonly electron: Electron;
  readonly app: EventEmitter & { quits: number };
  readonly handlers: Map<string, (event: unknown, ...args: unknown[]) => Promise<unknown>>;
  readonly listeners: Map<string, (event: unknown, ...args: unknown[]) => void>;
  readonly session: {
    requestHandler?: (contents: FakeContents, permission: string, answer: (allowed: boolean) => void) => void;
    checkHandler?: (contents: FakeContents | null, permission: string) => boolean;
    beforeRequest?: (details: { url: string }, answer: (result: { cancel: boolean }) => void) => void;
  };
  readonly menus: MenuItemConstructorOptions[][];
  readonly outside: string[];
  /** Answers of message boxes, in order; 0 when there are no more. */
  readonly boxAnswers: number[];
  readonly boxes: { message: string }[];
  protocolHandler: ((request: { method: string; url: string }) => Response) | undefined;
}

export function fakeElectron(): FakeElectron {
  FakeWindow.all.length = 0;
  const app = Object.assign(new EventEmitter(), {
    quits: 0,
    isPackaged: true,
    getLocale: () => 'en-GB',
    quit(): void {
      app.quits++;
    },
  });
  const fake: FakeElectron = {
    electron: undefined as unknown as Electron,
    app,
    handlers: new Map(),
    listeners: new Map(),
    session: {},
    menus: [],
    outside: [],
    boxAnswers: [],
    boxes: [],
    protocolHandler: undefined,
  };
  const display = { id: 1, workArea: { x: 0, y: 0, width: 1920, height: 1080 } };
  const parts = {
    app,
    BrowserWindow: FakeWindow,
    Menu: {
      buildFromTemplate: (template: MenuItemConstructorOptions[]) => template,
      setApplicationMenu: (menu: MenuItemConstructorOptions[]) => void fake.menus.push(menu),
    },
    Tray: class {
      setToolTip(): void {
        /* nothing to see */
      }
      setContextMenu(menu: MenuItemConstructorOptions[]): void {
        fake.menus.push(menu);
      }
    },
    MessageChannelMain: class {
      readonly port1 = Object.assign(new EventEmitter(), {
        start: () => undefined,
        close: () => undefined,
        postMessage: () => undefined,
      });
      readonly port2 = { name: 'port2' };
    },
    clipboard: { readText: () => 'from the clipboard', writeText: () => undefined },
    dialog: {
      showMessageBox: (...args: unknown[]) => {
        fake.boxes.push(args.at(-1) as { message: string });
        return Promise.resolve({ response: fake.boxAnswers.shift() ?? 0 });
      },
      showOpenDialog: () => Promise.resolve({ canceled: false, filePaths: ['/media/debian.iso'] }),
      showSaveDialog: () => Promise.resolve({ canceled: true, filePath: '' }),
    },
    ipcMain: {
      handle: (channel: string, handler: (event: unknown, ...args: unknown[]) => Promise<unknown>) =>
        void fake.handlers.set(channel, handler),
      on: (channel: string, listener: (event: unknown, ...args: unknown[]) => void) =>
        void fake.listeners.set(channel, listener),
    },
    nativeImage: { createFromPath: () => ({ resize: () => ({}) }) },
    nativeTheme: { shouldUseDarkColors: false, themeSource: 'system' },
    protocol: {
      handle: (_scheme: string, handler: (request: { method: string; url: string }) => Response) =>
        void (fake.protocolHandler = handler),
    },
    screen: { getPrimaryDisplay: () => display, getAllDisplays: () => [display] },
    session: {
      defaultSession: Object.assign(new EventEmitter(), {
        setPermissionRequestHandler: (handler: NonNullable<FakeElectron['session']['requestHandler']>) =>
          void (fake.session.requestHandler = handler),
        setPermissionCheckHandler: (handler: NonNullable<FakeElectron['session']['checkHandler']>) =>
          void (fake.session.checkHandler = handler),
        setDevicePermissionHandler: () => undefined,
        webRequest: {
          onBeforeRequest: (handler: NonNullable<FakeElectron['session']['beforeRequest']>) =>
            void (fake.session.beforeRequest = handler),
        },
      }),
    },
    shell: { openExternal: (url: string) => Promise.resolve(void fake.outside.push(url)) },
  };
  return Object.assign(fake, { electron: parts as unknown as Electron });
}
