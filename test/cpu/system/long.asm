; IA-32e mode: delivery through 64-bit gates, IST, SYSCALL, SYSENTER, canonical checks, call gates, compatibility mode.
bits 16
main16:
  xor ax, ax
  mov ss, ax
  mov sp, 0x7000
  jmp enter32
bits 32
%define IDT64 0x5000
%define PML4 0x100000
%define PDPT 0x101000
%define PD 0x102000
%define PT 0x103000
%define WINDOW 0x600000
%define GIGA 0x40000000
%define SAVED_RSP 0x620
%define RESUME64 0x628
%define CONTINUE64 0x630
bits 64
%macro SAY64 1
  call puts64
  db %1, 0
%endmacro
%macro SHOW64 2
  mov rax, %2
  call puts64
  db %1, 0
  call puthex64
%endmacro
puts64:
  xchg rsi, [rsp]
  push rax
.next:
  lodsb
  or al, al
  jz .done
  out 0xe9, al
  jmp .next
.done:
  pop rax
  xchg rsi, [rsp]
  ret
puthex64:
  push rcx
  mov ecx, 16
.next:
  rol rax, 4
  push rax
  and al, 15
  add al, '0'
  cmp al, '9'
  jbe .number
  add al, 7
.number:
  out 0xe9, al
  pop rax
  loop .next
  pop rcx
  ret
puthex16_64:
  push rcx
  rol rax, 48
  mov ecx, 4
  jmp puthex64.next

gate64_entry:
  mov rdi, rax
  SAY64 " gate64 CS="
  mov eax, cs
  call puthex16_64
  SAY64 " SS="
  mov eax, ss
  call puthex16_64
  SHOW64 " rip=", [rsp]
  SHOW64 " cs=", [rsp+8]
  SHOW64 " rsp=", [rsp+16]
  SHOW64 " ss=", [rsp+24]
  db 0x48
  retf


align 16
stubs64:
%assign vector 0
%rep 0x48
  align 16
  %if vector == 8 || vector == 10 || vector == 11 || vector == 12 || vector == 13 || vector == 14 || vector == 17
  %else
  push byte 0
  %endif
  push dword vector
  jmp exception64
  %assign vector vector+1
%endrep

; vector, error, rip, cs, rflags, rsp, ss
exception64:
  cld
  push rax
  push rcx
  push rsi
  push rbp
  mov rbp, rsp
  add rbp, 32
  SAY64 " V="
  mov eax, [rbp]
  call puthex16_64
  SAY64 " E="
  mov eax, [rbp+8]
  call puthex16_64
  SAY64 " CS="
  mov eax, [rbp+24]
  call puthex16_64
  SHOW64 " IP=", [rbp+16]
  mov rax, [rbp+32]
  and eax, 0x67300
  SAY64 " FL="
  call puthex64
  SAY64 " SS="
  mov eax, [rbp+48]
  call puthex16_64
  SHOW64 " SP=", [rbp+40]
  SAY64 " handler SS="
  mov eax, ss
  call puthex16_64
  SHOW64 " SP=", rbp
  cmp dword [rbp], 14
  jne .not_page_fault
  mov rax, cr2
  SAY64 " CR2="
  call puthex64
.not_page_fault:
  cmp dword [abs CONTINUE64], 0
  je .stop
  dec dword [abs CONTINUE64]
  pop rbp
  pop rsi
  pop rcx
  pop rax
  add rsp, 16
  iretq
.stop:
  mov rsp, [abs SAVED_RSP]
  mov ax, DATA0
  mov ss, ax
  jmp qword [abs RESUME64]

run_test64:
  mov [abs SAVED_RSP], rsp
  mov dword [abs RESUME64], A(.after)
  mov dword [abs RESUME64+4], 0
  mov dword [abs CONTINUE64], 0
.name:
  lodsb
  or al, al
  jz .named
  out 0xe9, al
  jmp .name
.named:
  SAY64 ": "
  xor eax, eax
  call rdi
  SAY64 " ok A="
  call puthex64
.after:
  mov ax, DATA0
  mov ds, ax
  mov es, ax
  mov ss, ax
  mov rsp, [abs SAVED_RSP]
  push qword 2
  popfq
  mov al, 10
  out 0xe9, al
  ret
%macro RUN64 2
  mov edi, A(%2)
  call %%over
  db %1, 0
%%over:
  pop rsi
  call run_test64
%endmacro
; to level 3, 64-bit code at RAX
to_user64:
  push qword DATA3
  push qword USER_STACK
  push qword 2
  push qword CODE3_64
  push rax
  iretq
%macro USER64 1
  mov eax, A(%1)
  jmp to_user64
%endmacro
to_user32:
  push qword DATA3
  push qword USER_STACK
  push qword 2
  push qword CODE3
  push rax
  iretq
%macro USER32 1
  mov eax, A(%1)
  jmp to_user32
%endmacro

bits 32
main32:
  mov edi, PML4
  xor eax, eax
  mov ecx, 4*1024
  rep stosd
  mov dword [PML4], PDPT|7
  mov dword [PML4+511*8], PDPT|7
  mov dword [PDPT], PD|7
  mov dword [PDPT+8], 0x87
  mov dword [PD], 0x87
  mov dword [PD+8], 0x200087
  mov dword [PD+16], 0x400087
  mov dword [PD+24], PT|7
  mov dword [PT], 0x200007
  mov dword [PT+8], 0x201005
  mov dword [PT+16], 0x201003
  mov dword [PT+24], 0x201007
  mov dword [PT+28], 0x80000000
  mov dword [PT+40], 0x200007
  ; no execution level 3 through the upper half: PML4 entry 510 is supervisor
  mov dword [PML4+510*8], PDPT|3
  mov eax, cr4
  or eax, 0x30
  mov cr4, eax
  mov eax, PML4
  mov cr3, eax
  mov ecx, 0xc0000080
  rdmsr
  or eax, 0x900
  wrmsr
  mov eax, cr0
  or eax, 0x80010000
  mov cr0, eax
  jmp CODE64:A(main64)

bits 64
main64:
  mov edi, IDT64
  mov eax, A(stubs64)
  xor ecx, ecx
.gate:
  mov [rdi], ax
  mov word [rdi+2], CODE64
  mov word [rdi+4], 0x8e00
  cmp ecx, 3
  je .level3
  cmp ecx, 4
  je .level3
  cmp ecx, 0x40
  jb .level0
.level3:
  mov word [rdi+4], 0xee00
.level0:
  mov edx, eax
  shr edx, 16
  mov [rdi+6], dx
  mov qword [rdi+8], 0
  add eax, 16
  add rdi, 16
  inc ecx
  cmp ecx, 0x48
  jb .gate
  mov word [abs SCRATCH], 0x48*16-1
  mov dword [abs SCRATCH+2], IDT64
  mov dword [abs SCRATCH+6], 0
  lidt [abs SCRATCH]
  mov edi, TSS64_AREA
  xor eax, eax
  mov ecx, 34
  rep stosd
  mov dword [abs TSS64_AREA+4], KERNEL_STACK-0x400
  mov dword [abs TSS64_AREA+36], 0xa000
  mov dword [abs TSS64_AREA+44], 0xb008
  mov dword [abs TSS64_AREA+52], 0
  mov dword [abs TSS64_AREA+56], 0x8000
  mov word [abs TSS64_AREA+0x66], 0x68
  mov dword [abs TSS64_AREA+0x84], 0xfffffdff
  mov ax, TSS64
  ltr ax
  mov ax, LDT64
  lldt ax
  mov rsp, KERNEL_STACK
  jmp tests64

; --- canonical addresses
noncanonical_read:
  mov rbx, 0x0000800000000000
  mov rax, [rbx]
  ret
noncanonical_write:
  mov rbx, 0xffff7fffffffffff
  mov [rbx], al
  ret
noncanonical_rbp:
  mov rbp, 0x0000800000000000
  mov rax, [rbp+8]
  ret
noncanonical_push:
  mov rsp, 0x0000800000000008
  push rax
noncanonical_cross:
  mov rbx, 0x00007ffffffffffc
  mov rax, [rbx]
  ret
noncanonical_jmp:
  mov rax, 0x0000800000000000
  jmp rax
noncanonical_call:
  mov rax, 0x0000800000000000
  call rax
noncanonical_ret:
  mov rax, 0x0000800000000000
  push rax
  ret
noncanonical_iret:
  push qword DATA0
  push qword 0x9000
  push qword 2
  push qword CODE64
  mov rax, 0x0000800000000000
  push rax
  iretq
noncanonical_fs:
  mov ecx, 0xc0000100
  mov edx, 0x00008000
  xor eax, eax
  wrmsr
  ret
noncanonical_lstar:
  mov ecx, 0xc0000082
  mov edx, 0x00008000
  xor eax, eax
  wrmsr
  ret
noncanonical_gdt:
  mov dword [abs SCRATCH+2], 0
  mov dword [abs SCRATCH+6], 0x00008000
  lgdt [abs SCRATCH]
  ret
noncanonical_invlpg:
  mov rbx, 0x0000800000000000
  invlpg [rbx]
  ret
upper_half:
  mov rbx, 0xffffff8000000000
  mov eax, [rbx+SCRATCH]
  ret

; --- descriptors
load_ds64:
  mov ax, DATA0
  mov ds, ax
  mov eax, ds
  ret
load_null_ss:
  xor eax, eax
  mov ss, ax
  mov eax, ss
  ret
load_null_ss_rpl:
  mov ax, 3
  mov ss, ax
  ret
jmp_far_64:
  mov dword [abs SCRATCH], A(.there)
  mov word [abs SCRATCH+4], CODE64
  jmp dword far [abs SCRATCH]
.there:
  mov eax, cs
  ret
jmp_far_32:
  mov dword [abs SCRATCH], A(.there)
  mov word [abs SCRATCH+4], CODE0
  jmp dword far [abs SCRATCH]
bits 32
.there:
  mov eax, cs
  mov ebx, esp
  jmp CODE64:A(.back)
bits 64
.back:
  ret
jmp_far_tss:
  mov word [abs SCRATCH+4], TSS64
  jmp dword far [abs SCRATCH]
jmp_far_gate32:
  mov word [abs SCRATCH+4], GATE64_TO_32
  jmp dword far [abs SCRATCH]
call_gate64:
  mov word [abs SCRATCH+4], GATE64
  call dword far [abs SCRATCH]
  ret
call_gate64_bad:
  mov word [abs SCRATCH+4], GATE64_BAD
  call dword far [abs SCRATCH]
  ret
user_gate64_test:
  mov word [abs SCRATCH+4], GATE64
  USER64 user_gate64
user_gate64:
  call dword far [abs SCRATCH]
  int 0x40
user_gate32_test:
  USER32 user_gate32
bits 32
user_gate32:
  call GATE64:0
  mov eax, esp
  int 0x40
bits 64
ltr_busy64:
  mov ax, TSS64
  ltr ax
  ret
lar_tss64:
  mov ecx, TSS64
  lar eax, ecx
  ret
lsl_tss64:
  mov ecx, TSS64
  lsl eax, ecx
  ret
lar_gate64:
  mov ecx, GATE64
  xor eax, eax
  lar eax, ecx
  ret
lar_tss32_legacy:
  mov ecx, TSS16
  xor eax, eax
  lar eax, ecx
  ret
sgdt64:
  sgdt [abs SCRATCH]
  mov rax, [abs SCRATCH+2]
  sub rax, A(gdt)
  ret
sldt_str:
  xor eax, eax
  str ax
  shl rax, 32
  xor ecx, ecx
  sldt cx
  or rax, rcx
  ret

; --- interrupts
int_kernel:
  mov dword [abs CONTINUE64], 1
  mov rbx, rsp
  and rsp, ~15
  sub rsp, 5
  int 0x40
  mov rsp, rbx
  mov eax, 0x40
  ret
int_ist:
  mov byte [abs IDT64+0x41*16+4], 1
  mov dword [abs CONTINUE64], 1
  int 0x41
  mov eax, 0x41
  ret
int_ist_unaligned:
  mov byte [abs IDT64+0x41*16+4], 2
  mov dword [abs CONTINUE64], 1
  int 0x41
  ret
int_ist_noncanonical:
  mov byte [abs IDT64+0x41*16+4], 3
  int 0x41
ist_off:
  mov byte [abs IDT64+0x41*16+4], 0
  ret
int_type_bad:
  mov byte [abs IDT64+0x41*16+5], 0x85
  int 0x41
int_type_286:
  mov byte [abs IDT64+0x41*16+5], 0x86
  int 0x41
int_code32:
  mov byte [abs IDT64+0x41*16+5], 0x8e
  mov word [abs IDT64+0x41*16+2], CODE0
  int 0x41
int_beyond64:
  mov byte [abs IDT64+0x41*16+5], 0x8e
  mov word [abs IDT64+0x41*16+2], CODE64
  int 0x48
user_int_test: USER64 user_int
user_int: int 0x42
user_fault_ist:
  mov byte [abs IDT64+13*16+4], 1
  USER64 user_hlt
user_hlt: hlt
user_fault_ist_off:
  mov byte [abs IDT64+13*16+4], 0
  ret
user_compat_test: USER32 user_compat
bits 32
user_compat:
  mov eax, cs
  mov ebx, ss
  push eax
  pop ecx
  int 0x43
bits 64
user_compat_fault_test: USER32 user_compat_fault
bits 32
user_compat_fault:
  mov ax, DATA3
  mov ds, ax
  mov eax, [0x80000000]
bits 64
user_compat_syscall_test: USER32 user_compat_syscall
bits 32
user_compat_syscall:
  db 0x0f, 0x07
bits 64
iret_compat_kernel:
  push qword DATA0
  push qword 0x8f00
  push qword 2
  push qword CODE0
  push qword A(.there)
  iretq
bits 32
.there:
  mov eax, esp
  mov esp, KERNEL_STACK-0x100
  jmp CODE64:A(.back)
bits 64
.back:
  mov rsp, [abs SAVED_RSP]
  sub rsp, 8
  ret
iret_null_ss:
  push qword 0
  push qword 0x8f00
  push qword 2
  push qword CODE64
  push qword A(.there)
  iretq
.there:
  mov eax, ss
  mov rbx, rsp
  mov rsp, [abs SAVED_RSP]
  sub rsp, 8
  ret
iret_null_ss_user:
  push qword 3
  push qword 0x8000
  push qword 2
  push qword CODE3_64
  push qword A(user_int)
  iretq
iret_null_ss_compat:
  push qword 0
  push qword 0x8000
  push qword 2
  push qword CODE0
  push qword A(user_int)
  iretq
iret_nt:
  push qword 0x4002
  popfq
  iretq
; the IST stack of a nested exception
iret_16_in_64:
  o16 iret

; --- system calls
syscall_setup:
  mov ecx, 0xc0000081
  xor eax, eax
  mov edx, (CODE64)|((CODE3_64-16)<<16)
  wrmsr
  mov ecx, 0xc0000082
  mov eax, A(syscall_entry)
  xor edx, edx
  wrmsr
  mov ecx, 0xc0000084
  mov eax, 0x700
  wrmsr
  ret
syscall_disabled:
  syscall
  ret
syscall_enable:
  mov ecx, 0xc0000080
  rdmsr
  or eax, 1
  wrmsr
  ret
syscall_test:
  mov dword [abs CONTINUE64], 0
  USER64 user_syscall
user_syscall:
  push qword 0x602
  popfq
  std
  syscall
  pushfq
  pop rbx
  mov eax, cs
  int 0x44
syscall_entry:
  SAY64 " entry CS="
  mov eax, cs
  call puthex16_64
  SAY64 " SS="
  mov eax, ss
  call puthex16_64
  pushfq
  pop rax
  and eax, 0x700
  SAY64 " FL="
  call puthex64
  SHOW64 " rcx=", rcx
  mov rax, r11
  and rax, ~0x8d5
  SAY64 " r11="
  call puthex64
  o64 sysret
syscall_from_compat_test:
  mov ecx, 0xc0000082
  mov eax, A(sysret_compat)
  xor edx, edx
  wrmsr
  USER64 user_syscall2
user_syscall2: syscall
sysret_compat:
  mov ecx, A(compat_after_sysret)
  mov r11d, 2
  sysret
bits 32
compat_after_sysret:
  mov eax, cs
  shl eax, 16
  mov ax, ss
  int 0x45
bits 64
user_sysret_test: USER64 user_sysret
user_sysret: sysret
sysenter_zero:
  mov ecx, 0x174
  xor eax, eax
  xor edx, edx
  wrmsr
  USER64 user_sysenter
user_sysenter: sysenter
sysenter_test:
  mov ecx, 0x174
  mov eax, CODE64
  xor edx, edx
  wrmsr
  mov ecx, 0x175
  mov eax, 0x8c00
  wrmsr
  mov ecx, 0x176
  mov eax, A(sysenter_entry)
  wrmsr
  USER64 user_sysenter
sysenter_compat_test: USER32 user_sysenter32
bits 32
user_sysenter32: sysenter
bits 64
sysenter_entry:
  SAY64 " entry CS="
  mov eax, cs
  call puthex16_64
  SAY64 " SS="
  mov eax, ss
  call puthex16_64
  SHOW64 " rsp=", rsp
  jmp qword [abs RESUME64]
user_sysexit_test: USER64 user_sysexit
user_sysexit: sysexit
swapgs_test:
  mov ecx, 0xc0000101
  mov eax, 0x1111
  xor edx, edx
  wrmsr
  mov ecx, 0xc0000102
  mov eax, SCRATCH
  wrmsr
  mov dword [abs SCRATCH+16], 0x5a5a5a5a
  swapgs
  mov eax, [gs:16]
  swapgs
  ret
user_swapgs_test: USER64 user_swapgs
user_swapgs: swapgs
gs_load_base:
  mov ecx, 0xc0000101
  mov eax, SCRATCH
  xor edx, edx
  wrmsr
  mov ax, DATA3
  mov gs, ax
  mov ecx, 0xc0000101
  rdmsr
  ret
fsgsbase_off:
  db 0xf3, 0x48, 0x0f, 0xae, 0xc0
  ret
fsgsbase_on:
  mov rax, cr4
  or eax, 0x10000
  mov cr4, rax
  mov rax, 0x123456789abc
  db 0xf3, 0x48, 0x0f, 0xae, 0xd0      ; wrfsbase rax
  xor eax, eax
  db 0xf3, 0x48, 0x0f, 0xae, 0xc0      ; rdfsbase rax
  ret
fsgsbase_bad:
  mov rax, 0x0000800000000000
  db 0xf3, 0x48, 0x0f, 0xae, 0xd8      ; wrgsbase rax
  ret

; --- control registers
cr3_reserved:
  mov rax, 0x8000000000000000
  mov cr3, rax
  ret
cr4_pae_off:
  mov rax, cr4
  and eax, ~0x20
  mov cr4, rax
  ret
cr0_pg_off:
  mov rax, cr0
  and eax, 0x7fffffff
  mov cr0, rax
  ret
cr0_high:
  mov rax, cr0
  bts rax, 32
  mov cr0, rax
  ret
efer_lme_off:
  mov ecx, 0xc0000080
  rdmsr
  and eax, ~0x100
  wrmsr
  ret
dr7_high:
  mov rax, 0x100000400
  mov dr7, rax
  ret
cr8_bad:
  mov eax, 16
  db 0x44, 0x0f, 0x22, 0xc0
  ret
efer_read:
  mov ecx, 0xc0000080
  rdmsr
  ret
v8086_flag:
  push qword 0x20002
  popfq
  pushfq
  pop rax
  ret
pushf_rf:
  push qword 0x10002
  popfq
  pushfq
  pop rax
  ret

; --- paging
giga_page:
  mov dword [abs SCRATCH], 0x77777777
  mov eax, [abs GIGA+SCRATCH]
  ret
giga_dirty:
  and byte [abs PDPT+8], 0x9f
  mov rax, cr3
  mov cr3, rax
  mov eax, [abs GIGA+SCRATCH]
  mov al, [abs PDPT+8]
  mov dword [abs GIGA+SCRATCH], 1
  mov ah, [abs PDPT+8]
  and eax, 0xffff
  ret
absent64: mov eax, [abs WINDOW+0x4000]
  ret
readonly64: mov [abs WINDOW+0x1000], eax
  ret
execute_nx:
  mov eax, WINDOW+0x3000
  jmp rax
user_nx_test: USER64 user_nx
user_nx:
  mov eax, WINDOW+0x3000
  jmp rax
user_supervisor_test: USER64 user_supervisor
user_supervisor: mov eax, [abs WINDOW+0x2000]
user_upper_test: USER64 user_upper
user_upper:
  mov rbx, 0xffffff0000000000
  mov eax, [rbx+SCRATCH]
user_absent_write_test: USER64 user_absent_write
user_absent_write: mov [abs WINDOW+0x4000], eax
upper_supervisor:
  mov rbx, 0xffffff0000000000
  mov eax, [rbx+SCRATCH]
  ret

tests64:
%ifdef MANUAL
  RUN64 "rbp", noncanonical_rbp
  RUN64 "jmp", noncanonical_jmp
  RUN64 "call", noncanonical_call
  RUN64 "ret", noncanonical_ret
  RUN64 "iret", noncanonical_iret
  RUN64 "cross", noncanonical_cross
  RUN64 "fs", noncanonical_fs
  RUN64 "lstar", noncanonical_lstar
  RUN64 "gdt", noncanonical_gdt
  RUN64 "null ss rpl", load_null_ss_rpl
  RUN64 "lar tss legacy", lar_tss32_legacy
  RUN64 "ist", int_ist
  RUN64 "ist unaligned", int_ist_unaligned
  RUN64 "ist noncanonical", int_ist_noncanonical
  RUN64 "type bad", int_type_bad
  RUN64 "type 286", int_type_286
  RUN64 "beyond", int_beyond64
  RUN64 "iret null ss compat", iret_null_ss_compat
  RUN64 "fsgsbase on", fsgsbase_on
  RUN64 "fsgsbase bad", fsgsbase_bad
  RUN64 "cr3 reserved", cr3_reserved
  RUN64 "cr4 pae off", cr4_pae_off
  RUN64 "cr0 pg off", cr0_pg_off
  RUN64 "cr0 high", cr0_high
  RUN64 "efer lme off", efer_lme_off
  RUN64 "dr7 high", dr7_high
  RUN64 "cr8 bad", cr8_bad
%else
  RUN64 "noncanonical read", noncanonical_read
  RUN64 "noncanonical write", noncanonical_write
  RUN64 "noncanonical invlpg", noncanonical_invlpg
  RUN64 "upper half", upper_half
  RUN64 "load ds", load_ds64
  RUN64 "load null ss", load_null_ss
  RUN64 "jmp far 64", jmp_far_64
  RUN64 "jmp far 32", jmp_far_32
  RUN64 "jmp far tss", jmp_far_tss
  RUN64 "jmp gate to 32", jmp_far_gate32
  RUN64 "call gate", call_gate64
  RUN64 "call gate bad", call_gate64_bad
  RUN64 "user gate", user_gate64_test
  RUN64 "user gate 32", user_gate32_test
  RUN64 "ltr busy", ltr_busy64
  RUN64 "lar tss", lar_tss64
  RUN64 "lsl tss", lsl_tss64
  RUN64 "lar gate", lar_gate64
  RUN64 "sgdt", sgdt64
  RUN64 "sldt str", sldt_str
  RUN64 "int kernel", int_kernel
  RUN64 "int ist off", ist_off
  RUN64 "int code 32", int_code32
  RUN64 "user int", user_int_test
  RUN64 "user fault ist", user_fault_ist
  RUN64 "ist off", user_fault_ist_off
  RUN64 "user compat", user_compat_test
  RUN64 "user compat fault", user_compat_fault_test
  RUN64 "user compat sysret", user_compat_syscall_test
  RUN64 "iret compat kernel", iret_compat_kernel
  RUN64 "iret null ss", iret_null_ss
  RUN64 "iret null ss user", iret_null_ss_user
  RUN64 "iret nt", iret_nt
  RUN64 "syscall disabled", syscall_disabled
  RUN64 "syscall enable", syscall_enable
  RUN64 "syscall setup", syscall_setup
  RUN64 "syscall", syscall_test
  RUN64 "sysret compat", syscall_from_compat_test
  RUN64 "user sysret", user_sysret_test
  RUN64 "sysenter zero", sysenter_zero
  RUN64 "sysenter", sysenter_test
  RUN64 "sysenter compat", sysenter_compat_test
  RUN64 "user sysexit", user_sysexit_test
  RUN64 "swapgs", swapgs_test
  RUN64 "user swapgs", user_swapgs_test
  RUN64 "gs load", gs_load_base
  RUN64 "fsgsbase off", fsgsbase_off
  RUN64 "fsgsbase", fsgsbase_on
  RUN64 "efer", efer_read
  RUN64 "popf vm", v8086_flag
  RUN64 "pushf rf", pushf_rf
  RUN64 "giga page", giga_page
  RUN64 "giga dirty", giga_dirty
  RUN64 "absent", absent64
  RUN64 "readonly", readonly64
  RUN64 "execute nx", execute_nx
  RUN64 "user nx", user_nx_test
  RUN64 "user supervisor", user_supervisor_test
  RUN64 "user upper", user_upper_test
  RUN64 "user absent write", user_absent_write_test
  RUN64 "upper supervisor", upper_supervisor
%endif
  SAY64 "done"
  mov al, 10
  out 0xe9, al
  xor eax, eax
  out EXIT_PORT, al
.stop:
  hlt
  jmp .stop
