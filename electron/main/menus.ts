// Templates of the application menu and the tray menu: pure functions, so that they can be tested without Electron.

import type { MenuItemConstructorOptions } from 'electron';
import type { DesktopCommand } from '../../core/protocol/desktop-bridge.ts';
import type { Texts } from './texts.ts';

export interface MenuActions {
  readonly command: (command: DesktopCommand) => void;
  readonly closeWindow: () => void;
  readonly showWindow: () => void;
  readonly openVm: (id: string) => void;
  readonly quit: () => void;
}

type Item = MenuItemConstructorOptions;
const SEPARATOR: Item = { type: 'separator' };

/**
 * Accelerators use Command on macOS and Control elsewhere; while a guest's screen has the keyboard, the page takes the keys
 * first. Developer tools and reload are absent in packaged apps.
 */
export function appMenu(texts: Texts, platform: string, packaged: boolean, actions: MenuActions): Item[] {
  const mac = platform === 'darwin';
  const command = (label: string, name: DesktopCommand, accelerator?: string): Item => ({
    label,
    click: () => actions.command(name),
    ...(accelerator === undefined ? {} : { accelerator }),
  });
  const appMenuItems: Item[] = mac
    ? [
        {
          label: 'Nestbox',
          submenu: [
            command(texts.about, 'about'),
            SEPARATOR,
            command(texts.settings, 'settings', 'Cmd+,'),
            SEPARATOR,
            { role: 'services' },
            SEPARATOR,
            { role: 'hide' },
            { role: 'hideOthers' },
            { role: 'unhide' },
            SEPARATOR,
            { label: texts.quit, accelerator: 'Cmd+Q', click: actions.quit },
          ],
        },
      ]
    : [];
  const developer: Item[] = packaged ? [] : [SEPARATOR, { role: 'reload' }, { role: 'toggleDevTools' }];
  return [
    ...appMenuItems,
    {
      label: texts.file,
      submenu: [
        command(texts.newVm, 'new-vm', 'CmdOrCtrl+N'),
        command(texts.openFile, 'open-file', 'CmdOrCtrl+O'),
        SEPARATOR,
        ...(mac ? [] : [command(texts.settings, 'settings', 'Ctrl+,'), SEPARATOR]),
        { label: texts.closeWindow, accelerator: 'CmdOrCtrl+W', click: actions.closeWindow },
        ...(mac ? [] : [{ label: texts.quit, accelerator: 'Ctrl+Q', click: actions.quit }]),
      ],
    },
    {
      label: texts.edit,
      submenu: [
        { role: 'undo' },
        { role: 'redo' },
        SEPARATOR,
        { role: 'cut' },
        { role: 'copy' },
        { role: 'paste' },
        { role: 'selectAll' },
        SEPARATOR,
        command(texts.find, 'find', 'CmdOrCtrl+F'),
      ],
    },
    {
      label: texts.view,
      submenu: [
        { label: texts.machines, accelerator: 'CmdOrCtrl+1', click: actions.showWindow },
        command(texts.media, 'media', 'CmdOrCtrl+2'),
        command(texts.host, 'host', 'CmdOrCtrl+3'),
        SEPARATOR,
        { role: 'zoomIn', label: texts.zoomIn },
        { role: 'zoomOut', label: texts.zoomOut },
        { role: 'resetZoom', label: texts.resetZoom },
        SEPARATOR,
        { role: 'togglefullscreen', label: texts.fullScreen },
        ...developer,
      ],
    },
    { role: 'windowMenu', label: texts.window },
    { role: 'help', label: texts.help, submenu: mac ? [] : [command(texts.about, 'about')] },
  ];
}

export interface TrayVm {
  readonly id: string;
  readonly name: string;
}

export function trayMenu(texts: Texts, running: readonly TrayVm[], actions: MenuActions): Item[] {
  const machines: Item[] =
    running.length === 0
      ? [{ label: texts.noRunning, enabled: false }]
      : [
          { label: texts.runningMachines, enabled: false },
          ...running.map((vm): Item => ({ label: vm.name.replaceAll('&', '&&'), click: () => actions.openVm(vm.id) })),
        ];
  return [
    { label: texts.showWindow, click: actions.showWindow },
    SEPARATOR,
    ...machines,
    SEPARATOR,
    { label: texts.quit, click: actions.quit },
  ];
}
