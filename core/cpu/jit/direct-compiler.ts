// Compiles each region at once on the calling thread: for tests that want every instruction to run compiled.

import { enableBranchHints } from './engine-switches.ts';
import type { CompiledBatch, RegionCompiler } from './jit-engine.ts';
import { buildModule, type RegionRequest } from './region-module.ts';
import { stopwatchMs } from './stopwatch.ts';

export class DirectCompiler implements RegionCompiler {
  readonly immediate = true;
  private readonly pages: number;
  private readonly done: CompiledBatch[] = [];

  constructor(memory: WebAssembly.Memory) {
    enableBranchHints();
    this.pages = memory.buffer.byteLength / 65536;
  }

  submit(request: RegionRequest): void {
    const started = stopwatchMs();
    const { bytes, results } = buildModule([request], this.pages);
    const module = bytes === undefined ? undefined : new WebAssembly.Module(bytes);
    this.done.push({ module, results, ms: stopwatchMs() - started, bytes: bytes?.length ?? 0 });
  }

  take(): CompiledBatch | undefined {
    return this.done.shift();
  }

  dispose(): void {
    this.done.length = 0;
  }
}
