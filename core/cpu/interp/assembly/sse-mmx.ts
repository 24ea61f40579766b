// MMX registers as SSE instructions see them. MMX register i is the significand of physical x87 register i; writing one
// sets its sign and exponent to ones, and every MMX instruction makes TOP 0 and all tags valid.

import { raise, VECTOR_MF } from './fault';
import { FPU_REG, FPU_SW, FPU_TAG, FPU_TOP } from './generated/layout';
import { cpu, get32, set32 } from './state';

const SW_ES: u32 = 0x80;

/** An unmasked x87 exception is waiting: #MF. */
export function checkPendingX87(): void {
  if ((get32(FPU_SW) & SW_ES) != 0) raise(VECTOR_MF);
}

export function enterMmx(): void {
  set32(FPU_TOP, 0);
  set32(FPU_TAG, 0);
}

// @ts-ignore: decorator
@inline
export function mmx(index: u32): u64 {
  return load<u64>(cpu + FPU_REG + (<usize>(index & 7) << 4));
}

// @ts-ignore: decorator
@inline
export function setMmx(index: u32, value: u64): void {
  const at = cpu + FPU_REG + (<usize>(index & 7) << 4);
  store<u64>(at, value);
  store<u16>(at, 0xffff, 8);
}
