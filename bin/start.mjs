#!/usr/bin/env node
// `npm start`: the desktop app where Electron's binary is there; otherwise says so in one line and serves the same app to a
// browser on this machine.

import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Electron's binary, without asking its package for it: that would start a download. */
function electronBinary() {
  const folder = join(root, 'node_modules', 'electron');
  const name = existsSync(join(folder, 'path.txt')) ? readFileSync(join(folder, 'path.txt'), 'utf8') : undefined;
  const override = process.env.ELECTRON_OVERRIDE_DIST_PATH;
  const candidates = override === undefined || override === '' ? [name === undefined ? undefined : join(folder, 'dist', name)] : [join(override, name ?? 'electron')];
  return candidates.find((path) => path !== undefined && existsSync(path));
}

/** The built main process; package.json names it. */
function desktopEntry() {
  const { main } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  return typeof main === 'string' && existsSync(join(root, main)) ? root : undefined;
}

const binary = electronBinary();
const entry = desktopEntry();
let command = process.execPath;
let args = [join(root, 'bin', 'nestbox.mjs'), 'serve', ...process.argv.slice(2)];
if (binary !== undefined && entry !== undefined) {
  command = binary;
  args = [entry, ...process.argv.slice(2)];
} else {
  const why = binary === undefined ? "Electron's binary is not there" : 'the desktop app has not been built';
  process.stderr.write(`nestbox: ${why}; serving the app to a browser on this machine instead\n`);
}
const child = spawn(command, args, { stdio: 'inherit', cwd: root });
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
child.on('error', (error) => {
  process.stderr.write(`nestbox: ${command} cannot be started: ${error.message}\n`);
  process.exit(1);
});
child.on('exit', (code, signal) => process.exit(code ?? (signal === null ? 1 : 128)));
