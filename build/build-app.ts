// Bundles the desktop app's own code into dist/app for Electron, which runs JavaScript only: main process, VM process and
// worker entries as ES modules that keep their folders (files are found relative to their module), and the preload script
// as CommonJS, as the sandbox wants it. Native packages and Electron stay outside.
// Does nothing when no source has changed (content hash in dist/app.hash). Usage: node build/build-app.ts [--force]

import { copyFileSync, existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';
import { assembledRoms } from './assembled-roms.ts';
import { inputHash } from './input-hash.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const out = join(root, 'dist/app');
const EXTERNAL = ['electron', 'better-sqlite3', 'koffi', /^node:/];
/** Programs that are started by path, never imported. */
const ENTRIES = ['electron/main/main.ts', 'electron/vm/main.ts', ...globSync('core/**/*-{worker,thread}.ts', { cwd: root })];

/** `new URL('./x.ts', import.meta.url)` names a program beside the module: in the bundle it is JavaScript. */
const programUrls = {
  name: 'program-urls',
  transform(code: string): string | undefined {
    return code.includes('import.meta.url') ? code.replace(/(new URL\(\s*['"][^'"]+)\.ts(['"],\s*import\.meta\.url)/g, '$1.js$2') : undefined;
  },
};

const hashFile = join(root, 'dist/app.hash');

async function build(): Promise<void> {
  rmSync(out, { recursive: true, force: true });
  const programs = await rolldown({ input: ENTRIES.map((path) => join(root, path)), external: EXTERNAL, platform: 'node', plugins: [assembledRoms, programUrls] });
  await programs.write({ dir: out, format: 'esm', preserveModules: true, preserveModulesRoot: root, entryFileNames: ({ name }) => `${name.replaceAll('node_modules', 'vendor')}.js`, sourcemap: false });
  await programs.close();
  const preload = await rolldown({ input: join(root, 'electron/preload/preload.ts'), external: EXTERNAL, platform: 'browser' });
  await preload.write({ file: join(out, 'electron/preload/preload.cjs'), format: 'cjs' });
  await preload.close();
  for (const file of ['dist/interp.wasm', 'dist/nestbox-demo.img']) copy(file, file);
  copy('package.json', 'package.json');
  for (const icon of globSync('electron/icons/*.png', { cwd: root })) copy(icon, icon);
}

function copy(from: string, to: string): void {
  const source = join(root, from);
  if (!existsSync(source)) throw new Error(`${from} is missing: run npm run build first`);
  mkdirSync(dirname(join(out, to)), { recursive: true });
  copyFileSync(source, join(out, to));
}

/** A module that still names a TypeScript program would fail only when a user gets there. */
function checkProgramUrls(): void {
  for (const path of globSync('**/*.js', { cwd: out })) {
    if (/new URL\(\s*['"][^'"]+\.ts['"]/.test(readFileSync(join(out, path), 'utf8'))) throw new Error(`${path} names a .ts program`);
  }
}

const sources = globSync(['core/**/*.{ts,json}', 'electron/**/*.{ts,json,png}'], { cwd: root, exclude: ['core/cpu/interp/assembly/**', '**/*.test.ts', 'electron/testing/**'] });
const wanted = inputHash(root, [...sources, 'build/build-app.ts', 'build/assembled-roms.ts', 'package-lock.json', 'dist/interp.hash', 'dist/nestbox-demo.img']);
const have = existsSync(hashFile) ? readFileSync(hashFile, 'utf8') : '';
if (process.argv.includes('--force') || have !== wanted || !existsSync(out)) {
  const started = performance.now();
  rmSync(hashFile, { force: true });
  await build();
  checkProgramUrls();
  writeFileSync(hashFile, wanted);
  process.stdout.write(`build-app: dist/app in ${((performance.now() - started) / 1000).toFixed(1)} s\n`);
}
