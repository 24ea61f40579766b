// Makes a small initial RAM disk around Debian's static busybox: a shell on a chosen console, poweroff and reboot.
// The cpio archive ("newc") is written here, so that no root rights are needed for device nodes.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { debianPackage } from './guests.ts';

export interface CpioEntry {
  readonly name: string;
  readonly mode: number;
  readonly content?: Uint8Array;
  readonly device?: readonly [number, number];
}

const DIRECTORY = 0o040755;
const PROGRAM = 0o100755;
const LINK = 0o120777;
const CHARACTER = 0o020600;

/** Archive in the "newc" format of cpio(5). */
export function cpio(entries: readonly CpioEntry[]): Uint8Array {
  const parts: Buffer[] = [];
  const pad = (length: number): Buffer => Buffer.alloc((4 - (length & 3)) & 3);
  const add = (entry: CpioEntry, inode: number): void => {
    const name = Buffer.from(`${entry.name}\0`);
    const content = Buffer.from(entry.content ?? new Uint8Array());
    const [major, minor] = entry.device ?? [0, 0];
    const fields = [inode, entry.mode, 0, 0, 1, 0, content.length, 0, 0, major, minor, name.length, 0];
    const header = Buffer.from(`070701${fields.map((value) => value.toString(16).padStart(8, '0')).join('')}`);
    parts.push(header, name, pad(header.length + name.length), content, pad(content.length));
  };
  entries.forEach((entry, index) => add(entry, index + 1));
  add({ name: 'TRAILER!!!', mode: 0 }, 0);
  return Buffer.concat(parts);
}

/** The static busybox of this architecture ("amd64" or "i386"), or undefined when it cannot be had. */
export function busybox(architecture: 'amd64' | 'i386'): Uint8Array | undefined {
  const folder = debianPackage(architecture === 'i386' ? 'busybox-static:i386' : 'busybox-static');
  const path = folder === undefined ? undefined : join(folder, 'bin/busybox');
  return path !== undefined && existsSync(path) ? readFileSync(path) : undefined;
}

/**
 * An initrd whose init runs `script` with busybox's shell.
 * @param script lines after mounting /proc, /sys and /dev
 */
export function busyboxInitrd(program: Uint8Array, script: string, extra: readonly CpioEntry[] = []): Uint8Array {
  const applets = ['sh', 'mount', 'poweroff', 'reboot', 'cat', 'echo', 'ls', 'uname', 'sleep', 'dmesg', 'setsid', 'cttyhack', 'insmod', 'grep', 'dd', 'md5sum', 'sha256sum', 'stty', 'tty', 'mknod', 'sync', 'head', 'free', 'date', 'acpid'];
  const init = `#!/bin/sh\nmount -t proc proc /proc\nmount -t sysfs sys /sys\nmount -t devtmpfs dev /dev 2>/dev/null\n${script}\n`;
  return gzipSync(
    cpio([
      ...['bin', 'dev', 'proc', 'sys', 'tmp', 'etc', 'root', 'mnt', 'lib'].map((name) => ({ name, mode: DIRECTORY })),
      { name: 'dev/console', mode: CHARACTER, device: [5, 1] as const },
      { name: 'dev/null', mode: CHARACTER, device: [1, 3] as const },
      { name: 'bin/busybox', mode: PROGRAM, content: program },
      ...applets.map((name) => ({ name: `bin/${name}`, mode: LINK, content: Buffer.from('busybox') })),
      { name: 'init', mode: PROGRAM, content: Buffer.from(init) },
      ...extra,
    ]),
    { level: 6 },
  );
}
