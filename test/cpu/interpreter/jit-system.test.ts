// Instructions of the system inside compiled regions: system calls, GS, access to user pages, clocks, flags, and their faults.

import { describe, expect, it } from 'vitest';
import { EVENT, EXIT } from './bare-interpreter.ts';
import { expectSameLong, type LongProgram, startLong, stateOf } from './long-mode.ts';

const USER = 0x1_0000;
const KERNEL = 0x2_0000;
const DATA = 0x1_8000;
const STAC = 'db 0x0f, 0x01, 0xcb';
const CLAC = 'db 0x0f, 0x01, 0xca';

/** A user's loop of system calls; the kernel's part is `handler`, with RSP its own and the user's RCX and R11 on the stack. */
const calls = (rounds: number, handler: string, inUser = ''): LongProgram => ({
  start: USER,
  level: 3,
  supervisor: [KERNEL, KERNEL + 0x1_0000],
  fields: { MSR_STAR: 0x0010_0008_0000_0000n, MSR_LSTAR: BigInt(KERNEL), MSR_FMASK: 0x4_0700n, MSR_KERNEL_GS_BASE: BigInt(KERNEL + 0x8000) },
  parts: {
    [USER]: `
  mov rbx, ${rounds}
again:
  mov eax, 1
  cmp rbx, 7
  syscall
  adc rsi, rax
  pushfq
  pop rdx
  add rsi, rdx
  mov rdx, [${DATA}]
  add rsi, rdx
  ${inUser}
  sub rbx, 1
  jne again
  mov eax, 0
  syscall`,
    [KERNEL]: `
  swapgs
  mov [gs:8], rsp
  mov rsp, ${KERNEL + 0xf000}
  test eax, eax
  je stop
  push rcx
  push r11
  ${handler}
  pop r11
  pop rcx
  mov rsp, [gs:8]
  swapgs
  db 0x48, 0x0f, 0x07
stop:
  hlt`,
  },
});

const BUSY = `
  ${STAC}
  add qword [${DATA}], 3
  ${CLAC}
  cli
  pushfq
  sti
  nop
  popfq
  rdtsc
  lea r8, [r8+rax*4]
  add r8, rdx
  mov ecx, 0x174
  rdmsr
  wrmsr
  mov r9, cr0
  add r10, r9
  mov rbp, rsp
  mov [rbp-24], r10
  mov r12, [rsp-24]
  mov rax, cr3
  mov cr3, rax
  invlpg [${DATA}]
  mov eax, 5`;

/** Each ends in a fault that nobody handles. */
const FAULTS: Readonly<Record<string, LongProgram>> = {
  'SYSRET to an address that is not canonical': calls(300, 'cmp rbx, 100\n  jne fine\n  mov rcx, 1\n  shl rcx, 63\n  mov [rsp+8], rcx\nfine:'),
  'STAC in user code': calls(300, '', `cmp rbx, 100\n  jne fine\n  ${STAC}\nfine:`),
  'SWAPGS in user code': calls(300, '', 'cmp rbx, 100\n  jne fine\n  swapgs\nfine:'),
  'CLI in user code': calls(300, '', 'cmp rbx, 100\n  jne fine\n  add rsi, 77\n  cli\nfine:'),
  'RDMSR of a register that does not exist': calls(300, 'cmp rbx, 100\n  jne fine\n  mov ecx, 0x12345678\n  rdmsr\nfine:'),
  'WRMSR in user code': calls(300, '', 'cmp rbx, 100\n  jne fine\n  wrmsr\nfine:'),
  'user data without STAC': calls(300, `cmp rbx, 100\n  jne fine\n  ${STAC}\n  add rsi, [${DATA}]\n  ${CLAC}\n  add rsi, [${DATA}]\nfine:`),
  'POPF and PUSHF on a stack that is not there': calls(300, 'cmp rbx, 100\n  jne fine\n  mov rsp, 0x400000\n  pushfq\nfine:\n  pushfq\n  popfq'),
};

describe('regions with instructions of the system', () => {
  it.each([1, 3, 40])('do what the interpreter does, compiled after %i instructions', (threshold) => {
    for (const slice of [1_000_000, 997, 61, 1]) {
      const share = expectSameLong(calls(slice === 1 ? 60 : 600, BUSY), threshold, slice);
      if (slice === 1_000_000) expect(share).toBeGreaterThan(0.8);
    }
  });

  it('stay in compiled code through system calls', () => {
    expect(expectSameLong(calls(3000, 'add r8, 1'), 3, 1_000_000)).toBeGreaterThan(0.99);
  });

  it.each(Object.keys(FAULTS))('fault as the interpreter does: %s', (name) => {
    for (const threshold of [1, 40]) for (const slice of [1_000_000, 61]) expectSameLong(FAULTS[name] as LongProgram, threshold, slice, EXIT.SHUTDOWN);
  });

  it('single-step through system calls', () => {
    // TF set by POPF traps after each instruction; without a table of interrupts the first trap ends it all.
    const program = calls(300, '', 'cmp rbx, 100\n  jne fine\n  pushfq\n  or qword [rsp], 0x100\n  popfq\nfine:\n  mov eax, 1\n  syscall');
    for (const threshold of [1, 40]) expectSameLong(program, threshold, 1_000_000, EXIT.SHUTDOWN);
  });

  it('leave branches alone when an NMI comes at the end of where they lead', () => {
    const program: LongProgram = {
      // The handler stands at 10020h.
      start: USER,
      level: 0,
      supervisor: [0, 0x20_0000],
      parts: {
        [USER]: `
  lgdt [gdtr]
  lidt [idtr]
again:
  inc rbx
  and ebx, 0xfff
  jmp again
  align 8
handler:
  xlatb
  inc rcx
  jmp last
last:
  add rdx, 1
  db 0x48, 0xcf
  align 8
gdtr: dw 23
  dq gdt
  align 8
idtr: dw 47
  dq idt
  align 8
gdt: dq 0, 0x00af9b000000ffff, 0x00cf93000000ffff
idt: dq 0, 0, 0, 0, 0x00018e0000080020, 0`,
      },
    };
    for (const threshold of [1, 20]) {
      const machines = [0, threshold].map((jitThreshold) => startLong(program, jitThreshold));
      const [reference, cpu] = machines;
      const step = (slice: number, nmi: boolean): void => {
        for (const machine of machines) {
          if (nmi) machine.file.set32('EVENTS', machine.file.get32('EVENTS') | EVENT.NMI);
          machine.run(slice);
          machine.jit?.poll();
        }
        expect(cpu && stateOf(cpu)).toBe(reference && stateOf(reference));
      };
      step(100, false);
      // The second NMI waits for the handler's IRET.
      for (let i = 0; i < 40; i++) {
        step(2, true);
        step(150, true);
      }
      expect(reference?.file.get64('GPR', 1)).toBe(80n);
    }
  });
});
