// Programs that never end, each in a way of its own: what has to come back from a budget that ends or a kick from outside. They
// start in flat 32-bit mode at ORIGIN and need RAM_MIB.

import { assemble } from '../../../core/firmware/asm/assembler.ts';
import { type BareInterpreter, enterFlat32 } from './bare-interpreter.ts';

export const ORIGIN = 0x1000;
export const RAM_MIB = 32;
const STRAIGHT_INSTRUCTIONS = 3000;

export interface EndlessProgram {
  readonly name: string;
  readonly source: string;
  /** Whether nearly all of it is compiled. REP is left to the interpreter. */
  readonly compiled: boolean;
}

const repeated = (lines: number, line: (i: number) => string): string => [...Array(lines).keys()].map(line).join('\n');

/** REP over `bytes` in units of what `instruction` says, again and again. */
const rep = (instruction: string, count: number, from: number, to: number): string => `
again:
  mov esi, ${from}
  mov edi, ${to}
  mov ecx, ${count}
  rep ${instruction}
  inc ebx
  jmp again`;

export const ENDLESS_PROGRAMS: readonly EndlessProgram[] = [
  { name: 'tight loop', compiled: true, source: 'again: add eax, ecx\n rol eax, 5\n dec ecx\n jmp again' },
  { name: 'loop around memory', compiled: true, source: 'again: mov edx, [0x10000 + ecx*4]\n add edx, ecx\n mov [0x10000 + ecx*4], edx\n inc ecx\n and ecx, 0x3ff\n jmp again' },
  { name: 'REP MOVSB of 8 MiB', compiled: false, source: rep('movsb', 8 << 20, 0x20_0000, 0xb0_0000) },
  { name: 'REP MOVSD of 8 MiB that overlap', compiled: false, source: rep('movsd', 2 << 20, 0x20_0000, 0x20_0004) },
  { name: 'REP MOVSB downwards', compiled: false, source: `std\n${rep('movsb', 1 << 20, 0x80_0000, 0xb0_0000)}` },
  { name: 'REP STOSD of 8 MiB', compiled: false, source: rep('stosd', 2 << 20, 0, 0x20_0000) },
  { name: 'long straight code', compiled: true, source: `again:\n${repeated(STRAIGHT_INSTRUCTIONS, (i) => (i % 3 === 0 ? 'add eax, ebx' : i % 3 === 1 ? `lea ebx, [ebx + eax*2 + ${i}]` : 'xor ecx, eax'))}\njmp again` },
  {
    name: 'recursive calls', compiled: true, source: `
again:
  mov eax, 14
  call fib
  add edi, eax
  jmp again
fib:
  cmp eax, 2
  jb leaf
  push ebx
  mov ebx, eax
  dec eax
  call fib
  xchg eax, ebx
  sub eax, 2
  call fib
  add eax, ebx
  pop ebx
leaf:
  ret`,
  },
  {
    name: 'calls between pages', compiled: true, source: `
again:
  inc ecx
  call first
  add eax, ecx
  jmp again
  align 4096
first:
  call second
  xor edx, eax
  ret
  align 4096
second:
  lea eax, [eax + edx*2 + 1]
  ret`,
  },
  { name: 'division and x87', compiled: false, source: 'fninit\n fldpi\nagain: fld st0\n fsin\n fstp st0\n mov eax, ecx\n or ecx, 1\n xor edx, edx\n div ecx\n add ecx, 12345\n jmp again' },
];

/** Puts a program into the RAM of a processor and makes it start there. */
export function startEndless(cpu: BareInterpreter, { source }: EndlessProgram): void {
  cpu.ram.set(assemble(`bits 32\norg ${ORIGIN}\n${source}`).bytes, ORIGIN);
  enterFlat32(cpu, ORIGIN);
}
