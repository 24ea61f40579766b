// The x87's registers in the register file: stack access, tags, exception bookkeeping, last-instruction pointers, and the
// checks before an instruction (#NM, pending #MF or FERR).

import { hostAcknowledgeInterrupt, hostNotify } from './env';
import {
  FLAG_C1, FLAG_STACK, f80Begin, f80Exp, f80Flags, f80IsSignaling, f80NanOperand, f80SetDefaultNan, f80Sig, f80Unmasked,
} from './f80';
import { raise } from './fault';
import {
  CC_AUX, CC_RESULT, CR0, EFLAGS_SYSTEM, EVENT_INTR, EVENTS, FPU_CS, FPU_CW, FPU_DP, FPU_DS, FPU_IP,
  FPU_OPCODE, FPU_REG, FPU_SW, FPU_TAG, FPU_TOP, SEG_SELECTOR, SHADOW,
} from './generated/layout';
import { probeWrite } from './memory';
import { nextRip, offset, opImm, opLength, opOpcode, opSeg } from './op';
import { FLAG_INVALID } from './softfloat';
import { cpu } from './state';

const CR0_EM_TS: u64 = 0xc;
const CR0_NE: u64 = 0x20;
const EFLAGS_IF: u32 = 0x200;
const SW_ES: u32 = 0x80;
const SW_BUSY: u32 = 0x8000;
/** hostNotify kind: the FERR pin went active. */
const NOTIFY_FERR: u32 = 1;
const VECTOR_NM: i32 = 7;
const VECTOR_MF: i32 = 16;

/** #NM when the task switched or the FPU is to be emulated. */
// @ts-ignore: decorator
@inline
export function checkAvailable(): void {
  if ((load<u64>(cpu, CR0) & CR0_EM_TS) != 0) raise(VECTOR_NM);
}

/** Waiting instructions report an exception that an earlier one left pending. */
// @ts-ignore: decorator
@inline
export function checkPending(): void {
  if ((load<u32>(cpu, FPU_SW) & SW_ES) != 0) reportPending();
}

/**
 * #MF; or, with CR0.NE clear, what the FERR pin leads to: the processor stands still before the instruction until an interrupt
 * comes, usually IRQ 13, which signal() asked for. One that waits is taken here, as a fault: its handler returns to this
 * instruction. When none can come (masked, or IGNNE: the handler has answered through port F0h) the instruction goes on.
 */
function reportPending(): void {
  if ((load<u64>(cpu, CR0) & CR0_NE) != 0) raise(VECTOR_MF);
  if ((load<i32>(cpu, EVENTS) & EVENT_INTR) == 0 || (load<u32>(cpu, EFLAGS_SYSTEM) & EFLAGS_IF) == 0 || load<u32>(cpu, SHADOW) != 0) return;
  const vector = hostAcknowledgeInterrupt();
  if (vector >= 0) raise(vector & 0xff);
}

/** Faults as a write of all bytes would, without the alignment check of one access of that size: the stores make their own. */
export function probeRange(at: u64, bytes: u32): void {
  probeWrite(at, 1);
  const last = at + <u64>bytes - 1;
  if (((at ^ last) & ~(<u64>0xfff)) != 0) probeWrite(last & ~(<u64>0xfff), 1);
}

/** Both checks and the start of a computation. */
// @ts-ignore: decorator
@inline
export function enter(): void {
  checkAvailable();
  checkPending();
  f80Begin(load<u32>(cpu, FPU_CW));
}

/** Records the instruction; call once nothing can fault any more. */
// @ts-ignore: decorator
@inline
export function note(op: usize): void {
  store<u64>(cpu, nextRip(op) - <u64>opLength(op), FPU_IP);
  store<u32>(cpu, load<u32>(cpu, SEG_SELECTOR + 4), FPU_CS);
  store<u32>(cpu, ((opOpcode(op) & 7) << 8) | (<u32>opImm(op) & 0xff), FPU_OPCODE);
}

/** The same with a memory operand. */
export function noteMemory(op: usize): void {
  note(op);
  store<u64>(cpu, offset(op), FPU_DP);
  store<u32>(cpu, load<u32>(cpu + (<usize>opSeg(op) << 2), SEG_SELECTOR), FPU_DS);
}

// @ts-ignore: decorator
@inline
export function top(): u32 {
  return load<u32>(cpu, FPU_TOP);
}

/** Address of ST(i), less FPU_REG. */
// @ts-ignore: decorator
@inline
function slot(i: u32): usize {
  return cpu + (<usize>((load<u32>(cpu, FPU_TOP) + i) & 7) << 4);
}

// @ts-ignore: decorator
@inline
export function stSig(i: u32): u64 {
  return load<u64>(slot(i), FPU_REG);
}

/** Sign and exponent of ST(i). */
// @ts-ignore: decorator
@inline
export function stExp(i: u32): u32 {
  return load<u16>(slot(i), FPU_REG + 8);
}

// @ts-ignore: decorator
@inline
export function isEmpty(i: u32): bool {
  return ((load<u32>(cpu, FPU_TAG) >> (((load<u32>(cpu, FPU_TOP) + i) & 7) << 1)) & 3) == 3;
}

/** Writes ST(i) and marks it in use. */
// @ts-ignore: decorator
@inline
export function setSt(i: u32, exp: u32, sig: u64): void {
  const number = (load<u32>(cpu, FPU_TOP) + i) & 7;
  const at = cpu + (<usize>number << 4);
  store<u64>(at, sig, FPU_REG);
  store<u16>(at, exp, FPU_REG + 8);
  store<u32>(cpu, load<u32>(cpu, FPU_TAG) & ~(3 << (number << 1)), FPU_TAG);
}

// @ts-ignore: decorator
@inline
export function setEmpty(i: u32): void {
  store<u32>(cpu, load<u32>(cpu, FPU_TAG) | (3 << (((load<u32>(cpu, FPU_TOP) + i) & 7) << 1)), FPU_TAG);
}

// @ts-ignore: decorator
@inline
export function setTop(value: u32): void {
  store<u32>(cpu, value & 7, FPU_TOP);
}

// @ts-ignore: decorator
@inline
export function pop(): void {
  setEmpty(0);
  setTop(load<u32>(cpu, FPU_TOP) + 1);
}

/** Pushes without a look at what is there. */
// @ts-ignore: decorator
@inline
export function push(exp: u32, sig: u64): void {
  setTop(load<u32>(cpu, FPU_TOP) - 1);
  setSt(0, exp, sig);
}

/** Stack overflow replaces whatever the instruction raised; leaves the default NaN as the result. */
export function stackOverflow(): void {
  f80Flags = FLAG_INVALID | FLAG_STACK | FLAG_C1;
  f80SetDefaultNan();
}

/** Stack underflow; leaves the default NaN as the result. */
export function stackUnderflow(): void {
  f80Flags = FLAG_INVALID | FLAG_STACK;
  f80SetDefaultNan();
}

/** Pushes the result unless an unmasked exception forbids it; an unmasked denormal exception does not. */
export function pushResult(): void {
  if (!isEmpty(7)) stackOverflow();
  if ((f80Flags & f80Unmasked & FLAG_INVALID) == 0) push(f80Exp, f80Sig);
}

/** The same for a single or double operand: a signaling NaN becomes quiet, with IE. */
export function pushLoaded(): void {
  if (f80IsSignaling(f80Exp, f80Sig)) f80NanOperand(f80Exp, f80Sig);
  pushResult();
}

/** Moves the instruction's flags to the status word: exceptions stick, C1 is replaced; ES and FERR follow. */
// @ts-ignore: decorator
@inline
export function finish(): void {
  const status = (load<u32>(cpu, FPU_SW) & ~FLAG_C1) | f80Flags;
  if ((status & ~load<u32>(cpu, FPU_CW) & 0x3f) != 0) signal(status);
  else store<u32>(cpu, status, FPU_SW);
}

/** For instructions that touch C1 only with a stack fault (FCMOV, FCOMI). */
export function finishKeepingC1(): void {
  if ((f80Flags & FLAG_STACK) == 0) f80Flags |= load<u32>(cpu, FPU_SW) & FLAG_C1;
  finish();
}

function signal(status: u32): void {
  const before = load<u32>(cpu, FPU_SW);
  store<u32>(cpu, status | SW_ES | SW_BUSY, FPU_SW);
  if ((before & SW_ES) == 0 && (load<u64>(cpu, CR0) & CR0_NE) == 0) hostNotify(NOTIFY_FERR, 1, 0);
}

/** Replaces the status word (without TOP) and derives ES and B from masks. */
export function setStatus(status: u32): void {
  status &= 0x477f;
  if ((status & ~load<u32>(cpu, FPU_CW) & 0x3f) != 0) signal(status);
  else store<u32>(cpu, status, FPU_SW);
}

/** Replaces the condition codes among `mask`. */
// @ts-ignore: decorator
@inline
export function setCodes(mask: u32, codes: u32): void {
  store<u32>(cpu, (load<u32>(cpu, FPU_SW) & ~mask) | codes, FPU_SW);
}

/** ZF, PF, CF from the order of two numbers (-1, 0, 1, 2 unordered); OF, SF, AF cleared. */
export function setCompareFlags(order: i32): void {
  const zero = order == 0 || order == 2;
  const carry = order == -1 || order == 2;
  store<u64>(cpu, zero ? 0 : 1, CC_RESULT);
  const low: u64 = zero ? 0 : 1;
  const wanted: u64 = order == 2 ? 0 : 1;
  store<u64>(cpu, (carry ? 0xc000000000000000 : 0) | ((low ^ wanted) << 8), CC_AUX);
}

// @ts-ignore: decorator
@inline
export function carryFlag(): bool {
  return load<i64>(cpu, CC_AUX) < 0;
}

// @ts-ignore: decorator
@inline
export function zeroFlag(): bool {
  return load<u64>(cpu, CC_RESULT) == 0;
}

// @ts-ignore: decorator
@inline
export function parityFlag(): bool {
  return (popcnt<u32>((load<u32>(cpu, CC_RESULT) ^ (load<u32>(cpu, CC_AUX) >> 8)) & 0xff) & 1) == 0;
}
