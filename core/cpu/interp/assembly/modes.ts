// Which mode the processor is in, and the bookkeeping that follows from changes of privilege and code size.

import { refreshPdptes } from './control';
import { setEvent } from './eflags';
import { setExternalBit } from './fault';
import { FLAG_VM } from './flags';
import {
  CODE_MODE, CPL, CR0, DEBUG_PENDING, EFER, EFLAGS_SYSTEM, EVENT_SINGLE_STEP, JIT_CONTEXT, MONITOR_ARMED, SEG_ACCESS, SEG_BASE, SEG_LIMIT, SEG_READ_END, SEG_SAVED_BASE, SEG_WRITE_END, STEP_STATE,
} from './generated/layout';
import { cpu, get32, get64, set32 } from './state';
import { updateTlbActive } from './tlb';
import { CR0_PE, EFER_LMA } from './walk';

export const ES: u32 = 0;
export const CS: u32 = 1;
export const SS: u32 = 2;
export const DS: u32 = 3;
export const FS: u32 = 4;
export const GS: u32 = 5;
export const LDTR: u32 = 6;
export const TR: u32 = 7;

/** Bits of SEG_ACCESS. */
export const AR_ACCESSED: u32 = 1;
/** Writable data, readable code. */
export const AR_RW: u32 = 2;
/** Expand-down data, conforming code. */
export const AR_EC: u32 = 4;
export const AR_CODE: u32 = 8;
export const AR_S: u32 = 0x10;
export const AR_P: u32 = 0x80;
export const AR_L: u32 = 0x2000;
export const AR_DB: u32 = 0x4000;
export const AR_G: u32 = 0x8000;
export const AR_UNUSABLE: u32 = 0x10000;

const NO_LIMIT: u64 = ~(<u64>0);

// @ts-ignore: decorator
@inline
export function isReal(): bool {
  return (get64(CR0) & CR0_PE) == 0;
}

// @ts-ignore: decorator
@inline
export function isV86(): bool {
  return (get32(EFLAGS_SYSTEM) & FLAG_VM) != 0;
}

/** Protected mode proper: neither real nor virtual-8086. */
// @ts-ignore: decorator
@inline
export function isProtected(): bool {
  return (get64(CR0) & CR0_PE) != 0 && (get32(EFLAGS_SYSTEM) & FLAG_VM) == 0;
}

/** IA-32e mode, 64-bit or compatibility. */
// @ts-ignore: decorator
@inline
export function isLong(): bool {
  return (get64(EFER) & EFER_LMA) != 0;
}

/** Executing 64-bit code. */
// @ts-ignore: decorator
@inline
export function is64(): bool {
  return (get32(CODE_MODE) & 3) == 2;
}

// @ts-ignore: decorator
@inline
export function segBase(seg: u32): u64 {
  return load<u64>(cpu + (<usize>seg << 3), SEG_BASE);
}

// @ts-ignore: decorator
@inline
export function segAccess(seg: u32): u32 {
  return load<u32>(cpu + (<usize>seg << 2), SEG_ACCESS);
}

// @ts-ignore: decorator
@inline
export function segLimit(seg: u32): u32 {
  return load<u32>(cpu + (<usize>seg << 2), SEG_LIMIT);
}

/** JIT_CONTEXT: segments that are not flat; registers may have upper halves left over from 64-bit code. */
const CONTEXT_ES: u32 = 0x20;
const CONTEXT_SS: u32 = 0x40;
const CONTEXT_DS: u32 = 0x80;
const CONTEXT_UPPER: u32 = 0x100;

/** Recomputes SEG_READ_END and SEG_WRITE_END of one segment. */
export function updateSegmentEnds(seg: u32): void {
  const access = segAccess(seg);
  const end = <u64>segLimit(seg) + 1;
  let readEnd: u64 = 0;
  let writeEnd: u64 = 0;
  if (is64()) {
    readEnd = writeEnd = NO_LIMIT;
  } else if (!isProtected()) {
    // Real and virtual-8086 mode check the limit only.
    readEnd = writeEnd = end;
  } else if ((access & AR_UNUSABLE) == 0) {
    if ((access & AR_CODE) != 0) {
      if ((access & AR_RW) != 0) readEnd = end;
    } else if ((access & AR_EC) == 0) {
      readEnd = end;
      if ((access & AR_RW) != 0) writeEnd = end;
    }
  }
  store<u64>(cpu + (<usize>seg << 3), readEnd, SEG_READ_END);
  store<u64>(cpu + (<usize>seg << 3), writeEnd, SEG_WRITE_END);
  if (seg == ES || seg == SS || seg == DS) {
    const bit: u32 = seg == ES ? CONTEXT_ES : seg == SS ? CONTEXT_SS : CONTEXT_DS;
    const flat = is64() || (segBase(seg) == 0 && readEnd == 0x100000000 && writeEnd == 0x100000000);
    set32(JIT_CONTEXT, (get32(JIT_CONTEXT) & ~bit) | (flat ? 0 : bit));
  }
}

export function updateAllSegmentEnds(): void {
  for (let seg: u32 = 0; seg < 6; seg++) updateSegmentEnds(seg);
}

/** Recomputes CODE_MODE after CS, SS, EFER.LMA or the mode changed, and what depends on being in 64-bit code. */
export function updateCodeMode(): void {
  const access = segAccess(CS);
  const old = get32(CODE_MODE);
  let mode: u32;
  if (isLong() && (access & AR_L) != 0) mode = 2;
  else mode = ((access & AR_DB) != 0 ? 1 : 0) | ((segAccess(SS) & AR_DB) != 0 ? 4 : 0);
  set32(CODE_MODE, mode);
  // What compiled regions rely on, see JIT_CONTEXT in core/cpu/isa/layout.ts.
  const flat = mode == 2 || (segBase(CS) == 0 && segLimit(CS) == 0xffffffff);
  set32(JIT_CONTEXT, (get32(JIT_CONTEXT) & ~(<u32>0x1f)) | mode | (isProtected() ? 0 : 8) | (flat ? 0 : 16));
  const was64 = (old & 3) == 2;
  if (was64 && mode != 2) set32(JIT_CONTEXT, get32(JIT_CONTEXT) | CONTEXT_UPPER);
  if (was64 == (mode == 2)) return;
  for (let seg: usize = 0; seg < 4; seg++) {
    const at = cpu + (seg << 3);
    if (was64) {
      store<u64>(at, load<u64>(at, SEG_SAVED_BASE), SEG_BASE);
    } else {
      store<u64>(at, load<u64>(at, SEG_BASE), SEG_SAVED_BASE);
      store<u64>(at, 0, SEG_BASE);
    }
  }
  updateAllSegmentEnds();
}

export function setCpl(cpl: u32): void {
  if (get32(CPL) == cpl) return;
  set32(CPL, cpl);
  updateTlbActive();
}

/** After the host wrote registers (state restored, reset): recomputes everything derived. CPL and TLB must be set. */
export function refreshDerived(): void {
  const access = segAccess(CS);
  // Bases of the canonical form are those of the descriptors: fold them before the mode is computed.
  set32(CODE_MODE, 0);
  updateCodeMode();
  if (!(isLong() && (access & AR_L) != 0)) updateAllSegmentEnds();
  set32(JIT_CONTEXT, get32(JIT_CONTEXT) | CONTEXT_UPPER);
  updateTlbActive();
  refreshPdptes();
  set32(STEP_STATE, 0);
  set32(DEBUG_PENDING, 0);
  set32(MONITOR_ARMED, 0);
  setExternalBit(0);
  // The next boundary looks at TF, RF and the shadow.
  setEvent(EVENT_SINGLE_STEP);
}
