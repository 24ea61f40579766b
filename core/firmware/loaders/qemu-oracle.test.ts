// An independent judge of loaders and tables: guest memory as the loader leaves it and the entry state run on QEMU's CPU
// and chip set. A ROM of our own, in place of the BIOS, sets the registers and jumps to the kernel.

import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { nodeUnpackers } from '../../host/files/kernel-unpackers.ts';
import { placeAcpiTables } from '../acpi/place-tables.ts';
import { buildAcpiTables } from '../acpi/tables.ts';
import { assemble } from '../asm/assembler.ts';
import { ByteWriter } from '../byte-writer.ts';
import { buildSmbios, placeSmbios } from '../smbios/smbios.ts';
import type { EntryState } from './entry-state.ts';
import { FlatMemory } from './flat-memory.ts';
import { type KernelBootOptions, loadKernel } from './load-kernel.ts';
import { E820_ACPI_NVS, E820_ACPI_RECLAIM, pcMemoryMap } from './memory-map.ts';

const RAM_BYTES = 96 << 20;
const TABLES_BASE = RAM_BYTES - 0x20000;
const NVS_BASE = RAM_BYTES - 0x10000;
const ROM_BASE = 0xf0000;

/** The ROM: power management base, interrupt routes, A20, then the entry state of `entry`. */
function romCode(entry: EntryState): Uint8Array {
  const pci = [
    [0x80000b40, 0x601],
    [0x80000b80, 1],
    [0x80000b04, 1],
    [0x80000860, 0x0b0b0a0a],
  ].map(
    ([address, value]) =>
      `mov eax, ${address}\n mov dx, 0xcf8\n out dx, eax\n mov eax, ${value}\n mov dx, 0xcfc\n out dx, eax`,
  );
  const register = (index: number): number => Number(entry.gpr[index] ?? 0n);
  const long = entry.efer === 0n ? '' : 'mov ecx, 0xc0000080\n xor edx, edx\n mov eax, 0x100\n wrmsr';
  return assemble(`
bits 16
  cli
  ${pci.join('\n')}
  mov ax, 0xf000
  mov ds, ax
  in al, 0x92
  or al, 2
  out 0x92, al
  lgdt [own_gdt]
  mov eax, cr0
  or al, 1
  mov cr0, eax
  jmp dword 8:(${ROM_BASE} + protected)
bits 32
protected:
  mov ax, 0x10
  mov ds, ax
  mov ss, ax
  mov dword [0xfee000f0], 0x1ff
  mov dword [0xfee00350], 0x8700
  mov dword [0xfee00360], 0x400
  mov eax, ${Number(entry.cr4)}
  mov cr4, eax
  mov eax, ${Number(entry.cr3)}
  mov cr3, eax
  ${long}
  mov eax, ${Number(entry.cr0)}
  mov cr0, eax
  lgdt [${ROM_BASE} + kernel_gdt]
  mov ax, 0x18
  mov ds, ax
  mov es, ax
  mov ss, ax
  mov fs, ax
  mov gs, ax
  mov eax, ${register(0)}
  mov ebx, ${register(3)}
  mov esp, ${register(4)}
  mov esi, ${register(6)}
  xor edi, edi
  xor ebp, ebp
  jmp dword 0x10:${Number(entry.rip)}
  align 8
gdt: dq 0, 0x00cf9a000000ffff, 0x00cf92000000ffff
own_gdt: dw 23
  dd ${ROM_BASE} + gdt
kernel_gdt: dw ${entry.gdtr.limit}
  dd ${Number(entry.gdtr.base)}`).bytes;
}

/** Boots on QEMU; gives the serial output when `until` appears or QEMU ends. */
async function run(options: Omit<KernelBootOptions, 'memory' | 'memoryMap'>, until: string): Promise<string> {
  const memory = new FlatMemory(RAM_BYTES);
  const rom = new Uint8Array(0x10000);
  const next = { 'acpi-data': TABLES_BASE, 'acpi-nvs': NVS_BASE, 'f-segment': ROM_BASE + 0x2000 };
  const place = (bytes: Uint8Array, alignment: number, region: keyof typeof next): number => {
    const at = Math.ceil(next[region] / alignment) * alignment;
    next[region] = at + bytes.length;
    if (region === 'f-segment') rom.set(bytes, at - ROM_BASE);
    else memory.write(at, bytes);
    return at;
  };
  const rsdpAddress = placeAcpiTables(buildAcpiTables({ lowRamBytes: RAM_BYTES, apicIds: [0], ioApicId: 0 }), place);
  placeSmbios(buildSmbios({ ramBytes: RAM_BYTES, lowRamBytes: RAM_BYTES, cpus: 1 }), place);
  const memoryMap = pcMemoryMap({ lowRamBytes: RAM_BYTES, highRamBytes: 0 }, [
    { base: TABLES_BASE, length: 0x10000, type: E820_ACPI_RECLAIM },
    { base: NVS_BASE, length: 0x10000, type: E820_ACPI_NVS },
  ]);
  const { entry } = loadKernel({ memory, memoryMap, rsdpAddress, ...options });
  rom.set(romCode(entry));
  rom.set([0xea, 0x00, 0x00, 0x00, 0xf0], 0xfff0);

  const folder = mkdtempSync(join(tmpdir(), 'nestbox-oracle-'));
  writeFileSync(join(folder, 'rom'), rom);
  writeFileSync(join(folder, 'low'), memory.bytes.subarray(0, 0x9fc00));
  writeFileSync(join(folder, 'high'), memory.bytes.subarray(0x100000));
  const child = spawn('qemu-system-x86_64', [
    ...['-accel', 'tcg', '-m', String(RAM_BYTES >> 20), '-display', 'none', '-serial', 'stdio', '-no-reboot'],
    ...['-bios', join(folder, 'rom'), '-device', 'isa-debug-exit,iobase=0xf4,iosize=4'],
    ...['-device', `loader,file=${join(folder, 'low')},addr=0,force-raw=on`],
    ...['-device', `loader,file=${join(folder, 'high')},addr=0x100000,force-raw=on`],
  ]);
  let output = '';
  try {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, 60_000);
      const done = (): void => {
        clearTimeout(timer);
        resolve();
      };
      child.stdout.on('data', (data: Buffer) => {
        output += data.toString('latin1');
        if (output.includes(until)) done();
      });
      child.stderr.on('data', (data: Buffer) => (output += data.toString('latin1')));
      child.on('close', done);
    });
  } finally {
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
  return output;
}

/** A Multiboot kernel that says what it was given: the magic's letter, its command line, its first module. */
const MULTIBOOT_KERNEL = `
bits 32
org 0x200000
header: dd 0x1badb002, 0x10003, -(0x1badb002 + 0x10003)
  dd header, header, image_end, stack_end, start
start: mov esp, stack_end
  cmp eax, 0x2badb002
  jne wrong
  mov esi, [ebx + 16]
  call print
  mov ecx, [ebx + 24]
  mov esi, [ecx + 8]
  call print
  mov esi, [ecx]
  call print
  mov eax, [ebx + 8]
  cmp eax, EXPECTED_UPPER
  jne wrong
  push dword 0x18
  pop ds
  mov esi, good
  call print
wrong: mov al, 0
  out 0xf4, al
  hlt
print: mov dx, 0x3f8
.next: lodsb
  test al, al
  jz .end
  out dx, al
  jmp .next
.end: mov al, 10
  out dx, al
  ret
good: db 'all good', 0
image_end:
stack equ image_end
stack_end equ image_end + 0x1000
`;

const noQemu = spawnSync('qemu-system-x86_64', ['--version']).status === 0 ? '' : ' (skipped: QEMU is not installed)';
const slitaz = new URL('../../../../shared/guests/slitaz-bzImage64', import.meta.url).pathname;

describe.skipIf(noQemu !== '')(`on QEMU's CPU${noQemu}`, () => {
  it('a Multiboot kernel finds what it was given', async () => {
    const upper = (TABLES_BASE - 0x100000) / 1024;
    const { bytes } = assemble(MULTIBOOT_KERNEL, { bits: 32, defines: { EXPECTED_UPPER: upper } });
    const module = new ByteWriter().text('module content').u8(0).toBytes();
    const output = await run(
      {
        kernel: { content: bytes, name: 'kernel' },
        initrd: { content: module, name: 'first.mod' },
        commandLine: 'a=1 b',
      },
      'all good\n',
    );
    expect(output).toBe('kernel a=1 b\nfirst.mod\nmodule content\nall good\n');
  }, 90_000);

  it.skipIf(!existsSync(slitaz)).each([true, false])(
    'a Linux kernel takes zero page, ACPI and SMBIOS tables, unpacked by us: %s (skipped without the test guests)',
    async (unpacked) => {
      const output = await run(
        {
          kernel: { content: readFileSync(slitaz), name: 'bzImage' },
          commandLine: 'console=ttyS0 earlyprintk=serial panic=-1 oracle=1',
          ...(unpacked ? { unpackers: nodeUnpackers } : { linuxEntry: '32-bit' as const }),
        },
        'Link [LNKS]',
      );
      expect(output).toContain('oracle=1');
      expect(output).toContain('BIOS-e820: [mem 0x0000000000000000-0x000000000009fbff] usable');
      expect(output).toContain('SMBIOS 2.8 present');
      expect(output).toContain('ACPI: Interpreter enabled');
      expect(output).toContain('ACPI: PM-Timer IO Port: 0x608');
      expect(output).toContain('[LNKA] (IRQs 5 *10 11)');
      expect(output).toContain('[LNKD] (IRQs 5 10 *11)');
      // This kernel complains about sleep states that are not offered, on every machine.
      expect(output).not.toMatch(
        /ACPI (Error|Warning)|ACPI Exception(?!.*Sleep State)|ACPI BIOS (Error|Warning)|Firmware Bug/,
      );
    },
    90_000,
  );
});
