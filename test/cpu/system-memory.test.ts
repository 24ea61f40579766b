// Physical memory under the interpreter: device memory, ROM, page crossings, A20, dirty marks, code that is written.

import { describe, expect, it } from 'vitest';
import { assemble } from '../../core/firmware/asm/assembler.ts';
import { EXIT, PAGE } from '../../core/cpu/isa/layout.ts';
import { FEATURES } from '../../core/cpu/isa/generated/decoder.ts';
import { TestMachine } from './system/machine.ts';
import { inEveryJitMode } from '../support/jit-modes.ts';

const ORIGIN = 0x1000;
/** 32-bit flat protected mode through a GDT inside the program. */
const FLAT = `
bits 16
org ${ORIGIN}
  xor ax, ax
  mov ds, ax
  lgdt [gdtr]
  mov eax, cr0
  or al, 1
  mov cr0, eax
  jmp dword 8:flat
gdt: dq 0, 0x00cf9a000000ffff, 0x00cf92000000ffff
gdtr: dw 23
  dd gdt
bits 32
flat:
  mov ax, 16
  mov ds, ax
  mov es, ax
  mov ss, ax
  mov esp, 0x8000
`;

function flatMachine(source: string): TestMachine {
  const machine = new TestMachine({ featureOrder: FEATURES, ramMib: 8 });
  machine.memory.write(ORIGIN, assemble(FLAT + source).bytes);
  machine.set32('SEG_SELECTOR', 0, 1);
  machine.set64('SEG_BASE', 0n, 1);
  machine.set64('RIP', BigInt(ORIGIN));
  return machine;
}

inEveryJitMode(() => {
describe('device memory', () => {
  it('gets accesses whole inside a page, byte by byte over its end, and quadwords as two halves', () => {
    const machine = flatMachine(`
      mov eax, [0xa0010]
      mov word [0xa0021], 0x1234
      movq mm0, [0xa0100]
      mov dword [0xa0ffe], 0x11223344
      hlt
    `);
    expect(machine.run()).toBe(EXIT.HALTED);
    expect(machine.mmioLog).toEqual([
      'r4 a0010', 'w2 a0021 1234', 'r4 a0100', 'r4 a0104', 'w1 a0ffe 44', 'w1 a0fff 33', 'w1 a1000 22', 'w1 a1001 11',
    ]);
  });

  it('reads all ones where nothing is and drops writes there', () => {
    const machine = flatMachine(`
      mov eax, [0xd0000000]
      mov dword [0xd0000000], 1
      mov ebx, [0xd0000000]
      hlt
    `);
    machine.run();
    expect([machine.get32('GPR', 0), machine.get32('GPR', 3)]).toEqual([0xffff_ffff, 0xffff_ffff]);
  });

  it('reads RAM and device bytes of one operand over a page end', () => {
    const machine = flatMachine(`
      mov dword [0x9fffc], 0x44332211
      mov eax, [0x9fffe]
      hlt
    `);
    machine.run();
    expect(machine.get32('GPR', 0)).toBe(0xffff_4433);
    expect(machine.mmioLog).toEqual(['r1 a0000', 'r1 a0001']);
  });
});

describe('ROM', () => {
  it('is read directly, and writes go to the bus', () => {
    const machine = new TestMachine({ featureOrder: FEATURES, ramMib: 8, rom: new Uint8Array(0x1_0000).fill(0x5a) });
    machine.memory.write(ORIGIN, assemble(`${FLAT}
      mov byte [0xf0123], 1
      mov al, [0xf0123]
      mov ah, [0xffff0123]
      hlt`).bytes);
    machine.set32('SEG_SELECTOR', 0, 1);
    machine.set64('SEG_BASE', 0n, 1);
    machine.set64('RIP', BigInt(ORIGIN));
    expect(machine.run()).toBe(EXIT.HALTED);
    expect(machine.get32('GPR', 0) & 0xffff).toBe(0x5a5a);
    expect(machine.mmioLog).toEqual(['w1 f0123 1']);
  });
});

describe('address bit 20', () => {
  it('is forced to zero while the gate is closed', () => {
    const machine = flatMachine(`
      mov dword [0x200000], 0x22222222
      mov dword [0x300000], 0x33333333
      mov eax, [0x300000]
      out 0xf4, al
      mov ebx, [0x300000]
      hlt
    `);
    expect(machine.run()).toBe(EXIT.YIELD);
    machine.set64('A20_MASK', 0xffff_ffff_ffef_ffffn);
    machine.pageMapChanged();
    expect(machine.run()).toBe(EXIT.HALTED);
    expect(machine.get32('GPR', 0)).toBe(0x33333333);
    expect(machine.get32('GPR', 3)).toBe(0x22222222);
  });
});

describe('dirty marks', () => {
  it('are set by writes and not by reads, and again after they were cleared', () => {
    const machine = flatMachine(`
      mov eax, [0x300000]
      mov [0x301000], eax
      out 0xf4, al
      mov [0x301004], eax
      hlt
    `);
    machine.clearDirty();
    expect(machine.run()).toBe(EXIT.YIELD);
    expect([machine.isDirty(0x300000), machine.isDirty(0x301000)]).toEqual([false, true]);
    machine.clearDirty();
    machine.pageMapChanged();
    expect(machine.run()).toBe(EXIT.HALTED);
    expect([machine.isDirty(0x300000), machine.isDirty(0x301000)]).toEqual([false, true]);
  });
});

describe('code that is written', () => {
  it('changes at once: in the running block, and later in the page', () => {
    const machine = flatMachine(`
      xor edx, edx
      mov byte [patched+1], 0x11
    patched:
      mov dl, 0
      mov ecx, 3
    again:
      mov byte [target+2], cl
      call target
      loop again
      hlt
    align 64
    target:
      add dl, 0
      ret
    `);
    expect(machine.run()).toBe(EXIT.HALTED);
    expect(machine.get32('GPR', 2)).toBe(0x11 + 3 + 2 + 1);
  });

  it('stays fast data beside code: other granules of the page do not disturb it', () => {
    const machine = flatMachine(`
      mov ecx, 1000
      xor eax, eax
    again:
      add [counter], ecx
      loop again
      mov eax, [counter]
      hlt
    align 64
    counter: dd 0
    `);
    expect(machine.run()).toBe(EXIT.HALTED);
    expect(machine.get32('GPR', 0)).toBe(500_500);
  });

  it('is found again when the first megabyte shows other memory', () => {
    const machine = flatMachine(`
      mov byte [0xc0000], 0xb0
      mov byte [0xc0001], 1
      mov byte [0xc0002], 0xc3
      mov byte [0x400000], 0xb0
      mov byte [0x400001], 2
      mov byte [0x400002], 0xc3
      mov ebx, 0xc0000
      call ebx
      mov ah, al
      out 0xf4, al
      call ebx
      hlt
    `);
    const { ramBase } = machine.memory.layout;
    const flags = PAGE.READ | PAGE.WRITE | PAGE.RAM;
    machine.memory.map(0xc0000, 0x1000, ramBase + 0xc0000, flags);
    machine.pageMapChanged();
    expect(machine.run()).toBe(EXIT.YIELD);
    machine.memory.map(0xc0000, 0x1000, ramBase + 0x400000, flags);
    machine.pageMapChanged();
    expect(machine.run()).toBe(EXIT.HALTED);
    expect(machine.get32('GPR', 0) & 0xffff).toBe(0x0102);
  });
});
});
