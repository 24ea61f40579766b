// The demo guest's checks of the processor: modes, exceptions, arithmetic. Each check has a row on the screen with a mark
// in front and a line on the serial port.

export const PROCESSOR_CHECKS = `
bits 32
%define CHECKS_ROW 16
%define ROW_MODES CHECKS_ROW + 1
%define ROW_EXCEPTIONS CHECKS_ROW + 2
%define ROW_ARITHMETIC CHECKS_ROW + 3
%define ROW_TIMERS CHECKS_ROW + 4
%define ROW_MEMORY CHECKS_ROW + 5
%define ROW_SPEED CHECKS_ROW + 6
%define DETAIL 18
%define MARK 2
%define RESULT 72

; begin row, name, serial line: marks the row as running
%macro begin 3
        goto %1, MARK
        say RUNNING, text_running
        goto %1, MARK + 2
        say VALUE, %2
        line %3
        goto %1, DETAIL
%endmacro
; passed row, failed row: the mark in front; the serial line ends
%macro passed 1
        goto %1, MARK
        say GOOD, text_check
        goto %1, RESULT
        say GOOD, text_passed
        line text_line_passed
%endmacro
%macro failed 1
        goto %1, MARK
        say ALARM, text_cross
        goto %1, RESULT
        say ALARM, text_some_wrong
        line text_line_failed
        inc dword [failures]
%endmacro

checks_panel:
        goto CHECKS_ROW, 0
        mov edx, 80
        mov ebx, 8
        mov esi, text_checks
        call draw_box
        mov esi, check_names
        mov ecx, ROW_MODES
.row:   imul edi, ecx, 160
        add edi, SCREEN + (MARK + 2) * 2
        mov byte [attribute], WAITING
        call print
        inc ecx
        cmp byte [esi], 0
        jne .row
        ret

; ---- modes: all of this program runs in them; long mode does sums that need it ------------------------------------------
check_modes:
        begin ROW_MODES, text_modes, text_line_modes
        say DETAILS, text_real
        call .tick
        say DETAILS, text_protected
        call .tick
        test byte [cpu_features + 11], 0x20      ; long mode: bit 29
        jz .none
        push edi
        call long_mode
        pop edi
        say DETAILS, text_long
        cmp dword [long_result], 0x600d600d
        jne .bad
        call .tick
        line text_line_long
        passed ROW_MODES
        ret
.none:  say ABSENT, text_no_long
        line text_line_no_long
        passed ROW_MODES
        ret
.bad:   failed ROW_MODES
        ret
.tick:  say GOOD, text_check
        say DETAILS, text_gap
        ret

%define PML4 0x70000

long_mode: ; there and back; [long_result] says how it went
        mov edi, PML4
        xor eax, eax
        mov ecx, 6 * 1024
        rep stosd
        mov dword [PML4], PML4 + 0x1000 + 3
        mov eax, PML4 + 0x2000 + 3
        mov edi, PML4 + 0x1000
        mov ecx, 4
.directories:
        mov [edi], eax
        add eax, 0x1000
        add edi, 8
        loop .directories
        mov eax, 0x83           ; present, writable, 2 MiB
        mov edi, PML4 + 0x2000
        mov ecx, 2048
.pages: mov [edi], eax
        add eax, 0x200000
        add edi, 8
        loop .pages
        cli
        mov eax, cr4
        or al, 0x20
        mov cr4, eax
        mov eax, PML4
        mov cr3, eax
        mov ecx, 0xc0000080
        rdmsr
        or ah, 1
        wrmsr
        mov eax, cr0
        or eax, 0x80000000
        mov cr0, eax
        lidt [idt64_pointer]
        jmp dword CODE64:.long
bits 64
.long:  mov rax, 0x123456789abcdef1      ; 64 x 64 bits give 128
        mov rbx, 0xfedcba9876543210
        mul rbx
        mov rcx, 0x121fa00ad77d7423
        cmp rdx, rcx
        jne .back
        mov rcx, 0x224a4396cc6d0110
        cmp rax, rcx
        jne .back
        mov rdx, 0x121fa00ad77d7423
        mov rbx, 0xfedcba9876543210
        mov rax, 0x224a4396cc6d0110
        div rbx
        mov rcx, 0x123456789abcdef1
        cmp rax, rcx
        jne .back
        mov r8d, 8              ; the upper eight registers: the sum of 8..15 is 92
        mov r9d, 9
        mov r10d, 10
        mov r11d, 11
        mov r12d, 12
        mov r13d, 13
        mov r14d, 14
        mov r15d, 15
        mov rax, r8
        add rax, r9
        add rax, r10
        add rax, r11
        add rax, r12
        add rax, r13
        add rax, r14
        add rax, r15
        cmp rax, 92
        jne .back
        mov rax, -1
        mov eax, eax            ; a 32-bit result clears the upper half
        mov rcx, 0xffffffff
        cmp rax, rcx
        jne .back
        lea rsi, [rel long_word]
        mov rax, [rsi]
        cmp rax, [rel long_word]
        jne .back
        mov ebx, [abs ticks]    ; two timer interrupts taken in 64-bit mode
        mov ecx, 2000000000
        sti
.wait:  mov eax, [abs ticks]
        sub eax, ebx
        cmp eax, 2
        jae .ticked
        pause
        dec ecx
        jnz .wait
        cli
        jmp .back
.ticked: cli
        mov dword [abs long_result], 0x600d600d
.back:  push CODE32
        push qword .compatible
        db 0x48, 0xcb           ; far return, 64-bit
bits 32
.compatible:
        mov ax, DATA32
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov eax, cr0
        and eax, 0x7fffffff
        mov cr0, eax
        mov ecx, 0xc0000080
        rdmsr
        and ah, 0xfe
        wrmsr
        mov eax, cr4
        and al, 0xdf
        mov cr4, eax
        lidt [idt_pointer]
        sti
        ret

; ---- exceptions: provoked, caught, resumed ----------------------------------------------------------------------------
; provoked vector, text, serial text: the exception must have been caught
%macro provoked 3
        cmp dword [caught], %1
        jne .bad
        say DETAILS, %2
        line %3
        say GOOD, text_check
        say DETAILS, text_gap
%endmacro

check_exceptions:
        begin ROW_EXCEPTIONS, text_exceptions, text_line_exceptions
        mov dword [caught], -1
        mov dword [resume], .divided
        xor edx, edx
        mov eax, 1
        xor ecx, ecx
        div ecx
.divided:
        provoked 0, text_divide, text_line_divide
        mov dword [resume], .trapped
        int3
.trapped:
        provoked 3, text_breakpoint, text_line_breakpoint
        mov dword [resume], .undefined
        ud2
.undefined:
        provoked 6, text_undefined, text_line_undefined
        mov dword [resume], .protected
        mov ax, 0x1000          ; no such descriptor
        mov fs, ax
.protected:
        provoked 13, text_protection, text_line_protection
        test byte [cpu_features], 8     ; the last one needs 4 MiB pages
        jz .passed
        call page_fault
        provoked 14, text_page_fault, text_line_page_fault
        cmp dword [fault_address], 0x40001234
        jne .bad
.passed: passed ROW_EXCEPTIONS
        ret
.bad:   mov dword [resume], 0
        failed ROW_EXCEPTIONS
        ret

page_fault: ; with only the first 4 MiB mapped, touches 40001234h
        push edi
        mov edi, PML4
        xor eax, eax
        mov ecx, 1024
        rep stosd
        mov dword [PML4], 0x83
        pop edi
        mov eax, cr4
        or al, 0x10
        mov cr4, eax
        mov eax, PML4
        mov cr3, eax
        mov dword [resume], .caught
        mov eax, cr0
        or eax, 0x80000000
        mov cr0, eax
        jmp short .paged
.paged: mov eax, [0x40001234]
        mov dword [caught], -1
.caught: mov eax, cr2
        mov [fault_address], eax
        mov eax, cr0
        and eax, 0x7fffffff
        mov cr0, eax
        mov eax, cr4
        and al, 0xef
        mov cr4, eax
        ret

; ---- arithmetic: x87 and SSE2 -----------------------------------------------------------------------------------------
check_arithmetic:
        begin ROW_ARITHMETIC, text_arithmetic, text_line_arithmetic
        test byte [cpu_features], 1
        jz .none
        mov eax, cr0
        and al, 0xfb            ; no emulation
        or al, 0x22             ; native errors, monitor
        mov cr0, eax
        fninit
        fld1                    ; 4 x the arc tangent of 1
        fld1
        fpatan
        fmul dword [number_four]
        fmul dword [number_billion]
        fistp qword [number_result]
        say DETAILS, text_pi
        mov eax, [number_result]
        cmp eax, 3141592654
        jne .bad
        line text_line_x87
        call .billionths
        say GOOD, text_check
        test byte [cpu_features + 3], 4  ; SSE2: bit 26
        jz .passed
        test byte [cpu_features + 3], 1  ; FXSAVE: bit 24
        jz .passed
        mov eax, cr4
        or ax, 0x600
        mov cr4, eax
        mov eax, 2000000000
        cvtsi2sd xmm0, eax
        mov eax, 1000000000
        cvtsi2sd xmm1, eax
        divsd xmm0, xmm1
        sqrtsd xmm0, xmm0
        mulsd xmm0, xmm1
        db 0xf2, 0x0f, 0x2d, 0xc0       ; cvtsd2si eax, xmm0
        say DETAILS, text_root
        cmp eax, 1414213562
        jne .bad
        line text_line_sse2
        call .billionths
        say GOOD, text_check
.passed: passed ROW_ARITHMETIC
        ret
.none:  say ABSENT, text_no_fpu
        passed ROW_ARITHMETIC
        ret
.bad:   failed ROW_ARITHMETIC
        ret
.billionths: ; EAX as n.nnnnnnnnn
        call plain_digits
        mov byte [attribute], VALUE
        mov al, [esi]
        call put
        mov al, '.'
        call put
        inc esi
        call print
        mov al, ' '
        jmp put

plain_digits: ; EAX as ten digits; ESI = text
        push edx
        push ebx
        mov esi, number_end
        mov byte [esi], 0
        mov ebx, 10
.next:  xor edx, edx
        div ebx
        add dl, '0'
        dec esi
        mov [esi], dl
        test eax, eax
        jnz .next
        pop ebx
        pop edx
        ret
`;
