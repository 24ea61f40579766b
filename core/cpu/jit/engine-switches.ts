// The one switch of V8 that compiled regions want: branch hints (custom section metadata.code.branch_hint, WebAssembly branch
// hinting, phase 4). With them V8 moves the slow paths of memory accesses out of the way and spills registers only there; without
// them it ignores the section. The switch is there up to V8 14; process-wide, to be set before modules are compiled.

import { setFlagsFromString } from 'node:v8';

const LAST_WITH_SWITCH = 14;
let done = false;

export function enableBranchHints(): void {
  if (done) return;
  done = true;
  if (Number.parseInt(process.versions.v8, 10) <= LAST_WITH_SWITCH) setFlagsFromString('--experimental-wasm-branch-hinting');
}
