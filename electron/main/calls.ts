// The calls that pages may make over the bridge: each is checked for its sender and its arguments before it does anything.

import type {
  BrowserWindow,
  Clipboard,
  Dialog,
  IpcMain,
  IpcMainEvent,
  IpcMainInvokeEvent,
  MessagePortMain,
  WebContents,
} from 'electron';
import { basename } from 'node:path';
import { writeFile } from 'node:fs/promises';
import { z } from 'zod';
import { NestboxError, messageOf } from '../../core/base/errors.ts';
import type { Port } from '../../core/base/port.ts';
import {
  CHANNEL_OPENED,
  type ChannelTarget,
  type ChosenFile,
  type DesktopCall,
  OPEN_CHANNEL,
  type VmWindowView,
  callChannel,
} from '../../core/protocol/desktop-bridge.ts';
import type { DesktopManager } from './desktop-manager.ts';
import { messagePort } from './message-port.ts';
import { isOwnUrl } from './security.ts';
import type { Texts } from './texts.ts';

export interface CallHost {
  readonly ipcMain: Pick<IpcMain, 'handle' | 'on'>;
  readonly dialog: Pick<Dialog, 'showOpenDialog' | 'showSaveDialog'>;
  readonly clipboard: Pick<Clipboard, 'readText' | 'writeText'>;
  readonly makeChannel: () => { readonly port1: MessagePortMain; readonly port2: MessagePortMain };
}

export interface CallActions {
  readonly manager: DesktopManager;
  readonly texts: () => Texts;
  /** The window of ours that shows these contents. */
  readonly windowOf: (contents: WebContents) => BrowserWindow | undefined;
  readonly openVmWindow: (vmId: string, view: VmWindowView) => void;
  readonly closeWindow: (contents: WebContents) => void;
  readonly setAppearance: (language: string, theme: 'auto' | 'light' | 'dark' | 'contrast') => void;
}

const vmId = z
  .string()
  .min(1)
  .max(100)
  .regex(/^[\w-]+$/);
const fileName = z.string().min(1).max(200);
const SCHEMAS = {
  pickFile: z.tuple([]),
  adoptPath: z.tuple([z.string().min(1).max(4096)]),
  saveFile: z.tuple([fileName, z.instanceof(Uint8Array)]),
  openVmWindow: z.tuple([vmId, z.enum(['screen', 'serial'])]),
  closeWindow: z.tuple([]),
  readClipboard: z.tuple([]),
  writeClipboard: z.tuple([z.string().max(1 << 20)]),
  setTitle: z.tuple([z.string().max(300)]),
  setAppearance: z.tuple([
    z.strictObject({ language: z.string().max(35), theme: z.enum(['auto', 'light', 'dark', 'contrast']) }),
  ]),
} as const satisfies Record<DesktopCall, z.ZodType>;

const channelSchema = z.tuple([
  z.string().min(1).max(64),
  z.union([z.strictObject({ to: z.literal('manager') }), z.strictObject({ to: z.literal('console'), vmId })]),
]);

const MEDIA_EXTENSIONS = [
  'iso',
  'img',
  'ima',
  'flp',
  'vfd',
  'qcow2',
  'vmdk',
  'vdi',
  'vhd',
  'vhdx',
  'raw',
  'bin',
  'elf',
  'ova',
  'nestbox',
];

/** Only the top frame of a window of ours, on our own page, may call. @throws NestboxError `permission` */
function requireOwnSender(event: IpcMainEvent | IpcMainInvokeEvent, actions: CallActions): BrowserWindow {
  const frame = event.senderFrame;
  const window = actions.windowOf(event.sender);
  if (frame === null || frame.parent !== null || window === undefined || !isOwnUrl(frame.url)) {
    throw new NestboxError('permission', 'This page may not call the application', { op: 'call' });
  }
  return window;
}

type Arguments<Call extends DesktopCall> = z.infer<(typeof SCHEMAS)[Call]>;

export function registerCalls(host: CallHost, actions: CallActions): void {
  const handle = <Call extends DesktopCall>(
    call: Call,
    answer: (window: BrowserWindow, args: Arguments<Call>, event: IpcMainInvokeEvent) => unknown,
  ): void => {
    host.ipcMain.handle(callChannel(call), async (event, ...args: unknown[]) => {
      const window = requireOwnSender(event, actions);
      const parsed = SCHEMAS[call].safeParse(args);
      if (!parsed.success) throw new NestboxError('usage', `${call}: wrong arguments`, { op: 'call' });
      return answer(window, parsed.data as Arguments<Call>, event);
    });
  };
  handle('pickFile', (window) => pickFile(host, actions, window));
  handle('adoptPath', (_window, [path]) => actions.manager.adoptPath(path));
  handle('saveFile', (window, [name, bytes]) => saveFile(host, window, name, bytes));
  handle('openVmWindow', (_window, [id, view]) => actions.openVmWindow(id, view));
  handle('closeWindow', (_window, _args, event) => actions.closeWindow(event.sender));
  handle('readClipboard', () => host.clipboard.readText());
  handle('writeClipboard', (_window, [text]) => host.clipboard.writeText(text));
  handle('setTitle', (window, [title]) => window.setTitle(title === '' ? 'Nestbox' : title));
  handle('setAppearance', (_window, [{ language, theme }]) => actions.setAppearance(language, theme));
  host.ipcMain.on(OPEN_CHANNEL, (event, ...args: unknown[]) => openChannel(host, actions, event, args));
}

async function pickFile(host: CallHost, actions: CallActions, window: BrowserWindow): Promise<ChosenFile | undefined> {
  const texts = actions.texts();
  const { canceled, filePaths } = await host.dialog.showOpenDialog(window, {
    title: texts.openTitle,
    properties: ['openFile'],
    filters: [
      { name: texts.mediaFiles, extensions: MEDIA_EXTENSIONS },
      { name: texts.allFiles, extensions: ['*'] },
    ],
  });
  const path = filePaths[0];
  return canceled || path === undefined ? undefined : actions.manager.adoptPath(path);
}

async function saveFile(host: CallHost, window: BrowserWindow, name: string, bytes: Uint8Array): Promise<boolean> {
  // A suggestion is a name, whatever the page made of it.
  const { canceled, filePath } = await host.dialog.showSaveDialog(window, {
    defaultPath: basename(name.replaceAll('\\', '/')),
  });
  if (canceled || filePath === '') return false;
  await writeFile(filePath, bytes);
  return true;
}

function openChannel(host: CallHost, actions: CallActions, event: IpcMainEvent, args: readonly unknown[]): void {
  let window: BrowserWindow;
  try {
    window = requireOwnSender(event, actions);
  } catch {
    return;
  }
  const parsed = channelSchema.safeParse(args);
  if (!parsed.success || window.isDestroyed()) return;
  const [id, target] = parsed.data;
  try {
    const { port1, port2 } = host.makeChannel();
    connect(actions.manager, target, messagePort(port1));
    event.senderFrame?.postMessage(CHANNEL_OPENED, id, [port2]);
  } catch (error) {
    event.senderFrame?.send(CHANNEL_OPENED, id, messageOf(error));
  }
}

function connect(manager: DesktopManager, target: ChannelTarget, port: Port): void {
  if (target.to === 'manager') {
    const served = manager.serve(port);
    port.onClose(() => served.dispose());
    return;
  }
  const console = manager.openConsole(target.vmId);
  console.onMessage((message) => port.post(message));
  port.onMessage((message) => console.post(message));
  console.onClose(() => port.dispose());
  port.onClose(() => console.dispose());
}
