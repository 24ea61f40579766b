; Virtual-8086 mode: entry, faults, IOPL, interrupts, VME.
bits 16
main16:
  xor ax, ax
  mov ss, ax
  mov sp, 0x7000
  jmp enter32
bits 32
gate64_entry equ 0

; to V86 code at offset EAX of segment 1000h with EFLAGS EDX
to_v86:
  push dword 0x6666     ; GS
  push dword 0x5555
  push dword 0x1000     ; DS
  push dword 0x0060     ; ES
  push dword 0x0700     ; SS
  push dword 0x1000     ; SP
  push edx
  push dword 0x1000
  push eax
  iretd
%macro V86 2
  mov eax, %1
  mov edx, %2
  jmp to_v86
%endmacro
%define VM0 0x20002
%define VM3 0x23002

int_iopl3: V86 v_int, VM3
int_iopl0: V86 v_int, VM0
int3_iopl0: V86 v_int3, VM0
into_iopl0: V86 v_into, VM0
hlt_test: V86 v_hlt, VM3
cli_iopl0: V86 v_cli, VM0
cli_iopl3: V86 v_cli_int, 0x23202
sti_iopl3: V86 v_sti, VM3
pushf_iopl0: V86 v_pushf, VM0
pushf_iopl3: V86 v_pushf_int, VM3
popf_iopl0: V86 v_popf, VM0
popf_iopl3: V86 v_popf_int, VM3
iret_iopl0: V86 v_iret, VM0
iret_iopl3: V86 v_iret, VM3
in_allowed: V86 v_in_allowed, VM0
in_denied: V86 v_in_denied, VM3
cr_test: V86 v_cr, VM3
lgdt_test: V86 v_lgdt, VM3
lar_test: V86 v_lar, VM3
arpl_test: V86 v_arpl, VM3
sldt_test: V86 v_sldt, VM3
smsw_test: V86 v_smsw, VM3
segments_test: V86 v_segments, VM3
far_test: V86 v_far, VM3
step_test: V86 v_step, 0x23102
lock_test: V86 v_ud, VM3
gate_level3:
  mov word [IDT_AREA+0x45*8+2], CODE1
  V86 v_int45, VM3
gate_conforming:
  mov word [IDT_AREA+0x45*8+2], CONFORMING
  V86 v_int45, VM3
gate_restore:
  mov word [IDT_AREA+0x45*8+2], CODE0
  ret
iret_vm_user:
  ; level 3 cannot set VM
  USER user_vm
user_vm:
  push dword 0
  push dword 0
  push dword 0
  push dword 0
  push dword DATA3
  push dword USER_STACK
  push dword 0x20002
  push dword CODE3
  push dword A(.here)
  iretd
.here:
  pushfd
  pop eax
  int 0x40
popfd_vm:
  push dword 0x20002
  popfd
  pushfd
  pop eax
  and eax, 0x20000
  ret
v_popfd_test: V86 v_popfd, VM3
; --- VME
vme_on:
  mov eax, cr4
  or eax, 1
  mov cr4, eax
  ; redirection bitmap (32 bytes before the I/O map): 40h stays in protected mode, the rest goes to the vector table
  mov word [TSS_AREA+0x66], 0x88
  mov edi, TSS_AREA+0x68
  xor eax, eax
  mov ecx, 8
  rep stosd
  mov byte [TSS_AREA+0x68+8], 1
  mov edi, TSS_AREA+0x88
  mov ecx, 33
  rep stosb
  mov byte [TSS_AREA+0x88+32], 0xff
  mov word [A(gdt)+MAIN_TSS], 0xa8
  and byte [A(gdt)+MAIN_TSS+5], 0xfd
  mov ax, MAIN_TSS
  ltr ax
  ; vector 46h of the vector table
  mov word [0x46*4], v_handler
  mov word [0x46*4+2], 0x1000
  ret
vme_int40: V86 v_int, VM0
vme_int46: V86 v_int46, VM0
vme_int46_iopl3: V86 v_int46, 0x23202
vme_cli: V86 v_vme_cli, 0xA0002
vme_sti: V86 v_vme_sti, VM0
vme_sti_vip: V86 v_vme_sti, 0x120002
vme_popf: V86 v_vme_popf, VM0
vme_popf_vip: V86 v_vme_popf, 0x120002
vme_popf_tf: V86 v_vme_popf_tf, VM0
vme_popfd: V86 v_popfd, VM0
vme_iret: V86 v_vme_iret, VM0
; level 3 with PVI
pvi_test:
  mov eax, cr4
  or eax, 2
  mov cr4, eax
  USER user_pvi
user_pvi:
  sti
  pushfd
  pop eax
  cli
  pushfd
  pop ebx
  mov ecx, ebx
  shr eax, 8
  shr ebx, 8
  push eax
  int 0x40
pvi_values:
  mov eax, [USER_STACK-4]
  ret

bits 16
v_int:
  mov bx, ds
  int 0x40
v_int3: int3
v_into:
  mov al, 0x7f
  add al, 1
  into
v_hlt: hlt
v_cli: cli
v_cli_int:
  cli
  pushf
  pop ax
  int 0x40
v_sti:
  sti
  int 0x40
v_pushf: pushf
v_pushf_int:
  pushf
  pop ax
  mov [0x640], ax
  int 0x40
v_popf:
  push word 0
  popf
v_popf_int:
  push word 0x7ed7
  popf
  int 0x40
v_popfd:
  push dword 0x00247ed7
  popfd
  pushfd
  pop eax
  int 0x40
v_iret:
  push word 0x3202
  push word 0x1000
  push word .there
  iret
.there:
  int 0x40
v_in_allowed:
  in al, 0x02
  int 0x40
v_in_denied: in al, 0x05
v_cr: mov eax, cr0
v_lgdt: lgdt [0]
v_lar: lar ax, ax
v_arpl: db 0x63, 0xc0
v_sldt: db 0x0f, 0x00, 0xc0
v_smsw:
  smsw ax
  int 0x40
v_segments:
  mov ax, 0x0050
  mov es, ax
  mov ax, 0x1234
  mov ds, ax
  push word 0x4321
  pop fs
  int 0x40
v_far:
  call 0x1000:.sub
  int 0x40
.sub:
  mov cx, cs
  retf
v_step:
  nop
  nop
v_ud: ud2
v_int45: int 0x45
v_int46:
  int 0x46
  int 0x40
v_handler:
  pop ax
  pop bx
  pop cx
  int 0x40
v_vme_cli:
  cli
  pushf
  pop ax
  int 0x40
v_vme_sti:
  sti
  pushf
  pop ax
  int 0x40
v_vme_popf:
  push word 0x0202
  popf
  int 0x40
v_vme_popf_tf:
  push word 0x0102
  popf
  int 0x40
v_vme_iret:
  push word 0x0202
  push word 0x1000
  push word .there
  iret
.there:
  pushf
  pop ax
  int 0x40
bits 32

main32:
%ifdef MANUAL
  RUN "gate level 1", gate_level3
  RUN "gate restore", gate_restore
  RUN "iret vm user", iret_vm_user
  RUN "vme on", vme_on
  RUN "vme int 40", vme_int40
  RUN "vme int 46", vme_int46
  RUN "vme int 46 iopl3", vme_int46_iopl3
  RUN "vme cli", vme_cli
  RUN "vme sti", vme_sti
  RUN "vme sti vip", vme_sti_vip
  RUN "vme popf", vme_popf
  RUN "vme popf vip", vme_popf_vip
  RUN "vme popf tf", vme_popf_tf
  RUN "vme popfd", vme_popfd
  RUN "vme iret", vme_iret
  RUN "pvi", pvi_test
  RUN "pvi values", pvi_values
%else
  RUN "int iopl3", int_iopl3
  RUN "int iopl0", int_iopl0
  RUN "int3 iopl0", int3_iopl0
  RUN "into iopl0", into_iopl0
  RUN "hlt", hlt_test
  RUN "cli iopl0", cli_iopl0
  RUN "cli iopl3", cli_iopl3
  RUN "sti iopl3", sti_iopl3
  RUN "pushf iopl0", pushf_iopl0
  RUN "pushf iopl3", pushf_iopl3
  RUN "popf iopl0", popf_iopl0
  RUN "popf iopl3", popf_iopl3
  RUN "iret iopl0", iret_iopl0
  RUN "iret iopl3", iret_iopl3
  RUN "in allowed", in_allowed
  RUN "in denied", in_denied
  RUN "cr", cr_test
  RUN "lgdt", lgdt_test
  RUN "lar", lar_test
  RUN "arpl", arpl_test
  RUN "sldt", sldt_test
  RUN "smsw", smsw_test
  RUN "segments", segments_test
  RUN "far", far_test
  RUN "step", step_test
  RUN "ud", lock_test
  RUN "gate conforming", gate_conforming
  RUN "gate restore", gate_restore
  RUN "popfd vm", popfd_vm
  RUN "popfd v86", v_popfd_test
%endif
  jmp finish32
