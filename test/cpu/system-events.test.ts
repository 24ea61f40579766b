// Interrupts from outside, NMI, halt states, shadows, INIT and start-up, triple fault: driven by the host side.

import { describe, expect, it } from 'vitest';
import { assemble } from '../../core/firmware/asm/assembler.ts';
import { EVENT, EXIT, offsetOf } from '../../core/cpu/isa/layout.ts';
import { FEATURES } from '../../core/cpu/isa/generated/decoder.ts';
import { TestMachine } from './system/machine.ts';
import { inEveryJitMode } from '../support/jit-modes.ts';

const ORIGIN = 0x1000;
/** Entry of the vector table for a handler inside the program. */
const ROM_PRELUDE = `
org ${ORIGIN}
  xor ax, ax
  mov ds, ax
  mov ss, ax
  mov sp, 0x800
`;

/** A real-mode program at 0:1000h, started from the reset state. */
function machineWith(source: string): { machine: TestMachine; symbols: ReadonlyMap<string, number> } {
  const { bytes, symbols } = assemble(ROM_PRELUDE + source);
  const machine = new TestMachine({ featureOrder: FEATURES });
  machine.memory.write(ORIGIN, bytes);
  machine.set32('SEG_SELECTOR', 0, 1);
  machine.set64('SEG_BASE', 0n, 1);
  machine.set64('RIP', BigInt(ORIGIN));
  return { machine, symbols };
}

function vector(machine: TestMachine, number: number, offset: number | undefined): void {
  machine.memory.write16(number * 4, offset ?? 0);
  machine.memory.write16(number * 4 + 2, 0);
}

const ax = (machine: TestMachine): number => machine.get32('GPR', 0) & 0xffff;
const rip = (machine: TestMachine): number => Number(machine.get64('RIP'));

inEveryJitMode(() => {
describe('external interrupts', () => {
  it('waits for IF and for the instruction after STI', () => {
    const { machine, symbols } = machineWith(`
      cli
      mov ax, 1
    waiting:
      mov ax, 2
      sti
      inc ax
    after:
      inc ax
      hlt
    handler:
      hlt
    `);
    vector(machine, 0x30, symbols.get('handler'));
    machine.interrupt(0x30);
    expect(machine.run()).toBe(EXIT.HALTED);
    expect(ax(machine)).toBe(3);
    // The frame holds the address behind the instruction after STI.
    expect(machine.memory.read16(0x800 - 6)).toBe(symbols.get('after'));
    expect(machine.memory.read16(0x800 - 2) & 0x200).toBe(0x200);
  });

  it('is held after MOV SS until the next instruction is done', () => {
    const { machine, symbols } = machineWith(`
      sti
      nop
      mov bx, ss
      out 0xf4, al
      mov ss, bx
      mov sp, 0x700
    after:
      nop
      hlt
    handler:
      hlt
    `);
    vector(machine, 0x30, symbols.get('handler'));
    expect(machine.run()).toBe(EXIT.YIELD);
    // One instruction (MOV SS), then the interrupt arrives.
    expect(machine.run(1)).toBe(EXIT.BUDGET);
    machine.interrupt(0x30);
    expect(machine.run()).toBe(EXIT.HALTED);
    expect(machine.memory.read16(0x700 - 6)).toBe(symbols.get('after'));
  });

  it('wakes HLT only with IF', () => {
    const { machine, symbols } = machineWith(`
      cli
      hlt
      mov ax, 5
      sti
      hlt
      mov ax, 6
      hlt
    handler:
      mov bx, 7
      iret
    `);
    vector(machine, 0x31, symbols.get('handler'));
    expect(machine.run()).toBe(EXIT.HALTED);
    machine.interrupt(0x31);
    expect(machine.run()).toBe(EXIT.HALTED);
    expect(ax(machine)).toBe(0);
    machine.nmi();
    vector(machine, 2, symbols.get('handler'));
    expect(machine.run()).toBe(EXIT.HALTED);
    // NMI woke it; STI let the waiting interrupt in, which ended the second HLT.
    expect(ax(machine)).toBe(6);
    expect(machine.get32('GPR', 3)).toBe(7);
  });

  it('asks nobody when the request has gone away', () => {
    const { machine } = machineWith('sti\nnop\nnop\nhlt');
    machine.setEvent(EVENT.INTR);
    expect(machine.run()).toBe(EXIT.HALTED);
    expect(machine.view.getInt32(machine.cpu + offsetOf('EVENTS'), true) & EVENT.INTR).toBe(0);
  });
});

describe('NMI', () => {
  it('is blocked until the handler returns', () => {
    const { machine, symbols } = machineWith(`
      mov cx, 0
      out 0xf4, al
      nop
      nop
      hlt
    handler:
      inc cx
      cmp cx, 1
      jne .second
      out 0xf4, al
      mov dx, cx
    .second:
      iret
    `);
    vector(machine, 2, symbols.get('handler'));
    expect(machine.run()).toBe(EXIT.YIELD);
    machine.nmi();
    expect(machine.run()).toBe(EXIT.YIELD);
    // Inside the handler: another NMI waits.
    machine.nmi();
    expect(machine.run(1)).toBe(EXIT.BUDGET);
    expect(machine.get32('GPR', 2) & 0xffff).toBe(1);
    expect(machine.get32('NMI_BLOCKED')).toBe(1);
    expect(machine.run()).toBe(EXIT.HALTED);
    expect(machine.get32('GPR', 1) & 0xffff).toBe(2);
    expect(machine.get32('NMI_BLOCKED')).toBe(0);
  });
});

describe('other processor states', () => {
  it('goes into shutdown on a triple fault and keeps a log', () => {
    const { machine, symbols } = machineWith(`
      lidt [limit]
    bad:
      ud2
    limit: dw 0
      dd 0
    `);
    expect(machine.run()).toBe(EXIT.SHUTDOWN);
    expect(machine.run()).toBe(EXIT.SHUTDOWN);
    const vectors = Array.from({ length: 5 }, (_, i) => machine.get32('FAULT_LOG', i * 4));
    expect(vectors).toEqual([6, 13, 13, 8, 13]);
    expect(machine.get32('FAULT_LOG', 3)).toBe(symbols.get('bad'));
  });

  it('gives the host a turn when a handler faults without end', () => {
    const { machine, symbols } = machineWith(`
      mov sp, 0xf000
      out 0xf4, al
    bad:
      ud2
    `);
    vector(machine, 6, symbols.get('bad'));
    expect(machine.run()).toBe(EXIT.YIELD);
    const before = machine.count();
    // Frame after frame is pushed; no instruction retires.
    expect(machine.run()).toBe(EXIT.YIELD);
    expect(machine.count()).toBe(before);
  });

  it('waits with MWAIT once and then goes on', () => {
    const { machine, symbols } = machineWith(`
      xor eax, eax
      xor ecx, ecx
      xor edx, edx
      monitor
      mwait
    woken:
      mov ax, 9
      hlt
    `);
    expect(machine.run()).toBe(EXIT.HALTED);
    expect(rip(machine)).toBe(symbols.get('woken'));
    expect(machine.get32('ACTIVITY')).toBe(2);
    expect(machine.run()).toBe(EXIT.HALTED);
    expect(ax(machine)).toBe(9);
  });

  it('starts over at the reset vector after INIT, keeping MSRs', () => {
    const { machine } = machineWith(`
      mov ecx, 0xc0000103
      mov eax, 0x1234
      xor edx, edx
      wrmsr
      mov eax, cr0
      or al, 1
      mov cr0, eax
      hlt
    `);
    expect(machine.run()).toBe(EXIT.HALTED);
    machine.setEvent(EVENT.INIT);
    // Nothing is mapped at the reset vector: bytes FF FF are undefined, and real mode has no handler at 0:0 either.
    machine.run(1);
    expect(machine.get64('CR0')).toBe(0x6000_0010n);
    expect(machine.get64('MSR_TSC_AUX')).toBe(0x1234n);
    expect(machine.get32('ACTIVITY')).toBe(0);
  });

  it('takes a start-up IPI only while it waits for one', () => {
    const { machine } = machineWith('hlt');
    machine.memory.write(0x5000, assemble('mov ax, cs\nhlt').bytes);
    machine.set32('SIPI_VECTOR', 5);
    machine.setEvent(EVENT.SIPI);
    expect(machine.run()).toBe(EXIT.HALTED);
    expect(ax(machine)).toBe(0);
    machine.set32('ACTIVITY', 3);
    expect(machine.run()).toBe(EXIT.HALTED);
    machine.setEvent(EVENT.SIPI);
    expect(machine.run()).toBe(EXIT.HALTED);
    expect(ax(machine)).toBe(0x500);
  });

  it('leaves run() when the machine pulls RESET', () => {
    const { machine } = machineWith('again: jmp again');
    machine.setEvent(EVENT.RESET);
    expect(machine.run()).toBe(EXIT.RESET);
  });
});

describe('retired instructions', () => {
  it('does not count a faulting instruction', () => {
    const { machine, symbols } = machineWith(`
      nop
      xor cx, cx
      div cx
    handler:
      hlt
    `);
    vector(machine, 0, symbols.get('handler'));
    expect(machine.run()).toBe(EXIT.HALTED);
    // Four of the prelude, NOP, XOR, then HLT of the handler.
    expect(machine.count()).toBe(7);
  });

  it('counts INT n once and is the same in single steps', () => {
    const source = `
      mov cx, 3
    again:
      int 0x32
      loop again
      hlt
    handler:
      iret
    `;
    const whole = machineWith(source);
    vector(whole.machine, 0x32, whole.symbols.get('handler'));
    expect(whole.machine.run()).toBe(EXIT.HALTED);
    const stepped = machineWith(source);
    vector(stepped.machine, 0x32, stepped.symbols.get('handler'));
    let steps = 0;
    while (stepped.machine.run(1) === EXIT.BUDGET) steps++;
    expect(stepped.machine.count()).toBe(whole.machine.count());
    expect(whole.machine.count()).toBe(4 + 1 + 3 * 3 + 1);
    expect(steps).toBeGreaterThanOrEqual(14);
  });
});
});
