// The processors of one machine.

import type { SiblingVcpu, Vcpu } from '../cpu/contract.ts';

/** All of them, in order. */
export function processorsOf(vcpu: Vcpu): readonly SiblingVcpu[] {
  return [vcpu, ...(vcpu.siblings ?? [])];
}
