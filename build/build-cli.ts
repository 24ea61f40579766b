// Bundles the command, the process of a VM and their worker programs into dist/cli, which is what bin/nestbox.mjs starts when
// no source is newer: hundreds of modules to find, read and strip of types become a few. Native packages stay outside.
// Does nothing when no source has changed (content hash in dist/cli.hash). Usage: node build/build-cli.ts [--force]

import { existsSync, globSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';
import { assembledRoms } from './assembled-roms.ts';
import { inputHash } from './input-hash.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const out = join(root, 'dist/cli');
const hashFile = join(root, 'dist/cli.hash');

/** Programs by the name of their file in dist/cli. All files lie side by side there. */
const ENTRIES: Readonly<Record<string, string>> = {
  main: 'core/cli/main.ts',
  vm: 'core/vm-process/main.ts',
  ...Object.fromEntries(globSync('core/**/*-{worker,thread}.ts', { cwd: root }).map((path) => [basename(path, '.ts'), path])),
};

/** `new URL('./x.ts', import.meta.url)` names a program, anything else a file of the project: both as seen from dist/cli. */
const fileUrls = {
  name: 'file-urls',
  transform(code: string, id: string): string | undefined {
    if (!code.includes('import.meta.url') || id.includes('node_modules')) return undefined;
    return code.replace(/(new URL\(\s*['"])([^'"]+)(['"],\s*import\.meta\.url)/g, (_all, before: string, target: string, after: string) => {
      const path = relative(root, join(dirname(id), target));
      if (!target.endsWith('.ts')) return `${before}../../${path}${after}`;
      const name = Object.keys(ENTRIES).find((entry) => ENTRIES[entry] === path);
      if (name === undefined) throw new Error(`${id} starts ${path}, which is not among the programs of build-cli`);
      return `${before}./${name}.js${after}`;
    });
  },
};

async function build(): Promise<void> {
  rmSync(out, { recursive: true, force: true });
  const bundle = await rolldown({ input: Object.fromEntries(Object.entries(ENTRIES).map(([name, path]) => [name, join(root, path)])), external: ['better-sqlite3', 'koffi', /^node:/], platform: 'node', plugins: [assembledRoms, fileUrls] });
  await bundle.write({ dir: out, format: 'esm', entryFileNames: '[name].js', chunkFileNames: '[name]-[hash].js', sourcemap: false });
  await bundle.close();
}

const sources = globSync('core/**/*.{ts,json}', { cwd: root, exclude: ['core/cpu/interp/assembly/**', '**/*.test.ts'] });
const wanted = inputHash(root, [...sources, 'build/build-cli.ts', 'build/assembled-roms.ts', 'package-lock.json']);
if (process.argv.includes('--force') || !existsSync(hashFile) || readFileSync(hashFile, 'utf8') !== wanted || !existsSync(join(out, 'main.js'))) {
  const started = performance.now();
  rmSync(hashFile, { force: true });
  await build();
  writeFileSync(hashFile, wanted);
  process.stdout.write(`build-cli: dist/cli in ${((performance.now() - started) / 1000).toFixed(1)} s\n`);
} else {
  // bin/nestbox.mjs compares times: the sources may have been written again with the same content.
  utimesSync(hashFile, new Date(), new Date());
}
