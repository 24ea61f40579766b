// A guest that shows what arrives at the keyboard controller: a boot sector that prints every byte as "kXX" (keyboard) or
// "mXX" (mouse), and switches itself off when the power button is pressed.

import { floppyWith } from './boot-sector.ts';

/** `digit` prints a hexadecimal digit, `print` a character: both in AL. */
const PRINTING = `\
digit:  and al, 15
        add al, '0'
        cmp al, '9'
        jbe print
        add al, 7
print:  mov ah, 0x0e
        mov bx, 7
        int 0x10
        ret
`;

/** Tokens that it has printed, in order. */
export function inputTokens(screen: string): string[] {
  return screen.match(/[km][0-9A-F]{2}\b/g) ?? [];
}

export function inputViewerFloppy(): Uint8Array {
  return floppyWith(`
start:  xor ax, ax
        mov ds, ax
        mov ss, ax
        mov sp, 0x7c00
        mov ax, 3
        int 0x10
        cli
        mov al, 0xff            ; nobody else takes the bytes
        out 0x21, al
        out 0xa1, al
        mov al, 0xa8            ; mouse on
        call command
        mov al, 0x60            ; no interrupts, translation on
        call command
        mov al, 0x40
        call data
        mov al, 0xd4            ; the mouse shall report
        call command
        mov al, 0xf4
        call data
        mov al, 0xf1            ; ACPI mode, power button wanted
        out 0xb2, al
        mov dx, 0x602
        mov ax, 0x100
        out dx, ax
        mov si, ready
.text:  lodsb
        test al, al
        jz watch
        call print
        jmp .text
watch:  in al, 0x64
        test al, 1
        jz power
        mov ah, al
        in al, 0x60
        push ax
        test ah, 0x20
        mov al, 'k'
        jz .print
        mov al, 'm'
.print: call print
        pop ax
        push ax
        shr al, 4
        call digit
        pop ax
        call digit
        mov al, ' '
        call print
        jmp watch
power:  mov dx, 0x600
        in ax, dx
        test ax, 0x100
        jz watch
        mov dx, 0x604
        mov ax, 0x2001          ; soft off
        out dx, ax
        jmp watch
${PRINTING}command: call room
        out 0x64, al
        ret
data:   call room
        out 0x60, al
        ret
room:   push ax
.full:  in al, 0x64
        test al, 2
        jnz .full
        pop ax
        ret
ready:  db 'INPUT VIEWER', 13, 10, 0
`);
}

/** A guest with a driver for the absolute pointer: prints "pBBXXXXYYYY " (buttons, position) for every packet. */
export function pointerViewerFloppy(): Uint8Array {
  return floppyWith(`
start:  xor ax, ax
        mov ds, ax
        mov ss, ax
        mov sp, 0x7c00
        mov ax, 3
        int 0x10
        mov ecx, 41
        mov ebx, 0x45414552     ; enable
        call backdoor
        mov ecx, 39
        mov ebx, 1              ; the version id
        call backdoor
        mov ecx, 41
        mov ebx, 0x53424152     ; absolute
        call backdoor
        mov al, '!'
        call print
watch:  mov ecx, 40
        xor ebx, ebx
        call backdoor
        cmp ax, 4
        jb watch
        mov ecx, 39
        mov ebx, 4
        call backdoor
        push cx
        push bx
        push ax
        mov al, 'p'
        call print
        pop ax
        call byte2
        pop ax
        call word4
        pop ax
        call word4
        mov al, ' '
        call print
        jmp watch
word4:  push ax
        mov al, ah
        call byte2
        pop ax
byte2:  push ax
        shr al, 4
        call digit
        pop ax
${PRINTING}backdoor: mov eax, 0x564d5868
        mov dx, 0x5658
        in eax, dx
        ret
`);
}
