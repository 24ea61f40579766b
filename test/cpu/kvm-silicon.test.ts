// Program code in long mode under our own page tables, on the processor itself: KVM runs privilege level 3 on silicon even
// where it interprets everything else. What the software CPU makes of the same code, in every mode of the JIT, must be the
// same: registers, flags, SSE and x87 state, faults with their error codes and CR2, accessed and dirty bits.

import { afterAll, describe, expect, it } from 'vitest';
import type { CpuState, SegmentState } from '../../core/cpu/contract.ts';
import { DEFAULT_FEATURES } from '../../core/cpu/isa/cpuid.ts';
import { assemble } from '../../core/firmware/asm/assembler.ts';
import { inEveryJitMode } from '../support/jit-modes.ts';
import { DONE_PORT, Rig, hostProbe, whyNoKvm } from '../conformance/rig.ts';

const PML4 = 0x1_0000;
const CODE = 0x20_0000;
const DATA = 0x20_1000;
const SUPERVISOR = 0x20_2000;
const READ_ONLY = 0x20_3000;
const ABSENT = 0x20_4000;
const IDT = 0x3000;
const TSS = 0x5000;
const STUBS = 0x6000;
const KERNEL_STACK = 0x9000;
const STUB_BYTES = 16;
const NX = 0x8000_0000;
/** CF PF AF ZF SF DF OF. */
const ALL_FLAGS = 0xcd5;

const reason = await whyNoKvm();
const skip = reason ?? (hostProbe().modes['long-user'].support === 'missing' ? 'its KVM does not run 64-bit programs' : undefined);

interface Case {
  readonly name: string;
  readonly code: string;
  /** Flags that the manual defines after it. */
  readonly flags?: number;
}

const memory = (address: number): string => `mov rbx, ${address}`;

/** Not here: INT n, which a KVM that interprets kernel code was seen to turn into #UD. */
const FAULTS: readonly Case[] = [
  { name: 'read of a supervisor page', code: `${memory(SUPERVISOR)}\nmov rax, [rbx+8]` },
  { name: 'write to a supervisor page', code: `${memory(SUPERVISOR)}\nmov [rbx+16], rax` },
  { name: 'write to a read-only page', code: `${memory(READ_ONLY)}\nmov [rbx+1], al` },
  { name: 'read of a read-only page', code: `${memory(READ_ONLY)}\nmov rax, [rbx]` },
  { name: 'read of an absent page', code: `${memory(ABSENT)}\nmov rax, [rbx+0x20]` },
  { name: 'write across into an absent page', code: `${memory(ABSENT - 4)}\nmov [rbx], rax` },
  { name: 'read-modify-write of a read-only page', code: `${memory(READ_ONLY)}\nadd dword [rbx], 5` },
  { name: 'fetch from a no-execute page', code: `${memory(DATA)}\njmp rbx` },
  { name: 'fetch from a supervisor page', code: `${memory(SUPERVISOR)}\njmp rbx` },
  { name: 'address that is not canonical', code: `mov rbx, 0x0000800000000000\nmov rax, [rbx]` },
  { name: 'stack address that is not canonical', code: `mov rsp, 0x0000800000000000\npush rax` },
  { name: 'divide by zero', code: 'xor ecx, ecx\ndiv rcx' },
  { name: 'quotient too large', code: 'mov rdx, 5\nmov rax, 0\nmov rcx, 3\ndiv rcx' },
  { name: 'undefined instruction', code: 'ud2' },
  { name: 'privileged instruction', code: 'hlt' },
  { name: 'control register', code: 'mov rax, cr0' },
  { name: 'breakpoint', code: 'int3' },
  { name: 'port without rights', code: 'mov dx, 0x60\nin al, dx' },
  { name: 'string store that runs into an absent page', code: `cld\nmov rdi, ${ABSENT - 24}\nmov rcx, 8\nrep stosq` },
  { name: 'string copy from an absent page', code: `cld\nmov rsi, ${ABSENT - 8}\nmov rdi, ${DATA}\nmov rcx, 3\nrep movsq` },
  { name: 'misaligned SSE operand', code: `${memory(DATA + 8)}\nmovaps xmm1, [rbx]` },
];

const WORK: readonly Case[] = [
  { name: 'add and adc', code: 'add rax, rcx\nadc rdx, rsi' },
  { name: 'sub and sbb', code: 'sub rax, rcx\nsbb edx, esi' },
  { name: 'neg, inc, dec', code: 'neg rax\ninc rcx\ndec edx' },
  { name: 'imul', code: 'imul rax, rcx', flags: 0x801 },
  { name: 'mul', code: 'mul rcx', flags: 0x801 },
  { name: 'shifts', code: 'and cl, 31\nor cl, 1\nshl rax, cl\nsar rdx, 3', flags: 0xc5 },
  { name: 'double shifts', code: 'and cl, 15\nor cl, 1\nshld rax, rdx, cl', flags: 0xc5 },
  { name: 'rotates', code: 'and cl, 31\nor cl, 1\nrol rax, cl\nrcr rdx, 1', flags: 0xc5 & 1 },
  { name: 'bit tests', code: 'bts rax, rcx\nbtr edx, 7', flags: 1 },
  { name: 'bit scan', code: 'or rcx, 16\nbsf rax, rcx\nbsr rdx, rcx', flags: 0x40 },
  { name: 'exchange and add', code: 'xadd rax, rcx\nxchg rdx, rsi' },
  { name: 'compare and exchange', code: `${memory(DATA)}\nlock cmpxchg [rbx], rcx` },
  { name: 'conditional moves', code: 'cmp rax, rcx\ncmovg rdx, rsi\nsetle al' },
  { name: 'byte swaps', code: 'bswap rax\nbswap ecx' },
  { name: 'stack', code: `mov rsp, ${DATA + 0x800}\npush rax\npush rcx\npushfq\npop rdx\npop rsi\npop rdi` },
  { name: 'strings', code: `cld\nmov rdi, ${DATA + 0x10}\nmov rcx, 9\nrep stosw\nmov rsi, ${DATA}\nmov rdi, ${DATA + 0x203}\nmov rcx, 31\nrep movsb` },
  { name: 'scan', code: `cld\nmov rdi, ${DATA}\nmov rcx, 40\nxor eax, eax\nrepne scasb` },
  { name: 'sign extension', code: 'movsx rax, cl\nmovzx edx, si\ncdqe\ncqo' },
  { name: 'x87 arithmetic', code: `fninit\n${memory(DATA)}\nfild qword [rbx]\nfild qword [rbx+8]\nfaddp st1, st0\nfldpi\nfmulp st1, st0\nfsqrt` },
  { name: 'x87 store', code: `fninit\n${memory(DATA)}\nfld1\nfld qword [rbx+16]\nfdivp st1, st0\nfstp qword [rbx+0x80]` },
  { name: 'SSE arithmetic', code: `${memory(DATA)}\nmovups xmm0, [rbx]\nmovups xmm1, [rbx+16]\naddps xmm0, xmm1\npxor xmm1, xmm0` },
];

function random(seed: number): () => bigint {
  let state = BigInt(seed) * 0x9e37_79b9_7f4a_7c15n + 1n;
  return () => {
    state = BigInt.asUintN(64, state * 0x5851_f42d_4c95_7f2dn + 0x1405_7b7e_f767_814fn);
    return BigInt.asUintN(64, (state >> 29n) ^ (state << 17n));
  };
}

function segment(selector: number, access: number): SegmentState {
  return { selector, base: 0n, limit: 0xffff_ffff, access };
}

/** Page tables, descriptor tables and one stub a vector that only reports. */
function prepare(rig: Rig): void {
  const { ram } = rig;
  const entry = (at: number, value: number, high = 0): void => {
    ram.setUint32(at, value, true);
    ram.setUint32(at + 4, high, true);
  };
  entry(PML4, 0x1_1007);
  entry(0x1_1000, 0x1_2007);
  entry(0x1_2000, 0x1_3003);
  entry(0x1_2008, 0x1_4007);
  for (let page = 0; page < 512; page++) entry(0x1_3000 + page * 8, page * 4096 + 3);
  entry(0x1_4000, CODE + 5);
  entry(0x1_4008, DATA + 7, NX);
  entry(0x1_4010, SUPERVISOR + 3);
  entry(0x1_4018, READ_ONLY + 5, NX);
  entry(0x1_4020, 0);
  [0n, 0x00af_9b00_0000_ffffn, 0x00cf_9300_0000_ffffn, 0x00cf_f300_0000_ffffn, 0x00af_fb00_0000_ffffn].forEach((value, i) => ram.setBigUint64(0x4000 + i * 8, value, true));
  ram.setBigUint64(TSS + 4, BigInt(KERNEL_STACK), true);
  ram.setUint16(TSS + 0x66, 0x68, true);
  for (let vector = 0; vector < 256; vector++) {
    const stub = STUBS + vector * STUB_BYTES;
    const { bytes } = assemble(`bits 64\norg ${stub}\npush ${vector}\nout ${DONE_PORT}, al\njmp $`);
    rig.memory.write(stub, bytes);
    const rights = vector === 3 ? 0xee00 : 0x8e00;
    entry(IDT + vector * 16, (8 << 16) | stub, rights);
    entry(IDT + vector * 16 + 8, 0);
  }
}

interface Outcome {
  readonly gpr: readonly string[];
  readonly frame: readonly string[];
  readonly cr2: string;
  readonly fxsave: string;
  readonly data: string;
  readonly tables: readonly number[];
}

function runCase(rig: Rig, base: CpuState, test: Case, seed: number): Outcome {
  const next = random(seed);
  const { bytes } = assemble(`bits 64\norg ${CODE}\n${test.code}\nud2`);
  const { ram } = rig;
  rig.memory.write(CODE, bytes);
  for (let at = 0; at < 0x400; at += 8) ram.setBigUint64(DATA + at, next(), true);
  // Numbers that floating point has no quarrel with.
  ram.setFloat64(DATA + 16, Number(next() & 0xffffn) / 7 + 1, true);
  ram.setBigInt64(DATA, BigInt.asIntN(32, next()) & 0xffffn, true);
  ram.setBigInt64(DATA + 8, BigInt.asIntN(32, next()) & 0xffffn, true);
  for (const at of [0x1_4000, 0x1_4008, 0x1_4010, 0x1_4018]) ram.setUint32(at, ram.getUint32(at, true) & ~0x60, true);
  const user = segment(0x1b, 0xc0f3);
  const flags = 0x202n | (next() & 0xcd5n & ~0x400n);
  const tss: SegmentState = { selector: 0x28, base: BigInt(TSS), limit: 0x67, access: 0x8b };
  rig.vcpu.setState({
    ...base,
    rip: BigInt(CODE),
    rflags: flags,
    cpl: 3,
    gpr: base.gpr.map((_, i) => (i === 4 ? BigInt(DATA + 0x400) : next())),
    segments: { ...base.segments, cs: segment(0x23, 0xa0fb), ss: user, ds: user, es: user, fs: user, gs: user, tr: tss },
    gdtr: { base: 0x4000n, limit: 0x27 },
    idtr: { base: BigInt(IDT), limit: 0xfff },
    cr0: 0x8001_0033n,
    cr2: 0n,
    cr3: BigInt(PML4),
    cr4: 0x620n,
    efer: 0xd00n,
    activity: 'running',
    interruptShadow: 0,
  });
  rig.runToDone();
  const state = rig.state();
  const stack = Number(state.gpr[4]);
  const frame: bigint[] = [];
  for (let at = stack; at < KERNEL_STACK; at += 8) frame.push(ram.getBigUint64(at, true));
  // The saved flags are the fourth word from the top of the stack's end: RIP CS RFLAGS RSP SS.
  const flagsAt = frame.length - 3;
  const defined = BigInt(ALL_FLAGS & (test.flags ?? ALL_FLAGS)) | ~BigInt(ALL_FLAGS);
  frame[flagsAt] = (frame[flagsAt] ?? 0n) & BigInt.asUintN(64, defined) & ~0x1_0000n;
  const fx = state.fxsave.slice();
  // Opcode, instruction and data pointers are kept only with a pending exception on AMD.
  fx.fill(0, 6, 24);
  return {
    gpr: state.gpr.map((value) => value.toString(16)),
    frame: frame.map((value) => value.toString(16)),
    cr2: state.cr2.toString(16),
    fxsave: Buffer.from(fx).toString('hex'),
    data: Buffer.from(rig.memory.ram.slice(DATA, DATA + 0x400)).toString('hex'),
    tables: [0x1_4000, 0x1_4008, 0x1_4010, 0x1_4018, 0x1_4020].map((at) => ram.getUint32(at, true) & 0x60),
  };
}

inEveryJitMode(() => {
describe(skip === undefined ? 'program code on silicon under KVM' : `program code on silicon under KVM (skipped: ${skip})`, () => {
  const rigs: Rig[] = [];
  afterAll(() => {
    for (const rig of rigs) rig.dispose();
  });

  it.skipIf(skip !== undefined).each([
    ['faults', FAULTS, 1],
    ['instructions', WORK, 12],
  ] as const)('%s come out as on the interpreter', async (_name, cases, rounds) => {
    const silicon = await Rig.create('kvm', { features: DEFAULT_FEATURES });
    const ours = await Rig.create('software', { features: DEFAULT_FEATURES });
    rigs.push(silicon, ours);
    for (const rig of [silicon, ours]) prepare(rig);
    const base = ours.state();
    const differences: unknown[] = [];
    for (let round = 0; round < rounds; round++) {
      for (const [i, test] of cases.entries()) {
        const seed = 1 + round * 1000 + i;
        const real = runCase(silicon, base, test, seed);
        const mine = runCase(ours, base, test, seed);
        for (const key of Object.keys(real) as (keyof Outcome)[]) {
          if (JSON.stringify(real[key]) !== JSON.stringify(mine[key])) differences.push({ test: test.name, seed, what: key, silicon: real[key], ours: mine[key] });
        }
      }
    }
    expect(differences.slice(0, 8)).toEqual([]);
    expect(silicon.kvmRuns).toBeGreaterThanOrEqual(cases.length * rounds);
  });
});
});
