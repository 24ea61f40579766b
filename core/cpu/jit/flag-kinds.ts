// How a region holds the arithmetic flags: as the operation that made them and its operands, in locals. The number of a
// kind is operation * 4 + log2 of the operand size, as core/cpu/interp/assembly/jit.ts (jitFlags32, jitFlags64) expects.

export const FLAG_OP = {
  /** CC_RESULT and CC_AUX in the register file hold them. */
  STORED: 0,
  /** a + b */
  ADD: 1,
  /** a - b */
  SUB: 2,
  /** result a */
  LOGIC: 3,
  /** result a, old carry c */
  INC: 4,
  DEC: 5,
  /** a shifted by b, which is not 0 */
  SHL: 6,
  SHR: 7,
  SAR: 8,
  /** a + b + c, a - b - c */
  ADC: 9,
  SBB: 10,
  /** signed product of a and b */
  IMUL: 11,
  /** unsigned product with low half a, high half b */
  MUL: 12,
} as const;

export type FlagOp = (typeof FLAG_OP)[keyof typeof FLAG_OP];

/** Only the local `flagKind` knows. */
export const DYNAMIC = -1;
export const STORED = 0;

export const kindOf = (operation: FlagOp, size: number): number => operation * 4 + size;
export const operationOf = (kind: number): number => kind >> 2;
export const sizeOf = (kind: number): number => kind & 3;
