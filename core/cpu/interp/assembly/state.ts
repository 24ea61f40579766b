// Accessors of the register file (core/cpu/isa/layout.ts). The base address of the vCPU is an immutable imported global
// (env.cpu): every vCPU is an instance of its own, and V8 keeps an immutable global in a register where a mutable one
// would be loaded again after each store. So there is no setCpu(): the base is fixed when the module is instantiated.

import { GPR } from './generated/layout';

/** Address of this vCPU's register file in linear memory. */
@external("env", "cpu")
export declare const cpu: usize;

/** Placement of the machine's memory (core/memory/layout.ts), also immutable imports. */
@external("env", "pageMapBase")
export declare const pageMapBase: usize;
@external("env", "dirtyBase")
export declare const dirtyBase: usize;
@external("env", "granuleBase")
export declare const granuleBase: usize;
@external("env", "ramBase")
export declare const ramBase: usize;

// @ts-ignore: decorator
@inline
export function reg64(i: u32): u64 {
  return load<u64>(cpu + (<usize>i << 3), GPR);
}

// @ts-ignore: decorator
@inline
export function setReg64(i: u32, value: u64): void {
  store<u64>(cpu + (<usize>i << 3), value, GPR);
}

// @ts-ignore: decorator
@inline
export function reg32(i: u32): u32 {
  return load<u32>(cpu + (<usize>i << 3), GPR);
}

/** 32-bit writes clear the upper half. */
// @ts-ignore: decorator
@inline
export function setReg32(i: u32, value: u32): void {
  store<u64>(cpu + (<usize>i << 3), <u64>value, GPR);
}

// @ts-ignore: decorator
@inline
export function reg16(i: u32): u32 {
  return load<u16>(cpu + (<usize>i << 3), GPR);
}

// @ts-ignore: decorator
@inline
export function setReg16(i: u32, value: u32): void {
  store<u16>(cpu + (<usize>i << 3), value, GPR);
}

/** Byte registers are named by their byte offset inside GPR: AL 0, CL 8, AH 1, CH 9, ... */
// @ts-ignore: decorator
@inline
export function reg8(byteOffset: u32): u32 {
  return load<u8>(cpu + <usize>byteOffset, GPR);
}

// @ts-ignore: decorator
@inline
export function setReg8(byteOffset: u32, value: u32): void {
  store<u8>(cpu + <usize>byteOffset, value, GPR);
}

/** Register by type: u8 takes a byte offset, u16/u32/u64 a register number. */
// @ts-ignore: decorator
@inline
export function reg<T>(i: u32): T {
  if (sizeof<T>() == 1) return load<T>(cpu + <usize>i, GPR);
  return load<T>(cpu + (<usize>i << 3), GPR);
}

// @ts-ignore: decorator
@inline
export function setReg<T>(i: u32, value: T): void {
  if (sizeof<T>() == 1) store<T>(cpu + <usize>i, value, GPR);
  else if (sizeof<T>() == 4) store<u64>(cpu + (<usize>i << 3), <u64>value, GPR);
  else store<T>(cpu + (<usize>i << 3), value, GPR);
}

// @ts-ignore: decorator
@inline
export function get8(field: usize): u32 {
  return load<u8>(cpu + field);
}

// @ts-ignore: decorator
@inline
export function set8(field: usize, value: u32): void {
  store<u8>(cpu + field, value);
}

// @ts-ignore: decorator
@inline
export function get32(field: usize): u32 {
  return load<u32>(cpu + field);
}

// @ts-ignore: decorator
@inline
export function set32(field: usize, value: u32): void {
  store<u32>(cpu + field, value);
}

// @ts-ignore: decorator
@inline
export function get64(field: usize): u64 {
  return load<u64>(cpu + field);
}

// @ts-ignore: decorator
@inline
export function set64(field: usize, value: u64): void {
  store<u64>(cpu + field, value);
}
