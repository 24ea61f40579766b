// Accessors of op records (layout OP in core/cpu/isa/layout.ts) and effective addresses of decoded memory operands.

import {
  CODE_MODE, CURRENT_OP, GPR, OP_BASE, OP_DISP, OP_END, OP_FLAGS, OP_HANDLER, OP_IMM, OP_INDEX, OP_LENGTH, OP_OPCODE,
  OP_REG, OP_REP, OP_RM, OP_SCALE, OP_SEG, OP_SIZE, OP_SUB, OPF_FLAT, OPF_MEM, SEG_BASE, SEG_READ_END, SEG_WRITE_END,
} from './generated/layout';
import { segmentCheckSlow } from './segments';
import { cpu } from './state';

// @ts-ignore: decorator
@inline
export function opHandler(op: usize): u32 { return load<u16>(op, OP_HANDLER); }
// @ts-ignore: decorator
@inline
export function opLength(op: usize): u32 { return load<u8>(op, OP_LENGTH); }
// @ts-ignore: decorator
@inline
export function opFlags(op: usize): u32 { return load<u8>(op, OP_FLAGS); }
// @ts-ignore: decorator
@inline
export function opReg(op: usize): u32 { return load<u8>(op, OP_REG); }
// @ts-ignore: decorator
@inline
export function opRm(op: usize): u32 { return load<u8>(op, OP_RM); }
// @ts-ignore: decorator
@inline
export function opIsMem(op: usize): bool { return (load<u8>(op, OP_FLAGS) & OPF_MEM) != 0; }
/** Log2 of the operand size in bytes: 0 to 3. */
// @ts-ignore: decorator
@inline
export function opSize(op: usize): u32 { return load<u8>(op, OP_SIZE) & 3; }
/** Log2 of the address size in bytes: 1 to 3. */
// @ts-ignore: decorator
@inline
export function opAddressSize(op: usize): u32 { return load<u8>(op, OP_SIZE) >> 4; }
// @ts-ignore: decorator
@inline
export function opRep(op: usize): u32 { return load<u8>(op, OP_REP); }
// @ts-ignore: decorator
@inline
export function opSeg(op: usize): u32 { return load<u8>(op, OP_SEG); }
// @ts-ignore: decorator
@inline
export function opImm(op: usize): u64 { return load<u64>(op, OP_IMM); }
// @ts-ignore: decorator
@inline
export function opSub(op: usize): u32 { return load<u32>(op, OP_SUB); }
// @ts-ignore: decorator
@inline
export function opEnd(op: usize): u32 { return load<u16>(op, OP_END); }
// @ts-ignore: decorator
@inline
export function opOpcode(op: usize): u32 { return load<u16>(op, OP_OPCODE); }

/** RIP of the instruction after this one, wrapped to 32 bits outside 64-bit code. */
// @ts-ignore: decorator
@inline
export function nextRip(op: usize): u64 {
  const rip = load<u64>(cpu, GPR + 17 * 8) + <u64>load<u16>(op, OP_END);
  return (load<u32>(cpu, CODE_MODE) & 3) == 2 ? rip : rip & 0xffffffff;
}

/** RIP of the instruction that is being executed. */
export function currentRip(): u64 {
  const op = <usize>load<u32>(cpu, CURRENT_OP);
  const rip = load<u64>(cpu, GPR + 17 * 8) + <u64>load<u16>(op, OP_END) - <u64>load<u8>(op, OP_LENGTH);
  return (load<u32>(cpu, CODE_MODE) & 3) == 2 ? rip : rip & 0xffffffff;
}

// @ts-ignore: decorator
@inline
function plainSum(op: usize): u64 {
  return load<u64>(cpu + (<usize>load<u8>(op, OP_BASE) << 3), GPR)
    + (load<u64>(cpu + (<usize>load<u8>(op, OP_INDEX) << 3), GPR) << <u64>load<u8>(op, OP_SCALE))
    + <u64>(<i64>load<i32>(op, OP_DISP));
}

/** Effective address (offset in the segment) of the memory operand, wrapped to the address size. */
// @ts-ignore: decorator
@inline
export function offset(op: usize): u64 {
  const sum = plainSum(op);
  const size = load<u8>(op, OP_SIZE) >> 4;
  if (size == 3) return sum;
  return size == 2 ? sum & 0xffffffff : sum & 0xffff;
}

/** Linear address of an already computed offset in a segment, checked for an access of `size` bytes. */
export function segmentLinear(seg: u32, at: u64, size: u32, write: bool): u64 {
  const end = write ? load<u64>(cpu + (<usize>seg << 3), SEG_WRITE_END) : load<u64>(cpu + (<usize>seg << 3), SEG_READ_END);
  if (at + <u64>size > end) segmentCheckSlow(seg, at, size, write);
  const address = load<u64>(cpu + (<usize>seg << 3), SEG_BASE) + at;
  return (load<u32>(cpu, CODE_MODE) & 3) == 2 ? address : address & 0xffffffff;
}

function linearSegmented(op: usize, size: u32, write: bool): u64 {
  return segmentLinear(load<u8>(op, OP_SEG), offset(op), size, write);
}

/** Linear address of the memory operand, segment-checked for reading `size` bytes. */
// @ts-ignore: decorator
@inline
export function linear(op: usize, size: u32): u64 {
  if (load<u8>(op, OP_FLAGS) & OPF_FLAT) return plainSum(op);
  return linearSegmented(op, size, false);
}

/** Linear address of the memory operand, segment-checked for writing (or reading and writing) `size` bytes. */
// @ts-ignore: decorator
@inline
export function linearForWrite(op: usize, size: u32): u64 {
  if (load<u8>(op, OP_FLAGS) & OPF_FLAT) return plainSum(op);
  return linearSegmented(op, size, true);
}
