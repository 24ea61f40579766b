// A boot sector on a floppy image: shows ">" and echoes each key between brackets.

import { assemble } from '../../core/firmware/asm/assembler.ts';

const FLOPPY_BYTES = 1_474_560;

const SOURCE = `bits 16
  org 0x7c00
  xor ax, ax
  mov ds, ax
  mov ss, ax
  mov sp, 0x7c00
  mov al, '>'
  call put
  next: xor ah, ah
  int 0x16
  push ax
  mov al, '['
  call put
  pop ax
  call put
  mov al, ']'
  call put
  jmp next
  put: mov ah, 0x0e
  mov bx, 7
  int 0x10
  ret
  times 510 - ($ - $$) db 0
  dw 0xaa55`;

export function echoImage(): Uint8Array {
  const image = new Uint8Array(FLOPPY_BYTES);
  image.set(assemble(SOURCE).bytes);
  return image;
}
