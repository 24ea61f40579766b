// What the processors of one machine show by CPUID and the rate of their time-stamp counters, which a restored machine brings
// along.

import { NestboxError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { CpuIdentity } from '../contract.ts';
import type { CpuFeature } from '../isa/cpuid.ts';
import { warnOfCounterRate } from './counter-rate.ts';
import { featureKey, lackingFeatures } from './kvm-cpuid.ts';
import type { KvmSmp } from './kvm-smp.ts';

export interface ShownProcessorOptions {
  readonly features: readonly CpuFeature[];
  readonly tscHz: number;
  /** CPU features that a restored machine may bring along. */
  readonly tolerated: ReadonlySet<CpuFeature>;
  readonly log: Logger;
}

export class ShownProcessor {
  private readonly smp: KvmSmp;
  private readonly options: ShownProcessorOptions;
  private features: string;
  private tscHz: number;
  private counterHz: number;
  /** For saved states. */
  identity: CpuIdentity | undefined;

  constructor(smp: KvmSmp, options: ShownProcessorOptions, identity: CpuIdentity | undefined) {
    this.smp = smp;
    this.options = options;
    this.features = featureKey(options.features);
    this.tscHz = this.counterHz = options.tscHz;
    this.identity = identity;
  }

  /**
   * A state comes from a machine whose processors may show something else.
   * @param ranOnce KVM lets nobody change what a processor shows that has run
   * @returns ticks a second that the counters have then
   * @throws NestboxError `unsupported`; nothing has changed then
   */
  become(identity: CpuIdentity | undefined, ranOnce: boolean): number {
    const { smp, options } = this;
    if (identity === undefined || (featureKey(identity.features) === this.features && identity.tscHz === this.tscHz)) return this.counterHz;
    const features = identity.features as readonly CpuFeature[];
    const lacking = lackingFeatures(features, options.tolerated);
    if (lacking.length > 0) {
      throw new NestboxError('unsupported', `The saved machine's processors have features that this host's KVM lacks (${lacking.join(', ')}), and the software CPU has one processor only`, { op: 'load state' });
    }
    if (ranOnce) throw new NestboxError('unsupported', 'The saved machine\'s processors show other features; start a new machine from it', { op: 'load state' });
    this.counterHz = smp.identify(features, identity.tscHz);
    if (this.counterHz !== identity.tscHz) warnOfCounterRate(options.log, identity.tscHz);
    this.features = featureKey(features);
    this.tscHz = identity.tscHz;
    this.identity = identity;
    return this.counterHz;
  }
}
