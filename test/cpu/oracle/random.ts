// A seeded generator of test values: the same seed gives the same cases on every machine.

export class Random {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  /** sfc32, stirred by the seed. */
  constructor(seed: number) {
    this.#a = seed | 0;
    this.#b = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b);
    this.#c = 0xdeadbeef | 0;
    for (let i = 0; i < 12; i++) this.bits32();
  }

  bits32(): number {
    const t = (((this.#a + this.#b) | 0) + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + t;
    return t >>> 0;
  }

  /** An integer below `limit`. */
  below(limit: number): number {
    return Math.floor((this.bits32() / 0x100000000) * limit);
  }

  /** True with a probability of `percent`. */
  chance(percent: number): boolean {
    return this.below(100) < percent;
  }

  pick<T>(list: readonly T[]): T {
    const item = list[this.below(list.length)];
    if (item === undefined) throw new Error('pick from an empty list');
    return item;
  }

  bits64(): bigint {
    return (BigInt(this.bits32()) << 32n) | BigInt(this.bits32());
  }
}
