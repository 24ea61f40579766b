// Bounds of everything that a client of the browser host can make it hold or do.

export const URL_BYTES_MAX = 8192;
export const HEADER_BYTES_MAX = 16_384;
export const HEADER_TIMEOUT_MS = 10_000;
export const CONNECTIONS_MAX = 64;
export const SOCKETS_MAX = 16;
export const MESSAGE_BYTES_MAX = 1 << 20;
export const JSON_BODY_BYTES_MAX = 4096;
/** Output that waits for a slow reader. */
export const BUFFERED_BYTES_MAX = 8 << 20;
/** A WebSocket that does not answer pings for this long is gone. */
export const IDLE_MS = 30_000;
export const PING_MS = 10_000;

export const TOKEN_BYTES = 32;
export const LAUNCH_CODE_MS = 60_000;
export const LAUNCH_CODES_MAX = 16;
export const SESSIONS_MAX = 32;
export const FAILURES_PER_MINUTE = 10;

export const STATIC_BYTES_MAX = 64 << 20;
export const UPLOAD_BYTES_MAX = 64 * 2 ** 30;
/** Space of the host's disk that an upload leaves free. */
export const DISK_RESERVE_BYTES = 512 << 20;
export const UPLOAD_NAME_CHARACTERS = 200;
