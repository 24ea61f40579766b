// The shell of an Electron window: MessagePorts and handles through the one bridge that the preload script puts into the
// page (core/protocol/desktop-bridge.ts); nothing else of Electron is known here.

import { CHANNEL_MESSAGE, DESKTOP_BRIDGE, type ChannelMessage, type ChannelTarget, type DesktopBridge } from '../../core/protocol/desktop-bridge.ts';
import { consoleOver, managerOver, type RpcPort } from './rpc-client.ts';
import type { Appearance, ConsoleConnection, ConsoleListener, FileOffer, ManagerConnection, ManagerListener, Shell, ShellCommand, VmView } from './shell.ts';

export function electronShell(): Shell | undefined {
  const bridge = (window as unknown as Partial<Record<typeof DESKTOP_BRIDGE, DesktopBridge>>)[DESKTOP_BRIDGE];
  return bridge === undefined ? undefined : new ElectronShell(bridge);
}

export class ElectronShell implements Shell {
  readonly kind = 'electron';
  private readonly bridge: DesktopBridge;

  constructor(bridge: DesktopBridge) {
    this.bridge = bridge;
  }

  async connect(listener: ManagerListener): Promise<ManagerConnection> {
    const port = await this.channel({ to: 'manager' });
    port.onClose(() => listener.lost());
    return { api: managerOver(port, listener.events), close: () => port.dispose() };
  }

  async openConsole(vmId: string, listener: ConsoleListener): Promise<ConsoleConnection> {
    const port = await this.channel({ to: 'console', vmId });
    port.onClose(() => listener.lost());
    return { api: consoleOver(port, listener.events), close: () => port.dispose() };
  }

  private channel(target: ChannelTarget): Promise<RpcPort> {
    const id = crypto.randomUUID();
    return new Promise((resolve, reject) => {
      const take = (event: MessageEvent<unknown>): void => {
        const { data } = event;
        if (event.source !== window || typeof data !== 'object' || data === null) return;
        const message = data as Partial<ChannelMessage>;
        if (message.kind !== CHANNEL_MESSAGE || message.id !== id) return;
        removeEventListener('message', take);
        const [port] = event.ports;
        if (port === undefined) reject(new Error(message.error ?? 'The channel was refused.'));
        else resolve(messagePortAsPort(port));
      };
      addEventListener('message', take);
      this.bridge.openChannel(id, target);
    });
  }

  async adoptFile(file: File): Promise<string> {
    return (await this.bridge.adoptFile(file)).handle;
  }
  readonly pickFile = async (): Promise<FileOffer | undefined> => {
    const chosen = await this.bridge.pickFile();
    return chosen === undefined ? undefined : { file: chosen.handle, fileName: chosen.fileName };
  };
  openVmWindow(vmId: string, view: VmView): void {
    void this.bridge.openVmWindow(vmId, view);
  }
  closeWindow(): void {
    void this.bridge.closeWindow();
  }
  saveFile(fileName: string, bytes: Uint8Array): Promise<boolean> {
    return this.bridge.saveFile(fileName, bytes);
  }
  readClipboard(): Promise<string> {
    return this.bridge.readClipboard();
  }
  writeClipboard(text: string): Promise<void> {
    return this.bridge.writeClipboard(text);
  }
  readonly setTitle = (title: string): void => void this.bridge.setTitle(title);
  readonly setAppearance = (appearance: Appearance): void => void this.bridge.setAppearance(appearance);
  readonly onCommand = (listener: (command: ShellCommand) => void): (() => void) => this.bridge.onCommand(listener);
  readonly onFileOpened = (listener: (offer: FileOffer) => void): (() => void) => this.bridge.onFileOpened((chosen) => listener({ file: chosen.handle, fileName: chosen.fileName }));
  readonly onCloseRequested = (listener: () => void): (() => void) => this.bridge.onCloseRequested(listener);
}

export function messagePortAsPort(port: MessagePort): RpcPort {
  const closed = new Set<() => void>();
  port.addEventListener('close', () => {
    for (const listener of [...closed]) listener();
  });
  port.start();
  return {
    post: (message: unknown) => port.postMessage(message),
    onMessage: (listener: (message: unknown) => void) => {
      const take = (event: MessageEvent<unknown>): void => listener(event.data);
      port.addEventListener('message', take);
      return { dispose: () => port.removeEventListener('message', take) };
    },
    onClose: (listener: () => void) => {
      closed.add(listener);
      return { dispose: () => void closed.delete(listener) };
    },
    dispose: () => port.close(),
  };
}
