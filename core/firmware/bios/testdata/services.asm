%define SECTORS 6
; A floppy that uses the BIOS as programs do and prints one line for each check. Run by bios-machine.test.ts.
bits 16
org 0x7c00
start:
  xor ax, ax
  mov ds, ax
  mov es, ax
  mov ss, ax
  mov sp, 0x7000
  sti
  cld
  mov [drive], dl
  mov ax, 0x0200 + SECTORS
  mov bx, 0x7e00
  mov cx, 2
  mov dh, 0
  int 0x13
  jc short $
  jmp main
drive: db 0
times 510-($-$$) db 0
  dw 0xaa55

%macro say 1
  push si
  mov si, %%text
  call print
  pop si
  jmp short %%over
%%text: db %1, 13, 10, 0
%%over:
%endmacro
%macro check 2
  %1 %%ok
  say {%2, " FAILED"}
  jmp %%end
%%ok:
  say {%2, " ok"}
%%end:
%endmacro

print:
  push ax
  push bx
.next:
  lodsb
  test al, al
  jz .done
  mov ah, 0x0e
  mov bx, 7
  int 0x10
  jmp .next
.done:
  pop bx
  pop ax
  ret

main:
  mov ax, 3
  int 0x10
  cmp dword [magic], 0x600dda7a
  check je, "read"

  int 0x12
  cmp ax, 639
  check je, "base memory"

  ; E820 to its end.
  xor ebx, ebx
  xor bp, bp
.map:
  mov eax, 0xe820
  mov ecx, 20
  mov edx, 0x534d4150
  mov di, buffer
  int 0x15
  jc .map_done
  inc bp
  test ebx, ebx
  jnz .map
.map_done:
  cmp bp, 4
  check jae, "memory map"

  ; Block move to 1 MiB and back.
  mov dword [buffer], 0x12345678
  mov dword [buffer+4], 0
  mov ecx, buffer
  mov edx, 0x110000
  call move
  mov ecx, 0x110000
  mov edx, buffer+4
  call move
  cmp dword [buffer+4], 0x12345678
  check je, "block move"

  ; A wait of 120 ms lets the tick counter go on by 2 or 3.
  mov ah, 0
  int 0x1a
  mov bp, dx
  mov cx, 1
  mov dx, 0xd4c0
  mov ah, 0x86
  int 0x15
  mov ah, 0
  int 0x1a
  sub dx, bp
  sub dx, 2
  cmp dx, 2
  check jbe, "wait"

  mov ax, 0x0500
  mov cx, 0x1e61
  int 0x16
  mov ah, 0
  int 0x16
  cmp ax, 0x1e61
  check je, "key buffer"

  ; User tick.
  mov word [0x1c*4], tick
  mov word [0x1c*4+2], 0
  mov word [ticks], 0
.ticks:
  hlt
  cmp word [ticks], 2
  jb .ticks
  mov word [0x1c*4], 0xff53
  mov word [0x1c*4+2], 0xf000
  say "user tick ok"

  ; RTC alarm within two seconds.
  mov word [0x4a*4], alarm
  mov word [0x4a*4+2], 0
  mov ah, 2
  int 0x1a
  mov al, dh
  add al, 1
  daa
  cmp al, 0x60
  jb .second
  xor al, al
.second:
  mov dh, al
  mov ah, 6
  mov byte [alarms], 0
  int 0x1a
  mov bp, 60
.alarm:
  hlt
  cmp byte [alarms], 1
  je .alarm_done
  dec bp
  jnz .alarm
.alarm_done:
  cmp byte [alarms], 1
  check je, "alarm"
  mov ah, 7
  int 0x1a

  call bios32
  cmp dword [pci_id], 0x12378086
  check je, "BIOS32"

  ; Pointing device.
  mov ax, 0xc205
  mov bh, 3
  int 0x15
  jc .no_mouse
  mov ax, 0xc207
  mov bx, mouse
  int 0x15
  jc .no_mouse
  mov ax, 0xc200
  mov bh, 1
  int 0x15
  jc .no_mouse
  say "mouse ready"
.wait_mouse:
  hlt
  cmp byte [moved], 0
  je .wait_mouse
  cmp word [mouse_x], 5
  check je, "mouse"
  jmp .keys
.no_mouse:
  say "mouse FAILED"
.keys:
  say "press a key"
  mov ah, 0
  int 0x16
  cmp al, 'k'
  check je, "key"
  say "press another"
  mov ah, 0
  int 0x16
  ; Processor reset through the keyboard controller with shutdown code 5.
  mov word [0x467], .back
  mov word [0x469], 0
  mov al, 0x8f
  out 0x70, al
  mov al, 5
  out 0x71, al
  cli
  mov al, 0xfe
  out 0x64, al
.stay:
  hlt
  jmp .stay
.back:
  xor ax, ax
  mov ds, ax
  mov es, ax
  mov ss, ax
  mov sp, 0x7000
  mov al, 0x0f
  out 0x70, al
  ; The board may have been reset with the processor: the screen is set up again.
  mov ax, 3
  int 0x10
  say "resume after reset ok"

  say "all done"
.end:
  hlt
  jmp .end

tick:
  inc word [cs:ticks]
  iret
alarm:
  mov byte [cs:alarms], 1
  iret
; Far call: status, X, Y, 0 on the stack.
mouse:
  push bp
  mov bp, sp
  push ax
  mov ax, [bp+10]
  add [cs:mouse_x], ax
  mov byte [cs:moved], 1
  pop ax
  pop bp
  retf

; Copies 4 bytes from physical ECX to EDX.
move:
  mov si, move_gdt
  mov word [si+0x10], 0xffff
  mov [si+0x12], ecx
  mov byte [si+0x15], 0x93
  mov word [si+0x18], 0xffff
  mov [si+0x1a], edx
  mov byte [si+0x1d], 0x93
  mov cx, 2
  mov ah, 0x87
  int 0x15
  ret

bios32:
  mov [saved_sp], sp
  ; Find the service directory.
  mov ax, 0xf000
  mov fs, ax
  xor si, si
.find:
  cmp dword [fs:si], 0x5f32335f
  je .found
  add si, 16
  jnz .find
  ret
.found:
  mov eax, [fs:si+4]
  mov [entry], eax
  cli
  lgdt [gdt_pointer]
  mov eax, cr0
  or al, 1
  mov cr0, eax
  jmp dword 0x08:.protected
bits 32
.protected:
  mov ax, 0x10
  mov ds, ax
  mov ss, ax
  mov es, ax
  mov esp, 0x6800
  mov eax, 0x49435024
  xor ebx, ebx
  push cs
  call [entry]
  test al, al
  jnz .leave
  add ebx, edx
  mov [entry], ebx
  mov eax, 0xb10a
  xor ebx, ebx
  xor edi, edi
  push cs
  call [entry]
  jc .leave
  mov [pci_id], ecx
.leave:
  jmp 0x18:.sixteen
bits 16
.sixteen:
  mov ax, 0x20
  mov ds, ax
  mov ss, ax
  mov es, ax
  mov eax, cr0
  and al, 0xfe
  mov cr0, eax
  jmp 0:.real
.real:
  xor ax, ax
  mov ds, ax
  mov es, ax
  mov ss, ax
  movzx esp, word [saved_sp]
  sti
  ret

align 8, db 0
gdt:
  dq 0
  dq 0x00cf9a000000ffff
  dq 0x00cf92000000ffff
  dq 0x00009a000000ffff
  dq 0x000092000000ffff
gdt_pointer:
  dw 39
  dd gdt
align 8, db 0
move_gdt: times 48 db 0
buffer: times 32 db 0
ticks: dw 0
alarms: db 0
moved: db 0
mouse_x: dw 0
saved_sp: dw 0
entry: dd 0
pci_id: dd 0
times (SECTORS + 1) * 512 - 4 - ($-$$) db 0
magic: dd 0x600dda7a
