// A tiny guest that writes to its first IDE disk for ever: a boot sector that stamps sectors with a sequence number, flushes
// the drive every 16 writes and reports each flush that was answered on the serial port ("F" and 8 hexadecimal digits).
// The host knows which sector each number went to and what is in it, so it can check a disk after any accident.

import { assemble } from '../../core/firmware/asm/assembler.ts';

const SECTOR = 512;
const STRIDE = 0x9e37_79b1;
const MIX = 0x5bd1_e995;
export const WRITES_PER_FLUSH = 16;

const SOURCE = `
bits 16
        org 0x7c00
buffer  equ 0x8000
        cli
        xor ax, ax
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov sp, 0x7c00
        cld
        mov dx, 0x3fb           ; serial port: divisor 1, 8 data bits
        mov al, 0x80
        out dx, al
        mov dx, 0x3f8
        mov al, 1
        out dx, al
        inc dx
        xor al, al
        out dx, al
        mov dx, 0x3fb
        mov al, 3
        out dx, al
        mov dx, 0x3f6           ; no interrupts from the drive
        mov al, 2
        out dx, al
next:   inc dword [sequence]
        mov eax, [sequence]
        mov ebx, ${STRIDE}
        mul ebx
        shr eax, 8
        xor edx, edx
        mov ecx, SECTORS
        div ecx
        mov [lba], edx
        mov di, buffer
        mov eax, [sequence]
        stosd
        mov eax, edx
        stosd
        mov eax, [sequence]
        mov cx, 126
.fill:  rol eax, 1
        xor eax, ${MIX}
        stosd
        loop .fill
        call ready
        mov dx, 0x1f2
        mov al, 1
        out dx, al
        mov eax, [lba]
        inc dx
        out dx, al
        shr eax, 8
        inc dx
        out dx, al
        shr eax, 8
        inc dx
        out dx, al
        inc dx
        mov al, 0xe0
        out dx, al
        inc dx
        mov al, 0x30            ; WRITE SECTORS
        out dx, al
.data:  in al, dx
        test al, 0x80
        jnz .data
        test al, 0x21
        jnz failed
        test al, 8
        jz .data
        mov dx, 0x1f0
        mov si, buffer
        mov cx, 256
        rep outsw
        call ready
        test byte [sequence], ${WRITES_PER_FLUSH - 1}
        jnz next
        mov dx, 0x1f7
        mov al, 0xe7            ; FLUSH CACHE
        out dx, al
        call ready
        mov al, 'F'
        call put
        mov ebx, [sequence]
        mov cx, 8
.digit: rol ebx, 4
        mov al, bl
        and al, 15
        add al, '0'
        cmp al, '9'
        jbe .show
        add al, 39
.show:  call put
        loop .digit
        mov al, 10
        call put
        jmp next
ready:  mov dx, 0x1f7
.wait:  in al, dx
        test al, 0x80
        jnz .wait
        test al, 0x21
        jnz failed
        ret
failed: mov al, 'E'
        call put
        hlt
        jmp failed
put:    push ax
        mov dx, 0x3fd
.busy:  in al, dx
        test al, 0x20
        jz .busy
        pop ax
        mov dx, 0x3f8
        out dx, al
        ret
sequence: dd START
lba:    dd 0
        times 510 - ($ - $$) db 0
        dw 0xaa55
`;

/** A floppy image with the guest. @param start the number before the first. @param sectors of the disk that are used, below 2^24 */
export function writerFloppy(start: number, sectors: number): Uint8Array {
  const floppy = new Uint8Array(1_474_560);
  floppy.set(assemble(SOURCE, { defines: { START: start, SECTORS: sectors } }).bytes);
  return floppy;
}

/** The last flush that was reported, or 0. @throws Error when the guest reported a failure */
export function lastFlush(serial: string): number {
  if (serial.includes('E')) throw new Error(`the guest saw a drive error: ${serial.slice(-200)}`);
  const reports = serial.match(/F[0-9a-f]{8}\n/g) ?? [];
  return Number.parseInt(reports.at(-1)?.slice(1, 9) ?? '0', 16);
}

/** What the disk must hold. */
export class WriterModel {
  private readonly sectors: number;
  /** Number of the last flushed write by sector. */
  private readonly flushed = new Map<number, number>();

  constructor(sectors: number) {
    this.sectors = sectors;
  }

  private lbaOf(sequence: number): number {
    return (Math.imul(sequence, STRIDE) >>> 8) % this.sectors;
  }

  /** The writes after `start` up to `last` were made and flushed. */
  acknowledge(start: number, last: number): void {
    for (let next = start + 1; next <= last; next++) this.flushed.set(this.lbaOf(next), next);
  }

  /**
   * Every sector is empty or one whole stamp of its own, and none is older than what was flushed there.
   * @returns the highest number on the disk
   */
  verify(disk: Uint8Array): number {
    const view = new DataView(disk.buffer, disk.byteOffset, disk.byteLength);
    let highest = 0;
    for (let lba = 0; lba < this.sectors; lba++) {
      const at = lba * SECTOR;
      const found = view.getUint32(at, true);
      const wanted = this.flushed.get(lba) ?? 0;
      if (found < wanted) throw new Error(`sector ${lba} has write ${found}, but ${wanted} was flushed`);
      if (found === 0) continue;
      if (view.getUint32(at + 4, true) !== lba || this.lbaOf(found) !== lba)
        throw new Error(`sector ${lba} has write ${found} of another sector`);
      let value = found;
      for (let word = 8; word < SECTOR; word += 4) {
        value = (((value << 1) | (value >>> 31)) ^ MIX) >>> 0;
        if (view.getUint32(at + word, true) !== value)
          throw new Error(`sector ${lba} has only a part of write ${found}`);
      }
      highest = Math.max(highest, found);
    }
    return highest;
  }
}
