// What the JIT knows about an instruction: how it is emitted, and what it means for the flags.

import type { Op } from './op-record.ts';
import type { RegionCode } from './region-code.ts';

export interface Translation {
  /** False: the region leaves the instruction to the interpreter. */
  readonly accepts?: (c: RegionCode, op: Op) => boolean;
  /**
   * Everything that can fault or leave comes before the first change of a guest register or flag local. `live`: the flags
   * after the instruction may be looked at.
   */
  readonly emit: (c: RegionCode, op: Op, live: boolean) => void;
  /** Condition code that is looked at. */
  readonly reads?: (op: Op) => number;
  /** Keeps some flags, so that those before matter when those afterwards do. */
  readonly partial?: true;
  /** All arithmetic flags are overwritten, whatever the operands are. */
  readonly overwrites?: (op: Op) => boolean;
  /** Kind of the flags afterwards, given what they were; undefined leaves them. */
  readonly kind?: (op: Op, before: number) => number | undefined;
  /** May leave before or during the instruction without having a memory operand. */
  readonly exits?: true;
}

export type Translations = Map<string, Translation>;
