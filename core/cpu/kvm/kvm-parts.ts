// What one vCPU on KVM consists of besides the interpreter; made anew when a restored machine's processor shows other features.

import type { Logger } from '../../base/logger.ts';
import { type CpuFeature, buildCpuid } from '../isa/cpuid.ts';
import { ControllerLoan } from './controller-loan.ts';
import { KVM } from './ioctl.ts';
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
  const counterHz = setRate(core, tscHz, options.log);
  let loan: ControllerLoan | undefined;
  if (vm.irqchip !== undefined && controllers !== undefined) {
    loan = new ControllerLoan({ board: controllers, irqchip: vm.irqchip, core, readNs: options.readNs, tscHz: counterHz, log: options.log });
    core.controllers = loan;
  }
  setCpuid(core.file, buildCpuid({ apicId: options.index, processorCount: options.processorCount, features, tscHz, hypervisorLeaves: options.hypervisorLeaves }));
  return { vm, core, loan, counterHz };
}

/** @returns the rate that the guest's counter has then */
function setRate(core: KvmCore, tscHz: number, log: Logger): number {
  const wantedKhz = Math.round(tscHz / 1000);
  const khz = core.file.callPlain(KVM.GET_TSC_KHZ);
  if (khz === wantedKhz || core.file.callPlain(KVM.SET_TSC_KHZ, wantedKhz) >= 0) return tscHz;
  log.log('warn', `The saved machine's time-stamp counter ran at ${Math.round(tscHz / 1e6)} MHz, which this host's KVM cannot give: clocks that the guest took from it may be off`);
  return khz > 0 ? khz * 1000 : tscHz;
}
