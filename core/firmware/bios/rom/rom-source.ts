// Source of the system ROM at F0000: entry points at the addresses that the IBM PC/AT made fixed, interrupt stubs, IRQ
// handlers, the BIOS32 directory and tables. Services are traps to TypeScript, see trap.ts.

import { ACTION_PENDING, CALL_USER, TRAP_PORT_BASE } from './trap.ts';

/** Interrupts whose stub is only a trap. */
export const SERVICE_INTERRUPTS = [0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x1a] as const;

/** Offsets in segment F000 that programs know by heart. */
const FIXED = {
  post: 0xe05b,
  nmi: 0xe2c3,
  int13Disk: 0xe3fe,
  diskTable: 0xe401,
  int19: 0xe6f2,
  configTable: 0xe6f5,
  int14: 0xe739,
  int16: 0xe82e,
  int09: 0xe987,
  int13Floppy: 0xec59,
  int0e: 0xef57,
  floppyTable: 0xefc7,
  int17: 0xefd2,
  int10Functions: 0xf045,
  int10: 0xf065,
  videoParameters: 0xf0a4,
  int12: 0xf841,
  int11: 0xf84d,
  int15: 0xf859,
  font8: 0xfa6e,
  int1a: 0xfe6e,
  int08: 0xfea5,
  vectors: 0xfef3,
  dummyIret: 0xff53,
  int05: 0xff54,
  reset: 0xfff0,
};

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

; IRQ0: the tick. Kept out of TypeScript because it comes all the time.
irq0:
  push eax
  push dx
  push ds
  mov ax, 0x40
  mov ds, ax
  mov eax, [0x6c]
  inc eax
  cmp eax, 0x1800b0
  jb .store
  xor eax, eax
  inc byte [0x70]
.store:
  mov [0x6c], eax
  cmp byte [0x40], 0
  je .user
  dec byte [0x40]
  jnz .user
  and byte [0x3f], 0xf0
  mov al, 0x0c
  mov dx, 0x3f2
  out dx, al
.user:
  int 0x1c
  cli
  eoi_master
  pop ds
  pop dx
  pop eax
  iret

; IRQ1: reads the scan code, offers it to INT 15h/4Fh, hands it to the translation.
irq1:
  enter_frame 0x09
  in al, 0x64
  ; Bytes of the pointing device are left to IRQ12.
  and al, 0x21
  cmp al, 1
  jne .eoi
  in al, 0x60
  mov ah, 0x4f
  stc
  int 0x15
  jnc .eoi
  ; The scan code goes to the service in the frame's spare ESP slot.
  mov bp, sp
  movzx eax, al
  mov [bp+12], eax
  mov dx, TRAP
  in al, dx
  cmp al, 3
  jb .eoi
  mov bl, al
  eoi_master
  cmp bl, 3
  je .print_screen
  cmp bl, 4
  je .break
  cmp bl, 7
  jb .system_request
  je .pause
  jmp reset_machine
.print_screen:
  int 0x05
  jmp .out
.break:
  int 0x1b
  jmp .out
.system_request:
  mov ah, 0x85
  mov al, bl
  sub al, 5
  sti
  int 0x15
  jmp .out
.pause:
  mov ax, 0x40
  mov ds, ax
.paused:
  sti
  hlt
  cli
  test byte [0x18], 8
  jnz .paused
  jmp .out
.eoi:
  eoi_master
.out:
  leave_frame
  iret

; IRQ12: the PS/2 pointing device. A whole packet lies in the EBDA when the service asks for the user's handler.
irq12:
  enter_frame 0x74
  mov dx, TRAP
  in al, dx
  cmp al, CALL_USER
  jne .eoi
  mov ax, 0x40
  mov ds, ax
  mov ds, [0x0e]
  xor ah, ah
  mov al, [0x28]
  push ax
  mov al, [0x29]
  push ax
  mov al, [0x2a]
  push ax
  push word 0
  sti
  call far [0x22]
  cli
  add sp, 8
.eoi:
  eoi_both
  leave_frame
  iret

; IRQ8: periodic and alarm interrupts of the clock chip.
irq8:
  enter_frame 0x70
  mov dx, TRAP
  in al, dx
  cmp al, CALL_USER
  jne .eoi
  sti
  int 0x4a
  cli
.eoi:
  eoi_both
  leave_frame
  iret

; IRQ6: floppy controller.
irq6:
  push ax
  push ds
  mov ax, 0x40
  mov ds, ax
  or byte [0x3e], 0x80
  eoi_master
  pop ds
  pop ax
  iret

; IRQ14: disk controller. IRQ15 needs only the end of interrupt.
irq14:
  push ax
  push ds
  mov ax, 0x40
  mov ds, ax
  mov byte [0x8e], 0xff
  pop ds
  eoi_both
  pop ax
  iret

; IRQ9 stands in for IRQ2 of the XT.
irq9:
  push ax
  mov al, 0x20
  out 0xa0, al
  pop ax
  int 0x0a
  iret

; IRQ13: x87 error, reported as NMI to old programs.
irq13:
  push ax
  xor al, al
  out 0xf0, al
  eoi_both
  pop ax
  int 0x02
  iret

unexpected_master:
  push ax
  push ds
  mov ax, 0x40
  mov ds, ax
  mov byte [0x6b], 1
  mov al, 0x0b
  out 0x20, al
  in al, 0x20
  test al, al
  jz .spurious
  eoi_master
.spurious:
  pop ds
  pop ax
  iret

unexpected_slave:
  push ax
  eoi_both
  pop ax
  iret

reset_machine:
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

code_end:
at 0xe05b
  jmp start
at 0xe2c3
  iret
at 0xe3fe
  jmp service_13
at 0xe401
  times 16 db 0
at 0xe6f2
  jmp bootstrap
at 0xe6f5
config_table:
  dw 8
  db 0xfc, 0x01, 0x00
  ; RTC, second PIC, keyboard intercept, extended BIOS area
  db 0x74, 0x40, 0, 0, 0
at 0xe739
  jmp service_14
at 0xe82e
  jmp service_16
at 0xe987
  jmp irq1
at 0xec59
  jmp service_13
at 0xef57
  jmp irq6
at 0xefc7
  db 0xaf, 0x02, 0x25, 0x02, 0x12, 0x1b, 0xff, 0x6c, 0xf6, 0x0f, 0x08
at 0xefd2
  jmp service_17
at 0xf045
  jmp service_10
at 0xf065
  jmp service_10
at 0xf0a4
video_parameters:
  ; 6845 values of 40x25, 80x25, graphics and monochrome, then page sizes, columns and mode bytes.
  db 0x38, 0x28, 0x2d, 0x0a, 0x1f, 6, 0x19, 0x1c, 2, 7, 6, 7, 0, 0, 0, 0
  db 0x71, 0x50, 0x5a, 0x0a, 0x1f, 6, 0x19, 0x1c, 2, 7, 6, 7, 0, 0, 0, 0
  db 0x38, 0x28, 0x2d, 0x0a, 0x7f, 6, 0x64, 0x70, 2, 1, 6, 7, 0, 0, 0, 0
  db 0x61, 0x50, 0x52, 0x0f, 0x19, 6, 0x19, 0x19, 2, 0x0d, 0x0b, 0x0c, 0, 0, 0, 0
  dw 0x800, 0x1000, 0x4000, 0x4000
  db 40, 40, 80, 80, 40, 40, 80, 80
  db 0x2c, 0x28, 0x2d, 0x29, 0x2a, 0x2e, 0x1e, 0x29
at 0xf841
  jmp service_12
at 0xf84d
  jmp service_11
at 0xf859
  jmp service_15
at 0xfa6e
font8:
  times 1024 db 0
at 0xfe6e
  jmp service_1a
at 0xfea5
  jmp irq0
at 0xfef3
  times 32 db 0
at 0xff53
dummy_iret:
  iret
at 0xff54
  jmp service_05
at 0xfff0
  jmp 0xf000:0xe05b
  db "11/22/26"
  db 0
  db 0xfc
  db 0
`;

export const ROM_FIXED = FIXED;

/** Source text of the 64 KiB system ROM. */
export function romSource(): string {
  return MACROS + CODE;
}
