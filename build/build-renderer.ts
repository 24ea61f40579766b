// Builds the window (renderer/, Svelte) into dist/renderer with Vite. Does nothing when no input has changed (content hash in
// dist/renderer.hash), or when there is no window to build.

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inputHash } from './input-hash.ts';

const root = fileURLToPath(new URL('../', import.meta.url));
const config = join(root, 'vite.config.ts');
const hashFile = join(root, 'dist/renderer.hash');
const page = join(root, 'dist/renderer/index.html');
/** Everything that can get into the bundle. */
const INPUTS = ['renderer', 'core/protocol', 'core/base', 'vite.config.ts', 'svelte.config.js', 'package-lock.json'];

function filesIn(path: string): string[] {
  const full = join(root, path);
  if (!existsSync(full)) return [];
  try {
    return readdirSync(full, { withFileTypes: true, recursive: true })
      .filter((entry) => entry.isFile() && !entry.name.endsWith('.test.ts'))
      .map((entry) => join(entry.parentPath, entry.name));
  } catch {
    return [full];
  }
}

if (existsSync(config)) {
  const hash = inputHash(root, INPUTS.flatMap(filesIn).map((file) => file.slice(root.length)));
  const force = process.argv.includes('--force');
  if (force || !existsSync(page) || !existsSync(hashFile) || readFileSync(hashFile, 'utf8') !== hash) {
    const started = Date.now();
    const result = spawnSync(process.execPath, [join(root, 'node_modules/vite/bin/vite.js'), 'build', '--logLevel', 'warn'], { cwd: root, stdio: ['ignore', 2, 2] });
    if (result.status !== 0) {
      console.error('build-renderer: vite build failed');
      process.exit(1);
    }
    writeFileSync(hashFile, hash);
    console.log(`build-renderer: dist/renderer in ${((Date.now() - started) / 1000).toFixed(1)} s`);
  }
}
