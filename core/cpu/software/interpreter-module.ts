// The interpreter's WebAssembly module: compiled once a process, instantiated once a vCPU over the machine's memory.

import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { MemoryLayout } from '../../memory/layout.ts';
import type { JitExports } from '../jit/jit-engine.ts';

/** Exports of core/cpu/interp/assembly/index.ts. */
export interface InterpreterExports extends JitExports {
  init(): void;
  /** Runs exactly `budget` instructions unless something ends it sooner; returns EXIT.*. May unwind. */
  run(budget: number): number;
  resume(): number;
  /** Delivers the fault that an unwind left behind; -1, or EXIT.SHUTDOWN. May unwind again. */
  deliverFault(): number;
  /** RIP and instruction count as of the fault; deliverFault() does it too. */
  settleFault(): void;
  resetCpu(init: number): void;
  currentInstructionCount(): number;
  /** Recomputes everything derived from the architectural registers. */
  refreshDerived(): void;
  updateBreakpoints(): void;
  pageMapChanged(): void;
  /** Guest physical page and range in it whose decoded code is stale. */
  codeWritten(page: number, at: number, size: number): void;
  invalidatePage(page: number): void;
  flushAllBlocks(): void;
  readEflags(): number;
  setEflags(value: number): void;
  translateDebug(linear: bigint): number;
  blocksDecodedCount(): number;
  blocksKilledCount(): number;
}

/** What the interpreter calls: core/cpu/interp/assembly/env.ts. */
export interface InterpreterImports {
  portIn(port: number, size: number): number;
  portOut(port: number, size: number, value: number): void;
  mmioRead(address: number, size: number): number;
  mmioWrite(address: number, size: number, value: number): void;
  readTsc(): number;
  acknowledgeInterrupt(): number;
  msrRead(index: number): number;
  msrWrite(index: number): number;
  cr8Read(): number;
  cr8Write(value: number): void;
  random32(): number;
  notify(kind: number, a: number, b: number): void;
}

/** Thrown through WebAssembly frames when guest code faults; never leaves the software CPU. */
export const UNWOUND = Symbol('guest fault');

const FILE = new URL('../../../dist/interp.wasm', import.meta.url);
const HOLD_MS = 60_000;
let compiled: WebAssembly.Module | undefined;
let preparing: Promise<void> | undefined;

/** Compiles the interpreter on V8's threads, beside what else a machine's start does. Never rejects: who needs it meets the error. */
export function prepareInterpreter(): Promise<void> {
  preparing ??= compileInBackground();
  return preparing;
}

async function compileInBackground(): Promise<void> {
  // Node ends a process that waits for nothing else than V8's threads.
  const hold = setInterval(() => undefined, HOLD_MS);
  try {
    const module = await WebAssembly.compile(await readFile(FILE));
    compiled ??= module;
  } catch {
    // As said.
  } finally {
    clearInterval(hold);
  }
}

function interpreterModule(): WebAssembly.Module {
  compiled ??= new WebAssembly.Module(readFileSync(FILE));
  return compiled;
}

export function instantiateInterpreter(memory: WebAssembly.Memory, layout: MemoryLayout, vcpuBase: number, imports: InterpreterImports): InterpreterExports {
  const address = (value: number): WebAssembly.Global => new WebAssembly.Global({ value: 'i32', mutable: false }, value);
  const instance = new WebAssembly.Instance(interpreterModule(), {
    env: {
      memory,
      cpu: address(vcpuBase),
      pageMapBase: address(layout.pageMapBase),
      dirtyBase: address(layout.dirtyBase),
      granuleBase: address(layout.granuleBase),
      ramBase: address(layout.ramBase),
      unwind: () => {
        // eslint-disable-next-line @typescript-eslint/only-throw-error -- an Error would collect a stack at every page fault
        throw UNWOUND;
      },
      ...(imports as unknown as Record<string, (...args: never[]) => unknown>),
    },
  });
  return instance.exports as unknown as InterpreterExports;
}
