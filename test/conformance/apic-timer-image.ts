// A boot sector that lives by its local APIC's timer alone, in HLT with the 8259s masked: ten interrupts each of the one-shot,
// the periodic and the deadline mode, in turn for ever. After each ten it sends 1, 2 or 3 to COM1.

import { assemble } from '../../core/firmware/asm/assembler.ts';

const FLOPPY_BYTES = 1_474_560;
/** Counts of the timer, and of the time-stamp counter: a millisecond or so each. */
const INTERVAL = 1_000_000;
const TICKS = 10;

const SOURCE = `bits 16
  org 0x7c00
  cli
  xor ax, ax
  mov ds, ax
  mov es, ax
  mov ss, ax
  mov sp, 0x7c00
  mov word [0x60*4], tick
  mov word [0x60*4+2], 0
  mov al, 0xff
  out 0x21, al
  out 0xa1, al
  mov ecx, 0x1b
  rdmsr
  or ax, 0xc00
  wrmsr
  xor edx, edx
  mov ecx, 0x80f
  mov eax, 0x1ff
  wrmsr
  mov ecx, 0x83e
  mov eax, 0xb
  wrmsr
  again: mov bl, '1'
  xor ebp, ebp
  phase: mov di, ${TICKS}
  mov ecx, 0x832
  mov eax, ebp
  or ax, 0x60
  xor edx, edx
  wrmsr
  call arm
  waiting: sti
  hlt
  cli
  test di, di
  jnz waiting
  mov ecx, 0x832
  mov eax, 0x10060
  xor edx, edx
  wrmsr
  mov al, bl
  mov dx, 0x3f8
  out dx, al
  inc bl
  add ebp, 0x20000
  cmp ebp, 0x60000
  jne phase
  jmp again

  arm: cmp ebp, 0x40000
  je deadline
  mov ecx, 0x838
  mov eax, ${INTERVAL}
  xor edx, edx
  wrmsr
  ret
  deadline: rdtsc
  add eax, ${INTERVAL}
  adc edx, 0
  mov ecx, 0x6e0
  wrmsr
  ret

  tick: pushad
  mov ecx, 0x80b
  xor eax, eax
  xor edx, edx
  wrmsr
  popad
  test di, di
  jz done
  dec di
  jz done
  cmp ebp, 0x20000
  je done
  pushad
  call arm
  popad
  done: iret
  times 510 - ($ - $$) db 0
  dw 0xaa55`;

export function apicTimerImage(): Uint8Array {
  const image = new Uint8Array(FLOPPY_BYTES);
  image.set(assemble(SOURCE).bytes);
  return image;
}
