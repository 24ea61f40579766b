// The CPUID model: which features the software CPU shows, and the leaves as a table that the interpreter reads
// (assembly/cpuid.ts). Everything shown works; nothing else is shown. Vendor is GenuineIntel and the model Westmere
// (06_2Ch): guests take their mainstream paths, SYSENTER works in compatibility mode, and no erratum lists apply.
// Bits that follow run-time state (OSXSAVE, APIC, MONITOR) are patched by the interpreter.

export interface CpuidEntry {
  readonly leaf: number;
  /** ANY_SUBLEAF when ECX does not matter. */
  readonly subleaf: number;
  readonly eax: number;
  readonly ebx: number;
  readonly ecx: number;
  readonly edx: number;
}

export const ANY_SUBLEAF = 0xffff_ffff;
export const CPUID_ENTRY_BYTES = 24;
export const PHYSICAL_ADDRESS_BITS = 40;
export const LINEAR_ADDRESS_BITS = 48;
export const VENDOR = 'GenuineIntel';
export const DEFAULT_BRAND = 'Nestbox Virtual CPU';
/** Family 6, model 2Ch, stepping 2. */
export const SIGNATURE = 0x0002_06c2;

type Register = 'eax' | 'ebx' | 'ecx' | 'edx';
type FeaturePlace = readonly [leaf: number, subleaf: number, register: Register, bit: number];

/** Where each feature shows. Names as in the opcode rows (`feature`), mostly those of Linux. */
export const FEATURE_PLACES = {
  fpu: [1, 0, 'edx', 0],
  vme: [1, 0, 'edx', 1],
  de: [1, 0, 'edx', 2],
  pse: [1, 0, 'edx', 3],
  tsc: [1, 0, 'edx', 4],
  msr: [1, 0, 'edx', 5],
  pae: [1, 0, 'edx', 6],
  mce: [1, 0, 'edx', 7],
  cx8: [1, 0, 'edx', 8],
  apic: [1, 0, 'edx', 9],
  sep: [1, 0, 'edx', 11],
  mtrr: [1, 0, 'edx', 12],
  pge: [1, 0, 'edx', 13],
  mca: [1, 0, 'edx', 14],
  cmov: [1, 0, 'edx', 15],
  pat: [1, 0, 'edx', 16],
  pse36: [1, 0, 'edx', 17],
  clfsh: [1, 0, 'edx', 19],
  mmx: [1, 0, 'edx', 23],
  fxsr: [1, 0, 'edx', 24],
  sse: [1, 0, 'edx', 25],
  sse2: [1, 0, 'edx', 26],
  ss: [1, 0, 'edx', 27],
  sse3: [1, 0, 'ecx', 0],
  pclmulqdq: [1, 0, 'ecx', 1],
  monitor: [1, 0, 'ecx', 3],
  ssse3: [1, 0, 'ecx', 9],
  cx16: [1, 0, 'ecx', 13],
  sse4_1: [1, 0, 'ecx', 19],
  sse4_2: [1, 0, 'ecx', 20],
  x2apic: [1, 0, 'ecx', 21],
  movbe: [1, 0, 'ecx', 22],
  popcnt: [1, 0, 'ecx', 23],
  tsc_deadline: [1, 0, 'ecx', 24],
  aes: [1, 0, 'ecx', 25],
  xsave: [1, 0, 'ecx', 26],
  rdrand: [1, 0, 'ecx', 30],
  hypervisor: [1, 0, 'ecx', 31],
  arat: [6, 0, 'eax', 2],
  fsgsbase: [7, 0, 'ebx', 0],
  tsc_adjust: [7, 0, 'ebx', 1],
  bmi1: [7, 0, 'ebx', 3],
  smep: [7, 0, 'ebx', 7],
  bmi2: [7, 0, 'ebx', 8],
  erms: [7, 0, 'ebx', 9],
  rdseed: [7, 0, 'ebx', 18],
  adx: [7, 0, 'ebx', 19],
  smap: [7, 0, 'ebx', 20],
  clflushopt: [7, 0, 'ebx', 23],
  sha: [7, 0, 'ebx', 29],
  umip: [7, 0, 'ecx', 2],
  rdpid: [7, 0, 'ecx', 22],
  spec_ctrl: [7, 0, 'edx', 26],
  stibp: [7, 0, 'edx', 27],
  arch_capabilities: [7, 0, 'edx', 29],
  ssbd: [7, 0, 'edx', 31],
  bhi_ctrl: [7, 2, 'edx', 4],
  xsaveopt: [0xd, 1, 'eax', 0],
  lahf_lm: [0x8000_0001, 0, 'ecx', 0],
  lzcnt: [0x8000_0001, 0, 'ecx', 5],
  prefetchw: [0x8000_0001, 0, 'ecx', 8],
  syscall: [0x8000_0001, 0, 'edx', 11],
  nx: [0x8000_0001, 0, 'edx', 20],
  pdpe1gb: [0x8000_0001, 0, 'edx', 26],
  rdtscp: [0x8000_0001, 0, 'edx', 27],
  lm: [0x8000_0001, 0, 'edx', 29],
  invariant_tsc: [0x8000_0007, 0, 'edx', 8],
} as const satisfies Readonly<Record<string, FeaturePlace>>;

export type CpuFeature = keyof typeof FEATURE_PLACES;

export const ALL_FEATURES = Object.keys(FEATURE_PLACES) as readonly CpuFeature[];

/** What a machine shows unless its settings say otherwise: everything that works. */
export const DEFAULT_FEATURES: readonly CpuFeature[] = ALL_FEATURES;

/** Features that make no sense without others; they are dropped when what they need is not shown. */
const NEEDS: Partial<Record<CpuFeature, readonly CpuFeature[]>> = {
  sse: ['fxsr'],
  sse2: ['sse'],
  sse3: ['sse2'],
  ssse3: ['sse3'],
  sse4_1: ['ssse3'],
  sse4_2: ['sse4_1'],
  aes: ['sse2'],
  pclmulqdq: ['sse2'],
  sha: ['ssse3'],
  xsaveopt: ['xsave'],
  x2apic: ['apic'],
  tsc_deadline: ['apic'],
  pdpe1gb: ['lm'],
  lm: ['pae', 'syscall', 'msr'],
  stibp: ['spec_ctrl'],
  ssbd: ['spec_ctrl'],
  bhi_ctrl: ['spec_ctrl'],
};

export interface CpuidOptions {
  readonly apicId: number;
  readonly processorCount: number;
  readonly features?: Iterable<CpuFeature>;
  readonly tscHz: number;
  readonly brand?: string;
  /** Leaves 40000000h and up; they show only with the `hypervisor` feature. */
  readonly hypervisorLeaves?: readonly CpuidEntry[];
}

/** Drops features whose requirements are missing. */
export function consistentFeatures(features: Iterable<CpuFeature>): ReadonlySet<CpuFeature> {
  const shown = new Set(features);
  for (let changed = true; changed; ) {
    changed = false;
    for (const feature of shown) {
      if (NEEDS[feature]?.some((needed) => !shown.has(needed)) === true) {
        shown.delete(feature);
        changed = true;
      }
    }
  }
  return shown;
}

function text4(text: string, at: number): number {
  let value = 0;
  for (let i = 3; i >= 0; i--) value = (value << 8) | (at + i < text.length ? text.charCodeAt(at + i) & 0xff : 0);
  return value >>> 0;
}

/** The clock of the local APIC's timer, which guests take from leaf 15h. */
const CRYSTAL_HZ = 1_000_000_000;
/** Linux multiplies the crystal's kHz by the numerator in 32 bits; with more, its clock runs off by any factor. */
const MOST_NUMERATOR = Math.floor(0xffff_ffff / (CRYSTAL_HZ / 1000));

/** The best fraction for a positive value whose numerator is not too large, by continued fractions. */
function fractionOf(value: number): { readonly numerator: number; readonly denominator: number } {
  let [numerator, denominator, lastNumerator, lastDenominator] = [Math.floor(value), 1, 1, 0];
  for (let rest = value - Math.floor(value); rest > 1e-9; ) {
    const part = Math.floor(1 / rest);
    rest = 1 / rest - part;
    const next = part * numerator + lastNumerator;
    if (next > MOST_NUMERATOR) break;
    [numerator, denominator, lastNumerator, lastDenominator] = [next, part * denominator + lastDenominator, numerator, denominator];
  }
  return { numerator, denominator };
}

/** Bits of APIC id that number `count` processors. */
function idBits(count: number): number {
  return Math.ceil(Math.log2(Math.max(1, count)));
}

interface Builder {
  set(leaf: number, subleaf: number, eax: number, ebx: number, ecx: number, edx: number): void;
}

function cacheLeaves(builder: Builder, processorCount: number): void {
  const cores = ((1 << idBits(processorCount)) - 1) * 2 ** 26;
  // 64-byte lines; ways and sets by level: L1 data and code 32 KiB, L2 256 KiB, L3 8 MiB shared by all.
  const shared = (1 << idBits(processorCount)) - 1;
  builder.set(4, 0, cores + 0x121, 0x01c0_003f, 63, 0);
  builder.set(4, 1, cores + 0x122, 0x01c0_003f, 63, 0);
  builder.set(4, 2, cores + 0x143, 0x01c0_003f, 511, 0);
  builder.set(4, 3, cores + shared * 2 ** 14 + 0x163, 0x03c0_003f, 8191, 0);
  // All descriptors are in leaf 4.
  builder.set(2, ANY_SUBLEAF, 0x00fe_ff01, 0, 0, 0);
}

function topologyLeaves(builder: Builder, apicId: number, processorCount: number): void {
  builder.set(0xb, 0, 0, 1, 0x100, apicId);
  builder.set(0xb, 1, idBits(processorCount), processorCount, 0x201, apicId);
  for (let level = 2; level < 8; level++) builder.set(0xb, level, 0, 0, level, apicId);
}

/** The leaves of one vCPU. */
export function buildCpuid(options: CpuidOptions): CpuidEntry[] {
  const { apicId, processorCount, tscHz } = options;
  const features = consistentFeatures(options.features ?? DEFAULT_FEATURES);
  const entries = new Map<string, { leaf: number; subleaf: number; eax: number; ebx: number; ecx: number; edx: number }>();
  const builder: Builder = {
    set: (leaf, subleaf, eax, ebx, ecx, edx) => {
      entries.set(`${leaf}.${subleaf}`, { leaf, subleaf, eax: eax >>> 0, ebx: ebx >>> 0, ecx: ecx >>> 0, edx: edx >>> 0 });
    },
  };
  builder.set(0, ANY_SUBLEAF, 0x16, text4(VENDOR, 0), text4(VENDOR, 8), text4(VENDOR, 4));
  const multi = processorCount > 1 ? 1 << 28 : 0;
  builder.set(1, ANY_SUBLEAF, SIGNATURE, (8 << 8) | (Math.min(processorCount, 255) << 16) | (apicId << 24), 0, multi);
  cacheLeaves(builder, processorCount);
  // MONITOR line 64 bytes; MWAIT extensions and break on masked interrupts, but no C-states: guests idle with HLT.
  if (features.has('monitor')) builder.set(5, ANY_SUBLEAF, 64, 64, 3, 0);
  builder.set(6, ANY_SUBLEAF, 0, 0, 0, 0);
  builder.set(7, 0, 2, 0, 0, 0);
  builder.set(7, 2, 0, 0, 0, 0);
  // No architectural performance monitoring.
  builder.set(0xa, ANY_SUBLEAF, 0, 0, 0, 0);
  topologyLeaves(builder, apicId, processorCount);
  if (features.has('xsave')) {
    builder.set(0xd, 0, 3, 576, 576, 0);
    builder.set(0xd, 1, 0, 0, 0, 0);
  }
  const { numerator, denominator } = fractionOf(tscHz / CRYSTAL_HZ);
  builder.set(0x15, ANY_SUBLEAF, denominator, numerator, CRYSTAL_HZ, 0);
  const mhz = Math.round(tscHz / 1e6);
  builder.set(0x16, ANY_SUBLEAF, mhz, mhz, 100, 0);
  builder.set(0x8000_0000, ANY_SUBLEAF, 0x8000_0008, 0, 0, 0);
  builder.set(0x8000_0001, ANY_SUBLEAF, 0, 0, 0, 0);
  const brand = (options.brand ?? DEFAULT_BRAND).slice(0, 47);
  for (let i = 0; i < 3; i++) {
    builder.set(0x8000_0002 + i, ANY_SUBLEAF, text4(brand, i * 16), text4(brand, i * 16 + 4), text4(brand, i * 16 + 8), text4(brand, i * 16 + 12));
  }
  builder.set(0x8000_0006, ANY_SUBLEAF, 0, 0, 0x0100_6040, 0);
  builder.set(0x8000_0007, ANY_SUBLEAF, 0, 0, 0, 0);
  builder.set(0x8000_0008, ANY_SUBLEAF, PHYSICAL_ADDRESS_BITS | (LINEAR_ADDRESS_BITS << 8), 0, 0, 0);
  for (const feature of features) {
    const [leaf, subleaf, register, bit] = FEATURE_PLACES[feature];
    const entry = entries.get(`${leaf}.${subleaf}`) ?? entries.get(`${leaf}.${ANY_SUBLEAF}`);
    if (entry !== undefined) entry[register] = (entry[register] | (1 << bit)) >>> 0;
  }
  const hypervisor = features.has('hypervisor') ? (options.hypervisorLeaves ?? []) : [];
  return [...entries.values(), ...hypervisor].map((entry) => ({ ...entry }));
}

/** The table as the interpreter reads it: six doublewords an entry, to be stored at CPUID_TABLE. */
export function encodeCpuid(entries: readonly CpuidEntry[]): Uint32Array {
  const words = new Uint32Array(entries.length * 6);
  entries.forEach((entry, i) => words.set([entry.leaf, entry.subleaf, entry.eax, entry.ebx, entry.ecx, entry.edx], i * 6));
  return words;
}

/** FEATURE_BITS for the decoder: bit i is set when the feature that `order[i]` names is shown. */
export function featureBits(features: Iterable<CpuFeature>, order: readonly string[]): Uint32Array {
  const shown: ReadonlySet<string> = consistentFeatures(features);
  const bits = new Uint32Array(4);
  order.forEach((name, i) => {
    if (shown.has(name)) bits[i >> 5] = ((bits[i >> 5] as number) | (1 << (i & 31))) >>> 0;
  });
  return bits;
}
