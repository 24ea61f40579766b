; Protected-mode part: GDT, IDT, a TSS, an exception handler that prints the frame and goes on behind the test.
%define CODE0 0x08
%define DATA0 0x10
%define CODE3 0x1b
%define DATA3 0x23
%define CODE16 0x28
%define DATA16 0x30
%define MAIN_TSS 0x38
%define LDT_SELECTOR 0x40
%define CONFORMING 0x48
%define READ_ONLY 0x50
%define ABSENT_DATA 0x58
%define ABSENT_CODE 0x60
%define EXPAND_DOWN 0x68
%define EXECUTE_ONLY 0x70
%define GATE32 0x78
%define GATE16 0x80
%define TSS2 0x88
%define TASK_GATE 0x90
%define TSS16 0x98
%define CODE1 0xa1
%define DATA1 0xa9
%define SMALL 0xb0
%define ABSENT_GATE 0xb8
%define GATE_LEVEL0 0xc0
%define GATE_TO_DATA 0xc8
%define ABSENT_TSS 0xd0
%define SHORT_TSS 0xd8
%define TSS_V86 0xe0
%define GATE_CONFORMING 0xe8
%define TASK_GATE_INT 0xf0
%define CODE64 0xf8
%define DATA3_WIDE 0x103
%define CODE3_64 0x10b
%define GATE_LEVEL1 0x110
%define TSS64 0x118
%define GATE64 0x128
%define LDT64 0x138
%define GATE64_TO_32 0x148
%define GATE64_BAD 0x158
%define TSS64_AREA 0x2500

%define KERNEL_STACK 0x9000
%define USER_STACK 0x8000
; variables
%define RESUME 0x600
%define SAVED_ESP 0x604
%define CONTINUE 0x608
; the handler sets RF in the frames of the next #DB exceptions
%define SET_RF 0x60c
%define SCRATCH 0x640
%define TSS_AREA 0x2000
%define TSS2_AREA 0x2100
%define TSS16_AREA 0x2200
%define TSSV_AREA 0x2300
%define LDT_AREA 0x2400
%define IDT_AREA 0x3000

%macro DESCRIPTOR 3   ; base, limit, access (type byte | flags << 8)
  dw (%2) & 0xffff
  dw (%1) & 0xffff
  db ((%1) >> 16) & 0xff
  db (%3) & 0xff
  db (((%2) >> 16) & 15) | (((%3) >> 8) & 0xf0)
  db ((%1) >> 24) & 0xff
%endmacro
%macro GATE 4         ; selector, offset, access byte, parameter count
  dw (%2) & 0xffff
  dw %1
  db %4
  db %3
  dw ((%2) >> 16) & 0xffff
%endmacro

align 8
gdt:
  dq 0
  DESCRIPTOR 0, 0xfffff, 0xc09a
  DESCRIPTOR 0, 0xfffff, 0xc092
  DESCRIPTOR 0, 0xfffff, 0xc0fa
  DESCRIPTOR 0, 0xfffff, 0xc0f2
  DESCRIPTOR BASE, 0xffff, 0x009a
  DESCRIPTOR BASE, 0xffff, 0x0092
  DESCRIPTOR TSS_AREA, 0x88, 0x0089
  DESCRIPTOR LDT_AREA, 0x1f, 0x0082
  DESCRIPTOR 0, 0xfffff, 0xc09e
  DESCRIPTOR 0, 0xfffff, 0xc090
  DESCRIPTOR 0, 0xfffff, 0xc012
  DESCRIPTOR 0, 0xfffff, 0xc01a
  DESCRIPTOR 0, 0x00fff, 0x4096
  DESCRIPTOR 0, 0xfffff, 0xc098
  GATE CODE0, A(gate32_entry), 0xec, 2
  GATE CODE16, gate16_entry16, 0xe4, 1
  DESCRIPTOR TSS2_AREA, 0x67, 0x0089
  GATE TSS2, 0, 0xe5, 0
  DESCRIPTOR TSS16_AREA, 0x2b, 0x0081
  DESCRIPTOR 0, 0xfffff, 0xc0ba
  DESCRIPTOR 0, 0xfffff, 0xc0b2
  DESCRIPTOR SCRATCH, 0xf, 0x4092
  GATE CODE0, A(gate32_entry), 0x6c, 0
  GATE CODE0, A(gate32_entry), 0x8c, 0
  GATE DATA0, A(gate32_entry), 0xec, 0
  DESCRIPTOR TSS2_AREA, 0x67, 0x0009
  DESCRIPTOR TSS2_AREA, 0x66, 0x0089
  DESCRIPTOR TSSV_AREA, 0x67, 0x0089
  GATE CONFORMING, A(gate32_entry), 0xec, 0
  GATE TSS2, 0, 0x85, 0
  DESCRIPTOR 0, 0xfffff, 0xa09a
  DESCRIPTOR 0, 0xfffff, 0xc0f2
  DESCRIPTOR 0, 0xfffff, 0xa0fa
  GATE CODE1, A(level1_entry), 0xec, 0
  DESCRIPTOR TSS64_AREA, 0x88, 0x0089
  dq 0
  GATE CODE64, A(gate64_entry), 0xec, 0
  dq 0
  DESCRIPTOR LDT_AREA, 0x1f, 0x0082
  dq 0
  GATE CODE0, A(gate64_entry), 0xec, 0
  dq 0
  GATE CODE64, A(gate64_entry), 0xec, 0
  dq 0x0000010000000000
gdt_end:
gdtr:
  dw gdt_end-gdt-1
  dd A(gdt)
idtr:
  dw 0x48*8-1
  dd IDT_AREA

bits 32
; 0-31 with or without error code, then 32-71
%assign vector 0
align 16
stubs:
%rep 0x48
  align 16
  %if vector == 8 || vector == 10 || vector == 11 || vector == 12 || vector == 13 || vector == 14 || vector == 17
  %else
  push byte 0
  %endif
  push dword vector
  jmp exception
  %assign vector vector+1
%endrep

putc:
  out 0xe9, al
  ret
puthex8:
  push eax
  shr al, 4
  call .digit
  pop eax
  and al, 15
.digit:
  and al, 15
  cmp al, 10
  jb .number
  add al, 7
.number:
  add al, '0'
  jmp putc
puthex32:
  push ecx
  mov ecx, 8
.next:
  rol eax, 4
  push eax
  and al, 15
  call puthex8.digit
  pop eax
  loop .next
  pop ecx
  ret
puthex16:
  push eax
  xchg al, ah
  call puthex8
  xchg al, ah
  call puthex8
  pop eax
  ret
puts:
  xchg esi, [esp]
  push eax
.next:
  cs lodsb
  or al, al
  jz .done
  call putc
  jmp .next
.done:
  pop eax
  xchg esi, [esp]
  ret
%macro SAY 1
  call puts
  db %1, 0
%endmacro
%macro SAY_LINE 1
  call puts
  db %1, 10, 0
%endmacro
%macro SHOW 2
  SAY %1
  mov eax, %2
  call puthex32
%endmacro

; stack: vector, error, eip, cs, eflags[, esp, ss[, es, ds, fs, gs]]
exception:
  cld
  push ds
  push es
  pushad
  mov ax, DATA0
  mov ds, ax
  mov es, ax
  mov ebp, esp
  add ebp, 40
  SAY " V="
  mov al, [ss:ebp]
  call puthex8
  SAY " E="
  mov eax, [ss:ebp+4]
  call puthex16
  SAY " CS="
  mov eax, [ss:ebp+12]
  call puthex16
  SAY " IP="
  mov eax, [ss:ebp+8]
  test dword [ss:ebp+16], 0x20000
  jnz .raw
  cmp eax, BASE
  jb .raw
  sub eax, BASE
.raw:
  call puthex32
  SAY " FL="
  mov eax, [ss:ebp+16]
  and eax, 0x1e7300
  call puthex32
  cmp dword [ss:ebp], 14
  jne .not_page_fault
  SAY " CR2="
  mov eax, cr2
  call puthex32
.not_page_fault:
  cmp dword [ss:ebp], 1
  jne .not_debug
  SAY " DR6="
  mov eax, dr6
  call puthex32
  mov eax, 0xffff0ff0
  mov dr6, eax
  cmp dword [SET_RF], 0
  je .not_debug
  dec dword [SET_RF]
  or dword [ss:ebp+16], 0x10000
.not_debug:
  test dword [ss:ebp+16], 0x20000
  jnz .outer
  test byte [ss:ebp+12], 3
  jz .inner
.outer:
  SAY " SS="
  mov eax, [ss:ebp+24]
  call puthex16
  SAY " SP="
  mov eax, [ss:ebp+20]
  call puthex32
  SAY " DS="
  mov eax, [ss:ebp-4]
  call puthex16
  test dword [ss:ebp+16], 0x20000
  jz .inner
  SHOW " VM ES=", [ss:ebp+28]
  SHOW " DS=", [ss:ebp+32]
  SHOW " FS=", [ss:ebp+36]
  SHOW " GS=", [ss:ebp+40]
.inner:
  cmp dword [CONTINUE], 0
  je .stop
  dec dword [CONTINUE]
  popad
  pop es
  pop ds
  add esp, 8
  iretd
.stop:
  mov ax, DATA0
  mov ss, ax
  mov esp, [SAVED_ESP]
  jmp dword [RESUME]

; one test: name (esi), routine (edi)
run_test:
  mov [SAVED_ESP], esp
  mov dword [RESUME], A(.after)
  mov dword [CONTINUE], 0
  mov dword [SET_RF], 0
.name:
  lodsb
  or al, al
  jz .named
  call putc
  jmp .name
.named:
  SAY ": "
  xor eax, eax
  call edi
  push eax
  SAY " ok A="
  pop eax
  call puthex32
.after:
  mov ax, DATA0
  mov ds, ax
  mov es, ax
  mov ss, ax
  mov esp, [SAVED_ESP]
  xor ax, ax
  mov fs, ax
  mov gs, ax
  push dword 2
  popfd
  SAY_LINE ""
  ret
%macro RUN 2
  mov edi, A(%2)
  call %%over
  db %1, 0
%%over:
  pop esi
  call run_test
%endmacro

; to level 3 at EAX
to_user:
  mov cx, DATA3
  mov ds, cx
  mov es, cx
  push dword DATA3
  push dword USER_STACK
  push dword 2
  push dword CODE3
  push eax
  iretd
%macro USER 1
  mov eax, A(%1)
  jmp to_user
%endmacro

gate32_entry:
  SAY " gate32 CS="
  mov eax, cs
  call puthex16
  SAY " SS="
  mov eax, ss
  call puthex16
  SHOW " ret=", [esp]
  SHOW " cs=", [esp+4]
  SHOW " p1=", [esp+8]
  SHOW " p2=", [esp+12]
  SHOW " sp=", [esp+16]
  SHOW " ss=", [esp+20]
  retf 8
level1_entry:
  int 0x46
bits 16
gate16_entry16:
  jmp dword CODE0:A(gate16_entry)
bits 32
gate16_entry:
  SAY " gate16 frame="
  mov eax, [esp]
  call puthex32
  mov eax, [esp+4]
  call puthex32
  mov eax, [esp+8]
  call puthex16
  SAY " SP="
  mov eax, esp
  call puthex32
  int 0x45

bits 16
; from real mode into protected mode; goes on at main32
enter32:
  lgdt [cs:gdtr]
  lidt [cs:idtr]
  mov eax, cr0
  or al, 1
  mov cr0, eax
  jmp dword CODE0:A(setup32)

bits 32
setup32:
  mov ax, DATA0
  mov ds, ax
  mov es, ax
  mov ss, ax
  mov esp, KERNEL_STACK
  xor ax, ax
  mov fs, ax
  mov gs, ax
  ; IDT: interrupt gates of level 0, and level 3 for 3, 4 and 40h-47h
  mov edi, IDT_AREA
  mov eax, A(stubs)
  xor ecx, ecx
.gate:
  mov [edi], ax
  mov word [edi+2], CODE0
  mov word [edi+4], 0x8e00
  cmp ecx, 3
  je .level3
  cmp ecx, 4
  je .level3
  cmp ecx, 0x40
  jb .level0
.level3:
  mov word [edi+4], 0xee00
.level0:
  mov edx, eax
  shr edx, 16
  mov [edi+6], dx
  add eax, 16
  add edi, 8
  inc ecx
  cmp ecx, 0x48
  jb .gate
  ; TSS: stack of level 0, level 1, I/O map of ports 0-F8h
  mov edi, TSS_AREA
  xor eax, eax
  mov ecx, 0x100
  rep stosd
  mov dword [TSS_AREA+4], KERNEL_STACK-0x400
  mov dword [TSS_AREA+8], DATA0
  mov dword [TSS_AREA+12], KERNEL_STACK-0x600
  mov dword [TSS_AREA+16], DATA1
  mov word [TSS_AREA+0x66], 0x68
  mov dword [TSS_AREA+0x68], 0xfffffff0
  mov dword [TSS_AREA+0x68+0x1c], 0xfffffdff
  mov ax, MAIN_TSS
  ltr ax
  mov esi, A(ldt_image)
  mov edi, LDT_AREA
  mov ecx, 8
  rep movsd
  mov ax, LDT_SELECTOR
  lldt ax
  jmp main32
align 8
ldt_image:
  dq 0
  DESCRIPTOR 0, 0xfffff, 0xc0f2
  DESCRIPTOR 0, 0xfffff, 0xc0fa
  DESCRIPTOR 0, 0xfffff, 0x0082

finish32:
  SAY_LINE "done"
  mov al, 0
  out EXIT_PORT, al
.stop:
  hlt
  jmp .stop
