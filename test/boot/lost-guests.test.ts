// Guests that will never get anywhere: a report with CS:RIP, registers and the last exceptions, and exit code 1. And guests
// that look like it for a while but do get on: they are left alone.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { VmSession } from '../../core/cli/vm-session.ts';
import { NodeVmHost } from '../../core/host/node-vm-host.ts';
import { hostProbe, whyNoKvm } from '../conformance/rig.ts';
import { floppyWith } from '../support/boot-sector.ts';
import { type CommandResult, nestbox, temporaryFolder } from '../support/nestbox.ts';
import { until } from '../support/screens.ts';

async function whySkipKvm(): Promise<string | undefined> {
  const reason = await whyNoKvm();
  if (reason !== undefined) return reason;
  return hostProbe().modes.protected.support === 'missing' ? 'this KVM has no 32-bit protected mode' : undefined;
}

const noKvm = await whySkipKvm();

async function boot(source: string, ...extra: string[]): Promise<CommandResult> {
  const path = join(temporaryFolder(), 'boot.img');
  writeFileSync(path, floppyWith(source));
  return nestbox(['run', '--floppy', path, '--memory', '4', '--timeout', '200', ...extra]);
}

function expectFault(result: CommandResult, what: RegExp): void {
  expect(result.code, result.stderr).toBe(1);
  expect(result.stderr).toMatch(what);
  expect(result.stderr).toMatch(/RAX=[0-9a-f]{16}/);
  expect(result.stderr).toMatch(/last exceptions, oldest first/);
  expect(result.stderr).not.toMatch(/\bat .*:\d+:\d+\)|node:internal/);
}

/** To flat 32-bit code; the IDT at 9000h sends every exception to `handler`. */
const PROTECTED = `
cli
xor ax, ax
mov ds, ax
mov es, ax
mov di, 0x9000
mov cx, 32
fill:
mov ax, handler
stosw
mov ax, 8
stosw
mov ax, 0x8e00
stosw
xor ax, ax
stosw
loop fill
lidt [idt]
lgdt [gdt]
mov eax, cr0
or al, 1
mov cr0, eax
jmp 8:start
align 8
idt: dw 255
dd 0x9000
gdt: dw 23
dd table
align 8
table: dq 0, 0x00cf9a000000ffff, 0x00cf92000000ffff
bits 32
start:
mov ax, 16
mov ds, ax
mov ss, ax
mov esp, 0x7000
`;

/** A handler that steps over the instruction, and then a letter on the serial port. */
const invalidOpcodes = (times: number): string => `mov word [6*4], handler\nmov word [6*4+2], 0\nmov ecx, ${times}\nagain: ud2\ndec ecx\njnz again\nmov al, "K"\nmov dx, 0x3f8\nout dx, al\njmp $\nhandler: push bp\nmov bp, sp\nadd word [bp+2], 2\npop bp\niret\n`;

describe('guests that jump into nothing', () => {
  it('interrupts on, the BIOS handler of invalid opcodes returns to the instruction', async () => {
    expectFault(await boot('sti\nmov eax, 0x12345678\nud2\n'), /endless fault #6: .*CS:RIP 0000:7c07[\s\S]*12345678[\s\S]*#6 error 0000 at 0000:7c07/);
  });

  it('interrupts off', async () => {
    expectFault(await boot('cli\nud2\n'), /endless fault #6: .*CS:RIP 0000:7c01/);
  });

  it('a hole in the address space', async () => {
    expectFault(await boot('jmp 0xd000:0x10\n'), /endless fault #6: .*CS:RIP d000:0010/);
  });

  it('memory full of zeros', async () => {
    expectFault(await boot('jmp 0x5000:0\n'), /runs through empty memory at CS:RIP 5000:/);
  });

  it('a handler that faults at its first instruction', async () => {
    expectFault(await boot('mov word [6*4], bad\nmov word [6*4+2], 0\nmov ax, 0x5000\nmov ss, ax\nud2\nbad: ud2\n'), /endless fault #6: .*CS:RIP 0000:7c13/);
  });

  it('an interrupt vector that leads into empty memory', async () => {
    expectFault(await boot('cli\nxor ax, ax\nmov ds, ax\nmov word [6*4], 0\nmov word [6*4+2], 0x5000\nud2\n'), /runs through empty memory at CS:RIP 5000:/);
  });

  it('protected mode, the handler of general protection faults returns to the instruction', async () => {
    expectFault(await boot(`${PROTECTED}mov ax, 0x1230\nbad: mov ds, ax\njmp $\nhandler: add esp, 4\niret\n`), /endless fault #13: [\s\S]*#13 error 1230 at 0008:/);
  });

  it('protected mode, a handler that faults at its first instruction', async () => {
    expectFault(await boot(`${PROTECTED}ud2\nhandler: ud2\n`), /endless fault #6: /);
  });
});

describe('guests that get on', () => {
  it('takes 400,000 device-not-available faults at one instruction', async () => {
    const loop = `
xor ax, ax
mov ds, ax
mov word [7*4], handler
mov [7*4+2], ax
mov dword [0x600], 400000
again:
mov eax, cr0
or al, 8
mov cr0, eax
xor eax, eax
fninit
dec dword [0x600]
jnz again
mov al, "K"
mov dx, 0x3f8
out dx, al
jmp $
handler: clts
iret
`;
    const result = await boot(loop, '--expect', 'K');
    expect(result, result.stderr).toMatchObject({ code: 0 });
  });

  it('takes 400,000 invalid opcodes at one instruction and goes round them', async () => {
    const result = await boot(invalidOpcodes(400_000), '--expect', 'K');
    expect(result, result.stderr).toMatchObject({ code: 0 });
  });
});

describe(noKvm === undefined ? 'guests that jump into nothing, on KVM' : `guests that jump into nothing, on KVM (skipped: ${noKvm})`, () => {
  const test = it.skipIf(noKvm !== undefined);
  const kvm = ['--engine', 'kvm', '--kvm-hand-off', 'when-needed'] as const;

  test('the BIOS handler of invalid opcodes returns to the instruction', async () => {
    expectFault(await boot('sti\nmov eax, 0x12345678\nud2\n', ...kvm), /endless fault #6: .*CS:RIP 0000:7c07[\s\S]*12345678[\s\S]*#6 error 0000 at 0000:7c07/);
  });

  test("with the kernel's interrupt controllers, protected mode, the handler returns to the instruction", async () => {
    expectFault(await boot(`${PROTECTED}mov ax, 0x1230\nbad: mov ds, ax\njmp $\nhandler: add esp, 4\niret\n`, ...kvm, '--kvm-irqchip', 'kernel'), /endless fault #13: [\s\S]*#13 error 1230 at 0008:/);
  });

  test('memory full of zeros', async () => {
    expectFault(await boot('jmp 0x5000:0\n', ...kvm), /runs through empty memory at CS:RIP 5000:/);
  });

  test('but a guest that gets on is left alone', async () => {
    const result = await boot(invalidOpcodes(400_000), '--expect', 'K', ...kvm);
    expect(result, result.stderr).toMatchObject({ code: 0 });
  });
});

describe('guests that halt for good', () => {
  it('tells that only a reset helps, and goes on', async () => {
    const path = join(temporaryFolder(), 'boot.img');
    writeFileSync(path, floppyWith('cli\nhlt\n'));
    const logged: string[] = [];
    const session = await VmSession.launch(new NodeVmHost(), 'nestbox-vm test', (level, _source, message) => logged.push(`${level}: ${message}`));
    try {
      await session.start({ name: 'test', memoryMib: 4, media: [{ kind: 'floppy', path }] });
      await until('a warning', 100, async () => logged.find((line) => /warn: The guest has halted with interrupts off at CS:RIP 0000:7c02/.test(line)));
      expect(await session.vm.textScreen()).toBeDefined();
    } finally {
      await session.end();
    }
  });
});
