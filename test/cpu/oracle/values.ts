// Operand values that find mistakes: boundaries, special floating-point numbers, and values that equal or almost equal
// each other.

import type { Random } from './random.ts';

const MASK64 = (1n << 64n) - 1n;

export function integer64(random: Random): bigint {
  switch (random.below(9)) {
    case 0:
      return BigInt(random.below(4));
    case 1:
      return MASK64 - BigInt(random.below(3));
    case 2:
      return BigInt(random.below(256));
    case 3: {
      // A power of two and its neighbours.
      const bit = 1n << BigInt(random.below(64));
      return (bit + BigInt(random.below(3)) - 1n) & MASK64;
    }
    case 4:
      return random.pick([0x7fn, 0x80n, 0x7fffn, 0x8000n, 0x7fffffffn, 0x80000000n, 0xffffffffn, 0x7fffffffffffffffn, 0x8000000000000000n]);
    case 5:
      return BigInt.asUintN(64, -BigInt(random.below(300)));
    default:
      return random.bits64();
  }
}

export function single(random: Random): number {
  const sign = random.chance(50) ? 0x80000000 : 0;
  switch (random.below(12)) {
    case 0:
      return sign;
    case 1:
      return sign | random.pick([1, 0x7fffff, 0x400000, random.below(0x800000)]);
    case 2:
      return sign | 0x7f800000;
    case 3:
      return sign | 0x7f800000 | (random.below(0x7fffff) + 1);
    case 4:
      return sign | random.pick([0x00800000, 0x00800001, 0x7f7fffff, 0x7f000000, 0x01000000]);
    case 5:
      return sign | (0x3f800000 + random.below(3) - 1);
    case 6:
      // Around the limits of integer conversions.
      return sign | (random.pick([0x4e800000, 0x4effffff, 0x4f000000, 0x5e800000, 0x5effffff, 0x5f000000, 0x4b000000, 0x3f000000, 0x3effffff]) + random.below(2));
    case 7:
    case 8: {
      const value = new Float32Array([random.below(2000) / random.pick([1, 2, 4, 3])]);
      return sign | (new Uint32Array(value.buffer)[0] ?? 0);
    }
    case 9:
      return sign | ((random.below(30) + 112) << 23) | random.below(0x800000);
    default:
      return random.bits32();
  }
}

const scratch = new DataView(new ArrayBuffer(8));

export function double(random: Random): bigint {
  const sign = random.chance(50) ? 0x8000000000000000n : 0n;
  const fraction = random.bits64() & 0xfffffffffffffn;
  switch (random.below(13)) {
    case 0:
      return sign;
    case 1:
      return sign | random.pick([1n, 0xfffffffffffffn, 0x8000000000000n, fraction]);
    case 2:
      return sign | 0x7ff0000000000000n;
    case 3:
      return sign | 0x7ff0000000000000n | fraction | 1n;
    case 4:
      return sign | random.pick([0x0010000000000000n, 0x0010000000000001n, 0x7fefffffffffffffn, 0x7fe0000000000000n, 0x0020000000000000n]);
    case 5:
      return sign | (0x3ff0000000000000n + BigInt(random.below(3)) - 1n);
    case 6:
      // Around the limits of integer conversions.
      scratch.setFloat64(0, random.pick([2147483647, 2147483648, 2147483647.5, 2147483648.5, 4503599627370496, 9007199254740992, 9223372036854775807, 0.5, 1.5, 2.5, 0.49999999999999994]));
      return sign | scratch.getBigUint64(0);
    case 7:
      // Around the limits of single precision.
      return sign | (random.pick([0x36a0000000000000n, 0x3690000000000000n, 0x380fffffffffffffn, 0x3810000000000000n, 0x380fffffe0000000n, 0x47efffffe0000000n, 0x47effffff0000000n, 0x47f0000000000000n]) + BigInt(random.below(2)));
    case 8:
    case 9:
      scratch.setFloat64(0, random.below(2000) / random.pick([1, 2, 4, 3]));
      return sign | scratch.getBigUint64(0);
    case 10:
      return sign | (BigInt(random.below(60) + 994) << 52n) | fraction;
    default:
      return random.bits64();
  }
}

/** Ten bytes of an extended-precision number, unsupported encodings among them. */
export function extended(random: Random): Uint8Array {
  const bytes = new Uint8Array(10);
  const view = new DataView(bytes.buffer);
  const sign = random.chance(50) ? 0x8000 : 0;
  const top = 1n << 63n;
  let significand = random.bits64() | top;
  let exponent: number;
  switch (random.below(14)) {
    case 0:
      significand = 0n;
      exponent = 0;
      break;
    case 1:
      significand = random.pick([1n, top - 1n, random.bits64() & (top - 1n)]);
      exponent = 0;
      break;
    case 2:
      // Pseudo-denormal.
      exponent = 0;
      break;
    case 3:
      significand = top;
      exponent = 0x7fff;
      break;
    case 4:
      exponent = 0x7fff;
      significand |= random.chance(50) ? 1n << 62n : 1n;
      break;
    case 5:
      // Unnormal, pseudo-infinity, pseudo-NaN.
      significand &= top - 1n;
      exponent = random.pick([1, 0x3fff, 0x7fff, random.below(0x7fff)]);
      break;
    case 6:
      significand = top | BigInt(random.below(3));
      exponent = random.pick([1, 2, 0x7ffe, 0x3fff, 0x3ffe, 0x4000]);
      break;
    case 7:
      // Integers and halves.
      significand = top | (random.bits64() & (0xffffn << 47n));
      exponent = 0x3ffe + random.below(70);
      break;
    case 8:
      // Near the ends of single and double range.
      exponent = random.pick([0x3fff - 127, 0x3fff - 149, 0x3fff + 127, 0x3fff + 128, 0x3fff - 1023, 0x3fff - 1074, 0x3fff + 1023, 0x3fff + 1024]) + random.below(2);
      break;
    case 9:
      significand = (1n << 64n) - 1n - BigInt(random.below(2));
      exponent = random.pick([0x7ffe, 0x3fff + 30, 0x3fff + 62, 0x3fff + 14, 0x3fff]);
      break;
    case 10:
    case 11:
      exponent = 0x3fff - 40 + random.below(80);
      break;
    default:
      exponent = random.below(0x7ffe) + 1;
  }
  view.setBigUint64(0, BigInt.asUintN(64, significand), true);
  view.setUint16(8, sign | exponent, true);
  return bytes;
}

/** Ten bytes of packed decimal, now and then with digits that are none. */
export function decimal(random: Random): Uint8Array {
  const bytes = new Uint8Array(10);
  for (let i = 0; i < 9; i++) bytes[i] = random.chance(95) ? (random.below(10) << 4) | random.below(10) : random.below(256);
  bytes[9] = random.pick([0, 0x80, 0, 0x80, 0x7f, random.below(256)]);
  return bytes;
}

export type VectorKind = 'single' | 'double' | 'integer' | 'text';

/** 16 bytes of one kind; `pool` makes vectors share elements. */
export function vector(random: Random, kind: VectorKind, pool: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  switch (kind) {
    case 'single':
      for (let i = 0; i < 16; i += 4) view.setUint32(i, single(random), true);
      break;
    case 'double':
      for (let i = 0; i < 16; i += 8) view.setBigUint64(i, double(random), true);
      break;
    case 'integer':
      if (random.chance(50)) {
        for (let i = 0; i < 16; i += 8) view.setBigUint64(i, integer64(random), true);
      } else {
        for (let i = 0; i < 16; i += 2) view.setUint16(i, Number(integer64(random) & 0xffffn), true);
      }
      break;
    default: {
      const alphabet = [0x61, 0x62, 0x63, 0x61, 0x62, 0x80, 0xff, random.chance(60) ? 0 : 0x7f];
      for (let i = 0; i < 16; i++) bytes[i] = random.pick(alphabet);
    }
  }
  const size = kind === 'single' ? 4 : kind === 'double' ? 8 : 2;
  for (let i = 0; i < 16; i += size) {
    if (random.chance(25)) bytes.set(pool.subarray(i, i + size), i);
  }
  return bytes;
}
