import { describe, expect, it } from 'vitest';
import { ALL_FEATURES, ANY_SUBLEAF, buildCpuid, type CpuidEntry, consistentFeatures, CPUID_ENTRY_BYTES, encodeCpuid, FEATURE_PLACES, featureBits } from './cpuid.ts';
import { CORE_MSRS } from './msr.ts';
import { offsetOf } from './layout.ts';
import { OPCODE_ROWS } from './opcodes.ts';

const OPTIONS = { apicId: 0, processorCount: 1, tscHz: 1e9 };

function leaf(entries: readonly CpuidEntry[], number: number, subleaf = 0): CpuidEntry {
  const found = entries.find((entry) => entry.leaf === number && (entry.subleaf === subleaf || entry.subleaf === ANY_SUBLEAF));
  if (found === undefined) throw new Error(`no leaf ${number.toString(16)}`);
  return found;
}

const text = (...words: number[]): string => Buffer.from(new Uint32Array(words).buffer).toString('latin1').replace(/\0+$/, '');

describe('CPUID model', () => {
  it('names vendor and brand in the order of the manual', () => {
    const entries = buildCpuid({ ...OPTIONS, brand: 'A brand of more than sixteen characters' });
    const zero = leaf(entries, 0);
    expect(text(zero.ebx, zero.edx, zero.ecx)).toBe('GenuineIntel');
    const brand = [0x8000_0002, 0x8000_0003, 0x8000_0004].map((n) => leaf(entries, n));
    expect(text(...brand.flatMap((e) => [e.eax, e.ebx, e.ecx, e.edx]))).toBe('A brand of more than sixteen characters');
  });

  it('shows the x86-64-v2 set by default', () => {
    const entries = buildCpuid(OPTIONS);
    for (const feature of ['cx16', 'lahf_lm', 'popcnt', 'sse3', 'ssse3', 'sse4_1', 'sse4_2', 'lm', 'nx', 'syscall', 'fxsr', 'cmov', 'cx8'] as const) {
      const [number, subleaf, register, bit] = FEATURE_PLACES[feature];
      expect((leaf(entries, number, subleaf)[register] >>> bit) & 1, feature).toBe(1);
    }
  });

  it('never shows AVX, VMX, SVM, PCID, TSX or an OSXSAVE that the system has not set', () => {
    const entries = buildCpuid(OPTIONS);
    expect(leaf(entries, 1).ecx & ((1 << 28) | (1 << 5) | (1 << 17) | (1 << 27))).toBe(0);
    expect(leaf(entries, 7).ebx & ((1 << 5) | (1 << 4) | (1 << 11) | (1 << 10))).toBe(0);
    expect(leaf(entries, 0x8000_0001).ecx & 4).toBe(0);
  });

  it('drops what depends on a hidden feature', () => {
    const shown = consistentFeatures(ALL_FEATURES.filter((feature) => feature !== 'sse3'));
    for (const feature of ['ssse3', 'sse4_1', 'sse4_2', 'sha'] as const) expect(shown.has(feature)).toBe(false);
    expect(shown.has('sse2')).toBe(true);
  });

  it('gives the TSC as a ratio of the crystal that Linux can use', () => {
    const entry = leaf(buildCpuid({ ...OPTIONS, tscHz: 2_500_000_000 }), 0x15);
    expect((entry.ecx * entry.ebx) / entry.eax).toBe(2_500_000_000);
  });

  it('gives every rate in a form that fits the 32-bit arithmetic of Linux, and within its millionth', () => {
    for (const tscHz of [1e9, 998_400_000, 1_996_249_000, 2_445_536_000, 2_593_906_000, 3_792_874_000, 4_200_000_001, 5_700_000_000]) {
      const { eax, ebx, ecx } = leaf(buildCpuid({ ...OPTIONS, tscHz }), 0x15);
      // native_calibrate_tsc() of arch/x86/kernel/tsc.c.
      const khz = Math.floor((Math.imul(Math.floor(ecx / 1000), ebx) >>> 0) / eax);
      expect(Math.abs(khz / (tscHz / 1000) - 1), String(tscHz)).toBeLessThan(1e-6);
      expect(ecx).toBe(1e9);
    }
  });

  it('numbers processors', () => {
    const entries = buildCpuid({ ...OPTIONS, apicId: 2, processorCount: 4 });
    expect(leaf(entries, 1).ebx >>> 24).toBe(2);
    expect((leaf(entries, 1).ebx >>> 16) & 255).toBe(4);
    expect(leaf(entries, 1).edx >>> 28 & 1).toBe(1);
    expect(leaf(entries, 0xb, 1)).toMatchObject({ eax: 2, ebx: 4, edx: 2 });
  });

  it('shows hypervisor leaves only with the hypervisor bit', () => {
    const hypervisorLeaves = [{ leaf: 0x4000_0000, subleaf: ANY_SUBLEAF, eax: 0x4000_0000, ebx: 1, ecx: 2, edx: 3 }];
    expect(buildCpuid({ ...OPTIONS, hypervisorLeaves }).some((entry) => entry.leaf === 0x4000_0000)).toBe(true);
    const features = ALL_FEATURES.filter((feature) => feature !== 'hypervisor');
    expect(buildCpuid({ ...OPTIONS, features, hypervisorLeaves }).some((entry) => entry.leaf === 0x4000_0000)).toBe(false);
  });

  it('encodes entries of six doublewords', () => {
    const entries = buildCpuid(OPTIONS);
    const words = encodeCpuid(entries);
    expect(words.byteLength).toBe(entries.length * CPUID_ENTRY_BYTES);
    expect([...words.slice(0, 3)]).toEqual([0, ANY_SUBLEAF, 0x16]);
  });

  it('knows every feature that an opcode row asks for', () => {
    const names = new Set(OPCODE_ROWS.flatMap((row) => (row.feature === undefined ? [] : [row.feature])));
    expect([...names].filter((name) => !(name in FEATURE_PLACES))).toEqual([]);
  });

  it('sets a decoder bit for each shown feature', () => {
    expect([...featureBits(['popcnt', 'fxsr', 'sse'], ['', 'sse', 'aes', 'popcnt'])]).toEqual([0b1010, 0, 0, 0]);
  });
});

describe('MSRs of saved state', () => {
  it('are unique and have a place in the register file', () => {
    expect(new Set(CORE_MSRS.map((msr) => msr.index)).size).toBe(CORE_MSRS.length);
    const places = CORE_MSRS.map((msr) => offsetOf(msr.field, msr.element ?? 0));
    expect(new Set(places).size).toBe(CORE_MSRS.length);
  });
});
