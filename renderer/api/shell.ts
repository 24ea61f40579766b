// What differs between the shells that carry this window: Electron, a browser tab of `nestbox serve`, and the development
// build. Everything else goes through ManagerApi and ConsoleApi.

import type { ConsoleApi, ConsoleEvents } from '../../core/protocol/console-api.ts';
import type { DesktopCommand } from '../../core/protocol/desktop-bridge.ts';
import type { FileHandle } from '../../core/protocol/library.ts';
import type { AppSettings, ManagerApi, ManagerEvents } from '../../core/protocol/manager-api.ts';

export interface ManagerConnection {
  readonly api: ManagerApi;
  close(): void;
}

export interface ManagerListener {
  readonly events: ManagerEvents;
  /** The channel broke; the shell does not try again by itself. */
  lost(): void;
}

export interface ConsoleConnection {
  readonly api: ConsoleApi;
  close(): void;
}

export interface ConsoleListener {
  readonly events: ConsoleEvents;
  lost(): void;
}

export interface UploadOptions {
  /** Bytes sent so far and in all. */
  readonly progress: (sent: number, total: number) => void;
  readonly signal: AbortSignal;
}

export type VmView = 'screen' | 'serial';
/** What a native menu asks of the page. */
export type ShellCommand = DesktopCommand;

export interface FileOffer {
  readonly file: FileHandle;
  readonly fileName: string;
}

export interface Appearance {
  readonly language: string;
  readonly theme: AppSettings['theme'];
}

export interface Shell {
  readonly kind: 'browser' | 'electron' | 'fake';
  connect(listener: ManagerListener): Promise<ManagerConnection>;
  /** Rejects when the VM is not running. */
  openConsole(vmId: string, listener: ConsoleListener): Promise<ConsoleConnection>;
  /** A handle for a file that the user dropped or chose: its path where the shell sees paths, else it is sent over. */
  adoptFile(file: File, options: UploadOptions): Promise<FileHandle>;
  /** The host's own dialog; absent: the window shows its browser of the host's folders. */
  readonly pickFile?: () => Promise<FileOffer | undefined>;
  /** A window (Electron) or tab (browser) of its own for a running VM. */
  openVmWindow(vmId: string, view: VmView): void;
  closeWindow(): void;
  /** @returns false when the user cancelled */
  saveFile(fileName: string, bytes: Uint8Array, type: string): Promise<boolean>;
  readClipboard(): Promise<string>;
  writeClipboard(text: string): Promise<void>;
  readonly setTitle?: (title: string) => void;
  /** Native menus and window frames follow. */
  readonly setAppearance?: (appearance: Appearance) => void;
  // Each returns a function that ends the subscription.
  readonly onCommand?: (listener: (command: ShellCommand) => void) => () => void;
  readonly onFileOpened?: (listener: (offer: FileOffer) => void) => () => void;
  /** The window shall close: answer with closeWindow(), or ask and do nothing. */
  readonly onCloseRequested?: (listener: () => void) => () => void;
}
