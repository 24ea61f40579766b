// Source packages of Debian, for test programs that other projects publish: downloaded into .cache/ like binary packages,
// never committed.

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hasCommand } from './guests.ts';
import { projectRoot } from './nestbox.ts';

const CACHE = join(projectRoot, '.cache', 'debian-source');

/**
 * Downloads the upstream source of a package and unpacks some of its folders.
 * @param folders patterns for tar, such as `x/tests/*`
 * @returns the folder that holds the unpacked tree, or undefined when there is no apt or no archive
 */
export function debianSource(name: string, folders: readonly string[]): string | undefined {
  // By the folders, too: another test may want others of the same package.
  const target = join(CACHE, `${name}-${createHash('sha256').update(folders.join('\n')).digest('hex').slice(0, 12)}`);
  if (existsSync(target)) return target;
  if (!hasCommand('apt-get') || process.getuid?.() !== 0) return undefined;
  const work = `${target}.part`;
  rmSync(work, { recursive: true, force: true });
  mkdirSync(join(work, 'lists', 'partial'), { recursive: true });
  try {
    // Stock sources.list files name binary packages only; ours names the sources of the same release.
    writeFileSync(join(work, 'sources.list'), sourceLines());
    const options = ['-q', '-o', `Dir::Etc::sourcelist=${join(work, 'sources.list')}`, '-o', 'Dir::Etc::sourceparts=/dev/null', '-o', `Dir::State::lists=${join(work, 'lists')}`, '-o', 'APT::Sandbox::User=root'];
    execFileSync('apt-get', [...options, 'update'], { stdio: 'ignore', timeout: 300_000 });
    execFileSync('apt-get', [...options, '--download-only', 'source', name], { cwd: work, stdio: 'ignore', timeout: 600_000 });
    const archive = readdirSync(work).find((file) => /\.orig\.tar\.\w+$/.test(file));
    if (archive === undefined) return undefined;
    mkdirSync(join(work, 'tree'));
    execFileSync('tar', ['-xf', join(work, archive), '-C', join(work, 'tree'), '--strip-components=1', '--wildcards', ...folders], { timeout: 300_000 });
    renameSync(join(work, 'tree'), target);
    return target;
  } catch {
    return undefined;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';

/** Where apt gets the packages of this release from, with "deb-src" for "deb". */
function sourceLines(): string {
  const listed = execFileSync('apt-get', ['indextargets', '--format', '$(REPO_URI) $(RELEASE) $(COMPONENT)', 'Created-By: Packages'], { encoding: 'utf8' });
  const signed = existsSync(KEYRING) ? `[signed-by=${KEYRING}] ` : '';
  return [...new Set(listed.trim().split('\n'))].map((target) => `deb-src ${signed}${target}\n`).join('');
}

/** QEMU's source holds test programs for processors: its own and Berkeley's. */
export function qemuTestSource(): string | undefined {
  return debianSource('qemu', ['*/tests/tcg/*', '*/tests/fp/*']);
}
