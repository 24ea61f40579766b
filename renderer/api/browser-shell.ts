// The shell of a browser tab: sockets and uploads to the host that served the page, tabs instead of windows.

import { CONSOLE_SOCKET, LAUNCH_PATH, MANAGER_SOCKET, UPLOAD_NAME_HEADER, UPLOAD_PATH, type UploadAnswer } from '../../core/protocol/browser-host.ts';
import { t } from '../i18n/i18n.svelte.ts';
import { consoleOver, managerOver } from './rpc-client.ts';
import type { ConsoleConnection, ConsoleListener, ManagerConnection, ManagerListener, Shell, UploadOptions, VmView } from './shell.ts';
import { openWebSocketPort } from './web-socket-port.ts';

/** The page's folder, without the part behind "#" and "?". */
const base = (): URL => new URL('.', location.href.split('#')[0]);

function socketUrl(path: string): string {
  const url = new URL(path, base());
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  return url.href;
}

class UploadError extends Error {
  readonly kind: string;
  readonly context: Readonly<Record<string, string | number | boolean>>;
  constructor(kind: string, message: string, context: Readonly<Record<string, string | number | boolean>> = {}) {
    super(message);
    this.kind = kind;
    this.context = context;
  }
}

export class BrowserShell implements Shell {
  readonly kind = 'browser';

  async connect(listener: ManagerListener): Promise<ManagerConnection> {
    const port = await openWebSocketPort(socketUrl(MANAGER_SOCKET)).catch(async (refused: unknown) => {
      // The session is from an earlier run of the host: only a new launch address lets this tab in again.
      const answer = await fetch(base(), { method: 'HEAD', redirect: 'manual' }).catch(() => undefined);
      if (answer !== undefined && !answer.ok) location.replace(LAUNCH_PATH);
      throw refused;
    });
    port.onClose(() => listener.lost());
    return { api: managerOver(port, listener.events), close: () => port.dispose() };
  }

  async openConsole(vmId: string, listener: ConsoleListener): Promise<ConsoleConnection> {
    const port = await openWebSocketPort(socketUrl(`${CONSOLE_SOCKET}/${encodeURIComponent(vmId)}`));
    port.onClose(() => listener.lost());
    return { api: consoleOver(port, listener.events), close: () => port.dispose() };
  }

  /** XMLHttpRequest, because fetch does not report how much of a body was sent. */
  adoptFile(file: File, options: UploadOptions): Promise<string> {
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      request.open('POST', new URL(UPLOAD_PATH, base()));
      request.responseType = 'text';
      request.setRequestHeader(UPLOAD_NAME_HEADER, encodeURIComponent(file.name));
      request.upload.onprogress = (event) => options.progress(event.loaded, file.size);
      request.onload = () => {
        let answer: UploadAnswer = {};
        try {
          answer = JSON.parse(request.responseText) as UploadAnswer;
        } catch {
          // Not ours: reported below by its status.
        }
        if (answer.file !== undefined) resolve(answer.file);
        else if (answer.error !== undefined) reject(new UploadError(answer.error.kind, answer.error.message, answer.error.context));
        else reject(new UploadError('io', t('drop.uploadFailed', { name: file.name })));
      };
      request.onerror = () => reject(new UploadError('io', t('drop.uploadFailed', { name: file.name })));
      request.onabort = () => reject(new UploadError('cancelled', ''));
      options.signal.addEventListener('abort', () => request.abort());
      request.send(file);
    });
  }

  /** One tab a VM and view: asking again brings the same one to the front. */
  openVmWindow(vmId: string, view: VmView): void {
    const hash = `#/vm/${encodeURIComponent(vmId)}${view === 'serial' ? '/serial' : ''}`;
    const opened = window.open(new URL(hash, base()), `nestbox-${view}-${vmId}`);
    // A blocked pop-up: the same tab is better than nothing.
    if (opened === null) location.hash = hash;
  }

  closeWindow(): void {
    window.close();
    // Tabs that the user opened by hand may not close themselves.
    location.hash = '#/machines';
  }

  async saveFile(fileName: string, bytes: Uint8Array, type: string): Promise<boolean> {
    const url = URL.createObjectURL(new Blob([bytes as Uint8Array<ArrayBuffer>], { type }));
    const link = document.createElement('a');
    link.href = url;
    link.download = fileName;
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
    return true;
  }

  async readClipboard(): Promise<string> {
    return navigator.clipboard.readText();
  }

  async writeClipboard(text: string): Promise<void> {
    await navigator.clipboard.writeText(text);
  }
}
