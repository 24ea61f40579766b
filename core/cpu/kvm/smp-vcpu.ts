// One of several KVM vCPUs as the device thread sees it: its registers and its local APIC in the kernel, while its own thread
// is not in the guest.

import type { CpuState, VcpuMsrs } from '../contract.ts';
import type { CpuFeature } from '../isa/cpuid.ts';
import { buildCpuid } from '../isa/cpuid.ts';
import { giveCounterRate } from './counter-rate.ts';
import type { StandingVcpu } from './guest-access.ts';
import { EVENTS, KVM } from './ioctl.ts';
import { KernelApic } from './kernel-apic.ts';
import { KvmState } from './kvm-state.ts';
import { setCpuid } from './kvm-cpuid.ts';
import type { KvmVm } from './kvm-vm.ts';
import { AT, VcpuFile } from './vcpu-file.ts';

/** MSRs that KVM does not keep; those of the local APIC are the kernel's. */
export function shadowMsrs({ state: { shadow } }: SmpVcpu): VcpuMsrs {
  return {
    read: (msr, out) => {
      const value = shadow.get(msr);
      if (value === undefined) return false;
      out[0] = Number(value & 0xffff_ffffn);
      out[1] = Number(value >> 32n);
      return true;
    },
    write: (msr, low, high) => {
      if (!shadow.has(msr)) return false;
      shadow.set(msr, (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0));
      return true;
    },
  };
}

export class SmpVcpu implements StandingVcpu {
  readonly index: number;
  readonly file: VcpuFile;
  readonly state: KvmState;
  readonly apic: KernelApic;

  /** @throws NestboxError */
  constructor(vm: KvmVm, index: number) {
    this.index = index;
    this.file = new VcpuFile(vm, index);
    this.state = new KvmState(this.file, vm.device.check('xcrs') > 0);
    this.apic = new KernelApic(this.file, this.state);
  }

  /** What CPUID tells the guest; before its first instruction. @returns ticks a second that its counter has then */
  identify(count: number, features: readonly CpuFeature[], tscHz: number): number {
    setCpuid(this.file, buildCpuid({ apicId: this.index, processorCount: count, tscHz, features }));
    return giveCounterRate(this.file, tscHz).hz;
  }

  regs(): DataView {
    this.file.call(KVM.GET_REGS, AT.REGS, 'read registers');
    return this.file.view;
  }

  sregs(): DataView {
    this.file.call(KVM.GET_SREGS, AT.SREGS, 'read registers');
    return this.file.view;
  }

  /** @param instructions for the canonical form: KVM counts none */
  read(instructions: number): CpuState {
    return this.state.read(this.apic.activity(), instructions);
  }

  /** @returns what KVM refused, or undefined */
  write(state: CpuState): string | undefined {
    return this.state.write(state, 0) ?? (this.apic.setActivity(state.activity) ? undefined : 'the activity');
  }

  /** The vector of a hardware interrupt that KVM has acknowledged and still owes to the guest, or -1. */
  owedInterrupt(): number {
    const { file } = this;
    file.call(KVM.GET_VCPU_EVENTS, AT.EVENTS, 'read pending events');
    return file.view.getUint8(AT.EVENTS + EVENTS.INTERRUPT_INJECTED) === 0 ? -1 : file.view.getUint8(AT.EVENTS + EVENTS.INTERRUPT_NR);
  }

  oweInterrupt(vector: number): void {
    const { file } = this;
    file.call(KVM.GET_VCPU_EVENTS, AT.EVENTS, 'read pending events');
    file.view.setUint8(AT.EVENTS + EVENTS.INTERRUPT_INJECTED, 1);
    file.view.setUint8(AT.EVENTS + EVENTS.INTERRUPT_NR, vector);
    file.view.setUint32(AT.EVENTS + EVENTS.FLAGS, 0, true);
    file.call(KVM.SET_VCPU_EVENTS, AT.EVENTS, 'inject an interrupt');
  }

  raiseNmi(): void {
    this.file.callPlain(KVM.NMI);
  }

  dispose(): void {
    this.file.dispose();
  }
}
