import { readFileSync, readdirSync } from 'node:fs';
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

  it.runIf(process.platform === 'linux')('gives way to the guest, as V8\'s threads do', async () => {
    const made = (compiler = new WorkerCompiler(new WebAssembly.Memory({ initial: 1, maximum: 65536, shared: true })));
    made.submit({ id: 1, setup: { cpu: 0, wide: true, flatSegments: 0 }, blocks: [] });
    await vi.waitFor(() => expect(made.take()).toBeDefined(), { timeout: 60_000, interval: 20 });
    // proc(5): fields of stat after the name in parentheses begin with the third; niceness is the nineteenth.
    const nicenessOf = (task: string): number => Number(readFileSync(`/proc/self/task/${task}/stat`, 'latin1').replace(/^.*\) /s, '').split(' ')[16]);
    const named = (name: string): string[] => readdirSync('/proc/self/task').filter((task) => readFileSync(`/proc/self/task/${task}/comm`, 'latin1').trim() === name);
    const own = nicenessOf(String(process.pid));
    const compilers = [...named('V8Worker'), ...named('jit')];
    expect(compilers.length).toBeGreaterThan(1);
    expect(compilers.map(nicenessOf)).toEqual(compilers.map(() => Math.min(19, own + 5)));
  }, 120_000);
});
