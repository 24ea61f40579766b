// The running manager's door for programs of the same user: a socket of mode 0600 in a folder of mode 0700, and on Linux the
// peer's user is checked as well.

import { chmodSync, lstatSync, rmSync } from 'node:fs';
import { type Server, type Socket, connect, createServer } from 'node:net';
import { dirname } from 'node:path';
import { NestboxError, messageOf } from '../base/errors.ts';
import { joinPorts } from '../base/port-mux.ts';
import type { Port } from '../base/port.ts';
import { makeFolder } from '../manager/library-folder.ts';
import { type ServedManager, checkedApi, serveApi } from '../manager/serve-manager.ts';
import type { LocalApi, LocalHello } from '../protocol/local-api.ts';
import { WIRE_MESSAGE_MAX } from '../protocol/wire-codec.ts';
import { peerUserId } from './peer-user.ts';
import { streamPort } from './stream-port.ts';

const CONNECTIONS_MAX = 64;
const HELLO_MS = 5000;
const BUFFERED_BYTES_MAX = 64 << 20;
const CLIENT_MESSAGE_BYTES_MAX = 4 << 20;
const SOCKET_FOLDER_MODE = 0o077;

export interface LocalManager extends ServedManager {
  openConsole(id: string): Port;
}

export type LocalExtras = Omit<LocalApi, keyof ServedManager['api']>;

export class LocalServer {
  private readonly server: Server;
  private readonly path: string;
  private readonly sockets = new Set<Socket>();
  /** Called when the number of connected programs changes. */
  onClients: ((count: number) => void) | undefined;

  /** The library's lock must be held: a socket file that is there is a dead one. @throws NestboxError `io`, `permission` */
  static async start(path: string, manager: LocalManager, extras: LocalExtras): Promise<LocalServer> {
    if (process.platform !== 'win32') {
      makeFolder(dirname(path));
      const { mode, uid } = lstatSync(dirname(path));
      if ((mode & SOCKET_FOLDER_MODE) !== 0) chmodSync(dirname(path), 0o700);
      if (uid !== process.getuid?.()) throw new NestboxError('permission', `${dirname(path)} belongs to another user`, { op: 'listen' });
      rmSync(path, { force: true });
    }
    const server = createServer();
    const local = new LocalServer(server, path, manager, extras);
    const mask = process.umask(0o177);
    try {
      await new Promise<void>((resolve, reject) => {
        server.once('error', (cause) => reject(new NestboxError('io', `${path} cannot be opened: ${cause.message}`, { op: 'listen', cause })));
        server.listen(path, resolve);
      });
    } finally {
      process.umask(mask);
    }
    return local;
  }

  private constructor(server: Server, path: string, manager: LocalManager, extras: LocalExtras) {
    this.server = server;
    this.path = path;
    server.maxConnections = CONNECTIONS_MAX;
    server.on('connection', (socket) => void this.welcome(socket, manager, extras).catch(() => socket.destroy()));
  }

  private async welcome(socket: Socket, manager: LocalManager, extras: LocalExtras): Promise<void> {
    this.sockets.add(socket);
    this.onClients?.(this.sockets.size);
    socket.once('close', () => {
      this.sockets.delete(socket);
      this.onClients?.(this.sockets.size);
    });
    socket.on('error', () => socket.destroy());
    const user = await peerUserId(socket);
    if (user !== undefined && user !== process.getuid?.()) {
      socket.destroy();
      return;
    }
    const port = streamPort(socket, { messageBytesMax: CLIENT_MESSAGE_BYTES_MAX, bufferedBytesMax: BUFFERED_BYTES_MAX });
    const timer = setTimeout(() => socket.destroy(), HELLO_MS);
    const first = port.onMessage((message) => {
      first.dispose();
      clearTimeout(timer);
      try {
        greet(message as LocalHello, port, manager, extras);
      } catch (error) {
        port.post({ refused: messageOf(error) });
        port.dispose();
      }
    });
    socket.once('close', () => clearTimeout(timer));
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise<void>((resolve) => {
      this.server.close(() => resolve());
    });
    if (process.platform !== 'win32') rmSync(this.path, { force: true });
  }
}

function greet(hello: LocalHello, port: Port, manager: LocalManager, extras: LocalExtras): void {
  if (typeof hello !== 'object' || hello === null) throw new NestboxError('usage', 'Say hello first', { op: 'connect' });
  if (hello.hello === 'manager') {
    port.post({ welcome: true });
    serveApi(port, { ...checkedApi(manager.api), ...extras }, manager.events);
  } else if (hello.hello === 'console' && typeof hello.vmId === 'string') {
    const console = manager.openConsole(hello.vmId);
    port.post({ welcome: true });
    joinPorts(port, console);
  } else throw new NestboxError('usage', 'That is no channel of the manager', { op: 'connect' });
}

/** @returns undefined when no manager listens there. @throws NestboxError when it refuses */
export async function connectLocal(path: string, hello: LocalHello): Promise<Port | undefined> {
  const socket = await new Promise<Socket | undefined>((resolve, reject) => {
    const attempt = connect(path);
    attempt.once('connect', () => resolve(attempt));
    attempt.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED' || error.code === 'ENOTDIR') resolve(undefined);
      else reject(new NestboxError(error.code === 'EACCES' ? 'permission' : 'io', `The running Nestbox cannot be reached: ${error.message}`, { op: 'connect', cause: error }));
    });
  });
  if (socket === undefined) return undefined;
  const port = streamPort(socket, { messageBytesMax: WIRE_MESSAGE_MAX, bufferedBytesMax: BUFFERED_BYTES_MAX });
  return new Promise((resolve, reject) => {
    const first = port.onMessage((message) => {
      first.dispose();
      if (typeof message === 'object' && message !== null && 'refused' in message) reject(new NestboxError('busy', String(message.refused), { op: 'connect' }));
      else resolve(port);
    });
    port.onClose(() => reject(new NestboxError('io', 'The running Nestbox closed the connection', { op: 'connect' })));
    port.post(hello);
  });
}
