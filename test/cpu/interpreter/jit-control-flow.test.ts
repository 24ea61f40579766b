// Compiled regions against the interpreter on what joins and splits their paths: indirect calls and jumps, returns, flags of different
// origins meeting, conditions of INC, DEC and ADD, stacks that move between pages.

import { describe, expect, it } from 'vitest';
import { assemble } from '../../../core/firmware/asm/assembler.ts';
import { type BareInterpreter, EXIT, bareInterpreter, enterFlat32 } from './bare-interpreter.ts';

const ORIGIN = 0x1000;

function started(source: string, jitThreshold: number): BareInterpreter {
  const cpu = bareInterpreter({ jitThreshold });
  cpu.ram.set(assemble(`bits 32\norg ${ORIGIN}\n${source}`).bytes, ORIGIN);
  enterFlat32(cpu, ORIGIN);
  return cpu;
}

const state = (cpu: BareInterpreter): string =>
  `${[...Array(8).keys()].map((i) => cpu.file.get64('GPR', i).toString(16)).join(' ')} ${cpu.file.get64('RIP').toString(16)} ${cpu.exports.readEflags().toString(16)} ${cpu.exports.currentInstructionCount()}`;

/** Runs to HLT in slices, interpreted and compiled, with the same state after each; returns the share that ran compiled. */
function expectSame(source: string, threshold: number, slice: number): number {
  const reference = started(source, 0);
  const cpu = started(source, threshold);
  for (;;) {
    const wanted = reference.run(slice);
    expect(cpu.run(slice)).toBe(wanted);
    cpu.jit?.poll();
    expect(state(cpu)).toBe(state(reference));
    if (wanted === EXIT.HALTED) break;
  }
  expect(Buffer.from(cpu.ram.buffer, cpu.ram.byteOffset, 0x20000).equals(Buffer.from(reference.ram.buffer, reference.ram.byteOffset, 0x20000))).toBe(true);
  return (cpu.jit?.stats().retired ?? 0) / cpu.exports.currentInstructionCount();
}

/** ECX rounds; each calls one of `ways` functions that leave flags behind in different ways, keeps CF by DEC, and adds it up. */
const calls = (ways: number, rounds: number): string => `
  mov ecx, ${rounds}
  mov eax, 12345
again:
  imul eax, eax, 1103515245
  add eax, 12345
  mov edx, eax
  shr edx, 16
  ${ways === 8 ? 'and edx, 7' : 'and edx, 1'}
  call dword [table + edx*4]
after:
  dec ecx
  adc ebx, esi
  inc esi
  setb dl
  movzx edx, dl
  add edi, edx
  cmp ecx, 0
  jne again
  hlt
w0: inc eax
  ret
w1: xor eax, 0x55
  ret
w2: shl eax, 3
  ret
w3: ror eax, 1
  ret
w4: cmp eax, 0x40000000
  ret
w5: push eax
  sub eax, ebx
  pop eax
  ret 0
w6: neg eax
  jmp w7
w7: dec eax
  ret
  align 4
table: dd w0, w1, w2, w3, w4, w5, w6, w7`;

/** The same through JMP and a table, as compilers write a switch. */
const switches = (rounds: number): string => calls(8, rounds).replace('call dword [table + edx*4]', 'push after\n  jmp dword [table + edx*4]');

const CONDITIONS = ['o', 'no', 'b', 'ae', 'e', 'ne', 'be', 'a', 's', 'ns', 'p', 'np', 'l', 'ge', 'le', 'g'];
/** All conditions after one instruction on numbers around 0 and where signs change, into the bits of EDI. */
const conditions = (instruction: string): string => `
  mov ecx, 40
again:
  mov esi, values
one:
  mov eax, [esi]
  mov ebx, [esi+4]
  ${CONDITIONS.map((cc) => `mov edx, eax
  cmp esi, ecx
  ${instruction}
  j${cc} yes_${cc}
  add edi, 1
yes_${cc}:
  rol edi, 1`).join('\n  ')}
  add esi, 4
  cmp esi, values_end
  jne one
  sub ecx, 1
  jne again
  hlt
  align 4
values: dd 0, 1, 2, 0xffffffff, 0xfffffffe, 0x7fffffff, 0x7ffffffe, 0x80000000, 0x80000001, 0x7f, 0x80, 0x81, 0x7fff, 0x8000, 0x8001, 0x80808080, 0x80000000, 0x80000000
values_end: dd 0`;

/** Frames on a stack that crosses pages, on two stacks in turn. */
const STACKS = `
  mov ecx, 300
  mov esi, 0x9010
  mov esp, 0xb008
again:
  xchg esp, esi
  push ecx
  push eax
  sub esp, 24
  mov [esp+2], ecx
  mov edx, [esp+3]
  mov [esp+20], edx
  call deeper
  add eax, [esp+20]
  add esp, 24
  pop edx
  pop ebx
  sub ecx, 1
  jne again
  hlt
deeper:
  push ebp
  mov ebp, esp
  mov eax, [ebp+8]
  add eax, [ebp+28]
  mov [ebp-4], eax
  push dword [ebp-4]
  add [ebp-4], ecx
  pop eax
  leave
  ret`;

const THRESHOLDS = [1, 3, 17];

describe('regions and the interpreter agree', () => {
  it.each(THRESHOLDS)('on indirect calls of few and of many functions, compiled after %i look-ups', (threshold) => {
    for (const ways of [2, 8]) for (const slice of [1_000_000, 997, 61]) expect(expectSame(calls(ways, 3000), threshold, slice)).toBeGreaterThan(slice > 100 ? 0.9 : 0.1);
  });

  it.each(THRESHOLDS)('on jumps through a table, compiled after %i look-ups', (threshold) => {
    for (const slice of [1_000_000, 997, 61]) expect(expectSame(switches(3000), threshold, slice)).toBeGreaterThan(slice > 100 ? 0.9 : 0.1);
  });

  it.each(['inc edx', 'dec edx', 'add edx, ebx', 'inc dl', 'dec dl', 'add dl, bl', 'inc dx', 'dec dx', 'add dx, bx', 'sub edx, ebx', 'adc edx, ebx', 'neg edx'])('on every condition after %s', (instruction) => {
    expect(expectSame(conditions(instruction), 3, 100_000)).toBeGreaterThan(0.9);
  });

  it.each(THRESHOLDS)('on stacks that change pages, compiled after %i look-ups', (threshold) => {
    for (const slice of [1_000_000, 97]) expectSame(STACKS, threshold, slice);
  });
});
