// Builds what does not run as it is: the interpreter's WebAssembly module and the window. Steps whose inputs have not changed are skipped.

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const steps = ['build-wasm.ts', 'build-renderer.ts'];

for (const step of steps) {
  const path = fileURLToPath(new URL(step, import.meta.url));
  const result = spawnSync(process.execPath, [path], { stdio: 'inherit' });
  if (result.status !== 0) process.exit(result.status ?? 1);
}
