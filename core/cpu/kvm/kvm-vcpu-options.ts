// What the KVM engine's vCPU is made with.

import type { Logger } from '../../base/logger.ts';
import type { PhysicalMemory } from '../../memory/physical-memory.ts';
import type { Vcpu, VcpuOptions } from '../contract.ts';
import type { CpuFeature, CpuidEntry } from '../isa/cpuid.ts';
import type { BoardControllers } from './controller-loan.ts';
import type { HandOffPolicy } from './engine-modes.ts';
import type { KvmDevice } from './kvm-device.ts';
import type { KvmProbe } from './kvm-probe.ts';

export interface KvmVcpuOptions extends VcpuOptions {
  readonly device: KvmDevice;
  readonly probe: KvmProbe;
  readonly memory: PhysicalMemory;
  readonly policy: HandOffPolicy;
  readonly processorCount: number;
  readonly features: readonly CpuFeature[];
  /** CPUID from 40000000h on. */
  readonly hypervisorLeaves: readonly CpuidEntry[];
  /** Ticks a second of the guest's TSC, as CPUID tells. */
  readonly tscHz: number;
  /** CPU features that a restored machine may bring along. */
  readonly tolerated: ReadonlySet<CpuFeature>;
  readonly log: Logger;
  readonly readHostMs: () => number;
  /** Virtual nanoseconds. */
  readonly readNs: () => number;
  /** The board's interrupt controllers, when the kernel's shall stand for them. */
  readonly controllers: BoardControllers | undefined;
  /** Makes the interpreter over the same memory; its callbacks differ from the machine's. */
  readonly createSoftware: (options: VcpuOptions) => Vcpu;
}
