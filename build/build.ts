// Builds what does not run from its sources: the interpreter's WebAssembly module, the window and the desktop app's bundle.
// Steps whose inputs have not changed are skipped.

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const steps = ['build-wasm.ts', 'build-renderer.ts', 'build-app.ts'];

for (const step of steps) {
  const path = fileURLToPath(new URL(step, import.meta.url));
  const result = spawnSync(process.execPath, [path], { stdio: 'inherit' });
  if (result.status !== 0) process.exit(result.status ?? 1);
}
