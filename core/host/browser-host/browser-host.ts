// The second shell: serves the app to a browser on this machine over HTTP and WebSocket, on the loopback address only.
// Everything but the launch page lives in the folder of a session and needs its cookie; what does something needs our own
// Origin too.

import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocket, WebSocketServer } from 'ws';
import { NestboxError, isNestboxError, messageOf } from '../../base/errors.ts';
import { joinPorts } from '../../base/port-mux.ts';
import type { Port } from '../../base/port.ts';
import type { ServedManager } from '../../manager/serve-manager.ts';
import { serveManager } from '../../manager/serve-manager.ts';
import type { FileHandles } from '../../manager/file-handles.ts';
import type { Tasks } from '../../manager/tasks.ts';
import { CONSOLE_SOCKET, LAUNCH_PATH, MANAGER_SOCKET, UPLOAD_NAME_HEADER, UPLOAD_PATH, UPLOAD_TASK_HEADER, type UploadAnswer } from '../../protocol/browser-host.ts';
import { BUFFERED_BYTES_MAX, CONNECTIONS_MAX, HEADER_BYTES_MAX, HEADER_TIMEOUT_MS, IDLE_MS, JSON_BODY_BYTES_MAX, MESSAGE_BYTES_MAX, PING_MS, SOCKETS_MAX } from './limits.ts';
import { type Refusal, cookieOf, refuseRequest, single } from './request-guard.ts';
import { securityHeaders } from './security-headers.ts';
import { Sessions } from './sessions.ts';
import { type StaticManifest, readManifest } from './static-files.ts';
import { receiveUpload, uploadName } from './uploads.ts';
import { webSocketPort } from './web-socket-port.ts';

export interface BrowserHostManager extends ServedManager {
  readonly files: FileHandles;
  readonly tasks: Tasks;
  readonly folder: { readonly inbox: string };
  openConsole(id: string): Port;
}

export interface BrowserHostOptions {
  readonly manager: BrowserHostManager;
  /** dist/renderer */
  readonly appFolder: string;
  /** 0 = any free one. */
  readonly port?: number;
  /** One line a refused or failed attempt; never a secret. */
  readonly audit?: (line: string) => void;
}

// Imported as a module, it would load the client behind fetch() and WebSocket too: 60 ms of processor time at every start.
const { createServer } = process.getBuiltinModule('node:http');

const ADDRESS = '127.0.0.1';
const COOKIE = 'nestbox';
/** /s/<session's folder>/<address in the app> */
const SESSION_ADDRESS = /^\/s\/([\w-]{20,100})\/([^?#]*)(?:\?|$)/;
const VM_ID = /^[0-9a-zA-Z-]{1,64}$/;
const UPLOAD_CONNECTION_IDLE_MS = 120_000;

export class BrowserHost {
  readonly port: number;
  readonly sessions = new Sessions();
  /** Called when a page connects or goes. */
  onClients: (() => void) | undefined;
  private readonly manager: BrowserHostManager;
  private readonly audit: (line: string) => void;
  private readonly server: Server;
  private readonly sockets: WebSocketServer;
  private readonly alive = new WeakSet<WebSocket>();
  private readonly manifest: StaticManifest;
  private readonly headers: Readonly<Record<string, string>>;
  private readonly pinger: NodeJS.Timeout;

  static async start(options: BrowserHostOptions): Promise<BrowserHost> {
    const server = createServer({ maxHeaderSize: HEADER_BYTES_MAX, headersTimeout: HEADER_TIMEOUT_MS, requestTimeout: 0, keepAliveTimeout: IDLE_MS, insecureHTTPParser: false, joinDuplicateHeaders: false });
    server.maxConnections = CONNECTIONS_MAX;
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error: NodeJS.ErrnoException) => reject(new NestboxError(error.code === 'EADDRINUSE' ? 'busy' : 'io', `Port ${options.port ?? 0} of ${ADDRESS} cannot be used: ${error.message}`, { op: 'serve', cause: error })));
      server.listen({ host: ADDRESS, port: options.port ?? 0, exclusive: true }, resolve);
    });
    return new BrowserHost(server, options);
  }

  private constructor(server: Server, options: BrowserHostOptions) {
    this.server = server;
    this.port = (server.address() as AddressInfo).port;
    this.manager = options.manager;
    this.audit = options.audit ?? (() => undefined);
    this.manifest = readManifest(options.appFolder);
    this.headers = securityHeaders(this.port);
    this.sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false, maxPayload: MESSAGE_BYTES_MAX, clientTracking: true });
    server.on('request', (request, response) => void this.answer(request, response));
    server.on('upgrade', (request, socket, head) => this.upgrade(request, socket, head));
    server.on('connection', (socket: Socket) => socket.setTimeout(UPLOAD_CONNECTION_IDLE_MS, () => socket.destroy()));
    server.on('clientError', (_error, socket) => socket.destroy());
    this.pinger = setInterval(() => this.pingAll(), PING_MS).unref();
  }

  /** An address that lets one browser in during the next minute. */
  launchUrl(): string {
    return `http://${ADDRESS}:${this.port}${LAUNCH_PATH}#${this.sessions.issueCode()}`;
  }

  /** Open WebSockets. */
  get clients(): number {
    return this.sockets.clients.size;
  }

  async close(): Promise<void> {
    clearInterval(this.pinger);
    for (const socket of this.sockets.clients) socket.terminate();
    this.server.closeAllConnections();
    await new Promise<void>((resolve) => {
      this.server.close(() => resolve());
    });
  }

  // --- HTTP ------------------------------------------------------------------------------------------------------

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      await this.route(request, response);
    } catch (error) {
      this.audit(`request failed: ${messageOf(error)}`);
      if (!response.headersSent) this.refuse(request, response, { status: 400, reason: 'failed' });
      else response.destroy();
    }
  }

  private async route(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const reading = request.method === 'GET' || request.method === 'HEAD';
    const refusal = refuseRequest(request, this.port, !reading);
    if (refusal !== undefined) {
      this.refuse(request, response, refusal);
      return;
    }
    if (request.method === 'POST' && request.url === LAUNCH_PATH) {
      await this.launch(request, response);
      return;
    }
    const launchFile = reading ? this.manifest.launch.get((request.url ?? '').split('?', 1)[0] ?? '') : undefined;
    if (launchFile !== undefined) this.send(response, 200, launchFile.type, launchFile.body);
    else if (reading && request.url === '/') this.redirectToLaunch(response);
    else await this.routeSession(request, response, reading);
  }

  /** Everything inside a session's folder. */
  private async routeSession(request: IncomingMessage, response: ServerResponse, reading: boolean): Promise<void> {
    const [, folder, address] = SESSION_ADDRESS.exec(request.url ?? '') ?? [];
    if (folder === undefined || address === undefined) {
      this.refuse(request, response, reading ? { status: 404, reason: 'no such file' } : { status: 405, reason: 'no such call' });
      return;
    }
    const refusal = this.refuseSession(request, folder);
    if (refusal !== undefined) {
      // A bookmark of an earlier run.
      if (reading && address === '') this.redirectToLaunch(response);
      else this.refuse(request, response, refusal);
      return;
    }
    if (request.method === 'POST' && address === UPLOAD_PATH) await this.upload(request, response);
    else if (!reading) this.refuse(request, response, { status: 405, reason: 'no such call' });
    else {
      const file = this.manifest.app.get(address);
      if (file === undefined) this.refuse(request, response, { status: 404, reason: 'no such file' });
      else this.send(response, 200, file.type, file.body);
    }
  }

  private redirectToLaunch(response: ServerResponse): void {
    response.writeHead(303, { ...this.headers, Location: LAUNCH_PATH, 'Content-Length': 0 });
    response.end();
  }

  private send(response: ServerResponse, status: number, type: string | undefined, body: Buffer | string, extra: Record<string, string> = {}): void {
    response.writeHead(status, { ...this.headers, ...(type === undefined ? {} : { 'Content-Type': type }), 'Content-Length': Buffer.byteLength(body), ...extra });
    response.end(response.req.method === 'HEAD' ? undefined : body);
  }

  /** No body: a forged request learns nothing. */
  private refuse(request: IncomingMessage, response: ServerResponse, { status, reason }: Refusal): void {
    this.audit(`refused ${request.method ?? '?'}: ${status} ${reason}`);
    // The rest of a body that nobody reads would keep the connection.
    this.send(response, status, undefined, '', { Connection: 'close' });
  }

  private async launch(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (this.sessions.isLockedOut) {
      this.refuse(request, response, { status: 429, reason: 'too many attempts' });
      return;
    }
    if (single(request, 'content-type') !== 'application/json') {
      this.refuse(request, response, { status: 415, reason: 'not JSON' });
      return;
    }
    const body = await readBody(request, JSON_BODY_BYTES_MAX);
    const code = body === undefined ? undefined : codeIn(body);
    const secrets = code === undefined ? undefined : this.sessions.redeem(code);
    if (secrets === undefined) {
      this.sessions.noteFailure();
      this.refuse(request, response, { status: 401, reason: 'wrong launch code' });
      return;
    }
    this.audit('a browser was let in');
    const path = `/s/${secrets.folder}/`;
    this.send(response, 200, 'application/json', JSON.stringify({ path }), { 'Set-Cookie': `${COOKIE}=${secrets.cookie}; Path=${path}; HttpOnly; SameSite=Strict` });
  }

  private async upload(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const name = uploadName(single(request, UPLOAD_NAME_HEADER));
    const length = single(request, 'content-length');
    if (name === undefined) {
      this.refuse(request, response, { status: 400, reason: 'no file name' });
      return;
    }
    if (length === undefined || !/^\d{1,15}$/.test(length)) {
      this.refuse(request, response, { status: 411, reason: 'no length' });
      return;
    }
    const taskId = single(request, UPLOAD_TASK_HEADER);
    try {
      const path = await this.manager.tasks.run('upload', { taskId: taskId?.slice(0, 100) }, (task) => receiveUpload(request, this.manager.folder.inbox, name, Number(length), task));
      this.send(response, 200, 'application/json', JSON.stringify({ file: this.manager.files.grant(path) } satisfies UploadAnswer));
    } catch (error) {
      this.audit(`upload failed: ${messageOf(error)}`);
      if (response.destroyed || request.destroyed) return;
      const { kind, message, context } = isNestboxError(error) ? error : new NestboxError('internal', 'The upload failed');
      this.send(response, kind === 'no-space' ? 507 : kind === 'usage' ? 413 : 400, 'application/json', JSON.stringify({ error: { kind, message, context } } satisfies UploadAnswer), { Connection: 'close' });
    }
  }

  private refuseSession(request: IncomingMessage, folder: string | undefined): Refusal | undefined {
    // A valid session is never locked out by somebody else's failures: its secrets are too long to be guessed.
    if (this.sessions.isValid(folder, cookieOf(request, COOKIE))) return undefined;
    if (this.sessions.isLockedOut) return { status: 429, reason: 'too many attempts' };
    this.sessions.noteFailure();
    return { status: 401, reason: 'no session' };
  }

  // --- WebSocket -------------------------------------------------------------------------------------------------

  private upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => socket.destroy());
    const refuse = (refusal: Refusal): void => {
      this.audit(`refused WebSocket: ${refusal.status} ${refusal.reason}`);
      socket.end(`HTTP/1.1 ${refusal.status} Refused\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
    };
    const refusal = refuseRequest(request, this.port, true);
    if (refusal !== undefined) {
      refuse(refusal);
      return;
    }
    const [, folder, address = ''] = SESSION_ADDRESS.exec(request.url ?? '') ?? [];
    const noSession = this.refuseSession(request, folder);
    if (noSession !== undefined) {
      refuse(noSession);
      return;
    }
    const vmId = address.startsWith(`${CONSOLE_SOCKET}/`) ? address.slice(CONSOLE_SOCKET.length + 1) : undefined;
    if (address !== MANAGER_SOCKET && (vmId === undefined || !VM_ID.test(vmId))) {
      refuse({ status: 404, reason: 'no such channel' });
      return;
    }
    if (this.sockets.clients.size >= SOCKETS_MAX) {
      refuse({ status: 429, reason: 'too many WebSockets' });
      return;
    }
    let console: Port | undefined;
    try {
      console = vmId === undefined ? undefined : this.manager.openConsole(vmId);
    } catch (error) {
      refuse({ status: 404, reason: messageOf(error) });
      return;
    }
    (socket as Socket).setTimeout(0);
    (socket as Socket).setNoDelay(true);
    this.sockets.handleUpgrade(request, socket, head, (client) => this.connected(client, console));
  }

  private connected(client: WebSocket, console: Port | undefined): void {
    this.alive.add(client);
    this.onClients?.();
    client.on('close', () => this.onClients?.());
    client.on('pong', () => this.alive.add(client));
    client.on('message', () => this.alive.add(client));
    const port = webSocketPort(client, { bufferedBytesMax: BUFFERED_BYTES_MAX });
    if (console === undefined) serveManager(port, this.manager);
    else joinPorts(port, console);
  }

  private pingAll(): void {
    for (const client of this.sockets.clients) {
      if (!this.alive.has(client)) {
        client.terminate();
        continue;
      }
      this.alive.delete(client);
      if (client.readyState === WebSocket.OPEN) client.ping();
    }
  }
}

async function readBody(request: IncomingMessage, max: number): Promise<string | undefined> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    length += part.length;
    if (length > max) return undefined;
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

function codeIn(body: string): string | undefined {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === 'object' && value !== null && 'code' in value && typeof value.code === 'string' ? value.code : undefined;
  } catch {
    return undefined;
  }
}
