// The disassembler against Capstone: lengths and text of random encodings in the three code sizes.

// @ts-expect-error the package has no types
import MCapstone from '@alexaltea/capstone-js';
import { describe, expect, it } from 'vitest';
import { type CodeSize, disassemble } from './disassembler.ts';

interface CapstoneInstruction {
  readonly size: number;
  readonly mnemonic: string;
  readonly op_str: string;
}
interface Capstone {
  readonly ARCH_X86: number;
  readonly MODE_16: number;
  readonly MODE_32: number;
  readonly MODE_64: number;
  readonly Capstone: new (
    architecture: number,
    mode: number,
  ) => { disasm(code: number[], address: number, count: number): CapstoneInstruction[]; close(): void };
}

const CASES = 6000;
/** Where Capstone goes its own way: UD0 and UD1 without ModRM, CR moves with a memory form, 66 before near branches as on AMD. */
const OTHER_LENGTH = /^(ud0|ud1|mov (cr|dr)|mov .*, (cr|dr)\d|j|call|ret|loop)/;
/** What is shown otherwise: operands of strings are left out, x87 aliases, far pointers, hints, immediates of PUSH and ENTER unsigned. */
const OTHER_TEXT =
  /^(movs[bwdq]|stos|lods|scas|cmps[bwdq]|ins[bwd]|outs|call|jmp|ret|lcall|f|wait|nop|prefetch|l[defgs]s|lar|lsl|movabs|xchg|bound|ud|arpl|pushf|popf|iret|s[gi]dt|l[gi]dt|sldt|str|ll?msw|smsw|ver|invlpg|int1|icebp|push|enter|sal|rcl|xsave|xrstor|cmpxchg8b|pushal?|popal?|pushaw|popaw|cdq|cwd|cbw|cwde|.?fence|test)/;

/** Numbers as signed values modulo the widest operand, one form for both. */
function normal(text: string): string {
  return text
    .replace(/^bnd |^notrack /, '')
    .replace(/ \+ [re]iz(\*\d)?/, '')
    .replace(
      /(- )?\b(0x[0-9a-f]+|\d+)\b(?![)*])/g,
      (_all, minus: string | undefined, digits: string) =>
        `${minus ?? ''}#${(BigInt(digits) & 0xffffffffn).toString(16)}`,
    )
    .replace(/, -#([0-9a-f]+)/, (_all, digits: string) => `, #${(-BigInt(`0x${digits}`) & 0xffffffffn).toString(16)}`)
    .replace(/\s+/g, ' ')
    .trim();
}

/** The immediate of the narrow operand sizes in one width. */
function sameText(theirs: string, ours: string): boolean {
  if (theirs === ours) return true;
  const split = (text: string): [string, bigint] => {
    const match = /^(.*[, ])#([0-9a-f]+)$/.exec(text);
    return match === null ? [text, 0n] : [match[1] as string, BigInt(`0x${match[2]}`)];
  };
  const [theirHead, theirValue] = split(theirs);
  const [ourHead, ourValue] = split(ours);
  return (
    theirHead === ourHead &&
    (theirValue & 0xffffn) === (ourValue & 0xffffn || theirValue & 0xffffn) &&
    (theirValue & 0xffn) === (ourValue & 0xffn)
  );
}

describe('disassembler', async () => {
  const capstone = await (MCapstone as unknown as () => Promise<Capstone>)();
  const modes: readonly [CodeSize, number][] = [
    [16, capstone.MODE_16],
    [32, capstone.MODE_32],
    [64, capstone.MODE_64],
  ];

  it.each(modes)('agrees with Capstone on random encodings in %i-bit code', (size, mode) => {
    const peer = new capstone.Capstone(capstone.ARCH_X86, mode);
    let seed = 12345;
    const random = (): number => (seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) >>> 24;
    const lengths: string[] = [];
    const texts: string[] = [];
    let compared = 0;
    for (let i = 0; i < CASES; i++) {
      const code = Uint8Array.from({ length: 16 }, random);
      if (i % 3 === 0) code[0] = 0x0f;
      if (size === 64 && i % 5 === 0) code[0] = 0x40 | (random() & 15);
      let theirs: CapstoneInstruction | undefined;
      try {
        theirs = peer.disasm([...code], 0x1000, 1)[0];
      } catch {
        theirs = undefined;
      }
      const ours = disassemble(code, size, 0x1000n);
      if (theirs === undefined || !ours.valid) continue;
      const theirText = `${theirs.mnemonic} ${theirs.op_str}`.trim();
      compared++;
      const shown = `${Buffer.from(code.subarray(0, 12)).toString('hex')}: ${theirText} | ${ours.text}`;
      if (theirs.size !== ours.length) {
        if (!OTHER_LENGTH.test(ours.text)) lengths.push(shown);
      } else if (
        !OTHER_TEXT.test(theirs.mnemonic) &&
        !OTHER_TEXT.test(ours.mnemonic) &&
        !sameText(normal(theirText), normal(ours.text))
      )
        texts.push(shown);
    }
    peer.close();
    expect(compared).toBeGreaterThan(CASES / 2);
    // Mandatory prefixes in 16-bit code are a known weakness of Capstone.
    expect(lengths.slice(0, 10)).toEqual([]);
    expect(texts.length / compared).toBeLessThan(size === 16 ? 0.03 : 0.01);
  });

  it('shows the forms of a trace', () => {
    const text = (size: CodeSize, ...bytes: number[]): string =>
      disassemble(Uint8Array.from([...bytes, ...Array<number>(12).fill(0)]), size, 0x1000n).text;
    expect(text(16, 0xf3, 0xa5)).toBe('rep movsw');
    expect(text(64, 0x48, 0x8b, 0x05, 0x10, 0, 0, 0)).toBe('mov rax, qword ptr [rip + 0x10]');
    expect(text(32, 0xf0, 0x0f, 0xb1, 0x0b)).toBe('lock cmpxchg dword ptr [ebx], ecx');
    expect(text(16, 0xea, 0, 0xfc, 0x34, 0x12)).toBe('jmpf 0x1234:0xfc00');
    expect(text(64, 0x75, 0xfe)).toBe('jne 0x1000');
    expect(text(64, 0x66, 0x41, 0x0f, 0x6f, 0xd1)).toBe('movdqa xmm2, xmm9');
    expect(text(32, 0x8c, 0xf0)).toBe('(bad) 8c');
  });
});
