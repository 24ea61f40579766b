// Control registers and mode transitions, descriptor-table registers, LDTR and TR. Intel SDM volume 3 chapters 2, 4.1, 9.8.
// Not offered and therefore reserved in CR4: PCIDE, LA57, VMXE, SMXE, PKE, CET.

import { raise, raiseGp0, raiseSelector, VECTOR_GP, VECTOR_NP, VECTOR_UD } from './fault';
import { hostCr8Read, hostCr8Write } from './env';
import {
  A20_MASK, CPL, CR0, CR2, CR3, CR4, EFER, GDTR_BASE, GDTR_LIMIT, IDTR_BASE, IDTR_LIMIT, PDPTE,
} from './generated/layout';
import { loadSystem, loadSystem8, storeSystem8 } from './memory';
import { AR_L, AR_P, AR_UNUSABLE, CS, is64, isLong, isProtected, LDTR, segAccess, TR, updateAllSegmentEnds, updateCodeMode } from './modes';
import { physicalRead } from './physical';
import {
  descriptorAddress, NO_DESCRIPTOR, rawAccess, rawBase, rawLimit, rawPresent, rawType, setSegment,
} from './segments';
import { cpu, get32, get64, set32, set64 } from './state';
import { isCanonical, tlbFlushAll, tlbFlushNonGlobal, updateTlbActive } from './tlb';
import {
  CR0_CD, CR0_ET, CR0_NW, CR0_PE, CR0_PG, CR0_TS, CR0_WP, CR4_DE, CR4_FSGSBASE, CR4_MCE, CR4_OSFXSR, CR4_OSXMMEXCPT, CR4_OSXSAVE, CR4_PAE,
  CR4_PCE, CR4_PGE, CR4_PSE, CR4_PVI, CR4_SMAP, CR4_SMEP, CR4_TSD, CR4_UMIP, CR4_VME, EFER_LMA, EFER_LME, EFER_NXE,
} from './walk';
import { cpuidFeature7Ebx, cpuidFeature7Ecx } from './cpuid';

export { checkIoPermission } from './io-permission';

const CR0_BITS: u64 = 0xe005_003f;
const PHYSICAL_HIGH: u64 = 0xffff_ff00_0000_0000;
const CR4_ALWAYS: u64 = CR4_VME | CR4_PVI | CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_MCE | CR4_PGE | CR4_PCE | CR4_OSFXSR
  | CR4_OSXMMEXCPT | CR4_OSXSAVE;

/** Raises #GP(0) unless at level 0. */
export function requireLevel0(): void {
  if (get32(CPL) != 0) raiseGp0();
}

/** Reads the four PDPTEs of PAE paging; #GP(0) when a present one has reserved bits set. */
export function loadPdptes(cr3: u64): void {
  const base = cr3 & 0xffffffe0 & get64(A20_MASK);
  for (let i: u32 = 0; i < 4; i++) {
    const entry = physicalRead(base + <u64>(i * 8), 8);
    if ((entry & 1) != 0 && (entry & (PHYSICAL_HIGH | 0x1e6)) != 0) raiseGp0();
  }
  for (let i: u32 = 0; i < 4; i++) {
    store<u64>(cpu + (<usize>i << 3), physicalRead(base + <u64>(i * 8), 8), PDPTE);
  }
}

/** Reads the PDPTEs again without checks, after a state was restored. */
export function refreshPdptes(): void {
  if ((get64(CR0) & CR0_PG) == 0 || (get64(CR4) & CR4_PAE) == 0 || isLong()) return;
  const base = get64(CR3) & 0xffffffe0 & get64(A20_MASK);
  for (let i: u32 = 0; i < 4; i++) {
    store<u64>(cpu + (<usize>i << 3), physicalRead(base + <u64>(i * 8), 8), PDPTE);
  }
}

/** CR3 takes a value: PDPTEs are read when PAE paging is on, and what is not global leaves the TLB. */
export function writePageTableBase(value: u64): void {
  if (isLong()) {
    if ((value & PHYSICAL_HIGH) != 0) raiseGp0();
  } else {
    value &= 0xffffffff;
    if ((get64(CR0) & CR0_PG) != 0 && (get64(CR4) & CR4_PAE) != 0) loadPdptes(value);
  }
  set64(CR3, value);
  tlbFlushNonGlobal();
}

export function writeCr0(value: u64): void {
  if (value >> 32 != 0) raiseGp0();
  value = (value & CR0_BITS) | CR0_ET;
  const old = get64(CR0);
  const changed = old ^ value;
  if ((value & CR0_PG) != 0 && (value & CR0_PE) == 0) raiseGp0();
  if ((value & CR0_NW) != 0 && (value & CR0_CD) == 0) raiseGp0();
  let efer = get64(EFER);
  if ((changed & CR0_PG) != 0) {
    if ((value & CR0_PG) != 0) {
      if ((efer & EFER_LME) != 0) {
        if ((get64(CR4) & CR4_PAE) == 0 || (segAccess(CS) & AR_L) != 0) raiseGp0();
        efer |= EFER_LMA;
      }
    } else {
      if (is64()) raiseGp0();
      efer &= ~EFER_LMA;
    }
  }
  if ((changed & (CR0_PG | CR0_CD | CR0_NW)) != 0 && (value & CR0_PG) != 0 && (efer & EFER_LMA) == 0 && (get64(CR4) & CR4_PAE) != 0) {
    loadPdptes(get64(CR3));
  }
  set64(CR0, value);
  set64(EFER, efer);
  if ((changed & (CR0_PG | CR0_PE | CR0_WP)) != 0) tlbFlushAll();
  if ((changed & CR0_PE) != 0 && (value & CR0_PE) == 0) set32(CPL, 0);
  updateTlbActive();
  updateCodeMode();
  if ((changed & CR0_PE) != 0) updateAllSegmentEnds();
}

export function cr4Allowed(): u64 {
  let allowed = CR4_ALWAYS;
  const ebx = cpuidFeature7Ebx();
  if ((ebx & 1) != 0) allowed |= CR4_FSGSBASE;
  if ((ebx & 0x80) != 0) allowed |= CR4_SMEP;
  if ((ebx & 0x100000) != 0) allowed |= CR4_SMAP;
  if ((cpuidFeature7Ecx() & 4) != 0) allowed |= CR4_UMIP;
  return allowed;
}

export function writeCr4(value: u64): void {
  if ((value & ~cr4Allowed()) != 0) raiseGp0();
  const changed = get64(CR4) ^ value;
  if (isLong() && (value & CR4_PAE) == 0) raiseGp0();
  if ((changed & (CR4_PAE | CR4_PGE | CR4_PSE | CR4_SMEP)) != 0 && (value & CR4_PAE) != 0 && (get64(CR0) & CR0_PG) != 0 && !isLong()) {
    loadPdptes(get64(CR3));
  }
  set64(CR4, value);
  if ((changed & (CR4_PAE | CR4_PGE | CR4_PSE | CR4_SMEP | CR4_SMAP)) != 0) tlbFlushAll();
  updateTlbActive();
}

/** MOV from CR: #UD for registers that do not exist. */
export function readControl(index: u32): u64 {
  if (index != 0 && index != 2 && index != 3 && index != 4 && index != 8) raise(VECTOR_UD);
  requireLevel0();
  switch (index) {
    case 0: return get64(CR0);
    case 2: return get64(CR2);
    case 3: return get64(CR3);
    case 4: return get64(CR4);
    default: return <u64>hostCr8Read();
  }
}

export function writeControl(index: u32, value: u64): void {
  if (index != 0 && index != 2 && index != 3 && index != 4 && index != 8) raise(VECTOR_UD);
  requireLevel0();
  switch (index) {
    case 0: writeCr0(value); break;
    case 2: set64(CR2, value); break;
    case 3: writePageTableBase(value); break;
    case 4: writeCr4(value); break;
    default:
      if (value > 15) raiseGp0();
      hostCr8Write(<u32>value);
  }
}

/** LMSW: PE may be set but not cleared. */
export function loadMachineStatus(value: u32): void {
  requireLevel0();
  const old = get64(CR0);
  writeCr0((old & ~(<u64>14)) | <u64>(value & 15) | (old & CR0_PE));
}

export function clearTaskSwitched(): void {
  requireLevel0();
  set64(CR0, get64(CR0) & ~CR0_TS);
}

export function loadTableRegister(interrupt: bool, base: u64, limit: u32): void {
  if (is64() && !isCanonical(base)) raiseGp0();
  if (interrupt) {
    set64(IDTR_BASE, base);
    set32(IDTR_LIMIT, limit);
  } else {
    set64(GDTR_BASE, base);
    set32(GDTR_LIMIT, limit);
  }
}

/** Base of a 16-byte system descriptor of IA-32e mode; #GP(selector) when not canonical. */
function wideBase(address: u64, raw: u64, selector: u32): u64 {
  const upper = loadSystem(address + 8, 8);
  if ((upper & 0x1f00_0000_0000) != 0) raiseSelector(VECTOR_GP, selector);
  const base = rawBase(raw) | (upper << 32);
  if (!isCanonical(base)) raiseSelector(VECTOR_GP, selector);
  return base;
}

/** LLDT. */
export function loadLocalTable(selector: u32): void {
  if (!isProtected()) raise(VECTOR_UD);
  requireLevel0();
  if ((selector & 0xfffc) == 0) {
    setSegment(LDTR, selector, 0, 0, AR_UNUSABLE | AR_P | 2);
    return;
  }
  const long = isLong();
  if ((selector & 4) != 0) raiseSelector(VECTOR_GP, selector);
  const address = descriptorAddress(selector, long ? 16 : 8);
  if (address == NO_DESCRIPTOR) raiseSelector(VECTOR_GP, selector);
  const raw = loadSystem(address, 8);
  if (rawType(raw) != 2) raiseSelector(VECTOR_GP, selector);
  if (!rawPresent(raw)) raiseSelector(VECTOR_NP, selector);
  const base = long ? wideBase(address, raw, selector) : rawBase(raw);
  setSegment(LDTR, selector, base, rawLimit(raw), rawAccess(raw));
}

/** LTR: the descriptor becomes busy. */
export function loadTaskRegister(selector: u32): void {
  if (!isProtected()) raise(VECTOR_UD);
  requireLevel0();
  if ((selector & 0xfffc) == 0) raiseGp0();
  const long = isLong();
  if ((selector & 4) != 0) raiseSelector(VECTOR_GP, selector);
  const address = descriptorAddress(selector, long ? 16 : 8);
  if (address == NO_DESCRIPTOR) raiseSelector(VECTOR_GP, selector);
  const raw = loadSystem(address, 8);
  const type = rawType(raw);
  if (type != 9 && (type != 1 || long)) raiseSelector(VECTOR_GP, selector);
  if (!rawPresent(raw)) raiseSelector(VECTOR_NP, selector);
  const base = long ? wideBase(address, raw, selector) : rawBase(raw);
  storeSystem8(address + 5, loadSystem8(address + 5) | 2);
  setSegment(TR, selector, base, rawLimit(raw), rawAccess(raw) | 2);
}

/** EFER as WRMSR writes it. False: #GP(0). */
export function writeEfer(value: u64, allowed: u64): bool {
  const old = get64(EFER);
  if ((value & ~(allowed | EFER_LMA)) != 0) return false;
  if (((old ^ value) & EFER_LME) != 0 && (get64(CR0) & CR0_PG) != 0) return false;
  set64(EFER, (value & ~EFER_LMA) | (old & EFER_LMA));
  if (((old ^ value) & EFER_NXE) != 0) tlbFlushAll();
  return true;
}
