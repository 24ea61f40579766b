// The environment of VM processes: what one needs and nothing else, so that secrets of the user's session stay out.

import { compileCacheFolder } from './compile-cache.ts';

const NAMES = ['PATH', 'HOME', 'TMPDIR', 'TEMP', 'TMP', 'LANG', 'LC_ALL', 'TZ', 'SystemRoot', 'NESTBOX_LOG', 'XDG_RUNTIME_DIR', 'NODE_DISABLE_COMPILE_CACHE'];

export function vmEnvironment(): Record<string, string> {
  const env: Record<string, string> = { NODE_COMPILE_CACHE: compileCacheFolder() };
  for (const name of NAMES) {
    const value = process.env[name];
    if (value !== undefined) env[name] = value;
  }
  return env;
}
