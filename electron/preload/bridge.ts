// The bridge's logic, apart from Electron so that it can be tested: maps each method to its channel and lets nothing but
// plain data through.

import {
  CHANNEL_MESSAGE,
  CHANNEL_OPENED,
  CLOSE_REQUESTED,
  COMMAND,
  type ChannelMessage,
  type ChosenFile,
  DESKTOP_COMMANDS,
  type DesktopBridge,
  type DesktopCall,
  FILE_OPENED,
  OPEN_CHANNEL,
  type PageFileObject,
  callChannel,
} from '../../core/protocol/desktop-bridge.ts';

export interface PreloadHost {
  readonly platform: string;
  invoke(channel: string, ...args: unknown[]): Promise<unknown>;
  send(channel: string, ...args: unknown[]): void;
  on(
    channel: string,
    listener: (event: { readonly ports: readonly MessagePort[] }, ...args: unknown[]) => void,
  ): () => void;
  /** Empty when the file has no path: made by a script, or dragged out of another program. */
  pathOf(file: PageFileObject): string;
  postToPage(message: ChannelMessage, ports: readonly MessagePort[]): void;
}

export function makeBridge(host: PreloadHost): DesktopBridge {
  const call = <Answer>(name: DesktopCall, ...args: unknown[]): Promise<Answer> =>
    host.invoke(callChannel(name), ...args) as Promise<Answer>;
  host.on(CHANNEL_OPENED, (event, id, error) => {
    if (typeof id !== 'string') return;
    host.postToPage({ kind: CHANNEL_MESSAGE, id, ...(typeof error === 'string' ? { error } : {}) }, event.ports);
  });
  return {
    platform: host.platform,
    openChannel: (id, target) => host.send(OPEN_CHANNEL, id, target),
    pickFile: () => call<ChosenFile | undefined>('pickFile'),
    adoptFile: async (file) => {
      const path = host.pathOf(file);
      if (path === '') throw new Error('This file has no path on this computer: save it to a folder first');
      return call<ChosenFile>('adoptPath', path);
    },
    saveFile: (suggestedName, bytes) => call<boolean>('saveFile', suggestedName, bytes),
    openVmWindow: (vmId, view) => call('openVmWindow', vmId, view),
    closeWindow: () => call('closeWindow'),
    readClipboard: () => call<string>('readClipboard'),
    writeClipboard: (text) => call('writeClipboard', text),
    setTitle: (title) => call('setTitle', title),
    setAppearance: (appearance) => call('setAppearance', appearance),
    onCommand: (listener) =>
      host.on(COMMAND, (_event, name) => {
        const command = DESKTOP_COMMANDS.find((known) => known === name);
        if (command !== undefined) listener(command);
      }),
    onFileOpened: (listener) => host.on(FILE_OPENED, (_event, file) => listener(file as ChosenFile)),
    onCloseRequested: (listener) => host.on(CLOSE_REQUESTED, () => listener()),
  };
}
