// The demo guest's panels of disks and PCI devices, on the screen and as lines on the serial port.

export const DEVICE_PANELS = `
bits 32
; ---- disks -----------------------------------------------------------------------------------------------------------
%define DISKS_ROW 10
%define DISK_ROWS 4

disks_panel:
        goto DISKS_ROW, 0
        mov edx, 46
        mov ebx, 6
        mov esi, text_disks
        call draw_box
        cmp word [disk_count], 0
        jne .some
        goto DISKS_ROW + 1, 2
        say LABEL, text_no_disks
        line text_line_no_disks
        ret
.some:  mov ebp, disk_list
        xor ebx, ebx
.disk:  movzx eax, word [disk_count]
        cmp ebx, eax
        jae .done
        cmp ebx, DISK_ROWS
        jae .done
        imul edi, ebx, 160
        add edi, SCREEN + ((DISKS_ROW + 1) * 80 + 2) * 2
        movzx eax, byte [ebp + 1]
        mov esi, [disk_kinds + eax * 4 - 4]
        mov byte [attribute], LABEL
        line text_line_disk
        call both
        xor edx, edx
        movzx eax, byte [ebp]
        mov ecx, 2
        call hexadecimal
        mov byte [attribute], LABEL
        call both
        mov al, 'h'
        call put
        call serial_put
        mov al, ' '
        call serial_put
        add edi, 2 * 13
        mov eax, [ebp + 8]
        call size_text
        mov byte [attribute], VALUE
        call print_right
        call serial_print
        add edi, 4
        cmp byte [ebp + 1], 3
        je .no_geometry
        mov byte [attribute], LABEL
        mov al, ' '
        call serial_put
        movzx eax, word [ebp + 2]
        call .part
        movzx eax, word [ebp + 4]
        call .part
        movzx eax, word [ebp + 6]
        call decimal
        call both
.no_geometry:
        mov al, [ebp]
        cmp al, [boot_drive]
        jne .not_boot
        lea eax, [ebx + DISKS_ROW + 1]
        imul edi, eax, 160
        add edi, SCREEN + 39 * 2
        say GOOD, text_boot
        line text_line_boot
.not_boot:
        line text_newline
        add ebp, 12
        inc ebx
        jmp .disk
.done:  ret
.part:  call decimal
        call both
        mov al, '/'
        call put
        jmp serial_put

; ---- PCI -------------------------------------------------------------------------------------------------------------
%define PCI_COLUMN 46
%define PCI_ROWS 4

; EBX = bus 0 address of the function, EAX = register; EAX = its value
pci_read:
        push edx
        or eax, ebx
        or eax, 0x80000000
        mov dx, 0xcf8
        out dx, eax
        mov dx, 0xcfc
        in eax, dx
        pop edx
        ret

pci_panel:
        goto DISKS_ROW, PCI_COLUMN
        mov edx, 34
        mov ebx, 6
        mov esi, text_pci
        call draw_box
        mov eax, 0x80000000     ; mechanism 1 answers when the address reads back
        mov dx, 0xcf8
        out dx, eax
        in eax, dx
        cmp eax, 0x80000000
        jne .nothing
        xor ebx, ebx
        xor ebp, ebp            ; devices found
.function:
        xor eax, eax
        call pci_read
        cmp ax, 0xffff
        je .absent
        mov [this_pci_id], eax
        mov eax, 8
        call pci_read
        shr eax, 16
        mov [this_pci_class], eax
        call show_pci
        inc ebp
        test ebx, 0x700         ; one function only?
        jnz .next
        mov eax, 12
        call pci_read
        test eax, 0x800000
        jnz .next
        jmp .next_slot
.absent: test ebx, 0x700
        jnz .next
.next_slot:
        or ebx, 0x700
.next:  add ebx, 0x100
        cmp ebx, 0x10000
        jb .function
        test ebp, ebp
        jz .nothing
        cmp ebp, PCI_ROWS
        jbe .done
        lea eax, [ebp - PCI_ROWS]
        call decimal
        goto DISKS_ROW + 5, PCI_COLUMN + 24
        mov byte [attribute], LABEL
        mov al, ' '
        call put
        mov al, '+'
        call put
        call print
        say LABEL, text_more
        mov al, ' '
        call put
.done:  ret
.nothing:
        goto DISKS_ROW + 1, PCI_COLUMN + 2
        say LABEL, text_no_pci
        line text_line_no_pci
        ret

show_pci:
        imul edi, ebp, 160
        add edi, SCREEN + ((DISKS_ROW + 1) * 80 + PCI_COLUMN + 2) * 2
        cmp ebp, PCI_ROWS
        jb .visible
        mov edi, off_screen     ; the serial port lists all of them
.visible:
        line text_line_pci
        mov byte [attribute], LABEL
        mov eax, ebx
        shr eax, 11
        xor edx, edx
        mov ecx, 2
        call hexadecimal
        call both
        mov al, '.'
        call put
        call serial_put
        mov eax, ebx
        shr eax, 8
        and eax, 7
        add al, '0'
        call put
        call serial_put
        mov al, ' '
        call put
        call serial_put
        movzx eax, word [this_pci_id]
        mov ecx, 4
        call hexadecimal
        call both
        mov al, ':'
        call put
        call serial_put
        movzx eax, word [this_pci_id + 2]
        mov ecx, 4
        call hexadecimal
        call both
        mov al, ' '
        call put
        call serial_put
        mov eax, [this_pci_class]
        mov esi, pci_classes
.look:  cmp word [esi], 0xffff
        je .found
        cmp ax, [esi]
        je .found
        cmp byte [esi], 0xff    ; any subclass
        jne .other
        cmp ah, [esi + 1]
        je .found
.other: add esi, 2
.skip:  inc esi
        cmp byte [esi - 1], 0
        jne .skip
        jmp .look
.found: add esi, 2
        mov byte [attribute], VALUE
        call both
        line text_newline
        ret
`;
