// What the JIT makes of small programs, as WebAssembly text beside this file. After a wanted change of the emitted code:
// NESTBOX_ACCEPT=1 npx vitest run test/cpu/jit-golden.test.ts, then read the difference.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import wabt from 'wabt';
import { assemble } from '../../core/firmware/asm/assembler.ts';
import type { CompiledBatch, RegionCompiler } from '../../core/cpu/jit/jit-engine.ts';
import { buildModule, type RegionRequest } from '../../core/cpu/jit/region-module.ts';
import { bareInterpreter, enterFlat32 } from './interpreter/bare-interpreter.ts';

/** What the modules use beyond wabt's defaults. */
const FEATURES = { threads: true, simd: true, exceptions: true, tail_call: true, sat_float_to_int: true };
const FOLDER = new URL('./golden/', import.meta.url);
const ORIGIN = 0x1000;
const THRESHOLD = 32;

/** Keeps what it is asked for and compiles nothing. */
class Collector implements RegionCompiler {
  readonly immediate = true;
  readonly requests: RegionRequest[] = [];

  submit(request: RegionRequest): void {
    this.requests.push(request);
  }

  take(): CompiledBatch | undefined {
    return undefined;
  }

  dispose(): void {
    this.requests.length = 0;
  }
}

/** The text of the first region of a flat 32-bit program; addresses of blocks and fields are given as they are. */
async function textOf(source: string): Promise<string> {
  const collector = new Collector();
  const cpu = bareInterpreter({ jitThreshold: THRESHOLD, compiler: collector });
  cpu.ram.set(assemble(`bits 32\norg ${ORIGIN}\n${source}`).bytes, ORIGIN);
  enterFlat32(cpu, ORIGIN);
  cpu.run(10_000);
  const { bytes } = buildModule(collector.requests.slice(0, 1), 1024);
  const tools = await wabt();
  const module = tools.readWasm(bytes ?? new Uint8Array(0), { readDebugNames: false, ...FEATURES });
  try {
    return module.toText({ foldExprs: false, inlineExport: false });
  } finally {
    module.destroy();
  }
}

const PROGRAMS = {
  'counting-loop': `
    mov ecx, 40
  again:
    add eax, ecx
    dec ecx
    jnz again
    hlt`,
  'memory-and-flags': `
    mov ecx, 40
    mov ebx, 0x4000
  again:
    mov eax, [ebx+ecx*4]
    cmp eax, 5
    jb small
    add dword [ebx], 1
  small:
    sub ecx, 1
    jne again
    hlt`,
  'call-and-return': `
    mov esp, 0x8000
    mov ecx, 40
  again:
    call half
    dec ecx
    jnz again
    hlt
  half:
    shr eax, 1
    ret`,
} as const;

describe('emitted code', () => {
  it.each(Object.entries(PROGRAMS))('%s is as accepted', async (name, source) => {
    const text = await textOf(source);
    const file = new URL(`${name}.wat`, FOLDER);
    if (process.env['NESTBOX_ACCEPT'] === '1') {
      mkdirSync(FOLDER, { recursive: true });
      writeFileSync(file, text);
    }
    expect(existsSync(file)).toBe(true);
    expect(text).toBe(readFileSync(file, 'utf8'));
  });
});
