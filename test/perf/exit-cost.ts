// What one port access costs under KVM, from the guest's OUT to the device and back, against a C program that does the
// same system calls and nothing else; and a write to display memory, with and without KVM's ring of collected writes. In pairs,
// one right after the other, because the machine is never quiet.

import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { PortBus } from '../../core/bus/port-bus.ts';
import { buildCpuid } from '../../core/cpu/isa/cpuid.ts';
import { setCpuid } from '../../core/cpu/kvm/kvm-cpuid.ts';
import { KvmCore } from '../../core/cpu/kvm/kvm-core.ts';
import { openKvm } from '../../core/cpu/kvm/kvm-device.ts';
import { KvmVm } from '../../core/cpu/kvm/kvm-vm.ts';
import { trialOf } from '../../core/cpu/kvm/mode-trials.ts';
import { SliceTimer } from '../../core/cpu/kvm/slice-timer.ts';
import { layOutMemory } from '../../core/memory/layout.ts';
import { PhysicalMemory } from '../../core/memory/physical-memory.ts';
import { projectRoot } from '../support/nestbox.ts';
import { median } from './timing.ts';

const ROUNDS = 10_000;
const PORT = 0x80;
/** What issue and design ask for at most. */
const BAR = 2;

export interface ExitCost {
  print(): void;
  record(): object;
}

const DISPLAY = 0xa_0000;
/** OUT 80h,AL; JMP */
const PORT_LOOP = [0xe6, PORT, 0xeb, 0xfc];
/** MOV AX,A000h; MOV ES,AX; then MOV ES:[DI],AL; INC DI; JMP */
const DISPLAY_LOOP = [0xb8, 0x00, 0xa0, 0x8e, 0xc0, 0x26, 0x88, 0x05, 0x47, 0xeb, 0xfa];

interface WriterOptions {
  readonly code: readonly number[];
  readonly mapInside?: boolean;
  /** Collect writes to display memory. */
  readonly posted?: boolean;
}

/** One machine that does nothing but write to a device. */
class Writer {
  private readonly core: KvmCore;
  private readonly vm: KvmVm;
  private readonly timer: SliceTimer;
  private left = 0;

  constructor(device: Awaited<ReturnType<typeof openKvm>>, { code, mapInside = true, posted = false }: WriterOptions) {
    const layout = layOutMemory({ ramBytes: 1 << 20, romBytes: 4096, vramBytes: 4096, vcpus: 1 });
    const wasm = new WebAssembly.Memory({ initial: layout.totalBytes / 65536, maximum: layout.totalBytes / 65536, shared: true });
    const memory = new PhysicalMemory(wasm.buffer as SharedArrayBuffer, layout);
    memory.mapRam();
    memory.unmap(DISPLAY, 0x1_0000);
    const ports = new PortBus();
    let sum = 0;
    const note = (value: number): void => {
      sum += value;
      if (--this.left === 0) this.core.yieldWanted = true;
    };
    ports.register(PORT, 1, {
      readPort: () => 0,
      writePort: (_offset, _size, value) => note(value),
    });
    this.vm = new KvmVm(device, memory, false);
    this.timer = new SliceTimer(device.libc);
    this.core = new KvmCore(
      this.vm,
      this.timer,
      {
        index: 0,
        io: { portRead: (port, size) => ports.read(port, size), portWrite: (port, size, value) => ports.write(port, size, value), mmioRead: () => sum, mmioWrite: (_address, _size, value) => note(value) },
        interrupts: { acknowledge: () => -1, readCr8: () => 0, writeCr8: () => undefined },
        msrs: { read: () => false, write: () => false },
        readHostMs: () => performance.now(),
        ringPage: posted ? this.vm.coalesceWrites([{ address: DISPLAY, bytes: 0x1_0000 }]) : 0,
      },
      mapInside,
    );
    setCpuid(this.core.file, buildCpuid({ apicId: 0, processorCount: 1, tscHz: 1e9, features: ['fpu'] }));
    memory.write(0x7c00, Uint8Array.from(code));
    this.core.setState(trialOf('real', this.core.getState(0)).state);
  }

  /** Microseconds of one access. */
  measure(rounds: number): number {
    this.left = rounds;
    const start = performance.now();
    while (this.left > 0) this.core.run(1e9);
    // Collected writes come many at once.
    return ((performance.now() - start) * 1000) / (rounds - this.left);
  }

  dispose(): void {
    this.core.dispose();
    this.vm.dispose();
    this.timer.dispose();
  }
}

/** @throws NestboxError when this host has no KVM */
export async function exitCost(runs: number): Promise<ExitCost> {
  const program = join(projectRoot, '.cache', 'exit-cost');
  execFileSync('gcc', ['-O2', '-o', program, join(projectRoot, 'test/perf/exit-cost.c')]);
  const device = await openKvm();
  const ways = { 'pages mapped inside': new Writer(device, { code: PORT_LOOP }), 'pages copied': new Writer(device, { code: PORT_LOOP, mapInside: false }) };
  const displays = { 'each by itself': new Writer(device, { code: DISPLAY_LOOP }), collected: new Writer(device, { code: DISPLAY_LOOP, posted: true }) };
  const c: number[] = [];
  const own: Record<string, number[]> = {};
  const display: Record<string, number[]> = {};
  const ratios: Record<string, number[]> = {};
  try {
    for (const writer of [...Object.values(ways), ...Object.values(displays)]) writer.measure(ROUNDS / 2);
    for (let run = 0; run < runs * 3; run++) {
      const peer = Number(execFileSync(program, [String(ROUNDS)], { encoding: 'utf8' }));
      c.push(peer);
      for (const [name, writer] of Object.entries(ways)) {
        const us = writer.measure(ROUNDS);
        (own[name] ??= []).push(us);
        (ratios[name] ??= []).push(us / peer);
      }
      for (const [name, writer] of Object.entries(displays)) (display[name] ??= []).push(writer.measure(ROUNDS));
    }
  } finally {
    for (const writer of [...Object.values(ways), ...Object.values(displays)]) writer.dispose();
    device.dispose();
  }
  return {
    print: () => {
      console.log(`\nport access under KVM, microseconds (ratio to a C program with the same system calls; at most ${BAR.toFixed(1)} is asked for)`);
      console.log(`C program            ${median(c).toFixed(2)}`);
      for (const name of Object.keys(ways)) console.log(`${name.padEnd(21)}${median(own[name] ?? []).toFixed(2)}  ratio ${median(ratios[name] ?? []).toFixed(2)}, lowest of each ${(Math.min(...(own[name] ?? [])) / Math.min(...c)).toFixed(2)}`);
      console.log('\nwrite to display memory under KVM, microseconds');
      for (const name of Object.keys(displays)) console.log(`${name.padEnd(21)}${median(display[name] ?? []).toFixed(2)}`);
    },
    record: () => ({ title: 'port access under KVM', unit: 'us', c, own, ratios, display }),
  };
}
