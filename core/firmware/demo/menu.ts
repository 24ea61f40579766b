// The demo guest's end: a menu on the keyboard or the serial port, echo of what is typed, restart, and power off by ACPI.

export const MENU = `
bits 32
%define MENU_ROW 24
%define ECHO_COLUMN 42
%define ECHO_WIDTH 18

menu:
        mov ecx, 11932          ; 100 ticks a second are enough from here on
        call timer_rate
        call show_menu
        cmp dword [failures], 0
        jne .failed
        line text_ready
        jmp .loop
.failed: line text_failed
.loop:  hlt
        mov eax, [ticks]        ; once a second
        sub eax, [clock_tick]
        cmp eax, 100
        jb .input
        add [clock_tick], eax
        call show_clock
.input: call next_key
        jnz .key
        call serial_key
        jz .loop
.key:   call echo
        or al, 0x20
        cmp al, 'r'
        je restart
        cmp al, 's'
        je shut_down
        jmp .input

show_menu:
        goto MENU_ROW, 0
        mov byte [attribute], FOOT
        mov al, ' '
        mov ecx, 80
        call fill
        goto MENU_ROW, 1
        say FOOT_KEY, text_key_r
        say FOOT, text_restart
        say FOOT_KEY, text_key_s
        say FOOT, text_shut_down
        goto MENU_ROW, ECHO_COLUMN - 12
        say FOOT, text_type
        goto MENU_ROW, 63
        cmp dword [failures], 0
        jne .failed
        say FOOT_GOOD, text_all_passed
        ret
.failed: say FOOT_BAD, text_some_failed
        ret

; AL = the next character typed, NZ; Z when there is none
next_key:
        push ebx
.next:  mov ebx, [key_tail]
        cmp ebx, [key_head]
        je .none
        movzx eax, byte [key_queue + ebx]
        inc ebx
        and ebx, 15
        mov [key_tail], ebx
        cmp al, 0x2a
        je .shift
        cmp al, 0x36
        je .shift
        cmp al, 0xaa
        je .unshift
        cmp al, 0xb6
        je .unshift
        cmp al, 0x3a
        jae .next               ; releases, and keys without a character
        mov ebx, key_map
        cmp byte [shifted], 0
        je .plain
        mov ebx, key_map_shifted
.plain: mov al, [ebx + eax]
        test al, al
        jz .next
        pop ebx
        ret
.shift: mov byte [shifted], 1
        jmp .next
.unshift: mov byte [shifted], 0
        jmp .next
.none:  xor eax, eax
        pop ebx
        ret

; The same from the serial port
serial_key:
        push edx
        xor eax, eax
        cmp byte [serial_there], 0
        je .none
        mov dx, COM1 + 5
        in al, dx
        test al, 1
        jz .none
        mov dx, COM1
        in al, dx
        cmp al, 13
        jne .some
        mov al, 10
.some:  cmp al, 0xff
        je .none
        test al, al
        pop edx
        ret
.none:  xor eax, eax
        pop edx
        ret

; AL to the echo field, which moves left when it is full
echo:   pushad
        cmp al, 10
        je .clear
        cmp al, 8
        je .erase
        mov ecx, [echo_length]
        cmp ecx, ECHO_WIDTH
        jb .room
        push eax
        mov esi, echo_text + 1
        mov edi, echo_text
        mov ecx, ECHO_WIDTH - 1
        rep movsb
        pop eax
        mov ecx, ECHO_WIDTH - 1
.room:  mov [echo_text + ecx], al
        inc ecx
        mov [echo_length], ecx
        mov [echo_one], al
        line text_line_key
        line echo_one
        line text_newline
        jmp .show
.erase: cmp dword [echo_length], 0
        je .show
        dec dword [echo_length]
        jmp .show
.clear: mov dword [echo_length], 0
.show:  mov ecx, [echo_length]
        mov byte [echo_text + ecx], 0
        goto MENU_ROW, ECHO_COLUMN
        say FOOT_ECHO, echo_text
        mov ebx, SCREEN + (MENU_ROW * 80 + ECHO_COLUMN + ECHO_WIDTH + 1) * 2
        call pad_to
        popad
        ret

restart:
        line text_line_restart
        cli
        mov al, 0xfe            ; the keyboard controller pulses the reset line
        out 0x64, al
        mov ecx, 1000000
.wait:  pause
        loop .wait
        mov dx, 0xcf9           ; the chip set's own reset
        mov al, 2
        out dx, al
        mov al, 6
        out dx, al
        lidt [null_pointer]     ; a triple fault is the last resort
        int3

shut_down:
        line text_line_off
        call find_fadt
        jz .cannot
        mov ebp, esi
        mov ebx, [ebp + 40]     ; DSDT: the sleep type of S5
        xor ecx, ecx
        cmp dword [ebx], 'DSDT'
        jne .typed
        mov edx, [ebx + 4]
        sub edx, 48
        lea esi, [ebx + 36]
        add edx, ebx
.scan:  cmp esi, edx
        jae .typed
        inc esi
        cmp dword [esi - 1], '_S5_'
        jne .scan
        add esi, 3
        cmp byte [esi], 0x12    ; a package: its length, count, first number
        jne .typed
        movzx eax, byte [esi + 1]
        shr eax, 6
        lea esi, [esi + eax + 3]
        cmp byte [esi], 0x0a
        jne .short
        inc esi
.short: movzx ecx, byte [esi]
        and ecx, 7
.typed: shl ecx, 10
        or ecx, 0x2000          ; sleep enable
        mov dx, [ebp + 64]      ; PM1a control
        in ax, dx
        test al, 1
        jnz .enabled
        mov al, [ebp + 52]      ; ask the firmware for ACPI mode
        test al, al
        jz .enabled
        push edx
        mov dx, [ebp + 48]
        test dx, dx
        jz .no_command
        out dx, al
.no_command:
        pop edx
        mov ebx, 300
.wait:  in ax, dx
        test al, 1
        jnz .enabled
        hlt
        dec ebx
        jnz .wait
.enabled:
        in ax, dx
        and ax, 0xc3ff
        or eax, ecx
        out dx, ax
        mov ebx, 200
.dying: hlt
        dec ebx
        jnz .dying
.cannot:
        line text_line_no_off
        goto MENU_ROW, 0
        say FOOT, text_no_off
        mov ebx, SCREEN + 4000
        call pad_to
        cli
.stop:  hlt
        jmp .stop

; ESI = the FADT, NZ; Z when there is no ACPI
find_fadt:
        movzx esi, word [0x40e] ; the extended BIOS data area, then the BIOS itself
        shl esi, 4
        test esi, esi
        jz .bios
        mov ecx, 64
        call .scan
        je .found
.bios:  mov esi, 0xe0000
        mov ecx, 0x20000 / 16
        call .scan
        je .found
        xor eax, eax
        ret
.scan:  cmp dword [esi], 'RSD '
        jne .no
        cmp dword [esi + 4], 'PTR '
        je .end
.no:    add esi, 16
        loop .scan
        or esi, esi             ; NZ: not found
.end:   ret
.found: mov ebx, [esi + 16]     ; RSDT
        cmp dword [ebx], 'RSDT'
        jne .none
        mov ecx, [ebx + 4]
        sub ecx, 36
        shr ecx, 2
        jz .none
        add ebx, 36
.table: mov esi, [ebx]
        cmp dword [esi], 'FACP'
        je .fadt
        add ebx, 4
        loop .table
.none:  xor eax, eax
        ret
.fadt:  or esi, esi
        ret
`;
