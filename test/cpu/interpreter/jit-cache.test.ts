// The JIT's cache when it is full, and the machine when the compiler's thread has died: nothing the guest could see changes.

import { afterEach, describe, expect, it, vi } from 'vitest';
import { DirectCompiler } from '../../../core/cpu/jit/direct-compiler.ts';
import type { CompiledBatch, RegionCompiler } from '../../../core/cpu/jit/jit-engine.ts';
import type { RegionRequest } from '../../../core/cpu/jit/region-module.ts';
import { WorkerCompiler } from '../../../core/cpu/jit/worker-compiler.ts';
import { type BareInterpreter, type BareOptions, EXIT, bareInterpreter, enterFlat32 } from './bare-interpreter.ts';

const FUNCTIONS = 12;
const PAGE = 0x1000;

/**
 * mov ecx,200; L: call F0; … call F11; dec ecx; jnz L; hlt. Each F has a page of its own:
 * add eax,ecx; rol eax,k; push ecx; mov ecx,5; M: xor eax,ecx; loop M; pop ecx; ret
 */
function program(options: BareOptions): BareInterpreter {
  const cpu = bareInterpreter(options);
  const code = [0xb9, 200, 0, 0, 0];
  for (let i = 0; i < FUNCTIONS; i++) {
    const target = 0x4000 + i * PAGE;
    const from = PAGE + code.length + 5;
    code.push(0xe8, ...new Uint8Array(new Int32Array([target - from]).buffer));
    cpu.ram.set([0x01, 0xc8, 0xc1, 0xc0, i + 1, 0x51, 0xb9, 5, 0, 0, 0, 0x31, 0xc8, 0xe2, 0xfc, 0x59, 0xc3], target);
  }
  code.push(0x49, 0x0f, 0x85, ...new Uint8Array(new Int32Array([5 - (code.length + 7)]).buffer), 0xf4);
  cpu.ram.set(code, PAGE);
  enterFlat32(cpu, PAGE);
  return cpu;
}

/** Runs in slices, installing what was compiled in between, as the run loop does. */
function finish(cpu: BareInterpreter): string {
  let exit: number = EXIT.BUDGET;
  for (let i = 0; i < 10_000 && exit === EXIT.BUDGET; i++) {
    exit = cpu.run(500);
    cpu.jit?.poll();
  }
  expect(exit).toBe(EXIT.HALTED);
  const registers = [...Array(8).keys()].map((i) => cpu.file.get64('GPR', i).toString(16)).join(' ');
  return `${registers} ${cpu.exports.currentInstructionCount()} ${cpu.exports.readEflags()}`;
}

describe('a full cache', () => {
  it.each([1, 3000])('of %i bytes is thrown away and filled again', (mostCacheBytes) => {
    const reference = finish(program({ jitThreshold: 0 }));
    const roomy = program({ jitThreshold: 2 });
    expect(finish(roomy)).toBe(reference);
    const tight = program({ jitThreshold: 2, mostCacheBytes });
    expect(finish(tight)).toBe(reference);
    const [much, little] = [roomy.jit?.stats(), tight.jit?.stats()];
    expect(much?.evictions).toBe(0);
    expect(little?.evictions).toBeGreaterThan(5);
    // What is thrown away gets hot again.
    expect(little?.compiles).toBeGreaterThan(much?.compiles ?? 0);
    expect(little?.regions).toBeLessThan(much?.regions ?? 0);
    expect(little?.retired).toBeGreaterThan(0);
  });

  it('does not install what was on its way', () => {
    // Answers come late, as from another thread.
    class Late implements RegionCompiler {
      readonly immediate = false;
      private readonly inner: DirectCompiler;
      private readonly waiting: (CompiledBatch | undefined)[] = [];

      constructor(memory: WebAssembly.Memory) {
        this.inner = new DirectCompiler(memory);
      }

      submit(request: RegionRequest): void {
        this.inner.submit(request);
        this.waiting.push(this.inner.take());
      }

      take(): CompiledBatch | undefined {
        return this.waiting.length > 6 ? this.waiting.shift() : undefined;
      }

      dispose(): void {
        this.waiting.length = 0;
      }
    }
    const reference = finish(program({ jitThreshold: 0 }));
    const cpu = program({ jitThreshold: 2, mostCacheBytes: 1, compiler: new Late(new WebAssembly.Memory({ initial: 1, maximum: 65536, shared: true })) });
    expect(finish(cpu)).toBe(reference);
    expect(cpu.jit?.stats().evictions).toBeGreaterThan(0);
  });
});

describe('a compiler that has died', () => {
  let compiler: WorkerCompiler | undefined;

  afterEach(() => compiler?.dispose());

  it('is told about once, and the guest goes on, interpreted', async () => {
    const failures: string[] = [];
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 65536, shared: true });
    compiler = new WorkerCompiler(memory, (reason) => failures.push(reason));
    const cpu = program({ jitThreshold: 2, compiler });
    // Requests are on their way when the thread ends.
    expect(cpu.run(2000)).toBe(EXIT.BUDGET);
    cpu.jit?.poll();
    await compiler.thread.terminate();
    await vi.waitFor(() => expect(failures).toHaveLength(1), { timeout: 30_000 });
    expect(finish(cpu)).toBe(finish(program({ jitThreshold: 0 })));
    expect(failures).toHaveLength(1);
    expect(cpu.jit?.stats().retired).toBe(0);
  }, 60_000);
});
