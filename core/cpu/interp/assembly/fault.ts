// Faults: what went wrong goes into the register file, then the host unwinds the WebAssembly frames and calls
// deliverFault() (interrupt.ts). Nothing here returns. Vectors as in the Intel SDM volume 3, chapter 6.

import { hostUnwind } from './env';
import { CR2, FAULT_ADDRESS, FAULT_ERROR, FAULT_KIND, FAULT_VECTOR } from './generated/layout';
import { set32, set64 } from './state';

export const VECTOR_DE: i32 = 0;
export const VECTOR_DB: i32 = 1;
export const VECTOR_NMI: i32 = 2;
export const VECTOR_BP: i32 = 3;
export const VECTOR_OF: i32 = 4;
export const VECTOR_BR: i32 = 5;
export const VECTOR_UD: i32 = 6;
export const VECTOR_NM: i32 = 7;
export const VECTOR_DF: i32 = 8;
export const VECTOR_TS: i32 = 10;
export const VECTOR_NP: i32 = 11;
export const VECTOR_SS: i32 = 12;
export const VECTOR_GP: i32 = 13;
export const VECTOR_PF: i32 = 14;
export const VECTOR_MF: i32 = 16;
export const VECTOR_AC: i32 = 17;
export const VECTOR_MC: i32 = 18;
export const VECTOR_XM: i32 = 19;

/** Bits of FAULT_KIND. */
export const FAULT_HAS_CODE: u32 = 1;
export const FAULT_SOFTWARE: u32 = 2;
export const FAULT_TRAP: u32 = 4;

/** Bit 0 of selector error codes while an event from outside the program is being delivered. */
export let externalBit: u32 = 0;

export function setExternalBit(value: u32): void {
  externalBit = value;
}

function fault(vector: i32, code: u32, kind: u32): void {
  set32(FAULT_VECTOR, vector);
  set32(FAULT_ERROR, code);
  set32(FAULT_KIND, kind);
  hostUnwind();
  unreachable();
}

/** A fault without an error code. */
export function raise(vector: i32): void {
  fault(vector, 0, 0);
}

export function raiseWithCode(vector: i32, code: u32): void {
  fault(vector, code, FAULT_HAS_CODE);
}

/** #TS, #NP, #SS or #GP about a selector: its index and TI bit, and EXT. */
export function raiseSelector(vector: i32, selector: u32): void {
  fault(vector, (selector & 0xfffc) | externalBit, FAULT_HAS_CODE);
}

/** #GP(0), or #GP(EXT) while an event is being delivered. */
export function raiseGp0(): void {
  fault(VECTOR_GP, externalBit, FAULT_HAS_CODE);
}

export function raisePageFault(linear: u64, code: u32): void {
  set64(CR2, linear);
  set64(FAULT_ADDRESS, linear);
  fault(VECTOR_PF, code, FAULT_HAS_CODE);
}

/** A trap: the instruction in CURRENT_OP counts as done and RIP of the next one is saved. */
export function raiseTrap(vector: i32): void {
  fault(vector, 0, FAULT_TRAP);
}
