// Debug registers, instruction and I/O breakpoints, single-step bookkeeping. Intel SDM volume 3 chapter 17. Data
// breakpoints are in watch.ts. Not emulated: branch trapping (DEBUGCTL.BTF acts as plain single step), LBRs.

import { setEvent } from './eflags';
import { raise, raiseGp0, VECTOR_DB, VECTOR_UD } from './fault';
import { CPL, CR4, DEBUG_PENDING, DR, EVENT_SINGLE_STEP, RIP } from './generated/layout';
import { CS, is64, segBase } from './modes';
import { cpu, get32, get64, set32, set64 } from './state';
import { tlbFlushAll } from './tlb';
import { CR4_DE } from './walk';
import { breakpointAddress, breakpointEnabled, breakpointKind, breakpointLength, dataWatched, updateWatch } from './watch';

export const DR6_BD: u64 = 0x2000;
export const DR6_BS: u64 = 0x4000;
export const DR6_BT: u64 = 0x8000;
const DR6_FIXED: u64 = 0xffff_0ff0;
const DR7_GD: u64 = 0x2000;

const DR6: usize = DR + 6 * 8;
const DR7: usize = DR + 7 * 8;

/** Enabled instruction breakpoints exist: instructions run one at a time and every boundary is looked at. */
export let codeWatched: bool = false;

/** After DR0-DR3 or DR7 changed (also by the host). */
export function updateBreakpoints(): void {
  updateWatch();
  const dr7 = get64(DR7);
  codeWatched = false;
  for (let i: u32 = 0; i < 4; i++) {
    if (breakpointEnabled(dr7, i) && breakpointKind(dr7, i) == 0) codeWatched = true;
  }
  // Data breakpoints trap right after their instruction: blocks would run on.
  if (codeWatched || dataWatched) setEvent(EVENT_SINGLE_STEP);
  tlbFlushAll();
}

/** Adds conditions to DR6; B0-B3 show the last debug exception only. */
export function reportDebug(bits: u64): void {
  const kept = (bits & 15) != 0 ? get64(DR6) & ~(<u64>15) : get64(DR6);
  set64(DR6, kept | bits | DR6_FIXED);
}

/** DR4 and DR5 are DR6 and DR7 unless CR4.DE is set. */
function register(index: u32): usize {
  if (index >= 8) raise(VECTOR_UD);
  if (index == 4 || index == 5) {
    if ((get64(CR4) & CR4_DE) != 0) raise(VECTOR_UD);
    index += 2;
  }
  if (get32(CPL) != 0) raiseGp0();
  if ((get64(DR7) & DR7_GD) != 0) {
    set64(DR7, get64(DR7) & ~DR7_GD);
    reportDebug(DR6_BD);
    raise(VECTOR_DB);
  }
  return DR + (<usize>index << 3);
}

export function readDebug(index: u32): u64 {
  return get64(register(index));
}

export function writeDebug(index: u32, value: u64): void {
  const at = register(index);
  if (at == DR6) {
    if (value >> 32 != 0) raiseGp0();
    set64(DR6, (value & 0xe00f) | DR6_FIXED);
    return;
  }
  if (at == DR7) {
    if (value >> 32 != 0) raiseGp0();
    set64(DR7, (value & 0xffff_23ff) | 0x400);
  } else {
    set64(at, value);
  }
  updateBreakpoints();
}

/** DR6 bits of instruction breakpoints at RIP, 0 when none is enabled there. */
export function codeBreakpoint(): u64 {
  const dr7 = get64(DR7);
  let linear = segBase(CS) + get64(RIP);
  if (!is64()) linear &= 0xffffffff;
  let hits: u64 = 0;
  let enabled = false;
  for (let i: u32 = 0; i < 4; i++) {
    if (breakpointKind(dr7, i) != 0 || breakpointAddress(i) != linear) continue;
    hits |= <u64>1 << <u64>i;
    if (breakpointEnabled(dr7, i)) enabled = true;
  }
  return enabled ? hits : 0;
}

/** Notes I/O breakpoints (kind 2, only with CR4.DE) for the #DB trap after the instruction. */
export function ioBreakpoint(port: u32, size: u32): void {
  const dr7 = get64(DR7);
  if ((dr7 & 0xff) == 0 || (get64(CR4) & CR4_DE) == 0) return;
  let hits: u32 = 0;
  let enabled = false;
  for (let i: u32 = 0; i < 4; i++) {
    if (breakpointKind(dr7, i) != 2) continue;
    const length = breakpointLength(dr7, i);
    const start = breakpointAddress(i) & ~(length - 1);
    if (<u64>port < start + length && start < <u64>(port + size)) {
      hits |= 1 << i;
      if (breakpointEnabled(dr7, i)) enabled = true;
    }
  }
  if (!enabled) return;
  set32(DEBUG_PENDING, get32(DEBUG_PENDING) | hits);
  setEvent(EVENT_SINGLE_STEP);
}
