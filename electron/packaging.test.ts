// The package's contents, by a real electron-builder run over a placeholder for Electron's files, and its settings.

import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Configuration } from 'electron-builder';

const root = fileURLToPath(new URL('..', import.meta.url));
const require = createRequire(import.meta.url);
const config = require('../electron-builder.config.cjs') as Configuration;

it('opens the media that users double-click', () => {
  const associations = config.fileAssociations as { ext: string }[];
  expect(associations.map((entry) => entry.ext).sort()).toEqual(['img', 'iso', 'nestbox', 'ova', 'qcow2']);
});

it('builds AppImage, deb, dmg and nsis', () => {
  expect([config.linux?.target, config.mac?.target, config.win?.target]).toEqual([['AppImage', 'deb'], ['dmg'], ['nsis']]);
});

it('switches off what would let others run code in the app', () => {
  expect(config.electronFuses).toMatchObject({ runAsNode: false, enableNodeOptionsEnvironmentVariable: false, enableNodeCliInspectArguments: false, onlyLoadAppFromAsar: true, enableEmbeddedAsarIntegrityValidation: true, grantFileProtocolExtraPrivileges: false });
});

const bundled = existsSync(join(root, 'dist/app/package.json'));
(bundled && process.platform === 'linux' ? describe : describe.skip)(bundled ? 'a package for Linux' : 'a package (skipped: no bundle, npm run build makes it)', () => {
  const work = mkdtempSync(join(tmpdir(), 'nestbox-package-'));
  let files: string[] = [];
  afterAll(() => rmSync(work, { recursive: true, force: true }));

  beforeAll(() => {
    // Only the program itself and the folder for resources: electron-builder looks at nothing else of it.
    const dist = join(work, 'electron');
    mkdirSync(join(dist, 'resources'), { recursive: true });
    writeFileSync(join(dist, 'electron'), '#!/bin/sh\nexit 0\n');
    chmodSync(join(dist, 'electron'), 0o755);
    const out = join(work, 'out');
    // Fuses are bytes inside Electron's own program, which the placeholder does not have.
    const args = [join(root, 'node_modules/electron-builder/cli.js'), '--linux', 'dir', '-c', 'electron-builder.config.cjs', '-c.electronFuses=', `-c.directories.output=${out}`];
    const result = spawnSync(process.execPath, args, { cwd: root, env: { ...process.env, NESTBOX_ELECTRON_DIST: dist }, encoding: 'utf8' });
    if (result.status !== 0) throw new Error(`${result.stdout}\n${result.stderr}`);
    const asar = require('@electron/asar') as { listPackage(path: string, options: { isPack: boolean }): string[] };
    files = asar.listPackage(join(out, `linux-${process.arch === 'arm64' ? 'arm64-' : ''}unpacked/resources/app.asar`), { isPack: false });
  });

  it.each(['/dist/app/electron/main/main.js', '/dist/app/electron/vm/main.js', '/dist/app/electron/preload/preload.cjs', '/dist/app/dist/interp.wasm', '/dist/app/core/manager/manager.js', '/node_modules/better-sqlite3/package.json', `/node_modules/better-sqlite3/prebuilds/${process.platform}-${process.arch}.node`, '/node_modules/koffi/package.json', '/LICENSE'])('has %s', (path) => {
    expect(files).toContain(path);
  });

  it.each([/\.ts$/, /\.test\./, /^\/node_modules\/node-/, /^\/node_modules\/(vite|svelte|typescript|electron)\//, /better-sqlite3\/(deps|src)\//, /prebuilds\/(darwin|win32)/, /^\/core\//, /\/\.cache\//])('has nothing like %s', (pattern) => {
    expect(files.filter((path) => pattern.test(path))).toEqual([]);
  });
});
