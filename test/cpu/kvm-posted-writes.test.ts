// Writes to display memory that KVM collects: the devices see what they see without that, in the same order among all accesses,
// and nothing is left in the ring when the vCPU's run is over.

import { describe, expect, it } from 'vitest';
import { buildCpuid } from '../../core/cpu/isa/cpuid.ts';
import { setCpuid } from '../../core/cpu/kvm/kvm-cpuid.ts';
import { KvmCore } from '../../core/cpu/kvm/kvm-core.ts';
import { openKvm } from '../../core/cpu/kvm/kvm-device.ts';
import { KvmVm } from '../../core/cpu/kvm/kvm-vm.ts';
import { trialOf } from '../../core/cpu/kvm/mode-trials.ts';
import { SliceTimer } from '../../core/cpu/kvm/slice-timer.ts';
import { layOutMemory } from '../../core/memory/layout.ts';
import { PhysicalMemory } from '../../core/memory/physical-memory.ts';
import { hostProbe, whyNoKvm } from '../conformance/rig.ts';

const WINDOW = 0xa_0000;
const CODE = 0x7c00;
/** More than the ring of one page holds. */
const BYTES = 500;

interface Machine extends Disposable {
  readonly core: KvmCore;
  /** Accesses of devices, as text. */
  readonly seen: string[];
  readonly ringPage: number;
}

/** A vCPU in real mode with nothing but RAM, ports and a window that answers reads with 5Ah. */
async function machineWith(code: readonly number[], { posted, mapInside }: { posted: boolean; mapInside: boolean }): Promise<Machine> {
  const device = await openKvm();
  const layout = layOutMemory({ ramBytes: 1 << 20, romBytes: 4096, vramBytes: 4096, vcpus: 1 });
  const wasm = new WebAssembly.Memory({ initial: layout.totalBytes / 65536, maximum: layout.totalBytes / 65536, shared: true });
  const memory = new PhysicalMemory(wasm.buffer as SharedArrayBuffer, layout);
  memory.mapRam();
  memory.unmap(WINDOW, 0x2_0000);
  memory.write(CODE, Uint8Array.from(code));
  const vm = new KvmVm(device, memory, false);
  const timer = new SliceTimer(device.libc);
  const seen: string[] = [];
  const hex = (value: number): string => value.toString(16);
  const ringPage = posted ? vm.coalesceWrites([{ address: WINDOW, bytes: 0x2_0000 }]) : 0;
  const core = new KvmCore(
    vm,
    timer,
    {
      index: 0,
      io: {
        portRead: () => 0xff,
        portWrite: (port, size, value) => seen.push(`port ${hex(port)} ${size} ${hex(value)}`),
        mmioRead: (address, size) => {
          seen.push(`read ${hex(address)} ${size}`);
          return 0x5a;
        },
        mmioWrite: (address, size, value) => seen.push(`write ${hex(address)} ${size} ${hex(value >>> 0)}`),
      },
      interrupts: { acknowledge: () => -1, readCr8: () => 0, writeCr8: () => undefined },
      msrs: { read: () => false, write: () => false },
      readHostMs: () => performance.now(),
      ringPage,
    },
    mapInside,
  );
  setCpuid(core.file, buildCpuid({ apicId: 0, processorCount: 1, tscHz: 1e9, features: ['fpu'] }));
  core.setState(trialOf('real', core.getState(0)).state);
  return {
    core, seen, ringPage,
    [Symbol.dispose]: () => {
      core.dispose();
      vm.dispose();
      timer.dispose();
      device.dispose();
    },
  };
}

// MOV AX,A000h; MOV ES,AX; XOR DI,DI; MOV CX,500
const START = [0xb8, 0x00, 0xa0, 0x8e, 0xc0, 0x31, 0xff, 0xb9, BYTES & 255, BYTES >> 8];
const MIXED = [
  ...START,
  // MOV ES:[DI],AL; INC DI; INC AX; LOOP
  0x26, 0x88, 0x05, 0x47, 0x40, 0xe2, 0xf9,
  // MOV WORD ES:[DI],1234h; OUT 80h,AL; MOV BL,ES:[5]; MOV ES:[DI+4],EBX after MOV EBX,89ABCDEFh; OUT 81h,AL; HLT
  0x26, 0xc7, 0x05, 0x34, 0x12, 0xe6, 0x80, 0x26, 0x8a, 0x1e, 0x05, 0x00, 0x66, 0xbb, 0xef, 0xcd, 0xab, 0x89, 0x26, 0x66, 0x89, 0x5d, 0x04, 0xe6, 0x81, 0xf4,
];
/** As the program says. */
function mixedAccesses(): string[] {
  const bytes = Array.from({ length: BYTES }, (_, i) => `write ${(WINDOW + i).toString(16)} 1 ${(i & 255).toString(16)}`);
  const al = (BYTES & 255).toString(16);
  return [...bytes, `write ${(WINDOW + BYTES).toString(16)} 2 1234`, `port 80 1 ${al}`, `read ${(WINDOW + 5).toString(16)} 1`, `write ${(WINDOW + BYTES + 4).toString(16)} 4 89abcdef`, `port 81 1 ${al}`];
}

const noKvm = await whyNoKvm();
const reason = noKvm ?? (hostProbe().modes.real.support === 'missing' ? 'this KVM has no real mode' : undefined);

describe(reason === undefined ? 'writes to display memory under KVM' : `writes to display memory under KVM (skipped: ${reason})`, () => {
  it.skipIf(reason !== undefined).each([
    { how: 'each by itself', posted: false, mapInside: true },
    { how: 'collected', posted: true, mapInside: true },
    { how: 'collected, with copied pages', posted: true, mapInside: false },
  ])('reach devices in order: $how', async ({ posted, mapInside }) => {
    using machine = await machineWith(MIXED, { posted, mapInside });
    let exit = machine.core.run(1e9);
    while (exit === 'slice') exit = machine.core.run(1e9);
    expect(exit).toBe('halted');
    expect(machine.seen).toEqual(mixedAccesses());
    const { exits } = machine.core;
    if (machine.ringPage === 0) expect(exits.kvmMmio).toBe(BYTES + 3);
    else {
      expect(exits.kvmPosted).toBeGreaterThan(BYTES * 0.9);
      expect((exits.kvmPosted ?? 0) + (exits.kvmMmio ?? 0)).toBe(BYTES + 3);
    }
  });

  it.skipIf(reason !== undefined)('are all there when a run is over', async () => {
    // INC DI; MOV ES:[0],DI; JMP
    const loop = [...START.slice(0, 7), 0x47, 0x26, 0x89, 0x3e, 0x00, 0x00, 0xeb, 0xf8];
    const write = CODE + 8;
    using machine = await machineWith(loop, { posted: true, mapInside: true });
    for (let slice = 0; slice < 50; slice++) {
      expect(machine.core.run(200_000)).toBe('slice');
      const { gpr, rip } = machine.core.getState(0);
      const di = Number(gpr[7]) & 0xffff;
      const written = Number(rip) === write ? di - 1 : di;
      expect(machine.seen.length & 0xffff).toBe(written & 0xffff);
      if (written > 0) expect(machine.seen.at(-1)).toBe(`write a0000 2 ${written.toString(16)}`);
    }
    expect(machine.seen.length).toBeGreaterThan(50);
  });
});
