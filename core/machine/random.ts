// The machine's random stream (RDRAND, RDSEED, later virtio-rng): xoshiro128** (Blackman and Vigna). Its whole state is
// part of the machine, so that deterministic runs and restored machines repeat. Normal runs seed it from the host.

export type RandomState = readonly [number, number, number, number];

function rotateLeft(value: number, count: number): number {
  return (value << count) | (value >>> (32 - count));
}

export class MachineRandom {
  private words: [number, number, number, number];

  /** @param seed 32 bits; spread over the state by splitmix-style mixing, so that small seeds are good ones */
  constructor(seed: number) {
    let x = seed | 0;
    const mix = (): number => {
      x = (x + 0x9e3779b9) | 0;
      let z = x;
      z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
      z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
      return (z ^ (z >>> 16)) >>> 0;
    };
    this.words = [mix(), mix(), mix(), mix()];
  }

  /** 32 random bits, unsigned. */
  next32(): number {
    const s = this.words;
    const result = Math.imul(rotateLeft(Math.imul(s[1], 5), 7), 9) >>> 0;
    const t = s[1] << 9;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotateLeft(s[3], 11);
    return result;
  }

  get state(): RandomState {
    return [this.words[0] >>> 0, this.words[1] >>> 0, this.words[2] >>> 0, this.words[3] >>> 0];
  }

  set state(words: RandomState) {
    this.words = [...words];
  }
}
