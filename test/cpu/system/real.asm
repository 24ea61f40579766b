; Real mode: delivery through the vector table, single step, flags, far transfers, unreal mode, protected-mode only
; instructions.
%define RESUME16 0x600
%define SAVED_SP 0x602
%define CONTINUE16 0x604
%define STACK 0x7000

%assign vector 0
align 8
stubs16:
%rep 32
  align 8
  push word vector
  jmp exception16
  %assign vector vector+1
%endrep

; vector, ip, cs, flags
exception16:
  cld
  pushad
  push ds
  xor ax, ax
  mov ds, ax
  mov bp, sp
  SAY16 " V="
  mov al, [bp+34]
  call puthex8_16
  SAY16 " CS="
  mov ax, [bp+38]
  call puthex16_16
  SAY16 " IP="
  mov ax, [bp+36]
  call puthex16_16
  SAY16 " FL="
  mov ax, [bp+40]
  and ax, 0x7700
  call puthex16_16
  pushf
  pop ax
  and ax, 0x7700
  SAY16 " now="
  call puthex16_16
  SAY16 " SP="
  mov ax, bp
  add ax, 42
  call puthex16_16
  cmp word [CONTINUE16], 0
  je .stop
  dec word [CONTINUE16]
  pop ds
  popad
  add sp, 2
  iret
.stop:
  xor ax, ax
  mov ss, ax
  mov sp, [SAVED_SP]
  jmp word [RESUME16]

run16:
  xor ax, ax
  mov ds, ax
  mov [SAVED_SP], sp
  mov word [RESUME16], .after
  mov word [CONTINUE16], 0
.name:
  cs lodsb
  or al, al
  jz .named
  call putc16
  jmp .name
.named:
  SAY16 ": "
  xor eax, eax
  call di
  SAY16 " ok A="
  call puthex32_16
.after:
  xor ax, ax
  mov ds, ax
  mov es, ax
  mov ss, ax
  mov sp, [SAVED_SP]
  push word 2
  popf
  mov al, 10
  call putc16
  ret
%macro RUN16 2
  mov di, %2
  call %%over
  db %1, 0
%%over:
  pop si
  call run16
%endmacro

divide:
  xor cx, cx
  div cx
  ret
divide_overflow:
  mov dx, 1
  mov cx, 1
  div cx
  ret
ud2_test: ud2
int3_test:
  mov word [CONTINUE16], 1
  int3
  mov ax, 3
  ret
into_test:
  mov word [CONTINUE16], 1
  mov al, 0x7f
  add al, 1
  into
  mov ax, 4
  ret
int_test:
  mov word [CONTINUE16], 1
  std
  int 0x1f
  pushf
  pop ax
  and ax, 0x400
  cld
  ret
bound_test:
  mov word [0x640], 1
  mov word [0x642], 5
  mov ax, 7
  bound ax, [0x640]
  ret
step_test:
  mov word [CONTINUE16], 5
  pushf
  or word [esp], 0x100
  popf
  nop
  nop
  mov bx, ss
  mov ss, bx
  nop
  pushf
  and word [esp], 0xfeff
  popf
  mov ax, [CONTINUE16]
  ret
step_int:
  mov word [CONTINUE16], 4
  pushf
  or word [esp], 0x100
  popf
  int 0x1e
  pushf
  and word [esp], 0xfeff
  popf
  mov ax, [CONTINUE16]
  ret
popf_test:
  push word 0x7ed7
  popf
  pushf
  pop ax
  push word 2
  popf
  ret
popfd_test:
  push dword 0x003c7ed7
  popfd
  pushfd
  pop eax
  push word 2
  popf
  ret
iret_test:
  push word 0x7ed7
  push cs
  push word .there
  iret
.there:
  pushf
  pop ax
  push word 2
  popf
  ret
iretd_test:
  push dword 0x00247ed7
  push dword 0x1000
  push dword .there
  iretd
.there:
  pushfd
  pop eax
  push word 2
  popf
  ret
far_call:
  call 0x1000:.sub
  ret
.sub:
  mov bp, sp
  mov ax, [bp+2]
  retf
far_call_32:
  call dword 0x1000:.sub
  ret
.sub:
  mov ax, [esp+4]
  retfd
far_jmp_mem:
  mov word [0x640], .there
  mov word [0x642], 0x1000
  jmp far [0x640]
.there:
  mov ax, cs
  ret
far_return_release:
  mov cx, sp
  push word 0x5555
  push word 0x4444
  call 0x1000:.sub
  mov ax, sp
  sub ax, cx
  ret
.sub:
  retf 4
lds_test:
  mov dword [0x640], 0x12345678
  lds bx, [0x640]
  mov ax, ds
  shl eax, 16
  mov ax, bx
  ret
push_sp:
  mov bx, sp
  push sp
  pop ax
  sub ax, bx
  ret
pop_ss:
  push ss
  pop ss
  mov ax, ss
  ret
segment_registers:
  mov ax, 0x1234
  mov fs, ax
  mov ax, 0x5678
  mov gs, ax
  mov ax, fs
  shl eax, 16
  mov ax, gs
  ret
; limits of 4 GiB survive loads in real mode
align 8
gdt: dq 0, 0x00cf92000000ffff, 0x000092000000ffff
gdtr:
  dw 23
  dd BASE+gdt
unreal:
  lgdt [cs:gdtr]
  mov eax, cr0
  or al, 1
  mov cr0, eax
  mov bx, 8
  mov fs, bx
  and al, 0xfe
  mov cr0, eax
  mov bx, 0x10
  mov fs, bx
  mov edi, 0x2fff00
  mov dword [fs:edi], 0x87654321
  mov eax, [fs:edi]
  ret
unreal_reload:
  xor bx, bx
  mov fs, bx
  mov edi, 0x2fff00
  mov eax, [fs:edi]
  ret
sgdt_test:
  sgdt [0x640]
  mov eax, [0x642]
  sub eax, BASE+gdt
  mov ax, [0x640]
  ret
sidt_test:
  sidt [0x640]
  mov eax, [0x642]
  shl eax, 16
  mov ax, [0x640]
  ret
smsw_test:
  smsw ax
  and ax, 1
  ret
lmsw_test:
  ; into protected mode and back by CR0
  mov ax, 1
  lmsw ax
  smsw bx
  mov ecx, cr0
  and cl, 0xfe
  mov cr0, ecx
  mov ax, bx
  and ax, 1
  ret
idt_short:
  mov word [0x640], 0x1f
  mov dword [0x642], 0
  lidt [0x640]
  ret
idt_back:
  mov word [0x640], 0x3ff
  mov dword [0x642], 0
  lidt [0x640]
  ret
idt_moved:
  ; the table at 600h*8: vector 6 there
  mov word [0x640], 0x3ff
  mov dword [0x642], 0x3000
  mov si, 0
  mov di, 0x3000
  mov cx, 0x200
  rep movsw
  lidt [0x640]
  ud2
lar_test: lar ax, ax
lsl_test: lsl ax, ax
verr_test: verr ax
sldt_test: db 0x0f, 0x00, 0xc0
str_test: db 0x0f, 0x00, 0xc8
lldt_test: db 0x0f, 0x00, 0xd0
ltr_test: db 0x0f, 0x00, 0xd8
arpl_test: db 0x63, 0xc0
lock_register: db 0xf0, 0x01, 0xc0
long_instruction: db 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x90
longest: db 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x90
  ret
mov_cs: db 0x8e, 0xc8
lea_register: db 0x8d, 0xc0
far_register: db 0xff, 0xd8
cr_invalid: db 0x0f, 0x20, 0xe8
undefined: db 0x0f, 0xff
address32:
  mov dword [0x640], 0xcafe
  mov ebx, 0x600
  mov esi, 0x10
  mov eax, [ebx+esi*4]
  ret
enter_leave:
  mov bp, 0x1111
  enter 8, 2
  mov ax, sp
  leave
  mov ax, bp
  ret
pusha_test:
  mov ax, 1
  mov bx, 2
  pusha
  xor ax, ax
  xor bx, bx
  popa
  shl eax, 16
  mov ax, bx
  ret
xlat_test:
  mov bx, xlat_table
  mov al, 2
  cs xlatb
  ret
xlat_table: db 9, 8, 7

main16:
  xor ax, ax
  mov ds, ax
  mov es, ax
  mov ss, ax
  mov sp, STACK
  mov di, 0
  mov cx, 32
  mov ax, stubs16
.vector:
  mov [di], ax
  mov word [di+2], cs
  add ax, 8
  add di, 4
  loop .vector
  RUN16 "divide", divide
  RUN16 "divide overflow", divide_overflow
  RUN16 "ud2", ud2_test
  RUN16 "int3", int3_test
  RUN16 "into", into_test
  RUN16 "int", int_test
  RUN16 "bound", bound_test
  RUN16 "step", step_test
  RUN16 "step int", step_int
  RUN16 "popf", popf_test
  RUN16 "popfd", popfd_test
  RUN16 "iret", iret_test
  RUN16 "iretd", iretd_test
  RUN16 "far call", far_call
  RUN16 "far call 32", far_call_32
  RUN16 "far jmp", far_jmp_mem
  RUN16 "far return", far_return_release
  RUN16 "lds", lds_test
  RUN16 "push sp", push_sp
  RUN16 "pop ss", pop_ss
  RUN16 "segments", segment_registers
  RUN16 "unreal", unreal
  RUN16 "unreal reload", unreal_reload
  RUN16 "sgdt", sgdt_test
  RUN16 "sidt", sidt_test
  RUN16 "smsw", smsw_test
  RUN16 "lmsw", lmsw_test
  RUN16 "idt short", idt_short
  RUN16 "idt back", idt_back
  RUN16 "idt moved", idt_moved
  RUN16 "idt back", idt_back
  RUN16 "lar", lar_test
  RUN16 "lsl", lsl_test
  RUN16 "verr", verr_test
  RUN16 "sldt", sldt_test
  RUN16 "str", str_test
  RUN16 "lldt", lldt_test
  RUN16 "ltr", ltr_test
  RUN16 "arpl", arpl_test
  RUN16 "lock register", lock_register
  RUN16 "long instruction", long_instruction
  RUN16 "mov cs", mov_cs
  RUN16 "lea register", lea_register
  RUN16 "far register", far_register
  RUN16 "cr invalid", cr_invalid
  RUN16 "undefined", undefined
  RUN16 "address 32", address32
  RUN16 "enter leave", enter_leave
  RUN16 "pusha", pusha_test
  RUN16 "xlat", xlat_test
  jmp finish16
