// Compiles the x87 and MMX parts of the interpreter alone, with flat memory, for tests that need no decoder.

import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import asc from 'assemblyscript/asc';
import { MMX_ROWS } from '../../../core/cpu/isa/opcodes-mmx.ts';
import { X87_ROWS } from '../../../core/cpu/isa/opcodes-x87.ts';
import type { OpcodeRow } from '../../../core/cpu/isa/opcode-row.ts';
import { VCPU_STATE_BYTES } from '../../../core/cpu/isa/layout.ts';

const UNWIND = new Error('unwind');

const ASSEMBLY = new URL('../../../core/cpu/interp/assembly/', import.meta.url);

/** Numbers of the sub names, as this module is compiled with. */
export const subNumbers: ReadonlyMap<string, number> = new Map([X87_ROWS, MMX_ROWS].flatMap((rows) => [...new Set(rows.map((row) => row.sub as string))].map((name, index) => [name, index] as const)));

const MEMORY_STUB = ['16', '32', '64'].map((bits) => {
  const type = bits === '64' ? 'u64' : 'u32';
  return `export function load${bits}(at: u64): ${type} { return load<u${bits}>(<usize>at); }
export function store${bits}(at: u64, value: ${type}): void { store<u${bits}>(<usize>at, value); }`;
}).join('\n') + `
export function load8(at: u64): u32 { return load<u8>(<usize>at); }
export function store8(at: u64, value: u32): void { store<u8>(<usize>at, value); }
export function probeWrite(at: u64, size: u32): void {}
export function probeRead(at: u64, size: u32): void {}`;

const STUBS: Readonly<Record<string, string>> = {
  'memory.ts': MEMORY_STUB,
  'fault.ts': `export let faultVector: u32 = 0;
export function setFaultVector(vector: u32): void { faultVector = vector; }
@external("env", "unwind") declare function unwind(): void;
export function raise(vector: i32): void { faultVector = vector; unwind(); }
export function raiseGp0(): void { raise(13); }`,
  'segments.ts': 'export function segmentCheckSlow(seg: u32, at: u64, size: u32, write: bool): void {}',
  'generated/subs.ts': [...subNumbers].map(([name, index]) => `export const SUB_${name}: u32 = ${index};`).join('\n'),
};

export interface FpuModule {
  readonly memory: WebAssembly.Memory;
  /** Address of the register file. */
  readonly cpu: number;
  /** First free address for case records. */
  readonly free: number;
  runBatch(count: number, input: number, output: number): void;
  /** Runs one op record of group X87 (0) or MMX (1); returns the vector of its fault, or 0. */
  execute(group: number, op: number): number;
  /** Calls of hostNotify, for FERR. */
  readonly notifications: number[];
  /** What the next interrupt acknowledge cycle returns. */
  interrupt: number;
}

const PAGES = 1024;
const FLAGS = ['-O1', '--runtime', 'stub', '--noAssert', '--importMemory', '--sharedMemory', '--initialMemory', String(PAGES), '--maximumMemory', '65536', '--memoryBase', '65536', '--enable', 'threads', '--enable', 'simd'];

/** Compiled modules by content of their sources: several test files use the same one. */
const CACHE = new URL('../../../node_modules/.cache/nestbox/', import.meta.url);

function sourceHash(): string {
  const hash = createHash('sha256').update(FLAGS.join(' ')).update(JSON.stringify(STUBS)).update(readFileSync(new URL('fpu-harness.as', import.meta.url)));
  for (const name of readdirSync(ASSEMBLY).filter((file) => file.endsWith('.ts')).sort()) hash.update(name).update(readFileSync(new URL(name, ASSEMBLY)));
  hash.update(readFileSync(new URL('generated/layout.ts', ASSEMBLY)));
  return hash.digest('hex').slice(0, 32);
}

async function binaryOf(): Promise<Uint8Array> {
  const cached = new URL(`fpu-${sourceHash()}.wasm`, CACHE);
  try {
    return readFileSync(cached);
  } catch {
    // Not compiled yet.
  }
  const binary = await compile();
  mkdirSync(CACHE, { recursive: true });
  const temporary = new URL(`fpu-${process.pid}.tmp`, CACHE);
  writeFileSync(temporary, binary);
  renameSync(temporary, cached);
  return binary;
}

async function compile(): Promise<Uint8Array> {
  let binary: Uint8Array | undefined;
  const read = (name: string): string | null => {
    const match = /(?:^|\/)assembly\/(.*)$/.exec(name.replaceAll('\\', '/'));
    if (match === null) return null;
    const path = match[1] as string;
    if (path === 'fpu-harness.ts') return readFileSync(new URL('fpu-harness.as', import.meta.url), 'utf8');
    const stub = STUBS[path];
    if (stub !== undefined) return stub;
    try {
      return readFileSync(new URL(path, ASSEMBLY), 'utf8');
    } catch {
      return null;
    }
  };
  let messages = '';
  const { error } = await asc.main(
    ['assembly/fpu-harness.ts', '--outFile', 'fpu.wasm', ...FLAGS],
    {
      readFile: read,
      writeFile: (name: string, contents: string | Uint8Array) => {
        if (name.endsWith('.wasm')) binary = contents as Uint8Array;
      },
      listFiles: () => [],
      stderr: { write: (text: Uint8Array | string) => { messages += typeof text === 'string' ? text : new TextDecoder().decode(text); } },
    },
  );
  if (error !== null || binary === undefined) throw new Error(`The x87 module does not compile: ${messages}`, { cause: error });
  return binary;
}

export async function compileFpu(): Promise<FpuModule> {
  const binary = await binaryOf();
  const memory = new WebAssembly.Memory({ initial: PAGES, maximum: 65536, shared: true });
  const cpu = 0x100000;
  const notifications: number[] = [];
  const instance = await WebAssembly.instantiate(await WebAssembly.compile(binary), {
    env: {
      memory, cpu, pageMapBase: 0, dirtyBase: 0, granuleBase: 0, ramBase: 0,
      unwind: () => { throw UNWIND; },
      notify: (kind: number) => { notifications.push(kind); },
      acknowledgeInterrupt: () => module.interrupt,
      abort: () => { throw new Error('abort'); },
    },
  });
  const executeOne = instance.exports['executeOne'] as (group: number, op: number) => void;
  const lastFault = instance.exports['lastFault'] as () => number;
  const execute = (group: number, op: number): number => {
    try {
      executeOne(group, op);
    } catch (error) {
      if (error !== UNWIND) throw error;
    }
    return lastFault();
  };
  const module: FpuModule = {
    memory, cpu, free: cpu + VCPU_STATE_BYTES, notifications, interrupt: -1, execute, runBatch: instance.exports['runBatch'] as FpuModule['runBatch'],
  };
  return module;
}

/** The row of an encoding without prefixes, as the decoder would find it. */
export function rowOf(rows: readonly OpcodeRow[], map: string, opcode: number, modrm: number, prefix?: string): OpcodeRow | undefined {
  return rows.find((row) => row.map === map && row.opcode === opcode && (row.prefix === undefined || row.prefix === (prefix ?? 'np'))
    && (row.reg === undefined || row.reg === ((modrm >> 3) & 7))
    && (row.mod === undefined || (row.mod === 'reg') === (modrm >= 0xc0))
    && (row.rm === undefined || row.rm === (modrm & 7)));
}
