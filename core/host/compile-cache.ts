// Where Node keeps the compiled form of our modules (module.enableCompileCache), so that a start does not strip types and
// compile again: it takes two thirds off the processor time of loading a VM process. Node checks each entry against the
// source and its own version; a folder that cannot be written only costs the gain.

import { homedir } from 'node:os';
import { join } from 'node:path';

/** The user's choice when NODE_COMPILE_CACHE is set, else a folder among the user's caches. */
export function compileCacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  if (env.NODE_COMPILE_CACHE !== undefined) return env.NODE_COMPILE_CACHE;
  const caches = env.XDG_CACHE_HOME ?? env.LOCALAPPDATA;
  return join(caches === undefined || caches === '' ? join(homedir(), '.cache') : caches, 'nestbox', 'compile');
}
