// File names made from what users call things: readable, the same on every host, never a path.

import { stat } from 'node:fs/promises';
import { join } from 'node:path';

const NAME_CHARACTERS = 100;
/** Names that Windows keeps for devices. */
const RESERVED = /^(con|prn|aux|nul|com\d|lpt\d)$/i;

/** Letters and digits of all scripts, space, dot, dash; "machine" when nothing is left. */
export function safeFileName(name: string): string {
  const kept = name
    .normalize('NFC')
    .replaceAll(/[^\p{L}\p{N} ._()-]/gu, '_')
    .replaceAll(/^[ .]+|[ .]+$/g, '');
  const cut = [...kept].slice(0, NAME_CHARACTERS).join('').replaceAll(/[ .]+$/g, '');
  return cut === '' || RESERVED.test(cut) ? 'machine' : cut;
}

/** A path that does not exist: "name.ext", "name 2.ext" ... */
export async function freeFileName(folder: string, name: string, extension: string): Promise<string> {
  const plain = safeFileName(name);
  const suffix = /^\.[A-Za-z0-9]{1,10}$/.test(extension) ? extension : '';
  for (let number = 1; ; number++) {
    const path = join(folder, `${plain}${number === 1 ? '' : ` ${number}`}${suffix}`);
    if ((await stat(path).catch(() => undefined)) === undefined) return path;
  }
}
