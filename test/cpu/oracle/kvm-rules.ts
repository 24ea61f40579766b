// What is known of KVMs that run program code on the processor and interpret everything else (the development hosts'), and makes
// a case come out otherwise there. Nothing else is ignored; the same cases agree on the processor without KVM.

import type { OpcodeRow } from '../../../core/cpu/isa/opcode-row.ts';
import type { TestCase } from './cases.ts';
import { type Case, GPR_AT, NO_FAULT, RFLAGS_AT, type Result } from './records.ts';

const AC = 0x4_0000;
const RSP_AT = GPR_AT + 4 * 8;
const LOCK = 0xf0;
const UD = 6;
const SS = 12;
const GP = 13;

/** Why a row is not run under KVM, or undefined when it is. */
export function kvmSkipReason(row: OpcodeRow): string | undefined {
  if (/^(lar|lsl|verr|verw)$/.test(row.mnemonic) || /SEG|MOV_SE|MOV_ES|IRET|FAR/.test(row.sub ?? row.handler)) return "program code sees the descriptor tables of the host's kernel";
  if (row.mnemonic === 'int') return 'software interrupts of programs are interpreted, and wrong';
  return undefined;
}

/** Program code is interpreted while alignment checks are on or RSP is not canonical: cases run without. */
export function asProcessorRuns<T extends Case>(test: T): T {
  const state = test.state.slice();
  const view = new DataView(state.buffer);
  view.setUint32(RFLAGS_AT, view.getUint32(RFLAGS_AT, true) & ~AC, true);
  view.setBigInt64(RSP_AT, BigInt.asIntN(48, view.getBigInt64(RSP_AT, true)), true);
  return { ...test, state };
}

/** The reason for a difference that such a KVM makes, or undefined. */
export function kvmDifference(test: TestCase, kvm: Result, ours: Result): string | undefined {
  const { row } = test.encoded;
  if (kvm.vector === UD && ours.vector === GP) return 'what faults with #GP is interpreted, and #UD when the interpreter does not know it';
  if (test.code.includes(LOCK) && kvm.vector === NO_FAULT && ours.vector === UD) return 'what faults with #UD is interpreted, and LOCK overlooked';
  if (row.handler === 'SSE' && kvm.vector === SS && ours.vector === GP) return 'which of a misaligned and a non-canonical stack address is found first';
  if (/^fx(save|rstor)$/.test(row.mnemonic) && kvm.vector === NO_FAULT && ours.vector === GP) return 'what faults with #GP is interpreted, and its operand need not be aligned then';
  if (/^MOV_(FROM|TO)_[CD]R$/.test(row.sub ?? row.handler) && kvm.vector === GP && ours.vector === UD) return 'a register that is not there is looked for after the privilege level';
  return undefined;
}
