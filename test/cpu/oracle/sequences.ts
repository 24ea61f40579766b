// Short straight-line programs: what one instruction leaves behind (lazy flags, x87 tags, upper halves of registers) is
// what the next one finds. Undefined flags must not reach an instruction that looks at them.

import type { OpcodeRow } from '../../../core/cpu/isa/opcode-row.ts';
import { chooseAddress, withOperands, type TestCase } from './cases.ts';
import { encode, prefixedOpcodes, tokensOf, type Encoded, type Mode } from './encode.ts';
import { isStateImage } from './images.ts';
import { MAX_CODE_BYTES, RFLAGS_AT } from './records.ts';
import type { Random } from './random.ts';
import { FLAG_BITS, skipReason, TRANSCENDENTAL, undefinedFlagsOf } from './rules.ts';

const ARITHMETIC_FLAGS = 0x8d5;
/** Instructions that look at arithmetic flags. */
const READS_FLAGS = /^(adc|sbb|rcl|rcr|set|cmov|pushf|lahf|daa|das|aaa|aas|cmc|salc|adcx|adox|fcmov)/;
/** Instructions whose result, faults or memory the rules leave open somewhere, or that change more than registers. */
const EXCLUDED = /^(sh[lr]d|r(cp|sqrt)[ps]s|cvtpi2ps|maskmov|sha\d|enter|pusha|popa|arpl|lar|lsl|popf|mov[s]|cmps|scas|lods|stos|xlat|clflush)/;
const ROTATES = /^(ro[lr]|rc[lr]|s[ha][lr])$/;

function isExcluded(row: OpcodeRow): boolean {
  if (row.handler === 'SYSTEM' || row.endsBlock === true || row.size64 === 'force' || /SEG|MOV_SE/.test(row.handler)) return true;
  if (tokensOf(row).some((token) => /^[XY]/.test(token))) return true;
  if (/M80$|^FB/.test(row.sub ?? '')) return true;
  return (EXCLUDED.test(row.mnemonic) && !/^mov(s[xs]$|shdup|sldup|sd)/.test(row.mnemonic)) || TRANSCENDENTAL.test(row.mnemonic) || isStateImage(row.mnemonic);
}

function bitsOf(letters: string | undefined): number {
  let mask = 0;
  for (const letter of letters ?? '') mask |= FLAG_BITS[letter] ?? 0;
  return mask;
}

export class SequenceMaker {
  readonly #rows: Readonly<Record<Mode, readonly OpcodeRow[]>>;
  readonly #integer: Readonly<Record<Mode, readonly OpcodeRow[]>>;
  readonly #prefixed: ReadonlySet<string>;

  constructor(table: readonly OpcodeRow[], features: ReadonlySet<string>) {
    const usable = (mode: Mode): OpcodeRow[] => table.filter((row) => !isExcluded(row) && skipReason(row, mode, features) === undefined);
    this.#rows = { 16: usable(16), 32: usable(32), 64: usable(64) };
    const integer = (rows: readonly OpcodeRow[]): OpcodeRow[] => rows.filter((row) => !/^(SSE|MMX|X87)$/.test(row.handler));
    this.#integer = { 16: integer(this.#rows[16]), 32: integer(this.#rows[32]), 64: integer(this.#rows[64]) };
    this.#prefixed = prefixedOpcodes(table);
  }

  make(mode: Mode, length: number, random: Random): TestCase {
    const parts: Encoded[] = [];
    // Integer programs, x87 programs, or anything.
    const kind = random.below(3);
    const all = this.#rows[mode];
    const rows = kind === 0 ? this.#integer[mode] : kind === 1 ? all.filter((row) => row.handler === 'X87') : all;
    let bytes = 0;
    let first: TestCase | undefined;
    let open = 0;
    let everOpen = 0;
    for (let i = 0; i < length; i++) {
      const row = this.#next(rows, open, random);
      const address = chooseAddress(row, random);
      const encoded = encode(row, mode, random, this.#prefixed, address, { at: bytes, fixed: parts.length > 0 });
      if (bytes + encoded.code.length > MAX_CODE_BYTES || encoded.rep) break;
      const test = withOperands(encoded, address, random);
      first ??= test;
      open = openAfter(test, open);
      everOpen |= open;
      parts.push(encoded);
      bytes += encoded.code.length;
    }
    if (first === undefined) return this.make(mode, length, random);
    const code = new Uint8Array(bytes);
    let at = 0;
    for (const part of parts) {
      code.set(part.code, at);
      at += part.code.length;
    }
    // Without alignment checks: when x87 stores make them is open (rules.ts).
    const state = new DataView(first.state.buffer, first.state.byteOffset);
    state.setUint32(RFLAGS_AT, state.getUint32(RFLAGS_AT, true) & ~0x40000, true);
    return { ...first, code, parts, openFlags: { end: open, fault: everOpen } };
  }

  #next(rows: readonly OpcodeRow[], open: number, random: Random): OpcodeRow {
    for (;;) {
      const row = random.pick(rows);
      if (open === 0 || !READS_FLAGS.test(row.mnemonic)) return row;
    }
  }
}

/** Undefined flags after an instruction. */
function openAfter(test: TestCase, open: number): number {
  const { row } = test.encoded;
  if (ROTATES.test(row.mnemonic)) {
    // The count decides which flags are written: only the immediate forms tell it.
    if (row.operands?.endsWith('CL') === true) return ARITHMETIC_FLAGS;
    return open | undefinedFlagsOf(test);
  }
  // Faults apart, what is written is defined again.
  return (open & ~bitsOf(row.flagsWritten)) | undefinedFlagsOf(test);
}
