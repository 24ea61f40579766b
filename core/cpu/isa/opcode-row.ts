// One row of the opcode table: one encoding of one instruction. The table feeds the decoder, the disassembler and the
// test generators; opcodes-*.ts hold the rows. Notation of operands follows the Intel SDM volume 2 appendix A.

export type OpcodeMap = '1' | '0f' | '0f38' | '0f3a' | 'vex0f' | 'vex0f38' | 'vex0f3a';

export interface OpcodeRow {
  readonly map: OpcodeMap;
  readonly opcode: number;
  /** Register number in the low three opcode bits: the row stands for opcode..opcode+7. */
  readonly plusR?: true;
  /** Mandatory prefix that selects this row: np = none of 66 F3 F2. Absent: prefixes keep their usual meaning. */
  readonly prefix?: 'np' | '66' | 'f3' | 'f2';
  /** ModRM.reg as opcode extension. */
  readonly reg?: number;
  /** Only the memory or only the register form. */
  readonly mod?: 'mem' | 'reg';
  /** Exact ModRM.rm (with mod 'reg'), as in 0F 01 F8 SWAPGS. */
  readonly rm?: number;
  readonly mnemonic: string;
  /** Operands, destination first: E ModRM r/m, G ModRM reg, I immediate, J relative, M memory only, R register only, V xmm reg,
   * W xmm r/m, P mmx reg, Q mmx r/m, S segment, C control, D debug, O moffs, X/Y string, A far pointer, fixed registers by
   * name; sizes b w d q v (16/32/64) z (16/32) y (32/64) dq ps pd ss sd p s. */
  readonly operands?: string;
  readonly modes?: 'no64' | 'only64';
  /** Operand size in 64-bit mode is 64 by default (push, pop, near branches) or always. */
  readonly size64?: 'default' | 'force';
  readonly lock?: true;
  /** Handler name in the interpreter (H_*), or a group: X87, MMX, SSE. */
  readonly handler: string;
  /** Selector inside a group: a name that the generator numbers, shared with AssemblyScript as SUB_<name>. */
  readonly sub?: string;
  /** CPUID feature that must be offered, else #UD. Absent: always there. */
  readonly feature?: string;
  /** Arithmetic flags written, and those left undefined, as letters of "oszapc". */
  readonly flagsWritten?: string;
  readonly flagsUndefined?: string;
  /** Ends a block: branches, and whatever may change mode, mapping or code. */
  readonly endsBlock?: true;
}
