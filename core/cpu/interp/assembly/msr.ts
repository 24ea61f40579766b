// RDMSR and WRMSR. Registers of the core live in the register file (core/cpu/isa/msr.ts lists them for saved state);
// those of the platform (APIC, TSC deadline, paravirtual) are the host's. Everything else raises #GP(0).

import { raiseGp0 } from './fault';
import { hostMsrRead, hostMsrWrite, hostReadTsc } from './env';
import {
  EFER, EXCHANGE, MSR_BIOS_SIGN, MSR_CSTAR, MSR_DEBUGCTL, MSR_FMASK, MSR_KERNEL_GS_BASE, MSR_LSTAR, MSR_MC, MSR_MCG_CTL, MSR_MCG_STATUS,
  MSR_MISC_ENABLE, MSR_MTRR_DEF_TYPE, MSR_MTRR_FIX, MSR_MTRR_VAR, MSR_PAT, MSR_SPEC_CTRL, MSR_STAR, MSR_SYSENTER_CS, MSR_SYSENTER_EIP,
  MSR_SYSENTER_ESP, MSR_TSC_ADJUST, MSR_TSC_AUX, SEG_BASE,
} from './generated/layout';
import { writeEfer } from './control';
import { cpuidExtendedEdx, cpuidFeature7Ebx, cpuidFeature7Edx } from './cpuid';
import { cpu, get64, set64 } from './state';
import { isCanonical } from './tlb';
import { EFER_LME, EFER_NXE, EFER_SCE } from './walk';

const IA32_TSC: u32 = 0x10;
const IA32_PLATFORM_ID: u32 = 0x17;
const IA32_TSC_ADJUST: u32 = 0x3b;
const IA32_SPEC_CTRL: u32 = 0x48;
const IA32_PRED_CMD: u32 = 0x49;
const IA32_BIOS_UPDT_TRIG: u32 = 0x79;
const IA32_BIOS_SIGN_ID: u32 = 0x8b;
const IA32_MTRRCAP: u32 = 0xfe;
const IA32_ARCH_CAPABILITIES: u32 = 0x10a;
const IA32_FLUSH_CMD: u32 = 0x10b;
const IA32_SYSENTER_CS: u32 = 0x174;
const IA32_SYSENTER_ESP: u32 = 0x175;
const IA32_SYSENTER_EIP: u32 = 0x176;
const IA32_MCG_CAP: u32 = 0x179;
const IA32_MCG_STATUS: u32 = 0x17a;
const IA32_MCG_CTL: u32 = 0x17b;
const IA32_MISC_ENABLE: u32 = 0x1a0;
const IA32_DEBUGCTL: u32 = 0x1d9;
const IA32_MTRR_PHYSBASE0: u32 = 0x200;
const IA32_MTRR_FIX64K: u32 = 0x250;
const IA32_MTRR_FIX16K: u32 = 0x258;
const IA32_MTRR_FIX4K: u32 = 0x268;
const IA32_PAT: u32 = 0x277;
const IA32_MTRR_DEF_TYPE: u32 = 0x2ff;
const IA32_MC0_CTL: u32 = 0x400;
const IA32_EFER: u32 = 0xc0000080;
const IA32_STAR: u32 = 0xc0000081;
const IA32_LSTAR: u32 = 0xc0000082;
const IA32_CSTAR: u32 = 0xc0000083;
const IA32_FMASK: u32 = 0xc0000084;
const IA32_FS_BASE: u32 = 0xc0000100;
const IA32_GS_BASE: u32 = 0xc0000101;
const IA32_KERNEL_GS_BASE: u32 = 0xc0000102;
const IA32_TSC_AUX: u32 = 0xc0000103;

const MC_BANKS: u32 = 4;
/** 8 variable ranges, fixed ranges, write combining. */
const MTRRCAP_VALUE: u64 = 0x508;
/** MC_BANKS banks and MCG_CTL. */
const MCG_CAP_VALUE: u64 = 0x104;
/**
 * Emulation runs nothing speculatively: RDCL_NO, IBRS_ALL, SKIP_L1DFL_VMENTRY, SSB_NO, MDS_NO, IF_PSCHANGE_MC_NO, TAA_NO,
 * SBDR_SSDP_NO, FBSDP_NO, PSDP_NO, BHI_NO, PBRSB_NO, GDS_NO, RFDS_NO, ITS_NO.
 */
const ARCH_CAPABILITIES_VALUE: u64 = 0x4000_0000_0d10_e17b;

/** Set by a read or write that no one knows. */
let unknown: bool = false;

export function timeStamp(): u64 {
  return <u64>hostReadTsc() + get64(MSR_TSC_ADJUST);
}

// @ts-ignore: decorator
@inline
function array64(field: usize, index: u32): u64 {
  return load<u64>(cpu + field + (<usize>index << 3));
}

// @ts-ignore: decorator
@inline
function setArray64(field: usize, index: u32, value: u64): void {
  store<u64>(cpu + field + (<usize>index << 3), value);
}

/** Index into MSR_MTRR_FIX, or -1. */
function fixedRange(index: u32): i32 {
  if (index == IA32_MTRR_FIX64K) return 0;
  if (index == IA32_MTRR_FIX16K || index == IA32_MTRR_FIX16K + 1) return 1 + <i32>(index - IA32_MTRR_FIX16K);
  if (index >= IA32_MTRR_FIX4K && index < IA32_MTRR_FIX4K + 8) return 3 + <i32>(index - IA32_MTRR_FIX4K);
  return -1;
}

function hostRead(index: u32): u64 {
  if (hostMsrRead(index) != 0) return get64(EXCHANGE);
  unknown = true;
  return 0;
}

function read(index: u32): u64 {
  switch (index) {
    case IA32_TSC: return timeStamp();
    case IA32_PLATFORM_ID: return 0;
    case IA32_TSC_ADJUST: return get64(MSR_TSC_ADJUST);
    case IA32_SPEC_CTRL: return get64(MSR_SPEC_CTRL);
    case IA32_BIOS_SIGN_ID: return get64(MSR_BIOS_SIGN);
    case IA32_MTRRCAP: return MTRRCAP_VALUE;
    case IA32_ARCH_CAPABILITIES: return ARCH_CAPABILITIES_VALUE;
    case IA32_SYSENTER_CS: return get64(MSR_SYSENTER_CS);
    case IA32_SYSENTER_ESP: return get64(MSR_SYSENTER_ESP);
    case IA32_SYSENTER_EIP: return get64(MSR_SYSENTER_EIP);
    case IA32_MCG_CAP: return MCG_CAP_VALUE;
    case IA32_MCG_STATUS: return get64(MSR_MCG_STATUS);
    case IA32_MCG_CTL: return get64(MSR_MCG_CTL);
    case IA32_MISC_ENABLE: return get64(MSR_MISC_ENABLE);
    case IA32_DEBUGCTL: return get64(MSR_DEBUGCTL);
    case IA32_PAT: return get64(MSR_PAT);
    case IA32_MTRR_DEF_TYPE: return get64(MSR_MTRR_DEF_TYPE);
    case IA32_EFER: return get64(EFER);
    case IA32_STAR: return get64(MSR_STAR);
    case IA32_LSTAR: return get64(MSR_LSTAR);
    case IA32_CSTAR: return get64(MSR_CSTAR);
    case IA32_FMASK: return get64(MSR_FMASK);
    case IA32_FS_BASE: return get64(SEG_BASE + 4 * 8);
    case IA32_GS_BASE: return get64(SEG_BASE + 5 * 8);
    case IA32_KERNEL_GS_BASE: return get64(MSR_KERNEL_GS_BASE);
    case IA32_TSC_AUX: return get64(MSR_TSC_AUX);
  }
  if (index - IA32_MTRR_PHYSBASE0 < 16) return array64(MSR_MTRR_VAR, index - IA32_MTRR_PHYSBASE0);
  const fixed = fixedRange(index);
  if (fixed >= 0) return array64(MSR_MTRR_FIX, fixed);
  if (index - IA32_MC0_CTL < MC_BANKS * 4) return array64(MSR_MC, index - IA32_MC0_CTL);
  return hostRead(index);
}

/** Memory types that exist: UC, WC, WT, WP, WB, and UC- for the PAT. */
function validTypes(value: u64, pat: bool): bool {
  for (let i = 0; i < 8; i++) {
    const type = <u32>value & 0xff;
    if (type > 7 || type == 2 || type == 3 || (type == 7 && !pat)) return false;
    value >>= 8;
  }
  return true;
}

/** False: #GP(0). */
function write(index: u32, value: u64): bool {
  switch (index) {
    case IA32_TSC: set64(MSR_TSC_ADJUST, value - <u64>hostReadTsc()); return true;
    case IA32_TSC_ADJUST: set64(MSR_TSC_ADJUST, value); return true;
    case IA32_SPEC_CTRL:
      // IBRS, STIBP, SSBD and BHI_DIS_S hold by themselves: nothing speculates.
      if ((value & ~(<u64>0x407)) != 0) return false;
      set64(MSR_SPEC_CTRL, value);
      return true;
    case IA32_PRED_CMD: return (value & ~(<u64>1)) == 0;
    case IA32_FLUSH_CMD: return (value & ~(<u64>1)) == 0;
    case IA32_BIOS_UPDT_TRIG: return true;
    case IA32_BIOS_SIGN_ID: set64(MSR_BIOS_SIGN, value); return true;
    case IA32_SYSENTER_CS: set64(MSR_SYSENTER_CS, value); return true;
    case IA32_SYSENTER_ESP:
      if (!isCanonical(value)) return false;
      set64(MSR_SYSENTER_ESP, value);
      return true;
    case IA32_SYSENTER_EIP:
      if (!isCanonical(value)) return false;
      set64(MSR_SYSENTER_EIP, value);
      return true;
    case IA32_MCG_STATUS:
      if ((value & ~(<u64>7)) != 0) return false;
      set64(MSR_MCG_STATUS, value);
      return true;
    case IA32_MCG_CTL:
      if (value != 0 && value != ~(<u64>0)) return false;
      set64(MSR_MCG_CTL, value);
      return true;
    case IA32_MISC_ENABLE: set64(MSR_MISC_ENABLE, value); return true;
    case IA32_DEBUGCTL:
      if ((value & ~(<u64>0xffc3)) != 0) return false;
      set64(MSR_DEBUGCTL, value);
      return true;
    case IA32_PAT:
      if (!validTypes(value, true)) return false;
      set64(MSR_PAT, value);
      return true;
    case IA32_MTRR_DEF_TYPE:
      if ((value & ~(<u64>0xcff)) != 0 || !validTypes(value & 0xff, false)) return false;
      set64(MSR_MTRR_DEF_TYPE, value);
      return true;
    case IA32_EFER: {
      const edx = cpuidExtendedEdx();
      let allowed: u64 = 0;
      if ((edx & (1 << 11)) != 0) allowed |= EFER_SCE;
      if ((edx & (1 << 20)) != 0) allowed |= EFER_NXE;
      if ((edx & (1 << 29)) != 0) allowed |= EFER_LME | EFER_SCE;
      return writeEfer(value, allowed);
    }
    case IA32_STAR: set64(MSR_STAR, value); return true;
    case IA32_LSTAR:
      if (!isCanonical(value)) return false;
      set64(MSR_LSTAR, value);
      return true;
    case IA32_CSTAR:
      if (!isCanonical(value)) return false;
      set64(MSR_CSTAR, value);
      return true;
    case IA32_FMASK:
      if (value >> 32 != 0) return false;
      set64(MSR_FMASK, value);
      return true;
    case IA32_FS_BASE:
      if (!isCanonical(value)) return false;
      set64(SEG_BASE + 4 * 8, value);
      return true;
    case IA32_GS_BASE:
      if (!isCanonical(value)) return false;
      set64(SEG_BASE + 5 * 8, value);
      return true;
    case IA32_KERNEL_GS_BASE:
      if (!isCanonical(value)) return false;
      set64(MSR_KERNEL_GS_BASE, value);
      return true;
    case IA32_TSC_AUX:
      if (value >> 32 != 0) return false;
      set64(MSR_TSC_AUX, value);
      return true;
  }
  if (index - IA32_MTRR_PHYSBASE0 < 16) {
    const at = index - IA32_MTRR_PHYSBASE0;
    if ((value >> 40) != 0) return false;
    if ((at & 1) == 0 ? (value & 0xf00) != 0 || !validTypes(value & 0xff, false) : (value & 0x7ff) != 0) return false;
    setArray64(MSR_MTRR_VAR, at, value);
    return true;
  }
  const fixed = fixedRange(index);
  if (fixed >= 0) {
    if (!validTypes(value, false)) return false;
    setArray64(MSR_MTRR_FIX, fixed, value);
    return true;
  }
  if (index - IA32_MC0_CTL < MC_BANKS * 4) {
    // CTL takes all ones or zero, the others are cleared by software.
    if ((index & 3) == 0 ? value != 0 && value != ~(<u64>0) : value != 0) return false;
    setArray64(MSR_MC, index - IA32_MC0_CTL, value);
    return true;
  }
  set64(EXCHANGE, value);
  return hostMsrWrite(index) != 0;
}

/** Registers that only exist when CPUID shows their feature. */
function hidden(index: u32): bool {
  if (index == IA32_TSC_ADJUST) return (cpuidFeature7Ebx() & 2) == 0;
  if (index == IA32_SPEC_CTRL || index == IA32_PRED_CMD) return (cpuidFeature7Edx() & (1 << 26)) == 0;
  if (index == IA32_FLUSH_CMD) return (cpuidFeature7Edx() & (1 << 28)) == 0;
  if (index == IA32_ARCH_CAPABILITIES) return (cpuidFeature7Edx() & (1 << 29)) == 0;
  return false;
}

/** RDMSR after the privilege check; #GP(0) when the register does not exist. */
export function readMsr(index: u32): u64 {
  if (hidden(index)) raiseGp0();
  unknown = false;
  const value = read(index);
  if (unknown) raiseGp0();
  return value;
}

export function writeMsr(index: u32, value: u64): void {
  if (hidden(index) || !write(index, value)) raiseGp0();
}
