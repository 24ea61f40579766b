// Scalar floating point of compiled regions against the interpreter: results, and the sticky flags of MXCSR for every pair of numbers
// that are exact, rounded, tiny, huge, denormal or not numbers, with PE clear and set before and in each rounding mode.

import { describe, expect, it } from 'vitest';
import { assemble } from '../../../core/firmware/asm/assembler.ts';
import { type BareInterpreter, EXIT, bareInterpreter, enterFlat32 } from './bare-interpreter.ts';

const ORIGIN = 0x1000;
const [NUMBERS, RESULTS, CONTROL] = [0x4000, 0x8000, 0x3f00] as const;
const OPCODES = { add: 0x58, mul: 0x59, sub: 0x5c, div: 0x5e } as const;

const DOUBLES = [
  0, -0, 1, -1, 0.5, 3, 5, -7, 0.1, 1 / 3, 2 ** 26 + 1, 2 ** 27 + 1, 2 ** 53, 2 ** 53 - 1, -(2 ** 53 - 1), 2 ** -30, 1 + 2 ** -52, 1 - 2 ** -53, 2 ** 1023, Number.MAX_VALUE,
  2 ** -1022, 2 ** -1021, 1.5 * 2 ** -1022, 2 ** -1074, 2 ** -1040, 2 ** -512, 3 * 2 ** -512, 2 ** 600, Infinity, -Infinity, NaN,
];
const SINGLES = [
  0, -0, 1, -1, 0.5, 3, 5, -7, 0.1, 1 / 3, 4097, 8193, 2 ** 24, 2 ** 24 - 1, -(2 ** 24 - 1), 2 ** -30, 1 + 2 ** -23, 1 - 2 ** -24, 2 ** 127, 3.4028234663852886e38,
  2 ** -126, 2 ** -125, 1.5 * 2 ** -126, 2 ** -149, 2 ** -140, 2 ** -64, 3 * 2 ** -64, 2 ** 70, Infinity, -Infinity, NaN,
];

/** All pairs through one operation; after each the result, 8 bytes, and MXCSR are stored. */
function program(operation: keyof typeof OPCODES, double: boolean, memory: boolean, count: number): string {
  const prefix = double ? '0xf2' : '0xf3';
  const size = double ? 8 : 4;
  const load = (register: number, base: 'esi' | 'ebx'): string => `db ${prefix}, 0x0f, 0x10, ${register * 8 + (base === 'esi' ? 6 : 3)}`;
  return `
  mov edi, ${RESULTS}
  mov esi, ${NUMBERS}
first:
  mov ebx, ${NUMBERS}
second:
  db 0x0f, 0xae, 0x15
  dd ${CONTROL}            ; ldmxcsr, which ends the region: the next one begins with MXCSR as it is
  jmp compute
compute:
  ${load(0, 'esi')}
  ${memory ? `db ${prefix}, 0x0f, ${OPCODES[operation]}, 3` : `${load(1, 'ebx')}\n  db ${prefix}, 0x0f, ${OPCODES[operation]}, 0xc1`}
  db 0xf2, 0x0f, 0x11, 7   ; movsd [edi], xmm0
  jmp store
store:
  db 0x0f, 0xae, 0x5f, 8   ; stmxcsr [edi+8]
  add edi, 12
  add ebx, ${size}
  cmp ebx, ${NUMBERS + size * count}
  jne second
  add esi, ${size}
  cmp esi, ${NUMBERS + size * count}
  jne first
  hlt`;
}

function run(source: string, numbers: Uint8Array, mxcsr: number, jitThreshold: number): BareInterpreter {
  const cpu = bareInterpreter({ jitThreshold });
  cpu.ram.set(assemble(`bits 32\norg ${ORIGIN}\n${source}`).bytes, ORIGIN);
  cpu.ram.set(numbers, NUMBERS);
  new DataView(cpu.ram.buffer, cpu.ram.byteOffset).setUint32(CONTROL, mxcsr, true);
  enterFlat32(cpu, ORIGIN);
  cpu.file.set64('CR4', 0x600n);
  cpu.exports.refreshDerived();
  // In slices, so that compiled regions are put in place.
  for (let reason: number = EXIT.BUDGET; reason === EXIT.BUDGET; cpu.jit?.poll()) reason = cpu.run(500);
  return cpu;
}

/** [address, hex] of the results, one row a pair. */
function rows(cpu: BareInterpreter, pairs: number): string[] {
  return [...Array(pairs).keys()].map((i) => Buffer.from(cpu.ram.subarray(RESULTS + 12 * i, RESULTS + 12 * i + 12)).toString('hex'));
}

describe.each(['add', 'sub', 'mul', 'div'] as const)('%s of regions and of the interpreter', (operation) => {
  it.each([['doubles', true], ['singles', false]] as const)('agrees on %s in result and flags', (_name, double) => {
    const list = double ? DOUBLES : SINGLES;
    const numbers = new Uint8Array((double ? new Float64Array(list) : new Float32Array(list)).buffer);
    // All masked: PE clear, PE set; rounding down, up, to zero; denormals are zero and results flushed to zero.
    for (const mxcsr of [0x1f80, 0x1fa0, 0x3f80, 0x5fa0, 0x7f80, 0x9fc0, 0x9fe0]) {
      for (const memory of [false, true]) {
        const source = program(operation, double, memory, list.length);
        const [reference, compiled] = [run(source, numbers, mxcsr, 0), run(source, numbers, mxcsr, 2)];
        expect(compiled.faults).toEqual([]);
        expect(rows(compiled, list.length ** 2)).toEqual(rows(reference, list.length ** 2));
        expect(compiled.jit?.stats().retired).toBeGreaterThan(compiled.exports.currentInstructionCount() / 4);
      }
    }
  });
});
