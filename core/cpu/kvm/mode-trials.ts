// Small programs that show which processor modes a KVM really runs, and whether it runs them on the processor or
// interprets them in the kernel. Some KVMs accept a mode and fail in it: asking is not enough.

import type { CpuState, SegmentState } from '../contract.ts';

/** The most telling ones first. */
export const TRIAL_MODES = ['paging32', 'virtual8086', 'fpu', 'real', 'protected', 'long', 'long-user'] as const;
export type TrialMode = (typeof TRIAL_MODES)[number];

export const MODE_TITLES: Readonly<Record<TrialMode, string>> = {
  real: 'real mode',
  protected: '32-bit protected mode',
  paging32: '32-bit paging',
  virtual8086: 'virtual-8086 mode',
  long: '64-bit mode, kernel',
  'long-user': '64-bit mode, programs',
  fpu: 'floating point in kernel code',
};

/** Memory that the trials use, from address 0. */
export const TRIAL_MEMORY_BYTES = 0x20_0000;
export const TRIAL_PORT = 0x80;
export const TRIAL_VALUE = 0x5a;
/** Iterations of the loop, two instructions each: enough to tell an interpreter, and to measure a processor. */
export const SHORT_TRIAL = 1000;
export const MIDDLE_TRIAL = 4000;
export const LONG_TRIAL = 60_000;
/** Physical address without memory, which virtual-8086 mode reaches by paging. */
export const TRIAL_WINDOW = 0xe000_0000;
const WINDOW_LINEAR = 0x9000;
const CODE = 0x7c00;
const STACK = 0x7000;
const PAGE_DIRECTORY = 0x1_0000;
const PAGE_TABLE = 0x1_4000;
const PML4 = 0x1_1000;
const PDPT = 0x1_2000;
const PD = 0x1_3000;
const PRESENT_WRITABLE_USER = 7;
const LARGE = 0x80;

const CR0_PE = 1n;
const CR0_PG = 0x8000_0000n;
const CR0_CACHE_OFF = 0x6000_0000n;
const CR4_PSE = 0x10n;
const CR4_PAE = 0x20n;
const EFER_LONG = 0x500n;
const RFLAGS_IOPL3 = 0x3000n;
const RFLAGS_VM = 0x2_0000n;

/** mov cx, n; loop: dec cx; jnz loop; mov al, 5Ah; out 80h, al; jmp $ */
function loop16(n: number): number[] {
  return [0xb9, n & 0xff, n >> 8, 0x49, 0x75, 0xfd, 0xb0, TRIAL_VALUE, 0xe6, TRIAL_PORT, 0xeb, 0xfe];
}

/**
 * mov cx, n; loop: dec cx; jnz loop; mov al, 5Ah; mov [WINDOW_LINEAR], al; jmp $, with DS for it. Not a port: in virtual-8086 mode
 * the TSS's bitmap decides about those, and the AMD-V of QEMU 7.2 takes a busy TSS, which TR always holds, for none.
 */
function loop86(n: number): number[] {
  return [0xb9, n & 0xff, n >> 8, 0x49, 0x75, 0xfd, 0xb0, TRIAL_VALUE, 0xa2, WINDOW_LINEAR & 0xff, WINDOW_LINEAR >> 8, 0xeb, 0xfe];
}

/** The same with ECX; FF C9 is DEC ECX in 32- and 64-bit code. */
function loop32(n: number): number[] {
  return [0xb9, n & 0xff, n >> 8, 0, 0, 0xff, 0xc9, 0x75, 0xfc, 0xb0, TRIAL_VALUE, 0xe6, TRIAL_PORT, 0xeb, 0xfe];
}

/** mov eax, 1; cpuid; mov eax, ecx; out 80h, eax; jmp $, in real mode */
export const CPUID_TRIAL: readonly number[] = [0x66, 0xb8, 1, 0, 0, 0, 0x0f, 0xa2, 0x66, 0x89, 0xc8, 0x66, 0xe7, TRIAL_PORT, 0xeb, 0xfe];

/** fninit; fld1; fstp st0 */
const FPU = [0xdb, 0xe3, 0xd9, 0xe8, 0xdd, 0xd8];

function segment(selector: number, base: bigint, limit: number, access: number): SegmentState {
  return { selector, base, limit, access };
}

function all(code: SegmentState, data: SegmentState): CpuState['segments'] {
  const tss = segment(0, 0n, 0xffff, 0x8b);
  const ldt = segment(0, 0n, 0xffff, 0x1_0082);
  return { cs: code, ss: data, ds: data, es: data, fs: data, gs: data, ldtr: ldt, tr: tss };
}

export interface Trial {
  readonly state: CpuState;
  readonly code: readonly number[];
}

/** Writes the page tables that the paging modes use: the first 2 or 4 MiB one to one, for everybody, but for the window. */
export function writeTrialTables(memory: Uint8Array): void {
  const view = new DataView(memory.buffer, memory.byteOffset, memory.length);
  view.setUint32(PAGE_DIRECTORY, PAGE_TABLE | PRESENT_WRITABLE_USER, true);
  for (let page = 0; page < 1024; page++) view.setUint32(PAGE_TABLE + page * 4, (page << 12) | PRESENT_WRITABLE_USER, true);
  view.setUint32(PAGE_TABLE + (WINDOW_LINEAR >> 12) * 4, TRIAL_WINDOW | PRESENT_WRITABLE_USER, true);
  view.setUint32(PML4, PDPT | PRESENT_WRITABLE_USER, true);
  view.setUint32(PDPT, PD | PRESENT_WRITABLE_USER, true);
  view.setUint32(PD, PRESENT_WRITABLE_USER | LARGE, true);
}

/** @param base the vCPU's state after reset */
export function trialOf(mode: TrialMode, base: CpuState, iterations = SHORT_TRIAL): Trial {
  const common = { ...base, rip: BigInt(CODE), rflags: 2n, gpr: base.gpr.map((_, i) => (i === 4 ? BigInt(STACK) : 0n)), cpl: 0, activity: 'running' as const };
  const flat32 = all(segment(8, 0n, 0xffff_ffff, 0xc09b), segment(16, 0n, 0xffff_ffff, 0xc093));
  const flat64 = all(segment(8, 0n, 0xffff_ffff, 0xa09b), segment(16, 0n, 0xffff_ffff, 0xc093));
  const long = { cr0: CR0_PE | CR0_PG, cr3: BigInt(PML4), cr4: CR4_PAE, efer: EFER_LONG };
  switch (mode) {
    case 'real':
      return { state: { ...common, cr0: CR0_CACHE_OFF, segments: all(segment(0, 0n, 0xffff, 0x9b), segment(0, 0n, 0xffff, 0x93)) }, code: loop16(iterations) };
    case 'protected':
      return { state: { ...common, cr0: CR0_CACHE_OFF | CR0_PE, segments: flat32 }, code: loop32(iterations) };
    case 'paging32':
      return { state: { ...common, cr0: CR0_PE | CR0_PG, cr3: BigInt(PAGE_DIRECTORY), cr4: CR4_PSE, segments: flat32 }, code: loop32(iterations) };
    case 'virtual8086': {
      const v86 = segment(0, 0n, 0xffff, 0xf3);
      return {
        state: { ...common, cr0: CR0_PE | CR0_PG, cr3: BigInt(PAGE_DIRECTORY), cr4: CR4_PSE, rflags: 2n | RFLAGS_VM | RFLAGS_IOPL3, segments: all(v86, v86), cpl: 3 },
        code: loop86(iterations),
      };
    }
    case 'long':
      return { state: { ...common, ...long, segments: flat64 }, code: loop32(iterations) };
    case 'long-user': {
      const user = all(segment(0x1b, 0n, 0xffff_ffff, 0xa0fb), segment(0x23, 0n, 0xffff_ffff, 0xc0f3));
      return { state: { ...common, ...long, segments: user, rflags: 2n | RFLAGS_IOPL3, cpl: 3 }, code: loop32(iterations) };
    }
    case 'fpu':
      return { state: { ...common, ...long, segments: flat64 }, code: [...FPU, ...loop32(iterations)] };
  }
}

export const TRIAL_CODE_ADDRESS = CODE;
