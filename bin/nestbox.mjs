#!/usr/bin/env node
// Starts the command with Node 24. The system's Node may be older (20 or newer is enough to get here): then the Node
// that npm installed as a platform package is used. Builds what is missing first.

import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

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
if (missing('dist/interp.wasm') || (process.argv[2] === 'serve' && !missing('vite.config.ts') && missing('dist/renderer/index.html'))) {
  const build = spawnSync(node, ['build/build.ts'], { cwd: root, stdio: ['ignore', 2, 2] });
  if (build.status !== 0) process.exit(build.status ?? 1);
}
const entry = fileURLToPath(new URL('../core/cli/main.ts', import.meta.url));
// The same folder as core/host/compile-cache.ts, which cannot be loaded before Node 24 runs.
const caches = process.env.XDG_CACHE_HOME || process.env.LOCALAPPDATA || join(homedir(), '.cache');
const env = { NODE_COMPILE_CACHE: join(caches, 'nestbox', 'compile'), ...process.env };
const child = spawn(node, ['--disable-warning=ExperimentalWarning', entry, ...process.argv.slice(2)], { stdio: 'inherit', env });
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
child.on('exit', (code, signal) => process.exit(code ?? (signal === null ? 1 : 128)));
