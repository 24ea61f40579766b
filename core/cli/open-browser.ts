// Opens the browser without showing the launch code to other users of this computer: arguments of programs are public
// (`ps`), so the browser gets a private file that leads to the address.

import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { LAUNCH_CODE_MS } from '../host/browser-host/limits.ts';

/** Where there is a display. That no browser comes up is no failure: the address has been printed. */
export function openBrowser(url: string): void {
  const hasDisplay = process.platform !== 'linux' || (process.env.DISPLAY ?? process.env.WAYLAND_DISPLAY ?? '') !== '';
  if (!hasDisplay) return;
  const target = isConfined() ? url : pathToFileURL(launchFile(url)).href;
  const [command, ...args] = process.platform === 'darwin' ? ['open', target] : process.platform === 'win32' ? ['rundll32', 'url.dll,FileProtocolHandler', target] : ['xdg-open', target];
  const child = spawn(command, args, { stdio: 'ignore', detached: true });
  child.on('error', () => undefined);
  child.unref();
}

/** For its owner only, and gone when the code in it is worth nothing any more. */
function launchFile(url: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'nestbox-launch-'));
  const path = join(folder, 'open.html');
  const address = url.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;');
  writeFileSync(path, `<!doctype html>\n<meta charset="utf-8">\n<meta name="referrer" content="no-referrer">\n<title>Nestbox</title>\n<meta http-equiv="refresh" content="0; url=${address}">\n<a href="${address}">Nestbox</a>\n`, { mode: 0o600, flag: 'wx' });
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  setTimeout(remove, LAUNCH_CODE_MS).unref();
  process.once('exit', remove);
  return path;
}

/** Browsers from Snap and Flatpak have no access to such files: they get the address itself, whose code works once. */
function isConfined(): boolean {
  if (process.platform !== 'linux') return false;
  try {
    const name = execFileSync('xdg-settings', ['get', 'default-web-browser'], { encoding: 'utf8', timeout: 2000, stdio: ['ignore', 'pipe', 'ignore'] }).trim();
    if (!/^[\w.-]+\.desktop$/.test(name)) return false;
    const folders = ['/var/lib/snapd/desktop/applications', '/var/lib/flatpak/exports/share/applications', join(process.env.HOME ?? '/', '.local/share/flatpak/exports/share/applications')];
    if (folders.some((folder) => existsSync(join(folder, name)))) return true;
    const entry = join('/usr/share/applications', name);
    return existsSync(entry) && /^Exec=.*(\/snap\/|flatpak)/m.test(readFileSync(entry, 'utf8'));
  } catch {
    return false;
  }
}
