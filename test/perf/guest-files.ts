// Guests of the benchmark, made from Debian's packages and kept in .cache/perf: an initial RAM disk with the programs of the
// Linux guest set, and a root file system with systemd on an ext4 image beside a kernel and the modules that mount it.

import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, readFileSync, readdirSync, readlinkSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { debianKernel, debianPackages, hasCommand } from '../support/guests.ts';
import { type CpioEntry, busybox, cpio } from '../support/initrd.ts';
import { projectRoot } from '../support/nestbox.ts';

const CACHE = join(projectRoot, '.cache', 'perf');
const DIRECTORY = 0o040755;
const FILE = 0o100644;
const LINK = 0o120777;
const CHARACTER = 0o020600;

/** A guest that is ready, or the reason why it cannot be had. */
export type Prepared<T> = { readonly files: T } | { readonly missing: string };

export interface KernelGuest {
  readonly kernel: string;
  readonly initrd: string;
}
export interface DiskGuest extends KernelGuest {
  readonly disk: string;
}

/** Programs of the guest set with the libraries that they name. */
const SET_PACKAGES = [
  'libc6', 'dash', 'coreutils', 'libacl1', 'libattr1', 'libgmp10', 'libselinux1', 'libpcre2-8-0', 'gzip', 'sqlite3', 'libsqlite3-0',
  'libreadline8', 'libtinfo6', 'zlib1g', 'python3.11-minimal', 'libpython3.11-minimal', 'libexpat1',
];
const LEFT_OUT = /^usr\/share\/(doc|man|locale|info|lintian|bash-completion|bug|i18n)|^usr\/lib\/[^/]*\/gconv|^usr\/share\/binfmts/;
/** Debian's merged /usr: packages still name /bin and /lib. */
const MERGED = /^(bin|sbin|lib|lib32|lib64|libx32)(?=\/|$)/;

/** All files below a folder as archive entries, at their place under /usr. */
function treeEntries(folder: string, entries: Map<string, CpioEntry>): void {
  const visit = (path: string): void => {
    const name = relative(folder, path).replace(MERGED, 'usr/$1');
    if (LEFT_OUT.test(name)) return;
    const info = lstatSync(path);
    if (info.isDirectory()) {
      if (name !== '') entries.set(name, { name, mode: DIRECTORY });
      for (const child of readdirSync(path).sort()) visit(join(path, child));
    } else if (info.isSymbolicLink()) entries.set(name, { name, mode: LINK, content: Buffer.from(readlinkSync(path)) });
    else if (info.isFile() && name !== '.complete') entries.set(name, { name, mode: 0o100000 | (info.mode & 0o755), content: readFileSync(path) });
  };
  visit(folder);
}

/** Writes a file of the cache so that an interrupted run leaves no half of it behind. @returns its path */
export function keep(name: string, content: Uint8Array): string {
  const path = join(CACHE, name);
  mkdirSync(CACHE, { recursive: true });
  writeFileSync(`${path}.part`, content);
  renameSync(`${path}.part`, path);
  return path;
}

/**
 * The Linux guest set: Debian's kernel and an uncompressed initrd whose /init is `script`.
 * @param architecture amd64 with the cloud kernel, i386 with the 686 kernel
 */
export function guestSet(architecture: 'amd64' | 'i386', script: string): Prepared<KernelGuest> {
  const kernel = debianKernel(architecture === 'amd64' ? 'cloud-amd64' : '686');
  if (kernel === undefined) return { missing: "Debian's kernel package cannot be downloaded" };
  const suffix = architecture === 'i386' ? ':i386' : '';
  const entries = new Map<string, CpioEntry>();
  for (const name of ['bin', 'sbin', 'lib', 'lib64']) entries.set(name, { name, mode: LINK, content: Buffer.from(`usr/${name}`) });
  for (const name of ['usr', 'usr/bin', 'usr/sbin', 'usr/lib', 'usr/lib64', 'dev', 'proc', 'sys', 'tmp', 'etc', 'root']) entries.set(name, { name, mode: DIRECTORY });
  const folders = debianPackages(SET_PACKAGES.map((name) => `${name}${suffix}`));
  if (folders === undefined) return { missing: `Debian's packages of the guest set cannot be downloaded: ${SET_PACKAGES.join(', ')}` };
  for (const folder of folders.values()) treeEntries(folder, entries);
  const tools = busybox(architecture);
  if (tools === undefined) return { missing: "Debian's busybox package cannot be downloaded" };
  entries.set('usr/bin/busybox', { name: 'usr/bin/busybox', mode: 0o100755, content: tools });
  entries.set('usr/bin/sh', { name: 'usr/bin/sh', mode: LINK, content: Buffer.from('dash') });
  entries.set('dev/console', { name: 'dev/console', mode: CHARACTER, device: [5, 1] });
  entries.set('dev/null', { name: 'dev/null', mode: CHARACTER, device: [1, 3] });
  entries.set('init', { name: 'init', mode: 0o100755, content: Buffer.from(script) });
  return { files: { kernel, initrd: keep(`guest-set-${architecture}.cpio`, cpio([...entries.values()])) } };
}

/** Modules in the order in which they can be loaded, from modules.dep-like knowledge in the files themselves. */
function moduleFiles(folder: string, wanted: readonly string[]): string[] {
  const byName = new Map<string, string>();
  const visit = (path: string): void => {
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      if (entry.isDirectory()) visit(join(path, entry.name));
      else if (/\.ko$/.test(entry.name)) byName.set(entry.name.replace(/\.ko$/, '').replaceAll('-', '_'), join(path, entry.name));
    }
  };
  visit(folder);
  const ordered: string[] = [];
  const done = new Set<string>();
  const add = (name: string): void => {
    if (done.has(name)) return;
    done.add(name);
    const path = byName.get(name);
    if (path === undefined) return; // built in
    const text = readFileSync(path).toString('latin1');
    const needs = /\0depends=([^\0]*)\0/.exec(text)?.[1] ?? '';
    for (const other of needs.split(',').filter(Boolean)) add(other.replaceAll('-', '_'));
    ordered.push(path);
  };
  wanted.forEach(add);
  return ordered;
}

const DISK_MODULES = ['ata_piix', 'sd_mod', 'crc32c_generic', 'ext4'];

/** A Debian root file system with systemd, its kernel, and an initrd that mounts it from the first IDE disk. */
export function loginGuest(): Prepared<DiskGuest> {
  const kernel = debianKernel('amd64');
  const tools = busybox('amd64');
  if (kernel === undefined || tools === undefined) return { missing: "Debian's kernel and busybox packages cannot be downloaded" };
  const disk = rootImage();
  if ('missing' in disk) return disk;
  const modules = moduleFiles(join(dirname(kernel), '..', 'lib', 'modules'), DISK_MODULES);
  const names = modules.map((path, index) => `${index}-${path.slice(path.lastIndexOf('/') + 1)}`);
  const init = ['#!/bin/busybox sh', '/bin/busybox mount -t devtmpfs dev /dev', ...names.map((name) => `/bin/busybox insmod /lib/${name}`),
    'n=0; while [ ! -b /dev/sda ] && [ $n -lt 100 ]; do /bin/busybox sleep 0.1; n=$((n+1)); done',
    '/bin/busybox mount -t ext4 /dev/sda /root', '/bin/busybox mount --move /dev /root/dev', 'exec /bin/busybox switch_root /root /sbin/init', ''].join('\n');
  const initrd = cpio([
    ...['bin', 'lib', 'dev', 'root'].map((name) => ({ name, mode: DIRECTORY })),
    { name: 'dev/console', mode: CHARACTER, device: [5, 1] as const },
    { name: 'bin/busybox', mode: 0o100755, content: tools },
    ...modules.map((path, index) => ({ name: `lib/${names[index] ?? ''}`, mode: FILE, content: readFileSync(path) })),
    { name: 'init', mode: 0o100755, content: Buffer.from(init) },
  ]);
  return { files: { kernel, initrd: keep('login.cpio', initrd), disk: disk.files } };
}

/** Host name of the guest, so that its prompt is known. */
export const LOGIN_PROMPT = 'benchguest login:';

function rootImage(): Prepared<string> {
  // The name changes with the recipe.
  const image = join(CACHE, 'root-systemd-udev.ext4');
  if (existsSync(image)) return { files: image };
  for (const command of ['mmdebstrap', 'mke2fs']) if (!hasCommand(command)) return { missing: `${command} is not installed` };
  if (process.getuid?.() !== 0) return { missing: 'making a root file system needs root rights here' };
  const folder = join(CACHE, 'root');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(CACHE, { recursive: true });
  // The archive that this system itself uses.
  const sources = ['/etc/apt/sources.list', ...(existsSync('/etc/apt/sources.list.d') ? readdirSync('/etc/apt/sources.list.d').map((name) => `/etc/apt/sources.list.d/${name}`) : [])].filter((path) => /\/(sources\.list|debian\.sources|debian\.list)$/.test(path) && existsSync(path));
  const made = spawnSync('mmdebstrap', ['--mode=root', '--variant=minbase', '--include=systemd-sysv,udev', 'bookworm', folder, ...sources], { stdio: 'ignore', timeout: 900_000 });
  if (made.status !== 0) return { missing: "mmdebstrap could not make a root file system from Debian's archive" };
  writeFileSync(join(folder, 'etc/hostname'), 'benchguest\n');
  writeFileSync(join(folder, 'etc/fstab'), '/dev/sda / ext4 defaults 0 0\n');
  execFileSync('mke2fs', ['-q', '-F', '-t', 'ext4', '-d', folder, '-E', 'lazy_itable_init=0,lazy_journal_init=0', `${image}.part`, '600M'], { stdio: 'ignore', timeout: 300_000 });
  renameSync(`${image}.part`, image);
  rmSync(folder, { recursive: true, force: true });
  return { files: image };
}
