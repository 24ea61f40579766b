// All instructions that regions contain, by handler name. Branches are in region-emitter.ts.

import { addAluTranslations } from './emit-alu.ts';
import { addBitTranslations } from './emit-bits.ts';
import { addMulDivTranslations } from './emit-muldiv.ts';
import { addShiftTranslations } from './emit-shift.ts';
import { addSseFloatTranslations } from './emit-sse-float.ts';
import { addSseIntegerTranslations } from './emit-sse-integer.ts';
import { addSseMoveTranslations } from './emit-sse-move.ts';
import { addStackTranslations } from './emit-stack.ts';
import { addSystemTranslations } from './emit-system.ts';
import { type Op, translationName } from './op-record.ts';
import type { RegionCode } from './region-code.ts';
import type { Translation, Translations } from './translation.ts';

const table: Translations = new Map();
addAluTranslations(table);
addShiftTranslations(table);
addMulDivTranslations(table);
addStackTranslations(table);
addBitTranslations(table);
addSseMoveTranslations(table);
addSseIntegerTranslations(table);
addSseFloatTranslations(table);
addSystemTranslations(table);

/** How to translate an instruction, undefined when it is left to the interpreter. */
export function translationOf(c: RegionCode, op: Op): Translation | undefined {
  const found = table.get(translationName(op));
  return found === undefined || found.accepts?.(c, op) === false ? undefined : found;
}
