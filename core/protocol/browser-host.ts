// Addresses of the browser host, which the window in a browser tab and the server share. All relative to the page.
// `nestbox serve` prints an address of the launch page with a single-use code behind "#" (so that it is in no request or
// log). The launch page trades it for a session: a folder of its own, /s/<random>/, where the app is served, and an
// HttpOnly, SameSite=Strict cookie for that folder only. Reloads, further tabs, sockets and uploads carry it without the
// page knowing it, and no other port of this host is ever sent it. A page that is refused (401) goes to LAUNCH_PATH.
// Sockets speak core/protocol/wire-codec.ts, one binary message a call.

/** From the root of the host. */
export const LAUNCH_PATH = '/launch';

/** WebSocket: ManagerApi and ManagerEvents. */
export const MANAGER_SOCKET = 'api/manager';
/** WebSocket, followed by "/" and the VM's id: ConsoleApi and ConsoleEvents. */
export const CONSOLE_SOCKET = 'api/console';
/** POST, body = the file's bytes, name in `UPLOAD_NAME_HEADER` (percent-encoded); answers `UploadAnswer` as JSON. */
export const UPLOAD_PATH = 'api/upload';
export const UPLOAD_NAME_HEADER = 'x-nestbox-file-name';

/** Optional: the id under which `taskProgress` events tell how far an upload is; `cancelTask` ends it. */
export const UPLOAD_TASK_HEADER = 'x-nestbox-task';

export interface UploadAnswer {
  /** A FileHandle; absent when it failed. */
  readonly file?: string;
  /** The NestboxError, when it failed (status 4xx or 5xx). */
  readonly error?: { readonly kind: string; readonly message: string; readonly context: Readonly<Record<string, string | number | boolean>> };
}
