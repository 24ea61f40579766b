// The switches of V8 that compiled regions want. Branch hints (custom section metadata.code.branch_hint, WebAssembly branch
// hinting, phase 4). With them V8 moves the slow paths of memory accesses out of the way and spills registers only there; without
// them it ignores the section; the switch is there up to V8 14; process-wide, to be set before modules are compiled. And the
// optimizing compiler at once: what the first tier makes of a region is several times as long, so that a guest that runs many
// regions a few times each waits for the host's caches, and it looks up a feedback vector at each entry.

import { setFlagsFromString } from 'node:v8';

const LAST_WITH_SWITCH = 14;
let done = false;

export function enableBranchHints(): void {
  if (done) return;
  done = true;
  if (Number.parseInt(process.versions.v8, 10) <= LAST_WITH_SWITCH) setFlagsFromString('--experimental-wasm-branch-hinting');
}

/**
 * What regions do without: the first tier, and second copies of loops. Those cost a tenth of the compiler's time and gain nothing,
 * because each round of a region's loop looks at the budget and at EVENTS.
 */
const WITHOUT = ['liftoff', 'wasm-loop-peeling', 'wasm-loop-unrolling'] as const;

/**
 * Compiles a module of regions. The switches are process-wide, so they are set for this call alone: the interpreter's module, which
 * another thread may be compiling, is better off with them.
 */
export function compileRegions(bytes: Uint8Array<ArrayBuffer>): WebAssembly.Module {
  for (const name of WITHOUT) setFlagsFromString(`--no-${name}`);
  try {
    return new WebAssembly.Module(bytes);
  } finally {
    for (const name of WITHOUT) setFlagsFromString(`--${name}`);
  }
}
