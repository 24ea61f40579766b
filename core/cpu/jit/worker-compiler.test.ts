import { afterEach, describe, expect, it, vi } from 'vitest';
import { WorkerCompiler } from './worker-compiler.ts';

describe('the compiler thread', () => {
  let compiler: WorkerCompiler | undefined;

  afterEach(() => compiler?.dispose());

  it('answers what it cannot compile and takes the next request', async () => {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 65536, shared: true });
    const made = (compiler = new WorkerCompiler(memory));
    for (const id of [1, 2]) {
      made.submit({ id, setup: { cpu: 0, wide: true, flatSegments: 0 }, blocks: [] });
      const batch = await vi.waitFor(() => {
        const taken = made.take();
        expect(taken).toBeDefined();
        return taken;
      }, { timeout: 60_000, interval: 20 });
      expect(batch?.module).toBeUndefined();
      expect(batch?.results.map((result) => [result.id, result.need])).toEqual([[id, 0]]);
    }
  }, 120_000);
});
