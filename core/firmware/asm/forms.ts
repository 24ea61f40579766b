// Reads the form table into instruction forms by mnemonic, expanding the size letters `v` and `w`.

import { formTableText } from './form-table.ts';

export interface Form {
  readonly mnemonic: string;
  readonly operands: readonly string[];
  readonly encoding: readonly string[];
  /** Operand size in bits that the form fixes (o16/o32/o64/d64), 0 when none. */
  readonly operandBits: number;
}

const ACCUMULATORS: Record<number, string> = { 16: 'ax', 32: 'eax', 64: 'rax' };

function makeForm(mnemonic: string, operands: readonly string[], encoding: readonly string[]): Form {
  let operandBits = 0;
  for (const item of encoding) {
    const match = /^[od](16|32|64)$/.exec(item);
    if (match !== null) operandBits = Number(match[1]);
  }
  return { mnemonic, operands, encoding, operandBits };
}

function expand(mnemonic: string, operands: readonly string[], encoding: readonly string[]): Form[] {
  const sizes = encoding.includes('ov') ? [16, 32, 64] : encoding.includes('ow') ? [16, 32] : [];
  if (sizes.length === 0) return [makeForm(mnemonic, operands, encoding)];
  return sizes.map((bits) =>
    makeForm(
      mnemonic,
      operands.map((operand) => {
        if (operand === 'accv') return ACCUMULATORS[bits] as string;
        return operand.replace(/^(rm|r|g|imm)[vw]$/, `$1${bits}`);
      }),
      encoding.map((item) => (item === 'ov' || item === 'ow' ? `o${bits}` : item)),
    ),
  );
}

function readTable(text: string): Map<string, Form[]> {
  const forms = new Map<string, Form[]>();
  for (const line of text.split('\n')) {
    if (line.trim() === '') continue;
    const [left = '', right = ''] = line.split(' = ');
    const [mnemonic = '', operandText = ''] = left.trim().split(' ');
    const operands = operandText === '' ? [] : operandText.split(',');
    const list = forms.get(mnemonic) ?? [];
    list.push(...expand(mnemonic, operands, right.trim().split(' ')));
    forms.set(mnemonic, list);
  }
  return forms;
}

let cached: Map<string, Form[]> | undefined;

/** Forms of a mnemonic in order of preference, or undefined when it is not known. */
export function formsOf(mnemonic: string): readonly Form[] | undefined {
  cached ??= readTable(formTableText());
  return cached.get(mnemonic);
}

/** Every mnemonic of the table. */
export function allMnemonics(): string[] {
  cached ??= readTable(formTableText());
  return [...cached.keys()];
}
