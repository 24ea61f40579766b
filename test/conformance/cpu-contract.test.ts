// The CPU contract on every engine and in every mode of the JIT: accesses, interrupts, modes, state, dirty pages, debugging.
// Where this host's KVM lacks a mode the hand-off to the software CPU is what is tested.

import { afterEach, describe, expect, it } from 'vitest';
import { engineSuites } from './engine-suites.ts';
import { inEveryJitMode } from '../support/jit-modes.ts';
import { TO_LONG, TO_PROTECTED } from './programs.ts';
import { DEVICE_BASE, ORIGIN, ROM_BASE, Rig, VRAM_BASE, hostProbe } from './rig.ts';

const suites = await engineSuites();
/** Seconds by which two readings of one clock may differ. */
const SLACK = 0.002;

inEveryJitMode(() => {
describe.each(suites)('CPU contract: $title', ({ engine, skip, kernelControllers, runsOnKvm }) => {
  const rigs: Rig[] = [];
  const make = async (): Promise<Rig> => {
    const rig = await Rig.create(engine, { kernelControllers });
    rigs.push(rig);
    return rig;
  };
  afterEach(() => {
    for (const rig of rigs.splice(0)) rig.dispose();
  });
  const test = it.skipIf(skip);

  test('carries port accesses of every size, and strings of them', async () => {
    const rig = await make();
    rig.answers.set(0x60, 0x1234_5678);
    rig.load(`
      mov eax, 0xaabbccdd
      out 0x40, al
      out 0x41, ax
      out 0x42, eax
      in al, 0x60
      mov [0x500], al
      in ax, 0x60
      mov [0x502], ax
      mov dx, 0x60
      in eax, dx
      mov [0x504], eax
      mov si, text
      mov cx, 5
      mov dx, 0x80
      rep outsb
      mov di, 0x510
      mov cx, 3
      mov dx, 0x60
      rep insw
      DONE
      jmp $
      text: db 'hello'`);
    rig.runToDone();
    expect(rig.accesses.filter((access) => access.kind === 'out')).toEqual([
      { kind: 'out', address: 0x40, size: 1, value: 0xdd },
      { kind: 'out', address: 0x41, size: 2, value: 0xccdd },
      { kind: 'out', address: 0x42, size: 4, value: 0xaabb_ccdd },
      ...[...'hello'].map((letter) => ({ kind: 'out', address: 0x80, size: 1, value: letter.charCodeAt(0) })),
    ]);
    expect([rig.ram.getUint8(0x500), rig.ram.getUint16(0x502, true), rig.ram.getUint32(0x504, true)]).toEqual([0x78, 0x5678, 0x1234_5678]);
    expect([0, 2, 4].map((at) => rig.ram.getUint16(0x510 + at, true))).toEqual([0x5678, 0x5678, 0x5678]);
    if (runsOnKvm('real')) expect(rig.kvmRuns).toBeGreaterThan(5);
  });

  test('carries device memory accesses, and writes to ROM', async () => {
    const rig = await make();
    rig.memory.rom.set([0xc7, 0xb6, 0xa5, 0x94], 0);
    rig.answers.set(DEVICE_BASE + 4, 0x8899_aabb);
    rig.load(`
      mov ax, 0xa000
      mov ds, ax
      mov byte [0], 0x11
      mov word [2], 0x2233
      mov dword [4], 0x44556677
      mov bl, [4]
      mov cx, [4]
      mov edx, [4]
      mov ax, 0xf000
      mov ds, ax
      mov esi, [0]
      mov dword [0], 0x99
      mov edi, [0]
      DONE
      jmp $`);
    rig.runToDone();
    expect(rig.accesses.map(({ kind, address, size, value }) => [kind, address, size, value])).toEqual([
      ['write', DEVICE_BASE, 1, 0x11],
      ['write', DEVICE_BASE + 2, 2, 0x2233],
      ['write', DEVICE_BASE + 4, 4, 0x4455_6677],
      ['read', DEVICE_BASE + 4, 1, 0xbb],
      ['read', DEVICE_BASE + 4, 2, 0xaabb],
      ['read', DEVICE_BASE + 4, 4, 0x8899_aabb],
      ['write', ROM_BASE, 4, 0x99],
    ]);
    const state = rig.state();
    expect([state.gpr[3], state.gpr[1], state.gpr[2], state.gpr[6], state.gpr[7]].map((value) => (value ?? 0n) & 0xffff_ffffn)).toEqual([
      0xbbn, 0xaabbn, 0x8899_aabbn, 0x94a5_b6c7n, 0x94a5_b6c7n,
    ]);
  });

  test('splits accesses of eight bytes, low half first', async () => {
    const rig = await make();
    rig.answers.set(DEVICE_BASE + 8, 0x1111_2222);
    rig.answers.set(DEVICE_BASE + 12, 0x3333_4444);
    rig.load(`${TO_PROTECTED}${TO_LONG}
      mov rax, 0x0123456789abcdef
      mov rdi, 0xa0000
      mov [rdi], rax
      mov rbx, [rdi+8]
      DONE
      jmp $`);
    rig.runToDone();
    expect(rig.accesses.map(({ kind, address, size, value }) => [kind, address, size, value])).toEqual([
      ['write', DEVICE_BASE, 4, 0x89ab_cdef],
      ['write', DEVICE_BASE + 4, 4, 0x0123_4567],
      ['read', DEVICE_BASE + 8, 4, 0x1111_2222],
      ['read', DEVICE_BASE + 12, 4, 0x3333_4444],
    ]);
    expect(rig.gpr(3)).toBe(0x3333_4444_1111_2222n);
  });

  const INTERRUPTS = `
      cli
      xor ax, ax
      mov ds, ax
      mov word [0x21*4], handler
      mov word [0x21*4+2], 0
      mov word [2*4], nmi
      mov word [2*4+2], 0
      mov word [0], divide
      mov word [2], 0`;
  const HANDLERS = `
      handler: inc byte [0x600]
      iret
      nmi: inc byte [0x601]
      iret
      divide: inc byte [0x602]
      mov bx, 1
      iret`;

  test('halts, wakes for an interrupt, and takes it only with IF set', async () => {
    const rig = await make();
    rig.load(`${INTERRUPTS}
      sti
      hlt
      cli
      out 0x10, al
      in al, 0x11
      cmp byte [0x600], 1
      jne bad
      sti
      wait: cmp byte [0x600], 2
      jne wait
      DONE
      bad: jmp $
      ${HANDLERS}`);
    expect(rig.runToExit()).toBe('halted');
    expect(rig.vcpu.run(1000)).toBe('halted');
    rig.onAccess = (access) => {
      // Arrives while IF is clear: waits for STI.
      if (access.address === 0x10) rig.interrupt(0x21);
    };
    rig.interrupt(0x21);
    rig.runToDone();
    expect(rig.ram.getUint8(0x600)).toBe(2);
  });

  test('a halt with interrupts masked sleeps on', async () => {
    const rig = await make();
    rig.load(`cli\nhlt\nDONE\njmp $`);
    expect(rig.runToExit()).toBe('halted');
    rig.interrupt(0x21);
    expect(rig.vcpu.run(1000)).toBe('halted');
    expect(rig.state().activity).toBe('halted');
  });

  test('delivers NMI also with IF clear, and exceptions by the vector table', async () => {
    const rig = await make();
    rig.load(`${INTERRUPTS}
      out 0x10, al
      mov cx, 2000
      spin: loop spin
      xor bx, bx
      mov ax, 1
      xor dx, dx
      div bx
      DONE
      jmp $
      ${HANDLERS}`);
    rig.onAccess = (access) => {
      if (access.address === 0x10) rig.vcpu.raiseNmi();
    };
    rig.runToDone();
    expect([rig.ram.getUint8(0x601), rig.ram.getUint8(0x602)]).toEqual([1, 1]);
  });

  test('goes through protected to long mode, with page faults and a task priority', async () => {
    const rig = await make();
    rig.load(`${TO_PROTECTED}${TO_LONG}
      mov word [0x3000+14*16], fault
      mov word [0x3000+14*16+2], 24
      mov word [0x3000+14*16+4], 0x8e00
      mov word [idt_pointer], 0xfff
      mov dword [idt_pointer+2], 0x3000
      lidt [idt_pointer]
      mov rax, 5
      mov cr8, rax
      mov rbx, cr8
      mov rcx, [0x12345678]
      DONE
      jmp $
      align 8
      idt_pointer: dq 0, 0
      fault: mov rsi, cr2
      pop rdi
      add qword [rsp], 8
      iretq`);
    rig.runToDone();
    const state = rig.state();
    expect(state.gpr[6]).toBe(0x1234_5678n);
    expect(state.gpr[7]).toBe(0n);
    expect(state.gpr[3]).toBe(5n);
    expect(rig.cr8).toBe(5);
    expect(state.efer & 0x500n).toBe(0x500n);
    expect(state.segments.cs.access & 0x2000).toBe(0x2000);
    if (runsOnKvm('long')) expect(rig.kvmRuns, JSON.stringify([rig.vcpu.stats().exits, hostProbe()])).toBeGreaterThan(0);
  });

  test('runs 32-bit paging, and floating point in kernel code', async () => {
    const rig = await make();
    rig.load(`${TO_PROTECTED}
      mov dword [0x20000], 0x83
      mov dword [0x20004], 0x83
      mov eax, 0x10
      mov cr4, eax
      mov eax, 0x20000
      mov cr3, eax
      mov eax, cr0
      or eax, 0x80000000
      mov cr0, eax
      mov dword [0x400000+0x900], 0xcafe
      fninit
      fldpi
      fstp qword [0x908]
      mov eax, [0x900]
      DONE
      jmp $`);
    rig.runToDone();
    expect(rig.gpr(0)).toBe(0xcafen);
    expect(rig.ram.getFloat64(0x908, true)).toBe(Math.PI);
  });

  test('shows the processor that its state names', async () => {
    const rig = await make();
    rig.load(`
      xor eax, eax
      cpuid
      mov [0x500], ebx
      mov [0x504], edx
      mov [0x508], ecx
      mov eax, 1
      cpuid
      mov [0x50c], ecx
      DONE
      jmp $`);
    rig.runToDone();
    expect(Buffer.from(rig.memory.ram.slice(0x500, 0x50c)).toString('latin1')).toBe('GenuineIntel');
    const features = rig.state().identity?.features ?? [];
    const ecx = rig.ram.getUint32(0x50c, true);
    expect((ecx >>> 13) & 1).toBe(features.includes('cx16') ? 1 : 0);
    // A KVM that interprets kernel code was seen to show the host's features too, whatever it was told.
    if (engine === 'software' || hostProbe().keepsCpuid) expect((ecx >>> 19) & 1).toBe(features.includes('sse4_1') ? 1 : 0);
  });

  test('asks the platform for its MSRs and faults on those nobody has', async () => {
    const rig = await make();
    rig.msrs.set(0x1b, [0xfee0_0900, 0]);
    rig.load(`${INTERRUPTS}
      mov word [13*4], protection
      mov word [13*4+2], 0
      mov ecx, 0x1b
      rdmsr
      mov ebp, eax
      mov eax, 0xfee00800
      wrmsr
      mov ecx, 0x12345
      rdmsr
      DONE
      jmp $
      protection: inc byte [0x603]
      pop ax
      add ax, 2
      push ax
      iret
      ${HANDLERS}`);
    rig.runToDone();
    expect(rig.gpr(5)).toBe(0xfee0_0900n);
    // Else the kernel's own local APIC answers.
    if (!kernelControllers) expect(rig.msrs.get(0x1b)?.[0]).toBe(0xfee0_0800);
    expect(rig.ram.getUint8(0x603)).toBe(1);
  });

  test('counts time stamps in virtual time: they go on with it and stand still with it', async () => {
    const rig = await make();
    rig.load(`
      again: rdtsc
      mov [0x500], eax
      mov [0x504], edx
      DONE
      jmp again`);
    // The clock that timers go by, and the counter that the guest sees, are one.
    const stamp = (): number => {
      const before = rig.readTsc();
      rig.runToDone();
      const value = rig.ram.getUint32(0x504, true) * 2 ** 32 + rig.ram.getUint32(0x500, true);
      const late = rig.readTsc() - value;
      expect(late).toBeGreaterThanOrEqual(-SLACK * rig.tscHz);
      if (started) expect(value - before).toBeGreaterThanOrEqual(-SLACK * rig.tscHz);
      started = true;
      return value;
    };
    let started = false;
    const wait = (ms: number): number => {
      const start = performance.now();
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
      return performance.now() - start;
    };
    const first = stamp();
    const passed = wait(200);
    const second = stamp();
    expect(second - first).toBeGreaterThanOrEqual((passed / 1000 - SLACK) * rig.tscHz);
    // Stands still for less than a second, which KVM would take for an attempt at synchronising processors.
    const before = rig.readTsc();
    const beforeMs = performance.now();
    const stood = wait(600);
    rig.stoodStillMs += stood;
    const third = stamp();
    expect(third).toBeGreaterThan(second);
    const virtualMs = performance.now() - beforeMs - stood;
    if (engine === 'software' || hostProbe().setsTsc) expect(third - before).toBeLessThan((virtualMs / 1000 + SLACK) * rig.tscHz);
  });

  test('comes back from endless loops, at once when asked to', async () => {
    const rig = await make();
    rig.load(`again: out 0x10, al\nspin: jmp spin`);
    rig.onAccess = () => rig.vcpu.requestYield();
    let exit = rig.vcpu.run(1 << 24);
    // KVM may come back once for a hand-off before.
    if (rig.accesses.length === 0) exit = rig.vcpu.run(1 << 24);
    expect([exit, rig.accesses.length]).toEqual(['yield', 1]);
    expect(rig.vcpu.run(10_000)).toBe('budget');
    expect(rig.state().rip).toBe(BigInt(ORIGIN + 2));
  });

  test('reports a triple fault as shutdown, and comes back from it by reset', async () => {
    const rig = await make();
    rig.load(`
      ${TO_PROTECTED}
      lidt [none]
      int3
      none: dw 0
      dd 0`);
    expect(rig.runToExit()).toBe('shutdown');
    rig.vcpu.reset();
    const { rip, segments, cr0 } = rig.state();
    expect([rip, segments.cs.selector, segments.cs.base, cr0 & 1n]).toEqual([0xfff0n, 0xf000, 0xffff_0000n, 0n]);
  });

  test('shows registers and memory to I/O callbacks, as a BIOS needs', async () => {
    const rig = await make();
    rig.load(`
      mov ax, 0x100
      mov ss, ax
      mov esp, 0x6ff0
      mov ebx, 0x12345678
      push word 0xbeef
      in al, 0x10
      pop cx
      DONE
      jmp $`);
    let seen: unknown[] = [];
    rig.onAccess = (access) => {
      if (access.address !== 0x10) return;
      const { selector, base } = rig.vcpu.getSegment('ss');
      const esp = rig.vcpu.getRegister32(4);
      const word = new Uint8Array(2);
      const mapped = rig.vcpu.readLinear(base + esp, word);
      seen = [selector, base, esp, rig.vcpu.getRegister32(3), [...word], mapped];
      rig.vcpu.writeLinear(base + esp, Uint8Array.of(0x34, 0x12));
    };
    rig.runToDone();
    expect(seen).toEqual([0x100, 0x1000, 0x6fee, 0x1234_5678, [0xef, 0xbe], true]);
    expect(rig.gpr(1) & 0xffffn).toBe(0x1234n);
  });

  test('notices written pages: RAM and video memory, exactly once', async () => {
    const rig = await make();
    rig.load(`${TO_PROTECTED}
      mov dword [${VRAM_BASE + 0x3004}], 1
      DONE
      mov dword [${VRAM_BASE + 0x8000}], 1
      DONE
      jmp $`);
    rig.memory.takeVramDirty(0, 1 << 20);
    rig.runToDone();
    expect(rig.memory.takeVramDirty(0, 0x3000)).toBe(false);
    expect(rig.memory.takeVramDirty(0x3000, 0x4000)).toBe(true);
    expect(rig.memory.takeVramDirty(0, 1 << 20)).toBe(false);
    rig.runToDone();
    expect(rig.memory.takeVramDirty(0, 0x8000)).toBe(false);
    expect(rig.memory.takeVramDirty(0x8000, 0x9000)).toBe(true);
  });

  test('follows changes of the memory map and the A20 gate', async () => {
    const rig = await make();
    rig.load(`
      mov ax, 0xffff
      mov es, ax
      mov byte [0x500], 0x77
      mov bl, [es:0x510]
      out 0x10, al
      mov cl, [es:0x510]
      out 0x11, al
      mov dl, [0x900]
      DONE
      jmp $`);
    rig.ram.setUint8(0x10_0500, 0x55);
    rig.answers.set(0x900, 0x66);
    rig.onAccess = (access) => {
      if (access.address === 0x10) rig.vcpu.setA20(false);
      if (access.address !== 0x11) return;
      rig.vcpu.setA20(true);
      rig.memory.unmap(0, 0x1000);
      rig.memory.notifyMapChanged();
    };
    rig.runToDone();
    expect([rig.gpr(3) & 0xffn, rig.gpr(1) & 0xffn, rig.gpr(2) & 0xffn]).toEqual([0x55n, 0x77n, 0x66n]);
  });

  test('steps and stops at breakpoints', async () => {
    const rig = await make();
    const symbols = rig.load(`
      mov ax, 1
      mov bx, 2
      target: mov cx, 3
      add ax, bx
      DONE
      jmp $`);
    rig.vcpu.setDebug({ singleStep: true, breakpoints: [] });
    expect(rig.runToExit()).toBe('debug');
    expect(rig.state().rip).toBe(BigInt(ORIGIN + 3));
    expect(rig.runToExit()).toBe('debug');
    expect(rig.state().rip).toBe(BigInt(ORIGIN + 6));
    rig.vcpu.setDebug(undefined);
    rig.load('jmp start\nnop\nstart: mov ax, 7\ntarget: mov cx, 3\nDONE\njmp $');
    rig.vcpu.setDebug({ singleStep: false, breakpoints: [BigInt(ORIGIN + 6)] });
    expect(rig.runToExit()).toBe('debug');
    expect([rig.state().rip, rig.gpr(0)]).toEqual([BigInt(ORIGIN + 6), 7n]);
    rig.vcpu.setDebug(undefined);
    rig.runToDone();
    expect(rig.gpr(1)).toBe(3n);
    expect(symbols.get('target')).toBe(ORIGIN + 6);
  });

  test('keeps its state through save and load, before and after running', async () => {
    const rig = await make();
    rig.load(`
      mov eax, 0x11223344
      out 0x10, al
      mov ebx, 0x55667788
      DONE
      jmp $`);
    rig.onAccess = (access) => {
      if (access.address === 0x10) rig.vcpu.requestYield();
    };
    while (rig.accesses.length === 0) rig.vcpu.run(1000);
    const saved = rig.state();
    expect(saved.rip).toBe(BigInt(ORIGIN + 8));
    rig.vcpu.setState(saved);
    expect(rig.state()).toEqual(saved);
    rig.runToDone();
    rig.vcpu.setState(saved);
    expect(rig.state()).toEqual(saved);
    rig.runToDone();
    expect([rig.gpr(0), rig.gpr(3)]).toEqual([0x1122_3344n, 0x5566_7788n]);
    expect(() => rig.vcpu.setState({ ...saved, cpl: 9 })).toThrow(/cpl/);
    expect(rig.gpr(3)).toBe(0x5566_7788n);
  });

  test('an INIT from outside starts the boot processor anew', async () => {
    const rig = await make();
    rig.memory.rom.set([0xeb, 0xfe], 0xfff0);
    rig.load('out 0x10, al\njmp $');
    rig.onAccess = (access) => {
      if (access.address === 0x10) rig.vcpu.raiseInit();
    };
    for (let i = 0; i < 20_000 && rig.state().segments.cs.selector !== 0xf000; i++) rig.vcpu.run(1000);
    expect(rig.state().segments.cs.base).toBe(0xffff_0000n);
  });
});
});
