// The demo guest's output in 32-bit mode: boxes and coloured text on the VGA text screen (code page 437), plain lines on
// the first serial port. EDI is the screen position throughout, [attribute] the colour.

export const SCREEN = `
bits 32
%define SCREEN 0xb8000
%define COM1 0x3f8

; goto row, column
%macro goto 2
        mov edi, SCREEN + ((%1) * 80 + (%2)) * 2
%endmacro
; say colour, label of a zero-terminated text
%macro say 2
        mov byte [attribute], %1
        mov esi, %2
        call print
%endmacro
; line label: text to the serial port; changes no register
%macro line 1
        push esi
        mov esi, %1
        call serial_print
        pop esi
%endmacro

put:    ; AL at EDI
        push eax
        mov ah, [attribute]
        stosw
        pop eax
        ret

print:  ; ESI text; ESI and EDI move on
        push eax
.next:  lodsb
        test al, al
        jz .end
        call put
        jmp .next
.end:   pop eax
        ret

print_right: ; ESI text, right-aligned so that it ends before EDI; EDI stays
        pushad
        mov ecx, esi
.measure: cmp byte [ecx], 0
        je .go
        inc ecx
        sub edi, 2
        jmp .measure
.go:    call print
        popad
        ret

fill:   ; ECX times AL
        jecxz .end
.next:  call put
        loop .next
.end:   ret

pad_to: ; blanks up to the column whose screen address is EBX
        push eax
        mov al, ' '
.next:  cmp edi, ebx
        jae .end
        call put
        jmp .next
.end:   pop eax
        ret

clear_screen: ; in the body's colour
        mov edi, SCREEN
        mov byte [attribute], BODY
        mov al, ' '
        mov ecx, 80 * 25
        jmp fill

; EDI corner, EDX width, EBX height, ESI title
draw_box:
        pushad
        mov ebp, esi
        push edi
        mov byte [attribute], BORDER
        mov al, 0xda
        call put
        lea ecx, [edx - 2]
        mov al, 0xc4
        call fill
        mov al, 0xbf
        call put
        mov edi, [esp]
        lea ecx, [ebx - 2]
.side:  add edi, 160
        mov al, 0xb3
        call put
        sub edi, 2
        mov ah, BORDER
        mov [edi + edx * 2 - 2], ax
        loop .side
        add edi, 160
        mov al, 0xc0
        call put
        lea ecx, [edx - 2]
        mov al, 0xc4
        call fill
        mov al, 0xd9
        call put
        pop edi
        add edi, 4
        mov byte [attribute], TITLE
        mov al, ' '
        call put
        mov esi, ebp
        call print
        mov al, ' '
        call put
        popad
        ret

; EAX to decimal with thousands commas; ESI = text
decimal:
        push eax
        push ecx
        push edx
        push ebx
        mov esi, number_end
        mov byte [esi], 0
        mov ebx, 10
        xor ecx, ecx
.next:  cmp ecx, 3
        jne .digit
        dec esi
        mov byte [esi], ','
        xor ecx, ecx
.digit: xor edx, edx
        div ebx
        add dl, '0'
        dec esi
        mov [esi], dl
        inc ecx
        test eax, eax
        jnz .next
        pop ebx
        pop edx
        pop ecx
        pop eax
        ret

; The low ECX hexadecimal digits of EDX:EAX; ESI = text
hexadecimal:
        push eax
        push ecx
        push edx
        push ebx
        mov esi, number_end
        mov byte [esi], 0
.next:  mov ebx, eax
        and ebx, 15
        mov bl, [hex_digits + ebx]
        dec esi
        mov [esi], bl
        shrd eax, edx, 4
        shr edx, 4
        loop .next
        pop ebx
        pop edx
        pop ecx
        pop eax
        ret

; A size of EAX KB as text "n KB" or "n MB"; ESI = text
size_text:
        push eax
        mov dword [number_unit], 'KB'
        cmp eax, 20480
        jb .small
        mov dword [number_unit], 'MB'
        shr eax, 10
.small: call decimal
        mov byte [number_end], ' '
        pop eax
        ret

; The serial port, if there is one: 115,200 bits a second, 8 data bits.
serial_start:
        mov dx, COM1 + 7        ; the scratch register answers when the port exists
        mov al, 0x5a
        out dx, al
        in al, dx
        cmp al, 0x5a
        jne .none
        mov byte [serial_there], 1
        mov dx, COM1 + 1
        mov al, 0
        out dx, al
        mov dx, COM1 + 3
        mov al, 0x80
        out dx, al
        mov dx, COM1
        mov al, 1
        out dx, al
        mov dx, COM1 + 1
        mov al, 0
        out dx, al
        mov dx, COM1 + 3
        mov al, 3
        out dx, al
        mov dx, COM1 + 2
        mov al, 7
        out dx, al
        mov dx, COM1 + 4
        mov al, 3
        out dx, al
.none:  ret

serial_put: ; AL
        cmp byte [serial_there], 0
        je .end
        push eax
        push ecx
        push edx
        mov ah, al
        mov ecx, 1000000
        mov dx, COM1 + 5
.wait:  in al, dx
        test al, 0x20
        loopz .wait
        mov dx, COM1
        mov al, ah
        out dx, al
        pop edx
        pop ecx
        pop eax
.end:   ret

serial_print: ; ESI text; 10 becomes carriage return and line feed
        push eax
        push esi
.next:  lodsb
        test al, al
        jz .end
        cmp al, 10
        jne .plain
        mov al, 13
        call serial_put
        mov al, 10
.plain: call serial_put
        jmp .next
.end:   pop esi
        pop eax
        ret

; ESI text to both, screen in [attribute]
both:
        call serial_print
        jmp print

; Date register AL of the RTC as two digits to both halves of AX (tens in AL)
clock_digits:
        out 0x70, al
        in al, 0x71
        test byte [clock_binary], 1
        jz .bcd
        aam
        shl ah, 4
        or al, ah
.bcd:   mov ah, al
        shr al, 4
        and ax, 0x0f0f
        add ax, '00'
        ret

show_clock: ; into the title bar
        pushad
        mov al, 0x0b
        out 0x70, al
        in al, 0x71
        shr al, 2
        mov [clock_binary], al
        mov al, 0x0a            ; not while it is being updated
        out 0x70, al
        in al, 0x71
        test al, 0x80
        jnz .end
        goto 0, 70
        mov byte [attribute], BAR
        mov al, 4
        call .pair
        mov al, ':'
        call put
        mov al, 2
        call .pair
        mov al, ':'
        call put
        mov al, 0
        call .pair
.end:   popad
        ret
.pair:  call clock_digits
        call put
        mov al, ah
        jmp put
`;
