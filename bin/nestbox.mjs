#!/usr/bin/env node
// Starts the command with Node 24. The system's Node may be older (20 or newer is enough to get here): then the Node
// that npm installed as a platform package is used. Builds what is missing first. Takes the bundle (dist/cli, build/build-cli.ts)
// unless a source is newer: it starts in less than half of the time.

import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import module, { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const require = createRequire(import.meta.url);
const root = fileURLToPath(new URL('..', import.meta.url));

function findNode() {
  if (Number(process.versions.node.split('.')[0]) >= 24) return process.execPath;
  const platform = process.platform === 'win32' ? 'win' : process.platform;
  try {
    return require.resolve(`node-${platform}-${process.arch}/bin/node${platform === 'win' ? '.exe' : ''}`);
  } catch {
    process.stderr.write(`nestbox: this system's Node is ${process.version}; Node 24 or newer is needed and npm has no package of it for ${platform} ${process.arch}. Install Node 24.\n`);
    process.exit(2);
  }
}

const node = findNode();
const missing = (path) => !existsSync(new URL(`../${path}`, import.meta.url));
if (missing('dist/interp.wasm') || missing('dist/nestbox-demo.img') || (process.argv[2] === 'serve' && !missing('vite.config.ts') && missing('dist/renderer/index.html'))) {
  const build = spawnSync(node, ['build/build.ts'], { cwd: root, stdio: ['ignore', 2, 2] });
  if (build.status !== 0) process.exit(build.status ?? 1);
}

/** Whether something under a folder was written after a time. Asking file by file takes a third of what a recursive listing does. */
function isAnyNewer(folder, timeMs) {
  // A folder's own time tells of files that came or went.
  if (statSync(folder).mtimeMs > timeMs) return true;
  return readdirSync(folder, { withFileTypes: true }).some((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return isAnyNewer(path, timeMs);
    return /\.(ts|json)$/.test(entry.name) && !entry.name.endsWith('.test.ts') && statSync(path).mtimeMs > timeMs;
  });
}

/** Whether dist/cli was built from the sources that are there; an installation may have none. */
function isBundleFresh() {
  const built = statSync(join(root, 'dist/cli.hash'), { throwIfNoEntry: false })?.mtimeMs;
  if (built === undefined || missing('dist/cli/main.js')) return false;
  return missing('core') || !isAnyNewer(join(root, 'core'), built);
}

// The same folder as core/host/compile-cache.ts, which cannot be loaded before Node 24 runs.
const caches = process.env.XDG_CACHE_HOME || process.env.LOCALAPPDATA || join(homedir(), '.cache');
const cache = process.env.NODE_COMPILE_CACHE ?? join(caches, 'nestbox', 'compile');
const bundled = isBundleFresh();
const entry = join(root, bundled ? 'dist/cli/main.js' : 'core/cli/main.ts');

if (bundled && node === process.execPath) {
  module.enableCompileCache(cache);
  await import(pathToFileURL(entry));
} else {
  const child = spawn(node, ['--disable-warning=ExperimentalWarning', entry, ...process.argv.slice(2)], { stdio: 'inherit', env: { NODE_COMPILE_CACHE: cache, ...process.env } });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => process.exit(code ?? (signal === null ? 1 : 128)));
}
