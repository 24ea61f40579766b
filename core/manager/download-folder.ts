// Where the user's downloads are: as the desktop says (xdg-user-dirs), else a folder of that name, else the home folder.

import { readFile, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then((status) => status.isDirectory(), () => false);
}

export async function downloadFolder(home = homedir()): Promise<string> {
  const told = await readFile(join(home, '.config', 'user-dirs.dirs'), 'utf8').catch(() => '');
  const named = /^XDG_DOWNLOAD_DIR="(?:\$HOME\/)?([^"]+)"$/m.exec(told)?.[1];
  const candidates = [...(named === undefined ? [] : [named.startsWith('/') ? named : join(home, named)]), join(home, 'Downloads')];
  for (const path of candidates) if (await isFolder(path)) return path;
  return home;
}
