// Bit tests, bit scans, byte swaps, exchanges and compare-exchanges, MOVBE, ADX.

import { loadAt, loadAtForWrite, readE, storeAt } from './alu';
import { raiseGp0 } from './fault';
import { FLAG_CF, FLAG_ZF, flagsAdd, flagsLogic, flagsSub, getCarry, getOverflow, setArithmeticFlags, setCarry, setCarryOverflow, setZero } from './flags';
import { OP_IMM, OP_REG, OP_RM } from './generated/layout';
import { probeWrite } from './memory';
import { linear, linearForWrite, offset, opAddressSize, opIsMem, opSeg, opSize, segmentLinear } from './op';
import { reg, reg16, reg32, reg64, setReg, setReg16, setReg32, setReg64 } from './state';

export const BT: i32 = 0;
export const BTS: i32 = 1;
export const BTR: i32 = 2;
export const BTC: i32 = 3;

// @ts-ignore: decorator
@inline
function wrapAddress(op: usize, at: u64): u64 {
  const size = opAddressSize(op);
  return size == 3 ? at : size == 2 ? at & 0xffffffff : at & 0xffff;
}

/** BT family; `immediate` says where the bit number comes from. A register bit number reaches beyond the operand. */
export function bitTest<T>(kind: i32, op: usize, immediate: bool): void {
  const mask = <u64>sizeof<T>() * 8 - 1;
  const bit: u64 = immediate ? load<u64>(op, OP_IMM) : <u64>reg<T>(load<u8>(op, OP_REG));
  const one = <T>((<u64>1) << (bit & mask));
  if (opIsMem(op)) {
    let at = offset(op);
    if (!immediate) {
      let signed: i64;
      if (sizeof<T>() == 2) signed = <i64>(<i16>bit);
      else if (sizeof<T>() == 4) signed = <i64>(<i32>bit);
      else signed = <i64>bit;
      const unit = sizeof<T>() == 2 ? (signed >> 4) << 1 : sizeof<T>() == 4 ? (signed >> 5) << 2 : (signed >> 6) << 3;
      at = wrapAddress(op, at + <u64>unit);
    }
    if (kind == BT) {
      const value = loadAt<T>(segmentLinear(opSeg(op), at, sizeof<T>(), false));
      setCarry((<u64>value >> (bit & mask)) & 1);
      return;
    }
    const address = segmentLinear(opSeg(op), at, sizeof<T>(), true);
    const value = loadAtForWrite<T>(address);
    storeAt<T>(address, kind == BTS ? <T>(value | one) : kind == BTR ? <T>(value & ~one) : <T>(value ^ one));
    setCarry((<u64>value >> (bit & mask)) & 1);
    return;
  }
  const rm = <u32>load<u8>(op, OP_RM);
  const value = reg<T>(rm);
  setCarry((<u64>value >> (bit & mask)) & 1);
  if (kind == BTS) setReg<T>(rm, <T>(value | one));
  else if (kind == BTR) setReg<T>(rm, <T>(value & ~one));
  else if (kind == BTC) setReg<T>(rm, <T>(value ^ one));
}

// @ts-ignore: decorator
@inline
function source<T>(op: usize): T {
  return opIsMem(op) ? readE<T>(op, true) : readE<T>(op, false);
}

/** BSF and BSR leave the destination alone when the source is 0. */
export function bsf<T>(op: usize): void {
  const value = source<T>(op);
  if (value != 0) setReg<T>(load<u8>(op, OP_REG), <T>ctz<u64>(<u64>value));
  flagsLogic<T>(value);
}

export function bsr<T>(op: usize): void {
  const value = source<T>(op);
  if (value != 0) setReg<T>(load<u8>(op, OP_REG), <T>(63 - clz<u64>(<u64>value)));
  flagsLogic<T>(value);
}

export function tzcnt<T>(op: usize): void {
  const value = source<T>(op);
  const count = value == 0 ? <u64>sizeof<T>() * 8 : ctz<u64>(<u64>value);
  setReg<T>(load<u8>(op, OP_REG), <T>count);
  setArithmeticFlags((value == 0 ? FLAG_CF : 0) | (count == 0 ? FLAG_ZF : 0));
}

export function lzcnt<T>(op: usize): void {
  const value = source<T>(op);
  const count = clz<u64>(<u64>value) - (64 - <u64>sizeof<T>() * 8);
  setReg<T>(load<u8>(op, OP_REG), <T>count);
  setArithmeticFlags((value == 0 ? FLAG_CF : 0) | (count == 0 ? FLAG_ZF : 0));
}

export function popcount<T>(op: usize): void {
  const value = source<T>(op);
  setReg<T>(load<u8>(op, OP_REG), <T>popcnt<u64>(<u64>value));
  setArithmeticFlags(value == 0 ? FLAG_ZF : 0);
}

function swap16(value: u32): u32 {
  return ((value >> 8) | (value << 8)) & 0xffff;
}

/** The 16-bit form is undefined; processors clear the register. */
export function byteSwap(op: usize): void {
  const rm = <u32>load<u8>(op, OP_RM);
  const size = opSize(op);
  if (size == 3) setReg64(rm, bswap<u64>(reg64(rm)));
  else if (size == 2) setReg32(rm, bswap<u32>(reg32(rm)));
  else setReg16(rm, 0);
}

export function movbeLoad(op: usize): void {
  const r = <u32>load<u8>(op, OP_REG);
  const size = opSize(op);
  if (size == 3) setReg64(r, bswap<u64>(loadAt<u64>(linear(op, 8))));
  else if (size == 2) setReg32(r, bswap<u32>(loadAt<u32>(linear(op, 4))));
  else setReg16(r, swap16(<u32>loadAt<u16>(linear(op, 2))));
}

export function movbeStore(op: usize): void {
  const r = <u32>load<u8>(op, OP_REG);
  const size = opSize(op);
  if (size == 3) storeAt<u64>(linearForWrite(op, 8), bswap<u64>(reg64(r)));
  else if (size == 2) storeAt<u32>(linearForWrite(op, 4), bswap<u32>(reg32(r)));
  else storeAt<u16>(linearForWrite(op, 2), <u16>swap16(reg16(r)));
}

export function xchg<T>(op: usize): void {
  const r = <u32>load<u8>(op, OP_REG);
  const value = reg<T>(r);
  if (opIsMem(op)) {
    const address = linearForWrite(op, sizeof<T>());
    const other = loadAtForWrite<T>(address);
    storeAt<T>(address, value);
    setReg<T>(r, other);
  } else {
    const rm = <u32>load<u8>(op, OP_RM);
    const other = reg<T>(rm);
    setReg<T>(rm, value);
    setReg<T>(r, other);
  }
}

/** XCHG of a register with the accumulator; 90 without REX.B is NOP and decoded as such. */
export function xchgAccumulator<T>(op: usize): void {
  const rm = <u32>load<u8>(op, OP_RM);
  const value = reg<T>(rm);
  setReg<T>(rm, reg<T>(0));
  setReg<T>(0, value);
}

export function xadd<T>(op: usize): void {
  const r = <u32>load<u8>(op, OP_REG);
  const b = reg<T>(r);
  if (opIsMem(op)) {
    const address = linearForWrite(op, sizeof<T>());
    const a = loadAtForWrite<T>(address);
    const sum = <T>(a + b);
    storeAt<T>(address, sum);
    setReg<T>(r, a);
    flagsAdd<T>(a, b, sum);
  } else {
    const rm = <u32>load<u8>(op, OP_RM);
    const a = reg<T>(rm);
    const sum = <T>(a + b);
    setReg<T>(r, a);
    setReg<T>(rm, sum);
    flagsAdd<T>(a, b, sum);
  }
}

/** A memory destination is always written: the old value when the comparison fails. */
export function cmpxchg<T>(op: usize): void {
  const accumulator = reg<T>(0);
  const value = reg<T>(load<u8>(op, OP_REG));
  if (opIsMem(op)) {
    const address = linearForWrite(op, sizeof<T>());
    const old = loadAtForWrite<T>(address);
    storeAt<T>(address, old == accumulator ? value : old);
    if (old != accumulator) setReg<T>(0, old);
    flagsSub<T>(accumulator, old, <T>(accumulator - old));
  } else {
    const rm = <u32>load<u8>(op, OP_RM);
    const old = reg<T>(rm);
    if (old == accumulator) setReg<T>(rm, value);
    else setReg<T>(0, old);
    flagsSub<T>(accumulator, old, <T>(accumulator - old));
  }
}

export function cmpxchg8b(op: usize): void {
  if (opSize(op) == 3) {
    cmpxchg16b(op);
    return;
  }
  const address = linearForWrite(op, 8);
  const old = loadAtForWrite<u64>(address);
  const expected = (<u64>reg32(2) << 32) | <u64>reg32(0);
  const equal = old == expected;
  storeAt<u64>(address, equal ? (<u64>reg32(1) << 32) | <u64>reg32(3) : old);
  if (!equal) {
    setReg32(0, <u32>old);
    setReg32(2, <u32>(old >> 32));
  }
  setZero(equal);
}

function cmpxchg16b(op: usize): void {
  const address = linearForWrite(op, 16);
  if ((address & 15) != 0) raiseGp0();
  probeWrite(address, 16);
  const low = loadAtForWrite<u64>(address);
  const high = loadAtForWrite<u64>(address + 8);
  const equal = low == reg64(0) && high == reg64(2);
  storeAt<u64>(address, equal ? reg64(3) : low);
  storeAt<u64>(address + 8, equal ? reg64(1) : high);
  if (!equal) {
    setReg64(0, low);
    setReg64(2, high);
  }
  setZero(equal);
}

// @ts-ignore: decorator
@inline
function carryOut<T>(a: T, b: T, sum: T): u64 {
  return <u64>((a & b) | ((a | b) & ~sum)) >> (sizeof<T>() * 8 - 1);
}

export function adcx<T>(op: usize): void {
  const r = <u32>load<u8>(op, OP_REG);
  const b = source<T>(op);
  const a = reg<T>(r);
  const sum = <T>(a + b + <T>getCarry());
  setReg<T>(r, sum);
  setCarryOverflow(carryOut<T>(a, b, sum), getOverflow());
}

export function adox<T>(op: usize): void {
  const r = <u32>load<u8>(op, OP_REG);
  const b = source<T>(op);
  const a = reg<T>(r);
  const sum = <T>(a + b + <T>getOverflow());
  setReg<T>(r, sum);
  setCarryOverflow(getCarry(), carryOut<T>(a, b, sum));
}
