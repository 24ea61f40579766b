// Double extended precision (x87): arithmetic state from the control word, classes of operands, NaN rules. A value is two
// numbers: sign << 15 | biased exponent, and the 64-bit significand with its explicit integer bit. Results are left in
// f80Exp and f80Sig. Arithmetic is in f80-arith.ts and its neighbours. Specification: Intel SDM volume 1, chapters 4 and 8.

import { FLAG_DENORMAL, FLAG_INVALID } from './softfloat';

/** Status word bits beside the exceptions: stack fault, and C1 "rounded up" / "stack overflow". */
export const FLAG_STACK: u32 = 0x40;
export const FLAG_C1: u32 = 0x200;
const FLAGS_BEFORE: u32 = 7;

const INTEGER_BIT: u64 = 0x8000000000000000;
const QUIET: u64 = 0x4000000000000000;

export const PRECISION_SINGLE: u32 = 0;
export const PRECISION_DOUBLE: u32 = 2;
export const PRECISION_EXTENDED: u32 = 3;

/** The result of the last operation. */
export let f80Exp: u32 = 0;
export let f80Sig: u64 = 0;
/** Status word bits that the instruction has raised so far. */
export let f80Flags: u32 = 0;
export let f80Unmasked: u32 = 0;
export let f80Round: u32 = 0;
export let f80Precision: u32 = 3;

/** Takes masks, rounding and precision from the control word and clears the flag accumulator. */
// @ts-ignore: decorator
@inline
export function f80Begin(controlWord: u32): void {
  f80Flags = 0;
  f80Unmasked = ~controlWord & 0x3f;
  f80Round = (controlWord >> 10) & 3;
  f80Precision = (controlWord >> 8) & 3;
}

// @ts-ignore: decorator
@inline
export function f80Raise(flags: u32): void {
  f80Flags |= flags;
}

/** An unmasked exception found before the computation: operands stay, no result. */
// @ts-ignore: decorator
@inline
export function f80Stopped(): bool {
  return (f80Flags & f80Unmasked & FLAGS_BEFORE) != 0;
}

// @ts-ignore: decorator
@inline
export function f80Set(exp: u32, sig: u64): void {
  f80Exp = exp;
  f80Sig = sig;
}

export function f80SetDefaultNan(): void {
  f80Exp = 0xffff;
  f80Sig = 0xc000000000000000;
}

/** Raises IE and leaves the default NaN. */
export function f80Invalid(): void {
  f80Flags |= FLAG_INVALID;
  f80SetDefaultNan();
}

// @ts-ignore: decorator
@inline
export function f80SetZero(sign: u32): void {
  f80Exp = sign << 15;
  f80Sig = 0;
}

// @ts-ignore: decorator
@inline
export function f80SetInfinity(sign: u32): void {
  f80Exp = (sign << 15) | 0x7fff;
  f80Sig = INTEGER_BIT;
}

/** Encodings that the x87 does not know since the 387: integer bit 0 with a non-zero exponent. */
// @ts-ignore: decorator
@inline
export function f80IsUnsupported(exp: u32, sig: u64): bool {
  return (exp & 0x7fff) != 0 && <i64>sig >= 0;
}

// @ts-ignore: decorator
@inline
export function f80IsNan(exp: u32, sig: u64): bool {
  return (exp & 0x7fff) == 0x7fff && sig << 1 != 0;
}

// @ts-ignore: decorator
@inline
export function f80IsSignaling(exp: u32, sig: u64): bool {
  return (exp & 0x7fff) == 0x7fff && sig << 2 != 0 && (sig & QUIET) == 0;
}

// @ts-ignore: decorator
@inline
export function f80IsInfinity(exp: u32, sig: u64): bool {
  return (exp & 0x7fff) == 0x7fff && sig << 1 == 0;
}

/** Denormal or pseudo-denormal. */
// @ts-ignore: decorator
@inline
export function f80IsDenormal(exp: u32, sig: u64): bool {
  return (exp & 0x7fff) == 0 && sig != 0;
}

// @ts-ignore: decorator
@inline
export function f80IsZero(exp: u32, sig: u64): bool {
  return (exp & 0x7fff) == 0 && sig == 0;
}

/** Neither zero nor denormal, infinity, NaN or unsupported. */
// @ts-ignore: decorator
@inline
export function f80IsNormal(exp: u32, sig: u64): bool {
  return (exp & 0x7fff) - 1 < 0x7ffe && <i64>sig < 0;
}

/** Operands that need the special cases of an operation: anything but zeros and normal numbers. */
// @ts-ignore: decorator
@inline
export function f80IsSpecial(exp: u32, sig: u64): bool {
  const e = exp & 0x7fff;
  return e == 0 ? sig != 0 : e == 0x7fff || <i64>sig >= 0;
}

/** A NaN or unsupported operand decides the result: handled here, true. One-operand form. */
export function f80NanOperand(exp: u32, sig: u64): bool {
  if (f80IsUnsupported(exp, sig)) {
    f80Invalid();
    return true;
  }
  if (!f80IsNan(exp, sig)) return false;
  if ((sig & QUIET) == 0) f80Raise(FLAG_INVALID);
  f80Set(exp, sig | QUIET);
  return true;
}

/** The same for two operands: of two NaNs the one with the larger significand, a quiet one before a signaling one. */
export function f80NanOperands(aExp: u32, aSig: u64, bExp: u32, bSig: u64): bool {
  if (f80IsUnsupported(aExp, aSig) || f80IsUnsupported(bExp, bSig)) {
    f80Invalid();
    return true;
  }
  const aNan = f80IsNan(aExp, aSig);
  const bNan = f80IsNan(bExp, bSig);
  if (!aNan && !bNan) return false;
  const aSignaling = aNan && (aSig & QUIET) == 0;
  const bSignaling = bNan && (bSig & QUIET) == 0;
  if (aSignaling || bSignaling) f80Raise(FLAG_INVALID);
  let takeA: bool;
  if (!bNan) takeA = true;
  else if (!aNan) takeA = false;
  else if (aSignaling != bSignaling) takeA = bSignaling;
  else if (aSig != bSig) takeA = aSig > bSig;
  else takeA = aExp < bExp;
  if (takeA) f80Set(aExp, aSig | QUIET);
  else f80Set(bExp, bSig | QUIET);
  return true;
}

/** Raises DE when the operand is a denormal. */
// @ts-ignore: decorator
@inline
export function f80NoteDenormal(exp: u32, sig: u64): void {
  if (f80IsDenormal(exp, sig)) f80Raise(FLAG_DENORMAL);
}

/** Exponent of the last f80Normalize. */
export let normalExponent: i32 = 0;

/** Significand of a finite non-zero number with its top bit set; exponent (biased, may be <= 0) in normalExponent. */
// @ts-ignore: decorator
@inline
export function f80Normalize(exp: u32, sig: u64): u64 {
  const e = <i32>(exp & 0x7fff);
  if (e != 0) {
    normalExponent = e;
    return sig;
  }
  const shift = <i32>clz(sig);
  normalExponent = 1 - shift;
  return sig << shift;
}
