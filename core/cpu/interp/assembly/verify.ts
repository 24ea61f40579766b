// Instructions that ask about selectors without loading them: LAR, LSL, VERR, VERW, ARPL. #UD in real and virtual-8086
// mode.

import { raise, VECTOR_UD } from './fault';
import { setZero } from './flags';
import { CPL } from './generated/layout';
import { loadSystem } from './memory';
import { AR_CODE, AR_EC, AR_RW, AR_S, isLong, isProtected } from './modes';
import { descriptorAddress, NO_DESCRIPTOR, rawDpl, rawLimit, rawType } from './segments';
import { get32 } from './state';

/** The descriptor, or 0 when the selector is null or outside its table. */
function peek(selector: u32): u64 {
  if ((selector & 0xfffc) == 0) return 0;
  const address = descriptorAddress(selector);
  return address == NO_DESCRIPTOR ? 0 : loadSystem(address, 8);
}

function visible(raw: u64, selector: u32): bool {
  const type = rawType(raw);
  if ((type & (AR_S | AR_CODE | AR_EC)) == (AR_S | AR_CODE | AR_EC)) return true;
  const dpl = rawDpl(raw);
  return dpl >= get32(CPL) && dpl >= (selector & 3);
}

/** Value of the last successful LAR or LSL. */
export let verified: u32 = 0;

/** LAR: sets ZF; true when `verified` holds the access rights. */
export function loadAccessRights(selector: u32): bool {
  if (!isProtected()) raise(VECTOR_UD);
  const raw = peek(selector);
  let valid = raw != 0 && visible(raw, selector);
  const type = rawType(raw);
  // Of the system types: TSS, LDT, call and task gates; in IA-32e mode only LDT, 64-bit TSS and call gates.
  if (valid && (type & AR_S) == 0) {
    const known: u32 = isLong() ? 0x1a04 : 0x1a3e;
    valid = ((known >> type) & 1) != 0;
  }
  setZero(valid);
  if (valid) verified = <u32>(raw >> 32) & 0x00f0_ff00;
  return valid;
}

/** LSL. */
export function loadSegmentLimit(selector: u32): bool {
  if (!isProtected()) raise(VECTOR_UD);
  const raw = peek(selector);
  let valid = raw != 0 && visible(raw, selector);
  const type = rawType(raw);
  if (valid && (type & AR_S) == 0) {
    const known: u32 = isLong() ? 0x0a04 : 0x0a0e;
    valid = ((known >> type) & 1) != 0;
  }
  setZero(valid);
  if (valid) verified = rawLimit(raw);
  return valid;
}

export function verifyAccess(selector: u32, write: bool): void {
  if (!isProtected()) raise(VECTOR_UD);
  const raw = peek(selector);
  const type = rawType(raw);
  let valid = raw != 0 && (type & AR_S) != 0 && visible(raw, selector);
  if (valid) {
    if (write) valid = (type & (AR_CODE | AR_RW)) == AR_RW;
    else valid = (type & (AR_CODE | AR_RW)) != AR_CODE;
  }
  setZero(valid);
}
