// The demo guest's descriptor tables, interrupt controller and handlers: timer, keyboard and RTC interrupts, and
// exceptions that a check expects or that nobody does.

export const INTERRUPTS = `
bits 32
%define IDT32 0x77000
%define IDT64 0x78000
%define VECTORS 48

; EAX handler, ECX vector: an interrupt gate
set_gate:
        push ebx
        lea ebx, [IDT32 + ecx * 8]
        mov [ebx], ax
        mov word [ebx + 2], CODE32
        mov word [ebx + 4], 0x8e00
        shr eax, 16
        mov [ebx + 6], ax
        pop ebx
        ret

set_gate64:
        push ebx
        mov ebx, ecx
        shl ebx, 4
        add ebx, IDT64
        mov [ebx], ax
        mov word [ebx + 2], CODE64
        mov word [ebx + 4], 0x8e00
        shr eax, 16
        mov [ebx + 6], ax
        mov dword [ebx + 8], 0
        mov dword [ebx + 12], 0
        pop ebx
        ret

interrupts_start:
        xor ecx, ecx
.gates: mov eax, stubs
        lea eax, [eax + ecx * 8]
        call set_gate
        mov eax, unexpected64
        call set_gate64
        inc ecx
        cmp ecx, VECTORS
        jb .gates
        mov ecx, 0x20
        mov eax, timer_interrupt
        call set_gate
        mov eax, timer_interrupt64
        call set_gate64
        mov ecx, 0x21
        mov eax, keyboard_interrupt
        call set_gate
        mov ecx, 0x28
        mov eax, rtc_interrupt
        call set_gate
        mov ecx, 0x27           ; spurious interrupts of both controllers
        mov eax, spurious
        call set_gate
        mov ecx, 0x2f
        mov eax, spurious
        call set_gate
        lidt [idt_pointer]
        mov al, 0x11            ; both 8259s: vectors 20h and 28h
        out 0x20, al
        out 0xa0, al
        mov al, 0x20
        out 0x21, al
        mov al, 0x28
        out 0xa1, al
        mov al, 4
        out 0x21, al
        mov al, 2
        out 0xa1, al
        mov al, 1
        out 0x21, al
        out 0xa1, al
        mov al, 0xf8            ; timer, keyboard, cascade
        out 0x21, al
        mov al, 0xfe            ; RTC
        out 0xa1, al
        mov ecx, 1193           ; 1,000 ticks a second
        call timer_rate
        sti
        ret

timer_rate: ; ECX divisor
        mov al, 0x34
        out 0x43, al
        mov al, cl
        out 0x40, al
        mov al, ch
        out 0x40, al
        ret

timer_interrupt:
        push eax
        inc dword [ticks]
        mov al, 0x20
        out 0x20, al
        pop eax
        iret

keyboard_interrupt:
        push eax
        push ebx
        in al, 0x60
        mov ebx, [key_head]
        mov [key_queue + ebx], al
        inc ebx
        and ebx, 15
        mov [key_head], ebx
        mov al, 0x20
        out 0x20, al
        pop ebx
        pop eax
        iret

rtc_interrupt:
        push eax
        mov al, 0x0c
        out 0x70, al
        in al, 0x71
        inc dword [rtc_ticks]
        mov al, 0x20
        out 0xa0, al
        out 0x20, al
        pop eax
spurious:
        iret

; A check that provokes an exception puts the address to go on at into [resume]; the vector is noted.
align 8
stubs:
%assign vector 0
%rep VECTORS
        push byte vector
        jmp near exception
        align 8
%assign vector vector + 1
%endrep

exception:
        cmp dword [resume], 0
        je .unexpected
        pop eax
        mov [caught], eax
        mov ecx, eax
        mov edx, 1
        shl edx, cl
        test edx, 0x00227d00    ; vectors with an error code
        jz .no_code
        add esp, 4
.no_code:
        mov eax, [resume]
        mov [esp], eax
        mov dword [resume], 0
        iret
.unexpected:
        pop eax
        push eax
        goto 24, 0
        say ALARM, text_exception
        pop eax
        call decimal
        call both
        line text_newline
        line text_failed
.stop:  cli
        hlt
        jmp .stop

bits 64
timer_interrupt64:
        push rax
        inc dword [abs ticks]
        mov al, 0x20
        out 0x20, al
        pop rax
        iretq

unexpected64:
        mov word [abs SCREEN + 158], 0x4f21
        cli
        hlt
        jmp unexpected64
bits 32
`;
