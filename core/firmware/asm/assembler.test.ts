import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { assemble } from './assembler.ts';

const hex = (source: string, bits: 16 | 32 | 64 = 16): string =>
  Buffer.from(assemble(source, { bits }).bytes).toString('hex');

function nasmMissing(): string | undefined {
  try {
    execFileSync('nasm', ['-v'], { stdio: 'ignore' });
    return undefined;
  } catch {
    return 'nasm is not installed';
  }
}

function nasm(source: string): Uint8Array {
  const folder = mkdtempSync(join(tmpdir(), 'nestbox-asm-'));
  try {
    writeFileSync(join(folder, 'in.asm'), source);
    execFileSync('nasm', ['-w-all', '-f', 'bin', '-o', join(folder, 'out.bin'), join(folder, 'in.asm')]);
    return readFileSync(join(folder, 'out.bin'));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe('instructions against bytes from the Intel manual', () => {
  it.each([
    ['mov ax, 0x1234', 'b83412'],
    ['mov eax, cr0', '0f20c0'],
    ['jmp 0xf000:0xe05b', 'ea5be000f0'],
    ['add word [bp], 1', '83460001'],
    ['mov eax, [esp+4]', '66678b442404'],
    ['rep movsd', 'f366a5'],
    ['out 0x20, al', 'e620'],
    ['lgdt [0x1000]', '0f01160010'],
    ['o32 iret', '66cf'],
    ['int 0x13', 'cd13'],
  ])('16-bit %s', (source, bytes) => expect(hex(source)).toBe(bytes));

  it.each([
    ['mov rax, 0x1122334455667788', '48b88877665544332211'],
    ['mov r8b, 1', '41b001'],
    ['lea rdi, [rel $]', '488d3df9ffffff'],
    ['iretq', '48cf'],
    ['mov rax, [0x1000]', '488b042500100000'],
    ['cmpxchg16b [rdi]', '480fc70f'],
  ])('64-bit %s', (source, bytes) => expect(hex(source, 64)).toBe(bytes));
});

describe('passes', () => {
  it('grows a jump exactly when its target is out of byte range', () => {
    expect(assemble('jmp over\ntimes 127 nop\nover:').bytes.length).toBe(129);
    expect(assemble('jmp over\ntimes 128 nop\nover:').bytes.length).toBe(131);
  });

  it('settles chains in which one long jump makes another long', () => {
    const { bytes, symbols } = assemble('jmp a\njmp b\ntimes 125 nop\na: times 10 nop\nb: hlt');
    expect(bytes.length).toBe(3 + 3 + 125 + 10 + 1);
    expect(symbols.get('b')).toBe(bytes.length - 1);
  });

  it('gives symbols with locals and equ', () => {
    const { symbols } = assemble('org 0x100\nfirst: nop\n.x: nop\nsecond: nop\n.x equ $-first');
    expect(Object.fromEntries(symbols)).toEqual({ first: 0x100, 'first.x': 0x101, second: 0x102, 'second.x': 3 });
  });
});

describe('mistakes', () => {
  it.each([
    ['nop\nmov ax, bl', /line 2.*no such form of mov/],
    ['inc [bx]', /operation size not specified/],
    ['mov al, 300', /does not fit/],
    ['jmp nowhere', /nowhere is not defined/],
    ['bogus ax', /unknown instruction bogus/],
    ['a: nop\na: nop', /line 2: a is defined twice/],
    ['jmp short far_away\ntimes 200 nop\nfar_away:', /line 1.*does not fit/],
    ['mov ah, r8b', /no such form|REX/],
    ['db "open', /unterminated string/],
    ['%macro x 0\nnop', /endmacro is missing/],
    ['times 2-5 db 0', /bad repeat count/],
    ['%macro r 0\nr\n%endmacro\nr', /nested too deeply/],
  ])('%j is refused with its line', (source, message) => expect(() => assemble(source)).toThrow(message));

  it('knows which registers exist in 64-bit code with REX', () => {
    expect(() => assemble('mov ah, r8b', { bits: 64 })).toThrow(/REX/);
  });
});

const skipReason = nasmMissing();
describe.skipIf(skipReason !== undefined)(`the same bytes as nasm ${skipReason ?? ''}`, () => {
  it.each(['code16.asm', 'code32-64.asm'])('%s', (name) => {
    const source = readFileSync(new URL(`testdata/${name}`, import.meta.url), 'utf8');
    const ours = assemble(source, { listing: true });
    const theirs = nasm(source);
    const lines = source.split('\n');
    const origin = ours.listing?.[0]?.address ?? 0;
    for (const { line, address, bytes } of ours.listing ?? []) {
      const at = address - origin;
      const expected = Buffer.from(theirs.subarray(at, at + bytes.length)).toString('hex');
      expect(`${lines[line - 1] ?? ''} ${Buffer.from(bytes).toString('hex')}`).toBe(
        `${lines[line - 1] ?? ''} ${expected}`,
      );
    }
    expect(ours.bytes.length).toBe(theirs.length);
  });
});
