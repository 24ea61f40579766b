; Segment loads, far transfers, privileges, exceptions and error codes in 32-bit protected mode.
bits 16
main16:
  xor ax, ax
  mov ss, ax
  mov sp, 0x7000
  jmp enter32
bits 32
gate64_entry equ 0
%macro LOAD_TEST 2  ; label, selector
%1:
  mov ax, %2
  mov ds, ax
  mov eax, ds
  ret
%endmacro
LOAD_TEST load_null, 3
LOAD_TEST load_data, DATA0
LOAD_TEST load_readonly, READ_ONLY
LOAD_TEST load_absent, ABSENT_DATA
LOAD_TEST load_code, CODE0
LOAD_TEST load_execute_only, EXECUTE_ONLY
LOAD_TEST load_conforming, CONFORMING|3
LOAD_TEST load_rpl, DATA0|3
LOAD_TEST load_tss, MAIN_TSS
LOAD_TEST load_beyond, 0x7f8
LOAD_TEST load_ldt, 0x0c
LOAD_TEST load_ldt_beyond, 0x24
LOAD_TEST load_expand_down, EXPAND_DOWN
%macro STACK_TEST 2
%1:
  mov ax, %2
  mov ss, ax
  mov eax, ss
  ret
%endmacro
STACK_TEST ss_null, 0
STACK_TEST ss_readonly, READ_ONLY
STACK_TEST ss_code, CODE0
STACK_TEST ss_rpl, DATA0|3
STACK_TEST ss_dpl3, DATA3
STACK_TEST ss_absent, ABSENT_DATA
ss_absent_dpl:
  mov ax, DATA0
  mov ss, ax
  ret
pop_ss_null:
  push dword 0
  pop ss
  ret
les_test:
  mov dword [SCRATCH], 0x12345678
  mov word [SCRATCH+4], DATA0
  les eax, [SCRATCH]
  ret
lss_bad:
  mov word [SCRATCH+4], CODE0
  lss esp, [SCRATCH]
  ret

divide:
  xor edx, edx
  mov eax, 5
  xor ecx, ecx
  div ecx
  ret
int3_test:
  mov dword [CONTINUE], 1
  int3
  mov eax, 0x33
  ret
int4_test:
  mov dword [CONTINUE], 1
  mov al, 0x7f
  add al, 1
  into
  mov eax, 0x44
  ret
bound_test:
  mov dword [SCRATCH], 1
  mov dword [SCRATCH+4], 5
  mov eax, 6
  bound eax, [SCRATCH]
  ret
ud2_test:
  ud2
nm_test:
  mov eax, cr0
  or al, 8
  mov cr0, eax
  fnop
  ret
clts_test:
  clts
  fnop
  mov eax, cr0
  ret
int_beyond:
  int 0x50
int_bad_gate:
  mov byte [IDT_AREA+0x41*8+5], 0x82
  int 0x41
int_absent_gate:
  mov byte [IDT_AREA+0x41*8+5], 0x6e
  int 0x41
int_null_code:
  mov byte [IDT_AREA+0x41*8+5], 0x8e
  mov word [IDT_AREA+0x41*8+2], 0
  int 0x41
int_data_code:
  mov word [IDT_AREA+0x41*8+2], DATA0
  int 0x41
int_absent_code:
  mov word [IDT_AREA+0x41*8+2], ABSENT_CODE
  int 0x41
int_user_code:
  mov word [IDT_AREA+0x41*8+2], CODE3
  int 0x41
int_trap_gate:
  mov word [IDT_AREA+0x41*8+2], CODE0
  mov byte [IDT_AREA+0x41*8+5], 0x8f
  mov dword [CONTINUE], 1
  sti
  int 0x41
  pushfd
  pop eax
  cli
  and eax, 0x200
  ret
int_interrupt_gate:
  mov dword [CONTINUE], 1
  sti
  int 0x42
  pushfd
  pop eax
  cli
  and eax, 0x200
  ret
int_16_gate:
  mov word [IDT_AREA+0x43*8], isr16
  mov word [IDT_AREA+0x43*8+2], CODE16
  mov byte [IDT_AREA+0x43*8+5], 0x86
  mov word [IDT_AREA+0x43*8+6], 0
  int 0x43
  ret
bits 16
isr16:
  jmp dword CODE0:A(.wide)
bits 32
.wide:
  mov ebx, A(int_16_gate)
  SHOW " cs.ip=", [esp]
  SHOW " fl=", [esp+2]
  mov eax, 0x16
  add esp, 6
  ret

; --- far transfers
jmp_null:
  jmp 0:0
jmp_data:
  jmp DATA0:0
jmp_absent:
  jmp ABSENT_CODE:0
jmp_user_code:
  jmp CODE3:0
jmp_rpl:
  jmp (CODE0|3):A(jmp_rpl)
jmp_conforming:
  jmp CONFORMING:A(.here)
.here:
  mov eax, cs
  jmp CODE0:A(.back)
.back:
  ret
jmp_beyond_limit:
  jmp CODE16:0x20000
jmp_16:
  jmp CODE16:.code16
bits 16
.code16:
  mov ax, cs
  jmp dword CODE0:A(.back32)
bits 32
.back32:
  movzx eax, ax
  ret
jmp_ldt_code:
  jmp 0x14:0
call_far:
  call CODE0:A(.target)
  ret
.target:
  mov eax, [esp+4]
  retf
call_far_16:
  o16 call CODE0:.target16
  ret
.target16:
  mov eax, [esp]
  o16 retf
call_gate_same:
  push dword 0x2222
  push dword 0x1111
  call GATE_LEVEL0:0
  mov eax, esp
  add esp, 0
  ret
jmp_gate:
  jmp GATE_CONFORMING:0x1234
call_absent_gate:
  call ABSENT_GATE:0
call_gate_data:
  call GATE_TO_DATA:0
call_ldt_selector:
  call LDT_SELECTOR:0
retf_null:
  push dword 0
  push dword 0
  retf
retf_data:
  push dword DATA0
  push dword 0
  retf
iret_bad_cs:
  pushfd
  push dword DATA0
  push dword 0
  iretd
retf_bad_ss:
  push dword DATA0
  push dword 0x1000
  push dword CODE3
  push dword A(user_int)
  retf
retf_null_ss:
  push dword 3
  push dword 0x1000
  push dword CODE3
  push dword A(user_int)
  retf
iret_absent_ss:
  push dword ABSENT_DATA
  push dword 0x1000
  pushfd
  push dword CODE3
  push dword A(user_int)
  iretd

; --- level 3
user_int_test: USER user_int
user_int:
  int 0x40
user_hlt_test: USER user_hlt
user_hlt: hlt
user_cli_test: USER user_cli
user_cli: cli
user_in_test: USER user_in
user_in:
  in al, 0x02
  in al, 0x04
  int 0x40
user_in_split_test: USER user_in_split
user_in_split:
  in ax, 0x03
user_in_beyond_test: USER user_in_beyond
user_in_beyond:
  mov dx, 0x1000
  in al, dx
user_cr_test: USER user_cr
user_cr: mov eax, cr0
user_lgdt_test: USER user_lgdt
user_lgdt: lgdt [SCRATCH]
user_wrmsr_test: USER user_wrmsr
user_wrmsr: wrmsr
user_int_level0_test: USER user_int_level0
user_int_level0: int 0x20
user_load_kernel_test: USER user_load_kernel
user_load_kernel:
  mov ax, DATA0
  mov ds, ax
user_popf_test: USER user_popf
user_popf:
  push dword 0x3202
  popfd
  pushfd
  pop eax
  int 0x40
user_gate32_test:
  mov dword [CONTINUE], 0
  USER user_gate32
user_gate32:
  push dword 0x22222222
  push dword 0x11111111
  call GATE32:0
  mov eax, esp
  int 0x40
user_gate16_test: USER user_gate16
user_gate16:
  push word 0x7777
  call GATE16:0
  int 0x40
user_gate_level0_test: USER user_gate_level0
user_gate_level0: call GATE_LEVEL0:0
user_conforming_test: USER user_conforming
user_conforming:
  call (CONFORMING|3):A(.in)
  int 0x40
.in:
  mov eax, cs
  retf
user_retf_inner_test: USER user_retf_inner
user_retf_inner:
  push dword CODE0
  push dword 0
  retf
; return drops data segments of inner levels
user_drop_test:
  mov ax, DATA0
  mov es, ax
  mov ax, CONFORMING
  mov fs, ax
  mov ax, DATA3
  mov gs, ax
  mov ds, ax
  push dword DATA3
  push dword USER_STACK
  push dword CODE3
  push dword A(user_drop)
  retf
user_drop:
  mov eax, es
  shl eax, 16
  mov ax, fs
  mov ebx, gs
  push eax
  pop ecx
  int 0x40
user_tss_bad_stack:
  mov dword [TSS_AREA+16], 0
  USER user_gate_level1
user_tss_stack_rpl:
  mov dword [TSS_AREA+16], DATA3
  USER user_gate_level1
user_tss_stack_dpl:
  mov dword [TSS_AREA+16], DATA0|1
  USER user_gate_level1
user_tss_stack_code:
  mov dword [TSS_AREA+16], CODE1
  USER user_gate_level1
user_tss_stack_beyond:
  mov dword [TSS_AREA+16], 0x7f9
  USER user_gate_level1
user_tss_limit:
  ; TR takes its limit from the descriptor when it is loaded
  mov word [A(gdt)+MAIN_TSS], 12
  and byte [A(gdt)+MAIN_TSS+5], 0xfd
  mov ax, MAIN_TSS
  ltr ax
  mov dword [TSS_AREA+16], DATA1
  USER user_gate_level1
user_gate_level1_test: USER user_gate_level1
user_gate_level1:
  call GATE_LEVEL1:0
restore_tss:
  mov dword [TSS_AREA+16], DATA1
  or byte [A(gdt)+(DATA1&~7)+5], 0x80
  mov word [A(gdt)+MAIN_TSS], 0x88
  and byte [A(gdt)+MAIN_TSS+5], 0xfd
  mov ax, MAIN_TSS
  ltr ax
  ret
user_umip_test:
  mov eax, cr4
  or eax, 0x800
  mov cr4, eax
  USER user_sgdt
user_sgdt:
  sgdt [SCRATCH]
umip_off:
  mov eax, cr4
  and eax, ~0x800
  mov cr4, eax
  ret
alignment_test:
  mov eax, cr0
  or eax, 0x40000
  mov cr0, eax
  USER user_alignment
user_alignment:
  push dword 0x40202
  popfd
  mov eax, [SCRATCH]
  mov ax, [SCRATCH+2]
  mov eax, [SCRATCH+2]
alignment_off:
  mov eax, cr0
  and eax, ~0x40000
  mov cr0, eax
  ret

; --- control registers
cr1_test: db 0x0f, 0x20, 0xc8
dr4_test:
  mov eax, cr4
  or al, 8
  mov cr4, eax
  db 0x0f, 0x21, 0xe0
  ret
dr4_alias:
  mov eax, cr4
  and al, ~8
  mov cr4, eax
  db 0x0f, 0x21, 0xe8
  ret
smsw_test:
  smsw eax
  and eax, 0x3f
  ret
lmsw_test:
  mov ax, 0
  lmsw ax
  smsw eax
  and eax, 0x3f
  ret
sgdt_test:
  sgdt [SCRATCH]
  mov eax, [SCRATCH+2]
  sub eax, A(gdt)
  shl eax, 16
  mov ax, [SCRATCH]
  ret
ltr_busy:
  mov ax, MAIN_TSS
  ltr ax
  ret
ltr_absent:
  mov ax, ABSENT_TSS
  ltr ax
  ret
lldt_bad:
  mov ax, MAIN_TSS
  lldt ax
  ret

; --- questions
%macro LAR_TEST 2
%1:
  mov ecx, %2
  xor eax, eax
  lar eax, ecx
  setz bl
  and eax, ~0x100
  movzx ebx, bl
  shl ebx, 28
  or eax, ebx
  ret
%endmacro
LAR_TEST lar_data, DATA0
LAR_TEST lar_null, 0
LAR_TEST lar_code, CODE3
LAR_TEST lar_tss, MAIN_TSS
LAR_TEST lar_gate, GATE32
LAR_TEST lar_task_gate, TASK_GATE
LAR_TEST lar_rpl, DATA0|3
LAR_TEST lar_conforming, CONFORMING|3
LAR_TEST lar_beyond, 0x7f8
LAR_TEST lar_absent, ABSENT_DATA
%macro LSL_TEST 2
%1:
  mov ecx, %2
  xor eax, eax
  lsl eax, ecx
  setz bl
  movzx ebx, bl
  shl ebx, 28
  xor eax, ebx
  ret
%endmacro
LSL_TEST lsl_data, DATA0
LSL_TEST lsl_tss, MAIN_TSS
LSL_TEST lsl_gate, GATE32
LSL_TEST lsl_small, SMALL
verr_test:
  xor edx, edx
%macro VERIFY 2
  mov ecx, %2
  %1 cx
  setz al
  shl edx, 1
  or dl, al
%endmacro
  VERIFY verr, DATA0
  VERIFY verr, CODE0
  VERIFY verr, EXECUTE_ONLY
  VERIFY verr, READ_ONLY
  VERIFY verr, DATA0|3
  VERIFY verr, MAIN_TSS
  VERIFY verr, 0
  VERIFY verw, DATA0
  VERIFY verw, CODE0
  VERIFY verw, READ_ONLY
  VERIFY verw, DATA3
  VERIFY verw, 0
  mov eax, edx
  ret
arpl_test:
  mov ax, 0x10
  mov cx, 3
  arpl ax, cx
  setz ah
  ret

; --- tasks
; a task that reports and goes back by IRET
prepare_tss2:
  mov edi, TSS2_AREA
  xor eax, eax
  mov ecx, 26
  rep stosd
  mov dword [TSS2_AREA+0x20], A(task2)
  mov dword [TSS2_AREA+0x24], 2
  mov dword [TSS2_AREA+0x28], 0xaaaa
  mov dword [TSS2_AREA+0x38], 0x8800
  mov dword [TSS2_AREA+0x48], DATA0
  mov dword [TSS2_AREA+0x4c], CODE0
  mov dword [TSS2_AREA+0x50], DATA0
  mov dword [TSS2_AREA+0x54], DATA0
  mov dword [TSS2_AREA+0x60], LDT_SELECTOR
  and byte [A(gdt)+TSS2+5], 0xfd
  ret
task2:
  push eax
  SHOW " task2 A=", [esp]
  pop eax
  pushfd
  pop ebx
  and ebx, 0x4000
  SHOW " NT=", ebx
  xor ebx, ebx
  str bx
  SHOW " TR=", ebx
  SHOW " link=", [TSS2_AREA]
  movzx ebx, byte [A(gdt)+MAIN_TSS+5]
  SHOW " old=", ebx
  movzx ebx, byte [A(gdt)+TSS2+5]
  SHOW " new=", ebx
  mov ebx, cr0
  and ebx, 8
  SHOW " TS=", ebx
  clts
  mov eax, 0xbbbb
  iretd
  SAY " again"
  iretd
task_call:
  call prepare_tss2
  mov ecx, 0xcccc
  call TSS2:0
  movzx ebx, byte [A(gdt)+TSS2+5]
  SHOW " after=", ebx
  SHOW " eax=", [TSS2_AREA+0x28]
  clts
  mov eax, ecx
  ret
task_gate_call:
  call prepare_tss2
  call TASK_GATE:0
  clts
  ret
task_jmp:
  call prepare_tss2
  mov dword [TSS2_AREA+0x20], A(task2_jmp)
  jmp TSS2:0
  mov eax, 0x5555
  clts
  ret
task2_jmp:
  movzx ebx, byte [A(gdt)+MAIN_TSS+5]
  SHOW " old=", ebx
  pushfd
  pop ebx
  and ebx, 0x4000
  SHOW " NT=", ebx
  jmp MAIN_TSS:0
task_busy:
  call MAIN_TSS:0
task_absent:
  call ABSENT_TSS:0
task_short:
  call SHORT_TSS:0
task_int:
  call prepare_tss2
  mov word [IDT_AREA+0x44*8+2], TSS2
  mov byte [IDT_AREA+0x44*8+5], 0xe5
  int 0x44
  clts
  mov eax, 0x6666
  ret
; #UD through a task gate, and #GP with its error code on the new stack
task_fault:
  call prepare_tss2
  mov dword [TSS2_AREA+0x20], A(task_fault_entry)
  mov word [IDT_AREA+13*8+2], TSS2
  mov byte [IDT_AREA+13*8+5], 0x85
  mov ax, 0x7f8
  mov ds, ax
  mov eax, 0x7777
  clts
  mov word [IDT_AREA+13*8+2], CODE0
  mov byte [IDT_AREA+13*8+5], 0x8e
  ret
task_fault_entry:
  pop ebx
  SHOW " code=", ebx
  SHOW " eip=", [TSS_AREA+0x20]
  ; behind the faulting instruction
  add dword [TSS_AREA+0x20], 2
  iretd
task_bad_cs:
  call prepare_tss2
  mov dword [TSS2_AREA+0x4c], DATA0
  jmp task_call_bad
task_bad_ss:
  call prepare_tss2
  mov dword [TSS2_AREA+0x50], CODE0
  jmp task_call_bad
task_bad_ds:
  call prepare_tss2
  mov dword [TSS2_AREA+0x54], 0x7f8
  jmp task_call_bad
task_absent_ds:
  call prepare_tss2
  mov dword [TSS2_AREA+0x54], ABSENT_DATA
  jmp task_call_bad
task_bad_ldt:
  call prepare_tss2
  mov dword [TSS2_AREA+0x60], MAIN_TSS
task_call_bad:
  ; #TS, #NP and #SS of the new task go to a third task
  mov edi, TSSV_AREA
  xor eax, eax
  mov ecx, 26
  rep stosd
  mov dword [TSSV_AREA+0x20], A(task3)
  mov dword [TSSV_AREA+0x24], 2
  mov dword [TSSV_AREA+0x38], 0x8800
  mov dword [TSSV_AREA+0x48], DATA0
  mov dword [TSSV_AREA+0x4c], CODE0
  mov dword [TSSV_AREA+0x50], DATA0
  mov dword [TSSV_AREA+0x54], DATA0
  mov dword [TSSV_AREA+0x60], LDT_SELECTOR
  mov eax, IDT_AREA+10*8
  call task3_gate
  mov eax, IDT_AREA+11*8
  call task3_gate
  mov eax, IDT_AREA+12*8
  call task3_gate
  call TSS2:0
  clts
  mov eax, IDT_AREA+10*8
  call normal_gate
  mov eax, IDT_AREA+11*8
  call normal_gate
  mov eax, IDT_AREA+12*8
  call normal_gate
  mov eax, 0x9999
  ret
task3_gate:
  mov word [eax+2], TSS_V86
  mov byte [eax+5], 0x85
  ret
normal_gate:
  mov word [eax+2], CODE0
  mov byte [eax+5], 0x8e
  ret
task3:
  pop ebx
  SHOW " code=", ebx
  SHOW " link=", [TSSV_AREA]
  SHOW " cs=", [TSS2_AREA+0x4c]
  and byte [A(gdt)+MAIN_TSS+5], 0xfd
  jmp MAIN_TSS:0
task_16:
  mov edi, TSS16_AREA
  xor eax, eax
  mov ecx, 11
  rep stosd
  mov word [TSS16_AREA+0x0e], task16_entry
  mov word [TSS16_AREA+0x10], 2
  mov word [TSS16_AREA+0x12], 0x1616
  mov word [TSS16_AREA+0x1a], 0x8800
  mov word [TSS16_AREA+0x22], DATA0
  mov word [TSS16_AREA+0x24], CODE16
  mov word [TSS16_AREA+0x26], DATA0
  mov word [TSS16_AREA+0x28], DATA0
  mov word [TSS16_AREA+0x2a], LDT_SELECTOR
  call TSS16:0
  clts
  mov eax, [TSS16_AREA+0x12]
  ret
bits 16
task16_entry:
  add ax, 1
  iret
bits 32
iret_nt_bad:
  mov word [TSS_AREA], DATA0
  push dword 0x4002
  popfd
  iretd
iret_nt_ldt:
  mov word [TSS_AREA], 0x0c
  push dword 0x4002
  popfd
  iretd

; --- double fault: #NP of a #GP handler's code
double_fault:
  mov word [IDT_AREA+13*8+2], ABSENT_CODE
  mov word [IDT_AREA+8*8+2], CODE0
  mov ax, 0x7f8
  mov ds, ax
  ret
restore_gp:
  mov word [IDT_AREA+13*8+2], CODE0
  ret
; --- debug
step_test:
  mov dword [CONTINUE], 4
  pushfd
  or dword [esp], 0x100
  popfd
  nop
  nop
  pushfd
  and dword [esp], ~0x100
  popfd
  mov eax, [CONTINUE]
  ret
step_ss_test:
  mov dword [CONTINUE], 5
  mov bx, ss
  pushfd
  or dword [esp], 0x100
  popfd
  mov ss, bx
  nop
  nop
  pushfd
  and dword [esp], ~0x100
  popfd
  mov eax, [CONTINUE]
  ret
step_int_test:
  mov dword [CONTINUE], 6
  pushfd
  or dword [esp], 0x100
  popfd
  int 0x42
  nop
  pushfd
  and dword [esp], ~0x100
  popfd
  mov eax, [CONTINUE]
  ret
write_watch:
  mov dword [CONTINUE], 3
  mov eax, SCRATCH
  mov dr0, eax
  mov eax, 0x000d0402
  mov dr7, eax
  mov eax, [SCRATCH]
  mov dword [SCRATCH], 1
  mov byte [SCRATCH+3], 1
  mov byte [SCRATCH+4], 1
  mov eax, 0x400
  mov dr7, eax
  mov eax, [CONTINUE]
  ret
read_watch:
  mov dword [CONTINUE], 3
  mov eax, SCRATCH+2
  mov dr1, eax
  mov eax, 0x00700408
  mov dr7, eax
  mov ax, [SCRATCH]
  mov ax, [SCRATCH+2]
  mov dword [SCRATCH], 1
  mov eax, 0x400
  mov dr7, eax
  mov eax, [CONTINUE]
  ret
dr_values:
  mov eax, 0xffffefff
  mov dr6, eax
  mov ebx, dr6
  SHOW " dr6=", ebx
  mov eax, 0xffff0ff0
  mov dr6, eax
  mov eax, 0xffff0000
  mov dr7, eax
  mov ebx, dr7
  SHOW " dr7=", ebx
  mov eax, 0x400
  mov dr7, eax
  ret
popf_test:
  push dword 0x003c7ed5
  popfd
  pushfd
  pop eax
  push dword 2
  popfd
  ret
popf16_test:
  push word 0x7ed5
  o16 popf
  pushfd
  pop eax
  push dword 2
  popfd
  ret
sti_shadow:
  sti
  cli
  ret

main32:
  RUN "load null", load_null
  RUN "load data", load_data
  RUN "load read-only", load_readonly
  RUN "load absent", load_absent
  RUN "load code", load_code
  RUN "load execute-only", load_execute_only
  RUN "load conforming", load_conforming
  RUN "load rpl", load_rpl
  RUN "load tss", load_tss
  RUN "load beyond", load_beyond
  RUN "load ldt", load_ldt
  RUN "load ldt beyond", load_ldt_beyond
  RUN "load expand-down", load_expand_down
  RUN "ss null", ss_null
  RUN "ss read-only", ss_readonly
  RUN "ss code", ss_code
  RUN "ss rpl", ss_rpl
  RUN "ss dpl", ss_dpl3
  RUN "ss absent", ss_absent
  RUN "pop ss null", pop_ss_null
  RUN "les", les_test
  RUN "lss bad", lss_bad
  RUN "divide", divide
  RUN "int3", int3_test
  RUN "into", int4_test
  RUN "bound", bound_test
  RUN "ud2", ud2_test
  RUN "nm", nm_test
  RUN "clts", clts_test
  RUN "int beyond", int_beyond
  RUN "int bad gate", int_bad_gate
  RUN "int absent gate", int_absent_gate
  RUN "int null code", int_null_code
  RUN "int data code", int_data_code
  RUN "int absent code", int_absent_code
  RUN "int user code", int_user_code
  RUN "int trap gate", int_trap_gate
  RUN "int interrupt gate", int_interrupt_gate
  RUN "int 16 gate", int_16_gate
  RUN "jmp null", jmp_null
  RUN "jmp data", jmp_data
  RUN "jmp absent", jmp_absent
  RUN "jmp user code", jmp_user_code
  RUN "jmp rpl", jmp_rpl
  RUN "jmp conforming", jmp_conforming
  RUN "jmp beyond limit", jmp_beyond_limit
  RUN "jmp 16", jmp_16
  RUN "jmp ldt code", jmp_ldt_code
  RUN "call far", call_far
  RUN "call gate same", call_gate_same
  RUN "jmp gate conforming", jmp_gate_test
  RUN "call absent gate", call_absent_gate
  RUN "call gate data", call_gate_data
  RUN "call ldt", call_ldt_selector
  RUN "retf null", retf_null
  RUN "retf data", retf_data
  RUN "iret bad cs", iret_bad_cs
  RUN "retf bad ss", retf_bad_ss
  RUN "retf null ss", retf_null_ss
  RUN "iret absent ss", iret_absent_ss
  RUN "user int", user_int_test
  RUN "user hlt", user_hlt_test
  RUN "user cli", user_cli_test
  RUN "user in", user_in_test
  RUN "user in split", user_in_split_test
  RUN "user in beyond", user_in_beyond_test
  RUN "user cr", user_cr_test
  RUN "user lgdt", user_lgdt_test
  RUN "user wrmsr", user_wrmsr_test
  RUN "user int level 0", user_int_level0_test
  RUN "user load kernel data", user_load_kernel_test
  RUN "user popf", user_popf_test
  RUN "user gate32", user_gate32_test
  RUN "user gate16", user_gate16_test
  RUN "user gate level 0", user_gate_level0_test
  RUN "user conforming", user_conforming_test
  RUN "user retf inner", user_retf_inner_test
  RUN "user drop", user_drop_test
  RUN "tss stack null", user_tss_bad_stack
  RUN "tss stack rpl", user_tss_stack_rpl
  RUN "tss stack dpl", user_tss_stack_dpl
  RUN "tss stack code", user_tss_stack_code
  RUN "tss stack beyond", user_tss_stack_beyond
  RUN "tss limit", user_tss_limit
  RUN "restore tss", restore_tss
  RUN "user gate level 1", user_gate_level1_test
  RUN "umip", user_umip_test
  RUN "umip off", umip_off
  RUN "cr1", cr1_test
  RUN "dr4", dr4_test
  RUN "dr5 alias", dr4_alias
  RUN "smsw", smsw_test
  RUN "lmsw", lmsw_test
  RUN "sgdt", sgdt_test
  RUN "ltr busy", ltr_busy
  RUN "ltr absent", ltr_absent
  RUN "lldt bad", lldt_bad
  RUN "lar data", lar_data
  RUN "lar null", lar_null
  RUN "lar code", lar_code
  RUN "lar tss", lar_tss
  RUN "lar gate", lar_gate
  RUN "lar task gate", lar_task_gate
  RUN "lar rpl", lar_rpl
  RUN "lar conforming", lar_conforming
  RUN "lar beyond", lar_beyond
  RUN "lar absent", lar_absent
  RUN "lsl data", lsl_data
  RUN "lsl tss", lsl_tss
  RUN "lsl gate", lsl_gate
  RUN "lsl small", lsl_small
  RUN "verr verw", verr_test
  RUN "arpl", arpl_test
  RUN "task call", task_call
  RUN "task gate", task_gate_call
  RUN "task jmp", task_jmp
  RUN "task busy", task_busy
  RUN "task absent", task_absent
  RUN "task short", task_short
  RUN "task int", task_int
  RUN "task fault", task_fault
  RUN "task 16", task_16
  RUN "task bad cs", task_bad_cs
  RUN "task bad ss", task_bad_ss
  RUN "task bad ds", task_bad_ds
  RUN "task absent ds", task_absent_ds
  RUN "task bad ldt", task_bad_ldt
  RUN "iret nt", iret_nt_bad
  RUN "iret nt ldt", iret_nt_ldt
  RUN "double fault", double_fault
  RUN "restore", restore_gp
  RUN "step", step_test
  RUN "step ss", step_ss_test
  RUN "step int", step_int_test
  RUN "write watch", write_watch
  RUN "read watch", read_watch
  RUN "dr values", dr_values
  RUN "popf", popf_test
  RUN "popf16", popf16_test
  RUN "sti cli", sti_shadow
  jmp finish32
jmp_gate_test:
  push dword 0x4444
  push dword 0x3333
  push dword CODE0
  push dword A(.back)
  jmp GATE_CONFORMING:0
.back:
  mov eax, esp
  ret
