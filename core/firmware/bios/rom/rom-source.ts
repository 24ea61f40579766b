// Source of the system ROM at F0000: interrupt stubs, POST and the BIOS32 directory here, IRQ handlers in rom-interrupts.ts,
// what lies at fixed addresses in rom-entries.ts. Services are traps to TypeScript, see trap.ts.

import { FIXED_ENTRIES } from './rom-entries.ts';
import { INTERRUPT_HANDLERS } from './rom-interrupts.ts';
import { ACTION_PENDING, CALL_USER, TRAP_PORT_BASE } from './trap.ts';

/** Interrupts whose stub is only a trap. */
export const SERVICE_INTERRUPTS = [0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x1a] as const;

const MACROS = `
%define TRAP ${TRAP_PORT_BASE}
%define ACTION_PENDING ${ACTION_PENDING}
%define CALL_USER ${CALL_USER}
%macro at 1
times %1-($-$$) db 0xff
%endmacro
; Frame: EDI ESI EBP ESP EBX EDX ECX EAX ES DS service IP CS FLAGS
%macro enter_frame 1
  push word %1
  push ds
  push es
  pushad
  cld
%endmacro
%macro leave_frame 0
  popad
  pop es
  pop ds
  add sp, 2
%endmacro
%macro eoi_master 0
  mov al, 0x20
  out 0x20, al
%endmacro
%macro eoi_both 0
  mov al, 0x20
  out 0xa0, al
  out 0x20, al
%endmacro
%macro service 1
  enter_frame %1
  jmp serve
%endmacro
`;

const CODE = `
bits 16
org 0
  ; Tables placed by the platform (RSDP, SMBIOS, MP) lie below the code; the linker of the ROM image fills them in.
at 0xc000

serve:
  mov dx, TRAP
.again:
  in al, dx
  test al, al
  jnz .wait
  leave_frame
  iret
.wait:
  sti
  cmp al, ACTION_PENDING
  je .pending
  hlt
  cli
  jmp .again
.pending:
  pause
  nop
  cli
  jmp .again

service_10: service 0x10
service_11: service 0x11
service_12: service 0x12
service_13: service 0x13
service_14: service 0x14
service_15: service 0x15
service_16: service 0x16
service_17: service 0x17
service_1a: service 0x1a
service_05: service 0x05

${INTERRUPT_HANDLERS}reset_machine:
  cli
  mov al, 0xfe
  out 0x64, al
  mov dx, 0xcf9
  mov al, 2
  out dx, al
  mov al, 6
  out dx, al
.dead:
  hlt
  jmp .dead

; POST: everything happens in one trap; what needs the processor itself follows it.
start:
  cli
  cld
  mov dx, TRAP+2
  in al, dx
  cmp al, 1
  je .jump
  cmp al, 2
  je .block_move
  xor ax, ax
  mov ds, ax
  mov es, ax
  mov ss, ax
  mov sp, 0x7c00
  call set_mtrrs
  call option_roms
  sti
.boot:
  int 0x19
  jmp .boot
.jump:
  xor ax, ax
  mov ds, ax
  jmp far [0x467]
.block_move:
  xor ax, ax
  mov ds, ax
  mov sp, [0x467]
  mov ss, [0x469]
  pop ds
  pop es
  popa
  iret

; Memory types: write-back RAM, uncached video window and PCI hole.
set_mtrrs:
  mov eax, 1
  cpuid
  test edx, 0x1000
  jz .none
  ; Masks reach up to the processor's physical address bits, 36 when it does not tell.
  mov eax, 0x80000000
  cpuid
  mov cl, 36
  cmp eax, 0x80000008
  jb .bits
  mov eax, 0x80000008
  cpuid
  mov cl, al
.bits:
  sub cl, 32
  xor ebp, ebp
  inc ebp
  shl ebp, cl
  dec ebp
  mov si, mtrr_table
.next:
  cs lodsd
  test eax, eax
  jz .none
  mov ecx, eax
  cs lodsd
  mov ebx, eax
  cs lodsd
  mov edx, eax
  inc eax
  jnz .whole
  mov edx, ebp
.whole:
  mov eax, ebx
  wrmsr
  jmp .next
.none:
  ret

align 4, db 0
mtrr_table:
  dd 0x250, 0x06060606, 0x06060606
  dd 0x258, 0x06060606, 0x06060606
  dd 0x259, 0, 0
%assign fixed 0x268
%rep 8
  dd fixed, 0x05050505, 0x05050505
%assign fixed fixed+1
%endrep
  ; C0000000-FFFFFFFF is the PCI hole; FFFFFFFF stands for the physical address mask.
  dd 0x200, 0xc0000000, 0
  dd 0x201, 0xc0000800, 0xffffffff
  dd 0x2ff, 0x0c06, 0
  dd 0

; The service gives the segment of the next valid option ROM in the frame's AX, or action 0.
option_roms:
  enter_frame 0
.next:
  mov dx, TRAP+3
  in al, dx
  test al, al
  jz .done
  mov bp, sp
  mov ax, [bp+28]
  push cs
  push word .next
  push ax
  push word 3
  retf
.done:
  leave_frame
  ret

; INT 19h and 18h start on a fresh stack: whoever called them does not come back.
%macro fresh_service 1
  cli
  xor ax, ax
  mov ss, ax
  mov sp, 0x7c00
  mov ds, ax
  mov es, ax
  pushf
  push cs
  push word bootstrap
  service %1
%endmacro
bootstrap: fresh_service 0x19
boot_failed: fresh_service 0x18

align 16, db 0
bios32_header:
  db "_32_"
  dd 0xf0000 + bios32_directory
  db 0, 1
bios32_checksum:
  db 0
  times 5 db 0

bits 32
bios32_directory:
  pushfd
  cmp eax, 0x49435024
  jne .unknown
  test ebx, ebx
  jnz .bad
  mov ebx, 0xf0000
  mov ecx, 0x10000
  mov edx, pci_entry32
  xor al, al
  popfd
  retf
.unknown:
  mov al, 0x80
  popfd
  retf
.bad:
  mov al, 0x81
  popfd
  retf

; Frame: EDI ESI EBP ESP EBX EDX ECX EAX EFLAGS
pci_entry32:
  pushfd
  pushad
  mov dx, TRAP+1
  in al, dx
  popad
  popfd
  retf
bits 16

${FIXED_ENTRIES}`;

/** Source text of the 64 KiB system ROM. */
export function romSource(): string {
  return MACROS + CODE;
}
