// The preload script: runs sandboxed and isolated in every window, before the page, and puts the bridge into it. Bundled
// as CommonJS, because sandboxed preload scripts must be. Only Electron's own modules may be imported at run time.

import { contextBridge, ipcRenderer, webUtils } from 'electron';
import { makeBridge } from './bridge.ts';
import { DESKTOP_BRIDGE } from '../../core/protocol/desktop-bridge.ts';

contextBridge.exposeInMainWorld(
  DESKTOP_BRIDGE,
  makeBridge({
    platform: process.platform,
    invoke: (channel, ...args) => ipcRenderer.invoke(channel, ...args),
    send: (channel, ...args) => ipcRenderer.send(channel, ...args),
    on: (channel, listener) => {
      ipcRenderer.on(channel, listener);
      return () => void ipcRenderer.removeListener(channel, listener);
    },
    pathOf: (file) => webUtils.getPathForFile(file as File),
    postToPage: (message, ports) => window.postMessage(message, '/', [...ports]),
  }),
);
