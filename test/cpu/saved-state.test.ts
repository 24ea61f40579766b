// A processor that is saved and restored between any two instructions goes on as if nothing had happened: single-step
// traps that are pending, the shadow of MOV SS and STI, the resume flag.

import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { layOutMemory } from '../../core/memory/layout.ts';
import { PhysicalMemory } from '../../core/memory/physical-memory.ts';
import type { CpuState, Vcpu } from '../../core/cpu/contract.ts';
import { createSoftwareVcpu } from '../../core/cpu/software/software-vcpu.ts';
import { inEveryJitMode, jitOptionsNow } from '../support/jit-modes.ts';

const WASM = new URL('../../dist/interp.wasm', import.meta.url);
const CODE = 0x1000;
const HANDLER = 0x1800;
const COUNT = 0x600;
/** IP of every trapped boundary goes here, one word each. */
const TRAIL = 0x2000;

/**
 * mov ax,ss; pushf; or word [esp],100h (TF); popf; nop; mov ss,ax; inc bx; inc bx; sti; inc cx; cli; mov dr6-free work:
 * push ax; pop dx; pushf; and word [esp],feffh; popf; nop; hlt
 */
const PROGRAM = [
  0x8c, 0xd0, 0x9c, 0x67, 0x81, 0x0c, 0x24, 0x00, 0x01, 0x9d, 0x90, 0x8e, 0xd0, 0x43, 0x43, 0xfb, 0x41, 0xfa, 0x50, 0x5a, 0x9c, 0x67,
  0x81, 0x24, 0x24, 0xff, 0xfe, 0x9d, 0x90, 0xf4,
];
/** push bp; mov bp,sp; push ax; push di; mov di,[600h]; mov ax,[bp+2]; mov [di+2000h],ax; add word [600h],2; pop di; pop ax; pop bp; iret */
const TRAP_HANDLER = [
  0x55, 0x89, 0xe5, 0x50, 0x57, 0x8b, 0x3e, 0x00, 0x06, 0x8b, 0x46, 0x02, 0x89, 0x85, 0x00, 0x20, 0x83, 0x06, 0x00, 0x06, 0x02, 0x5f,
  0x58, 0x5d, 0xcf,
];

interface Guest {
  readonly vcpu: Vcpu;
  readonly ram: Uint8Array;
}

function guest(): Guest {
  const layout = layOutMemory({ ramBytes: 1 << 20, romBytes: 0x10000, vramBytes: 0x1000, vcpus: 1 });
  const wasm = new WebAssembly.Memory({ initial: layout.totalBytes / 65536, maximum: 65536, shared: true });
  const memory = new PhysicalMemory(wasm.buffer as SharedArrayBuffer, layout);
  memory.mapRam();
  const vcpu = createSoftwareVcpu(wasm, memory, {
    index: 0,
    ...jitOptionsNow(),
    tscHz: 1e9,
    processorCount: 1,
    io: { portRead: () => 0xff, portWrite: () => undefined, mmioRead: () => 0xff, mmioWrite: () => undefined },
    interrupts: { acknowledge: () => -1, readCr8: () => 0, writeCr8: () => undefined },
    msrs: { read: () => false, write: () => false },
    clock: { readTsc: () => 0 },
    random32: () => 0,
  });
  const ram = new Uint8Array(memory.buffer, layout.ramBase, 1 << 20);
  ram.set(PROGRAM, CODE);
  ram.set(TRAP_HANDLER, HANDLER);
  ram.set([HANDLER & 0xff, HANDLER >> 8, 0, 0], 4);
  const fresh = vcpu.getState();
  const segments = { ...fresh.segments, cs: { ...fresh.segments.cs, selector: 0, base: 0n } };
  vcpu.setState({ ...fresh, rip: BigInt(CODE), segments, gpr: fresh.gpr.map((_value, index) => (index === 4 ? 0x8000n : 0n)) });
  return { vcpu, ram };
}

function outcome({ vcpu, ram }: Guest): unknown {
  const { rip, rflags, gpr, dr, activity } = vcpu.getState();
  const view = new DataView(ram.buffer, ram.byteOffset, ram.length);
  const trail = Array.from({ length: view.getUint16(COUNT, true) / 2 }, (_, i) => view.getUint16(TRAIL + i * 2, true).toString(16));
  return { rip, rflags, gpr, dr6: dr[6], activity, trail };
}

const built = existsSync(WASM);
inEveryJitMode(() => {
describe.skipIf(!built)(built ? 'a saved and restored processor' : 'a saved and restored processor (skipped: dist/interp.wasm is not built)', () => {
  it('takes every single-step trap that it would have taken', () => {
    const straight = guest();
    expect(straight.vcpu.run(10_000)).toBe('halted');
    const expected = outcome(straight);
    // No trap behind POPF itself and none between MOV SS and its successor; the last one follows the POPF that clears TF.
    expect(expected).toMatchObject({ trail: ['100b', '100e', '100f', '1010', '1011', '1012', '1013', '1014', '1015', '101b', '101c'] });
    const stopped = guest();
    const states: CpuState[] = [];
    for (let steps = 0; steps < 1000 && stopped.vcpu.run(1) !== 'halted'; steps++) {
      const state = stopped.vcpu.getState();
      states.push(state);
      stopped.vcpu.setState(structuredClone(state));
    }
    expect(outcome(stopped)).toEqual(expected);
    expect(states.some((state) => state.pendingDebug === 0x4000)).toBe(true);
    expect(states.some((state) => state.interruptShadow === 2)).toBe(true);
  });

  it('refuses debug traps that do not exist', () => {
    const { vcpu } = guest();
    expect(() => vcpu.setState({ ...vcpu.getState(), pendingDebug: 0x2000 })).toThrow(/pendingDebug/);
  });
});
});
