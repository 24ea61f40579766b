// Guests for tests: the collected images beside the project when they are there, and what Debian's packages hold.
// Packages are downloaded once into .cache/ and unpacked there; nothing is installed and nothing is committed.

import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { projectRoot, temporaryFolder } from './nestbox.ts';

const SHARED = join(projectRoot, '..', 'shared');
const CACHE = join(projectRoot, '.cache', 'debian');

/** Path of a file in the collected material, or undefined. */
export function shared(path: string): string | undefined {
  const full = join(SHARED, path);
  return existsSync(full) ? full : undefined;
}

/**
 * A copy of an image for the test that runs: a guest may write to it, and two tests that run at once cannot both have the
 * file itself, which a machine locks.
 */
export function ownCopy(image: string): string {
  const copy = join(temporaryFolder(), basename(image));
  copyFileSync(image, copy);
  chmodSync(copy, 0o644);
  return copy;
}

/** The reason to give in a skipped test's name. */
export const NO_SHARED = 'skipped: the collected guest images are not beside the project';

export function hasCommand(name: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${name}`]).status === 0;
}

const folderOf = (name: string): string => join(CACHE, name.replaceAll(':', '_'));
const isUnpacked = (name: string): boolean => existsSync(join(folderOf(name), '.complete'));

/**
 * Downloads and unpacks a Debian package without installing it.
 * @returns the folder with its files, or undefined when there is no apt or no archive
 */
export function debianPackage(name: string): string | undefined {
  return debianPackages([name])?.get(name);
}

/** Several packages with one run of apt, which takes seconds. Undefined when one of them cannot be had. */
export function debianPackages(names: readonly string[]): Map<string, string> | undefined {
  const missing = names.filter((name) => !isUnpacked(name));
  if (missing.length > 0) {
    if (!hasCommand('apt-get') || !hasCommand('dpkg-deb')) return undefined;
    mkdirSync(CACHE, { recursive: true });
    const downloads = mkdtempSync(join(CACHE, 'download-'));
    try {
      execFileSync('apt-get', ['download', '-q', ...missing], { cwd: downloads, stdio: 'ignore', timeout: 600_000 });
      for (const name of missing) unpack(downloads, name);
    } catch {
      return undefined;
    } finally {
      rmSync(downloads, { recursive: true, force: true });
    }
  }
  return new Map(names.map((name) => [name, folderOf(name)]));
}

/** NAME_VERSION_ARCHITECTURE.deb among the downloads, or an error. */
function unpack(downloads: string, name: string): void {
  const [plain = name, architecture] = name.split(':');
  const file = readdirSync(downloads).find((entry) => entry.startsWith(`${plain}_`) && entry.endsWith('.deb') && (architecture === undefined || entry.endsWith(`_${architecture}.deb`) || entry.endsWith('_all.deb')));
  if (file === undefined) throw new Error(`apt-get did not bring ${name}`);
  const folder = folderOf(name);
  mkdirSync(folder, { recursive: true });
  execFileSync('dpkg-deb', ['-x', join(downloads, file), folder], { timeout: 300_000 });
  writeFileSync(join(folder, '.complete'), '');
}

/** The real package behind a meta package such as linux-image-amd64. */
function dependencyOf(metaPackage: string, pattern: RegExp): string | undefined {
  const result = spawnSync('apt-cache', ['depends', metaPackage], { encoding: 'utf8' });
  return pattern.exec(result.stdout)?.[1];
}

function kernelIn(folder: string | undefined): string | undefined {
  if (folder === undefined) return undefined;
  const boot = join(folder, 'boot');
  const name = existsSync(boot) ? readdirSync(boot).find((entry) => entry.startsWith('vmlinuz')) : undefined;
  return name === undefined ? undefined : join(boot, name);
}

/** A stock Debian kernel: `cloud-amd64`, `amd64` or `686`. */
export function debianKernel(flavour: 'cloud-amd64' | 'amd64' | '686'): string | undefined {
  const suffix = flavour === '686' ? ':i386' : '';
  if (flavour === '686' && !enableI386()) return undefined;
  const name = dependencyOf(`linux-image-${flavour}${suffix}`, /Depends: (linux-image-\d\S+)/);
  return name === undefined ? undefined : kernelIn(debianPackage(name));
}

/** A module of such a kernel, by its path under `kernel/`. */
export function debianModule(flavour: 'cloud-amd64' | 'amd64' | '686', name: string): string | undefined {
  const kernel = debianKernel(flavour);
  const path = kernel?.replace(/boot\/vmlinuz-(.*)$/, `lib/modules/$1/kernel/${name}`);
  return path !== undefined && existsSync(path) ? path : undefined;
}

/** The 686 kernel is in the i386 part of the archive; adding it changes apt's lists only. */
function enableI386(): boolean {
  const known = spawnSync('dpkg', ['--print-foreign-architectures'], { encoding: 'utf8' }).stdout.split('\n').includes('i386');
  if (known && spawnSync('apt-cache', ['show', 'linux-image-686:i386'], { stdio: 'ignore' }).status === 0) return true;
  if (process.getuid?.() !== 0) return false;
  return spawnSync('dpkg', ['--add-architecture', 'i386']).status === 0 && spawnSync('apt-get', ['update', '-q'], { stdio: 'ignore' }).status === 0;
}
