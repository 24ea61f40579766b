import { describe, expect, it } from 'vitest';
import { MachineRandom } from './random.ts';

describe('MachineRandom', () => {
  it('repeats from a seed and from a saved state, and differs between seeds', () => {
    const a = new MachineRandom(1);
    const b = new MachineRandom(1);
    const first = Array.from({ length: 50 }, () => a.next32());
    expect(Array.from({ length: 50 }, () => b.next32())).toEqual(first);
    const saved = a.state;
    const next = Array.from({ length: 10 }, () => a.next32());
    b.state = saved;
    expect(Array.from({ length: 10 }, () => b.next32())).toEqual(next);
    expect(new MachineRandom(2).next32()).not.toBe(first[0]);
  });

  it('gives unsigned 32-bit values with every bit set about half of the time', () => {
    const random = new MachineRandom(7);
    const ones = new Array<number>(32).fill(0);
    for (let i = 0; i < 4000; i++) {
      const value = random.next32();
      expect(value >>> 0).toBe(value);
      for (let bit = 0; bit < 32; bit++) ones[bit] = (ones[bit] ?? 0) + ((value >>> bit) & 1);
    }
    for (const count of ones) expect(Math.abs(count - 2000)).toBeLessThan(200);
  });
});
