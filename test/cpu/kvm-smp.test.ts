// Several KVM vCPUs in threads, with the kernel's interrupt controllers: start-up by INIT and SIPI, locked counters,
// interprocessor interrupts, devices in another thread, pausing, and state that goes on in another machine.

import { afterEach, describe, expect, it } from 'vitest';
import { irqchipOffer } from '../../core/cpu/kvm/kernel-irqchip.ts';
import { openKvm } from '../../core/cpu/kvm/kvm-device.ts';
import { hostProbe, whyNoKvm } from '../conformance/rig.ts';
import { SmpRig, resetControllers } from '../support/kvm-smp-rig.ts';
import { LOAD_INTERRUPT_TABLE, PROCESSOR_START, interruptGate } from '../support/smp-guest.ts';

async function whySkip(): Promise<string | undefined> {
  const reason = await whyNoKvm();
  if (reason !== undefined) return reason;
  if (hostProbe().modes.protected.support === 'missing') return 'this KVM has no 32-bit protected mode';
  const device = await openKvm();
  try {
    if (!irqchipOffer(device).full) return 'this KVM has no interrupt controllers';
    return device.check('max-vcpus') < 4 ? 'this KVM has fewer than 4 vCPUs' : undefined;
  } finally {
    device.dispose();
  }
}

const reason = await whySkip();
const test = it.skipIf(reason !== undefined);

const COUNT = 0x500;
const ONLINE = 0x504;
const GO = 0x508;
const COUNTER = 0x50c;
const FINISHED = 0x510;
const IPIS = 0x514;
const ROUNDS = 0x518;
const UNLOCKED = 0x600;
const ROUNDS_MOVED = 40;

/** Every processor runs this; its local APIC tells it apart. */
const COMMON = `
  ${PROCESSOR_START}
  ${interruptGate(0x40, 'ipi')}
  ${LOAD_INTERRUPT_TABLE}
  lock inc dword [${ONLINE}]
  test ebx, ebx
  jnz near together
  mov dword [esi+0x310], 0
  mov dword [esi+0x300], 0xc4500
  mov dword [esi+0x300], 0xc4608
  all_here: pause
  mov eax, [${ONLINE}]
  cmp eax, [${COUNT}]
  jne all_here
  mov dword [${GO}], 1
  together: pause
  cmp dword [${GO}], 1
  jne together
`;
const HANDLER = `
  ipi: push esi
  mov esi, 0xfee00000
  lock inc dword [${IPIS}]
  mov dword [esi+0xb0], 0
  pop esi
  iret
  align 8
  idt_pointer: dq 0
`;

/** Adds up, then rounds of interrupts from processor 0 to all others. */
const work = (iterations: number, rounds: number): string => `${COMMON}
  mov ecx, ${iterations}
  adding: lock inc dword [${COUNTER}]
  inc dword [${UNLOCKED}+ebx*4]
  dec ecx
  jnz adding
  mov edx, ebx
  add edx, 0x10
  mov eax, ebx
  out dx, al
  in al, dx
  lock inc dword [${FINISHED}]
  test ebx, ebx
  jz leader
  sti
  idle: hlt
  jmp idle
  leader: pause
  mov eax, [${FINISHED}]
  cmp eax, [${COUNT}]
  jne leader
  mov ecx, ${rounds}
  mov edi, 0
  round: mov dword [esi+0x300], 0xc4040
  add edi, [${COUNT}]
  dec edi
  heard: pause
  cmp [${IPIS}], edi
  jne heard
  inc dword [${ROUNDS}]
  dec ecx
  jnz round
  DONE
  jmp $
  ${HANDLER}`;

describe(reason === undefined ? 'several KVM vCPUs' : `several KVM vCPUs (skipped: ${reason})`, () => {
  const rigs: SmpRig[] = [];
  const make = async (count: number): Promise<SmpRig> => {
    const rig = await SmpRig.create(count);
    rigs.push(rig);
    return rig;
  };
  afterEach(async () => {
    for (const rig of rigs.splice(0)) await rig.close();
  });
  const word = (rig: SmpRig, address: number): number => rig.ram.getUint32(address, true);

  test.each([1, 2, 4])('%i start up, count together without loss, and interrupt each other', async (count) => {
    const rig = await make(count);
    rig.load(work(3000, count === 1 ? 1 : 20));
    rig.ram.setUint32(COUNT, count, true);
    const done = rig.untilDone();
    rig.start(0);
    await done;
    rig.smp.pause();
    expect(rig.stops).toEqual([]);
    expect([word(rig, ONLINE), word(rig, COUNTER), word(rig, IPIS)]).toEqual([count, count * 3000, (count - 1) * (count === 1 ? 1 : 20)]);
    for (let cpu = 0; cpu < count; cpu++) {
      expect(rig.accesses.filter((access) => access.cpu === cpu && access.address === 0x10 + cpu)).toEqual([
        { cpu, kind: 'out', address: 0x10 + cpu, value: cpu },
        { cpu, kind: 'in', address: 0x10 + cpu, value: 0xffff_ffff },
      ]);
      expect(rig.smp.exitsOf(cpu).kvmRuns).toBeGreaterThan(0);
    }
    const read = (): ReturnType<typeof rig.readState> => rig.readState(0, resetControllers(count));
    let state = read();
    // The last interrupt's handler may still be on its way back to HLT.
    for (let i = 0; i < 500 && state.cpus.some((cpu, index) => index > 0 && cpu.activity !== 'halted'); i++) {
      rig.start();
      await new Promise((resolve) => setTimeout(resolve, 5));
      rig.smp.pause();
      state = read();
    }
    const { cpus, localApics } = state;
    expect(cpus.map((cpu) => cpu.activity)).toEqual(['running', ...Array.from({ length: count - 1 }, () => 'halted')]);
    expect(localApics.map((apic) => [apic.xapicId, apic.svr, apic.irr.every((bits) => bits === 0), apic.isr.every((bits) => bits === 0)])).toEqual(
      Array.from({ length: count }, (_, index) => [index, 0x1ff, true, true]),
    );
  });

  test('stand still when told, at every instant, and go on elsewhere with nothing lost or doubled', async () => {
    const count = 3;
    let rig = await make(count);
    const iterations = 15_000;
    rig.load(work(iterations, ROUNDS_MOVED));
    rig.ram.setUint32(COUNT, count, true);
    let before = resetControllers(count);
    let finished = false;
    let moves = 0;
    let tsc = 0;
    while (!finished) {
      const done = rig.untilDone().then(() => (finished = true));
      rig.start(tsc);
      await Promise.race([done, new Promise((resolve) => setTimeout(resolve, 3 + (moves % 7) * 9 + moves * 4))]);
      rig.smp.pause();
      const stood = [word(rig, COUNTER), word(rig, IPIS)];
      await new Promise((resolve) => setTimeout(resolve, 5));
      expect([word(rig, COUNTER), word(rig, IPIS)]).toEqual(stood);
      expect(rig.stops).toEqual([]);
      const state = rig.readState(moves, before);
      const again = rig.readState(moves, before);
      expect({ ...again, tsc: 0, cpus: again.cpus.map(withoutTsc) }).toEqual({ ...state, tsc: 0, cpus: state.cpus.map(withoutTsc) });
      tsc = state.tsc;
      if (finished) break;
      if (moves++ % 6 !== 0) continue;
      const next = await make(count);
      next.memory.ram.set(rig.memory.ram);
      next.writeState(state, moves);
      const copied = next.readState(moves, state);
      expect({ ...copied, tsc: 0, cpus: copied.cpus.map(withoutTsc) }).toEqual({ ...state, tsc: 0, cpus: state.cpus.map(withoutTsc) });
      rigs.splice(rigs.indexOf(rig), 1);
      await rig.close();
      rig = next;
      before = state;
    }
    expect(moves).toBeGreaterThan(2);
    expect([word(rig, ONLINE), word(rig, COUNTER), word(rig, ROUNDS), word(rig, IPIS)]).toEqual([count, count * iterations, ROUNDS_MOVED, ROUNDS_MOVED * (count - 1)]);
  });

  test('wait for the board\'s lines: 8259 and I/O APIC, messages and descriptors', async () => {
    const rig = await make(2);
    rig.load(`${COMMON}
      test ebx, ebx
      jnz near other
      ; 8259s to 30h and 38h, all masked but input 1
      mov al, 0x11
      out 0x20, al
      out 0xa0, al
      mov al, 0x30
      out 0x21, al
      mov al, 0x38
      out 0xa1, al
      mov al, 4
      out 0x21, al
      mov al, 2
      out 0xa1, al
      mov al, 1
      out 0x21, al
      out 0xa1, al
      mov al, 0xfd
      out 0x21, al
      mov word [0x3000+0x31*8], by_pic
      mov dword [0x3000+0x31*8+2], 0x8e000008
      mov word [0x3000+0x31*8+6], 0
      ; virtual wire
      mov dword [esi+0x350], 0x700
      ; I/O APIC input 10 to processor 1, vector 40h, level
      mov dword [0xfec00000], 0x25
      mov dword [0xfec00010], 0x01000000
      mov dword [0xfec00000], 0x24
      mov dword [0xfec00010], 0x8040
      out 0x50, al
      sti
      sleep: hlt
      jmp sleep
      by_pic: mov al, 0x20
      out 0x20, al
      out 0x51, al
      iret
      ; an interrupt in front of HLT must not be slept through: STI lets it in with HLT only
      other: out 0x52, al
      xor edi, edi
      sleep2: cli
      cmp [${IPIS}], edi
      jne tell
      sti
      hlt
      jmp sleep2
      tell: mov edi, [${IPIS}]
      out 0x53, al
      sti
      jmp sleep2
      ${HANDLER}`);
    rig.ram.setUint32(COUNT, 2, true);
    const waitFor = async (ports: readonly number[]): Promise<void> => {
      for (let i = 0; i < 4000 && !ports.every((port) => rig.accesses.some((access) => access.address === port)); i++) await new Promise((resolve) => setTimeout(resolve, 2));
      expect([rig.accesses.map((access) => access.address), rig.stops]).toEqual([expect.arrayContaining([...ports]), []]);
      rig.accesses.length = 0;
    };
    rig.start();
    await waitFor([0x50, 0x52]);
    const { irqchip } = rig.smp;
    irqchip.setLine(1, true);
    await waitFor([0x51]);
    irqchip.setLine(1, false);
    // Level-triggered: as long as the line is high, every EOI brings it again.
    irqchip.setLine(10, true);
    for (let i = 0; i < 4000 && word(rig, IPIS) < 3; i++) await new Promise((resolve) => setTimeout(resolve, 2));
    expect(word(rig, IPIS)).toBeGreaterThanOrEqual(3);
    irqchip.setLine(10, false);
    await waitFor([0x53]);
    rig.smp.pause();
    const quiet = word(rig, IPIS);
    const { pics, ioApic } = rig.readState(0, resetControllers(2));
    expect([pics[0].vectorBase, pics[0].imr, pics[0].isr, pics[1].vectorBase, ioApic.low[10], ioApic.high[10], ioApic.lines]).toEqual([0x30, 0xfd, 0, 0x38, 0x8040, 0x0100_0000, 0]);
    // What is told of the last interrupt of the line may come late; the count says whose turn it is.
    const heard = async (count: number): Promise<void> => {
      for (let i = 0; i < 4000 && word(rig, IPIS) !== count; i++) await new Promise((resolve) => setTimeout(resolve, 2));
    };
    rig.start();
    expect(irqchip.sendMsi(0xfee0_1000, 0x40)).toBe(true);
    await heard(quiet + 1);
    await waitFor([0x53]);
    const descriptor = irqchip.createEventFd();
    irqchip.setRoutes([{ gsi: 24, address: 0xfee0_1000, data: 0x40 }]);
    irqchip.raiseBy(descriptor, 24);
    irqchip.signal(descriptor);
    await heard(quiet + 2);
    await waitFor([0x53]);
    expect(word(rig, IPIS)).toBe(quiet + 2);
    irqchip.raiseBy(descriptor, 24, false);
  });

  test('ring doorbells without leaving the guest', async () => {
    const rig = await make(1);
    rig.load(`${COMMON}
      mov edi, 0xd0000000
      mov ecx, 5
      ringing: mov dword [edi], 7
      mov eax, 9
      out 0x60, ax
      dec ecx
      jnz ringing
      mov dword [edi], 8
      DONE
      jmp $
      ${HANDLER}`);
    rig.ram.setUint32(COUNT, 1, true);
    const { irqchip } = rig.smp;
    const byMemory = irqchip.createEventFd();
    const byPort = irqchip.createEventFd();
    irqchip.ringAt(byMemory, { space: 'memory', address: 0xd000_0000, size: 4, value: 7 });
    irqchip.ringAt(byPort, { space: 'port', address: 0x60, size: 2 });
    const done = rig.untilDone();
    rig.start();
    await done;
    expect([irqchip.take(byMemory), irqchip.take(byPort), irqchip.take(byPort)]).toEqual([5, 5, 0]);
    // Another value than the doorbell's is an ordinary access.
    expect(rig.accesses).toEqual([{ cpu: 0, kind: 'write', address: 0xd000_0000, value: 8 }]);
    irqchip.ringAt(byMemory, { space: 'memory', address: 0xd000_0000, size: 4, value: 7 }, false);
    irqchip.ringAt(byPort, { space: 'port', address: 0x60, size: 2 }, false);
  });

  test('report a processor that falls over, and the machine can be closed', async () => {
    const rig = await make(2);
    rig.load(`${COMMON}
      test ebx, ebx
      jz leader
      mov word [idt_pointer], 0
      lidt [idt_pointer]
      ud2
      leader: hlt
      jmp leader
      ${HANDLER}`);
    rig.ram.setUint32(COUNT, 2, true);
    const done = rig.untilDone();
    rig.start();
    await expect(done).rejects.toThrow(/vCPU 1 stopped: shutdown/);
    expect(rig.smp.isRunning).toBe(true);
  });
});

function withoutTsc<T extends { readonly msrs: readonly (readonly [number, bigint])[] }>(cpu: T): T {
  return { ...cpu, msrs: cpu.msrs.filter(([index]) => index !== 0x10) };
}
