// The 80286 and 8086 vectors through the KVM engine's KVM, in real mode: this host's processor, or its kernel's interpreter. The same
// rules as for our interpreter; what this KVM cannot run is counted by its reason, and handed to the interpreter in machines.

import { describe, expect, it } from 'vitest';
import { PAGE } from '../../core/cpu/isa/layout.ts';
import { KvmCore } from '../../core/cpu/kvm/kvm-core.ts';
import { openKvm } from '../../core/cpu/kvm/kvm-device.ts';
import { KvmVm } from '../../core/cpu/kvm/kvm-vm.ts';
import { SliceTimer } from '../../core/cpu/kvm/slice-timer.ts';
import { layOutMemory } from '../../core/memory/layout.ts';
import { PhysicalMemory } from '../../core/memory/physical-memory.ts';
import { hostProbe, whyNoKvm } from '../conformance/rig.ts';
import { REGISTER_NAMES, SEGMENT_NAMES, type Suite, type Vector, type VectorCpu, loadVectors, runVectors } from './vectors/single-step.ts';

const HALT_NS = 20e6;
const HLT = 0xf4;
const FLAG_TF = 0x100;
/** `each`: vectors of each opcode form. The rest shows nothing new and takes minutes where the kernel interprets. */
const SUITES: readonly { readonly suite: Suite; readonly each: number; readonly passed: number; readonly forms: number }[] = [
  { suite: 'sst-80286-real', each: 12, passed: 3600, forms: 300 },
  { suite: 'sst-8086', each: 6, passed: 1500, forms: 250 },
];

/** What kernels that interpret real mode do otherwise than processors. */
const KERNEL_DIFFERENCES: readonly { readonly what: RegExp; readonly why: string }[] = [
  { what: /^D4 aam .*\] flags=/, why: 'AAM: SF and ZF are not set' },
  { what: /^D5 aad .*\] flags=/, why: 'AAD: SF is not set' },
  { what: /^39 cmp \[bp\+si\],ax \[39 2 f4\] sp=/, why: 'beyond the stack segment: #GP on the 286, #SS since the 386, where the vectors have no handler' },
];

async function whySkip(): Promise<string | undefined> {
  const reason = await whyNoKvm();
  if (reason !== undefined) return reason;
  return hostProbe().modes.real.support === 'missing' ? 'this KVM has no real mode' : undefined;
}

/** A vCPU that only runs. */
async function kvmCpu(suite: Suite): Promise<VectorCpu & Disposable> {
  const device = await openKvm();
  const layout = layOutMemory({ ramBytes: 4 << 20, romBytes: 4096, vramBytes: 4096, vcpus: 1 });
  const wasm = new WebAssembly.Memory({ initial: layout.totalBytes / 65536, maximum: layout.totalBytes / 65536, shared: true });
  const memory = new PhysicalMemory(wasm.buffer as SharedArrayBuffer, layout);
  memory.mapRam();
  // Addresses wrap at 1 MiB on the 8086: KVM knows no A20 gate, but the same memory may be there twice.
  if (suite === 'sst-8086') memory.map(0x10_0000, 0x1_0000, layout.ramBase, PAGE.READ | PAGE.WRITE | PAGE.RAM);
  const vm = new KvmVm(device, memory, false);
  const timer = new SliceTimer(device.libc);
  const core = new KvmCore(vm, timer, {
    index: 0,
    io: { portRead: () => 0xffff_ffff, portWrite: () => undefined, mmioRead: () => 0xffff_ffff, mmioWrite: () => undefined },
    interrupts: { acknowledge: () => -1, readCr8: () => 0, writeCr8: () => undefined },
    msrs: { read: () => false, write: () => false },
    readHostMs: () => performance.now(),
  });
  const reset = core.getState(0);
  let after = reset;
  let unable: string | undefined;
  return {
    ram: memory.ram,
    run: (regs, flags, how, _repeated, next) => {
      // A vector of one instruction ends with a HLT of ours.
      const ours = how === 'one';
      unable = ours && next === undefined ? 'recorded memory is where our HLT would be' : ours && (flags & FLAG_TF) !== 0 ? 'TF traps before our HLT' : undefined;
      if (unable !== undefined) return;
      const before = memory.ram[next ?? 0] ?? 0;
      if (ours) memory.ram[next ?? 0] = HLT;
      const segment = (name: string, access: number) => ({ selector: regs[name] ?? 0, base: BigInt((regs[name] ?? 0) * 16), limit: 0xffff, access });
      const gpr = reset.gpr.map((_, i) => BigInt(i < 8 ? (regs[REGISTER_NAMES[i] ?? ''] ?? 0) : 0));
      const [es, cs, ss, ds] = SEGMENT_NAMES.map((name) => segment(name, name === 'cs' ? 0x9b : 0x93));
      if (es === undefined || cs === undefined || ss === undefined || ds === undefined) throw new Error('segments');
      core.setState({ ...reset, gpr, rip: BigInt(regs['ip'] ?? 0), rflags: BigInt(flags | 2), segments: { ...reset.segments, es, cs, ss, ds }, activity: 'running', idtr: { base: 0n, limit: 0x3ff } });
      let exit = core.run(HALT_NS);
      for (let i = 0; i < 50 && exit === 'slice'; i++) exit = core.run(HALT_NS);
      unable = exit === 'halted' ? undefined : exit === 'unsupported' ? core.detail : `the guest does not come to its HLT: ${exit}`;
      after = core.getState(0);
      if (!ours) return;
      memory.ram[next ?? 0] = before;
      after = { ...after, rip: after.rip - 1n };
    },
    register: (name) => {
      if (name === 'ip') return Number(after.rip);
      if (name === 'flags') return Number(after.rflags);
      const at = REGISTER_NAMES.indexOf(name as (typeof REGISTER_NAMES)[number]);
      return at >= 0 ? Number((after.gpr[at] ?? 0n) & 0xffffn) : after.segments[name as 'es' | 'cs' | 'ss' | 'ds'].selector;
    },
    firstFault: () => undefined,
    unable: () => unable,
    [Symbol.dispose]: () => {
      core.dispose();
      vm.dispose();
      timer.dispose();
      device.dispose();
    },
  };
}

/** The first vectors of each form. */
function some(vectors: readonly Vector[], each: number): Vector[] {
  const seen = new Map<string, number>();
  return vectors.filter((vector) => {
    const count = (seen.get(vector.op) ?? 0) + 1;
    seen.set(vector.op, count);
    return count <= each;
  });
}

const reason = await whySkip();
const silicon = reason === undefined && hostProbe().modes.real.support === 'native';

describe(reason === undefined ? 'vectors through KVM' : `vectors through KVM (skipped: ${reason})`, () => {
  const suites = SUITES.map((entry) => ({ ...entry, vectors: reason === undefined ? loadVectors(entry.suite) : null }));
  for (const { suite, each, passed, forms, vectors } of suites) it.skipIf(vectors === null)(`${suite}: what KVM runs comes out as recorded (needs ../shared/vectors)`, async () => {
    using cpu = await kvmCpu(suite);
    const report = runVectors(suite, some(vectors ?? [], each), cpu);
    console.log([`${report.passed} passed, ${report.failures.length} not, ${report.forms.size} forms`, ...[...report.excluded].map(([why, count]) => `  ${count}: ${why}`), ...report.failures.slice(0, 60)].join('\n'));
    const unexpected = report.failures.filter((failure) => silicon || !KERNEL_DIFFERENCES.some(({ what }) => what.test(failure)));
    expect(unexpected).toEqual([]);
    expect(report.passed).toBeGreaterThan(passed);
    expect(report.forms.size).toBeGreaterThan(forms);
  });
});
