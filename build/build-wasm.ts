// Builds dist/interp.wasm: generates the layout and the decoder from the tables in core/cpu/isa, then compiles the
// AssemblyScript in core/cpu/interp/assembly. Does nothing when no input has changed (content hash in dist/interp.hash).
// `--force` builds anyway, `--slow` optimises for minutes; V8 optimises the module itself, so it gains little.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { inputHash } from './input-hash.ts';

const root = fileURLToPath(new URL('../', import.meta.url));
const assembly = `${root}core/cpu/interp/assembly/`;
const isa = `${root}core/cpu/isa/`;
const output = `${root}dist/interp.wasm`;
const hashFile = `${root}dist/interp.hash`;
const force = process.argv.includes('--force');
const slow = process.argv.includes('--slow');

const FLAGS = [
  slow ? '-O3' : '-O1',
  '--runtime',
  'stub',
  '--noAssert',
  '--importMemory',
  '--sharedMemory',
  '--initialMemory',
  '256',
  '--maximumMemory',
  '65536',
  '--memoryBase',
  '65536',
  '--enable',
  'threads',
  '--enable',
  'simd',
  '--disableWarning',
  '112',
  '--exportTable',
];

function inputs(): string[] {
  const files = [
    ...readdirSync(assembly)
      .filter((name) => name.endsWith('.ts'))
      .map((name) => assembly + name),
    ...readdirSync(isa)
      .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
      .map((name) => isa + name),
    ...['build-wasm.ts', 'generate-layout.ts', 'generate-decoder.ts', 'interpreter-handlers.ts'].map(
      (name) => `${root}build/${name}`,
    ),
    `${root}node_modules/assemblyscript/package.json`,
  ];
  return files;
}

function run(script: string, ...args: string[]): void {
  const result = spawnSync(process.execPath, [script, ...args], { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
  if (result.status !== 0) {
    console.error(`build-wasm: ${script.slice(root.length)} failed`);
    process.exit(1);
  }
}

const hash = inputHash(root, inputs().map((file) => file.slice(root.length)), FLAGS.join(' '));
const generated =
  ['layout.ts', 'decode-tables.ts', 'dispatch.ts', 'handlers.ts', 'subs.ts'].every((name) =>
    existsSync(`${assembly}generated/${name}`),
  ) && existsSync(`${isa}generated/decoder.ts`);
if (force || !generated || !existsSync(output) || !existsSync(hashFile) || readFileSync(hashFile, 'utf8') !== hash) {
  const started = Date.now();
  mkdirSync(`${root}dist`, { recursive: true });
  run(`${root}build/generate-layout.ts`);
  run(`${root}build/generate-decoder.ts`);
  // Under another name first: a failed or parallel build must not leave half a module.
  const temporary = `${root}dist/interp.${process.pid}.wasm`;
  run(`${root}node_modules/assemblyscript/bin/asc.js`, `${assembly}index.ts`, ...FLAGS, '-o', temporary);
  renameSync(temporary, output);
  writeFileSync(hashFile, hash);
  console.log(
    `build-wasm: dist/interp.wasm ${Math.round(readFileSync(output).length / 1024)} KiB in ${((Date.now() - started) / 1000).toFixed(1)} s`,
  );
}
