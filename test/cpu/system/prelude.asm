; Common start of the system test ROMs. Runs from RAM at 10000h (a copy, so that descriptors are writable): CS = 1000h.
bits 16
org 0
%define BASE 0x10000
%define A(x) (BASE+(x))
%define EXIT_PORT 0xf4

start16:
  cli
  cld
  mov ax, 0xf000
  mov ds, ax
  mov ax, 0x1000
  mov es, ax
  xor si, si
  xor di, di
  mov cx, 0x8000
  rep movsw
  jmp 0x1000:main16

; --- 16-bit output; DS is free.
putc16:
  out 0xe9, al
  ret

; AL as two digits
puthex8_16:
  push ax
  shr al, 4
  call .digit
  pop ax
  and al, 15
.digit:
  and al, 15
  cmp al, 10
  jb .number
  add al, 7
.number:
  add al, '0'
  jmp putc16

puthex16_16:
  push ax
  mov al, ah
  call puthex8_16
  pop ax
  push ax
  call puthex8_16
  pop ax
  ret

puthex32_16:
  push eax
  shr eax, 16
  call puthex16_16
  pop eax
  jmp puthex16_16

; text behind the call
puts16:
  pop si
.next:
  cs lodsb
  or al, al
  jz .done
  call putc16
  jmp .next
.done:
  jmp si

%macro SAY16 1
  call puts16
  db %1, 0
%endmacro

%macro SAY16_LINE 1
  call puts16
  db %1, 10, 0
%endmacro

finish16:
  SAY16_LINE "done"
  mov al, 0
  out EXIT_PORT, al
.stop:
  hlt
  jmp .stop
