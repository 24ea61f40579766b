// The demo guest's panels of processor and memory map, on the screen and as lines on the serial port.

export const PROCESSOR_PANELS = `
bits 32
; ---- processor -------------------------------------------------------------------------------------------------------
%define PROCESSOR_ROW 1

processor_panel:
        goto PROCESSOR_ROW, 0
        mov edx, 46
        mov ebx, 9
        mov esi, text_processor
        call draw_box
        pushfd                  ; CPUID is there when bit 21 of EFLAGS can change
        pop eax
        mov ecx, eax
        xor eax, 0x200000
        push eax
        popfd
        pushfd
        pop eax
        xor eax, ecx
        test eax, 0x200000
        jnz .cpuid
        goto PROCESSOR_ROW + 1, 2
        say LABEL, text_no_cpuid
        line text_line_no_cpuid
        ret
.cpuid: mov byte [has_cpuid], 1
        xor eax, eax
        cpuid
        mov [cpu_vendor], ebx
        mov [cpu_vendor + 4], edx
        mov [cpu_vendor + 8], ecx
        mov ebp, eax
        mov eax, 1
        cpuid
        mov [cpu_signature], eax
        mov [cpu_features], edx
        mov [cpu_features + 4], ecx
        cmp ebp, 7
        jb .no_seven
        mov eax, 7
        xor ecx, ecx
        cpuid
        mov [cpu_features + 12], ebx
.no_seven:
        mov eax, 0x80000000
        cpuid
        cmp eax, 0x80000001
        jb .no_extended
        mov ebp, eax
        mov eax, 0x80000001
        cpuid
        mov [cpu_features + 8], edx
        cmp ebp, 0x80000004
        jb .no_extended
        mov edi, cpu_name
        mov ebp, 0x80000002
.name:  mov eax, ebp
        cpuid
        mov [edi], eax
        mov [edi + 4], ebx
        mov [edi + 8], ecx
        mov [edi + 12], edx
        add edi, 16
        inc ebp
        cmp ebp, 0x80000004
        jbe .name
        mov eax, 0x80000000
        cpuid
        cmp eax, 0x80000008
        jb .no_extended
        mov eax, 0x80000008
        cpuid
        mov [cpu_address_bits], ax
.no_extended:
        mov byte [cpu_name + 34], 0     ; what fits the panel

        goto PROCESSOR_ROW + 1, 2
        say LABEL, text_vendor
        say VALUE, cpu_vendor
        line text_line_vendor
        line cpu_vendor
        goto PROCESSOR_ROW + 1, 25
        say LABEL, text_family
        line text_line_family
        mov eax, [cpu_signature]
        mov ecx, eax
        shr ecx, 8
        and ecx, 15
        mov edx, ecx
        cmp ecx, 15
        jne .family
        shr eax, 20
        and eax, 0xff
        add ecx, eax
.family: mov eax, ecx
        call .number
        mov eax, [cpu_signature]
        mov ecx, eax
        shr ecx, 4
        and ecx, 15
        cmp edx, 6
        je .extended
        cmp edx, 15
        jne .model
.extended: shr eax, 12
        and eax, 0xf0
        or ecx, eax
.model: say LABEL, text_model
        line text_line_model
        mov eax, ecx
        call .number
        line text_line_stepping
        mov eax, [cpu_signature]
        and eax, 15
        call decimal
        call serial_print
        line text_newline

        goto PROCESSOR_ROW + 2, 2
        say LABEL, text_name
        mov esi, cpu_name
.trim:  cmp byte [esi], ' '
        jne .trimmed
        inc esi
        jmp .trim
.trimmed: cmp byte [esi], 0
        jne .named
        mov esi, text_unknown
.named: mov byte [attribute], VALUE
        line text_line_name
        call both
        line text_newline

        goto PROCESSOR_ROW + 3, 2
        say LABEL, text_address
        movzx eax, byte [cpu_address_bits]
        test eax, eax
        jnz .bits
        mov eax, 32
        mov [cpu_address_bits + 1], al
.bits:  mov byte [attribute], VALUE
        call decimal
        call print
        say LABEL, text_physical
        movzx eax, byte [cpu_address_bits + 1]
        mov byte [attribute], VALUE
        call decimal
        call print
        say LABEL, text_linear

        goto PROCESSOR_ROW + 4, 2
        line text_line_features
        mov esi, feature_list
        xor ebp, ebp            ; features in this row
.feature:
        movzx ebx, byte [esi]
        cmp bl, 0xff
        je .features_done
        movzx ecx, byte [esi + 1]
        add esi, 2
        mov byte [attribute], ABSENT
        bt [cpu_features + ebx * 4], ecx
        jnc .show
        mov byte [attribute], PRESENT
        mov al, ' '
        call serial_put
        call serial_print
.show:  lea ebx, [edi + 14]
        call print
        call pad_to
        inc ebp
        cmp ebp, 6
        jb .feature
        xor ebp, ebp
        add edi, 160 - 6 * 14
        jmp .feature
.features_done:
        line text_newline
        ret
.number: mov byte [attribute], VALUE
        call decimal
        jmp both

; ---- memory map ------------------------------------------------------------------------------------------------------
%define MAP_COLUMN 46
%define MAP_ROWS 6

memory_panel:
        goto PROCESSOR_ROW, MAP_COLUMN
        mov edx, 34
        mov ebx, 9
        mov esi, text_memory_map
        call draw_box
        mov ebp, memory_map
        xor ebx, ebx            ; entry
.entry: cmp bx, [memory_entries]
        jae .total
        mov eax, [ebp + 16]
        dec eax
        cmp eax, 5
        jb .known
        mov eax, 1
.known: mov eax, [memory_types + eax * 4]
        mov [this_text], eax
        mov edx, [ebp + 12]     ; length in KB
        mov eax, [ebp + 8]
        shrd eax, edx, 10
        mov [this_size], eax
        cmp dword [ebp + 16], 1
        jne .no_ram
        add [total_kb], eax
.no_ram:
        line text_line_memory
        mov eax, [ebp]
        mov edx, [ebp + 4]
        mov ecx, 10
        call hexadecimal
        call serial_print
        cmp ebx, MAP_ROWS
        jae .off_screen
        imul edi, ebx, 160
        add edi, SCREEN + ((PROCESSOR_ROW + 1) * 80 + MAP_COLUMN + 2) * 2
        mov byte [attribute], LABEL
        call print
        add edi, 20
        mov eax, [this_size]
        call size_text
        mov byte [attribute], VALUE
        call print_right
        add edi, 4
        mov byte [attribute], LABEL
        cmp dword [ebp + 16], 1
        jne .other
        mov byte [attribute], GOOD
.other: mov esi, [this_text]
        call print
.off_screen:
        mov al, ' '
        call serial_put
        mov eax, [this_size]
        call size_text
        call serial_print
        mov al, ' '
        call serial_put
        line [this_text]
        line text_newline
        add ebp, 20
        inc ebx
        jmp .entry
.total: goto PROCESSOR_ROW + 7, MAP_COLUMN + 2
        say LABEL, text_usable
        goto PROCESSOR_ROW + 7, MAP_COLUMN + 22
        mov eax, [total_kb]
        call size_text
        mov byte [attribute], VALUE
        call print_right
        line text_line_total
        call serial_print
        line text_newline
        movzx eax, word [memory_entries]
        sub eax, MAP_ROWS
        jbe .all
        call decimal
        goto PROCESSOR_ROW + 7, MAP_COLUMN + 24
        mov byte [attribute], LABEL
        mov al, '+'
        call put
        call print
        say LABEL, text_more
.all:   ret
`;
