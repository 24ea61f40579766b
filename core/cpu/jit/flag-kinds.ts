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

/** A later instruction that changed CF (and OF) alone, in bits 8-10 of a kind; its result is in flagV, of 64 bits in flagV64. */
export const OVERRIDE = {
  /** CF is bit 0. */
  CARRY: 1,
  /** CF is bit 0, OF bit 1. */
  CARRY_OVERFLOW: 2,
  /** The value is the result of a rotate. */
  ROL32: 3,
  ROR32: 4,
  ROL64: 5,
  ROR64: 6,
} as const;

export type Override = (typeof OVERRIDE)[keyof typeof OVERRIDE];

export const kindOf = (operation: FlagOp, size: number): number => operation * 4 + size;
export const operationOf = (kind: number): number => (kind < 0 ? DYNAMIC : (kind & 0xff) >> 2);
export const sizeOf = (kind: number): number => kind & 3;
export const overrideOf = (kind: number): number => (kind < 0 ? 0 : kind >> 8);
export const baseOf = (kind: number): number => (kind < 0 ? kind : kind & 0xff);

/** CF alone does not go on top of CF and OF, and nothing on top of what is not known: those are stored first. */
export const mustStoreBefore = (kind: number, override: Override): boolean => kind === DYNAMIC || (override === OVERRIDE.CARRY && overrideOf(kind) > OVERRIDE.CARRY);

export const overridden = (kind: number, override: Override): number => (mustStoreBefore(kind, override) ? STORED : baseOf(kind)) | (override << 8);
