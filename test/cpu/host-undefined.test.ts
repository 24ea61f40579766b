// Encodings that the decoder calls undefined must be undefined on the host too, but for extensions that we do not offer.
// All opcodes of the four maps with all prefixes and ModRM groups; only what is #UD here runs on the host.

import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TestCase } from './oracle/cases.ts';
import type { Encoded, Mode } from './oracle/encode.ts';
import { HostCpu, hostOracleProblem } from './oracle/host.ts';
import { InterpreterEngine } from './oracle/interpreter.ts';
import { inEveryJitMode } from '../support/jit-modes.ts';
import { CODE_START, DATA_AT, FLAT_DATA, FX_AT, GPR_AT, RECORD_BYTES, RFLAGS_AT, SEGMENTS_AT } from './oracle/records.ts';

const WASM = new URL('../../dist/interp.wasm', import.meta.url);
const UD = 6;
const MAPS: Readonly<Record<string, readonly number[]>> = { '1': [], '0f': [0x0f], '0f38': [0x0f, 0x38], '0f3a': [0x0f, 0x3a] };
const PREFIXES: Readonly<Record<string, readonly number[]>> = { np: [], '66': [0x66], f3: [0xf3], f2: [0xf2] };
/** Prefixes, escapes, VEX and EVEX: no opcodes of their own. */
const NO_OPCODES = new Set([0x0f, 0x26, 0x2e, 0x36, 0x3e, 0x62, 0x64, 0x65, 0x66, 0x67, 0xc4, 0xc5, 0xf0, 0xf2, 0xf3]);
/** System calls in any form, and what changes the FS base that the native runner needs. */
const DANGEROUS = /^0f \S+ (5|7|34|35)\b|^0f f3 ae/;
/** Extensions of the processors that this runs on and that our CPUID does not show. */
const NOT_OFFERED: readonly (readonly [encoding: RegExp, name: string])[] = [
  [/^0f \S+ 1 (c1|c[2-7]|cf|d[4-6]|d[8-9]|d[a-f]|e[8-f]|f[a-f])$/, 'VMX, SVM, RTM, PKU, CET, CLZERO, MONITORX, RDPRU'],
  [/^0f (66|f2) 7[89]/, 'SSE4a EXTRQ, INSERTQ'],
  [/^0f f[23] 2b/, 'SSE4a MOVNTSS, MOVNTSD'],
  [/^0f 66 ae/, 'CLWB, TPAUSE'],
  [/^0f \S+ c7/, 'XSAVEC, XSAVES, VMX, UINTR'],
  [/^0f \S+ (1a|1b|37|7[89]|a6|a7|0d|0e)/, 'MPX, SMX, VMX, VIA'],
  [/^0f38 66 (80|81|82)/, 'INVEPT, INVVPID, INVPCID'],
  [/^0f38 \S+ (cf|d[8-9a-f]|f[5-9abc])|^0f3a \S+ c[ef]/, 'GFNI, Key Locker, CET, MOVDIRI, ENQCMD, RAO'],
];

const problem = hostOracleProblem() ?? (existsSync(WASM) ? undefined : 'dist/interp.wasm is not built');

inEveryJitMode(() => {
describe.skipIf(problem !== undefined)(`undefined encodings are undefined on the host${problem === undefined ? '' : ` (skipped: ${problem})`}`, () => {
  let host: HostCpu;
  let engine: InterpreterEngine;
  const state = new Uint8Array(RECORD_BYTES);

  beforeAll(() => {
    host = new HostCpu();
    engine = new InterpreterEngine(WASM);
    const view = new DataView(state.buffer);
    for (let i = 0; i < 16; i++) view.setBigUint64(GPR_AT + i * 8, BigInt(DATA_AT + 0x800), true);
    view.setBigUint64(RFLAGS_AT, 0x202n, true);
    for (let i = 0; i < 3; i++) view.setUint16(SEGMENTS_AT + 2 * i, FLAT_DATA, true);
    view.setUint16(FX_AT, 0x37f, true);
    view.setUint32(FX_AT + 24, 0x1f80, true);
  });

  afterAll(() => host.dispose());

  function testCase(mode: Mode, bytes: readonly number[]): TestCase {
    const encoded = { rep: false, row: { map: '1', opcode: 0, mnemonic: '', handler: 'SYSTEM' } } as unknown as Encoded;
    return { mode, code: Uint8Array.from(bytes), state, patchOffset: 0, patch: new Uint8Array(0), encoded };
  }

  for (const mode of [64, 32] as const) {
    it(`in ${mode}-bit code`, () => {
      const cases: TestCase[] = [];
      const names: string[] = [];
      for (const [map, escape] of Object.entries(MAPS)) {
        for (const [prefix, prefixBytes] of Object.entries(PREFIXES)) {
          for (let opcode = 0; opcode < 256; opcode++) {
            if (map === '1' && (NO_OPCODES.has(opcode) || (mode === 64 && opcode >= 0x40 && opcode < 0x50))) continue;
            if (map === '0f' && (opcode === 0x38 || opcode === 0x3a)) continue;
            for (let reg = 0; reg < 8; reg++) {
              // The third ModRM field is part of the opcode only in 0F 01 and its like.
              for (const modrm of map === '0f' && (opcode === 1 || opcode >= 0xae) ? [0xc0, 0xc1, 0xc6, 0x00] : [0xc0, 0x00]) {
                const name = `${map} ${prefix} ${opcode.toString(16)}${map === '0f' && opcode === 1 ? ` ${(modrm | (reg << 3)).toString(16)}` : `/${reg}`}`;
                if (DANGEROUS.test(name)) continue;
                const test = testCase(mode, [...prefixBytes, ...escape, opcode, modrm | (reg << 3), 0, 0, 0, 0, 0, 0, 0, 0].slice(0, 15));
                if (!isUndefinedHere(test)) continue;
                cases.push(test);
                names.push(name);
              }
            }
          }
        }
      }
      expect(cases.length).toBeGreaterThan(30_000);
      const wrong = new Set<string>();
      for (const [index, result] of host.run(cases).entries()) {
        const name = names[index] as string;
        if (result.vector !== UD && !NOT_OFFERED.some(([encoding]) => encoding.test(name))) wrong.add(name);
      }
      expect([...wrong]).toEqual([]);
    });
  }

  it('F2 and F3 before RDRAND and RDSEED', () => {
    const prefixed = [[0xf2, 0x0f, 0xc7, 0xf0], [0xf3, 0x0f, 0xc7, 0xf0], [0x66, 0xf2, 0x0f, 0xc7, 0xf0], [0xf2, 0x0f, 0xc7, 0xf8]].map((bytes) => testCase(64, bytes));
    // Here the plain forms ask the harness for random numbers, which it does not have.
    expect(isUndefinedHere(testCase(64, [0x0f, 0xc7, 0xf0]))).toBe(false);
    expect(prefixed.map(isUndefinedHere)).toEqual(prefixed.map(() => true));
    expect(host.run(prefixed).map((result) => result.vector)).toEqual(prefixed.map(() => UD));
  });

  function isUndefinedHere(test: TestCase): boolean {
    try {
      const result = engine.run(test);
      return result.vector === UD && result.rip === BigInt(CODE_START);
    } catch {
      // It asked the host for something (CPUID, TSC): it is defined.
      return false;
    }
  }
});
});
