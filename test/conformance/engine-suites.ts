// The engines that conformance suites run on, with the reason where one cannot be had on this host.

import type { TrialMode } from '../../core/cpu/kvm/mode-trials.ts';
import { type EngineName, hostProbe, offersIrqchip, whyNoKvm } from './rig.ts';

export interface EngineSuite {
  readonly engine: EngineName;
  readonly title: string;
  readonly skip: boolean;
  /** The kernel's interrupt controllers stand for the board's. */
  readonly kernelControllers: boolean;
  /** True when this engine is KVM and this host's KVM has the mode itself. */
  readonly runsOnKvm: (mode: TrialMode) => boolean;
}

export async function engineSuites(): Promise<EngineSuite[]> {
  const reason = await whyNoKvm();
  return [
    { engine: 'software', title: 'software CPU', skip: false, kernelControllers: false, runsOnKvm: () => false },
    ...[false, true].map((kernelControllers): EngineSuite => ({
      engine: 'kvm',
      title: `KVM${kernelControllers ? " with the kernel's interrupt controllers" : ''}${reason === undefined ? '' : ` (skipped: ${reason})`}`,
      skip: reason !== undefined || (kernelControllers && !offersIrqchip()),
      kernelControllers,
      runsOnKvm: (mode) => reason === undefined && hostProbe().modes[mode].support !== 'missing',
    })),
  ];
}
