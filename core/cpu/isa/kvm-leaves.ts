// CPUID leaves of the KVM personality (Linux Documentation/virt/kvm/x86/cpuid.rst). Only what works is shown.

import type { CpuidEntry } from './cpuid.ts';
import { ANY_SUBLEAF } from './cpuid.ts';

export const KVM_CPUID_SIGNATURE = 0x4000_0000;
export const KVM_CPUID_FEATURES = 0x4000_0001;

/** Bits of KVM_CPUID_FEATURES.EAX. */
export const KVM_FEATURE = {
  /** Writing to port 80h for a delay is of no use. */
  NOP_IO_DELAY: 1 << 1,
  /** MSRs 4B564D00h and 4B564D01h. */
  CLOCKSOURCE2: 1 << 3,
  /** The clock page keeps its promise of one time for all processors. */
  CLOCKSOURCE_STABLE: 1 << 24,
} as const;

/** "KVMKVMKVM\0\0\0" in EBX, ECX and EDX. */
const SIGNATURE = { ebx: 0x4b4d_564b, ecx: 0x564b_4d56, edx: 0x4d } as const;

export function kvmLeaves(): CpuidEntry[] {
  const features = KVM_FEATURE.NOP_IO_DELAY | KVM_FEATURE.CLOCKSOURCE2 | KVM_FEATURE.CLOCKSOURCE_STABLE;
  return [
    { leaf: KVM_CPUID_SIGNATURE, subleaf: ANY_SUBLEAF, eax: KVM_CPUID_FEATURES, ...SIGNATURE },
    { leaf: KVM_CPUID_FEATURES, subleaf: ANY_SUBLEAF, eax: features, ebx: 0, ecx: 0, edx: 0 },
  ];
}
