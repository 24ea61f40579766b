// A floppy whose guest uses all processors of a PC: finds them in the MADT and the MP table of the firmware, starts them by INIT
// and start-up messages, and works in rounds: an interprocessor interrupt wakes all others from HLT, each adds
// ROUND times to one counter with LOCK, and the first checks the sum. The 8254 ticks through the I/O APIC to the last one.
// Serial output: "MADT n MP n", then a letter a..p for each round (X: the sum is wrong), and one T when ticks arrive.

import { assemble } from '../../core/firmware/asm/assembler.ts';
import { TO_PROTECTED } from '../conformance/programs.ts';

const FLOPPY_BYTES = 1_474_560;
const ROUND = 200;

const COUNT = 0x500;
const MP_COUNT = 0x504;
const ONLINE = 0x508;
const GO = 0x50c;
const COUNTER = 0x510;
const FINISHED = 0x514;
const TICKS = 0x518;
const TOLD = 0x51c;
const IDS = 0x600;

const LOADER = `
  cli
  xor ax, ax
  mov ds, ax
  mov es, ax
  mov ss, ax
  mov sp, 0x7000
  sti
  again: mov ax, 0x0208
  mov bx, 0x8000
  mov cx, 0x0002
  xor dx, dx
  int 0x13
  jc again
  cli
  jmp 0:0x8000
`;

/** EBX = number of the local APIC, ESI = its registers, which are switched on; a stack for each. A start-up message may lead here, too. */
export const PROCESSOR_START = `
  jmp 0:begin
  begin: xor ax, ax
  mov ds, ax
  mov es, ax
  mov ss, ax
  ${TO_PROTECTED}
  mov esi, 0xfee00000
  mov ebx, [esi+0x20]
  shr ebx, 24
  mov eax, ebx
  shl eax, 9
  mov esp, 0x7000
  sub esp, eax
  mov dword [esi+0xf0], 0x1ff`;

/** Of the table at 3000h. */
export const interruptGate = (vector: number, label: string): string => `
  mov word [0x3000+${vector}*8], ${label}
  mov dword [0x3000+${vector}*8+2], 0x8e000008
  mov word [0x3000+${vector}*8+6], 0`;

/** More 32-bit code. */
export interface SmpGuestOptions {
  /** Of the first processor before it starts the others. */
  readonly leader?: string;
  /** Of the others when they have started. */
  readonly helper?: string;
}

/** Takes the table, by six bytes at the program's idt_pointer. */
export const LOAD_INTERRUPT_TABLE = `
  mov word [idt_pointer], 0x7ff
  mov dword [idt_pointer+2], 0x3000
  lidt [idt_pointer]`;

/** Start-up messages with vector 8 lead to the beginning, too. */
const program = ({ leader = '', helper = '' }: SmpGuestOptions): string => `
  bits 16
  org 0x8000
  ${PROCESSOR_START}
  ${interruptGate(0x40, 'ipi')}
  ${interruptGate(0x41, 'tick')}
  ${LOAD_INTERRUPT_TABLE}
  lock inc dword [${ONLINE}]
  test ebx, ebx
  jz leader
  ${helper}
  xor edi, edi
  helper: cli
  cmp [${GO}], edi
  jne help
  sti
  hlt
  jmp helper
  help: mov edi, [${GO}]
  call add_up
  jmp helper

  ; a reset leaves memory as it was
  leader: mov dword [${ONLINE}], 1
  mov dword [${GO}], 0
  mov dword [${COUNTER}], 0
  mov dword [${TICKS}], 0
  mov dword [${TOLD}], 0
  mov edi, 0xf0000
  mp: cmp dword [edi], 0x5f504d5f
  je mp_found
  add edi, 16
  cmp edi, 0x100000
  jb mp
  jmp wrong
  mp_found: mov edi, [edi+4]
  xor ecx, ecx
  mov cx, [edi+34]
  add edi, 44
  xor edx, edx
  mp_entry: cmp byte [edi], 0
  jne mp_other
  inc edx
  add edi, 12
  mp_other: add edi, 8
  dec ecx
  jnz mp_entry
  mov [${MP_COUNT}], edx

  mov edi, 0xe0000
  rsdp: cmp dword [edi], 0x20445352
  jne no_rsdp
  cmp dword [edi+4], 0x20525450
  je rsdp_found
  no_rsdp: add edi, 16
  cmp edi, 0x100000
  jb rsdp
  jmp wrong
  rsdp_found: mov edi, [edi+16]
  add edi, 36
  table: mov eax, [edi]
  add edi, 4
  cmp dword [eax], 0x43495041
  jne table
  mov ecx, [eax+4]
  add ecx, eax
  add eax, 44
  xor edx, edx
  madt: cmp byte [eax], 0
  jne madt_next
  test byte [eax+4], 1
  jz madt_next
  push ebx
  mov bl, [eax+3]
  mov [${IDS}+edx], bl
  pop ebx
  inc edx
  madt_next: push edx
  xor edx, edx
  mov dl, [eax+1]
  add eax, edx
  pop edx
  cmp eax, ecx
  jb madt
  mov [${COUNT}], edx

  mov edi, text
  telling: mov al, [edi]
  test al, al
  jz told
  cmp al, 1
  jne no_madt
  mov al, [${COUNT}]
  add al, 48
  no_madt: cmp al, 2
  jne no_mp
  mov al, [${MP_COUNT}]
  add al, 48
  no_mp: call put
  inc edi
  jmp telling
  told:
  ${leader}
  mov ecx, [${COUNT}]
  start: dec ecx
  jz started
  xor eax, eax
  mov al, [${IDS}+ecx]
  shl eax, 24
  mov [esi+0x310], eax
  mov dword [esi+0x300], 0x4500
  mov [esi+0x310], eax
  mov dword [esi+0x300], 0x4608
  jmp start
  started: pause
  mov eax, [${ONLINE}]
  cmp eax, [${COUNT}]
  jne started

  ; the 8254, 100 times a second, to the last processor by input 2 of the I/O APIC
  mov al, 0xff
  out 0x21, al
  out 0xa1, al
  mov ecx, [${COUNT}]
  dec ecx
  xor eax, eax
  mov al, [${IDS}+ecx]
  shl eax, 24
  mov dword [0xfec00000], 0x15
  mov [0xfec00010], eax
  mov dword [0xfec00000], 0x14
  mov dword [0xfec00010], 0x41
  mov al, 0x34
  out 0x43, al
  mov al, 0x9c
  out 0x40, al
  mov al, 0x2e
  out 0x40, al

  sti
  xor ebp, ebp
  round: mov dword [${FINISHED}], 0
  inc dword [${GO}]
  mov dword [esi+0x300], 0xc4040
  call add_up
  finish: pause
  mov eax, [${FINISHED}]
  cmp eax, [${COUNT}]
  jne finish
  mov ecx, [${COUNT}]
  more: add ebp, ${ROUND}
  dec ecx
  jnz more
  cmp [${COUNTER}], ebp
  jne wrong
  mov al, [${GO}]
  and al, 15
  add al, 97
  call put
  cmp dword [${TICKS}], 5
  jb round
  cmp dword [${TOLD}], 0
  jne round
  mov dword [${TOLD}], 1
  mov al, 84
  call put
  jmp round
  wrong: mov al, 88
  call put
  jmp wrong

  add_up: mov ecx, ${ROUND}
  adding: lock inc dword [${COUNTER}]
  dec ecx
  jnz adding
  lock inc dword [${FINISHED}]
  ret

  put: push edx
  push eax
  mov edx, 0x3fd
  busy: in al, dx
  test al, 0x20
  jz busy
  pop eax
  mov edx, 0x3f8
  out dx, al
  pop edx
  ret

  ipi: mov dword [0xfee000b0], 0
  iret
  tick: lock inc dword [${TICKS}]
  mov dword [0xfee000b0], 0
  iret
  text: db 'MADT ', 1, ' MP ', 2, 10, 0
  align 8
  idt_pointer: dq 0
`;

export function smpFloppy(options: SmpGuestOptions = {}): Uint8Array {
  const image = new Uint8Array(FLOPPY_BYTES);
  const loader = assemble(`bits 16\norg 0x7c00\n${LOADER}`).bytes;
  const { bytes } = assemble(program(options));
  if (loader.length > 510 || bytes.length > 8 * 512) throw new RangeError('The guest is too long');
  image.set(loader);
  image.set([0x55, 0xaa], 510);
  image.set(bytes, 512);
  return image;
}
