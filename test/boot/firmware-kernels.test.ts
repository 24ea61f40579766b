// A kernel given with the machine is entered when the firmware has done its work, with the firmware's own memory map.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { assemble } from '../../core/firmware/asm/assembler.ts';
import { FIRMWARES } from '../support/firmwares.ts';
import { nestbox, temporaryFolder } from '../support/nestbox.ts';

const LOAD_ADDRESS = 0x100000;
const MULTIBOOT_MAGIC = 0x1badb002;
/** Memory information wanted; load addresses are in the header. */
const MULTIBOOT_FLAGS = 0x10002;

/**
 * A Multiboot 1 kernel that ends with the debug exit value 1, or 2 when something is not as the specification says. It
 * writes base, length and type of every memory map entry to the first serial port, as hexadecimal digits.
 */
const KERNEL = `
bits 32
org ${LOAD_ADDRESS}
header:
  dd ${MULTIBOOT_MAGIC}, ${MULTIBOOT_FLAGS}, ${-(MULTIBOOT_MAGIC + MULTIBOOT_FLAGS) >>> 0}
  dd header, header, file_end, file_end+4096, start
start:
  mov esp, file_end+4096
  cmp eax, 0x2badb002
  jne bad
  test dword [ebx], 0x40
  jz bad
  mov esi, [ebx+48]
  mov edi, [ebx+44]
  add edi, esi
.entry:
  cmp esi, edi
  jae good
  mov ebp, [esi]
  mov eax, [esi+4]
  call number
  mov eax, [esi+12]
  call number
  mov eax, [esi+20]
  call number
  mov al, 10
  call put
  lea esi, [esi+ebp+4]
  jmp .entry
good:
  mov eax, 1
  jmp finish
bad:
  mov eax, 2
finish:
  mov dx, 0xf4
  out dx, eax
.stop:
  hlt
  jmp .stop
number:
  mov ecx, 8
.digit:
  rol eax, 4
  push eax
  and al, 15
  add al, '0'
  cmp al, '9'
  jbe .show
  add al, 39
.show:
  call put
  pop eax
  loop .digit
  mov al, ' '
put:
  push eax
  mov dx, 0x3fd
.busy:
  in al, dx
  test al, 0x20
  jz .busy
  pop eax
  mov dx, 0x3f8
  out dx, al
  ret
file_end:
`;

for (const firmware of FIRMWARES) {
  describe.skipIf(firmware.missing)(`Multiboot kernel by ${firmware.name}`, () => {
    it.each([32, 200])('gets the memory map of a machine with %i MiB', async (memoryMib) => {
      const path = join(temporaryFolder(), 'kernel');
      writeFileSync(path, assemble(KERNEL).bytes);
      const result = await nestbox(['run', '--firmware', firmware.path, '--kernel', path, '--memory', String(memoryMib), '--serial', 'stdio', '--debug-exit', '--timeout', '200']);
      expect(result.code, result.stderr + result.stdout).toBe(3);
      const map = result.stdout.trim().split('\n').map((line) => line.trim().split(' ').map((number) => parseInt(number, 16)));
      const ram = map.filter(([, , type]) => type === 1).reduce((sum, [, length]) => sum + (length ?? 0), 0);
      // All but the EBDA, video memory and ROMs below 1 MiB, and what firmware keeps for its tables.
      expect(ram).toBeLessThan((memoryMib << 20) - 0x60000);
      expect(ram).toBeGreaterThan((memoryMib << 20) - 0x60000 - 0x50000);
      expect(map.find(([base]) => base === LOAD_ADDRESS)).toMatchObject({ 2: 1 });
    });
  });
}
