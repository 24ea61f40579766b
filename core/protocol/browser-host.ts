// Addresses of the browser host, which the window in a browser tab and the server share. All relative to the page.
// The token stands in the address that `nestbox serve` prints (`?token=`); the first answer turns it into an HttpOnly,
// SameSite=Strict cookie, so that reloads, further tabs, sockets and uploads carry it without the page knowing it.
// Sockets speak core/protocol/wire-codec.ts, one binary message a call.

/** WebSocket: ManagerApi and ManagerEvents. */
export const MANAGER_SOCKET = 'api/manager';
/** WebSocket, followed by "/" and the VM's id: ConsoleApi and ConsoleEvents. */
export const CONSOLE_SOCKET = 'api/console';
/** POST, body = the file's bytes, name in `UPLOAD_NAME_HEADER` (percent-encoded); answers `UploadAnswer` as JSON. */
export const UPLOAD_PATH = 'api/upload';
export const UPLOAD_NAME_HEADER = 'x-nestbox-file-name';

export interface UploadAnswer {
  /** A FileHandle; absent when it failed. */
  readonly file?: string;
  /** The NestboxError, when it failed (status 4xx or 5xx). */
  readonly error?: { readonly kind: string; readonly message: string; readonly context: Readonly<Record<string, string | number | boolean>> };
}
