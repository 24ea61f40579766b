// The one bridge between the Electron shell and its windows: what the preload script puts into the page as
// `window.nestboxDesktop`, and the channels behind it. The window gets plain data and opaque file handles, never paths,
// event objects or ipcRenderer itself.

import type { FileHandle } from './library.ts';

/** Name of the bridge in the page. */
export const DESKTOP_BRIDGE = 'nestboxDesktop';
/** `data.kind` of the window message that carries a channel's MessagePort from the preload script into the page. */
export const CHANNEL_MESSAGE = 'nestbox-channel';

export type ChannelTarget = { readonly to: 'manager' } | { readonly to: 'console'; readonly vmId: string };

/** The window message: `ports[0]` is the channel, or `error` says why there is none. */
export interface ChannelMessage {
  readonly kind: typeof CHANNEL_MESSAGE;
  readonly id: string;
  readonly error?: string;
}

/** Menu and tray commands that the page carries out. */
export type DesktopCommand = 'new-vm' | 'open-file' | 'settings' | 'about' | 'media' | 'host' | 'find' | 'close-view';
export const DESKTOP_COMMANDS: readonly DesktopCommand[] = [
  'new-vm',
  'open-file',
  'settings',
  'about',
  'media',
  'host',
  'find',
  'close-view',
];

export type VmWindowView = 'screen' | 'serial';

export interface ChosenFile {
  readonly handle: FileHandle;
  readonly fileName: string;
  readonly sizeBytes: number;
}

/** A `File` of the page; this layer knows no DOM. */
export interface PageFileObject {
  readonly name: string;
  readonly size: number;
}

export interface DesktopBridge {
  readonly platform: string;
  /** Asks for a channel; it arrives as a ChannelMessage with the same id. */
  openChannel(id: string, target: ChannelTarget): void;
  /** The system's dialog for opening a medium, disk or kernel. */
  pickFile(): Promise<ChosenFile | undefined>;
  /** A handle for a file that was dropped on the page or chosen in it. @throws when the system gives no path for it */
  adoptFile(file: PageFileObject): Promise<ChosenFile>;
  /** The system's save dialog. @returns false when the user cancelled */
  saveFile(suggestedName: string, bytes: Uint8Array): Promise<boolean>;
  openVmWindow(vmId: string, view: VmWindowView): Promise<void>;
  closeWindow(): Promise<void>;
  readClipboard(): Promise<string>;
  writeClipboard(text: string): Promise<void>;
  setTitle(title: string): Promise<void>;
  /** Language and theme that menus and window frames follow. */
  setAppearance(appearance: {
    readonly language: string;
    readonly theme: 'auto' | 'light' | 'dark' | 'contrast';
  }): Promise<void>;
  /** @returns a function that ends the subscription */
  onCommand(listener: (command: DesktopCommand) => void): () => void;
  /** Files opened by double click or dropped on the app's icon. */
  onFileOpened(listener: (file: ChosenFile) => void): () => void;
  /** The user wants to close this window: the page decides and answers with `closeWindow()` or nothing. */
  onCloseRequested(listener: () => void): () => void;
}

/** Channels of ipcMain.handle, one for each bridge method that answers. */
export const DESKTOP_CALLS = [
  'pickFile',
  'adoptPath',
  'saveFile',
  'openVmWindow',
  'closeWindow',
  'readClipboard',
  'writeClipboard',
  'setTitle',
  'setAppearance',
] as const;
export type DesktopCall = (typeof DESKTOP_CALLS)[number];
export const callChannel = (call: DesktopCall): string => `nestbox:${call}`;
export const OPEN_CHANNEL = 'nestbox:openChannel';
export const CHANNEL_OPENED = 'nestbox:channelOpened';
export const COMMAND = 'nestbox:command';
export const FILE_OPENED = 'nestbox:fileOpened';
export const CLOSE_REQUESTED = 'nestbox:closeRequested';
