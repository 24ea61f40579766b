// The demo guest's 16-bit part: asks the BIOS for everything that only it knows (memory map, disks), sets the screen up,
// opens the A20 gate and goes to protected mode.

export const REAL_MODE = `
bits 16
program:
        mov ax, 3
        int 0x10
        mov ax, 0x1003          ; bit 7 of an attribute is a bright background, not blinking
        xor bx, bx
        int 0x10
        mov ah, 1
        mov cx, 0x2000          ; no cursor
        int 0x10
        mov al, [drive]
        mov [boot_drive], al
        call read_memory_map
        call read_disks
        call open_a20
        cli
        lgdt [gdt_pointer]
        mov eax, cr0
        or al, 1
        mov cr0, eax
        jmp dword CODE32:protected_start

; INT 15h E820; the older calls where that is missing. Entries are 20 bytes.
read_memory_map:
        xor ebx, ebx
        mov di, memory_map
.next:  mov eax, 0xe820
        mov edx, 0x534d4150
        mov ecx, 20
        int 0x15
        jc .end
        cmp eax, 0x534d4150
        jne .end
        mov eax, [di + 8]
        or eax, [di + 12]
        jz .skip
        inc word [memory_entries]
        add di, 20
        cmp word [memory_entries], MAX_MEMORY_ENTRIES
        jae .end
.skip:  test ebx, ebx
        jnz .next
.end:   cmp word [memory_entries], 0
        jne .done
        int 0x12
        movzx eax, ax
        shl eax, 10
        mov [memory_map + 8], eax
        mov dword [memory_map + 16], 1
        mov ah, 0x88
        int 0x15
        movzx eax, ax
        shl eax, 10
        mov dword [memory_map + 20], 0x100000
        mov [memory_map + 28], eax
        mov dword [memory_map + 36], 1
        mov word [memory_entries], 2
.done:  ret

; Disk records: drive, kind (1 floppy, 2 disk, 3 CD), cylinders, heads, sectors a track, size in KB (dword).
read_disks:
        mov si, disk_list
        mov dl, 0
.floppy: mov [this_drive], dl
        push es
        push si
        mov ah, 8
        xor di, di
        mov es, di
        mov bx, 0
        mov cx, 0
        int 0x13
        pop si
        pop es
        jc .no_floppy
        test bl, bl             ; drive type 0: none
        jz .no_floppy
        mov al, [this_drive]
        cmp al, dl              ; DL = number of drives
        jae .no_floppy
        mov byte [si + 1], 1
        call store_geometry
        mov ax, [si + 2]
        mul word [si + 4]
        mul word [si + 6]
        shl edx, 16
        movzx eax, ax
        or eax, edx
        shr eax, 1
        mov [si + 8], eax
        call keep_disk
.no_floppy:
        mov dl, [this_drive]
        inc dl
        cmp dl, 2
        jb .floppy
        mov dl, 0x80
.disk:  mov [this_drive], dl
        mov al, dl
        sub al, 0x80
        cmp al, [0x475]         ; BIOS data: number of hard disks
        jae .cds
        mov byte [si + 1], 2
        push es
        push si
        mov ah, 8
        int 0x13
        pop si
        pop es
        jc .next_disk
        call store_geometry
        call edd_size
        jnc .sized
        mov ax, [si + 2]
        mul word [si + 4]
        shl edx, 16
        movzx eax, ax
        or eax, edx
        movzx ecx, word [si + 6]
        mul ecx
        shr eax, 1
        mov [si + 8], eax
.sized: call keep_disk
.next_disk:
        mov dl, [this_drive]
        inc dl
        cmp dl, 0x88
        jb .disk
.cds:   mov dl, 0xe0
.cd:    mov [this_drive], dl
        mov byte [si + 1], 3
        call edd_size
        jc .next_cd
        mov dword [si + 2], 0
        mov word [si + 6], 0
        call keep_disk
.next_cd:
        mov dl, [this_drive]
        inc dl
        cmp dl, 0xe4
        jb .cd
        ret

; CX, DH of INT 13h function 8 to the record at SI.
store_geometry:
        mov al, cl
        shr al, 6
        mov ah, al
        mov al, ch
        inc ax
        mov [si + 2], ax
        movzx ax, dh
        inc ax
        mov [si + 4], ax
        and cx, 0x3f
        mov [si + 6], cx
        ret

; The size in KB by the EDD call; carry when the drive has none.
edd_size:
        mov dl, [this_drive]
        mov ah, 0x41
        mov bx, 0x55aa
        push si
        int 0x13
        pop si
        jc .none
        cmp bx, 0xaa55
        jne .none
        push si
        mov si, drive_parameters
        mov word [si], 30
        mov dl, [this_drive]
        mov ah, 0x48
        int 0x13
        pop si
        jc .none
        mov eax, [drive_parameters + 16]
        mov edx, [drive_parameters + 20]
        cmp edx, 0x10000        ; nothing in the drive
        jae .none
        movzx ecx, word [drive_parameters + 24]
        shr ecx, 9              ; halves of a KB in a sector
        jz .none
.double: shr ecx, 1
        jz .halve
        shl eax, 1
        rcl edx, 1
        jmp .double
.halve: shrd eax, edx, 1
        mov [si + 8], eax
        clc
        ret
.none:  stc
        ret

keep_disk:
        mov al, [this_drive]
        mov [si], al
        cmp word [disk_count], MAX_DISKS
        jae .full
        inc word [disk_count]
        add si, 12
.full:  ret

; By the BIOS, by port 92h, by the keyboard controller: whatever works first.
open_a20:
        call a20_is_open
        jnz .done
        mov ax, 0x2401
        int 0x15
        call a20_is_open
        jnz .done
        in al, 0x92
        or al, 2
        and al, 0xfe
        out 0x92, al
        call a20_is_open
        jnz .done
        call .wait
        mov al, 0xd1
        out 0x64, al
        call .wait
        mov al, 0xdf
        out 0x60, al
        call .wait
.done:  ret
.wait:  xor cx, cx
.busy:  in al, 0x64
        test al, 2
        loopnz .busy
        ret

; NZ when address 100000h + x differs from x.
a20_is_open:
        push ds
        push es
        xor ax, ax
        mov ds, ax
        dec ax
        mov es, ax
        mov ax, [0x7dfe]
        not ax
        xchg ax, [es:0x7e0e]
        mov bx, ax
        mov ax, [0x7dfe]
        cmp ax, [es:0x7e0e]
        mov [es:0x7e0e], bx
        pop es
        pop ds
        ret
`;
