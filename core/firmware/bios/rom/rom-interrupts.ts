// Handlers of the hardware interrupts, in assembler where programs hook them or where they come all the time. Part of the
// system ROM's source (rom-source.ts), whose macros they use.

export const INTERRUPT_HANDLERS = `\
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

`;
