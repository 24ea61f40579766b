// Where a library lives: NESTBOX_HOME, or the place where the host's programs keep their data. Everything below is made
// for its owner only.

import { mkdirSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { homedir, userInfo } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { NestboxError, messageOf } from '../base/errors.ts';

/** Longest socket path that all hosts take (sockaddr_un of macOS: 104 with the zero). */
const SOCKET_PATH_MAX = 100;

export interface LibraryFolder {
  readonly root: string;
  readonly registry: string;
  readonly lock: string;
  /** Disks that Nestbox made, all in one folder: overlays find their backing files beside them. */
  readonly disks: string;
  /** Files that came in by upload and are used by a VM. */
  readonly media: string;
  /** Uploads that nothing uses yet; emptied at start. */
  readonly inbox: string;
  /** Logs and states of one VM. */
  vm(id: string): string;
  /** Address of the running manager: a socket's path, or a pipe's name on Windows. */
  readonly socket: string;
}

export function defaultLibraryRoot(env: NodeJS.ProcessEnv = process.env, platform: NodeJS.Platform = process.platform): string {
  if (env.NESTBOX_HOME !== undefined && env.NESTBOX_HOME !== '') return resolve(env.NESTBOX_HOME);
  if (platform === 'win32') return join(env.LOCALAPPDATA ?? join(homedir(), 'AppData', 'Local'), 'Nestbox');
  if (platform === 'darwin') return join(homedir(), 'Library', 'Application Support', 'Nestbox');
  const data = env.XDG_DATA_HOME;
  return join(data !== undefined && isAbsolute(data) ? data : join(homedir(), '.local', 'share'), 'nestbox');
}

function socketPath(root: string): string {
  const name = createHash('sha256').update(root).digest('hex').slice(0, 16);
  if (process.platform === 'win32') return `\\\\.\\pipe\\nestbox-${userInfo().username.replaceAll(/[^\w.-]/g, '_')}-${name}`;
  const beside = join(root, 'run', 'manager.sock');
  if (Buffer.byteLength(beside) <= SOCKET_PATH_MAX) return beside;
  return join(process.env.XDG_RUNTIME_DIR ?? `/tmp/nestbox-${userInfo().uid}`, `nestbox-${name}`, 'manager.sock');
}

export function libraryFolder(root: string): LibraryFolder {
  return {
    root,
    registry: join(root, 'registry.db'),
    lock: join(root, 'lock'),
    disks: join(root, 'disks'),
    media: join(root, 'media'),
    inbox: join(root, 'inbox'),
    vm: (id) => join(root, 'vms', id),
    socket: socketPath(root),
  };
}

/** @throws NestboxError `permission`, `no-space` or `io` naming the folder */
export function makeFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    const kind = code === 'EACCES' || code === 'EPERM' || code === 'EROFS' ? 'permission' : code === 'ENOSPC' || code === 'EDQUOT' ? 'no-space' : 'io';
    throw new NestboxError(kind, `The folder ${path} cannot be made: ${messageOf(cause)}`, { op: 'open library', context: { path, code: 'library-folder' }, cause });
  }
}

export function makeLibraryFolders(folder: LibraryFolder): void {
  for (const path of [folder.root, folder.disks, folder.media, folder.inbox, join(folder.root, 'vms')]) makeFolder(path);
}
