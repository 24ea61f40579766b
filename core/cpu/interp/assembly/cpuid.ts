// CPUID: leaves come from a table that the host writes (core/cpu/isa/cpuid.ts); only bits that follow run-time state are
// patched here. Leaves above the maximum show the highest basic leaf, as Intel processors do.

import { hostMsrRead } from './env';
import { CPUID_COUNT, CPUID_TABLE, CR4, EXCHANGE, MSR_MISC_ENABLE, XCR0 } from './generated/layout';
import { get32, get64 } from './state';
import { CR4_OSXSAVE } from './walk';

const ENTRY_BYTES: usize = 24;
const ANY_SUBLEAF: u32 = ~(<u32>0);

export let cpuidEax: u32 = 0;
export let cpuidEbx: u32 = 0;
export let cpuidEcx: u32 = 0;
export let cpuidEdx: u32 = 0;

function find(leaf: u32, subleaf: u32): bool {
  const base = <usize>get32(CPUID_TABLE);
  const count = <usize>get32(CPUID_COUNT);
  let known = false;
  cpuidEax = cpuidEbx = cpuidEcx = cpuidEdx = 0;
  for (let i: usize = 0; i < count; i++) {
    const entry = base + i * ENTRY_BYTES;
    if (load<u32>(entry) != leaf) continue;
    known = true;
    const sub = load<u32>(entry, 4);
    if (sub != ANY_SUBLEAF && sub != subleaf) continue;
    cpuidEax = load<u32>(entry, 8);
    cpuidEbx = load<u32>(entry, 12);
    cpuidEcx = load<u32>(entry, 16);
    cpuidEdx = load<u32>(entry, 20);
    return true;
  }
  // An unknown subleaf of a known leaf reads zero.
  return known;
}

/** Whether the hypervisor's leaves are KVM's. */
export function cpuidShowsKvm(): bool {
  return find(0x40000000, 0) && cpuidEbx == 0x4b4d564b;
}

/** Largest leaf of the range that `leaf` lies in, or 0 when the range does not exist. */
function rangeMaximum(leaf: u32): u32 {
  const start = leaf & 0xffff_0000;
  return find(start, 0) ? cpuidEax : 0;
}

export function cpuidFeature7Ebx(): u32 {
  find(7, 0);
  return cpuidEbx;
}

export function cpuidFeature7Ecx(): u32 {
  find(7, 0);
  return cpuidEcx;
}

export function cpuidFeature7Edx(): u32 {
  find(7, 0);
  return cpuidEdx;
}

export function cpuidExtendedEdx(): u32 {
  find(0x80000001, 0);
  return cpuidEdx;
}

/** Leaves the result in cpuidEax..cpuidEdx. */
export function cpuid(leaf: u32, subleaf: u32): void {
  if (!find(leaf, subleaf)) {
    if (leaf > rangeMaximum(leaf)) {
      find(0, 0);
      leaf = cpuidEax;
      find(leaf, subleaf);
    } else {
      cpuidEax = cpuidEbx = cpuidEcx = cpuidEdx = 0;
      return;
    }
  }
  if (leaf == 1) {
    if ((get64(CR4) & CR4_OSXSAVE) != 0) cpuidEcx |= 1 << 27;
    else cpuidEcx &= ~(<u32>1 << 27);
    if ((get64(MSR_MISC_ENABLE) & 0x40000) == 0) cpuidEcx &= ~(<u32>8);
    // The APIC bit follows the global enable in IA32_APIC_BASE.
    if ((cpuidEdx & 0x200) != 0 && hostMsrRead(0x1b) != 0 && (get64(EXCHANGE) & 0x800) == 0) cpuidEdx &= ~(<u32>0x200);
  } else if (leaf == 0xd && subleaf == 0) {
    // x87 and SSE only: the area has one size whatever XCR0 holds.
    if ((get64(XCR0) & ~(<u64>3)) == 0) cpuidEbx = 576;
  }
}
