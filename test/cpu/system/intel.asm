; What QEMU's software CPU does otherwise than the manuals say: expectations are in system.test.ts.
bits 16
main16:
  xor ax, ax
  mov ss, ax
  mov sp, 0x7000
  jmp enter32
bits 32
gate64_entry equ 0
cr4_reserved:
  mov eax, cr4
  or eax, 0x80000000
  mov cr4, eax
  ret

rdmsr_bad:
  mov ecx, 0x12345
  rdmsr
  ret

ltr_null:
  xor ax, ax
  ltr ax
  ret

general_detect:
  mov eax, 0x2400
  mov dr7, eax
  mov eax, dr0
  ret
general_detect_off:
  mov eax, 0x400
  mov dr7, eax
  ret

int1_test:
  mov dword [CONTINUE], 1
  db 0xf1
  mov eax, 0x11
  ret

user_tss_stack_absent:
  and byte [A(gdt)+(DATA1&~7)+5], 0x7f
  mov dword [TSS_AREA+16], DATA1
  USER user_gate_level1
; a fault while a benign one is delivered is no double fault
serial_fault:
  mov word [IDT_AREA+6*8+2], ABSENT_CODE
  ud2
restore_ud:
  mov word [IDT_AREA+6*8+2], CODE0
  ret


cr0_pg_without_pe:
  mov eax, 0x80000010
  mov cr0, eax
  ret
cr0_nw_without_cd:
  mov eax, cr0
  and eax, ~0x40000000
  or eax, 0x20000000
  mov cr0, eax
  ret
user_gate_level1:
  call GATE_LEVEL1:0
; segment limits
limit_read:
  mov ax, SMALL
  mov fs, ax
  mov eax, [fs:0x0c]
  mov eax, [fs:0x0d]
  ret
limit_write:
  mov ax, SMALL
  mov fs, ax
  mov byte [fs:0x10], 1
  ret
limit_byte:
  mov ax, SMALL
  mov fs, ax
  mov al, [fs:0x0f]
  ret
limit_wrap:
  mov ax, SMALL
  mov fs, ax
  mov ebx, 0xffffffff
  mov eax, [fs:ebx]
  ret
expand_down_low:
  mov ax, EXPAND_DOWN
  mov fs, ax
  mov eax, [fs:0x1000]
  mov eax, [fs:0xfff]
  ret
write_readonly:
  mov ax, READ_ONLY
  mov fs, ax
  mov eax, [fs:SCRATCH]
  mov [fs:SCRATCH], eax
  ret
read_execute_only:
  jmp EXECUTE_ONLY:A(.in)
.in:
  mov eax, [cs:SCRATCH]
write_code:
  mov [cs:SCRATCH], eax
  ret
null_segment:
  xor ax, ax
  mov fs, ax
  mov eax, [fs:0]
  ret
stack_limit:
  mov bx, ss
  mov ax, SMALL
  mov ss, ax
  mov esp, 0x10
  push dword 1
  push dword 2
  push dword 3
  push dword 4
  mov bx, DATA0
  mov ss, bx
  mov esp, [SAVED_ESP]
  sub esp, 4
  ret
code_limit:
  jmp CODE16:0xffff
conforming_gate_test: USER user_conforming_gate
user_conforming_gate:
  push dword 2
  push dword 1
  call GATE_CONFORMING:0
  int 0x40
code_watch:
  mov dword [CONTINUE], 3
  mov dword [SET_RF], 1
  mov eax, A(.watched)
  mov dr2, eax
  mov eax, 0x420
  mov dr7, eax
  mov ecx, 2
.watched:
  nop
  mov dword [SET_RF], 1
  loop .watched
  mov eax, 0x400
  mov dr7, eax
  mov eax, [CONTINUE]
  ret
; RF ends with the instruction it was set for
rf_once:
  mov dword [CONTINUE], 2
  mov eax, A(.second)
  mov dr2, eax
  mov eax, 0x420
  mov dr7, eax
  pushfd
  or dword [esp], 0x10000
  push dword CODE0
  push dword A(.first)
  mov dword [SET_RF], 2
  iretd
.first:
  nop
.second:
  nop
  mov eax, 0x400
  mov dr7, eax
  mov eax, [CONTINUE]
  ret
io_watch:
  mov dword [CONTINUE], 2
  mov eax, cr4
  or eax, 8
  mov cr4, eax
  mov eax, 0x80
  mov dr3, eax
  mov eax, 0x20000480
  mov dr7, eax
  out 0x80, al
  out 0x81, al
  mov eax, 0x400
  mov dr7, eax
  mov eax, cr4
  and eax, ~8
  mov cr4, eax
  mov eax, [CONTINUE]
  ret
rep_watch:
  mov dword [CONTINUE], 3
  mov eax, SCRATCH+2
  mov dr0, eax
  mov eax, 0x00010402
  mov dr7, eax
  mov edi, SCRATCH
  mov ecx, 4
  xor eax, eax
  rep stosb
  mov eax, 0x400
  mov dr7, eax
  mov eax, [CONTINUE]
  ret
task_trap_bit:
  mov edi, TSS2_AREA
  xor eax, eax
  mov ecx, 26
  rep stosd
  mov dword [TSS2_AREA+0x20], A(.task)
  mov dword [TSS2_AREA+0x24], 2
  mov dword [TSS2_AREA+0x38], 0x8800
  mov dword [TSS2_AREA+0x48], DATA0
  mov dword [TSS2_AREA+0x4c], CODE0
  mov dword [TSS2_AREA+0x50], DATA0
  mov dword [TSS2_AREA+0x54], DATA0
  mov dword [TSS2_AREA+0x64], 1
  mov dword [CONTINUE], 1
  call TSS2:0
  clts
  mov eax, 0x7b
  ret
.task:
  iretd
cpuid_beyond:
  mov eax, 0x12345678
  xor ecx, ecx
  cpuid
  ret
rdpmc_test:
  xor ecx, ecx
  rdpmc
  ret
tsc_disabled:
  mov eax, cr4
  or eax, 4
  mov cr4, eax
  USER user_rdtsc
user_rdtsc: rdtsc

main32:
  RUN "cr0 pg", cr0_pg_without_pe
  RUN "cr0 nw", cr0_nw_without_cd
  RUN "cr4 reserved", cr4_reserved
  RUN "rdmsr", rdmsr_bad
  RUN "ltr null", ltr_null
  RUN "general detect", general_detect
  RUN "general detect off", general_detect_off
  RUN "int1", int1_test
  RUN "stack absent", user_tss_stack_absent
  RUN "serial fault", serial_fault
  RUN "restore", restore_ud
  RUN "limit read", limit_read
  RUN "limit write", limit_write
  RUN "limit byte", limit_byte
  RUN "limit wrap", limit_wrap
  RUN "expand down", expand_down_low
  RUN "write read-only", write_readonly
  RUN "read execute-only", read_execute_only
  RUN "write code", write_code
  RUN "null segment", null_segment
  RUN "code limit", code_limit
  RUN "conforming gate", conforming_gate_test
  RUN "code watch", code_watch
  RUN "rf once", rf_once
  RUN "io watch", io_watch
  RUN "rep watch", rep_watch
  RUN "task trap", task_trap_bit
  RUN "cpuid", cpuid_beyond
  RUN "rdpmc", rdpmc_test
  RUN "tsd", tsc_disabled
  jmp finish32
