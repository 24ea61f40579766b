// Case records for the host comparison of x87, MMX and scalar SSE arithmetic, and deterministic operand generators: specials,
// denormals, invalid encodings, sparse and dense significands, halfway cases, exponents near the ends of each format.

/** Layouts shared with native-fpu.c and fpu-harness.as. */
export const IN = { BYTES: 240, CODE: 0, LENGTH: 12, OP: 16, FSAVE: 48, EFLAGS: 156, MEMORY: 160, XMM0: 192, XMM1: 208, MXCSR: 224, EAX: 228 } as const;
export const OUT = { BYTES: 176, FSAVE: 0, EFLAGS: 108, MEMORY: 112, XMM0: 144, MXCSR: 160, EAX: 164, STATUS: 168 } as const;

/** Deterministic random numbers (sfc32). */
export class Random {
  #a = 0;
  #b: number;
  #c = 0x9e3779b9;
  #counter = 1;

  constructor(seed: number) {
    this.#b = seed | 0;
    for (let i = 0; i < 16; i++) this.u32();
  }

  u32(): number {
    const t = (this.#a + this.#b + this.#counter++) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + t | 0;
    return t >>> 0;
  }

  below(n: number): number {
    return Math.floor(this.u32() / 4294967296 * n);
  }

  u64(): bigint {
    return (BigInt(this.u32()) << 32n) | BigInt(this.u32());
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)] as T;
  }
}

export interface F80 {
  readonly exp: number;
  readonly sig: bigint;
}

const TOP = 1n << 63n;
const ALL = (1n << 64n) - 1n;

/** A 64-bit pattern that likes runs, few bits and halfway points. */
export function pattern(random: Random): bigint {
  const kind = random.below(8);
  const r = random.u64();
  if (kind < 3) return r;
  if (kind === 3) return 0n;
  if (kind === 4) return ALL;
  if (kind === 5) return (1n << BigInt(random.below(64))) | (1n << BigInt(random.below(64)));
  if (kind === 6) return (ALL << BigInt(random.below(64))) & ALL;
  const keep = random.pick([24, 53, 32, 48, 11]);
  const high = (r >> BigInt(64 - keep)) << BigInt(64 - keep);
  return high | random.pick([0n, 1n << BigInt(63 - keep), (1n << BigInt(63 - keep)) - 1n, (1n << BigInt(63 - keep)) + 1n]);
}

const SPECIALS: readonly F80[] = [
  { exp: 0, sig: 0n }, { exp: 0x8000, sig: 0n }, { exp: 0x7fff, sig: TOP }, { exp: 0xffff, sig: TOP },
  { exp: 0x7fff, sig: 0xc000000000000000n }, { exp: 0xffff, sig: 0xc000000000000000n }, { exp: 0x7fff, sig: 0xc000000000000123n }, { exp: 0x7fff, sig: 0x8000000000000001n },
  { exp: 0xffff, sig: 0xbfffffffffffffffn }, { exp: 0xffff, sig: 0x8000000000000001n }, { exp: 0, sig: 1n }, { exp: 0x8000, sig: 0x7fffffffffffffffn }, { exp: 0, sig: TOP },
  { exp: 0x8000, sig: 0x8000000000000001n }, { exp: 0, sig: ALL }, { exp: 0x3fff, sig: 0x4000000000000000n }, { exp: 0x7fff, sig: 0n }, { exp: 0x7fff, sig: 1n },
  { exp: 0xffff, sig: 0x4000000000000000n }, { exp: 0x3fff, sig: 0n }, { exp: 0x3fff, sig: TOP }, { exp: 0xbfff, sig: TOP }, { exp: 0x4000, sig: TOP }, { exp: 0x3ffe, sig: TOP },
  { exp: 0xbffe, sig: TOP }, { exp: 0x7ffe, sig: ALL }, { exp: 0xfffe, sig: ALL }, { exp: 1, sig: TOP }, { exp: 0x8001, sig: TOP }, { exp: 0x403e, sig: TOP }, { exp: 0xc03e, sig: TOP },
  { exp: 0x401e, sig: TOP }, { exp: 0xc01e, sig: TOP }, { exp: 0x400e, sig: TOP }, { exp: 0xc00e, sig: TOP }, { exp: 0x403e, sig: ALL }, { exp: 0x403a, sig: 0xde0b6b3a763ffff0n }, { exp: 0x403a, sig: 0xde0b6b3a763ffff8n },
];

export function randomF80(random: Random, near = 0x3fff): F80 {
  const kind = random.below(16);
  if (kind < 3) return random.pick(SPECIALS);
  const sign = random.below(2) << 15;
  const sig = pattern(random) | TOP;
  if (kind === 3) return { exp: sign, sig: pattern(random) >> BigInt(random.below(64)) };
  if (kind === 4) return { exp: sign | random.below(0x8000), sig };
  if (kind === 5) return { exp: sign | (1 + random.below(130)), sig };
  if (kind === 6) return { exp: sign | (0x7ffe - random.below(130)), sig };
  if (kind === 7) return { exp: sign | (near - 1200 + random.below(2400)), sig };
  if (kind < 11) return { exp: sign | (near - 70 + random.below(140)), sig };
  return { exp: sign | (near - 3 + random.below(6)), sig };
}

export function randomF64(random: Random): bigint {
  const kind = random.below(16);
  const sign = BigInt(random.below(2)) << 63n;
  const fraction = pattern(random) >> 12n;
  if (kind === 0) return sign;
  if (kind === 1) return sign | 0x7ff0000000000000n;
  if (kind === 2) return sign | 0x7ff0000000000000n | fraction;
  if (kind === 3) return sign | 0x7ff8000000000000n | fraction;
  if (kind === 4) return sign | (fraction >> BigInt(random.below(52)));
  if (kind === 5) return sign | (BigInt(random.below(0x800)) << 52n) | fraction;
  if (kind === 6) return sign | (BigInt(1 + random.below(60)) << 52n) | fraction;
  if (kind === 7) return sign | (BigInt(0x7fe - random.below(60)) << 52n) | fraction;
  if (kind < 11) return sign | (BigInt(1023 - 66 + random.below(132)) << 52n) | fraction;
  return sign | (BigInt(1023 - 3 + random.below(6)) << 52n) | fraction;
}

export function randomF32(random: Random): number {
  const kind = random.below(16);
  const sign = random.below(2) * 0x80000000;
  const fraction = Number(pattern(random) >> 41n);
  if (kind === 0) return sign;
  if (kind === 1) return sign + 0x7f800000;
  if (kind === 2) return sign + 0x7f800000 + fraction;
  if (kind === 3) return sign + 0x7fc00000 + (fraction >>> 1);
  if (kind === 4) return sign + (fraction >>> random.below(23));
  if (kind === 5) return sign + random.below(0x100) * 0x800000 + fraction;
  if (kind === 6) return sign + (1 + random.below(30)) * 0x800000 + fraction;
  if (kind === 7) return sign + (0xfe - random.below(30)) * 0x800000 + fraction;
  if (kind < 11) return sign + (127 - 40 + random.below(80)) * 0x800000 + fraction;
  return sign + (127 - 3 + random.below(6)) * 0x800000 + fraction;
}

/** Growing buffer of case records. */
export class CaseBuffer {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  count = 0;

  constructor(capacity: number) {
    this.bytes = new Uint8Array(capacity * IN.BYTES);
    this.view = new DataView(this.bytes.buffer);
  }

  /** Starts a record; returns its offset. */
  next(code: readonly number[]): number {
    const at = this.count++ * IN.BYTES;
    this.bytes.set(code, at + IN.CODE);
    this.bytes[at + IN.LENGTH] = code.length;
    this.view.setUint32(at + IN.MXCSR, 0x1f80, true);
    return at;
  }

  setState(at: number, controlWord: number, statusWord: number, tagWord: number): void {
    this.view.setUint32(at + IN.FSAVE, 0xffff0000 | controlWord, true);
    this.view.setUint32(at + IN.FSAVE + 4, 0xffff0000 | statusWord, true);
    this.view.setUint32(at + IN.FSAVE + 8, 0xffff0000 | tagWord, true);
  }

  setSt(at: number, i: number, value: F80): void {
    this.view.setBigUint64(at + IN.FSAVE + 28 + i * 10, value.sig, true);
    this.view.setUint16(at + IN.FSAVE + 36 + i * 10, value.exp, true);
  }

  data(): Uint8Array {
    return this.bytes.subarray(0, this.count * IN.BYTES);
  }
}
