// Builds what does not run from its sources: the interpreter's WebAssembly module, the demo guest's image, the window, and the
// bundles of the command and of the desktop app. Steps whose inputs have not changed are skipped.

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const steps = ['build-wasm.ts', 'build-demo.ts', 'build-renderer.ts', 'build-cli.ts', 'build-app.ts'];

for (const step of steps) {
  const path = fileURLToPath(new URL(step, import.meta.url));
  const result = spawnSync(process.execPath, [path], { stdio: 'inherit' });
  if (result.status !== 0) process.exit(result.status ?? 1);
}
