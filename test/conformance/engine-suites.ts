// The engines that conformance suites run on, with the reason where one cannot be had on this host.

import type { TrialMode } from '../../core/cpu/kvm/mode-trials.ts';
import { type EngineName, hostProbe, whyNoKvm } from './rig.ts';

export interface EngineSuite {
  readonly engine: EngineName;
  readonly title: string;
  readonly skip: boolean;
  /** True when this engine is KVM and this host's KVM has the mode itself. */
  readonly runsOnKvm: (mode: TrialMode) => boolean;
}

export async function engineSuites(): Promise<EngineSuite[]> {
  const reason = await whyNoKvm();
  return [
    { engine: 'software', title: 'software CPU', skip: false, runsOnKvm: () => false },
    {
      engine: 'kvm',
      title: reason === undefined ? 'KVM' : `KVM (skipped: ${reason})`,
      skip: reason !== undefined,
      runsOnKvm: (mode) => reason === undefined && hostProbe().modes[mode].support !== 'missing',
    },
  ];
}
