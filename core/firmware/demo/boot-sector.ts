// The demo guest's first sector: a FAT12 boot record whose code loads the rest of the reserved sectors to 8000h and jumps
// there. Works from floppies (cylinder/head/sector reads) and from disks with the EDD extensions.

/** Sectors in front of the file allocation table: this one and the program. */
export const RESERVED_SECTORS = 64;

export const BOOT_SECTOR = `
bits 16
        org 0x7c00
        jmp short boot
        nop
        db 'NESTBOX '
        dw 512                  ; bytes a sector
        db 1                    ; sectors a cluster
        dw ${RESERVED_SECTORS}
        db 2                    ; allocation tables
        dw 224                  ; root directory entries
        dw 2880                 ; sectors
        db 0xf0
        dw 9                    ; sectors a table
sectors_per_track: dw 18
heads:  dw 2
        dd 0, 0
drive:  db 0, 0, 0x29
        dd 0x20260101
        db 'NESTBOX    '
        db 'FAT12   '

boot:   cli
        xor ax, ax
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov sp, 0x7c00
        jmp 0:.here
.here:  sti
        cld
        mov [drive], dl
        cmp dl, 0x80
        jb .geometry
        mov ah, 0x41
        mov bx, 0x55aa
        int 0x13
        jc .geometry
        cmp bx, 0xaa55
        jne .geometry
        test cl, 1
        jz .geometry
        mov byte [use_lba], 1
        jmp .load
.geometry:                      ; the drive's own numbers, else those of the boot record
        mov ah, 8
        mov dl, [drive]
        push es
        int 0x13
        pop es
        jc .load
        and cx, 0x3f
        jz .load
        mov [sectors_per_track], cx
        mov dl, dh
        xor dh, dh
        inc dx
        mov [heads], dx
.load:  mov word [packet.buffer], 0x8000
        mov word [packet.sector], 1
.next:  mov byte [tries], 4
.try:   cmp byte [use_lba], 0
        jne .lba
        mov ax, [packet.sector]
        xor dx, dx
        div word [sectors_per_track]
        inc dx
        mov cl, dl              ; sector
        xor dx, dx
        div word [heads]
        mov dh, dl              ; head
        mov ch, al              ; cylinder
        shl ah, 6
        or cl, ah
        mov dl, [drive]
        mov bx, [packet.buffer]
        mov ax, 0x0201
        int 0x13
        jmp .done
.lba:   mov si, packet
        mov dl, [drive]
        mov ah, 0x42
        int 0x13
.done:  jnc .good
        xor ax, ax
        mov dl, [drive]
        int 0x13
        dec byte [tries]
        jnz .try
        mov si, .failed
.print: lodsb
        test al, al
        jz .stop
        mov bx, 7
        mov ah, 0x0e
        int 0x10
        jmp .print
.stop:  hlt
        jmp .stop
.good:  add word [packet.buffer], 512
        inc word [packet.sector]
        cmp word [packet.sector], PROGRAM_SECTORS + 1
        jb .next
        jmp program
.failed: db 'NESTBOX DEMO FAILED: cannot read the boot disk', 13, 10, 0
use_lba: db 0
tries:  db 0
        align 4
packet: db 16, 0
        dw 1
.buffer: dw 0, 0
.sector: dw 1, 0, 0, 0
        times 510 - ($ - $$) db 0
        dw 0xaa55
        times 0x8000 - 0x7e00 db 0      ; where the sectors are not contiguous in memory
`;
