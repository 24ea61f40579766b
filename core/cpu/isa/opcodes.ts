// The whole opcode table. Feeds the decoder (build/generate-decoder.ts), the disassembler and the test generators.

import type { OpcodeRow } from './opcode-row.ts';
import { INTEGER_ROWS } from './opcodes-integer.ts';
import { MMX_ROWS } from './opcodes-mmx.ts';
import { SSE_ROWS } from './opcodes-sse.ts';
import { SYSTEM_ROWS } from './opcodes-system.ts';
import { X87_ROWS } from './opcodes-x87.ts';

export const OPCODE_ROWS: readonly OpcodeRow[] = [
  ...INTEGER_ROWS,
  ...SYSTEM_ROWS,
  ...X87_ROWS,
  ...MMX_ROWS,
  ...SSE_ROWS,
];
