// Power-on and INIT state. Intel SDM volume 3, table 9-1.

import { updateBreakpoints } from './debug';
import {
  ACTIVITY, CC_AUX, CC_RESULT, CPL, CPUID_TABLE, CR0, CR2, CR3, CR4, DEBUG_PENDING, DELIVERING, DR, EFER, EFLAGS_SYSTEM, EVENTS_HELD,
  FPU_CW, FPU_DP, FPU_IP, FPU_OPCODE, FPU_REG, FPU_SW, FPU_TAG, FPU_TOP, GDTR_BASE, GDTR_LIMIT, GPR, IDTR_BASE, IDTR_LIMIT, MONITOR_ARMED,
  MSR_BIOS_SIGN, MSR_CSTAR, MSR_DEBUGCTL, MSR_FMASK, MSR_KERNEL_GS_BASE, MSR_LSTAR, MSR_MC, MSR_MCG_CTL, MSR_MCG_STATUS, MSR_MISC_ENABLE,
  MSR_MTRR_DEF_TYPE, MSR_MTRR_FIX, MSR_MTRR_VAR, MSR_PAT, MSR_SPEC_CTRL, MSR_STAR, MSR_SYSENTER_CS, MSR_SYSENTER_EIP, MSR_SYSENTER_ESP,
  MSR_TSC_ADJUST, MSR_TSC_AUX, MXCSR, NMI_BLOCKED, PDPTE, RIP, SHADOW, STEP_STATE, XCR0, XMM,
} from './generated/layout';
import { cpuid, cpuidEax, cpuidExtendedEdx } from './cpuid';
import { setExternalBit } from './fault';
import { AR_P, CS, DS, ES, FS, GS, LDTR, SS, TR, updateAllSegmentEnds, updateCodeMode } from './modes';
import { setSegment } from './segments';
import { cpu, get32, get64, set32, set64, setReg64 } from './state';
import { tlbFlushAll, updateTlbActive } from './tlb';
import { setGigabytePages } from './walk';

const RDX: u32 = 2;
/** Fast strings, no branch trace, no PEBS, MONITOR. */
const MISC_ENABLE_RESET: u64 = 0x41801;
const PAT_RESET: u64 = 0x0007_0406_0007_0406;

/** @param init INIT keeps caches, x87, SSE, MSRs and TSC; a reset sets everything */
export function resetCpu(init: bool): void {
  memory.fill(cpu + GPR, 0, 16 * 8);
  cpuid(1, 0);
  setReg64(RDX, <u64>cpuidEax);
  setGigabytePages((cpuidExtendedEdx() & (1 << 26)) != 0);
  set64(CC_RESULT, 1);
  // PF is clear: result 1 has odd parity.
  set64(CC_AUX, 0);
  set32(EFLAGS_SYSTEM, 2);
  set32(CPL, 0);
  const cached = init ? get64(CR0) & 0x6000_0000 : 0x6000_0000;
  set64(EFER, 0);
  set64(CR0, 0x10 | cached);
  set64(CR2, 0);
  set64(CR3, 0);
  set64(CR4, 0);
  memory.fill(cpu + PDPTE, 0, 32);
  updateCodeMode();
  setSegment(CS, 0xf000, 0xffff0000, 0xffff, 0x93);
  setSegment(ES, 0, 0, 0xffff, 0x93);
  setSegment(SS, 0, 0, 0xffff, 0x93);
  setSegment(DS, 0, 0, 0xffff, 0x93);
  setSegment(FS, 0, 0, 0xffff, 0x93);
  setSegment(GS, 0, 0, 0xffff, 0x93);
  setSegment(LDTR, 0, 0, 0xffff, AR_P | 2);
  setSegment(TR, 0, 0, 0xffff, AR_P | 11);
  updateAllSegmentEnds();
  set64(GDTR_BASE, 0);
  set32(GDTR_LIMIT, 0xffff);
  set64(IDTR_BASE, 0);
  set32(IDTR_LIMIT, 0xffff);
  set64(RIP, 0xfff0);
  memory.fill(cpu + DR, 0, 8 * 8);
  set64(DR + 6 * 8, 0xffff0ff0);
  set64(DR + 7 * 8, 0x400);
  set32(SHADOW, 0);
  set32(STEP_STATE, 0);
  set32(DEBUG_PENDING, 0);
  set32(DELIVERING, -1);
  set32(ACTIVITY, 0);
  set32(NMI_BLOCKED, 0);
  set32(EVENTS_HELD, 0);
  set32(MONITOR_ARMED, 0);
  setExternalBit(0);
  if (!init) resetRest();
  updateTlbActive();
  updateBreakpoints();
  tlbFlushAll();
}

function resetRest(): void {
  memory.fill(cpu + FPU_REG, 0, 8 * 16);
  set32(FPU_CW, 0x40);
  set32(FPU_SW, 0);
  set32(FPU_TOP, 0);
  // A reset leaves the tags valid (zero), unlike FNINIT.
  set32(FPU_TAG, 0x5555);
  set32(FPU_OPCODE, 0);
  set64(FPU_IP, 0);
  set64(FPU_DP, 0);
  set32(MXCSR, 0x1f80);
  memory.fill(cpu + XMM, 0, 16 * 16);
  set64(XCR0, 1);
  set64(MSR_STAR, 0);
  set64(MSR_LSTAR, 0);
  set64(MSR_CSTAR, 0);
  set64(MSR_FMASK, 0);
  set64(MSR_KERNEL_GS_BASE, 0);
  set64(MSR_SYSENTER_CS, 0);
  set64(MSR_SYSENTER_ESP, 0);
  set64(MSR_SYSENTER_EIP, 0);
  set64(MSR_TSC_AUX, 0);
  set64(MSR_TSC_ADJUST, 0);
  set64(MSR_PAT, PAT_RESET);
  set64(MSR_MISC_ENABLE, MISC_ENABLE_RESET);
  set64(MSR_MTRR_DEF_TYPE, 0);
  memory.fill(cpu + MSR_MTRR_FIX, 0, 11 * 8);
  memory.fill(cpu + MSR_MTRR_VAR, 0, 16 * 8);
  set64(MSR_DEBUGCTL, 0);
  set64(MSR_MCG_STATUS, 0);
  set64(MSR_MCG_CTL, 0);
  memory.fill(cpu + MSR_MC, 0, 16 * 8);
  set64(MSR_SPEC_CTRL, 0);
  set64(MSR_BIOS_SIGN, 0x1_0000_0000);
}
