import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { MenuItemConstructorOptions } from 'electron';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Emitter } from '../../core/base/emitter.ts';
import { type Port, createPortPair } from '../../core/base/port.ts';
import {
  CLOSE_REQUESTED,
  COMMAND,
  DESKTOP_CALLS,
  FILE_OPENED,
  OPEN_CHANNEL,
  callChannel,
} from '../../core/protocol/desktop-bridge.ts';
import { type FakeElectron, FakeContents, FakeFrame, FakeWindow, fakeElectron } from '../testing/fake-electron.ts';
import { Desktop, fileArguments } from './desktop.ts';
import type { DesktopManager, RunningVm } from './desktop-manager.ts';

class FakeManager implements DesktopManager {
  vms: RunningVm[] = [];
  readonly changed = new Emitter<void>();
  readonly served: Port[] = [];
  readonly consoles: string[] = [];
  readonly done: string[] = [];
  saveError: Error | undefined;

  serve(port: Port): { dispose(): void } {
    this.served.push(port);
    return { dispose: () => void this.done.push('unserved') };
  }
  openConsole(vmId: string): Port {
    if (!this.vms.some((vm) => vm.id === vmId)) throw new Error('The machine is not running');
    this.consoles.push(vmId);
    return createPortPair()[0];
  }
  async adoptPath(path: string): Promise<{ handle: string; fileName: string; sizeBytes: number }> {
    if (path.includes('missing')) throw new Error(`${path}: no such file`);
    return { handle: 'h1', fileName: path.split('/').at(-1) ?? '', sizeBytes: 5 };
  }
  running(): readonly RunningVm[] {
    return this.vms;
  }
  onRunningChanged(listener: () => void): { dispose(): void } {
    return this.changed.event(listener);
  }
  async saveAll(): Promise<void> {
    if (this.saveError !== undefined) throw this.saveError;
    this.done.push('saved');
  }
  async powerOffAll(): Promise<void> {
    this.done.push('powered off');
  }
  async dispose(): Promise<void> {
    this.done.push('disposed');
  }
}

let folder: string;
let fake: FakeElectron;
let manager: FakeManager;
let desktop: Desktop;
const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'nestbox-desktop-'));
  fake = fakeElectron();
  manager = new FakeManager();
  desktop = new Desktop({
    electron: fake.electron,
    manager,
    pages: new Map([['/index.html', { body: Buffer.from('page'), type: 'text/html' }]]),
    preloadPath: '/preload.cjs',
    iconPath: '/icon.png',
    windowStatePath: join(folder, 'windows.json'),
    platform: 'linux',
  });
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const library = (): FakeWindow => {
  const window = FakeWindow.all[0];
  if (window === undefined) throw new Error('no window');
  return window;
};
const ownEvent = (): unknown => ({ sender: library().webContents, senderFrame: library().webContents.mainFrame });

function items(menu: readonly MenuItemConstructorOptions[]): MenuItemConstructorOptions[] {
  return menu.flatMap((item) => [item, ...(Array.isArray(item.submenu) ? items(item.submenu) : [])]);
}

describe('start', () => {
  it('shows the library from our own scheme, locked down, when it is ready', () => {
    desktop.start([]);
    expect(FakeWindow.all).toHaveLength(1);
    expect(library().webContents.url).toBe('nestbox://app/index.html#/machines');
    expect(library().options.show).toBe(false);
    expect(library().options.webPreferences).toMatchObject({
      sandbox: true,
      contextIsolation: true,
      nodeIntegration: false,
    });
    library().emit('ready-to-show');
    expect(library().shown).toBe(true);
  });

  it('opens the files it was given, and says when there is none', async () => {
    desktop.start(['/media/debian.iso', '/media/missing.iso']);
    await settle();
    expect(library().webContents.sent).toEqual([[FILE_OPENED, { handle: 'h1', fileName: 'debian.iso', sizeBytes: 5 }]]);
    expect(fake.boxes.map((box) => box.message)).toEqual(['/media/missing.iso: no such file']);
  });

  it('serves pages with their policy', async () => {
    desktop.start([]);
    const response = fake.protocolHandler?.({ method: 'GET', url: 'nestbox://app/index.html' });
    expect(await response?.text()).toBe('page');
    expect(response?.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(fake.protocolHandler?.({ method: 'GET', url: 'nestbox://app/../secret' }).status).toBe(404);
  });
});

describe('pages cannot leave', () => {
  beforeEach(() => desktop.start([]));

  it.each(['will-navigate', 'will-redirect', 'will-frame-navigate'])('%s to another address is denied', (name) => {
    for (const [url, denied] of [
      ['https://evil.example/', true],
      ['nestbox://app/index.html', false],
    ] as const) {
      let prevented = false;
      library().webContents.emit(name, { url, preventDefault: () => (prevented = true) });
      expect(prevented).toBe(denied);
    }
  });

  it('new windows are denied; known sites open outside', () => {
    const open = library().webContents.windowOpenHandler;
    expect(open?.({ url: 'https://evil.example/' })).toEqual({ action: 'deny' });
    expect(open?.({ url: 'https://www.debian.org/' })).toEqual({ action: 'deny' });
    expect(fake.outside).toEqual(['https://www.debian.org/']);
  });

  it('permissions and requests to other places are denied', () => {
    const answers: boolean[] = [];
    for (const permission of ['media', 'pointerLock'])
      fake.session.requestHandler?.(library().webContents, permission, (allowed) => answers.push(allowed));
    expect(answers).toEqual([false, true]);
    expect(fake.session.checkHandler?.(null, 'pointerLock')).toBe(false);
    const cancelled: boolean[] = [];
    for (const url of ['https://example.org/', 'http://127.0.0.1/', 'file:///etc/passwd', 'nestbox://app/index.html'])
      fake.session.beforeRequest?.({ url }, ({ cancel }) => cancelled.push(cancel));
    expect(cancelled).toEqual([true, true, true, false]);
  });
});

describe('calls', () => {
  beforeEach(() => desktop.start([]));
  const call = (name: (typeof DESKTOP_CALLS)[number], event: unknown, ...args: unknown[]): Promise<unknown> => {
    const handler = fake.handlers.get(callChannel(name));
    if (handler === undefined) throw new Error(`${name} is not handled`);
    return handler(event, ...args);
  };

  it.each(DESKTOP_CALLS)('%s refuses foreign pages, frames inside pages and unknown windows', async (name) => {
    const foreign = new FakeFrame(library().webContents);
    foreign.urlOverride = 'https://evil.example/';
    const inner = new FakeFrame(library().webContents);
    inner.parent = library().webContents.mainFrame;
    const stranger = new FakeContents();
    stranger.url = 'nestbox://app/index.html';
    for (const event of [
      { sender: library().webContents, senderFrame: foreign },
      { sender: library().webContents, senderFrame: inner },
      { sender: stranger, senderFrame: stranger.mainFrame },
      { sender: library().webContents, senderFrame: null },
    ]) {
      await expect(call(name, event)).rejects.toThrow('may not call');
    }
  });

  it.each([
    ['adoptPath', [5]],
    ['adoptPath', ['']],
    ['saveFile', ['x', 'text']],
    ['openVmWindow', ['../../etc', 'screen']],
    ['openVmWindow', ['abc', 'other']],
    ['setAppearance', [{ language: 'en', theme: 'pink' }]],
    ['pickFile', ['surplus']],
  ] as const)('%s refuses wrong arguments %j', async (name, args) => {
    await expect(call(name, ownEvent(), ...args)).rejects.toThrow('wrong arguments');
  });

  it('answer what they should', async () => {
    expect(await call('pickFile', ownEvent())).toEqual({ handle: 'h1', fileName: 'debian.iso', sizeBytes: 5 });
    expect(await call('saveFile', ownEvent(), 'a.png', new Uint8Array(3))).toBe(false);
    expect(await call('readClipboard', ownEvent())).toBe('from the clipboard');
    await call('setTitle', ownEvent(), 'Machines');
    expect(library().title).toBe('Machines');
    await call('openVmWindow', ownEvent(), 'vm-1', 'serial');
    expect(FakeWindow.all[1]?.webContents.url).toBe('nestbox://app/index.html#/vm/vm-1/serial');
  });

  it('channels reach the manager and consoles of running machines; others are told why not', () => {
    const open = fake.listeners.get(OPEN_CHANNEL);
    manager.vms = [{ id: 'vm-1', name: 'One' }];
    open?.(ownEvent(), 'c1', { to: 'manager' });
    open?.(ownEvent(), 'c2', { to: 'console', vmId: 'vm-1' });
    open?.(ownEvent(), 'c3', { to: 'console', vmId: 'vm-2' });
    open?.(ownEvent(), 'c4', { to: 'shell' });
    const { mainFrame } = library().webContents;
    expect(mainFrame.posted.map(([, id]) => id)).toEqual(['c1', 'c2']);
    expect(mainFrame.sent.map((values) => values.slice(1))).toEqual([['c3', 'The machine is not running']]);
    expect([manager.served.length, manager.consoles]).toEqual([1, ['vm-1']]);
  });
});

describe('windows of machines', () => {
  beforeEach(() => {
    manager.vms = [{ id: 'vm-1', name: 'One' }];
    desktop.start([]);
  });
  const openVm = async (): Promise<FakeWindow> => {
    await fake.handlers.get(callChannel('openVmWindow'))?.(ownEvent(), 'vm-1', 'screen');
    const window = FakeWindow.all.at(-1);
    if (window === undefined) throw new Error('no window');
    return window;
  };

  it('open once', async () => {
    const first = await openVm();
    expect(await openVm()).toBe(first);
    expect(FakeWindow.all).toHaveLength(2);
  });

  it('ask their page before they close', async () => {
    const window = await openVm();
    window.close();
    expect(window.destroyed).toBe(false);
    expect(window.webContents.sent).toEqual([[CLOSE_REQUESTED]]);
    await fake.handlers.get(callChannel('closeWindow'))?.({
      sender: window.webContents,
      senderFrame: window.webContents.mainFrame,
    });
    expect(window.destroyed).toBe(true);
  });

  it('whose page has crashed close without it, and offer to reload', async () => {
    const window = await openVm();
    window.webContents.emit('render-process-gone', {}, { reason: 'crashed' });
    await settle();
    expect(window.webContents.reloads).toBe(1);
    window.webContents.crashed = true;
    window.close();
    expect(window.destroyed).toBe(true);
  });

  it('come back at the next start while their machine runs', async () => {
    await openVm();
    fake.boxAnswers.push(0);
    await desktop.quit();
    for (const [running, expected] of [
      [true, 2],
      [false, 1],
    ] as const) {
      const next = fakeElectron();
      const again = new FakeManager();
      if (running) again.vms = [{ id: 'vm-1', name: 'One' }];
      new Desktop({
        electron: next.electron,
        manager: again,
        pages: new Map(),
        preloadPath: '',
        iconPath: '',
        windowStatePath: join(folder, 'windows.json'),
        platform: 'linux',
      }).start([]);
      expect(FakeWindow.all).toHaveLength(expected);
    }
  });
});

describe('menus', () => {
  it('send commands to the library', () => {
    desktop.start([]);
    const entry = items(fake.menus[0] ?? []).find((item) => item.label === 'New Virtual Machine…');
    entry?.click?.({} as never, undefined, {});
    expect(library().webContents.sent).toEqual([[COMMAND, 'new-vm']]);
  });

  it('have no developer tools in a packaged app', () => {
    desktop.start([]);
    expect(items(fake.menus[0] ?? []).map((item) => item.role)).not.toContain('toggleDevTools');
  });

  it('follow the language of the settings', async () => {
    desktop.start([]);
    await fake.handlers.get(callChannel('setAppearance'))?.(ownEvent(), { language: 'zh-CN', theme: 'dark' });
    expect(items(fake.menus.at(-2) ?? []).map((item) => item.label)).toContain('新建虚拟机…');
    expect(fake.electron.nativeTheme.themeSource).toBe('dark');
  });

  it('of the tray list running machines', () => {
    desktop.start([]);
    manager.vms = [{ id: 'vm-1', name: 'R&D' }];
    manager.changed.fire();
    const entry = items(fake.menus.at(-1) ?? []).find((item) => item.label === 'R&&D');
    entry?.click?.({} as never, undefined, {});
    expect(FakeWindow.all.at(-1)?.webContents.url).toContain('#/vm/vm-1');
  });
});

describe('quitting', () => {
  const before = (): boolean => {
    let prevented = false;
    fake.app.emit('before-quit', { preventDefault: () => (prevented = true) });
    return prevented;
  };

  it('with nothing running ends at once, after the registry is closed', async () => {
    desktop.start([]);
    expect(before()).toBe(true);
    await settle();
    expect([manager.done, fake.app.quits]).toEqual([['disposed'], 1]);
    expect(before()).toBe(false);
  });

  it.each([
    [0, ['saved', 'disposed'], 1],
    [1, ['powered off', 'disposed'], 1],
    [2, [], 0],
  ])('with machines running does what the user says (%i)', async (answer, done, quits) => {
    manager.vms = [{ id: 'vm-1', name: 'One' }];
    desktop.start([]);
    fake.boxAnswers.push(answer);
    await desktop.quit();
    expect([manager.done, fake.app.quits]).toEqual([done, quits]);
  });

  it('stays when a state cannot be saved', async () => {
    manager.vms = [{ id: 'vm-1', name: 'One' }];
    manager.saveError = new Error('The disk is full');
    desktop.start([]);
    await desktop.quit();
    expect(fake.boxes.at(-1)?.message).toBe('The disk is full');
    expect(fake.app.quits).toBe(0);
  });

  it('closing the last window keeps the app while machines run', () => {
    manager.vms = [{ id: 'vm-1', name: 'One' }];
    desktop.start([]);
    fake.app.emit('window-all-closed');
    expect(fake.app.quits).toBe(0);
    manager.vms = [];
    fake.app.emit('window-all-closed');
    expect(fake.app.quits).toBe(1);
  });
});

it('files among arguments are told from options', () => {
  expect(fileArguments(['/usr/bin/nestbox', '--inspect', 'a.iso', '/b.img', 'x\0y', '.'], '/home/u')).toEqual([
    '/home/u/a.iso',
    '/b.img',
  ]);
  expect(fileArguments(['electron', 'dist/app', 'a.iso'], '/home/u', 2)).toEqual(['/home/u/a.iso']);
});
