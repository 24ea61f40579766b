// What one vCPU on KVM consists of besides the interpreter; made anew when a restored machine's processor shows other features.

import { type CpuFeature, buildCpuid } from '../isa/cpuid.ts';
import { ControllerLoan } from './controller-loan.ts';
import { giveCounterRate, warnOfCounterRate } from './counter-rate.ts';
import { KvmCore } from './kvm-core.ts';
import { setCpuid } from './kvm-cpuid.ts';
import type { KvmVcpuOptions } from './kvm-vcpu-options.ts';
import { KvmVm } from './kvm-vm.ts';
import type { SliceTimer } from './slice-timer.ts';

export interface KvmParts {
  readonly vm: KvmVm;
  readonly core: KvmCore;
  /** Of the board's interrupt controllers, where the kernel's are used. */
  readonly loan: ControllerLoan | undefined;
  /** Ticks a second of the guest's counter, whatever CPUID tells. */
  readonly counterHz: number;
}

export interface KvmPartsOptions {
  readonly vcpu: KvmVcpuOptions;
  readonly timer: SliceTimer;
  /** Log writes to RAM from the start. */
  readonly logRam: boolean;
  readonly features: readonly CpuFeature[];
  readonly tscHz: number;
}

/** @throws NestboxError */
export function makeKvmParts({ vcpu: options, timer, logRam, features, tscHz }: KvmPartsOptions): KvmParts {
  const { controllers } = options;
  const vm = new KvmVm(options.device, options.memory, logRam, controllers === undefined ? undefined : 'full');
  const ringPage = vm.coalesceWrites(options.postedWrites ?? []);
  const core = new KvmCore(vm, timer, { ...options, ringPage, entryNs: options.probe.exitMicroseconds * 1000 });
  const { hz: counterHz, given } = giveCounterRate(core.file, tscHz);
  if (!given) warnOfCounterRate(options.log, tscHz);
  let loan: ControllerLoan | undefined;
  if (vm.irqchip !== undefined && controllers !== undefined) {
    loan = new ControllerLoan({ board: controllers, irqchip: vm.irqchip, core, readNs: options.readNs, tscHz: counterHz, log: options.log });
    core.controllers = loan;
  }
  setCpuid(core.file, buildCpuid({ apicId: options.index, processorCount: options.processorCount, features, tscHz, hypervisorLeaves: options.hypervisorLeaves }));
  return { vm, core, loan, counterHz };
}
