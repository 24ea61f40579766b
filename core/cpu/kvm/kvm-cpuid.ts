// What CPUID shows a guest under KVM: the same model as the software CPU's (core/cpu/isa/cpuid.ts), cut down to what this
// KVM can run, so that a machine may change engines.

import { ANY_SUBLEAF, type CpuFeature, type CpuidEntry, FEATURE_PLACES } from '../isa/cpuid.ts';
import { CPUID_SIGNIFICANT_INDEX, KVM, SIZE } from './ioctl.ts';
import type { CpuidWords } from './kvm-device.ts';
import { AT, type VcpuFile } from './vcpu-file.ts';

/** Ours to give: they live in the interrupt controller and the clock, or change no instruction. */
const OWN: readonly CpuFeature[] = ['apic', 'x2apic', 'tsc_deadline', 'hypervisor', 'arat', 'ss', 'mtrr', 'mca', 'mce', 'pat', 'tsc_adjust'];
/** MWAIT ends in nothing or in #UD under KVM; guests idle with HLT. */
const NEVER: readonly CpuFeature[] = ['monitor', 'arch_capabilities'];

function shown(words: readonly CpuidWords[], feature: CpuFeature): boolean {
  const [leaf, subleaf, register, bit] = FEATURE_PLACES[feature];
  const entry = words.find((candidate) => candidate.leaf === leaf && candidate.subleaf === subleaf);
  return entry !== undefined && ((entry[register] >>> bit) & 1) !== 0;
}

/**
 * The features that a guest may see under this KVM.
 * @param wanted what the machine would show on the software CPU
 * @param keepsTscRate the TSC runs at the machine's rate, so that it may be called invariant
 */
export function kvmFeatures(wanted: Iterable<CpuFeature>, supported: readonly CpuidWords[], keepsTscRate: boolean): CpuFeature[] {
  return [...wanted].filter((feature) => {
    if (NEVER.includes(feature)) return false;
    if (feature === 'invariant_tsc') return keepsTscRate;
    return OWN.includes(feature) || shown(supported, feature);
  });
}

/**
 * The features that a machine's processor has when this KVM shows guests its host's, whatever it is told: all that the
 * interpreter knows, because guests will use what they see.
 */
export function untoldFeatures(wanted: Iterable<CpuFeature>): CpuFeature[] {
  return [...wanted].filter((feature) => !NEVER.includes(feature) && feature !== 'invariant_tsc');
}

/** Instruction sets that the host's processor has whatever its KVM says, by their names in /proc/cpuinfo. */
const CPUINFO_NAMES: Partial<Record<CpuFeature, string>> = {
  sse3: 'pni', lzcnt: 'abm', prefetchw: '3dnowprefetch', sha: 'sha_ni', clfsh: 'clflush', syscall: 'syscall', rdrand: 'rdrand',
};

/**
 * Features that a saved machine may bring along: those of the KVM, and where everything that KVM refuses is handed to the
 * interpreter also those that the processor itself has.
 */
export function toleratedFeatures(supported: readonly CpuFeature[], hostFlags: readonly string[]): ReadonlySet<CpuFeature> {
  const all = Object.keys(FEATURE_PLACES) as CpuFeature[];
  return new Set([...supported, ...all.filter((feature) => hostFlags.includes(CPUINFO_NAMES[feature] ?? feature))]);
}

/** Features that change nothing for a guest that has already started. */
const IRRELEVANT: readonly CpuFeature[] = ['monitor', 'arch_capabilities', 'invariant_tsc', 'stibp', 'ssbd', 'spec_ctrl', 'bhi_ctrl', 'mca', 'mce', 'ss', 'arat', 'hypervisor'];

/** What a saved machine's guest may be using and this KVM cannot give. */
export function lackingFeatures(features: readonly CpuFeature[], tolerated: ReadonlySet<CpuFeature>): CpuFeature[] {
  return features.filter((feature) => !tolerated.has(feature) && !IRRELEVANT.includes(feature));
}

/** Equal for equal sets of features. */
export function featureKey(features: readonly string[]): string {
  return [...features].sort().join(' ');
}

/** Gives the vCPU its CPUID table; only before its first run. @throws NestboxError */
export function setCpuid(file: VcpuFile, entries: readonly CpuidEntry[]): void {
  const { view } = file;
  const most = Math.floor((AT.XSAVE - AT.CPUID - SIZE.CPUID_HEADER) / SIZE.CPUID_ENTRY);
  const count = Math.min(entries.length, most);
  view.setUint32(AT.CPUID, count, true);
  view.setUint32(AT.CPUID + 4, 0, true);
  entries.slice(0, count).forEach((entry, i) => {
    const at = AT.CPUID + SIZE.CPUID_HEADER + i * SIZE.CPUID_ENTRY;
    const any = entry.subleaf === ANY_SUBLEAF;
    [entry.leaf, any ? 0 : entry.subleaf, any ? 0 : CPUID_SIGNIFICANT_INDEX, entry.eax, entry.ebx, entry.ecx, entry.edx, 0, 0, 0].forEach((word, n) => view.setUint32(at + n * 4, word, true));
  });
  file.call(KVM.SET_CPUID2, AT.CPUID, 'set CPUID');
}
