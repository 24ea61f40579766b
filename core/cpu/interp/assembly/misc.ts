// Small integer instructions: CMOVcc, SETcc, sign extensions of the accumulator, flag bytes, MOV with a direct address,
// XLAT.

import { loadAt, readE, storeAt } from './alu';
import { arithmeticFlags, condition, FLAG_DF, setArithmeticFlags } from './flags';
import { EFLAGS_SYSTEM, OP_IMM, OP_OPCODE, OP_REG, OP_RM } from './generated/layout';
import { linearForWrite, opAddressSize, opSeg, opSize, segmentLinear } from './op';
import { get32, reg, reg16, reg32, reg64, reg8, set32, setReg, setReg16, setReg32, setReg64, setReg8 } from './state';

/** The memory operand is read whatever the condition says, and a 32-bit destination always loses its upper half. */
// @ts-ignore: decorator
@inline
export function cmov<T>(cc: u32, op: usize, MEM: bool): void {
  const value = readE<T>(op, MEM);
  const r = <u32>load<u8>(op, OP_REG);
  setReg<T>(r, condition(cc) ? value : reg<T>(r));
}

function holds(cc: u32): bool {
  switch (cc >> 1) {
    case 0: return condition(0) != ((cc & 1) != 0);
    case 1: return condition(2) != ((cc & 1) != 0);
    case 2: return condition(4) != ((cc & 1) != 0);
    case 3: return condition(6) != ((cc & 1) != 0);
    case 4: return condition(8) != ((cc & 1) != 0);
    case 5: return condition(10) != ((cc & 1) != 0);
    case 6: return condition(12) != ((cc & 1) != 0);
    default: return condition(14) != ((cc & 1) != 0);
  }
}

export function cmovCold<T>(op: usize, isMem: bool): void {
  const value = isMem ? readE<T>(op, true) : readE<T>(op, false);
  if (holds(<u32>load<u16>(op, OP_OPCODE) & 15)) setReg<T>(load<u8>(op, OP_REG), value);
}

// @ts-ignore: decorator
@inline
export function setcc(cc: u32, op: usize): void {
  setReg8(load<u8>(op, OP_RM), <u32>condition(cc));
}

export function setccMemory(op: usize): void {
  storeAt<u8>(linearForWrite(op, 1), <u8>holds(<u32>load<u16>(op, OP_OPCODE) & 15));
}

/** CBW, CWDE, CDQE. */
export function cbw(op: usize): void {
  const size = opSize(op);
  if (size == 3) setReg64(0, <u64>(<i64>(<i32>reg32(0))));
  else if (size == 2) setReg32(0, <u32>(<i32>(<i16>reg16(0))));
  else setReg16(0, <u32>(<i32>(<i8>reg8(0))));
}

/** CWD, CDQ, CQO. */
export function cwd(op: usize): void {
  const size = opSize(op);
  if (size == 3) setReg64(2, <u64>(<i64>reg64(0) >> 63));
  else if (size == 2) setReg32(2, <u32>(<i32>reg32(0) >> 31));
  else setReg16(2, <u32>(<i32>(<i16>reg16(0)) >> 15));
}

export function sahf(): void {
  setArithmeticFlags((arithmeticFlags() & ~<u32>0xd5) | (reg8(1) & 0xd5));
}

export function lahf(): void {
  setReg8(1, (arithmeticFlags() & 0xd5) | 2);
}

export function setDirection(down: bool): void {
  const flags = get32(EFLAGS_SYSTEM);
  set32(EFLAGS_SYSTEM, down ? flags | FLAG_DF : flags & ~FLAG_DF);
}

/** MOV accumulator, moffs */
export function movAO<T>(op: usize): void {
  setReg<T>(0, loadAt<T>(segmentLinear(opSeg(op), load<u64>(op, OP_IMM), sizeof<T>(), false)));
}

export function movOA<T>(op: usize): void {
  storeAt<T>(segmentLinear(opSeg(op), load<u64>(op, OP_IMM), sizeof<T>(), true), reg<T>(0));
}

export function xlat(op: usize): void {
  const size = opAddressSize(op);
  let at = reg64(3) + <u64>reg8(0);
  if (size == 2) at &= 0xffffffff;
  else if (size == 1) at &= 0xffff;
  setReg8(0, <u32>loadAt<u8>(segmentLinear(opSeg(op), at, 1, false)));
}
