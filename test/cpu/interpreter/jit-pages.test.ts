// Regions over several pages: calls, branches and straight code between pages, and pages that change under them.

import { describe, expect, it } from 'vitest';
import { assemble } from '../../../core/firmware/asm/assembler.ts';
import { entryOf, expectSameLong, type LongProgram } from './long-mode.ts';

const MAIN = 0x1_0000;
const NEAR = 0x1_3000;
const FAR = 0x8_1000;
const OTHER = 0x4_0000;

/** A loop that goes through several pages; `extra` runs every 64th round. */
const wandering = (rounds: number, extra: string): LongProgram => ({
  start: MAIN,
  level: 0,
  supervisor: [0, 0x20_0000],
  parts: {
    [MAIN]: `
  mov rcx, ${rounds}
again:
  add rax, rcx
  call ${NEAR}
  adc rbx, rax
  mov rdx, rcx
  and edx, 3
  call [table+rdx*8]
  rol rbx, 3
  jmp ${NEAR + 0x800}
back:
  lea rdi, [back]
  add rbx, rdi
  test cl, 63
  jne ordinary
  ${extra}
ordinary:
  sub rcx, 1
  jne again
  hlt
  align 8
table: dq ${FAR}, ${NEAR + 0x100}, ${NEAR + 0x180}, ${FAR + 0x40}`,
    [NEAR]: `
  inc rax
  call ${FAR}
  cmp rax, rbx
  ret`,
    [NEAR + 0x100]: 'xor rax, [rel data]\n  add [rel data], rax\n  ret\ndata: dq 0x123456789',
    [NEAR + 0x180]: 'push rax\n  call next\nnext: pop rsi\n  add rax, rsi\n  pop rsi\n  ret',
    [NEAR + 0x800]: 'cmp rbx, rax\n  jb lower\n  jmp over\nlower: not rax\nover: jmp end',
    [FAR]: `lea r8, [r8+rax*2]\n  sub rax, r8\n  ret`,
    [FAR + 0x40]: 'imul rax, rax, 77\n  ret',
    [OTHER]: 'mov r9, 0x5555\n  add r8, r9\n  ret',
    [OTHER + 0x40]: 'sub rax, 5\n  ret',
  },
});

/** The last jump of NEAR is over the page's end: straight code, then an instruction that lies in two pages. */
function program(rounds: number, extra: string, crossing: boolean): LongProgram {
  const made = wandering(rounds, extra);
  const parts: Record<number, string> = { ...made.parts };
  parts[NEAR + 0x800] = `cmp rbx, rax\n  jb lower\n  jmp over\nlower: not rax\nover: jmp ${NEAR + 0xff0}`;
  // 16 bytes before the page's end: 14 or 16 bytes of instructions, then MOV of 10 bytes.
  parts[NEAR + 0xff0] = `${'  add rax, 1\n'.repeat(3)}${crossing ? '  add eax, 0\n' : '  add rax, 1\n'}  mov r10, 0x1122334455667788\n  add rbx, r10\n  jmp ${MAIN_BACK}`;
  return { ...made, parts };
}

/** Offset of `back` in MAIN, found by assembling: the call through the table and what is around it never change. */
const MAIN_BACK = ((): number => {
  const { bytes } = assemble(`bits 64\norg ${MAIN}\n${(wandering(1000, '').parts[MAIN] as string)}`);
  // LEA RDI is the first instruction there.
  const at = Buffer.from(bytes).indexOf(Buffer.from([0x48, 0x8d]));
  if (at < 0) throw new Error('no LEA');
  return MAIN + at;
})();

describe('regions over pages', () => {
  it.each([false, true])('do what the interpreter does; an instruction in two pages: %s', (crossing) => {
    for (const threshold of [1, 3, 40]) {
      for (const slice of [1_000_000, 997, 61]) {
        const share = expectSameLong(program(2000, '', crossing), threshold, slice);
        if (slice === 1_000_000) expect(share).toBeGreaterThan(crossing ? 0.85 : 0.95);
      }
    }
  });

  it('follow a page that is mapped elsewhere, with INVLPG and without', () => {
    for (const flush of [`invlpg [${FAR}]`, '', 'mov r11, cr3\n  mov cr3, r11']) {
      // Flips the page between two physical ones: FAR and OTHER differ in bits that are set in one of them only.
      const extra = `xor dword [${entryOf(FAR)}], ${FAR ^ OTHER}\n  ${flush}`;
      for (const threshold of [1, 40]) for (const slice of [1_000_000, 97]) expectSameLong(program(1500, extra, false), threshold, slice);
    }
  });

  it('fault where the interpreter does when a page has gone', () => {
    const extra = `cmp rcx, 512\n  jne still\n  and dword [${entryOf(FAR)}], -2\n  invlpg [${FAR}]\nstill:`;
    for (const threshold of [1, 40]) for (const slice of [1_000_000, 97]) expectSameLong(program(1500, extra, false), threshold, slice, 3);
  });

  it('notice that code in another page is written', () => {
    // The immediate byte of IMUL in FAR, and the constant of the instruction before the page's end.
    const extra = `add byte [${FAR + 0x43}], 1\n  add byte [${NEAR + 0xff3}], 1`;
    for (const crossing of [false, true]) for (const threshold of [1, 40]) for (const slice of [1_000_000, 97]) expectSameLong(program(1500, extra, crossing), threshold, slice);
  });
});
