// Who is at the other end of a Unix socket: Linux' SO_PEERCRED (unix(7)). Node has no call for it.

import type { Socket } from 'node:net';

const SOL_SOCKET = 1;
const SO_PEERCRED = 17;

type GetSockOpt = (fd: number, level: number, name: number, value: Uint8Array, length: Uint8Array) => number;

let loaded: Promise<GetSockOpt | undefined> | undefined;

async function load(): Promise<GetSockOpt | undefined> {
  if (process.platform !== 'linux' || !['x64', 'arm64', 'riscv64', 'loong64'].includes(process.arch)) return undefined;
  try {
    const { default: koffi } = await import('koffi');
    return koffi.load('libc.so.6').func('int getsockopt(int fd, int level, int name, void *value, void *length)');
  } catch {
    return undefined;
  }
}

/** The user's number; undefined where the host cannot tell. The socket file's permissions protect there. */
export async function peerUserId(socket: Socket): Promise<number | undefined> {
  loaded ??= load();
  const getsockopt = await loaded;
  const fd = (socket as unknown as { readonly _handle?: { readonly fd?: number } | null })._handle?.fd;
  if (getsockopt === undefined || fd === undefined || fd < 0) return undefined;
  // struct ucred: pid, uid, gid.
  const credentials = new Uint8Array(12);
  const length = new Uint8Array(new Uint32Array([credentials.length]).buffer);
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, credentials, length) !== 0) return undefined;
  return new DataView(credentials.buffer).getUint32(4, true);
}
