// Cases for MMX instructions: every row of the MMX table in its register and memory form.

import { OP, OPF } from '../../../core/cpu/isa/layout.ts';
import { MMX_ROWS } from '../../../core/cpu/isa/opcodes-mmx.ts';
import type { OpcodeRow } from '../../../core/cpu/isa/opcode-row.ts';
import type { CaseBuffer} from './fpu-cases.ts';
import { IN, pattern, type Random } from './fpu-cases.ts';
import { subNumbers } from './fpu-module.ts';

export interface MmxForm {
  readonly name: string;
  readonly row: OpcodeRow;
  readonly memory: boolean;
  readonly wide: boolean;
}

const MAP_BYTES: Readonly<Record<string, readonly number[]>> = { '0f': [0x0f], '0f38': [0x0f, 0x38], '0f3a': [0x0f, 0x3a] };

export function mmxForms(): MmxForm[] {
  return MMX_ROWS.flatMap((row) => {
    const forms: MmxForm[] = [];
    const wides = row.mnemonic === 'movd' ? [false, true] : [false];
    for (const wide of wides) {
      if (row.mod !== 'mem') forms.push({ name: `${row.mnemonic} ${row.operands ?? ''} register${wide ? ' wide' : ''}`, row, memory: false, wide });
      if (row.mod !== 'reg' && row.operands !== undefined) forms.push({ name: `${row.mnemonic} ${row.operands} memory${wide ? ' wide' : ''}`, row, memory: true, wide });
    }
    return forms;
  });
}

export function addMmxCase(buffer: CaseBuffer, form: MmxForm, random: Random): void {
  const { row } = form;
  const tokens = row.operands?.split(',') ?? [];
  // General registers in the operands are EAX (0) alone: the harness knows no others.
  const generalReg = tokens.includes('Gd');
  const generalRm = tokens.some((token) => token.startsWith('E') || token.startsWith('Rd'));
  const reg = row.reg ?? (generalReg ? 0 : random.below(8));
  const rm = form.memory ? 7 : generalRm ? 0 : random.below(8);
  const hasImmediate = tokens.includes('Ib');
  const immediate = random.below(4) === 0 ? random.below(256) : random.below(72);
  const code = [...(form.wide ? [0x48] : []), ...(MAP_BYTES[row.map] as readonly number[]), row.opcode];
  if (row.operands !== undefined) code.push((form.memory ? 0 : 0xc0) | (reg << 3) | rm);
  if (hasImmediate) code.push(immediate);
  const at = buffer.next(code);
  const op = at + IN.OP;
  buffer.bytes[op + OP.HANDLER] = 1;
  buffer.bytes[op + OP.LENGTH] = code.length;
  buffer.bytes[op + OP.FLAGS] = form.memory ? OPF.MEM | OPF.FLAT : 0;
  buffer.bytes[op + OP.REG] = reg;
  buffer.bytes[op + OP.RM] = rm;
  buffer.bytes[op + OP.BASE] = form.memory ? 7 : 16;
  buffer.bytes[op + OP.INDEX] = 16;
  buffer.bytes[op + OP.SEG] = 3;
  buffer.bytes[op + OP.SIZE] = (form.wide ? 3 : 2) | (3 << 4);
  buffer.view.setUint32(op + OP.IMM, hasImmediate ? immediate : 0, true);
  buffer.view.setUint32(op + OP.SUB, subNumbers.get(row.sub as string) as number, true);
  const top = random.below(8);
  buffer.setState(at, 0x37f, (random.u32() & 0x477f) | (top << 11), random.below(4) === 0 ? 0xffff : random.u32() & 0xffff);
  for (let i = 0; i < 8; i++) {
    // Shift counts are small numbers.
    const small = random.below(4) === 0;
    buffer.setSt(at, i, { exp: random.u32() & 0xffff, sig: small ? BigInt(random.below(72)) : pattern(random) });
  }
  buffer.view.setBigUint64(at + IN.MEMORY, random.below(4) === 0 ? BigInt(random.below(72)) : pattern(random), true);
  buffer.view.setBigUint64(at + IN.MEMORY + 8, random.u64(), true);
  buffer.view.setUint32(at + IN.EFLAGS, random.u32() & 0x8d5, true);
  buffer.view.setUint32(at + IN.EAX, random.u32(), true);
}
