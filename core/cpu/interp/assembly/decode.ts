// The instruction decoder: bytes to an op record, driven by generated/decode-tables.ts. Intel SDM volume 2, chapter 2.
// Undefined encodings become UD records, instructions of more than 15 bytes GP records: they fault when executed.

import {
  IMM_A, IMM_IB, IMM_IB_IB, IMM_IV, IMM_IW, IMM_IW_IB, IMM_IZ, IMM_JB, IMM_JZ, IMM_MODRM, IMM_NONE, IMM_O, MAP_0F, MAP_0F38, MAP_0F3A, MAP_VEX,
  opcodeIndex, opcodeRows, REG_BYTE, REG_FIXED, REG_PLAIN, REG_RAW, RM_ACCUMULATOR, RM_BYTE, RM_LOW3, RM_LOW3_BYTE, RM_PLAIN, RM_RAW,
  ROW_BYTES, ROW_DEFAULT64, ROW_ENDS, ROW_FORCE64, ROW_LAST, ROW_LOCK, ROW_MODRM, ROW_NO64, ROW_ONLY64, ROW2_LINKED, ROW2_STACK, ROW2_STRING,
  SIZE_B, SIZE_D, SIZE_Q, SIZE_V, SIZE_W, SIZE_Y, SIZE_Z,
} from './generated/decode-tables';
import { B_NOP, B_XCHG_A, H_END, H_GP, H_UD, handlerNumbers } from './generated/handlers';
import {
  FEATURE_BITS, OP_BASE, OP_BYTES, OP_DISP, OP_END, OP_FLAGS, OP_HANDLER, OP_IMM, OP_INDEX, OP_LENGTH, OP_OPCODE, OP_REG,
  OP_REP, OP_RM, OP_SCALE, OP_SEG, OP_SIZE, OP_SUB, OPF_FLAT, OPF_LAST, OPF_LINKED, OPF_LOCK, OPF_LONG, OPF_MEM, OPF_REX, OPF_STACK,
} from './generated/layout';
import { cpu } from './state';

/** Mode key bit of real and virtual-8086 mode, where VEX is undefined. */
export const KEY_UNPROTECTED: u32 = 16;

const MAX_LENGTH: u32 = 15;
const NO_REGISTER: u32 = 16;
const RIP_BASE: u32 = 17;
const NO_SEGMENT: u32 = 7;
const DS: u32 = 3;
const SS: u32 = 2;

// --- State of the instruction being decoded.
let bytes: usize = 0;
let position: u32 = 0;
/** Bytes that may be read: fewer than an instruction may need at a page end. */
let available: u32 = 0;
let truncated: bool = false;

function fetch8(): u32 {
  if (position >= available) {
    truncated = true;
    return 0;
  }
  const value = <u32>load<u8>(bytes + <usize>position);
  position++;
  return value;
}

function fetch16(): u32 {
  if (position + 2 > available) {
    truncated = true;
    return 0;
  }
  position += 2;
  return load<u16>(bytes + <usize>position - 2);
}

function fetch32(): u32 {
  if (position + 4 > available) {
    truncated = true;
    return 0;
  }
  position += 4;
  return load<u32>(bytes + <usize>position - 4);
}

function fetch64(): u64 {
  const low = <u64>fetch32();
  return low | (<u64>fetch32() << 32);
}

/** Puts an END record: leaves the block for the instruction at page offset `end`. */
export function writeEnd(op: usize, end: u32): void {
  memory.fill(op, 0, OP_BYTES);
  store<u16>(op, H_END, OP_HANDLER);
  store<u16>(op, end, OP_END);
}

function finishFault(op: usize, handler: u32, at: u32, length: u32): u32 {
  store<u16>(op, handler, OP_HANDLER);
  store<u8>(op, length, OP_LENGTH);
  store<u8>(op, OPF_LAST, OP_FLAGS);
  store<u16>(op, at + length, OP_END);
  return length;
}

/** Byte register number to byte offset in GPR. */
// @ts-ignore: decorator
@inline
function byteRegister(number: u32, rex: u32): u32 {
  return rex != 0 || number < 4 || number >= 8 ? number * 8 : (number & 3) * 8 + 1;
}

/**
 * Decodes the instruction at host address `code`, of which `left` bytes are in the page; `at` is its offset in the page.
 * Returns its length, or 0 when it does not end within `left`.
 */
export function decodeOp(code: usize, left: u32, op: usize, at: u32, key: u32): u32 {
  bytes = code;
  position = 0;
  available = min(left, MAX_LENGTH);
  truncated = false;
  memory.fill(op, 0, OP_BYTES);
  const mode = key & 3;
  const is64 = mode == 2;

  let operand66 = false;
  let address67 = false;
  let rep: u32 = 0;
  let lock = false;
  let segment = NO_SEGMENT;
  let rex: u32 = 0;
  let byte: u32;
  while (true) {
    byte = fetch8();
    if (truncated) return shortOf(op, left, at);
    if (is64 && (byte & 0xf0) == 0x40) {
      rex = byte;
      continue;
    }
    if (byte == 0x66) operand66 = true;
    else if (byte == 0x67) address67 = true;
    else if (byte == 0xf2) rep = 2;
    else if (byte == 0xf3) rep = 3;
    else if (byte == 0xf0) lock = true;
    else if (byte == 0x64) segment = 4;
    else if (byte == 0x65) segment = 5;
    else if (byte == 0x26 || byte == 0x2e || byte == 0x36 || byte == 0x3e) {
      if (!is64) segment = (byte >> 3) & 3;
    } else break;
    // A REX prefix counts only right before the opcode.
    rex = 0;
  }

  let map: u32 = 0;
  let vvvv: u32 = 0;
  let vex = false;
  let wide = (rex & 8) != 0;
  let opcode = byte;
  if (byte == 0x0f) {
    map = MAP_0F;
    opcode = fetch8();
    if (opcode == 0x38) {
      map = MAP_0F38;
      opcode = fetch8();
    } else if (opcode == 0x3a) {
      map = MAP_0F3A;
      opcode = fetch8();
    }
  } else if (byte == 0xc4 || byte == 0xc5) {
    // Outside 64-bit mode these are LES and LDS unless the byte that follows is a register form.
    if (position >= available) return shortOf(op, left, at);
    const next = <u32>load<u8>(code + <usize>position);
    if (is64 || (next & 0xc0) == 0xc0) {
      if ((key & KEY_UNPROTECTED) != 0 || operand66 || rep != 0 || lock || rex != 0) return finishFault(op, H_UD, at, position + 1);
      vex = true;
      const first = fetch8();
      let last = first;
      let select: u32 = 1;
      rex = ((first >> 5) & 4) ^ 4;
      if (byte == 0xc4) {
        last = fetch8();
        select = first & 31;
        rex |= (((first >> 6) & 1) ^ 1) << 1;
        rex |= ((first >> 5) & 1) ^ 1;
        wide = (last & 0x80) != 0;
      }
      if (!is64) rex = 0;
      vvvv = (~last >> 3) & 15;
      if (!is64) vvvv &= 7;
      if (select < 1 || select > 3 || (last & 4) != 0) return finishFault(op, H_UD, at, position);
      map = MAP_VEX + select - 1;
      const implied = last & 3;
      operand66 = implied == 1;
      rep = implied == 2 ? 3 : implied == 3 ? 2 : 0;
      opcode = fetch8();
    }
  }
  if (truncated) return shortOf(op, left, at);

  let row = <u32>load<u16>(opcodeIndex + <usize>(((map << 8) | opcode) << 1));
  if (row == 0) return finishFault(op, H_UD, at, position);
  let at16 = opcodeRows + <usize>row * ROW_BYTES;

  let modrm: u32 = 0;
  const hasModrm = (load<u8>(at16, 8) & ROW_MODRM) != 0;
  if (hasModrm) {
    modrm = fetch8();
    if (truncated) return shortOf(op, left, at);
  }
  const mod = modrm >> 6;
  const regField = (modrm >> 3) & 7;
  const rmField = modrm & 7;
  // MOV to and from control and debug registers is a register form whatever mod says.
  const isMem = hasModrm && mod != 3 && !(map == MAP_0F && (opcode & 0xfc) == 0x20);

  // First row that fits.
  let flags: u32;
  while (true) {
    flags = <u32>load<u8>(at16, 8);
    let fits = true;
    const prefix = <u32>load<u8>(at16, 4);
    if (prefix != 0) {
      if (prefix == 1) fits = !operand66 && rep == 0;
      else if (prefix == 2) fits = operand66 && rep == 0;
      else if (prefix == 3) fits = rep == 3;
      else fits = rep == 2;
    }
    const reg = <u32>load<u8>(at16, 5);
    if (reg != 255 && reg != regField) fits = false;
    const modWanted = <u32>load<u8>(at16, 6);
    if (modWanted != 0 && (modWanted == 1) != isMem) fits = false;
    const rm = <u32>load<u8>(at16, 7);
    if (rm != 255 && rm != rmField) fits = false;
    if ((flags & ROW_NO64) != 0 && is64) fits = false;
    if ((flags & ROW_ONLY64) != 0 && !is64) fits = false;
    const feature = <u32>load<u8>(at16, 14);
    if (feature != 0 && ((load<u32>(cpu + (<usize>(feature >> 5) << 2), FEATURE_BITS) >> (feature & 31)) & 1) == 0) fits = false;
    if (fits) break;
    if ((flags & ROW_LAST) != 0) return finishFault(op, H_UD, at, position);
    at16 += ROW_BYTES;
  }

  // A mandatory prefix is no longer a prefix.
  const mandatory = <u32>load<u8>(at16, 4);
  if (mandatory >= 3) rep = 0;

  // --- Sizes.
  const sizeKind = <u32>load<u8>(at16, 10);
  let size: u32;
  const opsize16 = (mode == 0) != operand66;
  if (is64) {
    size = wide ? 3 : operand66 && mandatory != 2 ? 1 : 2;
    if ((flags & ROW_FORCE64) != 0) size = 3;
    else if ((flags & ROW_DEFAULT64) != 0 && size == 2) size = 3;
  } else {
    size = mandatory == 2 ? (mode == 0 ? 1 : 2) : opsize16 ? 1 : 2;
  }
  const full = size;
  if (sizeKind == SIZE_B) size = 0;
  else if (sizeKind == SIZE_W) size = 1;
  else if (sizeKind == SIZE_D) size = 2;
  else if (sizeKind == SIZE_Q) size = 3;
  else if (sizeKind == SIZE_Z) size = size == 3 ? 2 : size;
  else if (sizeKind == SIZE_Y) size = is64 && wide ? 3 : 2;
  const addressSize: u32 = is64 ? (address67 ? 2 : 3) : (mode == 0) != address67 ? 1 : 2;

  // --- Registers.
  const rexR = (rex & 4) << 1;
  const rexX = (rex & 2) << 2;
  const rexB = (rex & 1) << 3;
  const regSource = <u32>load<u8>(at16, 11);
  let regNumber: u32;
  // VEX carries the bits of REX, but byte registers do not occur with it.
  if (regSource == REG_PLAIN) regNumber = regField | rexR;
  else if (regSource == REG_BYTE) regNumber = byteRegister(regField | rexR, rex);
  else if (regSource == REG_RAW) regNumber = regField;
  else regNumber = regSource - REG_FIXED;
  const rmSource = <u32>load<u8>(at16, 12);
  let rmNumber: u32;
  if (rmSource == RM_PLAIN) rmNumber = rmField | rexB;
  else if (rmSource == RM_BYTE) rmNumber = byteRegister(rmField | rexB, rex);
  else if (rmSource == RM_RAW) rmNumber = rmField;
  else if (rmSource == RM_LOW3) rmNumber = (opcode & 7) | rexB;
  else if (rmSource == RM_LOW3_BYTE) rmNumber = byteRegister((opcode & 7) | rexB, rex);
  else rmNumber = 0;

  // --- Memory operand.
  let base: u32 = NO_REGISTER;
  let index: u32 = NO_REGISTER;
  let scale: u32 = 0;
  let disp: i32 = 0;
  let defaultSegment = DS;
  let ripRelative = false;
  if (isMem) {
    if (addressSize == 1) {
      if (rmField == 6 && mod == 0) {
        disp = <i32>fetch16();
      } else {
        // BX+SI BX+DI BP+SI BP+DI SI DI BP BX
        if (rmField < 2 || rmField == 7) base = 3;
        else if (rmField == 2 || rmField == 3 || rmField == 6) base = 5;
        if (rmField == 0 || rmField == 2 || rmField == 4) index = 6;
        else if (rmField == 1 || rmField == 3 || rmField == 5) index = 7;
        if (base == 5) defaultSegment = SS;
        if (mod == 1) disp = <i32>(<i8>fetch8());
        else if (mod == 2) disp = <i32>(<i16>fetch16());
      }
    } else {
      let baseField = rmField;
      if (rmField == 4) {
        const sib = fetch8();
        scale = sib >> 6;
        index = ((sib >> 3) & 7) | rexX;
        if (index == 4) {
          index = NO_REGISTER;
          scale = 0;
        }
        baseField = sib & 7;
      }
      if (baseField == 5 && mod == 0) {
        disp = <i32>fetch32();
        ripRelative = is64 && rmField != 4;
      } else {
        base = baseField | rexB;
        if (base == 4 || base == 5) defaultSegment = SS;
        if (mod == 1) disp = <i32>(<i8>fetch8());
        else if (mod == 2) disp = <i32>fetch32();
      }
    }
  }

  // --- Immediates.
  let immediate: u64 = 0;
  let second: u32 = <u32>load<u16>(at16, 2);
  const immKind = <u32>load<u8>(at16, 9);
  if (immKind != IMM_NONE) {
    if (immKind == IMM_IB || immKind == IMM_JB) immediate = <u64>(<i64>(<i8>fetch8()));
    else if (immKind == IMM_IZ) immediate = size == 1 ? <u64>(<i64>(<i16>fetch16())) : <u64>(<i64>(<i32>fetch32()));
    else if (immKind == IMM_JZ) immediate = full == 1 ? <u64>(<i64>(<i16>fetch16())) : <u64>(<i64>(<i32>fetch32()));
    else if (immKind == IMM_IV) {
      if (size == 3) immediate = fetch64();
      else immediate = size == 1 ? <u64>(<i64>(<i16>fetch16())) : <u64>(<i64>(<i32>fetch32()));
    } else if (immKind == IMM_IW) immediate = <u64>fetch16();
    else if (immKind == IMM_IW_IB) {
      immediate = <u64>fetch16();
      second = fetch8();
    } else if (immKind == IMM_IB_IB) {
      immediate = <u64>fetch8();
      immediate |= <u64>fetch8() << 8;
    } else if (immKind == IMM_A) {
      immediate = size == 1 ? <u64>fetch16() : <u64>fetch32();
      second = fetch16();
    } else if (immKind == IMM_O) {
      immediate = addressSize == 3 ? fetch64() : addressSize == 2 ? <u64>fetch32() : <u64>fetch16();
    } else if (immKind == IMM_MODRM) {
      immediate = <u64>modrm;
    }
  }
  if (truncated) return shortOf(op, left, at);
  const length = position;
  const end = at + length;

  // LOCK is for read-modify-write instructions with a memory operand.
  if (lock && ((flags & ROW_LOCK) == 0 || !isMem)) return finishFault(op, H_UD, at, length);

  if (ripRelative) {
    base = RIP_BASE;
    disp += <i32>end;
  }
  if (vex) second = vvvv;

  let handler = <u32>load<u16>(at16, 0);
  const expand = <u32>load<u8>(at16, 13);
  if ((expand & 1) != 0) handler += size;
  if ((expand & 2) != 0 && isMem) handler += (expand & 1) != 0 ? 4 : 1;
  const flags2 = <u32>load<u8>(at16, 15);
  let ends = (flags & ROW_ENDS) != 0;
  if ((flags2 & ROW2_STRING) != 0 && rep != 0) {
    handler += 4;
    ends = true;
  }
  if (<u32>load<u16>(at16, 0) == B_XCHG_A && rmNumber == 0) handler = B_NOP;

  const effective = segment != NO_SEGMENT ? segment : defaultSegment;
  let opFlags: u32 = 0;
  if (isMem) {
    opFlags |= OPF_MEM;
    // 64-bit addressing without FS and GS needs neither base nor wrap.
    if (addressSize == 3 && effective < 4) opFlags |= OPF_FLAT;
  }
  if (lock) opFlags |= OPF_LOCK;
  if ((flags2 & ROW2_STACK) != 0) opFlags |= OPF_STACK;
  if (rex != 0 && !vex) opFlags |= OPF_REX;
  if (ends) opFlags |= OPF_LAST;
  if ((flags2 & ROW2_LINKED) != 0) opFlags |= OPF_LINKED;
  if (is64) opFlags |= OPF_LONG;

  store<u16>(op, load<u16>(handlerNumbers + (<usize>handler << 1)), OP_HANDLER);
  store<u8>(op, length, OP_LENGTH);
  store<u8>(op, opFlags, OP_FLAGS);
  store<u8>(op, regNumber, OP_REG);
  store<u8>(op, rmNumber, OP_RM);
  store<u8>(op, base, OP_BASE);
  store<u8>(op, index, OP_INDEX);
  store<u8>(op, scale, OP_SCALE);
  store<u8>(op, effective, OP_SEG);
  store<u8>(op, size | (addressSize << 4), OP_SIZE);
  store<u8>(op, rep, OP_REP);
  store<i32>(op, disp, OP_DISP);
  store<u64>(op, immediate, OP_IMM);
  store<u32>(op, second, OP_SUB);
  store<u16>(op, end, OP_END);
  store<u16>(op, (map << 8) | opcode, OP_OPCODE);
  return length;
}

/** The bytes at hand do not make an instruction: too long for the architecture, or more lie in the next page. */
function shortOf(op: usize, left: u32, at: u32): u32 {
  if (left < MAX_LENGTH) return 0;
  memory.fill(op, 0, OP_BYTES);
  return finishFault(op, H_GP, at, MAX_LENGTH);
}
