// Runs the project's checks and tests and ends with one line `N passed, N failed, N skipped`. A skipped test's reason is
// part of its name and is listed before that line.
// Usage: node build/test.ts [--long] [vitest filters]

import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

interface Assertion {
  readonly status: 'passed' | 'failed' | 'skipped' | 'pending' | 'todo' | 'disabled';
  readonly fullName: string;
  /** What went wrong at each try; a test that passed at its second one has some, too. */
  readonly failureMessages: readonly string[];
}
interface Report {
  readonly success: boolean;
  readonly testResults: readonly { readonly name: string; readonly status: string; readonly message?: string; readonly assertionResults: readonly Assertion[] }[];
}

const root = fileURLToPath(new URL('..', import.meta.url));
const long = process.argv.includes('--long');
const filters = process.argv.slice(2).filter((word) => word !== '--long');

function run(label: string, script: string, args: readonly string[]): boolean {
  process.stdout.write(`\n== ${label}\n`);
  const result = spawnSync(process.execPath, [script, ...args], { cwd: root, stdio: 'inherit' });
  return result.status === 0;
}

const bin = (path: string): string => fileURLToPath(new URL(`../node_modules/${path}`, import.meta.url));
let passed = 0;
let failed = 0;
const skipped: string[] = [];
const unsteady: string[] = [];

function check(label: string, script: string, args: readonly string[]): void {
  if (run(label, script, args)) passed++;
  else {
    failed++;
    process.stdout.write(`FAILED: ${label}\n`);
  }
}

if (filters.length === 0 && !long) {
  check('types of every layer of the core, and of tests', bin('typescript/bin/tsc'), ['-b']);
  check('types of the desktop shell', bin('typescript/bin/tsc'), ['-p', 'tsconfig.electron.json']);
  check('types of the preload script', bin('typescript/bin/tsc'), ['-p', 'tsconfig.preload.json']);
  check('types of the end-to-end tests', bin('typescript/bin/tsc'), ['-p', 'tsconfig.e2e.json']);
  check('types of the window', bin('svelte-check/bin/svelte-check'), ['--tsconfig', 'tsconfig.renderer.json', '--fail-on-warnings']);
  check('lint', bin('eslint/bin/eslint.js'), ['.']);
  check('layers', bin('dependency-cruiser/bin/dependency-cruiser.mjs'), ['core', 'electron', 'renderer', '--config', '.dependency-cruiser.cjs']);
}

const reportPath = `${root}.cache/test-report.json`;
mkdirSync(`${root}.cache`, { recursive: true });
rmSync(reportPath, { force: true });
const ok = run(long ? 'long tests' : 'tests', bin('vitest/vitest.mjs'), [
  'run',
  ...(long ? ['--config', 'vitest.long.config.ts'] : []),
  '--reporter=default',
  '--reporter=json',
  `--outputFile.json=${reportPath}`,
  // Guests, browsers and VM processes share two processors with each other and with whatever the machine does besides: one
  // stall must not hide the result of two thousand tests. What needed its second try is listed below.
  '--retry=1',
  ...filters,
]);

let failedBefore = failed;
try {
  const report = JSON.parse(readFileSync(reportPath, 'utf8')) as Report;
  for (const file of report.testResults) {
    for (const test of file.assertionResults) {
      if (test.status === 'passed') {
        passed++;
        const before = test.failureMessages[0];
        if (before !== undefined) unsteady.push(`${file.name.slice(root.length)}: ${test.fullName}\n    ${before.split('\n', 1)[0] ?? ''}`);
      }
      else if (test.status === 'failed') failed++;
      else skipped.push(`${file.name.slice(root.length)}: ${test.fullName}`);
    }
    // A file that fails while it loads has no tests of its own to count.
    if (file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed')) failed++;
  }
} catch {
  process.stdout.write('The test runner left no report.\n');
  failed++;
}
if (!ok && failed === failedBefore) failed++;
failedBefore = failed;

if (unsteady.length > 0) process.stdout.write(`\nPassed at the second try only; each of them is a bug to find:\n${unsteady.map((line) => `  ${line}`).join('\n')}\n`);
if (skipped.length > 0) process.stdout.write(`\nSkipped:\n${skipped.map((line) => `  ${line}`).join('\n')}\n`);
process.stdout.write(`\n${passed} passed, ${failed} failed${skipped.length > 0 ? `, ${skipped.length} skipped` : ''}\n`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);
