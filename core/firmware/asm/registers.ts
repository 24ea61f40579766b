// Register names of the assembler: class, encoding number and size in bits.

export type RegisterClass = 'r8' | 'r16' | 'r32' | 'r64' | 'sreg' | 'cr' | 'dr' | 'st' | 'mm' | 'xmm' | 'rip';

export interface Register {
  readonly name: string;
  readonly kind: RegisterClass;
  /** Encoding number 0-15. */
  readonly number: number;
  readonly bits: number;
  /** SPL, BPL, SIL, DIL need a REX prefix; AH, CH, DH, BH forbid one. */
  readonly rex: 'needs' | 'forbids' | 'any';
}

const table = new Map<string, Register>();

function add(
  names: readonly string[],
  kind: RegisterClass,
  bits: number,
  first = 0,
  rex: Register['rex'] = 'any',
): void {
  names.forEach((name, index) => table.set(name, { name, kind, number: first + index, bits, rex }));
}

const numbered = (prefix: string, suffix: string, from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, index) => `${prefix}${from + index}${suffix}`);

add(['al', 'cl', 'dl', 'bl'], 'r8', 8);
add(['ah', 'ch', 'dh', 'bh'], 'r8', 8, 4, 'forbids');
add(['spl', 'bpl', 'sil', 'dil'], 'r8', 8, 4, 'needs');
add(numbered('r', 'b', 8, 16), 'r8', 8, 8);
add(['ax', 'cx', 'dx', 'bx', 'sp', 'bp', 'si', 'di', ...numbered('r', 'w', 8, 16)], 'r16', 16);
add(['eax', 'ecx', 'edx', 'ebx', 'esp', 'ebp', 'esi', 'edi', ...numbered('r', 'd', 8, 16)], 'r32', 32);
add(['rax', 'rcx', 'rdx', 'rbx', 'rsp', 'rbp', 'rsi', 'rdi', ...numbered('r', '', 8, 16)], 'r64', 64);
add(['es', 'cs', 'ss', 'ds', 'fs', 'gs'], 'sreg', 16);
add(numbered('cr', '', 0, 16), 'cr', 64);
add(numbered('dr', '', 0, 16), 'dr', 64);
add(numbered('st', '', 0, 8), 'st', 80);
add(numbered('mm', '', 0, 8), 'mm', 64);
add(numbered('xmm', '', 0, 16), 'xmm', 128);
add(['rip'], 'rip', 64);

/** The register called `name` (lower case), or undefined. */
export function registerByName(name: string): Register | undefined {
  return table.get(name);
}
